"""Lines for the shell: calls for grpcurl, and lines on several rows, which mean the same when they
are pasted together.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from .rows import head
from .text import width

# What must stay in one piece: a quote within quotes, an escaped character, what decides nothing.
_PIECE = re.compile(r"'\\''|\\.|[^\\'\", ]+|.", re.DOTALL)


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


@lru_cache(maxsize=256)
def grpcurl(
    address: str, method: str, request: str = "", unix: bool = False, keys: str = ""
) -> str:
    """A line to be pasted into a shell; `keys`: the directory of those that secure the call."""
    body = f" -d {_quoted(request)}" if request and request != "{}" else ""
    how = "-plaintext -unix" if unix else "-plaintext"
    if keys and not unix:
        own = _path(f"{keys}/tls.pem")
        how = f"-cacert {_path(f'{keys}/authority.pem')} -cert {own} -key {own} -authority p2pchat"
    return f"grpcurl {how}{body} {address} {method}"


def _path(text: str) -> str:
    return text if re.fullmatch(r"[\w./~+@%:,=-]+", text) else _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def shell_rows(line: str, columns: int) -> tuple[str, ...]:
    """A shell line on rows that are no wider, as long as that can be done.

    Between arguments a row ends with a backslash; within quotes after a comma of JSON, where a line
    break means nothing; else in the middle of a word, with the quotes closed before the backslash
    and opened again after it.  The work grows with the line, and is done once for each.
    """
    rows: list[str] = []
    begin, at, state = "", 0, _State()
    while not _fits(line, at, columns - len(begin)):
        found, state = _break(line, at, columns - len(begin), state)
        if found is None:
            break
        row = line[at : found.at]
        rows.append(begin + (row.rstrip(" ") if found.end == " \\" else row) + found.end)
        begin, at = found.begin, found.at
    return (*rows, begin + line[at:])


def _fits(line: str, at: int, columns: int) -> bool:
    """Whether what is left from there is no wider; a character may have no width by itself."""
    return len(line) - at <= 3 * columns and width(line[at:]) <= columns


def _break(line: str, at: int, columns: int, state: _State) -> tuple[_Break | None, _State]:
    """The last good place for a break from `at` on, else the last place of all; the state there."""
    good: tuple[_Break, _State] | None = None
    any_place: tuple[_Break, _State] | None = None
    taken = 0
    for found in _PIECE.finditer(line, at):
        piece, before, end = found[0], taken, found.end()
        taken += width(piece)
        if taken > columns:
            room = columns - before - (2 if state.quoted else 1)
            if len(piece) > 1 and piece[0] not in "'\\" and (part := head(piece, room)):
                any_place = (_anywhere(found.start() + len(part), state.quoted), state)
            break
        state = state.after(piece)
        if piece == "," and state == (True, False):
            good = (_Break(end, "", ""), state)
        elif piece == " " and not state.quoted and taken + 1 <= columns:
            good = (_Break(end, " \\", ""), state)
        if taken + (2 if state.quoted else 1) <= columns:
            any_place = (_anywhere(end, state.quoted), state)
    return good or any_place or (None, state)


def _anywhere(at: int, quoted: bool) -> _Break:
    """A break in the middle of a word."""
    return _Break(at, "'\\", "'") if quoted else _Break(at, "\\", "")
