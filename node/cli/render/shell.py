"""Lines for the shell on several rows, which mean the same when they are pasted together."""

import re
from typing import NamedTuple

from .text import width

# What must stay in one piece: a quote within quotes, an escaped character, any other character.
_PIECE = re.compile(r"'\\''|\\.|.", re.DOTALL)


class _Break(NamedTuple):
    """Where a row may end: after so many characters, with what, and how the next one begins."""

    at: int
    end: str
    begin: str


class _State(NamedTuple):
    """Where in a line one is: within quotes, within a string of JSON in quotes."""

    quoted: bool = False
    string: bool = False

    def after(self, piece: str) -> "_State":
        if piece == "'":
            return _State(not self.quoted)
        return _State(True, not self.string) if piece == '"' and self.quoted else self


def shell_rows(line: str, columns: int) -> list[str]:
    """A shell line on rows that are no wider, as long as that can be done.

    Between arguments a row ends with a backslash; within quotes after a comma of JSON, where a line
    break means nothing; else in the middle of a word, with the quotes closed before the backslash
    and opened again after it.
    """
    rows: list[str] = []
    begin, state = "", _State()
    while width(begin + line) > columns:
        found = _break(line, columns - len(begin), state)
        if found is None:
            break
        row, line = line[: found.at], line[found.at :]
        rows.append(begin + (row.rstrip(" ") if found.end == " \\" else row) + found.end)
        for piece in _PIECE.findall(row):
            state = state.after(piece)
        begin = found.begin
    return [*rows, begin + line]


def _break(line: str, columns: int, state: _State) -> _Break | None:
    """The last good place for a break, else the last place of all."""
    good: _Break | None = None
    any_place: _Break | None = None
    taken = 0
    for found in _PIECE.finditer(line):
        piece, at = found[0], found.end()
        taken += width(piece)
        if taken > columns:
            break
        state = state.after(piece)
        if piece == "," and state == (True, False):
            good = _Break(at, "", "")
        elif piece == " " and not state.quoted and taken + 1 <= columns:
            good = _Break(at, " \\", "")
        if state.quoted and taken + 2 <= columns:
            any_place = _Break(at, "'\\", "'")
        elif not state.quoted and taken + 1 <= columns:
            any_place = _Break(at, "\\", "")
    return good or any_place
