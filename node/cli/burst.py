"""Joins, or leaves, that come close together: line mode tells the first at once."""

from ..happenings import Happening, MemberEvent
from .render import notices

BURST_S = 2.0  # what comes within this makes one line


class Burst:
    """Joins, or leaves, of one chat that come close together: the first is told at once."""

    CHANGES = ("joined", "left")

    def __init__(self) -> None:
        self._change = ("", "")
        self._rest: list[MemberEvent] = []

    def add(self, happening: Happening) -> bool:
        """True where this is the first of a burst, to be told now."""
        assert isinstance(happening.what, MemberEvent), f"{happening.what} is no member's"
        change = (happening.chat, happening.what.change)
        if change == self._change:
            self._rest.append(happening.what)
            return False
        self._change = change
        return True

    def end(self) -> list[tuple[str, str]]:
        """The line for the rest of the burst, with its chat."""
        (chat, _), rest = self._change, self._rest
        self._change, self._rest = ("", ""), []
        return [(notices.joint(rest), chat)] if rest else []
