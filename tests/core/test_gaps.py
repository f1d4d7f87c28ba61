"""Tries node/core/gaps.py."""

from node.core.gaps import Gaps
from node.core.types import Floor

from .cast import stream

ONE, TWO = Floor(1, stream(1), 5, 9), Floor(2, stream(1), 3, 9)


def test_a_gap_is_open_until_everyone_was_asked() -> None:
    gaps = Gaps()
    assert not gaps
    assert gaps.unasked((7, 8)) == ()
    gaps.note(ONE)
    gaps.asked(7)
    assert gaps.unasked((7, 8)) == (8,)
    gaps.note(TWO)
    assert gaps.unasked((7, 8)) == (7, 8), "nobody was asked about the second author yet"
    gaps.asked(8)
    assert gaps.unasked((7, 8)) == (7,)
    gaps.forget(2)
    assert gaps.unasked((7, 8)) == ()
    assert list(gaps) == [ONE]


def test_of_the_floors_of_one_author_the_one_that_stands_is_kept_with_who_was_asked() -> None:
    gaps = Gaps()
    gaps.note(ONE)
    gaps.asked(7)
    gaps.note(ONE._replace(seq=2))
    gaps.note(ONE._replace(sum=3))
    assert list(gaps) == [ONE._replace(sum=3)]
    assert gaps.unasked((7,)) == ()
    gaps.forget(1)
    assert not gaps


def test_who_was_asked_before_a_floor_rose_is_asked_again_about_what_it_counts_since() -> None:
    """It may have said something meanwhile that others have trimmed already."""
    higher = ONE._replace(seq=8)
    gaps = Gaps()
    gaps.note(ONE)
    gaps.asked(7)
    gaps.note(higher)
    gaps.note(ONE._replace(seq=6))
    assert list(gaps) == [ONE], "the first gap is not held up"
    assert gaps.unasked((7,)) == ()
    gaps.forget(1)
    assert list(gaps) == [higher]
    assert gaps.unasked((7,)) == (7,)
    gaps.forget(1)
    assert not gaps
