"""One chat of this node: its group on a runner, its log, and those who wait for something in it."""

import asyncio
import json
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeAlias

from msgspec import Struct

from ..archive import Archive, uncollected
from ..core.conversation import Kind, Spot
from ..core.effects import (
    Acknowledged,
    Change,
    Deliver,
    Departed,
    ElectionMoved,
    Joined,
    JoinFailed,
    Jumped,
    LeaderChanged,
    LineChanged,
    ListedAs,
    MemberChanged,
    Notice,
    Reinstated,
    Settled,
    Stopped,
)
from ..core.events import Closing, Event, Joining, Leaving, Submitted
from ..core.group import Group, Setup
from ..core.messages import TRANSIENT
from ..core.timing import Timing
from ..core.types import Key, MemberId
from ..errors import Complaint, DiskFailed, Removed
from ..happenings import ErrorEvent, Happening, QueueEvent, ReceiptEvent
from ..logs import chat_log
from ..profile import Entry
from ..runner import Halted, Nds, Peers, Runner, now_ms
from ..tasks import Tasks
from ..words import Epoch, Line, Progress, Wait
from . import telling
from .account import Account
from .elections import Elections
from .following import Followed, Following
from .journal import write_down
from .registries import Word

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

LEADERS = "leaders"  # the note of the log that tells who led ...
JUMPED = "jumped"  # ... and how many messages of whom were trimmed before they came here
REJOIN_S = 10.0  # between two tries to get into a chat whose log was lost
# Notices that every line brings, and what is told of them.
TOLD: dict[type, type[telling.What]] = {
    Deliver: Line,
    Acknowledged: ReceiptEvent,
    Settled: ReceiptEvent,
}
GONE = (Change.LEFT, Change.KICKED)
Unasked: TypeAlias = Joined | Departed | Reinstated
MEET_MAX = 64  # members all of whom are met; an election is no time to begin to
CHANGE_S = 5.0  # a change of a line takes one turn
HELD_MAX = 100_000  # notices that one waiter may leave unread


def wall_ms() -> int:
    """Unix time in ms."""
    return time.time_ns() // 1_000_000


def fresh_id() -> str:
    """A random UUID (version 4), as `str(uuid4())` and in a fraction of its time."""
    drawn = secrets.token_hex(16)
    variant = "89ab"[int(drawn[16], 16) & 3]
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{variant}{drawn[17:20]}-{drawn[20:]}"


class Tell(Protocol):
    def __call__(self, *happenings: Happening) -> None: ...


class Surroundings(Struct, frozen=True):
    """What all chats of a node share."""

    timing: Timing
    peers: Peers
    nds: Callable[["Chat"], Nds]  # the discovery service of a chat, also where it is learnt later
    word: Word  # of whoever lets us in, about that
    tasks: Tasks
    tell: Tell  # takes what watchers are to hear, in its order
    unasked: Callable[["Chat", Unasked], None]  # others ended, or renewed, a membership
    halted: Callable[["Chat"], None]  # it is stalled, or has stopped by itself
    listed: Callable[["Chat", str], None]  # its discovery service has it under this name
    parted: Callable[[], None]  # somebody is no member any more
    seal_key: "X25519PrivateKey"  # opens what others seal for us
    wants: Callable[[type[telling.What]], bool]  # does anybody hear of this kind?
    refuse_another: Callable[[Entry, int], None]  # raises MisplacedLog where its log is not its own
    runner: type[Runner] = Runner


class Chat:
    """A group of this node, from its opening to its closing."""

    def __init__(
        self,
        entry: Entry,
        setup: Setup,
        archive: Archive,
        world: Surroundings,
        *,
        forget_membership: bool = False,
    ) -> None:
        """Nothing happens before `runner.start`.

        Args:
            entry: what the profile keeps of the chat.
            setup: who we are in it.
            archive: its log, open.
            world: what all chats of the node share.
            forget_membership: the log is of a membership that was ended; a new one begins.

        Raises:
            MisplacedLog: the log is that of another chat.
        """
        self.entry = entry
        self.archive = archive
        with uncollected():
            remembered = archive.load()
            if (meta := remembered.meta) is not None:
                world.refuse_another(entry, meta.chat)
            if forget_membership:
                remembered = telling.without_membership(remembered)
            chance = Random(secrets.randbits(64))  # noqa: S311  delays and whom to ask, no secrets
            self.group = Group(setup, world.timing, chance, remembered)
        self.setup, self.seal_key = setup, world.seal_key
        self._world, self.word = world, world.word
        self.nds = world.nds(self)
        self.is_transient = setup.mode == TRANSIENT  # nothing of it may be written anywhere
        self.elections = Elections(archive.noted(LEADERS))
        jumped: dict[str, int] = json.loads(archive.noted(JUMPED) or "{}")
        self._jumped = Counter({int(source): count for source, count in jumped.items()})
        self._account = Account(world.timing)
        self.opened = False  # admitted, and told to the watchers
        self.broken = ""  # why the group has stopped by itself ...
        self.broken_reason = ""  # ... and that for programs
        self.removed = False  # others ended the membership; what was said can be read
        self.stalled: Complaint | None = None  # why it can store nothing; its history can be read
        self.unreadable = ""  # why its log could not be read the last time
        self.turned_away = ""  # why it does not let us in again, though its log was lost
        self._leaving = False
        self._unasked = world.unasked
        self._wants = world.wants
        self._tell = world.tell
        self._listeners: set[asyncio.Queue[Notice | Halted]] = set()
        self._following = Following()
        self._outbox = 0  # as it was told last
        self._kept = self.group.outbox_size  # of it what is on disk
        self.runner = world.runner(
            self.group,
            archive,
            peers=world.peers,
            nds=self.nds,
            notify=self._notified,
            tasks=world.tasks,
            name="a transient chat" if self.is_transient else f"#{setup.name}",
        )
        self.log = chat_log(self, silent=self.is_transient)

    def anew(self) -> "Chat":
        """The same chat on the same log, as after the death of the process.  Raises Complaint."""
        again = Chat(self.entry, self.setup, self.archive, self._world)
        again.elections, again.opened = self.elections, True
        return again

    @property
    def name(self) -> str:
        """The name under which it was joined, or is listed since another network has that one."""
        return self.entry.name

    @property
    def nick(self) -> str:
        """The own name, as it is shown there."""
        return self.group.shown_nick(self.group.me) if self.group.me else self.setup.nick

    @property
    def halt(self) -> tuple[str, str]:
        """Either "stalled" or "stopped", and why, for programs; both empty while it goes on."""
        if self.broken:
            return "stopped", self.broken_reason
        return ("stalled", self.stalled.reason) if self.stalled is not None else ("", "")

    @property
    def outbox(self) -> int:
        """Own lines that somebody lacks; where nothing can be stored, of those that were."""
        return self._kept if self.stalled is not None else self.group.outbox_size

    @property
    def epoch(self) -> Epoch:
        return Epoch(self.group.epoch.generation, self.group.epoch.n)

    def happening(self, what: telling.What) -> Happening:
        """Something that happens in this chat, now."""
        group = self.group
        return Happening(what, self.name, group.chat, self.epoch, wall_ms(), group.fingerprint)

    # ---- notices ---------------------------------------------------------------------------------

    def _notified(self, notices: Sequence[Notice | Halted]) -> None:
        """Takes the notices of one turn."""
        heard = {kind: self._wants(told) for kind, told in TOLD.items()}
        writes = self.log.isEnabledFor(logging.DEBUG)
        told: list[telling.What] = []
        for notice in notices:
            is_usual = type(notice) in heard
            if writes or not is_usual:
                write_down(self.log, notice)
                if isinstance(notice, Joined):
                    self._meet()
            self._following.noticed(notice)
            for listener in self._listeners:
                if listener.qsize() < HELD_MAX:
                    listener.put_nowait(notice)
            if not is_usual:
                self._tell_all(told)
                self._unusual(notice)
            elif heard[type(notice)] or isinstance(notice, Settled):
                told += self._account.told(self.group, notice)
        self._tell_all(told)
        if self.stalled is None:
            self._kept = self.group.outbox_size
        if self.opened and self.outbox != self._outbox:
            self._outbox = self.outbox
            self._tell(self.happening(QueueEvent(self._outbox)))

    def _tell_all(self, told: list[telling.What]) -> None:
        """What was gathered until now; `told` is empty after that."""
        if told and self.opened:
            name, chat, epoch = self.name, self.group.chat, self.epoch
            at_ms, fingerprint = wall_ms(), self.group.fingerprint
            self._tell(*(Happening(what, name, chat, epoch, at_ms, fingerprint) for what in told))
        told.clear()

    def _unusual(self, notice: Notice | Halted) -> None:
        at_ms = wall_ms()
        if isinstance(notice, ElectionMoved):
            self.elections.moved(at_ms, notice, self.group.shown_nick)
        elif isinstance(notice, LeaderChanged):
            self.elections.led(at_ms, notice, self.group.shown_nick)
            self._note(LEADERS, self.elections.leaders())
        elif isinstance(notice, Jumped):
            self._jumped[notice.source] += notice.count
            self._note(JUMPED, json.dumps(self._jumped))
        if isinstance(notice, Halted):
            self.stalled = notice.complaint
        elif isinstance(notice, Stopped) and notice.reason:
            self.broken = telling.why(notice, self.name)
            self.broken_reason = notice.reason
        if isinstance(notice, Departed) and notice.kicked and not self._leaving:
            return self._end_removed()
        if isinstance(notice, JoinFailed | Halted | Stopped):
            told = telling.trouble(self.name, notice)
        elif isinstance(notice, LineChanged):
            told = telling.changed(self.group, self.archive, notice, self.log)
        else:
            told = self._account.told(self.group, notice)
        if not self.opened:
            return
        if isinstance(notice, ListedAs):
            self._world.listed(self, notice.name)
        if isinstance(notice, JoinFailed | Joined):
            why = (notice.text or notice.reason) if isinstance(notice, JoinFailed) else ""
            self.turned_away = why
        if isinstance(notice, JoinFailed) and not self.group.me:  # Its log was lost: go on trying.
            asyncio.get_running_loop().call_later(REJOIN_S, self.runner.post, Joining(""))
        if isinstance(notice, Unasked) and not self._leaving:
            self._leaving = isinstance(notice, Departed)
            self._unasked(self, notice)
        self._tell_all(told)
        has_gone = isinstance(notice, MemberChanged) and notice.change in GONE
        if has_gone or isinstance(notice, Departed):
            self._world.parted()
        if isinstance(notice, Halted) or (isinstance(notice, Stopped) and notice.reason):
            self._world.halted(self)

    def _end_removed(self) -> None:
        """We were removed.  The chat stays, to be read, until it is left or joined again."""
        self.removed, self.broken_reason = True, Removed.reason
        self.broken = telling.expelled(self.group, self.name)
        if self.opened:
            text = f"#{self.name}: {self.broken}; what was said until now can still be read, and an"
            text += " invitation lets you in again once the removal is taken back"
            self._tell(self.happening(ErrorEvent(Removed.reason, text)))
            self._world.halted(self)
            self._world.parted()

    def _meet(self) -> None:
        """Open the ways to others now, before everybody calls everybody with a first line."""
        group = self.group
        few = len(group.active) <= MEET_MAX
        for member in group.active if few else group.near:
            record = group.member(member)
            if record is not None and member != group.me:
                self._world.peers.prepare(record.address, record.card.certificate)

    def _note(self, name: str, text: str) -> None:
        try:
            self.archive.note(name, text)
        except DiskFailed as error:  # Less is told then; what must be stored will stall.
            self.log.warning("%s are not noted: %s", name, error)

    @property
    def lost(self) -> dict[MemberId, int]:
        """How many messages of whom are missing: nobody who was here had them."""
        return dict(Counter(self.group.lost) + self._jumped)

    @contextmanager
    def listening(self) -> Iterator["asyncio.Queue[Notice | Halted]"]:
        """A queue of all notices from now on."""
        queue: asyncio.Queue[Notice | Halted] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    async def until(
        self, *events: Event, ends: tuple[type, ...], wait_s: float
    ) -> Notice | Halted | None:
        """Hands in `events`, waits for a notice of one of these types; None when time is over."""
        with self.listening() as notices:
            for event in events:
                self.runner.post(event)
            try:
                async with asyncio.timeout(wait_s):
                    while not isinstance(notice := await notices.get(), (*ends, Halted)):
                        pass
                    return notice
            except TimeoutError:
                return None

    async def begin(self, *events: Event, wait_s: float) -> Joined | JoinFailed | Halted | None:
        """Starts the group with the event by which it gets in, and waits until it is."""
        with self.listening() as notices:
            self.runner.start(*events)
            try:
                async with asyncio.timeout(wait_s):
                    while True:
                        notice = await notices.get()
                        if isinstance(notice, Joined | JoinFailed | Halted):
                            return notice
            except TimeoutError:
                return None

    # ---- the end ---------------------------------------------------------------------------------

    async def leave(self, wait_s: float) -> Departed | None:
        """Ends the membership; what nobody could be told is told at the next start.  None: it is
        not over yet when time is.

        Raises:
            Complaint: it cannot be stored, and so has not happened.
        """
        if not self.removed:
            self.check_writable()
        self._leaving = True
        notice = await self.until(Leaving(), ends=(Departed,), wait_s=wait_s)
        if isinstance(notice, Halted):
            raise notice.complaint
        assert notice is None or isinstance(notice, Departed)
        return notice

    async def close(self, wait_s: float) -> None:
        """Hands leadership over and lets go of everything; the membership stays.

        A transient one cannot be gone on with, and is left.
        """
        if self.is_transient and self.group.me and not self.broken:
            await self.leave(wait_s)
        elif not self.broken and self.stalled is None:
            await self.until(Closing(), ends=(Stopped, Departed), wait_s=wait_s)
        await self.let_go()

    async def let_go(self) -> None:
        """Ends the group as it stands."""
        await self.runner.stop()
        self.archive.close()

    # ---- saying something ------------------------------------------------------------------------

    def check_writable(self) -> None:
        """Raises Complaint where nothing can be stored here now, or one is no member any more."""
        if self.removed:
            raise Removed(chat=self.name, text=self.broken)
        if self.stalled is not None:
            raise self.stalled

    def say(self, text: str, kind: Kind, id: str) -> None:
        """Hands in a line, with a fresh id.  That it was stored, notices tell.

        Raises:
            Complaint: nothing can be stored here.
        """
        self.check_writable()
        self.runner.post(Submitted(text, id, wall_ms(), kind))

    async def send(
        self, text: str, kind: Kind, wait: Wait, wait_ms: int
    ) -> AsyncIterator[Progress]:
        """Stores a line, then tells how far it has come; the last one has `done`.

        Raises:
            Complaint: it was not stored.
        """
        id = fresh_id()
        with self._following.line(id) as line:
            self.say(text, kind, id)
            key = await self._stored(line)
            until = now_ms() + wait_ms
            last = self.progress(key, id, wait)
            said: Progress | None = None
            while not last.complete:
                if last != said:
                    yield last
                said = last
                if not await _moved(line, until):
                    break
                last = self.progress(key, id, wait)
            yield telling.ended(last)

    async def _stored(self, line: Followed) -> Key:
        """Waits until the line is in the log.  Raises Complaint where it never will be."""
        while line.key is None:
            await line.news()
            if isinstance(line.end, Halted):
                raise line.end.complaint
            if line.end is not None:
                self.check_writable()
                raise telling.Ended(chat=self.name, text=self.broken or "you are out of it")
        return line.key

    async def change(self, kind: Kind, about: Spot, text: str = "") -> None:
        """Hands in a change of a line, and waits until it is stored.

        Raises Complaint; or TimeoutError where the line was trimmed just now.
        """
        id = fresh_id()
        self.check_writable()
        with self._following.line(id) as line:
            self.runner.post(Submitted(text, id, wall_ms(), kind, about))
            async with asyncio.timeout(CHANGE_S):
                await self._stored(line)

    def progress(self, key: Key, id: str, wait: Wait) -> Progress:
        """How far an own line has come."""
        return telling.progress(self.group, key, self.archive.brief(id), id, wait)


async def _moved(line: Followed, until: int) -> bool:
    """Waits for news that may concern the line; False when time is over, or the chat."""
    try:
        async with asyncio.timeout(max(0, until - now_ms()) / 1000):
            await line.news()
    except TimeoutError:
        return False
    return line.end is None
