"""Somebody who has got hold of a member's `tls.pem`, and of none of its other keys.

So it can connect as that member, as could whoever sees the inside of its connections.
"""

import pytest

from node.codec import Malformed
from node.core import messages as m
from node.core.access import Invite, Password, Terms
from node.core.conversation import ChatMessage
from node.core.types import Hlc
from node.trust import keys
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


@pytest.mark.parametrize("with_key", [False, True], ids=["no seal key", "another seal key"])
def test_what_lets_in_is_not_told(site: Site, with_key: bool) -> None:
    """Who has `tls.pem` is told who is in the chat, as carol would be, and nothing that lets in."""
    asks = m.Update(site.caller("carol", site.id["bob"]), m.Roster(), want_roster=True)
    with site.unharmed():
        told = site.carol_asks(asks, thief(site) if with_key else None)
        assert isinstance(told, m.Updated), told
        assert {one.id for one in told.roster.members} >= {*site.id.values()}
        roster = told.roster
        assert (roster.invites, roster.password, roster.claim_keys) == ((), m.NO_PASSWORD, ())
        hers = site.carol_asks(asks, site.seals("carol")).roster
        assert hers.claim_keys, "carol herself is told"
        assert hers.invites


@pytest.mark.parametrize("way", [call, over_link])
@pytest.mark.parametrize("with_key", [False, True], ids=["no seal key", "another seal key"])
def test_a_password_or_an_invitation_of_the_thief_s_own_is_not_taken(
    site: Site, with_key: bool, way: Way
) -> None:
    later = Hlc(2**42, 0)
    password = Password(Terms(b"s" * 16, 15, 8, 1), b"k" * 32, later, site.id["carol"])
    invite = Invite(4_711, b"c" * 32, site.id["carol"], later.ms)
    brings = m.Roster(password=password, invites=(invite,))
    update = m.Update(site.caller("carol", site.id["bob"]), brings)
    with site.unharmed():
        site.carol_asks(update, thief(site) if with_key else None, way)
        asks = m.Update(site.caller("carol", site.id["bob"]), m.Roster(), want_roster=True)
        known = site.carol_asks(asks, site.seals("carol")).roster
        assert known.password != password
        assert invite.id not in {one.id for one in known.invites}
