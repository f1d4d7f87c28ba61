"""A second process that speaks as this member: a copied profile, or an earlier life.

Tried in tests/core/test_belonging.py.
"""

from collections.abc import Callable

from .calls import Outcome, Outstanding
from .effects import Stopped
from .messages import Caller, Ping, Pong, Update
from .state import Role, State
from .types import Address, Incarnation

REFRESH_MS = 500  # deadline of an exchange of rosters


class Twins:
    """`refute` draws a life of ours above another."""

    def __init__(self, s: State, refute: Callable[[Incarnation], None]) -> None:
        self._s, self._refute = s, refute
        self._looking = False

    def look_for(self, address: Address, above: Incarnation = 0) -> None:
        """Does another process answer as this member at `address`?  The lower incarnation stops.

        `above`: an incarnation of ours that we never drew; where there is no other process, our
        store is old, and we draw a higher one.
        """
        s = self._s
        if self._looking:
            return
        self._looking = True

        def ended(_: Outstanding, outcome: Outcome) -> None:
            self._looking = False
            if s.role is Role.OUTSIDE:
                return
            if isinstance(outcome, Pong) and outcome.view.process != s.setup.process:
                if outcome.view.incarnation > s.incarnation:
                    s.role = Role.OUTSIDE
                    s.alarms.clear()
                    return s.emit(Stopped("PROFILE_IN_USE"))
                self._tell(address)
            if above > s.incarnation:
                self._refute(above)

        # Not in our own name, of which the other may know a later life.
        nobody = Caller(s.chat, 0, 0, s.epoch, s.me)
        own = s.setup.card.certificate
        s.call(0, Ping(nobody, None), s.timing.ping_ms, ended, address, own)

    def _tell(self, address: Address) -> None:
        """Show an earlier life that still runs where we are: it asks us, and stops."""
        s = self._s
        update, own = Update(s.caller(s.me), s.members.roster), s.setup.card.certificate
        s.call(0, update, REFRESH_MS, _nothing, address, own)


def _nothing(_: Outstanding, __: Outcome) -> None:
    """Nothing follows from the end of this call."""
