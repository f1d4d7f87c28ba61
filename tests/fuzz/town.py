"""The processes: a discovery service, three that talk and must not notice, one to be harmed.

    #town   alice, bob, carol; mallory has left it     nobody who calls may be heard
    #pit    alice, bob, carol; mallory has left it     whatever a member may say, and worse
    #den    mallory, carol                             mallory's own faces are hostile

`pit` is dug anew when it has been ruined.  Timing is four times as patient as on a LAN, so that a
busy machine alone deposes nobody; a chat is full with four.
"""

import json
import resource
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from p2pchat.v1 import common_pb2, control_pb2, nds_pb2, nds_pb2_grpc, node_pb2, node_pb2_grpc
from tests.e2e.cluster import Cluster
from tests.e2e.programs import OPTIONS, at_once
from tests.fuzz.callers import Society
from tests.fuzz.messages import SALT_BYTES
from tests.fuzz.values import PASSWORDS, Facts
from tests.waiting import wait_for

TALKERS = ("alice", "bob", "carol")
VICTIM = "mallory"
EVERYONE = (*TALKERS, VICTIM)
MEMBERS_MAX = 4
LOG_MAX = 2_000_000  # more than the honest say however long it takes: at the end all must be there
PAPER = 6  # networks that exist at the discovery service only
NOWHERE = "127.0.0.1:1024"
CALL_S = 10.0
PASSING = {"seenMs", "idle", "acked", "lacking", "downSinceMs", "unread", "mentions", "alive"}
PASSING |= {"fingerprint", "outbox", "pid", "startedMs", "listen", "advertise"}
CHATS_MAX = 5  # of mallory
DEN_LIFE = 200  # returns of mallory until #den is founded anew
FILES = 1_024


class Town:
    """All processes of a campaign, under one directory."""

    def __init__(self, directory: Path) -> None:
        self.cluster = Cluster(directory, insecure=True)
        self.cluster.environment["P2PCHAT_PRESET"] = "wan"
        self.nds_address = ""
        self.listen: dict[str, str] = {}
        self.paper: list[int] = []
        self.spared: set[int] = set()  # town and den: nobody may touch them
        self.pit = ""
        self.pits: list[int] = []  # the numbers of all that were dug
        self.ups = 0  # starts of mallory after somebody stopped it
        self.returns = 0  # of mallory into #den
        self._channels: dict[str, grpc.Channel] = {}

    # ---- building --------------------------------------------------------------------------------

    def build(self) -> None:
        """Starts everything; returns when all are in their chats."""
        with _few_files():
            self._raise()
        self.gather("town", *TALKERS, VICTIM)
        self.cluster[VICTIM].ask("LeaveChat", chat="town")
        self.gather("den", VICTIM, "carol")
        page = self.cluster.nds.ask("GetNetworkInformation")
        self.spared = {one.chat_id for one in page.networks}
        self.dig()
        self.paper = [self._on_paper(f"paper{i}") for i in range(PAPER)]

    def _raise(self) -> None:
        cluster = self.cluster
        cluster.nds.start()
        self.nds_address = cluster.nds.address
        timing = (f"members_max={MEMBERS_MAX}", f"log_max={LOG_MAX}")
        flags = ["--nds", self.nds_address]
        flags += [word for one in timing for word in ("--timing", one)]
        members = [cluster.add(name) for name in EVERYONE]
        at_once(lambda one: one.up("--nick", one.name, *flags), members)
        self.listen = {name: cluster[name].ask("GetStatus").listen for name in EVERYONE}

    def gather(self, chat: str, founder: str, *rest: str) -> None:
        made = self.cluster[founder].ask("CreateChat", name=chat, nds=self.nds_address)
        for name in rest:
            self.cluster[name].ask("JoinChat", line=made.join_line)

    def dig(self) -> None:
        """A new pit, with the same members; the old one is left to itself."""
        old, self.pit = self.pit, f"pit{len(self.pits) + 1}"
        self.gather(self.pit, *TALKERS, VICTIM)
        self.pits.append(self.chat(TALKERS[0], self.pit).chat_id)
        self.cluster[VICTIM].ask("LeaveChat", chat=self.pit)
        if old:
            for name in EVERYONE:
                with suppress(grpc.RpcError):
                    self.cluster[name].ask("LeaveChat", chat=old)

    def _on_paper(self, name: str) -> int:
        stub = nds_pb2_grpc.NodeDiscoveryStub(self.channel(self.nds_address))
        request = nds_pb2.CreateNetworkRequest(
            request_id=str(uuid.uuid4()), name=name, leader_address=NOWHERE
        )
        return int(stub.CreateNetwork(request, timeout=CALL_S).network.chat_id)

    def channel(self, target: str) -> grpc.Channel:
        if target not in self._channels:
            self._channels[target] = grpc.insecure_channel(target, options=OPTIONS)
        return self._channels[target]

    def target(self, server: str) -> str:
        """Where a server is: nds, the port of a member's node, or `control` of the victim."""
        if server == "nds":
            return self.nds_address
        if server == "control":
            return f"unix:{self.cluster[VICTIM].socket}"
        return self.listen[server]

    def pids(self) -> dict[str, int]:
        return {name: self.cluster[name].pid for name in EVERYONE} | {"nds": self.cluster.nds.pid}

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self.cluster.close()

    # ---- what is true ----------------------------------------------------------------------------

    def society(self, chat: str) -> Society:
        """A chat of the talkers, as its members know it."""
        first = self.chat(TALKERS[0], chat)
        lives = {}
        for name in TALKERS:
            seen = self.chat(name, chat)
            anyone = common_pb2.Caller(chat_id=seen.chat_id)
            view = self._node(name, "LivenessPing", "LivenessPing", caller=anyone).view
            lives[seen.member_id] = view.incarnation
        rows = self.cluster[TALKERS[0]].ask("ListMembers", chat=chat, all=True).members
        left = tuple(row.member_id for row in rows if row.state == "left")
        epoch = first.epoch.generation, first.epoch.n
        return Society(first.chat_id, chat, dict(sorted(lives.items())), left, epoch)

    def chat(self, name: str, chat: str) -> control_pb2.Chat:
        """Raises LookupError where the member is not in it."""
        seen = self.cluster[name].chat(chat)
        if seen is None or not seen.member_id:
            raise LookupError(f"{name} is not in #{chat}")
        return seen

    def _node(self, name: str, rpc: str, message: str, **fields: Any) -> Any:
        request = getattr(node_pb2, f"{message}Request")(**fields)
        stub = node_pb2_grpc.NodeStub(self.channel(self.listen[name]))
        return getattr(stub, rpc)(request, timeout=CALL_S)

    def caller(self, known: Society, member: int) -> common_pb2.Caller:
        generation, n = known.epoch
        return common_pb2.Caller(
            chat_id=known.chat,
            node_id=member,
            incarnation=known.members[member],
            epoch=common_pb2.Epoch(generation=generation, n=n),
        )

    def facts(self, known: Society) -> Facts:
        """What the members of a chat know, asked as one of them asks."""
        first, second = TALKERS[:2]
        asker = self.caller(known, self.chat(second, known.name).member_id)
        roster = self._node(
            first, "UpdateMembers", "UpdateMembers", caller=asker, roster={}, want_roster=True
        )
        views = [
            self._node(
                name, "LivenessPing", "LivenessPing", caller=common_pb2.Caller(chat_id=known.chat)
            ).view
            for name in TALKERS
        ]
        sync = self._node(
            first, "Sync", "Sync", caller=asker, view=views[1], sources=list(known.members)
        )
        templates: dict[str, list[Message]] = {
            "p2pchat.v1.MemberRecord": list(roster.roster.members),
            "p2pchat.v1.Roster": [roster.roster],
            "p2pchat.v1.View": views,
            "p2pchat.v1.ChatMessage": list(sync.messages[-20:]),
            "p2pchat.v1.Header": [one.header for one in sync.messages[-20:]],
            "p2pchat.v1.MessageRequest": [
                request_of(one, member) for one in sync.messages[-5:] for member in known.members
            ],
            **PASSWORDS,
        }
        people = {self.cluster[name].keys.identity: self.cluster[name] for name in EVERYONE}
        authors = {one.member_id: people.get(one.identity) for one in roster.roster.members}
        for made in templates["p2pchat.v1.MessageRequest"]:
            if author := authors.get(made.source_id):  # type: ignore[attr-defined]
                author.sign(made, known.chat)  # type: ignore[arg-type]
        return Facts(self._pools(known, views, list(sync.messages[-20:]), roster.roster), templates)

    def _pools(
        self, known: Society, views: list[Any], said: list[Any], roster: Any
    ) -> dict[str, list[Any]]:
        now_ms = time.time_ns() // 1_000_000
        ids = [*known.members, *known.left, known.nobody]
        lives = list(known.members.values())
        member = ("node_id", "member_id", "source_id", "destination_id", "leader_id", "callee_id")
        lists = ("votes", "left_ids", "sources", "handed_over_by")
        addresses = [*(self.listen[name] for name in TALKERS), NOWHERE]
        return {
            "chat_id": [known.chat],
            **dict.fromkeys((*member, *lists), ids),
            "provisional_id": [0, 0, *known.members],
            "incarnation": [*lives, lives[0] + 1],
            "address_incarnation": [*lives, lives[0] + 1],
            "generation": [known.epoch[0]],
            "n": [known.epoch[1], known.epoch[1], known.epoch[1] + 1, known.epoch[1] - 1],
            **dict.fromkeys(("address", "leader_address"), addresses),
            "identity": [one.identity for one in roster.members],
            "name": [known.name],
            **{key: ["alice", "zoe", "b", "x" * 24] for key in ("nick", "value")},
            "msg_id": [*(one.msg_id for one in said), str(uuid.UUID(int=now_ms))],
            "more_ids": [str(uuid.UUID(int=now_ms + n)) for n in range(1, 9)],
            **{key: ["hello", "two\nlines"] for key in ("msg", "more_msgs")},
            "salts": [b"", b"s" * SALT_BYTES],
            "ms": [now_ms, now_ms - 1, now_ms + 1_000, *(one.header.hlc.ms for one in said)],
            **{key: [now_ms] for key in ("sent_ms", "created_ms")},
            **{
                key: [1, 1, 2, 3, *(m.header.seq for m in said)] for key in ("seq", "first", "last")
            },
            "random": [7, 7, 8, *(one.header.stream.random for one in said)],
            "process": [views[0].process ^ 1],
            "roster_hash": [views[0].roster_hash, 1],
            "history_hash": [views[0].history_hash, 1],
            "hash": [b"", bytes(16)],
            "sum": [b"", bytes(128)],
            "protocol": ["", "1.0"],
            "highest_n": [views[0].highest_n, views[0].highest_n + 1],
        }

    def nds_facts(self) -> Facts:
        """What is true at the discovery service, of networks on paper and of the pit."""
        page = self.cluster.nds.ask("GetNetworkInformation", page_size=1_000, include_hidden=True)
        living = [one for one in page.networks if self._is_prey(one)]
        pools: dict[str, list[Any]] = {
            "chat_id": [*(one.chat_id for one in living), *self.paper[-20:]],
            **{key: [one.leader_id for one in living] for key in ("node_id", "leader_id", "votes")},
            **{key: [NOWHERE, *self.listen.values()] for key in ("address", "leader_address")},
            "name": [*(one.name for one in living), "town", *(f"paper{i}" for i in range(40))],
            "Facts.name": [f"paper{i}" for i in range(40)],
            "request_id": [str(uuid.UUID(int=i << 64 | 4 << 76)) for i in range(20)],
            "generation": [one.epoch.generation for one in living],
            "n": [1, 1, 2, 3, *(one.epoch.n for one in living)],
            "nonce": [1, 2, 3],
            "electorate": [0, 1, 3],
            "highest_n": [1, 9, 20],
            "page_size": [0, 1, 2, 1_000],
            "page_token": ["", page.next_page_token],
            "created_ms": [one.created_ms for one in living],
            "mode": [0, 1, 2],
        }
        templates: dict[str, list[Message]] = {
            "p2pchat.v1.Epoch": [one.epoch for one in living],
            "p2pchat.v1.UpdateLeaderRequest": [
                nds_pb2.UpdateLeaderRequest(
                    chat_id=one.chat_id,
                    node_id=one.leader_id + i,
                    address=NOWHERE,
                    expected_epoch=one.epoch,
                    nonce=7 + i,
                )
                for one in living
                for i in (0, 1)
            ],
            "p2pchat.v1.RenewRequest": [
                nds_pb2.RenewRequest(
                    chat_id=one.chat_id, node_id=one.leader_id, address=NOWHERE, epoch=one.epoch
                )
                for one in living
            ],
        }
        return Facts(pools, templates)

    def mend_paper(self) -> None:
        """Networks on paper, in place of those that were deleted."""
        page = self.cluster.nds.ask("GetNetworkInformation", page_size=1_000, include_hidden=True)
        there = sum(one.chat_id in self.paper for one in page.networks)
        for _ in range(PAPER - there):
            self.paper.append(self._on_paper(f"paper-{uuid.uuid4().hex[:8]}"))

    def _is_prey(self, one: Any) -> bool:
        return one.name not in ("town", "den", "full") and one.chat_id not in self.spared

    def control_facts(self) -> Facts:
        """What is true at the victim's control socket."""
        victim = self.cluster[VICTIM]
        lines = victim.ask("ReadHistory", chat="den", count=20).lines
        line = [f"{self.nds_address}/den", f"{self.nds_address}/{self.pit}", "den", self.pit]
        line += [f"{self.listen['alice']}/{self.pit}", f"den@{self.nds_address}"]
        chats = ["den", "#den", "", f"den@{self.nds_address}"]
        return Facts(
            {
                "chat": chats,
                "name": ["den", self.pit, *(f"w{i}" for i in range(6))],
                "nds": ["", self.nds_address, self.nds_address, NOWHERE, self.listen["alice"]],
                "line": line,
                "nick": ["", "mallory", "eve", "x" * 24],
                "text": ["hello", "two\nlines", "x" * 16_384],
                "wait_ms": [1, 20, 100],
                "count": [0, 1, 20, 200],
                "history": [0, 1, 1_000],
                "since_ms": [0, time.time_ns() // 1_000_000 - 5_000],
                **{key: ["", "", *(one.place for one in lines)] for key in ("before", "after")},
                "contains": ["", "hello", "h"],
                "member": ["", "carol", "mallory", "1", "2"],
                "id": ["", *(one.id for one in lines), *(one.msg_id for one in lines)],
                "away": ["", "lunch"],
                "topic": ["", "tea"],
            }
        )

    # ---- what must not change --------------------------------------------------------------------

    def honest_state(self) -> dict[str, Any]:
        """The town, as each of its members and the discovery service have it."""
        found: dict[str, Any] = {}
        for name in TALKERS:
            found[name] = _lasting(MessageToDict(self.chat(name, "town")))
            rows = self.cluster[name].ask("ListMembers", chat="town", all=True).members
            found[f"{name}'s members"] = [_row(row) for row in rows]
        record = self.cluster.nds.network("town")
        found["nds"] = _lasting(MessageToDict(record)) if record is not None else None
        return found

    def nds_state(self) -> dict[str, Any]:
        """Every network but the pits, whose leaders are at work."""
        found, token = {}, ""
        while True:
            page = self.cluster.nds.ask(
                "GetNetworkInformation", page_size=1_000, page_token=token, include_hidden=True
            )
            rows = [one for one in page.networks if one.chat_id not in self.pits]
            rows = [one for one in rows if not one.name.startswith("pit")]  # Being dug.
            found.update({one.name: _lasting(MessageToDict(one)) for one in rows})
            if not (token := page.next_page_token):
                return found

    def control_state(self) -> dict[str, Any]:
        """The victim and its chats."""
        victim = self.cluster[VICTIM]
        status = MessageToDict(victim.ask("GetStatus"))
        found: dict[str, Any] = {}
        status["chats"] = _without_pits(status.get("chats", []))
        for chat in status["chats"]:
            found[f"{chat['name']}: lines"] = chat.get("fingerprint")
        with suppress(grpc.RpcError):  # It may have left.
            rows = victim.ask("ListMembers", chat="den", all=True).members
            found["den"] = [_row(row) for row in rows]
        found["status"] = _lasting(status)
        found["status"].pop("nds", None)  # One of them may be down for a while.
        profile = json.loads((victim.home / victim.profile / "profile.json").read_text())
        found["profile"] = {**profile, "chats": _without_pits(profile["chats"])}
        return found

    # ---- putting right ---------------------------------------------------------------------------

    def await_stop(self) -> None:
        """Somebody has stopped the victim's node: returns when it is gone."""
        victim = self.cluster[VICTIM]
        wait_for(lambda: not victim.is_up(), f"{VICTIM} has stopped")

    def mend_victim(self) -> None:
        """Up again, in #den, and in few others."""
        victim = self.cluster[VICTIM]
        if not victim.is_up():
            victim.up()
            self.ups += 1
            self.listen[VICTIM] = victim.ask("GetStatus").listen
        chats = [one.name for one in victim.ask("GetStatus").chats]
        if len(chats) > CHATS_MAX:
            for name in [name for name in chats if name != "den"][: CHATS_MAX // 2]:
                with suppress(grpc.RpcError):
                    victim.ask("LeaveChat", chat=name)
        if "den" not in chats:
            self.returns += 1
            if self.returns % DEN_LIFE == 0 or not self._are_back():
                self._found_den()  # Its members remember all who have left.

    def _are_back(self) -> bool:
        """Does #den let them in?  Its owner, mallory, may have removed carol, and ended it."""
        try:
            for name in ("carol", VICTIM):
                self.cluster[name].ask("JoinChat", line=f"{self.nds_address}/den")
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED):
                return False
            raise
        return True

    def _found_den(self) -> None:
        with suppress(grpc.RpcError):
            self.cluster["carol"].ask("LeaveChat", chat="den")
        self.gather("den", VICTIM, "carol")
        self.spared.add(self.chat("carol", "den").chat_id)


def request_of(said: Any, to: int) -> Message:
    """A message that was said, on its way to a member once more, as the next of its stream."""
    made = node_pb2.MessageRequest(
        msg_id=str(uuid.uuid5(uuid.NAMESPACE_OID, said.msg_id)),
        source_id=said.source_id,
        destination_id=to,
        msg=said.msg,
        header=said.header,
        more_ids=[str(uuid.uuid5(uuid.NAMESPACE_OID, id)) for id in said.more_ids],
        more_msgs=said.more_msgs,
    )
    made.header.ClearField("signature")  # of what was said before
    made.header.seq += 1
    made.header.hlc.ms += 1
    return made


@contextmanager
def _few_files() -> Iterator[None]:
    """What is started meanwhile may open as many files as an ordinary login lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, FILES), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _without_pits(chats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Others are at work there, and dig a new one at any time."""
    return [one for one in chats if not one["name"].startswith("pit")]


def _lasting(value: Any) -> Any:
    if isinstance(value, list):
        return [_lasting(one) for one in value]
    if isinstance(value, dict):
        return {key: _lasting(one) for key, one in value.items() if key not in PASSING}
    return value


def _row(row: Any) -> tuple[Any, ...]:
    """What of a member lasts; whether it answers at this moment does not."""
    state = "there" if row.state in ("alive", "suspect") else row.state
    return (row.member_id, row.nick, state, row.address, row.leader, row.away, row.identity)
