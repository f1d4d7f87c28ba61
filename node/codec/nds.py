"""The calls to the discovery service: each request and reply, both ways."""
# ruff: noqa: D103  put_ and get_ of a value named in the core need no sentence of their own

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf.message import Message
from msgspec import Struct

from node.codec import facts
from node.codec.calls import parse
from node.codec.check import Check, Malformed
from node.codec.rosters import put_decision
from node.core import messages as core
from node.core.messages import NdsReply, NdsRequest
from node.core.reasons import Reason
from node.core.types import Address, IdBlock, WallMillis
from node.limits import CHAT_MAX, CLAIM_KEY_BYTES, Limits
from p2pchat.v1 import common_pb2
from p2pchat.v1 import nds_pb2 as pb


class Network(Struct, frozen=True):
    """A network as the discovery service lists it."""

    record: core.Record
    seen: WallMillis  # when its leader was last heard there
    idle: bool
    created: WallMillis


class NetworkPage(Struct, frozen=True):
    networks: tuple[Network, ...]
    next_page_token: str  # empty on the last page
    fault: str = ""  # the reason why the service can store nothing now
    left_out: str = ""  # why some networks are left out: what is wrong with the first of them


class NetworkChange(Struct, frozen=True):
    """A network that is there, is new or changed, or was `deleted`.

    `caught_up` comes once, without a network, when all that is there has been told.
    """

    network: Network | None
    deleted: bool = False
    caught_up: bool = False
    left_out: str = ""  # why the network is left out: what is wrong with it


class Create(Struct, frozen=True):
    """Make a network.  Repeated with one `request_id`, it is answered alike."""

    request_id: str
    name: str
    address: Address
    mode: int = 1
    claim_key: bytes = b""  # public
    owner: bytes = b""


class Created(Struct, frozen=True):
    """The answer to `Create`: the first id of the block is the caller's own."""

    network: Network
    ids: IdBlock


class Browse(Struct, frozen=True):
    """Read all networks, a page at a time; answered with `NetworkPage`."""

    page_size: int = 100
    page_token: str = ""
    include_hidden: bool = False


# ---- values ------------------------------------------------------------------------------------


def put_facts(known: core.Facts) -> pb.Facts:
    return pb.Facts(
        name=known.name,
        mode=common_pb2.Mode.ValueType(known.mode),
        created_ms=known.created,
        epoch=facts.put_epoch(known.epoch),
        leader_id=known.leader,
        leader_address=known.leader_address,
        highest_n=known.highest_n,
        grant=facts.put_grant(known.grant),
    )


def get_network(p: pb.NetworkInformation, check: Check, at: str = "network") -> Network:
    """A record.  Its name is not held to our rules: whom it names is the registry's business."""
    record = core.Record(
        chat=check.number(p.chat_id, f"{at}.chat_id", low=1, high=CHAT_MAX),
        name=p.name,
        epoch=facts.get_epoch(p.epoch, check, f"{at}.epoch"),
        leader=check.number(p.leader_id, f"{at}.leader_id"),
        address=check.address(p.leader_address, f"{at}.leader_address"),
        mode=facts.get_mode(p.mode, check, f"{at}.mode"),
        claim_key=get_claim_key(p.claim_key, check, f"{at}.claim_key"),
        grant=facts.get_grant(p.grant, check, f"{at}.grant"),
    )
    seen = check.number(p.seen_ms, f"{at}.seen_ms")
    return Network(record, seen, p.idle, check.number(p.created_ms, f"{at}.created_ms"))


def get_listed(p: pb.NetworkInformation, check: Check, at: str) -> tuple[Network | None, str]:
    """A network of many, or what is wrong with it: which must not keep us from the others."""
    own = Check(check.limits)
    network = get_network(p, own, at)
    try:
        own.done()
    except Malformed as error:
        return None, str(error)
    return network, ""


def get_claim_key(key: bytes, check: Check, at: str) -> bytes:
    if len(key) not in (0, CLAIM_KEY_BYTES):
        check.fail(at, f"must be {CLAIM_KEY_BYTES} bytes or none, not {len(key)}")
    return key


def put_proofs(proofs: Iterable[core.Proof]) -> Iterator[pb.ClaimProof]:
    return (pb.ClaimProof(key=one.key, signature=one.signature) for one in proofs)


def put_handovers(steps: Iterable[core.HandedOver]) -> Iterator[pb.HandOver]:
    return (pb.HandOver(by=one.by, owner=one.owner, signature=one.signature) for one in steps)


def get_record(p: pb.NetworkInformation, check: Check) -> core.Record:
    return get_network(p, check).record


# ---- calls -------------------------------------------------------------------------------------


def put_lookup(lookup: core.Lookup) -> pb.GetNetworkInformationRequest:
    name = "" if lookup.chat else lookup.name
    return pb.GetNetworkInformationRequest(chat_id=lookup.chat, name=name, include_hidden=True)


def get_looked_up(p: pb.GetNetworkInformationResponse, check: Check) -> NdsReply | core.Refusal:
    if not p.networks:
        return core.Refusal(Reason.UNKNOWN_NETWORK, "the discovery service has no such network")
    return core.RecordRead(get_network(p.networks[0], check, "networks[0]").record)


def put_claim(claim: core.Claim) -> pb.UpdateLeaderRequest:
    return pb.UpdateLeaderRequest(
        chat_id=claim.chat,
        node_id=claim.node,
        address=claim.address,
        expected_epoch=facts.put_epoch(claim.expected),
        nonce=claim.nonce,
        votes=claim.votes,
        electorate=claim.electorate,
        only_fate=claim.only_fate,
        facts=put_facts(claim.facts),
        claim_key=claim.claim_key,
        owner=claim.owner,
        proofs=put_proofs(claim.proofs),
        removals=map(put_decision, claim.removals),
        handovers=put_handovers(claim.handovers),
    )


def get_granted(p: pb.UpdateLeaderResponse, check: Check) -> core.Granted:
    return core.Granted(get_record(p.network, check), facts.get_ids(p.ids, check, "ids"))


def put_renew(renew: core.Renew) -> pb.RenewRequest:
    return pb.RenewRequest(
        chat_id=renew.chat,
        node_id=renew.node,
        epoch=facts.put_epoch(renew.epoch),
        address=renew.address,
        want_ids=renew.want_ids,
        facts=put_facts(renew.facts),
        claim_key=renew.claim_key,
        owner=renew.owner,
        proofs=put_proofs(renew.proofs),
        handovers=put_handovers(renew.handovers),
    )


def get_renewed(p: pb.RenewResponse, check: Check) -> core.RecordRead:
    has_ids = p.HasField("ids") and p.ids.count > 0
    ids = facts.get_ids(p.ids, check, "ids") if has_ids else None
    return core.RecordRead(get_record(p.network, check), ids)


def put_delete(delete: core.Delete) -> pb.DeleteNetworkRequest:
    return pb.DeleteNetworkRequest(
        chat_id=delete.chat,
        epoch=facts.put_epoch(delete.epoch),
        proofs=put_proofs(delete.proofs),
    )


def get_deleted(p: pb.DeleteNetworkResponse, check: Check) -> core.Deleted:
    return core.Deleted()


def put_create(create: Create) -> pb.CreateNetworkRequest:
    return pb.CreateNetworkRequest(
        request_id=create.request_id,
        name=create.name,
        leader_address=create.address,
        mode=common_pb2.Mode.ValueType(create.mode),
        claim_key=create.claim_key,
        owner=create.owner,
    )


def get_created(p: pb.CreateNetworkResponse, check: Check) -> Created:
    return Created(get_network(p.network, check), facts.get_ids(p.ids, check, "ids"))


def put_browse(browse: Browse) -> pb.GetNetworkInformationRequest:
    return pb.GetNetworkInformationRequest(
        page_size=browse.page_size,
        page_token=browse.page_token,
        include_hidden=browse.include_hidden,
    )


def get_page(p: pb.GetNetworkInformationResponse, check: Check) -> NetworkPage:
    listed = [get_listed(one, check, f"networks[{i}]") for i, one in enumerate(p.networks)]
    networks = tuple(network for network, _ in listed if network is not None)
    left_out = next((wrong for _, wrong in listed if wrong), "")
    fault = p.store_fault if re.fullmatch("[A-Z_]{1,40}", p.store_fault) else ""
    return NetworkPage(networks, p.next_page_token, fault, left_out)


def get_change(p: pb.WatchNetworksResponse, check: Check) -> NetworkChange:
    if not p.HasField("network"):
        return NetworkChange(None, p.deleted, p.caught_up)
    network, left_out = get_listed(p.network, check, "network")
    return NetworkChange(network, p.deleted, p.caught_up, left_out)


class NdsMethod(Struct, frozen=True):
    """One RPC of the NodeDiscovery service, as its client uses it."""

    name: str
    reply: type[Message]
    put_request: Callable[[Any], Message]
    get_reply: Callable[[Any, Check], Any]

    @property
    def path(self) -> str:
        return f"/p2pchat.v1.NodeDiscovery/{self.name}"

    def write_request(self, request: NdsRequest | Create | Browse) -> bytes:
        return self.put_request(request).SerializeToString()

    def read_reply(self, payload: bytes) -> Any:
        """The reply.  Raises `Malformed`."""
        check = Check(Limits())
        reply = self.get_reply(parse(self.reply, payload), check)
        check.done()
        return reply


NDS_METHODS: dict[type[Any], NdsMethod] = {
    core.Lookup: NdsMethod(
        "GetNetworkInformation", pb.GetNetworkInformationResponse, put_lookup, get_looked_up
    ),
    core.Claim: NdsMethod("UpdateLeader", pb.UpdateLeaderResponse, put_claim, get_granted),
    core.Renew: NdsMethod("Renew", pb.RenewResponse, put_renew, get_renewed),
    core.Delete: NdsMethod("DeleteNetwork", pb.DeleteNetworkResponse, put_delete, get_deleted),
    Create: NdsMethod("CreateNetwork", pb.CreateNetworkResponse, put_create, get_created),
    Browse: NdsMethod(
        "GetNetworkInformation", pb.GetNetworkInformationResponse, put_browse, get_page
    ),
}
