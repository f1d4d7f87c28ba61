"""What is pasted into a terminal that does not say so.  Tries node/cli/app/keyboard.py."""

import pytest

from node.cli.app import keyboard
from tests.cli.app_world import World

SOON_MS = keyboard.QUIET_S * 1_000 / 2


def world() -> World:
    made = World(100, 20, term="linux")
    made.node.add_chat("dev", "alice", "bob", "you", leader="alice")
    made.node.add_chat("ops", "alice", "you", leader="alice")
    made.start(chat="dev")
    return made


def said(made: World) -> list[str]:
    return [call["text"] for call in made.node.asked("send")]


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(1, count + 1)]


def typed(made: World) -> str:
    return made.rows[-1].partition("] ")[2].rstrip()


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_more_lines_at_once_than_are_pasted_unasked_are_asked_for(end: str, last: str) -> None:
    with world() as made:
        made.type("draft ")
        made._send("".join(f"{one}{end}" for one in numbered(8)).removesuffix("" if last else end))
        made.sees("Paste 8 lines?", "draft")
        assert not said(made)
        made.press("y", "Enter")
        assert said(made) == ["draft " + "\n".join(numbered(8))]


def test_what_is_not_wanted_leaves_what_was_typed_before() -> None:
    with world() as made:
        made.type("draft")
        made._send("\r".join(numbered(8)))
        made.press("n")
        made.misses("Paste")
        assert (said(made), typed(made)) == ([], "draft")


@pytest.mark.parametrize("count", [2, 4, 5])
def test_a_few_lines_at_once_are_messages(count: int) -> None:
    with world() as made:
        made._send("".join(f"{one}\r" for one in numbered(count)))
        assert said(made) == numbered(count)


def test_lines_that_come_one_by_one_are_messages_however_many() -> None:
    with world() as made:
        for one in numbered(30):
            made._input.send_text(f"{one}\r")
            made.loop.settle()
        made.passes(200)
        assert said(made) == numbered(30)


@pytest.mark.parametrize("pause_ms", [0, SOON_MS, keyboard.QUIET_S * 1_000 + 20])
def test_a_long_paste_is_read_in_parts_and_asked_for_once(pause_ms: float) -> None:
    with world() as made:
        text = "\r".join([*numbered(300), "y", ""])
        for at in range(0, len(text), 1_024):
            made._input.send_text(text[at : at + 1_024])
            made.passes(pause_ms)
        made.passes(200)
        made.sees("Paste 301 lines?")
        assert not said(made)
        made.press("y", "Enter")
        assert said(made) == ["\n".join([*numbered(300), "y"])]


def test_long_lines_are_a_paste_as_short_ones_are() -> None:
    with world() as made:
        made._send("\r".join(["x" * 1_500] * 8))
        made.sees("Paste 8 lines?")
        assert not said(made)


def test_a_read_that_ends_with_its_only_line_is_not_the_last() -> None:
    with world() as made:
        made._send("x" * 1_023 + "\r" + "\r".join(numbered(7)))
        made.sees("Paste 8 lines?")
        assert not said(made)


@pytest.mark.parametrize("last", ["nine\rten", "9\r10\r"])
def test_the_end_of_a_paste_that_comes_late_is_pasted_too(last: str) -> None:
    with world() as made:
        made._send("\r".join([*numbered(8), ""]))
        made._send(last)
        made.sees("Paste 10 lines?")
        assert not said(made)


def test_the_end_of_the_last_line_may_come_late() -> None:
    with world() as made:
        made._send("\r".join([*numbered(8), "li"]))
        made._send("ne 9")
        made.press("y", "Enter")
        assert said(made) == ["\n".join(numbered(9))]


def test_an_answer_is_an_answer_as_soon_as_it_can_be_given() -> None:
    with world() as made:
        made._send("\r".join(numbered(8)))
        made._send("y")
        made.misses("Paste")
        made.passes(keyboard.AGAIN_S * 1_000)
        made._send(" and\rmore\r")
        assert said(made) == ["\n".join(numbered(8)) + " and", "more"]


def test_keys_that_no_text_has_stay_keys_in_their_order() -> None:
    with world() as made:
        made._send("\x1b2one\r\x1b1two\rhalf\x01x")
        assert [(call["chat"][-1], call["text"]) for call in made.node.asked("send")] == [
            ("2", "one"),
            ("1", "two"),
        ]
        assert typed(made) == "xhalf"


def test_lines_behind_other_keys_are_pasted_where_those_led() -> None:
    with world() as made:
        made._send("\x1b2" + "\r".join(numbered(8)))
        made.sees("Paste 8 lines?", ">2 #ops")
        assert not said(made)


@pytest.mark.parametrize("between", ["\x1b[K", "\x08", "\x1b[31m", "\x1b[0;1m", "\x1b[1;2;3;4m"])
def test_a_paste_is_one_whatever_stands_between_its_lines(between: str) -> None:
    with world() as made:
        made._send("".join(f"{between}{one}\r{between}" for one in numbered(8)))
        made.sees("Paste ", "lines?")
        assert not said(made)


COLOURS = [
    "\x1b[31m",
    "\x1b[0m",
    "\x1b[1;31m",
    "\x1b[38;5;196m",
    "\x1b[<1;2M",
    "\x1b[Mabc",
]


@pytest.mark.parametrize("mouse", ["on", "off"])
@pytest.mark.parametrize("colour", COLOURS)
def test_what_is_taken_for_a_mouse_and_is_none_is_nothing(colour: str, mouse: str) -> None:
    with world() as made:
        made.enter(f"/set mouse {mouse}")
        made._send(f"a{colour}b")
        made.press("Enter")
        assert said(made) == ["ab"]


def test_newlines_that_are_typed_quickly_are_newlines() -> None:
    with world() as made:
        made._send("one\ntwo\nthree\r")
        assert said(made) == ["one\ntwo\nthree"]


def test_the_line_of_the_switcher_takes_a_paste_as_one_line() -> None:
    with world() as made:
        made.press("Ctrl+G")
        made._send("\r".join(["o", "p", "s", "x", "y", "z"]))
        made.sees("o p s x y z")
        assert not said(made)


def test_a_choice_of_the_menu_and_what_follows_at_once() -> None:
    with world() as made:
        made._send("/na\t\rhello\r")
        assert said(made) == ["hello"]
        assert made.node.asked("members")


def test_what_was_typed_before_it_could_be_read_is_entered_line_by_line() -> None:
    """The terminal, which had the keys until then, has made newlines of Enter."""
    with world() as made:
        made.type_ahead("hello\n/topic tea\nhalf a line")
        assert said(made) == ["hello"]
        assert [call["topic"] for call in made.node.asked("set_topic")] == ["tea"]
        assert typed(made) == "half a line"
        made.type_ahead("\n")
        assert said(made) == ["hello"], "from then on that key makes a new line"
        made.type("and another")
        made.press("Enter")
        assert said(made) == ["hello", "half a line\nand another"]
