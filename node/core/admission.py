"""Admissions: who let a member in says so with its signature.

So a newcomer can prove that it belongs to somebody who has not heard of it, when the leader that
let it in died before it told anybody; and nobody else can say of itself that it was let in.
"""

from msgspec.structs import replace

from .messages import Member
from .state import State
from .types import ChatId, Epoch, MemberId, WallMillis

PURPOSE = b"p2pchat admission 1\0"  # no signature for anything else begins like this


def statement(
    chat: ChatId, member: MemberId, identity: bytes, admitted: Epoch, since: WallMillis = 0
) -> bytes:
    """What is signed: this identity got that id, in this chat, in that epoch, and since when it is
    given what is said; nothing of that where it is given all.
    """
    numbers = (chat, member, admitted.generation, admitted.n)
    said = PURPOSE + b"".join(number.to_bytes(8) for number in numbers) + identity
    return said + since.to_bytes(8) if since else said


def signed(s: State, member: Member) -> Member:
    """The record of somebody whom we let in."""
    if s.setup.sign is None:
        return member
    said = statement(s.chat, member.id, member.identity, member.admitted, member.since)
    return replace(member, admitted_by=s.me, admission=s.setup.sign(said))


def is_proved(s: State, member: Member) -> bool:
    """Was it let in by somebody who belongs, as far as we know?"""
    by = s.members.get(member.admitted_by)
    if by is None or not s.members.belongs(by.id) or s.setup.verify is None:
        return False
    said = statement(s.chat, member.id, member.identity, member.admitted, member.since)
    return s.setup.verify(by.identity, member.admission, said)
