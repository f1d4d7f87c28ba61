"""The network between processes: calls whose two legs are lost, delayed and repeated apart.

A call has one outcome at its caller: the answer, or that nobody listens, or at its deadline that
there was silence.  Whether a leg is lost is drawn when it sets out.
"""

from dataclasses import dataclass
from heapq import heappush
from typing import TYPE_CHECKING, Any

from node.core.events import Answered, AnsweredLate, Event, Failed, LinkBroken, Received
from node.core.messages import Granted, Ping, RecordRead, Refusal
from node.core.reasons import Reason
from node.core.types import Silence

from .machine import Machine, Process, Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .world import World

    Snag = Callable[[Process, Process, Any, bool], bool]


@dataclass
class Faults:
    """What is wrong with the network.  Chances are per leg of a call."""

    loss: float = 0.0
    lost_reply: float = 0.0  # besides loss
    repeat: float = 0.0  # of requests
    spike: float = 0.0  # chance of a delay of up to spike_ms
    spike_ms: int = 600
    lost_failure: float = 0.0  # the caller is never told that its call came to nothing
    hints: bool = True  # a broken connection is noticed
    near_ms: tuple[int, int] = (1, 2)  # a leg takes so long at least and at most, but for spikes

    def calm(self) -> "Faults":
        """The same network where nothing goes wrong."""
        return Faults(hints=self.hints, near_ms=self.near_ms)


class Network:
    """Who can call whom, and what becomes of it."""

    def __init__(self, world: "World", faults: Faults) -> None:
        self.world, self.faults = world, faults
        self.rng = world.rng
        self.cut: set[tuple[int, int]] = set()  # nothing gets from the first to the second
        self.blocked: set[tuple[int, int]] = set()  # the first cannot call the second
        self.snag: Snag | None = None  # loses by choice: sender, target, message, is it a reply?
        self.at_address: dict[str, Machine] = {}

    # ---- what is done to it ----

    def part(self, *sides: "Iterable[int]") -> None:
        """Let nothing through between the sides; 0 is the registry."""
        groups = [list(side) for side in sides]
        for one in groups:
            for other in groups:
                if one is not other:
                    self.cut |= {(a, b) for a in one for b in other}
                    for a in one:
                        for b in other:
                            self._notice_later(a, b)

    def heal(self) -> None:
        self.cut.clear()
        self.blocked.clear()

    def parted(self, a: int, b: int) -> bool:
        return bool(self.cut) and ((a, b) in self.cut or (b, a) in self.cut)

    def _notice_later(self, a: int, b: int) -> None:
        """Keepalive finds some connections dead, a while after nothing gets through."""
        machines = self.world.machines
        if self.faults.hints and a and b and self.rng.random() < 0.5:
            one, other = machines[a], machines[b]
            delay = self.rng.randint(1_000, 8_000)
            self.world.at(delay, self._keepalive, one, one.life, other.number, other.address)

    def _keepalive(self, machine: Machine, life: int, other: int, address: str) -> None:
        if address in machine.ready and self.parted(machine.number, other):
            machine.ready.discard(address)
            self.link_broken(machine, life, address)

    # ---- calls ----

    def call(
        self, caller: Process, call: int, target: Process | None, request: Any, deadline: int
    ) -> None:
        """Send a request; `target` is None where no machine has the address."""
        world = self.world
        due = world.now + deadline
        caller.asked[call] = due
        if target is None:
            world.at(self._delay(), self._fail, caller, caller.life, call, Silence.REFUSED)
            return
        if self._lost(caller, target, request, False):
            world.at(deadline, self._fail, caller, caller.life, call, Silence.SILENT)
            return
        args = (caller, caller.life, call, target, request, due)
        heappush(world.heap, (world.now + self._delay(), next(world.order), self._arrive, args))
        if self.faults.repeat and self.rng.random() < self.faults.repeat:
            world.count["request repeated"] += 1
            again = (None, 0, 0, target, request, due)
            world.at(self._delay() + self._delay(), self._arrive, *again)

    def call_address(
        self, caller: Process, call: int, address: str, request: Any, deadline: int
    ) -> None:
        self.call(caller, call, self.at_address.get(address), request, deadline)

    def _arrive(
        self,
        caller: Process | None,
        life: int,
        call: int,
        target: Process,
        request: Any,
        due: int,
    ) -> None:
        world = self.world
        if not target.listens:
            if caller is not None:
                self._refuse(caller, life, call, target, due)
            return
        own, living = next(world.calls), target.life
        target.served[own] = Served(caller, life, call, due, request)
        if target.frozen:
            target.queue.append(Received(own, request))
        elif isinstance(target, Machine) and not _knows_chat(target, request):
            self.respond(target, own, Refusal(Reason.UNKNOWN_CHAT))
        else:
            target.take(Received(own, request))
        # Where it died of it, nobody may have told the caller so.
        if caller is not None and (own in target.served or target.life != living):
            world.at(max(due - world.now, 0), self._fail, caller, life, call, Silence.SILENT)

    def _refuse(self, caller: Process, life: int, call: int, target: Process, due: int) -> None:
        world = self.world
        if self.parted(caller.number, target.number):
            world.at(max(due - world.now, 0), self._fail, caller, life, call, Silence.SILENT)
        else:
            world.at(self._delay(), self._fail, caller, life, call, Silence.REFUSED)

    def respond(self, server: Process, call: int, reply: Any) -> None:
        """Answer a call that `server` has been asked."""
        world = self.world
        served = server.served.pop(call, None)
        if served is None:
            world.oracle.answered_nothing(server, call, reply)
            return
        if isinstance(server, Machine):
            world.oracle.responding(server, served.request, reply)
        caller, due = served.caller, served.due
        if caller is None:
            return
        lost = self._lost(server, caller, reply, True)
        arrives = world.now + (0 if lost else self._delay())
        if lost or arrives > due:
            failed = (caller, served.life, served.call, Silence.SILENT)
            world.at(max(due - world.now, 0), self._fail, *failed)
            if not lost and isinstance(caller, Machine) and isinstance(server, Machine):
                late = arrives - due
                world.at(arrives - world.now, self._late, caller, served.life, server.address, late)
        else:
            args = (caller, served.life, served.call, server, reply)
            heappush(world.heap, (arrives, next(world.order), self._answer, args))

    def _answer(self, caller: Process, life: int, call: int, server: Process, reply: Any) -> None:
        if caller.life != life or caller.asked.pop(call, None) is None:
            return
        if isinstance(caller, Machine):
            if isinstance(server, Machine):
                caller.ready.add(server.address)
            elif type(reply) in {Granted, RecordRead} and reply.ids is not None:
                ids = reply.ids
                caller.blocks.append((reply.record.epoch, ids.first, ids.count))
        self._take(caller, Answered(call, reply))

    def _late(self, caller: Machine, life: int, address: str, ms: int) -> None:
        """An answer that comes after its call has ended tells how late the other side is."""
        if caller.life == life and caller.group is not None:
            self.world.count["AnsweredLate"] += 1
            self._take(caller, AnsweredLate(address, ms))

    def _fail(self, caller: Process, life: int, call: int, how: Silence) -> None:
        if caller.life != life or caller.asked.pop(call, None) is None:
            return
        chance = self.faults.lost_failure
        if chance and caller.number and self.rng.random() < chance:
            self.world.count["failure not told"] += 1
            return
        status = "UNAVAILABLE" if how is Silence.REFUSED else "DEADLINE_EXCEEDED"
        self._take(caller, Failed(call, how, status))

    # ---- connections ----

    def orphan(self, server: Process, calls: list[Served]) -> None:
        """Tell the callers of a process that died, as their connections break."""
        for served in calls:
            caller = served.caller
            if caller is not None and not self.parted(server.number, caller.number):
                # The registry takes a connection reset for nobody there.
                how = Silence.SILENT if caller.number else Silence.REFUSED
                self.world.at(2, self._fail, caller, served.life, served.call, how)

    def died(self, machine: Machine) -> None:
        """Let those notice that had a connection to a node."""
        self.orphan(machine, machine.end_life())
        for other in self.world.machines.values():
            if machine.address in other.ready:
                other.ready.discard(machine.address)
                if self.faults.hints and not self.parted(machine.number, other.number):
                    delay = 2 + self.rng.randrange(3)
                    self.world.at(delay, self.link_broken, other, other.life, machine.address)

    def link_broken(self, machine: Machine, life: int, address: str) -> None:
        if machine.life == life and machine.group is not None:
            self.world.count["LinkBroken"] += 1
            self._take(machine, LinkBroken(address))

    # ---- the dice ----

    def _take(self, process: Process, event: Event) -> None:
        if process.frozen:
            process.queue.append(event)
        else:
            process.take(event)

    def _lost(self, sender: Process, target: Process, message: Any, is_reply: bool) -> bool:
        faults = self.faults
        if self.cut and (sender.number, target.number) in self.cut:
            return True
        if self.blocked and not is_reply and (sender.number, target.number) in self.blocked:
            return True
        if self.snag is not None and self.snag(sender, target, message, is_reply):
            return True
        if faults.loss and self.rng.random() < faults.loss:
            self.world.count["reply lost" if is_reply else "request lost"] += 1
            return True
        if is_reply and faults.lost_reply and self.rng.random() < faults.lost_reply:
            self.world.count["reply lost"] += 1
            return True
        return False

    def _delay(self) -> int:
        faults = self.faults
        least, most = faults.near_ms
        if faults.spike and self.rng.random() < faults.spike:
            self.world.count["spike"] += 1
            return least + int(self.rng.random() * faults.spike_ms)
        return most - int(self.rng.random() * (most - least + 1))


def _knows_chat(machine: Machine, request: Any) -> bool:
    """Whether the service of a node finds a group for a request."""
    if machine.group is None:
        return False
    called_back = type(request) is Ping and request.asks_leading is None
    return bool(machine.me) or called_back
