"""A member that dies where something is stored or sent: some points of a life, real processes."""

import os
from collections.abc import Iterator
from random import Random

import pytest

from tests.crash.lives import Theatre

pytestmark = pytest.mark.xdist_group("processes")

SEED = int(os.environ.get("P2PCHAT_CRASH_SEED", "4"))
POINTS = 220  # as many at least as a life has
SAMPLE = [f"any:{point}" for point in Random(SEED).sample(range(1, POINTS), 1)]  # `.ci/run`: more


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    made = Theatre(tmp_path_factory.mktemp("theatre"))
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("point", [*SAMPLE, "half:1"])
def test_a_life_that_ends_anywhere_loses_nothing_and_repeats_nothing(
    theatre: Theatre, point: str
) -> None:
    life = theatre.play(point)
    kind, _, number = point.partition(":")
    passed = len(life.points) if kind == "any" else life.points.count(kind)
    assert passed == int(number), f"the life ended at {life.ended_at}, not at {point}"
    theatre.check(life)


def test_a_node_that_forgets_what_it_acknowledged_is_found(theatre: Theatre) -> None:
    life = theatre.play("", plant="forget")
    assert life.solo, "it acknowledged a line"
    with pytest.raises(AssertionError, match="lost from a chat of one's own"):
        theatre.check(life)
