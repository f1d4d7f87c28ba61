"""How the screen is divided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.cli.model import Page, Question, Settings, State
from node.cli.render.layout import Layout, layout
from tests.cli.drawn import STATE, paged

LOBBY = State(nick="me")


@pytest.mark.parametrize(
    ("columns", "chats", "transcript", "members"),
    [
        (60, 0, 60, 0),
        (79, 0, 79, 0),
        (80, 16, 63, 0),
        (99, 16, 82, 0),
        (100, 16, 66, 16),
        (200, 16, 166, 16),
    ],
)
def test_panes_come_with_the_width(columns: int, chats: int, transcript: int, members: int) -> None:
    found = layout(STATE, columns, 24, 1)
    assert (found.chats, found.transcript, found.members) == (chats, transcript, members)


@pytest.mark.parametrize(
    ("chats", "members", "columns", "panes"),
    [
        ("on", "auto", 60, (16, 0)),
        ("auto", "on", 60, (0, 16)),
        ("on", "on", 60, (16, 16)),
        ("off", "off", 200, (0, 0)),
        ("off", "auto", 100, (0, 16)),
        ("on", "on", 54, (16, 16)),
        ("on", "on", 53, (16, 0)),  # both would leave too little to read
        ("on", "on", 36, (0, 0)),
        ("on", "on", 37, (16, 0)),
    ],
)
def test_panes_can_be_forced_as_far_as_there_is_room(
    chats: str, members: str, columns: int, panes: tuple[int, int]
) -> None:
    state = replace(STATE, settings=Settings(chats=chats, members=members))
    found = layout(state, columns, 24, 1)
    assert (found.chats, found.members) == panes


@pytest.mark.parametrize(
    ("rows", "input_rows", "expected"),
    [
        (24, 1, (True, 21, True)),
        (24, 5, (True, 17, True)),
        (8, 1, (True, 5, True)),
        (7, 1, (False, 5, True)),
        (3, 1, (False, 1, True)),
        (2, 1, (False, 0, True)),
        (1, 1, (False, 0, False)),
        (8, 5, (True, 1, True)),
        (8, 6, (False, 1, True)),
        (8, 7, (False, 0, True)),
        (1, 5, (False, 0, False)),
    ],
)
def test_title_body_and_status_by_height(
    rows: int, input_rows: int, expected: tuple[bool, int, bool]
) -> None:
    found = layout(STATE, 60, rows, input_rows)
    assert (found.title, found.body, found.status) == expected


def test_a_question_takes_a_row_of_the_body() -> None:
    asked = replace(STATE, question=Question("quit", "quit?"))
    assert layout(asked, 60, 24, 1).body == layout(STATE, 60, 24, 1).body - 1
    assert layout(asked, 60, 24, 1).over == 1


def test_what_is_over_the_status_bar_leaves_a_row_of_the_body() -> None:
    asked = replace(STATE, question=Question("quit", "quit?"))
    assert layout(asked, 60, 4, 1) == Layout(False, 0, 60, 0, 1, 1, True)
    assert layout(asked, 60, 3, 1) == Layout(False, 0, 60, 0, 1, 0, True)


def test_without_a_chat_there_are_no_panes() -> None:
    found = layout(LOBBY, 200, 24, 1)
    assert (found.chats, found.members, found.transcript) == (0, 0, 200)


def test_the_bare_view_has_text_alone() -> None:
    found = layout(paged("bare", None), 200, 24, 1)
    assert (found.title, found.chats, found.members, found.body) == (False, 0, 0, 22)


@given(
    st.sampled_from([STATE, LOBBY, replace(STATE, page=Page("bare"), lost=True)]),
    st.integers(1, 250),
    st.integers(1, 80),
    st.integers(1, 6),
    st.sampled_from(["auto", "on", "off"]),
)
def test_parts_add_up_to_the_screen(
    state: State, columns: int, rows: int, input_rows: int, panes: str
) -> None:
    state = replace(state, settings=Settings(chats=panes, members=panes))
    found = layout(state, columns, rows, input_rows)
    borders = bool(found.chats) + bool(found.members)
    assert found.chats + found.members + found.transcript + borders == columns
    assert found.title + found.body + found.over + found.status == max(0, rows - input_rows)
