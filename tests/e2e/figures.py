"""The figures of real processes on this machine: `python -m tests.e2e.figures [NAME ...]`.

Everything runs on 127.0.0.1 in a temporary directory.  What is repeated is given as its median,
with the worst beside it; the bound that it is held to stands in brackets.  The machine's load is
printed too, since it counts into every figure.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

from p2pchat.v1 import control_pb2, control_pb2_grpc
from tests.e2e.cluster import Cluster
from tests.e2e.programs import OPTIONS, Leading, Member, digits, program
from tests.waiting import WAIT_S, wait_for

FOUR = ("alice", "bob", "carol", "dan")
KILLS, FREEZES, STARTS = 20, 5, 5
IDLE_S = 30.0
LINES = 1_000  # of each member
SIDE_BY_SIDE = 32
TICKS = os.sysconf("SC_CLK_TCK")


def show(name: str, values: list[float], unit: str, bound: str, digits_: int = 0) -> None:
    middle, worst = statistics.median(values), max(values)
    text = f"{middle:.{digits_}f} {unit}"
    if len(values) > 1:
        text += f" (median of {len(values)}, worst {worst:.{digits_}f})"
    print(f"{name:<34} {text:<44} [{bound}]", flush=True)


@contextmanager
def four() -> Iterator[Cluster]:
    """Four members of #dev."""
    with tempfile.TemporaryDirectory(prefix="p2pchat-figures-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.nds.start()
            cluster.raise_nodes(*FOUR)
            cluster.gather("dev", *FOUR)
            cluster.settled("dev", *FOUR)
            yield cluster
        except BaseException:
            print(cluster.tails(10), file=sys.stderr)
            raise
        finally:
            cluster.close()


# ---- failover ------------------------------------------------------------------------------------


def succession_ms(cluster: Cluster, number: signal.Signals) -> tuple[str, float]:
    """Signals the leader: its name, and the time until the last of the others follows the next."""
    before = cluster.settled("dev", *FOUR)
    struck = next(name for name in FOUR if cluster[name].id("dev") == before.member)
    request = control_pb2.WatchRequest(chat="dev", history=1)
    with ExitStack() as stack:
        watches = []
        for name in FOUR:
            if name != struck:
                watch = cluster[name].control.Watch(request, timeout=WAIT_S)
                stack.callback(watch.cancel)
                next(watch)  # the past line: from here on it tells all
                watches.append(watch)
        began_ms = time.time() * 1000
        os.kill(cluster[struck].pid, number)
        followed_ms = max(followed_at(watch, before) for watch in watches)
    return struck, followed_ms - began_ms


def followed_at(watch: Iterator[control_pb2.WatchResponse], before: Leading) -> int:
    """When a member took the leader after `before`; unix ms."""
    for one in watch:
        led = one.WhichOneof("what") == "leader" and one.leader.leader_id
        if led and not one.leader.provisional and digits(one.leader.epoch) > before.epoch:
            return one.at_ms
    raise AssertionError("the watch has ended")


def failover() -> None:
    with four() as cluster:
        cluster["alice"].post("dev", "a past line")
        taken = []
        for _ in range(KILLS):
            struck, took = succession_ms(cluster, signal.SIGKILL)
            taken.append(took)
            wait_for(lambda name=struck: not cluster[name].is_up(), "it is dead")  # type: ignore[misc]
            cluster[struck].up()
        show("failover, leader killed, n = 4", taken, "ms", "< 500")
        taken = []
        for _ in range(FREEZES):
            struck, took = succession_ms(cluster, signal.SIGSTOP)
            taken.append(took)
            cluster[struck].kill(signal.SIGCONT)
        show("failover, leader frozen, n = 4", taken, "ms", "< 3000")


# ---- starting ------------------------------------------------------------------------------------


def help_() -> None:
    taken = []
    for _ in range(10):
        began = time.perf_counter()
        subprocess.run([*program("p2pchat"), "--help"], stdout=subprocess.DEVNULL, check=True)
        taken.append((time.perf_counter() - began) * 1000)
    show("p2pchat --help", taken, "ms", "< 150")


def timed(member: Member, *verbs: list[str]) -> float:
    """Seconds that verbs take one after the other."""
    began = time.perf_counter()
    for verb in verbs:
        member.run(*verb)
    return time.perf_counter() - began


def start() -> None:
    with tempfile.TemporaryDirectory(prefix="p2pchat-figures-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.nds.start()
            hosted, joined = [], []
            for count in range(STARTS):
                chat, nds = f"dev{count}", ["--nds", cluster.nds.address]
                host, guest = cluster.add(f"host{count}"), cluster.add(f"guest{count}")
                hosted.append(timed(host, ["host", chat, "--no-ui", *nds]))
                line = f"{cluster.nds.address}/{chat}"
                joined.append(timed(guest, ["join", line, "--no-ui"], ["send", "hello"]))
                host.run("down")
                guest.run("down")
        finally:
            cluster.close()
    show("host to ready", hosted, "s", "< 2", 2)
    show("join to first acknowledged line", joined, "s", "< 3", 2)


# ---- idle ----------------------------------------------------------------------------------------


def worked_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    (line,) = [one for one in text.splitlines() if one.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def idle() -> None:
    with four() as cluster:
        pids = [cluster[name].pid for name in FOUR]
        began, before = time.monotonic(), [worked_s(pid) for pid in pids]
        wait_for(lambda: time.monotonic() > began + IDLE_S, "it has been idle", IDLE_S + 5)
        span = time.monotonic() - began
        used = [worked_s(pid) - was for pid, was in zip(pids, before, strict=True)]
        show("CPU of an idle node, group of 4", [u / span * 100 for u in used], "%", "< 1", 2)
        show("RSS of a node", [resident_mb(pid) for pid in pids], "MB", "< 80", 1)


# ---- throughput ----------------------------------------------------------------------------------


async def say_all(member: Member, count: int) -> None:
    """That many lines, several under way at once; returns when all are stored."""
    async with grpc.aio.insecure_channel(f"unix:{member.socket}", options=OPTIONS) as channel:
        stub: Any = control_pb2_grpc.ControlStub(channel)
        left = iter(range(count))

        async def speak() -> None:
            for number in left:
                text = f"{member.name} says line {number} of {count}"
                request = control_pb2.SendRequest(chat="dev", text=text, wait=control_pb2.WAIT_NONE)
                async for _ in stub.Send(request, timeout=WAIT_S):
                    pass

        await asyncio.gather(*(speak() for _ in range(SIDE_BY_SIDE)))


async def all_say(members: list[Member], count: int) -> None:
    await asyncio.gather(*(say_all(member, count) for member in members))


def deliveries_a_second() -> float:
    """All four talk at once; from the first line to the last acknowledgement."""
    with four() as cluster:
        members = [cluster[name] for name in FOUR]
        began = time.perf_counter()
        asyncio.run(all_say(members, LINES))

        def is_through() -> bool:
            seen = [member.chat("dev") for member in members]
            return all(one is not None and not one.outbox for one in seen)

        wait_for(is_through, "every line is acknowledged by everyone")
        took = time.perf_counter() - began
        cluster.settled("dev", *FOUR)
        history = cluster["dan"].history("dev")
        assert len(history) == len(FOUR) * LINES, "each line once"
    return len(FOUR) * LINES * (len(FOUR) - 1) / took


def deliveries() -> None:
    rates = [deliveries_a_second() for _ in range(3)]
    text = f"{statistics.median(rates):.0f} /s (median of {len(rates)}, worst {min(rates):.0f})"
    print(f"{'acknowledged deliveries, unary':<34} {text:<44} [>= 1500]", flush=True)


FIGURES: dict[str, Callable[[], None]] = {
    "help": help_,
    "start": start,
    "failover": failover,
    "idle": idle,
    "deliveries": deliveries,
}


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in FIGURES]
    if unknown:
        print(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
        return 2
    for name in wanted or FIGURES:
        FIGURES[name]()
    load, cores = os.getloadavg()[0], os.cpu_count()
    print(f"{cores} cores, load {load:.1f}, Python {sys.version.split()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
