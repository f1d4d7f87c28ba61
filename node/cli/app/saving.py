"""What the user has chosen is kept soon after it was chosen, and at the end.

The disk may be slow: a chat is not switched any later for that.
"""

import asyncio

from ...errors import Complaint
from ..model import Aliased, Chose, Closed, Event, Hinted, Ignored, Leveled, Muted, State
from .face import Face

SOON_S = 1.0  # what is chosen within this is written once


class Saving:
    """Keeps the state's choices."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._is_due = False
        self._writing: asyncio.Future[None] | None = None
        face.listen(self._happened)

    def _happened(self, before: State, event: Event) -> None:
        chosen = isinstance(event, Aliased | Chose | Closed | Hinted | Ignored | Leveled | Muted)
        moved = before.current and before.current != self._face.state.current
        if (chosen or moved) and not self._is_due:
            self._is_due = True
            self._face.spawn(self._save_soon(), "saving")

    async def _save_soon(self) -> None:
        await asyncio.sleep(SOON_S)
        self._is_due = False
        await asyncio.shield(self._write())

    def _write(self) -> "asyncio.Future[None]":
        loop, face = asyncio.get_running_loop(), self._face
        self._writing = loop.run_in_executor(None, face.setup.keeper.save, face.state)
        return self._writing

    async def save(self) -> str:
        """Writes it now, after what is being written; what is wrong, or nothing."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        try:
            await self._write()
        except Complaint as complaint:
            return str(complaint)
        return ""
