"""`python -m tests.bench.groups.member CONTESTANT SEATS`: members, told by lines on their stdin.

Each line is an order to all of them as JSON, each is answered by one line as JSON on stdout: a list
of what each has to say.  The instants in them are of the one monotonic clock that all processes of
this machine share.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import traceback
from pathlib import Path
from time import monotonic_ns, process_time
from typing import Any

from node.__main__ import COLLECTED

from .contestant import Seat
from .ledger import Ledger, payload
from .roll import contestant

LOOK_S = 0.02
FOLLOW_S = 0.002


class Member:
    """A contestant's member and its ledger; each public method is an order."""

    def __init__(self, name: str, seat: Seat, share: float) -> None:
        """`share` of what this process costs is this member's."""
        self._seat, self._share = seat, share
        self._ledger = Ledger(seat.index, seat.size)
        self._one = contestant(name).kind()(seat, self._ledger.note)
        self._said = 0
        self._worked_s = 0.0
        self._delivered = 0
        self._following: asyncio.Task[None] | None = None

    async def open(self) -> dict[str, Any]:
        return {"address": await self._one.open()}

    async def found(self) -> dict[str, Any]:
        await self._one.found()
        return {}

    async def meet(self, addresses: list[str]) -> dict[str, Any]:
        await self._one.meet(addresses)
        return {}

    async def flood(self, at: int, until: int) -> dict[str, Any]:
        """Says as much as the contestant lets it."""
        await self._begin(at)
        try:
            async with asyncio.timeout((until - monotonic_ns()) / 1e9):
                while monotonic_ns() < until:
                    await self._one.room()
                    self._say()
        except TimeoutError:  # It is over while its flow control holds it back.
            pass
        return {"said": self._said}

    async def talk(self, at: int, until: int, period_ns: int) -> dict[str, Any]:
        """Says one message each period, the members in turn."""
        await self._begin(at)
        self._ledger.latencies_us = []
        due = at + period_ns * self._seat.index // self._seat.size
        while due < until:
            await _sleep_until(due)
            await self._one.room()
            self._say()
            due += period_ns
        return {"said": self._said}

    async def _begin(self, at: int) -> None:
        await _sleep_until(at)
        self._worked_s = process_time()
        self._delivered = self._ledger.delivered

    def _say(self) -> None:
        self._said += 1
        self._one.say(payload(self._seat.index, self._said, monotonic_ns()))

    async def settle(self, said: list[int], patience_s: float, limit_s: float) -> dict[str, Any]:
        """Waits until all that was said has come; not for ever, and less where nothing comes."""
        until = monotonic_ns() + limit_s * 1e9
        ledger = self._ledger
        waiting = asyncio.create_task(self._one.settle())
        seen, since = -1, monotonic_ns()
        while ledger.lost(said) or not waiting.done():
            if ledger.delivered != seen:
                seen, since = ledger.delivered, monotonic_ns()
            if monotonic_ns() > min(until, since + patience_s * 1e9):
                break
            await asyncio.sleep(LOOK_S)
        settled = waiting.done()
        if settled:
            waiting.result()
        waiting.cancel()
        told = {
            "delivered": ledger.delivered - self._delivered,
            "worked_s": (process_time() - self._worked_s) * self._share,
            "last": ledger.last_ns,
            "settled": settled,
            "latencies_us": ledger.latencies_us or [],
        }
        ledger.latencies_us = None
        return told

    async def idle(self, seconds: float) -> dict[str, Any]:
        began = process_time()
        await asyncio.sleep(seconds)
        return {"worked_s": (process_time() - began) * self._share}

    async def account(self, said: list[int]) -> dict[str, Any]:
        """What the ledger says now."""
        ledger = self._ledger
        return {
            "lost": ledger.lost(said),
            "doubled": ledger.doubled,
            "disordered": ledger.disordered,
            "damaged": ledger.damaged,
            "resident_kb": _resident_kb() * self._share,
        }

    async def follow(self) -> dict[str, Any]:
        """From now on, each change of leader is told by a line of its own."""
        self._following = asyncio.create_task(self._follow())
        return {}

    async def _follow(self) -> None:
        last: tuple[int, ...] | None = None
        while True:
            await asyncio.sleep(FOLLOW_S)  # The order is answered first.
            if (leader := self._one.leader()) != last:
                last = leader
                at = monotonic_ns()
                _tell({"leader": leader, "leads": self._one.leads(), "at": at})


async def _sleep_until(at: int) -> None:
    if (left := at - monotonic_ns()) > 0:
        await asyncio.sleep(left / 1e9)


def _resident_kb() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _tell(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def serve(members: list[Member]) -> None:
    """Follows the orders until it is killed; what goes wrong ends the process at once."""
    orders = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    try:
        while line := await orders.readline():
            order = json.loads(line)
            do = order.pop("do")
            asked = members[:1] if do == "found" else members
            _tell(await asyncio.gather(*(getattr(one, do)(**order) for one in asked)))
    except Exception:
        traceback.print_exc()
        os._exit(1)  # No contestant's own end is waited for: it may hang on what went wrong.
    os._exit(0)


def main(name: str, seats: str) -> None:
    gc.set_threshold(*COLLECTED)  # as our program does: for everybody here
    told = json.loads(seats)
    if len(told["seats"]) > 1:
        logging.disable(logging.INFO)  # A process has one logger: each log would hold all of it.
    places = [
        Seat(index, told["size"], Path(directory), told["server"])
        for index, directory in told["seats"]
    ]

    async def run() -> None:
        await serve([Member(name, place, 1 / len(places)) for place in places])

    asyncio.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:])
