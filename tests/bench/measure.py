"""How things are measured: every row several times, in turn, beside a fixed baseline.

What computes is timed by the processor time of this process.  A noisy machine slows all rows of one
round alike, so each figure also stands as a multiple of the baseline of the same round, which may
be compared between machines and days.
"""

from collections.abc import Callable, Iterable, Sequence
from gc import collect
from heapq import heappop, heappush
from statistics import median
from time import process_time

from msgspec import Struct

ROUNDS = 5


class Row(Struct, frozen=True):
    """`run` does the work once and gives how many units it did and the seconds that took."""

    name: str
    unit: str
    run: Callable[[], tuple[int, float]]


class Figure(Struct, frozen=True):
    """Units per second of each round, and of the baseline in the same rounds."""

    row: Row
    rates: tuple[float, ...]
    baseline: tuple[float, ...]

    @property
    def share(self) -> float:
        """The median multiple of the baseline."""
        return median(mine / base for mine, base in zip(self.rates, self.baseline, strict=True))


def timed(work: Callable[[], int]) -> tuple[int, float]:
    """Units that `work` says it did, and how long this process was at it, whoever else was busy."""
    collect()
    began = process_time()
    done = work()
    return done, process_time() - began


class _Event(Struct, frozen=True):
    at: int
    key: tuple[int, int]


def _turns() -> int:
    """A loop such as any event core has: a value made, a heap, a dictionary."""
    queue: list[tuple[int, int]] = []
    known: dict[tuple[int, int], _Event] = {}
    for n in range(100_000):
        event = _Event(n, (n & 7, n))
        known[event.key] = event
        heappush(queue, ((n * 7919) & 1023, n))
        if len(queue) > 64:
            _, old = heappop(queue)
            known.pop((old & 7, old), None)
    return 100_000


BASELINE = Row("baseline: dict + heap + value", "turns", lambda: timed(_turns))


def measure(rows: Iterable[Row], rounds: int = ROUNDS) -> list[Figure]:
    """All rows, round by round."""
    rows = [BASELINE, *rows]
    rates: list[list[float]] = [[] for _ in rows]
    for _ in range(rounds):
        for row, seen in zip(rows, rates, strict=True):
            units, seconds = row.run()
            seen.append(units / seconds)
    base = tuple(rates[0])
    return [Figure(row, tuple(seen), base) for row, seen in zip(rows, rates, strict=True)]


def table(figures: Sequence[Figure]) -> str:
    """One line a figure: the median, the range, the multiple of the baseline."""
    width = max(len(figure.row.name) for figure in figures)
    head = f"{'':{width}}  {'median/s':>10}  {'lowest':>10}  {'highest':>10}  {'x base':>7}"
    lines = [
        f"{f.row.name:{width}}  {median(f.rates):>10,.0f}  {min(f.rates):>10,.0f}"
        f"  {max(f.rates):>10,.0f}  {f.share:>7.3f}  {f.row.unit}"
        for f in figures
    ]
    return "\n".join([head, *lines])
