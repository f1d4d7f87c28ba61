"""Nodes whose connections are plain (`--insecure`), among themselves and beside secured ones."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nds.clock import unix_ms
from nds.config import Config
from nds.server import Server
from nds.store import MemoryStore
from node.errors import NdsDistrusted, PlainConnections
from node.host import asking, entering, views
from node.rpc.transport import PLAIN, shown
from node.words import Mode
from tests.node.holder import Holder
from tests.node.test_service import link_error
from tests.node.town import Town, lines, say
from tests.waiting import CALL_S

PLAINLY = {"insecure": "on"}


@pytest.fixture
async def plain() -> AsyncIterator[str]:
    """A discovery service of plain connections."""
    store = MemoryStore()
    server = Server(Config(port=0, insecure=True), store, store.start(unix_ms()), "test", None)
    address = server.bind()
    await server.start()
    yield address
    await server.stop()


@pytest.fixture
async def village(tmp_path: Path, plain: str) -> AsyncIterator[Town]:
    made = Town(tmp_path, plain)
    yield made
    await made.close()


async def test_plain_nodes_make_join_and_talk_as_others_do(village: Town) -> None:
    alice = await village.start("alice", **PLAINLY)
    bob = await village.start("bob", **PLAINLY)
    await entering.create(alice, village.chat, "", "", Mode.LOGGED, is_open=True)
    await entering.join(bob, f"{village.nds}/{village.chat}", "", "")
    assert (await say(alice, "hello")).complete
    assert lines(bob) == ["hello"]
    assert await shown(alice.listen, 5.0) is None
    assert [one.link for one in views.peers(bob.chat(""), bob.links.figures)] == ["ready"]
    for node in (alice, bob):
        assert not node.registries.known.file.exists(), "nothing is proved, and nothing known"
    cards = {one.card.certificate for one in bob.chat("").group.roster.members}
    assert cards == {node.keys.card.certificate for node in (alice, bob)}, "for when they are not"


async def test_a_member_that_is_plain_again_after_it_was_not_is_not_reached(town: Town) -> None:
    """Each of the others means its certificate; it is not told anything in the open."""
    alice, bob = await town.pair()
    await town.stop("bob")
    bob = await town.start("bob", listen=None, **PLAINLY)
    (row,) = (await asking.ping(alice, alice.chat(""), "bob")).rows
    assert not row.answered
    (row,) = (await asking.ping(bob, bob.chat(""), "alice")).rows
    assert not row.answered


async def test_a_plain_nds_is_nothing_for_a_secured_node(village: Town) -> None:
    carol = await village.start("carol")
    for entered in (
        entering.create(carol, village.chat, "", "", Mode.LOGGED, is_open=True),
        entering.join(carol, village.chat, "", ""),
        entering.join(carol, f"{village.nds}/{village.chat}", "", ""),
    ):
        with pytest.raises(NdsDistrusted, match=f"{village.nds} would not be secured"):
            await entered


async def test_a_secured_nds_is_nothing_for_a_plain_node(town: Town) -> None:
    alice = await town.start("alice", **PLAINLY)
    with pytest.raises(NdsDistrusted, match=f"{town.nds} are secured, and this node's are not"):
        await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)


async def test_nobody_says_anything_plain_to_a_secured_node(town: Town) -> None:
    alice, bob = await town.pair()
    async with PLAIN.channel(alice.listen) as channel:
        assert (await link_error(channel)).code().name == "UNAVAILABLE"
    async with Holder().transport.channel(alice.listen) as channel:
        assert (await link_error(channel)).code().name == "UNAUTHENTICATED"
    async with bob.transport.channel(alice.listen, alice.keys.card.certificate) as channel:
        call = channel.stream_stream("/p2pchat.v1.Node/Link")(timeout=CALL_S)
        assert isinstance(await call.read(), bytes), "it is greeted"
        call.cancel()


async def test_a_plain_node_goes_into_no_chat_elsewhere(village: Town, abroad: str) -> None:
    alice = await village.start("alice", **PLAINLY)
    for entered in (
        entering.create(alice, village.chat, abroad, "", Mode.LOGGED, is_open=True),
        entering.join(alice, f"{abroad}/{village.chat}", "", ""),
    ):
        with pytest.raises(PlainConnections, match=f"{abroad} is reached from others"):
            await entered
