"""Hybrid logical clock: later than all that was seen, close to wall time where clocks agree.

Kulkarni, Demirbas and others: Logical Physical Clocks (2014).  A receiver takes a message of any
instant, whatever its own clock shows: a wrong clock degrades to a Lamport clock.
"""

from .types import Hlc, WallMillis

MS_MAX = 2**42  # beyond it lies the year 2109: nobody's honest clock
COUNTER_MAX = 65_535


def tick(wall: WallMillis, past: Hlc) -> Hlc:
    """The next instant: wall time if that is later than `past`, else just after `past`."""
    if past.ms < wall < MS_MAX:
        return Hlc(wall, 0)
    if past.counter < COUNTER_MAX:
        return Hlc(past.ms, past.counter + 1)
    return Hlc(past.ms + 1, 0)


def follows(hlc: Hlc, past: Hlc) -> bool:
    """May an honest clock have shown this instant after `past`?"""
    return hlc > past and (hlc.ms < MS_MAX or hlc.ms <= past.ms + 1)


def advance(past: Hlc, seen: Hlc) -> Hlc:
    """Our clock, which had seen `past`, after an instant that somebody names: one that was made up
    moves it by a millisecond, so that no clock is driven to its end.
    """
    if seen <= past or follows(seen, past):
        return max(past, seen)
    return Hlc(past.ms + 1, 0)
