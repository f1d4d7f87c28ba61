"""Pages of the log make the window longer, or put another in its place, and lose nothing.

Tries node/cli/model/paging.py.
"""

import pytest
from msgspec.structs import replace

from node.cli.model import (
    LINES_MAX,
    Anchor,
    Cleared,
    Event,
    Linked,
    Paged,
    Place,
    Scrolled,
    Selected,
    State,
    Told,
    Towards,
    cursor_of,
    newest,
    place_of,
)
from node.words import Line
from tests.cli.chats import (
    OPS,
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


def end(*ats: int, older: str = "") -> Paged:
    return Paged(1, lines(ats), Towards.END, older)


def further_back(*ats: int, asked: str = "", older: str = "") -> Paged:
    return Paged(1, lines(ats), Towards.OLDER, older, asked=asked)


def further_on(*ats: int, asked: str = "", at_end: bool = False) -> Paged:
    return Paged(1, lines(ats), Towards.NEWER, at_end=at_end, asked=asked)


def around(*ats: int, older: str = "", at_end: bool = False) -> Paged:
    return Paged(1, lines(ats), Towards.AROUND, older, at_end)


def at(text: str, state: State) -> Scrolled:
    return Scrolled(1, Anchor(serial_of(view_of(state), text)))


def texts(state: State) -> list[str]:
    return shown(view_of(state))


def numbers(*ats: int) -> list[str]:
    return list(map(str, ats))


def cut_off() -> State:
    """Scrolled to 20 in a window of 10 to 30, behind which 40 and 50 are in the log."""
    state = after(around(10, 20, 30, older=place(10)), state=entered())
    return after(at("20", state), state=state)


# ---- the end of the log -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("live", "page", "older", "found"),
    [
        ([], [10, 20], "", [10, 20]),
        ([20, 30], [10, 20], "", [10, 20, 30]),  # 30 came after the page was read
        ([20, 30], [10, 20, 30], place(10), [10, 20, 30]),
        ([10, 20, 30], [20, 30], place(20), [20, 30]),  # what is before is the log's to give
        ([10, 20], [], "", [10, 20]),
        ([], [], "", []),
    ],
)
def test_the_end_of_the_log_and_what_came_meanwhile(
    live: list[int], page: list[int], older: str, found: list[int]
) -> None:
    state = after(*map(said, live), end(*page, older=older), state=entered())
    assert texts(state) == numbers(*found)
    assert view_of(state).older == older


def test_a_line_that_was_held_keeps_its_serial() -> None:
    state = after(said(20), said(30), state=entered())
    read = after(end(10, 20), state=state)
    for text in ("20", "30"):
        assert serial_of(view_of(read), text) == serial_of(view_of(state), text)
    assert len({item.serial for item in view_of(read).items}) == 3


def test_lines_of_the_log_have_not_just_come_up() -> None:
    state = after(end(10), said(20), state=entered())
    assert [item.shown_ms for item in view_of(state).items] == [0, 20]


def test_the_same_page_again_changes_nothing() -> None:
    state = after(end(10, 20), said(30), state=entered())
    assert view_of(after(end(10, 20), state=state)) == view_of(state)


def test_a_page_adds_what_the_window_lacks() -> None:
    state = after(end(10, 30), end(10, 20, 30), state=entered())
    assert texts(state) == numbers(10, 20, 30)


def test_a_late_line_that_came_while_the_end_was_read_is_not_lost() -> None:
    state = after(said(30), said(20, backlog=True), end(10, 25, older=place(10)), state=entered())
    assert texts(state) == numbers(10, 20, 25, 30)


def test_what_was_told_stands_behind_older_lines_and_before_newer_ones() -> None:
    state = after(Told(("hello",), at_ms=50), joined("carol", 15), end(10, 20, 60), state=entered())
    assert texts(state) == ["10", "20", "[hello]", "carol joined", "60"]


def test_receipts_that_the_log_knows_are_taken_over() -> None:
    state = after(end(10), said(20, own=True), state=entered())
    known, outdated = (
        Paged(1, (line(20, own=True, acked=acked),), Towards.END) for acked in (2, 1)
    )
    state = after(known, state=state)
    assert view_of(state).lines[-1].acked == 2
    assert after(outdated, state=state) == state


def test_pages_of_chats_that_are_gone_change_nothing() -> None:
    assert after(Paged(99, lines([1]), Towards.END), state=entered()) == entered()


def test_lines_without_a_place_are_read_once() -> None:
    bare = Line(msg_id="a", source_id=5, text="bare")
    page = Paged(1, (replace(bare, msg_id="b", text="before"), bare), Towards.END)
    assert texts(after(in_chat(bare), page, state=entered())) == ["before", "bare"]


# ---- older lines --------------------------------------------------------------------------------


def test_older_lines_come_before_the_window_until_there_are_no_more() -> None:
    state = after(end(50, 60, older=place(50)), state=entered())
    state = after(further_back(30, 40, asked=place(50), older=place(30)), state=state)
    assert (texts(state), view_of(state).older) == (numbers(30, 40, 50, 60), place(30))
    state = after(further_back(20, asked=place(30)), state=state)
    assert (texts(state), view_of(state).older) == (numbers(20, 30, 40, 50, 60), "")
    assert after(further_back(5), state=state) == state


def test_older_lines_of_a_window_that_has_moved_are_ignored() -> None:
    state = after(end(50, older=place(50)), state=entered())
    assert after(further_back(30, 40, asked=place(45)), state=state) == state
    cleared = after(Cleared(1), state=state)
    assert after(further_back(30, 40, asked=place(50)), state=cleared) == cleared
    unread = entered()
    assert after(further_back(30), state=unread) == unread


def test_a_late_line_that_came_while_older_ones_were_read_is_not_lost() -> None:
    state = after(end(50, older=place(50)), said(35, backlog=True), state=entered())
    assert texts(state) == ["50"]
    state = after(further_back(30, 40, older=place(30)), state=state)
    assert texts(state) == numbers(30, 35, 40, 50)


def test_a_late_line_before_the_older_ones_stays_in_the_log() -> None:
    late = said(25, backlog=True)
    state = after(end(50, older=place(50)), late, state=entered())
    assert texts(after(further_back(30, older=place(30)), state=state)) == numbers(30, 50)
    assert texts(after(further_back(30), state=state)) == numbers(25, 30, 50)


def test_older_lines_go_before_what_was_told_at_the_head_by_time() -> None:
    state = after(joined("carol", 25), end(30, older=place(30)), state=entered())
    state = after(further_back(20, older=place(20)), state=state)
    assert texts(state) == ["20", "carol joined", "30"]


def full(*, up: bool) -> State:
    """As many lines as are held, and one has scrolled to the first."""
    count = LINES_MAX - 200
    state = after(end(*range(1_000, 1_000 + count), older=place(1_000)), state=entered())
    return after(at("1000", state), state=state) if up else state


def test_scrolled_up_older_lines_push_the_end_out() -> None:
    state = full(up=True)
    state = after(further_back(*range(500, 1_000), older=place(500)), state=state)
    view = view_of(state)
    assert (len(view.items), view.cut_off, view.items[0].place) == (
        LINES_MAX,
        True,
        place_of(place(500)),
    )
    assert view.scroll == view_of(full(up=True)).scroll


def test_at_the_end_older_lines_find_no_room() -> None:
    view = view_of(after(further_back(*range(500, 1_000), older=place(500)), state=full(up=False)))
    assert view.items[-1] == view_of(full(up=False)).items[-1]
    assert (len(view.items) <= LINES_MAX, view.cut_off) == (True, False)
    assert view.older == cursor_of(view.items[0].place)


# ---- cut off, and on to the end -----------------------------------------------------------------


def test_cut_off_lines_that_come_only_count() -> None:
    state = after(said(60), said(25, backlog=True), state=cut_off())
    assert texts(state) == numbers(10, 20, 25, 30)
    assert (view_of(state).unread, view_of(state).at_end) == (1, False)


def test_the_log_is_read_on_to_the_end() -> None:
    state = cut_off()
    assert newest(view_of(state)) == place(30)
    state = after(further_on(40, asked=place(30)), state=state)
    assert (texts(state), view_of(state).cut_off) == (numbers(10, 20, 30, 40), True)
    state = after(further_on(50, asked=place(40), at_end=True), state=state)
    assert (texts(state), view_of(state).cut_off) == (numbers(10, 20, 30, 40, 50), False)
    assert after(further_on(60), state=state) == state


def test_a_page_from_beside_the_window_is_ignored() -> None:
    state = cut_off()
    assert after(further_on(50, asked=place(40)), state=state) == state


def test_what_came_while_the_log_was_read_on_is_not_lost() -> None:
    state = after(
        said(60),
        said(35, backlog=True),
        Told(("bob leads",), at_ms=45),
        said(70),
        further_on(40, 50, 60, at_end=True),
        state=cut_off(),
    )
    assert texts(state) == ["10", "20", "30", "35", "40", "[bob leads]", "50", "60", "70"]
    assert view_of(state).later == ()


def test_of_a_page_that_is_not_the_last_only_its_own_stretch_is_put_in() -> None:
    state = after(said(60), said(35, backlog=True), further_on(40), state=cut_off())
    assert texts(state) == numbers(10, 20, 30, 35, 40)
    assert [item.place for item in view_of(state).later] == [place_of(place(60))]


def test_the_end_replaces_a_window_that_was_cut_off() -> None:
    state = after(joined("carol", 25), said(60), Told(("yes",), at_ms=61), state=cut_off())
    state = after(Scrolled(1, None), state=state)
    assert not view_of(state).at_end
    state = after(end(50, 60, older=place(50)), state=state)
    assert texts(state) == ["50", "60", "[yes]"]
    assert (view_of(state).at_end, view_of(state).older) == (True, place(50))


def test_the_end_does_not_move_one_who_reads_elsewhere() -> None:
    state = cut_off()
    read = view_of(after(end(50, 60, older=place(50)), state=state))
    assert replace(read, newest=()) == view_of(state)
    near = after(end(15, 20, 30, 40, older=place(15)), state=state)
    assert texts(near) == numbers(15, 20, 30, 40)
    assert view_of(near).scroll == view_of(state).scroll


def test_before_the_end_was_read_it_does_not_move_one_either() -> None:
    state = after(said(10), said(60), state=entered())
    state = after(at("10", state), end(50, 60, older=place(50)), state=state)
    view = view_of(state)
    assert (texts(state), view.cut_off, view.older) == (numbers(10, 60), True, place(10))


def test_the_end_takes_nothing_away_over_an_answer_that_one_reads() -> None:
    """Which is in no log: it would stay, and all that stood over it go."""
    state = after(said(10), said(60), Told(("yes",), at_ms=61), state=entered())
    state = after(at("[yes]", state), end(70, older=place(70)), state=state)
    view = view_of(state)
    assert (texts(state), view.cut_off) == (["10", "60", "[yes]"], True)
    state = after(Scrolled(1, None), end(60, 70, older=place(60)), state=state)
    assert texts(state) == ["60", "[yes]", "70"]


def test_nor_a_part_of_what_stands_over_a_line_that_one_reads() -> None:
    state = after(said(10), said(50), said(60), state=entered())
    state = after(at("60", state), end(50, 60, 70, older=place(50)), state=state)
    assert (texts(state), view_of(state).cut_off) == (numbers(10, 50, 60), True)
    state = after(Scrolled(1, None), end(50, 60, 70, older=place(50)), state=state)
    assert texts(state) == numbers(50, 60, 70)


def too_much() -> list[Event]:
    return [said(1_000 + count) for count in range(250)]


@pytest.mark.parametrize(
    "page",
    [end(50, older=place(50)), further_on(40, 50, at_end=True), around(40, 50, at_end=True)],
)
def test_a_page_too_old_for_all_that_came_since_is_not_the_end(page: Paged) -> None:
    state = after(*too_much(), state=cut_off())
    if page.towards is Towards.END:
        state = after(Scrolled(1, None), state=state)
    assert view_of(after(page, state=state)).cut_off
    fresh = end(*range(1_000, 1_250), older=place(1_000))
    assert view_of(after(page, Scrolled(1, None), fresh, state=state)).at_end


def test_where_only_answers_came_no_page_is_too_old() -> None:
    state = after(*[Told(("yes",), at_ms=99)] * 250, Scrolled(1, None), state=cut_off())
    assert view_of(after(end(50, older=place(50)), state=state)).at_end


# ---- elsewhere ----------------------------------------------------------------------------------


def elsewhere(*ats: int, **more: bool) -> State:
    """A window around some lines, in a chat whose end was held."""
    state = after(end(50, 60, older=place(50)), joined("carol", 65), state=entered())
    return after(around(*ats, older=place(ats[0]), **more), state=state)


def test_another_window_takes_the_place_of_the_end() -> None:
    view = view_of(elsewhere(10, 20))
    assert (shown(view), view.older, view.cut_off) == (numbers(10, 20), place(10), True)
    assert view.scroll == Anchor(view.items[-1].serial)


def test_what_was_told_at_the_end_is_there_when_it_comes_back() -> None:
    state = after(Scrolled(1, None), end(50, 60, older=place(50)), state=elsewhere(10, 20))
    assert texts(state) == ["50", "60", "carol joined"]


def test_another_window_that_reaches_the_end_is_not_cut_off() -> None:
    view = view_of(elsewhere(40, 50, 60, at_end=True))
    assert (shown(view), view.at_end) == (["40", "50", "60", "carol joined"], True)


def test_one_who_is_at_a_line_of_both_windows_stays_there() -> None:
    state = after(end(50, 60, older=place(50)), state=entered())
    state = after(at("50", state), around(40, 50, older=place(40)), state=state)
    view = view_of(state)
    assert view.scroll == Anchor(serial_of(view, "50"))


def test_lines_that_came_while_another_window_was_read_are_in_it() -> None:
    state = after(end(50, 60, older=place(50)), said(15, backlog=True), state=entered())
    state = after(around(10, 20, older=place(10)), state=state)
    assert texts(state) == numbers(10, 15, 20)


def test_an_empty_window_is_none() -> None:
    state = after(end(50), state=entered())
    assert after(around(), state=state) == state


# ---- after a loss -------------------------------------------------------------------------------


def test_after_a_loss_the_end_is_read_again_and_the_lines_stay_meanwhile() -> None:
    state = after(end(10, 20), Linked(False), state=entered())
    assert state.lost
    state = after(Linked(True), said(50), state=state)
    assert (texts(state), view_of(state).older, state.lost) == (numbers(10, 20, 50), None, False)
    assert view_of(state, OPS).older is None
    state = after(end(30, 40, older=place(30)), state=state)
    assert (texts(state), view_of(state).older) == (numbers(30, 40, 50), place(30))


def test_after_a_loss_one_who_reads_is_not_moved() -> None:
    state = after(end(10, 20, older=place(10)), state=entered())
    up = after(at("10", state), Linked(False), Linked(True), said(50), state=state)
    assert (texts(up), view_of(up).cut_off) == (numbers(10, 20), True)
    assert view_of(up).scroll == Anchor(serial_of(view_of(state), "10"))
    on = after(further_on(30, 40, 50, asked=place(20), at_end=True), state=up)
    assert texts(on) == numbers(10, 20, 30, 40, 50)


def test_clearing_after_a_loss_reads_the_end_again() -> None:
    state = after(end(10), Linked(False), Linked(True), Cleared(1), state=entered())
    assert view_of(state).older is None


def test_clearing_after_a_late_line_of_a_loss_does_so_too() -> None:
    events = (Linked(False), Linked(True), said(20, backlog=True), Cleared(1))
    assert view_of(after(end(10), *events, state=entered())).older is None
    assert view_of(after(end(10), said(20, backlog=True), Cleared(1), state=entered())).older


# ---- chats not looked at ------------------------------------------------------------------------


def test_what_a_page_may_bring_to_a_chat_in_the_back_is_little() -> None:
    ats: list[int] = list(range(1, 500))
    state = after(Selected(2), Selected(1), state=entered())
    state = replace(state, views=(view_of(state), replace(view_of(state, OPS), looked_at=0)))
    view = view_of(after(Paged(2, lines(ats), Towards.END), state=state), OPS)
    first: Place = view.items[0].place
    assert (len(view.items) <= 200, view.older) == (True, cursor_of(first))
