"""Which sequence numbers of one stream are held: few runs, however many numbers."""

from bisect import bisect_right
from collections.abc import Callable, Iterator


class Runs:
    """Disjoint runs in ascending order; each with the exclusive or of its members' hashes."""

    __slots__ = ("_first", "_hash", "_last")

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        self._hash: list[int] = []

    def add(self, seq: int, hash: int) -> None:
        """Take `seq` in.  It must not be held yet."""
        if not self._last or self._last[-1] < seq:  # As nearly always.
            return self.extend(seq, seq, hash)
        at = bisect_right(self._first, seq)
        joins_left = at > 0 and self._last[at - 1] == seq - 1
        joins_right = at < len(self._first) and self._first[at] == seq + 1
        assert not (at > 0 and self._last[at - 1] >= seq), f"{seq} is held already"
        if joins_left and joins_right:
            self._last[at - 1] = self._last.pop(at)
            self._hash[at - 1] ^= hash ^ self._hash.pop(at)
            del self._first[at]
        elif joins_left:
            self._last[at - 1] = seq
            self._hash[at - 1] ^= hash
        elif joins_right:
            self._first[at] = seq
            self._hash[at] ^= hash
        else:
            self._first.insert(at, seq)
            self._last.insert(at, seq)
            self._hash.insert(at, hash)

    def extend(self, first: int, last: int, hash: int) -> None:
        """Take in the numbers from `first`, which is the next one or begins a run, to `last`."""
        if self._last and self._last[-1] == first - 1:
            self._last[-1] = last
            self._hash[-1] ^= hash
            return
        assert not self._last or self._last[-1] < first, f"{first} is held already"
        self._first.append(first)
        self._last.append(last)
        self._hash.append(hash)

    def rehash(self, seq: int, before: int, after: int) -> None:
        """The content of a held number has changed."""
        at = bisect_right(self._first, seq) - 1
        self._hash[at] ^= before ^ after

    def drop_first(self, hash: int) -> int:
        """Give the lowest number up, whose hash this is.  Gives that number."""
        seq = self._first[0]
        if seq == self._last[0]:
            del self._first[0], self._last[0], self._hash[0]
        else:
            self._first[0] = seq + 1
            self._hash[0] ^= hash
        return seq

    @property
    def last(self) -> int:
        """The highest number held; there must be one."""
        return self._last[-1]

    def hash_between(self, low: int, high: int, hash_of: Callable[[int], int]) -> int:
        """Over the numbers held from `low` to `high`; `hash_of` gives that of a single one."""
        total = 0
        for first, last, hash in self:
            inside = range(max(first, low), min(last, high) + 1)
            counted: tuple[range, ...] = (inside,)
            if 2 * len(inside) > last - first + 1:  # Fewer lie outside: the whole without those.
                total ^= hash
                counted = range(first, inside.start), range(inside.stop, last + 1)
            for numbers in counted:
                for seq in numbers:
                    total ^= hash_of(seq)
        return total

    def __bool__(self) -> bool:
        return bool(self._first)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """(first, last, hash) of each run."""
        return zip(self._first, self._last, self._hash, strict=True)

    def without(self, holes: list[int]) -> Iterator[tuple[int, int, int]]:
        """The runs, cut at `holes` (ascending); what is cut has a hash of 0."""
        if not holes:
            yield from self
            return
        covered = [(hole, hole) for hole in holes]
        for first, last, hash in self:
            for low, high in _gaps(first, last, covered):
                yield low, high, hash if (low, high) == (first, last) else 0

    def beyond(self, others: list[tuple[int, int, int]], newest_first: bool) -> Iterator[int]:
        """Numbers held here that lie in none of `others`, or in an equal run of another hash.

        A hash of 0 says nothing.
        """
        own = {(first, last): hash for first, last, hash in self}
        covered = sorted((f, last) for f, last, h in others if not h or own.get((f, last), h) == h)
        runs = list(zip(self._first, self._last, strict=True))
        for first, last in reversed(runs) if newest_first else runs:
            gaps = list(_gaps(first, last, covered))
            for low, high in reversed(gaps) if newest_first else gaps:
                yield from range(high, low - 1, -1) if newest_first else range(low, high + 1)


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
