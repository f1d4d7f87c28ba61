"""What people are told of a chat, so that one event is told once, in whatever order its news come.

Three things are known in more than one way, and are told in one sentence each:

- A leader is silent: told by the first election about it, here or elsewhere, once until the leader
  was heard again.  That it is suspected by the next leader then is shown and not said; nor are
  further elections once one about that silence has ended with the old leader.
- A leader left and handed over: told with the new leader, whichever news is first.  A leader's
  good-bye waits for that; where it named nobody, it is told once an election begins or another
  leads.
- Own lines that reach somebody later: told with the first of them that has reached all others, once
  for each absence of a member, whether it was gone before that line was said or went meanwhile.
  How many lines were on their way to it then, the notice of its end says.
"""

from msgspec.structs import replace

from ..core.effects import (
    Acknowledged,
    Change,
    Deliver,
    ElectionMoved,
    LeaderChanged,
    MemberChanged,
    Notice,
    Phase,
    Settled,
)
from ..core.group import Group
from ..core.timing import Timing
from ..core.types import MemberId, Millis
from ..happenings import ElectionEvent, MemberEvent, SuspectEvent
from ..runner import Halted, now_ms
from . import telling

_ENDS = (Change.LEFT, Change.KICKED, Change.RETURNED)  # of an absence


class Account:
    """Fed with all notices of a group, in their order."""

    def __init__(self, timing: Timing) -> None:
        self._suspect_ms = 10 * timing.t2_ms  # after a leader's silence it is suspected within this
        self._leader: MemberId = 0  # as the notices had it
        self._silent: MemberId = 0  # whose silence was told last, as the leader's ...
        self._silent_at: Millis = 0  # ... and when
        self._about: MemberId | None = None  # whom the last election was about: its silence ...
        self._about_at: Millis = 0  # ... as told by the first one ...
        self._stayed = False  # ... and whether one about it has ended without a new leader
        self._parting: MemberEvent | None = None  # a leader's good-bye that is not yet told
        self._handed: MemberId = 0  # of whom it was told that it left and handed over
        self._absent: set[MemberId] = set()  # of whom it was told that they get lines later

    def told(self, group: Group, notice: Notice | Halted) -> list[telling.What]:
        """What watchers hear of a notice."""
        self._leader = self._leader or group.leader
        if isinstance(notice, Deliver | Acknowledged):  # As nearly always.
            return telling.told(group, notice)
        match notice:
            case ElectionMoved():
                return [*self._before(group, notice), self._election(group, notice)]
            case LeaderChanged():
                return self._led(group, notice)
            case MemberChanged():
                return self._member(group, notice)
            case Settled():
                return self._settled(group, notice)
            case _:
                return telling.told(group, notice)

    # ---- leaders ---------------------------------------------------------------------------------

    def _before(self, group: Group, notice: ElectionMoved) -> list[telling.What]:
        """What an election tells by beginning."""
        if notice.phase is not Phase.STARTED:
            return []
        said: list[telling.What] = [*self._part()]
        leader = notice.about
        if leader in group.active and leader != group.me and not self._knows(group, leader):
            self._silent, self._silent_at = leader, now_ms()
            said.append(SuspectEvent(leader, group.nick(leader)))
        return said

    def _election(self, group: Group, notice: ElectionMoved) -> telling.What:
        """A step of an election; its begin and its end are not said again and again."""
        (what,) = telling.told(group, notice)
        assert isinstance(what, ElectionEvent)
        if notice.phase is Phase.STARTED:
            heard_at = group.heard_leader_at
            if notice.about != self._about or (heard_at is not None and heard_at > self._about_at):
                self._about, self._about_at, self._stayed = notice.about, now_ms(), False
            return replace(what, quiet=self._stayed)
        if notice.phase is not Phase.ENDED:
            return what
        was, self._stayed = self._stayed, True
        return replace(what, quiet=was)

    def _knows(self, group: Group, leader: MemberId) -> bool:
        """Whether people know that this leader is silent."""
        heard_at = group.heard_leader_at
        heard_since = heard_at is not None and heard_at > self._silent_at
        return leader == self._silent and not heard_since

    def _led(self, group: Group, notice: LeaderChanged) -> list[telling.What]:
        says_so = notice.handed_over_leaving and notice.leader not in (0, group.me)
        handed = notice.handed_over_by if says_so else 0
        said: list[telling.What] = []
        if self._parting is not None and self._parting.member_id == handed:
            said.append(replace(self._parting, quiet=True))
            self._parting = None
        else:
            said += self._part()
            self._handed = handed
        if notice.leader == self._silent:
            self._silent = 0
        self._about, self._stayed = None, False
        self._leader = notice.leader
        return [*said, *telling.told(group, notice)]

    def _part(self) -> list[MemberEvent]:
        """The good-bye that was kept, now told."""
        parting, self._parting = self._parting, None
        return [parting] if parting is not None else []

    # ---- members ---------------------------------------------------------------------------------

    def _member(self, group: Group, notice: MemberChanged) -> list[telling.What]:
        member, change = notice.member, notice.change
        if change in _ENDS:
            self._absent.discard(member)
        (what,) = telling.told(group, notice)
        if change is Change.SUSPECT:
            is_known = member == self._silent and now_ms() - self._silent_at <= self._suspect_ms
            return [replace(what, quiet=is_known)] if isinstance(what, SuspectEvent) else [what]
        if member == self._silent:
            self._silent = 0
        if change is not Change.LEFT or not isinstance(what, MemberEvent):
            return [what]
        if member == self._handed:
            return [replace(what, quiet=True)]
        if member == self._leader:
            self._parting = what
            return []
        return [what]

    # ---- own lines -------------------------------------------------------------------------------

    def _settled(self, group: Group, notice: Settled) -> list[telling.What]:
        gone = set(group.belonging).difference((*group.active, group.me))
        absent = gone | set(notice.missing).intersection(group.belonging)
        if absent <= self._absent:
            return []
        self._absent |= absent
        return [telling.later(group, notice.key, tuple(sorted(absent)))]
