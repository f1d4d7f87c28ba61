"""A service in this process on a real port, with a clock and leaders that a test sets."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import grpc
import pytest

from nds.ledger import Ledger
from nds.record import Epoch
from nds.service import NodeDiscovery
from nds.service.grants import Grants
from nds.service.noise import Noise
from nds.service.questions import Questions
from nds.store import MemoryStore
from nds.watchers import Watchers
from p2pchat.v1 import common_pb2, nds_pb2, nds_pb2_grpc, node_pb2, node_pb2_grpc
from tests.waiting import WAIT_S

START_MS = 1_795_000_000_000
LIMIT = [("grpc.max_receive_message_length", 512 * 1024)]
LOCAL = [("grpc.use_local_subchannel_pool", 1)]


@dataclass
class Clock:
    now_ms: int = START_MS

    def __call__(self) -> int:
        return self.now_ms


class Leader(node_pb2_grpc.NodeServicer):
    """A node as the discovery service sees it: answers the question as a test tells it."""

    def __init__(self) -> None:
        self.standing = node_pb2.STANDING_LEADING
        self.epoch: Epoch | None = None  # None: the one it is asked about
        self.leader = 0
        self.grant: common_pb2.Grant | None = None  # that it shows
        self.status: grpc.StatusCode | None = None
        self.silent = False
        self.asked: list[node_pb2.LivenessPingRequest] = []
        self.at_once = 0
        self.most_at_once = 0
        self.was_asked = asyncio.Event()
        self.address = ""

    async def LivenessPing(self, request, context):
        self.asked.append(request)
        self.was_asked.set()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.silent:
                await asyncio.Event().wait()
            if self.status is not None:
                await context.abort(self.status, "as the test wants")
            asked = Epoch(request.asks_leading.generation, request.asks_leading.n)
            generation, n = self.epoch or asked
            epoch = common_pb2.Epoch(generation=generation, n=n)
            view = common_pb2.View(epoch=epoch, leader_id=self.leader, grant=self.grant)
            return node_pb2.LivenessPingResponse(standing=self.standing, view=view)
        finally:
            self.at_once -= 1


@dataclass
class Running:
    """A service and a client of it."""

    stub: nds_pb2_grpc.NodeDiscoveryStub
    channel: grpc.aio.Channel
    address: str
    clock: Clock
    store: MemoryStore
    ledger: Ledger
    watchers: Watchers
    exits: AsyncExitStack
    service: NodeDiscovery
    draws: list[int] = field(default_factory=list)

    async def create(self, name="tea", address="127.0.0.1:1024", number=1):
        request = nds_pb2.CreateNetworkRequest(
            request_id=f"00000000-0000-4000-8000-{number:012x}", name=name, leader_address=address
        )
        return await self.stub.CreateNetwork(request)

    async def leader(self, port: int = 0) -> Leader:
        """Start a node to be asked."""
        leader = Leader()
        leader.address = await self.serve(
            lambda server: node_pb2_grpc.add_NodeServicer_to_server(leader, server), port
        )
        return leader

    async def serve(self, add, port: int = 0) -> str:
        """Start a server of anything; its address."""
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add(server)
        port = server.add_insecure_port(f"127.0.0.1:{port}")
        await server.start()
        self.exits.push_async_callback(server.stop, 0)
        return f"127.0.0.1:{port}"


async def until(holds: Callable[[], bool]) -> None:
    """Let everything else run until something holds."""
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


@pytest.fixture
async def nds():
    """The service; `nds.stub` calls it."""
    clock, store = Clock(), MemoryStore()
    store.start(clock())
    watchers = Watchers(owed_max=64)
    ledger, questions = Ledger(store, watchers, clock), Questions("test", None)
    service = NodeDiscovery(ledger, watchers, questions, clock, Grants(None))
    server = grpc.aio.server(interceptors=[Noise()], options=[*LIMIT, ("grpc.so_reuseport", 0)])
    nds_pb2_grpc.add_NodeDiscoveryServicer_to_server(service, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with AsyncExitStack() as exits:
        exits.callback(ledger.close)
        exits.push_async_callback(server.stop, 0)
        exits.push_async_callback(questions.close)
        exits.callback(watchers.close)
        channel = grpc.aio.insecure_channel(address, options=LOCAL)
        exits.push_async_callback(channel.close)
        stub = nds_pb2_grpc.NodeDiscoveryStub(channel)
        yield Running(stub, channel, address, clock, store, ledger, watchers, exits, service)
