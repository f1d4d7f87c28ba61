"""Who is let in: node/core/inviting.py, and invitations as members merge them."""

from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core import membership
from node.core import messages as m
from node.core.access import Invite, Knows, Terms, statement
from node.core.deciding import ADMINS, Act, Decision
from node.core.deciding import statement as decided
from node.core.events import Invited, Opened, PasswordSet, Received, Revoked
from node.core.inviting import check_of, joiner_proof, leader_proof
from node.core.membership import INVITES_KEPT, MADE_MAX, Membership
from node.core.reasons import Reason
from node.core.types import NO_EPOCH, Hlc
from node.limits import NUMBER_MAX

from .cast import CHAT, WALL, address, identity, person, removal, wished
from .dialogue import STRANGER, Dialogue, follower, leading
from .laws import fixed
from .test_vouching import is_signed, signer

SECRET, OTHER = b"s" * 16, b"t" * 16
CHECK = check_of(SECRET)
OWN, THEIRS, ANOTHER = b"leader's", b"joiner's", b"another's"
ID = 7
MINUTE = 60_000
DAY = 24 * 60 * MINUTE


def led(**rest: Any) -> Dialogue:
    """A group that we lead, with a certificate of ours."""
    return leading(1, 2, first=50, card=m.Card(OWN), **rest)


def proof(secret: bytes = SECRET, by: int = 9, own: bytes = THEIRS, leader: bytes = OWN) -> bytes:
    return joiner_proof(check_of(secret), identity(by), own, leader)


def asks(talk: Dialogue, certificate: bytes | None = THEIRS, by: int = 9, **rest: Any) -> Any:
    """Somebody asks to be let in, is called back and answered."""
    caller = m.Caller(CHAT, 0, 100, NO_EPOCH)
    shown = m.Card(certificate or b"")
    join = m.Join(caller, "den", identity(by), f"user{by}", address(by), by, card=shown)
    talk.hand(Received(1_000_000 + by, wished(replace(join, **rest)), certificate))
    if (answer := talk.reply(1_000_000 + by)) is None:
        talk.answer(m.Ping, talk.pong(member=by), to=STRANGER)
        answer = talk.reply(1_000_000 + by)
    return answer


def invited(talk: Dialogue, **rest: Any) -> None:
    talk.hand(Invited(ID, CHECK, WALL + talk.now, **rest))


# ---- the leader ----------------------------------------------------------------------------------


def test_who_proves_that_it_knows_the_secret_is_let_in_and_is_proved_the_same() -> None:
    talk = led()
    invited(talk)
    answer = asks(talk, invite=ID, proof=proof())
    assert answer.member == 50
    assert answer.proof == leader_proof(CHECK, identity(9), THEIRS, OWN)
    assert answer.proof not in (b"", proof()), "the one proof is no use as the other"
    (invite,) = talk.group.invites
    assert (invite.by, invite.used) == (1, (50,))


def test_who_is_not_invited_stays_out() -> None:
    talk = led()
    invited(talk)
    refusal = asks(talk)
    assert (refusal.reason, talk.group.belonging) == (Reason.NOT_INVITED, (1, 2))
    assert not talk.waits(m.Ping, to=STRANGER), "it is not even called back"


@pytest.mark.parametrize(
    "said",
    [
        {"invite": ID, "proof": b""},
        {"invite": ID, "proof": proof(OTHER)},
        {"invite": ID + 1, "proof": proof()},
        {"invite": ID, "proof": proof(by=8)},  # of another person
        {"invite": ID, "proof": proof(own=ANOTHER)},  # on another's connection
        {"invite": ID, "proof": proof(leader=ANOTHER)},  # made for another node, and passed on
        {"invite": ID, "proof": leader_proof(CHECK, identity(9), THEIRS, OWN)},
        {"invite": ID, "proof": CHECK},
    ],
)
def test_a_proof_that_is_not_for_this_secret_person_and_connection_is_none(
    said: dict[str, Any],
) -> None:
    talk = led()
    invited(talk)
    assert asks(talk, **said).reason == Reason.WRONG_SECRET
    assert talk.group.belonging == (1, 2)
    assert talk.group.invites[0].used == ()


def test_an_invitation_that_was_revoked_or_has_expired_is_of_no_use() -> None:
    talk = led()
    invited(talk, expires=WALL + MINUTE)
    talk.wait(MINUTE + 10)
    assert "expired" in asks(talk, invite=ID, proof=proof()).text
    talk = led()
    invited(talk)
    talk.hand(Revoked(ID, WALL))
    assert "revoked" in asks(talk, invite=ID, proof=proof()).text
    invited(talk)
    assert "revoked" in asks(talk, invite=ID, proof=proof()).text, "it does not come back"


def test_an_invitation_for_one_lets_in_one_and_any_other_any_number() -> None:
    for once in (True, False):
        talk = led()
        invited(talk, once=once)
        assert asks(talk, invite=ID, proof=proof()).member == 50
        second = asks(talk, by=8, invite=ID, proof=proof(by=8))
        if once:
            assert second.text == "that invitation was for one, and was used"
            again = asks(talk, invite=ID, proof=proof())
            assert again.member == 50, "who lost the answer is in all the same"
        else:
            assert second.member == 51
            assert talk.group.invites[0].used == (50, 51)


def test_whoever_asks_is_let_in_where_the_group_is_open_and_where_nothing_is_proved() -> None:
    talk = led()
    assert asks(talk, certificate=None).member == 50
    talk.hand(Opened(True, WALL))
    assert talk.group.is_open
    assert asks(talk, by=8).member == 51
    talk.hand(Opened(False, WALL + 1))
    assert asks(talk, by=7).reason == Reason.NOT_INVITED


def test_a_member_needs_no_invitation_to_come_back() -> None:
    talk = led()
    assert asks(talk, by=2).member == 2


def test_who_left_needs_one() -> None:
    talk = leading(1, person(2, left=True), first=50, card=m.Card(OWN))
    assert asks(talk, by=2).reason == Reason.NOT_INVITED


# ---- all members ---------------------------------------------------------------------------------


def test_whoever_leads_next_knows_the_invitations_that_any_member_made() -> None:
    one = follower(2, 1, card=m.Card(OWN))
    one.hold(m.Update)
    invited(one)
    told = one.call(m.Update, to=1).request.roster
    assert [invite.check for invite in told.invites] == [CHECK]
    talk = led()
    talk.hears(m.Update(m.Caller(CHAT, 2, 100, NO_EPOCH), told))
    assert asks(talk, invite=ID, proof=proof()).member == 50
    assert talk.group.invites[0].by == 2


def test_who_is_no_member_invites_nobody() -> None:
    talk = leading(1, 2, first=50, card=m.Card(OWN))
    talk.hand(Invited(ID, CHECK, WALL))
    assert talk.group.invites
    alone = Membership()
    assert not alone.invites


invites = st.integers(1, 4).flatmap(
    lambda id: st.builds(
        m.Invite,
        id=st.just(id),
        check=st.just(bytes([id]) * 32),
        by=st.just(id),
        made=st.just(id * DAY),
        expires=st.just(0 if id == 3 else id * DAY + 1),
        once=st.just(id % 2 == 0),
        revoked=st.booleans(),
        used=st.sets(st.integers(1, 3)).map(lambda used: tuple(sorted(used))),
    )
)


@fixed
@given(
    st.lists(st.tuples(invites, st.builds(m.Fact, st.sampled_from(["", "open"]))), max_size=8),
    st.randoms(use_true_random=False),
)
def test_halves_of_a_split_agree_on_invitations_whatever_came_in_which_order(
    news: list[tuple[m.Invite, m.Fact]], rng: Random
) -> None:
    one, other = Membership(), Membership()
    for invite, access in news:
        one.absorb(m.Roster(access=access, invites=(invite,)))
    rng.shuffle(news)
    for invite, access in (*news, *news):
        other.absorb(m.Roster(access=access, invites=(invite,)))
    assert (one.common, one.hash) == (other.common, other.hash)
    assert Membership(one.roster).hash == one.hash
    assert not [i for i in one.invites.values() if i.revoked and not _was_revoked(i, news)]


def _was_revoked(invite: m.Invite, news: list[tuple[m.Invite, m.Fact]]) -> bool:
    return any(one.revoked for one, _ in news if one.id == invite.id)


def test_a_clock_that_runs_ahead_ends_no_invitation() -> None:
    talk = led()
    invited(talk, expires=WALL + MINUTE)
    ahead = m.Invite(ID + 1, CHECK, 2, made=WALL + 30 * DAY, expires=WALL + 31 * DAY)
    talk.hears(m.Update(m.Caller(CHAT, 2, 100, NO_EPOCH), m.Roster(invites=(ahead,))))
    talk.hand(Invited(ID + 2, check_of(OTHER), WALL + talk.now, WALL + MINUTE))
    assert [one.id for one in talk.group.invites] == [ID, ID + 1, ID + 2]
    assert asks(talk, invite=ID, proof=proof()).member == 50
    assert asks(talk, by=8, invite=ID + 2, proof=proof(OTHER, by=8)).member == 51


def test_of_too_many_invitations_the_latest_are_kept() -> None:
    members = Membership()
    many = tuple(m.Invite(id, CHECK, 1, made=id) for id in range(1, INVITES_KEPT + 4))
    members.absorb(m.Roster(invites=many[: INVITES_KEPT - 1]))
    members.absorb(m.Roster(invites=many[INVITES_KEPT - 1 :]))
    assert sorted(members.invites) == list(range(4, INVITES_KEPT + 4))
    assert Membership(members.roster).hash == members.hash


# ---- where admins alone invite -------------------------------------------------------------------

ALONE = replace(removal(0, act=Act.INVITES), value=ADMINS)
OP2 = replace(removal(2, act=Act.OP), hlc=Hlc(2, 0), after=(ALONE.id,))
SIGNED = {"sign": signer(1), "verify": is_signed}


def restricted(*decisions: Decision) -> Dialogue:
    talk = led(signs=SIGNED)
    for one in (ALONE, *decisions):
        signed = replace(one, signature=signer(one.by)(decided(CHAT, one)))
        talk.hears(m.Update(talk.caller(2), m.Roster(decisions=(signed,))))
    return talk


def of_2(signature: bytes = b"") -> Invite:
    """As member 2 makes one, or says that it did."""
    invite = Invite(ID, CHECK, 2, WALL)
    return replace(invite, signature=signature or signer(2)(statement(CHAT, invite)))


def test_there_an_admin_s_own_invitation_lets_in() -> None:
    talk = restricted(OP2)
    talk.hears(m.Update(talk.caller(2), m.Roster(invites=(of_2(),))))
    assert asks(talk, invite=ID, proof=proof()).member == 50
    mine = restricted()
    invited(mine)
    assert asks(mine, invite=ID, proof=proof()).member == 50


@pytest.mark.parametrize("case", ["a member's", "in an admin's name", "of an admin of before"])
def test_there_nobody_else_s_does(case: str) -> None:
    deop = replace(removal(2, act=Act.DEOP), hlc=Hlc(3, 0), after=(OP2.id,))
    decisions = {"a member's": (), "in an admin's name": (OP2,)}.get(case, (OP2, deop))
    talk = restricted(*decisions)
    bent = b"x" * 64 if case == "in an admin's name" else b""
    talk.hears(m.Update(talk.caller(2), m.Roster(invites=(of_2(bent),))))
    refusal = asks(talk, invite=ID, proof=proof())
    why = "who made that invitation may not invite"
    if bent:  # It is not taken in.
        why = "what stands after the # in the line is wrong"
    assert refusal == m.Refusal(Reason.WRONG_SECRET, why)


@pytest.mark.parametrize("case", ["unsigned", "noise", "of whom nobody knows", "for another chat"])
def test_an_invitation_in_another_s_name_is_not_taken_in(case: str) -> None:
    """Where every member may invite, too: it would outlast who forged it."""
    forged = {
        "unsigned": Invite(ID, CHECK, 1, WALL),
        "noise": Invite(ID, CHECK, 1, WALL, signature=b"x" * 64),
        "of whom nobody knows": replace(of_2(signer(9)(statement(CHAT, of_2()))), by=9),
        "for another chat": of_2(signer(2)(statement(CHAT + 1, of_2()))),
    }[case]
    talk = led(signs=SIGNED)
    talk.hears(m.Update(talk.caller(2), m.Roster(invites=(forged,))))
    assert talk.group.invites == ()
    assert asks(talk, invite=ID, proof=proof()).reason == Reason.WRONG_SECRET


def test_what_was_there_unsigned_lets_in_nobody() -> None:
    talk = led(signs=SIGNED)
    talk.group._s.members.absorb(m.Roster(invites=(Invite(ID, CHECK, 1, WALL),)))
    assert asks(talk, invite=ID, proof=proof()).reason == Reason.WRONG_SECRET


def test_nobody_puts_another_secret_in_the_place_of_an_invitation_s() -> None:
    talk = led(signs=SIGNED)
    talk.hears(m.Update(talk.caller(2), m.Roster(invites=(of_2(),))))
    other = Invite(ID, bytes(32), 1, WALL)
    other = replace(other, signature=signer(1)(statement(CHAT, other)))
    talk.hears(m.Update(talk.caller(2), m.Roster(invites=(other,))))
    assert talk.group.invites == (of_2(),)
    used = replace(of_2(), used=(2,), revoked=True)
    talk.hears(m.Update(talk.caller(2), m.Roster(invites=(used,))))
    assert talk.group.invites == (used,)
    strangers = replace(used, used=(1, 2, 7, 8))
    talk.hears(m.Update(talk.caller(2), m.Roster(invites=(strangers,))))
    assert talk.group.invites == (replace(used, used=(1, 2)),), "members alone have used it"


def test_there_neither_an_open_door_nor_a_password_lets_in() -> None:
    talk = restricted()
    talk.hand(Opened(True, WALL))
    talk.hand(PasswordSet(Terms(b"s" * 16), b"k" * 32, WALL))
    assert asks(talk).reason == Reason.NOT_INVITED
    assert asks(talk, knows=Knows()).reason == Reason.NOT_INVITED
    assert (talk.group.is_open, talk.group.has_password) == (False, False)


def test_what_somebody_has_invited_who_was_removed_lets_in_nobody() -> None:
    talk = led()
    talk.hears(m.Update(talk.caller(2), m.Roster(invites=(Invite(ID, CHECK, 2, WALL),))))
    talk.hears(m.Update(talk.caller(2), m.Roster(decisions=(removal(2),))))
    assert asks(talk, invite=ID, proof=proof()).reason == Reason.WRONG_SECRET


def test_who_invites_signs_for_all_that_is_said_of_it() -> None:
    invite = of_2()
    changes = {"id": 8, "check": b"d" * 32, "by": 1, "made": 1, "expires": 1, "once": True}
    said = {statement(CHAT, replace(invite, **{name: value})) for name, value in changes.items()}
    assert len({*said, statement(CHAT, invite), statement(CHAT + 1, invite)}) == 8
    assert statement(CHAT, replace(invite, revoked=True, used=(1,))) == statement(CHAT, invite)


def test_a_new_invitation_is_kept_also_among_many_that_seem_later() -> None:
    talk = led()
    ahead = tuple(m.Invite(i, CHECK, 1, made=WALL + DAY + i) for i in range(1, INVITES_KEPT + 1))
    talk.hears(m.Update(m.Caller(CHAT, 2, 100, NO_EPOCH), m.Roster(invites=ahead)))
    talk.hand(Invited(INVITES_KEPT + 1, check_of(OTHER), WALL + talk.now, WALL + MINUTE))
    kept = {one.id: one.made for one in talk.group.invites}
    assert (len(kept), kept[INVITES_KEPT + 1]) == (INVITES_KEPT, WALL + DAY + INVITES_KEPT + 1)
    assert asks(talk, invite=INVITES_KEPT + 1, proof=proof(OTHER)).member == 50


def test_nobodys_invitations_leave_no_room_for_anothers() -> None:
    talk = led()
    talk.hand(Invited(7, check_of(OTHER), WALL + talk.now, WALL + MINUTE))
    later = tuple(m.Invite(1000 + i, CHECK, 2, made=WALL + DAY) for i in range(2 * INVITES_KEPT))
    for few in (later[:INVITES_KEPT], later[INVITES_KEPT:]):
        talk.hears(m.Update(m.Caller(CHAT, 2, 100, NO_EPOCH), m.Roster(invites=few)))
    assert len(talk.group.invites) == INVITES_KEPT
    talk.hand(Invited(8, check_of(OTHER), WALL + talk.now, WALL + MINUTE))
    kept = {one.id: one.made for one in talk.group.invites}
    assert kept[7] == kept[8] == WALL + talk.now
    assert asks(talk, invite=7, proof=proof(OTHER)).member == 50


made_by = st.builds(  # One id is of one maker, and of one instant.
    lambda by, n: m.Invite(by * 100 + n, CHECK, by, made=n * 7 % 5),
    st.integers(1, 4),
    st.integers(0, 20),
)


@fixed
@given(st.lists(made_by, max_size=40), st.integers(0, 40), st.randoms(use_true_random=False))
def test_all_keep_the_same_invitations(every: list[m.Invite], at: int, rng: Random) -> None:
    """Whoever hears of them in whatever order, and from whom that has forgotten some."""
    with patch.object(membership, "INVITES_KEPT", 6):
        one, other, all_at_once = Membership(), Membership(), Membership()
        all_at_once.absorb(m.Roster(invites=tuple(every)))
        for invite in rng.sample(every, len(every)):
            one.absorb(m.Roster(invites=(invite,)))
        for part in (every[:at], every[at:]):
            half = Membership()
            half.absorb(m.Roster(invites=tuple(part)))
            other.absorb(half.roster)
        assert one.invites == other.invites == all_at_once.invites
        assert one.hash == other.hash == all_at_once.hash


def test_no_instant_of_an_invitation_is_later_than_can_be_told() -> None:
    members = Membership()
    last = tuple(m.Invite(id, CHECK, 1, made=MADE_MAX) for id in range(1, INVITES_KEPT + 1))
    members.absorb(m.Roster(invites=last))
    assert members.kept_from(5, 7, by=1) == MADE_MAX == NUMBER_MAX
    assert Membership().kept_from(5, 7, by=1) == 5
