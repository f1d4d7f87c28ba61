"""Tries node/archive: lines that were edited or redacted; of what is erased nothing is left."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from msgspec.structs import replace

from node.archive import Archive, SqliteArchive, Unread
from node.archive.checkup import examine
from node.archive.files import size_of
from node.core.conversation import ChatMessage, Erased, Kind, Line, Spot
from node.core.effects import Erase, StoreMessages, Trim
from node.core.types import Key
from tests.logs import KEY, looked_into
from tests.node.test_archive import ANNA, BOB, ME, as_killed, keep, line, texts
from tests.waiting import wait_for

PAGE, RESERVED = 4_096, 80  # bytes of a page, and those of them for vector and code
SECRET = "the quarterly figures"
TOLD = replace(
    line(1, text="before"),
    ids=tuple(line(n).id for n in (1, 101, 102)),
    texts=("before", SECRET, "after"),
    salts=bytes(range(48)),
)
SPOT = Spot(TOLD.key, 1)


def change(seq: int, kind: Kind, text: str = "", about: Spot = SPOT, by: int = ANNA) -> ChatMessage:
    return replace(line(seq, source=by, text=text), kind=kind, texts=(text,), about=about)


NEW = change(2, Kind.EDIT, "the weather")
NEWER = change(3, Kind.EDIT, "the climate")
GONE = change(4, Kind.REDACT, by=BOB)


def edited(archive: Archive, *more: Any) -> None:
    archive.append([StoreMessages((TOLD, NEW)), Erase((Erased(SPOT, NEW.key),)), *more])


def nobody(_: str) -> bool:
    return False


def everything(_: str) -> bool:
    return True


def test_a_change_comes_back_as_it_was_said(archive: Archive) -> None:
    gone = replace(GONE, heads=(b"a" * 16, b"b" * 16))
    keep(archive, TOLD, NEW, gone, TOLD.without(()))
    assert archive.read([NEW.key, gone.key]) == [NEW, gone]
    assert {*archive.load().messages} == {TOLD, NEW, gone}


def test_of_an_erased_text_its_digest_is_left(archive: Archive) -> None:
    keep(archive, TOLD)
    archive.append([Erase((Erased(SPOT),))])
    (left,) = archive.read([TOLD.key])
    assert left == TOLD.without((1,))
    assert left.digest == TOLD.digest
    assert archive.load().messages == (left,)


def test_an_edited_line_is_shown_and_found_by_its_last_text(archive: Archive) -> None:
    edited(archive)
    assert texts(archive.page(count=9)) == ["before", "the weather", "after"]
    assert archive.page(count=9)[1] == Line(TOLD.without((1,)), 1, NEW)
    assert texts(archive.page(count=9, contains="WEATHER")) == ["the weather"]
    assert archive.page(count=9, contains="figures") == []
    assert texts(archive.find(TOLD.ids[1])) == ["the weather"]
    newer = Erase((Erased(SPOT, NEWER.key), Erased(Spot(NEW.key, 0))))
    archive.append([StoreMessages((NEWER,)), newer])
    assert texts(archive.page(count=9)) == ["before", "the climate", "after"]
    assert archive.page(count=9, contains="weather") == []


def test_a_redacted_line_keeps_its_place_and_has_no_text(archive: Archive) -> None:
    edited(archive, StoreMessages((GONE,)), Erase((Erased(SPOT), Erased(Spot(NEW.key, 0)))))
    assert texts(archive.page(count=9)) == ["before", "", "after"]
    assert texts(archive.find(TOLD.ids[1])) == [""]
    for word in ("figures", "weather"):
        assert archive.page(count=9, contains=word) == []
    assert not any(message.texts[-1] == "the weather" for message in archive.load().messages)


def test_no_message_that_changes_lines_is_a_line(archive: Archive) -> None:
    edited(archive, StoreMessages((GONE,)))
    assert archive.find(GONE.id) == archive.find(NEW.id) == []
    assert len(archive.page(count=99)) == 3
    assert archive.brief(NEW.id)


def test_redacted_lines_are_not_unread_and_edited_ones_are_once(archive: Archive) -> None:
    keep(archive, TOLD)
    assert archive.unread(ME, everything) == Unread(3, 3)
    archive.append([StoreMessages((NEW,)), Erase((Erased(SPOT, NEW.key),))])
    assert archive.unread(ME, everything) == Unread(3, 3)
    assert archive.unread(ME, lambda text: "weather" in text) == Unread(3, 1)
    assert archive.unread(ME, everything) == Unread(3, 3)
    archive.append([StoreMessages((GONE,)), Erase((Erased(SPOT), Erased(Spot(NEW.key, 0))))])
    assert archive.unread(ME, everything) == Unread(2, 2)
    keep(archive, line(5, text="x"))
    assert archive.unread(ME, everything) == Unread(3, 3)
    archive.mark_read()
    keep(archive, change(6, Kind.EDIT, "later", Spot(line(5).key, 0)))
    assert archive.unread(ME, everything) == Unread(0, 0)


def test_what_is_not_there_is_passed_over(archive: Archive) -> None:
    keep(archive, TOLD)
    archive.append([Erase((Erased(Spot(line(9).key, 0), NEW.key), Erased(Spot(TOLD.key, 9))))])
    assert archive.load().messages == (TOLD,)


def test_a_text_that_was_erased_for_no_reason_comes_back(archive: Archive) -> None:
    keep(archive, TOLD.without((0, 1)))
    keep(archive, TOLD)
    assert texts(archive.page(count=9)) == ["before", SECRET, "after"]


def test_trimmed_lines_take_their_edits_with_them(archive: Archive) -> None:
    edited(archive)
    archive.append([Trim((TOLD.key,))])
    assert archive.page(count=9) == []
    keep(archive, TOLD.without((1,)))
    assert texts(archive.page(count=9)) == ["before", "", "after"]


def test_a_line_whose_edit_is_not_here_has_no_text(archive: Archive) -> None:
    archive.append([StoreMessages((TOLD,)), Erase((Erased(SPOT, NEW.key),))])
    assert texts(archive.page(count=9)) == ["before", "", "after"]
    keep(archive, NEW)
    assert texts(archive.page(count=9)) == ["before", "the weather", "after"]


def test_a_line_is_never_shown_in_the_place_of_another(archive: Archive) -> None:
    """Its author has said something else under the key of the edit."""
    edited(archive)
    keep(archive, line(2, text="hello"))
    assert texts(archive.page(count=9)) == ["before", "", "after", "hello"]


# ---- the file ------------------------------------------------------------------------------------


def test_edits_are_known_after_a_restart(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    edited(archive)
    archive.close()
    again = SqliteArchive(tmp_path / "a.db", KEY)
    assert texts(again.page(count=9)) == ["before", "the weather", "after"]
    assert again.unread(ME, nobody).count == 3
    again.close()
    assert examine(tmp_path / "a.db", KEY).lines == 3


def test_what_a_failed_turn_would_have_erased_is_there(tmp_path: Path) -> None:
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    keep(archive, TOLD)
    with pytest.raises(AttributeError):
        archive.append([Erase((Erased(SPOT, NEW.key),)), StoreMessages((None,))])  # type: ignore[arg-type]
    assert texts(archive.page(count=9)) == ["before", SECRET, "after"]
    archive.close()


def test_nothing_of_an_erased_text_is_left_in_the_file_or_beside_it(tmp_path: Path) -> None:
    """Decrypted page by page, free pages and the write-ahead log included."""
    path = tmp_path / "a.db"
    archive = SqliteArchive(path, KEY)
    long = replace(TOLD, texts=("before", SECRET, f"{'.' * 20_000} {SECRET}"))
    keep(archive, *(line(n, text=f"padding {n} " * 20) for n in range(10, 60)), long, NEW)
    archive.close()
    assert plain(path).count(SECRET.encode()) == 2

    archive = SqliteArchive(path, KEY)
    archive.append([Erase((Erased(SPOT), Erased(Spot(TOLD.key, 2))))])
    assert SECRET.encode() not in plain(path), "while it is open"
    archive.append([Erase((Erased(Spot(NEW.key, 0)),))])
    archive.close()
    assert SECRET.encode() not in plain(path)
    assert b"the weather" not in plain(path)
    assert b"padding 11" in plain(path)


def test_an_erased_text_that_somebody_reads_just_then_is_gone_once_nobody_does(
    tmp_path: Path,
) -> None:
    """Also where nothing is said any more."""
    path = tmp_path / "a.db"
    archive = SqliteArchive(path, KEY)
    keep(archive, TOLD)
    with closing(looked_into(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM message").fetchall()
        archive.append([Erase((Erased(SPOT),))])
        assert size_of(beside(path)), "it was read"
    wait_for(lambda: not size_of(beside(path)), "the write-ahead log is cut off")
    assert SECRET.encode() not in plain(path)
    keep(archive, line(50))
    assert texts(archive.page(count=9)) == ["before", "", "after", "line 50"]
    archive.close()


def test_an_erased_text_is_gone_after_a_death_before_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    archive = SqliteArchive(path, KEY)
    keep(archive, TOLD)
    with monkeypatch.context() as dying:
        dying.setattr(archive, "_cut_off", lambda: True)
        archive.append([Erase((Erased(SPOT),))])
        left = as_killed(path, tmp_path / "left")
    archive.close()
    assert size_of(beside(left))
    again = SqliteArchive(left, KEY)
    wait_for(lambda: not size_of(beside(left)), "the write-ahead log is cut off")
    assert SECRET.encode() not in plain(left)
    again.close()


def beside(path: Path) -> Path:
    """The write-ahead log."""
    return path.with_name(f"{path.name}-wal")


def plain(path: Path) -> bytes:
    """All pages of a log, decrypted as SQLCipher 4 encrypts them; the write-ahead log is empty."""
    assert not size_of(beside(path)), "pages of before are still in the log"
    whole, pages = path.read_bytes(), []
    for at in range(0, len(whole), PAGE):
        body = whole[at : at + PAGE - RESERVED]
        vector = whole[at + PAGE - RESERVED :][:16]
        reader = Cipher(algorithms.AES(KEY), modes.CBC(vector)).decryptor()
        pages.append(reader.update(body[0 if at else 16 :]))  # The first begins with a salt.
    return b"".join(pages)


def test_a_key_of_nobody_s_is_no_edit(archive: Archive) -> None:
    edited(archive)
    assert archive.read([Key(7, TOLD.key.stream, 1)]) == []
