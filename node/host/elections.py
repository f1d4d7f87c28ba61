"""The book of elections: what this node saw of the last ones, step by step.

An election begins with its first step, or with a new leader that nobody here stood against; it ends
with a leader, or with the word that the old one stays.
"""

from collections import deque
from dataclasses import dataclass, field

from ..core.effects import ElectionMoved, LeaderChanged, Phase
from ..core.types import small
from ..words import Election, ElectionStep, Epoch

KEPT = 20
STEPS_MAX = 100
LEADERS_KEPT = 1_000
IDLE_MS = 30_000  # a step that comes later than this begins another election


@dataclass(slots=True)
class _Open:
    began_ms: int
    steps: list[ElectionStep] = field(default_factory=list)

    def add(self, at_ms: int, text: str) -> None:
        if len(self.steps) < STEPS_MAX:
            self.steps.append(ElectionStep(at_ms, text))


class Elections:
    """Fed with notices and instants; read as values."""

    def __init__(self) -> None:
        self._past: deque[Election] = deque(maxlen=KEPT)
        self._open: _Open | None = None
        self._leaders: dict[Epoch, str] = {}

    def leader_of(self, epoch: Epoch) -> str:
        """Who led this epoch, as far as this process has seen; empty when it has not."""
        return self._leaders.get(epoch, "")

    def moved(self, at_ms: int, notice: ElectionMoved, nick: str) -> None:
        """A step of an election."""
        if self._open and self._open.steps and at_ms - self._open.steps[-1].at_ms > IDLE_MS:
            self._close(self._open.steps[-1].at_ms, "", Epoch())
        if self._open is None:
            self._open = _Open(at_ms)
        detail = f": {notice.detail}" if notice.detail else ""
        self._open.add(at_ms, f"{nick} (id {small(notice.by)}) {notice.phase.value}{detail}")
        if notice.phase is Phase.ENDED:
            self._close(at_ms, "", Epoch())

    def led(self, at_ms: int, notice: LeaderChanged, nick: str) -> None:
        """There is a leader, or none."""
        if not notice.leader:
            return
        epoch = Epoch(notice.epoch.generation, notice.epoch.n)
        if not notice.provisional:
            self._leaders[epoch] = nick
            if len(self._leaders) > LEADERS_KEPT:
                del self._leaders[next(iter(self._leaders))]
        if self._open is None:
            if not notice.took_ms and not notice.handed_over_by:
                return  # Learnt at the start: nobody was elected.
            self._open = _Open(at_ms - notice.took_ms)
        how = "leads for now" if notice.provisional else "leads"
        self._open.add(at_ms, f"{nick} (id {small(notice.leader)}) {how}, epoch {notice.epoch.n}")
        self._close(at_ms, nick, epoch)

    def _close(self, at_ms: int, winner: str, epoch: Epoch) -> None:
        assert self._open is not None, "no election is open"
        began = self._open.began_ms
        self._past.append(Election(began, at_ms - began, winner, epoch, tuple(self._open.steps)))
        self._open = None

    def last(self) -> tuple[Election, ...]:
        """Oldest first; one under way is the last."""
        if self._open is None:
            return tuple(self._past)
        steps = tuple(self._open.steps)
        took = steps[-1].at_ms - self._open.began_ms if steps else 0
        return (*self._past, Election(self._open.began_ms, took, "", Epoch(), steps))
