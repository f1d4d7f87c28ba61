"""Who was heard when: a member of its leader, a leader of its members.

Only one's own ping, answered LEADING, counts as hearing the leader: not its chat, not its calls.
"""

from math import ceil, log10

from msgspec import Struct

from .timing import Timing
from .types import Epoch, MemberId, Millis


class Check(Struct):
    """A member that did not answer is being looked into."""

    refused: bool = False  # nobody listens at its address, as far as we see


class Liveness:
    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._leading_at: Millis | None = None
        self._leading_epoch: Epoch | None = None
        self.heard_leader_at: Millis | None = None  # last, whatever has come since
        self.silent_since: Millis | None = None  # of the leader, for "took"
        self.heard_at: dict[MemberId, Millis] = {}
        self.checks: dict[MemberId, Check] = {}
        self.suspected_at: dict[MemberId, Millis] = {}  # when that was told
        self.dropped_at: dict[MemberId, Millis] = {}
        self.agreed_at: dict[MemberId, Millis] = {}  # when their roster was ours

    # ---- the leader ----

    def leading(self, now: Millis, epoch: Epoch) -> None:
        """Our ping was answered LEADING, or the leader has told that it leads."""
        self._leading_at, self._leading_epoch, self.silent_since = now, epoch, None
        self.heard_leader_at = now

    def silent(self, now: Millis) -> None:
        """Our ping failed, or the link broke: nothing heard before counts."""
        self._leading_at = None
        if self.silent_since is None:
            self.silent_since = now

    def fresh(self, now: Millis, epoch: Epoch) -> bool:
        """Did the leader tell us itself that it leads, at this epoch or above, a moment ago?"""
        at, heard = self._leading_at, self._leading_epoch
        return (
            at is not None
            and heard is not None
            and now - at < self._timing.heard_ms
            and heard >= epoch
        )

    def leading_since(self, at: Millis) -> bool:
        """Was the leader heard after this instant, and nothing since says otherwise?"""
        return self._leading_at is not None and self._leading_at > at

    # ---- members ----

    def heard(self, now: Millis, member: MemberId) -> bool:
        """A word from a member.  True: it was being looked into, which is over."""
        self.heard_at[member] = now
        return self.checks.pop(member, None) is not None

    def unheard(self, now: Millis, members: tuple[MemberId, ...]) -> list[MemberId]:
        """Those of them not heard for two rounds, and not being looked into yet."""
        since = now - 2 * self._timing.t2_ms
        return [m for m in members if self.heard_at.get(m, since) <= since and m not in self.checks]

    def suspect_ms(self, members: int, ill: bool) -> Millis:
        """From suspect to dropped: longer in larger groups, and when we may be the ill one."""
        scale = max(1.0, 4 / 5 * log10(members + 1))
        return ceil(self._timing.suspect_ms * scale * (2 if ill else 1))
