"""Machines that are busy when the leader dies: who leads next, and how soon.

python -m tests.sim.busy [LIVES]

Busy means that a process gets no turn for a while, that calls are slow, and that a discovery
service answers late: less than what a lower id is waited for, each time.  However the stalls fall,
the next leader is the lowest id that lives.
"""

import sys
from collections import Counter
from random import Random
from statistics import median
from typing import Any

from .machine import Process
from .network import Faults
from .trouble import Crowd
from .world import World

STALL_MS = 250  # of a process at one time
NDS_STALL_MS = 400  # longer than a member waits for its record
STALLS = 3
AGREE_MS = 12_000


def young(seed: int, *, told: bool) -> tuple[World, Random]:
    """A group of 3 to 5 whose last member got in a moment ago; `told`: the others know of it."""
    rng = Random(seed)
    world = World(rng.getrandbits(64))
    Crowd(world, rng)
    world.registry.start()
    world.run(1_000)
    members = rng.randint(3, 5)
    for number in range(1, members + 1):
        machine = world.add(number)
        if number == 1:
            world.found(1)
        else:
            world.start(number, rng.choice([0, 1]))
        if number == members and not told:
            world.network.snag = _updates_of_the_first
        assert world.run_until(5_000, lambda at=machine: bool(at.me), step=1)  # type: ignore[misc]
        if told or number < members:
            world.run(rng.choice([0, 5, 20, 100, 300, 1_000]))
    return world, rng


def _updates_of_the_first(sender: Process, _: Process, message: Any, is_reply: bool) -> bool:
    return sender.number == 1 and not is_reply and type(message).__name__ == "Update"


def succession(seed: int, *, told: bool = True) -> tuple[int, int, int]:
    """Kills the leader: machine that leads next, the lowest that lives, and how long it took."""
    world, rng = young(seed, told=told)
    world.network.faults = Faults(spike=rng.choice([0, 0.1, 0.3]), spike_ms=60)
    rest = [machine for machine in world.machines.values() if machine.number != 1]
    for process in (*rest, world.registry):
        if rng.random() < 0.5:
            stall(world, rng, process)
    began = world.now
    world.kill(1)

    def leader() -> int:
        """Whom all follow, certified; 0 for nobody."""
        groups = [m.group for m in rest if m.group is not None]
        followed = {(group.epoch, group.leader, group.provisional) for group in groups}
        leads = [m.number for m in rest if m.group is not None and m.group.leads]
        return leads[0] if len(leads) == 1 and len(followed) == 1 else 0

    assert world.run_until(AGREE_MS, lambda: bool(leader()), step=1), f"seed {seed}: nobody leads"
    return leader(), rest[0].number, world.now - began


def stall(world: World, rng: Random, process: Process) -> None:
    """Let a process stand still some times, from now on."""
    longest_ms = STALL_MS if process.number else NDS_STALL_MS
    at = 0
    for _ in range(STALLS):
        at += rng.choice([0, 2, 10, 40, 150]) + rng.randint(0, 10)
        ms = rng.randint(5, longest_ms)
        world.at(at, world.freeze, process)
        world.at(at + ms, world.thaw, process)
        at += ms + longest_ms


def main() -> None:
    lives = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    for told in (True, False):
        ended = [succession(seed, told=told) for seed in range(lives)]
        wrong = [seed for seed, (leader, lowest, _) in enumerate(ended) if leader != lowest]
        took = sorted(ms for _, _, ms in ended)
        whose = Counter(leader for leader, _, _ in ended)
        news = "known to all" if told else "known to nobody else"
        print(
            f"last member {news}: median {median(took):.0f} ms, p99 {took[len(took) * 99 // 100]}"
            f" ms; led by {dict(sorted(whose.items()))}; not by the lowest: {wrong}"
        )


if __name__ == "__main__":
    main()
