"""Commands about one message of the window: its text for the clipboard, and an answer to it."""

import re

from ...words import Kind, Line
from ..model.values import State, View
from ..render.text import clean, clean_line, clean_name, shown_text
from .actions import Action, Copy, Latest, Query, Say
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
    """The newest message of the chat that is not one's own, nor of one who is ignored; None where
    it is not at hand, as when the window ends before the present.
    """
    items = view.later if view.cut_off else view.items
    lines = (item.entry for item in reversed(items) if isinstance(item.entry, Line))
    return next((line for line in lines if of_another(state, line)), None)


def of_another(state: State, line: Line) -> bool:
    """Is it neither one's own, nor of one who is ignored?"""
    return not line.own and line.nick.casefold() not in state.ignored


def _is_all(view: View) -> bool:
    """Is the whole chat in the window?"""
    return view.older == "" and not view.cut_off


def copy(state: State, values: Values) -> Action:
    """The text of a message, without anything that could do harm where it is pasted."""
    view = front(state)
    if values["id"]:
        line: Line | None = message(view, values["id"])
    else:
        line = last_of_another(state, view)
    if line is None and not _is_all(view):
        return Latest(number(view))
    return _copied(line)


def _copied(line: Line | None) -> Copy:
    if line is None:
        raise Mistyped("nobody else has said anything here; /copy 4f2a copies that message")
    if line.erased:
        raise Mistyped(f"the text of {line.id} is gone")
    whose = "your own line" if line.own else f"the line of {clean_name(line.nick)}"
    return Copy(clean(line.text), f"copied {whose}: {start(line)}")


def reply(state: State, values: Values) -> Action:
    """A text below the start of what it answers."""
    view = front(state)
    first, text = _parted(values[REST])
    line = _answered(view, first)
    if line is None:
        line, text = last_of_another(state, view), values[REST]
    if not text.strip():
        raise Mistyped("it is /reply [id] text..., for example: /reply 4f2a yes, do that")
    if line is None and not _is_all(view):
        return Latest(number(view), text)
    return _answer(number(view), line, text)


def _answer(chat: str, line: Line | None, text: str) -> Say:
    if line is None:
        raise Mistyped("there is nothing to answer here; /reply 4f2a yes answers that message")
    return Say(chat, f"> {clean_name(line.nick)}: {start(line)}\n{text}")


def about(wanted: Latest, line: Line | None) -> Action:
    """What is done with the newest line of another, now that it is known; None: there is none.

    Raises:
        Mistyped: there is none.
    """
    return _answer(wanted.chat, line, wanted.text) if wanted.text else _copied(line)


def edit(state: State, values: Values) -> Action:
    """Another text for a line of one's own: that which is named, else the last one."""
    chat = number(front(state))
    first, text = _parted(values[REST])
    named = _names_message(front(state), first)
    if not first or (named and not text):
        raise Mistyped("it is /edit [id] text..., for example: /edit 4f2a fixed, see the log")
    if named:  # Whether it is in the window or not: the node knows all lines.
        return Query("edit", {"chat": chat, "id": first, "text": text})
    return Query("edit", {"chat": chat, "text": values[REST].strip()})


def _parted(rest: str) -> tuple[str, str]:
    first = re.match(r"\S*", rest)
    assert first, "an empty word matches everywhere"
    return first[0], rest[first.end() :].strip()


def _answered(view: View, word: str) -> Line | None:
    """The message that a first word names; None where it is a word of the answer ("added").

    Raises:
        Mistyped: it names none, or several.
    """
    return message(view, word) if _names_message(view, word) else None


def _names_message(view: View, word: str) -> bool:
    """Whether a first word is an id, and no word of the text.

    Four hex digits, as messages are shown, are one, also where nothing is called so; and so are
    more of them that are not letters alone, as "added" and "facade" are.
    """
    if not ID.fullmatch(word):
        return False
    return len(word) == 4 or any(map(str.isdigit, word)) or bool(_named(view, word))


def start(line: Line) -> str:
    """How a message begins, on one line; what it answers itself is left out."""
    lines = shown_text(line).splitlines() or [""]
    said = next((one for one in lines if one.strip() and not one.startswith(">")), lines[0])
    text = " ".join(clean_line(said).split())
    if line.kind == Kind.ACTION:
        text = f"* {text}"
    return text if len(text) <= START_MAX else text[: START_MAX - 3].rstrip() + "..."
