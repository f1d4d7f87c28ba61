"""Dialogues about node/core/electing.py: watching the leader, and the round of votes."""

import itertools

import pytest

from node.core import effects as e
from node.core import messages as m
from node.core.events import Challenged, LinkBroken, Started
from node.core.messages import Vote
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Silence

from .cast import CHAT, EPOCH, LEADING, NEXT, NOT_LEADING, WALL, address, line, person, record
from .dialogue import REGISTRY, Dialogue, follower, returning

ALIVE, UNREACHABLE, HEARD, _ = Vote
DROPPED = m.Life.DROPPED


def electing(me: int = 3, *others: int | m.Member) -> Dialogue:
    """The leader has fallen silent, and ELECTION is out."""
    talk = follower(me, 1, *(others or (2, 4, 5)))
    talk.mute(1)
    talk.wait_for(m.Elect)
    return talk


def pings_to(talk: Dialogue, member: int) -> list[int]:
    """When that member was pinged."""
    return [
        at
        for at, s in talk.log
        if isinstance(s, e.Call) and isinstance(s.request, m.Ping) and s.to == member
    ]


def phases(talk: Dialogue) -> list[e.Phase]:
    """What the last step told of the course of a round; who was asked and answered is left out."""
    votes = (e.Phase.ASKED, e.Phase.ANSWERED, e.Phase.SILENT)
    return [moved.phase for moved in talk.of(e.ElectionMoved) if moved.phase not in votes]


# ---- at the start --------------------------------------------------------------------------------


def test_after_a_start_a_node_reads_the_record_before_it_looks_at_anyone() -> None:
    talk = returning(3, 1, 2, leader=1)
    talk.hold(m.Lookup)
    talk.hand(Started(WALL))
    assert pings_to(talk, 1) == []
    talk.answer(m.Lookup, m.RecordRead(record(2, NEXT)))
    assert talk.group.leader == 2
    assert pings_to(talk, 2) == [0]
    assert pings_to(talk, 1) == []


def test_with_the_registry_away_a_start_asks_every_member_for_its_epoch() -> None:
    talk = returning(3, 1, 2, person(4, DROPPED), leader=1)
    talk.hold(m.Ping)
    talk.cut_registry()
    talk.hand(Started(WALL))
    talk.wait_for(m.Ping)
    assert talk.callees(m.Ping) == [1, 2, 4]
    talk.answer(m.Ping, talk.pong(epoch=NEXT, leader=4), to=4)
    talk.answer(m.Ping, talk.pong(LEADING), to=1)
    assert (talk.group.epoch, talk.group.leader) == (NEXT, 4)


def test_before_it_has_read_or_asked_a_node_holds_no_round() -> None:
    talk = returning(3, 1, 2, leader=1)
    talk.hold(m.Lookup)
    talk.kill(1)
    talk.hand(Started(WALL))
    talk.hand(Challenged())
    assert talk.sent(m.Elect) == []
    assert pings_to(talk, 1) == []


# ---- watching ------------------------------------------------------------------------------------


def test_the_leader_is_pinged_at_random_intervals_between_t1_and_t2() -> None:
    talk = follower(3, 1, 2, seed=5)
    talk.wait(60_000)
    at = pings_to(talk, 1)
    anti_entropy = 60_000 // LAN.sync_ms * 2
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert max(gaps) <= LAN.t2_ms
    assert sum(gap < LAN.t1_ms for gap in gaps) <= 2 * anti_entropy
    assert len(set(gaps)) > 20, "drawn afresh each time"


def test_two_silent_pings_then_the_record_then_election() -> None:
    talk = follower(3, 1, 2)
    talk.mute(1)
    talk.wait_for(m.Elect)
    margin = 20
    first, second = pings_to(talk, 1)[-2:]
    assert second - first == LAN.ping_ms + margin
    assert talk.now == second + LAN.ping_ms + margin
    assert talk.position(e.Ask, m.Lookup) < talk.position(e.Call, m.Elect)


def test_a_refused_connection_needs_no_second_try() -> None:
    talk = follower(3, 1, 2)
    talk.kill(1)
    talk.wait_for(m.Elect)
    assert pings_to(talk, 1)[1:] == [talk.now]


def test_a_newer_record_ends_it_before_it_begins() -> None:
    talk = follower(3, 1, 2)
    talk.mute(1)
    talk.record = record(2, NEXT)
    talk.wait(3 * LAN.t2_ms)
    assert talk.group.leader == 2
    assert talk.sent(m.Elect) == []


@pytest.mark.parametrize("lower", [0, 1, 3])
def test_after_a_broken_link_the_lowest_looks_first_and_each_next_eight_ms_later(
    lower: int,
) -> None:
    others = [*range(2, 2 + lower), 7, 8]
    talk = follower(6, 1, *others)
    talk.kill(1)
    talk.hand(LinkBroken(address(1)))
    began = talk.now
    talk.wait_for(m.Elect, ms=100)
    assert 8 * lower <= talk.now - began <= 8 * lower + LAN.hint_jitter_ms


def test_a_broken_link_to_another_member_is_no_sign() -> None:
    talk = follower(3, 1, 2)
    talk.hand(LinkBroken(address(2)))
    talk.wait(100)
    assert len(pings_to(talk, 1)) == 1


def test_only_an_own_ping_answered_leading_counts_as_hearing_the_leader() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Ping)
    talk.wait(LAN.heard_ms)
    talk.hears(m.Tell(talk.caller(1), 3, (line(1),)))
    talk.hears(m.Ping(talk.caller(1), talk.view(1)))
    vote = talk.hears(m.Elect(talk.caller(2), talk.view(2))).vote
    assert vote is UNREACHABLE


def test_the_certified_leader_that_does_not_know_us_makes_us_join_again() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, to=1)
    talk.answer(m.Ping, m.Refusal(Reason.UNKNOWN_MEMBER), to=1)
    assert talk.call(m.Join).address == address(1)


def lost() -> Dialogue:
    """A copy of the founder's disk from when it was alone; meanwhile 2, unknown to it, leads."""
    talk = returning(1, leader=1)
    talk.record = record(2, NEXT)
    talk.mute(2)
    talk.hand(Started(WALL))
    talk.wait_for(m.Claim)
    return talk


def ping(talk: Dialogue, callee: int, by: int = 2) -> m.Ping | m.Refusal:
    asked = talk.hears(m.Ping(m.Caller(CHAT, by, 100, NEXT, callee), talk.view(by)))
    assert isinstance(asked, m.Pong | m.Refusal)
    return asked


def test_a_leader_that_we_know_nothing_of_and_that_answers_the_registry_is_asked_in() -> None:
    talk = lost()
    talk.answer(m.Claim, m.Refusal(Reason.LEADER_ALIVE, record=record(2, NEXT)))
    assert talk.call(m.Join).address == address(2)
    assert isinstance(ping(talk, 0), m.Pong), "it calls back before it lets us in"
    assert isinstance(ping(talk, 1), m.Refusal), "a member of which we know nothing"


def test_who_does_not_ask_to_be_let_in_answers_no_member_it_knows_nothing_of() -> None:
    talk = lost()
    assert isinstance(ping(talk, 0), m.Refusal)


def test_a_leader_that_we_know_is_not_asked_in_though_it_answers_the_registry() -> None:
    talk = electing(2, 3)
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=3)
    talk.wait_for(m.Claim)
    talk.answer(m.Claim, m.Refusal(Reason.LEADER_ALIVE, record=record(1)))
    assert not talk.waits(m.Join)


def test_a_leader_that_says_it_does_not_lead_is_as_good_as_silent() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, to=1)
    talk.answer(m.Ping, talk.pong(NOT_LEADING), to=1)
    assert talk.callees(m.Elect) == [1, 2]


def test_a_challenge_is_a_missed_ping_and_a_living_leader_survives_it() -> None:
    talk = follower(3, 1, 2)
    talk.hand(Challenged())
    assert len(talk.sent(m.Ping, to=1)) == 1
    assert talk.sent(m.Elect) == []


# ---- the round -----------------------------------------------------------------------------------


def test_election_goes_to_every_member_and_dropped_ones_are_not_waited_for() -> None:
    talk = electing(3, 2, person(4, DROPPED), person(5, left=True))
    assert talk.callees(m.Elect) == [1, 2, 4]
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=2)
    talk.fail(m.Elect, to=1)
    assert talk.waits(m.Claim)


def test_people_see_who_is_asked_and_what_each_says() -> None:
    talk = electing(3, 2, 4, 5)
    assert talk.of(e.ElectionMoved) == [
        e.ElectionMoved(3, e.Phase.STARTED, "leader silent", about=1),
        *(e.ElectionMoved(3, e.Phase.ASKED, whom=member) for member in (1, 2, 4, 5)),
    ]
    assert talk.position(e.ElectionMoved) < talk.position(e.Call, m.Elect)
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=4)
    assert talk.one(e.ElectionMoved) == e.ElectionMoved(
        3, e.Phase.ANSWERED, "yes, it does not hear the leader", 4
    )
    talk.fail(m.Elect, to=1, how=Silence.REFUSED)
    assert talk.one(e.ElectionMoved) == e.ElectionMoved(3, e.Phase.SILENT, "nobody is there", 1)
    talk.answer(m.Elect, talk.vote(ALIVE), to=5)
    talk.answer(m.Elect, talk.vote(UNREACHABLE, epoch=NEXT, leader=5), to=2)
    told = [effect for effect in talk.said if isinstance(effect, e.ElectionMoved | e.LeaderChanged)]
    assert [type(effect) for effect in told] == [e.ElectionMoved, e.LeaderChanged], "in that order"


def test_what_is_said_when_the_round_is_over_is_not_told() -> None:
    talk = electing(3, 2, person(4, DROPPED))
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=2)
    talk.answer(m.Elect, talk.vote(HEARD), to=1)
    assert phases(talk) == [e.Phase.ENDED]
    talk.answer(m.Elect, talk.vote(ALIVE), to=4)
    assert talk.of(e.ElectionMoved) == []


@pytest.mark.parametrize(
    ("votes", "ended"),
    [
        ({2: ALIVE}, True),
        ({2: ALIVE, 4: UNREACHABLE}, True),  # 2 of 5 with the caller's own
        ({2: ALIVE, 4: UNREACHABLE, 5: UNREACHABLE}, False),  # 3 of 5
        ({2: UNREACHABLE, 4: UNREACHABLE}, False),
        ({}, False),
    ],
)
def test_one_alive_vote_ends_the_round_unless_more_than_half_are_unreachable(
    votes: dict[int, Vote], ended: bool
) -> None:
    talk = electing()
    for voter, vote in votes.items():
        talk.answer(m.Elect, talk.vote(vote), to=voter)
    talk.wait(LAN.elect_ms + 20)
    if 2 not in votes:
        talk.wait(LAN.ping_ms + 20)  # A lower id is asked once more.
    assert (e.Phase.ENDED in phases(talk)) is ended
    assert talk.waits(m.Claim) is not ended


def test_an_even_split_keeps_the_sitting_leader() -> None:
    talk = electing(3, 2, 4)
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=4)
    talk.answer(m.Elect, talk.vote(ALIVE), to=2)
    talk.wait(LAN.elect_ms + 20)
    assert phases(talk) == [e.Phase.ENDED], "2 of 4 are not more than half"


def test_the_leader_s_own_leading_ends_the_round_whatever_the_votes() -> None:
    talk = electing()
    for voter in (2, 4, 5):
        talk.answer(m.Elect, talk.vote(UNREACHABLE), to=voter)
    talk.answer(m.Elect, talk.vote(HEARD), to=1)
    assert phases(talk) == [e.Phase.ENDED]
    assert not talk.waits(m.Claim)
    assert talk.hears(m.Elect(talk.caller(2), talk.view(2))).vote is ALIVE, "an own ping, so to say"


def test_the_votes_travel_in_the_claim() -> None:
    talk = electing()
    for voter in (2, 4):
        talk.answer(m.Elect, talk.vote(UNREACHABLE), to=voter)
    claim = talk.wait_for(m.Claim)
    assert claim.votes == (2, 3, 4)
    assert claim.electorate == 5


def test_a_higher_epoch_in_an_answer_ends_the_round() -> None:
    talk = electing()
    talk.answer(m.Elect, talk.vote(UNREACHABLE, epoch=NEXT, leader=5), to=4)
    assert talk.group.leader == 5
    talk.wait(LAN.elect_ms + 20)
    assert not talk.waits(m.Claim)


def test_a_lower_id_that_said_ok_is_waited_for_then_the_leader_asked_once_more() -> None:
    talk = electing()
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=2)
    talk.wait(LAN.elect_ms + 20)
    assert phases(talk) == [e.Phase.WAITING]
    talk.hold(m.Ping)
    talk.wait(LAN.wait_ms - 200)
    assert not talk.waits(m.Claim)
    talk.wait_for(m.Ping, to=1)
    assert talk.sent(m.Elect) == []
    talk.fail(m.Ping, to=1)
    assert not talk.waits(m.Claim), "one silence may be a stall, and the votes are old"
    talk.fail(m.Ping, to=1)
    assert talk.waits(m.Claim)
    assert talk.sent(m.Elect) == [], "ELECTION is not sent again"


@pytest.mark.parametrize("vote", [ALIVE, UNREACHABLE])
def test_a_lower_id_that_has_yet_to_miss_the_leader_is_waited_for_longer(vote: Vote) -> None:
    """It may be late itself, and gives the leader longer."""
    talk = electing(4, 2, 3, 5)
    talk.answer(m.Elect, talk.vote(vote, ok=True), to=2)
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=3)
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=5)
    talk.fail(m.Elect, to=1)
    talk.mute(1)
    began = talk.now
    talk.wait_for(m.Claim)
    longer = 3 * LAN.ping_tries * LAN.ping_ms if vote is ALIVE else 0
    least = LAN.wait_ms + longer + LAN.ping_tries * LAN.ping_ms
    assert least <= talk.now - began <= least + 100


def test_leading_after_the_wait_ends_the_round() -> None:
    talk = electing()
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=2)
    talk.wait(LAN.elect_ms + 20)
    talk.heal(1)
    talk.wait(LAN.wait_ms + 100)
    assert e.Phase.ENDED in phases(talk)
    assert not talk.waits(m.Claim)


def test_coordinator_of_the_lower_one_ends_the_wait() -> None:
    talk = electing()
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=2)
    talk.wait(LAN.elect_ms + 20)
    view = talk.view(2, epoch=NEXT, leader=2)
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    talk.wait(3 * LAN.wait_ms)
    assert talk.group.leader == 2
    assert talk.sent(m.Claim) == []


def test_who_told_meanwhile_that_it_leads_is_not_elected_against() -> None:
    """We had it from the record before itself knew."""
    talk = follower(4, 1, 2, 3)
    talk.hold(m.Ping, m.Lookup)
    talk.wait_for(m.Ping, to=1)
    talk.fail(m.Ping, to=1, how=Silence.REFUSED)
    talk.answer(m.Lookup, m.RecordRead(record(2, NEXT)))
    assert talk.group.leader == 2
    talk.wait_for(m.Ping, to=2)
    talk.answer(m.Ping, m.Pong(NOT_LEADING, talk.view(2), True), to=2)
    assert talk.waits(m.Lookup), "does it lead no more?"
    view = talk.view(2, epoch=NEXT, leader=2)
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    talk.answer(m.Lookup, m.RecordRead(record(2, NEXT)))
    assert not talk.waits(m.Elect)
    assert talk.wait_for(m.Ping, to=2), "it is looked at again later"


def test_a_lower_id_that_cannot_reach_the_registry_does_not_suppress_the_others() -> None:
    talk = electing()
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True, nds=False), to=2)
    talk.wait(LAN.elect_ms + 20)
    assert not talk.waits(m.Claim), "it says what it found some time ago, and may be wrong by now"
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, to=1, ms=LAN.grace_ms + 50)
    talk.fail(m.Ping, to=1, how=Silence.REFUSED)
    assert talk.waits(m.Claim), "nobody is there: no second try"


def test_one_that_does_reach_the_registry_after_all_leads_within_the_grace() -> None:
    talk = electing()
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True, nds=False), to=2)
    talk.wait(LAN.elect_ms + LAN.grace_ms)
    view = talk.view(2, epoch=NEXT, leader=2)
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    talk.wait(3 * LAN.wait_ms)
    assert talk.group.leader == 2
    assert talk.sent(m.Claim) == []


# ---- a large group: some are asked first ---------------------------------------------------------

MANY = (2, 3, 4, 5, 6, 8, 9, 10, 11, 12)


def polling(me: int = 7, *others: int | m.Member) -> Dialogue:
    """The leader of a large group has fallen silent, and ELECTION is out to some."""
    return electing(me, *(others or MANY))


def all_vote(talk: Dialogue, vote: Vote) -> None:
    for voter in talk.callees(m.Elect):
        talk.answer(m.Elect, talk.vote(vote), to=voter)


@pytest.mark.parametrize(("others", "asked"), [(8, 8), (9, 3)])
def test_all_are_asked_up_to_eight_others_and_of_more_some(others: int, asked: int) -> None:
    talk = electing(2, *range(3, 2 + others))
    assert len(talk.callees(m.Elect)) == asked


def test_of_many_the_lowest_three_are_asked_first_and_three_drawn_from_the_others() -> None:
    drawn = set()
    for seed in range(20):
        talk = follower(7, 1, *MANY, person(13, DROPPED), seed=seed)
        talk.mute(1)
        talk.wait_for(m.Elect)
        lowest, others = talk.callees(m.Elect)[:3], talk.callees(m.Elect)[3:]
        assert lowest == [2, 3, 4]
        assert len(set(others)) == 3
        drawn.update(others)
    assert drawn == {5, 6, 8, 9, 10, 11, 12}, "neither the silent leader nor who was dropped"


def test_with_the_registry_away_all_of_many_are_asked() -> None:
    talk = follower(7, 1, *MANY)
    talk.mute(1, REGISTRY)
    talk.wait_for(m.Elect)
    assert len(talk.callees(m.Elect)) == 11


def test_a_lower_id_among_those_asked_first_is_waited_for_and_nobody_else_asked() -> None:
    talk = polling()
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=3)
    all_vote(talk, UNREACHABLE)
    assert phases(talk) == [e.Phase.WAITING]
    assert talk.callees(m.Elect) == []


@pytest.mark.parametrize("lower", [True, False])
def test_if_the_lower_id_does_not_claim_in_time_all_others_are_asked_before_one_claims(
    lower: bool,
) -> None:
    talk = polling()
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=3)
    all_vote(talk, UNREACHABLE)
    talk.wait_for(m.Elect, ms=2 * LAN.wait_ms)
    assert not talk.waits(m.Claim)
    assert talk.callees(m.Elect) == [1, *MANY]
    talk.fail(m.Elect, to=1)
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=lower), to=5)
    all_vote(talk, UNREACHABLE)
    assert (phases(talk) == [e.Phase.WAITING]) is lower
    assert talk.waits(m.Claim) is not lower
    assert talk.wait_for(m.Claim, ms=2 * LAN.wait_ms).votes == tuple(range(2, 13))


def test_the_lowest_claims_once_those_asked_first_miss_the_leader() -> None:
    talk = polling(2, *range(3, 14))
    asked = talk.callees(m.Elect)
    all_vote(talk, UNREACHABLE)
    claim = talk.wait_for(m.Claim)
    assert claim.votes == tuple(sorted([2, *asked]))
    assert claim.electorate == 13
    assert talk.callees(m.Elect) == []


def test_all_others_are_asked_where_a_lower_id_may_be_among_them() -> None:
    talk = polling()
    first = talk.callees(m.Elect)
    for voter in first[3:]:
        talk.answer(m.Elect, talk.vote(UNREACHABLE), to=voter)
    for lowest in first[:3]:
        talk.fail(m.Elect, to=lowest, how=Silence.REFUSED)
    assert not talk.waits(m.Claim)
    assert sorted(first + talk.callees(m.Elect)) == [1, *MANY]
    talk.fail(m.Elect, to=1)
    all_vote(talk, UNREACHABLE)
    assert talk.wait_for(m.Claim).votes == (5, 6, 7, 8, 9, 10, 11, 12)


def test_all_are_asked_before_a_lower_id_that_does_not_reach_the_registry_is_waited_for() -> None:
    talk = polling(4, 2, 3, *range(5, 14))
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True, nds=False), to=2)
    all_vote(talk, UNREACHABLE)
    assert phases(talk) == []
    assert len(talk.callees(m.Elect)) == 12 - 5


def test_all_others_are_asked_where_nobody_of_the_first_answers() -> None:
    talk = polling(2, *range(3, 14))
    first = talk.callees(m.Elect)
    for voter in first:
        talk.fail(m.Elect, to=voter)
    assert sorted(first + talk.callees(m.Elect)) == [1, *range(3, 14)]


@pytest.mark.parametrize("heard", [1, 2, 3])
def test_one_of_the_first_that_hears_the_leader_ends_the_first_round(heard: int) -> None:
    talk = polling(2, *range(3, 14))
    for place, voter in enumerate(talk.callees(m.Elect)):
        talk.answer(m.Elect, talk.vote(ALIVE if place < heard else UNREACHABLE), to=voter)
    assert phases(talk) == [e.Phase.ENDED]
    assert talk.callees(m.Elect) == []


@pytest.mark.parametrize("heard", [1, 2, 3])
def test_in_the_next_round_all_are_asked_if_most_of_the_first_miss_the_leader(heard: int) -> None:
    talk = polling(2, *range(3, 14))
    all_vote(talk, ALIVE)
    talk.wait_for(m.Elect)
    first = talk.callees(m.Elect)
    assert len(first) == 3
    for place, voter in enumerate(first):
        talk.answer(m.Elect, talk.vote(ALIVE if place < heard else UNREACHABLE), to=voter)
    if heard > 1:
        assert phases(talk) == [e.Phase.ENDED]
        return
    assert len(talk.callees(m.Elect)) == 12 - 3
    assert not talk.waits(m.Claim)
    for voter in talk.callees(m.Elect)[1:5]:
        talk.answer(m.Elect, talk.vote(UNREACHABLE), to=voter)
    talk.wait(LAN.elect_ms + 20)
    assert talk.waits(m.Claim), "with 7 of 13"
    assert len(talk.call(m.Claim).request.votes) == 7


def test_a_minority_of_all_deposes_nobody_though_most_of_the_first_were_for_it() -> None:
    talk = polling(2, *range(3, 14))
    all_vote(talk, ALIVE)
    talk.wait_for(m.Elect)
    for vote, voter in zip((ALIVE, UNREACHABLE, UNREACHABLE), talk.callees(m.Elect), strict=True):
        talk.answer(m.Elect, talk.vote(vote), to=voter)
    for voter in talk.callees(m.Elect)[1:4]:
        talk.answer(m.Elect, talk.vote(UNREACHABLE), to=voter)
    talk.wait(LAN.elect_ms + 20)
    assert phases(talk) == [e.Phase.ENDED], "6 of 13"


def test_what_the_registry_refuses_since_the_leader_answers_it_is_put_to_all() -> None:
    talk = polling(2, *range(3, 14))
    all_vote(talk, UNREACHABLE)
    talk.answer(m.Claim, m.Refusal(Reason.LEADER_ALIVE, record=record(1)))
    talk.wait_for(m.Elect)
    assert talk.callees(m.Elect) == [1, *range(3, 14)]
    for _ in range(2):
        talk.heal(1)
        talk.wait(3 * LAN.t2_ms)
        talk.mute(1)
        talk.wait_for(m.Elect)
        assert len(talk.callees(m.Elect)) == 3, "the leader was there meanwhile"


# ---- a lower id that does not answer at once -----------------------------------------------------


def unanswered(*others: int | m.Member) -> Dialogue:
    """The leader is gone for good, and so far nobody has answered the ELECTION of 4."""
    talk = follower(4, 1, *others)
    talk.kill(1)
    talk.hand(LinkBroken(address(1)))
    talk.wait_for(m.Elect, ms=100)
    return talk


def test_a_lower_id_that_is_silent_once_is_asked_again_and_waited_for() -> None:
    talk = unanswered(3, 5)
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=5)
    talk.fail(m.Elect, to=3)
    assert talk.sent(m.Elect) == [talk.call(m.Elect, to=3).request]
    assert [(moved.phase, moved.detail) for moved in talk.of(e.ElectionMoved)] == [
        (e.Phase.SILENT, ""),
        (e.Phase.ASKED, "again"),
    ]
    talk.wait(LAN.ping_ms - 1)
    assert not talk.waits(m.Claim)
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=3)
    assert phases(talk) == [e.Phase.WAITING]
    assert not talk.waits(m.Claim)


def test_a_lower_id_that_is_silent_twice_is_passed_over() -> None:
    talk = unanswered(3, 5)
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=5)
    talk.fail(m.Elect, to=3)
    talk.fail(m.Elect, to=3)
    assert talk.waits(m.Claim)
    assert talk.sent(m.Elect) == []


@pytest.mark.parametrize(
    ("silent", "how"),
    [
        (person(3), Silence.REFUSED),
        (person(3, m.Life.SUSPECT), Silence.SILENT),
        (person(5), Silence.SILENT),  # A higher id has no precedence.
    ],
)
def test_who_is_gone_or_suspect_or_higher_is_asked_once(silent: m.Member, how: Silence) -> None:
    talk = unanswered(silent)
    talk.fail(m.Elect, to=silent.id, how=how)
    assert talk.waits(m.Claim)
    assert talk.sent(m.Elect) == []


def test_the_silent_leader_is_asked_once() -> None:
    talk = electing(3, 4)
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=4)
    talk.fail(m.Elect, to=1)
    assert talk.waits(m.Claim)


def test_once_a_lower_id_takes_over_no_other_is_asked_again() -> None:
    talk = unanswered(2, 3)
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=3)
    talk.fail(m.Elect, to=2)
    assert phases(talk) == [e.Phase.WAITING]
    assert talk.sent(m.Elect) == []


def test_a_lower_id_that_does_not_know_us_yet_is_told_of_us_and_asked_again() -> None:
    """The leader died before it had told it of our admission."""
    talk = unanswered(3)
    talk.hold(m.Update)
    talk.answer(m.Elect, m.Refusal(Reason.UNKNOWN_MEMBER), to=3)
    assert [record.id for record in talk.call(m.Update, to=3).request.roster.members] == [4]
    assert not talk.waits(m.Elect)
    talk.answer(m.Update, m.Updated(m.NOBODY, talk.view(3)), to=3)
    assert talk.waits(m.Elect, to=3)
    talk.answer(m.Elect, talk.vote(UNREACHABLE, ok=True), to=3)
    assert phases(talk) == [e.Phase.WAITING]
    assert not talk.waits(m.Claim)


def test_who_still_does_not_know_us_is_passed_over() -> None:
    talk = unanswered(3)
    for _ in range(2):
        talk.answer(m.Elect, m.Refusal(Reason.UNKNOWN_MEMBER), to=3)
    assert talk.waits(m.Claim)


def test_after_a_round_that_changed_nothing_the_next_waits_longer() -> None:
    talk = electing()
    gaps, last = [], talk.now
    for _ in range(5):
        talk.answer(m.Elect, talk.vote(ALIVE), to=2)
        talk.wait(LAN.elect_ms + 20)
        talk.wait_for(m.Elect)
        gaps.append(talk.now - last)
        last = talk.now
    assert gaps[0] < 3 * LAN.t2_ms
    assert gaps[-1] >= 16 * LAN.t1_ms - LAN.t2_ms
    assert max(gaps) <= 8 * LAN.t2_ms + 2 * LAN.t2_ms + 2 * (LAN.ping_ms + 20) + LAN.elect_ms + 20


def test_a_broken_link_and_a_refused_ping_do_not_wait_for_the_back_off() -> None:
    talk = electing()
    for _ in range(3):
        talk.answer(m.Elect, talk.vote(ALIVE), to=2)
        talk.wait(LAN.elect_ms + 20)
        talk.wait_for(m.Elect)
    talk.answer(m.Elect, talk.vote(ALIVE), to=2)
    talk.wait(2 * LAN.ping_ms)
    talk.kill(1)
    talk.wait(2 * LAN.ping_ms)
    assert not talk.waits(m.Elect), "the timer alone has to wait"
    talk.hand(LinkBroken(address(1)))
    talk.wait_for(m.Elect, ms=100)


def test_an_alive_vote_for_a_provisional_leader_does_not_stop_a_caller_that_reaches_the_registry() -> (  # noqa: E501  a name cannot be broken
    None
):
    talk = electing()
    vote = m.Elected(False, False, ALIVE, talk.view(4, provisional=2), about_provisional=True)
    talk.answer(m.Elect, vote, to=4)
    talk.answer(m.Elect, talk.vote(UNREACHABLE), to=2)
    talk.wait(LAN.elect_ms + 20)
    assert talk.waits(m.Claim)


def test_with_the_registry_away_a_provisional_leader_that_answers_is_followed() -> None:
    talk = follower(3, 1, 2, 4)
    talk.mute(1, REGISTRY)
    talk.wait_for(m.Elect)
    talk.answer(m.Elect, talk.vote(Vote.PROVISIONAL, nds=False, provisional=2), to=2)
    talk.fail(m.Elect, to=1)
    talk.fail(m.Elect, to=4)
    assert (talk.group.following, talk.group.leader) == (2, 1)


def test_one_member_alone_claims_without_waiting_for_anybody() -> None:
    talk = returning(1, leader=1)
    talk.hand(Started(WALL))
    assert talk.call(m.Claim).request.expected == EPOCH


def test_the_silence_of_a_refused_elect_is_no_vote() -> None:
    talk = electing(3, 2)
    talk.fail(m.Elect, to=2, how=Silence.REFUSED)
    talk.fail(m.Elect, to=1)
    assert talk.call(m.Claim).request.votes == (3,)
