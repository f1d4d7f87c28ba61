"""Who may do what: decisions of owner and admins, and what follows from all of them together.

A decision is signed by who made it and names the last ones that its author knew, so they make a
graph that everyone can read alike, in whatever order its parts come.  Nothing is taken back from
it; what holds is found anew from the whole:

- The founder is the owner.  The owner makes and unmakes admins, removes anybody, and hands its own
  place on.  Admins remove members, let the removed in again, and say who may invite and set the
  topic.
- A decision counts if its author had the right to it by those that came before it, and
- if no decision that takes that right from its author was made without knowing of it: of two that
  know nothing of each other the one that removes stands.  So nobody who is being removed can undo
  that by having been quick, or by saying so with an old date.
- Of two hand-overs of ownership that know nothing of each other, the one with the lower id stands;
  of two values of one setting, or two topics, the later one by (clock, id).

Who removes always outranks who is removed, so whether a decision counts never hangs on itself.  Who
is the owner in the end is removed by nobody.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from hashlib import blake2b

from msgspec import Struct

from .clock import follows
from .types import NO_HLC, ChatId, Hlc, MemberId

ID_BYTES = 16
HEADS_MAX = 16  # that a message names
_SIGNED = b"p2pchat decision 1\0"  # no signature for anything else begins like these
_HANDED_OVER = b"p2pchat owner 1\0"


class Act(IntEnum):
    """What is decided; `whom` says about which member, `person` about which identity."""

    KICK = 1  # `whom` is a member no longer, and its person is not let in again
    BAN = 2  # `person` is not let in, and belongs no longer
    UNBAN = 3  # `person` may be let in again, as a new member
    OP = 4  # `whom` is an admin
    DEOP = 5  # `whom` is none
    OWNER = 6  # `whom` is the owner; who was it is an admin; `value` tells the registry
    INVITES = 7  # `value` "admins": they alone invite; empty: every member
    TOPIC = 8  # the same of who sets the topic
    TITLE = 9  # `value` is the topic, where admins alone set it


REMOVALS = (Act.KICK, Act.BAN)
FOR_OWNERS = (Act.OP, Act.DEOP, Act.OWNER)
ADMINS = "admins"  # the value of a setting: they alone
UNMAKING = (*REMOVALS, Act.DEOP)
KEPT_MAX = 64  # answers to a question that every message asks


class Decision(Struct, frozen=True):
    """One decision.  The id follows from all the rest but the signature."""

    by: MemberId
    act: Act
    hlc: Hlc
    whom: MemberId = 0
    person: bytes = b""  # an identity: of `whom`, where there is one
    value: str = ""
    after: tuple[bytes, ...] = ()  # the last ones known to its author, in ascending order
    signature: bytes = b""

    @property
    def id(self) -> bytes:
        words = (self.by, int(self.act), *self.hlc, self.whom)
        said = "|".join(map(str, words)).encode() + b"|" + self.person + b"|" + self.value.encode()
        digest = blake2b(said, digest_size=ID_BYTES, person=b"p2pchat decide")
        for id in self.after:
            digest.update(b"|" + id)
        return digest.digest()


def statement(chat: ChatId, decision: Decision) -> bytes:
    """What its author signs: that was decided, in this chat."""
    return _SIGNED + chat.to_bytes(8) + decision.id


def hand_over_statement(chat: ChatId, person: bytes) -> bytes:
    """What an owner signs for the registry, which knows no decisions: that this one follows it."""
    return _HANDED_OVER + chat.to_bytes(8) + person


def in_value(decision: Decision) -> bytes:
    """The signature of a hand-over; empty where there is none, as before they had any."""
    try:
        return bytes.fromhex(decision.value)
    except ValueError:
        return b""


class Order(Struct, frozen=True):
    """What holds by all decisions together."""

    owner: MemberId
    admins: frozenset[MemberId] = frozenset()  # without the owner
    removed: Mapping[MemberId, MemberId] = {}  # who is a member no longer, and by whom
    barred: Mapping[bytes, MemberId] = {}  # identities that are not let in, and by whom
    invites: str = ""
    topic: str = ""
    title: Decision | None = None  # the last topic that was decided

    def rank(self, member: MemberId) -> int:
        """2 the owner, 1 admins, 0 others."""
        if member == self.owner:
            return 2
        return 1 if member in self.admins else 0


class Decisions:
    """All that are known.  `founder` is the owner to begin with, and has that identity.

    Sets of decisions are numbers, a bit for each in the order in which they came.
    """

    def __init__(
        self, founder: MemberId, person: bytes, decisions: Iterable[Decision] = ()
    ) -> None:
        self.founder, self._person = founder, person
        self._known: list[Decision] = []  # each after all that it follows
        self._bit: dict[bytes, int] = {}  # by id
        self._past: list[int] = []  # of each: all that came before it ...
        self._then: list[list[int]] = []  # ... and who was owner by that: see `_line`
        self._about: dict[MemberId, list[int]] = {}  # what makes a member an admin, or unmakes it
        self._handed: list[int] = []  # hand-overs of ownership
        self._order: Order | None = None
        self._heads: tuple[bytes, ...] | None = ()
        self._named_gone: set[MemberId] = set()  # by a removal, whether it counts or not
        self._gone: dict[tuple[bytes, ...], frozenset[MemberId]] = {}  # see `is_gone_by`
        self.counting = 0  # those that count
        self.absorb(decisions)

    def absorb(self, decisions: Iterable[Decision]) -> list[Decision]:
        """Take in those that their authors had the right to, by all that came before them; gives
        those that are new.  Where something before one is not known, it is left out.
        """
        todo = {one.id: one for one in decisions if one.id not in self._bit}
        new: list[Decision] = []
        while True:
            ready = [id for id in sorted(todo) if all(dep in self._bit for dep in todo[id].after)]
            if not ready:
                return new
            for id in ready:
                one = todo.pop(id)
                if self.is_rightful(one):
                    self._add(id, one)
                    new.append(one)

    def _add(self, id: bytes, one: Decision) -> None:
        n, past = len(self._known), self._before(one)
        self._known.append(one)
        self._past.append(past)
        self._then.append(self._line(past))
        self._bit[id] = n
        if one.act is Act.OWNER:
            self._handed.append(n)
        if one.act in REMOVALS:
            self._named_gone.add(one.whom)
        for member in {one.by, one.whom}:
            self._about.setdefault(member, []).append(n)
        self._order = self._heads = None

    def _before(self, one: Decision) -> int:
        past = 0
        for id in one.after:
            n = self._bit[id]
            past |= self._past[n] | 1 << n
        return past

    def is_rightful(self, one: Decision) -> bool:
        """Had its author the right to it, by all that it knew?  That must be known here."""
        if any(id not in self._bit for id in one.after):
            return False
        times = (self._known[self._bit[id]].hlc for id in one.after)
        if not follows(one.hlc, max(times, default=NO_HLC)):
            return False
        past = self._before(one)
        owner = self._owner(self._line(past))
        if one.by == owner:
            return one.whom != owner or one.act not in REMOVALS
        if one.act in FOR_OWNERS:
            return False
        before = self._owners(past)
        if not self._is_admin(one.by, before):
            return False
        if one.act not in REMOVALS:
            return True
        above = {owner, *self._admins(before)}
        return one.whom not in above and one.person not in self._persons(above)

    def rank(self, member: MemberId, heads: Iterable[bytes]) -> int | None:
        """What it was by the decisions that these end with, as `Order.rank`; None: unknown."""
        past = 0
        for id in heads:
            if (n := self._bit.get(id)) is None:
                return None
            past |= self._past[n] | 1 << n
        if member == self._owner(self._line(past)):
            return 2
        return int(self._is_admin(member, self._owners(past)))

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, id: object) -> bool:
        return id in self._bit

    @property
    def all(self) -> tuple[Decision, ...]:
        """In ascending order of id."""
        return tuple(self._known[self._bit[id]] for id in sorted(self._bit))

    @property
    def heads(self) -> tuple[bytes, ...]:
        """Those that no other one follows, in ascending order."""
        if self._heads is None:
            followed = {id for decision in self._known for id in decision.after}
            self._heads = tuple(sorted(self._bit.keys() - followed))
        return self._heads

    @property
    def latest(self) -> tuple[bytes, ...]:
        """The same, and of very many the latest: what a message names."""
        if len(self.heads) <= HEADS_MAX:
            return self.heads
        ordered = sorted(self.heads, key=lambda id: (self._known[self._bit[id]].hlc, id))
        return tuple(sorted(ordered[-HEADS_MAX:]))

    def is_gone_by(self, member: MemberId, heads: tuple[bytes, ...]) -> bool:
        """Was it removed, as far as somebody knew who knew these and what they follow?

        They must be known here.  What is found stays so, whatever else becomes known.  Of whom
        nobody ever decided to remove that costs nothing, whatever it names.
        """
        return member in self._named_gone and member in self._gone_by(heads)

    def _gone_by(self, heads: tuple[bytes, ...]) -> frozenset[MemberId]:
        if (gone := self._gone.get(heads)) is None:
            past = 0
            for id in heads:
                past |= self._past[self._bit[id]] | 1 << self._bit[id]
            gone = frozenset(self._settled(past)[1].removed)
            if len(self._gone) == KEPT_MAX:
                del self._gone[next(iter(self._gone))]
            self._gone[heads] = gone
        return gone

    @property
    def order(self) -> Order:
        if self._order is None:
            self.counting, self._order = self._settled((1 << len(self._known)) - 1)
        return self._order

    @property
    def line(self) -> tuple[Decision, ...]:
        """The hand-overs of ownership that stand, in their order."""
        return tuple(self._known[n] for n in self._line((1 << len(self._known)) - 1))

    def shown_removal(self, member: MemberId) -> tuple[Decision, ...]:
        """What shows one who knows but the owners that it was removed: the decision, after the one
        that made its author an admin if it was none of them.  Empty where nothing does.
        """
        if member not in self.order.removed:
            return ()
        owners = {self.founder, *(one.whom for one in self.line)}
        found: list[tuple[bytes, tuple[Decision, ...]]] = []
        for n in _bits(self._removals(member, self.counting)):
            one = self._known[n]
            if one.act not in REMOVALS:
                continue
            if one.by in owners:
                return (one,)
            for k in _bits(self._past[n]):
                made = self._known[k]
                if made.act is Act.OP and made.whom == one.by:
                    found.append((one.id, (made, one)))
        return min(found, key=lambda pair: pair[0])[1] if found else ()

    # ---- what follows --------------------------------------------------------------------------

    def _line(self, among: int) -> list[int]:
        """The hand-overs of ownership that stand among these, in their order."""
        line: list[int] = []
        passed = 0
        while True:
            owner = self._owner(line)
            those = [
                n
                for n in self._handed
                if among >> n & 1
                and self._known[n].by == owner
                and not passed & ~self._past[n]
                and self._then[n] == line
            ]
            if not those:
                return line
            line.append(min(those, key=lambda n: self._known[n].id))
            passed |= 1 << line[-1]

    def _owner(self, line: list[int]) -> MemberId:
        return self._known[line[-1]].whom if line else self.founder

    def _owners(self, among: int) -> int:
        """What owners have decided among these, and those knew to whom they handed on."""
        line, found = self._line(among), 0
        for n in _bits(among):
            known = self._then[n]
            if self._known[n].by != self._owner(known) or line[: len(known)] != known:
                continue
            after = line[len(known)] if len(line) > len(known) else n
            if after == n or self._past[after] >> n & 1:
                found |= 1 << n
        return found

    def _stands(self, n: int, owners: int) -> bool:
        """Does it count, that an admin decided?  Whoever unmade that one must have known of it."""
        by, past = self._known[n].by, self._past[n]
        if not self._is_admin(by, owners & past):
            return False
        unmade = self._removals(by, owners & ~past)
        return all(self._past[r] >> n & 1 for r in _bits(unmade))

    def _is_admin(self, member: MemberId, counting: int) -> bool:
        """Was it made one by these, after all that unmade it?"""
        gone = self._removals(member, counting)
        return any(
            not gone & ~self._past[n]
            for n in self._about.get(member, ())
            if counting >> n & 1 and self._makes_admin(n, member)
        )

    def _makes_admin(self, n: int, member: MemberId) -> bool:
        one = self._known[n]
        # Who hands its place on stays an admin; and who is the owner is not less than one.
        return one.act is Act.OWNER or (one.act is Act.OP and one.whom == member)

    def _removals(self, member: MemberId, counting: int) -> int:
        found = 0
        for n in self._about.get(member, ()):
            one = self._known[n]
            if one.whom == member and one.act in UNMAKING and counting >> n & 1:
                found |= 1 << n
        return found

    def _admins(self, counting: int) -> set[MemberId]:
        """All who were made admins by these and not unmade, and perhaps the owner."""
        return {member for member in self._about if self._is_admin(member, counting)}

    def _persons(self, members: set[MemberId]) -> set[bytes]:
        """Their identities, as who made them something said; of the founder in any case."""
        made = (Act.OP, Act.OWNER)
        named = {d.person for d in self._known if d.act in made and d.whom in members}
        return named | ({self._person} if self.founder in members else set())

    def _settled(self, among: int) -> tuple[int, Order]:
        """Which of these count, and what holds by them."""
        owner, owners = self._owner(self._line(among)), self._owners(among)
        standing = (n for n in _bits(among & ~owners) if self._stands(n, owners))
        valid = owners | sum(1 << n for n in standing)
        return valid, self._ordered(valid, owners, owner)

    def _ordered(self, valid: int, owners: int, owner: MemberId) -> Order:
        """What holds by those that count, those of owners among them."""
        counting = [(n, self._known[n]) for n in _bits(valid)]
        removals = sorted(
            ((one.id, n, one) for n, one in counting if one.act in REMOVALS), key=lambda row: row[0]
        )
        pardons = [(n, one.person) for n, one in counting if one.act is Act.UNBAN]
        removed, barred = dict[MemberId, MemberId](), dict[bytes, MemberId]()
        mine = self._persons({owner})
        for _, n, one in removals:
            # Whoever is the owner in the end stays, whoever thought what meanwhile; what it was
            # before, under another id, and was removed as, does not come back with that.
            if one.whom and one.whom != owner:
                removed.setdefault(one.whom, one.by)
            pardoned = any(who == one.person and self._past[p] >> n & 1 for p, who in pardons)
            if not pardoned and one.person not in mine:
                barred.setdefault(one.person, one.by)
        admins = self._admins(owners) - removed.keys() - {owner}
        invites, topic, title = (
            max(
                (one for _, one in counting if one.act is act),
                key=lambda one: (one.hlc, one.id),
                default=None,
            )
            for act in (Act.INVITES, Act.TOPIC, Act.TITLE)
        )
        return Order(
            owner,
            frozenset(admins),
            removed,
            barred,
            invites.value if invites is not None else "",
            topic.value if topic is not None else "",
            title,
        )


def _bits(number: int) -> Iterator[int]:
    """The numbers of those that are in a set."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
