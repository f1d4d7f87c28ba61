"""`python -m tests.bench.groups`: ours beside others, in turn, and what came of it in a file."""

import argparse
import sys
import time

from .contest import Failed, Plan, contest
from .figures import Outcome, faults, ratio_lines, summaries
from .roll import ENTRANTS, Entrant

RUNS = 5
SIZES = (4, 10, 50)
QUICK = Plan(flood_s=2.0, talk_s=3.0, idle_s=1.0)


def main(arguments: list[str]) -> int:
    asked = parser().parse_args(arguments)
    plan = QUICK if asked.quick else Plan()
    sizes = asked.sizes or ((4,) if asked.quick else SIZES)
    runs = asked.runs or (1 if asked.quick else RUNS)
    entrants = chosen(asked.only, quick=asked.quick)
    outcomes, broken = compete(entrants, sizes, runs, plan)
    all_ = summaries(outcomes)
    wrong = [*broken, *faults(outcomes)]
    for one in wrong:
        print(f"FAULT {one}")
    for line in ratio_lines(all_):
        print(line)
    return 1 if wrong else 0


def parser() -> argparse.ArgumentParser:
    numbers = lambda text: tuple(int(one) for one in text.split(","))  # noqa: E731
    made = argparse.ArgumentParser(prog="python -m tests.bench.groups")
    made.add_argument("--quick", action="store_true", help="4 members, once, ours and raw gRPC")
    made.add_argument("--only", type=lambda text: text.split(","), help="contestants, with commas")
    made.add_argument("--sizes", type=numbers, help="members of the groups, with commas")
    made.add_argument("--runs", type=int, help="how often each is measured")
    return made


def chosen(only: list[str] | None, *, quick: bool) -> list[Entrant]:
    """Those who can take part."""
    wanted = [one for one in ENTRANTS if (one.name in only if only else one.quick or not quick)]
    able = []
    for one in wanted:
        if lack := one.lacks():
            print(f"{one.name} does not take part: {lack} is not installed (make benchtools)")
        else:
            able.append(one)
    return able


def compete(
    entrants: list[Entrant], sizes: tuple[int, ...], runs: int, plan: Plan
) -> tuple[list[Outcome], list[str]]:
    """All outcomes, and what did not come to its end.  In each round all take their turn."""
    outcomes: list[Outcome] = []
    broken: list[str] = []
    for size in sizes:
        for round_ in range(runs):
            for one in entrants:
                began = time.monotonic()
                try:
                    outcome = contest(one.name, size, plan)
                except Failed as failed:
                    broken.append(f"{one.name} n={size}: {failed}")
                    print(broken[-1], flush=True)
                    continue
                outcomes.append(outcome)
                took = time.monotonic() - began
                print(
                    f"n={size} round {round_ + 1}/{runs} {told(outcome)} ({took:.0f} s)", flush=True
                )
    return outcomes, broken


def told(one: Outcome) -> str:
    return (
        f"{one.contestant:<9} {one.rate:>9,.0f}/s  {one.work_ms:>7,.1f} ms/1,000"
        f"  p50 {one.p50_ms:.2f} p99 {one.p99_ms:.2f} ms"
        f"  idle {one.idle:.2f} %  {one.resident_mb:.0f} MB"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
