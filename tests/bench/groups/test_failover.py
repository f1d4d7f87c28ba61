"""Tries tests/bench/groups/failover.py: a group of four loses its leader."""

import signal

from .failover import WAIT_S, succession_ms


def test_who_leads_next_is_told_by_all_others() -> None:
    assert 0 < succession_ms(signal.SIGKILL) < 1_000 * WAIT_S
