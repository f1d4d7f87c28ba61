"""Watchers of a node: each has a bounded queue of its own, and a slow one is let go."""

from asyncio import Queue, QueueFull
from collections.abc import AsyncIterator

from ..errors import Complaint
from ..happenings import Happening

QUEUE_MAX = 4_096


class TooSlow(Complaint):
    """This watcher reads too slowly: {count} happenings were waiting. Watch again to go on."""

    reason = "TOO_SLOW"
    status = "RESOURCE_EXHAUSTED"


class Watcher:
    """One reader of happenings; `chat_id` 0 for all chats."""

    def __init__(self, chat_id: int, queue_max: int) -> None:
        self._chat_id = chat_id
        self._queue: Queue[Happening | None] = Queue(queue_max)
        self._lost = False

    def tell(self, happening: Happening) -> None:
        """Queues a happening, if it concerns this watcher."""
        if self._lost or (self._chat_id and happening.chat_id not in (0, self._chat_id)):
            return
        try:
            self._queue.put_nowait(happening)
        except QueueFull:
            self._lost = True

    def end(self) -> None:
        """Lets the reader go once it has read what is queued."""
        try:
            self._queue.put_nowait(None)
        except QueueFull:
            self._lost = True

    async def happenings(self) -> AsyncIterator[Happening]:
        """What was queued, then what comes.

        Raises:
            TooSlow: the queue was full when something happened.
        """
        while True:
            if self._lost and self._queue.empty():
                raise TooSlow(count=self._queue.maxsize)
            happening = await self._queue.get()
            if happening is None:
                return
            yield happening


class Hub:
    """All watchers of a node."""

    def __init__(self, queue_max: int = QUEUE_MAX) -> None:
        self._queue_max = queue_max
        self._watchers: set[Watcher] = set()
        self._ended = False

    def add(self, chat_id: int = 0) -> Watcher:
        """A new watcher; one that comes too late is at its end at once."""
        watcher = Watcher(chat_id, self._queue_max)
        if self._ended:
            watcher.end()
        self._watchers.add(watcher)
        return watcher

    @property
    def watched(self) -> bool:
        """Whether anybody hears what is told."""
        return bool(self._watchers)

    def remove(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    def tell(self, happening: Happening) -> None:
        """Tells everyone whom it concerns."""
        for watcher in self._watchers:
            watcher.tell(happening)

    def end(self) -> None:
        """The node ends: every watcher reads to its end."""
        self._ended = True
        for watcher in self._watchers:
            watcher.end()
