"""Dialogues about node/core/catching_up.py: whatever was missed comes by comparing logs."""

import pytest
from msgspec.structs import replace

from node.core import catching_up
from node.core import effects as e
from node.core import messages as m
from node.core.alarms import Alarm
from node.core.conversation import ChatMessage
from node.core.events import Started, Woken
from node.core.history import History
from node.core.messages import Life, Receipt
from node.core.timing import LAN
from node.core.types import Floor, Key, Post, Run, Way

from .cast import EPOCH, NEXT, WALL, line, person
from .dialogue import Dialogue, follower, leading, outsider, returning
from .test_joining import welcome

SMALL = replace(LAN, page_bytes=500)  # three lines a page


def held(*messages: ChatMessage) -> History:
    history = History()
    for message in messages:
        history.add(message)
    return history


def ping(talk: Dialogue, by: int, history_hash: int) -> None:
    talk.hears(m.Ping(talk.caller(by), talk.view(by, history_hash=history_hash)))


def comparing(by: int = 2, *messages: ChatMessage, **rest: object) -> Dialogue:
    """Member 3 has just been told that another log differs, and asks how."""
    talk = follower(3, 1, 2, messages=messages, **rest)  # type: ignore[arg-type]
    talk.wait(LAN.t1_ms - 100)
    talk.hold(m.Sync)
    ping(talk, by, 77)
    talk.wait_for(m.Sync, to=by)
    return talk


def newcomer(*others: int) -> Dialogue:
    """Somebody who has just been let in and begins to read."""
    talk = outsider(9, "m1:7000")
    talk.hold(m.Sync)
    talk.answer(m.Join, welcome(talk, 50, 1, *others))
    assert talk.group.partial
    return talk


def page(talk: Dialogue, *messages: ChatMessage, **rest: object) -> m.Synced:
    return m.Synced(talk.view(1), messages=messages, **rest)  # type: ignore[arg-type]


# ---- when ----------------------------------------------------------------------------------------


def test_a_differing_hash_starts_a_comparison_and_an_equal_one_costs_nothing() -> None:
    talk = follower(3, 1, 2)
    talk.wait(LAN.t1_ms - 100)
    ping(talk, 2, talk.group.history_hash)
    talk.wait(100)
    assert talk.sent(m.Sync) == []
    ping(talk, 2, 77)
    talk.wait(100)
    assert len(talk.sent(m.Sync, to=2)) == 1


def test_two_busy_nodes_compare_once_a_second_at_most() -> None:
    talk = follower(3, 1, 2)
    talk.wait(LAN.t1_ms)
    syncs = 0
    for _ in range(300):
        ping(talk, 2, 77)
        talk.wait(10)
        syncs += len(talk.sent(m.Sync, to=2))
    assert 2 <= syncs <= 4


def test_every_five_seconds_a_random_member_is_asked_how_it_is() -> None:
    talk = follower(3, 1, 2, 4, person(5, Life.DROPPED))
    talk.wait(200_000)
    asked = [to for to in (2, 4, 5) for _ in talk.sent(m.Ping, to=to)]
    assert 15 <= asked.count(2) + asked.count(4) <= 40, "the leader is the third"
    assert min(asked.count(2), asked.count(4)) > 0
    assert 5 not in asked


def test_after_a_start_and_after_admission_the_leader_is_compared_with() -> None:
    talk = returning(3, 1, 2, leader=1)
    talk.hand(Started(WALL))
    talk.wait(100)
    assert [
        s.to for _, s in talk.log if isinstance(s, e.Call) and isinstance(s.request, m.Sync)
    ] == [1]
    assert newcomer(1, 2).waits(m.Sync, to=1)


# ---- asking --------------------------------------------------------------------------------------


def test_first_one_hash_per_author_then_the_runs_of_those_that_differ() -> None:
    mine = (line(1, 1), line(1, 2), line(2, 1))
    talk = comparing(2, *mine)
    first = talk.call(m.Sync).request
    assert first.digests == held(*mine).digests()
    assert (first.sources, first.held) == ((), ())
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(1,)))
    second = talk.call(m.Sync).request
    assert second.sources == (1,)
    assert second.held == held(*mine).held((1,)), "nothing about authors that are equal"
    assert not second.newest_first


def test_equal_after_all_ends_it() -> None:
    talk = comparing()
    talk.answer(m.Sync, m.Synced(talk.view(2)))
    talk.wait(LAN.t2_ms)
    assert talk.sent(m.Sync) == []


def test_a_page_is_stored_shown_and_counted_and_then_the_next_is_asked_for() -> None:
    talk = comparing()
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(1,)))
    talk.answer(m.Sync, page(talk, line(1, 1), line(1, 2), more=True))
    assert talk.shown == ["1.1", "1.2"]
    assert [s.way for s in talk.of(e.Deliver)] == [Way.CATCH_UP] * 2
    assert talk.position(e.StoreMessages) < talk.position(e.Deliver)
    (run,) = talk.call(m.Sync).request.held
    assert (run.first, run.last) == (1, 2)
    talk.answer(m.Sync, page(talk, line(1, 3)))
    assert talk.shown == ["1.1", "1.2", "1.3"]
    assert talk.one(e.Merged) == e.Merged(3, 2)


def test_a_page_without_news_ends_it_whatever_more_it_promises() -> None:
    talk = comparing(2, line(1, 1))
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(1,)))
    talk.answer(m.Sync, page(talk, line(1, 1), more=True))
    assert not talk.waits(m.Sync)


def test_a_silent_peer_ends_it_and_what_came_stays() -> None:
    talk = comparing()
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(1,)))
    talk.answer(m.Sync, page(talk, line(1, 1), more=True))
    talk.fail(m.Sync)
    assert talk.one(e.Merged) == e.Merged(1, 2)
    assert talk.shown == ["1.1"]


def test_one_comparison_at_a_time_and_the_other_afterwards() -> None:
    talk = comparing()
    ping(talk, 1, 88)
    talk.wait(LAN.sync_call_ms - 500)
    assert talk.sent(m.Sync, to=1) == []
    talk.answer(m.Sync, m.Synced(talk.view(2)))
    talk.wait_for(m.Sync, to=1, ms=LAN.t2_ms)


# ---- being asked ---------------------------------------------------------------------------------


def ask(
    talk: Dialogue, by: int, *theirs: ChatMessage, sources: tuple[int, ...], newest: bool = False
) -> e.Serve:
    runs = held(*theirs).held(sources)
    request = m.Sync(
        talk.caller(by), talk.view(by), sources=sources, held=runs, newest_first=newest
    )
    answer = talk.hears(request)
    assert isinstance(answer, e.Serve)
    return answer


def test_the_asked_one_names_the_authors_that_differ() -> None:
    talk = follower(3, 1, 2, messages=[line(1, 1), line(2, 1)])
    digests = held(line(1, 1), line(2, 1), line(2, 2)).digests()
    answer = talk.hears(m.Sync(talk.caller(2), talk.view(2), digests=digests))
    assert answer.sources == (2,)


def test_only_what_is_missing_is_sent_a_page_at_a_time_oldest_first() -> None:
    lines = [line(1, n) for n in range(1, 7)]
    talk = follower(3, 1, 2, messages=lines, timing=SMALL)
    answer = ask(talk, 2, lines[0], sources=(1,))
    assert [key.seq for key in answer.keys] == [2, 3, 4]
    assert answer.reply.more
    answer = ask(talk, 2, *lines[:4], sources=(1,))
    assert [key.seq for key in answer.keys] == [5, 6]
    assert not answer.reply.more


def test_a_newcomer_is_served_newest_first_and_only_what_was_delivered() -> None:
    lines = [line(1, n) for n in range(1, 7)]
    waiting = line(2, 4, after=(line(9, 9),), ms=9_000)
    talk = follower(3, 1, 2, messages=[*lines, waiting], timing=SMALL)
    answer = ask(talk, 2, sources=(1, 2), newest=True)
    assert [key.seq for key in answer.keys] == [4, 5, 6], "a page is in display order"
    assert answer.reply.held == (
        Run(1, lines[0].key.stream, 1, 6, held(*lines).held((1,))[0].hash),
    )


def test_who_lacks_something_itself_asks_in_turn() -> None:
    talk = follower(3, 1, 2, messages=[line(1, 1)])
    talk.wait(LAN.t1_ms - 100)
    answer = ask(talk, 2, line(1, 1), line(1, 2), sources=(1,))
    assert answer.reply.behind
    talk.wait(100)
    assert len(talk.sent(m.Sync, to=2)) == 1
    assert not ask(talk, 2, line(1, 1), sources=(1,)).reply.behind


def test_what_a_member_holds_of_ours_it_has_acknowledged_however_it_came_by_it() -> None:
    talk = follower(3, 1, 2)
    said = talk.says("hello")
    talk.answer(m.Tell, m.Told(Receipt.STORED, said.id, 1), to=1)
    ask(talk, 2, said, sources=(3,))
    assert talk.one(e.Acknowledged) == e.Acknowledged(said.key, 2, Way.CATCH_UP, 2, 2)
    assert talk.one(e.Settled) == e.Settled(said.key, ())


def missed(*lines: str) -> tuple[Dialogue, list[ChatMessage]]:
    """Member 2 was dropped before it had what we said; it is back and to be compared with."""
    talk = follower(3, 1, 2)
    talk.hold(m.Tell)
    said = [talk.says(text) for text in lines]
    talk.hears(m.Update(talk.caller(1), m.Roster((person(2, Life.DROPPED),))))
    assert talk.group.lacking(2) == len(lines), "also while others are waited for"
    for message in reversed(said):
        talk.answer(m.Tell, m.Told(Receipt.STORED, message.id, 1), to=1)
        assert talk.one(e.Settled) == e.Settled(message.key, (2,))
    talk.hold(m.Sync)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(2, incarnation=101),))))
    assert talk.waits(m.Sync, to=2)
    assert talk.group.lacking(2) == len(lines)
    return talk, said


@pytest.mark.parametrize("talks", [False, True])
def test_logs_that_differ_while_lines_are_said_are_compared_only_now_and_then(talks: bool) -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Sync)
    ping(talk, 2, 77)
    talk.wait_for(m.Sync, to=2)
    talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
    since = talk.now
    if talks:
        talk.says("on its way to everybody")
    ping(talk, 2, 77)
    talk.wait_for(m.Sync, to=2)
    gap_ms = LAN.sync_ms if talks else catching_up.GAP_MS
    assert since + gap_ms <= talk.now < since + gap_ms + 100


def talks(talk: Dialogue, ms: int) -> bool:
    """After so long, is a line said so lately that it may be on its way?"""
    talk.wait(ms)
    talk.hand(Woken())
    return talk.group._catching_up._talks


@pytest.mark.parametrize(("took_ms", "talks_ms"), [(10, 300), (400, 800), (60_000, LAN.late_ms)])
def test_the_longer_lines_are_on_their_way_the_longer_the_talk_goes_on(
    took_ms: int, talks_ms: int
) -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Sync)
    ping(talk, 2, 77)
    talk.wait_for(m.Sync, to=2)
    talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
    talk.group._s.outbox.healthy(1, took_ms, direct=True)
    talk.wait(LAN.sync_ms)
    talk.says("hello")
    assert talks(talk, talks_ms - 1)
    assert not talks(talk, 1)


def test_a_talk_goes_on_for_longer_among_those_who_are_late() -> None:
    talk = follower(3, 1, 2)
    talk.says("hello")
    talk.group._s.lateness.note(talk.now, 200)
    assert talks(talk, catching_up.TALK_MS)


@pytest.mark.parametrize(("others", "talks_ms"), [(15, 300), (16, 1_200)])
def test_where_lines_are_passed_on_they_are_on_their_way_for_longer(
    others: int, talks_ms: int
) -> None:
    talk = follower(5, *(number for number in range(1, others + 2) if number != 5))
    talk.says("hello")
    assert talks(talk, talks_ms - 1)
    assert not talks(talk, 1)


@pytest.mark.parametrize("waited_ms", [0, catching_up.TALK_MS])
@pytest.mark.parametrize("took_ms", [10, 200])
def test_what_is_on_its_way_for_long_is_not_fetched_as_well(took_ms: int, waited_ms: int) -> None:
    talk = follower(3, 1, 2)
    talk.says("hello")
    talk.wait(took_ms)
    said = talk.call(m.Tell, to=2).request.messages[0]
    for member in (1, 2):
        talk.answer(m.Tell, m.Told(Receipt.STORED, said.id, member), to=member)
    talk.hold(m.Sync)
    ping(talk, 1, 77)
    talk.wait_for(m.Sync, to=1)
    talk.hears(m.Tell(talk.caller(2), 3, (line(2, 1, after=(said,), ms=WALL + 1_000),)))
    assert talk.shown == ["hello", "2.1"]
    talk.wait(waited_ms)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(2,)))
    asked = [call.request.sources for call in talk.of(e.Call) if isinstance(call.request, m.Sync)]
    assert asked == ([] if took_ms == 200 and not waited_ms else [(2,)])


@pytest.mark.parametrize("how", ["equal logs", "it asks", "it answers"])
def test_who_missed_a_line_and_is_seen_to_hold_it_has_acknowledged_it(how: str) -> None:
    talk, (said,) = missed("hello")
    if how == "equal logs":
        ping(talk, 2, talk.group.history_hash)
    elif how == "it asks":
        digests = held(said).digests()
        talk.hears(m.Sync(talk.caller(2), talk.view(2, history_hash=77), digests=digests))
    else:
        talk.answer(m.Sync, m.Synced(talk.view(2, history_hash=77), sources=(1,)), to=2)
    assert talk.one(e.Acknowledged) == e.Acknowledged(said.key, 2, Way.CATCH_UP, 2, 2)
    assert talk.one(e.StorePost).post == Post(said.key, (1, 2), (1, 2), settled=True)
    assert talk.of(e.Settled) == [], "that was told when nobody waited for it any more"
    assert talk.group.lacking(2) == 0


def ask_page(talk: Dialogue, by: int, message: ChatMessage) -> None:
    """A member that holds this message asks for what it lacks of its author."""
    sources = (message.key.source,)
    view, runs = talk.view(by, history_hash=77), held(message).held(sources)
    talk.hears(m.Sync(talk.caller(by), view, sources=sources, held=runs))


def settled_before(me: int) -> tuple[Dialogue, ChatMessage, Post]:
    """Member 3 said a line in an earlier life that member 2 lacked; it may be called `me` now."""
    old = line(3, 1, k=9)
    post = Post(old.key, (1, 2), (1,), settled=True)
    talk = returning(me, 1, 2, leader=1, messages=[old], posts=[post])
    for request in (m.Sync, m.Ping, m.Update):
        talk.hold(request)
    talk.hand(Started(WALL))
    assert talk.sent(m.Tell) == [], "it comes by catch-up"
    assert (talk.group.lacking(1), talk.group.lacking(2)) == (0, 1)
    assert talk.group.trace(old.key) is None, "how it went the first time is not known"
    return talk, old, post


def test_what_an_earlier_life_said_is_acknowledged_too() -> None:
    talk, old, post = settled_before(3)
    ping(talk, 1, talk.group.history_hash)
    assert talk.of(e.Acknowledged) == []
    ping(talk, 2, talk.group.history_hash)
    assert talk.one(e.Acknowledged) == e.Acknowledged(old.key, 2, Way.CATCH_UP, 2, 2)
    assert talk.one(e.StorePost).post == replace(post, acked=(1, 2))
    assert talk.group.own_ids(old.key) == old.ids
    assert talk.group.own_ids(line(1).key) == ()


def test_who_has_become_the_member_it_was_to_ask_asks_nobody() -> None:
    """Two sides had admitted it, and it goes by the other id now."""
    talk = follower(3, 1, 2)
    talk.group._catching_up.want(2)
    talk.group._s.me = 2
    assert talk.group._s.alarms.at(Alarm.CATCH_UP, 2) is not None
    talk.hold(m.Sync)
    talk.group._catching_up.on_catch_up(2)
    assert talk.sent(m.Sync) == []


def test_equal_hashes_say_nothing_of_what_lies_below_a_floor() -> None:
    """One that others have raised counts what they had; our own lines may lie below it."""
    below, above = line(3, 1, k=8), line(3, 1, k=9)
    posts = [Post(one.key, (1, 2), (1,), settled=True) for one in (below, above)]
    floor = Floor(3, below.key.stream, 1, 77)
    talk = returning(3, 1, 2, leader=1, messages=[below, above], posts=posts, floors=(floor,))
    for request in (m.Sync, m.Ping, m.Update):
        talk.hold(request)
    talk.hand(Started(WALL))
    ping(talk, 2, talk.group.history_hash)
    assert talk.one(e.Acknowledged).key == above.key
    assert talk.group.lacking(2) == 1


def test_what_was_said_under_another_id_is_credited_by_that_author() -> None:
    talk, old, _ = settled_before(50)
    ask = m.Sync(talk.caller(2), talk.view(2, history_hash=77), digests=())
    assert talk.hears(ask).sources == (3,)
    assert talk.group.lacking(2) == 1, "it is equal only of what is said as 50"
    ask_page(talk, 2, old)
    assert talk.one(e.Acknowledged).key == old.key


def test_of_several_streams_those_are_credited_that_are_held() -> None:
    lines = [line(3, 1, k=8), line(3, 1, k=9), line(4, 1, k=9)]
    posts = [Post(one.key, (1, 2), (1,), settled=True) for one in lines]
    talk = returning(3, 1, 2, leader=1, messages=lines, posts=posts)
    for request in (m.Sync, m.Ping, m.Update):
        talk.hold(request)
    talk.hand(Started(WALL))
    ask_page(talk, 2, lines[1])
    assert talk.one(e.Acknowledged).key == lines[1].key
    assert talk.group.lacking(2) == 2


def test_who_missed_a_line_and_was_not_seen_to_hold_it_still_lacks_it() -> None:
    talk, (said,) = missed("hello")
    ping(talk, 2, 77)
    talk.hears(m.Sync(talk.caller(2), talk.view(2, history_hash=77), digests=()))
    talk.answer(m.Sync, m.Synced(talk.view(2, history_hash=77), sources=(3,)), to=2)
    ping(talk, 1, talk.group.history_hash)
    assert not any(isinstance(s, e.Acknowledged) and s.by == 2 for _, s in talk.log)
    assert talk.group.lacking(2) == 1
    trace = talk.group.trace(said.key)
    assert trace is not None
    assert [row.state for row in trace.rows] == ["acked", "behind"]


def test_what_was_said_while_a_comparison_was_under_way_is_not_known_to_be_held() -> None:
    talk, _ = missed("hello")
    talk.hears(m.Update(talk.caller(1), m.Roster((person(2, incarnation=102),))))
    later = talk.says("later")
    talk.answer(m.Tell, m.Told(Receipt.STORED, later.id, 1), to=1)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(2, Life.DROPPED, incarnation=102),))))
    assert talk.group.lacking(2) == 2
    talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
    assert talk.group.lacking(2) == 1


def test_who_is_given_what_it_missed_is_looked_at_again() -> None:
    talk, (first, second) = missed("hello", "there")
    talk.fail(m.Sync, to=2)
    runs = held(first).held((3,))
    asked = m.Sync(talk.caller(2), talk.view(2, history_hash=77), sources=(3,), held=runs)
    answer = talk.hears(asked)
    assert isinstance(answer, e.Serve)
    assert answer.keys == (second.key,)
    assert talk.one(e.Acknowledged).key == first.key, "it holds that already"
    talk.wait_for(m.Sync, to=2)
    talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
    assert talk.one(e.Acknowledged).key == second.key


# ---- newcomers -----------------------------------------------------------------------------------

A1, A2, A3 = (line(1, n) for n in (1, 2, 3))
B1 = line(2, 1, after=(A2,), ms=2_000)


def test_newcomer_reads_backwards() -> None:
    talk = newcomer(1, 2)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1, 2)))
    assert talk.call(m.Sync).request.newest_first
    talk.answer(m.Sync, page(talk, A3, B1, more=True))
    assert talk.shown == ["1.3", "2.1"], "what they follow counts as delivered"
    talk.answer(m.Sync, page(talk, A1, A2))
    assert talk.shown == ["1.3", "2.1", "1.1", "1.2"]
    late = [s.late for s in talk.of(e.Deliver)]
    assert late == [True, True], "inserted as backlog"
    assert not talk.group.partial


def test_the_cut_is_stored_before_anything_is_shown_that_relies_on_it() -> None:
    talk = newcomer(1, 2)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1, 2)))
    talk.answer(m.Sync, page(talk, A3, B1, more=True))
    meta = talk.of(e.StoreMeta)[0].meta
    assert (meta.partial, meta.below) == (True, (A2.key,))
    assert talk.position(e.StoreMeta) < talk.position(e.Deliver)


def test_a_newcomer_restarted_on_its_way_goes_on_reading() -> None:
    talk = returning(50, 1, leader=1, messages=[A3, B1], partial=True, below=(A2.key,))
    talk.hold(m.Sync)
    talk.hand(Started(WALL))
    talk.wait_for(m.Sync)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1,)))
    assert talk.call(m.Sync).request.newest_first
    talk.answer(m.Sync, page(talk, A1, A2))
    assert talk.shown == ["1.1", "1.2"]
    assert not talk.group.partial


def test_a_newcomer_is_one_until_its_log_equals_one_that_is_whole() -> None:
    talk = newcomer(1, 2)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1,)))
    talk.answer(m.Sync, page(talk, A3, partial=True))
    still = talk.group.partial
    assert still, "the answerer was a newcomer itself"
    ping(talk, 1, 77)
    talk.wait_for(m.Sync, to=1)
    talk.answer(m.Sync, m.Synced(talk.view(1)))
    assert not talk.of(e.StoreMeta)[-1].meta.partial


def test_where_nobodys_log_is_whole_one_is_no_newcomer_once_all_gave_what_they_had_twice() -> None:
    talk = newcomer(1, 2)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1,)))
    talk.answer(m.Sync, page(talk, A3, partial=True))
    for other in (2, 1, 2):
        assert talk.group.partial, f"{other} was not asked yet"
        ping(talk, other, 77)
        talk.wait_for(m.Sync, to=other)
        talk.answer(m.Sync, m.Synced(talk.view(other), partial=True))
    assert not talk.group.partial


def test_live_lines_wait_for_no_older_page_than_the_answerer_has_delivered() -> None:
    talk = newcomer(1, 2)
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1, 2)))
    live = line(2, 2, after=(A3,), ms=5_000)
    talk.hears(m.Tell(talk.caller(2), 50, (live,)))
    assert talk.shown == []
    theirs = held(A1, A2, A3, B1).held((1, 2))
    talk.answer(m.Sync, page(talk, A3, more=True, held=theirs))
    assert set(talk.shown) == {"1.3", "2.2"}


def test_a_newcomer_says_that_its_log_is_not_whole() -> None:
    talk = newcomer(1, 2)
    answer = talk.hears(m.Sync(talk.caller(2), talk.view(2)))
    assert answer.partial


# ---- splits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("messages", [0, 2])
def test_a_healed_split_is_told_once_the_logs_are_equal(messages: int) -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Sync)
    view = talk.view(2, epoch=NEXT, leader=2, history_hash=77)
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    talk.wait_for(m.Sync, to=2)
    assert talk.of(e.SplitHealed) == []
    if messages:
        talk.answer(m.Sync, m.Synced(talk.view(2), sources=(2,)), to=2)
        talk.answer(m.Sync, page(talk, line(2, 1), line(2, 2)), to=2)
    else:
        talk.answer(m.Sync, m.Synced(talk.view(2)), to=2)
    assert talk.one(e.SplitHealed) == e.SplitHealed(messages, leader=2, epoch=NEXT)


def test_what_the_log_kept_is_what_is_compared_after_a_restart() -> None:
    lines = [line(1, 2), line(1, 1), line(2, 1, after=(line(1, 2),), ms=5_000)]
    talk = follower(3, 1, 2, messages=lines)
    assert talk.group.history_hash == held(*lines).hash
    assert talk.shown == [], "shown in an earlier life"
    assert talk.says("next").deps == (Key(2, lines[2].key.stream, 1),)
    assert talk.group.epoch == EPOCH


def test_so_many_runs_that_they_fill_a_call_are_told_author_by_author(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catching_up, "RUNS_MAX", 2)
    gaps = [line(author, seq) for author in (1, 2, 4) for seq in (1, 3)]
    talk = comparing(2, *gaps)
    talk.answer(m.Sync, m.Synced(talk.view(2), sources=(1, 2, 4)))
    request = talk.call(m.Sync).request
    assert request.sources == (1,)
    assert {run.source for run in request.held} == {1}


def test_a_newcomer_whose_runs_filled_a_call_is_one_until_the_other_authors_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catching_up, "RUNS_MAX", 2)
    talk = newcomer(1, 2)
    for author in (1, 2):
        for seq in (3, 5):
            talk.hears(m.Tell(talk.caller(author), 50, (line(author, seq),)))
    talk.answer(m.Sync, m.Synced(talk.view(1), sources=(1, 2)))
    assert talk.call(m.Sync).request.sources == (1,)
    talk.answer(m.Sync, page(talk, line(1, 2)))
    assert talk.group.partial
