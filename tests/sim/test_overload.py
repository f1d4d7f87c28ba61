"""However small the machine, a crowd comes through what it has said: tests/sim/overload.py."""

import pytest

from tests.sim.elections import grown
from tests.sim.overload import talk


@pytest.mark.parametrize(
    ("dear", "told", "polls"), [(0.5, 1.0, 0), (1.0, 1.02, 60), (3.0, 1.3, 1_300)]
)
def test_what_is_late_is_hardly_said_again(dear: float, told: float, polls: int) -> None:
    figures = talk(grown(1, 50), 30, dear)
    assert figures.delivered == figures.wanted
    assert figures.told <= told
    assert figures.calls["Elect"] <= polls
    assert figures.epochs <= 1
    assert figures.work_ms <= 3.0 * dear, "each delivery costs no more where all are late"


def test_all_may_speak_at_once() -> None:
    figures = talk(grown(1, 50), 30, 3.0, at_once=True)
    assert figures.delivered == figures.wanted
    assert figures.told <= 1.1
