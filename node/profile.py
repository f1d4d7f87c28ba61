"""A profile: who one is, and what one's node goes on with at its next start.

`profile.json` is replaced as a whole, never half written, and never overwritten where it could not
be understood.  `node.lock` keeps a second process out.  The keys beside them: `node.trust.keys`.
"""

import fcntl
import getpass
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field, to_builtins
from msgspec.structs import fields

from .disk import refusal, replace_file, sign, sync_directory, unread
from .errors import DamagedFile, NewerFile, ProfileInUse
from .names import nick_from_login
from .trust import KEY_FILES

VERSION = 1
SHOWN_MAX = 30  # characters of a value that is no good
_KINDS = {str: "a text", int: "a number", list: "a list", dict: "an object"}  # as in JSON


class Entry(Struct, frozen=True):
    """A chat of the profile: enough to open it again, whatever the NDS has forgotten."""

    chat_id: int  # 0 until admitted
    name: str
    nds: str  # HOST:PORT; empty where the group has none
    archive: str  # file name below the data directory
    nick: str = ""  # where it differs from the profile's
    number: int = 0  # in order of joining
    state: str = "in"  # "left", or "leaving" while nobody has acknowledged that
    service: str = ""  # the certificate, in hex, that the NDS has by the word of who let us in

    def is_of(self, chat: int) -> bool:
        """Whether a log of that chat can be this one's; 0 says nothing on either side."""
        return chat == self.chat_id or 0 in (chat, self.chat_id)


class Profile(Struct, frozen=True):
    """What a node was last started with, and its chats."""

    nick: str = ""
    listen: str = ""
    advertise: str = ""
    nds: tuple[str, ...] = ()
    chats: tuple[Entry, ...] = ()
    transient: int = 0  # chats beside these of which nothing else is kept: they end with the node
    preset: str = ""  # empty, as the other two: the file or the default counts
    durability: str = ""
    timing: Mapping[str, int] = field(default_factory=dict)

    def settings(self) -> Mapping[str, Any]:
        """Those values that `config` takes as the profile's."""
        return {
            "nick": self.nick,
            "listen": self.listen,
            "advertise": self.advertise,
            "nds": self.nds,
            "preset": self.preset,
            "durability": self.durability,
            "timing": self.timing,
        }


def login_nick() -> str:
    """A nick out of the login name."""
    try:
        return nick_from_login(getpass.getuser())
    except (OSError, KeyError):  # no such user, as in some containers
        return "me"


# ---- profile.json ------------------------------------------------------------------------------


def load(directory: Path) -> Profile:
    """The profile kept in `directory`, an empty one where there is none yet.

    Raises:
        DamagedFile: it cannot be understood.
        DiskUnreadable, Unreadable: it may be whole, and cannot be read now.
        NewerFile: a later version wrote it.
    """
    file = directory / "profile.json"
    try:
        read = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return Profile()
    except OSError as error:
        raise unread(file, error) from error
    except ValueError as error:
        raise DamagedFile(file=file, text=error) from error
    if not isinstance(read, dict) or not isinstance(read.get("version"), int):
        raise DamagedFile(file=file, text="it is no profile")
    if read["version"] > VERSION:
        raise NewerFile(file=file, text=f"version {read['version']}, this one reads {VERSION}")
    try:
        return Profile(
            nick=_typed(read, "nick", str),
            listen=_typed(read, "listen", str),
            advertise=_typed(read, "advertise", str),
            nds=tuple(str(one) for one in _typed(read, "nds", list)),
            chats=tuple(map(_entry, enumerate(_typed(read, "chats", list), 1))),
            transient=_typed({"transient": 0} | read, "transient", int),
            preset=_typed({"preset": ""} | read, "preset", str),
            durability=_typed({"durability": ""} | read, "durability", str),
            timing=_typed({"timing": {}} | read, "timing", dict),
        )
    except ValueError as error:
        raise DamagedFile(file=file, text=error) from error


def _typed(table: Mapping[str, Any], key: str, kind: type, where: str = "") -> Any:
    """Raises ValueError, which names the field, where it is missing or of another type."""
    if key not in table:
        raise ValueError(f"{where}{key} is missing; it must be {_KINDS[kind]}")
    if not isinstance(table[key], kind):
        raise ValueError(f"{where}{key} must be {_KINDS[kind]}, not {_shown(table[key])}")
    return table[key]


def _entry(numbered: tuple[int, Any]) -> Entry:
    number, table = numbered
    where = f"chat {number} of chats"
    if not isinstance(table, dict):
        names = ", ".join(f.name for f in fields(Entry))
        raise ValueError(f"{where} must be an object of {names}, not {_shown(table)}")
    table = {"service": ""} | table
    found = {f.name: _typed(table, f.name, f.type, f"{where}: ") for f in fields(Entry)}
    bytes.fromhex(found["service"])  # Or it says why not.
    return Entry(**found)


def _shown(value: Any) -> str:
    """As it stands in the file, if it is short."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}..."


def save(directory: Path, profile: Profile, *, power: bool = False) -> None:
    """Replaces the profile kept in `directory`; with `power` it survives the loss of power.

    Raises:
        Unwritable: the disk refuses.
    """
    file = directory / "profile.json"
    text = json.dumps({"version": VERSION, **to_builtins(profile)}, indent=1, ensure_ascii=False)
    replace_file(file, text.encode())
    if power:
        try:
            sync_directory(directory)
        except OSError as error:
            raise refusal(file, error) from error


def tidy(directory: Path) -> None:
    """Removes what a process that died while it saved has left there; for the lock's owner."""
    for file in ("profile.json", *KEY_FILES):
        for half in directory.glob(f".{file}.*"):
            half.unlink(missing_ok=True)


# ---- node.lock ---------------------------------------------------------------------------------


class Lock:
    """Held while a node of the profile lives; the kernel lets go of it when the process ends."""

    def __init__(self, directory: Path, profile: str) -> None:
        """Takes the lock.

        Raises:
            ProfileInUse: another process has it.
            Unwritable: the lock's file cannot be made.
        """
        self._file = directory / "node.lock"
        try:
            self._descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise refusal(self._file, error) from error
        try:
            self._take()
        except BlockingIOError:
            pid = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "?"
            os.close(self._descriptor)
            raise ProfileInUse(pid=pid, profile=profile) from None
        try:
            sign(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise refusal(self._file, error) from error

    def _take(self) -> None:
        for _ in range(3):  # `holder` of another process may have it for an instant
            try:
                return fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.02)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Lets the next process in."""
        os.close(self._descriptor)


def holder(directory: Path) -> int:
    """Pid of the process that holds the lock of the profile in `directory`; 0 for nobody."""
    try:
        descriptor = os.open(directory / "node.lock", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise unread(directory / "node.lock", error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return 0
    except BlockingIOError:
        text = os.read(descriptor, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdecimal() else 0
    finally:
        os.close(descriptor)
