"""Tries the pure parts of node/host/views.py by tables; the rest is tried in test_host.py."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from node.core.messages import Life
from node.host import views
from tests.node.wire_values import RECORD

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
