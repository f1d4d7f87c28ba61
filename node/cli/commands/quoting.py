"""Commands about one message: its text for the clipboard, an answer to it, another text for it.

Which one an id names is the node's to say, who knows all lines.
"""

import re

from ...words import Kind, Line
from ..model.values import State, View
from ..render.text import clean, clean_line, clean_name, shown_text
from .actions import Action, Copy, LookUp, Query, Say
from .chats import front, number
from .shape import REST, Mistyped, Values, typed

ID = re.compile(r"[0-9a-f][0-9a-f-]{3,35}", re.IGNORECASE)
START_MAX = 60  # characters of a message that an answer repeats


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
    view, id = front(state), values["id"]
    if id and not ID.fullmatch(id):
        raise Mistyped(f"{typed(id)!r} names no message; 4 or more hex digits do")
    line = None if id else last_of_another(state, view)
    if id or (line is None and not _is_all(view)):
        return LookUp(number(view), id)
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
    id, text = _parted(values[REST])
    if not _names_message(view, id):
        id, text = "", values[REST]
    if not text.strip():
        raise Mistyped("it is /reply [id] text..., for example: /reply 4f2a yes, do that")
    line = None if id else last_of_another(state, view)
    if id or (line is None and not _is_all(view)):
        return LookUp(number(view), id, text)
    return _answer(number(view), line, text)


def _answer(chat: str, line: Line | None, text: str) -> Say:
    if line is None:
        raise Mistyped("there is nothing to answer here; /reply 4f2a yes answers that message")
    return Say(chat, f"> {clean_name(line.nick)}: {start(line)}\n{text}")


def about(wanted: LookUp, line: Line | None) -> Say | Copy:
    """What is done with the line that was looked up; None: there is none.

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
    if named:
        return Query("edit", {"chat": chat, "id": first, "text": text})
    return Query("edit", {"chat": chat, "text": values[REST].strip()})


def _parted(rest: str) -> tuple[str, str]:
    first = re.match(r"\S*", rest)
    assert first, "an empty word matches everywhere"
    return first[0], rest[first.end() :].strip()


def _names_message(view: View, word: str) -> bool:
    """Whether a first word is an id, and no word of the text.

    Four hex digits, as messages are shown, are one, also where nothing is called so; and so are
    more of them that are not letters alone, as "added" and "facade" are.
    """
    if not ID.fullmatch(word):
        return False
    return len(word) == 4 or any(map(str.isdigit, word)) or _is_shown(view, word)


def _is_shown(view: View, word: str) -> bool:
    """Whether a message of the window begins so."""
    digits = word.casefold().replace("-", "")
    return any(line.msg_id.replace("-", "").casefold().startswith(digits) for line in view.lines)


def start(line: Line) -> str:
    """How a message begins, on one line; what it answers itself is left out."""
    lines = shown_text(line).splitlines() or [""]
    said = next((one for one in lines if one.strip() and not one.startswith(">")), lines[0])
    text = " ".join(clean_line(said).split())
    if line.kind == Kind.ACTION:
        text = f"* {text}"
    return text if len(text) <= START_MAX else text[: START_MAX - 3].rstrip() + "..."
