"""Who wrote a message: what its supposed author has not signed is taken from nobody.

Whoever hands a message on vouches for nothing: the signature does, which covers all that it says
and the chat that it was said in.  Who hands on what does not hold is told so, and people once.

A message names the last decisions that its author knew of, and is taken by nobody who does not
know them too: so what is said after somebody was removed never comes to that one by way of a member
that has not heard of it.  And nobody says anything who knows that it was removed.
"""

from collections.abc import Callable

from .conversation import ChatMessage, statement
from .effects import Forged
from .messages import Refusal
from .reasons import Reason
from .state import State
from .types import MemberId, small


class Vouching:
    """`exchange` asks a member for its roster."""

    def __init__(self, s: State, exchange: Callable[[MemberId], None]) -> None:
        self._s, self._exchange = s, exchange
        self._told: set[tuple[MemberId, MemberId]] = set()  # who handed on what was not whose

    def refusal(self, message: ChatMessage, by: MemberId) -> Refusal | None:
        """Why this message is not taken from that member; None: its author has signed it."""
        s = self._s
        if s.history.same(message) and message.key not in s.changes.doubted:
            return None
        refusal = self._unsigned(message, by) if s.setup.verify is not None else None
        if refusal is None and message.heads:
            refusal = self._untimely(message, by)
        return refusal

    def _untimely(self, message: ChatMessage, by: MemberId) -> Refusal | None:
        """By decisions that its author knew of."""
        decisions, source = self._s.members.decisions, message.key.source
        if any(id not in decisions for id in message.heads):
            self._exchange(by)
            return Refusal(Reason.UNKNOWN_DECISION, "a decision before it is not known here yet")
        if not decisions.is_gone_by(source, message.heads):
            return None
        self._s.drop("a message by somebody who knew that it was removed")
        return Refusal(Reason.REMOVED_AUTHOR, f"member {small(source)} was removed before it")

    def _unsigned(self, message: ChatMessage, by: MemberId) -> Refusal | None:
        s, source = self._s, message.key.source
        author = s.members.get(source)
        if author is None:  # Its record is on its way, or with who knows it.
            self._exchange(by)
            return Refusal(Reason.UNKNOWN_AUTHOR, f"no member {small(source)} is known here yet")
        assert s.setup.verify is not None, "asked only where signatures are looked at"
        if s.setup.verify(author.identity, message.signature, statement(s.chat, message)):
            return None
        s.drop("a message that its author has not signed")
        if (by, source) not in self._told:
            self._told.add((by, source))
            s.emit(Forged(by, source))
        return Refusal(Reason.WRONG_SIGNATURE, f"member {small(source)} has not signed it")
