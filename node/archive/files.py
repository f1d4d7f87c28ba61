"""The files of a log: opened or made, checked, locked, removed."""

import os
import sqlite3
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path

from node.archive.migrations import migrate
from node.archive.rows import APPLICATION, TABLES, VERSION
from node.errors import Complaint, DamagedFile, NewerFile, Unwritable

BUSY_S = 5.0


class FileInUse(Complaint):
    """{file} is in use by another process{pid}. End that one, or take another profile with
    --profile NAME.
    """

    reason = "FILE_IN_USE"
    status = "FAILED_PRECONDITION"


class Lock:
    """Keeps other processes from a log, until `release` or the death of this process.

    The lock is on a file of its own, `PATH.lock`, which stays and holds the process id.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.with_name(f"{path.name}.lock")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unwritable(file=path, text=error.strerror) from error
        try:
            flock(self._fd, LOCK_EX | LOCK_NB)
        except OSError as error:
            owner = os.read(self._fd, 20).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise FileInUse(file=path, pid=f" (pid {owner})" if owner else "") from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        flock(self._fd, LOCK_UN)
        os.close(self._fd)


def open_database(path: Path) -> sqlite3.Connection:
    """The log at `path`, made if it is not there.

    Raises `DamagedFile`, `NewerFile` or `Unwritable`, and has changed nothing then.
    """
    try:
        new = not path.exists()
        if new:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with path.open("r+b"):
            pass  # may it be written?
        base = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
    except (OSError, sqlite3.Error) as error:
        raise Unwritable(file=path, text=getattr(error, "strerror", None) or error) from error
    try:
        _prepare(base, path)
    except sqlite3.DatabaseError as error:
        base.close()
        if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
            raise Unwritable(file=path, text=error) from error
        raise DamagedFile(file=path, text=error) from error
    except BaseException:
        base.close()
        raise
    return base


def _prepare(base: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in base.execute("SELECT name FROM sqlite_schema")}
    application = base.execute("PRAGMA application_id").fetchone()[0]
    version = base.execute("PRAGMA user_version").fetchone()[0]
    if tables and application != APPLICATION:
        raise DamagedFile(file=path, text="it is the database of another program")
    if version > VERSION:
        raise NewerFile(file=path, text=f"its tables have version {version}, known is {VERSION}")
    if tables:
        said = base.execute("PRAGMA quick_check(1)").fetchone()[0]
        if said != "ok":
            raise DamagedFile(file=path, text=" ".join(str(said).split()))
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = NORMAL")
    base.execute("PRAGMA wal_autocheckpoint = 0")
    base.create_function("folded", 1, str.casefold, deterministic=True)
    if not tables:
        base.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            base.execute(table)
        base.execute(f"PRAGMA application_id = {APPLICATION}")
        base.execute(f"PRAGMA user_version = {VERSION}")
        base.execute("COMMIT")
    elif version < VERSION:
        migrate(base, version, VERSION)


def erase(path: Path) -> None:
    """Remove a closed log and all that belongs to it.  Harmless where there is none."""
    for suffix in ("", "-wal", "-shm", ".lock"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
