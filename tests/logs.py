"""Logs as tests look into them, beside their owner: with the key that opens them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from node.archive import cipher
from node.trust import keys

KEY = b"one key for the logs of all test"
# Where SQLite locks a log that is open: the file, and the index of its write-ahead log.
_TRIES = """
import fcntl, sys
for name, place in ((sys.argv[1], 0x40000002), (sys.argv[1] + "-shm", 128)):
    with open(name, "r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            print(name, "is nobody's")
        except BlockingIOError:
            pass
"""


def unguarded(log: Path) -> str:
    """What of an open log another process takes for nobody's, to be begun anew; empty is right."""
    tries = [sys.executable, "-c", _TRIES, str(log)]
    return subprocess.run(tries, capture_output=True, check=True, text=True).stdout


def looked_into(log: Path, key: bytes = KEY, mode: str = "ro") -> Any:
    """A connection of the test's own; to change something `mode` must be "rw"."""
    return cipher.connect(log, key, mode)


def key_of(profile: Path) -> bytes:
    """With which the logs of this profile are encrypted."""
    key = keys.check(profile)
    assert key is not None, f"{profile} has no identity"
    return key
