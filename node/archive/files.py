"""The files of a log: opened or made, checked, locked, removed."""

import os
from contextlib import closing
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from pathlib import Path

from node.archive.cipher import connect, encrypt, sqlite3
from node.archive.migrations import migrate
from node.archive.rows import APPLICATION, TABLES, VERSION, holds
from node.disk import is_plain, refusal, sign, sync_directory
from node.errors import Complaint, DamagedLog, NewerFile, NotAFile

WAL_KEPT = 4 * 2**20  # bytes that an emptied write-ahead log keeps


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
            raise refusal(path, error) from error
        try:
            flock(self._fd, LOCK_EX | LOCK_NB)
        except OSError as error:
            owner = os.read(self._fd, 20).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise FileInUse(file=path, pid=f" (pid {owner})" if owner else "") from error
        try:
            sign(self._fd)
        except OSError as error:
            self.release()
            raise refusal(path, error) from error

    def release(self) -> None:
        flock(self._fd, LOCK_UN)
        os.close(self._fd)


def open_database(path: Path, key: bytes, *, power: bool = False) -> sqlite3.Connection:
    """The log at `path`, encrypted with that key; made if it is not there.

    `power`: what is committed survives the loss of power, not only the death of the process.
    Raises `DamagedLog`, `NewerFile` or `Unwritable`, and has changed nothing then.  No connection
    to the file may be open in this process.
    """
    new = not path.exists()
    if not new:
        refuse_directory(path)
        refuse_orphan(path)
    try:
        if new:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            if power:
                sync_directory(path.parent)
        with path.open("r+b"):
            pass  # may it be written?
        if is_plain(path):
            with closing(connect(path, None)) as plain:
                _check_ours(plain, path, check=True)
            encrypt(path, key)
        return prepared(connect(path, key), path, power=power, check=True)
    except BaseException as error:
        if new:
            remove(path)
        if isinstance(error, OSError):
            raise refusal(path, error) from error
        raise


def refuse_directory(path: Path) -> None:
    """Raises `NotAFile` where a directory stands in its place."""
    if path.is_dir():
        raise NotAFile(file=path)


def refuse_orphan(path: Path) -> None:
    """Raises `DamagedLog` where only the write-ahead log has something: SQLite would remove it."""
    wal = path.with_name(f"{path.name}-wal")
    if not size_of(path) and size_of(wal):
        raise DamagedLog(file=path, text=f"it is empty, and {wal.name} beside it is not")


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def prepared(
    base: sqlite3.Connection, path: Path, *, power: bool, check: bool
) -> sqlite3.Connection:
    """`base`, ready for a log; `check`: found to be sound.  Closed again where that fails.

    Raises `DamagedLog`, `NewerFile` or `Unwritable`.
    """
    try:
        _prepare(base, path, power, check)
    except sqlite3.Error as error:
        base.close()
        raise refusal(path, error) from error
    except BaseException:
        base.close()
        raise
    return base


def _check_ours(base: sqlite3.Connection, path: Path, *, check: bool) -> tuple[bool, int]:
    """Whether there are tables in it, and of which version.  Raises `DamagedLog` or `NewerFile`."""
    tables = {name for (name,) in base.execute("SELECT name FROM sqlite_schema")}
    application = base.execute("PRAGMA application_id").fetchone()[0]
    version = base.execute("PRAGMA user_version").fetchone()[0]
    if tables and application != APPLICATION:
        raise DamagedLog(file=path, text="it is the database of another program")
    if version > VERSION:
        raise NewerFile(file=path, text=f"its tables have version {version}, known is {VERSION}")
    if tables and check and (fault := unsound(base)):
        raise DamagedLog(file=path, text=fault)
    return bool(tables), version


def _prepare(base: sqlite3.Connection, path: Path, power: bool, check: bool) -> None:
    has_tables, version = _check_ours(base, path, check=check)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute(f"PRAGMA synchronous = {'FULL' if power else 'NORMAL'}")
    base.execute("PRAGMA wal_autocheckpoint = 0")
    base.execute(f"PRAGMA journal_size_limit = {WAL_KEPT}")
    base.create_function("holds", 2, holds, deterministic=True)
    if not has_tables:
        base.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            base.execute(table)
        base.execute(f"PRAGMA application_id = {APPLICATION}")
        base.execute(f"PRAGMA user_version = {VERSION}")
        base.execute("COMMIT")
    elif version < VERSION:
        migrate(base, version, VERSION)


def unsound(base: sqlite3.Connection) -> str:
    """The first fault in the structure of a file; empty for none."""
    said = str(base.execute("PRAGMA quick_check(1)").fetchone()[0])
    return "" if said == "ok" else " ".join(said.split())


def remove(path: Path) -> None:
    """Remove a closed log, but for its lock.  Harmless where there is none."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def erase(path: Path) -> None:
    """Remove a closed log and all that belongs to it.  Harmless where there is none."""
    remove(path)
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
