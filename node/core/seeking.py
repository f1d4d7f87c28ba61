"""Holes: a message that others follow, and that nobody is left to bring.

Every node notes what its pending messages wait for.  What has been missing for longer than any
message may be on its way, the certified leader asks everyone for, in one round: whoever may come
back with it.  Only where all answer, none has it, and nobody came back meanwhile, is it declared
lost.  Whoever misses it too takes that from the leader, and a newcomer of what it has not read yet
from anybody.  What follows it is shown; it stays wanted, and what turns up after all is shown at
its place.

    waited for --- hole_ms ---> due --- all said no ---> HOLE --- turns up ---> filled
                     ^           |                         ^
                     +-----------+                         |
       somebody has it, or has not answered ---------------+
                                              absent_ms after it was first due

Nobody is waited for without end, as who was dropped is not: once something has been due for longer
than `absent_ms`, and than some such rounds take, who has it and never brings it, or does not
answer, no longer counts.

Who does not lead asks the leader, which may not miss it at all: it has trimmed what follows it, or
took it for delivered as a newcomer.  Then its floors say so, or it seeks it for the one who asked.
What comes of that it remembers for the asker alone, and tells it when it asks again: where nothing
is missing, there is no hole.

There is no end of what can be made up.  So the leader keeps of each asker no more than its newest
question, until it asks no more; and in a round there are WANTED_MAX messages at most: of what it
misses itself and of each asker's in turn, first those that were asked for the longest ago.  What a
node misses itself it takes in turn, too, of each author whose messages wait.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator

from msgspec import Struct, field

from .alarms import Alarm
from .calls import Outcome, Outstanding
from .conversation import ChatMessage
from .effects import HolesDeclared, StoreMarks
from .messages import Life, Sync, Synced
from .state import Role, State
from .talking import Talking
from .types import Floor, Key, MemberId, Millis, Stream, Way

WANTED_MAX = 1_024  # asked for in one round, and kept of one member's question
BEFORE_MAX = 256  # of a gap in one stream
PATIENT = 8  # times `hole_ms`, at least, who has it or is silent is waited for


class Wait(Struct):
    """Of one message."""

    first: Millis  # when it was seen to be missing
    since: Millis  # likewise, or when somebody last had it
    asked_at: Millis = -1  # when everyone was last asked for it


class Want(Struct):
    """What one member misses."""

    waits: dict[Key, Wait] = field(default_factory=dict)
    told_at: Millis = 0  # when it last said so
    lost: set[Key] = field(default_factory=set)  # of an asker's: what nobody has ...
    said_so: frozenset[MemberId] = frozenset()  # ... of these

    def update(self, keys: Iterable[Key], now: Millis) -> None:
        """It misses these now, and nothing else."""
        missing, waits = dict.fromkeys(keys), self.waits
        self.told_at = now
        self.lost.intersection_update(missing)
        self.waits = {
            key: waits.get(key) or Wait(now, now) for key in missing if key not in self.lost
        }

    def due(self, until: Millis) -> list[Key]:
        """What has been missing since then or earlier: first what was asked for the longest ago."""
        due = [(wait.asked_at, key) for key, wait in self.waits.items() if wait.since <= until]
        return [key for _, key in sorted(due, key=lambda entry: entry[0])]

    def asked(self, keys: Iterable[Key], now: Millis) -> None:
        for key in keys:
            if (wait := self.waits.get(key)) is not None:
                wait.asked_at = now

    def found(self, keys: Iterable[Key], now: Millis) -> None:
        """It was on its way after all."""
        for key in keys:
            if (wait := self.waits.get(key)) is not None:
                wait.since = now

    def over(
        self, keys: Iterable[Key], nobodys: Container[Key], until: Millis, long_ago: Millis
    ) -> list[Key]:
        """Of these that were asked for: what nobody has, or was first missing so long ago."""
        waits = [(key, wait) for key in keys if (wait := self.waits.get(key)) is not None]
        return [
            key
            for key, wait in waits
            if wait.since <= until and (key in nobodys or wait.first <= long_ago)
        ]

    def lose(self, keys: Iterable[Key], asked: frozenset[MemberId]) -> None:
        """None of those who were asked will bring these."""
        for key in keys:
            del self.waits[key]
            self.lost.add(key)
        self.said_so = asked


def _in_turn(rows: Iterable[Iterable[Key]]) -> list[Key]:
    """One after the other of each row, so that no row's leave no room for another's."""
    found: dict[Key, None] = {}
    turns = deque(iter(row) for row in rows)
    while turns and len(found) < WANTED_MAX:
        row = turns.popleft()
        if (key := next((key for key in row if key not in found), None)) is not None:
            found[key] = None
            turns.append(row)
    return list(found)


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
        self._own = Want()
        self._others: dict[MemberId, Want] = {}  # of those who ask us: what is not here either
        self._asking = False

    def look(self) -> None:
        """Something waits: see later whether it still does."""
        s = self._s
        if (s.causal.pending or self._others) and s.alarms.at(Alarm.HOLES) is None:
            s.alarms.set(Alarm.HOLES, s.now + s.timing.hole_ms // 4)

    def on_holes(self) -> None:
        s = self._s
        self._own.update(self._missing(), s.now)
        self._forget_askers()
        due = self._due()
        if due and not self._asking:
            if self._may_declare():
                self._ask(due)
            elif s.following != s.me and s.members.is_active(s.following):
                self._ask_leader(due)
        self.look()

    def asked(self, keys: Iterable[Key], by: MemberId) -> frozenset[Key]:
        """A member misses these, and they are not here: whoever leads finds out who has them, and
        gives those of which it found that nobody does.
        """
        s = self._s
        if s.role is not Role.LEADER or not s.members.is_active(by):
            return frozenset()
        sought = [key for key in sorted(keys) if s.members.get(key.source) and self._unknown(key)]
        if not sought:
            self._others.pop(by, None)
            return frozenset()
        want = self._others.setdefault(by, Want())
        if not want.said_so.issuperset(self._witnesses()):
            want.lost.clear()  # Who has come back since may have it.
        want.update(sought[:WANTED_MAX], s.now)
        self.look()
        return frozenset(want.lost)

    def learn(self, keys: Iterable[Key], by: MemberId) -> None:
        """Holes that a member knows of: those that are missing here, and of who does not lead only
        what a newcomer is still to read.  There would be no end of others.
        """
        s = self._s
        keys = [key for key in keys if not s.history.marks.is_hole(key)]
        if not keys:
            return
        missing = self._missing_of(keys) if by in (s.me, s.following) else set()
        missing |= s.causal.below.intersection(keys)
        new = [key for key in keys if key in missing and s.history.open_hole(key)]
        if not new:
            return
        s.emit(StoreMarks(holes=tuple(new)))
        lacking = [key for key in new if key not in s.history]
        freed = s.causal.assume(lacking)
        for source, count in sorted(Counter(key.source for key in lacking).items()):
            s.emit(HolesDeclared(source, count))
        self._talking.show(freed, Way.CATCH_UP)

    def _forget_askers(self) -> None:
        """Who still misses something asks again, four times as often; who leads no more is not
        asked.
        """
        s = self._s
        self._others = {
            member: want
            for member, want in self._others.items()
            if s.role is Role.LEADER and s.members.is_active(member)
            if s.now - want.told_at <= s.timing.hole_ms
        }

    def _due(self) -> tuple[Key, ...]:
        """What is to be asked for now."""
        until = self._s.now - self._s.timing.hole_ms
        rows: list[Iterable[Key]] = [self._own.due(until)]
        for _, want in sorted(self._others.items()):
            rows.append(filter(self._unknown, want.due(until)))
        return tuple(sorted(_in_turn(rows)))

    def _unknown(self, key: Key) -> bool:
        """Is it neither here nor known to be lost?"""
        history = self._s.history
        return key not in history and not history.marks.is_hole(key)

    def _missing(self) -> list[Key]:
        """What is waited for, with whatever is missing just before it."""
        waiting: dict[MemberId, list[ChatMessage]] = {}
        for message in self._s.causal.pending.values():
            waiting.setdefault(message.key.source, []).append(message)
        return _in_turn(map(self._awaited_by, waiting.values()))

    def _awaited_by(self, messages: list[ChatMessage]) -> Iterator[Key]:
        """By these, in their order; no more is looked for than is taken."""
        history, below = self._s.history, self._s.causal.below
        seen = set[Key]()
        for message in messages:
            for awaited in message.predecessors:
                if awaited in seen or awaited in history or awaited in below:
                    continue
                gap = history.gap(awaited, BEFORE_MAX)
                seen.update(gap)
                yield from (key for key in reversed(gap) if key not in below)

    def _missing_of(self, keys: Iterable[Key]) -> set[Key]:
        """Those of these that are waited for, or are missing just before what is."""
        s = self._s
        awaited: dict[tuple[MemberId, Stream], list[int]] = {}
        for source, stream, seq in sorted(s.causal.missing()):
            awaited.setdefault((source, stream), []).append(seq)
        found, gaps = set[Key](), dict[Key, frozenset[Key]]()
        for key in keys:
            source, stream, seq = key
            numbers = awaited.get((source, stream), [])
            at = bisect_left(numbers, seq)
            if at == len(numbers):
                continue
            nearest = Key(source, stream, numbers[at])
            if nearest not in gaps:
                gaps[nearest] = frozenset(s.history.gap(nearest, BEFORE_MAX))
            if key in gaps[nearest]:
                found.add(key)
        return found

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
        asked = frozenset(self._witnesses())
        silent, wanted = set(asked), set(keys)
        found: set[Key] = set()
        epoch, self._asking = s.epoch, True
        for want in (self._own, *self._others.values()):
            want.asked(keys, s.now)

        def each(member: MemberId, outcome: Outcome) -> None:
            if isinstance(outcome, Synced):
                silent.discard(member)
                if has := wanted.intersection(outcome.found):
                    found.update(has)
                    self._fetch(member, has)

        def done() -> None:
            self._asking = False
            if asked.issuperset(self._witnesses()) and s.epoch == epoch:
                self._conclude(keys, found, asked, all_said=not silent)
            for want in (self._own, *self._others.values()):
                want.found(found, s.now)

        s.call_each(
            sorted(silent),
            lambda member: Sync(s.caller(member), s.view(), wanted=keys),
            s.timing.sync_call_ms,
            each,
            done,
        )

    def _conclude(
        self,
        keys: tuple[Key, ...],
        found: set[Key],
        asked: frozenset[MemberId],
        *,
        all_said: bool,
    ) -> None:
        """Everyone was asked for these, and nobody came back meanwhile."""
        s = self._s
        if not self._may_declare():
            return
        nobodys = set(keys).difference(found) if all_said else set[Key]()
        until = s.now - s.timing.hole_ms
        long_ago = until - max(s.timing.absent_ms, PATIENT * s.timing.hole_ms)
        for want in self._others.values():
            want.lose(want.over(keys, nobodys, until, long_ago), asked)
        self.learn(self._own.over(keys, nobodys, until, long_ago), s.me)
