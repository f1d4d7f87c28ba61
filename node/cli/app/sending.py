"""Own lines on their way into the log, one after the other.

A line counts as sent once the node has stored it; how far it travels is told by receipts.  What the
node refuses stays in the transcript, with the reason.
"""

import asyncio
from contextlib import AbstractAsyncContextManager

from ...errors import Complaint
from ...words import Wait
from ..commands import Say
from ..model import Answered, Delayed, Refused
from .face import Face

LINE = "line"  # what each of them is called
SHOWN_S = 1.0  # a line that is not stored by then is shown as such


class Sending:
    """The lines that wait to be stored; those of one chat do not hold those of another."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._started = asyncio.Event()

    def start(self) -> None:
        """Begins to send."""
        self._started.set()

    def send(self, say: Say) -> None:
        """Queues a line."""
        self._face.spawn(self.say(say, self._face.turn(say.chat)), LINE, lasting=True)

    async def say(self, say: Say, turn: AbstractAsyncContextManager[None]) -> None:
        """Sends a line as soon as it is its turn."""
        chat_id = int(say.chat, 16)
        loop = asyncio.get_running_loop()
        waiting = loop.call_later(SHOWN_S, self._show, chat_id, say.text)
        try:
            async with turn:
                await self._started.wait()
                async for _ in self._face.node.send(
                    say.chat, say.text, kind=say.kind, wait=Wait.NONE
                ):
                    pass
            self._answered(waiting, chat_id, say.text)
        except Complaint as complaint:
            self._answered(waiting, chat_id, say.text)
            self._face.apply(Refused(chat_id, say.text, str(complaint), self._face.now()))
        finally:
            waiting.cancel()

    def _show(self, chat_id: int, text: str) -> None:
        """What takes long to be stored is seen nevertheless."""
        self._face.apply(Delayed(chat_id, text, self._face.now()))

    def _answered(self, waiting: asyncio.TimerHandle, chat_id: int, text: str) -> None:
        if waiting.when() <= asyncio.get_running_loop().time():
            self._face.apply(Answered(chat_id, text))
