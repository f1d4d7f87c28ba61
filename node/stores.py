"""The doctor's look at what a profile keeps on disk: each chat's log, and the room that is left."""

from collections.abc import Iterable
from pathlib import Path

from . import disk, profile
from .archive.checkup import Health, examine, is_begun
from .archive.files import size_of
from .archive.rows import VERSION
from .errors import Complaint, MisplacedLog
from .profile import Entry
from .trust import certificates, keys
from .words import Finding

ROOM_LOW = 64 * 2**20  # bytes: less than that is said


def findings(data: Path, key: bytes | None, entries: Iterable[Entry]) -> list[Finding]:
    """One for the log of each chat, one for the disk; `data` is the profile's directory, and `key`
    opens its logs.

    Takes its time with long logs.
    """
    rows = [_log(data, key, one) for one in entries if one.state != "left"]
    return [*rows, _room(data)]


def everything(data: Path) -> list[Finding]:
    """The same of the chats that the profile names, and before them what is wrong with its own
    files; nothing is made or changed.
    """
    wrong: list[Finding] = []
    chats: tuple[Entry, ...] = ()
    try:
        chats = profile.load(data).chats
    except Complaint as error:
        wrong.append(Finding("profile", False, str(error)))
    key, unsound = _log_key(data), wrong_keys(data)
    lone = [] if wrong else lone_logs(data, key, chats)
    return [*wrong, *unsound, *lone, *findings(data, key, chats)]


def lone_logs(data: Path, key: bytes | None, entries: Iterable[Entry]) -> list[Finding]:
    """What there is to say of logs that belong to none of these chats, as where profile.json is
    lost; nothing where there are none.
    """
    text = of_lone_logs(data, key, entries)
    return [Finding("logs", False, text)] if text else []


def of_lone_logs(data: Path, key: bytes | None, entries: Iterable[Entry]) -> str:
    """The same in words; empty for none.  A log by which nobody was a member yet is no loss."""
    known, directory = {one.archive for one in entries}, data / disk.LOGS
    lone = [one for one in directory.glob("*.db") if one.name not in known and one.is_file()]
    count = sum(is_begun(one, key) if key else size_of(one) > 0 for one in lone)
    if not count:
        return ""
    what, them = ("1 log", "it") if count == 1 else (f"{count:,} logs", "them")
    return (
        f"{directory} holds {what} of no chat that profile.json names. Who joins such a chat again"
        " begins a new log; so stop the node and put profile.json back if you have it as it was,"
        f" else move {them} away"
    )


def wrong_keys(data: Path, *, running: bool = False) -> list[Finding]:
    """What is wrong with the keys; nothing where they are sound, or not made yet.

    `running`: in the process of the node whose keys they are.
    """
    wrong = [Finding("keys", False, str(fault)) for fault in keys.faults(data, running=running)]
    if certificates.is_no_authority(shown := data / certificates.AUTHORITY):
        text = f"{shown} is damaged: the next start of the node makes it anew"
        wrong.append(Finding("keys", False, text))
    return wrong


def _log_key(data: Path) -> bytes | None:
    """None where there is none, or what is wrong with it is told elsewhere."""
    try:
        return keys.check(data)
    except Complaint:
        return None


def _log(data: Path, key: bytes | None, entry: Entry) -> Finding:
    check = f"log of #{entry.name}"
    if key is None:
        return Finding(check, False, "cannot be read without the identity.key of the profile")
    file = data / disk.LOGS / entry.archive
    try:
        health = examine(file, key)
        if not entry.is_of(health.chat):
            raise MisplacedLog(file=file, chat=entry.name)
    except Complaint as error:
        return Finding(check, False, str(error))
    return Finding(check, True, _told(health))


def _told(health: Health) -> str:
    lines = f"{health.lines:,} line{'' if health.lines == 1 else 's'}"
    beside = f", and {_mib(health.wal)} in its write-ahead log" if health.wal else ""
    parts = [f"sound: {lines} in {_mib(health.size)}{beside}"]
    if health.version < VERSION:
        parts.append(f"version {health.version}, brought to {VERSION} when it is opened next")
    else:
        parts.append(f"version {health.version}")
    if health.waiting:
        yours = (
            "1 of your lines waits"
            if health.waiting == 1
            else (f"{health.waiting:,} of your lines wait")
        )
        parts.append(f"{yours} for somebody")
    return "; ".join(parts)


def _room(data: Path) -> Finding:
    if disk.is_read_only(data):
        text = f"the disk of {data} can only be read, so chats stall: make it writable"
        return Finding("disk", False, text)
    free = disk.room(data)
    text = f"{_mib(free)} free for {data}"
    if free < ROOM_LOW:
        return Finding("disk", False, f"only {text}; where it is full, chats stall: make room")
    return Finding("disk", True, text)


def _mib(size: int) -> str:
    if size >= 2**30:
        return f"{size / 2**30:,.1f} GiB"
    return f"{size / 2**20:,.1f} MiB"
