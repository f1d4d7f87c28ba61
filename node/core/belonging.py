"""The roster among members: exchanging it, suspecting, dropping, refuting.

The roster's hash travels in every ping; where two differ, rosters are exchanged and merged.
Whoever leads looks after the members: it pings those it has not heard, asks three others to ping
them, then suspects, then drops.  Dropped is not expelled: a member that reads this about itself
draws a higher incarnation, tells everyone and catches up.
"""

from collections.abc import Callable

from msgspec.structs import replace

from .admission import affirmed, proved
from .alarms import Alarm
from .callers import kicked, unheard
from .calls import Outcome, Outstanding, absent
from .effects import Change, Joined, MemberChanged
from .events import Changed
from .liveness import Check
from .membership import at, suspected, with_life
from .messages import Life, Member, Ping, Pong, Refusal, Roster, Update, Updated, View
from .removing import Removing
from .ruling import Ruling
from .state import Role, State
from .twins import REFRESH_MS, Twins
from .types import Incarnation, MemberId, Silence
from .vetting import is_ahead, vetted

NEW_KEY_MS = 300  # after somebody has gone the group has another claim key; several go together
WHOLE_MAX = 256  # records that one call brings
NEWS_MS = 50  # in a large group what is new about members is told together


class Belonging:
    """`gone`: nothing more is to be sent to that member.  `returned`: catch up with it.
    `learn`: a member's answer told of its view.
    """

    def __init__(
        self,
        s: State,
        *,
        learn: Callable[[MemberId, View], bool],
        gone: Callable[[MemberId], None],
        returned: Callable[[MemberId], None],
    ) -> None:
        self._s = s
        self._learn, self._gone, self._returned = learn, gone, returned
        self._ruling = Ruling(s)
        self.removing = Removing(s, lambda roster, by: self.absorb(roster, by=by), self._current)
        self._exchanging: dict[MemberId, int] = {}  # since when
        self.twins = Twins(s, self.refute)
        self._news: set[MemberId] = set()  # about whom the others are to be told
        self._common_is_news = False

    # ---- merging -------------------------------------------------------------------------------

    def absorb(
        self, roster: Roster, *, quiet: bool = False, by: MemberId = 0, why: str = ""
    ) -> bool:
        """Merge what somebody (`by`) knows; tell the people, and refute what is said of us.

        Args:
            roster: what is known.
            quiet: the people are not told.
            by: who brought it; 0 for ourselves.
            why: how a member that is dropped now was found to be gone.
        """
        s = self._s
        if by:
            roster = vetted(s, proved(s, roster), by)
        roster, order = self._ruling.looked_at(roster), s.members.decisions.order
        common, shown, about = s.members.common, self._outgoing(roster), s.members.about
        changes = s.members.absorb(roster)
        if not changes and s.members.common == common:
            return False
        s.parted &= s.members.claim_keys[-1:] == common.claim_keys[-1:]
        s.store_roster()
        for before, after in changes:
            s.saw_id(after.id)
            if after.id != s.me and not quiet:
                offline = "went offline" if by == after.id else why
                self._tell_people(before, after, shown.get(after.id, ""), offline)
            if after.id != s.me and not (after.belongs and after.life is not Life.DROPPED):
                s.alarms.cancel(Alarm.DROP, after.id)
                s.liveness.checks.pop(after.id, None)  # A later life is looked into anew.
                self._gone(after.id)
            if not after.belongs:
                s.parted = True
                if s.role is Role.LEADER:
                    s.alarms.set_earlier(Alarm.RENEW, s.now + NEW_KEY_MS)
        if (fresh := s.members.about) != about and not quiet:
            s.emit(MemberChanged(fresh.source or about.source, Change.TOPIC, fresh.value))
        self._ruling.tell(order, quiet=quiet)
        self.removing.follow_nobody_removed()
        self.look_at_myself()
        return True

    def _outgoing(self, roster: Roster) -> dict[MemberId, str]:
        """The names that are shown until now of those that may have another, or none, hereafter."""
        members = self._s.members
        known = members.decisions.all if roster.decisions else ()
        ids = {one.whom for one in (*known, *roster.decisions)}
        for record in roster.members:
            had = members.get(record.id)
            if had and (had.nick != record.nick or (had.belongs and not record.belongs)):
                ids.add(had.id)
        return {id: members.shown_nick(id) for id in ids}

    def _tell_people(self, before: Member | None, after: Member, shown: str, gone: str) -> None:
        """`shown`: the name until now, where it may have ended.  `gone`: why, for one dropped."""
        s, id = self._s, after.id
        if before is None:
            if s.members.belongs(id):  # Not an id that its identity has outgrown.
                s.emit(MemberChanged(id, Change.JOINED))
                s.liveness.heard_at.setdefault(id, s.now)
            return
        if after.left and not before.left:
            return s.emit(MemberChanged(id, Change.LEFT, shown))
        if after.kicked and not before.kicked:
            change = Change.BANNED if before.left else Change.KICKED
            return s.emit(MemberChanged(id, change, shown, s.members.removed_by(id)))
        if not after.belongs:
            return
        if before.kicked:
            return s.emit(MemberChanged(id, Change.REINSTATED))
        was, now = before.life, after.life
        if now is Life.SUSPECT and was is Life.ALIVE:
            s.emit(MemberChanged(id, Change.SUSPECT))
            s.liveness.suspected_at[id] = s.now
        elif now is Life.DROPPED and was is not Life.DROPPED:
            s.emit(MemberChanged(id, Change.DROPPED, gone))
            s.liveness.dropped_at[id] = s.now
        elif now is Life.ALIVE and was is not Life.ALIVE:
            self._back(id, was)
        if after.nick.value != before.nick.value and shown != s.members.shown_nick(id):
            s.emit(MemberChanged(id, Change.RENAMED, shown))
        if after.away.value != before.away.value:
            change = Change.AWAY if after.away.value else Change.BACK
            s.emit(MemberChanged(id, change, after.away.value))

    def _back(self, id: MemberId, was: Life) -> None:
        s = self._s
        s.alarms.cancel(Alarm.DROP, id)
        s.liveness.heard(s.now, id)
        s.liveness.dropped_at.pop(id, None)
        s.liveness.suspected_at.pop(id, None)
        s.emit(MemberChanged(id, Change.RETURNED if was is Life.DROPPED else Change.CLEARED))
        self._returned(id)

    def note_life(self, member: Member, incarnation: Incarnation) -> None:
        """A call came from a later life of this member than we knew of."""
        self.absorb(Roster((with_life(member, incarnation),)))

    # ---- ourselves -----------------------------------------------------------------------------

    def look_at_myself(self) -> None:
        s = self._s
        mine = s.members.get(s.me)
        if mine is None or s.role is Role.OUTSIDE or s.closing:
            return
        if mine.kicked:
            return self.removing.expelled()
        if not s.members.belongs(s.me) and not s.leaving:
            return self._claim_id(mine)
        if mine.incarnation > s.incarnation:
            self._is_outdone(mine)
        elif (
            mine.life is not Life.ALIVE
            or mine.incarnation < s.incarnation
            or mine.address != s.setup.address  # Another process drew the same incarnation.
            or (mine.card != s.setup.card and mine.belongs)
        ):
            if mine.life is Life.DROPPED:
                s.emit(MemberChanged(s.me, Change.REFUTED))
            self.refute()

    def _claim_id(self, mine: Member) -> None:
        """Another id of ours is higher; it is ours where our node has affirmed it elsewhere."""
        s = self._s
        if not mine.left and (after := affirmed(s, mine)) != mine:
            s.members.put(after)
            if s.members.belongs(s.me):
                return self.refute()
        self._move(s.members.of_identity(s.setup.identity))

    def _move(self, id: MemberId) -> None:
        """One identity, one id: the highest.  A new id begins a new stream."""
        s = self._s
        if not id:
            return self.removing.expelled()
        s.left_ids = tuple(sorted({*s.left_ids, s.me}))
        s.me, s.stream, s.stream_seq = id, None, 0
        s.election.claim = None  # It was another's, and so is the epoch.
        s.role, s.provisional, s.ids = Role.FOLLOWER, 0, {}
        s.store_meta()
        s.emit(Joined(id))
        self.refute()

    def refute(self, above: Incarnation = 0) -> None:
        """Say that we are alive, in a new incarnation, to everyone."""
        s = self._s
        mine = s.members.get(s.me)
        if mine is None:
            return
        known = max(above, mine.incarnation, mine.address_stamp[0])
        if known > s.incarnation:
            s.stream, s.stream_seq = None, 0  # Others may have trimmed one of that other life.
        s.incarnation = max(s.incarnation, known, s.wall - 1) + 1
        s.store_meta()
        self.announce()

    def announce(self) -> bool:
        """Put our own record right and tell everyone.  True: nobody may know us by our card yet."""
        is_new = self._put_right()
        self.tell(self._s.me)
        return is_new

    def _current(self) -> Roster:
        """Our roster, with our own record put right."""
        self._put_right()
        return self._s.members.roster

    def _put_right(self) -> bool:
        s = self._s
        mine = s.members.get(s.me)
        assert mine is not None, f"{s.me} is not in its own roster"
        mine = with_life(mine, s.incarnation)
        is_new = mine.card != s.setup.card
        said = (mine.address, mine.card, mine.address_stamp[0])
        if said != (s.setup.address, s.setup.card, s.incarnation):
            s.address_seq += 1
            stamp = (s.incarnation, s.address_seq)
            mine = at(mine, s.setup.address, stamp, s.setup.card)
        s.members.put(mine)
        s.store_roster()
        return is_new

    def _is_outdone(self, mine: Member) -> None:
        """Somebody drew a higher incarnation of us: another process, or our store is old."""
        if mine.address == self._s.setup.address or not mine.address:
            return self.refute(mine.incarnation)
        self.twins.look_for(mine.address, mine.incarnation)

    def share(self, roster: Roster) -> None:
        """What we know of members, or of the group in common, is different from now on."""
        self.absorb(roster)
        self.tell(*(one.id for one in roster.members), common=not roster.members)

    def change(self, event: Changed) -> None:
        """A fact that people change."""
        if (roster := self._ruling.changed(event)) is not None:
            self.share(roster)

    # ---- telling -------------------------------------------------------------------------------

    def tell(self, *ids: MemberId, common: bool = False) -> None:
        """Push these records to every member that is not dropped.  What is lost, pings repair.

        In a large group whoever leads, to whom all have a way, tells the others, and what comes
        together in one call.
        """
        s = self._s
        self._news.update(ids)
        self._common_is_news |= common
        if s.grid is None or not s.leads:
            self.on_news()
        else:
            s.alarms.set_earlier(Alarm.NEWS, s.now + NEWS_MS)

    def on_news(self) -> None:
        """Tell what is new."""
        s, leader = self._s, self._s.following
        part = s.members.part(*self._news)
        if self._common_is_news:
            part = replace(s.members.common, members=part.members)
        self._news.clear()
        self._common_is_news = False
        if s.grid is None or s.leads:
            return self._tell(s.active_others, part)

        def ended(call: Outstanding, outcome: Outcome) -> None:
            self._updated(call, outcome)
            if not isinstance(outcome, Updated):
                self._tell(s.near, part)

        if leader in (0, s.me) or not s.members.is_active(leader):
            return self._tell(s.near, part)
        s.call(leader, Update(s.caller(leader), part), REFRESH_MS, ended)

    def _tell(self, members: tuple[MemberId, ...], part: Roster) -> None:
        s = self._s
        for member in members:
            s.call(member, Update(s.caller(member), part), REFRESH_MS, self._updated)

    def exchange(self, member: MemberId, address: str = "") -> None:
        """Give our roster for theirs, soon; at most a few times a second with one member.

        In a large group, and where many have left, hashes go first, and what differs follows.
        """
        s = self._s
        since = self._exchanging.get(member)
        if s.members.is_kicked(member):
            return
        if member == s.me or (since is not None and s.now - since < s.timing.roster_ms):
            return
        roster, known = s.members.roster, None
        if s.grid is not None or len(s.members) > WHOLE_MAX:
            roster, known = s.members.part(s.me), s.members.known
        if s.grid is not None:  # Where many differ from us, a few at a time.
            young = sum(1 for at in self._exchanging.values() if s.now - at < s.timing.roster_ms)
            if young >= s.timing.poll_all_max:
                return
        self._exchanging[member] = s.now
        request = Update(s.caller(member), roster, want_roster=True, known=known)
        s.call(member, request, REFRESH_MS, self._updated, address)

    def _updated(self, call: Outstanding, outcome: Outcome) -> None:
        if isinstance(outcome, Updated):
            s = self._s
            self.absorb(outcome.roster, by=call.to)
            s.liveness.heard(s.now, call.to)
            is_first = isinstance(call.request, Update) and call.request.known is not None
            if is_first and (outcome.wanted or outcome.wants_common):
                wanted = outcome.wanted[:WHOLE_MAX]  # Of the others the next time.
                part = s.members.asked_for(wanted, common=outcome.wants_common)
                s.call(call.to, Update(s.caller(call.to), part), REFRESH_MS, self._updated)
            self._learn(call.to, outcome.view)

    def update(self, call: int, request: Update) -> None:
        """Somebody brings what it knows."""
        s = self._s
        by, common = request.caller.node, s.members.common
        known = {record.id: s.members.get(record.id) for record in request.roster.members}
        if self.absorb(request.roster, by=by) and s.leads and s.grid is not None:
            news = [id for id, record in known.items() if s.members.get(id) != record]
            self.tell(*news, common=s.members.common != common)
        if s.members.is_kicked(by):  # As it has told us itself.
            return self.removing.refuse(call, request, kicked(by))
        s.respond(call, self._exchanged(request))

    def _exchanged(self, request: Update) -> Updated:
        """Our half of the exchange, once theirs is merged."""
        s, known = self._s, request.known
        view = s.view(request.caller.epoch)
        if not request.want_roster:
            return Updated(Roster(), view)
        if known is None:
            return Updated(s.members.roster, view)
        wants_common = known.common != s.members.known.common
        return Updated(s.members.beyond(known), view, s.members.lacking(known), wants_common)

    # ---- looking after members, for whoever leads ------------------------------------------------

    def on_members(self) -> None:
        """Once per t2: ping those that were not heard, and dropped ones in case they are back."""
        s = self._s
        if not s.leads:
            return
        s.alarms.set(Alarm.MEMBERS, s.now + s.timing.t2_ms)
        unheard, most = s.liveness.unheard(s.now, s.active_others), s.timing.poll_all_max
        for member in s.rng.sample(unheard, most) if len(unheard) > most else unheard:
            self.check(member)
        dropped = [m for m in s.others if s.members.life(m) is Life.DROPPED]
        for member in dropped:
            s.liveness.dropped_at.setdefault(member, s.now)
        young = [
            m
            for m in dropped
            if s.now - s.liveness.dropped_at.get(m, s.now) < s.timing.reprobe_fast_ms
        ]
        old = [m for m in dropped if m not in young]
        if old:
            young.append(old[s.now // s.timing.reprobe_slow_ms % len(old)])
        for member in young:
            s.call(member, Ping(s.caller(member), s.view()), s.timing.ping_ms, self._reprobed)

    def _reprobed(self, call: Outstanding, outcome: Outcome) -> None:
        if isinstance(outcome, Pong):
            self._s.liveness.heard(self._s.now, call.to)
            self.exchange(call.to)
            self._learn(call.to, outcome.view)

    def check(self, member: MemberId, tries: int = 0) -> None:
        """Is this member there?  Ping it; failing that let others; failing those suspect it."""
        s = self._s
        if not s.leads or member in s.liveness.checks or not s.members.is_active(member):
            return
        check = s.liveness.checks[member] = Check()
        self._probe(member, check, tries or s.timing.ping_tries)

    def _probe(self, member: MemberId, check: Check, tries: int) -> None:
        s = self._s

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Pong):
                if s.members.life(member) is Life.SUSPECT:
                    self.exchange(member)
                self._learn(member, outcome.view)
            if not self._still(member, check):
                return
            if not isinstance(outcome, Silence) and not absent(outcome):
                s.liveness.heard(s.now, member)
            elif outcome is Silence.SILENT and tries > 1:
                self._probe(member, check, tries - 1)
            else:
                check.refused = absent(outcome)
                self._probe_through_others(member, check)

        s.call(member, Ping(s.caller(member), s.view()), s.timing.ping_ms, ended)

    def _probe_through_others(self, member: MemberId, check: Check) -> None:
        s = self._s
        able = [m for m in s.active_others if m != member and s.members.life(m) is Life.ALIVE]
        asked = s.rng.sample(able, min(s.timing.probe_members, len(able)))
        refused = [check.refused]
        doubts: list[MemberId] = []  # who may know better, but was not to be heard

        def each(helper: MemberId, outcome: Outcome) -> None:
            if not self._still(member, check):
                return
            if isinstance(outcome, Pong):
                if outcome.reached:
                    s.liveness.heard(s.now, member)
                refused.append(outcome.refused)
                if not outcome.refused:
                    doubts.append(helper)
            elif not absent(outcome):
                doubts.append(helper)

        def done() -> None:
            if self._still(member, check):
                # Two found nobody there; or we did, and nobody is left to say otherwise.
                self._suspect(member, check.refused and (sum(refused) > 1 or not doubts))

        def request(helper: MemberId) -> Ping:
            return Ping(s.caller(helper), s.view(), on_behalf=member)

        s.call_each(asked, request, 2 * s.timing.ping_ms, each, done)

    def _still(self, member: MemberId, check: Check) -> bool:
        return self._s.leads and self._s.liveness.checks.get(member) is check

    def _suspect(self, member: MemberId, gone: bool) -> None:
        """Nobody reached it.  `gone`: two found that nobody listens there."""
        s = self._s
        record = s.members.get(member)
        assert record is not None
        if gone:
            return self._drop(member, "nobody is there any more")
        if record.life is Life.ALIVE:
            self.absorb(Roster((suspected(record, Life.SUSPECT),)))
            if not self._ill():  # Else who hears it at all learns it with our roster.
                self.tell(member)
        ill = self._ill()
        s.alarms.set(
            Alarm.DROP, s.now + s.liveness.suspect_ms(len(s.members.belonging), ill), member
        )

    def _ill(self) -> bool:
        """Half of the roster suspect at once: perhaps it is we who are cut off."""
        s = self._s
        return 2 * len(s.members.suspects()) >= len(s.members.active)

    def on_drop(self, member: MemberId) -> None:
        """The suspicion has lasted long enough."""
        s = self._s
        s.liveness.checks.pop(member, None)
        if not s.leads or s.members.life(member) is not Life.SUSPECT:
            return
        if self._ill():
            return self.check(member)
        self._drop(member)

    def _drop(self, member: MemberId, why: str = "") -> None:
        s = self._s
        s.liveness.checks.pop(member, None)
        record = s.members.get(member)
        assert record is not None
        self.absorb(Roster((suspected(record, Life.DROPPED),)), why=why)
        self.tell(member)

    # ---- callers -------------------------------------------------------------------------------

    def refusal(self, node: MemberId, incarnation: Incarnation) -> Refusal | None:
        """Why this caller may not be heard; None: it may."""
        s = self._s
        record = s.members.get(node)
        refusal = unheard(s, record, node, incarnation)
        if record is None or refusal is not None or node == s.me:
            return refusal  # A twin brings its whole record.
        if incarnation > record.incarnation and not is_ahead(s, incarnation):
            self.note_life(record, incarnation)
        return None
