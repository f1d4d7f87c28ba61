"""Who watches the networks: what each watcher has still to be told.

A watcher is owed networks, not changes: one that changes twice before its watcher reads is told
once, as it is then.  What a watcher is owed is bounded; one that falls further behind is let go.
"""

import asyncio

from nds.record import Record

OWED_MAX = 4_096  # networks
WATCHERS_MAX = 1_000


class Closed(Exception):
    """The service is stopping."""


class TooSlow(Exception):
    """The watcher was owed more than it may be."""


class TooMany(Exception):
    """There are as many watchers as there may be."""


class Watcher:
    """One watcher's queue."""

    def __init__(self, owed_max: int) -> None:
        self._owed_max = owed_max
        self._owed: dict[int, Record] = {}  # by chat, in the order in which they changed
        self._ready = asyncio.Event()
        self._end: Exception | None = None

    def owe(self, record: Record) -> bool:
        """Queue a network; False when this was one too many, and the watcher has ended."""
        self._owed[record.chat] = record
        if len(self._owed) > self._owed_max:
            self.end(TooSlow())
        self._ready.set()
        return self._end is None

    def end(self, why: Exception) -> None:
        self._owed.clear()
        self._end = why
        self._ready.set()

    async def next(self) -> Record:
        """The network that changed longest ago.  Raises `TooSlow` or `Closed`, then always."""
        while not self._owed:
            if self._end is not None:
                raise self._end
            self._ready.clear()
            await self._ready.wait()
        return self._owed.pop(next(iter(self._owed)))


class Watchers:
    """All watchers."""

    def __init__(self, *, owed_max: int = OWED_MAX, watchers_max: int = WATCHERS_MAX) -> None:
        self._owed_max = owed_max
        self._watchers_max = watchers_max
        self._watchers: set[Watcher] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._watchers)

    def add(self) -> Watcher:
        """A watcher that is owed all changes from now on.  Raises `TooMany` and `Closed`."""
        if self._closed:
            raise Closed
        if len(self._watchers) >= self._watchers_max:
            raise TooMany
        watcher = Watcher(self._owed_max)
        self._watchers.add(watcher)
        return watcher

    def remove(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    def publish(self, record: Record) -> None:
        """Owe this network to everyone."""
        self._watchers = {watcher for watcher in self._watchers if watcher.owe(record)}

    def close(self) -> None:
        """End all watchers, for good."""
        self._closed = True
        for watcher in self._watchers:
            watcher.end(Closed())
        self._watchers.clear()
