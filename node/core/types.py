"""The core's vocabulary: plain values that everything else is made of.

Instants are `Millis` on a monotonic clock that the caller supplies; wall-clock instants are
`WallMillis` (unix time).  A member id is one integer, `generation * 1_000_000 + n`, compared as a
number; people see `n`.
"""

from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from msgspec import Struct

Millis: TypeAlias = int
FOREVER: Millis = 2**62
WallMillis: TypeAlias = int
MemberId: TypeAlias = int
ChatId: TypeAlias = int
Incarnation: TypeAlias = int
Address: TypeAlias = str  # HOST:PORT
CallId: TypeAlias = int

GENERATION = 1_000_000


def small(member: MemberId) -> int:
    """The number of a member that people see."""
    return member % GENERATION


class Epoch(NamedTuple):
    """A term of leadership: later ones compare greater, whatever the registry forgot."""

    generation: int
    n: int


NO_EPOCH = Epoch(0, 0)


class IdBlock(Struct, frozen=True, order=True):
    """Member ids to give out: `first`, `first + 1`, ... (`count` of them)."""

    first: MemberId
    count: int
    signature: bytes = b""  # the registry's, see `issuing`

    @property
    def ids(self) -> range:
        """Those."""
        return range(self.first, self.first + self.count)


NO_IDS = IdBlock(0, 0)


class Hlc(NamedTuple):
    """Hybrid logical clock (Kulkarni and others 2014): wall time in ms, a counter within it."""

    ms: WallMillis
    counter: int


NO_HLC = Hlc(0, 0)


class Stream(NamedTuple):
    """A run of one author's messages, new with the first message of each of its processes."""

    incarnation: Incarnation
    random: int


_new = tuple.__new__


class Key(NamedTuple):
    """The name of one message."""

    source: MemberId
    stream: Stream
    seq: int

    @property
    def before(self) -> "Key | None":
        """The author's message before this one in the same stream."""
        source, stream, seq = self
        return _new(Key, (source, stream, seq - 1)) if seq > 1 else None


class Run(NamedTuple):
    """An unbroken run of messages of one stream: `first` to `last`, both held."""

    source: MemberId
    stream: Stream
    first: int
    last: int
    hash: int = 0  # over keys and contents: tells two contents under one key


class Stored(NamedTuple):
    """An unbroken run of a stream's messages that a member has stored: `first` to `last`."""

    member: MemberId
    first: int
    last: int


class Floor(NamedTuple):
    """A mark: all of `source` up to number `seq` of `stream` counts as held and delivered.

    Streams are in the order of their lives.  `sum` is over everything that counts below the mark
    (`sums`), so that logs compare equal whatever each of them has trimmed.
    """

    source: MemberId
    stream: Stream
    seq: int
    sum: int

    @property
    def at(self) -> tuple[Stream, int]:
        return self.stream, self.seq

    def covers(self, key: Key) -> bool:
        """Does this message, of the same source, lie at or below the mark?"""
        return (key.stream, key.seq) <= (self.stream, self.seq)


Place: TypeAlias = tuple[Hlc, MemberId, Stream, int]
"""Where a message is displayed: a strict total order; what honest members say extends causality."""

LinePlace: TypeAlias = tuple[Hlc, MemberId, Stream, int, int]
"""Where a line is displayed: the place of its message, and its number in that."""


class Silence(Enum):
    """How a call came to nothing."""

    REFUSED = auto()  # Nobody listens there: the process is gone.
    SILENT = auto()  # No answer in time, or a status that says nothing definite.


class Way(Enum):
    """How a message, or the news of its storing, came."""

    DIRECT = "direct"
    RELAY = "relay"
    SPREAD = "spread"  # by a member of the large group's grid, which was asked to pass it on
    CATCH_UP = "catch-up"


class Post(Struct, frozen=True, gc=False):
    """What the log keeps of an own message beside its text: who is to have it, who has it."""

    key: Key
    counted: tuple[MemberId, ...]  # who counts in "x/m"
    acked: tuple[MemberId, ...]  # who was seen to have it, whether counted or away
    settled: bool  # nobody is waited for any more
    away: tuple[MemberId, ...] = ()  # dropped members, when it was said: they get it later

    @property
    def reached(self) -> int:
        """How many of those that count have it: the x in "x/m"."""
        return len(set(self.counted).intersection(self.acked))

    @property
    def lacking(self) -> tuple[MemberId, ...]:
        """Who is to have it and was not seen to."""
        return tuple(sorted({*self.counted, *self.away}.difference(self.acked)))
