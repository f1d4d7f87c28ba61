"""Lines are edited and redacted in random lives: everybody ends with the same, and what was to be
erased is in no log.
"""

from random import Random

import pytest

from node.core.conversation import Kind, Spot

from .busy import young
from .hands import Hands
from .machine import Machine
from .network import Faults
from .world import World

STEPS = 60
CALM_MS = 30_000


def shown(machine: Machine) -> dict[Spot, tuple[str, int]]:
    """What people read at a machine: the text of each line, and who redacted it."""
    group, found = machine.group, {}
    assert group is not None
    log = machine.disk.messages
    for message in log.values():
        for at in range(len(message.ids) if message.is_said else 0):
            spot = Spot(message.key, at)
            known = group.changed(spot)
            edit = known.edit if known is not None else None
            text = log[edit.key].texts[0] if edit is not None else message.texts[at]
            found[spot] = text, known.redacted_by if known is not None else 0
    return found


def suffer(world: World, rng: Random) -> set[str]:
    """People talk, edit and redact, while halves are cut and processes die; gives all texts."""
    texts, numbers, hands = set[str](), sorted(world.machines), Hands(world)
    for step in range(STEPS):
        running = [m for m in world.machines.values() if m.group is not None and m.me]
        machine = rng.choice(running)
        lines = [m for m in machine.disk.messages.values() if m.is_said]
        own = [m for m in lines if m.key.source == machine.me]
        what = rng.choice(["say", "say", "edit", "redact", "any", "cut", "heal", "die", "rest"])
        if what == "say":
            texts.add(f"said in step {step}")
            world.tell(machine.number, f"said in step {step}")
        elif what == "edit" and own:
            texts.add(f"edited in step {step}")
            spot = Spot(rng.choice(own).key, 0)
            world.alter(machine.number, Kind.EDIT, spot, f"edited in step {step}")
        elif what in ("redact", "any") and (own if what == "redact" else lines):
            spot = Spot(rng.choice(own if what == "redact" else lines).key, 0)
            world.alter(machine.number, Kind.REDACT, spot)
        elif what == "cut":
            one = rng.sample(numbers, len(numbers) // 2)
            others = [n for n in numbers if n not in one]
            hands.do(f"split {named(one)} | {named([0, *others])}")
        elif what == "heal":
            hands.do("heal")
        elif what == "die" and len(running) > 1:
            world.kill(machine.number)
            world.start(machine.number)
        world.run(rng.choice([1, 10, 100, 1_000]))
    hands.do("heal")
    return texts


def named(numbers: list[int]) -> str:
    return " ".join(map(str, numbers))


@pytest.mark.parametrize("seed", range(30))
def test_everybody_reads_the_same_and_what_is_gone_is_gone(seed: int) -> None:
    world, rng = young(seed, told=True)
    world.network.faults = Faults(loss=rng.choice([0, 0.05]))
    texts = suffer(world, rng)
    world.network.faults = Faults()
    machines = [m for m in world.machines.values() if m.group is not None]

    def agreed() -> bool:
        hashes = {m.group.history_hash for m in machines if m.group is not None}
        return len(hashes) == 1 and not any(m.group.waiting for m in machines if m.group)

    assert world.run_until(CALM_MS, agreed), f"seed {seed}: histories differ"
    world.run(CALM_MS)
    views = [shown(machine) for machine in machines]
    assert all(view == views[0] for view in views), f"seed {seed}"
    read = {text for text, _ in views[0].values()}
    assert any(by for _, by in views[0].values()), f"seed {seed} redacts nothing"
    for machine in machines:
        kept = {text for message in machine.disk.messages.values() for text in message.texts}
        assert kept & texts <= read, f"seed {seed}: {machine.number} has {kept & texts - read}"
