"""Ways within a transcript: to what matches a text, to mentions, to the first line not read.

All answer with the serial of an item, 0 for none.
"""

from collections.abc import Callable, Collection

from ...words import Line
from .values import Entry, Item, Reply, Unsent, View


def find_hit(
    view: View, text: str, from_serial: int, step: int, ignored: Collection[str] = ()
) -> int:
    """The next item that holds a text, whatever its case.

    Args:
        view: the transcript.
        text: what is looked for; nothing holds the empty text.
        from_serial: the item beside which to begin, itself left out; 0 for the end of the
            transcript going back, for its beginning going on.
        step: -1 for older, 1 for newer.
        ignored: nicks, folded, whose lines are not shown.
    """
    wanted = text.casefold()
    if not wanted:
        return 0
    return _next(view, from_serial, step, lambda entry: _holds(entry, wanted, ignored))


def _holds(entry: Entry, wanted: str, ignored: Collection[str]) -> bool:
    match entry:
        case Line(text=text, nick=nick):
            return wanted in text.casefold() and nick.casefold() not in ignored
        case Reply(lines=lines):
            return any(wanted in line.casefold() for line in lines)
        case Unsent(text=text):
            return wanted in text.casefold()
        case _:
            return False


def mention_from(view: View, serial: int, step: int, ignored: Collection[str] = ()) -> int:
    """The next line that names oneself, before (-1) or after (1) that item; 0 as in `find_hit`."""
    return _next(view, serial, step, lambda entry: _names_me(entry, ignored))


def _names_me(entry: Entry, ignored: Collection[str]) -> bool:
    return isinstance(entry, Line) and entry.mention and entry.nick.casefold() not in ignored


def first_unread(view: View) -> int:
    """The first line behind the marker; without one, the first line if there are unread ones."""
    if not view.marker and not view.unread:
        return 0
    behind = _index(view, view.marker) + 1
    lines = (item for item in view.items[behind:] if isinstance(item.entry, Line))
    return next((item.serial for item in lines), 0)


def _index(view: View, serial: int) -> int:
    """Where the item of that serial is; -1 for nowhere."""
    return next((index for index, item in enumerate(view.items) if item.serial == serial), -1)


def _next(view: View, serial: int, step: int, wanted: Callable[[Entry], bool]) -> int:
    at = _index(view, serial)
    items: tuple[Item, ...] = view.items
    if step < 0:
        items = (items[:at] if at >= 0 else items)[::-1]
    elif at >= 0:
        items = items[at + 1 :]
    return next((item.serial for item in items if wanted(item.entry)), 0)
