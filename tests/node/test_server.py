"""node/rpc/server.py: no request ends the server."""

import asyncio
import logging
import resource
from collections.abc import AsyncIterator

import grpc
import pytest

from node.control.running import allow_many_files
from node.service import build_server
from p2pchat.v1 import control_pb2 as pb
from p2pchat.v1 import control_pb2_grpc as stubs
from tests.fuzz import http2


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
    async with asyncio.timeout(5), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
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
