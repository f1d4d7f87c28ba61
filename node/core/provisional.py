"""Leading while the registry is away: a fact beside the certified epoch, and much less than it.

A provisional leader relays and coordinates; it never assigns ids.  It ends for a member when the
certified leader answers LEADING, when a higher epoch is known, or when the registry answers.

    following the certified leader --- silent, registry away, no lower id ---> provisional leader
            ^        |                                                              |
            |        +--- a provisional COORDINATOR ---> following a provisional    |
            |                                                 |                     |
            +---- certified leader answers, or a new epoch ---+---------------------+
"""

from .alarms import Alarm
from .calls import Outcome, Outstanding
from .claiming import Claiming, nothing
from .effects import LeaderChanged
from .messages import Coordinator, Lookup, Pong, Standing, View
from .reign import Reign
from .state import Role, State
from .types import MemberId, Silence

RANK_MS = 300  # the next lowest follower stands in this much later


class Provisional:
    def __init__(self, s: State, reign: Reign, claiming: Claiming) -> None:
        self._s, self._reign, self._claiming = s, reign, claiming

    def lead(self) -> None:
        """Nobody lower is there and the registry does not answer."""
        s = self._s
        s.role, s.provisional = Role.PROVISIONAL, s.me
        took = s.now - s.liveness.silent_since if s.liveness.silent_since is not None else 0
        s.emit(LeaderChanged(s.me, s.epoch, True, took))
        self._reign.coordinate(provisional=True)
        s.alarms.cancel(Alarm.STAND_IN)
        s.alarms.set(Alarm.PROVISIONAL, s.now + s.timing.t2_ms)
        s.alarms.set(Alarm.MEMBERS, s.now + s.timing.t2_ms)

    def follow(self, member: MemberId) -> None:
        s = self._s
        if (s.provisional == member and s.role is Role.FOLLOWER) or s.members.is_kicked(member):
            return
        s.role, s.provisional = Role.FOLLOWER, member
        s.liveness.silent(s.now)
        s.liveness.silent_since = None
        s.liveness.checks.clear()  # Others look after the members now.
        s.election.forget_back_off()
        s.emit(LeaderChanged(member, s.epoch, True, 0))
        s.alarms.cancel(Alarm.MEMBERS)
        s.alarms.cancel(Alarm.STAND_IN)
        self._watch_again()
        self._reign.redraw()

    def end(self) -> None:
        """The certified leader is there after all."""
        s = self._s
        s.provisional, s.role = 0, Role.FOLLOWER
        s.liveness.leading(s.now, s.epoch)
        s.election.forget_back_off()
        self._over()

    def resign(self) -> None:
        """The registry has answered, and did not make us leader."""
        s = self._s
        s.provisional, s.role = 0, Role.FOLLOWER
        self._over()

    def _answered(self) -> None:
        if self._s.role is Role.PROVISIONAL:
            self.resign()

    def _over(self) -> None:
        s = self._s
        s.liveness.checks.clear()
        for alarm in (Alarm.PROVISIONAL, Alarm.STAND_IN, Alarm.MEMBERS):
            s.alarms.cancel(alarm)
        s.emit(LeaderChanged(s.leader, s.epoch, False, 0))
        self._reign.redraw()

    def on_round(self) -> None:
        """Once per t2: ask the certified leader; then do what leading, or following, takes."""
        s, epoch, provisional = self._s, self._s.epoch, self._s.provisional
        if not provisional:
            return
        self._watch_again()

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if s.epoch != epoch or s.provisional != provisional:
                return
            if isinstance(outcome, Pong):
                if self._reign.learn(s.leader, outcome.view):
                    return
                if outcome.standing is Standing.LEADING:
                    return self.end()
            self._go_on()

        if s.leader not in (0, s.me) and not s.members.is_kicked(s.leader):
            s.call(s.leader, self._reign.ping_request(s.leader), s.timing.ping_ms, ended)
        else:
            self._go_on()

    def _go_on(self) -> None:
        s = self._s
        if s.role is Role.PROVISIONAL:
            self._reign.remind()
            self._claiming.claim(None, nothing, self._answered)
        elif s.alarms.at(Alarm.STAND_IN) is None:
            self._ask_registry()

    def _ask_registry(self) -> None:
        """A follower that reaches the registry when its provisional leader does not stands in."""
        s, epoch, provisional = self._s, self._s.epoch, self._s.provisional

        def read(outcome: Outcome) -> None:
            if isinstance(outcome, Silence) or s.epoch != epoch or s.provisional != provisional:
                return
            self._reign.take_record(outcome)
            if s.epoch == epoch and s.alarms.at(Alarm.STAND_IN) is None:
                rank = sum(1 for m in s.members.active if m < s.me)
                s.alarms.set(Alarm.STAND_IN, s.now + 2 * s.timing.t2_ms + RANK_MS * rank)

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    def on_stand_in(self) -> None:
        s, epoch = self._s, self._s.epoch
        if s.role is not Role.FOLLOWER or not s.provisional:
            return

        def read(outcome: Outcome) -> None:
            if isinstance(outcome, Silence) or s.role is not Role.FOLLOWER:
                return
            self._reign.take_record(outcome)
            if s.epoch == epoch and s.provisional:
                self._claiming.claim(None, nothing, self._answered)

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    # ---- hearing of others -----------------------------------------------------------------------

    def coordinated(self, by: MemberId, request: Coordinator) -> None:
        """A provisional COORDINATOR of our epoch."""
        s = self._s
        hears_leader = s.liveness.fresh(s.now, s.epoch)
        if s.role is Role.LEADER or (s.role is Role.PROVISIONAL and by > s.me):
            return
        if not s.provisional and s.leader != s.me and hears_leader:
            return
        if s.provisional and s.provisional < by and hears_leader:
            return
        self.follow(by)

    def hear_of(self, member: MemberId, view: View) -> None:
        """Of two that both lead provisionally the lower holds, for their followers too."""
        s = self._s
        lower = 0 < view.provisional < s.provisional
        if view.epoch != s.epoch or not lower or view.provisional == s.me:
            return
        if s.members.is_kicked(view.provisional):
            return
        if view.provisional == member:
            self.follow(member)
        else:
            self._verify(view.provisional)

    def _verify(self, member: MemberId) -> None:
        s = self._s

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if not isinstance(outcome, Pong) or self._reign.learn(member, outcome.view):
                return
            leads = outcome.standing is Standing.PROVISIONAL and outcome.view.epoch == s.epoch
            if leads and member < s.provisional:
                self.follow(member)

        s.call(member, self._reign.ping_request(member), s.timing.ping_ms, ended)

    def _watch_again(self) -> None:
        s = self._s
        t2 = s.timing.t2_ms
        s.alarms.set(Alarm.PROVISIONAL, s.now + s.rng.randint(t2 * 9 // 10, t2 * 11 // 10))
