"""Dialogues about node/core/claiming.py: the claim at the registry."""

import pytest

from node.core import effects as e
from node.core import messages as m
from node.core.deciding import Decision
from node.core.messages import Life, Vote
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Epoch, Hlc

from .cast import EPOCH, NEXT, address, identity, person, record
from .dialogue import Dialogue, follower
from .test_ruling import BAN, KICK, KICK4, OP2, decided, told
from .test_vouching import is_signed, signer


def claiming(*others: int, **rest: object) -> Dialogue:
    """Member 2, whose leader 1 is gone, has just claimed with the votes of all."""
    talk = follower(2, 1, 3, 4, *others, **rest)  # type: ignore[arg-type]
    talk.kill(1)
    talk.wait_for(m.Elect)
    for voter in talk.callees(m.Elect):
        talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE), to=voter)
    assert talk.waits(m.Claim)
    return talk


def test_a_claim_carries_the_votes_and_all_that_repairs_a_registry_that_forgot() -> None:
    talk = claiming(highest_n=40)
    claim = talk.call(m.Claim).request
    assert (claim.chat, claim.node, claim.address) == (talk.group.chat, 2, address(2))
    assert (claim.expected, claim.votes, claim.electorate) == (EPOCH, (2, 3, 4), 4)
    facts = claim.facts
    assert (facts.name, facts.mode, facts.created) == ("den", 1, talk.group.created)
    assert (facts.epoch, facts.leader, facts.leader_address) == (EPOCH, 1, address(1))
    assert facts.highest_n == 40


def test_who_was_dropped_lately_could_vote_for_the_leader_on_the_other_side_of_a_split() -> None:
    talk = follower(2, 1, 3, 4, 5, person(6, Life.DROPPED), person(7, left=True))
    talk.wait(700_000)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(5, Life.DROPPED),))))
    talk.kill(1, 5)
    talk.wait_for(m.Elect)
    for voter in talk.callees(m.Elect):
        talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE), to=voter)
    claim = talk.call(m.Claim).request
    assert (claim.votes, claim.electorate) == ((2, 3, 4), 5), "1, 2, 3, 4, and 5, which went lately"


def test_a_claim_of_unknown_fate_is_repeated_with_its_nonce_and_expectation() -> None:
    talk = claiming()
    first = talk.call(m.Claim).request
    talk.mute(3, 4)  # No other round comes in between.
    talk.heal(1)
    talk.hold(m.Ping)
    talk.fail(m.Claim)
    again = talk.wait_for(m.Claim)
    assert (again.nonce, again.expected) == (first.nonce, first.expected)


def test_a_claim_is_repeated_until_a_higher_epoch_is_known() -> None:
    talk = claiming()
    talk.fail(m.Claim)
    talk.record = record(3, NEXT)
    talk.wait(2 * LAN.record_ms)
    assert talk.group.leader == 3
    talk.wait(2 * LAN.record_ms)
    assert talk.sent(m.Claim) == []


def test_once_the_leader_answered_leading_the_repeat_only_asks_for_the_fate() -> None:
    talk = follower(3, 1, 2, 4)
    talk.kill(1)
    talk.wait_for(m.Elect)
    for voter in talk.callees(m.Elect):
        talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE), to=voter)
    nonce = talk.call(m.Claim).request.nonce
    talk.heal(1)
    talk.fail(m.Claim)
    claim = talk.wait_for(m.Claim)
    assert (claim.nonce, claim.votes, claim.only_fate) == (nonce, (), True)


def test_a_grant_makes_the_claimant_leader_and_its_ids_go_to_newcomers() -> None:
    talk = claiming()
    talk.answer(m.Claim, talk.granted(NEXT))
    assert (talk.group.leads, talk.group.leader, talk.group.epoch) == (True, 2, NEXT)
    assert talk.of(e.LeaderChanged)[0].took_ms == 0, "from the refusal to the grant"


def told_before_its_grant() -> Dialogue:
    """Somebody has read the record that our claim has made; the claim's answer is on its way."""
    talk = claiming()
    talk.record = record(2, NEXT)
    view = talk.view(3, epoch=NEXT, leader=2)
    talk.hears(m.Ping(talk.caller(3, epoch=NEXT), view))
    assert (talk.group.leads, talk.group.leader, talk.group.epoch) == (False, 0, NEXT)
    return talk


def test_a_grant_that_others_know_before_the_claimant_is_used_all_the_same() -> None:
    talk = told_before_its_grant()
    talk.wait(5)
    assert len(talk.callees(m.Claim)) == 1, "a second claim would cost an epoch"
    talk.answer(m.Claim, talk.granted(NEXT))
    assert (talk.group.leads, talk.group.epoch) == (True, NEXT)
    talk.wait(LAN.t1_ms // 2)
    assert talk.sent(m.Claim) == []


def test_where_that_grant_is_lost_the_claimant_claims_anew() -> None:
    talk = told_before_its_grant()
    talk.fail(m.Claim)
    claim = talk.wait_for(m.Claim, ms=50)
    assert claim.expected == NEXT


@pytest.mark.parametrize("late", [NEXT, Epoch(2, 1), None])
def test_a_late_word_of_an_old_claim_starts_nothing(late: Epoch | None) -> None:
    talk = claiming()
    view = talk.view(3, epoch=Epoch(1, 7), leader=3)
    talk.hears(m.Coordinator(talk.caller(3, epoch=Epoch(1, 7)), view, False))
    assert talk.group.leader == 3
    refusal = m.Refusal(Reason.STALE_EPOCH, record=record(4, NEXT))
    talk.answer(m.Claim, talk.granted(late) if late else refusal)
    assert (talk.group.leads, talk.group.leader, talk.group.epoch) == (False, 3, Epoch(1, 7))


def test_a_claim_refused_with_a_higher_record_is_followed() -> None:
    talk = claiming()
    talk.record = record(3, NEXT)
    talk.answer(m.Claim, m.Refusal(Reason.STALE_EPOCH, record=talk.record))
    assert (talk.group.leads, talk.group.leader) == (False, 3)
    assert talk.one(e.ElectionMoved).phase is e.Phase.REFUSED, "the new leader ends the round"


def test_a_claim_refused_since_the_leader_lives_waits_for_a_fresh_timer() -> None:
    talk = claiming()
    talk.wait(450)  # The registry asked the old leader.
    talk.answer(m.Claim, m.Refusal(Reason.LEADER_ALIVE, record=record(1)))
    assert [(moved.phase, moved.detail) for moved in talk.of(e.ElectionMoved)] == [
        (e.Phase.REFUSED, "LEADER_ALIVE"),
        (e.Phase.ENDED, "the leader answers the NDS"),
    ]
    talk.wait(LAN.t1_ms - 1)
    assert talk.sent(m.Elect) == []
    assert talk.sent(m.Claim) == []
    talk.wait_for(m.Elect)


def test_one_claim_is_in_flight_at_a_time() -> None:
    talk = claiming()
    elect = m.Elect(talk.caller(1), talk.view(1), hand_over=True)  # The leader lives, and goes.
    talk.hears(elect)
    talk.hears(elect)
    assert talk.sent(m.Claim) == []
    assert len(talk.callees(m.Claim)) == 1


def test_nonsense_in_answer_to_a_claim_is_thrown_away() -> None:
    talk = claiming()
    talk.answer(m.Claim, m.Deleted())
    assert not talk.group.leads
    assert talk.group.drops["a claim answered with nonsense"] == 1


def test_an_id_that_its_identity_has_outgrown_uses_no_grant() -> None:
    talk = claiming()
    newer = person(20, identity=person(2).identity, nick=m.Fact("me", Hlc(1, 0), 20))
    talk.hears(m.Update(talk.caller(3), m.Roster((newer,))))
    assert talk.group.me == 20
    talk.answer(m.Claim, m.Granted(record(2, NEXT), talk.granted().ids))
    assert not talk.group.leads


def test_a_claim_outlives_the_provisional_leadership_that_came_of_its_silence() -> None:
    talk = claiming()
    nonce = talk.call(m.Claim).request.nonce
    talk.heal(1)
    talk.fail(m.Claim)
    assert talk.group.provisional == 2
    talk.wait(LAN.t2_ms * 12 // 10)
    assert talk.group.following == 1, "the certified leader answered"
    claim = talk.wait_for(m.Claim)
    assert (claim.nonce, claim.votes, claim.only_fate) == (nonce, (), True)


# ---- a leader that was removed -------------------------------------------------------------------


def deposing(*decisions: Decision, me: int = 3, leader: int = 4) -> m.Claim:
    """What a member claims that hears of these, where everybody answers."""
    signs = {"sign": signer(me), "verify": is_signed}
    talk = follower(me, *({1, 2, 3, 4} - {me}), leader=leader, signs=signs)
    talk.hold(m.Elect)
    told(talk, *decisions)
    talk.wait_for(m.Elect)
    for voter in talk.callees(m.Elect):
        talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE), to=voter)
    claim = talk.call(m.Claim).request
    assert isinstance(claim, m.Claim)
    return claim


def test_a_claim_shows_that_the_leader_was_removed() -> None:
    by_owner = decided(1, KICK, 4)
    assert deposing(by_owner).removals == (by_owner,)
    assert deposing(OP2, KICK4).removals == (OP2, KICK4)


def test_and_nothing_of_another_or_of_a_leader_that_is_silent() -> None:
    talk = follower(3, 1, 2, 4, signs={"sign": signer(3), "verify": is_signed})
    told(talk, OP2, KICK4)
    talk.kill(1)
    talk.wait_for(m.Elect, ms=60_000)
    for voter in talk.callees(m.Elect):
        talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE), to=voter)
    assert talk.call(m.Claim).request.removals == ()


def test_nor_where_only_its_person_is_kept_out() -> None:
    """Which member that is the registry does not know."""
    assert deposing(decided(1, BAN, person=identity(4))).removals == ()
