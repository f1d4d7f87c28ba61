"""Pages of the log as they are read: each makes the window longer, or puts another in its place.

A line keeps its item, and so its serial, wherever it is held already.
"""

from collections.abc import Sequence
from typing import TypeAlias, assert_never

from msgspec.structs import replace

from ...words import Line
from .events import Paged, Towards
from .front import room_of
from .places import cursor_of, first_place, last_place, newest, place_of
from .transcript import ABOVE, LATER_MAX, anchored, as_of, came_ms, fitted, merged
from .unread import found, marked
from .values import Anchor, Item, Place, State, View

_Key: TypeAlias = (
    Place | tuple[int, str]
)  # of a line: its place, or author and id where it has none
_Lines: TypeAlias = tuple[Item, ...]


def paged(state: State, event: Paged) -> State:
    """The state with a page of a chat's log in its window."""
    view = state.view(event.chat_id)
    if view is None:
        return state
    page, serial = _items_of(event.lines, view, state.serial)
    room = room_of(state, view)
    match event.towards:
        case Towards.END:
            fresh = _end(view, page, event.older, room)
        case Towards.OLDER:
            fresh = _further_back(view, page, event, room)
        case Towards.NEWER:
            fresh = _further_on(view, page, event, room)
        case Towards.AROUND:
            fresh = _elsewhere(view, page, event, room)
        case _:
            assert_never(event.towards)
    if fresh is view:
        return state
    fresh = found(fresh, view)
    if event.at_end and event.towards is not Towards.OLDER:
        fresh = replace(fresh, newest=max(view.newest, _last(page)))
    return state.having(fresh, serial)


# ---- the four directions -----------------------------------------------------------------------


def _end(view: View, page: _Lines, older: str, room: int) -> View:
    """The last lines: they begin the window, unless it reaches the end already."""
    if view.older is not None and not view.cut_off:
        floor = place_of(view.older)
        page = tuple(item for item in page if item.place >= floor)
        return fitted(_fuller(view, page), room)
    first = _first(page) if older else ()
    if _is_outdated(view, _last(page)):
        return view
    items = tuple(item for item in view.items if _stays(view, item, first))
    fresh = _fuller(replace(view, items=items, older=older), (*page, *_since(view.earlier, first)))
    fresh = _reaching_the_end(replace(fresh, cut_off=True, earlier=()), first)
    if view.scroll and (anchored(fresh) < 0 or _uncovered(view, fresh)):
        return _unmoved(view)
    return marked(fitted(fresh, room), view)


def _further_back(view: View, page: _Lines, event: Paged, room: int) -> View:
    """Lines before the window; stale where its head has moved since they were asked for."""
    if not view.older or event.asked not in ("", view.older):
        return view
    missed = _since(view.earlier, _first(page) if event.older else ())
    first = first_place(view) or place_of(view.older)
    page = tuple(item for item in (*page, *missed) if item.place < first)
    return fitted(replace(_fuller(view, page), older=event.older, earlier=()), room)


def _further_on(view: View, page: _Lines, event: Paged, room: int) -> View:
    """Lines after a window that was cut off; with the last of them it reaches the present."""
    if not view.cut_off or event.asked not in ("", newest(view)):
        return view
    last = last_place(view)
    reached = _last(page) or last
    missed = [item for item in _since(view.later, last) if item.place <= reached]
    fresh = _fuller(view, (*_since(page, last), *missed))
    fresh = replace(fresh, later=tuple(_beyond(view.later, reached)))
    if event.at_end and not _is_outdated(view, reached):
        fresh = _reaching_the_end(fresh, last)
    return fitted(fresh, room, newer=True)


def _elsewhere(view: View, page: _Lines, event: Paged, room: int) -> View:
    """Another window altogether; what was said here waits for the end of the log to come back."""
    if not page:
        return view
    said = (item for item in view.items if not isinstance(item.entry, Line))
    later = (*said, *view.later)[-LATER_MAX:]
    first = page[0].place if event.older else ()
    known = _since(_known(view), first)
    fresh = replace(view, items=page, older=event.older, cut_off=True, later=later, earlier=())
    if event.at_end and not _is_outdated(view, page[-1].place):
        fresh = _reaching_the_end(_fuller(fresh, known), first)
    else:
        fresh = _fuller(fresh, [item for item in known if item.place <= page[-1].place])
        fresh = replace(fresh, later=tuple(_beyond(later, page[-1].place)))
    if anchored(fresh) < 0 and (fresh.cut_off or view.scroll):
        fresh = replace(fresh, scroll=Anchor(page[-1].serial))
    return fitted(fresh, room)


def _reaching_the_end(view: View, floor: Place) -> View:
    """The view with all that came while its window was cut off, or was being read.

    Args:
        view: its window has all lines after `floor` that the log had when it was read.
        floor: lines before this place are left to the log, and so is what was said then.
    """
    lines = _since(view.later, floor)
    items = list(merged(view.items, _not_in(view.items, lines)))
    for item in view.later:
        if not item.place and came_ms(item.entry) >= (floor[0] if floor else 0):
            items.insert(_by_time(items, came_ms(item.entry)), item)
    return replace(view, items=tuple(items), cut_off=False, later=())


def _is_outdated(view: View, reached: Place) -> bool:
    """Whether so much came since the log was read, up to a place, that some is known no more."""
    for held in (view.earlier, view.later):
        lines = [item.place for item in held if item.place]
        if len(held) >= LATER_MAX and lines and min(lines) > reached:
            return True
    return False


# ---- steps -------------------------------------------------------------------------------------


def _items_of(lines: Sequence[Line], view: View, serial: int) -> tuple[_Lines, int]:
    """The lines as items, each once and in order; those that are held keep theirs."""
    held = {_key(item): item for item in _known(view) if _key(item)}
    receipts = {one.msg_id: one for one in view.receipts}
    changes = {(one.source_id, one.msg_id): one for one in view.changes}
    page: dict[_Key, Item] = {}
    for line in lines:
        if line.own and (one := receipts.get(line.msg_id)) and one.acked > line.acked:
            line = replace(line, acked=one.acked, of=one.of)
        if now := changes.get((line.source_id, line.msg_id)):
            line = as_of(line, now)
        item = Item(serial + 1, line, place_of(line.place))
        known = held.get(_key(item))
        serial += known is None
        page[_key(item)] = _received(known, line) if known else item
    return tuple(sorted(page.values(), key=lambda item: item.place)), serial


def _known(view: View) -> _Lines:
    return (*view.earlier, *view.later, *view.items)


def _key(item: Item) -> _Key:
    line = item.entry
    return item.place or ((line.source_id, line.msg_id) if isinstance(line, Line) else ())


def _received(held: Item, line: Line) -> Item:
    """A held line as the log has it: with its acknowledgements, where those are more, and with what
    was put in its place meanwhile.
    """
    if not isinstance(held.entry, Line):
        return held
    entry = held.entry
    if (line.text, line.edited, line.erased) != (entry.text, entry.edited, entry.erased):
        entry = as_of(entry, line)
    if line.acked > entry.acked:
        entry = replace(entry, acked=line.acked, of=line.of)
    return replace(held, entry=entry) if entry is not held.entry else held


def _refreshed(items: _Lines, page: Sequence[Item]) -> _Lines:
    """The items, with those of the page in place of their older values."""
    fresh = {item.serial: item for item in page}
    return tuple(fresh.get(item.serial, item) for item in items)


def _not_in(items: Sequence[Item], others: Sequence[Item]) -> list[Item]:
    """Those of the others that are not among the items, each once and in order."""
    held = {item.serial for item in items}
    fresh = {item.serial: item for item in others if item.serial not in held}
    return sorted(fresh.values(), key=lambda item: item.place)


def _first(page: _Lines) -> Place:
    """Where a page begins; () where nothing is in it."""
    return next((item.place for item in page if item.place), ())


def _last(page: _Lines) -> Place:
    """Where it ends."""
    return page[-1].place if page else ()


def _since(items: Sequence[Item], floor: Place) -> list[Item]:
    """The lines from that place on."""
    return [item for item in items if item.place and item.place >= floor]


def _beyond(items: Sequence[Item], reached: Place) -> list[Item]:
    """All but the lines up to that place."""
    return [item for item in items if not item.place or item.place > reached]


def _fuller(view: View, page: Sequence[Item]) -> View:
    """The view with what it lacks of a page that adjoins its window or overlaps it."""
    items = _refreshed(view.items, page)
    items = merged(items, _not_in(items, page))
    return replace(view, items=items) if items != view.items else view


def _stays(view: View, item: Item, first: Place) -> bool:
    """Whether an item is kept when a page that begins at `first` begins the window."""
    if item.place:
        return item.place >= first
    return not (view.cut_off and first) or came_ms(item.entry) >= first[0]


def _by_time(items: Sequence[Item], at_ms: int) -> int:
    """Where an item of that time goes: after the last that is not a later line."""
    index = len(items)
    while index and items[index - 1].place and items[index - 1].place[0] > at_ms:
        index -= 1
    return index


def _uncovered(view: View, fresh: View) -> bool:
    """Whether what stood over the place that he has scrolled to went, with nothing in its place."""
    over = {item.serial for item in view.items[: max(0, anchored(view))][-ABOVE:]}
    now = {item.serial for item in fresh.items[: max(0, anchored(fresh))]}
    came = now - {item.serial for item in view.items}
    return not (came or over <= now)


def _unmoved(view: View) -> View:
    """The view of one who has scrolled up, not moved by a page that does not hold his place."""
    older = cursor_of(first_place(view)) if view.older is None else view.older
    return replace(view, cut_off=True, older=older)
