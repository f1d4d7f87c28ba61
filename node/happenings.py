"""What a node tells of its own accord: the happenings that faces watch, as plain values.

They mirror the `WatchResponse` of control.proto; `KINDS` names the field that carries each.
"""

from typing import TypeAlias

from msgspec import Struct

from .words import NO_CHAT, NO_EPOCH, Chat, Epoch, Line


class ReceiptEvent(Struct, frozen=True, gc=False):
    """A member acknowledged an own line, or (`later`) all have that are there."""

    msg_id: str = ""
    id: str = ""
    member_id: int = 0
    nick: str = ""
    acked: int = 0
    of: int = 0
    way: str = ""
    took_ms: int = 0
    later: tuple[str, ...] = ()  # who gets it when they are back


class ChangeEvent(Struct, frozen=True):
    """A line was edited or redacted, and is this now."""

    line: Line = Line()
    by_id: int = 0
    by: str = ""


class MemberEvent(Struct, frozen=True):
    """Something about a member."""

    member_id: int = 0
    nick: str = ""
    change: str = ""
    detail: str = ""
    quiet: bool = False  # another happening says so
    by_id: int = 0
    by_nick: str = ""


class SuspectEvent(Struct, frozen=True):
    """A member does not answer."""

    member_id: int = 0
    nick: str = ""
    cleared: bool = False
    quiet: bool = False  # another happening said so


class ElectionEvent(Struct, frozen=True):
    """An election moved on."""

    by_id: int = 0
    by_nick: str = ""
    phase: str = ""
    detail: str = ""
    whom_id: int = 0
    whom_nick: str = ""
    text: str = ""
    quiet: bool = False  # another election about the same silence has ended as it was


class LeaderEvent(Struct, frozen=True):
    """There is a new leader."""

    leader_id: int = 0
    nick: str = ""
    epoch: Epoch = NO_EPOCH
    provisional: bool = False
    self: bool = False
    took_ms: int = 0
    handed_over_by: str = ""
    handed_over_leaving: bool = False


class NdsEvent(Struct, frozen=True):
    """A discovery service went away or came back."""

    address: str = ""
    up: bool = False
    down_ms: int = 0
    fault: str = ""


class QueueEvent(Struct, frozen=True):
    """The outbox changed."""

    outbox: int = 0


class SplitEvent(Struct, frozen=True):
    """A split was noticed or healed."""

    healed: bool = False
    messages: int = 0
    leader_nick: str = ""
    epoch: Epoch = NO_EPOCH


class MergeEvent(Struct, frozen=True):
    """Messages came by catch-up."""

    messages: int = 0
    member_id: int = 0
    nick: str = ""


class GapEvent(Struct, frozen=True):
    """Messages of a member are missing: nobody who was here had them.

    Or (`filled`) they came after all.
    """

    messages: int = 0
    member_id: int = 0
    nick: str = ""
    filled: bool = False


class ErrorEvent(Struct, frozen=True):
    """Something went wrong."""

    reason: str = ""
    text: str = ""


class ChatEvent(Struct, frozen=True):
    """The chat itself changed at this node."""

    chat: Chat = NO_CHAT
    change: str = ""


What: TypeAlias = (
    Line
    | ChangeEvent
    | ReceiptEvent
    | MemberEvent
    | SuspectEvent
    | ElectionEvent
    | LeaderEvent
    | NdsEvent
    | QueueEvent
    | SplitEvent
    | MergeEvent
    | GapEvent
    | ErrorEvent
    | ChatEvent
)


class Happening(Struct, frozen=True, gc=False):
    """Something happened, in `chat` or (where that is empty) to the whole node."""

    what: What
    chat: str = ""
    chat_id: int = 0
    epoch: Epoch = NO_EPOCH
    at_ms: int = 0
    fingerprint: str = ""  # of the chat's history at that moment; empty for unknown


# The field of WatchResponse that carries each kind of happening; also its type in JSON.
KINDS: dict[str, type[What]] = {
    "message": Line,
    "change": ChangeEvent,
    "receipt": ReceiptEvent,
    "member": MemberEvent,
    "suspect": SuspectEvent,
    "election": ElectionEvent,
    "leader": LeaderEvent,
    "nds": NdsEvent,
    "queue": QueueEvent,
    "split": SplitEvent,
    "merge": MergeEvent,
    "gap": GapEvent,
    "error": ErrorEvent,
    "chat_changed": ChatEvent,
}
