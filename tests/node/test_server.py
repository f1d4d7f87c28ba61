"""node/rpc/server.py: no request ends the server."""

import asyncio
import logging
import resource
from collections.abc import AsyncIterator

import grpc
import pytest

from node.control.running import allow_many_files
from node.rpc import options
from node.rpc.transport import PLAIN
from node.service import build_server
from p2pchat.v1 import control_pb2 as pb
from p2pchat.v1 import control_pb2_grpc as stubs
from tests.fuzz import http2
from tests.waiting import CALL_S, WAIT_S


class Faces(stubs.ControlServicer):
    name = "p2pchat.v1.Control"

    def add_to(self, server: grpc.aio.Server) -> None:
        stubs.add_ControlServicer_to_server(self, server)

    async def GetStatus(self, request, context):
        return pb.GetStatusResponse(pid=7)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server, port = await build_server("127.0.0.1:0", [Faces()])
    await server.start()
    yield port
    await server.stop(None)


@pytest.mark.parametrize("path", [b"/\xff\xfe", b"\x80", b"/p2pchat.v1.Control/GetStatus\xc3"])
async def test_a_path_that_is_no_text_ends_nothing(port: int, path: bytes, caplog) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(http2.OPENING + http2.request(1, "", path=path) + http2.data(1, b""))
    async with asyncio.timeout(WAIT_S), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await reader.readexactly(9)
        for _ in range(3):
            answer = await stubs.ControlStub(channel).GetStatus(pb.GetStatusRequest())
            assert answer.pid == 7
    writer.close()
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_an_unknown_method_is_told_so(port: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for path in ("/p2pchat.v1.Control/Nothing", "/x", "/p2pchat.v1.Node/Message"):
            for _ in range(3):
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await channel.unary_unary(path)(b"")
                assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_many_calls_at_once_are_all_answered(port: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = stubs.ControlStub(channel)
        answers = await asyncio.gather(*(stub.GetStatus(pb.GetStatusRequest()) for _ in range(300)))
    assert {one.pid for one in answers} == {7}


def test_a_node_takes_the_files_that_it_may_have() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        allow_many_files()
        now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert now == min(hard, 16_384) if hard != resource.RLIM_INFINITY else now > 512
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---- HTTP/2 that is more than it may be ----------------------------------------------------------


async def frames(reader: asyncio.StreamReader, wait_s: float = 1.0) -> AsyncIterator[bytes]:
    """What the server says, until it says no more for a while: head and payload of each frame."""
    try:
        while True:
            async with asyncio.timeout(wait_s):
                head = await reader.readexactly(9)
                yield head + await reader.readexactly(int.from_bytes(head[:3]))
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionResetError):
        return


def settings(frame: bytes) -> dict[int, int]:
    pairs = (frame[at : at + 6] for at in range(9, len(frame), 6))
    return {int.from_bytes(one[:2]): int.from_bytes(one[2:]) for one in pairs}


async def test_one_connection_has_only_so_many_streams(port: int) -> None:
    """Who opens more than it was told has the rest of them reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path = "/p2pchat.v1.Control/GetStatus"
    begun = b"".join(http2.request(2 * n + 1, path) for n in range(options.STREAMS_MAX + 100))
    writer.write(http2.OPENING + begun)
    told: dict[int, int] = {}
    resets = 0
    async for frame in frames(reader):
        if frame[3] == http2.SETTINGS and not frame[4]:
            told = settings(frame)
            writer.write(http2.frame(http2.SETTINGS, http2.ACK))
        resets += frame[3] == http2.RST_STREAM
    assert told[3] == options.STREAMS_MAX  # MAX_CONCURRENT_STREAMS
    assert told[6] == 16 * 1024  # MAX_HEADER_LIST_SIZE
    assert resets >= 100
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer = await stubs.ControlStub(channel).GetStatus(pb.GetStatusRequest())
        assert answer.pid == 7
    writer.close()


async def test_headers_beyond_the_limit_are_refused(port: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = stubs.ControlStub(channel)
        much = (("x-much", "y" * 20_000),)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetStatus(pb.GetStatusRequest(), metadata=much)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await stub.GetStatus(pb.GetStatusRequest())).pid == 7


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_what_is_compressed_is_refused_unread(port: int, algorithm: grpc.Compression) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", compression=algorithm) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/p2pchat.v1.Control/GetStatus")(bytes(10_000))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "disabled" in str(caught.value.details())


async def test_an_answer_that_is_compressed_is_not_inflated_by_a_caller() -> None:
    """A hostile server could answer with a bomb."""
    server = grpc.aio.server(compression=grpc.Compression.Gzip)

    async def bomb(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return bytes(1_000_000)

    handlers = {"Call": grpc.unary_unary_rpc_method_handler(bomb)}
    server.add_registered_method_handlers("test", handlers)
    at = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = PLAIN.channel(f"127.0.0.1:{at}")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary("/test/Call")(b"", timeout=CALL_S)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "Compression algorithm not supported" in str(caught.value.details())
    await channel.close()
    await server.stop(None)
