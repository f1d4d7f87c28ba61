"""The store on the event loop: one thread for the disk, and the word to those who watch.

A change that has begun is finished and told to the watchers even if the call that asked for it has
gone away meanwhile.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from msgspec.structs import replace

from nds.errors import NdsError
from nds.record import IDLE_MS, NO_IDS, Record, is_idle
from nds.store import Changed, Decide, Store
from nds.watchers import Watchers

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """Changes and reads records.  `now` gives unix milliseconds.

    Every method raises `StoreUnusable` when the disk fails.
    """

    def __init__(self, store: Store, watchers: Watchers, now: Callable[[], int]) -> None:
        self._store = store
        self._watchers = watchers
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._swept_ms = now()
        self._fault: NdsError | None = None  # of the last try to write; the store's thread only

    async def change(self, chat: int, decide: Decide[T], *, request: str = "") -> Changed[T]:
        """`Store.update`, and word of it to the watchers."""
        change = asyncio.ensure_future(self._run(self._update, chat, decide, request))
        change.add_done_callback(self._publish)
        return await asyncio.shield(change)

    async def fault(self) -> NdsError | None:
        """Why nothing can be stored now; None where nothing is known to be in the way.

        After a failure each question finds out whether that is over.
        """
        return await self._run(self._tried)

    async def get(self, chat: int) -> Record | None:
        return await self._run(self._store.get, chat)

    async def find(self, name: str) -> Record | None:
        return await self._run(self._store.find, name)

    async def page(self, after: str, limit: int, seen_from_ms: int) -> list[Record]:
        return await self._run(self._page, after, limit, seen_from_ms)

    async def sweep(self) -> None:
        """Tell the watchers of leaders that have fallen silent; nothing else tells of that."""
        from_ms, self._swept_ms = self._swept_ms, self._now()
        if len(self._watchers):
            silent = await self._run(
                self._store.last_seen, from_ms - IDLE_MS + 1, self._swept_ms - IDLE_MS + 1
            )
            for record in silent:
                self._watchers.publish(record)

    def close(self) -> None:
        """Finish what has begun and close the store."""
        self._thread.shutdown(wait=True)
        self._store.close()

    def _update(self, chat: int, decide: Decide[T], request: str) -> Changed[T]:
        try:
            changed = self._store.update(chat, decide, request=request)
        except NdsError as error:
            self._fault = error
            raise
        if changed.after != changed.before:
            self._fault = None
        return changed

    def _tried(self) -> NdsError | None:
        if self._fault is not None:
            try:
                self._store.try_writing()
            except NdsError as error:
                self._fault = error
            else:
                self._fault = None
        return self._fault

    def _page(self, after: str, limit: int, seen_from_ms: int) -> list[Record]:
        return self._store.page(after, limit, seen_from_ms=seen_from_ms)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        assert not kwargs, "run_in_executor takes none"
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def _publish(self, change: "asyncio.Future[Changed[T]]") -> None:
        if change.cancelled() or change.exception() is not None:
            return
        done, now_ms = change.result(), self._now()
        if done.after is not None and shown(done.before, now_ms) != shown(done.after, now_ms):
            self._watchers.publish(done.after)


def shown(record: Record | None, now_ms: int) -> tuple[Record, bool] | None:
    """What of a record is worth telling a watcher when it changes: all but the sign of life."""
    if record is None:
        return None
    public = replace(record, seen_ms=0, next_n=0, nonce=0, ids=NO_IDS, answered=False)
    public = replace(public, owner=b"", certificate=b"", host="")
    return public, is_idle(record, now_ms)
