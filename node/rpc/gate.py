"""Stands before every call to a node: whose is it, and has it asked too much?

There are three answers.  A call is taken.  It is refused: RESOURCE_EXHAUSTED, definite, with the
limit and when to come again.  Or, a stranger's, when many others have been refused, it is dropped
without a word, before anything of it is read; its caller sees a stream that was reset.
A connection over which a member calls is known as that member's until it calls as nobody.
"""

import time
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import unquote

from node.rpc.budget import UNTOLD_EACH_MAX, UNTOLD_MAX, Budget
from node.rpc.door import Door, host_of
from node.rpc.options import grpc
from node.rpc.status import abort, too_many
from node.rpc.transport import Transport

Context = grpc.aio.ServicerContext[Any, Any]

JOIN = "/p2pchat.v1.Node/JoinNetwork"


class Gate:
    """`knows(certificate)`: is it that of a member, or of a discovery service we know?

    Where connections prove nothing everybody is the same, and on this machine: all may pass.
    """

    def __init__(
        self,
        transport: Transport,
        knows: Callable[[bytes], bool],
        ports: Callable[[], Collection[int]] = tuple,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.door, self.budget = Door(ports), Budget()
        self._transport, self._knows, self._now = transport, knows, now

    def admits(self, context: Context, waits: bool) -> bool:
        """Is a call that has just begun not dropped?  `waits`: `enter` follows with its message."""
        if not self._transport.is_secured:
            return True
        peer, now = unquote(context.peer()), self._now()
        if self.door.is_member(peer):
            return True
        address = host_of(peer)
        is_held_up = (
            self.door.untold() >= UNTOLD_MAX or self.door.untold(address) >= UNTOLD_EACH_MAX
        )
        if is_held_up or self.budget.is_spent(address, now):
            certificate = self._transport.caller(context)
            if certificate is not None and self._knows(certificate):
                self.door.proved(peer, certificate)
                return True
            if is_held_up or not self.budget.may_be_told(now):
                self.door.dropped(peer)
                return False
        if waits:
            self.door.begun(peer, now)
        return True

    async def enter(self, context: Context, method: str, size: int = 0) -> None:
        """A call's message of so many bytes has come, or its stream begins.  Aborts it where that
        is too much.
        """
        certificate = self._transport.caller(context)
        if certificate is None:
            return
        peer, now = unquote(context.peer()), self._now()
        if not self.door.is_member(peer):
            self.door.told(peer, now)
        if self._knows(certificate):
            self.door.proved(peer, certificate)
            excess = self.budget.member(certificate, now, size)
        else:
            self.door.disproved(peer)
            excess = self.budget.stranger(host_of(peer), now, size)
            if excess is None and method == JOIN:
                excess = self.budget.joiner(host_of(peer), now)
        if excess is not None:
            await abort(context, too_many(excess.limit, excess.wait_s))

    def senseless(self, context: Context) -> None:
        """That call was malformed, or about a chat that is none."""
        certificate = self._transport.caller(context)
        if certificate is not None and self._knows(certificate):
            self.budget.senseless(certificate, self._now())

    def look(self) -> None:
        """Shut the connections that are too many."""
        if self._transport.is_secured:
            self.door.look(self._now())
