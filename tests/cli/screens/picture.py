"""A screen as an SVG picture for the README: no font, script or address from elsewhere.

Text of one look is one element, stretched to its columns, so that it stands right in whatever
monospace font the reader has; characters of two columns stand alone.
"""

from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import escape

from pyte.screens import Char
from wcwidth import wcwidth

from tests.display import Display, color

CELL_X, CELL_Y, SIZE = 8.4, 18, 14  # pixels
MARGIN, BAR = 12, 30  # pixels around the text, and of the title
INK, PAPER, EDGE = "#d8dee9", "#1d2129", "#3b4252"
PALETTE = {
    "black": "#2e3440",
    "red": "#d9626c",
    "green": "#98be79",
    "yellow": "#e2c06f",
    "blue": "#6f9fd8",
    "magenta": "#bd85c6",
    "cyan": "#6fbfca",
    "white": "#d8dee9",
    "brightblack": "#7b8494",
    "brightred": "#f0808a",
    "brightgreen": "#b5d99a",
    "brightyellow": "#f4d88e",
    "brightblue": "#92bdf0",
    "brightmagenta": "#d8a5e0",
    "brightcyan": "#93dbe4",
    "brightwhite": "#ffffff",
}
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def svg(display: Display, title: str) -> str:
    """The screen as a window with a title, its cursor as a block."""
    width = display.columns * CELL_X + 2 * MARGIN
    height = display.lines * CELL_Y + 2 * MARGIN + BAR
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' font-family="{FONT}" font-size="{SIZE}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{PAPER}" stroke="{EDGE}"/>',
        *(
            f'<circle cx="{20 + 20 * n}" cy="{BAR / 2 + 2:g}" r="6" fill="{EDGE}"/>'
            for n in range(3)
        ),
        f'<text x="{width / 2:g}" y="{BAR / 2 + 7:g}" fill="{PALETTE["brightblack"]}"'
        f' text-anchor="middle">{escape(title)}</text>',
    ]
    for y in range(display.lines):
        parts += _row(display, y)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(display: Display, y: int) -> Iterator[str]:
    cells = [display.buffer[y][x] for x in range(display.columns)]
    if display.shows_cursor and display.at[1] == y:
        x = display.at[0]
        cells[x] = cells[x]._replace(reverse=not cells[x].reverse)
    top = MARGIN + BAR + y * CELL_Y
    for (ink, paper, bold, faint, line, _), group in groupby(enumerate(cells), _look):
        run = list(group)
        left, columns = run[0][0], len(run)
        text = "".join(char.data for _, char in run)
        x, span = MARGIN + left * CELL_X, columns * CELL_X
        if paper:
            yield (
                f'<rect x="{x:.1f}" y="{top}" width="{span:.1f}" height="{CELL_Y}" fill="{paper}"'
                ' shape-rendering="crispEdges"/>'
            )
        if not text.strip():
            continue
        looks = f'fill="{ink}"'
        looks += ' font-weight="bold"' if bold else ""
        looks += ' opacity="0.65"' if faint else ""
        looks += ' text-decoration="underline"' if line else ""
        kept = text.rstrip()
        columns -= len(text) - len(kept)
        yield (
            f'<text x="{x:.1f}" y="{top + SIZE}" {looks} xml:space="preserve"'
            f' textLength="{columns * CELL_X:.1f}" lengthAdjust="spacingAndGlyphs">'
            f"{escape(kept)}</text>"
        )


def _look(at: tuple[int, Char]) -> tuple[str, str, bool, bool, bool, int]:
    """What cells must share to be drawn together; a wide one shares it with its second half."""
    x, char = at
    ink, paper = _color(char.fg, INK), _color(char.bg, "")
    if char.reverse:
        ink, paper = paper or PAPER, ink
    alone = x + 1 if char.data and wcwidth(char.data[0]) == 2 else x if not char.data else 0
    return ink, paper, char.bold, char.blink, char.underscore, alone


def _color(name: str, default: str) -> str:
    if name == "default":
        return default
    return PALETTE.get(color(name), f"#{name}")
