"""The demo, as `make run` starts it.

Tries node/cli/demo.py and node/cli/lab.py: the story, its figures, and that nothing is left behind.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import wait_for

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
        timeout=60,
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
        timeout=60,
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
        child.communicate(timeout=20)
    assert child.returncode == 130
    wait_for(lambda: left_behind(tmp_path) == [])
    assert list(tmp_path.iterdir()) == []
