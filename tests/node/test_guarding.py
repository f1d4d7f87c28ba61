"""node/host/guarding.py: what a node says of who floods, and that it looks at its connections."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.happenings import MemberEvent
from node.host import guarding, views
from tests.nds.programs import running
from tests.node.town import Town, eventually
from tests.waiting import WAIT_S


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with running() as (process, _):
        made = Town(tmp_path, process.address)
        yield made
        await made.close()


async def test_a_member_that_floods_is_told_once_and_shown(town: Town) -> None:
    alice, bob = await town.pair()
    certificate = bob.keys.card.certificate
    watcher = alice.hub.add(kinds=(MemberEvent,))
    await eventually(lambda: bool(alice.links._serving) or bool(alice.links._accepted))
    links = [*alice.links._serving] or [one.link for one in alice.links._peers.values() if one.link]
    link = next(one for one in links if one.certificate == certificate)
    assert not list(guarding.problems(alice))
    link.pace.wait_s(asyncio.get_running_loop().time(), size=2**40, lines=1)
    link.on_flood(link)
    async with asyncio.timeout(WAIT_S):
        async for happening in watcher.happenings():
            what = happening.what
            if isinstance(what, MemberEvent) and what.change == "throttled":
                break
    assert (what.nick, happening.chat) == ("bob", town.chat)
    told = f"bob floods #{town.chat}: throttled, what it sends is read slowly"
    assert told in alice.status().problems
    (row,) = views.peers(alice.chats[0], alice.links.figures)
    assert row.held_ms == 5_000


async def test_a_node_looks_at_its_connections_and_knows_whose_they_are(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarding, "LOOK_S", 0.01)
    alice, bob = await town.pair()
    assert alice.gate.door._ports() == [int(alice.listen.rpartition(":")[2])]
    looked: list[float] = []
    monkeypatch.setattr(alice.gate.door, "look", looked.append)
    await eventually(lambda: len(looked) > 2)
    await eventually(lambda: bob.keys.card.certificate in alice.gate.door._members.values())
