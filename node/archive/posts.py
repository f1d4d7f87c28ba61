"""The posts of a log in its file: a row holds what consecutive own messages have in common.

Many are said to the same members and acknowledged together, so that a long talk is a few rows.
"""

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from node.archive.cipher import sqlite3
from node.archive.ports import LACKING_MAX
from node.core.types import Key, MemberId, Post, Stream

POSTS = (
    """CREATE TABLE post (
        source INTEGER NOT NULL, incarnation INTEGER NOT NULL, random INTEGER NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL,
        counted TEXT NOT NULL, acked TEXT NOT NULL, settled INTEGER NOT NULL,
        lacking TEXT NOT NULL,
        PRIMARY KEY (source, incarnation, random, last)
    ) STRICT, WITHOUT ROWID""",
)
_TRIM = (
    "DELETE FROM post WHERE source = ?1 AND (incarnation, random, last) <= (?2, ?3, ?4)",
    """UPDATE post SET first = ?4 + 1
        WHERE source = ?1 AND incarnation = ?2 AND random = ?3 AND first <= ?4""",
)

_OF_STREAM = "source = ? AND incarnation = ? AND random = ?"
_PUT = "INSERT INTO post VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DROP = f"DELETE FROM post WHERE {_OF_STREAM} AND last = ?"
_FROM = f"SELECT * FROM post WHERE {_OF_STREAM} AND last >= ? ORDER BY last"
_WAITING = "SELECT * FROM post WHERE settled = 0 ORDER BY source, incarnation, random, last"
_LACKING = f"""SELECT * FROM post WHERE settled = 1 AND lacking <> '[]'
    ORDER BY incarnation DESC, random, last DESC LIMIT {LACKING_MAX}"""

_Name: TypeAlias = tuple[MemberId, int, int]  # a stream's columns
_Said: TypeAlias = tuple[str, str, int, str]  # what a row says of each of its messages


class Posts:
    """The posts behind one connection.  Raises sqlite3.Error."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base

    def put(self, posts: Iterable[Post]) -> None:
        """Store them, in the place of what was known of their messages; the last one of each."""
        latest = {post.key: post for post in posts}
        for name, first, last, said in _runs(latest[key] for key in sorted(latest)):
            self._put(name, first, last, said)

    def _put(self, name: _Name, first: int, last: int, said: _Said) -> None:
        """Cut what is known of these numbers out, and join what says the same on either side."""
        fresh: list[tuple[int, int, _Said]] = []
        for row in self._base.execute(_FROM, (*name, first - 1)).fetchall():
            low, high, *known = row[3:]
            if low > last + 1:
                break
            theirs = tuple(known)
            if theirs == said:
                first, last = min(first, low), max(last, high)
            elif low > last or high < first:
                continue
            else:
                fresh += [(low, first - 1, theirs)] if low < first else []
                fresh += [(last + 1, high, theirs)] if high > last else []
            self._base.execute(_DROP, (*name, high))
        fresh.append((first, last, said))
        self._base.executemany(_PUT, [(*name, low, high, *what) for low, high, what in fresh])

    def trim(self, last: Iterable[Key]) -> None:
        """Remove those of the sources of these keys up to them."""
        bounds = [(key.source, *key.stream, key.seq) for key in last]
        for statement in _TRIM:
            self._base.executemany(statement, bounds)

    def waiting(self) -> list[Post]:
        """Those that are not settled, the oldest of a stream first."""
        return [post for row in self._base.execute(_WAITING) for post in _of_row(row)]

    def lacking(self) -> list[Post]:
        """The last of those that are settled and lacking somewhere."""
        found: list[Post] = []
        for row in self._base.execute(_LACKING):
            found += reversed(list(_of_row(row, LACKING_MAX - len(found))))
            if len(found) >= LACKING_MAX:
                break
        return found

    def find(self, keys: Iterable[Key]) -> dict[Key, Post]:
        """What is known of these messages."""
        found = {}
        for key in keys:
            row = self._base.execute(_FROM, (key.source, *key.stream, key.seq)).fetchone()
            if row is not None and row[3] <= key.seq:
                found[key] = _post(row, key.seq)
        return found


def _runs(posts: Iterable[Post]) -> Iterator[tuple[_Name, int, int, _Said]]:
    """Runs of these, which are in the order of their keys, that say the same."""
    begin = last = None
    for post in posts:
        if begin is not None and last is not None:
            if post.key.before == last.key and _is_same(post, begin):
                last = post
                continue
            yield _run(begin, last.key.seq)
        begin = last = post
    if begin is not None and last is not None:
        yield _run(begin, last.key.seq)


def _is_same(one: Post, other: Post) -> bool:
    return (one.acked, one.counted, one.settled, one.away) == (
        other.acked,
        other.counted,
        other.settled,
        other.away,
    )


def _run(post: Post, last: int) -> tuple[_Name, int, int, _Said]:
    counted, acked, lacking = map(_written, (post.counted, post.acked, post.lacking))
    said = counted, acked, int(post.settled), lacking
    return (post.key.source, *post.key.stream), post.key.seq, last, said


@lru_cache(maxsize=1_024)
def _written(members: tuple[MemberId, ...]) -> str:
    """The same for line after line."""
    return json.dumps(members)


def _of_row(row: tuple[Any, ...], most: int | None = None) -> Iterator[Post]:
    """The posts of a row, oldest first: all, or the last ones."""
    first, last = row[3:5]
    for seq in range(first if most is None else max(first, last + 1 - most), last + 1):
        yield _post(row, seq)


def _post(row: tuple[Any, ...], seq: int) -> Post:
    source, incarnation, random, _, _, *lists, settled, lacking = row
    counted, acked, lacks = (tuple(json.loads(one)) for one in (*lists, lacking))
    away = tuple(sorted({*acked, *lacks}.difference(counted)))
    return Post(Key(source, Stream(incarnation, random), seq), counted, acked, bool(settled), away)
