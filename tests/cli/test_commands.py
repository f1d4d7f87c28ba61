"""The slash commands: from a typed line to an action."""

import pytest

from node import words as w
from node.cli import commands
from node.cli.commands import (
    TABLE,
    Action,
    Apply,
    Mistyped,
    Query,
    Quit,
    Say,
    Show,
    find,
    overview,
    parse,
)
from node.cli.model import Selected, State, reduce
from node.cli.queries import QUERIES

DEV, OPS = "0000000000000001", "0000000000000002"
STATE = reduce(
    State(),
    w.Status(nick="alice", chats=(w.Chat(name="dev", chat_id=1), w.Chat(name="ops", chat_id=2))),
)


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("hello", Say(DEV, "hello")),
        (" /not a command", Say(DEV, " /not a command")),
        ("//help", Say(DEV, "/help")),
        ("/say /help", Say(DEV, "/help")),
        ("/me waves  twice", Say(DEV, "waves  twice", w.Kind.ACTION)),
        ("/quit", Quit()),
        ("/q", Quit()),
        ("/EXIT", Quit()),
        ("/chat ops", Apply(Selected(2))),
        ("/chat #ops", Apply(Selected(2))),
        ("/chat 2", Apply(Selected(2))),
        ("/buffer dev", Apply(Selected(1))),
        ("/join 10.0.0.5:50050/x", Query("join", {"line": "10.0.0.5:50050/x"})),
        ("/create x", Query("create", {"name": "x"})),
        ("/leave", Query("leave", {"chat": DEV})),
        ("/part ops", Query("leave", {"chat": "ops"})),
        ("/names", Query("members", {"chat": DEV})),
        ("/who ops", Query("members", {"chat": "ops"})),
        ("/whois bob", Query("whois", {"member": "bob", "chat": DEV})),
        ("/nick bob", Query("nick", {"nick": "bob"})),
        ("/nick", Show(("you are alice",))),
        ("/topic", Query("topic", {"chat": DEV})),
        ("/topic a b", Query("topic", {"topic": "a b", "chat": DEV})),
        ("/grep two words", Query("search", {"text": "two words", "chat": DEV})),
        ("/history", Query("history", {"chat": DEV, "count": 20})),
        ("/history 5", Query("history", {"chat": DEV, "count": 5})),
        ("/election", Query("elections", {"chat": DEV})),
        ("/election start", Query("challenge", {"chat": DEV})),
        ("/tra", Query("trace", {"chat": DEV})),
        ("/where 4f2a", Query("trace", {"id": "4f2a", "chat": DEV})),
        ("/ping bob", Query("ping", {"member": "bob", "chat": DEV})),
        ("/list", Query("networks", {})),
        ("/status", Query("status", {})),
    ],
)
def test_a_line_becomes_an_action(line: str, action: Action) -> None:
    assert parse(STATE, line) == action


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/lst", "there is no command /lst. Did you mean /list?"),
        ("/", "there is no command /"),
        ("/xyzzy now", "there is no command /xyzzy"),
        ("/l", "/l may be /leave or /list or /leader or /log"),
        ("/join", "it is /join line"),
        ("/quit now", "it is /quit"),
        ("/say", "it is /say text..."),
        ("/chat nope", "you are in no chat #nope"),
        ("/chat 3", "you are in no chat #3"),
        ("/history many", "/history takes a number from 1 to 1000"),
        ("/history 0", "/history takes a number"),
        ("/election now", "it is /election, or /election start"),
        ("/help nothing", "there is no command /nothing"),
    ],
)
def test_what_cannot_be_done_is_said_and_never_sent(line: str, said: str) -> None:
    with pytest.raises(Mistyped) as told:
        parse(STATE, line)
    assert str(told.value).startswith(said)


@pytest.mark.parametrize("line", ["hello", "/me waves", "/leave", "/topic x"])
def test_without_a_chat_there_is_nothing_to_say_to(line: str) -> None:
    with pytest.raises(Mistyped, match="you are in no chat"):
        parse(State(), line)


def test_names_and_aliases_are_unique() -> None:
    names = [name for one in TABLE for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("command", TABLE, ids=lambda command: command.name)
def test_every_command_is_found_helped_and_has_a_query(command: commands.Command) -> None:
    assert find(command.name.upper()) is command
    assert all(find(alias) is command for alias in command.aliases)
    assert any(line.startswith(command.usage) for line in overview())
    typed = f"/{command.name} " + " ".join("1" for arg in command.args if not arg.optional)
    action = parse(STATE, typed.strip())
    if isinstance(action, Query):
        assert action.name in QUERIES


def test_help_explains_one_command() -> None:
    assert parse(STATE, "/help names") == Show(
        ("/names [chat]  who is in the chat: * leads, ? silent, - gone", "also: /members, /who")
    )


def test_chat_alone_lists_them_with_the_one_in_front_marked() -> None:
    action = parse(STATE, "/chat")
    assert isinstance(action, Show)
    assert [line[:7] for line in action.lines] == ["> 1 #de", "  2 #op"]
