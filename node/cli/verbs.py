"""From a command line to an exit code: finds the verb, and says what went wrong in one line.

Verbs live in the `verbs_...` files, each a function `Run -> exit code` in the `VERBS` of its file,
which is imported when it is asked for.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from ..errors import DONE, INTERRUPTED, Complaint
from .parser import parse

HOMES = {
    "verbs_node": "up down status doctor rpc _node",
    "verbs_ui": "host create join chat",
    "verbs_chat": (
        "leave send tail search members leader list invite unread peers ping trace election check"
        " watch"
    ),
    "verbs_bench": "bench",
    "verbs_help": "log config completion errors",
    "demo": "demo",
}
PLACE = {verb: module for module, verbs in HOMES.items() for verb in verbs.split()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; its exit code as `errors.EXIT_CODES` lists them."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    quiet = False
    try:
        args = parse(sys.argv[1:] if arguments is None else arguments)
        quiet = getattr(args, "quiet", False)
        return _run(args)
    except Complaint as complaint:
        said = str(complaint).encode("utf-8", "replace").decode()
        printable = "".join(char if char.isprintable() else "?" for char in said)
        print(f"p2pchat: {printable}", file=sys.stderr)
        return complaint.exit
    except KeyboardInterrupt:
        if not quiet:
            print(file=sys.stderr)
        return INTERRUPTED


def _run(args: object) -> int:
    from ..places import places
    from .output import Output, ReaderGone, leave_quietly
    from .run import Run

    verb = getattr(args, "verb", None) or "chat"
    home, profile = getattr(args, "home", None), getattr(args, "profile", None)
    output = Output(getattr(args, "json", False), getattr(args, "quiet", False))
    run = Run(args, places(profile, home), output)  # type: ignore[arg-type]
    module = import_module(f"node.cli.{PLACE[verb]}")
    try:
        return int(module.VERBS[verb](run))
    except ReaderGone:
        leave_quietly()
        return DONE
