"""The simulator: whole networks in one thread, with links, disks and checkers around the core."""

from tests.sim.world import World

from .measure import Row, timed

NODES = 5
MINUTES = 2


def _running() -> tuple[int, float]:
    world = World(seed=1)
    for number in range(1, NODES + 1):
        world.add(number)
    world.found(1)
    for number in range(2, NODES + 1):
        world.start(number, via=1)
    world.run(5_000)
    before = world.handled

    def run() -> int:
        for second in range(60 * MINUTES):
            for line in range(10):
                world.at(line * 100, world.tell, 1 + (second + line) % NODES)
            world.run(1_000)
        return world.handled - before

    return timed(run)


ROWS = [Row(f"simulator: {NODES} nodes talking", "events", _running)]
