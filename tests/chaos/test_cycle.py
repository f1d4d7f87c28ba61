"""The command line of `make chaos`: verdict, report, what is kept, and what never stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.lab.hosts import ROOT
from tests.chaos.processes import MARK, Process
from tests.chaos.schedule import NODES, Fault, Schedule
from tests.waiting import WAIT_S

pytestmark = pytest.mark.xdist_group("chaos")


def chaos(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.chaos", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=4 * WAIT_S, check=False
    )


def test_a_violation_is_told_kept_and_made_smaller(tmp_path: Path) -> None:
    file, out, kept = tmp_path / "schedule.json", tmp_path / "report.md", tmp_path / "kept"
    jump = Fault("clock jump", 0.1, who=("n2",), skew_ms=500)
    restart = Fault("restart all", 3.0, 0.1, NODES[:3])
    file.write_text(Schedule(5, (jump, restart), storm_s=4.0, coda=False).dump())
    done = chaos(
        *("--schedule", str(file), "--out", str(out), "--kept", str(kept)),
        *("--tries", "1", "--bug", "forgets", "--loopback", "--nodes", "3"),
    )
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert (
        "no network namespaces (CHAOS_LAB says so): processes on loopback, signals only"
        in done.stdout
    )
    assert "VIOLATION S4: " in done.stdout
    (seed, *_) = sorted(kept.glob("seed-5-[0-9]*"))
    assert f"are in {seed}" in done.stdout
    assert (seed / "nds.out").exists()
    assert "restart all" in (seed / "report.md").read_text()
    assert list(seed.rglob("node.log"))
    smallest = Schedule.load((kept / "seed-5-smallest.json").read_text())
    assert [one.kind for one in smallest.faults] == ["restart all"]
    assert "Seed 5 broke:" in out.read_text()


def test_what_was_frozen_and_set_going_by_somebody_else_is_seen(tmp_path: Path) -> None:
    sleeper = Process("n1", tmp_path)
    sleeper.launch(["sleep", "60"])
    try:
        pid = sleeper.pid
        sleeper.freeze()
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
        assert not sleeper.woken
        os.kill(pid, signal.SIGCONT)
        os.waitid(os.P_PID, pid, os.WCONTINUED | os.WNOWAIT)
        assert sleeper.woken
        sleeper.thaw()
        assert not sleeper.woken
    finally:
        sleeper.kill()


def test_what_is_interrupted_leaves_no_process_and_no_namespace(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--nodes", "2", "--start", "3", "--cycles", "2"]
    command += ["--out", str(tmp_path / "report.md"), "--kept", str(tmp_path / "kept")]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        while not (line := maker.stdout.readline()).startswith("  gathered"):
            assert line, maker.communicate()
        begun = processes(maker.pid)
        maker.send_signal(signal.SIGINT)
        _, err = maker.communicate(timeout=WAIT_S)
    assert maker.returncode == 130, err
    assert "interrupted; everything is removed" in err
    assert "Traceback" not in err, err
    assert len(begun) == 3, "two nodes and the discovery service"
    assert not processes(maker.pid)
    directory = Path("/run/netns")
    names = os.listdir(directory) if directory.exists() else []
    assert not [name for name in names if f"-{maker.pid}-" in name]


def processes(maker: int) -> list[int]:
    """Pids of what this process of `make chaos` started."""
    wanted = f"{MARK}={maker}".encode()
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            variables = (directory / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in variables:
            found.append(int(directory.name))
    return found
