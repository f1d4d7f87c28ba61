"""What is decided here: taken in, and told to all, and to whom it removes."""

from collections.abc import Callable

from .belonging import Belonging
from .deciding import REMOVALS
from .events import Decided
from .messages import Roster, Update
from .ruling import Ruling
from .state import State
from .twins import REFRESH_MS
from .types import MemberId


class Governing:
    """`belonging` takes in and tells."""

    def __init__(self, s: State, belonging: Belonging) -> None:
        self._s, self._belonging = s, belonging
        self._ruling = Ruling(s)

    def decide(self, event: Decided) -> None:
        """The user decides something, if it may."""
        decision = self._ruling.decision(event)
        if decision is None:
            return self._s.drop("a decision by somebody who has no right to it")
        self._belonging.absorb(Roster(decisions=(decision,)))
        self._belonging.tell(common=True)
        if decision.act in REMOVALS:
            self._belonging.removing.send(decision.whom)

    def hand_on(self, then: Callable[[], None]) -> None:
        """We go: who is the owner from now on is told to all before `then`, where it was us."""
        s, decision = self._s, self._ruling.handed_on()
        if decision is None:
            return then()
        self._belonging.absorb(Roster(decisions=(decision,)))
        part = Roster(decisions=s.members.decisions.all)

        def request(member: MemberId) -> Update:
            return Update(s.caller(member), part)

        s.call_each(s.active_others, request, REFRESH_MS, lambda member, outcome: None, then)
