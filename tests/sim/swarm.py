"""`python -m tests.sim.swarm --seeds 300 --start 0`: as many random lives as asked for.

Prints each seed that breaks a promise, then what was met on the way: a fault or a path that never
occurs proves nothing.  `--seed 7 --trace` lives one life and prints every event with its effects;
`--seed 7 --shrink FILE` leaves out of it what its failure does not need, and `--schedule FILE`
lives what is left.  Exits 1 if a promise was broken.
"""

import argparse
import hashlib
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from multiprocessing import get_context
from pathlib import Path

from msgspec import Struct

from node.core.effects import Effect
from node.core.events import Event
from tests.arguments import seed, some

from . import brief
from .checkers import Broken
from .lives import Life, Steps
from .machine import Machine
from .options import KINDS
from .shrinking import NoSchedule, Schedule, shrink
from .world import World

# Redundancy hides dead parts: in so many lives each of these must be met.
ENOUGH = 100
PATHS = ["direct", "relay", "catch-up"]
MUST_OCCUR = [
    *(f"shown {way}" for way in PATHS),
    *(f"acked {way}" for way in PATHS),
    *(f"fault: {kind}" for kind in KINDS),
]


class Outcome(Struct, frozen=True):
    """What became of one life."""

    seed: int
    promise: str  # that was broken; empty for none
    text: str
    handled: int
    simulated_ms: int
    converged_ms: int
    converged_share: float  # of the time that it may take
    elected_ms: int
    scale: int
    count: Counter[str]
    options: str
    steps: Steps  # what was done


def live(
    seed: int,
    watch: Callable[[World], object] = lambda world: None,
    steps: Steps = (),
    *,
    keep: bool = False,
) -> Outcome:
    """Live one life, as drawn or as these steps say; whatever goes wrong is in the outcome.

    `keep`: so is what was done, though nothing went wrong.
    """
    life = Life(seed, steps)
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
        life.converged_share,
        life.elected_ms,
        life.scale,
        world.count,
        str(life.options),
        life.steps() if promise or keep else (),
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


def spread(what: str, values: list[int]) -> str:
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    return f"{what} {p50} ms (p99 {p99}, at most {max(values, default=0)})"


def report(outcomes: list[Outcome], took: float) -> str:
    """The figures of a swarm, and how often each fault and path was met."""
    total: Counter[str] = Counter()
    for outcome in outcomes:
        total.update(outcome.count)
    handled = sum(outcome.handled for outcome in outcomes)
    simulated = sum(outcome.simulated_ms for outcome in outcomes)
    failed = [outcome.seed for outcome in outcomes if outcome.promise]
    sound = [outcome for outcome in outcomes if not outcome.promise]
    # In the LAN's durations, so that they can be put together.
    converged = [outcome.converged_ms // outcome.scale for outcome in sound]
    elected = [outcome.elected_ms // outcome.scale for outcome in sound if outcome.elected_ms]
    share = max((outcome.converged_share for outcome in sound), default=0.0)
    lines = [
        f"{len(outcomes)} lives, {len(failed)} failed {failed or ''}".rstrip(),
        f"{handled:,} events in {took:.1f} s: {handled / took:,.0f} events/s,"
        f" {simulated / 1000 / took:,.0f} x real time",
        f"{spread('converged after', converged)}, {share:.0%} of the bound;"
        f" {spread('last election', elected)}",
    ]
    lines += [f"  {count:>9,}  {what}" for what, count in sorted(total.items())]
    return "\n".join(lines)


def told(outcome: Outcome) -> str:
    """What went wrong in a life, and what that life was like."""
    return f"seed {outcome.seed}: {outcome.text}\n    {outcome.options}"


def alone(given: argparse.Namespace) -> Outcome:
    """One life: of a seed, or of a schedule that was written down."""
    watch: Callable[[World], object] = Printer if given.trace else lambda world: None
    if given.schedule is None:
        outcome = live(given.seed, watch)
    else:
        schedule = Schedule.parse(given.schedule.read_text("utf-8"))
        outcome = live(schedule.seed, watch, schedule.steps)
    if outcome.promise and given.shrink:
        shrunk = shrink(outcome, live, print)
        print(shrunk.text(), end="")
        if given.shrink != Path("-"):
            given.shrink.write_text(shrunk.text(), "utf-8")
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.swarm", description=__doc__)
    parser.add_argument("--seeds", type=some, default=200, help="how many lives")
    parser.add_argument("--start", type=seed, default=0, help="the first seed")
    parser.add_argument("--seed", type=seed, help="one life only")
    parser.add_argument("--schedule", type=Path, help="one life only, as written in this file")
    parser.add_argument(
        "--shrink", type=Path, help="where that life breaks a promise, write what is needed for it"
    )
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
    if given.seed is not None or given.schedule is not None:
        try:
            found: Iterable[Outcome] = [alone(given)]
        except OSError as error:
            print(f"{error.filename}: {error.strerror}", file=sys.stderr)
            return 2
        except NoSchedule as error:
            print(f"{given.schedule} is no schedule: {error}", file=sys.stderr)
            return 2
    else:
        found = lives(range(given.start, given.start + given.seeds), given.processes)
    for outcome in found:
        outcomes.append(outcome)
        if outcome.promise:
            print(told(outcome), flush=True)
            if given.first:
                return 1
    never = [what for what in MUST_OCCUR if not any(outcome.count[what] for outcome in outcomes)]
    if never and len(outcomes) >= ENOUGH:
        print(f"never seen in {len(outcomes)} lives: {', '.join(never)}")
    print(report(outcomes, time.perf_counter() - began))
    if given.shrink and not outcomes[0].promise:
        print(f"seed {outcomes[0].seed} keeps its promises: nothing to shrink, nothing written")
    return any(outcome.promise for outcome in outcomes) or bool(never and len(outcomes) >= ENOUGH)


if __name__ == "__main__":
    sys.exit(main())
