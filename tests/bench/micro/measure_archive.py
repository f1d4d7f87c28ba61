from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from node.archive import SqliteArchive
from node.core.conversation import Line
from node.core.effects import StoreMessages
from tests.logs import KEY

from .lines import BATCH, line

LINES = 10_000


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[SqliteArchive]:
    made = SqliteArchive(tmp_path / "a.db", KEY)
    yield made
    made.close()


@pytest.mark.parametrize("lines", [1, BATCH])
def test_a_turn_stored(benchmark: Any, archive: SqliteArchive, lines: int) -> None:
    numbers = count(1)

    def turn() -> tuple[tuple[list[StoreMessages]], dict[str, Any]]:
        return ([StoreMessages(tuple(line(next(numbers)) for _ in range(lines)))],), {}

    benchmark.pedantic(archive.append, setup=turn, rounds=200)


def test_64_lines_read(benchmark: Any, archive: SqliteArchive) -> None:
    archive.append([StoreMessages(tuple(line(n) for n in range(1, LINES)))])
    keys = [line(n).key for n in range(1, LINES, LINES // BATCH)]
    assert len(benchmark(archive.read, keys)) == len(keys)


def test_a_line_found_by_the_digits_of_its_id(benchmark: Any, archive: SqliteArchive) -> None:
    archive.append([StoreMessages(tuple(line(n) for n in range(1, LINES)))])
    assert benchmark(archive.find, line(LINES // 2).id) == [Line(line(LINES // 2), 0)]


def test_a_log_of_10_000_lines_opened(benchmark: Any, archive: SqliteArchive) -> None:
    archive.append([StoreMessages(tuple(line(n) for n in range(1, LINES)))])
    assert benchmark(archive.load)
