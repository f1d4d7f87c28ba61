"""Claim keys: pairs of Ed25519, made of what was drawn; see `core.proving`."""

import secrets
from functools import lru_cache
from typing import TYPE_CHECKING

from node.core.state import Pairs

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def draw() -> bytes:
    """The secret of a new key."""
    return secrets.token_bytes(32)


def public(secret: bytes) -> bytes:
    """The public half of the key that is made of these 32 bytes."""
    return _pair(secret)[1]


def sign(secret: bytes, said: bytes) -> bytes:
    """Its signature of what was said."""
    return _pair(secret)[0].sign(said)


@lru_cache(maxsize=256)
def _pair(secret: bytes) -> tuple["Ed25519PrivateKey", bytes]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(secret)
    return key, key.public_key().public_bytes_raw()


PAIRS = Pairs(draw, public, sign)
