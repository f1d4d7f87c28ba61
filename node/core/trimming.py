"""The log is bounded: when it is too large its oldest messages go, and their authors' floors rise.

Nothing goes that waits or is waited for: no pending message, nothing later than one that is still
to come, no own line that somebody is still to acknowledge or (of the last ones) that we alone have,
no head (the next line is to name it) unless others count it as trimmed, and nothing at all while
one reads backwards.
"""

from .alarms import Alarm
from .effects import StoreMarks, Trim
from .state import State

CHUNK = 1_000  # lines that go in one turn, about
AGAIN_MS = 20  # to the next chunk
STUCK_MS = 1_000  # until it is tried again where nothing may go


class Trimming:
    def __init__(self, s: State) -> None:
        self._s = s
        self._goal = s.timing.log_max - s.timing.log_max // 100
        self._goal_bytes = s.timing.log_bytes_max - s.timing.log_bytes_max // 100

    @property
    def due(self) -> bool:
        """Is the log larger than it may be?"""
        s = self._s
        log, timing = s.history, s.timing
        return log.lines > timing.log_max or log.size > timing.log_bytes_max

    def look(self) -> None:
        """Trim soon, if that is due and not arranged yet."""
        s = self._s
        if self.due and s.alarms.at(Alarm.TRIM) is None:
            s.alarms.set(Alarm.TRIM, s.now + (STUCK_MS if s.backwards else 0))

    def on_trim(self) -> None:
        """Let a chunk of the oldest messages go, down to one in a hundred below the bounds."""
        s = self._s
        if s.backwards or not self.due:
            return self.look()
        log = s.history
        waiting = s.causal.missing().union(s.causal.pending)
        heads = {key for key in s.causal.heads if not log.marks.covers(key)}
        keep = waiting.union(heads, s.outbox.entries, s.outbox.unreached(s.members.belonging))
        before = dict(log.marks.floors)
        last = log.trim(self._excess(), keep)
        if last:
            floors = log.marks.floors_of(key.source for key in last)
            if risen := tuple(f for f in floors if before.get(f.source) != f):
                s.emit(StoreMarks(risen))
            s.emit(Trim(last))
            s.changes.trimmed(last)
            for key in last:
                s.outbox.trimmed(key)
            s.causal.heads.difference_update([k for k in s.causal.heads if not log.has(k)])
        if self.due:
            s.alarms.set(Alarm.TRIM, s.now + (AGAIN_MS if last else STUCK_MS))

    def _excess(self) -> int:
        """How many lines are to go in this turn."""
        log = self._s.history
        count = log.lines - self._goal
        over = log.size - self._goal_bytes
        if over > 0:
            count = max(count, -(-over * log.lines // log.size))
        return max(1, min(count, CHUNK))
