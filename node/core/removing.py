"""Who was removed: it is told so, by whom, and nothing else; and nobody follows it any more.

A refusal alone proves nothing to the one that is refused: anybody could say so.  What removes it is
a decision, which it looks at as all others do.

A decision may turn out not to count, and nobody calls one that was out meanwhile.  So whoever was
removed asks a member now and then, another one each time, and brings the decisions that it knows.
Who counts it as removed refuses, as whatever else it asks; who knows better answers with the
roster, by which it is a member still: as itself, in a new life that begins from its log.
"""

from collections.abc import Callable

from msgspec.structs import replace

from .alarms import Alarm
from .calls import Outcome, Outstanding
from .effects import Departed, Reinstated
from .messages import NO_CARD, Fact, Member, Refusal, Request, Roster, Update, Updated
from .reasons import Reason
from .state import Role, State
from .types import CallId, MemberId, Millis

TELL_MS = 500  # deadline of that call
AGAIN_MS = 5_000  # between two to one member
NOWHERE = "0.0.0.0:1"  # in place of an address that is none of its business
ASK_MS = 5_000  # deadline of a question, for which the way is made anew
ASK_AT_START_MS = 2_000  # the longest until the first question ...
ASK_AGAIN_MS = 15_000  # ... and, of one that was removed just now; doubled with each ...
ASK_RARELY_MS = 600_000  # ... up to this


class Removing:
    """`absorb` merges what a member knows; `current` is our roster, with our own record right."""

    def __init__(
        self, s: State, absorb: Callable[[Roster, MemberId], object], current: Callable[[], Roster]
    ) -> None:
        self._s, self._absorb, self._current = s, absorb, current
        self._told_at: dict[MemberId, Millis] = {}
        self._ask_ms: Millis = 0  # the longest until the next question
        self._turn = 0  # whose it is to be asked

    # ---- others --------------------------------------------------------------------------------

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

    # ---- ourselves -----------------------------------------------------------------------------

    def expelled(self) -> None:
        """We no longer belong.  Who was removed, and does not leave, goes on asking."""
        s = self._s
        is_removed, has_just_started = s.members.is_kicked(s.me), not s.ready
        s.role = Role.OUTSIDE
        s.alarms.clear()
        s.calls.clear()
        if not is_removed:
            s.left_ids = tuple(sorted({*s.left_ids, s.me}))
        s.store_meta()
        s.emit(Departed(0, 0, deleted=False, kicked=is_removed))
        if is_removed and not s.leaving:
            self._ask_ms = ASK_AT_START_MS if has_just_started else ASK_AGAIN_MS
            self._turn = s.rng.randint(0, len(s.others))
            self._ask_later()

    def _ask_later(self) -> None:
        s = self._s
        s.alarms.set(Alarm.ASK, s.now + s.rng.randint(self._ask_ms // 2, self._ask_ms))

    def on_ask(self) -> None:
        """Does it count still that we were removed?"""
        s = self._s
        if s.closing:
            return
        known = [member for member in s.others if s.address_of(member) != NOWHERE]
        if known:
            member = known[self._turn % len(known)]
            update = Update(s.caller(member), self._current(), want_roster=True)
            s.call(member, update, ASK_MS, self._answered)
        self._turn += 1
        self._ask_ms = min(max(2 * self._ask_ms, ASK_AGAIN_MS), ASK_RARELY_MS)
        self._ask_later()

    def _answered(self, call: Outstanding, outcome: Outcome) -> None:
        s = self._s
        if s.closing or not isinstance(outcome, Updated):
            return
        self._absorb(outcome.roster, call.to)
        if s.members.belongs(s.me):
            s.emit(Reinstated())


def _bare(record: Member, me: MemberId) -> Member:
    """A record without what only members are to know: where somebody is, and by which key.  Who
    calls is to be known by its own.
    """
    if record.id == me:
        return record
    bare = replace(record, address=NOWHERE, address_stamp=(0, 0), card=NO_CARD, away=Fact())
    return replace(bare, ends=())


def _nothing(_: Outstanding, __: Outcome) -> None:
    """Who does not hear it calls again, and is told then."""
