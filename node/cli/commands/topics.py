"""What `/help` says: the commands in their groups, one of them, or how the keys go."""

from collections.abc import Iterable, Sequence

from ..render.text import width
from .actions import PageRow
from .shape import Command

GROUPS = {
    "chat": "Talking",
    "system": "Watching the system",
    "settings": "Settings",
}
TOPICS = (*GROUPS, "keys")

FIRST = (
    "A line that begins with / is a command; // sends the slash. All else is said.",
    "Names may be shortened while unique: /whoi bob. Full screen: Tab completes.",
)
LAST = ("/help COMMAND explains it; /help chat, system, settings or keys shows these.",)


def overview(table: Sequence[Command]) -> tuple[PageRow, ...]:
    """Every command in its group."""
    rows: list[PageRow] = [*FIRST]
    for group in GROUPS:
        rows += ["", *of_group(table, group)]
    return (*rows, "", *LAST)


def of_group(table: Sequence[Command], group: str) -> tuple[PageRow, ...]:
    """The commands of one group under its heading."""
    rows = [(command.usage, command.help) for command in table if command.group == group]
    return ((GROUPS[group],), *rows)


def explain(command: Command) -> tuple[str, ...]:
    """All about one command."""
    lines = [f"{command.usage}  {command.help}"]
    if command.aliases:
        lines.append(f"also: {', '.join('/' + alias for alias in command.aliases)}")
    if command.example:
        lines.append(f"for example: {command.example}")
    return tuple(lines)


def plain(rows: Iterable[PageRow]) -> tuple[str, ...]:
    """The rows of a page as lines of text, for where there is no screen."""
    rows = tuple(rows)
    widest = max(
        (width(row[0]) for row in rows if isinstance(row, tuple) and len(row) == 2), default=0
    )
    lines = []
    for row in rows:
        if isinstance(row, str):
            lines.append(row)
        elif len(row) == 1:
            lines.append(row[0])
        else:
            lines.append(f"  {row[0]}{' ' * (widest - width(row[0]))}  {row[1]}".rstrip())
    return tuple(lines)
