"""Who may call a node or a discovery service, and as whom: real ones, asked by who may not."""

import base64
import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from google.rpc import error_details_pb2, status_pb2

from node.names import is_loopback, join_address, route_to
from node.trust.certificates import HOST, Tls, authority, make
from p2pchat.v1 import nds_pb2, node_pb2
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.grpcurl import GRPCURL, Calls, Channel, Request
from tests.e2e.programs import CALL_S, OPTIONS, secured
from tests.processes import Processes

pytestmark = pytest.mark.xdist_group("members")

ELSEWHERE = "198.51.100.1:50050"  # a machine that nobody has
HEALTH = "/grpc.health.v1.Health/Check"
NODE = node_pb2.DESCRIPTOR.services_by_name["Node"]
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.fixture
def steady(square: Cluster) -> Iterator[Cluster]:
    """The square; at the end its leaders and histories are what they were."""
    chats = ("dev", "ops")
    before = {chat: square.settled(chat, *SQUARE) for chat in chats}
    texts = {chat: square["alice"].texts(chat) for chat in chats}
    yield square
    for chat in chats:
        assert square.agree(chat, *SQUARE, texts=texts[chat]) == before[chat]


# ---- no connection -------------------------------------------------------------------------------


def self_signed() -> Tls:
    """A certificate that is its own authority."""
    key = make().key
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    whole = x509.CertificateBuilder(name, name, key.public_key(), 1)
    whole = whole.not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)
    return Tls(key, whole.sign(key, hashes.SHA256()))


FIRST = x509.load_pem_x509_certificate(authority())
NOT_BEFORE, NOT_AFTER = FIRST.not_valid_before_utc, FIRST.not_valid_after_utc


def without_certificate(address: str) -> grpc.Channel:
    options = [*OPTIONS, ("grpc.ssl_target_name_override", HOST)]
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority()), options)


@pytest.mark.parametrize(
    "made",
    [
        lambda address: grpc.insecure_channel(address, OPTIONS),
        without_certificate,
        lambda address: secured(address, self_signed()),
    ],
    ids=["plain", "no certificate", "another authority"],
)
def test_who_shows_no_certificate_of_ours_gets_no_connection(
    square: Cluster, made: Callable[[str], grpc.Channel]
) -> None:
    nds = ("NodeDiscovery/GetNetworkInformation", nds_pb2.GetNetworkInformationRequest())
    node = ("Node/LivenessPing", node_pb2.LivenessPingRequest())
    listen = square["alice"].ask("GetStatus").listen
    for address, (method, request) in ((square.nds.address, nds), (listen, node)):
        with closing(made(address)) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/p2pchat.v1.{method}")(
                request.SerializeToString(), timeout=CALL_S
            )
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE, address


# ---- a connection, and nothing said on it --------------------------------------------------------


def test_a_discovery_service_answers_whoever_has_a_certificate(square: Cluster) -> None:
    with closing(Channel(square.nds.address, make())) as channel:
        answer = channel.call("NodeDiscovery/GetNetworkInformation").answer
    assert [one["name"] for one in answer["networks"]] == ["dev", "ops"]


def test_a_node_shows_strangers_neither_its_services_nor_its_health(square: Cluster) -> None:
    listen = square["alice"].ask("GetStatus").listen

    def code(own: Tls, path: str) -> grpc.StatusCode:
        with closing(secured(listen, own)) as channel:
            call = channel.stream_stream(path)(iter([b""]), timeout=CALL_S)
            with suppress(grpc.RpcError):
                list(call)
            return call.code()

    for path in (HEALTH, REFLECTION):
        assert code(make(), path) is grpc.StatusCode.PERMISSION_DENIED
        assert code(square["bob"].tls, path) is grpc.StatusCode.OK
    assert code(make(), "/p2pchat.v1.Node/Link") is grpc.StatusCode.UNAUTHENTICATED
    assert code(make(), "/p2pchat.v1.Node/NoSuchMethod") is grpc.StatusCode.UNIMPLEMENTED


# ---- as somebody else ----------------------------------------------------------------------------


def said_as(calls: Calls, name: str, to: str) -> dict[str, Request]:
    """A good request of each method, said by a member."""
    ping, record = calls.ping(name), calls.record(name, to)
    kicked = {"members": [{**calls.record("dan", to), "kicked": True}]}
    line = calls.message(name, to, "never said")
    return {
        "LivenessPing": ping,
        "Election": ping,
        "Coordinator": ping,
        "Sync": {**ping, "sources": [calls.ids[name]]},
        "UpdateMembers": {"caller": ping["caller"], "roster": kicked, "want_roster": True},
        "Message": line,
        "Acknowledge": {
            "caller": ping["caller"],
            "source_id": calls.ids[to],
            "stream": line["header"]["stream"],
            "stored": [{"member_id": calls.ids[name], "first": 1, "last": 9}],
        },
        "LeaveNetwork": {"caller": ping["caller"], "record": {**record, "left": True}},
        "JoinNetwork": {**calls.join(name, record), "card": record["card"]},
    }


HARMLESS = {"LivenessPing", "Election", "Sync", "JoinNetwork"}  # where the caller is who it says


def test_nobody_is_heard_as_somebody_else(steady: Cluster) -> None:
    calls = Calls(steady, "dev", *SQUARE)
    leader = steady.nick("dev", steady.leader("dev", *SQUARE).member, "alice")
    one, other = [name for name in SQUARE if name not in (leader, "dan")][:2]
    said = said_as(calls, one, leader)
    assert {*said, "Link"} == {method.name for method in NODE.methods}
    for method, request in said.items():
        for own in (make(), steady[other].tls, steady[leader].tls):
            with closing(Channel(calls.listen[leader], own)) as channel:
                told = channel.call(f"Node/{method}", request)
            assert (told.code, told.reason) == ("PERMISSION_DENIED", "WRONG_CERTIFICATE"), method
    with closing(Channel(calls.listen[leader], steady[one].tls)) as channel:
        for method in HARMLESS:
            assert channel.call(f"Node/{method}", said[method]).code == "OK", method


def test_on_a_link_too_everyone_speaks_for_itself(steady: Cluster) -> None:
    calls = Calls(steady, "dev", "alice", "bob", "carol")
    asks = [{"id": 1, "ping": calls.ping("bob")}, {"id": 2, "ping": calls.ping("carol")}]
    with closing(Channel(calls.listen["alice"], steady["carol"].tls)) as channel:
        frames = channel.call("Node/Link", {"asks": asks}).answers
    answers = {one["id"]: one for frame in frames for one in frame.get("answers", ())}
    assert answers["2"]["ping"]["view"], "carol is answered"
    status = status_pb2.Status.FromString(base64.b64decode(answers["1"]["status"]))
    (detail,) = status.details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    assert info.reason == "WRONG_CERTIFICATE"


@pytest.mark.skipif(not GRPCURL.exists(), reason="grpcurl is packaged for one platform only")
def test_the_line_that_a_member_is_shown_is_answered_and_with_plain_connections_none_is(
    square: Cluster,
) -> None:
    for method, part in (("Node/LivenessPing", "view"), ("NodeDiscovery/WatchNetworks", "network")):
        (line,) = square["bob"].run("rpc", method).stdout.splitlines()
        program, *arguments = shlex.split(line)
        assert program == "grpcurl"
        assert "-plaintext" not in arguments
        done = subprocess.run(
            [GRPCURL, "-max-time", "2", *arguments], capture_output=True, text=True, check=False
        )
        assert f'"{part}"' in done.stdout, done
        plain = [one for one in arguments if one.startswith(("127.0.0.1:", "p2pchat.v1."))]
        done = subprocess.run(
            [GRPCURL, "-max-time", "2", "-plaintext", *plain],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode != 0, done.stdout) == (True, "")


# ---- from elsewhere ------------------------------------------------------------------------------

OWN = route_to(ELSEWHERE)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path)
    yield found
    found.close()


@pytest.mark.skipif(
    is_loopback(join_address(OWN, 1)), reason="this machine has no address but 127.0.0.1"
)
def test_a_node_listens_where_those_of_a_discovery_service_elsewhere_can_call_it(
    homes: Processes,
) -> None:
    homes.nds = f"{OWN}:0"
    homes.start_nds()
    homes.run("alice", "up", "--nick", "alice")
    assert homes.json("alice", "status")["advertise"].startswith("127.0.0.1:")
    line = homes.lines("alice", "create", "dev", "--nds", homes.nds)[-1].split()[-1]
    homes.run("bob", "join", line, "--nick", "bob", "--no-ui")
    for name in ("alice", "bob"):
        assert homes.json(name, "status")["advertise"].startswith(f"{OWN}:")
        found = [json.loads(row) for row in homes.lines(name, "doctor", "--json")]
        assert all(row["ok"] for row in found), found
    homes.run("alice", "down")
    homes.run("alice", "up")
    assert homes.run("bob", "send", "are you back?").stdout.split()[1] == "1/1"
