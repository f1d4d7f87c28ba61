"""What the app promises whoever uses it: nobody is disturbed for nothing, nothing hostile gets
through, every command and key can be used, all of a long log is reached, one can always leave.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from node.cli.commands import TABLE
from node.cli.model import IDLE_LINES_MAX, LINES_MAX
from node.errors import NO_PEER, OTHER
from node.words import (
    Calls,
    Comparison,
    Elections,
    Line,
    Networks,
    Peers,
    PingRow,
    Pings,
    Tracing,
)
from tests.cli.app_world import World

MINUTE_MS = 60_000
DEV, OPS = 1, 2


@pytest.fixture
def world() -> Iterator[World]:
    """#dev and #ops; the app is not started."""
    with World(110, 24) as made:
        made.node.add_chat("dev", "alice", "bob", "you", leader="alice")
        made.node.add_chat("ops", "you", "erin", leader="you")
        yield made


def prompt(world: World) -> str:
    return next(row.rstrip() for row in world.rows if row.startswith("["))


# ---- nobody is disturbed for nothing -------------------------------------------------------------


def rings(world: World) -> int:
    world.passes(3_000)
    return world.display.bells


def test_the_bell_rings_for_a_mention_and_for_nothing_else(world: World) -> None:
    world.start()
    say = world.node.says
    say(DEV, "alice", "just talk")
    say(OPS, "erin", "talk elsewhere")
    late = world.node.past(DEV, "alice", "@you long ago", 60 * MINUTE_MS, mention=True)
    world.node.tell(late, DEV)
    assert rings(world) == 0
    say(OPS, "erin", "@you please")
    assert rings(world) == 1
    for number in range(10):
        say(OPS, "erin", f"@you {number}")
    assert rings(world) == 2, "once for all that come together"


QUIET = {
    "muted": ["/mute #ops"],
    "none": ["/chat #ops", "/notify none", "/chat #dev"],
    "ignored": ["/ignore erin"],
    "off": ["/set bell off"],
}


@pytest.mark.parametrize("quiet", QUIET)
def test_who_wants_silence_has_it(quiet: str, world: World) -> None:
    world.start()
    for text in QUIET[quiet]:
        world.enter(text)
    world.node.says(OPS, "erin", "@you please")
    assert rings(world) == 0
    assert ("[Act:" in world.text) == (quiet == "off")


def test_backlog_counts_as_nothing_new(world: World) -> None:
    world.start()
    for number in range(5):
        late = world.node.past(OPS, "erin", f"@you {number}", 60 * MINUTE_MS, mention=True)
        world.node.tell(late, OPS)
    world.passes(1_000)
    world.misses("[Act:")
    assert rings(world) == 0


# ---- hostile text --------------------------------------------------------------------------------

LONG = {
    "one word": "x" * 65_536,
    "words": "word " * 13_000,
    "lines": "line\n" * 13_000,
    "wide": "漢" * 21_845,
    "marks": "e" + "\u0301" * 32_000,
    "nothing": "\u200b" * 21_000,
    "escapes": "\x1b[31m" * 13_000,
    "tabs": "\t" * 65_536,
}


@pytest.mark.parametrize("kind", LONG)
def test_a_line_of_64_kib_neither_stops_the_app_nor_scrolls_for_ever(
    kind: str, world: World
) -> None:
    world.start()
    world.node.says(DEV, "alice", "before")
    world.node.says(DEV, "bob", LONG[kind])
    world.node.says(DEV, "alice", "after")
    world.passes(500)
    world.sees("after")
    world.press("Alt+Home")
    world.passes(500)
    world.sees("before")
    world.resize(60, 20)
    world.press("Alt+End")
    world.sees("after")


def test_the_title_is_safe_and_given_back(world: World) -> None:
    world.display.feed("\x1b]2;my shell\x07")
    evil = world.node.add_chat("x\x1b]2;owned\x07\u202e", "you", leader="you")
    world.start()
    world.press("Alt+3")
    assert world.state.current == evil
    assert all(title.isprintable() for title in world.display.titles)
    world.enter("/quit")
    assert world.ended() == 0
    assert world.display.title == "my shell"


# ---- every command -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [command.name for command in TABLE])
def test_every_command_can_be_used_as_its_help_shows(name: str, world: World) -> None:
    command = next(one for one in TABLE if one.name == name)
    example = (command.example or f"/{name}").partition(", or ")[0]
    said = world.node.past(DEV, "alice", "something to copy", MINUTE_MS)
    own = world.node.past(DEV, "you", "something of mine", MINUTE_MS, of=2)
    example = example.replace("4f2a", said.id if name in ("copy", "reply") else own.id)
    world.node.answers |= {
        "trace": Tracing(own, "alice"),
        "elections": Elections(),
        "check": Comparison("dev", True),
        "peers": Peers(),
        "calls": Calls(),
        "networks": Networks(),
        "ping": Pings("dev", (PingRow(1, "alice", True, 400, "leading"),)),
    }
    world.start()
    world.press("Alt+2" if name == "chat" else "Alt+1")
    world.passes(1_000)
    before, heard = world.state, len(world.node.heard)
    world.enter(example)
    world.passes(1_000)
    if name == "quit":
        assert world.ended() == 0
        return
    assert not world.has_ended
    complaint = re.compile(r"there is no command|for example:|is none of")
    found = [row for row in world.rows if complaint.search(row) and "/" + name in row]
    assert not found, f"{example}: {found}"
    kept = [*world.node.heard[heard:], *(["changed"] if world.state != before else [])]
    assert kept or name in ("save", "reload", "copy"), f"{example} did nothing"
    assert prompt(world).endswith("]") or world.state.search, "the input is empty again"


def test_unknown_commands_are_never_said(world: World) -> None:
    world.start()
    for text in ("/laeder", "/ leader", "/q1", "/", "/LEADERX now"):
        world.enter(text)
    world.passes(500)
    assert not world.node.asked("send")
    world.enter("//slash")
    world.enter("/SAY /slash")
    assert [call["text"] for call in world.node.asked("send")] == ["/slash", "/slash"]


def test_the_theme_changes_at_once(world: World) -> None:
    world.node.past(DEV, "alice", "hello", MINUTE_MS)
    world.start()
    colorful = world.display.style_at("alice |")
    assert any(color in colorful for color in ("red", "green", "blue", "magenta", "cyan", "yellow"))
    world.enter("/theme mono")
    styles = {
        world.display.style(x, y)
        for x in range(world.display.columns)
        for y in range(world.display.lines)
    }
    assert styles <= {"", "bold", "dim", "reverse", "bold reverse", "underline", "bold underline"}
    world.enter("/theme default")
    assert world.display.style_at("alice |") == colorful


# ---- a long log ----------------------------------------------------------------------------------


def test_lines_of_who_is_ignored_hide_nothing_else(world: World) -> None:
    for number in range(300):
        world.node.past(DEV, "alice", f"old {number}.", (1_000 - number) * MINUTE_MS)
    for number in range(400):
        world.node.past(DEV, "bob", f"noise {number}.", (500 - number) * MINUTE_MS)
    world.start()
    world.enter("/ignore bob")
    world.passes(3_000)
    world.press("PgUp")
    world.passes(3_000)
    world.misses("noise")
    world.sees("old 2")


@pytest.mark.parametrize("key", ["F1", "F2", "F3", "Ctrl+S", "Ctrl+G", "Alt+U", "Alt+P", "PgUp",
    "Alt+A", "Alt+1", "Ctrl+N", "Tab", "Enter", "F7", "Alt+L"])  # fmt: skip
def test_every_key_can_be_pressed_where_there_is_no_chat(key: str) -> None:
    with World(84, 20) as world:
        world.start()
        world.type("x")
        world.press(key, "Esc", "Ctrl+C")
        world.enter("/help")
        world.sees("HELP")


def test_what_was_cleared_comes_back_only_when_it_is_wanted(world: World) -> None:
    for number in range(300):
        world.node.past(DEV, "alice", f"line {number}.", (400 - number) * MINUTE_MS)
    world.start()
    world.enter("/clear")
    world.passes(5_000)
    world.misses("line ")
    world.node.says(DEV, "bob", "fresh")
    world.passes(5_000)
    world.sees("fresh")
    world.misses("line ")
    world.press("PgUp")
    world.passes(1_000)
    world.press("PgUp")
    world.sees("line 2")


def test_all_of_a_long_log_can_be_scrolled_to_and_little_of_it_is_held(world: World) -> None:
    count = LINES_MAX + 300
    world.resize(84, 60)
    town = world.node.town(DEV)
    town.log = [
        Line(
            f"{number:032x}",
            f"{number:04x}",
            1,
            "alice",
            f"line {number}.",
            1,
            world.now() - (count - number) * MINUTE_MS,
            place=f"{number}.0.1.1.1.{number}",
        )
        for number in range(1, count + 1)
    ]
    world.start()
    world.sees(f"line {count}.")
    seen = most = 0
    while "line 1." not in world.text:
        world.press("PgUp")
        most = max(most, len(world.state.views[0].items))
        seen += 1
        assert seen < count, "the beginning is never reached"
    assert most <= LINES_MAX + 100
    world.sees("-- more --")
    while world.state.views[0].scroll is not None:
        world.press("PgDn")
        seen += 1
        assert seen < 2 * count, "the end is never reached"
    world.sees(f"line {count}.")
    for turn in range(20):  # other chats are looked at: of this one little is kept
        world.enter(f"/create more{turn}")
    world.passes(1_000)
    assert len(world.state.views[0].items) <= IDLE_LINES_MAX


# ---- ends ----------------------------------------------------------------------------------------


def test_a_crash_gives_the_terminal_back(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.may_crash = True

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("boom")

    world.start()
    world.node.trace = broken  # type: ignore[method-assign, assignment]
    world.press("F3")
    assert world.ended() == OTHER
    display = world.display
    assert (display.is_alternate, display.takes_pastes, display.shows_cursor) == (False,) * 2 + (
        True,
    )
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(world.log) in said
    assert "RuntimeError: boom" in world.log.read_text()


def test_the_end_of_ones_own_node_is_the_end(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.start(owns_node=True)
    world.node.dies()
    assert world.ended() == NO_PEER
    assert capsys.readouterr().err == "p2pchat: the node has ended\n"


@pytest.mark.parametrize(
    "leave",
    [
        lambda world: world.press("Ctrl+D"),
        lambda world: world.enter("/quit"),
        lambda world: (world.press("F1"), world.press("Ctrl+D")),
        lambda world: (world.press("Ctrl+G"), world.press("Esc"), world.press("Ctrl+D")),
    ],
    ids=["ctrl-d", "quit", "from-a-page", "after-the-switcher"],
)
def test_one_can_always_leave(leave: Callable[[World], object], world: World) -> None:
    world.start()
    leave(world)
    assert world.ended() == 0
    assert not world.display.is_alternate


# ---- quickly -------------------------------------------------------------------------------------


def test_a_key_costs_no_call(world: World) -> None:
    world.start()
    world.passes(200)
    heard = len(world.node.heard)
    world.type("/whois a")
    world.press("Tab", "Tab", "Ctrl+C", "Up", "Down", "Ctrl+R", "Esc", "Left", "Ctrl+A")
    assert [name for name, _ in world.node.heard[heard:]] == []


def test_an_app_that_nobody_uses_does_nothing(world: World) -> None:
    world.start()
    world.passes(3_000)
    drawn, heard = len(world.sink.raw), len(world.node.heard)
    world.passes(50_000)
    assert len(world.sink.raw) - drawn < 500, "nothing but the minute changes"
    assert len(world.node.heard) - heard <= 12, "the status, now and then"
