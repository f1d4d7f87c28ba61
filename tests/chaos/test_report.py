"""The report and its percentiles."""

import pytest

from tests.chaos.cycle import Outcome
from tests.chaos.evidence import Evidence, Grant, Said
from tests.chaos.figures import Measure, percentile, row
from tests.chaos.report import missed, report, times
from tests.chaos.schedule import Fault, Schedule


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, 0.0),
        ([3.0], 0.99, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([float(k) for k in range(1, 101)], 0.99, 99.0),
        ([float(k) for k in range(1, 101)], 0.5, 50.0),
        ([float(k) for k in range(1, 41)], 0.99, 40.0),
    ],
)
def test_percentiles_are_values_that_were_measured(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


def test_a_row_counts_and_measures() -> None:
    assert row([]) == "0 | - | - | -"
    assert row([0.5, 0.1, 0.2]) == "3 | 0.200 | 0.500 | 0.500"


def outcome(seed: int, *violations: str, stall_s: float = 0.0, **times: list[float]) -> Outcome:
    evidence = Evidence(
        said={"n1 1": Said("n1 1", "n1", 1.0, stored_at=1.0)},
        grants=[Grant((1, 1), 1), Grant((1, 2), 2)],
    )
    schedule = Schedule(seed, (Fault("kill", 1.0, 2.0, ("n1",)),))
    figures = {name: [Measure(one, stall_s) for one in given] for name, given in times.items()}
    made = Outcome(schedule, "paper", evidence, list(violations), figures)
    made.timeline = [(0.5, "gathered")]
    return made


def test_the_report_tells_what_broke_what_was_measured_and_when_it_happened() -> None:
    outcomes = [
        outcome(7, killed=[0.2], frozen=[1.5]),
        outcome(8, "S4: the history of n1 lacks n2 3\nmore", stall_s=0.1, killed=[0.7]),
    ]
    told = report(outcomes)
    assert "2 cycles, 1 with violations; on paper" in told
    assert (
        "| leader killed: all others follow the next | < 0.5 | 2 | 0.200 | 0.700 | 0.700 |" in told
    )
    assert "| the same, undisturbed | < 0.5 | 1 | 0.200 | 0.200 | 0.200 |" in told
    assert "2 lines said: 2 acknowledged by their own node, 0 by all" in told
    assert "2 elections." in told
    assert "Faults: 2 x kill." in told
    assert "- S4: the history of n1 lacks n2 3\n" in told
    assert "## Seed 7: all promises kept" in told
    assert "   0.500  gathered" in told


def test_a_target_that_is_missed_is_named() -> None:
    fast = [outcome(1, killed=[0.2], frozen=[2.9], healed=[1.0])]
    assert missed(fast) == []
    (told,) = missed([*fast, outcome(2, healed=[3.5])])
    assert "p99 3.500 s, wanted below 3 s" in told
    assert times([*fast, outcome(2, healed=[3.5])], "healed") == [1.0, 3.5]
