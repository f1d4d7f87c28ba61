"""A leader that was removed and goes on, with its keys and a program of its own; an owner that was.

What it can do is to answer the discovery service that it leads, to renew, and to claim.
"""

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.access import ClaimKey
from node.core.deciding import Act, Decision, hand_over_statement
from node.core.deciding import statement as decided
from node.core.proving import statement
from node.core.types import Hlc
from node.trust import claims
from node.trust.certificates import Tls, authority
from p2pchat.v1 import common_pb2, node_pb2, node_pb2_grpc
from tests.attacks.site import CHAT, Refused
from tests.attacks.test_registry import NO, Claimed, claim_keys
from tests.e2e.cluster import Cluster
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("attacks")

ALIVE = Refused("FAILED_PRECONDITION", "LEADER_ALIVE")


class Liar(node_pb2_grpc.NodeServicer):
    """Says to everybody that it leads, at whatever epoch it is asked about."""

    def __init__(self, member: int) -> None:
        self.member, self.asked = member, 0

    def LivenessPing(self, request: Any, context: Any) -> Any:
        is_service = request.HasField("asks_leading")
        self.asked += is_service
        epoch = request.asks_leading if is_service else request.view.epoch
        view = common_pb2.View(epoch=epoch, leader_id=self.member)
        return node_pb2.LivenessPingResponse(standing=node_pb2.STANDING_LEADING, view=view)


def answering(tls: Tls, liar: Liar, address: str) -> grpc.Server:
    """The liar, where the node with that key was."""
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    node_pb2_grpc.add_NodeServicer_to_server(liar, server)  # type: ignore[no-untyped-call]
    own = [(tls.key_pem, tls.certificate_pem)]
    credentials = grpc.ssl_server_credentials(own, authority(), require_client_auth=True)

    def is_bound() -> bool:
        try:
            return bool(server.add_secure_port(address, credentials))
        except RuntimeError:
            return False

    wait_for(is_bound, "the port of who was there is free")
    server.start()
    return server


class Throne(Claimed):
    """alice owns the chat, bob is an admin, carol a member; mallory leads, by a lying program."""

    def __init__(self, cluster: Cluster, key: ClaimKey) -> None:
        super().__init__(cluster)
        self.key = key
        self.keys = {name: cluster[name].keys for name in ("alice", "bob", "carol", "mallory")}
        self.id = {name: cluster[name].id(CHAT) for name in ("alice", "bob", "carol", "mallory")}
        self.at = cluster["mallory"].ask("GetStatus").listen
        self.liar = Liar(self.id["mallory"])
        for name in ("alice", "bob", "carol"):
            cluster[name].kill(signal.SIGSTOP)  # They see nothing of the change.
        try:
            cluster["mallory"].kill()
            self._server = answering(self.keys["mallory"].tls, self.liar, self.at)
        finally:
            for name in ("alice", "bob", "carol"):
                cluster[name].kill(signal.SIGCONT)
        self._ends = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True)
        self._renewing.start()

    def close(self) -> None:
        self._ends.set()
        self._renewing.join(WAIT_S)
        self._server.stop(0)

    def _renew(self) -> None:
        while not self._ends.wait(0.5):
            self.renewed()

    def renewed(self) -> Any:
        """mallory's sign of life, with the key that it has."""
        known = self.claim(self.id["mallory"], address=self.at)
        renew = m.Renew(known.chat, known.node, self.epoch, self.at, False, known.facts)
        tls = self.keys["mallory"].tls
        return self.ask(self.signed(renew, self.key, tls), tls)

    def claimed(self, by: str, key: ClaimKey, **rest: Any) -> Any:
        """That member's claim on what stands in the record."""
        self.record = self.read()
        tls, owner = self.keys[by].tls, self.keys["alice"].identity
        claim = self.claim(self.id[by], address=self.at, owner=owner, **rest)
        return self.ask(self.signed(claim, key, tls), tls)

    def decided(self, by: str, act: Act, whom: str, key: str = "", chat: int = 0) -> Decision:
        """That, signed by one who may say what it likes."""
        person = self.keys[whom].identity
        one = Decision(self.id[by], act, Hlc(1, 0), self.id[whom], person)
        said = decided(chat or self.record.chat_id, one)
        return replace(one, signature=self.keys[key or by].signing.sign(said))


@pytest.fixture
def throne(tmp_path: Path) -> Iterator[Throne]:
    cluster = Cluster(tmp_path)
    made = None
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice", "mallory", "bob", "carol")
        cluster.gather(CHAT, "alice", "mallory", "bob", "carol")
        cluster["alice"].run("op", "-c", CHAT, "bob")
        cluster["alice"].down()
        mallory = cluster["mallory"].id(CHAT)
        wait_for(lambda: cluster.nds.network(CHAT).leader_id == mallory, "mallory leads")  # type: ignore[union-attr]
        wait_for(lambda: not cluster["alice"].is_up(), "alice's node has ended")
        key = claim_keys(cluster["alice"])[-1]
        cluster["alice"].up()
        cluster.settled(CHAT, "alice", "mallory", "bob", "carol")
        made = Throne(cluster, key)
        yield made
    finally:
        if made is not None:
            made.close()
        cluster.close()


@pytest.mark.parametrize("by", ["alice", "bob"])
def test_a_removed_leader_that_lies_loses_the_network_to_the_members(
    throne: Throne, by: str
) -> None:
    """The owner removes it, or an admin does; it goes on to say that it leads, and to renew."""
    cluster, mallory = throne.cluster, throne.id["mallory"]
    assert throne.read().leader_id == mallory
    cluster[by].run("kick", "-c", CHAT, "mallory")
    wait_for(lambda: throne.read().leader_id != mallory, "the members' claim counts")
    leader = cluster.leader(CHAT, "alice", "bob", "carol")
    assert throne.read().leader_id == leader.member
    old = claims.public(throne.key.secret)
    wait_for(lambda: throne.read().claim_key != old, "there is another claim key")
    assert throne.renewed() == NO
    assert throne.claimed("mallory", throne.key) == NO
    victor = cluster.add("victor")
    line = cluster["carol"].row("invite", "-c", CHAT)["join"]
    victor.run("join", line, "--no-ui", "--nick", "victor")
    cluster["bob"].run("send", "-c", CHAT, "mallory is gone")
    wait_for(lambda: "mallory is gone" in victor.texts(CHAT), "a newcomer hears it")
    assert throne.read().leader_id == leader.member


WRONG: dict[str, Callable[[Throne], tuple[Decision, ...]]] = {
    "none": lambda t: (),
    "forged": lambda t: (t.decided("alice", Act.KICK, "mallory", key="carol"),),
    "of another chat": lambda t: (t.decided("alice", Act.KICK, "mallory", chat=7),),
    "by somebody who is no admin": lambda t: (t.decided("carol", Act.KICK, "mallory"),),
    "by an admin who was made one by nobody": lambda t: (
        t.decided("carol", Act.OP, "carol"),
        t.decided("carol", Act.KICK, "mallory"),
    ),
    "of another member": lambda t: (t.decided("alice", Act.KICK, "bob"),),
    "bent to the leader": lambda t: (
        replace(t.decided("alice", Act.KICK, "bob"), whom=t.id["mallory"]),
    ),
}


def test_a_removal_that_does_not_hold_takes_nobody_s_place(throne: Throne) -> None:
    """Also where who claims is a member, and has the claim key."""
    key = throne.key
    for name in ("alice", "bob", "carol"):
        throne.cluster[name].kill()
    before = throne.read()
    for how, made in WRONG.items():
        asked = throne.liar.asked
        assert throne.claimed("carol", key, removals=made(throne)) == ALIVE, how
        assert throne.liar.asked == asked + 1, how
        after = throne.read()
        after.seen_ms = before.seen_ms
        assert after == before, how
    good = throne.decided("alice", Act.KICK, "mallory")
    owner = throne.keys["alice"].identity
    unproved = throne.claim(throne.id["carol"], removals=(good,), owner=owner)
    assert throne.ask(unproved, throne.keys["carol"].tls) == NO, "a removal is no proof"
    won = throne.claimed("carol", key, removals=(good,))
    assert isinstance(won, m.Granted), won
    renewed = throne.renewed()
    assert isinstance(renewed, m.RecordRead)
    assert renewed.record.leader == throne.id["carol"], "whoever renews is told who leads now"


def renewed(cluster: Cluster) -> None:
    """Whoever leads has told the service so once more."""
    heard_ms = cluster.nds.network(CHAT).seen_ms  # type: ignore[union-attr]
    wait_for(lambda: cluster.nds.network(CHAT).seen_ms > heard_ms, "the leader renews")  # type: ignore[union-attr]


def registered_owner(cluster: Cluster) -> bytes:
    """The last of those that the service has written down."""
    with closing(sqlite3.connect(cluster.nds.store)) as db:
        ((owners,),) = db.execute("select owner from network").fetchall()
    return bytes(owners[-32:])


def test_a_new_owner_speaks_at_the_service_and_the_one_before_no_more(tmp_path: Path) -> None:
    """Without the claim key; and nobody makes itself the owner there by a hand-over of its own."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice", "bob", "carol")
        cluster.gather(CHAT, "alice", "bob", "carol")
        owner = cluster["alice"].keys, cluster["bob"].keys, cluster["carol"].keys
        alice, bob, carol = owner
        cluster["alice"].run("owner", "-c", CHAT, "bob")
        renewed(cluster)
        renewed(cluster)  # This one was begun after the hand-over.
        for name in ("alice", "bob", "carol"):
            cluster[name].kill()
        seen = Claimed(cluster)

        def claimed(by: Any, *handovers: m.HandedOver) -> Any:
            claim = replace(seen.claim(seen.record.leader_id), handovers=handovers)
            proof = by.signing.sign(statement(claim, by.card.certificate))
            return seen.ask(replace(claim, proofs=(m.Proof(by.identity, proof),)), by.tls)

        def handing(by: Any, to: Any, signs: Any, chat: int = seen.record.chat_id) -> m.HandedOver:
            said = signs.signing.sign(hand_over_statement(chat, to.identity))
            return m.HandedOver(by.identity, to.identity, said)

        assert claimed(alice) == NO
        assert claimed(alice, handing(bob, alice, alice)) == NO
        assert claimed(alice, handing(alice, bob, alice)) == NO
        assert claimed(carol, handing(bob, carol, carol)) == NO
        assert claimed(carol, handing(bob, carol, bob, 7)) == NO
        assert claimed(carol, handing(alice, carol, alice)) == NO, "it is not alice's any more"
        assert isinstance(claimed(bob), m.Granted)
        cluster.nds.end()
        assert registered_owner(cluster) == bob.identity
    finally:
        cluster.close()
