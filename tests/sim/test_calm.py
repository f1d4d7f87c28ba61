"""A calm network goes by the book: tests/sim/calm.py."""

import pytest

from tests.sim.calm import failover, is_deposed


@pytest.mark.parametrize("members", [4, 7])
def test_a_stall_of_one_second_deposes_nobody(members: int) -> None:
    deposed = [seed for seed in range(30) if is_deposed(seed, members, 1_000)]
    assert deposed == []


@pytest.mark.parametrize("kill", [True, False])
def test_a_death_costs_one_epoch_and_is_over_in_time(kill: bool) -> None:
    lives = [failover(seed, 4, kill=kill) for seed in range(15)]
    assert max(took for took, _, _ in lives) <= (500 if kill else 3_000)
    assert {epochs for _, epochs, _ in lives} == {1}
