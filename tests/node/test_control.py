"""The control service over its real socket, through the client that faces use.

Tries node/cli/client.py, node/cli/queries.py and node/cli/run.py too.
"""

import asyncio
import math
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from msgspec.structs import fields, replace

from node import errors, happenings, words
from node.cli.client import Client
from node.cli.queries import QUERIES, ask, read, whois_of
from node.config import load
from node.control import complaints, service, values
from node.control.running import running
from node.host.nodes import Node
from node.places import SOCKET_PATH_MAX, Places, places
from node.words import Wait
from p2pchat.v1 import control_pb2 as pb
from p2pchat.v1 import control_pb2_grpc
from tests.processes import Processes
from tests.waiting import CALL_S, WAIT_S


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as found:
        yield found


def test_the_longest_complaint_fits_into_the_headers() -> None:
    complaint = errors.BadField(field="x" * 9_000, text="\u4e2d" * 9_000)
    status = complaints.to_status(complaint)
    # As base64 and percent-encoded: clients may drop trailers above 8 KiB.
    assert status.ByteSize() * 4 / 3 + len(status.message.encode()) * 3 < 7 * 1024
    assert status.message.endswith("...")


@pytest.mark.parametrize(
    ("left_s", "wait_s"), [(None, math.inf), (10.0, 9.0), (1.0, 0.5), (0.0, 0.0)]
)
def test_members_are_waited_for_so_long_that_the_answer_gets_back_in_time(
    left_s: float | None, wait_s: float
) -> None:
    assert service._wait_s(left_s) == wait_s


def client_of(spot: Places) -> Client:
    return Client(spot.socket, profile=spot.profile, log=spot.log, timeout=CALL_S)


async def start(
    stack: AsyncExitStack, home: Path, name: str, registry: Processes
) -> tuple[Node, Client]:
    spot = places(name, str(home), {})
    config = load(spot, {"nick": name, "nds": [registry.nds]}, {}, {})
    node = await stack.enter_async_context(running(spot, config))
    return node, await stack.enter_async_context(client_of(spot))


@pytest.fixture
async def alice(stack: AsyncExitStack, tmp_path: Path, registry: Processes) -> tuple[Node, Client]:
    return await start(stack, tmp_path, "alice", registry)


@pytest.fixture
async def pair(
    alice: tuple[Node, Client], stack: AsyncExitStack, tmp_path: Path, registry: Processes
) -> tuple[Client, Client]:
    """Two members of one chat."""
    _, bob = await start(stack, tmp_path, "bob", registry)
    created = await alice[1].create(f"c{uuid4().hex[:10]}")
    await bob.join(created.join_line)
    return alice[1], bob


# ---- the socket --------------------------------------------------------------------------------


async def test_the_socket_is_its_owners_alone_and_goes_with_the_node(
    tmp_path: Path, registry: Processes
) -> None:
    async with AsyncExitStack() as stack:
        node, _ = await start(stack, tmp_path, "alice", registry)
        path = node.places.socket
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_dead_nodes_socket_is_in_nobodys_way(
    stack: AsyncExitStack, tmp_path: Path, registry: Processes
) -> None:
    spot = places("alice", str(tmp_path), {})
    spot.make()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(spot.socket))
    _, client = await start(stack, tmp_path, "alice", registry)
    assert (await client.status()).nick == "alice"


async def test_a_long_home_works_through_a_short_socket(
    stack: AsyncExitStack, tmp_path: Path, registry: Processes
) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    node, client = await start(stack, deep, "alice", registry)
    control = (await client.status()).control
    assert len(control) <= SOCKET_PATH_MAX
    assert control == str(node.places.socket)
    assert not control.startswith(str(deep))


async def test_without_a_node_the_complaint_says_how_to_start_one(tmp_path: Path) -> None:
    async with client_of(places("alice", str(tmp_path), {})) as client:
        with pytest.raises(errors.NodeDown, match="p2pchat up") as told:
            await client.status()
    assert told.value.exit == 5


async def test_health_and_reflection_are_served(alice: tuple[Node, Client]) -> None:
    async with grpc.aio.insecure_channel(f"unix:{alice[0].places.socket}") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="p2pchat.v1.Control")
        answer = await health.Check(request)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        mirror: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        call = mirror.ServerReflectionInfo(iter([asked]))
        names = [one.name async for r in call for one in r.list_services_response.service]
        assert "p2pchat.v1.Control" in names


# ---- values ------------------------------------------------------------------------------------

ANSWERS = [
    (words.Status, pb.GetStatusResponse),
    (words.Created, pb.CreateChatResponse),
    (words.Admitted, pb.JoinChatResponse),
    (words.Departure, pb.LeaveChatResponse),
    (words.Networks, pb.ListNetworksResponse),
    (words.Members, pb.ListMembersResponse),
    (words.Progress, pb.SendResponse),
    (words.Changed, pb.EditResponse),
    (words.Changed, pb.RedactResponse),
    (words.Page, pb.ReadHistoryResponse),
    (words.Leader, pb.GetLeaderResponse),
    (words.Peers, pb.ListPeersResponse),
    (words.Pings, pb.PingMembersResponse),
    (words.Tracing, pb.TraceMessageResponse),
    (words.Unread, pb.GetUnreadResponse),
    (words.Nothing, pb.MarkReadResponse),
    (words.Invitation, pb.InviteResponse),
    (words.Invites, pb.ListInvitesResponse),
    (words.Nothing, pb.RevokeInviteResponse),
    (words.Nothing, pb.SetPasswordResponse),
    (words.Elections, pb.ListElectionsResponse),
    (words.Outcome, pb.StartElectionResponse),
    (words.Comparison, pb.CheckHistoryResponse),
    (words.Calls, pb.ListCallsResponse),
    (words.Queue, pb.ListQueueResponse),
    (words.NickSet, pb.SetNickResponse),
    (words.Nothing, pb.SetAwayResponse),
    (words.Nothing, pb.SetTopicResponse),
    (words.NickSet, pb.DecideResponse),
    (words.Diagnosis, pb.DiagnoseResponse),
    (words.Stopping, pb.StopNodeResponse),
]


def full(kind: Any, most: int | None = None) -> Any:
    """A value with something in every field, each another; that number in each that is one."""
    made: dict[str, Any] = {}
    for number, shape in enumerate(values._look(kind), 1):
        if shape.kind:
            inner = full(shape.kind, most)
            made[shape.name] = (inner, inner) if shape.many else inner
        elif shape.many:
            made[shape.name] = (f"a{number}", f"b{number}")
        else:
            default = next(f.default for f in fields(kind) if f.name == shape.name)
            one = {bool: True, int: min(number, 2) if most is None else most, str: f"t{number}"}[
                type(default)
            ]
            made[shape.name] = one
    return kind(**made)


@pytest.mark.parametrize(("kind", "message"), ANSWERS)
def test_every_answer_has_the_fields_of_its_message_and_survives_the_way(
    kind: Any, message: Any
) -> None:
    value = full(kind)
    assert {f.name for f in fields(kind)} == set(message.DESCRIPTOR.fields_by_name)
    sent = values.to_proto(value, message()).SerializeToString()
    assert values.from_proto(kind, message.FromString(sent)) == value


def numbers(value: Any, message: Any) -> list[tuple[int, int]]:
    """Of each number in a message: how many bits its field has, and what stands there."""
    found = []
    for shape in values._look(type(value)):
        held, told = getattr(value, shape.name), getattr(message, shape.name)
        if shape.kind:
            pairs = zip(held, told, strict=True) if shape.many else [(held, told)]
            found += [one for pair in pairs for one in numbers(*pair)]
        elif type(held) is int:
            field = message.DESCRIPTOR.fields_by_name[shape.name]
            bits = {field.TYPE_UINT32: 32, field.TYPE_ENUM: 31}
            found.append((bits.get(field.type, 64), told))
    return found


@pytest.mark.parametrize("most", [2**31, 2**32, 2**63, 2**64 - 1, 2**64, 10**30])
@pytest.mark.parametrize(("kind", "message"), ANSWERS)
def test_a_number_that_is_too_large_for_its_field_is_told_as_the_largest(
    kind: Any, message: Any, most: int
) -> None:
    value = full(kind, most)
    for bits, told in numbers(value, values.to_proto(value, message())):
        assert told == min(most, 2**bits - 1)


@pytest.mark.parametrize("most", [2**32, 2**64])
@pytest.mark.parametrize("name", happenings.KINDS)
def test_so_is_one_of_a_happening(name: str, most: int) -> None:
    what = full(happenings.KINDS[name], most)
    happening = happenings.Happening(what, "dev", 7, words.Epoch(5, 12), 99, "7c3e")
    for bits, told in numbers(what, getattr(values.happening_to_proto(happening), name)):
        assert told == min(most, 2**bits - 1)


def test_a_count_below_zero_is_told_as_none() -> None:
    told = values.to_proto(words.Chat(lost=-1, unread=-(2**40)), pb.Chat())
    assert (told.lost, told.unread) == (0, 0)


def test_every_answer_of_the_service_is_tried() -> None:
    methods = pb.DESCRIPTOR.services_by_name["Control"].methods
    assert {m.output_type.name for m in methods} - {"WatchResponse"} == {
        message.DESCRIPTOR.name for _, message in ANSWERS
    }


@pytest.mark.parametrize("name", happenings.KINDS)
def test_every_happening_survives_the_way(name: str) -> None:
    what = full(happenings.KINDS[name])
    happening = happenings.Happening(what, "dev", 7, words.Epoch(5, 12), 99, "7c3e")
    sent = values.happening_to_proto(happening).SerializeToString()
    assert values.happening_from_proto(pb.WatchResponse.FromString(sent)) == happening


def test_a_happening_of_a_later_version_is_passed_over() -> None:
    assert values.happening_from_proto(pb.WatchResponse(chat="dev")) is None


@pytest.mark.parametrize("kind", errors.catalogue(), ids=lambda kind: kind.__name__)
def test_every_complaint_has_a_status_that_carries_it(kind: type[errors.Complaint]) -> None:
    complaint = errors.retold(kind.reason, "words", {"a": "b"})
    status = complaints.to_status(complaint)
    assert status.message == "words"
    assert status.code > 0


# ---- calls -------------------------------------------------------------------------------------


async def test_every_query_of_the_faces_is_answered(pair: tuple[Client, Client]) -> None:
    alice, _ = pair
    async for _ in alice.send("", "hello"):
        pass
    joined = (await alice.status()).chats[0].name
    closed = (await alice.create(f"c{uuid4().hex[:10]}")).chat.name
    needs: dict[str, dict[str, Any]] = {
        "revoke": {"id": (await alice.invite(closed)).id, "chat": closed},
        "join": {"line": (await alice.invite(joined)).join_line},
        "create": {"name": f"c{uuid4().hex[:10]}"},
        "password": {"password": KEY, "chat": closed},
        "whois": {"member": "bob"},
        "search": {"text": "HELLO"},
        "nick": {"nick": "ally"},
        "edit": {"text": "hello again"},
        "redact": {"id": (await alice.history(joined)).lines[-1].id},
        "away": {"away": "lunch"},
        "decide": {"act": "op", "member": "bob"},
    }
    free = {"join", "create", "networks", "nick", "away", "back", "status", "version", "nds"}
    free |= {"log", "rpc", "doctor"}
    chat = (await alice.status()).chats[0].name
    for name in [one for one in QUERIES if one != "leave"] + ["leave"]:
        args = ({} if name in free else {"chat": chat}) | needs.get(name, {})
        answer = await ask(alice, name, **args)
        assert answer.exit == 0, (name, answer)


async def test_all_pages_of_a_history_are_read(pair: tuple[Client, Client]) -> None:
    alice, _ = pair
    for i in range(5):
        async for _ in alice.send("", f"line {i}", wait=Wait.NONE):
            pass
    page = await alice.history("", count=2)
    assert ([line.text for line in page.lines], bool(page.cursor)) == (["line 3", "line 4"], True)
    every = await read(alice, "", count=4)
    assert [line.text for line in every.lines] == ["line 1", "line 2", "line 3", "line 4"]


def test_nobody_of_that_name_is_said_with_the_nearest() -> None:
    alice = words.Member(nick="alice", member_id=1, certificate="0123456789abcdef" * 4)
    found = words.Members("dev", (alice,))
    told = whois_of(found, "@alice").lines
    assert told[0] == "alice (id 1) in #dev"
    assert "certificate 0123456789abcdef" in told
    with pytest.raises(errors.NoSuchMember, match="Did you mean alice"):
        whois_of(found, "alise")


KEY = words.PasswordKey(b"s" * 16, 15, 8, 1, b"k" * 32)

CASES: list[tuple[str, dict[str, Any], type[errors.Complaint], str]] = [
    ("leader", {"chat": "nope"}, errors.NoSuchChat, "There is no chat #nope"),
    ("leader", {"chat": "x" * 400}, errors.BadField, "chat: must be at most"),
    ("create", {"name": "a b"}, errors.BadField, "name: must be 1 to 64"),
    ("create", {"name": "dev", "nick": "\x1b[31m"}, errors.BadField, "nick: must be 1 to 24"),
    ("create", {"name": "dev", "nds": "nowhere"}, errors.BadField, "nds: must be HOST:PORT"),
    ("join", {"line": ""}, errors.BadField, "line: the name of a chat must be"),
    ("history", {"chat": "", "count": 1_001}, errors.BadField, "count: must be at most 1000"),
    ("history", {"chat": "", "before": "x"}, errors.BadField, "before: must be the cursor"),
    ("history", {"chat": "", "after": "x"}, errors.BadField, "after: must be the cursor"),
    (
        "history",
        {"chat": "", "before": "1.2.3.4.5.6.7", "after": "1.2.3.4.5.6.7"},
        errors.BadField,
        "after: cannot be given together with before",
    ),
    ("trace", {"chat": "", "id": "xyz!"}, errors.BadField, "id: must be 4 to 32 hex digits"),
    ("trace", {"chat": "", "id": "ffff"}, errors.NoSuchMessage, "There is no message ffff"),
    ("edit", {"chat": "", "id": "xyz!", "text": "x"}, errors.BadField, "id: must be 4 to 32 hex"),
    (
        "edit",
        {"chat": "", "id": "ffff", "text": "x"},
        errors.NoSuchMessage,
        "There is no message ffff",
    ),
    (
        "edit",
        {"chat": "", "id": "", "text": "x"},
        errors.NoSuchMessage,
        "There is no message of your",
    ),
    ("edit", {"chat": "", "id": "", "text": ""}, errors.BadField, "text: must be 1 to 16384"),
    (
        "edit",
        {"chat": "", "id": "", "text": "x" * 16_385},
        errors.TooLong,
        "The text is too long: 16385",
    ),
    ("redact", {"chat": "", "id": "xyz!"}, errors.BadField, "id: must be 4 to 32 hex digits"),
    ("redact", {"chat": "", "id": "ffff"}, errors.NoSuchMessage, "There is no message ffff"),
    ("ping", {"chat": "", "member": "nobody"}, errors.NoSuchMember, "There is no member nobody"),
    ("calls", {"count": 201}, errors.BadField, "count: must be at most 200"),
    ("set_nick", {"nick": ""}, errors.BadField, "nick: must be 1 to 24"),
    ("set_topic", {"chat": "", "topic": "x" * 301}, errors.BadField, "topic: must be at most 300"),
    ("set_away", {"away": "x\ny"}, errors.BadField, "away: must be one line"),
    ("invite", {"chat": "", "expires_s": 2**32 - 1}, errors.BadField, "expires: must be 1 s to"),
    (
        "set_password",
        {"chat": "", "password": replace(KEY, log_n=40)},
        errors.BadField,
        "password: ",
    ),
    (
        "set_password",
        {"chat": "", "password": replace(KEY, seed=b"k")},
        errors.BadField,
        "password.s",
    ),
    (
        "join",
        {"line": "dev", "password": replace(KEY, salt=b"s")},
        errors.BadField,
        "password: the",
    ),
    ("create", {"name": "dev", "password": KEY, "is_open": True}, errors.OpenToAll, "#dev lets in"),
    ("revoke_invite", {"chat": "", "id": "ffff"}, errors.NoSuchInvite, "Not one invitation"),
    ("decide", {"chat": "", "act": "title"}, errors.BadField, "act: cannot be a topic"),
    ("decide", {"chat": "", "act": "unspecified"}, errors.BadField, "act: must be one of 1, 2, 3"),
    (
        "decide",
        {"chat": "", "act": "topic", "value": "me"},
        errors.BadField,
        "value: must be admins or all, not 'me'",
    ),
    *(
        ("decide", {"chat": "", "act": act, "member": member}, kind, said)
        for act, member, kind, said in (
            ("kick", "x", errors.NoSuchMember, "There is no member x"),
            (
                "kick",
                "alice",
                errors.NotAllowed,
                "That is not yours to do in #.*: nobody removes oneself",
            ),
            (
                "op",
                "alice",
                errors.NotAllowed,
                "That is not yours to do in #.*: alice is the owner",
            ),
            (
                "unban",
                "alice",
                errors.NotAllowed,
                "That is not yours to do in #.*: nobody keeps alice out",
            ),
        )
    ),
]


@pytest.mark.parametrize(("method", "args", "kind", "said"), CASES)
async def test_bad_input_is_refused_with_its_field_and_limit(
    alice: tuple[Node, Client], method: str, args: dict[str, Any], kind: type, said: str
) -> None:
    _, client = alice
    await client.create(f"c{uuid4().hex[:10]}")
    before = await client.status()
    with pytest.raises(kind, match=f"^{said}"):
        await getattr(client, method)(**args)
    after = await client.status()
    assert after.chats == before.chats


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "text: must be 1 to 16384 bytes, not empty"), ("é" * 9_000, "too long: 18000 bytes")],
)
async def test_a_line_too_long_or_empty_is_refused(
    alice: tuple[Node, Client], text: str, said: str
) -> None:
    _, client = alice
    await client.create(f"c{uuid4().hex[:10]}")
    with pytest.raises(errors.BadField if not text else errors.TooLong, match=said):
        async for _ in client.send("", text):
            pass
    assert (await client.history("")).lines == ()


async def test_noise_is_no_traceback_and_ends_nothing(
    alice: tuple[Node, Client], caplog: pytest.LogCaptureFixture
) -> None:
    node, client = alice
    methods = pb.DESCRIPTOR.services_by_name["Control"].methods
    async with grpc.aio.insecure_channel(f"unix:{node.places.socket}") as channel:
        for method in methods:
            path = f"/p2pchat.v1.Control/{method.name}"
            with pytest.raises(grpc.aio.AioRpcError):
                if method.server_streaming:
                    async for _ in channel.unary_stream(path)(b"\xff\xff\xff", timeout=CALL_S):
                        pass
                else:
                    await channel.unary_unary(path)(b"\xff\xff\xff", timeout=CALL_S)
    assert (await client.status()).nick == "alice"
    assert not node.ended.is_set()


# ---- streams -----------------------------------------------------------------------------------


async def test_a_line_is_told_of_from_storing_to_the_last_acknowledgement(
    pair: tuple[Client, Client],
) -> None:
    alice, bob = pair
    steps = [one async for one in alice.send("", "hello")]
    assert (steps[-1].done, steps[-1].complete, steps[-1].acked, steps[-1].of) == (
        True,
        True,
        1,
        1,
    )
    assert not any(one.done for one in steps[:-1])
    assert [line.text for line in (await bob.history("")).lines] == ["hello"]


@pytest.mark.parametrize("size", [16_385, 600_000])
async def test_a_text_that_is_too_long_is_refused_with_its_bound(
    pair: tuple[Client, Client], size: int
) -> None:
    said = f"too long: {size} bytes, the limit is 16384 bytes"
    with pytest.raises(errors.TooLong, match=said):
        async for _ in pair[0].send("", "x" * size):
            pass


async def test_a_watch_begins_with_the_past_and_goes_on(pair: tuple[Client, Client]) -> None:
    alice, bob = pair
    async for _ in alice.send("", "past"):
        pass
    stream = bob.watch(history=5)
    async with asyncio.timeout(WAIT_S):
        first = await anext(stream)
        async for _ in alice.send("", "present"):
            pass
        second = await anext(stream)
    assert [one.what.text for one in (first, second)] == ["past", "present"]  # type: ignore[union-attr]
    assert [one.what.backlog for one in (first, second)] == [True, False]  # type: ignore[union-attr]


async def test_a_watcher_is_told_when_nothing_more_is_missed(pair: tuple[Client, Client]) -> None:
    alice, _ = pair
    ready = asyncio.Event()
    happenings = alice.watch(ready=ready.set)
    first = asyncio.ensure_future(anext(happenings))
    async with asyncio.timeout(WAIT_S):
        await ready.wait()
        assert not first.done(), "nothing has happened"
        async for _ in alice.send("", "hello", wait=Wait.NONE):
            pass
        told = (await first).what
    assert isinstance(told, words.Line)
    assert told.text == "hello"
    await happenings.aclose()  # type: ignore[attr-defined]


async def test_a_watcher_hears_the_kinds_that_it_asks_for(pair: tuple[Client, Client]) -> None:
    alice, _ = pair
    ready = asyncio.Event()
    stream = alice.watch(kinds=("queue", "message"), ready=ready.set)
    heard: list[happenings.What] = []

    async def hear() -> None:
        async for one in stream:
            heard.append(one.what)
            if one.what == happenings.QueueEvent(0):
                return

    async with asyncio.timeout(WAIT_S):
        hearing = asyncio.create_task(hear())
        await ready.wait()
        async for _ in alice.send("", "hello"):
            pass
        await hearing
    kinds = [type(one) for one in heard]
    assert kinds == [words.Line, happenings.QueueEvent, happenings.QueueEvent]


async def test_a_watcher_of_a_kind_that_there_is_not_is_told_which_there_are(
    pair: tuple[Client, Client],
) -> None:
    said = r"kinds\[1\]: must be one of message, change, .*, not 'lines'"
    with pytest.raises(errors.BadField, match=said):
        await anext(pair[0].watch(kinds=("message", "lines")))


async def test_a_watcher_of_what_is_not_there_is_refused_and_never_ready(
    pair: tuple[Client, Client], tmp_path: Path
) -> None:
    def ready() -> None:
        raise AssertionError("nobody watches")

    with pytest.raises(errors.NoSuchChat):
        await anext(pair[0].watch("nope", ready=ready))
    async with client_of(places("nobody", str(tmp_path), {})) as nobody:
        with pytest.raises(errors.NodeDown):
            await anext(nobody.watch(ready=ready))


async def test_unread_lines_are_counted_until_they_are_read(pair: tuple[Client, Client]) -> None:
    alice, bob = pair
    for text in ("one", "hey bob", "three"):
        async for _ in alice.send("", text):
            pass
    assert await bob.unread() == words.Unread(3, 1)
    await bob.mark_read("")
    assert await bob.unread() == words.Unread(0, 0)
    assert await alice.unread() == words.Unread(0, 0), "own lines never count"


async def test_watchers_see_the_end_of_the_node(tmp_path: Path, registry: Processes) -> None:
    async with AsyncExitStack() as stack:
        node, client = await start(stack, tmp_path, "alice", registry)
        stream = client.watch()
        coming = asyncio.ensure_future(anext(stream, None))
        stopping = await client.stop()
        assert stopping.pid == node.status().pid
        await asyncio.wait_for(node.ended.wait(), WAIT_S)
        node.hub.end()
        assert await asyncio.wait_for(coming, WAIT_S) is None


def test_the_service_has_every_method_of_its_proto() -> None:
    from node.control.service import ControlService

    for method in pb.DESCRIPTOR.services_by_name["Control"].methods:
        ours = getattr(ControlService, method.name)
        assert ours is not getattr(control_pb2_grpc.ControlServicer, method.name)
