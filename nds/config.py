"""The command line of nds-server, checked.  Imports little, so that --help is quick."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from msgspec import Struct

from nds.errors import UsageError

LISTEN = "127.0.0.1:50050"
ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):(?P<port>[0-9]{1,5})")
LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]")


class Config(Struct, frozen=True):
    """How one server is to run."""

    host: str = "127.0.0.1"  # an IPv6 address in brackets
    port: int = 50050  # 0: any free one
    store: Path | None = None  # None: in memory
    is_usual_store: bool = False  # whose directory is made; any other must be there
    log: str = "text"  # or "json"
    insecure: bool = False  # plain connections, on this machine alone

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return LOOPBACK.fullmatch(self.host) is not None


class _Parser(argparse.ArgumentParser):
    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """As ever, but that `--flag=--` is a text: argparse would drop it, and give a list."""
        if not action.option_strings or arg_strings != ["--"]:
            return super()._get_values(action, arg_strings)
        value = self._get_value(action, "--")
        self._check_value(action, value)
        return value

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def parse(arguments: Sequence[str]) -> Config:
    """Read the arguments after the program's name.

    Raises `UsageError` for what makes no sense, and `SystemExit(0)` after --help and --version.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    host, port = _listen(given.listen)
    store, is_usual = _store(given.store), not given.store
    config = Config(host, port, store, is_usual, given.log, given.insecure)
    if config.insecure and not config.loopback:
        raise UsageError(
            f"--insecure is for this machine alone: --listen must be 127.0.0.1, not {host}"
        )
    return config


def key_file(config: Config) -> Path | None:
    """Where the key of the service is kept: beside the store, which it outlives."""
    store = config.store
    if store is None:
        return None
    return store.with_suffix(".key.pem" if store.suffix == ".pem" else ".pem")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nds-server",
        description="The discovery service of p2pchat: which networks exist, and who leads each.",
        epilog="It never sees a message.  SIGTERM or Ctrl-C ends it; nothing it answered is lost.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        default=LISTEN,
        help=f"where to listen; port 0 takes any free one (default: {LISTEN})",
    )
    parser.add_argument(
        "--store",
        metavar="sqlite:PATH|memory:",
        default="",
        help="where to keep the networks (default: nds.db in this user's data directory), with the"
        " key of the service beside it; memory: has a new key at each start, and nodes that know"
        " the old one refuse it until its line is taken out of their known_nds",
    )
    parser.add_argument(
        "--log",
        choices=["text", "json"],
        default="text",
        help="how to write the log, which goes to stderr, one event a line (default: text)",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="plain connections, which anybody on this machine may read and use; for lessons",
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        help="print the version and exit",
    )
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"{parser.prog} {version('p2pchat')}")
        parser.exit()


def _listen(text: str) -> tuple[str, int]:
    match = ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise UsageError(
            f"--listen {text!r} is not HOST:PORT with a port of 0 to 65535, like {LISTEN}"
        )
    return match["host"], int(match["port"])


def _store(text: str) -> Path | None:
    kind, _, path = text.partition(":")
    match kind, path:
        case "", "":
            from platformdirs import user_data_path

            return user_data_path("p2pchat", appauthor=False) / "nds.db"
        case "memory", "" if text.endswith(":"):
            return None
        case "sqlite", _ if path and "\0" not in path:
            return Path(path).expanduser()
    raise UsageError(f"--store {text!r} is neither sqlite:PATH nor memory:")
