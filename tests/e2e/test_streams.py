"""Arguments, stdin, stdout and stderr as no verb expects them: one line, a code, no traceback.

Tries node/cli/streams.py, and what node/cli/verbs.py and node/cli/output.py do with it.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.processes import Processes
from tests.waiting import WAIT_S

pytestmark = pytest.mark.xdist_group("members")
NO_TEXT = os.fsdecode(b"\xff\xfe")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """alice, alone in #dev, where two lines were said."""
    found = Processes(tmp_path_factory.mktemp("alone"))
    found.start_nds()
    found.run("alice", "create", "dev", "--open", "--nds", found.nds, "--nick", "alice")
    found.run("alice", "send", "-", stdin="one\ntwo\n")
    yield found
    found.close()


def shell(
    town: Processes, arguments: Sequence[str], ways: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """A verb as a shell runs it, with its streams led elsewhere."""
    command = ["bash", "-c", f'"$@" {ways}', "bash", *town.command("alice", *arguments)]
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env=town.environment(**more),
    )


def says_one_line(done: subprocess.CompletedProcess[str], code: int, said: str) -> None:
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done
    assert said in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["send", NO_TEXT],
        ["search", NO_TEXT],
        ["ping", NO_TEXT],
        ["members", "-c", NO_TEXT],
        ["password", NO_TEXT, "--none"],
        ["host", NO_TEXT, "--no-ui"],
        ["invite", "--revoke", NO_TEXT],
        ["log", NO_TEXT],
    ],
)
def test_an_argument_that_is_no_text_is_refused(alone: Processes, arguments: list[str]) -> None:
    done = shell(alone, arguments, "")
    number = arguments.index(NO_TEXT) + 1
    says_one_line(done, 2, rf"argument {number} must be UTF-8 text, not '\xff\xfe'")


def test_a_variable_that_is_no_text_is_refused(alone: Processes) -> None:
    done = shell(alone, ["status"], "", P2PCHAT_NICK=NO_TEXT)
    says_one_line(done, 2, r"P2PCHAT_NICK must be UTF-8 text, not '\xff\xfe'")


def test_a_line_of_stdin_that_is_no_text_is_refused_and_the_others_are_sent(
    alone: Processes,
) -> None:
    done = shell(alone, ["send", "-"], r"< <(printf 'fine\n\ncaf\351\nlast\n')")
    says_one_line(done, 2, "line 3 is not sent: text: must be UTF-8, not the bytes e9.")
    assert alone.run("alice", "tail", "-n", "2").stdout.split()[-1] == "last"
    done = shell(alone, ["send", "--whole"], r"< <(printf '\351')")
    says_one_line(done, 2, "text: must be UTF-8, not the bytes e9.")


FULL = "stdout cannot be written: No space left on device"
CLOSED = "stdout cannot be written: Bad file descriptor"


@pytest.mark.parametrize("arguments", [["status"], ["tail"], ["send", "x"], ["--version"]])
def test_what_cannot_be_printed_is_said(alone: Processes, arguments: list[str]) -> None:
    says_one_line(shell(alone, arguments, ">/dev/full"), 1, FULL)
    if arguments != ["--version"]:
        says_one_line(shell(alone, arguments, ">&-"), 1, CLOSED)


def test_line_mode_that_cannot_print_says_so_once_and_goes_on(alone: Processes) -> None:
    pipe = "<<< $'/leader\n/leader\na line'"
    done = shell(alone, ["--plain", "--commands"], f"{pipe} >/dev/full")
    assert (done.returncode, done.stderr.count(FULL), "Traceback" in done.stderr) == (1, 1, False)
    assert "a line" in shell(alone, ["tail", "-n", "1"], "").stdout


@pytest.mark.parametrize("ways", ["2>&-", "2>/dev/full"])
def test_a_complaint_that_nobody_can_read_has_its_code_all_the_same(
    alone: Processes, ways: str
) -> None:
    done = shell(alone, ["send", "-c", "nope", "x"], ways)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert shell(alone, ["tail", "-n", "1"], ways).returncode == 0


def test_without_stdin_there_is_nothing_to_read(alone: Processes) -> None:
    done = shell(alone, ["send", "-"], "<&-")
    assert (done.returncode, done.stderr) == (0, "nothing to send: stdin has no line\n")
    done = shell(alone, ["--plain"], "<&-")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_no_file_gets_in_the_place_of_a_closed_stream(alone: Processes) -> None:
    """A node that is started so writes nothing of what it says into a file of its profile."""
    alone.run("bob", "up")
    alone.run("bob", "down")
    files = {one: one.read_bytes() for one in alone.home("bob").rglob("*.key")}
    command = ["bash", "-c", '"$@" <&- >&- 2>&-', "bash", *alone.command("bob", "up")]
    assert (
        subprocess.run(command, check=False, timeout=WAIT_S, env=alone.environment()).returncode
        == 1
    )
    assert alone.pid("bob")
    assert {one: one.read_bytes() for one in alone.home("bob").rglob("*.key")} == files


def test_a_home_that_is_no_directory_has_no_node(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    town = Processes(tmp_path / "none")
    command = town.command("alice", "down")[:-1]
    done = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, check=False, timeout=WAIT_S
    )
    assert (done.returncode, done.stdout) == (0, "no node runs\n")
