"""Calls to other nodes: by a link where there is one, else one by one on a line to the address.

A line is opened by its first call, kept, and closed once nobody has used it for ten minutes; sooner
where there are too many, those first that nobody has used for longest.  The first call that a link
may carry opens one on the line, unless the other side has: one for two nodes, of all their groups.
Of two that were opened at once the one stays whose opener has the lower address.  Calls wait a
moment for a link that is being opened: each alone costs as much as a frame of many, and at the
beginning everybody calls everybody.  A link that is silent is passed by until it speaks again.

Each address has so many calls under way and no more: one slow peer costs its own queue only.  Pings
and elections are never held up.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from node.codec import CARRIED, AskWriter, Hello, Malformed, call_of, method_of
from node.core.messages import Receipt, Refusal, Reply, Request, Tell, Told
from node.core.types import Address, Millis, Silence
from node.limits import Limits
from node.peer import Began, LinkFigures, Peer, Turn
from node.rpc import (
    CallLog,
    CallRow,
    Desk,
    Line,
    Link,
    Mismatched,
    is_spoken,
    refusal_in,
    status_of,
)
from node.rpc.options import grpc
from node.runner import URGENT, Silenced
from node.tasks import Tasks

IN_FLIGHT_MAX = 128  # calls to one address, beside urgent ones
LINKS_MAX = 512  # more than a node has peers; strangers name addresses too, to be called back at
UNUSED_S = 600.0
SWEEP_S = 60.0
OPENING_MAX = 4  # links that are begun at one time: each costs both sides some milliseconds
OPENS_S = 10.0  # for the other side's hello; then calls are made alone until the next attempt
AGAIN_S = 1.0  # from the end of a link to the next attempt at one ...
GIVEN_UP_AGAIN_S = 10.0  # ... where none came about
REFUSED_AGAIN_S = 60.0  # ... where the other side cannot

_LINK = "/p2pchat.v1.Node/Link"
_log = logging.getLogger(__name__)


class Links:
    """The ways from a node to others.

    `desk` answers what comes by links; `addresses()` are ours, the lowest first.
    `on_broken(address)`: a connection that was there is so no longer.  `on_late(address, ms)`: an
    answer came by a link so long after its call had ended.
    """

    def __init__(
        self,
        tasks: Tasks,
        log: CallLog,
        on_broken: Callable[[Address], None],
        desk: Desk,
        addresses: Callable[[], tuple[Address, ...]],
        on_late: Callable[[Address, Millis], None],
        limits: Limits = Limits(),  # noqa: B008  frozen
    ) -> None:
        self._tasks = tasks
        self._log = log
        self._on_broken = on_broken
        self._desk = desk
        self._addresses = addresses
        self._on_late = on_late
        self._limits = limits
        self._writer = AskWriter()
        self._peers: dict[Address, Peer] = {}
        self._accepted: dict[Address, Link] = {}  # opened by others
        self._serving: set[asyncio.Task[Any]] = set()
        self._alone: set[asyncio.Task[None]] = set()  # calls that go on without their link
        self._opening = asyncio.Semaphore(OPENING_MAX)
        self._closed = False
        self._sweeper = tasks.spawn(self._sweep(), "link sweeper")

    # ---- calls ---------------------------------------------------------------------------------

    async def call(
        self, address: Address, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """Call the node at `address`; the end comes within `deadline_ms`."""
        peer, began = self._peer(address), Began()
        outcome: Reply | Refusal | Silenced
        if peer.in_flight >= IN_FLIGHT_MAX and not isinstance(request, URGENT):
            text = f"RESOURCE_EXHAUSTED: {IN_FLIGHT_MAX} calls to {address} are under way"
            outcome = Silenced(Silence.SILENT, text)
        else:
            peer.in_flight += 1
            try:
                outcome = await self._call(address, peer, request, deadline_ms)
            finally:
                peer.in_flight -= 1
        self._note(address, peer, request, began, outcome)
        return outcome

    def begin(
        self,
        address: Address,
        request: Request,
        deadline_ms: Millis,
        then: Callable[[Reply | Refusal | Silenced], None],
    ) -> bool:
        """Make the call by a link that is there; `then` is called once, with its end.

        False where none is, or it is silent, or too many calls are under way: nothing has happened.
        """
        peer = self._peers.get(address)
        if peer is None or type(request) not in CARRIED:
            return False
        link = self._link(address, peer)
        if link is None or link.doubtful:
            return False
        if peer.in_flight >= IN_FLIGHT_MAX and not isinstance(request, URGENT):
            return False
        began, until = Began(), time.monotonic() + deadline_ms / 1000

        def ended(end: Reply | Refusal | Silenced | None) -> None:
            if end is None and not self._closed:
                alone = self._go_on(address, peer, request, began, until, then)
                task = self._tasks.spawn(alone, f"call to {address}")
                self._alone.add(task)
                return task.add_done_callback(self._alone.discard)
            outcome = end or Silenced(Silence.SILENT, "CANCELLED: the connection was closed")
            peer.in_flight -= 1
            self._note(address, peer, request, began, outcome)
            then(outcome)

        peer.in_flight += 1
        link.begin(request, deadline_ms, ended)
        return True

    async def _go_on(
        self,
        address: Address,
        peer: Peer,
        request: Request,
        began: Began,
        until: float,
        then: Callable[[Reply | Refusal | Silenced], None],
    ) -> None:
        """The link has ended meanwhile."""
        try:
            outcome = await self._call_without(peer, request, until)
        finally:
            peer.in_flight -= 1
        self._note(address, peer, request, began, outcome)
        then(outcome)

    def _note(
        self,
        address: Address,
        peer: Peer,
        request: Request,
        began: Began,
        outcome: Reply | Refusal | Silenced,
    ) -> None:
        """Count a call that has ended, and write it down."""
        took_us = (time.perf_counter_ns() - began.ns) // 1_000
        status = status_of(outcome)
        peer.note(request, status, took_us)
        path, put = call_of(request)
        self._log.add(CallRow(path, address, began.at_ms, took_us, status, request, put))

    def prepare(self, address: Address) -> None:
        """Open a link to the node at `address` where there is none, in its turn."""
        if address not in self._accepted:
            self._open_soon(address, self._peer(address))

    async def _call(
        self, address: Address, peer: Peer, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """By the link; or one by one, also where the link ends meanwhile: calls may be repeated."""
        until = time.monotonic() + deadline_ms / 1000
        is_carried = type(request) in CARRIED
        link = await self._linked(address, peer, deadline_ms) if is_carried else None
        if link is not None and not link.doubtful:
            outcome = await link.ask(request, max(1, round((until - time.monotonic()) * 1000)))
            if outcome is not None:
                return outcome
        return await self._call_without(peer, request, until)

    async def _call_without(
        self, peer: Peer, request: Request, until: float
    ) -> Reply | Refusal | Silenced:
        """Without a link."""
        outcome: Reply | Refusal | Silenced
        deadline_ms = round((until - time.monotonic()) * 1000)
        if deadline_ms <= 0:
            return Silenced(Silence.SILENT, "DEADLINE_EXCEEDED: no connection in time")
        if isinstance(request, Tell) and len(request.messages) > 1:
            if not peer.can_link:
                outcome = await self._tell_each(peer, request, deadline_ms)
            else:  # It is silent.  Whether anybody is there, one message tells as well as many.
                first = replace(request, messages=request.messages[:1])
                outcome = await self._call_alone(peer, first, deadline_ms)
        else:
            outcome = await self._call_alone(peer, request, deadline_ms)
        return outcome

    async def _call_alone(
        self, peer: Peer, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        method = method_of(request)
        answer = await peer.line.call(method.path, method.write_request(request), deadline_ms)
        if not isinstance(answer, bytes):
            return answer
        try:
            return method.read_reply(answer, self._limits)
        except Malformed as error:
            return Silenced(Silence.SILENT, f"the answer is malformed: {error}"[:300])

    async def _tell_each(
        self, peer: Peer, tell: Tell, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """Several messages without a link: the end of the last one before which all are stored."""
        each = [Tell(tell.caller, tell.to, (message,)) for message in tell.messages]
        calls = [self._call_alone(peer, one, deadline_ms) for one in each]
        ends = await asyncio.gather(*calls)
        stored: Reply | None = None
        for end in ends:
            if not isinstance(end, Told) or end.receipt is not Receipt.STORED:
                return stored or end
            stored = end
        assert stored is not None, "nothing was to be told"
        return stored

    # ---- links ---------------------------------------------------------------------------------

    def _link(self, address: Address, peer: Peer) -> Link | None:
        """The one to ask over."""
        taken = self._accepted.get(address)
        if peer.link is None or taken is None:
            return peer.link or taken
        return peer.link if _opener(peer.link.addresses) <= _opener(_said(taken)) else taken

    async def _linked(self, address: Address, peer: Peer, deadline_ms: Millis) -> Link | None:
        """The link to ask over, opened where there is none; None if that cannot be had soon."""
        if (link := self._link(address, peer)) is not None:
            return link
        if (greeted := self._open_soon(address, peer)) is not None:
            await asyncio.wait([greeted], timeout=deadline_ms / 1000)
        return self._link(address, peer)

    def _open_soon(self, address: Address, peer: Peer) -> "asyncio.Future[None] | None":
        """Open a link, if none is being opened; done with that, well or not, is what it gives."""
        if peer.linking is None:
            if self._closed or time.monotonic() < peer.again_at:
                return None
            peer.greeted = asyncio.get_running_loop().create_future()
            peer.linking = self._tasks.spawn(self._open(address, peer), f"link to {address}")
        return peer.greeted

    async def _open(self, address: Address, peer: Peer) -> None:
        """Keep a link on this line until it ends; only so many are begun at one time."""
        turn = Turn(self._opening)
        try:
            await turn.come()
            await self._keep(address, peer, turn)
        finally:
            turn.over()
            peer.linking = None
            peer.tell_greeted()

    async def _keep(self, address: Address, peer: Peer, turn: Turn) -> None:
        peer.stream = stream = peer.line.dialogue(_LINK)

        def greeted(link: Link, hello: Hello) -> None:
            turn.over()
            _check(hello)
            peer.link, peer.can_link, peer.is_in_doubt = link, True, False
            peer.tell_greeted()
            self._retire_second(address)

        again_s = AGAIN_S
        link = self._make(stream.write, greeted)
        patience = asyncio.get_running_loop().call_later(OPENS_S, _give_up, link, stream)
        try:
            await link.run(_frames(stream))
        except (Malformed, Mismatched) as error:
            again_s, peer.can_link = REFUSED_AGAIN_S, False
            _log.warning("the link to %s makes no sense: %s", address, error)
        except grpc.aio.AioRpcError as error:
            is_definite = refusal_in(error) is not None
            if is_definite or error.code() is grpc.StatusCode.UNIMPLEMENTED:
                again_s, peer.can_link = REFUSED_AGAIN_S, False
            _log.debug("the link to %s has ended: %s", address, error.code())
        except asyncio.InvalidStateError:
            _log.debug("the link to %s has ended", address)  # as a write finds it
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            again_s = GIVEN_UP_AGAIN_S
            _log.debug("no hello from %s in %g s", address, OPENS_S)
        finally:
            patience.cancel()
            stream.cancel()
            peer.link = peer.stream = None
            peer.again_at = time.monotonic() + again_s
            if peer.is_in_doubt and not self._closed:
                peer.is_in_doubt = False
                self._on_broken(address)

    def _make(
        self, write: Callable[[bytes], Awaitable[None]], greeted: Callable[[Link, Hello], None]
    ) -> Link:
        def late(link: Link, ms: Millis) -> None:
            self._on_late(_opener(_said(link)), ms)

        own = self._addresses()
        return Link(write, self._desk, self._writer, own, self._limits, greeted, late)

    def _retire_second(self, address: Address) -> None:
        """Of two links to one node ours may be the one that is not asked over any more."""
        peer = self._peers.get(address)
        if peer is None or peer.link is None or peer.stream is None:
            return
        link, stream = peer.link, peer.stream
        if self._link(address, peer) is link:
            return

        async def retire() -> None:
            await link.drained()
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # It ended meanwhile.
                await stream.done_writing()  # The other side answers what it was asked, and ends.

        self._tasks.spawn(retire(), f"second link to {address}")

    async def accept(
        self, frames: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Serve a link that another node has opened, until it ends.

        Raises `Malformed` and `Mismatched`.
        """

        def greeted(link: Link, hello: Hello) -> None:
            _check(hello)
            for address in set(hello.addresses).difference(self._addresses()):
                self._accepted[address] = link
                if (peer := self._peers.get(address)) is not None:
                    peer.tell_greeted()
                self._retire_second(address)

        link = self._make(write, greeted)
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        try:
            await link.run(frames)
        except asyncio.CancelledError:
            if not self._closed:
                raise  # The other side is gone.
            serving.uncancel()
        finally:
            self._serving.discard(serving)
            gone = [address for address, one in self._accepted.items() if one is link]
            for address in gone:
                del self._accepted[address]
                self._ended(address)

    def _ended(self, address: Address) -> None:
        """A link that was opened by others has ended: is there another, or is ours on its way?

        The other side ends its own once it has our hello.  Its own hello may come after that.
        """
        peer = self._peers.get(address)
        if peer is not None and peer.stream is not None:
            peer.is_in_doubt = peer.link is None
        elif not self._closed:
            self._on_broken(address)

    # ---- lines ---------------------------------------------------------------------------------

    def _peer(self, address: Address) -> Peer:
        peer = self._peers.get(address)
        if peer is None:
            self._make_room()
            line = Line(address, self._tasks, lambda: self._on_broken(address))
            peer = self._peers[address] = Peer(line)
        return peer

    def _make_room(self) -> None:
        """Lets go of the lines that nobody has used for longest, as far as there are too many."""
        if len(self._peers) < LINKS_MAX:
            return
        idle = [(peer.used_at, at) for at, peer in self._peers.items() if not peer.in_flight]
        for _, address in sorted(idle)[: len(self._peers) - LINKS_MAX + 1]:
            self._tasks.spawn(_let_go(self._peers.pop(address)), f"old line {address}")

    def figures(self, address: Address) -> LinkFigures:
        """How the way to `address` does; all zero where nobody was called there."""
        peer, taken = self._peers.get(address), address in self._accepted
        if peer is None:
            return LinkFigures("ready" if taken else "idle")
        return LinkFigures(
            "ready" if taken else peer.line.state,
            round(peer.rtt_us),
            peer.calls,
            peer.failures,
            peer.last_error,
            peer.in_flight,
        )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self.close_unused()

    async def close_unused(self) -> None:
        """Close lines that nobody has used for ten minutes."""
        before = time.monotonic() - UNUSED_S
        unused = [
            address
            for address, peer in self._peers.items()
            if not peer.in_flight and peer.used_at < before
        ]
        for peer in [self._peers.pop(address) for address in unused]:
            await _let_go(peer)

    async def close(self) -> None:
        """End every link, whoever opened it, and close every line; calls under way are cancelled.

        Before the server stops: it waits for links that have not ended.
        """
        self._closed = True
        self._sweeper.cancel()
        while self._serving:
            for serving in self._serving:
                serving.cancel()
            await asyncio.wait(self._serving)
        while self._alone:
            for task in self._alone:
                task.cancel()
            await asyncio.wait(self._alone)
        peers, self._peers = self._peers, {}
        for peer in peers.values():
            await _let_go(peer)


async def _let_go(peer: Peer) -> None:
    if peer.linking is not None:
        peer.linking.cancel()
        await asyncio.wait([peer.linking])
    await peer.line.close()


def _give_up(link: Link, stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> None:
    """No hello came: something on the way lets no stream through."""
    if link.peer is None:
        stream.cancel()


async def _frames(stream: "grpc.aio.StreamStreamCall[bytes, bytes]") -> AsyncIterator[bytes]:
    while isinstance(data := await stream.read(), bytes):
        yield data


def _check(hello: Hello) -> None:
    if not is_spoken(hello.protocol):
        raise Mismatched(hello.protocol)


def _said(link: Link) -> tuple[Address, ...]:
    return link.peer.addresses if link.peer is not None else ()


def _opener(addresses: tuple[Address, ...]) -> Address:
    return addresses[0] if addresses else ""
