"""Nothing that was typed is lost, said twice, said elsewhere or taken for something else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from node.happenings import ChatEvent
from node.words import Progress
from tests.cli.app_world import World

MINUTE_MS = 60_000
DEV, OPS = 1, 2


@pytest.fixture
def world() -> Iterator[World]:
    """#dev and #ops; the app is not started."""
    with World(110, 24) as made:
        made.node.add_chat("dev", "alice", "bob", "you", leader="alice")
        made.node.add_chat("ops", "you", "erin", leader="you")
        yield made


def prompt(world: World) -> str:
    return next(row.rstrip() for row in world.rows if row.startswith("["))


def slow_to_store(world: World, ms: int) -> None:
    """The node takes its time to store a line."""
    send = world.node.send

    async def slowly(*given: Any, **more: Any) -> AsyncIterator[Progress]:
        await asyncio.sleep(ms / 1000)
        async for one in send(*given, **more):
            yield one

    world.node.send = slowly  # type: ignore[method-assign]


def test_what_was_sent_is_stored_before_one_leaves(world: World) -> None:
    slow_to_store(world, 1_000)
    world.start()
    world.enter("first")
    world.enter("second")
    world.press("Ctrl+D")
    if not world.has_ended and "[y/n]" in prompt(world):  # asking is as good as waiting
        world.press("n")
        world.passes(4_000)
        world.press("Ctrl+D")
    assert world.ended() == 0
    assert [call["text"] for call in world.node.asked("send")] == ["first", "second"]


def test_lines_go_out_in_the_order_in_which_they_were_typed(world: World) -> None:
    slow_to_store(world, 500)
    world.start()
    for number in range(5):
        world.enter(f"line {number}")
        world.press(f"Alt+{1 + number % 2}")
    world.passes(5_000)
    sent = [(int(call["chat"], 16), call["text"]) for call in world.node.asked("send")]
    said = {chat: [text for at, text in sent if at == chat] for chat in (DEV, OPS)}
    assert said == {DEV: ["line 0", "line 1", "line 3"], OPS: ["line 2", "line 4"]}


def test_commands_take_effect_in_order(world: World) -> None:
    set_away = world.node.set_away

    async def slowly(away: str, chat: str = "") -> None:
        await asyncio.sleep(1.0 if away else 0.0)
        await set_away(away, chat)

    world.node.set_away = slowly  # type: ignore[method-assign]
    world.start()
    world.enter("/away lunch")
    world.enter("/back")
    world.enter("here again")
    world.passes(5_000)
    assert [given["away"] for given in world.node.asked("set_away")] == ["lunch", ""]
    assert [given["text"] for given in world.node.asked("send")] == ["here again"]


def test_what_concerns_one_chat_is_done_in_order(world: World) -> None:
    set_topic = world.node.set_topic

    async def slowly(chat: str, topic: str) -> None:
        await asyncio.sleep(1.0)
        await set_topic(chat, topic)

    world.node.set_topic = slowly  # type: ignore[method-assign]
    world.start()
    world.enter("before")
    world.enter("/topic all about it")
    world.enter("after")
    world.passes(5_000)
    done = [name for name, _ in world.node.heard if name in ("set_topic", "send")]
    assert done == ["send", "set_topic", "send"]


@pytest.mark.parametrize("raw", [b"/topic caf\xe9\r", b"/search \xff\r", b"\x13\xe9\r", b"\xe9\r"])
def test_bytes_that_are_no_utf_8_do_no_harm(raw: bytes, world: World) -> None:
    world.start()
    world._input.send_bytes(raw)
    world.passes(3_000)
    assert not world.has_ended
    given = [value for _, given in world.node.heard for value in given.values()]
    texts = [value for value in given if isinstance(value, str)]
    assert "".join(texts).encode(), "no half of a character reaches the node"


def test_a_chat_that_ends_while_one_chooses_is_not_chosen(world: World) -> None:
    world.start()
    world.press("Ctrl+G", "Down")
    world.node.tell(ChatEvent(world.node.town(OPS).chat, "closed"), OPS)
    del world.node.towns[OPS]
    world.passes(500)
    world.press("Enter")
    assert prompt(world) == "[#dev]"


def test_keys_during_a_question_are_not_swallowed_with_the_paste(world: World) -> None:
    world.start()
    world.paste("\n".join(f"line {number}" for number in range(8)))
    world.sees("Paste 8 lines?")
    world.type("hello world")
    world.press("Enter")
    world.passes(500)
    sent = [call["text"] for call in world.node.asked("send")]
    assert sent in (["hello world"], []) or sent[0].endswith("hello world"), sent
    assert sent or prompt(world).endswith("hello world") or "[y/n]" in prompt(world)


def test_what_was_typed_before_recalling_is_still_there(world: World) -> None:
    world.start()
    world.enter("said before")
    world.type("typed text")
    world.press("Up", "Alt+2", "Alt+1")
    if prompt(world) != "[#dev] typed text":
        world.press("Down")
    assert prompt(world) == "[#dev] typed text"


def test_joining_does_not_take_the_chat_from_under_ones_fingers(world: World) -> None:
    join = world.node.join

    async def slowly(*given: Any) -> Any:
        await asyncio.sleep(2.0)
        return await join(*given)

    world.node.join = slowly  # type: ignore[method-assign]
    world.start()
    world.enter("/join 10.0.0.5:50050/new")
    world.type("this is what I ")
    world.passes(4_000)
    world.type("meant")
    world.press("Enter")
    sent = [(int(call["chat"], 16), call["text"]) for call in world.node.asked("send")]
    assert sent == [(DEV, "this is what I meant")]


def test_every_key_of_a_burst_arrives_while_lines_pour_in(world: World) -> None:
    world.start()
    wanted = ""
    for number in range(400):
        char = "abcdefghij klmno"[number % 16]
        world.node.says(DEV, "alice", f"flood {number} " + "x" * (number % 90))
        world._input.send_text(char)
        wanted += char
        world.loop.passes(5)
    world.passes(500)
    world.press("Enter")
    world.passes(500)
    assert [call["text"] for call in world.node.asked("send")] == [wanted]


def test_a_draft_stays_with_its_chat_whatever_happens(world: World) -> None:
    world.start()
    world.type("half a line")
    world.press("Alt+2")
    world.node.dies()
    world.passes(3_000)
    world.node.returns()
    world.passes(3_000)
    world.press("Alt+1")
    assert prompt(world) == "[#dev] half a line"
