"""Lines that were edited or redacted change where they stand: in the window, beside it, in pages.

Tries node/cli/model/transcript.py, paging.py and happened.py.
"""

import pytest
from msgspec.structs import replace

from node import happenings as h
from node.cli.model import Paged, State, Towards
from node.cli.render.text import shown_text
from node.words import Line
from tests.cli.chats import BOB, after, entered, in_chat, line, lines, said, view_of


def edited(at: int, text: str = "new") -> Line:
    return replace(line(at), text=text, edited=True)


def redacted(at: int) -> Line:
    return replace(line(at), text="", erased=True, redacted_by="bob")


def change(now: Line) -> h.Happening:
    return in_chat(h.ChangeEvent(now, BOB, "bob"))


def read(*ats: int, older: str = "") -> State:
    return after(Paged(1, lines(ats), Towards.END, older), state=entered())


def shown(state: State) -> list[str]:
    return [shown_text(one) for one in view_of(state).lines]


def test_a_line_changes_where_it_stands_and_nothing_else_is_told() -> None:
    state = after(change(edited(2)), state=read(1, 2, 3))
    assert shown(state) == ["1", "new (edited)", "3"]
    state = after(change(redacted(2)), state=state)
    assert shown(state) == ["1", "[redacted by bob]", "3"]
    assert len(view_of(state).items) == 3


def test_it_keeps_its_place_its_acknowledgements_and_what_is_unread() -> None:
    state = after(said(4), state=read(1, 2, 3))
    before = view_of(state)
    own = replace(before.items[1].entry, own=True, acked=2, of=2)  # type: ignore[arg-type]
    items = (before.items[0], replace(before.items[1], entry=own), *before.items[2:])
    state = state.having(replace(before, items=items))
    view = view_of(after(change(edited(2)), state=state))
    assert [item.serial for item in view.items] == [item.serial for item in items]
    (now,) = [one for one in view.lines if one.edited]
    assert (now.acked, now.of, now.own) == (2, 2, True)
    assert (view.unread, view.marker) == (before.unread, before.marker)


def test_another_s_line_with_the_same_id_stays() -> None:
    other = replace(edited(2), source_id=BOB + 90)
    assert shown(after(change(other), state=read(1, 2))) == ["1", "2"]


@pytest.mark.parametrize("now", [edited(1), redacted(1)])
def test_a_page_that_was_read_before_brings_nothing_back(now: Line) -> None:
    state = after(change(now), state=read(2, 3, older="9.9"))
    page = Paged(1, lines((1,)), Towards.OLDER, "", asked="9.9")
    assert shown(after(page, state=state)) == [shown_text(now), "2", "3"]


def test_a_page_that_knows_of_a_change_brings_what_is_held_up_to_date() -> None:
    page = Paged(1, (edited(1), line(2), redacted(3)), Towards.END, "")
    assert shown(after(page, state=read(1, 2, 3))) == ["new (edited)", "2", "[redacted by bob]"]
