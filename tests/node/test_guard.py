"""node/rpc/guard.py: what noise and bugs look like to a caller."""

import asyncio
import logging
from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from node.service import build_server
from p2pchat.v1 import control_pb2 as pb
from p2pchat.v1 import control_pb2_grpc as stubs
from tests.waiting import WAIT_S

NOISE = b"\xff" * 40
CONTROL = "/p2pchat.v1.Control/"
UNARY = [CONTROL + "GetStatus", "/grpc.health.v1.Health/Check"]
STREAMS = [CONTROL + "Watch", "/grpc.health.v1.Health/Watch"]
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


heard, over = asyncio.Event(), asyncio.Event()


class Buggy(stubs.ControlServicer):
    name = "p2pchat.v1.Control"

    def add_to(self, server: grpc.aio.Server) -> None:
        stubs.add_ControlServicer_to_server(self, server)

    async def GetStatus(self, request, context):
        raise ValueError("a secret of the inside")

    async def GetLeader(self, request, context):
        """Hears that its caller has hung up, and has something to say all the same."""
        heard.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            task.add_done_callback(lambda _: over.set())
            await context.abort(grpc.StatusCode.NOT_FOUND, "nobody leads")

    async def Watch(self, request, context):
        yield pb.WatchResponse(chat="dev")
        raise ValueError("a secret of the inside")


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server, port = await build_server("127.0.0.1:0", [Buggy()])
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


def assert_definite(error: grpc.aio.AioRpcError) -> None:
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert any(detail.Unpack(info) for detail in status.details)
    assert (info.reason, info.domain) == ("BAD_FIELD", "p2pchat.v1")


@pytest.mark.parametrize("method", UNARY)
async def test_noise_in_a_call_gets_a_definite_error(channel, method, caplog) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(method)(NOISE)
    assert_definite(raised.value)
    assert not caplog.records


@pytest.mark.parametrize("method", STREAMS)
async def test_noise_before_a_stream_gets_a_definite_error(channel, method, caplog) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_stream(method)(NOISE).read()
    assert_definite(raised.value)
    assert not caplog.records


async def test_noise_in_a_dialogue_gets_a_definite_error(channel, caplog) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.stream_stream(REFLECTION)(iter([NOISE])).read()
    assert_definite(raised.value)
    assert not caplog.records


@pytest.mark.parametrize(
    "call",
    [
        lambda stub: stub.GetStatus(pb.GetStatusRequest()),
        lambda stub: drain(stub.Watch(pb.WatchRequest())),
    ],
    ids=["unary", "stream"],
)
async def test_a_bug_is_told_to_the_log_and_not_to_the_caller(channel, call, caplog) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(stubs.ControlStub(channel))
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (raised.value.details() or "")
    assert "a secret of the inside" in caplog.text


async def test_a_call_that_is_not_offered_is_no_bug(channel, caplog) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary("/grpc.health.v1.Health/List")(b"")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert raised.value.details() == "this node does not offer that call"
    assert not caplog.records


async def test_who_hangs_up_before_the_answer_is_no_bug(channel, caplog) -> None:
    call = stubs.ControlStub(channel).GetLeader(pb.GetLeaderRequest())
    await heard.wait()
    call.cancel()
    await asyncio.wait_for(over.wait(), WAIT_S)
    await asyncio.sleep(0)  # What the server makes of it.
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def drain(stream: AsyncIterator[pb.WatchResponse]) -> list[pb.WatchResponse]:
    return [answer async for answer in stream]
