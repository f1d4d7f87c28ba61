"""Watchers of a node: each has a bounded queue of its own, and a slow one is let go."""

from asyncio import Event
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence

from ..errors import Complaint
from ..happenings import KINDS, Happening, What

QUEUE_MAX = 4_096


class TooSlow(Complaint):
    """This watcher reads too slowly: {count} happenings were waiting. Watch again to go on."""

    reason = "TOO_SLOW"
    status = "RESOURCE_EXHAUSTED"


class Watcher:
    """One reader of happenings of these kinds; `chat_id` 0 for all chats."""

    def __init__(self, chat_id: int, kinds: frozenset[type[What]], queue_max: int) -> None:
        self._chat_id, self.kinds = chat_id, kinds
        self._queue_max = queue_max
        self._queue: deque[Happening] = deque()
        self._news = Event()
        self._lost = self._ended = False

    def tell(self, happenings: Sequence[Happening]) -> None:
        """Queues those that concern this watcher."""
        if self._lost or self._ended:
            return
        if self._chat_id:
            mine = (0, self._chat_id)
            happenings = [one for one in happenings if one.chat_id in mine]
        if len(self.kinds) < len(KINDS):
            happenings = [one for one in happenings if type(one.what) in self.kinds]
        self._lost = len(self._queue) + len(happenings) > self._queue_max
        self._queue.extend(happenings[: self._queue_max - len(self._queue)])
        self._news.set()

    def end(self) -> None:
        """Lets the reader go once it has read what is queued."""
        self._ended = True
        self._news.set()

    async def happenings(self) -> AsyncIterator[Happening]:
        """What was queued, then what comes.

        Raises:
            TooSlow: the queue was full when something happened.
        """
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._lost:
                raise TooSlow(count=self._queue_max)
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()


class Hub:
    """All watchers of a node."""

    def __init__(self, queue_max: int = QUEUE_MAX) -> None:
        self._queue_max = queue_max
        self._watchers: set[Watcher] = set()
        self._ended = False

    def add(self, chat_id: int = 0, kinds: Collection[type[What]] = ()) -> Watcher:
        """A new watcher, of all kinds where none is named; one that comes too late is at its end at
        once.
        """
        watcher = Watcher(chat_id, frozenset(kinds or KINDS.values()), self._queue_max)
        if self._ended:
            watcher.end()
        self._watchers.add(watcher)
        return watcher

    def wants(self, kind: type[What]) -> bool:
        """Whether anybody hears of this kind."""
        return any(kind in watcher.kinds for watcher in self._watchers)

    def remove(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    def tell(self, *happenings: Happening) -> None:
        """Tells everyone whom they concern."""
        for watcher in self._watchers:
            watcher.tell(happenings)

    def end(self) -> None:
        """The node ends: every watcher reads to its end."""
        self._ended = True
        for watcher in self._watchers:
            watcher.end()
