"""The discovery service dies, forgets, freezes: what is told, what goes on, and what never repeats.

Epochs of a network strictly increase and no member id is given twice, whatever the service lost;
a network that it has forgotten is listed again under its number and its name.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.conftest import SQUARE
from tests.e2e.ears import Ear
from tests.e2e.programs import Leading
from tests.e2e.talk import Talk, all_of, others
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("processes")

CHATS = ("dev", "ops")


@pytest.fixture
def ears(square: Cluster) -> Iterator[dict[str, Ear]]:
    """What everybody's faces are told."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Ear(square[name])) for name in SQUARE}


def struck(cluster: Cluster, chat: str, *names: str) -> tuple[str, Leading]:
    """Who leads, and how."""
    before = cluster.leader(chat, *names)
    return next(name for name in names if cluster[name].id(chat) == before.member), before


def is_followed(cluster: Cluster, name: str, chat: str, before: Leading) -> bool:
    """Whether somebody certified leads a later epoch, as this member sees it."""
    seen = cluster[name].leading(chat)
    return seen is not None and seen.epoch > before.epoch and not seen.provisional


def killed_and_followed(cluster: Cluster, chat: str, *names: str) -> Leading:
    """The leader is killed, another one is certified, the killed one returns and follows it."""
    dead, before = struck(cluster, chat, *names)
    cluster[dead].kill()
    rest = others(names, dead)
    wait_for(
        all_of(rest, lambda name: is_followed(cluster, name, chat, before)),
        f"somebody follows {dead} in #{chat}",
    )
    cluster[dead].up()
    return cluster.settled(chat, *names)


def ids_of(cluster: Cluster, chat: str, by: str) -> dict[int, str]:
    """Every member id that was ever given there, and whose it is."""
    found = cluster[by].ask("ListMembers", chat=chat, all=True).members
    return {one.member_id: one.identity for one in found}


def come_and_go(cluster: Cluster, chat: str, line: str, name: str) -> int:
    """Somebody joins by that line and leaves again; its id."""
    guest = cluster.members.get(name) or cluster.add(name)
    member: int = guest.row("join", line, "--nick", name)["member"]
    guest.run("leave", chat)
    guest.down()
    return member


def test_while_it_is_down_for_long_everything_goes_on(
    square: Cluster, ears: dict[str, Ear]
) -> None:
    """Talk, a leave, joins within the leader's ids, then an election; then it is back."""
    nds = square.nds
    texts = square["alice"].texts("dev")
    dead, before = struck(square, "dev", *SQUARE)
    rest = others(SQUARE, dead)
    known = ids_of(square, "dev", "alice")
    nds.end()
    for ear in ears.values():
        ear.until_nds(nds.address, False)
    with Talk(square, "dev", list(SQUARE), "down for long") as talk:
        # Any member's address will do, and each newcomer gets an id of its own.
        address = square[rest[0]].ask("GetStatus").advertise
        guests = [come_and_go(square, "dev", f"{address}/dev", one) for one in ("erin", "fay")]
        assert len({*known, *guests}) == len(known) + 2
        talk.goes_on(4)
        assert {square[name].leading("dev") for name in SQUARE} == {before}
    texts += talk.said
    with Talk(square, "dev", rest, "nobody certified") as talk:
        square[dead].kill()
        lowest = square.lowest("dev", *rest)
        standing_in = Leading(square[lowest].id("dev"), before.epoch, provisional=True)
        wait_for(
            all_of(rest, lambda name: square[name].leading("dev") == standing_in),
            f"{lowest} leads provisionally",
        )
        # Who leads so admits nobody, and says whom one is to wait for.
        late = square.members.get("erin")
        assert late is not None
        refused = late.run("join", f"{address}/dev", "--nick", "erin", code=None)
        assert refused.returncode != 0, refused.stdout
        assert refused.stderr.count("\n") == 1, refused.stderr
        late.run("down")
        talk.goes_on(4)
        square[lowest].run("send", "-c", "dev", "for now")
        traced = square[lowest].row("trace", "-c", "dev")
        assert (traced["leader"], traced["provisional"]) == (lowest, True)
    texts += [*talk.said, "for now"]
    for name in rest:
        assert ears[name].nds(nds.address) == [False], f"{name} is told more than once"
    nds.start()
    for name in rest:
        ears[name].until_nds(nds.address, False, True)
    wait_for(
        all_of(rest, lambda name: is_followed(square, name, "dev", before)),
        "somebody is certified",
    )
    square[dead].up()
    after = square.agree("dev", *SQUARE, texts=texts)
    assert after.epoch > before.epoch
    square.settled("ops", *SQUARE)
    later = come_and_go(square, "dev", f"{nds.address}/dev", "gus")
    assert later > max(*known, *guests)
    for name in rest:
        assert ears[name].nds(nds.address) == [False, True], f"{name} is told more than once"


def test_an_old_copy_of_its_store_gives_no_epoch_and_no_id_twice(square: Cluster) -> None:
    """The copy is of before an election and two joins; then it lists the network as it is."""
    nds = square.nds
    square.settled("dev", *SQUARE)
    nds.end()
    old = nds.copy()
    nds.start()
    wait_for(lambda: nds.network("dev"), "it serves")
    known = ids_of(square, "dev", "alice")
    seen = [killed_and_followed(square, "dev", *SQUARE)]
    guests = [come_and_go(square, "dev", f"{nds.address}/dev", one) for one in ("erin", "fay")]
    record = nds.network("dev")
    assert record is not None

    nds.end()
    nds.restore(old)
    with Talk(square, "dev", list(SQUARE), "an old copy") as talk:
        nds.start()
        # The record is of an epoch that is over: the leader repairs it, and goes on.
        wait_for(lambda: square.leader("dev", *SQUARE).epoch >= seen[0].epoch, "it is repaired")
        talk.goes_on(4)
    assert square.settled("dev", *SQUARE).member == seen[0].member, "nobody was deposed by it"
    listed = nds.network("dev")
    assert listed is not None
    assert (listed.chat_id, listed.name) == (record.chat_id, "dev")
    guests.append(come_and_go(square, "dev", f"{nds.address}/dev", "gus"))
    seen.append(killed_and_followed(square, "dev", *SQUARE))
    assert seen[0].epoch < seen[1].epoch
    guests.append(come_and_go(square, "dev", f"{nds.address}/dev", "hal"))
    assert len({*known, *guests}) == len(known) + len(guests), "an id was given twice"
    assert guests == sorted(guests)
    square.settled("ops", *SQUARE)


def test_one_that_forgets_again_and_again_ends_nothing(
    square: Cluster, ears: dict[str, Ear]
) -> None:
    """Wiped twice, with an election in between: number, name, epochs and ids hold."""
    nds = square.nds
    numbers = {chat: square["alice"].chat(chat).chat_id for chat in CHATS}  # type: ignore[union-attr]
    texts = square["bob"].texts("dev")
    known = ids_of(square, "dev", "alice")
    epochs, guests = [square.leader("dev", *SQUARE).epoch], list[int]()
    for round, guest in enumerate(("erin", "fay"), 1):
        with Talk(square, "dev", list(SQUARE), f"forgets {round}") as talk:
            nds.end()
            nds.wipe()
            nds.start()
            wait_for(lambda: all(map(nds.network, CHATS)), "both are listed again")
            talk.goes_on(4)
        texts += talk.said
        for chat, number in numbers.items():
            found = nds.network(chat)
            assert found is not None
            assert (found.chat_id, found.name) == (number, chat)
        epochs.append(killed_and_followed(square, "dev", *SQUARE).epoch)
        guests.append(come_and_go(square, "dev", f"{nds.address}/dev", guest))
    assert epochs[0] < epochs[1] < epochs[2]
    assert len({*known, *guests}) == len(known) + len(guests), "an id was given twice"
    square.agree("dev", *SQUARE, texts=texts)
    square.settled("ops", *SQUARE)
    for name in SQUARE:
        told = ears[name].heard("error")
        assert not told, f"{name} is told of {told}"


def test_while_it_is_frozen_nobody_waits_for_it(square: Cluster, ears: dict[str, Ear]) -> None:
    """Its port is open and nothing comes: no refusal tells anybody that it is away."""
    nds = square.nds
    dead, before = struck(square, "dev", *SQUARE)
    rest = others(SQUARE, dead)
    nds.send(signal.SIGSTOP)
    try:
        for ear in ears.values():
            ear.until_nds(nds.address, False)
        with Talk(square, "dev", rest, "frozen") as talk:
            square[dead].kill()
            lowest = square[square.lowest("dev", *rest)].id("dev")
            wait_for(
                all_of(rest, lambda name: _stands_in(square, name, lowest)),
                "the lowest leads provisionally",
            )
            talk.goes_on(4)
    finally:
        nds.send(signal.SIGCONT)
    for name in rest:
        ears[name].until_nds(nds.address, False, True)
    wait_for(
        all_of(rest, lambda name: is_followed(square, name, "dev", before)),
        "somebody is certified",
    )
    square[dead].up()
    square.settled("dev", *SQUARE)
    square.settled("ops", *SQUARE)
    for name in rest:
        assert ears[name].nds(nds.address) == [False, True], f"{name} is told more than once"


def _stands_in(cluster: Cluster, name: str, lowest: int) -> bool:
    seen = cluster[name].leading("dev")
    return seen is not None and (seen.member, seen.provisional) == (lowest, True)
