"""Dialogues about node/core/seeking.py: what nobody holds is declared lost, by the leader alone."""

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.conversation import ChatMessage
from node.core.messages import Life
from node.core.timing import LAN
from node.core.types import Floor, Key, Silence

from .cast import line, person, stream
from .dialogue import Dialogue, follower, leading, returning

PATIENCE = LAN.hole_ms + LAN.hole_ms // 2
A, R = line(2, 1, "a"), line(3, 1, "r", after=(line(2, 1),))


def hear(talk: Dialogue, *messages: ChatMessage, by: int = 0) -> None:
    for message in messages:
        talk.hears(m.Tell(talk.caller(by or message.key.source), talk.member, (message,)))


def asks(talk: Dialogue) -> list[tuple[int, tuple[Key, ...]]]:
    """Whom the group has asked for what, so far."""
    return [
        (s.to, s.request.wanted)
        for _, s in talk.log
        if isinstance(s, e.Call) and isinstance(s.request, m.Sync) and s.request.wanted
    ]


def declared(talk: Dialogue) -> list[tuple[int, int]]:
    return [(s.source, s.count) for _, s in talk.log if isinstance(s, e.HolesDeclared)]


def waiting_leader(*others: int | m.Member, **rest: object) -> Dialogue:
    """Member 1 leads, and has an answer to what it has not got."""
    talk = leading(1, *(others or (2, 3)), **rest)  # type: ignore[arg-type]
    hear(talk, R)
    assert talk.shown == []
    return talk


def test_what_all_say_they_have_not_is_declared_lost_and_what_follows_it_is_shown() -> None:
    talk = waiting_leader()
    talk.wait(LAN.hole_ms)
    assert asks(talk) == [], "it may be on its way"
    talk.wait(PATIENCE - LAN.hole_ms)
    assert asks(talk) == [(2, (A.key,)), (3, (A.key,))]
    assert declared(talk) == [(2, 1)]
    assert talk.shown == ["r"]
    stored = talk.position(e.StoreMarks)
    assert stored < talk.position(e.HolesDeclared)
    assert stored < talk.position(e.Deliver)
    assert (talk.group.lost, talk.group.pending) == ({2: 1}, 0)


def waiting_follower() -> Dialogue:
    """Member 4, whom the leader has not yet answered what it has not got."""
    talk = follower(4, 1, 2, 3)
    hear(talk, R)
    talk.hold(m.Sync)
    while not any(request.wanted for request in talk.sent(m.Sync)):
        talk.fail(m.Sync) if talk.waits(m.Sync) else talk.wait_for(m.Sync)
    return talk


def test_who_follows_asks_the_leader_for_what_is_missing_and_declares_nothing() -> None:
    talk = waiting_follower()
    assert set(asks(talk)) == {(1, (A.key,))}
    talk.answer(m.Sync, m.Synced(talk.view(1)), to=1)
    assert (declared(talk), talk.shown) == ([], [])


def test_what_the_leader_has_trimmed_and_nobody_ever_counted_is_waited_for_no_longer() -> None:
    """Its floor counts no more than what is here."""
    talk = waiting_follower()
    talk.group._catching_up.floors.told[2] = stream(), 1
    floor = Floor(2, stream(), 1, 0)
    talk.answer(m.Sync, m.Synced(talk.view(1), floors=(floor,)), to=1)
    assert talk.one(e.StoreMarks) == e.StoreMarks((floor,))
    assert (talk.shown, talk.group.pending) == (["r"], 0)
    assert talk.position(e.StoreMarks) < talk.position(e.Deliver)


def test_a_floor_of_who_is_there_ends_a_wait_only_by_its_own_word() -> None:
    """Else whoever leads has members throw away what its author says next."""
    talk = waiting_follower()
    floor = Floor(2, stream(), 1_000, 0)
    talk.answer(m.Sync, m.Synced(talk.view(1), floors=(floor,)), to=1)
    assert talk.of(e.StoreMarks) == []
    assert talk.wait_for(m.Sync, to=2).digests == talk.group._s.history.digests(), "it is asked"
    talk.answer(m.Sync, m.Synced(talk.view(2), said=floor.at), to=2)
    assert talk.of(e.StoreMarks) == []
    assert talk.wait_for(m.Sync, to=1).wanted
    talk.answer(m.Sync, m.Synced(talk.view(1), floors=(floor,)), to=1)
    assert talk.one(e.StoreMarks) == e.StoreMarks((floor,))


def test_a_floor_in_a_comparison_ends_no_wait() -> None:
    """What it counts over may be on its way still."""
    talk = follower(4, 1, 2, 3)
    hear(talk, R)
    talk.hold(m.Sync)
    talk.hears(m.Ping(talk.caller(1), talk.view(1, history_hash=77)))
    talk.wait(1_100)
    floor = Floor(2, stream(), 1, 0)
    talk.answer(m.Sync, m.Synced(talk.view(1), floors=(floor,)), to=1)
    assert (talk.of(e.StoreMarks), talk.shown) == ([], [])


@pytest.mark.parametrize("also", [(), (line(1, 1).key,)], ids=["nothing else", "another's"])
def test_such_a_floor_counts_over_what_waits_for_nothing_but_what_it_counts(
    also: tuple[Key, ...],
) -> None:
    """Its author's next line waits, too: by way of another's, for what the floor counts."""
    talk = waiting_follower()
    talk.group._catching_up.floors.told[2] = stream(), 2
    after = replace(line(2, 2, "b", ms=9_000, after=(R,)), deps=tuple(sorted((R.key, *also))))
    hear(talk, after)
    floor = Floor(2, stream(), 2, after.hash)
    talk.answer(m.Sync, m.Synced(talk.view(1), floors=(floor,)), to=1)
    assert talk.shown == ([] if also else ["r", "b"])


def test_what_the_leader_knows_to_be_lost_is_learnt_with_its_answer() -> None:
    talk = waiting_follower()
    talk.answer(m.Sync, m.Synced(talk.view(1), holes=(A.key,)), to=1)
    assert (talk.shown, declared(talk)) == (["r"], [(2, 1)])


def test_the_leader_seeks_what_another_misses_and_knows_floors_and_holes() -> None:
    talk = leading(1, 2, 3, messages=(R,), holes=(A.key,))
    lacking = line(2, 1, k=7)
    asked = m.Sync(talk.caller(3), talk.view(3), wanted=(A.key, R.key, lacking.key))
    reply = talk.hears(asked)
    assert (reply.found, reply.holes) == ((R.key,), (A.key,))
    talk.wait(2 * PATIENCE)
    assert set(asks(talk)) == {(2, (lacking.key,)), (3, (lacking.key,))}
    assert declared(talk) == [(2, 1)]
    hear(talk, lacking)
    talk.wait(2 * PATIENCE)
    assert len(asks(talk)) == 2, "it is lost, or here"


@pytest.mark.parametrize("how", list(Silence))
def test_who_does_not_answer_may_have_it(how: Silence) -> None:
    talk = waiting_leader()
    talk.kill(3) if how is Silence.REFUSED else talk.mute(3)
    talk.wait(3 * PATIENCE)
    assert len(asks(talk)) > 2, "it is asked again and again"
    assert declared(talk) == []
    talk.heal(3)
    talk.wait(PATIENCE)
    assert declared(talk) == [(2, 1)]


def test_who_has_it_is_caught_up_with() -> None:
    talk = waiting_leader()
    talk.hold(m.Sync)
    talk.wait_for(m.Sync, to=2)
    while not talk.call(m.Sync, 2).request.wanted:
        talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
        talk.wait_for(m.Sync, to=2)
    talk.answer(m.Sync, m.Synced(talk.view(2)), to=3)
    talk.answer(m.Sync, m.Synced(talk.view(2), found=(A.key,)), to=2)
    assert declared(talk) == []
    assert not talk.wait_for(m.Sync, to=2, ms=2_000).wanted
    talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
    fetch = talk.call(m.Sync, 2).request
    assert fetch.sources == (2,), "it counts there by a floor, and our logs as equal"
    talk.answer(m.Sync, m.Synced(talk.view(2), messages=(A,)), to=2)
    assert talk.shown == ["a", "r"]


def test_the_dropped_are_waited_for_only_so_long() -> None:
    timing = replace(LAN, absent_ms=60_000)
    talk = waiting_leader(2, person(3, Life.DROPPED), timing=timing)
    talk.mute(3)
    talk.wait(50_000)
    assert declared(talk) == []
    talk.wait(30_000)
    assert declared(talk) == [(2, 1)]


def test_who_comes_back_while_the_others_are_asked_is_asked_too() -> None:
    timing = replace(LAN, absent_ms=1_000)
    talk = waiting_leader(2, person(3, Life.DROPPED), timing=timing)
    talk.mute(3)
    talk.wait(2_000)
    talk.hold(m.Sync)
    talk.wait_for(m.Sync, to=2)
    talk.heal(3)
    talk.hears(m.Update(talk.caller(3), m.Roster((person(3, incarnation=102),))))
    talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
    assert declared(talk) == [], "who was gone for long may bring it now"
    talk.release(m.Sync)
    talk.wait(PATIENCE)
    assert 3 in {to for to, _ in asks(talk)}
    assert declared(talk) == [(2, 1)]


def test_who_left_is_not_asked() -> None:
    talk = waiting_leader(2, person(3), person(4, left=True))
    talk.wait(PATIENCE)
    assert {to for to, _ in asks(talk)} == {2, 3}


def test_what_is_missing_before_it_in_its_stream_is_sought_too() -> None:
    talk = leading(1, 2, 3)
    hear(talk, line(2, 1), line(2, 5))
    talk.wait(PATIENCE)
    assert asks(talk)[0][1] == tuple(Key(2, stream(), n) for n in (2, 3, 4))
    assert declared(talk) == [(2, 3)]
    assert talk.shown == ["2.1", "2.5"]


def test_an_absurd_gap_is_sought_near_its_end_only() -> None:
    talk = leading(1, 2, 3)
    hear(talk, line(2, 10**9))
    talk.wait(PATIENCE)
    assert len(asks(talk)[0][1]) == 256
    assert talk.shown == [f"2.{10**9}"]


def test_what_turns_up_after_all_is_shown_at_its_place_and_told() -> None:
    talk = waiting_leader()
    talk.wait(PATIENCE)
    hear(talk, A, by=2)
    shown = talk.one(e.Deliver)
    assert (shown.message, shown.late) == (A, True)
    assert talk.one(e.HolesFilled) == e.HolesFilled(2, 1)
    assert talk.group.lost == {}
    hash = talk.group.history_hash
    hear(talk, A, by=2)
    assert talk.of(e.HolesFilled) == []
    assert talk.group.history_hash == hash


def told_of_holes(by: int, *holes: Key) -> Dialogue:
    """Member 4 compares logs with another one."""
    talk = follower(4, 1, 2, 3, messages=(R,))
    talk.hold(m.Sync)
    talk.hears(m.Ping(talk.caller(by), talk.view(by, history_hash=7)))
    talk.wait_for(m.Sync, to=by)
    talk.answer(m.Sync, m.Synced(talk.view(by), sources=(2,)))
    talk.answer(m.Sync, m.Synced(talk.view(by), holes=holes))
    return talk


def test_what_is_missing_is_lost_where_the_leader_says_so_in_catch_up() -> None:
    talk = told_of_holes(1, A.key)
    assert talk.one(e.StoreMarks).holes == (A.key,)
    assert (talk.shown, declared(talk)) == (["r"], [(2, 1)])
    caller, view = talk.caller(3), talk.view(3)
    assert talk.hears(m.Sync(caller, view, sources=(2,))).reply.holes == (A.key,)


def test_nothing_is_lost_by_the_word_of_who_does_not_lead_or_where_it_is_not_missing() -> None:
    talk = told_of_holes(3, A.key)
    talk.hears(m.Sync(talk.caller(3), talk.view(3), sources=(2,), holes=(A.key,)))
    assert (talk.shown, talk.of(e.StoreMarks)) == ([], [])
    made_up = tuple(line(2, n).key for n in range(50, 4_000))
    for talk in (told_of_holes(1, *made_up), follower(4, 1, 2, 3, messages=(A,))):
        talk.hears(m.Sync(talk.caller(1), talk.view(1), sources=(2,), holes=(A.key, *made_up)))
        assert talk.group._s.history.marks.holes_of((2,)) in ((), (A.key,))


def test_a_newcomer_takes_from_anybody_what_is_lost_of_what_it_has_not_read() -> None:
    talk = follower(4, 1, 2, 3, below=(A.key,))
    talk.hears(m.Sync(talk.caller(3), talk.view(3), sources=(2,), holes=(A.key,)))
    assert talk.one(e.StoreMarks).holes == (A.key,)


def test_whoever_is_asked_tells_what_it_holds_pending_lines_included() -> None:
    talk = follower(4, 1, 2, 3, messages=(R,))
    wanted = (A.key, R.key)
    reply = talk.hears(m.Sync(talk.caller(1), talk.view(1), wanted=wanted))
    assert reply.found == (R.key,)


def test_a_hole_is_remembered() -> None:
    talk = returning(1, 2, 3, leader=2, messages=(R,))
    log = returning(1, 2, 3, leader=2, messages=(R,), holes=(A.key,)).group
    assert (log.pending, talk.group.pending) == (0, 1)
    assert log.lost == {2: 1}


def test_lines_that_wait_since_an_earlier_life_are_looked_after() -> None:
    talk = leading(1, 2, 3, messages=(R,))
    talk.wait(PATIENCE)
    assert declared(talk) == [(2, 1)]


def test_a_floor_of_somebody_else_ends_no_wait() -> None:
    talk = waiting_follower()
    talk.answer(m.Sync, m.Synced(talk.view(1), floors=(Floor(1, stream(), 5, 0),)), to=1)
    assert (talk.of(e.StoreMarks), talk.shown) == ([], [])
