"""The slash commands: from a typed line to an action.

Tries node/cli/commands: table, parse, shape, chats, asking, choosing, quoting, topics, actions.
"""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from node import words as w
from node.cli.commands import (
    TABLE,
    Action,
    Apply,
    Arg,
    Command,
    Copy,
    Find,
    LookUp,
    Mistyped,
    Open,
    Query,
    Quit,
    Reload,
    Save,
    Say,
    Show,
    about,
    alias_fault,
    find,
    overview,
    parse,
    plain,
)
from node.cli.commands.parse import values_of
from node.cli.commands.table import NAMED
from node.cli.model.events import (
    Aliased,
    Chose,
    Cleared,
    Closed,
    Ignored,
    Leveled,
    Muted,
    Read,
    Selected,
)
from node.cli.model.values import Item, Level, Settings, State, View
from node.cli.queries import PAGES, QUERIES

DEV, OPS, OLD = "0000000000000001", "0000000000000002", "0000000000000003"
LINES = (
    w.Line(msg_id="4f2a1111-0000", id="4f2a", nick="bob", text="who broke\nthe build?"),
    w.Line(msg_id="4f2a2222-0000", id="4f2a2", nick="bob", text="> you: hm\nI did\x1b[2J, sorry"),
    w.Line(msg_id="dead0000-0000", id="dead", nick="carol", text="x" * 70),
    w.Line(msg_id="2026beef-0000", id="2026", nick="carol", text="waves", kind=w.Kind.ACTION),
    w.Line(msg_id="7777aaaa-0000", id="7777", nick="alice", text="mine", own=True),
)
ITEMS = tuple(Item(serial, line) for serial, line in enumerate(LINES, 1))
STATE = State(
    nick="alice",
    current=1,
    views=(
        View(w.Chat(name="dev", chat_id=1, nds="a:1", alive=2, known=3), items=ITEMS),
        View(w.Chat(name="ops", chat_id=2, nds="a:1"), muted=True, level=Level.NONE),
        View(w.Chat(name="old", chat_id=3, nds="a:1"), closed=True),
        View(w.Chat(name="Two", chat_id=4, nds="a:1"), unread=5),
        View(w.Chat(name="Two", chat_id=5, nds="b:1")),
    ),
    aliases=(
        ("cough", "/me coughs"),
        ("hi", "hello all"),
        ("loop", "/pool"),
        ("names-ops", "/w2"),
        ("pool", "/loop"),
        ("to", "/say $1: $* ($9)"),
        ("w2", "/names ops"),
    ),
    ignored=("mallory",),
)
QUOTED = f"> carol: {'x' * 57}..."


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("hello", Say(DEV, "hello")),
        ("  two\n lines ", Say(DEV, "  two\n lines ")),
        (" /not a command", Say(DEV, " /not a command")),
        ("//help", Say(DEV, "/help")),
        ("//", Say(DEV, "/")),
        ("/say /help", Say(DEV, "/help")),
        ("/say a\n b", Say(DEV, "a\n b")),
        ("/me waves  twice", Say(DEV, "waves  twice", w.Kind.ACTION)),
        ("/me waves \n", Say(DEV, "waves", w.Kind.ACTION)),
        ("/me\twaves", Say(DEV, "waves", w.Kind.ACTION)),
        ("/quit", Quit()),
        ("/q", Quit()),
        ("/EXIT", Quit()),
        ("/chat ops", Apply(Selected(2))),
        ("/chat #ops", Apply(Selected(2))),
        ("/chat #OPS", Apply(Selected(2))),
        ("/chat 2", Apply(Selected(2))),
        ("/chat 3", Apply(Selected(4))),  # a closed chat has no number
        ("/chat old", Apply(Selected(3))),
        ("/chat two@b:1", None),
        ("/chat Two@b:1", Apply(Selected(5))),
        (f"/chat {OPS}", Apply(Selected(2))),
        ("/buffer dev", Apply(Selected(1))),
        ("/join 10.0.0.5:50050/x", Query("join", {"line": "10.0.0.5:50050/x"})),
        ("/join #x", Query("join", {"line": "#x"})),
        ("/create x", Query("create", {"name": "x"})),
        ("/create #x", Query("create", {"name": "x"})),
        ("/leave", Query("leave", {"chat": DEV})),
        ("/part ops", Query("leave", {"chat": OPS})),
        ("/part elsewhere", Query("leave", {"chat": "elsewhere"})),
        ("/invite 2", Query("invite", {"chat": OPS})),
        ("/invite 2 once", Query("invite", {"chat": OPS, "once": True})),
        ("/invite once", Query("invite", {"chat": DEV, "once": True})),
        ("/invite --once", Query("invite", {"chat": DEV, "once": True})),
        ("/names", Query("members", {"chat": DEV})),
        ("/who ops", Query("members", {"chat": OPS})),
        ("/whois bob", Query("whois", {"member": "bob", "chat": DEV})),
        ("/nick bob", Query("nick", {"nick": "bob"})),
        ("/nick", Show(("you are alice",))),
        ("/topic", Query("topic", {"chat": DEV})),
        ("/topic a  b", Query("topic", {"topic": "a  b", "chat": DEV})),
        ("/grep two words", Find("two words")),
        ("/history", Query("history", {"chat": DEV, "count": 20})),
        ("/history 5", Query("history", {"chat": DEV, "count": 5})),
        ("/unread", Query("missed", {"chat": DEV})),
        ("/read", Apply(Read(1), then=Query("read", {"chat": DEV}))),
        ("/away lunch, then more", Query("away", {"away": "lunch, then more"})),
        ("/back", Query("back", {})),
        ("/version", Query("version", {})),
        ("/list", Query("networks", {})),
        ("/status", Query("status", {})),
        ("/leader", Query("leader", {"chat": DEV})),
        ("/election", Open("elections", args={"chat": DEV})),
        ("/election start", Query("challenge", {"chat": DEV})),
        ("/election S", Query("challenge", {"chat": DEV})),
        ("/trace", Open("trace", args={"chat": DEV})),
        ("/where 4f2a", Open("trace", "4f2a", {"id": "4f2a", "chat": DEV})),
        ("/queue", Open("queue", args={"chat": DEV})),
        ("/peers", Open("peers", args={"chat": DEV})),
        ("/check", Open("check", args={"chat": DEV})),
        ("/rpc", Open("rpc")),
        ("/ping bob", Query("ping", {"member": "bob", "chat": DEV})),
        ("/keys", Open("keys")),
        ("/help keys", Open("keys")),
        ("/save", Save()),
        ("/reload", Reload()),
        ("/clear", Apply(Cleared(1))),
    ],
)
def test_a_line_becomes_an_action(line: str, action: Action | None) -> None:
    if action is None:
        with pytest.raises(Mistyped):
            parse(STATE, line)
    else:
        assert parse(STATE, line) == action


CHOSE = Settings()


@pytest.mark.parametrize(
    ("line", "event", "said"),
    [
        ("/close", Closed(1), "#dev is off the list, and you are still in it; /chat dev brings"),
        ("/close ops", Closed(2), "#ops is off the list"),
        ("/mute", Muted(1, True), "#dev is muted"),
        ("/mute #ops", Muted(2, True), "#ops is muted"),
        ("/unmute 2", Muted(2, False), "#ops is heard again"),
        ("/notify mentions", Leveled(1, Level.MENTIONS), "#dev: mentions (only lines that name"),
        ("/notify N", Leveled(1, Level.NONE), "#dev: none ("),
        ("/ignore Bob", Ignored("bob", True), "lines of Bob are hidden; /unignore Bob"),
        ("/ignore @bob", Ignored("bob", True), "lines of bob are hidden"),
        ("/unignore Mallory", Ignored("mallory", False), "lines of Mallory are shown again"),
        ("/set theme light", Chose(replace(CHOSE, theme="light")), "theme = light"),
        ("/set th LIGHT", Chose(replace(CHOSE, theme="light")), "theme = light"),
        ("/theme mono", Chose(replace(CHOSE, theme="mono")), "theme = mono"),
        ("/set mouse on", Chose(replace(CHOSE, mouse="on")), "mouse = on"),
        ("/set mouse default", Chose(CHOSE), "mouse = off"),
        ("/set chats off", Chose(replace(CHOSE, chats="off")), "chats = off"),
        (
            "/set notify.command notify-send -a p2pchat",
            Chose(replace(CHOSE, notify_command="notify-send -a p2pchat")),
            "notify_command = notify-send -a p2pchat",
        ),
        ("/set notify-command off", Chose(CHOSE), "notify_command = off"),
        ("/alias W /whois", Aliased("w", "/whois"), "/w stands for /whois now"),
        ("/alias /brb back  soon", Aliased("brb", "back  soon"), "/brb stands for back  soon now"),
        ("/alias -w2", Aliased("w2", ""), "/w2 stands for nothing any more"),
    ],
)
def test_what_only_concerns_the_face_is_an_event_of_its_state(
    line: str, event: object, said: str
) -> None:
    action = parse(STATE, line)
    assert isinstance(action, Apply)
    assert action.event == event
    assert action.said.startswith(said)
    assert action.then is None


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("/chat", "> 1 #dev 2/3 L:?"),
        ("/notify", "#dev: all (every line raises it, a line that names you rings)"),
        ("/ignore", "ignored: mallory"),
        ("/set", "theme = default  (colours of the full screen)"),
        (
            "/set th",
            "theme = default  (colours of the full screen); it takes default, mono,"
            " high-contrast, light",
        ),
        ("/theme", "theme = default  (colours of the full screen); it takes default, mono,"),
        ("/alias", "/cough stands for /me coughs"),
        ("/alias TO", "/to stands for /say $1: $* ($9)"),
    ],
)
def test_without_a_value_it_says_how_things_are(line: str, first: str) -> None:
    action = parse(STATE, line)
    assert isinstance(action, Show)
    assert action.lines[0].startswith(first)


def test_a_chat_that_is_called_once_is_a_chat() -> None:
    once = View(w.Chat(name="once", chat_id=9, nds="a:1"))
    state = replace(STATE, views=(*STATE.views, once))
    assert parse(state, "/invite once") == Query("invite", {"chat": "0000000000000009"})


def test_chats_are_listed_as_they_are_numbered() -> None:
    action = parse(STATE, "/chat")
    assert isinstance(action, Show)
    assert action.lines == (
        "> 1 #dev 2/3 L:?",
        "  2 #ops (muted) 0/0 L:?",
        "  3 #Two@a:1 0/0 L:? unread:5",
        "  4 #Two@b:1 0/0 L:?",
        "    #old (closed)",
    )
    assert parse(State(), "/chat") == Show(
        ("you are in no chat; /join or /create one, for example: /join 10.0.0.5:50050/dev",)
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "there is nothing to send"),
        (" \n ", "there is nothing to send"),
        ("/lst", "there is no command /lst. Did you mean /list?"),
        ("/bogus", "there is no command /bogus. /help lists all"),
        ("/", "there is no command /"),
        ("/ help", "there is no command /"),
        ("/xyzzy now", "there is no command /xyzzy. /help lists all; //xyzzy sends it as text"),
        ("/usr/bin/env", "there is no command /usr/bin/env."),
        ("/quit\u202e\x1b[2J", "there is no command /quit[2J."),
        ("/l", "/l may be /leave or /list or /leader or /log"),
        ("/join", "it is /join line, for example: /join 10.0.0.5:50050/dev"),
        ("/join a b", "it is /join line, for example"),
        ("/join a!b", "the name of a chat must be 1 to 64 letters"),
        ("/join here:99999/dev", "the port must be 1 to 65535, not 99999; for example: /join"),
        ("/create a!b", "the name of a chat must be 1 to 64 letters"),
        ("/quit now", "it is /quit"),
        ("/say", "it is /say text..., for example: /say /quit ends it"),
        ("/chat nope", "you are in no chat #nope"),
        ("/chat opps", "you are in no chat #opps. Did you mean #ops?"),
        ("/chat 5", "you are in no chat #5"),
        ("/chat Two", "which chat? Two@a:1 or Two@b:1"),
        ("/mute nope", "you are in no chat #nope"),
        ("/nick a b", "it is /nick [nick], for example: /nick alice"),
        ("/nick a!b", "a nick must be 1 to 24 letters, digits, - _ or ., without '!'"),
        ("/history many", "/history takes a number from 1 to 1000, not 'many'"),
        ("/history 0", "/history takes a number"),
        ("/history 1001", "/history takes a number"),
        ("/history -1", "/history takes a number"),
        ("/election now", "now is none of the choices; it is /election [start], for example: /el"),
        ("/help nothing", "there is no command /nothing"),
        ("/notify some", "some is none of the choices; it is /notify [all|mentions|none], for e"),
        ("/notify all now", "it is /notify [all|mentions|none], for example: /notify mentions"),
        ("/ignore alice", "you cannot ignore yourself"),
        ("/ignore @ALICE", "you cannot ignore yourself"),
        ("/ignore a!b", "a nick must be"),
        ("/unignore bob", "bob is not ignored; ignored: mallory"),
        ("/unignore", "it is /unignore nick, for example: /unignore bob"),
        ("/set colour red", "there is no such setting. They are theme, chats, members, notices"),
        ("/set them", "theme"),
        ("/set theem", "there is no such setting. Did you mean theme"),
        ("/set m", "m may be members or mouse"),
        ("/set mouse maybe", "mouse must be one of on, off, not 'maybe', for example: /set mouse"),
        ("/theme pink", "theme must be one of default, mono, high-contrast, light, not 'pink'"),
        ("/alias names /who", "/names is a command already"),
        ("/alias q /whois", "/q is a command already"),
        ("/alias a,b text", "the name of an alias must be 1 to 24 letters"),
        ("/alias x a\x1bb", "what the alias stands for must be one line without control"),
        ("/alias -nope", "there is no alias nope."),
        ("/alias nope", "there is no alias nope."),
        ("/alias cuogh", "there is no alias cuogh. Did you mean cough?"),
    ],
)
def test_what_cannot_be_done_is_said_and_never_sent(line: str, said: str) -> None:
    if line == "/set them":
        assert isinstance(parse(STATE, line), Show)
        return
    with pytest.raises(Mistyped) as told:
        parse(STATE, line)
    assert str(told.value).startswith(said)
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    "line",
    [
        "hello", "//x", "/me waves", "/leave", "/topic x", "/search x", "/close", "/clear",
        "/read", "/mute", "/notify all", "/copy", "/reply x", "/trace", "/peers", "/history",
    ],
)  # fmt: skip
def test_without_a_chat_there_is_nothing_to_say_to(line: str) -> None:
    with pytest.raises(Mistyped, match="you are in no chat; /join or /create one, for example: /"):
        parse(State(), line)


def test_where_nobody_is_ignored_that_is_said_and_nobody_is_listed() -> None:
    with pytest.raises(Mistyped) as told:
        parse(replace(STATE, ignored=()), "/unignore bob")
    assert str(told.value) == "nobody is ignored"


def test_with_every_chat_closed_one_is_told_how_to_come_back() -> None:
    with pytest.raises(Mistyped, match="no chat is in front; /chat brings one back, for example:"):
        parse(replace(STATE, current=0), "hello")
    assert parse(replace(STATE, current=0), "/chat dev") == Apply(Selected(1))


# ---- one message -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("/copy", Copy("waves", "copied the line of carol: * waves")),
        ("/copy 4F2A-1", LookUp(DEV, "4F2A-1")),
        ("/copy 7777", LookUp(DEV, "7777")),
        ("/copy 4f2b", LookUp(DEV, "4f2b")),
        ("/edit so it is", Query("edit", {"chat": DEV, "text": "so it is"})),
        ("/edit 4f2a2 so  it is", Query("edit", {"chat": DEV, "id": "4f2a2", "text": "so  it is"})),
        ("/edit 1234 fixed typo", Query("edit", {"chat": DEV, "id": "1234", "text": "fixed typo"})),
        ("/edit 4F2B yes", Query("edit", {"chat": DEV, "id": "4F2B", "text": "yes"})),
        ("/edit zzzz hi", Query("edit", {"chat": DEV, "text": "zzzz hi"})),
        ("/edit added it", Query("edit", {"chat": DEV, "text": "added it"})),
        ("/reply yes, do  that", Say(DEV, "> carol: * waves\nyes, do  that")),
        ("/reply 4f2a2 no\nmatter", LookUp(DEV, "4f2a2", "no\nmatter")),
        ("/reply dead right", LookUp(DEV, "dead", "right")),
        ("/reply deadb right", Say(DEV, "> carol: * waves\ndeadb right")),
        ("/reply dead0 right", LookUp(DEV, "dead0", "right")),
        ("/reply added it", Say(DEV, "> carol: * waves\nadded it")),
        ("/reply 2026 was good", LookUp(DEV, "2026", "was good")),
        ("/reply 4f2b yes", LookUp(DEV, "4f2b", "yes")),
        ("/reply 1234 yes", LookUp(DEV, "1234", "yes")),
    ],
)
def test_a_message_is_named_by_its_digits_and_is_the_last_of_another_otherwise(
    line: str, action: Action
) -> None:
    assert parse(STATE, line) == action


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/copy 4f2", "'4f2' names no message; 4 or more hex digits do"),
        ("/copy bob", "'bob' names no message"),
        ("/reply", "it is /reply [id] text..., for example: /reply 4f2a yes, do that"),
        ("/reply 4f2a1", "it is /reply [id] text..."),
        ("/edit", "it is /edit [id] text..., for example: /edit 4f2a fixed, see the log"),
        ("/edit 4f2a", "it is /edit [id] text..."),
        ("/edit 1234", "it is /edit [id] text..."),
        ("/redact", "it is /redact id, for example: /redact 4f2a"),
        ("/reply 1234", "it is /reply [id] text..."),
    ],
)
def test_a_message_that_is_not_clear_is_not_guessed(line: str, said: str) -> None:
    with pytest.raises(Mistyped) as told:
        parse(STATE, line)
    assert str(told.value).startswith(said)


@pytest.mark.parametrize(
    ("line", "copied", "answered"),
    [
        (
            LINES[0],
            Copy("who broke\nthe build?", "copied the line of bob: who broke"),
            "> bob: who broke\nyes",
        ),
        (
            LINES[1],
            Copy("> you: hm\nI did[2J, sorry", "copied the line of bob: I did[2J, sorry"),
            "> bob: I did[2J, sorry\nyes",
        ),
        (LINES[2], None, f"{QUOTED}\nyes"),
        (LINES[4], Copy("mine", "copied your own line: mine"), "> alice: mine\nyes"),
    ],
)
def test_a_line_that_was_looked_up_is_copied_or_answered(
    line: w.Line, copied: Copy | None, answered: str
) -> None:
    assert copied in (None, about(LookUp(DEV, line.id), line))
    assert about(LookUp(DEV, line.id, "yes"), line) == Say(DEV, answered)


@pytest.mark.parametrize("line", ["/copy", "/reply yes"])
def test_ones_own_lines_are_not_the_last_of_another(line: str) -> None:
    alone = replace(STATE, views=(replace(STATE.views[0], items=ITEMS[-1:], older=""),))
    with pytest.raises(Mistyped, match=r"nobody else has said|there is nothing to answer"):
        parse(alone, line)


@pytest.mark.parametrize(
    "lacking",
    [
        replace(STATE.views[0], items=ITEMS[-1:]),  # whose older lines are not read yet
        replace(STATE.views[0], cut_off=True, older=""),  # that ends before the present
        replace(STATE.views[0], cut_off=True, older="", later=ITEMS[-1:]),
    ],
)
def test_the_newest_line_of_another_is_asked_for_where_the_window_does_not_hold_it(
    lacking: View,
) -> None:
    state = replace(STATE, views=(lacking,))
    assert parse(state, "/copy") == LookUp(DEV)
    assert parse(state, "/reply yes") == LookUp(DEV, text="yes")
    with pytest.raises(Mistyped, match="it is /reply"):
        parse(state, "/reply")
    assert about(LookUp(DEV), LINES[3]) == parse(STATE, "/copy")
    assert about(LookUp(DEV, text="yes"), LINES[3]) == parse(STATE, "/reply yes")
    for wanted in (LookUp(DEV), LookUp(DEV, text="yes")):
        with pytest.raises(Mistyped, match=r"nobody else has said|there is nothing to answer"):
            about(wanted, None)


def test_what_came_since_one_has_scrolled_up_is_the_newest() -> None:
    later = (Item(99, w.Line(msg_id="9999", nick="bob", text="just now")), ITEMS[-1])
    view = replace(STATE.views[0], cut_off=True, later=later)
    said = parse(replace(STATE, views=(view,)), "/reply yes")
    assert said == Say(DEV, "> bob: just now\nyes")


def test_who_is_ignored_said_nothing_last() -> None:
    hidden = w.Line(msg_id="aaaa0000-0000", nick="Mallory", text="not on the screen")
    view = replace(STATE.views[0], items=(*ITEMS, Item(99, hidden)))
    state = replace(STATE, views=(view,))
    assert parse(state, "/copy") == parse(STATE, "/copy")
    assert parse(state, "/reply yes") == parse(STATE, "/reply yes")
    assert parse(state, "/copy aaaa") == LookUp(DEV, "aaaa")


# ---- aliases -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("/cough", Say(DEV, "coughs", w.Kind.ACTION)),
        ("/COUGH  twice", Say(DEV, "coughs twice", w.Kind.ACTION)),
        ("/cou", Say(DEV, "coughs", w.Kind.ACTION)),
        ("/w2", Query("members", {"chat": OPS})),
        ("/names-ops", Query("members", {"chat": OPS})),
        ("/hi", Say(DEV, "hello all")),
        ("/hi there", Say(DEV, "hello all there")),
        ("/to bob see this", Say(DEV, "bob: bob see this ()")),
        ("//cough", Say(DEV, "/cough")),
        ("/names", Query("members", {"chat": DEV})),
    ],
)
def test_an_alias_stands_for_its_line(line: str, action: Action) -> None:
    assert parse(STATE, line) == action


def test_an_alias_that_leads_back_to_itself_ends() -> None:
    with pytest.raises(Mistyped, match="the alias /loop leads back to itself"):
        parse(STATE, "/loop x")


def test_aliases_that_double_what_follows_end() -> None:
    steps = tuple((f"a{i}x", f"/a{i + 1}x $* $*") for i in range(60))
    with pytest.raises(Mistyped, match="becomes longer than 65536 characters"):
        parse(replace(STATE, aliases=steps), "/a0x ha")


def test_a_beginning_of_a_command_is_not_taken_by_an_alias() -> None:
    state = replace(STATE, aliases=(("sta", "mine"), ("wh", "mine"), ("quitter", "mine")))
    assert parse(state, "/stat") == Query("status")
    assert parse(state, "/sta") == Say(DEV, "mine"), "in full it is the alias"
    assert parse(state, "/quit") == Quit()
    assert parse(state, "/quitt") == Say(DEV, "mine")


def test_a_command_that_is_newer_than_an_alias_of_its_name_is_the_command() -> None:
    state = replace(STATE, aliases=(("who", "mine"),))
    assert parse(state, "/who") == Query("members", {"chat": DEV})


@pytest.mark.parametrize(
    ("typed", "value"), [("on", "on"), ("ONL", "only"), ("o", None), ("x", None), ("onl y", None)]
)
def test_a_choice_is_made_in_full_or_by_its_own_beginning(typed: str, value: str | None) -> None:
    choices = Arg("how", "choice", optional=True, choices=("on", "only"))
    command = Command("x", "x", lambda _, __: Quit(), (choices,), example="/x only")
    if value:
        assert values_of(command, typed) == {"how": value}
    else:
        with pytest.raises(Mistyped, match=re.escape("it is /x [on|only], for example: /x only")):
            values_of(command, typed)


# ---- the table ---------------------------------------------------------------------------------

SECTION_5 = """
join create leave part close list invite chat buffer names members who whois nick me say topic
search grep history clear unread read mute unmute notify ignore unignore away back copy reply edit
redact delete quit exit q help keys version
status leader election trace where queue ping peers nds rpc doctor log check
set save reload theme alias
kick ban unban op deop owner rights
"""
LATER = "msg query dm react upload download lab explain"


def test_there_are_the_commands_with_a_capability_behind_them_and_no_others() -> None:
    assert set(NAMED) == set(SECTION_5.split())
    assert len(NAMED) == sum(len(command.names) for command in TABLE), "a name stands twice"
    for name in LATER.split():
        with pytest.raises(Mistyped):
            find(name)


# What each beginning meant before there were newer commands: those are not to take it over.
BEGINNINGS = {
    "q": "quit", "qui": "quit", "que": "queue", "me": "me", "a": "away", "b": None, "ba": "back",
    "c": None, "ch": None, "cha": "chat", "cr": "create", "e": None, "el": "election", "h": None,
    "he": "help", "hi": "history", "i": "invite", "in": "invite", "j": "join", "l": None,
    "lea": None, "leav": "leave", "li": "list", "lo": "log", "m": None, "n": None, "na": "names",
    "ni": "nick", "nd": "nds", "p": None, "pa": "leave", "pe": "peers", "pi": "ping", "r": None,
    "re": "read", "rp": "rpc", "s": None, "sa": "say", "se": "search", "st": "status", "t": None,
    "to": "topic", "tr": "trace", "u": "unread", "un": "unread", "v": "version", "w": None,
    "whoi": "whois", "whe": "trace", "who": "names", "where": "trace",
    # and what the newer ones have to themselves
    "cl": None, "clo": "close", "cle": "clear", "co": "copy", "mu": "mute", "unm": "unmute",
    "no": "notify", "ig": "ignore", "uni": "unignore", "rep": "reply", "rel": "reload",
    "ed": "edit", "edi": "edit", "red": "redact", "de": None,
    "k": None, "ke": "keys", "ki": "kick", "d": "doctor", "o": None, "ri": "rights",
    "sav": "save", "set": "set", "th": "theme", "al": "alias",
}  # fmt: skip


@pytest.mark.parametrize(("begun", "name"), BEGINNINGS.items())
def test_a_beginning_means_one_command_or_none(begun: str, name: str | None) -> None:
    for typed in (begun, begun.upper()):
        if name is None:
            with pytest.raises(Mistyped, match=" may be /"):
                find(typed)
        else:
            assert find(typed).name == name


@pytest.mark.parametrize("command", TABLE, ids=lambda command: command.name)
def test_every_command_is_found_helped_and_has_its_query(command: Command) -> None:
    for name in command.names:
        assert find(name.upper()) is command
    assert (command.usage, command.help) in overview(TABLE)
    assert len(command.help) <= 72
    assert command.example or not command.args, "what takes arguments shows how"
    queries = []
    state = replace(
        STATE, ignored=("bob",), views=(replace(STATE.views[0], items=ITEMS[:1]), *STATE.views[1:])
    )
    for typed in command.example.split(", or ") if command.example else [f"/{command.name}"]:
        action = parse(state, typed)
        queries += [action] if isinstance(action, Query) else []
        queries += [action.then] if isinstance(action, Apply) and action.then else []
        if isinstance(action, Open) and action.kind not in ("help", "keys"):
            assert action.kind in QUERIES
            assert action.kind in PAGES
    assert all(query.name in QUERIES for query in queries)


def test_arguments_that_may_be_left_out_stand_in_brackets() -> None:
    shown = {command.name: command.usage for command in TABLE}
    assert shown["set"] == "/set [key [value...]]"
    assert shown["reply"] == "/reply [id] text..."
    assert shown["notify"] == "/notify [all|mentions|none]"
    assert shown["topic"] == "/topic [topic...]"
    assert shown["clear"] == "/clear"


# ---- help --------------------------------------------------------------------------------------


def helped(line: str) -> Open:
    action = parse(STATE, line)
    assert isinstance(action, Open)
    assert action.kind == "help"
    return action


def test_help_shows_every_command_in_its_group() -> None:
    rows = helped("/help").lines
    heads = [row[0] for row in rows if len(row) == 1 and isinstance(row, tuple)]
    assert heads == ["Talking", "Watching the system", "Settings"]
    assert len([row for row in rows if len(row) == 2]) == len(TABLE)


@pytest.mark.parametrize("topic", ["chat", "system", "settings", "SYSTEM"])
def test_help_shows_one_group(topic: str) -> None:
    page = helped(f"/help {topic}")
    assert page.topic == topic.casefold()
    assert len(page.lines) - 1 == sum(command.group == topic.casefold() for command in TABLE)


def test_help_explains_one_command() -> None:
    page = helped("/help who")
    assert page.topic == "names"
    assert page.lines == (
        "/names [chat]  who is in the chat: * leads, ? silent, - gone",
        "also: /members, /who",
        "for example: /names #dev",
    )
    assert helped("/help /chat").topic == "chat"
    assert helped("/help /chat").lines[0] == "/chat [chat]  put a chat in front, or list yours"


def test_a_page_is_plain_text_where_there_is_no_screen() -> None:
    rows = ("one line", "", ("Head",), ("/a", "does a"), ("/long", "does more"))
    assert plain(rows) == (
        "one line",
        "",
        "Head",
        "  /a     does a",
        "  /long  does more",
    )


# ---- any text ----------------------------------------------------------------------------------

WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["#dev", "2", "9" * 5000, "4f2a", "dead", "on", "theme", "bob", "-w2", "$1", "Two@b:1"]
    ),
)
TYPED = st.builds(
    lambda slash, name, words: slash + name + " " + " ".join(words),
    st.sampled_from(["/", "/", "//", ""]),
    st.one_of(st.text(max_size=6), st.sampled_from([*NAMED, "cough", "to", "loop", "re"])),
    st.lists(WORDS, max_size=3),
)


def parsed(state: State, line: str) -> Action | str:
    """What the line asks for, or what is said against it."""
    try:
        return parse(state, line)
    except Mistyped as mistyped:
        return str(mistyped)


@given(st.one_of(TYPED, st.text()), st.sampled_from([STATE, State()]))
@example("/history " + "9" * 5000, STATE)
@example("/chat " + "9" * 5000, STATE)
@example("/set \udcff x", STATE)
@example("/reply \udcff", STATE)
@example("/" + "x" * 100_000, STATE)
def test_whatever_is_typed_is_an_action_or_a_mistake_with_a_reason(line: str, state: State) -> None:
    action = parsed(state, line)
    if isinstance(action, str):
        assert 0 < len(action) < 500
    elif isinstance(action, Say):
        assert not line.startswith("/") or line.startswith("//") or action.text != line
    elif isinstance(action, Query):
        assert action.name in QUERIES


@given(st.text(alphabet="ab/$1 *q", max_size=8), st.text(alphabet="/ab $*1", max_size=12))
def test_any_alias_that_is_taken_can_be_typed(name: str, text: str) -> None:
    if alias_fault(name, text):
        return
    state = replace(STATE, aliases=((name.casefold(), text.strip()),))
    action = parsed(state, f"/{name} x y")
    assert not isinstance(action, str) or not action.startswith(f"there is no command /{name}.")


# ---- what owner and admins decide ----------------------------------------------------------------


@pytest.mark.parametrize("act", ["kick", "ban", "unban", "op", "deop", "owner"])
def test_what_is_decided_about_a_member_is_asked_of_the_node(act: str) -> None:
    asked = Query("decide", {"chat": DEV, "act": act, "member": "bob#2"})
    assert parse(STATE, f"/{act} bob#2") == asked
    with pytest.raises(Mistyped, match=f"it is /{act} member, for example: /{act} bob"):
        parse(STATE, f"/{act}")


def test_rights_are_shown_and_decided() -> None:
    assert parse(STATE, "/rights") == Query("rights", {"chat": DEV})
    decided = {"chat": DEV, "right": "topic", "value": "admins"}
    assert parse(STATE, "/rights topic ADMINS") == Query("rights", decided)


@pytest.mark.parametrize("typed", ["invite", "speak admins", "topic nobody"])
def test_rights_that_there_are_not_are_named(typed: str) -> None:
    with pytest.raises(Mistyped, match="takes invite or topic, and then all or admins"):
        parse(STATE, f"/rights {typed}")


def test_nobody_is_removed_by_a_beginning_that_means_something_else_too() -> None:
    with pytest.raises(Mistyped, match="/k may be /kick or /keys"):
        parse(STATE, "/k bob")
