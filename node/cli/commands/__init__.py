"""The slash commands: one table, from which parsing, `/help` and completion are made.

`parse` turns a line that was typed into an action, a value that a face performs; `complete` says
what a half typed one may become.  Names are matched whatever their case and by unique beginnings; a
command that does not exist is never sent as text.  Nothing in here asks the node or the terminal.

`table` has the commands, `shape` what a row of it is; what they do stands in `asking` (the node is
asked), `chats`, `quoting` (one message) and `choosing` (settings and aliases); `topics` is `/help`.
"""

from .actions import (
    Action,
    Apply,
    Copy,
    Find,
    LookUp,
    Open,
    PageRow,
    Query,
    Quit,
    Reload,
    Save,
    Say,
    Show,
)
from .complete import Candidate, complete
from .parse import parse
from .quoting import about, of_another
from .shape import Arg, Command, Mistyped
from .table import TABLE, alias_fault, find
from .topics import explain, overview, plain

__all__ = [
    "TABLE",
    "Action",
    "Apply",
    "Arg",
    "Candidate",
    "Command",
    "Copy",
    "Find",
    "LookUp",
    "Mistyped",
    "Open",
    "PageRow",
    "Query",
    "Quit",
    "Reload",
    "Save",
    "Say",
    "Show",
    "about",
    "alias_fault",
    "complete",
    "explain",
    "find",
    "of_another",
    "overview",
    "parse",
    "plain",
]
