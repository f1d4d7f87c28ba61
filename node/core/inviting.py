"""Invitations: who shows that it knows a secret, or the password, is let in, and nobody else.

A secret goes from person to person, in the line that one gives another.  The group keeps a check of
it, in the roster, so that whoever leads can admit; a joiner proves that it knows the secret by a
code over both certificates of the connection, so that nobody in between can pass it on, and the
leader proves the same by its answer.  Where connections prove nothing, nothing is asked for.
"""

from hashlib import blake2b
from typing import TypeAlias

from msgspec.structs import replace

from .access import Challenge, Invite, same, statement
from .belonging import Belonging
from .clock import tick
from .events import Decided, Invited, Opened, PasswordSet, Revoked
from .governing import Governing
from .messages import Fact, Join, Refusal, Roster
from .passwords import Passwords
from .reasons import Reason
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


Wanted: TypeAlias = Invited | Revoked | Opened | PasswordSet | Decided


class Inviting:
    """`belonging` tells the others; `governing` decides."""

    def __init__(self, s: State, belonging: Belonging, governing: Governing) -> None:
        self._s, self._belonging, self._governing = s, belonging, governing
        self._passwords = Passwords(s)

    # ---- what people want ------------------------------------------------------------------------

    def wanted(self, event: Wanted) -> None:
        """A member's user changes who may come in, or decides who may do what."""
        s, members = self._s, self._s.members
        if not members.belongs(s.me) or s.role is Role.OUTSIDE:
            return s.drop("an invitation by somebody who is no member")
        s.wall = event.wall
        if isinstance(event, Decided):
            return self._governing.decide(event)
        if not isinstance(event, Revoked) and not members.may_invite(s.me):
            return s.drop("an invitation by somebody who may not invite")
        if isinstance(event, PasswordSet):
            return self._belonging.share(Roster(password=self._passwords.written(event)))
        known = None if isinstance(event, Opened) else members.invites.get(event.id)
        if isinstance(event, Opened):
            fact = Fact(OPEN if event.is_open else "", tick(event.wall, members.access.hlc), s.me)
            self._belonging.share(Roster(access=fact))
        elif isinstance(event, Revoked) and known is not None:
            self._belonging.share(Roster(invites=(replace(known, revoked=True),)))
        elif isinstance(event, Invited) and known is None:
            made = members.kept_from(event.wall, event.id, s.me)
            fresh = Invite(event.id, event.check, s.me, made, event.expires, event.once)
            if s.setup.sign is not None:
                fresh = replace(fresh, signature=s.setup.sign(statement(s.chat, fresh)))
            self._belonging.share(Roster(invites=(fresh,)))

    # ---- the leader ------------------------------------------------------------------------------

    def verdict(self, request: Join, certificate: bytes | None) -> Refusal | Challenge | None:
        """Why this joiner is not let in, or what it is asked; None: it is let in."""
        s = self._s
        if certificate is None:
            return None
        closed = s.members.admins_invite  # Then it takes an admin's invitation, and nothing else.
        if request.knows is not None and not closed:
            return self._passwords.verdict(request, request.knows, certificate)
        if s.members.access.value == OPEN and not closed:
            return None
        if not request.invite:
            why = Refusal(Reason.NOT_INVITED, "it lets in who is invited: ask for a line there")
            return why if closed else self._passwords.needed() or why
        known = s.members.invites.get(request.invite)
        own = s.setup.card.certificate
        if known is None or not same(
            request.proof, joiner_proof(known.check, request.identity, certificate, own)
        ):
            return Refusal(Reason.WRONG_SECRET, "what stands after the # in the line is wrong")
        if not honoured(self._s, known):
            return Refusal(Reason.WRONG_SECRET, "who made that invitation may not invite")
        if known.revoked:
            return Refusal(Reason.WRONG_SECRET, "that invitation was revoked")
        if known.expires and s.wall > known.expires:
            return Refusal(Reason.WRONG_SECRET, "that invitation has expired")
        if known.once and known.used:
            return Refusal(Reason.WRONG_SECRET, "that invitation was for one, and was used")
        return None

    def used(self, member: MemberId, request: Join) -> None:
        """A newcomer came by its invitation."""
        known = self._s.members.invites.get(request.invite)
        if known is not None:
            used = tuple(sorted({*known.used, member}))
            self._belonging.share(Roster(invites=(replace(known, used=used),)))

    def proof(self, request: Join) -> bytes:
        """That we know the joiner's password, or the secret of its invitation, too; empty where we
        do not.
        """
        if request.knows is not None:
            return self._passwords.proof(request, request.knows)
        known = self._s.members.invites.get(request.invite)
        if known is None:
            return b""
        own = self._s.setup.card.certificate
        return leader_proof(known.check, request.identity, request.card.certificate, own)

    def over(self, request: Join) -> None:
        """It has been answered for good."""
        self._passwords.over(request)


def honoured(s: State, invite: Invite) -> bool:
    """May who is said to have made it invite, and is it so?"""
    maker = s.members.get(invite.by)
    if maker is None or maker.kicked or not s.members.may_invite(invite.by):
        return False
    if s.setup.verify is None:
        return True
    return s.setup.verify(maker.identity, invite.signature, statement(s.chat, invite))
