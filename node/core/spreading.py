"""Who passes lines on to whom in a large group, so that nobody talks to everybody.

The active members stand in a grid, in the order of their ids, row after row.  An author sends its
lines to its own column and, in each other column, to one member, which stores them and passes them
on to the others of that column: two steps to everyone, and about twice the square root of n ways
for each member in place of n - 1.  The author names those who are to be passed on to, so that two
who see different rosters need not agree on the grid.

    rank  0  1  2  3      member 5 sends to 1, 9 (its column) and to 4, 6, 7,
          4 [5] 6  7      of which 6 passes on to 2 and 10, 7 to 3 and 11, 4 to 0 and 8
          8  9 10 11

Whatever does not come about that way comes the direct way, and by catch-up: the grid is only speed.
"""

from math import isqrt

from msgspec import Struct

from .types import MemberId


class Grid(Struct, frozen=True):
    """One member's view: `mates` of its own column, and the other columns.

    Of each other column the members are in the order in which they are asked to pass on: the one
    of the own row first.
    """

    mates: tuple[MemberId, ...] = ()
    columns: tuple[tuple[MemberId, ...], ...] = ()

    @property
    def neighbours(self) -> tuple[MemberId, ...]:
        """Those to whom lines go as long as all are well."""
        return self.mates + tuple(column[0] for column in self.columns)


def grid(members: tuple[MemberId, ...], me: MemberId) -> Grid:
    """The grid of these, in ascending order and with `me` among them."""
    rank = members.index(me)
    width = isqrt(len(members) - 1) + 1 if len(members) > 1 else 1
    row, own = divmod(rank, width)
    columns = []
    for at in range(width):
        column = members[at::width]
        if at != own and column:
            columns.append(column[row:] + column[:row])
    mates = tuple(member for member in members[own::width] if member != me)
    return Grid(mates, tuple(columns))
