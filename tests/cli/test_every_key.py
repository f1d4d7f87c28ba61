"""Every key of the table, pressed as people press it in the running app, does what it is for.

`PROOFS` has one function for each action of `node.cli.keys.TABLE`; none may be missing.
"""

from collections.abc import Callable, Iterator

import pytest

from node.cli.keys import TABLE
from node.words import Elections, Queue, QueueRow, Tracing
from tests.cli.app_world import World

MINUTE_MS = 60_000
DEV, OPS, LAB = 1, 2, 3

Proof = Callable[[World], None]
PROOFS: dict[str, Proof] = {}


def proves(*actions: str) -> Callable[[Proof], Proof]:
    def register(proof: Proof) -> Proof:
        PROOFS.update(dict.fromkeys(actions, proof))
        return proof

    return register


@pytest.fixture
def world() -> Iterator[World]:
    """#dev with a long history, #ops and #lab; the app shows #dev."""
    with World(110, 24) as made:
        node = made.node
        node.add_chat("dev", "alice", "bob", "you", leader="alice")
        node.add_chat("ops", "you", "erin", leader="you")
        node.add_chat("lab", "grace", "you", leader="grace")
        for left in range(200, 0, -1):
            names_you = ", @you" if left in (150, 100) else ""
            text = f"line {201 - left}{names_you}."
            node.past(DEV, "alice", text, left * MINUTE_MS, mention=bool(names_you))
        made.start(chat="dev")
        made.sees("[#dev]", "line 200.")
        yield made


def prompt(world: World) -> str:
    """The first row of the input."""
    return next(row.rstrip() for row in world.rows if row.startswith("["))


def said(world: World) -> list[str]:
    return [call["text"] for call in world.node.asked("send")]


def test_every_action_of_the_table_is_driven() -> None:
    assert set(PROOFS) == {key.action for key in TABLE}


@pytest.mark.parametrize("action", [key.action for key in TABLE])
def test_a_key_does_what_it_is_for(action: str, world: World) -> None:
    PROOFS[action](world)


# ---- typing --------------------------------------------------------------------------------------


@proves("send")
def _send(world: World) -> None:
    world.enter("hello")
    assert said(world) == ["hello"]
    assert prompt(world) == "[#dev]", "the input is empty again"
    world.press("Enter")
    assert said(world) == ["hello"], "nothing is sent where nothing is typed"


@proves("newline")
def _newline(world: World) -> None:
    for key in ("Alt+Enter", "Ctrl+J"):
        world.type("one")
        world.press(key)
        world.type("two")
        assert said(world) == []
        world.press("Enter")
        assert said(world) == ["one\ntwo"]
        world.node.heard.clear()


@proves("complete", "complete_back")
def _complete(world: World) -> None:
    world.type("/l")
    world.misses("/leader")
    world.press("Tab")
    world.sees("/leave", "/leader", "/list")
    world.press("Tab")
    first = prompt(world)
    world.press("Tab")
    second = prompt(world)
    assert first != second
    world.press("Shift+Tab")
    assert prompt(world) == first
    assert said(world) == []
    world.press("Ctrl+C")
    world.type("al")
    world.press("Tab")
    assert prompt(world).startswith("[#dev] alice:"), "a nick at the start of a line"
    world.type("see /t")
    world.press("Tab")
    assert not world.node.asked("trace"), "no call on the key path"


@proves("search_input")
def _search_input(world: World) -> None:
    for text in ("deploying now", "thanks", "rolling back"):
        world.enter(text)
    world.press("Ctrl+R")
    world.type("depl")
    world.press("Enter")
    assert prompt(world) == "[#dev] deploying now", "taken, not sent"
    assert said(world)[3:] == []


@proves("clear_input")
def _clear_input(world: World) -> None:
    world.type("never mind")
    world.press("Ctrl+C")
    assert prompt(world) == "[#dev]"
    world.press("Ctrl+C")
    assert not world.has_ended, "an empty input is not the end"


@proves("quit")
def _quit(world: World) -> None:
    world.type("x")
    world.press("Left", "Ctrl+D")
    assert not world.has_ended
    assert prompt(world) == "[#dev]", "where something is typed it deletes"
    line = world.node.says(DEV, "you", "not there yet", of=2)
    world.node.set_chat(DEV, outbox=1)
    world.node.answers["queue"] = Queue((QueueRow("dev", line, ("bob",), 700),))
    world.passes(10_000)
    world.press("Ctrl+D")
    assert not world.has_ended, "asked once, the outbox is not empty"
    world.press("n")
    assert not world.has_ended
    world.press("Ctrl+D", "y")
    assert world.ended() == 0
    assert not world.display.is_alternate


# ---- chats ---------------------------------------------------------------------------------------


@proves("next_chat", "previous_chat")
def _neighbours(world: World) -> None:
    seen = []
    for key in ("Ctrl+N", "Alt+Right", "Ctrl+N", "Ctrl+P", "Alt+Left", "Ctrl+P"):
        world.press(key)
        seen.append(prompt(world))
    assert seen == ["[#ops]", "[#lab]", "[#dev]", "[#lab]", "[#ops]", "[#dev]"]


@proves(*(f"chat_{n}" for n in range(1, 11)))
def _by_number(world: World) -> None:
    for number in range(4, 12):
        world.node.towns.pop(number, None)
        world.enter(f"/create chat{number}")
    for number in (3, 10, 1, 9, 2):
        world.press(f"Alt+{number % 10}")
        name = ("", "dev", "ops", "lab", *(f"chat{n}" for n in range(4, 12)))[number]
        assert prompt(world) == f"[#{name}]"
    world.type("draft for ops")
    world.press("Alt+1")
    assert prompt(world) == "[#dev]", "what is typed stays with its chat"
    world.press("Alt+2")
    assert prompt(world) == "[#ops] draft for ops"


@proves("next_active")
def _next_active(world: World) -> None:
    world.node.says(OPS, "erin", "just talk")
    world.node.says(LAB, "grace", "@you please", mention=True)
    world.passes(500)
    for wanted in ("[#lab]", "[#ops]"):
        world.press("Alt+A")
        assert prompt(world) == wanted, "mentions first"
    world.press("Alt+A")
    assert prompt(world) in ("[#ops]", "[#dev]"), "nothing is left to go to"


@proves("switcher")
def _switcher(world: World) -> None:
    for key in ("Ctrl+G", "Alt+G"):
        world.press(key)
        world.type("lb")
        world.press("Enter")
        assert prompt(world) == "[#lab]"
        world.press("Alt+1", key)
        world.press("Esc")
        assert prompt(world) == "[#dev]"


# ---- reading -------------------------------------------------------------------------------------


@proves("page_up", "page_down", "top", "bottom")
def _scrolling(world: World) -> None:
    world.press("PgUp")
    world.misses("line 200.")
    world.sees("-- more --", "line 175.")
    world.press("PgDn")
    world.sees("line 200.")
    world.misses("-- more --")
    world.press("PgUp", "PgUp", "PgUp", "Alt+End")
    world.sees("line 200.")
    world.misses("-- more --")
    world.press("Alt+Home")
    world.passes(500)
    world.sees("line 1.", "-- more --")
    world.press("Alt+End")
    world.sees("line 200.")


@proves("first_unread")
def _first_unread(world: World) -> None:
    world.press("Alt+2")
    for number in range(60):
        world.node.says(DEV, "bob", f"new {number}.")
    world.passes(500)
    world.press("Alt+1")
    world.misses("new 0.")
    world.press("Alt+U")
    world.sees("new 0.")
    assert any(" new -" in row for row in world.rows), "the marker stands before it"


@proves("previous_mention", "next_mention")
def _mentions(world: World) -> None:
    world.press("Alt+P")
    world.sees("line 101, @you.")
    world.press("Alt+P")
    world.sees("line 51, @you.")
    world.press("Alt+N")
    world.sees("line 101, @you.")


@proves("search_transcript")
def _search(world: World) -> None:
    world.press("Ctrl+S")
    world.type("line 12")
    world.sees("line 129.")
    world.press("Ctrl+S")
    world.press("Esc")
    assert prompt(world) == "[#dev]"
    assert said(world) == []


# ---- views ---------------------------------------------------------------------------------------


@proves("help")
def _help(world: World) -> None:
    world.press("F1")
    world.sees("HELP", "/join")
    world.press("Esc")
    world.sees("line 200.")


@proves("elections")
def _elections(world: World) -> None:
    world.node.answers["elections"] = Elections()
    world.press("F2")
    assert world.node.asked("elections")
    world.misses("line 200.")
    world.press("F2")
    world.sees("line 200.")


@proves("trace")
def _trace(world: World) -> None:
    world.enter("where is this?")
    line = world.node.town(DEV).log[-1]
    world.node.answers["trace"] = Tracing(line, "alice")
    world.press("F3")
    assert world.node.asked("trace")
    world.sees(line.id)
    world.press("Esc")
    world.sees("line 200.")


@proves("chats_pane", "members_pane")
def _panes(world: World) -> None:
    world.sees("CHATS", "MEMBERS")
    world.press("F7")
    world.misses("CHATS")
    world.press("F8")
    world.misses("MEMBERS")
    world.press("F7", "F8")
    world.sees("CHATS", "MEMBERS")


@proves("bare")
def _bare(world: World) -> None:
    world.press("Alt+L")
    world.misses("CHATS", "MEMBERS")
    assert all("|" not in row.split("|", 2)[-1] for row in world.rows if "line 200." in row)
    world.press("Alt+L")
    world.sees("CHATS", "MEMBERS")


@proves("notices")
def _notices(world: World) -> None:
    world.node.changed(DEV, "frank", "joined")
    world.passes(500)
    world.sees("frank joined")
    world.press("Alt+=")
    world.misses("frank joined (id")
    world.press("Alt+=")
    world.sees("frank joined (id")


@proves("mouse")
def _mouse(world: World) -> None:
    assert not world.display.takes_mouse
    world.press("Alt+M")
    assert world.display.takes_mouse
    row = world.display.row_of("#ops")
    world.click(4, row)
    assert prompt(world) == "[#ops]", "a click on a chat selects it"
    world.press("Alt+1")
    world.click(50, 10, 64)
    world.sees("-- more --")
    world.press("Alt+M")
    assert not world.display.takes_mouse


@proves("close")
def _close(world: World) -> None:
    world.press("F1")
    world.misses("line 200.")
    world.press("Esc")
    world.sees("line 200.")
    world.type("kept")
    world.press("Esc")
    assert prompt(world) == "[#dev] kept"


# ---- what is left to readline --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ("Ctrl+A x", "xone two three"),
        ("Ctrl+A Ctrl+E x", "one two threex"),
        ("Home x", "xone two three"),
        ("Ctrl+W", "one two"),
        ("Ctrl+U", ""),
        ("Ctrl+A Ctrl+K", ""),
        ("Ctrl+A Ctrl+F Ctrl+K", "o"),
        ("Ctrl+W Ctrl+Y", "one two three"),
        ("Left Left x", "one two thrxee"),
        ("Ctrl+B Backspace", "one two thre"),
        ("Alt+B x", "one two xthree"),
        ("Ctrl+A Alt+F x", "onex two three"),
        ("Ctrl+A Alt+D", " two three"),
        ("Ctrl+T", "one two three"),
        ("Ctrl+A Delete", "ne two three"),
        ("Ctrl+K Ctrl+W Ctrl+_", "one two three"),
    ],
)
def test_keys_of_readline_stay(keys: str, left: str, world: World) -> None:
    world.type("one two three")
    world.press(*keys.split())
    assert prompt(world) == f"[#dev] {left}".rstrip()
    assert not world.has_ended


def test_up_and_down_recall_what_was_typed(world: World) -> None:
    for text in ("first", "second", "/leader"):
        world.enter(text)
    world.type("draft")
    seen = []
    for key in ("Up", "Up", "Up", "Down", "Down", "Down"):
        world.press(key)
        seen.append(prompt(world).removeprefix("[#dev] "))
    assert seen == ["/leader", "second", "first", "second", "/leader", "draft"]


@pytest.mark.parametrize("key", ["Ctrl+Z", "Ctrl+X", "Ctrl+H", "F5", "F12", "Insert"])
def test_keys_that_mean_nothing_do_nothing_bad(key: str, world: World) -> None:
    world.type("text")
    world.press(key)
    world.type("!")
    assert not world.has_ended
    assert prompt(world) in ("[#dev] text!", "[#dev] tex!"), "Ctrl+H is backspace"
    assert said(world) == []


@pytest.mark.parametrize("gap_ms", [0, 20, 60, 150, 250, 400])
def test_a_command_typed_right_after_escape_is_that_command(gap_ms: int, world: World) -> None:
    world.press("F1")
    world._input.send_text("\x1b")
    world.passes(gap_ms)
    world.type("/leader")
    world.press("Enter")
    world.passes(500)
    assert said(world) == [], "no command is ever said"
    assert world.node.asked("leader")
    world.sees("alice (id 1) leads #dev")


@pytest.mark.parametrize("char", ["q", "/", "!", "z"])
def test_a_character_with_alt_that_is_bound_to_nothing_is_not_swallowed(
    char: str, world: World
) -> None:
    world.press(f"Alt+{char}")
    world.type("more")
    assert prompt(world) == f"[#dev] {char}more"


@pytest.mark.parametrize(
    ("raw", "seen"),
    [("\x1b[[A", "/join"), ("\x1b[11~", "/join"), ("\x1b[[B", ""), ("\x1b[1~", ""), ("\x1bOH", "")],
)
def test_keys_of_other_terminals_are_known(raw: str, seen: str, world: World) -> None:
    """F1 and F2 of the Linux console and of rxvt, Home of tmux and of vt100."""
    world.type("abc")
    world._send(raw)
    assert seen in world.text
    assert "[1" not in world.text.splitlines()[-1]
    assert not world.has_ended
