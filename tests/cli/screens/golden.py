"""A screen as text that people can read and compare.

    == 30x3
    keys: Alt+2 PgUp
    +------------------------------+
    | #dev                         |
    |12:01   alice | who is there? |
    |[#dev]                        |
    +------------------------------+
    cursor: 7,2

With its styles, a second frame has a letter for each cell and a legend below it.
"""

from itertools import chain

from wcwidth import wcwidth

from tests.display import Display, style_of

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def written(display: Display, keys: list[str], *, styles: bool = False) -> str:
    """The screen, with what was typed to come to it."""
    lines = [f"== {display.columns}x{display.lines}"]
    if keys:
        lines.append(f"keys: {' '.join(keys)}")
    lines += framed(display.columns, display.rows)
    x, y = display.at
    lines.append(f"cursor: {x},{y}" if display.shows_cursor else "cursor: hidden")
    if styles:
        lines += _styled(display)
    return "\n".join(lines) + "\n"


def framed(columns: int, rows: list[str]) -> list[str]:
    """Rows within a frame; each must fill it exactly."""
    edge = f"+{'-' * columns}+"
    for row in rows:
        assert columns_of(row) == columns, f"{columns_of(row)} of {columns} columns: {row!r}"
    return [edge, *(f"|{row}|" for row in rows), edge]


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(max(0, wcwidth(char)) for char in text)


def _styled(display: Display) -> list[str]:
    looks = [
        [style_of(display.buffer[y][x]) for x in range(display.columns)]
        for y in range(display.lines)
    ]
    met = dict.fromkeys(look for look in chain.from_iterable(looks) if look)
    letter = {"": "."} | dict(zip(met, LETTERS, strict=False))
    rows = ["".join(letter[look] for look in row) for row in looks]
    legend = [f"{mark} {look}" for look, mark in letter.items() if look]
    return [*framed(display.columns, rows), *legend]
