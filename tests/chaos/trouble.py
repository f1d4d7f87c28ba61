"""Makes faults happen, and ends them: signals to processes, rules for links, files for disks."""

import asyncio
import errno
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc

from tests.chaos.lab import CALM, Rules, Weather
from tests.chaos.lab.rules import Cut, apart
from tests.chaos.processes import CHAT, Late, Node
from tests.chaos.schedule import FAIR, LEADER, Fault, Schedule
from tests.chaos.site import Site

FLAP_S = (0.4, 1.3)  # broken and whole, in turn
LEAVE_S = 10.0


class Trouble:
    """What is wrong at the moment.  `begin` and `end` belong to one fault each; `calm` ends all."""

    def __init__(self, site: Site, note: Callable[[str], None]) -> None:
        self.site, self._note = site, note
        self._always = FAIR
        self._cuts: dict[Fault, set[Cut]] = {}
        self._weather: dict[Fault, Weather] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: dict[Fault, Callable[[], Coroutine[Any, Any, None]]] = {}

    # ---- a storm -------------------------------------------------------------------------------

    async def storm(self, schedule: Schedule) -> None:
        """Everything on the schedule, each at its time; returns when the storm is over."""
        began = time.monotonic()
        self._always = schedule.weather
        self._apply()
        tasks = [asyncio.create_task(self._suffer(one, began)) for one in schedule.faults]
        try:
            last = max([schedule.storm_s, *(one.at + one.lasts for one in schedule.faults)])
            await asyncio.sleep(began + last - time.monotonic())
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _suffer(self, fault: Fault, began: float) -> None:
        await asyncio.sleep(began + fault.at - time.monotonic())
        await self.begin(fault)
        await asyncio.sleep(began + fault.at + fault.lasts - time.monotonic())
        await self.end(fault)

    async def calm(self) -> None:
        """Nothing is wrong any more, and everyone runs and answers."""
        for fault in list(self._ends):
            await self.end(fault)
        self._always = FAIR
        self._cuts.clear()
        self._weather.clear()
        self._apply()
        self.site.nds.thaw()
        if not self.site.nds.runs:
            await self.site.nds.start()
        for node in self.site.nodes.values():
            node.thaw()
            self._revive(node)
        await asyncio.gather(*(node.ready() for node in self.site.nodes.values()))
        await asyncio.gather(*self._tasks)
        for node in self.site.nodes.values():
            if await node.chat() is None:
                await self._enter(node)
        self._note("calm")

    # ---- one fault -------------------------------------------------------------------------------

    async def begin(self, fault: Fault) -> None:
        """Makes it happen.  Whoever leads is looked up now."""
        who = [await self._named(name) for name in fault.who]
        self._note(f"begins: {fault}{self._told(fault, who)}")
        nodes = [self.site[name] for name in who if name in self.site.nodes]
        started = await self._to_processes(fault, nodes)
        self._ends[fault] = started
        cuts = self._cut(fault, who)
        if cuts:
            self._cuts[fault] = cuts
        if fault.kind == "flapping":
            self._spawn(self._flap(fault, cuts))
        if fault.weather != FAIR:
            self._weather[fault] = fault.weather
        self._apply()

    async def end(self, fault: Fault) -> None:
        """Undoes it."""
        ended = self._ends.pop(fault, None)
        if ended is None:
            return
        self._cuts.pop(fault, None)
        self._weather.pop(fault, None)
        self._apply()
        await ended()
        if fault.lasts:
            self._note(f"ends: {fault.kind}")

    async def _named(self, name: str) -> str:
        if name != LEADER:
            return name
        return await self.site.leader() or next(iter(self.site.nodes))

    @staticmethod
    def _told(fault: Fault, who: list[str]) -> str:
        return f" ({who[0]})" if LEADER in fault.who and who else ""

    async def _to_processes(
        self, fault: Fault, nodes: list[Node]
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        """Does what a fault does to processes; what undoes it."""

        async def revive() -> None:
            for node in nodes:
                self._revive(node)

        async def thaw() -> None:
            for node in nodes:
                node.thaw()

        match fault.kind:
            case "kill" | "restart at once" | "restart all":
                for node in nodes:
                    node.kill()
                return revive
            case "freeze" | "freeze all":
                for node in nodes:
                    node.freeze()
                return thaw
            case "clock jump":
                for node in nodes:
                    node.set_clock(fault.skew_ms)
            case "leave":
                self._spawn(self._leave(nodes[0]))
            case "join":
                self._spawn(self._enter(nodes[0]))
            case "disk full":
                return self._fill(nodes)
            case _:
                return self._to_nds(fault)
        return _nothing

    def _to_nds(self, fault: Fault) -> Callable[[], Coroutine[Any, Any, None]]:
        """Does what a fault does to the discovery service; what undoes it."""
        nds = self.site.nds

        async def restart() -> None:
            nds.thaw()
            if not nds.runs:
                await nds.start()

        async def roll_back() -> None:
            nds.kill()
            nds.roll_back()
            await nds.start()

        match fault.kind:
            case "nds killed" | "nds wiped":
                nds.kill()
                if fault.kind == "nds wiped":
                    nds.wipe()
                return restart
            case "nds frozen":
                nds.freeze()
                return restart
            case "nds rolled back":
                nds.save()
                return roll_back
            case _:
                return _nothing

    def _revive(self, node: Node) -> None:
        if not node.runs:
            if node.ended_by_itself:
                raise Late(f"{node.host} has ended by itself")
            node.start(self.site.nds.address)

    async def _enter(self, node: Node) -> None:
        """Joins, perhaps for the first time."""
        self._revive(node)
        await node.ready()
        await self.site.join(node)
        self._note(f"{node.host} has joined")

    async def _leave(self, node: Node) -> None:
        """Leaves for good and joins again, with the log of before."""
        if not node.runs or node.frozen:
            return
        try:
            await node.ask("LeaveChat", LEAVE_S, chat=CHAT)
        except grpc.aio.AioRpcError as error:
            self._note(f"{node.host} did not leave: {error.details()}")
        await self._enter(node)

    def _fill(self, nodes: list[Node]) -> Callable[[], Coroutine[Any, Any, None]]:
        """No room is left on the disks of these nodes; where all share one, writing just fails."""
        ballast = [node.home / "ballast" for node in nodes if self.site.small_disks]
        for file in ballast:
            fill(file)
        for node in nodes if not self.site.small_disks else ():
            node.forbid_writing(True)

        async def make_room() -> None:
            for file in ballast:
                file.unlink(missing_ok=True)
            for node in nodes if not self.site.small_disks else ():
                node.forbid_writing(False)

        return make_room

    # ---- links -----------------------------------------------------------------------------------

    def _cut(self, fault: Fault, who: list[str]) -> set[Cut]:
        """What cannot reach what because of a fault."""
        hosts = self.site.lab.hosts
        nds = self.site.nds.host
        whom = who[0] if who else ""
        rest = [host for host in hosts if host != whom]
        match fault.kind:
            case "cut one way":
                (one,), (other,) = fault.sides
                return {(one, other)}
            case "deaf":
                return {(host, whom) for host in rest}
            case "mute":
                return {(whom, host) for host in rest}
            case "isolated":
                return apart([whom], rest)
            case "alone with the nds":
                return apart([whom, nds], [host for host in rest if host != nds])
            case "halves" | "flapping" | "bridge":
                ones, others = fault.sides
                out = [nds] if fault.kind != "bridge" and nds not in {*ones, *others} else []
                both = [nds] if nds in ones and nds in others else []
                here, there = [[h for h in side if h not in both] for side in fault.sides]
                return apart(here, there) | apart(out, [*ones, *others])
            case "nds cut off":
                return apart([nds], who)
            case _:
                return set()

    async def _flap(self, fault: Fault, cuts: set[Cut]) -> None:
        """Breaks and mends in turn until the fault ends."""
        broken = True
        while fault in self._ends:
            await asyncio.sleep(FLAP_S[0] if broken else FLAP_S[1])
            broken = not broken
            if fault in self._ends:
                self._cuts[fault] = cuts if broken else set()
                self._apply()

    def _apply(self) -> None:
        if not self.site.lab.network:
            return
        weather = self._always
        for one in self._weather.values():
            weather = weather.and_(one)
        cuts = frozenset[Cut]().union(*self._cuts.values())
        self.site.lab.obey(Rules(weather, cuts) if weather != FAIR or cuts else CALM)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _nothing() -> None:
    """There is nothing to undo."""


def fill(file: Path) -> None:
    """Writes until there is no room left."""
    ballast = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for size in (1 << 20, 4_096, 1):
            while _fits(ballast, size):
                pass
    finally:
        os.close(ballast)


def _fits(ballast: int, size: int) -> bool:
    try:
        return os.write(ballast, bytes(size)) > 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
