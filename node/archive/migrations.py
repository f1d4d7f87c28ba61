"""Older tables are brought to the newest version when a log is opened: all in one transaction.

Each step leads from one version to the next, and is never changed once it was released.
"""

import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, TypeAlias

from node.archive.cipher import sqlite3
from node.archive.posts import POSTS
from node.core.sums import SUM_BYTES

Step: TypeAlias = str | Callable[[sqlite3.Connection], None]

HOLE = """CREATE TABLE hole (
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (source, incarnation, random, seq)
    ) STRICT, WITHOUT ROWID"""
MARKS = (
    """CREATE TABLE floor (
        source INTEGER PRIMARY KEY,
        incarnation INTEGER NOT NULL, random INTEGER NOT NULL, seq INTEGER NOT NULL,
        hash INTEGER NOT NULL
    ) STRICT""",
    HOLE,
)
FLOOR = """CREATE TABLE floor (
        source INTEGER PRIMARY KEY,
        incarnation INTEGER NOT NULL, random INTEGER NOT NULL, seq INTEGER NOT NULL,
        sum BLOB NOT NULL
    ) STRICT"""

ONE_BY_ONE = (
    """CREATE TABLE post (
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        counted TEXT NOT NULL, acked TEXT NOT NULL, settled INTEGER NOT NULL,
        lacking TEXT NOT NULL,
        PRIMARY KEY (source, incarnation, random, seq)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX post_waiting ON post (settled) WHERE settled = 0",
)
WHO_LACKS = (  # Members that do not count are listed too, where they have it or lack it.
    "DROP INDEX post_waiting",
    "ALTER TABLE post RENAME TO post_before",
    *ONE_BY_ONE,
    """INSERT INTO post SELECT *, (SELECT json_group_array(one.value)
        FROM json_each(counted) AS one
        WHERE one.value NOT IN (SELECT value FROM json_each(acked))) FROM post_before""",
    "DROP TABLE post_before",
)

NAMESAKES = (
    """CREATE TABLE namesake (
        id TEXT NOT NULL, source INTEGER NOT NULL, arrival INTEGER NOT NULL,
        PRIMARY KEY (id, source, arrival)
    ) STRICT, WITHOUT ROWID""",
)
IDS_IN_MEMORY = (  # In the file only those remain that several messages have.
    *NAMESAKES,
    """INSERT INTO namesake SELECT id, source, arrival FROM message
        WHERE id IN (SELECT id FROM message GROUP BY id HAVING count(*) > 1)""",
    "DROP INDEX message_id",
)

POSTS_IN_RUNS = (  # What consecutive messages have in common stands in one row.
    "DROP INDEX post_waiting",
    "ALTER TABLE post RENAME TO post_before",
    *POSTS,
    """INSERT INTO post
        SELECT source, incarnation, random, seq, seq, counted, acked, settled, lacking
        FROM post_before""",
    "DROP TABLE post_before",
)

MESSAGES = (
    """CREATE TABLE message (
        arrival INTEGER PRIMARY KEY,
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        ms INTEGER NOT NULL, counter INTEGER NOT NULL,
        ids TEXT NOT NULL, texts TEXT NOT NULL, deps BLOB NOT NULL, sent INTEGER NOT NULL,
        generation INTEGER NOT NULL, n INTEGER NOT NULL, kind INTEGER NOT NULL,
        salts BLOB NOT NULL, signature BLOB NOT NULL, stored_ms INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX message_key ON message (source, incarnation, random, seq)",
    "CREATE INDEX message_place ON message (ms, counter, source, incarnation, random, seq)",
)
_DEP = struct.Struct("<QQIQ")
_LATER = """SELECT incarnation, random, seq, id, ms, counter, deps, sent, generation, n, kind, text
    FROM message WHERE source = ? AND (incarnation, random, seq) > (?, ?, ?)
    ORDER BY incarnation, random, seq"""


def count_as_trimmed(base: sqlite3.Connection) -> None:
    """Raise each author's floor to its last line: what was said before lines were signed stays to
    be read, and nobody is to take it from others any more.

    Own lines from the first one on that somebody lacks stay above: their author can sign them.
    """
    sources = [source for (source,) in base.execute("SELECT DISTINCT source FROM message")]
    for source in sources:
        found = base.execute("SELECT * FROM floor WHERE source = ?", [source]).fetchone()
        *at, hash = found[1:] if found else (0, 0, 0, 0)
        waiting = base.execute(
            """SELECT incarnation, random, first FROM post
            WHERE source = ? AND (settled = 0 OR lacking <> '[]')
            ORDER BY incarnation, random, first LIMIT 1""",
            [source],
        ).fetchone()
        last = tuple(at)
        for row in base.execute(_LATER, [source, *at]):
            if waiting is not None and row[:3] >= waiting:
                break
            last = row[:3]
            hash ^= _hash_before(source, row)
        if last != tuple(at):
            base.execute(
                "INSERT OR REPLACE INTO floor VALUES (?, ?, ?, ?, ?)", [source, *last, hash]
            )


def _hash_before(source: int, row: tuple[Any, ...]) -> int:
    """How a line counted before lines were signed: 64 bits, as a column holds them."""
    incarnation, random, seq, id, ms, counter, packed, sent, generation, n, kind, text = row
    deps = "".join(f"{a}.{b}.{c}.{d};" for a, b, c, d in _DEP.iter_unpack(packed))
    said = (
        f"{source}|{incarnation}|{random}|{seq}|{id}|{ms}|{counter}|{deps}"
        f"|{sent}|{generation}|{n}|{kind}|{text}"
    )
    return int.from_bytes(blake2b(said.encode(), digest_size=8).digest(), signed=True)


SEVERAL_LINES: tuple[Step, ...] = (  # A message has as many lines as were said at once.
    count_as_trimmed,
    "DROP INDEX message_key",
    "DROP INDEX message_place",
    "ALTER TABLE message RENAME TO message_before",
    *MESSAGES,
    """INSERT INTO message
        SELECT arrival, source, incarnation, random, seq, ms, counter, id, json_array(text), deps,
        sent, generation, n, kind, x'', x'', stored_ms FROM message_before""",
    "DROP TABLE message_before",
    "DROP TABLE namesake",  # They are known as soon as the log was read.
)

# Those that an author knew of; none before there were decisions.
HEADS = ("ALTER TABLE message ADD COLUMN heads BLOB NOT NULL DEFAULT x''",)
CHANGES = (  # A text can be erased, and another one stand in its place.
    "ALTER TABLE message ADD COLUMN about BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE message ADD COLUMN erased BLOB NOT NULL DEFAULT x''",
    """CREATE TABLE edit (
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        seq INTEGER NOT NULL, line INTEGER NOT NULL,
        by_source INTEGER NOT NULL, by_incarnation INTEGER NOT NULL, by_random INTEGER NOT NULL,
        by_seq INTEGER NOT NULL,
        PRIMARY KEY (source, incarnation, random, seq, line)
    ) STRICT, WITHOUT ROWID""",
)

WENT = (  # What others count as trimmed may never have come here.
    """CREATE TABLE trimmed (
        source INTEGER PRIMARY KEY,
        incarnation INTEGER NOT NULL, random INTEGER NOT NULL, seq INTEGER NOT NULL
    ) STRICT""",
)


def widen_floors(base: sqlite3.Connection) -> None:
    """What was trimmed is gone: the hash of before stands for its sum."""
    for *mark, hash in base.execute("SELECT * FROM floor_before").fetchall():
        total = (hash % 2**64).to_bytes(SUM_BYTES)
        base.execute("INSERT INTO floor VALUES (?, ?, ?, ?, ?)", [*mark, total])


SUMS: tuple[Step, ...] = (  # A floor is not over an exclusive or any more.
    "ALTER TABLE floor RENAME TO floor_before",
    FLOOR,
    widen_floors,
    "DROP TABLE floor_before",
)

STEPS: dict[int, tuple[Step, ...]] = {
    1: MARKS,
    2: WHO_LACKS,
    3: IDS_IN_MEMORY,
    4: POSTS_IN_RUNS,
    5: (),  # Members' records may hold a card, which a program of before cannot read.
    6: SEVERAL_LINES,
    7: (*HEADS, *CHANGES),
    8: (*WENT, "INSERT INTO trimmed SELECT source, incarnation, random, seq FROM floor"),
    9: SUMS,
}  # statements, by the version that they start from


def migrate(base: sqlite3.Connection, version: int, newest: int) -> None:
    """Bring the tables of `version` to `newest`.  Raises sqlite3.Error, and nothing was changed."""
    base.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, newest):
            for statement in STEPS[step]:
                if callable(statement):
                    statement(base)
                else:
                    base.execute(statement)
        base.execute(f"PRAGMA user_version = {newest}")
        base.execute("COMMIT")
    except BaseException:
        if base.in_transaction:
            base.execute("ROLLBACK")
        raise
