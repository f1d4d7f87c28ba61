"""Grants: who leads which epoch, signed with the key of this service.

A node knows that key from its first contact.  So a member can show others what was granted to it,
and none can say that it leads who does not, though this service is not to be reached.  And should
this service forget a network, it takes it back on its own word.
"""

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec.structs import replace

from nds.certificates import Tls
from nds.record import Epoch, Facts, IdBlock, Record
from p2pchat.v1 import common_pb2

PURPOSE = b"p2pchat grant 1\0"  # no signature for anything else begins like this
ISSUED = b"p2pchat ids 1\0"  # likewise


def statement(
    chat: int, epoch: Epoch, leader: int, certificate_hash: bytes, claim_key: bytes
) -> bytes:
    """What is signed: that member leads that epoch, from the node with that certificate."""
    number = f"{epoch.generation}.{epoch.n}"
    said = (chat, number, leader, certificate_hash.hex(), claim_key.hex())
    return PURPOSE + "|".join(map(str, said)).encode()


def ids_statement(chat: int, epoch: Epoch, leader: int, ids: IdBlock) -> bytes:
    """What is signed: the leader of that epoch may give these ids to newcomers."""
    said = (chat, f"{epoch.generation}.{epoch.n}", leader, ids.first, ids.count)
    return ISSUED + "|".join(map(str, said)).encode()


class Grants:
    """One grant has one signature, also after a start anew; it is kept, since many ask often."""

    def __init__(self, tls: Tls | None) -> None:
        """`tls` has the key of the service; None: nothing is granted in writing."""
        key = load_pem_private_key(tls.key, None) if tls is not None else None
        assert key is None or isinstance(key, EllipticCurvePrivateKey), "it was looked at"
        self._key = key
        self._signed = lru_cache(maxsize=4_096)(self._sign)

    def of(self, record: Record) -> common_pb2.Grant | None:
        """That its leader leads its epoch; None where that cannot be said."""
        if self._key is None or not record.certificate or not record.leader or record.deleted:
            return None
        hash = hashlib.sha256(record.certificate).digest()
        key = record.claim_key
        said = statement(record.chat, record.epoch, record.leader, hash, key)
        return common_pb2.Grant(certificate_hash=hash, signature=self._signed(said), claim_key=key)

    def ids(self, record: Record, ids: IdBlock) -> common_pb2.IdBlock:
        """A block of ids for its leader, to give to newcomers; signed where there is a key."""
        block = common_pb2.IdBlock(first=ids.first, count=ids.count)
        if self._key is not None and ids.count:
            said = ids_statement(record.chat, record.epoch, record.leader, ids)
            block.signature = self._signed(said)
        return block

    def looked_at(self, chat: int, facts: Facts, grant: common_pb2.Grant) -> Facts:
        """What a caller knows, and whether this service has said so."""
        if self._key is None:
            return facts
        parts = facts.epoch, facts.leader, grant.certificate_hash, grant.claim_key
        try:
            signature, way = grant.signature, ECDSA(SHA256())
            self._key.public_key().verify(signature, statement(chat, *parts), way)
        except InvalidSignature:
            return replace(facts, is_sworn=False)
        return replace(facts, claim_key=grant.claim_key)

    def _sign(self, said: bytes) -> bytes:
        assert self._key is not None
        return self._key.sign(said, ECDSA(SHA256(), deterministic_signing=True))
