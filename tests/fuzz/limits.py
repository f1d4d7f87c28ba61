"""Each limit: at it a request is taken, one past it is refused by an error that names the limit.

What is refused has changed nothing: the town is looked at after all of them, the victim and the
discovery service around each.
"""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from node.trust import certificates
from p2pchat.v1 import common_pb2, control_pb2, nds_pb2, node_pb2
from tests.fuzz import messages, oracle
from tests.fuzz.calling import Case, Ending, call, wants_in
from tests.fuzz.campaign import Campaign, difference
from tests.fuzz.town import EVERYONE, MEMBERS_MAX, NOWHERE, TALKERS

RECEIVE_MAX = 512 * 1024
FAR = 900_000  # member ids that nobody has


@dataclass(frozen=True)
class Limit:
    """One limit of one call."""

    rpc: str
    server: str
    field: str  # that the refusal names; or a reason in capitals
    most: int
    at: bytes
    past: bytes

    def __str__(self) -> str:
        return f"{self.rpc} {self.field} at {self.most}"


def _pair(rpc: str, server: str, field: str, most: int, build: Any) -> Limit:
    """`build(n)` gives the request with so many."""
    at, past = build(most), build(most + 1)
    return Limit(rpc, server, field, most, at.SerializeToString(), past.SerializeToString())


def _address(size: int) -> str:
    return "h" * (size - 5) + ":5000"


def of_node(campaign: Campaign) -> Iterator[Limit]:
    """Said to alice in the pit, as bob says it."""
    town = campaign.town
    known = town.society(town.pit)
    alice, bob = (town.chat(name, town.pit).member_id for name in TALKERS[:2])
    caller = town.caller(known, bob)
    facts = town.facts(known)
    view = facts.templates["p2pchat.v1.View"][1]
    records = facts.templates["p2pchat.v1.MemberRecord"]
    record = next(one for one in records if one.member_id == bob)  # type: ignore[attr-defined]
    now_ms = time.time_ns() // 1_000_000

    def tell(text: str = "x", *more: str, deps: int = 0, others: int = 0, **header: Any) -> Message:
        stream = common_pb2.Stream(incarnation=now_ms, random=11)
        key = common_pb2.MessageKey(source_id=bob, stream=stream, seq=9)
        hlc = common_pb2.Hlc(ms=now_ms + header.get("seq", 1))
        fields = {"seq": 1, "hlc": hlc, "sent_ms": now_ms, **header}
        made = common_pb2.Header(stream=stream, deps=[key] * deps, **fields)
        said = node_pb2.MessageRequest(
            caller=caller, chat_id=known.chat, msg_id=str(uuid.uuid4()), source_id=bob,
            destination_id=alice, msg=text, header=made, pass_on=[FAR] * others,
            more_ids=[str(uuid.uuid4()) for _ in more], more_msgs=more,
        )  # fmt: skip
        town.cluster[TALKERS[1]].sign(said, known.chat)
        return said

    def stored(count: int, last: int = 1) -> Message:
        one = node_pb2.Stored(member_id=bob, first=1, last=last)
        stream = common_pb2.Stream(incarnation=now_ms, random=11)
        return node_pb2.AcknowledgeRequest(
            caller=caller, source_id=alice, stream=stream, stored=[one] * count
        )

    def roster(**changes: Any) -> Message:
        changed = common_pb2.MemberRecord()
        changed.CopyFrom(record)
        for name, value in changes.items():
            part = getattr(changed, name)
            if isinstance(part, Message):
                part.CopyFrom(value)
            elif isinstance(value, list):
                part.extend(value)
            else:
                setattr(changed, name, value)
        return node_pb2.UpdateMembersRequest(
            caller=caller, roster=common_pb2.Roster(members=[changed])
        )

    def fact(size: int) -> common_pb2.Fact:
        return common_pb2.Fact(value="x" * size, hlc=common_pb2.Hlc(ms=now_ms), source_id=bob)

    def topic(size: int) -> Message:
        whole = common_pb2.Roster(topic=fact(size))
        return node_pb2.UpdateMembersRequest(caller=caller, roster=whole)

    def decided(count: int, **fields: Any) -> Message:
        one = common_pb2.Decision(by_id=FAR, act=common_pb2.ACT_TITLE, **fields)
        return node_pb2.UpdateMembersRequest(
            caller=caller, roster=common_pb2.Roster(decisions=[one] * count)
        )

    def sync(**fields: Any) -> Message:
        return node_pb2.SyncRequest(caller=caller, view=view, **fields)

    def crowd(size: int) -> Message:
        gone = []
        for n in range(size):
            one = common_pb2.MemberRecord()
            one.CopyFrom(record)
            one.member_id, one.left = record.member_id + FAR + n, True
            one.identity = n.to_bytes(32)
            one.ClearField("card")
            one.ClearField("admission")
            one.ClearField("issued")
            gone.append(one)
        return node_pb2.UpdateMembersRequest(caller=caller, roster={"members": gone})

    run = node_pb2.Range(source_id=bob, stream=common_pb2.Stream(incarnation=1), first=1, last=1)
    end = common_pb2.StreamEnd(stream=common_pb2.Stream(incarnation=1), seq=1)
    at = "roster.members[0]"
    digest = node_pb2.SourceDigest(source_id=bob)

    def to(method: str, field: str, most: int, build: Any) -> Limit:
        return _pair(f"Node/{method}", "alice", field, most, build)

    yield to("Message", "msg", 16_384, lambda n: tell("x" * n))
    yield to("Message", "header.deps", 512, lambda n: tell(deps=n, seq=2))
    yield to(
        "Message", "header.seq", 2**53 - 1,
        lambda n: tell(seq=n, hlc=common_pb2.Hlc(ms=now_ms + 9)),
    )  # fmt: skip
    yield to(
        "Message", "header.hlc.counter", 65_535,
        lambda n: tell(seq=3, hlc=common_pb2.Hlc(ms=now_ms + 3, counter=n)),
    )  # fmt: skip
    yield to(
        "Message", "header.heads", 16,
        lambda n: tell(seq=10, heads=[k.to_bytes(16) for k in range(n)]),
    )  # fmt: skip
    yield to("Message", "header.sent_ms", 2**53 - 1, lambda n: tell(seq=4, sent_ms=n))
    yield to("Message", "pass_on", 256, lambda n: tell(seq=5, others=n))
    yield to("Message", "more_ids", 63, lambda n: tell(*["x"] * (1 + n), seq=6))
    yield to("Message", "more_msgs", 63, lambda n: tell(*["x"] * (1 + n), seq=7))
    yield to(
        "Message", "more_msgs", 65_536,
        lambda n: tell(*["x" * 16_000] * 4, "x" * (n - 64_000), seq=8),
    )  # fmt: skip
    yield to("Acknowledge", "stored", 64, stored)
    yield to("Acknowledge", "stored[0].last", 1_024, lambda n: stored(1, last=n))
    yield to(
        "LivenessPing", "votes", 4_096,
        lambda n: node_pb2.LivenessPingRequest(caller=caller, view=view, votes=[bob] * n),
    )  # fmt: skip
    yield to("Sync", "digests", 4_096, lambda n: sync(digests=[digest] * n))
    yield to("Sync", "sources", 4_096, lambda n: sync(sources=[bob] * n))
    yield to("Sync", "held", 16_384, lambda n: sync(sources=[bob], held=[run] * n))
    yield to("UpdateMembers", f"{at}.nick.value", 24, lambda n: roster(nick=fact(n)))
    yield to("UpdateMembers", f"{at}.away.value", 200, lambda n: roster(away=fact(n)))
    yield to("UpdateMembers", f"{at}.address", 255, lambda n: roster(address=_address(n)))
    yield to("UpdateMembers", f"{at}.ends", 4_096, lambda n: roster(ends=[end] * n))
    yield to("UpdateMembers", "roster.topic.value", 300, topic)
    yield to("UpdateMembers", "roster.decisions", 512, decided)
    yield to("UpdateMembers", "roster.decisions[0].value", 300, lambda n: decided(1, value="v" * n))
    yield to(
        "UpdateMembers", "roster.decisions[0].after", 512,
        lambda n: decided(1, after=[k.to_bytes(16) for k in range(n)]),
    )  # fmt: skip
    yield to(
        "JoinNetwork", "left_ids", 4_096,
        lambda n: node_pb2.JoinNetworkRequest(
            caller=common_pb2.Caller(chat_id=known.chat), identity=b"j" * 32, nick="j",
            address=NOWHERE, left_ids=range(FAR, FAR + n),
        ),
    )  # fmt: skip
    yield to(
        "JoinNetwork", "nick", 24,
        lambda n: node_pb2.JoinNetworkRequest(
            caller=common_pb2.Caller(chat_id=known.chat), identity=b"j" * 32, nick="j" * n,
            address=NOWHERE,
        ),
    )  # fmt: skip
    yield to("UpdateMembers", "roster.members", 4_096, crowd)  # The last: the pit is full of it.


def of_discovery(campaign: Campaign) -> Iterator[Limit]:
    campaign.town.mend_paper()  # There are some on paper, whatever was deleted before.
    page = campaign.town.cluster.nds.ask("GetNetworkInformation", page_size=1_000)
    paper = next(one for one in page.networks if one.chat_id in campaign.town.paper)

    def to(method: str, field: str, most: int, build: Any) -> Limit:
        return _pair(f"NodeDiscovery/{method}", "nds", field, most, build)

    def create(name: str, address: str = NOWHERE) -> Message:
        return nds_pb2.CreateNetworkRequest(
            request_id=str(uuid.uuid4()), name=name, leader_address=address
        )

    def claim(votes: int, electorate: int) -> Message:
        return nds_pb2.UpdateLeaderRequest(
            chat_id=paper.chat_id, node_id=paper.leader_id, address=NOWHERE,
            expected_epoch=paper.epoch, nonce=3, votes=[1] * votes, electorate=electorate,
            only_fate=True,
        )  # fmt: skip

    yield to("CreateNetwork", "name", 64, lambda n: create("n" * n))
    yield to("CreateNetwork", "leader_address", 255, lambda n: create(f"a{n}", _address(n)))
    yield to(
        "GetNetworkInformation", "page_size", 1_000,
        lambda n: nds_pb2.GetNetworkInformationRequest(page_size=n),
    )  # fmt: skip
    yield to("UpdateLeader", "votes", 4_096, lambda n: claim(n, 3))
    yield to("UpdateLeader", "electorate", 4_096, lambda n: claim(3, n))
    proof = nds_pb2.ClaimProof(key=b"k" * 32, signature=b"s" * 64)
    paper_is = {"chat_id": paper.chat_id, "node_id": paper.leader_id, "address": NOWHERE}
    step = nds_pb2.HandOver(by=b"b" * 32, owner=b"o" * 32, signature=b"s" * 64)

    def removal(count: int, **fields: Any) -> Message:
        one = common_pb2.Decision(by_id=FAR, whom_id=FAR, signature=b"s" * 64, **fields)
        return nds_pb2.UpdateLeaderRequest(
            **paper_is, expected_epoch=paper.epoch, nonce=3, only_fate=True, removals=[one] * count
        )

    yield to("UpdateLeader", "removals", 2, removal)
    yield to("UpdateLeader", "removals", 300, lambda n: removal(1, value="v" * n))
    yield to("UpdateLeader", "removals", 512, lambda n: removal(1, after=[b"a" * 16] * n))
    yield to(
        "UpdateLeader", "handovers", 16,
        lambda n: nds_pb2.UpdateLeaderRequest(
            **paper_is, expected_epoch=paper.epoch, nonce=3, only_fate=True, handovers=[step] * n
        ),
    )  # fmt: skip
    yield to(
        "Renew", "handovers", 16,
        lambda n: nds_pb2.RenewRequest(**paper_is, epoch=paper.epoch, handovers=[step] * n),
    )  # fmt: skip
    yield to(
        "DeleteNetwork", "proofs", 8,
        lambda n: nds_pb2.DeleteNetworkRequest(
            chat_id=paper.chat_id, epoch=common_pb2.Epoch(generation=1, n=1), proofs=[proof] * n
        ),
    )  # fmt: skip
    yield to(
        "Renew", "facts.highest_n", 999_999,
        lambda n: nds_pb2.RenewRequest(
            chat_id=paper.chat_id, node_id=paper.leader_id, address=NOWHERE, epoch=paper.epoch,
            facts=nds_pb2.Facts(highest_n=n),
        ),
    )  # fmt: skip


def of_control() -> Iterator[Limit]:
    def to(method: str, field: str, most: int, build: Any) -> Limit:
        return _pair(f"Control/{method}", "control", field, most, build)

    none = control_pb2.WAIT_NONE
    yield to("Send", "text", 16_384, lambda n: control_pb2.SendRequest(chat="den", text="x" * n))
    yield to(
        "Send", "wait_ms", 3_600_000,
        lambda n: control_pb2.SendRequest(chat="den", text="x", wait=none, wait_ms=n),
    )  # fmt: skip
    yield to("SetNick", "nick", 24, lambda n: control_pb2.SetNickRequest(nick="n" * n))
    yield to("SetAway", "away", 200, lambda n: control_pb2.SetAwayRequest(chat="den", away="a" * n))
    yield to(
        "SetTopic", "topic", 300, lambda n: control_pb2.SetTopicRequest(chat="den", topic="t" * n)
    )
    yield to("CreateChat", "name", 64, lambda n: control_pb2.CreateChatRequest(name="c" * n))
    yield to(
        "ReadHistory", "count", 1_000,
        lambda n: control_pb2.ReadHistoryRequest(chat="den", count=n),
    )  # fmt: skip
    yield to("Watch", "history", 1_000, lambda n: control_pb2.WatchRequest(chat="den", history=n))
    yield to("ListCalls", "count", 200, lambda n: control_pb2.ListCallsRequest(count=n))


def of_size(campaign: Campaign) -> Iterator[Limit]:
    """The largest request that a server receives."""
    calls = {
        "nds": ("NodeDiscovery/GetNetworkInformation", b"\x18\x01"),
        "control": ("Control/GetStatus", b""),
        "alice": ("Node/LivenessPing", b"\x0a\x09\x08" + b"\xff" * 7 + b"\x7f"),
    }
    for server, (rpc, good) in calls.items():
        if rpc in campaign.rpcs:
            at = messages.padded(good, RECEIVE_MAX)
            yield Limit(rpc, server, "RESOURCE_EXHAUSTED", RECEIVE_MAX, at, at + b"\0")


async def all_of_them(campaign: Campaign) -> None:
    """Tries every limit of every service."""
    town = campaign.town
    town.dig()
    town.mend_victim()
    for limit in of_discovery(campaign):
        await attempt(campaign, limit, town.nds_state)
    for limit in of_control():
        await attempt(campaign, limit, town.control_state)
    for limit in of_node(campaign):
        await attempt(campaign, limit, town.honest_state)
    for limit in of_size(campaign):
        await attempt(campaign, limit, town.honest_state)
    town.dig()
    await full(campaign)


async def attempt(campaign: Campaign, limit: Limit, state: Any) -> None:
    rpc = campaign.rpcs[limit.rpc]
    for payload, past in ((limit.at, False), (limit.past, True)):
        before = state() if past else None
        manner = "past" if past else "at"
        case = Case(rpc, limit.most, limit.server, (payload,), manner=manner, ends=past)
        ending = await call(campaign.channel(limit.server), case)
        if text := oracle.fault(case, ending):
            campaign.fault(f"{limit}: {text}")
        elif text := _fault(limit, ending, past=past):
            campaign.fault(f"{limit}: {text}: {ending.code} {ending.text[:300]}")
        if past and (after := state()) != before:
            campaign.fault(f"{limit}: refused, but {difference(before or {}, after)}")


def _fault(limit: Limit, ending: Ending, *, past: bool) -> str:
    named = _named(ending)
    if not past:
        return "refused at the limit" if limit.field in named else ""
    if limit.field.isupper():
        told = ending.code == limit.field and str(limit.most) in ending.text
        return "" if told else "not refused past it, or it is not named"
    if limit.field not in named:
        return f"not refused past it for that field, but {named}"
    numbers = named[limit.field].replace(",", "")
    return "" if str(limit.most) in numbers else f"the limit is not named: {named[limit.field]}"


def _named(ending: Ending) -> dict[str, str]:
    """The fields at fault."""
    bad = error_details_pb2.BadRequest()
    if ending.details:
        for detail in status_pb2.Status.FromString(ending.details).details:
            detail.Unpack(bad)
    found = {one.field: one.description for one in bad.field_violations}
    return found if ending.code != "RESOURCE_EXHAUSTED" else {"RESOURCE_EXHAUSTED": ending.text}


async def full(campaign: Campaign) -> None:
    """A chat with as many members as it may have takes no other, and says how many it has."""
    town = campaign.town
    town.gather("full", *EVERYONE)
    chat = town.chat(TALKERS[0], "full").chat_id
    request = wants_in(chat, "f", NOWHERE, certificates.make())
    case = Case(campaign.rpcs["Node/JoinNetwork"], 0, TALKERS[0], (request,), "full")
    ending = await call(campaign.channel(TALKERS[0]), case)
    told = oracle.reason(ending), str(MEMBERS_MAX) in ending.text
    if told != ("GROUP_FULL", True):
        campaign.fault(f"a full chat: {ending}")
