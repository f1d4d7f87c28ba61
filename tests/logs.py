"""Logs as tests look into them, beside their owner: with the key that opens them."""

from pathlib import Path
from typing import Any

from node.archive import cipher
from node.trust import keys

KEY = b"one key for the logs of all test"


def looked_into(log: Path, key: bytes = KEY, mode: str = "ro") -> Any:
    """A connection of the test's own; to change something `mode` must be "rw"."""
    return cipher.connect(log, key, mode)


def key_of(profile: Path) -> bytes:
    """With which the logs of this profile are encrypted."""
    key = keys.check(profile)
    assert key is not None, f"{profile} has no identity"
    return key
