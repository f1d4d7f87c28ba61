"""Tries node/core/outbox.py."""

import pytest
from msgspec.structs import replace

from node.core.conversation import ChatMessage
from node.core.outbox import REMEMBERED, WINDOW_MIN, WINDOW_STEP, Outbox
from node.core.timing import LAN
from node.core.types import Post, Way

from .cast import line

M = [line(9, seq) for seq in range(1, 101)]
DIRECT, RELAY = Way.DIRECT, Way.RELAY


def posted(count: int, *members: int) -> Outbox:
    outbox = Outbox(LAN)
    for message in M[:count]:
        outbox.post(0, message, members)
    return outbox


def taken(outbox: Outbox, member: int) -> list[int]:
    """Numbers of the messages that fly now."""
    return [number for flight in flights(outbox, member) for number in flight]


def flights(outbox: Outbox, member: int) -> list[list[int]]:
    """The same, call by call."""
    found = []
    while messages := outbox.take(member):
        found.append([message.key.seq for message in messages])
    return found


def test_what_is_said_while_all_calls_are_under_way_flies_together_with_the_next() -> None:
    outbox = Outbox(replace(LAN, flight_max=2))
    for message in M[:2]:
        outbox.post(0, message, (2,))
        assert flights(outbox, 2) == [[message.key.seq]], "nothing waits while there is room"
    for message in M[2:7]:
        outbox.post(0, message, (2,))
    assert flights(outbox, 2) == []
    outbox.landed(2)
    assert flights(outbox, 2) == [[3, 4, 5, 6, 7]]


def test_messages_fly_in_order_and_only_so_many_at_once() -> None:
    outbox = Outbox(replace(LAN, flight_max=2, batch_max=3))
    for message in M[:20]:
        outbox.post(0, message, (2,))
    assert flights(outbox, 2) == [[1, 2, 3], [4, 5, 6]]
    outbox.landed(2)
    assert flights(outbox, 2) == [[7, 8, 9]]


def test_more_is_under_way_while_answers_are_quick_and_less_where_they_had_to_wait() -> None:
    outbox = posted(100, 2)
    assert taken(outbox, 2) == [*range(1, WINDOW_MIN + 1)]
    for message in M[:WINDOW_MIN]:
        outbox.acked(9, message.key, 2, DIRECT)
    outbox.landed(2)
    outbox.healthy(2, LAN.quick_ms, direct=True)
    wider = WINDOW_MIN + WINDOW_STEP
    assert len(taken(outbox, 2)) == wider
    outbox.healthy(2, LAN.quick_ms + 1, direct=True)
    assert outbox.lane(2).window == max(WINDOW_MIN, wider - wider // 4)
    outbox.lane(2).window = 4 * WINDOW_MIN
    outbox.healthy(2, LAN.quick_ms + 1, direct=True)
    assert outbox.lane(2).window == 3 * WINDOW_MIN
    outbox.healthy(3, 1, direct=True)
    assert outbox.lane(3).window == WINDOW_MIN, "nothing waits: no more is needed"


def test_where_answers_take_their_time_what_comes_meanwhile_goes_with_the_next_call() -> None:
    outbox = Outbox(LAN)
    outbox.healthy(2, LAN.quick_ms, direct=True)
    for message in M[:3]:
        outbox.post(0, message, (2,))
    assert flights(outbox, 2) == [[1, 2, 3]]
    for message in M[3:6]:
        outbox.post(0, message, (2,))
    assert flights(outbox, 2) == []
    outbox.landed(2)
    assert flights(outbox, 2) == [[4, 5, 6]]


def test_together_fly_consecutive_messages_of_one_stream_and_so_much_text() -> None:
    outbox = Outbox(replace(LAN, flight_max=9, flight_chars=10))
    texts = ("x" * 11, "y" * 5, "z" * 5, "a")
    messages = [line(9, seq, text) for seq, text in enumerate(texts, 1)]
    messages += [line(9, 6), line(9, 1, k=2), line(9, 2, k=2)]
    for message in messages:
        outbox.post(0, message, (2,))
    assert flights(outbox, 2) == [[1], [2, 3], [4], [6], [1, 2]]


def test_one_slow_member_never_delays_another() -> None:
    outbox = posted(40, 2, 3)
    taken(outbox, 2)
    outbox.landed(2)
    outbox.failed(M[0].key, 2, "no answer")
    outbox.back_off(2)
    assert taken(outbox, 2) == []
    assert len(taken(outbox, 3)) == WINDOW_MIN
    for message in M[:40]:
        outbox.acked(10, message.key, 3, DIRECT)
        taken(outbox, 3)
    assert all(entry.acked == (3,) for entry in outbox.entries.values())


def test_an_entry_settles_when_the_last_has_acknowledged() -> None:
    outbox = posted(1, 2, 3)
    first = outbox.acked(5, M[0].key, 2, DIRECT)
    assert first is not None
    assert first.post == Post(M[0].key, (2, 3), (2,), settled=False)
    second = outbox.acked(9, M[0].key, 3, RELAY)
    assert second is not None
    assert second.post == Post(M[0].key, (2, 3), (2, 3), settled=True)
    assert (outbox.entries, outbox.lines) == ({}, 0)
    assert [d.took_ms for d in second.to.values()] == [5, 9]
    assert outbox.find(M[0].key) is second, "it can still be traced"


@pytest.mark.parametrize(("key", "by"), [(M[0].key, 9), (M[5].key, 2)])
def test_an_acknowledgement_by_nobody_counted_is_no_news(key: object, by: int) -> None:
    assert posted(1, 2).acked(5, key, by, DIRECT) is None  # type: ignore[arg-type]


def test_a_second_acknowledgement_is_no_news() -> None:
    outbox = posted(1, 2, 3)
    assert outbox.acked(5, M[0].key, 2, DIRECT) is not None
    assert outbox.acked(6, M[0].key, 2, DIRECT) is None


def test_with_nobody_to_have_it_a_message_is_settled_at_once() -> None:
    outbox = posted(1)
    assert (outbox.entries, outbox.lines) == ({}, 0)
    assert outbox.find(M[0].key) is not None


def test_what_failed_is_first_in_the_queue_again_and_counts_its_tries() -> None:
    outbox = posted(3, 2)
    taken(outbox, 2)
    outbox.landed(2)
    for message in reversed(M[:3]):
        outbox.failed(message.key, 2, "no answer")
    assert taken(outbox, 2) == [1, 2, 3]
    assert [entry.to[2].tries for entry in outbox.entries.values()] == [2, 2, 2]
    assert outbox.entries[M[0].key].to[2].status == "no answer"


def test_a_late_failure_of_what_was_acknowledged_brings_nothing_back() -> None:
    outbox = posted(2, 2)
    taken(outbox, 2)
    outbox.acked(5, M[0].key, 2, DIRECT)
    outbox.landed(2)
    outbox.failed(M[0].key, 2, "no answer")
    assert taken(outbox, 2) == []


def test_back_off_doubles_up_to_the_maximum_and_ends_with_a_success() -> None:
    outbox = posted(40, 2)
    assert [outbox.back_off(2) for _ in range(5)] == [200, 400, 800, 1_500, 1_500]
    assert taken(outbox, 2) == []
    outbox.lane(2).blocked = False
    assert taken(outbox, 2) == [1], "an ill lane is tried with one message"
    outbox.healthy(2, 3, direct=True)
    assert len(taken(outbox, 2)) == WINDOW_MIN + WINDOW_STEP - 1
    assert outbox.back_off(2) == 200


def test_the_deadline_grows_with_measured_round_trips_up_to_four_times() -> None:
    outbox = posted(1, 2)
    assert outbox.deadline_ms(2) == LAN.ack_ms
    outbox.healthy(2, 400, direct=True)
    assert outbox.deadline_ms(2) == 1_600
    outbox.healthy(2, 0, direct=True)
    assert outbox.deadline_ms(2) == 1_400
    outbox.healthy(2, 90_000, direct=True)
    assert outbox.deadline_ms(2) == 4 * LAN.ack_ms
    assert outbox.deadline_ms(3) == LAN.ack_ms


def test_how_long_passing_on_may_take_is_learnt_from_news_however_late() -> None:
    outbox = posted(2, 2, 3)
    assert outbox.spread_ms(0) == LAN.ack_ms
    assert outbox.spread_ms(1_000) == 4_000, "as the first step took"
    assert outbox.spread_ms(60_000) == LAN.late_ms
    outbox.acked(100, M[0].key, 3, DIRECT)
    outbox.acked(60_000, M[0].key, 77, Way.SPREAD)
    assert outbox.acked(1_000, M[0].key, 3, Way.SPREAD) is None
    assert outbox.spread_ms(0) == 4_000
    assert outbox.slowest_ms == 1_000
    outbox.healthy(2, 1_200, direct=True)
    assert outbox.slowest_ms == 1_200


def test_only_a_direct_success_ends_the_way_round_and_measures() -> None:
    outbox = posted(1, 2)
    outbox.lane(2).relay_until = 30_000
    outbox.healthy(2, 500, direct=False)
    assert (outbox.lane(2).relay_until, outbox.lane(2).srtt_ms) == (30_000, 0)
    outbox.healthy(2, 500, direct=True)
    assert (outbox.lane(2).relay_until, outbox.lane(2).srtt_ms) == (0, 500)


def test_nothing_waits_for_a_forgotten_member() -> None:
    outbox = posted(2, 2, 3)
    outbox.acked(5, M[0].key, 3, DIRECT)
    (settled,) = outbox.forget(2)
    assert (settled.message, settled.missing) == (M[0], (2,))
    assert list(outbox.entries) == [M[1].key]
    assert taken(outbox, 2) == []
    late = outbox.acked(9, M[0].key, 2, Way.CATCH_UP)
    assert late is not None, "what it holds later is news still"
    assert late.missing == ()


def test_the_outbox_of_an_earlier_life_goes_on_with_those_active_now() -> None:
    outbox = Outbox(LAN)
    outbox.restore(0, M[0], Post(M[0].key, (2, 3, 4), (2,), settled=False), active=(2, 3))
    assert taken(outbox, 2) == []
    assert taken(outbox, 4) == []
    assert taken(outbox, 3) == [1]
    entry = outbox.acked(5, M[0].key, 3, DIRECT)
    assert entry is not None
    assert entry.post == Post(M[0].key, (2, 3, 4), (2, 3), settled=True)


def test_only_the_last_settled_messages_can_be_traced() -> None:
    outbox = Outbox(LAN)
    many: list[ChatMessage] = [line(9, seq) for seq in range(1, REMEMBERED + 2)]
    for message in many:
        outbox.post(0, message, ())
    assert outbox.find(many[0].key) is None
    assert outbox.find(many[1].key) is not None


def test_what_an_earlier_life_left_to_those_dropped_since_is_settled() -> None:
    outbox = Outbox(LAN)
    outbox.restore(0, M[0], Post(M[0].key, (2, 3), (2,), settled=False), active=(2,))
    assert (outbox.entries, outbox.lines) == ({}, 0)
    entry = outbox.find(M[0].key)
    assert entry is not None
    assert (entry.acked, entry.missing, entry.acks) == ((2,), (3,), 1)


def test_what_a_member_lacks_is_known_until_it_is_seen_to_hold_it() -> None:
    outbox = posted(2, 2, 3)
    for message in M[:2]:
        outbox.acked(5, message.key, 2, DIRECT)
    assert outbox.lacking(3) == (), "it is waited for"
    outbox.forget(3)
    assert (outbox.lacking(2), outbox.lacking(3)) == ((), (M[0].key, M[1].key))
    outbox.acked(9, M[0].key, 3, Way.CATCH_UP)
    assert outbox.lacking(3) == (M[1].key,)


def test_of_what_is_forgotten_nothing_is_lacking() -> None:
    outbox = Outbox(LAN)
    for seq in range(1, REMEMBERED + 2):
        outbox.post(0, line(9, seq), (3,))
    outbox.forget(3)
    assert len(outbox.lacking(3)) == REMEMBERED
    assert outbox.lacking(3)[0] == line(9, 2).key


def test_what_goes_together_is_counted_in_lines() -> None:
    outbox = Outbox(replace(LAN, batch_max=4))
    said = [line(1, n, "one", more=("two", "three")) for n in (1, 2)]
    for message in said:
        outbox.post(0, message, (2,))
    assert outbox.take(2) == (said[0],)
    assert outbox.take(2) == (said[1],)
    assert (outbox.lines, outbox.lane(2).lines) == (6, 6)
