"""In a large group lines are passed on, and nobody is told twice as long as all are well.

node/core/spreading.py and node/core/passing.py.
"""

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core import passing
from node.core.conversation import ChatMessage
from node.core.events import AnsweredLate, Changed, Field
from node.core.messages import Life, Receipt
from node.core.reasons import Reason
from node.core.spreading import grid
from node.core.sums import short, term
from node.core.timing import LAN
from node.core.types import MemberId, Run, Silence, Stored, Way

from .cast import WALL, line, person
from .dialogue import Dialogue, follower, leading

STORED, RELAYING = Receipt
LARGE = replace(LAN, spread_above=4)
OTHERS = (1, 2, 3, 4, 6, 7, 8, 9)

# Ranks and ids:   1  2  3
#                  4 [5] 6
#                  7  8  9


def author() -> Dialogue:
    return follower(5, *OTHERS, timing=LARGE)


def tells(talk: Dialogue) -> dict[MemberId, tuple[MemberId, ...]]:
    """Whom the last step told something, and to whom these are to pass it on."""
    calls = [call for call in talk.of(e.Call) if isinstance(call.request, m.Tell)]
    assert len({call.to for call in calls}) == len(calls), "told twice"
    return {call.to: call.request.pass_on for call in calls}


def ack(talk: Dialogue, message: ChatMessage, by: int) -> None:
    talk.answer(m.Tell, m.Told(STORED, message.id, by), to=by)


def acks(talk: Dialogue, message: ChatMessage, by: int, *stored: Stored) -> object:
    source, named, _ = message.key
    return talk.hears(m.Acks(talk.caller(by), source, named, stored))


# ---- the grid ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 10, 12, 13, 17, 50, 256])
def test_everyone_is_reached_once_by_few_ways(count: int) -> None:
    members = tuple(range(10, 10 + 3 * count, 3))
    for me in members:
        seen = grid(members, me)
        assert sorted([me, *seen.mates, *(m for c in seen.columns for m in c)]) == list(members)
        assert len(seen.neighbours) <= 2 * count**0.5 + 1


def test_the_one_of_the_own_row_is_asked_first() -> None:
    seen = grid(tuple(range(12)), 5)
    assert seen.mates == (1, 9)
    assert seen.columns == ((4, 8, 0), (6, 10, 2), (7, 11, 3))
    assert seen.neighbours == (1, 9, 4, 6, 7)


def test_two_steps_lead_from_everyone_to_everyone() -> None:
    members = tuple(range(30))
    near = {me: set(grid(members, me).neighbours) for me in members}
    for me in members:
        assert near[me].union(*(near[one] for one in near[me])) == set(members)


# ---- the author ----------------------------------------------------------------------------------


def test_in_a_large_group_others_are_asked_to_pass_on() -> None:
    talk = author()
    talk.says("hello")
    assert tells(talk) == {2: (), 8: (), 4: (7, 1), 6: (9, 3)}
    assert talk.one(e.StorePost).post.counted == OTHERS, "all of them count"


def test_in_a_small_group_everyone_is_told() -> None:
    talk = follower(5, *OTHERS)
    talk.says("hello")
    assert tells(talk) == dict.fromkeys(OTHERS, ())


def test_everyone_acknowledges() -> None:
    talk = author()
    said = talk.says("hello")
    for member in (2, 8, 4, 6):
        ack(talk, said, member)
    assert not talk.of(e.Settled)
    assert acks(talk, said, 4, Stored(7, 1, 1), Stored(1, 1, 1)) == m.AcksNoted()
    told = [(one.by, one.way, one.acked, one.of) for one in talk.of(e.Acknowledged)]
    assert told == [(7, Way.SPREAD, 5, 8), (1, Way.SPREAD, 6, 8)]
    acks(talk, said, 6, Stored(9, 1, 1), Stored(3, 1, 1))
    assert talk.one(e.Settled) == e.Settled(said.key, ())
    talk.wait(5_000)
    assert not talk.sent(m.Tell), "all have it"


def test_what_nobody_acknowledges_in_time_is_told_itself() -> None:
    talk = author()
    said = talk.says("hello")
    for member in (2, 8, 4, 6):
        ack(talk, said, member)
    acks(talk, said, 4, Stored(7, 1, 1))
    acks(talk, said, 6, Stored(9, 1, 1), Stored(3, 1, 1))
    talk.wait(LARGE.ack_ms - 1)
    assert not talk.sent(m.Tell)
    talk.wait(1)
    assert tells(talk) == {1: ()}
    ack(talk, said, 1)
    assert talk.one(e.Settled) == e.Settled(said.key, ())


def test_to_whom_passing_on_came_to_nothing_all_is_told_for_a_while() -> None:
    talk = author()
    said = talk.says("hello")
    for member in (2, 8, 4, 6):
        ack(talk, said, member)
    talk.wait(LARGE.ack_ms)
    assert sorted(tells(talk)) == [1, 3, 7, 9]
    for member in (1, 3, 7, 9):
        ack(talk, said, member)
    said = talk.says("again")
    assert tells(talk) == dict.fromkeys(OTHERS, ())
    for member in OTHERS:
        ack(talk, said, member)
    talk.wait(LARGE.spread_again_ms)
    talk.says("and again")
    assert tells(talk) == {2: (), 8: (), 4: (7, 1), 6: (9, 3)}


@pytest.mark.parametrize("how", Silence)
def test_where_the_one_who_was_asked_is_silent_the_others_are_told_at_once(how: Silence) -> None:
    talk = author()
    said = talk.says("hello")
    talk.fail(m.Tell, to=4, how=how)
    assert {7: (), 1: ()}.items() <= tells(talk).items()
    for member in (2, 8, 6, 7, 1):
        ack(talk, said, member)
    talk.says("again")
    assert tells(talk) == {2: (), 8: (), 7: (1,), 6: (9, 3)}, "the next of the column, and 4 later"


def test_where_the_one_who_was_asked_is_silent_nothing_waits_for_its_turn_there() -> None:
    """Others of its column were told line by line, as its own calls came to nothing."""
    talk = follower(5, *OTHERS, timing=replace(LARGE, flight_max=1))
    for text in ("one", "two", "three"):
        talk.says(text)
    talk.fail(m.Tell, to=4)
    told_to = {call.to: call.request.messages for call in talk.of(e.Call)
               if isinstance(call.request, m.Tell)}  # fmt: skip
    assert [one.texts[0] for one in told_to[7]] == ["one", "two", "three"]
    assert told_to[1] == told_to[7]


def test_who_has_it_from_elsewhere_passes_nothing_on() -> None:
    """Found by the simulator: it had got the line by catch-up, before it was told."""
    talk = author()
    said = talk.says("hello")
    source, named, seq = said.key
    log = (Run(source, named, seq, seq, short(term(said.hash))),)
    talk.hears(m.Sync(talk.caller(4), talk.view(4), sources=(source,), held=log))
    assert talk.one(e.Acknowledged).way is Way.CATCH_UP
    assert tells(talk) == {7: (), 1: ()}


def test_who_has_no_room_passes_nothing_on() -> None:
    talk = author()
    talk.says("hello")
    talk.answer(m.Tell, m.Refusal(Reason.PENDING_FULL), to=4)
    assert {7: (), 1: ()}.items() <= tells(talk).items()


def test_where_the_one_who_was_asked_is_dropped_the_others_are_told() -> None:
    talk = author()
    talk.says("hello")
    talk.hears(m.Update(talk.caller(1), m.Roster((person(4, Life.DROPPED),))))
    assert tells(talk) == {7: (), 1: ()}


def test_a_suspect_is_told_and_not_asked_to_pass_on() -> None:
    talk = follower(5, 1, 2, 3, person(4, Life.SUSPECT), *OTHERS[4:], timing=LARGE)
    talk.says("hello")
    assert tells(talk) == {2: (), 8: (), 7: (4, 1), 6: (9, 3)}


def test_lines_that_wait_for_their_turn_are_passed_on_together() -> None:
    talk = follower(5, *OTHERS, timing=replace(LARGE, flight_max=1))
    first = talk.says("one")
    talk.says("two")
    assert not tells(talk)
    last = talk.says("three")
    ack(talk, first, 4)
    (tell,) = talk.sent(m.Tell)
    assert ([one.texts[0] for one in tell.messages], tell.pass_on) == (["two", "three"], (7, 1))
    ack(talk, last, 4)
    acks(talk, first, 4, Stored(7, 1, 3), Stored(1, 1, 3))
    assert [(one.by, one.key.seq) for one in talk.of(e.Acknowledged)] == [
        (by, seq) for by in (7, 1) for seq in (1, 2, 3)
    ]


def test_acks_of_what_was_never_said_change_nothing() -> None:
    talk = author()
    said = talk.says("hello")
    assert acks(talk, said, 4, Stored(7, 2, 900), Stored(77, 1, 1)) == m.AcksNoted()
    acks(talk, line(5), 4, Stored(7, 1, 1))
    assert not talk.of(e.Acknowledged)


@pytest.mark.parametrize(
    ("by", "of"), [(8, 4), (2, 7), (4, 9), (4, 6), (4, 2), (6, 7), (7, 1), (9, 3)]
)
def test_nobody_acknowledges_for_whom_it_was_not_to_tell(by: int, of: int) -> None:
    talk = author()
    said = talk.says("hello")
    for member in (2, 8, 4, 6):
        if member != of:
            ack(talk, said, member)
    assert acks(talk, said, by, Stored(of, 1, 1)) == m.AcksNoted()
    assert not talk.of(e.Acknowledged)
    assert not tells(talk)
    trace = talk.group.trace(said.key)
    assert trace is not None
    assert [row.way for row in trace.rows if row.member == of] == [None]


@pytest.mark.parametrize("by", [1, 3])
def test_in_a_small_group_everyone_acknowledges_for_itself_alone(by: int) -> None:
    talk = follower(5, 1, 2, 3)
    said = talk.says("hello")
    ack(talk, said, 1)
    ack(talk, said, 3)
    acks(talk, said, by, Stored(2, 1, 1))
    assert not talk.of(e.Acknowledged)
    assert not talk.of(e.Settled)
    talk.wait(LAN.ack_ms)
    ack(talk, said, 2)
    assert talk.one(e.Settled) == e.Settled(said.key, ())


def test_who_was_asked_to_pass_on_and_was_silent_may_say_later_who_has_it() -> None:
    talk = author()
    said = talk.says("hello")
    for member in (2, 8, 6):
        ack(talk, said, member)
    talk.fail(m.Tell, to=4)
    acks(talk, said, 4, Stored(7, 1, 1))
    assert [(one.by, one.way) for one in talk.of(e.Acknowledged)] == [(7, Way.SPREAD)]


def test_who_passes_on_may_say_so_after_all_was_settled() -> None:
    """Who was dropped meanwhile is no longer waited for, and has it all the same."""
    talk = author()
    said = talk.says("hello")
    for member in (2, 8, 4, 6):
        ack(talk, said, member)
    acks(talk, said, 6, Stored(9, 1, 1), Stored(3, 1, 1))
    acks(talk, said, 4, Stored(1, 1, 1))
    talk.hears(m.Update(talk.caller(1), m.Roster((person(7, Life.DROPPED),))))
    assert talk.one(e.Settled) == e.Settled(said.key, (7,))
    acks(talk, said, 4, Stored(7, 1, 1))
    assert talk.one(e.Acknowledged).by == 7


def test_by_way_of_another_nobody_is_asked_to_pass_on() -> None:
    """The direct way to 4 is cut: what it should have passed on is told to those themselves."""
    talk = author()
    said = talk.says("hello")
    for member in (2, 8, 6):
        ack(talk, said, member)
    acks(talk, said, 6, Stored(9, 1, 1), Stored(3, 1, 1))
    talk.fail(m.Tell, to=4)
    ack(talk, said, 7)
    ack(talk, said, 1)
    talk.wait(LARGE.retry_min_ms)
    talk.fail(m.Tell, to=4)
    (relayed,) = talk.sent(m.Tell)
    assert (relayed.to, relayed.pass_on) == (4, ())


# ---- who passes on -------------------------------------------------------------------------------


def told(talk: Dialogue, *messages: ChatMessage, pass_on: tuple[int, ...], by: int = 0) -> object:
    by = by or messages[0].key.source
    return talk.hears(m.Tell(talk.caller(by), talk.group.me, messages, pass_on))


def asked(talk: Dialogue) -> list[tuple[MemberId, tuple[Stored, ...]]]:
    calls = [call for call in talk.of(e.Call) if isinstance(call.request, m.Acks)]
    return [(call.to, call.request.stored) for call in calls]


def test_what_is_to_be_passed_on_is_stored_acknowledged_and_told() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    assert told(talk, line(5), pass_on=(7, 1)) == m.Told(STORED, line(5).id, 4)
    assert talk.position(e.StoreMessages) < talk.position(e.Call, m.Tell)
    assert tells(talk) == {7: (), 1: ()}
    ack(talk, line(5), 7)
    assert not asked(talk), "the other's comes soon, too"
    ack(talk, line(5), 1)
    assert asked(talk) == [(5, (Stored(7, 1, 1), Stored(1, 1, 1)))]


def test_the_author_does_not_wait_long_for_what_some_have_acknowledged() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    talk.hold(m.Acks)
    told(talk, line(5), pass_on=(7, 1))
    ack(talk, line(5), 7)
    talk.wait(LARGE.acks_ms)
    assert asked(talk) == [(5, (Stored(7, 1, 1),))]
    talk.fail(m.Tell, to=1)
    assert not asked(talk), "nothing to tell"


def test_of_one_stream_one_call_is_under_way_and_the_next_has_what_came_meanwhile() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    for seq in (1, 2, 3, 5):
        told(talk, line(5, seq), pass_on=(7,))
    assert not tells(talk)
    ack(talk, line(5, 1), 7)
    (tell,) = talk.sent(m.Tell)
    assert [one.key.seq for one in tell.messages] == [2, 3]
    ack(talk, line(5, 3), 7)
    (tell,) = talk.sent(m.Tell)
    assert [one.key.seq for one in tell.messages] == [5]
    ack(talk, line(5, 5), 7)
    assert asked(talk) == [(5, (Stored(7, 1, 3), Stored(7, 5, 5)))]


def test_different_authors_do_not_wait_for_each_other() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    told(talk, line(5), pass_on=(7,))
    told(talk, line(6), pass_on=(7,))
    assert tells(talk) == {7: ()}


def test_who_does_not_answer_is_passed_on_nothing_for_a_while() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    told(talk, line(5), pass_on=(7,))
    told(talk, line(5, 2), pass_on=(7,))
    talk.fail(m.Tell, to=7)
    assert not tells(talk)
    told(talk, line(5, 3), pass_on=(7,))
    assert not tells(talk)
    talk.wait(LARGE.retry_max_ms)
    told(talk, line(5, 4), pass_on=(7,))
    assert tells(talk) == {7: ()}


@pytest.mark.parametrize("to", [4, 5, 77])
def test_nothing_is_passed_on_to_ourselves_the_author_or_strangers(to: int) -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    told(talk, line(5), pass_on=(to,))
    assert not tells(talk)


def test_only_the_author_may_ask() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    assert told(talk, line(5), pass_on=(7,), by=6) == m.Told(STORED, line(5).id, 4)
    assert not tells(talk)


def test_only_what_there_was_room_for_is_passed_on() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=replace(LARGE, pending_max=1))
    lines = [line(5, seq, after=(line(9, seq),)) for seq in (1, 2)]
    assert told(talk, *lines, pass_on=(7,)) == m.Told(STORED, lines[0].id, 4)
    (tell,) = talk.sent(m.Tell)
    assert tell.messages == (lines[0],)


def test_for_a_slow_member_only_so_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "WAITING_MAX", 2 * (passing.MESSAGE + 3))
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    for seq in (1, 2, 3, 4):
        told(talk, line(5, seq), pass_on=(7,))
    ack(talk, line(5, 1), 7)
    (tell,) = talk.sent(m.Tell)
    assert [one.key.seq for one in tell.messages] == [2, 3]


def test_an_author_who_is_gone_is_told_nothing() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    told(talk, line(5), pass_on=(7,))
    talk.hears(m.Update(talk.caller(1), m.Roster((person(5, Life.DROPPED),))))
    ack(talk, line(5), 7)
    assert not asked(talk)


# ---- what else goes few ways only ----------------------------------------------------------------


def test_what_concerns_the_roster_is_told_by_the_leader() -> None:
    talk = author()
    talk.hand(Changed(Field.NICK, "carol", WALL))
    assert [call.to for call in talk.of(e.Call) if isinstance(call.request, m.Update)] == [1]
    talk = leading(1, *OTHERS[1:], 5, timing=LARGE)
    talk.hears(m.Update(talk.caller(5), m.Roster((person(5, away=m.Fact("tea", line(5).hlc, 5)),))))
    talk.hears(m.Update(talk.caller(6), m.Roster((person(6, away=m.Fact("tea", line(5).hlc, 6)),))))
    assert not talk.sent(m.Update)
    talk.wait(50)
    calls = [call for call in talk.of(e.Call) if isinstance(call.request, m.Update)]
    assert [call.to for call in calls] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert {one.id for one in calls[0].request.roster.members} == {5, 6}, "both at once"


def test_where_the_leader_is_silent_the_neighbours_are_told() -> None:
    talk = author()
    talk.hold(m.Update)
    talk.hand(Changed(Field.NICK, "carol", WALL))
    talk.fail(m.Update, to=1)
    told_to = [call.to for call in talk.of(e.Call) if isinstance(call.request, m.Update)]
    assert told_to == [1, 2, 4, 6, 8]


def test_logs_are_compared_with_neighbours_and_the_leader() -> None:
    talk = author()
    asked_at = set()
    for _ in range(60):
        talk.wait(LARGE.sync_ms)
        asked_at |= {c.to for c in talk.of(e.Call) if isinstance(c.request, m.Ping)}
    assert asked_at == {1, 2, 4, 6, 8}
    assert set(talk.group.near) == asked_at


# ---- a busy machine ------------------------------------------------------------------------------


def late(talk: Dialogue) -> None:
    """Answers come after their calls have ended."""
    for member in (6, 7):
        talk.hand(AnsweredLate(f"m{member}:7000", 100))


def test_who_is_late_asks_nobody_to_go_round() -> None:
    talk = follower(5, *OTHERS)
    ack(talk, talk.says("hello"), 1)
    late(talk)
    talk.fail(m.Tell, to=2)
    assert not talk.sent(m.Tell), "the leader would be late, too"


def test_who_is_late_goes_on_asking_to_pass_on() -> None:
    talk = author()
    said = talk.says("hello")
    for member in (2, 8, 4, 6):
        ack(talk, said, member)
    talk.wait(LARGE.ack_ms - 100)
    late(talk)
    talk.wait(100)
    for member in (1, 3, 7, 9):
        ack(talk, said, member)
    talk.says("again")
    assert tells(talk) == {2: (), 8: (), 4: (7, 1), 6: (9, 3)}


def test_the_longer_the_first_step_takes_the_longer_the_second_may() -> None:
    talk = author()
    said = talk.says("hello")
    talk.wait(LARGE.ack_ms - 100)
    for member in (2, 8, 4, 6):
        ack(talk, said, member)
    talk.wait(4 * (LARGE.ack_ms - 100) - 1)
    assert not talk.sent(m.Tell)
    talk.wait(1)
    assert sorted(tells(talk)) == [1, 3, 7, 9]


def test_who_stored_it_late_is_told_of_as_well() -> None:
    talk = follower(4, 1, 2, 3, *range(5, 10), timing=LARGE)
    told(talk, line(5), pass_on=(7, 1))
    talk.wait(LARGE.ack_ms)
    ack(talk, line(5), 7)
    talk.wait(LARGE.acks_ms)
    assert asked(talk) == [(5, (Stored(7, 1, 1),))]
    talk.hears(m.Update(talk.caller(3), m.Roster((person(5, Life.DROPPED),))))
    ack(talk, line(5), 1)
    talk.wait(LARGE.acks_ms)
    assert not asked(talk), "its author is gone"


def test_a_leader_looks_at_few_silent_members_at_a_time() -> None:
    talk = leading(1, *range(2, 15))
    talk.mute(*range(2, 15))
    looked_at: set[MemberId] = set()
    for _ in range(4 * LAN.t2_ms // 10):
        talk.wait(10)
        looked_at |= {c.to for c in talk.of(e.Call) if isinstance(c.request, m.Ping)}
        if looked_at:
            break
    assert len(looked_at) == LAN.poll_all_max


def test_rosters_are_exchanged_with_few_at_a_time() -> None:
    talk = follower(5, *(n for n in range(1, 16) if n != 5), timing=LARGE)
    talk.hold(m.Update)
    for member in range(6, 16):
        talk.hears(m.Ping(talk.caller(member), talk.view(member, roster_hash=member)))
    assert len(talk.callees(m.Update)) == LARGE.poll_all_max
