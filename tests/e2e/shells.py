"""Real shells on terminals of their own, driven as people drive them, for what README.md shows.

Each shell is an interactive bash without echo, whose prompt carries the last exit code; so a
command has ended when the prompt is there.  While the app has the screen, what comes is drawn and
read from there; all else is what was printed.  Every process that comes out of them carries a mark
in its environment, by which `close` finds exactly those, background ones included.
"""

import codecs
import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.display import Display, pressed
from tests.waiting import LOOK_S, WAIT_S, pause_s

COLUMNS, ROWS = 110, 24
SECRET = r"(\S+:\d+/[\w.-]+)#(?:[\w-]{16}){1,3}(?![\w-])"  # a join line
MARK = "P2PCHAT_README"
READY = re.compile(r"<<ready (\d+)>>")
INPUT = re.compile(r"^\[#\S+\]$", re.MULTILINE)  # of the app, with a chat in front and empty

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"  # the screen that an app has to itself
ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[ -/]*[0-Z^-~])|\r")
HALF = re.compile(r"\x1b(\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?)?\Z")

# The new session's leader takes the terminal, without echo, and becomes bash.
BECOME = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
modes = termios.tcgetattr(0)
modes[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, modes)
os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
"""

# The usual address of an NDS may be taken on this machine: programs are given another one.
ELSEWHERE = """
try:
    import node.config
except ImportError:
    pass
else:
    node.config.NDS_DEFAULT = {address!r}
"""


class Sieve:
    """Keeps what is printed, and lets go what moves cursors and what is drawn by an app."""

    def __init__(self) -> None:
        self._rest, self._is_drawn = "", False

    def kept(self, text: str) -> str:
        """What of the text was printed; half an escape sequence waits for its end."""
        text, self._rest = self._rest + text, ""
        if half := HALF.search(text):
            text, self._rest = text[: half.start()], half[0]
        printed = []
        while text:
            part, turn, text = text.partition(LEAVE if self._is_drawn else ENTER)
            if not self._is_drawn:
                printed.append(part)
            if turn:
                self._is_drawn = not self._is_drawn
        return ESCAPE.sub("", "".join(printed))


class Shell:
    """One terminal with a bash in it."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        """Starts it; `wait_ready` tells when it can be used."""
        self._master, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", BECOME],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            # An app that was killed could not leave the screen: the prompt does.
            env={**environment, "PS1": r"\e[?1049l<<ready $?>>\n", "PS2": ""},
            cwd=directory,
            start_new_session=True,
        )
        os.close(terminal)
        self._display, self._sieve = Display(COLUMNS, ROWS), Sieve()
        self._printed, self._mutex = "", threading.Lock()
        self._seen = 0  # up to where what was printed has been taken
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                chunk = os.read(self._master, 65_536)
            except OSError:  # the other side has gone
                return
            if not chunk:
                return
            text = decoder.decode(chunk)
            with self._mutex:
                self._printed += self._sieve.kept(text)
                self._display.feed(text)

    # ---- the shell

    def run(self, command: str) -> None:
        """Types a command and Enter."""
        self._write(f"{command}\n")

    @property
    def printed(self) -> str:
        """What was printed and not taken yet."""
        with self._mutex:
            return self._printed[self._seen :]

    def found(self, pattern: str) -> list[re.Match[str]]:
        """Where something stands in what was printed, taken or not, or on the screen."""
        with self._mutex:
            text = f"{self._printed}\n{self._display.text}"
        return list(re.finditer(pattern, text))

    def take(self, count: int) -> None:
        """That many characters have been looked at."""
        self._seen += count

    def wait_ready(self) -> tuple[list[str], int]:
        """Waits for the prompt: the lines before it, and the exit code in it."""
        self.wait(lambda: READY.search(self.printed) is not None, "no prompt")
        printed = self.printed
        found = READY.search(printed)
        assert found, "it was there"
        self.take(found.end() + 1)
        return printed[: found.start()].splitlines(), int(found[1])

    # ---- the app

    @property
    def has_app(self) -> bool:
        """Whether an app has the screen."""
        with self._mutex:
            return self._display.is_alternate

    @property
    def screen(self) -> str:
        """What the terminal shows."""
        with self._mutex:
            return self._display.text

    def say(self, text: str) -> None:
        """Types a line and Enter into the app, once it takes any."""
        self.wait(lambda: self.has_app and INPUT.search(self.screen) is not None, "no input")
        self._write(f"{text}\r")

    def press(self, key: str) -> None:
        """Presses a key of the app, and waits until that is to be seen."""
        self.wait(lambda: self.has_app, "no app")
        before = self.screen
        self._write(pressed(key))
        self.wait(lambda: self.screen != before, f"{key} does nothing")

    # ---- both

    @property
    def seen(self) -> str:
        """The screen of the app; without one, what was printed and not taken yet."""
        return self.screen if self.has_app else self.printed

    def wait(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Waits until something holds."""
        began = time.monotonic()
        while not holds():
            waited = time.monotonic() - began
            assert waited < WAIT_S, f"{otherwise} after {WAIT_S:g} s:\n{self.seen}"
            time.sleep(LOOK_S)

    def _write(self, text: str) -> None:
        os.write(self._master, text.encode())

    def close(self) -> None:
        """Lets go of the terminal; its processes are ended by `Shells`."""
        self._process.wait()
        os.close(self._master)


class Shells:
    """A shell for each name, each with a profile of that name in one temporary home."""

    def __init__(self, root: Path, directory: Path) -> None:
        """Nothing runs yet.

        Args:
            root: where the shells begin: the checkout.
            directory: what they take for the user's home.
        """
        self.local, self.remote = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self._root, self._directory, self._id = root, directory, uuid.uuid4().hex
        self._shells: dict[str, Shell] = {}
        (directory / "sitecustomize.py").write_text(ELSEWHERE.format(address=self.local))

    def here(self, text: str) -> str:
        """What README.md says, with addresses that this machine has to spare.

        The NDS at 127.0.0.1:50050, which others know as 192.168.1.7:50050, and the one of another
        machine at 10.0.0.5:50050 get a free port each on 127.0.0.1, and nothing listens on 0.0.0.0.
        A join line gets the secret that some shell has shown for it last.
        """
        text = re.sub(r"(127\.0\.0\.1|192\.168\.1\.7):50050", self.local, text)
        text = re.sub(r"(10\.0\.0\.5|0\.0\.0\.0):50050", self.remote, text)
        return re.sub(SECRET, self._secret, text.replace("0.0.0.0", "127.0.0.1"))

    def _secret(self, line: re.Match[str]) -> str:
        """The join line with the secret that goes with it here."""
        shown = [found for shell in self._shells.values() for found in shell.found(SECRET)]
        return next((one[0] for one in reversed(shown) if one[1] == line[1]), line[0])

    def __getitem__(self, name: str) -> Shell:
        if name not in self._shells:
            self._shells[name] = shell = Shell(self._environment(name), self._root)
            shell.wait_ready()
        return self._shells[name]

    def _environment(self, name: str) -> dict[str, str]:
        ours = re.compile(r"P2PCHAT_|XDG_|MAKE|MFLAGS|PYTEST_|PYTHON|COV_|BASH|PROMPT")
        kept = {key: value for key, value in os.environ.items() if not ours.match(key)}
        return kept | {
            MARK: self._id,
            "HOME": str(self._directory),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self._directory),
            "TERM": "xterm",
            "NO_COLOR": "1",
            "TZ": "UTC",
            "P2PCHAT_HOME": str(self._directory / "homes"),
            "P2PCHAT_PROFILE": name or "default",
            "P2PCHAT_NDS_LISTEN": self.local,
        }

    def close(self) -> None:
        """Ends every process that came out of a shell."""
        began = time.monotonic()
        while pids := self._living():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            assert time.monotonic() < began + WAIT_S, f"these do not end: {pids}"
            time.sleep(pause_s(began))
        for shell in self._shells.values():
            shell.close()

    def _living(self) -> list[int]:
        wanted, found = f"{MARK}={self._id}".encode(), []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                variables = (directory / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in variables:
                found.append(int(directory.name))
        return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
