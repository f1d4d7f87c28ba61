"""A log in one SQLite file for each group: write-ahead log, one transaction for each turn.

What `append` returned from is in the write-ahead log, so the death of the process loses nothing
(`synchronous=NORMAL`; the loss of power may take the last instants).  Moving the write-ahead log
into the file waits for the disk, so it happens on a thread of its own and never holds up the group.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from node.archive import rows, values
from node.archive.cipher import BUSY_S, connect, sqlite3
from node.archive.files import FileInUse, Lock, erase, open_database, prepared
from node.archive.lines import Lines
from node.archive.ports import Unread, Wanted, hex_digits
from node.archive.posts import Posts
from node.core.access import ClaimKey, Invite, Password
from node.core.conversation import ChatMessage, Line
from node.core.deciding import Decision
from node.core.effects import (
    Erase,
    Meta,
    Remembered,
    Store,
    StoreMarks,
    StoreMessages,
    StoreMeta,
    StorePost,
    StoreRoster,
    Trim,
)
from node.core.messages import NOBODY, Fact, Member, Roster
from node.core.types import Key, LinePlace, MemberId, Post, WallMillis
from node.disk import ROOM_MIN, failure, refusal, room
from node.errors import DamagedLog, DiskFull, Unwritable

__all__ = ["FileInUse", "SqliteArchive", "erase"]

_log = logging.getLogger(__name__)

CHECKPOINT_STORES = 2_000  # stores between two moves of the write-ahead log into the file ...
CHECKPOINT_LEAST = 50  # ... or as few, where it has grown
# What of a roster is nobody's alone, by the names of its fields, which are those of its rows.
COMMON: dict[str, Any] = {
    "topic": Fact,
    "access": Fact,
    "invites": tuple[Invite, ...],
    "password": Password,
    "decisions": tuple[Decision, ...],
    "claim_keys": tuple[ClaimKey, ...],
}
TRIED = 256 * 1024  # bytes that must find room before a log is gone on with
WAL_MAX = 16 * 2**20  # bytes, then after each ...
WAL_STEP = 4 * 2**20  # ... more, as long as nobody pauses: only then it begins anew
WAL_SHARE = 8  # or this part of the room that is left, where that is less
ROOM_LOW = 64 * 2**20  # bytes: with less room it is moved at once and cut off
CUT_OFF_MS = 50  # for who reads just then: the loop waits for this
CUT_AGAIN_S = 0.5  # then a thread tries


class _Counted(Struct, frozen=True):
    """The unread lines, as of the message that arrived as `last`."""

    me: MemberId
    mentions: Callable[[str], bool]
    last: int
    unread: Unread


class SqliteArchive:
    """See `Archive`.  Opens or creates the file at `path`, and locks it against other processes; it
    is encrypted with `key`, of 32 bytes.

    `power`: what `append` returned from survives the loss of power too.  Raises `FileInUse`,
    `DamagedLog`, `NewerFile` or `Unwritable`; the file is then as it was.
    """

    def __init__(self, path: Path, key: bytes, *, power: bool = False) -> None:
        self.path = path
        self._key, self._power = key, power
        self._lock = Lock(path)
        left = self._wal_size()
        try:
            self._base = open_database(path, key, power=power)
        except BaseException:
            self._lock.release()
            if not path.exists():
                erase(path)
            raise
        self._lines, self._posts = Lines(self._base), Posts(self._base)
        self._members: dict[MemberId, Member] = {}
        self._common = NOBODY
        self._checkpoint: threading.Thread | None = None
        self._guard, self._ending = threading.Lock(), threading.Event()  # of the thread: its state
        self._is_moving = False
        self._cuts = self._cuts_done = 0  # of the write-ahead log: asked of the thread, and done
        self._told = ""  # why it stays for now
        self._unmoved = 0  # stores in the write-ahead log ...
        self._looked = 0  # ... and when it was looked at last
        self._moved_size = 0  # of the write-ahead log, when it was moved last
        self._counted: _Counted | None = None
        self._closed = False
        if left:  # A process that was killed left it, and perhaps what it was to erase.
            self._cut_soon()

    # ---- writing ------------------------------------------------------------------------------

    def append(self, stores: Sequence[Store]) -> None:
        roster: Roster | None = None
        erased = False
        with self._failing(), self._transaction():
            self._put_lines(stores)
            for store in stores:
                match store:
                    case StoreMessages() | StorePost():
                        pass  # What a turn stores it does not trim: all at once, before.
                    case Erase(texts):
                        self._lines.erase(texts)
                        self._counted, erased = None, True
                    case StoreMeta(meta):
                        self._base.execute(rows.PUT_STATE, ("meta", values.write(meta)))
                    case StoreRoster():
                        roster = store.roster
                        self._put_roster(roster)
                    case StoreMarks(floors, holes):
                        self._base.executemany(rows.PUT_FLOOR, map(rows.of_floor, floors))
                        self._base.executemany(rows.PUT_HOLE, map(rows.of_key, holes))
                    case Trim(last):
                        self._lines.trim(last)
                        self._posts.trim(last)
                        self._counted = None
        if roster is not None:
            self._members = {member.id: member for member in roster.members}
            self._common = replace(roster, members=())
        self._unmoved += len(stores)
        if erased:  # SQLCipher overwrites what goes; older pages are in the write-ahead log.
            if not self._cut_off():
                self._cut_soon()
            return
        if self._unmoved >= self._looked + CHECKPOINT_LEAST:
            self._looked = self._unmoved
            if self._unmoved >= CHECKPOINT_STORES or self._is_large():
                self._move()

    def _put_lines(self, stores: Sequence[Store]) -> None:
        fresh = [m for store in stores if type(store) is StoreMessages for m in store.messages]
        if fresh and not self._lines.put(fresh):
            self._counted = None  # It is no sum any more.
        if posts := [store.post for store in stores if type(store) is StorePost]:
            self._posts.put(posts)

    def _put_roster(self, roster: Roster) -> None:
        """Write the members that changed."""
        changed = [
            (member.id, values.write(member))
            for member in roster.members
            if self._members.get(member.id) != member
        ]
        self._base.executemany(rows.PUT_MEMBER, changed)
        gone = self._members.keys() - {member.id for member in roster.members}
        self._base.executemany("DELETE FROM member WHERE id = ?", [(id,) for id in sorted(gone)])
        for name in COMMON:
            value = getattr(roster, name)
            if value != getattr(self._common, name):
                self._base.execute(rows.PUT_STATE, (name, values.write(value)))

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise failure(self.path, error) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._base.execute("COMMIT")
        except BaseException:
            self._lines.forget()
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    def _wal_size(self) -> int:
        try:
            return self.path.with_name(f"{self.path.name}-wal").stat().st_size
        except OSError:
            return 0

    def _is_large(self) -> bool:
        """Whether the write-ahead log takes more of the disk than it should: what is in the way of
        the file itself could not be moved into it any more.
        """
        size = self._wal_size()
        self._moved_size = min(self._moved_size, size)
        if size > WAL_MAX and size - self._moved_size >= WAL_STEP:
            return True
        return size > room(self.path) // WAL_SHARE

    def _move(self) -> None:
        """Begin to move the write-ahead log into the file, unless that is still going on."""
        if room(self.path) < ROOM_LOW:
            self._cut_off()
        else:
            self._begin()

    def _begin(self, cuts: int = 0) -> None:
        with self._guard:
            self._cuts += cuts
            if self._is_moving:
                return
            self._is_moving = True
        self._unmoved = self._looked = 0
        self._moved_size = self._wal_size()
        self._checkpoint = threading.Thread(target=self._moving, name="checkpoint", daemon=True)
        self._checkpoint.start()

    def _moving(self) -> None:
        """Move it, and cut it off if that is asked: again and again while somebody reads it."""
        while True:
            asked = self._cuts
            if self._move_now(cut=asked > self._cuts_done):
                self._cuts_done = asked
            with self._guard:
                if self._cuts_done == self._cuts or self._ending.is_set():
                    self._is_moving = False
                    return
            self._ending.wait(CUT_AGAIN_S)

    def _move_now(self, *, cut: bool) -> bool:
        try:
            base = connect(self.path, self._key)
            try:
                base.execute("PRAGMA busy_timeout = 0")  # who waits for readers keeps writers off
                base.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                return not cut or _is_cut(base)
            finally:
                base.close()
        except (sqlite3.Error, Unwritable) as error:
            self._stays(error)
            return not cut

    def _cut_off(self) -> bool:
        """Move it at once, and take its room back: on a disk that runs low no thread may lag.

        False where somebody reads it just now.
        """
        self._unmoved = self._looked = 0
        self._base.execute(f"PRAGMA busy_timeout = {CUT_OFF_MS}")
        try:
            return _is_cut(self._base)
        except sqlite3.Error as error:
            self._stays(error)
            return False
        finally:
            self._base.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")

    def _cut_soon(self) -> None:
        """The same as soon as nobody reads it, on a thread."""
        self._begin(cuts=1)

    def _stays(self, error: sqlite3.Error | Unwritable) -> None:
        if str(error) != self._told:
            self._told = str(error)
            _log.warning("the write-ahead log of %s stays for now: %s", self.path, error)

    # ---- reading ------------------------------------------------------------------------------

    def load(self) -> Remembered:
        try:
            with self._failing():
                state = dict(self._base.execute("SELECT name, value FROM state"))
                members = [
                    values.read(Member, record)
                    for (record,) in self._base.execute("SELECT record FROM member ORDER BY id")
                ]
                posts = self._posts.waiting() + self._posts.lacking()
                messages = self._lines.load()
                floors = tuple(map(rows.to_floor, self._base.execute(rows.ALL_FLOORS)))
                holes = tuple(map(rows.to_key, self._base.execute(rows.ALL_HOLES)))
                trimmed = tuple(map(rows.to_key, self._base.execute(rows.ALL_TRIMMED)))
            self._members = {member.id: member for member in members}
            common = {
                name: values.read(kind, state[name])
                for name, kind in COMMON.items()
                if name in state
            }
            self._common = Roster(**common)
            meta = values.read(Meta, state["meta"]) if "meta" in state else None
        except ValueError as error:
            raise DamagedLog(file=self.path, text=error) from error
        roster = replace(self._common, members=tuple(members))
        return Remembered(meta, roster, messages, tuple(posts), floors, holes, trimmed)

    def read(self, keys: Sequence[Key]) -> list[ChatMessage]:
        with self._failing():
            found = self._lines.read(keys)
        return [found[key] for key in keys if key in found]

    def page(
        self,
        *,
        count: int,
        before: LinePlace | None = None,
        after: LinePlace | None = None,
        since_ms: WallMillis = 0,
        contains: str = "",
        from_ms: WallMillis = 0,
    ) -> list[Line]:
        with self._failing():
            wanted = Wanted(before, after, since_ms, contains.casefold(), from_ms)
            return self._lines.page(count, wanted)

    def find(self, prefix: str) -> list[Line]:
        digits = hex_digits(prefix)
        with self._failing():
            return self._lines.find(digits) if digits else []

    def brief(self, id: str) -> str:
        with self._failing():
            return self._lines.brief(id)

    def posts(self, keys: Iterable[Key]) -> dict[Key, Post]:
        with self._failing():
            return self._posts.find(keys)

    def stored_at(self, key: Key) -> WallMillis:
        with self._failing():
            row = self._base.execute(rows.STORED_AT, rows.of_key(key)).fetchone()
        return int(row[0]) if row else 0

    def note(self, name: str, text: str) -> None:
        with self._failing():
            self._base.execute(rows.PUT_STATE, (f"note {name}", text))

    def noted(self, name: str) -> str:
        with self._failing():
            row = self._base.execute(rows.ONE_STATE, (f"note {name}",)).fetchone()
        return str(row[0]) if row else ""

    def mark_read(self) -> None:
        with self._failing():
            self._base.execute(rows.MARK_READ)
        self._counted = None

    def unread(self, me: MemberId, mentions: Callable[[str], bool]) -> Unread:
        count = mentioned = 0
        with self._failing():
            last = int(self._base.execute(rows.LAST_ARRIVAL).fetchone()[0])
            counted = self._counted
            if counted is not None and (counted.me, counted.mentions) == (me, mentions):
                count, mentioned = counted.unread.count, counted.unread.mentions
                texts = self._lines.later(counted.last, me)
            else:
                texts = self._lines.unread(me)
        unread = Unread(count + len(texts), mentioned + sum(map(mentions, texts)))
        self._counted = _Counted(me, mentions, last, unread)
        return unread

    # ---- the end -------------------------------------------------------------------------------

    def reopen(self, *, check: bool) -> None:
        if room(self.path) < ROOM_MIN:
            raise DiskFull(file=self.path, text="there is no room")
        fresh = connect(self.path, self._key)
        try:
            fresh.execute(rows.PUT_STATE, ("tried", "." * TRIED))
            fresh.execute(rows.DROP_STATE, ("tried",))
        except sqlite3.Error as error:
            fresh.close()
            raise refusal(self.path, error) from error
        fresh = prepared(fresh, self.path, power=self._power, check=check)
        old, self._base = self._base, fresh
        old.close()
        self._lines, self._posts = Lines(fresh), Posts(fresh)
        self._counted = None

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._ending.set()
        if self._checkpoint is not None:
            self._checkpoint.join()
        self._base.close()
        self._lock.release()


def _is_cut(base: sqlite3.Connection) -> bool:
    """Moves all of the write-ahead log and cuts it off; not, or in part, while somebody reads it.

    Raises sqlite3.Error.
    """
    (busy, *_) = base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
