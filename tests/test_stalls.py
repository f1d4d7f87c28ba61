"""What fails is tried again only where the machine stood still.  Tries tests/stalls.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import WAIT_S

ROOT = Path(__file__).parents[1]
CRUMBS = "this is town 1; and its fixtures at their end: crumbs"
MINE = """
import asyncio, os, signal
import pytest

STILL, GOOD = asked
made = []

def stand_still():
    os.system(f"(sleep 1; kill -CONT {os.getpid()}) &")
    os.kill(os.getpid(), signal.SIGSTOP)

@pytest.fixture(scope="module")
def town():
    made.append("town")
    yield len(made)
    assert (STILL, GOOD, len(made)) != (True, 2, 1), "crumbs"

async def test_first(town):
    await asyncio.sleep(0)
    assert town == 1

async def test_it(town):
    await asyncio.sleep(0)
    if STILL:
        stand_still()
    assert town >= GOOD, f"this is town {town}"

async def test_last(town):
    assert town >= 1
"""


@pytest.mark.parametrize(
    ("still", "good", "workers", "ends", "again"),
    [
        (False, 2, 0, {"passed": 2, "failed": 1}, []),
        (True, 1, 0, {"passed": 3}, []),
        (True, 2, 0, {"passed": 3}, [CRUMBS]),
        (True, 2, 1, {"passed": 3}, [CRUMBS]),
        (True, 9, 0, {"passed": 2, "failed": 1}, ["this is town 1", "this is town 2"]),
    ],
    ids=["machine runs", "nothing failed", "stands still once", "within a worker", "never good"],
)
def test_a_failure_counts_on_a_machine_that_runs(
    tmp_path: Path, still: bool, good: int, workers: int, ends: dict[str, int], again: list[str]
) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_mine.py").write_text(MINE.replace("asked", f"{still}, {good}"))
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-q"]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), "-n", str(workers), str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    counted = re.findall(r"(\d+) (passed|failed|error)", done.stdout.splitlines()[-1])
    assert {what: int(count) for count, what in counted} == ends, done.stdout
    told = re.findall(r"test_it: [\d.]+ s, call: AssertionError: (.*)", done.stdout)
    assert told == again, done.stdout
    assert (f"tried again: {len(again)} " in done.stdout) == bool(again)
