"""Invitations, as people hand them on: HOST:PORT/name#SECRET.

What stands after the # names the invitation and its secret.  It is drawn here, shown once and
forgotten: the group keeps a check of it (`core.inviting`), a joiner proves that it knows it, to the
very node whose certificate it sees, and takes nobody for the group who does not prove the same.
"""

import base64
import binascii
import secrets

from msgspec import Struct
from msgspec.structs import replace

from .. import words
from ..core.events import Invited, Opened, Revoked
from ..core.inviting import SECRET_BYTES, check_of, joiner_proof, leader_proof
from ..core.messages import (
    Card,
    Invite,
    Join,
    Lookup,
    Reason,
    RecordRead,
    Refusal,
    Reply,
    Request,
    Welcome,
)
from ..core.types import Address, Millis, Silence
from ..errors import BadField, NoSuchInvite, TooManyInvites, WrongSecret
from ..rpc.transport import shown
from ..runner import Peers, Silenced
from .asking import settled
from .chats import Chat, wall_ms
from .listing import ASK_MS
from .nodes import Node

DAY_S = 24 * 3_600
EXPIRES_MAX_S = 3_650 * DAY_S
USABLE_MAX = 64  # invitations of a chat at a time
ID_BYTES = 8
DIGITS_MIN = 4  # of an id, by which one is named


class Secret(Struct, frozen=True):
    """What stands after the # of a join line: 32 letters, digits, - and _."""

    id: int
    key: bytes

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(self.id.to_bytes(ID_BYTES) + self.key).decode()


def draw() -> Secret:
    """A new one."""
    return Secret(secrets.randbits(8 * ID_BYTES) or 1, secrets.token_bytes(SECRET_BYTES))


def parse(text: str, chat: str) -> Secret:
    """Raises WrongSecret where it is none."""
    try:
        both = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        both = b""
    if len(both) != ID_BYTES + SECRET_BYTES:
        fault = "what stands after the # are not the 32 characters of an invitation"
        raise WrongSecret(chat=chat, text=fault)
    return Secret(int.from_bytes(both[:ID_BYTES]), both[ID_BYTES:])


class Knocking:
    """Calls of a chat that one gets into by an invitation: with the proofs of both sides."""

    def __init__(self, peers: Peers, secret: Secret, card: Card) -> None:
        self._peers, self._secret, self._card = peers, secret, card
        self._is_in = False
        self.prepare, self.begin = peers.prepare, peers.begin

    async def call(
        self, address: Address, certificate: bytes, request: Request, deadline_ms: Millis
    ) -> Reply | Refusal | Silenced:
        """As the calls of others; who lets us in must know the secret."""
        if not isinstance(request, Join):
            return await self._peers.call(address, certificate, request, deadline_ms)
        seen = certificate or await shown(address, deadline_ms / 1000)
        if isinstance(seen, Silence):
            return Silenced(seen, f"UNAVAILABLE: nobody answers at {address}")
        if seen is None:
            return Silenced(Silence.SILENT, f"UNAUTHENTICATED: {address} is not secured")
        check, own = check_of(self._secret.key), self._card.certificate
        proof = joiner_proof(check, request.identity, own, seen)
        request = replace(request, invite=self._secret.id, proof=proof)
        outcome = await self._peers.call(address, seen, request, deadline_ms)
        wanted = leader_proof(check, request.identity, own, seen)
        if isinstance(outcome, Welcome) and outcome.proof != wanted and not self._is_in:
            text = f"who answers at {address} does not know what stands after the #"
            return Refusal(Reason.WRONG_SECRET, text)
        self._is_in |= isinstance(outcome, Welcome)
        return outcome


# ---- what faces ask ------------------------------------------------------------------------------


async def invite(
    node: Node, chat: Chat, *, once: bool = False, expires_s: int | None = DAY_S
) -> words.Invitation:
    """The line that others run: through the NDS while it answers, else through this node.

    Where who is invited is let in, it is a new invitation, for one or for any number, that ends
    after so many seconds, or (None) never.

    Raises:
        Complaint: there are too many, or it cannot be stored.
    """
    if expires_s is not None and not 0 < expires_s <= EXPIRES_MAX_S:
        raise BadField(field="expires", text=f"must be 1 s to {EXPIRES_MAX_S // DAY_S} days")
    line, through = await _place(node, chat)
    if is_open(node, chat):
        return words.Invitation(line, through)
    now = wall_ms()
    if sum(state(one, now) == "good" for one in chat.group.invites) >= USABLE_MAX:
        raise TooManyInvites(chat=chat.name, most=USABLE_MAX)
    secret, expires = draw(), now + expires_s * 1000 if expires_s is not None else 0
    await settled(chat, Invited(secret.id, check_of(secret.key), now, expires, once))
    return words.Invitation(f"{line}#{secret}", through, name_of(secret.id), expires, once)


def is_open(node: Node, chat: Chat) -> bool:
    """Whether whoever asks is let in."""
    return not node.transport.is_secured or chat.group.is_open


async def open_to_all(chat: Chat) -> None:
    """Whoever asks is let in from now on."""
    await settled(chat, Opened(True, wall_ms()))


async def _place(node: Node, chat: Chat) -> tuple[str, str]:
    group = chat.group
    if group.nds:
        outcome = await node.discovery(group.nds).ask(Lookup(group.chat, ""), ASK_MS)
        if isinstance(outcome, RecordRead):
            return f"{group.nds}/{outcome.record.name}", "nds"
    return f"{node.advertised(group.nds)}/{chat.name}", "member"


def listed(node: Node, chat: Chat) -> words.Invites:
    """All invitations, the newest first, and whether one is needed."""
    now, group = wall_ms(), chat.group
    ordered = sorted(group.invites, key=lambda one: (one.made, one.id), reverse=True)
    rows = tuple(
        words.InviteRow(
            id=name_of(one.id),
            by=group.shown_nick(one.by),
            by_id=one.by,
            made_ms=one.made,
            expires_ms=one.expires,
            once=one.once,
            state=state(one, now),
            used=len(one.used),
        )
        for one in ordered
    )
    return words.Invites(chat.name, is_open(node, chat), rows)


def state(invite: Invite, now: int) -> str:
    """good, revoked, expired or used."""
    if invite.revoked:
        return "revoked"
    if invite.expires and now > invite.expires:
        return "expired"
    return "used" if invite.once and invite.used else "good"


async def revoke(chat: Chat, wanted: str) -> None:
    """Takes the invitation back whose id begins so.

    Raises:
        NoSuchInvite: none, or several, begin so.
        Complaint: it cannot be stored.
    """
    found = [one.id for one in chat.group.invites if name_of(one.id).startswith(wanted.lower())]
    if len(found) != 1 or len(wanted) < DIGITS_MIN:
        known = ", ".join(name_of(one.id) for one in chat.group.invites) or "none"
        raise NoSuchInvite(id=wanted, chat=chat.name, known=known)
    await settled(chat, Revoked(found[0], wall_ms()))


def name_of(id: int) -> str:
    """An invitation's id as people see it: 16 hex digits."""
    return f"{id:016x}"
