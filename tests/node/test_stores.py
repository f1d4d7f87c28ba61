"""The doctor's look at the logs of a profile: node/stores.py, with node/archive/checkup.py."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from node import disk, profile, stores
from node.archive import SqliteArchive
from node.archive.checkup import Health, examine
from node.archive.rows import VERSION
from node.core.effects import StoreMessages, StoreMeta, StorePost
from node.core.types import Post
from node.errors import DamagedLog, NewerFile, NotAFile
from node.profile import Entry, Profile
from node.trust import keys
from tests.logs import KEY, looked_into
from tests.node.test_archive import BOB, META, line

ENTRY = Entry(7, "dev", "127.0.0.1:5", "a.db")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A closed log of two lines, of which one waits for somebody."""
    path = tmp_path / "chats" / "a.db"
    archive = SqliteArchive(path, KEY)
    archive.append([StoreMessages((line(1), line(2)))])
    archive.append([StorePost(Post(line(2).key, (BOB,), (), settled=False))])
    archive.close()
    return path


def told(tmp_path: Path, entry: Entry = ENTRY) -> tuple[bool, str]:
    first, _ = stores.findings(tmp_path, KEY, [entry])
    assert first.check == "log of #dev"
    return first.ok, first.text


def test_a_sound_log_tells_its_size_and_what_waits(tmp_path: Path, log: Path) -> None:
    before = log.read_bytes()
    ok, text = told(tmp_path)
    assert ok
    assert text.startswith("sound: 2 lines in 0.")
    assert text.endswith(f"; version {VERSION}; 1 of your lines waits for somebody")
    assert log.read_bytes() == before
    assert [file.name for file in log.parent.iterdir() if "-" in file.name] == []


def test_a_disk_that_can_only_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not disk.is_read_only(tmp_path)
    assert not disk.is_read_only(tmp_path / "nowhere")
    statvfs = os.statvfs

    def read_only(place: Path) -> os.statvfs_result:
        found = list(statvfs(place))
        found[8] |= os.ST_RDONLY  # its flags
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "statvfs", read_only)
    assert disk.is_read_only(tmp_path)
    (row,) = stores.findings(tmp_path, KEY, [])
    assert (row.check, row.ok) == ("disk", False)
    assert row.text == f"the disk of {tmp_path} can only be read, so chats stall: make it writable"


def test_a_log_that_is_in_use_is_read_as_it_is_by_now(tmp_path: Path, log: Path) -> None:
    archive = SqliteArchive(log, KEY)
    archive.append([StoreMessages((line(3),))])
    assert examine(log, KEY).lines == 3
    assert "in its write-ahead log" in told(tmp_path)[1]
    archive.append([StoreMessages((line(4),))])
    assert examine(log, KEY) == replace(examine(log, KEY), lines=4, waiting=1)
    archive.close()


def test_of_a_message_with_several_lines_all_are_counted(tmp_path: Path, log: Path) -> None:
    archive = SqliteArchive(log, KEY)
    three = {"ids": ("a", "b", "c"), "texts": ("x", "y", "z")}
    many = tuple(replace(line(seq), **three) for seq in (3, 4, 5))
    waiting = [StorePost(Post(one.key, (BOB,), (), settled=False)) for one in many[:2]]
    archive.append([StoreMessages(many), *waiting])
    archive.append([StorePost(Post(many[2].key, (BOB,), (BOB,), settled=True))])
    archive.close()
    assert (examine(log, KEY).lines, examine(log, KEY).waiting) == (2 + 9, 1 + 6)
    assert told(tmp_path)[1].startswith("sound: 11 lines in 0.")
    assert told(tmp_path)[1].endswith("; 7 of your lines wait for somebody")


def test_what_a_killed_process_left_is_read_and_left_there(tmp_path: Path, log: Path) -> None:
    archive = SqliteArchive(log, KEY)
    archive.append([StoreMessages((line(3),))])
    wal = log.with_name("a.db-wal")
    whole, beside = log.read_bytes(), wal.read_bytes()
    archive.close()
    log.write_bytes(whole)
    wal.write_bytes(beside)
    assert examine(log, KEY).lines == 3
    assert (log.read_bytes(), wal.read_bytes()) == (whole, beside)
    again = SqliteArchive(log, KEY)
    assert len(again.load().messages) == 3
    again.close()


@pytest.mark.parametrize("damage", ["noise", "overwritten", "another's", "newer"])
def test_what_is_wrong_is_told_with_what_to_do(tmp_path: Path, log: Path, damage: str) -> None:
    whole = log.read_bytes()
    if damage == "noise":
        log.write_bytes(b"\xff" * 9_000)
    elif damage == "overwritten":
        log.write_bytes(whole[:4096] + b"\xa5" * 4096 + whole[8192:])
    else:
        base = looked_into(log, mode="rw")
        base.execute(
            f"PRAGMA user_version = {VERSION + 1}"
            if damage == "newer"
            else "PRAGMA application_id = 5"
        )
        base.close()
    before = log.read_bytes()
    with pytest.raises(NewerFile if damage == "newer" else DamagedLog):
        examine(log, KEY)
    ok, text = told(tmp_path)
    assert not ok
    assert ("Update this one" if damage == "newer" else "from a backup") in text
    assert log.read_bytes() == before


def test_a_log_that_is_not_there_is_told_and_made_anew(tmp_path: Path, log: Path) -> None:
    log.unlink()
    assert told(tmp_path) == (
        False,
        f"{log} is not there. If you have it elsewhere, put it back; else start the node: it is"
        " made anew, and the other members give you what they have.",
    )
    assert not log.exists()
    SqliteArchive(log, KEY).close()
    assert told(tmp_path)[0]


def test_a_directory_where_a_log_belongs_is_called_one(tmp_path: Path, log: Path) -> None:
    log.unlink()
    log.mkdir()
    said = (
        f"{log} is a directory, where the log of a chat belongs. Nothing was changed. Move it away"
        " and start the node again: then the other members give you what they have."
    )
    assert told(tmp_path) == (False, said)
    with pytest.raises(NotAFile) as refused:
        SqliteArchive(log, KEY)
    assert str(refused.value) == said
    log.rmdir()
    SqliteArchive(log, KEY).close()
    assert told(tmp_path)[0]


@pytest.mark.parametrize(("known", "chat", "sound"), [(7, 7, True), (7, 8, False), (0, 8, True)])
def test_a_log_that_holds_another_chat_is_told_with_what_to_do(
    tmp_path: Path, log: Path, known: int, chat: int, sound: bool
) -> None:
    archive = SqliteArchive(log, KEY)
    archive.append([StoreMeta(replace(META, chat=chat))])
    archive.close()
    before = log.read_bytes()
    assert examine(log, KEY).chat == chat
    ok, text = told(tmp_path, replace(ENTRY, chat_id=known))
    assert ok == sound
    assert sound or text == (
        f"{log} holds the log of another chat, not that of #dev. Nothing was changed. Put the right"
        " file back; or move it away and start the node again: then the other members give you"
        " what they have."
    )
    assert log.read_bytes() == before


def test_a_log_that_does_not_say_whose_it_is_is_damaged(tmp_path: Path, log: Path) -> None:
    base = looked_into(log, mode="rw")
    base.execute("INSERT INTO state VALUES ('meta', '{}')")
    base.close()
    with pytest.raises(DamagedLog, match="not a Meta"):
        examine(log, KEY)


@pytest.mark.parametrize("left", ["a file", "a file of SQLite"])
def test_what_a_cut_off_start_leaves_is_told_and_made_anew(
    tmp_path: Path, log: Path, left: str
) -> None:
    log.write_bytes(b"")
    if left == "a file of SQLite":
        with closing(sqlite3.connect(log)) as base:
            base.execute("PRAGMA journal_mode = WAL")
    before = log.read_bytes()
    assert told(tmp_path) == (
        False,
        f"{log} is empty. If it held lines, bring it back from a backup; else start the node: then"
        " the other members give you what they have.",
    )
    assert log.read_bytes() == before
    again = SqliteArchive(log, KEY)
    assert again.load().messages == ()
    again.close()
    assert told(tmp_path)[0]


def test_an_empty_log_with_lines_beside_it_is_damaged_and_left_alone(
    tmp_path: Path, log: Path
) -> None:
    archive = SqliteArchive(log, KEY)
    archive.append([StoreMessages((line(3),))])
    wal = log.with_name("a.db-wal")
    beside = wal.read_bytes()
    archive.close()
    log.write_bytes(b"")
    wal.write_bytes(beside)
    ok, text = told(tmp_path)
    assert not ok
    assert "is damaged: it is empty, and a.db-wal beside it is not" in text
    with pytest.raises(DamagedLog, match="it is empty, and"):
        SqliteArchive(log, KEY)
    assert (log.read_bytes(), wal.read_bytes()) == (b"", beside)


def test_an_older_log_is_told_as_such() -> None:
    health = Health(VERSION - 1, 1, 0, 2**31, 0)
    text = stores._told(health)
    assert text == (
        f"sound: 1 line in 2.0 GiB; version {VERSION - 1}, brought to {VERSION} when it is opened"
        " next"
    )


def test_a_chat_that_was_left_is_not_looked_at(tmp_path: Path) -> None:
    rows = stores.findings(tmp_path, KEY, [replace(ENTRY, state="left")])
    assert [row.check for row in rows] == ["disk"]


def test_little_room_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "room", lambda _: 3 * 2**20)
    (row,) = stores.findings(tmp_path, KEY, [])
    assert not row.ok
    assert row.text.startswith("only 3.0 MiB free for ")
    assert "make room" in row.text
    monkeypatch.setattr(disk, "room", lambda _: stores.ROOM_LOW)
    assert stores.findings(tmp_path, KEY, [])[0].ok


# ---- the profile's own files -------------------------------------------------------------------


def test_what_is_wrong_with_the_profiles_own_files_is_told_before_the_logs(tmp_path: Path) -> None:
    keys.load(tmp_path)
    profile.save(tmp_path, Profile())
    assert [one.check for one in stores.everything(tmp_path)] == ["disk"]
    (tmp_path / "identity.key").write_bytes(b"")
    (tmp_path / "profile.json").write_bytes(b"{")
    told = stores.everything(tmp_path)
    assert [(one.check, one.ok) for one in told[:2]] == [("profile", False), ("keys", False)]
    assert "profile.json is damaged" in told[0].text
    assert "identity.key is damaged: it holds no key that can be read" in told[1].text


def test_a_profile_that_is_still_to_be_made_is_not_made_by_the_doctor(tmp_path: Path) -> None:
    assert [one.check for one in stores.everything(tmp_path)] == ["disk"]
    assert list(tmp_path.iterdir()) == []


def test_where_no_identity_opens_the_logs_that_is_said(tmp_path: Path) -> None:
    (row,) = [one for one in stores.findings(tmp_path, None, [ENTRY]) if one.check != "disk"]
    assert (row.ok, row.text) == (
        False,
        "cannot be read without the identity.key of the profile",
    )


@pytest.mark.parametrize("file", ["tls.pem", "seal.key"])
def test_logs_are_looked_at_while_a_key_is_damaged_that_does_not_open_them(
    tmp_path: Path, file: str
) -> None:
    log_key = keys.load(tmp_path).log_key
    profile.save(tmp_path, Profile(chats=(ENTRY,)))
    SqliteArchive(tmp_path / "chats" / "a.db", log_key).close()
    (tmp_path / file).write_bytes(b"noise")
    rows = stores.everything(tmp_path)
    assert [(row.check, row.ok) for row in rows] == [
        ("keys", False), ("log of #dev", True), ("disk", True)
    ]  # fmt: skip
    assert f"{file} is damaged" in rows[0].text


def test_logs_of_no_chat_of_the_profile_are_counted_and_left_alone(tmp_path: Path) -> None:
    log_key = keys.load(tmp_path).log_key
    for name in ("a.db", "b.db", "c.db"):
        archive = SqliteArchive(tmp_path / "chats" / name, log_key)
        if name != "c.db":  # c was made, and nobody was let in by it
            archive.append([StoreMeta(replace(META, chat=7))])
        archive.close()
    (tmp_path / "chats" / "d.db").touch()
    before = sorted((one.name, one.read_bytes()) for one in (tmp_path / "chats").iterdir())
    lone, _ = stores.everything(tmp_path)
    assert (lone.check, lone.ok, lone.text) == (
        "logs",
        False,
        f"{tmp_path / 'chats'} holds 2 logs of no chat that profile.json names. Who joins such a"
        " chat again begins a new log; so stop the node and put profile.json back if you have it"
        " as it was, else move them away",
    )
    assert sorted((one.name, one.read_bytes()) for one in (tmp_path / "chats").iterdir()) == before
    profile.save(tmp_path, Profile(chats=(ENTRY,)))
    assert "holds 1 log of no chat" in stores.everything(tmp_path)[0].text
    profile.save(tmp_path, Profile(chats=(ENTRY, replace(ENTRY, archive="b.db", state="left"))))
    assert [one.check for one in stores.everything(tmp_path)] == ["log of #dev", "disk"]
    (tmp_path / "profile.json").write_text("{")
    checks = [one.check for one in stores.everything(tmp_path)]
    assert checks == ["profile", "disk"], "which chats it names cannot be told"


def test_a_log_of_no_chat_counts_though_it_cannot_be_read(tmp_path: Path) -> None:
    keys.load(tmp_path)
    (tmp_path / "chats").mkdir()
    (tmp_path / "chats" / "a.db").write_bytes(b"noise" * 1_000)
    assert "holds 1 log of no chat" in stores.everything(tmp_path)[0].text
    (tmp_path / "identity.key").write_bytes(b"noise")
    told = {one.check: one.text for one in stores.everything(tmp_path)}
    assert "holds 1 log of no chat" in told["logs"]
