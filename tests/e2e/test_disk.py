"""Disks that are full, fail, or can only be read: real processes, on small disks of their own."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from node.errors import OTHER
from tests.e2e.cluster import Cluster
from tests.e2e.disks import full, remount, small_disk
from tests.e2e.programs import Member
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("processes")

NAMES = ("alice", "bob", "carol")
LONG = "x" * 15_000


@pytest.fixture(params=["full", "failing"])
def mounted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[bool]:
    """alice's home may be on a small disk; else her files have a limit, which is an I/O error."""
    if request.param == "failing":
        yield False
        return
    with small_disk(tmp_path / "alice") as is_mounted:
        yield is_mounted


@pytest.fixture
def faces(three: Cluster) -> Iterator[ExitStack]:
    """What watches a node ends when its node does."""
    with ExitStack() as stack:
        stack.callback(three.close)
        yield stack


@pytest.fixture
def three(mounted: bool, cluster: Cluster) -> Cluster:
    del mounted  # alice's disk is there before her node
    cluster.raise_nodes(*NAMES)
    cluster.gather("dev", *NAMES)
    cluster.settled("dev", *NAMES)
    return cluster


def fill_up(member: Member) -> tuple[list[str], "subprocess.CompletedProcess[str]"]:
    """Says lines until one is refused: those that were stored, and what the refusal said."""
    stored: list[str] = []
    for number in range(100):
        text = f"{number} {LONG}"
        done = member.run("send", "-c", "dev", "--wait", "none", text, code=None)
        if done.returncode:
            return stored, done
        stored.append(text)
    raise AssertionError("the disk takes everything")


def test_a_leader_whose_disk_is_full_is_replaced_and_comes_back_with_everything(
    three: Cluster, mounted: bool, faces: ExitStack
) -> None:
    alice, bob = three["alice"], three["bob"]
    before = three.leader("dev", *NAMES)
    assert alice.id("dev") == before.member
    reason = "DISK_FULL" if mounted else "DISK_FAILED"
    watch = faces.enter_context(alice.start("watch", "--json", "-c", "dev"))
    line = faces.enter_context(alice.start("--plain", stdin=subprocess.PIPE))
    bob.post("dev", "before")
    wait_for(lambda: "before" in alice.texts("dev"), "alice has what bob said")
    with full(alice, mounted=mounted):
        stored, refused = fill_up(alice)
        assert refused.returncode == OTHER
        assert ("The disk is full" if mounted else "The disk fails") in refused.stderr
        three.leader("dev", "bob", "carol")
        assert alice.texts("dev") == ["before", *stored], "what is there can be read"
        assert "x" in alice.run("tail", "-c", "dev", "-n", "1").stdout
        status = alice.run("status")
        assert "#dev is stalled here: The disk" in status.stderr
        assert json.loads(alice.run("status", "--json").stdout)["problems"]
        assert "#dev is stalled: disk f" in alice.run("leader", "-c", "dev", code=5).stdout
        assert "?/3  stalled: disk f" in status.stdout
        assert "stalled (you)" in alice.run("members", "-c", "dev").stdout
        assert "!!  #dev" in alice.run("doctor", code=1).stdout
        for verb in (("nick", "al"), ("leave", "dev")):
            if verb[0] == "leave":
                assert alice.run(*verb, code=OTHER).stderr.count("The disk") == 1
        bob.post("dev", "without her")
    three.settled("dev", *NAMES)
    assert alice.run("status").stderr == ""
    texts = ["before", *stored, "without her"]
    after = three.agree("dev", *NAMES, texts=texts)
    assert after.epoch > before.epoch
    assert after.member != alice.id("dev")
    assert alice.row("send", "-c", "dev", "after")["acked"] == 2
    three.agree("dev", *NAMES, texts=[*texts, "after"])
    alice.down()
    out, _ = line.communicate(timeout=WAIT_S)
    assert out.count("-- error: #dev is stalled here") == 1, out
    assert out.count("#dev goes on here") == 1, out
    events = [json.loads(row) for row in watch.communicate(timeout=WAIT_S)[0].splitlines()]
    assert [row["reason"] for row in events if row["type"] == "error"] == [reason]
    assert [row["change"] for row in events if row["type"] == "chat"][:2] == [
        "stalled",
        "resumed",
    ]


def test_a_member_killed_on_a_full_disk_has_all_that_it_acknowledged(
    tmp_path: Path, cluster: Cluster
) -> None:
    with small_disk(tmp_path / "alice") as mounted:
        cluster.raise_nodes("alice", "carol")
        cluster.gather("dev", "alice", "carol")
        _dies_on_a_full_disk(cluster, mounted)


def _dies_on_a_full_disk(cluster: Cluster, mounted: bool) -> None:
    alice, carol = cluster["alice"], cluster["carol"]
    with full(alice, mounted=mounted):
        stored, _ = fill_up(alice)
        alice.kill()
        carol.post("dev", "she is dead")
        if mounted:  # What starts on a full disk says so, or shows what there is.
            up = alice.run("up", code=None)
            assert "Traceback" not in up.stderr
            if up.returncode == 0:
                alice.pid = json.loads(alice.run("status", "--json").stdout)["pid"]
                stored += fill_up(alice)[0]  # Moving the log into its file may have made room.
                wait_for(lambda: alice.ask("GetStatus").problems, "it says what is wrong")
            else:
                assert "The disk is full" in up.stderr
    if not alice.is_up():
        alice.up()
    cluster.agree("dev", "alice", "carol", texts=[*stored, "she is dead"])


def test_a_disk_that_can_only_be_read_is_said_and_nothing_is_lost(
    tmp_path: Path, cluster: Cluster
) -> None:
    with small_disk(tmp_path / "alice") as is_mounted:
        cluster.raise_nodes("alice", "carol")
        cluster.gather("dev", "alice", "carol")
        alice = cluster["alice"]
        alice.down()
        alice.up("--durability", "power")
        assert alice.row("status")["durability"] == "power"
        alice.run("send", "-c", "dev", "before")
        alice.kill()
        if is_mounted:
            remount(alice.home, "ro")
            refused = alice.run("up", code=OTHER)
            assert "The disk can only be read" in refused.stderr
            found = alice.run("doctor", code=OTHER).stdout
            assert f"!!  disk         the disk of {alice.home}" in found
            assert "can only be read, so chats stall: make it writable" in found
            remount(alice.home, "rw")
        alice.up()
        assert "durability power" in alice.run("status").stdout  # as it was
        alice.down()
        alice.up("--durability", "process")
        assert "durability process" in alice.run("status").stdout
        cluster.agree("dev", "alice", "carol", texts=["before"])
