"""What every store promises.  One suite of tests holds each kind of store to it."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from nds.record import Decision, Kept, Record

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Decide: TypeAlias = Callable[[Kept], Decision[T]]


class Changed(Struct, Generic[T_co], frozen=True):
    """What an update did: the record before and after, and the reply of the decision."""

    before: Record | None
    after: Record | None
    reply: T_co


class Store(Protocol):
    """Keeps one record for each network, and the generation.  For one thread at a time.

    Every method raises `StoreUnusable` when the disk fails; nothing has changed then, unless that
    can no longer be known.
    """

    def start(self, now_ms: int) -> int:
        """Draw the generation of this start and keep it.  Once, before anything is changed."""

    def update(self, chat: int, decide: Decide[T], *, request: str = "") -> Changed[T]:
        """Replace the record and the generation by what `decide` makes of them.

        Atomic, and durable on return: what `decide` said may be answered now, and not before.
        `decide` gets the record of `chat` or, where there is none, that which `request` made; it is
        called once, and if it raises, nothing changes.
        """

    def get(self, chat: int) -> Record | None:
        """The record of that number; a tombstone too."""

    def find(self, name: str) -> Record | None:
        """The living network of that name."""

    def page(self, after: str, limit: int, *, seen_from_ms: int) -> list[Record]:
        """At most `limit` living networks whose names come after that one, in order of names.

        Only those whose leader was heard at `seen_from_ms` or later.
        """

    def last_seen(self, from_ms: int, before_ms: int) -> list[Record]:
        """The living networks last heard at `from_ms` or later, but before `before_ms`."""

    def try_writing(self) -> None:
        """Write something that changes nothing, to find out whether the disk takes it."""

    def close(self) -> None:
        """Let go of the file.  Nothing else may be called afterwards."""
