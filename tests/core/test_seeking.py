"""Dialogues about node/core/seeking.py: what nobody holds is declared lost, by the leader alone."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.conversation import ChatMessage
from node.core.messages import Life
from node.core.seeking import WANTED_MAX
from node.core.sums import term
from node.core.timing import LAN
from node.core.types import Floor, Key, Silence, Stream

from .cast import line, person, stream
from .dialogue import Dialogue, follower, leading, returning

PATIENCE = LAN.hole_ms + LAN.hole_ms // 2
B = line(2, 1, "b", k=7)
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


def wants(talk: Dialogue, member: int, *keys: Key) -> m.Synced:
    """That member tells what it misses; gives the answer."""
    reply = talk.hears(m.Sync(talk.caller(member), talk.view(member), wanted=keys))
    assert isinstance(reply, m.Synced) or not keys
    return reply


def kept(talk: Dialogue) -> dict[int, list[Key]]:
    """What is kept of what others miss."""
    others = talk.group._catching_up.seeking._others
    return {member: [*want.waits, *sorted(want.lost)] for member, want in others.items()}


def answers(talk: Dialogue, member: int, has: Callable[[Key], bool] | None) -> None:
    """That member says of each lost line whether it has it; None: it does not answer that."""
    agree = talk._agree

    def answer(to: int, request: object) -> object:
        if to != member or not isinstance(request, m.Sync) or not request.wanted:
            return agree(to, request)
        return has and m.Synced(talk.view(to), found=tuple(filter(has, request.wanted)))

    talk._agree = answer  # type: ignore[method-assign]


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


def test_a_floor_of_our_own_lines_ends_a_wait_where_we_have_said_as_much() -> None:
    """Of a life of before, whose log is gone: others have trimmed it."""
    talk = follower(4, 1, 2, 3, messages=(line(4, 1, "now", k=2),))
    hear(talk, line(3, 1, "r", after=(line(4, 1),)))
    floors = talk.group._catching_up.floors
    assert not floors.is_known(Floor(4, stream(3), 1, 0))
    talk.hold(m.Sync)
    while not any(request.wanted for request in talk.sent(m.Sync)):
        talk.fail(m.Sync) if talk.waits(m.Sync) else talk.wait_for(m.Sync)
    floor = Floor(4, stream(), 1, 0)
    talk.answer(m.Sync, m.Synced(talk.view(1), floors=(floor,)), to=1)
    assert talk.one(e.StoreMarks) == e.StoreMarks((floor,))
    assert (talk.shown, talk.group.pending) == (["r"], 0)


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
    floor = Floor(2, stream(), 2, term(after.hash))
    talk.answer(m.Sync, m.Synced(talk.view(1), floors=(floor,)), to=1)
    assert talk.shown == ([] if also else ["r", "b"])


def test_what_the_leader_knows_to_be_lost_is_learnt_with_its_answer() -> None:
    talk = waiting_follower()
    talk.answer(m.Sync, m.Synced(talk.view(1), holes=(A.key,)), to=1)
    assert (talk.shown, declared(talk)) == (["r"], [(2, 1)])


def test_the_leader_knows_what_is_here_and_what_is_lost() -> None:
    talk = leading(1, 2, 3, messages=(R,), holes=(A.key,))
    reply = wants(talk, 3, A.key, R.key)
    assert (reply.found, reply.holes) == ((R.key,), (A.key,))
    talk.wait(2 * PATIENCE)
    assert asks(talk) == []


def test_the_leader_seeks_what_another_misses_and_tells_that_one_alone_that_it_is_lost() -> None:
    talk = leading(1, 2, 3)
    for _ in range(4):
        assert wants(talk, 3, B.key).holes == ()
        talk.wait(LAN.hole_ms // 4)
    assert asks(talk) == [(2, (B.key,)), (3, (B.key,))]
    assert wants(talk, 2, B.key).holes == ()
    assert wants(talk, 3, B.key, A.key).holes == (B.key,)
    assert not any(isinstance(s, e.StoreMarks | e.HolesDeclared) for _, s in talk.log)
    assert talk.group.lost == {}
    hear(talk, B)
    reply = wants(talk, 3, B.key)
    assert (reply.found, reply.holes) == ((B.key,), ())


def test_what_is_lost_for_another_is_not_asked_for_again_while_it_asks_for_it() -> None:
    talk = leading(1, 2, 3)
    for _ in range(20):
        wants(talk, 3, B.key)
        talk.wait(LAN.hole_ms // 4)
    assert asks(talk) == [(2, (B.key,)), (3, (B.key,))]


def test_what_is_lost_for_another_is_sought_anew_where_somebody_has_come_back_since() -> None:
    """It may have it."""
    back = person(4, life=Life.DROPPED, incarnation=99)
    talk = leading(1, 2, 3, back)
    talk.group._s.liveness.dropped_at[4] = talk.now - LAN.absent_ms
    for _ in range(4):
        wants(talk, 3, B.key)
        talk.wait(LAN.hole_ms // 4)
    assert wants(talk, 3, B.key).holes == (B.key,)
    talk.hears(m.Update(talk.caller(4, incarnation=200), m.Roster((person(4, incarnation=200),))))
    assert talk.group.life(4) is Life.ALIVE
    for _ in range(4):
        assert wants(talk, 3, B.key).holes == ()
        talk.wait(LAN.hole_ms // 4)
    assert (4, (B.key,)) in asks(talk)
    assert wants(talk, 3, B.key).holes == (B.key,)


def test_what_comes_meanwhile_is_not_sought_for_another() -> None:
    talk = leading(1, 2, 3)
    wants(talk, 3, B.key)
    hear(talk, B)
    talk.wait(LAN.hole_ms)
    assert asks(talk) == []


def test_of_what_a_member_misses_only_its_newest_question_is_kept() -> None:
    talk = leading(1, 2, 3)
    for n in range(100):
        wants(talk, 3, *(Key(2, stream(7), 4_096 * n + i) for i in range(1, 4_097)))
    assert [*kept(talk)] == [3]
    assert len(kept(talk)[3]) == WANTED_MAX
    assert {key.seq > 99 * 4_096 for key in kept(talk)[3]} == {True}
    wants(talk, 3)
    assert kept(talk)[3], "it has not asked for anything"
    wants(talk, 3, Key(77, stream(), 1))
    assert kept(talk) == {}, "nobody has heard of that author"


def test_what_a_member_misses_is_forgotten_when_it_asks_no_more_or_is_gone() -> None:
    talk = leading(1, 2, 3, person(4, Life.DROPPED))
    wants(talk, 4, B.key)
    assert kept(talk) == {}
    wants(talk, 2, B.key)
    talk.wait(LAN.hole_ms // 2)
    wants(talk, 3, B.key)
    talk.wait(LAN.hole_ms // 2 + LAN.hole_ms // 4)
    assert kept(talk) == {3: [B.key]}
    wants(talk, 3, B.key)
    gone = person(3, left=True)
    talk.hears(m.Update(talk.caller(2), m.Roster((gone,))))
    talk.wait(LAN.hole_ms // 4)
    assert kept(talk) == {}


def test_who_follows_seeks_nothing_for_others() -> None:
    talk = follower(4, 1, 2, 3)
    wants(talk, 3, B.key)
    assert kept(talk) == {}


@pytest.mark.parametrize("anew", [False, True], ids=["the same", "others each time"])
def test_whoever_asks_for_what_it_has_made_up_keeps_nobody_elses_out(anew: bool) -> None:
    """Also where it says that it has all of that."""
    talk = leading(1, 2, 3, 4, 5)
    fake = {Key(1, Stream(1, n), i) for n in range(20) for i in range(1, WANTED_MAX + 1)}
    answers(talk, 2, lambda key: key in fake)
    hear(talk, R)
    for n in range(8):
        every = sorted(key for key in fake if key.stream.random == n * anew)
        wants(talk, 2, *every)
        wants(talk, 4, B.key)
        talk.wait(LAN.hole_ms // 4)
    assert B.key in asks(talk)[0][1]
    assert any(A.key in wanted for _, wanted in asks(talk))
    assert max(len(wanted) for _, wanted in asks(talk)) <= WANTED_MAX
    assert wants(talk, 4, B.key).holes == (B.key,)
    assert (talk.shown, declared(talk)) == (["r"], [(2, 1)])


def test_lines_that_follow_what_was_made_up_keep_nobody_elses_from_being_asked_for() -> None:
    talk = leading(1, 2, 3, 4)
    for n in range(1, 9):
        fake = tuple(Key(1, Stream(1, n), 1_000 * i) for i in range(1, 501))
        hear(talk, replace(line(4, k=n), deps=fake))
    hear(talk, R)
    talk.wait(LAN.hole_ms // 4)
    for _ in range(4):
        wants(talk, 2, B.key)
        talk.wait(LAN.hole_ms // 4)
    wanted = asks(talk)[0][1]
    assert len(wanted) == WANTED_MAX
    assert {A.key, B.key} <= {*wanted}
    assert talk.shown == ["r"]


@pytest.mark.parametrize(
    ("streams", "step", "most"), [(100, 1_000, 5), (1, 1, 500)], ids=["far apart", "the same"]
)
def test_no_more_of_what_was_made_up_is_looked_at_than_is_asked_for(
    streams: int, step: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = leading(1, 2, 3, 4)
    for n in range(1, 101):
        fake = tuple(Key(1, Stream(1, n % streams), step * i) for i in range(1, 501))
        hear(talk, replace(line(4, k=n), deps=fake))
    looked = list[Key]()
    gap = talk.group._s.history.gap

    def counted(key: Key, most: int) -> tuple[Key, ...]:
        looked.append(key)
        return gap(key, most)

    monkeypatch.setattr(talk.group._s.history, "gap", counted)
    talk.wait(LAN.hole_ms // 4)
    assert 0 < len(looked) <= most


def test_what_was_asked_for_the_longest_ago_comes_first() -> None:
    talk = leading(1, 2, 3, 4)
    answers(talk, 4, None)
    every = [Key(1, Stream(1, 1), i) for i in range(1, 2 * WANTED_MAX + 1)]
    for _ in range(8):
        wants(talk, 2, *every[:WANTED_MAX])
        wants(talk, 3, *every[WANTED_MAX:])
        talk.wait(LAN.hole_ms // 4)
    rounds = [wanted for to, wanted in asks(talk) if to == 4]
    assert {*rounds[0], *rounds[1]} == {*every}
    for wanted in rounds[:2]:
        assert len({*wanted}.intersection(every[:WANTED_MAX])) == WANTED_MAX // 2


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


@pytest.mark.parametrize(("absent_ms", "long_ms"), [(100_000, 100_000), (5_000, 80_000)])
@pytest.mark.parametrize("has", [True, None], ids=["says that it has it", "does not answer"])
def test_who_never_brings_it_is_waited_for_only_so_long(
    has: bool | None, absent_ms: int, long_ms: int
) -> None:
    talk = leading(1, 2, 3, 4, timing=replace(LAN, absent_ms=absent_ms))
    answers(talk, 3, None if has is None else lambda _: True)
    hear(talk, R)
    holes = list[Key]()
    for at in range(0, 150_000, LAN.hole_ms // 4):
        holes += wants(talk, 2, B.key).holes
        if at < long_ms + LAN.hole_ms:
            assert (declared(talk), talk.shown, holes) == ([], [], [])
        talk.wait(LAN.hole_ms // 4)
    assert (declared(talk), talk.shown) == ([(2, 1)], ["r"])
    assert {*holes} == {B.key}
    assert len([wanted for to, wanted in asks(talk) if to == 3 and A.key in wanted]) > 3


def test_what_somebody_had_a_while_ago_may_still_be_on_its_way() -> None:
    talk = leading(1, 2, 3, timing=replace(LAN, absent_ms=60_000))
    answers(talk, 3, lambda _: True)
    hear(talk, R)
    talk.wait(PATIENCE)
    answers(talk, 3, lambda _: False)
    talk.wait(LAN.hole_ms - LAN.hole_ms // 2)
    assert (len(asks(talk)), declared(talk)) == (2, [])
    talk.wait(LAN.hole_ms)
    assert (len(asks(talk)), declared(talk)) == (4, [(2, 1)])


def test_who_says_that_it_has_what_it_was_not_asked_for_delays_nothing() -> None:
    talk = leading(1, 2, 3)
    agree = talk._agree

    def answer(to: int, request: object) -> object:
        sought = to == 3 and isinstance(request, m.Sync) and request.wanted
        return m.Synced(talk.view(3), found=(A.key,)) if sought else agree(to, request)

    talk._agree = answer  # type: ignore[method-assign]
    hear(talk, R)
    for n in range(1, 9):
        wants(talk, 2, *(Key(1, Stream(1, k), 1) for k in range(n)))
        talk.wait(LAN.hole_ms // 4)
    assert any(A.key in wanted for _, wanted in asks(talk))


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


def test_a_gap_counts_as_lost_as_far_as_the_leader_says() -> None:
    """What counts by a floor, or lies far before or after what is waited for, is not missing."""
    last = replace(line(3, 1, "last", ms=9_000), deps=(line(2, 7).key, line(2, 900).key))
    floor = Floor(2, stream(), 3, 0)
    talk = follower(4, 1, 2, 3, messages=(line(2, 5), last), floors=(floor,))
    told = tuple(line(2, n).key for n in (2, 4, 6, 7, 8, 644, 645, 900))
    talk.hears(m.Sync(talk.caller(1), talk.view(1), sources=(2,), holes=told))
    missing = tuple(line(2, n).key for n in (4, 6, 7, 645, 900))
    assert talk.one(e.StoreMarks).holes == missing
    assert talk.shown == ["2.5", "last"]


def test_what_was_sought_for_another_is_not_lost_here_before_it_was_missed_for_long() -> None:
    talk = leading(1, 2, 3)
    for n in range(4):
        if n == 3:
            hear(talk, line(3, 1, "r", after=(B,)))
        wants(talk, 2, B.key)
        talk.wait(LAN.hole_ms // 4)
    assert wants(talk, 2, B.key).holes == (B.key,)
    assert (declared(talk), talk.shown) == ([], [])
    talk.wait(PATIENCE)
    assert (declared(talk), talk.shown) == ([(2, 1)], ["r"])
