"""A swarm at full speed while strangers lean on each member's port, beside the same swarm alone.

Both are measured in turn, with the same processes.  The strangers are on the same cores, and what
they need themselves is taken from the swarm too, so how much that is stands beside the figure, and
what a delivery costs the members.
"""

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from statistics import median

from msgspec import Struct

from tests.bench.groups.contest import Group, Plan, phase

from .screen import Gauge

SIZE, ROUNDS = 4, 5
MIXED = ("idle=400", "calling=200", "silent=200", "halfway=200")
PLAN = Plan(flood_s=4.0)


@contextlib.contextmanager
def strangers(addresses: list[str], kinds: tuple[str, ...], *flags: str) -> Iterator[Counter[str]]:
    """So many at each address, from when all of them have been there; their counts at the end."""
    counts: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        crowds = []
        for address in addresses:
            command = [sys.executable, "-m", "tests.attacks.strangers", address, *kinds, *flags]
            crowd = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            crowds.append(crowd)
            stack.callback(crowd.kill)
        for crowd in crowds:
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == "ready\n"
        try:
            yield counts
        finally:
            for crowd in crowds:
                crowd.terminate()
                counts.update(json.loads(crowd.communicate()[0]))


class Speed(Struct, frozen=True):
    """Of one flood of lines."""

    rate: float  # deliveries a second
    work_ms: float  # processor time of the members and the service for 1,000 of them
    took_s: float


def speed(group: Group) -> Speed:
    told = phase(group, "flood", PLAN, PLAN.flood_s)
    delivered = sum(one["delivered"] for one in told.told)
    took_s = (max(one["last"] for one in told.told) - told.began) / 1e9
    return Speed(delivered / took_s, 1e6 * told.worked_s / delivered, took_s)


def attacked(kinds: tuple[str, ...], *flags: str) -> str:
    """What is left of the rate, with the strangers at one member, and of each other's processor."""
    shares, work, alone, used = [], [], [], []
    totals: Counter[str] = Counter()
    with Group("ours", SIZE) as group:
        speed(group)
        for _ in range(ROUNDS):
            before = speed(group)
            with strangers(group.addresses[:1], kinds, *flags) as counts:
                under = speed(group)
            after = speed(group)
            calm = (before.rate + after.rate) / 2
            alone.append(calm)
            shares.append(under.rate / calm)
            work.append(2 * under.work_ms / (before.work_ms + after.work_ms))
            used.append(counts["processor ms"] / 1000 / under.took_s)
            totals.update(counts)
    return (
        f"{100 * median(shares):.0f} % ({100 * min(shares):.0f} to {100 * max(shares):.0f}) of"
        f" {median(alone):,.0f} deliveries/s, each for {median(work):.2f} x the processor time;"
        f" the strangers took {100 * median(used):.0f} % of a core themselves,"
        f" made {totals['calls']:,} calls and got {totals['answers']:,} answers"
    )


def gauge(what: str, kinds: tuple[str, ...], *flags: str) -> Gauge:
    return Gauge(f"attacked: {what}", ">= 80 %", lambda: attacked(kinds, *flags))


GAUGES = [
    gauge("1,000 strangers at one of 4 members", MIXED, "--rate", "1"),
    gauge("the same, from 200 addresses", MIXED, "--rate", "1", "--addresses", "200"),
    gauge("10 strangers who call 100 times a second", ("calling=10",), "--rate", "100"),
]
