"""Who gets through to whom, and who is known to whom: node/rpc/transport.py."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from node.core.types import Silence
from node.rpc import SERVER_OPTIONS, Line, target
from node.rpc.options import grpc
from node.rpc.transport import PLAIN, Transport, shown
from node.runner import Silenced
from node.tasks import Tasks
from node.trust import certificates
from node.trust.certificates import HOST, Tls, authority
from tests.node.holder import Holder
from tests.node.test_rpc import silent_port, tasks
from tests.waiting import WAIT_S

__all__ = ["silent_port", "tasks"]  # fixtures

PATH = "/test/Call"
MS = 5_000


class Server:
    """Answers every call with the certificate of who makes it."""

    def __init__(self, transport: Transport) -> None:
        self.callers: list[bytes | None] = []
        self._transport = transport

    async def answer(self, _: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        self.callers.append(self._transport.caller(context))
        return self.callers[-1] or b""


@asynccontextmanager
async def serving(transport: Transport, port: int = 0) -> AsyncIterator[tuple[str, Server]]:
    made, server = Server(transport), grpc.aio.server(options=SERVER_OPTIONS)
    handlers = {"Call": grpc.unary_unary_rpc_method_handler(made.answer)}
    server.add_registered_method_handlers("test", handlers)
    port = transport.add_port(server, f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"127.0.0.1:{port}", made
    finally:
        await server.stop(None)


async def call(channel: grpc.aio.Channel) -> bytes:
    method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PATH)
    async with channel:
        return await method(b"hello", timeout=MS / 1000)


async def fails(channel: grpc.aio.Channel) -> str:
    """The call gets nowhere; how."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    return caught.value.details() or ""


@pytest.fixture(scope="module")
def anna() -> Holder:
    return Holder()


@pytest.fixture(scope="module")
def bob() -> Holder:
    return Holder()


# ---- the caller chooses ------------------------------------------------------------------------


async def test_who_is_meant_is_reached_and_learns_who_calls(anna: Holder, bob: Holder) -> None:
    async with serving(anna.transport) as (address, server):
        assert await call(bob.transport.channel(address, anna.certificate)) == bob.certificate
        assert await call(anna.transport.channel(address, anna.certificate)) == anna.certificate
    assert server.callers == [bob.certificate, anna.certificate]


async def test_a_node_is_reached_by_whatever_name_its_machine_has(
    anna: Holder, bob: Holder
) -> None:
    async with serving(anna.transport) as (address, _):
        there = address.replace("127.0.0.1", "localhost")
        assert await call(bob.transport.channel(there, anna.certificate)) == bob.certificate


async def test_whoever_else_is_there_is_told_nothing(anna: Holder, bob: Holder) -> None:
    async with serving(anna.transport) as (address, server):
        meant = Holder().certificate
        assert "CERTIFICATE_VERIFY_FAILED" in await fails(bob.transport.channel(address, meant))
        assert "CERTIFICATE_VERIFY_FAILED" in await fails(
            bob.transport.channel(address, bob.certificate)
        )
    assert server.callers == []


async def test_the_same_key_with_another_certificate_is_somebody_else(
    anna: Holder, bob: Holder
) -> None:
    again = Tls(anna.tls.key, certificates._issue(anna.tls.key.public_key()))
    async with serving(Transport(again)) as (address, server):
        await fails(bob.transport.channel(address, anna.certificate))
        assert await call(bob.transport.channel(address)) == bob.certificate
    assert len(server.callers) == 1


async def test_of_a_stranger_any_certificate_is_taken(anna: Holder, bob: Holder) -> None:
    async with serving(anna.transport) as (address, _):
        assert await call(bob.transport.channel(address)) == bob.certificate


async def test_a_line_to_somebody_else_comes_to_nothing_and_says_why(
    anna: Holder, bob: Holder, tasks: Tasks
) -> None:
    async with serving(anna.transport) as (address, server):
        line = Line(address, tasks, lambda: None, bob.transport, Holder().certificate)
        end = await line.call(PATH, b"", MS)
        await line.close()
        right = Line(address, tasks, lambda: None, bob.transport, anna.certificate)
        assert await right.call(PATH, b"", MS) == bob.certificate
        await right.close()
    assert end == Silenced(Silence.SILENT, "UNAVAILABLE: another certificate is shown there")
    assert server.callers == [bob.certificate]


# ---- who is called refuses ---------------------------------------------------------------------


def self_signed() -> Tls:
    """With all that a certificate has here but the signature."""
    key = generate_private_key(SECP256R1())
    name = x509.load_pem_x509_certificate(authority()).subject
    at, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, at, end)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    return Tls(key, builder.add_extension(names, critical=False).sign(key, SHA256()))


def without_certificate(address: str) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(authority())
    options = [("grpc.ssl_target_name_override", HOST)]
    return grpc.aio.secure_channel(target(address), credentials, options=options)


@pytest.mark.parametrize("who", ["plain", "without a certificate", "self-signed"])
async def test_who_proves_no_key_is_not_listened_to(anna: Holder, who: str) -> None:
    async with serving(anna.transport) as (address, server):
        channels = {
            "plain": PLAIN.channel(address),
            "without a certificate": without_certificate(address),
            "self-signed": Transport(self_signed()).channel(address),
        }
        await fails(channels[who])
        for channel in channels.values():
            await channel.close()
    assert server.callers == []


async def test_a_node_whose_certificate_nobody_signed_is_not_called(bob: Holder) -> None:
    strange = self_signed()
    async with serving(Transport(strange)) as (address, server):
        assert "CERTIFICATE_VERIFY_FAILED" in await fails(bob.transport.channel(address))
    assert server.callers == []


async def test_an_address_that_is_taken_is_not_to_be_had(anna: Holder) -> None:
    async with serving(anna.transport) as (address, _):
        for transport in (anna.transport, PLAIN):
            with pytest.raises(RuntimeError):
                transport.add_port(grpc.aio.server(options=SERVER_OPTIONS), address)


# ---- plain -------------------------------------------------------------------------------------


async def test_where_nothing_is_secured_nobody_is_known(anna: Holder) -> None:
    async with serving(PLAIN) as (address, server):
        assert await call(PLAIN.channel(address)) == b""
        assert await call(PLAIN.channel(address, anna.certificate)) == b"", "whoever it is"
        await fails(anna.transport.channel(address))
    assert server.callers == [None, None]
    assert (PLAIN.is_secured, anna.transport.is_secured) == (False, True)


# ---- what is shown -----------------------------------------------------------------------------


async def test_a_node_shows_its_certificate_to_whoever_looks(anna: Holder) -> None:
    async with serving(anna.transport) as (address, server):
        assert await shown(address, 5.0) == anna.certificate
        assert await shown(address.replace("127.0.0.1", "localhost"), 5.0) == anna.certificate
    assert server.callers == []


async def test_who_shows_none_is_plain(anna: Holder) -> None:
    async with serving(PLAIN) as (address, _):
        for _ in range(20):
            assert await shown(address, 5.0) is None


async def test_nobody_there_is_told_from_no_answer(silent_port: int) -> None:
    assert await shown(f"127.0.0.1:{silent_port}", 5.0) is Silence.REFUSED
    assert await shown("no-such-host.invalid:5", 5.0) is Silence.SILENT
    assert await shown(f"{'h' * 64}:5", 5.0) is Silence.SILENT, "no name for any resolver"
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        address = f"127.0.0.1:{frozen.getsockname()[1]}"
        async with asyncio.timeout(WAIT_S):
            assert await shown(address, 0.05) is Silence.SILENT


@pytest.mark.parametrize(
    ("address", "is_called"),
    [
        ("127.0.0.1:1", True),
        ("localhost:1", True),
        ("10.0.0.5:1", False),
        ("chat.example:1", False),
    ],
)
def test_plain_connections_do_not_leave_this_machine(address: str, is_called: bool) -> None:
    assert (PLAIN.fault(address) == "") is is_called
    assert not Transport(certificates.make()).fault(address)


async def test_who_breaks_the_handshake_off_says_nothing_of_how_it_is_secured() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(b"\x15\x03\x03\x00\x02\x02\x28")  # an alert: no handshake
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await shown(f"127.0.0.1:{port}", 5.0) is Silence.SILENT
