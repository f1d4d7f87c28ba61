"""Dialogues: how lines are said and heard.

node/core/talking.py, node/core/composing.py, node/core/sending.py
"""

import itertools

import pytest
from msgspec.structs import replace

from node.core import composing
from node.core import effects as e
from node.core import messages as m
from node.core.clock import MS_MAX
from node.core.conversation import ChatMessage
from node.core.events import Answered, Started, Submitted
from node.core.messages import Life, Receipt
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Hlc, Key, Post, Silence, Stream, Way

from .cast import WALL, line, person, stream
from .dialogue import Dialogue, follower, leading, returning

STORED, RELAYING = Receipt


def told(talk: Dialogue, message: ChatMessage, by: int = 0, to: int = 0) -> object:
    """A message comes: from its author, unless said otherwise."""
    by = by or message.key.source
    return talk.hears(m.Tell(talk.caller(by), to or talk.group.me, (message,)))


def ack(talk: Dialogue, message: ChatMessage, by: int) -> None:
    talk.answer(m.Tell, m.Told(STORED, message.id, by), to=by)


# ---- our own -------------------------------------------------------------------------------------


def test_a_line_is_stored_then_shown_then_sent_to_all_in_parallel() -> None:
    talk = follower(3, 1, 2, 4)
    said = talk.says("hello")
    assert talk.one(e.StoreMessages).messages == (said,)
    order = [talk.position(kind) for kind in (e.StoreMessages, e.StorePost, e.Deliver, e.Call)]
    assert order == sorted(order)
    assert sorted(talk.callees(m.Tell)) == [1, 2, 4]


def test_who_counts_are_those_alive_or_suspect_without_oneself() -> None:
    talk = follower(3, 1, person(2, Life.SUSPECT), person(4, Life.DROPPED), person(5, left=True))
    said = talk.says("hello")
    assert talk.one(e.StorePost).post == Post(said.key, (1, 2), (), False, away=(4,))
    assert sorted(talk.callees(m.Tell)) == [1, 2]


def equal_logs(talk: Dialogue, by: int) -> None:
    """That member is back, and its log is seen to hold what ours does."""
    talk.hold(m.Sync)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(by, incarnation=102),))))
    talk.hears(m.Ping(talk.caller(by), talk.view(by, history_hash=talk.group.history_hash)))


def traced(talk: Dialogue, message: ChatMessage) -> list[tuple[int, str, Way | None]]:
    trace = talk.group.trace(message.key)
    assert trace is not None
    assert (trace.acked, trace.of) == (1, 1), "who was dropped does not count, whatever comes"
    return [(row.member, row.state, row.way) for row in trace.rows]


def test_who_was_dropped_does_not_count_and_is_seen_to_have_the_line_once_it_has_it() -> None:
    talk = follower(3, 1, person(4, Life.DROPPED))
    said = talk.says("hello")
    ack(talk, said, 1)
    has = (1, "acked", Way.DIRECT)
    assert traced(talk, said) == [has, (4, "later", None)]
    assert talk.group.lacking(4) == 1
    talk.hold(m.Sync)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(4, incarnation=102),))))
    assert traced(talk, said) == [has, (4, "behind", None)]
    equal_logs(talk, 4)
    assert traced(talk, said) == [has, (4, "acked", Way.CATCH_UP)]
    assert talk.one(e.Acknowledged) == e.Acknowledged(said.key, 4, Way.CATCH_UP, 1, 1)
    assert talk.one(e.StorePost).post == Post(said.key, (1,), (1, 4), True, away=(4,))
    assert talk.group.lacking(4) == 0


def test_a_line_that_is_said_when_all_are_gone_waits_for_nobody() -> None:
    talk = leading(1, person(4, Life.DROPPED))
    said = talk.says("anybody?")
    assert talk.one(e.Settled) == e.Settled(said.key, ())
    assert talk.group.outbox_size == 0
    equal_logs(talk, 4)
    assert talk.one(e.Acknowledged) == e.Acknowledged(said.key, 4, Way.CATCH_UP, 0, 0)


@pytest.mark.parametrize("settled", [True, False])
def test_in_the_next_life_it_is_known_who_was_dropped_when_a_line_was_said(settled: bool) -> None:
    said = line(3, 1, k=8)
    post, dropped = Post(said.key, (1,), (1,), settled, away=(4,)), person(4, Life.DROPPED)
    talk = returning(3, 1, dropped, leader=1, messages=[said], posts=[post])
    talk.hand(Started(WALL))
    assert talk.group.lacking(4) == 1
    equal_logs(talk, 4)
    assert talk.one(e.StorePost).post == replace(post, acked=(1, 4), settled=True)
    assert talk.group.lacking(4) == 0


def test_later_admissions_are_not_counted() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.hears(m.Update(talk.caller(1), m.Roster((person(6),))))
    ack(talk, said, 1)
    ack(talk, said, 2)
    assert talk.of(e.Settled) == [e.Settled(said.key, ())]
    assert talk.of(e.Acknowledged)[-1] == e.Acknowledged(said.key, 2, Way.DIRECT, 2, 2)


def test_alone_a_line_is_settled_at_once() -> None:
    talk = leading(1)
    said = talk.says("anybody?")
    assert talk.one(e.Settled) == e.Settled(said.key, ())


def test_a_line_names_the_heads_that_its_author_had_seen() -> None:
    talk = follower(3, 1, 2)
    a, b = line(1), line(2)
    told(talk, a)
    told(talk, b)
    first = talk.says("answer")
    assert first.deps == tuple(sorted((a.key, b.key)))
    assert talk.says("more").deps == (), "its own previous line is implied"
    c = line(1, 2, after=(first,), ms=WALL + 1)
    told(talk, c)
    assert talk.says("well").deps == (c.key,)


def test_a_line_is_later_than_all_it_follows_whatever_the_clock_says() -> None:
    talk = follower(3, 1, 2)
    told(talk, line(1, ms=WALL + 9_000_000))
    first = talk.says("by a clock that is behind", wall=WALL)
    second = talk.says("went back", wall=5)
    assert first.hlc == Hlc(WALL + 9_000_000, 1)
    assert second.hlc > first.hlc


def test_a_stream_is_new_with_each_process_and_its_first_line_names_the_last() -> None:
    old = line(3, 2)
    answer = line(1, 1, after=(old,), ms=5_000)  # So that its own last line is no head.
    talk = returning(3, 1, 2, leader=1, messages=[line(3, 1), old, answer])
    talk.hand(Started(WALL))
    said = talk.says("back again")
    assert (said.key.seq, said.deps) == (1, (answer.key, old.key))
    assert said.key.stream.incarnation == talk.group.incarnation
    assert said.key.stream != old.key.stream


def test_a_line_does_not_follow_one_of_an_earlier_life_that_waits() -> None:
    """It was not seen since: its disk was lost, and others have it without what it follows."""
    old = line(3, 2, after=(line(1),), ms=5_000)
    talk = returning(3, 1, 2, leader=1, messages=[line(3, 1), old])
    talk.hand(Started(WALL))
    said = talk.says("back again")
    assert said.deps == (line(3, 1).key,)
    told(talk, line(1))
    assert talk.shown == [said.texts[0], "1.1", "3.2"]  # each of them once


def test_what_waits_since_an_earlier_life_is_shown_when_it_is_said_again() -> None:
    """Its author has lost its disk, and what it followed; then it said the line once more."""
    waits = line(2, 1, "here", after=(line(1),), k=1)
    again = line(2, 1, "here", ms=5_000, k=2, id=waits.id)
    talk = returning(3, 1, 2, leader=1, messages=[waits])
    talk.hand(Started(WALL))
    told(talk, again)
    assert talk.shown == ["here"]
    told(talk, line(1))
    assert talk.shown == ["here", "1.1"], "what was shown is not shown again"


def test_the_outbox_survives_a_restart() -> None:
    old = line(3)
    post = Post(old.key, (1, 2), (1,), settled=False)
    talk = returning(3, 1, 2, leader=1, messages=[old], posts=[post])
    talk.hand(Started(WALL))
    assert talk.callees(m.Tell) == [2]
    ack(talk, old, 2)
    assert talk.one(e.Settled) == e.Settled(old.key, ())
    assert talk.one(e.StorePost).post == Post(old.key, (1, 2), (1, 2), settled=True)


# ---- acknowledging -------------------------------------------------------------------------------


def test_ack_is_sent_only_after_store() -> None:
    talk = follower(3, 1, 2)
    reply = told(talk, line(1))
    assert reply == m.Told(STORED, line(1).id, 3)
    assert talk.position(e.StoreMessages) < talk.position(e.Respond)


def test_a_message_that_waits_is_stored_and_acknowledged_and_not_shown() -> None:
    talk = follower(3, 1, 2)
    reply = told(talk, line(2, ms=5_000, after=(line(1),)))
    assert isinstance(reply, m.Told)
    assert talk.one(e.StoreMessages)
    assert talk.shown == []
    told(talk, line(1))
    assert talk.shown == ["1.1", "2.1"]


def test_a_repeated_message_is_acknowledged_again_and_shown_once() -> None:
    talk = follower(3, 1, 2)
    told(talk, line(1))
    assert told(talk, line(1)) == m.Told(STORED, line(1).id, 3)
    assert told(talk, line(1), by=2) == m.Told(STORED, line(1).id, 3)
    assert talk.shown == ["1.1"]


def test_only_the_ack_of_the_member_itself_counts() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.answer(m.Tell, m.Told(STORED, said.id, 1), to=2)
    assert talk.of(e.Acknowledged) == []


def test_pending_full_is_refused_and_not_acknowledged() -> None:
    talk = follower(3, 1, 2, timing=replace(LAN, pending_max=2))
    for seq in (3, 4):
        assert isinstance(told(talk, line(1, seq)), m.Told)
    refusal = told(talk, line(1, 5))
    assert isinstance(refusal, m.Refusal)
    assert refusal.reason == Reason.PENDING_FULL
    assert talk.of(e.StoreMessages) == []
    assert isinstance(told(talk, line(2, 3)), m.Told), "each author has room of its own"
    for seq in (1, 2):
        told(talk, line(1, seq))
    assert talk.shown == ["1.1", "1.2", "1.3", "1.4"], "nothing acknowledged is evicted"


def test_pending_bytes_are_bounded_too() -> None:
    talk = follower(3, 1, 2, timing=replace(LAN, pending_bytes_max=10))
    told(talk, line(1, 3, "x" * 11))
    assert told(talk, line(1, 4)).reason == Reason.PENDING_FULL  # type: ignore[attr-defined]


def test_a_message_not_later_than_what_it_follows_is_taken_and_shown_at_its_place() -> None:
    """Its author may have said something else to others, or lie: what answers it is not to wait."""
    talk = follower(3, 1, 2)
    told(talk, line(1, ms=5_000))
    assert isinstance(told(talk, line(2, ms=4_000, after=(line(1),))), m.Told)
    assert talk.one(e.Deliver).late
    assert isinstance(told(talk, line(1, 2, ms=4_500)), m.Told)
    assert talk.one(e.Deliver).late
    assert talk.group.drops.total() == 0
    assert (said := talk.says("ours")).hlc > Hlc(5_000, 0)
    assert said.deps == (line(1, 2).key, line(2).key)


@pytest.mark.parametrize("ms", [MS_MAX, 2 * MS_MAX - 1])
def test_an_instant_that_was_made_up_drives_no_clock_to_its_end(ms: int) -> None:
    talk = follower(3, 1, 2)
    before = talk.says("before")
    assert isinstance(told(talk, line(1, ms=ms)), m.Told)
    assert before.hlc < talk.says("after").hlc < Hlc(WALL + 1_000, 0)
    assert isinstance(told(talk, line(2, after=(before,), ms=WALL + 5_000)), m.Told)
    assert not talk.one(e.Deliver).late


def test_of_too_many_heads_the_latest_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composing, "DEPS_MAX", 2)
    talk = follower(50, 1, 2, 4)
    for author, ms in ((1, 9_000), (2, 7_000), (4, 8_000)):
        told(talk, line(author, ms=ms))
    assert {key.source for key in talk.says("after two").deps} == {1, 4}


def test_of_two_contents_that_wait_the_one_that_stands_is_shown() -> None:
    low, high = sorted((line(1, 2, "this"), line(1, 2, "that")), key=lambda one: one.hash)
    talk = follower(3, 1, 2)
    told(talk, high)
    told(talk, low)
    told(talk, line(1, 1))
    assert talk.shown == ["1.1", low.texts[0]]


def test_a_clock_that_is_far_ahead_of_ours_is_no_reason_to_refuse() -> None:
    talk = follower(3, 1, 2)
    assert isinstance(told(talk, line(1, ms=WALL + 10**10)), m.Told)


# ---- several together ----------------------------------------------------------------------------


def together(**timing: int) -> tuple[Dialogue, tuple[ChatMessage, ...]]:
    """Member 1 is told one line, and the next three with one call once it has acknowledged that."""
    talk = follower(3, 1, 2, timing=replace(LAN, flight_max=1, **timing))
    first, *rest = [talk.says(text) for text in ("one", "two", "three", "four")]
    ack(talk, first, 1)
    assert talk.call(m.Tell, 1).request.messages == tuple(rest)
    return talk, tuple(rest)


def acknowledged(talk: Dialogue, by: int) -> list[m.Key]:
    return [a.key for a in talk.of(e.Acknowledged) if a.by == by]


def test_an_ack_is_for_all_that_came_together() -> None:
    talk, rest = together()
    ack(talk, rest[-1], 1)
    assert acknowledged(talk, 1) == [message.key for message in rest]
    assert talk.callees(m.Tell) == [2], "there is nothing more for 1"


def test_what_there_was_no_room_for_is_told_again_after_a_while() -> None:
    talk, rest = together()
    ack(talk, rest[0], 1)
    assert acknowledged(talk, 1) == [rest[0].key]
    assert talk.callees(m.Tell) == [2]
    talk.wait(LAN.retry_min_ms)
    (again,) = [call.messages for call in talk.sent(m.Tell) if call.to == 1]
    assert again == rest[1:2], "an ill lane is tried with one message"


def test_an_ack_for_something_else_acknowledges_nothing() -> None:
    talk, _ = together()
    talk.answer(m.Tell, m.Told(STORED, "another", 1), to=1)
    assert acknowledged(talk, 1) == []


def test_without_an_answer_all_are_told_again_in_their_order() -> None:
    talk, rest = together(batch_max=3)
    for _ in range(2):
        ack(talk, talk.call(m.Tell, 2).request.messages[-1], 2)
    talk.fail(m.Tell, to=1)
    (relayed,) = [call for call in talk.sent(m.Tell) if call.to == 1]
    assert relayed.messages == rest, "by way of 2"
    talk.answer(m.Tell, m.Told(STORED, rest[-1].id, 1), to=2)
    assert acknowledged(talk, 1) == [message.key for message in rest]


def test_several_are_stored_in_order_and_answered_with_the_last() -> None:
    talk = follower(3, 1, 2)
    lines = (line(1, 1), line(1, 2, ms=5_000), line(1, 3, ms=6_000))
    reply = talk.hears(m.Tell(talk.caller(1), 3, lines))
    assert reply == m.Told(STORED, lines[-1].id, 3)
    assert talk.shown == ["1.1", "1.2", "1.3"]


def test_where_there_is_no_room_for_all_the_answer_names_the_last_that_is_stored() -> None:
    talk = follower(3, 1, 2, timing=replace(LAN, pending_max=2))
    lines = tuple(line(1, seq) for seq in (3, 4, 5))
    assert talk.hears(m.Tell(talk.caller(1), 3, lines)) == m.Told(STORED, lines[1].id, 3)
    refusal = talk.hears(m.Tell(talk.caller(1), 3, lines[2:]))
    assert refusal.reason == Reason.PENDING_FULL


def test_of_several_that_are_to_be_passed_on_those_go_that_are_stored() -> None:
    talk = leading(1, 2, 3, timing=replace(LAN, pending_max=2))
    lines = tuple(line(2, seq) for seq in (3, 4, 5))
    assert talk.hears(m.Tell(talk.caller(2), 3, lines)) is None, "its target has to answer"
    assert talk.call(m.Tell, 3).request.messages == lines[:2]
    talk.answer(m.Tell, m.Told(STORED, lines[0].id, 3), to=3)
    assert talk.one(e.Respond).reply == m.Told(STORED, lines[0].id, 3)


# ---- showing -------------------------------------------------------------------------------------


def test_a_late_concurrent_message_is_marked() -> None:
    talk = follower(3, 1, 2)
    told(talk, line(1, ms=9_000))
    told(talk, line(2, ms=8_000))
    late = [(s.message.texts[0], s.late) for _, s in talk.log if isinstance(s, e.Deliver)]
    assert late == [("1.1", False), ("2.1", True)]


def test_of_two_keys_with_one_id_only_the_first_is_shown() -> None:
    talk = follower(3, 1, 2)
    told(talk, line(1, 1, "same", id="x"))
    told(talk, line(1, 1, "same", id="x", k=2, ms=9_000))
    assert talk.shown == ["same"]
    assert talk.one(e.StoreMessages), "the other only fills its number"


def test_of_two_contents_of_one_instant_the_lower_hash_stands() -> None:
    low, high = sorted((line(1, 1, "this"), line(1, 1, "that")), key=lambda one: one.hash)
    talk = follower(3, 1, 2)
    told(talk, high)
    told(talk, low)
    assert talk.one(e.StoreMessages).messages == (low,)
    told(talk, high)
    assert talk.of(e.StoreMessages) == []


def test_shown_a_line_of_its_own_stream_that_it_did_not_write_a_node_begins_another() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("mine")
    clone = replace(said, key=said.key._replace(seq=2), ids=("other",), texts=("not mine",))
    told(talk, replace(clone, hlc=Hlc(said.hlc.ms + 1, 0)), by=2)
    after = talk.says("mine again")
    assert after.key.stream != said.key.stream
    assert after.key.seq == 1


# ---- the way round -------------------------------------------------------------------------------


def test_without_an_ack_in_time_the_leader_passes_on() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    ack(talk, said, 1)
    talk.wait(LAN.ack_ms + 20)
    (tell,) = talk.sent(m.Tell)
    assert (talk.callees(m.Tell), tell.to, tell.messages) == ([2, 1], 2, (said,))
    talk.answer(m.Tell, m.Told(STORED, said.id, 2), to=1)
    assert talk.one(e.Acknowledged).way is Way.RELAY


def test_an_acknowledgement_that_comes_late_counts_and_nothing_is_sent_again() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.wait(LAN.ack_ms)
    assert talk.callees(m.Tell) == [1, 2], "nobody has it who could go round"
    talk.wait(LAN.retry_min_ms // 2)
    ack(talk, said, 1)
    ack(talk, said, 2)
    assert [one.by for one in talk.of(e.Acknowledged)] == [2]
    assert talk.one(e.Settled) == e.Settled(said.key, ())
    talk.wait(LAN.late_ms)
    assert not talk.sent(m.Tell)
    assert talk.group._s.outbox.deadline_ms(2) == 4 * LAN.ack_ms, "and is waited for longer now"


@pytest.mark.parametrize("late", ["refused", "another's", "too late", "dropped meanwhile"])
def test_what_comes_late_and_acknowledges_nothing_changes_nothing(late: str) -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    ack(talk, said, 1)
    call = talk.call(m.Tell, to=2).call
    talk.wait(LAN.ack_ms)
    talk.fail(m.Tell, to=1)  # The way round is none.
    reply: m.Told | m.Refusal = m.Told(STORED, said.id, 2)
    if late == "refused":
        reply = m.Refusal(Reason.PENDING_FULL)
    elif late == "another's":
        reply = m.Told(STORED, said.id, 1)
    elif late == "too late":
        talk.wait(LAN.late_ms)
    else:
        talk.hears(m.Update(talk.caller(1), m.Roster((person(2, Life.DROPPED),))))
    talk.hand(Answered(call, reply))
    assert not talk.of(e.Acknowledged)
    assert not talk.sent(m.Tell)


@pytest.mark.parametrize(
    ("me", "others", "silent", "relay"), [(3, (1, 2, 4), 1, 2), (1, (2, 3), 3, 2)]
)
def test_if_the_leader_is_sender_or_target_the_lowest_other_relays(
    me: int, others: tuple[int, ...], silent: int, relay: int
) -> None:
    talk = leading(1, *others) if me == 1 else follower(me, *others)
    ack(talk, talk.says("hello"), relay)
    talk.fail(m.Tell, to=silent)
    (tell,) = talk.sent(m.Tell, to=relay)
    assert tell.to == silent


def test_who_has_not_acknowledged_a_line_is_not_asked_to_pass_it_on() -> None:
    """On a busy machine nobody answers in time: it would only become busier."""
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.fail(m.Tell, to=2)
    assert talk.sent(m.Tell) == []
    talk.wait(LAN.retry_min_ms)
    assert [(tell.to, tell.messages) for tell in talk.sent(m.Tell, to=2)] == [(2, (said,))]
    ack(talk, said, 1)
    talk.fail(m.Tell, to=2)
    assert [(tell.to, tell.messages) for tell in talk.sent(m.Tell, to=1)] == [(2, (said,))]


def test_the_relay_stores_then_tries_and_answers_with_the_target_s_ack() -> None:
    talk = leading(1, 2, 3)
    assert told(talk, line(2), to=3) is None
    assert talk.position(e.StoreMessages) < talk.position(e.Call, m.Tell)
    assert talk.shown == ["2.1"], "it is a member itself"
    ack(talk, line(2), 3)
    assert talk.reply() == m.Told(STORED, line(2).id, 3)


def test_a_relay_that_reaches_nobody_says_relaying_which_is_no_ack() -> None:
    talk = leading(1, 2, 3)
    told(talk, line(2), to=3)
    talk.fail(m.Tell, to=3)
    assert talk.reply() == m.Told(RELAYING, line(2).id, 1)
    author = follower(2, 1, 3)
    said = author.says("hello")
    author.answer(m.Tell, m.Told(RELAYING, said.id, 1), to=3)
    assert author.of(e.Acknowledged) == []
    trace = author.group.trace(said.key)
    assert trace is not None
    assert trace.rows[1].status == "relayed by user1 (id 1), not acknowledged yet"


def test_relay_is_one_hop() -> None:
    talk = leading(1, 2, 3, 4)
    reply = told(talk, line(2), by=4, to=3)
    assert reply == m.Told(RELAYING, line(2).id, 1)
    assert talk.sent(m.Tell) == []


def test_nothing_is_relayed_to_one_that_does_not_belong() -> None:
    talk = leading(1, 2, person(3, left=True))
    assert told(talk, line(2), to=3).reason == Reason.UNKNOWN_MEMBER  # type: ignore[attr-defined]
    assert talk.of(e.StoreMessages) == []


def test_the_relay_sticks_to_a_broken_link_for_thirty_seconds() -> None:
    talk = follower(3, 1, 2)
    talk.mute(2)
    said = talk.says("one")
    ack(talk, said, 1)
    talk.fail(m.Tell, to=2)
    talk.answer(m.Tell, m.Told(STORED, said.id, 2), to=1)
    said = talk.says("two")
    assert [tell.to for tell in talk.sent(m.Tell, to=1)] == [1, 2]
    assert talk.sent(m.Tell, to=2) == []
    for _ in range(2):
        member = talk.call(m.Tell, to=1).request.to
        talk.answer(m.Tell, m.Told(STORED, said.id, member), to=1)
    talk.wait(LAN.relay_ms)
    talk.says("three")
    assert [tell.to for tell in talk.sent(m.Tell, to=2)] == [2]


def test_a_relay_that_is_silent_itself_is_no_help() -> None:
    talk = follower(3, 1, 2)
    talk.says("one")
    talk.fail(m.Tell, to=2)
    talk.fail(m.Tell, to=1)
    assert talk.wait_for(m.Tell, to=2).to == 2


def test_a_lane_backs_off_and_one_slow_member_never_delays_another() -> None:
    talk = follower(3, 1, 2)
    talk.mute(2)
    for n in range(5):
        said = talk.says(f"line {n}")
        ack(talk, said, 1)
    acked = [s.by for _, s in talk.log if isinstance(s, e.Acknowledged)]
    assert acked == [1] * 5


def test_retries_double_up_to_a_second_and_a_half() -> None:
    talk = leading(1, 2)
    talk.says("hello")
    at = []
    for _ in range(7):
        talk.wait_for(m.Tell, to=2)
        at.append(talk.now)
        talk.fail(m.Tell, to=2, how=Silence.REFUSED)
    gaps = [b - a for a, b in itertools.pairwise(at)]
    assert gaps == [200, 400, 800, 1_500, 1_500, 1_500]


def test_a_member_that_was_suspect_and_is_back_is_told_at_once() -> None:
    talk = follower(3, 1, 2)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(2, Life.SUSPECT),))))
    said = talk.says("hello")
    ack(talk, said, 1)
    for _ in range(5):
        talk.wait_for(m.Tell, to=2)
        talk.fail(m.Tell, to=2)
        if talk.waits(m.Tell, to=1):
            talk.fail(m.Tell, to=1)
    assert not talk.waits(m.Tell), "the next try is a second away"
    talk.hears(m.Update(talk.caller(2, incarnation=101), m.Roster((person(2, incarnation=101),))))
    assert talk.of(e.MemberChanged) == [e.MemberChanged(2, e.Change.CLEARED)]
    assert talk.waits(m.Tell), "so is the member"
    failed_at = talk.now
    while talk.waits(m.Tell):
        talk.fail(m.Tell)
    talk.wait_for(m.Tell)
    assert talk.now - failed_at == 400, "and its back-off begins anew"


def test_a_dropped_member_holds_nothing_up_and_is_sent_nothing() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    ack(talk, said, 1)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(2, Life.DROPPED),))))
    assert talk.one(e.Settled) == e.Settled(said.key, (2,))
    talk.says("more")
    talk.wait(10_000)
    assert talk.sent(m.Tell, to=2) == []


def test_key_names_never_repeat_within_a_life() -> None:
    talk = follower(3, 1, 2)
    keys = [talk.says(str(n)).key for n in range(5)]
    assert keys == [Key(3, keys[0].stream, n) for n in range(1, 6)]
    assert isinstance(keys[0].stream, Stream)
    assert keys[0].stream != stream()


def test_a_line_submitted_twice_is_said_once() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.hand(Submitted("hello", said.id, WALL))
    assert talk.of(e.StoreMessages) == []
    assert talk.shown == ["hello"]


def test_a_leader_that_acknowledges_nothing_is_looked_at_at_once() -> None:
    talk = follower(3, 1, 2)
    ack(talk, talk.says("hello"), 2)
    talk.wait(200)
    talk.fail(m.Tell, to=1)
    assert len(talk.sent(m.Ping, to=1)) == 2, "does it lead, and is the direct way broken?"


def test_a_member_that_was_only_busy_is_told_directly_again() -> None:
    talk = follower(3, 1, 2)
    said = [talk.says("one")]
    ack(talk, said[0], 1)
    talk.fail(m.Tell, to=2)
    talk.answer(m.Tell, m.Told(STORED, said[0].id, 2), to=1)
    said.append(talk.says("two"))
    assert [tell.to for tell in talk.sent(m.Tell, to=2)] == [2]
    ack(talk, said[1], 1)
    talk.fail(m.Tell, to=2)
    talk.answer(m.Tell, m.Told(STORED, said[1].id, 2), to=1)
    talk.says("three")
    assert talk.sent(m.Tell, to=2) == [], "pings get through, and messages do not"


def test_what_is_set_free_together_is_shown_in_display_order() -> None:
    talk = follower(3, 1, 2)
    root = line(1, 1, ms=1_000)
    for seq, ms in ((1, 5_000), (2, 7_000)):
        told(talk, line(2, seq, ms=ms, after=(root,) if seq == 1 else ()))
    told(talk, line(4, 1, ms=6_000, after=(root,)), by=1)
    told(talk, root)
    assert talk.shown == ["1.1", "2.1", "4.1", "2.2"]
