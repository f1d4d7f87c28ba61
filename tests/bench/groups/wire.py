"""A TCP connection whose bytes are taken apart as they come."""

import asyncio
from collections.abc import Callable


class Wire(asyncio.Protocol):
    """One connection, from either side of it."""

    def __init__(
        self,
        take: Callable[[bytes], int],
        *,
        made: Callable[["Wire"], None] | None = None,
    ) -> None:
        """`take` is given all unread bytes and says how many it used; `made` hears of the start."""
        self._take, self._made = take, made
        self._unread = b""
        self._room = asyncio.Event()
        self._room.set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._made is not None:
            self._made(self)

    def data_received(self, data: bytes) -> None:
        data = self._unread + data if self._unread else data
        used = self._take(data)
        self._unread = data[used:]

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def write(self, data: bytes) -> None:
        assert self._transport is not None, "not connected"
        self._transport.write(data)

    async def room(self) -> None:
        """Returns when what was written has gone, up to what the system holds."""
        await self._room.wait()


async def dial(address: str, wire: Wire) -> Wire:
    """Connects it to HOST:PORT."""
    host, _, port = address.rpartition(":")
    await asyncio.get_running_loop().create_connection(lambda: wire, host, int(port))
    return wire
