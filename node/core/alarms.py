"""Named alarms: each rings once, at the instant it was last set to."""

from enum import IntEnum, auto
from heapq import heappop, heappush
from typing import TypeAlias

from .types import FOREVER, Millis


class Alarm(IntEnum):
    """What a group waits for.  Most exist once; some once a member."""

    LEADER = auto()  # ping the leader
    HINT = auto()  # the leader's link broke a few ms ago
    WAIT = auto()  # a lower id said OK: its COORDINATOR should have come
    CLAIM = auto()  # repeat a claim whose fate is unknown
    PULSE = auto()  # does nothing but come late after a stall, which is how a leader notices it
    RENEW = auto()
    RECORD = auto()  # read the registry's record
    PROVISIONAL = auto()  # the provisional leader's round of duties, or its follower's
    STAND_IN = auto()  # a provisional leader's follower that reaches the registry claims itself
    MEMBERS = auto()  # the leader looks after its members
    NEWS = auto()  # tell the members of a large group what is new about some
    DROP = auto()  # of a member: suspected long enough
    LANE = auto()  # of a member: try its queue again
    SPREAD = auto()  # what was to be passed on is not acknowledged yet
    ACKS = auto()  # of an author: tell it who has stored what we passed on
    SYNC = auto()  # anti-entropy
    CATCH_UP = auto()  # of a member: synchronise with it
    HOLES = auto()  # messages wait for others: are those lost?
    TRIM = auto()  # the log is too large still
    JOIN = auto()  # try again to get in
    LEAVE = auto()  # stop waiting for those that were told
    FAREWELL = auto()  # of a member: tell it once more that we leave
    HAND_OVER = auto()  # the named successor has not claimed
    ASK = auto()  # we were removed: does that count still?


Key: TypeAlias = tuple[Alarm, int]


class Alarms:
    def __init__(self) -> None:
        self._at: dict[Key, Millis] = {}
        self._queue: list[tuple[Millis, Key]] = []  # heap; entries go stale in place

    def set(self, alarm: Alarm, at: Millis, member: int = 0) -> None:
        """Ring at `at`, and no longer at any instant set before."""
        key = alarm, member
        if self._at.get(key) != at:
            self._at[key] = at
            heappush(self._queue, (at, key))

    def set_earlier(self, alarm: Alarm, at: Millis, member: int = 0) -> None:
        """Ring at `at` unless it rings before."""
        known = self._at.get((alarm, member))
        if known is None or at < known:
            self.set(alarm, at, member)

    def cancel(self, alarm: Alarm, member: int = 0) -> None:
        self._at.pop((alarm, member), None)

    def at(self, alarm: Alarm, member: int = 0) -> Millis | None:
        return self._at.get((alarm, member))

    def next_due(self, now: Millis) -> Key | None:
        """One alarm whose time has come; it is spent."""
        while self._queue and self._queue[0][0] <= now:
            at, key = heappop(self._queue)
            if self._at.get(key) == at:
                del self._at[key]
                return key
        return None

    def clear(self) -> None:
        self._at.clear()
        self._queue.clear()

    @property
    def soonest(self) -> Millis:
        """Not later than `deadline`, and cheap."""
        return self._queue[0][0] if self._queue else FOREVER

    @property
    def deadline(self) -> Millis | None:
        while self._queue and self._at.get(self._queue[0][1]) != self._queue[0][0]:
            heappop(self._queue)
        return self._queue[0][0] if self._queue else None
