"""What may be set, and how what was written becomes a value."""

import pytest

from node.cli.render.themes import THEMES as DRAWN
from node.config import Config
from node.options import BY_KEY, OPTIONS, SETTABLE, THEMES, Option


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("nick", " bob ", "bob"),
        ("nds", "a:1, b:2 a:1", ("a:1", "b:2")),
        ("nds", ["a:1"], ("a:1",)),
        ("listen", "127.0.0.1", "127.0.0.1:0"),
        ("timeout", "2.5", 2.5),
        ("preset", "wan", "wan"),
        ("theme", "high-contrast", "high-contrast"),
        ("mouse", "on", "on"),
        ("mouse", True, "on"),
        ("bell", False, "off"),
        ("chats", True, "on"),
        ("members", "auto", "auto"),
        ("notify_command", " notify-send -a p2pchat ", "notify-send -a p2pchat"),
    ],
)
def test_what_was_written_becomes_a_value(key: str, written: object, value: object) -> None:
    assert BY_KEY[key].read(written) == value


@pytest.mark.parametrize(
    ("key", "written", "why"),
    [
        ("nick", "a b", "must be 1 to 24 letters"),
        ("nick", "", "must be a text"),
        ("nds", 5, "must be a list of HOST:PORT"),
        ("advertise", "host", "must be HOST:PORT"),
        ("timeout", True, "must be a number of seconds"),
        ("timeout", 0, "must be a number of seconds"),
        ("preset", "moon", "must be one of lan, wan, not 'moon'"),
        ("preset", True, "must be one of lan, wan"),
        ("theme", "pink", "must be one of default, mono, high-contrast, light"),
        ("theme", True, "must be one of default"),
        ("theme", [], "must be one of default"),
        ("mouse", "yes", "must be one of on, off"),
        ("mouse", 1, "must be one of on, off"),
        ("chats", "left", "must be one of auto, on, off"),
        ("notify_command", "a\x1bb", "must be one line without control characters"),
        ("notify_command", "x" * 1001, "must be at most 1000 characters"),
    ],
)
def test_what_is_no_value_is_refused_with_what_it_must_be(
    key: str, written: object, why: str
) -> None:
    with pytest.raises(ValueError) as told:
        BY_KEY[key].read(written)
    assert str(told.value).startswith(why)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_choice_is_a_value_of_its_option(option: Option) -> None:
    assert all(option.read(choice) == choice for choice in option.choices)
    assert not option.choices or option.default in option.choices


def test_every_option_is_a_field_of_the_config() -> None:
    options = [option.key for option in OPTIONS]
    assert Config.__struct_fields__[-len(options) :] == tuple(options)
    assert set(SETTABLE) <= set(OPTIONS)


def test_every_theme_that_may_be_chosen_is_drawn() -> None:
    assert set(THEMES) == set(DRAWN)
