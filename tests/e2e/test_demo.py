"""The demo, as `make run` starts it.

Tries node/cli/demo.py and node/cli/lab.py: the story, its figures, the demo with you on a terminal,
and that nothing is left behind.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("e2e")

COMMAND = [sys.executable, "-m", "node", "demo"]


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(tmp_path), "P2PCHAT_HOME": str(tmp_path / "mine")}


def left_behind(tmp_path: Path) -> list[str]:
    """Command lines of processes that still work in the demo's directory."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if f"{tmp_path}/p2pchat-demo-" in line:
            found.append(line)
    return found


def test_without_a_terminal_the_demo_plays_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        COMMAND,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env=environment(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    told = "\n".join(lines)
    assert re.search(r"kill -9 \d+: the leader alice is dead", told)
    assert re.search(r"bob leads now \(epoch 2\)", told)
    assert re.search(r"alice is back with the same id 1 and has the 2 lines it missed", told)
    last = re.fullmatch(
        r"demo: 3 members, (\d+) messages, same history ([0-9a-f]{4}), one leader bob"
        r" \(epoch 2\), ready [\d.]+ s, failover ([\d.]+) s, return [\d.]+ s, total ([\d.]+) s",
        lines[-1],
    )
    assert last, lines[-1]
    assert float(last[4]) < 30
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == [], "the temporary home is gone, the user's own untouched"


def test_the_figures_come_as_json_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--auto", "--json"],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
        env=environment(tmp_path),
    )
    row = json.loads(done.stdout)
    assert (row["same"], row["members"], row["leader"]) == (True, 3, "bob")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_ends_every_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    child = subprocess.Popen(
        [*COMMAND, "--auto"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    )
    with child:
        assert child.stdout
        while "alice made #demo" not in (line := child.stdout.readline()):
            assert line, "the demo ended early"
        assert left_behind(tmp_path)
        child.send_signal(number)
        child.communicate(timeout=WAIT_S)
    assert child.returncode == 130
    wait_for(lambda: left_behind(tmp_path) == [])
    assert list(tmp_path.iterdir()) == []


# ---- with you ----------------------------------------------------------------------------------


def on_a_terminal(tmp_path: Path, *flags: str, term: str = "xterm-256color") -> Terminal:
    return Terminal([*COMMAND, *flags], environment(tmp_path), rows=30, term=term)


def is_over(tmp_path: Path) -> bool:
    return left_behind(tmp_path) == [] and list(tmp_path.iterdir()) == []


def test_on_a_terminal_you_talk_kill_the_leader_and_bring_it_back(tmp_path: Path) -> None:
    with on_a_terminal(tmp_path) as you:
        seen = you.until("3. F10 brings it back")
        assert "2. F9 kills the leader; F2: the election" in seen
        you.until("MEMBERS 4/4")
        you.enter("hello carol")
        you.until("3/3")
        you.until("carol | hi ")
        you.press("F3")
        trace = you.until("3 of 3 have it")
        assert "alice (id 1)  has it" in trace
        you.press("Esc")
        you.until("carol | hi ")

        you.press("F10")
        you.until("alice, bob and carol are all there")
        you.press("F9")
        you.until("alice, who leads, is dead")
        you.until("bob (id 2) leads now (epoch 2")
        you.until("bob | alice is gone; I have the lowest id of those left")
        assert "election started by" in you.text
        you.press("F2")
        election = you.until("bob leads, epoch 2")
        assert "answered:" in election, "also where one was only asked"
        you.press("Esc")
        you.until("CHATS")

        you.press("F10")
        you.until("started again: alice")
        you.until("alice | I am back, under the id that I had")
        you.until("L:bob e2")
        you.until("MEMBERS 4/4")
        you.enter("/quit")
        assert you.ended() == 0
        assert you.left_behind() == []
    assert is_over(tmp_path)


def test_on_a_dumb_terminal_the_demo_goes_line_by_line_and_the_dead_return(tmp_path: Path) -> None:
    with on_a_terminal(tmp_path, term="dumb") as you:
        seen = you.until("/quit ends the demo")
        killed = re.search(r"kill -9 (\d+) +\(alice leads\)", seen)
        assert killed, seen
        you.until("<alice> welcome to #demo")
        os.kill(int(killed[1]), signal.SIGKILL)
        you.until("bob (id 2) leads now (epoch 2")
        you.until("<alice> I am back, under the id that I had")
        you.enter("/quit")
        assert you.ended() == 0
        assert not you.display.is_alternate
    assert is_over(tmp_path)


def test_the_demo_goes_line_by_line_where_that_is_asked_for(tmp_path: Path) -> None:
    with on_a_terminal(tmp_path, "--plain") as you:
        you.until("/quit ends the demo")
        you.enter("/quit")
        assert you.ended() == 0
        assert not you.display.is_alternate
    assert is_over(tmp_path)


def test_a_demo_whose_terminal_is_lost_ends_every_process(tmp_path: Path) -> None:
    with on_a_terminal(tmp_path) as you:
        you.until("MEMBERS 4/4")
        you.hang_up()
    wait_for(lambda: is_over(tmp_path))
