"""Random lives, each drawn from its seed.

grow      3 to 9 nodes: the first makes the network, the others join
suffer    faults of every kind, each seed with a mix of its own, while people talk
converge  the faults stop; within a bound all who stay must be of one mind, and keep the peace
endings   one cut link; at times a split that stands, a registry that is away, a leader that
          is frozen; last of all leader and one more are killed

What is done until the faults stop is a list of instants and commands, and so is what follows: a
life can be lived once more with parts of it left out.  Each act after that draws for itself.
"""

from collections.abc import Sequence
from random import Random

from node.core.timing import LAN, Timing

from .checkers import Broken
from .endings import Endings
from .options import KINDS, Options, draw
from .world import World

SETTLED_MS = 3_000
PEACE_MS = 4_000
ENDING = 0.15  # how often each of the longer endings is lived
SOMETIMES = ("divide", "outage", "absent", "blind", "stall")
ACTS = ("converge", "detour", *SOMETIMES, "elect", "wait")
KEEP = 3  # machines that do not lose the group
Steps = Sequence[tuple[int, str]]  # instants, and what is done then


def converge_ms(timing: Timing, members: int) -> int:
    """Within so long all are of one mind, after the last fault.

    One that heard nothing reads the record; it stands, waits and claims; members that do not return
    are suspected and dropped; what is lacking is found by anti-entropy with one random member after
    another, until the log is even everywhere.
    """
    hears = timing.record_ms
    elects = timing.t2_ms + timing.elect_ms + timing.wait_ms + timing.claim_ms
    drops = timing.suspect_ms + timing.retry_max_ms
    rounds = members.bit_length()  # who has it doubles with each round
    return hears + elects + drops + rounds * (timing.sync_ms * 6 // 5) + 2 * timing.sync_call_ms


class Life(Endings):
    """One life in one world: as its seed has it, or as `steps` say."""

    def __init__(self, seed: int, steps: Steps = ()) -> None:
        rng = Random(seed)
        self.options: Options = draw(rng)
        timing, faults = self.options.timing, self.options.faults
        super().__init__(World(rng.getrandbits(64), faults.calm(), timing), rng)
        self.seed = seed
        self.scale = self.options.scale
        self.hands.weather, self.hands.keep = faults, KEEP
        self.given = steps
        self.acts: list[tuple[int, str]] = []
        # What waits for a line that nobody holds any more fills such a small bound, until that line
        # is declared lost; then the next one is waited for.
        self.tight = timing.pending_max < LAN.pending_max
        self.elected_ms = 0
        self.converged_ms = 0
        self.converged_share = 0.0  # of the bound

    def live(self) -> World:
        if self.given:
            self.again()
        else:
            self.grow()
            self.suffer()
            rng = Random(f"{self.seed} acts")
            some = [act for act in SOMETIMES if rng.random() < ENDING]
            at = self.world.now
            for act in ("converge", "detour", *some, "elect"):
                self.act(at, act)
        return self.world

    def again(self) -> None:
        """Do what was written down."""
        for at, step in self.given:
            self.world.run(max(0, at - self.world.now))
            if step in ACTS:
                self.act(at, step)
            else:
                self.world.say(f"-- {step}")
                self.hands.do(step)

    def act(self, at: int, name: str) -> None:
        """One of the acts that follow the faults: it draws by itself, whatever came before."""
        self.acts.append((at, name))
        self.rng = Random(f"{self.seed} {name}")
        writing, self.hands.done = self.hands.done, []
        try:
            if name != "wait":
                getattr(self, name)()
        finally:
            self.hands.done = writing

    def steps(self) -> Steps:
        """What was done until now."""
        acts = self.acts or [(self.world.now, "wait")]
        return (*self.hands.done, *acts)

    # ---- act 1 ----

    def grow(self) -> None:
        world, rng = self.world, self.rng
        self.do("registry up")
        world.run(1_000)
        for _ in range(self.options.members):
            self.newcomer()
            world.run(rng.choice([0, 20, 300, 1_000]))
        world.run(rng.choice([0, 2_000]))

    # ---- act 2 ----

    def suffer(self) -> None:
        world, rng, options = self.world, self.rng, self.options
        self.do("weather on")
        weights = [KINDS[kind] for kind in options.kinds]
        end = world.now + options.trouble_ms
        while world.now < end:
            for _ in range(rng.randint(0, options.talk)):
                self.talk()
                world.run(rng.choice([0, 1, 10, 100]))
            kind = rng.choices(options.kinds, weights)[0]
            self.fault(kind)
            world.run(int(options.pace * rng.choice([30, 200, 800, 2_500]) * rng.random() * 2))

    def talk(self) -> None:
        rng = self.rng
        speakers = self.members()
        if not speakers:
            return
        number = rng.choice(speakers).number
        what = rng.random()
        if what < 0.8:
            self.do(f"say {number}")
        elif what < 0.87:
            self.do(f"paste {number} {2 + int(1_000 * what) % 3}")
        elif what < 0.9:
            self.do(f"again {number}")
        elif what < 0.94:
            self.do(f"nick {number} nick{rng.randrange(6)}")
        elif what < 0.97:
            self.do(f"topic {number} topic {rng.randrange(100)}")
        else:
            self.do(f"away {number} {rng.choice(['', 'lunch'])}")

    # ---- act 3 ----

    def calm(self) -> None:
        """Stop all faults; whoever is down returns, but for a few."""
        world, rng = self.world, self.rng
        world.say("-- the faults stop")
        world.network.heal()
        world.network.faults = world.network.faults.calm()
        for machine in world.machines.values():
            machine.fuse = None
            machine.full = machine.orphans = False
        if not world.registry.serving:
            world.registry.stop()
            world.registry.start()
            world.run_until(10_000_000, lambda: world.registry.serving)
        for process in [world.registry, *self.up()]:
            world.thaw(process)
        lost = rng.choice([0, 0, 0, 1, 2])
        for machine in self.down():
            # Who is on the way out lets nobody in.
            knowing = [m for m in self.members() if m.wants and not m.closing]
            if lost and len(knowing) >= 2:
                lost -= 1
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
        world, timing = self.world, self.world.timing
        self.calm()
        bound_ms = converge_ms(timing, len(world.machines))
        holes_ms = 8 * timing.hole_ms  # Some, one after the other, each of them waited for.
        longest_ms = bound_ms + (holes_ms if self.tight else 0)
        self.converged_ms = self.settle(longest_ms)
        self.converged_share = self.converged_ms / bound_ms
        world.run(self.ms(SETTLED_MS))  # What was under way has come to an end.
        self.settle(longest_ms)
        if self.rng.random() < 0.3 and not world.run_until(holes_ms, lambda: not self.waiting()):
            raise Broken("S8", f"after {holes_ms} ms {self.waiting()}")
        self.keep_peace()

    def keep_peace(self) -> None:
        """Nobody stands for election, and a line costs little."""
        world = self.world
        long = self.rng.random() < 0.2
        world.run(world.timing.relay_ms if long else 0)  # A relay sticks to a broken link so long.
        epochs, tells, lines = (world.count[what] for what in ("epochs", "tells", "lines"))
        staying = self.members()
        for _ in range(5):
            world.tell(self.rng.choice(staying).number)
            world.run(self.ms(PEACE_MS // 5))
        # What follows a line that nobody holds is seen by its author alone until that is found.
        self.settle(8 * world.timing.hole_ms if self.waiting() else self.ms(2_000))
        if world.count["epochs"] != epochs:
            raise Broken("cost", f"{world.count['epochs'] - epochs} elections in peace")
        told = (world.count["tells"] - tells) / (world.count["lines"] - lines)
        if told > (len(staying) + 3 if long else 2 * len(staying)):
            raise Broken("cost", f"{told} messages for each line among {len(staying)}")
