"""One channel to one address: opened by its first call, watched, renewed, never waited for.

A call comes to one of three ends: the bytes of the reply, a definite `Refusal`, or `Silenced`; the
last also where somebody answers that it cannot do what it is asked, with the reason.  One that is
told to come again later does, if there is time for that.
"Connection refused" is told only when it is true now: a channel that failed a moment ago goes on
failing every call with the last error until its back-off ends, though the peer may be back.  So
whenever the channel is not there, a plain TCP connection finds out: nobody listens (REFUSED), no
answer (SILENT), or somebody does, and the call is made once more on a new channel.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

from node.core.messages import Refusal
from node.core.types import Address, Millis, Silence
from node.limits import split_address
from node.rpc.options import grpc
from node.rpc.status import TOO_MANY, come_again_s, refusal_in, told, unable_in
from node.rpc.transport import Transport
from node.runner import Silenced
from node.tasks import Tasks

CLOSE_S = 5.0  # calls on a channel that was replaced may go on this long
CLOSED = Silenced(Silence.SILENT, "CANCELLED: the connection was closed")

STATES = {
    grpc.ChannelConnectivity.IDLE: "idle",
    grpc.ChannelConnectivity.CONNECTING: "connecting",
    grpc.ChannelConnectivity.READY: "ready",
    grpc.ChannelConnectivity.TRANSIENT_FAILURE: "failing",
    grpc.ChannelConnectivity.SHUTDOWN: "shut",
}


class Line:
    """A channel to `address`, to the node there that has this certificate; empty: to whoever it is.

    `on_broken` is called each time it was ready and is no longer.
    """

    def __init__(
        self,
        address: Address,
        tasks: Tasks,
        on_broken: Callable[[], None],
        transport: Transport,
        certificate: bytes = b"",
    ) -> None:
        self.address = address
        self._tasks = tasks
        self._on_broken = on_broken
        self._transport, self._certificate = transport, certificate
        self._is_closed = False
        self._open()

    def _open(self) -> None:
        self._channel = self._transport.channel(self.address, self._certificate)
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._watcher = self._tasks.spawn(self._watch(self._channel), f"link {self.address}")

    async def _watch(self, channel: grpc.aio.Channel) -> None:
        state = channel.get_state()
        while state is not grpc.ChannelConnectivity.SHUTDOWN:
            await channel.wait_for_state_change(state)
            last, state = state, channel.get_state()
            if last is grpc.ChannelConnectivity.READY and state is not last:
                self._on_broken()

    @property
    def state(self) -> str:
        """idle, connecting, ready, failing or shut."""
        return STATES[self._channel.get_state()]

    async def call(
        self, path: str, payload: bytes, deadline_ms: Millis
    ) -> bytes | Refusal | Silenced:
        """Call the method at `path` and wait for its end, at most `deadline_ms`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_ms / 1000
        again = True
        while not self._is_closed:
            channel = self._channel
            try:
                return await self._method(path)(payload, timeout=max(until - loop.time(), 0.001))
            except grpc.aio.AioRpcError as error:
                status = told(error)
                if (wait_s := come_again_s(error)) is not None:
                    if loop.time() + wait_s >= until:
                        return Silenced(Silence.SILENT, status, TOO_MANY)
                    await asyncio.sleep(wait_s)
                    continue
                refusal = refusal_in(error)
                if refusal is not None:
                    return refusal
                if unable := unable_in(error):
                    return Silenced(Silence.SILENT, status, unable)
                unavailable = error.code() is grpc.StatusCode.UNAVAILABLE
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise  # It is we who are to end, and not the channel under us.
                return CLOSED
            if not unavailable or not again:
                return Silenced(Silence.SILENT, status)
            silence = await probe(self.address, until - loop.time())
            if silence is not None:
                return Silenced(silence, status)
            again = False
            if channel is self._channel and not self._is_closed:
                self._renew()
        return CLOSED

    def _method(self, path: str) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path)
        return method

    async def stream(self, path: str, payload: bytes) -> AsyncIterator[bytes]:
        """The messages of a stream that has no deadline.  Raises `AioRpcError` at its bad end."""
        method: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(path)
        call = method(payload)
        try:
            async for message in call:
                yield message
        finally:
            call.cancel()

    def dialogue(self, path: str) -> "grpc.aio.StreamStreamCall[bytes, bytes]":
        """Open a stream in both directions, which has no deadline."""
        method: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
        method = self._channel.stream_stream(path)
        return method()

    def _renew(self) -> None:
        """Go on with a new channel, which knows nothing of the old one's back-off."""
        self._watcher.cancel()
        self._tasks.spawn(self._channel.close(CLOSE_S), f"old link {self.address}")
        self._open()

    async def close(self) -> None:
        """Cancel what is under way and close the channel; who calls on is told so.  `on_broken` is
        not called.
        """
        self._is_closed = True
        self._watcher.cancel()
        await self._channel.close()


async def probe(address: Address, timeout_s: float) -> Silence | None:
    """Whether somebody accepts connections at `address`: None if so, else how nobody does."""
    try:
        async with asyncio.timeout(max(timeout_s, 0.001)):
            return await _probe(*split_address(address))
    except TimeoutError:
        return Silence.SILENT


async def _probe(host: str, port: int) -> Silence | None:
    loop = asyncio.get_running_loop()
    try:
        places = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # The latter of a name that no resolver would take.
        return Silence.SILENT
    refusals = 0
    for family, kind, proto, _, place in places:
        try:
            with socket.socket(family, kind, proto) as probing:
                probing.setblocking(False)
                await loop.sock_connect(probing, place)
                if probing.getsockname() != probing.getpeername():
                    return None
                refusals += 1  # the kernel gave us the very port that we called
        except ConnectionRefusedError:
            refusals += 1
        except OSError:
            continue
    return Silence.REFUSED if refusals == len(places) else Silence.SILENT
