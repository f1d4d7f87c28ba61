"""The full-screen app on this machine, over a played node and a terminal that draws nothing.

Latencies are of single keystrokes in a running app, with its own event loop and the clock of this
machine; what the real processes add is measured by `terminal`.
"""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from node.words import Line, Page
from tests.cli.fake_node import FakeNode, split

WIDTH, HEIGHT = 110, 40
LOGGED = 20_000  # lines of each chat's log
MINUTE_MS = 60_000
KEYS, SWITCHES = 300, 60
SECONDS = 10
SETTLED_S = 0.5
GAP_S = (0.02, 0.09)  # between keystrokes
MEMBERS = ("alice", "bob", "carol", "dan", "erin", "you")
TEXT = "the quick brown fox jumps over the lazy dog, and some more words to fill the row"


class Gauge(Struct, frozen=True):
    """A figure with its goal; `run` gives it in words."""

    name: str
    goal: str
    run: Callable[[], str]


class WrittenNode(FakeNode):
    """Its logs are written when they are read, so that they take no memory here."""

    def __init__(self, chats: int) -> None:
        super().__init__(lambda: time.time_ns() // 1_000_000)
        self._began = self.now()
        for number in range(1, chats + 1):
            self.add_chat(f"chat{number}", *MEMBERS, leader="alice")

    def written(self, number: int) -> Line:
        """Line `number` of a log: a minute after the one before."""
        source = number % (len(MEMBERS) - 1)
        at_ms = self._began - (LOGGED - number) * MINUTE_MS
        return Line(
            msg_id=f"{number:032x}",
            id=f"{number:04x}",
            source_id=source + 1,
            nick=MEMBERS[source],
            text=f"{number}: {TEXT}",
            kind=1,
            sent_ms=at_ms,
            backlog=True,
            place=f"{at_ms}.0.{source + 1}.1.1.{number}",
        )

    async def history(  # type: ignore[override]
        self, chat: str, *, count: int = 20, before: str = "", after: str = "", **_: Any
    ) -> Page:
        self._called("history", chat=chat, count=count)
        if after:
            first = split(after)[-1] + 1
            last = min(LOGGED, first + count - 1)
            lines = tuple(map(self.written, range(first, last + 1)))
            return Page(lines, after_cursor=lines[-1].place if last < LOGGED else "")
        last = split(before)[-1] - 1 if before else LOGGED
        first = max(1, last - count + 1)
        lines = tuple(map(self.written, range(first, last + 1)))
        return Page(lines, lines[0].place if first > 1 else "")


class Meter:
    """The terminal: it draws nothing and knows when it was last written to."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.written_at = 0.0
        self.written = asyncio.Event()

    def write(self, text: str) -> int:
        self.written_at = time.perf_counter()
        self.written.set()
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return True


class Bench:
    """A running app with keys that can be timed."""

    def __init__(self, chats: int) -> None:
        self.node, self.meter = WrittenNode(chats), Meter()
        self.handled_at = 0.0
        self.handled = asyncio.Event()
        self._input: Any = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        from prompt_toolkit.data_structures import Size
        from prompt_toolkit.input.posix_pipe import PosixPipeInput
        from prompt_toolkit.key_binding.key_processor import KeyProcessor
        from prompt_toolkit.output.vt100 import Vt100_Output

        from node.cli.app import Setup, run

        process_keys = KeyProcessor.process_keys

        def timed(processor: KeyProcessor) -> None:
            keys = len(processor.input_queue)
            process_keys(processor)
            if not keys:
                return
            self.handled_at = time.perf_counter()
            self.handled.set()
            self.meter.written.clear()

        size = Size(rows=HEIGHT, columns=WIDTH)
        output = Vt100_Output(self.meter, lambda: size, term="xterm-256color", enable_cpr=False)  # type: ignore[arg-type]
        KeyProcessor.process_keys = timed  # type: ignore[method-assign]
        try:
            with PosixPipeInput.create() as self._input:
                setup = Setup(log=Path(os.devnull), input=self._input, output=output)
                app = asyncio.ensure_future(run(self.node, setup))  # type: ignore[arg-type]
                await asyncio.sleep(SETTLED_S)
                yield
                assert not app.done(), f"it has ended: {app}"
                app.cancel()
                await asyncio.gather(app, return_exceptions=True)
        finally:
            KeyProcessor.process_keys = process_keys  # type: ignore[method-assign]

    async def press(self, raw: str) -> tuple[float, float]:
        """Milliseconds until the key was handled, and until the screen was written after that."""
        self.handled.clear()
        began = time.perf_counter()
        self._input.send_text(raw)
        await self.handled.wait()
        await self.meter.written.wait()
        return (self.handled_at - began) * 1000, (self.meter.written_at - began) * 1000

    async def hold(self, lines: int) -> None:
        """Scrolls up until that many lines of the chat in front are held, and back to the end."""
        for _ in range(lines // 10):
            self._input.send_text("\x1b[5~")
            await asyncio.sleep(0.005)
            if sum(call["count"] for call in self.node.asked("history")) >= lines:
                break
        else:
            raise AssertionError(f"no {lines} lines after {lines // 10} pages")
        self._input.send_text("\x1b[1;3F")
        await asyncio.sleep(SETTLED_S)

    async def traffic(self, rate: int, chat: int = 1) -> None:
        """Lines of others, evenly, until it is cancelled."""
        began, said = time.perf_counter(), 0
        while True:
            due = int((time.perf_counter() - began) * rate)
            for number in range(said, due):
                self.node.says(chat, MEMBERS[number % 5], f"live {number}: {TEXT}")
            said = due
            await asyncio.sleep(1 / rate)


# ---- the figures ---------------------------------------------------------------------------------


def percentiles(values: list[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"


async def _typed() -> tuple[list[float], list[float]]:
    bench, chance = Bench(3), random.Random(1)
    async with bench.running():
        await bench.hold(5_000)
        flow = asyncio.ensure_future(bench.traffic(200))
        times = []
        for number in range(KEYS):
            await asyncio.sleep(chance.uniform(*GAP_S))
            times.append(await bench.press("\x7f" if number % 40 == 39 else "abcdefgh"[number % 8]))
        flow.cancel()
    return [one for one, _ in times], [two for _, two in times]


def typed() -> str:
    handled, painted = asyncio.run(_typed())
    return f"handled {percentiles(handled)}; painted {percentiles(painted)}"


async def _switched() -> list[float]:
    bench = Bench(4)
    async with bench.running():
        for _ in range(4):
            await bench.hold(5_000)
            await bench.press("\x0e")
            bench.node.heard.clear()
        return [(await bench.press("\x0e"))[1] for _ in range(SWITCHES)]


def switched() -> str:
    return percentiles(asyncio.run(_switched()))


async def _busy(rate: int) -> float:
    bench = Bench(3)
    async with bench.running():
        await bench.hold(5_000)
        flow = asyncio.ensure_future(bench.traffic(rate) if rate else asyncio.sleep(0))
        await asyncio.sleep(1)
        before = time.process_time()
        await asyncio.sleep(SECONDS)
        used = (time.process_time() - before) / SECONDS
        flow.cancel()
    return used


def busy() -> str:
    idle, ten = asyncio.run(_busy(0)), asyncio.run(_busy(10))
    return f"{ten * 100:.1f} % of a core ({idle * 100:.1f} % with none)"


async def _held() -> float:
    bench = Bench(50)
    async with bench.running():
        for _ in range(50):
            await bench.press("\x0e")
            await asyncio.sleep(0.02)
        for _ in range(8):
            await bench.hold(5_000)
            await bench.press("\x0e")
            bench.node.heard.clear()
        text = Path("/proc/self/status").read_text("ascii")
    (line,) = [one for one in text.splitlines() if one.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def held() -> str:
    """In a process of its own, which nothing else has filled."""
    command = [sys.executable, "-m", "tests.bench.screen"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


GAUGES = [
    Gauge("app: keystroke, 20,000 lines, 200/s", "handled < 10 ms, painted < 50 ms p99", typed),
    Gauge("app: switch of chat, 5,000 lines each", "< 30 ms", switched),
    Gauge("app: traffic of 10 lines a second", "< 5 % of a core", busy),
    Gauge("app: memory, 50 chats, 8 of them full", "< 160 MB with its node", held),
]

if __name__ == "__main__":
    print(f"{asyncio.run(_held()):.0f} MB")
