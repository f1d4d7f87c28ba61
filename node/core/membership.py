"""Who belongs: one record per member id, merged as a join-semilattice.

Merging is commutative, associative and idempotent, so that halves of a split and late messages
cannot disagree for long (Shapiro and others 2011).  `life` is (incarnation, alive < suspect <
dropped) and takes the greater: only a higher incarnation, which none but the member itself draws,
takes a suspicion back (SWIM, Das and others 2002).

    alive ---- no answer ----> suspect ---- time over ----> dropped
      ^                           |                            |
      +------ higher incarnation -+----------------------------+        left, kicked: for ever
"""

from hashlib import blake2b

from msgspec.structs import replace

from .messages import NO_CARD, NOBODY, Card, Fact, Invite, Life, Member, Roster
from .types import Address, Hlc, MemberId, small

INVITES_KEPT = 256
KEPT_MS = 7 * 24 * 3_600_000  # an expired invitation, for people to see


def merge(a: Member, b: Member) -> Member:
    """The least record that says all that both say."""
    assert a.id == b.id
    life = max((a.incarnation, a.life), (b.incarnation, b.life))
    home = max((a.address_stamp, a.address, a.card), (b.address_stamp, b.address, b.card))
    gone = a.left or b.left or a.kicked or b.kicked
    admission = max((a.admitted_by, a.admission), (b.admitted_by, b.admission))
    ends = dict(a.ends)
    for stream, seq in b.ends:
        ends[stream] = max(seq, ends.get(stream, 0))
    return Member(
        id=a.id,
        identity=min(a.identity, b.identity),
        admitted=min(a.admitted, b.admitted),
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
        admitted_by=0 if gone else admission[0],
        admission=b"" if gone else admission[1],
    )


def merge_invites(a: Invite, b: Invite) -> Invite:
    """The same for an invitation."""
    said = min(_said(a), _said(b))
    used = tuple(sorted({*a.used, *b.used}))
    return Invite(a.id, *said, a.revoked or b.revoked, used)


def _said(invite: Invite) -> tuple[bytes, MemberId, int, int, bool]:
    return invite.check, invite.by, invite.made, invite.expires, invite.once


def _hash(value: object) -> int:
    return int.from_bytes(blake2b(repr(value).encode(), digest_size=8).digest())


class Membership:
    """The roster, and what follows from it.

    Only the highest id that an identity was ever given may belong; its others count as left.
    """

    def __init__(self, roster: Roster = NOBODY) -> None:
        self.topic = self.access = Fact()
        self.invites: dict[int, Invite] = {}
        self.hash = 0
        self.highest_n = 0  # among all who were ever admitted
        self._records: dict[MemberId, Member] = {}
        self._hashes: dict[MemberId, int] = {}
        self._belonging: tuple[MemberId, ...] | None = None
        self._lives: dict[MemberId, Life] = {}  # of those that belong
        self._active: tuple[MemberId, ...] | None = None
        self._nicks: dict[MemberId, str] | None = None
        self.absorb(roster)

    # ---- changing ------------------------------------------------------------------------------

    def absorb(self, roster: Roster) -> list[tuple[Member | None, Member]]:
        """Merge; gives (before, after) of each record that this changed."""
        changed = [pair for member in roster.members if (pair := self.put(member)) is not None]
        if roster.topic.rank > self.topic.rank:
            self._rehash("topic", self.topic, roster.topic)
            self.topic = roster.topic
        if roster.access.rank > self.access.rank:
            self._rehash("access", self.access, roster.access)
            self.access = roster.access
        for invite in roster.invites:
            self._put_invite(invite)
        if roster.invites:
            self._forget_old_invites()
        return changed

    def _rehash(self, what: str, before: Fact, after: Fact) -> None:
        for fact in (before, after):
            if fact != Fact():
                self.hash ^= _hash(fact if what == "topic" else (what, fact))

    def _put_invite(self, invite: Invite) -> None:
        before = self.invites.get(invite.id)
        after = merge_invites(before or invite, invite)
        if after != before:
            self.hash ^= _hash(after) ^ (_hash(before) if before is not None else 0)
            self.invites[invite.id] = after

    def _forget_old_invites(self) -> None:
        """Those that had long expired when the latest one was made, and the oldest of too many:
        alike at all who know the same.
        """
        ordered = sorted(self.invites.values(), key=lambda one: (one.made, one.id), reverse=True)
        before = ordered[0].made - KEPT_MS
        old = [one for one in ordered[:INVITES_KEPT] if 0 < one.expires < before]
        for invite in (*old, *ordered[INVITES_KEPT:]):
            self.hash ^= _hash(self.invites.pop(invite.id))

    def put(self, member: Member) -> tuple[Member | None, Member] | None:
        """Merge one record; None: nothing new."""
        before = self._records.get(member.id)
        if before == member:
            return None
        after = merge(before or member, member)
        if after == before:
            return None
        self._records[after.id] = after
        self.highest_n = max(self.highest_n, small(after.id))
        hash = _hash(after)
        self.hash ^= self._hashes.get(after.id, 0) ^ hash
        self._hashes[after.id] = hash
        self._belonging = self._active = self._nicks = None
        return before, after

    # ---- reading -------------------------------------------------------------------------------

    @property
    def roster(self) -> Roster:
        members = tuple(self._records[id] for id in sorted(self._records))
        return replace(self.common, members=members)

    @property
    def common(self) -> Roster:
        """What is nobody's alone."""
        invites = tuple(self.invites[id] for id in sorted(self.invites))
        return Roster((), self.topic, self.access, invites)

    def get(self, id: MemberId) -> Member | None:
        return self._records.get(id)

    def part(self, *ids: MemberId) -> Roster:
        """Only these records."""
        return Roster(tuple(self._records[id] for id in sorted(ids)))

    @property
    def belonging(self) -> tuple[MemberId, ...]:
        """Neither left nor kicked, in ascending order."""
        if self._belonging is None:
            highest: dict[bytes, MemberId] = {}
            for member in self._records.values():
                highest[member.identity] = max(member.id, highest.get(member.identity, 0))
            ids = sorted(highest.values())
            self._belonging = tuple(id for id in ids if self._records[id].belongs)
            self._lives = {id: self._records[id].life for id in self._belonging}
        return self._belonging

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

    def is_kicked(self, identity: bytes) -> bool:
        return any(m.kicked and m.identity == identity for m in self._records.values())

    def has(self, certificate: bytes) -> bool:
        """Is this the certificate of a member that belongs?"""
        return any(self._records[id].card.certificate == certificate for id in self.belonging)

    def at_address(self, address: Address) -> tuple[MemberId, ...]:
        return tuple(i for i in self.belonging if self._records[i].address == address)

    def shown_nick(self, id: MemberId) -> str:
        """The name that people see: unique among those that belong, equal ones numbered."""
        if self._nicks is None:
            self._nicks = self._name_all()
        return self._nicks.get(id) or f"member{small(id)}"

    def nick(self, id: MemberId) -> str:
        """The same, and empty for somebody who is not known."""
        if self._nicks is None:
            self._nicks = self._name_all()
        return self._nicks.get(id, "")

    def _named_since(self, id: MemberId) -> tuple[Hlc, MemberId]:
        """Who took a name first keeps it, whatever its id: a rename renames nobody else."""
        return self._records[id].nick.hlc, id

    def _name_all(self) -> dict[MemberId, str]:
        names: dict[MemberId, str] = {}
        taken: set[str] = set()
        for id in sorted(self.belonging, key=self._named_since):
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
