"""A comparison that takes an hour on a machine that is others' too.

Where the hypervisor takes processors away, what was measured meanwhile says nothing: it is measured
again.  What was measured well can be kept in a file, so that a run goes on where one before it was
broken off.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from .contest import Failed
from .figures import STOLEN_MAX, Outcome

TRIES = 3
STAT = Path("/proc/stat")

T = TypeVar("T")


class _Row(Struct, frozen=True):
    number: int  # of the round
    outcome: Outcome


class Kept:
    """Outcomes by contestant, size and round; one a line of JSON in a file, if there is one."""

    def __init__(self, file: Path | None = None) -> None:
        """Reads what is there.  Raises msgspec.DecodeError where it is something else."""
        self._file = file
        self._outcomes: dict[tuple[str, int, int], Outcome] = {}
        if file is not None and file.exists():
            for line in file.read_bytes().splitlines():
                self._take(msgspec.json.decode(line, type=_Row))

    def _take(self, row: _Row) -> None:
        self._outcomes[row.outcome.contestant, row.outcome.size, row.number] = row.outcome

    def get(self, name: str, size: int, number: int) -> Outcome | None:
        return self._outcomes.get((name, size, number))

    def add(self, number: int, outcome: Outcome) -> None:
        row = _Row(number, outcome)
        self._take(row)
        if self._file is not None:
            with self._file.open("ab") as file:
                file.write(msgspec.json.encode(row) + b"\n")


def undisturbed(
    measure: Callable[[], T], tell: Callable[[str], None], tries: int = TRIES
) -> tuple[T, float]:
    """What it measures while the machine is ours, and the share that was taken away meanwhile; the
    last of the tries counts however it went.

    Raises Failed where that did not come to its end.
    """
    for left in reversed(range(tries)):
        before, began = stolen_s(), time.monotonic()
        failed: Failed | None = None
        try:
            found = measure()
        except Failed as error:
            failed = error
        share = (stolen_s() - before) / (time.monotonic() - began)
        if share <= STOLEN_MAX or not left:
            if failed is not None:
                raise failed
            return found, share
        what = f": {failed}" if failed is not None else ""
        tell(f"{share:.0%} of the machine was taken away meanwhile: measured again{what}")
    raise ValueError(f"at least one try, not {tries}")


def stolen_s(stat: Path = STAT) -> float:
    """For how long this machine's processors, taken together as one, were another's so far."""
    try:
        lines = stat.read_text().splitlines()
    except OSError:  # no Linux: nobody tells
        return 0.0
    ticks = int(lines[0].split()[8])
    processors = sum(line.startswith("cpu") for line in lines) - 1
    return ticks / 100 / processors
