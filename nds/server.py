"""One server: its port, its services, its life from start to SIGTERM."""

import asyncio
import logging
import resource
import signal
import socket
from contextlib import suppress

from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from nds.budget import Budget
from nds.certificates import Tls
from nds.clock import elapsed_ms, unix_ms, until_ms
from nds.config import Config
from nds.errors import CannotListen
from nds.ledger import Ledger
from nds.logs import say
from nds.record import serves_at
from nds.service import NodeDiscovery
from nds.service.grants import Grants
from nds.service.listener import make_server
from nds.service.noise import Noise
from nds.service.questions import Questions
from nds.store import Store
from nds.watchers import Watchers
from p2pchat.v1 import nds_pb2, nds_pb2_grpc

SERVICE = nds_pb2.DESCRIPTOR.services_by_name["NodeDiscovery"].full_name
GRACE_S = 1.0  # for calls that are being answered when the server is told to stop
SWEEP_S = 5.0  # how often silent leaders are looked for
WAIT_MS = 2_000  # a start that must wait longer than this for its clock says so
FILES_MAX = 16_384
CONNECTIONS_MAX = 8_192  # half of the files
RPCS_MAX = 16_384  # at one time, watches included
OPTIONS = [
    ("grpc.so_reuseport", 0),  # or two servers share a port without a word
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 512 * 1024),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A node has one watch and few calls under way; what is more waits at the node.
    ("grpc.max_concurrent_streams", 128),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_allowed_incoming_connections", CONNECTIONS_MAX),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    # Nobody here compresses: a kilobyte could be made to stand for a megabyte.
    ("grpc.compression_enabled_algorithms_bitset", 1),
]


class Server:
    """A server on one port.  `start` and `stop` are to be called once each."""

    def __init__(
        self, config: Config, store: Store, generation: int, build: str, tls: Tls | None
    ) -> None:
        self._config, self._tls = config, tls
        self._generation = generation
        self._began_ms = elapsed_ms()
        self._watchers = Watchers()
        self._ledger = Ledger(store, self._watchers, self._now)
        self._questions = Questions(build, tls)
        self._health = health.aio.HealthServicer()
        self._sweeping: asyncio.Task[None] | None = None
        # Without security all who call are on this machine, and can do more harm than by calling.
        budget = Budget() if tls is not None else None
        self._grpc = make_server([Noise(budget)], OPTIONS, RPCS_MAX)
        service = NodeDiscovery(
            self._ledger, self._watchers, self._questions, self._now, Grants(tls), budget=budget
        )
        nds_pb2_grpc.add_NodeDiscoveryServicer_to_server(service, self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        names = [SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self._grpc)

    def _now(self) -> int:
        """The clock, but never before this start: what was granted since stays believable.

        It goes on, too: a clock that stood would hold a leader heard just now for good.
        """
        running_ms = elapsed_ms() - self._began_ms
        return max(unix_ms(), serves_at(self._generation) + running_ms)

    def bind(self) -> str:
        """Take the port; the address that can be called.  Raises `CannotListen`."""
        host, port = self._config.host, self._config.port
        try:
            if self._tls is None:
                port = self._grpc.add_insecure_port(f"{host}:{port}")
            else:
                port = self._grpc.add_secure_port(f"{host}:{port}", self._tls.server())
        except RuntimeError as error:
            raise CannotListen(_why_not(host, port)) from error
        return f"{host}:{port}"

    async def start(self) -> None:
        """Serve, once the clock has passed the second of this start."""
        wait_ms = serves_at(self._generation) - unix_ms()
        if wait_ms > WAIT_MS:
            say(
                "waiting",
                logging.WARNING,
                for_ms=wait_ms,
                why="the clock is behind the last start's",
            )
        await until_ms(serves_at(self._generation))
        self._began_ms = elapsed_ms()
        await self._grpc.start()
        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._sweeping = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Answer what is being answered, end the rest, close the store; within two seconds."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._health.enter_graceful_shutdown()
        self._watchers.close()
        await self._questions.close()
        await self._grpc.stop(GRACE_S)
        self._ledger.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._ledger.sweep()
            except Exception:
                say("sweep-failed", logging.ERROR, trace=True)


def _why_not(host: str, port: int) -> str:
    """In words, why an address cannot be listened on."""
    text = f"cannot listen on {host}:{port}"
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(address)
    except OSError as error:
        return f"{text}: {error.strerror}; name another with --listen"
    return f"{text}; name another with --listen"


def allow_many_files() -> None:
    """Take as many open files as the system lets us have, up to `FILES_MAX`.

    Each connection costs one: with the usual 1,024, who opens a thousand locks all others out.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:  # Some systems have a limit beneath this one.
        say("few-files", soft=soft, why=str(error))


async def serve(config: Config, store: Store, generation: int, build: str, tls: Tls | None) -> None:
    """Run a server until SIGTERM or SIGINT.

    `generation` is what `store.start` gave, `tls` its key, None for plain connections.  Raises
    `CannotListen`.
    """
    allow_many_files()
    told_to_stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, told_to_stop.set)
    server = Server(config, store, generation, build, tls)
    address = server.bind()
    if tls is None:
        text = "connections are not secured: whoever is on this machine may claim and delete"
        say("insecure", logging.WARNING, text=text)
    starting = asyncio.create_task(server.start())
    stopping = asyncio.create_task(told_to_stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            say("listening", address=address, key=tls.fingerprint if tls else "none")
            await stopping
            say("stopping")
    finally:
        for task in (starting, stopping):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await server.stop()
    say("stopped")
