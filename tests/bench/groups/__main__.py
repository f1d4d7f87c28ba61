"""`python -m tests.bench.groups`: ours beside others, in turn, and what came of it in a file.

Exits with 1 where a message was lost or doubled, or a contestant did not come to its end.
"""

import argparse
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tests.bench import catchup

from .contest import Failed, Plan, contest
from .failover import succession_ms
from .figures import OURS, STOLEN_MAX, Outcome, disturbed, faults, ratio_lines, summaries
from .kept import TRIES, Kept, undisturbed
from .picture import svg
from .report import Report, surroundings, written
from .roll import ENTRANTS, Entrant

RUNS = 5
ROUNDS = {4: RUNS, 10: RUNS, 50: 3}  # by size; a run of fifty processes takes minutes
QUICK = Plan(flood_s=2.0, talk_s=3.0, calm_s=1.0, idle_s=2.0)
RESULTS = Path(__file__).parents[1] / "results.md"


def main(arguments: Sequence[str]) -> int:
    asked = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # with all processes ended
    plan = QUICK if asked.quick else Plan()
    sizes = asked.sizes or ((4,) if asked.quick else tuple(ROUNDS))
    runs = asked.runs or (1 if asked.quick else 0)
    rounds = {size: runs or ROUNDS.get(size, RUNS) for size in sizes}
    before = surroundings()
    entrants, absent = chosen(asked.only, quick=asked.quick)
    tries = 1 if asked.quick else TRIES
    outcomes, broken = compete(entrants, rounds, plan, asked.keep or Kept(), tries)
    report = Report(
        summaries=summaries(outcomes),
        promises={one.name: one.promises() for one in entrants},
        plan=plan,
        broken=broken,
        absent=absent,
        surroundings=before,
        **(
            {}
            if asked.quick or OURS not in {one.name for one in entrants}
            else aftermath(runs or RUNS)
        ),
    )
    if asked.write or not (asked.quick or asked.only or asked.sizes or asked.runs):
        write(report, asked.write or RESULTS)
    return concluded(report, outcomes)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.bench.groups")
    made.add_argument("--quick", action="store_true", help="4 members, once, ours and raw gRPC")
    made.add_argument("--only", type=names, help="contestants, with commas")
    made.add_argument("--sizes", type=numbers, help="members of the groups, with commas")
    made.add_argument("--runs", type=int, help="how often each is measured")
    made.add_argument("--write", type=Path, help="where to (all of it: tests/bench/results.md)")
    made.add_argument(
        "--keep", type=keeping, metavar="FILE", help="keep what is measured, and go on from there"
    )
    return made


def keeping(text: str) -> Kept:
    try:
        return Kept(Path(text))
    except (OSError, msgspec.DecodeError) as error:
        raise argparse.ArgumentTypeError(f"{text} keeps nothing of ours: {error}") from error


def names(text: str) -> list[str]:
    known = [one.name for one in ENTRANTS]
    asked = text.split(",")
    if unknown := set(asked) - {*known}:
        raise argparse.ArgumentTypeError(f"{min(unknown)} is none of {', '.join(known)}")
    return asked


def numbers(text: str) -> tuple[int, ...]:
    found = tuple(int(one) for one in text.split(","))
    if min(found) < 2:
        raise argparse.ArgumentTypeError("a group has at least 2 members")
    return found


def chosen(only: list[str] | None, *, quick: bool) -> tuple[list[Entrant], list[str]]:
    """Those who take part, and what the others lack."""
    wanted = [one for one in ENTRANTS if (one.name in only if only else one.quick or not quick)]
    absent = [f"{one.name}: {one.lacks()} is not installed" for one in wanted if one.lacks()]
    for one in absent:
        print(f"{one}: make rivals")
    return [one for one in wanted if not one.lacks()], absent


def compete(
    entrants: Sequence[Entrant],
    rounds: Mapping[int, int],
    plan: Plan,
    kept: Kept,
    tries: int = TRIES,
) -> tuple[list[Outcome], list[str]]:
    """All outcomes, and what did not come to its end; so many rounds at each size.

    In each round all take their turn; who goes wrong in one is out at that size.
    """
    outcomes: list[Outcome] = []
    broken: list[str] = []
    for size, runs in rounds.items():
        able = [one for one in entrants if size <= one.largest]
        for number in range(runs):
            for one in tuple(able):
                began = time.monotonic()
                try:
                    outcome = measured(kept, one.name, size, number, plan, tries)
                except Failed as failed:
                    able.remove(one)
                    broken.append(f"{one.name} n={size}: does not finish: {failed}")
                    print(broken[-1], flush=True)
                    continue
                outcomes.append(outcome)
                if outcome.fault:
                    able.remove(one)
                took_s = time.monotonic() - began
                print(f"n={size} {number + 1}/{runs} {line(outcome)} ({took_s:.0f} s)", flush=True)
    return outcomes, broken


def measured(kept: Kept, name: str, size: int, number: int, plan: Plan, tries: int) -> Outcome:
    """As it is kept, or now.  Raises Failed."""
    known = kept.get(name, size, number)
    if known is not None:
        return known
    found, stolen = undisturbed(
        lambda: contest(name, size, plan), lambda said: print(f"{name} n={size}: {said}"), tries
    )
    outcome = replace(found, stolen=stolen)
    kept.add(number, outcome)
    return outcome


def line(one: Outcome) -> str:
    return (
        f"{one.contestant:<9} {one.rate:>9,.0f}/s  {one.work_ms:>7,.1f} ms/1,000"
        f"  p50 {one.p50_ms:.2f} p99 {one.p99_ms:.2f} ms"
        f"  idle {one.idle:.2f} %  {one.resident_mb:.0f} MB"
        + (f"  {one.disordered:,} out of order" if one.disordered else "")
        + (f"  {one.stolen:.0%} taken away" if one.stolen > STOLEN_MAX else "")
        + (f"  FAULT {one.fault}" if one.fault else "")
    )


def aftermath(runs: int) -> dict[str, object]:
    """What ours does when the leader is gone, and for a newcomer."""
    killed: list[float] = []
    frozen: list[float] = []
    for _ in range(runs):
        killed.append(succession_ms(signal.SIGKILL))
        frozen.append(succession_ms(signal.SIGSTOP))
        print(f"leader killed {killed[-1]:,.0f} ms, frozen {frozen[-1]:,.0f} ms", flush=True)
    catch_up = catchup.joined()
    print(f"catch-up: {catch_up}", flush=True)
    return {"killed_ms": killed, "frozen_ms": frozen, "catch_up": catch_up}


def write(report: Report, to: Path) -> None:
    """The page, and the picture beside it."""
    picture = to.with_suffix(".svg")
    picture.write_text(svg(report.summaries), "utf-8")
    to.write_text(written(report, picture.name), "utf-8")
    print(f"wrote {to} and {picture.name}")


def concluded(report: Report, outcomes: Sequence[Outcome]) -> int:
    """Prints what was wrong, then our ratios; the exit code."""
    wrong = [*report.broken, *faults(outcomes)]
    for one in wrong:
        print(f"FAULT {one}")
    if told_so := disturbed(outcomes):
        print(f"NOTE {told_so}")
    for told in ratio_lines(report.summaries):
        print(told)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
