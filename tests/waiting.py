"""Waiting for a fact, which is asked for until it holds; never for a span of time.

To ask costs the machine something, mostly on both sides, and slows down what is waited for.  So the
longer it has taken already, the longer until it is asked again: a tenth of that, within bounds.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

WAIT_S = 90.0  # for what takes a second or two on an idle machine
CALL_S = 20.0  # for an answer that takes some milliseconds there
SHARE = 0.1
SOON_S, LATE_S = 0.02, 0.25
LOOK_S = 0.04  # between two looks at a screen, where something may stand for a moment only


def pause_s(since: float) -> float:
    """How long until the next attempt, of one who began at `since` by the monotonic clock."""
    return min(LATE_S, max(SOON_S, SHARE * (time.monotonic() - since)))


def wait_for(what: Callable[[], T], why: str = "", wait_s: float = WAIT_S) -> T:
    """Asks until the answer is true; fails with `why` and the last answer when time is over."""
    began = time.monotonic()
    while not (found := what()):
        waited = time.monotonic() - began
        assert waited < wait_s, f"after {wait_s:g} s still not so: {why}; {found!r}"
        time.sleep(pause_s(began))
    return found
