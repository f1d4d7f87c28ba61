"""Disks that fill up: a small file system of its own, or a limit where mounting is not allowed."""

import resource
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.programs import Member
from tests.waiting import wait_for

SIZE = "12m"
LEFT = 64 * 1024  # bytes that a full disk has left


@contextmanager
def small_disk(directory: Path) -> Iterator[bool]:
    """Whether `directory` is on a small disk of its own until the block ends."""
    directory.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", f"p2pchat-{uuid.uuid4().hex}"]
    try:
        done = subprocess.run([*mount, str(directory)], capture_output=True, check=False)
    except FileNotFoundError:
        yield False
        return
    if done.returncode:
        yield False
        return
    try:
        yield True
    finally:
        # Lazily: what died a moment ago may still be in there.
        subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """Leaves next to no room on the disk of `directory`; the file that takes it."""
    ballast = directory / "ballast"
    free = shutil.disk_usage(directory).free
    ballast.write_bytes(bytes(max(0, free - LEFT)))
    return ballast


@contextmanager
def full(member: Member, *, mounted: bool) -> Iterator[None]:
    """The node of `member` finds no room for what it writes, until the block ends."""
    if mounted:
        ballast = fill(member.home)
        try:
            yield
        finally:
            ballast.unlink()
        return
    before = resource.prlimit(member.pid, resource.RLIMIT_FSIZE)
    largest = max(file.stat().st_size for file in member.home.rglob("*"))
    resource.prlimit(member.pid, resource.RLIMIT_FSIZE, (largest + LEFT, before[1]))
    try:
        yield
    finally:
        resource.prlimit(member.pid, resource.RLIMIT_FSIZE, before)


def remount(directory: Path, how: str) -> None:
    """`how`: ro or rw.  What died a moment ago may still have files open there."""
    command = ["mount", "-o", f"remount,{how}", str(directory)]
    wait_for(
        lambda: not subprocess.run(command, capture_output=True, check=False).returncode,
        f"{directory} is {how}",
    )
