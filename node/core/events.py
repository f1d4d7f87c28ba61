"""What can happen to a group.  The only way in."""

from enum import Enum, auto
from typing import TypeAlias

from msgspec import Struct

from .access import Terms
from .conversation import Kind, Spot
from .deciding import Act
from .messages import NdsReply, Record, Refusal, Reply, Request
from .types import Address, CallId, IdBlock, MemberId, Millis, Silence, WallMillis


class Started(Struct, frozen=True):
    """The group has been opened, for the first time or from its log.  First of all events."""

    wall: WallMillis


class Founded(Struct, frozen=True):
    """The registry has made the network, with this node as its leader and the first id."""

    record: Record
    ids: IdBlock
    claim_key: bytes = b""  # the secret of the one that it was made with
    hides_history: bool = False  # newcomers are given no text of what was said before


class Joining(Struct, frozen=True):
    """The user wants in, through whoever listens at `address`; empty: whom the registry names."""

    address: Address


class Leaving(Struct, frozen=True):
    """The user ends the membership."""


class Closing(Struct, frozen=True):
    """The node is about to stop: hand leadership over, keep the membership."""


class Woken(Struct, frozen=True):
    """The instant asked for by `Group.deadline` has come."""


class Submitted(Struct, frozen=True, gc=False):
    """The user wrote a line, or changes one: `about` is that line.  `id` is a fresh UUID."""

    text: str
    id: str
    wall: WallMillis
    kind: Kind = Kind.TEXT
    about: Spot | None = None


class Burst(Struct, frozen=True, gc=False):
    """Lines that were written within one turn: the same as one after the other."""

    lines: tuple[Submitted, ...]  # one or more


class Field(Enum):
    """A fact that a user may change."""

    NICK = auto()
    AWAY = auto()
    TOPIC = auto()


class Changed(Struct, frozen=True):
    """The user changed a fact."""

    field: Field
    value: str
    wall: WallMillis


class Invited(Struct, frozen=True):
    """The user lets in whoever knows the secret of this check; `expires` 0: for good."""

    id: int
    check: bytes
    wall: WallMillis
    expires: WallMillis = 0
    once: bool = False


class Revoked(Struct, frozen=True):
    """The user takes an invitation back."""

    id: int
    wall: WallMillis


class Opened(Struct, frozen=True):
    """The user has whoever asks let in, or only who is invited."""

    is_open: bool
    wall: WallMillis


class PasswordSet(Struct, frozen=True):
    """The user gives the group another password, or (without terms and seed) takes it away."""

    terms: Terms | None
    seed: bytes
    wall: WallMillis


class Decided(Struct, frozen=True):
    """The user, owner or admin, decides this: see `deciding`."""

    act: Act
    wall: WallMillis
    whom: MemberId = 0
    person: bytes = b""
    value: str = ""


class Challenged(Struct, frozen=True):
    """The user asked for an election: act as after a missed ping."""


class Received(Struct, frozen=True, gc=False):
    """A request has arrived.  It may be late, repeated or out of order.

    `call` names it for the `Respond` that answers it, `certificate` the node that it comes from, as
    its connection proved; None where connections prove nothing.
    """

    call: CallId
    request: Request
    certificate: bytes | None = None


class Answered(Struct, frozen=True, gc=False):
    """The answer to our own call, from whoever was called."""

    call: CallId
    reply: Reply | NdsReply | Refusal


class Failed(Struct, frozen=True):
    """Our own call came to nothing.  A hint: if this event is lost, a deadline of ours tells."""

    call: CallId
    how: Silence
    status: str = ""  # for people: the gRPC status


class LinkBroken(Struct, frozen=True):
    """The connection to a node, once ready, broke."""

    address: Address


class AnsweredLate(Struct, frozen=True):
    """The node there answered a call of ours, by so much later than that had ended."""

    address: Address
    ms: Millis


Event: TypeAlias = (
    Started
    | Founded
    | Joining
    | Leaving
    | Closing
    | Woken
    | Submitted
    | Burst
    | Changed
    | Invited
    | Revoked
    | Opened
    | PasswordSet
    | Decided
    | Challenged
    | Received
    | Answered
    | Failed
    | LinkBroken
    | AnsweredLate
)
