"""The window on a transcript: which rows are on the screen, and where a scroll leads.

A place in a transcript is an item's index and one of its rows.  Only the items that the way leads
over are drawn; `Anchor` names a place for good: the item's serial, and the row counted from the
first of its own, so that a day line or a marker that comes before it moves nothing.
"""

from typing import NamedTuple

from ..model import Anchor, State, View
from .items import Drawn, Options, hidden, nick_columns, options, rows_of
from .rows import Row, fitted

ENDS = 1 << 20  # scrolling by so many rows or more leads to the very first, or last
TOP, END = -ENDS, ENDS


class Spot(NamedTuple):
    """A row of the item at an index."""

    item: int
    row: int


def window(state: State, view: View, columns: int, height: int, now_ms: int) -> list[Row]:
    """The rows on the screen, from top to bottom; blank ones follow where there are no more."""
    walk = Walk(state, view, columns, now_ms)
    spot = walk.bottom(height)
    rows: list[Row] = []
    while spot is not None and len(rows) < height:
        rows.extend(reversed(walk.drawn(spot.item).rows[: spot.row + 1]))
        spot = walk.last_before(spot.item)
    rows = rows[:height][::-1]
    return rows + [fitted((), columns)] * (height - len(rows))


def scrolled(
    state: State, view: View, columns: int, height: int, by: int, now_ms: int
) -> tuple[Anchor | None, bool]:
    """Where the window's last row is after a scroll by so many rows, up where `by` is negative.

    Returns:
        The anchor, None for the end of the chat (where the window ends before the present it is an
        anchor too); and whether the first row that is held is on the screen, so that older lines
        are wanted.
    """
    walk = Walk(state, view, columns, now_ms)
    spot = walk.bottom(height)
    if spot is None:
        return None, True
    if by <= TOP:
        first = walk.first()
        spot = walk.down(first, height - 1) if first else spot
    elif by >= END:
        spot = walk.end() or spot
    elif by < 0:
        spot = walk.full(walk.up(spot, -by)[0], height)
    else:
        spot = walk.down(spot, by)
    return walk.anchor(spot), walk.tops(spot, height)


def shown_at(
    state: State, view: View, serial: int, columns: int, height: int, now_ms: int
) -> Anchor | None:
    """The anchor that brings an item to the middle, as far as the window can be filled; None is the
    end.
    """
    walk = Walk(state, view, columns, now_ms)
    index = walk.index(serial)
    if index is None:
        return view.scroll
    drawn = walk.drawn(index)
    if not drawn.rows:
        return view.scroll
    spot = walk.down(Spot(index, drawn.before), height // 2)
    return walk.anchor(walk.full(spot, height))


class Walk:
    """Ways through the rows of a transcript, drawn as far as they are walked."""

    def __init__(self, state: State, view: View, columns: int, now_ms: int) -> None:
        self._view, self._columns, self._now_ms = view, columns, now_ms
        self.options: Options = options(state, view, columns)

    def drawn(self, index: int) -> Drawn:
        return rows_of(self._view, index, self._columns, self._now_ms, self.options)

    def index(self, serial: int) -> int | None:
        """Where the item of that serial is; from the end, where people are."""
        items = self._view.items
        return next((at for at in reversed(range(len(items))) if items[at].serial == serial), None)

    def last_before(self, index: int) -> Spot | None:
        """The last row before an item that is shown."""
        items = self._view.items
        for at in reversed(range(index)):
            if not hidden(items[at], self.options):
                return Spot(at, len(self.drawn(at).rows) - 1)
        return None

    def first_after(self, index: int) -> Spot | None:
        """The first row after an item that is shown."""
        items = self._view.items
        for at in range(index + 1, len(items)):
            if not hidden(items[at], self.options):
                return Spot(at, 0)
        return None

    def end(self) -> Spot | None:
        return self.last_before(len(self._view.items))

    def first(self) -> Spot | None:
        return self.first_after(-1)

    def bottom(self, height: int) -> Spot | None:
        """The last row on the screen; a window that can be filled is."""
        anchor = self._view.scroll
        index = self.index(anchor.serial) if anchor else None
        if anchor is None or index is None:
            return self.end()
        drawn = self.drawn(index)
        if drawn.rows:
            row = min(max(0, drawn.before + anchor.row), len(drawn.rows) - 1)
            return self.full(Spot(index, row), height)
        spot = self.last_before(index) or self.first_after(index)
        return self.full(spot, height) if spot else None

    def full(self, spot: Spot, height: int) -> Spot:
        """The nearest place at or below that has a whole screen of rows above it, or the end."""
        _, lacking = self.up(spot, height - 1)
        return self.down(spot, lacking)

    def up(self, spot: Spot, by: int) -> tuple[Spot, int]:
        """The row so many rows above, and how many there are too few."""
        while by > spot.row:
            above = self.last_before(spot.item)
            if above is None:
                return Spot(spot.item, 0), by - spot.row
            by -= spot.row + 1
            spot = above
        return Spot(spot.item, spot.row - by), 0

    def down(self, spot: Spot, by: int) -> Spot:
        """The row so many rows below, or the last one."""
        while by > (left := len(self.drawn(spot.item).rows) - 1 - spot.row):
            below = self.first_after(spot.item)
            if below is None:
                return Spot(spot.item, spot.row + left)
            by -= left + 1
            spot = below
        return Spot(spot.item, spot.row + by)

    def anchor(self, spot: Spot) -> Anchor | None:
        """None at the end of what there is, unless the present is further on."""
        if spot == self.end() and not self._view.cut_off:
            return None
        item = self._view.items[spot.item]
        row = spot.row - self.drawn(spot.item).before
        return Anchor(item.serial, row, nick_columns(self._view))

    def tops(self, spot: Spot, height: int) -> bool:
        """Whether the first row of all is on a screen that ends with that row."""
        top, lacking = self.up(spot, height - 1)
        return bool(lacking) or top == self.first()
