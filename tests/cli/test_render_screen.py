"""Whole screens: pictures that people can read, and what holds for every state and size."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from node import happenings as h
from node import words as w
from node.cli.model import (
    Anchor,
    Item,
    Level,
    Page,
    Question,
    Search,
    Settings,
    State,
    Switcher,
    View,
)
from node.cli.render import over, screen
from node.cli.render.layout import layout
from node.cli.render.rows import plain
from node.cli.render.themes import THEMES
from tests.cli.drawn import (
    AT,
    CALLS,
    DEV,
    ELECTION,
    EPOCH,
    NOW,
    PICTURED,
    PICTURES,
    QUESTION,
    STATE,
    TRACE,
    G,
    chat,
    columns_of,
    drawn,
    line,
    notice,
    paged,
    picture,
    reply,
    showing,
    talk,
    unsent,
)

# ---- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PICTURED)
def test_a_picture(name: str) -> None:
    """Written anew by `python -m tests.cli.drawn`."""
    _, columns, rows = PICTURED[name]
    found = drawn(name)
    assert picture(found) + "\n" == (PICTURES / f"{name}.txt").read_text("utf-8")
    assert len(found) == rows
    assert columns_of(found[:-1]) == {columns}


def test_there_are_no_other_pictures() -> None:
    assert {path.stem for path in PICTURES.glob("*.txt")} == set(PICTURED)


# ---- parts -------------------------------------------------------------------------------------


def test_a_question_stands_in_for_the_status_bar_where_there_is_one_row() -> None:
    asked = replace(STATE, question=QUESTION)
    assert picture(screen.draw(asked, 60, 2, 1, NOW)).startswith(" 12 lines were pasted")
    assert picture(screen.draw(STATE, 60, 2, 1, NOW)).startswith(" [12:03]")


def test_of_what_stands_over_the_bar_the_last_rows_stay_on_a_low_screen() -> None:
    asked = replace(STATE, hint="type to talk", lost=True, question=Question("quit", "quit?"))
    shown = [plain(row).strip() for row in screen.draw(asked, 100, 5, 1, NOW)]
    assert shown[1:3] == [over.LOST, "quit?"]
    assert plain(screen.draw(asked, 60, 4, 1, NOW)[1]).strip() == "quit?"


def test_a_page_is_never_scrolled_beyond_its_end() -> None:
    lines = tuple(f"line {n}" for n in range(1, 31))
    rows = screen.draw(paged("help", lines, top=999), 60, 10, 1, NOW)
    assert [plain(row).strip() for row in rows[2:-1]] == [f"line {n}" for n in range(25, 31)]
    assert "25-30 of 30" in plain(rows[1])
    first = screen.draw(paged("help", lines, top=-5), 60, 10, 1, NOW)
    assert plain(first[2]).strip() == "line 1"


def test_a_topic_is_cleaned_and_cut() -> None:
    topic = "a\x1b]0;x\x07b\n" + "long " * 20
    row = screen.draw(showing(replace(DEV, chat=replace(DEV.chat, topic=topic))), 40, 8, 1, NOW)[0]
    assert plain(row) == " #dev - a]0;xb long long long long long~"


def test_the_lobby_is_drawn_where_there_is_no_chat() -> None:
    lobby = View(w.NO_CHAT, (reply(1, 0, "no such chat", tone="error"),), older="")
    rows = screen.draw(State(nick="me", lobby=lobby), 60, 8, 1, NOW)
    assert "-- | no such chat" in plain(rows[1])


@pytest.mark.parametrize(
    ("state", "prompt"),
    [
        (STATE, "[#dev] "),
        (State(), "[p2pchat] "),
        (replace(STATE, search=Search("x")), "[search] "),
        (replace(STATE, switcher=Switcher()), "[chat] "),
        (replace(STATE, question=QUESTION, search=Search("x")), "[y/n] "),
        (
            showing(replace(DEV, chat=replace(DEV.chat, name="字\x1b" * 40))),
            "[#" + "字" * 11 + "~] ",
        ),
    ],
)
def test_a_prompt(state: State, prompt: str) -> None:
    assert plain(screen.prompt(state)) == prompt


def test_two_chats_of_one_name_are_told_apart_everywhere() -> None:
    other = chat(2, "dev", 3)
    other = replace(other, chat=replace(other.chat, nds="10.9.9.9:50050"))
    one = replace(STATE, views=(DEV, other), switcher=Switcher())
    for state, name in ((one, "#dev@10.0.0.5:50050"), (replace(one, current=2), "#dev@10.9.9.9:")):
        text = picture(screen.draw(replace(state, switcher=None), 110, 12, 1, NOW)).splitlines()
        assert text[0].startswith(f" {name}")
        assert f" {state.current}:{name}" in text[-1]
        assert plain(screen.prompt(replace(state, switcher=None))).startswith(f"[{name}")
        assert screen.title(state).startswith(name)
        shown = picture(screen.draw(state, 84, 12, 1, NOW))
        assert " 1 #dev@10.0.0.5:50050" in shown
        assert " 2 #dev@10.9.9.9:50050" in shown
        page = screen.draw(replace(state, page=Page("check", chat_id=1)), 110, 12, 1, NOW)
        assert "CHECK of #dev@10.0.0.5:50050 " in plain(page[1])
    assert "1:#dev 4/5" in picture(screen.draw(replace(one, views=(DEV,)), 110, 12, 1, NOW))


@pytest.mark.parametrize(
    ("state", "title"),
    [
        (STATE, "(1) #dev - p2pchat"),
        (replace(STATE, views=(DEV,)), "#dev - p2pchat"),
        (State(), "p2pchat"),
        (replace(STATE, views=(DEV, chat(2, "old", 5, 2, muted=True))), "#dev - p2pchat"),
        (
            replace(
                STATE, views=(replace(DEV, chat=replace(DEV.chat, name="a\x1b\x07\u202eb字")),)
            ),
            "#ab? - p2pchat",
        ),
    ],
)
def test_the_title_of_the_terminal_is_plain(state: State, title: str) -> None:
    assert screen.title(state) == title


# ---- the mouse ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "found"),
    [
        (3, 0, None),  # the title
        (3, 1, None),  # CHATS
        (3, 2, ("chat", 1)),
        (15, 4, ("chat", 3)),
        (16, 4, None),  # the border
        (17, 4, ("transcript", 3)),
        (92, 1, ("transcript", 0)),
        (93, 1, None),
        (94, 1, None),  # MEMBERS
        (94, 2, ("member", G + 2)),
        (109, 6, ("member", G + 1)),
        (109, 7, None),
        (3, 22, None),  # the status bar
        (3, 23, None),
        (110, 4, None),
        (-1, 4, None),
    ],
)
def test_what_the_mouse_is_on(x: int, y: int, found: object) -> None:
    assert screen.region(STATE, 110, 24, 1, x, y) == found


def test_what_the_mouse_is_on_without_panes() -> None:
    assert screen.region(STATE, 60, 7, 1, 0, 0) == ("transcript", 0)
    assert screen.region(paged("help", ("x",)), 110, 24, 1, 3, 3) is None


# ---- what changes of its own accord ------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "now_ms", "in_ms"),
    [
        (STATE, AT - AT % 60_000, 60_000),
        (STATE, AT - AT % 60_000 + 59_999, 1),
        (
            replace(STATE, nds=(w.DiscoveryService("n:1", "", AT - 40_000),)),
            AT - AT % 60_000 + 900,
            100,
        ),
        (paged("elections", ELECTION), AT - AT % 60_000 + 900, 100),
        (paged("bare", None), AT - AT % 60_000 + 900, 59_100),
        (showing(replace(DEV, items=(line(1, 0, "you", "x"),))), AT, 300),
        (showing(replace(DEV, items=(line(1, 0, "you", "x"),))), AT + 300, 1_700),
        (showing(replace(DEV, items=(line(1, 0, "bob", "x"),))), AT - AT % 60_000, 60_000),
    ],
)
def test_when_it_changes_of_its_own_accord(state: State, now_ms: int, in_ms: int) -> None:
    assert screen.wakes(state, now_ms) == in_ms


# ---- whatever the state and the size -----------------------------------------------------------

TEXT = st.text(st.characters(codec=None), max_size=30)
AT_S = st.sampled_from([-200_000.0, -1.0, 0.0, 100.0, 1e15])


def _item(serial: int, kind: int, text: str, at_s: float) -> Item:
    match kind:
        case 0:
            return line(serial, at_s, text[:9], text, mention=serial % 2 == 0)
        case 1:
            return line(serial, at_s, "you", text, acked=serial % 4, of=serial % 5)
        case 2:
            return notice(serial, at_s, h.MemberEvent(G + serial, text, "joined", text))
        case 3:
            return notice(serial, at_s, h.ErrorEvent("X", text), h.ErrorEvent("Y", text))
        case 4:
            return reply(serial, at_s, text, tone="error")
        case 5:
            return unsent(serial, at_s, text, text)
        case _:
            return line(serial, at_s, text[:3], text * 40, kind=w.Kind.ACTION)


ITEMS = st.lists(st.tuples(st.integers(0, 6), TEXT, AT_S), max_size=12).map(
    lambda drawn: tuple(_item(n, *one) for n, one in enumerate(drawn, 1))
)
VIEWS = st.builds(
    View,
    chat=st.builds(
        w.Chat, name=TEXT, chat_id=st.integers(1, 6), member_id=st.integers(0, 9),
        epoch=st.just(EPOCH), leader_id=st.integers(0, 9), leader_nick=TEXT,
        provisional=st.booleans(), alive=st.integers(0, 999), known=st.integers(0, 999),
        outbox=st.integers(0, 10**9), fingerprint=TEXT, topic=TEXT, topic_by=TEXT,
    ),
    items=ITEMS,
    members=st.lists(
        st.builds(
            w.Member, member_id=st.integers(1, 10**8), nick=TEXT,
            state=st.sampled_from(["alive", "suspect", "dropped", "left"]), self=st.booleans(),
            leader=st.booleans(), lacking=st.integers(0, 99), away=st.sampled_from(["", "x"]),
            seen_ms=st.integers(0, NOW),
        ),
        max_size=5,
    ).map(tuple),
    unread=st.integers(0, 10**6),
    mentions=st.integers(0, 99),
    marker=st.integers(0, 12),
    scroll=st.none() | st.builds(Anchor, st.integers(0, 13), st.integers(-3, 9)),
    older=st.sampled_from(["", None, "x"]),
    cut_off=st.booleans(),
    muted=st.booleans(),
    level=st.sampled_from(Level),
    closed=st.booleans(),
)  # fmt: skip
PAGES = st.builds(
    Page,
    kind=st.sampled_from(["help", "elections", "trace", "rpc", "bare"]),
    content=st.sampled_from([None, ELECTION, TRACE, CALLS])
    | st.tuples(TEXT, st.tuples(TEXT, TEXT)),
    topic=TEXT,
    top=st.integers(-3, 30),
    chat_id=st.integers(0, 6),
)
STATES = st.builds(
    State,
    nick=TEXT,
    current=st.integers(0, 6),
    views=st.lists(VIEWS, max_size=5, unique_by=lambda view: view.chat.chat_id).map(tuple),
    nds=st.lists(
        st.builds(w.DiscoveryService, TEXT, TEXT, st.integers(0, NOW)), max_size=2
    ).map(tuple),
    page=st.none() | PAGES,
    search=st.none() | st.builds(Search, TEXT, st.integers(0, 12), st.booleans()),
    switcher=st.none() | st.builds(Switcher, TEXT, st.integers(-1, 9)),
    question=st.none() | st.builds(Question, TEXT, TEXT),
    settings=st.builds(
        Settings,
        chats=st.sampled_from(["auto", "on", "off"]),
        members=st.sampled_from(["auto", "on", "off"]),
        notices=st.sampled_from(["on", "off"]),
        seconds=st.sampled_from(["on", "off"]),
    ),
    ignored=st.lists(TEXT.map(str.casefold), max_size=2).map(tuple),
    lost=st.booleans(),
    hint=TEXT,
)  # fmt: skip


@settings(max_examples=300)
@given(STATES, st.integers(1, 250), st.integers(1, 80), st.integers(1, 5))
def test_every_screen_is_exactly_as_large_as_the_terminal(
    state: State, columns: int, rows: int, input_rows: int
) -> None:
    shown = screen.draw(state, columns, rows, input_rows, NOW)
    assert len(shown) == max(0, rows - input_rows)
    assert columns_of(shown) <= {columns}
    classes = set(THEMES["default"])
    for row in (*shown, screen.prompt(state)):
        for look, text in row:
            assert look in classes
            assert text.isprintable()
    assert screen.title(state).isascii()
    assert screen.title(state).isprintable()
    assert screen.wakes(state, NOW) > 0


@given(STATES, st.integers(1, 130), st.integers(1, 40), st.integers(0, 129), st.integers(0, 39))
def test_the_mouse_finds_what_is_drawn(
    state: State, columns: int, rows: int, x: int, y: int
) -> None:
    parts = layout(state, columns, rows, 1)
    match screen.region(state, columns, rows, 1, x, y):
        case ("chat", chat_id):
            assert x < parts.chats
            assert chat_id in {view.chat.chat_id for view in state.listed}
        case ("member", member_id):
            assert x >= columns - parts.members
            assert state.front
            assert member_id in {one.member_id for one in state.front.members}
        case ("transcript", row):
            assert 0 <= row < parts.body


def test_a_long_conversation_is_not_walked_through() -> None:
    """What is far from the window is neither looked at nor drawn."""

    class Untouchable:
        serial = 0

        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"drawn: {name}")

    far = tuple(Untouchable() for _ in range(3))
    view = replace(DEV, items=(*far, *talk(400)))
    rows = screen.draw(showing(view), 110, 60, 1, NOW)
    assert "line 400" in plain(rows[-2])
