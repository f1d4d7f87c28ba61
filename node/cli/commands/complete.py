"""What a half typed line may become, from what the face knows by itself: nobody is asked."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeAlias

from msgspec import Struct

from ...limits import nick_fault
from ...options import SETTABLE, THEMES
from ...words import Line
from ..model.values import State
from ..render.text import clean_line, clean_name
from .asking import RIGHTFUL, RIGHTS
from .choosing import aliased, settable
from .parse import alias_of, is_command, split
from .quoting import start
from .shape import Arg, Command, Mistyped
from .table import NAMED, TABLE, find
from .topics import TOPICS

CANDIDATES_MAX = 100
MESSAGES_MAX = 20
RECENT_ITEMS = 300  # whose authors come first among nicks

Found: TypeAlias = Iterator[tuple[str, str]]  # a word, and what it is


class Candidate(Struct, frozen=True):
    """`text` in place of all that stands from `start` on."""

    text: str
    start: int  # an index into the text before the cursor
    meta: str = ""  # what it is, for a menu


def complete(state: State, text: str) -> tuple[Candidate, ...]:
    """What the end of `text`, which stands before the cursor, may become; the likely first."""
    if not is_command(text):
        found = _spoken(state, text, 0)
    elif any(map(str.isspace, text)):
        found = _arguments(state, text)
    else:
        found = _names(state, text[1:].casefold())
    unique: dict[str, Candidate] = {}
    for one in found:
        unique.setdefault(one.text, one)
        if len(unique) == CANDIDATES_MAX:
            break
    return tuple(unique.values())


def _word(text: str) -> str:
    """What stands after the last blank."""
    return "" if not text or text[-1].isspace() else text.rsplit(maxsplit=1)[-1]


# ---- names of commands -------------------------------------------------------------------------


def _names(state: State, begun: str) -> Iterator[Candidate]:
    for name, meta in _commands(state, begun):
        takes_more = name not in NAMED or NAMED[name].args
        yield Candidate(f"/{name} " if takes_more else f"/{name}", 0, meta)


def _commands(state: State, begun: str) -> Found:
    """Names that begin so; other names of a command only where they are asked for."""
    for command in TABLE:
        for name in command.names:
            if name.startswith(begun) and (begun or name == command.name):
                yield name, command.help
    for name, stands_for in state.aliases:
        if name.startswith(begun) and name not in NAMED:
            yield name, clean_line(stands_for)


# ---- arguments ---------------------------------------------------------------------------------


def _arguments(state: State, text: str) -> Iterator[Candidate]:
    name, _ = split(text)
    typed = text[len(name) + 1 :].lstrip()
    if alias := alias_of(state, name):
        stands_for = aliased(state, alias)
        if "$" in stands_for or not is_command(stands_for):
            return _spoken(state, text, len(text) - len(typed))
        name, fixed = split(stands_for)
        typed = f"{fixed} {typed}" if fixed else typed
    try:
        command = find(name)
    except Mistyped:
        return iter(())
    return _of_command(state, command, typed, len(text))


def _of_command(state: State, command: Command, typed: str, end: int) -> Iterator[Candidate]:
    """Of the argument that `typed` ends in; the text before the cursor is `end` long."""
    word = _word(typed)
    before = typed.split()[: -1 if word else None]
    arg = _argument(command, before)
    if arg is None:
        return
    first = end - len(word)
    if arg.kind == "text" and arg.rest:
        begins = command.name == "say" and not before
        yield from _nicks_spoken(state, word, first, ": " if begins else " ")
        return
    more = " " if arg is not command.args[-1] else ""
    for text, meta in _KINDS.get(arg.kind, _nothing)(state, word, arg, before):
        yield Candidate(text + more, first, meta)
    if command.free and word:  # what is optional there may be left out
        yield from _nicks_spoken(state, word, first, " ")


def _argument(command: Command, before: list[str]) -> Arg | None:
    """The argument that comes after the words `before`."""
    args = command.args
    if len(before) < len(args):
        return next((arg for arg in args[: len(before)] if arg.rest), args[len(before)])
    return args[-1] if args and args[-1].rest else None


def _chats(state: State, word: str, _: Arg, __: list[str]) -> Found:
    begun = word.removeprefix("#").casefold()
    for view in state.views:
        name = state.shown_name(view)
        if name.casefold().startswith(begun):
            topic = clean_line(view.chat.topic)
            yield f"#{name}", topic or view.halted or f"{view.chat.alive}/{view.chat.known}"


def _members(state: State, word: str, _: Arg, __: list[str]) -> Found:
    begun = word.removeprefix("@").casefold()
    for nick, meta in _nicks(state):
        if nick.casefold().startswith(begun):
            yield nick, meta


def _others(state: State, word: str, arg: Arg, before: list[str]) -> Found:
    found = _members(state, word, arg, before)
    yield from ((nick, meta) for nick, meta in found if nick != state.own_nick)


def _ignored(state: State, word: str, _: Arg, __: list[str]) -> Found:
    yield from ((nick, "") for nick in state.ignored if nick.startswith(word.casefold()))


def _networks(state: State, word: str, _: Arg, __: list[str]) -> Found:
    for nds in state.nds:
        if nds.address.startswith(word):
            yield f"{nds.address}/", f"a chat of this NDS ({nds.state})"


def _messages(state: State, word: str, _: Arg, __: list[str]) -> Found:
    begun = word.casefold()
    lines = (line for line in _recent(state) if line.id.casefold().startswith(begun))
    for line in islice(lines, MESSAGES_MAX):
        yield line.id, f"{clean_name(line.nick)}: {start(line)}"


def _topics(state: State, word: str, _: Arg, __: list[str]) -> Found:
    slash = "/" if word.startswith("/") else ""
    begun = word.removeprefix("/").casefold()
    if not slash:
        yield from ((topic, "") for topic in TOPICS if topic.startswith(begun))
    for command in TABLE:
        if command.name.startswith(begun) and (slash or command.name not in TOPICS):
            yield slash + command.name, command.help


def _settings(_: State, word: str, __: Arg, ___: list[str]) -> Found:
    for option in SETTABLE:
        if option.key.startswith(word.casefold()):
            yield option.key, option.help


def _values(_: State, word: str, __: Arg, before: list[str]) -> Found:
    try:
        choices = settable(before[0]).choices if len(before) == 1 else ()
    except Mistyped:
        return
    yield from ((one, "") for one in choices if one.startswith(word.casefold()))


def _themes(_: State, word: str, __: Arg, ___: list[str]) -> Found:
    yield from ((one, "") for one in THEMES if one.startswith(word.casefold()))


def _aliases(state: State, word: str, _: Arg, __: list[str]) -> Found:
    for name, stands_for in state.aliases:
        for spelled in (name, f"-{name}"):
            if spelled.startswith(word.casefold()) and (word or spelled == name):
                yield spelled, clean_line(stands_for)


def _slashed(state: State, word: str, _: Arg, before: list[str]) -> Found:
    if word.startswith("/") and len(before) == 1:
        yield from ((f"/{name}", meta) for name, meta in _commands(state, word[1:].casefold()))


def _rights(_: State, word: str, __: Arg, ___: list[str]) -> Found:
    yield from ((one, "") for one in RIGHTS if one.startswith(word.casefold()))


def _rightful(_: State, word: str, __: Arg, ___: list[str]) -> Found:
    yield from ((one, "") for one in RIGHTFUL if one.startswith(word.casefold()))


def _choices(_: State, word: str, arg: Arg, __: list[str]) -> Found:
    yield from ((one, "") for one in arg.choices if one.startswith(word.casefold()))


def _nothing(_: State, __: str, ___: Arg, ____: list[str]) -> Found:
    yield from ()


_KINDS: dict[str, Callable[[State, str, Arg, list[str]], Found]] = {
    "chat": _chats,
    "member": _members,
    "other": _others,
    "ignored": _ignored,
    "network": _networks,
    "message": _messages,
    "topic": _topics,
    "setting": _settings,
    "value": _values,
    "theme": _themes,
    "alias": _aliases,
    "command": _slashed,
    "choice": _choices,
    "right": _rights,
    "rightful": _rightful,
}


# ---- text --------------------------------------------------------------------------------------


def _spoken(state: State, text: str, begins: int) -> Iterator[Candidate]:
    """Nicks and chats in what is to be said; it begins at the index `begins`."""
    word = _word(text[begins:])
    first = len(text) - len(word)
    if word.startswith("#"):
        for name, meta in _chats(state, word, Arg("chat"), []):
            yield Candidate(f"{name} ", first, meta)
        return
    opens = first == begins or text[first - 1] == "\n"
    yield from _nicks_spoken(state, word, first, ": " if opens else " ")


def _nicks_spoken(state: State, word: str, first: int, after: str) -> Iterator[Candidate]:
    at = "@" if word.startswith("@") else ""
    begun = word.removeprefix("@").casefold()
    for nick, meta in _nicks(state):
        if nick != state.own_nick and nick.casefold().startswith(begun):
            yield Candidate(f"{at}{nick}{after}", first, meta)


def _nicks(state: State) -> Found:
    """Who is in the chat in front: those that spoke last first, then in order of id."""
    if state.front is None:
        return
    members = {one.nick: one for one in state.front.members}
    authors = dict.fromkeys(line.nick for line in _recent(state) if not line.own)
    for nick in dict.fromkeys((*authors, *members)):
        if not nick_fault(nick):
            known = members.get(nick)
            yield nick, clean_line(known.away or known.state) if known else ""


def _recent(state: State) -> Iterator[Line]:
    """The last messages of the chat in front, newest first."""
    items = state.front.items[-RECENT_ITEMS:] if state.front else ()
    return (item.entry for item in reversed(items) if isinstance(item.entry, Line))
