"""What stands after the # of a join line, and the service that it means: node/host/inviting.py,
node/host/registries.py.
"""

from pathlib import Path

import pytest

from node.errors import USAGE, BadField, Complaint, NobodyAnswers, NoSuchInvite, WrongService
from node.host import entering, inviting
from node.host.inviting import Mark, Secret, parse
from node.rpc.transport import PLAIN
from node.trust.known import FILE
from node.words import Mode
from tests.node.holder import Holder
from tests.node.test_rpc import silent_port
from tests.node.test_way import serving
from tests.node.town import Town

__all__ = ["silent_port"]  # a fixture

SECRET = Secret(7, b"k" * 16)
SERVICE = b"s" * 12


@pytest.mark.parametrize(
    ("mark", "length"),
    [
        (Mark(), 0),
        (Mark(None, SERVICE), 16),
        (Mark(SECRET), 32),
        (Mark(SECRET, SERVICE), 48),
    ],
)
def test_what_stands_after_the_mark_is_read_as_it_was_written(mark: Mark, length: int) -> None:
    assert len(str(mark)) == length
    assert parse(str(mark)) == mark


@pytest.mark.parametrize("text", ["x", "x" * 15, "x" * 20, "x" * 44, "x" * 64, "!" * 32, "é" * 16])
def test_what_is_malformed_is_told_with_what_is_allowed(text: str) -> None:
    said = rf"has {len(text)} characters, and must have 32 or 48"
    with pytest.raises(BadField, match=said) as told:
        parse(text)
    assert told.value.exit == USAGE


async def test_a_line_carries_the_key_of_the_service_that_it_leads_to(town: Town) -> None:
    alice, bob = await town.start("alice"), await town.start("bob")
    made = await entering.create(alice, town.chat, "", "", Mode.LOGGED)
    mark = parse(made.join_line.rpartition("#")[2])
    assert mark.service == alice.registries.fingerprint(town.nds)[:12]
    assert mark.secret is not None
    known = Path(bob.places.data) / FILE
    await entering.join(bob, made.join_line, "", "")
    assert bob.registries.fingerprint(town.nds)[:12] == mark.service
    assert town.nds in known.read_text()


async def test_only_a_service_with_the_key_of_the_line_is_spoken_to_and_kept(town: Town) -> None:
    alice, other = await town.start("alice"), Holder()
    registries = alice.registries
    async with serving(other.transport) as (address, service):
        with pytest.raises(WrongService, match=f"{address} is not the NDS that the line is for"):
            await entering.join(alice, f"{address}/dev#{Mark(SECRET, SERVICE)}", "", "")
        assert (service.heard, registries.known.certificate(address)) == (0, b"")
        registries.known.keep(address, other.certificate)  # it was known, and the line says no
        with pytest.raises(WrongService):
            await entering.join(alice, f"{address}/dev#{Mark(None, SERVICE)}", "", "")
        assert (service.heard, registries.known.certificate(address)) == (0, other.certificate)
        await registries.vet(address, registries.fingerprint(address)[:12])
    async with serving(other.transport) as (address, _):
        registries.known.keep("10.0.0.1:1", other.certificate)
        right = registries.fingerprint("10.0.0.1:1")[:12]
        await registries.vet(address, right)
        assert registries.known.certificate(address) == other.certificate
        registries.known.keep(address, Holder().certificate)
        kept = registries.known.certificate(address)
        await registries.vet(address, right)  # that it has another key than it had is told later
        assert registries.known.certificate(address) == kept


async def test_nobody_and_plain_connections_are_no_service_of_a_line(
    town: Town, silent_port: int
) -> None:
    alice = await town.start("alice")
    async with serving(PLAIN) as (address, service):
        with pytest.raises(WrongService, match="no key at all"):
            await alice.registries.vet(address, SERVICE)
        assert service.heard == 0
    for nobody in (address, f"127.0.0.1:{silent_port}"):
        with pytest.raises(NobodyAnswers):
            await alice.registries.vet(nobody, SERVICE)


async def test_an_invitation_without_the_key_of_a_service_works_as_ever(town: Town) -> None:
    alice, bob = await town.start("alice"), await town.start("bob")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED)
    line = (await inviting.invite(alice, alice.chat(""))).join_line
    old = line.rpartition("#")[0] + "#" + line.rpartition("#")[2][:32]
    assert (await entering.join(bob, old, "", "")).chat.name == town.chat


async def test_the_list_leaves_out_what_expired_long_ago_by_ones_own_clock(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED)
    chat = alice.chat("")
    short = await inviting.invite(alice, chat, expires_s=60)
    lasting = await inviting.invite(alice, chat, expires_s=None)
    ends = short.expires_ms + inviting.SHOWN_MS

    def ids(now: int) -> list[str]:
        monkeypatch.setattr(inviting, "wall_ms", lambda: now)
        return [row.id for row in inviting.listed(alice, chat).invites]

    assert ids(ends)[:2] == [lasting.id, short.id]
    assert short.id not in ids(ends + 1)
    assert ids(ends + inviting.EXPIRES_MAX_S * 1_000) == [lasting.id]
    await inviting.revoke(chat, short.id)  # it can be named all the same
    with pytest.raises(NoSuchInvite, match=f"there are: {lasting.id}"):
        await inviting.revoke(chat, "ffff")


async def test_no_line_is_given_for_an_invitation_that_is_not_kept(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await town.start("alice")
    await entering.create(alice, town.chat, "", "", Mode.LOGGED)
    monkeypatch.setattr("node.core.membership.INVITES_KEPT", 0)
    with pytest.raises(Complaint, match="was not kept"):
        await inviting.invite(alice, alice.chat(""))
