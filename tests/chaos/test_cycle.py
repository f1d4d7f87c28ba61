"""One cycle as `make chaos` runs it, from the command line to the report."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.lab.hosts import ROOT
from tests.chaos.schedule import NODES, Fault, Schedule

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(240)]


def chaos(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.chaos", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=230, check=False
    )


def test_a_cycle_keeps_all_promises_and_is_reported(tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    kept = tmp_path / "kept"
    done = chaos("--seed", "12", "--out", str(out), "--kept", str(kept), "--no-shrink")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{out.read_text()}"
    told = out.read_text()
    assert "1 cycles, 0 with violations" in told
    assert "## Seed 12: all promises kept" in told
    assert "all is collected" in told
    assert [one.name for one in kept.iterdir()] == ["outcomes.pickle"]


def test_a_violation_is_told_kept_and_made_smaller(tmp_path: Path) -> None:
    file, out, kept = tmp_path / "schedule.json", tmp_path / "report.md", tmp_path / "kept"
    faults = (Fault("clock jump", 0.1, who=("n2",), skew_ms=500),)
    faults += (Fault("restart all", 3.0, 0.1, NODES),)
    file.write_text(Schedule(5, faults, storm_s=4.0, coda=False).dump())
    done = chaos(
        *("--schedule", str(file), "--out", str(out), "--kept", str(kept)),
        *("--tries", "1", "--bug", "forgets", "--loopback"),
    )
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert "no network namespaces (told so): processes on loopback, signals only" in done.stdout
    assert "VIOLATION S4: " in done.stdout
    (seed, *_) = sorted(kept.glob("seed-5-[0-9]*"))
    assert f"are in {seed}" in done.stdout
    assert (seed / "nds.out").exists()
    assert list(seed.rglob("node.log"))
    smallest = Schedule.load((kept / "seed-5-smallest.json").read_text())
    assert [one.kind for one in smallest.faults] == ["restart all"]
    assert "Seed 5 broke:" in out.read_text()
