"""The looks of every class, in every theme."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from prompt_toolkit.styles import Style

from node import words as w
from node.cli.model import Anchor, Search
from node.cli.render import screen
from node.cli.render.themes import NICKS, THEMES
from tests.cli.drawn import DAY, DEV, NOW, PICTURED, G, drawn, line, reply, showing, unsent

COLOUR = re.compile(r"ansi\w+|#[0-9a-f]{6}|bg:")


def test_the_themes_have_the_names_that_settings_know() -> None:
    assert set(THEMES) == {"default", "mono", "high-contrast", "light"}


@pytest.mark.parametrize("theme", THEMES)
def test_every_theme_has_every_class(theme: str) -> None:
    assert set(THEMES[theme]) == set(THEMES["default"])


@pytest.mark.parametrize("theme", THEMES)
def test_the_toolkit_understands_every_look(theme: str) -> None:
    style = Style.from_dict(THEMES[theme])
    for name in THEMES[theme]:
        style.get_attrs_for_style_str(f"class:{name}")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("name", "dim"), [("notice.error", False), ("new", False), ("delivery.failed", False)]
)
def test_what_matters_is_not_dim_like_what_it_is_a_kind_of(
    theme: str, name: str, dim: bool
) -> None:
    style = Style.from_dict(THEMES[theme])
    assert style.get_attrs_for_style_str(f"class:{name}").dim is dim


def test_a_line_that_all_have_is_dim_and_nothing_else() -> None:
    attributes = Style.from_dict(THEMES["default"]).get_attrs_for_style_str("class:delivery.all")
    assert (attributes.dim, attributes.color) == (True, "")


def test_mono_has_no_colour_at_all() -> None:
    assert not [name for name, look in THEMES["mono"].items() if COLOUR.search(look)]
    assert [name for name, look in THEMES["default"].items() if COLOUR.search(look)]


@pytest.mark.parametrize("theme", THEMES)
def test_only_the_sixteen_colours_are_used(theme: str) -> None:
    assert not [look for look in THEMES[theme].values() if "#" in look]


def test_authors_have_different_colours() -> None:
    looks = {THEMES["default"][f"nick.{n}"] for n in range(NICKS)}
    assert len(looks) == NICKS


def test_every_class_that_is_drawn_is_in_the_themes() -> None:
    items = (
        line(1, 0, "eve", "hey you", mention=True),
        reply(2, 1, "told"),
        reply(3, 1, "wrong", tone="error"),
        reply(4, 1, "try this", tone="hint"),
        unsent(5, 2, "lost words", "too long"),
        line(6, 3, "you", "all have it", acked=3, of=3),
        line(7, 4, "you", "nobody has it", acked=0, of=3),
    )
    states = [
        showing(replace(DEV, items=items), search=Search("hey", 1), hint="type to talk", lost=True),
        showing(replace(DEV, scroll=Anchor(3)), search=Search("build", 0, True)),
        showing(
            replace(
                DEV,
                items=(line(1, 0, "eve", "long ago", sent_ms=NOW - 3 * DAY),),
                members=(w.Member(G + 5, "eve", "alive", away="lunch", lacking=2),),
            ),
            nds=(w.DiscoveryService(DEV.chat.nds, "down 40s", NOW - 40_000),),
        ),
    ]
    rows = [row for name in PICTURED for row in drawn(name)]
    rows += [row for state in states for row in screen.draw(state, 120, 40, 1, NOW)]
    used = {look for row in rows for look, _ in row}
    assert used <= set(THEMES["default"]), used - set(THEMES["default"])
    theirs = ("completion-menu", "scrollbar", "selected", "incsearch")
    rest = {name for name in set(THEMES["default"]) - used if not name.startswith(theirs)}
    assert not {name for name in rest if not name.startswith("nick.")}


def test_no_colour_is_written_anywhere_else() -> None:
    here = Path(screen.__file__).parent
    for source in here.glob("*.py"):
        if source.name != "themes.py":
            assert not re.search(r"ansi(red|cyan|green|yellow|blue|magenta)", source.read_text())
