"""Grants of a discovery service: are they signed by the key that is known of it?"""

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from node.core.types import Address
from node.errors import Complaint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

_log = logging.getLogger(__name__)


class Certificates(Protocol):
    """By which services are known."""

    def certificate(self, address: Address) -> bytes: ...


class Granted:
    """Looks at signatures of the services that are known."""

    def __init__(self, known: Certificates) -> None:
        self._known = known

    def __call__(self, service: Address, said: bytes, signature: bytes) -> bool | None:
        """Has the service at that address signed what was said?  None: its key is not known."""
        certificate = self.certificate(service)
        return is_signed(certificate, signature, said) if certificate else None

    def certificate(self, service: Address) -> bytes:
        """By which it is known; empty where it is not, or where that cannot be looked up."""
        try:
            return self._known.certificate(service)
        except Complaint as error:
            _log.warning("%s", error)
            return b""


def is_signed(certificate: bytes, signature: bytes, said: bytes) -> bool:
    """Is that a signature of what was said, by the key of this certificate (DER)?"""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _key(certificate)
    if key is None:
        return False
    try:
        key.verify(signature, said, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=64)
def _key(certificate: bytes) -> "EllipticCurvePublicKey | None":
    """Its key; None where it has none of the kind that services have."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from node.trust.certificates import UNREADABLE

    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except UNREADABLE:
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None
