"""Who comes in through a member takes its word for the service: node/host/introducing.py,
node/host/registries.py.
"""

from typing import Any

import pytest

from node import profile as profiles
from node.core.messages import Caller, Join, Lookup, RecordRead, Refusal, View, Welcome
from node.core.types import NO_EPOCH, Silence
from node.errors import WrongNds
from node.host import entering, registries
from node.host.checks import diagnose
from node.host.introducing import Introduced
from node.host.nodes import Node
from node.runner import Silenced
from node.trust.known import FILE
from node.words import Mode
from tests.node.holder import Holder
from tests.node.town import Town, eventually


@pytest.fixture
async def alice(town: Town) -> Node:
    """Who has made the chat."""
    made = await town.start("alice")
    await entering.create(made, town.chat, "", "", Mode.LOGGED, is_open=True)
    return made


@pytest.fixture
def line(town: Town, alice: Node) -> str:
    """To the chat, through her."""
    return f"{alice.advertised(town.nds)}/{town.chat}"


@pytest.mark.parametrize("shown", [Holder().certificate, None], ids=["other", "none"])
async def test_another_service_at_that_address_is_not_taken_for_it(
    town: Town, line: str, monkeypatch: pytest.MonkeyPatch, shown: bytes | None
) -> None:
    bob = await town.start("bob", nds=[])

    async def another(address: str, within_s: float) -> bytes | None:
        assert address == town.nds
        return shown

    with monkeypatch.context() as patch:
        patch.setattr(registries, "shown", another)
        with pytest.raises(WrongNds, match=f"{town.nds} is not the NDS of its members: it show"):
            await entering.join(bob, line, "", "")
    assert not (bob.places.data / FILE).exists()
    assert bob.chats == []
    await entering.join(bob, line, "", "")  # nothing of the failed one stays
    assert [chat.name for chat in bob.chats] == [town.chat]


async def test_who_comes_by_another_name_of_the_service_goes_by_that(
    town: Town, alice: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What answers at the name that the others have for it is nothing to who does not use that."""
    bob, port = await town.start("bob", nds=[]), town.nds.rpartition(":")[2]

    async def another(address: str, within_s: float) -> bytes:
        return Holder().certificate

    monkeypatch.setattr(registries, "shown", another)
    admitted = await entering.join(bob, f"localhost:{port}/{town.chat}", "", "")
    assert admitted.chat.nds == f"localhost:{port}"
    assert bob.registries.known.certificate(town.nds) == b""


@pytest.mark.parametrize("silence", Silence)
async def test_where_nobody_answers_there_it_is_somebody_s_word_in_that_chat_alone(
    town: Town, alice: Node, line: str, monkeypatch: pytest.MonkeyPatch, silence: Silence
) -> None:
    """Whoever answers there later, once there is somebody, is then held against it."""
    bob = await town.start("bob", nds=[])
    shows: Silence | bytes = silence

    async def there(address: str, within_s: float) -> Silence | bytes:
        return shows

    real = registries.shown
    monkeypatch.setattr(registries, "shown", there)
    await entering.join(bob, line, "", "")
    named = alice.registries.known.certificate(town.nds)

    async def asks() -> object:
        (chat,) = bob.chats
        return await chat.nds.ask(Lookup(chat.group.chat, ""), 2_000)

    for is_again in (False, True):
        if is_again:  # It is kept.
            await town.stop("bob")
            bob = await town.start("bob", nds=[])
        (chat,) = bob.chats
        assert chat.word.certificate(town.nds) == named
        shows = silence
        assert isinstance(await asks(), Silenced)
        (row,) = bob.status().nds
        assert (row.address, row.state.split()[0]) == (town.nds, "down")
        shows = Holder().certificate
        outcome = await asks()
        assert isinstance(outcome, Silenced)
        assert "is not the NDS of its members" in outcome.status
        assert [one.state.split()[:2] for one in bob.status().nds] == [["not", "trusted,"]]
        assert any(outcome.status.endswith(one.text) for one in (await diagnose(bob)).rows)
        assert (bob.registries.addresses, bob.registries.fingerprint(town.nds)) == ((), b"")
    monkeypatch.setattr(registries, "shown", real)
    await eventually(lambda: bob.registries.addresses == (town.nds,))  # It is looked for.
    assert isinstance(await asks(), RecordRead)
    assert [one.state for one in bob.status().nds] == ["ok"]
    assert bob.registries.known.certificate(town.nds) == named
    await town.stop("bob")
    (entry,) = profiles.load(bob.places.data).chats
    assert entry.service == ""


async def test_nor_is_one_spoken_to_there_that_was_taken_for_another_chat(
    town: Town, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await town.start("bob", nds=[])

    async def nobody(address: str, within_s: float) -> Silence:
        return Silence.REFUSED

    monkeypatch.setattr(registries, "shown", nobody)
    await entering.join(bob, line, "", "")
    bob.registries.known.keep(town.nds, other := Holder().certificate)
    (chat,) = bob.chats
    outcome = await chat.nds.ask(Lookup(chat.group.chat, ""), 2_000)
    assert isinstance(outcome, Silenced)
    assert "by another key than to its members" in outcome.status
    assert chat.word.certificate(town.nds) != other


async def test_whom_we_know_already_we_keep(town: Town, line: str) -> None:
    """And the group, whose leader another one has made leader, is none for us."""
    bob, other = await town.start("bob", nds=[]), Holder().certificate
    bob.registries.known.keep(town.nds, other)
    with pytest.raises(WrongNds, match="is known here by another key than to its members"):
        await entering.join(bob, line, "", "")
    assert bob.registries.known.certificate(town.nds) == other


class Says:
    """Whoever is called answers so."""

    def __init__(self, welcome: Welcome) -> None:
        self._welcome = welcome

    def prepare(self, address: str, certificate: bytes) -> None: ...

    begin: Any = None

    async def call(self, *_: object) -> Welcome:
        return self._welcome


@pytest.mark.parametrize("number", [0, 1])
async def test_nobody_is_let_into_another_chat_by_the_number_of_one_that_it_is_in(
    town: Town, line: str, number: int
) -> None:
    """What it says there would be signed for both.  Who asks for it by its number was in it."""
    bob = await town.start("bob", nds=[])
    await entering.join(bob, line, "", "")
    (chat,) = bob.chats
    group = chat.group
    view = View(NO_EPOCH, 0, "", 0, 0, 0, 0, 0, 0)
    said = Welcome(group.me, group.roster, view, group.chat, "trap", 1, 1, "")
    caller = Caller(group.chat * number, 0, 0, NO_EPOCH)
    join = Join(caller, "trap", b"", "", "", 0)
    calls = Introduced(Says(said), bob.registries, chat.word, bob.is_in)
    outcome = await calls.call("127.0.0.1:1", b"", join, 1_000)
    if number:
        assert outcome is said
    else:
        assert isinstance(outcome, Refusal)
        assert "you are in already" in outcome.text
    assert not bob.is_in(group.chat + 1)
