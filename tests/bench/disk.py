"""What `--durability` costs: turns of a group stored one by one, where temporary files are.

By the clock and not by the processor's time, since what is waited for is the disk.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

from msgspec.structs import replace

from node.archive import SqliteArchive
from node.core.conversation import ChatMessage, Kind
from node.core.effects import Store, StoreMessages, StorePost
from node.core.types import Epoch, Hlc, Key, Post, Stream
from node.profile import Profile, save
from tests.logs import KEY

from .measure import Row

TURNS, SAVES, BATCH = 200, 50, 64
STREAM = Stream(1_700_000_000_000, 7)


def _message(seq: int) -> ChatMessage:
    text = "the quick brown fox jumps over the lazy dog"
    key = Key(1_000_001, STREAM, seq)
    return ChatMessage(
        key, (str(UUID(int=seq)),), (text,), (), Hlc(seq, 0), seq, Epoch(1, 1), Kind.TEXT
    )


def _turns(power: bool, lines: int) -> tuple[int, float]:
    """An own line and what is known of its way, `lines` of them in each turn."""
    turns: list[list[Store]] = []
    for turn in range(TURNS):
        messages = [_message(turn * lines + n + 1) for n in range(lines)]
        posts = [StorePost(Post(one.key, (1_000_002,), (), False)) for one in messages]
        turns.append([StoreMessages(tuple(messages)), *posts])
    with TemporaryDirectory() as directory:
        archive = SqliteArchive(Path(directory) / "a.db", KEY, power=power)
        began = perf_counter()
        for stores in turns:
            archive.append(stores)
        took = perf_counter() - began
        archive.close()
    return TURNS * lines, took


def _saves(power: bool) -> tuple[int, float]:
    with TemporaryDirectory() as directory:
        began = perf_counter()
        for n in range(SAVES):
            save(Path(directory), replace(Profile(), nick=f"n{n}"), power=power)
        return SAVES, perf_counter() - began


ROWS = [
    Row("disk: a line a turn, process", "lines", lambda: _turns(False, 1)),
    Row("disk: a line a turn, power", "lines", lambda: _turns(True, 1)),
    Row("disk: 64 lines a turn, process", "lines", lambda: _turns(False, BATCH)),
    Row("disk: 64 lines a turn, power", "lines", lambda: _turns(True, BATCH)),
    Row("disk: the profile, process", "saves", lambda: _saves(False)),
    Row("disk: the profile, power", "saves", lambda: _saves(True)),
]
