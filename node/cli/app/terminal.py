"""The terminal itself: what is sent to it beside rows, and what is undone when the app ends.

While the app has the screen, descriptor 2 is a file: the gRPC core writes there, and so would a
traceback.  Whatever ends the app, the terminal is given back as it was found.
"""

import asyncio
import base64
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from prompt_toolkit.output import Output

COPY_MAX = 74_000  # bytes of the clipboard that terminals take
PLAIN_TERMS = ("linux", "eterm-color")  # know neither titles nor a clipboard


class Screen:
    """What a terminal can do beside showing rows."""

    def __init__(self, output: Output, term: str) -> None:
        self._output, self._is_able = output, term not in PLAIN_TERMS
        self._title = ""

    def ring(self) -> None:
        """The bell."""
        self._output.bell()

    def copy(self, text: str) -> None:
        """Puts text into the clipboard (OSC 52); a terminal that cannot ignores it."""
        if self._is_able:
            content = base64.b64encode(text.encode("utf-8", "replace")[:COPY_MAX]).decode()
            self._output.write_raw(f"\x1b]52;c;{content}\x07")
            self._output.flush()

    def entitle(self, title: str) -> None:
        """The title of the terminal's window; the first one keeps that which was there."""
        if title == self._title or not self._is_able:
            return
        if not self._title:
            self._output.write_raw("\x1b[22;2t")
        self._title = title
        self._output.set_title(title)
        self._output.flush()

    def give_back(self) -> None:
        """The title that was there."""
        if self._title:
            self._title = ""
            self._output.clear_title()
            self._output.write_raw("\x1b[23;2t")
            self._output.flush()


@contextlib.contextmanager
def stderr_in(log: Path) -> Iterator[None]:
    """Descriptor 2 is the file for as long as this lasts."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:  # better nowhere than across the screen
        file = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(file, 2)
    os.close(file)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)


def note_crash(log: Path, error: BaseException, *, reticent: bool) -> None:
    """Leaves the traceback in the log; a reticent one without what the error says."""
    told = traceback.format_exception(error)
    if reticent:
        told = [*traceback.format_tb(error.__traceback__), f"{type(error).__name__}\n"]
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8") as file:
        file.writelines(told)


@contextlib.contextmanager
def signals(handlers: dict[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Signals call these for as long as this lasts; then what was there before does its work."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in handlers}
    for number, work in handlers.items():
        loop.add_signal_handler(number, work)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # else it was not set from Python
                signal.signal(number, handler)
