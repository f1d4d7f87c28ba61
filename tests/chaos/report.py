"""What cycles came to, as Markdown."""

from collections import Counter
from collections.abc import Sequence

from tests.chaos.cycle import Outcome
from tests.chaos.figures import TARGETS, percentile, row


def report(outcomes: Sequence[Outcome]) -> str:
    """The whole report: verdict, figures, and each cycle's time line."""
    broken = [one for one in outcomes if one.violations]
    verdict = f"{len(outcomes)} cycles, {len(broken)} with violations"
    labs = ", ".join(sorted({one.lab for one in outcomes}))
    took = sum(one.took_s for one in outcomes)
    lines = ["# Chaos report", "", f"{verdict}; on {labs}; {took:.0f} s.", ""]
    lines += [*_figures(outcomes), "", *_counts(outcomes), ""]
    for one in broken:
        lines += [f"Seed {one.schedule.seed} broke:", ""]
        lines += [f"- {told.splitlines()[0]}" for told in one.violations]
        lines += [""]
    for one in outcomes:
        lines += _cycle(one)
    return "\n".join(lines)


def times(outcomes: Sequence[Outcome], name: str) -> list[float]:
    """All that was measured under a name, in seconds."""
    return [value for one in outcomes for value in one.figures.get(name, [])]


def missed(outcomes: Sequence[Outcome]) -> list[str]:
    """Targets whose 99th percentile is not met."""
    found = []
    for target in TARGETS:
        values = times(outcomes, target.name)
        if values and percentile(values, 0.99) >= target.p99_s:
            p99 = percentile(values, 0.99)
            found.append(f"{target.what}: p99 {p99:.3f} s, wanted below {target.p99_s:g} s")
    return found


def _figures(outcomes: Sequence[Outcome]) -> list[str]:
    lines = ["| seconds | wanted p99 | count | p50 | p99 | max |", "|---|---|---|---|---|---|"]
    for target in TARGETS:
        cells = row(times(outcomes, target.name))
        lines.append(f"| {target.what} | < {target.p99_s:g} | {cells} |")
    load = max((one.load for one in outcomes), default=0.0)
    stall = max((one.stalls_s for one in outcomes), default=0.0)
    told = f"The machine's load was up to {load:.1f}, the checker itself stood still for up to"
    return [*lines, "", f"{told} {stall:.3f} s."]


def _counts(outcomes: Sequence[Outcome]) -> list[str]:
    total: Counter[str] = Counter()
    for one in outcomes:
        total.update(one.counted())
    kinds = Counter(fault.kind for one in outcomes for fault in one.schedule.faults)
    told = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
    return [
        f"{total['lines']} lines said: {total['stored']} acknowledged by their own node, "
        f"{total['by all']} by all who counted; shown {total['shown']} times. "
        f"{total['elections']} elections.",
        "",
        f"Faults: {told or 'none'}.",
    ]


def _cycle(one: Outcome) -> list[str]:
    verdict = f"{len(one.violations)} violations" if one.violations else "all promises kept"
    lines = [f"## Seed {one.schedule.seed}: {verdict}", "", f"{one.counted()}", "", "```"]
    lines += [f"{at:8.3f}  {what}" for at, what in one.timeline]
    return [*lines, "```", ""]
