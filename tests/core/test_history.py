"""Tries node/core/history.py."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core.conversation import ChatMessage, Kind
from node.core.history import NO_FLOOR, History
from node.core.types import Epoch, Floor, Hlc, Key

from .cast import line, stream
from .laws import conversations, fixed

PAGE = 256 * 1024


def holding(*messages: ChatMessage) -> History:
    history = History()
    for message in messages:
        history.add(message)
    return history


def lacks(asked: History, asker: History, **rest: object) -> list[Key]:
    """What the asker would be sent, by the way that nodes take: authors, then runs, then a page."""
    sources = asked.differing(asker.digests())
    options = {"newest_first": False, "bytes_max": PAGE, **rest}
    keys, _ = asked.lacking(sources, asker.held(sources), **options)  # type: ignore[arg-type]
    return list(keys)


LINES = [line(1, 1), line(1, 2), line(2, 1), line(1, 1, k=2, ms=5_000), line(3, 4)]


def test_a_key_is_taken_in_once() -> None:
    history = History()
    assert history.add(LINES[0]) is True
    assert history.add(LINES[0]) is False
    assert (len(history), LINES[0].key in history) == (1, True)
    assert history.hlc(LINES[0].key) == LINES[0].hlc
    assert history.hlc(LINES[1].key) is None


@pytest.mark.parametrize(
    "change",
    [
        {"texts": ("other",)},
        {"texts": ("1.1", "other"), "ids": (LINES[0].id, "other")},
        {"ids": ("other",)},
        {"salts": bytes(15) + b"1"},
        {"deps": (line(2, 1).key,)},
        {"hlc": Hlc(7, 7)},
        {"sent": 1},
        {"epoch": Epoch(9, 9)},
        {"kind": Kind.ACTION},
        {"key": Key(1, stream(), 9)},
    ],
)
def test_the_hash_covers_everything_that_a_message_says(change: dict[str, object]) -> None:
    assert replace(LINES[0], **change).hash != LINES[0].hash  # type: ignore[arg-type]


@fixed
@given(conversations(), st.randoms(use_true_random=False))
def test_the_same_messages_in_any_order_make_equal_logs(
    said: list[ChatMessage], rng: Random
) -> None:
    mixed = list(said)
    rng.shuffle(mixed)
    one, other = holding(*said), holding(*mixed)
    assert (one.hash, one.digests()) == (other.hash, other.digests())
    assert one.differing(other.digests()) == ()
    assert lacks(one, other) == []


@fixed
@given(conversations(), st.data())
def test_comparing_finds_exactly_what_the_other_lacks(
    said: list[ChatMessage], data: st.DataObject
) -> None:
    mine = [m for m in said if data.draw(st.booleans())]
    theirs = [m for m in said if data.draw(st.booleans())]
    missing = {m.key for m in mine} - {m.key for m in theirs}
    backwards = data.draw(st.booleans())
    found = lacks(holding(*mine), holding(*theirs), newest_first=backwards)
    assert set(found) == missing
    places = [next(m.place for m in said if m.key == key) for key in found]
    assert places == sorted(places), "a page is in display order"


@fixed
@given(conversations(), st.integers(1, 600))
def test_pages_bring_everything_one_after_the_other(said: list[ChatMessage], size: int) -> None:
    mine, theirs = holding(*said), History()
    by_key = {message.key: message for message in said}
    for _ in range(20):
        sources = mine.differing(theirs.digests())
        page, more = mine.lacking(sources, theirs.held(sources), newest_first=False, bytes_max=size)
        for key in page:
            assert theirs.add(by_key[key]), "sent twice"
        if not more:
            break
    assert mine.hash == theirs.hash


def test_a_page_ends_at_its_size_and_says_that_there_is_more() -> None:
    mine = holding(*(line(1, seq, "x" * 880) for seq in range(1, 11)))
    page, more = mine.lacking((1,), (), newest_first=False, bytes_max=3_000)
    assert ([key.seq for key in page], more) == ([1, 2, 3], True)
    page, more = mine.lacking((1,), (), newest_first=True, bytes_max=3_000)
    assert ([key.seq for key in page], more) == ([8, 9, 10], True)
    page, more = mine.lacking((1,), (), newest_first=False, bytes_max=10_000)
    assert (len(page), more) == (10, False)


def test_what_is_to_be_left_out_is_not_sent() -> None:
    history = holding(line(1, 1), line(1, 2), line(1, 3))
    out = {line(1, 2).key}
    page, _ = history.lacking((1,), (), newest_first=True, bytes_max=PAGE, without=out)
    assert [key.seq for key in page] == [1, 3]
    assert [(run.first, run.last) for run in history.held((1,), without=out)] == [(1, 1), (3, 3)]


@pytest.mark.parametrize(
    ("first", "last", "covered"), [(1, 2, True), (2, 2, True), (2, 3, False), (4, 5, True)]
)
def test_a_run_is_covered_when_each_of_it_is_held(first: int, last: int, covered: bool) -> None:
    history = holding(line(1, 1), line(1, 2), line(1, 4), line(1, 5))
    (run, _) = history.held((1,))
    assert history.covers(run._replace(first=first, last=last)) is covered
    assert not history.covers(run._replace(source=9))


@pytest.mark.parametrize("by", ["instant", "hash"])
def test_of_two_contents_the_earlier_one_stands_and_else_the_lower_hash(by: str) -> None:
    low, high = sorted((line(1, 1, "this"), line(1, 1, "that")), key=lambda one: one.hash)
    if by == "instant":
        low, high = high, replace(low, hlc=Hlc(high.hlc.ms, 1))
        high = next(b for n in range(999) if (b := replace(high, sent=n)).hash < low.hash)
    one, other = holding(low), holding(high)
    assert one.differing(other.digests()) == (1,)
    assert lacks(one, other) == [low.key], "equal runs of other contents are sent"
    assert not one.supersedes(high)
    assert other.supersedes(low)
    other.replace(low)
    assert (one.hash, one.held((1,))) == (other.hash, other.held((1,)))
    assert lacks(one, other) == []


def test_of_one_author_s_messages_with_one_id_the_others_are_repeats() -> None:
    history = History()
    assert history.repeats(line(1, 1, id="x")) == ()
    assert history.repeats(line(1, 1, id="x")) == ()
    assert history.repeats(line(1, 2, id="x")) == (0,)
    assert history.repeats(line(2, 1, id="x")) == (), "ids are unique for each author only"


def test_of_several_lines_those_are_repeats_whose_ids_were_said() -> None:
    history = History()
    said = line(1, 1, "one", more=("two", "three"))
    assert history.repeats(said) == ()
    other = replace(line(1, 2, "four", more=("five", "six")), ids=("x", said.ids[1], "y"))
    assert history.repeats(other) == (1,)
    assert history.repeats(replace(line(1, 3, "seven", more=("eight",)), ids=("x", "y"))) == (0, 1)


def test_an_id_that_was_said_is_known_of_its_author_alone() -> None:
    history = History()
    history.repeats(line(1, 1, id="x"))
    assert history.knows_id(1, "x")
    assert not history.knows_id(2, "x")


def test_the_size_of_a_page_counts_bytes_not_letters() -> None:
    narrow = holding(line(1, 1, "e" * 400), line(1, 2, "e" * 400))
    wide = holding(line(1, 1, "\N{SNOWMAN}" * 400), line(1, 2, "\N{SNOWMAN}" * 400))
    pages = [len(h.lacking((1,), (), newest_first=False, bytes_max=900)[0]) for h in (narrow, wide)]
    assert pages == [2, 1]


# ---- floors and holes ----------------------------------------------------------------------------


def test_trimming_forgets_the_oldest_and_changes_no_hash() -> None:
    said = [line(1, 1, ms=1), line(2, 1, ms=2), line(1, 2, ms=3), line(1, 1, k=2, ms=4)]
    history = holding(*said)
    hash, digests, size = history.hash, history.digests(), history.size
    for message in said:
        history.repeats(message)
    assert history.trim(3, ()) == (said[2].key, said[1].key)
    assert (history.hash, history.digests()) == (hash, digests)
    assert (len(history), history.has(said[3].key)) == (1, True)
    assert 0 < history.size < size / 2
    assert all(message.key in history for message in said), "they count as held"
    assert not history.knows_id(1, said[0].id)
    assert history.knows_id(1, said[3].id)
    assert [(f.source, f.at) for f in history.marks.floors_of((1, 2))] == [
        (1, (stream(), 2)),
        (2, (stream(), 1)),
    ]
    history.trim(1, ())
    assert line(1, 9).key in history, "as does all of an earlier stream"
    assert (history.held((1, 2)), history.size, history.hash) == ((), 0, hash)


def test_nothing_of_an_author_goes_past_what_is_kept() -> None:
    said = [line(1, 1, ms=1), line(1, 2, ms=2), line(2, 1, ms=3), line(2, 2, ms=4)]
    history = holding(*said)
    assert list(history.oldest({said[1].key})) == [said[0].key, said[2].key, said[3].key]


def test_a_log_that_trimmed_is_compared_with_one_that_did_not() -> None:
    said = [line(1, seq, ms=seq) for seq in range(1, 9)]
    whole, part = holding(*said), holding(*said)
    part.trim(5, ())
    assert part.differing(whole.digests()) == ()
    whole.add(line(1, 9))
    floors = part.marks.floors_of((1,))
    keys, _ = whole.lacking(
        (1,), part.held((1,)), newest_first=False, bytes_max=PAGE, floors=floors
    )
    assert [key.seq for key in keys] == [9]
    keys, _ = whole.lacking((1,), (), newest_first=False, bytes_max=PAGE, floors=floors)
    assert [key.seq for key in keys] == [6, 7, 8, 9]
    assert all(part.covers(run) for run in holding(*said).held((1,))), "below the floor it is held"
    assert not part.covers(whole.held((1,))[0])


def test_streams_before_the_askers_floor_are_not_served() -> None:
    history = holding(line(1, 1, k=1), line(1, 1, k=2), line(1, 2, k=2))
    floors = (Floor(1, stream(2), 1, 0),)
    keys, _ = history.lacking((1,), (), newest_first=True, bytes_max=PAGE, floors=floors)
    assert keys == (line(1, 2, k=2).key,)


def test_a_floor_that_counts_something_else_is_adopted_and_what_is_held_stays() -> None:
    said = [line(1, seq, ms=seq) for seq in range(1, 6)]
    theirs = holding(*said)
    theirs.trim(3, ())
    (floor,) = theirs.marks.floors_of((1,))
    whole, mine = holding(*said), holding(*said[:2], *said[3:])
    assert not whole.outranked(floor), "it counts what is held"
    assert mine.outranked(floor)
    mine.adopt(floor)
    assert mine.hash == theirs.hash
    assert (mine.has(said[0].key), said[2].key in mine) == (True, True)
    assert mine.trim(1, ()) == (said[0].key,)
    assert mine.marks.floors_of((1,)) == (floor,), "what goes below it moves it no more"
    assert mine.hash == theirs.hash
    assert mine.trim(2, ())
    assert mine.marks.floors_of((1,))[0].at == (stream(), 4)
    assert mine.hash == theirs.hash


def test_of_who_lies_about_instants_all_is_given_and_trimmed_in_the_order_of_the_stream() -> None:
    instants = (900, 100, 500, 200, 700)
    lies = [line(2, n, ms=ms) for n, ms in enumerate(instants, 1)]
    honest = [line(1, n, ms=150 * n) for n in range(1, 6)]
    history = holding(*lies, *honest)
    for newest_first in (False, True):
        got: list[Key] = []
        more = True
        while more:
            here = holding(*(one for one in (*lies, *honest) if one.key in got))
            page, more = history.lacking(
                (1, 2), here.held((1, 2)), newest_first=newest_first, bytes_max=400
            )
            got += page
        assert sorted(got) == sorted(one.key for one in (*lies, *honest))
    trimmed = [key for _ in range(10) for key in history.trim(1, ())]
    assert [key for key in trimmed if key.source == 2] == [one.key for one in lies]
    assert len(history) == 0


def test_below_a_floor_another_content_changes_nothing() -> None:
    first = line(1, 1)
    for text in ("a", "b", "c", "d"):
        history = holding(first)
        history.adopt(Floor(1, stream(), 1, 5))
        assert not history.supersedes(replace(first, texts=(text,)))
        history.trim(1, ())
        assert not history.supersedes(replace(first, texts=(text,)))


def test_a_hole_is_no_part_of_the_digest_and_what_fills_it_is() -> None:
    hole = line(1, 2)
    one, other = holding(line(1, 1)), holding(line(1, 1))
    assert one.open_hole(hole.key)
    assert not one.open_hole(hole.key)
    assert one.differing(other.digests()) == (), "who does not miss it need not know of it"
    assert one.lost() == {1: 1}
    one.add(hole)
    assert one.differing(other.digests()) == (1,)
    other.add(hole)
    assert (one.hash, one.lost()) == (other.hash, {})


def test_what_went_here_is_known_and_what_others_trimmed_is_not_taken_for_it() -> None:
    history = holding(*(line(1, n) for n in range(1, 5)))
    assert history.top(1) == (stream(), 4)
    assert history.top(2) == NO_FLOOR
    assert not history.was_trimmed(line(1, 1).key)
    history.trim(2, ())
    assert [history.was_trimmed(line(1, n).key) for n in (1, 2, 3)] == [True, True, False]
    history.adopt(Floor(1, stream(), 9, 5))
    assert line(1, 7).key in history
    assert not history.was_trimmed(line(1, 7).key)
    hash = history.hash
    assert history.add(line(1, 7)), "it counts by the floor"
    assert history.hash == hash
    again = History(trimmed=(line(1, 2).key,))
    assert [again.was_trimmed(line(1, n).key) for n in (2, 3)] == [True, False]


def test_a_gap_is_what_is_missing_up_to_a_message() -> None:
    history = holding(line(1, 2), line(1, 3), line(1, 9))
    assert [key.seq for key in history.gap(line(1, 6).key, 99)] == [4, 5, 6]
    assert [key.seq for key in history.gap(line(1, 6).key, 2)] == [5, 6]
    assert [key.seq for key in history.gap(line(1, 3, k=2).key, 99)] == [1, 2, 3]
    history.adopt(Floor(1, stream(), 4, 0))
    assert [key.seq for key in history.gap(line(1, 6).key, 99)] == [5, 6]


def test_of_messages_with_several_lines_as_many_go_as_have_so_many_lines() -> None:
    said = [line(1, n, "one", more=("two", "three"), ms=n) for n in (1, 2, 3)]
    history = holding(*said)
    assert history.lines == 9
    assert history.trim(3, ()) == (said[0].key,)
    assert history.trim(4, ()) == (said[2].key,), "the last one whole"
    assert history.lines == 0
