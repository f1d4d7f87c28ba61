"""Tries node/archive, with node/archive/lines.py: messages of several lines."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node.archive import Archive, MemoryArchive, SqliteArchive, Unread
from node.archive.lines import CHUNK
from node.archive.ports import FOUND_MAX
from node.core.conversation import LINES_MAX, ChatMessage, Line
from node.core.effects import StoreMessages, Trim
from node.core.types import Epoch, Hlc, Key, MemberId, Stream
from tests.logs import KEY
from tests.node import wire_values as values
from tests.node.test_archive import ANNA, BOB, ME, SENT_MS, STREAM, keep, line, shown, texts, uuid
from tests.node.wire_values import TWO_LINES


def said(
    seq: int, *lines: str, at: int = 0, source: int = ANNA, ids: tuple[int, ...] = ()
) -> ChatMessage:
    """A message of these lines, whose ids are the ten after `seq` tens unless that is said."""
    named = ids or tuple(range(10 * seq, 10 * seq + len(lines)))
    one = line(seq, at=at, source=source)
    return replace(one, ids=tuple(uuid(source * 1_000_000 + n) for n in named), texts=lines)


def id_of(n: int, source: int = ANNA) -> str:
    return uuid(source * 1_000_000 + n)


THREE = [said(n, f"{n}a", f"{n}b", f"{n}c") for n in (1, 2, 3)]


# ---- what comes back -----------------------------------------------------------------------------


@given(st.lists(values.long_messages, max_size=4, unique_by=lambda message: message.key))
@settings(max_examples=30)
def test_all_that_a_message_says_is_in_the_file(messages: list[ChatMessage]) -> None:
    with TemporaryDirectory() as directory:
        archive = SqliteArchive(Path(directory) / "a.db", KEY)
        keep(archive, *messages)
        archive.close()
        again = SqliteArchive(Path(directory) / "a.db", KEY)
        assert set(again.load().messages) == {*messages}
        assert again.read([one.key for one in messages]) == messages
        again.close()


def test_a_message_comes_back_as_it_was_said(archive: Archive) -> None:
    keep(archive, TWO_LINES)
    (read,) = archive.read([TWO_LINES.key])
    assert read == archive.load().messages[0] == TWO_LINES
    assert (read.salts, read.signature) == (TWO_LINES.salts, TWO_LINES.signature)
    assert (read.digest, read.hash) == (TWO_LINES.digest, TWO_LINES.hash)
    assert archive.page(count=2) == [Line(TWO_LINES, 0), Line(TWO_LINES, 1)]


def test_lines_that_look_like_a_table_of_their_own_stay_lines(archive: Archive) -> None:
    odd = said(1, '["a", "b"]', "a,b", "\0\x1b\x7f", "a\nb\u2028c", '"', "\\u0041", "\u65e5")
    keep(archive, odd)
    assert archive.read([odd.key]) == [odd]
    assert texts(archive.page(count=9)) == list(odd.texts)
    for at, text in enumerate(odd.texts):
        assert Line(odd, at) in archive.page(count=9, contains=text)


# ---- pages ---------------------------------------------------------------------------------------


def test_a_page_may_begin_and_end_within_a_message(archive: Archive) -> None:
    keep(archive, *THREE)
    assert texts(archive.page(count=4)) == ["2c", "3a", "3b", "3c"]
    assert texts(archive.page(count=1)) == ["3c"]
    assert texts(archive.page(count=99)) == ["1a", "1b", "1c", "2a", "2b", "2c", "3a", "3b", "3c"]
    middle = Line(THREE[1], 1).place
    assert texts(archive.page(count=2, before=middle)) == ["1c", "2a"]
    assert texts(archive.page(count=9, before=middle)) == ["1a", "1b", "1c", "2a"]
    assert texts(archive.page(count=2, after=middle)) == ["2c", "3a"]
    assert texts(archive.page(count=9, after=middle)) == ["2c", "3a", "3b", "3c"]
    assert archive.page(count=0, before=middle) == archive.page(count=0, after=middle) == []


def test_between_two_lines_of_a_message_is_what_lies_between_them(archive: Archive) -> None:
    keep(archive, *THREE)
    first, last = Line(THREE[0], 0).place, Line(THREE[0], 2).place
    assert texts(archive.page(count=9, after=first, before=last)) == ["1b"]
    last = Line(THREE[2], 1).place
    assert texts(archive.page(count=2, after=first, before=last)) == ["1b", "1c"]
    assert texts(archive.page(count=9, after=first, before=last)) == [
        *("1b", "1c", "2a", "2b", "2c", "3a"),
    ]


def test_from_every_line_both_ways_is_what_comes_before_and_after_it(archive: Archive) -> None:
    keep(archive, *(said(n, *"abcd"[: 1 + n % 4], at=n // 3 + 1) for n in range(1, 20)))
    whole = archive.page(count=99)
    assert whole == sorted(whole, key=lambda one: one.place)
    assert len({one.place for one in whole}) == len(whole) == sum(1 + n % 4 for n in range(1, 20))
    for n, one in enumerate(whole):
        for count in (1, 2, 5, 99):
            assert archive.page(count=count, before=one.place) == whole[:n][-count:]
            assert archive.page(count=count, after=one.place) == whole[n + 1 :][:count]


@pytest.mark.parametrize("lines", [1, 3, LINES_MAX])
def test_a_long_log_is_paged_through_without_a_gap(archive: Archive, lines: int) -> None:
    many = [said(n, *["x"] * lines, ids=tuple(range(n * 100, n * 100 + lines)))
            for n in range(1, 3 * CHUNK)]  # fmt: skip
    keep(archive, *many)
    whole, size = shown(*many), (CHUNK + 1) * lines + 1
    read: list[Line] = []
    while page := archive.page(count=size, before=read[0].place if read else None):
        assert page == whole[: len(whole) - len(read)][-size:]
        read[:0] = page
    assert read == whole
    read = archive.page(count=1, after=(Hlc(0, 0), 0, Stream(0, 0), 0, 0))
    while page := archive.page(count=size, after=read[-1].place):
        assert page == whole[len(read) :][:size]
        read += page
    assert read == whole


def test_a_bound_in_time_is_of_the_whole_message(archive: Archive) -> None:
    keep(archive, *THREE)
    assert texts(archive.page(count=4, since_ms=SENT_MS + 2)) == ["2c", "3a", "3b", "3c"]
    assert texts(archive.page(count=99, since_ms=SENT_MS + 3)) == ["3a", "3b", "3c"]
    assert archive.page(count=9, since_ms=SENT_MS + 4) == []


# ---- searching -----------------------------------------------------------------------------------


def test_a_search_gives_the_lines_that_hold_it_and_no_others(archive: Archive) -> None:
    keep(archive, said(1, "Tea?", "no", "TEA!"), said(2, "nothing", "a steak"), said(3, "none"))
    found = archive.page(count=9, contains="tea")
    assert texts(found) == ["Tea?", "TEA!", "a steak"]
    assert [one.at for one in found] == [0, 2, 1]
    assert texts(archive.page(count=2, contains="tea")) == ["TEA!", "a steak"]
    assert texts(archive.page(count=2, contains="tea", before=found[2].place)) == ["Tea?", "TEA!"]
    assert texts(archive.page(count=1, contains="tea", after=found[0].place)) == ["TEA!"]
    assert texts(archive.page(count=9, contains="STEAK")) == ["a steak"]
    assert texts(archive.page(count=9, contains="tea", since_ms=SENT_MS + 2)) == ["a steak"]


def test_what_ends_in_one_line_and_begins_in_the_next_is_not_found(archive: Archive) -> None:
    keep(archive, said(1, "begin", "end"))
    for between in ("nend", 'n","e', '","', ",", "[", '"'):
        assert archive.page(count=9, contains=between) == [], between


def test_a_hit_far_back_is_found_however_many_lines_lie_between(archive: Archive) -> None:
    keep(archive, said(1, "a", "hit", "b"), *(said(n, "x", "y") for n in range(2, 3 * CHUNK)))
    assert texts(archive.page(count=1, contains="HIT")) == ["hit"]
    assert texts(archive.page(count=1, contains="b")) == ["b"]


# ---- ids -----------------------------------------------------------------------------------------


def test_a_line_is_found_by_its_own_id(archive: Archive) -> None:
    keep(archive, *THREE)
    for message in THREE:
        for at, id in enumerate(message.ids):
            assert archive.find(id) == [Line(message, at)]


def test_lines_whose_ids_begin_alike_are_found_together(archive: Archive) -> None:
    one = "0f8fad5b-d9cb-469f-a165-70867728950e"
    two = "0f8fad5b-d9cc-469f-a165-70867728950e"
    other = "1f8fad5b-d9cb-469f-a165-70867728950e"
    both = replace(said(1, "a", "b", "c"), ids=(two, other, one))
    keep(archive, both)
    assert archive.find("0f8f") == [Line(both, 0), Line(both, 2)]
    assert archive.find("0f8fad5bd9cb") == [Line(both, 2)]
    assert archive.find("1f") == [Line(both, 1)]
    assert (archive.brief(one), archive.brief(two)) == ("0f8fad5bd9cb", "0f8fad5bd9cc")
    assert archive.brief(other) == "1f8f"


def test_a_beginning_that_many_lines_share_finds_the_first(archive: Archive) -> None:
    many = [said(n, *["x"] * 30, at=900 - n, ids=tuple(range(n * 100, n * 100 + 30)))
            for n in range(1, 9)]  # fmt: skip
    keep(archive, *many)
    assert archive.find("00") == shown(*many)[:FOUND_MAX]
    assert len(shown(*many)) > FOUND_MAX


def test_a_repeated_id_hides_its_line_alone(archive: Archive) -> None:
    later = said(5, "x", "again", "y", ids=(50, 11, 52))
    keep(archive, THREE[0], later)
    assert texts(archive.page(count=9)) == ["1a", "1b", "1c", "x", "y"]
    assert texts(archive.page(count=2)) == ["x", "y"]
    assert texts(archive.page(count=3, after=Line(THREE[0], 1).place)) == ["1c", "x", "y"]
    assert texts(archive.page(count=1, after=Line(later, 0).place)) == ["y"]
    assert archive.find(id_of(11)) == [Line(THREE[0], 1)]
    assert archive.page(count=9, contains="again") == []
    assert archive.unread(ME, lambda text: "again" in text) == Unread(5, 0)
    assert archive.read([later.key]) == [later], "whole, to be handed on"
    theirs = said(6, "of another", "author", source=BOB)
    keep(archive, replace(theirs, ids=(id_of(50), id_of(52))))
    assert len(archive.page(count=9)) == 7
    assert texts(archive.find(id_of(50))) == ["x", "of another"]


def test_a_line_at_a_lower_place_hides_those_that_came_before_it(archive: Archive) -> None:
    keep(archive, said(5, "x", "y", "z"), said(6, "6", ids=(52,)))
    assert texts(archive.page(count=9)) == ["x", "y", "z"]
    keep(archive, said(2, "earlier y", "b", ids=(51, 20)))
    assert texts(archive.page(count=9)) == ["earlier y", "b", "x", "z"]
    assert texts(archive.find(id_of(51))) == ["earlier y"]
    assert texts(archive.find(id_of(52))) == ["z"]


def test_what_takes_the_place_of_a_message_may_have_other_lines(archive: Archive) -> None:
    keep(archive, *THREE)
    fresh = said(2, "one", "1b again", ids=(29, 11))
    keep(archive, fresh)
    assert texts(archive.page(count=9)) == ["1a", "1b", "1c", "one", "3a", "3b", "3c"]
    assert [archive.find(id_of(n)) for n in (20, 21, 22)] == [[], [], []]
    assert archive.find(id_of(29)) == [Line(fresh, 0)]
    keep(archive, said(1, "alone", at=1))
    assert texts(archive.page(count=9))[:3] == ["alone", "one", "1b again"]
    assert archive.find(id_of(11)) == [Line(fresh, 1)]
    assert archive.find(id_of(12)) == []


def test_a_message_is_trimmed_with_all_its_lines(archive: Archive) -> None:
    repeated = said(4, "4", "2b again", ids=(40, 21))
    keep(archive, *THREE, repeated)
    archive.append([Trim((THREE[1].key,))])
    assert texts(archive.page(count=9)) == ["3a", "3b", "3c", "4", "2b again"]
    assert [archive.find(id_of(n)) for n in (10, 11, 12, 20, 22)] == [[]] * 5
    assert archive.find(id_of(21)) == [Line(repeated, 1)]
    assert archive.unread(ME, lambda _: True) == Unread(5, 5)
    archive.append([Trim((repeated.key,))])
    assert archive.page(count=9) == []
    assert archive.find("0") == []


# ---- unread --------------------------------------------------------------------------------------


def test_unread_are_lines_and_each_may_name_the_reader(archive: Archive) -> None:
    def mentions(text: str) -> bool:
        return "me" in text

    keep(archive, said(1, "me", "you", "me too"), said(2, "me", "mine", source=ME))
    assert archive.unread(ME, mentions) == Unread(3, 2)
    keep(archive, said(3, "a", "me"), said(4, "you", source=BOB))
    assert archive.unread(ME, mentions) == Unread(6, 3)
    keep(archive, said(1, "you", at=1))
    assert archive.unread(ME, mentions) == Unread(4, 1)
    archive.mark_read()
    keep(archive, said(5, "x", "a again", "y", ids=(50, 30, 52)))
    assert archive.unread(ME, mentions) == Unread(2, 0)
    assert archive.unread(ANNA, mentions) == Unread(0, 0)


# ---- whatever is done ----------------------------------------------------------------------------


class Model:
    """What every log promises, in so many words."""

    def __init__(self) -> None:
        self.messages: dict[Key, ChatMessage] = {}
        self.read: set[Key] = set()

    def trim(self, last: Key) -> None:
        gone = [key for key in self.messages if key.source == last.source and key <= last]
        for key in gone:
            del self.messages[key]
            self.read.discard(key)

    def lines(self) -> list[Line]:
        lines = shown(*self.messages.values())
        return [one for one in lines if not any(map(self._hides, [one] * len(lines), lines))]

    @staticmethod
    def _hides(one: Line, other: Line) -> bool:
        same = (one.id, one.message.key.source) == (other.id, other.message.key.source)
        return same and other.message.place < one.message.place

    def unread(self, me: MemberId) -> Unread:
        keys = ((one, one.message.key) for one in self.lines())
        fresh = [one.text for one, key in keys if key.source != me and key not in self.read]
        return Unread(len(fresh), sum(map(mentioned, fresh)))


def mentioned(text: str) -> bool:
    return "b" in text


IDS = [uuid(n) for n in range(5)] + ["0f" + uuid(n)[2:] for n in range(5)]
messages = st.builds(
    lambda key, lines, ms: ChatMessage(
        key,
        tuple(id for id, _ in lines),
        tuple(text for _, text in lines),
        (),
        Hlc(ms, 0),
        1,
        Epoch(1, 1),
    ),
    st.builds(
        Key,
        st.sampled_from([ME, ANNA, BOB]),
        st.sampled_from([STREAM, Stream(1, 1)]),
        st.integers(1, 4),
    ),
    st.lists(
        st.tuples(st.sampled_from(IDS), st.sampled_from(["a", "b", "AB", "c"])),
        min_size=1,
        max_size=3,
        unique_by=lambda one: one[0],
    ),
    st.integers(1, 5),
)
steps = st.one_of(
    st.lists(messages, min_size=1, max_size=6),
    st.builds(
        Key, st.sampled_from([ANNA, BOB]), st.sampled_from([STREAM, Stream(1, 1)]),
        st.integers(1, 4),
    ),
    st.none(),
)  # fmt: skip


def agree(archive: Archive, model: Model) -> None:
    """The log shows what it must, from all sides."""
    lines = model.lines()
    assert archive.page(count=99) == lines
    assert set(archive.load().messages) == {*model.messages.values()}
    assert archive.unread(ME, mentioned) == model.unread(ME)
    for id in IDS:
        assert archive.find(id) == [one for one in lines if one.id == id]
    assert archive.find("0f") == [one for one in lines if one.id.startswith("0f")]
    assert archive.page(count=99, contains="A") == [one for one in lines if "a" in one.text.lower()]


def from_all_sides(archive: Archive, lines: list[Line]) -> None:
    for n, one in enumerate(lines):
        assert archive.page(count=3, before=one.place) == lines[:n][-3:]
        assert archive.page(count=3, after=one.place) == lines[n + 1 :][:3]


@given(st.lists(steps, max_size=8))
def test_whatever_is_stored_read_and_trimmed_both_logs_show_what_they_must(
    done: Iterable[list[ChatMessage] | Key | None],
) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "a.db"
        archives, model = [MemoryArchive(), SqliteArchive(path, KEY)], Model()
        for step in done:
            for archive in archives:
                match step:
                    case None:
                        archive.mark_read()
                    case Key():
                        archive.append([Trim((step,))])
                    case _:
                        archive.append([StoreMessages(tuple(step))])
            match step:
                case None:
                    model.read.update(model.messages)
                case Key():
                    model.trim(step)
                case _:
                    model.messages |= {one.key: one for one in step}
            for archive in archives:
                agree(archive, model)
        for archive in archives:
            from_all_sides(archive, model.lines())
            archive.close()
        again = SqliteArchive(path, KEY)
        agree(again, model)
        again.close()
