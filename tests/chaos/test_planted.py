"""Whole cycles whose nodes have bugs: each must be found.  And one without, in which nothing is."""

from pathlib import Path

import pytest

from tests.chaos.cycle import Outcome, run
from tests.chaos.lab import Loopback
from tests.chaos.schedule import LEADER, NDS, Fault, Schedule

pytestmark = pytest.mark.xdist_group("chaos")

THREE = ("n1", "n2", "n3")


async def lived(
    directory: Path,
    *faults: Fault,
    skews_ms: dict[str, int] | None = None,
    patience_s: float = 60.0,
    **bugs: str,
) -> Outcome:
    """A short cycle of three nodes on the loopback."""
    lab = Loopback((*THREE, NDS), "signals are enough")
    schedule = Schedule(1, faults, storm_s=4.0, skews_ms=skews_ms or {}, coda=False)
    return await run(schedule, directory, nodes=THREE, lab=lab, bugs=bugs, patience_s=patience_s)


def found(outcome: Outcome, promise: str, about: str = "") -> list[str]:
    return [one for one in outcome.violations if one.startswith(promise) and about in one]


async def test_lines_that_were_acknowledged_and_never_stored_are_missed(tmp_path: Path) -> None:
    restart = Fault("restart all", at=3.0, lasts=0.1, who=THREE)
    bug = "forgets"
    outcome = await lived(tmp_path, restart, n1=bug, n2=bug, n3=bug)
    assert found(outcome, "S4", "acknowledged by all: "), outcome.violations


async def test_lines_shown_again_out_of_order_or_before_their_causes_are_found(
    tmp_path: Path,
) -> None:
    outcome = await lived(
        tmp_path,
        skews_ms={"n1": 5_000},
        n1="shows twice",
        n2="shows in any order",
        n3="forgets causes",
    )
    assert found(outcome, "S5", "n1 shows lines again"), outcome.violations
    assert found(outcome, "S7", "of n2 is"), outcome.violations
    assert found(outcome, "S6", "in the history of n1 'n3 "), outcome.violations


async def test_an_epoch_that_is_given_twice_is_found(tmp_path: Path) -> None:
    kill = Fault("kill", at=0.5, lasts=2.0, who=(LEADER,))
    outcome = await lived(tmp_path, kill, patience_s=3.0, nds="grants twice")
    assert found(outcome, "S1", "the discovery service issued"), outcome.violations


async def test_without_a_bug_nothing_is_found(tmp_path: Path) -> None:
    restart = Fault("restart all", at=3.0, lasts=0.1, who=THREE)
    outcome = await lived(tmp_path, restart, skews_ms={"n1": 5_000})
    assert outcome.violations == []
    counted = outcome.counted()
    assert counted["stored"] > 10, counted
    assert counted["by all"] > 0, counted
    assert outcome.figures["healed"], "it was measured"
