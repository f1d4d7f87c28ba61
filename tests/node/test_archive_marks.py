"""Tries node/archive: floors and holes, and what is trimmed."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from node.archive import Archive, SqliteArchive, Unread
from node.core.effects import StoreMarks, StoreMessages, StorePost, Trim
from node.core.types import Floor, Key, Post, Stream
from tests.logs import KEY
from tests.node.test_archive import ANNA, BOB, ME, STREAM, keep, line, shown, texts, uuid

LATER = Stream(STREAM.incarnation + 1, 0)


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
    keep(archive, replace(line(1), key=Key(ANNA, LATER, 1), ids=(uuid(7),)))
    archive.append([Trim((line(3).key, line(1, source=BOB).key))])
    left = {(m.key.source, m.key.stream, m.key.seq) for m in archive.load().messages}
    assert left == {(ANNA, STREAM, 4), (ANNA, STREAM, 5), (ANNA, LATER, 1), (BOB, STREAM, 2)}
    assert archive.read([line(3).key, line(4).key]) == [line(4)]
    assert texts(archive.page(count=9))[1:] == ["line 2", "line 4", "line 5"]
    assert archive.find(line(3).id) == []
    assert archive.stored_at(line(3).key) == 0
    archive.append([Trim((Key(ANNA, LATER, 9),))])
    assert texts(archive.page(count=9)) == ["line 2"], "earlier streams as a whole"


def test_ids_that_several_had_leave_no_trace_once_those_are_trimmed(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    keep(archive, line(1, id=7), line(2, id=7), line(3))
    assert not archive._lines._known().are_unique
    archive.append([Trim((line(2).key,))])
    assert archive._lines._known().are_unique
    archive.close()


def test_where_the_lower_of_two_with_one_id_is_trimmed_the_other_is_shown(
    archive: Archive,
) -> None:
    one, two = line(1, id=7), replace(line(9, id=7), key=Key(ANNA, LATER, 1))
    keep(archive, one, line(2), two, line(3, source=BOB, id=7))
    assert archive.find(one.id) == shown(one, line(3, source=BOB, id=7))
    archive.append([Trim((one.key,))])
    assert archive.find(one.id) == shown(line(3, source=BOB, id=7), two)
    assert archive.page(count=9) == shown(line(2), line(3, source=BOB, id=7), two)
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
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    keep(archive, line(1), line(2))
    archive._base.execute("DROP TABLE post")
    with pytest.raises(Exception, match="post"):
        archive.append([StoreMarks((Floor(ANNA, STREAM, 1, 5),)), Trim((line(1).key,))])
    assert archive._base.execute("SELECT count(*) FROM message").fetchone() == (2,)
    assert archive._base.execute("SELECT count(*) FROM floor").fetchone() == (0,)
    archive.close()


def test_freed_pages_are_used_again(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
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
