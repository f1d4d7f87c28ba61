"""Tries node/core/liveness.py."""

import pytest

from node.core.liveness import Check, Liveness
from node.core.timing import LAN
from node.core.types import Epoch

E4, E5, E6 = (Epoch(1, n) for n in (4, 5, 6))


@pytest.mark.parametrize(
    ("heard", "now", "epoch", "fresh"),
    [
        (E5, 1_000, E5, True),
        (E5, 1_000 + LAN.t2_ms, E5, True),  # the next ping may be on its way
        (E5, 999 + LAN.heard_ms, E5, True),
        (E5, 1_000 + LAN.heard_ms, E5, False),
        (E6, 1_500, E5, True),
        (E4, 1_500, E5, False),  # another leader's word
    ],
)
def test_the_leader_is_heard_until_the_next_ping_is_answered_at_this_epoch(
    heard: Epoch, now: int, epoch: Epoch, fresh: bool
) -> None:
    liveness = Liveness(LAN)
    liveness.leading(1_000, heard)
    assert liveness.fresh(now, epoch) is fresh


def test_nothing_heard_before_a_failed_ping_counts() -> None:
    liveness = Liveness(LAN)
    assert not liveness.fresh(0, E5)
    liveness.leading(1_000, E5)
    liveness.silent(1_001)
    assert not liveness.fresh(1_002, E5)
    assert not liveness.leading_since(0)


def test_when_a_leader_was_heard_last_is_known_whatever_came_since() -> None:
    liveness = Liveness(LAN)
    assert liveness.heard_leader_at is None
    liveness.leading(1_000, E5)
    liveness.silent(1_001)
    assert liveness.heard_leader_at == 1_000


def test_the_leader_was_heard_since_an_instant() -> None:
    liveness = Liveness(LAN)
    liveness.leading(1_000, E5)
    assert liveness.leading_since(999)
    assert not liveness.leading_since(1_000)


def test_a_silence_begins_with_its_first_sign() -> None:
    liveness = Liveness(LAN)
    liveness.silent(1_000)
    liveness.silent(2_000)
    assert liveness.silent_since == 1_000
    liveness.leading(3_000, E5)
    assert liveness.silent_since is None


def test_members_are_unheard_after_two_rounds_unless_being_looked_into() -> None:
    liveness = Liveness(LAN)
    for member, at in ((2, 1_000), (3, 1_001), (4, 500)):
        liveness.heard(at, member)
    liveness.checks[4] = Check()
    assert liveness.unheard(3_000, (2, 3, 4, 5)) == [2, 5]


def test_a_word_ends_the_looking_into() -> None:
    liveness = Liveness(LAN)
    liveness.checks[2] = Check()
    assert liveness.heard(1_000, 2) is True
    assert liveness.heard(1_001, 2) is False


@pytest.mark.parametrize(
    ("members", "ill", "ms"),
    [
        (1, False, 5_000),
        (10, False, 5_000),  # 4/5 log10(11) is below 1
        (99, False, 8_000),  # 4/5 x log10(100) x 5 s
        (999, False, 12_000),
        (10, True, 10_000),
    ],
)
def test_suspicion_lasts_longer_in_large_groups_and_for_an_ill_observer(
    members: int, ill: bool, ms: int
) -> None:
    assert 0 <= Liveness(LAN).suspect_ms(members, ill) - ms <= 1
