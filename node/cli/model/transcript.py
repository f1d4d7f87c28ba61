"""A transcript: lines by their places in the log, notices and answers where they came up.

A view holds a window of it.  At the end of the log the window slides along: what is too much goes
at its head.  While one has scrolled up, nothing that is on the screen may go, so a window that is
full stays where it is, cut off from the present; the newest of what comes then waits in `later`.
"""

from collections.abc import Sequence
from enum import Enum
from itertools import islice

from msgspec.structs import replace

from ...happenings import ReceiptEvent
from ...words import Line
from .places import cursor_of, just_after, place_of
from .values import BEYOND, IDLE_LINES_MAX, OUTSET, Entry, Item, Place, View

LATER_MAX = IDLE_LINES_MAX  # items that wait for a window that does not reach them
AMONG_MAX = 200  # last items among which a line without a place is looked for
ABOVE = 100  # items above the anchor that may be on the screen
CUT_SHARE = 50  # at the end, a window that is full loses one in so many items
NEVER_MS = 1 << 62  # an entry that does not say when it came, came last


class _Spot(Enum):
    HELD = "held"
    BEFORE = "before"  # all lines of the window
    WITHIN = "within"
    AFTER = "after"
    ALONE = "alone"  # no line is held


# ---- one more item -----------------------------------------------------------------------------


def with_line(view: View, item: Item, room: int) -> View:
    """The view with a line more, at its place; the very same view where it is held already.

    Lines before the window are not put in, for the log has them; but pages of it that are under way
    may have been read before they came.

    Args:
        view: where to.
        item: the line.
        room: how many items the window may have.
    """
    if not item.place:
        return view if _repeats(view, item) else with_entry(view, item, room)
    spot, index = _spot(view.items, item.place)
    if spot is _Spot.HELD:
        return view
    if _in_log_only(view, spot, item.place):
        return replace(view, earlier=(*view.earlier, item)[-LATER_MAX:])
    if spot in (_Spot.AFTER, _Spot.ALONE):
        return with_entry(view, item, room)
    index = _among_notices(view.items, index, item.place)
    items = (*view.items[:index], item, *view.items[index:])
    return fitted(replace(view, items=items), room)


def with_entry(view: View, item: Item, room: int) -> View:
    """The view with an item more at its end, or kept for later where the end is not held."""
    newest = _newest(view, item)
    if view.cut_off or (view.scroll is not None and len(view.items) >= room):
        if item.place and any(item.place == held.place for held in view.later):
            return view
        later = (*view.later, item)[-LATER_MAX:]
        return replace(view, cut_off=True, later=later, newest=newest)
    return fitted(replace(view, items=(*view.items, item), newest=newest), room)


def _newest(view: View, item: Item) -> Place:
    """Before which place the log has nothing that was not told, with that item.

    Where that is not known, a line that came late says nothing of those before it.
    """
    is_late = isinstance(item.entry, Line) and item.entry.backlog
    return view.newest if is_late and not view.newest else max(view.newest, item.place)


def last_item(view: View) -> Item | None:
    """What came up last."""
    return (view.later or view.items or (None,))[-1]


def with_last(view: View, item: Item) -> View:
    """The view with another value of its last item."""
    if view.later:
        return replace(view, later=(*view.later[:-1], item))
    return replace(view, items=(*view.items[:-1], item))


def with_receipt(view: View, event: ReceiptEvent) -> View:
    """The view with an own line's acknowledgements brought up to date.

    The line may be in a page that is under way, read before it was acknowledged.
    """
    later = _received(view.later, event)
    if later is not view.later:
        return replace(view, later=later)
    items = _received(view.items, event)
    if items is not view.items:
        return replace(view, items=items)
    others = [one for one in view.receipts if one.msg_id != event.msg_id]
    earlier = _received(view.earlier, event)
    return replace(view, earlier=earlier, receipts=(*others, event)[-LATER_MAX:])


def with_change(view: View, line: Line) -> View:
    """The view with a line that was edited or redacted as it is now, wherever it is held.

    It may be in a page that is under way, read before it was changed.
    """
    items, later = _as_of(view.items, line), _as_of(view.later, line)
    others = [one for one in view.changes if not _same(one, line)]
    changes = (*others, line)[-LATER_MAX:]
    earlier = _as_of(view.earlier, line)
    return replace(view, items=items, later=later, earlier=earlier, changes=changes)


def as_of(line: Line, now: Line) -> Line:
    """A line once it was changed."""
    return replace(
        line,
        text=now.text,
        edited=now.edited,
        erased=now.erased,
        redacted_by=now.redacted_by,
        mention=now.mention,
    )


def _as_of(items: tuple[Item, ...], now: Line) -> tuple[Item, ...]:
    for index in range(len(items) - 1, -1, -1):
        line = items[index].entry
        if isinstance(line, Line) and _same(line, now):
            item = replace(items[index], entry=as_of(line, now))
            return (*items[:index], item, *items[index + 1 :])
    return items


def _received(items: tuple[Item, ...], event: ReceiptEvent) -> tuple[Item, ...]:
    for index in range(len(items) - 1, -1, -1):
        line = items[index].entry
        if isinstance(line, Line) and line.own and line.msg_id == event.msg_id:
            item = replace(items[index], entry=replace(line, acked=event.acked, of=event.of))
            return (*items[:index], item, *items[index + 1 :])
    return items


def _spot(items: Sequence[Item], place: Place) -> tuple[_Spot, int]:
    """Where a place is among the lines held, and the index of the line that follows it."""
    follower = len(items)
    for index in range(len(items) - 1, -1, -1):
        held = items[index].place
        if held == place:
            return _Spot.HELD, index
        if held and held < place:
            return (_Spot.AFTER if follower == len(items) else _Spot.WITHIN), follower
        if held:
            follower = index
    return (_Spot.ALONE if follower == len(items) else _Spot.BEFORE), follower


def _in_log_only(view: View, spot: _Spot, place: Place) -> bool:
    """Whether a line belongs before the window, and the log will give it when it is paged."""
    if spot in (_Spot.WITHIN, _Spot.AFTER):
        return False
    if view.older is None:
        return spot is _Spot.BEFORE
    return place < place_of(view.older)


def _repeats(view: View, item: Item) -> bool:
    """Whether a line without a place came already, lately."""
    line = item.entry
    assert isinstance(line, Line), f"{line} is no line"
    lately = (*view.items[-AMONG_MAX:], *view.later)
    return any(isinstance(held.entry, Line) and _same(held.entry, line) for held in lately)


def _same(one: Line, other: Line) -> bool:
    return one.msg_id == other.msg_id and one.source_id == other.source_id


def _among_notices(items: Sequence[Item], index: int, place: Place) -> int:
    """Where before the line at `index`, and the notices ahead of it, a line of that place goes."""
    while index and not items[index - 1].place and came_ms(items[index - 1].entry) > place[0]:
        index -= 1
    return index


def came_ms(entry: Entry) -> int:
    """When an entry came up, or a line was sent."""
    at = entry.sent_ms if isinstance(entry, Line) else entry.at_ms
    return at or NEVER_MS


# ---- many more ---------------------------------------------------------------------------------


def merged(items: Sequence[Item], lines: Sequence[Item]) -> tuple[Item, ...]:
    """Items with lines put among them: by place among lines, by time among all else.

    The items keep their order; lines without a place go before all that have one.
    """
    found: list[Item] = []
    at = 0
    for item, bound in zip(items, _bounds(items), strict=True):
        while at < len(lines) and _precedes(lines[at].place, item, bound):
            found.append(lines[at])
            at += 1
        found.append(item)
    return (*found, *lines[at:])


def _bounds(items: Sequence[Item]) -> list[Place]:
    """For each item its own place, or that of the first line after it; () where none follows."""
    bounds: list[Place] = []
    bound: Place = ()
    for item in reversed(items):
        bound = item.place or bound
        bounds.append(bound)
    return bounds[::-1]


def _precedes(place: Place, item: Item, bound: Place) -> bool:
    if bound and place >= bound:
        return False
    return bool(item.place) or not place or place[0] <= came_ms(item.entry)


# ---- no more than there is room for ------------------------------------------------------------


def fitted(view: View, room: int, *, newer: bool = False) -> View:
    """The view with no more items than that: the newest at the end, else those around the anchor.

    Args:
        view: perhaps too long.
        room: how many items may stay.
        newer: scrolled up, whether what is at the tail is wanted rather than what is at the head.
    """
    excess = len(view.items) - room
    if excess <= 0:
        return view
    if view.scroll is None and not view.cut_off:  # some more, so that not every line cuts
        return _without(view, max(excess, room // CUT_SHARE), 0)
    start = excess if newer else 0
    if (anchor := anchored(view)) >= 0:
        start = max(min(start, anchor - min(ABOVE, room // 2)), anchor - room + 1, 0)
    return _without(view, start, excess - start)


def anchored(view: View) -> int:
    """The index of the item that the view is scrolled to; -1 for none."""
    if view.scroll is None:
        return -1
    wanted = view.scroll.serial
    return next((index for index, item in enumerate(view.items) if item.serial == wanted), -1)


def _without(view: View, head: int, tail: int) -> View:
    """The view without that many items at its head and at its tail.

    What goes is not forgotten at once: a page that is being read may be from before it came.
    """
    kept, before = len(view.items) - tail, view.older
    if head:
        earlier = (*view.earlier, *filter(_is_placed, view.items[:head]))[-LATER_MAX:]
        view = replace(view, older=_older(view, head), earlier=earlier)
    if tail:
        later = (*view.items[kept:], *view.later)[-LATER_MAX:]
        view = replace(view, cut_off=True, later=later)
    items = view.items
    return lost(replace(view, items=items[head:kept]), items[:head], before)


def lost(view: View, gone: Sequence[Item], older: str | None) -> View:
    """The view, which remembers where its marker was if that went with these items; `older` is the
    cursor of what was before them.
    """
    if not view.marker:
        return view
    at = next((at for at, item in enumerate(gone) if item.serial == view.marker), -1)
    if at < 0 or any(item.serial == view.marker for item in view.items):
        return view
    place = next((item.place for item in reversed(gone[: at + 1]) if item.place), ())
    if place or older is None:
        return replace(view, lost=(view.marker, place))
    if older:  # behind the last line before those
        return replace(view, marker=BEYOND, lost=(0, ()), sought=(0, older))
    return at_outset(view)


def at_outset(view: View) -> View:
    """The view of a chat of which nothing was read."""
    return replace(view, marker=BEYOND, lost=(BEYOND, OUTSET), sought=(0, ""))


def cleared(view: View) -> View:
    """Nothing on the screen; all that is known to be in the log is before the window now."""
    forgotten = filter(_is_placed, (*view.earlier, *view.items, *view.later))
    return replace(
        view,
        items=(),
        later=(),
        earlier=tuple(forgotten)[-LATER_MAX:],
        older=cursor_of(just_after(view.newest)) if view.newest else None,
        cut_off=False,
        scroll=None,
        marker=0,
        waiting=0,
    )


def _is_placed(item: Item) -> bool:
    return bool(item.place)


def _older(view: View, head: int) -> str | None:
    """The cursor of what is before the window once its head is gone."""
    gone = [item.place for item in view.items[:head] if item.place]
    if view.older is None or not gone:
        return view.older
    first = next((item.place for item in islice(view.items, head, None) if item.place), ())
    return cursor_of(first or just_after(gone[-1]))
