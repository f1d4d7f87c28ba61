r"""One end of a stream between two nodes: calls of both sides, many to a frame.

A frame takes whatever waits when the one before it has been written, so nothing waits for a clock
and a busy link needs few frames; only acknowledgements of lines that pour in are held back for
company.  What concerns leadership and members goes before what was said.
A call ends with its answer, at its deadline, or with the link: then its fate is unknown.

                 ask                                 answer
    (nothing) ----------> waits --> on its way -----------------> ended
                            \___________\____ deadline, end ____/
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeAlias

from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2

from node.codec import Malformed
from node.codec.frames import (
    Asked,
    AskWriter,
    Frame,
    Hello,
    read_frame,
    write_answer,
    write_hello,
)
from node.core.messages import Caller, Refusal, Reply, Request, Tell
from node.core.reasons import Reason
from node.core.types import Address, Millis, Silence
from node.limits import Limits
from node.rpc.budget import Pace
from node.rpc.status import malformed, refusal_of, refused
from node.runner import Silenced, Unanswered

FRAME_BYTES = 128 * 1024  # more is not put into one frame, unless one part is larger
QUEUE_BYTES_MAX = 4 * 2**20  # that wait to be written; a peer that reads no more costs this
CLOSE_S = 2.0  # for the last answers
EXPIRED_MAX = 256  # calls that have ended without an answer, and are remembered
ANSWER_S = 10.0  # what a group does not answer is given up after this
BUSY_S = 0.05  # several lines in one call, the last ones so short a time ago: they pour in ...
HELD_S = 0.02  # ... and are acknowledged with what else is to be written, or after this
ASKED_MAX = 512  # calls of the other side that are being answered; then it is not read on


Forget: TypeAlias = Callable[[], object]  # no answer is wanted any more
End: TypeAlias = Reply | Refusal | Silenced | None
Then: TypeAlias = Callable[[End], None]


class Desk(Protocol):
    """Whoever answers what is asked."""

    def ask(
        self,
        request: Request,
        then: Callable[[Reply | Refusal | Unanswered], None],
        certificate: bytes | None,
    ) -> Forget:
        """Hand it to the group that is meant; `then` is called with the answer, if there is one.

        `certificate`: of the node that asks, None where connections prove nothing.
        """
        ...


class Link:
    """One end.  `write` sends a frame and is done when the next may follow.

    `on_hello` is called when the other side has said who it is, `on_late` with each answer that
    comes after its call has ended, and by how many ms.  `certificate` is the other side's, None
    where connections prove nothing.  `on_flood` is called once for each flood.
    """

    def __init__(
        self,
        write: Callable[[bytes], Awaitable[None]],
        desk: Desk,
        writer: AskWriter,
        addresses: tuple[Address, ...],
        limits: Limits,
        on_hello: Callable[["Link", Hello], None],
        on_late: Callable[["Link", Millis], None],
        certificate: bytes | None = None,
    ) -> None:
        self.addresses = addresses
        self.certificate = certificate
        self.peer: Hello | None = None
        self.ended = self._closing = False
        self.doubtful = False  # nothing came from a call on until its deadline, nor since
        self.pace = Pace()
        self.on_flood: Callable[[Link], object] = _nothing_of
        self._write, self._desk, self._writer = write, desk, writer
        self._limits, self._on_hello, self._on_late = limits, on_hello, on_late
        self._loop = asyncio.get_running_loop()
        self._ids = self._asked = 0
        self._waiting: dict[int, tuple[Then, asyncio.TimerHandle, Caller]] = {}
        self._taken = 0  # frames
        self._drained: asyncio.Future[None] | None = None
        self._expired: dict[int, float] = {}  # calls whose answers may still come: since when
        self._urgent: deque[tuple[int, bytes]] = deque()
        self._bulk: deque[tuple[int, bytes]] = deque()
        self._held: deque[tuple[int, bytes]] = deque()  # acknowledgements, until something goes out
        self._told_at = -BUSY_S  # when several lines were acknowledged last
        self._holding: asyncio.TimerHandle | None = None
        self._queued = 0
        self._serving: dict[int, tuple[float, Asked, Forget]] = {}  # until when it is answered
        self._served: asyncio.Future[None] | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._wake: asyncio.Future[None] | None = None
        self._put(0, write_hello(addresses), urgent=True)

    # ---- asking --------------------------------------------------------------------------------

    def begin(self, request: Request, deadline_ms: Millis, then: Then) -> None:
        """Make a call.  `then` is called once, within `deadline_ms`, perhaps before this returns:
        with the end of the call, or None if the link has ended before.
        """
        is_bulk = isinstance(request, Tell)
        if self.ended:
            return then(None)
        if is_bulk and self._queued > QUEUE_BYTES_MAX:
            text = f"RESOURCE_EXHAUSTED: {self._queued} bytes wait to be written"
            return then(Silenced(Silence.SILENT, text))
        self._ids += 1
        id = self._ids
        timer = self._loop.call_later(deadline_ms / 1000, self._expire, id, self._taken)
        self._waiting[id] = then, timer, request.caller
        self._put(id, self._writer.write(id, request), urgent=not is_bulk)

    async def ask(self, request: Request, deadline_ms: Millis) -> End:
        """The same, for one who waits for the end."""
        answer: asyncio.Future[End] = self._loop.create_future()

        def ended(end: End) -> None:
            if not answer.done():
                answer.set_result(end)

        self.begin(request, deadline_ms, ended)
        return await answer

    def _expire(self, id: int, taken: int) -> None:
        self.doubtful |= taken == self._taken  # Else it is slow, and not silent.
        self._expired[id] = self._loop.time()
        if len(self._expired) > EXPIRED_MAX:
            del self._expired[next(iter(self._expired))]
        self._close(id, Silenced(Silence.SILENT, "DEADLINE_EXCEEDED: no answer on the link"))

    def _close(self, id: int, end: End) -> None:
        then, timer, _ = self._waiting.pop(id)
        timer.cancel()
        if not self._waiting and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        then(end)

    async def drained(self) -> None:
        """Wait until all calls of this side have ended."""
        while self._waiting:
            self._drained = self._loop.create_future()
            await self._drained

    def _caller_of(self, id: int) -> Caller | None:
        waiting = self._waiting.get(id)
        return waiting[2] if waiting is not None else None

    @property
    def asking(self) -> int:
        """Calls that have not ended."""
        return len(self._waiting)

    # ---- running -------------------------------------------------------------------------------

    async def run(self, frames: AsyncIterator[bytes]) -> None:
        """Read and write until the other side has ended its own and all it asked is answered.

        Raises `Malformed` for noise, and what `frames`, `write` and `on_hello` raise.
        """
        writing = self._loop.create_task(self._write_on())
        try:
            async for data in frames:
                seals = self._writer.seals
                lines = self._take(read_frame(data, self._limits, seals, self._caller_of))
                await self._hold(len(data), lines)
                while len(self._serving) >= ASKED_MAX:
                    await self._one_served()
            while self._serving and not writing.done():
                served = self._one_served()
                await asyncio.wait((served, writing), return_when=asyncio.FIRST_COMPLETED)
            await self._finish(writing)
        except Exception:
            self.end()
            await self._finish(writing)  # A frame half-way would leave no room for the reason.
            raise
        finally:
            self.end()
            writing.cancel()
            await asyncio.wait([writing])
        if not writing.cancelled() and (error := writing.exception()) is not None:
            raise error

    async def _finish(self, writing: "asyncio.Task[None]") -> None:
        """Let out what waits, as far as the other side takes it."""
        self._closing = True
        self._release()
        self._rouse()
        await asyncio.wait([writing], timeout=CLOSE_S)

    async def _hold(self, size: int, lines: int) -> None:
        """Read on no sooner than such a frame allows.  What is not read fills the other side's
        window, and then it cannot write.
        """
        wait_s = self.pace.wait_s(self._loop.time(), size=size, lines=lines)
        if wait_s and self.pace.began(self._loop.time()):
            self.on_flood(self)
        if wait_s:
            await asyncio.sleep(wait_s)

    def _take(self, frame: Frame) -> int:
        """For how many lines it counts."""
        self.doubtful, self._taken, unasked = False, self._taken + 1, 0
        if frame.hello is not None:
            self.peer = frame.hello
            self._on_hello(self, frame.hello)
        for asked in frame.asked:
            self._serve(asked)
        for answer in frame.answers:
            if answer.id in self._waiting:
                self._close(answer.id, _outcome(answer.reply))
            elif (since := self._expired.pop(answer.id, None)) is not None:
                self._on_late(self, round((self._loop.time() - since) * 1000))
            else:
                unasked += 1
        lines = sum([asked.lines for asked in frame.asked])
        return lines + sum([answer.lines for answer in frame.answers]) + unasked

    def _serve(self, asked: Asked) -> None:
        request = asked.request
        if isinstance(request, Malformed):
            self.pace.senseless(self._loop.time())
            return self._answer(asked, malformed(request).SerializeToString())
        self._asked += 1
        number, until = self._asked, self._loop.time() + ANSWER_S
        self._serving[number] = until, asked, _nothing
        if self._sweeper is None:
            self._sweeper = self._loop.call_at(until, self._sweep)

        def then(reply: Reply | Refusal | Unanswered) -> None:
            if self._serving.pop(number, None) is None:
                return  # It was given up.
            if isinstance(reply, Unanswered):
                self._answer(asked, _status(code_pb2.ABORTED, str(reply)))
            elif isinstance(reply, Refusal):
                if reply.reason == Reason.UNKNOWN_CHAT:
                    self.pace.senseless(self._loop.time())
                self._answer(asked, refused(reply).SerializeToString())
            else:
                self._answer(asked, reply)
            self._tell_served()

        forget = self._desk.ask(request, then, self.certificate)
        if number in self._serving:
            self._serving[number] = until, asked, forget

    def _answer(self, asked: Asked, reply: Reply | bytes) -> None:
        part, request = write_answer(asked, reply, self._writer.seals), asked.request
        now, before = self._loop.time(), self._told_at
        if several := isinstance(request, Tell) and len(request.messages) > 1:
            self._told_at = now
        if not several or now - before >= BUSY_S or self._closing:
            return self._put(0, part, urgent=asked.field != "lines")
        self._held.append((0, part))
        self._queued += len(part)
        if self._holding is None:
            self._holding = self._loop.call_at(now + HELD_S, self._release)

    def _release(self) -> None:
        """What was held back need not wait any longer."""
        if self._holding is not None:
            self._holding.cancel()
            self._holding = None
        self._bulk.extendleft(reversed(self._held))
        self._held.clear()
        if self._bulk:
            self._rouse()

    def _sweep(self) -> None:
        """Give up what the groups do not answer."""
        now, self._sweeper = self._loop.time(), None
        for number, (until, asked, forget) in list(self._serving.items()):
            if until > now:
                self._sweeper = self._loop.call_at(until, self._sweep)
                break
            del self._serving[number]
            forget()
            self._answer(asked, _status(code_pb2.DEADLINE_EXCEEDED, "the group gave no answer"))
        self._tell_served()

    def _one_served(self) -> "asyncio.Future[None]":
        """Done once one more has been answered."""
        if self._served is None or self._served.done():
            self._served = self._loop.create_future()
        return self._served

    def _tell_served(self) -> None:
        if self._served is not None and not self._served.done():
            self._served.set_result(None)

    # ---- writing -------------------------------------------------------------------------------

    def _put(self, id: int, part: bytes, *, urgent: bool) -> None:
        if self.ended:
            return
        (self._urgent if urgent else self._bulk).append((id, part))
        self._queued += len(part)
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _write_on(self) -> None:
        while True:
            if not (self._urgent or self._bulk):
                if self._closing:
                    return
                self._wake = self._loop.create_future()
                await self._wake
            if frame := self._frame():
                await self._write(frame)

    def _frame(self) -> bytes:
        """What goes out next; a call that has ended meanwhile does not."""
        if self._held:
            self._release()
        parts, size = [], 0
        for queue in (self._urgent, self._bulk):
            while queue and size < FRAME_BYTES:
                id, part = queue.popleft()
                self._queued -= len(part)
                if not id or id in self._waiting:
                    parts.append(part)
                    size += len(part)
        return b"".join(parts)

    def end(self) -> None:
        """Nothing more is asked or answered; calls under way end without an answer."""
        self.ended = True
        for id in list(self._waiting):
            self._close(id, None)
        for _, _, forget in self._serving.values():
            forget()
        self._serving.clear()
        self._tell_served()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._holding is not None:
            self._holding.cancel()
        for queue in (self._urgent, self._bulk, self._held):
            queue.clear()
        self._queued = 0


def _nothing_of(_: Link) -> None:
    """Nobody wants to know."""


def _nothing() -> None:
    """What has been answered need not be forgotten."""


def _status(code: int, text: str) -> bytes:
    data: bytes = status_pb2.Status(code=code, message=text).SerializeToString()
    return data


def _outcome(reply: Reply | bytes | Malformed) -> Reply | Refusal | Silenced:
    if isinstance(reply, Malformed):
        return Silenced(Silence.SILENT, f"the answer is malformed: {reply}"[:300])
    if not isinstance(reply, bytes):
        return reply
    try:
        status = status_pb2.Status.FromString(reply)
    except DecodeError:
        return Silenced(Silence.SILENT, "the answer is malformed: its status is none")
    if (refusal := refusal_of(status)) is not None:
        return refusal
    name = code_pb2.Code.DESCRIPTOR.values_by_number.get(status.code)
    text = " ".join(status.message.split())[:200]
    return Silenced(Silence.SILENT, f"{name.name if name else status.code}: {text}")
