"""Who belongs: one record per member id, merged as a join-semilattice.

Merging is commutative, associative and idempotent, so that halves of a split and late messages
cannot disagree for long (Shapiro and others 2011).  `life` is (incarnation, alive < suspect <
dropped) and takes the greater: only a higher incarnation, which none but the member itself draws,
takes a suspicion back (SWIM, Das and others 2002).

    alive ---- no answer ----> suspect ---- time over ----> dropped
      ^                           |                            |
      +------ higher incarnation -+----------------------------+        left: for ever;
                                                                        kicked: by the decisions
"""

from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import TypeAlias

from msgspec.structs import replace

from .access import NO_PASSWORD, ClaimKey, Invite, Password
from .deciding import ADMINS, Decision, Decisions
from .messages import NO_CARD, NOBODY, Card, Fact, Known, Life, Member, Roster
from .sums import minus, plus, short, term
from .types import NO_IDS, Address, Epoch, Hlc, IdBlock, MemberId, WallMillis, small

RECORDS_MAX = 4_096  # of who ever belonged
INVITES_KEPT = 256
CLAIM_KEYS_KEPT = 4  # the registered one, one that is to be, and those of the other side of a split
CLAIM_KEYS_UNHEARD = 1_000_000  # that may have been made unheard; else one could use all numbers up
CLAIM_KEY_MAX = 2**52  # the number of the first that is heard of: there is room for others above it
MADE_MAX = 2**53 - 1
HASH_BYTES = 8  # of what others compare


def merge(a: Member, b: Member) -> Member:
    """The least record that says all that both say."""
    assert a.id == b.id
    life = max((a.incarnation, a.life), (b.incarnation, b.life))
    home = max((a.address_stamp, a.address, a.card), (b.address_stamp, b.address, b.card))
    gone = a.left or b.left
    admitted = min(_admission(a), _admission(b))
    ends = dict(a.ends)
    for stream, seq in b.ends:
        ends[stream] = max(seq, ends.get(stream, 0))
    return Member(
        id=a.id,
        identity=min(a.identity, b.identity),
        admitted=admitted[3],
        incarnation=life[0],
        life=life[1],
        address=home[1],
        address_stamp=home[0],
        left=a.left or b.left,
        kicked=a.kicked or b.kicked,
        ends=tuple(sorted(ends.items())),
        nick=max(a.nick, b.nick, key=lambda fact: fact.rank),
        away=max(a.away, b.away, key=lambda fact: fact.rank),
        card=NO_CARD if gone else home[2],
        admitted_by=admitted[4],
        admission=admitted[5],
        farewell=max(a.farewell, b.farewell),
        since=admitted[2],
        affirmation=max(a.affirmation, b.affirmation),
        issued=admitted[6],
    )


Admission: TypeAlias = tuple[bool, bool, WallMillis, Epoch, MemberId, bytes, IdBlock]


def _admission(member: Member) -> Admission:
    """Said by one who let it in, with an id of its own; and of two who did, what keeps less from
    it.
    """
    by = member.admitted_by, member.admission
    is_issued = member.issued != NO_IDS
    return not member.admission, not is_issued, member.since, member.admitted, *by, member.issued


def merge_invites(a: Invite, b: Invite) -> Invite:
    """The same for an invitation."""
    used = tuple(sorted({*a.used, *b.used}))
    check, by, made, expires, once, signature = min(_said(a), _said(b))
    revoked = a.revoked or b.revoked
    return Invite(a.id, check, by, made, expires, once, revoked, used, signature)


def _said(invite: Invite) -> tuple[bytes, MemberId, int, int, bool, bytes]:
    known = invite.check, invite.by, invite.made, invite.expires, invite.once
    return *known, invite.signature


def _ranked(invites: Iterable[Invite]) -> list[Invite]:
    """Those that are kept come first: each maker's latest, then the latest but one of each, ..., so
    that nobody's leave no room for others'.
    """
    ranked, made = list[tuple[int, MemberId, Invite]](), Counter[MemberId]()
    for one in sorted(invites, key=lambda one: (one.made, one.id), reverse=True):
        ranked.append((made[one.by], one.by, one))
        made[one.by] += 1
    return [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])]


def _digest(value: object) -> bytes:
    return blake2b(repr(value).encode(), digest_size=32).digest()


class Membership:
    """The roster, and what follows from it.

    Only the highest id that an identity was ever given may belong, or the highest that it has
    affirmed and has not left; its others count as left.
    """

    def __init__(self, roster: Roster = NOBODY) -> None:
        self.topic = self.access = Fact()
        self.password = NO_PASSWORD
        self.claim_keys: tuple[ClaimKey, ...] = ()
        self._decisions = Decisions(0, b"")
        self.invites: dict[int, Invite] = {}
        self._shared = 0  # the sum over all that is nobody's alone ...
        self._own = 0  # ... and over all records
        self.highest_n = 0  # among all who were ever admitted
        self._records: dict[MemberId, Member] = {}
        self._digests: dict[MemberId, bytes] = {}  # of records
        self._belonging: tuple[MemberId, ...] | None = None
        self._lives: dict[MemberId, Life] = {}  # of those that belong
        self._active: tuple[MemberId, ...] | None = None
        self._nicks: dict[MemberId, str] | None = None
        self.absorb(roster)

    # ---- changing ------------------------------------------------------------------------------

    def absorb(self, roster: Roster) -> list[tuple[Member | None, Member]]:
        """Merge; gives (before, after) of each record that this changed.

        What others say of who was removed, and decisions, must have been looked at.
        """
        changed = [pair for member in roster.members if (pair := self.put(member)) is not None]
        changed += self._decide(roster.decisions)
        if roster.topic.rank > self.topic.rank:
            self._rehash("topic", self.topic, roster.topic)
            self.topic = roster.topic
        if roster.access.rank > self.access.rank:
            self._rehash("access", self.access, roster.access)
            self.access = roster.access
        if roster.password.rank > self.password.rank:
            self._rehash("password", self.password, roster.password)
            self.password = roster.password
        self._put_claim_keys(roster.claim_keys)
        for invite in roster.invites:
            self._put_invite(invite)
        if roster.invites:
            self._forget_old_invites()
        return changed

    def _rehash(self, what: str, before: Fact | Password, after: Fact | Password) -> None:
        for fact, count in ((before, minus), (after, plus)):
            if fact not in (Fact(), NO_PASSWORD):
                self._count(count, fact if what == "topic" else (what, fact))

    def _count(self, count: Callable[[int, int], int], fact: object) -> None:
        """Something that is nobody's alone comes (`plus`) or goes (`minus`)."""
        self._shared = count(self._shared, term(_digest(fact)))

    def _decide(self, decisions: Iterable[Decision]) -> list[tuple[Member | None, Member]]:
        """Take decisions in, and note who is removed by all of them."""
        for decision in self._decisions.absorb(decisions):
            self._count(plus, decision.id)
        if not len(self._decisions):
            return []
        order, self._nicks = self._decisions.order, None
        changed: list[tuple[Member | None, Member]] = []
        for member in list(self._records.values()):
            removed = member.id in order.removed or member.identity in order.barred
            if removed != member.kicked:
                after = replace(member, kicked=removed)
                self._keep(after)
                changed.append((member, after))
        return changed

    def _put_claim_keys(self, keys: Iterable[ClaimKey]) -> None:
        """The latest of all are kept: alike at all who know the same."""
        known = self.claim_keys
        most = known[-1].number + CLAIM_KEYS_UNHEARD if known else CLAIM_KEY_MAX
        news = {key for key in keys if key not in known and key.number <= most}
        if not news:
            return
        every = sorted(news.union(known), key=lambda key: key.rank)
        self.claim_keys = tuple(every[-CLAIM_KEYS_KEPT:])
        for gone in {*known}.difference(self.claim_keys):
            self._count(minus, gone)
        for new in {*self.claim_keys}.difference(known):
            self._count(plus, new)

    def _put_invite(self, invite: Invite) -> None:
        before = self.invites.get(invite.id)
        after = merge_invites(before or invite, invite)
        if after != before:
            if before is not None:
                self._count(minus, before)
            self._count(plus, after)
            self.invites[invite.id] = after

    def _forget_old_invites(self) -> None:
        """Too many of them: alike at all who know the same.  None goes for its age, since the clock
        that one was made by may be wrong.
        """
        for invite in _ranked(self.invites.values())[INVITES_KEPT:]:
            self._count(minus, self.invites.pop(invite.id))

    def kept_from(self, made: int, id: int, by: MemberId) -> int:
        """As of when an invitation made then by that member is kept: where others leave it no room,
        it is just above its maker's latest.
        """
        every = [*self.invites.values(), Invite(id, b"", by, made)]
        if every[-1] in _ranked(every)[:INVITES_KEPT]:
            return made
        return min(max((one.made for one in every if one.by == by), default=made) + 1, MADE_MAX)

    def put(self, member: Member) -> tuple[Member | None, Member] | None:
        """Merge one record; None: nothing new."""
        before = self._records.get(member.id)
        if before == member:
            return None
        after = merge(before or member, member)
        if after == before:
            return None
        self._keep(after)
        return before, after

    def _keep(self, member: Member) -> None:
        founder = self._decisions.founder
        if not founder or member.id < founder:
            assert not len(self._decisions), f"{member} is older than what was decided"
            self._decisions = Decisions(member.id, member.identity)
        self._records[member.id] = member
        self.highest_n = max(self.highest_n, small(member.id))
        digest = _digest(member)
        if (before := self._digests.get(member.id)) is not None:
            self._own = minus(self._own, term(before))
        self._own = plus(self._own, term(digest))
        self._digests[member.id] = digest
        self._belonging = self._active = self._nicks = None

    # ---- reading -------------------------------------------------------------------------------

    @property
    def roster(self) -> Roster:
        members = tuple(self._records[id] for id in sorted(self._records))
        return replace(self.common, members=members)

    @property
    def known(self) -> Known:
        """By which another finds where its roster differs from ours."""
        return Known(tuple(sorted(self._hashes().items())), short(self._shared, HASH_BYTES))

    @property
    def hash(self) -> int:
        """Over all that is known: 64 bits."""
        return short(plus(self._shared, self._own), HASH_BYTES)

    def _hashes(self) -> dict[MemberId, int]:
        """Of each record."""
        return {id: int.from_bytes(one[:HASH_BYTES]) for id, one in self._digests.items()}

    def beyond(self, known: Known) -> Roster:
        """What is here, and not there or otherwise."""
        there = dict(known.records)
        hashes = self._hashes()
        part = self.part(*(id for id, hash in hashes.items() if there.get(id) != hash))
        if known.common == short(self._shared, HASH_BYTES):
            return part
        return replace(self.common, members=part.members)

    def lacking(self, known: Known) -> tuple[MemberId, ...]:
        """Whose records are there, and not here or otherwise."""
        hashes = self._hashes()
        return tuple(id for id, hash in known.records if hashes.get(id) != hash)

    def asked_for(self, wanted: Iterable[MemberId], *, common: bool) -> Roster:
        """These records, as far as they are here, and what is the group's in common."""
        part = self.part(*{*wanted})
        return replace(self.common, members=part.members) if common else part

    @property
    def common(self) -> Roster:
        """What is nobody's alone."""
        invites = tuple(self.invites[id] for id in sorted(self.invites))
        decisions = self._decisions.all
        return Roster(
            (), self.topic, self.access, invites, self.password, decisions, self.claim_keys
        )

    @property
    def records(self) -> Iterable[Member]:
        """All, in no order."""
        return self._records.values()

    @property
    def issued_from(self) -> MemberId:
        """The first id of which the registry has said to whom it gave it; above all, where it has
        of none.
        """
        firsts = (one.issued.first for one in self.records if one.issued != NO_IDS)
        return min(firsts, default=MADE_MAX + 1)

    def __len__(self) -> int:
        """How many records there are, of those that left too."""
        return len(self._records)

    def get(self, id: MemberId) -> Member | None:
        return self._records.get(id)

    def part(self, *ids: MemberId) -> Roster:
        """Only these records, as far as they are here."""
        return Roster(tuple(self._records[id] for id in sorted(ids) if id in self._records))

    @property
    def hides_history(self) -> bool:
        """Are newcomers given no text of what was said before?  So the founder has laid down."""
        founder = self._records.get(self._decisions.founder)
        return founder is not None and founder.since > 0

    @property
    def belonging(self) -> tuple[MemberId, ...]:
        """Neither left nor kicked, in ascending order."""
        if self._belonging is None:
            highest: dict[bytes, tuple[bool, MemberId]] = {}
            for member in self._records.values():
                rank = member.affirmation != b"" and member.belongs, member.id
                highest[member.identity] = max(rank, highest.get(member.identity, (False, 0)))
            ids = sorted(id for _, id in highest.values())
            self._belonging = tuple(id for id in ids if self._records[id].belongs)
            self._lives = {id: self._records[id].life for id in self._belonging}
        return self._belonging

    @property
    def gone(self) -> tuple[MemberId, ...]:
        """Those who have left or were kicked, and ids that their identity has outgrown."""
        return tuple(id for id in sorted(self._records) if not self.belongs(id))

    @property
    def active(self) -> tuple[MemberId, ...]:
        """Alive or suspect, in ascending order."""
        if self._active is None:
            records = self._records
            self._active = tuple(i for i in self.belonging if records[i].life is not Life.DROPPED)
        return self._active

    def belongs(self, id: MemberId) -> bool:
        return self.life(id) is not None

    def life(self, id: MemberId) -> Life | None:
        """None for somebody who does not belong."""
        if self._belonging is None:
            _ = self.belonging
        return self._lives.get(id)

    def is_active(self, id: MemberId) -> bool:
        """Alive or suspect?"""
        return self.life(id) in (Life.ALIVE, Life.SUSPECT)

    def suspects(self) -> tuple[MemberId, ...]:
        return tuple(id for id in self.active if self._records[id].life is Life.SUSPECT)

    def of_identity(self, identity: bytes) -> MemberId:
        """The id under which this identity belongs; 0 when it does not."""
        return next((i for i in self.belonging if self._records[i].identity == identity), 0)

    def last_of(self, identity: bytes) -> MemberId:
        """The highest id that this identity was ever given; 0 for none."""
        those = (i for i, known in self._records.items() if known.identity == identity)
        return max(those, default=0)

    def removed_by(self, id: MemberId) -> MemberId:
        """Who removed this member, or keeps its person out; 0 where nobody does."""
        order, record = self._decisions.order, self._records.get(id)
        person = record.identity if record is not None else b""
        return order.removed.get(id) or order.barred.get(person, 0)

    @property
    def decisions(self) -> Decisions:
        return self._decisions

    @property
    def admins_invite(self) -> bool:
        """Do they alone?"""
        return self._decisions.order.invites == ADMINS

    def may_invite(self, member: MemberId) -> bool:
        """Every member, unless admins are to do that alone."""
        return not self.admins_invite or self._decisions.order.rank(member) > 0

    @property
    def about(self) -> Fact:
        """The topic that people see: what admins have decided, where they alone set it."""
        order = self._decisions.order
        if order.topic != ADMINS:
            return self.topic
        return Fact(order.title.value, order.title.hlc, order.title.by) if order.title else Fact()

    def is_kicked(self, id: MemberId) -> bool:
        """Was this member removed?"""
        record = self._records.get(id)
        return record is not None and record.kicked

    def is_barred(self, identity: bytes) -> bool:
        """Is this person not to be let in?"""
        return identity in self._decisions.order.barred

    def has(self, certificate: bytes) -> bool:
        """Is this the certificate of a member that belongs?"""
        return any(self._records[id].card.certificate == certificate for id in self.belonging)

    def at_address(self, address: Address) -> tuple[MemberId, ...]:
        return tuple(i for i in self.belonging if self._records[i].address == address)

    def shown_nick(self, id: MemberId) -> str:
        """The name that people see: unique among those that are in or out, equal ones numbered."""
        if self._nicks is None:
            self._nicks = self._name_all()
        return self._nicks.get(id) or f"member{small(id)}"

    def nick(self, id: MemberId) -> str:
        """The same, and empty for somebody who is not known."""
        if self._nicks is None:
            self._nicks = self._name_all()
        return self._nicks.get(id, "")

    @property
    def _kept_out(self) -> list[MemberId]:
        """Members that were removed and not let in again since: their names go to nobody else, so
        that who removes one twice means one member.
        """
        if not len(self._decisions):
            return []
        barred = self._decisions.order.barred
        every = self._records.values()
        return [one.id for one in every if one.kicked and not one.left and one.identity in barred]

    def _named_since(self, id: MemberId) -> tuple[Hlc, MemberId]:
        """Who took a name first keeps it, whatever its id: a rename renames nobody else."""
        return self._records[id].nick.hlc, id

    def _name_all(self) -> dict[MemberId, str]:
        names: dict[MemberId, str] = {}
        taken: set[str] = set()
        for id in sorted((*self.belonging, *self._kept_out), key=self._named_since):
            wanted = self._records[id].nick.value or f"member{small(id)}"
            name, count = wanted, 1
            while name.casefold() in taken:
                count += 1
                name = f"{wanted}{count}"
            taken.add(name.casefold())
            names[id] = name
        for id, member in self._records.items():
            names.setdefault(id, member.nick.value)
        return names


def suspected(member: Member, life: Life) -> Member:
    """The record with this finding about the member's present life."""
    return replace(member, life=max(member.life, life))


def with_life(member: Member, incarnation: int) -> Member:
    """The record with a new life that answers."""
    return replace(member, incarnation=incarnation, life=Life.ALIVE)


def at(member: Member, address: Address, stamp: tuple[int, int], card: Card) -> Member:
    """The record with where the member is to be called, and its keys, as of `stamp`."""
    return replace(member, address=address, address_stamp=stamp, card=card)
