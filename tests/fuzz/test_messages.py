"""What the fuzzer says: the same for the same seed, all that a descriptor allows, and worse."""

from random import Random

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from p2pchat.v1 import common_pb2, control_pb2, nds_pb2, node_pb2
from tests.fuzz import callers, http2, messages, values
from tests.fuzz.callers import Society
from tests.fuzz.messages import Maker
from tests.fuzz.rpcs import Rpc, rpcs_of
from tests.fuzz.values import EDGES, Facts

SERVICES = [
    "p2pchat.v1.Node", "p2pchat.v1.NodeDiscovery", "p2pchat.v1.Control", "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
]  # fmt: skip
RPCS = rpcs_of(SERVICES)
SOCIETY = Society(7, "tea", {11: 100, 12: 200, 13: 300}, (14,), (5, 3))


def said(rpc: Rpc, seed: int) -> bytes:
    return Maker(Random(f"{rpc.name} {seed}"), Facts()).message(rpc.request).SerializeToString()


def test_every_method_of_our_protos_is_known() -> None:
    files = [module.DESCRIPTOR for module in (control_pb2, nds_pb2, node_pb2)]
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert methods <= {rpc.path for rpc in RPCS}
    assert len(methods) > 35


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
def test_a_seed_says_the_same_each_time_and_another_seed_something_else(rpc: Rpc) -> None:
    assert [said(rpc, seed) for seed in range(20)] == [said(rpc, seed) for seed in range(20)]
    different = {said(rpc, seed) for seed in range(200)}
    assert len(different) > 1 or not rpc.request.fields


def fields(kind: Descriptor, path: str = "", seen: tuple[str, ...] = ()) -> set[str]:
    """Every field below a message, by its path; of one that contains itself, once."""
    found = set()
    for one in kind.fields:
        found.add(f"{path}.{one.name}")
        inner = one.message_type
        if inner is not None and inner.full_name not in seen:
            found |= fields(inner, f"{path}.{one.name}", (*seen, inner.full_name))
    return found


def present(message: Message, path: str = "") -> set[str]:
    found = set()
    for one, value in message.ListFields():
        found.add(f"{path}.{one.name}")
        if one.message_type is not None:
            for inner in value if one.is_repeated else [value]:
                found |= present(inner, f"{path}.{one.name}")
    return found


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.name)
def test_every_field_is_filled_sooner_or_later(rpc: Rpc) -> None:
    missing = fields(rpc.request)
    for seed in range(400):
        missing -= present(Maker(Random(seed), Facts()).message(rpc.request))
        if not missing:
            break
    assert not missing


def test_integers_come_from_the_ends_of_their_types_and_enums_beyond_their_names() -> None:
    request = node_pb2.JoinNetworkRequest.DESCRIPTOR
    ids, modes = set(), set()
    for seed in range(3_000):
        ids |= set(Maker(Random(seed), Facts(), 0.6).message(request).left_ids)  # type: ignore[attr-defined]
        kind = nds_pb2.CreateNetworkRequest.DESCRIPTOR
        modes.add(Maker(Random(seed), Facts(), 0.6).message(kind).mode)  # type: ignore[attr-defined]
    assert {0, 2**53 - 1, 2**53, 2**63, 2**64 - 1} <= ids
    assert set(EDGES) & ids
    assert {0, 1, 2} <= modes
    assert modes - {0, 1, 2}


@pytest.mark.parametrize("kind", sorted(set(callers.KINDS)))
def test_a_caller_is_who_it_is_to_be(kind: str) -> None:
    for seed in range(50):
        request = node_pb2.MessageRequest(caller=common_pb2.Caller(chat_id=1, node_id=99))
        callers.dress(Random(seed), request, kind, SOCIETY, 11)
        caller = request.caller
        assert caller.node_id != 11, "nobody calls itself"
        if kind == "any":
            assert (caller.chat_id, caller.node_id) == (1, 99)
            continue
        life = SOCIETY.members.get(caller.node_id, 0)
        facts = {
            "member": caller.node_id in SOCIETY.members,
            "present": caller.incarnation == life,
            "earlier": caller.incarnation < life,
            "here": request.chat_id == caller.chat_id == 7,
            "meant": caller.callee_id in (0, 11),
        }
        expected = {"member": True, "present": True, "earlier": False, "here": True, "meant": True}
        expected |= {
            "known": {},
            "next": {"present": False},
            "unknown": {"member": False, "present": facts["present"]},
            "left": {"member": False, "present": False},
            "stale": {"present": False, "earlier": True},
            "wrong": {"meant": False},
            "nobody": {"member": False, "present": facts["present"]},
            "stray": {"here": False},
        }[kind]
        assert facts == expected


@pytest.mark.parametrize("size", [512 * 1024, 512 * 1024 + 1])
def test_a_message_is_padded_to_the_byte(size: int) -> None:
    good = common_pb2.Caller(chat_id=7).SerializeToString()
    assert len(messages.padded(good, size)) == size
    assert common_pb2.Caller.FromString(messages.padded(good, size)).chat_id == 7


def test_a_frame_says_how_long_it_is_unless_it_lies() -> None:
    assert http2.frame(http2.PING, 0, 0, b"12345678")[:9] == b"\0\0\x08\x06\0\0\0\0\0"
    assert http2.frame(http2.DATA, 1, 3, b"ab", lie=5)[:9] == b"\0\0\x07\0\x01\0\0\0\x03"
    assert http2.message(b"ab", compressed=1, lie=-1) == b"\x01\0\0\0\x01ab"


def test_a_true_value_that_does_not_fit_the_field_is_brought_into_its_range() -> None:
    field = node_pb2.LivenessPingRequest.DESCRIPTOR.fields_by_name["destination_id"]
    assert values.integer(Random(1), field, (-1,), 0.0) == 0
    assert values.integer(Random(1), field, (2**70,), 0.0) == 2**64 - 1
