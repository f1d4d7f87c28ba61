"""Calls to other nodes: one line to each address, shared by all groups of this node.

A line is opened by its first call, kept, and closed once nobody has used it for ten minutes; sooner
where there are too many, those first that nobody has used for longest.  Each address has so many
calls under way and no more: one slow peer costs its own queue only.  Pings and elections are never
held up.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from node.codec import Malformed, Method, method_of
from node.core.messages import Ping, Refusal, Reply, Request, Tell
from node.core.types import Address, Millis, Silence
from node.limits import Limits
from node.rpc import CallLog, CallRow, Line, status_of
from node.runner import URGENT, Silenced
from node.tasks import Tasks

IN_FLIGHT_MAX = 128  # calls to one address, beside urgent ones
LINKS_MAX = 512  # more than a node has peers; strangers name addresses too, to be called back at
UNUSED_S = 600.0
SWEEP_S = 60.0


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """A line as lists show it."""

    link: str  # idle, connecting, ready, failing or shut
    rtt_us: int = 0  # smoothed; 0 when unknown
    calls: int = 0
    failures: int = 0
    last_error: str = ""
    in_flight: int = 0


class _Link:
    """A line and its figures."""

    __slots__ = ("calls", "failures", "in_flight", "last_error", "line", "rtt_us", "used_at")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.rtt_us = 0.0
        self.calls = 0
        self.failures = 0
        self.last_error = ""
        self.in_flight = 0
        self.used_at = time.monotonic()


class Links:
    """The lines of a node.  `on_broken(address)`: a line that was ready is so no longer."""

    def __init__(
        self,
        tasks: Tasks,
        log: CallLog,
        on_broken: Callable[[Address], None],
        limits: Limits = Limits(),  # noqa: B008  frozen
    ) -> None:
        self._tasks = tasks
        self._log = log
        self._on_broken = on_broken
        self._limits = limits
        self._links: dict[Address, _Link] = {}
        self._sweeper = tasks.spawn(self._sweep(), "link sweeper")

    async def call(
        self, address: Address, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """Call the node at `address`; the end comes within `deadline_ms`."""
        link = self._link(address)
        method = method_of(request)
        at_ms, began = time.time_ns() // 1_000_000, time.perf_counter_ns()
        outcome: Reply | Refusal | Silenced
        if link.in_flight >= IN_FLIGHT_MAX and not isinstance(request, URGENT):
            text = f"RESOURCE_EXHAUSTED: {IN_FLIGHT_MAX} calls to {address} are under way"
            outcome = Silenced(Silence.SILENT, text)
        else:
            link.in_flight += 1
            try:
                outcome = await self._call(link, method, request, deadline_ms)
            finally:
                link.in_flight -= 1
        took_us = (time.perf_counter_ns() - began) // 1_000
        status = status_of(outcome)
        link.calls += 1
        link.used_at = time.monotonic()
        if status != "OK":
            link.failures += 1
            link.last_error = status
        elif isinstance(request, Tell) or (isinstance(request, Ping) and not request.on_behalf):
            link.rtt_us += (took_us - link.rtt_us) / 8 if link.rtt_us else took_us
        self._log.add(
            CallRow(method.path, address, at_ms, took_us, status, request, method.put_request)
        )
        return outcome

    async def _call(
        self, link: _Link, method: Method, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        answer = await link.line.call(method.path, method.write_request(request), deadline_ms)
        if not isinstance(answer, bytes):
            return answer
        try:
            return method.read_reply(answer, self._limits)
        except Malformed as error:
            return Silenced(Silence.SILENT, f"the answer is malformed: {error}"[:300])

    def _link(self, address: Address) -> _Link:
        link = self._links.get(address)
        if link is None:
            self._make_room()
            line = Line(address, self._tasks, lambda: self._on_broken(address))
            link = self._links[address] = _Link(line)
        return link

    def _make_room(self) -> None:
        """Lets go of the lines that nobody has used for longest, as far as there are too many."""
        if len(self._links) < LINKS_MAX:
            return
        idle = [(link.used_at, at) for at, link in self._links.items() if not link.in_flight]
        for _, address in sorted(idle)[: len(self._links) - LINKS_MAX + 1]:
            line = self._links.pop(address).line
            self._tasks.spawn(line.close(), f"old link {address}")

    def figures(self, address: Address) -> LinkFigures:
        """How the line to `address` does; all zero where there is none."""
        link = self._links.get(address)
        if link is None:
            return LinkFigures("idle")
        return LinkFigures(
            link.line.state,
            round(link.rtt_us),
            link.calls,
            link.failures,
            link.last_error,
            link.in_flight,
        )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self.close_unused()

    async def close_unused(self) -> None:
        """Close lines that nobody has used for ten minutes."""
        before = time.monotonic() - UNUSED_S
        unused = [
            address
            for address, link in self._links.items()
            if not link.in_flight and link.used_at < before
        ]
        for link in [self._links.pop(address) for address in unused]:
            await link.line.close()

    async def close(self) -> None:
        """Close every line; calls under way are cancelled."""
        self._sweeper.cancel()
        links, self._links = self._links, {}
        for link in links.values():
            await link.line.close()
