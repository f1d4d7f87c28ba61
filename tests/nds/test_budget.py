"""nds/budget.py: what an address may ask, on a clock that the test holds; and over real calls."""

import asyncio
import random

import grpc
import pytest

from nds import budget
from nds.budget import Budget, address_of
from nds.service.noise import Noise
from p2pchat.v1 import nds_pb2, nds_pb2_grpc
from tests.nds.conftest import LOCAL, Running

A, B = "ipv4:10.0.0.1:1", "ipv4:10.0.0.2:1"


def taken(made: Budget, peers: list[str], now: float = 0.0, *, creates: bool = False) -> int:
    return sum(made.call(peer, now, creates=creates) is None for peer in peers)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.1:5", "ipv4:10.0.0.1"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:5", "ipv6:2001:db8:1:2::/64"),
        ("ipv6:%5B2001:db8:1:2::9%5D:77", "ipv6:2001:db8:1:2::/64"),
        ("ipv6:[nonsense]:5", "ipv6:[nonsense]"),
    ],
)
def test_a_subscriber_is_one_address(peer: str, address: str) -> None:
    assert address_of(peer) == address


def test_an_address_has_its_burst_and_then_its_rate_whatever_its_ports() -> None:
    made = Budget()
    ports = [f"ipv4:10.0.0.1:{port}" for port in range(5_000)]
    assert taken(made, ports) == budget.CALLS.burst
    excess = made.call(A, 0.0)
    assert excess is not None
    assert (excess.limit, excess.wait_s) == ("200 calls a second of an address", 0.005)
    assert made.call(B, 0.0) is None
    assert taken(made, ports, 1.0) == budget.CALLS.a_second


def test_all_together_are_bounded_and_who_is_refused_takes_nothing() -> None:
    made = Budget()
    many = [f"ipv4:10.{n // 250}.0.{n % 250}:1" for n in range(6_000)]
    taken(made, [A] * 100_000)
    assert taken(made, many) == budget.ALL_CALLS.burst - budget.CALLS.burst
    excess = made.call("ipv4:192.0.2.1:1", 0.0)
    assert excess is not None
    assert excess.limit == "1000 calls a second of all together"


def test_networks_are_made_less_often() -> None:
    made = Budget()
    assert taken(made, [A] * 500, creates=True) == budget.CREATES.burst
    excess = made.call(A, 0.0, creates=True)
    assert excess is not None
    assert excess.limit == "0.2 networks made a second of an address"
    assert excess.wait_s == pytest.approx(5.0)
    assert made.call(A, 0.0) is None, "other calls are taken"
    assert taken(made, [A] * 500, 60.0, creates=True) == 12


def test_memory_is_bounded() -> None:
    made, rng = Budget(), random.Random(1)
    for n in range(20_000):
        made.call(f"ipv4:{rng.getrandbits(32)}:1", float(n))
    assert all(len(each) <= budget.ADDRESSES_MAX for each in (*made._calls, *made._creates))


def test_a_watch_counts_as_long_as_it_lasts() -> None:
    made = Budget()
    watches = [made.watch(A) for _ in range(budget.WATCHES_EACH_MAX)]
    assert [one.__enter__() for one in watches] == [None] * len(watches)
    with made.watch(A) as excess:
        assert excess is not None
        assert excess.limit == "250 watchers of an address"
    with made.watch(B) as excess:
        assert excess is None
    watches.pop().__exit__(None, None, None)
    with made.watch(A) as excess:
        assert excess is None
    for one in watches:
        one.__exit__(None, None, None)
    assert not made._watches


class Tea(nds_pb2_grpc.NodeDiscoveryServicer):
    async def GetNetworkInformation(self, request, context):
        return nds_pb2.GetNetworkInformationResponse()

    async def CreateNetwork(self, request, context):
        return nds_pb2.CreateNetworkResponse()

    async def WatchNetworks(self, request, context):
        yield nds_pb2.WatchNetworksResponse(caught_up=True)
        await asyncio.Event().wait()


@pytest.fixture
async def stub(nds: Running, monkeypatch: pytest.MonkeyPatch):
    """A service behind small limits."""
    monkeypatch.setattr(budget, "CALLS", budget.Rate(0.1, 10, "calls"))
    monkeypatch.setattr(budget, "CREATES", budget.Rate(0.1, 2, "networks made"))
    monkeypatch.setattr(budget, "WATCHES_EACH_MAX", 2)
    server = grpc.aio.server(interceptors=[Noise(Budget())], options=[("grpc.so_reuseport", 0)])
    nds_pb2_grpc.add_NodeDiscoveryServicer_to_server(Tea(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=LOCAL) as channel:
        yield nds_pb2_grpc.NodeDiscoveryStub(channel)
    await server.stop(None)


async def refused(call) -> tuple[str, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = caught.value
    details = dict(status.trailing_metadata())["grpc-status-details-bin"]
    assert b"google.rpc.RetryInfo" in details
    return status.code().name, *_named(status)


def _named(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    from google.rpc import error_details_pb2, status_pb2

    info = error_details_pb2.ErrorInfo()
    raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert status_pb2.Status.FromString(raw).details[0].Unpack(info)
    assert int(info.metadata["come_again_ms"]) > 0
    return info.reason, info.metadata["limit"]


async def test_calls_creates_and_watches_are_refused_by_name(stub) -> None:
    for _ in range(2):
        await stub.CreateNetwork(nds_pb2.CreateNetworkRequest())
    told = await refused(stub.CreateNetwork(nds_pb2.CreateNetworkRequest()))
    limit = "0.1 networks made a second of an address"
    assert told == ("RESOURCE_EXHAUSTED", "TOO_MANY_CALLS", limit)
    watches = [stub.WatchNetworks(nds_pb2.WatchNetworksRequest()) for _ in range(3)]
    assert [(await one.read()).caught_up for one in watches[:2]] == [True, True]
    told = await refused(watches[2].read())
    assert told[2] == "2 watchers of an address"
    for _ in range(5):
        await stub.GetNetworkInformation(nds_pb2.GetNetworkInformationRequest())
    told = await refused(stub.GetNetworkInformation(nds_pb2.GetNetworkInformationRequest()))
    assert told[2] == "0.1 calls a second of an address"
    for watch in watches[:2]:
        watch.cancel()
