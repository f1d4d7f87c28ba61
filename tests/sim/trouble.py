"""What can go wrong in a life: one method for each kind of fault, drawing whom it befalls."""

from random import Random

from .machine import Machine
from .world import World

# Each kind of fault with its weight; `suffer` draws a share of them for each seed.
KINDS = {
    "kill": 3,
    "kill leader": 1,
    "crash": 4,
    "start": 8,
    "wipe": 1,
    "lose": 3,
    "backup": 2,
    "restore": 4,
    "move": 1,
    "swap": 2,
    "freeze": 2,
    "freeze leader": 1,
    "thaw": 5,
    "stall all": 1,
    "restart all": 1,
    "cut one way": 2,
    "block": 1,
    "bad link": 2,
    "halves": 2,
    "flap": 2,
    "bridge": 1,
    "isolate": 1,
    "isolate leader": 1,
    "leader and registry alone": 1,
    "registry cut": 1,
    "heal": 6,
    "registry down": 1,
    "registry up": 4,
    "registry wiped": 2,
    "registry backup": 1,
    "registry rolled back": 2,
    "registry frozen": 1,
    "clock jump": 1,
    "false hint": 1,
    "leave": 1,
    "close": 1,
    "newcomer": 2,
    "challenge": 1,
}
ALWAYS = {"start", "thaw", "heal", "registry up"}


class Crowd:
    """The machines of a world, and their users' comings and goings."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world, self.rng = world, rng

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

    def newcomer(self) -> None:
        world = self.world
        number = len(world.machines) + 1
        machine = world.add(number)
        machine.skew = self.rng.choice([0, 0, 0, 500, -500, 600_000, -600_000])
        if number == 1:
            world.found(number)
        else:
            others = [m.number for m in self.members()]
            world.start(number, self.rng.choice([0, *others]))

    def restart(self, machine: Machine) -> None:
        others = [m.number for m in self.members() if m is not machine]
        if not others and not (machine.disk.meta and machine.disk.meta.member):
            others = [0]
        self.world.start(machine.number, self.rng.choice([0, *others]))


class Trouble(Crowd):
    """Every kind of fault, called by its name."""

    def fault(self, kind: str) -> None:
        self.world.say(f"-- {kind}")
        done = getattr(self, "_" + kind.replace(" ", "_"))()
        if done is not False:
            self.world.count[f"fault: {kind}"] += 1

    def _some(self, machines: list[Machine]) -> Machine | None:
        return self.rng.choice(machines) if machines else None

    def _kill(self) -> bool:
        machine = self._some(self.up())
        if machine is None:
            return False
        self.world.kill(machine.number)
        return True

    def _kill_leader(self) -> bool:
        for machine in self.leaders():
            self.world.kill(machine.number)
        return True

    def _crash(self) -> bool:
        machine = self._some([m for m in self.up() if not m.frozen])
        if machine is None:
            return False
        effects = self.rng.choice([0, 1, 2, 3, 5, 8, 20])
        self.world.light(machine.number, effects, committed=self.rng.random() < 0.4)
        return True

    def _start(self) -> bool:
        machine = self._some(self.down())
        if machine is None:
            return False
        self.restart(machine)
        return True

    def _wipe(self) -> bool:
        """Lose a disk, unless too few would be left that know the group."""
        machine = self._some(self.down())
        keep = [m for m in self.world.machines.values() if m.disk.meta and m.disk.meta.member]
        if machine is None or len(keep) < 4:
            return False
        key = self.rng.randbytes(32) if self.rng.random() < 0.5 else b""
        self.world.wipe(machine.number, identity=key)
        return True

    def _lose(self) -> bool:
        """A line that only one other gets, who answers it; then both of their disks are lost."""
        world, network = self.world, self.world.network
        members = [m for m in self.members() if m.disk.meta and not m.frozen]
        if len(members) < 5:
            return False
        author, witness = self.rng.sample(members, 2)
        others = [n for n in self.numbers() if n not in {author.number, witness.number}]
        before = set(network.cut)
        network.part([author.number], others)
        world.tell(author.number)
        world.run(self.rng.choice([3, 5, 20]))
        world.tell(witness.number)
        world.run(self.rng.choice([3, 5, 20]))
        network.cut = before
        for machine in (author, witness):
            if machine.group is not None:
                world.kill(machine.number)
            world.wipe(machine.number)
        return True

    def _backup(self) -> None:
        for number in self.world.machines:
            self.world.save(number)

    def _restore(self) -> bool:
        """Put an old disk back, unless too few would be left that know the group."""
        saved = [m for m in self.down() if m.backup and m.backup.meta and m.backup.meta.member]
        machine = self._some(saved)
        if machine is None:
            return False
        self.world.restore(machine.number)
        return True

    def _swap(self) -> bool:
        machines = self.down()
        if len(machines) < 2:
            return False
        one, other = self.rng.sample(machines, 2)
        self.world.swap(one.number, other.number)
        return True

    def _move(self) -> bool:
        machine = self._some(self.down())
        if machine is None:
            return False
        self.world.move(machine.number)
        return True

    def _freeze(self) -> bool:
        machine = self._some(self.up())
        if machine is None:
            return False
        self.world.freeze(machine)
        return True

    def _freeze_leader(self) -> None:
        for machine in self.leaders():
            self.world.freeze(machine)

    def _thaw(self) -> None:
        for process in [self.world.registry, *self.up()]:
            if self.rng.random() < 0.6:
                self.world.thaw(process)

    def _stall_all(self) -> None:
        machines = self.up()
        for machine in machines:
            self.world.freeze(machine)
        self.world.run(self.rng.randint(300, 3_000))
        self.rng.shuffle(machines)
        for machine in machines:
            self.world.thaw(machine)
            self.world.run(self.rng.randint(0, 200))

    def _restart_all(self) -> None:
        machines = self.up()
        for machine in machines:
            self.world.kill(machine.number)
        self.world.run(self.rng.randint(1, 300))
        self.rng.shuffle(machines)
        for machine in machines:
            if machine.group is None and machine.wants:
                self.restart(machine)
            self.world.run(self.rng.randint(0, 200))

    def _cut_one_way(self) -> None:
        one, other = self.rng.sample(self.numbers(), 2)
        self.world.network.cut.add((one, other))

    def _block(self) -> None:
        one, other = self.rng.sample(self.numbers(), 2)
        self.world.network.blocked.add((one, other))

    def _bad_link(self) -> None:
        self.world.network.part(*([n] for n in self.rng.sample(self.numbers()[1:], 2)))

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
        self.world.network.part(ones, others)

    def _flap(self) -> None:
        one, other = self._sides()
        for _ in range(self.rng.randint(1, 3)):
            before = set(self.world.network.cut)
            self.world.network.part(one, other)
            self.world.run(self.rng.randint(50, 3_000))
            self.world.network.cut = before
            self.world.run(self.rng.randint(50, 1_500))

    def _bridge(self) -> None:
        """Two sides that only one member reaches both of."""
        one, other = self._sides()
        self.world.network.part(one[1:], other)

    def _isolate(self) -> None:
        number = self.rng.choice(self.numbers()[1:])
        self.world.network.part([number], [n for n in self.numbers() if n != number])

    def _isolate_leader(self) -> None:
        for machine in self.leaders():
            others = [n for n in self.numbers() if n != machine.number]
            self.world.network.part([machine.number], others)

    def _leader_and_registry_alone(self) -> None:
        for machine in self.leaders():
            others = [n for n in self.numbers()[1:] if n != machine.number]
            self.world.network.part([machine.number, 0], others)

    def _registry_cut(self) -> None:
        numbers = self.numbers()[1:]
        self.world.network.part([0], self.rng.sample(numbers, self.rng.randint(1, len(numbers))))

    def _heal(self) -> None:
        self.world.network.heal()

    def _registry_down(self) -> None:
        self.world.registry.stop()

    def _registry_up(self) -> bool:
        registry = self.world.registry
        if registry.serving:
            return False
        registry.start()
        return True

    def _registry_wiped(self) -> None:
        self.world.registry.stop()
        self.world.registry.wipe()
        self.world.run(self.rng.randint(1_000, 3_000))
        self.world.registry.start()

    def _registry_backup(self) -> None:
        self.world.registry.save()

    def _registry_rolled_back(self) -> None:
        self.world.registry.stop()
        self.world.registry.roll_back()
        self.world.run(self.rng.randint(1_000, 3_000))
        self.world.registry.start()

    def _registry_frozen(self) -> bool:
        if not self.world.registry.serving:
            return False
        self.world.freeze(self.world.registry)
        return True

    def _clock_jump(self) -> None:
        for machine in self.world.machines.values():
            if self.rng.random() < 0.4:
                machine.skew += self.rng.choice([-600_000, 600_000])

    def _false_hint(self) -> bool:
        machines = self.members()
        if len(machines) < 2:
            return False
        one, other = self.rng.sample(machines, 2)
        self.world.hint(one.number, other.number)
        return True

    def _leave(self) -> bool:
        machines = [m for m in self.members() if m.wants]
        if len(machines) < 4:
            return False
        self.world.leave(self.rng.choice(machines).number)
        return True

    def _close(self) -> bool:
        machine = self._some([m for m in self.members() if m.wants])
        if machine is None:
            return False
        self.world.close(machine.number)
        return True

    def _newcomer(self) -> bool:
        """Somebody new, or one who left and returns."""
        if len(self.world.machines) < 9 and self.rng.random() < 0.6:
            self.newcomer()
            return True
        gone = [m for m in self.world.machines.values() if m.group is None and not m.wants]
        machine = self._some(gone)
        if machine is None:
            return False
        self.restart(machine)
        return True

    def _challenge(self) -> bool:
        machine = self._some(self.members())
        if machine is None:
            return False
        self.world.challenge(machine.number)
        return True
