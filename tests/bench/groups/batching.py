"""Several messages in one frame: what is said in one turn of the loop, up to 64 messages."""

import asyncio
from collections.abc import Callable, Iterator
from struct import Struct

FRAME_MAX = 64  # messages

_LENGTH = Struct("!H")


class Batch:
    """Gathers messages, and hands them on as one frame at the end of the turn, or when it is full."""

    def __init__(self, hand_on: Callable[[bytes, int], None]) -> None:
        """`hand_on` takes a frame and how many messages it is of."""
        self._hand_on = hand_on
        self._parts: list[bytes] = []
        self._count = 0

    def add(self, payload: bytes) -> bool:
        """Whether the frame is full with it, and went."""
        if not self._count:
            asyncio.get_running_loop().call_soon(self.flush)
        self._parts += (_LENGTH.pack(len(payload)), payload)
        self._count += 1
        if self._count < FRAME_MAX:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        if self._count:
            frame, count = b"".join(self._parts), self._count
            self._parts, self._count = [], 0
            self._hand_on(frame, count)


def messages_in(frame: bytes, start: int = 0) -> Iterator[bytes]:
    """The messages of a frame whose first one begins at `start`."""
    while start < len(frame):
        begin = start + 2
        start = begin + int.from_bytes(frame[start:begin], "big")
        yield frame[begin:start]
