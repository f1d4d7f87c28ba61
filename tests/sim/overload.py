"""A crowd on fewer processors than it takes: what is late is not said again and again.

python -m tests.sim.overload [--members 50] [--rate 30] [--seed 1] [DEAR ...]

All members share some processors, in turns: a turn takes all that has come until then, and costs
what it costs in a process of its own that the others have pushed out of the caches.  So more work
means later answers.  Whatever the group does about late answers is work as well: where that grows
with the lateness, the group never gets out of it (congestion collapse, Nagle 1984).  `DEAR`: how
many times as much everything costs; from 1.2 on, 50 members say more than two processors can do.
"""

import argparse
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from statistics import median
from typing import Any

from msgspec import Struct

from node.core import effects as e
from node.core.events import Answered, Event, Received, Woken
from node.core.messages import Sync, Synced, Tell, Update, Updated

from .elections import grown
from .machine import Machine
from .world import World

CORES = 2
TURN_MS = 1.0  # of a turn, the commit included
EVENT_MS = 0.4  # of what comes in
SEND_MS = 0.3  # of what goes out
LINE_MS = 0.1  # of each line in it
RECORD_MS = 0.03  # of each member's record in it
HASH_MS = 0.001  # of each hash of one
SYNC_MS = 1.0  # of what is said of a log
TALK_MS = 4_000
DRAINED_MS = 60_000


class Figures(Struct, frozen=True):
    """What a talk has cost."""

    wanted: int
    delivered: int
    drained_ms: int  # from the last line until the last delivery
    p50_ms: float
    told: float  # lines sent, for each delivery
    work_ms: float  # of processors, for each delivery
    calls: Counter[str]
    epochs: int  # begun meanwhile


class Processors:
    """What the machines of a world share, from now on; each runs on one of them at a time."""

    def __init__(self, world: World, dear: float, cores: int = CORES) -> None:
        self.calls: Counter[str] = Counter()
        self.lines = 0  # sent
        self.worked_ms = 0.0
        self._world, self._dear, self._idle = world, dear, cores
        self._mail: dict[int, list[tuple[int, Event]]] = {n: [] for n in world.machines}
        self._owed: defaultdict[int, float] = defaultdict(
            float
        )  # work that is done and has taken no time yet
        self._waiting: deque[Machine] = deque()
        self._running: set[int] = set()
        for machine in world.machines.values():
            machine.take = self._taking(machine)
        world._wake = self._wake  # type: ignore[method-assign]
        world._from_user = self._take  # type: ignore[method-assign]
        for kind in (e.Call, e.Respond, e.Serve):
            world._perform[kind] = self._counting(world._perform[kind])

    def _taking(self, machine: Machine) -> Callable[[Event], None]:
        return lambda event: self._take(machine, event)

    def _counting(self, perform: Callable[[Machine, Any], None]) -> Callable[[Machine, Any], None]:
        def counted(machine: Machine, effect: Any) -> None:
            what = effect.request if isinstance(effect, e.Call) else effect.reply
            self._owe(machine, SEND_MS + _size_ms(what))
            if isinstance(effect, e.Call):
                self.calls[type(what).__name__] += 1
                self.lines += len(what.messages) if isinstance(what, Tell) else 0
            perform(machine, effect)

        return counted

    def _owe(self, machine: Machine, ms: float) -> None:
        self._owed[machine.number] += ms * self._dear
        self.worked_ms += ms * self._dear

    def _take(self, machine: Machine, event: Event) -> None:
        self._mail[machine.number].append((machine.life, event))
        self._rouse(machine)

    def _wake(self, machine: Machine, life: int) -> None:
        if machine.group is not None and machine.life == life:
            self._take(machine, Woken())

    def _rouse(self, machine: Machine) -> None:
        if machine not in self._waiting and machine.number not in self._running:
            self._waiting.append(machine)
            self._go_on()

    def _go_on(self) -> None:
        while self._idle and self._waiting:
            machine = self._waiting.popleft()
            events, self._mail[machine.number] = self._mail[machine.number], []
            self._owe(machine, TURN_MS + sum(EVENT_MS + _event_ms(event) for _, event in events))
            ms, self._owed[machine.number] = divmod(self._owed[machine.number], 1)
            self._idle -= 1
            self._running.add(machine.number)
            self._world.at(int(ms), self._end, machine, events)

    def _end(self, machine: Machine, events: list[tuple[int, Event]]) -> None:
        for life, event in events:
            if machine.life == life:
                self._world.hand(machine, event)
        self._idle += 1
        self._running.discard(machine.number)
        if self._mail[machine.number] or self._owed[machine.number] >= 1:
            self._rouse(machine)
        self._go_on()


def _event_ms(event: Event) -> float:
    if isinstance(event, Received):
        return _size_ms(event.request)
    return _size_ms(event.reply) if isinstance(event, Answered) else 0.0


def _size_ms(what: Any) -> float:
    match what:
        case Tell(messages=messages):
            return LINE_MS * len(messages)
        case Sync() | Synced():
            return SYNC_MS
        case Update(roster=roster, known=known):
            return RECORD_MS * len(roster.members) + HASH_MS * len(known.records if known else ())
        case Updated(roster=roster):
            return RECORD_MS * len(roster.members)
        case _:
            return 0.0


def talk(
    world: World, rate: int, dear: float, ms: int = TALK_MS, *, at_once: bool = False
) -> Figures:
    """All say something, in turn or `at_once`, `rate` lines a second together, while they share
    processors.
    """
    processors, epochs = Processors(world, dear), world.count["epochs"]
    said_at: dict[str, int] = {}
    took: list[int] = []
    deliver = world._perform[e.Deliver]

    def delivered(machine: Machine, notice: e.Deliver) -> None:
        if notice.message.key.source != machine.me:
            took.extend(world.now - said_at[id] for id in notice.message.ids)
        deliver(machine, notice)

    world._perform[e.Deliver] = delivered
    members = sorted(world.machines)
    for n in range(lines := rate * ms // 1_000):
        number = members[n % len(members)]
        world.tell(number)
        said_at[world.machines[number].said[0]] = world.now
        if not at_once:
            world.run(1_000 // rate)
        elif number == members[-1]:
            world.run(1_000 * len(members) // rate)
    ended, wanted = world.now, lines * (len(members) - 1)
    world.run_until(DRAINED_MS, lambda: len(took) >= wanted)
    return Figures(
        wanted=wanted,
        delivered=len(took),
        drained_ms=world.now - ended,
        p50_ms=median(took),
        told=processors.lines / max(1, len(took)),
        work_ms=processors.worked_ms / max(1, len(took)),
        calls=processors.calls,
        epochs=world.count["epochs"] - epochs,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="A crowd on too few processors, simulated.")
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--rate", type=int, default=30, help="lines a second of all together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("dear", type=float, nargs="*", default=[0.5, 1.0, 2.0, 3.0])
    parser.add_argument("--at-once", action="store_true", help="they speak all at once")
    asked = parser.parse_args()
    for dear in asked.dear:
        world = grown(asked.seed, asked.members)
        print(f"{dear:g} times as dear: {talk(world, asked.rate, dear, at_once=asked.at_once)}")


if __name__ == "__main__":
    main()
