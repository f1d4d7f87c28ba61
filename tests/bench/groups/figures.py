"""What a contest came to, the medians of several, and whether all of it was kept."""

from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import fields

BASELINE = "raw-grpc"
OURS = "ours"
STOLEN_MAX = 0.1  # of what the processors could have done: more is measured again


class Outcome(Struct, frozen=True):
    """One group of one contestant, measured once."""

    contestant: str
    size: int
    said: int  # messages
    lost: int  # deliveries that never came ...
    doubled: int  # ... or came again ...
    damaged: int  # ... or with another text
    disordered: int  # deliveries before one that the same author had said earlier
    unsettled: int  # members who did not learn in time that all their messages had come
    rate: float  # deliveries a second, of all members together
    work_ms: float  # processor time of a thousand deliveries, of all processes together
    p50_ms: float  # from the call that says a message until another member has it
    p99_ms: float
    idle: float  # percent of a core and member, when nobody says anything; the server shared out
    resident_mb: float  # of a member; the server shared out
    stolen: float = 0.0  # the share of the machine that was taken away meanwhile

    @property
    def fault(self) -> str:
        """What is wrong with it; empty for nothing."""
        counts = {
            "lost, or not there in time": self.lost,
            "doubled": self.doubled,
            "damaged": self.damaged,
            "members without an end": self.unsettled,
        }
        told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        return f"{self.contestant} n={self.size}: {told}" if told else ""


MEASURED = ("rate", "work_ms", "p50_ms", "p99_ms", "idle", "resident_mb")
assert {*MEASURED} < {one.name for one in fields(Outcome)}


class Summary(Struct, frozen=True):
    """All runs of one contestant at one size."""

    runs: tuple[Outcome, ...]

    @property
    def contestant(self) -> str:
        return self.runs[0].contestant

    @property
    def size(self) -> int:
        return self.runs[0].size

    def middle(self, what: str) -> float:
        """The median of one of `MEASURED`."""
        return median(getattr(one, what) for one in self.runs)

    def spread(self, what: str) -> tuple[float, float]:
        """The lowest and the highest of the runs."""
        values = [getattr(one, what) for one in self.runs]
        return min(values), max(values)

    @property
    def disordered(self) -> int:
        return sum(one.disordered for one in self.runs)


def summaries(outcomes: Iterable[Outcome]) -> list[Summary]:
    """By size and contestant, in the order in which they first came."""
    found: dict[tuple[int, str], list[Outcome]] = {}
    for one in outcomes:
        found.setdefault((one.size, one.contestant), []).append(one)
    return [Summary(tuple(runs)) for _, runs in sorted(found.items(), key=lambda x: x[0][0])]


def disturbed(outcomes: Sequence[Outcome]) -> str:
    """How many of the figures say little, since the machine was another's; empty for none."""
    some = sum(one.stolen > STOLEN_MAX for one in outcomes)
    if not some:
        return ""
    whole = f"{STOLEN_MAX:.0%} of the machine was taken away"
    return f"{some} of {len(outcomes)} measured while more than {whole}: they say little"


def faults(outcomes: Iterable[Outcome]) -> list[str]:
    return [one.fault for one in outcomes if one.fault]


def ratio(ours: Summary, theirs: Summary) -> float:
    """Our deliveries a second as a multiple of theirs: the median over the rounds of the same run,
    in which both met the same machine.
    """
    pairs = zip(ours.runs, theirs.runs, strict=False)  # Who fell out had fewer.
    return median(mine.rate / other.rate for mine, other in pairs)


def ratio_lines(all_: Sequence[Summary]) -> list[str]:
    """`ratio raw-grpc n=4 0.63`: ours as a multiple of each other contestant, the baseline last."""
    ours = {one.size: one for one in all_ if one.contestant == OURS}
    others = [one for one in all_ if one.contestant != OURS and one.size in ours]
    others.sort(key=lambda one: (one.contestant == BASELINE, one.contestant, one.size))
    return [
        f"ratio {one.contestant} n={one.size} {told(ratio(ours[one.size], one))}" for one in others
    ]


def told(multiple: float) -> str:
    """Two digits behind the point, or two that say something."""
    return f"{multiple:.2f}" if multiple >= 0.1 else f"{multiple:.2g}"


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value beneath which so many percent of the sorted values are; 0.0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
