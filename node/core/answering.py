"""What we say when others ask about leadership: PING, ELECTION, COORDINATOR.

Every answer is given at once from what is known; whatever has to follow runs afterwards, by alarm.
"""

from . import rounds
from .alarms import Alarm
from .calls import Outcome, Outstanding, absent
from .claiming import Claiming, nothing
from .effects import ElectionMoved, Phase
from .messages import Coordinator, Elect, Elected, Followed, Ping, Pong, Refusal, Standing, Vote
from .provisional import Provisional
from .reasons import Reason
from .reign import NO_HAND_OVER, HandOver, Reign
from .state import Role, State
from .types import CallId, MemberId, Silence


class Answering:
    def __init__(
        self, s: State, reign: Reign, claiming: Claiming, provisional: Provisional
    ) -> None:
        self._s, self._reign = s, reign
        self._claiming, self._provisional = claiming, provisional

    # ---- PING ----------------------------------------------------------------------------------

    def ping(self, call: CallId, request: Ping) -> None:
        s = self._s
        if request.asks_leading is not None:
            view = s.view(request.asks_leading)
            return s.respond(call, Pong(self._answer_registry(request), view))
        if (refusal := self.refusal(request)) is not None:
            return s.respond(call, refusal)
        if request.on_behalf not in (0, s.me):
            return self._ping_for(call, request)
        view = s.view(request.caller.epoch)
        s.respond(call, Pong(self.standing(request), view, reached=True))

    def refusal(self, request: Ping) -> Refusal | None:
        """Why it is not answered; to be asked before anything is learnt from it."""
        s, target = self._s, request.on_behalf
        ours = target in (0, s.me) or s.members.belongs(target)
        if ours or request.asks_leading is not None:
            return None
        return Refusal(Reason.UNKNOWN_MEMBER, f"no member {target} here")

    def standing(self, request: Ping) -> Standing:
        s = self._s
        if s.role is Role.LEADER and s.epoch >= request.caller.epoch:
            return Standing.LEADING
        return Standing.PROVISIONAL if s.role is Role.PROVISIONAL else Standing.NOT_LEADING

    def _answer_registry(self, request: Ping) -> Standing:
        """Do we lead this chat at that epoch?  Yielding takes more than half of the votes."""
        s = self._s
        asked = request.asks_leading
        assert asked is not None
        if s.role is not Role.LEADER or s.epoch < asked:
            return Standing.NOT_LEADING
        if s.closing:
            return Standing.YIELD
        if s.now < s.stalled_until:
            return Standing.LEADING  # Such votes are about our stall, which is over.
        active = s.members.active
        votes = {vote for vote in request.votes if vote in active and vote != s.me}
        return Standing.YIELD if 2 * len(votes) > len(active) else Standing.LEADING

    def _ping_for(self, call: CallId, request: Ping) -> None:
        """An indirect probe: the caller does not reach that member; do we?"""
        s, target = self._s, request.on_behalf

        def ended(_: Outstanding, outcome: Outcome) -> None:
            reached = not isinstance(outcome, Silence) and not absent(outcome)
            if isinstance(outcome, Pong):
                self._reign.learn(target, outcome.view)
                s.liveness.heard(s.now, target)
            standing = Standing.LEADING if s.role is Role.LEADER else Standing.NOT_LEADING
            s.respond(call, Pong(standing, s.view(), reached, absent(outcome)))

        s.call(target, self._reign.ping_request(target), s.timing.ping_ms, ended)

    # ---- ELECTION ------------------------------------------------------------------------------

    def elect(self, call: CallId, request: Elect) -> None:
        s, e = self._s, self._s.election
        caller = request.caller
        if not s.leads:
            self._reign.redraw()
        if caller.node == s.leader and caller.epoch == s.epoch and s.role is Role.FOLLOWER:
            if request.hand_over and not s.leaving:
                return self._take_over(call, request)
            s.liveness.silent(s.now)  # Who calls a round does not lead, or not in this life.
        vote = self._vote(request)
        lower = s.me < caller.node and not s.leaving  # Who is leaving stands for nothing.
        about_provisional = s.provisional != 0
        view = s.view(caller.epoch)
        answer = Elected(lower, s.nds_up is not False, vote, view, about_provisional)
        s.respond(call, answer)
        if vote is Vote.UNREACHABLE and e.agree(caller.node, s.epoch, s.following):
            about = request.view.provisional or request.view.leader
            s.emit(ElectionMoved(caller.node, Phase.STARTED, rounds.why(about), about=about))
        self._tell(caller.node, answer)
        if vote is Vote.ALIVE:
            e.hinted = True
            s.alarms.set(Alarm.LEADER, s.now)
        elif vote is Vote.UNREACHABLE and not lower:
            e.defer_until = s.now + s.timing.wait_ms
        elif vote is Vote.UNREACHABLE and s.ready and not s.leaving:
            e.summoned = True
            s.alarms.set(Alarm.LEADER, s.now)

    def _tell(self, holder: MemberId, answer: Elected, what: str = "") -> None:
        """People see that we were asked, and what we said."""
        s = self._s
        s.emit(ElectionMoved(holder, Phase.ASKED, what, s.me))
        s.emit(rounds.heard(holder, s.me, answer))

    def _vote(self, request: Elect) -> Vote:
        s = self._s
        if s.epoch < request.caller.epoch:
            return Vote.UNREACHABLE
        if s.role is Role.LEADER:
            return Vote.LEADING
        if s.role is Role.PROVISIONAL:
            return Vote.PROVISIONAL
        if s.members.is_kicked(s.following):
            return Vote.UNREACHABLE
        return Vote.ALIVE if s.liveness.fresh(s.now, s.epoch) else Vote.UNREACHABLE

    def _take_over(self, call: CallId, request: Elect) -> None:
        """The leader goes, and names us.  Claim at once."""
        s = self._s
        answer = Elected(True, s.nds_up is not False, Vote.UNREACHABLE, s.view())
        s.respond(call, answer)
        self._tell(s.leader, answer, rounds.TO_TAKE_OVER)
        self._reign.handed_over = HandOver(s.leader, request.leaving)
        s.liveness.silent(s.now)
        self._claiming.claim((), self._reign.redraw, nothing)

    # ---- COORDINATOR ---------------------------------------------------------------------------

    def coordinator(self, call: CallId, request: Coordinator) -> None:
        s, caller = self._s, request.caller
        stale = caller.epoch < s.epoch
        if not stale and not request.provisional:
            self._reign.handed_over = HandOver(request.handed_over_by, request.handed_over_leaving)
            address = request.view.leader_address
            grant = request.view.grant
            self._reign.adopt(caller.epoch, caller.node, address, grant=grant)
            self._reign.handed_over = NO_HAND_OVER
            if (caller.epoch, caller.node) == (s.epoch, s.leader):
                s.leader_address = address
                s.liveness.leading(s.now, s.epoch)
            if caller.epoch == s.epoch and s.leader == caller.node and s.provisional:
                self._provisional.end()
        elif not stale:
            view = request.view
            self._reign.adopt(caller.epoch, view.leader, view.leader_address, grant=view.grant)
            self._provisional.coordinated(caller.node, request)
        s.respond(call, Followed(stale, s.view(caller.epoch)))
