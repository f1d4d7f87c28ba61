"""The tables of a log, and rows of them as values and back."""

import gc
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from node.archive.migrations import MARKS, NAMESAKES
from node.archive.ports import Place
from node.archive.posts import POSTS
from node.core.messages import ChatMessage, Kind
from node.core.types import Epoch, Floor, Hlc, Key, Stream, WallMillis

VERSION = 6  # of these tables; a higher one in a file was written by a later program
APPLICATION = 0x70327063  # "p2pc", in the header of every log

TABLES = (
    """CREATE TABLE message (
        arrival INTEGER PRIMARY KEY,
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        ms INTEGER NOT NULL, counter INTEGER NOT NULL,
        id TEXT NOT NULL, text TEXT NOT NULL, deps BLOB NOT NULL, sent INTEGER NOT NULL,
        generation INTEGER NOT NULL, n INTEGER NOT NULL, kind INTEGER NOT NULL,
        stored_ms INTEGER NOT NULL
    ) STRICT""",
    "CREATE UNIQUE INDEX message_key ON message (source, incarnation, random, seq)",
    "CREATE INDEX message_place ON message (ms, counter, source, incarnation, random, seq)",
    *NAMESAKES,
    *POSTS,
    "CREATE TABLE member (id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT",
    "CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    *MARKS,
)

_KEY = "source = ? AND incarnation = ? AND random = ? AND seq = ?"
_COLUMNS = (
    "source, incarnation, random, seq, ms, counter, id, text, deps, sent, generation, n, kind"
)
PLACE = "ms, counter, source, incarnation, random, seq"
DESCENDING = "ms DESC, counter DESC, source DESC, incarnation DESC, random DESC, seq DESC"
# Of two messages of one author with one id the lower place is shown.  Messages whose id another one
# has are in `namesake`, all of them.
_FIRST = """NOT EXISTS (SELECT 1 FROM namesake JOIN message AS other USING (arrival)
    WHERE namesake.id = message.id AND namesake.source = message.source
    AND (other.ms, other.counter, other.incarnation, other.random, other.seq)
      < (message.ms, message.counter, message.incarnation, message.random, message.seq))"""

PUT_MESSAGE = f"""INSERT INTO message ({_COLUMNS}, stored_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
REPLACE_MESSAGE = f"""UPDATE message SET
    ({_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE arrival = ?"""
PUT_NAMESAKE = (
    f"INSERT OR IGNORE INTO namesake SELECT id, source, arrival FROM message WHERE {_KEY}"
)
DROP_NAMESAKE = "DELETE FROM namesake WHERE id = ? AND source = ? AND arrival = ?"
TRIM_NAMESAKES = "DELETE FROM namesake WHERE arrival NOT IN (SELECT arrival FROM message)"
PUT_MEMBER = "INSERT OR REPLACE INTO member VALUES (?, ?)"
PUT_STATE = "INSERT OR REPLACE INTO state VALUES (?, ?)"
ONE_STATE = "SELECT value FROM state WHERE name = ?"
DROP_STATE = "DELETE FROM state WHERE name = ?"
MARK_READ = """INSERT OR REPLACE INTO state
    SELECT 'read', CAST(coalesce(max(arrival), 0) AS TEXT) FROM message"""

PUT_FLOOR = "INSERT OR REPLACE INTO floor VALUES (?, ?, ?, ?, ?)"
PUT_HOLE = "INSERT OR IGNORE INTO hole VALUES (?, ?, ?, ?)"
_TRIMMED = "WHERE source = ? AND (incarnation, random, seq) <= (?, ?, ?)"
TRIM = f"DELETE FROM message {_TRIMMED}"
# The numbers of the last messages to arrive are given again once those are gone: what has them then
# is not read yet.
STILL_READ = """UPDATE state SET value =
    CAST(min(CAST(value AS INTEGER), (SELECT coalesce(max(arrival), 0) FROM message)) AS TEXT)
    WHERE name = 'read'"""

ALL_MESSAGES = f"SELECT {_COLUMNS} FROM message"
TRIMMED_IDS = f"SELECT source, incarnation, random, seq, id FROM message {_TRIMMED}"
RUN_OF_MESSAGES = f"""{ALL_MESSAGES}
    WHERE source = ? AND incarnation = ? AND random = ? AND seq BETWEEN ? AND ?"""
SHOWN = f"{ALL_MESSAGES} WHERE {_FIRST}"
FOUND = f"{SHOWN} AND id >= ? AND id < ? ORDER BY {PLACE} LIMIT ?"
ONE_MESSAGE = f"{ALL_MESSAGES} WHERE {_KEY}"
ARRIVED = f"SELECT arrival, id FROM message WHERE {_KEY}"
STORED_AT = f"SELECT stored_ms FROM message WHERE {_KEY}"
UNREAD_TEXTS = f"""SELECT text FROM message WHERE arrival >
    coalesce((SELECT CAST(value AS INTEGER) FROM state WHERE name = 'read'), 0)
    AND source <> ? AND {_FIRST}"""
LAST_ARRIVAL = "SELECT coalesce(max(arrival), 0) FROM message"
LATER_TEXTS = "SELECT text FROM message WHERE arrival > ? AND source <> ?"
ALL_FLOORS = "SELECT * FROM floor"
ALL_HOLES = "SELECT * FROM hole"

_DEP = struct.Struct("<QQIQ")
_new = tuple.__new__  # without the function that a named tuple has for it


def of_key(key: Key) -> tuple[int, int, int, int]:
    """The columns of a key."""
    return key.source, key.stream.incarnation, key.stream.random, key.seq


def runs(keys: Iterable[Key]) -> Iterator[tuple[int, int, int, int, int]]:
    """The parameters of `RUN_OF_MESSAGES`: unbroken runs that hold these keys and no other."""
    ordered = sorted(set(keys))
    begin = 0
    for at, key in enumerate(ordered, 1):
        after = ordered[at] if at < len(ordered) else None
        if after is None or after.before != key:
            yield *of_key(ordered[begin]), key.seq
            begin = at


def of_message(message: ChatMessage, *more: int) -> tuple[Any, ...]:
    """The parameters of `PUT_MESSAGE`, where `more` is when it is stored, and `REPLACE_MESSAGE`."""
    source, (incarnation, random), seq = message.key
    ms, counter = message.hlc
    generation, n = message.epoch
    deps = message.deps
    packed = b"".join([_DEP.pack(a, b, c, d) for a, (b, c), d in deps]) if deps else b""
    return (
        source,
        incarnation,
        random,
        seq,
        ms,
        counter,
        message.id,
        message.text,
        packed,
        message.sent,
        generation,
        n,
        int(message.kind),
        *more,
    )


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is looked for meanwhile: among many new values that costs as much as they do."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@uncollected()
def to_messages(found: Iterable[tuple[Any, ...]]) -> tuple[ChatMessage, ...]:
    """Messages from rows of `_COLUMNS`.  Values that many of them have are made once."""
    streams: dict[tuple[int, int], Stream] = {}
    epochs: dict[tuple[int, int], Epoch] = {}
    kinds = {int(kind): kind for kind in Kind}

    def stream(pair: tuple[int, int]) -> Stream:
        known = streams.get(pair)
        if known is None:
            known = streams[pair] = Stream(*pair)
        return known

    messages = []
    for source, incarnation, random, seq, ms, counter, id, text, packed, sent, g, n, kind in found:
        epoch = epochs.get((g, n))
        if epoch is None:
            epoch = epochs[g, n] = Epoch(g, n)
        key = _new(Key, (source, stream((incarnation, random)), seq))
        deps = [_new(Key, (a, stream((b, c)), d)) for a, b, c, d in _DEP.iter_unpack(packed)]
        hlc = _new(Hlc, (ms, counter))
        messages.append(ChatMessage(key, id, text, tuple(deps), hlc, sent, epoch, kinds[kind]))
    return tuple(messages)


def of_floor(floor: Floor) -> tuple[int, ...]:
    """The parameters of `PUT_FLOOR`.  A column holds 64 bits with a sign."""
    signed = floor.hash - 2**64 if floor.hash >= 2**63 else floor.hash
    return floor.source, *floor.stream, floor.seq, signed


def to_floor(row: tuple[int, ...]) -> Floor:
    """A floor from a row of its table."""
    source, incarnation, random, seq, hash = row
    return Floor(source, Stream(incarnation, random), seq, hash % 2**64)


def to_key(row: tuple[int, ...]) -> Key:
    """A key from its columns."""
    source, incarnation, random, seq = row
    return Key(source, Stream(incarnation, random), seq)


def bounds(
    before: Place | None, after: Place | None, since_ms: WallMillis, contains: str
) -> tuple[str, list[Any]]:
    """Further conditions for `SHOWN`, and their parameters."""
    where, given = "", list[Any]()
    for place, relation in ((before, "<"), (after, ">")):
        if place is not None:
            hlc, source, stream, seq = place
            where += f" AND ({PLACE}) {relation} (?, ?, ?, ?, ?, ?)"
            given += [*hlc, source, *stream, seq]
    if since_ms:
        where += " AND ms >= ?"
        given.append(since_ms)
    if contains:
        where += " AND instr(folded(text), ?)"
        given.append(contains.casefold())
    return where, given
