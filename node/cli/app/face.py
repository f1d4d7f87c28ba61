"""What all parts of the app share: the state, the node, the clock and the tasks.

A part changes the state by `apply` alone, and hears of every change by `listen`; so no part needs
to know another one that only wants to follow.  Tasks are supervised: one that fails ends the app.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import DONE, Complaint
from ..model import Event, State, Told, View, reduce
from ..passwords import Ask
from ..render.layout import Layout, layout
from .setup import Setup

if TYPE_CHECKING:
    from ..client import Client

PATIENCE_S = 3.0  # what was asked for just before the end may take so long
SOON_S = 0.3  # without a word
HURRY_S = 1.0  # and this where a signal ends the app

Listener: TypeAlias = Callable[[State, Event], None]  # the state before, and what happened


class Face:
    """The app's middle."""

    def __init__(self, node: "Client | None", setup: Setup) -> None:
        """Nothing is asked of the node yet."""
        self._node, self.setup = node, setup
        self.state = setup.keeper.begin()
        self.columns, self.rows, self.input_rows = 80, 24, 1  # of the last frame
        self.redraw: Callable[[], None] = lambda: None
        self.asks: Ask = _nobody  # where nobody sees what is typed
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.parting = ""  # a last line for stderr
        self.patience_s = PATIENCE_S
        self._departing = False
        self._turns: dict[str, asyncio.Lock] = {}
        self._listeners: list[Listener] = []
        self._complaints: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()

    @property
    def node(self) -> "Client":
        """The connection to the node.

        Raises:
            Complaint: it is still being made.
        """
        if self._node is None:
            raise Complaint(text="the node is starting; try again in a moment")
        return self._node

    @node.setter
    def node(self, node: "Client") -> None:
        self._node = node

    # ---- the state

    @property
    def front(self) -> View | None:
        return self.state.front

    def now(self) -> int:
        """Wall clock in milliseconds."""
        return self.setup.now()

    def listen(self, listener: Listener) -> None:
        """From now on `listener` is told of every event, after it was reduced."""
        self._listeners.append(listener)

    def apply(self, event: Event) -> None:
        """The one way in which the state changes."""
        before = self.state
        self.state = reduce(before, event)
        for listener in self._listeners:
            listener(before, event)
        if self.state is not before:
            self.redraw()

    def draw_again(self) -> None:
        """A frame is due, whatever it is that draws."""
        self.redraw()

    def tell(self, *lines: str, tone: str = "", chat_id: int = 0) -> None:
        """Says something in a chat, or where that is gone, or 0, in the one in front."""
        if lines:
            there = chat_id if self.state.view(chat_id) else self.state.current
            self.apply(Told(lines, there, self.now(), tone))

    def layout(self) -> Layout:
        """How the screen is divided."""
        return layout(self.state, self.columns, self.rows, self.input_rows)

    def transcript_size(self) -> tuple[int, int]:
        """Width and height of the transcript."""
        now = self.layout()
        return now.transcript, now.body

    def complain(self, about: str, complaint: Complaint) -> None:
        """Tells what is wrong with something that is tried again and again, once."""
        if self._complaints.get(about) != str(complaint):
            self._complaints[about] = str(complaint)
            self.tell(str(complaint), tone="error")

    def works(self, about: str) -> None:
        """It works: the next complaint is told again."""
        self._complaints.pop(about, None)

    def turn(self, chat: str) -> asyncio.Lock:
        """Held by what is sent or changed there, one after the other; "" is for all chats."""
        return self._turns.setdefault(chat, asyncio.Lock())

    # ---- what goes on

    def spawn(
        self, work: Coroutine[Any, Any, None], name: str, *, lasting: bool = False
    ) -> "asyncio.Task[None]":
        """Runs `work`; what the node complains of is told, and any other failure ends the app.

        Args:
            work: what is to be done.
            name: what it is called in complaints.
            lasting: whether somebody asked for it, so that the app does not end without it.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        if lasting:
            self._lasting.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._lasting.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, Complaint):
            self.fail(error)
        elif not self.ended.done():
            self.tell(str(error), tone="error")

    def fail(self, error: BaseException) -> None:
        """Something of the app's own is broken: it ends, and says so."""
        if not self.ended.done():
            self.ended.set_exception(error)

    def leave(self, code: int = DONE, parting: str = "") -> None:
        """The app ends."""
        if not self.ended.done():
            self.parting = parting
            self.ended.set_result(code)

    def hurry(self, code: int = DONE) -> None:
        """The app ends, since somebody outside wants it to."""
        self.patience_s = HURRY_S
        self.leave(code)

    @property
    def ends(self) -> bool:
        """Whether the app was told to end."""
        return self._departing or self.ended.done()

    def depart(self) -> None:
        """The app ends as soon as what was asked for is done; asked again, at once."""
        if self._departing:
            self.patience_s = 0.0
        if self._departing or not self._lasting:
            self.leave()
        else:
            self._departing = True
            self.spawn(self._depart(), "departure")

    async def _depart(self) -> None:
        if await self.finish(SOON_S):
            self.tell("storing what was entered last; the same again leaves at once")
            await self.finish(self.patience_s)
        self.patience_s = 0.0
        self.leave()

    async def finish(self, seconds: float) -> list[str]:
        """Lets what was asked for be done; the names of what is not after that time."""
        late: set[asyncio.Task[None]] = set()
        if self._lasting:
            _, late = await asyncio.wait(self._lasting, timeout=seconds)
        return sorted(task.get_name() for task in late)

    async def close(self) -> None:
        """Ends every task, and waits for them."""
        while self._tasks:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)


async def _nobody(_: str) -> str:
    """There is no line to ask on yet: nothing was answered."""
    return ""


def chat_of(chat_id: int) -> str:
    """How the node is told which chat is meant."""
    return f"{chat_id:016x}"
