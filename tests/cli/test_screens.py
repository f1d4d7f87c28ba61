"""The app's screens are those that people have read: the files in tests/cli/screens.

Where a screen has changed on purpose, `make screens` writes the files anew.
"""

import inspect

import pytest

from node.cli.client import Client
from tests.cli.fake_node import FakeNode
from tests.cli.screens import kept
from tests.cli.screens.golden import columns_of, framed, written
from tests.cli.screens.picture import svg
from tests.display import Display, pasted, pressed


@pytest.mark.parametrize("name", sorted(kept.SCENES))
def test_a_scene_looks_as_its_file_says(name: str) -> None:
    said, seen = kept.read(name), kept.played(name)
    assert said, f"{name} has no file yet: make screens"
    assert seen.splitlines() == said.splitlines()


@pytest.mark.parametrize("name", sorted(kept.PICTURES))
def test_a_picture_shows_its_scene(name: str) -> None:
    assert kept.picture_of(name).read_text("utf-8") == kept.drawn(name), "make screens"


def test_every_file_has_a_scene() -> None:
    there = {file.name for file in kept.HERE.iterdir() if file.suffix in (".txt", ".svg")}
    wanted = {f"{name}.txt" for name in kept.SCENES} | {f"{name}.svg" for name in kept.PICTURES}
    assert there == wanted


def test_the_played_node_is_called_as_the_real_one() -> None:
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if name.startswith("_"):
            continue
        played = getattr(FakeNode, name, None)
        assert played is not None, f"Client.{name} is not played"
        assert inspect.signature(played) == inspect.signature(method), name


# ---- the tools themselves ------------------------------------------------------------------------


@pytest.fixture
def display() -> Display:
    found = Display(12, 3)
    found.feed("\x1b[1;31mred\x1b[0m \x1b[2mdim\x1b[0m\r\n漢字 <&>\r\n> ")
    return found


def test_a_screen_is_written_with_a_frame_its_keys_and_its_cursor(display: Display) -> None:
    assert written(display, ["Alt+2", "PgUp"]).splitlines() == [
        "== 12x3",
        "keys: Alt+2 PgUp",
        "+------------+",
        "|red dim     |",
        "|漢字 <&>    |",
        "|>           |",
        "+------------+",
        "cursor: 2,2",
    ]


def test_styles_have_a_letter_a_cell_and_a_legend(display: Display) -> None:
    assert written(display, [], styles=True).splitlines()[-8:] == [
        "cursor: 2,2",
        "+------------+",
        "|aaa.bbb.....|",
        "|............|",
        "|............|",
        "+------------+",
        "a bold red",
        "b dim",
    ]


@pytest.mark.parametrize("row", ["too long row", "short", "漢字漢"])
def test_a_row_that_does_not_fill_its_frame_is_a_mistake(row: str) -> None:
    assert columns_of(row) != 10
    with pytest.raises(AssertionError):
        framed(10, [row])


def test_a_picture_has_every_word_and_nothing_from_elsewhere(display: Display) -> None:
    picture = svg(display, "p2pchat <1>")
    for part in (">red<", ">dim<", ">漢<", ">字<", "&lt;&amp;&gt;", "p2pchat &lt;1&gt;"):
        assert part in picture
    assert picture.count("http") == 1, "only the name of SVG itself"
    assert "url(" not in picture


def test_a_display_remembers_what_programs_should_put_back(display: Display) -> None:
    display.feed("\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[?1000h\x07\x1b]2;title\x07gone")
    assert (display.is_alternate, display.takes_pastes, display.takes_mouse) == (True, True, True)
    assert (display.shows_cursor, display.bells, display.title) == (False, 1, "title")
    display.feed("\x1b[?1049l\x1b[?2004l\x1b[?25h\x1b[?1000l")
    assert display.text == "red dim\n漢字 <&>\n>"
    assert (display.is_alternate, display.takes_pastes, display.takes_mouse) == (False,) * 3
    assert display.shows_cursor


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("Ctrl+N", "\x0e"),
        ("Alt+2", "\x1b2"),
        ("Alt+=", "\x1b="),
        ("Alt+A", "\x1ba"),
        ("Alt+Right", "\x1b[1;3C"),
        ("x", "x"),
    ],
)
def test_keys_are_what_xterm_sends(key: str, raw: str) -> None:
    assert pressed(key) == raw


def test_there_are_no_other_keys() -> None:
    with pytest.raises(KeyError):
        pressed("Hyper+X")


def test_a_paste_is_bracketed_and_its_lines_end_as_keys_do() -> None:
    assert pasted("a\nb") == "\x1b[200~a\rb\x1b[201~"
