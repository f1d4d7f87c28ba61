"""Tries the pure parts of node/host/views.py by tables; the rest is tried in test_host.py."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from node.core.messages import Life, Roster
from node.core.types import Epoch
from node.host import views
from tests.node.wire_values import EPOCH, MESSAGE, RECORD

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
        member=NICKS.get,
        shown_nick=NICKS.get,
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


# ---- who lacks a line --------------------------------------------------------------------------

OWN = replace(MESSAGE, key=MESSAGE.key._replace(source=1))
LATER = Epoch(EPOCH.generation, EPOCH.n + 1)


def lacking(counted: tuple[int, ...] = (), heard: int | None = None, **of_bob: Any) -> list[str]:
    """Who is said to lack a line of ours, stored at 100, beside those counted."""
    bob = replace(RECORD, id=2, **{"life": Life.DROPPED, **of_bob})
    group = SimpleNamespace(
        me=1,
        roster=Roster((replace(RECORD, id=1, life=Life.DROPPED), bob)),
        belonging=(1, 2),
        heard_at={2: heard}.get,
        member=NICKS.get,
        shown_nick=NICKS.get,
    )
    rows = views._uncounted(group, OWN, set(counted), 100)  # type: ignore[arg-type]
    assert all(row.state == "later" for row in rows)
    return [row.nick for row in rows]


def test_who_was_gone_when_a_line_was_said_lacks_it() -> None:
    assert lacking() == lacking(heard=99) == ["bob"]


@pytest.mark.parametrize(
    "why_not",
    [
        {"counted": (2,)},
        {"heard": 100},
        {"life": Life.ALIVE},
        {"life": Life.SUSPECT},
        {"left": True},
        {"admitted": LATER},
    ],
)
def test_all_others_are_counted_or_have_it(why_not: dict[str, Any]) -> None:
    assert lacking(**why_not) == []
