"""What the node tells of its own accord, and what is asked of it so that the screen stays true.

The watch begins before anything is read, so that nothing falls between.  A node that ends, or has
let us go because we were slow, is tried again until it is there; what was held is then read anew.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from ...errors import NO_PEER, Complaint
from ...happenings import (
    ChatEvent,
    ElectionEvent,
    Happening,
    LeaderEvent,
    MemberEvent,
    MergeEvent,
    NdsEvent,
    ReceiptEvent,
    SuspectEvent,
)
from ...words import Status
from ..model import Event, Linked, Paged, Roster, Selected, State
from .face import Face, chat_of

AGAIN_S = 0.5  # between tries to reach a node that does not answer
GATHER_S = 0.05  # members are read once for what happens within this
OF_MEMBERS = (MemberEvent, SuspectEvent, ElectionEvent, LeaderEvent, ChatEvent)
LACKING_S = 1.0  # acknowledgements that come within this are shown at the members together
STATUS_S = 5.0  # without a reason the status is read this often


class Watching:
    """Keeps the state true.  To be set before it starts: `begun` hears that the chats are there."""

    begun: Callable[[], None]

    def __init__(self, face: Face) -> None:
        self._face = face
        self._stale_members = asyncio.Event()
        self._stale_status = asyncio.Event()
        self._is_new = True
        self._asking = 0
        self._later: asyncio.Task[None] | None = None
        self._greeting = face.setup.greeting
        face.listen(self._happened)

    def start(self) -> None:
        """Begins to watch."""
        self._face.spawn(self._watch(), "watch")
        self._face.spawn(self._read_members(), "members")
        self._face.spawn(self._read_status(), "status")

    def refresh(self) -> None:
        """The status is read soon: something was asked of the node that may have changed it."""
        self._stale_status.set()

    def _happened(self, before: State, event: Event) -> None:
        state = self._face.state
        if state.current != before.current:
            self._stale_members.set()
        if isinstance(event, Paged) and event.chat_id == state.current:
            self._greet()
        if isinstance(event, Status) and _outdated(state):
            self._stale_members.set()
        if not isinstance(event, Happening):
            return
        if isinstance(event.what, ChatEvent | NdsEvent | MergeEvent):
            self._stale_status.set()
        if isinstance(event.what, ReceiptEvent) and event.chat_id == state.current:
            self._read_members_later()
        if isinstance(event.what, OF_MEMBERS) and event.chat_id == self._face.state.current:
            self._stale_members.set()

    def _read_members_later(self) -> None:
        """Who lacks what is shown beside the names; that may be a second old."""
        if self._later is None:
            self._later = self._face.spawn(self._wait_for_members(), "members later")

    async def _wait_for_members(self) -> None:
        await asyncio.sleep(LACKING_S)
        self._later = None
        self._stale_members.set()

    @property
    def has_begun(self) -> bool:
        """Are the chats there?"""
        return not self._is_new

    def _greet(self) -> None:
        """What is told at first, below what was said before."""
        greeting, self._greeting = self._greeting, ()
        self._face.tell(*greeting)

    # ---- the watch

    async def _watch(self) -> None:
        while True:
            watched = asyncio.Event()
            reading = self._face.spawn(self._read_all(watched), "first look")
            try:
                async for happening in self._face.node.watch(ready=watched.set):
                    if (news := self._news(happening)) is not None:
                        self._face.apply(news)
                ended = True
            except Complaint as complaint:
                ended = complaint.reason != "TOO_SLOW"
            finally:
                reading.cancel()
            if ended and self._face.setup.owns_node:
                self._face.leave(NO_PEER, "the node has ended")
                return
            if not self._face.state.lost:
                self._face.apply(Linked(False))
            if ended:
                await asyncio.sleep(AGAIN_S)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While this lasts, chats come and go because of us: the answer tells it, and it alone."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    def _news(self, happening: Happening) -> Happening | None:
        what = happening.what
        if not isinstance(what, ChatEvent) or not self._asking:
            return happening
        if what.change == "closed":  # the status that follows the answer says so
            return None
        return replace(happening, what=replace(what, change="changed"))

    async def _read_all(self, watched: asyncio.Event) -> None:
        """The chats, and the one in front, once the watch has begun."""
        await watched.wait()
        face = self._face
        status = await self._status()
        is_another = self._is_new or face.state.lost
        if face.state.lost:
            face.apply(Linked(True))
        face.apply(status)
        if self._is_new:
            self._is_new = False
            self._begin()
        if is_another:
            face.tell(*status.problems, tone="error")
        self._stale_members.set()

    async def _status(self) -> Status:
        """The node's state; if it has ended, the end of the watch ends this too."""
        while True:
            try:
                return await self._face.node.status()
            except Complaint:
                await asyncio.sleep(AGAIN_S)

    def _begin(self) -> None:
        """Chats as they were left, and the one in front that was asked for."""
        face = self._face
        for event in face.setup.keeper.restored():
            face.apply(event)
        chat = face.setup.chat
        wanted = face.state.view(chat) if isinstance(chat, int) else face.state.named(chat)
        front = wanted or face.state.front
        if front is not None:
            face.apply(Selected(front.chat.chat_id))
        else:
            self._greet()
        self.begun()

    # ---- what is read again and again

    async def _read_members(self) -> None:
        while True:
            await self._stale_members.wait()
            await asyncio.sleep(GATHER_S)
            self._stale_members.clear()
            chat_id = self._face.state.current
            if chat_id and not self._face.state.lost:
                try:
                    found = await self._face.node.members(chat_of(chat_id))
                except Complaint:  # the chat has just ended, or the node has: the watch tells
                    continue
                self._face.apply(Roster(chat_id, found.members))

    async def _read_status(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._stale_status.wait(), STATUS_S)
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass
            self._stale_status.clear()
            if not (self._is_new or self._face.state.lost):
                try:
                    self._face.apply(await self._face.node.status())
                except Complaint:  # the watch tells
                    continue


def _outdated(state: State) -> bool:
    """Whether the members shown are others than the node counts: who is silent to it alone, say."""
    view = state.front
    if view is None or not view.members or view.chat.halt:
        return False
    return sum(member.state == "alive" for member in view.members) != view.chat.alive
