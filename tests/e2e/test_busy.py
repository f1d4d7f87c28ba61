"""Who has much to do is not taken for dead: neither a member that gets no turn for a moment, just
as the leader dies, nor a leader whose links are full of what is said.
"""

import os
import signal

import pytest

from node.limits import TEXT_MAX
from tests.e2e.cluster import Cluster
from tests.e2e.programs import Member, at_once
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("members")

THREE = ("alice", "bob", "carol")
HEAVY = 100  # lines of each that are as long as may be: 5 MB together


def steps(member: Member, chat: str) -> list[str]:
    """What a member saw of elections, in words."""
    elections = member.ask("ListElections", chat=chat).elections
    return [step.text for election in elections for step in election.steps]


@pytest.mark.parametrize("told", [True, False], ids=["told of carol", "not told of carol"])
def test_the_lowest_id_leads_though_it_stood_still_as_the_leader_died(
    cluster: Cluster, told: bool
) -> None:
    # Four times as patient as on a LAN, so that what is seen here is still so when it is acted on.
    flags = ("--preset", "wan", "--nds", cluster.nds.address)
    at_once(lambda one: one.up("--nick", one.name, *flags), map(cluster.add, THREE))
    alice, bob, carol = (cluster[name] for name in THREE)
    cluster.gather("dev", "alice", "bob")
    if not told:
        bob.kill(signal.SIGSTOP)
    carol.run("join", f"{cluster.nds.address}/dev", "--no-ui")
    if told:
        wait_for(lambda: "carol" in bob.states("dev"), "bob has been told of carol")
        bob.kill(signal.SIGSTOP)
    os.kill(alice.pid, signal.SIGKILL)
    unanswered = "bob (id 2) did not answer"
    wait_for(lambda: unanswered in steps(carol, "dev"), "carol has asked bob, in vain")
    bob.kill(signal.SIGCONT)
    leader = cluster.settled("dev", "bob", "carol", absent=1)
    assert leader.member == bob.id("dev")
    assert leader.epoch[1] == 2, "by one election"
    assert "carol (id 3) asked bob (id 2) again" in steps(carol, "dev")


def test_heavy_talk_deposes_nobody(cluster: Cluster) -> None:
    cluster.raise_nodes(*THREE)
    cluster.gather("dev", *THREE)
    before = cluster.settled("dev", *THREE)

    said = {name: [f"{name} {n} ".ljust(TEXT_MAX, "x") for n in range(HEAVY)] for name in THREE}

    def pour(name: str) -> None:
        for text in said[name]:
            cluster[name].post("dev", text)

    at_once(pour, THREE)
    texts = [text for name in THREE for text in said[name]]
    assert cluster.agree("dev", *THREE, texts=texts) == before
    assert [steps(cluster[name], "dev") for name in THREE[1:]] == [[], []], "nobody had a doubt"
