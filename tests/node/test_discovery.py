"""Tries node/discovery.py against a discovery service that says what the test wants."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2

from node.codec import Create, Created
from node.core.messages import (
    Claim,
    Delete,
    Deleted,
    Granted,
    Lookup,
    Record,
    RecordRead,
    Refusal,
    Renew,
)
from node.core.reasons import Reason
from node.core.types import Epoch, IdBlock, Silence
from node.discovery import Discovery, Gone
from node.errors import NdsCannotStore
from node.faults import OTHER_KEY
from node.rpc import CallLog, abort, refused
from node.rpc.options import SERVER_OPTIONS, grpc
from node.rpc.transport import PLAIN, Transport
from node.runner import Silenced
from node.tasks import Tasks
from node.trust.known import Known, fingerprint
from node.way import DISTRUSTED, Way
from p2pchat.v1 import common_pb2, nds_pb2, nds_pb2_grpc
from tests.node.holder import Holder
from tests.node.test_rpc import tasks
from tests.node.wire_values import EPOCH, FACTS

__all__ = ["tasks"]  # a fixture

INFORMATION = nds_pb2.NetworkInformation(
    chat_id=7,
    name="tea",
    epoch=common_pb2.Epoch(generation=1_700_000_000, n=3),
    leader_id=1_000_001,
    leader_address="127.0.0.1:5001",
    seen_ms=5,
    idle=True,
    created_ms=4,
)
RECORD = Record(7, "tea", Epoch(1_700_000_000, 3), 1_000_001, "127.0.0.1:5001")
IDS = common_pb2.IdBlock(first=1_000_009, count=8)


class FakeNds(nds_pb2_grpc.NodeDiscoveryServicer):
    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.refusal: Any = None
        self.store_fault = ""
        self.changes: asyncio.Queue[nds_pb2.WatchNetworksResponse | None] = asyncio.Queue()

    async def _answer(self, request: Any, context: Any, reply: Any) -> Any:
        self.seen.append(request)
        if self.refusal is not None:
            await abort(context, self.refusal)
        return reply

    async def GetNetworkInformation(self, request: Any, context: Any) -> Any:
        reply = nds_pb2.GetNetworkInformationResponse(
            networks=[INFORMATION], next_page_token="x", store_fault=self.store_fault
        )
        return await self._answer(request, context, reply)

    async def UpdateLeader(self, request: Any, context: Any) -> Any:
        reply = nds_pb2.UpdateLeaderResponse(network=INFORMATION, ids=IDS)
        return await self._answer(request, context, reply)

    async def Renew(self, request: Any, context: Any) -> Any:
        return await self._answer(request, context, nds_pb2.RenewResponse(network=INFORMATION))

    async def DeleteNetwork(self, request: Any, context: Any) -> Any:
        return await self._answer(request, context, nds_pb2.DeleteNetworkResponse())

    async def CreateNetwork(self, request: Any, context: Any) -> Any:
        reply = nds_pb2.CreateNetworkResponse(network=INFORMATION, ids=IDS)
        return await self._answer(request, context, reply)

    async def WatchNetworks(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.seen.append(request)
        while (change := await self.changes.get()) is not None:
            yield change


class Scene:
    """`transport` is the service's; it is called with the same one."""

    def __init__(self, tasks: Tasks, transport: Transport = PLAIN) -> None:
        self.tasks, self.transport = tasks, transport
        self.known: Known | None = None
        self.fake = FakeNds()
        self.changes: list[bool | None] = []
        self.log = CallLog()
        self.port = 0

    async def serve(self) -> None:
        self.server = grpc.aio.server(options=SERVER_OPTIONS)
        nds_pb2_grpc.add_NodeDiscoveryServicer_to_server(self.fake, self.server)
        self.port = self.transport.add_port(self.server, f"127.0.0.1:{self.port}")
        await self.server.start()

    def open(self) -> Discovery:
        address = f"127.0.0.1:{self.port}"
        self.way = Way(address, self.tasks, self.transport, self.known)
        return Discovery(address, self.log, lambda it: self.changes.append(it.up), self.way)


@pytest.fixture
async def scene(tasks: Tasks) -> AsyncIterator[Scene]:
    made = Scene(tasks)
    await made.serve()
    made.discovery = made.open()
    yield made
    await made.discovery.close()
    await made.server.stop(None)


CLAIM = Claim(7, 1_000_002, "h:2000", EPOCH, 99, (1_000_002,), 3, only_fate=False, facts=FACTS)


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (Lookup(7), RecordRead(RECORD)),
        (CLAIM, Granted(RECORD, IdBlock(1_000_009, 8), 99)),
        (Renew(7, 1_000_001, EPOCH, "h:2000", True, FACTS), RecordRead(RECORD)),
        (Delete(7, EPOCH), Deleted()),
    ],
)
async def test_what_a_group_asks_is_answered(scene: Any, request_: Any, reply: Any) -> None:
    assert await scene.discovery.ask(request_, 2_000) == reply
    (row,) = scene.log.rows()
    assert row.status == "OK"
    assert row.request == request_
    assert row.path.startswith("/p2pchat.v1.NodeDiscovery/")


async def test_a_refused_claim_brings_the_record_and_the_service_is_up(scene: Any) -> None:
    scene.fake.refusal = refused(Refusal(Reason.LEADER_ALIVE, "it says so"))
    scene.fake.refusal.details.add().Pack(INFORMATION)
    answer = await scene.discovery.ask(CLAIM, 2_000)
    assert answer == Refusal(Reason.LEADER_ALIVE, "it says so", record=RECORD)
    assert scene.discovery.up is True


def unable(reason: str) -> Any:
    """What a service says whose store fails."""
    status = refused(Refusal(reason, "the service cannot store"))
    status.code = code_pb2.UNAVAILABLE
    return status


async def test_a_service_that_cannot_store_answers_and_decides_nothing(scene: Any) -> None:
    await scene.discovery.ask(CLAIM, 2_000)
    channel = scene.way._line._channel
    scene.fake.refusal = unable("STORE_FULL")
    end = await scene.discovery.ask(CLAIM, 2_000)
    assert end == Silenced(Silence.SILENT, "UNAVAILABLE: the service cannot store", "STORE_FULL")
    assert len(scene.fake.seen) == 2, "it is not asked once more at once"
    assert scene.way._line._channel is channel, "nothing is wrong with the connection"
    assert (scene.discovery.up, scene.discovery.down_since_ms) == (True, 0)
    assert scene.discovery.fault == "STORE_FULL"
    assert scene.discovery.doubted.is_set(), "when it can again is found out"
    assert scene.changes == [True, True]
    with pytest.raises(NdsCannotStore, match=r"cannot store \(its disk is full\)"):
        await scene.discovery.create(Create("some-uuid", "tea", "127.0.0.1:5001"), 2_000)
    scene.fake.refusal = None
    await scene.discovery.ask(Lookup(7), 2_000)
    assert scene.discovery.fault, "reading says nothing about writing"
    scene.fake.refusal = refused(Refusal(Reason.LEADER_ALIVE, "it says so"))
    await scene.discovery.ask(CLAIM, 2_000)
    assert scene.discovery.fault, "and neither does a refusal"
    scene.fake.refusal = None
    await scene.discovery.ask(CLAIM, 2_000)
    assert not scene.discovery.fault
    assert scene.changes == [True, True, True]


@pytest.mark.parametrize(
    ("said", "fault"),
    [("STORE_FULL", "STORE_FULL"), ("", ""), ("rm -rf \x1b[0m", ""), ("X" * 41, "")],
)
async def test_a_list_says_whether_the_service_can_store(scene: Any, said: str, fault: str) -> None:
    scene.fake.store_fault = said
    page = await scene.discovery.networks(deadline_ms=2_000)
    assert (page.fault, scene.discovery.fault) == (fault, fault)
    scene.fake.store_fault = ""
    assert await scene.discovery.check(2_000)
    assert scene.discovery.fault == ""


async def test_a_network_is_made(scene: Any) -> None:
    created = await scene.discovery.create(Create("some-uuid", "tea", "127.0.0.1:5001"), 2_000)
    assert isinstance(created, Created)
    assert created.network.record == RECORD
    assert created.network.created == 4
    assert created.ids == IdBlock(1_000_009, 8)
    (sent,) = scene.fake.seen
    assert (sent.request_id, sent.name, sent.leader_address) == (
        "some-uuid",
        "tea",
        "127.0.0.1:5001",
    )


async def test_networks_come_in_pages(scene: Any) -> None:
    page = await scene.discovery.networks(
        page_size=5, page_token="p", include_hidden=True, deadline_ms=2_000
    )
    assert page.next_page_token == "x"
    (network,) = page.networks
    assert (network.record, network.seen, network.idle) == (RECORD, 5, True)
    (sent,) = scene.fake.seen
    assert (sent.page_size, sent.page_token, sent.include_hidden) == (5, "p", True)


def unreadable() -> nds_pb2.NetworkInformation:
    made = nds_pb2.NetworkInformation()
    made.CopyFrom(INFORMATION)
    made.chat_id, made.epoch.n = 8, 2**53
    return made


async def test_one_network_that_cannot_be_read_is_left_out_of_a_list_and_told_once(
    scene: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def listed(request: Any, context: Any) -> Any:
        networks = [unreadable(), INFORMATION, unreadable()]
        return nds_pb2.GetNetworkInformationResponse(networks=networks, next_page_token="x")

    scene.fake.GetNetworkInformation = listed
    await scene.server.stop(None)
    await scene.serve()
    for _ in range(2):
        page = await scene.discovery.networks(deadline_ms=2_000)
        assert [network.record for network in page.networks] == [RECORD]
        assert page.next_page_token == "x"
    assert await scene.discovery.check(2_000)
    for change in (
        nds_pb2.WatchNetworksResponse(network=unreadable()),
        nds_pb2.WatchNetworksResponse(network=INFORMATION),
        nds_pb2.WatchNetworksResponse(network=unreadable(), deleted=True),
        nds_pb2.WatchNetworksResponse(caught_up=True),
        None,
    ):
        scene.fake.changes.put_nowait(change)
    seen = []
    with pytest.raises(Gone, match="ended"):
        async for change in scene.discovery.watch():
            seen.append(change)
    assert [(one.network and one.network.record, one.caught_up) for one in seen] == [
        (RECORD, False),
        (None, True),
    ]
    warned = [one.getMessage() for one in caplog.records if one.name == "node.discovery"]
    assert len(warned) == 1
    assert "networks[0].epoch.n must be" in warned[0]


async def test_changes_are_watched_until_the_service_goes(scene: Any) -> None:
    for change in (
        nds_pb2.WatchNetworksResponse(network=INFORMATION),
        nds_pb2.WatchNetworksResponse(caught_up=True),
        nds_pb2.WatchNetworksResponse(network=INFORMATION, deleted=True),
        None,
    ):
        scene.fake.changes.put_nowait(change)
    seen = []
    with pytest.raises(Gone, match="ended"):
        async for change in scene.discovery.watch():
            seen.append(change)
    assert [change.caught_up for change in seen] == [False, True, False]
    assert [change.deleted for change in seen] == [False, False, True]
    assert seen[0].network.record == RECORD
    assert seen[1].network is None
    assert scene.discovery.up is True


async def test_a_watched_service_that_dies_is_gone(scene: Any) -> None:
    scene.fake.changes.put_nowait(nds_pb2.WatchNetworksResponse(caught_up=True))
    with pytest.raises(Gone, match=r"UNAVAILABLE|CANCELLED|UNKNOWN"):
        async for _ in scene.discovery.watch():
            await scene.server.stop(None)
    assert scene.discovery.up is False


async def test_a_watch_whose_connection_is_replaced_says_so(scene: Any) -> None:
    scene.fake.changes.put_nowait(nds_pb2.WatchNetworksResponse(caught_up=True))
    with pytest.raises(Gone):
        async for _ in scene.discovery.watch():
            await scene.way._line._channel.close()


async def test_it_is_known_since_when_the_service_is_down(scene: Any) -> None:
    assert scene.discovery.up is None
    await scene.discovery.ask(Lookup(7), 2_000)
    await scene.discovery.ask(Lookup(7), 2_000)
    assert (scene.discovery.up, scene.discovery.down_since_ms) == (True, 0)
    await scene.server.stop(None)
    end = await scene.discovery.ask(Lookup(7), 2_000)
    assert isinstance(end, Silenced)
    assert end.how is Silence.REFUSED
    first = scene.discovery.down_since_ms
    assert first > 1_700_000_000_000
    await scene.discovery.ask(Lookup(7), 2_000)
    assert scene.discovery.down_since_ms == first
    assert scene.discovery.last_error.startswith("UNAVAILABLE")
    await scene.serve()
    assert await scene.discovery.ask(Lookup(7), 250) == RecordRead(RECORD)
    assert (scene.discovery.up, scene.discovery.down_since_ms) == (True, 0)
    assert scene.changes == [True, False, True]


async def test_a_malformed_answer_counts_as_none(scene: Any) -> None:
    async def nonsense(request: Any, context: Any) -> Any:
        return nds_pb2.UpdateLeaderResponse()

    scene.fake.UpdateLeader = nonsense
    await scene.server.stop(None)
    await scene.serve()
    end = await scene.discovery.ask(CLAIM, 2_000)
    assert isinstance(end, Silenced)
    assert "network.chat_id" in end.status
    assert scene.discovery.up is False


async def test_an_answer_that_comes_late_is_a_doubt_and_a_check_with_more_time_ends_it(
    scene: Any,
) -> None:
    lets = asyncio.Event()

    async def late(request: Any, context: Any) -> Any:
        await lets.wait()
        return nds_pb2.GetNetworkInformationResponse(networks=[INFORMATION])

    scene.fake.GetNetworkInformation = late
    await scene.server.stop(None)
    await scene.serve()
    await scene.discovery.ask(CLAIM, 2_000)
    assert scene.discovery.up is True
    end = await scene.discovery.ask(Lookup(7), 50)
    assert isinstance(end, Silenced)
    assert (scene.discovery.up, scene.discovery.doubted.is_set()) == (True, True)
    assert not await scene.discovery.check(50)
    assert (scene.discovery.up, scene.discovery.doubted.is_set()) == (False, False)
    await scene.discovery.ask(Lookup(7), 50)
    assert scene.discovery.doubted.is_set(), "while it is away, too"
    lets.set()
    assert await scene.discovery.check(2_000)
    assert scene.changes == [True, False, True]


# ---- who is there ------------------------------------------------------------------------------


@pytest.fixture
async def secured(tasks: Tasks, tmp_path: Path) -> AsyncIterator[Scene]:
    """A service that is known, and has answered once."""
    made = Scene(tasks, Holder().transport)
    made.known = Known(tmp_path)
    await made.serve()
    made.discovery = made.open()
    await made.discovery.ask(Lookup(7), 2_000)
    yield made
    await made.discovery.close()
    await made.server.stop(None)


async def taken_over(scene: Scene) -> Holder:
    """Another one is at its place."""
    other = Holder()
    await scene.server.stop(None)
    scene.transport = other.transport
    await scene.serve()
    return other


async def test_a_service_with_another_key_is_away_and_told_with_that_reason(secured: Any) -> None:
    other = await taken_over(secured)
    asked = len(secured.fake.seen)
    await secured.discovery.ask(CLAIM, 2_000)
    end = await secured.discovery.ask(CLAIM, 2_000)
    assert isinstance(end, Silenced)
    assert end.status == f"{DISTRUSTED}{secured.discovery.distrust}"
    assert fingerprint(other.certificate) in secured.discovery.distrust
    assert secured.discovery.doubted.is_set()
    assert not await secured.discovery.check(2_000)
    assert (secured.discovery.up, secured.discovery.fault) == (False, OTHER_KEY)
    assert secured.changes == [True, False]
    assert len(secured.fake.seen) == asked, "it has heard nothing"
    secured.known.file.write_text("")
    assert isinstance(await secured.discovery.ask(CLAIM, 2_000), Granted)
    assert (secured.discovery.up, secured.discovery.fault) == (True, "")
    assert secured.discovery.distrust == ""


async def test_one_that_is_trusted_again_has_no_fault_whatever_it_says_first(secured: Any) -> None:
    await taken_over(secured)
    await secured.discovery.check(2_000)
    assert secured.discovery.fault == OTHER_KEY
    secured.known.file.write_text("")
    await secured.discovery.ask(Lookup(7), 2_000)
    assert (secured.discovery.up, secured.discovery.fault) == (True, "")


async def test_a_watch_alone_finds_another_key(secured: Any) -> None:
    await taken_over(secured)
    secured.discovery = secured.open()  # as after a restart of the node
    with pytest.raises(Gone, match="shows another key than it had"):
        await anext(secured.discovery.watch())
    assert (secured.discovery.up, secured.discovery.fault) == (False, OTHER_KEY)
    assert "shows another key" in secured.discovery.last_error


async def test_a_watch_alone_finds_that_nobody_is_there(secured: Any) -> None:
    await secured.server.stop(None)
    secured.discovery = secured.open()
    with pytest.raises(Gone):
        await anext(secured.discovery.watch())
    assert (secured.discovery.up, secured.discovery.fault) == (False, "")
    assert secured.discovery.down_since_ms > 0
