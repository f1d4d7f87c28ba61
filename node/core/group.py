"""One node's part in one group: events in, effects out.

`Group` is the only door.  It checks who calls, hands each event to the flow that it belongs to, and
ends what is overdue.  The flows share one `State`; no flow reads a clock: `handle` brings the
instant, and `deadline` says when to be called again.
"""

from collections.abc import Callable
from random import Random
from typing import assert_never

from msgspec.structs import replace

from .alarms import Alarm
from .answering import Answering
from .belonging import Belonging
from .callers import fault
from .calls import Outcome
from .catching_up import CatchingUp
from .claiming import Claiming, nothing
from .conversation import ChatMessage
from .effects import Departed, Effect, Remembered, Stopped, StorePost
from .electing import Electing
from .events import (
    Answered,
    AnsweredLate,
    Burst,
    Challenged,
    Changed,
    Closing,
    Decided,
    Event,
    Failed,
    Founded,
    Invited,
    LinkBroken,
    Opened,
    PasswordSet,
    Received,
    Revoked,
    Started,
    Submitted,
    Woken,
)
from .events import Joining as JoinWanted
from .events import Leaving as LeaveWanted
from .governing import Governing
from .inviting import Inviting, Wanted
from .joining import Joining
from .lateness import LATE_MS
from .leaving import Leaving
from .messages import (
    Acks,
    Coordinator,
    Elect,
    Join,
    Leave,
    Life,
    Ping,
    Refusal,
    Request,
    Sync,
    Tell,
    Update,
    View,
)
from .passing import Passing
from .provisional import Provisional
from .readable import Readable, Trace, TraceRow
from .reasons import Reason
from .reign import Reign
from .sending import Sending
from .state import Role, Setup, State
from .talking import Talking
from .timing import Timing
from .trimming import Trimming
from .types import Address, CallId, Epoch, MemberId, Millis, Post, Silence

__all__ = ["Group", "Role", "Setup", "Trace", "TraceRow"]

NOTHING = Remembered()
# Of a refusal: who does not know us was away, or put back, when we came; our record tells it.
ROSTERS_DIFFER = (Reason.LEFT, Reason.OLD_INCARNATION, Reason.KICKED, Reason.UNKNOWN_MEMBER)


class Group(Readable):
    """Deterministic: the same setup, log, seed, events and instants give the same effects."""

    def __init__(
        self, setup: Setup, timing: Timing, rng: Random, remembered: Remembered = NOTHING
    ) -> None:
        s = self._s = State(setup, timing, rng, remembered)
        self._reign = Reign(
            s,
            overhear=self._learn,
            led=self._led,
            met=self._met,
            unlisted=self._unlisted,
        )
        self._claiming = Claiming(s, self._reign)
        self._provisional = Provisional(s, self._reign, self._claiming)

        parts = self._reign, self._claiming, self._provisional
        self._electing = Electing(s, *parts, unknown=lambda: self._joining.begin(""))
        self._belonging = Belonging(
            s,
            learn=self._reign.learn,
            gone=self._gone,
            returned=self._returned,
        )
        self._reign.share, self._reign.twin = self._belonging.share, self._belonging.twins.look_for
        self._governing = Governing(s, self._belonging)
        self._leaving = Leaving(s, self._belonging, self._governing)
        self._passing = Passing(s)
        self._sending = Sending(s, self._belonging, self._passing, self._leaving.outbox_emptied)
        self._talking = Talking(s, self._belonging, self._sending, self._passing)
        self._catching_up = CatchingUp(s, self._talking, self._sending)
        self._trimming = Trimming(s)
        self._inviting = Inviting(s, self._belonging, self._governing)
        self._joining = Joining(s, self._reign, self._belonging, self._inviting, self._entered)
        self._answering = Answering(s, self._reign, self._claiming, self._provisional)
        self._rings = self._table()
        self._unsettled: list[tuple[ChatMessage, Post]] = []  # of earlier lives, until we start
        self._unsigned: list[ChatMessage] = []  # likewise: ours, that others may lack
        self._remember(remembered)

    # ---- the whole interface ---------------------------------------------------------------------

    def handle(self, now: Millis, event: Event) -> list[Effect]:
        """Take one event at the instant `now`; give what the shell must do, in order.  Effects that
        store are durable before any later effect of the list is performed.
        """
        s = self._s
        calls, alarms = s.calls, s.alarms
        if min(calls.soonest, alarms.soonest) < now - LATE_MS:
            self._notice_lateness(now)
        s.now = now
        epoch, held = s.epoch, len(s.history)
        self._dispatch(event)
        if len(s.history) != held:
            self._look_at_log()
        if calls.soonest <= now or alarms.soonest <= now:
            self._expire()
        if s.epoch > epoch and s.role is not Role.LEADER:
            self._leaving.deposed()
        effects, s.out = s.out, []
        if s.role is Role.OUTSIDE:
            effects.sort(key=lambda effect: isinstance(effect, Departed | Stopped))  # Last words.
        return effects

    @property
    def deadline(self) -> Millis | None:
        """The one instant at which to hand in `Woken`, if nothing happens before."""
        calls, alarms = self._s.calls.deadline, self._s.alarms.deadline
        if calls is None or alarms is None:
            return alarms if calls is None else calls
        return min(calls, alarms)

    def _dispatch(self, event: Event) -> None:
        s = self._s
        match event:
            case Received(call, request, certificate):
                self._on_request(call, request, certificate)
            case Answered(call, reply):
                self._on_outcome(call, reply, "")
            case Failed(call, how, status):
                self._on_outcome(call, how, status)
            case Woken():
                pass  # What is overdue is ended after every event.
            case Submitted():
                self._talking.submit(event)
            case Burst(lines):
                self._talking.submit(*lines)
            case LinkBroken(address):
                self._on_link_broken(address)
            case AnsweredLate(address, ms):
                s.lateness.answered_late(s.now, address, ms)
            case Changed() | Invited() | Revoked() | Opened() | PasswordSet() | Decided():
                self._change(event)
            case Challenged():
                s.election.summoned = True
                self._electing.look()
            case Started(wall):
                self._on_started(wall)
            case Founded():
                self._joining.found(event)
            case JoinWanted(address):
                self._joining.begin(address)
            case LeaveWanted():
                self._joining.give_up()
                self._leaving.leave()
            case Closing():
                self._joining.give_up()
                self._leaving.close()
            case _:
                assert_never(event)

    def _change(self, event: Changed | Wanted) -> None:
        if isinstance(event, Changed):
            return self._belonging.change(event)
        self._inviting.wanted(event)

    # ---- time ------------------------------------------------------------------------------------

    def _notice_lateness(self, now: Millis) -> None:
        """A turn that comes late is our own stall: others' silence meanwhile says nothing."""
        s, late = self._s, now - (now if self.deadline is None else self.deadline)
        s.lateness.note(now, min(late, s.timing.t2_ms))
        if late <= s.timing.ping_ms:
            return
        s.now = now
        s.stalled_until = now + s.timing.t2_ms
        s.calls.excuse(now, s.timing.ping_ms)
        if late > s.timing.t2_ms and s.role is not Role.OUTSIDE:
            self._reign.thaw()

    def _expire(self) -> None:
        s = self._s
        for call in s.calls.overdue(s.now):
            call.then(call, call.silence)
        while (key := s.alarms.next_due(s.now)) is not None:
            self._rings[key[0]](key[1])

    def _table(self) -> dict[Alarm, Callable[[int], None]]:
        """What each alarm is for."""
        reign, electing, provisional = self._reign, self._electing, self._provisional
        return {
            Alarm.LEADER: lambda _: electing.look(),
            Alarm.HINT: lambda _: electing.on_hint(),
            Alarm.WAIT: lambda _: electing.on_wait(),
            Alarm.CLAIM: lambda _: self._claiming.on_claim(),
            Alarm.PULSE: lambda _: reign.on_pulse(),
            Alarm.RENEW: lambda _: reign.on_renew(),
            Alarm.RECORD: lambda _: reign.on_record(),
            Alarm.PROVISIONAL: lambda _: provisional.on_round(),
            Alarm.STAND_IN: lambda _: provisional.on_stand_in(),
            Alarm.MEMBERS: lambda _: self._belonging.on_members(),
            Alarm.NEWS: lambda _: self._belonging.on_news(),
            Alarm.DROP: self._belonging.on_drop,
            Alarm.LANE: self._sending.on_lane,
            Alarm.SPREAD: lambda _: self._sending.on_spread(),
            Alarm.ACKS: self._passing.on_acks,
            Alarm.SYNC: lambda _: self._catching_up.on_sync(),
            Alarm.CATCH_UP: self._catching_up.on_catch_up,
            Alarm.HOLES: lambda _: self._catching_up.seeking.on_holes(),
            Alarm.TRIM: lambda _: self._trimming.on_trim(),
            Alarm.JOIN: lambda _: self._joining.on_join_alarm(),
            Alarm.LEAVE: lambda _: self._leaving.on_leave_alarm(),
            Alarm.FAREWELL: self._leaving.on_farewell,
            Alarm.HAND_OVER: lambda _: self._leaving.on_hand_over(),
            Alarm.ASK: lambda _: self._belonging.removing.on_ask(),
        }

    def _look_at_log(self) -> None:
        """It has changed: is it too large, does anything wait in it?"""
        if self._trimming.due:
            self._trimming.look()
        if self._s.causal.pending:
            self._catching_up.seeking.look()

    # ---- starting --------------------------------------------------------------------------------

    def _remember(self, log: Remembered) -> None:
        """Put the log's messages back in order: predecessors first."""
        s = self._s
        mine = s.members.get(s.me)
        if mine is not None and mine.identity != s.setup.identity:
            s.me = 0  # The log is another person's: its lines are kept, its membership is not ours.
        if log.meta is not None:
            s.causal.below.update(log.meta.below)
        s.causal.below.update(log.holes)
        by_key, covers = {}, s.history.marks.covers
        for message in sorted(log.messages, key=lambda m: m.place):
            s.history.add(message)
            for shown in s.causal.accept(message):
                if len(s.history.repeats(shown)) < len(shown.ids):
                    s.shown_at(shown.place)
                self._talking.changing.recall(shown)
            if message.key.source == s.me:
                s.last_own = message.key
                if message.key in s.unproved and not covers(message.key):
                    self._unsigned.append(message)
            by_key[message.key] = message
        self._talking.changing.recalled(by_key)
        for post in sorted(log.posts, key=lambda p: p.key):
            if not post.settled and post.key in by_key:
                self._unsettled.append((by_key[post.key], post))
            elif post.key in by_key:
                s.outbox.recall(by_key[post.key], post)

    def _on_started(self, wall: int) -> None:
        """A new life: a higher incarnation than we know of, stored before its first use."""
        s = self._s
        s.wall = wall
        mine = s.members.get(s.me)
        lives = (mine.incarnation, mine.address_stamp[0]) if mine is not None else (0,)  # A twin's.
        s.incarnation = max(s.incarnation + 1, max(lives) + 1, wall)
        s.store_meta()
        if mine is None or s.leaving:  # Said in a membership that is over, or all but.
            for _, post in self._unsettled:
                s.emit(StorePost(replace(post, settled=True)))
            self._unsettled.clear()
        if mine is None:
            return
        s.role = Role.FOLLOWER
        if s.leaving:
            return self._leaving.resume()
        if not s.members.belongs(s.me):  # The log says that we have left, or were removed.
            self._belonging.look_at_myself()
            if s.role is Role.OUTSIDE:
                return
        self._talking.changing.resume()
        self._talking.prove(tuple(self._unsigned))
        for message, post in self._unsettled:
            stored_at = s.now - max(0, wall - message.sent)
            entry = s.outbox.restore(stored_at, message, post, s.active_others)
            if not entry.waits_for:
                s.emit(StorePost(entry.post))  # Those that lacked it were dropped meanwhile.
        self._unsettled.clear()
        self._electing.start()
        is_strange = self._belonging.announce()
        for member in s.others:
            s.liveness.heard_at[member] = s.now
        self._note_absent()
        self._catching_up.start()
        self._look_at_log()
        for member in s.active_others:
            self._sending.send(member)
        if s.leader not in (0, s.me):
            self._catching_up.want(s.leader)
        if is_strange and s.leader != s.me:  # Nobody may know us by our certificate.
            self._joining.begin("")

    def _note_absent(self) -> None:
        """Those who were gone when we came are gone since then, as far as we know."""
        for member in self._s.away:
            self._s.liveness.dropped_at.setdefault(member, self._s.now)

    def _entered(self, through: MemberId) -> None:
        """We are a member now."""
        self._note_absent()
        self._catching_up.start()
        if through and through != self._s.me:
            self._catching_up.want(through, now=True)

    # ---- requests --------------------------------------------------------------------------------

    def _on_request(self, call: CallId, request: Request, certificate: bytes | None) -> None:
        s, caller = self._s, request.caller
        if s.role is Role.OUTSIDE:
            return self._answer_outside(call, request)
        called_back = isinstance(request, Ping) and self._joining.calls_back(request)
        if not called_back and (turned_down := fault(s, request, certificate)) is not None:
            return self._belonging.removing.refuse(call, request, turned_down)
        if isinstance(request, Join):
            return self._joining.asked(call, request, certificate)
        if isinstance(request, Ping) and (not caller.node or called_back):
            return self._answering.ping(call, request)
        if (refusal := self._belonging.refusal(caller.node, caller.incarnation)) is not None:
            return self._turn_away(call, request, refusal)
        if s.liveness.heard(s.now, caller.node) or s.members.life(caller.node) is Life.SUSPECT:
            self._belonging.exchange(caller.node)
        match request:
            case Tell() | Acks():
                self._talking.asked(call, request)
            case Ping():
                if (refusal := self._answering.refusal(request)) is not None:
                    return s.respond(call, refusal)
                self._overhear(caller.node, request.view)
                self._answering.ping(call, request)
            case Elect():
                self._overhear(caller.node, request.view)
                self._answering.elect(call, request)
            case Coordinator():
                self._answering.coordinator(call, request)
                self._learn(caller.node, request.view)
            case Sync():
                self._overhear(caller.node, request.view)
                self._catching_up.asked(call, request)
            case Update():
                if self._closes(request):
                    self._reign.say_good_bye(caller.node, caller.epoch, leaving=False)
                self._belonging.update(call, request)
                self._reign.hear_of(caller.node, caller.epoch)
            case Leave():
                self._reign.say_good_bye(caller.node, caller.epoch, leaving=True)
                self._leaving.left(call, request)
            case _:
                assert_never(request)

    def _closes(self, request: Update) -> bool:
        """Does the caller say that it goes offline?"""
        mine = (one for one in request.roster.members if one.id == request.caller.node)
        return any(one.life is Life.DROPPED for one in mine)

    def _answer_outside(self, call: CallId, request: Request) -> None:
        """The leader calls back before it admits; a ping to a member that was here is not ours."""
        is_gone = self._s.members.is_kicked(self._s.me)
        if isinstance(request, Ping) and request.caller.callee in (0, self._s.me) and not is_gone:
            return self._answering.ping(call, request)
        self._s.respond(
            call, Refusal(Reason.UNKNOWN_CHAT, "this node is not a member of that chat")
        )

    def _turn_away(self, call: CallId, request: Request, refusal: Refusal) -> None:
        """A caller that may not be heard.  Facts are welcome from anyone who was a member."""
        s, node = self._s, request.caller.node
        if refusal.reason == Reason.UNKNOWN_MEMBER:
            if isinstance(request, Coordinator):
                self._answering.coordinator(call, request)
                return self._belonging.exchange(node, request.view.leader_address)
            # It brings its own record, maybe: its admission is a fact.
            if isinstance(request, Update) and any(m.id == node for m in request.roster.members):
                return self._belonging.update(call, request)
            if s.leader not in (0, s.me):
                self._belonging.exchange(s.leader)
        elif isinstance(request, Update) and refusal.reason != Reason.KICKED:
            return self._belonging.update(call, request)
        elif isinstance(request, Leave) and refusal.reason == Reason.LEFT:
            return self._leaving.left(call, request)
        self._belonging.removing.refuse(call, request, refusal)

    def _overhear(self, member: MemberId, view: View | None) -> None:
        """A caller's view: its epoch is checked at the registry before it is believed."""
        if view is None:
            return
        self._learn(member, view)
        self._reign.hear_of(member, view.epoch, view.leader, view.leader_address)

    def _learn(self, member: MemberId, view: View) -> None:
        """All that a view tells beside leadership."""
        s = self._s
        s.saw_n(view.highest_n)
        if view.roster_hash == s.members.hash:
            s.liveness.agreed_at[member] = s.now
        else:
            self._belonging.exchange(member)
        self._catching_up.saw(member, view)
        self._provisional.hear_of(member, view)

    # ---- outcomes --------------------------------------------------------------------------------

    def _on_outcome(self, call: CallId, outcome: Outcome, status: str) -> None:
        s = self._s
        if (open := s.calls.close(call)) is None:
            return s.ended_late(call, outcome)
        open.status = status
        if open.to:
            if not isinstance(outcome, Silence | Refusal):
                s.liveness.heard(s.now, open.to)
            elif isinstance(outcome, Refusal):
                self._on_refusal(open.to, outcome)
        open.then(open, outcome)

    def _on_refusal(self, member: MemberId, refusal: Refusal) -> None:
        """A no about ourselves: our picture of the roster, or theirs, is old."""
        if self._s.role is Role.OUTSIDE:
            return  # Who was removed knows why, and asks now and then.
        if refusal.reason in ROSTERS_DIFFER:
            self._belonging.exchange(member)
        if refusal.reason == Reason.OLD_INCARNATION:
            self._belonging.look_at_myself()  # Again: who outdid us may not have answered before.

    def _on_link_broken(self, address: Address) -> None:
        s = self._s
        for member in s.members.at_address(address):
            if member != s.me:  # Somebody else had that address before us.
                self._electing.hint(member)
                self._belonging.check(member)

    # ---- what one flow means to the others -------------------------------------------------------

    def _led(self, before: MemberId) -> None:
        """We have just begun to lead: look after the members, and compare logs with them."""
        s = self._s
        self._joining.give_up()
        for member in s.active_others:
            s.liveness.heard_at[member] = s.now
        s.alarms.set(Alarm.MEMBERS, s.now + s.timing.t2_ms)
        if before in s.active_others:
            self._belonging.check(before)

    def _met(self, leader: MemberId, epoch: Epoch) -> None:
        """We led, and another leads a higher epoch now: two sides have met."""
        if self._s.active_others:
            self._catching_up.rival = (leader, epoch)

    def _unlisted(self) -> None:
        """Somebody has ended our network: a claim revives it at the registry, a renewal never."""
        if not (self._s.leaving or self._s.closing):
            self._claiming.claim((), nothing, nothing)

    def _gone(self, member: MemberId) -> None:
        self._sending.forget(member)

    def _returned(self, member: MemberId) -> None:
        if self._s.role is Role.OUTSIDE:
            return  # We are about to return ourselves.
        self._catching_up.want(member, now=True)
        self._sending.reached(member)
