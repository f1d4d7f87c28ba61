"""What the oracle says of a floor that is adopted while somebody has a line below it."""

import pytest
from msgspec.structs import replace

from node.core.timing import LAN
from node.core.types import Floor, Key, Stream

from .bounds import ASKED, Broken
from .machine import Machine
from .world import World

LONG_MS = (ASKED + 1) * LAN.t2_ms  # by then everyone was asked


def told() -> tuple[World, Machine, Machine, Key]:
    """Member 2 alone has a line of 1, which it has shown; 3 is about to adopt a floor upon it."""
    world = World(1)
    world.registry.start()
    world.run(1_000)
    one, two, three = (world.add(number) for number in (1, 2, 3))
    world.found(1)
    for machine in (two, three):
        world.start(machine.number)
        world.run(2_000)
    world.tell(1, "hello")
    world.run(1_000)
    (key,) = two.disk.messages
    del one.disk.messages[key], three.disk.messages[key]
    return world, two, three, key


def jump(world: World, machine: Machine, key: Key) -> None:
    """This machine adopts a floor upon the line, long afterwards."""
    floor = Floor(*key, sum=5)
    world.oracle.floors.add(floor)
    world.now += LONG_MS
    world.oracle.storing_floor(machine, floor)


def test_what_a_member_has_shown_for_long_is_not_to_be_jumped() -> None:
    world, _, three, key = told()
    with pytest.raises(Broken, match=r"3 jumps 1/.*, which 2 has"):
        jump(world, three, key)


def test_a_line_said_again_may_be_shown_again_where_what_it_was_shown_with_was_trimmed() -> None:
    world, two, _, first = told()
    again, later = first._replace(seq=2), first._replace(seq=3)
    line = first.source, two.disk.messages[first].id
    world.oracle.said[line] = [first, again]
    assert not world.oracle.forgotten(two, line, again), "it is here"
    del two.disk.messages[first]
    assert not world.oracle.forgotten(two, line, again), "nor was it trimmed"
    two.disk.floors[first.source] = Floor(*first, sum=5)
    assert world.oracle.forgotten(two, line, again)
    world.oracle.said[line].append(later)
    assert world.oracle.forgotten(two, line, again), "that has not come here"


def test_what_a_member_showed_before_it_lost_its_disk_and_holds_waiting_now_may_be_jumped() -> None:
    """A page that is read backwards leaves out what the answerer cannot show itself."""
    world, two, three, key = told()
    me, message = two.me, two.disk.messages[key]
    world.kill(2)
    world.wipe(2)
    world.start(2)
    two.me, two.disk.messages[key] = me, message  # It got in again, and was told this line.
    assert three.group is not None
    assert me in three.group.active
    jump(world, three, key)


def test_what_a_member_showed_before_it_restarted_and_holds_waiting_now_may_be_jumped() -> None:
    world, two, three, key = told()
    lost = Key(key.source, Stream(1, 1), 1)
    two.disk.messages[key] = replace(two.disk.messages[key], deps=(lost,))
    world.oracle.restarted(two)
    jump(world, three, key)


def test_what_a_restarted_member_has_shown_for_long_is_not_to_be_jumped() -> None:
    world, two, three, key = told()
    world.oracle.restarted(two)
    with pytest.raises(Broken, match=r"3 jumps 1/.*, which 2 has"):
        jump(world, three, key)


def test_what_a_member_could_not_show_yet_when_it_was_asked_may_be_jumped() -> None:
    """The others answer long afterwards."""
    world, two, three, key = told()
    assert three.group is not None
    shown = world.oracle.came[two.number][key]
    for ago_ms, is_before in ((0, False), (world.now + LONG_MS - shown + 1, True)):
        three.group._catching_up._last[two.me] = three.group._s.now - ago_ms
        assert world.oracle._was_asked_before(three, two, shown) is is_before
    jump(world, three, key)


@pytest.mark.parametrize(("ago_ms", "counts"), [(64, True), (LONG_MS, False)])
def test_what_a_member_has_for_whom_another_process_spoke_till_now_may_be_jumped(
    ago_ms: int, counts: bool
) -> None:
    world, two, three, key = told()
    world.oracle.twin_at[two.me] = world.now + LONG_MS - ago_ms
    if counts:
        return jump(world, three, key)
    with pytest.raises(Broken, match=r"3 jumps 1/.*, which 2 has"):
        jump(world, three, key)


def test_a_log_that_is_too_large_may_be_trimmed_to_a_floor_that_another_has() -> None:
    world, two, _, key = told()
    two.disk.messages[key._replace(seq=2)] = two.disk.messages[key]
    world.timing = replace(world.timing, log_max=1)
    floor = Floor(key.source, key.stream, 2, sum=5)
    for _ in range(2):  # The second of them finds it known.
        two.disk.floors.clear()
        world.oracle.storing_floor(two, floor)
    assert world.count["floors raised"] == 2
    assert not world.count["floors adopted"]
