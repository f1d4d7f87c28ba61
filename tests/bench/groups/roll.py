"""Who takes part, and what each needs to be there."""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from msgspec import Struct

from .contestant import Contestant
from .servers import program


class Entrant(Struct, frozen=True):
    """A contestant before anything of it is imported."""

    name: str
    module: str
    kind_name: str
    program: str = ""  # of the server that its members need ...
    package: str = ""  # ... and the package that has to be installed
    quick: bool = False  # part of the quick comparison
    largest: int = sys.maxsize  # of the groups in which it is of interest

    def kind(self) -> type[Contestant]:
        return cast(type[Contestant], getattr(self._imported(), self.kind_name))

    def promises(self) -> tuple[str, str, str, str]:
        """Of a message, of several, when something dies, and to who was away."""
        found = self._imported()
        return found.PROMISE, found.ORDER, found.DEATH, found.AWAY

    def lacks(self) -> str:
        """What is not installed; empty where it can take part."""
        if self.program and not program(self.program):
            return self.program
        return self.package if self.package and find_spec(self.package) is None else ""

    def _imported(self) -> Any:
        return import_module(f".{self.module}", __package__)


ENTRANTS = (
    Entrant("ours", "ours", "Ours", quick=True),
    Entrant("ours-bare", "ours", "Bare", largest=10),
    Entrant("raw-grpc", "raw_grpc", "RawGrpc", quick=True),
    Entrant("kept-grpc", "kept_grpc", "KeptGrpc"),
    Entrant("raw-tcp", "raw_tcp", "RawTcp"),
    Entrant("pyre", "zyre", "Zyre", package="pyre"),
    Entrant("nats", "nats", "Nats", program="nats-server"),
    Entrant("mosquitto", "mosquitto", "Mosquitto", program="mosquitto"),
    Entrant("ngircd", "irc", "Irc", program="ngircd"),
)
PLANTED = (
    Entrant("losing", "planted", "Losing"),
    Entrant("doubling", "planted", "Doubling"),
    Entrant("damaging", "planted", "Damaging"),
)


def contestant(name: str) -> Entrant:
    return next(one for one in (*ENTRANTS, *PLANTED) if one.name == name)
