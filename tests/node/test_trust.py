"""The keys of a profile and the cards that its owner signs: node/trust/keys.py and cards.py."""

import errno
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from node.core.messages import NO_CARD, Card
from node.disk import LOGS
from node.errors import Complaint, DamagedFile, DiskFailed, LostIdentity, OpenKey
from node.trust import IDENTITY, KEY_FILES, SEAL, TLS, cards, keys


@pytest.fixture(scope="module")
def own() -> keys.Keys:
    return keys.make()


# ---- the files ---------------------------------------------------------------------------------


def test_the_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    first, second = keys.load(tmp_path), keys.load(tmp_path)
    assert len(first.identity) == 32
    assert (second.identity, second.card) == (first.identity, first.card)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(KEY_FILES)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_two_profiles_are_two_people(own: keys.Keys) -> None:
    other = keys.make()
    mine, theirs = ((one.identity, *one.card) for one in (own, other))
    assert not set(mine) & set(theirs)


@pytest.mark.parametrize("lost", [TLS, SEAL])
def test_who_loses_a_key_gets_a_new_one_and_stays_the_same_person(
    tmp_path: Path, lost: str
) -> None:
    """As a profile does that was made when there was no other key than its identity."""
    before = keys.load(tmp_path)
    (tmp_path / lost).unlink()
    after = keys.load(tmp_path)
    assert after.identity == before.identity
    assert (after.card.certificate != before.card.certificate) == (lost == TLS)
    assert (after.card.seal_key != before.card.seal_key) == (lost == SEAL)
    assert not cards.fault(after.identity, after.card)


def test_no_other_identity_is_made_where_there_are_logs_that_it_would_not_open(
    tmp_path: Path,
) -> None:
    keys.load(tmp_path)
    key, logs = tmp_path / IDENTITY, tmp_path / LOGS
    key.unlink()
    logs.mkdir()
    (logs / "empty.db").touch()
    (logs / "plain.db").write_bytes(b"SQLite format 3\0 and more")
    assert keys.check(tmp_path) is None
    (logs / "sealed.db").write_bytes(bytes(range(64)))
    for ask in (keys.load, keys.check):
        with pytest.raises(LostIdentity, match=f"{key} is not there"):
            ask(tmp_path)
        assert not key.exists()
    (logs / "sealed.db").unlink()
    assert keys.load(tmp_path).identity
    (logs / "sealed.db").write_bytes(bytes(range(64)))
    assert keys.load(tmp_path).identity


@pytest.mark.parametrize("file", KEY_FILES)
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_refused_with_what_to_do(
    tmp_path: Path, file: str, mode: int
) -> None:
    keys.load(tmp_path)
    (tmp_path / file).chmod(mode)
    with pytest.raises(OpenKey, match=rf"chmod 600 .*{file}") as told:
        keys.load(tmp_path)
    assert [str(fault) for fault in keys.faults(tmp_path)] == [str(told.value)]
    if file == IDENTITY:
        assert "remove" not in str(told.value), "nobody shall lose who they are by a mode"
        assert str(told.value).endswith("and keep the file: it is you in every chat, and alone"
                                        " opens your logs.")  # fmt: skip
    else:
        (tmp_path / file).unlink()
        assert keys.load(tmp_path), "as it says"


def damaged(tmp_path: Path) -> dict[str, tuple[str, bytes, str]]:
    """What may stand in a file, and what is said of it."""
    other = keys.load(tmp_path)
    identity, tls, seal = ((tmp_path / file).read_bytes() for file in KEY_FILES)
    wide = generate_private_key(SECP384R1())
    pem = wide.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    strange = keys.make().tls.certificate_pem
    assert isinstance(other.tls.key.curve, SECP256R1)
    return {
        "noise": ("identity.key", b"noise", "it holds no key that can be read"),
        "not ed25519": ("identity.key", seal, "is not an Ed25519 one"),
        "not x25519": ("seal.key", identity, "is not an X25519 one"),
        "not p-256": ("tls.pem", identity, "is not a P-256 one"),
        "p-384": ("tls.pem", pem, "is not a P-256 one"),
        "no certificate": ("tls.pem", other.tls.key_pem, "holds no certificate"),
        "another's": ("tls.pem", other.tls.key_pem + strange, "is not for the key in it"),
        "cut": ("tls.pem", tls[:100], "it holds no key that can be read"),
    }


@pytest.mark.parametrize(
    "what",
    [
        "noise",
        "not ed25519",
        "not x25519",
        "not p-256",
        "p-384",
        "no certificate",
        "another's",
        "cut",
    ],
)
def test_a_damaged_key_is_refused_and_left_alone(tmp_path: Path, what: str) -> None:
    name, content, said = damaged(tmp_path)[what]
    (tmp_path / name).write_bytes(content)
    missing = tmp_path / next(file for file in KEY_FILES if file != name)
    missing.unlink()
    with pytest.raises(DamagedFile, match=said):
        keys.load(tmp_path)
    assert (tmp_path / name).read_bytes() == content
    assert not missing.exists(), "nothing is made beside it"


@pytest.mark.parametrize("file", KEY_FILES)
def test_what_is_said_of_a_damaged_key_helps_at_once(tmp_path: Path, file: str) -> None:
    profile = tmp_path / "alice"
    (profile / LOGS).mkdir(parents=True)
    before = keys.load(profile).identity
    (profile / LOGS / "a.db").write_bytes(bytes(range(64)))
    (profile / file).write_bytes(b"noise")
    (fault,) = keys.faults(profile)
    if file == IDENTITY:
        assert str(fault).endswith(
            f"Put a copy of it back; or move all of {profile} away to begin anew, as another"
            " person."
        )
        profile.rename(tmp_path / "away")
        profile.mkdir()
        assert keys.load(profile).identity != before
    else:
        assert str(fault).endswith(
            "move it away: the next start of the node makes another, and you stay who you are."
        )
        (profile / file).unlink()
        assert keys.load(profile).identity == before


def test_the_fault_of_each_key_is_told(tmp_path: Path) -> None:
    keys.load(tmp_path)
    assert keys.faults(tmp_path) == []
    (tmp_path / IDENTITY).chmod(0o644)
    for file in (TLS, SEAL):
        (tmp_path / file).write_bytes(b"noise")
    reasons = [fault.reason for fault in keys.faults(tmp_path)]
    assert reasons == ["OPEN_IDENTITY", "DAMAGED_KEY", "DAMAGED_KEY"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EIO, r"The disk fails: .*{} cannot be read: Input/output error. Nothing was"),
        (errno.EACCES, "{} cannot be read: Permission denied. Nothing was changed"),
    ],
)
def test_a_key_that_cannot_be_read_is_not_said_to_be_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    keys.load(tmp_path)

    def fails(_: Path) -> bytes:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "read_bytes", fails)
    with pytest.raises(Complaint, match=said.format("identity.key")) as told:
        keys.load(tmp_path)
    assert not isinstance(told.value, DamagedFile)
    assert isinstance(told.value, DiskFailed) == (code == errno.EIO)


def test_a_look_at_the_keys_makes_none(tmp_path: Path) -> None:
    keys.check(tmp_path)
    assert not list(tmp_path.iterdir())


# ---- cards -------------------------------------------------------------------------------------


def test_a_card_holds_for_its_identity_alone(own: keys.Keys) -> None:
    assert not cards.fault(own.identity, own.card)
    assert "not signed by the identity" in cards.fault(keys.make().identity, own.card)
    assert "not signed by the identity" in cards.fault(b"\xff" * 32, own.card), "no key at all"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"certificate": b""}, "1 to 1024 bytes"),
        ({"certificate": b"c" * 1_025}, "1 to 1024 bytes"),
        ({"seal_key": b"k" * 31}, "32 bytes, not 31"),
        ({"signature": b"s" * 65}, "64 bytes, not 65"),
        ({"certificate": b"another's"}, "not signed by the identity"),
        ({"seal_key": b"k" * 32}, "not signed by the identity"),
    ],
)
def test_a_card_that_was_changed_says_what_is_wrong(
    own: keys.Keys, change: dict[str, bytes], said: str
) -> None:
    assert said in cards.fault(own.identity, own.card._replace(**change))


def signed(own: keys.Keys, certificate: bytes) -> Card:
    part = cards.signed_part(certificate, own.card.seal_key)
    return Card(certificate, own.card.seal_key, own.signing.sign(part))


def test_a_card_is_for_a_certificate_that_connections_can_be_made_with(own: keys.Keys) -> None:
    assert "no X.509" in cards.fault(own.identity, signed(own, b"noise"))
    version, kind = bytes.fromhex("a003020102"), bytes.fromhex("06072a8648ce3d0201")
    for part in (version, kind):  # Of a card that comes from anybody: nothing may fail by it.
        assert own.card.certificate.count(part) == 1
        strange = own.card.certificate.replace(part, part[:-1] + b"\x09")
        assert "no X.509" in cards.fault(own.identity, signed(own, strange))
    wide = generate_private_key(SECP384R1())
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, wide.public_key(), 1)
    usual = own.tls.certificate
    builder = builder.not_valid_before(usual.not_valid_before_utc)
    made = builder.not_valid_after(usual.not_valid_after_utc).sign(wide, SHA256())
    certificate = made.public_bytes(Encoding.DER)
    assert "not for a P-256 key" in cards.fault(own.identity, signed(own, certificate))


def test_the_fingerprint_is_the_one_that_other_tools_show(own: keys.Keys) -> None:
    assert cards.fingerprint(own.card) == own.tls.certificate.fingerprint(SHA256()).hex()
    assert not cards.fingerprint(NO_CARD)
