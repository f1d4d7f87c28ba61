"""Dialogues about node/core/readable.py: what faces may read of a group."""

from node.core import messages as m
from node.core.events import Started
from node.core.messages import Life, Receipt
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
    assert [trace.message.text for trace in talk.group.queue()] == ["one", "two"]
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
