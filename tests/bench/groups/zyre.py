"""Pyre, the peer-to-peer groups of ZeroMQ: no server, members find each other by beacons.

Its beacons are kept on the loopback device.  It drops a peer whose queue is full, so nobody says
more than the others are known to have read.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from ipaddress import IPv4Address

import pyre.pyre_node
import zmq
from pyre import Pyre
from pyre.zbeacon import ZBeacon

from .contestant import Contestant, Seat
from .window import Accounts, Changes, Window

PROMISE = "nothing: a peer whose queue of 3,000 is full is dropped with what was in it"
ORDER = "of each author"
DEATH = "the others go on"
AWAY = "nothing"

GROUP = "bench"
AT_ONCE = 256


class _Beacon(ZBeacon):  # type: ignore[misc]
    def _prepare_socket(self) -> None:
        self.address = self.network_address = IPv4Address("127.0.0.1")
        self.broadcast_address, self.interface_name = IPv4Address("127.255.255.255"), "lo"


class Zyre(Contestant):
    def __init__(self, seat: Seat, receive: Callable[[bytes], None]) -> None:
        super().__init__(seat, receive)
        self._window = Window(seat.window)
        self._accounts = Accounts(seat, self._window, self._shout)
        self._joined: set[bytes] = set()
        self._changes = Changes()

    async def open(self) -> str:
        logging.disable(logging.CRITICAL)
        pyre.pyre_node.ZBeacon = _Beacon
        self._loop = asyncio.get_running_loop()
        self._node = Pyre(f"m{self.seat.index}")
        self._node.set_port(self.seat.server.rpartition(":")[2].encode())
        self._node.join(GROUP)
        return ""

    async def meet(self, addresses: list[str]) -> None:
        self._node.start()
        threading.Thread(target=self._read, daemon=True).start()
        while len(self._joined) < self.seat.size - 1:
            await self._changes.next()

    def _read(self) -> None:
        """In a thread: hands on what came, as much at once as there is."""
        inbox = self._node.socket()
        while True:
            found = [inbox.recv_multipart()]
            while len(found) < AT_ONCE:
                try:
                    found.append(inbox.recv_multipart(zmq.DONTWAIT))
                except zmq.Again:
                    break
            self._loop.call_soon_threadsafe(self._came, found)

    def _came(self, found: list[list[bytes]]) -> None:
        for kind, who, *_, last in found:
            if kind == b"SHOUT":
                self._heard(last)
            elif kind == b"JOIN":
                self._joined.add(who)
                self._changes.tell()

    def _heard(self, message: bytes) -> None:
        if self._accounts.take(message):
            return
        self.receive(message)
        self._accounts.came(message)

    async def room(self) -> None:
        await self._window.room()

    def say(self, payload: bytes) -> None:
        self._window.said += 1
        self._shout(payload)

    def _shout(self, message: bytes) -> None:
        self._node.shout(GROUP, message)

    async def settle(self) -> None:
        await self._window.empty()
