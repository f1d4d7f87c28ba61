"""Tries node/limits.py: what may be said, and how a fault is put."""

import pytest

from node import limits
from node.limits import (
    Limits,
    address_fault,
    line_fault,
    name_fault,
    nick_fault,
    split_address,
    text_fault,
)


@pytest.mark.parametrize("value", ["a", "anna", "b-o_b.2", "Jürgen", "Ω", "日本", "٣", "x" * 24])
def test_a_nick_of_letters_and_digits_is_good(value: str) -> None:
    assert nick_fault(value) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "not empty"),
        ("x" * 25, "not 25"),
        ("a b", "U+0020"),
        ("a\n", "U+000A"),
        ("a\x1b[31m", "U+001B"),
        ("a\u202eb", "U+202E"),
        ("a\u200bb", "U+200B"),
        ("\u3164", "U+3164"),
        ("a@b", "'@' U+0040"),
        ("a/b", "'/' U+002F"),
        ("²", "U+00B2"),
    ],
)
def test_a_bad_nick_is_told_what_it_must_be(value: str, said: str) -> None:
    fault = nick_fault(value)
    assert said in fault
    assert "1 to 24 letters, digits, - _ or ." in fault


def test_a_network_name_may_be_longer() -> None:
    assert name_fault("x" * 64) == ""
    assert "1 to 64" in name_fault("x" * 65)


@pytest.mark.parametrize(
    "value",
    [
        "127.0.0.1:1",
        "localhost:65535",
        "[::1]:50051",
        "[fe80::1%eth0]:80",
        "a.b-c.example:5",
        "h:1",
    ],
)
def test_a_good_address(value: str) -> None:
    assert address_fault(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "host",
        ":5",
        "host:",
        "host:0",
        "host:65536",
        "host:-1",
        "host:+1",
        "host: 5",
        "host:٣",
        "host:00000000005",
        "::1:50051",
        "unix:/tmp/x:5",
        "dns:///h:5",
        "http://h:5",
        "h h:5",
        "h\n:5",
        "h:5\n",
        "-h:5",
        "a" * 254 + ":5",
    ],
)
def test_a_bad_address(value: str) -> None:
    assert "HOST:PORT" in address_fault(value)


def test_an_address_is_split_without_brackets() -> None:
    assert split_address("[::1]:50051") == ("::1", 50051)
    assert split_address("h:1") == ("h", 1)


def test_a_line_counts_characters_and_takes_no_control_characters() -> None:
    assert line_fault("", 3) == ""
    assert line_fault("äöü", 3) == ""
    assert "at most 3 characters, not 4" in line_fault("äöüx", 3)
    assert "U+0007" in line_fault("a\x07", 3)
    assert "U+2028" in line_fault("\u2028", 3)
    assert "U+202E" in line_fault("\u202e", 3)
    assert line_fault("👩\u200d💻", 3) == ""


def test_a_text_counts_bytes_and_takes_any_character() -> None:
    assert text_fault("\x1b[31m\n") == ""
    assert "not empty" in text_fault("")
    assert text_fault("ä" * 8_192) == ""
    assert "1 to 16384 bytes, not 16386" in text_fault("ä" * 8_193)
    assert text_fault("abcd", 4) == ""
    assert "not 5" in text_fault("abcde", 4)


def test_the_text_limit_has_a_ceiling() -> None:
    assert Limits(limits.TEXT_CEILING).text_max == 65_536
    with pytest.raises(ValueError, match="65536"):
        Limits(limits.TEXT_CEILING + 1)
