"""All of it against real processes, and the report."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc

from tests.fuzz import drawing, oracle
from tests.fuzz.callers import Society
from tests.fuzz.calling import OPTIONS, Case, Ending, call
from tests.fuzz.drawing import COUNTING, Living
from tests.fuzz.oracle import Holding, Logs
from tests.fuzz.rpcs import Rpc, served
from tests.fuzz.talkers import Talkers
from tests.fuzz.town import TALKERS, Town
from tests.fuzz.values import Facts

CHUNK = 100  # cases between two looks at the processes
AT_ONCE = 8
PATIENT = {"Control/StartElection": 48}  # what takes seconds by nature is done many at once
FOREVER_S = 1e9
FEWEST = 20  # cases of an RPC however slow it is
FAULTS_MAX = 30
ALIKE_MAX = 2  # faults that begin alike are shown so often
RSS_GROWTH = 150  # MiB, and what the honest lines take
LINE_KIB = 2
FDS_GROWTH = 1_300  # a thousand connections are opened at a time
LOOK_S = 0.3  # what was true so long ago is still true
FDS_AT_REST = 60  # above those at first
PATIENCE, PAUSE_S = 10, 0.2
ANSWER_S = 5.0
REST_S = 20.0
QUIET_S = 3.0  # how long the talk is measured undisturbed

SERVERS = ("nds", *TALKERS, "control")

State = Callable[[], dict[str, Any]]
Part = Callable[["Campaign"], Awaitable[None]]


@dataclass
class Tally:
    """What came of the cases of one RPC."""

    cases: int = 0
    took_s: float = 0.0
    endings: Counter[str] = field(default_factory=Counter)

    def line(self, name: str) -> str:
        told = ", ".join(f"{what} {count}" for what, count in self.endings.most_common(7))
        return f"{name:<42} {self.cases:>7,} in {self.took_s:>6.1f} s  {told}"


class TooMany(Exception):
    """There is enough to look at."""


def _say(text: str) -> None:
    print(text, flush=True)


@dataclass(frozen=True)
class Plan:
    """How much of it."""

    cases: int = 300
    start: int = 0
    only: str = ""
    seconds: float = 0.0  # for each RPC; 0: as long as it takes
    say: Callable[[str], None] = _say


class Campaign:
    """Cases against a town that has been built."""

    def __init__(self, town: Town, plan: Plan, servers: Sequence[str] = SERVERS) -> None:
        self.town, self.plan = town, plan
        self.faults: list[str] = []
        self.lines: Callable[[], int] = lambda: 0  # how many the honest have said
        self.tallies: dict[str, Tally] = {}
        self.holdings = {name: Holding(pid) for name, pid in town.pids().items()}
        self.logs = Logs(town.cluster.logs())
        self.servers: dict[str, list[str]] = {}  # RPC -> who serves it
        self.rpcs: dict[str, Rpc] = {}
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._living: Living | None = None
        self._looking, self._looked_at = asyncio.Lock(), 0.0
        self._honest: dict[str, Any] = {}
        self._alike: Counter[str] = Counter()
        self._until: dict[str, float] = {}  # when an RPC has had its time
        for name in servers:
            for rpc in served(town.channel(town.target(name))):
                self.rpcs[rpc.name] = rpc
                self.servers.setdefault(rpc.name, []).append(name)

    def fault(self, text: str, alike: str = "") -> None:
        """Takes a fault down; of many that are `alike` only the first few."""
        self._alike[alike or text] += 1
        if self._alike[alike or text] > ALIKE_MAX:
            return
        self.faults.append(text)
        self.plan.say(f"FAULT {text}")
        if len(self.faults) >= FAULTS_MAX:
            raise TooMany

    # ---- cases -----------------------------------------------------------------------------------

    def of(self, *services: str) -> list[Rpc]:
        """The RPCs that were asked for, of these services."""
        found = [self.rpcs[name] for name in sorted(self.rpcs)]
        chosen = [one for one in found if one.name.partition("/")[0] in services]
        return [one for one in chosen if self.plan.only in ("", one.name)]

    def channel(self, server: str) -> grpc.aio.Channel:
        target = self.town.target(server)
        if target not in self._channels:
            self._channels[target] = grpc.aio.insecure_channel(target, options=OPTIONS)
        return self._channels[target]

    def draw(self, rpc: Rpc, seed: int) -> Case:
        assert self._living is not None, "nobody has looked yet"
        server = Random(f"server {seed}").choice(self.servers[rpc.name])
        return drawing.draw(rpc, seed, server, self._living)

    async def look(self) -> None:
        """Takes in what is true now; what was looked at a moment ago will do."""
        async with self._looking:
            if time.monotonic() - self._looked_at > LOOK_S:
                self._living = await asyncio.to_thread(self._look)
                self._looked_at = time.monotonic()

    def _look(self) -> Living:
        town = self.town
        town.mend_victim()
        seen = {"town": self._group("town"), "pit": self._pit()}
        groups = {scene: (known, facts) for scene, (known, facts, _) in seen.items()}
        ids = {scene: ids for scene, (_, _, ids) in seen.items()}
        epoch = groups["town"][0].epoch
        return Living(groups, ids, town.nds_facts(), town.control_facts(), epoch)

    def _group(self, chat: str) -> tuple[Society, Facts, dict[str, int]]:
        known = self.town.society(chat)
        ids = {name: self.town.chat(name, chat).member_id for name in TALKERS}
        return known, self.town.facts(known), ids

    def _pit(self) -> tuple[Society, Facts, dict[str, int]]:
        """What its members know, which may change while they are asked; else a new one."""
        for _ in range(3):
            with suppress(LookupError, grpc.RpcError):
                return self._group(self.town.pit)
        self.town.dig()
        return self._group(self.town.pit)

    async def one(self, case: Case) -> Ending:
        """Sends a case and judges its end."""
        ending = await call(self.channel(case.server), case)
        self.tallies.setdefault(case.rpc.name, Tally()).cases += 1
        self.tallies[case.rpc.name].endings[oracle.reason(ending)] += 1
        if text := oracle.fault(case, ending):
            self.fault(f"{case}: {text}", f"{case.rpc.name} {text[:36]}")
        if ending.heard and case.rpc.name in drawing.ONCE:
            await asyncio.to_thread(self.town.await_stop)
        return ending

    async def lane(self, rpc: Rpc, chunk: Callable[[Sequence[Case]], Awaitable[None]]) -> None:
        """All cases of one RPC, a chunk at a time, each followed by a look at the processes."""
        plan, began = self.plan, time.monotonic()
        self._until[rpc.name] = began + (plan.seconds or FOREVER_S)
        for first in range(plan.start, plan.start + plan.cases, CHUNK):
            seeds = range(first, min(first + CHUNK, plan.start + plan.cases))
            if self._is_late(rpc):
                break
            await self.look()
            await chunk([self.draw(rpc, seed) for seed in seeds])
            await self.inspect(f"after {rpc.name} SEED={seeds[0]}..{seeds[-1]}")
        tally = self.tallies.setdefault(rpc.name, Tally())
        tally.took_s = time.monotonic() - began
        self.plan.say(tally.line(rpc.name))

    def _is_late(self, rpc: Rpc) -> bool:
        """Whether an RPC has had its time, and enough cases."""
        enough = rpc.name in self.tallies and self.tallies[rpc.name].cases >= FEWEST
        return enough and time.monotonic() > self._until[rpc.name]

    async def side_by_side(self, cases: Sequence[Case]) -> None:
        """Cases none of which may change anything that we look at."""
        waiting = iter(cases)

        async def worker() -> None:
            for case in waiting:
                if self._is_late(case.rpc):
                    return
                await self.one(case)

        await together([worker() for _ in range(PATIENT.get(cases[0].rpc.name, AT_ONCE))])

    def one_by_one(self, state: State, mend: Callable[[], None]) -> Any:
        """Cases that may count when they are heard: what is refused leaves everything as it was."""

        async def chunk(cases: Sequence[Case]) -> None:
            before: dict[str, Any] | None = None
            for case in cases:
                if self._is_late(case.rpc):
                    break
                if before is None:
                    await asyncio.to_thread(mend)
                    before = await asyncio.to_thread(state)
                ending = await self.one(case)
                if ending.heard and case.may_count:
                    before = None
                    continue
                if drawing.recalls(case.rpc, case.payloads[0]):
                    before = None
                    continue
                after = await asyncio.to_thread(state)
                if after != before:
                    self.fault(f"{case}: {oracle.reason(ending)}, but {difference(before, after)}")
                before = after
            await asyncio.to_thread(mend)

        return chunk

    # ---- looking at the processes ----------------------------------------------------------------

    async def inspect(self, when: str) -> None:
        await asyncio.to_thread(self._inspect, when)

    def _inspect(self, when: str) -> None:
        for name, pid in self.town.pids().items():
            if name == "mallory" and pid != self.holdings[name].pid:
                self.holdings[name] = Holding(pid)
            if not oracle.is_alive(pid):
                self.fault(f"{when}: the process of {name} has ended")
            rss, fds = self.holdings[name].look()
            held = self.holdings[name]
            if rss > held.rss_at_first + RSS_GROWTH + self.lines() * LINE_KIB // 1024:
                self.fault(f"{when}: {name} has grown from {held.rss_at_first} to {rss} MiB")
            if fds > held.fds_at_first + FDS_GROWTH:
                self.fault(f"{when}: {name} holds {fds} files, {held.fds_at_first} at first")
        for line in self.logs.cries():
            self.fault(f"{when}: {line}")
        honest = patiently(self.town.honest_state)
        if self._honest and honest != self._honest:
            self.fault(f"{when}: the town has noticed: {difference(self._honest, honest)}")
        self._honest = honest

    async def answers(self, server: str) -> None:
        """Raises TimeoutError where a server does not answer somebody new soon."""
        case = Case(self.rpcs["Health/Check"], 0, server, (b"",))
        async with grpc.aio.insecure_channel(self.town.target(server), options=OPTIONS) as fresh:
            ending = await call(fresh, case)
        if not ending.heard or ending.took_s > ANSWER_S:
            raise TimeoutError(f"{ending.code} after {ending.took_s:.1f} s")

    async def at_rest(self, server: str) -> None:
        """Waits until a process has let go of what others had opened; a fault where it does not."""
        held, until = self.holdings[server], time.monotonic() + REST_S
        while (fds := held.look()[1]) > held.fds_at_first + FDS_AT_REST:
            if time.monotonic() > until:
                return self.fault(f"{server} still holds {fds} files, {held.fds_at_first} at first")
            await asyncio.sleep(0.1)

    # ---- the whole -------------------------------------------------------------------------------

    async def nds(self) -> None:
        for rpc in self.of("NodeDiscovery"):
            counts = rpc.name in COUNTING
            serial = self.one_by_one(self.town.nds_state, self.town.mend_paper)
            await self.lane(rpc, serial if counts else self.side_by_side)

    async def node(self) -> None:
        for rpc in self.of("Node"):
            await self.lane(rpc, self.side_by_side)

    async def control(self) -> None:
        for rpc in self.of("Control"):
            serial = self.one_by_one(self.town.control_state, self.town.mend_victim)
            await self.lane(rpc, serial if rpc.name in COUNTING else self.side_by_side)

    async def standard(self) -> None:
        others = {name.partition("/")[0] for name in self.rpcs} - {"NodeDiscovery", "Node"}
        for rpc in self.of(*(others - {"Control"})):
            await self.lane(rpc, self.side_by_side)

    async def run(
        self, beside: AbstractAsyncContextManager[None] | None = None, *after: Part
    ) -> None:
        """Every RPC, with `beside` going on all the while; then what comes `after`, in turn."""
        with suppress(TooMany):
            async with beside or nullcontext():
                await together([self.nds(), self.node()])
                await together([self.control(), self.standard()])
            for part in after:
                await part(self)
                await self.inspect(f"after {part.__name__}")

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    def settle(self, talk: Talkers) -> None:
        """All members of the town have one leader and one history, with every line acknowledged."""
        cluster = self.town.cluster
        try:
            cluster.settled("town", *TALKERS, wait_s=30)
        except AssertionError as error:
            self.faults.append(f"at the end: {error}")
            return
        histories = [cluster[name].texts("town") for name in TALKERS]
        if any(one != histories[0] for one in histories):
            self.faults.append("at the end: the histories of #town differ")
        count = Counter(histories[0])
        if lost := [text for text in talk.texts if count[text] != 1]:
            self.faults.append(f"at the end: {len(lost)} lines lost or doubled: {lost[:3]}")
        if alien := [text for text in count if not text.startswith("honest ")]:
            self.faults.append(f"at the end: {len(alien)} lines that nobody said: {alien[:3]}")

    def report(self, talk: Talkers) -> str:
        """What people read."""
        for name, pid in self.town.pids().items():
            self.holdings[name].pid = pid
        cases = sum(one.cases for one in self.tallies.values())
        lines = [f"{cases:,} cases of {len(self.tallies)} RPCs, {len(self.faults)} faults"]
        lines += [
            f"{name:<8} {held.rss_at_first} -> at most {held.rss_max} MiB,"
            f" {held.fds_at_first} -> at most {held.fds_max} files,"
            f" {oracle.cpu_s(held.pid):.0f} s of a core"
            for name, held in self.holdings.items()
        ]
        lines.append(talk.report())
        lines.append(f"pits dug: {len(self.town.pits)}, starts of mallory: {self.town.ups + 1}")
        return "\n".join([*lines, *(f"FAULT {text}" for text in self.faults)])


async def together(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them at once.  Raises `TooMany` where one of them did."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
    except* TooMany:
        raise TooMany from None


def patiently(state: State) -> dict[str, Any]:
    """A state; asked again where a server that is being flooded has shed the call."""
    for _ in range(PATIENCE):
        with suppress(grpc.RpcError):
            return state()
        time.sleep(PAUSE_S)
    return state()


def difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What is not the same, shortly."""
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    shown: Iterable[str] = (f"{n}: {before.get(n)} -> {after.get(n)}"[:600] for n in names[:3])
    return f"changed {' | '.join(shown)}"
