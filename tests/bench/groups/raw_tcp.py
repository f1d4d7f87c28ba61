"""A mesh of TCP connections: frames of up to 64 messages, nothing acknowledged, nothing stored."""

import asyncio
from collections.abc import Callable
from struct import Struct

from .batching import Batch, framed, messages_in
from .contestant import Contestant, Seat
from .window import Changes
from .wire import Wire, dial

PROMISE = "nothing: what a broken connection held is lost"
ORDER = "of each author"
DEATH = "the others go on"
AWAY = "nothing"

_HEAD = Struct("!I")


class RawTcp(Contestant):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._links: list[Wire] = []
        self._changes = Changes()
        self._batch = Batch(self._write)

    async def open(self) -> str:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._link, "127.0.0.1", 0, backlog=128)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def meet(self, addresses: list[str]) -> None:
        for address in addresses[: self.seat.index]:
            await dial(address, self._link())
        while len(self._links) < self.seat.size - 1:
            await self._changes.next()

    def _link(self) -> Wire:
        return Wire(self._take, made=self._made)

    def _made(self, link: Wire) -> None:
        self._links.append(link)
        self._changes.tell()

    def _take(self, data: bytes) -> int:
        start = 0
        while len(data) - start >= 4:
            end = start + 4 + _HEAD.unpack_from(data, start)[0]
            if end > len(data):
                break
            for message in messages_in(data[start + 4 : end]):
                self.receive(message)
            start = end
        return start

    def _write(self, frame: bytes) -> None:
        frame = _HEAD.pack(len(frame)) + frame
        for link in self._links:
            link.write(frame)

    async def room(self) -> None:
        if self._batch.is_empty:
            await asyncio.sleep(0)
            for link in self._links:
                await link.room()

    def say(self, payload: bytes) -> None:
        self._batch.add(framed(payload))
