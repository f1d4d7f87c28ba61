"""Whether a log is sound, and how large: read only, beside a node that runs, or with none."""

from contextlib import closing
from pathlib import Path

from msgspec import Struct

from node.archive import rows, values
from node.archive.cipher import connect, sqlite3
from node.archive.files import refuse_directory, refuse_orphan, size_of, unsound
from node.archive.rows import APPLICATION, VERSION
from node.core.conversation import Kind
from node.core.effects import Meta
from node.disk import refusal
from node.errors import Complaint, DamagedLog, EmptyLog, MissingLog, NewerFile

IN_RUNS = 5  # the version from which on a row of posts tells of several messages ...
OF_LINES = 7  # ... and a message has several lines
_WAITS = """SELECT 1 FROM post WHERE settled = 0 AND post.source = message.source
    AND post.incarnation = message.incarnation AND post.random = message.random
    AND post.last >= message.seq AND post.first <= message.seq"""


class Health(Struct, frozen=True):
    """What was found in a log; sizes in bytes."""

    version: int
    lines: int
    waiting: int  # own lines that somebody alive lacks
    size: int
    wal: int  # what is still to be moved into the file
    chat: int = 0  # whose log it is; 0 where it does not say


def examine(path: Path, key: bytes) -> Health:
    """Looks through the whole log at `path`, which this key opens, and changes nothing in it.

    Raises:
        DamagedLog, NewerFile: it cannot be gone on with.
        MissingLog: there is none; it is made anew.
        EmptyLog: there is nothing in it, as where its making was cut off; it is made anew.
        Unwritable: it cannot be opened.
    """
    if not path.exists():
        raise MissingLog(file=path)
    refuse_directory(path)
    refuse_orphan(path)
    size, wal = size_of(path), _wal(path)
    with closing(_reading(path, key)) as base:
        try:
            version, lines, waiting = _read(base, path)
            meta = _meta(base)
        except sqlite3.Error as error:
            raise refusal(path, error) from error
        except ValueError as error:
            raise DamagedLog(file=path, text=error) from error
    return Health(version, lines, waiting, size, wal, meta.chat if meta else 0)


def is_begun(path: Path, key: bytes) -> bool:
    """Whether somebody was ever a member of a chat by this log, as far as it can be read: true
    where it cannot.  Changes nothing in it.
    """
    if not size_of(path) and not _wal(path):
        return False
    try:
        with closing(_reading(path, key)) as base:
            meta = _meta(base)
    except (sqlite3.Error, ValueError, Complaint):
        return True
    return meta is not None and bool(meta.member or meta.left_ids)


def _wal(path: Path) -> int:
    return size_of(path.with_name(f"{path.name}-wal"))


def _reading(path: Path, key: bytes) -> sqlite3.Connection:
    # With nothing beside it the file is all there is, and nothing has to be made there to read it.
    alone = not _wal(path) and not path.with_name(f"{path.name}-shm").exists()
    mode = "ro&immutable=1" if alone else "ro"
    base = connect(path, key, mode)
    try:
        base.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_NOTADB:
            return base
        base.close()
        return connect(path, None, mode)  # as before logs were encrypted
    return base


def _read(base: sqlite3.Connection, path: Path) -> tuple[int, int, int]:
    application = base.execute("PRAGMA application_id").fetchone()[0]
    version = base.execute("PRAGMA user_version").fetchone()[0]
    if not application and not base.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise EmptyLog(file=path)
    if application != APPLICATION:
        raise DamagedLog(file=path, text="it is no log of p2pchat")
    if version > VERSION:
        raise NewerFile(file=path, text=f"its tables have version {version}, known is {VERSION}")
    if fault := unsound(base):
        raise DamagedLog(file=path, text=fault)
    each = "coalesce(sum(json_array_length(texts)), 0)" if version >= OF_LINES else "count(*)"
    said = f"kind <= {int(Kind.ACTION)}"  # and not a change of what was
    lines = base.execute(f"SELECT {each} FROM message WHERE {said}").fetchone()[0]
    if version >= OF_LINES:
        waiting = base.execute(f"SELECT {each} FROM message WHERE EXISTS ({_WAITS})").fetchone()[0]
    else:
        many = "coalesce(sum(last - first + 1), 0)" if version >= IN_RUNS else "count(*)"
        waiting = base.execute(f"SELECT {many} FROM post WHERE settled = 0").fetchone()[0]
    return version, lines, waiting


def _meta(base: sqlite3.Connection) -> Meta | None:
    """None where there is none yet.  Raises ValueError where it cannot be understood."""
    row = base.execute(rows.ONE_STATE, ("meta",)).fetchone()
    return values.read(Meta, row[0]) if row else None
