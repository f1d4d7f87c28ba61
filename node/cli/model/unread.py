"""What of a chat has not been read: counts, and the marker behind the last line that was.

A line counts when it is another's, new, not of somebody ignored, and nobody is looking: looking is
to have the chat in front, at its end, with no page over it.
"""

from msgspec.structs import replace

from ...words import Chat, Line
from .events import CountedBack
from .places import place_of
from .transcript import at_outset, last_item, lost
from .values import BEYOND, OUTSET, Item, Place, State, View


def looking(state: State, view: View) -> bool:
    """Whether what comes at the end of this chat is seen at once."""
    covered = state.page is not None and state.page.kind != "bare"  # that one is the transcript
    return view.chat.chat_id == state.current and view.at_end and not covered


def counts(state: State, view: View, line: Line) -> bool:
    """Whether a line that comes now is one more to be read."""
    return not (line.own or line.backlog or looking(state, view) or _ignores(state, line))


def _ignores(state: State, line: Line) -> bool:
    return line.nick.casefold() in state.ignored


def counted(state: State, view: View, line: Line, before: View) -> View:
    """The view with its counts, and its marker before the first line to be read.

    What comes by catch-up is counted by the node alone, which knows what had been read before; the
    first of it has the marker before it even where one is looking.

    Args:
        state: as it was before the line.
        view: with the line in it.
        line: what came.
        before: the view without it.
    """
    if line.own:
        return view
    looked, ignored, new = (
        looking(state, before),
        _ignores(state, line),
        counts(state, before, line),
    )
    last = last_item(view)
    caught = line.backlog and not ignored and last is not None and last.entry is line
    starts = new or (caught and looked)
    if view.older is None and (starts or (before.waiting and not line.backlog)):
        view = replace(view, waiting=view.waiting + 1)
    is_first = not before.unread if new else caught and not _is_marked(before)
    stands = before.marker and before.scroll is not None  # it may be in sight, and moves nothing
    if is_first and not before.waiting and not stands:
        last = last_item(before)
        if last is None and view.older == "":
            view = at_outset(view)
        else:
            view = replace(view, marker=last.serial if last else 0)
    if new:
        unread, mentions = view.unread + 1, view.mentions + line.mention
        return replace(view, unread=unread, mentions=mentions, counted=view.counted + 1)
    if looked:
        return view
    return replace(view, caught=view.caught + (not ignored), hidden=view.hidden + ignored)


def _is_marked(view: View) -> bool:
    """Whether a marker stands, or will once the log is read."""
    return bool(view.marker or view.unread or view.caught or view.older is None)


def recounted(state: State, view: View, chat: Chat) -> View:
    """The view with the node's own count of what was not read.

    It is right where the watch had been broken, and about what came by catch-up; it may be behind
    what was counted here meanwhile, and what was seen here meanwhile.
    """
    if looking(state, view):
        missed = chat.unread if view.older is None and view.doubted else 0
        return replace(view, chat=chat, waiting=max(view.waiting, missed), doubted=False)
    theirs, unread, quiet = max(0, chat.unread - view.hidden), view.unread, view.quiet
    if view.doubted:
        unread = theirs
    elif theirs >= unread:
        rise = min(theirs - unread, view.caught)
        unread, quiet = unread + rise, quiet + rise
    elif unread - theirs > view.counted:
        unread = theirs
    mentions = chat.mentions if unread == theirs and not view.hidden else view.mentions
    waiting = max(0, view.waiting + unread - view.unread) if view.older is None else view.waiting
    return replace(
        view,
        chat=chat,
        unread=unread,
        mentions=min(mentions, unread),
        quiet=min(quiet, unread),
        waiting=waiting,
        counted=0,
        caught=0,
        doubted=False,
    )


def seen(view: View) -> View:
    """The view once all that counted has been looked at; the marker stays."""
    if not (view.unread or view.caught or view.hidden):
        return view
    return replace(view, unread=0, mentions=0, quiet=0, counted=0, caught=0, hidden=0)


def left(view: View) -> View:
    """The view when another chat comes to the front: what was read to its end needs no marker."""
    return replace(view, marker=0) if view.marker and view.at_end and not view.unread else view


def marked(view: View, before: View) -> View:
    """The view once the end of its log has been read, with the marker where it belongs.

    A marker whose place is known stays.  Else it stands before as many of the last lines of others
    as were unread when the face began, or when its item was lost with an older window; where those
    are more than the window holds, the log before it is counted back.
    """
    count = view.waiting or (before.unread if view.marker else 0)
    view = replace(view, waiting=0)
    is_held = any(item.serial == view.marker for item in view.items)
    if not count or (view.marker and (is_held or is_beyond(view))):
        return view
    index, left = _nth_last(view.items, count)
    if index > 0:
        return replace(view, marker=view.items[index - 1].serial)
    if view.older:
        return replace(view, marker=BEYOND, lost=(0, ()), sought=(left, view.older))
    return at_outset(view) if view.lines else view


def is_beyond(view: View) -> bool:
    """Whether the marker stands in the log, at no item of the window."""
    return is_sought(view) or (bool(view.lost[1]) and view.lost[0] == view.marker)


def is_sought(view: View) -> bool:
    """Whether the log is still to be counted back to the marker's place."""
    return view.marker == BEYOND and bool(view.sought[1])


def is_at_outset(view: View) -> bool:
    """Whether the marker stands before the first line of the log, which the window begins with."""
    return view.marker == BEYOND and view.lost == (BEYOND, OUTSET) and view.older == ""


def counted_back(view: View, event: CountedBack) -> View:
    """The view after a page that was counted back: the marker has its place, or is further back."""
    count, asked = view.sought
    if not is_sought(view) or event.asked != asked:
        return view
    for at in range(len(event.lines) - 1, -1, -1):
        if not count:
            return _in_log(view, place_of(event.lines[at].place))
        count -= not event.lines[at].own
    return replace(view, sought=(count, event.older)) if event.older else _in_log(view, OUTSET)


def _in_log(view: View, place: Place) -> View:
    """The view whose marker stands behind the line at that place."""
    view = replace(view, marker=BEYOND, lost=(BEYOND, place), sought=(0, ""))
    return found(view, view)


def found(view: View, before: View) -> View:
    """The view after a page of the log, with its marker where the page brings its line back."""
    view = lost(view, before.items, before.older)
    serial, place = view.lost
    if not place or serial != view.marker:
        return view
    placed = [item for item in view.items if item.place]
    read = [item for item in placed if item.place <= place]
    if not read or (len(read) == len(placed) and read[-1].place != place):
        return view
    return replace(view, marker=read[-1].serial, lost=(0, ()))


def _nth_last(items: tuple[Item, ...], count: int) -> tuple[int, int]:
    """The index of the count-th last line of others; -1 where there are no more, and how many are
    missing then.
    """
    for index in range(len(items) - 1, -1, -1):
        line = items[index].entry
        count -= isinstance(line, Line) and not line.own
        if not count:
            return index, 0
    return -1, count
