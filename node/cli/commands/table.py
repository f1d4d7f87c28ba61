"""The slash commands: one table, from which parsing, `/help` and completion are made.

`parse` turns a line that was typed into an `Action`, a value that a face performs.  Names are
matched whatever their case and by unique beginnings; a command that does not exist is never sent
as text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...errors import nearest
from ...words import Kind
from ..model.events import Selected
from ..model.values import State
from .actions import Action, Apply, Query, Quit, Say, Show


class Mistyped(Exception):
    """What is wrong with a line that was typed, for its author to read."""


Values: TypeAlias = Mapping[str, str]


# ---- the table ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument; `kind` says what completes it: chat, member, network, message, command, text.

    `rest` takes all that is left of the line.
    """

    name: str
    kind: str = "text"
    optional: bool = False
    rest: bool = False

    @property
    def usage(self) -> str:
        shown = f"{self.name}..." if self.rest else self.name
        return f"[{shown}]" if self.optional else shown


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    help: str
    handler: Callable[[State, Values], Action]
    args: tuple[Arg, ...] = ()
    aliases: tuple[str, ...] = ()
    group: str = "chat"

    @property
    def usage(self) -> str:
        return " ".join([f"/{self.name}", *(arg.usage for arg in self.args)])


def current(state: State, chat: str = "") -> str:
    """How the node is to be told which chat: the one named, else the one in front."""
    if chat:
        return chat
    if state.front is None:
        raise Mistyped("you are in no chat; /join or /create one")
    return f"{state.front.chat.chat_id:016x}"


def _ask(name: str, *, here: bool = True) -> Callable[[State, Values], Action]:
    """A handler that passes its arguments on to the query `name`, in the chat in front."""

    def handle(state: State, values: Values) -> Action:
        args: dict[str, Any] = {key: value for key, value in values.items() if value}
        if here:
            args["chat"] = current(state, values.get("chat", ""))
        return Query(name, args)

    return handle


def _say(kind: Kind) -> Callable[[State, Values], Action]:
    def handle(state: State, values: Values) -> Action:
        return Say(current(state), values["text"], kind)

    return handle


def _chat(state: State, values: Values) -> Action:
    wanted = values.get("chat", "")
    if not wanted:
        return Show(tuple(_listed(state)) or ("you are in no chat; /join or /create one",))
    if wanted.isdecimal() and 1 <= int(wanted) <= len(state.views):
        return Apply(Selected(state.views[int(wanted) - 1].chat.chat_id))
    view = state.named(wanted)
    if view is None:
        near = nearest(wanted.removeprefix("#"), [one.name for one in state.views])
        raise Mistyped(f"you are in no chat #{wanted.removeprefix('#')}.{near}")
    return Apply(Selected(view.chat.chat_id))


def _listed(state: State) -> list[str]:
    return [
        f"{'>' if view.chat.chat_id == state.current else ' '} {number} #{view.name}"
        f" {view.chat.alive}/{view.chat.known} L:{view.chat.leader_nick or '?'}"
        + (f" unread:{view.unread}" if view.unread else "")
        for number, view in enumerate(state.views, 1)
    ]


def _nick(state: State, values: Values) -> Action:
    if values.get("nick"):
        return Query("nick", {"nick": values["nick"]})
    return Show((f"you are {state.nick}",))


def _history(state: State, values: Values) -> Action:
    count = values.get("count", "") or "20"
    if not count.isdecimal() or not 1 <= int(count) <= 1_000:
        raise Mistyped(f"/history takes a number from 1 to 1000, not {count!r}")
    return Query("history", {"chat": current(state), "count": int(count)})


def _election(state: State, values: Values) -> Action:
    if values.get("start", "") not in ("", "start"):
        raise Mistyped("it is /election, or /election start")
    name = "challenge" if values.get("start") else "elections"
    return Query(name, {"chat": current(state)})


def _help(_: State, values: Values) -> Action:
    if values.get("command"):
        return Show(tuple(explain(find(values["command"].removeprefix("/")))))
    return Show(tuple(overview()))


def _quit(_: State, __: Values) -> Action:
    return Quit()


CHAT = Arg("chat", "chat", optional=True)
TEXT = Arg("text", rest=True)

TABLE: tuple[Command, ...] = (
    Command(
        "join",
        "join a chat: HOST:PORT/name, name@HOST:PORT, or a name",
        _ask("join", here=False),
        (Arg("line", "network"),),
    ),
    Command("create", "make a chat and lead it", _ask("create", here=False), (Arg("name"),)),
    Command(
        "leave", "end your membership (/quit only goes away)", _ask("leave"), (CHAT,), ("part",)
    ),
    Command("list", "the chats that the discovery services know", _ask("networks", here=False)),
    Command("invite", "the line that others run to join", _ask("invite"), (CHAT,)),
    Command("chat", "put a chat in front, or list yours", _chat, (CHAT,), ("buffer",)),
    Command(
        "names",
        "who is in the chat: * leads, ? silent, - gone",
        _ask("members"),
        (CHAT,),
        ("members", "who"),
    ),
    Command("whois", "all about one member", _ask("whois"), (Arg("member", "member"),)),
    Command("nick", "change your name, everywhere", _nick, (Arg("nick", optional=True),)),
    Command("me", "say what you do", _say(Kind.ACTION), (TEXT,)),
    Command("say", "send text, whatever it begins with", _say(Kind.TEXT), (TEXT,)),
    Command(
        "topic",
        "what the chat is about; with text, set it",
        _ask("topic"),
        (Arg("topic", optional=True, rest=True),),
    ),
    Command("search", "lines that hold a text", _ask("search"), (TEXT,), ("grep",)),
    Command("history", "the last lines", _history, (Arg("count", optional=True),)),
    Command("unread", "unread lines and mentions", _ask("unread")),
    Command("read", "mark the chat as read", _ask("read")),
    Command(
        "away",
        "say that you are away, and why",
        _ask("away", here=False),
        (Arg("away", rest=True),),
    ),
    Command("back", "say that you are back", _ask("back", here=False)),
    Command("quit", "end this view; memberships stay", _quit, (), ("exit", "q")),
    Command(
        "help", "this list, or one command", _help, (Arg("command", "command", optional=True),)
    ),
    Command("version", "versions and places", _ask("version", here=False), group="system"),
    Command("status", "the node and its chats", _ask("status", here=False), group="system"),
    Command("leader", "who leads", _ask("leader"), group="system"),
    Command(
        "election",
        "the last elections; 'start' stands for one",
        _election,
        (Arg("start", optional=True),),
        group="system",
    ),
    Command(
        "trace",
        "where a message is (your last one)",
        _ask("trace"),
        (Arg("id", "message", optional=True),),
        ("where",),
        "system",
    ),
    Command("queue", "own lines that somebody lacks", _ask("queue"), group="system"),
    Command(
        "ping",
        "round trip to one member, or all",
        _ask("ping"),
        (Arg("member", "member", optional=True),),
        group="system",
    ),
    Command("peers", "the links to the others", _ask("peers"), group="system"),
    Command("check", "whether all have the same history", _ask("check"), group="system"),
    Command("nds", "the discovery services", _ask("nds", here=False), group="system"),
    Command("rpc", "the last calls as grpcurl lines", _ask("rpc", here=False), group="system"),
    Command(
        "doctor", "check ports, addresses, NDS, clock", _ask("doctor", here=False), group="system"
    ),
    Command("log", "where the node's log is", _ask("log", here=False), group="system"),
)

_BY_NAME = {name: command for command in TABLE for name in (command.name, *command.aliases)}


# ---- from a line to an action ------------------------------------------------------------------


def parse(state: State, line: str) -> Action:
    """What a typed line asks for: a command where it begins with one slash, else text.

    Raises:
        Mistyped: the line cannot be done; its text says why.
    """
    if line.startswith("//"):
        return Say(current(state), line[1:])
    if not line.startswith("/"):
        return Say(current(state), line)
    name, _, rest = line[1:].partition(" ")
    command = find(name)
    return command.handler(state, _values(command, rest.strip()))


def find(name: str) -> Command:
    """The command of that name, alias or unique beginning.

    Raises:
        Mistyped: there is none, or several.
    """
    wanted = name.casefold()
    if wanted in _BY_NAME:
        return _BY_NAME[wanted]
    begun = {one.name: one for key, one in _BY_NAME.items() if wanted and key.startswith(wanted)}
    if len(begun) == 1:
        return next(iter(begun.values()))
    if begun:
        raise Mistyped(f"/{name} may be {' or '.join('/' + one for one in begun)}")
    near = nearest(wanted, _BY_NAME, mark="/")
    raise Mistyped(f"there is no command /{name}.{near} /help lists all; //{name} sends it as text")


def _values(command: Command, rest: str) -> Values:
    values: dict[str, str] = {}
    for arg in command.args:
        value, _, rest = (rest, "", "") if arg.rest else rest.partition(" ")
        if not value and not arg.optional:
            raise Mistyped(f"it is {command.usage}")
        values[arg.name], rest = value, rest.strip()
    if rest:
        raise Mistyped(f"it is {command.usage}")
    return values


def overview() -> list[str]:
    """One line a command, as `/help` shows them."""
    widest = max(len(command.usage) for command in TABLE)
    return [f"{command.usage:<{widest}}  {command.help}" for command in TABLE]


def explain(command: Command) -> list[str]:
    """All about one command."""
    lines = [f"{command.usage}  {command.help}"]
    if command.aliases:
        lines.append(f"also: {', '.join('/' + alias for alias in command.aliases)}")
    return lines
