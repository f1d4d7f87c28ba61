"""From a seed to a case: what is said, by whom, to which server, and what may come of it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from google.protobuf.message import Message

from tests.fuzz import callers, messages
from tests.fuzz.callers import Society
from tests.fuzz.calling import Case
from tests.fuzz.messages import Maker
from tests.fuzz.rpcs import Rpc
from tests.fuzz.values import Facts

WHOLE = 0.72  # of the payloads are whole messages
# What changes something when it is heard; whatever is not here never changes anything.
COUNTING = {
    *("NodeDiscovery/CreateNetwork", "NodeDiscovery/UpdateLeader"),
    *("NodeDiscovery/Renew", "NodeDiscovery/DeleteNetwork"),
    *("Control/CreateChat", "Control/JoinChat", "Control/LeaveChat", "Control/Send"),
    *("Control/Edit", "Control/Redact"),
    *("Control/MarkRead", "Control/SetNick", "Control/SetAway", "Control/SetTopic"),
    *("Control/SetPassword", "Control/Decide", "Control/StopNode"),
}
ONCE = {"Control/StopNode": 1}  # so many of a thousand are whole: each costs a start
REFLECTED = {
    "host": ["", "localhost"],
    "service": ["", "p2pchat.v1.Node", "p2pchat.v1.NodeDiscovery", "grpc.health.v1.Health"],
    "file_by_filename": ["p2pchat/v1/node.proto", "p2pchat/v1/common.proto"],
    "file_containing_symbol": ["p2pchat.v1.Node", "p2pchat.v1.Caller.chat_id"],
    "containing_type": ["p2pchat.v1.Caller"],
    "extension_number": [1],
    "all_extension_numbers_of_type": ["p2pchat.v1.Caller"],
    "list_services": [""],
}


@dataclass(frozen=True)
class Living:
    """What cases are drawn from, as it is at this moment."""

    groups: Mapping[str, tuple[Society, Facts]]  # town and pit
    ids: Mapping[str, Mapping[str, int]]  # group -> member's name -> id
    nds: Facts
    control: Facts
    town_epoch: tuple[int, int]


def draw(rpc: Rpc, seed: int, server: str, living: Living) -> Case:
    """The case of a seed."""
    rng = Random(f"{rpc.name} {seed}")
    match rpc.service.rpartition(".")[2]:
        case "Node":
            return _node(rng, rpc, seed, server, living)
        case "NodeDiscovery":
            return _discovery(rng, rpc, seed, server, living)
        case "Control":
            return _control(rng, rpc, seed, server, living)
        case _:
            facts = Facts(REFLECTED)
            said = [Maker(rng, facts).message(rpc.request) for _ in range(rng.randint(1, 3))]
            spoilt = [_spoilt(rng, one) for one in said]
            payloads = tuple(payload for _, payload in spoilt)
            count = len(payloads) if rpc.streams_in else 1
            return Case(rpc, seed, server, payloads[:count], manner=spoilt[0][0], may_count=False)


def _spoilt(rng: Random, request: Message, *, meek: bool = False) -> tuple[str, bytes]:
    """How the message is sent, and its bytes.  `meek`: it keeps its meaning, or has none."""
    good = request.SerializeToString()
    if rng.random() < WHOLE:
        return "whole", good
    if rng.random() < 0.02:
        return "swollen", messages.swollen(rng, good)
    ways = ("truncated", "extended") if meek else ("truncated", "flipped", "extended", "noise")
    way = rng.choice(ways)
    match way:
        case "truncated":
            return way, messages.truncated(rng, good)
        case "flipped":
            return way, messages.flipped(rng, good)
        case "extended":
            return way, messages.extended(rng, good)
        case _:
            return way, messages.noise(rng)


def _node(rng: Random, rpc: Rpc, seed: int, server: str, living: Living) -> Case:
    kind = rng.choice(callers.KINDS)
    heard = callers.may_be_heard(kind, rpc.method)
    harmless = not heard or (kind == "nobody" and rpc.method == "LivenessPing")
    scene = "town" if harmless and rng.random() < 0.6 else "pit"
    society, facts = living.groups[scene]
    callee = living.ids[scene].get(server, society.nobody)
    request = Maker(rng, facts).message(rpc.request)
    callers.dress(rng, request, kind, society, callee, steady=scene == "town")
    manner, payload = _spoilt(rng, request, meek=scene == "town")
    if scene == "pit" and manner in ("flipped", "noise"):
        kind, heard = "any", True
    if kind not in ("wrong", "stray"):  # Of others the pit's members may think differently by now.
        heard = heard or scene == "pit"
    heard = heard or rpc.method == "Link"  # Each call in it has an end of its own.
    return Case(rpc, seed, server, (payload,), scene, kind, manner, heard, scene == "pit")


def _discovery(rng: Random, rpc: Rpc, seed: int, server: str, living: Living) -> Case:
    request = Maker(rng, living.nds).message(rpc.request)
    fields = rpc.request.fields_by_name
    scene, counts = "paper", rpc.name in COUNTING
    town = living.groups["town"][0].chat
    if "facts" in fields and rng.random() < 0.5:
        request.ClearField("facts")
    if rpc.method == "CreateNetwork" and rng.random() < 0.3:
        request.request_id = str(uuid.UUID(int=rng.getrandbits(128)))  # type: ignore[attr-defined]
    meek = False
    if "chat_id" in fields and rpc.method != "CreateNetwork" and rng.random() < 0.15:
        # Of an epoch that is over, so that nothing may come of it.
        scene, counts, meek = "town", False, True
        request.chat_id = town  # type: ignore[attr-defined]
        generation, n = living.town_epoch
        for name in ("expected_epoch", "epoch"):
            if name in fields:
                epoch = getattr(request, name)
                epoch.generation, epoch.n = generation - rng.choice((0, 1)), max(1, n - 1)
                if (epoch.generation, epoch.n) >= living.town_epoch:
                    epoch.generation = generation - 1
        if "facts" in fields:
            request.ClearField("facts")
    manner, payload = _spoilt(rng, request, meek=meek)
    if manner == "truncated" and meek:
        manner, payload = "whole", request.SerializeToString()
    return Case(rpc, seed, server, (payload,), scene, "", manner, True, counts)


def _control(rng: Random, rpc: Rpc, seed: int, server: str, living: Living) -> Case:
    request = Maker(rng, living.control).message(rpc.request)
    manner, payload = _spoilt(rng, request)
    if rpc.name in ONCE and seed % 1_000 >= ONCE[rpc.name]:
        manner, payload = "noise", b"\xff" + payload  # Tag 31 of wire type 7, which there is not.
    return Case(rpc, seed, server, (payload,), "den", "", manner, True, rpc.name in COUNTING)


def recalls(rpc: Rpc, payload: bytes) -> bool:
    """Whether a refused request may count: facts repair a discovery service that forgot."""
    if "facts" not in rpc.request.fields_by_name:
        return False
    from google.protobuf import message_factory
    from google.protobuf.message import DecodeError

    try:
        return message_factory.GetMessageClass(rpc.request).FromString(payload).HasField("facts")
    except DecodeError:
        return False
