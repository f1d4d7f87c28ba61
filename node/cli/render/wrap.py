"""Long lines on several rows: broken at blanks where there are some, and by columns."""

import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import TypeAlias

from .text import UNKNOWN, width, widths

_WORD = re.compile("[^ ]")

Span: TypeAlias = tuple[int, int]  # from the first character to before the last


def spans(line: str, columns: int) -> list[Span]:
    """Where the rows of one clean line begin and end; one at least, blanks at ends left out.

    A character that is wider than `columns` has a row of its own all the same.
    """
    columns = max(1, columns)
    size = len(line.rstrip(" "))
    if size <= columns and width(line[:size]) <= columns:
        return [(0, size)]
    end_of = _ends(line, columns)
    found: list[Span] = []
    start = _indented(line[:size], columns)
    while start < size:
        end = min(end_of(start), size)
        if end < size and line[end] != " ":
            blank = line.rfind(" ", start, end)
            if blank > start and line[start:blank].strip(" "):
                end = blank
        found.append((start, start + len(line[start:end].rstrip(" "))))
        word = _WORD.search(line, end)
        start = word.start() if word else size
    return found


def hung(line: str, columns: int, indent: int) -> tuple[list[Span], int]:
    """As `spans`, for a row of a table: the first row ends between two of its columns, where there
    are any, and those that follow have room for some blanks before them.

    Returns:
        The rows, and how many blanks: `indent`, or none if that would break a word.
    """
    first, *rest = spans(line, columns)
    if not rest:
        return [first], indent
    start, end = first
    gap = end if line.startswith("  ", end) else line.rfind("  ", start, end)
    if gap > start and line[start:gap].strip(" "):
        end = start + len(line[start:gap].rstrip(" "))
    word = _WORD.search(line, end)
    after = word.start() if word else len(line)
    if any(width(word) > columns - indent for word in line[after:].split(" ")):
        indent = 0
    more = spans(line[after:], columns - indent)
    return [(start, end), *((after + one, after + other) for one, other in more)], indent


def _indented(line: str, columns: int) -> int:
    """Where the first row begins: with as many of the blanks as leave room for the first word."""
    indent = len(line) - len(line.lstrip(" "))
    word = line[indent:].partition(" ")[0] if indent else ""
    return indent - min(indent, max(0, columns - width(word)))


def _ends(line: str, columns: int) -> Callable[[int], int]:
    """From the start of a row, how far it reaches; by one character at least."""
    if line.isascii():
        return lambda start: start + columns
    sums = [0, *accumulate(map(widths, line))]
    return lambda start: max(bisect_right(sums, sums[start] + columns) - 1, start + 1)


def wrapped(text: str, columns: int) -> tuple[str, ...]:
    """The rows of a clean text, none wider than `columns`; every line break begins a row."""
    rows = [line[a:b] for line in text.split("\n") for a, b in spans(line, columns)]
    if columns >= 2:
        return tuple(rows)
    return tuple(UNKNOWN if width(row) > max(1, columns) else row for row in rows)
