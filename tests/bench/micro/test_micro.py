"""Tries the measures of single steps: each works; how long it takes nobody asks here."""

import subprocess

from tests.bench.__main__ import MICRO


def test_all_measures_work() -> None:
    options = [one for one in MICRO if not one.startswith("--benchmark")]
    run = subprocess.run(
        [*options, "--benchmark-disable"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
