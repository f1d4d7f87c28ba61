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

LINE = "line"  # what each of them is called


class Sending:
    """The lines that wait to be stored."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._started = asyncio.Event()

    def start(self) -> None:
        """Begins to send."""
        self._started.set()

    def send(self, say: Say) -> None:
        """Queues a line."""
        self._face.spawn(self._send(say), LINE, lasting=True)

    async def _send(self, say: Say) -> None:
        async with self._face.turn:
            await self._started.wait()
            try:
                async for _ in self._face.node.send(
                    say.chat, say.text, kind=say.kind, wait=Wait.NONE
                ):
                    pass
            except Complaint as complaint:
                chat_id = int(say.chat, 16)
                self._face.apply(Refused(chat_id, say.text, str(complaint), self._face.now()))
