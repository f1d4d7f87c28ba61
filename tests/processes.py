"""Programs of ours as real processes, each ended by its pid, for tests that need them whole."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.waiting import WAIT_S, wait_for


class Processes:
    """A discovery service and any number of homes under one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.nds = ""
        self._children: list[subprocess.Popen[Any]] = []

    # ---- the discovery service -------------------------------------------------------------------

    def start_nds(self) -> int:
        """On port 0, or where it was before; its pid."""
        output = self.directory / "nds.out"
        store = f"sqlite:{self.directory / 'nds.db'}"
        command = [sys.executable, "-m", "nds", "--listen", self.nds or "127.0.0.1:0"]
        with output.open("wb") as out:
            child = subprocess.Popen([*command, "--store", store], stdout=out, stderr=out)
        self._children.append(child)

        def listening() -> "re.Match[str] | None":
            told = output.read_text()
            assert child.poll() is None, told
            return re.search(r"\blistening address=(\S+)", told)

        found = wait_for(listening, "nds-server listens")
        assert found is not None
        self.nds = found[1]
        return child.pid

    # ---- verbs -----------------------------------------------------------------------------------

    def home(self, name: str) -> Path:
        return self.directory / name

    def command(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "node", *arguments, "--home", str(self.home(name))]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("P2PCHAT_")}
        return {**kept, "TZ": "UTC", "P2PCHAT_NDS_LISTEN": "127.0.0.1:0", **more}

    def run(
        self, name: str, *arguments: str, stdin: str = "", code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Runs a verb to its end; `code` is the exit code that it must have."""
        done = subprocess.run(
            self.command(name, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
            env=self.environment(),
        )
        told = f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, told
        assert "Traceback" not in done.stderr, told
        return done

    def json(self, name: str, *arguments: str, code: int | None = 0) -> Any:
        """The one JSON object that a verb prints."""
        (line,) = self.run(name, *arguments, "--json", code=code).stdout.splitlines()
        return json.loads(line)

    def lines(self, name: str, *arguments: str) -> list[str]:
        return self.run(name, *arguments).stdout.splitlines()

    def start(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """A verb that goes on; ended with the rest."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        child: subprocess.Popen[str] = subprocess.Popen(
            self.command(name, *arguments), env=self.environment(), **options
        )
        self._children.append(child)
        return child

    def pid(self, name: str) -> int:
        """Of the node of a home; 0 where none runs."""
        from node.profile import holder

        return holder(self.home(name) / "default")

    # ---- the end ---------------------------------------------------------------------------------

    def _none_left(self) -> bool:
        """Ends those too that had been begun in vain, and find a home that is free again."""
        mark, found = str(self.directory).encode(), False
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (directory / "cmdline").read_bytes():
                    os.kill(int(directory.name), signal.SIGKILL)
                    found = True
            except OSError:
                continue  # It has ended meanwhile.
        return not found

    def close(self) -> None:
        """Ends every process that was started here, background ones included."""
        pids = [child.pid for child in self._children if child.poll() is None]
        for home in self.directory.iterdir():
            if (home / "default").is_dir():
                pids += [self.pid(home.name), own_nds(home / "default")]
        for pid in filter(None, pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_for(self._none_left, "all processes have ended")
        for child in self._children:
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream is not None:
                    stream.close()


def own_nds(profile: Path) -> int:
    """Pid of the NDS that a profile started, if it still runs."""
    from node.background import own_nds as owned
    from node.places import places

    return owned(places(profile.name, str(profile.parent), {}))[0]


def texts(lines: Sequence[str]) -> list[str]:
    """Lines of `tail` without their times."""
    return [line.partition(" ")[2] for line in lines]
