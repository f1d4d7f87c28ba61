"""Holes: a message that others follow, and that nobody is left to bring.

Every node notes what its pending messages wait for.  What has been missing for longer than any
message may be on its way, the certified leader asks everyone for, in one round: whoever may come
back with it.  Only where all answer, none has it, and nobody came back meanwhile, is it declared
lost.  Whoever misses it too takes that from the leader, and a newcomer of what it has not read yet
from anybody.  What follows it is shown; it stays wanted, and what turns up after all is shown at
its place.

    waited for --- hole_ms ---> due --- all said no ---> HOLE --- turns up ---> filled
                     ^           |
                     +-----------+  somebody has it, or has not answered

Who does not lead asks the leader, which may not miss it at all: it has trimmed what follows it, or
took it for delivered as a newcomer.  Then its floors say so, or it seeks it for the one who asked.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from .alarms import Alarm
from .calls import Outcome, Outstanding
from .effects import HolesDeclared, StoreMarks
from .messages import Life, Sync, Synced
from .state import Role, State
from .talking import Talking
from .types import Floor, Key, MemberId, Millis, Way

WANTED_MAX = 1_024  # asked for in one round
BEFORE_MAX = 256  # of a gap in one stream


class Seeking:
    """`fetch`: get from a member something that is missing here; `note`: what
    its floors count.
    """

    def __init__(
        self,
        s: State,
        talking: Talking,
        fetch: Callable[[MemberId, Iterable[Key]], None],
        note: Callable[[tuple[Floor, ...], MemberId], None],
    ) -> None:
        self._s, self._talking, self._fetch, self._note = s, talking, fetch, note
        self._since: dict[Key, Millis] = {}  # what is missing, and since when it was seen to be
        self._sought: set[Key] = set()  # what others miss, and we do not have
        self._asking = False

    def look(self) -> None:
        """Something waits: see later whether it still does."""
        s = self._s
        if (s.causal.pending or self._sought) and s.alarms.at(Alarm.HOLES) is None:
            s.alarms.set(Alarm.HOLES, s.now + s.timing.hole_ms // 4)

    def on_holes(self) -> None:
        s = self._s
        missing = self._missing()
        self._since = {key: self._since.get(key, s.now) for key in missing}
        due = tuple(key for key in missing if s.now - self._since[key] >= s.timing.hole_ms)
        if due and not self._asking:
            if self._may_declare():
                self._ask(due)
            elif s.following != s.me and s.members.is_active(s.following):
                self._ask_leader(due)
        self.look()

    def asked(self, keys: Iterable[Key]) -> None:
        """Somebody misses these, and they are not here: whoever leads finds out who has them."""
        if self._s.role is Role.LEADER:
            self._sought.update(keys)
            self.look()

    def learn(self, keys: Iterable[Key], by: MemberId) -> None:
        """Holes that a member knows of: those that are missing here, and of who does not lead only
        what a newcomer is still to read.  There would be no end of others.
        """
        s = self._s
        missing = self._wanted() if by in (s.me, s.following) else set()
        missing |= s.causal.below
        new = [key for key in keys if key in missing and s.history.open_hole(key)]
        if not new:
            return
        s.emit(StoreMarks(holes=tuple(new)))
        lacking = [key for key in new if key not in s.history]
        freed = s.causal.assume(lacking)
        for source, count in sorted(Counter(key.source for key in lacking).items()):
            s.emit(HolesDeclared(source, count))
        self._talking.show(freed, Way.CATCH_UP)

    def _missing(self) -> tuple[Key, ...]:
        return tuple(sorted(self._wanted())[:WANTED_MAX])

    def _wanted(self) -> set[Key]:
        """What is waited for, with whatever is missing just before it."""
        history = self._s.history
        found = {
            key for wanted in self._s.causal.missing() for key in history.gap(wanted, BEFORE_MAX)
        }
        found -= self._s.causal.below
        is_hole = history.marks.is_hole
        self._sought = {key for key in self._sought if key not in history and not is_hole(key)}
        return found | self._sought

    def _ask_leader(self, keys: tuple[Key, ...]) -> None:
        s, leader = self._s, self._s.following

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Synced):
                self.learn(outcome.holes, leader)
                self._note(outcome.floors, leader)
                if outcome.found:
                    self._fetch(leader, outcome.found)

        s.call(leader, Sync(s.caller(leader), s.view(), wanted=keys), s.timing.sync_call_ms, ended)

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
                    self._fetch(member, outcome.found)

        def done() -> None:
            self._asking = False
            for key in found:
                self._since.pop(key, None)  # It was on its way after all.
            all_said_no = not silent and set(asked).issuperset(self._witnesses())
            if all_said_no and s.epoch == epoch and self._may_declare():
                still = set(self._missing()) - found
                self.learn((key for key in keys if key in still), s.me)

        s.call_each(
            sorted(silent),
            lambda member: Sync(s.caller(member), s.view(), wanted=keys),
            s.timing.sync_call_ms,
            each,
            done,
        )
