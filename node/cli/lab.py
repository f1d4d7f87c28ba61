"""A discovery service and nodes as real processes under one directory, all ended at the end.

What the demo plays with: every process is a child with a pid that is kept, and `close` ends them
all, whatever happened before.
"""

import asyncio
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from .. import background
from ..errors import NodeDown, NotStarted
from ..places import Places, places
from .client import Client

READY_S = 15.0
END_S = 4.0  # after SIGTERM; then SIGKILL


class Lab:
    """Processes under `home`, and a connection to each node."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.nds = ""  # HOST:PORT
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: dict[str, Client] = {}

    def places(self, name: str) -> Places:
        return places(name, str(self.home))

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def is_running(self, name: str) -> bool:
        return name in self._running and self._running[name].poll() is None

    async def start_nds(self) -> None:
        """An NDS on a free port, its database and log in the directory."""
        output = self.home / "nds.log"
        store = f"sqlite:{self.home / 'nds.db'}"
        arguments = ["--listen", self.nds or "127.0.0.1:0", "--store", store]
        arguments += ["--insecure"] if os.environ.get("P2PCHAT_INSECURE") == "on" else []
        self._start("nds", background.python("nds", *arguments), output)
        while not (found := re.search(r"\blistening address=(\S+)", _read(output))):
            await self._not_yet("nds", output)
        self.nds = found[1]

    async def start_node(self, name: str, *flags: str) -> Client:
        """A node whose profile and nick are `name`; its connection once it answers."""
        place = self.places(name)
        place.make()
        arguments = ["_node", "--home", str(self.home), "--profile", name, "--nick", name]
        if self.nds:
            arguments += ["--nds", self.nds]
        self._start(name, background.python("node", *arguments, *flags), place.output)
        client = self._clients.get(name)
        if client is None:
            client = Client(place.socket, profile=name, log=place.log, timeout=5.0)
            self._clients[name] = await client.__aenter__()
        while True:
            try:
                if (await client.status()).pid == self.pid(name):
                    return client
            except NodeDown:
                await self._not_yet(name, place.output)

    def client(self, name: str) -> Client:
        return self._clients[name]

    def _start(self, name: str, command: list[str], output: Path) -> None:
        with output.open("wb") as out:
            self._running[name] = subprocess.Popen(  # noqa: S603  our own program; no shell reads it
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl+C is for us: we end them in order
                env=background.environment(),
            )
        self._until = time.monotonic() + READY_S

    async def _not_yet(self, name: str, output: Path) -> None:
        if not self.is_running(name):
            raise background.last_words(output, "p2pchat", output)
        if time.monotonic() > self._until:
            raise NotStarted(text=f"{name} was not ready after {READY_S:g} s.", log=output)
        await asyncio.sleep(background.TURN_S)

    def kill(self, name: str) -> None:
        """SIGKILL: no good-bye."""
        self._running[name].kill()
        self._running[name].wait()

    async def close(self) -> None:
        """Ends everything; twice is harmless."""
        for client in self._clients.values():
            await client.__aexit__()
        self._clients.clear()
        self.end()

    def end(self) -> None:
        """Ends every process: asked first, then not."""
        living = [one for one in self._running.values() if one.poll() is None]
        for process in living:
            os.kill(process.pid, signal.SIGTERM)
        until = time.monotonic() + END_S
        for process in living:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _read(file: Path) -> str:
    return file.read_text("utf-8", "replace")
