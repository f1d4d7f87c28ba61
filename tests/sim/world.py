"""A whole network in one thread and one heap: seeded, so that any run can be run again.

Machines with disks and clocks run real groups, the registry decides with the real rules, a network
lies between them.  Everything drawn comes from one generator, and nothing depends on the order of
hashes.
"""

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from msgspec.structs import replace

from node.core import effects as e
from node.core.conversation import Kind, Spot
from node.core.deciding import Act
from node.core.events import (
    Burst,
    Challenged,
    Changed,
    Closing,
    Decided,
    Event,
    Field,
    Founded,
    Joining,
    Leaving,
    Started,
    Submitted,
    Woken,
)
from node.core.group import Group, Setup
from node.core.messages import Tell
from node.core.reasons import Reason
from node.core.state import Pairs
from node.core.timing import LAN, Timing

from .checkers import Oracle
from .machine import Disk, Machine, Process
from .network import Faults, Network
from .registry import Registry
from .signing import SHOWS, granted, is_signed, public, sign, signer

WALL = 1_750_000_000_000  # the unix time, in ms, at which every world begins
CHAT = 0x5EED
NAME = "den"
REOPEN_MS = 2_000  # between two tries of a node to go on with a log that could not be written
STORES = (e.StoreMessages, e.Erase, e.StorePost, e.StoreMeta, e.StoreRoster, e.StoreMarks, e.Trim)
Trace = Callable[[int, Machine, Event, list[e.Effect]], None]


class World:
    def __init__(self, seed: int, faults: Faults | None = None, timing: Timing = LAN) -> None:
        self.rng = Random(seed)
        self.timing = timing
        self.now = 0
        self.handled = 0  # events handed in
        self.count: Counter[str] = Counter()  # paths taken, faults and costs
        self.trace: Trace | None = None
        self.remark: Callable[[str], None] | None = None
        self.oracle = Oracle(self)
        self.registry = Registry(self)
        self.machines: dict[int, Machine] = {}
        self.heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self.order = count()
        self.calls = count(1)
        self._said = count(1)
        self.network = Network(self, faults or Faults())
        self._perform: dict[type, Callable[[Machine, Any], None]] = {
            e.Call: self._call,
            e.Ask: self._ask,
            e.Respond: self._respond,
            e.Serve: self._serve,
            e.StoreMessages: self._store,
            e.Erase: self._store,
            e.StorePost: self._store,
            e.StoreMeta: self._store,
            e.StoreRoster: self._store,
            e.StoreMarks: self._store,
            e.Trim: self._store,
            e.Deliver: self.oracle.deliver,
            e.LineChanged: self._notice,
            e.Acknowledged: self.oracle.acknowledged,
            e.Settled: self._notice,
            e.Joined: self._joined,
            e.JoinFailed: self._join_failed,
            e.Departed: self._departed,
            e.Reinstated: self._reinstated,
            e.Stopped: self._stopped,
            e.MemberChanged: self._notice,
            e.LeaderChanged: self._notice,
            e.ElectionMoved: self._election_moved,
            e.NdsChanged: self._notice,
            e.Merged: self._notice,
            e.SplitHealed: self._notice,
            e.HolesDeclared: self._notice,
            e.HolesFilled: self._notice,
            e.Jumped: self._notice,
            e.Dropped: self._nonsense,
        }

    # ---- time ----

    def at(self, delay: int, act: Callable[..., None], *args: Any) -> None:
        heappush(self.heap, (self.now + delay, next(self.order), act, args))

    def run(self, ms: int) -> None:
        end = self.now + ms
        heap = self.heap
        while heap and heap[0][0] <= end:
            self.now, _, act, args = heappop(heap)
            act(*args)
        self.now = end

    def run_until(self, ms: int, done: Callable[[], bool], step: int = 20) -> bool:
        """Run until `done()`, asked every `step` ms, but at most `ms`."""
        end = self.now + ms
        while not done():
            if self.now >= end:
                return False
            self.run(min(step, end - self.now))
        return True

    def wall(self, machine: Machine | None = None) -> int:
        return WALL + self.now + (machine.skew if machine else 0)

    def say(self, text: str) -> None:
        """Put a remark into the trace."""
        if self.remark is not None:
            self.remark(text)

    # ---- what is done to machines ----

    def add(self, number: int) -> Machine:
        """Put up a machine that has never run a node."""
        machine = Machine(number)
        machine.take = lambda event: self.hand(machine, event)
        self.machines[number] = machine
        self.oracle.settles(machine)
        self.network.at_address[machine.address] = machine
        return machine

    def found(self, number: int) -> None:
        """Start a node that makes the network."""
        machine = self.machines[number]
        secret = blake2b(machine.identity, key=b"claim").digest()[:32]
        record, ids = self.registry.create(CHAT, NAME, machine, public(secret))
        machine.wants = True
        self._boot(machine, CHAT)
        machine.blocks.append((record.epoch, ids.first, ids.count))
        machine.take(Founded(record, ids, secret))

    def start(self, number: int, via: int = 0) -> None:
        """Start a node: again from its disk, or to join through `via` (0: by name)."""
        machine = self.machines[number]
        meta = machine.disk.meta
        remembered = meta is not None and meta.member not in {0, *meta.left_ids}
        machine.wants = meta is None or not meta.leaving
        self._boot(machine, CHAT if remembered else 0)
        if machine.group is not None and not (remembered and machine.group.me):
            machine.take(Joining(self.machines[via].address if via else ""))

    def _boot(self, machine: Machine, chat: int) -> None:
        assert machine.group is None, f"{machine.number} runs"
        rng = self.rng
        machine.reset()
        machine.hosting = True
        machine.process = rng.getrandbits(64)
        machine.offset = rng.randrange(1_000_000)
        meta = machine.disk.meta
        if meta is not None:
            machine.epoch = meta.epoch
        process = Random(machine.process)
        setup = Setup(
            identity=machine.identity,
            nick=f"user{machine.number}",
            address=machine.address,
            process=machine.process,
            chat=chat,
            name=NAME,
            nds="nds:50050",
            sign=signer(machine.identity),
            verify=is_signed,
            shows=SHOWS,
            granted=granted,
            claims=Pairs(lambda: process.randbytes(32), public, sign),
        )
        remembered = machine.disk.read_back(rng)
        self.oracle.restarted(machine)
        machine.group = Group(setup, self.timing, Random(rng.getrandbits(64)), remembered)
        if meta is not None and chat:
            machine.me = machine.group.me
        machine.take(Started(self.wall(machine)))

    def kill(self, number: int) -> None:
        """End a node's process at once; the machine and its disk stay."""
        machine = self.machines[number]
        machine.group = None
        machine.hosting = machine.stalled = False
        self.network.died(machine)

    def light(self, number: int, effects: int, *, committed: bool = False) -> None:
        """Let a node crash after that many effects; `committed`: with its turn's stores written."""
        machine = self.machines[number]
        machine.fuse, machine.committed = effects, committed

    def clone(self, number: int, other: int) -> Machine:
        """Put up a machine with a copy of another's disk, which takes itself for that one."""
        one, copy = self.machines[number], self.add(other)
        copy.disk, copy.identity = one.disk.copy(), one.identity
        self.oracle.cloned(one, copy)
        return copy

    def freeze(self, process: Process) -> None:
        process.frozen = True

    def thaw(self, process: Process) -> None:
        """Go on; what came meanwhile is handed in now, half of the time in any order."""
        if not process.frozen:
            return
        process.frozen = False
        events = list(process.queue)
        process.queue.clear()
        if self.rng.random() < 0.5:
            self.rng.shuffle(events)
        life = process.life
        for event in events:
            if process.life == life:
                process.take(event)
        if process.life == life and isinstance(process, Machine):
            self._wake(process, life)

    def wipe(self, number: int, *, identity: bytes = b"") -> None:
        """Lose the disk of a machine that is down, its key too where another one is given."""
        machine = self.machines[number]
        assert machine.group is None
        machine.disk = Disk()
        machine.identity = identity or machine.identity
        self.oracle.settles(machine)
        self.oracle.wiped(machine)

    def save(self, number: int) -> None:
        """Make a backup of a disk."""
        machine = self.machines[number]
        machine.backup = machine.disk.copy()

    def restore(self, number: int) -> None:
        """Put the backup of a disk back, on a machine that is down."""
        machine = self.machines[number]
        assert machine.group is None
        if machine.backup is not None:
            machine.disk = machine.backup.copy()
            self.oracle.wiped(machine)

    def swap(self, one: int, other: int) -> None:
        """Let two machines that are down exchange their addresses."""
        a, b = self.machines[one], self.machines[other]
        a.address, b.address = b.address, a.address
        self.network.at_address |= {a.address: a, b.address: b}

    def move(self, number: int) -> None:
        """Give a machine that is down another address."""
        machine = self.machines[number]
        host, _, port = machine.address.partition(":")
        del self.network.at_address[machine.address]
        machine.address = f"{host}:{int(port) + 1}"
        self.network.at_address[machine.address] = machine

    def hint(self, number: int, broken: int) -> None:
        """Tell a node that its connection broke, whether that is so or not."""
        machine = self.machines[number]
        self.network.link_broken(machine, machine.life, self.machines[broken].address)

    # ---- what users do ----

    def tell(self, number: int, text: str = "") -> None:
        """Write a line."""
        machine = self.machines[number]
        self._think_of(machine, text)
        self.repeat(number)

    def paste(self, number: int, count: int) -> None:
        """Write so many lines at once."""
        machine, lines = self.machines[number], []
        for _ in range(count):
            id, text = self._think_of(machine)
            lines.append(Submitted(text, id, self.wall(machine)))
        self._from_user(machine, Burst(tuple(lines)))

    def alter(self, number: int, kind: Kind, about: Spot, text: str = "") -> None:
        """Edit or redact a line."""
        machine = self.machines[number]
        id = f"00000000-0000-4000-8000-{next(self._said):012x}"
        self._from_user(machine, Submitted(text, id, self.wall(machine), kind, about))

    def _think_of(self, machine: Machine, text: str = "") -> tuple[str, str]:
        """The next line of a machine: its id and its text."""
        n = next(self._said)
        machine.said = f"00000000-0000-4000-8000-{n:012x}", text or f"line {n}"
        self.count["lines"] += 1
        return machine.said

    def repeat(self, number: int) -> None:
        """Write the last line once more, as a face does that was not told what became of it."""
        machine = self.machines[number]
        id, text = machine.said
        if id:
            self._from_user(machine, Submitted(text, id, self.wall(machine)))

    def change(self, number: int, field: Field, value: str) -> None:
        machine = self.machines[number]
        self._from_user(machine, Changed(field, value, self.wall(machine)))

    def decide(self, number: int, act: Act, whom: int) -> None:
        """Somebody decides that about the member who lives, or lived last, on a machine."""
        machine, other = self.machines[number], self.machines[whom]
        held = (m for m in machine.disk.roster.members if m.identity == other.identity)
        id = max((member.id for member in held), default=0)
        if id:
            member = 0 if act is Act.UNBAN else id
            event = Decided(act, self.wall(machine), member, other.identity)
            self._from_user(machine, event)

    def challenge(self, number: int) -> None:
        self._from_user(self.machines[number], Challenged())

    def leave(self, number: int) -> None:
        machine = self.machines[number]
        machine.wants = False
        self._from_user(machine, Leaving())

    def close(self, number: int) -> None:
        """Stop a node in good order."""
        machine = self.machines[number]
        machine.closing = True
        self._from_user(machine, Closing())

    def _from_user(self, machine: Machine, event: Event) -> None:
        if machine.frozen:
            machine.queue.append(event)
        else:
            self.hand(machine, event)

    # ---- events in, effects out ----

    def hand(self, machine: Machine, event: Event) -> None:
        """Hand an event to a group and perform what it asks for."""
        group = machine.group
        if group is None:
            return
        self.handled += 1
        effects = group.handle(self.now + machine.offset, event)
        if self.trace is not None:
            self.trace(self.now, machine, event, effects)
        if machine.fuse is None and not machine.full:
            perform = self._perform
            for effect in effects:
                perform[type(effect)](machine, effect)
        else:
            self._burn(machine, effects)
        if machine.group is not group:
            return
        if machine.ends is not None:
            machine.ends(machine)
            return
        if group.leader != machine.leader or group.epoch != machine.epoch:
            self.oracle.stands(machine, group)
        if group.leads != machine.leading:
            self.oracle.leads(machine, group)
        deadline = group.deadline
        if deadline is not None:
            due = deadline - machine.offset
            if machine.armed is None or due < machine.armed:
                due = max(due, self.now)
                machine.armed = due
                heappush(
                    self.heap, (due, next(self.order), self._ring, (machine, machine.life, due))
                )

    def _burn(self, machine: Machine, effects: list[e.Effect]) -> None:
        """Perform effects until the fuse has burnt down; then the machine crashes.

        Where its disk is full, until something is to be stored; then its group halts.
        """
        life = machine.life
        for k, effect in enumerate(effects):
            if machine.full and isinstance(effect, STORES):
                return self._stall(machine)
            if machine.fuse is None:
                self._perform[type(effect)](machine, effect)
                continue
            if machine.fuse == 0:
                if machine.committed:
                    for rest in effects[k:]:
                        if isinstance(rest, STORES):
                            self._perform[type(rest)](machine, rest)
                self.count["crash between effects"] += 1
                self.say(f"{machine.number} crashes before effect {k + 1} of {len(effects)}")
                self.kill(machine.number)
                return
            machine.fuse -= 1
            self._perform[type(effect)](machine, effect)
            if machine.life != life:
                return

    def _stall(self, machine: Machine) -> None:
        """A group that is ahead of its log has halted; its node tries to go on from the log."""
        self.count["stalled by a full disk"] += 1
        self.say(f"{machine.number} halts: its disk is full")
        machine.group = None
        machine.stalled = True
        self.network.orphan(machine, machine.end_life())
        self.at(REOPEN_MS, self._reopen, machine, machine.life)

    def _reopen(self, machine: Machine, life: int) -> None:
        if machine.life != life:
            return
        if machine.full:
            return self.at(REOPEN_MS, self._reopen, machine, life)
        machine.stalled = False
        self.start(machine.number)

    def _ring(self, machine: Machine, life: int, due: int) -> None:
        if machine.life != life or machine.armed != due:
            return
        machine.armed = None
        if not machine.frozen:
            self._wake(machine, life)

    def _wake(self, machine: Machine, life: int) -> None:
        """Hand in `Woken` if it is due; else see to it that it will be."""
        group = machine.group
        if group is None or machine.life != life or group.deadline is None:
            return
        due = group.deadline - machine.offset
        if due <= self.now:
            self.hand(machine, Woken())
        elif machine.armed is None or due < machine.armed:
            machine.armed = due
            self.at(due - self.now, self._ring, machine, life, due)

    def _store(self, machine: Machine, effect: e.Store) -> None:
        self.oracle.storing(machine, effect)
        machine.disk.write(effect)

    def _serve(self, machine: Machine, effect: e.Serve) -> None:
        log = machine.disk.messages
        self.oracle.serving(machine, effect.keys)
        messages = tuple(log[key].veiled(effect.since) for key in effect.keys)
        self.count["messages served"] += len(messages)
        self.network.respond(machine, effect.call, replace(effect.reply, messages=messages))

    def _respond(self, machine: Machine, effect: e.Respond) -> None:
        self.network.respond(machine, effect.call, effect.reply)

    def _call(self, machine: Machine, effect: e.Call) -> None:
        self.oracle.calling(machine, effect)
        if type(effect.request) is Tell:
            self.count["tells"] += 1
            self.count["lines told together"] += len(effect.request.messages) > 1
        network, deadline = self.network, effect.deadline_ms
        network.call_address(machine, effect.call, effect.address, effect.request, deadline)

    def _ask(self, machine: Machine, effect: e.Ask) -> None:
        self.network.call(machine, effect.call, self.registry, effect.request, effect.deadline_ms)

    def _notice(self, machine: Machine, notice: e.Notice) -> None:
        self.count[type(notice).__name__] += 1

    def _nonsense(self, machine: Machine, notice: e.Dropped) -> None:
        self.count[f"dropped: {notice.reason}"] += 1

    def _election_moved(self, machine: Machine, notice: e.ElectionMoved) -> None:
        self.count[f"election {notice.phase.value}"] += 1

    def _joined(self, machine: Machine, notice: e.Joined) -> None:
        machine.me = notice.member
        self.count["Joined"] += 1
        self.oracle.joined(machine, notice.member)
        if machine.orphans:
            machine.ends = self._orphan

    def _orphan(self, machine: Machine) -> None:
        """Crash before the profile lists the chat: its log is never opened again."""
        self.count["crash between log and profile"] += 1
        self.say(f"{machine.number} crashes before its profile lists the chat")
        self.kill(machine.number)
        machine.me = 0
        self.wipe(machine.number)

    def _join_failed(self, machine: Machine, notice: e.JoinFailed) -> None:
        """The user tries again, through somebody else perhaps; who is a member stays one."""
        self.count[f"JoinFailed {notice.reason}"] += 1
        if notice.reason == Reason.GROUP_FULL:  # This one gives up.
            machine.wants = False
            machine.ends = self._vanish
        elif machine.group is None or not machine.group.me:
            machine.ends = self._join_later

    def _join_later(self, machine: Machine) -> None:
        self._vanish(machine)
        self.at(500 + self.rng.randrange(1000), self._try_join, machine, machine.life)

    def _try_join(self, machine: Machine, life: int) -> None:
        if machine.life != life or machine.group is not None or not machine.wants:
            return
        others = [m.number for m in self.machines.values() if m.me and m.group and m is not machine]
        self.start(machine.number, self.rng.choice([0, *others]))

    def _departed(self, machine: Machine, notice: e.Departed) -> None:
        self.count["Departed"] += 1
        machine.wants = False
        if notice.kicked:  # The group stays, and asks whether that counts.
            machine.me = 0
        else:
            machine.ends = self._vanish

    def _reinstated(self, machine: Machine, notice: e.Reinstated) -> None:
        self.count["Reinstated"] += 1
        machine.ends = self._begin_anew

    def _begin_anew(self, machine: Machine) -> None:
        """As after the death of its process, and from its log."""
        self._vanish(machine)
        self.start(machine.number)

    def _stopped(self, machine: Machine, notice: e.Stopped) -> None:
        self.count["Stopped"] += 1
        if not machine.closing:
            self.oracle.stopped_by_itself(machine, notice)
            machine.wants = False  # Its user goes on with the other one.
        machine.ends = self._quit

    def _quit(self, machine: Machine) -> None:
        self.kill(machine.number)
        if not machine.wants:
            machine.me = 0

    def _vanish(self, machine: Machine) -> None:
        """The group ends; its node stays and says that it does not know the chat."""
        machine.group = None
        self.network.orphan(machine, machine.end_life())
        machine.me = 0
