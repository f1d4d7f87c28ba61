"""A failing life is told by the commands that it needs, and these can be lived again."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from . import mutants
from .planted import MUTANTS
from .shrinking import Schedule, kind, shrink
from .swarm import Outcome, live

ROOT = Path(__file__).resolve().parents[2]


def outcome(seed: int, promise: str, text: str, steps: tuple[tuple[int, str], ...] = ()) -> Outcome:
    return Outcome(seed, promise, text, 0, 0, 0, 0.0, 0, 1, Counter(), "options", steps)


def test_only_what_a_failure_needs_is_left() -> None:
    steps = tuple((at, f"say {at}") for at in range(40))
    tries = []

    def needs_three(seed: int, steps: tuple[tuple[int, str], ...]) -> Outcome:
        tries.append(steps)
        bad = {(3, "say 3"), (17, "say 17"), (30, "say 30")} <= set(steps)
        return outcome(seed, "S4" if bad else "", f"S4: lost {len(steps)}", steps)

    shrunk = shrink(outcome(7, "S4", "S4: lost 40", steps), needs_three, lambda _: None)
    assert shrunk.steps == ((3, "say 3"), (17, "say 17"), (30, "say 30"))
    assert shrunk.about[0] == "S4: lost 3"
    assert len(tries) <= 200


def test_tries_are_bounded_and_what_a_world_needs_stays() -> None:
    steps = (
        (0, "registry up"),
        (1, "new 1 500"),
        (1, "found 1"),
        *((2, "say 1") for _ in range(90)),
    )
    tries = []

    def always(seed: int, steps: tuple[tuple[int, str], ...]) -> Outcome:
        tries.append(steps)
        return outcome(seed, "S4", "S4", steps)

    broken = outcome(7, "S4", "S4", steps)
    assert shrink(broken, always, lambda _: None, tries=3).seed == 7
    assert len(tries) == 3
    assert shrink(broken, always, lambda _: None).steps == steps[:3]


def test_another_failure_is_not_the_same_whatever_its_numbers() -> None:
    one = outcome(1, "S8", "S8: no convergence in 2000 ms: 2 was shown ['3/606.1']")
    assert kind(one) == kind(outcome(1, "S8", "S8: no convergence in 900 ms: 7 was shown ['x']"))
    assert kind(one) != kind(outcome(1, "S8", "S8: no convergence in 2000 ms: 2 is no member"))


def test_schedule_is_read_as_it_is_written() -> None:
    schedule = Schedule(7, ((0, "registry up"), (20, "say 3 hello")), ("S4: lost", "options"))
    assert Schedule.parse(schedule.text()) == schedule
    with pytest.raises(ValueError, match="begins with its seed"):
        Schedule.parse("12 kill 3\n")


@pytest.mark.parametrize("seed", [3, 11])
def test_life_written_down_and_lived_again_is_the_same_life(seed: int) -> None:
    drawn = live(seed, keep=True)
    again = live(seed, steps=drawn.steps)
    assert again.steps == ()
    assert (again.handled, again.simulated_ms, again.promise) == (
        drawn.handled,
        drawn.simulated_ms,
        drawn.promise,
    )


def test_planted_bug_is_shrunk_to_a_schedule_that_shows_it_and_nothing_without_it(tmp_path) -> None:
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name == "a dependency ignored")
    mutants.plant(mutant, tmp_path)
    sought = _swarm(tmp_path, "--first", "--start", "20", "--seeds", "40", "--processes", "1")
    seed = sought.stdout.partition("seed ")[2].partition(":")[0]
    file = tmp_path / "schedule.txt"
    shrunk = _swarm(tmp_path, "--seed", seed, "--shrink", str(file))
    assert shrunk.returncode == 1
    schedule = Schedule.parse(file.read_text("utf-8"))
    left, before = (int(n) for n in schedule.about[2].split()[:3:2])
    assert len(schedule.steps) == left < before * 2 / 3, schedule.text()
    assert _swarm(tmp_path, "--schedule", str(file)).returncode == 1
    assert not live(schedule.seed, steps=schedule.steps).text


def test_a_life_that_keeps_its_promises_is_not_shrunk_and_that_is_said(tmp_path) -> None:
    file = tmp_path / "schedule.txt"
    done = _swarm(ROOT, "--seed", "7", "--shrink", str(file))
    last = done.stdout.splitlines()[-1]
    assert last == "seed 7 keeps its promises: nothing to shrink, nothing written"
    assert (done.returncode, file.exists()) == (0, False)


def test_a_schedule_that_is_none_is_named_in_one_line(tmp_path) -> None:
    done = _swarm(ROOT, "--schedule", str(tmp_path / "none.txt"), "--trace")
    assert done.stderr == f"{tmp_path / 'none.txt'}: No such file or directory\n"
    assert done.returncode == 2
    (tmp_path / "other.txt").write_text("seed 7\nsoon kill 3\n")
    done = _swarm(ROOT, "--schedule", str(tmp_path / "other.txt"))
    assert done.stderr.startswith(f"{tmp_path / 'other.txt'} is no schedule: ")
    assert (done.stderr.count("\n"), done.returncode) == (1, 2)


@pytest.mark.parametrize("wrong", [("--seeds", "-3"), ("--seeds", "0"), ("--seed", "-1")])
def test_so_few_lives_are_refused(wrong: tuple[str, str]) -> None:
    done = _swarm(ROOT, *wrong)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"argument {wrong[0]}: {wrong[1]} is less than " in done.stderr


def _swarm(tree, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.sim.swarm", *args]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
