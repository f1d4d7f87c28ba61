"""What can happen to a group.  The only way in."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from .messages import Kind, NdsReply, Record, Refusal, Reply, Request
from .types import Address, CallId, IdBlock, Millis, Silence, WallMillis


@dataclass(frozen=True, slots=True)
class Started:
    """The group has been opened, for the first time or from its log.  First of all events."""

    wall: WallMillis


@dataclass(frozen=True, slots=True)
class Founded:
    """The registry has made the network, with this node as its leader and the first id."""

    record: Record
    ids: IdBlock


@dataclass(frozen=True, slots=True)
class Joining:
    """The user wants in, through whoever listens at `address`; empty: whom the registry names."""

    address: Address


@dataclass(frozen=True, slots=True)
class Leaving:
    """The user ends the membership."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The node is about to stop: hand leadership over, keep the membership."""


@dataclass(frozen=True, slots=True)
class Woken:
    """The instant asked for by `Group.deadline` has come."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The user wrote a line.  `id` is a fresh UUID."""

    text: str
    id: str
    wall: WallMillis
    kind: Kind = Kind.TEXT


class Field(Enum):
    """A fact that a user may change."""

    NICK = auto()
    AWAY = auto()
    TOPIC = auto()


@dataclass(frozen=True, slots=True)
class Changed:
    """The user changed a fact."""

    field: Field
    value: str
    wall: WallMillis


@dataclass(frozen=True, slots=True)
class Challenged:
    """The user asked for an election: act as after a missed ping."""


@dataclass(frozen=True, slots=True)
class Received:
    """A request has arrived.  It may be late, repeated or out of order.

    `call` names it for the `Respond` that answers it.
    """

    call: CallId
    request: Request


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to our own call, from whoever was called."""

    call: CallId
    reply: Reply | NdsReply | Refusal


@dataclass(frozen=True, slots=True)
class Failed:
    """Our own call came to nothing.  A hint: if this event is lost, a deadline of ours tells."""

    call: CallId
    how: Silence
    status: str = ""  # for people: the gRPC status


@dataclass(frozen=True, slots=True)
class LinkBroken:
    """The connection to a node, once ready, broke."""

    address: Address


@dataclass(frozen=True, slots=True)
class AnsweredLate:
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
    | Changed
    | Challenged
    | Received
    | Answered
    | Failed
    | LinkBroken
    | AnsweredLate
)
