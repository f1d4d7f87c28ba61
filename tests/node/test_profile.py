"""The profile: kept, replaced as a whole, never overwritten when it cannot be read."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from node import profile
from node.errors import (
    Complaint,
    DamagedFile,
    DiskFailed,
    DiskFull,
    NewerFile,
    ProfileInUse,
    Unwritable,
)
from node.profile import Entry, Lock, Profile

FULL = Profile(
    nick="alice",
    listen="127.0.0.1:4000",
    advertise="",
    nds=("127.0.0.1:50050",),
    chats=(Entry(5, "dev", "127.0.0.1:50050", "a.db", "ali", 1, "left", "3082"),),
    preset="wan",
    durability="power",
    timing={"log_max": 20},
)


def test_a_new_directory_has_an_empty_profile(tmp_path: Path) -> None:
    assert profile.load(tmp_path) == Profile()


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    profile.save(tmp_path, FULL)
    assert profile.load(tmp_path) == FULL
    assert stat.S_IMODE((tmp_path / "profile.json").stat().st_mode) == 0o600


def test_saving_leaves_no_other_file(tmp_path: Path) -> None:
    profile.save(tmp_path, FULL)
    profile.save(tmp_path, Profile(nick="bob"))
    assert [file.name for file in tmp_path.iterdir()] == ["profile.json"]


def test_two_writers_at_once_never_share_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one writes and finishes while the first is about to."""
    file, sync, content = tmp_path / "x", os.fsync, [b"second"]

    def meanwhile(descriptor: int) -> None:
        sync(descriptor)
        if content:
            profile.replace_file(file, content.pop())

    monkeypatch.setattr(os, "fsync", meanwhile)
    profile.replace_file(file, b"first, and longer")
    assert file.read_bytes() == b"first, and longer"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_a_directory_that_takes_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match=r"profile\.json"):
        profile.save(tmp_path / "missing", FULL)


def _changed(**changes: object) -> str:
    return json.dumps({"version": 1, "nick": "", "listen": "", "advertise": "", "nds": [],
                       "chats": []} | changes)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": "1"}',
        '{"version": 1}',
        _changed(nick=5),
        _changed(chats=[{"chat_id": "x"}]),
        _changed(chats=[5]),
        _changed(nds="a:1"),
        _changed(durability=1),
        _changed(timing=[]),
    ],
)
def test_a_damaged_profile_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "profile.json"
    file.write_text(text)
    with pytest.raises(DamagedFile, match=r"profile\.json is damaged"):
        profile.load(tmp_path)
    assert file.read_text() == text


_ENTRY = {"chat_id": 5, "name": "dev", "nds": "", "archive": "a.db", "nick": "", "number": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            _changed(chats=[_ENTRY | {"state": "in"}, None]),
            "chat 2 of chats must be an object of chat_id, name, nds, archive, nick, number, state,"
            " service, not null",
        ),
        (_changed(chats=[_ENTRY]), "chat 1 of chats: state is missing; it must be a text"),
        (
            _changed(chats=[_ENTRY | {"state": "in", "chat_id": None}]),
            "chat 1 of chats: chat_id must be a number, not null",
        ),
        (_changed(chats=None), "chats must be a list, not null"),
        (_changed(nick=["x" * 99]), f'nick must be a text, not ["{"x" * 28}...'),
        ('{"version": 1}', "nick is missing; it must be a text"),
    ],
)
def test_what_is_damaged_in_a_profile_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "profile.json").write_text(text)
    with pytest.raises(DamagedFile) as told:
        profile.load(tmp_path)
    assert told.value.facts["text"] == said


def test_a_profile_of_before_it_kept_durability_preset_and_timing_is_read(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(_changed(nick="alice"))
    assert profile.load(tmp_path) == Profile(nick="alice")


def test_a_profile_of_a_later_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(_changed(version=99))
    with pytest.raises(NewerFile):
        profile.load(tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            errno.EIO,
            r"The disk fails: .*{} cannot be read: Input/output error. Nothing was changed",
        ),
        (errno.EACCES, "{} cannot be read: Permission denied. Nothing was changed"),
    ],
)
def test_what_cannot_be_read_is_not_said_to_be_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    profile.save(tmp_path, FULL)

    def fails(*_: object, **__: object) -> bytes:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "read_text", fails)
    with pytest.raises(Complaint, match=said.format("profile.json")) as told:
        profile.load(tmp_path)
    assert not isinstance(told.value, DamagedFile)
    assert isinstance(told.value, DiskFailed) == (code == errno.EIO)


# ---- the lock ----------------------------------------------------------------------------------


def test_a_second_process_is_kept_out_and_told_who_is_in(tmp_path: Path) -> None:
    lock = Lock(tmp_path, "alice")
    code = (
        "import sys; from pathlib import Path; from node.profile import Lock; from node.errors"
        " import ProfileInUse\n"
        "try: Lock(Path(sys.argv[1]), 'alice')\n"
        "except ProfileInUse as told: print(told)"
    )
    run = [sys.executable, "-c", code, str(tmp_path)]
    asked = subprocess.run(run, capture_output=True, text=True, check=True)
    assert f"(pid {os.getpid()}) runs the profile 'alice'" in asked.stdout
    lock.release()
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == ""


def test_the_holder_is_known_while_it_holds(tmp_path: Path) -> None:
    assert profile.holder(tmp_path) == 0
    lock = Lock(tmp_path, "alice")
    with pytest.raises(ProfileInUse):
        Lock(tmp_path, "alice")
    assert profile.holder(tmp_path) == os.getpid()
    lock.release()
    assert profile.holder(tmp_path) == 0


def test_a_profile_waits_for_the_disk_where_that_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    profile.save(tmp_path, Profile(nick="a"))
    assert synced == ["file"]
    profile.save(tmp_path, Profile(nick="b"), power=True)
    assert synced == ["file", "file", "directory"], "the name that it has now, too"


def test_what_was_half_written_is_cleared_away_and_nothing_else(tmp_path: Path) -> None:
    profile.save(tmp_path, Profile(nick="a"))
    (tmp_path / ".profile.json.abc").write_text("{")
    (tmp_path / ".identity.key.abc").write_text("")
    (tmp_path / ".ui.json.abc").write_text("a face is at it")
    profile.tidy(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".ui.json.abc", "profile.json"]


def test_a_full_disk_keeps_the_profile_that_there_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile.save(tmp_path, Profile(nick="a"))

    def refused(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(DiskFull, match=r"profile\.json"):
        profile.save(tmp_path, Profile(nick="b"))
    assert profile.load(tmp_path) == Profile(nick="a")
    assert [file.name for file in tmp_path.iterdir()] == ["profile.json"]
