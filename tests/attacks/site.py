"""What is attacked, and by whom: three honest members of #dev, and whoever else reaches them.

An attacker is a key of its own, which anybody can make, and requests as only our own nodes write
them: it knows everything that members know, but for their keys.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from google.rpc import status_pb2
from msgspec import Struct
from msgspec.structs import replace

from node.codec import AskWriter, Seals, method_of
from node.codec.frames import write_hello
from node.core import admission
from node.core import messages as m
from node.core.conversation import ChatMessage, statement
from node.core.types import Epoch, Hlc, Key, Stored, Stream
from node.limits import Limits
from node.rpc.status import refusal_of
from node.trust import keys
from node.trust.certificates import HOST, Tls, authority
from p2pchat.v1 import node_pb2
from tests.e2e.cluster import Cluster
from tests.e2e.programs import OPTIONS
from tests.sealing import Sealer
from tests.waiting import CALL_S, wait_for

HONEST = ("alice", "bob", "carol")
CHAT = "dev"


class Refused(Struct, frozen=True):
    """A definite no: the gRPC code, and the reason where one was given."""

    code: str
    reason: str = ""


def channel(address: str, tls: Tls | None) -> grpc.Channel:
    """A connection as a node makes it, or a plain one; it takes whoever is there for the node."""
    if tls is None:
        return grpc.insecure_channel(address, OPTIONS)
    options = [*OPTIONS, ("grpc.ssl_target_name_override", HOST)]
    credentials = grpc.ssl_channel_credentials(authority(), tls.key_pem, tls.certificate_pem)
    return grpc.secure_channel(address, credentials, options=options)


def call(address: str, tls: Tls | None, request: m.Request, seals: Seals | None = None) -> Any:
    """The reply, or how it was refused.  With `seals` what is said is sealed, and must be."""
    method = method_of(request)
    asks = method.write_request(request, seals)
    with channel(address, tls) as made:
        try:
            answer = made.unary_unary(method.path)(asks, timeout=CALL_S)
        except grpc.RpcError as error:
            return refused(error)
    return method.read_reply(answer, Limits(), request.caller, seals)


def over_link(address: str, tls: Tls | None, request: m.Request, seals: Seals | None = None) -> Any:
    """The same by a link that is opened for it."""
    said = write_hello(()) + AskWriter(seals).write(1, request)
    with channel(address, tls) as made:
        frames = made.stream_stream("/p2pchat.v1.Node/Link")(iter([said]), timeout=CALL_S)
        answers = [one for data in frames for one in node_pb2.Frame.FromString(data).answers]
    (answer,) = answers
    if answer.WhichOneof("reply") != "status":
        return answer
    status = status_pb2.Status.FromString(answer.status)
    refusal = refusal_of(status)
    code = next(one.name for one in grpc.StatusCode if one.value[0] == status.code)
    return Refused(code, refusal.reason if refusal is not None else "")


def refused(error: Any) -> Refused:
    refusal = None
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            refusal = refusal_of(status_pb2.Status.FromString(value))
    return Refused(error.code().name, refusal.reason if refusal is not None else "")


Way: TypeAlias = Callable[[str, Tls | None, m.Request, Seals | None], Any]


class Site:
    """The square that is attacked."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.listen = {name: cluster[name].ask("GetStatus").listen for name in HONEST}
        self.keys = {name: keys.load(cluster[name].home / "default") for name in HONEST}
        self.stranger = keys.make()
        self.id = {name: cluster[name].id(CHAT) for name in HONEST}
        self.chat = int(cluster["alice"].chat(CHAT).chat_id)  # type: ignore[union-attr]
        self.roster, self.view = self._known()
        self._lines = 0

    def _known(self) -> tuple[m.Roster, m.View]:
        """What a member knows."""
        bob, carol = self.keys["bob"], self.keys["carol"]
        request = m.Update(self.caller("carol", self.id["bob"]), m.Roster(), want_roster=True)
        answer = call(self.listen["bob"], carol.tls, request, Sealer(carol, lambda _: bob.card))
        assert isinstance(answer, m.Updated), answer
        return answer.roster, answer.view

    def caller(self, name: str, callee: int = 0) -> m.Caller:
        """That member, calling."""
        return self.caller_of(self.id[name], callee)

    def caller_of(self, member: int, callee: int = 0) -> m.Caller:
        known = getattr(self, "roster", None)
        record = next((r for r in known.members if r.id == member), None) if known else None
        lives = record.incarnation if record is not None else 2**41
        epoch = self.view.epoch if known else Epoch(0, 0)
        return m.Caller(self.chat, member, lives, epoch, callee)

    def seals(self, name: str) -> Sealer:
        """As that member has them."""
        cards = {record.id: record.card for record in self.roster.members}
        return Sealer(self.keys[name], lambda member: cards[member])

    def record(self, name: str) -> m.Member:
        return next(one for one in self.roster.members if one.id == self.id[name])

    def carol_asks(self, request: Any, seals: Seals | None, way: Way = call) -> Any:
        """Carol's connection asks bob, in the life that she has by now.

        Bob may have heard of a higher one from who tried that before: she refutes it in a moment.
        """
        anybody, tls = m.Ping(m.Caller(self.chat, 0, 0, Epoch(0, 0)), None), self.keys["carol"].tls
        answer: Any = None

        def is_heard() -> bool:
            nonlocal answer
            pong = call(self.listen["carol"], tls, anybody)
            caller = replace(request.caller, incarnation=pong.view.incarnation)
            answer = way(self.listen["bob"], tls, replace(request, caller=caller), seals)
            return getattr(answer, "reason", "") != "OLD_INCARNATION"

        wait_for(is_heard, "carol is heard in her own life")
        return answer

    # ---- what a member might say, in its own name ------------------------------------------------

    def line(self, author: int, text: str = "forged") -> ChatMessage:
        key = Key(author, Stream(2**41, 7), 1)
        at = Hlc(2**42, 0)
        return ChatMessage(key, (str(uuid.uuid4()),), (text,), (), at, 1, self.view.epoch)

    def signed(self, message: ChatMessage, by: str) -> ChatMessage:
        """The message, with the signature of a member."""
        fresh = replace(message)
        fresh.sign(self.keys[by].signing.sign(statement(self.chat, message)))
        return fresh

    def requests(self, member: int, to: str) -> dict[str, m.Request]:
        """A call of every kind, as that member, to another."""
        caller, view = self.caller_of(member, self.id[to]), self.view
        record = next((r for r in self.roster.members if r.id == member), None)
        mine = record or self.forged(member, self.stranger)
        higher = replace(view, epoch=Epoch(view.epoch.generation, view.epoch.n + 1), leader=member)
        return {
            "update": m.Update(caller, m.Roster((mine,)), want_roster=True),
            "leave": m.Leave(caller, replace(mine, left=True, card=m.NO_CARD)),
            "ping": m.Ping(caller, view),
            "elect": m.Elect(caller, view),
            "hand over": m.Elect(caller, view, hand_over=True),
            "coordinator": m.Coordinator(caller, higher, provisional=False),
            "tell": m.Tell(caller, self.id[to], (self.line(member),)),
            "relay": m.Tell(caller, self.id["alice"], (self.line(member),)),
            "acks": m.Acks(caller, self.id[to], Stream(1, 1), (Stored(member, 1, 1),)),
            "sync": m.Sync(caller, view, digests=((member, 1),)),
            "read": m.Sync(caller, view, sources=(self.id["alice"],), held=()),
        }

    def forged(self, member: int, own: keys.Keys) -> m.Member:
        """The record of somebody who was let in by nobody."""
        known = self.record("carol")
        return replace(
            known, id=member, identity=own.identity, card=own.card, address="127.0.0.1:9"
        )

    def join(self, own: keys.Keys, **rest: Any) -> m.Join:
        caller = m.Caller(self.chat, 0, 2**41, Epoch(0, 0))
        asked = m.Join(caller, CHAT, own.identity, "mallory", "127.0.0.1:9", 7, card=own.card)
        asked = replace(asked, **rest)
        return replace(asked, word=own.signing.sign(admission.wish(asked)))

    # ---- what must not change --------------------------------------------------------------------

    def state(self) -> dict[str, object]:
        """All that members could tell of the group, one after the other."""
        told: dict[str, object] = {}
        for name in HONEST:
            member = self.cluster[name]
            seen = member.chat(CHAT)
            assert seen is not None
            rows = member.ask("ListMembers", chat=CHAT, all=True).members
            told[name] = (
                [(one.member_id, one.nick, one.address, one.state) for one in rows],
                (seen.leader_id, seen.epoch.generation, seen.epoch.n),
                member.texts(CHAT),
            )
        return told

    def calm(self) -> dict[str, object]:
        """The same once nobody is suspected: a busy machine may keep somebody waiting."""
        found: dict[str, object] = {}

        def is_calm() -> bool:
            found.update(self.state())
            return "'suspect'" not in str(found)

        wait_for(is_calm, "nobody is suspected")
        return found

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Nothing has changed for the honest, and a line of theirs reaches all."""
        before = self.calm()
        yield
        after = self.calm()
        assert after == before, f"before {before}\nafter {after}"
        self._lines += 1
        text = f"all is well {self._lines}"
        self.cluster["bob"].say(CHAT, text)
        for name in HONEST:
            assert self.cluster[name].texts(CHAT)[-1] == text


def build(directory: Path) -> Site:
    """Three members, and a discovery service."""
    cluster = Cluster(directory)
    cluster.nds.start()
    cluster.raise_nodes(*HONEST)
    cluster.gather(CHAT, *HONEST, is_open=False)
    cluster["alice"].run("send", "-c", CHAT, "the secret plan")
    return Site(cluster)
