"""Getting in: the joiner's way to the leader, and the leader's way of admitting.

The leader calls back before it admits, admits durably before it answers, and answers an identity
that is in already with the id that it has: a lost answer makes no ghost.
"""

from collections.abc import Callable

from msgspec.structs import replace

from .access import Challenge
from .admission import is_own_wish, signed, wish
from .alarms import Alarm
from .belonging import Belonging
from .calls import Outcome, Outstanding
from .clock import tick
from .effects import Joined, JoinFailed
from .events import Founded
from .granting import is_disowned
from .guessing import SOON_MS
from .inviting import Inviting
from .membership import RECORDS_MAX, Membership, at, with_life
from .messages import (
    NO_CARD,
    TRANSIENT,
    Caller,
    Fact,
    Join,
    Life,
    Lookup,
    Member,
    Ping,
    Pong,
    RecordRead,
    Refusal,
    Roster,
    Welcome,
)
from .proving import first_key, note_registered
from .reasons import Reason
from .reign import Reign
from .ruling import Ruling
from .state import Role, State
from .types import NO_EPOCH, NO_HLC, Address, CallId, IdBlock, MemberId, Silence
from .vetting import SEQ_MAX, farewell, is_ahead, is_signed

REDIRECTS = 2
NOBODY_ANSWERS = "NOBODY_ANSWERS"
ATTEMPT_MS = 300  # between attempts
CALL_BACKS = 3  # of two ping deadlines each: what join_ms has room for
PATIENCE_MS = 8_000  # then the joiner is told why it did not get in
FINAL = frozenset(
    {
        Reason.CANNOT_REACH,
        Reason.KICKED,
        Reason.GROUP_FULL,
        Reason.CLOCK_AHEAD,
        Reason.VERSION_MISMATCH,
        Reason.TOO_LONG,
        Reason.BAD_FIELD,
        Reason.WRONG_MODE,
        Reason.NOT_INVITED,
        Reason.WRONG_SECRET,
        Reason.WRONG_NDS,
        Reason.NEEDS_PASSWORD,
        Reason.TRY_LATER,
    }
)


class Joining:
    """`entered`: we are a member now, with `through` to catch up from (0: nobody)."""

    def __init__(
        self,
        s: State,
        reign: Reign,
        belonging: Belonging,
        inviting: Inviting,
        entered: Callable[[MemberId], None],
    ) -> None:
        self._s, self._reign, self._belonging, self._entered = s, reign, belonging, entered
        self._inviting = inviting
        self._until = 0
        self._redirects = 0
        self._under_way = False
        self._why = Refusal(NOBODY_ANSWERS, "nobody answers there")
        self._admitting: set[bytes] = set()

    # ---- the founder ---------------------------------------------------------------------------

    def found(self, event: Founded) -> None:
        s, record, ids = self._s, event.record, event.ids
        s.chat, s.name, s.mode = record.chat, record.name, record.mode
        s.listed_as = s.name
        s.me, s.role, s.ready = ids.first, Role.FOLLOWER, True
        s.created = s.created or s.wall
        s.epoch = record.epoch
        first = self._new_member(ids.first, ids, self._request(), hides=event.hides_history)
        s.members.put(first)
        s.epoch = NO_EPOCH
        if event.claim_key:
            s.members.absorb(Roster(claim_keys=(first_key(event.claim_key),)))
        note_registered(s, record.claim_key)
        s.store_roster()
        s.nds_answered(True)
        self._reign.lead(record.epoch, ids, record.grant)
        s.alarms.set(Alarm.RECORD, s.now + s.timing.record_ms)
        s.emit(Joined(s.me))
        self._entered(0)

    # ---- the joiner ----------------------------------------------------------------------------

    def begin(self, address: Address) -> None:
        """Ask at `address`, or wherever the registry says that the leader is."""
        if self._under_way:
            return
        self._until = self._s.now + PATIENCE_MS
        self._redirects = REDIRECTS
        self._under_way = True
        if address:
            self._ask(address)
        else:
            self._ask_registry()

    def give_up(self) -> None:
        """The user wants something else, or we lead now: whom should we ask?"""
        self._under_way = False
        self._s.alarms.cancel(Alarm.JOIN)

    def calls_back(self, ping: Ping) -> bool:
        """Is this the leader that we ask to let us in, of whom our roster knows nothing, or, being
        of before there were certificates, not which it has?

        Who lost touch asks for that as a member still; a newcomer answers any ping.
        """
        known = self._s.members.get(ping.caller.node)
        is_strange = known is None or not known.card.certificate
        return self._under_way and not ping.caller.callee and is_strange

    def _ask(self, address: Address) -> None:
        s = self._s
        s.call(0, self._request(), s.timing.join_ms, self._answered, address, late=self._late)

    def _late(self, _: Outstanding, outcome: Outcome) -> None:
        """We have asked again, or are about to; but we are in."""
        if self._under_way and isinstance(outcome, Welcome):
            self._enter(outcome)

    def _request(self) -> Join:
        s = self._s
        join = Join(
            caller=Caller(s.chat, 0, s.incarnation, NO_EPOCH),
            name=s.name,
            identity=s.setup.identity,
            nick=s.setup.nick,
            address=s.setup.address,
            process=s.setup.process,
            left_ids=s.left_ids,
            farewells=self._farewells(),
            mode=s.setup.mode,
            card=s.setup.card,
        )
        return replace(join, word=s.setup.sign(wish(join))) if s.setup.sign is not None else join

    def _farewells(self) -> tuple[bytes, ...]:
        s = self._s
        return tuple(farewell(s, id) for id in s.left_ids) if s.setup.sign is not None else ()

    def _answered(self, _: Outstanding, outcome: Outcome) -> None:
        s = self._s
        if not self._under_way:
            return
        if isinstance(outcome, Welcome):
            return self._enter(outcome)
        if isinstance(outcome, Refusal):
            self._why = outcome
            nowhere_else = outcome.reason == Reason.UNKNOWN_CHAT and not s.nds and not s.me
            if outcome.reason == Reason.WRONG_MODE:
                s.chat = s.chat or outcome.chat  # So that the next try finds its log.
            soon = 0 < outcome.wait <= SOON_MS
            if (outcome.reason in FINAL and not soon) or nowhere_else:
                return self._fail()
            if outcome.reason == Reason.NOT_LEADER and outcome.leader_address and self._redirects:
                self._redirects -= 1
                return self._ask(outcome.leader_address)
        self._later()

    def _later(self) -> None:
        s = self._s
        if s.now >= self._until:
            self._fail()
        else:
            self._redirects = REDIRECTS
            s.alarms.set(Alarm.JOIN, s.now + ATTEMPT_MS)

    def on_join_alarm(self) -> None:
        if self._under_way:
            self._ask_registry()

    def _ask_registry(self) -> None:
        s = self._s

        def read(outcome: Outcome) -> None:
            if not self._under_way:
                return
            if isinstance(outcome, RecordRead):
                s.chat, s.name = outcome.record.chat, outcome.record.name
                return self._ask(outcome.record.address)
            known = [m for m in s.active_others if s.address_of(m)]
            if known:  # We were a member before: any other will know who leads.
                return self._ask(s.address_of(s.rng.choice(known)))
            if isinstance(outcome, Refusal):
                self._why = outcome
            elif self._why.reason == NOBODY_ANSWERS:
                self._why = Refusal("NDS_UNREACHABLE", "the discovery service does not answer")
            self._later()

        s.ask(Lookup(s.chat, s.name), s.timing.lookup_ms, read)

    def _enter(self, welcome: Welcome) -> None:
        s = self._s
        nds, view = s.nds or welcome.nds, welcome.view
        if (lie := self._lie(welcome, nds)) is not None:
            self._why = lie
            return self._fail()
        self._under_way = False
        s.alarms.cancel(Alarm.JOIN)
        if s.me and s.me != welcome.member:
            s.left_ids = tuple(sorted({*s.left_ids, s.me}))
        s.me, s.chat, s.name = welcome.member, welcome.chat, welcome.name
        s.listed_as = s.listed_as or s.name
        s.mode, s.created = welcome.mode, welcome.created
        s.nds = nds
        s.stream, s.stream_seq, s.leaving = None, 0, False
        s.election.claim = None
        s.role, s.ready = Role.FOLLOWER, True
        self._belonging.absorb(welcome.roster, quiet=True)
        s.store_meta()
        s.emit(Joined(s.me))
        s.saw_n(view.highest_n)
        s.partial = not len(s.history)
        self._reign.adopt(view.epoch, view.leader, view.leader_address, sure=True, grant=view.grant)
        s.store_meta()
        s.alarms.set(Alarm.RECORD, s.now)  # Does the registry say the same?
        s.alarms.set_earlier(Alarm.LEADER, s.now + s.timing.t1_ms)
        for member in s.others:
            s.liveness.heard_at.setdefault(member, s.now)
        self._entered(view.leader)

    def _lie(self, welcome: Welcome, nds: Address) -> Refusal | None:
        """Why whoever says that we are in is not believed; None: nothing is wrong with it."""
        s = self._s
        if is_disowned(s, nds, welcome.chat, welcome.view):
            text = (
                f"the NDS at {nds} is known here by another key than to its members; if a wrong one"
                " was taken for it, remove its line from known_nds"
            )
            return Refusal(Reason.WRONG_NDS, text)
        if s.chat not in (0, welcome.chat):
            return Refusal(Reason.BAD_FIELD, "who answers there lets us into another chat")
        after, before = Membership(s.members.roster), s.chat
        s.chat = welcome.chat  # What was signed was signed for it.
        after.absorb(Ruling(s).looked_at(welcome.roster))
        s.chat = before
        mine = after.get(welcome.member)
        if (
            mine is None
            or mine.identity != s.setup.identity
            or not after.of_identity(mine.identity)
        ):
            text = "who answers there says that we are in, and its list of members does not"
            return Refusal(Reason.BAD_FIELD, text)
        return None

    def _fail(self) -> None:
        self._under_way = False
        self._s.alarms.cancel(Alarm.JOIN)
        self._s.emit(JoinFailed(self._why.reason, self._why.text, self._why.terms))

    # ---- the leader ----------------------------------------------------------------------------

    def asked(self, call: CallId, request: Join, certificate: bytes | None) -> None:
        """Somebody wants in, from the node with this certificate; None: nobody proved any."""
        if (answer := self._verdict(request, certificate)) is not None:
            self._inviting.over(request)
            return self._s.respond(call, answer)
        self._admitting.add(request.identity)
        self._call_back(call, request, certificate, CALL_BACKS)

    def _call_back(
        self, call: CallId, request: Join, certificate: bytes | None, tries: int
    ) -> None:
        """Others will call it there: so do we, and a moment's silence is no proof."""
        s, epoch = self._s, self._s.epoch

        def called_back(_: Outstanding, outcome: Outcome) -> None:
            if outcome is Silence.SILENT and tries > 1:
                return self._call_back(call, request, certificate, tries - 1)
            self._admitting.discard(request.identity)
            right = isinstance(outcome, Pong) and outcome.view.process == request.process
            if not right:
                text = f"nobody can reach you at {request.address}; see --advertise and --listen"
                s.respond(call, Refusal(Reason.CANNOT_REACH, text))
            elif s.epoch != epoch:
                s.respond(call, self._not_leader())
            elif (answer := self._verdict(request, certificate)) is not None:
                s.respond(call, answer)
            else:
                self._admit(call, request)
            self._inviting.over(request)

        ping = Ping(s.caller(), s.view())
        s.call(
            0,
            ping,
            2 * s.timing.ping_ms,
            called_back,
            request.address,
            request.card.certificate,
        )

    def _verdict(self, request: Join, certificate: bytes | None) -> Refusal | Challenge | None:
        s = self._s
        if request.mode != s.mode:  # It would keep what nobody may, or forget what everybody keeps.
            kept = "in memory alone" if s.mode == TRANSIENT else "on disk"
            text = f"its members keep what is said {kept}"
            return Refusal(Reason.WRONG_MODE, text, chat=s.chat)
        if s.closing or s.leaving:
            return Refusal(Reason.LEAVING, "the leader is leaving; try again in a moment")
        if s.role is not Role.LEADER or s.doubtful:
            return self._not_leader()
        if is_ahead(s, request.caller.incarnation):
            text = "your clock is decades ahead of the leader's: set one of them right"
            return Refusal(Reason.CLOCK_AHEAD, text)
        if s.members.is_barred(request.identity):
            return Refusal(Reason.KICKED, "you were removed, and are not let in again")
        if request.identity in self._admitting:
            return Refusal(Reason.LEAVING, "this identity is being admitted already")
        answer, belongs = None, s.members.of_identity(request.identity)
        if request.knows is not None or not belongs:  # Who comes by a password is shown it, too.
            answer = self._inviting.verdict(request, certificate)
        if answer is None and not is_own_wish(s, request):
            text = "who wants in has not signed that"
            answer = Refusal(Reason.WRONG_SIGNATURE, text)
        if answer is not None or belongs:
            return answer
        return self._no_room()

    def _no_room(self) -> Refusal | None:
        s = self._s
        most, ever = s.timing.members_max, len(s.members) >= RECORDS_MAX
        if ever or len(s.members.belonging) >= most:
            text = f"had its {RECORDS_MAX}" if ever else f"its {most}"
            return Refusal(Reason.GROUP_FULL, f"the group has {text} members")
        for id in [id for id in s.ids if s.members.get(id) is not None]:
            del s.ids[id]  # One that cheats may have used it.
        if not s.ids:
            s.alarms.set(Alarm.RENEW, s.now)
            return Refusal(Reason.NO_IDS, "no member ids left until the discovery service answers")
        return None

    def _not_leader(self) -> Refusal:
        s = self._s
        leader = s.leader if s.leader != s.me else 0
        address = s.address_of(leader) if leader else ""
        text = "this member does not lead"
        if s.provisional:
            text = (
                "its leader leads only for now; the NDS must confirm that before anybody is let in"
            )
        return Refusal(Reason.NOT_LEADER, text, leader, address, s.epoch)

    def _admit(self, call: CallId, request: Join) -> None:
        s = self._s
        words = request.farewells or (b"",) * len(request.left_ids)
        for id, word in zip(request.left_ids, words, strict=True):  # Nobody heard it at the time.
            old = s.members.get(id)
            if old is None or old.identity != request.identity or not old.belongs:
                continue
            if is_signed(s, old.identity, id, word):
                self._belonging.absorb(Roster((_left(old, word),)))
                self._belonging.tell(id)
        if s.mode == TRANSIENT:
            self._bury(request)
        member = known = s.members.of_identity(request.identity)
        if known:
            self._readmit(member, request)
        elif s.ids:
            member = next(iter(s.ids))
            record = self._new_member(member, s.ids.pop(member), request)
            self._belonging.absorb(Roster((record,)))
        else:
            return s.respond(call, Refusal(Reason.NO_IDS, "no member ids left"))
        s.respond(
            call,
            Welcome(
                member=member,
                roster=s.members.roster,
                view=replace(s.view(), grant=s.grant),
                chat=s.chat,
                name=s.name,
                mode=s.mode,
                created=s.created,
                nds=s.nds,
                proof=self._inviting.proof(request),
                service=s.setup.pinned(s.nds),
            ),
        )
        s.liveness.heard(s.now, member)
        self._belonging.tell(member)
        if not known:
            self._inviting.used(member, request)

    def _bury(self, request: Join) -> None:
        """Whoever was at the joiner's address has ended with its process, and its key with it."""
        s = self._s
        for id in s.members.at_address(request.address):
            old = s.members.get(id)
            assert old is not None, f"{id} belongs and is not in the roster"
            if id != s.me and old.identity != request.identity:
                self._belonging.absorb(Roster((_left(old),)))
                self._belonging.tell(id)

    def _readmit(self, member: MemberId, request: Join) -> None:
        """The same identity again: the same id, in its new life."""
        known = self._s.members.get(member)
        assert known is not None
        incarnation = max(known.incarnation, request.caller.incarnation)
        alive = with_life(known, incarnation)
        card = known.card if request.card == NO_CARD else request.card
        if (request.address, card) != (known.address, known.card):
            since, seq = known.address_stamp
            is_old = incarnation > since or seq >= SEQ_MAX
            stamp = (max(incarnation, since + 1), 0) if is_old else (since, seq + 1)
            alive = at(alive, request.address, stamp, card)
        self._belonging.absorb(Roster((alive,)))

    def _new_member(
        self, id: MemberId, ids: IdBlock, request: Join, *, hides: bool = False
    ) -> Member:
        s, incarnation = self._s, request.caller.incarnation
        hides = hides or s.members.hides_history
        mine = s.members.get(s.me)
        s.look_beyond()
        since = max(s.wall, s.latest_place[0].ms + 1, mine.since if mine is not None else 0)
        member = Member(
            id=id,
            identity=request.identity,
            admitted=s.epoch,
            incarnation=incarnation,
            life=Life.ALIVE,
            address=request.address,
            address_stamp=(incarnation, 0),
            nick=Fact(request.nick, tick(s.wall, NO_HLC), id),
            card=request.card,
            since=since if hides else 0,
            issued=ids,
        )
        return signed(s, member)


def _left(member: Member, word: bytes = b"") -> Member:
    return replace(member, left=True, farewell=word)
