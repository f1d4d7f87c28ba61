"""What is kept of a comparison and what is measured again.  Tries tests/bench/groups/kept.py."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from . import __main__ as program
from . import kept
from .contest import Failed, Plan
from .kept import Kept, stolen_s, undisturbed
from .roll import contestant
from .test_groups import outcome

STAT = """cpu  10 0 10 10 0 0 0 {stolen} 0 0
cpu0 5 0 5 5 0 0 0 50 0 0
cpu1 5 0 5 5 0 0 0 50 0 0
intr 5
"""


def test_the_share_that_was_taken_is_of_all_processors(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    assert stolen_s(stat) == 0.0
    stat.write_text(STAT.format(stolen=1_000))
    assert stolen_s(stat) == 5.0


@pytest.mark.parametrize(
    ("taken", "tries", "measured", "told"),
    [
        ([0.0, 0.0], 3, 1, 0),
        ([0.0, 9.0, 9.0, 9.0], 3, 2, 1),
        ([0.0, 9.0, 9.0, 18.0, 18.0, 27.0], 3, 3, 2),
        ([0.0, 9.0], 1, 1, 0),
    ],
    ids=["never", "once", "always", "in haste"],
)
def test_what_is_measured_while_the_machine_is_another_s_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, taken: list[float], tries: int, measured: int, told: int
) -> None:
    before: Iterator[float] = iter(taken)
    monkeypatch.setattr(kept, "stolen_s", lambda: next(before))
    counted: list[int] = []
    said: list[str] = []

    def measure() -> int:
        counted.append(len(counted) + 1)
        return counted[-1]

    found, share = undisturbed(measure, said.append, tries)
    assert found == measured == len(counted)
    assert (share > 0.1) == (len(taken) == 2 * tries)
    assert len(said) == told
    assert all("taken away meanwhile: measured again" in one for one in said)


def failing(fails: int, counted: list[int]) -> int:
    counted.append(len(counted) + 1)
    if len(counted) <= fails:
        raise Failed("does not answer in time")
    return counted[-1]


def test_who_fails_while_the_machine_is_another_s_is_measured_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before: Iterator[float] = iter([0.0, 9.0, 9.0, 9.0])
    monkeypatch.setattr(kept, "stolen_s", lambda: next(before))
    counted: list[int] = []
    said: list[str] = []
    assert undisturbed(lambda: failing(1, counted), said.append) == (2, 0.0)
    assert said[0].endswith("measured again: does not answer in time")


@pytest.mark.parametrize(
    ("taken", "measured"), [([0.0, 0.0], 1), ([0.0, 9.0, 9.0, 18.0, 18.0, 27.0], 3)]
)
def test_who_fails_on_a_machine_of_its_own_or_to_the_end_has_failed(
    monkeypatch: pytest.MonkeyPatch, taken: list[float], measured: int
) -> None:
    before: Iterator[float] = iter(taken)
    monkeypatch.setattr(kept, "stolen_s", lambda: next(before))
    counted: list[int] = []
    with pytest.raises(Failed, match="in time"):
        undisturbed(lambda: failing(9, counted), lambda _: None)
    assert len(counted) == measured


def test_a_run_goes_on_where_one_before_it_was_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, int]] = []

    def contest(name: str, size: int, _: Plan) -> object:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append((name, size))
        return outcome(name, 100.0 + len(made), size=size)

    monkeypatch.setattr(program, "contest", contest)
    file = tmp_path / "kept.jsonl"
    both = [contestant("ours"), contestant("raw-grpc")]
    with pytest.raises(KeyboardInterrupt):
        program.compete(both, {4: 2}, Plan(), Kept(file))
    assert made == [("ours", 4), ("raw-grpc", 4), ("ours", 4)]
    made.clear()
    outcomes, broken = program.compete(both, {4: 1, 10: 1}, Plan(), Kept(file))
    assert not broken
    assert made == [("ours", 10), ("raw-grpc", 10)]
    assert [one.rate for one in outcomes] == [101.0, 102.0, 101.0, 102.0]
    made.clear()
    outcomes, _ = program.compete(both, {4: 2, 10: 2}, Plan(), Kept(file))
    assert made == [("raw-grpc", 4), ("ours", 10), ("raw-grpc", 10)]
    assert len(outcomes) == 8


def test_what_was_disturbed_to_the_end_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = iter((0.0, 9.0, 9.0, 9.0))
    monkeypatch.setattr(kept, "stolen_s", lambda: next(taken))
    monkeypatch.setattr(program, "contest", lambda name, size, _: outcome(name, 1.0, size=size))
    assert program.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["taken away" in line for line in lines if line.startswith("n=4")] == [True, False]
    assert lines[-2].startswith("NOTE 1 of 2 measured while more than 10% of the machine was taken")
    assert lines[-1] == "ratio raw-grpc n=4 1.00"


def test_each_size_has_its_rounds_and_only_those_who_are_of_interest_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(program, "contest", lambda name, size, _: outcome(name, 1.0, size=size))
    some = [contestant("ours"), contestant("ours-bare")]
    outcomes, _ = program.compete(some, {10: 2, 50: 1}, Plan(), Kept())
    took = [(one.contestant, one.size) for one in outcomes]
    assert took == [*[("ours", 10), ("ours-bare", 10)] * 2, ("ours", 50)]


def test_a_file_of_something_else_is_none(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    file.write_text("{}\n")
    with pytest.raises(msgspec.DecodeError):
        Kept(file)
    with pytest.raises(SystemExit) as ended:
        program.main(["--keep", str(file), "--quick"])
    assert ended.value.code == 2
