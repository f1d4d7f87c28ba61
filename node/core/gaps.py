"""Authors of whom others count as held what is not here: trimmed there, or lost with its holders.

Such a gap is jumped, by adopting the others' floor, only after every member was asked since we
heard of that floor: who was asked before may have said something meanwhile.  A floor that rises
does not hold the jump up; it opens the next gap.

    (none) -- a floor that stands against ours --> OPEN -- all were asked --> adopted, gone
                        a higher one waits until then <--------'
"""

from collections.abc import Iterable, Iterator

from .marks import outranks
from .types import Floor, MemberId


class Gaps:
    def __init__(self) -> None:
        self._floors: dict[MemberId, Floor] = {}
        self._later: dict[MemberId, Floor] = {}  # the one that stands, of those heard of since
        self._asked: dict[MemberId, set[MemberId]] = {}  # who gave all it had of that author

    def note(self, floor: Floor) -> None:
        """Somebody has this floor."""
        source = floor.source
        known = self._floors.get(source)
        if known is None:
            self._floors[source], self._asked[source] = floor, set()
        elif floor.at > known.at:
            if outranks(floor, self._later.get(source)):
                self._later[source] = floor
        elif outranks(floor, known):
            self._floors[source] = floor  # It counts no more than that one, only otherwise.

    def asked(self, member: MemberId) -> None:
        """A member has sent all it has that is not here."""
        for members in self._asked.values():
            members.add(member)

    def forget(self, source: MemberId) -> None:
        """This one is no more: the next of that author opens, if there is one."""
        self._floors.pop(source, None)
        self._asked.pop(source, None)
        if (later := self._later.pop(source, None)) is not None:
            self.note(later)

    def unasked(self, members: Iterable[MemberId]) -> tuple[MemberId, ...]:
        """Those of them that are still to be asked, about any author."""
        return tuple(m for m in members if any(m not in asked for asked in self._asked.values()))

    def __iter__(self) -> Iterator[Floor]:
        return iter(sorted(self._floors.values()))

    def __bool__(self) -> bool:
        return bool(self._floors)
