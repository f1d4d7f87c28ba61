"""Calls to other nodes: by a link where there is one, else one by one on a line to the address.

A line is opened by its first call, kept, and closed once nobody has used it for ten minutes; sooner
where there are too many, those first that nobody has used for longest.  The first call that a link
may carry opens one on the line, unless the other side has: one for two nodes, of all their groups.
Of two that were opened at once the one stays whose opener has the lower address.  Calls wait a
moment for a link that is being opened: each alone costs as much as a frame of many, and at the
beginning everybody calls everybody.  A link that is silent is passed by until it speaks again.

Each address has so many calls under way and no more: one slow peer costs its own queue only.  Pings
and elections are never held up.

Where connections are secured, a node is known by its certificate: the same address with another one
is another line, a link is of the certificate that its connection proved, whatever addresses it
claims, and whoever is not known is asked to let us in, or pinged, and told nothing else.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

from node.codec import CARRIED, AskWriter, Hello, Malformed, Seals, call_of
from node.core.messages import Join, Ping, Refusal, Reply, Request
from node.core.types import Address, Millis, Silence
from node.limits import Limits
from node.peer import (
    Began,
    LinkFigures,
    Peer,
    Turn,
    check,
    frames_of,
    give_up,
    let_go,
    opener,
    said,
)
from node.rpc import (
    CallLog,
    CallRow,
    Desk,
    Line,
    Link,
    Mismatched,
    TooMany,
    come_again_s,
    refusal_in,
    status_of,
)
from node.rpc.budget import LINKS_EACH_MAX
from node.rpc.line import CLOSED
from node.rpc.options import grpc
from node.rpc.transport import Transport
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
FOR_STRANGERS = (Join, Ping)  # what is said to whom we do not know

_LINK = "/p2pchat.v1.Node/Link"
Whom: TypeAlias = tuple[Address, bytes]  # where, and the certificate of the node that is meant
_log = logging.getLogger(__name__)


class Links:
    """The ways from a node to others.

    `desk` answers what comes by links; `addresses()` are ours, the lowest first.
    `on_broken(address)`: a connection that was there is so no longer.  `on_late(address, ms)`: an
    answer came by a link so long after its call had ended.  `on_flood(certificate)`: so much comes
    from that node that its link is read more slowly.  `seals` close and open what is said.
    """

    def __init__(
        self,
        tasks: Tasks,
        log: CallLog,
        on_broken: Callable[[Address], None],
        desk: Desk,
        addresses: Callable[[], tuple[Address, ...]],
        on_late: Callable[[Address, Millis], None],
        transport: Transport,
        seals: Seals | None = None,
    ) -> None:
        self._tasks = tasks
        self.on_flood: Callable[[bytes], object] = _nothing_of
        self._log = log
        self._on_broken = on_broken
        self._desk = desk
        self._addresses = addresses
        self._on_late = on_late
        self._transport = transport
        self._limits = Limits()
        self._writer = AskWriter(seals)
        self._peers: dict[Whom, Peer] = {}
        self._accepted: dict[Whom, Link] = {}  # opened by others
        self._serving: dict[Link, asyncio.Task[Any]] = {}
        self._cut_off: set[Link] = set()
        self._alone: set[asyncio.Task[None]] = set()  # calls that go on without their link
        self._opening = asyncio.Semaphore(OPENING_MAX)
        self._closed = False
        self._sweeper = tasks.spawn(self._sweep(), "link sweeper")

    # ---- calls ---------------------------------------------------------------------------------

    async def call(
        self, address: Address, certificate: bytes, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """Call the node at `address` that has this certificate; empty: whichever is there.  The end
        comes within `deadline_ms`.
        """
        whom = self._whom(address, certificate)
        peer, began = self._peer(whom), Began()
        outcome: Reply | Refusal | Silenced
        if fault := self._transport.fault(address):
            outcome = Silenced(Silence.SILENT, f"UNAVAILABLE: {fault}")
        elif self._is_strange(whom) and not isinstance(request, FOR_STRANGERS):
            text = "UNAUTHENTICATED: nobody has said which certificate that member has"
            outcome = Silenced(Silence.SILENT, text)
        elif peer.in_flight >= IN_FLIGHT_MAX and not isinstance(request, URGENT):
            text = f"RESOURCE_EXHAUSTED: {IN_FLIGHT_MAX} calls to {address} are under way"
            outcome = Silenced(Silence.SILENT, text)
        else:
            peer.in_flight += 1
            try:
                outcome = await self._call(whom, peer, request, deadline_ms)
            finally:
                peer.in_flight -= 1
        self._note(address, peer, request, began, outcome)
        return outcome

    def begin(
        self,
        address: Address,
        certificate: bytes,
        request: Request,
        deadline_ms: Millis,
        then: Callable[[Reply | Refusal | Silenced], None],
    ) -> bool:
        """Make the call by a link that is there; `then` is called once, with its end.

        False where none is, or it is silent, or too many calls are under way: nothing has happened.
        """
        whom = self._whom(address, certificate)
        peer = self._peers.get(whom)
        if peer is None or type(request) not in CARRIED:
            return False
        link = self._link(whom, peer)
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
            outcome = end or CLOSED
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
            outcome = await peer.call_alone(request, until, self._limits)
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

    def prepare(self, address: Address, certificate: bytes) -> None:
        """Open a link to that node where there is none, in its turn."""
        whom = self._whom(address, certificate)
        is_called = not self._is_strange(whom) and not self._transport.fault(address)
        if whom not in self._accepted and is_called:
            self._open_soon(whom, self._peer(whom))

    def _whom(self, address: Address, certificate: bytes) -> Whom:
        return address, certificate if self._transport.is_secured else b""

    def _is_strange(self, whom: Whom) -> bool:
        """Can nobody tell who that is?"""
        return self._transport.is_secured and not whom[1]

    async def _call(
        self, whom: Whom, peer: Peer, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """By the link; or one by one, also where the link ends meanwhile: calls may be repeated."""
        until = time.monotonic() + deadline_ms / 1000
        by_link = type(request) in CARRIED and not self._is_strange(whom)
        link = await self._linked(whom, peer, deadline_ms) if by_link else None
        if link is not None and not link.doubtful:
            outcome = await link.ask(request, max(1, round((until - time.monotonic()) * 1000)))
            if outcome is not None:
                return outcome
        return await peer.call_alone(request, until, self._limits)

    # ---- links ---------------------------------------------------------------------------------

    def _link(self, whom: Whom, peer: Peer) -> Link | None:
        """The one to ask over."""
        taken = self._accepted.get(whom)
        if peer.link is None or taken is None:
            return peer.link or taken
        return peer.link if opener(peer.link.addresses) <= opener(said(taken)) else taken

    async def _linked(self, whom: Whom, peer: Peer, deadline_ms: Millis) -> Link | None:
        """The link to ask over, opened where there is none; None if that cannot be had soon."""
        if (link := self._link(whom, peer)) is not None:
            return link
        if (greeted := self._open_soon(whom, peer)) is not None:
            await asyncio.wait([greeted], timeout=deadline_ms / 1000)
        return self._link(whom, peer)

    def _open_soon(self, whom: Whom, peer: Peer) -> "asyncio.Future[None] | None":
        """Open a link, if none is being opened; done with that, well or not, is what it gives."""
        if peer.linking is None:
            if self._closed or time.monotonic() < peer.again_at:
                return None
            peer.greeted = asyncio.get_running_loop().create_future()
            peer.linking = self._tasks.spawn(self._open(whom, peer), f"link to {whom[0]}")
        return peer.greeted

    async def _open(self, whom: Whom, peer: Peer) -> None:
        """Keep a link on this line until it ends; only so many are begun at one time."""
        turn = Turn(self._opening)
        try:
            await turn.come()
            await self._keep(whom, peer, turn)
        finally:
            turn.over()
            peer.linking = None
            peer.tell_greeted()

    async def _keep(self, whom: Whom, peer: Peer, turn: Turn) -> None:
        peer.stream = stream = peer.line.dialogue(_LINK)
        address, certificate = whom

        def greeted(link: Link, hello: Hello) -> None:
            turn.over()
            check(hello)
            peer.link, peer.can_link, peer.is_in_doubt = link, True, False
            peer.tell_greeted()
            self._retire_second(whom)

        again_s = AGAIN_S
        link = self._make(stream.write, greeted, certificate or None)
        patience = asyncio.get_running_loop().call_later(OPENS_S, give_up, link, stream)
        try:
            await link.run(frames_of(stream))
        except (Malformed, Mismatched) as error:
            again_s, peer.can_link = REFUSED_AGAIN_S, False
            _log.warning("the link to %s makes no sense: %s", address, error)
        except grpc.aio.AioRpcError as error:
            is_definite = refusal_in(error) is not None
            if (wait_s := come_again_s(error)) is not None:
                again_s = max(wait_s, AGAIN_S)
            elif is_definite or error.code() is grpc.StatusCode.UNIMPLEMENTED:
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
        self,
        write: Callable[[bytes], Awaitable[None]],
        greeted: Callable[[Link, Hello], None],
        certificate: bytes | None,
    ) -> Link:
        def late(link: Link, ms: Millis) -> None:
            self._on_late(opener(said(link)), ms)

        given = self._desk, self._writer, self._addresses(), self._limits
        link = Link(write, *given, greeted, late, certificate)
        link.on_flood = lambda link: self.on_flood(link.certificate or b"")
        return link

    def _retire_second(self, whom: Whom) -> None:
        """Of two links to one node ours may be the one that is not asked over any more."""
        peer = self._peers.get(whom)
        if peer is None or peer.link is None or peer.stream is None:
            return
        link, stream = peer.link, peer.stream
        if self._link(whom, peer) is link:
            return

        async def retire() -> None:
            await link.drained()
            with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # It ended meanwhile.
                await stream.done_writing()  # The other side answers what it was asked, and ends.

        self._tasks.spawn(retire(), f"second link to {whom[0]}")

    async def accept(
        self,
        frames: AsyncIterator[bytes],
        write: Callable[[bytes], Awaitable[None]],
        certificate: bytes | None,
    ) -> None:
        """Serve a link that the node with this certificate has opened, until it ends.

        Raises `Malformed`, `Mismatched` and `TooMany`.
        """
        if certificate is not None:
            open_ = sum(link.certificate == certificate for link in self._serving)
            if open_ >= LINKS_EACH_MAX:
                raise TooMany(f"{LINKS_EACH_MAX} links of a member", AGAIN_S)

        def greeted(link: Link, hello: Hello) -> None:
            check(hello)
            for address in set(hello.addresses).difference(self._addresses()):
                whom = self._whom(address, certificate or b"")
                self._accepted[whom] = link
                if (peer := self._peers.get(whom)) is not None:
                    peer.tell_greeted()
                self._retire_second(whom)

        link = self._make(write, greeted, certificate)
        serving = asyncio.current_task()
        assert serving is not None
        self._serving[link] = serving
        try:
            await link.run(frames)
        except asyncio.CancelledError:
            if not self._closed and link not in self._cut_off:
                raise  # The other side is gone.
            serving.uncancel()
        finally:
            del self._serving[link]
            self._cut_off.discard(link)
            for whom in [whom for whom, one in self._accepted.items() if one is link]:
                del self._accepted[whom]
                self._ended(whom)

    def cut_off(self, knows: Callable[[bytes], bool]) -> None:
        """End the links and lines of nodes whose certificates nobody knows any more."""
        for link, serving in self._serving.items():
            if link.certificate is not None and not knows(link.certificate):
                self._cut_off.add(link)
                serving.cancel()
        for whom in [whom for whom in self._peers if whom[1] and not knows(whom[1])]:
            self._tasks.spawn(let_go(self._peers.pop(whom)), f"line to {whom[0]}, nobody's")

    def _ended(self, whom: Whom) -> None:
        """A link that was opened by others has ended: is there another, or is ours on its way?

        The other side ends its own once it has our hello.  Its own hello may come after that.
        """
        peer = self._peers.get(whom)
        if peer is not None and peer.stream is not None:
            peer.is_in_doubt = peer.link is None
        elif not self._closed:
            self._on_broken(whom[0])

    # ---- lines ---------------------------------------------------------------------------------

    def _peer(self, whom: Whom) -> Peer:
        peer, (address, certificate) = self._peers.get(whom), whom
        if peer is None:
            self._make_room()

            def broken() -> None:
                self._on_broken(address)

            line = Line(address, self._tasks, broken, self._transport, certificate)
            peer = self._peers[whom] = Peer(line, self._writer.seals)
        return peer

    def _make_room(self) -> None:
        """Lets go of the lines that nobody has used for longest, as far as there are too many."""
        if len(self._peers) < LINKS_MAX:
            return
        idle = [(peer.used_at, at) for at, peer in self._peers.items() if not peer.in_flight]
        for _, whom in sorted(idle)[: len(self._peers) - LINKS_MAX + 1]:
            self._tasks.spawn(let_go(self._peers.pop(whom)), f"old line {whom[0]}")

    def figures(self, address: Address, certificate: bytes) -> LinkFigures:
        """How the way to that node does; all zero where it was not called."""
        whom = self._whom(address, certificate)
        peer, taken = self._peers.get(whom), whom in self._accepted
        links = {one for one in self._serving if certificate and one.certificate == certificate}
        ours = peer.link if peer is not None else None
        links.update(link for link in (ours, self._accepted.get(whom)) if link is not None)
        held_ms = round(1000 * sum(link.pace.held_s for link in links))
        if peer is None:
            return LinkFigures("ready" if taken else "idle", held_ms=held_ms)
        return LinkFigures(
            "ready" if taken else peer.line.state,
            round(peer.rtt_us),
            peer.calls,
            peer.failures,
            peer.last_error,
            peer.in_flight,
            held_ms,
        )

    def flooding(self) -> set[bytes]:
        """The certificates of nodes whose links are read slowly, as they flood."""
        now = asyncio.get_running_loop().time()
        links = [*self._serving, *(peer.link for peer in self._peers.values() if peer.link)]
        return {link.certificate or b"" for link in links if link.pace.floods(now)}

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self.close_unused()

    async def close_unused(self) -> None:
        """Close lines that nobody has used for ten minutes."""
        before = time.monotonic() - UNUSED_S
        unused = [
            whom
            for whom, peer in self._peers.items()
            if not peer.in_flight and peer.used_at < before
        ]
        for peer in [self._peers.pop(whom) for whom in unused]:
            await let_go(peer)

    async def close(self) -> None:
        """End every link, whoever opened it, and close every line; calls under way are cancelled.

        Before the server stops: it waits for links that have not ended.
        """
        self._closed = True
        self._sweeper.cancel()
        while self._serving:
            for serving in self._serving.values():
                serving.cancel()
            await asyncio.wait(self._serving.values())
        while self._alone:
            for task in self._alone:
                task.cancel()
            await asyncio.wait(self._alone)
        peers, self._peers = self._peers, {}
        for peer in peers.values():
            await let_go(peer)


def _nothing_of(_: bytes) -> None:
    """Nobody wants to know."""
