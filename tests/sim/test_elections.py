"""What an election costs, and what noticing costs: tests/sim/elections.py."""

import pytest

from node.core.timing import LAN

from .elections import death, detection, idle
from .svg import curve


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "frozen"])
def test_an_election_of_fifty_costs_one_claim_and_few_messages_each(kill: bool) -> None:
    cost = death(1, 50, kill=kill)
    assert (cost.claims, cost.epochs) == (1, 1)
    assert max(cost.winner, cost.most) <= 50 + 10
    assert cost.took_ms < (500 if kill else 3_000)


def test_who_asks_more_often_notices_sooner() -> None:
    slow = LAN.scaled(4)
    assert detection(1, LAN) < detection(1, slow)
    assert idle(1, LAN, members=4) > 2 * idle(1, slow, members=4)


def test_picture_has_a_point_for_each_name() -> None:
    picture = curve([("lan", 90, 600), ("wan", 24, 2_400)], "calls", "ms")
    assert picture.count("<circle") == 2
    assert "lan: 90 calls, 600 ms" in picture
