"""Random lives, each drawn from its seed.

grow      3 to 9 nodes: the first makes the network, the others join
suffer    faults of every kind, each seed with a mix of its own, while people talk
converge  the faults stop; within a bound all who stay must be of one mind, and keep the peace
elect     leader and one more are killed: the lowest survivor leads by exactly one election
"""

from dataclasses import replace
from random import Random

from node.core.events import Field
from node.core.timing import LAN, Timing

from .checkers import Broken
from .network import Faults
from .trouble import ALWAYS, KINDS, Trouble
from .world import World

CONVERGE_MS = 40_000
SETTLED_MS = 3_000
PEACE_MS = 4_000
ELECT_MS = 8_000
DETOUR_MS = 1_500

STANDING = [
    "halves, registry on both",
    "halves, registry on one",
    "halves, registry on none",
    "halves, registry calls nobody",
    "bridge",
    "line",
    "leader alone",
    "leader and registry alone",
    "one away",
    "leader is deaf",
]


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
        relayed_max=rng.choice([3, LAN.relayed_max, LAN.relayed_max]),
    )


class Life(Trouble):
    """One life in one world."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        super().__init__(World(rng.getrandbits(64), timing=pace(rng)), rng)
        self.never: set[int] = set()  # machines that do not return
        self.elected_ms = 0
        self.converged_ms = 0

    def live(self) -> World:
        self.grow()
        self.suffer()
        self.converge()
        if self.rng.random() < 0.15:
            self.divide()
        self.detour()
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
        if what < 0.9:
            world.tell(number)
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

    def settle(self, bound_ms: int) -> int:
        """Run until all are of one mind; answers how long that took."""
        world = self.world
        began = world.now
        if not world.run_until(bound_ms, lambda: not world.oracle.unsettled(), step=250):
            raise Broken("S8", f"no convergence in {bound_ms} ms: {world.oracle.unsettled()}")
        return world.now - began

    def converge(self) -> None:
        world = self.world
        self.calm()
        self.converged_ms = self.settle(CONVERGE_MS)
        world.run(SETTLED_MS)  # What was under way when the faults stopped has come to an end.
        self.settle(CONVERGE_MS)
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

    def divide(self) -> None:
        """A split that stands: after a minute at most one election in another."""
        world, rng = self.world, self.rng
        if len(self.members()) < 3:
            return
        split = rng.choice(STANDING)
        world.say(f"-- a standing split: {split}")
        world.count[f"standing: {split}"] += 1
        self.stand(split)
        world.run(60_000)
        epochs = world.count["epochs"]
        for _ in range(6):
            world.run(10_000)
            self.talk()
        took = world.count["epochs"] - epochs
        if took > 1:
            raise Broken("cost", f"{took} elections in a minute of a standing split ({split})")
        world.count["fault: heal"] += 1
        world.network.heal()
        self.settle(20_000)

    def stand(self, split: str) -> None:
        """Cut the network in a way that is meant to last."""
        network = self.world.network
        numbers = [m.number for m in self.members()]
        leader = next(m.number for m in self.members() if m.group is not None and m.group.leads)
        others = [number for number in numbers if number != leader]
        half = len(numbers) // 2
        match split:
            case "halves, registry on both":
                network.part(numbers[:half], numbers[half:])
            case "halves, registry on one":
                network.part([0, *numbers[:half]], numbers[half:])
            case "halves, registry on none":
                network.part([0], numbers[:half], numbers[half:])
            case "halves, registry calls nobody":
                network.part(numbers[:half], numbers[half:])
                network.blocked |= {(0, number) for number in numbers}
            case "bridge":
                network.part(numbers[1 : half + 1], numbers[half + 1 :])
            case "line":
                for k, number in enumerate(numbers):
                    network.part([number], numbers[k + 2 :])
            case "leader alone":
                network.part([leader], others)
            case "leader and registry alone":
                network.part([leader, 0], others)
            case "one away":
                network.part([others[0]], [n for n in numbers if n != others[0]])
            case "leader is deaf":
                network.cut |= {(number, leader) for number in others}

    def detour(self) -> None:
        """Cut one link: a line goes round by a relay, and nobody stands for election."""
        world = self.world
        staying = self.members()
        if len(staying) < 3:
            return
        one, other = self.rng.sample(staying, 2)
        world.say(f"-- the link between {one.number} and {other.number} is cut")
        epochs, claims = world.count["epochs"], world.count["claims"]
        world.network.part([one.number], [other.number])
        text = "the long way round"
        world.tell(one.number, text)
        seen = world.oracle.seen_by(other).lines
        if not world.run_until(DETOUR_MS, lambda: (one.me, text) in seen):
            raise Broken("relay", f"{one.number} does not get round to {other.number}")
        world.run(2_500)
        world.network.heal()
        self.settle(10_000)
        if (world.count["epochs"], world.count["claims"]) != (epochs, claims):
            raise Broken("cost", "one cut link makes a member claim")

    # ---- act 4 ----

    def elect(self) -> None:
        world, rng = self.world, self.rng
        staying = self.members()
        if len(staying) < 3:
            return
        # Who last found the registry silent leaves an election to others until it reads the record.
        groups = [m.group for m in staying if m.group is not None]
        world.run_until(2 * LAN.record_ms, lambda: all(g.nds_up for g in groups), step=500)
        world.say("-- leader and one more die")
        leader = next(m for m in staying if m.group is not None and m.group.leads)
        other = rng.choice([m for m in staying if m is not leader])
        last = world.oracle.last_epoch
        for machine in (leader, other):
            machine.wants = False
            world.kill(machine.number)
            world.run(rng.choice([0, 0, 5, 20]))
        lowest = min(m.me for m in staying if m not in {leader, other})
        began = world.now
        survivors = [m for m in staying if m not in {leader, other}]

        def done() -> bool:
            groups = [m.group for m in survivors if m.group is not None]
            return all(g.leader == lowest and not g.provisional for g in groups)

        if not world.run_until(ELECT_MS, done, step=5):
            raise Broken("election", f"{lowest} does not lead: {world.oracle.unsettled()}")
        self.elected_ms = world.now - began
        world.count["elected"] += 1
        for machine in survivors:
            world.tell(machine.number)
        self.settle(15_000)
        won = [who for epoch, who in world.oracle.leader_of.items() if epoch > last]
        if won not in ([lowest], [other.me, lowest]):  # The other's claim may have been under way.
            raise Broken("election", f"{won} won one after another; {lowest} is the lowest")
