"""Bad input to every call, and noise on every port: a definite error, and nothing has changed."""

import os
import random
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseError

from p2pchat.v1 import control_pb2, nds_pb2, node_pb2
from tests.e2e import bad_requests
from tests.e2e.bad_requests import Case
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.grpcurl import GRPCURL, Calls, Channel, Reply, call
from tests.e2e.programs import OPTIONS, at_once
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("members")
needs_grpcurl = pytest.mark.skipif(
    not GRPCURL.exists(), reason="grpcurl is packaged for one platform only"
)

SIDE_BY_SIDE = 4
DEFINITE = {
    "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "UNAVAILABLE",
}  # fmt: skip
HUGE = 5_000_000
PASSING = ("seenMs", "acked", "lacking", "downSinceMs")  # what changes by itself


# ---- what must not change ------------------------------------------------------------------------


def state(cluster: Cluster) -> dict[str, Any]:
    """All that a bad request could have changed, at every member and at the discovery service."""
    found: dict[str, Any] = {
        name: [
            cluster[name].pid,
            MessageToDict(cluster[name].ask("GetStatus")),
            [
                MessageToDict(cluster[name].ask("ListMembers", chat=chat, all=True))
                for chat in ("dev", "ops")
            ],
        ]
        for name in SQUARE
    }
    found["nds"] = MessageToDict(cluster.nds.ask("GetNetworkInformation"))
    return {name: _lasting(value) for name, value in found.items()}


def _lasting(value: Any) -> Any:
    if isinstance(value, list):
        return [_lasting(one) for one in value]
    if isinstance(value, dict):
        return {key: _lasting(one) for key, one in value.items() if key not in PASSING}
    return value


@pytest.fixture
def untouched(square: Cluster) -> Iterator[Cluster]:
    """The square; at the end it is as it was, with every process alive and no traceback."""
    yield from _watched(square)


@pytest.fixture
def plain_untouched(plain: Cluster) -> Iterator[Cluster]:
    """The same with plain connections."""
    yield from _watched(plain)


def _watched(square: Cluster) -> Iterator[Cluster]:
    for chat in ("dev", "ops"):
        square.settled(chat, *SQUARE)
    texts, before = square["alice"].texts("dev"), state(square)
    yield square
    assert all(square[name].is_up() for name in SQUARE)
    wait_for(lambda: state(square) == before)  # A busy machine: who was suspect is so no more.
    square.check_logs()
    square.agree("dev", *SQUARE, texts=texts)


# ---- the tables ----------------------------------------------------------------------------------


def fault(case: Case, reply: Reply) -> str:
    """What is wrong with the refusal that a bad request got."""
    told = f"{case.what}: {reply.code} {reply.reason} {reply.message!r} {reply.violations}"
    if reply.code not in DEFINITE or not reply.reason:
        return f"not refused with a reason: {told}"
    if case.names.isupper():
        return "" if reply.reason == case.names else f"not {case.names}: {told}"
    if reply.code != "INVALID_ARGUMENT" or reply.reason != "BAD_FIELD":
        return f"not BAD_FIELD: {told}"
    named = (reply.violations or {}).get(case.names, "")
    return "" if named else f"{case.names} is not named: {told}"


def try_all(where: str | Path, cases: Iterable[Case]) -> None:
    """Makes every call, of each method the first by grpcurl; fails with all that went wrong."""
    every, channel = list(cases), Channel(where)
    first = {case.method: case for case in reversed(every)}

    def tried(case: Case) -> str:
        if case is first[case.method]:
            return fault(case, call(where, case.method, case.request, wait_s=5))
        try:
            return fault(case, channel.call(case.method, case.request, wait_s=5))
        except ParseError:  # grpcurl makes another request of it, or none.
            return fault(case, call(where, case.method, case.request, wait_s=5))

    faults: list[str] = []
    try:
        for start in range(0, len(every), SIDE_BY_SIDE):
            faults += at_once(tried, every[start : start + SIDE_BY_SIDE])
    finally:
        channel.close()
    wrong = list(filter(None, faults))
    assert not wrong, f"{len(wrong)} of {len(every)}:\n" + "\n".join(wrong)


@needs_grpcurl
def test_bad_requests_to_the_discovery_service(plain_untouched: Cluster) -> None:
    (network,) = call(
        plain_untouched.nds.address, "NodeDiscovery/GetNetworkInformation", {"name": "dev"}
    ).answer["networks"]
    cases = bad_requests.of_discovery(network, int(network["leader_id"]))
    try_all(plain_untouched.nds.address, cases)


@needs_grpcurl
def test_bad_requests_to_a_node(plain_untouched: Cluster) -> None:
    calls = Calls(plain_untouched, "dev", *SQUARE)
    leader = next(name for name in SQUARE if str(calls.ids[name]) == calls.network["leader_id"])
    other = next(name for name in SQUARE if name != leader)
    try_all(calls.listen[leader], bad_requests.of_node(calls, by=other, to=leader))


@needs_grpcurl
def test_bad_requests_to_the_control_service(untouched: Cluster) -> None:
    cases = bad_requests.of_control(untouched.nds.address)
    try_all(untouched["alice"].socket, cases)


# ---- noise ---------------------------------------------------------------------------------------


def services(cluster: Cluster) -> list[tuple[str, Any]]:
    """Every service of ours: where gRPC finds it, and its descriptor."""
    return [
        (cluster.nds.address, nds_pb2.DESCRIPTOR.services_by_name["NodeDiscovery"]),
        (cluster["alice"].row("status")["listen"], node_pb2.DESCRIPTOR.services_by_name["Node"]),
        (f"unix:{cluster['alice'].socket}", control_pb2.DESCRIPTOR.services_by_name["Control"]),
    ]


def refusal(channel: grpc.Channel, path: str, payload: bytes) -> grpc.RpcError:
    """What a call whose request is these bytes ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        list(channel.unary_stream(path)(payload, timeout=WAIT_S))
    return caught.value


def test_bytes_that_are_no_request_get_a_definite_error(plain_untouched: Cluster) -> None:
    rng, wrong = random.Random(7), []
    noise = [b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f" + rng.randbytes(300)]
    for target, service in services(plain_untouched):
        paths = [f"/{service.full_name}/{method.name}" for method in service.methods]
        beside = [
            "/grpc.health.v1.Health/Check",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ]
        with grpc.insecure_channel(target, options=OPTIONS) as channel:
            for path in [*paths, *beside]:
                error = refusal(channel, path, rng.choice(noise))
                if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                    wrong.append(f"{path}: {error.code()} {error.details()}")
            huge = refusal(channel, paths[0], b"\x0a" + b"x" * HUGE)
            assert huge.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            nothing = refusal(channel, f"/{service.full_name}/NoSuchMethod", b"")
            assert nothing.code() is grpc.StatusCode.UNIMPLEMENTED
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("which", ["untouched", "plain_untouched"])
def test_noise_on_a_port_harms_nobody(which: str, request: pytest.FixtureRequest) -> None:
    cluster: Cluster = request.getfixturevalue(which)
    rng = random.Random(11)
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    shouts: list[bytes] = [
        rng.randbytes(5_000),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        preface + rng.randbytes(5_000),
        preface + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\xff\xff\x01\x25\x00\x00\x00\x01",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(200),
        b"",
    ]
    doors: list[Callable[[], socket.socket]] = []
    for target, _ in services(cluster):
        if target.startswith("unix:"):
            doors.append(partial(_unix, target.removeprefix("unix:")))
        else:
            host, _, port = target.rpartition(":")
            doors.append(partial(socket.create_connection, (host, int(port)), 5))
    for door in doors:
        open_ones = []
        for shout in shouts * 5:
            line = door()
            open_ones.append(line)
            try:
                line.sendall(shout)
            except (BrokenPipeError, ConnectionResetError):
                continue
        for line in open_ones:
            line.close()


def _unix(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(5)
    line.connect(path)
    return line


def test_the_control_socket_is_its_owners_alone(square: Cluster) -> None:
    for name in SQUARE:
        assert os.stat(square[name].socket).st_mode & 0o777 == 0o600
        assert os.stat(square[name].socket.parent).st_mode & 0o777 == 0o700
