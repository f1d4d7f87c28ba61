"""node/rpc/budget.py: who may ask how much, on a clock that the test holds."""

import random

import pytest

from node.rpc import budget
from node.rpc.budget import Buckets, Budget, Excess, Pace, Rate

RATE = Rate(10, 5)
A, B = "ipv4:10.0.0.1", "ipv4:10.0.0.2"
MEMBER = b"certificate"


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets: Buckets[str] = Buckets(RATE)
    assert [buckets.take(A, 0.0) for _ in range(5)] == [0] * 5
    assert buckets.take(A, 0.0) == pytest.approx(0.1)
    assert buckets.take(A, 0.09) == pytest.approx(0.01)
    assert buckets.take(A, 0.1) == 0
    assert buckets.take(A, 100.0) == 0
    assert buckets.wait_s(A, 100.0, 5) == pytest.approx(0.1), "more than its burst it never holds"


def test_buckets_are_of_one_key_each() -> None:
    buckets: Buckets[str] = Buckets(RATE)
    while not buckets.take(A, 0.0):
        pass
    assert buckets.take(B, 0.0) == 0


def test_a_debt_is_paid_at_the_rate() -> None:
    buckets: Buckets[str] = Buckets(RATE)
    assert buckets.owe(A, 0.0, 5) == 0
    assert buckets.owe(A, 0.0, 20) == pytest.approx(2.0)
    assert buckets.take(A, 2.0) > 0
    assert buckets.take(A, 2.2) == 0


def test_looking_takes_nothing() -> None:
    buckets: Buckets[str] = Buckets(RATE)
    assert {buckets.wait_s(A, 0.0, 5) for _ in range(100)} == {0}
    assert len(buckets) == 0


def test_a_clock_that_goes_back_gives_and_takes_nothing() -> None:
    buckets: Buckets[str] = Buckets(RATE)
    for _ in range(5):
        buckets.take(A, 50.0)
    assert buckets.take(A, 10.0) > 0


def test_who_was_seen_least_recently_is_forgotten_and_memory_is_bounded() -> None:
    buckets: Buckets[int] = Buckets(RATE, 100)
    for _ in range(5):
        buckets.take(0, 0.0)
    for key in range(1, 10_000):
        assert buckets.take(0, 0.0) > 0, "who comes again and again is known"
        buckets.take(key, 0.0)
        assert len(buckets) <= 100
    for key in range(1, 101):
        buckets.take(key, 0.0)
    assert buckets.take(0, 0.0) == 0


@pytest.mark.parametrize("seed", range(20))
def test_no_one_ever_gets_more_than_burst_and_rate(seed: int) -> None:
    rng, buckets, now = random.Random(seed), Buckets[str](RATE), 0.0
    taken = 0
    for _ in range(2_000):
        now += rng.expovariate(1 / rng.choice((0.001, 0.05, 0.5)))
        taken += not buckets.take(A, now)
        assert taken <= RATE.burst + RATE.a_second * now + 1e-6
    assert taken > 100


# ---- calls that are made alone -------------------------------------------------------------------


def taken(budget_: Budget, addresses: list[str], now: float = 0.0) -> int:
    return sum(budget_.stranger(address, now) is None for address in addresses)


def test_strangers_at_one_address_share_a_small_budget() -> None:
    made = Budget()
    assert taken(made, [A] * 1_000) == budget.ADDRESS_CALLS.burst
    refused = made.stranger(A, 0.0)
    assert refused == Excess("20 calls a second of an address that is no member's", 0.05)
    assert made.stranger(B, 0.0) is None, "who is elsewhere is not touched"
    assert taken(made, [A] * 1_000, now=1.0) == budget.ADDRESS_CALLS.a_second


def test_all_strangers_together_share_one_too() -> None:
    made = Budget()
    addresses = [f"ipv4:10.0.{n // 256}.{n % 256}" for n in range(10_000)]
    assert taken(made, addresses) == budget.STRANGER_CALLS.burst
    refused = made.stranger("ipv4:192.0.2.1", 0.0)
    assert refused is not None
    assert refused.limit == "100 calls a second of all who are no members"
    assert taken(made, addresses, now=1.0) == budget.STRANGER_CALLS.a_second


def test_a_refused_stranger_takes_nothing_from_the_others() -> None:
    made = Budget()
    taken(made, [A] * 100_000)
    left = budget.STRANGER_CALLS.burst - budget.ADDRESS_CALLS.burst
    assert taken(made, [f"ipv4:10.1.0.{n}" for n in range(256)]) == min(256, left)


def test_what_is_long_counts_as_several_calls() -> None:
    """Whoever has a token left may say it, a member of a large group that comes back, too."""
    made, size = Budget(), 512 * 1024
    more = size // budget.CALL_BYTES
    assert made.stranger(A, 0.0, size) is None
    left = budget.ADDRESS_CALLS.burst - 1 - more
    assert taken(made, [A] * 1_000) == left > 0
    assert made.stranger(A, 1.0, size) is None
    assert made.stranger(A, 1.0 + more / budget.ADDRESS_CALLS.a_second - 2, 0) is not None
    assert made.stranger(A, 1.0 + more / budget.ADDRESS_CALLS.a_second, 0) is None


def test_of_all_strangers_no_more_is_read_however_long_it_is() -> None:
    made, size = Budget(), 512 * 1024
    addresses = [f"ipv4:10.0.0.{n}" for n in range(256)]
    calls = sum(
        made.stranger(address, now, size) is None for now in range(60) for address in addresses
    )
    most = budget.STRANGER_CALLS.burst + 60 * budget.STRANGER_CALLS.a_second
    assert calls <= 1 + most / (size // budget.CALL_BYTES)


def test_what_is_long_counts_for_members_too() -> None:
    made, size, calls = Budget(), 512 * 1024, 0
    while made.member(MEMBER, 0.0, size) is None:
        calls += 1
    assert calls == 1 + int(budget.MEMBER_CALLS.burst / (1 + size // budget.CALL_BYTES))
    assert made.member(MEMBER, 0.2, 0) is None


def test_members_are_not_held_up_by_strangers() -> None:
    made = Budget()
    taken(made, [A] * 100_000)
    assert made.is_spent(A, 0.0)
    assert made.member(MEMBER, 0.0) is None


def test_a_member_has_its_own_limit_and_it_is_said() -> None:
    made = Budget()
    most = int(budget.MEMBER_CALLS.burst)
    assert all(made.member(MEMBER, 0.0) is None for _ in range(most))
    assert made.member(MEMBER, 0.0) == Excess("500 calls a second of a member", 0.002)
    assert made.member(b"another", 0.0) is None
    assert made.member(MEMBER, 0.002) is None


def test_a_member_whose_calls_make_no_sense_is_held_up_sooner() -> None:
    made = Budget()
    for _ in range(int(budget.NOISE.burst)):
        assert made.member(MEMBER, 0.0) is None
        made.senseless(MEMBER, 0.0)
    refused = made.member(MEMBER, 0.0)
    assert refused is not None
    assert "make no sense" in refused.limit
    assert made.member(MEMBER, refused.wait_s + 0.001) is None


def test_joins_have_a_smaller_budget() -> None:
    made = Budget()
    assert sum(made.joiner(A, 0.0) is None for _ in range(1_000)) == budget.ADDRESS_JOINS.burst
    addresses = [f"ipv4:10.0.0.{n}" for n in range(256)] * 4
    rest = budget.STRANGER_JOINS.burst - budget.ADDRESS_JOINS.burst
    assert sum(made.joiner(address, 0.0) is None for address in addresses) == rest


def test_only_so_many_strangers_are_told() -> None:
    made = Budget()
    assert sum(made.may_be_told(0.0) for _ in range(10_000)) == budget.REFUSALS.burst
    assert sum(made.may_be_told(1.0) for _ in range(10_000)) == budget.REFUSALS.a_second


# ---- the pace of a link --------------------------------------------------------------------------


def test_a_swarm_at_full_speed_is_never_held_up() -> None:
    """3,000 lines a second of 300 bytes, in frames of any size, for ten minutes."""
    pace, rng, now = Pace(), random.Random(1), 0.0
    while now < 600:
        lines = rng.randrange(1, 400)
        now += lines / 3_000
        assert pace.wait_s(now, size=300 * lines, lines=lines) == 0
    assert not pace.floods(now)


def test_pages_of_catch_up_back_to_back_are_never_held_up() -> None:
    """256 KiB each, 100 a second, asked for by one call each."""
    pace, now = Pace(), 0.0
    for _ in range(20_000):
        now += 0.01
        assert pace.wait_s(now, size=256 * 1024, lines=1) == 0
        pace_of_asker = pace.wait_s(now, size=256 * 1024, lines=0)
        assert pace_of_asker == 0


@pytest.mark.parametrize("what", ["lines", "bytes", "noise"])
def test_a_flood_is_read_at_the_rate_and_said_once(what: str) -> None:
    pace, now, said, read = Pace(), 0.0, 0, 0
    rate = {"lines": budget.LINES, "bytes": budget.BYTES, "noise": budget.NOISE}[what]
    size, lines = {"lines": (60_000, 1_000), "bytes": (2**18, 1), "noise": (1_000, 100)}[what]
    while now < 60:
        if what == "noise":
            for _ in range(lines):
                pace.senseless(now)
        now += pace.wait_s(now, size=size, lines=lines)
        now += 0.000_01
        said += pace.began(now)
        read += {"lines": lines, "bytes": size, "noise": lines}[what]
    assert said == 1
    assert pace.floods(now)
    assert pace.held_s > 20
    assert read <= 1.2 * (rate.burst + rate.a_second * 60)


def test_a_flood_is_over_once_it_is_calm_and_a_second_one_is_said_again() -> None:
    pace, now = Pace(), 0.0

    def flood() -> int:
        nonlocal now
        said = 0
        for _ in range(200):
            now += pace.wait_s(now, size=10, lines=5_000)
            said += pace.began(now)
        return said

    assert flood() == 1
    now += budget.CALM_S / 2
    assert flood() == 0
    now += budget.CALM_S + budget.HOLD_MAX_S + 1
    assert not pace.floods(now)
    assert flood() == 1


def test_a_link_is_never_held_up_for_long_at_one_time() -> None:
    pace = Pace()
    assert pace.wait_s(0.0, size=2**40, lines=10**9) == budget.HOLD_MAX_S
