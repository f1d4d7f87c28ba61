"""Rows of the screen: fragments of clean text, each with the class that a theme gives a look.

A row that was `fitted` has exactly as many columns as the screen; nothing is drawn any wider.
"""

from collections.abc import Iterable
from typing import TypeAlias

from .text import cells, width

Fragment: TypeAlias = tuple[str, str]  # class, text
Row: TypeAlias = tuple[Fragment, ...]


def cut(text: str, columns: int, mark: str = "~") -> str:
    """`text` in at most so many columns; `mark` ends one that was longer."""
    if width(text) <= columns:
        return text
    room = columns - len(mark)
    if room < 0:
        return ""
    return head(text, room) + mark


def head(text: str, columns: int) -> str:
    """As much of the beginning as fits into so many columns."""
    if text.isascii():
        return text[: max(0, columns)]
    kept, taken = [], 0
    for cell, wide in cells(text):
        taken += wide
        if taken > columns:
            break
        kept.append(cell)
    return "".join(kept)


def fitted(fragments: Iterable[Fragment], columns: int, fill: str = "") -> Row:
    """Exactly `columns` wide: the rest is cut off, or blanks of class `fill` follow."""
    row: list[Fragment] = []
    left = columns
    for fragment in fragments:
        wide = width(fragment[1])
        if wide <= left:
            if wide:
                row.append(fragment)
                left -= wide
            continue
        kept = head(fragment[1], left)
        row.append((fragment[0], kept))
        left -= width(kept)
        break
    if left:
        row.append((fill, " " * left))
    return tuple(one for one in row if one[1])


def plain(row: Row) -> str:
    """The text of a row."""
    return "".join(text for _, text in row)


def justified(text: str, columns: int) -> str:
    """At the right end of so many columns."""
    return " " * (columns - width(text)) + text


def padded(text: str, columns: int) -> str:
    """At the left end of so many columns."""
    return text + " " * (columns - width(text))
