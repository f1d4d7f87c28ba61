"""What owners and their admins have signed: that a network is handed on, and who was removed.

Members decide such things among themselves; of all that, this service looks at what callers show.
"""

from collections.abc import Iterable
from hashlib import blake2b

from nds.record import NOBODY_EXPELLED, Expelled, HandOver
from nds.service.proofs import is_signed
from p2pchat.v1 import common_pb2, nds_pb2

DECIDED = b"p2pchat decision 1\0"  # no signature for anything else begins like these
HANDED_OVER = b"p2pchat owner 1\0"
REMOVALS = (common_pb2.ACT_KICK, common_pb2.ACT_BAN)


def handed_over(chat: int, sent: Iterable[nds_pb2.HandOver]) -> tuple[HandOver, ...]:
    """Those that are signed by who hands on."""
    said = HANDED_OVER + chat.to_bytes(8)
    signed = (one for one in sent if is_signed(one.by, one.signature, said + one.owner))
    return tuple(HandOver(one.by, one.owner) for one in signed)


def expelled(chat: int, sent: list[common_pb2.Decision], owners: Iterable[bytes]) -> Expelled:
    """Whom these show to be removed, by one of these owners or an admin of its."""
    if not sent or sent[-1].act not in REMOVALS or not sent[-1].whom_id:
        return NOBODY_EXPELLED
    *before, removal = sent
    for owner in owners:
        author = owner
        for made in before:
            is_admin = made.act == common_pb2.ACT_OP and made.whom_id == removal.by_id
            author = made.person if is_admin and _is_decided(chat, made, author) else b""
        if _is_decided(chat, removal, author):
            return Expelled(removal.whom_id, removal.person, owner)
    return NOBODY_EXPELLED


def _is_decided(chat: int, one: common_pb2.Decision, author: bytes) -> bool:
    said = DECIDED + chat.to_bytes(8) + _id(one)
    return bool(author) and is_signed(author, one.signature, said)


def _id(one: common_pb2.Decision) -> bytes:
    words = (one.by_id, one.act, one.hlc.ms, one.hlc.counter, one.whom_id)
    said = "|".join(map(str, words)).encode() + b"|" + one.person + b"|" + one.value.encode()
    digest = blake2b(said, digest_size=16, person=b"p2pchat decide")
    for id in one.after:
        digest.update(b"|" + id)
    return digest.digest()
