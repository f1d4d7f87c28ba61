"""Tries node/archive: floors and holes, what is trimmed, and node/archive/migrations.py."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from msgspec.structs import replace

from node.archive import Archive, MemoryArchive, SqliteArchive, Unread
from node.archive.files import open_database
from node.archive.migrations import MARKS, NAMESAKES, STEPS, migrate
from node.archive.posts import POSTS
from node.archive.rows import APPLICATION, TABLES, VERSION
from node.core.effects import StoreMarks, StoreMessages, StoreMeta, StorePost, StoreRoster, Trim
from node.core.types import Floor, Key, Post, Stream
from tests.node.test_archive import ANNA, BOB, ME, META, STREAM, keep, line, texts
from tests.node.wire_values import ROSTER

LATER = Stream(STREAM.incarnation + 1, 0)


@pytest.fixture(params=["memory", "sqlite"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    made: Archive = (
        MemoryArchive() if request.param == "memory" else SqliteArchive(tmp_path / "a.db")
    )
    yield made
    made.close()


def nobody(text: str) -> bool:
    return False


def test_of_a_source_the_last_floor_is_remembered_and_holes_add_up(archive: Archive) -> None:
    assert (archive.load().floors, archive.load().holes) == ((), ())
    first, holes = Floor(ANNA, STREAM, 3, 2**64 - 1), (Key(BOB, STREAM, 1), Key(BOB, STREAM, 2))
    archive.append([StoreMarks((first, Floor(BOB, STREAM, 1, 0)), holes[:1])])
    second = Floor(ANNA, LATER, 1, 2**63)
    archive.append([StoreMarks((second,), holes)])
    remembered = archive.load()
    assert set(remembered.floors) == {second, Floor(BOB, STREAM, 1, 0)}
    assert sorted(remembered.holes) == sorted(holes)


def test_what_is_trimmed_is_gone_for_everyone_who_reads(archive: Archive) -> None:
    keep(archive, *(line(n) for n in range(1, 6)), *(line(n, source=BOB) for n in range(1, 3)))
    keep(archive, replace(line(1), key=Key(ANNA, LATER, 1), id=str(UUID(int=7))))
    archive.append([Trim((line(3).key, line(1, source=BOB).key))])
    left = {(m.key.source, m.key.stream, m.key.seq) for m in archive.load().messages}
    assert left == {(ANNA, STREAM, 4), (ANNA, STREAM, 5), (ANNA, LATER, 1), (BOB, STREAM, 2)}
    assert archive.read([line(3).key, line(4).key]) == [line(4)]
    assert texts(archive.page(count=9))[1:] == ["line 2", "line 4", "line 5"]
    assert archive.find(line(3).id) == []
    assert archive.stored_at(line(3).key) == 0
    archive.append([Trim((Key(ANNA, LATER, 9),))])
    assert texts(archive.page(count=9)) == ["line 2"], "earlier streams as a whole"


def test_ids_that_several_had_leave_nothing_in_the_file_once_those_are_trimmed(
    tmp_path: Path,
) -> None:
    archive = SqliteArchive(tmp_path / "a.db")

    def namesakes() -> int:
        return int(archive._base.execute("SELECT count(*) FROM namesake").fetchone()[0])

    keep(archive, line(1, id=7), line(2, id=7), line(3))
    assert namesakes() == 2
    archive.append([Trim((line(2).key,))])
    assert namesakes() == 0
    archive.close()


def test_where_the_lower_of_two_with_one_id_is_trimmed_the_other_is_shown(
    archive: Archive,
) -> None:
    one, two = line(1, id=7), replace(line(9, id=7), key=Key(ANNA, LATER, 1))
    keep(archive, one, line(2), two, line(3, source=BOB, id=7))
    assert archive.find(one.id) == [one, line(3, source=BOB, id=7)]
    archive.append([Trim((one.key,))])
    assert archive.find(one.id) == [line(3, source=BOB, id=7), two]
    assert archive.page(count=9) == [line(2), line(3, source=BOB, id=7), two]
    keep(archive, replace(line(4, id=7), key=Key(ANNA, LATER, 2)))
    assert texts(archive.find(one.id)) == ["line 3", "line 4"]
    archive.append([Trim((two.key, line(3, source=BOB).key))])
    assert texts(archive.find(one.id)) == ["line 4"]


def test_how_trimmed_lines_went_is_forgotten(archive: Archive) -> None:
    posts = [Post(Key(ME, STREAM, n), (ANNA,), (), settled=True) for n in (1, 2)]
    archive.append([StorePost(post) for post in posts])
    archive.append([Trim((posts[0].key,))])
    assert archive.posts([post.key for post in posts]) == {posts[1].key: posts[1]}
    assert archive.load().posts == (posts[1],)


def test_what_was_trimmed_is_not_unread_and_what_comes_then_is(archive: Archive) -> None:
    keep(archive, *(line(n) for n in range(1, 4)))
    assert archive.unread(ME, nobody).count == 3
    archive.append([Trim((line(1).key,))])
    assert archive.unread(ME, nobody) == Unread(2, 0)
    archive.mark_read()
    archive.append([Trim((line(3).key,))])
    keep(archive, line(4))
    assert archive.unread(ME, nobody).count == 1, "though it takes the place of what was read"
    keep(archive, line(5))
    assert archive.unread(ME, nobody).count == 2


def test_one_turn_stores_marks_and_trims_together_or_not_at_all(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db")
    keep(archive, line(1), line(2))
    archive._base.execute("DROP TABLE post")
    with pytest.raises(Exception, match="post"):
        archive.append([StoreMarks((Floor(ANNA, STREAM, 1, 5),)), Trim((line(1).key,))])
    assert archive._base.execute("SELECT count(*) FROM message").fetchone() == (2,)
    assert archive._base.execute("SELECT count(*) FROM floor").fetchone() == (0,)
    archive.close()


def test_freed_pages_are_used_again(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db")
    step, text = 500, "x" * 400

    def pages() -> int:
        return int(archive._base.execute("PRAGMA page_count").fetchone()[0])

    for start in range(1, 10_000, step):
        lines = tuple(line(n, text=text) for n in range(start, start + step))
        archive.append([StoreMessages(lines), Trim((Key(ANNA, STREAM, start - 1),))])
        if start == 1 + 4 * step:
            before = pages()
    assert pages() <= before * 1.3
    archive.close()


# ---- older tables --------------------------------------------------------------------------------

# The tables as the first version made them.
FIRST = (
    """CREATE TABLE message (
        arrival INTEGER PRIMARY KEY,
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        ms INTEGER NOT NULL, counter INTEGER NOT NULL,
        id TEXT NOT NULL, text TEXT NOT NULL, deps BLOB NOT NULL, sent INTEGER NOT NULL,
        generation INTEGER NOT NULL, n INTEGER NOT NULL, kind INTEGER NOT NULL,
        stored_ms INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX message_key ON message (source, incarnation, random, seq)",
    "CREATE INDEX message_place ON message (ms, counter, source, incarnation, random, seq)",
    "CREATE INDEX message_id ON message (id, source)",
    """CREATE TABLE post (
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        counted TEXT NOT NULL, acked TEXT NOT NULL, settled INTEGER NOT NULL,
        PRIMARY KEY (source, incarnation, random, seq)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX post_waiting ON post (settled) WHERE settled = 0",
    "CREATE TABLE member (id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT",
    "CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
)


# What kept them had lines that everyone had, that one lacked, and that waited for one.
OLD_POSTS = [(1, [ANNA], [ANNA], 1), (2, [ANNA, ME], [ME], 1), (3, [ANNA, ME], [], 0)]


def first_version(path: Path) -> None:
    """A log of the first version with something in it."""
    SqliteArchive(path).close()
    archive = SqliteArchive(path)
    archive.append([StoreMeta(META), StoreRoster(ROSTER), StoreMessages((line(1), line(2)))])
    archive.mark_read()
    archive.append([StoreMessages((line(3), line(4, id=9), line(5, id=9)))])
    rows = {
        table: archive._base.execute(f"SELECT * FROM {table}").fetchall()
        for table in ("message", "member", "state")
    }
    rows["post"] = [
        (ME, *STREAM, seq, json.dumps(counted), json.dumps(acked), settled)
        for seq, counted, acked, settled in OLD_POSTS
    ]
    archive.close()
    path.unlink()
    base = sqlite3.connect(path, isolation_level=None)
    for table in FIRST:
        base.execute(table)
    for table, found in rows.items():
        for row in found:
            base.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    base.execute(f"PRAGMA application_id = {APPLICATION}")
    base.execute("PRAGMA user_version = 1")
    base.execute("PRAGMA journal_mode = WAL")
    base.close()


def test_a_log_of_the_first_version_opens_with_all_that_is_in_it_and_works(tmp_path: Path) -> None:
    first_version(tmp_path / "a.db")
    archive = SqliteArchive(tmp_path / "a.db")
    remembered = archive.load()
    assert (remembered.meta, remembered.roster) == (META, ROSTER)
    assert set(remembered.messages) == {*map(line, (1, 2, 3)), line(4, id=9), line(5, id=9)}
    assert texts(archive.page(count=2)) == ["line 3", "line 4"]
    assert archive.find(line(4, id=9).id) == [line(4, id=9)]
    assert (remembered.floors, remembered.holes) == ((), ())
    assert {(p.key.seq, p.counted, *p.lacking) for p in remembered.posts} == {
        (2, (ANNA, ME), ANNA),
        (3, (ANNA, ME), *sorted((ANNA, ME))),
    }
    assert archive.posts([Key(ME, STREAM, 1)])[Key(ME, STREAM, 1)].lacking == ()
    assert archive.unread(ME, nobody).count == 2
    archive.append([StoreMarks((Floor(ANNA, STREAM, 1, 5),), (line(7).key,)), Trim((line(1).key,))])
    archive.close()
    again = SqliteArchive(tmp_path / "a.db")
    assert again.load().floors == (Floor(ANNA, STREAM, 1, 5),)
    assert again._base.execute("PRAGMA user_version").fetchone() == (VERSION,)
    again.close()


def test_older_tables_become_those_that_are_made_today(tmp_path: Path) -> None:
    def schema(path: Path) -> set[str]:
        base = sqlite3.connect(path)
        found = base.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        base.close()
        return {" ".join(sql.split()) for (sql,) in found}

    first_version(tmp_path / "old.db")
    for name in ("old.db", "new.db"):
        open_database(tmp_path / name).close()
    assert schema(tmp_path / "old.db") == schema(tmp_path / "new.db")
    assert {*FIRST, *MARKS, *POSTS, *NAMESAKES} - {*FIRST[3:6]} == set(TABLES)
    assert set(STEPS) == set(range(1, VERSION))


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    first_version(tmp_path / "a.db")
    base = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    base.execute("CREATE TABLE hole (x)")
    with pytest.raises(sqlite3.OperationalError, match="hole"):
        migrate(base, 1, VERSION)
    assert base.execute("PRAGMA user_version").fetchone() == (1,)
    assert base.execute("SELECT name FROM sqlite_schema WHERE name = 'floor'").fetchall() == []
    base.close()
