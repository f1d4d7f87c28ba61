"""What owners and their admins have signed: that a network is handed on, and who was removed.

Members decide such things among themselves; of all that, this service looks at what callers show.
"""

from collections.abc import Collection, Container
from functools import cached_property
from hashlib import blake2b

from nds.record import NOBODY_EXPELLED, Expelled, HandOver
from nds.service.proofs import Signatures
from p2pchat.v1 import common_pb2

DECIDED = b"p2pchat decision 1\0"  # no signature for anything else begins like these
HANDED_OVER = b"p2pchat owner 1\0"
REMOVALS = (common_pb2.ACT_KICK, common_pb2.ACT_BAN)


def is_handed_over(chat: int, step: HandOver, signatures: Signatures) -> bool:
    """Is that signed by who hands on?"""
    return signatures.hold(step.by, step.signature, HANDED_OVER + chat.to_bytes(8) + step.owner)


def expelled(
    chat: int, sent: list[common_pb2.Decision], owners: Collection[bytes], signatures: Signatures
) -> Expelled:
    """Whom these show to be removed, by one of these owners or an admin of its."""
    if not sent or sent[-1].act not in REMOVALS or not sent[-1].whom_id:
        return NOBODY_EXPELLED
    *before, removal = sent
    if any(one.act != common_pb2.ACT_OP or one.whom_id != removal.by_id for one in before):
        return NOBODY_EXPELLED
    by = _Deciders(chat, sent, owners, signatures)
    return Expelled(removal.whom_id, removal.person, by)


class _Deciders(Container[bytes]):
    """Those of these owners on whose word the last of these decisions was made."""

    def __init__(
        self,
        chat: int,
        sent: list[common_pb2.Decision],
        owners: Collection[bytes],
        signatures: Signatures,
    ) -> None:
        self._chat, self._sent = chat, sent
        self._owners, self._signatures = owners, signatures

    def __contains__(self, owner: object) -> bool:
        if owner not in self._owners or not isinstance(owner, bytes):
            return False
        author = owner
        for made, said in zip(self._sent, self._said, strict=True):
            if not self._signatures.hold(author, made.signature, said):
                return False
            author = made.person  # the admin that this made
        return True

    @cached_property
    def _said(self) -> list[bytes]:
        return [DECIDED + self._chat.to_bytes(8) + _id(made) for made in self._sent]


def _id(one: common_pb2.Decision) -> bytes:
    words = (one.by_id, one.act, one.hlc.ms, one.hlc.counter, one.whom_id)
    said = "|".join(map(str, words)).encode() + b"|" + one.person + b"|" + one.value.encode()
    digest = blake2b(said, digest_size=16, person=b"p2pchat decide")
    for id in one.after:
        digest.update(b"|" + id)
    return digest.digest()
