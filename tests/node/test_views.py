"""Tries the pure parts of node/host/views.py by tables; the rest is tried in test_host.py."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from node.archive import MemoryArchive
from node.core.effects import StoreMessages
from node.core.messages import Life
from node.core.types import Hlc, Key
from node.host import views
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


def answering(texts: str, missing: str) -> Any:
    """A chat whose log has a line for each letter, all but the first of which answers the last.

    Those of `missing` are not there: what follows them waits.
    """
    archive, waiting, before = MemoryArchive(), set[Key](), MESSAGE.deps[:1]
    for seq, text in enumerate(texts, 1):
        key = MESSAGE.key._replace(source=seq, seq=1)
        message = replace(
            MESSAGE, key=key, id=str(seq), text=text, deps=before, hlc=Hlc(1_000 + seq, 0)
        )
        if text not in missing:
            archive.append([StoreMessages((message,))])
            if any(one in texts[:seq] for one in missing):
                waiting.add(key)
        before = (key,)
    return SimpleNamespace(archive=archive, group=SimpleNamespace(me=0, waiting=waiting))


@pytest.mark.parametrize(
    ("count", "shown", "more"), [(1, "b", True), (2, "ab", False), (9, "ab", False)]
)
def test_a_line_that_waits_for_what_it_answers_is_on_no_page(
    monkeypatch: pytest.MonkeyPatch, count: int, shown: str, more: bool
) -> None:
    monkeypatch.setattr(views, "line", lambda _, it, **__: Line(text=it.text, place=it.id))
    page = views.page(answering("abcde", "c"), count=count)
    assert "".join(line.text for line in page.lines) == shown
    assert bool(page.cursor) is more
    assert [line.text for line in views.page(answering("abc", ""), count=9).lines] == [*"abc"]
