"""However busy all are, the lowest id that lives leads next: tests/sim/busy.py."""

import pytest

from tests.sim.busy import succession

LIVES = 60  # without the second question some of them go wrong


@pytest.mark.parametrize("told", [True, False], ids=["known to all", "known to nobody else"])
def test_the_lowest_that_lives_leads_next_however_busy_all_are(told: bool) -> None:
    ended = [succession(seed, told=told) for seed in range(LIVES)]
    assert [seed for seed, (leader, lowest, _) in enumerate(ended) if leader != lowest] == []
    assert max(took for _, _, took in ended) < 2_000
