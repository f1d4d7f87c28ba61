"""What a member does to the group that is seen for a moment, and must not last.

Each has a site of its own: what is brought here stays in its roster.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.access import ClaimKey, Invite, statement
from node.core.admission import wish
from node.core.inviting import check_of
from node.core.membership import INVITES_KEPT
from node.core.proving import gone_hash
from node.core.types import GENERATION, NO_EPOCH, Hlc, Stream
from node.limits import HLC_MAX, NUMBER_MAX
from node.trust import claims
from tests.attacks.site import CHAT, HONEST, Site, build, call
from tests.attacks.test_members import brings, ghost, let_in, told
from tests.e2e.programs import Member
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


def joins(site: Site, name: str, by: str) -> Member:
    """A newcomer, with a line of that member's."""
    line = site.cluster[by].row("invite", "-c", CHAT, "--once")["join"]
    guest = site.cluster.add(name)
    guest.run("join", line, "--no-ui", "--nick", name)
    return guest


def leads_confirmed(site: Site, name: str, by: str) -> bool:
    chat = site.cluster[by].chat(CHAT)
    return chat is not None and chat.leader_nick == name and not chat.provisional


def another_leads(site: Site) -> bool:
    """After alice: carol where bob has not heard yet of the life that she has drawn just now."""
    return any(leads_confirmed(site, name, name) for name in ("bob", "carol"))


def ids_of(site: Site) -> m.Member:
    """Somebody whom carol lets in while she leads: its record shows which ids she has to give."""
    for name in ("alice", "bob"):
        site.cluster[name].kill()
    wait_for(lambda: leads_confirmed(site, "carol", "carol"), "carol leads")
    guest = joins(site, "first", "carol")
    for name in ("alice", "bob"):
        site.cluster[name].up()
    wait_for(lambda: all("first" in here(site, name) for name in HONEST), "all know the guest")
    id = guest.id(CHAT)
    return next(one for one in told(site).members if one.id == id)


def test_the_owner_keeps_its_id_and_its_rights(yard: Site) -> None:
    """Carol, who has led, lets its identity in a second time with an id that she has left."""
    alice, guest = yard.record("alice"), ids_of(yard)
    made = ghost(
        yard,
        identity=alice.identity,
        card=alice.card,
        nick=alice.nick,
        id=guest.issued.ids[-1],
        issued=guest.issued,
        admitted=guest.admitted,
    )
    brings(yard, m.Roster((let_in(yard, made),)))

    def is_as_before() -> bool:
        owners = [yard.cluster[name].run("rights", "-c", CHAT).stdout for name in HONEST]
        return all("owner: alice" in one for one in owners) and all(
            here(yard, name) == sorted((*HONEST, "first")) for name in HONEST
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

    wait_for(lambda: another_leads(yard), "bob leads, or carol")
    joins(yard, "guest", "bob")
    wait_for(lambda: "guest" in here(yard, "carol"), "carol knows the guest")
    yard.cluster["alice"].up()
    wait_for(lambda: "guest" in here(yard, "alice"), "alice does, too")


def leads(site: Site, name: str) -> bool:
    chat = site.cluster[name].chat(CHAT)
    return chat is not None and chat.leader_id == site.id[name]


def test_who_has_led_lets_in_nobody_with_a_life_or_a_name_for_ever(yard: Site) -> None:
    guest = ids_of(yard)
    late = m.Fact("mud", Hlc(HLC_MAX, 0), 1)
    for n, rest in enumerate(
        ({"incarnation": NUMBER_MAX}, {"address_stamp": (NUMBER_MAX, 1)}, {"nick": late})
    ):
        id, fields = guest.issued.ids[-1 - n], {"issued": guest.issued, "admitted": guest.admitted}
        brings(yard, m.Roster((let_in(yard, ghost(yard, id=id, **fields, **rest)),)))
        assert id not in {one.id for one in told(yard).members}
    id = guest.issued.ids[-4]
    brings(yard, m.Roster((let_in(yard, ghost(yard, id=id, **fields)),)))
    assert id in {one.id for one in told(yard).members}, "so it would be"


def test_claim_keys_that_a_member_makes_up_do_not_cost_the_chat_its_leader(yard: Site) -> None:
    """The registered one is no longer among those that are kept; then the leader dies."""
    last = told(yard).claim_keys[-1]
    keys = [ClaimKey(last.number + n, bytes([n]) * 32, last.gone) for n in range(1, 5)]
    brings(yard, m.Roster(claim_keys=tuple(keys)))
    assert last not in told(yard).claim_keys
    yard.cluster["alice"].kill()
    wait_for(lambda: another_leads(yard), "bob leads, or carol")
    joins(yard, "guest", "carol")
    wait_for(lambda: "guest" in here(yard, "bob"), "bob has let the guest in")


def test_many_made_up_ends_of_streams_keep_nobody_out(yard: Site) -> None:
    alice = yard.record("alice")
    for n in (1, 2):
        ends = tuple((Stream(n, k), 1) for k in range(4_000))
        brings(yard, m.Roster((replace(alice, ends=ends),)))
    joins(yard, "guest", "bob")
    wait_for(lambda: all("guest" in here(yard, name) for name in HONEST), "all know the guest")
    for name in HONEST:
        yard.cluster[name].say(CHAT, f"{name} is here")


def test_invitations_of_one_member_leave_room_for_those_of_others(yard: Site) -> None:
    """Carol has made as many as are kept, twice, all of the latest instant that there is."""
    line = yard.cluster["bob"].row("invite", "-c", CHAT, "--once")["join"]
    now = time.time_ns() // 1_000_000
    for n in range(2 * INVITES_KEPT // 128):
        fresh = [invitation(yard, 128 * n + k, now + 10**11) for k in range(1, 129)]
        brings(yard, m.Roster(invites=tuple(fresh)))
    assert len(told(yard).invites) == INVITES_KEPT
    guest = yard.cluster.add("guest")
    guest.run("join", line, "--no-ui", "--nick", "guest")
    joins(yard, "another", "bob")
    wait_for(lambda: "another" in here(yard, "alice"), "both lines of bob's let in")


def invitation(site: Site, id: int, made: int) -> Invite:
    """One of carol's."""
    one = Invite(id, check_of(id.to_bytes(16)), site.id["carol"], made)
    return replace(one, signature=site.keys["carol"].signing.sign(statement(site.chat, one)))


def full(site: Site, by: str) -> m.Roster:
    """What that member tells carol of the chat: all of it could be read."""
    asks = m.Update(site.caller("carol", site.id[by]), m.Roster(), want_roster=True)
    answer = call(site.listen[by], site.keys["carol"].tls, asks, site.seals("carol"))
    assert isinstance(answer, m.Updated), answer
    return answer.roster


def test_thousands_that_used_an_invitation_keep_nobody_out(yard: Site) -> None:
    line = yard.cluster["bob"].row("invite", "-c", CHAT)["join"]
    one = invitation(yard, 77, time.time_ns() // 1_000_000)
    for first in (1, 10_000):
        used = tuple(range(first, first + 4_096))
        brings(yard, m.Roster(invites=(replace(one, used=used),)))
    yard.cluster.add("guest").run("join", line, "--no-ui", "--nick", "guest")
    wait_for(lambda: all("guest" in here(yard, name) for name in HONEST), "all know the guest")
    assert max(len(known.used) for known in full(yard, "alice").invites) < 10


def test_numbers_of_addresses_that_are_used_up_keep_nobody_out(yard: Site) -> None:
    """Carol's own, and then she comes in once more from somewhere else."""
    own, carol = yard.keys["carol"], yard.record("carol")
    brings(yard, m.Roster((replace(carol, address_stamp=(carol.incarnation, NUMBER_MAX)),)))
    anybody = m.Ping(m.Caller(yard.chat, 0, 0, NO_EPOCH), None)
    seen = call(yard.listen["carol"], own.tls, anybody).view
    listen = yard.listen["carol"].replace("127.0.0.1", "localhost")
    caller = m.Caller(yard.chat, 0, seen.incarnation, NO_EPOCH)
    join = m.Join(caller, CHAT, own.identity, "carol", listen, seen.process, card=own.card)
    join = replace(join, word=own.signing.sign(wish(join)))
    answer = call(yard.listen["alice"], own.tls, join, yard.seals("carol"))
    assert isinstance(answer, m.Welcome), answer
    joins(yard, "guest", "bob")
    wait_for(lambda: all("guest" in here(yard, name) for name in HONEST), "all know the guest")


def test_who_is_removed_has_left_no_claim_key_of_its_own(yard: Site) -> None:
    """Carol has made one that looks as if it were made after she was gone."""
    gone = gone_hash((yard.id["carol"],))
    last = told(yard).claim_keys[-1]
    own = ClaimKey(last.number + 1, b"c" * 32, gone)
    brings(yard, m.Roster(claim_keys=(own,)))
    public = claims.public(own.secret)

    def registered() -> bytes:
        network = yard.cluster.nds.network(CHAT)
        return network.claim_key if network is not None else b""

    wait_for(lambda: registered() == public, "hers is registered, as any newest one")
    yard.cluster["alice"].run("kick", "carol", "-c", CHAT)
    wait_for(lambda: registered() != public, "that is over with her")
    yard.cluster["bob"].say(CHAT, "without carol")


def test_who_left_is_no_member_whatever_is_said_of_its_farewell(yard: Site) -> None:
    """Alice is away meanwhile, and carol brings noise in the place of the true word."""
    dave = joins(yard, "dave", "bob")
    wait_for(lambda: all("dave" in here(yard, name) for name in HONEST), "all know dave")
    yard.cluster["alice"].kill()
    wait_for(lambda: another_leads(yard), "bob leads, or carol")
    id = dave.id(CHAT)
    dave.run("leave", CHAT)
    wait_for(lambda: "dave" not in here(yard, "bob"), "bob knows that dave left")
    (record,) = [one for one in told(yard).members if one.id == id]
    brings(yard, m.Roster((replace(record, farewell=b"\xff" * 64),)))
    yard.cluster["alice"].up()
    wait_for(lambda: "dave" not in here(yard, "alice"), "alice hears it, too")
    assert [one.farewell for one in told(yard).members if one.id == id] == [record.farewell]


def test_a_good_bye_is_heard_whatever_is_said_of_ends(yard: Site) -> None:
    ends = tuple((Stream(1, k + 1), 1) for k in range(4_096))
    brings(yard, m.Roster((replace(yard.record("bob"), ends=ends),)))
    yard.cluster["bob"].say(CHAT, "I shall leave")
    yard.cluster["bob"].run("leave", CHAT)
    wait_for(lambda: "bob" not in here(yard, "alice") + here(yard, "carol"), "bob has left")


def test_another_s_address_is_put_right_whenever_it_is_said_to_be_of(yard: Site) -> None:
    alice = yard.record("alice")
    late = time.time_ns() // 1_000_000 + 39 * 366 * 86_400_000
    brings(yard, m.Roster((replace(alice, address="127.0.0.1:9", address_stamp=(late, 1)),)))

    def is_right() -> bool:
        (known,) = [one for one in told(yard).members if one.id == alice.id]
        return known.address == alice.address and known.address_stamp[0] > late

    wait_for(is_right, "alice says where she is")
    yard.cluster["bob"].say(CHAT, "to alice, too")
