"""The window on a transcript, and where a scroll leads."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node import happenings as h
from node import words as w
from node.cli.model import Anchor, Item, Settings, State, View
from node.cli.render.items import options, rows_of
from node.cli.render.rows import Row, plain
from node.cli.render.transcript import END, TOP, scrolled, shown_at, window
from tests.cli.drawn import (
    DAY,
    DEV,
    NOW,
    G,
    columns_of,
    line,
    notice,
    picture,
    reply,
    showing,
    talk,
)

WIDTH = 60


def view_of(items: Sequence[Item], scroll: Anchor | None = None, **more: object) -> View:
    view = replace(DEV, items=tuple(items), marker=0, scroll=scroll)
    return replace(view, **more)  # type: ignore[arg-type]


def seen(view: View, height: int, state: State | None = None, width: int = WIDTH) -> list[str]:
    """What the rows of the window say, without the columns before it."""
    rows = window(state or showing(view), view, width, height, NOW)
    assert len(rows) == height
    assert columns_of(rows) <= {width}
    return [plain(row).split(" | ")[-1].strip() for row in rows]


def moved(view: View, by: int, height: int, state: State | None = None) -> tuple[View, bool]:
    anchor, top = scrolled(state or showing(view), view, WIDTH, height, by, NOW)
    return replace(view, scroll=anchor), top


# ---- the window --------------------------------------------------------------------------------


def test_the_end_is_shown() -> None:
    assert seen(view_of(talk(9)), 3) == ["line 7", "line 8", "line 9"]


def test_few_lines_stand_at_the_top() -> None:
    assert seen(view_of(talk(2)), 4) == ["line 1", "line 2", "", ""]
    assert seen(view_of(()), 2) == ["", ""]


def test_scrolled_up_the_anchor_is_the_last_row() -> None:
    assert seen(view_of(talk(9), Anchor(5)), 3) == ["line 3", "line 4", "line 5"]


def test_an_anchor_can_be_in_the_middle_of_an_item() -> None:
    items = (*talk(3), line(4, 4, "eve", "a\nb\nc"), line(5, 5, "bob", "end"))
    assert seen(view_of(items, Anchor(4, 1)), 3) == ["line 3", "a", "b"]


def test_new_lines_move_nothing_while_scrolled_up() -> None:
    before = view_of(talk(9), Anchor(5))
    after = replace(before, items=talk(30), marker=9, unread=21)
    assert seen(before, 3) == seen(after, 3)


def test_a_longer_nick_moves_nothing_while_scrolled_up() -> None:
    long = tuple(line(n, n, "alice", f"{n} " + "word " * (n % 17)) for n in range(1, 40))
    before, _ = moved(view_of(long), -9, 8)
    came = (*long, line(99, 99, "bartholomew", "hello"))
    after = replace(before, items=came, members=(w.Member(G + 1, "christopher", "alive"),))
    assert seen(after, 8) == seen(before, 8)
    assert seen(moved(after, -1, 8)[0], 8)[1:] == seen(before, 8)[:-1]
    assert seen(replace(after, scroll=None), 8)[-1] == "hello"
    assert (
        window(showing(after), replace(after, scroll=None), WIDTH, 8, NOW)[-1][1][1]
        == "bartholomew"
    )


def test_older_lines_that_come_move_nothing() -> None:
    old = line(50, -9 * DAY / 1000, "bob", "another day")
    items = (old, line(51, -8 * DAY / 1000, "bob", "x"), *talk(9))
    view = view_of(items[1:], Anchor(51, 0))
    longer = replace(view, items=items)
    assert seen(view_of(items[1:], Anchor(3, 0)), 3)[-1] == "line 3"
    assert seen(longer, 3)[-1] == "x"


def test_a_day_line_that_comes_before_an_anchor_moves_nothing() -> None:
    items = (line(1, -DAY / 1000, "bob", "yesterday"), line(2, 2, "bob", "a\nb"), *talk(5, 3))
    alone = view_of(items[1:], Anchor(2, 1))
    assert seen(alone, 2) == seen(replace(alone, items=items), 2) == ["a", "b"]


def test_the_day_line_itself_can_be_the_last_row() -> None:
    items = (
        *(line(n, n - 2 * DAY / 1000, "bob", f"{n}") for n in (1, 2, 3)),
        line(4, 0, "bob", "x"),
    )
    view, _ = moved(view_of(items), -1, 3)
    assert view.scroll == Anchor(4, -1)
    assert "Friday" in seen(view, 3)[-1]


def test_a_window_that_can_be_filled_is() -> None:
    assert seen(view_of(talk(9), Anchor(1)), 4) == [f"line {n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("anchor", [Anchor(99), Anchor(5, 99), Anchor(5, -99)])
def test_an_anchor_that_is_gone_breaks_nothing(anchor: Anchor) -> None:
    last = seen(view_of(talk(9), anchor), 3)[-1]
    assert last == ("line 9" if anchor.serial == 99 else "line 5")


def test_what_is_hidden_takes_no_rows() -> None:
    items = (*talk(3), line(4, 4, "eve", "spam"), line(5, 5, "bob", "end"))
    view = view_of(items, Anchor(4))
    assert seen(view, 3, showing(view, ignored=("eve",))) == ["line 1", "line 2", "line 3"]


def test_an_anchor_on_what_is_hidden_at_the_very_top_breaks_nothing() -> None:
    view = view_of((line(1, 0, "eve", "spam"), *talk(3, 2)), Anchor(1))
    assert seen(view, 2, showing(view, ignored=("eve",))) == ["line 2", "line 3"]


def test_where_all_is_hidden_the_window_is_empty() -> None:
    view = view_of([notice(n, n, h.MemberEvent(G + 4, "carol", "left")) for n in range(1, 9)])
    state = showing(view, settings=Settings(notices="off"))
    assert seen(view, 2, state) == ["", ""]
    assert scrolled(state, view, WIDTH, 2, -1, NOW) == (None, True)
    assert shown_at(state, view, 3, WIDTH, 2, NOW) is None


def test_a_resize_keeps_the_place() -> None:
    items = (*talk(9), line(10, 10, "eve", "words " * 40), *talk(9, 11))
    view = view_of(items, Anchor(10, 5))
    for width in (40, 60, 100, 200):
        text = [row for row in seen(view, 8, width=width) if row.startswith("words")]
        assert text, width


# ---- scrolling ---------------------------------------------------------------------------------


def test_a_page_up_and_down_again() -> None:
    view = view_of(talk(20))
    up, top = moved(view, -5, 5)
    assert (seen(up, 5)[-1], top) == ("line 15", False)
    down, _ = moved(up, 5, 5)
    assert down.scroll is None


def test_the_top_is_reached_and_not_passed() -> None:
    up, top = moved(view_of(talk(20)), -15, 5)
    assert (seen(up, 5), top) == ([f"line {n}" for n in range(1, 6)], True)
    assert moved(view_of(talk(20)), -99, 5)[0].scroll == up.scroll
    assert moved(view_of(talk(20)), -14, 5)[1] is False


def test_few_lines_cannot_be_scrolled_and_older_ones_are_wanted() -> None:
    assert scrolled(showing(DEV), view_of(talk(3)), WIDTH, 5, -2, NOW) == (None, True)
    assert scrolled(showing(DEV), view_of(()), WIDTH, 5, -2, NOW) == (None, True)


def test_beyond_the_end_is_the_end() -> None:
    up, _ = moved(view_of(talk(20)), -5, 5)
    assert moved(up, 99, 5)[0].scroll is None


def test_to_the_very_ends() -> None:
    view = view_of(talk(20))
    top, reached = moved(view, TOP, 5)
    assert (seen(top, 5)[0], reached) == ("line 1", True)
    assert moved(top, END, 5)[0].scroll is None


def test_a_window_that_ends_before_the_present_ends_at_an_anchor() -> None:
    view = view_of(talk(20), Anchor(10), cut_off=True)
    down, _ = moved(view, 99, 5)
    assert down.scroll == Anchor(20, 0)
    assert moved(view, END, 5)[0].scroll == Anchor(20, 0)
    assert moved(view, 1, 5)[0].scroll == Anchor(11, 0)


def test_a_scroll_by_nothing_tells_whether_older_lines_are_wanted() -> None:
    assert scrolled(showing(DEV), view_of(talk(20)), WIDTH, 5, 0, NOW) == (None, False)
    assert scrolled(showing(DEV), view_of(talk(5)), WIDTH, 5, 0, NOW) == (None, True)


# ---- what is looked for ------------------------------------------------------------------------


def test_an_item_comes_to_the_middle() -> None:
    view = view_of(talk(40))
    anchor = shown_at(showing(view), view, 20, WIDTH, 5, NOW)
    assert seen(replace(view, scroll=anchor), 5)[2] == "line 20"


def test_an_item_near_an_end_is_on_the_screen_at_least() -> None:
    view = view_of(talk(40))
    assert shown_at(showing(view), view, 40, WIDTH, 5, NOW) is None
    anchor = shown_at(showing(view), view, 1, WIDTH, 5, NOW)
    assert seen(replace(view, scroll=anchor), 5) == [f"line {n}" for n in range(1, 6)]


def test_an_item_that_is_not_there_moves_nothing() -> None:
    view = view_of(talk(40), Anchor(7))
    assert shown_at(showing(view), view, 99, WIDTH, 5, NOW) == Anchor(7)


def test_an_item_that_is_hidden_moves_nothing() -> None:
    view = view_of((*talk(9), line(10, 10, "eve", "spam"), *talk(9, 11)), Anchor(7))
    state = showing(view, ignored=("eve",))
    assert shown_at(state, view, 10, WIDTH, 5, NOW) == Anchor(7)


# ---- any transcript ----------------------------------------------------------------------------


def _item(serial: int, kind: int, rows: int) -> Item:
    text = "\n".join(f"{serial}.{row}" for row in range(rows))
    at_s = serial * 60 * 60 * 5  # a new day now and then
    match kind:
        case 0:
            return line(serial, at_s, "bob", text)
        case 1:
            return line(serial, at_s, "you", text + " and some words more", acked=1, of=3)
        case 2:
            return line(serial, at_s, "eve", text)  # is ignored
        case _:
            return reply(serial, at_s, *text.split("\n"))


TRANSCRIPTS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), max_size=25).map(
    lambda kinds: tuple(_item(n, kind, rows) for n, (kind, rows) in enumerate(kinds, 1))
)


def everything(state: State, view: View, width: int) -> list[Row]:
    opts = options(state, view, width)
    every = (rows_of(view, at, width, NOW, opts).rows for at in range(len(view.items)))
    return [row for rows in every for row in rows]


@given(
    TRANSCRIPTS, st.integers(1, 12), st.integers(0, 30), st.lists(st.integers(-15, 15), max_size=6)
)
def test_a_scroll_moves_by_exactly_the_rows_asked(
    items: tuple[Item, ...], height: int, marker: int, steps: list[int]
) -> None:
    view = view_of(items, marker=marker)
    state = showing(view, ignored=("eve",))
    rows = everything(state, view, WIDTH)
    first = max(0, len(rows) - height)  # of the rows on the screen, the first
    for by in steps:
        view, top = moved(view, by, height, state)
        first = min(max(0, first + by), max(0, len(rows) - height))
        shown = window(state, view, WIDTH, height, NOW)
        assert shown[: len(rows)] == rows[first : first + height]
        assert (view.scroll is None) == (first + height >= len(rows))
        assert top == (first == 0)


@given(TRANSCRIPTS, st.integers(1, 12), st.integers(1, 15), st.integers(1, 15))
def test_up_and_down_again_returns(
    items: tuple[Item, ...], height: int, once: int, by: int
) -> None:
    start, _ = moved(view_of(items), -once, height)
    up, top = moved(start, -by, height)
    if not top:
        down, _ = moved(up, by, height)
        assert down.scroll == start.scroll


@given(TRANSCRIPTS, st.integers(1, 12), st.integers(0, 26), st.integers(1, 90))
def test_any_window_of_any_size_is_full(
    items: tuple[Item, ...], height: int, serial: int, width: int
) -> None:
    view = view_of(items, Anchor(serial) if serial else None)
    state = showing(view, ignored=("eve",))
    rows = everything(state, view, width)
    shown = window(state, view, width, height, NOW)
    assert columns_of(shown) == {width}
    blank = sum(not plain(row).strip() for row in shown)
    assert blank <= max(0, height - len(rows)) + sum(not plain(row).strip() for row in rows)


@given(TRANSCRIPTS, st.integers(1, 12), st.integers(1, 26))
def test_what_is_looked_for_is_on_the_screen(
    items: tuple[Item, ...], height: int, serial: int
) -> None:
    view = view_of(items, Anchor(1))
    state = showing(view, ignored=("eve",))
    anchor = shown_at(state, view, serial, WIDTH, height, NOW)
    text = picture(window(state, replace(view, scroll=anchor), WIDTH, height, NOW))
    wanted = next((item for item in items if item.serial == serial), None)
    if wanted and _is_shown(wanted):
        assert f"{serial}.0" in text


def _is_shown(item: Item) -> bool:
    return getattr(item.entry, "nick", "") != "eve"
