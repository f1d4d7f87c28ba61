"""What is said, closed for the member that it goes to: the fields that carry it, in `sealed`.

Only what is said is sealed; who calls, and for whom, is not.  Where nothing can be opened there is
nothing that was said, and the group refuses that like any other call.
"""

from typing import Any, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from node.core.types import ChatId, MemberId
from p2pchat.v1 import node_pb2 as pb

Carrier = TypeVar("Carrier", bound=Message)

SEALED: dict[type[Message], frozenset[str]] = {
    pb.Messages: frozenset({"messages"}),
    pb.MessageRequest: frozenset({"msg_id", "source_id", "msg", "header", "more_ids", "more_msgs"}),
    pb.SyncResponse: frozenset({"messages"}),
}


class Seals(Protocol):
    """Seals for members of this node's chats, and opens what they have sealed."""

    def close(self, content: bytes) -> tuple[bytes, bytes]:
        """The content, encrypted, and the fresh key that opens it."""
        ...

    def wrap(self, key: bytes, chat: ChatId, member: MemberId) -> bytes:
        """The key, for that member; empty where its own is not known."""
        ...

    def open(self, content: bytes, wrap: bytes, chat: ChatId, member: MemberId) -> bytes | None:
        """What that member has sealed for us; None: it has not."""
        ...


def seal(message: Message, seals: Seals, chat: ChatId, member: MemberId) -> None:
    """Close what is said in this message, for that member, in place."""
    inner = type(message)()
    inner.CopyFrom(message)
    for field in message.DESCRIPTOR.fields:
        said = field.name in SEALED[type(message)]
        (message if said else inner).ClearField(field.name)
    content, key = seals.close(inner.SerializeToString())
    wrap = seals.wrap(key, chat, member)
    sealed: Any = message
    sealed.sealed.CopyFrom(pb.Sealed(content=content, wrap=wrap))


def unseal(message: Message, seals: Seals, chat: ChatId, member: MemberId) -> bool:
    """Have what is said in this message stand in its fields; False: that member has not sealed it
    for us, and nothing is said.  What stood there in the clear was not sealed, and goes.
    """
    inner = opened(message, seals, chat, member)
    for field in SEALED[type(message)]:
        message.ClearField(field)
    if inner is not None:
        message.MergeFrom(inner)
    return inner is not None


def opened(message: Carrier, seals: Seals, chat: ChatId, member: MemberId) -> Carrier | None:
    """What is said in this message, by that member; None: nothing that it has sealed for us."""
    sealed: pb.Sealed = message.sealed  # type: ignore[attr-defined]
    content = seals.open(sealed.content, sealed.wrap, chat, member)
    if content is None:
        return None
    try:
        inner = type(message).FromString(content)
    except DecodeError:
        return None
    fields = SEALED[type(message)]
    return inner if all(field.name in fields for field, _ in inner.ListFields()) else None
