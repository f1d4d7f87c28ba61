"""Line mode with real processes: from a pipe, and from a terminal.

Tries node/cli/line.py, and node/__main__.py with no verb.
"""

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Processes, texts
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("e2e")


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Processes]:
    """alice hosts #dev, bob has joined it; both nodes run in the background."""
    town = Processes(tmp_path)
    town.start_nds()
    line = town.lines("alice", "create", "dev", "--open", "--nds", town.nds, "--nick", "alice")[
        -1
    ].split()[-1]
    town.run("bob", "join", line, "--no-ui", "--nick", "bob")
    yield town
    town.close()


class Terminal:
    """A verb on a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.seen = ""
        own, theirs = pty.openpty()
        self._own = own
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
            start_new_session=True, close_fds=True,
        )  # fmt: skip
        os.close(theirs)

    def type(self, line: str) -> None:
        os.write(self._own, line.encode() + b"\n")

    def until(self, pattern: str, wait_s: float = 15.0) -> str:
        """Reads until `pattern` has appeared since the last time; gives what was read."""
        until = time.monotonic() + wait_s
        read = ""
        while not re.search(pattern, read):
            assert time.monotonic() < until, f"no {pattern!r} in {read!r}"
            if select.select([self._own], [], [], 0.1)[0]:
                try:
                    read += os.read(self._own, 65_536).decode("utf-8", "replace")
                except OSError:  # the other side has closed it
                    break
        self.seen += read
        assert re.search(pattern, read), f"it ended without {pattern!r}: {read!r}"
        return read

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._own)


@pytest.fixture
def terminal(dev: Processes) -> Iterator[Terminal]:
    found = Terminal(dev.command("bob", "--plain"), dev.environment())
    yield found
    found.close()


def test_from_a_pipe_every_line_is_text(dev: Processes) -> None:
    done = dev.run("bob", stdin="hello\n/quit\n//slash\nlast without newline")
    assert done.stdout == "", "own lines are not repeated"
    assert texts(dev.lines("alice", "tail")) == [
        "#dev <bob> hello",
        "#dev <bob> /quit",
        "#dev <bob> //slash",
        "#dev <bob> last without newline",
    ]


def test_commands_from_a_pipe_only_when_asked_for(dev: Processes) -> None:
    done = dev.run(
        "bob", "--commands", stdin="hello\n/leader\n/nonsense\n/quit\nnever sent\n", code=2
    )
    assert "alice (id 1) leads #dev" in done.stdout
    assert "-- there is no command /nonsense" in done.stderr
    assert texts(dev.lines("alice", "tail")) == ["#dev <bob> hello"]


def test_a_long_pipe_arrives_whole_and_in_order(dev: Processes) -> None:
    sent = [f"line {i}" for i in range(200)]
    dev.run("bob", stdin="\n".join(sent) + "\n")
    assert texts(dev.lines("alice", "tail", "-n", "999")) == [f"#dev <bob> {one}" for one in sent]


def test_a_pipe_to_a_member_that_is_frozen_says_so_and_is_exit_6(dev: Processes) -> None:
    dev.run("bob", "down")
    dev.run("bob", "up", "--timing", "suspect_ms=60000")  # alice is waited for, not dropped
    wait_for(lambda: dev.json("bob", "ping", "alice", code=None)["answered"])
    alice = dev.pid("alice")
    os.kill(alice, signal.SIGSTOP)
    try:
        done = dev.run("bob", stdin="hello\n", code=6)
    finally:
        os.kill(alice, signal.SIGCONT)
    last = texts(done.stdout.splitlines())[-1]
    assert last == "#dev -- sent to 0 of 1; alice does not answer yet"
    wait_for(lambda: texts(dev.lines("alice", "tail")) == ["#dev <bob> hello"])


def test_with_no_node_a_face_runs_one_of_its_own(dev: Processes) -> None:
    dev.run("bob", "down")
    dev.run("bob", stdin="from my own node\n")
    assert dev.pid("bob") == 0, "it ended with the face"
    wait_for(lambda: texts(dev.lines("alice", "tail")) == ["#dev <bob> from my own node"])


@pytest.mark.parametrize("end", ["down", "SIGTERM"])
def test_a_face_with_its_own_node_ends_with_it(dev: Processes, end: str) -> None:
    dev.run("bob", "down")
    face = Terminal(dev.command("bob", "--plain"), dev.environment())
    try:
        face.until(r"alice leads")
        if end == "down":
            dev.run("bob", "down")
        else:
            face.process.terminate()
        face.until(r"the node has ended")
        assert face.process.wait(WAIT_S) == 5
        assert dev.pid("bob") == 0
    finally:
        face.close()


def test_a_conversation_on_a_terminal(dev: Processes, terminal: Terminal) -> None:
    terminal.until(r"#dev: 2 of 2 members answer, alice leads")
    terminal.type("hello")
    wait_for(lambda: texts(dev.lines("alice", "tail")) == ["#dev <bob> hello"])
    dev.run("alice", "send", "hi bob")
    terminal.until(r"\d\d:\d\d:\d\d #dev <alice> hi bob")
    terminal.type("/names")
    terminal.until(r"alice  id 1  \*")
    terminal.type("/lst")
    terminal.until(r"no command /lst. Did you mean /list\?")
    terminal.type("/create ops")
    terminal.until(r"others run:  p2pchat join")
    terminal.type("/chat ops")
    terminal.until(r"you talk in #ops now")
    terminal.type("alone here")
    terminal.type("/history 5")
    terminal.until(r"#ops <bob> alone here")
    assert "<you> hello" not in terminal.seen, "own lines are not repeated"
    wait_for(lambda: dev.run("bob", "unread", "-c", "dev").stdout == "0 0\n")
    terminal.type("/quit")
    assert terminal.process.wait(WAIT_S) == 0
    assert dev.pid("bob"), "the node goes on"


def test_notices_on_a_terminal(dev: Processes, terminal: Terminal) -> None:
    terminal.until(r"alice leads")
    dev.run("carol", "join", f"{dev.nds}/dev", "--no-ui", "--nick", "carol")
    terminal.until(r"#dev -- carol joined \(id 3\)")
    os.kill(dev.pid("alice"), signal.SIGKILL)
    terminal.until(r"#dev -- you lead #dev now \(epoch 2")
    dev.run("carol", "leave")
    terminal.until(r"#dev -- carol left")
    dev.run("alice", "up")
    terminal.until(r"#dev -- alice \(id 1\) is back")


def test_ctrl_d_ends_a_terminal_and_ctrl_c_too(dev: Processes, terminal: Terminal) -> None:
    terminal.until(r"alice leads")
    os.write(terminal._own, b"\x04")
    assert terminal.process.wait(WAIT_S) == 0
    other = Terminal(dev.command("bob", "--plain"), dev.environment())
    try:
        other.until(r"alice leads")
        os.kill(other.process.pid, signal.SIGINT)
        assert other.process.wait(WAIT_S) == 130
    finally:
        other.close()


def test_the_end_of_the_node_is_said(dev: Processes, terminal: Terminal) -> None:
    terminal.until(r"alice leads")
    dev.run("bob", "down")
    terminal.until(r"the node has ended")
    assert terminal.process.wait(WAIT_S) == 5
