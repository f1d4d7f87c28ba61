"""Sending: our lines to each member's lane, and what follows from the end of each call.

Where a member does not acknowledge, the leader (for the leader's own lines the lowest other
member) stores the line and tries; the way round then sticks to that link for a while.  In a large
group most members are told by others, whom the author asks to pass its lines on (`spreading`).

An answer that comes too late counts all the same, and tells how long answers take now: on a machine
that is too small for its members all are late, and what is sent again then makes them later still.
"""

from collections.abc import Callable
from typing import TypeGuard

from .alarms import Alarm
from .belonging import Belonging
from .calls import Outcome, Outstanding
from .conversation import ChatMessage
from .effects import Acknowledged, Settled, StorePost
from .messages import Acks, AcksNoted, Life, Ping, Pong, Receipt, Refusal, Tell, Told
from .outbox import Entry, Lane
from .passing import Passing
from .reasons import Reason
from .receipts import is_own_word, upto
from .state import State
from .types import CallId, Key, MemberId, Millis, Silence, Way, small


class Sending:
    """`settled`: the outbox has become empty."""

    def __init__(
        self, s: State, belonging: Belonging, passing: Passing, settled: Callable[[], None]
    ) -> None:
        self._s, self._belonging, self._settled = s, belonging, settled
        self._passing = passing

    def send(self, member: MemberId) -> None:
        """Let fly to this member whatever its lane has room for."""
        s = self._s
        while messages := s.outbox.take(member):
            lane = s.outbox.lane(member)
            relay = self.relay_for(member) if s.now < lane.relay_until else 0
            if relay:  # Not to be bothered with what it has to do for others.
                self._tell_past(member)
            self._tell(messages, member, relay)

    def _tell(self, messages: tuple[ChatMessage, ...], member: MemberId, relay: MemberId) -> None:
        s = self._s
        ms = s.outbox.deadline_ms(member) * (2 if relay else 1)
        to = relay or member
        others = s.outbox.others(messages[0].key, member)

        def ended(call: Outstanding, outcome: Outcome) -> None:
            self._told(call, outcome, messages, member, relay)

        def late(call: Outstanding, outcome: Outcome) -> None:
            self._told_late(call, outcome, messages, member, relay)

        s.call(to, Tell(s.caller(to), member, messages, others), ms, ended, late=late)

    def _told_late(
        self,
        call: Outstanding,
        outcome: Outcome,
        messages: tuple[ChatMessage, ...],
        member: MemberId,
        relay: MemberId,
    ) -> None:
        """An answer that was given up: what it acknowledges need not be sent again."""
        s = self._s
        is_there = s.members.is_active(member)
        if not is_there or not self._has_stored(outcome, messages, member, relay):
            return
        s.outbox.healthy(member, s.now - call.sent_at, direct=not relay)
        s.alarms.cancel(Alarm.LANE, member)
        for message in upto(messages, outcome.id):
            self.acknowledged(message.key, member, Way.RELAY if relay else Way.DIRECT)
        self.send(member)

    def _told(
        self,
        call: Outstanding,
        outcome: Outcome,
        messages: tuple[ChatMessage, ...],
        member: MemberId,
        relay: MemberId,
    ) -> None:
        s = self._s
        s.outbox.landed(member)
        status, full = call.status, False
        unproved = isinstance(outcome, Told) and outcome.receipt is Receipt.STORED
        if self._has_stored(outcome, messages, member, relay):
            s.outbox.healthy(member, s.now - call.sent_at, direct=not relay)
            stored = upto(messages, outcome.id)
            messages = messages[len(stored) :]
            self._stored(stored, member, Way.RELAY if relay else Way.DIRECT, s.now - call.sent_at)
            if not messages:
                return self.send(member)
            status, full, unproved = Reason.PENDING_FULL, True, False
        elif isinstance(outcome, Refusal):
            status, full = outcome.reason, outcome.reason == Reason.PENDING_FULL
        elif isinstance(outcome, Told):
            by = f"{s.members.shown_nick(outcome.node)} (id {small(outcome.node)})"
            status = f"relayed by {by}, not acknowledged yet"
        elif not status:
            status = "no answer"
        for message in reversed(messages):
            s.outbox.failed(message.key, member, status, full or isinstance(outcome, Refusal))
        self._tell_past(member)
        if not s.members.is_active(member):
            return self.forget(member)
        if s.leads:
            self._belonging.check(member)
        elif call.to == s.following and isinstance(outcome, Silence):
            s.election.hinted = True  # The leader did not answer: look at it now.
            s.alarms.set(Alarm.LEADER, s.now)
        self._try_otherwise(
            member,
            relay,
            by_relay=not relay and not full and self._has(self.relay_for(member), messages[0].key),
            in_vain=unproved or isinstance(outcome, Silence),
        )

    def _try_otherwise(
        self, member: MemberId, relay: MemberId, *, by_relay: bool, in_vain: bool
    ) -> None:
        """After a failure, on the way by `relay` if that is not 0: by one at once, or later."""
        s, lane = self._s, self._s.outbox.lane(member)
        if by_relay and not s.lateness.now(s.now):  # Else a relay would be late, too.
            lane.relay_until = s.now + s.timing.relay_ms
            self._look_direct(lane, member)
            if not lane.blocked:
                return self.send(member)
        elif relay and in_vain:
            lane.relay_until = 0  # The relay is no help: try the direct way next.
        if not lane.blocked:
            s.alarms.set(Alarm.LANE, s.now + s.outbox.back_off(member), member)

    def _has_stored(
        self,
        outcome: Outcome,
        messages: tuple[ChatMessage, ...],
        member: MemberId,
        relay: MemberId,
    ) -> TypeGuard[Told]:
        """Is it that member's acknowledgement, and after a relay its own word?"""
        if not isinstance(outcome, Told) or outcome.receipt is not Receipt.STORED:
            return False
        return outcome.node == member and (not relay or is_own_word(self._s, outcome, messages))

    def _stored(
        self, messages: tuple[ChatMessage, ...], member: MemberId, way: Way, took_ms: Millis
    ) -> None:
        """The member has stored them, and passes on what it is to."""
        s = self._s
        for message in messages:
            if s.outbox.others(message.key, member):
                due = s.now + s.lateness.patient(s.now, s.outbox.spread_ms(took_ms))
                due = s.outbox.passes_on(due, message.key, member)
                s.alarms.set_earlier(Alarm.SPREAD, due)
            self.acknowledged(message.key, member, way)

    def through(self) -> dict[MemberId, tuple[MemberId, ...]]:
        """Who is to pass a line on now, and to whom; nobody in a small group."""
        s = self._s
        through: dict[MemberId, tuple[MemberId, ...]] = {}
        for column in s.grid.columns if s.grid is not None else ():
            well = [member for member in column if s.outbox.is_well(s.now, member)]
            by = next((m for m in well if s.members.life(m) is Life.ALIVE), 0)
            if by and len(well) > 1:
                through[by] = tuple(member for member in well if member != by)
        return through

    def _tell_past(self, by: MemberId) -> None:
        """This member passes nothing on, nor what still waits for its turn: tell those who were to
        get that from it.
        """
        for member in self._s.outbox.without(by):
            self.send(member)

    def on_spread(self) -> None:
        """What was to be passed on was not acknowledged in time: tell those members ourselves."""
        s = self._s
        again_ms = 0 if s.lateness.now(s.now) else s.timing.spread_again_ms
        for member in s.outbox.overdue(s.now, again_ms):
            self.send(member)
        if (due := s.outbox.next_overdue) is not None:
            s.alarms.set(Alarm.SPREAD, due)

    def _look_direct(self, lane: Lane, member: MemberId) -> None:
        """Is the direct way broken, or was the member only busy?  Where it answers and messages get
        lost all the same, that is not asked again soon.
        """
        s = self._s
        if s.now < lane.look_from:
            return
        lane.look_from = lane.relay_until

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Pong):
                lane.relay_until = 0

        s.call(member, Ping(s.caller(member), s.view()), s.timing.ack_ms, ended)

    def on_lane(self, member: MemberId) -> None:
        """The back-off of this member's lane is over."""
        s = self._s
        s.outbox.lane(member).blocked = False
        self.send(member)

    def reached(self, member: MemberId) -> None:
        """It is back: what waits for it need not wait for its back-off to be over."""
        s = self._s
        if s.outbox.begin_anew(member):
            s.alarms.cancel(Alarm.LANE, member)
            self.send(member)

    def relay_for(self, member: MemberId) -> MemberId:
        """Who passes our lines on to this member: the leader, else the lowest other; 0: nobody."""
        s = self._s
        if s.following not in (0, s.me, member) and s.members.is_active(s.following):
            return s.following
        others = [m for m in s.active_others if m != member]
        alive = (m for m in others if s.members.life(m) is Life.ALIVE)
        return next(alive, others[0] if others else 0)

    def _has(self, member: MemberId, key: Key) -> bool:
        """Was this acknowledged by that member?  Where nobody answers, nobody is asked for more."""
        entry = self._s.outbox.find(key)
        return entry is not None and member in entry.to and entry.to[member].way is not None

    def acknowledged(self, key: Key, by: MemberId, way: Way) -> None:
        """A member holds our message; nobody may have waited for that any more."""
        s = self._s
        if way is not Way.DIRECT:  # It was not told by us: so it passes nothing on for us.
            for member in s.outbox.tell_itself(key, by):
                self.send(member)
        settled = key not in s.outbox.entries
        entry = s.outbox.acked(s.now, key, by, way)
        if entry is None:
            return
        s.emit(Acknowledged(key, by, way, entry.acks, len(entry.counted)))
        if settled:
            s.emit(StorePost(entry.post))
        elif not entry.waits_for:
            self._settle(entry)

    def forget(self, member: MemberId) -> None:
        """The member is dropped or gone: it is no longer waited for; its return is a catch-up."""
        s = self._s
        s.alarms.cancel(Alarm.LANE, member)
        self._passing.forget(member)
        lacking = s.outbox.without(member)
        for entry in s.outbox.forget(member):
            self._settle(entry)
        for other in lacking:
            self.send(other)

    def _settle(self, entry: Entry) -> None:
        s = self._s
        s.emit(StorePost(entry.post))
        s.emit(Settled(entry.message.key, entry.missing))
        if not s.outbox.entries:
            self._settled()

    def take_acks(self, call: CallId, request: Acks) -> None:
        """Members have stored what the caller has passed on to them.  Its word counts for what it
        was to pass on to them alone.
        """
        s, by = self._s, request.caller.node
        for member, first, last in request.stored:
            for seq in range(first, last + 1):
                key = Key(request.source, request.stream, seq)
                if s.outbox.counts(key, member, by):
                    self.acknowledged(key, member, Way.SPREAD)
        s.respond(call, AcksNoted())
