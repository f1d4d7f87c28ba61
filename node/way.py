"""The way to one discovery service: a line to whoever shows the certificate that is known of it.

What it shows first is remembered.  If another one is shown later, it is not spoken to, until people
have said that this is right: by removing the old one from the file.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from node.core.messages import Refusal
from node.core.types import Address, Millis, Silence
from node.errors import Unreadable, Unwritable
from node.rpc import Line
from node.rpc.options import grpc
from node.rpc.transport import Transport, shown
from node.runner import Silenced
from node.tasks import Tasks
from node.trust.known import Known, fingerprint

SHOWN_S = 3.0  # for a certificate, where somebody waits for nothing else
OPENING_S = 10.0  # for one that calls wait for, each for as long as it has time
SECURED = (
    "connections to {} are secured, and this node's are not: it was started with --insecure. Leave"
    " that out"
)
PLAIN = "connections to {} would not be secured: it was started with --insecure, or is no NDS"
DISTRUSTED = "UNAUTHENTICATED: "  # how the status begins of a call to who is not spoken to


class Distrusted(Exception):
    """Whoever listens there is not spoken to; the text says why, and what to do."""


class Way:
    """`known`: where the certificate stands, and is kept; None: whoever listens there will do.

    `distrust` says why whoever listens there is not spoken to, and is empty while it is.
    """

    def __init__(
        self, address: Address, tasks: Tasks, transport: Transport, known: Known | None
    ) -> None:
        self.distrust = ""
        self._address, self._tasks, self._transport = address, tasks, transport
        self._known = known if transport.is_secured else None
        self._line: Line | None = None
        self._unopened: Silence | None = None  # why there is none; None: it is not spoken to
        self._opening: asyncio.Task[None] | None = None

    async def call(
        self, path: str, payload: bytes, deadline_ms: Millis
    ) -> bytes | Refusal | Silenced:
        """Call the method at `path`; the end comes within `deadline_ms`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline_ms / 1000
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                line = await self._opened()
        except TimeoutError:
            return Silenced(Silence.SILENT, "DEADLINE_EXCEEDED: no connection in time")
        if isinstance(line, Silence):
            return Silenced(line, f"UNAVAILABLE: nobody answers at {self._address}")
        if line is None:
            return Silenced(Silence.SILENT, f"{DISTRUSTED}{self.distrust}")
        outcome = await line.call(path, payload, max(1, round((until - loop.time()) * 1000)))
        if isinstance(outcome, Silenced) and outcome.status.startswith("UNAVAILABLE"):
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._look_again(line)
            if self.distrust:
                return Silenced(Silence.SILENT, f"{DISTRUSTED}{self.distrust}")
        elif self._known is None:
            self.distrust = ""
        return outcome

    async def stream(self, path: str, payload: bytes) -> AsyncIterator[bytes]:
        """The messages of a stream that has no deadline.

        Raises `AioRpcError` at its bad end, and `Distrusted`.
        """
        line = await self._opened()
        if not isinstance(line, Line):
            raise Distrusted(self.distrust or "nobody answers")
        try:
            async for message in line.stream(path, payload):
                yield message
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                await self._look_again(line)
            raise

    async def _opened(self) -> Line | Silence | None:
        """The line; how nobody answers, or None for somebody who is not spoken to.

        It is opened once for all that wait for it, and goes on opening where their time is over: on
        a busy machine that would be begun again and again, and never done.
        """
        if fault := self._transport.fault(self._address):
            self.distrust = f"the NDS at {self._address} is not called: {fault}"
            return None
        if self._line is None:
            if self._opening is None or self._opening.done():
                self._opening = self._tasks.spawn(self._open(), f"opening {self._address}")
            await asyncio.shield(self._opening)
        return self._line or self._unopened

    async def _open(self) -> None:
        if self._known is None:
            self._line = self._made(b"")
            return
        certificate = await self._certificate()
        if isinstance(certificate, bytes):
            self._line = self._made(certificate)
        else:
            self._unopened = certificate

    def _made(self, certificate: bytes) -> Line:
        return Line(self._address, self._tasks, lambda: None, self._transport, certificate)

    async def _certificate(self) -> bytes | Silence | None:
        """The one that is known, if it is still shown; else, where none is, the one shown."""
        assert self._known is not None
        seen = await shown(self._address, OPENING_S)
        self.distrust = ""
        if isinstance(seen, Silence):
            return seen
        try:
            known = self._known.certificate(self._address)
            if seen is None:
                self.distrust = PLAIN.format(self._address)
            elif known and known != seen:
                self.distrust = (
                    f"the NDS at {self._address} shows another key than it had: sha256"
                    f" {fingerprint(seen)}, not {fingerprint(known)}. If it was set up anew on"
                    f" purpose, remove its line from {self._known.file}"
                )
            elif not known:
                self._known.keep(self._address, seen)
        except (Unwritable, Unreadable) as error:
            self.distrust = f"its key cannot be looked up: {error}"
            return None
        return seen if not known or known == seen else None

    async def _look_again(self, line: Line) -> None:
        """There is no connection. Is another key shown, or none, or one while ours are plain?"""
        if self._line is not line:
            return
        if self._known is not None:
            self._line = None
            await line.close()
            await self._opened()
        elif not self._transport.is_secured:
            is_secured = isinstance(await shown(self._address, OPENING_S), bytes)
            self.distrust = SECURED.format(self._address) if is_secured else ""
        elif await shown(self._address, OPENING_S) is None:
            self.distrust = PLAIN.format(self._address)

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._line is not None:
            await self._line.close()
