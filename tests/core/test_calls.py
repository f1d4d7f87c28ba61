"""Tries node/core/calls.py."""

import pytest

from node.core.calls import MARGIN_MS, Calls, Outcome, Outstanding, absent
from node.core.messages import Lookup, Refusal
from node.core.reasons import Reason
from node.core.types import Silence

ASKED = Lookup(1)


def nothing(_: Outstanding, __: Outcome) -> None:
    """No consequence."""


def test_each_call_has_a_number_of_its_own_and_is_closed_once() -> None:
    calls = Calls()
    first, second = (calls.open(0, member, ASKED, 100, nothing) for member in (2, 3))
    assert first != second
    closed = calls.close(second)
    assert closed is not None
    assert closed.to == 3
    assert calls.close(second) is None
    assert len(calls) == 1


def test_a_call_ends_by_itself_a_little_after_its_time() -> None:
    calls = Calls()
    calls.open(1_000, 2, ASKED, 250, nothing)
    assert calls.deadline == 1_250 + MARGIN_MS
    assert calls.overdue(1_249 + MARGIN_MS) == []
    (over,) = calls.overdue(1_250 + MARGIN_MS)
    assert (over.to, over.request, over.sent_at) == (2, ASKED, 1_000)
    assert calls.overdue(9_999) == []
    assert calls.deadline is None


def test_an_answer_that_comes_late_finds_its_call_where_it_is_of_use_and_for_so_long() -> None:
    calls = Calls()
    used, other, past, forgotten = (
        calls.open(0, 2, ASKED, 100, nothing, late=late, late_ms=1_000)
        for late in (nothing, None, nothing, nothing)
    )
    assert calls.close_late(200, used) is None, "its time is not over"
    assert len(calls.overdue(100 + MARGIN_MS)) == 4
    assert calls.close(used) is None
    late = calls.close_late(200, used)
    assert late is not None
    assert (late.to, late.late) == (2, nothing)
    assert calls.close_late(200, used) is None
    assert calls.close_late(200, other) is None
    assert calls.close_late(1_000 + MARGIN_MS, past) is None
    assert calls.overdue(1_000 + MARGIN_MS) == []
    assert calls.close_late(200, forgotten) is None
    assert not calls._over


def test_nothing_comes_late_to_a_membership_that_is_over() -> None:
    calls = Calls()
    call = calls.open(0, 2, ASKED, 100, nothing, late=nothing, late_ms=1_000)
    calls.overdue(100 + MARGIN_MS)
    calls.clear()
    assert calls.close_late(200, call) is None


def test_the_deadline_passes_over_calls_that_were_answered() -> None:
    calls = Calls()
    soon = calls.open(0, 2, ASKED, 10, nothing)
    calls.open(0, 3, ASKED, 50, nothing)
    calls.close(soon)
    assert calls.deadline == 50 + MARGIN_MS


def test_excuse_gives_overdue_calls_more_time_and_leaves_the_others_alone() -> None:
    calls = Calls()
    for member, ms in ((2, 10), (3, 20), (4, 5_000)):
        calls.open(0, member, ASKED, ms, nothing)
    calls.excuse(1_000, 250)
    assert calls.overdue(1_249) == []
    assert [call.to for call in calls.overdue(1_250)] == [2, 3]
    assert calls.deadline == 5_000 + MARGIN_MS


def test_an_excused_call_that_was_answered_stays_closed() -> None:
    calls = Calls()
    call = calls.open(0, 2, ASKED, 10, nothing)
    calls.close(call)
    calls.excuse(1_000, 250)
    assert calls.overdue(9_999) == []


@pytest.mark.parametrize(
    ("outcome", "gone"),
    [
        (Silence.REFUSED, True),
        (Silence.SILENT, False),
        (Refusal(Reason.UNKNOWN_CHAT), True),
        (Refusal(Reason.WRONG_MEMBER), True),
        (Refusal(Reason.UNKNOWN_MEMBER), False),
        (Refusal(Reason.LEFT), False),
    ],
)
def test_absent_means_that_certainly_nobody_is_there(outcome: Outcome, gone: bool) -> None:
    assert absent(outcome) is gone


def test_what_is_given_up_never_ends() -> None:
    calls = Calls()
    call = calls.open(0, 2, ASKED, 100, nothing)
    calls.clear()
    assert calls.deadline is None
    assert calls.overdue(1_000) == []
    assert calls.close(call) is None
