"""Tries node/archive: one suite for every kind of log, then what the file alone can do."""

import errno
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from msgspec import Struct
from msgspec.structs import replace

from node.archive import (
    Archive,
    FileInUse,
    SqliteArchive,
    erase,
    files,
    uncollected,
)
from node.archive import sqlite as sqlite_module
from node.archive.checkup import examine
from node.archive.cipher import BUSY_S
from node.archive.ports import FOUND_MAX, LACKING_MAX
from node.archive.rows import VERSION
from node.archive.sqlite import CHECKPOINT_STORES, WAL_MAX, WAL_STEP
from node.archive.values import read, write
from node.core.conversation import ChatMessage, Kind, Line
from node.core.effects import (
    Meta,
    StoreMarks,
    StoreMessages,
    StoreMeta,
    StorePost,
    StoreRoster,
    Trim,
)
from node.core.messages import Fact, Roster
from node.core.types import Epoch, Hlc, Key, Post, Stream
from node.disk import ROOM_MIN
from node.errors import DamagedFile, DiskFailed, DiskFull, NewerFile, Unwritable
from tests.logs import KEY, looked_into, unguarded
from tests.node.wire_values import MESSAGE, RECORD, ROSTER

ME, ANNA, BOB = 1_000_001, 1_000_002, 1_000_003
STREAM = Stream(1_700_000_000_000, 2**32 - 1)

META = Meta(
    member=ME,
    incarnation=5,
    epoch=Epoch(1_700_000_000, 3),
    leader=ANNA,
    name="tea",
    chat=2**63 - 1,
    mode=1,
    created=1_700_000_000_000,
    nds="127.0.0.1:5",
    left_ids=(7, 8),
    leaving=False,
    highest_n=9,
    partial=True,
    below=(Key(ANNA, STREAM, 2),),
)


def uuid(n: int) -> str:
    return str(UUID(int=n))


SENT_MS = 1_700_000_000_000


def line(seq: int, *, at: int = 0, source: int = ANNA, text: str = "", id: int = 0) -> ChatMessage:
    """A message of a line, whose place in time is `at`, its `seq` unless that is said."""
    return ChatMessage(
        key=Key(source, STREAM, seq),
        ids=(uuid(id or source * 1_000_000 + seq),),
        texts=(text or f"line {seq}",),
        deps=(Key(source, STREAM, seq - 1), Key(BOB, Stream(3, 0), 2)) if seq > 1 else (),
        hlc=Hlc(at or seq, 0),
        sent=SENT_MS + seq,
        epoch=Epoch(1_700_000_000, seq % 3),
        kind=Kind.ACTION if seq % 2 else Kind.TEXT,
    )


def keep(archive: Archive, *messages: ChatMessage) -> None:
    archive.append([StoreMessages(messages)])


def shown(*messages: ChatMessage) -> list[Line]:
    """As they are on a page."""
    lines = [Line(message, at) for message in messages for at in range(len(message.ids))]
    return sorted(lines, key=lambda one: one.place)


def texts(lines: Iterable[Line]) -> list[str]:
    return [one.text for one in lines]


# ---- what every log promises -------------------------------------------------------------------


def test_a_new_log_remembers_nothing(archive: Archive) -> None:
    remembered = archive.load()
    assert remembered.meta is None
    assert remembered.roster == Roster()
    assert remembered.messages == remembered.posts == ()
    assert archive.page(count=10) == []


def test_all_that_was_stored_is_remembered(archive: Archive) -> None:
    waiting = Post(Key(ME, STREAM, 1), (ANNA, BOB), (ANNA,), settled=False)
    settled = Post(Key(ME, STREAM, 2), (ANNA,), (ANNA,), settled=True)
    archive.append(
        [
            StoreMeta(META),
            StoreRoster(ROSTER),
            StoreMessages((line(1), MESSAGE)),
            StorePost(waiting),
            StorePost(settled),
        ]
    )
    remembered = archive.load()
    assert remembered.meta == META
    assert remembered.roster == ROSTER
    assert set(remembered.messages) == {line(1), MESSAGE}
    assert remembered.posts == (waiting,)
    assert archive.posts([waiting.key, settled.key, Key(BOB, STREAM, 1)]) == {
        waiting.key: waiting,
        settled.key: settled,
    }


def test_of_what_is_settled_the_last_that_somebody_lacks_is_remembered(archive: Archive) -> None:
    posts = [Post(Key(ME, STREAM, n), (ANNA, BOB), (ANNA,), True) for n in range(LACKING_MAX + 1)]
    everyone = Post(Key(ME, STREAM, LACKING_MAX + 1), (ANNA, BOB), (ANNA, BOB), settled=True)
    archive.append([StorePost(post) for post in (everyone, *reversed(posts))])
    assert sorted(archive.load().posts, key=lambda post: post.key) == posts[1:]
    archive.append([StorePost(replace(posts[5], acked=(ANNA, BOB)))])
    assert set(archive.load().posts) == {*posts} - {posts[5]}


def test_who_was_away_lacks_a_line_until_it_has_it(archive: Archive) -> None:
    post = Post(Key(ME, STREAM, 1), (ANNA,), (ANNA,), settled=True, away=(BOB,))
    assert (post.lacking, post.reached) == ((BOB,), 1)
    archive.append([StorePost(post)])
    assert archive.load().posts == (post,)
    has = replace(post, acked=(ANNA, BOB))
    assert (has.lacking, has.reached) == ((), 1)
    archive.append([StorePost(has)])
    assert archive.load().posts == ()
    assert archive.posts([post.key]) == {post.key: has}


def test_a_note_is_kept_under_its_name(archive: Archive) -> None:
    archive.append([StoreMeta(META)])
    assert archive.noted("meta") == ""
    for text in ("one", "two"):
        archive.note("meta", text)
        assert archive.noted("meta") == text
    assert archive.load().meta == META


def test_the_later_value_replaces_the_earlier(archive: Archive) -> None:
    post = Post(Key(ME, STREAM, 1), (ANNA,), (), settled=False)
    archive.append([StoreMeta(META), StorePost(post), StoreMessages((line(1, text="old"),))])
    archive.append(
        [
            StoreMeta(replace(META, leaving=True, left_ids=())),
            StorePost(replace(post, acked=(ANNA,), settled=True)),
            StoreMessages((line(1, text="new", at=9),)),
        ]
    )
    remembered = archive.load()
    assert remembered.meta == replace(META, leaving=True, left_ids=())
    assert [message.texts for message in remembered.messages] == [("new",)]
    assert remembered.posts == ()
    assert texts(archive.page(count=9)) == ["new"]
    assert archive.page(count=9) == shown(line(1, text="new", at=9))


def test_the_roster_is_the_last_one_stored(archive: Archive) -> None:
    other = replace(RECORD, id=RECORD.id + 1, left=True)
    archive.append([StoreRoster(Roster((RECORD, other), Fact("one", Hlc(1, 1), ME)))])
    archive.append([StoreRoster(Roster((other,)))])
    assert archive.load().roster == Roster((other,))
    changed = replace(RECORD, kicked=True, ends=())
    archive.append([StoreRoster(Roster((changed, other), Fact("two", Hlc(2, 1), ME)))])
    assert archive.load().roster == Roster((changed, other), Fact("two", Hlc(2, 1), ME))
    archive.append([StoreRoster(Roster((other,)))])
    assert archive.load().roster == Roster((other,))


def test_messages_are_read_in_the_order_asked_for(archive: Archive) -> None:
    keep(archive, line(1), line(2), line(3))
    keys = [line(3).key, Key(BOB, STREAM, 1), line(1).key]
    assert archive.read(keys) == [line(3), line(1)]


def test_pages_come_in_display_order_from_the_end(archive: Archive) -> None:
    lines = [line(seq, at=at) for seq, at in enumerate([50, 20, 40, 10, 30], 1)]
    keep(archive, *lines)
    in_order = shown(*lines)
    assert archive.page(count=2) == in_order[3:]
    assert archive.page(count=2, before=in_order[3].place) == in_order[1:3]
    assert archive.page(count=2, before=in_order[1].place) == in_order[:1]
    assert archive.page(count=9, before=in_order[0].place) == []
    assert archive.page(count=0) == []
    since = SENT_MS + 3
    assert archive.page(count=9, since_ms=since) == [in_order[0], *in_order[2:4]]


def test_pages_after_a_place_come_in_display_order_from_there(archive: Archive) -> None:
    keep(archive, *(line(seq, at=at) for seq, at in enumerate([50, 20, 40, 10, 30], 1)))
    in_order = archive.page(count=9)
    assert archive.page(count=2, after=in_order[0].place) == in_order[1:3]
    assert archive.page(count=2, after=in_order[2].place) == in_order[3:]
    assert archive.page(count=9, after=in_order[4].place) == []
    assert archive.page(count=9, after=(Hlc(0, 0), 0, Stream(0, 0), 0, 0)) == in_order
    assert archive.page(count=0, after=in_order[0].place) == []
    since = SENT_MS + 3
    assert archive.page(count=9, after=in_order[0].place, since_ms=since) == in_order[2:4]
    assert archive.page(count=1, after=in_order[0].place, contains="3") == shown(line(3, at=40))


def test_equal_times_are_ordered_by_the_whole_place(archive: Archive) -> None:
    lines = [
        replace(
            line(seq, source=source),
            key=Key(source, Stream(inc, rnd), seq + 5 * counter),
            hlc=Hlc(5, counter),
        )
        for counter in (1, 0)
        for source in (BOB, ANNA)
        for inc in (2, 1)
        for rnd in (2, 1)
        for seq in (2, 1)
    ]
    lines = [replace(message, ids=(uuid(i),)) for i, message in enumerate(lines)]
    keep(archive, *lines)
    in_order = shown(*lines)
    assert archive.page(count=99) == in_order
    for i, one in enumerate(in_order):
        assert archive.page(count=99, before=one.place) == in_order[:i]
        assert archive.page(count=99, after=one.place) == in_order[i + 1 :]


def test_a_search_knows_no_case(archive: Archive) -> None:
    said = ["Straße", "ÄRGER", "50% off_", "none"]
    keep(archive, *(line(i, text=text) for i, text in enumerate(said, 1)))
    assert texts(archive.page(count=9, contains="STRASSE")) == ["Straße"]
    assert texts(archive.page(count=9, contains="ärger")) == ["ÄRGER"]
    assert texts(archive.page(count=9, contains="0%")) == ["50% off_"]
    assert texts(archive.page(count=9, contains="%")) == ["50% off_"]
    assert texts(archive.page(count=1, contains="r")) == ["ÄRGER"]
    assert archive.page(count=9, contains="'; DROP") == []


def test_of_two_lines_with_one_id_the_lower_place_is_shown(archive: Archive) -> None:
    keep(archive, line(1, at=20, id=5, text="higher"), line(9, at=30, text="end"))
    assert texts(archive.page(count=9)) == ["higher", "end"]
    keep(archive, line(2, at=10, id=5, text="lower"))
    keep(archive, line(3, at=15, id=5, source=BOB, text="of another author"))
    assert texts(archive.page(count=9)) == ["lower", "of another author", "end"]
    assert texts(archive.find(uuid(5))) == ["lower", "of another author"]
    assert archive.unread(ME, lambda text: "er" in text).count == 3
    assert len(archive.load().messages) == 4
    assert archive.read([line(1).key]) == [line(1, at=20, id=5, text="higher")]


def test_a_message_is_found_by_the_beginning_of_its_id(archive: Archive) -> None:
    one = replace(line(1), ids=("0f8fad5b-d9cb-469f-a165-70867728950e",))
    two = replace(line(2), ids=("0f8fad5b-d9cc-469f-a165-70867728950e",))
    keep(archive, two, one)
    assert archive.find("0f8f") == shown(one, two)
    assert archive.find("0F8FAD5BD9CB") == shown(one)
    assert archive.find("0f8fad5b-d9cc-4") == shown(two)
    assert archive.find("0f8fad5bd9cc469fa16570867728950e") == shown(two)
    assert archive.find(one.id) == shown(one)
    for nothing in ("", "-", "0f9", "%", "xyz", "0f8f ", one.id + "0"):
        assert archive.find(nothing) == []


def test_the_brief_of_an_id_tells_it_from_all_others(archive: Archive) -> None:
    one = replace(line(1), ids=("0f8fad5b-d9cb-469f-a165-70867728950e",))
    two = replace(line(2), ids=("0f8fad5b-d9cc-469f-a165-70867728950e",))
    keep(archive, one)
    assert archive.brief(one.id) == "0f8f"
    keep(archive, two, replace(one, key=line(3).key))
    assert archive.brief(one.id) == "0f8fad5bd9cb"
    assert archive.brief("0f8f" + "e" * 4 + one.id[8:]) == "0f8fee", "of one that is not here yet"
    archive.append([Trim((line(2).key,))])
    assert archive.brief(one.id) == "0f8f"


def test_a_message_is_found_by_the_id_that_stands(archive: Archive) -> None:
    keep(archive, line(1, id=5), line(2, id=6), line(3, at=9, id=7))
    keep(archive, line(2, id=8), line(4, at=8, id=7))
    assert archive.find(uuid(6)) == []
    assert archive.find(uuid(8)) == shown(line(2, id=8))
    assert archive.find(uuid(7)) == shown(line(4, at=8, id=7))
    keep(archive, line(4, at=8, id=5))
    assert archive.find(uuid(7)) == shown(line(3, at=9, id=7))
    assert archive.find(uuid(5)) == shown(line(1, id=5))
    assert archive.page(count=9) == shown(line(1, id=5), line(2, id=8), line(3, at=9, id=7))
    keep(archive, line(1, id=9))
    assert archive.find(uuid(5)) == shown(line(4, at=8, id=5))
    assert archive.page(count=9)[2:] == shown(line(4, at=8, id=5), line(3, at=9, id=7))


def test_of_many_that_begin_alike_the_first_are_found(archive: Archive) -> None:
    count = 10 * FOUND_MAX
    many = [line(seq, at=5_000 - seq) for seq in range(1, count + 1)]
    keep(archive, *many[1:], line(count + 9, at=9_000, id=ANNA * 1_000_000 + 5), many[0])
    assert archive.find("00") == shown(*many)[:FOUND_MAX]
    other = replace(line(count + 3, at=7_000), ids=("0f" + "0" * 34,))
    keep(archive, other)
    assert archive.find("0f") == shown(other)


def test_one_turn_may_store_a_key_twice(archive: Archive) -> None:
    archive.append(
        [
            StoreMessages((line(1), line(2, text="one"))),
            StoreMessages((line(2, text="two", id=9), line(3))),
            StoreMessages((line(2, text="three"), line(4))),
        ]
    )
    assert texts(archive.page(count=9)) == ["line 1", "three", "line 3", "line 4"]
    assert archive.find(uuid(9)) == []
    assert archive.find(line(2).id) == shown(line(2, text="three"))


def test_unread_are_the_lines_of_others_that_came_since_the_mark(archive: Archive) -> None:
    def mentions(text: str) -> bool:
        return "bob" in text

    assert archive.unread(ME, mentions).count == 0
    keep(archive, line(5, at=500), line(6, source=ME, text="bob"))
    assert archive.unread(ME, mentions).count == 1
    archive.mark_read()
    assert archive.unread(ME, mentions).count == 0
    keep(archive, line(1, at=100, text="hi bob"), line(7, at=700), line(5, at=501))
    unread = archive.unread(ME, mentions)
    assert (unread.count, unread.mentions) == (2, 1)


def test_what_was_counted_is_not_read_again_and_the_count_stays_right(archive: Archive) -> None:
    asked: list[str] = []

    def mentions(text: str) -> bool:
        asked.append(text)
        return "bob" in text

    def unread() -> tuple[int, int]:
        found = archive.unread(ME, mentions)
        return found.count, found.mentions

    keep(archive, line(1), line(2, text="bob"))
    assert unread() == (2, 1)
    asked.clear()
    keep(archive, line(3, text="bob?"), line(4, source=ME))
    assert unread() == (3, 2)
    if isinstance(archive, SqliteArchive):
        assert asked == ["bob?"]
    keep(archive, line(2, text="not you"))
    assert unread() == (3, 1), "a message was replaced"
    keep(archive, line(9, at=1, id=7, text="bob"), line(5, at=3, id=7))
    assert unread() == (4, 2), "two with one id are one"
    keep(archive, line(6, at=2, id=3 + ANNA * 1_000_000))
    assert unread() == (4, 1), "one that was counted has given way to one of the same id"
    archive.mark_read()
    assert unread() == (0, 0)
    keep(archive, line(7))
    assert unread() == (1, 0)
    assert archive.unread(ANNA, mentions).count == 0, "another reader"
    assert unread() == (1, 0)
    assert archive.unread(ME, bool).mentions == 1, "another name"


def test_the_first_storing_counts_as_the_time_of_storing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 5_000_000)
    keep(archive, line(1))
    monkeypatch.setattr(time, "time_ns", lambda: 9_000_000)
    keep(archive, replace(line(1), texts=("again",)))
    assert archive.stored_at(line(1).key) == 5
    assert archive.stored_at(line(2).key) == 0


def test_a_log_closes_twice(archive: Archive) -> None:
    archive.close()
    archive.close()


# ---- what the file alone can do ----------------------------------------------------------------


def test_a_log_opened_again_remembers(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.db"
    first = SqliteArchive(path, KEY)
    first.append([StoreMeta(META), StoreRoster(ROSTER), StoreMessages((line(1),))])
    first.mark_read()
    first.append([StoreMessages((line(2),))])
    first.close()
    again = SqliteArchive(path, KEY)
    remembered = again.load()
    assert (remembered.meta, remembered.roster) == (META, ROSTER)
    assert remembered.messages == (line(1), line(2))
    assert again.unread(ME, bool).count == 1
    again.append([StoreRoster(Roster((replace(RECORD, left=True),), ROSTER.topic))])
    assert again.load().roster.members[0].left
    again.close()
    assert path.stat().st_mode & 0o077 == 0
    assert not path.with_name("a.db-wal").exists()


def test_a_second_owner_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    first = SqliteArchive(tmp_path / "a.db", KEY)
    with pytest.raises(FileInUse, match=f"pid {os.getpid()}"):
        SqliteArchive(tmp_path / "a.db", KEY)
    first.close()
    SqliteArchive(tmp_path / "a.db", KEY).close()


def test_all_of_a_turn_is_stored_or_nothing(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    impossible = replace(line(2), sent=2**63)
    with pytest.raises((DiskFailed, OverflowError)):
        archive.append(
            [StoreMessages((line(1),)), StoreRoster(ROSTER), StoreMessages((impossible,))]
        )
    assert archive.load().messages == ()
    archive.append([StoreRoster(ROSTER), StoreMessages((line(1),))])
    assert archive.load().roster == ROSTER
    archive.close()


def test_what_a_failed_turn_stored_is_found_by_nobody(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    keep(archive, line(1))
    with pytest.raises((DiskFailed, OverflowError)):
        keep(archive, line(2), line(1, id=7), replace(line(3), sent=2**63))
    assert archive.find(line(2).id) == archive.find(uuid(7)) == []
    assert archive.find(line(1).id) == shown(line(1))
    keep(archive, line(2))
    assert archive.find(line(2).id) == shown(line(2))
    archive.close()


def test_a_full_disk_fails_the_turn_and_keeps_what_there_was(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    keep(archive, line(1))
    archive._base.execute("PRAGMA max_page_count = 20")
    with pytest.raises(DiskFull, match="The disk is full"):
        keep(archive, *(line(seq, text="x" * 1_000) for seq in range(2, 500)))
    assert archive.load().messages == (line(1),)
    archive._base.execute("PRAGMA max_page_count = 1000000")
    keep(archive, line(2))
    assert archive.load().messages == (line(1), line(2))
    archive.close()


FOREIGN = "belongs to another identity: .*Nothing was changed. If it .* is damaged"  # as noise does
DAMAGED = rf"a\.db (is damaged.*[Nn]othing was changed|{FOREIGN}).*backup"


@pytest.mark.parametrize("damage", ["noise", "cut", "overwritten"])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.db"
    archive = SqliteArchive(path, KEY)
    keep(archive, *(line(seq, text="x" * 500) for seq in range(1, 200)))
    archive.close()
    whole = path.read_bytes()
    spoilt = {
        "noise": b"\x00\xffnoise" * 1_000,
        "cut": whole[: len(whole) // 2],
        "overwritten": whole[:8192] + b"\xa5" * 8192 + whole[16384:],
    }[damage]
    path.write_bytes(spoilt)
    with pytest.raises(DamagedFile, match=DAMAGED):
        SqliteArchive(path, KEY)
    assert path.read_bytes() == spoilt
    path.write_bytes(whole)
    SqliteArchive(path, KEY).close()


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "a.db")
    base.execute("CREATE TABLE cookies (name)")
    base.close()
    before = (tmp_path / "a.db").read_bytes()
    with pytest.raises(DamagedFile, match="another program"):
        SqliteArchive(tmp_path / "a.db", KEY)
    assert (tmp_path / "a.db").read_bytes() == before


def test_what_a_later_program_wrote_is_refused(tmp_path: Path) -> None:
    SqliteArchive(tmp_path / "a.db", KEY).close()
    base = looked_into(tmp_path / "a.db", mode="rw")
    base.execute(f"PRAGMA user_version = {VERSION + 1}")
    base.close()
    with pytest.raises(NewerFile, match=f"version {VERSION + 1}"):
        SqliteArchive(tmp_path / "a.db", KEY)


def test_a_record_that_means_nothing_is_damage(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    archive.append([StoreMeta(META)])
    archive._base.execute("UPDATE state SET value = '{\"member\": \"x\"}' WHERE name = 'meta'")
    with pytest.raises(DamagedFile):
        archive.load()
    archive.close()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="file/a"):
        SqliteArchive(tmp_path / "file" / "a.db", KEY)


@pytest.mark.parametrize(("power", "level"), [(False, 1), (True, 2)])
def test_what_is_committed_waits_for_the_disk_where_that_is_wanted(
    tmp_path: Path, power: bool, level: int
) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY, power=power)
    assert archive._base.execute("PRAGMA synchronous").fetchone() == (level,)
    archive.reopen(check=True)
    assert archive._base.execute("PRAGMA synchronous").fetchone() == (level,)
    archive.close()


def test_a_log_that_could_not_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(files, "sync_directory", refused)
    with pytest.raises(DiskFull):
        SqliteArchive(tmp_path / "a.db", KEY, power=True)
    assert list(tmp_path.iterdir()) == []


def test_a_log_is_opened_anew_only_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    keep(archive, line(1))
    with monkeypatch.context() as cramped:
        cramped.setattr(sqlite_module, "room", lambda _: ROOM_MIN - 1)
        with pytest.raises(DiskFull):
            archive.reopen(check=False)
    assert texts(archive.page(count=1)) == ["line 1"], "it can be read all the same"
    archive.reopen(check=True)
    keep(archive, line(2))
    assert archive.load().messages == (line(1), line(2))
    archive.close()


def test_an_erased_log_leaves_nothing(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    keep(archive, line(1))
    archive.close()
    erase(tmp_path / "a.db")
    erase(tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


def test_the_write_ahead_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    wal, moves = tmp_path / "a.db-wal", 0
    for seq in range(1, 5_001):
        keep(archive, line(seq, text="x" * 200))
        if archive._checkpoint is not None and archive._unmoved == 0:
            archive._checkpoint.join()
            moves += 1
        assert wal.stat().st_size < WAL_MAX * 1.1
    assert moves > 2
    archive.close()


def test_a_large_write_ahead_log_that_does_not_begin_anew_is_moved_in_large_parts(
    tmp_path: Path,
) -> None:
    """Somebody reads all the while, as somebody always writes in a long catch-up."""
    archive, path = SqliteArchive(tmp_path / "a.db", KEY), tmp_path / "a.db"
    keep(archive, line(1))
    with closing(looked_into(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM message").fetchall()
        moves = 0
        for seq in range(2, 2 + 64 * 500, 64):
            before = archive._checkpoint
            keep(archive, *(line(n, text="x" * 400) for n in range(seq, seq + 64)))
            archive.append([StoreMarks()] * 64)
            if archive._checkpoint not in (None, before):
                archive._checkpoint.join()  # type: ignore[union-attr]
                moves += 1
        assert path.with_name("a.db-wal").stat().st_size > 2 * WAL_MAX
        by_size = path.with_name("a.db-wal").stat().st_size // WAL_STEP
        assert 2 <= moves <= 65 * 500 // CHECKPOINT_STORES + by_size
    archive.close()


def test_on_a_small_disk_the_write_ahead_log_leaves_room_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it takes is in the way of the file that it is to be moved into."""
    path, wal = tmp_path / "a.db", tmp_path / "a.db-wal"
    size = 8 * 2**20

    def left(_: Path) -> int:
        return max(0, size - path.stat().st_size - wal.stat().st_size)

    monkeypatch.setattr(sqlite_module, "room", left)
    archive = SqliteArchive(path, KEY)
    for seq in range(1, 5_001):
        keep(archive, line(seq))
        assert left(path) > wal.stat().st_size
    archive.close()


def test_who_reads_on_a_small_disk_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, wal = tmp_path / "a.db", tmp_path / "a.db-wal"
    archive = SqliteArchive(path, KEY)
    keep(archive, line(1))
    monkeypatch.setattr(sqlite_module, "room", lambda _: 2**20)
    with closing(looked_into(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM message").fetchall()
        keep(archive, line(2))
        began = time.monotonic()
        archive._move()
        assert time.monotonic() - began < BUSY_S / 2
        assert wal.stat().st_size, "somebody reads what is in it"
        keep(archive, line(3))
    archive._move()
    assert wal.stat().st_size == 0
    assert archive._base.execute("PRAGMA busy_timeout").fetchone() == (BUSY_S * 1000,)
    assert archive.load().messages == (line(1), line(2), line(3))
    archive.close()


def test_the_write_ahead_log_of_a_node_that_is_always_killed_does_not_grow_either(
    tmp_path: Path,
) -> None:
    path, sizes = tmp_path / "a.db", []
    for life in range(6):
        archive = SqliteArchive(path, KEY)
        if archive._checkpoint is not None:
            archive._checkpoint.join()
        for seq in range(1, 101):
            keep(archive, line(life * 100 + seq, text="x" * 200))
        sizes.append(path.with_name("a.db-wal").stat().st_size)
        left = as_killed(path, tmp_path / f"{life}")
        archive.close()
        path = left
    assert sizes[-1] < sizes[0] * 1.5, "each life left its part"


def test_other_processes_see_at_any_time_that_a_log_is_in_use(tmp_path: Path) -> None:
    """A reader that took it for nobody's would begin the index of its write-ahead log anew."""
    archive, path = SqliteArchive(tmp_path / "a.db", KEY), tmp_path / "a.db"
    keep(archive, line(1))
    assert not unguarded(path)
    archive._move()
    archive._checkpoint.join()  # type: ignore[union-attr]
    assert not unguarded(path), "it was moved by a connection of its own"
    archive.reopen(check=True)
    assert not unguarded(path), "the disk failed, and works"
    assert examine(path, KEY).lines == 1
    assert not unguarded(path), "looked at beside it"
    keep(archive, line(2))
    archive._cut_off()
    assert archive.load().messages == (line(1), line(2))
    assert not unguarded(path)
    archive.close()


def as_killed(path: Path, directory: Path) -> Path:
    """The files as the death of their process leaves them: nothing is closed."""
    directory.mkdir()
    for suffix in ("", "-wal"):
        copied = path.with_name(path.name + suffix)
        (directory / copied.name).write_bytes(copied.read_bytes())
    return directory / path.name


class Optional(Struct, frozen=True):
    key: Key | None
    added: int = 5


def test_a_field_added_later_takes_its_default() -> None:
    assert read(Optional, '{"key": null}') == Optional(None, 5)


def test_values_of_every_kind_survive_as_json() -> None:
    for value in (
        META,
        ROSTER,
        Roster(),
        RECORD,
        Optional(None, 1),
        Optional(Key(1, STREAM, 2), 1),
    ):
        assert read(type(value), write(value)) == value
    for nonsense in ("[]", "{}", '{"members": 5}', "nonsense", '{"unknown": 1}'):
        with pytest.raises(ValueError):
            read(Meta, nonsense)


def test_a_long_log_loads_soon(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    archive.append([StoreMessages(tuple(line(seq) for seq in range(1, 20_001)))])
    archive.close()
    began = time.process_time()
    again = SqliteArchive(tmp_path / "a.db", KEY)
    assert len(again.load().messages) == 20_000
    assert time.process_time() - began < 2.0  # a fifth of the figure, with much room
    again.close()


@pytest.mark.parametrize("enabled", [True, False])
def test_among_many_new_values_no_garbage_is_looked_for(enabled: bool) -> None:
    looks: list[str] = []

    def look(phase: str, _: dict[str, int]) -> None:
        looks.append(phase)

    gc.callbacks.append(look)
    if not enabled:
        gc.disable()
    try:
        with uncollected():
            many = [[] for _ in range(10_000)]  # type: ignore[var-annotated]
            assert looks == []
        assert gc.isenabled() is enabled
        assert len(many) == 10_000
    finally:
        gc.callbacks.remove(look)
        gc.enable()


WRITER = """
import sys
from pathlib import Path
from node.archive import SqliteArchive
from node.core.conversation import ChatMessage
from node.core.effects import StoreMessages
from node.core.types import Epoch, Hlc, Key, Stream

def line(seq):
    key = Key(5, Stream(6, 7), seq)
    ids = f"{2 * seq:036}", f"{2 * seq + 1:036}"
    return ChatMessage(key, ids, ("hello", "again"), (), Hlc(seq, 0), 0, Epoch(1, 1))

archive = SqliteArchive(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]))
seq = 0
while True:
    archive.append([StoreMessages((line(seq + 1), line(seq + 2)))])
    seq += 2
    print(seq, flush=True)
"""


def test_what_was_stored_survives_the_death_of_the_process(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    chance = Random(seed)
    for life in range(20):
        path = tmp_path / f"{life}.db"
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), KEY.hex()],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": ".:generated"},
        ) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randrange(1, 200)):
                assert writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            last = [int(printed) for printed in writer.stdout.read().split()[-2:-1]]
        archive = SqliteArchive(path, KEY)
        stored = [message.key.seq for message in archive.load().messages]
        assert stored == list(range(1, len(stored) + 1))
        assert len(stored) % 2 == 0, "half a turn"
        assert not last or len(stored) >= last[0]
        archive.close()


def test_since_when_is_asked_of_the_clock_of_who_said_it(archive: Archive) -> None:
    """A clock that ran ahead has drawn all logical times after it with it."""
    ahead = line(1, at=10_000)
    after = replace(line(2, at=10_001), sent=50)
    keep(archive, ahead, after)
    assert archive.page(count=9, since_ms=100) == shown(ahead)
    assert archive.page(count=9, since_ms=50) == shown(ahead, after)
    first, last = sorted((ahead, after), key=lambda one: one.hlc)
    assert archive.page(count=9, from_ms=last.hlc.ms) == shown(last), "by the group's clock"
    assert archive.page(count=9, from_ms=first.hlc.ms) == shown(first, last)
