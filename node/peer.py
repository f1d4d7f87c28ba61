"""One address that a node calls: the line there, the link upon it, and their figures."""

import asyncio
import time

from msgspec import Struct

from node.core.messages import Ping, Request, Tell
from node.rpc import Line, Link
from node.rpc.options import grpc


class LinkFigures(Struct, frozen=True):
    """The way to an address as lists show it."""

    link: str  # idle, connecting, ready, failing or shut
    rtt_us: int = 0  # smoothed; 0 when unknown
    calls: int = 0
    failures: int = 0
    last_error: str = ""
    in_flight: int = 0


class Peer:
    """A line, the link upon it, and their figures."""

    __slots__ = (
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

    def __init__(self, line: Line) -> None:
        self.line = line
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
