"""Questions to leaders: "do you lead this chat at this epoch?"

The addresses come from clients, so they are called with care: only those that `reach` lets through,
unprivileged ports, one call per chat at a time, a short deadline, and nothing of what came back is
told to whoever caused the call.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from nds.certificates import HOST, Tls
from nds.logs import say
from nds.record import INTEGER_MAX, Answer, Ask, Epoch, Facts, Word
from nds.service.grants import Grants
from nds.service.reach import Allowance, may_call
from nds.service.statuses import DOMAIN
from p2pchat.v1 import common_pb2, node_pb2, node_pb2_grpc

QUESTION_MS = 400
LOOK_UP_MS = 200  # for a name
PROTOCOL = "1.0"  # sent with every call; nodes refuse another major
AT_ONCE_MAX = 128  # calls in the background
OPTIONS = [
    # Or a connection refused for another chat a moment ago answers for this one.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", 512 * 1024),
]
WORDS = {
    node_pb2.STANDING_LEADING: Word.LEADING,
    node_pb2.STANDING_YIELD: Word.YIELD,
}

Then = Callable[[Answer], Awaitable[object]]


class Questions:
    """Puts questions, one per chat at a time; a claim's goes before one in the background."""

    def __init__(self, build: str, tls: Tls | None, allowance: Allowance | None = None) -> None:
        """`tls` is what we show who is asked; None: connections are plain.  `allowance`: how many
        questions clients may cause.
        """
        self._build, self._tls, self._grants = build, tls, Grants(tls)
        self._allowance = allowance or Allowance()
        self._claims: set[int] = set()  # chats with a claim's question on its way
        self._background: dict[int, asyncio.Task[None]] = {}

    async def put(self, chat: int, ask: Ask) -> Answer:
        """Ask, and wait for the answer, at most 400 ms.  One at a time for each chat."""
        assert chat not in self._claims, f"two claims at once on {chat}"
        background = self._background.pop(chat, None)
        if background is not None:
            background.cancel()
        self._claims.add(chat)
        try:
            return await self._call(chat, ask)
        finally:
            self._claims.discard(chat)

    def put_later(self, chat: int, ask: Ask, then: Then) -> None:
        """Ask in the background, and hand the answer on.

        Left out where the chat is being asked already, or too many are: a renewal will ask again.
        """
        busy = chat in self._claims or chat in self._background
        if busy or len(self._background) >= AT_ONCE_MAX:
            return
        self._background[chat] = asyncio.create_task(self._later(chat, ask, then))

    async def close(self) -> None:
        """End what goes on in the background."""
        tasks = list(self._background.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _later(self, chat: int, ask: Ask, then: Then) -> None:
        try:
            await then(await self._call(chat, ask))
        except Exception:
            say("question-failed", logging.ERROR, trace=True)
        finally:
            if self._background.get(chat) is asyncio.current_task():
                del self._background[chat]

    async def _call(self, chat: int, ask: Ask) -> Answer:
        request = node_pb2.LivenessPingRequest(
            caller=common_pb2.Caller(chat_id=chat, protocol=PROTOCOL, build=self._build),
            asks_leading=common_pb2.Epoch(generation=ask.epoch.generation, n=ask.epoch.n),
            votes=ask.votes,
        )
        target = await self._target(ask)
        if not target:
            return Answer(Word.SILENT)
        try:
            async with self._channel(target, ask.certificate) as channel:
                stub = node_pb2_grpc.NodeStub(channel)
                said = await stub.LivenessPing(request, timeout=QUESTION_MS / 1000)
        except grpc.aio.AioRpcError as error:
            return Answer(_word_of(error))
        # Bytes that are no message come as None, whatever the types say.
        pong = cast("node_pb2.LivenessPingResponse | None", said)
        if pong is None or max(pong.view.epoch.n, pong.view.leader_id) > INTEGER_MAX:
            return Answer(Word.SILENT)
        epoch = Epoch(pong.view.epoch.generation, pong.view.epoch.n)
        word = WORDS.get(pong.standing, Word.NOT_LEADING)
        known = Facts(epoch=epoch, leader=pong.view.leader_id)
        looked = self._grants.looked_at(chat, known, pong.view.grant)
        return Answer(word, epoch, looked.leader, looked.is_sworn)

    async def _target(self, ask: Ask) -> str:
        """Where the leader is called; empty: nowhere."""
        if not ask.host or not self._allowance.take(ask.host):
            return ""
        host, _, port = ask.address.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOK_UP_MS / 1000):
                found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError):
            return ""
        for family, _, _, _, there in found:
            if may_call(ask.host, str(there[0])):
                # As it was looked at: nothing is looked up again.
                is_six = family == socket.AF_INET6
                return f"ipv6:[{there[0]}]:{port}" if is_six else f"ipv4:{there[0]}:{port}"
        return ""

    def _channel(self, target: str, certificate: bytes) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(target, options=OPTIONS)
        options = [*OPTIONS, ("grpc.ssl_target_name_override", HOST)]
        return grpc.aio.secure_channel(target, self._tls.client(certificate), options=options)


def _word_of(error: grpc.aio.AioRpcError) -> Word:
    """What a failed call says: nobody there, not in that chat, or nothing."""
    text = (error.details() or "").lower()
    gone = any(sign in text for sign in ("refused", "reset", "socket closed"))
    if error.code() is grpc.StatusCode.UNAVAILABLE and gone:
        return Word.REFUSED
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return Word.REFUSED  # a server, but none of ours
    return Word.NOT_LEADING if "UNKNOWN_CHAT" in _reasons(error) else Word.SILENT


def _reasons(error: grpc.aio.AioRpcError) -> set[str]:
    """The reasons in the details of a status, which may be any bytes."""
    sent = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    reasons = set()
    try:
        for detail in status_pb2.Status.FromString(bytes(sent)).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                reasons.add(info.reason)
    except (DecodeError, TypeError):
        return set()
    return reasons
