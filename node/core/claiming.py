"""The claim at the registry, which alone makes a leader.

A claim whose fate is unknown is repeated with its nonce until it is answered or a higher epoch is
known.  Its votes belong to its round: once they are stale, the repeat asks only what became of it.
"""

from collections.abc import Callable

from .alarms import Alarm
from .calls import Outcome
from .deciding import Decision
from .effects import ElectionMoved, Phase
from .election import Stage
from .messages import Claim, Granted, Refusal
from .proving import Proving, note_registered
from .reasons import Reason
from .reign import Reign
from .state import Role, State
from .types import MemberId, Silence

REPEAT_MS = 1_000  # between two tries
# Refusals that are as good as silence: the registry has another claim key than we, or another key
# of its own than the one that our epochs were granted with, and takes the next claim no more.
USELESS = (Reason.WRONG_CLAIM_KEY, Reason.UNKNOWN_NETWORK)
AWAY_COUNTS_MS = 600_000  # a member that was dropped since counts among those who could vote


class Claiming:
    def __init__(self, s: State, reign: Reign) -> None:
        self._s, self._reign = s, reign
        self._proving = Proving(s)

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
        stale = e.claim is not None and (
            s.liveness.leading_since(e.claim.made_at)
            or s.now - e.claim.made_at > 3 * s.timing.t2_ms
        )
        # Who leads provisionally goes on claiming, though no longer with votes of another time.
        fate = stale and s.role is not Role.PROVISIONAL
        pending = e.ready_claim(s.now, s.epoch, votes, self._electorate(), stale, fate)
        e.claiming = True
        if votes is not None:
            s.emit(ElectionMoved(s.me, Phase.CLAIMING, f"epoch after {s.epoch.n}"))

        def answered(outcome: Outcome) -> None:
            e.claiming = False
            if isinstance(outcome, Silence):
                granted = e.claim is not None and e.claim.expected < s.epoch  # As others told us.
                s.alarms.set(Alarm.CLAIM, s.now + (0 if granted else REPEAT_MS))
                return unanswered()
            self._claimed(outcome, pending.nonce, votes is not None)
            (unanswered if e.refused else ended)()

        claim = Claim(
            chat=s.chat,
            node=s.me,
            address=s.setup.address,
            expected=pending.expected,
            nonce=pending.nonce,
            votes=pending.votes,
            electorate=pending.electorate,
            only_fate=pending.only_fate,
            facts=s.facts(),
            claim_key=self._proving.newest,
            removals=self._removals(),
        )
        s.ask(self._proving.proved(claim), s.timing.claim_ms, answered)
        return True

    def _removals(self) -> tuple[Decision, ...]:
        """What has the registry not ask the leader, which is a member no longer."""
        return self._s.members.decisions.shown_removal(self._s.leader)

    def _electorate(self) -> int:
        """Of how many members the votes are.

        Who was dropped a while ago may follow the leader on the other side of a split: else two
        sides of which each drops the other's members would depose each other's leaders for ever.
        """
        s = self._s
        recent = s.now - AWAY_COUNTS_MS
        away = sum(s.liveness.dropped_at.get(member, s.now) > recent for member in s.away)
        return len(s.members.active) + away

    def _claimed(self, outcome: Outcome, nonce: int, by_round: bool) -> None:
        s, e = self._s, self._s.election
        reason = outcome.reason if isinstance(outcome, Refusal) else ""
        e.refused = reason if reason in USELESS else ""
        if e.claim is None or e.claim.nonce != nonce or s.role is Role.OUTSIDE:
            return  # A higher epoch was learnt meanwhile: a late word of an old one starts nothing.
        if isinstance(outcome, Granted):
            if outcome.record.leader != s.me:
                return s.drop("a grant that names another")
            note_registered(s, outcome.record.claim_key)
            mine = outcome.record.epoch == s.epoch and s.leader == s.me and s.role is Role.FOLLOWER
            if outcome.record.epoch > s.epoch or mine:
                self._reign.lead(outcome.record.epoch, outcome.ids, outcome.record.grant)
            return
        e.claim = None
        if not isinstance(outcome, Refusal):
            return s.drop("a claim answered with nonsense")
        if outcome.record is not None:
            note_registered(s, outcome.record.claim_key)
        if by_round:
            s.emit(ElectionMoved(s.me, Phase.REFUSED, outcome.reason))
        if outcome.record is not None and self._reign.adopt(
            outcome.record.epoch,
            outcome.record.leader,
            outcome.record.address,
            sure=True,
            grant=outcome.record.grant,
        ):
            return
        if by_round and not e.refused:
            alive = outcome.reason == Reason.LEADER_ALIVE
            why = "the leader answers the NDS" if alive else "the NDS refused the claim"
            s.emit(ElectionMoved(s.me, Phase.ENDED, why))
            e.poll_all = e.poll_all or alive
            e.back_off(s.now)

    def on_claim(self) -> None:
        """Repeat a claim whose fate is unknown."""
        s, e = self._s, self._s.election
        if e.claim is None or s.role is Role.OUTSIDE:
            return
        if e.stage is not Stage.IDLE or e.claiming or s.role is Role.PROVISIONAL:
            s.alarms.set(Alarm.CLAIM, s.now + REPEAT_MS)
        else:
            self.claim(None, nothing, nothing)


def nothing() -> None:
    """Nothing follows from this claim's end."""
