"""Which sequence numbers of one stream are held: few runs, however many numbers."""

from bisect import bisect_right
from collections.abc import Callable, Iterator

from .sums import minus, plus, short


class Runs:
    """Disjoint runs in ascending order; each with the sum of its members' terms."""

    __slots__ = ("_first", "_last", "_sum")

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        self._sum: list[int] = []

    def add(self, seq: int, term: int) -> None:
        """Take `seq` in.  It must not be held yet."""
        if not self._last or self._last[-1] < seq:  # As nearly always.
            return self.extend(seq, seq, term)
        at = bisect_right(self._first, seq)
        joins_left = at > 0 and self._last[at - 1] == seq - 1
        joins_right = at < len(self._first) and self._first[at] == seq + 1
        assert not (at > 0 and self._last[at - 1] >= seq), f"{seq} is held already"
        if joins_left and joins_right:
            self._last[at - 1] = self._last.pop(at)
            self._sum[at - 1] = plus(self._sum[at - 1], plus(term, self._sum.pop(at)))
            del self._first[at]
        elif joins_left:
            self._last[at - 1] = seq
            self._sum[at - 1] = plus(self._sum[at - 1], term)
        elif joins_right:
            self._first[at] = seq
            self._sum[at] = plus(self._sum[at], term)
        else:
            self._first.insert(at, seq)
            self._last.insert(at, seq)
            self._sum.insert(at, term)

    def extend(self, first: int, last: int, terms: int) -> None:
        """Take in the numbers from `first`, which is the next one or begins a run, to `last`."""
        if self._last and self._last[-1] == first - 1:
            self._last[-1] = last
            self._sum[-1] = plus(self._sum[-1], terms)
            return
        assert not self._last or self._last[-1] < first, f"{first} is held already"
        self._first.append(first)
        self._last.append(last)
        self._sum.append(terms)

    def replace(self, seq: int, before: int, after: int) -> None:
        """The content of a held number has changed, and with it its term."""
        at = bisect_right(self._first, seq) - 1
        self._sum[at] = plus(minus(self._sum[at], before), after)

    def drop_first(self, term: int) -> int:
        """Give the lowest number up, whose term this is.  Gives that number."""
        seq = self._first[0]
        if seq == self._last[0]:
            del self._first[0], self._last[0], self._sum[0]
        else:
            self._first[0] = seq + 1
            self._sum[0] = minus(self._sum[0], term)
        return seq

    @property
    def last(self) -> int:
        """The highest number held; there must be one."""
        return self._last[-1]

    def sum_between(self, low: int, high: int, term_of: Callable[[int], int]) -> int:
        """Of the numbers held from `low` to `high`; `term_of` gives that of a single one."""
        total = 0
        for first, last, whole in zip(self._first, self._last, self._sum, strict=True):
            inside = range(max(first, low), min(last, high) + 1)
            if 2 * len(inside) <= last - first + 1:
                total = plus(total, sum(map(term_of, inside)))
            else:  # Fewer lie outside: the whole without those.
                outside = *range(first, inside.start), *range(inside.stop, last + 1)
                total = plus(total, minus(whole, sum(map(term_of, outside))))
        return total

    def __bool__(self) -> bool:
        return bool(self._first)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(first, last) of each run."""
        return zip(self._first, self._last, strict=True)

    def without(self, holes: list[int]) -> Iterator[tuple[int, int, int]]:
        """(first, last, hash) of each run, cut at `holes` (ascending); of what is cut it is 0."""
        covered = [(hole, hole) for hole in holes]
        for first, last, whole in zip(self._first, self._last, self._sum, strict=True):
            for low, high in _gaps(first, last, covered) if holes else ((first, last),):
                yield low, high, short(whole) if (low, high) == (first, last) else 0

    def beyond(self, others: list[tuple[int, int, int]], newest_first: bool) -> Iterator[int]:
        """Numbers held here that lie in none of `others`, or in an equal run of another hash.

        A hash of 0 says nothing.
        """
        own = dict(zip(self, self._sum, strict=True))
        covered = sorted((f, to) for f, to, h in others if not h or _same(own.get((f, to)), h))
        runs = list(self)
        for first, last in reversed(runs) if newest_first else runs:
            gaps = list(_gaps(first, last, covered))
            for low, high in reversed(gaps) if newest_first else gaps:
                yield from range(high, low - 1, -1) if newest_first else range(low, high + 1)


def _same(whole: int | None, hash: int) -> bool:
    """May a run of that hash be our run of this sum?  None: there is none from here to there."""
    return whole is None or short(whole) == hash


def _gaps(first: int, last: int, covered: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What of first..last lies outside of `covered` (ascending)."""
    at = first
    for low, high in covered:
        if high < at:
            continue
        if low > last:
            break
        if low > at:
            yield at, low - 1
        at = max(at, high + 1)
    if at <= last:
        yield at, last
