"""What of a chat has not been read: counts, and the marker behind the last line that was.

A line counts when it is another's, new, not of somebody ignored, and nobody is looking: looking is
to have the chat in front, at its end, with no page over it.
"""

from dataclasses import replace

from ...words import Line
from .transcript import last_item
from .values import Item, State, View


def looking(state: State, view: View) -> bool:
    """Whether what comes at the end of this chat is seen at once."""
    return view.chat.chat_id == state.current and view.at_end and state.page is None


def counts(state: State, view: View, line: Line) -> bool:
    """Whether a line that comes now is one more to be read."""
    if line.own or line.backlog or looking(state, view):
        return False
    return line.nick.casefold() not in state.ignored


def counted(view: View, line: Line, *, before: View, new: bool) -> View:
    """The view with its counts, and its marker before the first line to be read.

    Args:
        view: with the line in it.
        line: what came.
        before: the view without it.
        new: whether it counts.
    """
    waiting = view.waiting
    if view.older is None and not (line.own or line.backlog) and (new or waiting):
        waiting += 1
    if not new:
        return view if waiting == view.waiting else replace(view, waiting=waiting)
    last = last_item(before)
    return replace(
        view,
        unread=view.unread + 1,
        mentions=view.mentions + line.mention,
        marker=view.marker if view.unread or view.waiting else last.serial if last else 0,
        waiting=waiting,
    )


def seen(view: View) -> View:
    """The view once all that counted has been looked at; the marker stays."""
    return replace(view, unread=0, mentions=0) if view.unread or view.mentions else view


def left(view: View) -> View:
    """The view when another chat comes to the front: what was read to its end needs no marker."""
    return replace(view, marker=0) if view.marker and view.at_end and not view.unread else view


def marked(view: View, before: View) -> View:
    """The view once the end of its log has been read, with the marker where it belongs.

    A marker whose item is held stays.  Else it stands before as many of the last lines of others as
    were unread when the face began, or when its item was lost with an older window.
    """
    if view.marker and any(item.serial == view.marker for item in view.items):
        return replace(view, waiting=0)
    count = view.waiting or (before.unread if view.marker else 0)
    index = _nth_last(view.items, count) if count else 0
    return replace(view, marker=view.items[index - 1].serial if index else 0, waiting=0)


def _nth_last(items: tuple[Item, ...], count: int) -> int:
    """The index of the count-th last line of others; 0 where there are no more."""
    for index in range(len(items) - 1, -1, -1):
        line = items[index].entry
        count -= isinstance(line, Line) and not line.own
        if not count:
            return index
    return 0
