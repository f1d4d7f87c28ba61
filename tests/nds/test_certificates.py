"""The key of a service, and the connections that it makes: nds/certificates.py and its users."""

import errno
import hashlib
import os
import ssl
import stat
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

import nds.certificates as own
from nds.certificates import load
from nds.errors import KeyUnusable
from nds.record import AHEAD_S, INTEGER_MAX, Ask, Epoch, Word
from nds.service.questions import Questions
from node.rpc.transport import PLAIN, Transport
from node.trust import certificates as theirs
from p2pchat.v1 import common_pb2, nds_pb2, nds_pb2_grpc, node_pb2, node_pb2_grpc
from tests.nds.conftest import LOCAL, Leader
from tests.nds.programs import claim, client, creation, fails, running
from tests.nds.wire_errors import refusal
from tests.waiting import WAIT_S

ALL = nds_pb2.GetNetworkInformationRequest()


def der_of(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def secret_of(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def with_der(pem: bytes, change) -> bytes:
    """The same certificate, its bytes changed and its wrapping whole."""
    return ssl.DER_cert_to_PEM_cert(change(der_of(pem))).encode()


def self_signed(key=None) -> tuple[bytes, bytes]:
    """A key and a certificate that our authority never saw, but for its name."""
    key = key or generate_private_key(SECP256R1())
    name = x509.load_pem_x509_certificate(own.authority()).subject
    at, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, at, end)
    names = x509.SubjectAlternativeName([x509.DNSName(own.HOST)])
    certificate = builder.add_extension(names, critical=False).sign(key, SHA256())
    return secret_of(key), certificate.public_bytes(Encoding.PEM)


@pytest.fixture
def file(tmp_path) -> Path:
    """Where a key is to be, in a directory of its own."""
    (tmp_path / "nds").mkdir()
    return tmp_path / "nds" / "nds.pem"


@pytest.fixture
def kept(file) -> own.Tls:
    """A key that is there."""
    return load(file)


# --- the file --------------------------------------------------------------------------------


def test_a_key_is_made_once_and_kept_from_others(file):
    before = os.umask(0)
    try:
        made = load(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    pem = file.read_bytes()
    assert load(file) == made
    assert file.read_bytes() == pem
    assert load(file.with_name("other.pem")).fingerprint != made.fingerprint


def test_the_fingerprint_is_that_of_the_certificate_in_the_file(file, kept):
    assert kept.fingerprint == hashlib.sha256(der_of(file.read_bytes())).hexdigest()


def test_without_a_file_each_key_is_a_fresh_one_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = load(None), load(None)
    assert first.key != second.key
    assert first.fingerprint != second.fingerprint
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_service_had_begun_to_write_is_not_taken(file):
    begun = file.with_name("nds.pem.new")
    begun.write_bytes(b"-----BEGIN PRIV")
    begun.chmod(0o644)
    made = load(file)
    assert list(file.parent.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load(file) == made


def test_the_order_in_the_file_does_not_matter(file, kept):
    file.write_bytes(kept.certificate + kept.key)
    assert load(file) == kept


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
def test_a_key_that_others_can_read_is_refused_until_they_cannot(file, kept, mode):
    before = file.read_bytes()
    file.chmod(mode)
    with pytest.raises(KeyUnusable, match=rf"can be read by others \({mode:04o}\).*chmod 600"):
        load(file)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (before, mode)
    file.chmod(0o600)
    assert load(file) == kept


def locked(tls):
    key = load_pem_private_key(tls.key, None)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    return secret + tls.certificate


def another_curve(der: bytes) -> bytes:
    p256 = bytes.fromhex("2a8648ce3d030107")
    assert der.count(p256) == 1
    return der.replace(p256, p256[:-1] + b"\x09")


def another_version(der: bytes) -> bytes:
    v3 = bytes.fromhex("a003020102")
    assert der.count(v3) == 1
    return der.replace(v3, v3[:-1] + b"\x42")


def no_point(der: bytes) -> bytes:
    at = der.index(bytes.fromhex("034200 04")) + 4
    return der[:at] + bytes(64) + der[at + 64 :]


def other_signature(der: bytes) -> bytes:
    return der[:-1] + bytes([der[-1] ^ 1])


DAMAGES = {
    "empty": lambda _: b"",
    "another text": lambda _: b"dear diary\n" * 50,
    "zeros": lambda tls: bytes(len(tls.key + tls.certificate)),
    "the key alone": lambda tls: tls.key,
    "the certificate alone": lambda tls: tls.certificate,
    "cut in the certificate": lambda tls: tls.key + tls.certificate[:-60],
    "cut in the key": lambda tls: tls.key[:-60] + tls.certificate,
    "a key with a password": locked,
    "another curve": lambda tls: tls.key + with_der(tls.certificate, another_curve),
    "another version": lambda tls: tls.key + with_der(tls.certificate, another_version),
    "no point of the curve": lambda tls: tls.key + with_der(tls.certificate, no_point),
    "another signature": lambda tls: tls.key + with_der(tls.certificate, other_signature),
    "signed by itself": lambda tls: b"".join(self_signed(load_pem_private_key(tls.key, None))),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_key_is_refused_and_left_as_it_is(file, kept, damage):
    damaged = damage(kept)
    file.write_bytes(damaged)
    with pytest.raises(KeyUnusable, match=r"nds\.pem holds no key and certificate"):
        load(file)
    assert file.read_bytes() == damaged
    assert list(file.parent.iterdir()) == [file]


def test_a_certificate_of_another_key_is_refused_and_left_as_it_is(file, kept):
    mixed = kept.key + load(None).certificate
    file.write_bytes(mixed)
    with pytest.raises(KeyUnusable, match="is not for the key in it"):
        load(file)
    assert file.read_bytes() == mixed


def test_a_key_in_a_directory_that_may_not_be_read_is_refused(file, kept, monkeypatch):
    before = file.read_bytes()

    def denied(_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patched:  # root may read everything
        patched.setattr(Path, "read_bytes", denied)
        with pytest.raises(KeyUnusable, match=r"nds\.pem cannot be read: Permission denied"):
            load(file)
    assert file.read_bytes() == before
    assert load(file) == kept


def test_a_place_that_can_hold_no_file_is_refused(file):
    file.mkdir()
    with pytest.raises(KeyUnusable, match="cannot be read: Is a directory"):
        load(file)
    (file.parent / "text").touch()
    with pytest.raises(KeyUnusable, match="cannot be read: Not a directory"):
        load(file.parent / "text" / "nds.pem")
    with pytest.raises(KeyUnusable, match="cannot be written: No such file or directory"):
        load(file.parent / "missing" / "nds.pem")
    assert sorted(one.name for one in file.parent.iterdir()) == ["nds.pem", "text"]


def test_a_disk_that_is_full_leaves_no_half_a_key(file, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(KeyUnusable, match="cannot be written: No space left on device"):
            load(file)
    assert not file.exists()
    assert load(file) == load(file)


# --- the authority -----------------------------------------------------------------------------


def test_nodes_and_services_take_the_certificates_of_each_other():
    authorities = [x509.load_pem_x509_certificate(one.authority()) for one in (own, theirs)]
    assert len({one.public_key().public_numbers() for one in authorities}) == 1
    assert authorities[0].subject == authorities[1].subject
    service = x509.load_pem_x509_certificate(load(None).certificate)
    node = theirs.make().certificate
    for authority in authorities:
        service.verify_directly_issued_by(authority)
        node.verify_directly_issued_by(authority)


def test_a_certificate_says_what_that_of_a_node_says():
    def said(certificate):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        hosts = names.value.get_values_for_type(x509.DNSName)
        return hosts, certificate.not_valid_before_utc, certificate.not_valid_after_utc

    service = x509.load_pem_x509_certificate(load(None).certificate)
    assert said(service) == said(theirs.make().certificate)
    assert said(service)[0] == [own.HOST]


# --- who is answered -----------------------------------------------------------------------------


def plain(address):
    return PLAIN.channel(address)


def without_a_certificate(address):
    credentials = grpc.ssl_channel_credentials(own.authority())
    options = [*LOCAL, ("grpc.ssl_target_name_override", own.HOST)]
    return grpc.aio.secure_channel(address, credentials, options=options)


def with_a_certificate_of_nobody(address):
    credentials = grpc.ssl_channel_credentials(own.authority(), *self_signed())
    options = [*LOCAL, ("grpc.ssl_target_name_override", own.HOST)]
    return grpc.aio.secure_channel(address, credentials, options=options)


@pytest.mark.parametrize("other", [plain, without_a_certificate, with_a_certificate_of_nobody])
async def test_only_who_has_a_certificate_is_answered(other):
    async with running() as (process, stub):
        assert (await stub.CreateNetwork(creation("tea"))).network.name == "tea"
        async with other(process.address) as channel:
            refused = nds_pb2_grpc.NodeDiscoveryStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await refused.CreateNetwork(creation("coffee"), timeout=WAIT_S)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        async with client(process.address) as another:
            listed = await another.GetNetworkInformation(ALL)
        assert [network.name for network in listed.networks] == ["tea"]


async def test_a_caller_may_insist_on_the_key_that_the_log_shows(tmp_path):
    async with running(f"sqlite:{tmp_path / 'nds.db'}") as (process, _):
        der = der_of((tmp_path / "nds.pem").read_bytes())
        assert process.key == hashlib.sha256(der).hexdigest()
        transport = Transport(theirs.make())
        async with transport.channel(process.address, der) as channel:
            await nds_pb2_grpc.NodeDiscoveryStub(channel).GetNetworkInformation(ALL)
        other = der_of(load(None).certificate)
        async with transport.channel(process.address, other) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await nds_pb2_grpc.NodeDiscoveryStub(channel).GetNetworkInformation(ALL)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_who_loses_the_store_keeps_the_key_and_who_loses_the_key_is_another(tmp_path):
    store = f"sqlite:{tmp_path / 'nds.db'}"

    async def life():
        async with running(store) as (process, stub):
            names = [one.name for one in (await stub.GetNetworkInformation(ALL)).networks]
            if not names:
                await stub.CreateNetwork(creation("tea"))
            return process.key, names

    first, _ = await life()
    assert await life() == (first, ["tea"])
    for part in tmp_path.glob("nds.db*"):
        part.unlink()
    assert await life() == (first, [])
    (tmp_path / "nds.pem").unlink()
    other, names = await life()
    assert (other != first, names) == (True, ["tea"])
    assert stat.S_IMODE((tmp_path / "nds.pem").stat().st_mode) == 0o600


async def test_a_service_in_memory_is_another_each_time():
    async with running() as (first, _), running() as (second, _):
        assert first.key != second.key


async def test_plain_connections_need_no_key(tmp_path):
    (tmp_path / "nds.pem").write_bytes(b"no key")
    async with running(f"sqlite:{tmp_path / 'nds.db'}", secured=False) as (process, stub):
        await stub.CreateNetwork(creation("tea"))
        assert process.key == "none"
    assert (tmp_path / "nds.pem").read_bytes() == b"no key"


@pytest.mark.parametrize(("harm", "says"), [("open", "chmod 600"), ("damaged", "holds no key")])
async def test_a_key_that_cannot_be_used_is_one_line_and_left_alone(file, kept, harm, says):
    if harm == "open":
        file.chmod(0o644)
    else:
        file.write_bytes(kept.key)
    before = file.read_bytes(), file.stat().st_mode
    store = f"sqlite:{file.with_name('nds.db')}"
    line = await fails("--listen", "127.0.0.1:0", "--store", store)
    assert str(file) in line
    assert says in line
    assert (file.read_bytes(), file.stat().st_mode) == before


# --- who is asked --------------------------------------------------------------------------------


class Asked(Leader):
    """A leader that notes who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.callers: set[str] = set()  # as a log shows them

    async def LivenessPing(self, request, context):
        for pem in context.auth_context().get("x509_pem_cert", []):
            self.callers.add(hashlib.sha256(der_of(pem)).hexdigest())
        return await super().LivenessPing(request, context)


@asynccontextmanager
async def leading(transport):
    """A leader whose connections are made so."""
    leader, server = Asked(), grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    node_pb2_grpc.add_NodeServicer_to_server(leader, server)
    leader.address = f"127.0.0.1:{transport.add_port(server, '127.0.0.1:0')}"
    await server.start()
    try:
        yield leader
    finally:
        await server.stop(0)


async def test_a_claim_asks_the_old_leader_over_a_connection_that_shows_our_key():
    transport = Transport(theirs.make())
    async with running() as (process, stub), leading(transport) as leader:
        channel = transport.channel(process.address)
        by_leader = nds_pb2_grpc.NodeDiscoveryStub(channel)
        network = (await by_leader.CreateNetwork(creation("tea", leader.address))).network
        await channel.close()
        request = claim(network, network.leader_id + 1, nonce=7)
        said = await refusal(stub.UpdateLeader(request))
        assert (said.reason, said.network.leader_id) == ("LEADER_ALIVE", network.leader_id)
        assert leader.asked[-1].asks_leading == network.epoch
        before = len(leader.asked)
        leader.standing = node_pb2.STANDING_NOT_LEADING
        won = await stub.UpdateLeader(request)
        assert won.network.epoch.n == 2
        assert len(leader.asked) > before
        assert leader.callers == {process.key}


async def test_who_ends_a_network_has_its_leader_asked_and_the_leader_ends_it_at_once():
    transport = Transport(theirs.make())
    async with running() as (process, stub), leading(transport) as leader:
        channel = transport.channel(process.address)
        by_leader = nds_pb2_grpc.NodeDiscoveryStub(channel)
        network = (await by_leader.CreateNetwork(creation("tea", leader.address))).network
        one = nds_pb2.GetNetworkInformationRequest(chat_id=network.chat_id)
        generation = network.epoch.generation
        for epoch in (
            network.epoch,
            common_pb2.Epoch(generation=generation, n=INTEGER_MAX),
            common_pb2.Epoch(generation=generation + AHEAD_S - 60, n=1),
        ):
            end = nds_pb2.DeleteNetworkRequest(chat_id=network.chat_id, epoch=epoch)
            said = await refusal(stub.DeleteNetwork(end))
            assert (said.reason, said.network.epoch) == ("LEADER_ALIVE", network.epoch)
            assert leader.asked[-1].asks_leading == network.epoch
        (kept,) = (await stub.GetNetworkInformation(one)).networks
        assert (kept.epoch, kept.leader_id) == (network.epoch, network.leader_id)
        end = nds_pb2.DeleteNetworkRequest(chat_id=network.chat_id, epoch=network.epoch)
        await by_leader.DeleteNetwork(end)
        assert (await refusal(stub.GetNetworkInformation(one))).reason == "UNKNOWN_NETWORK"
        network = (await by_leader.CreateNetwork(creation("tea", leader.address))).network
        leader.standing = node_pb2.STANDING_NOT_LEADING
        end = nds_pb2.DeleteNetworkRequest(chat_id=network.chat_id, epoch=network.epoch)
        await stub.DeleteNetwork(end)
        await channel.close()


async def word_of(address, tls, certificate=b""):
    questions = Questions("test", tls)
    ask = Ask(1, address, Epoch(1, 1), certificate=certificate, host="127.0.0.1")
    return (await questions.put(7, ask)).word


async def test_whoever_has_taken_the_leaders_address_is_not_asked():
    """It could say that it leads, and of which epoch."""
    tls = load(None)
    one, other = Transport(theirs.make()), Transport(theirs.make())
    async with leading(other) as leader:
        assert await word_of(leader.address, tls, other.shows) is Word.LEADING
        before = len(leader.asked)
        assert await word_of(leader.address, tls, one.shows) is Word.SILENT
        assert len(leader.asked) == before


async def test_a_leader_with_a_certificate_is_heard_until_it_is_gone():
    tls = load(None)
    async with leading(Transport(theirs.make())) as leader:
        assert await word_of(leader.address, tls) is Word.LEADING
        leader.standing = node_pb2.STANDING_NOT_LEADING
        assert await word_of(leader.address, tls) is Word.NOT_LEADING
        assert leader.callers == {tls.fingerprint}
    assert await word_of(leader.address, tls) is Word.REFUSED


class Nobody:
    """Connections of a program that our authority never saw."""

    def add_port(self, server, address):
        return server.add_secure_port(address, grpc.ssl_server_credentials([self_signed()]))


@pytest.mark.parametrize("transport", [PLAIN, Nobody()], ids=["plain", "certificate of nobody"])
async def test_who_has_no_certificate_is_not_asked_and_says_nothing(transport):
    async with leading(transport) as leader:
        leader.standing = node_pb2.STANDING_NOT_LEADING
        assert await word_of(leader.address, load(None)) is Word.SILENT
        assert leader.asked == []
        if transport is PLAIN:
            assert await word_of(leader.address, None) is Word.NOT_LEADING
