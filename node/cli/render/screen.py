"""The whole screen above the input, from the state alone.

title                                                  from 8 rows on
chats | transcript, or a page over all three | members
a question, a hint, ...                                where there is one
status bar
"""

from typing import Literal, TypeAlias

from ..model import State
from . import bar, over, pages, panes, transcript
from .items import changes_ms
from .layout import Layout, layout
from .rows import Row, cut, fitted
from .text import clean_line, clean_name, shown_nick

BORDER = ("border", "|")
SECOND_MS, MINUTE_MS = 1_000, 60_000
FRESH = 64  # items at the end among which marks change of their own accord

Region: TypeAlias = (
    tuple[Literal["chat"], int] | tuple[Literal["transcript"], int] | tuple[Literal["member"], int]
)


def draw(state: State, columns: int, rows: int, input_rows: int, now_ms: int) -> list[Row]:
    """Everything above the input: `rows - input_rows` rows, each `columns` wide."""
    parts = layout(state, columns, rows, input_rows)
    drawn: list[Row] = []
    if parts.title:
        drawn.append(_topic(state, columns))
    if _covered(state):
        drawn += _page(state, columns, parts.body, now_ms)
    else:
        drawn += _body(state, parts, now_ms)
    above = over.rows(state, columns)
    drawn += above[len(above) - parts.over :]
    if parts.status:
        urgent = None if parts.over else over.urgent(state, columns)
        drawn.append(urgent or bar.status(state, columns, now_ms))
    return drawn


def _covered(state: State) -> bool:
    return state.page is not None and state.page.kind != "bare"


def _topic(state: State, columns: int) -> Row:
    view = state.front
    if view is None:
        return fitted((("title", " p2pchat"),), columns, "title")
    text = f" #{clean_name(state.shown_name(view))}"
    if view.chat.topic:
        by = f" (set by {shown_nick(view.chat.topic_by)})" if view.chat.topic_by else ""
        text += f" - {clean_line(view.chat.topic)}{by}"
    return fitted((("title", cut(text, columns)),), columns, "title")


def _body(state: State, parts: Layout, now_ms: int) -> list[Row]:
    view, height = state.front_or_lobby, parts.body
    middle = transcript.window(state, view, parts.transcript, height, now_ms)
    if parts.chats:
        left = panes.chats(state, parts.chats, height)
        middle = [(*a, BORDER, *b) for a, b in zip(left, middle, strict=True)]
    if parts.members:
        right = panes.members(state, parts.members, height)
        middle = [(*a, BORDER, *b) for a, b in zip(middle, right, strict=True)]
    return middle


def _page(state: State, columns: int, height: int, now_ms: int) -> list[Row]:
    """The part of a page that is scrolled to, under its title; never beyond its end."""
    assert state.page is not None, "no page is open"
    if not height:
        return []
    rows, room = pages.rows(state, columns, now_ms), height - 1
    first = min(max(0, state.page.top), max(0, len(rows) - room))
    shown = rows[first : first + room]
    head = pages.head(state, state.page, columns, first, len(shown), len(rows))
    return [head, *shown, *[fitted((), columns)] * (room - len(shown))]


def prompt(state: State) -> Row:
    """What stands before the input."""
    if state.question:
        return (("question", "[y/n] "),)
    if state.secret:
        return (("prompt", f"[{clean_line(state.secret.asked)}] "),)
    if state.switcher:
        return (("prompt", "[chat] "),)
    if state.search:
        return (("prompt", "[search] "),)
    view = state.front
    name = cut(clean_name(state.shown_name(view)), bar.NAME_MAX) if view else ""
    name = f"#{name}" if view else "p2pchat"
    return (("prompt", f"[{name}] "),)


def title(state: State) -> str:
    """For the terminal's own title: printable ASCII."""
    view = state.front
    mentions = sum(one.mentions for one in state.views if not one.muted)
    name = f"#{clean_name(state.shown_name(view))} - p2pchat" if view else "p2pchat"
    said = f"({mentions}) {name}" if mentions else name
    return "".join(char if " " <= char <= "~" else "?" for char in said)


def region(state: State, columns: int, rows: int, input_rows: int, x: int, y: int) -> Region | None:
    """What the mouse is on: a chat by its number, a row of the transcript, a member."""
    parts = layout(state, columns, rows, input_rows)
    y -= parts.title
    if _covered(state) or not 0 <= y < parts.body or not 0 <= x < columns:
        return None
    if parts.chats and x < parts.chats:
        chat_id = panes.chat_at(state, y, parts.body)
        return ("chat", chat_id) if chat_id else None
    if parts.members and x >= columns - parts.members:
        member = panes.member_at(state, y, parts.body)
        return ("member", member) if member else None
    first = parts.chats + 1 if parts.chats else 0
    return ("transcript", y) if first <= x < first + parts.transcript else None


def wakes(state: State, now_ms: int) -> int:
    """In how many ms the screen changes of its own accord: marks of own lines, clocks."""
    waits = [MINUTE_MS - now_ms % MINUTE_MS]
    if any(one.down_since_ms for one in state.nds) or _covered(state):
        waits.append(SECOND_MS - now_ms % SECOND_MS)
    if state.front:
        waits += [changes_ms(item.entry, now_ms) for item in state.front.items[-FRESH:]]
    return min(wait for wait in waits if wait > 0)
