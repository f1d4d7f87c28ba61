"""Patience of those who are late themselves: node/core/lateness.py."""

import pytest

from node.core import messages as m
from node.core.effects import Call
from node.core.events import Answered, AnsweredLate
from node.core.lateness import Lateness
from node.core.timing import LAN, TIMES_MAX

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


def test_one_whose_answers_are_late_may_have_stalled_and_two_tell_of_the_machine() -> None:
    lateness = Lateness()
    lateness.answered_late(7_000, "a:1", 600)
    lateness.answered_late(7_100, "a:1", 600)
    assert lateness.patient(7_100, 250) == 250
    lateness.answered_late(7_200, "b:1", 400)
    assert lateness.patient(7_200, 250) == 250 + 400
    lateness.answered_late(9_200, "c:1", 4_000)
    assert lateness.patient(9_200, 250) == 250 + 4 * 25, "the other was too long ago"


def test_answers_that_come_late_give_later_calls_more_time() -> None:
    talk = follower(3, 1, 2)
    for member in (1, 2):
        talk.hand(AnsweredLate(f"m{member}:7000", 200))
    said = talk.wait(LAN.t2_ms - 1)
    pings = [e for e in said if isinstance(e, Call) and isinstance(e.request, m.Ping)]
    assert pings[0].deadline_ms == 250 + 200


def test_acknowledgements_that_come_late_give_later_calls_more_time() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    calls = {to: talk.call(m.Tell, to=to).call for to in (1, 2)}
    talk.wait(LAN.ack_ms + 200)
    for to, call in calls.items():
        talk.hand(Answered(call, m.Told(m.Receipt.STORED, said.id, to)))
    talk.hold(m.Ping)
    talk.wait_for(m.Ping)
    assert talk.call(m.Ping).deadline_ms == 250 + 200


def test_the_latest_of_several_turns_counts() -> None:
    lateness = Lateness()
    for late in (30, 80, 40):
        lateness.note(7_000, late)
    assert lateness.now(7_000) == 80
    assert lateness.now(8_500) == 40
    assert lateness.now(9_000) == 20


@pytest.mark.parametrize(
    ("late", "ms"),
    [(20, 250), (100, 250 + 4 * 100), (187, 998), (251, 1_000), (9_000, 1_000)],
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
