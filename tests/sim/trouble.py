"""What can go wrong in a life: one method for each kind of fault, drawing whom it befalls."""

from collections.abc import Iterable
from random import Random

from .hands import Hands
from .machine import Machine
from .world import World

MACHINES_MAX = 10
CLONES_MAX = 2


class Crowd:
    """The machines of a world, and their users' comings and goings."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world, self.rng = world, rng
        self.hands = Hands(world)
        self.do = self.hands.do

    def up(self) -> list[Machine]:
        return [m for m in self.world.machines.values() if m.group is not None]

    def members(self) -> list[Machine]:
        return [m for m in self.up() if m.me]

    def down(self) -> list[Machine]:
        """Machines whose node does not run though it should, or should say that it left."""
        machines = [m for m in self.world.machines.values() if not m.hosting]
        return [m for m in machines if m.wants or (m.disk.meta and m.disk.meta.leaving)]

    def leaders(self) -> list[Machine]:
        return [m for m in self.up() if m.group is not None and m.group.leads]

    def numbers(self) -> list[int]:
        return [0, *self.world.machines]

    def newcomer(self) -> Machine:
        number = len(self.world.machines) + 1
        skew = self.rng.choice([0, 0, 0, 500, -500, 600_000, -600_000])
        self.do(f"new {number} {skew}" if skew else f"new {number}")
        if number == 1:
            self.do("found 1")
        else:
            self._start_through(number, [0, *(m.number for m in self.members())])
        return self.world.machines[number]

    def restart(self, machine: Machine) -> None:
        others = [m.number for m in self.members() if m is not machine]
        self._start_through(machine.number, [0, *others])

    def _start_through(self, number: int, some: list[int]) -> None:
        via = self.rng.choice(some)
        self.do(f"start {number} via {via}" if via else f"start {number}")


class Trouble(Crowd):
    """Every kind of fault, called by its name."""

    def fault(self, kind: str) -> None:
        self.world.say(f"-- {kind}")
        done = getattr(self, "_" + kind.replace(" ", "_"))()
        if done is not False:
            self.world.count[f"fault: {kind}"] += 1

    def _some(self, machines: list[Machine]) -> Machine | None:
        return self.rng.choice(machines) if machines else None

    def _to_some(self, verb: str, machines: list[Machine]) -> bool:
        machine = self._some(machines)
        return machine is not None and self.do(f"{verb} {machine.number}")

    def split(self, *sides: Iterable[int]) -> None:
        self.do("split " + " | ".join(" ".join(map(str, side)) for side in sides))

    def mend(self, *sides: Iterable[int]) -> None:
        self.do("mend " + " | ".join(" ".join(map(str, side)) for side in sides))

    def run(self, ms: int) -> None:
        self.world.run(ms)

    # ---- processes and disks ----

    def _kill(self) -> bool:
        return self._to_some("kill", self.up())

    def _kill_leader(self) -> None:
        for machine in self.leaders():
            self.do(f"kill {machine.number}")

    def _crash(self) -> bool:
        machine = self._some([m for m in self.up() if not m.frozen])
        effects = self.rng.choice([0, 1, 2, 3, 5, 8, 20])
        how = " committed" if self.rng.random() < 0.4 else ""
        return machine is not None and self.do(f"crash {machine.number} after {effects}{how}")

    def _start(self) -> bool:
        machine = self._some(self.down())
        if machine is None:
            return False
        self.restart(machine)
        return True

    def _wipe(self) -> bool:
        """Lose a disk, unless too few would be left that know the group."""
        machine = self._some(self.down())
        key = f" as {self.rng.randbytes(4).hex()}" if self.rng.random() < 0.5 else ""
        return machine is not None and self.do(f"wipe {machine.number}{key}")

    def _lose(self) -> bool:
        """A line that only one other gets, who answers it; then both of their disks are lost."""
        return bool(self._say_to_one(wipe=True))

    def _away(self) -> bool:
        """The same, but both return: after the line has been declared lost, as the case may be."""
        gone = self._say_to_one(wipe=False)
        for _ in range(6 if gone else 0):
            self.run(self.rng.choice([1_000, 5_000, 10_000]))
            self._to_some("say", self.members())
        for machine in gone:
            if not machine.hosting:
                self.restart(machine)
        return bool(gone)

    def _say_to_one(self, *, wipe: bool) -> list[Machine]:
        """Author and witness of a line that nobody else has, and of its answer, both dead now."""
        members = [m for m in self.members() if m.disk.meta and not m.frozen]
        if len(members) < 5:
            return []
        author, witness = self.rng.sample(members, 2)
        others = [n for n in self.numbers() if n not in {author.number, witness.number}]
        self.split([author.number], others)
        for machine in (author, witness):
            self.do(f"say {machine.number}")
            self.run(self.rng.choice([3, 5, 20]))
        self.mend([author.number], others)
        for machine in (author, witness):
            self.do(f"kill {machine.number}")
            if wipe:
                self.do(f"wipe {machine.number}")
        return [author, witness]

    def _backup(self) -> None:
        for number in self.world.machines:
            self.do(f"save {number}")

    def _restore(self) -> bool:
        """Put an old disk back, unless too few would be left that know the group."""
        saved = [m for m in self.down() if m.backup and m.backup.meta and m.backup.meta.member]
        return self._to_some("restore", saved)

    def _swap(self) -> bool:
        machines = self.down()
        if len(machines) < 2:
            return False
        one, other = self.rng.sample(machines, 2)
        return self.do(f"swap {one.number} {other.number}")

    def _move(self) -> bool:
        return self._to_some("move", self.down())

    def _clone(self) -> bool:
        """A copied profile is started beside the one it was made from."""
        world = self.world
        number = len(world.machines) + 1
        if number > MACHINES_MAX or world.count["fault: clone"] >= CLONES_MAX:
            return False
        machines = [m for m in world.machines.values() if m.wants and m.disk.meta]
        machine = self._some([m for m in machines if m.disk.meta and m.disk.meta.member])
        if machine is None:
            return False
        skew = machine.skew + self.rng.choice([-37, 3, 250])  # No two clocks agree to the ms.
        if not self.do(f"clone {machine.number} as {number} {skew}"):
            return False
        self.run(self.rng.choice([0, 100, 3_000]))
        self.restart(world.machines[number])
        return True

    def _log_without_profile(self) -> bool:
        """Somebody crashes when just admitted, and joins anew without the log of that."""
        if len(self.world.machines) >= MACHINES_MAX:
            return False
        machine = self.newcomer()
        self.do(f"orphan {machine.number}")
        return True

    def _disk_full(self) -> bool:
        return self._to_some("fill", [m for m in self.up() if not m.full])

    def _disk_empty(self) -> bool:
        return self._to_some("empty", [m for m in self.world.machines.values() if m.full])

    def _freeze(self) -> bool:
        return self._to_some("freeze", self.up())

    def _freeze_leader(self) -> None:
        for machine in self.leaders():
            self.do(f"freeze {machine.number}")

    def _thaw(self) -> None:
        if self.rng.random() < 0.6:
            self.do("registry thaw")
        for machine in self.up():
            if self.rng.random() < 0.6:
                self.do(f"thaw {machine.number}")

    def _stall_all(self) -> None:
        machines = self.up()
        for machine in machines:
            self.do(f"freeze {machine.number}")
        self.run(self.rng.randint(300, 3_000))
        self.rng.shuffle(machines)
        for machine in machines:
            self.do(f"thaw {machine.number}")
            self.run(self.rng.randint(0, 200))

    def _restart_all(self) -> None:
        machines = self.up()
        for machine in machines:
            self.do(f"kill {machine.number}")
        self.run(self.rng.randint(1, 300))
        self.rng.shuffle(machines)
        for machine in machines:
            if machine.group is None and machine.wants:
                self.restart(machine)
            self.run(self.rng.randint(0, 200))

    # ---- the network ----

    def _cut_one_way(self) -> None:
        one, other = self.rng.sample(self.numbers(), 2)
        self.do(f"cut {one}>{other}")

    def _block(self) -> None:
        one, other = self.rng.sample(self.numbers(), 2)
        self.do(f"block {one}>{other}")

    def _bad_link(self) -> None:
        one, other = self.rng.sample(self.numbers()[1:], 2)
        self.do(f"cut {one} {other}")

    def _sides(self) -> tuple[list[int], list[int]]:
        numbers = list(self.world.machines)
        self.rng.shuffle(numbers)
        half = self.rng.randint(1, len(numbers) - 1)
        return numbers[:half], numbers[half:]

    def _halves(self) -> None:
        one, other = self._sides()
        registry = self.rng.randrange(4)  # on one side, on the other, on both, on none
        ones = [*one, 0] if registry in {0, 3} else one
        others = [*other, 0] if registry in {1, 3} else other
        self.split(ones, others)

    def _two_sides(self) -> bool:
        """Each side of a split goes on: in each somebody comes and somebody leaves."""
        if len(self.members()) < 4 or len(self.world.machines) + 2 > MACHINES_MAX:
            return False
        for side in self._rival_sides():
            self._come(side)
            if sum(m.number in side for m in self.members()) > 2:
                self._to_some("leave", [m for m in self.members() if m.wants and m.number in side])
            self.run(self.rng.choice([500, 4_000, 8_000]))
        return True

    def _rival_sides(self) -> tuple[list[int], list[int]]:
        """The leader, who still has ids to give, cut off from the registry; and all the others."""
        one, other = self._sides()
        if {machine.number for machine in self.leaders()}.isdisjoint(one):
            one, other = other, one
        self.split(one, [*other, 0])
        return one, other

    def _come(self, side: list[int], number: int = 0) -> int:
        """Somebody joins on one side, which is all that it can call; answers its number."""
        there = [m.number for m in self.members() if m.number in side]
        rest = [n for n in self.numbers()[1:] if n not in side]
        if not number:
            number = len(self.world.machines) + 1
            self.do(f"new {number}")
        self.mend([number], side)
        self.split([number], [n for n in rest if n != number])
        if there:
            self.do(f"start {number} via {self.rng.choice(there)}")
        self.run(self.rng.choice([100, 1_000, 4_000]))
        return number

    def _admitted_twice(self) -> bool:
        """Somebody joins on one side of a split, loses that log, and joins on the other."""
        if len(self.members()) < 4 or len(self.world.machines) >= MACHINES_MAX:
            return False
        one, other = self._rival_sides()
        number = self._come(one)
        self.run(self.rng.choice([500, 4_000]))
        self.do(f"save {number}")
        self.do(f"kill {number}")
        self.do(f"wipe {number}")
        self._come(other, number)
        if self.rng.random() < 0.5:  # And finds the log of the first time again.
            self.do(f"kill {number}")
            self.do(f"restore {number}")
            self.do(f"start {number}")
        return True

    def _flap(self) -> None:
        one, other = self._sides()
        for _ in range(self.rng.randint(1, 3)):
            self.split(one, other)
            self.run(self.rng.randint(50, 3_000))
            self.mend(one, other)
            self.run(self.rng.randint(50, 1_500))

    def _bridge(self) -> None:
        """Two sides that only one member reaches both of."""
        one, other = self._sides()
        self.split(one[1:], other)

    def _isolate(self) -> None:
        number = self.rng.choice(self.numbers()[1:])
        self.split([number], [n for n in self.numbers() if n != number])

    def _isolate_leader(self) -> None:
        for machine in self.leaders():
            self.split([machine.number], [n for n in self.numbers() if n != machine.number])

    def _leader_and_registry_alone(self) -> None:
        for machine in self.leaders():
            others = [n for n in self.numbers()[1:] if n != machine.number]
            self.split([machine.number, 0], others)

    def _registry_cut(self) -> None:
        numbers = self.numbers()[1:]
        self.split([0], self.rng.sample(numbers, self.rng.randint(1, len(numbers))))

    def _heal(self) -> None:
        self.do("heal")

    # ---- the registry ----

    def _registry_down(self) -> None:
        self.do("registry down")

    def _registry_up(self) -> bool:
        return not self.world.registry.serving and self.do("registry up")

    def _registry_wiped(self) -> None:
        self._registry_returns("wipe")

    def _registry_backup(self) -> None:
        self.do("registry save")

    def _registry_rolled_back(self) -> None:
        self._registry_returns("back")

    def _registry_returns(self, how: str) -> None:
        self.do("registry down")
        self.do(f"registry {how}")
        self.run(self.rng.randint(1_000, 3_000))
        self.do("registry up")

    def _registry_frozen(self) -> bool:
        return self.world.registry.serving and self.do("registry freeze")

    # ---- clocks and people ----

    def _clock_jump(self) -> None:
        for machine in self.world.machines.values():
            if self.rng.random() < 0.4:
                skew = machine.skew + self.rng.choice([-600_000, 600_000])
                self.do(f"skew {machine.number} {skew}")

    def _false_hint(self) -> bool:
        machines = self.members()
        if len(machines) < 2:
            return False
        one, other = self.rng.sample(machines, 2)
        return self.do(f"hint {one.number} {other.number}")

    def _leave(self) -> bool:
        machines = [m for m in self.members() if m.wants]
        return len(machines) >= 4 and self._to_some("leave", machines)

    def _close(self) -> bool:
        machines = [m for m in self.members() if m.wants]
        return len(machines) >= 2 and self._to_some("close", machines)  # Somebody lets others in.

    def _newcomer(self) -> bool:
        """Somebody new, or one who left and returns."""
        if len(self.world.machines) < 9 and self.rng.random() < 0.6:
            self.newcomer()
            return True
        gone = [m for m in self.world.machines.values() if m.group is None and not m.wants]
        machine = self._some([m for m in gone if not m.stalled])
        if machine is None:
            return False
        self.restart(machine)
        return True

    def _challenge(self) -> bool:
        return self._to_some("challenge", self.members())
