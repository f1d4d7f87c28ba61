"""The demo's company: three scripted peers that talk, answer, die and come back.

They are processes of a `Lab`; all that they do in the chat, they do through their own nodes.  What
they react to is what your node sees: a peer answers a line of yours once it has acknowledged it.
"""

import asyncio
import re
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import Complaint
from ..happenings import Happening, LeaderEvent, ReceiptEvent
from ..words import Line, Wait
from .render.text import clean_name, several

if TYPE_CHECKING:
    from .client import Client

OPENING = (
    ("alice", "welcome to #demo: three nodes, no message server"),
    ("bob", "every line goes straight to each member, and comes back acknowledged"),
    ("carol", "I joined through the discovery service; it never sees what we say"),
    ("alice", "I have the lowest id, so I lead"),
)

ANSWERS = (
    "got it, {you}",
    "here too",
    "I have it as well; /trace says after how many ms",
    "stored, {you}: I acknowledge only what is on my disk",
)
TOPICS = (
    ({"hi", "hello", "hey", "moin", "hallo"}, "hi {you}"),
    ({"leader", "leads", "lead", "election", "epoch"}, "/election shows who asked whom, and why"),
    ({"thanks", "thank", "thx"}, "you are welcome, {you}"),
    ({"bye", "ciao"}, "bye {you}; /quit ends the demo and all of us"),
)
BACK = "I am back, under the id that I had; whoever leads now goes on leading"
QUESTION = "I am only a script, {you}; /help knows more"

PAUSE_S = 0.8  # before somebody says something
AGAIN_S = 0.5  # between two looks, and two tries to watch
RETURN_S = 4.0  # without keys, a peer that somebody killed is away this long
WAITING_MAX = 32  # own lines whose first acknowledgement is to come


class Processes(Protocol):
    """What of a `Lab` is needed here."""

    def pid(self, name: str) -> int: ...

    def is_running(self, name: str) -> bool: ...

    def kill(self, name: str) -> None: ...

    def client(self, name: str) -> "Client": ...

    async def start_node(self, name: str, *flags: str) -> "Client": ...


def words_of(text: str) -> set[str]:
    """The words that are in a line, folded."""
    return set(re.findall(r"[a-z]+", text.casefold()))


def answer(text: str, you: str, turn: int) -> str:
    """What a peer answers to a line of yours; `turn` makes that vary."""
    said = words_of(text)
    for topic, reply in TOPICS:
        if said & topic:
            return reply.format(you=you)
    reply = QUESTION if text.rstrip().endswith("?") else ANSWERS[turn % len(ANSWERS)]
    return reply.format(you=you)


class Company:
    """The peers around you.  `begin()` first, `end()` last."""

    def __init__(
        self, lab: Processes, peers: tuple[str, ...], you: "Client", chat: str, nick: str, me: int
    ) -> None:
        """Nothing happens yet.

        Args:
            lab: the peers' processes.
            peers: their names, which are their nicks.
            you: the node of the one who watches the demo ...
            chat: ... the chat that all are in ...
            nick: ... how that one is called there ...
            me: ... and its member id.
        """
        self._lab, self._peers, self._you = lab, peers, you
        self._chat, self._nick, self._me = chat, nick, me
        self._unanswered: dict[str, str] = {}  # own lines that no peer has acknowledged: their text
        self._answering = False
        self._turn = 0
        self._leader = ""
        self._coming: set[str] = set()  # those that are being started
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, *, revive: bool) -> None:
        """They talk and answer; `revive`: whoever is killed returns by itself."""
        self._spawn(self._open())
        self._spawn(self._listen())
        if revive:
            self._spawn(self._revive())

    async def end(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- talk ------------------------------------------------------------------------------------

    async def _open(self) -> None:
        for nick, text in OPENING:
            await self._say(nick, text)

    async def _say(self, nick: str, text: str) -> None:
        """A peer says something after a while, if it lives; nobody waits for who has it."""
        await asyncio.sleep(PAUSE_S)
        with suppress(Complaint):
            async for _ in self._lab.client(nick).send(self._chat, text, wait=Wait.NONE):
                pass

    async def _listen(self) -> None:
        with suppress(Complaint):
            self._leader = (await self._you.leader(self._chat)).nick
        while True:
            with suppress(Complaint):
                async for happening in self._you.watch(self._chat):
                    self.hear(happening)
            await asyncio.sleep(AGAIN_S)

    def hear(self, happening: Happening) -> None:
        """Reacts to what your node tells."""
        match happening.what:
            case Line(own=True, backlog=False, msg_id=msg_id, text=text):
                self._unanswered[msg_id] = text
                if len(self._unanswered) > WAITING_MAX:
                    del self._unanswered[next(iter(self._unanswered))]
            case ReceiptEvent(msg_id=msg_id, nick=nick) if msg_id in self._unanswered:
                self._acknowledged(msg_id, nick)
            case LeaderEvent() as event if event.leader_id:
                before, self._leader = self._leader, event.nick
                if event.took_ms and not event.provisional and not event.handed_over_by:
                    self._succeeded(before, event)

    def _acknowledged(self, msg_id: str, nick: str) -> None:
        """The first peer that has a line answers; the one that is spoken to, if there is one."""
        if nick not in self._peers:
            return
        text = self._unanswered[msg_id]
        spoken_to = {one for one in self._peers if one in words_of(text)}
        if any(self._lab.is_running(one) for one in spoken_to - {nick}) and nick not in spoken_to:
            return
        del self._unanswered[msg_id]
        if not self._answering:  # A paste gets one answer, not one for each line.
            self._answering = True
            self._turn += 1
            self._spawn(self._answer(nick, answer(text, self._nick, self._turn)))

    async def _answer(self, nick: str, text: str) -> None:
        try:
            await self._say(nick, text)
        finally:
            self._answering = False

    def _succeeded(self, before: str, event: LeaderEvent) -> None:
        gone = f"{clean_name(before)} is gone; " if before and before != event.nick else ""
        if event.nick in self._peers:
            text = f"{gone}I have the lowest id of those left, so I lead (epoch {event.epoch.n})"
            self._spawn(self._say(event.nick, text))
        elif (nick := self._anybody()) is not None:
            self._spawn(self._say(nick, f"{gone}{clean_name(event.nick)} leads now"))

    def _anybody(self) -> str | None:
        return next((one for one in self._peers if self._lab.is_running(one)), None)

    # ---- death and return ------------------------------------------------------------------------

    async def kill_leader(self) -> str:
        """SIGKILL for whoever leads, if it is one of the peers; what has become of that.

        Raises:
            Complaint: the node does not answer.
        """
        leader = await self._you.leader(self._chat)
        nick = clean_name(leader.nick)
        if not leader.leader_id:
            return "nobody is known to lead just now; try again in a moment"
        if leader.leader_id == self._me:
            return "you lead now; only the peers can be killed here"
        if leader.nick not in self._peers:
            return f"{nick} leads, who is no process of this demo"
        if not self._lab.is_running(leader.nick):
            return f"{nick} is dead already; the others find that out in a moment"
        pid = self._lab.pid(leader.nick)
        self._lab.kill(leader.nick)
        return f"kill -9 {pid}: {nick}, who leads, is dead, without a good-bye"

    async def bring_back(self) -> str:
        """Starts whoever is dead; what has become of that.

        Raises:
            Complaint: a process does not start.
        """
        gone = [one for one in self._peers if not self._lab.is_running(one)]
        gone = [one for one in gone if one not in self._coming]
        if not gone and self._coming:
            return f"on the way already: {several(sorted(self._coming))}"
        if not gone:
            return f"{several(self._peers)} are all there"
        self._coming.update(gone)
        try:
            await asyncio.gather(*(self._lab.start_node(one) for one in gone))
        finally:
            self._coming.difference_update(gone)
        for one in gone:
            self._spawn(self._say(one, BACK))
        return f"started again: {several(gone)}; what was missed comes by itself"

    async def _revive(self) -> None:
        """Whoever is killed returns after a while."""
        while True:
            await asyncio.sleep(AGAIN_S)
            if not all(map(self._lab.is_running, self._peers)):
                await asyncio.sleep(RETURN_S)
                with suppress(Complaint):
                    await self.bring_back()
