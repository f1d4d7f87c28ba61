r"""One end of a stream between two nodes: calls of both sides, many to a frame.

A frame takes whatever waits when the one before it has been written, so nothing waits for a clock
and a busy link needs few frames.  What concerns leadership and members goes before what was said.
A call ends with its answer, at its deadline, or with the link: then its fate is unknown.

                 ask                                 answer
    (nothing) ----------> waits --> on its way -----------------> ended
                            \___________\____ deadline, end ____/
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

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
from node.core.messages import Refusal, Reply, Request, Tell
from node.core.types import Address, Millis, Silence
from node.limits import Limits
from node.rpc.status import malformed, refusal_of, refused
from node.runner import Silenced, Unanswered
from node.tasks import Tasks

FRAME_BYTES = 128 * 1024  # more is not put into one frame, unless one part is larger
QUEUE_BYTES_MAX = 4 * 2**20  # that wait to be written; a peer that reads no more costs this
CLOSE_S = 2.0  # for the last answers
EXPIRED_MAX = 256  # calls that have ended without an answer, and are remembered
ASKED_MAX = 512  # calls of the other side that are being answered; then it is not read on


class Desk(Protocol):
    """Whoever answers what is asked."""

    async def answer(self, request: Request, left_s: float | None = None) -> Reply | Refusal:
        """The answer of the group that is meant.  Raises `Unanswered` and TimeoutError."""
        ...


class Link:
    """One end.  `write` sends a frame and is done when the next may follow.

    `on_hello` is called when the other side has said who it is, `on_late` with each answer that
    comes after its call has ended, and by how many ms.
    """

    def __init__(
        self,
        tasks: Tasks,
        write: Callable[[bytes], Awaitable[None]],
        desk: Desk,
        writer: AskWriter,
        addresses: tuple[Address, ...],
        limits: Limits,
        on_hello: Callable[["Link", Hello], None],
        on_late: Callable[["Link", Millis], None],
    ) -> None:
        self.addresses = addresses
        self.peer: Hello | None = None
        self.ended = self._closing = False
        self.doubtful = False  # a call ended at its deadline, and nothing came since
        self._tasks, self._write, self._desk, self._writer = tasks, write, desk, writer
        self._limits, self._on_hello, self._on_late = limits, on_hello, on_late
        self._loop = asyncio.get_running_loop()
        self._ids = 0
        self._waiting: dict[int, asyncio.Future[Reply | Refusal | Silenced | None]] = {}
        self._expired: dict[int, float] = {}  # calls whose answers may still come: since when
        self._urgent: deque[tuple[int, bytes]] = deque()
        self._bulk: deque[tuple[int, bytes]] = deque()
        self._queued = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._wake: asyncio.Future[None] | None = None
        self._put(0, write_hello(addresses), urgent=True)

    # ---- asking --------------------------------------------------------------------------------

    async def ask(self, request: Request, deadline_ms: Millis) -> Reply | Refusal | Silenced | None:
        """The end of a call within `deadline_ms`; None if the link has ended before."""
        if self.ended:
            return None
        is_bulk = isinstance(request, Tell)
        if is_bulk and self._queued > QUEUE_BYTES_MAX:
            text = f"RESOURCE_EXHAUSTED: {self._queued} bytes wait to be written"
            return Silenced(Silence.SILENT, text)
        self._ids += 1
        id = self._ids
        answer = self._waiting[id] = self._loop.create_future()
        self._put(id, self._writer.write(id, request), urgent=not is_bulk)
        timer = self._loop.call_later(deadline_ms / 1000, self._expire, id, answer)
        try:
            outcome: Reply | Refusal | Silenced | None = await answer
        finally:
            timer.cancel()
            del self._waiting[id]
        return outcome

    def _expire(self, id: int, answer: "asyncio.Future[Reply | Refusal | Silenced | None]") -> None:
        if not answer.done():
            self.doubtful = True
            self._expired[id] = self._loop.time()
            if len(self._expired) > EXPIRED_MAX:
                del self._expired[next(iter(self._expired))]
            silenced = Silenced(Silence.SILENT, "DEADLINE_EXCEEDED: no answer on the link")
            answer.set_result(silenced)

    async def drained(self) -> None:
        """Wait until all calls of this side have ended."""
        while self._waiting:
            await asyncio.wait(list(self._waiting.values()))

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
                self._take(read_frame(data, self._limits))
                while len(self._serving) >= ASKED_MAX:
                    await asyncio.wait(self._serving, return_when=asyncio.FIRST_COMPLETED)
            while self._serving and not writing.done():
                await asyncio.wait((*self._serving, writing), return_when=asyncio.FIRST_COMPLETED)
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
        self._rouse()
        await asyncio.wait([writing], timeout=CLOSE_S)

    def _take(self, frame: Frame) -> None:
        self.doubtful = False
        if frame.hello is not None:
            self.peer = frame.hello
            self._on_hello(self, frame.hello)
        for asked in frame.asked:
            task = self._tasks.spawn(self._serve(asked), "answer on a link")
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        for answer in frame.answers:
            waiting = self._waiting.get(answer.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(_outcome(answer.reply))
            elif (since := self._expired.pop(answer.id, None)) is not None:
                self._on_late(self, round((self._loop.time() - since) * 1000))

    async def _serve(self, asked: Asked) -> None:
        request = asked.request
        reply: Reply | bytes
        if isinstance(request, Malformed):
            reply = malformed(request).SerializeToString()
        else:
            reply = await self._answer(request)
        self._put(0, write_answer(asked, reply), urgent=not isinstance(request, Tell))

    async def _answer(self, request: Request) -> Reply | bytes:
        try:
            answer = await self._desk.answer(request)
        except TimeoutError:
            return _status(code_pb2.DEADLINE_EXCEEDED, "the group gave no answer")
        except Unanswered as error:
            return _status(code_pb2.ABORTED, str(error))
        return refused(answer).SerializeToString() if isinstance(answer, Refusal) else answer

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
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)
        for task in self._serving:
            task.cancel()
        self._urgent.clear()
        self._bulk.clear()
        self._queued = 0


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
