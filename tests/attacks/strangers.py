"""Strangers who keep a server busy, as a process: `python -m tests.attacks.strangers --help`.

Each connection is one of a kind: `silent` says nothing, `halfway` stops in the TLS handshake,
`idle` is a connection without a call, `calling` makes calls at a rate, `opened` begins calls and
never ends them, `resets` begins calls and takes them back, `pings` does nothing but ping.  One that
is shut comes back after a pause.  Line by line on stdout: `ready` once all have been opened and as
many calls refused as `--refused` says, at the end the counts as JSON.

It speaks HTTP/2 in bytes that are written beforehand, so that a thousand cost it little.
"""

import argparse
import asyncio
import json
import resource
import signal
import ssl
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from node.trust.certificates import make
from p2pchat.v1 import common_pb2, nds_pb2, node_pb2
from tests.fuzz import http2
from tests.waiting import WAIT_S

AGAIN_S = 1.0
OPENING = 50  # connections that are being opened at one time
STREAMS = 100  # calls that a connection of `opened` begins
CALLS = {
    "ping": ("/p2pchat.v1.Node/LivenessPing", node_pb2.LivenessPingRequest),
    "join": ("/p2pchat.v1.Node/JoinNetwork", node_pb2.JoinNetworkRequest),
    "watch": ("/p2pchat.v1.NodeDiscovery/WatchNetworks", nds_pb2.WatchNetworksRequest),
    "list": ("/p2pchat.v1.NodeDiscovery/GetNetworkInformation", None),
}
HELLO = bytes.fromhex("16030102000100")  # a handshake record of 512 bytes, of which nothing comes


def context() -> ssl.SSLContext:
    """A new key, which anybody can make."""
    tls = make()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_alpn_protocols(["h2"])
    with tempfile.NamedTemporaryFile() as file:
        file.write(tls.key_pem + tls.certificate_pem)
        file.flush()
        made.load_cert_chain(file.name)
    return made


def body(call: str, chat: int) -> bytes:
    _, kind = CALLS[call]
    if call == "list" or kind is None:
        return http2.message(nds_pb2.GetNetworkInformationRequest(page_size=1).SerializeToString())
    if call == "watch":
        return http2.message(kind().SerializeToString())
    caller = common_pb2.Caller(chat_id=chat, node_id=0, incarnation=2**41)
    return http2.message(kind(caller=caller).SerializeToString())


class Crowd:
    """All connections of this process to one server."""

    def __init__(self, given: argparse.Namespace) -> None:
        host, _, port = given.address.rpartition(":")
        self.host, self.port = host, int(port)
        self.given, self.counts = given, Counter[str]()
        self.context = None if given.plain else context()
        path, _ = CALLS[given.call]
        scheme = "http" if given.plain else "https"
        self.head = http2.hpack({
            ":method": "POST", ":scheme": scheme, ":path": path, ":authority": "p2pchat",
            "content-type": "application/grpc", "te": "trailers",
        })  # fmt: skip
        self.body = body(given.call, given.chat)
        self.turns = asyncio.Semaphore(OPENING)
        self.began = 0

    def from_where(self, number: int) -> tuple[str, int] | None:
        if not self.given.addresses:
            return None
        return f"127.0.1.{1 + number % self.given.addresses}", 0

    async def live(self, number: int, kind: str) -> None:
        """One connection after the other."""
        is_first = True
        while True:
            try:
                await self.once(number, kind)
            except (OSError, EOFError, ssl.SSLError, TimeoutError):
                self.counts[f"{kind} failed"] += 1
            if is_first:
                is_first, self.began = False, self.began + 1
            await asyncio.sleep(AGAIN_S)

    async def once(self, number: int, kind: str) -> None:
        secured = self.context if kind not in ("silent", "halfway") else None
        async with self.turns:
            async with asyncio.timeout(WAIT_S):
                reader, writer = await asyncio.open_connection(
                    self.host, self.port, ssl=secured, local_addr=self.from_where(number)
                )
        self.counts[f"{kind} opened"] += 1
        self.counts[f"{kind} now"] += 1
        try:
            await self.keep(kind, reader, writer)
        finally:
            self.counts[f"{kind} now"] -= 1
            self.counts[f"{kind} shut"] += 1
            writer.transport.abort()

    async def keep(
        self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        doing: dict[str, Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]] = {
            "calling": self.call,
            "opened": self.open,
            "resets": self.reset,
            "pings": self.ping,
        }
        if kind == "halfway":
            writer.write(HELLO)
        elif kind != "silent":
            writer.write(http2.OPENING)
        task = asyncio.create_task(doing[kind](writer)) if kind in doing else None
        self.began += 1
        try:
            await self.read(kind, reader, writer)
        finally:
            self.began -= 1
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def read(
        self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if kind in ("silent", "halfway"):
            while await reader.read(65_536):
                pass
            return
        while True:
            head = await reader.readexactly(9)
            size = int.from_bytes(head[:3])
            payload = await reader.readexactly(size) if size else b""
            frame, flags = head[3], head[4]
            if frame == http2.SETTINGS and not flags & http2.ACK:
                writer.write(http2.frame(http2.SETTINGS, http2.ACK))
            elif frame == http2.PING and not flags & http2.ACK:
                writer.write(http2.frame(http2.PING, http2.ACK, 0, payload))
            elif frame == http2.HEADERS:
                self.counts["answers"] += bool(flags & http2.END_STREAM)
                self.counts["too many"] += b"come again in" in payload
            elif frame == http2.RST_STREAM:
                self.counts["streams reset"] += 1
            elif frame == http2.GOAWAY:
                self.counts["sent away"] += 1

    def request(self, stream: int, end: bool = True) -> bytes:
        made = http2.frame(http2.HEADERS, http2.END_HEADERS, stream, self.head)
        return made + http2.data(stream, self.body) if end else made

    async def call(self, writer: asyncio.StreamWriter) -> None:
        began, count = time.monotonic(), 0
        while True:
            writer.write(self.request(2 * count + 1))
            await writer.drain()
            count += 1
            self.counts["calls"] += 1
            await asyncio.sleep(max(0.0, began + count / self.given.rate - time.monotonic()))

    async def open(self, writer: asyncio.StreamWriter) -> None:
        for count in range(STREAMS):
            writer.write(self.request(2 * count + 1, end=False))
            self.counts["calls"] += 1
        await writer.drain()

    async def reset(self, writer: asyncio.StreamWriter) -> None:
        stream = 1
        while True:
            many = bytearray()
            for _ in range(20):
                many += self.request(stream, end=False)
                many += http2.frame(http2.RST_STREAM, 0, stream, struct.pack(">I", 8))
                stream += 2
            writer.write(bytes(many))
            await writer.drain()
            self.counts["calls"] += 20
            await asyncio.sleep(20 / self.given.rate)

    async def ping(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(http2.frame(http2.PING, 0, 0, b"12345678") * 20)
            await writer.drain()
            self.counts["pings"] += 20
            await asyncio.sleep(20 / self.given.rate)


async def attack(given: argparse.Namespace) -> None:
    crowd, over = Crowd(given), asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, over.set)
    kinds = [
        kind for one in given.kinds for kind, count in [one.split("=")] for _ in range(int(count))
    ]
    tasks = [asyncio.create_task(crowd.live(n, kind)) for n, kind in enumerate(kinds)]
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if crowd.began >= len(kinds) and crowd.counts["too many"] >= given.refused:
            break
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await over.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    crowd.counts["processor ms"] = round(1000 * (used.ru_utime + used.ru_stime))
    print(json.dumps(crowd.counts), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.attacks.strangers", description=__doc__)
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("kinds", nargs="+", metavar="KIND=COUNT")
    parser.add_argument("--call", choices=CALLS, default="ping")
    parser.add_argument("--chat", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0, help="calls a second and connection")
    parser.add_argument("--addresses", type=int, default=0, help="so many of 127.0.1.0/24")
    parser.add_argument("--refused", type=int, default=0, help="calls, before all is ready")
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(attack(given))
    return 0


if __name__ == "__main__":
    sys.exit(main())
