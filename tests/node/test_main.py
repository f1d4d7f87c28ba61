"""The program's very beginning.  Tries node/__main__.py."""

import subprocess
import sys

import pytest

from node import errors
from node.__main__ import INTERRUPTED
from tests.waiting import WAIT_S

# Ctrl+C while that module is imported.
PRESSED = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
from node.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["node.cli.verbs", "node.errors", "argparse"])
def test_ctrl_c_ends_the_program_quietly_while_it_is_being_loaded(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRESSED.format(module=module), "--version"],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (errors.INTERRUPTED, "", "")
    assert INTERRUPTED == errors.INTERRUPTED
