"""nds-server as a process, started with the flags that a test names, and clients of it."""

import asyncio
import os
import re
import signal
import sys
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from node.rpc.transport import PLAIN, Transport
from node.trust import certificates
from p2pchat.v1 import nds_pb2, nds_pb2_grpc

ROOT = Path(__file__).parents[2]
PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "generated")])
# What keeps gRPC quiet is the program's own business: node.rpc has set it for this process.
OWN = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
ENVIRONMENT = {**OWN, "PYTHONPATH": PYTHONPATH}


@dataclass
class Process:
    """A running nds-server."""

    process: asyncio.subprocess.Process
    address: str = ""
    key: str = ""  # as its log shows it
    lines: list[str] = field(default_factory=list)

    def signal(self, sign: signal.Signals) -> None:
        self.process.send_signal(sign)

    async def line_with(self, text: str) -> str:
        """The first line of the log that holds `text`."""
        while line := (await self.process.stderr.readline()).decode():
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"ended without {text!r}: {self.lines}")

    async def ended(self) -> int:
        """The exit code; `lines` is then the whole log."""
        rest = (await self.process.stderr.read()).decode()
        self.lines += rest.splitlines(keepends=True)
        return await self.process.wait()


@asynccontextmanager
async def launched(*arguments):
    """A process that has just been started, and is gone afterwards."""
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "nds", *map(str, arguments)),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    try:
        yield Process(made)
    finally:
        if made.returncode is None:
            made.kill()
            await made.wait()


@asynccontextmanager
async def running(store="memory:", *more, secured=True):
    """A server on a free port that answers, and a client of it."""
    flags = more if secured else (*more, "--insecure")
    async with launched("--listen", "127.0.0.1:0", "--store", store, *flags) as process:
        line = await process.line_with("listening")
        process.address = re.search(r"127\.0\.0\.1:\d+", line)[0]
        process.key = re.search(r"\bkey\W+(\w+)", line)[1]
        async with client(process.address, secured=secured) as stub:
            yield process, stub


@asynccontextmanager
async def client(address, *, secured=True):
    """Somebody who calls, with a key of their own."""
    transport = Transport(certificates.make()) if secured else PLAIN
    async with transport.channel(address) as channel:
        yield nds_pb2_grpc.NodeDiscoveryStub(channel)


async def fails(*arguments) -> str:
    """The one line of a server that cannot run."""
    async with launched(*arguments) as process:
        code = await process.ended()
    assert (code, len(process.lines)) == (1, 1), process.lines
    assert process.lines[0].startswith("nds-server: ")
    return process.lines[0]


def creation(name, address="127.0.0.1:1024"):
    return nds_pb2.CreateNetworkRequest(
        request_id=str(uuid.uuid4()), name=name, leader_address=address
    )


def claim(network, node, nonce):
    return nds_pb2.UpdateLeaderRequest(
        chat_id=network.chat_id,
        node_id=node,
        address="127.0.0.1:1025",
        expected_epoch=network.epoch,
        nonce=nonce,
    )
