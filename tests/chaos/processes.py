"""One process on a host of the lab: a discovery service, or a node with what it answers.

Everything is asked through a node's control socket, which is a file: no network that is cut or
worsened lies between a node and us.
"""

import asyncio
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc

from p2pchat.v1 import control_pb2, control_pb2_grpc
from tests.chaos.lab import Lab
from tests.waiting import CALL_S

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
CHAT = "chaos"
NDS_PORT, NODE_PORT = 5005, 4740
MARK = "P2PCHAOS_MAKER"  # in the environment of each process: the pid of whoever started it
READY_S = 60.0  # a machine that runs other tests too takes its time to start interpreters
TURN_S = 0.02
OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
)


class Late(AssertionError):
    """Something that had to happen did not."""


async def until(what: Callable[[], Awaitable[T]], why: str, wait_s: float = READY_S) -> T:
    """Asks until the answer is true.  Raises Late with `why` and the last answer."""
    end = time.monotonic() + wait_s
    while not (found := await what()):
        if time.monotonic() > end:
            raise Late(f"after {wait_s:g} s still not so: {why}; {found!r}")
        await asyncio.sleep(TURN_S)
    return found


def forbid_writing(pid: int, forbidden: bool) -> None:
    """As a disk that fails: a process can write no byte to any file, or can again."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0 if forbidden else hard, hard))


class Process:
    """A program on a host; it may be killed, frozen and started again.  Its pid is ours to end."""

    def __init__(self, host: str, directory: Path) -> None:
        self.host, self.directory = host, directory
        self.output = directory / f"{host}.out"
        self.frozen = False
        self.lives = 0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.host} was not started"
        return self._child.pid

    @property
    def ended_by_itself(self) -> bool:
        """Whether it has ended and nobody told it to."""
        return self._child is not None and self._child.poll() is not None

    def launch(self, command: Sequence[str]) -> None:
        assert not self.runs, f"{self.host} runs already"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("P2PCHAT_")}
        path = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
        self.lives += 1
        self.frozen = False
        with self.output.open("ab") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={
                    **kept,
                    MARK: str(os.getpid()),
                    "TZ": "UTC",
                    "PYTHONPATH": path,
                    "GRPC_VERBOSITY": "NONE",
                },
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._child is not None, f"{self.host} was not started"
        self._child.send_signal(number)

    def kill(self) -> None:
        """`kill -9`, and it has gone.  Harmless where it does not run."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None
        self.frozen = False

    def forbid_writing(self, forbidden: bool) -> None:
        """See the function of this name.  Harmless where it does not run."""
        if self.runs:
            forbid_writing(self.pid, forbidden)

    def freeze(self) -> None:
        if self.runs:
            self.signal(signal.SIGSTOP)
            self.frozen = True

    @property
    def woken(self) -> bool:
        """Whether somebody else has set it going that we had frozen."""
        if self._child is None or not self.frozen:
            return False
        stat = Path(f"/proc/{self._child.pid}/stat").read_text("ascii", "replace")
        return stat.rpartition(") ")[2][:1] != "T"

    def thaw(self) -> None:
        if self.runs and self.frozen:
            self.signal(signal.SIGCONT)
        self.frozen = False


class Nds(Process):
    """The discovery service, always at one address."""

    def __init__(self, lab: Lab, host: str, directory: Path, *, port: int, bug: str = "") -> None:
        super().__init__(host, directory)
        self._lab = lab
        self._module = ["tests.chaos.node", "--bug", bug, "nds"] if bug else ["nds"]
        self.address = f"{lab.address(host)}:{port}"
        self.store = directory / "nds.db"

    async def start(self) -> None:
        """Starts it and waits until it serves."""
        before = self.output.stat().st_size if self.output.exists() else 0
        command = [sys.executable, "-m", *self._module, "--listen", self.address, "--log", "json"]
        command += ["--store", f"sqlite:{self.store}"]
        self.launch([*self._lab.inside(self.host), *command])

        async def listening() -> bool:
            told = self.output.read_text("utf-8", "replace")[before:]
            if self.ended_by_itself:
                raise Late(f"the discovery service has ended: {told}")
            found = re.search(r'"event": "listening".*"address": "([^"]+)"', told)
            if found:
                self.address = found[1]
            return bool(found)

        await until(listening, "the discovery service listens")

    def wipe(self) -> None:
        """Removes its store, which must not be in use."""
        for file in self._files():
            file.unlink()

    def save(self) -> None:
        """Keeps a copy of its store as it is on the disk at one moment."""
        stopped = self.runs and not self.frozen
        if stopped:
            self.freeze()
        for file in self._files():
            shutil.copyfile(file, file.with_name(f"saved-{file.name}"))
        if stopped:
            self.thaw()

    def roll_back(self) -> None:
        """Puts the copy in the store's place, which must not be in use."""
        self.wipe()
        for file in self.store.parent.glob(f"saved-{self.store.name}*"):
            shutil.copyfile(file, file.with_name(file.name.removeprefix("saved-")))

    def _files(self) -> list[Path]:
        files = sorted(self.store.parent.glob(f"{self.store.name}*"))
        return [file for file in files if not file.name.endswith("-shm")]


class Node(Process):
    """A node with a home of its own."""

    def __init__(self, lab: Lab, host: str, directory: Path, *, bug: str = "") -> None:
        super().__init__(host, directory)
        self._lab, self._bug = lab, bug
        self.home = directory / host
        self.home.mkdir(exist_ok=True)
        self.clock = directory / f"{host}.clock"
        self.set_clock(0)
        self.fixed_port = lab.network
        self.ids: set[int] = set()
        self._channel: grpc.aio.Channel | None = None

    @property
    def profile(self) -> Path:
        return self.home / "default"

    def set_clock(self, skew_ms: int) -> None:
        """From now on its wall clock is wrong by so much."""
        with self.clock.open("r+b" if self.clock.exists() else "wb") as file:
            file.write(struct.pack("<q", skew_ms))

    def start(self, nds: str) -> None:
        """Starts it; `ready` waits until it answers."""
        port = NODE_PORT if self.fixed_port else 0
        command = [sys.executable, "-m", "tests.chaos.node", "--clock", str(self.clock)]
        command += ["--bug", self._bug] if self._bug else []
        command += ["_node", "--home", str(self.home), "--profile", "default"]
        command += ["--nick", self.host, "--nds", nds]
        command += ["--listen", f"{self._lab.address(self.host)}:{port}"]
        (self.profile / "node.sock").unlink(missing_ok=True)
        self.launch([*self._lab.inside(self.host), *command])

    async def ready(self) -> None:
        """Waits until it answers."""

        async def answers() -> bool:
            if self.ended_by_itself:
                raise Late(f"{self.host} has ended: {self.output.read_text('utf-8', 'replace')}")
            return (self.profile / "node.sock").exists() and await self.status() is not None

        await until(answers, f"{self.host} answers")

    @property
    def control(self) -> Any:
        if self._channel is None:
            socket = f"unix:{self.profile / 'node.sock'}"
            self._channel = grpc.aio.insecure_channel(socket, options=OPTIONS)
        return control_pb2_grpc.ControlStub(self._channel)

    async def ask(self, method: str, wait_s: float = CALL_S, **fields: Any) -> Any:
        """One unary call.  Raises grpc.aio.AioRpcError."""
        request = getattr(control_pb2, f"{method}Request")(**fields)
        return await getattr(self.control, method)(request, timeout=wait_s)

    async def status(self) -> Any:
        """Its status; None while it does not answer."""
        try:
            return await self.ask("GetStatus", wait_s=1.0)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                return None
            raise

    async def chat(self) -> Any:
        """How it sees the chat; None while it does not answer, or is not in it."""
        status = await self.status()
        return next((one for one in status.chats if one.name == CHAT), None) if status else None

    async def lines(self) -> list[Any]:
        """All its history, in its order."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = await self.ask("ReadHistory", 30.0, chat=CHAT, count=1_000, before=cursor)
            found[:0] = page.lines
            cursor = page.cursor
            if not cursor:
                return found

    def database(self) -> Path:
        """The file of its log; one that was killed while it came in may have left another."""
        kept = json.loads((self.profile / "profile.json").read_text("utf-8"))
        (chat,) = kept["chats"]
        return self.profile / "chats" / str(chat["archive"])

    async def close(self) -> None:
        self.kill()
        if self._channel is not None:
            await self._channel.close()
            self._channel = None
