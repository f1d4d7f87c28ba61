"""What counts as unread, and where the marker stands.  Tries node/cli/model/unread.py."""

import pytest
from msgspec.structs import replace

from node import happenings as h
from node.cli.model import (
    IDLE_LINES_MAX,
    Anchor,
    Cleared,
    Closed,
    CountedBack,
    Event,
    Ignored,
    Linked,
    Page,
    Paged,
    Question,
    Read,
    Scrolled,
    Search,
    Selected,
    Showing,
    State,
    Switcher,
    Told,
    Towards,
    first_unread,
    hotlist,
    is_at_outset,
    is_beyond,
    is_sought,
    place_of,
)
from node.words import Chat, Status
from tests.cli.chats import (
    DEV,
    LAB,
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

HELP = Showing(Page("help"))
NO_PAGE = Showing(None)


def counts(state: State) -> tuple[int, int]:
    view = view_of(state, OPS)
    return view.unread, view.mentions


def behind(state: State, chat: Chat = OPS) -> str:
    """What the marker stands behind; empty for no marker."""
    view = view_of(state, chat)
    held = {item.serial: text for item, text in zip(view.items, shown(view), strict=True)}
    return held[view.marker] if view.marker and not is_beyond(view) else ""


def read(*ats: int) -> State:
    """In #dev and #ops, whose ends have been read; #dev is in front."""
    pages = (Paged(one, lines(ats), Towards.END) for one in (1, 2))
    return after(*pages, state=entered())


# ---- what counts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (in_chat(line(20), OPS), (1, 0)),
        (in_chat(line(20, mention=True), OPS), (1, 1)),
        (in_chat(line(20, own=True), OPS), (0, 0)),
        (in_chat(line(20, backlog=True, mention=True), OPS), (0, 0)),
        (in_chat(line(10), OPS), (0, 0)),  # it was there
        (in_chat(line(20, nick="Mallory", mention=True), OPS), (0, 0)),
        (joined("carol", 20, OPS), (0, 0)),
        (Told(("yes",), 2), (0, 0)),
    ],
)
def test_new_lines_of_others_count_in_the_back(event: Event, found: tuple[int, int]) -> None:
    state = after(Ignored("MALLORY", True), event, state=read(10))
    assert counts(state) == found


def test_ignored_ones_count_again_when_they_are_not_ignored_any_more() -> None:
    state = after(Ignored("Mallory", True), Ignored("mallory", False), state=read(10))
    assert counts(after(in_chat(line(20, nick="Mallory"), OPS), state=state)) == (1, 0)


def test_nothing_counts_in_front_at_the_end() -> None:
    assert view_of(after(said(20), state=read(10))).unread == 0


@pytest.mark.parametrize("up", [True, False])
def test_what_comes_unseen_in_front_counts_until_one_looks(up: bool) -> None:
    state = read(10)
    first = Anchor(view_of(state).items[0].serial)
    state = after(Scrolled(1, first) if up else HELP, said(20), said(30), state=state)
    assert view_of(state).unread == 2
    assert behind(state, DEV) == "10"
    state = after(NO_PAGE, Scrolled(1, None), state=state)
    assert view_of(state).unread == 0
    assert behind(state, DEV) == "10"


def test_what_is_open_over_the_input_covers_nothing() -> None:
    opened = (Showing(Search("x")), Showing(Switcher()), Showing(Question("quit", "sure?")))
    assert view_of(after(*opened, said(20), state=read(10))).unread == 0
    assert view_of(after(Showing(Page("bare")), said(20), state=read(10))).unread == 0


def test_cut_off_from_the_end_lines_count_even_at_the_last_one() -> None:
    state = read(10)
    cut = state.having(replace(view_of(state), cut_off=True))
    assert view_of(after(said(20), state=cut)).unread == 1


def test_selecting_a_chat_reads_it_to_its_end_and_not_where_one_is_scrolled_up() -> None:
    state = after(said(20, OPS), state=read(10))
    assert counts(after(Selected(2), state=state)) == (0, 0)
    up = after(Scrolled(2, Anchor(view_of(state, OPS).items[0].serial)), state=state)
    assert counts(after(Selected(2), state=up)) == (1, 0)


def test_selecting_a_chat_closes_the_page_over_it() -> None:
    state = after(HELP, said(20, OPS), Selected(2), state=read(10))
    assert (state.page, counts(state)) == (None, (0, 0))


def test_read_is_read() -> None:
    state = after(said(20, OPS), Read(2), state=read(10))
    assert (counts(state), behind(state)) == ((0, 0), "")


def test_what_was_unread_before_the_face_began_counts_in_the_back_alone() -> None:
    dev, ops = replace(DEV, unread=4, mentions=1), replace(OPS, unread=3, mentions=2)
    state = entered(dev, ops)
    assert (view_of(state).unread, counts(state)) == (0, (3, 2))
    later = after(Status(chats=(DEV, replace(OPS, unread=9))), state=state)
    assert counts(later) == (3, 2)
    new = in_chat(h.ChatEvent(replace(LAB, unread=5), "opened"), LAB)
    assert view_of(after(new, state=state), LAB).unread == 5


# ---- the marker ---------------------------------------------------------------------------------


def test_the_marker_stands_behind_the_last_that_was_read() -> None:
    state = after(said(20, OPS), joined("carol", 25, OPS), said(30, OPS), state=read(10))
    assert behind(state) == "10"
    assert first_unread(view_of(state, OPS)) == serial_of(view_of(state, OPS), "20")


def test_the_marker_stays_while_one_looks_and_goes_when_one_leaves() -> None:
    state = after(said(20, OPS), Selected(2), said(30, OPS), state=read(10))
    assert behind(state) == "10"
    assert behind(after(Selected(2), state=state)) == "10"
    assert behind(after(Selected(1), state=state)) == ""
    assert behind(after(Closed(2), state=state)) == ""


def test_a_marker_that_one_has_not_come_down_to_stays_when_one_leaves() -> None:
    state = after(said(20, OPS), state=read(10))
    up = Scrolled(2, Anchor(view_of(state, OPS).items[0].serial))
    assert behind(after(up, Selected(2), Selected(1), state=state)) == "10"
    unseen = after(said(20), state=after(HELP, state=read(10)))
    assert view_of(after(Closed(1), state=unseen)).marker


def test_the_next_line_unread_moves_the_marker() -> None:
    state = after(said(20, OPS), Selected(2), Selected(1), said(30, OPS), state=read(10))
    assert behind(state) == "20"


def test_a_line_that_comes_again_moves_nothing() -> None:
    state = after(said(20, OPS), Selected(2), HELP, state=read(10))
    assert view_of(after(said(20, OPS), state=state), OPS) == view_of(state, OPS)


def test_clearing_takes_the_marker_away() -> None:
    state = after(said(20, OPS), Cleared(2), state=read(10))
    assert (behind(state), counts(state)) == ("", (0, 0))


@pytest.mark.parametrize(
    ("unread", "own", "marked"),
    [
        (0, (), ""),
        (1, (), "20"),
        (2, (), "10"),
        (2, (20,), ""),  # own lines are not counted: the first line of all is unread
        (1, (30,), "10"),
        (3, (), ""),
        (9, (), ""),
    ],
)
@pytest.mark.parametrize("front", [1, 2])
def test_when_the_log_is_first_read_the_marker_stands_before_what_was_unread(
    unread: int, own: tuple[int, ...], marked: str, front: int
) -> None:
    page = tuple(line(at, own=at in own, backlog=True) for at in (10, 20, 30))
    state = after(Selected(front), state=entered(DEV, replace(OPS, unread=unread)))
    state = after(Paged(2, page, Towards.END), state=state)
    assert behind(state) == marked
    assert view_of(state, OPS).waiting == 0


@pytest.mark.parametrize("front", [1, 2])
def test_lines_that_come_before_the_log_is_read_are_behind_the_marker(front: int) -> None:
    state = after(Selected(front), state=entered(DEV, replace(OPS, unread=1)))
    state = after(said(30, OPS), in_chat(line(40, own=True), OPS), state=state)
    page = Paged(2, lines((10, 20, 30)), Towards.END)
    assert behind(after(page, state=state)) == "10"


def test_once_one_has_left_again_before_it_was_read_nothing_is_forgotten() -> None:
    state = after(Selected(2), Selected(1), state=entered(DEV, replace(OPS, unread=1)))
    assert behind(after(Paged(2, lines((10, 20)), Towards.END), state=state)) == "10"


def test_a_marker_that_is_held_is_not_moved_when_the_end_is_read_again() -> None:
    state = after(said(20, OPS), said(30, OPS), Linked(False), Linked(True), state=read(10))
    page = Paged(2, lines((10, 20, 25, 30)), Towards.END)
    assert behind(after(Selected(2), page, state=state)) == "10"


def test_a_marker_that_is_lost_with_its_window_comes_back_by_the_count() -> None:
    state = read(10)
    up = after(Scrolled(1, Anchor(view_of(state).items[0].serial)), state=state)
    cut = up.having(replace(view_of(up), cut_off=True))
    state = after(said(50), said(60), Scrolled(1, None), state=cut)
    state = after(Paged(1, lines((40, 50, 60)), Towards.END, place(40)), state=state)
    assert (behind(state, DEV), view_of(state).unread) == ("40", 0)


def test_after_a_loss_a_marker_out_of_reach_is_found_by_the_count() -> None:
    state = after(said(20, OPS), said(30, OPS), Linked(False), Linked(True), state=read(10))
    page = Paged(2, lines((19, 20, 30)), Towards.END, place(19))
    assert behind(after(Selected(2), page, state=state)) == "19"


def test_without_anything_before_it_there_is_no_marker() -> None:
    state = after(said(20, OPS), state=read())
    assert (behind(state), counts(state)) == ("", (1, 0))
    assert first_unread(view_of(state, OPS)) == serial_of(view_of(state, OPS), "20")


# ---- what the node counts -----------------------------------------------------------------------


def status(unread: int, mentions: int = 0, of: Chat = OPS) -> Status:
    """The node's own counts of one chat."""
    counted = replace(of, unread=unread, mentions=mentions)
    return Status(nick="alice", chats=(DEV, counted) if of is OPS else (counted, OPS))


def hot(state: State) -> bool:
    return bool(hotlist(state))


def caught(*ats: int, chat: Chat = OPS) -> list[Event]:
    """Lines that come by catch-up."""
    return [said(at, chat, backlog=True) for at in ats]


def test_what_came_while_nobody_watched_counts_once_the_node_says_so() -> None:
    state = after(Linked(False), Linked(True), status(2, 1), state=read(10))
    assert (counts(state), hot(state)) == ((2, 1), True)
    page = Paged(2, lines((10, 20, 30)), Towards.END)
    assert behind(after(Selected(2), page, state=state)) == "10"


def test_after_a_loss_the_node_knows_better_in_both_directions() -> None:
    state = after(said(20, OPS), said(30, OPS), Linked(False), Linked(True), state=read(10))
    assert counts(after(status(0), state=state)) == (0, 0)
    assert counts(after(status(5, 2), status(9, 9), state=state)) == (5, 2)


def test_what_came_in_front_during_a_loss_has_the_marker_before_it() -> None:
    state = after(Linked(False), Linked(True), status(1, of=DEV), state=read(10))
    state = after(Paged(1, lines((10, 20)), Towards.END), state=state)
    assert (view_of(state).unread, behind(state, DEV)) == (0, "10")


def test_a_catch_up_counts_as_the_node_counts_it_and_raises_nothing() -> None:
    state = after(*caught(20, 30), status(2, 1), state=read(10))
    assert (counts(state), hot(state), behind(state)) == ((2, 1), False, "10")
    state = after(said(40, OPS), state=state)
    assert (counts(state), hot(state), behind(state)) == ((3, 1), True, "10")


def test_of_a_catch_up_only_what_was_not_read_before_counts() -> None:
    assert counts(after(*caught(20, 30, 40), status(1), state=read(10))) == (1, 0)
    state = after(*caught(20, 30), status(9), state=read(10))
    assert counts(state) == (2, 0)
    assert counts(after(status(9), state=state)) == (2, 0)


def test_a_catch_up_before_the_log_was_read_is_behind_the_marker() -> None:
    state = after(joined("carol", 5, OPS), *caught(20, 30), state=entered())
    assert view_of(state, OPS).marker == 0
    state = after(status(2), Selected(2), state=state)
    page = Paged(2, lines((10, 20, 30)), Towards.END)
    assert behind(after(page, state=state)) == "10"


@pytest.mark.parametrize("read_first", [True, False])
def test_a_catch_up_under_the_eye_has_the_marker_before_it(read_first: bool) -> None:
    page = Paged(1, lines((10,) if read_first else (10, 20, 30)), Towards.END)
    came = caught(20, 30, chat=DEV)
    state = after(*((page, *came) if read_first else (*came, page)), state=entered())
    assert (view_of(state).unread, behind(state, DEV)) == (0, "10")
    assert behind(after(*caught(40, chat=DEV), state=state), DEV) == "10"


def test_late_lines_among_those_that_were_read_move_no_marker() -> None:
    state = after(*caught(15, chat=DEV), *caught(15), state=read(10, 20))
    assert (behind(state, DEV), behind(state)) == ("", "")


def test_a_count_that_was_asked_for_before_the_last_lines_came_takes_none_of_them() -> None:
    state = after(said(20, OPS), in_chat(line(30, mention=True), OPS), state=read(10))
    state = after(status(0), state=state)
    assert counts(state) == (2, 1)
    assert counts(after(status(2, 1), state=state)) == (2, 1)
    assert counts(after(status(0), state=state)) == (0, 0)  # read in another window


def test_a_count_from_before_one_looked_brings_nothing_back() -> None:
    state = after(said(20, OPS), Selected(2), Selected(1), status(1, 1), state=read(10))
    assert counts(state) == (0, 0)


def test_lines_of_ignored_ones_are_counted_by_the_node_alone() -> None:
    hidden = in_chat(line(20, nick="mallory", mention=True), OPS)
    state = after(Ignored("mallory", True), hidden, said(30, OPS), status(2, 1), state=read(10))
    assert counts(state) == (1, 0)
    assert counts(after(Linked(False), Linked(True), status(2, 1), state=state)) == (1, 0)


# ---- a marker whose item has left the window ----------------------------------------------------


def test_a_marker_that_slides_out_of_the_window_is_there_again_when_it_is_read() -> None:
    came = [said(at, OPS) for at in range(20, 20 + 3 * IDLE_LINES_MAX)]
    state = after(*came, Selected(2), state=read(10))
    assert behind_or_gone(state) == ""
    view = view_of(state, OPS)
    assert first_unread(view) == view.items[0].serial
    page = Paged(2, lines(range(5, 600)), Towards.OLDER, asked=view.older or "")
    state = after(Scrolled(2, Anchor(view.items[0].serial)), page, state=state)
    assert behind(state) == "10"


def behind_or_gone(state: State) -> str:
    view = view_of(state, OPS)
    return "" if all(item.serial != view.marker for item in view.items) else behind(state)


def test_a_marker_of_another_window_is_there_again_with_its_window() -> None:
    state = after(said(20), state=after(HELP, state=read(10)))
    away = Paged(1, lines((1, 2)), Towards.AROUND, at_end=False)
    state = after(NO_PAGE, away, state=state)
    back = Paged(1, lines((5, 10, 20)), Towards.AROUND)
    assert behind(after(back, state=state), DEV) == "10"


def test_a_marker_stands_while_scrolled_up_and_what_comes_then_is_behind_it_too() -> None:
    state = after(said(30), Selected(1), state=after(Selected(2), Selected(1), state=read(10, 20)))
    state = after(said(40, OPS), Selected(2), state=state)
    assert (behind(state), counts(state)) == ("20", (0, 0))
    up = Scrolled(2, Anchor(serial_of(view_of(state, OPS), "20")))
    state = after(up, said(50, OPS), state=state)
    assert (behind(state), counts(state)) == ("20", (1, 0))


# ---- more unread than the window holds ----------------------------------------------------------


def opened(unread: int, *ats: int) -> State:
    """#ops in front with so many unread; these are the end of its log, and more is before them."""
    state = after(Selected(2), state=entered(DEV, replace(OPS, unread=unread)))
    return after(Paged(2, lines(ats), Towards.END, place(ats[0])), state=state)


def back(asked: int, *ats: int, more: bool = True, own: tuple[int, ...] = ()) -> CountedBack:
    """A page of the lines before `asked`."""
    page = tuple(line(at, own=at in own, backlog=True) for at in ats)
    return CountedBack(2, page, place(ats[0]) if more else "", place(asked))


def test_where_more_are_unread_than_were_read_the_log_is_counted_back() -> None:
    state = opened(5, 80, 90)
    assert is_sought(view_of(state, OPS))
    state = after(back(80, 60, 70, own=(70,)), back(60, 30, 40, 50), state=state)
    view = view_of(state, OPS)
    assert (is_sought(view), view.lost[1]) == (False, place_of(place(30)))
    pages = [Paged(2, lines(ats), Towards.OLDER, place(ats[0])) for ats in ((60, 70), (20, 30, 40))]
    assert behind(after(*pages, state=state)) == "30"


@pytest.mark.parametrize("ats", [(70,), (60, 70)])
def test_the_last_line_that_was_read_may_be_on_a_page_of_its_own(ats: tuple[int, ...]) -> None:
    state = after(back(80, *ats), state=opened(2 + len(ats), 80, 90))
    assert is_sought(view_of(state, OPS)), "all of them are unread; what is before is not known"
    state = after(back(ats[0], 50), state=state)
    assert view_of(state, OPS).lost[1] == place_of(place(50))


def test_the_first_line_of_the_window_may_be_the_first_unread_one() -> None:
    state = after(back(80, 60, 70), state=opened(2, 80, 90))
    state = after(Paged(2, lines((60, 70)), Towards.OLDER, place(60)), state=state)
    assert behind(state) == "70"


def test_the_place_is_taken_at_once_where_it_has_been_scrolled_to_meanwhile() -> None:
    state = after(Paged(2, lines((60, 70)), Towards.OLDER, place(60)), state=opened(3, 80, 90))
    assert behind(after(back(80, 60, 70), state=state)) == "60"


@pytest.mark.parametrize("unread", [4, 9])
def test_a_log_that_was_never_read_is_unread_from_its_first_line(unread: int) -> None:
    state = after(back(80, 60, 70, more=False), state=opened(unread, 80, 90))
    assert not is_at_outset(view_of(state, OPS)), "the window begins later"
    state = after(Paged(2, lines((60, 70)), Towards.OLDER), state=state)
    view = view_of(state, OPS)
    assert is_at_outset(view)
    assert first_unread(view) == serial_of(view, "60")


def test_a_page_that_nobody_waits_for_any_more_is_not_counted() -> None:
    state = opened(5, 80, 90)
    once = after(back(80, 60, 70), state=state)
    assert after(back(80, 60, 70), state=once) == once
    for event in (Read(2), Cleared(2), Selected(1)):
        gone = after(event, state=state)
        assert after(back(80, 60, 70), state=gone) == gone


def test_what_comes_meanwhile_is_behind_the_marker_and_a_loss_does_not_move_it() -> None:
    state = after(said(100, OPS), Linked(False), Linked(True), state=opened(3, 80, 90))
    page = Paged(2, lines((90, 100, 110)), Towards.END, place(90))
    state = after(status(1), page, back(80, 60, 70), state=state)
    assert view_of(state, OPS).lost[1] == place_of(place(60))


def test_the_next_line_unread_moves_a_marker_that_is_far_back() -> None:
    state = after(HELP, said(100, OPS), state=opened(3, 80, 90))
    assert behind(state) == "90"
    assert after(back(80, 60, 70), state=state) == state


def test_the_first_lines_of_a_chat_have_the_marker_before_them() -> None:
    came = [said(at, OPS) for at in range(20, 20 + 3 * IDLE_LINES_MAX)]
    state = after(*came[:2], Selected(2), state=read())
    assert is_at_outset(view_of(state, OPS))
    state = after(*came, Selected(2), state=read())
    view = view_of(state, OPS)
    assert is_beyond(view)
    assert not is_at_outset(view), "its first lines are not held"
    page = Paged(2, lines(range(20, 600)), Towards.OLDER, asked=view.older or "")
    assert is_at_outset(view_of(after(page, state=state), OPS))


def test_a_marker_at_a_notice_that_goes_with_the_head_of_the_window_is_counted_back() -> None:
    state = after(Cleared(2), joined("eve", 15, OPS), state=read(10))
    state = after(*(said(at, OPS) for at in range(20, 300)), Selected(2), state=state)
    assert is_sought(view_of(state, OPS))
    older = view_of(state, OPS).sought[1]
    state = after(CountedBack(2, lines((5, 10)), "", older), state=state)
    assert view_of(state, OPS).lost[1] == place_of(place(10))
