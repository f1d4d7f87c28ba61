"""Dialogues about node/core/leaving.py: handing over, saying good-bye, only closing down."""

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.effects import Change
from node.core.events import Closing, Leaving, Started
from node.core.messages import Life, Vote
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Post, Silence

from .cast import CHAT, EPOCH, NEXT, WALL, YIELD, address, identity, line, person
from .dialogue import Dialogue, follower, leading, returning


def hand_over(talk: Dialogue, to: int) -> None:
    """The named successor claims, and says so."""
    talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE, ok=True), to=to)
    view = talk.view(to, epoch=NEXT, leader=to)
    talk.hears(m.Coordinator(talk.caller(to, epoch=NEXT), view, False))


def noted(talk: Dialogue, *members: int) -> None:
    for member in members:
        talk.answer(m.Leave, m.LeaveNoted(talk.view(member)), to=member)


def test_the_last_one_alive_ends_a_transient_group_and_only_that() -> None:
    dead = person(2, Life.DROPPED)
    logged = leading(1, dead)
    logged.hand(Leaving())
    assert logged.callees(m.Leave) == [2]
    talk = leading(1, dead, mode=m.TRANSIENT)
    talk.hand(Leaving())
    assert talk.call(m.Delete).request.epoch == EPOCH
    assert talk.call(m.Delete).deadline_ms == LAN.leave_ms, "as long as for others"
    talk.answer(m.Delete, m.Deleted())
    assert talk.one(e.Departed).deleted
    alive = leading(1, dead, 3, mode=m.TRANSIENT)
    alive.hand(Leaving())
    hand_over(alive, 3)
    assert sorted(alive.callees(m.Leave)) == [2, 3]


def test_who_does_not_lead_a_transient_group_never_ends_it() -> None:
    """Cut off, all others look dead: the network may be theirs."""
    talk = follower(2, person(1, Life.DROPPED), leader=1, mode=m.TRANSIENT)
    talk.hand(Leaving())
    assert not talk.waits(m.Delete)


# ---- handing over --------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [Leaving(), Closing()])
def test_a_leader_that_goes_names_the_lowest_active_other_first(event: Leaving | Closing) -> None:
    talk = leading(2, person(1, Life.DROPPED), 3, 4)
    talk.hand(event)
    assert talk.callees(m.Elect) == [3]
    asked = talk.call(m.Elect).request
    assert (asked.hand_over, asked.leaving) == (True, isinstance(event, Leaving))
    assert not talk.waits(m.Leave)


def test_a_leader_that_goes_refuses_joins_first() -> None:
    talk = leading(1, 2)
    talk.hand(Leaving())
    caller = m.Caller(CHAT, 0, 100, EPOCH)
    asked = m.Join(caller, "den", identity(9), "nine", address(9), process=9)
    assert talk.hears(asked).reason == Reason.LEAVING


def test_the_pause_is_one_claim_and_then_the_leader_says_good_bye() -> None:
    talk = leading(1, 2, 3)
    talk.hand(Leaving())
    caller = m.Caller(CHAT, 0, 0, EPOCH)
    assert talk.hears(m.Ping(caller, None, asks_leading=EPOCH)).standing is YIELD
    hand_over(talk, 2)
    assert talk.callees(m.Leave) == [2, 3]


def test_a_successor_that_is_silent_makes_place_for_the_next() -> None:
    talk = leading(1, 2, 3, 4)
    talk.hand(Leaving())
    assert talk.one(e.ElectionMoved) == e.ElectionMoved(1, e.Phase.ASKED, "to take over", 2)
    talk.fail(m.Elect, to=2)
    assert talk.callees(m.Elect) == [3]
    assert talk.of(e.ElectionMoved) == [
        e.ElectionMoved(1, e.Phase.SILENT, "", 2),
        e.ElectionMoved(1, e.Phase.ASKED, "to take over", 3),
    ]
    hand_over(talk, 3)
    assert talk.waits(m.Leave)


def test_a_successor_that_does_not_claim_in_time_makes_place_for_the_next() -> None:
    talk = leading(1, 2, 3)
    talk.hand(Leaving())
    talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE, ok=True), to=2)
    talk.wait(LAN.wait_ms)
    assert talk.callees(m.Elect) == [3]


def test_a_leader_whom_nobody_follows_goes_all_the_same() -> None:
    talk = leading(1, 2)
    talk.mute(2)
    talk.hand(Leaving())
    talk.wait(LAN.wait_ms + 2 * LAN.leave_ms)
    assert talk.one(e.Departed) == e.Departed(told=0, untold=1, deleted=False)


def test_closing_hands_leadership_over_and_keeps_the_membership() -> None:
    talk = leading(1, 2)
    talk.hand(Closing())
    assert talk.of(e.Stopped) == []
    hand_over(talk, 2)
    assert talk.one(e.Stopped).reason == ""
    mine = talk.group.member(1)
    assert mine is not None
    assert mine.belongs
    assert talk.group.deadline is None or not talk.wait(60_000)


def test_who_closes_tells_the_others_that_it_goes_offline() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Update)
    talk.hand(Closing())
    assert talk.callees(m.Update) == [1, 2]
    (told,) = talk.call(m.Update, to=1).request.roster.members
    assert (told.id, told.life, told.left) == (3, Life.DROPPED, False)
    assert talk.of(e.Stopped) == []
    for member in (1, 2):
        talk.answer(m.Update, m.Updated(m.Roster(), talk.view(member)), to=member)
    assert talk.one(e.Stopped).reason == ""


def test_closing_waits_no_longer_than_a_ping_for_those_that_are_told() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Update)
    talk.hand(Closing())
    talk.wait(LAN.ping_ms + 50)
    assert talk.one(e.Stopped).reason == ""


def test_nobody_refutes_what_it_says_itself_as_it_closes() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Update)
    talk.hand(Closing())
    incarnation = talk.group.incarnation
    talk.answer(m.Update, m.Updated(talk.group.roster, talk.view(1)), to=1)
    assert talk.group.incarnation == incarnation
    mine = talk.group.member(3)
    assert mine is not None
    assert mine.life is Life.DROPPED


def test_one_that_went_offline_is_gone_at_once_and_people_hear_why() -> None:
    talk = follower(3, 1, 2)
    gone = person(2, Life.DROPPED)
    talk.hears(m.Update(talk.caller(2), m.Roster((gone,))))
    assert talk.one(e.MemberChanged) == e.MemberChanged(2, e.Change.DROPPED, "went offline")


# ---- good-bye ------------------------------------------------------------------------------------


def test_a_leaver_tells_every_member_even_with_the_leader_down() -> None:
    talk = follower(3, 1, 2, person(4, Life.DROPPED), person(5, left=True))
    talk.mute(1)
    talk.hand(Leaving())
    assert talk.callees(m.Leave) == [1, 2, 4]
    noted(talk, 2, 4)
    talk.wait(LAN.leave_ms)
    assert talk.one(e.Departed) == e.Departed(told=2, untold=1, deleted=False)
    assert talk.said[-1] == talk.one(e.Departed)


def test_a_leaver_is_gone_once_all_know() -> None:
    talk = follower(3, 1, 2)
    talk.hand(Leaving())
    noted(talk, 1)
    assert talk.of(e.Departed) == []
    talk.answer(m.Leave, m.Refusal(Reason.LEFT), to=2)
    assert talk.one(e.Departed) == e.Departed(told=2, untold=0, deleted=False)


def test_those_that_are_gone_are_not_waited_for() -> None:
    talk = follower(3, 1, 2)
    talk.hand(Leaving())
    noted(talk, 1)
    talk.fail(m.Leave, to=2, how=Silence.REFUSED)
    assert talk.one(e.Departed) == e.Departed(told=1, untold=1, deleted=False)


def test_silence_is_answered_by_saying_it_again() -> None:
    talk = follower(3, 1)
    talk.hand(Leaving())
    talk.fail(m.Leave, to=1)
    assert talk.callees(m.Leave) == [], "not in the same instant"
    talk.wait(LAN.ping_ms)
    assert talk.callees(m.Leave) == [1]


def test_a_leaver_stands_for_nothing() -> None:
    talk = follower(2, 1, 3)
    talk.mute(1)
    talk.hand(Leaving())
    answer = talk.hears(m.Elect(talk.caller(3), talk.view(3)))
    assert not answer.ok
    talk.wait(LAN.t2_ms)
    assert talk.callees(m.Claim) == []


def test_the_leave_record_carries_the_last_number_of_the_stream() -> None:
    talk = follower(3, 1)
    said = [talk.says(text) for text in ("one", "two")]
    for message in reversed(said):
        talk.answer(m.Tell, m.Told(m.Receipt.STORED, message.id, 1), to=1)
    talk.hand(Leaving())
    told = talk.call(m.Leave).request.record
    assert told.left
    assert told.ends == ((said[0].key.stream, 2),)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_leaver_offers_its_outbox_for_two_seconds_at_most(acknowledged: bool) -> None:
    talk = follower(3, 1)
    said = talk.says("last words")
    talk.hand(Leaving())
    assert not talk.waits(m.Leave)
    if acknowledged:
        talk.answer(m.Tell, m.Told(m.Receipt.STORED, said.id, 1), to=1)
        assert talk.waits(m.Leave)
    else:
        talk.wait(LAN.leave_ms - 1)
        assert not talk.waits(m.Leave)
        talk.wait(1)
        assert talk.waits(m.Leave)


def test_a_leave_that_nobody_acknowledged_is_kept_and_said_at_the_next_start() -> None:
    talk = follower(3, 1, 2)
    talk.mute(1, 2)
    talk.hand(Leaving())
    assert talk.of(e.StoreMeta)[0].meta.leaving
    talk.wait(2 * LAN.leave_ms)
    assert talk.one(e.Departed).told == 0
    assert talk.of(e.StoreMeta)[-1].meta.leaving

    again = returning(person(3, left=True), 1, 2, leader=1, leaving=True)
    again.hand(Started(WALL))
    assert again.callees(m.Leave) == [1, 2]
    noted(again, 1, 2)
    assert again.one(e.Departed).told == 2
    assert not again.of(e.StoreMeta)[-1].meta.leaving


def test_who_was_to_get_a_line_is_not_waited_for_after_a_restart_in_the_leave() -> None:
    said = line(3, 1, k=8)
    post = Post(said.key, (1, 2), (1,), settled=False)
    talk = returning(
        person(3, left=True), 1, 2, leader=1, leaving=True, messages=[said], posts=[post]
    )
    talk.hand(Started(WALL))
    assert talk.one(e.StorePost).post == replace(post, settled=True)
    assert talk.sent(m.Tell) == []
    assert talk.callees(m.Leave) == [1, 2]


def test_who_leaves_writes_no_more() -> None:
    talk = follower(3, 1, 2)
    talk.hand(Leaving())
    with pytest.raises(StopIteration):
        talk.says("one more thing")


# ---- the last one --------------------------------------------------------------------------------


def test_the_last_member_ends_the_network() -> None:
    talk = leading(1, person(2, left=True), person(3, kicked=True))
    talk.hand(Leaving())
    assert talk.call(m.Delete).request.epoch == EPOCH
    talk.answer(m.Delete, m.Deleted())
    assert talk.one(e.Departed) == e.Departed(told=0, untold=0, deleted=True)


def test_a_dropped_member_counts_the_network_stays() -> None:
    talk = leading(1, person(2, Life.DROPPED))
    talk.mute(2)
    talk.hand(Leaving())
    assert not talk.waits(m.Delete)
    talk.wait(2 * LAN.leave_ms)
    assert talk.one(e.Departed) == e.Departed(told=0, untold=1, deleted=False)


def test_a_registry_that_does_not_answer_leaves_the_leave_to_the_next_start() -> None:
    talk = leading(1)
    talk.hand(Leaving())
    talk.fail(m.Delete)
    assert not talk.one(e.Departed).deleted
    assert talk.of(e.StoreMeta)[-1].meta.leaving


# ---- others' good-byes ---------------------------------------------------------------------------


def test_a_leave_is_noted_by_anyone_and_answered_once_stored() -> None:
    talk = follower(3, 1, 2)
    reply = talk.hears(m.Leave(talk.caller(2), person(2, left=True)))
    assert isinstance(reply, m.LeaveNoted)
    assert talk.changes == [(2, Change.LEFT)]
    assert talk.position(e.StoreRoster) < talk.position(e.Respond)
    assert talk.group.belonging == (1, 3)


def test_a_leave_said_twice_is_noted_twice_and_told_once() -> None:
    talk = follower(3, 1, 2)
    talk.hears(m.Leave(talk.caller(2), person(2, left=True)))
    assert isinstance(talk.hears(m.Leave(talk.caller(2), person(2, left=True))), m.LeaveNoted)
    assert talk.changes == []


def test_whoever_leads_passes_a_leave_on() -> None:
    talk = leading(1, 2, 3)
    talk.hears(m.Leave(talk.caller(2), person(2, left=True)))
    (update,) = talk.sent(m.Update, to=3)
    assert update.roster.members[0].left


def test_nobody_says_good_bye_for_another() -> None:
    talk = follower(3, 1, 2)
    reply = talk.hears(m.Leave(talk.caller(2), person(1, left=True)))
    assert reply.reason == Reason.UNKNOWN_MEMBER
    assert 1 in talk.group.belonging


def test_a_leaver_falls_out_of_what_is_waited_for() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.answer(m.Tell, m.Told(m.Receipt.STORED, said.id, 1), to=1)
    talk.hears(m.Leave(talk.caller(2), person(2, left=True)))
    assert talk.one(e.Settled) == e.Settled(said.key, (2,))
    assert talk.hears(m.Tell(talk.caller(1), 3, (line(1),))) is not None
