"""Two discovery services beside each other, one of them gone; and getting in without any."""

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.ears import Ear
from tests.e2e.programs import Leading, Nds
from tests.e2e.talk import all_of
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("processes")

THREE = ("alice", "bob", "carol")


@pytest.fixture
def second(cluster: Cluster) -> Iterator[Nds]:
    """Another discovery service, of nobody's."""
    directory = cluster.directory / "second"
    directory.mkdir()
    made = Nds(directory, cluster.environment)
    made.start()
    yield made
    if made.pid:
        made.end()
    made.close()


def leads(cluster: Cluster, chat: str, name: str) -> Leading:
    """Who leads, as one sees it; chats may be called name@HOST:PORT."""
    found = cluster[name].ask("GetLeader", chat=chat)
    return Leading(
        found.leader_id, (found.epoch.generation, found.epoch.n), provisional=found.provisional
    )


def test_chats_of_both_are_listed_by_source_and_the_gone_ones_go_on(
    cluster: Cluster, second: Nds
) -> None:
    first = cluster.nds
    both = ("--nds", first.address, "--nds", second.address)
    for name in THREE:
        cluster.add(name).up("--nick", name, *both)
    for nds in (first, second):
        line = cluster["alice"].row("create", "dev", "--nds", nds.address)["join"]
        assert line.startswith(f"{nds.address}/dev#")
        for name in THREE[1:]:
            cluster[name].run("join", line, "--no-ui")
    cluster["bob"].run("create", "ops", "--open", "--nds", second.address)

    rows = cluster["carol"].rows("list")
    assert {(row["chat"], row["nds"], row["state"]) for row in rows} == {
        ("dev", first.address, "member"),
        ("dev", second.address, "member"),
        ("ops", second.address, "live"),
    }
    shown = cluster["carol"].run("list").stdout
    assert f"#dev@{first.address}" in shown
    assert f"#dev@{second.address}" in shown
    assert f"#ops@{second.address}" not in shown, "a name that is one service's is written bare"
    refused = cluster["carol"].run("send", "-c", "dev", "which one", code=2)
    for nds in (first, second):
        assert f"dev@{nds.address}" in refused.stderr
    assert "ops" in {row["chat"] for row in cluster["carol"].rows("list")}
    cluster["carol"].run("join", "ops", "--no-ui")  # a name of one service alone is enough
    cluster["carol"].run("leave", "ops")

    # One is gone: it is said once, in every face, and both its chats and the other's go on.
    ours, gone = f"dev@{first.address}", f"dev@{second.address}"
    before = leads(cluster, gone, "bob")
    with Ear(cluster["carol"]) as ear:
        second.end()
        ear.until_nds(second.address, False)
        listed = cluster["carol"].run("list")
        assert f"NDS {second.address} does not answer" in listed.stderr
        assert listed.stdout.count("#dev") == 1
        for chat in (ours, gone):
            sent = cluster["carol"].row("send", "-c", chat, f"to {chat}")
            assert (sent["acked"], sent["of"]) == (2, 2)
        # Whoever leads both dies; each group does what its own service allows.
        cluster["alice"].kill()
        assert before.member == min(m.member_id for m in _members(cluster, gone))
        wait_for(
            all_of(["bob", "carol"], lambda name: _follows(cluster, ours, name, provisional=False)),
            "the first one's service confirms the next leader",
        )
        wait_for(
            all_of(["bob", "carol"], lambda name: _follows(cluster, gone, name, provisional=True)),
            "the other's members help themselves",
        )
        for chat in (ours, gone):
            cluster["carol"].run("send", "-c", chat, f"still in {chat}", "--wait", "leader")
        second.start()
        ear.until_nds(second.address, False, True)
        assert ear.nds(first.address) == []
    wait_for(
        all_of(["bob", "carol"], lambda name: _follows(cluster, gone, name, provisional=False)),
        "the other one's service confirms it, too",
    )
    cluster["alice"].up()
    for chat in (ours, gone):
        wait_for(
            lambda chat=chat: (
                cluster["alice"].texts(chat)[-2:] == [f"to {chat}", f"still in {chat}"]
            ),
            f"alice has all of {chat}",
        )


def _members(cluster: Cluster, chat: str) -> list[object]:
    return list(cluster["bob"].ask("ListMembers", chat=chat).members)


def _follows(cluster: Cluster, chat: str, name: str, *, provisional: bool) -> bool:
    """Whether it follows bob, the lowest one left, so or so."""
    seen = leads(cluster, chat, name)
    bob = next(one for one in cluster[name].ask("ListMembers", chat=chat).members
               if one.nick == "bob")  # fmt: skip
    return (seen.member, seen.provisional) == (bob.member_id, provisional)


def test_who_came_in_through_an_ordinary_member_survives_the_leader(cluster: Cluster) -> None:
    """No discovery service all the while: the line that members print is their own address."""
    cluster.raise_nodes("alice", "bob")
    cluster.gather("dev", "alice", "bob")
    before = cluster.settled("dev", "alice", "bob")
    cluster.nds.end()
    wait_for(lambda: cluster["bob"].ask("GetStatus").nds[0].state != "ok", "bob notices")
    invited = cluster["bob"].row("invite", "-c", "dev")
    listen = cluster["bob"].ask("GetStatus").advertise
    assert (invited["join"], invited["through"]) == (f"{listen}/dev", "member")
    assert cluster["bob"].run("invite", "-c", "dev").stdout.split()[-1] == f"{listen}/dev"

    carol = cluster.add("carol")
    carol.run("join", invited["join"], "--no-ui", "--nick", "carol")
    carol.pid = carol.row("status")["pid"]
    sent = carol.row("send", "-c", "dev", "nobody listed me")
    assert (sent["acked"], sent["of"]) == (2, 2)
    assert [one["address"] for one in carol.row("status")["nds"]] == [cluster.nds.address]

    cluster["alice"].kill()
    bob = cluster["bob"].id("dev")
    wait_for(
        all_of(["bob", "carol"], lambda name: leads(cluster, "dev", name).member == bob),
        "bob leads provisionally",
    )
    sent = carol.row("send", "-c", "dev", "nor is there a leader", "--wait", "leader")
    assert sent["acked"] >= 1
    cluster.nds.start()
    wait_for(lambda: leads(cluster, "dev", "carol").epoch > before.epoch, "bob is certified")
    cluster["alice"].up()
    texts = ["nobody listed me", "nor is there a leader"]
    cluster.agree("dev", *THREE, texts=texts)


def test_of_several_that_are_given_one_that_answers_is_enough(cluster: Cluster) -> None:
    live = cluster.nds.address
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{held.getsockname()[1]}"
        both = ("--nds", dead, "--nds", live, "--no-ui")
        hosted = cluster.add("alice").run("host", "dev", "--open", *both)  # no node runs yet
        assert f"others run:  p2pchat join {live}/dev" in hosted.stdout
        assert f"no NDS answers at {dead}; the chat was made at {live}" in hosted.stderr
        again = cluster["alice"].run("host", "ops", "--open", *both)
        assert f"no NDS answers at {dead}; the chat was made at {live}" in again.stderr
        cluster.add("bob").run("join", "dev", *both)
        cluster["bob"].run("join", "ops", *both)
        shown = cluster["bob"].run("status").stdout
        assert "#dev" in shown
        assert "#ops" in shown
