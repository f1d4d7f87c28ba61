"""The certificates of nodes, and who signs them: node/trust/certificates.py."""

import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from node import stores
from node.errors import DamagedFile
from node.trust import TLS, certificates, keys
from node.trust.certificates import AUTHORITY, HOST, Tls, authority, der_of, pem_of, renewed


@pytest.fixture(scope="module")
def own() -> Tls:
    return certificates.make()


def secret(key: EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key: EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def self_signed(key: EllipticCurvePrivateKey) -> x509.Certificate:
    """As profiles had them before connections were secured."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ab" * 32)])
    at, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, at, end)
    return builder.sign(key, SHA256())


# ---- what is made ------------------------------------------------------------------------------


def test_anybody_may_be_the_authority_and_it_signs_for_nodes_alone() -> None:
    certificate = x509.load_pem_x509_certificate(authority())
    assert certificate.subject == certificate.issuer
    certificate.verify_directly_issued_by(certificate)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.digital_signature) == (True, False)


def test_every_program_has_the_same_authority() -> None:
    """Its key is written down here once more: with another one nobody could call anybody."""
    key = x509.load_pem_x509_certificate(authority()).public_key()
    known = "0292b04dcb88988d9fc6a6dea1a99f318a0867a822391e2ffdfaeae4c58c340711"
    assert key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint).hex() == known


def test_a_certificate_says_its_key_and_nothing_of_its_owner(own: Tls) -> None:
    certificate = own.certificate
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority()))
    (name,) = certificate.subject
    assert name.oid == x509.NameOID.COMMON_NAME
    assert len(bytes.fromhex(str(name.value))) == 32
    names, usage = (one.value for one in certificate.extensions)
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == [HOST], "the same for everybody"
    assert isinstance(usage, x509.KeyUsage)
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)


def test_a_wrong_clock_locks_nobody_out(own: Tls) -> None:
    for certificate in (own.certificate, x509.load_pem_x509_certificate(authority())):
        lasts = certificate.not_valid_before_utc.year, certificate.not_valid_after_utc.year
        assert lasts == (1970, 9999)


def test_each_one_that_is_made_is_another(own: Tls) -> None:
    other = certificates.make()
    assert isinstance(own.key.curve, SECP256R1)
    assert own.certificate.public_key() == own.key.public_key()
    assert other.certificate.public_key() != own.certificate.public_key()
    assert other.certificate.subject != own.certificate.subject
    assert other.certificate.serial_number != own.certificate.serial_number


def test_a_certificate_goes_into_pem_and_back(own: Tls) -> None:
    der = own.certificate.public_bytes(Encoding.DER)
    assert der_of(pem_of(der)) == der
    assert pem_of(der) == own.certificate_pem
    with pytest.raises(ValueError):
        pem_of(b"noise")


# ---- what is kept ------------------------------------------------------------------------------


def test_what_is_kept_is_gone_on_with(own: Tls) -> None:
    again = renewed(own.key_pem + own.certificate_pem)
    assert (again.key_pem, again.certificate_pem) == (own.key_pem, own.certificate_pem)


def test_a_certificate_that_nobody_would_take_is_renewed_and_the_key_stays() -> None:
    key = generate_private_key(SECP256R1())
    with pytest.raises((InvalidSignature, ValueError)):
        self_signed(key).verify_directly_issued_by(x509.load_pem_x509_certificate(authority()))
    made = renewed(secret(key) + self_signed(key).public_bytes(Encoding.PEM))
    assert public(made.key) == public(key)
    assert made.certificate.public_key() == key.public_key()
    made.certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority()))


def test_a_renewed_certificate_is_written_back_for_good(tmp_path: Path) -> None:
    before = keys.load(tmp_path)
    old = self_signed(before.tls.key)
    file = tmp_path / TLS
    file.write_bytes(secret(before.tls.key) + old.public_bytes(Encoding.PEM))
    after = keys.load(tmp_path)
    assert (after.identity, public(after.tls.key)) == (before.identity, public(before.tls.key))
    assert after.card.certificate not in (before.card.certificate, old.public_bytes(Encoding.DER))
    assert file.read_bytes() == after.tls.key_pem + after.tls.certificate_pem
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keys.load(tmp_path).card == after.card, "it is renewed once"


def test_a_certificate_that_is_right_is_not_written_again(tmp_path: Path) -> None:
    keys.load(tmp_path)
    file = tmp_path / TLS
    before = file.stat()
    keys.load(tmp_path)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def patched(tls: Tls, old: str, new: str) -> bytes:
    """Its certificate, one part of which is of no kind that there is."""
    der = der_of(tls.certificate_pem)
    assert der.count(bytes.fromhex(old)) == 1
    changed = der.replace(bytes.fromhex(old), bytes.fromhex(new))
    return ssl.DER_cert_to_PEM_cert(changed).encode()


def wrong(own: Tls) -> dict[str, tuple[bytes, str]]:
    wide, edwards = generate_private_key(SECP384R1()), Ed25519PrivateKey.generate()
    theirs = certificates.make()
    key, certificate = own.key_pem, own.certificate_pem
    return {
        "nothing": (b"", "it holds no key that can be read"),
        "noise": (b"noise", "it holds no key that can be read"),
        "a certificate alone": (certificate, "it holds no key that can be read"),
        "a key alone": (key, "it holds no certificate that can be read"),
        "p-384": (secret(wide) + certificate, "the key in it is not a P-256 one"),
        "ed25519": (secret(edwards) + certificate, "the key in it is not a P-256 one"),
        "another's": (key + theirs.certificate_pem, "is not for the key in it"),
        "half": (key + certificate[:100], "it holds no certificate that can be read"),
        "X.509 version 5": (
            key + patched(own, "a003020102", "a003020105"),
            "it holds no certificate that can be read",
        ),
        "no known kind of key": (
            key + patched(own, "06072a8648ce3d0201", "06072a8648ce3d0209"),
            "it holds no certificate that can be read",
        ),
    }


@pytest.mark.parametrize("what", wrong(certificates.make()))
def test_a_file_that_is_none_says_what_is_wrong_and_stays(
    own: Tls, tmp_path: Path, what: str
) -> None:
    pem, said = wrong(own)[what]
    with pytest.raises(ValueError, match=said):
        renewed(pem)
    keys.load(tmp_path)
    file = tmp_path / TLS
    file.write_bytes(pem)
    with pytest.raises(DamagedFile, match=said):
        keys.load(tmp_path)
    assert file.read_bytes() == pem


# ---- for other programs ------------------------------------------------------------------------


def test_the_authority_is_shown_to_other_programs_once(tmp_path: Path) -> None:
    certificates.show_authority(tmp_path)
    file = tmp_path / AUTHORITY
    assert file.read_bytes() == authority()
    before = file.stat()
    certificates.show_authority(tmp_path)
    assert file.stat().st_ino == before.st_ino


@pytest.mark.parametrize("damage", ["empty", "noise", "another's", "signature", "made elsewhere"])
def test_an_authority_that_is_damaged_is_made_anew(tmp_path: Path, damage: str) -> None:
    file = tmp_path / AUTHORITY
    certificates.show_authority(tmp_path)
    der = der_of(file.read_bytes())
    spoilt = {
        "empty": b"",
        "noise": b"noise",
        "another's": certificates.make().certificate_pem,
        "signature": pem_of(der[:-1] + bytes([der[-1] ^ 1])),
        "made elsewhere": certificates.authority.__wrapped__(),
    }[damage]
    is_sound = damage == "made elsewhere"
    assert spoilt != file.read_bytes()
    file.write_bytes(spoilt)
    assert certificates.is_no_authority(file) == (not is_sound)
    keys.load(tmp_path)
    told = [one.text for one in stores.wrong_keys(tmp_path)]
    assert told == ([] if is_sound else [f"{file} is damaged: the next start of the node makes it"
                                         " anew"])  # fmt: skip
    certificates.show_authority(tmp_path)
    assert file.read_bytes() == (spoilt if is_sound else authority())
