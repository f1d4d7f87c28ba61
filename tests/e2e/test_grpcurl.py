"""Every call of every service with the real grpcurl, by reflection, and what comes of it."""

import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.core import vetting
from p2pchat.v1 import control_pb2, nds_pb2, node_pb2
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.grpcurl import GRPCURL, Calls, Reply, Request, call, changed
from tests.waiting import wait_for

pytestmark = [
    pytest.mark.xdist_group("members"),
    pytest.mark.skipif(not GRPCURL.exists(), reason="grpcurl is packaged for one platform only"),
]

PAPER = "127.0.0.1:50061"  # where a leader lives that exists on paper only


class Tried:
    """Calls of one service; remembers which were made, so that none is forgotten."""

    def __init__(self, service: str, where: str | Path) -> None:
        self.service, self.where = service, where
        self.made: set[str] = set()

    def __call__(self, method: str, *, at: str | Path = "", wait_s: float = 15, **request: object):  # type: ignore[no-untyped-def]
        self.made.add(method)
        return call(at or self.where, f"{self.service}/{method}", request, wait_s=wait_s)

    def check(self, module: object) -> None:
        """Every method of the service has been called."""
        service = module.DESCRIPTOR.services_by_name[self.service]  # type: ignore[attr-defined]
        assert self.made == {method.name for method in service.methods}


@pytest.fixture
def wire(plain: Cluster) -> Iterator[Cluster]:
    """The plain square, all of it in #wire too."""
    plain.gather("wire", *SQUARE)
    yield plain
    for name in SQUARE:
        if plain[name].is_up() and plain[name].chat("wire"):
            plain[name].ask("LeaveChat", chat="wire")


def test_every_call_of_node_discovery(plain: Cluster) -> None:
    nds = Tried("NodeDiscovery", plain.nds.address)
    request = str(uuid.uuid4())
    made = nds("CreateNetwork", request_id=request, name="paper", leader_address=PAPER).answer
    again = nds("CreateNetwork", request_id=request, name="paper", leader_address=PAPER).answer
    assert made == again, "the same request gets the same answer"
    chat, leader = made["network"]["chat_id"], made["network"]["leader_id"]
    assert (made["ids"]["first"], made["ids"]["count"]) == (leader, 8)

    listed = nds("GetNetworkInformation").answer["networks"]
    assert [one["name"] for one in listed] == ["dev", "ops", "paper"]
    page = nds("GetNetworkInformation", page_size=2).answer
    assert [one["name"] for one in page["networks"]] == ["dev", "ops"]
    rest = nds("GetNetworkInformation", page_size=2, page_token=page["next_page_token"]).answer
    assert [one["name"] for one in rest["networks"]] == ["paper"]
    (by_number,) = nds("GetNetworkInformation", chat_id=chat).answer["networks"]
    assert by_number["name"] == "paper"

    epoch, place = by_number["epoch"], {"chat_id": chat, "node_id": leader, "address": PAPER}
    renewed = nds("Renew", **place, epoch=epoch, want_ids=True).answer
    assert int(renewed["ids"]["first"]) == int(leader) + 8
    claim = {**place, "node_id": int(leader) + 1, "expected_epoch": epoch, "nonce": 7}
    won = nds("UpdateLeader", **claim).answer["network"]
    assert int(won["epoch"]["n"]) == int(epoch["n"]) + 1
    assert nds("UpdateLeader", **claim).answer["network"]["epoch"] == won["epoch"]
    late = nds("UpdateLeader", **{**claim, "nonce": 8})
    assert (late.code, late.reason) == ("FAILED_PRECONDITION", "STALE_EPOCH")

    watched = nds("WatchNetworks", wait_s=1)
    assert watched.code == "DEADLINE_EXCEEDED"
    assert {one["network"]["name"] for one in watched.answers if "network" in one} == {
        "dev", "ops", "paper"
    }  # fmt: skip
    assert watched.answers[-1] == {"caught_up": True}

    assert nds("DeleteNetwork", chat_id=chat, epoch=won["epoch"]).answer == {}
    gone = nds("GetNetworkInformation", name="paper")
    assert (gone.code, gone.reason) == ("NOT_FOUND", "UNKNOWN_NETWORK")
    nds.check(nds_pb2)
    plain.agree("dev", *SQUARE)


def test_a_chat_is_not_claimed_away_by_who_has_not_its_claim_key(plain: Cluster) -> None:
    before = plain.leader("dev", *SQUARE)
    record = plain.nds.network("dev")
    assert record is not None
    epoch = {"generation": str(record.epoch.generation), "n": str(record.epoch.n)}
    claim = {"chat_id": str(record.chat_id), "node_id": 999, "address": PAPER, "nonce": 9}
    refused = call(
        plain.nds.address, "NodeDiscovery/UpdateLeader", {**claim, "expected_epoch": epoch}
    )
    assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "WRONG_CLAIM_KEY")
    assert refused.facts is not None
    assert refused.facts["leader_id"] == str(before.member)
    assert plain.agree("dev", *SQUARE) == before


def test_every_call_of_node(wire: Cluster) -> None:
    zoe = wire.members.get("zoe") or wire.add("zoe")
    zoe.run("join", f"{wire.nds.address}/wire", "--nick", "zoe")
    five = (*SQUARE, "zoe")
    calls = Calls(wire, "wire", *five)
    node = Tried("Node", calls.listen["alice"])
    before = wire.settled("wire", *five)

    pong = node("LivenessPing", **calls.ping("bob")).answer
    assert (pong["standing"], pong["reached"]) == ("STANDING_LEADING", True)
    pong = node("LivenessPing", at=calls.listen["dan"], **calls.ping("bob")).answer
    assert pong["standing"] == "STANDING_NOT_LEADING"
    pong = node("LivenessPing", **calls.ping("bob"), destination_id=calls.ids["carol"]).answer
    assert pong["reached"] is True, "alice has pinged carol for bob"
    epoch = calls.network["epoch"]
    caller = {"chat_id": calls.network["chat_id"]}
    pong = node("LivenessPing", caller=caller, asks_leading=epoch).answer
    assert pong["standing"] == "STANDING_LEADING"

    members = calls.roster("bob", "alice")["members"]
    node.made.add("UpdateMembers")
    assert [int(one["member_id"]) for one in members] == sorted(calls.ids.values())
    again = node("JoinNetwork", **calls.join("bob", calls.record("bob", "alice"))).answer
    assert int(again["member_id"]) == calls.ids["bob"], "an identity that is in keeps its id"
    assert len(again["roster"]["members"]) == 5

    vote = node("Election", **calls.ping("bob")).answer
    assert (vote["vote"], vote.get("ok")) == ("VOTE_LEADING", True)
    assert "stale" not in node("Coordinator", at=calls.listen["bob"], **calls.ping("alice")).answer

    direct = calls.message("bob", "alice", "said by hand", "and more")
    told = node("Message", **direct).answer
    assert (told["receipt"], int(told["node_id"])) == ("RECEIPT_STORED", calls.ids["alice"])
    assert node("Message", **direct).answer == told, "shown once, acknowledged again"
    passed = node("Message", **calls.message("bob", "carol", "passed on", seq=2)).answer
    assert passed["receipt"] in ("RECEIPT_STORED", "RECEIPT_RELAYING")
    spread = {**calls.message("bob", "alice", "spread", seq=3), "pass_on": [calls.ids["carol"]]}
    assert node("Message", **spread).answer["receipt"] == "RECEIPT_STORED"
    said = ["said by hand", "and more", "passed on", "spread"]
    _wait_history(wire, said)
    _is_not_taken(calls, node)
    stored = [{"member_id": calls.ids["carol"], "first": 1, "last": 9}]
    stream = spread["header"]["stream"]
    acks = {"caller": calls.caller("bob"), "source_id": calls.ids["alice"], "stream": stream}
    assert node("Acknowledge", **acks, stored=stored).answer == {}, "of what was never said"

    differ = node("Sync", **calls.ping("bob")).answer
    assert [int(source) for source in differ["sources"]] == [calls.ids["bob"]]
    page = node("Sync", **calls.ping("bob"), sources=differ["sources"]).answer
    texts = [(one["msg"], *one.get("more_msgs", ())) for one in page["messages"]]
    assert texts == [tuple(said[:2]), *((text,) for text in said[2:])]

    hello, *frames = node("Link", asks=[{"id": 7, "ping": calls.ping("bob")}]).answers
    assert calls.listen["alice"] in hello["hello"]["addresses"]
    (answer,) = [one for frame in (hello, *frames) for one in frame.get("answers", ())]
    assert (answer["id"], answer["ping"]["standing"]) == ("7", "STANDING_LEADING")

    _leaves_by_hand(wire, calls, node)
    node.check(node_pb2)
    assert wire.agree("wire", *SQUARE, texts=said) == before


def _is_not_taken(calls: Calls, node: Tried) -> None:
    """What its author has not signed, or not so."""
    fresh = calls.message("bob", "alice", "never signed", "at all", seq=4)
    forged = {**fresh, "source_id": calls.ids["carol"]}
    for wrong in (
        changed(fresh, "header.signature", None),
        changed(fresh, "msg", "signed otherwise"),
        changed(fresh, "more_msgs.0", "signed otherwise"),
        changed(fresh, "header.sent_ms", 7),
        calls.signed(fresh, "carol"),
        forged,
        calls.signed(forged, "bob"),
    ):
        refused = node("Message", **wrong)
        assert (refused.code, refused.reason) == ("PERMISSION_DENIED", "WRONG_SIGNATURE"), wrong


def _leaves_by_hand(wire: Cluster, calls: Calls, node: Tried) -> None:
    """Zoe's process has ended, and never comes back: somebody says good-bye for her."""
    record: Request = calls.record("zoe", "alice")
    caller = calls.caller("zoe")
    wire["zoe"].down()
    unsigned = node("LeaveNetwork", caller=caller, record={**record, "left": True})
    assert (unsigned.code, unsigned.reason) == ("PERMISSION_DENIED", "WRONG_SIGNATURE")
    said = vetting.statement(int(caller["chat_id"]), calls.ids["zoe"])
    word = b64encode(wire["zoe"].keys.signing.sign(said)).decode()
    record = {**record, "left": True, "farewell": word}
    noted = node("LeaveNetwork", caller=caller, record=record).answer
    assert int(noted["view"]["leader_id"]) == calls.ids["alice"]
    again: Reply = node("LivenessPing", caller=caller)
    assert (again.code, again.reason) == ("PERMISSION_DENIED", "LEFT")
    wait_for(lambda: "zoe" not in wire["dan"].states("wire"), "zoe has left")


def _wait_history(wire: Cluster, texts: list[str]) -> None:
    wait_for(lambda: all(wire[name].texts("wire") == texts for name in SQUARE), "all have it")


def test_every_call_of_control(square: Cluster) -> None:
    bob, control = square["bob"], Tried("Control", square["alice"].socket)
    erin = square.members.get("erin") or square.add("erin")
    erin.up("--nick", "erin")
    texts = square["alice"].texts("dev")
    assert control("GetStatus").answer["pid"] == square["alice"].pid
    made = control("CreateChat", name="desk", nds=square.nds.address).answer
    line = made["join_line"]
    assert line.startswith(f"{square.nds.address}/desk#")
    invited = control("Invite", chat="desk", once=True, expires_s=60).answer
    assert (invited["through"], invited["once"]) == ("nds", True)
    assert control("RevokeInvite", chat="desk", id=invited["id"]).answer == {}
    listed = control("ListInvites", chat="desk").answer
    rows = listed["invites"]
    assert [row["state"] for row in rows] == ["revoked", "good"]
    assert rows[0]["expires_ms"] == invited["expires_ms"]
    key = {"salt": "A" * 22 + "==", "log_n": 15, "r": 8, "p": 1, "seed": "A" * 43 + "="}
    assert "password" not in listed
    assert control("SetPassword", chat="desk", password=key).answer == {}
    assert control("ListInvites", chat="desk").answer["password"] is True
    asked = control("JoinChat", at=bob.socket, line=line.partition("#")[0], by_password=True)
    assert (asked.code, asked.reason) == ("PERMISSION_DENIED", "NEEDS_PASSWORD")
    assert control("SetPassword", chat="desk").answer == {}
    assert control("JoinChat", at=bob.socket, line=line).answer["nick"] == "bob"
    assert control("JoinChat", at=bob.socket, line=line).answer["already"] is True
    rows = control("ListNetworks").answer["networks"]
    assert [(row["name"], row["state"]) for row in rows] == [
        ("desk", "member"), ("dev", "member"), ("ops", "member")
    ]  # fmt: skip
    members = control("ListMembers", chat="#desk").answer["members"]
    assert [row["nick"] for row in members] == ["alice", "bob"]

    sent = control("Send", chat="desk", text="by hand").answers
    assert (sent[-1]["acked"], sent[-1]["of"], sent[-1]["complete"]) == (1, 1, True)
    (shown,) = control("ReadHistory", chat="desk", at=bob.socket).answer["lines"]
    assert (shown["text"], shown["nick"]) == ("by hand", "alice")
    watched = control("Watch", chat="desk", history=5, wait_s=1)
    assert watched.code == "DEADLINE_EXCEEDED"
    assert [one["message"]["text"] for one in watched.answers] == ["by hand"]
    traced = control("TraceMessage", chat="desk", id=sent[0]["msg_id"][:8]).answer
    assert [(row["nick"], row["state"]) for row in traced["rows"]] == [("bob", "acked")]
    assert control("GetUnread", chat="desk", at=bob.socket).answer == {"unread": 1}
    edited = control("Edit", chat="desk", text="by both hands").answer["line"]
    assert (edited["text"], edited["edited"]) == ("by both hands", True)
    gone = control("Redact", chat="desk", id=edited["msg_id"]).answer["line"]
    assert (gone["erased"], gone["redacted_by"], "text" in gone) == (True, "alice", False)
    assert control("Redact", chat="desk", at=bob.socket).reason == "UNKNOWN_MESSAGE"
    assert control("MarkRead", chat="desk", at=bob.socket).answer == {}
    assert control("GetUnread", chat="desk", at=bob.socket).answer == {}
    assert control("CheckHistory", chat="desk").answer["same"] is True
    assert control("ListQueue").answer == {}

    assert control("GetLeader", chat="desk", at=bob.socket).answer["nick"] == "alice"
    assert {row["nick"] for row in control("ListPeers", chat="desk").answer["peers"]} == {"bob"}
    (pinged,) = control("PingMembers", chat="desk", member="bob").answer["rows"]
    assert pinged["answered"] is True
    outcome = control("StartElection", chat="desk", at=bob.socket).answer["outcome"]
    assert "alice (id 1) answers and stays leader" in outcome
    control("ListElections", chat="desk", at=bob.socket)
    (last,) = control("ListCalls", count=1).answer["calls"]
    assert last["method"].startswith("p2pchat.v1.")

    assert control("SetNick", chat="desk", nick="al", at=bob.socket).answer == {"nick": "al"}
    assert control("SetAway", chat="desk", away="lunch", at=bob.socket).answer == {}
    assert control("SetTopic", chat="desk", topic="by hand").answer == {}
    assert control("Decide", chat="desk", act="ACT_OP", member="al").answer == {"nick": "al"}
    wait_for(
        lambda: (
            [
                (row["nick"], row.get("away"))
                for row in control("ListMembers", chat="desk").answer["members"]
            ]
            == [("alice", None), ("al", "lunch")]
        ),
        "alice sees bob's new name",
    )
    roles = [row["role"] for row in control("ListMembers", chat="desk").answer["members"]]
    assert roles == ["owner", "admin"]
    assert all(row.get("ok") for row in control("Diagnose").answer["rows"])

    assert control("LeaveChat", chat="desk").answer == {"told": 1}
    assert control("LeaveChat", chat="desk", at=bob.socket).answer == {"deleted": True}
    assert control("StopNode", at=erin.socket).answer == {"pid": erin.pid}
    wait_for(lambda: not erin.is_up(), "erin's node has ended")
    control.check(control_pb2)
    square.agree("dev", *SQUARE, texts=texts)
