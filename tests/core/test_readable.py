"""Dialogues about node/core/readable.py: what faces may read of a group."""

from node.core import messages as m
from node.core.events import Started
from node.core.history import History
from node.core.messages import Life, Receipt
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Hlc, Post, Way

from .cast import EPOCH, WALL, address, line, person
from .dialogue import follower, leading, returning


def test_a_trace_says_what_became_of_each_counted_member() -> None:
    talk = follower(3, 1, 2, 4, 5, 6)
    said = talk.says("hello")
    talk.wait(7)
    talk.answer(m.Tell, m.Told(Receipt.STORED, said.id, 1), to=1)
    talk.fail(m.Tell, to=2, why="UNAVAILABLE")
    talk.fail(m.Tell, to=1, why="DEADLINE_EXCEEDED")  # the way round for 2
    gone = (person(4, Life.DROPPED), person(5, left=True))
    talk.hears(m.Update(talk.caller(1), m.Roster(gone)))
    trace = talk.group.trace(said.key)
    assert trace is not None
    assert (trace.message, trace.acked) == (said, 1)
    rows = {row.member: row for row in trace.rows}
    assert {id: row.state for id, row in rows.items()} == {
        1: "acked",
        2: "waiting",
        4: "later",
        5: "gone",
        6: "waiting",
    }
    assert (rows[1].took_ms, rows[1].way, rows[1].tries) == (7, Way.DIRECT, 1)
    assert (rows[2].tries, rows[2].status) == (2, "DEADLINE_EXCEEDED")
    assert rows[2].next_at == talk.now + LAN.retry_min_ms
    assert rows[6].next_at is None


def test_a_settled_line_can_be_traced_and_a_stranger_s_cannot() -> None:
    talk = follower(3, 1)
    said = talk.says("hello")
    talk.answer(m.Tell, m.Told(Receipt.STORED, said.id, 1), to=1)
    trace = talk.group.trace(said.key)
    assert trace is not None
    assert trace.acked == 1
    assert talk.group.trace(line(1).key) is None


def test_the_queue_is_what_somebody_still_has_to_acknowledge_oldest_first() -> None:
    talk = follower(3, 1)
    said = [talk.says(text) for text in ("one", "two", "three")]
    talk.answer(m.Tell, m.Told(Receipt.STORED, said[2].id, 1), to=1)
    assert [trace.message.texts[0] for trace in talk.group.queue()] == ["one", "two"]
    assert talk.group.outbox_size == 2


def test_the_fingerprint_is_four_digits_and_equal_for_equal_logs() -> None:
    one = follower(3, 1, 2, messages=[line(1), line(2)]).group
    other = follower(2, 1, 3, messages=[line(2), line(1)]).group
    assert one.fingerprint == other.fingerprint == f"{one.history_hash:016x}"[:4]
    assert follower(3, 1, 2, messages=[line(1)]).group.fingerprint != one.fingerprint


def test_facts_of_a_member_of_the_group() -> None:
    talk = follower(3, 1, person(2, left=True), person(4, Life.DROPPED))
    group = talk.group
    assert (group.me, group.leader, group.following, group.epoch) == (3, 1, 1, EPOCH)
    assert (group.name, group.mode, group.created, group.nds) == ("den", 1, WALL - 1, "nds:1")
    assert (group.belonging, group.active) == ((1, 3, 4), (1, 3))
    assert (group.leads, group.provisional, group.nds_up) == (False, 0, True)
    known = group.member(1)
    assert known is not None
    assert known.address == address(1)
    assert group.member(77) is None
    assert group.heard_at(1) == 0
    assert (group.partial, group.incarnation) == (False, WALL)


def test_nicks_are_shown_uniquely() -> None:
    bob = [person(id, nick=m.Fact("bob", Hlc(1, 0), id)) for id in (1, 2)]
    group = follower(3, *bob).group
    assert [group.shown_nick(id) for id in (1, 2)] == ["bob", "bob2"]


def test_the_registry_s_silence_shows_until_it_answers_again() -> None:
    talk = leading(1, 2)
    talk.cut_registry()
    talk.wait(LAN.renew_ms * 2)
    assert not talk.group.nds_up
    talk.mend_registry()
    talk.wait(LAN.renew_ms * 2)
    assert talk.group.nds_up


def test_a_line_of_an_earlier_life_takes_as_long_as_this_life_has_waited() -> None:
    old = line(3)
    post = Post(old.key, (1,), (), settled=False)
    talk = returning(3, 1, leader=1, messages=[old], posts=[post])
    talk.now = 500_000_000  # The machine has run for days.
    talk.hand(Started(WALL))
    talk.wait(7)
    talk.answer(m.Tell, m.Told(Receipt.STORED, old.id, 1), to=1)
    trace = talk.group.trace(old.key)
    assert trace is not None
    assert [row.took_ms for row in trace.rows] == [7]


# ---- who is silent here ------------------------------------------------------------------------


def test_the_leader_is_silent_here_from_the_first_ping_that_fails_until_one_is_answered() -> None:
    talk = follower(3, 1, 2)
    assert not any(map(talk.group.silent, (1, 2, 3)))
    talk.mute(1)
    asked_at = talk.now + LAN.t2_ms
    while not talk.group.silent(1) and talk.now <= asked_at + LAN.ping_ms:
        talk.wait(10)
    assert [talk.group.silent(id) for id in (1, 2, 3)] == [True, False, False]
    known = talk.group.member(1)
    assert known is not None
    assert known.life is Life.ALIVE, "what is told to others is the leader's to say"
    talk.heal(1)
    talk.wait_for(m.Elect, to=1)
    talk.answer(m.Elect, talk.vote(m.Vote.LEADING), to=1)
    talk.answer(m.Elect, talk.vote(m.Vote.ALIVE), to=2)
    assert not talk.group.silent(1)


def test_so_is_the_leader_whom_one_stands_in_for() -> None:
    talk = follower(1, 3, leader=3)
    talk.mute(3)
    talk.cut_registry()
    talk.wait_for(m.Elect, to=3)
    talk.fail(m.Elect, to=3)
    talk.wait_for(m.Claim)
    talk.wait(LAN.claim_ms + LAN.lookup_ms)
    assert talk.group.provisional == 1
    assert (talk.group.silent(3), talk.group.silent(1)) == (True, False)


def test_nobody_is_silent_since_one_leads_oneself() -> None:
    talk = leading(1, 2)
    talk.wait(5 * LAN.t2_ms)
    assert not any(map(talk.group.silent, (1, 2)))


def test_a_member_is_silent_here_while_it_does_not_acknowledge_our_lines() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.answer(m.Tell, m.Told(Receipt.STORED, said.id, 1), to=1)
    talk.fail(m.Tell, to=2)
    assert not talk.group.silent(2), "the way round is still to be tried"
    talk.answer(m.Tell, m.Told(Receipt.RELAYING, said.id, 1), to=1)
    assert talk.group.silent(2)
    talk.wait_for(m.Tell, to=1)
    assert talk.group.silent(2), "while it is tried again, too"
    talk.answer(m.Tell, m.Told(Receipt.STORED, said.id, 2), to=1)
    assert not talk.group.silent(2)


def test_who_refuses_a_line_is_not_silent() -> None:
    talk = follower(3, 1, 2)
    talk.says("hello")
    talk.answer(m.Tell, m.Refusal(Reason.PENDING_FULL, "no room"), to=2)
    assert not talk.group.silent(2)


def test_nor_is_who_had_room_for_the_first_of_several() -> None:
    talk = follower(2, 1)
    first, *others = [talk.says(str(k)) for k in range(8)]
    for _ in range(4):
        talk.fail(m.Tell, to=1)
    assert talk.group.silent(1)
    talk.wait_for(m.Tell, to=1)
    talk.answer(m.Tell, m.Told(Receipt.STORED, first.id, 1), to=1)
    together = talk.wait_for(m.Tell, to=1)
    assert len(together.messages) > 1
    talk.answer(m.Tell, m.Told(Receipt.STORED, others[0].id, 1), to=1)
    assert talk.group.outbox_size == 6
    assert not talk.group.silent(1)


def test_nor_is_who_has_the_lines_that_failed_by_catching_up() -> None:
    talk = follower(2, 1)
    said = talk.says("hello")
    talk.fail(m.Tell, to=1)
    assert talk.group.silent(1)
    log = History()
    log.add(said)
    runs, view = log.held((2,)), talk.view(1, history_hash=77)
    talk.hears(m.Sync(talk.caller(1), view, sources=(2,), held=runs))
    assert talk.group.reached(said.key) == (1, 1)
    assert not talk.group.silent(1)


def test_lines_that_wait_are_counted_one_by_one() -> None:
    talk = follower(3, 1, 2)
    late = line(2, 2, "two", more=("three", "four"))
    talk.hears(m.Tell(talk.caller(2), 3, (late,)))
    assert (talk.group.waiting, talk.group.waiting_lines) == ({late.key}, 3)
    talk.hears(m.Tell(talk.caller(2), 3, (line(2, 1, "one"),)))
    assert (talk.group.waiting, talk.group.waiting_lines) == (set(), 0)
    assert talk.shown == ["one", "two", "three", "four"]
