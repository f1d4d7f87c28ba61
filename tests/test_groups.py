"""Tests of one group share what is dear to start: they are handed to one worker (`make test`)."""

import subprocess
import sys
from pathlib import Path

from tests.waiting import WAIT_S

GROUPED = """
import os
import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("n", range(12))
def test_it(n):
    with open(os.environ["PYTEST_XDIST_WORKER"], "a") as file:
        file.write("x")
"""


def test_a_group_is_one_workers(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-c", "/dev/null"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=WAIT_S)
    assert [len(one.read_text()) for one in tmp_path.glob("gw*")] == [12]
