"""Tries node/core/clock.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.clock import (
    AHEAD_MS,
    COUNTER_MAX,
    MS_MAX,
    WRITTEN_MS,
    advance,
    follows,
    horizon,
    tick,
)
from node.core.types import NO_HLC, Hlc

from .laws import fixed

hlcs = st.builds(Hlc, st.integers(0, MS_MAX + 5), st.integers(0, COUNTER_MAX))


@pytest.mark.parametrize(
    ("wall", "past", "next"),
    [
        (100, NO_HLC, (100, 0)),
        (100, (99, 7), (100, 0)),
        (100, (100, 7), (100, 8)),  # Within one millisecond.
        (100, (200, 7), (200, 8)),  # Our clock is behind: a Lamport clock.
        (100, (200, COUNTER_MAX), (201, 0)),  # A full counter carries.
        (MS_MAX, (200, 7), (200, 8)),  # Our clock is out of its mind.
        (MS_MAX - 1, (200, 7), (MS_MAX - 1, 0)),
    ],
)
def test_the_clock_is_wall_time_unless_that_is_past(
    wall: int, past: tuple[int, int], next: tuple[int, int]
) -> None:
    assert tick(wall, Hlc(*past)) == next


@pytest.mark.parametrize(
    ("hlc", "past", "ok"),
    [
        ((5, 1), (5, 0), True),
        ((5, 0), (5, 0), False),
        ((4, 9), (5, 0), False),
        ((MS_MAX - 1, 0), (0, 0), True),
        ((MS_MAX, 0), (0, 0), False),
        ((MS_MAX, 0), (MS_MAX - 1, 0), True),  # Somebody's clock is wrong, the group goes on.
        ((MS_MAX + 1, 0), (MS_MAX - 1, 0), False),
    ],
)
def test_an_honest_instant_is_later_than_what_it_follows_and_never_absurdly_late(
    hlc: tuple[int, int], past: tuple[int, int], ok: bool
) -> None:
    assert follows(Hlc(*hlc), Hlc(*past)) is ok


@fixed
@given(st.integers(0, 2 * MS_MAX), hlcs)
def test_every_tick_may_follow_what_it_was_made_from(wall: int, past: Hlc) -> None:
    assert follows(tick(wall, past), past)


YEAR_MS = 366 * 24 * 3_600_000
NOW = WRITTEN_MS + YEAR_MS


@pytest.mark.parametrize("wall", [NOW, 0])  # Of whose clock shows 1970, too.
@pytest.mark.parametrize(
    ("past", "seen", "now"),
    [
        ((5, 1), (4, 9), (5, 1)),
        ((5, 1), (5, 2), (5, 2)),
        ((5, 1), (NOW + 30 * YEAR_MS, 7), (NOW + 30 * YEAR_MS, 7)),
        ((5, 1), (NOW + AHEAD_MS, 0), (5, 1)),  # It was made up.
        ((MS_MAX - 1, 0), (MS_MAX, 9), (MS_MAX - 1, 0)),
    ],
)
def test_a_clock_goes_on_from_what_it_has_seen_though_not_from_what_was_made_up(
    past: tuple[int, int], seen: tuple[int, int], now: tuple[int, int], wall: int
) -> None:
    assert advance(Hlc(*past), Hlc(*seen), wall) == now


@pytest.mark.parametrize("wall", [MS_MAX - AHEAD_MS + 5, 3 * MS_MAX])
def test_whatever_a_wall_clock_shows_nothing_beyond_2109_moves_ours(wall: int) -> None:
    assert advance(NO_HLC, Hlc(MS_MAX - 1, 3), wall) == Hlc(MS_MAX - 1, 3)
    assert advance(NO_HLC, Hlc(MS_MAX, 0), wall) == NO_HLC


@pytest.mark.parametrize("later", [1, 5_000, YEAR_MS])
def test_what_goes_on_after_the_last_instant_that_one_follows_all_follow_a_moment_later(
    later: int,
) -> None:
    last = Hlc(horizon(NOW) - 1, COUNTER_MAX)
    told = advance(NO_HLC, last, NOW)
    after = tick(NOW, told)
    assert told == last
    assert advance(NO_HLC, after, NOW) == NO_HLC
    assert advance(NO_HLC, after, NOW + later) == after


@fixed
@given(hlcs, hlcs, st.integers(0, 2 * MS_MAX))
def test_a_clock_never_goes_back_nor_to_its_end(past: Hlc, seen: Hlc, wall: int) -> None:
    now = advance(past, seen, wall)
    assert now == past or (now > past and now.ms < MS_MAX)
