"""What nodes and the discovery service say to each other.  Values: never mutated once made.

Every `Request` is answered by the `Reply` named beside it, or by a `Refusal` (definite: nothing has
happened), or not at all.  `codec` turns each into its protobuf and back.
"""

from enum import IntEnum
from typing import NamedTuple, TypeAlias

from msgspec import Struct, field

from .access import NO_PASSWORD, Challenge, ClaimKey, Invite, Knows, Password, Terms
from .conversation import ChatMessage
from .deciding import Decision
from .types import (
    NO_EPOCH,
    NO_HLC,
    NO_IDS,
    Address,
    ChatId,
    Epoch,
    Floor,
    Hlc,
    IdBlock,
    Incarnation,
    Key,
    MemberId,
    Millis,
    Run,
    Stored,
    Stream,
    WallMillis,
)

LOGGED, TRANSIENT = 1, 2  # modes: whether members keep what is said on disk, or in memory alone

# ---- facts that travel -------------------------------------------------------------------------


class Caller(Struct, frozen=True):
    """Who calls: checked against the roster.  `node` is 0 for the registry and for strangers.

    `callee` is whom it means to call, 0 for whoever listens there: addresses change hands.
    """

    chat: ChatId
    node: MemberId
    incarnation: Incarnation
    epoch: Epoch
    callee: MemberId = 0


class Grant(NamedTuple):
    """What the registry says of an epoch and its leader; empty where it has said nothing."""

    certificate_hash: bytes = b""  # SHA-256 of the one that the leader's connection proved
    signature: bytes = b""  # the registry's, see `granting`
    claim_key: bytes = b""  # of the network, then


NO_GRANT = Grant()


class View(Struct, frozen=True):
    """Where a node stands on leadership."""

    epoch: Epoch
    leader: MemberId  # 0 when unknown
    leader_address: Address
    provisional: MemberId  # 0 for nobody
    highest_n: int
    roster_hash: int
    history_hash: int
    incarnation: Incarnation
    process: int
    grant: Grant = NO_GRANT  # of the epoch; for who may not know of it


class Life(IntEnum):
    """How reachable a member was found.  A higher incarnation beats every state of a lower one."""

    ALIVE = 1
    SUSPECT = 2
    DROPPED = 3


class Fact(Struct, frozen=True):
    """A value that may change; of two writers the later by (hlc, source) stands."""

    value: str = ""
    hlc: Hlc = NO_HLC
    source: MemberId = 0

    @property
    def rank(self) -> tuple[Hlc, MemberId, str]:
        return self.hlc, self.source, self.value


class Card(NamedTuple):
    """The public keys that a person says are its own; empty where it has not said."""

    certificate: bytes = b""  # of its node, X.509 in DER
    seal_key: bytes = b""  # X25519
    signature: bytes = b""  # of both, by the identity


NO_CARD = Card()


class Member(Struct, frozen=True):
    """All that is known of one member.  Merged field by field, see `membership.merge`."""

    id: MemberId
    identity: bytes
    admitted: Epoch
    incarnation: Incarnation
    life: Life
    address: Address
    address_stamp: tuple[Incarnation, int]
    left: bool = False
    kicked: bool = False
    ends: tuple[tuple[Stream, int], ...] = ()
    nick: Fact = Fact()
    away: Fact = Fact()
    card: Card = NO_CARD  # said together with the address; gone with the member
    admitted_by: MemberId = 0
    admission: bytes = b""  # its signature, see `admission`
    farewell: bytes = b""  # where it has left: its own signature, see `vetting`
    since: WallMillis = 0  # it is given no text of what was said before
    affirmation: bytes = b""  # that the id is its own, see `admission`
    issued: IdBlock = NO_IDS  # the block that its id is out of, see `issuing`

    @property
    def belongs(self) -> bool:
        """Neither left nor kicked."""
        return not (self.left or self.kicked)


class Roster(Struct, frozen=True):
    """Everyone who ever belonged, in ascending order of id, and what is the group's in common."""

    members: tuple[Member, ...] = ()
    topic: Fact = Fact()
    access: Fact = Fact()  # who is let in: see `inviting`
    invites: tuple[Invite, ...] = ()  # in ascending order of id
    password: Password = NO_PASSWORD
    decisions: tuple[Decision, ...] = ()  # of owner and admins, in ascending order of id
    claim_keys: tuple[ClaimKey, ...] = ()  # the latest, in ascending order


NOBODY = Roster()


# ---- between nodes -----------------------------------------------------------------------------


class Join(Struct, frozen=True):
    caller: Caller
    name: str
    identity: bytes
    nick: str
    address: Address
    process: int
    left_ids: tuple[MemberId, ...] = ()
    mode: int = LOGGED  # how the joiner keeps what is said
    card: Card = NO_CARD
    invite: int = 0  # by which it comes, and the proof that it knows its secret
    proof: bytes = b""
    knows: Knows | None = None  # who comes by a password; answered by `Challenge` in between
    farewells: tuple[bytes, ...] = ()  # of each of `left_ids`, or none
    word: bytes = b""  # its identity's signature, see `admission`


class Welcome(Struct, frozen=True):
    """The answer to `Join`."""

    member: MemberId
    roster: Roster
    view: View
    chat: ChatId
    name: str
    mode: int
    created: WallMillis
    nds: Address
    proof: bytes = b""  # to who came by a secret or a password: that we know it, too
    service: bytes = b""  # the certificate by which the leader knows that registry


class Leave(Struct, frozen=True):
    caller: Caller
    record: Member


class LeaveNoted(Struct, frozen=True):
    """The answer to `Leave`."""

    view: View


class Known(Struct, frozen=True):
    """Of a roster the hashes alone: of each record, and of what is the group's in common."""

    records: tuple[tuple[MemberId, int], ...]  # in ascending order of id
    common: int


class Update(Struct, frozen=True):
    """`known`: what the caller has, where it wants that part of the roster which differs."""

    caller: Caller
    roster: Roster
    want_roster: bool = False
    known: Known | None = None


class Updated(Struct, frozen=True):
    """The answer to `Update`; of what the caller has, `wanted` and the common is otherwise here."""

    roster: Roster
    view: View
    wanted: tuple[MemberId, ...] = ()
    wants_common: bool = False


class Ping(Struct, frozen=True):
    caller: Caller
    view: View | None  # None from the registry
    asks_leading: Epoch | None = None
    votes: tuple[MemberId, ...] = ()
    on_behalf: MemberId = 0  # not 0: ping that member for me


class Standing(IntEnum):
    LEADING = 1
    NOT_LEADING = 2
    YIELD = 3
    PROVISIONAL = 4


class Pong(Struct, frozen=True):
    """The answer to `Ping`."""

    standing: Standing
    view: View
    reached: bool = False  # for a ping on another's behalf: it answered ...
    refused: bool = False  # ... or nobody listens at its address


class Elect(Struct, frozen=True):
    """Bully's ELECTION."""

    caller: Caller
    view: View
    hand_over: bool = False  # the leader itself asks the called one to take over
    leaving: bool = False  # and leaves for good


class Vote(IntEnum):
    ALIVE = 1
    UNREACHABLE = 2
    LEADING = 3
    PROVISIONAL = 4


class Elected(Struct, frozen=True):
    """The answer to `Elect`: Bully's OK, and a vote."""

    ok: bool
    reaches_nds: bool
    vote: Vote
    view: View
    about_provisional: bool = False


class Coordinator(Struct, frozen=True):
    """Bully's COORDINATOR."""

    caller: Caller
    view: View
    provisional: bool
    handed_over_by: MemberId = 0
    handed_over_leaving: bool = False


class Followed(Struct, frozen=True):
    """The answer to `Coordinator`."""

    stale: bool
    view: View


class Tell(Struct, frozen=True, gc=False):
    """Chat messages on their way; where `to` is not the receiver, they are to be passed on.

    Several are consecutive ones of one stream; none: they were not sealed for us.  `pass_on`: those
    whom the receiver is to tell, too, where the caller is their author; `Acks` is the news of that.
    """

    caller: Caller
    to: MemberId
    messages: tuple[ChatMessage, ...]
    pass_on: tuple[MemberId, ...] = ()


class Receipt(IntEnum):
    STORED = 1
    RELAYING = 2


class Told(Struct, frozen=True, gc=False):
    """The answer to `Tell`.  STORED is the ACK of `node`, which after a relay is the target.

    Of several messages it is for the one with this id and those before it: no room for the rest.
    """

    receipt: Receipt
    id: str
    node: MemberId
    word: bytes = b""  # after a relay: the target's signature, see `receipts`


class Acks(Struct, frozen=True, gc=False):
    """Who has stored messages of this stream, the callee's, that the caller has passed on."""

    caller: Caller
    source: MemberId
    stream: Stream
    stored: tuple[Stored, ...]


class AcksNoted(Struct, frozen=True):
    """The answer to `Acks`."""


class Sync(Struct, frozen=True):
    """Catch-up.  Step one has `digests`, step two has `sources` and what is held of them.

    Or (`wanted`) the leader asks for messages that nobody seems to hold.
    """

    caller: Caller
    view: View
    digests: tuple[tuple[MemberId, int], ...] = ()
    held: tuple[Run, ...] = ()
    sources: tuple[MemberId, ...] = ()
    newest_first: bool = False  # a newcomer reads backwards
    floors: tuple[Floor, ...] = ()  # of `sources`: all below counts as held
    holes: tuple[Key, ...] = ()  # of `sources`: known to be lost, or filled since
    wanted: tuple[Key, ...] = ()


class Synced(Struct, frozen=True):
    """The answer to `Sync`."""

    view: View
    sources: tuple[MemberId, ...] = ()
    messages: tuple[ChatMessage, ...] = ()
    more: bool = False
    behind: bool = False  # the answerer lacks messages too, and will ask
    partial: bool = False  # the answerer is a newcomer that has not got the oldest yet
    held: tuple[Run, ...] = ()  # newest first: what the answerer has delivered of the authors
    floors: tuple[Floor, ...] = ()  # the answerer's, of the authors that differ
    holes: tuple[Key, ...] = ()  # likewise
    found: tuple[Key, ...] = ()  # those of `wanted` that the answerer holds
    said: tuple[Stream, int] | None = None  # the answerer's own newest message


class Refusal(Struct, frozen=True):
    """A definite no to any request: nothing has happened.  `leader...` are set for NOT_LEADER."""

    reason: str
    text: str = ""
    leader: MemberId = 0
    leader_address: Address = ""
    epoch: Epoch = NO_EPOCH
    chat: ChatId = 0  # for WRONG_MODE and NEEDS_PASSWORD: which one has that name
    terms: Terms | None = None  # for NEEDS_PASSWORD
    wait: Millis = 0  # for TRY_LATER
    record: "Record | None" = None  # from the registry, where it refuses a claim


# ---- with the discovery service ----------------------------------------------------------------


class Record(Struct, frozen=True):
    """What the registry keeps of a network."""

    chat: ChatId
    name: str
    epoch: Epoch
    leader: MemberId
    address: Address
    mode: int = LOGGED
    claim_key: bytes = b""  # public; empty: it has none
    grant: Grant = NO_GRANT


class Facts(Struct, frozen=True):
    """What the caller knows: repairs a registry that forgot."""

    name: str
    mode: int
    created: WallMillis
    epoch: Epoch
    leader: MemberId
    leader_address: Address
    highest_n: int
    grant: Grant = NO_GRANT


class Lookup(Struct, frozen=True):
    """Read the record."""

    chat: ChatId
    name: str = ""


class Proof(NamedTuple):
    """That the caller has a key which speaks for the group: its public half, and a signature."""

    key: bytes
    signature: bytes


class HandedOver(NamedTuple):
    """That an owner has handed the group on: by whom, to whom, and its signature."""

    by: bytes
    owner: bytes
    signature: bytes


class Claim(Struct, frozen=True):
    """Compare-and-set: make us leader if the recorded epoch is still `expected`."""

    chat: ChatId
    node: MemberId
    address: Address
    expected: Epoch
    nonce: int
    votes: tuple[MemberId, ...]
    electorate: int
    only_fate: bool
    facts: Facts
    claim_key: bytes = b""  # for a network that has none
    owner: bytes = b""  # likewise
    proofs: tuple[Proof, ...] = ()
    removals: tuple[Decision, ...] = ()  # that the recorded leader was removed
    handovers: tuple[HandedOver, ...] = ()


class Renew(Struct, frozen=True):
    """The leader's sign of life."""

    chat: ChatId
    node: MemberId
    epoch: Epoch
    address: Address
    want_ids: bool
    facts: Facts
    claim_key: bytes = b""  # from now on; empty: as it is
    owner: bytes = b""  # for a network that has none
    proofs: tuple[Proof, ...] = ()
    handovers: tuple[HandedOver, ...] = ()


class Delete(Struct, frozen=True):
    """The last member leaves: end the network."""

    chat: ChatId
    epoch: Epoch
    proofs: tuple[Proof, ...] = ()


class RecordRead(Struct, frozen=True):
    """The answer to `Lookup` and `Renew`."""

    record: Record
    ids: IdBlock | None = None


class Granted(Struct, frozen=True):
    """The answer to `Claim` where it won."""

    record: Record
    ids: IdBlock
    nonce: int = field(default=0)


class Deleted(Struct, frozen=True):
    """The answer to `Delete`."""


Request: TypeAlias = Join | Leave | Update | Ping | Elect | Coordinator | Tell | Acks | Sync
Entry: TypeAlias = Welcome | Challenge
Reply: TypeAlias = (
    Entry | LeaveNoted | Updated | Pong | Elected | Followed | Told | AcksNoted | Synced
)
NdsRequest: TypeAlias = Lookup | Claim | Renew | Delete
NdsReply: TypeAlias = RecordRead | Granted | Deleted
