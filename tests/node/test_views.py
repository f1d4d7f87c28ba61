"""Tries the pure parts of node/host/views.py by tables; the rest is tried in test_host.py."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from node.archive import MemoryArchive
from node.core.effects import StoreMessages
from node.core.messages import Life
from node.core.types import Hlc, Key
from node.host import telling, views
from node.words import Line
from tests.node.wire_values import MESSAGE, RECORD

NICKS = {1: "alice", 2: "bob", 3: "carol"}


def group(me: int, following: int, *, leads: bool = False, leader: int = 0) -> Any:
    """What `watch` reads of a group; `leader` is the certified one where another leads for now."""
    provisional = following if leader else 0
    return SimpleNamespace(
        me=me,
        following=following,
        leads=leads,
        leader=leader or following,
        provisional=provisional,
        nick=lambda id: NICKS.get(id, ""),
    )


LEADER = group(1, 1, leads=True)
FOLLOWER = group(2, 1)
BEREFT = group(2, 0)
RESTARTED = group(1, 1)  # led in an earlier life, and does not yet know who leads now
FOR_NOW = group(3, 2, leader=1)


@pytest.mark.parametrize(
    ("one", "member", "life", "said"),
    [
        (LEADER, 2, Life.ALIVE, "you watch it, it watches you"),
        (LEADER, 2, Life.SUSPECT, "you watch it, it watches you"),
        (LEADER, 2, Life.DROPPED, "you look whether it is back"),
        (FOLLOWER, 1, Life.ALIVE, "you watch it, it watches you"),
        (FOLLOWER, 3, Life.ALIVE, "alice watches it"),
        (FOLLOWER, 3, Life.DROPPED, "alice looks whether it is back"),
        (BEREFT, 3, Life.ALIVE, "nobody watches it"),
        (RESTARTED, 3, Life.ALIVE, "nobody watches it"),
        (FOR_NOW, 2, Life.ALIVE, "you watch it, it watches you"),
        (FOR_NOW, 1, Life.DROPPED, "you look whether it leads again"),
    ],
)
def test_who_watches_whom(one: Any, member: int, life: Life, said: str) -> None:
    assert views.watch(one, replace(RECORD, id=member, life=life)) == said


# ---- pages of history --------------------------------------------------------------------------


def answering(words: str, missing: str) -> Any:
    """A chat whose log has a message for each word, of a line for each letter, all but the first of
    which answers the one before it.

    That of `missing` is not there: what follows it waits.
    """
    archive, waiting, lines = MemoryArchive(), set[Key](), 0
    before, said = MESSAGE.deps[:1], words.split()
    for seq, word in enumerate(said, 1):
        key = MESSAGE.key._replace(source=seq, seq=1)
        ids = tuple(f"{seq}.{letter}" for letter in word)
        message = replace(
            MESSAGE, key=key, ids=ids, texts=tuple(word), deps=before, hlc=Hlc(1_000 + seq, 0)
        )
        if word != missing:
            archive.append([StoreMessages((message,))])
            if missing in said[:seq]:
                waiting.add(key)
                lines += len(word)
        before = (key,)
    group = SimpleNamespace(me=0, waiting=waiting, waiting_lines=lines, since=0)
    return SimpleNamespace(archive=archive, group=group)


@pytest.mark.parametrize(
    ("words", "count", "shown", "more"),
    [
        ("a b c d e", 1, "b", True),
        ("a b c d e", 2, "ab", False),
        ("a b c d e", 9, "ab", False),
        ("ab ij c defg h", 1, "j", True),
        ("ab ij c defg h", 3, "bij", True),
        ("ab ij c defg h", 4, "abij", False),
        ("ab ij c defg h", 9, "abij", False),
    ],
)
def test_a_line_that_waits_for_what_it_answers_is_on_no_page(
    monkeypatch: pytest.MonkeyPatch, words: str, count: int, shown: str, more: bool
) -> None:
    monkeypatch.setattr(views, "line", lambda _, it, **__: Line(text=it.text, place=it.id))
    page = views.page(answering(words, "c"), count=count)
    assert "".join(line.text for line in page.lines) == shown
    assert bool(page.cursor) is more
    whole = views.page(answering(words, ""), count=99).lines
    assert "".join(line.text for line in whole) == words.replace(" ", "")


def test_what_was_said_before_one_came_is_on_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "line", lambda _, it, **__: Line(text=it.text, place=it.id))
    chat = answering("ab cd ef", "")
    chat.group.since = 1_002
    page = views.page(chat, count=9)
    assert ("".join(line.text for line in page.lines), page.cursor) == ("cdef", "")


def test_pages_go_on_within_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def line(_: Any, it: Any, **__: Any) -> Line:
        return Line(text=it.text, place=f"{telling.cursor(it.message.place)}.{it.at}")

    monkeypatch.setattr(views, "line", line)
    chat, read, cursor = answering("abc def g", ""), list[str](), ""
    while page := views.page(chat, count=2, before=cursor):
        read.insert(0, "".join(one.text for one in page.lines))
        if not (cursor := page.cursor):
            break
    assert read == ["a", "bc", "de", "fg"]
    first = views.page(chat, count=99).lines[1].place
    page = views.page(chat, count=3, after=first)
    assert [one.text for one in page.lines] == [*"cde"]
    assert [one.text for one in views.page(chat, count=3, after=page.after_cursor).lines] == [*"fg"]
