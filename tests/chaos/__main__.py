"""Runs cycles: `python -m tests.chaos --cycles 5 --start 0`, or one with `--seed 3`.

Exit code 1 where a promise was broken; what is needed to look into it stays in a directory that is
named.  Exit code 0 says nothing of the figures: those are in the report.
"""

import argparse
import asyncio
import os
import pickle
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from msgspec import Struct

from tests.arguments import seed, some
from tests.chaos.cycle import Outcome, run
from tests.chaos.lab import build
from tests.chaos.lab.hosts import CHOICE
from tests.chaos.report import missed, report
from tests.chaos.schedule import NODES, Schedule, draw
from tests.chaos.shrink import shrink

KEPT = Path("build/chaos")
TRIES = 8


class Session(Struct):
    """What was asked for, and what has come of it so far."""

    args: argparse.Namespace

    @property
    def nodes(self) -> tuple[str, ...]:
        return NODES[: self.args.nodes]

    def _tell_line(self, what: str) -> None:
        if self.args.verbose or what.startswith("gathered"):
            print(f"  {what}", flush=True)

    @property
    def bugs(self) -> dict[str, str]:
        return dict.fromkeys(self.nodes, self.args.bug) if self.args.bug else {}

    async def cycle(self, schedule: Schedule) -> Outcome:
        """One cycle in a directory of its own, which stays only where it is needed."""
        directory = Path(tempfile.mkdtemp(prefix=f"chaos-{schedule.seed}-"))
        stays = self.args.keep
        try:
            outcome = await run(
                schedule, directory, nodes=self.nodes, bugs=self.bugs, tell=self._tell_line
            )
            stays = stays or outcome.violations
            (directory / "report.md").write_text(report([outcome]))
            return outcome
        except Exception:
            stays = True
            raise
        finally:
            if stays:
                self._keep(directory, schedule)
            else:
                shutil.rmtree(directory)

    def _keep(self, directory: Path, schedule: Schedule) -> None:
        (directory / "schedule.json").write_text(schedule.dump())
        kept = self.args.kept / f"seed-{schedule.seed}-{time.strftime('%H%M%S')}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(directory, kept, ignore=shutil.ignore_patterns("*.sock"))
        shutil.rmtree(directory)
        print(f"  logs, databases, the time line and the schedule are in {kept}", flush=True)

    async def all(self, schedules: list[Schedule]) -> list[Outcome]:
        outcomes = []
        for schedule in schedules:
            print(f"seed {schedule.seed}: {len(schedule.faults)} faults", flush=True)
            outcome = await self.cycle(schedule)
            outcomes.append(outcome)
            self._tell(outcome)
            write(outcomes, self.args.out, self.args.kept)
            if outcome.violations and not self.args.no_shrink:
                await self._shrink(schedule)
        return outcomes

    @staticmethod
    def _tell(outcome: Outcome) -> None:
        figures = {
            name: " ".join(f"{one.seconds:.3f}" for one in values)
            for name, values in outcome.figures.items()
        }
        told = ", ".join(f"{name} {values}" for name, values in figures.items())
        print(f"  {outcome.took_s:.0f} s; {outcome.counted()}; {told}", flush=True)
        for one in outcome.violations:
            print(f"  VIOLATION {one}", flush=True)

    async def _shrink(self, schedule: Schedule) -> None:
        async def fails(smaller: Schedule) -> bool:
            print(f"  again with {len(smaller.faults)} of {len(schedule.faults)} faults")
            return bool((await self.cycle(smaller)).violations)

        smallest = await shrink(schedule, fails, self.args.tries)
        file = self.args.kept / f"seed-{schedule.seed}-smallest.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(smallest.dump())
        print(f"  the smallest that still failed has {len(smallest.faults)} faults: {file}")
        for fault in smallest.faults:
            print(f"    {fault.at:5.1f} s  {fault}")


def write(outcomes: list[Outcome], out: Path, kept: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(report(outcomes) + "\n")
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "outcomes.pickle").open("wb") as file:
        pickle.dump(outcomes, file)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--cycles", type=some, default=5, help="how many seeds")
    parser.add_argument("--start", type=seed, default=0, help="the first of them")
    parser.add_argument("--nodes", type=int, default=len(NODES), help="how many, 2 to 5")
    parser.add_argument("--verbose", action="store_true", help="tell what happens as it happens")
    parser.add_argument("--seed", type=seed, help="only this one")
    parser.add_argument("--schedule", type=Path, help="only what this file says")
    parser.add_argument("--out", type=Path, default=Path("chaos-report.md"), help="the report")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where what is kept goes")
    parser.add_argument("--keep", action="store_true", help="all files stay")
    parser.add_argument("--loopback", action="store_true", help="no namespaces: signals only")
    parser.add_argument("--disk-full", action="store_true", help="disks are filled, too")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for a smaller one")
    parser.add_argument("--tries", type=int, default=TRIES, help="how often, at most, to shrink")
    parser.add_argument("--bug", default="", help="plant a bug: see `planted`")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    args = parse(arguments)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a shell has its background jobs ignore the first
        signal.signal(number, signal.default_int_handler)
    if args.loopback:
        os.environ[CHOICE] = "loopback"
    lab = build(("try",))
    why, network = lab.why, lab.network
    lab.close()
    if not network:
        print(f"no network namespaces ({why}): processes on loopback, signals only")
    seeds = range(args.start, args.start + args.cycles) if args.seed is None else [args.seed]
    if args.schedule is not None:
        schedules = [Schedule.load(args.schedule.read_text())]
    else:
        schedules = [
            draw(seed, NODES[: args.nodes], network=network, disk=args.disk_full) for seed in seeds
        ]
    try:
        outcomes = asyncio.run(Session(args).all(schedules))
    except KeyboardInterrupt:
        print("interrupted; everything is removed", file=sys.stderr)
        return 130
    broken = [one.schedule.seed for one in outcomes if one.violations]
    for told in missed(outcomes):
        print(f"target missed: {told}")
    print(f"{len(outcomes)} cycles, violations in seeds {broken or 'none'}; report: {args.out}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
