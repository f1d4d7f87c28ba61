"""nats-server: each member publishes to one subject and subscribes to it, in the text protocol.

A sender asks with PING now and then; the PONG comes behind all that the server had for it, so that
nobody is ahead of the server by more than a window.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from .batching import Batch
from .contestant import Contestant, Seat
from .window import Window
from .wire import Wire, dial

PROMISE = "at most once: lost for who is away, and for who reads too slowly"
ORDER = "of each author"
DEATH = "of the server: nobody hears anybody"
AWAY = "nothing"

HELLO = b'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\nSUB bench 1\r\nPING\r\n'


class Nats(Contestant):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._wire = Wire(self._take)
        self._window = Window(seat.window)
        self._asked: deque[int] = deque([0])  # what had been said at each PING without a PONG
        self._heard = asyncio.Event()
        self._batch = Batch(self._wire.write)

    async def open(self) -> str:
        await dial(self.seat.server, self._wire)
        return ""

    async def meet(self, addresses: list[str]) -> None:
        self._wire.write(HELLO)
        await self._heard.wait()

    def _take(self, data: bytes) -> int:
        start = 0
        while (end := data.find(b"\r\n", start)) >= 0:
            line = data[start:end]
            start_of_next = end + 2
            if line.startswith(b"MSG "):
                start_of_next += int(line.rpartition(b" ")[2]) + 2
                if start_of_next > len(data):
                    break
                self.receive(data[end + 2 : start_of_next - 2])
            elif line == b"PONG":
                self._window.reached(self._asked.popleft())
                self._heard.set()
            elif line == b"PING":
                self._wire.write(b"PONG\r\n")
            elif not line.startswith(b"INFO "):
                raise AssertionError(f"nats-server says {line!r}")
            start = start_of_next
        return start

    async def room(self) -> None:
        await self._window.room()
        await self._wire.room()

    def say(self, payload: bytes) -> None:
        self._window.said += 1
        self._batch.add(b"PUB bench %d\r\n%s\r\n" % (len(payload), payload))
        if self._window.said % (self.seat.window // 2) == 0:
            self._ask()

    def _ask(self) -> None:
        self._batch.flush()
        self._asked.append(self._window.said)
        self._wire.write(b"PING\r\n")

    async def settle(self) -> None:
        self._ask()
        await self._window.empty()
