"""Lines for all of them."""

from uuid import UUID

from node.core.conversation import ChatMessage
from node.core.messages import Caller, Tell
from node.core.types import Epoch, Hlc, Key, Stream
from tests.core.cast import CHAT, EPOCH, WALL

BATCH = 64
TEXT = "the quick brown fox jumps over the lazy dog"
STREAM = Stream(WALL, 1)


def line(seq: int, source: int = 2) -> ChatMessage:
    """One of many of a source."""
    key = Key(source, STREAM, seq)
    return ChatMessage(
        key, (str(UUID(int=seq)),), (TEXT,), (), Hlc(WALL + seq, 0), WALL + seq, EPOCH
    )


def tell(first: int, count: int = 1) -> Tell:
    """So many on their way to member 1."""
    lines = tuple(line(seq) for seq in range(first, first + count))
    return Tell(Caller(CHAT, 2, WALL, Epoch(*EPOCH), 1), 1, lines)
