"""Lines go to their places, notices stay where they came up, and a window keeps within its room.

Tries node/cli/model/transcript.py and node/cli/model/places.py.
"""

import pytest

from node import happenings as h
from node.cli.model import (
    LINES_MAX,
    Anchor,
    Cleared,
    Item,
    Paged,
    Refused,
    Reply,
    Scrolled,
    State,
    Told,
    Towards,
    Unsent,
    View,
    cursor_of,
    newest,
    place_of,
)
from node.cli.model.transcript import fitted, merged, with_entry, with_line
from node.words import Line
from tests.cli.chats import (
    DEV,
    after,
    entered,
    in_chat,
    joined,
    line,
    lines,
    place,
    said,
    serial_of,
    shown,
    view_of,
)


def read(*ats: int, older: str = "") -> State:
    """In #dev, whose last lines have been read."""
    return after(Paged(1, lines(ats), Towards.END, older), state=entered())


def texts(state: State) -> list[str]:
    return shown(view_of(state))


# ---- places -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cursor", "place"),
    [
        ("1.2.3.4.5.6", (1, 2, 3, 4, 5, 6)),
        ("", ()),
        ("beyond", ()),
        ("1.2.x", ()),
    ],
)
def test_a_cursor_is_a_place_in_numbers(cursor: str, place: tuple[int, ...]) -> None:
    assert place_of(cursor) == place
    if place:
        assert cursor_of(place) == cursor


def test_places_are_compared_as_numbers_and_not_as_text() -> None:
    assert texts(after(said(900), said(1000), said(950, backlog=True), state=read())) == [
        "900",
        "950",
        "1000",
    ]


# ---- where a line goes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "older", "comes", "found"),
    [
        ((), "", 10, [10]),
        ((10, 20), "", 30, [10, 20, 30]),
        ((10, 20), "", 15, [10, 15, 20]),
        ((10, 20), "", 20, [10, 20]),
        ((10, 20), "", 10, [10, 20]),
        ((10, 20), "", 5, [5, 10, 20]),
        ((10, 20), place(10), 5, [10, 20]),  # the log has it, and gives it with the older ones
        ((), place(10), 5, []),
        ((), place(10), 15, [15]),
    ],
)
def test_a_line_goes_to_its_place_once(
    held: tuple[int, ...], older: str, comes: int, found: list[int]
) -> None:
    state = after(said(comes, backlog=True), state=read(*held, older=older))
    assert texts(state) == list(map(str, found))


def test_before_the_log_was_read_earlier_lines_are_left_to_it() -> None:
    state = after(said(20), said(10, backlog=True), state=entered())
    assert texts(state) == ["20"]


def test_lines_without_a_place_come_last_and_once() -> None:
    bare = Line(msg_id="a", source_id=5, text="bare")
    other = Line(msg_id="a", source_id=6, text="other")
    more = Line(msg_id="b", source_id=5, text="more")
    events = (in_chat(one) for one in (bare, line(10), bare, other, more))
    assert texts(after(*events, state=entered())) == ["bare", "10", "other", "more"]


def test_a_late_line_goes_among_notices_by_its_time() -> None:
    state = after(said(10), joined("carol", 20), joined("dan", 9_000), said(9_500), state=read())
    late = after(said(15, backlog=True), said(5_000, backlog=True), state=state)
    assert texts(late) == ["10", "15", "carol joined", "5000", "dan joined", "9500"]


def test_what_comes_newest_comes_last_whatever_the_clocks_say() -> None:
    state = after(said(10), joined("carol", 9_000), said(20), state=read())
    assert texts(state) == ["10", "carol joined", "20"]


def test_a_refused_text_and_an_answer_have_their_place_too() -> None:
    state = after(
        said(10),
        Refused(1, "hello", "the chat is gone", 20),
        Told(("bob leads",), at_ms=30),
        state=read(),
    )
    assert texts(state) == ["10", "Unsent", "[bob leads]"]
    assert view_of(state).items[1].entry == Unsent("hello", "the chat is gone", 20)
    assert [item.shown_ms for item in view_of(state).items] == [10, 20, 30]


def test_the_log_is_read_on_from_the_last_line() -> None:
    assert newest(view_of(after(said(10), said(20), joined("carol", 30), state=read()))) == place(
        20
    )
    assert newest(view_of(entered())) == ""


# ---- receipts -----------------------------------------------------------------------------------


def receipt(at: int, acked: int) -> h.ReceiptEvent:
    return h.ReceiptEvent(msg_id=f"{at:04x}", acked=acked, of=3)


def acked(state: State) -> dict[str, tuple[int, int]]:
    held = (item.entry for item in (*view_of(state).items, *view_of(state).later))
    return {one.text: (one.acked, one.of) for one in held if isinstance(one, Line)}


def test_a_receipt_reaches_the_own_line_alone_and_keeps_its_serial() -> None:
    state = after(said(10, own=True), said(20, own=True), said(30), state=read())
    told = after(in_chat(receipt(10, 2)), in_chat(receipt(30, 2)), state=state)
    assert acked(told) == {"10": (2, 3), "20": (0, 2), "30": (0, 0)}
    serials = [item.serial for item in view_of(told).items]
    assert serials == [item.serial for item in view_of(state).items]


def test_a_receipt_of_a_line_that_is_not_held_changes_no_other() -> None:
    state = after(said(10, own=True), state=read())
    assert view_of(after(in_chat(receipt(99, 2)), state=state)).items == view_of(state).items


@pytest.mark.parametrize("towards", [Towards.END, Towards.OLDER])
def test_a_receipt_that_comes_while_its_line_is_read_is_not_lost(towards: Towards) -> None:
    state = entered() if towards is Towards.END else read(20, older=place(20))
    page = Paged(1, (line(10, own=True, acked=1),), towards)
    state = after(in_chat(receipt(10, 1)), in_chat(receipt(10, 2)), page, state=state)
    assert acked(state)["10"] == (2, 3)
    known = Paged(1, (line(15, own=True, acked=2),), towards)
    state = after(in_chat(receipt(15, 1)), known, state=state)
    assert acked(state).get("15") in (None, (2, 2))
    late = after(said(30, own=True), in_chat(receipt(30, 3)), state=state)
    assert acked(late)["30"] == (3, 3)


def test_a_receipt_reaches_a_line_that_came_late_before_the_window() -> None:
    state = after(in_chat(line(10, own=True, backlog=True)), state=read(20, older=place(20)))
    state = after(in_chat(receipt(10, 2)), state=state)
    page = Paged(1, lines([5]), Towards.OLDER)
    assert acked(after(page, state=state))["10"] == (2, 3)


# ---- room ---------------------------------------------------------------------------------------


def items(*ats: int) -> tuple[Item, ...]:
    return tuple(Item(at, line(at), place_of(place(at))) for at in ats)


def item(at: int) -> Item:
    return items(at)[0]


def reply(serial: int, at_ms: int = 0) -> Item:
    return Item(serial, Reply((f"r{serial}",), at_ms))


def serials(view: View) -> list[int]:
    return [item.serial for item in view.items]


def test_at_the_end_the_head_goes_and_the_log_is_older_from_there() -> None:
    view = with_line(View(DEV, items(1, 2, 3), older=""), item(4), 3)
    assert (serials(view), view.older, view.cut_off) == ([2, 3, 4], place(2), False)


def test_a_notice_that_goes_leaves_no_gap_in_the_log() -> None:
    view = View(DEV, (reply(90), *items(1, 2)), older="")
    assert with_line(view, item(3), 3).older == ""
    assert with_line(view, item(3), 2).older == place(2)


def test_where_no_line_is_left_the_log_is_older_from_behind_the_last() -> None:
    view = with_entry(View(DEV, (*items(1), reply(90)), older=""), reply(91), 2)
    assert (serials(view), view.older) == ([90, 91], cursor_of((1, 0, 5, 1, 7, 2)))
    assert serials(with_line(view, item(1), 2)) == [90, 91]


def test_a_log_that_was_never_read_stays_so() -> None:
    assert with_line(View(DEV, items(1, 2)), item(3), 2).older is None


def test_scrolled_up_a_full_window_stays_and_what_comes_waits() -> None:
    view = View(DEV, items(1, 2, 3), scroll=Anchor(1), older="")
    view = with_line(view, item(4), 3)
    view = with_entry(view, reply(90), 3)
    view = with_line(view, item(4), 3)
    assert (serials(view), view.cut_off) == ([1, 2, 3], True)
    assert [item.serial for item in view.later] == [4, 90]


def test_what_waits_keeps_within_bounds_and_the_newest_stay() -> None:
    view = View(DEV, items(1), scroll=Anchor(1), cut_off=True)
    for at in range(2, 1_000):
        view = with_line(view, item(at), 5)
    assert (view.later[-1].serial, len(view.later)) == (999, 200)


@pytest.mark.parametrize(
    ("anchor", "newer", "kept"),
    [
        (1, True, range(1, 11)),
        (3, False, range(1, 11)),
        (3, True, range(1, 11)),  # what is over the anchor may be on the screen
        (12, False, range(3, 13)),
        (18, True, range(11, 21)),
        (12, True, range(7, 17)),
    ],
)
def test_scrolled_up_the_anchor_and_what_is_over_it_stay(
    anchor: int, newer: bool, kept: range
) -> None:
    full = View(DEV, items(*range(1, 21)), scroll=Anchor(anchor), older="")
    view = fitted(full, 10, newer=newer)
    assert serials(view) == list(kept)
    assert view.older == (place(kept[0]) if kept[0] > 1 else "")
    assert view.cut_off == (kept[-1] < 20)


def test_what_goes_at_the_tail_waits_for_its_return() -> None:
    view = View(DEV, (*items(1, 2, 3), reply(90)), scroll=Anchor(1), older="")
    view = fitted(view, 2)
    assert (serials(view), [item.serial for item in view.later]) == ([1, 2], [3, 90])


def test_a_late_line_in_a_full_window_does_not_push_the_anchor_out() -> None:
    view = View(DEV, items(1, 3, 4), scroll=Anchor(4), older="")
    view = with_line(view, item(2), 3)
    assert (serials(view), view.older) == ([2, 3, 4], place(2))


def test_only_so_many_items_are_held() -> None:
    state = read(older=place(1))
    for at in range(1, LINES_MAX + 200):
        state = after(said(at), state=state)
    view = view_of(state)
    assert LINES_MAX * 0.95 < len(view.items) <= LINES_MAX
    assert view.items[-1].entry == line(LINES_MAX + 199)
    assert view.older == view.lines[0].place


# ---- merging ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "lines", "found"),
    [
        ([], [1, 2], [1, 2]),
        ([1, 3], [2, 4], [1, 2, 3, 4]),
        ([(90, 5), 10], [3, 7], [3, 90, 7, 10]),  # by time among what was said
        ([(90, 5), 4], [3, 7], [3, 90, 4, 7]),  # but never against the order of lines
        ([(90, 50), 10], [20], [90, 10, 20]),
        ([(90, 0)], [1], [1, 90]),  # what does not say when it came, came last
    ],
)
def test_lines_are_merged_by_place_and_by_time(
    held: list[int | tuple[int, int]], lines: list[int], found: list[int]
) -> None:
    there = [reply(*one) if isinstance(one, tuple) else items(one)[0] for one in held]
    assert [item.serial for item in merged(there, items(*lines))] == found


# ---- clearing -----------------------------------------------------------------------------------


def test_what_was_cleared_can_be_scrolled_to() -> None:
    state = after(Cleared(1), said(30), state=read(10, 20, older=place(10)))
    assert texts(state) == ["30"]
    older = view_of(state).older
    assert older is not None
    assert place_of(place(20)) < place_of(older) < place_of(place(21))
    back = Paged(1, lines((10, 20)), Towards.OLDER, place(10), asked=older)
    assert texts(after(back, state=state)) == ["10", "20", "30"]


def test_a_late_line_of_what_was_cleared_does_not_come_back_alone() -> None:
    state = after(Cleared(1), said(15, backlog=True), state=read(10, 20))
    assert texts(state) == []
    assert texts(after(said(30), said(25, backlog=True), state=state)) == ["25", "30"]


def test_clearing_far_up_leads_to_the_present() -> None:
    state = read(*range(10, 20))
    up = after(Scrolled(1, Anchor(serial_of(view_of(state), "12"))), state=state)
    full = with_line(view_of(up), Item(99, line(30), place_of(place(30))), 10)
    view = view_of(after(Cleared(1), said(40), state=up.having(full)))
    assert (shown(view), view.at_end, view.later) == (["40"], True, ())
    assert place_of(view.older or "") == (30, 0, 5, 1, 7, 31)


def test_what_is_said_without_a_chat_goes_to_the_lobby() -> None:
    state = after(Told(("there is no chat",)), in_chat(h.ErrorEvent("X", "no"), DEV))
    assert shown(state.front_or_lobby) == ["[there is no chat]"]
    state = after(Cleared(0), state=state)
    assert shown(state.lobby) == []
    assert after(Told(("hello",), chat_id=99), state=entered()).front_or_lobby.items
