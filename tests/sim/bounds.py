"""The promises about long life: what may be trimmed, jumped and declared lost."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from node.core.group import Role
from node.core.types import Floor, Key, MemberId

from .brief import key as named
from .machine import Machine, deliverable

if TYPE_CHECKING:
    from .checkers import Seen
    from .world import World

ASKED = 15  # t2_ms: who has shown a message for so long in one life was asked after it did


class Broken(AssertionError):
    """A promise of the design does not hold."""

    def __init__(self, promise: str, text: str) -> None:
        super().__init__(f"{promise}: {text}")
        self.promise = promise


class Bounds:
    """A part of the oracle."""

    world: "World"
    index: dict[Key, int]
    keys: list[list[Key]]  # of each message
    said: dict[tuple[MemberId, str], list[Key]]  # with which messages each line was said
    past: list[int]  # of each message: what it follows by its own word, and so on

    def __init__(self) -> None:
        self.floors: set[Floor] = set()  # that a log of the right size made by trimming
        self.holes: set[Key] = set()
        self.turn: dict[int, tuple[int, set[Key]]] = {}  # the last in which each stored messages
        self.came: dict[int, dict[Key, int]] = {}  # when a machine's life showed a message
        self.twin_at: dict[MemberId, int] = {}  # when one of two that spoke for a member stopped

    def seen_by(self, machine: Machine) -> "Seen":
        raise NotImplementedError

    def storing_floor(self, machine: Machine, floor: Floor) -> None:
        """A floor rises by trimming a log that is too large, or is taken from another node."""
        disk = machine.disk
        old = disk.floors.get(floor.source)
        if old is not None and (old.at, -old.sum) >= (floor.at, -floor.sum):
            raise Broken("S8", f"{machine.number} goes from floor {old} to {floor}")
        top = Key(floor.source, floor.stream, floor.seq)
        if top in disk.messages and disk.lines > self.world.timing.log_max:
            self.floors.add(floor)  # Another log may have been trimmed to the very same one.
            self.world.count["floors raised"] += 1
        elif floor in self.floors:
            self._adopting(machine, floor)
        else:
            raise Broken("S8", f"{machine.number} raises a floor to {named(top)} without need")

    def _adopting(self, machine: Machine, floor: Floor) -> None:
        """What others count as trimmed is jumped only where nobody who is there has it."""
        mine = machine.disk
        self.world.count["floors adopted"] += 1
        group = machine.group
        assert group is not None
        for other in self.world.machines.values():
            if other is machine or other.me not in group.active or other.group is None:
                continue
            for key in other.disk.messages:
                jumped = key.source == floor.source and floor.covers(key) and not mine.below(key)
                since = self.came.get(other.number, {}).get(key, self.world.now)
                if (
                    jumped
                    and key not in mine.messages
                    and self.world.now - since > ASKED * self.world.timing.t2_ms
                    and not self._was_asked_before(machine, other, since)
                    and not self._has_copy(other)
                    and not self._had_copy(other)
                ):
                    raise Broken(
                        "S8", f"{machine.number} jumps {named(key)}, which {other.number} has"
                    )

    def _was_asked_before(self, machine: Machine, other: Machine, since: int) -> bool:
        """Was it last asked before that?  All are asked, and some a long time after."""
        assert machine.group is not None
        state, asked = machine.group._s, machine.group._catching_up._last.get(other.me)
        return asked is not None and self.world.now - (state.now - asked) < since

    def _has_copy(self, machine: Machine) -> bool:
        """Does another process speak for this member?  Then what it alone has was not asked for."""
        for other in self.world.machines.values():
            if other is not machine and other.me == machine.me and other.group is not None:
                self.world.count["a copy of a member spoke"] += 1
                return True
        return False

    def _had_copy(self, machine: Machine) -> bool:
        """Did another process answer as this member while others were asked for what they have?"""
        stopped = self.twin_at.get(machine.me)
        return stopped is not None and self.world.now - stopped < ASKED * self.world.timing.t2_ms

    def storing_messages(self, machine: Machine, keys: Iterable[Key]) -> None:
        """What one turn stores and shows it may trim, too: all is stored before any is shown."""
        turn, fresh = self.turn.get(machine.number, (0, set()))
        if turn != self.world.handled:
            turn, fresh = self.turn[machine.number] = self.world.handled, set()
        fresh.update(keys)

    def trimming(self, machine: Machine, last: tuple[Key, ...]) -> None:
        """Only what was shown and is settled goes, and no more than must."""
        turn, fresh = self.turn.get(machine.number, (0, set[Key]()))
        if turn != self.world.handled:
            fresh = set()
        disk, log_max = machine.disk, self.world.timing.log_max
        gone = disk.up_to(last)
        sizes = [len(disk.messages[key].ids) for key in gone]
        spared = disk.lines - sum(sizes) + max(sizes, default=0)  # The last may be a large one.
        if spared <= log_max - max(1, log_max // 100):
            raise Broken("S8", f"{machine.number} trims {sum(sizes)} of {disk.lines} lines")
        seen = self.seen_by(machine)
        for key in gone:
            post, ids = disk.posts.get(key), disk.messages[key].ids
            if not disk.below(key):
                raise Broken("S8", f"{machine.number} trims {named(key)} above its floor")
            repeats = {(key.source, id) for id in ids} <= seen.ids  # Shown under another key.
            if not (seen.shown >> self.index[key] & 1 or repeats or key in fresh):
                raise Broken("S8", f"{machine.number} trims {named(key)}, never shown")
            if post is not None and not post.settled:
                raise Broken("S4", f"{machine.number} trims {named(key)}, still to be told")
        self.world.count["messages trimmed"] += len(gone)

    def storing_hole(self, machine: Machine, hole: Key) -> None:
        """The certified leader declares it, or tells who asked, and nobody who can be reached has
        the message.
        """
        if hole in self.holes:
            return
        group = machine.group
        if group is None or group.role is not Role.LEADER:
            raise Broken("S4", f"{machine.number} declares {named(hole)} lost, and does not lead")
        active = set(group.active)
        for other in self.world.machines.values():
            if other.me not in active or hole not in other.disk.messages:
                continue
            if not self._has_copy(other):
                raise Broken("S4", f"{named(hole)} is declared lost; {other.number} has it")
        self.holes.add(hole)
        self.world.count["holes declared"] += 1

    def gone(self, machine: Machine) -> int:
        """What was trimmed there, and what that followed: nothing written there need name it."""
        disk, gone = machine.disk, 0
        for known, keys in enumerate(self.keys):
            if all(key not in disk.messages and disk.below(key) for key in keys):
                gone |= self.past[known] | 1 << known
        return gone

    def top(self, machine: Machine) -> Any:
        """The highest place of what can be seen there."""
        told: set[tuple[MemberId, str]] = set()
        top: Any = ()
        for key in deliverable(machine.disk):
            message = machine.disk.messages[key]
            lines = {(key.source, id) for id in message.ids}
            if not lines <= told:
                told |= lines
                top = max(top, message.place)
        return top

    def forgotten(self, machine: Machine, line: tuple[MemberId, str], key: Key) -> bool:
        """Was the line shown under another key only, which has been trimmed here?  It may have been
        said again since: under one that has not come here yet.
        """
        disk = machine.disk
        others = [other for other in self.said[line] if other != key]
        is_here = any(other in disk.messages for other in others)
        return not is_here and any(map(disk.below, others))
