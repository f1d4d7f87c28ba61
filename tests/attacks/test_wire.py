"""Somebody on the wire, who sees every byte between nodes and service."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.gates import Gate

pytestmark = pytest.mark.xdist_group("attacks")

CHAT, TEXT, NICK = "rendezvous", "the password of the vault is", "ermintrude"


class Tap(Gate):
    """A gate that keeps what passes."""

    def __init__(self, target: str = "") -> None:
        self.seen = bytearray()
        super().__init__(target)

    def note(self, data: bytes) -> None:
        self.seen += data


@pytest.fixture
def tapped(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[bytearray]:
    """All that was on the wire while two people met, and talked."""
    insecure = bool(request.param)
    with ExitStack() as stack:
        cluster = Cluster(tmp_path, insecure=insecure)
        stack.callback(cluster.close)
        cluster.nds.start()
        nds = stack.enter_context(Tap(cluster.nds.address))
        taps = {name: stack.enter_context(Tap()) for name in ("one", "two")}
        for name, tap in taps.items():
            member = cluster.add(name)
            nick = NICK if name == "two" else name
            member.up("--nick", nick, "--nds", nds.address, "--advertise", tap.address)
            tap.target = member.ask("GetStatus").listen
        line = cluster["one"].row("create", CHAT)["join"]
        cluster["two"].run("join", line, "--no-ui")
        for n in range(20):
            cluster["two"].run("send", "-c", CHAT, f"{TEXT} {n}")
        assert cluster["one"].texts(CHAT)[-1] == f"{TEXT} 19"
        yield nds.seen + taps["one"].seen + taps["two"].seen


@pytest.mark.parametrize("tapped", [False], indirect=True)
def test_a_capture_of_a_busy_chat_holds_no_text_nick_or_name(tapped: bytearray) -> None:
    assert len(tapped) > 20_000, "the wire was tapped"
    for secret in (CHAT, TEXT, NICK, "vault"):
        assert secret.encode() not in tapped


@pytest.mark.parametrize("tapped", [True], indirect=True)
def test_without_security_it_would(tapped: bytearray) -> None:
    """So that the test above can fail."""
    assert all(secret.encode() in tapped for secret in (CHAT, TEXT, NICK))
