"""Tries node/service.py: which group is meant, and what callers with bad input are told."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from node import service
from node.codec import METHODS, method_of
from node.core import messages as core
from node.core.messages import Caller, Ping, Refusal, Request, Told
from node.core.reasons import Reason
from node.core.types import NO_EPOCH, Epoch
from node.errors import PortInUse
from node.rpc import Mismatched
from node.rpc.options import grpc
from node.rpc.transport import PLAIN, Transport
from node.runner import Unanswered
from node.service import Desk, NodeService, build_server
from tests.node.holder import Holder
from tests.node.village import Answerer
from tests.node.wire_values import CALLER, EXAMPLES, ID, JOIN, TELL, VIEW
from tests.waiting import CALL_S, WAIT_S

TOLD = Told(core.Receipt.STORED, ID, 1_000_001)
PONG = core.Pong(core.Standing.NOT_LEADING, VIEW)


class Group(Answerer):
    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[Request] = []
        self.callers: list[bytes | None] = []
        self.outcome: Any = TOLD
        self.cancelled = asyncio.Event()

    async def answer(self, request: Request, certificate: bytes | None) -> Any:
        self.seen.append(request)
        self.callers.append(certificate)
        if self.outcome is None:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Node:
    """Three groups behind one server: #tea (chat 7), #rum (chat 8), and one that is joining."""

    def __init__(self) -> None:
        self.tea, self.rum, self.newcomer = Group("tea"), Group("rum"), Group("newcomer")
        self.stranger = True
        self.members: set[bytes] = set()
        self.registries: set[bytes] = set()

    def by_chat(self, chat: int) -> Group | None:
        return {7: self.tea, 8: self.rum}.get(chat)

    def by_name(self, name: str) -> Group | None:
        return {"tea": self.tea, "rum": self.rum}.get(name)

    def joining(self) -> Group | None:
        return self.newcomer if self.stranger else None

    def knows(self, certificate: bytes) -> bool:
        return certificate in self.members

    def is_registry(self, certificate: bytes) -> bool:
        return certificate in self.registries


class Unlinked:
    """Takes no link."""

    async def accept(self, frames: object, write: object, certificate: object) -> None:
        raise Mismatched("0.1")


def serving(node: Node, transport: Transport = PLAIN) -> NodeService:
    return NodeService(Desk(node), Unlinked(), transport)


@pytest.fixture
async def node() -> Node:
    return Node()


@pytest.fixture
async def channel(node: Node) -> AsyncIterator[grpc.aio.Channel]:
    server, port = await build_server("127.0.0.1:0", [serving(node)])
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as made:
        yield made
    await server.stop(None)


async def send(channel: grpc.aio.Channel, request: Request) -> Any:
    method = method_of(request)
    return await raw(channel, method.path, method.write_request(request))


async def raw(channel: grpc.aio.Channel, path: str, payload: bytes) -> bytes:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
    return await method(payload, timeout=CALL_S)


async def error_of(channel: grpc.aio.Channel, path: str, payload: bytes) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(channel, path, payload)
    return caught.value


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    assert details_of(error).details[0].Unpack(info)
    return info


def details_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    metadata = dict(error.trailing_metadata() or ())
    return status_pb2.Status.FromString(metadata["grpc-status-details-bin"])  # type: ignore[arg-type]


def violations_of(error: grpc.aio.AioRpcError) -> dict[str, str]:
    bad = error_details_pb2.BadRequest()
    assert details_of(error).details[1].Unpack(bad)
    return {violation.field: violation.description for violation in bad.field_violations}


# ---- which group -------------------------------------------------------------------------------


async def test_a_request_goes_to_the_group_of_its_chat(node: Node, channel: Any) -> None:
    assert await send(channel, TELL)
    other = core.Tell(Caller(8, 1_000_002, 5, NO_EPOCH), 1_000_001, TELL.messages)
    assert await send(channel, other)
    assert (node.tea.seen, node.rum.seen) == ([TELL], [other])


async def test_who_knows_only_the_name_finds_the_group_by_it(node: Node, channel: Any) -> None:
    by_name = core.Join(Caller(0, 0, 5, NO_EPOCH), "rum", b"i" * 32, "bob", "h:5", 1)
    node.rum.outcome = core.Refusal(Reason.NO_IDS)
    error = await error_of(channel, METHODS[core.Join].path, method_of(JOIN).write_request(by_name))
    assert info_of(error).reason == Reason.NO_IDS
    assert node.rum.seen == [by_name]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
async def test_another_chat_is_unknown(node: Node, channel: Any, example: Request) -> None:
    method = method_of(example)
    message: Any = method.put_request(example)
    message.caller.chat_id = 99
    if isinstance(example, core.Tell):
        message.chat_id = 99
    error = await error_of(channel, method.path, message.SerializeToString())
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert info_of(error).reason == Reason.UNKNOWN_CHAT
    assert [*node.tea.seen, *node.rum.seen, *node.newcomer.seen] == []


async def test_a_leader_that_calls_a_joiner_back_reaches_it(node: Node, channel: Any) -> None:
    node.newcomer.outcome = PONG
    call_back = Ping(Caller(99, 1_000_001, 5, NO_EPOCH), VIEW)
    assert await send(channel, call_back)
    assert node.newcomer.seen == [call_back]
    node.stranger = False
    error = await error_of(channel, METHODS[Ping].path, METHODS[Ping].write_request(call_back))
    assert info_of(error).reason == Reason.UNKNOWN_CHAT


async def test_a_ping_that_means_somebody_else_does_not_reach_a_joiner(
    node: Node, channel: Any
) -> None:
    for_a_member = Ping(Caller(99, 1_000_001, 5, NO_EPOCH, callee=1_000_002), VIEW)
    error = await error_of(channel, METHODS[Ping].path, METHODS[Ping].write_request(for_a_member))
    assert info_of(error).reason == Reason.UNKNOWN_CHAT
    assert node.newcomer.seen == []


async def test_the_registry_is_told_that_the_chat_is_unknown(node: Node, channel: Any) -> None:
    question = Ping(Caller(99, 0, 0, NO_EPOCH), None, asks_leading=Epoch(1, 1))
    error = await error_of(channel, METHODS[Ping].path, METHODS[Ping].write_request(question))
    assert info_of(error).reason == Reason.UNKNOWN_CHAT
    assert node.newcomer.seen == []


# ---- what is answered --------------------------------------------------------------------------


async def test_a_refusal_carries_its_reason_and_facts(node: Node, channel: Any) -> None:
    node.tea.outcome = Refusal(Reason.NOT_LEADER, "ask anna", 1_000_001, "h:5", Epoch(9, 4))
    error = await error_of(channel, METHODS[core.Join].path, method_of(JOIN).write_request(JOIN))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "ask anna"
    info = info_of(error)
    assert (info.reason, info.domain) == ("NOT_LEADER", "p2pchat.v1")
    assert dict(info.metadata) == {
        "leader_id": "1000001",
        "leader_address": "h:5",
        "epoch": "9.4",
    }


async def test_a_group_that_never_answers_is_given_up(
    node: Node, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ANSWER_S", 0.05)
    node.tea.outcome = None
    error = await error_of(channel, METHODS[core.Tell].path, method_of(TELL).write_request(TELL))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details() == "the group gave no answer"
    await asyncio.wait_for(node.tea.cancelled.wait(), WAIT_S)


async def test_the_callers_own_deadline_counts(node: Node, channel: Any) -> None:
    node.tea.outcome = None
    method = channel.unary_unary(METHODS[core.Tell].path)
    with pytest.raises(grpc.aio.AioRpcError):
        await method(method_of(TELL).write_request(TELL), timeout=0.05)
    await asyncio.wait_for(node.tea.cancelled.wait(), WAIT_S)


async def test_a_caller_that_hangs_up_is_forgotten(node: Node, channel: Any) -> None:
    node.tea.outcome = None
    call = channel.unary_unary(METHODS[core.Tell].path)(method_of(TELL).write_request(TELL))
    while not node.tea.seen:  # noqa: ASYNC110  the server runs on this loop
        await asyncio.sleep(0.001)
    call.cancel()
    await asyncio.wait_for(node.tea.cancelled.wait(), WAIT_S)


async def test_a_group_that_has_stopped_says_nothing_definite(node: Node, channel: Any) -> None:
    node.tea.outcome = Unanswered("the group has stopped")
    error = await error_of(channel, METHODS[core.Tell].path, method_of(TELL).write_request(TELL))
    assert error.code() is grpc.StatusCode.ABORTED
    assert "grpc-status-details-bin" not in dict(error.trailing_metadata() or ())


# ---- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
@pytest.mark.parametrize("payload", [b"", b"\xff\xfe\xfd", b"\x0a\xff\xff\xff\x7f", b"\x00" * 999])
async def test_noise_gets_a_definite_answer_and_no_traceback(
    node: Node, channel: Any, method: Any, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    error = await error_of(channel, method.path, payload)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info_of(error).reason == Reason.BAD_FIELD
    assert violations_of(error)
    assert not node.tea.seen
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_bad_input_names_field_and_limit(node: Node, channel: Any) -> None:
    message: Any = method_of(TELL).put_request(TELL)
    message.msg = "x" * 20_000
    message.msg_id = "5"
    error = await error_of(channel, METHODS[core.Tell].path, message.SerializeToString())
    assert set(violations_of(error)) == {"msg", "msg_id"}
    assert "16384" in violations_of(error)["msg"]
    assert (error.details() or "").startswith("msg_id must be a UUID")
    assert not node.tea.seen


async def test_five_megabytes_are_too_many(node: Node, channel: Any) -> None:
    error = await error_of(channel, METHODS[core.Tell].path, b"\x00" * 5_000_000)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not node.tea.seen
    assert await send(channel, TELL)


async def test_another_major_version_is_refused_whatever_else_is_wrong(
    node: Node, channel: Any
) -> None:
    message: Any = method_of(TELL).put_request(TELL)
    message.caller.protocol = "2.0"
    message.ClearField("header")
    error = await error_of(channel, METHODS[core.Tell].path, message.SerializeToString())
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    info = info_of(error)
    assert (info.reason, dict(info.metadata)) == (
        "VERSION_MISMATCH",
        {"ours": "1.0", "theirs": "2.0"},
    )
    assert not node.tea.seen


@pytest.mark.parametrize("protocol", ["", "1.0", "1.7"])
async def test_other_minor_versions_and_none_are_taken(channel: Any, protocol: str) -> None:
    message: Any = method_of(TELL).put_request(TELL)
    message.caller.protocol = protocol
    assert await raw(channel, METHODS[core.Tell].path, message.SerializeToString())


async def test_a_method_that_does_not_exist(channel: Any) -> None:
    error = await error_of(channel, "/p2pchat.v1.Node/Shout", b"")
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


# ---- who asks ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def member() -> Holder:
    return Holder()


@pytest.fixture(scope="module")
def stranger() -> Holder:
    return Holder()


@pytest.fixture
async def secured(node: Node, member: Holder) -> AsyncIterator[str]:
    """The address of a node whose connections are secured."""
    own = Holder().transport
    desk = Desk(node)
    node.members.add(member.certificate)
    service = NodeService(desk, Unlinked(), own)
    server, port = await build_server("127.0.0.1:0", [service], own, desk.knows)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_a_group_is_told_with_which_certificate_it_is_asked(
    node: Node, secured: str, channel: Any, member: Holder, stranger: Holder
) -> None:
    for holder in (member, stranger):
        async with holder.transport.channel(secured) as made:
            assert await send(made, TELL)
    assert await send(channel, TELL)
    assert node.tea.callers == [member.certificate, stranger.certificate, None]


def question(chat: int, node: int = 0) -> Ping:
    """What a discovery service asks."""
    return Ping(Caller(chat, node, 0, NO_EPOCH), None, asks_leading=Epoch(1, 1))


async def test_only_a_discovery_service_that_is_known_may_ask_who_leads(
    node: Node, secured: str, member: Holder, stranger: Holder
) -> None:
    node.tea.outcome, asked = PONG, question(7)
    for holder in (stranger, member):
        async with holder.transport.channel(secured) as made:
            error = await error_of(made, METHODS[Ping].path, METHODS[Ping].write_request(asked))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert info_of(error).reason == Reason.WRONG_CERTIFICATE
        assert "not of an NDS that is known here" in (error.details() or "")
    assert node.tea.seen == []
    node.registries.add(stranger.certificate)
    async with stranger.transport.channel(secured) as made:
        assert await send(made, asked)
    assert node.tea.seen == [asked]


async def test_what_a_discovery_service_may_ask_is_told_from_what_members_say(
    node: Node, secured: str, member: Holder, stranger: Holder
) -> None:
    """Whether it is that member, its group looks at; other pings are for whoever is known there."""
    node.registries.add(stranger.certificate)
    node.tea.outcome = PONG
    asked = [question(7, 1_000_002), Ping(Caller(7, 0, 0, NO_EPOCH), VIEW)]
    async with member.transport.channel(secured) as made:
        for one in asked:
            assert await send(made, one)
    assert node.tea.seen == asked


async def test_where_nothing_is_proved_whoever_asks_is_the_discovery_service(
    node: Node, channel: Any
) -> None:
    node.tea.outcome = PONG
    assert await send(channel, question(7))
    assert node.tea.seen == [question(7)]


async def link_error(channel: grpc.aio.Channel) -> grpc.aio.AioRpcError:
    call: grpc.aio.StreamStreamCall[bytes, bytes]
    call = channel.stream_stream("/p2pchat.v1.Node/Link")(timeout=CALL_S)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    return caught.value


async def test_a_link_is_for_members_alone(
    node: Node, secured: str, channel: Any, member: Holder, stranger: Holder
) -> None:
    async with stranger.transport.channel(secured) as made:
        error = await link_error(made)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert error.details() == (
            "links are for members: the certificate of this connection is nobody's"
        )
        node.members.add(stranger.certificate)
        taken = await link_error(made)
        node.members.discard(stranger.certificate)
        assert (await link_error(made)).code() is grpc.StatusCode.UNAUTHENTICATED
    async with member.transport.channel(secured) as made:
        also = await link_error(made)
    plain = await link_error(channel)
    for error in (taken, also, plain):
        assert info_of(error).reason == "VERSION_MISMATCH", "as what takes them here says"


async def test_what_a_node_offers_is_shown_to_members_alone(
    secured: str, member: Holder, stranger: Holder
) -> None:
    ask = health_pb2.HealthCheckRequest()
    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    for holder, shows in ((member, True), (stranger, False)):
        async with holder.transport.channel(secured) as made:
            health = health_pb2_grpc.HealthStub(made)
            reflection = reflection_pb2_grpc.ServerReflectionStub(made)
            for call in (
                health.Check(ask, timeout=CALL_S),
                health.Watch(ask, timeout=CALL_S).read(),
                reflection.ServerReflectionInfo(iter([listing]), timeout=CALL_S).read(),
            ):
                if shows:
                    assert await call
                    continue
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
                assert caught.value.details() == "this is shown to members only"


# ---- the server --------------------------------------------------------------------------------


async def test_the_server_is_healthy(channel: Any) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", "p2pchat.v1.Node"):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_the_server_tells_what_it_serves(channel: Any) -> None:
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in reflection.ServerReflectionInfo(iter([question])):
        names = {listed.name for listed in answer.list_services_response.service}
        assert names >= {"p2pchat.v1.Node", "grpc.health.v1.Health"}


async def test_a_port_in_use_is_named(node: Node) -> None:
    server, port = await build_server("127.0.0.1:0", [serving(node)])
    with pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{port} .*in use"):
        await build_server(f"127.0.0.1:{port}", [serving(node)])
    await server.stop(None)
    with pytest.raises(PortInUse, match=r"198\.51\.100\.1:5 "):
        await build_server("198.51.100.1:5", [serving(node)])


async def test_a_server_may_listen_on_a_socket(node: Node, tmp_path: Any) -> None:
    server, _ = await build_server(f"unix:{tmp_path}/s", [serving(node)])
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
        assert await send(channel, core.Tell(CALLER, TELL.to, TELL.messages))
    await server.stop(None)
    with pytest.raises(PortInUse):
        await build_server(f"unix:{tmp_path}/none/s", [serving(node)])
