"""Places of lines in the order in which everybody shows them, and the cursors that write them down.

A cursor is a place in seven decimal numbers with dots between: milliseconds and counter of the
message's clock, its author, incarnation, random number and sequence number of the author's stream,
and the line's number in the message.
"""

from .values import OUTSET, Place, View


def place_of(cursor: str) -> Place:
    """The place that a cursor writes down; () where it is none."""
    try:
        return tuple(map(int, cursor.split("."))) if cursor else ()
    except ValueError:
        return ()


def cursor_of(place: Place) -> str:
    """The cursor of a place; the line there is neither before it nor after it."""
    return ".".join(map(str, place))


BEGINNING = cursor_of(OUTSET)


def just_after(place: Place) -> Place:
    """Before this place, the line at `place` is the last one."""
    return (*place[:-1], place[-1] + 1)


def first_place(view: View) -> Place:
    """Of the first line that is held; () for none."""
    return next((item.place for item in view.items if item.place), ())


def last_place(view: View) -> Place:
    """Of the last line of the window; () for none."""
    return next((item.place for item in reversed(view.items) if item.place), ())


def newest(view: View) -> str:
    """The cursor after which the log is to be read on from the window's end; empty for none."""
    return cursor_of(last_place(view))
