"""Somebody who has got hold of a member's `tls.pem`, and of none of its other keys.

So it can connect as that member, as could whoever sees the inside of its connections.
"""

import time

import pytest
from msgspec.structs import replace

from node.codec import Malformed
from node.codec.sealing import about
from node.core import messages as m
from node.core.access import Invite, Password, Terms
from node.core.admission import wish
from node.core.conversation import ChatMessage
from node.core.types import Epoch, Hlc
from node.limits import NUMBER_MAX
from node.trust import keys
from p2pchat.v1 import node_pb2
from tests.attacks.site import CHAT, Refused, Site, Way, call, over_link
from tests.attacks.test_members import fresh
from tests.sealing import Sealer

pytestmark = pytest.mark.xdist_group("attacks")

NOT_SEALED = Refused("PERMISSION_DENIED", "NOT_SEALED")


def thief(site: Site) -> Sealer:
    """Who seals with a key of its own in place of carol's."""
    own = keys.make(site.keys["carol"].tls)
    cards = {record.id: record.card for record in site.roster.members}
    return Sealer(own, lambda member: cards[member])


def tell(site: Site, message: ChatMessage, to: str = "bob") -> m.Tell:
    return m.Tell(site.caller("carol", site.id["bob"]), site.id[to], (message,))


def said(site: Site, random: int) -> ChatMessage:
    """A message that carol has signed: seen somewhere, and told by nobody yet."""
    return site.signed(fresh(site, "carol", random), "carol")


@pytest.mark.parametrize("to", ["bob", "alice"])
def test_nothing_is_said_in_the_clear(site: Site, to: str) -> None:
    """Neither to who is called, nor to be passed on."""
    with site.unharmed():
        assert site.carol_asks(tell(site, said(site, 11), to), None) == NOT_SEALED


def test_nothing_is_said_with_another_seal_key(site: Site) -> None:
    with site.unharmed():
        assert site.carol_asks(tell(site, said(site, 12)), thief(site)) == NOT_SEALED


def test_what_was_sealed_for_another_says_nothing(site: Site) -> None:
    """As it would be seen on its way to alice."""
    for_alice = Sealer(site.keys["carol"], lambda _: site.record("alice").card)
    with site.unharmed():
        assert site.carol_asks(tell(site, said(site, 13)), for_alice) == NOT_SEALED


def test_what_bob_sealed_for_carol_does_not_come_back_as_hers(site: Site) -> None:
    """The key of a pair has a direction."""
    bob = site.seals("bob")

    class Mirror(Sealer):
        def wrap(self, key: bytes, kind: str, chat: int, member: int) -> bytes:
            return bob.wrap(key, kind, chat, site.id["carol"])

    mirror = Mirror(site.keys["carol"], lambda _: site.record("bob").card)
    with site.unharmed():
        assert site.carol_asks(tell(site, said(site, 14)), mirror) == NOT_SEALED


def test_what_others_said_is_not_read(site: Site) -> None:
    site.cluster["alice"].run("send", "-c", CHAT, "for members' eyes")
    asks = m.Sync(site.caller("carol", site.id["bob"]), site.view, sources=(site.id["alice"],))
    with site.unharmed():
        page = site.carol_asks(asks, None)
        assert isinstance(page, m.Synced), page
        assert page.messages == (), "it stands in the part that is sealed"
        with pytest.raises(Malformed, match="must be sealed"):
            site.carol_asks(asks, thief(site))
        hers = site.carol_asks(asks, site.seals("carol"))
        assert hers.messages[-1].texts == ("for members' eyes",), "carol herself reads it"


def test_nothing_is_said_in_the_clear_over_a_link(site: Site) -> None:
    with site.unharmed():
        request = tell(site, said(site, 15))
        assert site.carol_asks(request, None, over_link) == NOT_SEALED
        assert site.carol_asks(request, thief(site), over_link) == NOT_SEALED


def wants(site: Site) -> m.Update:
    """Asks for the whole roster, and brings nothing."""
    return m.Update(site.caller("carol", site.id["bob"]), m.Roster(), want_roster=True)


@pytest.mark.parametrize("with_key", [False, True], ids=["no seal key", "another seal key"])
def test_a_roster_is_not_told(site: Site, with_key: bool) -> None:
    """Neither who is in the chat, nor what lets in."""
    with site.unharmed():
        told = site.carol_asks(wants(site), thief(site) if with_key else None)
        assert isinstance(told, m.Updated), told
        assert told.roster == m.Roster()
        hers = site.carol_asks(wants(site), site.seals("carol")).roster
        assert {one.id for one in hers.members} >= {*site.id.values()}, "carol herself is told"
        assert hers.claim_keys
        assert hers.invites


LATER = Hlc(2**42, 0)


def brought(site: Site, what: str) -> m.Roster:
    """What a thief would have the others know."""
    carol, alice, ghost = site.id["carol"], site.record("alice"), site.forged(0, site.stranger)
    ghost = replace(ghost, id=site.id["carol"] + 40, admitted_by=0, admission=b"")
    records = {
        "a member of its own": ghost,
        "nothing for alice to read": replace(alice, since=2**41),
        "another id of alice's": replace(ghost, identity=alice.identity, card=alice.card),
        "another name of alice's": replace(alice, nick=m.Fact("mallory", LATER, alice.id)),
        "another name of carol's": replace(
            site.record("carol"), card=m.NO_CARD, nick=m.Fact("mallory", LATER, carol)
        ),
        "the end of carol": replace(
            site.record("carol"),
            card=m.NO_CARD,
            life=m.Life.DROPPED,
            incarnation=NUMBER_MAX,
            address_stamp=(NUMBER_MAX, 1),
        ),
        "another address of carol's": replace(
            site.record("carol"), address="127.0.0.1:9", address_stamp=(2**41, 9)
        ),
    }
    if what in records:
        return m.Roster((records[what],))
    return {
        "an open door": m.Roster(access=m.Fact("open", LATER, carol)),
        "a topic": m.Roster(topic=m.Fact("mallory was here", LATER, carol)),
        "a password": m.Roster(
            password=Password(Terms(b"s" * 16, 15, 8, 1), b"k" * 32, LATER, carol)
        ),
        "an invitation": m.Roster(invites=(Invite(4_711, b"c" * 32, carol, LATER.ms),)),
    }[what]


BROUGHT = (
    "a member of its own",
    "nothing for alice to read",
    "another id of alice's",
    "another name of alice's",
    "another name of carol's",
    "the end of carol",
    "another address of carol's",
    "an open door",
    "a topic",
    "a password",
    "an invitation",
)


@pytest.mark.parametrize(
    ("what", "with_key", "way"),
    [
        *((what, False, call) for what in BROUGHT),
        ("an open door", False, over_link),
        ("a member of its own", True, call),
        ("nothing for alice to read", True, over_link),
    ],
)
def test_a_roster_of_the_thief_s_is_not_taken(
    site: Site, what: str, with_key: bool, way: Way
) -> None:
    def known() -> m.Roster:
        told = site.carol_asks(wants(site), site.seals("carol"))
        assert isinstance(told, m.Updated), told
        return told.roster

    brings = brought(site, what)
    with site.unharmed():
        before = known()
        site.carol_asks(replace(wants(site), roster=brings), thief(site) if with_key else None, way)
        roster = known()
        assert not {*brings.members} & {*roster.members}
        assert [one.id for one in roster.members] == [one.id for one in before.members]
        assert roster.topic.value != brings.topic.value or not brings.topic.value
        assert roster.access.value == ""
        assert roster.password == m.NO_PASSWORD
        assert not {*brings.invites} & {*roster.invites}


def test_a_call_in_a_life_without_end_does_not_shut_its_member_out(site: Site) -> None:
    """Carol goes above whatever life of hers somebody else has drawn."""
    for incarnation in (NUMBER_MAX, 2**42, time.time_ns() // 10**6 + 86_400_000):
        with site.unharmed():
            caller = replace(site.caller("carol", site.id["bob"]), incarnation=incarnation)
            call(site.listen["bob"], site.keys["carol"].tls, m.Ping(caller, site.view))
        site.cluster["carol"].say(CHAT, f"above {incarnation}")


@pytest.mark.parametrize("signed", [False, True], ids=["not signed", "signed by the thief"])
def test_nobody_comes_in_as_a_member_s_next_life(site: Site, signed: bool) -> None:
    """Its node would take that for another process of its own, and stop."""
    carol, own = site.record("carol"), site.keys["carol"]
    caller = m.Caller(site.chat, 0, carol.incarnation + 10**9, Epoch(0, 0))
    join = m.Join(caller, CHAT, carol.identity, "carol", "127.0.0.1:9", 42, card=carol.card)
    if signed:
        join = replace(join, word=keys.make(own.tls).signing.sign(wish(join)))
    with site.unharmed():
        told = call(site.listen["alice"], own.tls, join)
        assert told == Refused("PERMISSION_DENIED", "WRONG_SIGNATURE")


def test_what_was_sealed_for_one_chat_says_nothing_in_another(site: Site) -> None:
    """Else what lets in to one would let in to the other."""
    elsewhere = about(node_pb2.UpdateMembersRequest.DESCRIPTOR.full_name, site.chat + 1)

    class Elsewhere(Sealer):
        def wrap(self, key: bytes, kind: str, chat: int, member: int) -> bytes:
            return self._pair(member).wrap(key, elsewhere)

    brings = brought(site, "an open door")
    seals = Elsewhere(site.keys["carol"], lambda _: site.record("bob").card)
    with site.unharmed():
        site.carol_asks(replace(wants(site), roster=brings), seals)
        assert site.carol_asks(wants(site), site.seals("carol")).roster.access.value == ""
