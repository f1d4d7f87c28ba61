"""Our own nodes: each member is the whole program in process, on a discovery service beside it.

Lines go in by the call on which the control service's Send rests, and come out at a watcher of the
node, as a face gets them.  Nothing here knows how nodes talk to each other.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from node import profile as profiles
from node.config import load
from node.control.running import allow_many_files, running
from node.core.conversation import LINES_MAX, Kind
from node.errors import Complaint
from node.happenings import Happening, QueueEvent
from node.host import entering, views
from node.host.chats import Chat, fresh_id
from node.host.nodes import Node
from node.places import places
from node.words import Line, Mode

from .contestant import Contestant, Seat

PROMISE = "acknowledged by every member, on disk at each, sent again until it is"
ORDER = "causal: nothing before what it answers"
DEATH = "the others elect a leader; talk goes on meanwhile"
AWAY = "all of it, from any member"

CHAT = "bench"
AT_ONCE = LINES_MAX  # lines; others are let turn after so many
TURN_S = 0.02
JOIN_EACH_S = 0.1
JOINS = 10  # tries, while all the others that start take the processors
JOIN_AGAIN_S = 2.0
CROWD = 100  # more than so many have long deadlines: two cores do the work of all their machines
MANY = 40  # members, of whom each has so much to hear that they come more slowly


class Ours(Contestant):
    node_class: type[Node] = Node
    insecure = False

    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._stack = contextlib.AsyncExitStack()
        self._said = 0  # own lines that nobody has shown yet
        self._outbox = 0  # own lines that somebody has not acknowledged
        self._changed = asyncio.Event()
        self._failed: BaseException | None = None

    async def open(self) -> str:
        allow_many_files()
        spot = places("default", str(self.seat.directory), {})
        kept = profiles.load(spot.data).settings()
        preset = "wan" if self.seat.size > CROWD else "lan"
        flags: dict[str, Any] = {"nick": f"m{self.seat.index}", "nds": [self.seat.server]}
        flags |= {"preset": preset, "insecure": self.insecure}
        config = load(spot, flags, kept, {})
        self._node: Node = await self._stack.enter_async_context(
            running(spot, config, self.node_class)
        )
        return self._node.listen

    async def found(self) -> None:
        await entering.create(self._node, CHAT, "", "", Mode.LOGGED, is_open=True)

    async def meet(self, addresses: list[str]) -> None:
        if not self._node.chats:
            await self._join()
        self._chat: Chat = self._node.chats[0]
        self._watching = asyncio.create_task(self._watch())
        while not self._complete():  # noqa: ASYNC110 nothing tells it
            await asyncio.sleep(TURN_S * max(1, self.seat.size // 10))

    async def _join(self) -> None:
        """They come one after the other: a newcomer is made known to all who are there."""
        while True:
            known = await entering.networks_of(self._node, self.seat.server) or ()
            if known:
                break
        await asyncio.sleep(JOIN_EACH_S * max(1, self.seat.size / MANY) * self.seat.index)
        for left in reversed(range(JOINS)):
            try:
                await entering.join(self._node, f"{self.seat.server}/{CHAT}", "", "")
                return
            except Complaint:
                if not left:
                    raise
            await asyncio.sleep(JOIN_AGAIN_S)

    def _complete(self) -> bool:
        seen = views.chat(self._chat)
        return seen.alive == seen.known == self.seat.size and bool(self.leader())

    async def _watch(self) -> None:
        watcher = self._node.hub.add(kinds=(Line, QueueEvent))
        try:
            async for happening in watcher.happenings():
                self._happened(happening)
        except BaseException as error:
            self._failed = error
            self._changed.set()
            raise

    def _happened(self, happening: Happening) -> None:
        what = happening.what
        if isinstance(what, Line):
            if what.own:
                self._said -= 1
            else:
                self.receive(what.text.encode())
        elif isinstance(what, QueueEvent):
            self._outbox = what.outbox
            self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
        if self._failed is not None:
            raise self._failed

    async def room(self) -> None:
        while self._outbox + self._said >= self.seat.window:
            await self._change()
        if self._said >= AT_ONCE:
            await asyncio.sleep(0)

    def say(self, payload: bytes) -> None:
        self._said += 1
        self._chat.say(payload.decode(), Kind.TEXT, fresh_id())

    async def settle(self) -> None:
        while self._said or self._outbox:
            await self._change()

    def leader(self) -> tuple[int, ...]:
        seen = views.leader(self._chat)
        if not seen.leader_id or seen.provisional or seen.halt:
            return ()
        return seen.epoch.generation, seen.epoch.n, seen.leader_id

    def leads(self) -> bool:
        return self.leader()[-1:] == (views.chat(self._chat).member_id,)


class Unsigned(Node):
    signs = False


class Bare(Ours):
    """Ours with plain connections and no signatures: what those cost is the ratio of the two."""

    node_class = Unsigned
    insecure = True
