"""Looking for text, and for lines that name oneself: in the window first, then in the log.

A hit that is not in the window brings a window of its own around it.
"""

from msgspec.structs import replace

from ...errors import Complaint
from ...words import Line
from ..model import BEGINNING, Search, Showing, View, find_hit, mention_from, newest
from .face import Face, chat_of
from .paging import Paging, oldest

MENTIONS = 50  # lines that hold the nick and are looked at for one that names oneself


class Searching:
    """The search of the chat in front."""

    def __init__(self, face: Face, paging: Paging) -> None:
        self._face, self._paging = face, paging
        self._is_looking = False
        self._mention: tuple[int, object] = (
            0,
            None,
        )  # the one jumped to, and how the chat stood then

    # ---- text

    def begin(self, text: str = "") -> None:
        """Opens the search."""
        self._face.apply(Showing(Search(text), Search))
        if text:
            self.older()

    def end(self) -> None:
        """Closes it; the transcript stays where it is."""
        self._face.apply(Showing(None, Search))

    def typed(self, text: str) -> None:
        """The text has changed: the last match in the window is looked at."""
        view = self._face.front
        ignored = self._face.state.ignored
        hit = find_hit(view, text, 0, -1, ignored) if view is not None and text else 0
        self._face.apply(Showing(Search(text, hit), Search))
        self._paging.to(hit)

    def older(self) -> None:
        """The match before."""
        self._step(-1)

    def newer(self) -> None:
        """The match after."""
        self._step(1)

    def _step(self, step: int) -> None:
        search, view = self._face.state.search, self._face.front
        if search is None or view is None or not search.text:
            return
        if hit := find_hit(view, search.text, search.hit, step, self._face.state.ignored):
            self._look_at(search, hit)
        elif step < 0 or view.cut_off:
            self._face.spawn(self._ask(search, view, step), "search")

    def _look_at(self, search: Search, hit: int) -> None:
        self._face.apply(Showing(replace(search, hit=hit, exhausted=False), Search))
        self._paging.to(hit)

    async def _ask(self, search: Search, view: View, step: int) -> None:
        """Looks beyond the window."""
        line = await self._find(view, search.text, step)
        now = self._face.state.search
        if now is None or now.text != search.text or self._face.state.current != view.chat.chat_id:
            return
        if line is None:
            self._face.apply(Showing(replace(now, exhausted=step < 0), Search))
        elif serial := await self._paging.read_around(view.chat.chat_id, line):
            self._look_at(now, serial)

    async def _find(self, view: View, text: str, step: int) -> Line | None:
        chat = chat_of(view.chat.chat_id)
        if step > 0:
            after = newest(view) or BEGINNING
            page = await self._face.node.history(chat, count=1, contains=text, after=after)
        elif before := view.older or (oldest(view) if view.older is None else ""):
            page = await self._face.node.history(chat, count=1, contains=text, before=before)
        else:
            return None
        return page.lines[-1] if page.lines else None

    # ---- lines that name oneself

    def mention(self, step: int) -> None:
        """The line before, or after, that names oneself."""
        if (view := self._face.front) is None:
            return
        at = view.scroll.serial if view.scroll else 0
        if self._mention[1] == standing(view):
            at = self._mention[0]
        beyond = step > 0 and not at
        if hit := 0 if beyond else mention_from(view, at, step, self._face.state.ignored):
            self._show_mention(hit)
        elif not self._is_looking:
            self._face.spawn(self._ask_mention(view, step), "mention")

    def _show_mention(self, serial: int) -> None:
        self._paging.to(serial)
        if (view := self._face.front) is not None:
            self._mention = serial, standing(view)

    async def _ask_mention(self, view: View, step: int) -> None:
        """Goes through lines of the log that hold the own nick, to one that means it."""
        chat_id, moves = view.chat.chat_id, self._paging.moves
        self._is_looking = True
        try:
            line = await self._named(view, step)
            if line is None:
                raise Complaint(text=f"no {'older' if step < 0 else 'newer'} line names you")
            if chat_id != self._face.state.current:
                return
            serial = await self._paging.read_around(chat_id, line, moves)
            if moves == self._paging.moves:  # who has gone elsewhere meanwhile stays there
                self._show_mention(serial)
        finally:
            self._is_looking = False

    async def _named(self, view: View, step: int) -> Line | None:
        chat, ask = chat_of(view.chat.chat_id), self._face.node.history
        nick = view.chat.nick or self._face.state.nick
        cursor = (view.older or "") if step < 0 else newest(view) if view.cut_off else ""
        while cursor:
            if step < 0:
                page = await ask(chat, count=MENTIONS, contains=nick, before=cursor)
            else:
                page = await ask(chat, count=MENTIONS, contains=nick, after=cursor)
            named = [line for line in page.lines if line.mention]
            if named:
                return named[-1 if step < 0 else 0]
            cursor = page.cursor if step < 0 else page.after_cursor
        return None


def standing(view: View) -> object:
    """Where a transcript is scrolled to; at the end new lines count as another place."""
    last = view.items[-1].serial if view.items and view.scroll is None else 0
    return view.chat.chat_id, view.scroll, last
