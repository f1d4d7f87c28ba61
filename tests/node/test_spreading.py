"""Real nodes of a group that is large by their settings: lines are passed on, links are few."""

import asyncio

import pytest

from node.core.events import Changed, Field
from node.core.group import Role
from node.core.types import Way
from node.host import chats, entering
from node.host.chats import wall_ms
from node.host.nodes import Node
from node.peers import Links
from node.words import Mode
from tests.node.town import Town, eventually, lines, say

LARGE = ["spread_above=4"]
NICKS = ["alice", "bob", "carol", "dan", "erin", "frank", "gina", "hugo", "ivan"]


async def crowd(town: Town) -> list[Node]:
    nodes = [await town.start(nick, timing=LARGE) for nick in NICKS]
    await entering.create(nodes[0], town.chat, "", "", Mode.LOGGED, is_open=True)
    for node in nodes[1:]:
        await entering.join(node, f"{town.nds}/{town.chat}", "", "")
    await eventually(lambda: all(len(node.chat("").group.active) == 9 for node in nodes))
    return nodes


def ways(node: Node) -> dict[int, Way | None]:
    """How the last line of this node came to each member."""
    group = node.chat("").group
    assert group._s.last_own is not None
    trace = group.trace(group._s.last_own)
    assert trace is not None
    return {row.member % 1_000_000: row.way for row in trace.rows}


async def test_everyone_has_and_acknowledges_every_line_by_few_links(town: Town) -> None:
    nodes = await crowd(town)
    await asyncio.gather(*(say(node, f"from {node.nick}") for node in nodes))
    said = sorted(f"from {nick}" for nick in NICKS)
    assert all(sorted(lines(node)) == said for node in nodes), "say waits until all have it"
    erin = nodes[4]
    await say(erin, "once more")
    spread, direct = Way.SPREAD, Way.DIRECT
    assert ways(erin) == {
        1: spread, 2: direct, 3: spread, 4: direct, 6: direct, 7: spread, 8: direct, 9: spread
    }  # fmt: skip
    near = {node.chat("").group.me % 1_000_000: node.chat("").group.near for node in nodes[1:]}
    assert {len(others) for others in near.values()} == {4, 5}
    assert [n.chat("").group.role for n in nodes].count(Role.LEADER) == 1


async def test_where_one_passes_nothing_on_all_have_it_nonetheless(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = await crowd(town)
    erin, frank = nodes[4], nodes[5]
    monkeypatch.setattr(frank.chat("").group._passing, "pass_on", lambda *_: None)
    progress = await say(erin, "hello")
    assert (progress.acked, progress.of) == (8, 8)
    assert all(lines(node) == ["hello"] for node in nodes)
    assert (ways(erin)[3], ways(erin)[9]) == (Way.DIRECT, Way.DIRECT)


async def test_who_gets_into_a_group_of_very_many_opens_the_ways_to_its_neighbours(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats, "MEET_MAX", 8)
    prepared: dict[str, set[str]] = {}

    def prepare(links: Links, address: str, _: bytes) -> None:
        prepared.setdefault(links._addresses()[0], set()).add(address)

    monkeypatch.setattr(Links, "prepare", prepare)
    nodes = await crowd(town)
    assert len(prepared[nodes[7].listen]) == 7, "all who were there"
    group = nodes[8].chat("").group
    near = {record.address for one in group.near if (record := group.member(one))}
    assert prepared[nodes[8].listen] == near
    assert len(near) == 5, "and to the leader"


async def test_a_change_of_the_roster_is_known_to_all(town: Town) -> None:
    nodes = await crowd(town)
    ivan = nodes[8].chat("")
    ivan.runner.post(Changed(Field.NICK, "zoe", wall_ms()))
    for node in nodes:
        await eventually(lambda node=node: node.chat("").group.nick(ivan.group.me) == "zoe")  # type: ignore[misc]
