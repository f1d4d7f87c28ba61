"""Records in a SQLite file.

Write-ahead log with synchronous=FULL: what was answered survives `kill -9` and loss of power.  The
file is locked against a second server, and checked when it is opened; one that is damaged, newer
than this program or not ours is refused and left as it is.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import Any, TypeVar

from nds.errors import StoreDamaged, StoreFull, StoreTooNew, StoreUnusable
from nds.record import Epoch, IdBlock, Kept, Record, start_generation
from nds.store.ports import Changed, Decide

T = TypeVar("T")

APPLICATION = 0x70326E64  # "p2nd": tells our files from other programs'
SCHEMA = 2
OWNER_BYTES = 32  # an identity
ROOM_MIN = 2**20  # bytes: with less than that a disk counts as full

TABLES = """
create table service (one integer primary key check (one = 1), generation integer not null) strict;
insert into service values (1, 0);
create table network (
  chat integer primary key,
  name text not null,
  mode integer not null,
  created_ms integer not null,
  generation integer not null,
  n integer not null,
  leader integer not null,
  address text not null,
  next_n integer not null,
  seen_ms integer not null,
  nonce text not null,        -- 64 bits without a sign: in hex
  first_id integer not null,
  id_count integer not null,
  answered integer not null,
  request text not null,
  deleted integer not null,
  claim_key blob not null,
  owner blob not null,        -- and before it who owned it earlier, 32 bytes each
  certificate blob not null,
  host text not null
) strict;
create unique index living_name on network (name) where not deleted;
create unique index creation on network (request) where request <> '';
"""
# From each schema to the next one.
MIGRATIONS = {
    1: (
        "alter table network add column claim_key blob not null default x''",
        "alter table network add column owner blob not null default x''",
        "alter table network add column certificate blob not null default x''",
        "alter table network add column host text not null default ''",
    ),
}
COLUMNS = re.findall(r"^  (\w+) ", TABLES, re.MULTILINE)
# Not "insert or replace": that would push out another network of the same name without a word.
_NAMES, _MARKS = ", ".join(COLUMNS), ", ".join("?" * len(COLUMNS))
KEEP = (
    f"insert into network ({_NAMES}) values ({_MARKS})"  # noqa: S608  names of the tables above
    f" on conflict (chat) do update set {', '.join(f'{c} = excluded.{c}' for c in COLUMNS[1:])}"
)
READ = f"select {_NAMES} from network where "  # noqa: S608  the same names


class SqliteStore:
    """A `Store` in the file at `path`, which is made if it does not exist."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = self._open()

    def start(self, now_ms: int) -> int:
        with self._transaction():
            generation = start_generation(self._generation(), now_ms)
            self._db.execute("update service set generation = ?", [generation])
        return generation

    def update(self, chat: int, decide: Decide[T], *, request: str = "") -> Changed[T]:
        with self._transaction():
            before = self.get(chat)
            if before is None and request:
                # In the words of the index, or it is not used.
                before = self._one("request = ? and request <> ''", request)
            generation = self._generation()

            def taken(name: str) -> bool:
                other = self.find(name)
                return other is not None and other.chat != chat

            decision = decide(Kept(before, generation, taken))
            if decision.generation != generation:
                self._db.execute("update service set generation = ?", [decision.generation])
            if decision.record is not None and decision.record != before:
                self._db.execute(KEEP, _row(decision.record))
        return Changed(before, decision.record, decision.reply)

    def get(self, chat: int) -> Record | None:
        return self._one("chat = ?", chat)

    def find(self, name: str) -> Record | None:
        return self._one("name = ? and not deleted", name)

    def page(self, after: str, limit: int, *, seen_from_ms: int) -> list[Record]:
        where = "name > ? and not deleted and seen_ms >= ? order by name limit ?"
        return self._many(where, after, seen_from_ms, limit)

    def last_seen(self, from_ms: int, before_ms: int) -> list[Record]:
        return self._many("not deleted and seen_ms >= ? and seen_ms < ?", from_ms, before_ms)

    def try_writing(self) -> None:
        with self._transaction():
            # An update of a row to what it was would write nothing.
            self._db.execute(f"pragma user_version = {SCHEMA}")

    def close(self) -> None:
        self._db.close()

    # --- opening ---------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        if not self._path.parent.exists():
            raise StoreUnusable(
                f"cannot write the store {self._path}: there is no directory {self._path.parent};"
                " make it, or name another file with --store"
            )
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreUnusable(f"cannot write the store {self._path}: {error.strerror}") from error
        db = sqlite3.connect(self._path, isolation_level=None, timeout=0, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Look before anything is written: the file may be somebody else's."""
        try:
            db.execute("pragma locking_mode = exclusive")
            application = self._pragma(db, "application_id")
            schema = self._pragma(db, "user_version")
            empty = not db.execute("select count(*) from sqlite_schema").fetchone()[0]
            if not (empty and application == 0) and application != APPLICATION:
                raise StoreDamaged(f"{self._path} is a database of another program; {_KEPT}")
            if schema > SCHEMA:
                raise StoreTooNew(
                    f"the store {self._path} was written by a newer version (schema {schema}, this"
                    f" program knows {SCHEMA}): install that version, or name another file"
                )
            found = db.execute("pragma quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found.splitlines()[-1])
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = full")
            self._create(db, SCHEMA if empty else schema, empty=empty)
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from error

    def _create(self, db: sqlite3.Connection, schema: int, *, empty: bool) -> None:
        """Make the tables in an empty file, bring those of before up to date; take the lock."""
        db.execute("begin exclusive")
        if empty:
            db.execute(f"pragma application_id = {APPLICATION}")
            db.execute(f"pragma user_version = {SCHEMA}")
            for statement in TABLES.split(";\n"):
                db.execute(statement)
        for older in range(schema, SCHEMA):
            for statement in MIGRATIONS[older]:
                db.execute(statement)
            db.execute(f"pragma user_version = {older + 1}")
        db.execute("select generation from service").fetchone()
        db.execute("commit")

    @staticmethod
    def _pragma(db: sqlite3.Connection, name: str) -> int:
        return int(db.execute(f"pragma {name}").fetchone()[0])

    def _failed(self, error: sqlite3.DatabaseError) -> StoreUnusable | StoreDamaged:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return StoreUnusable(f"the store {self._path} is in use by another process")
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}:
            return StoreDamaged(f"the store {self._path} is damaged ({error}); {_KEPT}")
        kind = StoreFull if code == sqlite3.SQLITE_FULL or self._cramped(code) else StoreUnusable
        return kind(f"cannot use the store {self._path}: {error}")

    def _cramped(self, code: int) -> bool:
        """Whether an I/O error is for want of room: SQLite says so of the file beside its log."""
        return code == sqlite3.SQLITE_IOERR and disk_usage(self._path.parent).free < ROOM_MIN

    # --- reading and writing ---------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
        except sqlite3.IntegrityError:
            raise  # a bug: the decisions keep names apart
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from error

    def _generation(self) -> int:
        return int(self._db.execute("select generation from service").fetchone()[0])

    def _one(self, where: str, value: int | str) -> Record | None:
        records = self._many(where, value)
        return records[0] if records else None

    def _many(self, where: str, *values: int | str) -> list[Record]:
        try:
            rows = self._db.execute(READ + where, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from error
        return [_record(row) for row in rows]


_KEPT = (
    "it is left as it is: move it away and start again (leaders bring their networks back within"
    " seconds), or put a backup in its place"
)


def _row(record: Record) -> tuple[int | str | bytes, ...]:
    return (
        record.chat,
        record.name,
        record.mode,
        record.created_ms,
        *record.epoch,
        record.leader,
        record.address,
        record.next_n,
        record.seen_ms,
        f"{record.nonce:x}",
        record.ids.first,
        record.ids.count,
        record.answered,
        record.request,
        record.deleted,
        record.claim_key,
        b"".join((*record.former, record.owner)),
        record.certificate,
        record.host,
    )


def _record(row: tuple[Any, ...]) -> Record:
    owners, size = row[17], OWNER_BYTES
    *former, owner = (owners[i : i + size] for i in range(0, len(owners) or 1, size))
    return Record(
        chat=row[0],
        name=row[1],
        mode=row[2],
        created_ms=row[3],
        epoch=Epoch(row[4], row[5]),
        leader=row[6],
        address=row[7],
        next_n=row[8],
        seen_ms=row[9],
        nonce=int(row[10], 16),
        ids=IdBlock(row[11], row[12]),
        answered=bool(row[13]),
        request=row[14],
        deleted=bool(row[15]),
        claim_key=row[16],
        owner=owner,
        certificate=row[18],
        host=row[19],
        former=tuple(former),
    )
