"""Ways within a transcript.  Tries node/cli/model/finding.py."""

import pytest
from msgspec.structs import replace

from node.cli.model import (
    Refused,
    Told,
    View,
    find_hit,
    first_unread,
    mention_from,
)
from tests.cli.chats import after, entered, in_chat, joined, line, serial_of, shown, view_of


def transcript() -> View:
    state = after(
        in_chat(line(10, "who broke the build?", mention=True)),
        in_chat(line(20, "looking")),
        joined("build", 30),
        Told(("what", "a Building"), at_ms=40),
        in_chat(line(50, "BUILD is fixed", nick="Mallory", mention=True)),
        Refused(1, "build it again", "no", 60),
        in_chat(line(70, "straße", mention=True)),
        state=entered(),
    )
    return view_of(state)


def text_of(view: View, serial: int) -> str:
    held = {item.serial: text for item, text in zip(view.items, shown(view), strict=True)}
    return held[serial] if serial else ""


def at(view: View, text: str) -> int:
    return serial_of(view, text) if text else 0


@pytest.mark.parametrize(
    ("text", "beside", "step", "found"),
    [
        ("build", "", -1, "Unsent"),
        ("build", "Unsent", -1, "BUILD is fixed"),
        ("Build", "BUILD is fixed", -1, "[what]"),
        ("build", "[what]", -1, "who broke the build?"),
        ("build", "who broke the build?", -1, ""),
        ("build", "", 1, "who broke the build?"),
        ("build", "who broke the build?", 1, "[what]"),
        ("build", "build joined", 1, "[what]"),
        ("build", "straße", 1, ""),
        ("STRASSE", "", -1, "straße"),
        ("nothing", "", -1, ""),
        ("", "", -1, ""),
    ],
)
def test_a_text_is_found_from_match_to_match(text: str, beside: str, step: int, found: str) -> None:
    view = transcript()
    assert text_of(view, find_hit(view, text, at(view, beside), step)) == found


def test_lines_that_are_not_shown_are_not_found() -> None:
    view = transcript()
    beside = at(view, "Unsent")
    assert text_of(view, find_hit(view, "build", beside, -1, ("mallory",))) == "[what]"


@pytest.mark.parametrize(
    ("beside", "step", "found"),
    [
        ("", -1, "straße"),
        ("straße", -1, "BUILD is fixed"),
        ("BUILD is fixed", -1, "who broke the build?"),
        ("who broke the build?", -1, ""),
        ("looking", 1, "BUILD is fixed"),
        ("straße", 1, ""),
        ("", 1, "who broke the build?"),
    ],
)
def test_mentions_are_found_from_one_to_the_next(beside: str, step: int, found: str) -> None:
    view = transcript()
    assert text_of(view, mention_from(view, at(view, beside), step)) == found


def test_ignored_ones_mention_nobody() -> None:
    view = transcript()
    found = mention_from(view, at(view, "straße"), -1, ("mallory",))
    assert text_of(view, found) == "who broke the build?"


@pytest.mark.parametrize(
    ("marker", "unread", "found"),
    [
        ("", 0, ""),
        ("looking", 2, "BUILD is fixed"),  # the first line, not what was told before it
        ("looking", 0, "BUILD is fixed"),
        ("straße", 1, ""),
        ("", 1, "who broke the build?"),
    ],
)
def test_the_first_unread_line_is_behind_the_marker(marker: str, unread: int, found: str) -> None:
    view = transcript()
    view = replace(view, marker=at(view, marker), unread=unread)
    assert text_of(view, first_unread(view)) == found


def test_behind_a_marker_that_is_not_held_any_more_all_is_unread() -> None:
    view = replace(transcript(), marker=999, unread=9)
    assert text_of(view, first_unread(view)) == "who broke the build?"
