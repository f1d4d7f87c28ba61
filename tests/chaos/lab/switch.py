"""A learning switch in user space that loses, repeats, delays and withholds frames to order.

    python -m tests.chaos.lab.switch SEED HOST=INTERFACE ...

It runs in the namespace that holds the near ends of all cables.  Each line on stdin is a new set of
rules; the answer on stdout, one line of counts, comes once they hold.  It ends with its stdin.
"""

import heapq
import json
import os
import selectors
import socket
import sys
import time
from collections import Counter
from random import Random

from msgspec import Struct, field

from tests.chaos.lab.rules import CALM, Rules

FRAME_MAX = 65_600  # bytes: a frame may be larger than the cable's MTU where the kernel joined some
EVERY_PROTOCOL = 3  # ETH_P_ALL
SENT_BY_US = 4  # PACKET_OUTGOING: what we put on a cable ourselves
BURST = 64  # frames read from one cable before the others get their turn


class Fabric(Struct):
    """Where a frame goes and when: pure but for its generator, its counts and what it learns."""

    hosts: tuple[str, ...]
    rng: Random
    rules: Rules = CALM
    counts: Counter[str] = field(default_factory=Counter)
    _homes: dict[bytes, str] = field(default_factory=dict)  # hardware address to host

    def route(self, origin: str, frame: bytes) -> list[tuple[float, str]]:
        """For each copy of a frame that came from `origin`: the delay in seconds, and to whom."""
        self._homes[frame[6:12]] = origin
        home = self._homes.get(frame[:6])
        copies = []
        for host in self.hosts if home is None else (home,):
            if host != origin:
                copies += [(delay, host) for delay in self._fate(origin, host)]
        return copies

    def _fate(self, origin: str, host: str) -> list[float]:
        weather = self.rules.weather
        if (origin, host) in self.rules.cuts:
            self.counts["cut"] += 1
            return []
        if weather.loss and self.rng.random() < weather.loss:
            self.counts["lost"] += 1
            return []
        times = 1
        if weather.repeat and self.rng.random() < weather.repeat:
            self.counts["repeated"] += 1
            times = 2
        self.counts["passed"] += 1
        extra = weather.jitter_ms
        return [
            (weather.delay_ms + (self.rng.random() * extra if extra else 0.0)) / 1_000
            for _ in range(times)
        ]


class Switch:
    """A fabric on real cables."""

    def __init__(self, fabric: Fabric, cables: dict[str, str]) -> None:
        self._fabric = fabric
        self._selector = selectors.DefaultSelector()
        self._cables: dict[str, socket.socket] = {}
        for host, interface in cables.items():
            cable = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
            cable.bind((interface, EVERY_PROTOCOL))
            cable.setblocking(False)
            self._cables[host] = cable
            self._selector.register(cable, selectors.EVENT_READ, host)
        self._selector.register(sys.stdin, selectors.EVENT_READ, None)
        self._waiting: list[tuple[float, int, str, bytes]] = []
        self._number = 0
        self._rest = b""

    def run(self) -> None:
        """Forwards until stdin ends."""
        while True:
            due = self._waiting[0][0] - time.monotonic() if self._waiting else 1.0
            for key, _ in self._selector.select(max(0.0, due)):
                if key.data is not None:
                    self._take(key.data)
                elif not self._obey():
                    return
            self._let_go()

    def _obey(self) -> bool:
        """Takes the rules that have come; False at the end of them."""
        read = os.read(sys.stdin.fileno(), 65_536)
        *lines, self._rest = (self._rest + read).split(b"\n")
        for line in lines:
            self._fabric.rules = Rules.load(line.decode())
            print(json.dumps(dict(self._fabric.counts)), flush=True)
        return bool(read)

    def _take(self, host: str) -> None:
        cable, now = self._cables[host], time.monotonic()
        for _ in range(BURST):
            try:
                frame, (_, _, kind, *_) = cable.recvfrom(FRAME_MAX)
            except BlockingIOError:
                return
            except OSError:
                self._fabric.counts["down"] += 1
                return
            if kind == SENT_BY_US:
                continue
            for delay, to in self._fabric.route(host, frame):
                if delay:
                    self._number += 1
                    heapq.heappush(self._waiting, (now + delay, self._number, to, frame))
                else:
                    self._put(to, frame)

    def _let_go(self) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, to, frame = heapq.heappop(self._waiting)
            self._put(to, frame)

    def _put(self, host: str, frame: bytes) -> None:
        try:
            self._cables[host].send(frame)
        except OSError:  # too long, or the cable's queue is full: as a real switch, it drops
            self._fabric.counts["dropped"] += 1


def main(arguments: list[str]) -> None:
    seed, *given = arguments
    cables = dict(one.split("=") for one in given)
    fabric = Fabric(tuple(cables), Random(int(seed)))
    switch = Switch(fabric, cables)
    print(json.dumps({}), flush=True)  # it forwards from now on
    switch.run()


if __name__ == "__main__":
    main(sys.argv[1:])
