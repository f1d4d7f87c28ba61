"""A node whose clock is wrong, or into which a bug is planted: the product behind a test's door.

    python -m tests.chaos.node [--bug NAME] [--clock FILE] _node ...
    python -m tests.chaos.node --bug NAME nds ...

The file holds eight bytes: milliseconds that are added to the wall clock, signed, as they stand
there at the moment.  So a clock may jump while the node runs.  Bugs are those of `planted`.
"""

import mmap
import os
import struct
import sys
import time

SKEW = struct.Struct("<q")
CALLED_BY_GRPC = "node.service"  # asks gRPC how much time is left, and so for the time


def shift_clock(path: str) -> None:
    """From now on the wall clock that the product reads is as wrong as the file says.

    Others keep the true one: gRPC compares what Python calls the time with what C calls so, which
    are the same on a machine whose clock is wrong; and logs can be laid side by side.
    """
    with open(path, "rb") as file:
        shared = mmap.mmap(file.fileno(), SKEW.size, prot=mmap.PROT_READ)
    true_ns = time.time_ns

    def shown_ns(asker: str) -> int:
        if not asker.startswith("node.") or asker == CALLED_BY_GRPC:
            return true_ns()
        (skew_ms,) = SKEW.unpack(shared[: SKEW.size])
        return true_ns() + int(skew_ms) * 1_000_000

    time.time_ns = lambda: shown_ns(_asker())
    time.time = lambda: shown_ns(_asker()) / 1e9


def _asker() -> str:
    """The module that asks for the time."""
    return str(sys._getframe(2).f_globals.get("__name__", ""))


def main(arguments: list[str]) -> int:
    bug = clock = ""
    while arguments[0] in ("--bug", "--clock"):
        option, value, *arguments = arguments
        bug, clock = (value, clock) if option == "--bug" else (bug, value)
    if clock:
        shift_clock(clock)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if bug:
        from tests.chaos.planted import plant

        plant(bug)
    if arguments[0] == "nds":
        from nds.__main__ import main as serve

        return serve(arguments[1:])
    from node.cli.verbs import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
