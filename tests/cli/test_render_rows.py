"""Rows that are exactly as wide as the screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli.render.rows import Row, cut, fitted, head, justified, padded, plain
from node.cli.render.text import clean_line, width

FRAGMENTS = st.lists(
    st.tuples(st.sampled_from(["a", "b", ""]), st.text("x字e\u0301 ").map(clean_line))
)


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        ((), 3, (("fill", "   "),)),
        ((("a", "xy"),), 2, (("a", "xy"),)),
        ((("a", "xy"),), 3, (("a", "xy"), ("fill", " "))),
        ((("a", "xy"), ("b", "z")), 2, (("a", "xy"),)),
        ((("a", "xyz"),), 2, (("a", "xy"),)),
        ((("a", "x字"),), 2, (("a", "x"), ("fill", " "))),
        ((("a", ""), ("b", "z")), 1, (("b", "z"),)),
        ((("a", "x"),), 0, ()),
    ],
)
def test_a_row_is_cut_or_filled(row: Row, columns: int, expected: Row) -> None:
    assert fitted(row, columns, "fill") == expected


@given(FRAGMENTS, st.integers(0, 30))
def test_a_fitted_row_has_the_columns_asked_for(row: list[tuple[str, str]], columns: int) -> None:
    done = fitted(row, columns)
    assert width(plain(done)) == columns
    assert all(text for _, text in done)
    assert plain(done).rstrip() in plain(tuple(row)) or not plain(done).strip()


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("alice", 5, "alice"),
        ("alice", 4, "ali~"),
        ("alice", 1, "~"),
        ("alice", 0, ""),
        ("", 0, ""),
        ("字字字", 4, "字~"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301~"),
    ],
)
def test_what_is_too_long_is_cut_with_a_mark(text: str, columns: int, expected: str) -> None:
    assert cut(text, columns) == expected


def test_a_mark_is_not_parted_from_its_letter() -> None:
    assert head("ae\u0301b", 2) == "ae\u0301"
    assert head("字b", 1) == ""
    assert head("abc", -1) == head("字", -1) == ""


def test_both_ends() -> None:
    assert (justified("字", 4), padded("字", 4)) == ("  字", "字  ")
