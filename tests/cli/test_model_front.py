"""Which chat is in front, how chats are found, and how much of those in the back is held.

Tries node/cli/model/front.py and node/cli/model/hotlist.py.
"""

import pytest
from msgspec.structs import replace

from node import happenings as h
from node.cli.model import (
    IDLE_LINES_MAX,
    LINES_MAX,
    RECENT_MAX,
    Anchor,
    Closed,
    Event,
    Level,
    Leveled,
    Muted,
    Page,
    Paged,
    Scrolled,
    Search,
    Selected,
    Showing,
    State,
    Switcher,
    Towards,
    hotlist,
    matches,
    neighbour,
    next_active,
    numbered,
    picked,
    stepped,
)
from node.words import Chat, Line, Status
from tests.cli.chats import (
    DEV,
    LAB,
    OPS,
    after,
    entered,
    in_chat,
    line,
    lines,
    place,
    said,
    serial_of,
    shown,
    view_of,
)


def three() -> State:
    return entered(DEV, OPS, LAB)


def mention(at: int, chat: Chat) -> Event:
    return in_chat(line(at, mention=True), chat)


def listed(state: State) -> list[str]:
    return [view.name for view in state.listed]


# ---- in front -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "front"),
    [
        ([], "dev"),
        ([Selected(3)], "lab"),
        ([Selected(99)], "dev"),
        ([Closed(1)], "ops"),
        ([Selected(2), Closed(2)], "lab"),
        ([Selected(3), Closed(3)], "ops"),
        ([Closed(2), Closed(1)], "lab"),
        ([Closed(2)], "dev"),
        ([Closed(1), Closed(2), Closed(3)], ""),
        ([Closed(1), Closed(2), Closed(3), Selected(2)], "ops"),
        ([Selected(2), in_chat(h.ChatEvent(OPS, "closed"), OPS)], "lab"),
        ([Selected(3), in_chat(h.ChatEvent(LAB, "closed"), LAB)], "ops"),
        ([Selected(2), Status(chats=(DEV, LAB))], "lab"),
        ([Selected(3), Status(chats=(DEV,))], "dev"),
        ([Status()], ""),
    ],
)
def test_who_is_in_front(events: list[Event], front: str) -> None:
    state = after(*events, state=three())
    assert (state.front.name if state.front else "") == front
    assert bool(state.current) == bool(front)


def test_the_first_chat_of_all_comes_to_the_front() -> None:
    assert after(in_chat(h.ChatEvent(OPS, "opened"), OPS)).current == 2
    assert after(Status(chats=(DEV, OPS))).current == 1


def test_selecting_closes_what_belongs_to_the_chat_before() -> None:
    opened = (Showing(Page("help")), Showing(Search("x")), Showing(Switcher("y")))
    state = after(*opened, Selected(2), state=three())
    assert (state.page, state.search, state.switcher) == (None, None, None)
    assert after(*opened, Selected(1), state=three()).page is None


def test_a_search_ends_when_its_chat_goes() -> None:
    assert after(Showing(Search("x")), Closed(1), state=three()).search is None
    assert after(Showing(Search("x")), Closed(2), state=three()).search is not None


def test_a_closed_chat_stays_a_member_and_comes_back_when_it_is_asked_for() -> None:
    state = after(Closed(2), state=three())
    assert (listed(state), len(state.views)) == (["dev", "lab"], 3)
    assert listed(after(Selected(2), state=state)) == ["dev", "ops", "lab"]


@pytest.mark.parametrize(
    ("event", "comes_back"),
    [
        (said(10, OPS), False),
        (mention(10, OPS), True),
        (in_chat(line(10, mention=True, backlog=True), OPS), False),
        (in_chat(h.ChatEvent(OPS, "opened"), OPS), False),
        (Status(chats=(DEV, OPS, LAB)), False),
    ],
)
def test_a_closed_chat_is_listed_again_when_one_is_named(event: Event, comes_back: bool) -> None:
    state = after(Closed(2), event, state=three())
    assert ("ops" in listed(state)) == comes_back
    assert state.current == 1


@pytest.mark.parametrize("choice", [Muted(2, True), Leveled(2, Level.NONE)])
def test_a_closed_chat_of_which_nothing_is_wanted_stays_closed(choice: Event) -> None:
    state = after(choice, Closed(2), mention(10, OPS), state=three())
    assert listed(state) == ["dev", "lab"]


def test_where_all_were_closed_the_one_that_names_one_comes_to_the_front() -> None:
    state = after(Closed(1), Closed(2), Closed(3), mention(10, OPS), state=three())
    assert (state.current, view_of(state, OPS).unread) == (2, 0)


# ---- what is held -------------------------------------------------------------------------------


def many(chats: int) -> State:
    return entered(*(Chat(name=f"c{id}", chat_id=id) for id in range(1, chats + 1)))


def filled(state: State, id: int, count: int = 500, older: str = "") -> State:
    return after(Paged(id, lines(range(1, count + 1)), Towards.END, older), state=state)


def held(state: State, id: int) -> int:
    view = state.view(id)
    assert view is not None
    return len(view.items)


def test_chats_not_looked_at_lately_hold_little() -> None:
    state = many(RECENT_MAX + 2)
    for id in range(1, RECENT_MAX + 1):
        state = filled(after(Selected(id), state=state), id)
    assert [held(state, id) for id in range(1, RECENT_MAX + 1)] == [500] * RECENT_MAX
    state = filled(after(Selected(9), state=state), 9)
    assert [held(state, id) for id in (1, 2, 9)] == [IDLE_LINES_MAX, 500, 500]
    state = after(Selected(1), Selected(10), state=state)
    assert [held(state, id) for id in (2, 3, 4, 9)] == [IDLE_LINES_MAX, IDLE_LINES_MAX, 500, 500]


def test_what_an_idle_chat_gave_up_is_read_from_the_log() -> None:
    state = filled(after(Selected(1), state=many(RECENT_MAX + 1)), 1)
    for id in range(2, RECENT_MAX + 2):
        state = after(Selected(id), state=state)
    view = state.view(1)
    assert view is not None
    assert (view.older, view.at_end) == (view.lines[0].place, True)
    assert view.lines[-1].text == "500"


def test_an_idle_chat_keeps_the_place_at_which_one_had_scrolled_up() -> None:
    state = filled(after(Selected(1), state=many(RECENT_MAX + 1)), 1)
    at = serial_of(view_of(state), "50")
    state = after(Scrolled(1, Anchor(at)), state=state)
    for id in range(2, RECENT_MAX + 2):
        state = after(Selected(id), state=state)
    view = view_of(state)
    assert (len(view.items), view.cut_off) == (IDLE_LINES_MAX, True)
    assert shown(view)[0] == "1"
    assert view.scroll == Anchor(at)


def test_a_chat_that_was_never_opened_holds_little() -> None:
    state = many(2)
    for at in range(1, 500):
        state = after(in_chat(line(at), Chat(name="c2", chat_id=2)), state=state)
    assert IDLE_LINES_MAX * 0.9 < held(state, 2) <= IDLE_LINES_MAX
    assert state.views[1].unread == 499
    for at in range(1, 500):
        state = after(in_chat(line(at), Chat(name="c1", chat_id=1)), state=state)
    assert held(state, 1) == 499


def test_a_chat_looked_at_a_moment_ago_goes_on_holding_much() -> None:
    state = after(Selected(2), state=filled(many(2), 1, count=LINES_MAX, older=place(1)))
    state = after(in_chat(line(9_000), Chat(name="c1", chat_id=1)), state=state)
    assert held(state, 1) > LINES_MAX * 0.9
    last = state.views[0].items[-1].entry
    assert isinstance(last, Line)
    assert last.text == "9000"


# ---- the hotlist --------------------------------------------------------------------------------


def hot(state: State) -> list[tuple[int, str]]:
    return [(number, view.name) for number, view in hotlist(state)]


def test_the_hotlist_names_chats_with_something_unread_mentions_first() -> None:
    assert hot(three()) == []
    assert next_active(three()) == 0
    state = after(said(10, OPS), mention(10, LAB), said(10), state=three())
    assert hot(state) == [(3, "lab"), (2, "ops")]
    assert next_active(state) == 3
    assert next_active(after(Selected(3), state=state)) == 2


@pytest.mark.parametrize(
    ("choice", "by_line", "by_mention"),
    [
        (Muted(2, True), False, False),
        (Muted(2, False), True, True),
        (Leveled(2, Level.ALL), True, True),
        (Leveled(2, Level.MENTIONS), False, True),
        (Leveled(2, Level.NONE), False, False),
    ],
)
def test_what_raises_the_hotlist_can_be_chosen(
    choice: Event, by_line: bool, by_mention: bool
) -> None:
    assert bool(hot(after(choice, said(10, OPS), state=three()))) == by_line
    state = after(choice, mention(10, OPS), state=three())
    assert bool(hot(state)) == by_mention
    assert view_of(state, OPS).unread == 1


def test_neither_the_chat_in_front_nor_a_closed_one_is_hot() -> None:
    state = after(Showing(Page("help")), said(10), said(10, OPS), Closed(2), state=three())
    assert (view_of(state).unread, hot(state)) == (1, [])


def test_closed_chats_have_no_number() -> None:
    state = after(said(10, LAB), Closed(2), state=three())
    assert hot(state) == [(2, "lab")]
    assert [numbered(state, n) for n in (0, 1, 2, 3, -1)] == [0, 1, 3, 0, 0]


# ---- from chat to chat --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "step", "found"),
    [
        ([], 1, 2),
        ([], -1, 3),
        ([Selected(3)], 1, 1),
        ([Closed(2)], 1, 3),
        ([Closed(2), Closed(3)], 1, 1),
        ([Closed(1), Closed(2), Closed(3)], 1, 0),
    ],
)
def test_neighbours_follow_each_other_around(events: list[Event], step: int, found: int) -> None:
    assert neighbour(after(*events, state=three()), step) == found


@pytest.mark.parametrize(("step", "found"), [(1, 1), (-1, 3)])
def test_with_nothing_in_front_the_first_or_last_is_the_neighbour(step: int, found: int) -> None:
    assert neighbour(replace(three(), current=0), step) == found


NAMES = ("dev", "devops", "old-dev", "d-e-v", "ops", "Release", "dxexv-and-more")


def named(state: State, text: str) -> list[str]:
    return [view.name for view in matches(state, text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dev", ["dev", "devops", "old-dev", "d-e-v", "dxexv-and-more"]),
        ("#dev", ["dev", "devops", "old-dev", "d-e-v", "dxexv-and-more"]),
        ("DEV", ["dev", "devops", "old-dev", "d-e-v", "dxexv-and-more"]),
        ("rls", ["Release"]),
        ("o", ["ops", "old-dev", "devops", "dxexv-and-more"]),
        ("vv", []),
        ("zebra", []),
        ("dm", ["dxexv-and-more"]),
    ],
)
def test_chats_are_found_by_letters_of_their_names(text: str, found: list[str]) -> None:
    state = entered(*(Chat(name=name, chat_id=id) for id, name in enumerate(NAMES, 1)))
    assert named(after(Selected(6), state=state), text) == found


def test_without_letters_the_chat_before_comes_first_and_the_one_in_front_last() -> None:
    state = after(Selected(2), Selected(3), Selected(1), state=three())
    assert named(state, "") == ["lab", "ops", "dev"]
    assert named(after(Closed(3), state=state), "") == ["ops", "dev", "lab"]


# ---- the switcher -------------------------------------------------------------------------------


def marked(state: State) -> str:
    view = picked(state)
    return view.name if view else ""


def test_the_switcher_marks_the_first_and_steps_around() -> None:
    state = after(Showing(Switcher("")), state=three())
    assert [view.name for view in matches(state, "")] == ["ops", "lab", "dev"]
    names = []
    for step in (0, 1, 1, 1, -1, -1):
        state = after(Showing(stepped(state, step)), state=state)
        names.append(marked(state))
    assert names == ["ops", "lab", "dev", "ops", "dev", "lab"]


def test_the_mark_stays_on_its_chat_whatever_goes_or_changes_places() -> None:
    state = after(Showing(Switcher("")), state=three())
    state = after(Showing(stepped(state, 1)), in_chat(h.ChatEvent(OPS, "closed"), OPS), state=state)
    assert marked(state) == "lab"
    state = after(in_chat(h.ChatEvent(LAB, "closed"), LAB), state=state)
    assert marked(state) == "dev"
    state = after(Showing(Switcher("zebra")), state=state)
    assert (marked(state), stepped(state, 1)) == ("", Switcher("zebra"))
    assert picked(three()) is None


@pytest.mark.parametrize(
    ("names", "text", "found"),
    [
        (("a-x-b-c", "a-x-y-b-c"), "abc", ["a-x-b-c", "a-x-y-b-c"]),
        (("ab--c", "a-b-c-a-bc"), "abc", ["a-b-c-a-bc", "ab--c"]),  # its shortest part counts
        (("aab", "xaabb"), "ab", ["aab", "xaabb"]),
    ],
)
def test_letters_close_together_fit_better(
    names: tuple[str, ...], text: str, found: list[str]
) -> None:
    state = entered(Chat(name="x", chat_id=9), *(Chat(n, i) for i, n in enumerate(names, 1)))
    assert named(state, text) == found
