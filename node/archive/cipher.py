"""SQLite whose files are encrypted with a key of the profile (SQLCipher): what logs are kept in.

Without the key a file tells its length and nothing else.  One of before that was not encrypted can
be read all the same, and is encrypted when it is opened to be written.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from node.disk import refusal, sync_directory
from node.errors import DamagedLog

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlcipher3 import dbapi2 as sqlite3

__all__ = ["connect", "encrypt", "sqlite3"]

BUSY_S = 5.0
KEY_BYTES = 32


def connect(path: Path, key: bytes | None, mode: str = "rw") -> sqlite3.Connection:
    """A connection to the file at `path`, which must be there; None: it is not encrypted.

    Raises `Unwritable`.  With a wrong key the first statement fails, as for a file that is no
    database.  The file is opened by SQLite alone: whoever else closes it in this process gives up
    the locks that the process has on it, and with them what keeps others from a log in use.
    """
    try:
        base = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_S
        )
        base.execute("PRAGMA cipher_log_level = NONE")  # It writes to the terminal otherwise.
        if key is not None:
            base.execute(f"PRAGMA key = {_raw(key)}")
    except sqlite3.Error as error:
        raise refusal(path, error) from error
    return base


def encrypt(path: Path, key: bytes) -> None:
    """Puts an encrypted file in place of the plain one at `path`, at once.

    No connection to it may be open.  Raises `DamagedLog` or `Unwritable`, and it is as it was then.
    """
    fresh = path.with_name(f"{path.name}.fresh")
    fresh.unlink(missing_ok=True)
    try:
        base = connect(path, None)
        try:
            _export(base, fresh, key)
        finally:
            base.close()
        if (wal := path.with_name(f"{path.name}-wal")).exists() and wal.stat().st_size:
            raise DamagedLog(file=path, text=f"{wal.name} beside it cannot be moved into it")
        fresh.replace(path)
        sync_directory(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise refusal(path, error) from error
    finally:
        fresh.unlink(missing_ok=True)


def _export(base: sqlite3.Connection, fresh: Path, key: bytes) -> None:
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    base.execute("PRAGMA journal_mode = DELETE").fetchall()
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    base.execute(f"ATTACH ? AS fresh KEY {_raw(key)}", [str(fresh)])
    base.execute("SELECT sqlcipher_export('fresh')").fetchall()
    for name in ("application_id", "user_version"):  # What an export leaves out.
        (number,) = base.execute(f"PRAGMA main.{name}").fetchone()
        base.execute(f"PRAGMA fresh.{name} = {number}")
    base.execute("DETACH fresh")


def _raw(key: bytes) -> str:
    """The key as it stands in a statement; it is used as it is, and not made of a password."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"the key of a log must have {KEY_BYTES} bytes, not {len(key)}")
    return f"\"x'{key.hex()}'\""
