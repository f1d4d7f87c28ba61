"""Tries node/core/runs.py against a plain set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.runs import Runs
from node.core.sums import short

from .laws import fixed

seqs = st.lists(st.integers(1, 30), unique=True)


def runs_of(numbers: list[int]) -> Runs:
    runs = Runs()
    for number in numbers:
        runs.add(number, term_of(number))
    return runs


def term_of(number: int) -> int:
    return 1 << number


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ([], []),
        ([4], [(4, 4)]),
        ([1, 2, 3], [(1, 3)]),
        ([3, 2, 1], [(1, 3)]),
        ([1, 3], [(1, 1), (3, 3)]),
        ([1, 3, 2], [(1, 3)]),
        ([5, 1, 9, 6, 8], [(1, 1), (5, 6), (8, 9)]),
    ],
)
def test_neighbours_join_to_runs(added: list[int], expected: list[tuple[int, int]]) -> None:
    assert list(runs_of(added)) == expected


def test_a_number_is_taken_in_once() -> None:
    with pytest.raises(AssertionError):
        runs_of([1, 2, 1])


def test_another_content_changes_the_hash_of_one_run() -> None:
    runs = runs_of([1, 2, 5])
    runs.replace(2, term_of(2), 1 << 40)
    hashes = [short(term_of(1) + (1 << 40)), short(term_of(5))]
    assert [hash for _, _, hash in runs.without([])] == hashes


@pytest.mark.parametrize(
    ("theirs", "newest_first", "expected"),
    [
        ([], False, [1, 2, 3, 5, 6]),
        ([], True, [6, 5, 3, 2, 1]),
        ([(1, 3, 0)], False, [5, 6]),
        ([(2, 5, 0)], False, [1, 6]),
        ([(2, 5, 0)], True, [6, 1]),
        ([(1, 9, 0)], False, []),
        ([(1, 3, short(0b1110))], False, [5, 6]),  # The same run, the same contents.
        ([(1, 3, short(0b1111))], False, [1, 2, 3, 5, 6]),  # The same run of other contents.
        ([(1, 2, short(0b1111))], False, [3, 5, 6]),  # Of another run the hash says nothing.
    ],
)
def test_beyond_names_what_others_lack(
    theirs: list[tuple[int, int, int]], newest_first: bool, expected: list[int]
) -> None:
    assert list(runs_of([1, 2, 3, 5, 6]).beyond(theirs, newest_first)) == expected


@fixed
@given(seqs)
def test_runs_hold_what_was_added_and_nothing_else(numbers: list[int]) -> None:
    runs = runs_of(numbers)
    assert [n for first, last in runs for n in range(first, last + 1)] == sorted(numbers)
    assert runs.sum_between(1, 30, term_of) == sum(map(term_of, numbers))
    gaps = [(b[0] - a[1]) for a, b in zip(list(runs), list(runs)[1:], strict=False)]
    assert all(gap > 1 for gap in gaps), "neighbours were not joined"


@fixed
@given(seqs, seqs, st.booleans())
def test_beyond_is_the_difference_of_sets(own: list[int], theirs: list[int], back: bool) -> None:
    held = [(first, last, 0) for first, last in runs_of(theirs)]
    expected = sorted(set(own) - set(theirs), reverse=back)
    assert list(runs_of(own).beyond(held, back)) == expected


@fixed
@given(seqs, seqs)
def test_without_cuts_holes_and_keeps_the_hashes_of_whole_runs(
    own: list[int], holes: list[int]
) -> None:
    cut = list(runs_of(own).without(sorted(holes)))
    left = [n for first, last, _ in cut for n in range(first, last + 1)]
    assert left == sorted(set(own) - set(holes))
    whole = set(runs_of(own).without([]))
    assert all(run in whole or run[2] == 0 for run in cut)


def test_the_first_number_is_given_up_with_its_term() -> None:
    runs = Runs()
    for seq in (3, 4, 7):
        runs.add(seq, 1 << seq)
    assert runs.last == 7
    assert [runs.drop_first(1 << seq) for seq in (3, 4)] == [3, 4]
    assert list(runs.without([])) == [(7, 7, short(1 << 7))]
    assert runs.drop_first(1 << 7) == 7
    assert not runs


@fixed
@given(st.sets(st.integers(1, 20)), st.integers(1, 20), st.integers(1, 20))
def test_the_sum_between_two_numbers_is_that_of_what_is_held_there(
    seqs: set[int], low: int, high: int
) -> None:
    runs = Runs()
    for seq in seqs:
        runs.add(seq, 1 << seq)
    asked: list[int] = []

    def term_of(seq: int) -> int:
        asked.append(seq)
        return 1 << seq

    expected = sum(1 << seq for seq in seqs if low <= seq <= high)
    assert runs.sum_between(low, high, term_of) == expected
    assert len(asked) <= len(seqs) // 2 + 1, "whole runs are not looked into"
