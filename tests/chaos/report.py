"""What cycles came to, as Markdown."""

import math
from collections import Counter
from collections.abc import Sequence

from tests.chaos.cycle import Outcome
from tests.chaos.figures import STALL_S, TARGETS, percentile, row


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


def times(outcomes: Sequence[Outcome], name: str, stall_s: float = math.inf) -> list[float]:
    """What was measured under a name while we stood still for no longer, in seconds."""
    measures = [measure for one in outcomes for measure in one.figures.get(name, [])]
    return [measure.seconds for measure in measures if measure.stall_s <= stall_s]


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
        wanted = f"< {target.p99_s:g}"
        lines.append(f"| {target.what} | {wanted} | {row(times(outcomes, target.name))} |")
        quiet = row(times(outcomes, target.name, STALL_S))
        lines.append(f"| the same, undisturbed | {wanted} | {quiet} |")
    load = max((one.load for one in outcomes), default=0.0)
    told = f"The machine's load was up to {load:.1f}. Undisturbed is what was measured while the"
    return [*lines, "", f"{told} checker itself never waited {STALL_S * 1000:g} ms for a turn."]


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
