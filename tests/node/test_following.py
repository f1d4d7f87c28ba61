"""Lines said at once are one message: node/host/following.py, and what people see of it."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from node import happenings as h
from node import words as w
from node.core.conversation import ChatMessage, Kind
from node.core.effects import Acknowledged, Deliver, MemberChanged, Settled, Stopped
from node.core.events import Submitted
from node.core.messages import Tell
from node.core.types import Way
from node.host import views
from node.host.chats import Chat
from node.host.following import Followed, Following
from node.host.nodes import Node
from node.words import Wait
from tests.node.test_archive import uuid
from tests.node.town import Town, eventually, lines
from tests.node.wire_values import MESSAGE

TEXTS = ["one", "two", "alice?"]


# ---- who follows a line --------------------------------------------------------------------------


def message(*ids: str, seq: int = 1) -> ChatMessage:
    key = MESSAGE.key._replace(seq=seq)
    return replace(MESSAGE, key=key, ids=ids, texts=tuple(f"line {id}" for id in ids))


def roused(followed: Followed) -> bool:
    """Whether there was news since this was asked last."""
    news = followed._has_news
    followed._has_news = False
    return news


SAID = message("a", "b", "c")
STORED = Deliver(SAID, Way.DIRECT, late=False)
TAKEN = Acknowledged(SAID.key, 5, Way.DIRECT, 1, 2)


def test_all_who_follow_lines_of_a_message_have_its_news() -> None:
    following = Following()
    with following.line("a") as a, following.line("c") as c, following.line("x") as x:
        following.noticed(STORED)
        assert (a.key, c.key, x.key) == (SAID.key, SAID.key, None)
        for news in (None, TAKEN, Settled(SAID.key, ())):
            if news is not None:
                following.noticed(news)
            assert [roused(one) for one in (a, c, x)] == [True, True, False]
        following.noticed(replace(TAKEN, key=message("y", seq=9).key))
        assert [roused(one) for one in (a, c, x)] == [False] * 3


@pytest.mark.parametrize("goes", ["a", "b"])
def test_who_follows_no_more_takes_the_news_from_nobody(goes: str) -> None:
    following = Following()
    stays = "b" if goes == "a" else "a"
    with following.line(stays) as stayed:
        with following.line(goes) as gone:
            following.noticed(STORED)
        assert roused(stayed)
        assert roused(gone)
        following.noticed(TAKEN)
        assert roused(stayed)
        assert not roused(gone)
    assert (following._by_id, following._by_key) == ({}, {})


def test_a_line_is_of_the_message_that_it_was_shown_with_first() -> None:
    following, again = Following(), message("z", "b", seq=2)
    with following.line("b") as b:
        following.noticed(STORED)
        following.noticed(replace(STORED, message=again))
        assert b.key == SAID.key
        assert roused(b)
        following.noticed(replace(TAKEN, key=again.key))
        assert not roused(b)


@pytest.mark.parametrize("notice", [Stopped(""), MemberChanged(5, None, "")])  # type: ignore[arg-type]
def test_what_concerns_all_lines_rouses_all(notice: Stopped | MemberChanged) -> None:
    following = Following()
    with following.line("a") as a, following.line("x") as x:
        following.noticed(STORED)
        assert roused(a)
        following.noticed(notice)
        assert [roused(a), roused(x)] == [True, True]
        ends = notice if isinstance(notice, Stopped) else None
        assert (a.end, x.end) == (ends, ends)


# ---- several lines at once -----------------------------------------------------------------------


def say_at_once(chat: Chat, texts: list[str], first_id: int = 1) -> list[str]:
    """Hands all of them in before the group has its turn; gives their ids, which begin so."""
    ids = [uuid(first_id + n << 112) for n in range(len(texts))]
    for text, id in zip(texts, ids, strict=True):
        chat.runner.post(Submitted(text, id, 1_750_000_000_000))
    return ids


def messages(node: Node) -> list[tuple[str, ...]]:
    """The texts of each message of the log, in display order."""
    page = node.chat("").archive.page(count=999)
    keys = dict.fromkeys(line.message.key for line in page)
    return [one.texts for one in node.chat("").archive.read([*keys])]


async def test_lines_said_at_once_are_one_message_and_lines_for_everyone(town: Town) -> None:
    alice, bob = await town.pair()
    watcher = alice.hub.add(kinds=(w.Line,))
    ids = say_at_once(bob.chat(""), TEXTS)
    await eventually(lambda: lines(alice) == TEXTS)
    assert messages(alice) == messages(bob) == [tuple(TEXTS)]
    unread = views.chat(alice.chat(""))
    assert (unread.unread, unread.mentions) == (3, 1)
    alice.hub.end()
    told = [one.what async for one in watcher.happenings() if isinstance(one.what, w.Line)]
    assert [(one.msg_id, one.text, one.mention) for one in told] == [
        *zip(ids, TEXTS, [False, False, True], strict=True)
    ]
    page = views.page(alice.chat(""), count=9)
    assert [(one.place, one.msg_id) for one in page.lines] == [
        (one.place, one.msg_id) for one in told
    ]
    assert [views.place(one.place, "after")[-1] for one in told] == [0, 1, 2]


async def test_each_line_of_a_message_is_acknowledged_counted_and_traced(town: Town) -> None:
    alice, bob = await town.pair()
    watcher = bob.hub.add(kinds=(h.ReceiptEvent,))
    ids = say_at_once(bob.chat(""), TEXTS)
    chat = bob.chat("")

    def acked() -> int:
        found = views.members(chat, everyone=True).members
        return next(one.acked for one in found if one.nick == "alice")

    await eventually(lambda: acked() == len(TEXTS))
    for id, text in zip(ids, TEXTS, strict=True):
        trace = views.trace(chat, id)
        assert (trace.line.msg_id, trace.line.text, trace.line.acked) == (id, text, 1)
        assert [(row.nick, row.state) for row in trace.rows] == [("alice", "acked")]
    assert views.trace(chat, "").line.text == TEXTS[-1]
    page = views.page(chat, count=9)
    assert [(one.acked, one.of) for one in page.lines] == [(1, 1)] * len(TEXTS)
    bob.hub.end()
    receipts = [one.what async for one in watcher.happenings()]
    assert [(one.msg_id, one.acked, one.of) for one in receipts] == [  # type: ignore[union-attr]
        (id, 1, 1) for id in ids
    ]
    await eventually(lambda: not views.queue(chat))
    say_at_once(alice.chat(""), ["and me"], 50)
    await eventually(lambda: len(lines(bob)) == 4)
    assert views.trace(bob.chat(""), uuid(50 << 112)).follows == (ids[-1][:4],)


async def test_who_says_lines_at_once_hears_of_each_what_became_of_it(town: Town) -> None:
    alice, bob = await town.pair()

    async def send(text: str) -> w.Progress:
        steps = [one async for one in bob.chat("").send(text, Kind.TEXT, Wait.ALL, 5_000)]
        return steps[-1]

    done = await asyncio.gather(*map(send, TEXTS))
    assert [(one.complete, one.acked, one.of) for one in done] == [(True, 1, 1)] * len(TEXTS)
    assert len({one.msg_id for one in done}) == len(TEXTS)
    assert lines(alice) == lines(bob) == TEXTS
    assert messages(bob) == [tuple(TEXTS)]
    for one, text in zip(done, TEXTS, strict=True):
        assert views.trace(bob.chat(""), one.msg_id).line.text == text


async def test_a_message_of_several_lines_is_there_in_the_next_life(town: Town) -> None:
    alice, bob = await town.pair()
    say_at_once(bob.chat(""), TEXTS)
    await eventually(lambda: lines(alice) == TEXTS)
    views.page(alice.chat(""), count=1)
    before = messages(alice), alice.chat("").group.fingerprint
    await town.stop("alice")
    alice = await town.start("alice")
    assert (messages(alice), alice.chat("").group.fingerprint) == before
    say_at_once(bob.chat(""), ["again", "here"], 20)
    await eventually(lambda: lines(alice) == [*TEXTS, "again", "here"])
    assert messages(alice)[-1] == ("again", "here")


async def test_lines_of_different_kinds_are_different_messages(town: Town) -> None:
    alice, bob = await town.pair()
    chat = bob.chat("")
    for n, kind in enumerate([Kind.TEXT, Kind.TEXT, Kind.ACTION, Kind.TEXT], 1):
        chat.runner.post(Submitted(f"{n}", uuid(n), 1_750_000_000_000, kind))
    await eventually(lambda: lines(alice) == ["1", "2", "3", "4"])
    assert messages(alice) == [("1", "2"), ("3",), ("4",)]
    kinds = [one.kind for one in views.page(alice.chat(""), count=9).lines]
    assert kinds == [w.Kind.TEXT, w.Kind.TEXT, w.Kind.ACTION, w.Kind.TEXT]


async def test_what_waits_for_a_member_is_counted_and_listed_by_lines(town: Town) -> None:
    alice, bob = await town.pair()
    chat, runner = bob.chat(""), alice.chat("").runner
    ask, held = runner.ask, list[tuple[Any, ...]]()

    def slow(*asked: Any) -> Any:
        if not isinstance(asked[0], Tell):
            return ask(*asked)
        held.append(asked)
        return lambda: None

    runner.ask = slow  # type: ignore[method-assign]
    ids = say_at_once(chat, TEXTS)
    await eventually(lambda: chat.group.outbox_size > 0)
    assert chat.group.outbox_size == len(TEXTS)
    assert chat.group.lacking(alice.chat("").group.me) == len(TEXTS)
    rows = views.queue(chat)
    assert [(row.line.msg_id, row.line.text) for row in rows] == [*zip(ids, TEXTS, strict=True)]
    assert {row.missing for row in rows} == {("alice",)}
    runner.ask = ask  # type: ignore[method-assign]
    for asked in held:
        ask(*asked)
    await eventually(lambda: chat.group.outbox_size == 0)
    assert views.queue(chat) == []
