"""Decisions across splits: tests/sim/rulings.py."""

import pytest

from node.core.deciding import Act

from .rulings import acts, live

LIVES = 120


@pytest.mark.parametrize("tenth", range(10))
def test_all_come_to_the_same_and_nothing_is_said_to_who_was_removed(tenth: int) -> None:
    for seed in range(tenth, LIVES, 10):
        live(seed)


def test_these_lives_are_not_empty() -> None:
    made = [live(seed) for seed in range(40)]
    assert {Act.KICK, Act.BAN, Act.OP, Act.DEOP, Act.OWNER, Act.UNBAN} <= set().union(
        *map(acts, made)
    )
    assert sum(one.looked_at for one in made) > 1_000
    assert sum(one.world.count["Departed"] for one in made) > 20
    assert sum(one.world.count["Reinstated"] for one in made) > 2
    waited = sum(
        count
        for one in made
        for reason, count in one.world.count.items()
        if reason.startswith("dropped: ")
    )
    assert waited > 20, "much is tried that is not to be decided by who tries"
