"""`python -m tests.crash.node --home DIR [--nick NAME --nds HOST:PORT]`: a node that kills itself.

It is the real node, put together from an archive and a runner that count what they do: each SQL
statement that writes ("sql"), each commit ("commit" before it, "stored" after it), each effect
("effect:Call" before it), and each file that is put in another's place ("file" before it, "half"
once its content is written, "kept" after it).  P2PCHAT_CRASH_AT names the point at which the
process gets its SIGKILL: "commit:17" is the 17th of that kind, "any:230" the 230th of all.
P2PCHAT_CRASH_TRACE names a file to which every point is written as it is passed.

P2PCHAT_CRASH_PLANT plants a defect that the checks must find: "forget" stores no messages.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from node import config, disk, profile
from node.archive import SqliteArchive
from node.control.running import run_node
from node.core.effects import Effect, Store, StoreMessages
from node.host.nodes import Node
from node.places import places
from node.runner import Runner
from node.trust import certificates, keys, known

PLANT = os.environ.get("P2PCHAT_CRASH_PLANT", "")
READS = ("SELECT", "PRAGMA")


class Points:
    """Counts the points that the process passes, and ends it at the one that is wanted."""

    def __init__(self, wanted: str, trace: str) -> None:
        kind, _, number = wanted.rpartition(":")
        self._wanted = (kind, int(number)) if kind else ("", 0)
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if trace else -1
        self._passed: Counter[str] = Counter()

    def pass_by(self, kind: str) -> None:
        """The process is about to go on past a point of this kind; or it does not."""
        if self._trace >= 0:
            os.write(self._trace, f"{kind}\n".encode())
        for counted in ("any", kind):
            self._passed[counted] += 1
            if (counted, self._passed[counted]) == self._wanted:
                os.kill(os.getpid(), signal.SIGKILL)


POINTS = Points(os.environ.get("P2PCHAT_CRASH_AT", ""), os.environ.get("P2PCHAT_CRASH_TRACE", ""))


class DyingArchive(SqliteArchive):
    """Passes points at each write."""

    def __init__(self, path: Path, key: bytes, *, power: bool = False) -> None:
        super().__init__(path, key, power=power)
        self._base.set_trace_callback(self._executed)

    def _executed(self, statement: str) -> None:
        if not statement.lstrip().upper().startswith(READS):
            POINTS.pass_by("sql")

    def append(self, stores: Sequence[Store]) -> None:
        POINTS.pass_by("commit")
        if PLANT == "forget":
            stores = [store for store in stores if not isinstance(store, StoreMessages)]
        super().append(stores)
        POINTS.pass_by("stored")


class DyingRunner(Runner):
    """Passes a point before each effect, so between every two."""

    def _perform(self, effect: Effect) -> None:
        POINTS.pass_by(f"effect:{type(effect).__name__}")
        super()._perform(effect)


class DyingNode(Node):
    archive_class = DyingArchive
    runner_class = DyingRunner


def watch_files() -> None:
    """Passes points around each file of the profile that is put in place, keys among them."""
    put, sync = disk.replace_file, os.fsync

    def dying_put(file: Path, content: bytes) -> None:
        POINTS.pass_by("file")
        put(file, content)
        POINTS.pass_by("kept")

    def dying_sync(descriptor: int) -> None:
        sync(descriptor)
        POINTS.pass_by("half")

    for module in (profile, keys, certificates, known):
        module.replace_file = dying_put  # type: ignore[attr-defined]
    os.fsync = dying_sync  # type: ignore[assignment]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    parser.add_argument("--nick")
    parser.add_argument("--nds", action="append")
    args = parser.parse_args()
    watch_files()
    spot = places("default", args.home)
    spot.make()
    kept = profile.load(spot.data).settings()
    return asyncio.run(run_node(spot, config.load(spot, vars(args), kept), DyingNode))


if __name__ == "__main__":
    sys.exit(main())
