"""How long things took, as percentiles."""

from collections.abc import Sequence

from msgspec import Struct

STALL_S = 0.05  # beyond it a machine that had no time for us is part of what was measured


class Measure(Struct, frozen=True):
    """How long something took, and how long we ourselves stood still meanwhile."""

    seconds: float
    stall_s: float = 0.0


class Target(Struct, frozen=True):
    """A figure that is wanted: the 99th percentile of what bears this name, in seconds."""

    name: str
    p99_s: float
    what: str


TARGETS = (
    Target("killed", 0.5, "leader killed: all others follow the next"),
    Target("frozen", 3.0, "leader frozen: all others follow the next"),
    Target("healed", 3.0, "links whole, everyone answers: all of one mind"),
)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of them; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def row(values: Sequence[float]) -> str:
    """Count, p50, p99 and the longest, as cells of a table."""
    if not values:
        return "0 | - | - | -"
    cells = [percentile(values, 0.5), percentile(values, 0.99), max(values)]
    return f"{len(values)} | " + " | ".join(f"{one:.3f}" for one in cells)
