"""What takes part: the promise that each contestant's module keeps.

Its module also says, as `PROMISE` and `ORDER`, what it promises of a message to those who use it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

IN_FLIGHT = 1_024  # messages of the whole group that are said and not yet known to have come


@dataclass(frozen=True, slots=True)
class Seat:
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

    `open`, then `found` at the first member alone, then `meet` at all; from then on `say`.
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
    async def say(self, payload: bytes) -> None:
        """Sends to all others; waits while the contestant's own flow control holds it back."""

    async def settle(self) -> None:  # noqa: B027 most know nothing of what has come
        """Returns when everything said is as safe as the contestant ever makes it."""

    def leader(self) -> str:
        """Who leads in the eyes of this member; empty for nobody, or where there are no leaders."""
        return ""
