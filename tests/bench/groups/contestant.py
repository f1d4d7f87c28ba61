"""What takes part: the promise that each contestant's module keeps.

Its module also says what it promises: `PROMISE` of a message, `ORDER` of several, `DEATH` when
something dies, `AWAY` to who was away.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

IN_FLIGHT = 1_024  # messages of the whole group that are said and not yet known to have come


class Seat(Struct, frozen=True):
    """A member's place in its group."""

    index: int
    size: int  # members of the group
    directory: Path  # its own, made and empty
    server: str  # HOST:PORT of what the contestant needs beside its members; empty for nothing

    @property
    def window(self) -> int:
        """How many own messages may be on their way, where the contestant knows that they came."""
        return max(4, IN_FLIGHT // self.size)


class Contestant(ABC):
    """One member of a group.

    `open`, then `found` at the first member alone, then `meet` at all; from then on `room` and
    `say` in turn.
    """

    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        """`receive` takes each message of another member, whole, once it may be shown there."""
        self.seat, self.receive = seat, receive

    @abstractmethod
    async def open(self) -> str:
        """Starts to listen; the HOST:PORT under which the others can call, empty for none."""

    async def found(self) -> None:  # noqa: B027 most have nothing to make
        """Makes what the others join.  The first member does it alone."""

    @abstractmethod
    async def meet(self, addresses: list[str]) -> None:
        """Returns when everybody hears everybody.  `addresses` are all members' in their order."""

    @abstractmethod
    async def room(self) -> None:
        """Returns when the contestant's own flow control lets one more message go."""

    @abstractmethod
    def say(self, payload: bytes) -> None:
        """Sends to all others."""

    async def settle(self) -> None:  # noqa: B027 most know nothing of what has come
        """Returns when everything said is as safe as the contestant ever makes it."""

    def leader(self) -> tuple[int, ...]:
        """Whom this member follows, and the epoch before it; empty for nobody."""
        return ()

    def leads(self) -> bool:
        """Whether it is this member itself."""
        return False
