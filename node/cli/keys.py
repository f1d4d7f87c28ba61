"""The keys of the full screen: their table, what `[keys]` of config.toml makes of it, their names.

A chord is what prompt_toolkit calls a key sequence: ("c-n",), or ("escape", "a") for Alt+A.  In the
file and on the screen it is written as people say it: "ctrl+n", "alt+a", "shift+tab", "f2".  Keys
that the table does not take stay those of readline.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from ..errors import nearest

Chord: TypeAlias = tuple[str, ...]
Chords: TypeAlias = tuple[Chord, ...]


class Key(Struct, frozen=True):
    """Something that keys do; `action` is its name in `[keys]`."""

    action: str
    keys: Chords
    help: str
    group: str


class Fault(Struct, frozen=True):
    """What is wrong with one entry of `[keys]`; the keys of the table are kept for it."""

    action: str
    text: str


def _alt(key: str) -> Chord:
    return ("escape", key)


TABLE: tuple[Key, ...] = (
    Key("send", (("enter",),), "send what you have typed", "typing"),
    Key("newline", (_alt("enter"), ("c-j",)), "begin another line", "typing"),
    Key("complete", (("tab",),), "complete a command, chat, nick or message", "typing"),
    Key("complete_back", (("s-tab",),), "the same, backwards", "typing"),
    Key("search_input", (("c-r",),), "search what you have typed before", "typing"),
    Key("clear_input", (("c-c",),), "throw away what you have typed", "typing"),
    Key("quit", (("c-d",),), "quit, where nothing is typed", "typing"),
    Key("next_chat", (("c-n",), _alt("right")), "next chat", "chats"),
    Key("previous_chat", (("c-p",), _alt("left")), "previous chat", "chats"),
    *(
        Key(f"chat_{number}", (_alt(str(number % 10)),), f"chat {number}", "chats")
        for number in range(1, 11)
    ),
    Key("next_active", (_alt("a"),), "next chat with activity, mentions first", "chats"),
    Key("switcher", (("c-g",), _alt("g")), "find a chat by some of its letters", "chats"),
    Key("page_up", (("pageup",),), "scroll up", "reading"),
    Key("page_down", (("pagedown",),), "scroll down", "reading"),
    Key("top", (_alt("home"),), "the beginning", "reading"),
    Key("bottom", (_alt("end"),), "the end", "reading"),
    Key("first_unread", (_alt("u"),), "first unread line", "reading"),
    Key("previous_mention", (_alt("p"),), "previous line that names you", "reading"),
    Key("next_mention", (_alt("n"),), "next line that names you", "reading"),
    Key("search_transcript", (("c-s",),), "search this chat", "reading"),
    Key("help", (("f1",),), "help", "views"),
    Key("elections", (("f2",),), "elections, live and past", "views"),
    Key("trace", (("f3",),), "the way of your last message", "views"),
    Key("chats_pane", (("f7",),), "chats on the left: show or hide", "views"),
    Key("members_pane", (("f8",),), "members on the right: show or hide", "views"),
    Key("bare", (_alt("l"),), "the text alone, to select it with the mouse", "views"),
    Key("notices", (_alt("="),), "notices of the system: show or hide", "views"),
    Key("mouse", (_alt("m"),), "mouse: on or off", "views"),
    Key("close", (("escape",),), "close what covers the chat", "views"),
)

# Those that the demo adds.
DEMO: tuple[Key, ...] = (
    Key("kill", (("f9",),), "kill the leader", "demo"),
    Key("revive", (("f10",),), "bring it back", "demo"),
)


# ---- what people write -------------------------------------------------------------------------

_MOVING = ("up", "down", "left", "right", "home", "end", "insert", "delete", "pageup", "pagedown")
_NAMED = {
    **{name: name for name in (*_MOVING, "tab", "enter", "escape")},
    "esc": "escape",
    "return": "enter",
    "ins": "insert",
    "del": "delete",
    "pgup": "pageup",
    "pgdn": "pagedown",
    **{f"f{number}": f"f{number}" for number in range(1, 25)},
}
_MODIFIERS = {"ctrl": "c", "control": "c", "alt": "a", "meta": "a", "shift": "s"}
_CONTROLLED = "abcdefghijklmnopqrstuvwxyz0123456789\\]^_"
# What a terminal cannot tell from something else, or what the app must not have.
_RESERVED = {
    "c-x": "ctrl+x begins commands of shells and editors",
    "c-h": "ctrl+h is the backspace key",
    "c-i": "ctrl+i is the tab key",
    "c-m": "ctrl+m is the enter key",
    "c-z": "ctrl+z would suspend the node",
}
_EXAMPLE = "a key is written ctrl+n, alt+a, alt+right, shift+tab, f2 or pageup"


def chord(text: str) -> Chord:
    """The chord that somebody wrote.

    Raises:
        ValueError: it is none, or one that cannot be bound; the text says why.
    """
    *front, last = re.split(r"\+(?=.)", text.strip().lower().replace(" ", ""), flags=re.DOTALL)
    held = [_MODIFIERS.get(word, "") for word in front]
    if not last or not all(held) or len(set(held)) < len(held):
        raise ValueError(f"{text!r} is no key; {_EXAMPLE}")
    key = _pressed(last, control="c" in held, shift="s" in held, alt="a" in held)
    if not key:
        raise ValueError(f"no terminal has a key {text!r}; {_EXAMPLE}")
    if key in _RESERVED:
        raise ValueError(f"{_RESERVED[key]} and cannot be bound")
    if "a" not in held:
        if len(key) == 1:
            raise ValueError(f"{text!r} alone could not be typed any more; {_EXAMPLE}")
        return (key,)
    if key in ("[", "O", "escape"):
        raise ValueError(f"{text!r} is how other keys begin and cannot be bound")
    return ("escape", key)


def _pressed(name: str, *, control: bool, shift: bool, alt: bool) -> str:
    """The key under the modifiers as prompt_toolkit calls it; empty where there is none."""
    named = _NAMED.get(name, "")
    if named in _MOVING:
        return ("c-" if control else "") + ("s-" if shift else "") + named
    if named == "tab":
        return "" if control else "s-tab" if shift else "tab"
    if named.startswith("f") and control:
        return "" if shift else f"c-{named}"
    if named:
        return "" if control or shift else named
    if name == "space":
        return "" if shift else "c-@" if control else " " if alt else ""
    if len(name) != 1 or not name.isprintable():
        return ""
    if control:
        return f"c-{name}" if not shift and name in _CONTROLLED else ""
    if not shift:
        return name
    return name.upper() if name.isascii() and name.isalpha() else ""


# ---- what people read --------------------------------------------------------------------------

_SHOWN = {
    "c-@": "Ctrl+Space",
    "s-tab": "Shift+Tab",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "escape": "Esc",
    " ": "Space",
}


def spelled(keys: Chord) -> str:
    """Ctrl+N, Alt+Right, PgUp"""
    front, key = ("Alt+", keys[1]) if len(keys) == 2 and keys[0] == "escape" else ("", keys[0])
    if key in _SHOWN:
        return front + _SHOWN[key]
    while key[:2] in ("c-", "s-") and len(key) > 2:
        front += "Ctrl+" if key[0] == "c" else "Shift+"
        key = key[2:]
    if front == "Alt+" and len(key) == 1 and key.isascii() and key.isupper():
        return f"Alt+Shift+{key}"
    if key.isascii():
        key = _SHOWN.get(key) or (key.upper() if len(key) == 1 else key.capitalize())
    return front + key


def shown(
    bound: Mapping[str, Chords], extra: Sequence[Key] = ()
) -> tuple[tuple[str] | tuple[str, str], ...]:
    """The keys as `/keys` shows them: of each group a heading, then its keys with what they do."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for one in (*TABLE, *extra):
        if keys := bound.get(one.action, ()):
            rows.setdefault(one.group, []).append((", ".join(map(spelled, keys)), one.help))
    rows["chats"] = _gathered(rows.get("chats", []))
    lines: list[tuple[str] | tuple[str, str]] = []
    for group, of in rows.items():
        lines += [(group.capitalize(),), *of]
    return tuple(lines)


def _gathered(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The ten chats by number as one row, where nobody has changed them."""
    numbered = [row for row in rows if re.fullmatch(r"chat \d+", row[1])]
    usual = [(f"Alt+{number % 10}", f"chat {number}") for number in range(1, 11)]
    if numbered != usual:
        return rows
    first = rows.index(numbered[0])
    rest = [row for row in rows if row not in numbered]
    return [*rest[:first], ("Alt+1..9, 0", "chat by its number"), *rest[first:]]


# ---- [keys] ------------------------------------------------------------------------------------


def bindings(
    table: Mapping[str, object], extra: Iterable[Key] = ()
) -> tuple[dict[str, Chords], tuple[Fault, ...]]:
    """The keys of every action, and what is wrong with `table`.

    Args:
        table: `[keys]`: action -> a key, a list of keys, or an empty list for none.
        extra: actions beside those of TABLE.
    """
    usual = {one.action: one.keys for one in (*TABLE, *extra)}
    wanted: dict[str, Chords] = {}
    faults: list[Fault] = []
    for action, value in table.items():
        try:
            wanted[action] = _read(action, value, usual)
        except ValueError as error:
            faults.append(Fault(action, str(error)))
    while clash := _clash(usual, wanted):
        action, text = clash
        del wanted[action]
        faults.append(Fault(action, text))
    return {action: wanted.get(action, keys) for action, keys in usual.items()}, tuple(faults)


def _read(action: str, value: object, usual: Mapping[str, Chords]) -> Chords:
    if action not in usual:
        raise ValueError(f"there is no such action.{nearest(action, usual, mark='')}")
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"must be a key or a list of keys, not {value!r}; {_EXAMPLE}")
    if not value and action == "send":
        raise ValueError("without a key nothing could be sent")
    return tuple(dict.fromkeys(map(chord, value)))


def _clash(usual: Mapping[str, Chords], wanted: Mapping[str, Chords]) -> tuple[str, str] | None:
    """A wish that would give one key to two actions; wishes yield to keys that stay."""
    holders: dict[Chord, str] = {}
    for action in (*(one for one in usual if one not in wanted), *wanted):
        for keys in wanted.get(action, usual[action]):
            if keys in holders:
                return action, f"{spelled(keys)} is the key of {holders[keys]} already"
            holders[keys] = action
    return None
