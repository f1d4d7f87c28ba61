"""Lines of stdin on the loop, whatever stdin is: a terminal, a pipe or a file."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError

AHEAD_MAX = 16  # blocks of a pipe that are read ahead


async def stdin_lines() -> AsyncIterator[str]:
    """Lines of stdin as they come.  A thread of its own reads them: a file cannot be polled."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(AHEAD_MAX)
    descriptor = sys.stdin.fileno()

    def read() -> None:
        while True:
            try:
                chunk = os.read(descriptor, 65_536)
            except OSError:
                chunk = b""
            put = queue.put(chunk)
            try:  # waits for room: a long file is not read into memory
                asyncio.run_coroutine_threadsafe(put, loop).result()
            except (RuntimeError, CancelledError):  # the loop has ended meanwhile
                put.close()
                return
            if not chunk:
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    rest = b""
    while chunk := await queue.get():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if rest:
        yield rest.decode("utf-8", "replace")
