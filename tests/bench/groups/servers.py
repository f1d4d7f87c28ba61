"""What some contestants need beside their members: a discovery service, or a broker."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

from msgspec import Struct

from node.background import environment

START_S = 20.0
TURN_S = 0.02
TICKS = os.sysconf("SC_CLK_TCK")


class Server(Struct, frozen=True):
    """A server process; with pid 0 none at all, only an address that is free."""

    address: str = ""
    pid: int = 0

    def worked_s(self) -> float:
        """Its processor time so far."""
        if not self.pid:
            return 0.0
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_kb(self) -> int:
        if not self.pid:
            return 0
        status = Path(f"/proc/{self.pid}/status").read_text("utf-8")
        found = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
        return int(found[1]) if found else 0


@contextmanager
def serving(name: str, directory: Path) -> Iterator[Server]:
    """The server of a contestant, ready, on files in `directory`; ended with the context."""
    port = free_port()
    if name not in STARTS:
        yield Server(f"127.0.0.1:{port}")  # a port of its own: some need one for their beacons
        return
    output = directory / f"{name}.out"
    with output.open("wb") as out:
        process = subprocess.Popen(
            STARTS[name](directory, port),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment(),
            cwd=directory,
        )
    try:
        until = time.monotonic() + START_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                told = output.read_text("utf-8", "replace")[-2_000:]
                raise RuntimeError(f"the server of {name} does not serve:\n{told}")
            time.sleep(TURN_S)
        yield Server(f"127.0.0.1:{port}", process.pid)
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def program(name: str) -> str:
    """Where a server's program is, also where only root looks for it; empty for nowhere."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin") or ""


def free_port() -> int:
    """A port that was free a moment ago: not every server says which one it has drawn."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _nds(directory: Path, port: int) -> list[str]:
    store = f"sqlite:{directory / 'nds.db'}"
    return [sys.executable, "-P", "-m", "nds", "--listen", f"127.0.0.1:{port}", "--store", store]


def _plain_nds(directory: Path, port: int) -> list[str]:
    return [*_nds(directory, port), "--insecure"]


def _nats(_: Path, port: int) -> list[str]:
    return [program("nats-server"), "-a", "127.0.0.1", "-p", str(port)]


def _mosquitto(directory: Path, port: int) -> list[str]:
    """Nothing is dropped, however many wait for somebody slow."""
    lines = (
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        f"user {getuser()}",
        "max_inflight_messages 0",
        "max_queued_messages 0",
    )
    return [program("mosquitto"), "-c", _written(directory / "mosquitto.conf", lines)]


def _ngircd(directory: Path, port: int) -> list[str]:
    """Without the penalties that keep people from saying too much."""
    lines = (
        "[Global]",
        "Name = bench.local",
        "Info = bench",
        "AdminEMail = bench@bench.local",
        "MotdPhrase = bench",
        "Listen = 127.0.0.1",
        f"Ports = {port}",
        "[Limits]",
        "MaxConnections = 0",
        "MaxConnectionsIP = 0",
        "MaxPenaltyTime = 0",
        "[Options]",
        "DNS = no",
        "Ident = no",
        "PAM = no",
    )
    return [program("ngircd"), "-n", "-f", _written(directory / "ngircd.conf", lines)]


def _written(path: Path, lines: tuple[str, ...]) -> str:
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


# By the name of the contestant: the command of a server that listens on 127.0.0.1 at the port.
STARTS: dict[str, Callable[[Path, int], list[str]]] = {
    "ours": _nds,
    "ours-bare": _plain_nds,
    "nats": _nats,
    "mosquitto": _mosquitto,
    "ngircd": _ngircd,
}
