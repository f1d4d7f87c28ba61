"""Tries node/archive/migrations.py: logs of older versions open with all that is in them."""

import json
import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node.archive import SqliteArchive, Unread
from node.archive.checkup import examine
from node.archive.files import open_database
from node.archive.migrations import (
    CHANGES,
    FLOOR,
    HEADS,
    HOLE,
    MARKS,
    MESSAGES,
    NAMESAKES,
    STEPS,
    WENT,
    migrate,
)
from node.archive.posts import POSTS
from node.archive.rows import APPLICATION, TABLES, VERSION
from node.core.conversation import ChatMessage
from node.core.effects import (
    Store,
    StoreMarks,
    StoreMeta,
    StorePost,
    StoreRoster,
    Trim,
)
from node.core.history import History
from node.core.sums import plus, short, term
from node.core.types import Floor, Key, Post, Stream
from node.disk import is_plain
from tests.logs import KEY, looked_into
from tests.node.test_archive import ANNA, BOB, ME, META, STREAM, keep, line, shown, texts, uuid
from tests.node.wire_values import ROSTER, TWO_LINES

LATER = Stream(STREAM.incarnation + 1, 0)

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
# As the sixth made them, the last one of which a message was a line.
SIXTH = (*FIRST[:3], *NAMESAKES, *POSTS, *FIRST[6:], *MARKS)


def old_row(arrival: int, message: ChatMessage) -> tuple[Any, ...]:
    """A message as it stood in a table of lines; it was stored at ten times `arrival`."""
    source, stream, seq = message.key
    deps = b"".join(struct.pack("<QQIQ", a, *b, c) for a, b, c in message.deps)
    (id,), (text,) = message.ids, message.texts
    said = id, text, deps, message.sent, *message.epoch, int(message.kind)
    return arrival, source, *stream, seq, *message.hlc, *said, 10 * arrival


def old_log(
    path: Path,
    version: int,
    tables: Iterable[str],
    messages: Iterable[ChatMessage],
    stores: Iterable[Store] = (),
    **rows: list[tuple[Any, ...]],
) -> None:
    """A log of an older version.  What `stores` put into tables that have stayed as they were is
    taken over; `rows` are for others.
    """
    archive = SqliteArchive(path, KEY)
    archive.append([StoreMeta(META), StoreRoster(ROSTER), *stores])
    found = {
        table: archive._base.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  these five
        for table in ("member", "state", "post", "floor", "hole")
        if any(f"TABLE {table} " in one for one in tables) and table not in rows
    }
    archive.close()
    path.unlink()
    if "floor" in found:  # 64 bits with a sign.
        signed = struct.Struct(">q").unpack_from
        found["floor"] = [(*mark, *signed(total, 120)) for *mark, total in found["floor"]]
    found["message"] = [old_row(n, one) for n, one in enumerate(messages, 1)]
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        for table in tables:
            base.execute(table)
        for name, those in (found | rows).items():
            for row in those:
                marks = ", ".join("?" * len(row))
                base.execute(f"INSERT INTO {name} VALUES ({marks})", row)  # noqa: S608  tables of ours
        base.execute(f"PRAGMA application_id = {APPLICATION}")
        base.execute(f"PRAGMA user_version = {version}")
        base.execute("PRAGMA journal_mode = WAL")


def mark_read(path: Path, arrival: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("INSERT INTO state VALUES ('read', ?)", [str(arrival)])


def nobody(text: str) -> bool:
    return False


# ---- the first version ---------------------------------------------------------------------------

# What kept them had lines that everyone had, that one lacked, and that waited for one.
OLD_POSTS = [(1, [ANNA], [ANNA], 1), (2, [ANNA, ME], [ME], 1), (3, [ANNA, ME], [], 0)]
OLD_LINES = [line(1), line(2), line(3), line(4, id=9), line(5, id=9)]


def first_version(path: Path) -> None:
    """A log of the first version with something in it."""
    posts = [
        (ME, *STREAM, seq, json.dumps(counted), json.dumps(acked), settled)
        for seq, counted, acked, settled in OLD_POSTS
    ]
    old_log(path, 1, FIRST, OLD_LINES, post=posts)
    mark_read(path, 2)


def test_a_log_of_the_first_version_opens_with_all_that_is_in_it_and_works(tmp_path: Path) -> None:
    first_version(tmp_path / "a.db")
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    remembered = archive.load()
    assert (remembered.meta, remembered.roster) == (META, ROSTER)
    assert set(remembered.messages) == {*OLD_LINES}
    assert texts(archive.page(count=2)) == ["line 3", "line 4"]
    assert archive.find(uuid(9)) == shown(line(4, id=9))
    ((source, stream, seq, _),) = remembered.floors
    assert ((source, stream, seq), remembered.holes) == ((ANNA, STREAM, 5), ())
    assert {(p.key.seq, p.counted, *p.lacking) for p in remembered.posts} == {
        (2, (ANNA, ME), ANNA),
        (3, (ANNA, ME), *sorted((ANNA, ME))),
    }
    assert archive.posts([Key(ME, STREAM, 1)])[Key(ME, STREAM, 1)].lacking == ()
    assert archive.unread(ME, nobody).count == 2
    archive.append([StoreMarks((Floor(ANNA, STREAM, 6, 5),), (line(7).key,)), Trim((line(1).key,))])
    archive.close()
    again = SqliteArchive(tmp_path / "a.db", KEY)
    assert again.load().floors == (Floor(ANNA, STREAM, 6, 5),)
    assert again._base.execute("PRAGMA user_version").fetchone() == (VERSION,)
    again.close()


# ---- lines become messages -----------------------------------------------------------------------


ODD = ["plain", "\u65e5\u672c \U0001f600", 'say "x"\\ [1,2]', "a\nb\0c\x7f\u2028"]
ANNAS = [
    *(line(n, text=text) for n, text in enumerate(ODD, 1)),
    *(
        replace(
            line(n, at=90 + n, id=70 + n),
            key=Key(ANNA, LATER, n),
            deps=(Key(ANNA, LATER, n - 1), Key(BOB, Stream(3, 0), 2)) if n > 1 else (),
        )
        for n in (1, 2, 4)
    ),
]
BOBS = [line(n, source=BOB, at=10 + n) for n in (3, 5, 6)]
MINE = [line(n, source=ME, at=20 + n) for n in range(1, 7)]
BOBS_FLOOR = Floor(BOB, STREAM, 4, 2**64 - 5)
# As the last version of before has them, once it has trimmed all of them.
FLOORS = {
    Floor(ANNA, LATER, 4, 11562323753037763215),
    Floor(BOB, STREAM, 6, 3062457721042261638),
    Floor(ME, STREAM, 3, 12671843128498056108),
}


def post(seq: int, *acked: int, settled: bool = True) -> Post:
    return Post(Key(ME, STREAM, seq), (ANNA, BOB), acked, settled)


POSTS_THEN = [
    *(post(1, ANNA, BOB), post(2, ANNA, BOB), post(3, ANNA, BOB)),
    *(post(4, BOB, settled=False), post(5, ANNA, BOB), post(6, settled=False)),
]


def sixth_version(
    path: Path, messages: Iterable[ChatMessage], *stores: Store, **rows: list[tuple[Any, ...]]
) -> None:
    old_log(path, 6, SIXTH, messages, stores, **rows)


def everything(path: Path) -> list[ChatMessage]:
    """A log of the sixth version with all that there can be; gives its messages as they came."""
    came = [*ANNAS[:3], *BOBS, *MINE, *ANNAS[3:]]
    marks = StoreMarks((BOBS_FLOOR,), (Key(ANNA, LATER, 3), Key(7, STREAM, 1)))
    sixth_version(path, came, marks, *map(StorePost, POSTS_THEN))
    return came


def dump(path: Path) -> list[str]:
    """All that stands in a log."""
    plain = is_plain(path)
    with closing(sqlite3.connect(path) if plain else looked_into(path)) as base:
        tables = list(base.execute("SELECT name, sql FROM sqlite_schema ORDER BY name"))
        rows = [
            base.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()  # noqa: S608  its own
            for name, sql in tables
            if sql and sql.startswith("CREATE TABLE")
        ]
        return [*map(str, tables), *map(str, rows), *map(str, base.execute("PRAGMA user_version"))]


def test_lines_of_before_are_messages_of_one_line_each(tmp_path: Path) -> None:
    came = everything(tmp_path / "a.db")
    mark_read(tmp_path / "a.db", len(came) - 4)
    assert examine(tmp_path / "a.db", KEY).lines == len(came)
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    remembered = archive.load()
    assert set(remembered.messages) == {*came}
    assert [*remembered.messages] == came, "as they came"
    assert {(one.salts, one.signature) for one in remembered.messages} == {(b"", b"")}
    assert archive.page(count=99) == shown(*came)
    for n, one in enumerate(came, 1):
        assert archive.find(one.id) == shown(one)
        assert archive.stored_at(one.key) == 10 * n
    assert (remembered.meta, remembered.roster) == (META, ROSTER)
    assert set(remembered.holes) == {Key(ANNA, LATER, 3), Key(7, STREAM, 1)}
    assert archive.posts([one.key for one in POSTS_THEN]) == {one.key: one for one in POSTS_THEN}
    assert {one.key.seq for one in remembered.posts} == {4, 6}
    assert archive.unread(ME, lambda text: "\0" in text) == Unread(4, 1)
    keep(archive, TWO_LINES)
    assert archive.unread(ME, nobody).count == 6
    archive.close()
    assert examine(tmp_path / "a.db", KEY).lines == len(came) + 2


def test_of_lines_of_before_with_one_id_the_lower_place_is_shown(tmp_path: Path) -> None:
    came = [line(1, at=9, id=5), line(2, at=8, id=5), line(3, source=BOB, id=5)]
    namesakes = [(uuid(5), ANNA, 1), (uuid(5), ANNA, 2), (uuid(5), BOB, 3)]
    sixth_version(tmp_path / "a.db", came, namesake=namesakes)
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    assert archive.page(count=9) == shown(came[2], came[1])
    assert archive.unread(ME, nobody).count == 2
    archive.close()


def test_what_was_said_before_counts_as_it_counted_and_is_not_exchanged(tmp_path: Path) -> None:
    came = everything(tmp_path / "a.db")
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    remembered = archive.load()
    archive.close()
    assert set(remembered.floors) == FLOORS
    history = History(remembered.floors)
    for one in came:
        history.add(one)
    sums = {floor.source: floor.sum for floor in FLOORS}
    for one in MINE[3:]:
        sums[ME] = plus(sums[ME], term(one.hash))
    assert dict(history.digests()) == {source: short(total) for source, total in sums.items()}
    above = [one.key for one in came if not history.marks.covers(one.key)]
    assert above == [one.key for one in MINE[3:]]


def test_an_author_of_whom_nothing_is_above_keeps_the_floor(tmp_path: Path) -> None:
    floors = {BOBS_FLOOR, Floor(ANNA, LATER, 9, 3), Floor(7, STREAM, 1, 2**63)}
    came = [*ANNAS, BOBS[0]]
    sixth_version(tmp_path / "a.db", came, StoreMarks(tuple(floors)))
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    assert set(archive.load().floors) == floors
    archive.close()


@pytest.mark.parametrize("settled", [False, True], ids=["waiting", "later"])
@pytest.mark.parametrize(
    ("lacking", "seq"),
    [((), 6), ((1,), 0), ((1, 2, 3, 4, 5, 6), 0), ((2, 3, 4), 1), ((4, 6), 3), ((6,), 5)],
)
def test_own_lines_are_kept_from_the_first_on_that_somebody_lacks(
    tmp_path: Path, lacking: tuple[int, ...], seq: int, settled: bool
) -> None:
    """Whether it is waited for, or gets them when it is back."""
    posts = [
        post(n, ANNA, settled=settled) if n in lacking else post(n, ANNA, BOB) for n in range(1, 7)
    ]
    sixth_version(tmp_path / "a.db", MINE, *map(StorePost, posts))
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    remembered = archive.load()
    archive.close()
    assert {(one.source, one.stream, one.seq) for one in remembered.floors} == (
        {(ME, STREAM, seq)} if seq else set()
    )
    assert set(remembered.messages) == {*MINE}
    assert {one.key.seq for one in remembered.posts} == {*lacking}


def test_what_waits_in_an_earlier_life_keeps_all_of_the_next_one(tmp_path: Path) -> None:
    own = [replace(one, key=one.key._replace(source=ANNA)) for one in ANNAS]
    others = [replace(one, key=one.key._replace(source=BOB)) for one in ANNAS]
    waiting = Post(own[2].key, (ME,), (), settled=False)
    sixth_version(tmp_path / "a.db", [*own, *others], StorePost(waiting))
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    floors = {one.source: one.at for one in archive.load().floors}
    archive.close()
    assert floors == {ANNA: (STREAM, 2), BOB: (LATER, 4)}


def test_a_log_of_this_version_is_not_changed_by_opening_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    everything(path)
    archive = SqliteArchive(path, KEY)
    keep(archive, TWO_LINES, line(9), line(1, source=99))
    stored, floors = set(archive.load().messages), set(archive.load().floors)
    archive.close()
    before = dump(path)
    for _ in range(2):
        again = SqliteArchive(path, KEY)
        assert (set(again.load().messages), set(again.load().floors)) == (stored, floors)
        again.close()
        assert dump(path) == before
    assert floors == FLOORS, "what was said since then lies above"


# ---- all versions --------------------------------------------------------------------------------


def test_older_tables_become_those_that_are_made_today(tmp_path: Path) -> None:
    def schema(path: Path) -> set[str]:
        with closing(looked_into(path)) as base:
            found = base.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
        return {" ".join(sql.split()) for (sql,) in found}

    first_version(tmp_path / "first.db")
    everything(tmp_path / "sixth.db")
    for name in ("first.db", "sixth.db", "new.db"):
        open_database(tmp_path / name, KEY).close()
    assert schema(tmp_path / "first.db") == schema(tmp_path / "new.db")
    assert schema(tmp_path / "sixth.db") == schema(tmp_path / "new.db")
    assert {*MESSAGES, *HEADS, *CHANGES, *POSTS, *FIRST[6:], FLOOR, HOLE, *WENT} == set(TABLES)
    assert set(STEPS) == set(range(1, VERSION))


@pytest.mark.parametrize(("version", "in_the_way"), [(1, "hole"), (6, "message_before")])
def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, version: int, in_the_way: str
) -> None:
    path = tmp_path / "a.db"
    first_version(path) if version == 1 else everything(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute(f"CREATE TABLE {in_the_way} (x)")
        before = dump(path)
        with pytest.raises(sqlite3.OperationalError, match=in_the_way):
            migrate(base, version, VERSION)
    assert dump(path) == before
    assert before[-1] == f"({version},)"
