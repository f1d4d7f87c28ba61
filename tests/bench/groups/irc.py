"""ngircd: a channel, and a client that says no more than the others are known to have read."""

import asyncio
from collections.abc import Callable

from .batching import Batch
from .contestant import Contestant, Seat
from .window import Accounts, Window
from .wire import Wire, dial

PROMISE = "nothing: lost for who is away; who reads too slowly is thrown out"
ORDER = "of each author"
DEATH = "of the server: nobody hears anybody"
AWAY = "nothing"

WELCOME, NAMES_END = b"001", b"366"


class Irc(Contestant):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._wire = Wire(self._take)
        self._window = Window(seat.window)
        self._accounts = Accounts(seat, self._window, self._post)
        self._batch = Batch(self._wire.write)
        self._there = asyncio.Event()

    async def open(self) -> str:
        await dial(self.seat.server, self._wire)
        return ""

    async def meet(self, addresses: list[str]) -> None:
        name = b"m%d" % self.seat.index
        self._wire.write(b"NICK %s\r\nUSER %s 0 * :%s\r\n" % (name, name, name))
        await self._there.wait()

    def _take(self, data: bytes) -> int:
        *lines, unread = data.split(b"\r\n")
        for line in lines:
            self._line(line)
        return len(data) - len(unread)

    def _line(self, line: bytes) -> None:
        words = line.split(b" ", 3)
        if line.startswith(b"PING"):
            self._wire.write(b"PONG %s\r\n" % words[1])
            return
        assert not line.startswith(b"ERROR"), f"ngircd says {line!r}"
        match words[1]:
            case b"PRIVMSG":
                self._came(words[3][1:])
            case b"001":
                self._wire.write(b"JOIN #bench\r\n")
            case b"366":
                self._there.set()
            case b"432" | b"433" | b"404" | b"461" | b"417":
                raise AssertionError(f"ngircd refuses: {line!r}")

    def _came(self, message: bytes) -> None:
        if self._accounts.take(message):
            return
        self.receive(message)
        self._accounts.came(message)

    def _post(self, text: bytes) -> None:
        self._batch.add(b"PRIVMSG #bench :%s\r\n" % text)

    async def room(self) -> None:
        await self._window.room()
        await self._wire.room()

    def say(self, payload: bytes) -> None:
        self._window.said += 1
        self._post(payload)

    async def settle(self) -> None:
        await self._window.empty()
