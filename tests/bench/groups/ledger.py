"""Who heard what: every number of every source has to come exactly once."""

from time import monotonic_ns

SIZE = 200  # bytes of a message
HEAD = 3 + 1 + 9 + 1 + 20


def payload(source: int, number: int, at_ns: int) -> bytes:
    """A message of `SIZE` bytes: who says it, which of theirs it is (from 1), and when."""
    return (b"%03d %09d %020d " % (source, number, at_ns)).ljust(SIZE, b"x")


class Ledger:
    """What one member has heard."""

    def __init__(self, index: int, size: int) -> None:
        self._index = index
        self._next = [1] * size  # of each source: all before this one have come
        self._ahead: list[set[int]] = [set() for _ in range(size)]
        self.delivered = 0  # each message counted once
        self.doubled = 0
        self.disordered = 0  # came before one that its author had said earlier
        self.damaged = 0  # of another length than was sent
        self.last_ns = 0  # when the last one came, on the clock of all processes of this machine
        self.latencies_us: list[int] | None = None  # filled where it is a list

    def note(self, message: bytes | str) -> None:
        """Takes a message down."""
        self.last_ns = now = monotonic_ns()
        if len(message) != SIZE:
            self.damaged += 1
        source, number = int(message[:3]), int(message[4:13])
        if number == self._next[source]:
            self._next[source] = number + 1
            if self._ahead[source]:
                self._close_up(source)
        elif number < self._next[source] or number in self._ahead[source]:
            self.doubled += 1
            return
        else:
            self.disordered += 1
            self._ahead[source].add(number)
        self.delivered += 1
        if self.latencies_us is not None:
            self.latencies_us.append((now - int(message[14:34])) // 1_000)

    def _close_up(self, source: int) -> None:
        ahead = self._ahead[source]
        while self._next[source] in ahead:
            ahead.remove(self._next[source])
            self._next[source] += 1

    def lost(self, said: list[int]) -> int:
        """How many are missing, when each source has said so many."""
        return sum(
            max(0, count - (self._next[source] - 1) - len(self._ahead[source]))
            for source, count in enumerate(said)
            if source != self._index
        )
