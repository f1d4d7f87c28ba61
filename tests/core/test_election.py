"""Tries node/core/election.py."""

from random import Random

import pytest

from node.core.election import Election, Round, unreachable
from node.core.messages import Elected, View, Vote
from node.core.timing import LAN
from node.core.types import Epoch

E5, E6 = Epoch(1, 5), Epoch(1, 6)
VIEW = View(E5, 1, "", 0, 0, 0, 0, 0, 0)


def election() -> Election:
    return Election(LAN, Random(7))


def answers(**votes: Vote) -> Round:
    said = {int(m[1:]): Elected(False, True, vote, VIEW) for m, vote in votes.items()}
    return Round(E5, 1, [], answers=said)


def test_a_round_of_another_is_news_once_for_each_epoch_and_leader() -> None:
    e = election()
    assert e.agree(4, E5, 1)
    assert not e.agree(4, E5, 1)
    assert e.agree(4, E5, 2)
    assert e.agree(3, E5, 2)
    assert e.agree(5, E6, 2)
    assert e.disagree(E5, 2) == [3, 4]
    assert e.disagree(E6, 2) == [], "all that was not about this leader is forgotten"
    assert e.agree(4, E5, 2)


@pytest.mark.parametrize(
    ("round", "expected"),
    [
        (answers(), (3,)),
        (answers(m2=Vote.UNREACHABLE, m4=Vote.UNREACHABLE), (2, 3, 4)),
        (answers(m2=Vote.ALIVE, m4=Vote.UNREACHABLE), (3, 4)),
        (answers(m2=Vote.LEADING, m4=Vote.PROVISIONAL), (3,)),
        (answers(m9=Vote.UNREACHABLE), (3,)),  # dropped: it is told, and does not count
    ],
)
def test_the_unreachable_are_those_active_that_say_so_and_oneself(
    round: Round, expected: tuple[int, ...]
) -> None:
    assert unreachable(round, (1, 2, 3, 4), 3) == expected


def test_a_claim_keeps_its_nonce_and_expectation_until_its_fate_is_known() -> None:
    e = election()
    first = e.ready_claim(0, E5, (2, 3), 4, stale=False, fate=False)
    again = e.ready_claim(1_000, E5, None, 4, stale=False, fate=False)
    assert again == first
    assert (first.expected, first.votes, first.electorate) == (E5, (2, 3), 4)


def test_stale_votes_are_not_repeated_and_nothing_new_is_asked_for() -> None:
    e = election()
    first = e.ready_claim(0, E5, (2, 3), 4, stale=False, fate=False)
    fate = e.ready_claim(4_000, E5, None, 4, stale=True, fate=True)
    assert (fate.nonce, fate.votes, fate.only_fate) == (first.nonce, (), True)


def test_a_new_round_puts_its_votes_into_the_claim_under_the_same_nonce() -> None:
    e = election()
    first = e.ready_claim(0, E5, (2, 3), 4, stale=False, fate=False)
    e.ready_claim(4_000, E5, None, 4, stale=True, fate=True)
    anew = e.ready_claim(5_000, E5, (3, 4), 5, stale=False, fate=False)
    assert (anew.nonce, anew.votes, anew.electorate) == (first.nonce, (3, 4), 5)
    assert (anew.only_fate, anew.made_at) == (False, 5_000)


def test_a_claim_for_its_own_sake_asks_for_more_than_its_fate() -> None:
    e = election()
    e.ready_claim(0, E5, (2, 3), 4, stale=False, fate=False)
    e.ready_claim(4_000, E5, None, 4, stale=True, fate=True)
    assert not e.ready_claim(5_000, E5, (), 4, stale=False, fate=False).only_fate


def test_a_provisional_leader_goes_on_claiming_without_votes_of_another_time() -> None:
    e = election()
    first = e.ready_claim(0, E5, (2, 3), 4, stale=False, fate=False)
    again = e.ready_claim(60_000, E5, None, 4, stale=True, fate=False)
    assert (again.nonce, again.votes, again.only_fate) == (first.nonce, (), False)


def test_another_epoch_takes_another_nonce() -> None:
    e = election()
    first = e.ready_claim(0, E5, (2,), 3, stale=False, fate=False)
    other = e.ready_claim(0, E6, (2,), 3, stale=False, fate=False)
    assert other.expected == E6
    assert other.nonce != first.nonce
    assert first.nonce > 0


def test_rounds_that_change_nothing_wait_longer_each_time_up_to_eight_t2() -> None:
    e = election()
    waits = []
    for _ in range(8):
        e.back_off(10_000)
        waits.append(e.next_round_at - 10_000)
    for at, wait in enumerate(waits):
        least, most = LAN.t1_ms << at, LAN.t2_ms << at
        assert min(least, 8 * LAN.t2_ms) <= wait <= min(most, 8 * LAN.t2_ms)
    assert waits[-1] == 8 * LAN.t2_ms
    e.forget_back_off()
    assert e.next_round_at == 0
    e.back_off(10_000)
    assert e.next_round_at - 10_000 <= LAN.t2_ms
