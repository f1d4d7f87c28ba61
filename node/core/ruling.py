"""What users say and decide for all, and decisions of others: made, looked at, and told.

What a decision means stands in `deciding`; here it is seen to that its author has signed it, and
that nobody is taken for the founder, to whom all rights go back, who is not.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from .clock import tick
from .deciding import ADMINS, Act, Decision, Order, hand_over_statement, statement
from .effects import Change, MemberChanged
from .events import Changed, Decided, Field
from .messages import Fact, Member, Roster
from .state import Role, State
from .types import NO_HLC, MemberId

DECISIONS_MAX = 512
FOR_THE_OWNER = 128  # of them: admins leave so many
RANKS = (Change.NO_ADMIN, Change.ADMIN, Change.OWNER)
MAKING = {0: (Act.DEOP,), 1: (Act.OP, Act.DEOP), 2: (Act.OWNER,)}  # what leads to a rank
SETTINGS = {Act.INVITES: "invite", Act.TOPIC: "topic"}  # as people call them


class Ruling:
    def __init__(self, s: State) -> None:
        self._s = s

    # ---- our own -------------------------------------------------------------------------------

    def decision(self, event: Decided) -> Decision | None:
        """What we decide, signed; None: that is not for us to decide, or there are too many."""
        s, known = self._s, self._s.members.decisions
        most = DECISIONS_MAX if known.order.owner == s.me else DECISIONS_MAX - FOR_THE_OWNER
        if len(known) >= most:
            return None
        past = max((one.hlc for one in known.all), default=NO_HLC)
        decision = Decision(
            by=s.me,
            act=event.act,
            hlc=tick(event.wall, past),
            whom=event.whom,
            person=event.person,
            value=self._handed_over(event.person) if event.act is Act.OWNER else event.value,
            after=known.heads,
        )
        if not known.is_rightful(decision):
            return None
        if s.setup.sign is not None:
            decision = replace(decision, signature=s.setup.sign(statement(s.chat, decision)))
        return decision

    def _handed_over(self, heir: bytes) -> str:
        s = self._s
        sign = s.setup.sign
        return sign(hand_over_statement(s.chat, heir)).hex() if sign is not None else ""

    def handed_on(self) -> Decision | None:
        """That another is the owner, where we are and go: an admin if there is one, of those that
        answer if one does, the lowest id.  None: we are not, or are alone.
        """
        s, order = self._s, self._s.members.decisions.order
        if order.owner != s.me or not s.others:
            return None
        active = s.active_others
        heir = min(s.others, key=lambda m: (not order.rank(m), m not in active, m))
        record = s.members.get(heir)
        assert record is not None, f"{heir} belongs and is not in the roster"
        return self.decision(Decided(Act.OWNER, s.wall, heir, record.identity))

    def changed(self, event: Changed) -> Roster | None:
        """What our user says: our nick, that we are away, the topic; None: it may not."""
        s = self._s
        mine, order = s.members.get(s.me), s.members.decisions.order
        if mine is None or s.role is Role.OUTSIDE:
            s.drop("a change by somebody who is no member")
            return None
        s.wall = event.wall
        if event.field is Field.TOPIC and order.topic == ADMINS:
            title = self.decision(Decided(Act.TITLE, event.wall, value=event.value))
            if title is None:
                s.drop("a topic by somebody who may not set it")
            return Roster(decisions=(title,)) if title is not None else None
        before = {Field.NICK: mine.nick, Field.AWAY: mine.away, Field.TOPIC: s.members.topic}
        fact = Fact(event.value, tick(event.wall, before[event.field].hlc), s.me)
        if event.field is Field.TOPIC:
            return Roster((), fact)
        is_nick = event.field is Field.NICK
        return Roster((replace(mine, nick=fact) if is_nick else replace(mine, away=fact),))

    # ---- others' -------------------------------------------------------------------------------

    def looked_at(self, roster: Roster) -> Roster:
        """A roster that somebody brings, without what it cannot know: who was removed follows from
        decisions, and those are their authors' alone.  Nobody was there before the founder, and
        whoever has an id keeps it.
        """
        members = self._s.members
        those = [one for one in roster.members if self._is_possible(one, members.get(one.id))]
        mine = tuple(_not_removed(one, members.get(one.id)) for one in those)
        news = [one for one in roster.decisions if one.id not in members.decisions]
        if not news and mine == roster.members:
            return replace(roster, decisions=()) if roster.decisions else roster
        persons = {one.id: one.identity for one in mine}
        room = DECISIONS_MAX - len(members.decisions)
        return replace(roster, members=mine, decisions=tuple(self._good(news, persons))[:room])

    def _is_possible(self, brought: Member, known: Member | None) -> bool:
        if known is not None and brought.identity == known.identity:
            return True
        if known is None and brought.id > self._s.members.decisions.founder:
            return True
        self._s.drop("a record of somebody who cannot have that id")
        return False

    def _good(self, news: Iterable[Decision], persons: dict[MemberId, bytes]) -> Iterable[Decision]:
        """Those that are signed; of which the right to them is looked at when all are known."""
        s = self._s
        for one in news:
            by, whom = (self._person(id, persons) for id in (one.by, one.whom))
            if by is None or (one.whom and whom != one.person):
                continue
            verify = s.setup.verify
            if verify is None or verify(by, one.signature, statement(s.chat, one)):
                yield one
            else:
                s.drop("a decision that its author has not signed")

    def _person(self, id: MemberId, persons: dict[MemberId, bytes]) -> bytes | None:
        known = self._s.members.get(id)
        return known.identity if known is not None else persons.get(id)

    # ---- telling people --------------------------------------------------------------------------

    def tell(self, before: Order, *, quiet: bool) -> None:
        """Tell people what another order means, beside who was removed."""
        s, after = self._s, self._s.members.decisions.order
        if quiet or not before.owner or before is after:  # Or we have just learnt of the group.
            return
        for id in sorted({*before.admins, *after.admins, before.owner, after.owner}):
            was, now = before.rank(id), after.rank(id)
            handed_on = (was, now) == (2, 1)  # Told of who has its place.
            if was != now and not handed_on and s.members.belongs(id):
                by = self._by(*MAKING[now], whom=id)
                s.emit(MemberChanged(id, RANKS[now], by=by))
        for person in sorted(before.barred.keys() - after.barred.keys()):
            by = self._by(Act.UNBAN, person=person)
            if (id := s.members.last_of(person)) and by:
                s.emit(MemberChanged(id, Change.PARDONED, by=by))
        for act, name in SETTINGS.items():
            was_set, is_set = (getattr(one, act.name.lower()) for one in (before, after))
            if was_set != is_set and (by := self._by(act)):
                s.emit(MemberChanged(by, Change.RIGHTS, f"{name} {is_set or 'all'}", by))

    def _by(self, *acts: Act, whom: MemberId = 0, person: bytes = b"") -> MemberId:
        """Who decided that last; 0 for nobody."""
        known = self._s.members.decisions.all
        those = [one for one in known if one.act in acts and whom in (0, one.whom)]
        those = [one for one in those if person in (b"", one.person)]
        return max(those, key=lambda one: (one.hlc, one.id)).by if those else 0


def _not_removed(brought: Member, known: Member | None) -> Member:
    removed = known is not None and known.kicked
    return brought if brought.kicked == removed else replace(brought, kicked=removed)
