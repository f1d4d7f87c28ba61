"""What is left of a log after the loss of power is a prefix of whole transactions."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.crash import __main__ as program
from tests.crash.torn import boundaries, check_cut, check_damage, check_half_moved, written

SEED = int(os.environ.get("P2PCHAT_TORN_SEED", "1"))


def test_a_write_ahead_log_that_was_cut_loads_as_whole_transactions(tmp_path: Path) -> None:
    history, chance = written(tmp_path, SEED), Random(SEED)
    assert len(set(history.states)) > 5
    cuts = boundaries(history)
    for cut in {*chance.sample(cuts, 60), *history.sizes, 0, len(history.wal)}:
        check_cut(tmp_path, history, cut)


def test_a_write_ahead_log_that_was_spoilt_loads_what_is_before(tmp_path: Path) -> None:
    history, chance = written(tmp_path, SEED), Random(SEED)
    for _ in range(30):
        check_damage(tmp_path, history, chance.randrange(len(history.wal)), chance)


def test_a_write_ahead_log_that_was_half_moved_loads_as_a_whole(tmp_path: Path) -> None:
    history, chance = written(tmp_path, SEED), Random(SEED)
    for _ in range(10):
        check_half_moved(tmp_path, history, chance)


def test_the_checks_find_a_loss(tmp_path: Path) -> None:
    history = written(tmp_path, SEED, 3)
    wrong = Path(tmp_path / "other")
    wrong.mkdir()
    other = written(wrong, SEED + 1, 3)
    with pytest.raises(AssertionError, match="transactions were whole"):
        check_cut(tmp_path, type(history)(other.base, other.wal, *_rest(history)), 10**9)


def _rest(history: object) -> tuple[object, ...]:
    return (history.moved, history.states, history.sizes)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "torn"), [([], True), (["--start", "7", "--count", "2"], False)]
)
def test_logs_are_torn_where_points_are_not_counted(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], torn: bool
) -> None:
    done: list[object] = []
    monkeypatch.setattr(program, "tear", lambda directory: done.append("torn"))
    monkeypatch.setattr(program, "crash", lambda _, *about: done.append(about) or 2)
    monkeypatch.setattr("sys.argv", ["tests.crash", *arguments])
    assert program.main() == 0
    about = (7, 2, 1) if arguments else (1, program.POINTS_MAX, 1)
    assert done == [*(["torn"] if torn else []), about]
