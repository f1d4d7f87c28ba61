"""Lives in which owner and admins decide against each other across splits, drawn from a seed.

Nothing that follows a removal is ever sent to who was removed: every message on its way is looked
at.  In the end all have the same decisions, in whatever order they came, and the same follows from
them everywhere.
"""

from random import Random
from typing import Any

from node.core import effects as e
from node.core.deciding import Act, Decisions
from node.core.messages import Tell
from node.core.types import MemberId

from .bounds import Broken
from .hands import Hands
from .machine import Machine
from .world import World

ACTS = ("kick", "kick", "ban", "unban", "op", "op", "deop", "owner")
SETTLE_MS = 240_000  # in which who was removed asks at least four times


class Rulings(Hands):
    """One life."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"{seed} rulings")
        super().__init__(World(self.rng.getrandbits(64)))
        perform = self.world._perform
        self._call, self._serve = perform[e.Call], perform[e.Serve]
        perform |= {e.Call: self._calling, e.Serve: self._serving}
        self.looked_at = 0  # messages on their way

    # ---- what is sent ----

    def _calling(self, machine: Machine, call: e.Call) -> None:
        if isinstance(call.request, Tell):
            for message in call.request.messages:
                self._look(machine, call.to, message.heads)
        self._call(machine, call)

    def _serving(self, machine: Machine, serve: e.Serve) -> None:
        peer = machine.served[serve.call].request.caller.node
        for key in serve.keys:
            self._look(machine, peer, machine.disk.messages[key].heads)
        self._serve(machine, serve)

    def _look(self, machine: Machine, to: MemberId, heads: tuple[bytes, ...]) -> None:
        self.looked_at += 1
        known = self._decisions(machine)
        # A removal that does not count after all was none.
        if heads and known.is_gone_by(to, heads) and to in known.order.removed:
            raise Broken("roles", f"{machine.number} sends {to} what follows its removal")

    def _decisions(self, machine: Machine) -> Decisions:
        assert machine.group is not None
        return machine.group._s.members.decisions

    # ---- a life ----

    def live(self) -> World:
        world, rng = self.world, self.rng
        world.registry.start()
        world.run(1_000)
        count = rng.randint(4, 7)
        for number in range(1, count + 1):
            world.add(number)
            self.do("found 1" if number == 1 else f"start {number} via 1")
            world.run(200)
        world.run(3_000)
        for _ in range(rng.randint(1, 3)):
            self.do(f"op 1 {rng.randint(2, count)}")
        world.run(500)
        for _ in range(rng.randint(1, 3)):
            self._part(list(range(1, count + 1)))
            if rng.random() < 0.5:
                self._contradict(count)
            for _ in range(rng.randint(2, 8)):
                self._decide_or_talk(count)
                world.run(rng.choice([0, 1, 20, 400]))
            world.network.heal()
            world.run(rng.choice([0, 200, 3_000]))
        world.network.heal()
        self._settle()
        return world

    def _part(self, numbers: list[int]) -> None:
        rng = self.rng
        rng.shuffle(numbers)
        half = rng.randint(0, len(numbers))
        sides = [numbers[:half], numbers[half:]]
        rng.choice(sides).append(0)
        self.world.network.part(*sides)

    def _contradict(self, count: int) -> None:
        """An admin, perhaps, removes somebody; the founder, not knowing of it, unmakes that one."""
        admin, whom = self.rng.sample(range(2, count + 1), 2)
        self.do(f"kick {admin} {whom}")
        self.do(f"deop 1 {admin}")

    def _decide_or_talk(self, count: int) -> None:
        rng = self.rng
        running = [n for n, one in self.world.machines.items() if one.group is not None and one.me]
        if not running:
            return
        number, whom = rng.choice(running), rng.randint(1, count)
        if rng.random() < 0.4:
            self.do(f"say {number}")
        else:
            self.do(f"{rng.choice(ACTS)} {number} {whom}")

    def _settle(self) -> None:
        world = self.world
        if not world.run_until(SETTLE_MS, lambda: not self._unsettled(), step=250):
            raise Broken("roles", f"after {SETTLE_MS} ms: {self._unsettled()}")
        for machine in self._there():
            self._is_found_again(machine)

    def _there(self) -> list[Machine]:
        return [m for m in self.world.machines.values() if m.group is not None and m.me]

    def _unsettled(self) -> str:
        there = self._there()
        if not there:
            return ""
        if wrong := self.world.oracle.unsettled():
            return wrong
        found = {str(m.group.order) for m in there if m.group is not None}
        if len(found) > 1:
            return f"{len(found)} orders"
        gone = [m.number for m in there if m.group is not None and m.me in m.group.order.removed]
        if gone:
            return f"{gone} take part, and were removed"
        belonging = set(there[0].group.belonging) if there[0].group is not None else set()
        asking = [m for m in self.world.machines.values() if m.group is not None and not m.me]
        out = [m.number for m in asking if m.group is not None and m.group.me in belonging]
        return f"{out} are members, and do not know it" if out else ""

    def _is_found_again(self, machine: Machine) -> None:
        """By who hears of them in any other order."""
        known: Any = self._decisions(machine)
        shuffled = self.rng.sample(known.all, len(known))
        again = Decisions(known.founder, known._person)
        for n in range(len(shuffled) + 1):
            again.absorb(shuffled[:n])
        if again.order != known.order:
            raise Broken(
                "roles", f"{machine.number}: {known.order}, and in another order {again.order}"
            )


def live(seed: int) -> Rulings:
    """The life of a seed.  Raises Broken."""
    made = Rulings(seed)
    made.live()
    return made


def acts(made: Rulings) -> set[Act]:
    """What counts in the end."""
    return {one.act for m in made._there() for one in made._decisions(m).all}
