"""Who leads: watching the leader, the round of votes, the claim, and what follows from a new epoch.

A member pings its leader at random intervals.  When the leader stays silent and the registry knows
nothing newer, it asks everyone (ELECTION).  Members that hear the leader say so, which ends the
round: the asker's link is broken, not the leader.  Otherwise the lowest id that reaches the registry
claims the next epoch there.  The registry asks the old leader first, and grants each epoch once.
"""

from collections.abc import Callable

from .alarms import Alarm
from .calls import Outcome, Outstanding, absent
from .effects import ElectionMoved, LeaderChanged, Phase
from .election import Round, Stage, unreachable
from .events import Silence
from .messages import (
    Claim,
    Coordinator,
    Elect,
    Elected,
    Followed,
    Granted,
    Lookup,
    Ping,
    Pong,
    Reason,
    Record,
    RecordRead,
    Refusal,
    Renew,
    Standing,
    View,
    Vote,
)
from .provisional import Provisional
from .state import Role, State
from .types import Address, Epoch, MemberId

REPEAT_MS = 1_000  # a claim whose fate is unknown is repeated this often
LOOKUPS_AT_START = 2


class Look:
    """One look at the leader, from the ping to the claim.  A later epoch makes it void."""

    def __init__(self, s: State, hinted: bool, summoned: bool, anew: bool) -> None:
        self.epoch, self.following = s.epoch, s.following
        self.hinted, self.summoned, self.anew = hinted, summoned, anew
        self.refused = False  # nobody listens at the leader's address
        self.votes: tuple[MemberId, ...] = ()


class Leading:
    """`learn` hands on what a view tells beside leadership; `deposed` says that we led till now;
    `unknown` that the certified leader does not know us; `led` that we have just begun to lead.
    """

    def __init__(
        self,
        s: State,
        *,
        learn: Callable[[MemberId, View], None],
        led: Callable[[MemberId], None],
        changed: Callable[[MemberId, Epoch], None],
        unknown: Callable[[], None],
    ) -> None:
        self._s = s
        self._learn_rest, self._led, self._changed, self._unknown = learn, led, changed, unknown
        self._look: Look | None = None
        self._again = False
        self._reading = False
        self._hint_about: MemberId = 0
        self.handed_over_by: MemberId = 0
        self.provisional = Provisional(s, self)

    # ---- starting ------------------------------------------------------------------------------

    def start(self) -> None:
        """First of all: the record, or, with the registry away, every member's word."""
        self._read_at_start(LOOKUPS_AT_START)

    def _read_at_start(self, tries: int) -> None:
        s = self._s

        def read(outcome: Outcome) -> None:
            if not isinstance(outcome, Silence):
                self.take_record(outcome)
                self._be_ready()
            elif tries > 1:
                self._read_at_start(tries - 1)
            else:
                s.call_each(
                    s.others,
                    self.ping_request,
                    s.timing.ping_ms,
                    self._told_at_start,
                    self._be_ready,
                )

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    def _told_at_start(self, member: MemberId, outcome: Outcome) -> None:
        s = self._s
        if isinstance(outcome, Pong) and not self.learn(member, outcome.view):
            leads_here = outcome.standing is Standing.PROVISIONAL and outcome.view.epoch == s.epoch
            if leads_here and s.role is Role.FOLLOWER:
                self.provisional.follow(member)

    def _be_ready(self) -> None:
        s = self._s
        if s.role is Role.OUTSIDE or s.ready:
            return
        s.ready = True
        s.alarms.set(Alarm.RECORD, s.now + self._about(s.timing.record_ms))
        if s.leader == s.me:
            s.election.claim_anew = True
        s.alarms.set(Alarm.LEADER, s.now)

    # ---- watching the leader -------------------------------------------------------------------

    def redraw(self) -> None:
        """The liveness timer, drawn afresh."""
        s = self._s
        s.alarms.set(Alarm.LEADER, s.now + s.rng.randint(s.timing.t1_ms, s.timing.t2_ms))

    def look(self) -> None:
        """Is the leader there?  One look at a time; a wish meanwhile is granted afterwards."""
        s, e = self._s, self._s.election
        if s.role is Role.OUTSIDE or not s.ready:
            return
        if self._look is not None:
            self._again = True
            return
        look = Look(s, e.hinted, e.summoned, e.claim_anew)
        e.hinted = e.summoned = False
        self.redraw()
        if s.leads:
            e.claim_anew = False
            return
        self._look = look
        if look.following not in (0, s.me):
            e.stage = Stage.PINGING
            self._ping(look, s.timing.ping_tries)
        else:
            self._unheard(look)

    def hint(self, member: MemberId) -> None:
        """The link to the leader broke: look soon, the lowest id first."""
        s = self._s
        if member != s.following or s.role is not Role.FOLLOWER:
            return
        s.liveness.silent(s.now)
        self._hint_about = member
        rank = sum(1 for m in s.members.active if m < s.me and m != member)
        wait = s.timing.hint_rank_ms * rank + s.rng.randint(0, s.timing.hint_jitter_ms)
        s.alarms.set_earlier(Alarm.HINT, s.now + wait)

    def on_hint(self) -> None:
        if self._hint_about == self._s.following:
            self._s.election.hinted = True
            self.look()

    def _ping(self, look: Look, tries: int) -> None:
        s = self._s

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if not self._current(look):
                return
            if isinstance(outcome, Pong):
                self._ponged(look, outcome)
            elif isinstance(outcome, Refusal) and outcome.reason == Reason.UNKNOWN_MEMBER:
                self._end(look)
                if look.following == s.leader:
                    self._unknown()
            else:
                look.refused = absent(outcome)
                s.liveness.silent(s.now)
                if tries > 1 and outcome is Silence.SILENT:
                    self._ping(look, tries - 1)
                else:
                    self._unheard(look)

        s.call(look.following, self.ping_request(look.following), s.timing.ping_ms, ended)

    def _ponged(self, look: Look, pong: Pong) -> None:
        s = self._s
        if self.learn(look.following, pong.view) or not self._current(look):
            return
        standing, provisional = pong.standing, s.provisional
        if standing is Standing.LEADING and (not provisional or provisional == look.following):
            s.liveness.leading(s.now, pong.view.epoch)
            s.election.forget_back_off()
            if provisional and provisional == s.leader:
                self.provisional.end()
            self._end(look)
        elif provisional and standing is Standing.PROVISIONAL:
            s.liveness.leading(s.now, pong.view.epoch)
            s.election.forget_back_off()
            self._end(look)
        elif provisional and 0 < pong.view.provisional < provisional:
            self._end(look)
            self.provisional.follow(pong.view.provisional)
        else:
            s.liveness.silent(s.now)
            self._unheard(look)

    def _unheard(self, look: Look) -> None:
        """Silence.  The registry may know better."""
        s, e = self._s, self._s.election
        e.claim_anew = False
        urgent = look.anew or look.summoned
        if s.now < e.defer_until and not urgent:
            return self._end(look)
        if s.now < e.next_round_at and not urgent and not (look.hinted and look.refused):
            return self._end(look)
        e.stage = Stage.LOOKING

        def read(outcome: Outcome) -> None:
            if not self._current(look):
                return
            record = self.take_record(outcome)
            if not self._current(look):
                return
            ours = record is not None and (
                record.leader == s.me or (s.leader == s.me and record.epoch == s.epoch)
            )
            if ours:  # We led in an earlier life: claim anew, there is nobody to elect against.
                self._claim_for(look, (), heard_lower=False)
            else:
                self._hold_round(look)

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    def _current(self, look: Look) -> bool:
        s = self._s
        if self._look is not look:
            return False
        if s.epoch == look.epoch and s.following == look.following and s.role is Role.FOLLOWER:
            return True
        self._end(look)
        return False

    def _end(self, look: Look) -> None:
        s, e = self._s, self._s.election
        if self._look is look:
            self._look, e.stage, e.round = None, Stage.IDLE, None
            s.alarms.cancel(Alarm.WAIT)
        if self._again or e.hinted or e.summoned or (e.claim_anew and s.role is Role.FOLLOWER):
            self._again = False
            s.alarms.set(Alarm.LEADER, s.now)

    # ---- the round -----------------------------------------------------------------------------

    def _hold_round(self, look: Look) -> None:
        s, e = self._s, self._s.election
        e.stage = Stage.ASKING
        round = e.round = Round(s.epoch, s.following, set(s.active_others))
        why = "no leader is known" if not look.following else "leader silent"
        s.emit(ElectionMoved(s.me, Phase.STARTED, why))

        def ended(call: Outstanding, outcome: Outcome) -> None:
            if e.round is not round or not self._current(look):
                return
            if isinstance(outcome, Elected):
                round.answers[call.to] = outcome
                if self.learn(call.to, outcome.view) or not self._current(look):
                    return
            round.expected.discard(call.to)
            if not round.expected and e.stage is Stage.ASKING:
                self._count(look, round)

        for member in s.others:
            s.call(member, Elect(s.caller(member), s.view()), s.timing.elect_ms, ended)
        if not round.expected:
            self._count(look, round)

    def _count(self, look: Look, round: Round) -> None:
        """Everyone has answered, or had the time to."""
        s, e = self._s, self._s.election
        answers = round.answers
        if (leader := answers.get(s.leader)) is not None and leader.vote is Vote.LEADING:
            s.liveness.leading(s.now, leader.view.epoch)
            return self._stay(look, "the leader answers")
        reaches_nds = bool(s.nds_up)
        provisional = [
            m for m, a in answers.items() if a.vote is Vote.PROVISIONAL and a.view.epoch == s.epoch
        ]
        if provisional and not reaches_nds:
            self._end(look)
            return self.provisional.follow(min(provisional))
        alive = [
            m
            for m, a in answers.items()
            if a.vote is Vote.LEADING
            or (a.vote is Vote.ALIVE and not (a.about_provisional and reaches_nds))
        ]
        look.votes = unreachable(round, s.members.active, s.me)
        if alive and 2 * len(look.votes) <= len(s.members.active):
            return self._stay(look, f"{len(alive)} of {len(answers)} hear the leader")
        lower = [m for m, a in answers.items() if a.ok and (a.reaches_nds or not reaches_nds)]
        if lower:
            e.stage = Stage.WAITING
            s.emit(ElectionMoved(s.me, Phase.WAITING, f"{len(lower)} with a lower id take over"))
            s.alarms.set(Alarm.WAIT, s.now + s.timing.wait_ms)
        else:
            self._claim_for(look, look.votes, heard_lower=any(m < s.me for m in answers))

    def _stay(self, look: Look, why: str) -> None:
        """The round is over and the old leader stays."""
        self._s.emit(ElectionMoved(self._s.me, Phase.ENDED, why))
        self._s.election.back_off(self._s.now)
        self._end(look)

    def on_wait(self) -> None:
        """The lower id has not claimed in time: ask the leader once more, then claim."""
        s, look = self._s, self._look
        if look is None or not self._current(look):
            return

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if not self._current(look):
                return
            if isinstance(outcome, Pong):
                if self.learn(look.following, outcome.view) or not self._current(look):
                    return
                if outcome.standing is Standing.LEADING or (
                    s.provisional and outcome.standing is Standing.PROVISIONAL
                ):
                    s.liveness.leading(s.now, outcome.view.epoch)
                    return self._stay(look, "the leader answers")
            self._claim_for(look, look.votes, heard_lower=True)

        if look.following not in (0, s.me):
            s.call(look.following, self.ping_request(look.following), s.timing.ping_ms, ended)
        else:
            self._claim_for(look, look.votes, heard_lower=True)

    # ---- the claim -----------------------------------------------------------------------------

    def _claim_for(self, look: Look, votes: tuple[MemberId, ...], *, heard_lower: bool) -> None:
        s, provisional = self._s, self._s.provisional
        s.election.stage = Stage.CLAIMING

        def unanswered() -> None:
            if not self._current(look):
                return
            self._end(look)
            if s.provisional == provisional and not heard_lower:
                self.provisional.lead()
            else:
                self.redraw()

        if not self.claim(votes, unanswered, lambda: self._end(look)):
            self._end(look)

    def claim(
        self,
        votes: tuple[MemberId, ...] | None,
        unanswered: Callable[[], None],
        ended: Callable[[], None],
    ) -> bool:
        """Claim the next epoch; `votes` None repeats a claim.  False: one is out already."""
        s, e = self._s, self._s.election
        if e.claiming:
            return False
        fate = (
            s.role is not Role.PROVISIONAL
            and e.claim is not None
            and (
                s.liveness.leading_since(e.claim.made_at)
                or s.now - e.claim.made_at > 3 * s.timing.t2_ms
            )
        )
        pending = e.ready_claim(s.now, s.epoch, votes, len(s.members.active), fate)
        e.claiming = True
        if votes is not None:
            s.emit(ElectionMoved(s.me, Phase.CLAIMING, f"epoch after {s.epoch.n}"))

        def answered(outcome: Outcome) -> None:
            e.claiming = False
            if isinstance(outcome, Silence):
                s.alarms.set(Alarm.CLAIM, s.now + REPEAT_MS)
                return unanswered()
            self._claimed(outcome, pending.nonce, votes is not None)
            ended()

        s.ask(
            Claim(
                chat=s.chat,
                node=s.me,
                address=s.setup.address,
                expected=pending.expected,
                nonce=pending.nonce,
                votes=pending.votes,
                electorate=pending.electorate,
                only_fate=pending.only_fate,
                facts=s.facts(),
            ),
            s.timing.claim_ms,
            answered,
        )
        return True

    def _claimed(self, outcome: Outcome, nonce: int, by_round: bool) -> None:
        s, e = self._s, self._s.election
        if e.claim is None or e.claim.nonce != nonce or s.role is Role.OUTSIDE:
            return  # A higher epoch was learnt meanwhile: a late word of an old one starts nothing.
        if isinstance(outcome, Granted):
            mine = outcome.record.epoch == s.epoch and s.leader == s.me and s.role is Role.FOLLOWER
            if outcome.record.epoch > s.epoch or mine:
                ids = range(outcome.ids.first, outcome.ids.first + outcome.ids.count)
                self.lead(outcome.record.epoch, list(ids))
            return
        e.claim = None
        if not isinstance(outcome, Refusal):
            return s.drop("a claim answered with nonsense")
        s.emit(ElectionMoved(s.me, Phase.REFUSED, outcome.reason))
        if outcome.record is not None and self.adopt(
            outcome.record.epoch, outcome.record.leader, outcome.record.address
        ):
            return
        if s.role is Role.PROVISIONAL:
            self.provisional.resign()
        if by_round:
            e.back_off(s.now)

    def on_claim(self) -> None:
        """Repeat a claim whose fate is unknown."""
        s, e = self._s, self._s.election
        if e.claim is None or s.role is not Role.FOLLOWER:
            return
        if self._look is not None or e.claiming:
            s.alarms.set(Alarm.CLAIM, s.now + REPEAT_MS)
        else:
            self.claim(None, _nothing, _nothing)

    # ---- leading -------------------------------------------------------------------------------

    def lead(self, epoch: Epoch, ids: list[MemberId]) -> None:
        """The registry has granted us this epoch.  There is no other way to lead one."""
        s, e = self._s, self._s.election
        before = s.leader
        took = s.now - s.liveness.silent_since if s.liveness.silent_since is not None else 0
        self._leave_epoch()
        s.epoch, s.leader, s.role, s.ids = epoch, s.me, Role.LEADER, ids
        s.doubtful = e.claim_anew = False
        s.liveness.silent_since = None
        s.saw_id(ids[-1] if ids else 0)
        s.store_meta()
        handed, self.handed_over_by = self.handed_over_by, 0
        s.emit(ElectionMoved(s.me, Phase.WON, f"epoch {epoch.n}"))
        s.emit(LeaderChanged(s.me, epoch, False, took, handed))
        self.redraw()
        s.alarms.set(Alarm.RENEW, s.now + s.timing.renew_ms)
        self.coordinate(provisional=False, handed_over_by=handed)
        self._led(before)

    def coordinate(self, *, provisional: bool, handed_over_by: MemberId = 0) -> None:
        """COORDINATOR to everyone, dropped members too."""
        for member in self._s.others:
            self._coordinate(member, provisional, handed_over_by, 2)

    def _coordinate(self, to: MemberId, provisional: bool, handed: MemberId, tries: int) -> None:
        s, epoch = self._s, self._s.epoch

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Followed):
                if not self.learn(to, outcome.view):
                    self.provisional.hear_of(to, outcome.view)
            elif outcome is Silence.SILENT and tries > 1 and s.epoch == epoch and s.leads:
                self._coordinate(to, provisional, handed, tries - 1)

        request = Coordinator(s.caller(to), s.view(), provisional, handed)
        s.call(to, request, s.timing.ping_ms, ended)

    def on_renew(self) -> None:
        """The sign of life at the registry, and more ids where they run low."""
        s, epoch = self._s, self._s.epoch
        if s.role is not Role.LEADER:
            return
        s.alarms.set(Alarm.RENEW, s.now + self._about(s.timing.renew_ms))
        if s.doubtful:
            return

        def renewed(outcome: Outcome) -> None:
            if s.role is not Role.LEADER or s.epoch != epoch:
                return
            record = self.take_record(outcome)
            still = record is not None and (record.epoch, record.leader) == (s.epoch, s.me)
            if still and isinstance(outcome, RecordRead) and outcome.ids:
                more = range(outcome.ids.first, outcome.ids.first + outcome.ids.count)
                s.ids += [id for id in more if id not in s.ids]
                s.saw_id(more[-1] if more else 0)

        want = len(s.ids) < s.timing.ids_low
        request = Renew(s.chat, s.me, s.epoch, s.setup.address, want, s.facts())
        s.ask(request, s.timing.claim_ms, renewed)

    # ---- learning ------------------------------------------------------------------------------

    def learn(self, member: MemberId, view: View) -> bool:
        """A member's answer.  True: it told of a higher epoch, which we have accepted."""
        self._learn_rest(member, view)
        return self.adopt(view.epoch, view.leader, view.leader_address)

    def take_record(self, outcome: Outcome) -> Record | None:
        """The registry's answer: accept its epoch if that is news.  None: it named no record."""
        record = None
        if isinstance(outcome, RecordRead | Refusal):
            record = outcome.record
        if record is not None:
            self.adopt(record.epoch, record.leader, record.address)
        return record

    def adopt(self, epoch: Epoch, leader: MemberId, address: Address) -> bool:
        """Accept a higher epoch, or the unknown leader of ours.  True: something changed."""
        s, e = self._s, self._s.election
        if s.role is Role.OUTSIDE:
            return False
        if epoch == s.epoch and not s.leader and leader not in (0, s.me):
            s.leader, s.leader_address = leader, address
            self._follow_new(0)
            return True
        if epoch <= s.epoch:
            return False
        before = s.leader
        took = s.now - s.liveness.silent_since if s.liveness.silent_since is not None else 0
        if s.leads and not s.closing:
            self._changed(before, s.epoch)
        self._leave_epoch()
        s.epoch, s.leader, s.leader_address = epoch, leader, address
        if leader == s.me:  # Granted, but the grant was lost: it may not be used.
            e.claim_anew = True
            s.store_meta()
            s.alarms.set(Alarm.LEADER, s.now)
        else:
            self._follow_new(took)
        return True

    def _follow_new(self, took: int) -> None:
        s = self._s
        s.liveness.silent(s.now)
        s.liveness.silent_since = None
        s.election.forget_back_off()
        s.store_meta()
        handed, self.handed_over_by = self.handed_over_by, 0
        s.emit(LeaderChanged(s.leader, s.epoch, False, took, handed))
        self.redraw()

    def _leave_epoch(self) -> None:
        """Drop all that belonged to the epoch before: role, ids, claim, rounds."""
        s, e = self._s, self._s.election
        s.role, s.provisional, s.ids, s.doubtful = Role.FOLLOWER, 0, [], False
        s.liveness.silent(s.now)
        s.liveness.checks.clear()
        e.claim = None
        e.stage, e.round = Stage.IDLE, None
        e.forget_back_off()
        self._look = None
        for alarm in (
            Alarm.WAIT,
            Alarm.RENEW,
            Alarm.MEMBERS,
            Alarm.PROVISIONAL,
            Alarm.STAND_IN,
            Alarm.HINT,
        ):
            s.alarms.cancel(alarm)

    def hear_of(self, epoch: Epoch, leader: MemberId, address: Address) -> None:
        """A caller knows a higher epoch: read the record; failing that, believe it."""
        s = self._s
        if epoch <= s.epoch or self._reading or s.role is Role.OUTSIDE:
            return
        self._reading = True

        def read(outcome: Outcome) -> None:
            self._reading = False
            self.take_record(outcome)
            if s.epoch < epoch:
                self.adopt(epoch, leader, address)

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    def on_record(self) -> None:
        s = self._s
        s.alarms.set(Alarm.RECORD, s.now + self._about(s.timing.record_ms))
        s.ask(
            Lookup(s.chat), s.timing.lookup_ms, lambda outcome: _ignore(self.take_record(outcome))
        )

    # ---- after a freeze ------------------------------------------------------------------------

    def thaw(self) -> None:
        """Our turn came late by more than t2: whatever we believe may be history."""
        s = self._s
        s.liveness.silent(s.now)
        if s.role is not Role.LEADER:
            return
        s.doubtful, epoch = True, s.epoch

        def clear() -> None:
            if s.epoch == epoch:
                s.doubtful = False

        def read(outcome: Outcome) -> None:
            if s.epoch != epoch or s.role is not Role.LEADER:
                return
            if isinstance(outcome, Silence):
                s.call_each(s.others, self.ping_request, s.timing.ping_ms, self._told_late, clear)
            else:
                self.take_record(outcome)
                clear()

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    def _told_late(self, member: MemberId, outcome: Outcome) -> None:
        if isinstance(outcome, Pong):
            self.learn(member, outcome.view)

    # ---- small things --------------------------------------------------------------------------

    def ping_request(self, member: MemberId) -> Ping:
        return Ping(self._s.caller(member), self._s.view())

    def _about(self, ms: int) -> int:
        return self._s.rng.randint(ms * 9 // 10, ms * 11 // 10)


def _nothing() -> None:
    """Nothing follows."""


def _ignore(_: object) -> None:
    """The answer matters only for what it changed."""
