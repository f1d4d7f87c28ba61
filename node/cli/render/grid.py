"""Tables and paragraphs of a page."""

from collections.abc import Sequence
from typing import TypeAlias

from .rows import Row, cut, fitted, justified, padded
from .text import width
from .wrap import wrapped

Cells: TypeAlias = tuple[str, tuple[str, ...]]  # the class of a row, its cells

LAST_MIN = 20  # columns that the last cell wants beside the others
GAP = 2


def paragraph(look: str, text: str, columns: int) -> list[Row]:
    """Text on as many rows as it takes; those that follow begin where the first one does."""
    start = len(text) - len(text.lstrip(" "))
    indent = min(start, columns // 2)
    lines = wrapped(text[start:], max(1, columns - indent))
    return [fitted(((look, " " * indent + line),), columns) for line in lines]


def empty(columns: int) -> list[Row]:
    """An empty row between parts."""
    return [fitted((), columns)]


def grid(
    head: Sequence[str],
    rows: Sequence[Cells],
    columns: int,
    *,
    indent: int = 1,
    right: Sequence[int] = (),
    lead: str = "",
    least: int = 0,
) -> list[Row]:
    """Columns of text.  The last cell goes on below itself, or below the row where it has no room.

    Args:
        head: names of the columns; none for no heading.
        rows: class and cells of each, all equally many.
        columns: how wide the screen is.
        indent: blanks before each row.
        right: indices of cells that stand at the right end of their columns.
        lead: the class of first cells, if it is another than the row's.
        least: columns of the first cells at least.
    """
    if not rows:
        return []
    every = ([("page.head", tuple(head))] if head else []) + list(rows)
    count = len(rows[0][1])
    sizes = [max(width(cells[at]) for _, cells in every) for at in range(count - 1)]
    sizes[:1] = [max(size, least) for size in sizes[:1]]
    sizes = _narrowed(sizes, columns - indent)
    front = indent + sum(size + GAP for size in sizes)
    last_widest = max(width(cells[-1]) for _, cells in every)
    below = columns - front < min(LAST_MIN, last_widest)
    if below and head:  # what is below needs no name
        every[0] = ("page.head", (*head[:-1], ""))
    drawn: list[Row] = []
    for look, cells in every:
        parts = [
            (justified if at in right else padded)(cut(cell, size), size) + " " * GAP
            for at, (cell, size) in enumerate(zip(cells, sizes, strict=False))
        ]
        first = (lead or look, " " * indent + "".join(parts[:1]))
        before: Row = (first, (look, "".join(parts[1:])))
        hang = min(indent + 4, columns // 2) if below else front
        lines = wrapped(cells[-1], max(1, columns - hang)) if cells[-1] else ()
        if below:
            drawn.append(fitted(before, columns))
            before = ((look, " " * hang),)
        for line in lines if below else lines or ("",):
            drawn.append(fitted((*before, (look, line)), columns))
            before = ((look, " " * hang),)
    return drawn


def _narrowed(sizes: list[int], columns: int) -> list[int]:
    """The widest give way until all have room."""
    sizes = list(sizes)
    while sizes and sum(size + GAP for size in sizes) > columns and max(sizes) > 4:
        sizes[sizes.index(max(sizes))] -= 1
    return sizes
