"""What a log costs the processor: lines of others stored turn by turn, a log opened, and read.

The files are where temporary files are, as durable as by default.  What moves the write-ahead log
runs meanwhile, and counts too.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from node.archive import SqliteArchive
from node.core.conversation import ChatMessage, Line
from node.core.effects import StoreMessages
from tests.logs import KEY

from .measure import Row, timed
from .talk import batches, conversation

LINES, LONG, QUERIES = 20_000, 100_000, 200


def _append(archive: SqliteArchive, lines: list[ChatMessage]) -> int:
    """Each line is an effect of its own, as a group gives them."""
    for batch in batches(lines):
        archive.append([StoreMessages((one,)) for one in batch])
    return len(lines)


def _appending(before: int) -> tuple[int, float]:
    """Lines appended to a log of `before` others."""
    lines = conversation(before + LINES)
    with TemporaryDirectory() as directory:
        archive = SqliteArchive(Path(directory) / "a.db", KEY)
        if before:
            archive.append([StoreMessages(tuple(lines[:before]))])
        done = timed(lambda: _append(archive, lines[before:]))
        archive.close()
    return done


def _reading(
    work: Callable[[SqliteArchive, list[ChatMessage]], int], *, reopened: bool = False
) -> tuple[int, float]:
    """`work` on a log of many lines; `reopened`: opening and loading it is the work."""
    lines = conversation(LONG)
    with TemporaryDirectory() as directory:
        path = Path(directory) / "a.db"
        archive = SqliteArchive(path, KEY)
        _append(archive, lines)
        if not reopened:
            archive.load()
            done = timed(lambda: work(archive, lines))
            archive.close()
            return done
        archive.close()
        began = process_time()
        archive = SqliteArchive(path, KEY)
        assert len(archive.load().messages) == LONG
        took = process_time() - began
        archive.close()
    return LONG, took


def _page(archive: SqliteArchive, lines: list[ChatMessage]) -> int:
    for n in range(QUERIES):
        assert len(archive.page(count=35, before=(*lines[100 + n * 400].place, 0))) == 35
    return QUERIES


def _search(archive: SqliteArchive, lines: list[ChatMessage]) -> int:
    for n in range(3):
        assert archive.page(count=5, contains=f"LINE {n * 30_000:9}.") == [
            Line(lines[n * 30_000], 0)
        ]
    return 3


def _find(archive: SqliteArchive, lines: list[ChatMessage]) -> int:
    for n in range(QUERIES):
        assert Line(lines[n * 400], 0) in archive.find(lines[n * 400].id[:4])
    return QUERIES


def _unread(archive: SqliteArchive, lines: list[ChatMessage]) -> int:
    assert archive.unread(0, lambda text: "nobody" in text).count == len(lines)
    return len(lines)


ROWS = [
    Row("archive: 64 lines a turn", "lines", lambda: _appending(0)),
    Row("archive: 64 lines a turn after 100,000", "lines", lambda: _appending(LONG)),
    Row("archive: 100,000 lines opened", "lines", lambda: _reading(_page, reopened=True)),
    Row("archive: pages of 35 in 100,000", "pages", lambda: _reading(_page)),
    Row("archive: searches of 100,000", "searches", lambda: _reading(_search)),
    Row("archive: ids found in 100,000", "ids", lambda: _reading(_find)),
    Row("archive: 100,000 unread counted", "lines", lambda: _reading(_unread)),
]
