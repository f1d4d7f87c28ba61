"""Line mode: append only, for pipes, dumb terminals and screen readers.

    12:03:10 #dev <carol> fixed
    12:02:44 #dev -- bob (id 2) leads now (epoch 12, 0.9 s)

From a terminal, slash commands are obeyed; from a pipe every line is text, so that a pasted log
cannot run anything.  Own lines are not repeated; one later line tells of those that did not reach
everyone.
"""

import asyncio
import sys
import time
from functools import partial
from typing import assert_never

from ..errors import DONE, NO_PEER, NOT_FOUND, PARTIAL, USAGE, Complaint, NodeDown, NodeLost
from ..happenings import ChatEvent, ErrorEvent, Happening, MemberEvent, ReceiptEvent
from ..words import Kind, Line, Status, Wait
from . import keys
from .burst import BURST_S, Burst
from .client import Client
from .commands import (
    Action,
    Apply,
    Copy,
    Find,
    LookUp,
    Mistyped,
    Open,
    Query,
    Quit,
    Reload,
    Save,
    Say,
    Show,
    about,
    of_another,
    parse,
    plain,
)
from .model import Chose, Cleared, Selected, State, Told, reduce
from .output import Output
from .passwords import unseen
from .queries import ask, entered, look_up, now_ms
from .render import notices
from .render.text import clean_line
from .settings import Keeper
from .stdin import stdin_lines

CHANGING = ("join", "create", "leave")  # queries that open or close a chat
READ_S = 0.5  # after a line was shown, the chat counts as read
SETTLE_S = 2.0  # a greeting waits this long for the leaders
SETTLE_STEP_S = 0.05
BACKLOG = 10  # past lines that a terminal is shown
SENDING_MAX = 64  # own lines of a pipe that wait for their acknowledgements side by side
SEND_WAIT_MS = 10_000
LAST_S = 2.0  # for what the node still tells of lines under way when it ends


class LineMode:
    """A conversation on stdin and stdout."""

    def __init__(
        self, node: Client, output: Output, *, commands: bool, keeper: Keeper | None = None
    ) -> None:
        """Nothing is printed yet.

        Args:
            node: a connection to the node.
            output: where lines go.
            commands: whether lines that begin with a slash are commands.
            keeper: what is kept from one run to the next; None keeps nothing.
        """
        self._node, self._out, self._commands = node, output, commands
        self._terminal = sys.stdin.isatty()
        self._lines = stdin_lines()
        self._keeper = keeper
        self._state = keeper.begin() if keeper else State()
        self._own: set[str] = set()  # ids of lines said here
        self._unnamed = 0  # lines said here whose ids are not known yet
        self._stored = 0  # lines said here
        self._unsure = 0  # others, of which the node did not tell before it ended
        self._doubtful: list[tuple[Happening, State]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(SENDING_MAX)
        self._burst = Burst()
        self._asking = 0  # queries under way that may open or close chats
        self._worst = DONE
        self._first = 0  # the chat in which the first line was said; 0 for none yet
        self._watches = asyncio.Event()
        self._marking: set[asyncio.Task[None]] = set()
        self._unmarked: set[int] = set()  # chats of which lines were shown since the last mark

    async def run(self, chat: str = "") -> int:
        """Until the input ends, or /quit; the exit code."""
        status = await self._settled()
        self._state = reduce(self._state, status)
        if self._keeper:
            self._out.note(*self._keeper.complaints)
            for event in self._keeper.restored():
                self._state = reduce(self._state, event)
        if view := self._state.named(chat):
            self._state = reduce(self._state, Selected(view.chat.chat_id))
        self._greet()
        self._out.note(*(f"-- {clean_line(problem)}" for problem in status.problems))
        watching = asyncio.ensure_future(self._watch())
        reading = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait([watching, reading], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
                if self._sending:
                    await asyncio.wait(self._sending, timeout=SEND_WAIT_MS / 1000)
                return self._worst
            watching.result()
            return await self._without_a_node(reading)
        except NodeDown:
            return await self._without_a_node(reading)
        finally:
            tasks = (watching, reading, *self._sending, *self._marking)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _without_a_node(self, reading: "asyncio.Future[None]") -> int:
        """The node ends before the input does: how far did that get?"""
        reading.cancel()
        if self._sending:  # what is under way may have been stored all the same
            await asyncio.wait(self._sending, timeout=LAST_S)
        lines = "line is" if self._stored == 1 else "lines are"
        unsure = f", of {self._unsure:,} more that is not known" if self._unsure else ""
        far = f": {self._stored:,} {lines} stored{unsure}, what comes after is not sent"
        self._out.note(f"the node has ended{'' if self._terminal else far}")
        return NO_PEER

    async def _settled(self) -> Status:
        """The node's state, as soon as each chat has a leader; a node that just started looks."""
        until = time.monotonic() + SETTLE_S
        while True:
            status = await self._node.status()
            if time.monotonic() >= until or all(
                chat.leader_id or chat.halt for chat in status.chats
            ):
                return status
            await asyncio.sleep(SETTLE_STEP_S)

    def _greet(self) -> None:
        views = self._state.views
        if not views:
            self._out.note("you are in no chat yet; /join LINE or /create NAME, /help lists all")
            return
        for view in views:
            leader = view.chat.leader_nick or "nobody"
            here = "  <- here" if view.chat.chat_id == self._state.current else ""
            who = f"{view.chat.alive} of {view.chat.known} members answer, {leader} leads"
            self._out.note(f"#{view.name}: {view.halted or who}{here}")
        if self._commands:
            self._out.note("type to talk; /help lists commands, /chat NAME changes the chat")

    # ---- what comes ------------------------------------------------------------------------------

    async def _watch(self) -> None:
        backlog = BACKLOG if self._terminal else 0
        while True:
            try:
                async for happening in self._node.watch(history=backlog, ready=self._watches.set):
                    before = self._state
                    self._state = reduce(before, happening)
                    self._tell(happening, before)
            except Complaint as complaint:
                if complaint.reason != "TOO_SLOW":
                    raise
            else:
                return
            self._out.note("-- more happened than could be told here; /history has what was said")
            self._state = reduce(self._state, await self._node.status())
            backlog = 0

    def _tell(self, happening: Happening, before: State) -> None:
        what = happening.what
        if isinstance(what, Line) and what.own and not what.backlog:
            if what.msg_id not in self._own and self._unnamed:
                self._doubtful.append((happening, before))  # said here, or by another face?
            elif what.msg_id not in self._own:
                self._print(happening, before)
            return
        if isinstance(what, ReceiptEvent) and self._answers_for(what):
            return
        if isinstance(what, MemberEvent) and what.change in Burst.CHANGES and not what.quiet:
            if self._burst.add(happening):
                asyncio.get_running_loop().call_later(BURST_S, self._end_burst)
                self._print(happening, before)
            return
        self._end_burst()
        if isinstance(what, ChatEvent) and self._knows(happening, before):
            if what.change == "resumed":
                self._print(happening, before)
            return
        self._print(happening, before)
        if isinstance(what, ChatEvent) and self._state.current != before.current:
            self._where()

    def _answers_for(self, receipt: ReceiptEvent) -> bool:
        """Whether the sending of that line tells who gets it later: that of a pipe, which may end
        with it, does.
        """
        said_here = receipt.msg_id in self._own or self._unnamed > 0
        return said_here and not self._terminal and receipt.acked < receipt.of

    def _knows(self, happening: Happening, before: State) -> bool:
        """Whether a chat was opened or closed from here: the answer to that has told it."""
        is_open = self._state.view(happening.chat_id) is not None
        was_open = before.view(happening.chat_id) is not None
        return self._asking > 0 or is_open == was_open

    def _hides(self, happening: Happening) -> bool:
        """Whether the user does not want to be told."""
        what, view = happening.what, self._state.view(happening.chat_id)
        if isinstance(what, Line):
            if not what.own and what.nick.casefold() in self._state.ignored:
                return True
        elif self._state.settings.notices == "off" and not isinstance(what, ErrorEvent):
            return True
        if view is None or view.chat.chat_id == self._state.current:
            return False
        return view.muted or view.closed

    def _print(self, happening: Happening, before: State) -> None:
        if self._hides(happening):
            return
        view = before.view(happening.chat_id)
        leader = view.chat.leader_id if view else 0
        lines = notices.line_mode(happening, leader)
        codes = notices.tone(happening) if self._out.color else ""
        self._out.lines(notices.toned(line, codes) for line in lines)
        if self._terminal and isinstance(happening.what, Line):
            if not self._unmarked:
                asyncio.get_running_loop().call_later(READ_S, self._mark_read)
            self._unmarked.add(happening.chat_id)

    def _mark_read(self) -> None:
        """What a terminal has shown has been read."""
        chats, self._unmarked = self._unmarked, set()
        for chat_id in sorted(chats):
            task = asyncio.ensure_future(self._node.mark_read(f"{chat_id:016x}"))
            self._marking.add(task)
            task.add_done_callback(self._marked)

    def _marked(self, task: "asyncio.Task[None]") -> None:
        self._marking.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Complaint):
            self._out.note(f"-- {error}")

    def _end_burst(self) -> None:
        for said, chat in self._burst.end():
            dim = "2" if self._out.color else ""
            self._out.lines([notices.toned(notices.spoken(said, chat, now_ms()), dim)])

    def _where(self) -> None:
        front = self._state.front
        self._out.note(f"you talk in #{front.name} now" if front else "you are in no chat now")

    # ---- what is typed ---------------------------------------------------------------------------

    async def _read(self) -> None:
        await self._watches.wait()  # What is said before that would come back as a past line.
        unsent = 0
        async for line in self._lines:
            if not line.strip():
                continue
            if not self._commands and not self._is_there():
                unsent += 1
                continue
            try:
                action = parse(self._state, line) if self._commands else self._said(line)
                if isinstance(action, Quit):
                    return
                await self._do(action)
            except Mistyped as mistake:
                self._complain(mistake, USAGE)
            except NodeDown:
                raise
            except Complaint as complaint:
                self._complain(complaint, complaint.exit)
        if unsent:
            lines = "line is" if unsent == 1 else "lines are"
            why = "the chat was closed here" if self._first else "you are in no chat"
            self._complain(f"{unsent:,} {lines} not sent: {why}", NOT_FOUND)

    def _is_there(self) -> bool:
        """Is the chat in front in which the first line was said?  Without commands the others are
        for no other chat.
        """
        front = self._state.current if self._state.front is not None else 0
        self._first = self._first or front
        return bool(front) and front == self._first

    def _complain(self, what: object, exit: int) -> None:
        self._out.complain(f"-- {what}")
        self._worst = max(self._worst, DONE if self._terminal else exit)

    def _said(self, line: str) -> Say:
        assert self._state.front is not None, "there is a chat to talk in"
        return Say(f"{self._state.front.chat.chat_id:016x}", line)

    async def _do(self, action: Action) -> None:
        match action:
            case Say():
                await self._say(action)
            case Query():
                await self._ask(action)
            case Apply():
                await self._apply(action)
            case Show(lines=lines):
                self._out.lines(lines)
            case Open():
                await self._open(action)
            case Find(text=text):
                here = f"{self._state.current:016x}"
                await self._ask(Query("search", {"text": text, "chat": here}))
            case Copy():
                self._out.note("-- only the full screen can copy")
            case LookUp(chat=chat, id=id):
                line = await look_up(self._node, chat, id, partial(of_another, self._state))
                await self._do(about(action, line))
            case Save():
                self._save()
            case Reload():
                self._reload()
            case Quit():
                raise AssertionError("whoever reads the lines has seen it")
            case _:
                assert_never(action)

    async def _ask(self, query: Query) -> None:
        before, changing = self._state, query.name in CHANGING
        self._asking += changing
        try:
            asks = {"asks": self._asks} if query.name == "join" and self._terminal else {}
            answer = await ask(self._node, query.name, **query.args, **asks)
            self._out.answer(answer)
            self._state = reduce(self._state, await self._node.status())
        finally:
            self._asking -= changing
        if chat_id := entered(query.name, answer):
            self._select(chat_id)
            self._keep()
        elif self._state.current != before.current:  # that chat is left
            self._where()

    async def _asks(self, asked: str) -> str:
        """The next line of the terminal, unseen."""
        told = f"-- {asked} (it is not shown; nothing gives up):"
        with unseen(sys.stdin.fileno(), lambda: self._out.note(told)):
            return await anext(self._lines, "")

    async def _open(self, page: Open) -> None:
        """What is a page elsewhere is printed."""
        if page.kind == "keys":
            self._out.note("-- line mode has no keys of its own; these are the full screen's")
            bound = self._keeper.keys if self._keeper else keys.bindings({})[0]
            self._out.lines(plain(keys.shown(bound)))
        elif page.kind == "help":
            self._out.lines(plain(page.lines))
        else:
            await self._ask(Query(page.kind, page.args))

    async def _apply(self, action: Apply) -> None:
        """A change of the face's own; what only a screen can show says so."""
        before, event = self._state, action.event
        if isinstance(event, Selected):
            self._select(event.chat_id)
        elif isinstance(event, Cleared):
            self._out.note("-- only the full screen can be cleared")
        else:
            self._state = reduce(self._state, event)
            alike = before.settings.notices == self._state.settings.notices
            only = " (for the full screen)" if isinstance(event, Chose) and alike else ""
            self._out.note(*([f"-- {action.said}{only}"] if action.said else ()))
            if self._state.current != before.current:
                self._where()
        if action.then:
            await self._ask(action.then)
        self._keep()

    def _keep(self) -> None:
        if self._keeper:
            self._keeper.save(self._state)

    def _select(self, chat_id: int) -> None:
        self._state = reduce(self._state, Selected(chat_id))
        self._where()

    def _files(self) -> Keeper:
        if self._keeper is None:
            raise Mistyped("nothing is kept of a view without a terminal")
        return self._keeper

    def _save(self) -> None:
        self._files().save(self._state)
        self._out.note("-- kept for the next time")

    def _reload(self) -> None:
        for event in self._files().reload(self._state):
            if isinstance(event, Told):
                self._out.note(*event.lines)
            else:
                self._state = reduce(self._state, event)
        self._out.note("-- settings and aliases are as the files have them")

    async def _say(self, say: Say) -> None:
        """Sends a line, waits until it is stored, and goes on while it travels."""
        await self._room.acquire()
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self._send(say, stored))
        self._sending.add(task)
        task.add_done_callback(self._sent)
        await stored

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._sending.discard(task)
        self._room.release()

    async def _send(self, say: Say, stored: "asyncio.Future[None]") -> None:
        chat = self._state.front.name if self._state.front else ""
        self._unnamed += 1
        is_stored = False
        try:
            async for progress in self._node.send(
                say.chat, say.text, kind=Kind(say.kind), wait=Wait.ALL, wait_ms=SEND_WAIT_MS
            ):
                if not is_stored:
                    is_stored = True
                    self._stored += 1
                    self._named(progress.msg_id)
                    if not stored.done():
                        stored.set_result(None)
                if progress.done:
                    missing = () if progress.complete else progress.missing
                    later = () if self._terminal else progress.later
                    said = notices.delivered(progress.acked, progress.of, later, missing)
                    if said:
                        self._out.lines([notices.spoken(said, chat, now_ms())])
                    if not progress.complete:
                        self._worst = max(self._worst, PARTIAL)
        except Complaint as complaint:
            if is_stored and not isinstance(complaint, NodeDown):  # whose end is told once
                self._out.complain(f"-- {complaint}")
            if is_stored:
                return
            self._named("")
            self._unsure += isinstance(complaint, NodeLost)
            if not stored.done():
                stored.set_exception(complaint)
        finally:
            if not stored.done():
                stored.cancel()

    def _named(self, id: str) -> None:
        """A line said here got its id (empty: it was refused): own lines need no second look."""
        self._own.add(id)
        self._unnamed -= 1
        if self._unnamed:
            return
        waiting, self._doubtful = self._doubtful, []
        for happening, before in waiting:
            if isinstance(happening.what, Line) and happening.what.msg_id not in self._own:
                self._print(happening, before)
