"""What reaches the terminal is what was to be drawn, however little of it is sent."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer, CompletionState
from prompt_toolkit.completion import Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout import BufferControl, Float, FloatContainer, Layout, Window
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style

from node.cli.app.canvas import Canvas, Row, cells_of, style_of
from tests.display import Display

COLUMNS, ROWS = 30, 12
STYLE = Style.from_dict({"hot": "ansired", "cold": "reverse"})


class Stage:
    """Rows that a test chooses, over an input, on a terminal that pyte draws."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.display = Display(COLUMNS, ROWS)
        self.input = Buffer(multiline=True)
        self.sent = ""
        self.encoding = "utf-8"

    def write(self, text: str) -> int:
        self.sent += text
        self.display.feed(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Stage"]:
        window = Window(BufferControl(self.input), wrap_lines=True)
        canvas = Canvas(
            lambda *_: self.rows,
            [window],
            lambda: [window],
            lambda: self.input.complete_state is not None,
        )
        menu = Float(CompletionsMenu(max_height=4), xcursor=True, ycursor=True)
        size = Size(rows=ROWS, columns=COLUMNS)
        output = Vt100_Output(self, lambda: size, term="xterm", enable_cpr=False)  # type: ignore[arg-type]
        with create_pipe_input() as keys:
            self.app: Application[None] = Application(
                layout=Layout(FloatContainer(canvas, [menu]), focused_element=window),
                style=STYLE,
                full_screen=True,
                erase_when_done=True,
                input=keys,
                output=output,
            )
            running = asyncio.ensure_future(
                self.app.run_async(set_exception_handler=False, handle_sigint=False)
            )
            await asyncio.sleep(0)
            yield self
            self.app.exit()
            await running

    def draw(self, *rows: str) -> str:
        """Draws rows of plain text; what had to be sent for it."""
        return self.draw_rows([(("", text.ljust(COLUMNS)),) for text in rows])

    def draw_rows(self, rows: Sequence[Row]) -> str:
        self.rows, self.sent = list(rows), ""
        self.app._redraw()
        return self.sent

    def looks(self) -> list[tuple[str, str, str, bool]]:
        """Every cell as the terminal has it, at its place."""
        buffer = self.display.buffer
        return [
            (f"{x},{y}", buffer[y][x].data, buffer[y][x].fg, buffer[y][x].reverse)
            for y in range(ROWS)
            for x in range(COLUMNS)
        ]


def test_classes_of_a_fragment_are_those_of_the_theme() -> None:
    assert style_of("") == ""
    assert style_of("nick.3") == "class:nick.3"
    assert style_of("text match") == "class:text class:match"


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("ab", ["a", "b"]),
        ("世a", ["世", "", "a"]),
        ("e\u0301x", ["e\u0301", "x"]),
        ("世\u0301x", ["世\u0301", "", "x"]),
        ("\u0301x", ["x"]),
    ],
)
def test_a_character_takes_as_many_cells_as_it_is_wide(text: str, cells: list[str]) -> None:
    found = cells_of((("hot", text),))
    assert [found[x].char for x in range(len(cells))] == cells
    assert {found[x].style for x in range(len(cells))} == {"class:hot"}


async def test_what_has_not_changed_is_not_sent() -> None:
    async with Stage().running() as stage:
        stage.draw("one", "two", "three")
        assert stage.display.rows[1].startswith("two")
        again = stage.draw("one", "two", "three")
        assert not [word for word in ("one", "two", "three") if word in again]
        changed = stage.draw("one", "too", "three")
        assert stage.display.rows[1].startswith("too")
        assert "o" in changed
        assert "three" not in changed


async def test_a_row_that_comes_back_is_drawn_again() -> None:
    async with Stage().running() as stage:
        for word in ("one", "two", "one", "one", "two"):
            stage.draw(word, "below")
            assert stage.display.rows[0].strip() == word
            assert stage.display.rows[1].strip() == "below"


async def test_the_input_grows_over_rows_and_gives_them_back() -> None:
    async with Stage().running() as stage:
        rows = [f"row {number}" for number in range(ROWS)]
        stage.draw(*rows)
        assert stage.display.rows[ROWS - 2].strip() == f"row {ROWS - 2}"
        stage.input.text = "a\nb\nc"
        stage.draw(*rows)
        assert [row.strip() for row in stage.display.rows[-4:]] == ["row 8", "a", "b", "c"]
        stage.input.text = "a"
        stage.draw(*rows)
        assert [row.strip() for row in stage.display.rows[-4:]] == ["row 8", "row 9", "row 10", "a"]


async def test_the_input_takes_a_third_of_the_screen_at_most() -> None:
    async with Stage().running() as stage:
        stage.input.document = Document("\n".join("abcdefgh"))
        stage.draw(*[f"row {number}" for number in range(ROWS)])
        assert [row.strip() for row in stage.display.rows[-5:]] == ["row 7", "e", "f", "g", "h"]


async def test_a_menu_leaves_nothing_behind() -> None:
    async with Stage().running() as stage:
        rows = [f"row {number}" for number in range(ROWS)]
        stage.draw(*rows)
        plain = stage.looks()
        for _ in range(2):
            stage.input.complete_state = CompletionState(
                Document(""), [Completion("carol"), Completion("carl")]
            )
            stage.draw(*rows)
            assert any("carol" in row for row in stage.display.rows)
            stage.input.complete_state = None
            stage.draw(*rows)
            assert stage.looks() == plain


@pytest.mark.parametrize("seed", range(20))
async def test_any_frames_after_one_another_end_as_the_last_alone(seed: int) -> None:
    chance = random.Random(seed)
    alphabet = ["a", "b", " ", "世", "e\u0301", "🙂"]

    def row() -> Row:
        made, left = [], COLUMNS
        while left > 0:
            char = chance.choice(alphabet)
            wide = 2 if char in "世🙂" else 1
            if wide <= left:
                made.append((chance.choice(["", "hot", "cold"]), char))
                left -= wide
        return tuple(made)

    kept = [row() for _ in range(6)]
    last: list[Row] = []
    async with Stage().running() as stage:
        for _ in range(12):
            last = [chance.choice([*kept, row()]) for _ in range(ROWS)]
            stage.input.text = "\n".join("x" * chance.randint(1, 4))
            if chance.random() < 0.3:
                stage.input.complete_state = CompletionState(Document(""), [Completion("menu")])
            stage.draw_rows(last)
        stage.input.text = "end"
        stage.draw_rows(last)
        seen = stage.looks()
    async with Stage().running() as stage:
        stage.input.text = "end"
        stage.draw_rows(last)
        assert stage.looks() == seen, f"seed {seed}"
