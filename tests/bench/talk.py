"""A conversation as nodes receive it: authors who answer each other, ids of random digits."""

from collections.abc import Iterator
from random import Random
from uuid import UUID

from node.core.conversation import ChatMessage
from node.core.types import GENERATION, Epoch, Hlc, Key, Stream

BEGAN, BORN = 1_700_000_000_000, 1_700_000_000
SIZE = 200  # characters of each text
BATCH = 64  # lines of each turn


def conversation(count: int, authors: int = 5) -> list[ChatMessage]:
    """So many lines of authors who answer each other in turn, 10 ms apart.  Always the same."""
    rng, said = Random(1), [0] * authors
    before: tuple[Key, ...] = ()
    lines = []
    for n in range(count):
        author = n % authors
        said[author] += 1
        at = BEGAN + 10 * n
        stream = Stream(BEGAN + author, 3_000_000_000 + author)
        key = Key(BORN * GENERATION + 1 + author, stream, said[author])
        text = f"line {n:9}".ljust(SIZE, ".")
        id = str(UUID(int=rng.getrandbits(128), version=4))
        lines.append(ChatMessage(key, (id,), (text,), before, Hlc(at, 0), at, Epoch(BORN, 1)))
        before = (key,)
    return lines


def batches(lines: list[ChatMessage]) -> Iterator[list[ChatMessage]]:
    """As many as come in each turn."""
    return (lines[at : at + BATCH] for at in range(0, len(lines), BATCH))
