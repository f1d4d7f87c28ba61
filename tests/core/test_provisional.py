"""Dialogues about node/core/provisional.py: leading while the registry is away."""

import pytest

from node.core import effects as e
from node.core import messages as m
from node.core.events import Started
from node.core.messages import Vote
from node.core.reasons import Reason
from node.core.state import Role
from node.core.timing import LAN
from node.core.types import Epoch

from .cast import EPOCH, LEADING, NEXT, NOT_LEADING, PROVISIONAL, WALL, address, identity, record
from .dialogue import Dialogue, follower, returning


def provisional(me: int = 2, *others: int) -> Dialogue:
    """The leader is gone, the registry is away, and nobody lower is there."""
    talk = follower(me, 1, *(others or (3, 4)))
    lower = [member for member in others if member < me]
    talk.kill(1, *lower)
    talk.cut_registry()
    talk.wait_for(m.Elect)
    for voter in talk.callees(m.Elect):
        talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE, nds=False), to=voter)
    talk.wait_for(m.Claim)
    talk.wait(LAN.claim_ms + 100)
    talk.heal(*lower)
    assert talk.group.role is Role.PROVISIONAL
    return talk


def coordinator(talk: Dialogue, by: int, epoch: Epoch = EPOCH) -> m.Coordinator:
    return m.Coordinator(talk.caller(by, epoch=epoch), talk.view(by, provisional=by), True)


def following(by: int = 2, me: int = 3) -> Dialogue:
    """A member that follows a provisional leader."""
    talk = follower(me, 1, 2, 4, 5)
    talk.kill(1)
    talk.cut_registry()
    talk.wait_for(m.Elect)
    talk.hears(coordinator(talk, by))
    assert talk.group.following == by
    return talk


# ---- the provisional leader ----------------------------------------------------------------------


def test_with_the_registry_away_the_lowest_id_leads_provisionally_beside_the_certified_epoch() -> (
    None
):
    talk = provisional()
    assert (talk.group.provisional, talk.group.leader, talk.group.epoch) == (2, 1, EPOCH)
    (coordinate, *_) = [r.request for r in talk.of(e.Call) if isinstance(r.request, m.Coordinator)]
    assert coordinate.provisional
    assert coordinate.view.provisional == 2


def test_somebody_lower_that_answered_keeps_us_from_leading_provisionally() -> None:
    talk = follower(3, 1, 2, 4)
    talk.kill(1)
    talk.cut_registry()
    talk.wait_for(m.Elect)
    talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE, ok=True, nds=False), to=2)
    talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE, nds=False), to=4)
    assert not talk.waits(m.Claim), "the lower one stands itself"
    talk.wait(LAN.wait_ms + LAN.claim_ms + 200)
    assert talk.group.provisional == 0


def test_a_provisional_leader_never_assigns_ids() -> None:
    talk = provisional()
    caller = m.Caller(talk.group.chat, 0, 100, Epoch(0, 0))
    refusal = talk.hears(m.Join(caller, "den", identity(9), "nine", address(9), process=9))
    assert refusal.reason == Reason.NOT_LEADER


def test_who_wants_in_is_told_that_nobody_is_let_in_before_the_registry_confirms() -> None:
    for talk in (provisional(), following()):
        caller = m.Caller(talk.group.chat, 0, 100, Epoch(0, 0))
        refusal = talk.hears(m.Join(caller, "den", identity(9), "nine", address(9), process=9))
        assert refusal.text == (
            "its leader leads only for now; the NDS must confirm that before anybody is let in"
        )


def test_it_repeats_its_coordinator_to_every_member_once_per_t2() -> None:
    talk = provisional()
    talk.wait(10 * LAN.t2_ms)
    for member in (1, 3, 4):
        assert 8 <= len(talk.sent(m.Coordinator, to=member)) <= 12


def test_in_a_large_group_it_repeats_it_to_some() -> None:
    talk = provisional(2, *range(3, 30))
    talk.wait(2 * LAN.t2_ms)
    talk.wait(LAN.t2_ms * 12 // 10)
    told = [call.to for call in talk.of(e.Call) if isinstance(call.request, m.Coordinator)]
    assert 0 < len(told) <= 2 * LAN.poll_all_max


def test_it_repeats_its_claim_with_the_same_nonce() -> None:
    talk = provisional()
    talk.wait(5 * LAN.t2_ms)
    claims = talk.sent(m.Claim)
    assert len(claims) >= 2
    assert len({claim.nonce for claim in claims}) == 1


def test_the_certified_leader_is_probed_once_per_t2() -> None:
    for talk in (provisional(), following()):
        talk.wait(10 * LAN.t2_ms)
        assert len(talk.sent(m.Ping, to=1)) >= 8
    assert len(talk.sent(m.Ping, to=1)) <= 12, "a follower has no other reason"


def test_it_ends_when_the_certified_leader_answers_leading() -> None:
    talk = provisional()
    talk.heal(1)
    talk.wait(LAN.t2_ms * 12 // 10)
    assert (talk.group.role, talk.group.following) == (Role.FOLLOWER, 1)
    assert talk.one(e.LeaderChanged).provisional is False


def test_it_does_not_end_because_the_old_leader_is_there_and_does_not_lead() -> None:
    talk = provisional()
    talk.heal(1)
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, to=1)
    talk.answer(m.Ping, talk.pong(NOT_LEADING), to=1)
    assert talk.group.role is Role.PROVISIONAL


def test_it_ends_when_the_registry_grants_the_claim() -> None:
    talk = provisional()
    talk.mend_registry()
    talk.wait_for(m.Claim)
    talk.answer(m.Claim, talk.granted(NEXT))
    assert (talk.group.role, talk.group.epoch) == (Role.LEADER, NEXT)
    assert talk.group.provisional == 0


def test_it_ends_when_the_registry_refuses_the_claim() -> None:
    talk = provisional()
    talk.mend_registry()
    talk.wait_for(m.Claim)
    talk.answer(m.Claim, m.Refusal(Reason.LEADER_ALIVE, record=record(1)))
    assert (talk.group.role, talk.group.following) == (Role.FOLLOWER, 1)


def test_it_ends_when_a_higher_certified_epoch_is_known() -> None:
    talk = provisional()
    view = talk.view(3, epoch=NEXT, leader=3, provisional=0)
    talk.hears(m.Coordinator(talk.caller(3, epoch=NEXT), view, False))
    assert (talk.group.role, talk.group.following) == (Role.FOLLOWER, 3)


@pytest.mark.parametrize(("other", "follows"), [(2, 2), (4, 3)])
def test_of_two_that_both_stood_the_lower_holds(other: int, follows: int) -> None:
    talk = provisional(3, 2, 4)
    talk.hears(coordinator(talk, other))
    assert talk.group.following == follows


def test_one_that_hears_of_a_lower_one_by_another_asks_it_first() -> None:
    talk = provisional(3, 2, 4)
    talk.hold(m.Ping)
    talk.hears(m.Ping(talk.caller(4), talk.view(4, provisional=2)))
    assert talk.group.role is Role.PROVISIONAL
    talk.answer(m.Ping, talk.pong(PROVISIONAL, 2, provisional=2), to=2)
    assert talk.group.following == 2


def test_a_former_one_answers_not_leading_with_the_one_it_follows() -> None:
    talk = provisional(3, 2, 4)
    assert talk.hears(m.Ping(talk.caller(4), talk.view(4))).standing is PROVISIONAL
    talk.hears(coordinator(talk, 2))
    pong = talk.hears(m.Ping(talk.caller(4), talk.view(4)))
    assert (pong.standing, pong.view.provisional) == (NOT_LEADING, 2)


# ---- its followers -------------------------------------------------------------------------------


def test_a_member_that_hears_its_certified_leader_follows_no_provisional_one() -> None:
    talk = follower(3, 1, 2)
    talk.hears(coordinator(talk, 2))
    assert talk.group.following == 1


def test_a_returning_lower_id_that_hears_one_does_not_stand() -> None:
    talk = returning(2, 1, 3, 4, leader=1)
    talk.hold(m.Ping)
    talk.kill(1)
    talk.cut_registry()
    talk.hand(Started(WALL))
    talk.wait_for(m.Ping, to=3)
    talk.answer(m.Ping, talk.pong(NOT_LEADING, 4, provisional=3), to=4)
    talk.answer(m.Ping, talk.pong(PROVISIONAL, 3, provisional=3), to=3)
    assert talk.group.following == 3
    assert talk.sent(m.Elect) == []


def test_the_liveness_timer_watches_the_provisional_leader() -> None:
    talk = following()
    talk.wait(LAN.elect_ms)
    talk.mute(1, 2)
    talk.wait_for(m.Elect, to=4)
    assert 2 * LAN.ping_ms <= talk.now
    pings = [s for _, s in talk.log if isinstance(s, e.Call) and isinstance(s.request, m.Ping)]
    assert [s.to for s in pings if s.to != 1][-2:] == [2, 2]


def test_a_follower_returns_to_the_certified_leader_that_answers() -> None:
    talk = following()
    talk.heal(1)
    talk.wait(LAN.t2_ms * 12 // 10)
    assert talk.group.following == 1


def test_a_follower_moves_to_the_lower_one_that_its_own_follows_now() -> None:
    talk = following(by=4, me=5)
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, to=4)
    talk.answer(m.Ping, talk.pong(NOT_LEADING, 4, provisional=2), to=4)
    assert talk.group.following == 2


@pytest.mark.parametrize(("me", "rank"), [(3, 2), (5, 4)])
def test_a_follower_that_reaches_the_registry_stands_in_by_rank(me: int, rank: int) -> None:
    talk = following(me=me)
    talk.mend_registry()
    began = talk.now
    talk.wait_for(m.Claim)
    soonest = 2 * LAN.t2_ms + 300 * rank
    assert soonest <= talk.now - began <= soonest + 2 * LAN.t2_ms


def test_the_rank_of_a_stand_in_counts_those_that_are_there() -> None:
    """Two followers never claim at one instant: each waits 300 ms for each lower one."""
    first, second = following(by=2, me=4), following(by=2, me=5)
    for talk in (first, second):
        talk.mend_registry()
        talk.wait_for(m.Claim)
    assert second.now > first.now


def test_a_stand_in_whose_claim_is_granted_leads() -> None:
    talk = following()
    talk.mend_registry()
    talk.wait_for(m.Claim)
    talk.answer(m.Claim, talk.granted(NEXT))
    assert (talk.group.leads, talk.group.epoch) == (True, NEXT)


def test_no_stand_in_once_the_certified_leader_answered() -> None:
    talk = following()
    talk.mend_registry()
    talk.heal(1)
    talk.wait(10 * LAN.t2_ms)
    assert talk.sent(m.Claim) == []
    assert talk.hears(m.Ping(talk.caller(4), talk.view(4))).standing is not LEADING


def test_who_was_granted_without_hearing_of_it_follows_a_provisional_leader_quietly() -> None:
    talk = follower(2, 1, 3, leader=3)
    talk.cut_registry()
    caller, view = talk.caller(1, epoch=NEXT), talk.view(1, epoch=NEXT, leader=2, provisional=1)
    talk.hears(m.Coordinator(caller, view, True))
    assert (talk.group.epoch, talk.group.following) == (NEXT, 1)
    pings = 0
    for _ in range(20):
        talk.wait(100)
        pings += sum(isinstance(one.request, m.Ping) for one in talk.of(e.Call))
    assert pings < 20, "it is looked at now and then, and not without a pause"
