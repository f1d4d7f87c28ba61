"""mosquitto: MQTT 5 at QoS 1, each message acknowledged by the broker and to it."""

import asyncio
from collections import deque
from collections.abc import Callable
from struct import Struct

from .batching import Batch
from .contestant import Contestant, Seat
from .window import Window
from .wire import Wire, dial

PROMISE = "the broker has acknowledged it, and each member to the broker; it keeps it in memory"
ORDER = "of each author"
DEATH = "of the broker: nobody hears anybody, and what it held is lost"
AWAY = "what the broker has kept, if it was told to"

CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
IDS = 65_535
NO_LOCAL_QOS_1 = 0b101

_ID = Struct("!H")


def varied(number: int) -> bytes:
    """A length as MQTT writes it: 7 bits a byte, the lowest first."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + varied(len(body)) + body


def length_at(data: bytes, at: int) -> tuple[int, int]:
    """A length and where it ends; (-1, at) where not all of it is there."""
    length = 0
    for place in range(4):
        if at + place >= len(data):
            return -1, at
        byte = data[at + place]
        length |= (byte & 127) << 7 * place
        if byte < 128:
            return length, at + place + 1
    raise AssertionError("no length of MQTT")


class Mosquitto(Contestant):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._wire = Wire(self._take)
        self._window = Window(seat.window)
        self._acks = Batch(self._wire.write)
        self._batch = Batch(self._wire.write)
        self._unacked: deque[int] = deque()  # ids in the order in which they were said
        self._acked: set[int] = set()
        self._ready = asyncio.Event()

    async def open(self) -> str:
        await dial(self.seat.server, self._wire)
        return ""

    async def meet(self, addresses: list[str]) -> None:
        name = b"m%d" % self.seat.index
        body = b"\x00\x04MQTT\x05\x02\x00\x00\x00" + _ID.pack(len(name)) + name
        self._wire.write(packet(0x10, body))
        await self._answer()
        self._wire.write(packet(0x82, b"\x00\x01\x00" + b"\x00\x01b" + bytes([NO_LOCAL_QOS_1])))
        await self._answer()

    async def _answer(self) -> None:
        await self._ready.wait()
        self._ready.clear()

    def _take(self, data: bytes) -> int:
        start = 0
        while start < len(data):
            length, begin = length_at(data, start + 1)
            end = begin + length
            if length < 0 or end > len(data):
                break
            self._took(data[start] >> 4, data[begin:end])
            start = end
        return start

    def _took(self, kind: int, body: bytes) -> None:
        match kind:
            case 3:  # PUBLISH
                at = 2 + _ID.unpack_from(body)[0]
                properties, begin = length_at(body, at + 2)
                self._acks.add(b"\x40\x02" + body[at : at + 2])
                self.receive(body[begin + properties :])
            case 4:  # PUBACK
                self._acknowledged(_ID.unpack_from(body)[0])
            case 2 | 9:  # CONNACK, SUBACK
                told = body[1] if kind == CONNACK else body[-1]
                assert told < 128, f"mosquitto refuses: {told}"
                self._ready.set()
            case _:
                raise AssertionError(f"mosquitto sends a packet of kind {kind}: {body!r}")

    def _acknowledged(self, id: int) -> None:
        self._acked.add(id)
        everywhere = self._window.everywhere
        while self._unacked and self._unacked[0] in self._acked:
            self._acked.remove(self._unacked.popleft())
            everywhere += 1
        self._window.reached(everywhere)

    async def room(self) -> None:
        await self._window.room()
        await self._wire.room()

    def say(self, payload: bytes) -> None:
        id = self._window.said % IDS + 1
        self._window.said += 1
        self._unacked.append(id)
        self._batch.add(packet(0x32, b"\x00\x01b" + _ID.pack(id) + b"\x00" + payload))

    async def settle(self) -> None:
        await self._window.empty()
