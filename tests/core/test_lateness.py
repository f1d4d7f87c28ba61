"""Patience of those who are late themselves: node/core/lateness.py."""

import pytest

from node.core import messages as m
from node.core.effects import Call
from node.core.lateness import TIMES_MAX, Lateness
from node.core.timing import LAN

from .dialogue import follower


def test_who_is_on_time_waits_as_long_as_usual() -> None:
    lateness = Lateness()
    assert lateness.patient(5_000, 250) == 250


@pytest.mark.parametrize(
    ("late", "after", "patience"),
    [(50, 0, 450), (50, 999, 450), (50, 1_000, 350), (50, 10_000, 250), (3_000, 0, 1_000)],
)
def test_who_was_late_waits_longer_and_less_so_with_time(
    late: int, after: int, patience: int
) -> None:
    lateness = Lateness()
    lateness.note(7_000, late)
    assert lateness.patient(7_000 + after, 250) == patience
    assert patience <= TIMES_MAX * 250


def test_the_latest_of_several_turns_counts() -> None:
    lateness = Lateness()
    for late in (30, 80, 40):
        lateness.note(7_000, late)
    assert lateness.now(7_000) == 80
    assert lateness.now(8_500) == 40
    assert lateness.now(9_000) == 20


@pytest.mark.parametrize(
    ("late", "ms"), [(20, 250), (100, 250 + 4 * 100), (250, 4 * 250), (251, 250), (9_000, 250)]
)
def test_a_turn_that_comes_late_gives_the_calls_of_the_next_seconds_more_time(
    late: int, ms: int
) -> None:
    talk = follower(3, 1, 2)
    due = talk.group.deadline
    assert due is not None
    talk.freeze(due - talk.now + late)
    said = [*talk.said, *talk.wait(LAN.t2_ms - 1)]
    pings = [e for e in said if isinstance(e, Call) and isinstance(e.request, m.Ping)]
    assert pings[0].deadline_ms == ms
