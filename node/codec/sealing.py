"""What is said, closed for the member that it goes to: the fields that carry it, in `sealed`.

Only what is said is sealed; who calls, and for whom, is not.  Where nothing can be opened there is
nothing that was said, and the group refuses that like any other call.

Of a roster the secrets alone are sealed.  A member whose key is not known yet is told none, nor
taken for knowing any: it is known once rosters have been exchanged, and they are again.
"""

from typing import Any, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message

from node.core.types import ChatId, MemberId
from p2pchat.v1 import common_pb2 as cm
from p2pchat.v1 import node_pb2 as pb

Carrier = TypeVar("Carrier", bound=Message)

SEALED: dict[type[Message], frozenset[str]] = {
    pb.Messages: frozenset({"messages"}),
    pb.MessageRequest: frozenset({"msg_id", "source_id", "msg", "header", "more_ids", "more_msgs"}),
    pb.SyncResponse: frozenset({"messages"}),
    pb.UpdateMembersRequest: frozenset({"secrets"}),
    pb.UpdateMembersResponse: frozenset({"secrets"}),
    pb.JoinNetworkResponse: frozenset({"secrets"}),
}
SECRETS = ("invites", "password", "claim_keys")  # of a roster: they let in, or give the lead


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

    def open_by(self, content: bytes, wrap: bytes, seal_key: bytes) -> bytes | None:
        """What the owner of that key has sealed for us, who do not know it as a member."""
        ...


def seal(message: Message, seals: Seals, chat: ChatId, member: MemberId) -> None:
    """Close what is said in this message, for that member, in place."""
    if SEALED[type(message)] == {"secrets"}:
        return _seal_secrets(message, seals, chat, member)
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
    if SEALED[type(message)] == {"secrets"}:
        _unseal_secrets(message, seals, chat, member)
        return True
    inner = opened(message, seals, chat, member)
    for field in SEALED[type(message)]:
        message.ClearField(field)
    if inner is not None:
        message.MergeFrom(inner)
    return inner is not None


def opened(message: Carrier, seals: Seals, chat: ChatId, member: MemberId) -> Carrier | None:
    """What is said in this message, by that member; None: nothing that it has sealed for us."""
    sealed: pb.Sealed = message.sealed  # type: ignore[attr-defined]
    if isinstance(message, pb.JoinNetworkResponse):
        by = (one for one in message.roster.members if one.member_id == message.view.leader_id)
        leader = next(by, cm.MemberRecord())
        content = seals.open_by(sealed.content, sealed.wrap, leader.card.seal_key)
    else:
        content = seals.open(sealed.content, sealed.wrap, chat, member)
    if content is None:
        return None
    try:
        inner = type(message).FromString(content)
    except DecodeError:
        return None
    fields = SEALED[type(message)]
    return inner if all(field.name in fields for field, _ in inner.ListFields()) else None


def _seal_secrets(message: Any, seals: Seals, chat: ChatId, member: MemberId) -> None:
    """Close what is secret of the roster; where that member's key is not known it is left out."""
    secrets = cm.Roster()
    for name in SECRETS:
        if held := _held(message.roster, name):
            getattr(secrets, name).MergeFrom(held)
            message.roster.ClearField(name)
    if not secrets.ListFields():
        return
    content, key = seals.close(type(message)(secrets=secrets).SerializeToString())
    if wrap := seals.wrap(key, chat, member):
        message.sealed.CopyFrom(pb.Sealed(content=content, wrap=wrap))


def _unseal_secrets(message: Any, seals: Seals, chat: ChatId, member: MemberId) -> None:
    """Have them stand in the roster; what stood there in the clear was not sealed, and goes."""
    for name in SECRETS:
        message.roster.ClearField(name)
    inner = opened(message, seals, chat, member) if message.HasField("sealed") else None
    if inner is not None:
        for name in SECRETS:
            if held := _held(inner.secrets, name):
                getattr(message.roster, name).MergeFrom(held)


def _held(roster: cm.Roster, name: str) -> Any:
    """That field, or None where it is not set."""
    return {field.name: value for field, value in roster.ListFields()}.get(name)
