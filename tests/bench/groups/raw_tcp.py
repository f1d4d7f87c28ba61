"""A mesh of TCP connections: frames of up to 64 messages, nothing acknowledged, nothing stored."""

import asyncio
from collections.abc import Callable
from struct import Struct

from .batching import Batch, messages_in
from .contestant import Contestant, Seat

NAME = "raw-tcp"
PROMISE = "none: what a broken connection held is lost; order of each source"

_HEAD = Struct("!I")


class _Link(asyncio.Protocol):
    """One connection; both sides write frames behind their length."""

    def __init__(self, mesh: "RawTcp") -> None:
        self._mesh = mesh
        self._unread = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._mesh.made(self)

    def data_received(self, data: bytes) -> None:
        data = self._unread + data if self._unread else data
        start = 0
        receive = self._mesh.receive
        while len(data) - start >= 4:
            end = start + 4 + _HEAD.unpack_from(data, start)[0]
            if end > len(data):
                break
            for message in messages_in(data[start + 4 : end]):
                receive(message)
            start = end
        self._unread = data[start:]

    def pause_writing(self) -> None:
        self._mesh.full(self)

    def resume_writing(self) -> None:
        self._mesh.free(self)


class RawTcp(Contestant):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._links: list[_Link] = []
        self._full: set[_Link] = set()
        self._changed = asyncio.Event()
        self._batch = Batch(self._write)

    async def open(self) -> str:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Link(self), "127.0.0.1", 0, backlog=128)
        self._server = server
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def meet(self, addresses: list[str]) -> None:
        loop = asyncio.get_running_loop()
        for address in addresses[: self.seat.index]:
            host, _, port = address.rpartition(":")
            await loop.create_connection(lambda: _Link(self), host, int(port))
        while len(self._links) < self.seat.size - 1:
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def made(self, link: _Link) -> None:
        self._links.append(link)
        self._changed.set()

    def full(self, link: _Link) -> None:
        self._full.add(link)

    def free(self, link: _Link) -> None:
        self._full.discard(link)
        self._changed.set()

    def _write(self, frame: bytes, _: int) -> None:
        frame = _HEAD.pack(len(frame)) + frame
        for link in self._links:
            assert link.transport is not None
            link.transport.write(frame)

    async def say(self, payload: bytes) -> None:
        if self._batch.add(payload):
            await asyncio.sleep(0)
            while self._full:
                await self._change()
