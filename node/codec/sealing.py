"""What is said, closed for the member that it goes to: the fields that carry it, in `sealed`.

Only what is said is sealed; who calls, and for whom, is not.  Where nothing can be opened there is
nothing that was said, and the group refuses that like any other call.

So are rosters.  Beside one stands, in the clear, the record by which the other side knows the key
that it is sealed with: a newcomer's own, or the leader's that lets one in.  It counts for no more:
of whom the key is known already nothing is believed that it has not sealed.
"""

from itertools import islice
from typing import Any, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from node.core.types import ChatId, MemberId
from node.limits import ROSTER_MAX
from p2pchat.v1 import common_pb2 as cm
from p2pchat.v1 import node_pb2 as pb

Carrier = TypeVar("Carrier", bound=Message)

_ROSTER = frozenset({"roster"})
SEALED: dict[type[Message], frozenset[str]] = {
    pb.Messages: frozenset({"messages"}),
    pb.MessageRequest: frozenset({"msg_id", "source_id", "msg", "header", "more_ids", "more_msgs"}),
    pb.SyncResponse: frozenset({"messages"}),
    pb.UpdateMembersRequest: _ROSTER,
    pb.UpdateMembersResponse: _ROSTER,
    pb.JoinNetworkResponse: _ROSTER,
}


class Seals(Protocol):
    """Seals for members of this node's chats, and opens what they have sealed."""

    def close(self, content: bytes) -> tuple[bytes, bytes]:
        """The content, encrypted, and the fresh key that opens it."""
        ...

    def wrap(self, key: bytes, kind: str, chat: ChatId, member: MemberId) -> bytes:
        """The key of a message of that kind, for that member; empty where its own is not known."""
        ...

    def open(
        self, content: bytes, wrap: bytes, kind: str, chat: ChatId, member: MemberId
    ) -> bytes | None:
        """What that member has sealed for us, in that chat, in a message of that kind; None: it has
        not.
        """
        ...

    def open_by(
        self, content: bytes, wrap: bytes, kind: str, chat: ChatId, seal_key: bytes
    ) -> bytes | None:
        """What the owner of that key has sealed for us, who do not know it as a member."""
        ...

    def key_of(self, chat: ChatId, member: MemberId) -> bytes:
        """The key that things are sealed with for that member; empty where it is not known."""
        ...


def about(kind: str, chat: ChatId) -> bytes:
    """What a seal is for, beside whom: what was sealed for one chat, or for one kind of message,
    opens in no other.
    """
    return chat.to_bytes(8) + kind.encode()


def seal(message: Message, seals: Seals, chat: ChatId, member: MemberId) -> None:
    """Close what is said in this message, for that member, in place.

    A roster is left out where the member's key is not known yet.
    """
    fields, inner = SEALED[type(message)], type(message)()
    inner.CopyFrom(message)
    for field in message.DESCRIPTOR.fields:
        (message if field.name in fields else inner).ClearField(field.name)
    if fields == _ROSTER:
        _introduce(message, inner)
    content, key = seals.close(inner.SerializeToString())
    wrap = seals.wrap(key, message.DESCRIPTOR.full_name, chat, member)
    if wrap or fields != _ROSTER:
        sealed: Any = message
        sealed.sealed.CopyFrom(pb.Sealed(content=content, wrap=wrap))


def unseal(message: Message, seals: Seals, chat: ChatId, member: MemberId) -> bool:
    """Have what is said in this message stand in its fields; False: that member has not sealed it
    for us, and nothing is said.  What stood there in the clear was not sealed, and goes.
    """
    inner, fields = opened(message, seals, chat, member), SEALED[type(message)]
    own = None  # One record and no more: whoever calls may have sent thousands.
    if inner is None and isinstance(message, pb.UpdateMembersRequest):
        clear = islice(message.roster.members, ROSTER_MAX)
        own = next((one for one in clear if one.member_id == member), None)
    for field in fields:
        message.ClearField(field)
    if inner is not None:
        message.MergeFrom(inner)
    elif own is not None and _introduces(own, seals.key_of(chat, member)):
        message.roster.members.append(own)  # type: ignore[attr-defined]
    is_welcome = isinstance(message, pb.JoinNetworkResponse) and message.member_id > 0
    return inner is not None or (fields == _ROSTER and not is_welcome)


def opened(message: Carrier, seals: Seals, chat: ChatId, member: MemberId) -> Carrier | None:
    """What is said in this message, by that member; None: nothing that it has sealed for us."""
    sealed: pb.Sealed = message.sealed  # type: ignore[attr-defined]
    kind = message.DESCRIPTOR.full_name
    if isinstance(message, pb.JoinNetworkResponse):
        by = (one for one in message.roster.members if one.member_id == message.view.leader_id)
        key = next(by, cm.MemberRecord()).card.seal_key
        content = seals.open_by(sealed.content, sealed.wrap, kind, message.chat_id, key)
    else:
        content = seals.open(sealed.content, sealed.wrap, kind, chat, member)
    if content is None:
        return None
    try:
        inner = type(message).FromString(content)
    except DecodeError:
        return None
    fields = SEALED[type(message)]
    return inner if all(field.name in fields for field, _ in inner.ListFields()) else None


def _introduces(own: cm.MemberRecord, known: bytes) -> bool:
    """Does this record, which nobody has sealed, say with which key its member seals now?

    Its card is signed by its identity.  What else it says is not, and goes where that member is
    known.
    """
    if known:
        for field in ("nick", "away", "ends", "left", "farewell"):
            own.ClearField(field)
        own.life = cm.LIFE_ALIVE
    return bool(own.card.seal_key) and own.card.seal_key != known


def _introduce(message: Any, inner: Any) -> None:
    """Have the record of who seals this stand in the clear, for who may not know it yet."""
    by = {
        pb.UpdateMembersRequest: lambda: message.caller.node_id,
        pb.JoinNetworkResponse: lambda: message.view.leader_id,
    }.get(type(message), lambda: 0)()
    own = [one for one in inner.roster.members if by and one.member_id == by]
    message.roster.members.extend(own)
