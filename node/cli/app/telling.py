"""What a line does beside being shown: it rings, it is told to a program, it counts as read.

Only what is said now, by somebody else, to us: backlog never rings and is told to nobody.
"""

import asyncio
import shlex
from collections.abc import Callable
from subprocess import DEVNULL, PIPE

from ...errors import Complaint, NodeDown
from ...happenings import Happening
from ...words import Line, Status
from ..model import Event, Level, State
from ..render import records
from .face import Face, chat_of

READ_S = 0.5  # a chat that is in front counts as read after this
RING_S = 1.0  # the bell rings once within this
PROGRAMS_MAX = 4  # more than these at a time are not started
PROGRAM_S = 10.0  # and each may take so long


class Telling:
    """Bell, notify.command and the node's read marker."""

    def __init__(self, face: Face, ring: Callable[[], None]) -> None:
        self._face, self._ring = face, ring
        self._rang_at = float("-inf")
        self._programs = 0
        self._unmarked: set[int] = set()  # chats of which lines are not marked as read
        self._is_marking = False
        face.listen(self._happened)

    def _happened(self, before: State, event: Event) -> None:
        match event:
            case Happening(what=Line() as line, chat_id=chat_id):
                if not line.own:
                    self._unmarked.add(chat_id)
                elif not line.backlog:  # whoever answers has read
                    self.finish()
                if self._is_for_us(line, chat_id):
                    self._call(event)
            case Status(chats=chats):
                self._unmarked.update(chat.chat_id for chat in chats if chat.unread)
        state = self._face.state
        same = before.current == state.current
        if self._sees(before) and not (same and self._sees(state)) and state.view(before.current):
            self._begin_mark(before.current)  # it was in sight, and will not be when that is due
        self._mark()

    # ---- bell and program

    def _is_for_us(self, line: Line, chat_id: int) -> bool:
        state = self._face.state
        view = state.view(chat_id)
        if view is None or line.own or line.backlog or not line.mention:
            return False
        quiet = view.muted or view.level is Level.NONE
        return not quiet and line.nick.casefold() not in state.ignored

    def _call(self, happening: Happening) -> None:
        settings = self._face.state.settings
        now = asyncio.get_running_loop().time()
        if settings.bell == "on" and now - self._rang_at >= RING_S:
            self._rang_at = now
            self._ring()
        if settings.notify_command and self._programs < PROGRAMS_MAX:
            self._programs += 1
            self._face.spawn(self._run(settings.notify_command, happening), "notify.command")

    async def _run(self, command: str, happening: Happening) -> None:
        """Gives the line as JSON to the program's stdin, and waits for its end."""
        told = records.dumped(records.event(happening)) + "\n"
        try:
            words = shlex.split(command)
            if not words:
                return
            program = await asyncio.create_subprocess_exec(
                *words, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
            )
            try:
                await asyncio.wait_for(program.communicate(told.encode()), PROGRAM_S)
            finally:
                if program.returncode is None:
                    program.kill()
                    await program.wait()
            if program.returncode:
                said = f"notify_command {command!r} failed ({program.returncode})"
                self._face.complain("notify_command", Complaint(text=said))
        except TimeoutError:
            self._face.tell(f"notify_command {command!r} took too long", tone="error")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self._face.tell(f"notify_command {command!r} cannot be run: {why}", tone="error")
        finally:
            self._programs -= 1

    # ---- read

    def _mark(self) -> None:
        """What is in sight is marked as read, soon."""
        if not self._is_marking and self._sees(self._face.state):
            self._is_marking = True
            self._face.spawn(self._mark_soon(), "read marker")

    def _sees(self, state: State) -> bool:
        """Whether there is something to mark in the chat that is looked at."""
        view = state.front
        is_covered = state.page is not None and state.page.kind != "bare"
        if view is None or state.lost or is_covered or not view.at_end:
            return False
        return view.chat.chat_id in self._unmarked

    async def _mark_soon(self) -> None:
        try:
            await asyncio.sleep(READ_S)
            self.finish()
        finally:
            self._is_marking = False

    def finish(self) -> None:
        """What is in sight is marked as read now."""
        if self._sees(self._face.state):
            self._begin_mark(self._face.state.current)

    def _begin_mark(self, chat_id: int) -> None:
        self._unmarked.discard(chat_id)
        self._face.spawn(self._mark_now(chat_id), "read marker", lasting=True)

    async def _mark_now(self, chat_id: int) -> None:
        try:
            await self._face.node.mark_read(chat_of(chat_id))
        except NodeDown:
            return  # the watch tells
        except Complaint as complaint:
            self._face.complain("read marker", complaint)
        else:
            self._face.works("read marker")
