"""Passwords of chats: setting one, and coming by one.

A node never sees a password, only the seed that was made of it (`trust.passwords`).
"""

import asyncio

from msgspec import Struct
from msgspec.structs import replace

from ..core.access import Challenge, Knows, Terms, context
from ..core.events import PasswordSet
from ..core.messages import Card, Join, Refusal, Reply, Request, Welcome
from ..core.reasons import Reason
from ..core.types import Address, Millis, Silence
from ..errors import BadField, OpenToAll
from ..limits import SEED_BYTES
from ..rpc.transport import shown
from ..runner import Peers, Silenced
from ..trust.spake import Joiner
from ..words import PasswordKey
from .asking import settled
from .chats import Chat, wall_ms
from .inviting import is_open
from .nodes import Node
from .rights import check_invites, check_others


class Key(Struct, frozen=True):
    """A password, as far as a node needs it."""

    terms: Terms
    seed: bytes


def key_of(said: PasswordKey) -> Key | None:
    """What a face says of a password; None where it says nothing.  Raises BadField."""
    if said == PasswordKey():
        return None
    terms = Terms(said.salt, said.log_n, said.r, said.p)
    if terms.fault:
        raise BadField(field="password", text=terms.fault)
    if len(said.seed) != SEED_BYTES:
        fault = f"must be {SEED_BYTES} bytes, not {len(said.seed)}"
        raise BadField(field="password.seed", text=fault)
    return Key(terms, said.seed)


async def set_password(node: Node, chat: Chat, key: Key | None) -> None:
    """Who knows it is let in from now on; None takes it away.

    Raises:
        OpenToAll: whoever asks is let in.
        NotAllowed: admins alone invite.
        Complaint: it cannot be stored.
    """
    check_invites(chat)
    if key is not None:
        check_others(chat)
        if is_open(node, chat):
            raise OpenToAll(chat=chat.name)
    terms, seed = (key.terms, key.seed) if key is not None else (None, b"")
    await settled(chat, PasswordSet(terms, seed, wall_ms()))


class Presenting:
    """Calls of a chat that one gets into by its password: with the proofs of both sides."""

    def __init__(self, peers: Peers, key: Key | None, card: Card) -> None:
        """Without a key one learns what it takes to make one."""
        self._peers, self._key, self._card = peers, key, card
        self._is_in = False
        self.prepare, self.begin = peers.prepare, peers.begin

    async def call(
        self, address: Address, certificate: bytes, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """As the calls of others; who lets us in must know the password."""
        if not isinstance(request, Join):
            return await self._peers.call(address, certificate, request, deadline_ms)
        until = asyncio.get_running_loop().time() + deadline_ms / 1000
        seen = certificate or await shown(address, deadline_ms / 1000)
        if isinstance(seen, Silence):
            return Silenced(seen, f"UNAVAILABLE: nobody answers at {address}")
        if seen is None:
            return Silenced(Silence.SILENT, f"UNAUTHENTICATED: {address} is not secured")
        asked = _Asked(self._peers, address, seen, until)
        if self._is_in:  # Who knows us asks for nothing.
            outcome = await asked.call(request)
            if not _asks(outcome):
                return outcome
        outcome = await asked.call(replace(request, knows=Knows()))
        if isinstance(outcome, Refusal) and _asks(outcome) and self._knows(outcome):
            outcome = await self._exchange(asked, request, outcome.chat)
        elif isinstance(outcome, Welcome | Challenge):
            outcome = _stranger(address)
        self._is_in |= isinstance(outcome, Welcome)
        return outcome

    def _knows(self, asks: Refusal) -> bool:
        """Is the key one that goes with these terms?  The password may have been changed."""
        return self._key is not None and self._key.terms == asks.terms

    async def _exchange(
        self, asked: "_Asked", request: Join, chat: int
    ) -> Reply | Refusal | Silenced:
        assert self._key is not None, "there is a key for these terms"
        own, number = self._card.certificate, request.caller.chat or chat
        about = context(number, request.identity, own, asked.certificate)
        ours = await asyncio.to_thread(Joiner, self._key.seed, about)
        outcome = await asked.call(replace(request, knows=Knows(ours.element)))
        if isinstance(outcome, Welcome):
            return _stranger(asked.address)
        if not isinstance(outcome, Challenge):
            return outcome
        said, wanted = await asyncio.to_thread(ours.proofs, outcome.element)
        knows = Knows(session=outcome.session, proof=said)
        outcome = await asked.call(replace(request, knows=knows))
        if isinstance(outcome, Challenge) or (
            isinstance(outcome, Welcome) and outcome.proof != wanted
        ):
            return _stranger(asked.address)
        return outcome


class _Asked(Struct, frozen=True):
    """Whoever is asked to let us in, until this instant of the loop."""

    peers: Peers
    address: Address
    certificate: bytes
    until: float

    async def call(self, request: Request) -> Reply | Refusal | Silenced:
        left_s = self.until - asyncio.get_running_loop().time()
        left_ms = max(1, round(left_s * 1000))
        return await self.peers.call(self.address, self.certificate, request, left_ms)


def _asks(outcome: object) -> bool:
    return isinstance(outcome, Refusal) and outcome.reason == Reason.NEEDS_PASSWORD


def _stranger(address: Address) -> Refusal:
    text = f"who answers at {address} does not know the password"
    return Refusal(Reason.WRONG_SECRET, text)
