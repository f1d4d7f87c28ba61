"""Small disks (tmpfs) for single hosts, so that one can be filled and no other feels it.

When a disk goes, what was on it is copied to the directory on which it was mounted: whoever looks
into a failure finds the files where they were.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.chaos.lab.hosts import CHOICE

SIZE = "16m"
SOURCE = "p2pchaos"  # what the table of mounts calls them, with the pid of their maker


class Disks:
    """Those of one maker.  `close` removes them; those of makers that have died go, too."""

    def __init__(self) -> None:
        self._mounted: list[Path] = []
        sweep()

    def mount(self, directory: Path) -> None:
        """A new disk at `directory`.

        Raises:
            subprocess.CalledProcessError: it cannot be had; it takes root.
        """
        directory.mkdir(parents=True, exist_ok=True)
        options = f"size={SIZE},mode=700"
        command = ["mount", "-t", "tmpfs", "-o", options, f"{SOURCE}-{os.getpid()}", str(directory)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        self._mounted.append(directory)

    def close(self) -> None:
        for directory in self._mounted:
            with tempfile.TemporaryDirectory() as aside:
                kept = Path(aside) / "kept"
                ignored = shutil.ignore_patterns("*.sock", "ballast")
                shutil.copytree(directory, kept, ignore=ignored)
                _unmount(directory)
                shutil.copytree(kept, directory, dirs_exist_ok=True)
        self._mounted.clear()


def small_disks() -> Disks | None:
    """Disks, where they can be had."""
    if os.environ.get(CHOICE) == "loopback" or shutil.which("mount") is None:
        return None
    disks = Disks()
    with tempfile.TemporaryDirectory() as tried:
        try:
            disks.mount(Path(tried))
        except subprocess.CalledProcessError:
            return None
        disks.close()
    return disks


def sweep() -> None:
    """Removes the disks of makers that have died."""
    try:
        table = Path("/proc/mounts").read_text()
    except OSError:
        return
    for line in table.splitlines():
        source, directory, *_ = line.split(" ")
        name, _, pid = source.partition("-")
        if name == SOURCE and pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            _unmount(Path(directory.replace("\\040", " ")))


def _unmount(directory: Path) -> None:
    subprocess.run(["umount", "--lazy", str(directory)], check=True, capture_output=True)
