"""Figures: what an election costs, and what it costs to notice a death soon.

python -m tests.sim.elections [--lives 20] [--write]

`--write` puts the tables into tests/sim/figures.md, and the picture into tests/sim/pictures/.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median

from msgspec import Struct

from node.core.messages import Coordinator, Elect, Ping
from node.core.timing import LAN, WAN, Timing

from .machine import Machine
from .network import Faults
from .svg import curve
from .world import World

HERE = Path(__file__).parent
SIZES = (3, 5, 10, 20, 50)
IDLE_MS = 60_000
LATE_MS = 50  # what is under way when all agree
REST_MS = 2_000
AGREE_MS = 60_000
PRESETS = {"lan": LAN, "lan x 2": LAN.scaled(2), "wan": WAN}
IDLE_MEMBERS = 10


class Cost(Struct, frozen=True):
    """What one death of a leader cost."""

    took_ms: int
    winner: int  # messages that the next leader sent
    most: int  # that the busiest other member sent
    messages: int  # in all
    claims: int
    epochs: int


def grown(seed: int, members: int, timing: Timing = LAN, *, hints: bool = True) -> World:
    """A group that has settled, at an instant of its own."""
    world = World(seed, Faults(hints=hints), timing)
    world.registry.start()
    world.run(1_000)
    for number in range(1, members + 1):
        machine = world.add(number)
        if number == 1:
            world.found(1)
        else:
            world.start(number, 1)
        done = world.run_until(20_000, lambda at=machine: bool(at.me), step=5)  # type: ignore[misc]
        assert done, f"seed {seed}: {number} does not get in"
    world.run(timing.sync_ms * 2 + Random(seed).randrange(timing.t2_ms))
    return world


class Sent:
    """Counts the calls that machines make, by machine and by kind."""

    def __init__(self, world: World) -> None:
        self.by: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self.about: int = 0  # of an election about this leader only; 0 for every call
        network, call = world.network, world.network.call

        def counting(caller, call_id, target, request, deadline):  # type: ignore[no-untyped-def]
            if caller.number and (not self.about or self._elects(request)):
                self.by[caller.number] += 1
                self.kinds[type(request).__name__] += 1
            call(caller, call_id, target, request, deadline)

        network.call = counting  # type: ignore[method-assign]

    def _elects(self, request: object) -> bool:
        if isinstance(request, Ping):
            return request.caller.callee == self.about
        return isinstance(request, Elect | Coordinator)


def death(seed: int, members: int, *, kill: bool, timing: Timing = LAN) -> Cost:
    """The leader dies: until all others follow the next, and what follows from it at once."""
    world = grown(seed, members, timing)
    (leader,) = (machine for machine in world.machines.values() if machine.leading)
    epochs, claims, began = world.count["epochs"], world.count["claims"], world.now
    sent = Sent(world)
    sent.about = leader.me
    if kill:
        world.kill(leader.number)
    else:
        world.freeze(leader)
    rest = [machine for machine in world.machines.values() if machine is not leader]
    agree(world, rest, epochs, seed)
    took = world.now - began
    world.run(LATE_MS)
    by, messages = dict(sent.by), sum(sent.by.values())
    (winner,) = (machine.number for machine in rest if machine.leading)
    world.run(REST_MS)
    return Cost(
        took,
        by.pop(winner, 0),
        max(by.values(), default=0),
        messages,
        world.count["claims"] - claims,
        world.count["epochs"] - epochs,
    )


def agree(world: World, rest: list[Machine], epochs: int, seed: int) -> None:
    """Run until these follow one leader of a new epoch."""

    def agreed() -> bool:
        followed = {(m.group.epoch, m.group.leader) for m in rest if m.group is not None}
        return world.count["epochs"] > epochs and len(followed) == 1

    assert world.run_until(AGREE_MS, agreed, step=1), f"seed {seed}: nobody leads"


def detection(seed: int, timing: Timing) -> int:
    """How long it takes until somebody stands after a leader froze, which breaks no connection."""
    world = grown(seed, 5, timing, hints=False)
    (leader,) = (machine for machine in world.machines.values() if machine.leading)
    started, began = world.count["election started"], world.now
    world.freeze(leader)

    def noticed() -> bool:
        return world.count["election started"] > started

    assert world.run_until(AGREE_MS, noticed, step=1), f"seed {seed}: nobody notices"
    return world.now - began


def idle(seed: int, timing: Timing, members: int = IDLE_MEMBERS) -> float:
    """Calls that a member makes in a minute in which nobody says anything, on the average."""
    world = grown(seed, members, timing)
    sent = Sent(world)
    world.run(IDLE_MS)
    return sum(sent.by.values()) / members


def costs_table(lives: int) -> list[str]:
    rows = [
        "| members | leader | new leader after: median | at most | messages: of the winner"
        " | of any other, at most | of one, on the average | in all | claims | epochs |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for members in SIZES:
        for kill in (True, False):
            costs = [death(seed, members, kill=kill) for seed in range(lives)]
            rows.append(
                f"| {members} | {'killed' if kill else 'frozen'}"
                f" | {median(cost.took_ms for cost in costs):.0f} ms"
                f" | {max(cost.took_ms for cost in costs)} ms"
                f" | {max(cost.winner for cost in costs)}"
                f" | {max(cost.most for cost in costs)}"
                f" | {max(cost.messages for cost in costs) / members:.1f}"
                f" | {max(cost.messages for cost in costs)}"
                f" | {max(cost.claims for cost in costs)} | {max(cost.epochs for cost in costs)} |"
            )
            print(rows[-1], flush=True)
    return rows


def detection_table(lives: int) -> tuple[list[str], list[tuple[str, float, float]]]:
    rows = [
        "| preset | t1 ... t2 | a frozen leader is noticed after: median | at most"
        " | idle calls of a member in a minute |",
        "|---|---:|---:|---:|---:|",
    ]
    points = []
    for name, timing in PRESETS.items():
        took = [detection(seed, timing) for seed in range(lives)]
        calls = idle(1, timing)
        rows.append(
            f"| {name} | {timing.t1_ms} ... {timing.t2_ms} ms | {median(took):.0f} ms"
            f" | {max(took)} ms | {calls:.0f} |"
        )
        print(rows[-1], flush=True)
        points.append((name, calls, median(took)))
    return rows, points


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.elections", description=__doc__)
    parser.add_argument("--lives", type=int, default=20, help="groups for each figure")
    parser.add_argument("--write", action="store_true", help="write the tables and the picture")
    given = parser.parse_args()
    costs = costs_table(given.lives)
    detected, points = detection_table(given.lives)
    if given.write:
        text = (HERE / "figures.head.md").read_text("utf-8")
        text = text.replace("{costs}", "\n".join(costs)).replace("{detection}", "\n".join(detected))
        (HERE / "figures.md").write_text(text, "utf-8")
        (HERE / "pictures").mkdir(exist_ok=True)
        picture = curve(points, "idle calls of a member in a minute", "ms until noticed")
        (HERE / "pictures" / "detection.svg").write_text(picture, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
