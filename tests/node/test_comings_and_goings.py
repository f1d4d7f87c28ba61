"""Nothing grows with the number of joins and leaves: no connection, file, task or cause of a line.

`P2PCHAT_JOINS=1000` makes as many; a few are made in every run.
"""

import asyncio
import gc
import os
from pathlib import Path

from msgspec import Struct

from node.host import entering
from node.host.nodes import Node
from tests.node.town import Town, eventually, say

JOINS = int(os.environ.get("P2PCHAT_JOINS", "40"))
WARM = 10  # after so many, what is made once has been made
SPARE = 4  # of files and of tasks: what comes and goes
MEMORY_MIB = 4 + JOINS / 8  # lines of the log and records of members stay, at three nodes


class Held(Struct, frozen=True):
    """What a process holds."""

    files: int
    tasks: int
    rss_mib: float


def held() -> Held:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(os.listdir("/proc/self/fd"))
    return Held(files, len(asyncio.all_tasks()), pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


async def come_and_go(alice: Node, bob: Node, town: Town, number: int) -> None:
    await entering.join(bob, f"{town.nds}/{town.chat}", "", "")
    said = await say(bob, f"bob for the {number}th time")
    assert said.complete
    await say(alice, f"welcome {number}")
    await bob.leave(bob.chat(""))


async def test_a_thousand_joins_and_leaves_leave_nothing_behind(town: Town) -> None:
    alice, carol = await town.pair()
    bob = await town.start("carl")
    for number in range(WARM):
        await come_and_go(alice, bob, town, number)
    before = held()
    for number in range(WARM, WARM + JOINS):
        await come_and_go(alice, bob, town, number)
    await eventually(lambda: len(asyncio.all_tasks()) <= before.tasks + SPARE)
    # A channel that was closed keeps its connection until it is collected, and a moment longer.
    await eventually(lambda: held().files <= before.files + SPARE)
    after = held()
    assert after.files <= before.files + SPARE, f"{before} {after}"
    assert after.rss_mib <= before.rss_mib + MEMORY_MIB, f"{before} {after}"
    group = alice.chat("").group
    assert len(group.roster.members) == WARM + JOINS + 2, "each time another id"
    last = await say(alice, "how many causes?")
    (line,) = alice.chat("").archive.find(last.id)
    assert len(line.message.deps) <= len(group.belonging), line.message.deps
    await say(carol, "as many")
    assert len(alice.chat("").group.belonging) == 2
    print(f"{JOINS} joins and leaves: {before} -> {after}")
