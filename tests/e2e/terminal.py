"""A program on a terminal: keys as people press them, its screen as people see it, its end.

`Terminal` is a pty of ours drawn by pyte, `Tmux` the same within tmux, where that is installed.
What is waited for is to be seen on the screen.
"""

import codecs
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Self

from tests.display import Display, pasted, pressed
from tests.waiting import LOOK_S, WAIT_S, wait_for

# The leader of a new session takes the terminal, so that it is hung up with it, and runs the rest.
TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
BECOME = f"{TAKE}; os.execvp(sys.argv[1], sys.argv[1:])"

END_MARK = "\x1b[0;0;0m"  # changes nothing, and nobody else writes it


class Screen(ABC):
    """What both have in common."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The rows without their trailing blanks."""

    @abstractmethod
    def press(self, *keys: str) -> None:
        """Presses keys, called as in "Alt+2"."""

    @abstractmethod
    def type(self, text: str) -> None:
        """Types text."""

    @abstractmethod
    def resize(self, columns: int, rows: int) -> None:
        """Gives the terminal another size."""

    @abstractmethod
    def has_ended(self) -> bool:
        """Whether the program has."""

    @abstractmethod
    def close(self) -> None:
        """Ends what still runs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def enter(self, text: str) -> None:
        """Types a line and Enter."""
        self.type(text)
        self.press("Enter")

    def until(self, what: "str | Callable[[str], bool]", wait_s: float = WAIT_S) -> str:
        """Waits until the screen holds a text, or is as a test of it wants; gives the screen."""
        holds = (lambda seen: what in seen) if isinstance(what, str) else what
        began = time.monotonic()
        while not holds(text := self.text):
            assert time.monotonic() < began + wait_s, f"after {wait_s:g} s no {what!r}:\n{text}"
            time.sleep(LOOK_S)
        return text


class Terminal(Screen):
    """A pty, with a thread that draws what is written to it."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 110,
        rows: int = 24,
        term: str = "xterm-256color",
    ) -> None:
        """Starts the program.

        Args:
            command: what to run.
            environment: all of its variables but TERM.
            columns: of the terminal.
            rows: of the terminal.
            term: its kind.
        """
        self.display = Display(columns, rows)
        self.raw = ""  # all that was written
        self._mutex = threading.Lock()
        self._master, theirs = pty.openpty()
        self.first_modes = termios.tcgetattr(theirs)
        self._set_size(columns, rows)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", BECOME, *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environment, "TERM": term},
            start_new_session=True,
        )
        self._theirs = theirs  # kept, so that its modes can be read when the program has ended
        self._is_open = True
        self._stop, self._stopping = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while self._stop not in select.select([self._master, self._stop], [], [])[0]:
            text = decoder.decode(os.read(self._master, 65_536))
            with self._mutex:
                self.display.feed(text)
                self.raw += text  # last: who sees it here finds it on the display

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def text(self) -> str:
        with self._mutex:
            return self.display.text

    @property
    def last_row(self) -> str:
        """Of the screen: cheaper to look at than all of it."""
        with self._mutex:
            line = self.display.buffer[self.display.lines - 1]
            return "".join(line[x].data for x in range(self.display.columns)).rstrip()

    def send(self, raw: str) -> None:
        """Bytes, as a terminal sends them."""
        rest = raw.encode()
        while rest:
            rest = rest[os.write(self._master, rest) :]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.send(pressed(key))

    def type(self, text: str) -> None:
        self.send(text)

    def paste(self, text: str) -> None:
        self.send(pasted(text))

    def resize(self, columns: int, rows: int) -> None:
        with self._mutex:
            self.display.resize(rows, columns)
            self._set_size(columns, rows)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> float:
        """Takes the terminal away; seconds until the program has ended of it."""
        began = time.monotonic()
        self._let_go()
        self.process.wait(WAIT_S)
        return time.monotonic() - began

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def ended(self, wait_s: float = WAIT_S) -> int:
        """Waits for its end and for all that it wrote; the exit code."""
        code = self.process.wait(wait_s)
        os.write(self._theirs, END_MARK.encode())  # once it is read, all before it was
        wait_for(lambda: self.raw.endswith(END_MARK), "it has written all", wait_s)
        return code

    def left_behind(self) -> list[str]:
        """What a program that has ended has not put back."""
        modes = termios.tcgetattr(self._theirs)
        found = {
            "the modes of the terminal": modes[:4] != self.first_modes[:4],
            "the alternate screen": self.display.is_alternate,
            "bracketed paste": self.display.takes_pastes,
            "the mouse": self.display.takes_mouse,
            "a hidden cursor": not self.display.shows_cursor,
        }
        return [what for what, is_so in found.items() if is_so]

    def _let_go(self) -> None:
        if self._is_open:
            self._is_open = False
            os.write(self._stopping, b"!")  # a master that is being read is not hung up
            self._reader.join()
            for descriptor in (self._master, self._theirs, self._stop, self._stopping):
                os.close(descriptor)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._let_go()


# ---- tmux ----------------------------------------------------------------------------------------

NAMED = {"PgUp": "PPage", "PgDn": "NPage", "Shift+Tab": "BTab", "Esc": "Escape", "+": "+"}
NAMED |= {"Backspace": "BSpace", "Delete": "DC", "Insert": "IC"}


def has_tmux() -> bool:
    return shutil.which("tmux") is not None


def in_tmux(key: str) -> str:
    """What tmux calls a key."""
    modifier, plus, rest = key.partition("+")
    if not plus or key in NAMED:
        return NAMED.get(key, key)
    return f"{modifier[0].replace('A', 'M')}-{rest.lower() if len(rest) == 1 else rest}"


class Tmux(Screen):
    """A program in the only pane of a tmux server of its own."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 110,
        rows: int = 24,
    ) -> None:
        """Starts both."""
        self._directory = TemporaryDirectory(prefix="tmux-")  # a socket's path must be short
        self._environment = {**environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self._environment.pop("TMUX", None)
        self._socket = f"{self._directory.name}/socket"
        size = ["-x", str(columns), "-y", str(rows)]
        self._tmux("new-session", "-d", *size, *command)
        self._tmux("set-option", "-g", "remain-on-exit", "on")

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, "-f", os.devnull, *arguments],
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            timeout=WAIT_S,
            check=False,
        )
        assert not check or done.returncode == 0, f"tmux {arguments}: {done.stderr}"
        return done.stdout

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self._tmux("capture-pane", "-p").split("\n"))

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *map(in_tmux, keys))

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def has_ended(self) -> bool:
        return self._tmux("display-message", "-p", "#{pane_dead}").strip() == "1"

    def close(self) -> None:
        self._tmux("kill-server", check=False)
        self._directory.cleanup()
