"""Invitations, as people hand them on: HOST:PORT/name#SECRET.

What stands after the # names the invitation and its secret.  It is drawn here, shown once and
forgotten: the group keeps a check of it (`core.inviting`), a joiner proves that it knows it, to the
very node whose certificate it sees, and takes nobody for the group who does not prove the same.
Where the line leads through a discovery service, how the SHA-256 of that one's certificate begins
stands there, too, behind the secret, or alone where none is needed.
"""

import base64
import binascii
import secrets

from msgspec import Struct
from msgspec.structs import replace

from .. import words
from ..core.access import Invite
from ..core.events import Invited, Opened, Revoked
from ..core.inviting import SECRET_BYTES, check_of, joiner_proof, leader_proof
from ..core.messages import Card, Join, Lookup, RecordRead, Refusal, Reply, Request, Welcome
from ..core.reasons import Reason
from ..core.types import Address, Millis, Silence
from ..errors import BadField, Complaint, NoSuchInvite, TooManyInvites
from ..rpc.transport import shown
from ..runner import Peers, Silenced
from .asking import settled
from .chats import Chat, wall_ms
from .listing import ASK_MS
from .nodes import Node
from .rights import check_invites

DAY_S = 24 * 3_600
EXPIRES_MAX_S = 3_650 * DAY_S
USABLE_MAX = 64  # invitations of one member at a time
SHOWN_MS = 7 * DAY_S * 1000  # an expired one, in the list
ID_BYTES = 8
SERVICE_BYTES = 12  # of the SHA-256 of a discovery service's certificate
DIGITS_MIN = 4  # of an id, by which one is named


class Secret(Struct, frozen=True):
    """An invitation, and what proves that one has it."""

    id: int
    key: bytes

    def __bytes__(self) -> bytes:
        return self.id.to_bytes(ID_BYTES) + self.key


class Mark(Struct, frozen=True):
    """What stands after the # of a join line: 16, 32 or 48 letters, digits, - and _."""

    secret: Secret | None = None
    service: bytes = b""  # how the SHA-256 of the discovery service's certificate begins

    def __str__(self) -> str:
        said = (bytes(self.secret) if self.secret else b"") + self.service
        return base64.urlsafe_b64encode(said).decode()


def draw() -> Secret:
    """A new one."""
    return Secret(secrets.randbits(8 * ID_BYTES) or 1, secrets.token_bytes(SECRET_BYTES))


def parse(text: str) -> Mark:
    """What stands after the #, if anything does.  Raises BadField where that is malformed."""
    try:
        said = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        said = None
    both = ID_BYTES + SECRET_BYTES
    if said is None or len(said) not in (0, SERVICE_BYTES, both, both + SERVICE_BYTES):
        fault = (
            f"what stands after the # has {len(text)} characters, and must have 32 or 48 (an"
            " invitation) or 16 (where none is needed), all of them letters, digits, - and _;"
            " ask for a new line ('p2pchat invite', or /invite)"
        )
        raise BadField(field="line", text=fault)
    if len(said) < both:
        return Mark(None, said)
    return Mark(Secret(int.from_bytes(said[:ID_BYTES]), said[ID_BYTES:both]), said[both:])


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
        Complaint: there are too many, it cannot be stored, or admins alone invite.
    """
    check_invites(chat)
    if expires_s is not None and not 0 < expires_s <= EXPIRES_MAX_S:
        raise BadField(field="expires", text=f"must be 1 s to {EXPIRES_MAX_S // DAY_S} days")
    line, through, service = await _place(node, chat)
    if is_open(node, chat):
        return words.Invitation(f"{line}#{Mark(None, service)}".removesuffix("#"), through)
    now = wall_ms()
    ours = [one for one in chat.group.invites if one.by == chat.group.me]
    if sum(state(chat, one, now) == "good" for one in ours) >= USABLE_MAX:
        raise TooManyInvites(chat=chat.name, most=USABLE_MAX)
    secret, expires = draw(), now + expires_s * 1000 if expires_s is not None else 0
    await settled(chat, Invited(secret.id, check_of(secret.key), now, expires, once))
    if all(one.id != secret.id for one in chat.group.invites):
        raise Complaint(text=f"the new invitation of #{chat.name} was not kept; try again")
    line = f"{line}#{Mark(secret, service)}"
    return words.Invitation(line, through, name_of(secret.id), expires, once)


def is_open(node: Node, chat: Chat) -> bool:
    """Whether whoever asks is let in."""
    return not node.transport.is_secured or chat.group.is_open


async def open_to_all(chat: Chat) -> None:
    """Whoever asks is let in from now on."""
    await settled(chat, Opened(True, wall_ms()))


async def _place(node: Node, chat: Chat) -> tuple[str, str, bytes]:
    """The line without what stands after the #, whom it leads to, and how that one's certificate
    begins: nothing of a member, and where connections prove nothing.
    """
    group = chat.group
    if group.nds:
        outcome = await chat.nds.ask(Lookup(group.chat, ""), ASK_MS)
        if isinstance(outcome, RecordRead):
            service = node.registries.fingerprint(group.nds)[:SERVICE_BYTES]
            return f"{group.nds}/{outcome.record.name}", "nds", service
    return f"{node.advertised(group.nds)}/{chat.name}", "member", b""


def listed(node: Node, chat: Chat) -> words.Invites:
    """The invitations, the newest first, without those that expired long ago; and whether one is
    needed.
    """
    now, group = wall_ms(), chat.group
    ordered = sorted(_recent(chat, now), key=lambda one: (one.made, one.id), reverse=True)
    rows = tuple(
        words.InviteRow(
            id=name_of(one.id),
            by=group.shown_nick(one.by),
            by_id=one.by,
            made_ms=one.made,
            expires_ms=one.expires,
            once=one.once,
            state=state(chat, one, now),
            used=len(one.used),
        )
        for one in ordered
    )
    hides = group.since > 0  # as with every member of such a chat, its founder included
    return words.Invites(chat.name, is_open(node, chat), rows, group.has_password, hides)


def _recent(chat: Chat, now: int) -> list[Invite]:
    """Those that are still to be shown, by our own clock."""
    return [one for one in chat.group.invites if not one.expires or now <= one.expires + SHOWN_MS]


def state(chat: Chat, invite: Invite, now: int) -> str:
    """good, revoked, expired, used, or void: who made it may not invite any more."""
    if invite.revoked:
        return "revoked"
    if invite.expires and now > invite.expires:
        return "expired"
    if invite.once and invite.used:
        return "used"
    return "good" if chat.group.honours(invite) else "void"


async def revoke(chat: Chat, wanted: str) -> None:
    """Takes the invitation back whose id begins so.

    Raises:
        NoSuchInvite: none, or several, begin so.
        Complaint: it cannot be stored.
    """
    found = [one.id for one in chat.group.invites if name_of(one.id).startswith(wanted.lower())]
    if len(found) != 1 or len(wanted) < DIGITS_MIN:
        known = ", ".join(name_of(one.id) for one in _recent(chat, wall_ms())) or "none"
        raise NoSuchInvite(id=wanted, chat=chat.name, known=known)
    await settled(chat, Revoked(found[0], wall_ms()))


def name_of(id: int) -> str:
    """An invitation's id as people see it: 16 hex digits."""
    return f"{id:016x}"
