"""Long lines on several rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli.render.text import clean, width
from node.cli.render.wrap import hung, spans, wrapped


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("", 5, ("",)),
        ("short", 5, ("short",)),
        ("two words", 5, ("two", "words")),
        ("ab cd ef", 5, ("ab cd", "ef")),
        ("abcdefgh", 5, ("abcde", "fgh")),
        ("ab cdefghij", 5, ("ab", "cdefg", "hij")),
        ("ab    cd", 5, ("ab", "cd")),
        ("trailing   ", 8, ("trailing",)),
        ("  indented", 10, ("  indented",)),
        ("  indented text", 10, ("  indented", "text")),
        ("      long", 5, (" long",)),
        ("    abcdefg", 5, ("abcde", "fg")),
        ("one\n\ntwo", 5, ("one", "", "two")),
        ("字字字", 5, ("字字", "字")),
        ("字 字字字", 5, ("字", "字字", "字")),
        ("e\u0301e\u0301e\u0301", 2, ("e\u0301e\u0301", "e\u0301")),
        ("字a", 1, ("\ufffd", "a")),
        ("abc", 0, ("a", "b", "c")),
    ],
)
def test_rows_of_a_text(text: str, columns: int, rows: tuple[str, ...]) -> None:
    assert wrapped(text, columns) == rows


@pytest.mark.parametrize(
    ("line", "columns", "rows"),
    [
        ("short  row", 20, ["short  row"]),
        ("bob  id 2  alive  10.0.0.1:50061", 22, ["bob  id 2  alive", "10.0.0.1:50061"]),
        ("bob  id 2  seen 12s ago", 20, ["bob  id 2", "seen 12s ago"]),
        ("others run:  p2pchat join a:1/dev", 26, ["others run:", "p2pchat join a:1/dev"]),
        ("no columns in here at all", 14, ["no columns in", "here at", "all"]),
        (" bob  id 2 and so on", 11, [" bob", "id 2", "and so", "on"]),
        ("   indented text that goes on", 12, ["   indented", "text", "that", "goes on"]),
    ],
)
def test_rows_of_tables_are_broken_between_columns(
    line: str, columns: int, rows: list[str]
) -> None:
    found, indent = hung(line, columns, 4)
    assert [line[start:end] for start, end in found] == rows
    assert indent == 4


def test_a_word_is_not_broken_for_the_blanks_before_it() -> None:
    line = "log  /home/you/node.log"
    found, indent = hung(line, 18, 4)
    assert [line[start:end] for start, end in found] == ["log", "/home/you/node.log"]
    assert indent == 0


@given(st.text("ab 字", max_size=80), st.integers(6, 30))
def test_of_tables_too_only_blanks_are_lost(line: str, columns: int) -> None:
    (first, *rest), indent = hung(line, columns, 4)
    assert width(line[slice(*first)]) <= columns
    assert all(width(line[slice(*one)]) <= columns - indent for one in rest)
    shown = "".join(line[slice(*one)] for one in (first, *rest))
    assert shown.replace(" ", "") == line.replace(" ", "")


@given(st.text("ab 字e\u0301\u0302\n", max_size=80).map(clean), st.integers(1, 20))
def test_no_row_is_wider_and_only_blanks_are_lost(text: str, columns: int) -> None:
    rows = wrapped(text, columns)
    assert max(map(width, rows)) <= columns
    if columns >= 2:
        assert "".join(rows).replace(" ", "") == text.replace(" ", "").replace("\n", "")


@given(st.text("ab 字", max_size=80), st.integers(2, 20))
def test_a_word_that_fits_is_not_broken(text: str, columns: int) -> None:
    words = set(text.split())
    for row in wrapped(text, columns):
        for word in row.split():
            assert word in words or max(map(width, words)) > columns


@given(st.text("ab 字e\u0301", max_size=80).map(clean), st.integers(2, 20))
def test_spans_are_in_order_and_none_begins_with_a_mark(text: str, columns: int) -> None:
    end = 0
    for first, last in spans(text, columns):
        assert end <= first <= last <= len(text)
        assert first == last or width(text[first]) > 0
        end = last


@pytest.mark.parametrize("piece", ["a", "word ", "字", "e\u0301", " ", "a 字 ", "\u0301", "\t"])
def test_the_longest_line_there_is(piece: str) -> None:
    text = clean(piece * (65_536 // len(piece.encode())) + "x")
    rows = wrapped(text, 80)
    assert max(map(width, rows)) <= 80
    assert rows[-1].endswith("x")
