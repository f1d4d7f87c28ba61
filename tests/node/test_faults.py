"""Tries node/faults.py: why something does not go on, in words."""

import pytest

from node.faults import OTHER_KEY, halted, nds_fault


@pytest.mark.parametrize(
    ("halt", "reason", "said"),
    [
        ("stalled", "DISK_FULL", "stalled: disk full"),
        ("broken", "LEFT", "broken: left"),
        ("", "DISK_FULL", ""),
        ("stalled", "\x1b[31m", ""),
    ],
)
def test_why_a_chat_does_not_go_on(halt: str, reason: str, said: str) -> None:
    assert halted(halt, reason) == said


def test_each_fault_of_a_service_has_words_of_its_own() -> None:
    reasons = (OTHER_KEY, "TOO_MANY_CALLS", "STORE_FULL", "STORE_FAILED")
    assert len({nds_fault(reason) for reason in reasons}) == len(reasons)
    assert nds_fault("STORE_FULL") == "its disk is full"
