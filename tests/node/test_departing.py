"""A leave that takes longer than anybody waits for it goes on, and is no ghost afterwards."""

from msgspec.structs import replace

from node import profile as profiles
from node.host import departing, entering
from node.host.nodes import Node
from node.places import places
from tests.node.town import Town, eventually


def others(node: Node) -> list[str]:
    group = node.chat("").group
    return [group.shown_nick(one) for one in group.belonging if one != group.me]


async def test_a_leave_that_takes_long_goes_on_by_itself(town: Town) -> None:
    alice, bob = await town.pair()
    departure = await departing.leave(alice, alice.chat(""), wait_s=0.0)
    assert (departure.told, departure.untold, alice.chats) == (0, 1, [])
    assert [entry.state for entry in alice.profile.chats] == ["leaving"]
    await eventually(lambda: others(bob) == [] and bob.chat("").group.leads)
    await eventually(lambda: alice.departing == [])
    assert [entry.state for entry in alice.profile.chats] == ["left"]


async def test_a_leave_that_had_not_begun_when_the_node_ended_begins_at_its_next_start(
    town: Town,
) -> None:
    alice, bob = await town.pair()
    await town.stop("alice")
    home = places("alice", str(town.directory), {}).data
    kept = profiles.load(home)
    (entry,) = kept.chats
    profiles.save(home, replace(kept, chats=(replace(entry, state="leaving"),)))
    alice = await town.start("alice")
    await eventually(lambda: others(bob) == [] and not alice.departing)
    assert [entry.state for entry in alice.profile.chats] == ["left"]
    assert bob.chat("").group.order.owner == bob.chat("").group.me


async def test_who_comes_back_while_a_leave_goes_on_is_a_member(town: Town) -> None:
    alice, bob = await town.pair()
    await departing.leave(alice, alice.chat(""), wait_s=0.0)
    again = await entering.join(alice, f"{town.nds}/{town.chat}", "", "")
    assert (again.already, len(alice.chats), alice.departing) == (False, 1, [])
    await eventually(lambda: others(bob) == ["alice"])
