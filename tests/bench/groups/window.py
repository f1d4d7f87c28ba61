"""How far a sender may be ahead of the others."""

import asyncio
from collections.abc import Callable

from .contestant import Seat

HOLD_EACH_S = 0.005  # an account is held back so long for each member of the group


class Changes:
    """Wakes those who wait until something has changed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()

    async def next(self) -> None:
        self._event.clear()
        await self._event.wait()


class Window:
    """Own messages that are not yet known to have come everywhere.

    Who says one counts it in `said`; who learns how many have come everywhere says `reached`.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._changes = Changes()
        self.said = self.everywhere = 0

    async def room(self) -> None:
        """Returns when one more may be said."""
        while self.said - self.everywhere >= self._most:
            await self._changes.next()

    def reached(self, everywhere: int) -> None:
        if everywhere > self.everywhere:
            self.everywhere = everywhere
            self._changes.tell()

    async def empty(self) -> None:
        """Returns when all have come everywhere."""
        while self.everywhere < self.said:
            await self._changes.next()


class Accounts:
    """What each member has of whom, told to all now and then, where nothing else would tell it.

    The accounts are messages of the benchmark, not of the contestant, and cost it a little.
    """

    def __init__(self, seat: Seat, window: Window, tell: Callable[[bytes], object]) -> None:
        """`tell` takes an account, a message for all others."""
        self._index, self._window, self._tell = seat.index, window, tell
        self._hold_s = HOLD_EACH_S * seat.size
        self._most = seat.window * seat.size // 2  # messages of all others for which none is held
        self._since = 0
        self._received = [0] * seat.size
        self._theirs = dict.fromkeys(set(range(seat.size)) - {seat.index}, 0)
        self._held: asyncio.TimerHandle | None = None

    def came(self, message: bytes) -> None:
        """Takes a message of another down."""
        self._received[int(message[:3])] += 1
        self._since += 1
        if self._since >= self._most:
            self._account()
        elif self._held is None:
            loop = asyncio.get_running_loop()
            self._held = loop.call_later(self._hold_s, self._account)

    def _account(self) -> None:
        if self._held is not None:
            self._held.cancel()
        self._held, self._since = None, 0
        self._tell(b"A %03d " % self._index + b",".join(b"%d" % one for one in self._received))

    def take(self, message: bytes) -> bool:
        """Whether it was an account, which is no message of the group."""
        if message[:1] != b"A":
            return False
        _, index, counts = message.split(b" ")
        self._theirs[int(index)] = int(counts.split(b",")[self._index])
        self._window.reached(min(self._theirs.values()))
        return True
