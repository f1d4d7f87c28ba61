"""What is asked and answered where nobody sees it: on the line of the search, masked.

The answer is kept nowhere: not in what can be recalled, and not with what was cut out of it.
"""

import asyncio

from prompt_toolkit.application.current import get_app
from prompt_toolkit.clipboard import InMemoryClipboard

from ..model import Event, Secret, Showing, State
from .face import Face


class Asking:
    """One question at a time."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._answer: asyncio.Future[str] | None = None
        face.listen(self._happened)

    async def secret(self, asked: str) -> str:
        """What is typed then; empty where the line is closed, or another question is open."""
        if self._answer is not None:
            return ""
        self._answer, app = asyncio.get_running_loop().create_future(), get_app()
        before, app.clipboard = app.clipboard, InMemoryClipboard()
        self._face.apply(Showing(Secret(asked), Secret))
        try:
            return await self._answer
        finally:
            self._answer, app.clipboard = None, before
            self._face.apply(Showing(None, Secret))

    def give(self, text: str) -> None:
        """That was typed."""
        self._end(text)
        self._face.apply(Showing(None, Secret))

    def _happened(self, before: State, event: Event) -> None:
        if before.secret is not None and self._face.state.secret is None:
            self._end("")

    def _end(self, text: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(text)
