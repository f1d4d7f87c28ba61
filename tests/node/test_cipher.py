"""Tries node/archive/cipher.py and node/archive/files.py: logs tell nothing without their key."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from node.archive import SqliteArchive
from node.archive.checkup import examine
from node.core.effects import StoreMessages, StoreMeta, StoreRoster
from node.disk import is_plain
from node.errors import DamagedLog
from node.trust import keys
from tests.core.cast import line, person, remembered
from tests.logs import KEY, key_of, looked_into

OTHER = b"another key, of the same length!"
SAID = "the quick brown fox"
KEPT = remembered(person(3), person(1), leader=1)


def kept(path: Path, count: int = 1, key: bytes = KEY) -> SqliteArchive:
    archive = SqliteArchive(path, key)
    assert KEPT.meta is not None
    archive.append([StoreMeta(KEPT.meta), StoreRoster(KEPT.roster)])
    archive.append([StoreMessages(tuple(line(1, n, SAID) for n in range(1, count + 1)))])
    return archive


def plain(path: Path, key: bytes = KEY) -> None:
    """The same log as a program of before kept it."""
    kept(path, 3, key).close()
    clear = path.with_name("clear.db")
    with closing(looked_into(path, key, "rw")) as base:
        clear.touch()
        base.execute("ATTACH ? AS clear KEY ''", [str(clear)])
        base.execute("SELECT sqlcipher_export('clear')").fetchall()
        for name in ("application_id", "user_version"):
            (number,) = base.execute(f"PRAGMA {name}").fetchone()
            base.execute(f"PRAGMA clear.{name} = {number}")
    clear.replace(path)
    assert is_plain(path)


def texts(path: Path, key: bytes = KEY) -> list[str]:
    archive = SqliteArchive(path, key)
    try:
        return [one.text for one in archive.page(count=10)]
    finally:
        archive.close()


def told(path: Path) -> bytes:
    """All that stands in the files of a log."""
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_nothing_that_is_kept_can_be_read_in_its_files(tmp_path: Path) -> None:
    archive = kept(tmp_path / "a.db", 40)
    for _ in range(2):  # In the write-ahead log, then in the file itself.
        found = told(tmp_path / "a.db")
        assert len(found) > 20_000
        for secret in (SAID, "user1", "den", "m1:7000", "message", "CREATE TABLE", "SQLite format"):
            assert secret.encode() not in found, secret
        archive.close()


def test_with_another_key_it_is_refused_without_a_word_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept(tmp_path / "a.db").close()
    before = (tmp_path / "a.db").read_bytes()
    for refused in (SqliteArchive, examine):
        with pytest.raises(DamagedLog, match="belongs to another identity: put"):
            refused(tmp_path / "a.db", OTHER)
    assert (tmp_path / "a.db").read_bytes() == before
    assert capfd.readouterr() == ("", "")
    assert texts(tmp_path / "a.db") == [SAID]


def test_what_was_changed_in_the_file_is_noticed(tmp_path: Path) -> None:
    kept(tmp_path / "a.db", 100).close()
    whole = bytearray((tmp_path / "a.db").read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / "a.db").write_bytes(whole)
    with pytest.raises(DamagedLog):
        SqliteArchive(tmp_path / "a.db", KEY)


def test_two_logs_of_one_key_have_nothing_in_common(tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        kept(tmp_path / name).close()
    one, other = ((tmp_path / name).read_bytes()[:4096] for name in ("a.db", "b.db"))
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 100


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_a_key_of_another_length_is_a_mistake_of_the_program(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SqliteArchive(tmp_path / "a.db", key)


# ---- logs of before ------------------------------------------------------------------------------


def test_a_log_of_before_is_encrypted_when_it_is_opened(tmp_path: Path) -> None:
    plain(tmp_path / "a.db")
    assert SAID.encode() in told(tmp_path / "a.db")
    assert examine(tmp_path / "a.db", KEY).lines == 3, "who only looks changes nothing"
    assert is_plain(tmp_path / "a.db")
    archive = SqliteArchive(tmp_path / "a.db", KEY)
    found = archive.load()
    assert (found.meta, found.roster) == (KEPT.meta, KEPT.roster)
    assert [one.texts for one in found.messages] == [(SAID,)] * 3
    assert SAID.encode() not in told(tmp_path / "a.db")
    archive.close()
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"a.db", "a.db.lock"}
    assert texts(tmp_path / "a.db") == [SAID] * 3


def test_what_stands_in_its_write_ahead_log_is_taken_over(tmp_path: Path) -> None:
    plain(tmp_path / "a.db")
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as base:
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA wal_autocheckpoint = 0")
        base.execute("UPDATE message SET texts = '[\"later\"]' WHERE seq = 3")
        copy = {file.name: file.read_bytes() for file in tmp_path.glob("a.db*")}
    for name, content in copy.items():  # As a process that is killed leaves it.
        (tmp_path / name).write_bytes(content)
    assert texts(tmp_path / "a.db") == [SAID, SAID, "later"]
    assert b"later" not in told(tmp_path / "a.db")


def test_a_log_of_before_that_cannot_be_replaced_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain(tmp_path / "a.db")

    def fails(*_: object) -> None:
        raise OSError(5, "as the disk says it")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", fails)
        with pytest.raises(Exception, match="as the disk says it"):
            SqliteArchive(tmp_path / "a.db", KEY)
    assert is_plain(tmp_path / "a.db")
    assert not (tmp_path / "a.db.fresh").exists()
    assert texts(tmp_path / "a.db") == [SAID] * 3


def test_what_a_cut_off_takeover_left_is_no_obstacle(tmp_path: Path) -> None:
    plain(tmp_path / "a.db")
    (tmp_path / "a.db.fresh").write_bytes(b"half of it")
    assert texts(tmp_path / "a.db") == [SAID] * 3
    assert not (tmp_path / "a.db.fresh").exists()


def test_the_file_of_another_program_is_not_encrypted(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as base:
        base.execute("CREATE TABLE cookies (name)")
    with pytest.raises(DamagedLog, match="another program"):
        SqliteArchive(tmp_path / "a.db", KEY)
    assert is_plain(tmp_path / "a.db")


# ---- whose key -----------------------------------------------------------------------------------


def test_the_key_follows_from_the_identity_and_from_nothing_else(tmp_path: Path) -> None:
    mine = keys.load(tmp_path)
    (tmp_path / "tls.pem").unlink()
    (tmp_path / "seal.key").unlink()
    assert keys.load(tmp_path).log_key == mine.log_key == key_of(tmp_path)
    assert len(mine.log_key) == 32
    assert keys.make().log_key != mine.log_key


def test_where_there_is_no_identity_there_is_no_key(tmp_path: Path) -> None:
    assert keys.check(tmp_path) is None
