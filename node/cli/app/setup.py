"""What the app is started with."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from ..keys import TABLE, Chords, Key
from ..model import Event, State
from ..queries import now_ms

if TYPE_CHECKING:
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

    from ..client import Client


class Keeping(Protocol):
    """What keeps settings, mutes, aliases and the chat in front from one run to the next."""

    @property
    def keys(self) -> Mapping[str, Chords]:
        """The keys of every action; they follow `reload`."""

    def begin(self) -> State:
        """The state to begin with."""

    def restored(self) -> tuple[Event, ...]:
        """What is to be reduced after the first status: it concerns chats."""

    def save(self, state: State) -> None:
        """Keeps what of `state` is worth it.  Raises a Complaint where it cannot."""

    def reload(self, state: State) -> tuple[Event, ...]:
        """What the files say now."""


class Forgetful:
    """Keeps nothing."""

    keys: Mapping[str, Chords] = MappingProxyType({one.action: one.keys for one in TABLE})

    def begin(self) -> State:
        return State()

    def restored(self) -> tuple[Event, ...]:
        return ()

    def save(self, state: State) -> None:
        """Nowhere."""

    def reload(self, state: State) -> tuple[Event, ...]:
        return ()


class Extra(Struct, frozen=True):
    """A key beside those of the table, and what it does; what that gives is told in the chat."""

    key: Key
    work: Callable[[], Awaitable[str]]


class Setup(Struct, frozen=True):
    """All that a run of the app is given beside its node."""

    log: Path  # where tracebacks go, and whatever writes to stderr meanwhile
    chat: int | str = ""  # number or name of the chat to put in front; empty for the one that was
    greeting: tuple[str, ...] = ()  # told in that chat at first
    keeper: Keeping = field(default_factory=Forgetful)
    color: bool = True
    extras: tuple[Extra, ...] = ()
    owns_node: bool = False  # the node lives in this process and ends with it
    opens: "Callable[[], AbstractAsyncContextManager[Client]] | None" = None  # the node, later
    input: "Input | None" = None  # the terminal is taken where none is given
    output: "Output | None" = None
    now: Callable[[], int] = now_ms

    @property
    def keys(self) -> dict[str, Chords]:
        """The keys of every action, extra ones included."""
        return {one.key.action: one.key.keys for one in self.extras} | dict(self.keeper.keys)
