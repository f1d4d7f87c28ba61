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
            if floor.source not in (by, s.me) and s.history.is_below(floor):
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
        if floor.stream.incarnation > max(author.incarnation, top[0].incarnation) + STREAMS_MAX:
            s.drop("a floor above all lives of its author")
            return False
        told = self.told.get(source) if s.members.is_active(source) else None
        if source == s.me and s.stream == floor.stream:
            told = s.stream, s.stream_seq
        elif sum(at >= floor.at for at in self._counted.get(source, {}).values()) > 1:
            told = None  # Several who are there count so much, whatever the author says.
        if told is None or floor.at <= max(told, top):
            return floor.seq <= SEQ_MAX
        s.drop("a floor above all that its author has said")
        return False

    def said(self) -> tuple[Stream, int]:
        """How far we have got with what we say, as far as we know."""
        s = self._s
        floor = s.history.marks.floors.get(s.me)
        return max(s.history.top(s.me), floor.at if floor is not None else NO_FLOOR)
