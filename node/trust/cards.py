"""Cards: the public keys of a person, signed by its identity, so that nobody else can say them.

A card goes with its member's record to everyone.  Its certificate is the one that the member's node
shows where connections are made, `seal_key` what is sealed for the member alone.
"""

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from node.core.messages import Card
from node.limits import CERTIFICATE_MAX, SEAL_KEY_BYTES, SIGNATURE_BYTES
from node.trust.known import fingerprint as of_certificate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PURPOSE = b"p2pchat card 1\0"  # no signature for anything else begins like this


def signed_part(certificate: bytes, seal_key: bytes) -> bytes:
    """What the identity signs: it says which keys are its own, and nothing else."""
    return PURPOSE + hashlib.sha256(certificate).digest() + seal_key


def fingerprint(card: Card) -> str:
    """SHA-256 of the certificate in hex, as other tools show it; empty where there is no card."""
    return of_certificate(card.certificate) if card.certificate else ""


@lru_cache(maxsize=4_096)
def fault(identity: bytes, card: Card) -> str:
    """What is wrong with a card that is said to be this identity's; empty: nothing.

    One is looked at once, however often its record comes by.
    """
    if not 0 < len(card.certificate) <= CERTIFICATE_MAX:
        return f"its certificate must have 1 to {CERTIFICATE_MAX} bytes"
    if len(card.seal_key) != SEAL_KEY_BYTES:
        return f"its seal_key must be {SEAL_KEY_BYTES} bytes, not {len(card.seal_key)}"
    if len(card.signature) != SIGNATURE_BYTES:
        return f"its signature must be {SIGNATURE_BYTES} bytes, not {len(card.signature)}"
    return _signature_fault(identity, card) or _certificate_fault(card.certificate)


def is_signed(identity: bytes, signature: bytes, said: bytes) -> bool:
    """Is that this identity's signature of what was said?"""
    from cryptography.exceptions import InvalidSignature

    try:
        _public(identity).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=1_024)
def _public(identity: bytes) -> "Ed25519PublicKey":
    """Raises ValueError where it is no key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(identity)


def _signature_fault(identity: bytes, card: Card) -> str:
    said = signed_part(card.certificate, card.seal_key)
    return "" if is_signed(identity, card.signature, said) else "it is not signed by the identity"


def _certificate_fault(certificate: bytes) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

    from node.trust.certificates import UNREADABLE

    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except UNREADABLE:
        return "its certificate is no X.509 certificate in DER"
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        return "its certificate is not for a P-256 key"
    return ""
