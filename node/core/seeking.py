"""Holes: a message that others follow, and that nobody is left to bring.

Every node notes what its pending messages wait for.  What has been missing for longer than any
message may be on its way, the certified leader asks everyone for, in one round: whoever may come
back with it.  Only where all answer, none has it, and nobody came back meanwhile, is it declared
lost.  Holes are facts: they spread with catch-up and merge as a union.  What follows them is shown;
they stay wanted, and what turns up after all is shown at its place.

    waited for --- hole_ms ---> due --- all said no ---> HOLE --- turns up ---> filled
                     ^           |
                     +-----------+  somebody has it, or has not answered
"""

from collections import Counter
from collections.abc import Callable, Iterable

from .alarms import Alarm
from .calls import Outcome
from .effects import HolesDeclared, StoreMarks
from .messages import Life, Sync, Synced
from .state import Role, State
from .talking import Talking
from .types import Key, MemberId, Millis, Way

WANTED_MAX = 1_024  # asked for in one round
BEFORE_MAX = 256  # of a gap in one stream


class Seeking:
    """`want`: compare logs with a member, since it has something that is missing here."""

    def __init__(self, s: State, talking: Talking, want: Callable[[MemberId], None]) -> None:
        self._s, self._talking, self._want = s, talking, want
        self._since: dict[Key, Millis] = {}  # what is missing, and since when it was seen to be
        self._asking = False

    def look(self) -> None:
        """Something waits: see later whether it still does."""
        s = self._s
        if s.causal.pending and s.alarms.at(Alarm.HOLES) is None:
            s.alarms.set(Alarm.HOLES, s.now + s.timing.hole_ms // 4)

    def on_holes(self) -> None:
        s = self._s
        self.look()
        missing = self._missing()
        self._since = {key: self._since.get(key, s.now) for key in missing}
        due = tuple(key for key in missing if s.now - self._since[key] >= s.timing.hole_ms)
        if due and not self._asking and self._may_declare():
            self._ask(due)

    def learn(self, keys: Iterable[Key]) -> None:
        """Holes that others know of."""
        s = self._s
        new = [key for key in keys if s.history.open_hole(key)]
        if not new:
            return
        s.emit(StoreMarks(holes=tuple(new)))
        lacking = [key for key in new if key not in s.history]
        freed = s.causal.assume(lacking)
        for source, count in sorted(Counter(key.source for key in lacking).items()):
            s.emit(HolesDeclared(source, count))
        self._talking.show(freed, Way.CATCH_UP)

    def _missing(self) -> tuple[Key, ...]:
        """What is waited for, with whatever is missing just before it."""
        history = self._s.history
        found = {
            key for wanted in self._s.causal.missing() for key in history.gap(wanted, BEFORE_MAX)
        }
        return tuple(sorted(found - self._s.causal.below)[:WANTED_MAX])

    def _may_declare(self) -> bool:
        s = self._s
        return s.role is Role.LEADER and not s.doubtful and not s.backwards

    def _witnesses(self) -> tuple[MemberId, ...]:
        """All who may have it: only members that were dropped long ago are not waited for."""
        s = self._s
        long_ago = s.now - s.timing.absent_ms
        return tuple(
            m
            for m in s.others
            if s.members.life(m) is not Life.DROPPED
            or s.liveness.dropped_at.get(m, s.now) > long_ago
        )

    def _ask(self, keys: tuple[Key, ...]) -> None:
        s = self._s
        asked = self._witnesses()
        silent = set(asked)
        found: set[Key] = set()
        epoch, self._asking = s.epoch, True

        def each(member: MemberId, outcome: Outcome) -> None:
            if isinstance(outcome, Synced):
                silent.discard(member)
                found.update(outcome.found)
                if outcome.found:
                    self._want(member)

        def done() -> None:
            self._asking = False
            for key in found:
                self._since.pop(key, None)  # It was on its way after all.
            all_said_no = not silent and set(asked).issuperset(self._witnesses())
            if all_said_no and s.epoch == epoch and self._may_declare():
                still = set(self._missing()) - found
                self.learn(key for key in keys if key in still)

        s.call_each(
            sorted(silent),
            lambda member: Sync(s.caller(member), s.view(), wanted=keys),
            s.timing.sync_call_ms,
            each,
            done,
        )
