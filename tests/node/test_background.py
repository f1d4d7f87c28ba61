"""Why an NDS that is started beside a node did not start, in words that help."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from node import background
from node.background import start_nds
from node.cli import verbs_node
from node.cli.output import Output
from node.cli.parser import parse
from node.cli.run import Run
from node.errors import NO_NDS, DiskReadOnly, NdsNotStarted, NotStarted
from node.places import places
from tests.waiting import wait_for


def test_an_nds_whose_place_is_taken_says_what_to_change(tmp_path: Path) -> None:
    spot = places("default", str(tmp_path), {})
    spot.make()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NdsNotStarted) as told:
            start_nds(spot, address, insecure=False)
    assert str(told.value) == (
        f"The NDS of this profile did not start: cannot listen on {address}:"
        " Address already in use; name another with nds_listen in config.toml."
        f" Its log: {spot.nds_log}"
    )
    assert told.value.exit == NO_NDS


def test_an_nds_that_is_not_ready_in_time_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spot = places("default", str(tmp_path), {})
    spot.make()
    spawned: list[background.Spawned] = []

    def spawn(command: Sequence[str], output: Path) -> background.Spawned:
        spawned.append(background_spawn(command, output))
        return spawned[0]

    background_spawn = background.spawn
    monkeypatch.setattr(background, "spawn", spawn)
    with pytest.raises(NdsNotStarted) as told:
        start_nds(spot, "127.0.0.1:0", insecure=False, wait_s=0.0)
    assert str(told.value) == (
        "The NDS of this profile did not start: it was not ready after 0 s."
        f" Its log: {spot.nds_log}"
    )
    try:
        wait_for(spawned[0].has_ended)
    except AssertionError:
        os.kill(spawned[0].pid, signal.SIGKILL)
        raise
    assert not spot.nds_pid.exists()


def test_a_node_that_takes_its_time_is_left_to_it_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spot = places("default", str(tmp_path), {})
    monkeypatch.setattr(verbs_node, "UP_S", 0.0)
    monkeypatch.setattr(background, "python", lambda *_: ["sleep", "60"])
    with pytest.raises(NotStarted) as told:
        verbs_node.ensure(Run(parse(["up", "--home", str(tmp_path)]), spot, Output()))
    goes_on = re.search(r"it is not ready after 0 s, and process (\d+) goes on\.", str(told.value))
    assert goes_on is not None, told.value
    pid = int(goes_on[1])
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL), "it had not been ended"


@pytest.mark.parametrize(("room", "why"), [(0, ": the disk is full"), (2**30, "")])
def test_who_could_not_even_say_why_on_a_full_disk_had_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, why: str
) -> None:
    output, log = tmp_path / "node.out", tmp_path / "node.log"
    output.touch()
    log.touch()
    monkeypatch.setattr(background, "room", lambda _: room)
    said = str(background.last_words(output, "p2pchat", log))
    assert said == f"The node did not start: p2pchat ended without a word{why}. Its log: {log}"


def test_what_a_node_printed_before_it_had_a_log_is_named(tmp_path: Path) -> None:
    output, log = tmp_path / "node.out", tmp_path / "node.log"
    for printed, text in (("", "p2pchat ended without a word."), ("p2pchat: no such key\n", "no")):
        output.write_text(printed)
        said = str(background.last_words(output, "p2pchat", log))
        assert said.startswith(f"The node did not start: {text}")
        assert said.endswith(f" Its log: {output}")


def test_a_value_that_begins_with_a_dash_is_handed_on(tmp_path: Path) -> None:
    flags = ["--nick=-bot", "--listen=-host:5", "--nds=-a:1", "--nds=-b:2", "--log-level=debug"]
    run = Run(parse(["up", *flags]), places("-work", str(tmp_path), {}), Output())
    handed = parse(verbs_node._flags(run, nick_later=False))
    assert (handed.nick, handed.listen, handed.nds) == ("-bot", "-host:5", ["-a:1", "-b:2"])
    assert (handed.log_level, handed.profile, handed.home) == ("debug", "-work", str(tmp_path))


def test_a_node_in_the_background_that_cannot_start_has_sent_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spot = places("default", str(tmp_path), {})

    def spawn(command: Sequence[str], output: Path) -> background.Spawned:
        raise DiskReadOnly(file=output)

    monkeypatch.setattr(background, "spawn", spawn)
    with pytest.raises(DiskReadOnly, match="so the node does not start"):
        verbs_node.ensure(Run(parse(["up", "--home", str(tmp_path)]), spot, Output()))


THREAD_OUTLIVES_MAIN = """
import ctypes, sys, threading

threading.Thread(target=sys.stdin.read).start()
print("begun", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_runs_until_its_last_thread_has_ended() -> None:
    """Its files are open and locked until then, though the process shows as a zombie before."""
    command = [sys.executable, "-c", THREAD_OUTLIVES_MAIN]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        stat = Path(f"/proc/{process.pid}/stat")
        wait_for(lambda: ") Z " in stat.read_text(), "its first thread has ended")
        assert background.is_running(process.pid)
        process.stdin.close()
        wait_for(lambda: not background.is_running(process.pid), "all have")
