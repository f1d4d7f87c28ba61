"""What stands between the transcript and the status bar."""

import pytest
from msgspec.structs import replace

from node.cli.model import Question, Search, State, Switcher
from node.cli.render.over import LOST, MATCHES_MAX, NO_CHAT, NONE_OPEN, rows, urgent
from node.cli.render.rows import plain
from tests.cli.drawn import DEV, QUESTION, STATE, chat, columns_of, showing


def over(state: State, columns: int = 80) -> list[str]:
    drawn = rows(state, columns)
    assert columns_of(drawn) <= {columns}
    return [plain(row).rstrip() for row in drawn]


def test_usually_nothing() -> None:
    assert over(STATE) == []


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (replace(STATE, hint="type to talk"), " type to talk"),
        (replace(STATE, lost=True), f" {LOST}"),
        (replace(STATE, question=QUESTION), f" {QUESTION.text}"),
        (State(nick="me"), f" {NO_CHAT}"),
        (showing(replace(DEV, closed=True), current=0), f" {NONE_OPEN}"),
        (replace(STATE, search=Search("x\x1b", 0, True)), " nothing holds 'x'"),
        (replace(STATE, search=Search("x", 3, True)), " no older line holds it"),
        (
            replace(STATE, search=Search("x", 3)),
            " Enter or Up: older; Down: newer; Esc: leave the search",
        ),
        (replace(STATE, switcher=Switcher("nonesuch")), " no chat matches"),
    ],
)
def test_one_row(state: State, said: str) -> None:
    assert over(state) == [said]


@pytest.mark.parametrize(
    "state", [State(), replace(STATE, search=Search("")), replace(STATE, search=Search("x"))]
)
def test_nothing_is_said_before_it_is_known(state: State) -> None:
    assert over(state) == []


def test_a_hint_goes_on_in_a_second_row_and_no_further() -> None:
    assert over(replace(STATE, hint="word " * 30), 20) == [" word word word word"[:20]] * 2


def test_what_matters_most_is_last() -> None:
    state = replace(STATE, hint="h", lost=True, question=QUESTION)
    assert over(state) == [" h", f" {LOST}", f" {QUESTION.text}"]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (STATE, ""),
        (replace(STATE, hint="h"), ""),
        (replace(STATE, lost=True), LOST),
        (replace(STATE, lost=True, question=Question("quit", "quit?")), "quit?"),
    ],
)
def test_what_is_urgent(state: State, said: str) -> None:
    row = urgent(state, 80)
    assert (plain(row).strip() if row else "") == said


def test_the_switcher_lists_what_matches() -> None:
    state = replace(STATE, switcher=Switcher("", 3))
    assert over(state, 40) == [
        "    2 #ops  3 unread",
        " >  3 #lab  @1 5 unread",
        "    4 #bob",
        "    5 #old  9 unread",
        "    1 #dev",
    ]


def test_the_picked_one_stays_in_sight() -> None:
    views = (DEV, *(chat(n, f"c{n}", looked_at=100 - n) for n in range(2, 30)))
    for picked in (0, 5, 20, 27):
        state = replace(STATE, views=views, switcher=Switcher("c", picked + 2))
        drawn = rows(state, 40)
        assert len(drawn) == MATCHES_MAX
        marked = [plain(row).split()[2] for row in drawn if row[0][0] == "switcher.picked"]
        assert marked == [f"#c{picked + 2}"]


def test_the_picked_one_stays_the_same_chat() -> None:
    state = replace(STATE, switcher=Switcher("", chat_id=4))
    assert over(state, 40)[2] == " >  4 #bob"
    changed = replace(state, views=(DEV, chat(4, "bob", looked_at=9), chat(2, "ops", 3)))
    assert [row for row in over(changed, 40) if ">" in row] == [" >  2 #bob"]
    gone = replace(state, views=(DEV, chat(2, "ops", 3)))
    assert [row for row in over(gone, 40) if ">" in row] == [" >  2 #ops  3 unread"]


def test_closed_chats_have_no_number() -> None:
    state = replace(STATE, views=(DEV, chat(2, "old", closed=True)), switcher=Switcher("old"))
    assert over(state) == [" >  - #old"]


@pytest.mark.parametrize("columns", [1, 2, 3, 10])
def test_narrow_screens(columns: int) -> None:
    state = replace(
        STATE,
        hint="hello",
        lost=True,
        question=QUESTION,
        switcher=Switcher(),
        search=Search("x", 1),
    )
    assert columns_of(rows(state, columns)) == {columns}
