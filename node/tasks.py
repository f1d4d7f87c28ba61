"""Tasks that cannot die in silence: the one way to start one.

A task that ends by an exception is logged with its traceback, and `on_crash` is told, so that the
node ends loudly.  Being cancelled is a normal end.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)


class Tasks:
    """A node's tasks.  `on_crash(name, error)`, called for each that fails, must not raise."""

    def __init__(self, on_crash: Callable[[str, BaseException], None]) -> None:
        self._on_crash = on_crash
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work` until it ends, is cancelled, or fails."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crash(task.get_name(), error)

    def crash(self, name: str, error: BaseException) -> None:
        """What happens when a task fails; for what runs on the loop without being a task."""
        _log.critical("%s failed: %r", name, error, exc_info=error)
        self._on_crash(name, error)

    async def close(self) -> None:
        """Cancel all, and wait until each has ended."""
        current = asyncio.current_task()
        while running := [task for task in self._running if task is not current]:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            await asyncio.sleep(0)  # their callbacks run
