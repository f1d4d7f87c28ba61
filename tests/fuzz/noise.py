"""Connections that no client of ours would make, beside everything else."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator
from random import Random

import grpc

from node.trust import certificates
from p2pchat.v1 import common_pb2, control_pb2, nds_pb2, node_pb2
from tests.fuzz import http2
from tests.fuzz.calling import OPTIONS, Case, wants_in
from tests.fuzz.campaign import Campaign, together
from tests.fuzz.town import TALKERS
from tests.waiting import WAIT_S

ANSWER_S = 0.2  # what a server says to noise within this is read, and thrown away
ARMY = 1_000  # connections open at a time
STRANGERS = 1_500  # each is called back
AT_ONCE = 16
LORIS = 24  # connections that send a byte now and then
DRIP_S = 0.2
DEAF = 12  # streams that nobody reads
PATHS = {
    "nds": "/p2pchat.v1.NodeDiscovery/GetNetworkInformation",
    "control": "/p2pchat.v1.Control/GetStatus",
}
PATH = "/p2pchat.v1.Node/LivenessPing"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def door(campaign: Campaign, server: str) -> Ends:
    """A connection to a server's port or socket."""
    target = campaign.town.target(server)
    if target.startswith("unix:"):
        return await asyncio.open_unix_connection(target.removeprefix("unix:"))
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def say(campaign: Campaign, server: str, what: bytes, *, closes: bool = True) -> None:
    """Says it on a connection of its own; nobody minds how that ends."""
    with contextlib.suppress(OSError, TimeoutError):
        reader, writer = await door(campaign, server)
        try:
            writer.write(what)
            async with asyncio.timeout(WAIT_S):
                await writer.drain()
            if closes and writer.can_write_eof():
                writer.write_eof()
            async with asyncio.timeout(ANSWER_S):
                while await reader.read(65_536):
                    pass
        finally:
            writer.close()


def shout(rng: Random, server: str, good: bytes) -> bytes:
    """What one noisy connection says."""
    path = PATHS.get(server, PATH)
    match rng.randrange(10):
        case 0:
            return rng.randbytes(rng.choice((1, 24, 5_000)))
        case 1:
            return b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        case 2:
            return b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(200)
        case 3:
            return http2.PREFACE + rng.randbytes(3_000)
        case 4 | 5:
            return http2.rubbish(rng)
        case 6:
            return http2.flood(rng, path)
        case _:
            return http2.calls(rng, path, good)


async def rattle(campaign: Campaign, count: int) -> None:
    """So many noisy connections to every server, each from its seed."""
    good = node_pb2.LivenessPingRequest(caller=common_pb2.Caller(chat_id=1)).SerializeToString()
    start = campaign.plan.start
    for first in range(start, start + count, 16):
        async with asyncio.TaskGroup() as group:
            for seed in range(first, min(first + 16, start + count)):
                for server in ("nds", "control", *TALKERS[:2]):
                    what = shout(Random(f"noise {server} {seed}"), server, good)
                    group.create_task(say(campaign, server, what, closes=seed % 2 == 0))
        await campaign.inspect(f"after noise SEED={first}..{first + 15}")


@contextlib.asynccontextmanager
async def slow_ones(campaign: Campaign) -> AsyncIterator[None]:
    """Connections that send a byte now and then, for as long as the block lasts."""
    over = asyncio.Event()

    async def drip(server: str) -> None:
        with contextlib.suppress(OSError):
            _, writer = await door(campaign, server)
            try:
                what = http2.OPENING + http2.request(1, PATHS.get(server, PATH))
                for byte in what:
                    if over.is_set():
                        return
                    writer.write(bytes([byte]))
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(DRIP_S):
                            await over.wait()
                await over.wait()
            finally:
                writer.close()

    servers = ("nds", "control", *TALKERS)
    async with asyncio.TaskGroup() as group:
        for i in range(LORIS):
            group.create_task(drip(servers[i % len(servers)]))
        try:
            yield
        finally:
            over.set()


@contextlib.asynccontextmanager
async def deaf_ones(campaign: Campaign) -> AsyncIterator[None]:
    """Watchers that never read what they are told, for as long as the block lasts."""
    streams = []
    async with contextlib.AsyncExitStack() as stack:
        for i in range(DEAF):
            for server, path, payload in (
                ("nds", "/p2pchat.v1.NodeDiscovery/WatchNetworks", nds_pb2.WatchNetworksRequest()),
                ("control", "/p2pchat.v1.Control/Watch", control_pb2.WatchRequest(history=1_000)),
            ):
                options = [*OPTIONS, ("grpc.deaf", i)]  # A connection of its own.
                made = grpc.aio.insecure_channel(campaign.town.target(server), options=options)
                channel = await stack.enter_async_context(made)
                streams.append(channel.unary_stream(path)(payload.SerializeToString()))
        try:
            yield
        finally:
            for stream in streams:
                stream.cancel()


async def strangers(campaign: Campaign) -> None:
    """Many strangers at the town's door, each with another address at which nobody listens."""
    town, count = campaign.town, min(STRANGERS, 2 * campaign.plan.cases)
    chat, rpc = town.society("town").chat, campaign.rpcs["Node/JoinNetwork"]
    leader = next(name for name in TALKERS if town.chat(name, "town").leader_nick == name)

    nobody = certificates.make()

    async def knock(first: int) -> None:
        for n in range(first, count, AT_ONCE):
            address = f"127.1.{n // 250}.{n % 250 + 1}:{1_025 + n}"
            request = wants_in(chat, f"s{n}", address, nobody)
            case = Case(rpc, n, leader, (request,), "town", "stranger", may_be_heard=False)
            await campaign.one(case)

    await together([knock(first) for first in range(AT_ONCE)])


async def army(campaign: Campaign, size: int = ARMY) -> None:
    """So many connections at once to a talker's node and to the discovery service, then none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * size)), hard))
    for server in ("alice", "nds"):
        open_ones: list[asyncio.StreamWriter] = []
        try:
            for _ in range(size):
                _, writer = await door(campaign, server)
                writer.write(http2.OPENING)
                open_ones.append(writer)
            await campaign.answers(server)
            campaign.plan.say(f"{server} answers beside {len(open_ones)} connections")
        except (OSError, TimeoutError) as error:
            campaign.fault(f"{server} beside {len(open_ones)} connections: {error!r}")
        finally:
            for writer in open_ones:
                writer.close()
        await campaign.at_rest(server)
