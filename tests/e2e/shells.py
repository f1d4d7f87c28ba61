"""Real shells on terminals of their own, driven as people drive them, for what README.md shows.

Each shell is an interactive bash without echo, whose prompt carries the last exit code; so a
command has ended when the prompt is there.  Every process that comes out of them carries a mark in
its environment, by which `close` finds exactly those, background ones included.
"""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

WAIT_S = 30.0  # for what takes a second or two on an idle machine
TURN_S = 0.02
MARK = "P2PCHAT_README"
READY = re.compile(r"<<ready (\d+)>>")

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


class Shell:
    """One terminal with a bash in it."""

    def __init__(self, environment: dict[str, str], directory: Path) -> None:
        """Starts it; `wait_ready` tells when it can be used."""
        self._master, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", BECOME],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={**environment, "PS1": r"<<ready $?>>\n", "PS2": ""},
            cwd=directory,
            start_new_session=True,
        )
        os.close(terminal)
        self._printed, self._mutex = "", threading.Lock()
        self._seen = 0  # up to where what was printed has been taken
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 65_536)
            except OSError:  # the other side has gone
                return
            if not chunk:
                return
            with self._mutex:
                self._printed += chunk.decode("utf-8", "replace").replace("\r\n", "\n")

    def type(self, text: str) -> None:
        """Types a line and Enter."""
        os.write(self._master, f"{text}\n".encode())

    @property
    def printed(self) -> str:
        """What was printed and not taken yet."""
        with self._mutex:
            return self._printed[self._seen :]

    def take(self, count: int) -> None:
        """That many characters have been looked at."""
        self._seen += count

    def wait_ready(self) -> tuple[list[str], int]:
        """Waits for the prompt: the lines before it, and the exit code in it."""
        until = time.monotonic() + WAIT_S
        while not (found := READY.search(printed := self.printed)):
            assert time.monotonic() < until, f"no prompt after {WAIT_S:g} s:\n{printed}"
            time.sleep(TURN_S)
        self.take(found.end() + 1)
        return printed[: found.start()].splitlines(), int(found[1])

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

        The NDS at 127.0.0.1:50050 and the one of another machine at 10.0.0.5:50050 get a free port
        each on 127.0.0.1, and nothing listens on 0.0.0.0.
        """
        text = text.replace("127.0.0.1:50050", self.local)
        text = re.sub(r"(10\.0\.0\.5|0\.0\.0\.0):50050", self.remote, text)
        return text.replace("0.0.0.0", "127.0.0.1")

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
        until = time.monotonic() + WAIT_S
        while pids := self._living():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            assert time.monotonic() < until, f"these do not end: {pids}"
            time.sleep(TURN_S)
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
