"""Pages over the transcript: asked for once they are opened, and kept true while they are open."""

import asyncio
from typing import Any

from msgspec.structs import replace

from ...errors import Complaint
from ...happenings import ElectionEvent, Happening, LeaderEvent, QueueEvent, ReceiptEvent
from .. import keys
from ..commands import Open
from ..model import Event, Page, Showing, State
from ..queries import fetch
from ..render import pages
from .face import Face, chat_of

AGAIN_S = 1.0  # a page that changes without a word is asked for again this often
GATHER_S = 0.1  # what happens within this makes one question

# Which happenings change which page.
_CHANGED_BY: dict[str, tuple[type, ...]] = {
    "elections": (ElectionEvent, LeaderEvent),
    "trace": (ReceiptEvent,),
    "queue": (ReceiptEvent, QueueEvent),
}
_CHANGING = ("peers", "rpc", "trace", "queue")  # these also change on their own


class Pages:
    """What covers the transcript."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._args: dict[str, Any] = {}
        self._changed = asyncio.Event()
        self._filling: asyncio.Task[None] | None = None
        face.listen(self._happened)

    def open(self, wanted: Open) -> None:
        """Shows a page; what it shows comes as soon as the node has answered."""
        content: tuple[object, ...] | None = wanted.lines or None
        if wanted.kind == "keys":
            extras = tuple(extra.key for extra in self._face.setup.extras)
            content = keys.shown(self._face.setup.keys, extras)
        front = self._face.state.current
        self._args = dict(wanted.args)
        self._stop()
        self._show(Page(wanted.kind, content, wanted.topic, chat_id=front))
        if content is None and wanted.kind != "bare":
            self._filling = self._face.spawn(self._fill(wanted.kind), f"page {wanted.kind}")

    def toggle(self, kind: str, **more: Any) -> None:
        """Opens a page of the chat in front, or closes it where it is open."""
        page, front = self._face.state.page, self._face.state.current
        if page is not None and page.kind == kind:
            self.close()
            return
        if not front and kind != "bare":
            self._face.tell("you are in no chat; /join or /create one", tone="error")
            return
        self.open(Open(kind, args={"chat": chat_of(front), **more}))

    def close(self) -> None:
        """The transcript is seen again."""
        self._stop()
        self._show(None)

    def scroll(self, by: int) -> None:
        """Moves the page by screens."""
        page = self._face.state.page
        if page is not None:
            face, body = self._face, self._face.layout().body
            last = pages.furthest(face.state, face.columns, body, face.now())
            top = page.top + by * max(1, body - 2)  # the page's title is one of the rows
            self._show(replace(page, top=max(0, min(top, last))))

    def _show(self, page: Page | None) -> None:
        self._face.apply(Showing(page, Page))

    def _stop(self) -> None:
        """Nothing is asked for a page any more."""
        if self._filling is not None:
            self._filling.cancel()
            self._filling = None

    def _happened(self, before: State, event: Event) -> None:
        page = self._face.state.page
        if page is None:
            if before.page is not None:
                self._stop()  # the model has closed it: another chat came to the front
        elif isinstance(event, Happening) and isinstance(
            event.what, _CHANGED_BY.get(page.kind, ())
        ):
            self._changed.set()

    async def _fill(self, kind: str) -> None:
        """Asks until the page is closed."""
        while True:
            self._changed.clear()
            try:
                content = await fetch(self._face.node, kind, **self._args)
            except Complaint as complaint:
                content = (str(complaint),)
            page = self._face.state.page
            if page is None:
                return
            if content != page.content:
                self._face.apply(Showing(replace(page, content=content), Page))
            try:
                waiting = AGAIN_S if kind in _CHANGING else None
                await asyncio.wait_for(self._changed.wait(), waiting)
                await asyncio.sleep(GATHER_S)
            except TimeoutError:
                continue
