"""Own lines on their way: who says one waits for the news that concern it, and for nothing else."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

from ..core.effects import (
    Acknowledged,
    Deliver,
    Departed,
    LeaderChanged,
    MemberChanged,
    Notice,
    Settled,
    Stopped,
)
from ..core.types import Key
from ..runner import Halted

End: TypeAlias = Halted | Stopped | Departed


class Followed:
    """A line by its id; `key` once it is stored, `end` where its chat ended before."""

    __slots__ = ("_has_news", "_waiter", "end", "id", "key")

    def __init__(self, id: str) -> None:
        self.id = id
        self.key: Key | None = None
        self.end: End | None = None
        self._has_news = False
        self._waiter: asyncio.Future[None] | None = None

    def rouse(self) -> None:
        self._has_news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def news(self) -> None:
        """Returns when something has happened since this was called last; for one caller."""
        if not self._has_news:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._has_news = False


class Following:
    """The lines of one chat that somebody follows."""

    def __init__(self) -> None:
        self._by_id: dict[str, Followed] = {}
        self._by_key: dict[Key, list[Followed]] = {}

    @contextmanager
    def line(self, id: str) -> Iterator[Followed]:
        """Follow the line that is to be said with this id."""
        followed = self._by_id[id] = Followed(id)
        try:
            yield followed
        finally:
            del self._by_id[id]
            if followed.key is not None:
                together = self._by_key[followed.key]
                together.remove(followed)
                if not together:
                    del self._by_key[followed.key]

    def noticed(self, notice: Notice | Halted) -> None:
        """Rouses those whom a notice concerns."""
        if not self._by_id:
            return
        match notice:
            case Deliver(message=message):
                for id in message.ids:
                    if (followed := self._by_id.get(id)) is not None and not followed.key:
                        followed.key = message.key
                        self._by_key.setdefault(message.key, []).append(followed)
                        followed.rouse()
            case Acknowledged(key=key) | Settled(key=key):
                for followed in self._by_key.get(key, ()):
                    followed.rouse()
            case MemberChanged() | LeaderChanged():
                for followed in self._by_id.values():
                    followed.rouse()
            case Halted() | Stopped() | Departed():
                for followed in self._by_id.values():
                    followed.end = notice
                    followed.rouse()
            case _:
                pass
