"""The client of the control service: the one file of the faces that speaks gRPC.

Every method gives plain values of `node.words` or raises a `Complaint` that can be shown as it is.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import grpc

from p2pchat.v1 import common_pb2 as common
from p2pchat.v1 import control_pb2 as pb
from p2pchat.v1 import control_pb2_grpc as rpc

from .. import errors, words
from ..control.complaints import from_error
from ..control.values import from_proto, happening_from_proto, to_proto
from ..happenings import Happening
from ..limits import TEXT_MAX, text_fault

V = TypeVar("V")

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 16 * 2**20),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
)
UNREACHED = "failed to connect"  # in what gRPC says of a call that never got anywhere
LONGER_S = 5.0  # joining, leaving and the like wait for others before they answer


class Client:
    """A connection to the node of a profile.  `async with Client(...) as node:`"""

    def __init__(self, socket: Path, *, profile: str, log: Path, timeout: float) -> None:
        """Nothing is called yet.

        Args:
            socket: the node's control socket.
            profile: named in complaints.
            log: the node's log file, named in complaints.
            timeout: seconds that every call may take.
        """
        self._path, self._profile, self._log, self._timeout = socket, profile, log, timeout

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(f"unix:{self._path}", options=OPTIONS)
        self._stub: Any = rpc.ControlStub(self._channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    def _complain(self, error: grpc.aio.AioRpcError) -> errors.Complaint:
        if told := from_error(error):
            return told
        match error.code():
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return errors.NodeDown(profile=self._profile)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return errors.NodeSilent(
                    profile=self._profile, seconds=f"{self._timeout:g}", log=self._log
                )
            case grpc.StatusCode.UNIMPLEMENTED:
                return errors.VersionMismatch(text="the running node does not know this request")
            case code:
                details = " ".join((error.details() or "").split())
                return errors.Complaint(text=f"the node failed: {code.name}: {details}")

    async def _ask(self, name: str, kind: type[V], request: Any, more: float = 0.0) -> V:
        try:
            reply = await getattr(self._stub, name)(request, timeout=self._timeout + more)
        except grpc.aio.AioRpcError as error:
            raise self._complain(error) from error
        return from_proto(kind, reply)

    # ---- the node --------------------------------------------------------------------------------

    async def status(self) -> words.Status:
        return await self._ask("GetStatus", words.Status, pb.GetStatusRequest())

    async def stop(self, everything: bool = False) -> words.Stopping:
        request = pb.StopNodeRequest(all=everything)
        return await self._ask("StopNode", words.Stopping, request)

    async def diagnose(self) -> words.Diagnosis:
        return await self._ask("Diagnose", words.Diagnosis, pb.DiagnoseRequest(), LONGER_S)

    async def calls(self, count: int = 20) -> words.Calls:
        return await self._ask("ListCalls", words.Calls, pb.ListCallsRequest(count=count))

    # ---- coming and going ------------------------------------------------------------------------

    async def create(
        self,
        name: str,
        nds: str = "",
        nick: str = "",
        mode: words.Mode = words.Mode.LOGGED,
        is_open: bool = False,
        password: words.PasswordKey = words.PasswordKey(),  # noqa: B008  frozen
        hides_history: bool = False,
    ) -> words.Created:
        kept: Any = int(mode)
        request = pb.CreateChatRequest(name=name, nds=nds, nick=nick, mode=kept, open=is_open)
        request.hides_history = hides_history
        to_proto(password, request.password)
        return await self._ask("CreateChat", words.Created, request, LONGER_S)

    async def join(
        self,
        line: str,
        nds: str = "",
        nick: str = "",
        by_password: bool = False,
        password: words.PasswordKey = words.PasswordKey(),  # noqa: B008  frozen
    ) -> words.Admitted:
        request = pb.JoinChatRequest(line=line, nds=nds, nick=nick, by_password=by_password)
        to_proto(password, request.password)
        return await self._ask("JoinChat", words.Admitted, request, LONGER_S)

    async def leave(self, chat: str) -> words.Departure:
        request = pb.LeaveChatRequest(chat=chat)
        return await self._ask("LeaveChat", words.Departure, request, LONGER_S)

    async def invite(
        self, chat: str, once: bool = False, expires_s: int = 0, lasting: bool = False
    ) -> words.Invitation:
        request = pb.InviteRequest(chat=chat, once=once, expires_s=expires_s, lasting=lasting)
        return await self._ask("Invite", words.Invitation, request)

    async def invites(self, chat: str) -> words.Invites:
        return await self._ask("ListInvites", words.Invites, pb.ListInvitesRequest(chat=chat))

    async def revoke_invite(self, chat: str, id: str) -> None:
        request = pb.RevokeInviteRequest(chat=chat, id=id)
        await self._ask("RevokeInvite", words.Nothing, request)

    async def set_password(self, chat: str, password: words.PasswordKey) -> None:
        request = pb.SetPasswordRequest(chat=chat)
        to_proto(password, request.password)
        await self._ask("SetPassword", words.Nothing, request)

    async def networks(self, nds: str = "") -> words.Networks:
        return await self._ask("ListNetworks", words.Networks, pb.ListNetworksRequest(nds=nds))

    # ---- a chat ----------------------------------------------------------------------------------

    async def members(self, chat: str, everyone: bool = False) -> words.Members:
        request = pb.ListMembersRequest(chat=chat, all=everyone)
        return await self._ask("ListMembers", words.Members, request)

    async def leader(self, chat: str) -> words.Leader:
        return await self._ask("GetLeader", words.Leader, pb.GetLeaderRequest(chat=chat))

    async def peers(self, chat: str) -> words.Peers:
        return await self._ask("ListPeers", words.Peers, pb.ListPeersRequest(chat=chat))

    async def ping(self, chat: str, member: str = "") -> words.Pings:
        request = pb.PingMembersRequest(chat=chat, member=member)
        return await self._ask("PingMembers", words.Pings, request)

    async def history(
        self,
        chat: str,
        *,
        count: int = 20,
        since_ms: int = 0,
        before: str = "",
        after: str = "",
        contains: str = "",
    ) -> words.Page:
        """A page of at most 1,000 lines, oldest first: the last ones, or those next to a place.

        Its `cursor` is the next one's `before`; with `after`, its `after_cursor` the next `after`.
        """
        request = pb.ReadHistoryRequest(
            chat=chat,
            count=count,
            since_ms=since_ms,
            before=before,
            after=after,
            contains=contains,
        )
        return await self._ask("ReadHistory", words.Page, request)

    async def edit(self, chat: str, id: str, text: str) -> words.Line:
        """Put a text in the place of an own line; with no id, of the last one."""
        if (size := len(text.encode("utf-8", "surrogatepass"))) > TEXT_MAX:
            raise errors.TooLong(size=size, limit=TEXT_MAX)
        if fault := text_fault(text):
            raise errors.BadField(field="text", text=fault)
        request = pb.EditRequest(chat=chat, id=id, text=text)
        return (await self._ask("Edit", words.Changed, request)).line

    async def redact(self, chat: str, id: str) -> words.Line:
        request = pb.RedactRequest(chat=chat, id=id)
        return (await self._ask("Redact", words.Changed, request)).line

    async def trace(self, chat: str, id: str = "") -> words.Tracing:
        request = pb.TraceMessageRequest(chat=chat, id=id)
        return await self._ask("TraceMessage", words.Tracing, request)

    async def unread(self, chat: str = "") -> words.Unread:
        return await self._ask("GetUnread", words.Unread, pb.GetUnreadRequest(chat=chat))

    async def mark_read(self, chat: str) -> None:
        await self._ask("MarkRead", words.Nothing, pb.MarkReadRequest(chat=chat))

    async def elections(self, chat: str) -> words.Elections:
        return await self._ask("ListElections", words.Elections, pb.ListElectionsRequest(chat=chat))

    async def start_election(self, chat: str) -> words.Outcome:
        request = pb.StartElectionRequest(chat=chat)
        return await self._ask("StartElection", words.Outcome, request, LONGER_S)

    async def check(self, chat: str) -> words.Comparison:
        request = pb.CheckHistoryRequest(chat=chat)
        return await self._ask("CheckHistory", words.Comparison, request)

    async def queue(self, chat: str = "") -> words.Queue:
        return await self._ask("ListQueue", words.Queue, pb.ListQueueRequest(chat=chat))

    async def set_nick(self, nick: str, chat: str = "") -> words.NickSet:
        request = pb.SetNickRequest(chat=chat, nick=nick)
        return await self._ask("SetNick", words.NickSet, request)

    async def set_away(self, away: str, chat: str = "") -> None:
        request = pb.SetAwayRequest(chat=chat, away=away)
        await self._ask("SetAway", words.Nothing, request)

    async def set_topic(self, chat: str, topic: str) -> None:
        request = pb.SetTopicRequest(chat=chat, topic=topic)
        await self._ask("SetTopic", words.Nothing, request)

    async def decide(self, chat: str, act: str, member: str = "", value: str = "") -> words.NickSet:
        """Decides as owner or admin; gives the name of whom it is about.

        Args:
            chat: where.
            act: kick, ban, unban, op, deop, owner; or invites and topic, the rights.
            member: about whom.
            value: of a right: admins or all.
        """
        decided: Any = common.Act.Value(f"ACT_{act.upper()}")
        request = pb.DecideRequest(chat=chat, act=decided, member=member, value=value)
        return await self._ask("Decide", words.NickSet, request)

    # ---- streams ---------------------------------------------------------------------------------

    async def send(
        self,
        chat: str,
        text: str,
        *,
        kind: words.Kind = words.Kind.TEXT,
        wait: words.Wait = words.Wait.ALL,
        wait_ms: int = 0,
    ) -> AsyncIterator[words.Progress]:
        """Stores a line, then tells how far it has come; the last one has `done`.

        A text that is too long is refused here: more than a call may carry never gets to the node.
        Where the node ends meanwhile, NodeLost says what is known of the line.
        """
        if (size := len(text.encode("utf-8", "surrogatepass"))) > TEXT_MAX:
            raise errors.TooLong(size=size, limit=TEXT_MAX)
        if fault := text_fault(text):
            raise errors.BadField(field="text", text=fault)
        request = pb.SendRequest(
            chat=chat,
            text=text,
            kind=cast(Any, int(kind)),
            wait=cast(Any, int(wait)),
            wait_ms=wait_ms,
        )
        limit = (wait_ms or 10_000) / 1000 + self._timeout
        last = words.Progress()
        try:
            async for one in self._stub.Send(request, timeout=limit):
                yield (last := from_proto(words.Progress, one))
        except grpc.aio.AioRpcError as error:
            complaint = self._complain(error)
            if isinstance(complaint, errors.NodeDown) and (fate := _fate(error, last)):
                complaint = errors.NodeLost(profile=self._profile, text=fate)
            raise complaint from error

    async def watch(
        self,
        chat: str = "",
        history: int = 0,
        *,
        kinds: Sequence[str] = (),
        ready: Callable[[], None] | None = None,
    ) -> AsyncIterator[Happening]:
        """Everything that happens, until the caller goes away or the node does (NodeDown).

        `kinds` names those of `happenings.KINDS` that are wanted; none for all.
        `ready` is called once the node watches: what is asked of it from then on, and what comes
        here, leave no gap between them.
        """
        call = self._stub.Watch(pb.WatchRequest(chat=chat, history=history, kinds=kinds))
        try:
            await call.initial_metadata()
            if ready is not None and not call.done():
                ready()
            async for one in call:
                if happening := happening_from_proto(one):
                    yield happening
        except grpc.aio.AioRpcError as error:
            raise self._complain(error) from error
        finally:
            call.cancel()


def _fate(error: grpc.aio.AioRpcError, last: words.Progress) -> str:
    """What became of a line whose node has ended; empty where none was there to begin with."""
    if last.id:
        return f"It has stored the line ({last.id}), and sends it on as soon as it is up again."
    if UNREACHED in (error.details() or ""):
        return ""
    return "Whether it has stored the line is not known; 'p2pchat tail' tells once it is up again."
