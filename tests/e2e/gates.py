"""Gates on the way to a server: they let some callers through and not others, or all but slowly.

A gate knows callers by their process, so that one address can be reachable for some only, as with
walls between networks.  Whom it does not let through hears nothing at all, as behind a lost cable;
who was cut off finds the connection closed when the gate opens, and calls again.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.waiting import WAIT_S

CHUNK = 65_536
TURN_S = 0.02


def caller_of(port: int, ours: int, pids: Iterable[int]) -> int:
    """Which of these processes has the connection from `port` to `ours`; 0 for none of them."""
    wanted = (f":{port:04X}", f":{ours:04X}")
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text("ascii").splitlines()[1:]:
            fields = row.split()
            if fields[1].endswith(wanted[0]) and fields[2].endswith(wanted[1]):
                socket = f"socket:[{fields[9]}]"
                return next((pid for pid in pids if _holds(pid, socket)), 0)
    return 0


def _holds(pid: int, socket: str) -> bool:
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):  # it was closed meanwhile
            if os.readlink(descriptor) == socket:
                return True
    return False


class Gate:
    """A TCP proxy on 127.0.0.1 before a server; `close` ends it."""

    def __init__(self, target: str = "", pids: Callable[[], Iterable[int]] = tuple) -> None:
        """Lets everybody through at once.

        Args:
            target: HOST:PORT; may be named later.
            pids: the processes that it is to tell from each other, at any time.
        """
        self.target, self._pids = target, pids
        self.delay_s = 0.0  # of every word, each way
        self.walls: frozenset[int] = frozenset()  # processes that are not let through
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: dict[int, int] = {}  # the process of a caller's port
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self._server = started.result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def note(self, words: bytes) -> None:
        """What came from either side, before it goes on."""

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._called, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pass(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # one of the two is gone, or we are told to end
        finally:
            self._tasks.discard(task)
            self._known.pop(writer.get_extra_info("peername")[1], None)
            writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port: int = writer.get_extra_info("peername")[1]
        if await self._is_walled(port):
            return await self._opened(port)
        host, _, number = self.target.rpartition(":")
        there, back = await asyncio.open_connection(host, int(number))
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(port, reader, back))
                both.create_task(self._carry(port, there, writer))
        except* (OSError, _Ended):
            pass
        finally:
            back.close()

    async def _is_walled(self, port: int) -> bool:
        """Who calls is looked up only where that matters: it takes a while."""
        if not self.walls:
            return False
        if not self._known.get(port):  # 0: it was started a moment ago, and is not known yet
            pids = self._pids()
            self._known[port] = await asyncio.to_thread(caller_of, port, self.port, pids)
        return self._known[port] in self.walls

    async def _opened(self, port: int) -> None:
        for _ in iter(lambda: self._known.get(port) in self.walls, False):
            await asyncio.sleep(TURN_S)

    async def _carry(
        self, port: int, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """What comes from one goes to the other when it is due; raises `_Ended` at its end."""
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def hand_on() -> None:
            while True:
                at, words = await due.get()
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                if await self._is_walled(port):
                    await self._opened(port)
                    raise _Ended  # what was said meanwhile is lost
                if not words:
                    raise _Ended
                sink.write(words)
                await sink.drain()

        async with asyncio.TaskGroup() as both:
            both.create_task(hand_on())
            while True:
                words = await source.read(CHUNK)
                self.note(words)
                due.put_nowait((time.monotonic() + self.delay_s, words))
                if not words:
                    break


class _Ended(Exception):
    """One side has closed the connection."""
