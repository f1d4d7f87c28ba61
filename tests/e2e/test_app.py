"""The full-screen app on real terminals, with real nodes: in a pty, and within tmux.

`P2PCHAT_BURST_S` makes the burst of lines longer: 30 is what is promised.  `P2PCHAT_MISSED` is how
many lines come while nobody looks: any number is promised.
"""

import os
import random
import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.flood import Flood
from tests.e2e.programs import Member
from tests.e2e.terminal import END_MARK, Screen, Terminal, Tmux, has_tmux
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("e2e")

BURST_S = float(os.environ.get("P2PCHAT_BURST_S", "2"))
HANG_UP_S = 2.0  # what a node of its own may take to hand over and end
MISSED = int(os.environ.get("P2PCHAT_MISSED", "1100"))  # lines while nobody looked
PACE_S = (0.01, 0.04)  # between keystrokes

in_tmux = pytest.mark.skipif(not has_tmux(), reason="tmux is not installed")


def opened(member: Member, *arguments: str, term: str = "xterm-256color") -> Terminal:
    """The app of a member, on a terminal of its own."""
    return Terminal(member.command(*arguments), member.environment, term=term)


def row_with(*parts: str) -> Callable[[str], bool]:
    """Whether one row of a screen has all of these."""
    return lambda seen: any(all(part in row for part in parts) for row in seen.splitlines())


def prompt(seen: str) -> str:
    """The first row of the input."""
    found = [row for row in seen.splitlines() if row.startswith("[")]
    return found[-1] if found else ""


def typed(wanted: str) -> Callable[[str], bool]:
    """Whether the input is this."""
    return lambda seen: prompt(seen) == wanted


# ---- a conversation ------------------------------------------------------------------------------


@pytest.fixture(params=["pty", pytest.param("tmux", marks=in_tmux)])
def screens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[Member], Screen]]:
    """Opens the app of a member, in a pty or within tmux."""
    made: list[Screen] = []

    def open_(member: Member) -> Screen:
        if request.param == "pty":
            made.append(opened(member))
        else:
            made.append(Tmux(member.command(), member.environment))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def test_two_chats_and_a_leader_killed_while_somebody_types(
    square: Cluster, screens: Callable[[Member], Screen]
) -> None:
    leader = square.leader("dev", *SQUARE)
    struck = next(name for name in SQUARE if square[name].id("dev") == leader.member)
    viewer = "dan" if struck != "dan" else "carol"
    other = next(name for name in SQUARE if name not in (struck, viewer))
    app = screens(square[viewer])
    app.until(row_with("1:#dev 4/4", f"L:{struck}", "NDS:ok"))
    app.enter("before it happens")
    app.until(row_with("you | before it happens", "3/3"))

    app.press("Alt+2")
    app.until(typed("[#ops]"))
    app.enter("hello #ops")
    app.until(row_with("you | hello #ops", "3/3"))
    square[other].post("dev", "meanwhile in #dev")
    app.until("[Act: 1:#dev(1)]")
    app.press("Alt+A")
    app.until(row_with(f"{other} | meanwhile in #dev"))

    app.type("half of a li")
    app.until(typed("[#dev] half of a li"))
    square[struck].kill()
    app.type("ne")
    app.until(lambda seen: "leads now (epoch" in seen or "you lead #dev now (epoch" in seen)
    app.until(row_with(f"-- | leader {struck} (id", "is silent"))
    app.until(typed("[#dev] half of a line"))
    app.press("Enter")
    app.until(lambda seen: row_with("you | half of a line", "2/2")(seen)
              or row_with("you | half of a line", "2/3")(seen))  # fmt: skip

    app.press("F2")
    app.until(row_with("ELECTIONS of #dev"))
    app.until(row_with("leads, epoch"))
    app.press("Esc")
    square[struck].up()
    app.until(row_with(f"{struck} (id", "is back"))
    app.until(lambda seen: row_with("you | half of a line", "2/2")(seen)
              or row_with("you | half of a line", "3/3")(seen))  # fmt: skip
    app.enter("all of us again")
    app.until(row_with("you | all of us again", "3/3"))
    app.press("F3")
    app.until(lambda seen: sum("has it" in row for row in seen.splitlines()) >= 3)
    app.press("Esc")
    app.resize(84, 20)
    app.until(lambda seen: "MEMBERS" not in seen and row_with("you | all of us again")(seen))
    app.enter("/quit")
    wait_for(app.has_ended, "the app has ended")
    assert square[viewer].is_up(), "its node goes on"
    square.agree("dev", *SQUARE)


def test_who_stood_still_gets_what_was_said_when_he_is_back(square: Cluster) -> None:
    leader = square.leader("dev", *SQUARE)
    still, viewer = [name for name in SQUARE if square[name].id("dev") != leader.member][:2]
    with opened(square[viewer]) as app:
        app.until(row_with("1:#dev 4/4"))
        square[still].kill(signal.SIGSTOP)
        try:
            for text in ("first of a burst", "second of a burst"):
                app.enter(text)
            app.until(row_with("-- | ", f"sent to 2 of 3; {still} gets it when they are back"))
            app.enter("he is known to be gone")
            app.until(row_with("you | he is known to be gone", "2/2"))
        finally:
            square[still].kill(signal.SIGCONT)
        app.until(row_with(f"{still} (id", "is back"))
        for text in ("first of a burst", "second of a burst"):
            app.until(row_with(f"you | {text}", "3/3"))
        assert app.text.count("gets it when they are back") == 1, app.text
        app.enter("/quit")
        assert app.ended() == 0
    square.settled("dev", *SQUARE)


def test_a_node_outlives_its_faces(square: Cluster) -> None:
    bob = square["bob"]
    for turn in ("first", "second"):
        square["carol"].post("dev", f"before the {turn} look")
        wait_for(lambda said=turn: f"before the {said} look" in bob.texts("dev"), "bob has it")  # type: ignore[misc]
        with opened(bob) as app:
            app.until(row_with("carol | before the", turn))
            if turn == "second":
                app.until(row_with("---- new ----"))
            app.enter(f"{turn} look")
            app.until(row_with(f"you | {turn} look", "3/3"))
            assert app.display.is_alternate
            app.press("Ctrl+D")
            assert app.ended() == 0
            assert app.left_behind() == []
            assert app.text.strip() == "", "nothing is left on the screen"
        assert bob.is_up()
    with opened(bob) as app:
        app.until(row_with("you | second look"))
        bob.down()
        app.until("the node does not answer")
        app.type("still typing")
        bob.up()
        app.until(lambda seen: "the node does not answer" not in seen)
        app.until(row_with("1:#dev 4/4", "L:"))
        app.until(typed("[#dev] still typing"))
        app.press("Enter")
        app.until(row_with("you | still typing", "3/3"))


# ---- a burst -------------------------------------------------------------------------------------


def test_where_more_than_a_page_was_missed_the_first_line_is_a_key_away(cluster: Cluster) -> None:
    cluster.raise_nodes("alice", "bob")
    cluster.gather("long", "alice", "bob")
    alice, bob = cluster["alice"], cluster["bob"]
    alice.post("long", "this was read")
    wait_for(lambda: bob.texts("long") == ["this was read"], "bob has it")
    bob.ask("MarkRead", chat="long")
    for number in range(1, MISSED + 1):
        alice.post("long", f"missed {number}")
    wait_for(lambda: bob.chat("long").unread == MISSED, "bob has all")  # type: ignore[union-attr]
    with opened(bob) as app:
        app.until(row_with(f"alice | missed {MISSED}"))
        app.press("Alt+U")
        app.until(row_with("alice | missed 1 "))
        rows = app.text.splitlines()
        new = next(at for at, row in enumerate(rows) if "---- new ----" in row)
        assert "alice | this was read" in rows[new - 1]
        assert "alice | missed 1" in rows[new + 1]
        app.press("Alt+End")
        app.until(row_with(f"alice | missed {MISSED}"))
        app.press("Ctrl+D")
        assert app.ended() == 0


def test_no_keystroke_is_lost_in_a_burst_of_lines(square: Cluster) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    bob = square["bob"]
    mark = f"{seed:08x}"
    lines, waits = [], []
    with opened(bob) as app:
        app.until(row_with("1:#dev 4/4"))
        with Flood(square["carol"], square["alice"]) as flood:
            until = time.monotonic() + BURST_S
            while time.monotonic() < until or not lines:
                text = f"{mark} {len(lines)} the quick brown fox, {chance.random()}"
                _type_badly(app, text, chance)
                began = time.monotonic()
                app.until(typed(f"[#dev] {text}"))
                waits.append(time.monotonic() - began)
                app.press("Enter")
                app.until(typed("[#dev]"))
                lines.append(text)
            rate = flood.rate
        app.press("Ctrl+D")
        app.until(lambda seen: app.has_ended() or "[y/n]" in seen)
        if not app.has_ended():
            app.press("y")
        assert app.ended() == 0
    mine = [text for text in bob.texts("dev") if text.startswith(mark)]
    assert mine == lines, f"seed {seed}"
    print(f"{len(lines)} lines typed at {rate:.0f} lines/s, last key seen after {max(waits):.3f} s")
    square.settled("dev", *SQUARE)


def _type_badly(app: Terminal, text: str, chance: random.Random) -> None:
    """Types with slips that are mended; the line is `text` in the end."""
    for char in text:
        if chance.random() < 0.1:
            app.type(chance.choice("xyz"))
            time.sleep(chance.uniform(*PACE_S))
            app.press("Backspace")
        app.type(char)
        time.sleep(chance.uniform(*PACE_S))


# ---- the first run, and lost terminals -----------------------------------------------------------


def test_host_and_join_open_the_chat_and_a_lost_terminal_hands_over(cluster: Cluster) -> None:
    alice, bob = cluster.add("alice"), cluster.add("bob")
    nds = ("--nds", cluster.nds.address)
    with opened(alice, "host", "dev", "--nick", "alice", *nds) as hers:
        seen = hers.until(f"{cluster.nds.address}/dev#")
        line = re.search(rf"{cluster.nds.address}/dev#[\w-]{{32}}", seen)
        assert line, "it stands on one row, to be copied"
        with opened(bob, "join", line[0], "--nick", "bob") as his:
            his.until(row_with("1:#dev 2/2", "L:alice"))
            hers.until("bob joined (id 2)")
            hers.enter("hello bob")
            hers.until(row_with("you | hello bob", "1/1"))
            his.until(row_with("alice | hello bob"))
            assert hers.hang_up() < HANG_UP_S
            assert hers.process.returncode == 0
            his.until("you lead #dev now")
            his.until("alice (id 1) is gone")
            his.enter("alone now")
            with opened(alice) as hers_again:
                hers_again.until(row_with("1:#dev 2/2", "L:bob"))
                hers_again.until(row_with("bob | alone now"))
                his.until("alice (id 1) is back")
                hers_again.press("Ctrl+D")
                assert hers_again.ended() == 0
                assert not alice.is_up(), "its node was its own"
            his.signal(signal.SIGTERM)
            assert his.ended() == 0
            assert his.left_behind() == []
    alice.up()
    with opened(alice) as attached:
        attached.until(row_with("bob | alone now"))
        attached.hang_up()
    assert alice.is_up()
    assert alice.chat("dev") is not None


# ---- signals, keys, sizes, terminals -------------------------------------------------------------


def test_signals_and_sizes(square: Cluster) -> None:
    dan = square["dan"]
    with opened(dan) as app:
        app.until(row_with("1:#dev 4/4"))
        app.type("kept")
        app.signal(signal.SIGTSTP)
        app.until(lambda seen: "suspend" in seen)
        app.press("Ctrl+Z")
        app.type(" whole")
        app.until(typed("[#dev] kept whole"))
        for columns, rows in ((60, 10), (30, 5), (200, 60), (10, 2), (84, 24)):
            app.resize(columns, rows)
            square["carol"].post("dev", f"at {columns} columns")
        app.until(row_with("carol | at 84 columns"))
        app.until(typed("[#dev] kept whole"))
        assert app.display.columns == 84
        app.press("Ctrl+C")
        app.until(typed("[#dev]"))
        app.press("Ctrl+C")
        app.type("still here")
        app.until(typed("[#dev] still here"))  # a key that comes after the end is the shell's
        app.signal(signal.SIGINT)
        assert app.ended() == 130, "from outside it is an interruption"
        assert app.left_behind() == []
        assert app.display.unknown == []
    assert dan.is_up()


def test_a_face_that_was_stopped_comes_back_with_fg(square: Cluster) -> None:
    dan = square["dan"]
    environment = {**dan.environment, "PS1": "ready> "}
    with Terminal(["bash", "--norc", "--noprofile", "-i"], environment) as shell:
        shell.until("ready>")
        shell.enter(shlex.join(dan.command()))
        shell.until(row_with("1:#dev 4/4"))
        (pid,) = map(int, children(shell.process.pid).split())
        shell.type("be")
        shell.until(typed("[#dev] be"))
        os.kill(pid, signal.SIGSTOP)
        shell.until("Stopped")
        shell.enter("fg")
        shell.until(row_with("1:#dev 4/4"))
        shell.type("fore")
        shell.until(typed("[#dev] before"))
        shell.press("Enter")
        shell.until(row_with("you | before", "3/3"))
        shell.press("Ctrl+C")
        shell.type("x")
        shell.until(typed("[#dev] x"))
        shell.press("Ctrl+C")
        shell.enter("/quit")
        shell.until(lambda seen: seen.rstrip().endswith("ready>"))


def children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")


def test_the_console_of_linux(square: Cluster) -> None:
    with opened(square["dan"], term="linux") as app:
        app.until(row_with("1:#dev 4/4"))
        app.send("\x1b[[A")  # F1
        app.until(row_with("HELP"))
        app.press("Esc")
        app.until(typed("[#dev]"))
        app.press("Ctrl+D")
        assert app.ended() == 0
        assert "\x1b]" not in app.raw, "it has no title"


def test_a_console_that_does_not_say_what_was_pasted(square: Cluster) -> None:
    few, some = [f"few {n}" for n in range(4)], [f"some {n}" for n in range(8)]
    many = [f"many {n} {'x' * 20}" for n in range(300)]
    with opened(square["dan"], term="linux") as app:
        app.until(row_with("1:#dev 4/4"))
        app.send("".join(f"{one}\r" for one in few))
        app.until(row_with("you | few 3"))
        app.send("".join(f"{one}\r" for one in some))
        app.until("Paste 8 lines?")
        app.press("n")
        app.until(typed("[#dev]"))
        app.send("".join(f"{one}\r" for one in many))
        app.until("Paste 300 lines?")
        app.press("y")
        app.until(lambda seen: "Paste" not in seen and "many 299" in seen)
        app.press("Enter")
        app.until(row_with("| many 299", "3/3"))
        app.press("Ctrl+D")
        assert app.ended() == 0
    texts = square["dan"].texts("dev")
    assert texts[-5:] == [*few, "\n".join(many)]


def test_a_dumb_terminal_has_line_mode(square: Cluster) -> None:
    with opened(square["dan"], term="dumb") as face:
        face.until(lambda _: "members answer" in face.raw)
        face.enter("/leader")
        face.until(lambda _: "leads #dev" in face.raw)  # past lines may push it off the screen
        face.enter("/quit")
        assert face.ended() == 0
        assert "\x1b" not in face.raw.removesuffix(END_MARK)


CRASH = """
from node.cli.render import screen

draw = screen.draw

def draw_or_crash(state, *arguments):
    if state.switcher is not None and state.switcher.text == "boom":
        raise RuntimeError("boom")
    return draw(state, *arguments)

screen.draw = draw_or_crash
"""


def test_a_crash_gives_the_terminal_back_and_says_where_to_look(
    square: Cluster, tmp_path: Path
) -> None:
    dan = square["dan"]
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    broken = {**dan.environment, "PYTHONPATH": str(tmp_path)}
    with Terminal(dan.command(), broken) as app:
        app.until(row_with("1:#dev 4/4"))
        app.press("Ctrl+G")
        app.type("boom")
        assert app.ended() == 1
        assert app.left_behind() == []
        said = [row for row in app.text.splitlines() if row.strip()]
        log = dan.home / dan.profile / "app.log"
        told = "p2pchat: the app has crashed (RuntimeError: boom); see "
        assert "".join(said) == f"{told}{log}"
        assert "Traceback" not in app.raw
        assert "RuntimeError: boom" in log.read_text()
    assert dan.is_up()
