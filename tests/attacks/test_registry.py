"""A discovery service that is not the one that it was, or lies; and whoever talks to a real one."""

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from msgspec.structs import replace

from nds.certificates import Tls as NdsTls
from nds.record import Epoch as NdsEpoch
from nds.record import IdBlock
from nds.service.grants import Grants
from node.archive import SqliteArchive
from node.codec import NDS_METHODS, Create
from node.core import messages as m
from node.core.access import ClaimKey
from node.core.proving import statement
from node.core.reasons import Reason
from node.core.types import Epoch
from node.limits import NUMBER_MAX
from node.trust import claims, keys
from node.trust.certificates import Tls, authority, make, renewed
from p2pchat.v1 import common_pb2, nds_pb2, nds_pb2_grpc
from tests.attacks.site import CALL_S, CHAT, Refused, Site, channel, refused
from tests.e2e.cluster import Cluster
from tests.e2e.programs import Member
from tests.nds.test_record import TEA
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("attacks")


def listening(tls: Tls, handlers: object, address: str = "127.0.0.1:0") -> tuple[grpc.Server, str]:
    """A server with that key, and its address."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    nds_pb2_grpc.add_NodeDiscoveryServicer_to_server(handlers, server)  # type: ignore[arg-type]
    own = [(tls.key_pem, tls.certificate_pem)]
    credentials = grpc.ssl_server_credentials(own, authority(), require_client_auth=True)
    port = server.add_secure_port(address, credentials)
    server.start()
    return server, f"127.0.0.1:{port}"


class Liar(nds_pb2_grpc.NodeDiscoveryServicer):
    """Says of every chat that it is led at an address of its own."""

    def __init__(self, leads: str, chat: int) -> None:
        self._leads, self._chat = leads, chat

    def GetNetworkInformation(self, request, context):  # type: ignore[no-untyped-def]
        network = nds_pb2.NetworkInformation(
            chat_id=self._chat,
            name=CHAT,
            leader_id=1_795_000_000_000_001,
            leader_address=self._leads,
            epoch=common_pb2.Epoch(generation=1_795_000_000, n=1),
            mode=common_pb2.MODE_LOGGED,
        )
        return nds_pb2.GetNetworkInformationResponse(networks=[network])


@pytest.fixture
def false_leader(tmp_path: Path) -> Iterator[Cluster]:
    """Somebody who leads a chat of the same name, and lets in whoever asks."""
    cluster = Cluster(tmp_path)
    cluster.nds.start()
    cluster.add("mallory").up("--nick", "mallory", "--nds", cluster.nds.address)
    cluster["mallory"].run("create", CHAT, "--open")
    yield cluster
    cluster.close()


def test_a_discovery_service_that_names_a_false_leader_leads_nobody_to_it(
    site: Site, false_leader: Cluster
) -> None:
    """The false one lets everybody in; but it does not know what stands after the #."""
    chat = int(false_leader["mallory"].chat(CHAT).chat_id)  # type: ignore[union-attr]
    at = false_leader["mallory"].ask("GetStatus").listen
    server, address = listening(make(), Liar(at, chat))
    line = site.cluster["alice"].row("invite", "-c", CHAT)["join"]
    victim = site.cluster.add("victor")
    try:
        with site.unharmed():
            lured = f"{address}/{CHAT}#{line.rpartition('#')[2][:32]}"
            told = victim.run("join", lured, "--no-ui", "--nick", "victor", code=7)
            assert "does not know what stands after the #" in str(told)
    finally:
        server.stop(0)
        victim.down()


def test_a_line_takes_no_other_service_at_its_address(site: Site, false_leader: Cluster) -> None:
    """Whoever answers there has another key than the line says: it is told nothing, and stays
    unknown; also where its key is the one that was known until now.
    """
    nds = false_leader.nds.address
    victim = site.cluster.add("vera")
    known = victim.home / "default" / "known_nds"
    whole = site.cluster["alice"].row("invite", "-c", CHAT)["join"].rpartition("#")[2]
    opened = site.cluster["bob"].row("create", "meadow", "--open")["join"]
    assert len(whole) == 48
    assert opened.rpartition("#")[2] == whole[32:]
    try:
        with site.unharmed():
            for mark in (whole, whole[32:]):
                told = victim.run("join", f"{nds}/{CHAT}#{mark}", "--no-ui", code=7)
                assert f"Who answers at {nds} is not the NDS that the line is for" in told.stderr
                assert nds not in (known.read_text() if known.exists() else "")
            victim.up("--nick", "vera")
            victim.run("list", "--nds", nds)
            (before,) = known.read_text().splitlines()
            victim.run("join", f"{nds}/{CHAT}#{whole}", "--no-ui", code=7)
            assert known.read_text().splitlines() == [before]
        victim.run("join", opened, "--no-ui")
        assert site.cluster.nds.address in known.read_text()
        victim.run("leave", "meadow")
    finally:
        victim.down()
        site.cluster["bob"].run("leave", "meadow")


def test_another_service_at_the_same_address_is_not_spoken_to(tmp_path: Path) -> None:
    """It has the same store, and another key; the chat goes on without it.  Who has never spoken to
    the right one does not take it for that either.
    """
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice", "bob")
        cluster.gather(CHAT, "alice", "bob")
        cluster.nds.end()
        key = next(tmp_path.glob("nds.pem"))
        shutil.move(key, key.with_name("kept"))
        cluster.nds.start()
        alice = cluster["alice"]

        def said(to: str = "alice") -> str:
            rows = cluster[to].rows("doctor", code=None)
            return next(str(row["text"]) for row in rows if str(row["check"]).startswith("NDS"))

        wait_for(lambda: "shows another key" in said(), "alice sees the other key")
        assert "remove its line from" in said()
        alice.run("send", "-c", CHAT, "we go on")
        assert "shows another key" in str(alice.run("create", "other", code=4))
        line, vera = alice.row("invite", "-c", CHAT)["join"], cluster.add("vera")
        assert not line.startswith(f"{cluster.nds.address}/")
        told = vera.run("join", line, "--no-ui", code=7).stderr
        assert f"who answers at {cluster.nds.address} is not the NDS of its members" in told
        cluster.nds.end()
        vera.run("join", line, "--no-ui")
        cluster.nds.start()
        vera.run("send", "-c", CHAT, "--wait=all", "and so do I")
        wait_for(lambda: "not the NDS of its members" in said("vera"), "vera sees the other key")
        assert not (vera.home / "default" / "known_nds").exists()
        cluster.nds.end()
        key.unlink()
        shutil.move(key.with_name("kept"), key)
        cluster.nds.start()
        wait_for(lambda: "answers in" in said(), "the old key is spoken to again")
        alice.run("create", "other")
    finally:
        cluster.close()


@pytest.mark.parametrize("who", ["plain", "stranger"])
def test_who_may_ask_a_discovery_service(site: Site, who: str) -> None:
    """Whoever has a certificate may look; plain connections get nothing."""
    tls = None if who == "plain" else make()
    with channel(site.cluster.nds.address, tls) as made:
        stub = nds_pb2_grpc.NodeDiscoveryStub(made)
        request = nds_pb2.GetNetworkInformationRequest(name=CHAT)
        if who == "plain":
            with pytest.raises(grpc.RpcError) as caught:
                stub.GetNetworkInformation(request, timeout=CALL_S)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        else:
            (found,) = stub.GetNetworkInformation(request, timeout=CALL_S).networks
            assert found.name == CHAT


# ---- claims ------------------------------------------------------------------------------------

NO = Refused("PERMISSION_DENIED", "WRONG_CLAIM_KEY")


class Claimed:
    """A chat whose nodes are all gone, and what who attacks it can know and do."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.address = cluster, cluster.nds.address
        self.record = self.read()

    def read(self) -> nds_pb2.NetworkInformation:
        found = self.cluster.nds.network(CHAT)
        assert found is not None
        return found

    @property
    def epoch(self) -> Epoch:
        epoch = self.record.epoch
        return Epoch(epoch.generation, epoch.n)

    def claim(self, node: int, **rest: Any) -> m.Claim:
        """By that member; it knows all that there is to know, but for keys."""
        known = self.record
        facts = m.Facts(
            CHAT, known.mode, known.created_ms, self.epoch, known.leader_id,
            known.leader_address, 99,
        )  # fmt: skip
        made = m.Claim(known.chat_id, node, "127.0.0.1:6666", self.epoch, 7, (), 0, False, facts)
        return replace(made, **rest)

    def ask(self, request: m.NdsRequest | Create, tls: Tls) -> Any:
        """The reply, or how it was refused."""
        method = NDS_METHODS[type(request)]
        with channel(self.address, tls) as made:
            call = made.unary_unary(method.path)
            try:
                answer = call(method.write_request(request), timeout=CALL_S)
            except grpc.RpcError as error:
                return refused(error)
        return method.read_reply(answer)

    def signed(self, request: Any, key: ClaimKey, tls: Tls) -> Any:
        """With that claim key, for a connection that proves the certificate of `tls`."""
        shows = keys.make(tls).card.certificate
        signature = claims.sign(key.secret, statement(request, shows))
        return replace(request, proofs=(m.Proof(claims.public(key.secret), signature),))


def claim_keys(member: Member) -> tuple[ClaimKey, ...]:
    """What a member has on its disk, as it would read it."""
    (log,) = (member.home / "default" / "chats").glob("*.db")
    archive = SqliteArchive(log, member.keys.log_key)
    try:
        return archive.load().roster.claim_keys
    finally:
        archive.close()


@pytest.fixture
def claimed(tmp_path: Path) -> Iterator[Claimed]:
    """carol has left; then the machines of alice and bob went down."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice", "bob", "carol")
        cluster.gather(CHAT, "alice", "bob", "carol")
        before = cluster.nds.network(CHAT).claim_key  # type: ignore[union-attr]
        cluster["carol"].run("leave", CHAT)
        wait_for(lambda: cluster.nds.network(CHAT).claim_key != before, "there is a new key")  # type: ignore[union-attr]
        for name in ("alice", "bob", "carol"):
            cluster[name].kill()
        yield Claimed(cluster)
    finally:
        cluster.close()


def test_nobody_claims_a_chat_whose_leader_is_silent_but_its_members(claimed: Claimed) -> None:
    """Neither an outsider, nor who has left, nor who has seen a member's claim."""
    cluster, mallory = claimed.cluster, make()
    carol, bob = (cluster[name].keys for name in ("carol", "bob"))
    (old,), bobs = claim_keys(cluster["carol"]), claim_keys(cluster["bob"])
    assert bobs[0] == old
    assert claims.public(bobs[-1].secret) == claimed.record.claim_key
    stranger = ClaimKey(9, b"9" * 32, 0)
    claim, leader = claimed.claim(666), claimed.record.leader_id
    renew = m.Renew(claim.chat, leader, claimed.epoch, claim.address, True, claim.facts)
    forged = replace(claim.facts, epoch=Epoch(claimed.epoch.generation, 99), leader=666)
    attempts = [
        ("an outsider without proof", claim, mallory),
        ("an outsider with a key of its own", claimed.signed(claim, stranger, mallory), mallory),
        ("an outsider who registers it", claimed.signed(
            replace(claim, claim_key=claims.public(stranger.secret)), stranger, mallory), mallory),
        ("an outsider who knows better", replace(claim, facts=forged), mallory),
        ("an outsider in the leader's name", renew, mallory),
        ("an outsider who ends it", m.Delete(claim.chat, claimed.epoch), mallory),
        ("who has left", claimed.signed(claim, old, carol.tls), carol.tls),
        ("who has left, as its leader", claimed.signed(renew, old, carol.tls), carol.tls),
        ("who has left, to end it", claimed.signed(
            m.Delete(claim.chat, claimed.epoch), old, carol.tls), carol.tls),
        ("a member's claim on another connection", claimed.signed(
            claim, bobs[-1], bob.tls), mallory),
    ]  # fmt: skip
    for who, request, tls in attempts:
        assert claimed.ask(request, tls) == NO, who
        assert claimed.read() == claimed.record, who
    mine = claimed.signed(replace(claim, node=leader + 1), bobs[-1], bob.tls)
    won = claimed.ask(mine, bob.tls)
    assert isinstance(won, m.Granted)
    assert won.record.epoch.n == claimed.epoch.n + 1
    assert claimed.ask(replace(mine, nonce=8), bob.tls) == NO, "a signature is for one nonce"
    assert claimed.ask(mine, mallory) == NO, "nor is its answer told to others"
    for name in ("alice", "bob"):
        cluster[name].up()
    cluster.leader(CHAT, "alice", "bob")
    cluster["alice"].run("send", "-c", CHAT, "we are back")
    assert claimed.read().leader_id != 666


def test_who_has_the_claim_key_takes_nothing_from_a_leader_that_answers(tmp_path: Path) -> None:
    """Not in its name either: neither its place, nor by having it sought where nobody is."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice", "bob")
        cluster.gather(CHAT, "alice", "bob")
        cluster["bob"].kill()
        claimed = Claimed(cluster)
        key, bob = claim_keys(cluster["bob"])[-1], cluster["bob"].keys.tls
        assert claims.public(key.secret) == claimed.record.claim_key
        leader = claimed.record.leader_id
        claim = claimed.claim(leader)
        renew = m.Renew(claim.chat, leader, claimed.epoch, claim.address, True, claim.facts)
        lies = [
            (request, reason)
            for epoch in never_issued(claimed.epoch)
            for facts in (replace(claim.facts, epoch=epoch, leader_address=claim.address),)
            for request, reason in (
                (replace(claim, expected=epoch, facts=facts), Reason.LEADER_ALIVE),
                (replace(claim, facts=facts), Reason.LEADER_ALIVE),
                (replace(renew, facts=facts), Reason.NOT_LEADER),
                (m.Delete(claim.chat, epoch), Reason.LEADER_ALIVE),
            )
        ]
        for request, reason in (
            (renew, Reason.NOT_LEADER),
            (claim, Reason.LEADER_ALIVE),
            (replace(claim, node=leader + 1), Reason.LEADER_ALIVE),
            (m.Delete(claim.chat, claimed.epoch), Reason.LEADER_ALIVE),
            *lies,
        ):
            refusal = claimed.ask(claimed.signed(request, key, bob), bob)
            assert (refusal.reason, claimed.read().epoch) == (reason, claimed.record.epoch)
            assert claimed.read().leader_address == claimed.record.leader_address
        made = Create("00000000-0000-4000-8000-00000000000e", CHAT, "127.0.0.1:6666")
        assert claimed.ask(made, bob).reason == "NAME_TAKEN"
        cluster["alice"].run("send", "-c", CHAT, "--wait", "none", "still here")
        cluster["bob"].up()
        assert not cluster.settled(CHAT, "alice", "bob").provisional
    finally:
        cluster.close()


def never_issued(epoch: Epoch) -> tuple[Epoch, ...]:
    """Epochs after this one: the last that nodes can read, and one of almost an hour ahead."""
    return Epoch(epoch.generation, NUMBER_MAX), Epoch(epoch.generation + 3_500, 1)


def test_what_an_outsider_makes_of_a_chat_of_its_own_harms_no_other(tmp_path: Path) -> None:
    """Lists can be read, and a service that starts again has nothing to wait for."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice")
        cluster["alice"].run("create", CHAT)
        claimed, own, mallory = Claimed(cluster), ClaimKey(1, b"m" * 32, 0), make()
        for number, epoch in enumerate(never_issued(claimed.epoch)):
            bait, key = f"00000000-0000-4000-8000-{number:012}", claims.public(own.secret)
            made = Create(bait, f"bait{number}", "127.0.0.1:6666", claim_key=key)
            record = claimed.ask(made, mallory).network.record
            facts = m.Facts(record.name, 1, 0, epoch, record.leader, "127.0.0.1:6666", 999_991)
            mine = m.Renew(record.chat, record.leader, epoch, record.address, True, facts)
            for request in (
                mine,
                replace(mine, epoch=record.epoch, facts=replace(facts, epoch=record.epoch)),
                m.Delete(record.chat, epoch),
                m.Claim(record.chat, 666, "127.0.0.1:6666", epoch, 7, (), 0, False, facts),
                m.Claim(record.chat, 666, "127.0.0.1:6666", record.epoch, 7, (), 0, False, facts),
            ):
                claimed.ask(claimed.signed(request, own, mallory), mallory)
        cluster.nds.end()
        started = time.monotonic()
        cluster.nds.start()
        assert time.monotonic() - started < WAIT_S / 2
        listed = {str(row["chat"]) for row in cluster["alice"].rows("list")}
        assert listed == {CHAT, "bait0", "bait1"}
        found = cluster.nds.ask("GetNetworkInformation").networks
        assert max(one.epoch.generation for one in found) <= time.time()
    finally:
        cluster.close()


def test_the_owner_claims_when_the_claim_key_is_lost(claimed: Claimed) -> None:
    """As when a store of long ago was put back: nobody has the key that stands in it."""
    cluster = claimed.cluster
    alice = cluster["alice"].keys
    claim = claimed.claim(claimed.record.leader_id)
    said = statement(claim, alice.card.certificate)
    for owner, works in ((cluster["bob"].keys, False), (alice, True)):
        proof = m.Proof(owner.identity, owner.signing.sign(said))
        outcome = claimed.ask(replace(claim, proofs=(proof,)), alice.tls)
        assert isinstance(outcome, m.Granted) if works else outcome == NO


def test_the_service_calls_no_privileged_port(claimed: Claimed) -> None:
    """Whoever calls from this machine may have it call any other; `tests/nds/test_reach.py` has who
    comes from elsewhere.
    """
    with socket.create_server(("127.0.0.1", 0)) as heard:
        heard.settimeout(3.0)
        mine = nds_pb2.CreateNetworkRequest(
            request_id="00000000-0000-4000-8000-00000000000f",
            name="scanner",
            leader_address="127.0.0.1:22",
        )
        with channel(claimed.address, make()) as made:
            stub = nds_pb2_grpc.NodeDiscoveryStub(made)
            with pytest.raises(grpc.RpcError) as caught:
                stub.CreateNetwork(mine, timeout=CALL_S)
            assert "port 1024 to 65535" in caught.value.details()
            mine.leader_address = f"127.0.0.1:{heard.getsockname()[1]}"
            stub.CreateNetwork(mine, timeout=CALL_S)
        heard.accept()[0].close()


# ---- a service that forgets, or lies -----------------------------------------------------------


def test_a_wiped_service_gives_a_chat_to_nobody_but_its_members(tmp_path: Path) -> None:
    """An outsider who comes first knows all that was listed, and has a grant that it has seen."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice", "bob")
        cluster.gather(CHAT, "alice", "bob")
        seen = Claimed(cluster)
        for name in ("alice", "bob"):
            cluster[name].kill()
        cluster.nds.end()
        cluster.nds.wipe()
        cluster.nds.start()
        mallory, own = make(), ClaimKey(1, b"m" * 32, 0)
        grant = m.Grant(
            seen.record.grant.certificate_hash,
            seen.record.grant.signature,
            seen.record.grant.claim_key,
        )
        claim = seen.claim(666, claim_key=claims.public(own.secret))
        for facts, said in (
            (claim.facts, Refused("NOT_FOUND", "UNKNOWN_NETWORK")),
            (replace(claim.facts, grant=grant), NO),
        ):
            request = seen.signed(replace(claim, facts=facts), own, mallory)
            assert seen.ask(request, mallory) == said
            assert cluster.nds.network(CHAT) is None
        for name in ("alice", "bob"):
            cluster[name].up()
        cluster.settled(CHAT, "alice", "bob")
        back = cluster.nds.network(CHAT)
        assert back is not None
        assert back.chat_id == seen.record.chat_id
        assert back.claim_key == seen.record.claim_key
        assert seen.ask(seen.signed(seen.claim(666), own, mallory), mallory) == NO
    finally:
        cluster.close()


class Faithless(nds_pb2_grpc.NodeDiscoveryServicer):
    """Has the key of the true service, and says of every chat that an outsider leads it now."""

    def __init__(self, true: nds_pb2.NetworkInformation, leads: str, leader: int) -> None:
        self.asked = 0
        self._false = nds_pb2.NetworkInformation()
        self._false.CopyFrom(true)
        self._false.epoch.n += 1
        self._false.leader_id, self._false.leader_address = leader, leads

    def GetNetworkInformation(self, request, context):  # type: ignore[no-untyped-def]
        self.asked += 1
        return nds_pb2.GetNetworkInformationResponse(networks=[self._false])

    def Renew(self, request, context):  # type: ignore[no-untyped-def]
        self.asked += 1
        return nds_pb2.RenewResponse(network=self._false)


@pytest.mark.parametrize("whom", ["an outsider", "who has left"])
def test_a_lying_service_makes_nobody_leader_whom_members_would_follow(
    tmp_path: Path, whom: str
) -> None:
    """They call nobody there, and talk on; once it is honest again one of them leads."""
    cluster = Cluster(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as outside:
        try:
            cluster.nds.start()
            cluster.raise_nodes("alice", "bob", "carol")
            cluster.gather(CHAT, "alice", "bob", "carol")
            leader = cluster["carol"].id(CHAT) if whom == "who has left" else 1_795_000_000_000_999
            cluster["carol"].run("leave", CHAT)
            true = cluster.nds.network(CHAT)
            assert true is not None
            cluster.nds.end()
            key = renewed((tmp_path / "nds.pem").read_bytes())
            leads = f"127.0.0.1:{outside.getsockname()[1]}"
            liar = Faithless(true, leads, leader)
            server, _ = listening(key, liar, cluster.nds.address)
            try:
                wait_for(lambda: liar.asked > 4, "the lie is told")
                cluster["alice"].run("send", "-c", CHAT, "we talk on")
                wait_for(lambda: "we talk on" in cluster["bob"].texts(CHAT), "bob hears alice")
                outside.settimeout(2.0)
                with pytest.raises(TimeoutError):
                    outside.accept()
            finally:
                server.stop(0)
            cluster.nds.start()
            cluster.settled(CHAT, "alice", "bob")
        finally:
            cluster.close()


class Generous(nds_pb2_grpc.NodeDiscoveryServicer):
    """Has the key of the true service, and grants whatever is claimed, with these ids."""

    def __init__(self, tls: Tls, true: nds_pb2.NetworkInformation, ids: IdBlock) -> None:
        self._grants = Grants(NdsTls(tls.key_pem, tls.certificate_pem))
        self._true, self._ids = true, ids

    def _told(self, leader: int, address: str, context: Any) -> dict[str, Any]:
        known, shown = self._true, context.auth_context()["x509_pem_cert"][0]
        known.leader_id, known.leader_address = leader, address
        record = replace(
            TEA,
            chat=known.chat_id,
            epoch=NdsEpoch(known.epoch.generation, known.epoch.n),
            leader=leader,
            certificate=ssl.PEM_cert_to_DER_cert(shown.decode()),
            claim_key=known.claim_key,
        )
        known.grant.CopyFrom(self._grants.of(record))
        return {"network": known, "ids": self._grants.ids(record, self._ids)}

    def GetNetworkInformation(self, request, context):  # type: ignore[no-untyped-def]
        return nds_pb2.GetNetworkInformationResponse(networks=[self._true])

    def UpdateLeader(self, request, context):  # type: ignore[no-untyped-def]
        self._true.epoch.n += 1
        told = self._told(request.node_id, request.address, context)
        return nds_pb2.UpdateLeaderResponse(**told)

    def Renew(self, request, context):  # type: ignore[no-untyped-def]
        return nds_pb2.RenewResponse(**self._told(request.node_id, request.address, context))


def is_leader(member: Member) -> bool:
    chat = member.chat(CHAT)
    return chat is not None and chat.leader_nick == member.name and not chat.provisional


def test_a_service_that_grants_ids_of_others_stops_newcomers_at_worst(tmp_path: Path) -> None:
    """Those that members have, and those that come before the founder's."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice")
        cluster.gather(CHAT, "alice")
        true, alice = cluster.nds.network(CHAT), cluster["alice"]
        assert true is not None
        ids = IdBlock(alice.id(CHAT) - 3, 4)
        alice.kill()
        cluster.nds.end()
        key = renewed((tmp_path / "nds.pem").read_bytes())
        liar = Generous(key, true, ids)
        server, _ = listening(key, liar, cluster.nds.address)
        try:
            alice.up()
            wait_for(lambda: is_leader(alice), "the liar made alice leader")
            line = alice.row("invite", "-c", CHAT)["join"]
            told = cluster.add("guest").run("join", line, "--no-ui", "--nick", "guest", code=None)
            assert told.returncode != 0
            assert "no member ids left" in str(told)
            alice.run("send", "-c", CHAT, "I talk on")
        finally:
            server.stop(0)
        cluster.nds.start()
        wait_for(lambda: is_leader(alice), "alice leads")
        cluster["guest"].run("join", line, "--no-ui", "--nick", "guest")
    finally:
        cluster.close()


def test_a_dead_service_stops_newcomers_at_worst(tmp_path: Path) -> None:
    """The chat goes on, and elects who leads for now; nobody is let in by that one."""
    cluster = Cluster(tmp_path)
    try:
        cluster.nds.start()
        cluster.raise_nodes("alice", "bob", "carol")
        cluster.gather(CHAT, "alice", "bob", "carol")
        line = cluster["bob"].row("invite", "-c", CHAT)["join"]
        cluster.nds.end()
        cluster["alice"].kill()

        def leads_for_now() -> bool:
            told = [cluster[name].leading(CHAT) for name in ("bob", "carol")]
            return all(one is not None and one.provisional for one in told)

        wait_for(leads_for_now, "one leads for now")
        cluster["carol"].run("send", "-c", CHAT, "still here")
        wait_for(lambda: "still here" in cluster["bob"].texts(CHAT), "bob hears carol")
        victor = cluster.add("victor")
        victor.run("join", line, "--no-ui", "--nick", "victor", code=4)
        cluster.nds.start()
        cluster.settled(CHAT, "bob", "carol", absent=1)
    finally:
        cluster.close()
