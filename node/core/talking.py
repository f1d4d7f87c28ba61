"""Conversation: storing, showing and sending our lines, taking others', passing on, acknowledging.

A line is stored before it is shown or sent, and acknowledged only once it is stored.  Where a
member does not acknowledge, the leader (for the leader's own lines the lowest other member) stores
the line and tries; the way round then sticks to that link for a while.  In a large group most
members are told by others, whom the author asks to pass its lines on (`spreading`).
"""

from collections import Counter
from collections.abc import Callable

from .alarms import Alarm
from .belonging import Belonging
from .calls import Outcome, Outstanding
from .changing import Changing, fault
from .clock import follows
from .composing import Composing
from .conversation import ChatMessage
from .effects import Acknowledged, Deliver, HolesFilled, Settled, StoreMessages, StorePost
from .events import Submitted
from .messages import Acks, AcksNoted, Life, Ping, Pong, Receipt, Refusal, Tell, Told
from .outbox import Entry, Lane
from .passing import Passing
from .reasons import Reason
from .state import Role, State
from .types import NO_HLC, CallId, Key, MemberId, Silence, Way, small
from .vouching import Vouching

GAP_ROOM = 8  # times as much may wait of what was asked for at a gap: refused, it would be jumped


class Talking:
    """`settled`: the outbox has become empty."""

    def __init__(
        self, s: State, belonging: Belonging, passing: Passing, settled: Callable[[], None]
    ) -> None:
        self._s, self._belonging, self._settled = s, belonging, settled
        self._passing = passing
        self.changing = Changing(s, passing)
        self._composing = Composing(s)
        self._vouching = Vouching(s, belonging.exchange)
        self._filled: Counter[MemberId] = Counter()  # holes, not told yet

    # ---- our own -------------------------------------------------------------------------------

    def submit(self, *lines: Submitted) -> None:
        """Store, show, send; several as one after the other."""
        s = self._s
        s.wall_ahead = lines[-1].wall - s.now
        fresh: dict[str, Submitted] = {}
        for line in lines:
            if s.role is Role.OUTSIDE or s.leaving:
                s.drop("a line from somebody who is no member")
            elif line.id in fresh or s.history.knows_id(s.me, line.id):
                s.drop("a line that was said before")  # Repeated, its fate being unknown.
            elif line.about is not None and (why := fault(s, line.kind, line.about)) is not None:
                s.drop(why.value)
            else:
                fresh[line.id] = line
        todo = list(fresh.values())
        while todo:
            said = self._composing.compose(todo)
            self._say(said)
            todo = todo[sum(len(message.ids) for message in said) :]
        if fresh:
            for member in s.active_others:
                self.send(member)

    def _say(self, messages: tuple[ChatMessage, ...]) -> None:
        """Store and show these, and let them wait for their turn to be sent."""
        s, last = self._s, messages[-1]
        if s.history.is_next(messages):
            s.history.extend(messages)
        else:
            for message in messages:
                s.history.add(message)
        s.causal.accept(*messages)
        s.last_own = last.key
        s.latest_place, s.talked_at = last.place, s.now
        others, away, through = s.active_others, s.away, self._through()
        s.emit(StoreMessages(messages))
        for message in messages:
            s.history.repeats(message)
            entry = s.outbox.post(s.now, message, others, away, through)
            s.emit(StorePost(entry.post))
            if message.is_said:
                s.emit(Deliver(message, Way.DIRECT, late=False))
            else:
                self._change(message, Way.DIRECT, late=False)
            if not others:
                s.emit(Settled(message.key, ()))

    def prove(self, messages: tuple[ChatMessage, ...]) -> None:
        """Sign own messages of before that was done: somebody may lack them."""
        for message in messages:
            self._composing.sign(message)
            self._s.unproved.discard(message.key)
        if messages:
            self._s.emit(StoreMessages(messages))

    # ---- sending -------------------------------------------------------------------------------

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

        s.call(to, Tell(s.caller(to), member, messages, others), ms, ended)

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
        if (
            isinstance(outcome, Told)
            and outcome.receipt is Receipt.STORED
            and outcome.node == member
        ):
            s.outbox.healthy(member, s.now - call.sent_at, direct=not relay)
            stored, messages = _split(messages, outcome.id)
            self._stored(stored, member, Way.RELAY if relay else Way.DIRECT)
            if not messages:
                return self.send(member)
            status, full = Reason.PENDING_FULL, True
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
            silent=isinstance(outcome, Silence),
        )

    def _try_otherwise(
        self, member: MemberId, relay: MemberId, *, by_relay: bool, silent: bool
    ) -> None:
        """After a failure, on the way by `relay` if that is not 0: by one at once, or later."""
        s, lane = self._s, self._s.outbox.lane(member)
        if by_relay and not s.lateness.now(s.now):  # Else a relay would be late, too.
            lane.relay_until = s.now + s.timing.relay_ms
            self._look_direct(lane, member)
            if not lane.blocked:
                return self.send(member)
        elif relay and silent:
            lane.relay_until = 0  # The relay is no help: try the direct way next.
        if not lane.blocked:
            s.alarms.set(Alarm.LANE, s.now + s.outbox.back_off(member), member)

    def _stored(self, messages: tuple[ChatMessage, ...], member: MemberId, way: Way) -> None:
        """The member has stored them, and passes on what it is to."""
        s = self._s
        for message in messages:
            if s.outbox.others(message.key, member):
                due = s.now + s.lateness.patient(s.now, s.outbox.spread_ms)
                due = s.outbox.passes_on(due, message.key, member)
                s.alarms.set_earlier(Alarm.SPREAD, due)
            self.acknowledged(message.key, member, way)

    def _through(self) -> dict[MemberId, tuple[MemberId, ...]]:
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

    # ---- others' -------------------------------------------------------------------------------

    def asked(self, call: CallId, request: Tell | Acks) -> None:
        if isinstance(request, Tell):
            self._take_all(call, request)
        else:
            self._take_acks(call, request)

    def _take_all(self, call: CallId, request: Tell) -> None:
        """Chat messages arrive, for us or to be passed on."""
        s, caller = self._s, request.caller.node
        if request.to != s.me and not s.members.belongs(request.to):
            return s.respond(call, Refusal(Reason.UNKNOWN_MEMBER, f"no member {request.to} here"))
        if not request.messages:
            text = "what is said must be sealed by the member that calls, for the one it calls"
            return s.respond(call, Refusal(Reason.NOT_SEALED, text))
        is_author = caller == request.messages[0].key.source
        way = Way.DIRECT if is_author else Way.RELAY
        s.talked_at = s.now
        messages, refusal = self._take_each(request.messages, way, caller)
        if refusal is not None and not messages:
            return s.respond(call, refusal)
        if request.to == s.me:
            s.respond(call, Told(Receipt.STORED, messages[-1].id, s.me))
            if is_author and request.pass_on:
                self._passing.pass_on(messages, request.pass_on)
        elif is_author:
            self._pass_on(call, request.to, messages)
        else:  # One hop is enough: what comes by others is not passed on again.
            s.respond(call, Told(Receipt.RELAYING, messages[-1].id, s.me))

    def _take_each(
        self, messages: tuple[ChatMessage, ...], way: Way, by: MemberId
    ) -> tuple[tuple[ChatMessage, ...], Refusal | None]:
        """Those up to the last one that was stored, and why the next was not."""
        refusal = None
        for at, message in enumerate(messages):
            if (refusal := self._vouching.refusal(message, by)) is not None:
                messages = messages[:at]
                break
        if self._s.changes.erase_any:
            messages = tuple(map(self._s.changes.erase, messages))
        if not messages or self._take_run(messages, way):
            return messages, refusal
        for at, message in enumerate(messages):
            if (full := self._take(message, way)) is not None:
                messages, refusal = messages[:at], full
                break
        self.tell_filled()
        return messages, refusal

    def _take_run(self, messages: tuple[ChatMessage, ...], way: Way) -> bool:
        """Take them at once, as `take` would one by one, if they go on where their author's last
        one ended: so it is nearly always.  False: nothing has happened.
        """
        s, first = self._s, messages[0].key
        if first.source == s.me or not s.history.is_next(messages):
            return False
        count, size = s.causal.load(first.source)
        most = size + 4 * sum(message.chars for message in messages)
        if count + len(messages) > s.timing.pending_max or most > s.timing.pending_bytes_max:
            return False  # There may be no room for all of them to wait.
        hlc_of, latest = s.history.hlc, NO_HLC
        if (before := first.before) is not None:
            latest = hlc_of(before) or latest
        for message in messages:
            for dep in message.deps:
                if dep[:2] == first[:2]:
                    return False
                latest = max(latest, hlc_of(dep) or latest)
            if not follows(message.hlc, latest):
                return False
            latest = message.hlc
        s.history.extend(messages)
        s.emit(StoreMessages(messages))
        for message in messages:
            if message.erased:
                self.changing.stored(message)
        self.show(s.causal.accept(*messages), way)
        return True

    def _take_acks(self, call: CallId, request: Acks) -> None:
        """Members have stored what the caller has passed on to them."""
        for member, first, last in request.stored:
            for seq in range(first, last + 1):
                key = Key(request.source, request.stream, seq)
                self.acknowledged(key, member, Way.SPREAD)
        self._s.respond(call, AcksNoted())

    def take(self, message: ChatMessage, way: Way, by: MemberId) -> Refusal | None:
        """Store a message and show what that sets free; a refusal where it may not be stored."""
        refusal = self._vouching.refusal(message, by)
        return refusal or self._take(self._s.changes.erase(message), way)

    def _take(self, message: ChatMessage, way: Way) -> Refusal | None:
        s, key = self._s, message.key
        if key in s.history:
            if s.history.supersedes(message):
                s.emit(StoreMessages((message,)))
                self.changing.stored(message)
                s.causal.replace(message)
            elif key in s.changes.doubted and s.history.same(message):
                self.changing.restore(message)
            elif not s.history.has(key):
                s.drop("a message that was trimmed")
            return None
        if not self._orderly(message):
            s.drop("a message that is not later than what it follows")
            return Refusal(
                Reason.BAD_FIELD, "header.hlc is not later than that of its predecessors"
            )
        if key.source == s.me and s.stream is not None and key.stream == s.stream:
            s.stream, s.stream_seq = None, 0  # Not ours, under our stream's name: begin another.
        if not self._has_room(message, GAP_ROOM if way is Way.CATCH_UP and s.gaps else 1):
            return Refusal(Reason.PENDING_FULL, "too many messages wait for a predecessor")
        s.history.add(message)
        s.emit(StoreMessages((message,)))
        if message.erased:
            self.changing.stored(message)
        if s.history.marks.is_hole(key):
            self._filled[key.source] += 1
        self.show(s.causal.accept(message), way)
        return None

    def tell_filled(self) -> None:
        """What was declared lost and has just come."""
        for source, count in sorted(self._filled.items()):
            self._s.emit(HolesFilled(source, count))
        self._filled.clear()

    def show(self, messages: list[ChatMessage], way: Way) -> None:
        """Deliver, in display order, which extends causality even where a part counts as delivered.

        Of one (source, id) only the first is shown.
        """
        s = self._s
        for place, message in sorted([(message.place, message) for message in messages]):
            late = place < s.latest_place
            if way is not Way.CATCH_UP:
                s.told_at[message.key.source] = s.now
            if message.key.source == s.me and not late:
                s.last_own = message.key
            if not message.is_said:
                s.history.repeats(message)
                s.latest_place = max(s.latest_place, place)
                self._change(message, way, late)
                continue
            if hidden := s.history.repeats(message):
                s.drop("a line that was shown under another key")
                if len(hidden) == len(message.ids):
                    continue
            if not late:
                s.latest_place = place
            if message.erased and message.hlc.ms < s.since:
                hidden = tuple(range(len(message.ids)))  # It was said before we came.
            s.emit(Deliver(message, way, late, hidden))

    def _change(self, message: ChatMessage, way: Way, late: bool) -> None:
        """A change of a line is delivered: not shown itself, it counts from now on."""
        self._s.emit(Deliver(message, way, late, hidden=(0,)))
        self.changing.heard(message)

    def _orderly(self, message: ChatMessage) -> bool:
        """Later than every predecessor that is held?"""
        return follows(message.hlc, self._s.history.latest(message.deps, message.key.before))

    def _has_room(self, message: ChatMessage, times: int) -> bool:
        s = self._s
        count, size = s.causal.load(message.key.source)
        timing = s.timing
        if count < times * timing.pending_max and size < times * timing.pending_bytes_max:
            return True
        return s.causal.first_missing(message) is None

    def _pass_on(self, call: CallId, to: MemberId, messages: tuple[ChatMessage, ...]) -> None:
        """Stored here; now their target.  Answered with the target's ACK if that comes in time."""
        s = self._s

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Told) and outcome.receipt is Receipt.STORED:
                return s.respond(call, Told(Receipt.STORED, outcome.id, outcome.node))
            s.respond(call, Told(Receipt.RELAYING, messages[-1].id, s.me))
            if s.leads:
                self._belonging.check(to)

        s.call(to, Tell(s.caller(to), to, messages), s.timing.ack_ms, ended)


def _split(
    messages: tuple[ChatMessage, ...], id: str
) -> tuple[tuple[ChatMessage, ...], tuple[ChatMessage, ...]]:
    """Those up to the one with this id, and the others."""
    if messages[-1].id == id:
        return messages, ()
    upto = next((n for n, message in enumerate(messages, 1) if message.id == id), 0)
    return messages[:upto], messages[upto:]
