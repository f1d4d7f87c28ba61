"""Tries node/rpc: refusals there and back, what is dialled, and what a line makes of its end."""

import asyncio
import errno
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from node.codec import Malformed, method_of
from node.core.access import Terms
from node.core.messages import Refusal
from node.core.reasons import Reason
from node.core.types import Epoch, Silence
from node.limits import address_fault
from node.rpc import (
    DOMAIN,
    SERVER_OPTIONS,
    CallLog,
    CallRow,
    Line,
    abort,
    is_spoken,
    malformed,
    mismatched,
    probe,
    refused,
    target,
)
from node.rpc.line import CLOSED
from node.rpc.options import grpc
from node.rpc.transport import PLAIN
from node.runner import Silenced
from node.tasks import Tasks
from p2pchat.v1 import common_pb2, nds_pb2
from tests.node.wire_values import NETWORK, TELL
from tests.waiting import WAIT_S

Handler = Callable[[bytes, "grpc.aio.ServicerContext[bytes, bytes]"], Awaitable[bytes]]

PATH = "/test/Call"


@asynccontextmanager
async def serving(handler: Handler, port: int = 0) -> AsyncIterator[int]:
    server = grpc.aio.server(options=SERVER_OPTIONS)
    handlers = {"Call": grpc.unary_unary_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    crashes: list[BaseException] = []
    made = Tasks(lambda _, error: crashes.append(error))
    yield made
    await made.close()
    assert crashes == []


@pytest.fixture
def silent_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def end_of(status: status_pb2.Status, tasks: Tasks) -> bytes | Refusal | Silenced:
    """What a line makes of a server that ends its call with `status`."""

    async def handler(_: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        await abort(context, status)

    async with serving(handler) as port:
        line = Line(f"127.0.0.1:{port}", tasks, lambda: None, PLAIN)
        try:
            return await line.call(PATH, b"", 2_000)
        finally:
            await line.close()


# ---- statuses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(Reason.UNKNOWN_CHAT, "this node is not in that chat"),
        Refusal(
            Reason.NOT_LEADER, "ask Ännä", 1_000_001, "127.0.0.1:5001", Epoch(1_700_000_000, 7)
        ),
        Refusal(Reason.KICKED, "x"),
        Refusal(Reason.PENDING_FULL, "later"),
        Refusal(Reason.WRONG_MODE, "in memory alone", chat=0x7FFF_0000_1234_5678),
        Refusal(Reason.NEEDS_PASSWORD, "it asks", chat=7, terms=Terms(b"s" * 16, 16, 8, 2)),
        Refusal(Reason.TRY_LATER, "in a minute", wait=60_000),
        Refusal("SOMETHING_NEW", "as yet unknown"),
    ],
)
async def test_a_refusal_comes_back_as_it_went(refusal: Refusal, tasks: Tasks) -> None:
    assert await end_of(refused(refusal), tasks) == refusal


def test_each_reason_has_its_code() -> None:
    assert refused(Refusal(Reason.UNKNOWN_CHAT)).code == code_pb2.NOT_FOUND
    assert refused(Refusal(Reason.NOT_LEADER)).code == code_pb2.FAILED_PRECONDITION
    assert refused(Refusal(Reason.NEEDS_PASSWORD)).code == code_pb2.PERMISSION_DENIED
    assert refused(Refusal(Reason.TRY_LATER)).code == code_pb2.RESOURCE_EXHAUSTED
    assert refused(Refusal(Reason.KICKED)).code == code_pb2.PERMISSION_DENIED
    assert refused(Refusal(Reason.GROUP_FULL)).code == code_pb2.RESOURCE_EXHAUSTED
    assert refused(Refusal(Reason.BAD_FIELD)).code == code_pb2.INVALID_ARGUMENT


async def test_bad_input_names_every_violation(tasks: Tasks) -> None:
    status = malformed(Malformed((("msg", "must be short"), ("header.seq", "is required"))))
    assert status.code == code_pb2.INVALID_ARGUMENT
    assert status.message == "msg must be short; and 1 more"
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    assert [(v.field, v.description) for v in bad.field_violations] == [
        ("msg", "must be short"),
        ("header.seq", "is required"),
    ]
    assert await end_of(status, tasks) == Refusal(Reason.BAD_FIELD, "msg must be short; and 1 more")


def test_a_field_that_the_group_refuses_is_named_like_any_other() -> None:
    status = refused(Refusal(Reason.BAD_FIELD, "header.hlc is not later"))
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    (found,) = bad.field_violations
    assert (found.field, found.description) == ("header.hlc", "is not later")


async def test_the_longest_complaint_fits_into_the_headers(tasks: Tasks) -> None:
    worst = Malformed((("f" * 500, "ä" * 900),) * 16)
    end = await end_of(malformed(worst), tasks)
    assert isinstance(end, Refusal)
    assert end.reason == Reason.BAD_FIELD


async def test_another_version_is_refused_with_both_named(tasks: Tasks) -> None:
    assert is_spoken("1.0")
    assert is_spoken("1.9")
    assert is_spoken("")
    assert not is_spoken("2.0")
    assert not is_spoken("10.0")
    assert not is_spoken("nonsense")
    end = await end_of(mismatched("2.1"), tasks)
    assert isinstance(end, Refusal)
    assert end.reason == Reason.VERSION_MISMATCH
    assert "1.0" in end.text
    assert "2.1" in end.text


@pytest.mark.parametrize("theirs", ["\x1b[2J", "2.\u202e"])
def test_what_a_terminal_would_obey_goes_into_no_status(theirs: str) -> None:
    status = mismatched(theirs)
    assert status.message.isprintable()
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.metadata["theirs"].isprintable()


async def test_a_refused_claim_brings_the_record(tasks: Tasks) -> None:
    status = refused(Refusal(Reason.STALE_EPOCH, "somebody was faster"))
    information = nds_pb2.NetworkInformation(
        chat_id=NETWORK.chat,
        name=NETWORK.name,
        epoch=common_pb2.Epoch(generation=NETWORK.epoch.generation, n=NETWORK.epoch.n),
        leader_id=NETWORK.leader,
        leader_address=NETWORK.address,
        mode=common_pb2.MODE_LOGGED,
    )
    status.details.add().Pack(information)
    end = await end_of(status, tasks)
    assert end == Refusal(Reason.STALE_EPOCH, "somebody was faster", record=NETWORK)


@pytest.mark.parametrize("code", [code_pb2.UNKNOWN, code_pb2.INTERNAL, code_pb2.UNAVAILABLE])
async def test_other_codes_are_never_definite(code: int, tasks: Tasks) -> None:
    status = refused(Refusal(Reason.LEFT))
    status.code = code
    assert isinstance(await end_of(status, tasks), Silenced)


async def test_a_status_without_our_mark_is_never_definite(tasks: Tasks) -> None:
    plain = status_pb2.Status(code=code_pb2.NOT_FOUND, message="no such page")
    end = await end_of(plain, tasks)
    assert end == Silenced(Silence.SILENT, "NOT_FOUND: no such page")
    foreign = status_pb2.Status(code=code_pb2.NOT_FOUND, message="x")
    foreign.details.add().Pack(error_details_pb2.ErrorInfo(reason="LEFT", domain="example.com"))
    assert isinstance(await end_of(foreign, tasks), Silenced)


async def test_nonsense_in_a_status_is_read_past(tasks: Tasks) -> None:
    status = refused(Refusal(Reason.NOT_LEADER, "x"))
    info = error_details_pb2.ErrorInfo(reason=Reason.NOT_LEADER, domain=DOMAIN)
    info.metadata.update({"leader_id": "-5", "leader_address": "unix:/x", "epoch": "9" * 99 + ".x"})
    status.details[0].Pack(info)
    assert await end_of(status, tasks) == Refusal(Reason.NOT_LEADER, "x")
    status.details[0].value = b"\xff\xff"
    assert isinstance(await end_of(status, tasks), Silenced)


async def test_details_that_are_no_status_are_read_past(tasks: Tasks) -> None:
    async def handler(_: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        trailing = ((rpc_status.GRPC_DETAILS_METADATA_KEY, b"\xff\xff\xff"),)
        await context.abort(grpc.StatusCode.NOT_FOUND, "x", trailing)
        return b""

    async with serving(handler) as port:
        line = Line(f"127.0.0.1:{port}", tasks, lambda: None, PLAIN)
        assert await line.call(PATH, b"", 2_000) == Silenced(Silence.SILENT, "NOT_FOUND: x")
        await line.close()


# ---- lines -------------------------------------------------------------------------------------


async def echo(payload: bytes, _: object) -> bytes:
    return payload


@pytest.mark.parametrize(
    ("address", "dialled"),
    [
        ("127.0.0.1:5", "ipv4:127.0.0.1:5"),
        ("[::1]:5", "ipv6:[::1]:5"),
        ("localhost:5", "dns:///localhost:5"),
        ("unix:5", "dns:///unix:5"),
    ],
)
def test_an_address_is_dialled_as_the_machine_that_it_names(address: str, dialled: str) -> None:
    assert target(address) == dialled


async def test_a_call_brings_the_reply(tasks: Tasks) -> None:
    async with serving(echo) as port:
        line = Line(f"localhost:{port}", tasks, lambda: None, PLAIN)
        assert line.state == "idle"
        assert await line.call(PATH, b"hello", 2_000) == b"hello"
        assert line.state == "ready"
        await line.close()
        assert line.state == "shut"


async def test_nobody_listening_is_told_from_no_answer(tasks: Tasks, silent_port: int) -> None:
    line = Line(f"127.0.0.1:{silent_port}", tasks, lambda: None, PLAIN)
    for _ in range(3):
        end = await line.call(PATH, b"", 2_000)
        assert isinstance(end, Silenced)
        assert end.how is Silence.REFUSED
        assert end.status.startswith("UNAVAILABLE")
    assert line.state == "failing"
    await line.close()


async def test_a_peer_that_is_back_is_reached_at_once(tasks: Tasks, silent_port: int) -> None:
    line = Line(f"127.0.0.1:{silent_port}", tasks, lambda: None, PLAIN)
    assert isinstance(await line.call(PATH, b"", 2_000), Silenced)
    async with serving(echo, silent_port):
        async with asyncio.timeout(0.15):  # the back-off of a channel is 200 ms
            assert await line.call(PATH, b"back", 2_000) == b"back"
    await line.close()


async def test_a_peer_that_accepts_and_says_nothing_is_silent(tasks: Tasks) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        line = Line(f"127.0.0.1:{frozen.getsockname()[1]}", tasks, lambda: None, PLAIN)
        end = await line.call(PATH, b"", 100)
        assert isinstance(end, Silenced)
        assert end.how is Silence.SILENT
        await line.close()


async def test_a_slow_answer_is_given_up_at_the_deadline(tasks: Tasks) -> None:
    gone = asyncio.Event()

    async def handler(payload: bytes, _: object) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        return payload

    async with serving(handler) as port:
        line = Line(f"127.0.0.1:{port}", tasks, lambda: None, PLAIN)
        end = await line.call(PATH, b"", 100)
        assert end == Silenced(Silence.SILENT, "DEADLINE_EXCEEDED: Deadline Exceeded")
        await asyncio.wait_for(gone.wait(), WAIT_S)
        await line.close()


async def test_a_call_on_a_line_that_is_closed_comes_to_an_end(tasks: Tasks) -> None:
    began = asyncio.Event()

    async def never(_: bytes, __: object) -> bytes:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError("it was answered")

    async with serving(never) as port:
        line = Line(f"127.0.0.1:{port}", tasks, lambda: None, PLAIN)
        call = asyncio.create_task(line.call(PATH, b"x", 30_000))
        await began.wait()
        await line.close()
        assert await call == CLOSED
        assert await line.call(PATH, b"x", 30_000) == CLOSED, "and so does one that comes too late"


async def test_a_line_that_is_closed_while_it_looks_who_is_there_opens_no_other_channel(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line("127.0.0.1:9", tasks, lambda: None, PLAIN)

    async def somebody(_: str, __: float) -> None:
        await line.close()

    monkeypatch.setattr("node.rpc.line.probe", somebody)
    assert await line.call(PATH, b"x", 5_000) == CLOSED
    assert line.state == "shut"


async def test_a_call_that_we_give_up_is_given_up(tasks: Tasks) -> None:
    began = asyncio.Event()

    async def never(_: bytes, __: object) -> bytes:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError("it was answered")

    async with serving(never) as port:
        line = Line(f"127.0.0.1:{port}", tasks, lambda: None, PLAIN)
        call = asyncio.create_task(line.call(PATH, b"x", 30_000))
        await began.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await line.close()


async def test_a_line_that_was_ready_and_breaks_is_told_once(tasks: Tasks) -> None:
    broken = asyncio.Event()
    times = []

    def on_broken() -> None:
        times.append(1)
        broken.set()

    async with serving(echo) as port:
        line = Line(f"127.0.0.1:{port}", tasks, on_broken, PLAIN)
        await line.call(PATH, b"", 2_000)
        assert not times
    await asyncio.wait_for(broken.wait(), WAIT_S)
    await line.call(PATH, b"", 500)
    assert times == [1]
    async with serving(echo, port):
        assert await line.call(PATH, b"x", 2_000) == b"x"
        await line.close()
    await asyncio.sleep(0)
    assert times == [1], "closing is no break"


async def test_a_line_renewed_is_watched_anew(tasks: Tasks, silent_port: int) -> None:
    broken = asyncio.Event()
    line = Line(f"127.0.0.1:{silent_port}", tasks, broken.set, PLAIN)
    await line.call(PATH, b"", 2_000)
    async with serving(echo, silent_port):
        await line.call(PATH, b"", 2_000)
        assert not broken.is_set()
    await asyncio.wait_for(broken.wait(), WAIT_S)
    await line.close()


async def test_a_probe_finds_who_listens(silent_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert await probe(f"127.0.0.1:{listening.getsockname()[1]}", 2) is None
    assert await probe(f"127.0.0.1:{silent_port}", 2) is Silence.REFUSED
    assert await probe(f"localhost:{silent_port}", 2) is Silence.REFUSED
    assert await probe("no-such-host.invalid:5", 5) is Silence.SILENT


@pytest.mark.parametrize("host", ["h" * 64, "a..b", "h" * 200, "x." * 120 + "x"])
async def test_a_host_that_nobody_can_look_up_is_silent(host: str) -> None:
    assert address_fault(f"{host}:5000") == ""
    assert await probe(f"{host}:5000", 5) is Silence.SILENT


async def test_a_machine_without_room_for_a_socket_finds_silence(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(socket, "socket", full)
    assert await probe(f"127.0.0.1:{silent_port}", 2) is Silence.SILENT


async def test_a_machine_refuses_only_if_all_its_addresses_do(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", silent_port))
    away = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("255.255.255.255", 9))  # never let through
    answers: list[list[Any]] = [[here, here], [here, away]]

    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return answers.pop(0)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    assert await probe("two:5", 2) is Silence.REFUSED
    assert await probe("two:5", 0.1) is Silence.SILENT


# ---- the log of calls --------------------------------------------------------------------------


def test_the_log_keeps_the_last_calls_and_tells_them_as_json() -> None:
    log = CallLog(3)
    method = method_of(TELL)
    for took in range(5):
        log.add(CallRow(method.path, "h:1", 0, took, "OK", TELL, method.put_request))
    assert [row.took_us for row in log.rows()] == [2, 3, 4]
    told = json.loads(log.rows()[0].json())
    assert told["msg"] == "hello"
    assert told["chatId"] == "7"
