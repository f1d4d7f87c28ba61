"""Marks upon what a log says: floors, below which messages were trimmed, and holes, where some are
lost.

A source has one floor however often it restarted.  Floors of different logs merge as a chain: the
higher one stands, of two at one place the lower sum.  A log is therefore a pair (floor, messages
above it) for each source, and the join of two logs is (the higher floor, the union of what lies
above it): commutative, associative and idempotent, so that nodes which exchange what they have, in
any order and however often, end alike (Shapiro and others 2011).  Trimming moves a log upwards in
the same order and changes no hash.  Holes are of what each log itself misses, and part of no hash.
"""

from collections.abc import Iterable

from .types import Floor, Key, MemberId


def outranks(theirs: Floor, mine: Floor | None) -> bool:
    """Of two floors of a source: does the other one stand?"""
    if mine is None or theirs.at != mine.at:
        return mine is None or theirs.at > mine.at
    return theirs.sum < mine.sum


class Marks:
    def __init__(self) -> None:
        self.floors: dict[MemberId, Floor] = {}
        self.holes: dict[MemberId, set[Key]] = {}  # filled ones too

    def covers(self, key: Key) -> bool:
        """Does the message lie at or below its source's floor?"""
        floor = self.floors.get(key.source)
        return floor is not None and floor.covers(key)

    def is_hole(self, key: Key) -> bool:
        return key in self.holes.get(key.source, ())

    def floors_of(self, sources: Iterable[MemberId]) -> tuple[Floor, ...]:
        return tuple(self.floors[source] for source in sources if source in self.floors)

    def holes_of(self, sources: Iterable[MemberId]) -> tuple[Key, ...]:
        return tuple(key for source in sources for key in sorted(self.holes.get(source, ())))
