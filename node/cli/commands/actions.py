"""What a typed line asks for, as values that a face performs."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct, field

from ...words import Kind
from ..model.events import Event

# A row of a page of text: a line, a heading, or two columns.
PageRow: TypeAlias = str | tuple[str] | tuple[str, str]


class Say(Struct, frozen=True):
    """Send text to a chat."""

    chat: str  # as the node is told: its 16 hex digits
    text: str
    kind: Kind = Kind.TEXT


class Query(Struct, frozen=True):
    """Ask the node: one of the names in `queries`; its answer goes below the conversation."""

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)


class Apply(Struct, frozen=True):
    """Something of the face's own has changed: `event` is to be reduced."""

    event: Event
    said: str = ""  # what has been done, in one line, where the screen alone would not show it
    then: Query | None = None  # what the node is to be told as well


class Show(Struct, frozen=True):
    """Print lines that the face has itself."""

    lines: tuple[str, ...]


class Open(Struct, frozen=True):
    """Show a page: over the transcript where there is a screen, else below the conversation.

    Those of kind "help" and "keys" are made of rows: for "keys" what `keys.shown` gives.  All
    others are what `queries.fetch` gives for their kind and `args`.
    """

    kind: str  # help, keys, elections, trace, queue, peers, rpc, check
    topic: str = ""  # of help: what is explained; of trace: the message's id
    args: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[PageRow, ...] = ()  # of help


class Find(Struct, frozen=True):
    """Look for text in the chat in front."""

    text: str


class Copy(Struct, frozen=True):
    """Put text into the clipboard of the terminal."""

    text: str
    said: str = ""  # whose it is


class LookUp(Struct, frozen=True):
    """Ask the node for a line: to copy it, or to answer it with a text."""

    chat: str
    id: str = ""  # how its id begins; empty: the newest line of another
    text: str = ""  # empty: it is to be copied


class Save(Struct, frozen=True):
    """Keep settings, mutes, aliases and the like for the next time, now."""


class Reload(Struct, frozen=True):
    """Take settings, keys and aliases from the files again."""


class Quit(Struct, frozen=True):
    """End the face."""


Action: TypeAlias = Say | Query | Apply | Show | Open | Find | Copy | LookUp | Save | Reload | Quit
