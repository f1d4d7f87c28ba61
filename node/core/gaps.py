"""Authors of whom others count as held what is not here: trimmed there, or lost with its holders.

Such a gap is jumped, by adopting the others' floor, only after every member was asked.

    (none) -- a floor that stands against ours --> OPEN -- all were asked --> adopted, gone
"""

from collections.abc import Iterable, Iterator

from .marks import outranks
from .types import Floor, MemberId


class Gaps:
    def __init__(self) -> None:
        self._floors: dict[MemberId, Floor] = {}  # the one that stands, of all that were seen
        self._asked: dict[MemberId, set[MemberId]] = {}  # who gave all it had of that author

    def note(self, floor: Floor) -> None:
        """Somebody has this floor."""
        source = floor.source
        if outranks(floor, self._floors.get(source)):
            self._floors[source] = floor
            self._asked.setdefault(source, set())

    def asked(self, member: MemberId) -> None:
        """A member has sent all it has that is not here."""
        for members in self._asked.values():
            members.add(member)

    def forget(self, source: MemberId) -> None:
        self._floors.pop(source, None)
        self._asked.pop(source, None)

    def unasked(self, members: Iterable[MemberId]) -> tuple[MemberId, ...]:
        """Those of them that are still to be asked, about any author."""
        return tuple(m for m in members if any(m not in asked for asked in self._asked.values()))

    def __iter__(self) -> Iterator[Floor]:
        return iter(sorted(self._floors.values()))

    def __bool__(self) -> bool:
        return bool(self._floors)
