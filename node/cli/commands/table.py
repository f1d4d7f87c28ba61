"""The table of the slash commands, and how a name is found in it."""

from difflib import get_close_matches

from ...errors import NEAR
from ...words import Kind
from ..model.events import Aliased
from ..model.values import Level, State
from . import asking, chats, choosing, quoting, topics
from .actions import Action, Apply, Open, Quit, Reload, Save, Show
from .asking import ask, open_page
from .shape import TYPED_MAX, Arg, Command, Mistyped, Values, typed

CHAT = Arg("chat", "chat", optional=True)
MEMBER = Arg("member", "member", optional=True)
OTHER = Arg("member", "other")
TEXT = Arg("text", rest=True)


def _help(_: State, values: Values) -> Action:
    wanted = values["topic"].casefold()
    if not wanted:
        return Open("help", lines=topics.overview(TABLE))
    if wanted == "keys":
        return Open("keys")
    if wanted in topics.GROUPS:
        return Open("help", wanted, lines=topics.of_group(TABLE, wanted))
    command = find(wanted.removeprefix("/"))
    return Open("help", command.name, lines=topics.explain(command))


def _alias(state: State, values: Values) -> Action:
    name, text = values["name"].removeprefix("/"), values["text"]
    if not name:
        return Show(choosing.listed(state) or (choosing.NO_ALIAS,))
    if name.startswith("-") and not text:
        return choosing.remove(state, name[1:].removeprefix("/"))
    if not text:
        known = choosing.aliased(state, name)
        return (
            Show((f"/{name.casefold()} stands for {known}",))
            if known
            else choosing.remove(state, name)
        )
    if fault := alias_fault(name, text):
        raise Mistyped(f"{fault}; for example: /alias w /whois")
    return Apply(Aliased(name.casefold(), text), f"/{name.casefold()} stands for {text} now")


def alias_fault(name: str, text: str) -> str:
    """What is wrong with an alias; commands keep their names."""
    if name.casefold() in NAMED:
        return f"/{name.casefold()} is a command already"
    return choosing.word_fault(name) or choosing.text_fault(text)


def _quit(_: State, __: Values) -> Action:
    return Quit()


def _keys(_: State, __: Values) -> Action:
    return Open("keys")


def _save(_: State, __: Values) -> Action:
    return Save()


def _reload(_: State, __: Values) -> Action:
    return Reload()


TALKING: tuple[Command, ...] = (
    Command(
        "join",
        "join a chat: HOST:PORT/name, name@HOST:PORT, or a name",
        asking.join,
        (Arg("line", "network"),),
        example="/join 10.0.0.5:50050/dev",
    ),
    Command(
        "create",
        "make a chat and lead it",
        asking.create,
        (Arg("name"),),
        example="/create dev",
    ),
    Command(
        "leave",
        "end your membership (/quit only goes away)",
        ask("leave"),
        (CHAT,),
        ("part",),
        example="/leave #dev",
    ),
    Command(
        "close",
        "take a chat off the list; you stay in it",
        chats.close,
        (CHAT,),
        example="/close #dev",
        yields=True,
    ),
    Command("list", "the chats that the discovery services know", ask("networks", here=False)),
    Command(
        "invite",
        "the line that others run to join; with once, for one person",
        asking.invite,
        (CHAT, Arg("once", "choice", optional=True, choices=("once",))),
        example="/invite #dev, or /invite once",
    ),
    Command(
        "chat",
        "put a chat in front, or list yours",
        chats.select,
        (CHAT,),
        ("buffer",),
        example="/chat #dev, or /chat 2",
    ),
    Command(
        "names",
        "who is in the chat: * leads, ? silent, - gone",
        ask("members"),
        (CHAT,),
        ("members", "who"),
        example="/names #dev",
    ),
    Command(
        "whois",
        "all about one member",
        ask("whois"),
        (Arg("member", "member"),),
        example="/whois bob",
    ),
    Command(
        "nick",
        "change your name, everywhere",
        asking.nick,
        (Arg("nick", optional=True),),
        example="/nick alice",
    ),
    Command("me", "say what you do", asking.say(Kind.ACTION), (TEXT,), example="/me waves"),
    Command(
        "say",
        "send text, whatever it begins with",
        asking.say(Kind.TEXT),
        (TEXT,),
        example="/say /quit ends it",
    ),
    Command(
        "topic",
        "what the chat is about; with text, set it",
        ask("topic"),
        (Arg("topic", optional=True, rest=True),),
        example="/topic release train",
    ),
    Command(
        "search",
        "lines that hold a text",
        asking.find,
        (TEXT,),
        ("grep",),
        example="/search broke the build",
    ),
    Command(
        "history",
        "the last lines",
        asking.history,
        (Arg("count", optional=True),),
        example="/history 50",
    ),
    Command("clear", "empty the screen; the log keeps all", chats.clear, yields=True),
    Command(
        "kick",
        "remove a member, who is not let in again (owner, admins)",
        asking.decide("kick"),
        (OTHER,),
        example="/kick bob",
        yields=True,
    ),
    Command(
        "ban",
        "do not let in somebody, who may have left (owner, admins)",
        asking.decide("ban"),
        (OTHER,),
        example="/ban bob",
        yields=True,
    ),
    Command(
        "unban",
        "let in again who was removed, by nick or identity (owner, admins)",
        asking.decide("unban"),
        (Arg("member"),),
        example="/unban bob",
        yields=True,
    ),
    Command(
        "op",
        "make a member an admin (owner)",
        asking.decide("op"),
        (OTHER,),
        example="/op bob",
        yields=True,
    ),
    Command(
        "deop",
        "make an admin a member like others (owner)",
        asking.decide("deop"),
        (OTHER,),
        example="/deop bob",
        yields=True,
    ),
    Command(
        "owner",
        "make a member the owner; you are an admin then (owner)",
        asking.decide("owner"),
        (OTHER,),
        example="/owner bob",
        yields=True,
    ),
    Command(
        "rights",
        "who may invite and set the topic; or decide it (owner, admins)",
        asking.rights,
        (
            Arg("right", "right", optional=True),
            Arg("who", "rightful", optional=True),
        ),
        example="/rights invite admins",
        yields=True,
    ),
    Command("unread", "unread lines and mentions", ask("missed")),
    Command("read", "mark the chat as read", chats.read),
    Command(
        "mute",
        "a chat that raises nothing in the list",
        chats.mute(True),
        (CHAT,),
        example="/mute #ops",
        yields=True,
    ),
    Command(
        "unmute",
        "hear a muted chat again",
        chats.mute(False),
        (CHAT,),
        example="/unmute #ops",
        yields=True,
    ),
    Command(
        "notify",
        "what of the chat rings and raises it in the list",
        chats.notify,
        (Arg("level", "choice", optional=True, choices=tuple(one.value for one in Level)),),
        example="/notify mentions",
        yields=True,
    ),
    Command(
        "ignore",
        "hide somebody's lines, or list whose are hidden",
        chats.ignore,
        (Arg("nick", "other", optional=True),),
        example="/ignore bob",
        yields=True,
    ),
    Command(
        "unignore",
        "show somebody's lines again",
        chats.unignore,
        (Arg("nick", "ignored"),),
        example="/unignore bob",
        yields=True,
    ),
    Command(
        "away",
        "say that you are away, and why",
        ask("away", here=False),
        (Arg("away", rest=True),),
        example="/away lunch",
    ),
    Command("back", "say that you are back", ask("back", here=False)),
    Command(
        "copy",
        "copy a message to the clipboard (the last of another)",
        quoting.copy,
        (Arg("id", "message", optional=True),),
        example="/copy 4f2a",
        yields=True,
    ),
    Command(
        "reply",
        "answer a message (the last of another), quoting its start",
        quoting.reply,
        (Arg("id", "message", optional=True), TEXT),
        example="/reply 4f2a yes, do that",
        yields=True,
        free=True,
    ),
    Command(
        "edit",
        "another text for a line of yours (your last one)",
        quoting.edit,
        (Arg("id", "message", optional=True), TEXT),
        example="/edit 4f2a fixed, see the log",
        yields=True,
        free=True,
    ),
    Command(
        "redact",
        "erase a line at all members",
        ask("redact"),
        (Arg("id", "message"),),
        ("delete",),
        example="/redact 4f2a",
        yields=True,
    ),
    Command("quit", "end this view; memberships stay", _quit, (), ("exit", "q")),
    Command(
        "help",
        "this list, a group of it, one command, or keys",
        _help,
        (Arg("topic", "topic", optional=True),),
        example="/help whois",
    ),
    Command("keys", "the keys of the full screen", _keys, yields=True),
    Command("version", "versions and places", ask("version", here=False)),
)

WATCHING: tuple[Command, ...] = (
    Command("status", "the node and its chats", ask("status", here=False), group="system"),
    Command("leader", "who leads", ask("leader"), group="system"),
    Command(
        "election",
        "the last elections; 'start' stands for one",
        asking.election,
        (Arg("start", "choice", optional=True, choices=("start",)),),
        group="system",
        example="/election start",
    ),
    Command(
        "trace",
        "where a message is (your last one)",
        open_page("trace", topic="id"),
        (Arg("id", "message", optional=True),),
        ("where",),
        "system",
        example="/trace 4f2a",
    ),
    Command(
        "queue", "own lines that somebody who is there lacks", open_page("queue"), group="system"
    ),
    Command(
        "ping",
        "round trip to one member, or all",
        ask("ping"),
        (MEMBER,),
        group="system",
        example="/ping bob",
    ),
    Command("peers", "the links to the others", open_page("peers"), group="system"),
    Command("check", "whether all have the same history", open_page("check"), group="system"),
    Command("nds", "the discovery services", ask("nds", here=False), group="system"),
    Command("rpc", "the last calls as grpcurl lines", open_page("rpc", here=False), group="system"),
    Command(
        "doctor", "check ports, addresses, NDS, clock", ask("doctor", here=False), group="system"
    ),
    Command("log", "where the node's log is", ask("log", here=False), group="system"),
)

CHOOSING: tuple[Command, ...] = (
    Command(
        "set",
        "settings, one of them, or its new value",
        choosing.change,
        (Arg("key", "setting", optional=True), Arg("value", "value", optional=True, rest=True)),
        group="settings",
        example="/set seconds off",
        yields=True,
    ),
    Command("save", "keep settings, mutes and aliases now", _save, group="settings", yields=True),
    Command(
        "reload",
        "take settings, keys and aliases from the files again",
        _reload,
        group="settings",
        yields=True,
    ),
    Command(
        "theme",
        "colours of the full screen",
        choosing.theme,
        (Arg("name", "theme", optional=True),),
        group="settings",
        example="/theme light",
        yields=True,
    ),
    Command(
        "alias",
        "commands of your own: $1 is the first word, $* all; -NAME removes one",
        _alias,
        (Arg("name", "alias", optional=True), Arg("text", "command", optional=True, rest=True)),
        group="settings",
        example="/alias w /whois",
        yields=True,
    ),
)

TABLE: tuple[Command, ...] = (*TALKING, *WATCHING, *CHOOSING)

NAMED = {name: command for command in TABLE for name in command.names}


def find(name: str) -> Command:
    """The command of that name, alias or unique beginning.

    Raises:
        Mistyped: there is none, or several.
    """
    wanted = name.casefold()
    if wanted in NAMED:
        return NAMED[wanted]
    begun = beginning(wanted)
    older = [command for command in begun if not command.yields]
    if len(begun) == 1 or len(older) == 1:
        return (older or begun)[0]
    shown = typed(name)
    if begun:
        raise Mistyped(f"/{shown} may be {' or '.join('/' + one.name for one in begun)}")
    near = get_close_matches(wanted[:TYPED_MAX], list(NAMED), n=1, cutoff=NEAR)
    meant = f" Did you mean /{near[0]}?" if near else ""
    raise Mistyped(
        f"there is no command /{shown}.{meant} /help lists all; //{shown} sends it as text"
    )


def beginning(name: str) -> list[Command]:
    """The commands of which a name begins so; none for nothing."""
    return [
        command for command in TABLE if name and any(one.startswith(name) for one in command.names)
    ]
