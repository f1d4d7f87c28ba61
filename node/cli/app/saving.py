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
        loop, face = asyncio.get_running_loop(), self._face
        await loop.run_in_executor(None, face.setup.keeper.save, face.state)

    def save(self) -> str:
        """Writes it now; what is wrong, or nothing."""
        try:
            self._face.setup.keeper.save(self._face.state)
        except Complaint as complaint:
            return str(complaint)
        return ""
