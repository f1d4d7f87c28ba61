"""The slash commands: one table, from which parsing, `/help` and completion are made.

`parse` turns a line that was typed into an action, a value that a face performs.  Names are matched
whatever their case and by unique beginnings; a command that does not exist is never sent as text.
"""

from .actions import Action, Apply, Copy, Find, Open, Query, Quit, Reload, Save, Say, Show
from .table import TABLE, Arg, Command, Mistyped, explain, find, overview, parse

__all__ = [
    "TABLE",
    "Action",
    "Apply",
    "Arg",
    "Command",
    "Copy",
    "Find",
    "Mistyped",
    "Open",
    "Query",
    "Quit",
    "Reload",
    "Save",
    "Say",
    "Show",
    "explain",
    "find",
    "overview",
    "parse",
]
