"""Dialogues about node/core/proving.py: the keys that speak for a group at the registry."""

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.access import ClaimKey
from node.core.deciding import Act, Decision, hand_over_statement
from node.core.events import Decided, Founded, Leaving, Started
from node.core.group import Group
from node.core.membership import CLAIM_KEY_MAX, CLAIM_KEYS_UNHEARD, Membership
from node.core.messages import Roster, Vote
from node.core.proving import (
    HAND_OVERS_MAX,
    PATIENCE_MS,
    SPREAD_MS,
    first_key,
    gone_hash,
    statement,
)
from node.core.reasons import Reason
from node.core.state import Pairs, Role
from node.core.timing import LAN
from node.core.types import Hlc, IdBlock
from node.limits import NUMBER_MAX
from tests.sim.signing import is_signed, public, sign, signer

from .cast import BEFORE, FIRST, WALL, address, identity, person, record, setup
from .dialogue import Dialogue, follower, leading

SHOWS = b"certificate"
KEYS = tuple(ClaimKey(n, bytes([n]) * 32, gone_hash(())) for n in range(1, 10))
ONE, TWO, THREE, *_ = (public(key.secret) for key in KEYS)


def signs(me: int) -> dict[str, Any]:
    own, rng = signer(identity(me)), Random(me)
    pairs = Pairs(lambda: rng.randbytes(32), public, sign)
    return {"claims": pairs, "shows": SHOWS, "sign": own}


def knows(*keys: ClaimKey) -> Roster:
    return Roster(claim_keys=keys)


def registered(talk: Dialogue, key: bytes) -> None:
    """The registry's record from now on."""
    talk.record = replace(talk.record, claim_key=key)


def ruling(*others: Any, keys: tuple[ClaimKey, ...] = KEYS[:1], at: bytes = ONE) -> Dialogue:
    """Member 1 leads, and knows these keys, of which one is registered."""
    talk = leading(1, *others, signs=signs(1))
    talk.hears(m.Update(talk.caller(2), knows(*keys)))
    registered(talk, at)
    talk.wait(LAN.renew_ms * 2)
    return talk


def keys_of(request: Any) -> list[bytes]:
    """Those that have signed it; what does not hold fails."""
    said = statement(request, SHOWS)
    assert all(is_signed(one.key, one.signature, said) for one in request.proofs), request
    return [one.key for one in request.proofs]


def parts(talk: Dialogue, member: int) -> None:
    gone = person(member, left=True)
    talk.hears(m.Leave(talk.caller(member), gone))


# ---- the first key -------------------------------------------------------------------------------


def founder() -> Dialogue:
    talk = Dialogue(Group(setup(1, name="den", **signs(1)), LAN, Random(1)), 1)
    talk.hand(Started(WALL))
    talk.record = replace(record(1, FIRST), claim_key=ONE)
    talk.hand(Founded(talk.record, IdBlock(1, 8), KEYS[0].secret))
    return talk


def test_a_founder_keeps_the_key_that_it_made_and_renews_with_it() -> None:
    talk = founder()
    assert talk.group.roster.claim_keys == (first_key(KEYS[0].secret),)
    stored = [s.roster for _, s in talk.log if isinstance(s, e.StoreRoster)]
    assert stored[0].claim_keys == talk.group.roster.claim_keys
    talk.hold(m.Renew)
    renew = talk.wait_for(m.Renew)
    assert (keys_of(renew), renew.claim_key, renew.owner) == ([ONE], ONE, identity(1))


def test_the_last_to_leave_ends_the_network_with_it() -> None:
    talk = founder()
    talk.hand(Leaving())
    delete = talk.call(m.Delete).request
    assert keys_of(delete) == [ONE, identity(1)]


def test_a_network_of_before_gets_a_key_from_who_leads() -> None:
    talk = leading(1, 2, signs=signs(1))
    talk.hold(m.Renew)
    first = talk.wait_for(m.Renew)
    (key,) = talk.group.roster.claim_keys
    assert (key.number, key.gone, first.claim_key) == (1, gone_hash(()), b"")
    told = [c.request.roster for c in talk.of(e.Call) if isinstance(c.request, m.Update)]
    assert knows(key).claim_keys in [roster.claim_keys for roster in told]
    talk.answer(m.Renew, m.RecordRead(talk.record))
    then = talk.wait_for(m.Renew)
    assert (then.claim_key, keys_of(then)[0]) == (public(key.secret), public(key.secret))


def test_without_ways_to_sign_nothing_is_proved() -> None:
    talk = leading(1, 2)
    talk.hold(m.Renew)
    renew = talk.wait_for(m.Renew)
    assert (renew.proofs, renew.claim_key, renew.owner) == ((), b"", b"")
    assert talk.group.roster.claim_keys == ()


# ---- rotation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["left", "kicked by others"])
def test_when_somebody_has_gone_there_is_another_key_that_is_registered_once_all_may_know(
    how: str,
) -> None:
    talk = ruling(2, 3)
    talk.hold(m.Renew)
    if how == "left":
        parts(talk, 3)
    else:
        talk.hears(m.Update(talk.caller(2), Roster((person(3, left=True),))))
    began = talk.now
    renew = talk.wait_for(m.Renew)
    _, fresh = talk.group.roster.claim_keys
    assert talk.now - began < 1_000
    assert (fresh.number, fresh.gone) == (2, gone_hash((3,)))
    assert (renew.claim_key, keys_of(renew)) == (ONE, [ONE])
    told = [c for c in talk.of(e.Call) if isinstance(c.request, m.Update)]
    assert {c.to for c in told if fresh in c.request.roster.claim_keys} == {2}, "not who has gone"
    talk.answer(m.Renew, m.RecordRead(talk.record))
    since = talk.now
    while (renew := talk.wait_for(m.Renew)).claim_key == ONE:
        talk.answer(m.Renew, m.RecordRead(talk.record))
    assert SPREAD_MS <= talk.now - since <= SPREAD_MS + LAN.renew_ms
    assert (renew.claim_key, keys_of(renew)) == (public(fresh.secret), [ONE])
    registered(talk, public(fresh.secret))
    talk.answer(m.Renew, m.RecordRead(talk.record))
    renew = talk.wait_for(m.Renew)
    assert (renew.claim_key, keys_of(renew)) == (public(fresh.secret), [public(fresh.secret)])
    assert len(talk.group.roster.claim_keys) == 2


@pytest.mark.parametrize("how", ["left", "kicked"])
def test_a_key_that_nobody_else_has_is_not_registered_but_where_somebody_was_removed(
    how: str,
) -> None:
    """It would be lost with who leads; whoever was removed must not wait for somebody to hear."""
    talk = ruling(2, 3)
    talk.kill(2)
    if how == "left":
        parts(talk, 3)
    else:
        talk.hand(Decided(Act.KICK, WALL + talk.now, 3, identity(3)))
    talk.hold(m.Renew)
    asked = []
    for _ in range(20):
        asked.append(talk.wait_for(m.Renew).claim_key)
        talk.answer(m.Renew, m.RecordRead(talk.record))
    fresh = public(talk.group.roster.claim_keys[-1].secret)
    assert (talk.group.active, set(asked)) == ((1,), {ONE} if how == "left" else {ONE, fresh})
    if how == "left":
        talk.heal(2)
        talk.hears(m.Ping(talk.caller(2), talk.view(2)))
        assert talk.wait_for(m.Renew).claim_key == fresh


@pytest.mark.parametrize(
    ("have_it", "ms", "is_due"),
    [
        ({2, 3}, SPREAD_MS - 1, False),
        ({2, 3}, SPREAD_MS, True),
        ({2}, PATIENCE_MS - 1, False),
        ({2}, PATIENCE_MS, True),
        (set[int](), 2 * PATIENCE_MS, False),
    ],
)
def test_a_key_is_registered_once_all_that_answer_have_it_and_later_once_one_has(
    have_it: set[int], ms: int, is_due: bool
) -> None:
    """Else it could be lost with the few that have it."""
    talk = ruling(2, 3, 4)
    talk.hold(m.Renew, m.Update)
    parts(talk, 4)
    talk.wait_for(m.Renew)
    s, proving = talk.group._s, talk.group._reign._proving
    newest, since = public(talk.group.roster.claim_keys[-1].secret), s.now
    assert proving.due() == ONE
    s.now += ms
    s.liveness.agreed_at.clear()
    s.liveness.agreed_at.update(dict.fromkeys(have_it, since))
    assert proving.due() == (newest if is_due else ONE)


def test_who_is_leaving_makes_no_key() -> None:
    """It would know it."""
    talk = ruling(2, 3)
    talk.mute(2, 3)
    talk.hold(m.Renew)
    talk.wait_for(m.Renew)
    talk.answer(m.Renew, m.RecordRead(talk.record))
    talk.hand(Leaving())
    talk.wait_for(m.Renew)
    assert talk.group.member(1).left, "and still tells the others"
    assert talk.group.roster.claim_keys == KEYS[:1]


def test_there_is_no_third_key_before_the_second_is_registered() -> None:
    talk = ruling(2, 3, 4)
    parts(talk, 3)
    talk.wait(1_000)
    parts(talk, 4)
    talk.wait(20_000)
    assert [key.number for key in talk.group.roster.claim_keys] == [1, 2]
    registered(talk, public(talk.group.roster.claim_keys[1].secret))
    talk.wait(2 * LAN.renew_ms)
    assert [key.number for key in talk.group.roster.claim_keys] == [1, 2, 3]
    assert talk.group.roster.claim_keys[2].gone == gone_hash((3, 4))


def test_nobody_makes_a_key_who_was_not_granted_the_epoch() -> None:
    talk = follower(2, 1, 3, signs=signs(2))
    talk.hears(m.Update(talk.caller(1), knows(KEYS[0])))
    talk.cut_registry()
    talk.kill(1)
    parts(talk, 3)
    talk.wait(60_000)
    assert talk.group.leads, "for now"
    assert talk.group.roster.claim_keys == KEYS[:1]


def test_who_leads_next_registers_what_the_last_one_could_not() -> None:
    talk = ruling(2, keys=KEYS[:2], at=ONE)
    sent = [s.request for _, s in talk.log if isinstance(s, e.Ask)]
    renewals = [r for r in sent if isinstance(r, m.Renew)]
    assert (renewals[-1].claim_key, keys_of(renewals[-1])) == (TWO, [ONE])


@pytest.mark.parametrize("removed", [False, True])
def test_who_goes_leaves_no_key_of_its_own_behind(removed: bool) -> None:
    """One that says of itself that it was made when all had gone who have gone by now."""
    talk = ruling(2, 3, keys=KEYS[:1], at=ONE)
    own = replace(KEYS[1], gone=gone_hash((3,)))
    talk.hears(m.Update(talk.caller(3), knows(own)))
    registered(talk, TWO)
    talk.wait(2 * LAN.renew_ms)
    if removed:
        talk.hand(Decided(Act.KICK, WALL + talk.now, 3, identity(3)))
    else:
        parts(talk, 3)
    talk.wait(2 * LAN.renew_ms)
    assert [key.number for key in talk.group.roster.claim_keys] == [1, 2, 3]
    sent = [s.request for _, s in talk.log if isinstance(s, e.Ask)]
    last = [r for r in sent if isinstance(r, m.Renew)][-1]
    assert last.claim_key == public(talk.group.roster.claim_keys[2].secret)


def test_keys_that_a_member_makes_up_do_not_cost_the_one_that_is_registered() -> None:
    talk = ruling(2, 3, keys=KEYS[:1], at=ONE)
    talk.hears(m.Update(talk.caller(2), knows(*KEYS[1:5])))
    assert KEYS[0] not in talk.group.roster.claim_keys
    talk.wait(PATIENCE_MS + 2 * LAN.renew_ms)
    sent = [s.request for _, s in talk.log if isinstance(s, e.Ask)]
    last = [r for r in sent if isinstance(r, m.Renew)][-1]
    assert (keys_of(last), last.claim_key) == ([ONE], public(KEYS[4].secret))


def test_nor_do_they_cost_who_claims() -> None:
    talk = follower(2, 1, 3, signs=signs(2))
    talk.hears(m.Update(talk.caller(1), knows(KEYS[0])))
    registered(talk, ONE)
    talk.wait(2 * LAN.record_ms)
    talk.hears(m.Update(talk.caller(3), knows(*KEYS[1:5])))
    talk.kill(1)
    talk.wait(20_000)
    sent = [s.request for _, s in talk.log if isinstance(s, e.Ask)]
    claims = [r for r in sent if isinstance(r, m.Claim)]
    assert claims
    assert all(ONE in keys_of(claim) for claim in claims)


def test_where_another_key_is_registered_than_we_have_all_are_tried_and_the_owners() -> None:
    talk = ruling(2, keys=KEYS[:2], at=THREE)
    sent = [s.request for _, s in talk.log if isinstance(s, e.Ask)]
    last = [r for r in sent if isinstance(r, m.Renew)][-1]
    assert (keys_of(last), last.claim_key) == ([ONE, TWO, identity(1)], TWO)


# ---- claims --------------------------------------------------------------------------------------


def claiming(*keys: ClaimKey, me: int = 2) -> Dialogue:
    others = [one for one in (1, 2, 3) if one != me]
    talk = follower(me, *others, leader=3 if me == 1 else 1, signs=signs(me))
    talk.hears(m.Update(talk.caller(others[0]), knows(*keys)))
    talk.kill(talk.group.leader)
    stand(talk)
    return talk


def stand(talk: Dialogue) -> None:
    """A round that ends with a claim."""
    talk.wait_for(m.Elect, ms=60_000)
    for voter in talk.callees(m.Elect):
        talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE), to=voter)
    assert talk.waits(m.Claim)


def test_a_claim_is_signed_with_every_key_that_may_be_registered() -> None:
    claim = claiming(*KEYS[:2]).call(m.Claim).request
    assert (keys_of(claim), claim.claim_key, claim.owner) == ([ONE, TWO], TWO, identity(1))


def test_the_owner_signs_with_its_identity_too() -> None:
    claim = claiming(*KEYS[:2], me=1).call(m.Claim).request
    assert keys_of(claim) == [ONE, TWO, identity(1)]


def test_claims_and_renewals_tell_how_ownership_went_on() -> None:
    """A hand-over without a signature is none."""
    talk = leading(1, 2, 3, signs=signs(1))
    talk.hold(m.Renew)
    assert talk.wait_for(m.Renew).handovers == ()
    talk.answer(m.Renew, m.RecordRead(talk.record))
    talk.hand(Decided(Act.OWNER, WALL + talk.now, 2, identity(2)))
    renew = talk.wait_for(m.Renew)
    (step,) = renew.handovers
    assert (step.by, step.owner, renew.owner) == (identity(1), identity(2), identity(2))
    assert is_signed(step.by, step.signature, hand_over_statement(talk.group.chat, step.owner))
    (first,) = talk.group.roster.decisions
    back = Decision(2, Act.OWNER, first.hlc._replace(ms=first.hlc.ms + 1), 1, identity(1))
    talk.hears(m.Update(talk.caller(2), Roster(decisions=(replace(back, after=(first.id,)),))))
    talk.answer(m.Renew, m.RecordRead(talk.record))
    renew = talk.wait_for(m.Renew)
    assert (renew.handovers, renew.owner) == ((step,), identity(1)), "of before, without one"


def test_a_claim_tells_the_last_of_many_hand_overs() -> None:
    talk = follower(3, 1, 2, signs=signs(3))
    line, after = [], ()
    for n in range(HAND_OVERS_MAX + 2):
        by, whom = (1, 2) if n % 2 == 0 else (2, 1)
        value = bytes([n]) * 64
        one = Decision(by, Act.OWNER, Hlc(n + 1, 0), whom, identity(whom), value.hex(), after)
        line.append((identity(by), identity(whom), value))
        talk.hears(m.Update(talk.caller(2), Roster(decisions=(one,))))
        after = (one.id,)
    talk.kill(1)
    stand(talk)
    assert talk.call(m.Claim).request.handovers == tuple(line[2:])


def test_who_was_refused_for_its_key_claims_again_with_what_it_hears_of() -> None:
    talk = claiming(KEYS[0])
    registered(talk, TWO)
    talk.answer(m.Claim, m.Refusal(Reason.WRONG_CLAIM_KEY, record=talk.record))
    assert talk.group.role is Role.PROVISIONAL
    talk.hears(m.Update(talk.caller(3), knows(KEYS[1])))
    assert keys_of(talk.wait_for(m.Claim)) == [ONE, TWO]
    talk.answer(m.Claim, talk.granted())
    assert talk.group.leads


@pytest.mark.parametrize("reason", [Reason.WRONG_CLAIM_KEY, Reason.UNKNOWN_NETWORK])
def test_a_registry_that_takes_no_claim_of_ours_is_as_good_as_none(reason: Reason) -> None:
    """It was put back long ago, set up anew with a key of its own, or lies: the group goes on, led
    for now, and admits nobody.
    """
    talk = claiming(KEYS[0], me=1)
    shown = talk.record if reason is Reason.WRONG_CLAIM_KEY else None
    for _ in range(3):
        talk.answer(m.Claim, m.Refusal(reason, record=shown))
        assert talk.group.refused == reason
        assert (talk.group.role, talk.group.provisional) == (Role.PROVISIONAL, 1)
        talk.wait_for(m.Claim)
    told = [s for _, s in talk.log if isinstance(s, e.LeaderChanged)]
    assert [one.provisional for one in told] == [True], "and does not waver"
    talk.answer(m.Claim, talk.granted())
    assert (talk.group.role, talk.group.refused) == (Role.LEADER, "")


@pytest.mark.parametrize("act", [Act.KICK, Act.BAN])
def test_who_is_removed_is_not_told_the_next_key(act: Act) -> None:
    talk = ruling(2, 3)
    whom = 3 if act is Act.KICK else 0
    talk.hand(Decided(act, WALL + talk.now, whom, identity(3)))
    assert 3 not in talk.group.belonging
    talk.hold(m.Renew)
    talk.wait_for(m.Renew)
    _, fresh = talk.group.roster.claim_keys
    assert fresh.gone == gone_hash((3,))
    updates = [s for _, s in talk.log if isinstance(s, e.Call) and isinstance(s.request, m.Update)]
    assert {c.to for c in updates if fresh in c.request.roster.claim_keys} == {2}


# ---- what a roster keeps -------------------------------------------------------------------------


def test_the_four_latest_are_kept_in_whatever_order_they_come() -> None:
    ways = [KEYS[:6], tuple(reversed(KEYS[:6])), (*KEYS[2:6], *KEYS[:3])]
    for way in ways:
        members = Membership()
        for key in way:
            members.absorb(knows(key))
        assert members.claim_keys == KEYS[2:6]
        assert members.hash == Membership(knows(*KEYS[2:6])).hash
    assert Membership(knows(*KEYS[2:6])).hash != Membership(knows(*KEYS[1:5])).hash


def test_two_keys_of_one_number_are_both_kept() -> None:
    """Two sides of a split had made them."""
    twin = replace(KEYS[0], secret=b"t" * 32)
    members = Membership(knows(KEYS[0]))
    members.absorb(knows(twin))
    assert members.claim_keys == tuple(sorted((KEYS[0], twin), key=lambda key: key.rank))


def test_nobody_can_use_all_numbers_up() -> None:
    members = Membership(knows(KEYS[0]))
    far = replace(KEYS[1], number=1 + CLAIM_KEYS_UNHEARD)
    members.absorb(knows(replace(far, number=far.number + 1)))
    assert members.claim_keys == KEYS[:1]
    members.absorb(knows(far))
    assert members.claim_keys == (KEYS[0], far)
    members = Membership()
    members.absorb(knows(replace(far, number=CLAIM_KEY_MAX + 1)))
    assert members.claim_keys == (), "nor by the first that is heard of"
    members.absorb(knows(last := replace(far, number=CLAIM_KEY_MAX)))
    assert members.claim_keys == (last,)
    assert CLAIM_KEY_MAX < NUMBER_MAX


def test_a_newcomer_gets_the_keys() -> None:
    talk = ruling(2)
    caller = m.Caller(talk.group.chat, 0, 100, BEFORE)
    join = m.Join(caller, "den", identity(9), "user9", address(9), process=9)
    talk.hold(m.Ping)
    talk.hears(join)
    talk.answer(m.Ping, replace(talk.pong(), view=replace(talk.view(), process=9)), to=0)
    assert talk.reply().roster.claim_keys == KEYS[:1]
