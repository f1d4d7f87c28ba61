"""Many members at once: thirty nodes, ten to a process; `tests.bench crowd` has fifty and 200.

They keep the times of the WAN preset, since two cores do the work of thirty machines here;
`P2PCHAT_CROWD_PRESET=lan` takes the other.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from p2pchat.v1 import control_pb2
from tests.e2e.cluster import Cluster
from tests.e2e.programs import Member, at_once
from tests.waiting import WAIT_S, wait_for

pytestmark = pytest.mark.xdist_group("processes")

MEMBERS, PROCESSES = 30, 3
PARALLEL = 20
PRESET = os.environ.get("P2PCHAT_CROWD_PRESET", "wan")


@contextmanager
def raised(
    cluster: Cluster, nicks: list[str], processes: int, preset: str
) -> Iterator[list[Member]]:
    """Nodes of these names in so many processes, up and in no chat yet."""
    command = [sys.executable, "-m", "tests.e2e.crowd", str(cluster.directory)]
    command += [cluster.nds.address, preset]
    running = [
        subprocess.Popen(
            [*command, *nicks[at::processes]],
            stdout=subprocess.PIPE,
            env=cluster.environment,
            encoding="utf-8",
        )
        for at in range(processes)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield [Member(nick, cluster.directory, cluster.environment, nick) for nick in nicks]
    finally:
        for process in running:
            process.terminate()
        for process in running:
            code = process.wait(WAIT_S)
            assert process.stdout is not None
            process.stdout.close()
            assert code == 0, "a node of the crowd has crashed"


@pytest.fixture
def crowd(cluster: Cluster) -> Iterator[list[Member]]:
    """All but the leader."""
    nicks = [f"m{k:02}" for k in range(2, MEMBERS + 1)]
    with raised(cluster, nicks, PROCESSES, PRESET) as members:
        yield members


def joins(member: Member, line: str) -> None:
    member.control.JoinChat(control_pb2.JoinChatRequest(line=line), timeout=WAIT_S)


def sent(member: Member, text: str) -> tuple[int, int]:
    """Says a line and waits for all: how many acknowledged, of how many."""
    request = control_pb2.SendRequest(
        chat="dev", text=text, wait=control_pb2.WAIT_ALL, wait_ms=round(WAIT_S * 1000)
    )
    *_, last = member.control.Send(request, timeout=2 * WAIT_S)
    return last.acked, last.of


def one_view(members: Sequence[Member]) -> tuple[object, ...] | None:
    """What all of them say of the chat, if that is the same."""
    chats = at_once(lambda one: one.chat("dev"), members)
    seen = {(c.leader_id, c.epoch.n, c.alive, c.known, c.fingerprint, c.outbox, c.provisional)
            for c in chats if c is not None}  # fmt: skip
    return seen.pop() if len(seen) == 1 and all(chats) else None


def test_thirty_members_talk_and_elect_once(cluster: Cluster, crowd: list[Member]) -> None:
    first = cluster.add("m01")
    first.up("--nick", "m01", "--nds", cluster.nds.address, "--preset", PRESET)
    line = first.row("create", "dev")["join"]
    for at in range(0, len(crowd), 7):  # some at a time, as people come
        at_once(lambda one: joins(one, line), crowd[at : at + 7])
    every = [first, *crowd]

    def settled(alive: int, by: Sequence[Member], gone: int = 0) -> tuple[object, ...] | None:
        view = one_view(by)
        if view is None or view[0] == gone:  # A leader that is silent is not counted as alive.
            return None
        return view if view[2:4] == (alive, MEMBERS) and view[5:] == (0, False) else None

    wait_for(lambda: settled(MEMBERS, every), "all know all")
    ids = {member.id("dev") for member in every}
    assert len(ids) == MEMBERS

    # Many at once: at the leader, and from many at the same time.  No line is lost, none is twice.
    texts = [f"at the leader {k}" for k in range(PARALLEL)]
    assert set(at_once(lambda text: sent(first, text), texts)) == {(MEMBERS - 1, MEMBERS - 1)}
    by = {f"from {one.name}": one for one in crowd[:PARALLEL]}
    assert set(at_once(lambda t: sent(by[t], t), by)) == {(MEMBERS - 1, MEMBERS - 1)}
    wait_for(lambda: settled(MEMBERS, every), "all have the same")
    wanted = sorted([*texts, *by])
    histories = at_once(lambda one: one.texts("dev"), every)
    assert sorted(histories[0]) == wanted
    assert all(history == histories[0] for history in histories)

    # The leader dies: one claim, one leader whom all follow, and the talk goes on.
    before = cluster.nds.network("dev")
    assert before is not None
    first.kill()
    wait_for(lambda: settled(MEMBERS - 1, crowd, before.leader_id), "all follow another")
    after = cluster.nds.network("dev")
    assert after is not None
    assert (after.epoch.generation, after.epoch.n) == (before.epoch.generation, before.epoch.n + 1)
    assert after.leader_id == min(ids - {before.leader_id})
    # Whoever is silent counts until it is dropped, and is waited for no longer.
    assert sent(crowd[-1], "we go on")[0] == MEMBERS - 2
    wait_for(lambda: settled(MEMBERS - 1, crowd), "all have it")
    assert at_once(lambda one: one.texts("dev")[-1], crowd) == ["we go on"] * len(crowd)


def test_eight_members_elect_once(cluster: Cluster) -> None:
    """All of them see the leader's connections break at the same instant."""
    first = cluster.add("m1")
    first.up("--nick", "m1", "--nds", cluster.nds.address)
    line = first.row("create", "dev")["join"]
    with raised(cluster, [f"m{k}" for k in range(2, 9)], 7, "lan") as rest:
        for member in rest:
            joins(member, line)
        every = [first, *rest]
        wait_for(lambda: (view := one_view(every)) and view[2:4] == (8, 8), "all know all")
        assert sent(first, "before") == (7, 7)  # All have their ways to each other.
        before = first.leading("dev")
        assert before is not None
        first.kill()
        epoch = (before.epoch[0], before.epoch[1] + 1)

        def followed() -> bool:
            seen = {member.leading("dev") for member in rest}
            return len(seen) == 1 and all(one and one.epoch == epoch for one in seen)

        wait_for(followed, "all follow one leader, one epoch later")
        claims = 0
        for member in rest:
            request = control_pb2.ListElectionsRequest(chat="dev")
            held = member.control.ListElections(request).elections
            last = [one for one in held if one.epoch.n][-1]  # One that ended without is none.
            assert (last.epoch.generation, last.epoch.n) == epoch
            own = f"{member.name} (id {member.id('dev') % 1_000_000}) claims"
            claims += sum(step.text.startswith(own) for step in last.steps)
        assert 1 <= claims <= 2
        assert sent(rest[-1], "after") == (6, 6)
