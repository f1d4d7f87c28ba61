"""Commands about one message of the window: its text for the clipboard, and an answer to it."""

import re

from ...words import Kind, Line
from ..model.values import State, View
from ..render.text import clean, clean_line, clean_name
from .actions import Action, Copy, Say
from .chats import front, number
from .shape import REST, Mistyped, Values, typed

ID = re.compile(r"[0-9a-f][0-9a-f-]{3,35}", re.IGNORECASE)
START_MAX = 60  # characters of a message that an answer repeats


def message(view: View, id: str) -> Line:
    """The message of the window that `id` names, by 4 or more of its hex digits.

    Raises:
        Mistyped: there is none, or several.
    """
    if not ID.fullmatch(id):
        raise Mistyped(f"{typed(id)!r} names no message; 4 or more hex digits do")
    named = _named(view, id)
    if not named:
        raise Mistyped(f"no message here begins with {id}; scroll to it first, or /trace {id}")
    if len(named) > 1:
        ids = ", ".join(line.msg_id for line in named)
        raise Mistyped(f"several messages begin with {id}: {ids}")
    return named[0]


def _named(view: View, id: str) -> list[Line]:
    digits = id.casefold().replace("-", "")
    return [
        line
        for line in view.lines
        if digits and line.msg_id.replace("-", "").casefold().startswith(digits)
    ]


def last_of_another(state: State, view: View) -> Line | None:
    """The newest message that is not one's own, of those that are shown."""
    lines = (item.entry for item in reversed(view.items) if isinstance(item.entry, Line))
    others = (line for line in lines if not line.own)
    return next((line for line in others if line.nick.casefold() not in state.ignored), None)


def copy(state: State, values: Values) -> Action:
    """The text of a message, without anything that could do harm where it is pasted."""
    view = front(state)
    if values["id"]:
        line: Line | None = message(view, values["id"])
    else:
        line = last_of_another(state, view)
    if line is None:
        raise Mistyped("nobody else has said anything here; /copy 4f2a copies that message")
    whose = "your own line" if line.own else f"the line of {clean_name(line.nick)}"
    return Copy(clean(line.text), f"copied {whose}: {start(line)}")


def reply(state: State, values: Values) -> Action:
    """A text below the start of what it answers."""
    view = front(state)
    first, text = _parted(values[REST])
    line = _answered(view, first)
    if line is None:
        line, text = last_of_another(state, view), values[REST]
    if line is None:
        raise Mistyped("there is nothing to answer here; /reply 4f2a yes answers that message")
    if not text.strip():
        raise Mistyped("it is /reply [id] text..., for example: /reply 4f2a yes, do that")
    return Say(number(view), f"> {clean_name(line.nick)}: {start(line)}\n{text}")


def _parted(rest: str) -> tuple[str, str]:
    first = re.match(r"\S*", rest)
    assert first, "an empty word matches everywhere"
    return first[0], rest[first.end() :].strip()


def _answered(view: View, word: str) -> Line | None:
    """The message that a first word names; None where it is a word of the answer ("dead", "2026").

    Raises:
        Mistyped: several are named, or it cannot be meant as a word, and names none.
    """
    if not ID.fullmatch(word):
        return None
    mixed = any(map(str.isdigit, word)) and any(map(str.isalpha, word))
    return message(view, word) if mixed or _named(view, word) else None


def start(line: Line) -> str:
    """How a message begins, on one line; what it answers itself is left out."""
    lines = line.text.splitlines() or [""]
    said = next((one for one in lines if one.strip() and not one.startswith(">")), lines[0])
    text = " ".join(clean_line(said).split())
    if line.kind == Kind.ACTION:
        text = f"* {text}"
    return text if len(text) <= START_MAX else text[: START_MAX - 3].rstrip() + "..."
