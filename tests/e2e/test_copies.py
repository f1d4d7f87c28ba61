"""Copies of a profile: put back from an old backup, or running twice; and logs that are damaged."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE

import pytest
from msgspec.structs import replace

from node.archive.rows import VERSION
from node.archive.sqlite import SqliteArchive
from node.core.effects import StoreRoster
from node.core.messages import NO_CARD
from node.errors import NO_PEER, OTHER
from tests.e2e.cluster import Cluster
from tests.e2e.programs import Member
from tests.logs import key_of, looked_into
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("processes")

NAMES = ("alice", "bob", "carol")
SOCKETS = shutil.ignore_patterns("*.sock")


@pytest.fixture
def three(cluster: Cluster) -> Cluster:
    cluster.raise_nodes(*NAMES)
    cluster.gather("dev", *NAMES)
    cluster.settled("dev", *NAMES)
    return cluster


@pytest.fixture
def two(cluster: Cluster) -> Cluster:
    cluster.raise_nodes("alice", "carol")
    cluster.gather("dev", "alice", "carol")
    return cluster


@pytest.fixture
def faces(cluster: Cluster) -> Iterator[ExitStack]:
    """What watches a node ends when its node does."""
    with ExitStack() as stack:
        stack.callback(cluster.close)
        yield stack


def keys(member: Member) -> list[tuple[int, int, int, int, str]]:
    """(source, incarnation, random, seq, texts) of all that its log holds."""
    (log,) = (member.home / member.profile / "chats").glob("*.db")
    base = looked_into(log, key_of(member.home / member.profile))
    try:
        query = "SELECT source, incarnation, random, seq, texts FROM message ORDER BY arrival"
        return list(base.execute(query))
    finally:
        base.close()


def make_older(member: Member) -> None:
    """Its profile becomes one of before there were certificates."""
    home = member.home / member.profile
    (log,) = (home / "chats").glob("*.db")
    archive = SqliteArchive(log, key_of(home))
    roster = archive.load().roster
    plain = tuple(replace(one, card=NO_CARD) for one in roster.members)
    archive.append([StoreRoster(replace(roster, members=plain))])
    archive.close()
    for name in ("tls.pem", "seal.key"):
        (home / name).unlink()


def check_numbers(*members: Member) -> None:
    """No number was given to two messages, whoever holds them."""
    said: dict[tuple[int, ...], str] = {}
    for member in members:
        for *key, texts in keys(member):
            assert said.setdefault(tuple(key), texts) == texts, f"{key} is two messages"


@pytest.mark.parametrize("who", ["alice", "carol"], ids=["leader", "member"])
def test_an_old_backup_loses_nothing_and_gives_no_number_again(three: Cluster, who: str) -> None:
    member = three[who]
    rest = [name for name in NAMES if name != who]
    member.run("send", "-c", "dev", "before the backup")
    three.settled("dev", *NAMES)
    for name in rest:
        three[name].kill()
    member.post("dev", "on its way when the backup was made")
    member.kill()
    backup = three.directory / "backup"
    shutil.copytree(member.home, backup, ignore=SOCKETS)
    for name in (who, *rest):
        three[name].up()
    three.settled("dev", *NAMES)
    for number in range(5):
        member.run("send", "-c", "dev", f"after the backup {number}")
    three[rest[0]].run("send", "-c", "dev", "of another")
    id = member.id("dev")
    member.kill()
    shutil.rmtree(member.home)
    shutil.copytree(backup, member.home, ignore=SOCKETS)
    member.up()
    member.run("send", "-c", "dev", "in the new life")
    three.settled("dev", *NAMES)
    texts = [
        "before the backup",
        "on its way when the backup was made",
        *(f"after the backup {number}" for number in range(5)),
        "of another",
        "in the new life",
    ]
    three.agree("dev", *NAMES, texts=texts)
    assert member.id("dev") == id
    check_numbers(*(three[name] for name in NAMES))


def test_a_profile_that_runs_twice_is_one_life_at_a_time(three: Cluster, faces: ExitStack) -> None:
    carol = three["carol"]
    carol.run("send", "-c", "dev", "before")
    id = carol.id("dev")
    carol.down()
    clone = three.add("clone")
    shutil.rmtree(clone.home)
    shutil.copytree(carol.home, clone.home, ignore=SOCKETS)
    carol.up()
    three.settled("dev", *NAMES)
    clone.up()
    both = (carol, clone)
    lines = {one.name: faces.enter_context(one.start("--plain", stdin=PIPE)) for one in both}
    first = wait_for(lambda: next((one for one in both if stopped(one)), None), "one has stopped")
    other = clone if first is carol else carol
    (problem,) = first.ask("GetStatus").problems
    assert "another process runs with this profile's identity" in problem
    assert problem in first.run("status").stderr
    assert problem in first.run("up").stderr
    refused = first.run("send", "-c", "dev", "as the same person", code=OTHER)
    assert "another process" in refused.stderr
    three.settled("dev", "alice", "bob", other.name)
    assert other.id("dev") == id
    other.run("send", "-c", "dev", "by the one")
    assert not stopped(other)
    other.down()
    again = first.run("join", f"{three.nds.address}/dev", "--no-ui")
    assert "you are in #dev" in again.stdout
    three.settled("dev", "alice", "bob", first.name)
    first.run("send", "-c", "dev", "by the other")
    three.agree("dev", "alice", "bob", first.name, texts=["before", "by the one", "by the other"])
    assert first.id("dev") == id
    assert first.run("status").stderr == ""
    check_numbers(three["alice"], carol, clone)
    first.down()
    told = {name: "".join(face.communicate(timeout=WAIT_S)) for name, face in lines.items()}
    assert told[first.name].count("another process runs with this profile's identity") == 1, told
    assert "another process" not in told[other.name]


def stopped(member: Member) -> bool:
    """Whether it knows of another life of itself."""
    return any("another process" in text for text in member.ask("GetStatus").problems)


def test_the_clone_of_a_leader_who_is_alone_is_found_out_too(cluster: Cluster) -> None:
    cluster.raise_nodes("alice")
    cluster.gather("dev", "alice")
    alice = cluster["alice"]
    alice.run("send", "-c", "dev", "alone")
    alice.down()
    clone = cluster.add("clone")
    shutil.rmtree(clone.home)
    shutil.copytree(alice.home, clone.home, ignore=SOCKETS)
    alice.up()
    cluster.settled("dev", "alice")
    clone.up()

    both = (alice, clone)
    first = wait_for(lambda: next((one for one in both if stopped(one)), None), "one has stopped")
    other = clone if first is alice else alice
    assert other.run("send", "-c", "dev", "still here").returncode == 0
    assert not stopped(other)
    _, n = cluster.leader("dev", other.name).epoch
    assert n < 10, "the two took turns in leading"


def spoil(log: Path, how: str) -> bytes:
    """Damages a closed log; what it holds then."""
    if how == "newer":
        base = looked_into(log, key_of(log.parent.parent), "rw")
        base.execute(f"PRAGMA user_version = {VERSION + 1}")
        base.close()
    else:
        whole = log.read_bytes()
        log.write_bytes(whole[:4096] + b"\xa5" * 4096 + whole[8192:])
    return log.read_bytes()


@pytest.mark.parametrize("how", ["damaged", "newer"])
def test_a_log_that_cannot_be_gone_on_with_is_said_everywhere_and_left_alone(
    two: Cluster, faces: ExitStack, how: str
) -> None:
    carol = two["carol"]
    carol.run("send", "-c", "dev", "before")
    id = carol.id("dev")
    carol.down()
    (log,) = (carol.home / "default" / "chats").glob("*.db")
    assert carol.run("doctor", code=NO_PEER).stdout.count("sound: 1 line in") == 1
    good = log.read_bytes()
    spoilt = spoil(log, how)
    word = "Update this one" if how == "newer" else "Bring it back from a backup"
    offline = carol.run("doctor", code=OTHER)
    assert word in offline.stdout
    assert {row["check"]: row["ok"] for row in carol.rows("doctor", code=OTHER)} == {
        "node": False,
        "log of #dev": False,
        "disk": True,
    }
    up = carol.run("up")
    carol.pid = carol.ask("GetStatus").pid
    assert word in up.stderr
    assert word in carol.run("status").stderr
    assert word in carol.run("doctor", code=OTHER).stdout
    for verb in (
        ["send", "-c", "dev", "no"],
        ["tail", "-c", "dev"],
        ["members", "-c", "dev"],
        ["leave", "dev"],
        ["join", f"{two.nds.address}/dev", "--no-ui"],
        ["watch", "-c", "dev"],
    )[: 6 if how == "damaged" else 2]:
        refused = carol.run(*verb, code=OTHER)
        assert word in refused.stderr, verb
    line = faces.enter_context(carol.start("--plain", stdin=PIPE))
    out, err = line.communicate("hello\n", timeout=WAIT_S)
    assert word in out + err
    carol.down()
    assert log.read_bytes() == spoilt
    if how == "newer":
        log.write_bytes(good)
    else:  # as the sentence says: the others give what they have
        log.rename(log.with_suffix(".broken"))
    carol.up()
    two.agree("dev", "alice", "carol", texts=["before"])
    assert carol.id("dev") == id


def test_profiles_of_before_there_were_certificates_find_each_other(three: Cluster) -> None:
    """Each knows the others by their identities alone, and nobody whose certificate is whose."""
    before = {name: three[name].id("dev") for name in NAMES}
    for name in NAMES:
        three[name].say("dev", f"of {name}, before")
    three.settled("dev", *NAMES)
    for name in NAMES:
        three[name].kill()
        make_older(three[name])
    three.raise_nodes(*NAMES)
    three.settled("dev", *NAMES)
    assert {name: three[name].id("dev") for name in NAMES} == before
    three["carol"].say("dev", "together again")
    texts = three["alice"].texts("dev")
    three.agree("dev", *NAMES, texts=texts)
    assert texts[-1] == "together again"
    assert {f"of {name}, before" for name in NAMES} <= set(texts)
