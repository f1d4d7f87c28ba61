"""Completion: from what the face knows to what a half typed line may become.

Tries node/cli/commands/complete.py.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node import words as w
from node.cli.commands import TABLE, Candidate, Mistyped, complete, parse
from node.cli.commands.complete import CANDIDATES_MAX, MESSAGES_MAX
from node.cli.model.values import Item, Notice, State, View
from node.happenings import Happening, MemberEvent
from node.options import SETTABLE, THEMES


def line(id: str, nick: str, text: str = "hm", own: bool = False) -> w.Line:
    return w.Line(msg_id=f"{id}0000-0000", id=id, nick=nick, text=text, own=own)


ENTRIES = (
    line("4f2a", "bob", "who broke the build?"),
    line("4f99", "carol"),
    Notice((Happening(MemberEvent(9, "dora", "joined")),)),
    line("beef", "bob", "> you: no\nyes"),
    line("7777", "alice", "mine", own=True),
)
MEMBERS = tuple(
    w.Member(member_id=number, nick=nick, state=state, away=away)
    for number, nick, state, away in [
        (1, "alice", "alive", ""),
        (2, "bob", "alive", ""),
        (4, "carol", "suspect", ""),
        (9, "Bert", "alive", "lunch"),
    ]
)
STATE = State(
    nick="alice",
    current=1,
    views=(
        View(
            w.Chat(name="dev", chat_id=1, nds="a:1", topic="release\x1b train"),
            items=tuple(Item(serial, one) for serial, one in enumerate(ENTRIES, 1)),
            members=MEMBERS,
        ),
        View(w.Chat(name="ops", chat_id=2, nds="a:1", alive=2, known=3), closed=True),
        View(w.Chat(name="Ox", chat_id=3, nds="a:1")),
        View(w.Chat(name="Ox", chat_id=4, nds="b:1")),
    ),
    nds=(w.DiscoveryService("10.0.0.5:50050", "ok"), w.DiscoveryService("b:1", "down 40s")),
    aliases=(
        ("cough", "/me coughs"),
        ("find", "/whois"),
        ("in", "/chat"),
        ("rat", "/set mouse"),
        ("yo", "hello"),
    ),
    ignored=("mallory",),
)


def texts(text: str, state: State = STATE) -> list[str]:
    return [one.text for one in complete(state, text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # commands
        ("/wh", ["/who ", "/whois ", "/where "]),
        ("/WHOI", ["/whois "]),
        ("/le", ["/leave ", "/leader"]),
        ("/co", ["/copy ", "/cough "]),
        ("/members", ["/members "]),
        ("/zzz", []),
        # chats
        ("/chat ", ["#dev", "#ops", "#Ox@a:1", "#Ox@b:1"]),
        ("/chat o", ["#ops", "#Ox@a:1", "#Ox@b:1"]),
        ("/buffer #O", ["#ops", "#Ox@a:1", "#Ox@b:1"]),
        ("/chat dev now", []),
        ("/mute d", ["#dev"]),
        # members
        ("/whois ", ["bob", "carol", "alice", "Bert"]),
        ("/whois @b", ["bob", "Bert"]),
        ("/ping C", ["carol"]),
        ("/ignore be", ["Bert"]),
        ("/unignore ", ["mallory"]),
        ("/unignore b", []),
        # messages
        ("/copy ", ["7777", "beef", "4f99", "4f2a"]),
        ("/trace 4F", ["4f99", "4f2a"]),
        ("/copy 4f2a x", []),
        ("/reply ", ["7777 ", "beef ", "4f99 ", "4f2a "]),
        ("/reply be", ["beef ", "Bert "]),
        ("/reply beef b", ["bob ", "Bert "]),
        ("/reply well, b", ["bob ", "Bert "]),
        # settings
        ("/set ", [f"{one.key} " for one in SETTABLE]),
        ("/set M", ["members ", "mouse "]),
        ("/set mouse ", ["on", "off"]),
        ("/set mouse of", ["off"]),
        ("/set mou o", ["on", "off"]),
        ("/set m o", []),
        ("/set notify_command n", []),
        ("/set mouse on o", []),
        ("/theme ", list(THEMES)),
        ("/theme h", ["high-contrast"]),
        ("/alias ", ["cough ", "find ", "in ", "rat ", "yo "]),
        ("/alias -c", ["-cough "]),
        ("/alias x /whoi", ["/whois"]),
        ("/alias x /say b", []),
        # choices and topics
        ("/notify ", ["all", "mentions", "none"]),
        ("/notify M", ["mentions"]),
        ("/election ", ["start"]),
        ("/invite #dev ", ["once"]),
        ("/help s", ["system", "settings", "say", "search", "status", "set", "save"]),
        ("/help ke", ["keys"]),
        ("/help /who", ["/whois"]),
        ("/help /ch", ["/chat", "/check"]),
        # other
        ("/join ", ["10.0.0.5:50050/", "b:1/"]),
        ("/join 1", ["10.0.0.5:50050/"]),
        ("/nick b", []),
        ("/create d", []),
        ("/quit ", []),
        ("/nonsense b", []),
        ("/l x", []),  # more than one command
        # text
        ("", ["bob: ", "carol: ", "Bert: "]),
        ("b", ["bob: ", "Bert: "]),
        ("BE", ["Bert: "]),
        ("@c", ["@carol: "]),
        ("hi c", ["carol "]),
        ("hi ", ["bob ", "carol ", "Bert "]),
        ("hi\nc", ["carol: "]),
        ("hi al", []),  # oneself
        ("see #d", ["#dev "]),
        ("see #nope", []),
        ("//c", []),
        ("/me c", ["carol "]),
        ("/say c", ["carol: "]),
        ("/say hi c", ["carol "]),
        ("/topic ask c", ["carol "]),
        ("/away c", ["carol "]),
        ("/search c", ["carol "]),
        # aliases
        ("/find b", ["bob", "Bert"]),
        ("/in o", ["#ops", "#Ox@a:1", "#Ox@b:1"]),
        ("/cough at c", ["carol "]),
        ("/yo c", ["carol: "]),
        ("/rat o", ["on", "off"]),
    ],
)
def test_what_is_half_typed_becomes_what_fits_there(text: str, found: list[str]) -> None:
    assert texts(text) == found


@pytest.mark.parametrize(
    ("text", "candidate"),
    [
        ("/whois c", Candidate("carol", 7, "suspect")),
        ("/whois be", Candidate("Bert", 7, "lunch")),
        ("hi there c", Candidate("carol ", 9, "suspect")),
        ("/chat d", Candidate("#dev", 6, "release train")),
        ("/chat op", Candidate("#ops", 6, "2/3")),
        ("/copy be", Candidate("beef", 6, "bob: yes")),
        ("/in op", Candidate("#ops", 4, "2/3")),
        ("/cou", Candidate("/cough ", 0, "/me coughs")),
        ("/set them", Candidate("theme ", 5, "colours of the full screen")),
    ],
)
def test_a_candidate_says_what_it_is_and_where_it_begins(text: str, candidate: Candidate) -> None:
    assert complete(STATE, text) == (candidate,)


def test_a_slash_alone_offers_every_command_once_and_the_aliases() -> None:
    found = texts("/")
    assert [one.strip(" /") for one in found] == [
        *(command.name for command in TABLE),
        *("cough", "find", "in", "rat", "yo"),
    ]


def test_without_a_chat_there_is_nobody_to_name() -> None:
    assert complete(State(nick="alice"), "b") == ()
    assert complete(State(nick="alice"), "/whois ") == ()
    assert complete(State(nick="alice"), "/copy ") == ()


def test_a_nick_that_could_not_be_one_is_not_offered() -> None:
    odd = View(w.Chat(name="dev", chat_id=1), members=(w.Member(nick="b\x1b[2J"), w.Member()))
    assert complete(State(current=1, views=(odd,)), "b") == ()


def test_no_menu_is_longer_than_a_menu_can_be() -> None:
    many = tuple(w.Member(nick=f"b{number}") for number in range(500))
    lines = tuple(Item(n, line(f"{n:04x}", "bob")) for n in range(1, 500))
    state = State(
        current=1, views=(View(w.Chat(name="dev", chat_id=1), members=many, items=lines),)
    )
    assert len(complete(state, "b")) == CANDIDATES_MAX
    assert texts("/copy ", state)[0] == "01f3", "the newest first"
    assert len(texts("/copy ", state)) == MESSAGES_MAX


# ---- properties --------------------------------------------------------------------------------

NAMES = [name for command in TABLE for name in command.names]
BEGUN = st.builds(
    lambda slash, name, words, last: slash + " ".join([name, *words]) + last,
    st.sampled_from(["/", ""]),
    st.sampled_from([*NAMES, "cough", "find", "in", "yo", "re", "hi"]),
    st.lists(st.sampled_from(["dev", "bob", "4f2a", "theme", "x"]), max_size=2),
    st.sampled_from(["", " ", " b", " #", " #o", " 4", " m", " -", " /c", " be", "\nc"]),
)
# Of these more has to be typed than can be offered, or the argument is not the last.
UNFINISHED = {"join", "reply", "alias", "set", "say", "me", "search", "grep", "away", "topic"}


@given(st.one_of(BEGUN, st.text(), st.text(alphabet="/# @\nbde4f", max_size=12)))
def test_completion_never_fails_and_continues_what_was_typed(text: str) -> None:
    for state in (STATE, State()):
        for one in complete(state, text):
            assert 0 <= one.start <= len(text)
            assert one.text.isprintable()
            assert one.meta.isprintable()
            typed = text[one.start :].casefold().lstrip("@#")
            assert one.text.casefold().lstrip("@#").startswith(typed)
            assert not any(map(str.isspace, text[one.start :]))


@given(BEGUN)
def test_what_is_offered_is_taken(text: str) -> None:
    for one in complete(STATE, text):
        line = text[: one.start] + one.text
        name = line.lstrip("/").split()[0]
        try:
            parse(STATE, line)
        except Mistyped as mistyped:
            said = str(mistyped)
            unfinished = said.startswith("it is /") or name in UNFINISHED
            several = "more digits" in said or said.startswith("several")
            assert unfinished or several, f"{line!r}: {said}"


@pytest.mark.parametrize("command", TABLE, ids=lambda command: command.name)
def test_every_kind_of_argument_offers_something_that_is_taken(command: object) -> None:
    """What is offered for a first argument is known to the command."""
    from node.cli.commands import Command

    assert isinstance(command, Command)
    state = replace(STATE, ignored=("mallory",))
    for one in complete(state, f"/{command.name} "):
        typed = f"/{command.name} {one.text}" + ("text" if one.text.endswith((" ", "/")) else "")
        if command.name in ("set", "alias", "rights", "invite"):
            continue  # the second argument has rules of its own, tried above
        parse(state, typed)
