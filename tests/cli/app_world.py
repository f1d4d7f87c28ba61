"""The whole app on a terminal that is not there: a played node, keys as bytes, a screen to read.

    with World(110, 24) as world:
        dev = world.node.add_chat("dev", "alice", "you", leader="alice")
        world.start()
        world.node.says(dev, "alice", "hello")
        world.type("hi alice")
        world.press("Enter")
        assert "hi alice" in world.text

Time moves by what the test lets pass, and a little with each key; so everything that is to be seen
has been drawn when a call returns, and the same test always gives the same screen.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Self
from unittest.mock import patch

from prompt_toolkit.application import application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input.posix_pipe import PosixPipeInput
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from node.cli import queries
from node.cli.app import Setup, app, run
from node.cli.app.face import Face
from node.cli.model import State
from tests.cli.fake_node import NOON_MS, FakeNode
from tests.cli.still_loop import StillLoop
from tests.display import Display, clicked, pasted, pressed

FRAME_MS = 60  # longer than the app waits before it draws
START_MS = 300  # ... and before it knows its chats' members
ESCAPE_MS = 600  # longer than a lone Esc is waited for


@contextmanager
def in_utc() -> Iterator[None]:
    """Clocks show UTC, whatever this machine's do."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


class Sink:
    """What the program writes, drawn at once."""

    encoding = "utf-8"

    def __init__(self, display: Display) -> None:
        self.display, self.raw = display, ""

    def write(self, text: str) -> int:
        self.raw += text
        self.display.feed(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return True


class World:
    """A terminal of a size with the app on it, once it is started."""

    def __init__(
        self, columns: int = 110, rows: int = 24, *, nick: str = "you", term: str = "xterm-256color"
    ) -> None:
        self.loop = StillLoop()
        self._began = self.loop.time()
        self.node = FakeNode(self.now, nick)
        self.display = Display(columns, rows)
        self.sink = Sink(self.display)
        self.typed: list[str] = []  # keys, as people call them
        self.may_crash = False
        self.face: Face | None = None  # the app's middle, once it runs
        self.task: asyncio.Task[int] | None = None
        self._term = term
        self._stack = ExitStack()
        self._stack.enter_context(in_utc())
        # The answers of slash commands have a clock of their own, and so has the rate of frames.
        self._stack.enter_context(patch.object(queries, "now_ms", self.now))
        clock = SimpleNamespace(time=self.loop.time)
        self._stack.enter_context(patch.object(application, "time", clock))
        self._stack.enter_context(patch.object(app, "Face", self._make_face))
        directory = self._stack.enter_context(TemporaryDirectory(prefix="p2pchat-world-"))
        self.log = Path(directory) / "node.log"
        self._input = self._stack.enter_context(PosixPipeInput.create())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        failed = self.close()
        assert kind or not failed, failed

    def _make_face(self, *arguments: Any) -> Face:
        self.face = Face(*arguments)
        return self.face

    def now(self) -> int:
        """Unix milliseconds of the world."""
        return NOON_MS + round((self.loop.time() - self._began) * 1000)

    # ---- starting and ending

    def start(self, **setup: Any) -> None:
        """Runs the app until its first screen stands; `setup` are fields of Setup."""
        assert self.task is None, "it runs already"
        output = Vt100_Output(
            self.sink,  # type: ignore[arg-type]
            lambda: Size(rows=self.display.lines, columns=self.display.columns),
            term=self._term,
            default_color_depth=ColorDepth.DEPTH_4_BIT,
            enable_cpr=False,
        )
        given = {"input": self._input, "output": output, "now": self.now, "log": self.log}
        self.task = self.loop.create_task(run(self.node, Setup(**given | setup)))  # type: ignore[arg-type]
        self.passes(START_MS)

    @property
    def has_ended(self) -> bool:
        return self.task is not None and self.task.done()

    def ended(self, ms: float = 10_000) -> int:
        """Waits for its end; the exit code."""
        assert self.task is not None, "it was not started"
        return self.loop.finish(self.task, ms)  # type: ignore[no-any-return]

    def close(self) -> list[str]:
        """Ends whatever still runs; what failed in the background meanwhile."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            self.loop.passes(1_000)
        rest = asyncio.all_tasks(self.loop)
        for task in rest:
            task.cancel()
        self.loop.settle()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self._stack.close()
        self.loop.close()
        failures = [str(one.get("exception") or one["message"]) for one in self.loop.failures]
        return failures + self.display.unknown

    # ---- what people do

    def press(self, *keys: str) -> None:
        """Presses keys one after the other, called as in "Alt+2" or "PgUp"."""
        for key in keys:
            self.typed.append(key)
            self._send(pressed(key))
            if key == "Esc":
                self.passes(ESCAPE_MS)

    def type(self, text: str) -> None:
        """Types text, a character at a time."""
        self.typed.append(f'"{text}"')
        for char in text:
            self._input.send_text(char)
            self.loop.settle()
        self.passes(FRAME_MS)

    def enter(self, text: str) -> None:
        """Types a line and Enter."""
        self.type(text)
        self.press("Enter")

    def paste(self, text: str) -> None:
        """Pastes text, as terminals do."""
        self.typed.append(f"(paste of {text.count(chr(10)) + 1} lines)")
        self._send(pasted(text))

    def type_ahead(self, text: str) -> None:
        """Types faster than is read: all of it comes in one read."""
        self.typed.append(f'"{text}" at once')
        self._send(text)
        self.passes(FRAME_MS)

    def click(self, x: int, y: int, button: int = 0) -> None:
        self.typed.append(f"(button {button} at {x},{y})")
        self._send(clicked(x, y, button))

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size from now on, and says so."""
        self.display.resize(rows, columns)
        signal.raise_signal(signal.SIGWINCH)
        self.passes(FRAME_MS)

    def _send(self, text: str) -> None:
        self._input.send_text(text)
        self.passes(FRAME_MS)

    def passes(self, ms: float) -> None:
        """Lets time go by."""
        self.loop.passes(ms)
        if self.task is not None and self.task.done() and not self.task.cancelled():
            error = self.task.exception()
            assert error is None, f"the app has failed: {error!r}"
            crashed = self.log.read_text("utf-8") if self.log.exists() else ""
            assert not crashed or self.may_crash, crashed

    # ---- what is seen

    @property
    def state(self) -> State:
        """What the app knows."""
        assert self.face is not None, "it was not started"
        return self.face.state

    @property
    def text(self) -> str:
        return self.display.text

    @property
    def rows(self) -> list[str]:
        return self.display.rows

    @property
    def status(self) -> str:
        """The status bar: the row over the input."""
        found = [row for row in self.rows if " [" in row[:2]]
        return found[-1].rstrip() if found else ""

    def sees(self, *texts: str) -> None:
        """Asserts that all of them stand on the screen."""
        missing = [text for text in texts if text not in self.text]
        assert not missing, f"{missing} not on the screen:\n{self.text}"

    def misses(self, *texts: str) -> None:
        """Asserts that none of them stands on the screen."""
        there = [text for text in texts if text in self.text]
        assert not there, f"{there} on the screen:\n{self.text}"
