"""A line to type on, of one row or several: prompt, text, and the row with the cursor in sight.

The toolkit's own window counts the rows of wrapped text by its width alone, which is wrong for wide
characters and at the end of a row; the cursor was lost then.  Here the rows that are counted are
those that are drawn.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout import BufferControl, Window
from prompt_toolkit.layout.controls import UIContent
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.mouse_handlers import MouseHandlers
from prompt_toolkit.layout.screen import Screen, WritePosition
from prompt_toolkit.utils import get_cwidth

from .canvas import Row, paint, style_of

ROOM_MIN = 4  # columns for text; without them the prompt is left out


class Span(NamedTuple):
    """A row of the input: the part of a line that it shows."""

    line: int
    start: int
    end: int


class Entry(Window):
    """The window of a buffer."""

    def __init__(self, control: BufferControl, prompt: Callable[[], Row]) -> None:
        super().__init__(control)
        self._prompt = prompt
        self._first = Span(0, 0, 0)  # the row that was the first one shown

    def preferred_height(self, width: int, max_available_height: int) -> Dimension:
        content = self.content.create_content(width, max_available_height)
        rows = spans(content, self._room(width)[1], range(max_available_height))
        return Dimension.exact(max(1, min(len(rows), max_available_height)))

    def write_to_screen(
        self,
        screen: Screen,
        mouse_handlers: MouseHandlers,
        write_position: WritePosition,
        parent_style: str,
        erase_bg: bool,
        z_index: int | None,
    ) -> None:
        """Draws as many rows as there is room for."""
        width, height = write_position.width, write_position.height
        content = self.content.create_content(width, height)
        prompt, room = self._room(width)
        indent = width_of(prompt)
        near = content.cursor_position.y  # a line has a row at least: no other ones can be seen
        rows = spans(content, room, range(near - height, near + height + 1))
        at = row_of(rows, content.cursor_position)
        before = (n for n, row in enumerate(rows) if row[:2] >= self._first[:2])
        top = max(min(next(before, at), at, len(rows) - height), at - height + 1, 0)
        shown = rows[top : top + height]
        self._first = shown[0]
        for y, span in enumerate(shown, write_position.ypos):
            cells = screen.data_buffer[y]
            if span.line == 0 and span.start == 0:
                paint(cells, 0, [(style_of(names), text) for names, text in prompt])
            paint(cells, indent, part(content.get_line(span.line), span.start, span.end))

        def on_screen(place: Point) -> Point:
            row = row_of(rows, place)
            before = part(content.get_line(place.y), rows[row].start, place.x)
            y = min(max(row - top, 0), height - 1)
            return Point(x=min(indent + width_of(before), width - 1), y=write_position.ypos + y)

        screen.set_cursor_position(self, on_screen(content.cursor_position))
        if content.menu_position is not None:
            screen.set_menu_position(self, on_screen(content.menu_position))
        screen.show_cursor = True
        screen.visible_windows_to_write_positions[self] = write_position

    def _room(self, width: int) -> tuple[Row, int]:
        """The prompt, and the columns beside it."""
        prompt = self._prompt()
        room = width - width_of(prompt)
        return (prompt, room) if room >= ROOM_MIN else ((), max(1, width))


def width_of(fragments: Iterable[tuple[str, str]]) -> int:
    """Columns that fragments take."""
    return sum(get_cwidth(text) for _, text in fragments)


def spans(content: UIContent, room: int, lines: range) -> list[Span]:
    """The rows of those of `lines` that there are, in so many columns."""
    rows: list[Span] = []
    for line in range(max(0, lines.start), min(lines.stop, content.line_count)):
        text = "".join(fragment[1] for fragment in content.get_line(line))
        rows += [Span(line, start, end) for start, end in wrapped(text, room)]
    return rows


def wrapped(text: str, room: int) -> list[tuple[int, int]]:
    """Where the rows of one line begin and end; there is at least one."""
    if text.isascii():
        starts = range(0, max(1, len(text)), room)
        return [(start, min(start + room, len(text))) for start in starts]
    rows, start, taken = [], 0, 0
    for at, char in enumerate(text):
        wide = get_cwidth(char)
        if taken + wide > room and at > start:
            rows.append((start, at))
            start, taken = at, 0
        taken += wide
    return [*rows, (start, len(text))]


def row_of(rows: Sequence[Span], at: Point) -> int:
    """The row that shows a place of the text."""
    for number, span in enumerate(rows):
        if span.line == at.y and (at.x < span.end or at.x == span.start == span.end):
            return number
    return len(rows) - 1


def part(line: StyleAndTextTuples, start: int, end: int) -> list[tuple[str, str]]:
    """The fragments of a part of a line."""
    found, at = [], 0
    for fragment in line:
        text = fragment[1]
        cut = text[max(0, start - at) : max(0, end - at)]
        if cut:
            found.append((fragment[0], cut))
        at += len(text)
    return found
