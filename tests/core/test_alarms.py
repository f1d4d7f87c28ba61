"""Tries node/core/alarms.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.alarms import Alarm, Alarms

from .laws import fixed

SYNC, LANE, DROP = Alarm.SYNC, Alarm.LANE, Alarm.DROP


def rung(alarms: Alarms, now: int) -> list[tuple[Alarm, int]]:
    keys = []
    while (key := alarms.next_due(now)) is not None:
        keys.append(key)
    return keys


@pytest.mark.parametrize(
    ("settings", "deadline", "rings"),
    [
        ([], None, []),
        ([("set", SYNC, 5, 0)], 5, [(SYNC, 0)]),
        ([("set", SYNC, 5, 0), ("set", SYNC, 9, 0)], 9, []),
        ([("set", SYNC, 9, 0), ("set", SYNC, 5, 0)], 5, [(SYNC, 0)]),
        ([("set", SYNC, 5, 0), ("set", SYNC, 9, 0), ("set", SYNC, 5, 0)], 5, [(SYNC, 0)]),
        ([("set_earlier", SYNC, 5, 0), ("set_earlier", SYNC, 9, 0)], 5, [(SYNC, 0)]),
        ([("set_earlier", SYNC, 9, 0), ("set_earlier", SYNC, 5, 0)], 5, [(SYNC, 0)]),
        ([("set", LANE, 5, 2), ("set", LANE, 6, 3)], 5, [(LANE, 2), (LANE, 3)]),
        ([("set", LANE, 6, 2), ("set", DROP, 5, 2)], 5, [(DROP, 2), (LANE, 2)]),
        ([("set", LANE, 5, 2), ("cancel", LANE, 0, 2)], None, []),
        ([("set", LANE, 5, 2), ("cancel", LANE, 0, 3)], 5, [(LANE, 2)]),
    ],
)
def test_an_alarm_rings_once_at_the_instant_it_was_last_set_to(
    settings: list[tuple[str, Alarm, int, int]],
    deadline: int | None,
    rings: list[tuple[Alarm, int]],
) -> None:
    alarms = Alarms()
    for verb, alarm, at, member in settings:
        if verb == "cancel":
            alarms.cancel(alarm, member)
        else:
            getattr(alarms, verb)(alarm, at, member)
    assert alarms.deadline == deadline
    assert rung(alarms, 4) == []
    assert rung(alarms, 7) == rings
    assert rung(alarms, 7) == []


def test_a_spent_alarm_is_no_longer_set() -> None:
    alarms = Alarms()
    alarms.set(SYNC, 5)
    assert alarms.at(SYNC) == 5
    assert rung(alarms, 5) == [(SYNC, 0)]
    assert alarms.at(SYNC) is None
    assert alarms.deadline is None


def test_clear_silences_everything() -> None:
    alarms = Alarms()
    alarms.set(SYNC, 5)
    alarms.set(LANE, 6, 2)
    alarms.clear()
    assert (alarms.deadline, rung(alarms, 9)) == (None, [])


@fixed
@given(st.lists(st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, 3), st.integers(0, 30))))
def test_the_deadline_is_the_earliest_of_what_was_set_last(
    steps: list[tuple[int, int, int]],
) -> None:
    alarms, model = Alarms(), dict[int, int]()
    for verb, member, at in steps:
        if verb == 0:
            alarms.set(LANE, at, member)
            model[member] = at
        elif verb == 1:
            alarms.set_earlier(LANE, at, member)
            model[member] = min(at, model.get(member, at))
        else:
            alarms.cancel(LANE, member)
            model.pop(member, None)
        assert alarms.deadline == min(model.values(), default=None)
    assert sorted(rung(alarms, 15)) == sorted((LANE, k) for k, at in model.items() if at <= 15)
