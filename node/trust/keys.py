"""The private keys of a profile: made at its first start, and refused where others can read them.

`identity.key` is the person (Ed25519, signs), `tls.pem` its node where connections are made (P-256
and a certificate for it), `seal.key` what is opened that was sealed for it (X25519).  The last two
are said to belong to the first by a signed card; who loses them makes new ones, and a new card.
"""

import hashlib
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from msgspec import Struct

from node.core.messages import Card
from node.disk import replace_file, unread
from node.errors import DamagedFile, OpenKey

from . import IDENTITY, SEAL, TLS
from .cards import signed_part

T = TypeVar("T")
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # a wrong clock must lock nobody out
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class Tls(Struct, frozen=True):
    """The key and the certificate of a node."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        return _pem(self.key)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


class Keys:
    """All keys of a person, in memory.

    Attributes:
        identity: the public key that is the person, 32 bytes.
        card: what others need to know of the keys; the same for the same keys.
    """

    def __init__(self, signing: Ed25519PrivateKey, tls: Tls, seal: X25519PrivateKey) -> None:
        self.signing, self.tls, self.seal = signing, tls, seal
        self.identity = signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        certificate = tls.certificate.public_bytes(Encoding.DER)
        seal_key = seal.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signature = signing.sign(signed_part(certificate, seal_key))
        self.card = Card(certificate, seal_key, signature)


def load(directory: Path) -> Keys:
    """The keys kept in `directory`; makes those that are not there.

    Raises:
        OpenKey: others can read one of the files.
        DamagedFile: one holds no key of its kind.
        DiskUnreadable, Unreadable: one may be whole, and cannot be read now.
        Unwritable: a new one cannot be stored.
    """
    signing, tls, seal = _kept(directory)  # All are looked at before one is made.
    if signing is None:
        signing = Ed25519PrivateKey.generate()
        replace_file(directory / IDENTITY, _pem(signing))
    if tls is None:
        tls = _make_tls()
        replace_file(directory / TLS, tls.key_pem + tls.certificate_pem)
    if seal is None:
        seal = X25519PrivateKey.generate()
        replace_file(directory / SEAL, _pem(seal))
    return Keys(signing, tls, seal)


def check(directory: Path) -> None:
    """Raises what `load` would, but makes nothing."""
    _kept(directory)


def make() -> Keys:
    """The keys of a new person, kept nowhere but in memory."""
    return Keys(Ed25519PrivateKey.generate(), _make_tls(), X25519PrivateKey.generate())


def _kept(
    directory: Path,
) -> tuple[Ed25519PrivateKey | None, Tls | None, X25519PrivateKey | None]:
    return (
        _read(directory / IDENTITY, _signing),
        _read(directory / TLS, _tls),
        _read(directory / SEAL, _seal),
    )


def _read(file: Path, parse: Callable[[bytes], T]) -> T | None:
    """What a file holds; None where there is none."""
    try:
        pem, mode = file.read_bytes(), stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unread(file, error) from error
    if mode & 0o077:
        raise OpenKey(file=file, mode=f"{mode:04o}")
    try:
        return parse(pem)
    except _Wrong as error:
        raise DamagedFile(file=file, text=error) from error


class _Wrong(Exception):
    """What is in a file is not what belongs there; the text says why."""


def _loaded(pem: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise _Wrong("it holds no key that can be read") from error


def _signing(pem: bytes) -> Ed25519PrivateKey:
    key = _loaded(pem)
    if not isinstance(key, Ed25519PrivateKey):
        raise _Wrong("the key in it is not an Ed25519 one")
    return key


def _seal(pem: bytes) -> X25519PrivateKey:
    key = _loaded(pem)
    if not isinstance(key, X25519PrivateKey):
        raise _Wrong("the key in it is not an X25519 one")
    return key


def _tls(pem: bytes) -> Tls:
    key = _loaded(pem)
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise _Wrong("the key in it is not a P-256 one")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise _Wrong("it holds no certificate that can be read") from error
    if certificate.public_key() != key.public_key():
        raise _Wrong("the certificate in it is not for the key in it")
    return Tls(key, certificate)


def _pem(key: Ed25519PrivateKey | EllipticCurvePrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _make_tls() -> Tls:
    """A certificate that says no more than its key: trust comes from where it is written down."""
    key = generate_private_key(SECP256R1())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    hash = hashlib.sha256(public).hexdigest()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hash)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(_ALWAYS).not_valid_after(_NEVER)
    return Tls(key, builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()))
