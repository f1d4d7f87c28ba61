"""Bugs to plant into a node or a discovery service, each of which the checker must find."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace


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

    def stutter(self: Hub, *happenings: Happening) -> None:
        tell(self, *happenings)
        for happening in happenings:
            if isinstance(happening.what, Line):
                count[0] += 1
                if count[0] % 4 == 0:
                    tell(self, happening)

    Hub.tell = stutter  # type: ignore[method-assign]


def _shows_in_any_order() -> None:
    """Shows its history in an order of its own, another each time."""
    from node.archive import rows

    rows.DESCENDING = "random()"


def _forgets_causes() -> None:
    """Says of its lines nothing but the time at which they were written."""
    from node.core.clock import tick
    from node.core.composing import Composing
    from node.core.conversation import ChatMessage
    from node.core.events import Submitted
    from node.core.types import Hlc

    compose = Composing.compose

    def blind(self: Composing, lines: Sequence[Submitted]) -> tuple[ChatMessage, ...]:
        composed = compose(self, lines)
        blinded = [replace(one, deps=(), hlc=tick(one.sent, Hlc(0, 0))) for one in composed]
        for one in blinded:
            self.sign(one)
        return tuple(blinded)

    Composing.compose = blind  # type: ignore[method-assign]


def _grants_twice() -> None:
    """Gives the epoch that somebody leads to the next who claims it."""
    from nds.record import decisions

    grant = decisions._grant

    def generous(kept: Any, record: Any, claim: Any, now_ms: int) -> Any:
        decision = grant(kept, record, claim, now_ms)
        again = replace(decision.reply.record, epoch=record.epoch)
        return replace(decision, record=again, reply=replace(decision.reply, record=again))

    decisions._grant = generous


BUGS: dict[str, Callable[[], None]] = {
    "forgets": _forgets,
    "grants twice": _grants_twice,
    "shows twice": _shows_twice,
    "forgets causes": _forgets_causes,
    "shows in any order": _shows_in_any_order,
}


def plant(name: str) -> None:
    """From now on this process has the bug.  Raises KeyError for one that is not known."""
    BUGS[name]()
