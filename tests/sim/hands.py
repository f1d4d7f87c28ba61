"""Whatever is done to a world from outside, as commands: so that it can be written down and redone.

    new 5 [SKEW]            put up a machine that has never run a node, its clock SKEW ms ahead
    found 1                 its node makes the network
    start 5 [via 2]         from its disk, or joining (by name, or through machine 2)
    say 2 [TEXT]   again 2  paste 2 3: so many lines at once
    nick 2 bob     topic 2 news   away 2 lunch   leave 3   close 1
    op 1 2         kick 2 3     and ban, unban, deop, owner: 1 decides that about 2
    kill 1         freeze 1 thaw 1                      challenge 2    hint 1 2
    crash 1 after 3 [committed]                         orphan 4: crash as soon as it is admitted
    fill 3         empty 3  its disk is full; it has room again
    clone 3 as 7 [SKEW]     machine 7 gets a copy of its disk, identity and all
    wipe 1 [as 00c0ffee]    lose its disk (its key too)   save 4   restore 4   move 4   swap 4 5
    cut 3>4   cut 3 4       split 1 2 0 | 3 4   mend 1 2 0 | 3 4   block 3>4   heal
    registry down | up | freeze | thaw | wipe | save | back
    skew 3 600000           its clock is so many ms ahead
    weather on | off        what the world's network does to each message

A command that makes no sense, since what it builds on was left out, does nothing.
"""

from collections.abc import Callable

from node.core.deciding import Act
from node.core.events import Field

from .machine import Machine
from .network import Faults
from .world import World


class Hands:
    """Carries commands out on a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.weather = Faults()
        self.keep = 0  # so many machines at least know the group; others do not leave or lose it
        self.done: list[tuple[int, str]] = []  # instants, and what was done

    def do(self, command: str) -> bool:
        """Carry a command out and write it down; False: it does not apply, nothing was done."""
        verb, _, rest = command.partition(" ")
        act: Callable[[str], bool | None] | None = getattr(self, f"_{verb}", None)
        if act is None:
            raise ValueError(f"no such command: {command}")
        at = self.world.now
        if act(rest.strip()) is False:
            return False
        self.done.append((at, command))
        return True

    def _machine(self, number: str, *, runs: bool | None = None) -> Machine | None:
        """The machine; None if there is none whose group runs (or does not)."""
        machine = self.world.machines.get(int(number))
        if machine is None or runs not in (None, machine.group is not None):
            return None
        return machine

    def _spare(self, machine: Machine) -> bool:
        """Are enough left that know the group, without this one?"""
        others = [other for other in self.world.machines.values() if other is not machine]
        return sum(bool(m.disk.meta and m.disk.meta.member) for m in others) >= self.keep

    # ---- processes ----

    def _new(self, rest: str) -> bool:
        number, _, skew = rest.partition(" ")
        if int(number) in self.world.machines:
            return False
        self.world.add(int(number)).skew = int(skew or 0)
        return True

    def _found(self, rest: str) -> bool:
        machine = self._machine(rest, runs=False)
        if machine is None or machine.hosting:
            return False
        self.world.found(machine.number)
        return True

    def _start(self, rest: str) -> bool:
        number, _, via = rest.partition(" via ")
        machine = self._machine(number, runs=False)
        if machine is None or machine.stalled:
            return False
        self.world.start(machine.number, int(via or 0) if self._machine(via or "0") else 0)
        return True

    def _kill(self, rest: str) -> bool:
        machine = self._machine(rest)
        if machine is None or not machine.hosting:
            return False
        self.world.kill(machine.number)
        return True

    def _freeze(self, rest: str) -> bool:
        machine = self._machine(rest, runs=True)
        if machine is not None:
            self.world.freeze(machine)
        return machine is not None

    def _thaw(self, rest: str) -> bool:
        machine = self._machine(rest)
        if machine is not None:
            self.world.thaw(machine)
        return machine is not None

    def _crash(self, rest: str) -> bool:
        number, _, effects = rest.partition(" after ")
        effects, _, committed = effects.partition(" ")
        machine = self._machine(number, runs=True)
        if machine is not None:
            self.world.light(machine.number, int(effects), committed=bool(committed))
        return machine is not None

    def _orphan(self, rest: str) -> bool:
        machine = self._machine(rest, runs=True)
        if machine is None or machine.me:
            return False
        machine.orphans = True
        return True

    # ---- disks and clocks ----

    def _fill(self, rest: str) -> bool:
        machine = self._machine(rest)
        if machine is not None:
            machine.full = True
        return machine is not None

    def _empty(self, rest: str) -> bool:
        machine = self._machine(rest)
        if machine is None or not machine.full:
            return False
        machine.full = False
        return True

    def _clone(self, rest: str) -> bool:
        number, _, other = rest.partition(" as ")
        other, _, skew = other.partition(" ")
        machine = self._machine(number)
        if machine is None or int(other) in self.world.machines or machine.disk.meta is None:
            return False
        self.world.clone(machine.number, int(other)).skew = int(skew or 0)
        return True

    def _wipe(self, rest: str) -> bool:
        number, _, key = rest.partition(" as ")
        machine = self._machine(number, runs=False)
        if machine is None or machine.stalled or not self._spare(machine):
            return False
        self.world.wipe(machine.number, identity=bytes.fromhex(key) * 8)
        return True

    def _save(self, rest: str) -> bool:
        machine = self._machine(rest)
        if machine is not None:
            self.world.save(machine.number)
        return machine is not None

    def _restore(self, rest: str) -> bool:
        machine = self._machine(rest, runs=False)
        if machine is None or machine.stalled:
            return False
        self.world.restore(machine.number)
        return True

    def _move(self, rest: str) -> bool:
        machine = self._machine(rest)
        if machine is None or machine.hosting:
            return False
        self.world.move(machine.number)
        return True

    def _swap(self, rest: str) -> bool:
        machines = [self._machine(number) for number in rest.split()]
        if any(machine is None or machine.hosting for machine in machines):
            return False
        self.world.swap(*(int(number) for number in rest.split()))
        return True

    def _skew(self, rest: str) -> bool:
        number, _, ms = rest.partition(" ")
        machine = self._machine(number)
        if machine is not None:
            machine.skew = int(ms)
        return machine is not None

    # ---- people ----

    def _say(self, rest: str) -> bool:
        number, _, text = rest.partition(" ")
        if (machine := self._machine(number, runs=True)) is None:
            return False
        self.world.tell(machine.number, text)
        return True

    def _again(self, rest: str) -> bool:
        if (machine := self._machine(rest, runs=True)) is None:
            return False
        self.world.repeat(machine.number)
        return True

    def _paste(self, rest: str) -> bool:
        number, _, count = rest.partition(" ")
        if (machine := self._machine(number, runs=True)) is None:
            return False
        self.world.paste(machine.number, int(count))
        return True

    def _change(self, field: Field, rest: str) -> bool:
        number, _, value = rest.partition(" ")
        if (machine := self._machine(number, runs=True)) is None:
            return False
        self.world.change(machine.number, field, value)
        return True

    def _nick(self, rest: str) -> bool:
        return self._change(Field.NICK, rest)

    def _topic(self, rest: str) -> bool:
        return self._change(Field.TOPIC, rest)

    def _away(self, rest: str) -> bool:
        return self._change(Field.AWAY, rest)

    def _decide(self, act: Act, rest: str) -> bool:
        number, _, whom = rest.partition(" ")
        if self._machine(number, runs=True) is None or self._machine(whom) is None:
            return False
        self.world.decide(int(number), act, int(whom))
        return True

    def _op(self, rest: str) -> bool:
        return self._decide(Act.OP, rest)

    def _deop(self, rest: str) -> bool:
        return self._decide(Act.DEOP, rest)

    def _owner(self, rest: str) -> bool:
        return self._decide(Act.OWNER, rest)

    def _kick(self, rest: str) -> bool:
        return self._decide(Act.KICK, rest)

    def _ban(self, rest: str) -> bool:
        return self._decide(Act.BAN, rest)

    def _unban(self, rest: str) -> bool:
        return self._decide(Act.UNBAN, rest)

    def _leave(self, rest: str) -> bool:
        if (machine := self._machine(rest, runs=True)) is None:
            return False
        if sum(bool(m.wants and m.me) for m in self.world.machines.values()) <= self.keep:
            return False
        self.world.leave(machine.number)
        return True

    def _close(self, rest: str) -> bool:
        if (machine := self._machine(rest, runs=True)) is None:
            return False
        self.world.close(machine.number)
        return True

    def _challenge(self, rest: str) -> bool:
        if (machine := self._machine(rest, runs=True)) is None:
            return False
        self.world.challenge(machine.number)
        return True

    def _hint(self, rest: str) -> bool:
        one, _, other = rest.partition(" ")
        if self._machine(one, runs=True) is None or self._machine(other) is None:
            return False
        self.world.hint(int(one), int(other))
        return True

    # ---- the network ----

    def _there(self, numbers: str) -> list[int]:
        """Those of the numbers that are machines, or the registry."""
        there = [0, *self.world.machines]
        return [int(number) for number in numbers.split() if int(number) in there]

    def _cut(self, rest: str) -> None:
        network = self.world.network
        if ">" in rest:
            one, _, other = rest.partition(">")
            network.cut.add((int(one), int(other)))
        else:
            network.part(*([number] for number in self._there(rest)))

    def _block(self, rest: str) -> None:
        one, _, other = rest.partition(">")
        self.world.network.blocked.add((int(one), int(other)))

    def _split(self, rest: str) -> None:
        self.world.network.part(*(self._there(side) for side in rest.split("|")))

    def _mend(self, rest: str) -> None:
        """Undo such a split."""
        one, other = (self._there(side) for side in rest.split("|"))
        for a in one:
            self.world.network.cut -= {pair for b in other for pair in ((a, b), (b, a))}

    def _heal(self, rest: str) -> None:
        self.world.network.heal()

    def _weather(self, rest: str) -> None:
        faults = self.weather
        self.world.network.faults = faults if rest == "on" else faults.calm()

    # ---- the registry ----

    def _registry(self, rest: str) -> bool:
        registry, world = self.world.registry, self.world
        match rest:
            case "down":
                registry.stop()
            case "up":
                registry.start()
            case "freeze":
                world.freeze(registry)
            case "thaw":
                world.thaw(registry)
            case "wipe":
                registry.wipe()
            case "save":
                registry.save()
            case "back":
                registry.roll_back()
            case _:
                raise ValueError(f"registry {rest}?")
        return True
