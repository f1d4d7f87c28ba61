"""`python -m tests.bench crowd`: ours in groups up to 200, several members to a process.

What a line costs there as this machine sees it: bytes and packets on loopback with all that gRPC,
HTTP/2 and TCP add, connections, processor time, and how long it takes.  Nothing else may run.
"""

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from .contest import Failed, Group, Plan, Process, phase
from .figures import OURS, percentile
from .report import surroundings

SHAPES = ((10, 1), (50, 1), (200, 20))  # members of a group, and of them in each process
IDLE_S = 20.0
CALM_S = 5.0  # until what the beginning left is done
PAGE = Path(__file__).parents[1] / "crowd.md"
HEAD = Path(__file__).parents[1] / "crowd.head.md"


class Traffic(Struct, frozen=True):
    """What has gone over loopback."""

    bytes: int
    packets: int

    def since(self, before: "Traffic") -> "Traffic":
        return Traffic(self.bytes - before.bytes, self.packets - before.packets)


class Crowd(Struct, frozen=True):
    """One group, measured."""

    size: int
    processes: int
    met_s: float
    connections: float
    idle: float  # percent of a core of a member
    idle_bytes: float  # a second of a member
    p50_ms: float
    p99_ms: float
    work_ms: float  # a delivery
    bytes: float
    packets: float

    @property
    def row(self) -> str:
        told = (
            f"{self.size} | {self.processes} | {self.met_s:.1f} | {self.connections:.1f}",
            f"{self.idle:.2f} | {self.idle_bytes:,.0f} | {self.p50_ms:.1f} | {self.p99_ms:.1f}",
            f"{self.work_ms:.2f} | {self.bytes:,.0f} | {self.packets:.1f}",
        )
        return f"| {' | '.join(told)} |"


def main(arguments: Sequence[str]) -> int:
    made = argparse.ArgumentParser(prog="python -m tests.bench crowd")
    made.add_argument("--sizes", help="members, with commas; else all, and the page is written")
    made.add_argument("--rate", type=int, default=5, help="lines a second of the whole group")
    made.add_argument("--talk", type=float, default=20.0, help="seconds")
    asked = made.parse_args(arguments)
    known = ", ".join(str(size) for size, _ in SHAPES)
    sizes = asked.sizes.split(",") if asked.sizes else []
    if unknown := set(sizes).difference(known.split(", ")):
        made.error(f"--sizes: {min(unknown)} is not one of {known}")
    shapes = [shape for shape in SHAPES if not sizes or str(shape[0]) in sizes]
    plan = Plan(talk_s=asked.talk, idle_s=IDLE_S, rate=asked.rate)
    where, rows = surroundings(), list[str]()
    for size, each in shapes:
        try:
            crowd = measured(size, each, plan)
        except Failed as failed:
            print(f"FAULT {size} members: {failed}")
            return 1
        rows.append(crowd.row)
        print(crowd.row, flush=True)
    if not sizes:
        head = HEAD.read_text("utf-8").format(where=where, rate=asked.rate, talk_s=asked.talk)
        PAGE.write_text(head + "\n".join(rows) + "\n", "utf-8")
        print(f"wrote {PAGE}")
    return 0


def measured(size: int, each: int, plan: Plan) -> Crowd:
    """One group from its beginning to its end.  Raises Failed, also where a line was lost."""
    began = time.monotonic()
    with Group(OURS, size, each) as group:
        met_s = time.monotonic() - began
        time.sleep(CALM_S)
        before = traffic()
        idle = group.all("idle", seconds=plan.idle_s, wait_s=2 * plan.idle_s + 60)
        silent = traffic().since(before)
        before, spoke = traffic(), time.monotonic()
        period_ns = size * 1_000_000_000 // plan.rate
        talked = phase(group, "talk", plan, plan.talk_s, period_ns=period_ns)
        loud, spoke_s = traffic().since(before), time.monotonic() - spoke
        accounts = group.all("account", said=talked.said)
        connections = sum(map(established, group.members)) / size
    if wrong := sum(one["lost"] + one["doubled"] for one in accounts):
        raise Failed(f"{wrong} lines are lost or came twice")
    delivered = sum(one["delivered"] for one in talked.told)
    latencies = sorted(us for one in talked.told for us in one["latencies_us"])
    share = spoke_s / plan.idle_s
    idle_s = sum(one["worked_s"] for one in idle)
    return Crowd(
        size=size,
        processes=len(group.members),
        met_s=met_s,
        connections=connections,
        idle=100 * idle_s / plan.idle_s / size,
        idle_bytes=silent.bytes / plan.idle_s / size,
        p50_ms=percentile(latencies, 50) / 1e3,
        p99_ms=percentile(latencies, 99) / 1e3,
        work_ms=1e3 * (talked.worked_s - share * idle_s) / delivered,
        bytes=(loud.bytes - share * silent.bytes) / delivered,
        packets=(loud.packets - share * silent.packets) / delivered,
    )


def traffic() -> Traffic:
    """Of the loopback interface since it came up."""
    (line,) = re.findall(r"^\s*lo:(.*)$", Path("/proc/net/dev").read_text("ascii"), re.MULTILINE)
    received = [int(one) for one in line.split()]
    return Traffic(received[0], received[1])


def established(process: Process) -> int:
    """Ends of TCP connections that this process holds."""
    mine = set()
    for one in Path(f"/proc/{process.pid}/fd").iterdir():
        if found := re.fullmatch(r"socket:\[(\d+)\]", str(one.readlink())):
            mine.add(found[1])
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{process.pid}/net/{name}").read_text("ascii").splitlines()[1:]
    ]
    return sum(1 for row in rows if row[3] == "01" and row[9] in mine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
