"""Dialogues about gaps, in node/core/catching_up.py: they are jumped when nobody can fill them; and
which floors are believed: node/core/floors.py.
"""

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.conversation import ChatMessage
from node.core.floors import SEQ_MAX, STREAMS_MAX
from node.core.history import NO_FLOOR, History
from node.core.messages import Life, Receipt
from node.core.timing import LAN
from node.core.types import Floor, Stream, Way

from .cast import line, person, stream
from .dialogue import Dialogue, follower, outsider
from .test_catching_up import comparing, held, page, ping
from .test_joining import welcome

LINES = [line(1, n) for n in range(1, 13)]


def trimmed(count: int, *lines: ChatMessage) -> History:
    """A log that held these lines and has let the first ones go."""
    history = held(*lines)
    history.trim(count, ())
    return history


def floor_of(history: History) -> Floor:
    (floor,) = history.marks.floors.values()
    return floor


TEN = trimmed(10, *LINES)  # holds 11 and 12, and counts ten before them


def behind_a_gap(by: int = 2, *known: ChatMessage, others: int = 0, **rest: object) -> Dialogue:
    """Member 3 compares with a member that has trimmed more than 3 ever had."""
    talk = comparing(by, *known, **rest)
    talk.hold(m.Ping)
    floors = (floor_of(TEN),)
    talk.answer(m.Sync, m.Synced(talk.view(by), sources=(1,), floors=floors), to=by)
    return talk


def test_at_a_gap_one_reads_backwards_and_shows_the_newest_page_at_once() -> None:
    talk = behind_a_gap(2, *LINES[:3])
    assert talk.call(m.Sync).request.newest_first
    talk.answer(m.Sync, page(talk, *LINES[10:], floors=(floor_of(TEN),)))
    assert talk.shown == ["1.11", "1.12"]
    stored = talk.of(e.StoreMeta)[0].meta
    assert stored.below == (LINES[9].key,)
    assert talk.position(e.StoreMeta) < talk.position(e.Deliver)


def test_lies_drive_our_streams_only_so_far_that_others_believe_the_truth() -> None:
    talk = comparing()
    talk.hold(m.Sync)
    life = talk.says("one").key.stream.incarnation
    for n in range(2 * STREAMS_MAX):
        floor = Floor(3, Stream(talk.says("more").key.stream.incarnation, 2**32 - 1), 4, n)
        for _ in talk.group._s.gaps:
            talk.group._s.gaps.forget(3)  # Its adopting is not what is looked at here.
        talk.group._catching_up._note((floor,), 2)
    last = talk.says("last").key
    assert last.stream.incarnation == life + STREAMS_MAX // 2 + 1
    other = follower(9, 1, 2, person(3, incarnation=life))
    other.group._catching_up._note((floor := Floor(3, last.stream, 1, 5),), 2)
    assert list(other.group._s.gaps) == [floor]


def test_what_an_author_says_itself_is_believed_in_whatever_life() -> None:
    made_up = MADE_UP[0]
    talk = comparing(2, *LINES[:3])
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(1,), floors=(made_up,)), to=2)
    assert not talk.group._s.gaps
    talk.group._catching_up.floors.told[1] = made_up.at
    talk.group._catching_up._note((made_up,), 2)
    assert list(talk.group._s.gaps) == [made_up]


def test_what_is_said_at_a_gap_of_our_own_lies_above_it() -> None:
    talk = comparing()
    before = talk.says("one")
    floor = Floor(3, Stream(before.key.stream.incarnation + STREAMS_MAX // 2, 1), 4, 5)
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(3,), floors=(floor,)), to=2)
    after = talk.says("two")
    assert after.key.stream > floor.stream, "else others would throw it away as trimmed"


def test_a_gap_is_jumped_only_after_everyone_was_asked() -> None:
    talk = behind_a_gap(2, *LINES[:3])
    talk.answer(m.Sync, page(talk, *LINES[10:], floors=(floor_of(TEN),)), to=2)
    assert talk.of(e.StoreMarks) == [], "the leader may have more"
    talk.wait_for(m.Sync, to=1)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1,)), to=1)
    assert talk.call(m.Sync).request.newest_first
    talk.answer(m.Sync, page(talk), to=1)
    assert talk.one(e.StoreMarks).floors == (floor_of(TEN),)
    assert talk.one(e.Jumped) == e.Jumped(1, 7), "of the ten, three are here"
    assert talk.group.history_hash == TEN.hash, "equal to who trimmed, whatever is lacking"
    assert talk.group._s.history.has(LINES[0].key), "what is here stays readable"


def test_what_another_still_has_is_fetched_and_nothing_jumped() -> None:
    talk = behind_a_gap(2, *LINES[:3])
    talk.answer(m.Sync, page(talk, *LINES[10:], floors=(floor_of(TEN),)), to=2)
    talk.wait_for(m.Sync, to=1)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1,)), to=1)
    talk.answer(m.Sync, page(talk, *LINES[3:10]), to=1)
    assert [s.message.texts[0] for s in talk.of(e.Deliver)] == [one.texts[0] for one in LINES[3:10]]
    assert all(s.late for s in talk.of(e.Deliver)), "they belong before what was shown"
    assert talk.of(e.StoreMarks) == []
    assert talk.group.history_hash == held(*LINES).hash == TEN.hash
    talk.wait(5_000)
    assert not any(isinstance(s, e.StoreMarks) for _, s in talk.log)


def test_who_cannot_be_asked_is_asked_again_until_it_is_dropped() -> None:
    talk = behind_a_gap(2, *LINES[:3])
    talk.answer(m.Sync, page(talk, *LINES[10:], floors=(floor_of(TEN),)), to=2)
    talk.wait_for(m.Sync, to=1)
    talk.fail(m.Sync, to=1)
    assert talk.of(e.StoreMarks) == []
    talk.wait_for(m.Sync, to=1, ms=3_000)
    talk.fail(m.Sync, to=1)
    talk.hears(m.Update(talk.caller(2), m.Roster((person(1, Life.DROPPED),))))
    talk.hears(m.Ping(talk.caller(2), talk.view(2, history_hash=77)))
    talk.wait_for(m.Sync, to=2)
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(1,)), to=2)
    talk.answer(m.Sync, page(talk, floors=(floor_of(TEN),)), to=2)
    assert talk.one(e.StoreMarks).floors == (floor_of(TEN),)


def test_at_a_gap_there_is_more_room_for_what_waits_since_it_would_be_jumped() -> None:
    waits = line(2, 1, after=(line(4),), ms=5_000)
    follows = line(2, 2, after=(waits,), ms=6_000)
    talk = behind_a_gap(2, *LINES[:3], waits, timing=replace(LAN, pending_max=1))
    talk.answer(m.Sync, page(talk, *LINES[10:], follows, floors=(floor_of(TEN),)))
    assert talk.group._s.history.has(follows.key)
    assert talk.group.pending == 2


def test_a_gap_that_was_filled_meanwhile_is_closed_though_all_logs_are_equal() -> None:
    talk = comparing(2, *LINES)
    talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
    talk.group._s.gaps.note(floor_of(TEN))  # The answer to a question about a lost line.
    assert talk.group._s.backwards, "and nothing is trimmed meanwhile"
    ping(talk, 1, talk.group.history_hash)
    talk.wait_for(m.Sync, to=1)
    talk.answer(m.Sync, m.Synced(talk.view(1)), to=1)
    assert not talk.group._s.backwards


def test_what_waited_for_something_below_an_adopted_floor_is_shown() -> None:
    reply = line(2, 1, after=(LINES[8],), ms=5_000)
    talk = behind_a_gap(2, *LINES[:3], reply)
    assert talk.group.pending == 1
    talk.answer(m.Sync, page(talk, *LINES[10:], floors=(floor_of(TEN),)), to=2)
    assert talk.group.pending == 0
    assert "2.1" in talk.shown, "what it follows counts as delivered there"
    talk.wait_for(m.Sync, to=1)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=()), to=1)
    assert talk.group._s.causal.below == set(), "below the floor nothing is still to come"


def test_a_higher_floor_that_counts_what_we_hold_opens_no_gap() -> None:
    talk = behind_a_gap(2, *LINES[:11])
    assert not talk.call(m.Sync).request.newest_first
    talk.answer(m.Sync, page(talk, LINES[11], floors=(floor_of(TEN),)))
    talk.wait(3_000)
    assert not any(isinstance(s, e.StoreMarks) for _, s in talk.log)
    assert talk.group.history_hash == TEN.hash


def test_nothing_is_trimmed_while_a_gap_is_open() -> None:
    talk = behind_a_gap(2, *LINES[:3], timing=replace(LAN, log_max=3))
    talk.answer(m.Sync, page(talk, *LINES[10:], floors=(floor_of(TEN),)), to=2)
    talk.wait(500)
    assert not any(isinstance(s, e.Trim) for _, s in talk.log)


def test_the_asked_one_tells_its_floors_and_serves_what_lies_above_the_askers() -> None:
    talk = follower(3, 1, 2, messages=LINES[2:], floors=(floor_of(trimmed(2, *LINES)),))
    mine = floor_of(trimmed(2, *LINES))
    first = talk.hears(m.Sync(talk.caller(2), talk.view(2), digests=((1, 5),)))
    assert (first.sources, first.floors) == ((1,), (mine,))
    theirs = floor_of(trimmed(7, *LINES))
    second = talk.hears(m.Sync(talk.caller(2), talk.view(2), sources=(1,), floors=(theirs,)))
    assert [key.seq for key in second.keys] == [8, 9, 10, 11, 12]
    assert second.reply.floors == (mine,)
    assert not second.reply.behind, "their floor counts what is here"
    other = theirs._replace(sum=1)
    third = talk.hears(m.Sync(talk.caller(2), talk.view(2), sources=(1,), floors=(other,)))
    assert third.reply.behind


def test_what_the_asker_holds_below_our_floor_is_nothing_that_we_lack() -> None:
    talk = follower(3, 1, 2, messages=LINES[5:], floors=(floor_of(trimmed(5, *LINES)),))
    runs = held(*LINES).held((1,))
    answer = talk.hears(m.Sync(talk.caller(2), talk.view(2), sources=(1,), held=runs))
    assert (answer.keys, answer.reply.behind) == ((), False)


def test_who_counts_our_line_as_trimmed_has_acknowledged_it() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.answer(m.Tell, m.Told(Receipt.STORED, said.id, 1), to=1)
    floor = Floor(3, said.key.stream, said.key.seq, 5)
    talk.hears(m.Sync(talk.caller(2), talk.view(2), sources=(3,), floors=(floor,)))
    assert talk.one(e.Acknowledged) == e.Acknowledged(said.key, 2, Way.CATCH_UP, 2, 2)


def test_who_counts_more_than_we_said_has_acknowledged_nothing() -> None:
    talk = follower(3, 1, 2)
    key = talk.says("hello").key
    floor = Floor(3, key.stream, key.seq + 1, 5)
    talk.hears(m.Sync(talk.caller(2), talk.view(2), sources=(3,), floors=(floor,)))
    assert talk.of(e.Acknowledged) == []


def test_who_counts_what_its_author_never_said_is_not_believed() -> None:
    """Else the author's next lines would be thrown away as trimmed."""
    talk = behind_a_gap(2, *LINES[:3])
    talk.answer(m.Sync, page(talk, floors=(floor_of(TEN),)), to=2)
    talk.wait_for(m.Sync, to=1)
    said = LINES[4].key
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1,), said=(said.stream, said.seq)), to=1)
    talk.answer(m.Sync, page(talk, *LINES[3:5]), to=1)
    assert (talk.of(e.StoreMarks), talk.of(e.Jumped)) == ([], [])
    assert not talk.group._s.gaps
    again = comparing(2, *LINES[:3])
    again.group._catching_up.floors.told[1] = said.stream, said.seq
    again.answer(m.Sync, m.Synced(again.view(2), sources=(1,), floors=(floor_of(TEN),)), to=2)
    assert not again.call(m.Sync).request.newest_first, "it is no gap"


def test_nobody_has_trimmed_more_of_our_stream_than_we_said_in_it() -> None:
    talk = comparing()
    said = talk.says("one").key
    for seq, gaps in ((said.seq + 1, 0), (said.seq, 1)):
        talk.group._s.gaps.forget(3)
        floor = Floor(3, said.stream, seq, 5)
        talk.answer(m.Sync, m.Synced(talk.view(2), sources=(3,), floors=(floor,)), to=2)
        assert len(list(talk.group._s.gaps)) == gaps
        talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
        ping(talk, 2, 78 + seq)
        talk.wait_for(m.Sync, to=2)


def test_a_floor_that_the_author_confirms_is_believed() -> None:
    talk = behind_a_gap(2, *LINES[:3])
    talk.answer(m.Sync, page(talk, *LINES[10:], floors=(floor_of(TEN),)), to=2)
    talk.wait_for(m.Sync, to=1)
    last = LINES[-1].key
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1,), said=(last.stream, last.seq)), to=1)
    talk.answer(m.Sync, page(talk), to=1)
    assert talk.one(e.StoreMarks).floors == (floor_of(TEN),)


def test_what_several_count_is_believed_whatever_the_author_says() -> None:
    """Else it could keep what others answered to it from who was away."""
    away = person(5, life=Life.DROPPED)
    talk = follower(3, 1, 2, 4, away, messages=LINES[:3])
    talk.group._catching_up.floors.told[1] = NO_FLOOR
    floors = (floor_of(TEN),)
    for by in (2, 2, 5, 4):
        talk.group._catching_up._note(floors, by)
        assert list(talk.group._s.gaps) == (list(floors) if by == 4 else [])


def test_counts_of_whom_nobody_knows_are_not_kept() -> None:
    talk = follower(3, 1, 2, 4, signs={"verify": lambda *_: True})
    talk.group._catching_up._note(tuple(FLOOR._replace(source=n) for n in range(70, 99)), 2)
    assert not talk.group._catching_up.floors._counted


def test_of_who_has_left_more_may_have_been_trimmed_than_it_knew_of() -> None:
    """It may have gone by a copy of its disk that had not all it had said."""
    gone = person(4, left=True, ends=((stream(), 9),))
    talk = follower(3, 1, 2, gone)
    talk.group._catching_up._note((floor := Floor(4, stream(), 10, 5),), 2)
    assert list(talk.group._s.gaps) == [floor]


FLOOR = floor_of(TEN)
MADE_UP = [
    FLOOR._replace(stream=Stream(FLOOR.stream.incarnation + STREAMS_MAX + 1, 0)),
    FLOOR._replace(seq=SEQ_MAX + 1),
    FLOOR._replace(source=77),
]


@pytest.mark.parametrize("floor", MADE_UP, ids=["life", "number", "author"])
def test_floors_that_nobody_can_have_are_no_gap(floor: Floor) -> None:
    verified = {"verify": lambda *_: True}
    talk = comparing(2, *LINES[:3], signs=verified)
    mine = talk.group._s.members.get(1)
    assert mine is not None
    assert mine.incarnation <= FLOOR.stream.incarnation
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(1,), floors=(floor,)), to=2)
    assert (list(talk.group._s.gaps), talk.call(m.Sync).request.newest_first) == ([], False)


def test_who_is_asked_says_how_much_it_has_said() -> None:
    talk = follower(3, 1, 2)
    digests = m.Sync(talk.caller(2), talk.view(2))
    assert talk.hears(digests).said == NO_FLOOR
    first = talk.says("one")
    assert talk.hears(digests).said == (first.key.stream, 1)
    other = m.Sync(talk.caller(2), talk.view(2), sources=(1,))
    assert talk.hears(other).reply.said == (first.key.stream, 1)
    later = Floor(3, Stream(2**42, 9), 4, 5)
    assert follower(3, 1, 2, floors=(later,)).hears(digests).said == later.at


def test_a_line_that_others_count_as_trimmed_is_taken_where_it_never_came() -> None:
    """Told as stored it is stored; what went here is not taken in again."""
    fifth = LINES[4]
    talk = follower(3, 1, 2, floors=(FLOOR,), trimmed=(LINES[3].key,), messages=LINES[10:])
    hash = talk.group.history_hash
    assert talk.hears(m.Tell(talk.caller(1), 3, (fifth,))).receipt is Receipt.STORED
    assert (talk.shown[-1], talk.one(e.StoreMessages).messages) == (fifth.texts[0], (fifth,))
    assert talk.group.history_hash == hash, "it counts by the floor"
    talk.hears(m.Tell(talk.caller(1), 3, (LINES[3],)))
    assert talk.of(e.StoreMessages) == []
    talk.hears(m.Tell(talk.caller(2), 3, (LINES[5],)))
    assert talk.of(e.StoreMessages) == [], "it may have been redacted since"


def test_our_next_stream_lies_above_what_others_trimmed_of_ours() -> None:
    later = Floor(3, Stream(2**42, 9), 4, 5)
    talk = follower(3, 1, 2, floors=(later,))
    assert talk.says("hello").key.stream > later.stream
    assert talk.says("again").key.seq == 2


def test_a_newcomer_that_equals_somebody_who_has_all_is_no_newcomer_any_more() -> None:
    talk = outsider(9, "m1:7000")
    talk.hold(m.Sync)
    talk.answer(m.Join, welcome(talk, 50, 1))
    talk.answer(m.Sync, m.Synced(talk.view(1), partial=True))
    assert talk.group.partial
    ping(talk, 1, talk.group.history_hash)
    talk.wait_for(m.Sync, to=1)
    talk.answer(m.Sync, m.Synced(talk.view(1)))
    assert not talk.group.partial
    assert not talk.one(e.StoreMeta).meta.partial


def test_a_newcomer_adopts_what_everyone_has_trimmed() -> None:
    talk = outsider(9, "m1:7000")
    talk.hold(m.Sync)
    talk.answer(m.Join, welcome(talk, 50, 1))
    floors = (floor_of(TEN),)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1,), floors=floors))
    talk.answer(m.Sync, page(talk, *LINES[10:], floors=floors))
    assert talk.shown == ["1.11", "1.12"]
    assert talk.one(e.StoreMarks).floors == floors
    assert (talk.group.partial, talk.group.history_hash) == (False, TEN.hash)
    assert talk.of(e.Jumped) == [], "it never missed what was said before it came"


def test_holes_do_not_make_one_a_newcomer() -> None:
    hole = line(2, 1).key
    reply = line(1, 1, after=(line(2, 1),))
    talk = follower(3, 1, 2, messages=(reply,), holes=(hole,))
    assert not talk.hears(m.Sync(talk.caller(2), talk.view(2), digests=((1, 5),))).partial
    assert stream() == hole.stream
