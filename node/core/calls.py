"""Our own calls that are still to be answered.

Every call ends exactly once: with its answer, with the shell's word that it failed, or, since both
may be lost, when its time is over.  Those of a membership that others end come to nothing.

The answer to some is of use even when their time is over: what was stored, and told so late, need
not be sent again.  Else a busy group would send the more, the later answers come, for ever.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import TypeAlias

from msgspec import Struct

from .messages import NdsReply, NdsRequest, Refusal, Reply, Request
from .reasons import Reason
from .types import FOREVER, CallId, MemberId, Millis, Silence

Outcome: TypeAlias = Reply | NdsReply | Refusal | Silence
Then: TypeAlias = Callable[["Outstanding", Outcome], None]

MARGIN_MS = 20  # the shell's own deadline comes first


def absent(outcome: Outcome) -> bool:
    """Is nobody there for certain: no process, or one that is not that member?"""
    return outcome is Silence.REFUSED or (
        isinstance(outcome, Refusal)
        and outcome.reason in (Reason.UNKNOWN_CHAT, Reason.WRONG_MEMBER)
    )


class Outstanding(Struct):
    """A call under way.  `to` is 0 for the registry and for nodes whose id is not known."""

    to: MemberId
    request: Request | NdsRequest
    sent_at: Millis
    due_at: Millis
    then: Then
    silence: Silence = Silence.SILENT  # as which it ends when its time is over
    late: "Then | None" = None  # what follows from an answer that comes afterwards ...
    late_until: Millis = 0  # ... up to then
    status: str = ""  # of a failure, for people


class Calls:
    def __init__(self) -> None:
        self._open: dict[CallId, Outstanding] = {}
        self._over: dict[CallId, Outstanding] = {}  # whose answers may still come
        self._queue: list[tuple[Millis, CallId]] = []  # heap; entries go stale in place
        self._last: CallId = 0

    def open(
        self,
        now: Millis,
        to: MemberId,
        request: Request | NdsRequest,
        ms: Millis,
        then: Then,
        silence: Silence = Silence.SILENT,
        late: Then | None = None,
        late_ms: Millis = 0,
    ) -> CallId:
        """Note a call that must end within `ms`, as `silence` then, and how it goes on.

        `late`: how it goes on when its answer comes afterwards, but within `late_ms`.
        """
        self._last += 1
        until = now + late_ms + MARGIN_MS
        due_at = now + ms + (MARGIN_MS if late_ms <= ms else 0)
        one = Outstanding(to, request, now, due_at, then, silence, late=late, late_until=until)
        self._open[self._last] = one
        heappush(self._queue, (due_at, self._last))
        return self._last

    def close(self, call: CallId) -> Outstanding | None:
        """The call has ended; None if it had before."""
        return self._open.pop(call, None)

    def close_late(self, now: Millis, call: CallId) -> Outstanding | None:
        """The call has ended, though its time was over before; None if that is of no use."""
        found = self._over.pop(call, None)
        return found if found is not None and found.late_until > now else None

    def overdue(self, now: Millis) -> list[Outstanding]:
        """Those whose time is over; they are closed."""
        over = []
        while self._over and (first := next(iter(self._over.items())))[1].late_until <= now:
            del self._over[first[0]]
        while self._queue and self._queue[0][0] <= now:
            _, call = heappop(self._queue)
            if (found := self._open.pop(call, None)) is not None:
                over.append(found)
                if found.late is not None and found.late_until > now:
                    self._over[call] = found
        return over

    def excuse(self, now: Millis, ms: Millis) -> None:
        """We were late ourselves: give every overdue call another `ms`."""
        excused = []
        while self._queue and self._queue[0][0] <= now:
            _, call = heappop(self._queue)
            if (found := self._open.get(call)) is not None:
                found.due_at = now + ms
                excused.append(call)
        for call in excused:
            heappush(self._queue, (now + ms, call))

    def clear(self) -> None:
        """Whatever comes of them is nothing to us any more."""
        self._open.clear()
        self._over.clear()
        self._queue.clear()

    @property
    def soonest(self) -> Millis:
        """Not later than `deadline`, and cheap."""
        return self._queue[0][0] if self._queue else FOREVER

    @property
    def deadline(self) -> Millis | None:
        while self._queue and self._queue[0][1] not in self._open:
            heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def __len__(self) -> int:
        return len(self._open)
