"""Which floors are believed: nobody has trimmed what its author never said.

A floor is anybody's word.  Whoever believed one above what is said yet would throw the author's
next lines away; so the author's own word counts, while it is there, unless two others count more.
"""

from collections.abc import Iterable, Iterator

from .history import NO_FLOOR
from .messages import Synced
from .state import State
from .types import Floor, MemberId, Stream

STREAMS_MAX = 64  # an author may begin in one life, each above what others count as trimmed
SEQ_MAX = 2**32  # messages of one stream


class Floors:
    def __init__(self, s: State) -> None:
        self._s = s
        self.told: dict[MemberId, tuple[Stream, int]] = {}  # how much each says that it has said
        self._counted: dict[MemberId, dict[MemberId, tuple[Stream, int]]] = {}  # by each of them

    def hear(self, member: MemberId, synced: Synced) -> None:
        """What an answer says of its sender."""
        if synced.said is not None:
            self.told[member] = synced.said

    def believed(self, floors: Iterable[Floor], by: MemberId) -> Iterator[Floor]:
        """Those of a member's floors that are."""
        s = self._s
        for floor in floors:
            others = floor.source not in (by, s.me) and s.members.get(floor.source) is not None
            if others and s.history.is_below(floor):
                self._counted.setdefault(floor.source, {})[by] = floor.at
            if self.is_believed(floor):
                yield floor

    def is_believed(self, floor: Floor) -> bool:
        """Can so much have been trimmed: has its author said it?  Of one that is away nobody knows,
        except that nothing was said in a life that it has not had.
        """
        s, source = self._s, floor.source
        author, top = s.members.get(source), s.history.top(source)
        if author is None:
            return s.setup.verify is None  # It will be, once its author is known.
        if floor.seq > SEQ_MAX:
            return False
        told = self._told(floor)
        if floor.at <= max(told or NO_FLOOR, top):
            return True
        life = max(author.incarnation, top[0].incarnation) + STREAMS_MAX
        if source == s.me:  # Lies must not drive us to where others would not believe the truth.
            life = s.incarnation + STREAMS_MAX // 2
        if floor.stream.incarnation > life:
            s.drop("a floor above all lives of its author")
            return False
        if told is None or self._several_count(floor):
            return True
        s.drop("a floor above all that its author has said")
        return False

    def is_known(self, floor: Floor) -> bool:
        """Is it believed because its author, or several, have said so, or its author is away: and
        not only as nobody was asked yet?
        """
        if floor.source == self._s.me:
            return floor.at <= self.said()
        is_away = not self._s.members.is_active(floor.source)
        return is_away or self._told(floor) is not None or self._several_count(floor)

    def _told(self, floor: Floor) -> tuple[Stream, int] | None:
        """What its author, being there, says that it has said."""
        s, source = self._s, floor.source
        if source == s.me:
            return (floor.stream, s.stream_seq) if s.stream == floor.stream else None
        return self.told.get(source) if s.members.is_active(source) else None

    def _several_count(self, floor: Floor) -> bool:
        """Several who are there count so much, whatever the author says; but of what we say."""
        s, counted = self._s, self._counted.get(floor.source, {})
        return sum(at >= floor.at and s.members.is_active(by) for by, at in counted.items()) > 1

    def said(self) -> tuple[Stream, int]:
        """How far we have got with what we say, as far as we know."""
        s = self._s
        floor = s.history.marks.floors.get(s.me)
        return max(s.history.top(s.me), floor.at if floor is not None else NO_FLOOR)
