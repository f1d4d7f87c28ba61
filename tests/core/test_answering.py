"""Dialogues about node/core/answering.py: what we say to PING, ELECTION and COORDINATOR."""

import pytest

from node.core import messages as m
from node.core.effects import ElectionMoved, LeaderChanged
from node.core.events import Closing, LinkBroken
from node.core.messages import Vote
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Epoch, Silence

from .cast import BEFORE, EPOCH, LEADING, NEXT, NOT_LEADING, YIELD, address, person
from .dialogue import Dialogue, follower, leading

DROPPED = m.Life.DROPPED
FIVE = (2, 3, 4, 5)


def do_you_lead(talk: Dialogue, epoch: Epoch = EPOCH, votes: tuple[int, ...] = ()) -> m.Standing:
    """The registry's question."""
    caller = m.Caller(talk.group.chat, 0, 0, Epoch(0, 0))
    standing = talk.hears(m.Ping(caller, None, asks_leading=epoch, votes=votes)).standing
    assert isinstance(standing, m.Standing)
    return standing


def elect(talk: Dialogue, by: int, *, hand_over: bool = False, **view: object) -> m.Elected:
    reply = talk.hears(m.Elect(talk.caller(by), talk.view(by, **view), hand_over))
    assert isinstance(reply, m.Elected)
    return reply


# ---- the registry asks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "standing"),
    [
        ((), LEADING),
        ((2, 3), LEADING),
        ((2, 3, 4), YIELD),
        ((2, 3, 3, 3), LEADING),  # each counts once
        ((1, 2, 3), LEADING),  # it reaches itself
        ((2, 3, 6), LEADING),  # dropped
        ((2, 3, 7), LEADING),  # left
        ((2, 3, 99), LEADING),  # nobody
    ],
)
def test_leader_yields_only_to_more_than_half(votes: tuple[int, ...], standing: m.Standing) -> None:
    talk = leading(1, *FIVE, person(6, DROPPED), person(7, left=True))
    assert do_you_lead(talk, votes=votes) is standing


def test_in_an_even_split_the_sitting_leader_stays() -> None:
    assert do_you_lead(leading(1, 2, 3, 4), votes=(3, 4)) is LEADING


@pytest.mark.parametrize(
    ("asked", "standing"), [(BEFORE, LEADING), (EPOCH, LEADING), (NEXT, NOT_LEADING)]
)
def test_leading_at_a_higher_epoch_than_asked_is_leading(
    asked: Epoch, standing: m.Standing
) -> None:
    assert do_you_lead(leading(1, 2), asked) is standing


def test_a_follower_does_not_lead() -> None:
    assert do_you_lead(follower(3, 1, 2)) is NOT_LEADING


def test_a_stalled_leader_answers_leading_for_t2() -> None:
    talk = leading(1, *FIVE)
    due = talk.group.deadline
    assert due is not None
    talk.freeze(due - talk.now + LAN.ping_ms + 1)
    assert do_you_lead(talk, votes=(2, 3, 4)) is LEADING, "such votes were about its stall"
    talk.wait(LAN.t2_ms - 1)
    assert do_you_lead(talk, votes=(2, 3, 4)) is LEADING
    talk.wait(1)
    assert do_you_lead(talk, votes=(2, 3, 4)) is YIELD


def test_a_turn_that_is_late_by_less_than_a_ping_is_no_stall() -> None:
    talk = leading(1, *FIVE)
    due = talk.group.deadline
    assert due is not None
    talk.freeze(due - talk.now + LAN.ping_ms)
    assert do_you_lead(talk, votes=(2, 3, 4)) is YIELD


def test_a_leaving_leader_yields() -> None:
    talk = leading(1, 2, 3)
    talk.hand(Closing())
    assert do_you_lead(talk) is YIELD


# ---- PING ----------------------------------------------------------------------------------------


def test_a_leader_answers_leading_only_to_callers_of_its_epoch_or_below() -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Lookup)
    for epoch, standing in ((BEFORE, LEADING), (EPOCH, LEADING), (NEXT, NOT_LEADING)):
        pong = talk.hears(m.Ping(talk.caller(2, epoch=epoch), talk.view(2)))
        assert pong.standing is standing


def test_every_answer_says_where_one_stands() -> None:
    talk = follower(3, 1, 2)
    view = talk.hears(m.Ping(talk.caller(2), talk.view(2))).view
    assert (view.epoch, view.leader, view.leader_address) == (EPOCH, 1, address(1))
    assert (view.incarnation, view.process) == (talk.group.incarnation, 3)


@pytest.mark.parametrize(
    ("outcome", "reached", "refused"),
    [
        (NOT_LEADING, True, False),
        (Silence.SILENT, False, False),
        (Silence.REFUSED, False, True),
        (m.Refusal(Reason.UNKNOWN_CHAT), False, True),
        (m.Refusal(Reason.WRONG_MEMBER), False, True),
        (m.Refusal(Reason.LEFT), True, False),
    ],
)
def test_an_indirect_probe_says_what_became_of_it(
    outcome: object, reached: bool, refused: bool
) -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Ping)
    assert talk.hears(m.Ping(talk.caller(1), talk.view(1), on_behalf=2)) is None
    if isinstance(outcome, Silence):
        talk.fail(m.Ping, to=2, how=outcome)
    else:
        talk.answer(m.Ping, talk.pong(member=2) if outcome is NOT_LEADING else outcome, to=2)
    pong = talk.reply()
    assert (pong.reached, pong.refused) == (reached, refused)


def test_nobody_is_probed_that_does_not_belong() -> None:
    talk = follower(3, 1, person(2, left=True))
    reply = talk.hears(m.Ping(talk.caller(1), talk.view(1), on_behalf=2))
    assert reply.reason == Reason.UNKNOWN_MEMBER


def test_nothing_is_learnt_from_a_ping_that_is_refused() -> None:
    talk = follower(3, 1, person(2, left=True))
    before = talk.group._s.highest_n
    reply = talk.hears(m.Ping(talk.caller(1), talk.view(1, highest_n=999), on_behalf=2))
    assert (reply.reason, talk.group._s.highest_n) == (Reason.UNKNOWN_MEMBER, before)


# ---- ELECTION ------------------------------------------------------------------------------------


def test_ok_is_said_to_higher_ids_alone_with_whether_the_registry_is_reached() -> None:
    talk = follower(3, 1, 2, 4)
    assert not elect(talk, 2).ok
    assert elect(talk, 4).ok
    assert elect(talk, 4).reaches_nds
    talk.cut_registry()
    talk.wait(LAN.record_ms * 2)
    assert not elect(talk, 4).reaches_nds


def test_a_vote_is_alive_only_while_the_own_ping_was_answered_a_moment_ago() -> None:
    talk = follower(3, 1, 2)
    assert elect(talk, 2).vote is Vote.ALIVE
    talk.hold(m.Ping)
    talk.wait(LAN.heard_ms - 1)
    assert elect(talk, 2).vote is Vote.ALIVE
    talk.wait(1)
    assert elect(talk, 2).vote is Vote.UNREACHABLE


def test_who_is_just_asking_the_leader_again_has_not_lost_it() -> None:
    """The latest that the next ping may be drawn for is t2 after the answer to the one before."""
    talk = follower(3, 1, 2)
    talk.hold(m.Ping)
    talk.wait(LAN.t2_ms)
    assert talk.waits(m.Ping, to=1)
    assert elect(talk, 2).vote is Vote.ALIVE


def test_a_broken_link_takes_the_vote_alive_back_at_once() -> None:
    talk = follower(3, 1, 2)
    talk.hand(LinkBroken(address(1)))
    assert elect(talk, 2).vote is Vote.UNREACHABLE


def test_one_who_knows_a_lower_epoch_than_the_caller_has_no_voice_about_its_leader() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Lookup)
    reply = talk.hears(m.Elect(talk.caller(2, epoch=NEXT), talk.view(2, epoch=NEXT, leader=4)))
    assert reply.vote is Vote.UNREACHABLE


def test_the_leader_itself_votes_leading() -> None:
    assert elect(leading(1, 2, 3), 3).vote is Vote.LEADING


def test_who_votes_alive_pings_the_leader_at_once() -> None:
    talk = follower(3, 1, 2)
    talk.wait(200)
    elect(talk, 2)
    assert len(talk.sent(m.Ping, to=1)) == 1


def test_a_lower_id_that_answered_ok_stands_itself_at_once_whatever_its_back_off() -> None:
    talk = follower(3, 1, 2, 4)
    talk.kill(1)
    talk.wait_for(m.Elect)
    talk.answer(m.Elect, talk.vote(Vote.ALIVE), to=2)
    talk.fail(m.Elect, to=4)
    talk.wait(10)
    assert not talk.waits(m.Elect), "it waits for a fresh timer"
    assert elect(talk, 4).vote is Vote.UNREACHABLE
    assert 4 in talk.callees(m.Elect)


def test_a_higher_id_that_answered_unreachable_holds_no_round_of_its_own_for_the_wait() -> None:
    talk = follower(3, 1, 2, 4)
    talk.mute(1)
    talk.hand(LinkBroken(address(1)))
    assert elect(talk, 2).vote is Vote.UNREACHABLE
    talk.wait(LAN.wait_ms - 1)
    assert talk.sent(m.Elect) == []
    talk.wait_for(m.Elect, ms=3 * LAN.t2_ms)


def told(talk: Dialogue) -> list[tuple[int, str, str, int]]:
    """What the last step told of rounds."""
    return [(x.by, x.phase.value, x.detail, x.whom) for x in talk.of(ElectionMoved)]


def test_who_hears_the_leader_tells_that_it_was_asked_and_no_more() -> None:
    talk = follower(3, 1, 2)
    elect(talk, 2)
    assert told(talk) == [(2, "asked", "", 3), (2, "answered", "no, it hears the leader", 3)]
    talk.wait(LAN.t2_ms)
    assert told(talk) == [], "its own ping is no news"


def test_who_agrees_tells_that_a_round_has_begun_and_how_it_ends() -> None:
    talk = follower(3, 1, 2)
    talk.hand(LinkBroken(address(1)))
    elect(talk, 2)
    assert told(talk) == [
        (2, "started", "leader silent", 0),
        (2, "asked", "", 3),
        (2, "answered", "yes, it does not hear the leader", 3),
    ]
    assert [x.about for x in talk.of(ElectionMoved)] == [1, 0, 0], "whose silence it is about"
    elect(talk, 2)
    assert [phase for _, phase, _, _ in told(talk)] == ["asked", "answered"], "begun once"
    talk.wait(2 * LAN.t2_ms)
    assert told(talk) == [(2, "ended", "the leader answers", 0)], "an own ping says so"
    talk.wait(2 * LAN.t2_ms)
    assert told(talk) == []


def test_a_round_about_an_earlier_leader_is_not_told_to_be_over() -> None:
    talk = follower(3, 1, 2)
    talk.hand(LinkBroken(address(1)))
    elect(talk, 2)
    view = talk.view(2, epoch=NEXT, leader=2)
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    talk.wait(2 * LAN.t2_ms)
    assert told(talk) == []


def test_the_end_of_the_own_round_is_that_of_the_others_too() -> None:
    talk = follower(3, 1, 2, 4)
    talk.hand(LinkBroken(address(1)))
    elect(talk, 2)
    talk.mute(1)
    talk.wait_for(m.Elect)
    talk.heal(1)
    for member in (2, 2, 4):
        talk.fail(m.Elect, to=member)
    talk.answer(m.Elect, talk.vote(Vote.LEADING), to=1)
    assert told(talk)[1:] == [(3, "ended", "the leader answers", 0)]
    talk.wait(3 * LAN.t2_ms)
    assert told(talk) == []


def test_one_who_knows_of_no_leader_says_so_in_its_round() -> None:
    talk = follower(3, 1, 2)
    talk.hand(LinkBroken(address(1)))
    elect(talk, 2, leader=0)
    assert told(talk)[0] == (2, "started", "no leader is known", 0)


def test_a_successor_tells_that_it_was_asked_to_take_over() -> None:
    talk = follower(3, 1, 2)
    elect(talk, 1, hand_over=True)
    assert told(talk)[:2] == [
        (1, "asked", "to take over", 3),
        (1, "answered", "yes, and takes over", 3),
    ]


def test_the_leader_itself_names_its_successor() -> None:
    talk = follower(3, 1, 2)
    reply = elect(talk, 1, hand_over=True)
    assert (reply.ok, reply.vote) == (True, Vote.UNREACHABLE)
    assert talk.call(m.Claim).request.votes == ()
    talk.answer(m.Claim, talk.granted(NEXT))
    changed = talk.one(LeaderChanged)
    assert changed.handed_over_by == 1


def test_nobody_but_the_leader_names_a_successor() -> None:
    talk = follower(3, 1, 2)
    elect(talk, 2, hand_over=True)
    assert not talk.waits(m.Claim)


def test_a_leader_by_name_that_calls_a_round_names_nobody() -> None:
    """Its grant was lost, or it was granted in an earlier life.  All are asked, and one leads."""
    talk = follower(3, 1, 2)
    talk.wait(LAN.t2_ms)
    assert elect(talk, 2).vote is Vote.ALIVE, "its own ping was answered LEADING"
    assert elect(talk, 1).vote is Vote.UNREACHABLE
    assert not talk.waits(m.Claim)


# ---- COORDINATOR ---------------------------------------------------------------------------------


def test_coordinator_draws_the_timer_afresh() -> None:
    talk = follower(3, 1, 2)
    talk.wait(LAN.t1_ms - 1)
    talk.hold(m.Ping)
    view = talk.view(2, epoch=NEXT, leader=2)
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    talk.wait(LAN.t1_ms - 1)
    assert talk.sent(m.Ping, to=2) == []
    talk.wait(LAN.t2_ms - LAN.t1_ms + 1)
    assert len(talk.sent(m.Ping, to=2)) >= 1


def test_who_has_just_told_that_it_leads_has_been_heard() -> None:
    talk = follower(3, 1, 2, 4)
    talk.hold(m.Ping)
    view = talk.view(2, epoch=NEXT, leader=2)
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    answer = talk.hears(m.Elect(talk.caller(4, epoch=NEXT), talk.view(4, epoch=NEXT, leader=2)))
    assert isinstance(answer, m.Elected)
    assert answer.vote is Vote.ALIVE


def test_coordinator_of_the_certified_leader_ends_following_a_provisional_one() -> None:
    talk = follower(3, 1, 2)
    talk.mute(1)
    talk.cut_registry()
    talk.wait_for(m.Elect)
    talk.hears(m.Coordinator(talk.caller(2), talk.view(2, provisional=2), True))
    assert talk.group.following == 2
    talk.hears(m.Coordinator(talk.caller(1), talk.view(1, provisional=0), False))
    assert talk.group.following == 1


def test_the_leader_s_address_is_the_one_that_it_gives_itself() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Ping)
    view = talk.view(2, epoch=NEXT, leader=2, leader_address="new:7000")
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    talk.wait_for(m.Ping, to=2)
    assert talk.call(m.Ping, to=2).address == "new:7000"
