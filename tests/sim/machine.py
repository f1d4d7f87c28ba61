"""What a world is furnished with: disks, and the machines whose nodes write on them."""

from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from node.core.conversation import ChatMessage
from node.core.effects import (
    Erase,
    Meta,
    Remembered,
    Store,
    StoreMarks,
    StoreMessages,
    StoreMeta,
    StorePost,
    StoreRoster,
    Trim,
)
from node.core.events import Event
from node.core.group import Group
from node.core.messages import Roster
from node.core.types import NO_EPOCH, Epoch, Floor, Key, MemberId, Post


class Disk:
    """What `Store...` effects wrote.  Survives its node's processes."""

    __slots__ = ("floors", "holes", "messages", "meta", "posts", "roster", "trimmed")

    def __init__(self) -> None:
        self.meta: Meta | None = None
        self.roster = Roster()
        self.messages: dict[Key, ChatMessage] = {}
        self.posts: dict[Key, Post] = {}
        self.floors: dict[MemberId, Floor] = {}
        self.holes: set[Key] = set()
        self.trimmed: dict[MemberId, Key] = {}  # the last one of each author that went

    def write(self, store: Store) -> None:
        match store:
            case StoreMessages(messages):
                for message in messages:
                    self.messages[message.key] = message
            case Erase(texts):
                for (key, at), _ in texts:
                    self.messages[key] = self.messages[key].without((at,))
            case StorePost(post):
                self.posts[post.key] = post
            case StoreMeta(meta):
                self.meta = meta
            case StoreRoster(roster):
                self.roster = roster
            case StoreMarks(floors, holes):
                self.floors |= {floor.source: floor for floor in floors}
                self.holes |= set(holes)
            case Trim(last):
                self.trimmed |= {k.source: max(k, self.trimmed.get(k.source, k)) for k in last}
                for key in self.up_to(last):
                    del self.messages[key]
                    self.posts.pop(key, None)

    @property
    def lines(self) -> int:
        """Of all its messages."""
        return sum(len(message.ids) for message in self.messages.values())

    def up_to(self, last: tuple[Key, ...]) -> list[Key]:
        """What goes when these are the last ones to go of their sources."""
        top = {key.source: key for key in last}
        return [key for key in self.messages if key.source in top and key <= top[key.source]]

    def below(self, key: Key) -> bool:
        """Does the message lie at or below its source's floor?"""
        return key.source in self.floors and self.floors[key.source].covers(key)

    def read_back(self, rng: Random) -> Remembered:
        """Everything, the messages in no order that could be relied on."""
        messages = list(self.messages.values())
        rng.shuffle(messages)
        posts = tuple(p for p in self.posts.values() if not p.settled or p.acked != p.counted)
        floors, holes = tuple(self.floors.values()), tuple(sorted(self.holes))
        trimmed = tuple(self.trimmed.values())
        return Remembered(self.meta, self.roster, tuple(messages), posts, floors, holes, trimmed)

    def copy(self) -> "Disk":
        other = Disk()
        other.meta, other.roster = self.meta, self.roster
        other.messages, other.posts = dict(self.messages), dict(self.posts)
        other.floors, other.holes = dict(self.floors), set(self.holes)
        other.trimmed = dict(self.trimmed)
        return other


def deliverable(disk: Disk, gone: Iterable[Key] = ()) -> list[Key]:
    """The messages of a log whose predecessors are all there, count as delivered, or are gone.

    One that is here itself, below a floor, counts no more than it can be shown.
    """
    done = {*disk.holes, *gone, *(disk.meta.below if disk.meta is not None else ())}
    found = []
    for message in sorted(disk.messages.values(), key=lambda m: m.place):
        if all(
            key in done or (key not in disk.messages and disk.below(key))
            for key in message.predecessors
        ):
            done.add(message.key)
            found.append(message.key)
    return found


class Served:
    """A request that waits for its answer; `caller` is None for a repeated one."""

    __slots__ = ("call", "caller", "due", "life", "request")

    def __init__(self, caller: "Process | None", life: int, call: int, due: int, request: Any):
        self.caller, self.life, self.call, self.due = caller, life, call, due
        self.request = request


class Process:
    """Anything that is called and calls: a node or the registry.  `life` counts its processes."""

    __slots__ = ("asked", "frozen", "life", "number", "queue", "served", "take")

    def __init__(self, number: int) -> None:
        self.number = number
        self.life = 0
        self.frozen = False
        self.queue: deque[Event] = deque()  # what came while it was frozen
        self.asked: dict[int, int] = {}  # own calls without an outcome: call -> deadline
        self.served: dict[int, Served] = {}  # calls of others, not yet answered
        self.take: Callable[[Event], None]  # hands an event in

    @property
    def listens(self) -> bool:
        raise NotImplementedError

    def end_life(self) -> list[Served]:
        """The process is gone, and with it everything but the disk."""
        orphans = list(self.served.values())
        self.life += 1
        self.frozen = False
        self.queue.clear()
        self.asked.clear()
        self.served.clear()
        return orphans


class Machine(Process):
    """One computer: a disk, a wall clock, and at times a node."""

    __slots__ = (
        "address",
        "armed",
        "backup",
        "blocks",
        "closing",
        "committed",
        "disk",
        "ends",
        "epoch",
        "full",
        "fuse",
        "group",
        "hosting",
        "identity",
        "leader",
        "leading",
        "me",
        "offset",
        "orphans",
        "process",
        "ready",
        "said",
        "skew",
        "stalled",
        "stored",
        "wants",
    )

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.address = f"n{number}:7000"
        self.identity = bytes([number]) * 32
        self.disk = Disk()
        self.backup: Disk | None = None
        self.said = "", ""  # id and text of the last line written here
        self.skew = 0  # of the wall clock, ms
        self.full = False  # nothing more can be stored
        self.wants = False  # whether its user wants to be in the group
        self.hosting = False  # whether the node runs, with or without the group
        self.group: Group | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what a process knew."""
        self.process = 0
        self.offset = 0  # of the monotonic clock, ms
        self.armed: int | None = None  # when it is to be woken, at the earliest
        self.fuse: int | None = None  # effects until it crashes ...
        self.committed = False  # ... with all that its turn stores
        self.orphans = False  # it crashes once it is a member, before its profile says so
        self.stalled = False  # its group halted at a store, and begins anew once that works
        self.ready: set[str] = set()  # whom it has an open connection to
        self.blocks: list[tuple[Epoch, int, int]] = []  # ids that it was given
        self.me: MemberId = 0
        self.epoch: Epoch = NO_EPOCH
        self.leader: MemberId = 0
        self.leading = False
        self.stored = False  # whether it has stored anything of this life
        self.closing = False
        self.ends: Callable[[Machine], None] | None = None  # what follows its last effect

    @property
    def listens(self) -> bool:
        return self.hosting
