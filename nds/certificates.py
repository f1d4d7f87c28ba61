"""The key of a discovery service, and what makes connections take it.

Connections want certificates that somebody has signed; here all are signed with a key that is no
secret, since it stands in this file, and in the nodes' own.  A certificate so signed proves that
its owner holds its key, and nothing else; who that is, is written down elsewhere: nodes remember
the one that a service had.
"""

import hashlib
import os
import ssl
import stat
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
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

from nds.errors import KeyUnusable

HOST = "p2pchat"  # the name in every certificate
_SEED = b"p2pchat: whoever reads this may sign certificates"
_AUTHORITY = "p2pchat: anybody"
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion)


class Tls(Struct, frozen=True):
    """A key and its certificate, both in PEM."""

    key: bytes
    certificate: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate in hex, as other tools show it."""
        der = x509.load_pem_x509_certificate(self.certificate).public_bytes(Encoding.DER)
        return hashlib.sha256(der).hexdigest()

    def server(self) -> grpc.ServerCredentials:
        """For a port that takes whoever has a certificate."""
        own = [(self.key, self.certificate)]
        return grpc.ssl_server_credentials(own, authority(), require_client_auth=True)

    def client(self, certificate: bytes = b"") -> grpc.ChannelCredentials:
        """For calls to who has this certificate (DER), and to no other; empty: to any."""
        taken = ssl.DER_cert_to_PEM_cert(certificate).encode() if certificate else authority()
        return grpc.ssl_channel_credentials(taken, self.key, self.certificate)


def load(file: Path | None) -> Tls:
    """The key kept in `file`, made where there is none; None: one for this process alone.

    Raises `KeyUnusable` where it cannot be read or written, others can read it, or it is no key.
    """
    if file is None:
        return _made()
    try:
        pem = file.read_bytes()
    except FileNotFoundError:
        made = _made()
        _keep(file, made)
        return made
    except OSError as error:
        raise KeyUnusable(f"{file} cannot be read: {error.strerror}") from error
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise KeyUnusable(f"{file} can be read by others ({mode:04o}): run 'chmod 600 {file}'")
    try:
        key, certificate = load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)
        is_for_it = certificate.public_key() == key.public_key()
        # Or nobody would take it.
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority()))
    except UNREADABLE as error:
        raise KeyUnusable(f"{file} holds no key and certificate that nds-server made") from error
    if not is_for_it:
        raise KeyUnusable(f"the certificate in {file} is not for the key in it")
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Tls(secret, certificate.public_bytes(Encoding.PEM))


def _keep(file: Path, tls: Tls) -> None:
    fresh = file.with_name(f"{file.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(tls.key + tls.certificate)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError as error:
        raise KeyUnusable(f"{file} cannot be written: {error.strerror}") from error


def _made() -> Tls:
    key = generate_private_key(SECP256R1())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    subject, number = _named(hashlib.sha256(public).hexdigest()), x509.random_serial_number()
    builder = x509.CertificateBuilder(_named(_AUTHORITY), subject, key.public_key(), number)
    names = x509.SubjectAlternativeName([x509.DNSName(HOST)])
    builder = builder.not_valid_before(_ALWAYS).not_valid_after(_NEVER)
    certificate = builder.add_extension(names, critical=False).sign(
        _authority_key(), hashes.SHA256()
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Tls(pem, certificate.public_bytes(Encoding.PEM))


@cache
def authority() -> bytes:
    """The certificate of the authority that anybody may be, in PEM."""
    key, name = _authority_key(), _named(_AUTHORITY)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(_ALWAYS).not_valid_after(_NEVER)
    is_one = x509.BasicConstraints(ca=True, path_length=0)
    certificate = builder.add_extension(is_one, critical=True).sign(key, hashes.SHA256())
    return certificate.public_bytes(Encoding.PEM)


@cache
def _authority_key() -> EllipticCurvePrivateKey:
    return derive_private_key(int.from_bytes(hashlib.sha256(_SEED).digest()), SECP256R1())


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
