"""Conversation: storing and showing our lines, and taking, showing and passing on others'.

A line is stored before it is shown or sent, and acknowledged only once it is stored.
"""

from collections import Counter

from . import receipts
from .belonging import Belonging
from .calls import Outcome, Outstanding
from .changing import Changing, fault
from .composing import Composing
from .conversation import ChatMessage
from .effects import Deliver, HolesFilled, Settled, StoreMessages, StorePost
from .events import Submitted
from .messages import Acks, Receipt, Refusal, Tell, Told
from .passing import Passing
from .reasons import Reason
from .sending import Sending
from .state import Role, State
from .types import NO_HLC, CallId, MemberId, Way
from .vouching import Vouching

GAP_ROOM = 8  # times as much may wait of what was asked for at a gap: refused, it would be jumped


class Talking:
    def __init__(self, s: State, belonging: Belonging, sending: Sending, passing: Passing) -> None:
        self._s, self._belonging = s, belonging
        self._sending, self._passing = sending, passing
        self.changing = Changing(s, passing)
        self._composing = Composing(s)
        self._vouching = Vouching(s, belonging.exchange)
        self._filled: Counter[MemberId] = Counter()  # holes, not told yet

    # ---- our own -------------------------------------------------------------------------------

    def submit(self, *lines: Submitted) -> None:
        """Store, show, send; several as one after the other."""
        s = self._s
        s.wall = lines[-1].wall
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
                self._sending.send(member)

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
        others, away, through = s.active_others, s.away, self._sending.through()
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

    # ---- others' -------------------------------------------------------------------------------

    def asked(self, call: CallId, request: Tell | Acks) -> None:
        if isinstance(request, Tell):
            self._take_all(call, request)
        else:
            self._sending.take_acks(call, request)

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
            word = b"" if is_author else receipts.word(s, messages)
            s.respond(call, Told(Receipt.STORED, messages[-1].id, s.me, word))
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
        past = NO_HLC
        for message in messages:
            if message.hlc <= past or any(dep[:2] == first[:2] for dep in message.deps):
                return False
            past = message.hlc
        s.history.extend(messages)
        s.emit(StoreMessages(messages))
        for message in messages:
            if message.erased:
                self.changing.stored(message)
        self.show(s.causal.accept(*messages), way)
        return True

    def take(self, message: ChatMessage, way: Way, by: MemberId) -> Refusal | None:
        """Store a message and show what that sets free; a refusal where it may not be stored."""
        refusal = self._vouching.refusal(message, by)
        return refusal or self._take(self._s.changes.erase(message), way)

    def _take(self, message: ChatMessage, way: Way) -> Refusal | None:
        s, key = self._s, message.key
        if s.history.has(key):
            if s.history.supersedes(message):
                self._replace(message, way)
            elif key in s.changes.doubted and s.history.same(message):
                self.changing.restore(message)
            return None
        if key in s.history and (way is not Way.DIRECT or s.history.was_trimmed(key)):
            s.drop("a message that was trimmed")  # Others may bring what was redacted there.
            return None
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

    def _replace(self, message: ChatMessage, way: Way) -> None:
        """Its author has said two things under one key: this one stands, the other never did."""
        s, key = self._s, message.key
        s.history.replace(message)
        self.changing.recant(key)
        message = s.changes.erase(message)
        s.emit(StoreMessages((message,)))
        self.changing.stored(message)
        if key in s.causal.pending:
            return self.show(s.causal.replace(message), way)
        s.shown_at(message.place)
        self._deliver(message, way, late=True)

    def tell_filled(self) -> None:
        """What was declared lost and has just come."""
        for source, count in sorted(self._filled.items()):
            self._s.emit(HolesFilled(source, count))
        self._filled.clear()

    def show(self, messages: list[ChatMessage], way: Way) -> None:
        """Deliver, in display order, which extends causality even where a part counts as delivered,
        but for lines of authors that lie about their instants.

        Of one (source, id) only the first is shown.
        """
        s = self._s
        for place, message in sorted([(message.place, message) for message in messages]):
            late = place < s.latest_place
            if way is not Way.CATCH_UP:
                s.told_at[message.key.source] = s.now
            if message.key.source == s.me and not late:
                s.last_own = message.key
            if self._deliver(message, way, late=late):
                s.shown_at(place)

    def _deliver(self, message: ChatMessage, way: Way, *, late: bool) -> bool:
        """False: all its lines were shown under another key."""
        s = self._s
        hidden = s.history.repeats(message)
        if not message.is_said:
            self._change(message, way, late)
            return True
        if hidden:
            s.drop("a line that was shown under another key")
            if len(hidden) == len(message.ids):
                return False
        if message.erased and message.hlc.ms < s.since:
            hidden = tuple(range(len(message.ids)))  # It was said before we came.
        s.emit(Deliver(message, way, late, hidden))
        return True

    def _change(self, message: ChatMessage, way: Way, late: bool) -> None:
        """A change of a line is delivered: not shown itself, it counts from now on."""
        self._s.emit(Deliver(message, way, late, hidden=(0,)))
        self.changing.heard(message)

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
                return s.respond(call, outcome)
            s.respond(call, Told(Receipt.RELAYING, messages[-1].id, s.me))
            if s.leads:
                self._belonging.check(to)

        s.call(to, Tell(s.caller(to), to, messages), s.timing.ack_ms, ended)
