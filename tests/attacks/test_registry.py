"""A discovery service that is not the one that it was, or lies; and whoever talks to a real one."""

import shutil
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from node.trust.certificates import Tls, authority, make
from p2pchat.v1 import common_pb2, nds_pb2, nds_pb2_grpc
from tests.attacks.site import CHAT, Site, channel
from tests.e2e.cluster import Cluster
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("attacks")


def listening(tls: Tls, handlers: object) -> tuple[grpc.Server, str]:
    """A server with a key of its own, and its address."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    nds_pb2_grpc.add_NodeDiscoveryServicer_to_server(handlers, server)  # type: ignore[arg-type]
    own = [(tls.key_pem, tls.certificate_pem)]
    credentials = grpc.ssl_server_credentials(own, authority(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
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
            lured = f"{address}/{CHAT}#{line.rpartition('#')[2]}"
            told = victim.run("join", lured, "--no-ui", "--nick", "victor", code=7)
            assert "does not know what stands after the #" in str(told)
    finally:
        server.stop(0)
        victim.down()


def test_another_service_at_the_same_address_is_not_spoken_to(tmp_path: Path) -> None:
    """It has the same store, and another key; the chat goes on without it."""
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

        def said() -> str:
            rows = alice.rows("doctor", code=None)
            return next(str(row["text"]) for row in rows if str(row["check"]).startswith("NDS"))

        wait_for(lambda: "shows another key" in said(), "alice sees the other key")
        assert "remove its line from" in said()
        alice.run("send", "-c", CHAT, "we go on")
        assert "shows another key" in str(alice.run("create", "other", code=4))
        cluster.nds.end()
        key.unlink()
        shutil.move(key.with_name("kept"), key)
        cluster.nds.start()
        wait_for(lambda: "answers in" in said(), "the old key is spoken to again", 20)
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
                stub.GetNetworkInformation(request, timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        else:
            (found,) = stub.GetNetworkInformation(request, timeout=5).networks
            assert found.name == CHAT
