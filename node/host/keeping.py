"""What a node goes on with at its next start: its profile, on disk whenever the disk allows it."""

import asyncio
import logging
from collections.abc import Iterable

from msgspec.structs import replace

from .. import profile as profiles
from .. import stores
from ..errors import DiskFull, DiskReadOnly, Unwritable
from ..places import Places
from ..profile import Entry, Profile
from ..tasks import Tasks
from .chats import Chat

SAVE_S = 2.0  # between two tries to write what could not be written

_log = logging.getLogger(__name__)


class Keeping:
    """The part of a node that keeps its profile; the node brings its tasks."""

    tasks: Tasks

    def __init__(self, places: Places, profile: Profile, *, power: bool) -> None:
        """Nothing is written yet.

        Args:
            places: where its files are; the caller holds the profile's lock.
            profile: what it goes on with.
            power: what is stored survives the loss of power.
        """
        self.places, self.profile, self.power = places, profile, power
        self.unsaved: Unwritable | None = None  # why profile.json is older than `profile`
        self.ended = asyncio.Event()  # something crashed, or somebody asked for the end
        self.lone_logs = ""  # what is said of logs that it found at its start and no chat's are
        self.lost = profile.transient  # chats that ended with the last process, not joined since

    def look_for_lone_logs(self, key: bytes) -> None:
        """Says so where `profile` does not name the chats of all logs; `key` opens these."""
        if text := stores.of_lone_logs(self.places.data, key, self.profile.chats):
            _log.warning("%s", text)
        self.lone_logs = text

    def keep(self, **changes: object) -> None:
        """Changes the profile, on disk first.

        Raises:
            Unwritable: the disk refuses; nothing has changed.
        """
        fresh = replace(self.profile, **changes)
        if fresh != self.profile or self.unsaved is not None:
            profiles.save(self.places.data, fresh, power=self.power)
            self.profile, self.unsaved = fresh, None

    def keep_soon(self, **changes: object) -> None:
        """Changes the profile whatever the disk says: it is written once that works.

        For what has happened already, and what is found again where it was not written.
        """
        try:
            self.keep(**changes)
        except Unwritable as error:
            _log.error("%s", error)
            self.profile = replace(self.profile, **changes)
            if self.unsaved is None and not self.ended.is_set():
                self.tasks.spawn(self._save_later(), "saving the profile")
            self.unsaved = error

    def check_profile(self) -> None:
        """Raises Unwritable where a chat that is entered could not be kept."""
        profiles.save(self.places.data, self.profile, power=self.power)

    def _with(self, entry: Entry) -> tuple[Entry, ...]:
        """The entries, with this one in place of the one with the same log."""
        known = {one.archive: one for one in self.profile.chats} | {entry.archive: entry}
        return tuple(known.values())

    def keep_entry(self, entry: Entry, **changes: object) -> None:
        """Puts a chat's entry into the profile, with other changes.  Raises Unwritable."""
        self.keep(chats=self._with(entry), **changes)

    def keep_entry_soon(self, entry: Entry) -> None:
        """The same as `keep_soon` does it."""
        self.keep_soon(chats=self._with(entry))

    def count_transient(self, chats: Iterable[Chat]) -> None:
        """The profile knows how many chats end with this process, so that the next can say it."""
        self.keep_soon(transient=sum(chat.is_transient for chat in chats))

    async def _save_later(self) -> None:
        """Writes the profile as it is by then, once that works."""
        while self.unsaved is not None:
            await asyncio.sleep(SAVE_S)
            try:
                profiles.save(self.places.data, self.profile, power=self.power)
            except Unwritable as error:
                self.unsaved = error
            else:
                self.unsaved = None


def said_of(unsaved: Unwritable) -> str:
    """What is told while the profile could not be written: nothing that was said is lost."""
    whys: dict[type[Unwritable], str] = {
        DiskFull: "the disk is full",
        DiskReadOnly: "the disk can only be read",
    }
    why = whys.get(type(unsaved), unsaved.facts.get("text", ""))
    file = unsaved.facts.get("file", "the profile")
    return f"{file} cannot be written ({why}); the node goes on, and writes it once it can"


def ended(count: int) -> str:
    """What is told of so many transient chats that ended with the last process; empty for none."""
    if not count:
        return ""
    chats = "1 transient chat" if count == 1 else f"{count} transient chats"
    return f"{chats} ended here with the node's last run, which kept nothing; join anew"
