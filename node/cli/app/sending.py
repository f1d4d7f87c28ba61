"""Own lines on their way into the log, one after the other.

A line counts as sent once the node has stored it; how far it travels is told by receipts.  What the
node refuses stays in the transcript, with the reason.
"""

import asyncio

from ...errors import Complaint
from ...words import Wait
from ..commands import Say
from ..model import Refused
from .face import Face


class Sending:
    """The lines that wait to be stored."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._waiting: asyncio.Queue[Say] = asyncio.Queue()

    def start(self) -> None:
        """Begins to send."""
        self._face.spawn(self._send_all(), "sending")

    def send(self, say: Say) -> None:
        """Queues a line."""
        self._waiting.put_nowait(say)

    async def _send_all(self) -> None:
        while True:
            say = await self._waiting.get()
            text = encodable(say.text)
            try:
                async for _ in self._face.node.send(say.chat, text, kind=say.kind, wait=Wait.NONE):
                    pass
            except Complaint as complaint:
                chat_id = int(say.chat, 16)
                self._face.apply(Refused(chat_id, text, str(complaint), self._face.now()))


def encodable(text: str) -> str:
    """What of typed text can be said: bytes that were no UTF-8 are shown as such."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
