"""Typing: readline's keys, what was typed before, drafts, completion, pastes, hostile bytes.

Tries node/cli/app/input.py, node/cli/app/bindings.py and node/cli/app/sending.py.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from node.cli.app.input import encodable
from node.errors import NodeDown, TooLong
from node.happenings import ChatEvent
from node.words import Progress
from tests.cli.app_world import World

DEV, OPS = 1, 2


def world() -> World:
    made = World(100, 20)
    made.node.add_chat("dev", "alice", "bob", "you", leader="alice")
    made.node.add_chat("ops", "alice", "you", leader="alice")
    made.start(chat="dev")
    return made


def said(made: World) -> list[str]:
    return [call["text"] for call in made.node.asked("send")]


def typed(made: World) -> str:
    """The last row, without the prompt."""
    return made.rows[-1].partition("] ")[2].rstrip()


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (["Ctrl+A", "x"], "xone two three"),
        (["Ctrl+A", "Ctrl+E", "x"], "one two threex"),
        (["Ctrl+W"], "one two"),
        (["Ctrl+W", "Ctrl+Y", "Ctrl+Y"], "one two threethree"),
        (["Ctrl+U"], ""),
        (["Alt+B", "Ctrl+K"], "one two"),
        (["Alt+B", "Alt+B", "Alt+D"], "one  three"),
        (["Ctrl+A", "Alt+F", "x"], "onex two three"),
        (["Ctrl+B", "Ctrl+B", "x"], "one two thrxee"),
        (["Ctrl+A", "Ctrl+F", "x"], "oxne two three"),
        (["Ctrl+B", "Ctrl+B", "Ctrl+T"], "one two there"),
        (["Ctrl+A", "Ctrl+D"], "ne two three"),
        (["Left"] * 3 + ["Backspace"], "one two tree"),
        (["Ctrl+Left", "x"], "one two xthree"),
        (["Home", "Delete", "End", "x"], "ne two threex"),
        (["Alt+C"], "one two three"),
        (["Ctrl+W", "Ctrl+_"], "one two three"),
        (["Ctrl+C"], ""),
    ],
    ids=" ".join,
)
def test_readline_keys_are_readlines(keys: list[str], left: str) -> None:
    with world() as made:
        made.type("one two three")
        made.press(*keys)
        assert typed(made) == left.rstrip()
        assert not said(made)


def test_lines_are_sent_in_the_order_in_which_they_were_typed() -> None:
    with world() as made:
        made._send("one\rtwo\rthree\r")
        assert said(made) == ["one", "two", "three"]
        made.sees("you | one", "you | two", "you | three")
        assert typed(made) == ""


def test_what_was_typed_comes_back() -> None:
    with world() as made:
        for line in ("one", "two", "one more"):
            made.enter(line)
        made.press("Up", "Up")
        assert typed(made) == "two"
        made.press("Down")
        assert typed(made) == "one more"
        made.press("Ctrl+C", "Ctrl+R")
        made.type("one")
        made.sees("[history] one", "[#dev] one more")
        made.press("Ctrl+R")
        made.sees("[#dev] one\n")
        made.press("Enter")
        made.misses("[history]")
        assert typed(made) == "one"
        assert said(made) == ["one", "two", "one more"]


def test_a_search_of_what_was_typed_can_be_given_up() -> None:
    with world() as made:
        made.enter("one")
        made.type("draft")
        made.press("Ctrl+R")
        made.type("on")
        made.press("Ctrl+C")
        assert typed(made) == "draft"


def test_each_chat_keeps_its_draft() -> None:
    with world() as made:
        made.type("for dev")
        made.press("Ctrl+N")
        assert typed(made) == ""
        made.type("for ops")
        made.press("Ctrl+P")
        assert typed(made) == "for dev"
        made.press("Enter")
        made.press("Ctrl+N")
        assert typed(made) == "for ops"
        made.press("Ctrl+P")
        assert typed(made) == ""
        assert said(made) == ["for dev"]


def test_a_draft_survives_a_look_at_what_was_typed_before() -> None:
    with world() as made:
        made.enter("one")
        made.type("half a line")
        made.press("Up")
        assert typed(made) == "one"
        made.press("Ctrl+N", "Ctrl+P")
        assert typed(made) == "half a line"
        made.press("Up")
        made.type(" more")
        made.press("Ctrl+N", "Ctrl+P")
        assert typed(made) == "one more"


def ends(made: World, chat: int) -> None:
    """Somebody has ended our membership."""
    town = made.node.town(chat)
    made.node.tell(ChatEvent(town.chat, "closed"), chat)
    del made.node.towns[chat]
    made.passes(100)


def test_what_was_meant_for_a_chat_that_ends_goes_nowhere_else_unasked() -> None:
    with world() as made:
        made.type("the password is")
        ends(made, DEV)
        made.sees("[#ops] the password is")
        made.type(" 1234")
        made.press("Enter")
        made.sees("has ended. Send it to #ops?")
        made.press("n")
        assert not said(made)
        assert typed(made) == "the password is 1234"
        made.press("Enter", "y")
        assert said(made) == ["the password is 1234"]
        made.enter("and this is for ops")
        assert said(made)[1:] == ["and this is for ops"]


def test_a_chat_that_ends_while_nothing_is_typed_asks_nothing() -> None:
    with world() as made:
        ends(made, DEV)
        made.enter("hello")
        assert said(made) == ["hello"]


def test_a_chat_that_one_joins_does_not_come_between_words() -> None:
    with world() as made:
        join = made.node.join

        async def slow(*args: Any, **more: Any) -> Any:
            await asyncio.sleep(2)
            return await join(*args, **more)

        made.node.join = slow  # type: ignore[method-assign]
        made.enter("/join 10.0.0.5:50050/lab")
        made.type("rm -rf is what I ")
        made.passes(3_000)
        made.sees("you are in #lab", "Alt+3 shows it")
        made.type("meant")
        assert typed(made) == "rm -rf is what I meant"
        made.press("Enter")
        assert int(made.node.asked("send")[0]["chat"], 16) == DEV
        made.press("Alt+3")
        made.sees("[#lab]")


def test_completion_puts_in_what_is_sure_and_offers_the_rest() -> None:
    with world() as made:
        made.type("al")
        made.press("Tab")
        assert typed(made) == "alice:"
        made.press("Ctrl+C")
        made.type("/wh")
        made.misses("who is in the chat")
        made.press("Tab")
        made.sees("/whois", "/where", "who is in the chat")
        made.press("Tab", "Tab")
        assert typed(made) == "/whois"
        made.press("Shift+Tab")
        assert typed(made) == "/who"
        made.press("Esc")
        assert typed(made) == "/wh"
        made.misses("who is in the chat")


def test_keys_that_follow_a_tab_at_once_are_not_taken_for_the_word() -> None:
    with world() as made:
        made._send("al\thello\r")
        assert said(made) == ["alice: hello"]


def test_a_choice_that_stands_in_the_menu_is_sent_with_enter() -> None:
    with world() as made:
        made.type("/na")
        made.press("Tab", "Enter")
        made.sees("alice", "id 1")
        assert made.node.asked("members")


@pytest.mark.parametrize("answer", ["y", "Y"])
def test_a_long_paste_is_asked_for_once(answer: str) -> None:
    with world() as made:
        made.paste("\n".join("abcdefg"))
        made.sees("Paste 7 lines?", "[y/n]")
        made.press(answer, "Enter")
        assert said(made) == ["a\nb\nc\nd\ne\nf\ng"]


@pytest.mark.parametrize("answer", ["n", "Enter", "Esc", "Ctrl+C", "Ctrl+D"])
def test_a_long_paste_that_is_not_wanted_leaves_nothing(answer: str) -> None:
    with world() as made:
        made.type("draft")
        made.paste("\n".join("abcdefg"))
        made.press(answer)
        made.misses("Paste")
        assert typed(made) == "draft"
        assert not said(made)


def test_whoever_types_on_loses_neither_a_key_nor_the_paste() -> None:
    with world() as made:
        made.paste("\n".join("abcdefg"))
        made.type("hello")
        assert typed(made) == "hello"
        made.sees("Ctrl+Y pastes it")
        made.press("Ctrl+U", "Ctrl+C")
        made.paste("\n".join("abcdefg"))
        made._send("x\x7f")
        made.press("Ctrl+Y", "Enter")
        assert said(made) == ["a\nb\nc\nd\ne\nf\ng"]


def test_a_paste_that_comes_in_two_parts_is_one() -> None:
    with world() as made:
        made.paste("\n".join("abcdefg") + "\n")
        made.paste("\n".join("hijk"))
        made.sees("Paste 11 lines?")
        made.press("y", "Enter")
        assert said(made) == ["\n".join("abcdefghijk")]


def test_who_answers_a_question_about_leaving_by_typing_stays() -> None:
    with world() as made:
        made.node.set_chat("dev", outbox=1)
        made.passes(6_000)
        made.press("Ctrl+D")
        made.sees("Quit?")
        made.type("wait")
        made.misses("Quit?")
        assert typed(made) == "wait"


def test_five_lines_are_pasted_as_they_are() -> None:
    with world() as made:
        made.paste("  a\nb\nc\nd\ne\n")
        made.misses("Paste")
        made.press("Enter")
        assert said(made) == ["  a\nb\nc\nd\ne"]


def test_what_is_pasted_cannot_steer_the_terminal() -> None:
    with world() as made:
        made.paste("red \x1b[31m bell \x07 c1 \x9b31m bidi \u202e zero \u200b tab\tend")
        made.press("Left")
        assert "\x1b[31m bell" not in made.sink.raw
        assert not {"\x07", "\x9b", "\u202e", "\u200b"} & set(
            made.sink.raw.split("\x1b]2;")[-1][20:]
        )
        made.sees("red \ufffd[31m bell \ufffd c1", "tab end")


def test_bytes_that_are_no_text_are_sent_as_what_they_look_like() -> None:
    with world() as made:
        made._input.send_bytes(b"zo\xeb\r/topic zo\xeb\r\x13zo\xebs")
        made.passes(100)
        assert said(made) == ["zo\ufffd"]
        assert made.node.asked("set_topic")[0]["topic"] == "zo\ufffd"
        assert made.state.search is not None
        assert made.state.search.text == "zo\ufffds"
    assert encodable("zo\udceb") == "zo\ufffd"
    assert encodable("zoë 世") == "zoë 世"


@pytest.mark.parametrize(
    "refusal", [TooLong(size=70_000, limit=16_384), NodeDown(profile="default")]
)
def test_what_the_node_refuses_stays_with_the_reason(refusal: Exception) -> None:
    with world() as made:
        made.node.answers["send"] = refusal
        made.enter("too much")
        made.sees("you | too much", "failed", str(refusal)[:20])
        del made.node.answers["send"]
        made.press("Up", "Enter")
        assert said(made) == ["too much", "too much"]
        made.passes(400)
        made.sees("2/2")


def test_a_wrong_command_is_not_sent_and_can_be_mended() -> None:
    with world() as made:
        made.enter("/jion x")
        made.sees("there is no command /jion")
        assert not said(made)
        made.press("Up")
        assert typed(made) == "/jion x"


def test_ctrl_d_deletes_where_something_is_typed() -> None:
    with world() as made:
        made.type("ab")
        made.press("Left", "Ctrl+D")
        assert typed(made) == "a"
        made.press("Ctrl+D")
        assert not made.has_ended


def test_ctrl_o_sends_as_enter_does() -> None:
    with world() as made:
        made.type("one")
        made.press("Ctrl+O")
        assert said(made) == ["one"]
        assert typed(made) == ""


def test_a_command_may_follow_esc_at_once() -> None:
    with world() as made:
        made.press("F1")
        made._send("\x1b/me waves")
        made.misses("HELP")
        assert typed(made) == "/me waves"
        made.press("Ctrl+C", "F1")
        made._send("\x1b")
        made.passes(130)
        made.misses("HELP")
        made._send("hello")
        assert typed(made) == "hello"


def test_a_split_sequence_is_one_key_still() -> None:
    with world() as made:
        for part in ("\x1b", "[", "1;3", "C"):
            made._input.send_text(part)
            made.loop.passes(40)
        made.passes(300)
        made.sees("[#ops]")
        assert typed(made) == ""


def slow(made: World, ms: int) -> None:
    """The node takes its time to store a line."""
    send = made.node.send

    async def slowly(*args: Any, **more: Any) -> AsyncIterator[Progress]:
        await asyncio.sleep(ms / 1000)
        async for one in send(*args, **more):
            yield one

    made.node.send = slowly  # type: ignore[method-assign]


def test_what_was_entered_is_stored_before_the_app_ends() -> None:
    with world() as made:
        slow(made, 900)
        made._send("one\rtwo\r\x04")
        assert made.ended() == 0
        assert said(made) == ["one", "two"]


def test_who_goes_on_while_the_last_line_is_stored_does_not_take_the_terminal_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with world() as made:
        slow(made, 60_000)
        made._send("one\r")
        taken = []
        raw_mode = made._input.raw_mode
        monkeypatch.setattr(made._input, "raw_mode", lambda: taken.append(1) or raw_mode())
        signal.raise_signal(signal.SIGCONT)
        made.passes(10)
        assert taken == [1]
        signal.raise_signal(signal.SIGTERM)
        made.passes(100)
        assert not made.task.done()
        signal.raise_signal(signal.SIGCONT)
        made.passes(10)
        assert not made.task.done()
        assert taken == [1]
        assert made.ended() == 0


@pytest.mark.parametrize(("number", "seconds"), [(None, 3), (signal.SIGTERM, 1)])
def test_the_end_waits_for_a_silent_node_but_not_for_ever(
    number: signal.Signals | None, seconds: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with world() as made:
        slow(made, 60_000)
        made._send("one\rtwo\r")
        began = made.loop.time()
        if number is None:
            made._send("\x04")
            made.passes(500)
            made.sees("storing what was entered last")
        else:
            signal.raise_signal(number)
        assert made.ended() == 0
        assert made.loop.time() - began <= seconds + 0.5
        assert capfd.readouterr().err == "p2pchat: 2 lines could not be stored any more\n"


def test_a_line_that_takes_long_is_seen_and_holds_no_other_chat() -> None:
    with world() as made:
        send = made.node.send
        gate = asyncio.Event()

        async def slow(chat: str, *args: Any, **more: Any) -> AsyncIterator[Progress]:
            if int(chat, 16) == DEV:
                await gate.wait()
            async for one in send(chat, *args, **more):
                yield one

        made.node.send = slow  # type: ignore[method-assign]
        made._send("one\rtwo\r\x1b2for ops\r")
        assert said(made) == ["for ops"]
        made.press("Alt+1")
        made.passes(1_100)
        assert sum("sending" in row for row in made.rows) == 2
        made.loop.call_soon(gate.set)
        made.passes(500)
        assert said(made) == ["for ops", "one", "two"]
        made.sees("you | one", "you | two")
        assert "sending" not in made.text


def test_whoever_leaves_twice_leaves_at_once() -> None:
    with world() as made:
        slow(made, 60_000)
        began = made.loop.time()
        made._send("one\r\x04")
        made._send("\x04")
        assert made.ended() == 0
        assert made.loop.time() - began < 0.5
