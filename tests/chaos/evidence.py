"""What was seen in a cycle, as values: the checker needs nothing else.

A line is known by its name, the first two words of its text: `n3 17` is the seventeenth of n3.
Some go on `re n1 12`: their author had that line of n1 before its eyes when it wrote.
"""

from typing import TypeAlias

from msgspec import Struct, field

Epoch: TypeAlias = tuple[int, int]  # generation and n
LineKey: TypeAlias = tuple[int, int, int, int, int]  # source, incarnation, random, seq, line


class Said(Struct):
    """A line that somebody was told to send, and how far it is known to have come."""

    name: str
    author: str
    asked_at: float
    answers: str = ""  # the name of the line that it answers
    stored_at: float = 0.0  # acknowledged by its own node; 0 for never
    all_at: float = 0.0  # acknowledged by everyone who counted; 0 for never
    refused: str = ""

    @property
    def text(self) -> str:
        return f"{self.name} re {self.answers}" if self.answers else self.name


class Shown(Struct, frozen=True):
    """A line that a node showed to who watches it; `watch` counts the times we began to watch."""

    at: float
    node: str
    watch: int
    text: str


class Led(Struct, frozen=True):
    """Whom a node took for the leader from then on."""

    at: float
    node: str
    life: int  # of its process
    leader: int
    epoch: Epoch
    provisional: bool = False


class Healed(Struct, frozen=True):
    """A node told that a split is over."""

    at: float
    node: str
    messages: int


class Belongs(Struct, frozen=True):
    """A member as a node lists it: whose id."""

    node: str
    member: int
    identity: str
    state: str


class Grant(Struct, frozen=True):
    """An epoch that the discovery service issued, in the order in which it did."""

    epoch: Epoch
    leader: int


class Held(Struct, frozen=True):
    """A line in a node's database."""

    key: LineKey
    place: tuple[int, ...]
    id: str
    text: str
    deps: tuple[LineKey, ...] = ()  # the first lines of what its message follows


class View(Struct, frozen=True):
    """What a node says in the end."""

    node: str
    member: int
    leader: int
    epoch: Epoch
    provisional: bool
    fingerprint: str
    alive: int
    known: int
    outbox: int
    history: tuple[str, ...]  # texts, as shown
    held: tuple[Held, ...] = ()  # as its database has them, in display order


class Evidence(Struct):
    """All of a cycle."""

    said: dict[str, Said] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    led: list[Led] = field(default_factory=list)
    healed: list[Healed] = field(default_factory=list)
    members: set[Belongs] = field(default_factory=set)
    grants: list[Grant] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    listed: tuple[int, Epoch] | None = None  # by the discovery service in the end
    complaints: list[str] = field(default_factory=list)  # what needs no judging: bugs, no calm


def line_of(text: str) -> str:
    """The name of a line from its text."""
    return " ".join(text.split()[:2])


def answered_by(text: str) -> str:
    """The name of the line that a text answers; empty for none."""
    _, _, name = text.partition(" re ")
    return name
