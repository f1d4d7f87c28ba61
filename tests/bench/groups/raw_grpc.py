"""A mesh of gRPC streams in their fastest form: what any group on gRPC is measured against.

One bidirectional stream for each pair, bytes without protobuf, up to 64 messages in a message of
gRPC, each frame built once for all; what came is acknowledged in ranges, held back up to 20 ms.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from struct import Struct
from typing import Any

import grpc

from .batching import Batch, framed, messages_in
from .contestant import Contestant, Seat
from .window import Changes, Window

PROMISE = "acknowledged by every member; not stored, nothing is sent again"
ORDER = "of each author"
DEATH = "the others go on"
AWAY = "nothing"

ACK_S = 0.02  # an acknowledgement is held back so long, or until half a window has come
METHOD = "/bench.Mesh/Talk"
DATA, ACK = b"D", b"A"

_RANGE = Struct("!QQ")


class _Link:
    """One stream, from either side of it."""

    def __init__(self, mesh: "RawGrpc", stream: Any) -> None:
        self._mesh, self._stream = mesh, stream
        self._frames: deque[bytes] = deque()
        self._changes = Changes()
        self._received = self._told = 0  # messages: come, and acknowledged to the other side
        self._held: asyncio.TimerHandle | None = None
        self.acked = 0  # own messages that the other side has acknowledged

    def put(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._changes.tell()

    async def write(self) -> None:
        while True:
            while self._frames:
                await self._stream.write(self._frames.popleft())
            await self._changes.next()

    async def read(self) -> None:
        take, half = self._mesh.take, (self._mesh.seat.window + 1) // 2
        while (frame := await self._stream.read()) is not grpc.aio.EOF:
            if frame[:1] == ACK:
                self.acked = _RANGE.unpack_from(frame, 1)[1]
                self._mesh.acknowledged()
                continue
            self._received += take(frame)
            if self._received - self._told >= half:
                self._acknowledge()
            elif self._held is None:
                self._held = asyncio.get_running_loop().call_later(ACK_S, self._acknowledge)

    def _acknowledge(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None
        if self._received > self._told:
            self.put(ACK + _RANGE.pack(self._told + 1, self._received))
            self._told = self._received


class RawGrpc(Contestant):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._links: list[_Link] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._changes = Changes()
        self._batch = Batch(self._write)
        self._window = Window(seat.window)

    async def open(self) -> str:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handler = grpc.stream_stream_rpc_method_handler(self._called)
        service, method = METHOD[1:].split("/")
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(service, {method: handler})]
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def _called(self, _: AsyncIterator[bytes], context: Any) -> None:
        await context.send_initial_metadata(())
        link = self._made(context)
        await asyncio.gather(link.read(), link.write())

    async def meet(self, addresses: list[str]) -> None:
        for address in addresses[: self.seat.index]:
            channel = grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
            call = channel.stream_stream(METHOD)()
            await call.initial_metadata()
            link = self._made(call)
            self._tasks += (asyncio.create_task(one) for one in (link.read(), link.write()))
        while len(self._links) < self.seat.size - 1:
            await self._changes.next()

    def _made(self, stream: Any) -> _Link:
        link = _Link(self, stream)
        self._links.append(link)
        self._changes.tell()
        return link

    def acknowledged(self) -> None:
        """One link's acknowledgements have moved on."""
        self._window.reached(min(link.acked for link in self._links))

    def take(self, frame: bytes) -> int:
        """Hands on the messages of a frame; how many they were."""
        count, receive = 0, self.receive
        for message in messages_in(frame, 1):
            count += 1
            receive(message)
        return count

    def _write(self, frame: bytes) -> None:
        frame = DATA + frame
        for link in self._links:
            link.put(frame)

    async def room(self) -> None:
        await self._window.room()

    def say(self, payload: bytes) -> None:
        self._window.said += 1
        self._batch.add(framed(payload))

    async def settle(self) -> None:
        await self._window.empty()
