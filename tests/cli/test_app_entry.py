"""The cursor is where the next character goes, whatever is typed and however narrow it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from node.cli.app.entry import part, wrapped
from tests.cli.app_world import World

PROMPT = len("[#dev] ")


@pytest.mark.parametrize(
    ("text", "room", "rows"),
    [
        ("", 4, [(0, 0)]),
        ("abcd", 4, [(0, 4)]),
        ("abcde", 4, [(0, 4), (4, 5)]),
        ("世世世", 4, [(0, 2), (2, 3)]),
        ("a世世", 4, [(0, 2), (2, 3)]),
        ("abce\u0301f", 4, [(0, 5), (5, 6)]),
        ("世", 1, [(0, 1)]),
    ],
)
def test_rows_end_where_the_next_character_does_not_fit(
    text: str, room: int, rows: list[tuple[int, int]]
) -> None:
    assert wrapped(text, room) == rows


@given(text=st.text(alphabet="ab 世e\u0301🙂", max_size=60), room=st.integers(2, 12))
def test_rows_hold_the_whole_text_and_fit(text: str, room: int) -> None:
    rows = wrapped(text, room)
    assert "".join(text[start:end] for start, end in rows) == text
    assert all(sum(map(get_cwidth, text[start:end])) <= room for start, end in rows)
    assert all(end > start for start, end in rows) or rows == [(0, 0)]


def test_a_part_of_a_line_keeps_its_looks() -> None:
    line = [("a", "one"), ("b", "two"), ("c", "x")]
    assert part(line, 2, 5) == [("a", "e"), ("b", "tw")]
    assert part(line, 0, 7) == line
    assert part(line, 3, 3) == []


@pytest.mark.parametrize("columns", [20, 21, 34])
@pytest.mark.parametrize("char", ["x", "世", "e\u0301"])
def test_the_cursor_follows_what_is_typed(columns: int, char: str) -> None:
    with World(columns, 4) as world:
        world.node.add_chat("dev", "alice", "you", leader="alice")
        world.start()
        wide, room = get_cwidth(char), columns - PROMPT
        a_row = room // wide
        for count in range(1, 2 * room):
            world._input.send_text(char)
            world.passes(60)
            on_row = count % a_row
            if not on_row and room > a_row * wide:
                on_row = a_row  # the cursor itself still has a place
            assert world.display.at == (PROMPT + on_row * wide, 3), count
        world.press("Ctrl+A")
        assert world.display.at == (PROMPT, 3)
        assert world.rows[-1].startswith("[#dev] ")


def test_rows_are_scrolled_to_the_cursor_and_no_further() -> None:
    with World(60, 16) as world:
        world.node.add_chat("dev", "alice", "you", leader="alice")
        world.start()
        world.type("0")
        for number in range(1, 9):
            world.press("Alt+Enter")
            world.type(str(number))

        def shown() -> str:
            return "".join(row.strip()[-1] for row in world.rows[-5:])

        assert shown() == "45678"
        world.press("Up", "Up", "Up", "Up")
        assert shown() == "45678"
        world.press("Up")
        assert shown() == "34567"
        world.press(*["Up"] * 3)
        assert shown() == "01234"
        assert world.rows[-5].startswith("[#dev] 0")
        world.press("Ctrl+E", "x")
        assert world.rows[-5].startswith("[#dev] 0x")
        world.press(*["Down"] * 5)
        assert shown() == "12345"


def test_a_terminal_too_narrow_for_the_prompt_has_room_for_text() -> None:
    with World(9, 3) as world:
        world.node.add_chat("dev", "alice", "you", leader="alice")
        world.start()
        world.type("hello")
        assert world.rows[-1].rstrip() == "hello"
        assert world.display.at == (5, 2)
