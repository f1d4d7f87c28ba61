"""Schedules: drawn from a seed, the same each time, and all kinds of faults come up."""

from collections import Counter

import pytest

from tests.chaos.schedule import DISK, LINKS, NDS, NODES, SIGNALS, Fault, Schedule, draw
from tests.chaos.shrink import shrink

SEEDS = range(300)


def test_a_seed_gives_the_same_schedule_for_ever() -> None:
    assert [draw(seed) for seed in SEEDS] == [draw(seed) for seed in SEEDS]
    assert draw(1) != draw(2)


def test_a_schedule_survives_the_way_through_its_file() -> None:
    for seed in SEEDS:
        schedule = draw(seed, disk=True)
        assert Schedule.load(schedule.dump()) == schedule, seed


def test_every_kind_of_fault_comes_up() -> None:
    kinds = Counter(one.kind for seed in SEEDS for one in draw(seed, disk=True).faults)
    assert set(kinds) == {*SIGNALS, *LINKS, *DISK}
    assert min(kinds.values()) > 5, kinds


def test_a_long_frost_comes_up() -> None:
    assert any(one.lasts == 30 for seed in SEEDS for one in draw(seed).faults)


def test_without_a_network_nothing_befalls_links() -> None:
    for seed in SEEDS:
        for one in draw(seed, network=False).faults:
            assert one.kind in SIGNALS, seed


def test_sides_are_two_and_share_at_most_the_discovery_service() -> None:
    for seed in SEEDS:
        for one in draw(seed).faults:
            if one.kind in {"halves", "flapping", "bridge", "cut one way"}:
                here, there = map(set, one.sides)
                assert here, (seed, one)
                assert there, (seed, one)
                assert here & there <= {NDS}, (seed, one)
                assert here | there <= {*NODES, NDS}, (seed, one)
                if one.kind == "bridge":
                    assert len(here | there) == len(NODES) - 1, (seed, one)


# ---- shrinking -----------------------------------------------------------------------------------


@pytest.mark.parametrize("needed", [{3}, {0, 7}, {2, 3, 4}, set()])
async def test_what_is_not_needed_is_left_out(needed: set[int]) -> None:
    faults = tuple(Fault("kill", float(k)) for k in range(8))
    tried = []

    async def fails(schedule: Schedule) -> bool:
        tried.append(schedule)
        return needed <= {int(one.at) for one in schedule.faults}

    smallest = await shrink(Schedule(0, faults), fails, tries=100)
    assert {int(one.at) for one in smallest.faults} == needed
    assert len(tried) < 60


async def test_no_more_is_tried_than_allowed() -> None:
    tried = []

    async def fails(schedule: Schedule) -> bool:
        tried.append(schedule)
        return len(schedule.faults) > 5

    smallest = await shrink(draw(3), fails, tries=3)
    assert len(tried) == 3
    assert set(smallest.faults) <= set(draw(3).faults)
