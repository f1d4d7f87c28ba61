"""An event loop whose time stands still until it is told to move on.

Whatever is ready is run to the end; what waits for an instant waits until the test lets that much
time pass.  So nothing is slept for, and a screen has settled when nothing is left to do.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

TURNS_MAX = 20_000  # more than any screen needs: something turns for ever


class _Selector(selectors.DefaultSelector):
    """Never waits; remembers whether anything was ready."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        self.found = bool(ready)
        return ready


class StillLoop(asyncio.SelectorEventLoop):
    """`settle()` does what is to be done now; `passes(ms)` lets time go by."""

    def __init__(self) -> None:
        self._chosen = _Selector()
        self._moment = 1_000.0
        super().__init__(self._chosen)
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        return self._moment

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """At once: a thread would make the result depend on who is faster."""
        done: Future[Any] = Future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return asyncio.wrap_future(done, loop=self)

    def settle(self) -> None:
        """Runs everything that can be run at this instant."""
        for _ in range(TURNS_MAX):
            self.stop()  # after one turn
            self.run_forever()
            if not self._ready and not self._chosen.found and not self._is_due():  # type: ignore[attr-defined]
                return
        raise AssertionError(f"still busy after {TURNS_MAX} turns: {self._ready}")  # type: ignore[attr-defined]

    def passes(self, ms: float) -> None:
        """Lets time go by, from one instant at which something waits to the next."""
        self.settle()
        until = self._moment + ms / 1000
        while (due := self._next()) is not None and due <= until:
            self._moment = max(self._moment, due)
            self.settle()
        self._moment = until
        self.settle()

    def finish(self, task: "asyncio.Future[Any]", ms: float = 10_000) -> Any:
        """Lets time go by until the task has ended; gives its result."""
        until = self._moment + ms / 1000
        self.settle()
        while not task.done():
            due = self._next()
            assert due is not None, f"nothing is left that could end {task}"
            assert due <= until, f"after {ms} ms still not ended: {task}"
            self._moment = max(self._moment, due)
            self.settle()
        return task.result()

    def _next(self) -> float | None:
        waiting = [one.when() for one in self._scheduled if not one.cancelled()]  # type: ignore[attr-defined]
        return min(waiting, default=None)

    def _is_due(self) -> bool:
        due = self._next()
        return due is not None and due <= self._moment
