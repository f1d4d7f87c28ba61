"""Older tables are brought to the newest version when a log is opened: all in one transaction.

Each step leads from one version to the next, and is never changed once it was released.
"""

import sqlite3

from node.archive.posts import POSTS

MARKS = (
    """CREATE TABLE floor (
        source INTEGER PRIMARY KEY,
        incarnation INTEGER NOT NULL, random INTEGER NOT NULL, seq INTEGER NOT NULL,
        hash INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE hole (
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (source, incarnation, random, seq)
    ) STRICT, WITHOUT ROWID""",
)

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

STEPS = {
    1: MARKS,
    2: WHO_LACKS,
    3: IDS_IN_MEMORY,
    4: POSTS_IN_RUNS,
    5: (),  # Members' records may hold a card, which a program of before cannot read.
}  # statements, by the version that they start from


def migrate(base: sqlite3.Connection, version: int, newest: int) -> None:
    """Bring the tables of `version` to `newest`.  Raises sqlite3.Error, and nothing was changed."""
    base.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, newest):
            for statement in STEPS[step]:
                base.execute(statement)
        base.execute(f"PRAGMA user_version = {newest}")
        base.execute("COMMIT")
    except BaseException:
        if base.in_transaction:
            base.execute("ROLLBACK")
        raise
