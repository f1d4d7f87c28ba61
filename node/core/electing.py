"""Watching the leader, and the round of votes when it stays silent.

A member pings its leader at random intervals.  When the leader stays silent and the registry knows
nothing newer, it asks the others (ELECTION).  Members that hear the leader say so, which ends the
round: the asker's link is broken, not the leader.  Otherwise the lowest id that reaches the
registry claims the next epoch there.

In a large group it asks some first, the lowest ids and a few others drawn at random, and all the
rest only where those leave it open.  A claim by the votes of some that the registry refuses, since
the leader answers it, makes the next round ask all: only more than half may depose who is there.
"""

from collections.abc import Callable, Sequence

from . import rounds
from .alarms import Alarm
from .calls import Outcome, Outstanding, absent
from .claiming import Claiming
from .effects import ElectionMoved, Phase
from .election import Round, Stage, unreachable, wait_ms
from .messages import Elect, Elected, Life, Lookup, Pong, Refusal, Standing, Update, Vote
from .provisional import Provisional
from .reasons import Reason
from .reign import Reign
from .state import Role, State
from .types import MemberId, Millis, Silence

LOOKUPS_AT_START = 2
STRANGE = (Reason.UNKNOWN_MEMBER, Reason.WRONG_CERTIFICATE)  # as a leader says who lost us


class Look:
    """One look at the leader, from the ping to the claim.  A later epoch makes it void."""

    def __init__(self, s: State, hinted: bool, summoned: bool, anew: bool) -> None:
        self.epoch, self.following = s.epoch, s.following
        self.hinted, self.summoned, self.anew = hinted, summoned, anew
        self.refused = False  # nobody listens at the leader's address
        self.votes: tuple[MemberId, ...] = ()


class Electing:
    """`unknown`: the certified leader does not know us, or we do not know it."""

    def __init__(
        self,
        s: State,
        reign: Reign,
        claiming: Claiming,
        provisional: Provisional,
        unknown: Callable[[], None],
    ) -> None:
        self._s, self._reign = s, reign
        self._claiming, self._provisional = claiming, provisional
        self._unknown = unknown
        self._look: Look | None = None
        self._again = False
        self._hint_about: MemberId = 0

    # ---- starting ------------------------------------------------------------------------------

    def start(self) -> None:
        """First of all: the record, or, with the registry away, every member's word."""
        self._read_at_start(LOOKUPS_AT_START)

    def _read_at_start(self, tries: int) -> None:
        s = self._s

        def read(outcome: Outcome) -> None:
            if not isinstance(outcome, Silence):
                self._reign.take_record(outcome)
                self._be_ready()
            elif tries > 1:
                self._read_at_start(tries - 1)
            else:
                s.call_each(
                    s.others,
                    self._reign.ping_request,
                    s.timing.ping_ms,
                    self._told_at_start,
                    self._be_ready,
                )

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    def _told_at_start(self, member: MemberId, outcome: Outcome) -> None:
        s = self._s
        if isinstance(outcome, Pong) and not self._reign.learn(member, outcome.view):
            leads_here = outcome.standing is Standing.PROVISIONAL and outcome.view.epoch == s.epoch
            if leads_here and s.role is Role.FOLLOWER:
                self._provisional.follow(member)

    def _be_ready(self) -> None:
        s = self._s
        if s.role is Role.OUTSIDE or s.ready:
            return
        s.ready = True
        s.alarms.set(Alarm.RECORD, s.now + s.timing.record_ms)
        if s.leader == s.me:
            s.election.claim_anew = True
        s.alarms.set(Alarm.LEADER, s.now)

    # ---- watching the leader -------------------------------------------------------------------

    def look(self) -> None:
        """Is the leader there?  One look at a time; a wish meanwhile is granted afterwards."""
        s, e = self._s, self._s.election
        if s.role is Role.OUTSIDE or not s.ready or s.leaving:
            return
        if self._look is not None and self._current(self._look):
            self._again = True
            return
        look = Look(s, e.hinted, e.summoned, e.claim_anew)
        e.hinted = e.summoned = False
        self._reign.redraw()
        if s.leads:
            e.claim_anew = False
            return
        self._look = look
        look.refused = s.members.is_kicked(look.following)  # Whatever it would answer.
        if look.following not in (0, s.me) and not look.refused:
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
        s.alarms.set_earlier(Alarm.HINT, s.now + self._turn())

    def _turn(self) -> int:
        """What all do at one instant the lowest id does first, the next a little later."""
        s = self._s
        rank = sum(1 for m in s.members.active if m < s.me and m != s.following)
        return s.timing.hint_rank_ms * rank + s.rng.randint(0, s.timing.hint_jitter_ms)

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
            elif isinstance(outcome, Refusal) and outcome.reason in STRANGE:
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

        s.call(look.following, self._reign.ping_request(look.following), s.timing.ping_ms, ended)

    def _ponged(self, look: Look, pong: Pong) -> None:
        s = self._s
        if self._reign.learn(look.following, pong.view) or not self._current(look):
            return
        standing, provisional = pong.standing, s.provisional
        if standing is Standing.LEADING and (not provisional or provisional == look.following):
            self._heard_leader(pong)
            if provisional and provisional == s.leader:
                self._provisional.end()
            self._end(look)
        elif provisional and standing is Standing.PROVISIONAL:
            self._heard_leader(pong)
            self._end(look)
        elif provisional and 0 < pong.view.provisional < provisional:
            self._end(look)
            self._provisional.follow(pong.view.provisional)
        else:
            s.liveness.silent(s.now)
            self._unheard(look)

    def _heard_leader(self, pong: Pong) -> None:
        s, e = self._s, self._s.election
        for holder in e.disagree(s.epoch, s.following):
            s.emit(ElectionMoved(holder, Phase.ENDED, "the leader answers"))
        s.liveness.leading(s.now, pong.view.epoch)
        e.claim_anew = False  # Who answers leads, and claims where there is something to claim.
        e.forget_back_off()

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
            record = self._reign.take_record(outcome)
            if not self._current(look):
                return
            ours = record is not None and (
                record.leader == s.me or (s.leader == s.me and record.epoch == s.epoch)
            )
            if ours:  # We led in an earlier life: claim anew, there is nobody to elect against.
                self._claim_for(look, (), heard_lower=False)
            elif s.liveness.fresh(s.now, s.epoch) and not s.members.is_kicked(s.following):
                self._end(look)  # It has told us meanwhile: it did not know itself when we asked.
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
        first = self._asked_first(look)
        rest = [member for member in s.others if member not in first]
        round = e.round = Round(s.epoch, s.following, rest)
        why = rounds.why(look.following)
        s.emit(ElectionMoved(s.me, Phase.STARTED, why, about=look.following))
        self._ask_each(look, round, first)

    def _asked_first(self, look: Look) -> list[MemberId]:
        """All others; in a large group the lowest ids, one of which may take over, and some who
        hear the leader or do not.  The silent leader itself is not among these.
        """
        s, some = self._s, self._s.timing.poll
        if len(s.others) <= s.timing.poll_all_max or s.election.poll_all or not s.nds_up:
            return list(s.others)
        active = [member for member in s.active_others if member != look.following]
        lowest = [member for member in active if member < s.me][:some]
        rest = active[len(lowest) :]
        return lowest + s.rng.sample(rest, min(some, len(rest)))

    def _ask_each(self, look: Look, round: Round, members: Sequence[MemberId]) -> None:
        s = self._s
        round.expected = {member for member in members if s.members.is_active(member)}
        for member in members:
            s.emit(ElectionMoved(s.me, Phase.ASKED, whom=member))
            self._ask(look, round, member, s.timing.elect_ms)
        if not round.expected:
            self._count(look, round)

    def _ask(self, look: Look, round: Round, member: MemberId, ms: Millis) -> None:
        s, e = self._s, self._s.election

        def ended(call: Outstanding, outcome: Outcome) -> None:
            if e.round is not round or not self._current(look):
                return
            s.emit(rounds.heard(s.me, call.to, outcome))
            if self._ask_again(look, round, call.to, outcome):
                return
            if isinstance(outcome, Elected):
                round.answers[call.to] = outcome
                if self._reign.learn(call.to, outcome.view) or not self._current(look):
                    return
            round.expected.discard(call.to)
            if not round.expected and e.stage is Stage.ASKING:
                self._count(look, round)

        s.call(member, Elect(s.caller(member), s.view()), ms, ended)

    def _ask_again(self, look: Look, round: Round, member: MemberId, outcome: Outcome) -> bool:
        """A lower id takes precedence, so it is asked again before it is passed over.

        One silence may be a stall of either side, or the first call on a new line.  Who does not
        know us was not told before the leader died that had admitted us: then we tell it.
        """
        s, e = self._s, self._s.election
        strange = isinstance(outcome, Refusal) and outcome.reason == Reason.UNKNOWN_MEMBER
        if member > s.me or member not in round.expected or (member, strange) in round.again:
            return False
        if member in (s.leader, s.following) or s.members.life(member) is not Life.ALIVE:
            return False  # It is known to be silent.
        decided = any(a.ok or a.vote is Vote.LEADING for a in round.answers.values())
        if decided or not (strange or outcome is Silence.SILENT):
            return False
        round.again.add((member, strange))
        s.emit(ElectionMoved(s.me, Phase.ASKED, rounds.AGAIN, member))

        def introduced(_: Outstanding, __: Outcome) -> None:
            if e.round is round and self._current(look):
                self._ask(look, round, member, s.timing.elect_ms)

        if strange:
            update = Update(s.caller(member), s.members.part(s.me))
            s.call(member, update, s.timing.elect_ms, introduced)
        else:
            self._ask(look, round, member, s.timing.ping_ms)
        return True

    def _count(self, look: Look, round: Round) -> None:
        """Everyone has answered, or had the time to."""
        s = self._s
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
            return self._provisional.follow(min(provisional))
        alive = [
            m
            for m, a in answers.items()
            if a.vote is Vote.LEADING
            or (a.vote is Vote.ALIVE and not (a.about_provisional and reaches_nds))
        ]
        polled = sum(m not in round.unasked for m in s.members.active)
        look.votes = unreachable(round, s.members.active, s.me)
        missed = 2 * len(look.votes) > polled and (s.election.again or not round.unasked)
        if alive and not missed:  # Some may be wrong about all once.
            return self._stay(look, f"{len(alive)} of {len(answers)} hear the leader")
        lower = [answer for answer in answers.values() if answer.ok]
        able = sum(1 for answer in lower if answer.reaches_nds or not reaches_nds)
        if able:
            self._wait(rounds.take_over(able), wait_ms(s.timing, lower))
        elif round.unasked and (lower or self._open(round, alive)):
            rest, round.unasked = round.unasked, []
            self._ask_each(look, round, rest)
        elif lower:
            self._wait(rounds.may_reach(len(lower)), s.timing.grace_ms)
        else:
            self._claim_for(look, look.votes, heard_lower=any(m < s.me for m in answers))

    def _open(self, round: Round, alive: list[MemberId]) -> bool:
        """Have those that were asked first left it open who leads next?

        They have not if one of them misses the leader and none hears it, unless a lower id may be
        among the others, or somebody who leads while the registry is away.
        """
        s = self._s
        lower = any(
            m < s.me and m != round.following and s.members.is_active(m) for m in round.unasked
        )
        return lower or bool(alive) or not round.answers or not s.nds_up

    def _wait(self, why: str, ms: Millis) -> None:
        s = self._s
        s.election.stage = Stage.WAITING
        s.emit(ElectionMoved(s.me, Phase.WAITING, why))
        s.alarms.set(Alarm.WAIT, s.now + ms + self._turn())

    def _stay(self, look: Look, why: str) -> None:
        """The round is over and the old leader stays."""
        self._s.emit(ElectionMoved(self._s.me, Phase.ENDED, why))
        self._s.election.of_others.clear()
        self._s.election.back_off(self._s.now)
        self._end(look)

    def on_wait(self) -> None:
        """The lower id has not claimed in time: ask the leader once more, then claim.

        The votes are of a while ago by then, so one silence is not enough, as at the beginning.

        If only some of a large group were asked, all are before: more may hear the leader, which
        is why the lower one did not claim, or another may be lower.
        """
        s, look = self._s, self._look
        if look is None or not self._current(look):
            return

        def go_on() -> None:
            round = s.election.round
            if round is not None and round.unasked:
                s.election.poll_all = True
                self._hold_round(look)
            else:
                self._claim_for(look, look.votes, heard_lower=True)

        if look.following not in (0, s.me) and not s.members.is_kicked(look.following):
            self._ask_once_more(look, s.timing.ping_tries, go_on)
        else:
            go_on()

    def _ask_once_more(self, look: Look, tries: int, go_on: Callable[[], None]) -> None:
        s, leader = self._s, look.following

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if not self._current(look):
                return
            if isinstance(outcome, Pong):
                if self._reign.learn(leader, outcome.view) or not self._current(look):
                    return
                if outcome.standing is Standing.LEADING or (
                    s.provisional and outcome.standing is Standing.PROVISIONAL
                ):
                    s.liveness.leading(s.now, outcome.view.epoch)
                    return self._stay(look, "the leader answers")
            elif tries > 1 and outcome is Silence.SILENT:
                return self._ask_once_more(look, tries - 1, go_on)
            go_on()

        s.call(leader, self._reign.ping_request(leader), s.timing.ping_ms, ended)

    # ---- the claim -----------------------------------------------------------------------------

    def _claim_for(self, look: Look, votes: tuple[MemberId, ...], *, heard_lower: bool) -> None:
        s, provisional = self._s, self._s.provisional
        s.election.stage = Stage.CLAIMING

        def unanswered() -> None:
            if not self._current(look):
                return
            self._end(look)
            if s.provisional == provisional and not heard_lower:
                self._provisional.lead()
            else:
                self._reign.redraw()

        def ended() -> None:
            current = self._current(look)
            self._end(look)
            if current and s.leader not in (0, s.me) and s.members.get(s.leader) is None:
                self._unknown()  # It answers the registry, and nobody we know has told us of it.

        if not self._claiming.claim(votes, unanswered, ended):
            self._end(look)
