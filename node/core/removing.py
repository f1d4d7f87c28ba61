"""Who was removed: it is told so, by whom, and nothing else; and nobody follows it any more.

A refusal alone proves nothing to the one that is refused: anybody could say so.  What removes it is
a decision, which it looks at as all others do.
"""

from msgspec.structs import replace

from .alarms import Alarm
from .calls import Outcome, Outstanding
from .messages import NO_CARD, Fact, Member, Refusal, Request, Roster, Update
from .reasons import Reason
from .state import Role, State
from .types import CallId, MemberId, Millis

TELL_MS = 500  # deadline of that call
AGAIN_MS = 5_000  # between two to one member
NOWHERE = "0.0.0.0:1"  # in place of an address that is none of its business


class Removing:
    def __init__(self, s: State) -> None:
        self._s = s
        self._told_at: dict[MemberId, Millis] = {}

    def refuse(self, call: CallId, request: Request, refusal: Refusal) -> None:
        """Turn a caller away; one that was removed is told, at the address that it gives."""
        self._s.respond(call, refusal)
        if refusal.reason != Reason.KICKED:
            return
        own = request.roster.members if isinstance(request, Update) else ()
        member = request.caller.node
        self.send(member, next((one.address for one in own if one.id == member), ""))

    def send(self, member: MemberId, address: str = "") -> None:
        """Hand it the decisions, and who made them."""
        s, told_at = self._s, self._told_at.get(member)
        recent = told_at is not None and s.now - told_at < AGAIN_MS
        if member == s.me or recent or not s.members.removed_by(member):
            return
        self._told_at[member] = s.now
        decisions = s.members.decisions.all
        about = {s.me, *(one.by for one in decisions), *(one.whom for one in decisions)} - {member}
        records = (s.members.get(id) for id in sorted(about))
        those = tuple(_bare(one, s.me) for one in records if one is not None)
        update = Update(s.caller(member), Roster(those, decisions=decisions))
        s.call(member, update, TELL_MS, _nothing, address)

    def follow_nobody_removed(self) -> None:
        """Whoever leads was removed: as if it were silent, at once."""
        s = self._s
        if s.role is not Role.FOLLOWER or not s.members.is_kicked(s.following):
            return
        s.liveness.silent(s.now)
        s.election.hinted = True
        s.alarms.set_earlier(Alarm.LEADER, s.now)


def _bare(record: Member, me: MemberId) -> Member:
    """A record without what only members are to know: where somebody is, and by which key.  Who
    calls is to be known by its own.
    """
    if record.id == me:
        return record
    bare = replace(record, address=NOWHERE, address_stamp=(0, 0), card=NO_CARD, away=Fact())
    return replace(bare, ends=(), admitted_by=0, admission=b"")


def _nothing(_: Outstanding, __: Outcome) -> None:
    """Who does not hear it calls again, and is told then."""
