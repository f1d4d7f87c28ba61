"""The ways into a chat: which discovery service counts, and which chat of a name is meant."""

import socket
from collections.abc import Iterator

import pytest

from node.errors import NdsUnreachable, NoSuchChat
from node.host import entering
from node.words import Mode
from tests.node.town import Town


@pytest.fixture
def dead() -> Iterator[str]:
    """An address at which nobody listens, and nobody will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


# ---- several discovery services ----------------------------------------------------------------


async def test_a_chat_is_made_at_the_first_service_that_answers(town: Town, dead: str) -> None:
    alice = await town.start("alice")
    created = await entering.create(alice, town.chat, f"{dead},{town.nds}", "", Mode.LOGGED)
    assert (created.chat.nds, created.join_line) == (town.nds, f"{town.nds}/{town.chat}")
    assert alice.registries.addresses == (town.nds,)


async def test_the_first_of_those_configured_that_answers_counts(town: Town, dead: str) -> None:
    alice = await town.start("alice", nds=[dead, town.nds])
    created = await entering.create(alice, town.chat, "", "", Mode.LOGGED)
    assert created.chat.nds == town.nds


async def test_where_none_of_several_answers_all_are_named(town: Town, dead: str) -> None:
    alice = await town.start("alice")
    other = "127.0.0.1:1"
    for entered in (
        entering.create(alice, town.chat, f"{dead},{other}", "", Mode.LOGGED),
        entering.join(alice, town.chat, f"{dead},{other}", ""),
    ):
        with pytest.raises(NdsUnreachable, match=f"No NDS answers at {dead} or {other}. Start"):
            await entered


async def test_a_name_that_any_of_the_services_knows_is_joined(town: Town, dead: str) -> None:
    alice, bob = await town.start("alice"), await town.start("bob", nds=[dead])
    await entering.create(alice, town.chat, "", "", Mode.LOGGED)
    admitted = await entering.join(bob, town.chat, f"{dead},{town.nds}", "")
    assert (admitted.chat.name, admitted.chat.nds) == (town.chat, town.nds)
    assert (await entering.join(bob, town.chat, f"{dead},{town.nds}", "")).already
    with pytest.raises(NoSuchChat, match=f"at {town.nds}; no NDS answers at {dead}"):
        await entering.join(bob, "another", f"{dead},{town.nds}", "")
