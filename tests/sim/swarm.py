"""`python -m tests.sim.swarm --seeds 300 --start 0`: as many random lives as asked for.

Prints each seed that breaks a promise, then what was met on the way: a fault or a path that never
occurs proves nothing.  `--seed 7 --trace` lives one life and prints every event with its effects.
Exits 1 if a promise was broken.
"""

import argparse
import hashlib
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing import get_context

from node.core.effects import Effect
from node.core.events import Event

from . import brief
from .checkers import Broken
from .lives import Life
from .machine import Machine
from .trouble import KINDS
from .world import World

# Redundancy hides dead parts: in so many lives each of these must be met.
ENOUGH = 100
PATHS = ["direct", "relay", "catch-up"]
MUST_OCCUR = [
    *(f"shown {way}" for way in PATHS),
    *(f"acked {way}" for way in PATHS),
    *(f"fault: {kind}" for kind in KINDS),
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one life."""

    seed: int
    promise: str  # that was broken; empty for none
    text: str
    handled: int
    simulated_ms: int
    converged_ms: int
    elected_ms: int
    count: Counter[str]


def live(seed: int, watch: Callable[[World], None] = lambda world: None) -> Outcome:
    """Live one life; whatever goes wrong is in the outcome."""
    life = Life(seed)
    world = life.world
    watch(world)
    promise = text = ""
    try:
        life.live()
    except Broken as broken:
        promise, text = broken.promise, str(broken)
    except Exception as error:  # a mistake of the core, or of the simulator
        frames = traceback.extract_tb(error.__traceback__)[-2:]
        where = " < ".join(f"{f.filename.rpartition('/')[2]}:{f.lineno}" for f in reversed(frames))
        promise, text = "core", f"{type(error).__name__}: {error} at {where}"
    return Outcome(
        seed,
        promise,
        text,
        world.handled,
        world.now,
        life.converged_ms,
        life.elected_ms,
        world.count,
    )


class Printer:
    """Prints a trace: a line for each event, and below it one for each effect."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.trace, world.remark = self.event, self.remark

    def event(self, now: int, machine: Machine, event: Event, effects: list[Effect]) -> None:
        print(f"{now:>7} {machine.number}  {brief.event(event)}")
        for effect in effects:
            print(f"             {brief.effect(effect)}")

    def remark(self, text: str) -> None:
        print(f"{self.world.now:>7} {text}")


class Fingerprint:
    """A hash over everything that happens, to compare two runs of one seed."""

    def __init__(self, world: World) -> None:
        self.hash = hashlib.sha256()
        world.trace = self.event

    def event(self, now: int, machine: Machine, event: Event, effects: list[Effect]) -> None:
        self.hash.update(f"{now} {machine.number} {event!r} {effects!r}\n".encode())


def fingerprint(seed: int) -> str:
    """The hash of a life's whole trace."""
    prints: list[Fingerprint] = []
    live(seed, lambda world: prints.append(Fingerprint(world)))
    return prints[0].hash.hexdigest()


def lives(seeds: Iterable[int], processes: int) -> Iterable[Outcome]:
    if processes == 1:
        yield from map(live, seeds)
        return
    with get_context("fork").Pool(processes) as pool:
        yield from pool.imap(live, seeds, chunksize=4)


def percentile(values: list[int], share: float) -> int:
    ordered = sorted(values) or [0]
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def report(outcomes: list[Outcome], took: float) -> str:
    """The figures of a swarm, and how often each fault and path was met."""
    total: Counter[str] = Counter()
    for outcome in outcomes:
        total.update(outcome.count)
    handled = sum(outcome.handled for outcome in outcomes)
    simulated = sum(outcome.simulated_ms for outcome in outcomes)
    failed = [outcome.seed for outcome in outcomes if outcome.promise]
    sound = [outcome for outcome in outcomes if not outcome.promise]
    converged = [outcome.converged_ms for outcome in sound]
    elected = [outcome.elected_ms for outcome in sound if outcome.elected_ms]
    lines = [
        f"{len(outcomes)} lives, {len(failed)} failed {failed or ''}".rstrip(),
        f"{handled:,} events in {took:.1f} s: {handled / took:,.0f} events/s,"
        f" {simulated / 1000 / took:,.0f} x real time",
        f"converged after {percentile(converged, 0.5)} ms (p99 {percentile(converged, 0.99)} ms),"
        f" last election {percentile(elected, 0.5)} ms (p99 {percentile(elected, 0.99)} ms)",
    ]
    lines += [f"  {count:>9,}  {what}" for what, count in sorted(total.items())]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.swarm", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many lives")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="one life only")
    parser.add_argument("--first", action="store_true", help="stop at the first failure")
    parser.add_argument("--trace", action="store_true", help="print every event of that life")
    parser.add_argument("--fingerprint", action="store_true", help="print its trace's hash only")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    given = parser.parse_args()
    if given.seed is not None and given.fingerprint:
        print(fingerprint(given.seed))
        return 0
    began = time.perf_counter()
    outcomes = []
    if given.seed is not None:
        watch: Callable[[World], object] = Printer if given.trace else lambda world: None
        found: Iterable[Outcome] = [live(given.seed, watch)]  # type: ignore[arg-type]
    else:
        found = lives(range(given.start, given.start + given.seeds), given.processes)
    for outcome in found:
        outcomes.append(outcome)
        if outcome.promise:
            print(f"seed {outcome.seed}: {outcome.text}", flush=True)
            if given.first:
                return 1
    never = [what for what in MUST_OCCUR if not any(outcome.count[what] for outcome in outcomes)]
    if never and len(outcomes) >= ENOUGH:
        print(f"never seen in {len(outcomes)} lives: {', '.join(never)}")
    print(report(outcomes, time.perf_counter() - began))
    return any(outcome.promise for outcome in outcomes) or bool(never and len(outcomes) >= ENOUGH)


if __name__ == "__main__":
    sys.exit(main())
