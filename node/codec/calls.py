"""The calls between nodes: the table of all, and the way from bytes to values and back."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError, Message
from msgspec import Struct

from node.codec import conversation, joining, leading, talking
from node.codec.check import Check, Malformed
from node.codec.sealing import SEALED, Seals, seal, unseal
from node.core import messages as core
from node.core.messages import Reply, Request
from node.limits import Limits
from p2pchat.v1 import common_pb2 as common
from p2pchat.v1 import node_pb2 as pb


class Method(Struct, frozen=True):
    """One RPC of the Node service."""

    name: str
    request: type[Message]
    reply: type[Message]
    put_request: Callable[[Any], Message]
    get_request: Callable[[Any, Check], Request]
    put_reply: Callable[[Any], Message]
    get_reply: Callable[[Any, Check], Reply]

    @property
    def path(self) -> str:
        return f"/p2pchat.v1.Node/{self.name}"

    def write_request(self, request: Request, seals: Seals | None = None) -> bytes:
        message, caller = self.put_request(request), request.caller
        if seals is not None and self.request in SEALED:
            seal(message, seals, caller.chat, caller.callee)
        return message.SerializeToString()

    def read_request(self, payload: bytes, limits: Limits, seals: Seals | None = None) -> Request:
        """The request.  Raises `Malformed`, with every violation found."""
        return self.decode_request(parse(self.request, payload), limits, seals)

    def decode_request(
        self, message: Message, limits: Limits, seals: Seals | None = None
    ) -> Request:
        """The request in a protobuf that has been parsed.  Raises `Malformed`."""
        if seals is not None and self.request in SEALED:
            caller: common.Caller = message.caller  # type: ignore[attr-defined]
            unseal(message, seals, caller.chat_id, caller.node_id)
        check = Check(limits, seals)
        request = self.get_request(message, check)
        check.done()
        return request

    def write_reply(
        self, reply: Reply, caller: core.Caller | None = None, seals: Seals | None = None
    ) -> bytes:
        """`caller`: whoever is answered."""
        return self.put_sealed_reply(reply, caller, seals).SerializeToString()

    def put_sealed_reply(
        self, reply: Reply, caller: core.Caller | None, seals: Seals | None
    ) -> Message:
        """The same, before it is bytes."""
        message = self.put_reply(reply)
        if seals is not None and caller is not None and self.reply in SEALED:
            to = reply.member if isinstance(reply, core.Welcome) else caller.node
            chat = reply.chat if isinstance(reply, core.Welcome) else caller.chat
            seal(message, seals, chat, to)
        return message

    def read_reply(
        self,
        payload: bytes,
        limits: Limits,
        asked: core.Caller | None = None,
        seals: Seals | None = None,
    ) -> Reply:
        """The reply; `asked`: what the request said of who called whom.  Raises `Malformed`."""
        message = parse(self.reply, payload)
        is_sealed = seals is not None and self.reply in SEALED
        if seals and is_sealed and asked and not unseal(message, seals, asked.chat, asked.callee):
            raise Malformed((("sealed", "must be sealed by the member that answers"),))
        check = Check(limits)
        reply = self.get_reply(message, check)
        check.done()
        return reply


def parse(kind: type[Message], payload: bytes) -> Message:
    """The protobuf in `payload`.  Raises `Malformed` for noise."""
    try:
        return kind.FromString(payload)
    except DecodeError:
        name = kind.DESCRIPTOR.full_name
        raise Malformed((("", f"the {len(payload)} bytes are no {name}"),)) from None


METHODS: dict[type[Any], Method] = {
    core.Join: Method(
        "JoinNetwork", pb.JoinNetworkRequest, pb.JoinNetworkResponse,
        joining.put_join, joining.get_join, joining.put_entry, joining.get_entry,
    ),
    core.Leave: Method(
        "LeaveNetwork", pb.LeaveNetworkRequest, pb.LeaveNetworkResponse,
        joining.put_leave, joining.get_leave, joining.put_leave_noted, joining.get_leave_noted,
    ),
    core.Update: Method(
        "UpdateMembers", pb.UpdateMembersRequest, pb.UpdateMembersResponse,
        joining.put_update, joining.get_update, joining.put_updated, joining.get_updated,
    ),
    core.Ping: Method(
        "LivenessPing", pb.LivenessPingRequest, pb.LivenessPingResponse,
        leading.put_ping, leading.get_ping, leading.put_pong, leading.get_pong,
    ),
    core.Elect: Method(
        "Election", pb.ElectionRequest, pb.ElectionResponse,
        leading.put_elect, leading.get_elect, leading.put_elected, leading.get_elected,
    ),
    core.Coordinator: Method(
        "Coordinator", pb.CoordinatorRequest, pb.CoordinatorResponse,
        leading.put_coordinator, leading.get_coordinator,
        leading.put_followed, leading.get_followed,
    ),
    core.Tell: Method(
        "Message", pb.MessageRequest, pb.MessageResponse,
        conversation.put_tell, conversation.get_tell, talking.put_told, talking.get_told,
    ),
    core.Acks: Method(
        "Acknowledge", pb.AcknowledgeRequest, pb.AcknowledgeResponse,
        talking.put_acks, talking.get_acks, talking.put_acks_noted, talking.get_acks_noted,
    ),
    core.Sync: Method(
        "Sync", pb.SyncRequest, pb.SyncResponse,
        talking.put_sync, talking.get_sync, talking.put_synced, talking.get_synced,
    ),
}  # fmt: skip


def method_of(request: Request) -> Method:
    """The RPC that carries a request."""
    return METHODS[type(request)]
