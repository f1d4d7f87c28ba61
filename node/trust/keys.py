"""The private keys of a profile: made at its first start, and refused where others can read them.

`identity.key` is the person (Ed25519, signs), `tls.pem` its node where connections are made (P-256
and a certificate for it), `seal.key` what is opened that was sealed for it (X25519).  The last two
are said to belong to the first by a signed card; who loses them makes new ones, and a new card.
"""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from node.core.messages import Card
from node.disk import LOGS, is_plain, replace_file, unread
from node.errors import Complaint, DamagedIdentity, DamagedKey, LostIdentity, OpenIdentity, OpenKey

from . import IDENTITY, SEAL, TLS, certificates
from .cards import signed_part
from .certificates import Tls

T = TypeVar("T")


class Keys:
    """All keys of a person, in memory.

    Attributes:
        identity: the public key that is the person, 32 bytes.
        card: what others need to know of the keys; the same for the same keys.
        log_key: with which the logs of the profile are encrypted, 32 bytes.
    """

    def __init__(self, signing: Ed25519PrivateKey, tls: Tls, seal: X25519PrivateKey) -> None:
        self.signing, self.tls, self.seal = signing, tls, seal
        self.identity = signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        certificate = tls.certificate.public_bytes(Encoding.DER)
        seal_key = seal.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        signature = signing.sign(signed_part(certificate, seal_key))
        self.card = Card(certificate, seal_key, signature)
        self.log_key = _log_key(signing)


def load(directory: Path) -> Keys:
    """The keys kept in `directory`; makes those that are not there.

    Raises:
        OpenKey: others can read one of the files.
        DamagedKey, DamagedIdentity: one holds no key of its kind.
        LostIdentity: there are logs, and not the key that opens them.
        DiskUnreadable, Unreadable: one may be whole, and cannot be read now.
        Unwritable: a new one cannot be stored.
    """
    signing, tls, seal = _kept(directory)  # All are looked at before one is made.
    if signing is None:
        _refuse_to_lose(directory)
        signing = Ed25519PrivateKey.generate()
        replace_file(directory / IDENTITY, _pem(signing))
    tls, file = tls or certificates.make(), directory / TLS
    pem = tls.key_pem + tls.certificate_pem
    if not file.exists() or file.read_bytes() != pem:
        replace_file(file, pem)
    if seal is None:
        seal = X25519PrivateKey.generate()
        replace_file(directory / SEAL, _pem(seal))
    return Keys(signing, tls, seal)


def check(directory: Path, *, running: bool = False) -> bytes | None:
    """Raises what `load` would of the identity, but makes nothing.  Gives the key of logs where
    there is one.

    `running`: in the process of the node.  It has encrypted the logs, and they are not opened here:
    closing them again would give up its locks on them.
    """
    signing = _read(directory / IDENTITY, _signing)
    if signing is None:
        _refuse_to_lose(directory, running=running)
    return _log_key(signing) if signing is not None else None


def faults(directory: Path, *, running: bool = False) -> list[Complaint]:
    """What is wrong with each of the keys: what `load` would raise, one after the other.

    `running`: see `check`.
    """
    looks: tuple[Callable[[], object], ...] = (
        lambda: check(directory, running=running),
        lambda: _read(directory / TLS, certificates.renewed),
        lambda: _read(directory / SEAL, _seal),
    )
    found: list[Complaint] = []
    for look in looks:
        try:
            look()
        except Complaint as error:
            found.append(error)
    return found


def _refuse_to_lose(directory: Path, *, running: bool = False) -> None:
    """Raises LostIdentity where a new identity would not open the logs that there are."""
    logs = directory / LOGS
    filled = (one for one in logs.glob("*.db") if one.stat().st_size)
    if any(running or not is_plain(one) for one in filled):
        raise LostIdentity(file=directory / IDENTITY, logs=logs)


def _log_key(signing: Ed25519PrivateKey) -> bytes:
    """Made of the identity: whoever keeps that safe can read its logs, and nobody else."""
    secret = signing.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return HKDF(SHA256(), 32, salt=None, info=b"p2pchat log 1").derive(secret)


def make(tls: Tls | None = None) -> Keys:
    """The keys of a new person, in memory alone; on the node that has `tls`, if given."""
    tls = tls or certificates.make()
    return Keys(Ed25519PrivateKey.generate(), tls, X25519PrivateKey.generate())


def _kept(
    directory: Path,
) -> tuple[Ed25519PrivateKey | None, Tls | None, X25519PrivateKey | None]:
    return (
        _read(directory / IDENTITY, _signing),
        _read(directory / TLS, certificates.renewed),
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
    is_identity = file.name == IDENTITY
    if mode & 0o077:
        raise (OpenIdentity if is_identity else OpenKey)(file=file, mode=f"{mode:04o}")
    try:
        return parse(pem)
    except ValueError as error:
        kind = DamagedIdentity if is_identity else DamagedKey
        raise kind(file=file, text=error, profile=file.parent) from error


def _loaded(pem: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except certificates.UNREADABLE as error:
        raise ValueError("it holds no key that can be read") from error


def _signing(pem: bytes) -> Ed25519PrivateKey:
    key = _loaded(pem)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("the key in it is not an Ed25519 one")
    return key


def _seal(pem: bytes) -> X25519PrivateKey:
    key = _loaded(pem)
    if not isinstance(key, X25519PrivateKey):
        raise ValueError("the key in it is not an X25519 one")
    return key


def _pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
