"""The log below the window that a chat's transcript is: its end, older and newer lines, any place.

One read a chat is under way at a time.  Lines near the edge of the window are fetched before they
are scrolled to.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ...errors import Complaint, NodeDown
from ...words import Line
from ...words import Page as Lines
from ..model import (
    BEGINNING,
    Anchor,
    CountedBack,
    Event,
    Linked,
    Paged,
    Scrolled,
    State,
    Towards,
    View,
    cursor_of,
    first_unread,
    is_at_outset,
    is_beyond,
    is_sought,
    newest,
)
from ..render import transcript
from .face import Face, chat_of

FIRST = 200  # lines of a chat that is opened
FIRST_MAX, UNREAD_MORE = 1_000, 20  # at most, where more are unread; lines before those
SCREENS = 4  # and at least so many screens
MORE = 500  # lines of each further page
COUNTED = 1_000  # lines of each page that is only counted
NEAR = 100  # items from the edge of the window at which the next page is fetched
AROUND = 250  # lines before, and from, a line that is looked at
AGAIN_S, AGAIN_MAX_S = 0.5, 30.0  # a read that failed is tried again after twice this, and so on


class Paging:
    """Reads pages of the log into the windows."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._reading: dict[tuple[int, str], asyncio.Task[None]] = {}  # by chat, and what for
        self._awaited = 0  # the chat whose first unread line is gone to once it is known where
        self._failed = 0  # reads one after the other
        self.moves = 0  # how often somebody has scrolled, or gone somewhere
        face.listen(self._happened)

    def _happened(self, before: State, event: Event) -> None:
        if isinstance(event, Linked):
            self._forget()
        self._look()

    def _look(self, *, is_read: bool = False) -> None:
        """Reads what the chat in front lacks to be shown; `is_read`: a page has just been read.

        What was cleared does not come back by itself.
        """
        view = self._face.front
        if view is None:
            return
        if view.older is None or (view.cut_off and view.scroll is None):
            self._start(view, self._read_end)
        elif is_read and view.older and len(view.items) < self._face.rows:
            self._start(view, self._read_older)
        elif is_sought(view):
            self._start(view, self._read_back, "marker")
        elif is_read and self._awaited:
            self._arrive(view)

    # ---- pages

    def _start(
        self, view: View, read: Callable[[View], Awaitable[None]], what: str = "window"
    ) -> None:
        """Begins a read, where none of that chat for the same is under way."""
        key = view.chat.chat_id, what
        if key not in self._reading and not self._face.state.lost:
            self._reading[key] = self._face.spawn(self._one(key, view, read), "page of the log")

    async def _one(
        self, key: tuple[int, str], view: View, read: Callable[[View], Awaitable[None]]
    ) -> None:
        """A read to its end; if it fails, the next one waits a while."""
        task = asyncio.current_task()
        try:
            await read(view)
        except Complaint as complaint:
            self._failed += 1
            wait = min(AGAIN_MAX_S, AGAIN_S * 2**self._failed)
            asyncio.get_running_loop().call_later(wait, self._end, key, task)
            if not isinstance(complaint, NodeDown):  # which the watch tells
                self._face.complain("history", complaint)
        else:
            self._failed = 0
            self._face.works("history")
            self._end(key, task)
            self._look(is_read=True)

    def _end(self, key: tuple[int, str], task: "asyncio.Task[None] | None") -> None:
        """The next read of that chat for the same may begin."""
        if self._reading.get(key) is task:
            del self._reading[key]

    def _forget(self) -> None:
        """What was asked of a node that is gone does not count any more."""
        for task in self._reading.values():
            task.cancel()
        self._reading.clear()

    async def _read_end(self, view: View) -> None:
        wanted = max(FIRST, view.waiting + UNREAD_MORE, SCREENS * self._height())
        count = min(FIRST_MAX, wanted)
        page = await self._ask(view, count=count)
        self._face.apply(Paged(view.chat.chat_id, page.lines, Towards.END, page.cursor))

    async def _read_older(self, view: View) -> None:
        chat_id, asked = view.chat.chat_id, view.older or ""
        page = await self._ask(view, count=MORE, before=asked)
        self._face.apply(Paged(chat_id, page.lines, Towards.OLDER, page.cursor, asked=asked))

    async def _read_back(self, view: View) -> None:
        asked = view.sought[1]
        page = await self._ask(view, count=COUNTED, before=asked)
        self._face.apply(CountedBack(view.chat.chat_id, page.lines, page.cursor, asked))

    async def _read_newer(self, view: View) -> None:
        chat_id, asked = view.chat.chat_id, newest(view) or BEGINNING
        page = await self._ask(view, count=MORE, after=asked)
        at_end = not page.after_cursor
        self._face.apply(Paged(chat_id, page.lines, Towards.NEWER, at_end=at_end, asked=asked))

    async def _ask(self, view: View, *, count: int, before: str = "", after: str = "") -> Lines:
        chat = chat_of(view.chat.chat_id)
        return await self._face.node.history(chat, count=count, before=before, after=after)

    async def read_around(self, chat_id: int, line: Line, since: int | None = None) -> int:
        """A window around a line of the log; the serial of its item, 0 where it is gone, or where
        there were other moves than the `since` ones meanwhile.
        """
        await self._read_at(chat_id, line.place, since)
        view = self._face.state.view(chat_id)
        return serial_of(view, line) if view is not None else 0

    async def _read_at(self, chat_id: int, place: str, since: int | None = None) -> None:
        """A window around a place of the log; none after other moves than the `since` ones."""
        chat = chat_of(chat_id)
        before = await self._face.node.history(chat, count=AROUND, before=place)
        last = before.lines[-1].place if before.lines else BEGINNING
        after = await self._face.node.history(chat, count=AROUND, after=last)
        if since in (None, self.moves):
            self._show(chat_id, before, after)

    async def _read_unread(self, chat_id: int, place: str) -> None:
        """A window around where reading stopped; its first unread line is looked at."""
        await self._read_at(chat_id, place)
        view = self._face.front
        if view is not None and view.chat.chat_id == chat_id:
            self.to(first_unread(view))

    async def _read_beginning(self, chat_id: int) -> None:
        after = await self._face.node.history(chat_of(chat_id), count=MORE, after=BEGINNING)
        self._show(chat_id, Lines(), after)
        if chat_id == self._face.state.current:
            self._to_top()

    def _show(self, chat_id: int, before: Lines, after: Lines) -> None:
        lines = (*before.lines, *after.lines)
        at_end = not after.after_cursor
        self._face.apply(Paged(chat_id, lines, Towards.AROUND, before.cursor, at_end))

    # ---- moving

    def scroll(self, by: int) -> None:
        """Moves the transcript that is shown by rows; up is negative."""
        face, view = self._face, self._face.state.front_or_lobby
        anchor, tops = transcript.scrolled(
            face.state, view, *face.transcript_size(), by, face.now()
        )
        self._move(view, anchor)
        if tops and view.older:
            self._start(view, self._read_older)

    def page(self, pages: int) -> None:
        """Moves it by screens; two rows stay in sight."""
        self.scroll(pages * max(1, self._height() - 2))

    def to_end(self) -> None:
        """To the last line that there is."""
        self._move(self._face.state.front_or_lobby, None)

    def to_beginning(self) -> None:
        """To the first line that there is."""
        view = self._face.state.front_or_lobby
        if view.older:
            self._face.spawn(self._read_beginning(view.chat.chat_id), "beginning of the log")
        else:
            self._to_top()

    def to_unread(self) -> None:
        """To the first line that was not read yet, also where the window begins after it."""
        if (view := self._face.front) is None:
            return
        if is_sought(view):
            self._awaited = view.chat.chat_id
        elif is_beyond(view) and not is_at_outset(view):
            work = self._read_unread(view.chat.chat_id, cursor_of(view.lost[1]))
            self._face.spawn(work, "first unread line")
        else:
            self.to(first_unread(view))

    def _arrive(self, view: View) -> None:
        """To the first unread line that was asked for, if its chat is still in front."""
        awaited, self._awaited = self._awaited, 0
        if awaited == view.chat.chat_id:
            self.to_unread()

    def to(self, serial: int) -> None:
        """To an item of the transcript that is shown."""
        face, view = self._face, self._face.state.front_or_lobby
        if serial:
            size = face.transcript_size()
            self._move(view, transcript.shown_at(face.state, view, serial, *size, face.now()))

    def _to_top(self) -> None:
        view = self._face.state.front_or_lobby
        if view.items:
            self.to(view.items[0].serial)

    def _move(self, view: View, anchor: Anchor | None) -> None:
        """Puts the window where it belongs, and fetches what it comes close to."""
        self.moves += 1
        self._face.apply(Scrolled(view.chat.chat_id, anchor))
        if anchor is None:
            return
        at = index_of(view, anchor.serial)
        if at < NEAR + self._height() and view.older:
            self._start(view, self._read_older)
        elif at >= len(view.items) - NEAR and view.cut_off:
            self._start(view, self._read_newer)

    def _height(self) -> int:
        """Rows of the transcript."""
        return self._face.transcript_size()[1]


def index_of(view: View, serial: int) -> int:
    """Where an item stands in the window; 0 where it is not in it."""
    return next((at for at, item in enumerate(view.items) if item.serial == serial), 0)


def serial_of(view: View, line: Line) -> int:
    """The item of a line; 0 for none."""
    for item in view.items:
        held = item.entry
        if isinstance(held, Line) and (held.source_id, held.msg_id) == (
            line.source_id,
            line.msg_id,
        ):
            return item.serial
    return 0


def oldest(view: View) -> str:
    """Where the first line of the window stands; empty where there is none."""
    return next((line.place for line in view.lines if line.place), "")
