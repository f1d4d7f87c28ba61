"""From a typed line to an action."""

import re

from ..model.values import State
from .actions import Action, Say
from .chats import current
from .choosing import aliased
from .shape import REST, Arg, Command, Mistyped, Values, typed
from .table import NAMED, beginning, find

LINE_MAX = 65_536  # characters that aliases may grow to

_WORD = re.compile(r"(\S*)\s*(.*)", re.DOTALL)


def parse(state: State, line: str) -> Action:
    """What a typed line asks for: a command where it begins with one slash, else text.

    Raises:
        Mistyped: the line cannot be done; its text says why.
    """
    line = expanded(state, line)
    if is_command(line):
        name, rest = split(line)
        command = find(name)
        return command.handler(state, values_of(command, rest))
    if not line.strip():
        raise Mistyped("there is nothing to send")
    return Say(current(state), line[1:] if line.startswith("//") else line)


def is_command(line: str) -> bool:
    """Whether a line begins with exactly one slash."""
    return line.startswith("/") and not line.startswith("//")


def split(line: str) -> tuple[str, str]:
    """The name of a command without its slash, and what follows it."""
    found = _WORD.fullmatch(line[1:])
    assert found, f"{line[:40]!r} has no first word"
    return found[1], found[2].rstrip()


# ---- aliases -----------------------------------------------------------------------------------


def expanded(state: State, line: str) -> str:
    """The line with what its alias stands for, and that one's alias, until there is none.

    Raises:
        Mistyped: an alias leads back to itself.
    """
    seen: list[str] = []
    while is_command(line):
        name, rest = split(line)
        name = alias_of(state, name)
        if not name:
            return line
        if name in seen:
            raise Mistyped(f"the alias /{name} leads back to itself; /alias -{name} removes it")
        seen.append(name)
        line = filled(aliased(state, name), rest)
        if len(line) > LINE_MAX:
            raise Mistyped(f"the alias /{seen[0]} becomes longer than {LINE_MAX} characters")
    return line


def alias_of(state: State, name: str) -> str:
    """The alias that a name or unique beginning means; commands come first, "" is none."""
    wanted = name.casefold()
    if not wanted or wanted in NAMED:
        return ""
    if aliased(state, wanted):
        return wanted
    begun = [one for one, _ in state.aliases if one.startswith(wanted)]
    return begun[0] if len(begun) == 1 and not beginning(wanted) else ""


def filled(text: str, rest: str) -> str:
    """`text` with `rest` after it, or in it where it has $1 ... $9 or $*."""
    if not re.search(r"\$[1-9*]", text):
        return f"{text} {rest}".rstrip()
    words = rest.split()

    def put(found: re.Match[str]) -> str:
        if found[1] == "*":
            return rest
        place = int(found[1]) - 1
        return words[place] if place < len(words) else ""

    return re.sub(r"\$([1-9*])", put, text).rstrip()


# ---- arguments ---------------------------------------------------------------------------------


def values_of(command: Command, rest: str) -> Values:
    """The arguments by name, each of a kind that the command takes.

    Raises:
        Mistyped: there are too few or too many, or one is none of the choices.
    """
    if command.free:
        return {REST: rest}
    values: dict[str, str] = {}
    for arg in command.args:
        value, rest = (rest, "") if arg.rest else _parted(rest)
        if not value and not arg.optional:
            raise command.wrong()
        values[arg.name] = _chosen(command, arg, value)
    if rest:
        raise command.wrong()
    return values


def _parted(rest: str) -> tuple[str, str]:
    found = _WORD.fullmatch(rest)
    assert found, f"{rest[:40]!r} has no first word"
    return found[1], found[2]


def _chosen(command: Command, arg: Arg, value: str) -> str:
    if not arg.choices or not value:
        return value
    wanted = value.casefold()
    begun = [one for one in arg.choices if one.startswith(wanted)]
    if wanted in begun:
        return wanted
    if len(begun) != 1:
        raise command.wrong(f"{typed(value)} is none of the choices")
    return begun[0]
