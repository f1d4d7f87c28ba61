"""Sealing: what is said is closed for the one member that it goes to, inside its connection.

What goes out is encrypted once, with a fresh key (AES-256-GCM).  That is wrapped for each who is
told, with a key that follows from the seal keys of both (X25519, HKDF-SHA256), another one in each
direction.  So nobody opens it who has neither of the two private keys, nobody else can have closed
it, and what was altered is not opened.
"""

import os
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES, NONCE_BYTES = 32, 12
PURPOSE = b"p2pchat seal 1\0"  # no key for anything else is derived by this
_ONCE = bytes(NONCE_BYTES)  # the nonce under a key that encrypts one thing


def close(content: bytes) -> tuple[bytes, bytes]:
    """The content, encrypted, and the fresh key that opens it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = os.urandom(KEY_BYTES)
    return AESGCM(key).encrypt(_ONCE, content, None), key


class Pair:
    """Two members, one of them here.  Raises ValueError where `theirs` is no X25519 key."""

    def __init__(self, own: "X25519PrivateKey", theirs: bytes) -> None:
        self._out, self._in = _keys(own, theirs)

    def wrap(self, key: bytes, about: bytes) -> bytes:
        """The key of some content, for the other one, who opens it as being `about` the same alone:
        60 bytes.
        """
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._out.encrypt(nonce, key, about)

    def open(self, content: bytes, wrap: bytes, about: bytes) -> bytes | None:
        """What the other one has closed; None: it did not close that, or not for us, or it is about
        something else.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            key = self._in.decrypt(wrap[:NONCE_BYTES], wrap[NONCE_BYTES:], about)
            return AESGCM(key).decrypt(_ONCE, content, None)
        except (InvalidTag, ValueError):
            return None


def _keys(own: "X25519PrivateKey", theirs: bytes) -> "tuple[AESGCM, AESGCM]":
    """With which keys are wrapped on their way out, and in."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    shared = own.exchange(X25519PublicKey.from_public_bytes(theirs))
    mine = own.public_key().public_bytes_raw()

    def derived(info: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=PURPOSE + info).derive(shared))

    return derived(mine + theirs), derived(theirs + mine)


@lru_cache(maxsize=4_096)
def pair(own: "X25519PrivateKey", theirs: bytes) -> Pair | None:
    """The pair of these keys, made once; None where `theirs` is no key."""
    try:
        return Pair(own, theirs)
    except ValueError:
        return None
