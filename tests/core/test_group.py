"""Dialogues about node/core/group.py: the door, lateness, who may be heard, what users change."""

from random import Random

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import events as v
from node.core import messages as m
from node.core.effects import Change
from node.core.events import Field
from node.core.group import Group
from node.core.messages import Life
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Hlc, Silence

from .cast import CHAT, EPOCH, WALL, line, person, remembered, setup
from .dialogue import Dialogue, follower, outsider, returning


def script(seed: int) -> list[tuple[int, list[e.Effect]]]:
    """Effects of one fixed script."""
    log = remembered(person(3), person(1), person(2), leader=1, messages=[line(1), line(2)])
    group = Group(setup(3, chat=CHAT), LAN, Random(seed), log)
    said = [(0, group.handle(0, v.Started(WALL)))]
    now = 0
    for step in range(200):
        due = group.deadline
        now = max(now + 1, due if due is not None else 0)
        event = v.Submitted("x", f"id{step}", WALL + now) if step % 10 == 0 else v.Woken()
        said.append((now, group.handle(now, event)))
    return said


def test_the_same_seed_events_and_instants_give_the_same_effects() -> None:
    assert script(7) == script(7)
    assert script(7) != script(8)


def test_a_group_asks_to_be_woken_and_rests_in_between() -> None:
    talk = follower(3, 1, 2)
    for _ in range(50):
        due = talk.group.deadline
        assert due is not None
        assert talk.group.handle(due - 1, v.Woken()) == []
        talk.wait(due - talk.now)


# ---- lateness ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late", "excused"), [(LAN.ping_ms, False), (LAN.ping_ms + 1, True)])
def test_a_turn_that_comes_late_excuses_the_calls_of_others(late: int, excused: bool) -> None:
    talk = follower(3, 1, 2)
    talk.mute(1)
    talk.wait_for(m.Ping, to=1)
    call = talk.call(m.Ping, to=1)
    due = talk.group.deadline
    assert due is not None
    talk.freeze(due - talk.now + late)
    assert (talk.sent(m.Ping, to=1) == []) is excused, "else it is given up and tried again"
    talk.hand(v.Answered(call.call, talk.pong(m.Standing.LEADING)))
    reply = talk.hears(m.Elect(talk.caller(2), talk.view(2)))
    assert (reply.vote is m.Vote.ALIVE) is excused, "an answer on its way counts"


def test_a_frozen_follower_asks_its_leader_anew_before_it_votes() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Ping)
    talk.freeze(10_000)
    vote = talk.hears(m.Elect(talk.caller(2), talk.view(2))).vote
    assert vote is m.Vote.UNREACHABLE
    assert talk.waits(m.Ping, to=1)


# ---- calls and answers ---------------------------------------------------------------------------


def test_an_answer_that_comes_twice_or_after_its_time_starts_nothing() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    call = talk.call(m.Tell, to=2).call
    told = m.Told(m.Receipt.STORED, said.id, 2)
    assert talk.hand(v.Answered(call, told))
    assert talk.hand(v.Answered(call, told)) == []
    assert talk.hand(v.Failed(call, Silence.SILENT)) == []
    assert talk.hand(v.Answered(9_999, told)) == []


def test_a_call_whose_end_nobody_tells_ends_by_itself() -> None:
    talk = follower(3, 1, 2)
    talk.says("hello")
    talk.wait(LAN.ack_ms + 20)
    rows = talk.group.queue()[0].rows
    assert [row.status for row in rows] == ["no answer", "no answer"]


def test_a_caller_is_heard_by_whom_it_means_alone() -> None:
    talk = follower(3, 1, 2)
    refusal = talk.hears(m.Tell(talk.caller(1, callee=2), 3, (line(1),)))
    assert refusal.reason == Reason.WRONG_MEMBER
    assert isinstance(talk.hears(m.Tell(talk.caller(1, callee=0), 3, (line(1),))), m.Told)


def test_every_request_is_answered_by_its_own_reply() -> None:
    talk = follower(3, 1, 2)
    caller, view = talk.caller(2), talk.view(2)
    for request, reply in (
        (m.Ping(caller, view), m.Pong),
        (m.Elect(caller, view), m.Elected),
        (m.Coordinator(caller, view, True), m.Followed),
        (m.Tell(caller, 3, (line(2),)), m.Told),
        (m.Sync(caller, view), m.Synced),
        (m.Update(caller, m.NOBODY), m.Updated),
        (m.Leave(caller, person(2, left=True)), m.LeaveNoted),
    ):
        assert isinstance(talk.hears(request), reply), request


# ---- callers that are unknown, gone or new -------------------------------------------------------


def test_of_an_unknown_caller_the_leader_s_roster_is_fetched() -> None:
    talk = follower(3, 1, 2)
    talk.wait(LAN.roster_ms)
    talk.hears(m.Ping(talk.caller(77), talk.view(2)))
    assert [update.want_roster for update in talk.sent(m.Update, to=1)] == [True]


def test_a_coordinator_from_an_unknown_leader_is_accepted_and_its_roster_fetched_there() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Update)
    epoch = talk.group.epoch._replace(n=9)
    view = talk.view(77, epoch=epoch, leader=77, leader_address="m77:7000")
    talk.hears(m.Coordinator(talk.caller(77, epoch=epoch), view, False))
    assert talk.group.leader == 77
    assert talk.call(m.Update, to=77).address == "m77:7000"


def test_a_later_life_of_a_caller_is_alive_again() -> None:
    talk = follower(3, 1, person(2, Life.DROPPED))
    assert talk.hears(m.Ping(talk.caller(2, incarnation=101), talk.view(2))).reached
    assert talk.changes == [(2, Change.RETURNED)]


def test_facts_are_welcome_from_one_that_has_left() -> None:
    talk = follower(3, 1, person(2, left=True))
    talk.hears(m.Update(talk.caller(2), m.Roster((person(4),))))
    assert talk.changes == [(4, Change.JOINED)]


def test_a_refusal_about_ourselves_exchanges_rosters() -> None:
    talk = follower(3, 1, 2)
    talk.says("hello")
    talk.wait(LAN.t1_ms)
    talk.says("again")
    talk.answer(m.Tell, m.Refusal(Reason.OLD_INCARNATION), to=2)
    assert len(talk.sent(m.Update, to=2)) == 1


# ---- outside -------------------------------------------------------------------------------------


def test_who_has_left_is_a_stranger() -> None:
    talk = follower(3, 1)
    talk.hand(v.Leaving())
    talk.answer(m.Leave, m.LeaveNoted(talk.view(1)), to=1)
    assert talk.hears(m.Tell(talk.caller(1), 3, (line(1),))).reason == Reason.UNKNOWN_CHAT
    assert talk.wait(100_000) == []


def test_a_joiner_that_closes_stops_at_once() -> None:
    talk = outsider(9, "m1:7000")
    talk.hand(v.Closing())
    assert talk.one(e.Stopped).reason == ""


def test_before_it_is_a_member_a_node_learns_no_leader() -> None:
    talk = outsider(9, "m1:7000")
    caller = m.Caller(CHAT, 1, 100, EPOCH)
    talk.hears(m.Coordinator(caller, talk.view(1, epoch=EPOCH, leader=1), False))
    assert talk.group.leader == 0


def test_before_it_is_a_member_a_node_answers_no_ping_to_a_member_at_its_address() -> None:
    """Else a member that looks for another life of its own takes the newcomer for it, and stops."""
    talk = outsider(9, "m1:7000")
    nobody = m.Caller(CHAT, 0, 0, EPOCH)
    assert talk.hears(m.Ping(nobody, None)).standing is m.Standing.NOT_LEADING
    to_member = m.Ping(m.Caller(CHAT, 0, 0, EPOCH, 2), None)
    assert talk.hears(to_member).reason == Reason.UNKNOWN_CHAT


# ---- what users change ---------------------------------------------------------------------------


def changed(talk: Dialogue, field: Field, value: str) -> None:
    talk.hand(v.Changed(field, value, WALL + talk.now))


@pytest.mark.parametrize("field", [Field.NICK, Field.AWAY])
def test_a_change_of_ourselves_is_stored_then_told_to_all(field: Field) -> None:
    talk = follower(3, 1, 2)
    changed(talk, field, "new")
    assert talk.position(e.StoreRoster) < talk.position(e.Call, m.Update)
    (update,) = talk.sent(m.Update, to=2)
    (mine,) = update.roster.members
    assert (mine.nick if field is Field.NICK else mine.away).value == "new"


def test_a_topic_is_told_to_all_and_shown() -> None:
    talk = follower(3, 1, 2)
    changed(talk, Field.TOPIC, "cats")
    assert talk.one(e.MemberChanged) == e.MemberChanged(3, Change.TOPIC, "cats")
    (update,) = talk.sent(m.Update, to=1)
    assert update.roster.topic.value == "cats"
    assert talk.group.roster.topic.value == "cats"


def test_a_change_stands_against_an_earlier_one_whatever_the_clock_says() -> None:
    ahead = m.Fact("theirs", Hlc(WALL * 2, 0), 2)
    talk = follower(3, 1, 2)
    talk.hears(m.Update(talk.caller(2), m.Roster((), ahead)))
    changed(talk, Field.TOPIC, "ours")
    assert talk.group.roster.topic.value == "ours"


def test_who_is_no_member_changes_nothing() -> None:
    talk = outsider(9, "m1:7000")
    changed(talk, Field.NICK, "new")
    assert talk.group.drops.total() == 1


# ---- from the log --------------------------------------------------------------------------------


def test_a_restart_remembers_who_and_where_it_was() -> None:
    talk = returning(3, 1, 2, leader=1, epoch=EPOCH, highest_n=9)
    group = talk.group
    assert (group.me, group.epoch, group.leader, group.name) == (3, EPOCH, 1, "den")
    assert group.belonging == (1, 2, 3)


def test_a_line_said_before_a_restart_is_not_shown_again() -> None:
    talk = follower(3, 1, 2, messages=[line(1, 1, id="x")])
    talk.hears(m.Tell(talk.caller(1), 3, (line(1, 1, id="x"),)))
    talk.hears(m.Tell(talk.caller(1), 3, (line(1, 1, id="x", k=2, ms=9_000),)))
    assert talk.shown == []


def test_after_a_restart_what_belongs_before_the_last_line_shown_is_late() -> None:
    shown, waiting = line(2, 1, ms=5_000), line(2, 3, ms=9_000)  # its predecessor is missing
    talk = returning(3, 1, 2, leader=1, messages=(waiting, shown))
    talk.hand(v.Started(WALL))
    for message in (line(1, 1, ms=4_000), line(1, 2, ms=6_000)):
        talk.hears(m.Tell(talk.caller(1), 3, (message,)))
    told = [(s.message.key.seq, s.late) for _, s in talk.log if isinstance(s, e.Deliver)]
    assert told == [(1, True), (2, False)]


def test_pending_messages_of_the_log_wait_on() -> None:
    talk = follower(3, 1, 2, messages=[line(1, 2)])
    talk.hears(m.Tell(talk.caller(1), 3, (line(1, 1),)))
    assert talk.shown == ["1.1", "1.2"]


def test_members_are_told_of_the_new_life_at_the_start() -> None:
    talk = returning(3, 1, 2, leader=1)
    talk.hand(v.Started(WALL))
    for member in (1, 2):
        (update,) = talk.sent(m.Update, to=member)
        assert update.roster.members[0].incarnation == WALL


def test_who_begins_to_lead_looks_after_the_old_leader_at_once() -> None:
    talk = follower(2, 1, 3)
    talk.kill(1)
    talk.wait_for(m.Elect)
    talk.answer(m.Elect, talk.vote(m.Vote.UNREACHABLE), to=3)
    talk.answer(m.Claim, talk.granted())
    assert len(talk.sent(m.Ping, to=1)) == 1
    assert talk.sent(m.Ping, to=3)[0].on_behalf == 1


def test_a_log_of_another_identity_makes_nobody_a_member() -> None:
    talk = returning(replace(person(3), identity=b"x" * 32), 1, 2, leader=1)
    talk.hand(v.Started(WALL))
    assert talk.group.me == 0
    assert talk.waiting == []
