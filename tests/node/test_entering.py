"""The ways into a chat: which discovery service counts, and which chat of a name is meant."""

import socket
from collections.abc import Iterator

import pytest

from node.core.messages import Delete, Deleted
from node.core.proving import Proving
from node.errors import AmbiguousChat, NdsDistrusted, NdsUnreachable, NoSuchChat
from node.happenings import ChatEvent, ErrorEvent
from node.host import entering, inviting, views
from node.host.inviting import Mark
from node.host.nodes import Node
from node.words import Mode
from tests.node.holder import Holder
from tests.node.test_way import serving
from tests.node.town import Town, eventually


@pytest.fixture
def dead() -> Iterator[str]:
    """An address at which nobody listens, and nobody will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def mark(node: Node, nds: str) -> Mark:
    """What stands after the # of a line through a service that this node knows."""
    return Mark(None, node.registries.fingerprint(nds)[:12])


# ---- several discovery services ----------------------------------------------------------------


async def test_a_chat_is_made_at_the_first_service_that_answers(town: Town, dead: str) -> None:
    alice = await town.start("alice")
    created = await entering.create(
        alice, town.chat, f"{dead},{town.nds}", "", Mode.LOGGED, is_open=True
    )
    line = f"{town.nds}/{town.chat}#{mark(alice, town.nds)}"
    assert (created.chat.nds, created.join_line) == (town.nds, line)
    assert alice.registries.addresses == (town.nds,)


async def test_the_first_of_those_configured_that_answers_counts(town: Town, dead: str) -> None:
    alice = await town.start("alice", nds=[dead, town.nds])
    created = await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    assert created.chat.nds == town.nds


async def test_where_none_of_several_answers_all_are_named(town: Town, dead: str) -> None:
    alice = await town.start("alice")
    other = "127.0.0.1:1"
    for entered in (
        entering.create(alice, town.chat, f"{dead},{other}", "", Mode.LOGGED, is_open=True),
        entering.join(alice, town.chat, f"{dead},{other}", ""),
    ):
        with pytest.raises(NdsUnreachable, match=f"No NDS answers at {dead} or {other}. Start"):
            await entered


async def test_a_name_that_any_of_the_services_knows_is_joined(town: Town, dead: str) -> None:
    alice, bob = await town.start("alice"), await town.start("bob", nds=[dead])
    await entering.create(alice, town.chat, "", "", Mode.LOGGED, is_open=True)
    admitted = await entering.join(bob, town.chat, f"{dead},{town.nds}", "")
    assert (admitted.chat.name, admitted.chat.nds) == (town.chat, town.nds)
    assert (await entering.join(bob, town.chat, f"{dead},{town.nds}", "")).already
    with pytest.raises(NoSuchChat, match=f"at {town.nds}; no NDS answers at {dead}"):
        await entering.join(bob, "another", f"{dead},{town.nds}", "")


@pytest.mark.parametrize("hides", [False, True])
async def test_every_member_is_told_whether_newcomers_read_what_was_said(
    town: Town, hides: bool
) -> None:
    alice, bob = await town.start("alice"), await town.start("bob")
    made = await entering.create(
        alice, town.chat, "", "", Mode.LOGGED, is_open=True, hides_history=hides
    )
    await entering.join(bob, made.join_line, "", "")
    for node in (alice, bob):
        assert inviting.listed(node, node.chat("")).hides_history is hides


async def test_a_service_with_another_key_is_named_and_not_passed_over(town: Town) -> None:
    alice = await town.start("alice")
    async with serving(Holder().transport) as (address, service):
        alice.registries.known.keep(address, Holder().certificate)
        for entered in (
            entering.create(alice, town.chat, f"{address},{town.nds}", "", Mode.LOGGED),
            entering.create(alice, town.chat, address, "", Mode.LOGGED),
            entering.join(alice, town.chat, address, ""),
            entering.join(alice, f"{address}/{town.chat}", "", ""),
        ):
            with pytest.raises(NdsDistrusted, match=f"{address} shows another key than it had"):
                await entered
    assert service.heard == 0


# ---- another chat has the name -----------------------------------------------------------------


async def taken_over(town: Town) -> tuple[Node, Node, Node]:
    """alice and bob are in a chat that the service has lost; carol made another of its name."""
    alice, bob = await town.pair()
    carol = await town.start("carol")
    old = alice.chats[0].group
    ended = Proving(old._s).proved(Delete(old.chat, old.epoch))
    assert isinstance(await alice.discovery(town.nds).ask(ended, 2_000), Deleted)
    await entering.create(carol, town.chat, "", "", Mode.LOGGED, is_open=True)
    return alice, bob, carol


async def test_the_chat_that_the_service_names_is_joined_and_not_an_old_one(town: Town) -> None:
    _, bob, carol = await taken_over(town)
    line = f"{town.nds}/{town.chat}"
    admitted = await entering.join(bob, line, "", "")
    assert (admitted.chat.chat_id, admitted.already) == (carol.chats[0].group.chat, False)
    assert (await entering.join(bob, line, "", "")).already
    assert len(bob.chats) == 2


async def test_a_chat_is_called_as_the_service_lists_it_and_that_is_told_once(town: Town) -> None:
    alice, bob, _ = await taken_over(town)
    old = alice.chats[0].group.chat
    name = f"{town.chat}-{old:016x}"[: len(town.chat) + 5]
    told = {node.nick: node.hub.add() for node in (alice, bob)}
    await eventually(lambda: {alice.chats[0].name, bob.chats[0].name} == {name})
    for node in (alice, bob):
        assert views.chat(node.chats[0]).name == name
        assert node.chat(name) is node.chats[0]
        with pytest.raises(NoSuchChat, match=name):
            node.chat(town.chat)  # nothing said there goes to those of the old one
    line = (await inviting.invite(bob, bob.chat(name))).join_line
    assert line == f"{town.nds}/{name}#{mark(bob, town.nds)}"
    await entering.join(bob, f"{town.nds}/{town.chat}", "", "")
    assert bob.chat(town.chat) is bob.chats[1]
    for node in (alice, bob):
        node.hub.end()
        heard = [one async for one in told[node.nick].happenings()]
        said = [one for one in heard if isinstance(one.what, ErrorEvent)]
        assert next(one.what.chat.name for one in heard if isinstance(one.what, ChatEvent)) == name
        assert [(one.what.reason, one.chat, one.chat_id) for one in said] == [
            ("LISTED_AS", name, old)
        ]
        assert f"the NDS lists #{town.chat} as {name} now" in said[0].what.text
    await town.stop("bob")
    again = await town.start("bob")
    assert [one.name for one in again.chats] == [name, town.chat]


async def test_two_chats_of_one_name_at_one_service_are_called_by_number(town: Town) -> None:
    _, bob, carol = await taken_over(town)
    await entering.join(bob, f"{town.nds}/{town.chat}", "", "")
    for one in bob.chats:
        bob.rename(one, town.chat)  # as where nobody could say how the old one is listed
    with pytest.raises(AmbiguousChat) as refused:
        bob.chat(town.chat)
    spelled = [f"{one.group.chat:016x}" for one in bob.chats]
    assert str(refused.value) == f"Which chat? -c {spelled[0]} or -c {spelled[1]}."
    assert [bob.chat(one) for one in spelled] == bob.chats
    assert bob.chat(spelled[1]).group.chat == carol.chats[0].group.chat


async def test_who_gets_in_opens_the_ways_to_all_who_are_there_before_anything_is_said(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all are opened at one moment, when everybody answers the first line."""
    alice, bob = await town.pair()
    carol = await town.start("carol")
    prepared: list[tuple[str, bytes]] = []
    monkeypatch.setattr(carol.links, "prepare", lambda *whom: prepared.append(whom))
    await entering.join(carol, f"{town.nds}/{town.chat}", "", "")
    there = [(node.listen, node.keys.card.certificate) for node in (alice, bob)]
    assert sorted(prepared) == sorted(there)
