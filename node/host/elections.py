"""The book of elections: what this node saw of the last ones, step by step.

An election begins with its first step, or with a new leader that nobody here stood against; once it
has a leader, with the silence of the old one, where that was noticed.  It ends with a leader, or
with the word that the old one stays.  What a node saw that was only asked is an
election too: open where it agreed that the leader is silent, else over with its vote.  A step or a
leader that comes soon after belongs to it all the same.
"""

import json
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeAlias, assert_never

from msgspec import Struct, field

from ..core.effects import ElectionMoved, LeaderChanged, Phase
from ..core.types import MemberId, small
from ..words import NO_EPOCH, Election, ElectionStep, Epoch

KEPT = 20
VOTES_MAX = 600  # steps of one election that only say who was asked, and what each said
STEPS_MAX = 1_000
LEADERS_KEPT = 200
IDLE_MS = 30_000  # an election that does not move for so long is over
SOON_MS = 2_000  # what comes later than this after an end is of another election
VOTES = (Phase.ASKED, Phase.ANSWERED, Phase.SILENT)

Nicks: TypeAlias = Callable[[MemberId], str]


def step(notice: ElectionMoved, nicks: Nicks) -> str:
    """A step of an election in one line."""
    by = _who(notice.by, nicks)
    whom = _who(notice.whom, nicks) if notice.whom else ""
    detail = notice.detail
    match notice.phase:
        case Phase.STARTED:
            said = f"{by} started an election"
        case Phase.ASKED:
            return f"{by} asked {whom} {detail}".rstrip()
        case Phase.ANSWERED:
            said = f"{whom} answered"
        case Phase.SILENT:
            said = f"{whom} did not answer"
        case Phase.WAITING:
            said = f"{by} waits"
        case Phase.CLAIMING:
            return f"{by} claims the {detail} at the NDS"
        case Phase.REFUSED:
            said = f"the NDS refused {by}"
        case Phase.WON:
            return f"the NDS granted {by} {detail}"
        case Phase.ENDED:
            said = f"the election of {by} ended"
        case _:
            assert_never(notice.phase)
    return f"{said}: {detail}" if detail else said


def _who(member: MemberId, nicks: Nicks) -> str:
    return f"{nicks(member)} (id {small(member)})"


class Led(NamedTuple):
    """Who led an epoch from an instant on, for good or for now; nobody: an empty nick."""

    since_ms: int  # unix time
    epoch: Epoch
    nick: str
    provisional: bool = False


class _Record(Struct):
    began_ms: int
    last_ms: int
    under_way: bool = False  # somebody stands, and how that ends is open
    ended: bool = False  # with a leader, new or old
    winner: str = ""
    epoch: Epoch = NO_EPOCH
    provisional: bool = False
    steps: list[ElectionStep] = field(default_factory=list)
    votes: int = 0
    askers: set[MemberId] = field(default_factory=set)

    def takes(self, at_ms: int, notice: ElectionMoved | LeaderChanged) -> bool:
        """Whether this belongs to this election, and not to another one."""
        quiet_ms = at_ms - self.last_ms
        if self.under_way:
            return quiet_ms <= IDLE_MS
        if quiet_ms > SOON_MS:
            return False
        if isinstance(notice, LeaderChanged):
            return not self.winner
        if self.ended:
            return bool(self.winner) and notice.phase in VOTES  # they came too late
        return notice.phase is not Phase.ASKED or notice.by not in self.askers

    def take(self, at_ms: int, notice: ElectionMoved, nicks: Nicks) -> None:
        if notice.phase in VOTES:
            self.votes += 1
            self.askers.add(notice.by)
            if self.votes > VOTES_MAX:
                return
        elif not self.ended:
            self.ended = notice.phase is Phase.ENDED
            self.under_way = not self.ended
        self.add(at_ms, step(notice, nicks))

    def add(self, at_ms: int, text: str) -> None:
        if not self.winner:
            self.last_ms = at_ms
        if len(self.steps) < STEPS_MAX:
            self.steps.append(ElectionStep(at_ms, text))

    def put_in(self, at_ms: int, text: str) -> None:
        """A step whose instant is known only now; what it came before follows it."""
        self.began_ms = min(at_ms, self.began_ms)
        self.steps.append(ElectionStep(at_ms, text))
        self.steps.sort(key=lambda step: (step.at_ms, step.text != text))

    def read(self, now_ms: int) -> Election:
        took_ms = self.last_ms - self.began_ms
        is_open = self.under_way and now_ms - self.last_ms <= IDLE_MS
        return Election(
            self.began_ms,
            took_ms,
            self.winner,
            self.epoch,
            tuple(self.steps),
            is_open,
            self.provisional,
        )


class Elections:
    """Fed with notices and instants; read as values."""

    def __init__(self, leaders: str = "") -> None:
        """`leaders` is what `leaders()` gave in an earlier life."""
        self._records: deque[_Record] = deque(maxlen=KEPT)
        self._last_leader: MemberId = 0
        self._leaders: deque[Led] = deque(maxlen=LEADERS_KEPT)
        for since_ms, (generation, n), nick, provisional in json.loads(leaders or "[]"):
            self._leaders.append(Led(since_ms, Epoch(generation, n), nick, provisional))

    def leaders(self) -> str:
        """The last leaders, as text."""
        return json.dumps(
            [
                (one.since_ms, (one.epoch.generation, one.epoch.n), one.nick, one.provisional)
                for one in self._leaders
            ]
        )

    def led_at(self, epoch: Epoch, at_ms: int) -> Led | None:
        """Who led this epoch at an instant, as this node saw it; None when it saw nothing of it.

        What was said in an epoch before this node heard of that counts to its first leader.
        """
        those = [led for led in self._leaders if led.epoch == epoch]
        before = [led for led in those if led.since_ms <= at_ms]
        return before[-1] if before else those[0] if those else None

    def moved(self, at_ms: int, notice: ElectionMoved, nicks: Nicks) -> None:
        """A step of an election."""
        record = self._current(at_ms, notice)
        if record is None:
            if notice.phase is Phase.ENDED:
                return  # It ended here before, with a leader.
            record = self._begin(at_ms)
        record.take(at_ms, notice, nicks)

    def led(self, at_ms: int, notice: LeaderChanged, nicks: Nicks) -> None:
        """There is a leader, or none."""
        nick = nicks(notice.leader) if notice.leader else ""
        epoch = Epoch(notice.epoch.generation, notice.epoch.n)
        self._leaders.append(Led(at_ms, epoch, nick, notice.provisional))
        if not notice.leader:
            return
        before, self._last_leader = self._last_leader, notice.leader
        record = self._current(at_ms, notice)
        if record is None:
            if not notice.took_ms and not notice.handed_over_by:
                return  # Learnt at the start: nobody was elected.
            record = self._begin(at_ms)
        if notice.took_ms:
            who = f"leader {_who(before, nicks)}" if before else "the leader"
            record.put_in(at_ms - notice.took_ms, f"{who} is silent")
        how = "leads for now, after" if notice.provisional else "leads,"
        record.add(at_ms, f"{_who(notice.leader, nicks)} {how} epoch {notice.epoch.n}")
        record.under_way, record.ended = False, True
        record.winner, record.epoch, record.provisional = nick, epoch, notice.provisional

    def _begin(self, at_ms: int) -> _Record:
        self._records.append(_Record(at_ms, at_ms))
        return self._records[-1]

    def _current(self, at_ms: int, notice: ElectionMoved | LeaderChanged) -> _Record | None:
        last = self._records[-1] if self._records else None
        return last if last is not None and last.takes(at_ms, notice) else None

    def last(self, now_ms: int) -> tuple[Election, ...]:
        """Oldest first; one under way is the last."""
        return tuple(record.read(now_ms) for record in self._records)
