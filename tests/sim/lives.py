"""Random lives, each drawn from its seed.

grow      3 to 9 nodes: the first makes the network, the others join
suffer    faults of every kind, each seed with a mix of its own, while people talk
converge  the faults stop; within a bound all who stay must be of one mind, and keep the peace
endings   one cut link; at times a split that stands, a registry that is away, a leader that
          is frozen; last of all leader and one more are killed
"""

from dataclasses import replace
from random import Random

from node.core.events import Field
from node.core.timing import LAN, Timing

from .checkers import Broken
from .endings import Endings
from .network import Faults
from .trouble import ALWAYS, KINDS
from .world import World

CONVERGE_MS = 40_000
HOLES_MS = 80_000  # some more, one after the other, where one waits for each to be declared
SETTLED_MS = 3_000
PEACE_MS = 4_000
ENDING = 0.15  # how often each of the longer endings is lived


def mix(rng: Random) -> Faults:
    return Faults(
        loss=rng.choice([0, 0, 0.01, 0.05, 0.3]),
        lost_reply=rng.choice([0, 0, 0.05, 0.3]),
        repeat=rng.choice([0, 0, 0.05, 0.2]),
        spike=rng.choice([0, 0, 0.02, 0.1]),
        spike_ms=rng.choice([100, 600, 2_500]),
        lost_failure=rng.choice([0, 0, 0.3]),
        hints=rng.random() < 0.7,
    )


def pace(rng: Random) -> Timing:
    """The LAN's durations; bounds that small worlds would never reach are pulled down at times."""
    return replace(
        LAN,
        page_bytes=rng.choice([600, 3_000, LAN.page_bytes]),
        pending_max=rng.choice([3, LAN.pending_max, LAN.pending_max]),
        flight_max=rng.choice([2, LAN.flight_max]),
        log_max=rng.choice([5, 12, 50, LAN.log_max, LAN.log_max, LAN.log_max]),
        absent_ms=5_000,
    )


class Life(Endings):
    """One life in one world."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        super().__init__(World(rng.getrandbits(64), timing=pace(rng)), rng)
        # What waits for a line that nobody holds any more fills such a small bound, until that line
        # is declared lost; then the next one is waited for.
        self.tight = self.world.timing.pending_max < LAN.pending_max
        self.never: set[int] = set()  # machines that do not return
        self.elected_ms = 0
        self.converged_ms = 0

    def live(self) -> World:
        self.grow()
        self.suffer()
        self.converge()
        self.detour()
        for ending in (self.divide, self.outage, self.absent, self.blind, self.stall):
            if self.rng.random() < ENDING:
                ending()
        self.elect()
        return self.world

    # ---- act 1 ----

    def grow(self) -> None:
        world, rng = self.world, self.rng
        world.registry.start()
        world.run(1_000)
        for _ in range(rng.randint(3, 9)):
            self.newcomer()
            world.run(rng.choice([0, 20, 300, 1_000]))
        world.run(rng.choice([0, 2_000]))

    # ---- act 2 ----

    def suffer(self) -> None:
        world, rng = self.world, self.rng
        world.network.faults = mix(rng)
        kinds = [kind for kind in KINDS if kind in ALWAYS or rng.random() < 0.4]
        weights = [KINDS[kind] for kind in kinds]
        calmness = rng.choice([1, 3])  # how many lines are written for each fault
        end = world.now + rng.choice([8_000, 20_000, 40_000])
        while world.now < end:
            for _ in range(rng.randint(0, 2 * calmness)):
                self.talk()
                world.run(rng.choice([0, 1, 10, 100]))
            kind = rng.choices(kinds, weights)[0]
            self.fault(kind)
            world.run(int(rng.choice([30, 200, 800, 2_500]) * rng.random() * 2))

    def talk(self) -> None:
        world, rng = self.world, self.rng
        speakers = self.members()
        if not speakers:
            return
        number = rng.choice(speakers).number
        what = rng.random()
        if what < 0.87:
            world.tell(number)
        elif what < 0.9:
            world.repeat(number)
        elif what < 0.94:
            world.change(number, Field.NICK, f"nick{rng.randrange(6)}")
        elif what < 0.97:
            world.change(number, Field.TOPIC, f"topic {rng.randrange(100)}")
        else:
            world.change(number, Field.AWAY, rng.choice(["", "lunch"]))

    # ---- act 3 ----

    def calm(self) -> None:
        """Stop all faults; whoever is down returns, but for a few."""
        world, rng = self.world, self.rng
        world.say("-- the faults stop")
        world.network.heal()
        world.network.faults = Faults(hints=world.network.faults.hints)
        for machine in world.machines.values():
            machine.fuse = None
        if not world.registry.serving:
            world.registry.stop()
            world.registry.start()
            world.run_until(10_000_000, lambda: world.registry.serving)
        for process in [world.registry, *self.up()]:
            world.thaw(process)
        lost = rng.choice([0, 0, 0, 1, 2])
        for machine in self.down():
            knowing = [m for m in self.members() if m.group is not None]
            if lost and len(knowing) >= 2:
                lost -= 1
                self.never.add(machine.number)
                machine.wants = False
                world.count["fault: never returns"] += 1
            else:
                self.restart(machine)

    def waiting(self) -> str:
        """Who has a line that waits for another; empty when nobody has."""
        for machine in self.members():
            if machine.group is not None and (lines := machine.group.pending):
                return f"{machine.number} has {lines} lines that wait"
        return ""

    def converge(self) -> None:
        world = self.world
        self.calm()
        bound_ms = CONVERGE_MS + (HOLES_MS if self.tight else 0)
        self.converged_ms = self.settle(bound_ms)
        world.run(SETTLED_MS)  # What was under way when the faults stopped has come to an end.
        self.settle(bound_ms)
        if self.rng.random() < 0.3 and not world.run_until(HOLES_MS, lambda: not self.waiting()):
            raise Broken("S8", f"after {HOLES_MS} ms {self.waiting()}")
        long = self.rng.random() < 0.2
        world.run(LAN.relay_ms if long else 0)  # A relay sticks to a broken link so long.
        epochs, tells, lines = (world.count[what] for what in ("epochs", "tells", "lines"))
        staying = self.members()
        for _ in range(5):
            world.tell(self.rng.choice(staying).number)
            world.run(PEACE_MS // 5)
        self.settle(2_000)
        if world.count["epochs"] != epochs:
            raise Broken("cost", f"{world.count['epochs'] - epochs} elections in peace")
        told = (world.count["tells"] - tells) / (world.count["lines"] - lines)
        if told > (len(staying) + 3 if long else 2 * len(staying)):
            raise Broken("cost", f"{told} messages for each line among {len(staying)}")
