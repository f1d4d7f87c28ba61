"""node/rpc/gate.py: who is taken, refused or dropped, over real connections with real keys."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from node.core.types import Silence
from node.rpc import Gate, Line, budget, door, gate
from node.rpc.options import CHANNEL_OPTIONS, grpc
from node.rpc.transport import PLAIN, Transport
from node.runner import Silenced
from node.service import build_server
from node.tasks import Tasks
from node.trust.certificates import make
from tests.node.holder import Holder
from tests.node.test_rpc import tasks
from tests.waiting import CALL_S, WAIT_S

__all__ = ["tasks"]  # a fixture

NODE = "p2pchat.v1.Node"
PING, JOIN = f"/{NODE}/LivenessPing", f"/{NODE}/JoinNetwork"


class Echo:
    """Answers everything with what was asked; `waiting` holds it."""

    name = NODE

    def __init__(self) -> None:
        self.seen = 0
        self.gate: Gate | None = None

    async def answer(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.seen += 1
        if request == b"nonsense":
            assert self.gate is not None
            self.gate.senseless(context)
        return request

    def add_to(self, server: grpc.aio.Server) -> None:
        unary = grpc.unary_unary_rpc_method_handler(self.answer)
        server.add_registered_method_handlers(NODE, {"LivenessPing": unary, "JoinNetwork": unary})


class House:
    """A server behind a gate whose clock the test holds; `members` are certificates."""

    def __init__(self) -> None:
        self.now = 100.0
        self.members: set[bytes] = set()
        self.echo = Echo()
        transport = Transport(make())
        self.gate = Gate(transport, self.members.__contains__, now=lambda: self.now)
        self.echo.gate = self.gate
        self.transport = transport
        self.address = ""

    def channel(self, own: Transport) -> grpc.aio.Channel:
        return own.channel(self.address)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    server, port = await build_server(
        "127.0.0.1:0", [made.echo], made.transport, lambda _: True, made.gate
    )
    made.address = f"127.0.0.1:{port}"
    await server.start()
    yield made
    await server.stop(None)


def person() -> tuple[Transport, bytes]:
    """Somebody's connections, and its certificate."""
    made = Holder()
    return made.transport, made.certificate


async def end(channel: grpc.aio.Channel, path: str = PING, payload: bytes = b"x") -> str:
    """OK, or the code of a call, and the reason where it is definite."""
    try:
        await channel.unary_unary(path)(payload, timeout=CALL_S)
    except grpc.aio.AioRpcError as raised:
        error = raised
    else:
        return "OK"
    status = rpc_status.from_call(error)
    if status is None:
        return error.code().name
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == int(info.metadata["come_again_ms"]) > 0
    assert info.metadata["limit"] in error.details()
    return f"{error.code().name} {info.reason}"


REFUSED = "RESOURCE_EXHAUSTED TOO_MANY_CALLS"


async def test_a_stranger_is_taken_then_refused_then_dropped(house: House) -> None:
    stranger, _ = person()
    async with house.channel(stranger) as channel:
        most = int(budget.ADDRESS_CALLS.burst)
        ends = [await end(channel) for _ in range(most + int(budget.REFUSALS.burst) + 20)]
    assert ends[:most] == ["OK"] * most
    assert ends[most:-20] == [REFUSED] * int(budget.REFUSALS.burst)
    assert ends[-20:] == ["CANCELLED"] * 20
    assert house.echo.seen == most
    assert list(house.gate.door._dropped.values()) == [20]
    house.now += 1
    async with house.channel(stranger) as channel:
        assert await end(channel) == "OK"


async def test_what_is_long_is_taken_as_several_calls(house: House) -> None:
    stranger, _ = person()
    size = 100 * budget.CALL_BYTES
    async with house.channel(stranger) as channel:
        ends = [await end(channel, payload=bytes(size)) for _ in range(3)]
    assert ends == ["OK", "OK", REFUSED]
    assert house.echo.seen == 2


async def test_a_member_at_the_same_address_is_taken_all_the_while(house: House) -> None:
    """Also over a new connection, of which nothing is known yet."""
    stranger, _ = person()
    member, certificate = person()
    house.members.add(certificate)
    async with house.channel(stranger) as channel:
        while await end(channel) != "CANCELLED":
            pass
    for _ in range(3):
        async with house.channel(member) as channel:
            assert [await end(channel) for _ in range(50)] == ["OK"] * 50


async def test_an_unknown_method_is_dropped_as_well(house: House) -> None:
    stranger, _ = person()
    async with house.channel(stranger) as channel:
        assert await end(channel, "/x.Y/Z") == "UNIMPLEMENTED"
        while await end(channel) != "CANCELLED":
            pass
        assert await end(channel, "/x.Y/Z") == "CANCELLED"
        assert house.gate.door.untold() == 0


async def test_a_member_over_its_limit_is_told_and_never_dropped(house: House) -> None:
    member, certificate = person()
    house.members.add(certificate)
    most = int(budget.MEMBER_CALLS.burst)
    async with house.channel(member) as channel:
        for _ in range(most // 100):
            assert set(await asyncio.gather(*(end(channel) for _ in range(100)))) == {"OK"}
        assert {await end(channel) for _ in range(300)} == {REFUSED}
        house.now += 0.1
        assert await end(channel) == "OK"


async def test_calls_that_make_no_sense_are_counted_for_members(house: House) -> None:
    member, certificate = person()
    house.members.add(certificate)
    async with house.channel(member) as channel:
        calls = [await end(channel, payload=b"nonsense") for _ in range(2_001)]
    assert calls[:2_000] == ["OK"] * 2_000
    assert calls[2_000] == REFUSED


async def test_strangers_join_less_often_than_they_call(house: House) -> None:
    stranger, _ = person()
    async with house.channel(stranger) as channel:
        most = int(budget.ADDRESS_JOINS.burst)
        assert [await end(channel, JOIN) for _ in range(most)] == ["OK"] * most
        assert await end(channel, JOIN) == REFUSED
        assert await end(channel) == "OK"


async def test_a_member_that_has_left_is_a_stranger_at_once(house: House) -> None:
    member, certificate = person()
    house.members.add(certificate)
    async with house.channel(member) as channel:
        assert await end(channel) == "OK"
        house.members.clear()
        ends = [await end(channel) for _ in range(int(budget.ADDRESS_CALLS.burst) + 1)]
        assert ends[-1] == REFUSED
        more = [await end(channel) for _ in range(int(budget.REFUSALS.burst))]
    assert more[-1] == "CANCELLED", "its connection is a stranger's, too"


async def test_calls_that_are_begun_and_not_made_are_bounded(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins them; and members are taken beside them."""
    monkeypatch.setattr(gate, "UNTOLD_EACH_MAX", 5)
    stranger, _ = person()
    member, certificate = person()
    house.members.add(certificate)
    async with house.channel(stranger) as channel, house.channel(member) as other:
        calls = [channel.stream_unary(PING)(timeout=WAIT_S) for _ in range(20)]
        for call in calls:
            await call.wait_for_connection()
        async with asyncio.timeout(WAIT_S):
            while sum(call.done() for call in calls) < 15:  # noqa: ASYNC110  the server is here
                await asyncio.sleep(0.01)
        assert house.gate.door.untold() == 5
        assert await end(other) == "OK"
        for call in calls:
            call.cancel()


async def test_where_connections_prove_nothing_nobody_is_held_up() -> None:
    echo = Echo()
    server, port = await build_server(
        "127.0.0.1:0", [echo], PLAIN, gate=Gate(PLAIN, lambda _: False)
    )
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS) as channel:
        count = int(budget.ADDRESS_CALLS.burst) + 50
        assert {await end(channel) for _ in range(count)} == {"OK"}
    await server.stop(None)


async def test_an_honest_caller_comes_again_when_it_is_told_to(house: House, tasks: Tasks) -> None:
    """And, where its time is over before, says so: nobody has refused it for good."""
    stranger, _ = person()
    line = Line(house.address, tasks, lambda: None, stranger)
    for _ in range(int(budget.ADDRESS_CALLS.burst)):
        assert await line.call(PING, b"x", 5_000) == b"x"
    asyncio.get_running_loop().call_later(0.1, setattr, house, "now", house.now + 0.1)
    assert await line.call(PING, b"x", 5_000) == b"x"
    house.gate.budget = budget.Budget()
    full = budget.Rate(0.1, 1)
    house.gate.budget._addresses = budget.Buckets(full)
    assert await line.call(PING, b"x", 5_000) == b"x"
    told = await line.call(PING, b"x", 1_000)
    assert isinstance(told, Silenced)
    assert (told.how, told.reason) == (Silence.SILENT, "TOO_MANY_CALLS")
    assert "0.1 calls a second of an address" in told.status
    await line.close()


async def test_the_connections_of_strangers_are_looked_at(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "STRANGERS_MAX", 0)
    monkeypatch.setattr(door, "FEW", 0)
    port = int(house.address.rpartition(":")[2])
    house.gate.door._ports = lambda: [port]
    stranger, _ = person()
    member, certificate = person()
    house.members.add(certificate)
    async with house.channel(stranger) as one, house.channel(member) as other:
        assert [await end(one), await end(other)] == ["OK", "OK"]
        house.gate.look()
        house.now += 10
        house.gate.look()
        assert house.gate.door.shut == 1
        async with asyncio.timeout(WAIT_S):
            while one.get_state() is grpc.ChannelConnectivity.READY:
                await one.wait_for_state_change(grpc.ChannelConnectivity.READY)
        assert other.get_state() is grpc.ChannelConnectivity.READY
