"""Certificates of nodes, and the authority that anybody may be.

A certificate says no more than its key: trust comes from where it is written down, in the card of a
member.  What makes connections still wants one that somebody has signed, so all are signed with a
key that is no secret: it stands in this file.  A server takes a connection from whoever holds the
key of its certificate, and looks at every call whose that is; so nobody is admitted or removed by a
new list of certificates, and who is refused is told why.  A caller takes one certificate and no
other for the node that it means, or, of a stranger, any.
"""

import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from msgspec import Struct

from node.disk import replace_file

AUTHORITY = "authority.pem"  # in a profile
HOST = "p2pchat"  # the name in every certificate, for programs that insist on one
_SEED = b"p2pchat: whoever reads this may sign certificates"
_ANYBODY = "p2pchat: anybody"
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)  # to the library
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)  # a wrong clock must lock nobody out
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class Tls(Struct, frozen=True):
    """The key and the certificate of a node or a discovery service."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def make() -> Tls:
    """A new key, and a certificate for it."""
    key = generate_private_key(SECP256R1())
    return Tls(key, _issue(key.public_key()))


def renewed(pem: bytes) -> Tls:
    """What a file holds: a key and its certificate, a new one where that is of another kind.

    Raises ValueError, which says what is wrong with them.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except UNREADABLE as error:
        raise ValueError("it holds no key that can be read") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("the key in it is not a P-256 one")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        is_for_it = certificate.public_key() == key.public_key()
    except UNREADABLE as error:
        raise ValueError("it holds no certificate that can be read") from error
    if not is_for_it:
        raise ValueError("the certificate in it is not for the key in it")
    if certificate.issuer != _named(_ANYBODY):
        certificate = _issue(key.public_key())
    return Tls(key, certificate)


@cache
def authority() -> bytes:
    """The certificate of the authority that anybody may be, in PEM."""
    key, name = _authority_key(), _named(_ANYBODY)
    builder = _lasting(x509.CertificateBuilder(name, name, key.public_key(), 1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def show_authority(directory: Path) -> None:
    """Keep it in a file, for other programs that are to call nodes; it is made anew where it is
    damaged.  Raises Unwritable.
    """
    file = directory / AUTHORITY
    if not file.exists() or is_no_authority(file):
        replace_file(file, authority())


def is_no_authority(file: Path) -> bool:
    """Whether there is a file that holds something else; no, where it cannot be read."""
    try:
        pem = file.read_bytes()
    except OSError:
        return False
    try:
        shown = x509.load_pem_x509_certificate(pem)
    except UNREADABLE:
        return True
    own = x509.load_pem_x509_certificate(authority())
    try:  # Its signature is another one whenever it is made.
        shown.verify_directly_issued_by(own)
    except (ValueError, TypeError, InvalidSignature):
        return True
    return shown.tbs_certificate_bytes != own.tbs_certificate_bytes


def pem_of(certificate: bytes) -> bytes:
    """A certificate in DER as PEM.  Raises ValueError where it is none."""
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


def der_of(pem: bytes) -> bytes:
    """The reverse."""
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def _issue(key: EllipticCurvePublicKey) -> x509.Certificate:
    public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    subject = _named(hashlib.sha256(public).hexdigest())
    number = x509.random_serial_number()
    builder = _lasting(x509.CertificateBuilder(_named(_ANYBODY), subject, key, number))
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    return builder.sign(_authority_key(), hashes.SHA256())


@cache
def _authority_key() -> EllipticCurvePrivateKey:
    return derive_private_key(int.from_bytes(hashlib.sha256(_SEED).digest()), SECP256R1())


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _lasting(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder.not_valid_before(_ALWAYS).not_valid_after(_NEVER)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
