"""What a disk that refuses says: node/disk.py, by its errors and by real files."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from node import disk
from node.archive import SqliteArchive
from node.core.effects import StoreMessages
from node.errors import (
    Complaint,
    DamagedLog,
    DiskFailed,
    DiskFull,
    DiskReadOnly,
    ForeignLog,
    Unwritable,
)
from tests.logs import KEY
from tests.node.test_archive import line

FILE = Path("/nowhere/a.db")


def said(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "while_open", "at_opening"),
    [
        (OSError(errno.ENOSPC, "no space"), DiskFull, DiskFull),
        (OSError(errno.EDQUOT, "quota"), DiskFull, DiskFull),
        (OSError(errno.EROFS, "read-only"), DiskReadOnly, DiskReadOnly),
        (OSError(errno.EIO, "i/o"), DiskFailed, DiskFailed),
        (OSError(errno.EACCES, "denied"), DiskFailed, Unwritable),
        (said(sqlite3.SQLITE_FULL), DiskFull, DiskFull),
        (said(sqlite3.SQLITE_READONLY), DiskReadOnly, DiskReadOnly),
        (said(sqlite3.SQLITE_READONLY_DBMOVED), DiskReadOnly, DiskReadOnly),
        (said(sqlite3.SQLITE_IOERR_WRITE), DiskFailed, DiskFailed),
        (said(sqlite3.SQLITE_BUSY), DiskFailed, DiskFailed),
        (said(sqlite3.SQLITE_CORRUPT), DiskFailed, DamagedLog),
        (said(sqlite3.SQLITE_NOTADB), DiskFailed, ForeignLog),
        (said(sqlite3.SQLITE_CANTOPEN), DiskFailed, Unwritable),
    ],
    ids=str,
)
def test_each_error_has_its_complaint(
    error: OSError | sqlite3.Error,
    while_open: type[Complaint],
    at_opening: type[Complaint],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk, "room", lambda _: 2**30)
    failure, refusal = disk.failure(FILE, error), disk.refusal(FILE, error)
    assert (type(failure), type(refusal)) == (while_open, at_opening)
    assert str(FILE) in str(failure)
    assert str(FILE) in str(refusal)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN])
def test_what_cannot_be_made_for_want_of_room_is_a_full_disk(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "room", lambda _: 4_096)
    assert isinstance(disk.refusal(FILE, said(code)), DiskFull)


def test_the_room_is_that_of_the_disk_below(tmp_path: Path) -> None:
    assert disk.room(tmp_path) > 0
    assert disk.room(tmp_path / "not-yet") > 0
    assert disk.room(FILE) == 0


def test_a_lock_that_was_signed_needs_no_room(tmp_path: Path) -> None:
    file = tmp_path / "node.lock"
    file.write_text("4294967295\n")
    descriptor = os.open(file, os.O_RDWR)
    disk.sign(descriptor)
    os.close(descriptor)
    assert file.read_text() == f"{os.getpid()}\n"


def test_a_log_that_must_not_be_written_says_so(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    archive._base.execute("PRAGMA query_only = 1")
    with pytest.raises(DiskReadOnly, match=r"a\.db cannot be written"):
        archive.append([StoreMessages((line(1),))])
    assert archive.load().messages == ()
    archive.reopen(check=False)
    archive.append([StoreMessages((line(1),))])
    assert archive.load().messages == (line(1),)
    archive.close()
