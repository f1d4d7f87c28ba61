"""How late our own turns come, of late: on a busy machine others are as late, and no worse for it.

Late, too, are those whose answers come after their calls have ended.  Of one that may be its own
stall; where two are, it is the machine or the network (Eifel, Ludwig and Katz 2000, tells by such
answers that it has given up too soon).

Whoever is late has patience: its calls are given longer, as in Lifeguard (Dadgar et al. 2018), in
which members that are not well take their time before they suspect another.  Else those who share
a busy machine take each other for dead, elect, relay and tell of it, which keeps it busy.  A turn
that comes later than a ping may take is a stall as well, which `Group` excuses.
"""

from .timing import TIMES_MAX
from .types import Address, Millis

LATE_MS = 20  # a turn that comes so much later than it was due was held up by others
HALF_MS = 1_000  # after which a lateness counts half
HOPS = 4  # turns of others and of our own between a question and its answer


class Lateness:
    def __init__(self) -> None:
        self._peak: Millis = 0
        self._at: Millis = 0
        self._answered: tuple[Address, Millis] = "", 0  # late, and when

    def note(self, now: Millis, late: Millis) -> None:
        """A turn came `late` ms after it was due."""
        if late <= LATE_MS:
            return
        self._peak, self._at = max(late, self.now(now)), now

    def answered_late(self, now: Millis, by: Address, late: Millis) -> None:
        """Somebody's answer came `late` ms after its call had ended."""
        before, at = self._answered
        self._answered = by, now
        if before not in ("", by) and now - at < HALF_MS:
            self.note(now, max(late // HOPS, LATE_MS + 1))

    def now(self, now: Millis) -> Millis:
        """The latest turn of the last seconds, the less the longer ago."""
        if not self._peak:
            return 0
        self._peak >>= (halves := (now - self._at) // HALF_MS)
        self._at += halves * HALF_MS
        return self._peak

    def patient(self, now: Millis, ms: Millis) -> Millis:
        """How long a call may take that has `ms` where nobody is late."""
        return min(TIMES_MAX * ms, ms + HOPS * self.now(now)) if self._peak else ms
