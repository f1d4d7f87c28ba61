"""Lives that once broke a promise, with all left out that was not needed for it, keep it now."""

from pathlib import Path

import pytest

from .shrinking import Schedule
from .swarm import live

PATHS = sorted((Path(__file__).parent / "schedules").glob("*.txt"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_schedule_keeps_every_promise(path: Path) -> None:
    schedule = Schedule.parse(path.read_text("utf-8"))
    outcome = live(schedule.seed, steps=schedule.steps)
    assert not outcome.text


def test_there_are_schedules() -> None:
    assert PATHS
