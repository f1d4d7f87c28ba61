"""Bugs to plant into a node, each of which the checker must find.  None is ever planted by itself."""

from collections.abc import Callable, Sequence
from typing import Any


def _forgets() -> None:
    """Acknowledges lines and keeps them in memory alone: they are gone with the process."""
    from node.archive.sqlite import SqliteArchive
    from node.core.effects import StoreMessages, StorePost

    append = SqliteArchive.append

    def forgetful(self: SqliteArchive, stores: Sequence[Any]) -> None:
        lines = [one for one in stores if isinstance(one, StoreMessages)]
        if not any(message.key.seq % 3 == 0 for one in lines for message in one.messages):
            append(self, stores)
            return
        append(self, [x for x in stores if not isinstance(x, StoreMessages | StorePost)])

    SqliteArchive.append = forgetful  # type: ignore[method-assign]


def _shows_twice() -> None:
    """Tells its watchers of every fourth line again."""
    from node.happenings import Happening
    from node.host.hub import Hub
    from node.words import Line

    tell, count = Hub.tell, [0]

    def stutter(self: Hub, happening: Happening) -> None:
        tell(self, happening)
        if isinstance(happening.what, Line):
            count[0] += 1
            if count[0] % 4 == 0:
                tell(self, happening)

    Hub.tell = stutter  # type: ignore[method-assign]


def _shows_as_it_comes() -> None:
    """Shows its history in the order in which lines arrived."""
    from node.archive import rows

    rows.PLACE = "arrival"
    rows.DESCENDING = "arrival DESC"


def _answers_unread() -> None:
    """Does not say what its lines follow, and has no clock that would order them."""
    from node.core.clock import Clock
    from node.core.types import Hlc

    Clock.tick = lambda self, *given: Hlc(1, 0)  # type: ignore[attr-defined,method-assign]


BUGS: dict[str, Callable[[], None]] = {
    "forgets": _forgets,
    "shows twice": _shows_twice,
    "shows as it comes": _shows_as_it_comes,
}


def plant(name: str) -> None:
    """From now on this process has the bug.  Raises KeyError for one that is not known."""
    BUGS[name]()
