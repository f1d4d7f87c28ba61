"""`bench`: says lines in a chat, and how long their acknowledgements take.

The lines are real ones, which everybody there sees and keeps: people are asked before, scripts
have to say --yes.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from .. import errors
from ..words import Progress
from .render.tables import Answer
from .render.text import clean_name, counted, several, shown_nick
from .run import Run, wait

if TYPE_CHECKING:
    from .client import Client

AT_ONCE = 256  # lines under way; when so many are, the next ones are late
WAIT_MAX_MS = 3_600_000


class Plan(Struct, frozen=True):
    """What is to be said."""

    count: int  # lines
    rate: int  # of them a second; 0: as fast as they are acknowledged
    size: int  # bytes of each


class Measured(Struct, frozen=True):
    """What came of it; times in ms, from the call until everybody who was there had acknowledged
    the line, or was not there any more.
    """

    plan: Plan
    of: int  # members who were to have the lines
    took_ms: tuple[float, ...]  # of each line that all who were there acknowledged, shortest first
    whole_ms: float  # from the first call to the last acknowledgement
    late: int  # lines that had to wait until fewer were under way
    later: Mapping[str, int] = {}  # by nick: lines that who was not there gets when they are back

    @property
    def lacking(self) -> int:
        """Lines that somebody has not acknowledged in time."""
        return self.plan.count - len(self.took_ms)

    @property
    def rate(self) -> float:
        """Lines a second that all who were there acknowledged."""
        return 1000 * len(self.took_ms) / self.whole_ms if self.whole_ms else 0.0

    def percentile(self, percent: float) -> float:
        """The time within which so many percent of the acknowledged lines were; 0.0 for none."""
        if not self.took_ms:
            return 0.0
        place = int(len(self.took_ms) * percent / 100)
        return self.took_ms[min(place, len(self.took_ms) - 1)]


def _bench(run: Run) -> int:
    return wait(_benched(run))


async def _benched(run: Run) -> int:
    plan = Plan(run.args.count, run.args.rate, run.args.size)
    async with run.client() as node:
        seen = await node.members(run.args.chat)
        others = sum(not one.self and one.state == "alive" for one in seen.members)
        if not run.args.yes and not await asyncio.to_thread(_agreed, plan, seen.chat, others):
            run.output.note("nothing is said")
            return errors.OTHER
        wait_ms = min(max(1, round(run.settings.timeout * 1000)), WAIT_MAX_MS)
        measured = await measure(node, run.args.chat, plan, wait_ms)
    return run.output.answer(answer(measured, seen.chat))


def _agreed(plan: Plan, chat: str, others: int) -> bool:
    """Whether who sits there wants it.

    Raises:
        Usage: nobody can be asked.
    """
    what = (
        f"{counted(plan.count, 'line')} of {plan.size} bytes in #{clean_name(chat)}, which"
        f" {counted(others, 'other')} will see and keep"
    )
    if not sys.stdin.isatty():
        raise errors.Usage(text=f"this says {what}; if you mean it, add --yes")
    print(f"Say {what}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


async def measure(
    node: "Client",
    chat: str,
    plan: Plan,
    wait_ms: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Says the lines, at their instants whether or not earlier ones have come.

    Raises:
        Complaint: a line was not stored.
    """
    room, began = asyncio.Semaphore(AT_ONCE), clock()
    took_ms: list[float] = []
    later = Counter[str]()
    of = late = 0

    async def say(number: int) -> None:
        nonlocal of
        called, last = clock(), Progress()
        try:
            async for last in node.send(chat, text(plan, number), wait_ms=wait_ms):
                of = max(of, last.of)
        finally:
            room.release()
        if last.complete:
            took_ms.append(1000 * (clock() - called))
            later.update(last.later)

    try:
        async with asyncio.TaskGroup() as lines:
            for number in range(1, plan.count + 1):
                if plan.rate:
                    await asyncio.sleep(max(0.0, began + (number - 1) / plan.rate - clock()))
                    late += room.locked()
                await room.acquire()
                lines.create_task(say(number))
    except BaseExceptionGroup as failed:  # One is enough to tell: the others were ended by it.
        raise failed.exceptions[0] from failed
    return Measured(plan, of, tuple(sorted(took_ms)), 1000 * (clock() - began), late, later)


def text(plan: Plan, number: int) -> str:
    """The line of this number, as long as it is to be."""
    return f"p2pchat bench {number}/{plan.count} ".ljust(plan.size, ".")[: plan.size]


def answer(measured: Measured, chat: str) -> Answer:
    """The figures; exit 6 where a line was not acknowledged in time."""
    plan = measured.plan
    p50, p99 = measured.percentile(50), measured.percentile(99)
    most = measured.percentile(100)
    absent = sorted(measured.later)
    by = f"all but {several(map(shown_nick, absent))}" if absent else f"all {measured.of}"
    lines = (
        f"{len(measured.took_ms)}/{plan.count} acknowledged by {by}, {measured.rate:,.1f} msg/s",
        f"ack p50 {p50:,.1f} ms, p99 {p99:,.1f} ms, worst {most:,.1f} ms",
    )
    row: dict[str, object] = {
        "chat": chat,
        "count": plan.count,
        "size": plan.size,
        "rate": plan.rate,
        "of": measured.of,
        "acked": len(measured.took_ms),
        "later": absent,
        "msg_s": round(measured.rate, 1),
        "p50_ms": round(p50, 3),
        "p99_ms": round(p99, 3),
        "max_ms": round(most, 3),
    }
    return Answer(lines, (row,), tuple(_notes(measured)), errors.PARTIAL if measured.lacking else 0)


def _notes(measured: Measured) -> Sequence[str]:
    notes = []
    if measured.lacking:
        notes.append(f"{counted(measured.lacking, 'line')} not acknowledged by all in time")
    if measured.late:
        notes.append(
            f"{counted(measured.late, 'line')} waited: {AT_ONCE} were under way, a lower --rate"
            " is what this chat can take"
        )
    for nick, count in sorted(measured.later.items()):
        name = shown_nick(nick)
        notes.append(
            f"{name} was not there, or ceased to be: {name} gets {counted(count, 'line')} later,"
            " and what was said until that was known waited for it"
        )
    if not measured.of:
        notes.append("nobody else was there: a line is acknowledged by nobody, at once")
    return notes


VERBS: dict[str, Callable[[Run], int]] = {"bench": _bench}
