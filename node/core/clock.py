"""Hybrid logical clock: later than all that was seen, close to wall time where clocks agree.

Kulkarni, Demirbas and others: Logical Physical Clocks (2014).  A receiver takes a message of any
instant, whatever its own clock shows: a wrong clock degrades to a Lamport clock.

An instant beyond the horizon was made up, and moves no clock until the horizon has passed it.  The
horizon moves with wall time, since an author may tell one member alone of the last instant before
it: that one goes on beyond, and all others follow as soon as their wall clocks have got there.
"""

from .types import Hlc, Millis, WallMillis

MS_MAX = 2**42  # beyond it lies the year 2109: nobody's honest clock
COUNTER_MAX = 65_535
WRITTEN_MS: WallMillis = 1_767_225_600_000  # 2026: no clock is right that shows less
AHEAD_MS: Millis = 40 * 366 * 24 * 3_600_000  # a clock that is wrong by more is none


def tick(wall: WallMillis, past: Hlc) -> Hlc:
    """The next instant: wall time if that is later than `past`, else just after `past`."""
    if past.ms < wall < MS_MAX:
        return Hlc(wall, 0)
    if past.counter < COUNTER_MAX:
        return Hlc(past.ms, past.counter + 1)
    return Hlc(past.ms + 1, 0)


def horizon(wall: WallMillis) -> WallMillis:
    """No clock is later than that.  It grows with time, and with nothing that is brought or said:
    else somebody could bring the last that is taken, and nobody what comes after it.
    """
    return max(min(wall, MS_MAX), WRITTEN_MS) + AHEAD_MS


def is_made_up(hlc: Hlc, wall: WallMillis) -> bool:
    """Is it beyond the horizon, where our wall clock shows that?"""
    return hlc.ms >= min(horizon(wall), MS_MAX)


def advance(past: Hlc, seen: Hlc, wall: WallMillis) -> Hlc:
    """Our clock, which had seen `past`, after an instant that somebody names: one that was made up
    does not move it, so that no clock is driven to its end.
    """
    return seen if seen > past and not is_made_up(seen, wall) else past


def follows(hlc: Hlc, past: Hlc) -> bool:
    """May an honest clock have shown this instant after `past`, the latest that it had seen?  All
    find the same, whatever their own clocks show.
    """
    return hlc > past and (hlc.ms < MS_MAX or hlc.ms <= past.ms + 1)
