"""A log as the loss of power may leave it: cut, overwritten or half moved, in every way there is.

`History` holds a log's files with all its transactions still in the write-ahead log, and what was
to be remembered after each.  Whatever is left of the write-ahead log, what is loaded must be one of
those states: a prefix of whole transactions, and the longest that is intact.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TypeAlias

from msgspec import Struct

from node.archive import SqliteArchive, erase
from node.core.effects import (
    Remembered,
    Store,
    StoreMessages,
    StoreMeta,
    StorePost,
    StoreRoster,
)
from node.core.types import Post
from tests.logs import KEY
from tests.node.test_archive import ANNA, BOB, ME, META, line
from tests.node.wire_values import ROSTER

HEADER, FRAME_HEADER, PAGE = 32, 24, 4096
FRAME = FRAME_HEADER + PAGE

State: TypeAlias = tuple[object, ...]


def state_of(remembered: Remembered) -> State:
    """What was remembered, whatever the order of its parts."""
    return (
        remembered.meta,
        remembered.roster,
        frozenset(remembered.messages),
        frozenset(remembered.posts),
    )


class History(Struct, frozen=True):
    """Files of a log, the states it went through, and the size of the write-ahead log at each."""

    base: bytes
    wal: bytes
    moved: bytes  # the file once the write-ahead log was moved into it
    states: tuple[State, ...]
    sizes: tuple[int, ...]

    def intact(self, cut: int) -> int:
        """How many transactions are whole in the first `cut` bytes."""
        return sum(size <= cut for size in self.sizes)


def turns(chance: Random, count: int) -> Iterator[list[Store]]:
    """What a group stores in its turns: from one small fact to many pages."""
    seq = 0
    for turn in range(count):
        lines = []
        for _ in range(chance.choice([0, 1, 1, 2, 40])):
            seq += 1
            source = chance.choice([ME, ANNA, BOB])
            lines.append(line(seq, source=source, text="x" * chance.choice([3, 300, 9_000])))
        stores: list[Store] = [StoreMessages(tuple(lines))]
        stores += [StorePost(Post(m.key, (ANNA,), (), False)) for m in lines if m.key.source == ME]
        if turn == 0:
            stores += [StoreMeta(META), StoreRoster(ROSTER)]
        yield stores


def written(directory: Path, seed: int, count: int = 8) -> History:
    """A history of `count` turns; `directory` is used, and left without it."""
    path, wal = directory / "written.db", directory / "written.db-wal"
    archive = SqliteArchive(path, KEY)
    states, sizes = [state_of(Remembered()), state_of(archive.load())], [0, wal.stat().st_size]
    for stores in turns(Random(seed), count):
        archive.append(stores)
        states.append(state_of(archive.load()))
        sizes.append(wal.stat().st_size)
    base, beside = path.read_bytes(), wal.read_bytes()
    archive.close()
    history = History(base, beside, path.read_bytes(), tuple(states), tuple(sizes))
    erase(path)
    return history


def loaded(directory: Path, base: bytes, wal: bytes) -> State:
    """What a log remembers of such files; it takes a line after that, and remembers it too."""
    path = directory / "torn.db"
    path.write_bytes(base)
    path.with_name("torn.db-wal").write_bytes(wal)
    archive = SqliteArchive(path, KEY)
    try:
        before = archive.load()
        fresh = line(10_000, text="after the loss")
        archive.append([StoreMessages((fresh,))])
        assert set(archive.load().messages) == {*before.messages, fresh}
        return state_of(before)
    finally:
        archive.close()
        erase(path)


def check_cut(directory: Path, history: History, cut: int) -> None:
    """The write-ahead log ends after `cut` bytes."""
    found = loaded(directory, history.base, history.wal[:cut])
    wanted = history.states[history.intact(cut) - 1]
    assert found == wanted, f"cut at {cut}: {history.intact(cut)} transactions were whole"


def check_damage(directory: Path, history: History, at: int, chance: Random) -> None:
    """From byte `at` on there is something else, for a byte or for a sector."""
    spoilt = bytearray(history.wal)
    for place in range(at, min(len(spoilt), at + chance.choice([1, 512]))):
        spoilt[place] ^= chance.randrange(1, 256)
    found = loaded(directory, history.base, bytes(spoilt))
    wanted = history.states[history.intact(at) - 1]
    assert found == wanted, f"spoilt at {at}: {history.intact(at)} transactions were whole before"


def check_half_moved(directory: Path, history: History, chance: Random) -> None:
    """The write-ahead log was being moved into the file: any of its pages may be there already."""
    count = len(history.moved) // PAGE
    old = history.base.ljust(len(history.moved), b"\0")
    length = chance.choice([len(history.base), len(history.moved)])
    pages = [
        (history.moved if chance.random() < 0.5 else old)[n * PAGE : (n + 1) * PAGE]
        for n in range(count)
    ]
    found = loaded(directory, b"".join(pages)[:length], history.wal)
    assert found == history.states[-1], "all is in the write-ahead log"


def boundaries(history: History) -> list[int]:
    """The bytes at and around which frames and their headers begin and end."""
    starts = range(HEADER, len(history.wal) + 1, FRAME)
    near = {start + step for start in starts for step in (-1, 0, 1, FRAME_HEADER, PAGE // 2)}
    near |= {0, 1, HEADER - 1, len(history.wal)}
    return sorted(cut for cut in near if 0 <= cut <= len(history.wal))
