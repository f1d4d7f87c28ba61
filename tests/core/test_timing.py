"""Tries node/core/timing.py."""

import pytest
from msgspec.structs import fields, replace

from node.core.timing import LAN, PRESETS, WAN, Timing


def test_a_stall_of_one_second_deposes_nobody() -> None:
    """What passes from the first missed ping to the loss of the leader is longer than a second."""
    question_ms = 400  # of the discovery service to the old leader
    assert LAN.ping_tries * LAN.ping_ms + LAN.elect_ms + question_ms > 1_000
    assert LAN.claim_ms > question_ms


def test_wan_takes_four_times_as_long_and_has_the_same_bounds() -> None:
    for f in fields(Timing):
        factor = 4 if f.name.endswith("_ms") and f.name != "renew_ms" else 1
        assert getattr(WAN, f.name) == factor * getattr(LAN, f.name), f.name
    assert PRESETS == {"lan": LAN, "wan": WAN}


@pytest.mark.parametrize("name", [f.name for f in fields(Timing)])
def test_nothing_may_be_nought(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(LAN, **{name: 0})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"t1_ms": 1_000}, "t1_ms"),
        ({"ping_tries": 5}, "ping_tries"),
        ({"ping_ms": 501}, "ping_ms"),
        ({"wait_ms": 399}, "wait_ms"),
        ({"renew_ms": 999}, "renew_ms"),
        ({"renew_ms": 3_001}, "renew_ms"),
        ({"hole_ms": 8_799}, "hole_ms"),
        ({"ack_ms": 751}, "hole_ms"),
    ],
)
def test_inconsistent_timing_is_refused_and_named(changes: dict[str, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        replace(LAN, **changes)
