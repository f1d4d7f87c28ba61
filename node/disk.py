"""What a disk that refuses says, as a complaint; its free room; how a file is made to last."""

import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import (
    DamagedLog,
    DiskFailed,
    DiskFull,
    DiskReadOnly,
    DiskUnreadable,
    ForeignLog,
    Unreadable,
    Unwritable,
)

if TYPE_CHECKING:  # Not every face needs it.
    import sqlite3

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
LOGS = "chats"  # the directory of a profile that its logs are in
ROOM_MIN = 2**20  # bytes: with less than that a disk counts as full

_PLAIN = b"SQLite format 3\0"  # how a file begins that is not encrypted

# Primary result codes of SQLite.
_PERM, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _AUTH, _NOTADB = 3, 8, 10, 11, 13, 14, 23, 26
_PLACE = (_CANTOPEN, _PERM, _AUTH)


def failure(file: Path, error: "OSError | sqlite3.Error") -> DiskFailed:
    """Why what was open could not be written or read."""
    if isinstance(error, OSError):
        text: object = error.strerror or error
        full, fixed = error.errno in NO_ROOM, error.errno == errno.EROFS
    else:
        text, code = error, _code(error)
        # The file beside the write-ahead log cannot grow: that is said as an I/O error.
        cramped = code == _IOERR and room(file) < ROOM_MIN
        full = code == _FULL or cramped
        fixed = code == _READONLY
    kind = DiskFull if full else DiskReadOnly if fixed else DiskFailed
    return kind(file=file, text=text)


def refusal(file: Path, error: "OSError | sqlite3.Error") -> Unwritable | DamagedLog:
    """Why a file could not be opened or made."""
    if isinstance(error, OSError):
        if error.errno in (*NO_ROOM, errno.EROFS, errno.EIO):
            return failure(file, error)
        return Unwritable(file=file, text=error.strerror or error)
    code = _code(error)
    if code == _NOTADB:
        return ForeignLog(file=file)
    if code == _CORRUPT:
        return DamagedLog(file=file, text=error)
    if code in _PLACE:
        full = room(file) < ROOM_MIN
        return DiskFull(file=file, text=error) if full else Unwritable(file=file, text=error)
    return failure(file, error)


def is_plain(path: Path) -> bool:
    """Whether there is a file that is not encrypted."""
    try:
        with path.open("rb") as file:
            return file.read(len(_PLAIN)) == _PLAIN
    except OSError:
        return False


def unread(file: Path, error: OSError) -> DiskUnreadable | Unreadable:
    """Why a file that is read as a whole was not: that says nothing against what is in it."""
    kind = DiskUnreadable if error.errno == errno.EIO else Unreadable
    return kind(file=file, text=error.strerror or error)


def _code(error: "sqlite3.Error") -> int:
    """The primary result code; 0 where the library was not asked."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def room(file: Path) -> int:
    """Free bytes for this user on the disk of `file`, or of the directory that it is to be in.

    0 where that cannot be told.
    """
    place = file if file.is_dir() else file.parent
    try:
        found = os.statvfs(place)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def is_read_only(place: Path) -> bool:
    """Whether the disk of that directory can only be read; False where that cannot be told."""
    try:
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def sync_directory(directory: Path) -> None:
    """New names in `directory` survive the loss of power from now on.  Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sign(descriptor: int) -> None:
    """Our process id as the whole content of a lock's file.  Raises OSError.

    A file that was signed before has the room for it, also on a full disk.
    """
    signed = f"{os.getpid()}\n".encode()
    os.pwrite(descriptor, signed, 0)
    os.ftruncate(descriptor, len(signed))


def replace_file(file: Path, content: bytes) -> None:
    """Puts `content` in place of `file` at once, readable by its owner only.

    Of several writers at once the last one's content stands, whole.

    Raises:
        Unwritable: the disk refuses.
    """
    fresh = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        fresh = Path(name)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError as error:
        if fresh is not None:
            fresh.unlink(missing_ok=True)
        raise refusal(file, error) from error
