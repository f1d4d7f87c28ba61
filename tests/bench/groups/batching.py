"""Several messages in one frame: what is said in one turn of the loop, up to 64 messages."""

import asyncio
from collections.abc import Callable, Iterator

FRAME_MAX = 64  # messages


class Batch:
    """Gathers messages and hands them on as one frame: full, or at the end of the turn."""

    def __init__(self, hand_on: Callable[[bytes], None]) -> None:
        self._hand_on = hand_on
        self._parts: list[bytes] = []

    @property
    def is_empty(self) -> bool:
        """Whether the last frame went."""
        return not self._parts

    def add(self, message: bytes) -> None:
        if not self._parts:
            asyncio.get_running_loop().call_soon(self.flush)
        self._parts.append(message)
        if len(self._parts) >= FRAME_MAX:
            self.flush()

    def flush(self) -> None:
        """Hands on what is there."""
        if self._parts:
            frame, self._parts = b"".join(self._parts), []
            self._hand_on(frame)


def framed(message: bytes) -> bytes:
    """A message behind its length, as `messages_in` takes it apart."""
    return len(message).to_bytes(2, "big") + message


def messages_in(frame: bytes, start: int = 0) -> Iterator[bytes]:
    """The messages of a frame whose first one begins at `start`."""
    while start < len(frame):
        begin = start + 2
        start = begin + int.from_bytes(frame[start:begin], "big")
        yield frame[begin:start]
