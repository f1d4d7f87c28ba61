"""Figures of a calm network: how fast a leader is replaced, and what a stall of its costs.

python -m tests.sim.calm [LIVES]
"""

import sys
from random import Random
from statistics import median, quantiles

from .machine import Machine
from .trouble import Crowd
from .world import World

SIZES = (3, 5, 7)
STALLS_MS = (700, 1_000, 1_500)
REST_MS = 4_000


def grown(seed: int, members: int) -> tuple[World, Machine]:
    """A group that has settled, at an instant of its own, and its leader."""
    world = World(seed)
    crowd = Crowd(world, Random(seed))
    world.registry.start()
    world.run(1_000)
    for _ in range(members):
        crowd.newcomer()
        world.run(1_000)
    world.run(REST_MS + seed * 37 % 1_000)
    (leader,) = (machine for machine in world.machines.values() if machine.leading)
    return world, leader


def is_deposed(seed: int, members: int, stall_ms: int) -> bool:
    """Whether a leader that stands still for this long loses its epoch."""
    world, leader = grown(seed, members)
    epochs = world.count["epochs"]
    world.freeze(leader)
    world.run(stall_ms)
    world.thaw(leader)
    world.run(REST_MS)
    return world.count["epochs"] != epochs


def failover(seed: int, members: int, *, kill: bool) -> tuple[int, int, int]:
    """From the leader's end until all others follow the next: ms, epochs, claims."""
    world, leader = grown(seed, members)
    epochs, claims, began = world.count["epochs"], world.count["claims"], world.now
    if kill:
        world.kill(leader.number)
    else:
        world.freeze(leader)
    rest = [machine.group for machine in world.machines.values() if machine is not leader]

    def agreed() -> bool:
        followed = {(group.epoch, group.leader) for group in rest if group is not None}
        return world.count["epochs"] > epochs and len(followed) == 1

    assert world.run_until(10_000, agreed, step=1), f"seed {seed}: nobody leads"
    took = world.now - began
    world.run(REST_MS)
    return took, world.count["epochs"] - epochs, world.count["claims"] - claims


def main() -> None:
    lives = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for members in SIZES:
        for kill in (True, False):
            took, epochs, claims = zip(
                *(failover(seed, members, kill=kill) for seed in range(lives)), strict=True
            )
            print(
                f"{members} members, leader {'killed' if kill else 'frozen'}: median"
                f" {median(took):.0f} ms, p99 {quantiles(took, n=100)[98]:.0f} ms,"
                f" {sum(epochs) / lives:.2f} epochs and {sum(claims) / lives:.2f} claims a death"
            )
        for stall_ms in STALLS_MS:
            lost = sum(is_deposed(seed, members, stall_ms) for seed in range(lives))
            print(f"{members} members, leader stalls {stall_ms} ms: deposed in {lost} of {lives}")


if __name__ == "__main__":
    main()
