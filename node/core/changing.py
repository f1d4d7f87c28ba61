"""Editing and redacting: who may change a line, and that what is erased is gone everywhere here.

A line is edited by its author alone, redacted by its author, the owner or an admin: by what the
change's author knew of decisions, so that everyone finds the same.  A person keeps that right under
a later member id.  A change by somebody who may not is kept for the order, and does nothing.
"""

from collections.abc import Mapping
from enum import Enum

from .conversation import ChatMessage, Erased, Kind, Spot
from .effects import Erase, LineChanged, StoreMessages
from .passing import Passing
from .state import State
from .types import Key, MemberId


class Fault(Enum):
    """Why our user may not change a line so; the value is what is counted."""

    NOT_HERE = "a change of a line that is not here"
    NOT_OURS = "an edit of somebody else's line"
    NO_RIGHT = "a redaction by somebody who has no right to it"
    GONE = "an edit of a line that was redacted"


def fault(s: State, kind: Kind, about: Spot) -> Fault | None:
    """What is wrong with such a change by our user; None: nothing."""
    is_shown = about.at < s.history.lines_of(about.key) and s.causal.delivered(about.key)
    if not is_shown or s.changes.is_change(about.key):
        return Fault.NOT_HERE
    is_ours = _is_same(s, s.me, about.key.source)
    if kind is Kind.REDACT:
        return None if is_ours or s.members.decisions.order.rank(s.me) else Fault.NO_RIGHT
    if not is_ours:
        return Fault.NOT_OURS
    known = s.changes.of(about)
    return Fault.GONE if known is not None and known.redacted is not None else None


def _is_same(s: State, by: MemberId, author: MemberId) -> bool:
    """Is it one person?"""
    if by == author:
        return True
    mine, theirs = s.members.get(by), s.members.get(author)
    return mine is not None and theirs is not None and mine.identity == theirs.identity


class Changing:
    def __init__(self, s: State, passing: Passing) -> None:
        self._s, self._passing = s, passing
        self._due: list[Erased] = []  # found while the log is read back

    def heard(self, change: ChatMessage) -> None:
        """A change that is delivered just now; what it follows was, and its author and the
        decisions that it names are known.
        """
        if self._may(change):
            return self._count(change)
        self._s.drop("a change of a line by somebody who may not")
        self._erase(self._s.changes.refuse(change))

    def stored(self, message: ChatMessage) -> None:
        """A message was stored that has erased lines: say what stands in their place."""
        self._doubt(message)
        known = self._s.changes.erased(message.key) if message.is_said else ()
        if here := tuple(one for one in known if one.spot.at < len(message.ids)):
            self._s.emit(Erase(here))

    def restore(self, message: ChatMessage) -> None:
        """Of what somebody had erased without a reason that is known, the text has come."""
        s, key = self._s, message.key
        doubted = s.changes.doubted[key]
        came = {at for at in doubted if not (message.erased and message.erased[at])}
        if not came:
            return
        message = message.without(s.changes.gone(key) | (doubted - came))
        s.changes.doubt(message)
        s.emit(StoreMessages((message,)))
        s.causal.replace(message)
        if message.about is not None:
            if s.changes.stands(message) and self._is_here(message.about):
                s.emit(LineChanged(message.about, key.source, message.kind))
            return
        for at in sorted(came):
            s.emit(LineChanged(Spot(key, at), key.source, Kind.TEXT))

    def recant(self, key: Key) -> None:
        """Another content stands under this key: if it was a change, it never was."""
        s = self._s
        if not s.changes.is_change(key):
            return
        spot, erased, back = s.changes.recant(key)
        for one in back:
            hlc = s.history.hlc(one.key)
            if hlc is not None and hlc.ms >= s.since and self._is_here(one):
                s.changes.doubted.setdefault(one.key, set()).add(one.at)
        self._erase(erased)
        if spot is not None and self._is_here(spot):
            s.emit(LineChanged(spot, key.source, Kind.TEXT))

    # ---- from the log ----------------------------------------------------------------------------

    def recall(self, message: ChatMessage) -> None:
        """One that the log kept: if it is a change, it counts, and people know of it."""
        s, change = self._s, message
        if message.is_said:
            return
        may = self._may(change)
        self._due += s.changes.count(change) if may else s.changes.refuse(change)

    def recalled(self, messages: Mapping[Key, ChatMessage]) -> None:
        """This is all of the log: what of it is still to be erased, and what was for no reason?"""
        for message in messages.values():
            if message.erased:
                self._doubt(message)
        self._due = [one for one in self._due if _has_text(messages.get(one.spot.key), one.spot.at)]

    def resume(self) -> None:
        """We have begun: what an earlier life could not know is erased now."""
        due, self._due = self._due, []
        self._erase(due)

    def _doubt(self, message: ChatMessage) -> None:
        """Was that to be erased?  What was said before we came was."""
        if message.hlc.ms >= self._s.since:
            self._s.changes.doubt(message)

    # ---- inside ----------------------------------------------------------------------------------

    def _may(self, change: ChatMessage) -> bool:
        """Had its author the right to it?"""
        assert change.about is not None, change
        s, by = self._s, change.key.source
        is_same = _is_same(s, by, change.about.key.source)
        if is_same or change.kind is Kind.EDIT:
            return is_same
        return bool(s.members.decisions.rank(by, change.heads))

    def _count(self, change: ChatMessage) -> None:
        s, about = self._s, change.about
        assert about is not None, change
        if s.changes.is_change(about.key):
            s.drop("a change of a change")
        erased = s.changes.count(change)
        self._erase(erased)
        if self._is_here(about) and any(one.spot == about for one in erased):
            s.emit(LineChanged(about, change.key.source, change.kind))

    def _is_here(self, spot: Spot) -> bool:
        return spot.at < self._s.history.lines_of(spot.key)

    def _erase(self, erased: list[Erased]) -> None:
        """From the log, and from what is still to be sent or passed on."""
        s = self._s
        here = [one for one in erased if self._is_here(one.spot)]
        if not here:
            return
        s.emit(Erase(tuple(here)))
        for (key, at), _ in here:
            s.outbox.erase(key, at)
            self._passing.erase(key, at)


def _has_text(message: ChatMessage | None, at: int) -> bool:
    return message is not None and at < len(message.texts) and bool(message.texts[at])
