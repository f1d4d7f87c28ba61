"""One address that a node calls: the line there, the link upon it, and their figures."""

import asyncio
import time
from collections.abc import AsyncIterator

from msgspec import Struct
from msgspec.structs import replace

from node.codec import Hello, Malformed, Seals, method_of
from node.core.messages import Ping, Receipt, Refusal, Reply, Request, Tell, Told
from node.core.types import Address, Millis, Silence
from node.limits import Limits
from node.rpc import Line, Link, Mismatched, is_spoken
from node.rpc.options import grpc
from node.runner import Silenced


class LinkFigures(Struct, frozen=True):
    """The way to an address as lists show it."""

    link: str  # idle, connecting, ready, failing or shut
    rtt_us: int = 0  # smoothed; 0 when unknown
    calls: int = 0
    failures: int = 0
    last_error: str = ""
    in_flight: int = 0
    held_ms: int = 0  # for so long its link was not read on, as more came than may


class Peer:
    """A line, the link upon it, and their figures."""

    __slots__ = (
        "_seals",
        "again_at",
        "calls",
        "can_link",
        "failures",
        "greeted",
        "in_flight",
        "is_in_doubt",
        "last_error",
        "line",
        "link",
        "linking",
        "rtt_us",
        "stream",
        "used_at",
    )

    def __init__(self, line: Line, seals: Seals | None = None) -> None:
        self.line, self._seals = line, seals
        self.link: Link | None = None  # opened by us, and answered with a hello
        self.stream: grpc.aio.StreamStreamCall[bytes, bytes] | None = None  # carries it, or is to
        self.linking: asyncio.Task[None] | None = None
        self.greeted: asyncio.Future[None] | None = None  # once there is a link, or none to be had
        self.is_in_doubt = False  # the other's link has ended, and ours is not greeted yet
        self.again_at = 0.0
        self.can_link = True  # False: the other side said that it does not, or made no sense
        self.rtt_us = 0.0
        self.calls = 0
        self.failures = 0
        self.last_error = ""
        self.in_flight = 0
        self.used_at = time.monotonic()

    def note(self, request: Request, status: str, took_us: int) -> None:
        """Count a call that has ended."""
        self.calls += 1
        self.used_at = time.monotonic()
        self.last_error = "" if status == "OK" else status
        if status != "OK":
            self.failures += 1
        elif isinstance(request, Tell) or (isinstance(request, Ping) and not request.on_behalf):
            self.rtt_us += (took_us - self.rtt_us) / 8 if self.rtt_us else took_us

    def tell_greeted(self) -> None:
        if self.greeted is not None and not self.greeted.done():
            self.greeted.set_result(None)

    async def call_alone(
        self, request: Request, until: float, limits: Limits
    ) -> Reply | Refusal | Silenced:
        """Without a link: the end of the call, until that instant of the monotonic clock."""
        outcome: Reply | Refusal | Silenced
        deadline_ms = round((until - time.monotonic()) * 1000)
        if deadline_ms <= 0:
            return Silenced(Silence.SILENT, "DEADLINE_EXCEEDED: no connection in time")
        if isinstance(request, Tell) and len(request.messages) > 1:
            if not self.can_link:
                outcome = await self._tell_each(request, deadline_ms, limits)
            else:  # It is silent.  Whether anybody is there, one message tells as well as many.
                first = replace(request, messages=request.messages[:1])
                outcome = await self._call(first, deadline_ms, limits)
        else:
            outcome = await self._call(request, deadline_ms, limits)
        return outcome

    async def _call(
        self, request: Request, deadline_ms: Millis, limits: Limits
    ) -> Reply | Refusal | Silenced:
        method = method_of(request)
        asks = method.write_request(request, self._seals)
        answer = await self.line.call(method.path, asks, deadline_ms)
        if not isinstance(answer, bytes):
            return answer
        try:
            return method.read_reply(answer, limits, request.caller, self._seals)
        except Malformed as error:
            return Silenced(Silence.SILENT, f"the answer is malformed: {error}"[:300])

    async def _tell_each(
        self, tell: Tell, deadline_ms: Millis, limits: Limits
    ) -> Reply | Refusal | Silenced:
        """Several messages without a link: the end of the last one before which all are stored."""
        each = [Tell(tell.caller, tell.to, (message,)) for message in tell.messages]
        calls = [self._call(one, deadline_ms, limits) for one in each]
        ends = await asyncio.gather(*calls)
        stored: Reply | None = None
        for end in ends:
            if not isinstance(end, Told) or end.receipt is not Receipt.STORED:
                return stored or end
            stored = end
        assert stored is not None, "nothing was to be told"
        return stored


class Began:
    """When a call was begun."""

    __slots__ = ("at_ms", "ns")

    def __init__(self) -> None:
        self.at_ms = time.time_ns() // 1_000_000
        self.ns = time.perf_counter_ns()


class Turn:
    """One of those who may do something at a time, until it is over; whoever waits comes next."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns, self._has = turns, False

    async def come(self) -> None:
        await self._turns.acquire()
        self._has = True

    def over(self) -> None:
        if self._has:
            self._has = False
            self._turns.release()


async def let_go(peer: Peer) -> None:
    """Close its line, and the link upon it."""
    if peer.linking is not None:
        peer.linking.cancel()
        await asyncio.wait([peer.linking])
    await peer.line.close()


def give_up(link: Link, stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
    """No hello came: something on the way lets no stream through."""
    if link.peer is None:
        stream.cancel()


async def frames_of(stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> AsyncIterator[bytes]:
    """What comes by a stream, until its end."""
    while isinstance(data := await stream.read(), bytes):
        yield data


def check(hello: Hello) -> None:
    """Raises `Mismatched` for who speaks another version of the protocol."""
    if not is_spoken(hello.protocol):
        raise Mismatched(hello.protocol)


def said(link: Link) -> tuple[Address, ...]:
    """The addresses that the other side says it has."""
    return link.peer.addresses if link.peer is not None else ()


def opener(addresses: tuple[Address, ...]) -> Address:
    """By which of two links at once it is told which one stays."""
    return addresses[0] if addresses else ""
