"""Output to a terminal that may stand still, without the program standing still with it.

A terminal whose window is frozen, or whose connection hangs, takes nothing any more; a node in the
same process must go on answering its pings.  So what is not taken at once waits here, and nothing
new is drawn until it has gone.
"""

import asyncio
import contextlib
import errno
import os
import select
from collections.abc import Callable, Iterator

LAST_S = 0.5  # at the end, a terminal that has taken nothing for so long is not waited for
GONE = (errno.EIO, errno.ENXIO, errno.EPIPE, errno.EBADF)


class Tty:
    """Takes the place of stdout.  `drained` is called when all that waited has gone."""

    encoding = "utf-8"

    def __init__(self, descriptor: int, drained: Callable[[], None]) -> None:
        """Opens the terminal a second time, so that only we do not wait for it.

        Raises:
            OSError: it has no name by which it could be opened.
        """
        self._terminal, self._drained = descriptor, drained
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        self._own = os.open(os.ttyname(descriptor), flags)
        self._waiting = b""
        self.is_muted = False  # while the terminal is somebody else's nothing is sent

    def fileno(self) -> int:
        """The terminal, for its size."""
        return self._terminal

    def isatty(self) -> bool:
        return True

    @property
    def is_behind(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    def write(self, text: str) -> int:
        """Takes text; it goes with the next flush."""
        if not self._waiting:
            self._waiting = text.encode("utf-8", "replace")
        else:
            self._waiting += text.encode("utf-8", "replace")
        return len(text)

    def flush(self) -> None:
        """Sends what the terminal takes now, the rest as soon as it does.

        Raises:
            OSError: the terminal is gone.
        """
        if self.is_muted:
            self._waiting = b""
        self._send()
        if self._waiting:
            asyncio.get_running_loop().add_writer(self._own, self._go_on)

    def _send(self) -> None:
        while self._waiting:
            try:
                sent = os.write(self._own, self._waiting)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._waiting = b""
                raise
            self._waiting = self._waiting[sent:]

    def _go_on(self) -> None:
        try:
            self._send()
        except OSError as error:
            if not is_gone(error):
                raise  # else the input ends as well, which ends the app
        if not self._waiting:
            asyncio.get_running_loop().remove_writer(self._own)
            self._drained()

    def close(self) -> None:
        """Sends what is left as long as the terminal takes some of it, and lets go of it."""
        with contextlib.suppress(OSError):
            before = 0
            while self._waiting and len(self._waiting) != before:
                before = len(self._waiting)
                select.select([], [self._own], [], LAST_S)
                self._send()
        asyncio.get_running_loop().remove_writer(self._own)
        os.close(self._own)


def is_foreground(descriptor: int) -> bool:
    """Whether this process is in the foreground of the terminal, or it is none."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True


def is_gone(error: BaseException | None) -> bool:
    """Whether an error means that there is no terminal any more."""
    return isinstance(error, EOFError) or (isinstance(error, OSError) and error.errno in GONE)


@contextlib.contextmanager
def opened(descriptor: int, drained: Callable[[], None]) -> Iterator[Tty | None]:
    """The terminal, None where it cannot be opened a second time."""
    try:
        tty = Tty(descriptor, drained)
    except OSError:
        yield None
        return
    try:
        yield tty
    finally:
        tty.close()
