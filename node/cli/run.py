"""One run of the program: what was asked for, and what every verb needs to answer it."""

import argparse
import asyncio
import socket
from collections.abc import Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from .. import config, profile
from ..config import Config
from ..errors import DamagedFile, DiskUnreadable, NewerFile, Unreadable
from ..places import Places
from .output import Output

if TYPE_CHECKING:
    from .client import Client


class Run(Struct, dict=True):
    """A verb's surroundings."""

    args: argparse.Namespace
    places: Places
    output: Output

    def flag(self, name: str, default: Any = None) -> Any:
        """A flag that may not have been given, or that the verb does not take."""
        return getattr(self.args, name, default)

    @cached_property
    def config(self) -> Config:
        """All settings.

        Raises:
            Usage: a flag or variable is malformed.
            DamagedFile, NewerFile, DiskUnreadable, Unreadable: the profile cannot be read.
        """
        found = self.reread()
        self.output.note(*(f"p2pchat: {complaint}" for complaint in found.complaints))
        return found

    def reread(self) -> Config:
        """The settings as the files have them now; nothing is said of mistakes in them.

        Raises:
            Usage: a flag or variable is malformed.
            DamagedFile, NewerFile, DiskUnreadable, Unreadable: the profile cannot be read.
        """
        kept = profile.load(self.places.data).settings()
        return config.load(self.places, vars(self.args), kept)

    @cached_property
    def settings(self) -> Config:
        """All settings, for what only talks to a node: while one runs, which has its profile, they
        do without what the profile keeps where that cannot be read.

        Raises:
            Usage: a flag or variable is malformed.
            DamagedFile, NewerFile, DiskUnreadable, Unreadable: the profile cannot be read, and no
                node runs.
        """
        try:
            return self.config
        except (DamagedFile, NewerFile, DiskUnreadable, Unreadable):
            if not self.is_up():
                raise
            return config.load(self.places, vars(self.args))

    def client(self) -> "Client":
        """A connection to the node, not yet used."""
        from .client import Client

        return Client(
            self.places.socket,
            profile=self.places.profile,
            log=self.places.log,
            timeout=self.settings.timeout,
        )

    def ask(self, query: str, **args: Any) -> int:
        """Runs a query of `queries`, prints its answer, and gives the exit code."""

        async def work() -> int:
            from .queries import ask

            async with self.client() as node:
                return self.output.answer(await ask(node, query, **args))

        return wait(work())

    def is_up(self) -> bool:
        """Whether something listens on the control socket."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.places.socket))
            except OSError:
                return False
        return True


def wait(work: Coroutine[Any, Any, int]) -> int:
    """Runs a coroutine to its end on a loop of its own."""
    return asyncio.run(work)
