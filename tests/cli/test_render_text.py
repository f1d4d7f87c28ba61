"""Text that others wrote, made safe for a terminal, and how wide it is."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from node.cli.render import text

FAMILY = "\U0001f468\u200d\U0001f469"  # two people held together by a joiner


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain words", "plain words"),
        ("a\x1b[31mred\x1b[0m", "a[31mred[0m"),
        ("a\x9b2Jb\x07\x7f\x00c", "a2Jbc"),
        ("a\r\nb\rc", "a\nbc"),
        ("a\tb", "a       b"),
        ("a\u2028b\u2029c\x85d", "a\nb\ncd"),
        ("evil\u202etxt.exe\u2066x\u2069\u061c\u200f", "eviltxt.exex"),
        ("z\u200be\u200cr\u200do\ufeff\u2060w", "zerow"),
        ("heart\u2764\ufe0f\u2764\ufe0e\U000e0101", "heart\u2764\u2764"),
        ("e\u0301", "e\u0301"),
        ("e\u0301\u0302\u0303\u0304x\u0301", "e\u0301\u0302x\u0301"),
        ("\u0301start\n\u0302line \u0303blank", "start\nline blank"),
        ("a\u200b\u0301", "a\u0301"),
        ("\u034f\u115f\u1160\u3164\uffa0\u17b4", ""),
        ("\ue000\U000f0000\u0378\ud800", "\ufffd" * 4),
        ("\U0001f44d\U0001f3fd", "\U0001f44d"),
        ("\U0001f1e9\U0001f1ea", "DE"),
        (FAMILY, "\U0001f468\U0001f469"),
        ("nbsp\u00a0wide\u3000.", "nbsp wide  ."),
        ("字 é ﷽ ½ ■", "字 é ﷽ ½ ■"),
    ],
)
def test_what_a_terminal_gets_of_a_text(raw: str, shown: str) -> None:
    assert text.clean(raw) == shown


@given(st.text(st.characters(codec=None)))
def test_whatever_was_written_only_shows(raw: str) -> None:
    for line in text.clean(raw).split("\n"):
        assert line.isprintable(), [hex(ord(char)) for char in line]
        assert not set(map(unicodedata.category, line)) & {"Cc", "Cf", "Cs", "Co", "Cn"}
        assert not line or text.width(line[0]) > 0 or line[0] == " "
        for cell, columns in text.cells(line):
            assert columns == text.width(cell) >= 1
            assert len(cell) <= 1 + text.MARKS_MAX
        assert "".join(cell for cell, _ in text.cells(line)) == line


@given(st.text(st.characters(codec=None)))
def test_cleaning_twice_changes_nothing(raw: str) -> None:
    once = text.clean(raw)
    assert text.clean(once) == once


@given(st.text(st.characters(codec=None)))
def test_width_is_what_the_toolkit_thinks(raw: str) -> None:
    assert text.width(raw) == sum(map(get_cwidth, raw))


def test_every_character_by_itself_is_as_wide_as_the_toolkit_thinks() -> None:
    wrong = [n for n in range(sys.maxunicode + 1) if text.width(chr(n)) != get_cwidth(chr(n))]
    assert not wrong


def test_one_line_stays_one() -> None:
    assert text.clean_line("a\nb\u2028c\r\nd") == "a b c d"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("carol", "carol"),
        ("c\u202ea\u200dr\u2066o\x1bl\ufeff", "carol"),
        ("car\ue000ol\ud800", "carol"),
        ("alice \u00a0| hi", "alice__|_hi"),
        ("zoé", "zoé"),
        ("z\u0301\u0302\u0303", "z\u0301\u0302"),
        ("a\nb", "a_b"),
    ],
)
def test_a_name_shows_all_that_it_has(raw: str, shown: str) -> None:
    assert text.clean_name(raw) == shown


@pytest.mark.parametrize(
    ("nick", "shown"),
    [
        ("carol", "carol"),
        ("you", "<you>"),
        ("YoU\u200b", "<YoU>"),
        ("--", "<-->"),
        ("*", "<*>"),
        ("", "<?>"),
        ("\u202e", "<?>"),
        ("a-b", "a-b"),
    ],
)
def test_nobody_is_called_what_the_face_calls_itself(nick: str, shown: str) -> None:
    assert text.shown_nick(nick) == shown


@pytest.mark.parametrize("at_ms", [2**64, -(2**62), 10**17])
def test_a_clock_out_of_this_world_is_shown_as_such(at_ms: int) -> None:
    assert text.clock(at_ms) == "--:--:--"
    assert text.clock(at_ms, 1) == "--:--:--"
    assert text.iso(at_ms) is None
    assert text.clock(1_000, at_ms) == text.clock(1_000)


@pytest.mark.parametrize(
    ("texts", "common"),
    [(["one"], "one"), (["alpha", "alps"], "alp"), (["a", "ab"], "a"), (["x", "y"], "")],
)
def test_what_all_choices_begin_with(texts: list[str], common: str) -> None:
    assert text.beginning(texts) == common
