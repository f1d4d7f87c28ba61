"""The discovery service is slow, or reaches, or is reached by, some only: leadership does not flap.

Every node and the service stand behind gates that know their callers.  Whatever is cut, lines go
on, and the number of epochs tells how often somebody was made leader.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.ears import Ear
from tests.e2e.gates import Gate
from tests.e2e.programs import Leading, Nds, at_once
from tests.e2e.talk import Talk, all_of, others
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("processes")

SECONDS = 5  # lines of each who talks: as long as a quarrel would need to be seen twice
STALL_S = 0.7  # longer than the service waits for an answer


class Walled(NamedTuple):
    """Four members of #dev, each behind a gate, and the gate before the discovery service."""

    cluster: Cluster
    nds: Gate
    gates: dict[str, Gate]

    def open(self) -> None:
        for gate in (self.nds, *self.gates.values()):
            gate.walls, gate.delay_s = frozenset(), 0.0

    def pids(self, *names: str) -> frozenset[int]:
        return frozenset(self.cluster[name].pid for name in names)

    @property
    def itself(self) -> frozenset[int]:
        """The discovery service's process."""
        return frozenset({self.cluster.nds.pid})

    @property
    def service(self) -> Nds:
        return self.cluster.nds

    def leader(self) -> tuple[str, Leading]:
        """Everybody's, and the record's."""
        before = self.cluster.settled("dev", *SQUARE)
        name = next(name for name in SQUARE if self.cluster[name].id("dev") == before.member)
        return name, before

    def epochs(self, before: Leading) -> int:
        """How many leaders were made since."""
        record = wait_for(lambda: self.service.network("dev"), "the NDS answers us")
        assert record.epoch.generation == before.epoch[0]
        return int(record.epoch.n) - before.epoch[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walled]:
    with ExitStack() as stack:
        cluster = Cluster(tmp_path_factory.mktemp("walled"))
        stack.callback(cluster.close)
        cluster.nds.start()

        def pids() -> list[int]:
            return [cluster.nds.pid, *(one.pid for one in cluster.members.values())]

        nds = stack.enter_context(Gate(cluster.nds.address, pids))
        gates = {name: stack.enter_context(Gate(pids=pids)) for name in SQUARE}

        def up(name: str) -> None:
            flags = ("--nick", name, "--nds", nds.address, "--advertise", gates[name].address)
            member = cluster.add(name)
            member.up(*flags)
            gates[name].target = member.ask("GetStatus").listen

        at_once(up, SQUARE)
        line = cluster["alice"].row("create", "dev")["join"]
        for name in SQUARE[1:]:
            cluster[name].run("join", line, "--no-ui")
        yield Walled(cluster, nds, gates)


@pytest.fixture
def walled(built: Walled) -> Iterator[Walled]:
    """With everybody up and every gate open, before and after."""
    built.cluster.settled("dev", *SQUARE)
    wait_for(all_of(list(SQUARE), lambda name: _reaches(built, name)), "all know that it is back")
    yield built
    built.open()
    for name in SQUARE:
        if not built.cluster[name].is_up():
            returned(built, name)
    built.cluster.settled("dev", *SQUARE)
    built.cluster.check_logs()


def _reaches(walled: Walled, name: str) -> bool:
    """Whether the service answers, as this one tells it."""
    (nds,) = walled.cluster[name].ask("GetStatus").nds
    return nds.state == "ok"


def returned(walled: Walled, name: str) -> None:
    """A killed one comes back, at the port that it had or another."""
    walled.cluster[name].up()
    walled.gates[name].target = walled.cluster[name].ask("GetStatus").listen


def killed(walled: Walled, name: str) -> list[str]:
    """Its process ends, and whoever calls hears that nobody listens; the others' names."""
    walled.cluster[name].kill()
    return others(SQUARE, name)


def followed(walled: Walled, names: list[str], before: Leading) -> Leading:
    """Waits until these have one certified leader of a later epoch."""

    def agreed() -> Leading | None:
        seen = {walled.cluster[name].leading("dev") for name in names}
        one = seen.pop()
        later = one is not None and one.epoch > before.epoch and not one.provisional
        return one if later and not seen else None

    return wait_for(agreed, f"{names} have a certified leader")


def watched(walled: Walled, stack: ExitStack) -> dict[str, Ear]:
    return {name: stack.enter_context(Ear(walled.cluster[name])) for name in SQUARE}


# ---- slow ----------------------------------------------------------------------------------------


def test_one_that_answers_late_is_not_told_as_away_and_elects_once(walled: Walled) -> None:
    """Later than a question of the protocol may take, soon enough for one with more time."""
    dead, before = walled.leader()
    with ExitStack() as stack:
        ears = watched(walled, stack)
        walled.nds.delay_s = 0.4
        with Talk(walled.cluster, "dev", list(SQUARE), "slow") as talk:
            talk.goes_on(5 * SECONDS * len(SQUARE))
        assert walled.epochs(before) == 0
        rest = killed(walled, dead)
        followed(walled, rest, before)
        for name in rest:
            assert ears[name].nds(walled.nds.address) == [], f"{name} is told that it is away"
    walled.open()
    returned(walled, dead)
    walled.cluster.settled("dev", *SQUARE)
    assert walled.epochs(before) == 1


def test_one_that_is_too_late_for_everything_is_away_and_told_so_once(walled: Walled) -> None:
    dead, before = walled.leader()
    with ExitStack() as stack:
        ears = watched(walled, stack)
        walled.nds.delay_s = 4.0
        for ear in ears.values():
            ear.until_nds(walled.nds.address, False)
        rest = killed(walled, dead)
        lowest = walled.cluster[walled.cluster.lowest("dev", *rest)].id("dev")
        wait_for(
            all_of(rest, lambda name: _stands_in(walled, name, lowest)),
            "the lowest leads provisionally",
        )
        with Talk(walled.cluster, "dev", rest, "late") as talk:
            talk.goes_on(5 * SECONDS * len(rest))
        for name in rest:
            assert ears[name].nds(walled.nds.address) == [False], f"{name} is told more than once"
        walled.open()
        for name in rest:
            ears[name].until_nds(walled.nds.address, False, True)
        followed(walled, rest, before)
    returned(walled, dead)
    walled.cluster.settled("dev", *SQUARE)
    # Claims that came late count too: a grant that nobody heard of in time is not used.
    assert walled.epochs(before) <= 3


def _stands_in(walled: Walled, name: str, lowest: int) -> bool:
    seen = walled.cluster[name].leading("dev")
    return seen is not None and (seen.member, seen.provisional) == (lowest, True)


# ---- reachable for some --------------------------------------------------------------------------


def test_a_leader_that_the_nds_cannot_reach_is_kept_while_members_reach_it(walled: Walled) -> None:
    """The service stands behind a wall of its own: it never reached whom it made leader."""
    dead, before = walled.leader()
    for gate in walled.gates.values():
        gate.walls = walled.itself
    rest = killed(walled, dead)
    after = followed(walled, rest, before)
    returned(walled, dead)
    walled.cluster.settled("dev", *SQUARE)
    leader = next(name for name in SQUARE if walled.cluster[name].id("dev") == after.member)
    # One member hears nothing from it either: that is no reason for another.
    cut = next(name for name in SQUARE if name not in (leader, dead))
    walled.gates[leader].walls = walled.itself | walled.pids(cut)
    with Talk(walled.cluster, "dev", list(SQUARE), "unseen") as talk:
        talk.goes_on(5 * SECONDS * len(SQUARE))
    assert walled.epochs(before) == 1
    for name in SQUARE:
        assert walled.cluster[name].leading("dev") == after, f"{name} follows another"
    walled.open()
    walled.cluster.agree("dev", *SQUARE)
    assert walled.epochs(before) == 1


def test_a_leader_that_only_the_nds_reaches_is_replaced_once(walled: Walled) -> None:
    """It yields to the votes of its members; nobody deposes anybody afterwards."""
    leader, before = walled.leader()
    rest = others(SQUARE, leader)
    walled.gates[leader].walls = walled.pids(*rest)
    for name in rest:  # Who is reached answers by the same link.
        walled.gates[name].walls = walled.pids(leader)
    with Talk(walled.cluster, "dev", list(SQUARE), "unheard") as talk:
        after = followed(walled, rest, before)
        assert after.member != before.member
        wait_for(lambda: walled.cluster[leader].leading("dev") == after, "it follows, too")
        talk.goes_on(2 * SECONDS * len(SQUARE))
        stalled = next(name for name in rest if walled.cluster[name].id("dev") == after.member)
        for _ in range(4):  # While the old one claims again and again.
            walled.cluster[stalled].kill(signal.SIGSTOP)
            time.sleep(STALL_S)
            walled.cluster[stalled].kill(signal.SIGCONT)
            talk.goes_on(SECONDS * len(SQUARE))
    assert walled.epochs(before) == 1
    walled.open()
    assert walled.cluster.agree("dev", *SQUARE) == after
    assert walled.epochs(before) == 1


def test_a_leader_that_cannot_reach_the_nds_goes_on_leading(walled: Walled) -> None:
    """The others read the record, and the service reaches whom it names."""
    leader, before = walled.leader()
    walled.nds.walls = walled.pids(leader)
    with ExitStack() as stack:
        ears = watched(walled, stack)
        ears[leader].until_nds(walled.nds.address, False)
        with Talk(walled.cluster, "dev", list(SQUARE), "unrenewed") as talk:
            talk.goes_on(5 * SECONDS * len(SQUARE))
        for name in others(SQUARE, leader):
            assert ears[name].nds(walled.nds.address) == [], f"{name} reaches it"
    assert walled.epochs(before) == 0
    walled.open()
    assert walled.cluster.settled("dev", *SQUARE) == before


def test_who_alone_reaches_the_nds_leads_and_is_not_pushed_aside(walled: Walled) -> None:
    """The lowest of those left cannot claim, and does not keep the one that can from it."""
    dead, before = walled.leader()
    rest = others(SQUARE, dead)
    able = max(rest, key=lambda name: walled.cluster[name].id("dev"))
    walled.nds.walls = walled.pids(*others(SQUARE, able))
    with ExitStack() as stack:
        ears = watched(walled, stack)
        for name in others(SQUARE, able):
            ears[name].until_nds(walled.nds.address, False)
        killed(walled, dead)
        after = followed(walled, rest, before)
        assert after.member == walled.cluster[able].id("dev")
    walled.open()
    returned(walled, dead)
    with Talk(walled.cluster, "dev", list(SQUARE), "no bullying") as talk:
        talk.goes_on(5 * SECONDS * len(SQUARE))
    assert walled.cluster.agree("dev", *SQUARE) == after
    assert walled.epochs(before) == 1
