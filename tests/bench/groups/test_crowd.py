"""Tries tests/bench/groups/crowd.py: a group of two processes with two members each."""

import pytest

from .contest import Plan
from .crowd import SHAPES, main, measured

QUICK = Plan(talk_s=1.0, idle_s=0.2, rate=8)


def test_members_that_share_a_process_are_measured_each() -> None:
    crowd = measured(4, 2, QUICK)
    assert (crowd.size, crowd.processes) == (4, 2)
    assert crowd.connections >= 3, "each is linked with all others"
    assert 0 < crowd.p50_ms <= crowd.p99_ms
    assert crowd.row.count("|") == 12


def test_only_shapes_that_are_measured_can_be_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--sizes", "7"])
    known = ", ".join(str(size) for size, _ in SHAPES)
    assert f"one of {known}" in capsys.readouterr().err
