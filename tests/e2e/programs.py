"""One discovery service and one member as processes, driven as people drive them, and waiting."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpc

from node.background import is_running
from node.codec.check import Check
from node.codec.conversation import get_message
from node.core.conversation import statement
from node.limits import Limits
from node.trust import keys
from node.trust.certificates import HOST, Tls, authority, make
from p2pchat.v1 import control_pb2, control_pb2_grpc, nds_pb2, nds_pb2_grpc, node_pb2
from tests.waiting import CALL_S, WAIT_S, wait_for

T = TypeVar("T")
R = TypeVar("R")

VERB_S = 60.0
OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
)


class Leading(NamedTuple):
    """Who leads at which epoch, as somebody sees it."""

    member: int
    epoch: tuple[int, int]  # generation and n
    provisional: bool = False


class Said(NamedTuple):
    """A line of history, the same at everyone."""

    id: str
    member: int
    text: str


def program(name: str) -> list[str]:
    """The installed entry point, or the module where there is none."""
    script = Path(sys.executable).with_name(name)
    modules = {"p2pchat": "node", "nds-server": "nds"}
    return [str(script)] if script.exists() else [sys.executable, "-m", modules[name]]


def at_once(what: Callable[[T], R], them: Iterable[T]) -> list[R]:
    """Does the same with each of them side by side; the answers in their order."""
    things = list(them)
    with ThreadPoolExecutor(max(1, len(things))) as pool:
        return list(pool.map(what, things))


def secured(address: str, own: Tls | None = None) -> grpc.Channel:
    """A channel to a port that takes whoever has a certificate: this one, or one that is new."""
    own = own or make()
    credentials = grpc.ssl_channel_credentials(authority(), own.key_pem, own.certificate_pem)
    options = [*OPTIONS, ("grpc.ssl_target_name_override", HOST)]
    return grpc.secure_channel(address, credentials, options=options)


def digits(epoch: Any) -> tuple[int, int]:
    return (epoch.generation, epoch.n)


# ---- the discovery service -----------------------------------------------------------------------


class Nds:
    """One nds-server with a store of its own; the second start is where the first was."""

    def __init__(
        self, directory: Path, environment: dict[str, str], *, insecure: bool = False
    ) -> None:
        """Does not run yet.

        Args:
            directory: where its files will be.
            environment: what it inherits.
            insecure: whether its connections are plain.
        """
        self.store, self.log = directory / "nds.db", directory / "nds.log"
        self.address = ""
        self._environment, self._insecure = environment, insecure
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: grpc.Channel | None = None

    @property
    def pid(self) -> int:
        """0 where we did not start it, or saw it end."""
        ended = self._process is None or self._process.poll() is not None
        return 0 if ended or self._process is None else self._process.pid

    def start(self) -> None:
        """Starts it and waits until it serves."""
        listen = self.address or "127.0.0.1:0"
        command = [*program("nds-server"), "--listen", listen, "--store", f"sqlite:{self.store}"]
        command += ["--insecure"] if self._insecure else []
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

        def listening() -> "re.Match[str] | None":
            told = self.log.read_text("utf-8", "replace")[before:]
            assert self._process is not None
            assert self._process.poll() is None, f"nds-server has ended: {told}"
            return re.search(r"\blistening address=(\S+)", told)

        found = wait_for(listening, "nds-server listens")
        self.follow(found[1])

    def follow(self, address: str) -> None:
        """Asks the one at `address`, whoever started it."""
        self.address = address
        if self._channel is None:
            plain = self._insecure
            self._channel = grpc.insecure_channel(address, OPTIONS) if plain else secured(address)

    def send(self, number: signal.Signals) -> None:
        """Signals it."""
        assert self._process is not None, "it was not started"
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals it and waits until it has gone."""
        assert self._process is not None, "it was not started"
        self._process.send_signal(number)
        self._process.wait(WAIT_S)

    def copy(self) -> dict[str, bytes]:
        """Its store as it is now, which must not be in use; to be put back with `restore`."""
        return {file.name: file.read_bytes() for file in self._files()}

    def restore(self, copy: dict[str, bytes]) -> None:
        """Puts an old copy of its store in place; it must not be in use."""
        self.wipe()
        for name, content in copy.items():
            (self.store.parent / name).write_bytes(content)

    def _files(self) -> list[Path]:
        return list(self.store.parent.glob(f"{self.store.name}*"))

    def wipe(self) -> None:
        """Removes its store, which must not be in use."""
        for file in self._files():
            file.unlink()

    def ask(self, method: str, **fields: Any) -> Any:
        """One unary call.  Raises grpc.RpcError."""
        assert self._channel is not None, "it was not started"
        request = getattr(nds_pb2, f"{method}Request")(**fields)
        return getattr(nds_pb2_grpc.NodeDiscoveryStub(self._channel), method)(
            request, timeout=CALL_S
        )

    def network(self, name: str) -> nds_pb2.NetworkInformation | None:
        """The record of a network; None where there is none, or no service."""
        try:
            return self.ask("GetNetworkInformation", name=name).networks[0]  # type: ignore[no-any-return]
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE):
                return None
            raise

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.wait(WAIT_S)


# ---- a member ------------------------------------------------------------------------------------


@dataclass
class Member:
    """A profile with a home of its own: its node in the background, and its verbs."""

    name: str
    home: Path
    environment: dict[str, str]
    profile: str = "default"
    pid: int = 0

    def __post_init__(self) -> None:
        self._channel: grpc.Channel | None = None

    # ---- verbs

    def command(self, *arguments: str) -> list[str]:
        home = ["--home", str(self.home), "--profile", self.profile]
        return [*program("p2pchat"), *arguments, *home]

    def run(
        self, *arguments: str, stdin: str = "", code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Runs a verb to its end; `code` is the exit code that it must have, None for any."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=VERB_S,
            check=False,
            env=self.environment,
        )
        said = f"{self.name}: {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, said
        assert "Traceback" not in done.stderr, said
        return done

    def rows(self, *arguments: str, code: int | None = 0) -> list[dict[str, Any]]:
        """The JSON objects that a verb prints."""
        out = self.run(*arguments, "--json", code=code).stdout
        return [json.loads(line) for line in out.splitlines()]

    def row(self, *arguments: str, code: int | None = 0) -> dict[str, Any]:
        """The only one."""
        (found,) = self.rows(*arguments, code=code)
        return found

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        """A verb that goes on; who starts it waits for its end."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(
            self.command(*arguments), encoding="utf-8", env=self.environment, **options
        )

    # ---- its node

    def up(self, *flags: str) -> None:
        """Starts the node; it enters its chats again."""
        self.pid = self.row("up", *flags)["pid"]

    def begin(self, *flags: str) -> None:
        """The same without a verb that does it; for a node that was not there before."""
        command = ["setsid", "--fork", *self.command("_node", *flags)]
        with self._output.open("ab") as out:
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True,
                env=self.environment,
            )  # fmt: skip
        self.pid = wait_for(self._answering, f"the node of {self.name} answers")

    @property
    def _output(self) -> Path:
        """Of a node that was begun; the node makes the profile's directory itself."""
        return self.home / f"{self.profile}.out"

    def _answering(self) -> int:
        try:
            return int(self.ask("GetStatus").pid)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return 0
            raise

    def down(self) -> None:
        """Stops it; leadership is handed over."""
        self.run("down")

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals the node; after SIGKILL, waits until it has gone."""
        os.kill(self.pid, number)
        if number == signal.SIGKILL:
            wait_for(lambda: not is_running(self.pid), f"{self.name} is dead")

    def is_up(self) -> bool:
        return bool(self.pid) and is_running(self.pid)

    # ---- what it knows, asked on its control socket

    @property
    def keys(self) -> keys.Keys:
        return keys.load(self.home / self.profile)

    @property
    def tls(self) -> Tls:
        """The key and the certificate of its connections."""
        return self.keys.tls

    def sign(self, message: node_pb2.MessageRequest, chat: int) -> None:
        """With its identity, whoever the author of the message is to be."""
        said = get_message(message, Check(Limits()), "")
        message.header.signature = self.keys.signing.sign(statement(chat, said))

    @property
    def socket(self) -> Path:
        return self.home / self.profile / "node.sock"

    @property
    def control(self) -> Any:
        if self._channel is None:
            self._channel = grpc.insecure_channel(f"unix:{self.socket}", options=OPTIONS)
        return control_pb2_grpc.ControlStub(self._channel)

    def ask(self, method: str, *, wait_s: float = CALL_S, **fields: Any) -> Any:
        """One unary call.  Raises grpc.RpcError."""
        request = getattr(control_pb2, f"{method}Request")(**fields)
        return getattr(self.control, method)(request, timeout=wait_s)

    def chat(self, name: str) -> control_pb2.Chat | None:
        """How it sees a chat; None while it does not answer, or is not in it."""
        try:
            chats = self.ask("GetStatus").chats
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                return None
            raise
        return next((one for one in chats if one.name == name), None)

    def leading(self, name: str) -> Leading | None:
        """Who leads a chat, as it sees it; None where it knows nobody."""
        seen = self.chat(name)
        if seen is None or not seen.leader_id:
            return None
        return Leading(seen.leader_id, digits(seen.epoch), seen.provisional)

    def id(self, chat: str) -> int:
        """Its member id."""
        seen = self.chat(chat)
        assert seen is not None, f"{self.name} is not in #{chat}"
        return seen.member_id

    def states(self, chat: str) -> dict[str, str]:
        """Nick to state, of everyone who belongs."""
        found = self.ask("ListMembers", chat=chat).members
        return {one.nick: one.state for one in found}

    def post(self, chat: str, text: str) -> None:
        """Says a line, and waits only until it is stored."""
        request = control_pb2.SendRequest(chat=chat, text=text, wait=control_pb2.WAIT_NONE)
        told = list(self.control.Send(request, timeout=CALL_S))
        assert told, f"{self.name} did not store {text!r}"

    def say(self, chat: str, text: str) -> None:
        """Says a line, and waits until every member has acknowledged it."""
        request = control_pb2.SendRequest(chat=chat, text=text, wait=control_pb2.WAIT_ALL)
        *_, last = self.control.Send(request, timeout=VERB_S)
        assert last.complete, f"{text!r} of {self.name}: {last}"

    def texts(self, chat: str) -> list[str]:
        """What its history says, in its order."""
        return [line.text for line in self.history(chat)]

    def history(self, chat: str) -> list[Said]:
        """All its lines."""
        found: list[Said] = []
        cursor = ""
        while True:
            page = self.ask("ReadHistory", chat=chat, count=1_000, before=cursor)
            found[:0] = [Said(line.msg_id, line.source_id, line.text) for line in page.lines]
            cursor = page.cursor
            if not cursor:
                return found

    def tail(self, chat: str) -> list[Said]:
        """The same, as `tail --json` tells it."""
        rows = self.rows("tail", "-c", chat, "-n", "100000")
        return [Said(row["id"], row["from"]["member"], row["text"]) for row in rows]

    def logs(self) -> list[Path]:
        state = self.home / self.profile
        return [state / "node.log", state / "node.out", state / "nds.log", self._output]

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
