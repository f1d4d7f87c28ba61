"""Tries node/archive/posts.py: rows of many posts tell what each of them was told."""

import sqlite3
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from node.archive.ports import LACKING_MAX
from node.archive.posts import POSTS, Posts
from node.core.types import Key, Post, Stream
from tests.core.laws import fixed

ME, ANNA, BOB = 5, 6, 7
STREAMS = Stream(100, 1), Stream(100, 2), Stream(200, 1)
SAID = [
    ((ANNA, BOB), (), False, ()),
    ((ANNA, BOB), (ANNA, BOB), True, ()),
    ((ANNA, BOB), (ANNA,), True, ()),
    ((ANNA,), (ANNA,), True, (BOB,)),
]
Step: TypeAlias = tuple[bool, list[tuple[Stream, int, int, int]]]


def opened() -> tuple[sqlite3.Connection, Posts]:
    base = sqlite3.connect(":memory:", isolation_level=None)
    for table in POSTS:
        base.execute(table)
    return base, Posts(base)


def posts(stream: Stream, first: int, last: int, said: int) -> list[Post]:
    return [Post(Key(ME, stream, seq), *SAID[said]) for seq in range(first, last + 1)]


numbers = st.integers(1, 12)
ranges = st.tuples(st.sampled_from(STREAMS), numbers, numbers, st.integers(0, 3))


@fixed
@given(st.lists(st.tuples(st.booleans(), st.lists(ranges, max_size=4)), max_size=12))
def test_whatever_was_stored_and_trimmed_is_known_of_each_message(steps: list[Step]) -> None:
    base, table = opened()
    known: dict[Key, Post] = {}
    for trims, given_ranges in steps:
        if trims and given_ranges:
            stream, _, upto, _ = given_ranges[0]
            last = Key(ME, stream, upto)
            table.trim([last])
            known = {key: post for key, post in known.items() if key > last}
            continue
        put = [post for one in given_ranges for post in posts(*one)]
        table.put(put)
        known |= {post.key: post for post in put}
    every = [Key(ME, stream, seq) for stream in STREAMS for seq in range(14)]
    assert table.find(every) == known
    assert table.waiting() == [known[key] for key in sorted(known) if not known[key].settled]
    settled = {key for key, post in known.items() if post.settled and post.lacking}
    assert {post.key for post in table.lacking()} == settled
    base.close()


def test_a_long_talk_is_a_few_rows() -> None:
    base, table = opened()
    for first in range(1, 2_000, 20):
        table.put(posts(STREAMS[0], first, first + 19, 0))
        table.put(posts(STREAMS[0], max(1, first - 7), first + 12, 1))
    rows = base.execute("SELECT first, last, settled FROM post ORDER BY last").fetchall()
    assert rows == [(1, 1_993, 1), (1_994, 2_000, 0)]
    base.close()


def test_only_the_last_of_what_is_lacking_is_told() -> None:
    base, table = opened()
    table.put(posts(STREAMS[1], 1, LACKING_MAX + 50, 2))
    table.put(posts(STREAMS[2], 1, 30, 2))
    lacking = [(post.key.stream, post.key.seq) for post in table.lacking()]
    newest = [(STREAMS[2], seq) for seq in range(30, 0, -1)]
    assert lacking == newest + [(STREAMS[1], seq) for seq in range(LACKING_MAX + 50, 50 + 30, -1)]
    base.close()


def test_the_statements_find_their_rows_by_the_key() -> None:
    base, table = opened()
    seen: list[str] = []
    base.set_trace_callback(seen.append)
    table.put(posts(STREAMS[0], 1, 9, 0))
    table.put(posts(STREAMS[0], 4, 5, 1))
    table.trim([Key(ME, STREAMS[0], 2)])
    table.find([Key(ME, STREAMS[0], 7)])
    base.set_trace_callback(None)
    plans = [row[3] for sql in seen for row in base.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert plans
    assert all("USING PRIMARY KEY" in plan for plan in plans), plans
    base.close()
