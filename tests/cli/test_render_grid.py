"""Tables and paragraphs of pages."""

from hypothesis import given
from hypothesis import strategies as st

from node.cli.render.grid import empty, grid, paragraph
from tests.cli.drawn import columns_of, picture

PEOPLE = (
    ("page", ("bob", "12", "ready")),
    ("page.bad", ("carol", "4", "connection refused by the other side")),
)


def test_columns_align_and_the_last_goes_on_below_itself() -> None:
    rows = grid(("NICK", "MS", "STATE"), PEOPLE, 34, right=(1,))
    assert picture(rows) == (
        " NICK   MS  STATE\n"
        " bob    12  ready\n"
        " carol   4  connection refused by\n"
        "            the other side"
    )
    assert columns_of(rows) == {34}
    assert [row[0][0] for row in rows] == ["page.head", "page", "page.bad", "page.bad"]


def test_a_last_cell_without_room_goes_below_the_row() -> None:
    rows = grid(("NICK", "MS", "STATE"), PEOPLE, 24)
    assert picture(rows) == (
        " NICK   MS\n"
        " bob    12\n     ready\n carol  4\n     connection refused\n     by the other side"
    )


def test_the_widest_columns_give_way() -> None:
    rows = grid((), [("page", ("a" * 20, "b" * 10, "c"))], 24)
    assert picture(rows) == " aaaaaaaa~  bbbbbbbbbb\n     c"


def test_first_cells_have_a_look_and_a_width_of_their_own() -> None:
    (row,) = grid((), [("page", ("key", "does it"))], 30, lead="page.key", least=6)
    assert row[:3] == (("page.key", " key     "), ("page", "does it"), ("", " " * 14))


def test_no_rows_no_table() -> None:
    assert grid(("HEAD",), (), 30) == []


def test_a_paragraph_keeps_its_indentation() -> None:
    rows = paragraph("page", "  some words that go on", 14)
    assert picture(rows) == "  some words\n  that go on"


def test_an_empty_row_is_as_wide_as_the_others() -> None:
    assert columns_of(empty(9)) == {9}


CELLS = st.text("ab 字", max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4), st.integers(1, 60), st.booleans())
def test_every_row_is_as_wide_as_the_screen(
    cells: list[tuple[str, str, str]], columns: int, headed: bool
) -> None:
    head = ("ONE", "TWO", "THREE") if headed else ()
    rows = grid(head, [("page", row) for row in cells], columns, right=(1,), least=3)
    assert columns_of(rows) <= {columns}
    assert len(rows) >= len(cells)
