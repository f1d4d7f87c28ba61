"""From a command line to an exit code: finds the verb, and says what went wrong in one line.

Verbs live in the `verbs_...` files, each a function `Run -> exit code` in the `VERBS` of its file,
which is imported when it is asked for.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from ..errors import DONE, INTERRUPTED, Complaint, OutputFailed, Usage
from .parser import parse
from .streams import open_closed, silence

HOMES = {
    "verbs_node": "up down status doctor rpc _node",
    "verbs_ui": "host create join chat",
    "verbs_chat": (
        "leave send tail search members leader list invite unread peers ping trace election check"
        " watch password edit redact kick ban unban op deop owner rights"
    ),
    "verbs_bench": "bench",
    "verbs_help": "log config completion errors",
    "demo": "demo",
}
PLACE = {verb: module for module, verbs in HOMES.items() for verb in verbs.split()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; its exit code as `errors.EXIT_CODES` lists them."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    open_closed()
    quiet = False
    try:
        given = sys.argv[1:] if arguments is None else arguments
        _check_utf8(given)
        args = _parsed(given)
        quiet = getattr(args, "quiet", False)
        code = _run(args)
    except Complaint as complaint:
        said = str(complaint).encode("utf-8", "replace").decode()
        printable = "".join(char if char.isprintable() else "?" for char in said)
        _say(f"p2pchat: {printable}\n")
        code = complaint.exit
    except KeyboardInterrupt:
        if not quiet:
            _say("\n")
        code = INTERRUPTED
    return code


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line asks for.

    Raises:
        Usage: it makes no sense.
        OutputFailed: stdout does not take what --help and --version print.
        SystemExit: after those.
    """
    try:
        try:
            return parse(arguments)
        except SystemExit:
            sys.stdout.flush()
            raise
    except BrokenPipeError:
        silence(1)
        raise SystemExit(DONE) from None
    except OSError as error:
        silence(1)
        raise OutputFailed(text=error.strerror) from error


def _check_utf8(arguments: Sequence[str]) -> None:
    """Raises Usage for an argument, or a variable of ours, that has bytes of no text."""
    ours = {name: text for name, text in os.environ.items() if name.startswith("P2PCHAT_")}
    named = {f"argument {number}": text for number, text in enumerate(arguments, 1)}
    for name, text in (named | ours).items():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(text).decode("utf-8", "backslashreplace")
            raise Usage(text=f"{name} must be UTF-8 text, not '{shown}'.") from error


def _say(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # nobody can be told
        silence(2)


def _run(args: object) -> int:
    from ..places import places
    from .output import Output, ReaderGone
    from .run import Run

    verb = getattr(args, "verb", None) or "chat"
    home, profile = getattr(args, "home", None), getattr(args, "profile", None)
    output = Output(getattr(args, "json", False), getattr(args, "quiet", False))
    run = Run(args, places(profile, home), output)  # type: ignore[arg-type]
    module = import_module(f"node.cli.{PLACE[verb]}")
    try:
        return int(module.VERBS[verb](run))
    except ReaderGone:
        silence(1)
        return DONE
