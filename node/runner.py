"""One group on the event loop: a mailbox, one timer, and effects performed once they are stored.

A turn takes all that is in the mailbox, hands each event to the group with one `now`, stores what
the group wants stored in one transaction, and only then performs the rest: first what goes out,
then what is told here, each in order.  No gRPC here: calls go out through `Peers` and `Nds`,
requests come in through `Runner.answer`.

If the log cannot be written, nothing of that turn is sent, answered or shown; the group has then
gone further than its log, so it stops for good, and `notify` is told `Halted`.  To other nodes it
is from then on as if this node were not in that chat: they go on without it, at once.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, groupby
from typing import Any, Protocol, TypeAlias, assert_never

from msgspec import Struct
from msgspec.structs import replace

from node.archive import Archive
from node.core.effects import (
    Ask,
    Call,
    Effect,
    Erase,
    Notice,
    Respond,
    Serve,
    StoreMarks,
    StoreMessages,
    StoreMeta,
    StorePost,
    StoreRoster,
    Trim,
)
from node.core.events import Answered, Burst, Event, Failed, Received, Started, Submitted, Woken
from node.core.messages import (
    Coordinator,
    Elect,
    Join,
    NdsReply,
    NdsRequest,
    Ping,
    Refusal,
    Reply,
    Request,
)
from node.core.reasons import Reason
from node.core.types import Address, CallId, Millis, Silence
from node.errors import DiskFailed
from node.tasks import Tasks

_log = logging.getLogger(__name__)

ANSWERS_MAX = 2_048  # requests of others that wait, beside pings and elections

STORES = {StoreMessages, Erase, StorePost, StoreMeta, StoreRoster, StoreMarks, Trim}
Act: TypeAlias = Call | Ask | Respond | Serve
ACTS = {Call, Ask, Respond, Serve}
URGENT = (Ping, Elect, Coordinator)


class Silenced(Struct, frozen=True):
    """A call that came to nothing; `status` is for people."""

    how: Silence
    status: str
    reason: str = ""  # for programs, of one that answers that it cannot do what is asked now


class Halted(Struct, frozen=True):
    """The group has stopped, because its log failed.  For the node to tell, and to mend."""

    complaint: DiskFailed

    @property
    def reason(self) -> str:
        return self.complaint.reason

    @property
    def text(self) -> str:
        return str(self.complaint)


class Unanswered(Exception):
    """The group gives no answer: it has stopped, or too many others are waiting."""


class Peers(Protocol):
    """Calls to other nodes: at an address, to the node that has this certificate; empty: to whoever
    listens there.
    """

    async def call(
        self, address: Address, certificate: bytes, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced: ...

    def begin(
        self,
        address: Address,
        certificate: bytes,
        request: Request,
        deadline_ms: Millis,
        then: Callable[[Reply | Refusal | Silenced], None],
    ) -> bool:
        """Make the call without a task of its own, and `then` be called once with its end.

        False: that cannot be done now, and nothing has happened.
        """
        ...

    def prepare(self, address: Address, certificate: bytes) -> None:
        """Calls to there are to be expected."""


class Nds(Protocol):
    """Calls to the discovery service."""

    async def ask(
        self, request: NdsRequest, deadline_ms: Millis
    ) -> NdsReply | Refusal | Silenced: ...


class Core(Protocol):
    """The group, as far as a runner knows it."""

    def handle(self, now: Millis, event: Event) -> list[Effect]: ...

    @property
    def deadline(self) -> Millis | None: ...


Notify: TypeAlias = Callable[[Sequence[Notice | Halted]], None]  # of one turn, in their order


def now_ms() -> Millis:
    """The clock of every group: monotonic, rounded down."""
    return time.monotonic_ns() // 1_000_000


class Runner:
    """Runs `group`.  All methods belong to the loop's thread; `notify` is called there."""

    def __init__(
        self,
        group: Core,
        archive: Archive,
        *,
        peers: Peers,
        nds: Nds,
        notify: Notify,
        tasks: Tasks,
        name: str = "group",
    ) -> None:
        self.archive = archive
        self.halted: Halted | None = None
        self._group = group
        self._peers = peers
        self._nds = nds
        self._notify = notify
        self._tasks = tasks
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._mailbox: list[Event] = []
        self._turn_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: Millis | None = None
        self._ids = count(1)
        self._answers: dict[CallId, Callable[[Reply | Refusal | Unanswered], None]] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._stopped = False

    # ---- in -----------------------------------------------------------------------------------

    def start(self, *events: Event) -> None:
        """Open the group; `events` follow its `Started`."""
        for event in (Started(time.time_ns() // 1_000_000), *events):
            self.post(event)

    def post(self, event: Event) -> None:
        """Hand `event` in at the next turn.  A group that has stopped takes nothing."""
        if self._stopped:
            return
        self._mailbox.append(event)
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._guarded_turn)

    def ask(
        self,
        request: Request,
        then: Callable[[Reply | Refusal | Unanswered], None],
        certificate: bytes | None = None,
    ) -> Callable[[], object]:
        """Hand in what the node with this certificate asks.  `then` is called once, now or later,
        with the answer, if there is one; not after what this gives has been called.
        """
        call = next(self._ids)
        if self.halted is not None and not isinstance(request, Join):
            text = "this node cannot store what is said in that chat"
            then(Refusal(Reason.UNKNOWN_CHAT, text))
        elif self._stopped:
            then(Unanswered("the group has stopped"))
        elif len(self._answers) >= ANSWERS_MAX and not isinstance(request, URGENT):
            then(Unanswered(f"{ANSWERS_MAX} requests are waiting"))
        else:
            self._answers[call] = then
            self.post(Received(call, request, certificate))
        return lambda: self._answers.pop(call, None)

    async def answer(self, request: Request, certificate: bytes | None = None) -> Reply | Refusal:
        """The same, for one who waits for the answer.  Raises `Unanswered`."""
        answer: asyncio.Future[Reply | Refusal | Unanswered] = self._loop.create_future()

        def answered(reply: Reply | Refusal | Unanswered) -> None:
            if not answer.done():
                answer.set_result(reply)

        forget = self.ask(request, answered, certificate)
        try:
            reply = await answer
        finally:
            forget()
        if isinstance(reply, Unanswered):
            raise reply
        return reply

    async def stop(self) -> None:
        """No further turn; calls under way are given up.  The archive stays open."""
        self._end()
        while self._calls:
            await asyncio.wait(self._calls)

    # ---- a turn -------------------------------------------------------------------------------

    def _guarded_turn(self) -> None:
        try:
            self._turn()
        except DiskFailed as error:
            self._halt(Halted(error))
        except Exception as error:  # a bug: the node must not go on with half a turn
            self._end()
            self._tasks.crash(self._name, error)

    def _turn(self) -> None:
        self._turn_due = False
        if self._stopped:
            return
        events, self._mailbox = self._mailbox, []
        now = now_ms()
        stores: list[Any] = []  # by their types, as below
        acts: list[Any] = []
        notices: list[Any] = []
        for event in _together(events):
            for effect in self._group.handle(now, event):
                kind = type(effect)
                if kind in STORES:
                    stores.append(effect)
                elif kind in ACTS:
                    acts.append(effect)
                else:
                    notices.append(effect)
        if stores:
            self.archive.append(stores)
        try:
            for act in acts:
                self._perform(act)
        finally:
            if notices:
                self._notify(notices)
        self._set_timer()

    def _perform(self, act: Act) -> None:
        match act:
            case Call(call, _, address, request, deadline_ms, certificate):
                then = partial(self._end_call, call)
                if not self._peers.begin(address, certificate, request, deadline_ms, then):
                    self._spawn(act)
            case Ask():
                self._spawn(act)
            case Respond(call, reply):
                self._respond(call, reply)
            case Serve(call, synced, keys, since):
                messages = tuple(one.veiled(since) for one in self.archive.read(keys))
                self._respond(call, replace(synced, messages=messages))
            case _:
                assert_never(act)

    def _respond(self, call: CallId, reply: Reply | Refusal) -> None:
        if (then := self._answers.pop(call, None)) is not None:
            then(reply)

    def _spawn(self, act: Call | Ask) -> None:
        task = self._tasks.spawn(self._call(act), self._name)
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, effect: Call | Ask) -> None:
        outcome: Reply | NdsReply | Refusal | Silenced
        match effect:
            case Call(_, _, address, request, deadline_ms, certificate):
                outcome = await self._peers.call(address, certificate, request, deadline_ms)
            case Ask(_, question, deadline_ms):
                outcome = await self._nds.ask(question, deadline_ms)
            case _:
                assert_never(effect)
        self._end_call(effect.call, outcome)

    def _end_call(self, call: CallId, outcome: Reply | NdsReply | Refusal | Silenced) -> None:
        if isinstance(outcome, Silenced):
            self.post(Failed(call, outcome.how, outcome.status))
        else:
            self.post(Answered(call, outcome))

    # ---- the timer ----------------------------------------------------------------------------

    def _set_timer(self) -> None:
        deadline = self._group.deadline
        if deadline == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = deadline
        if deadline is not None:
            self._timer = self._loop.call_at(deadline / 1000, self._ring)

    def _ring(self) -> None:
        """Wake the group, but never early: the loop may call up to its clock's grain too soon."""
        assert self._timer_at is not None
        if now_ms() < self._timer_at:
            self._timer = self._loop.call_later(0.001, self._ring)
            return
        self._timer = self._timer_at = None
        self.post(Woken())

    # ---- the end ------------------------------------------------------------------------------

    def _halt(self, halted: Halted) -> None:
        _log.error("%s stops: %s", self._name, halted.text)
        self.halted = halted
        self._end()
        self._notify([halted])

    def _end(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._timer_at = None
        for task in self._calls:
            task.cancel()
        answers, self._answers = self._answers, {}
        for then in answers.values():
            then(Unanswered("the group has stopped"))


def _together(events: list[Event]) -> Iterator[Event]:
    """The same with lines that were written one after the other as one event."""
    for _, run in groupby(events, lambda event: type(event) is Submitted):
        part = list(run)
        lines = tuple(event for event in part if isinstance(event, Submitted))
        if len(lines) > 1:
            yield Burst(lines)
        else:
            yield from part
