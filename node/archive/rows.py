"""The tables of a log, and rows of them as values and back."""

import gc
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec

from node.archive.migrations import CHANGES, FLOOR, HEADS, HOLE, MESSAGES, WENT
from node.archive.ports import Wanted
from node.archive.posts import POSTS
from node.core.conversation import DIGEST_BYTES, ChatMessage, Kind, Spot
from node.core.deciding import ID_BYTES
from node.core.sums import SUM_BYTES
from node.core.types import Epoch, Floor, Hlc, Key, Stream

VERSION = 10  # of these tables; a higher one in a file was written by a later program
APPLICATION = 0x70327063  # "p2pc", in the header of every log

TABLES = (
    *MESSAGES,
    *HEADS,
    *CHANGES,
    *POSTS,
    "CREATE TABLE member (id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT",
    "CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    FLOOR,
    HOLE,
    *WENT,
)

_KEY = "source = ? AND incarnation = ? AND random = ? AND seq = ?"
_COLUMNS = (
    "source, incarnation, random, seq, ms, counter, ids, texts, deps, sent, generation, n, kind,"
    " salts, signature, heads, about, erased"
)
PLACE = "ms, counter, source, incarnation, random, seq"
DESCENDING = "ms DESC, counter DESC, source DESC, incarnation DESC, random DESC, seq DESC"

PUT_MESSAGE = f"""INSERT INTO message ({_COLUMNS}, stored_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
REPLACE_MESSAGE = f"""UPDATE message SET
    ({_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE arrival = ?"""
PUT_MEMBER = "INSERT OR REPLACE INTO member VALUES (?, ?)"
PUT_STATE = "INSERT OR REPLACE INTO state VALUES (?, ?)"
ONE_STATE = "SELECT value FROM state WHERE name = ?"
DROP_STATE = "DELETE FROM state WHERE name = ?"
MARK_READ = """INSERT OR REPLACE INTO state
    SELECT 'read', CAST(coalesce(max(arrival), 0) AS TEXT) FROM message"""

PUT_EDIT = "INSERT OR REPLACE INTO edit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
DROP_EDIT = f"DELETE FROM edit WHERE {_KEY} AND line = ?"
ALL_EDITS = "SELECT * FROM edit"
PUT_FLOOR = "INSERT OR REPLACE INTO floor VALUES (?, ?, ?, ?, ?)"
PUT_HOLE = "INSERT OR IGNORE INTO hole VALUES (?, ?, ?, ?)"
PUT_TRIMMED = """INSERT INTO trimmed VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
    SET (incarnation, random, seq) = (?2, ?3, ?4)
    WHERE (incarnation, random, seq) < (?2, ?3, ?4)"""
_TRIMMED = "WHERE source = ? AND (incarnation, random, seq) <= (?, ?, ?)"
TRIM = f"DELETE FROM message {_TRIMMED}"
TRIM_EDITS = f"DELETE FROM edit {_TRIMMED}"
# The numbers of the last messages to arrive are given again once those are gone: what has them then
# is not read yet.
STILL_READ = """UPDATE state SET value =
    CAST(min(CAST(value AS INTEGER), (SELECT coalesce(max(arrival), 0) FROM message)) AS TEXT)
    WHERE name = 'read'"""

ALL_MESSAGES = f"SELECT {_COLUMNS} FROM message"
TRIMMED = f"SELECT {_COLUMNS} FROM message {_TRIMMED}"
RUN_OF_MESSAGES = f"""{ALL_MESSAGES}
    WHERE source = ? AND incarnation = ? AND random = ? AND seq BETWEEN ? AND ?"""
ONE_MESSAGE = f"{ALL_MESSAGES} WHERE {_KEY}"
ARRIVED = f"SELECT arrival, {_COLUMNS} FROM message WHERE {_KEY}"
PLACE_OF = f"SELECT ms, counter FROM message WHERE {_KEY}"
STORED_AT = f"SELECT stored_ms FROM message WHERE {_KEY}"
_READ = "coalesce((SELECT CAST(value AS INTEGER) FROM state WHERE name = 'read'), 0)"
_SAID = f"kind <= {int(Kind.ACTION)}"  # what people see, and changes nothing
UNREAD = f"SELECT {_COLUMNS} FROM message WHERE arrival > {_READ} AND source <> ? AND {_SAID}"
LAST_ARRIVAL = "SELECT coalesce(max(arrival), 0) FROM message"
LATER_TEXTS = f"SELECT texts FROM message WHERE arrival > ? AND source <> ? AND {_SAID}"
LAST_READ = f"SELECT {_READ}"
ALL_FLOORS = "SELECT * FROM floor"
ALL_HOLES = "SELECT * FROM hole"
ALL_TRIMMED = "SELECT * FROM trimmed"

_DEP = struct.Struct("<QQIQ")
_SPOT = struct.Struct("<QQIQI")
_NOT_ERASED = bytes(DIGEST_BYTES)
_new = tuple.__new__  # without the function that a named tuple has for it
_write_texts = msgspec.json.encode
_read_texts = msgspec.json.Decoder(tuple[str, ...]).decode


def to_texts(written: str) -> tuple[str, ...]:
    """The texts of a message from their column."""
    return _read_texts(written)


def holds(written: str, contains: str) -> bool:
    """Is this, in small letters, in one of the texts of that column?"""
    return any(contains in text.casefold() for text in _read_texts(written))


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
        ",".join(message.ids),
        _write_texts(message.texts).decode(),
        packed,
        message.sent,
        generation,
        n,
        int(message.kind),
        message.salts,
        message.signature,
        b"".join(message.heads),
        _of_spot(message.about) if message.about is not None else b"",
        b"".join([digest or _NOT_ERASED for digest in message.erased]),
        *more,
    )


def _of_spot(spot: Spot) -> bytes:
    (source, (incarnation, random), seq), at = spot
    return _SPOT.pack(source, incarnation, random, seq, at)


def _to_rest(heads: bytes, about: bytes, erased: bytes) -> tuple[Any, ...]:
    """The last fields of a message from the columns of these names."""
    spot = None
    if about:
        source, incarnation, random, seq, at = _SPOT.unpack(about)
        spot = Spot(Key(source, Stream(incarnation, random), seq), at)
    gone = tuple(b"" if one == _NOT_ERASED else one for one in _parts(erased, DIGEST_BYTES))
    return _heads(heads), spot, gone


def _parts(whole: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(whole[at : at + size] for at in range(0, len(whole), size))


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
    for source, incarnation, random, seq, ms, counter, ids, texts, packed, *rest in found:
        sent, g, n, kind, salts, signature, *seldom = rest
        epoch = epochs.get((g, n))
        if epoch is None:
            epoch = epochs[g, n] = Epoch(g, n)
        key = _new(Key, (source, stream((incarnation, random)), seq))
        deps = [_new(Key, (a, stream((b, c)), d)) for a, b, c, d in _DEP.iter_unpack(packed)]
        hlc = _new(Hlc, (ms, counter))
        named, said = tuple(ids.split(",")), to_texts(texts)
        more = _to_rest(*seldom) if any(seldom) else ()
        kept = ChatMessage(
            key, named, said, tuple(deps), hlc, sent, epoch, kinds[kind], salts, signature, *more
        )
        messages.append(kept)
    return tuple(messages)


@lru_cache(maxsize=64)
def _heads(packed: bytes) -> tuple[bytes, ...]:
    """The ids in that column: many messages have the same."""
    return tuple(packed[at : at + ID_BYTES] for at in range(0, len(packed), ID_BYTES))


def of_floor(floor: Floor) -> tuple[int | bytes, ...]:
    """The parameters of `PUT_FLOOR`."""
    return floor.source, *floor.stream, floor.seq, floor.sum.to_bytes(SUM_BYTES)


def to_floor(row: tuple[int, int, int, int, bytes]) -> Floor:
    """A floor from a row of its table."""
    source, incarnation, random, seq, total = row
    return Floor(source, Stream(incarnation, random), seq, int.from_bytes(total))


def to_key(row: Iterable[int]) -> Key:
    """A key from its columns."""
    source, incarnation, random, seq = row
    return Key(source, Stream(incarnation, random), seq)


def to_edit(row: tuple[int, ...]) -> tuple[Spot, Key]:
    """A line, and the message whose text stands in its place, from a row of their table."""
    return Spot(to_key(row[:4]), row[4]), to_key(row[5:])


def bounds(wanted: Wanted) -> tuple[str, list[Any]]:
    """Where messages with such lines are found, and the parameters of that."""
    where, given = [_SAID], list[Any]()
    for place, relation in ((wanted.before, "<="), (wanted.after, ">=")):
        if place is not None:
            hlc, source, stream, seq, _ = place
            where.append(f"({PLACE}) {relation} (?, ?, ?, ?, ?, ?)")
            given += [*hlc, source, *stream, seq]
    for column, least in (("sent", wanted.since_ms), ("ms", wanted.from_ms)):
        if least:
            where.append(f"{column} >= ?")
            given.append(least)
    if wanted.contains:
        where.append("(holds(texts, ?) OR erased <> x'')")  # Another text may stand there.
        given.append(wanted.contains)
    return " AND ".join(where), given
