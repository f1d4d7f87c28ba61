"""One cycle: gather, storm, calm, a leader killed and one frozen, and the evidence of it all."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import grpc
from msgspec import Struct, field

from tests.chaos.checker import violations
from tests.chaos.evidence import Epoch, Evidence
from tests.chaos.figures import STALL_S, Measure
from tests.chaos.lab import Lab, build, small_disks
from tests.chaos.processes import Late
from tests.chaos.reading import bugs, grants, view
from tests.chaos.schedule import NDS, NODES, Schedule
from tests.chaos.site import Site
from tests.chaos.trouble import Trouble
from tests.chaos.writers import Watcher, Writer, quiet

CONVERGE_S = 60.0  # beyond this it counts as never
FOLLOW_S = 30.0
REST_S = 2.5  # after it, no round of before the calm is under way
KNOW_S = 25.0  # everyone has read the record again
LOOK_S = 0.005
DRAIN_S = 30.0


class Outcome(Struct):
    """What a cycle came to."""

    schedule: Schedule
    lab: str  # what it ran on
    evidence: Evidence = field(default_factory=Evidence)
    violations: list[str] = field(default_factory=list)
    figures: dict[str, list[Measure]] = field(default_factory=dict)  # by the name of the target
    timeline: list[tuple[float, str]] = field(default_factory=list)  # seconds since its beginning
    took_s: float = 0.0
    load: float = 0.0  # of the machine, over the last minute

    def counted(self) -> dict[str, int]:
        """Lines, what became of them, and elections."""
        said = self.evidence.said.values()
        return {
            "lines": len(said),
            "stored": sum(one.stored_at > 0 for one in said),
            "by all": sum(one.all_at > 0 for one in said),
            "shown": len(self.evidence.shown),
            "elections": max(0, len(self.evidence.grants) - 1),
        }


class Cycle:
    """A life of one site.  `live` runs it; what it finds is in `outcome`."""

    def __init__(
        self,
        schedule: Schedule,
        site: Site,
        tell: Callable[[str], None] | None = None,
        patience_s: float = CONVERGE_S,
    ) -> None:
        """
        Args:
            schedule: what shall go wrong.
            site: the processes, not yet started.
            tell: gets each line of the time line as it happens.
            patience_s: who is not of one mind after that never will be.
        """
        self._patience_s = patience_s
        self._stall_s = 0.0  # the longest time without a turn for us since a measure began
        self._tell = tell
        self.site, self.schedule = site, schedule
        kind = "network namespaces" if site.lab.network else f"loopback ({site.lab.why})"
        self.outcome = Outcome(schedule, kind)
        self.evidence = self.outcome.evidence
        self._began = time.monotonic()
        self.trouble = Trouble(site, self.note)
        rng = Random(schedule.seed)
        self.watchers = [Watcher(n, self.evidence, self.note) for n in site.nodes.values()]
        self.writers = [
            Writer(watcher.node, self.evidence, watcher, Random(rng.getrandbits(64)))
            for watcher in self.watchers
        ]

    def note(self, what: str) -> None:
        """One line more in the time line."""
        self.outcome.timeline.append((time.monotonic() - self._began, what))
        if self._tell is not None:
            self._tell(what)

    def measured(self, name: str, seconds: float) -> None:
        measure = Measure(seconds, self._stall_s)
        self.outcome.figures.setdefault(name, []).append(measure)
        stood = (
            f" (we stood still for {measure.stall_s:.3f} s)" if measure.stall_s > STALL_S else ""
        )
        self.note(f"{name} after {seconds:.3f} s{stood}")

    async def live(self) -> Outcome:
        """From the first process to the verdict."""
        try:
            await self.gather()
            async with self.company():
                await self.trouble.storm(self.schedule)
                await self.heal()
                if self.schedule.coda:
                    await self.fail_over("killed")
                    await self.fail_over("frozen")
                with quiet(self.writers):
                    await self.collect()
        except (AssertionError, grpc.aio.AioRpcError) as error:
            what = "late" if isinstance(error, Late) else "unforeseen"
            self.evidence.complaints.append(f"{what}: {error}")
            self.note(f"{what}: {error}")
        self.evidence.complaints += [
            f"died: {one.host} has ended by itself"
            for one in (self.site.nds, *self.site.nodes.values())
            if one.ended_by_itself
        ]
        self.read_grants()
        self.evidence.complaints += bugs(self.site.directory)
        self.outcome.violations = violations(self.evidence)
        self.outcome.took_s = time.monotonic() - self._began
        self.outcome.load = os.getloadavg()[0]
        return self.outcome

    async def gather(self) -> None:
        """Everyone who is there from the beginning is up, in the chat, and of one mind."""
        for name, node in self.site.nodes.items():
            node.fixed_port = self.schedule.fixed_ports and self.site.lab.network
            node.set_clock(self.schedule.skews_ms.get(name, 0))
        await self.site.gather(self.schedule.late)
        self.note(f"gathered; {await self.site.leader()} leads")

    @asynccontextmanager
    async def company(self) -> AsyncIterator[None]:
        """Everyone talks, is watched, and our own stalls are measured."""
        works = [self._feel(), *(one.run() for one in self.watchers)]
        works += [one.run() for one in self.writers]
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for one in ended:
                if isinstance(one, Exception):
                    raise one

    async def _feel(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(LOOK_S)
            late = time.monotonic() - before - LOOK_S
            self._stall_s = max(self._stall_s, late)

    # ---- calm ------------------------------------------------------------------------------------

    async def heal(self) -> None:
        """The faults end; measures how long all take to be of one mind."""
        with quiet(self.writers):
            await self.trouble.calm()
            self._stall_s = 0.0
            self.measured("healed", await self.site.settled(wait_s=self._patience_s))
            if self.site.last_doubt:
                self.note(f"until then: {self.site.last_doubt}")

    async def rest(self) -> None:
        """Until the next election is one by the book: no old votes, and nobody doubts the NDS."""
        end = time.monotonic() + KNOW_S
        while await self._doubted():
            if time.monotonic() > end:
                raise Late(f"after {KNOW_S:g} s the discovery service is still doubted")
            await asyncio.sleep(0.1)
        await asyncio.sleep(REST_S)
        with quiet(self.writers):
            await self.site.settled(wait_s=self._patience_s)

    async def _doubted(self) -> bool:
        statuses = await asyncio.gather(*(node.status() for node in self.site.nodes.values()))
        return any(one is None or any(nds.down_since_ms for nds in one.nds) for one in statuses)

    # ---- a leader ends ---------------------------------------------------------------------------

    async def fail_over(self, how: str) -> None:
        """Kills or freezes the leader; measures until all others follow the next one."""
        await self.rest()
        name = await self.site.leader()
        chat = await self.site[name].chat()
        if chat is None:
            raise Late(f"{name} leads and does not answer")
        before = (chat.epoch.generation, chat.epoch.n)
        others = [one for one in self.site.nodes if one != name]
        self.note(f"{name} leads with epoch {before[1]} and is {how}")
        self._stall_s = 0.0
        began = time.monotonic()
        if how == "killed":
            self.site[name].kill()
        else:
            self.site[name].freeze()
        self.measured(how, await self.followed(before, others) - began)
        await asyncio.sleep(Random(self.schedule.seed).uniform(0.0, 2.0))
        await self.heal()

    async def followed(self, before: Epoch, others: list[str]) -> float:
        """The instant at which the last of `others` followed a certified leader of a later epoch.

        Raises:
            Late: not all do in time.
        """
        end = time.monotonic() + FOLLOW_S
        ask_at = time.monotonic() + 1.0
        while True:
            first: dict[str, float] = {}
            for led in self.evidence.led:
                if led.epoch > before and led.leader and not led.provisional:
                    first.setdefault(led.node, led.at)
            if all(name in first for name in others):
                return max(first[name] for name in others)
            now = time.monotonic()
            if now > end:
                raise Late(f"{sorted(set(others) - first.keys())} follow nobody after {before}")
            if now > ask_at:  # should a watch have just begun anew, it is not told
                ask_at = now + 1.0
                if woken := sorted(name for name, node in self.site.nodes.items() if node.woken):
                    raise Late(f"somebody else has set going what was frozen here: {woken}")
                views = await self.site.views(only_running=True)
                for name, chat in views.items():
                    if chat is not None and name in others and name not in first:
                        self.note(f"{name} follows {chat.leader_id} at {chat.epoch.n}")
            await asyncio.sleep(LOOK_S)

    def read_grants(self) -> None:
        """Takes in which epochs the discovery service has issued."""
        output = self.site.nds.output
        told = output.read_text("utf-8", "replace") if output.exists() else ""
        self.evidence.grants = grants(told)

    # ---- the evidence ----------------------------------------------------------------------------

    async def collect(self) -> None:
        """What everyone says and holds now that nobody talks.  Raises Late: not of one mind."""
        drained = asyncio.gather(*(one.drained() for one in self.writers))
        try:
            await asyncio.wait_for(drained, DRAIN_S)
        except TimeoutError as error:
            raise Late(f"lines are still under way after {DRAIN_S:g} s of calm") from error
        await self.site.settled(wait_s=self._patience_s)
        nodes = list(self.site.nodes.values())
        self.evidence.views = await asyncio.gather(*(view(node) for node in nodes))
        self.evidence.listed = await self.site.listed()
        await asyncio.gather(*(one.list_members() for one in self.watchers))
        self.note("all is collected")


async def run(
    schedule: Schedule,
    directory: Path,
    *,
    nodes: Sequence[str] = NODES,
    lab: Lab | None = None,
    bugs: Mapping[str, str] | None = None,
    tell: Callable[[str], None] | None = None,
    patience_s: float = CONVERGE_S,
) -> Outcome:
    """Lives a schedule and leaves only files.

    Args:
        schedule: what shall go wrong.
        directory: where the files shall be; nobody else uses it.
        nodes: their names.
        lab: the hosts, the discovery service's among them; none: a lab of its own.
        bugs: see `planted`, by the name of the host.
        tell, patience_s: see `Cycle`.
    """
    own = lab or build((*nodes, NDS), schedule.seed, neighbours=schedule.neighbours)
    try:
        disks = small_disks() if schedule.small_disks else None
        site = Site(own, directory, nodes, NDS, bugs=bugs, disks=disks)
        try:
            return await Cycle(schedule, site, tell, patience_s).live()
        finally:
            await site.close()
    finally:
        if lab is None:
            own.close()
