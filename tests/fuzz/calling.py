"""One case on its way: its payloads as they are, and how the call ended."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from msgspec.structs import replace

from node.codec import method_of
from node.core.admission import wish
from node.core.messages import Caller, Join
from node.core.types import NO_EPOCH
from node.trust import keys
from node.trust.certificates import Tls
from tests.fuzz.rpcs import Rpc

CALL_S = 20.0
ANSWERS_MAX = 8  # of a stream that goes on
STREAM_S = 0.05  # then it has said what it had to say
OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.max_receive_message_length", 64 * 2**20),
    ("grpc.max_send_message_length", -1),  # it is the server that refuses
)
OK = "OK"
CUT = "CUT"  # we ended a stream that would have gone on
OURS = "Internal error from Core"  # what grpc.aio says of a write after the other end's last word


@dataclass(frozen=True)
class Case:
    """What is sent, and what may come of it."""

    rpc: Rpc
    seed: int
    server: str  # whose port or socket
    payloads: tuple[bytes, ...]  # several where the call streams requests
    scene: str = ""  # the chat that it concerns, for people
    kind: str = ""  # of caller
    manner: str = "whole"
    may_be_heard: bool = True
    may_count: bool = True  # once it is heard
    ends: bool = False  # by itself: waited for, however busy the machine is

    def __str__(self) -> str:
        said = f"{self.rpc.name} SEED={self.seed} to {self.server}"
        parts = [part for part in (self.scene, self.kind, self.manner) if part]
        size = sum(map(len, self.payloads))
        return f"{said} ({', '.join(parts)}, {size} bytes {self.payloads[0][:60].hex()})"


@dataclass(frozen=True)
class Ending:
    """How a call ended."""

    code: str
    text: str = ""
    details: bytes = b""  # of grpc-status-details-bin
    answers: tuple[bytes, ...] = field(default=(), repr=False)
    took_s: float = 0.0

    @property
    def heard(self) -> bool:
        return self.code in (OK, CUT)


async def call(channel: grpc.aio.Channel, case: Case) -> Ending:
    """Makes the call, and waits for its end or for as much of a stream as there is."""
    began = time.monotonic()
    answers: list[bytes] = []
    code, text, details = OK, "", b""
    try:
        if not (case.rpc.streams_in or case.rpc.streams_out):
            method: Any = channel.unary_unary(case.rpc.path)
            answers.append(await method(case.payloads[0], timeout=CALL_S))
        elif not await _read(channel, case, answers):
            code = CUT
    except grpc.aio.AioRpcError as error:
        code, text = error.code().name, error.details() or ""
        if case.rpc.streams_in and text == OURS:
            return Ending(CUT, took_s=time.monotonic() - began)
        trailing = dict(error.trailing_metadata() or ())
        details = bytes(trailing.get("grpc-status-details-bin", b""))
    return Ending(code, text, details, tuple(answers), time.monotonic() - began)


async def _read(channel: grpc.aio.Channel, case: Case, answers: list[bytes]) -> bool:
    """Reads a stream; False where it was cut before its end."""
    method: Any
    if case.rpc.streams_in:
        method = channel.stream_stream(case.rpc.path)
        stream = method(_each(case.payloads), timeout=CALL_S)
    else:
        method = channel.unary_stream(case.rpc.path)
        stream = method(case.payloads[0], timeout=CALL_S)
    try:
        while len(answers) < ANSWERS_MAX:
            goes_on = not (case.ends or (case.rpc.streams_in and not answers))
            async with asyncio.timeout(STREAM_S if goes_on else CALL_S):
                answer = await stream.read()
            if answer is grpc.aio.EOF:
                return True
            answers.append(answer)
    except TimeoutError:
        return False
    finally:
        stream.cancel()
    return False


async def _each(payloads: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for payload in payloads:
        yield payload


def wants_in(chat: int, nick: str, address: str, tls: Tls) -> bytes:
    """The request of somebody new, who has signed it."""
    own = keys.make(tls)
    join = Join(Caller(chat, 0, 1, NO_EPOCH), "", own.identity, nick, address, 0)
    join = replace(join, word=own.signing.sign(wish(join)))
    return method_of(join).write_request(join)
