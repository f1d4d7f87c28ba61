"""Scenes of talk: the transcript, what is typed, and what becomes of own lines."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from node.errors import BadField
from node.happenings import ElectionEvent, MergeEvent, ReceiptEvent, SplitEvent
from node.words import Epoch, Kind, Progress, Queue, QueueRow
from tests.cli.app_world import World
from tests.cli.screens.stage import (
    MINUTE_MS,
    WIDTHS,
    at,
    cast,
    elsewhere,
    failover,
    long_talk,
    scene,
    told,
)

HOSTILE = (
    "\x1b]0;owned\x07 after a title",
    "\x1b[2J\x1b[H\x1b[31mred and cleared",
    "eight-bit \x9b31m and \x90device\x9c",
    "ding\x07 back\x08space \x7fdel nul\x00 end",
    "harmless\rovertyped",
    "first\n12:00:00   alice | I never said that",
    "joi\u200dner \u2028 separator \u202egnp.exe\u202c end",
    "z" + "\u0301" * 40 + " marks, and \u0301 alone",
    "\U000e0001tags \ue000private \ufff9 \U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "\u0430\u0440\u0440le in Cyrillic, \ufe0f selector",
)


@scene(f"{WIDTHS} 60x5 60x7 84x8 110x5 110x7 110x8 110x60")
def _chat(world: World) -> None:
    """Talk, a failover, what came while one looked elsewhere, and an own line on its way."""
    dev = told(world)
    world.press("Alt+2")
    elsewhere(world)
    at(world, "12:03:10")
    world.node.says(dev, "carol", "fixed, see 4f2a")
    world.press("Alt+1")
    elsewhere_again(world)
    at(world, "12:03:30")
    world.node.acknowledges = False
    world.enter("deploying now")
    at(world, "12:03:32")
    line = world.node.town(dev).log[-1]
    world.node.acked(dev, line, "bob", 1, 3)
    world.node.acked(dev, line, "carol", 2, 3)
    world.passes(1_000)


def elsewhere_again(world: World) -> None:
    """Alt+2 has read #ops: it gets new lines."""
    for text in ("disk is at 95 %", "@frank please look", "never mind"):
        world.node.says("ops", "erin", text)


@scene("110x24 60x24 84x12")
def _scrolled(world: World) -> None:
    """Scrolled up one page; what comes meanwhile leaves the view where it is."""
    dev = cast(world)
    long_talk(world, dev, 300)
    world.start()
    world.press("PgUp")
    world.node.says(dev, "bob", "this came later")
    world.node.says(dev, "carol", "@you look at this")
    world.passes(1_000)


@scene("110x24")
def _scrolled_back(world: World) -> None:
    """At the end again: the marker stands before what came while scrolled up."""
    dev = cast(world)
    long_talk(world, dev, 300)
    world.start()
    world.press("PgUp", "PgUp")
    world.node.says(dev, "bob", "this came later")
    world.node.says(dev, "carol", "@you look at this")
    world.passes(1_000)
    world.press("Alt+End")


@scene("84x24")
def _unread(world: World) -> None:
    """Three lines were unread when the app was opened: the marker stands before them."""
    dev = cast(world)
    for ago, nick in enumerate(("carol", "bob", "alice", "dan", "bob"), 1):
        world.node.past(dev, nick, f"said {ago} minutes ago", ago * MINUTE_MS)
    world.node.set_chat(dev, unread=3, mentions=0)
    world.start()


@scene("84x24")
def _days(world: World) -> None:
    """Lines of several days have a line for each day."""
    dev = cast(world)
    for hours, nick in ((75, "alice"), (50, "bob"), (49, "carol"), (26, "dan"), (1, "you")):
        world.node.past(dev, nick, f"said {hours} hours ago", hours * 60 * MINUTE_MS)
    world.start()


@scene("60x24 110x24")
def _texts(world: World) -> None:
    """Long lines, pasted blocks, wide characters, actions, and a nick that is too long."""
    dev = world.node.add_chat(
        "dev", "alice", "bob", "you", "a-very-long-nick-of-24-ch", "漢字", leader="alice"
    )
    world.start()
    say = world.node.says
    say(dev, "alice", "a long line that goes on and on, " * 5 + "and ends here")
    say(dev, "bob", "https://example.org/" + "abcdefghij" * 14)
    say(dev, "bob", "def main():\n    return 1\n\nmain()")
    say(dev, "a-very-long-nick-of-24-ch", "my name is cut")
    say(dev, "漢字", "漢字は二桁の幅です。" * 6)
    say(
        dev,
        "bob",
        "an emoji \U0001f600 and a flag \U0001f1e9\U0001f1ea, ambiguous: \u00a7 \u2026 \u00b1",
    )
    say(dev, "alice", "waves", kind=Kind.ACTION)
    say(dev, "alice", "@you do you see this?", mention=True)
    world.passes(500)


@scene("60x30 110x24")
def _hostile(world: World) -> None:
    """Texts that try to take the terminal: escapes, controls, bidi, marks without end."""
    dev = world.node.add_chat("dev", "alice", "mallory", "you", leader="alice")
    world.start()
    for text in HOSTILE:
        world.node.says(dev, "mallory", text)
    world.passes(500)


@scene("110x16")
def _hostile_names(world: World) -> None:
    """Nick, chat, topic, leader and away text of somebody who did not keep to the rules."""
    evil = "m\x1b[31mal\u202elory\u200d\u0301\u0301\u0301"
    dev = world.node.add_chat("de\x1b]0;x\x07v\u202e", "alice", evil, "you", leader=evil)
    world.node.set_chat(dev, topic="topic\x1b[2J \u202eoh\nline two", topic_by=evil)
    world.start()
    world.node.says(dev, evil, "hello")
    world.node.changed(dev, evil, "away", "gone\x07 \u202efishing")
    world.node.changed(dev, "alice", "renamed", evil)
    world.passes(500)


@scene("84x20 60x20")
def _delivery(world: World) -> None:
    """Own lines: acknowledged by all, by two of three, by nobody, just sent, and refused."""
    dev = world.node.add_chat("dev", "alice", "bob", "carol", "you", leader="alice")
    node = world.node
    world.start()
    world.enter("everybody has this")
    world.passes(1_000)
    node.acknowledges = False
    world.enter("two of three have this, and the text is so long that it needs a second row to end")
    line = node.town(dev).log[-1]
    node.acked(dev, line, "alice", 1, 3)
    node.acked(dev, line, "bob", 2, 3)
    world.passes(5_000)
    world.enter("nobody has this")
    world.passes(5_000)
    node.answers["send"] = BadField(field="text", text="must be 1 to 16384 bytes, not 16385")
    world.enter("this is refused")
    world.passes(500)
    del node.answers["send"]
    world.enter("just sent")
    world.passes(100)


@scene("84x10")
def _on_its_way(world: World) -> None:
    """A node that takes long to store a line: the line is there, and said to be on its way."""
    dev = world.node.add_chat("dev", "alice", "you", leader="alice")
    world.node.past(dev, "alice", "are you there?", MINUTE_MS)
    send = world.node.send

    async def slowly(*given: Any, **more: Any) -> AsyncIterator[Progress]:
        await asyncio.sleep(60)
        async for one in send(*given, **more):
            yield one

    world.node.send = slowly  # type: ignore[method-assign]
    world.start()
    world.enter("I am, but my disk is slow")
    world.passes(5_000)


@scene("84x10")
def _alone(world: World) -> None:
    """Alone in a chat: own lines have no delivery mark."""
    world.node.add_chat("dev", "you", leader="you")
    world.start()
    world.enter("is anybody there?")
    world.passes(5_000)


@scene("84x24")
def _notices(world: World) -> None:
    """Every notice of the protocol, bursts as one line."""
    dev = world.node.add_chat(
        "dev", "alice=1", "bob=2", "carol=4", "you=7", "dan=9", leader="alice"
    )
    node = world.node
    world.start()
    node.changed(dev, "erin", "joined")
    node.changed(dev, "frank", "joined")
    node.changed(dev, "grace", "joined")
    world.passes(3_000)
    node.changed(dev, "frank", "left")
    failover(world, dev)
    world.passes(3_000)
    node.tell(ReceiptEvent("m", "m", acked=3, of=3, later=("alice",)), dev)
    node.changed(dev, "alice", "returned")
    node.tell(MergeEvent(37, 2, "bob"), dev)
    node.tell(MergeEvent(3, 4, "carol"), dev)
    world.passes(3_000)
    node.led(dev, "carol", 13, handed_over_by="bob")
    node.led(dev, "you", 14, took_ms=700)
    node.tell(ElectionEvent(7, "you", "ended", "the leader answers"), dev)
    node.tell(SplitEvent(True, 14, "carol", Epoch(1, 13)), dev)
    node.changed(dev, "bob2", "renamed", "bob")
    node.changed(dev, "bob", "topic", "all is well")
    node.nds_goes(up=False)
    world.passes(40_000)
    node.nds_goes(up=True, down_ms=40_000)
    world.passes(500)


@scene("84x12")
def _notices_hidden(world: World) -> None:
    """Alt+= hides the notices of the protocol; what was said stays."""
    told(world)
    world.press("Alt+=")


@scene("84x16 60x16")
def _typing(world: World) -> None:
    """The input grows to five rows with what is typed, and scrolls beyond."""
    told(world)
    world.type("a first line that is longer than the narrow terminal is wide, so it wraps")
    for number in range(2, 7):
        world.press("Alt+Enter")
        world.type(f"line {number}")


@scene("84x16")
def _paste(world: World) -> None:
    """More than five pasted lines are asked about once."""
    told(world)
    world.type("look: ")
    world.paste("\n".join(f"pasted {n}" for n in range(1, 9)))


@scene("84x16")
def _pasted(world: World) -> None:
    """y takes the paste; nothing is sent before Enter."""
    told(world)
    world.paste("\n".join(f"pasted {n}" for n in range(1, 9)))
    world.press("y")


@scene("84x16")
def _quitting(world: World) -> None:
    """Ctrl+D with unsent lines asks once."""
    dev = told(world)
    world.node.acknowledges = False
    world.enter("not there yet")
    world.node.set_chat(dev, outbox=1)
    line = world.node.town(dev).log[-1]
    world.node.answers["queue"] = Queue((QueueRow("dev", line, ("bob", "carol"), 700),))
    world.passes(5_000)
    world.press("Ctrl+D")
