"""The Control servicer: from a request to the node's answer.  Nothing is decided here.

What is malformed is refused with the field and its limit before the node sees it.
"""

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from enum import IntEnum
from typing import Any, TypeVar

import grpc

from p2pchat.v1 import control_pb2 as pb
from p2pchat.v1 import control_pb2_grpc as stubs

from .. import background, words
from ..core.conversation import Kind
from ..core.deciding import Act
from ..errors import BadField, Complaint
from ..happenings import KINDS, Happening, What
from ..host import asking, changing, checks, entering, inviting, listing, passwords, ruling, views
from ..host.chats import Chat, wall_ms
from ..host.nodes import Node
from ..limits import ADDRESS_MAX, NAME_MAX, NUMBER_MAX, text_fault
from ..words import Mode, Wait
from .complaints import refuse
from .values import from_proto, happening_to_proto, to_proto

PAGE_MAX = 1_000
CALLS_MAX = 200
WAIT_MAX_MS = 3_600_000
WAIT_MS = 10_000
BACK_S = 1.0  # of what a caller's deadline leaves, or half of it: for the answer's way back
WORD_MAX = NAME_MAX + 1 + ADDRESS_MAX  # name@HOST:PORT

Context = grpc.aio.ServicerContext[Any, Any]

_log = logging.getLogger(__name__)


class ControlService(stubs.ControlServicer):
    """Answers the faces of `node`; `stop` ends it."""

    name = "p2pchat.v1.Control"

    def __init__(self, node: Node, stop: Callable[[], None]) -> None:
        self._node, self._stop = node, stop

    def add_to(self, server: grpc.aio.Server) -> None:
        stubs.add_ControlServicer_to_server(self, server)

    async def _answer(self, context: Context, work: Awaitable[Any], reply: Any) -> Any:
        """`work`'s value as `reply`; a complaint as a status."""
        try:
            return to_proto(await work, reply)
        except Complaint as complaint:
            return await refuse(context, complaint)

    def _chat(self, wanted: str, *, joined: bool = True) -> Chat:
        if len(wanted) > WORD_MAX:
            raise BadField(field="chat", text=f"must be at most {WORD_MAX} characters")
        return self._node.chat(wanted) if joined else self._node.opened(wanted)

    def _chats(self, wanted: str) -> list[Chat]:
        return [self._chat(wanted)] if wanted else list(self._node.chats)

    # ---- the node --------------------------------------------------------------------------------

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> Any:
        async def work() -> words.Status:
            return self._node.status()

        return await self._answer(context, work(), pb.GetStatusResponse())

    async def Diagnose(self, request: pb.DiagnoseRequest, context: Context) -> Any:
        return await self._answer(context, checks.diagnose(self._node), pb.DiagnoseResponse())

    async def ListCalls(self, request: pb.ListCallsRequest, context: Context) -> Any:
        async def work() -> words.Calls:
            count = _counted(request.count, "count", CALLS_MAX, 20)
            is_secured = self._node.transport.is_secured
            return words.Calls(
                keys=str(self._node.places.data) if is_secured else "",
                calls=tuple(
                    words.CallMade(
                        at_ms=row.at_ms,
                        method=row.path.removeprefix("/"),
                        address=row.address,
                        request_json=row.json(),
                        status=row.status,
                        took_ms=row.took_us // 1_000,
                    )
                    for row in self._node.calls.rows()[-count:]
                ),
            )

        return await self._answer(context, work(), pb.ListCallsResponse())

    async def StopNode(self, request: pb.StopNodeRequest, context: Context) -> Any:
        async def work() -> words.Stopping:
            nds_pid = background.stop_nds(self._node.places) if request.all else 0
            self._stop()
            return words.Stopping(self._node.status().pid, nds_pid)

        return await self._answer(context, work(), pb.StopNodeResponse())

    # ---- coming and going ------------------------------------------------------------------------

    async def CreateChat(self, request: pb.CreateChatRequest, context: Context) -> Any:
        async def work() -> words.Created:
            mode = _one_of(Mode, request.mode, "mode", Mode.LOGGED)
            return await entering.create(
                self._node,
                request.name,
                request.nds,
                request.nick,
                mode,
                is_open=request.open,
                hides_history=request.hides_history,
                password=passwords.key_of(from_proto(words.PasswordKey, request.password)),
            )

        return await self._answer(context, work(), pb.CreateChatResponse())

    async def JoinChat(self, request: pb.JoinChatRequest, context: Context) -> Any:
        async def work() -> words.Admitted:
            key = passwords.key_of(from_proto(words.PasswordKey, request.password))
            return await entering.join(
                self._node,
                request.line,
                request.nds,
                request.nick,
                by_password=request.by_password or key is not None,
                password=key,
            )

        return await self._answer(context, work(), pb.JoinChatResponse())

    async def LeaveChat(self, request: pb.LeaveChatRequest, context: Context) -> Any:
        async def work() -> words.Departure:
            return await self._node.leave(self._chat(request.chat, joined=False))

        return await self._answer(context, work(), pb.LeaveChatResponse())

    async def Invite(self, request: pb.InviteRequest, context: Context) -> Any:
        async def work() -> words.Invitation:
            expires_s = None if request.lasting else request.expires_s or inviting.DAY_S
            chat = self._chat(request.chat)
            return await inviting.invite(self._node, chat, once=request.once, expires_s=expires_s)

        return await self._answer(context, work(), pb.InviteResponse())

    async def ListInvites(self, request: pb.ListInvitesRequest, context: Context) -> Any:
        async def work() -> words.Invites:
            return inviting.listed(self._node, self._chat(request.chat))

        return await self._answer(context, work(), pb.ListInvitesResponse())

    async def RevokeInvite(self, request: pb.RevokeInviteRequest, context: Context) -> Any:
        async def work() -> words.Nothing:
            await inviting.revoke(self._chat(request.chat), request.id)
            return words.Nothing()

        return await self._answer(context, work(), pb.RevokeInviteResponse())

    async def SetPassword(self, request: pb.SetPasswordRequest, context: Context) -> Any:
        async def work() -> words.Nothing:
            key = passwords.key_of(from_proto(words.PasswordKey, request.password))
            await passwords.set_password(self._node, self._chat(request.chat), key)
            return words.Nothing()

        return await self._answer(context, work(), pb.SetPasswordResponse())

    async def ListNetworks(self, request: pb.ListNetworksRequest, context: Context) -> Any:
        work = listing.networks(self._node, request.nds)
        return await self._answer(context, work, pb.ListNetworksResponse())

    # ---- a chat ----------------------------------------------------------------------------------

    async def ListMembers(self, request: pb.ListMembersRequest, context: Context) -> Any:
        async def work() -> words.Members:
            return views.members(self._chat(request.chat), request.all)

        return await self._answer(context, work(), pb.ListMembersResponse())

    async def GetLeader(self, request: pb.GetLeaderRequest, context: Context) -> Any:
        async def work() -> words.Leader:
            return views.leader(self._chat(request.chat))

        return await self._answer(context, work(), pb.GetLeaderResponse())

    async def ListPeers(self, request: pb.ListPeersRequest, context: Context) -> Any:
        async def work() -> words.Peers:
            figures = self._node.links.figures
            rows = [row for one in self._chats(request.chat) for row in views.peers(one, figures)]
            return words.Peers(tuple(rows))

        return await self._answer(context, work(), pb.ListPeersResponse())

    async def PingMembers(self, request: pb.PingMembersRequest, context: Context) -> Any:
        async def work() -> words.Pings:
            chat, wait_s = self._chat(request.chat), _wait_s(context.time_remaining())
            return await asking.ping(self._node, chat, request.member, wait_s)

        return await self._answer(context, work(), pb.PingMembersResponse())

    async def Edit(self, request: pb.EditRequest, context: Context) -> Any:
        async def work() -> words.Changed:
            id = _id(request.id)
            return words.Changed(await changing.edit(self._chat(request.chat), id, request.text))

        return await self._answer(context, work(), pb.EditResponse())

    async def Redact(self, request: pb.RedactRequest, context: Context) -> Any:
        async def work() -> words.Changed:
            id = _id(request.id)
            return words.Changed(await changing.redact(self._chat(request.chat), id))

        return await self._answer(context, work(), pb.RedactResponse())

    async def ReadHistory(self, request: pb.ReadHistoryRequest, context: Context) -> Any:
        async def work() -> words.Page:
            return views.page(
                self._chat(request.chat),
                count=_counted(request.count, "count", PAGE_MAX, 20),
                since_ms=_counted(request.since_ms, "since_ms", NUMBER_MAX, 0),
                before=request.before,
                after=request.after,
                contains=request.contains,
            )

        return await self._answer(context, work(), pb.ReadHistoryResponse())

    async def TraceMessage(self, request: pb.TraceMessageRequest, context: Context) -> Any:
        async def work() -> words.Tracing:
            return views.trace(self._chat(request.chat), _id(request.id))

        return await self._answer(context, work(), pb.TraceMessageResponse())

    async def GetUnread(self, request: pb.GetUnreadRequest, context: Context) -> Any:
        async def work() -> words.Unread:
            shown = [views.chat(one) for one in self._chats(request.chat)]
            return words.Unread(sum(x.unread for x in shown), sum(x.mentions for x in shown))

        return await self._answer(context, work(), pb.GetUnreadResponse())

    async def MarkRead(self, request: pb.MarkReadRequest, context: Context) -> Any:
        async def work() -> words.Nothing:
            self._chat(request.chat).archive.mark_read()
            return words.Nothing()

        return await self._answer(context, work(), pb.MarkReadResponse())

    async def ListElections(self, request: pb.ListElectionsRequest, context: Context) -> Any:
        async def work() -> words.Elections:
            return words.Elections(self._chat(request.chat).elections.last(wall_ms()))

        return await self._answer(context, work(), pb.ListElectionsResponse())

    async def StartElection(self, request: pb.StartElectionRequest, context: Context) -> Any:
        async def work() -> words.Outcome:
            return await asking.challenge(self._node, self._chat(request.chat))

        return await self._answer(context, work(), pb.StartElectionResponse())

    async def CheckHistory(self, request: pb.CheckHistoryRequest, context: Context) -> Any:
        async def work() -> words.Comparison:
            return await asking.check(
                self._node, self._chat(request.chat), _wait_s(context.time_remaining())
            )

        return await self._answer(context, work(), pb.CheckHistoryResponse())

    async def ListQueue(self, request: pb.ListQueueRequest, context: Context) -> Any:
        async def work() -> words.Queue:
            rows = [row for one in self._chats(request.chat) for row in views.queue(one)]
            return words.Queue(tuple(rows))

        return await self._answer(context, work(), pb.ListQueueResponse())

    async def SetNick(self, request: pb.SetNickRequest, context: Context) -> Any:
        async def work() -> words.NickSet:
            chats, everywhere = self._chats(request.chat), not request.chat
            return await asking.set_nick(self._node, chats, request.nick, everywhere)

        return await self._answer(context, work(), pb.SetNickResponse())

    async def SetAway(self, request: pb.SetAwayRequest, context: Context) -> Any:
        async def work() -> words.Nothing:
            await asking.set_away(self._chats(request.chat), request.away)
            return words.Nothing()

        return await self._answer(context, work(), pb.SetAwayResponse())

    async def SetTopic(self, request: pb.SetTopicRequest, context: Context) -> Any:
        async def work() -> words.Nothing:
            await asking.set_topic(self._chat(request.chat), request.topic)
            return words.Nothing()

        return await self._answer(context, work(), pb.SetTopicResponse())

    async def Decide(self, request: pb.DecideRequest, context: Context) -> Any:
        async def work() -> words.NickSet:
            chat = self._chat(request.chat)
            act = _one_of(Act, request.act, "act", None)
            return words.NickSet(await ruling.decide(chat, act, request.member, request.value))

        return await self._answer(context, work(), pb.DecideResponse())

    # ---- streams ---------------------------------------------------------------------------------

    async def Send(
        self, request: pb.SendRequest, context: Context
    ) -> AsyncIterator[pb.SendResponse]:
        try:
            chat = self._chat(request.chat)
            if fault := text_fault(request.text):
                raise BadField(field="text", text=fault)
            if request.wait_ms > WAIT_MAX_MS:
                limit = f"must be 0 to {WAIT_MAX_MS}, not {request.wait_ms}"
                raise BadField(field="wait_ms", text=limit)
            kind = Kind(_one_of(words.Kind, request.kind, "kind", words.Kind.TEXT))
            wait = _one_of(Wait, request.wait, "wait", Wait.ALL)
            wait_ms = request.wait_ms or WAIT_MS
            async for progress in chat.send(request.text, kind, wait, wait_ms):
                reply = pb.SendResponse()
                to_proto(progress, reply)
                yield reply
        except Complaint as complaint:
            await refuse(context, complaint)

    async def Watch(
        self, request: pb.WatchRequest, context: Context
    ) -> AsyncIterator[pb.WatchResponse]:
        watcher = None
        try:
            chats = self._chats(request.chat)
            count = _counted(request.history, "history", PAGE_MAX, 0)
            kinds = _kinds(request.kinds)
            watcher = self._node.hub.add(chats[0].group.chat if request.chat else 0, kinds)
            past = self._past(chats, count)
            # From now on nothing is missed, and what is said from now on is no past line.
            await context.send_initial_metadata(())
            self._node.tell_lost()
            shown: set[tuple[int, str]] = set()
            for happening in past:
                what = happening.what
                assert isinstance(what, words.Line), f"{what} is no line"
                shown.add((what.source_id, what.msg_id))
                yield happening_to_proto(happening)
            async for happening in watcher.happenings():
                what = happening.what
                if isinstance(what, words.Line) and (what.source_id, what.msg_id) in shown:
                    continue
                yield happening_to_proto(happening)
        except Complaint as complaint:
            await refuse(context, complaint)
        finally:
            if watcher is not None:
                self._node.hub.remove(watcher)

    def _past(self, chats: list[Chat], count: int) -> list[Happening]:
        if not count:
            return []
        return [
            Happening(line, one.name, one.group.chat, line.epoch, line.sent_ms)
            for one in chats
            for line in views.page(one, count=count).lines
        ]


_Choice = TypeVar("_Choice", bound=IntEnum)


def _one_of(kind: type[_Choice], value: int, field: str, default: _Choice | None) -> _Choice:
    """The choice that the caller made; 0 leaves it to us, where there is a default."""
    if not value and default is not None:
        return default
    if value not in set(map(int, kind)):
        choices = ", ".join(str(int(one)) for one in kind)
        raise BadField(field=field, text=f"must be one of {choices}, not {value}")
    return kind(value)


def _wait_s(left_s: float | None) -> float:
    """So long members may take whom a caller with `left_s` wants asked: it hears who is silent."""
    return math.inf if left_s is None else left_s - min(BACK_S, left_s / 2)


def _id(text: str) -> str:
    """The digits of a line's id, or of its beginning; empty where none was given."""
    digits = text.replace("-", "")
    hexadecimal = all(digit in "0123456789abcdefABCDEF" for digit in digits)
    if digits and not (4 <= len(digits) <= 32 and hexadecimal):
        raise BadField(field="id", text=f"must be 4 to 32 hex digits, not {text!r}")
    return digits.lower()


def _kinds(names: Sequence[str]) -> list[type[What]]:
    """The kinds of happenings that the caller named."""
    for i, name in enumerate(names):
        if name not in KINDS:
            text = f"must be one of {', '.join(KINDS)}, not {name!r}"
            raise BadField(field=f"kinds[{i}]", text=text)
    return [KINDS[name] for name in names]


def _counted(value: int, field: str, most: int, default: int) -> int:
    if value > most:
        raise BadField(field=field, text=f"must be at most {most}, not {value}")
    return value or default
