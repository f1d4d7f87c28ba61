"""Invitations: who shows that it knows a secret is let in, and nobody else.

A secret goes from person to person, in the line that one gives another.  The group keeps a check of
it, in the roster, so that whoever leads can admit; a joiner proves that it knows the secret by a
code over both certificates of the connection, so that nobody in between can pass it on, and the
leader proves the same by its answer.  Where connections prove nothing, nothing is asked for.
"""

from hashlib import blake2b

from msgspec.structs import replace

from .belonging import Belonging
from .clock import tick
from .events import Invited, Opened, Revoked
from .messages import Fact, Invite, Join, Reason, Refusal, Roster
from .state import Role, State
from .types import MemberId

SECRET_BYTES = 16
CHECK_BYTES = 32
OPEN = "open"  # the value of the group's access where whoever asks is let in
_CHECK, _JOINER, _LEADER = b"p2pchat invite 1", b"p2pchat join 1", b"p2pchat welcome 1"


def check_of(secret: bytes) -> bytes:
    """What a group keeps of a secret."""
    return blake2b(secret, digest_size=CHECK_BYTES, key=_CHECK).digest()


def joiner_proof(check: bytes, identity: bytes, own: bytes, leader: bytes) -> bytes:
    """The proof of a joiner with this identity and certificate to the node with the other one."""
    return _code(check, _JOINER, identity, own, leader)


def leader_proof(check: bytes, identity: bytes, joiner: bytes, own: bytes) -> bytes:
    """The proof of who admits it."""
    return _code(check, _LEADER, identity, joiner, own)


def _code(check: bytes, *parts: bytes) -> bytes:
    said = b"".join(blake2b(part, digest_size=32).digest() for part in parts)
    return blake2b(said, digest_size=32, key=check).digest()


class Inviting:
    """`belonging` tells the others."""

    def __init__(self, s: State, belonging: Belonging) -> None:
        self._s, self._belonging = s, belonging

    # ---- what people want ------------------------------------------------------------------------

    def wanted(self, event: Invited | Revoked | Opened) -> None:
        """A member's user changes who may come in."""
        s, members = self._s, self._s.members
        if not members.belongs(s.me) or s.role is Role.OUTSIDE:
            return s.drop("an invitation by somebody who is no member")
        s.wall_ahead = event.wall - s.now
        known = None if isinstance(event, Opened) else members.invites.get(event.id)
        if isinstance(event, Opened):
            fact = Fact(OPEN if event.is_open else "", tick(event.wall, members.access.hlc), s.me)
            self._tell(Roster(access=fact))
        elif isinstance(event, Revoked) and known is not None:
            self._tell(Roster(invites=(replace(known, revoked=True),)))
        elif isinstance(event, Invited) and known is None:
            fresh = Invite(event.id, event.check, s.me, event.wall, event.expires, event.once)
            self._tell(Roster(invites=(fresh,)))

    def _tell(self, roster: Roster) -> None:
        self._belonging.absorb(roster)
        self._belonging.tell(common=True)

    # ---- the leader ------------------------------------------------------------------------------

    def refusal(self, request: Join, certificate: bytes | None) -> Refusal | None:
        """Why this joiner, who is no member, is not let in; None: it is."""
        s = self._s
        if certificate is None or s.members.access.value == OPEN:
            return None
        if not request.invite:
            return Refusal(Reason.NOT_INVITED, "it lets in who is invited: ask for a line there")
        known = s.members.invites.get(request.invite)
        own = s.setup.card.certificate
        if known is None or not _same(
            request.proof, joiner_proof(known.check, request.identity, certificate, own)
        ):
            return Refusal(Reason.WRONG_SECRET, "what stands after the # in the line is wrong")
        if known.revoked:
            return Refusal(Reason.WRONG_SECRET, "that invitation was revoked")
        if known.expires and s.wall > known.expires:
            return Refusal(Reason.WRONG_SECRET, "that invitation has expired")
        if known.once and known.used:
            return Refusal(Reason.WRONG_SECRET, "that invitation was for one, who is in")
        return None

    def used(self, member: MemberId, request: Join) -> None:
        """A newcomer came by its invitation."""
        known = self._s.members.invites.get(request.invite)
        if known is not None:
            used = tuple(sorted({*known.used, member}))
            self._tell(Roster(invites=(replace(known, used=used),)))

    def proof(self, request: Join) -> bytes:
        """That we know the secret of a joiner's invitation, too; empty where we do not."""
        known = self._s.members.invites.get(request.invite)
        if known is None:
            return b""
        own = self._s.setup.card.certificate
        return leader_proof(known.check, request.identity, request.card.certificate, own)


def _same(one: bytes, other: bytes) -> bool:
    """Whether they are equal; the time it takes says nothing of where they differ."""
    return blake2b(one, key=_CHECK).digest() == blake2b(other, key=_CHECK).digest()
