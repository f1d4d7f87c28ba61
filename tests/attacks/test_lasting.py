"""What a member does to the group that is seen for a moment, and must not last.

Each has a site of its own: what is brought here stays in its roster.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.types import GENERATION
from tests.attacks.site import CHAT, HONEST, Site, build
from tests.attacks.test_members import brings, ghost, let_in, told
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("attacks")


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Site]:
    made = build(tmp_path)
    yield made
    made.cluster.check_logs()
    made.cluster.close()


def here(site: Site, name: str) -> list[str]:
    """Who is in the chat, as that member shows it."""
    rows = site.cluster[name].ask("ListMembers", chat=CHAT).members
    return sorted(one.nick for one in rows)


def test_the_owner_keeps_its_id_and_its_rights(yard: Site) -> None:
    """Carol lets its identity in a second time, as she may let in whom she likes."""
    alice = yard.record("alice")
    made = ghost(yard, identity=alice.identity, card=alice.card, nick=alice.nick)
    brings(yard, m.Roster((let_in(yard, made),)))

    def is_as_before() -> bool:
        owners = [yard.cluster[name].run("rights", "-c", CHAT).stdout for name in HONEST]
        return all("owner: alice" in one for one in owners) and all(
            here(yard, name) == sorted(HONEST) for name in HONEST
        )

    wait_for(is_as_before, "alice is who she was")
    assert made.id in {one.id for one in told(yard).members}, "it was there"
    assert yard.cluster["alice"].id(CHAT) == alice.id
    yard.cluster["alice"].run("op", "bob", "-c", CHAT)
    for name in HONEST:
        yard.cluster[name].say(CHAT, f"{name} is here")


def test_numbers_that_are_used_up_stop_nobody_from_leading_or_coming_in(yard: Site) -> None:
    """Carol says that a million members were there, and the leader dies."""
    view = replace(yard.view, highest_n=GENERATION - 1)
    pong = yard.carol_asks(m.Ping(yard.caller("carol", yard.id["bob"]), view), None)
    assert isinstance(pong, m.Pong), pong
    assert leads(yard, "alice")
    yard.cluster["alice"].kill()

    def is_confirmed() -> bool:
        chat = yard.cluster["bob"].chat(CHAT)
        return chat is not None and chat.leader_nick == "bob" and not chat.provisional

    wait_for(is_confirmed, "bob leads")
    line = yard.cluster["bob"].row("invite", "-c", CHAT, "--once")["join"]
    guest = yard.cluster.add("guest")
    guest.run("join", line, "--no-ui", "--nick", "guest")
    wait_for(lambda: "guest" in here(yard, "carol"), "carol knows the guest")
    yard.cluster["alice"].up()
    wait_for(lambda: "guest" in here(yard, "alice"), "alice does, too")


def leads(site: Site, name: str) -> bool:
    chat = site.cluster[name].chat(CHAT)
    return chat is not None and chat.leader_id == site.id[name]
