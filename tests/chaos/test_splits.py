"""Splits and returns, one at a time, by the book: who leads meanwhile, and that nothing is lost.

Where there are no namespaces, a frost stands in for a cut: whoever is frozen is silent, too.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from tests.chaos.conftest import Town
from tests.chaos.evidence import Epoch
from tests.chaos.processes import until
from tests.chaos.schedule import NDS, NODES, Fault

pytestmark = pytest.mark.xdist_group("chaos")

FROST_S = 30.0
FOLLOW_S = 8.0  # twice what is promised and more: other tests run beside this one
SPLIT_S = 4.0  # longer than votes count
DROP_S = 20.0
TRIALS = 3


def without(*names: str) -> list[str]:
    return [name for name in NODES if name not in names]


async def follow(town: Town, before: Epoch, names: list[str], began: float) -> None:
    """All of them follow a leader of a later epoch, in time."""
    took = await town.cycle.followed(before, names) - began
    assert took < FOLLOW_S, f"{took:.3f} s"


async def followed_by_one(town: Town, strike: Callable[[str, Epoch], Awaitable[None]]) -> None:
    """Strikes the leader: one epoch more, no promise broken, and nobody stood again.

    Where other processes keep this machine so busy that the next leader is silent as well, rightly
    somebody stands again: then this is no trial, and there is another one.
    """
    for _ in range(TRIALS):
        leader, before = await town.standing()
        await strike(leader, before)
        await town.judge()
        last = await town.epoch(leader)
        assert last > before
        if last == (before[0], before[1] + 1):
            return
    raise AssertionError(f"in none of {TRIALS} trials one election was enough")


def healings(town: Town, since: float) -> Counter[str]:
    return Counter(one.node for one in town.cycle.evidence.healed if one.at >= since)


async def test_w1_a_leader_frozen_for_half_a_minute_follows_and_has_everything(town: Town) -> None:
    leader, before = await town.standing()
    rest, began = without(leader), time.monotonic()
    town.site[leader].freeze()
    await follow(town, before, rest, began)
    await asyncio.sleep(began + FROST_S - time.monotonic())
    assert {await town.epoch(name) for name in rest} == {(before[0], before[1] + 1)}
    woken = time.monotonic()
    town.site[leader].thaw()

    async def follows() -> bool:
        return await town.epoch(leader) > before

    await until(follows, "the woken leader follows", FOLLOW_S)
    await town.judge()
    assert await town.epoch(leader) == (before[0], before[1] + 1), "and nobody stood again"
    assert max(healings(town, woken).values(), default=0) <= 1


@pytest.mark.parametrize("where", ["with the leader", "with the others", "with both", "with none"])
async def test_w3_halves_are_one_again_and_it_is_told_once(town: Town, where: str) -> None:
    leader, before = await town.standing()
    companion, *others = without(leader)
    mine, theirs = (leader, companion), tuple(others)
    with_leader, with_others = (
        where in {"with the leader", "with both"},
        where
        in {
            "with the others",
            "with both",
        },
    )
    sides = ((*mine, NDS) if with_leader else mine, (*theirs, NDS) if with_others else theirs)
    began = time.monotonic()
    fault = await town.suffer(Fault("halves", 0.0, SPLIT_S, sides=sides), frost=mine)
    if with_others:
        await follow(town, before, others, began)
    await asyncio.sleep(began + SPLIT_S - time.monotonic())
    if not with_others and town.network:
        assert await town.epoch(leader) == before
        assert {await town.epoch(name) for name in others} == {before}, "nobody grants another"
    healed_at = time.monotonic()
    await town.cycle.trouble.end(fault)
    await town.judge()
    assert (await town.epoch(leader))[1] - before[1] <= 1
    assert max(healings(town, healed_at).values(), default=0) <= 1


@pytest.mark.parametrize("kind", ["deaf", "isolated"])
async def test_w2_a_leader_that_nobody_reaches_is_deposed_and_follows(
    town: Town, kind: str
) -> None:
    async def strike(leader: str, before: Epoch) -> None:
        began = time.monotonic()
        fault = await town.suffer(Fault(kind, 0.0, SPLIT_S, who=(leader,)), frost=(leader,))
        await follow(town, before, without(leader), began)
        await town.cycle.trouble.end(fault)

    await followed_by_one(town, strike)


async def test_one_broken_link_of_the_leader_deposes_nobody(town: Town) -> None:
    leader, before = await town.standing()
    member = without(leader)[-1]
    fault = await town.suffer(
        Fault("cut one way", 0.0, SPLIT_S, sides=((leader,), (member,))), frost=(member,)
    )
    said = set(town.cycle.evidence.said)

    async def passed_on() -> bool:
        """What the leader says reaches the member, and the reverse, by others."""
        new = [one for one in town.cycle.evidence.said if one not in said]
        there = any(town.shown(member, one) for one in new if one.startswith(f"{leader} "))
        here = any(town.shown(leader, one) for one in new if one.startswith(f"{member} "))
        return there and here

    if town.network:
        await until(passed_on, "lines go round the broken link", 20.0)
    else:
        await asyncio.sleep(2.0)
    assert await town.epoch(leader) == before
    await town.cycle.trouble.end(fault)
    await town.judge()
    assert await town.epoch(leader) == before


async def test_two_sides_that_one_member_bridges_keep_their_leader_and_talk(town: Town) -> None:
    leader, before = await town.standing()
    bridge, *rest = without(leader)
    sides = ((leader, rest[0]), (rest[1], rest[2]))
    fault = await town.suffer(Fault("bridge", 0.0, SPLIT_S, sides=sides), frost=(rest[2],))
    said = set(town.cycle.evidence.said)

    async def across() -> bool:
        new = [one for one in town.cycle.evidence.said if one not in said]
        return all(
            any(town.shown(reader, one) for one in new if one.startswith(f"{author} "))
            for author, reader in ((rest[1], leader), (leader, rest[1]))
        )

    if town.network:
        await until(across, f"lines go over {bridge}", 30.0)
    else:
        await asyncio.sleep(2.0)
    await town.cycle.trouble.end(fault)
    await town.judge()
    assert (await town.epoch(leader))[1] - before[1] <= 1, "it does not flap"


async def test_a_leader_alone_with_the_discovery_service_leads_on_meanwhile(town: Town) -> None:
    leader, before = await town.standing()
    rest = without(leader)
    alone = Fault("alone with the nds", 0.0, SPLIT_S, who=(leader,))
    fault = await town.suffer(alone, frost=(rest[-1],))
    await asyncio.sleep(SPLIT_S)
    assert {await town.epoch(name) for name in (leader, *rest[:-1])} == {before}
    await town.cycle.trouble.end(fault)
    await town.judge()
    # Votes of a round that is not over yet may depose it now.
    assert (await town.epoch(leader))[1] - before[1] <= 1


async def test_w13_a_leader_restarted_at_once_is_no_leader_by_right(town: Town) -> None:
    async def strike(leader: str, _: Epoch) -> None:
        node = town.site[leader]
        chat = await node.chat()
        node.kill()
        node.start(town.site.nds.address)
        await node.ready()
        again = await node.chat()
        assert again.member_id == chat.member_id, "it has the same id"

    await followed_by_one(town, strike)


async def test_w18_who_was_dropped_by_mistake_is_back_with_all_and_sends_the_unsent_once(
    town: Town,
) -> None:
    leader, before = await town.standing()
    member = without(leader)[-1]
    fault = await town.suffer(Fault("isolated", 0.0, DROP_S, who=(member,)), frost=(member,))
    since = time.monotonic()

    async def dropped() -> bool:
        found = await town.site[leader].ask("ListMembers", chat="chaos")
        states = {one.nick: str(one.state) for one in found.members}
        return states[member] == "dropped"

    await until(dropped, f"{member} is dropped", DROP_S)
    alone = [
        one.name
        for one in town.cycle.evidence.said.values()
        if one.author == member and one.asked_at > since and one.stored_at
    ]
    assert alone or not town.network, "it went on talking"
    assert not any(town.shown(leader, name) for name in alone)
    await town.cycle.trouble.end(fault)
    await town.judge()
    assert all(town.shown(leader, name) for name in alone)
    assert await town.epoch(leader) == before
