"""Tries node/peers.py and node/peer.py: outgoing calls against real servers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from node import peers
from node.core import messages as core
from node.core.messages import Ping, Pong, Refusal, Request, Told
from node.core.reasons import Reason
from node.core.types import Silence
from node.peers import LinkFigures, Links
from node.rpc import CallLog
from node.rpc.transport import PLAIN
from node.runner import Silenced
from node.service import Desk, NodeService, build_server
from node.tasks import Tasks
from tests.node.test_rpc import silent_port, tasks
from tests.node.village import REPLIES, Village
from tests.node.wire_values import (
    CALLER,
    EXAMPLES,
    ID,
    REPLY_OF,
    TELL,
    VIEW,
)
from tests.waiting import WAIT_S

__all__ = ["silent_port", "tasks"]  # fixtures

TOLD = Told(core.Receipt.STORED, ID, 1_000_001, b"s" * 64)


@asynccontextmanager
async def living(village: Village, port: int = 0) -> AsyncIterator[str]:
    crashes: list[BaseException] = []
    tasks = Tasks(lambda _, error: crashes.append(error))
    desk, own = Desk(village), [f"127.0.0.1:{port}"]
    links = Links(
        tasks, CallLog(), village.broken.append, desk, lambda: tuple(own), _never_late, PLAIN
    )
    server, port = await build_server(own[0], [NodeService(desk, links, PLAIN)])
    own[:] = [f"127.0.0.1:{port}"]
    await server.start()
    try:
        yield own[0]
    finally:
        await server.stop(None)
        await links.close()
        await tasks.close()
        assert crashes == []


def _never_late(address: str, ms: int) -> None:
    raise AssertionError(f"{address} answers {ms} ms late")


@pytest.fixture
def log() -> CallLog:
    return CallLog()


@pytest.fixture
async def broken() -> "asyncio.Queue[str]":
    return asyncio.Queue()


@pytest.fixture
async def links(
    tasks: Tasks,
    log: CallLog,
    broken: "asyncio.Queue[str]",
) -> AsyncIterator[Links]:
    desk = Desk(Village())
    made = Links(tasks, log, broken.put_nowait, desk, lambda: ("127.0.0.1:1",), _never_late, PLAIN)
    yield made
    await made.close()


@pytest.mark.parametrize("request_", EXAMPLES, ids=lambda request: type(request).__name__)
async def test_every_call_goes_there_and_back(links: Links, request_: Request) -> None:
    village = Village()
    async with living(village) as address:
        reply = await links.call(address, b"", request_, 5_000)
    assert village.seen == [request_]
    assert reply == REPLIES[REPLY_OF[type(request_)]]


async def test_a_refusal_is_an_answer(links: Links, log: CallLog) -> None:
    village = Village()
    refusal = Refusal(Reason.OLD_INCARNATION, "there is a later life of yours")
    village.script = lambda _: refusal
    async with living(village) as address:
        assert await links.call(address, b"", TELL, 5_000) == refusal
    figures = links.figures(address, b"")
    assert (figures.calls, figures.failures) == (1, 1)
    assert figures.last_error == "OLD_INCARNATION: there is a later life of yours"
    assert log.rows()[0].status == figures.last_error


async def test_an_error_is_shown_while_it_is_the_latest_that_came_of_a_call(links: Links) -> None:
    village = Village()
    refusal = Refusal(Reason.OLD_INCARNATION, "there is a later life of yours")
    village.script = lambda _: refusal
    async with living(village) as address:
        await links.call(address, b"", TELL, 5_000)
        village.script = lambda request: REPLIES[REPLY_OF[type(request)]]
        await links.call(address, b"", TELL, 5_000)
        figures = links.figures(address, b"")
    assert (figures.calls, figures.failures, figures.last_error) == (2, 1, "")


async def test_figures_tell_of_each_address(links: Links, log: CallLog) -> None:
    assert links.figures("127.0.0.1:9", b"") == LinkFigures("idle")
    village = Village()
    async with living(village) as address:
        await links.call(address, b"", TELL, 5_000)
        figures = links.figures(address, b"")
        assert (figures.link, figures.calls, figures.failures) == ("ready", 1, 0)
        assert figures.rtt_us > 0
        village.gate.clear()
        waiting = asyncio.create_task(links.call(address, b"", TELL, 5_000))
        while len(village.seen) < 2:  # noqa: ASYNC110  the server runs on this loop
            await asyncio.sleep(0.001)
        assert links.figures(address, b"").in_flight == 1
        village.gate.set()
        await waiting
    (first, second) = log.rows()
    assert first.path == "/p2pchat.v1.Node/Message"
    assert (first.address, first.status, first.request) == (address, "OK", TELL)
    assert second.took_us > 0


async def test_an_indirect_ping_is_no_round_trip(links: Links) -> None:
    async with living(Village()) as address:
        await links.call(address, b"", Ping(CALLER, VIEW, on_behalf=1_000_003), 5_000)
        assert links.figures(address, b"").rtt_us == 0
        await links.call(address, b"", Ping(CALLER, VIEW), 5_000)
        assert links.figures(address, b"").rtt_us > 0


async def test_a_dead_peer_breaks_the_link_and_refuses(
    links: Links, broken: "asyncio.Queue[str]"
) -> None:
    async with living(Village()) as address:
        await links.call(address, b"", TELL, 5_000)
    assert await asyncio.wait_for(broken.get(), WAIT_S) == address
    end = await links.call(address, b"", TELL, 5_000)
    assert isinstance(end, Silenced)
    assert end.how is Silence.REFUSED
    assert links.figures(address, b"").link == "failing"


async def test_a_restarted_peer_is_reached_by_the_next_call(links: Links) -> None:
    async with living(Village()) as address:
        await links.call(address, b"", TELL, 5_000)
    assert isinstance(await links.call(address, b"", TELL, 5_000), Silenced)
    async with living(Village(), int(address.rpartition(":")[2])):
        assert await links.call(address, b"", TELL, 250) == TOLD


async def test_a_full_line_fails_at_once_but_for_pings_and_elections(
    links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "IN_FLIGHT_MAX", 2)
    village = Village()
    village.gate.clear()
    async with living(village) as address:
        waiting = [asyncio.create_task(links.call(address, b"", TELL, 5_000)) for _ in range(2)]
        await asyncio.sleep(0)
        end = await links.call(address, b"", TELL, 5_000)
        assert isinstance(end, Silenced)
        assert end.how is Silence.SILENT
        assert "2 calls" in end.status
        village.gate.set()
        village.script = lambda request: (
            TOLD if isinstance(request, core.Tell) else REPLIES[core.Pong]
        )
        assert isinstance(await links.call(address, b"", Ping(CALLER, VIEW), 5_000), Pong)
        assert await asyncio.gather(*waiting) == [TOLD, TOLD]
        assert await links.call(address, b"", TELL, 5_000) == TOLD


async def test_a_malformed_answer_says_nothing_definite(links: Links) -> None:
    village = Village()
    village.script = lambda _: Told(core.Receipt.STORED, "no id", 0)
    async with living(village) as address:
        end = await links.call(address, b"", TELL, 5_000)
    assert isinstance(end, Silenced)
    assert "msg_id" in end.status
    assert end.how is Silence.SILENT


async def test_a_call_of_another_version_is_refused(
    links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("facts", "frames"):
        monkeypatch.setattr(f"node.codec.{part}.PROTOCOL", "7.2")
    village = Village()
    async with living(village) as address:
        end = await links.call(address, b"", TELL, 5_000)
    assert isinstance(end, Refusal)
    assert end.reason == Reason.VERSION_MISMATCH
    assert village.seen == []


async def test_unused_lines_are_closed_and_used_ones_kept(
    links: Links, broken: "asyncio.Queue[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living(Village()) as address:
        await links.call(address, b"", TELL, 5_000)
        await links.close_unused()
        assert links.figures(address, b"").link == "ready"
        monkeypatch.setattr(peers, "UNUSED_S", -1.0)
        await links.close_unused()
        assert links.figures(address, b"") == LinkFigures("idle")
        assert await links.call(address, b"", TELL, 5_000) == TOLD
    await asyncio.wait_for(broken.get(), WAIT_S)
    assert broken.empty()


async def test_of_too_many_lines_the_least_used_are_closed(
    links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "LINKS_MAX", 4)
    async with living(Village()) as address:
        for stranger in range(1, 11):
            assert await links.call(address, b"", TELL, 2_000) == TOLD
            await links.call(f"127.0.0.1:{stranger}", b"", TELL, 2_000)
        assert links.figures(address, b"").calls == 10, "a line that is used is kept"
    known = [at for at in range(1, 11) if links.figures(f"127.0.0.1:{at}", b"").calls]
    assert known == [8, 9, 10]


async def test_a_line_with_a_call_under_way_is_used(
    links: Links, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "UNUSED_S", -1.0)
    village = Village()
    village.gate.clear()
    async with living(village) as address:
        call = asyncio.create_task(links.call(address, b"", TELL, 5_000))
        while not village.seen:  # noqa: ASYNC110  the server runs on this loop
            await asyncio.sleep(0.001)
        await links.close_unused()
        village.gate.set()
        assert await call == TOLD


async def test_a_cancelled_call_leaves_nothing_behind(links: Links) -> None:
    village = Village()
    village.gate.clear()
    async with living(village) as address:
        call = asyncio.create_task(links.call(address, b"", TELL, 5_000))
        while not village.seen:  # noqa: ASYNC110  the server runs on this loop
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert links.figures(address, b"").in_flight == 0


async def test_a_frozen_peer_costs_its_deadline(links: Links) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        end = await links.call(f"127.0.0.1:{frozen.getsockname()[1]}", b"", TELL, 50)
    assert isinstance(end, Silenced)
    assert end.how is Silence.SILENT


async def test_a_member_on_another_machine_is_not_called_by_plain_connections(
    links: Links,
) -> None:
    ping = next(one for one in EXAMPLES if isinstance(one, Ping))
    silenced = await links.call("10.0.0.5:1", b"", ping, 1_000)
    assert isinstance(silenced, Silenced)
    assert silenced.status.startswith("UNAVAILABLE: with --insecure connections are plain")
    assert not links.begin("10.0.0.5:1", b"", ping, 1_000, lambda _: None)
