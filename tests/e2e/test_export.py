"""All lines of a chat in a file of one's own: `tail --export` of node/cli/verbs_chat.py."""

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.programs import program
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("members")
LINES = [f"line {n} of many" for n in range(1_203)]  # more than a page has


def test_all_lines_are_written_for_their_owner_alone(cluster: Cluster, tmp_path: Path) -> None:
    cluster.raise_nodes("alice", "bob")
    cluster.gather("dev", "alice", "bob")
    cluster["bob"].run("send", "-c", "dev", "-", stdin="\n".join(LINES))
    file = tmp_path / "dev.jsonl"
    done = cluster["alice"].run("tail", "-c", "dev", "--export", str(file))
    assert (done.stdout, done.stderr) == (
        "",
        f"1,203 lines of #dev in {file}, which is not encrypted\n",
    )
    rows = [json.loads(row) for row in file.read_text("utf-8").splitlines()]
    assert [row["text"] for row in rows] == LINES
    told = cluster["alice"].run("tail", "-c", "dev", "-n", "1203", "--json").stdout
    assert [json.loads(row)["text"] for row in told.splitlines()] == LINES
    assert rows == [json.loads(row) for row in told.splitlines()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    before = file.read_bytes()
    again = cluster["alice"].run("tail", "--export", str(file), code=2)
    assert again.stderr == f"p2pchat: --export: {file} is there already: name another.\n"
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--export", "{there}/no/file"), "cannot be made: No such file or directory"),
        (("--export", "{there}/x", "-f"), "cannot be given together with -f"),
        (("--export", "{there}/x", "-n", "3"), "cannot be given together with -n"),
        (("--export", "-"), "'p2pchat tail --json -n 1000' writes lines to stdout"),
        (("--export", "/dev/full"), "is there already"),
        (("--export", ""), "must not be empty"),
        (("--export", "{there}/x", "-c", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_written_is_said_and_nothing_is_left(
    cluster: Cluster, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    cluster.raise_nodes("alice")
    cluster.gather("dev", "alice")
    there = tmp_path / "there"
    there.mkdir()
    given = [one.format(there=there) for one in arguments]
    done = cluster["alice"].run("tail", *given, code=None)
    assert done.returncode != 0
    assert said in done.stderr
    assert list(there.iterdir()) == []


def test_nothing_of_a_transient_chat_is_written(cluster: Cluster, tmp_path: Path) -> None:
    cluster.raise_nodes("alice")
    cluster["alice"].run("create", "den", "--transient", "--nds", cluster.nds.address)
    cluster["alice"].run("send", "-c", "den", "a secret")
    done = cluster["alice"].run("tail", "-c", "den", "--export", str(tmp_path / "den"), code=2)
    assert "#den is transient: nothing of it is written to a disk" in done.stderr
    assert not (tmp_path / "den").exists()


HANGS = """
import asyncio, sys
from node.cli.client import Client
from node.cli.verbs import main
async def history(*_, **__): await asyncio.sleep(60)
Client.history = history
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_file_that_was_not_finished_is_gone_whatever_ends_the_verb(
    cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    cluster.raise_nodes("alice")
    cluster.gather("dev", "alice")
    file = tmp_path / "dev.jsonl"
    command = cluster["alice"].command("tail", "--export", str(file))
    hanging = [sys.executable, "-c", HANGS, *command[len(program("p2pchat")) :]]
    with subprocess.Popen(hanging, env=cluster["alice"].environment) as verb:
        wait_for(file.exists, "the file is there")
        verb.send_signal(number)
        assert verb.wait(WAIT_S) == (130 if number == signal.SIGINT else -number)
    assert not file.exists()


def test_a_file_that_finds_no_room_is_gone_and_that_is_no_wrong_usage(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.raise_nodes("alice")
    cluster.gather("dev", "alice")
    cluster["alice"].run("send", "-c", "dev", "x" * 16_000)
    file = tmp_path / "dev.jsonl"
    command = cluster["alice"].command("tail", "--export", str(file))
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *command]
    environment = cluster["alice"].environment
    done = subprocess.run(limited, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"p2pchat: {file} cannot be written: File too large.\n"
    assert not file.exists()
