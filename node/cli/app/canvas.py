"""Rows of `render` straight into prompt_toolkit's screen.

A `Row` is drawn as it is: no layout, wrapping or alignment happens here.  What a row looks like in
cells is kept as long as it is shown, and rows that are still on the terminal are kept out of the
renderer's comparison altogether: of an unchanged frame nothing but the input line is looked at.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from prompt_toolkit.application.current import get_app
from prompt_toolkit.layout.containers import Container, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandler, MouseHandlers
from prompt_toolkit.layout.screen import _CHAR_CACHE, Char, Screen, WritePosition
from prompt_toolkit.mouse_events import MouseEvent

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

Row: TypeAlias = tuple[tuple[str, str], ...]  # fragments: class names, text
Cells: TypeAlias = "defaultdict[int, Char]"
Draw: TypeAlias = Callable[[int, int, int], Sequence[Row]]  # columns, rows, rows of the input

INPUT_ROWS_MAX = 5
BLANK = _CHAR_CACHE[" ", "[transparent]"]  # what a cell is that nobody wrote


def style_of(names: str) -> str:
    """prompt_toolkit's words for classes of a theme."""
    return " ".join(f"class:{name}" for name in names.split())


def cells_of(row: Row) -> Cells:
    """The cells of one row, from its first column on."""
    cells: Cells = defaultdict(lambda: BLANK)
    paint(cells, 0, ((style_of(names), text) for names, text in row))
    return cells


def paint(cells: Cells, x: int, fragments: Iterable[tuple[str, str]]) -> None:
    """Puts text into cells, from column `x` on."""
    for style, text in fragments:
        for char in text:
            cell = _CHAR_CACHE[char, style]
            if cell.width > 0:
                cells[x] = cell
                for covered in range(x + 1, x + cell.width):
                    cells[covered] = _CHAR_CACHE["", style]
                x += cell.width
            elif x > 0:  # a mark on the character before
                base = x - 1 if cells[x - 1].char else x - 2
                cells[base] = _CHAR_CACHE[cells[base].char + char, cells[base].style]


class Canvas(Container):
    """The whole screen: rows that `draw` gives, and below them the input."""

    def __init__(
        self,
        draw: Draw,
        windows: Sequence[Window],
        inputs: Callable[[], Sequence[Window]],
        covered: Callable[[], bool] = lambda: False,
        clicked: "Callable[[MouseEvent], NotImplementedOrNone] | None" = None,
    ) -> None:
        """Nothing is drawn yet.

        Args:
            draw: the rows above the input.
            windows: all that may be at the bottom.
            inputs: those that are there now, from above.
            covered: whether something will be drawn over the rows (a menu).
            clicked: gets mouse events of the rows, where the mouse is on.
        """
        self._draw, self._windows, self._inputs = draw, windows, inputs
        self._covered, self._clicked = covered, clicked
        self._shown: list[Row] = []  # what the terminal shows, row by row
        self._cells: dict[Row, Cells] = {}
        self._was_covered = False

    def reset(self) -> None:
        """Nothing is kept between runs."""
        self._shown = []

    def preferred_width(self, max_available_width: int) -> Dimension:
        return Dimension(preferred=max_available_width)

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        return Dimension(preferred=max_available_height)

    def get_children(self) -> list[Container]:
        return list(self._windows)

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        """Draws all of it."""
        width, height = write_position.width, write_position.height
        windows = [(one, self._rows_of(one, width, height)) for one in self._inputs()]
        below = min(sum(rows for _, rows in windows), height)
        rows = list(self._draw(width, height, below))[: height - below]
        rows += [((("", " " * width)),)] * (height - below - len(rows))
        self._paint(screen, rows)
        if self._clicked is not None:
            self._listen(mouse_handlers, len(rows))
        y = height - below
        for window, wanted in windows:
            given = min(wanted, height - y)
            if given > 0:
                spot = WritePosition(0, y, width, given)
                window.write_to_screen(
                    screen, mouse_handlers, spot, parent_style, erase_bg, z_index
                )
            y += given
        screen.width, screen.height = max(screen.width, width), max(screen.height, height)

    @staticmethod
    def _rows_of(window: Window, width: int, height: int) -> int:
        """How many rows a window wants: what it holds, up to five, and never most of the screen."""
        most = max(1, min(INPUT_ROWS_MAX, height // 3))
        return max(1, min(window.preferred_height(width, most).preferred, most))

    def _paint(self, screen: Screen, rows: list[Row]) -> None:
        """Puts the rows on the screen, and takes those that are on the terminal out of both."""
        covered = self._covered()
        before = get_app().renderer.last_rendered_screen
        known, self._cells = self._cells, {}
        if before is None:
            self._shown, self._was_covered = [], False
        for y, row in enumerate(rows):
            cells = self._cells.get(row) or known.get(row) or cells_of(row)
            self._cells[row] = cells
            old = self._shown[y] if y < len(self._shown) else None
            if covered:  # what is drawn over it must not reach the cells that are kept
                cells = cells.copy()
            elif old == row and not self._was_covered:
                assert before is not None, "rows are shown, so there was a screen"
                before.data_buffer.pop(y, None)
                continue
            if before is not None and old is not None and not self._was_covered:
                before.data_buffer[y] = known[old]
            screen.data_buffer[y] = cells
        if before is not None and not self._was_covered:
            for y, old in enumerate(self._shown[len(rows) :], len(rows)):
                before.data_buffer[y] = known[old]  # the input has grown over it
        self._shown, self._was_covered = rows, covered

    def _listen(self, mouse_handlers: MouseHandlers, rows: int) -> None:
        clicked = self._clicked
        assert clicked is not None, "without a listener there is nothing to set"
        everywhere: defaultdict[int, MouseHandler] = defaultdict(lambda: clicked)
        for y in range(rows):
            mouse_handlers.mouse_handlers[y] = everywhere
