"""What a slash command is made of: its row in the table, and the complaint about a wrong line."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct

from ..model.values import State
from ..render.text import clean_line
from .actions import Action

Values: TypeAlias = Mapping[str, str]  # name of an argument -> what was typed; "" for nothing
Doing: TypeAlias = Callable[[State, Values], Action]

REST = "rest"  # the name under which a command that is `free` gets all that follows it


TYPED_MAX = 40  # characters of what was typed that a complaint repeats


class Mistyped(Exception):
    """What is wrong with a line that was typed, for its author to read."""


def typed(text: str) -> str:
    """What was typed, as a complaint repeats it: not at any length, and nothing unprintable."""
    shown = clean_line(text[:TYPED_MAX])
    return f"{shown}..." if len(text) > TYPED_MAX else shown


class Arg(Struct, frozen=True):
    """One argument.

    `kind` says what completes it: chat, member, other (a member, not oneself), ignored (a nick),
    network, message, topic, setting, value, theme, alias, command, right, rightful (who has it),
    choice (one of `choices`), or text.  `rest` takes all that is left of the line.
    """

    name: str
    kind: str = "text"
    optional: bool = False
    rest: bool = False
    choices: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return "|".join(self.choices) or (f"{self.name}..." if self.rest else self.name)


class Command(Struct, frozen=True):
    """A row of the table, from which parsing, help, completion and the README are made."""

    name: str
    help: str
    handler: Doing
    args: tuple[Arg, ...] = ()
    aliases: tuple[str, ...] = ()
    group: str = "chat"  # chat, system or settings
    example: str = ""
    yields: bool = False  # leaves a beginning that it shares to those that do not yield
    free: bool = False  # takes its arguments apart by itself

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)

    @property
    def usage(self) -> str:
        shown = ""
        for index, arg in reversed(list(enumerate(self.args))):
            follows = f" {shown}" if shown else ""
            ends = all(one.optional for one in self.args[index:])
            if ends:  # what may be left out, with all that could follow it
                shown = f"[{arg.shown}{follows}]"
            else:
                shown = (f"[{arg.shown}]" if arg.optional else arg.shown) + follows
        return f"/{self.name} {shown}".rstrip()

    def wrong(self, why: str = "") -> Mistyped:
        """That it was not used as it can be: what is allowed, and an example."""
        said = f"{why}; it is {self.usage}" if why else f"it is {self.usage}"
        return Mistyped(f"{said}, for example: {self.example}" if self.example else said)
