"""The file of the discovery services that a profile knows: node/trust/known.py."""

import base64
import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from node.errors import DiskFull, DiskUnreadable, Unreadable
from node.trust.known import FILE, Known, fingerprint

HERE, THERE = "127.0.0.1:50050", "[2001:db8::1]:50051"


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(tmp_path)


def line(address: str, certificate: bytes, hash: str = "") -> str:
    encoded = base64.b64encode(certificate).decode()
    return f"{address} sha256:{hash or hashlib.sha256(certificate).hexdigest()} {encoded}\n"


def test_nobody_is_known_at_first(known: Known, tmp_path: Path) -> None:
    assert known.certificate(HERE) == b""
    assert not known.has(b"")
    assert not known.has(b"one")
    assert not list(tmp_path.iterdir()), "and no file is made by asking"


def test_a_service_is_known_by_what_it_showed_first(known: Known, tmp_path: Path) -> None:
    known.keep(THERE, b"two")
    known.keep(HERE, b"one")
    for one in (known, Known(tmp_path)):
        assert (one.certificate(HERE), one.certificate(THERE)) == (b"one", b"two")
        assert (one.has(b"one"), one.has(b"two"), one.has(b"three")) == (True, True, False)
        assert one.certificate("127.0.0.1:50051") == b"", "the port counts"


def test_a_line_is_for_people_too_and_the_file_for_its_owner(known: Known, tmp_path: Path) -> None:
    known.keep(THERE, b"two")
    known.keep(HERE, b"one")
    file = tmp_path / FILE
    assert file.read_text() == line(HERE, b"one") + line(THERE, b"two")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert fingerprint(b"one") == hashlib.sha256(b"one").hexdigest()


def test_another_certificate_takes_the_place_of_the_one_before(known: Known) -> None:
    known.keep(HERE, b"one")
    known.keep(HERE, b"another")
    assert known.certificate(HERE) == b"another"
    assert not known.has(b"one")


def test_who_removes_a_line_lets_the_service_there_be_another_one(known: Known) -> None:
    known.keep(HERE, b"one")
    known.keep(THERE, b"two")
    known.file.write_text(line(THERE, b"two"))
    assert known.certificate(HERE) == b""
    assert not known.has(b"one")
    assert known.certificate(THERE) == b"two"
    known.keep(HERE, b"another")
    assert (known.certificate(HERE), known.certificate(THERE)) == (b"another", b"two")


@pytest.mark.parametrize(
    "damaged",
    [
        line(HERE, b"one", hash="0" * 64),
        line(HERE, b"one", hash="ab"),
        line(HERE, b"one").replace("sha256", "sha512"),
        line(HERE, b"one").replace(" b", " ?"),
        line(HERE, b"another one")[:-5] + "\n",
        f"{HERE} sha256:{fingerprint(b'one')} b25\n",
        f"{HERE}\n",
        "\n",
        "# as it was set up on Monday\n",
        "\x00\x1b[2J\n",
    ],
)
def test_a_line_that_is_damaged_is_passed_over(known: Known, damaged: str) -> None:
    known.file.write_text(damaged + line(THERE, b"two"))
    assert known.certificate(HERE) == b""
    assert not known.has(b"one")
    assert known.certificate(THERE) == b"two"


def test_a_file_that_is_no_text_knows_what_is_whole_in_it(known: Known) -> None:
    known.file.write_bytes(b"\xff\xfe\x00\n" + line(HERE, b"one").encode() + b"\xff")
    assert known.certificate(HERE) == b"one"


def test_blanks_and_the_end_of_a_line_do_not_matter(known: Known) -> None:
    known.file.write_bytes(b"  " + line(HERE, b"one").rstrip().encode() + b" \r\n")
    assert known.certificate(HERE) == b"one"


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.EACCES, Unreadable), (errno.EIO, DiskUnreadable)]
)
def test_a_file_that_cannot_be_read_says_so_and_is_not_written(
    known: Known, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    known.keep(HERE, b"one")
    before = known.file.read_bytes()

    def fails(*_: object, **__: object) -> str:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_text", fails)
        for look in (
            lambda: known.certificate(HERE),
            lambda: known.has(b"one"),
            lambda: known.keep(THERE, b"two"),
        ):
            with pytest.raises(kind, match=rf"{FILE} cannot be read: {os.strerror(code)}"):
                look()
    assert known.file.read_bytes() == before


def test_a_directory_in_its_place_cannot_be_read(known: Known) -> None:
    known.file.mkdir()
    with pytest.raises(Unreadable, match="Is a directory"):
        known.certificate(HERE)


def test_on_a_full_disk_the_file_stays_as_it_was(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.keep(HERE, b"one")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match=FILE):
        known.keep(THERE, b"two")
    assert known.file.read_text() == line(HERE, b"one")
    assert list(known.file.parent.iterdir()) == [known.file]
