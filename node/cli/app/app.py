"""The app: its parts put together, on a terminal, until it ends."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from signal import SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, Signals
from typing import TYPE_CHECKING, Any, TextIO, cast

from prompt_toolkit.application import Application
from prompt_toolkit.filters import Condition
from prompt_toolkit.input import create_input
from prompt_toolkit.layout import Float, FloatContainer, Layout
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.mouse_events import MouseButton, MouseEvent, MouseEventType
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import DynamicStyle, Style

from ...errors import DONE, INTERRUPTED, OTHER, Complaint
from ...words import Mode
from ..model import Selected, Showing, Switcher
from ..render import screen
from ..render.text import clean_line, counted
from ..render.themes import THEMES
from .asking import Asking
from .bindings import REFUSED, Bindings
from .canvas import Canvas, Row
from .face import Face
from .input import Typing
from .keyboard import Keyboard
from .pages import Pages
from .paging import Paging
from .performing import Performing
from .saving import Saving
from .searching import Searching
from .sending import LINE, Sending
from .setup import Setup
from .telling import Telling
from .terminal import Screen, note_crash, signals, stderr_in
from .tty import Tty, is_foreground, is_gone, opened
from .watching import Watching

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_bindings import NotImplementedOrNone

    from ..client import Client

FRAME_S = 0.03  # at most one frame within this for what the node tells,
KEY_FRAME_S = 0.008  # and within this for what is typed
ESCAPE_S = 0.1  # a lone Esc is a key after this, and not the beginning of another one
CHORD_S = 0.02  # what is typed after it is no Alt then
LOOK_S = 0.2  # how often it is looked whether the terminal is ours again
MENU_ROWS = 8
WHEEL_ROWS = 3


async def run(node: "Client | None", setup: Setup) -> int:
    """Owns the terminal until the user quits, a signal comes, or the node of this process ends.

    Args:
        node: a connection to the node; None where `setup.opens` makes one.
        setup: all else.

    Returns:
        The exit code.

    Raises:
        Complaint: the node could not be opened.
    """
    face = Face(node, setup)
    try:
        async with AsyncExitStack() as stack:
            tty = None
            if setup.output is None:
                stack.enter_context(stderr_in(setup.log))
                tty = stack.enter_context(opened(sys.stdout.fileno(), face.draw_again))
            code = await _Run(face, tty, stack).run()
    except Complaint:
        raise
    except Exception as error:
        views = (*face.state.views, *face.state.gone)
        reticent = any(one.chat.mode == Mode.TRANSIENT for one in views)
        note_crash(setup.log, error, reticent=reticent)
        said = " ".join(str(error).split())
        part(f"the app has crashed ({type(error).__name__}: {said}); see {setup.log}")
        return OTHER
    if face.parting:
        part(face.parting)
    return code


def part(said: str) -> None:
    """A last line, where somebody can still read it."""
    with suppress(OSError):
        print(f"p2pchat: {clean_line(said)}", file=sys.stderr, flush=True)


class _Run:
    """One run, from the first frame to the last."""

    def __init__(self, face: Face, tty: Tty | None, stack: AsyncExitStack) -> None:
        """Nothing is drawn yet; `stack` ends, after the screen, what is opened for it."""
        setup, term = face.setup, os.environ.get("TERM", "")
        self._face, self._tty, self._stack = face, tty, stack
        terminal = cast(TextIO, tty) if tty is not None else sys.stdout
        self._output = setup.output or Vt100_Output.from_pty(terminal, term)
        self._screen = Screen(self._output, term)
        self._paging = Paging(face)
        self._searching = Searching(face, self._paging)
        self._typing = Typing(face, self._typed, self._entered)
        self._watching, self._sending, pages = Watching(face), Sending(face), Pages(face)
        self._early: list[str] = []  # what was entered before the chats were there
        self._watching.begun = self._catch_up
        self._saving, asking = Saving(face), Asking(face)
        face.asks = asking.secret
        self._telling = Telling(face, self._screen.ring)
        self._performing = Performing(
            face,
            pages=pages,
            saving=self._saving,
            is_typing=lambda: bool(self._typing.input.text),
            searching=self._searching,
            sending=self._sending,
            watching=self._watching,
            screen=self._screen,
        )
        bindings = Bindings(
            face,
            typing=self._typing,
            performing=self._performing,
            paging=self._paging,
            pages=pages,
            searching=self._searching,
            asking=asking,
        )
        self._styles: dict[str, Style] = {}
        self._wake: asyncio.TimerHandle | None = None  # for what changes as time goes by
        self._due: asyncio.TimerHandle | None = None  # for what has changed
        self._drawn_at = 0.0
        self._away: ExitStack | None = None  # while the terminal is somebody else's
        self._coming: asyncio.TimerHandle | None = None
        self._app = self._application(bindings)
        face.redraw = self._redraw

    def _application(self, bindings: Bindings) -> Application[None]:
        face, typing = self._face, self._typing
        canvas = Canvas(
            self._draw,
            typing.windows,
            typing.shown,
            lambda: typing.is_completing,
            self._clicked,
        )
        menu = Float(CompletionsMenu(max_height=MENU_ROWS), xcursor=True, ycursor=True)
        layout = Layout(FloatContainer(canvas, [menu]), focused_element=typing.input_window)
        typing.layout = layout
        app: Application[None] = Application(
            layout=layout,
            style=DynamicStyle(self._style),
            key_bindings=bindings.keys,
            full_screen=True,
            color_depth=ColorDepth.DEPTH_4_BIT if face.setup.color else ColorDepth.DEPTH_1_BIT,
            mouse_support=Condition(self._takes_mouse),
            enable_page_navigation_bindings=False,
            erase_when_done=True,
            min_redraw_interval=KEY_FRAME_S,
            terminal_size_polling_interval=None,
            after_render=lambda _: self._drawn(),
            input=face.setup.input or create_input(sys.stdin),
            output=self._output,
        )
        app.key_processor = Keyboard(app.key_processor)
        app.ttimeoutlen, app.timeoutlen = ESCAPE_S, CHORD_S
        return app

    # ---- running

    async def run(self) -> int:
        """Until the end; the exit code."""
        face, loop = self._face, asyncio.get_running_loop()
        face.ended.add_done_callback(lambda _: self._exit())
        handlers: dict[Signals, Callable[[], None]] = {
            SIGTERM: face.hurry,
            SIGHUP: face.hurry,
            SIGINT: lambda: face.hurry(INTERRUPTED),
            SIGTSTP: lambda: face.tell(REFUSED, tone="error"),
            SIGCONT: self._return,
        }
        before = loop.get_exception_handler()
        loop.set_exception_handler(self._failed)
        self._stack.enter_context(signals(handlers))
        try:
            await self._app.run_async(
                pre_run=self._begin, set_exception_handler=False, handle_sigint=False
            )
        except (EOFError, OSError) as lost:
            if not is_gone(lost):
                raise
            face.hurry()
        finally:
            self._rest()
            if self._coming is not None:
                self._coming.cancel()
            await self._finish()
            await face.close()
            loop.set_exception_handler(before)
            with suppress(OSError):
                self._screen.give_back()
            face.parting = face.parting or await self._saving.save()
        return face.ended.result() if face.ended.done() else DONE

    async def _finish(self) -> None:
        """Nothing that was asked for is lost without a word."""
        face = self._face
        if not face.ended.done() or face.ended.exception():
            return  # cancelled, or broken: there is nothing to rely on
        self._telling.finish()
        late = await face.finish(face.patience_s)
        lines, others = late.count(LINE), [name for name in late if name.startswith("/")]
        lines += len(self._early)
        if lines:
            face.parting = f"{counted(lines, 'line')} could not be stored any more"
        elif others:
            face.parting = f"{', '.join(others)} was not finished"

    def _begin(self) -> None:
        self._face.spawn(self._open(), "start")

    async def _open(self) -> None:
        """Once the first frame stands: the node."""
        if (opens := self._face.setup.opens) is not None:
            try:
                self._face.node = await self._stack.enter_async_context(opens())
            except Complaint as complaint:
                return self._face.fail(complaint)
        self._watching.start()
        self._sending.start()

    def _exit(self) -> None:
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    def _return(self) -> None:
        """Somebody has stopped us and let us go on: the terminal was somebody else's meanwhile.

        In the background it still is: nothing is read from it or sent to it until that ends.
        """
        if not self._app.is_running:
            return  # it has been given back already
        if self._tty is not None and not is_foreground(self._tty.fileno()):
            self._tty.is_muted = True
            if self._away is None:
                self._away = ExitStack()
                self._away.enter_context(self._app.input.detach())
            self._coming = asyncio.get_running_loop().call_later(LOOK_S, self._return)
            return
        if self._away is not None:
            self._away.close()
            self._away = None
        if self._tty is not None:
            self._tty.is_muted = False
        self._app.input.raw_mode().__enter__()  # what was before all is restored at the end
        self._app.renderer.reset()
        self._app.invalidate()

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something on the loop has failed that is no task of ours: a key, a frame."""
        error = context.get("exception")
        if is_gone(error):
            self._face.hurry()
        elif isinstance(error, BaseException) and is_ours(error):
            self._face.fail(error)
        else:
            loop.default_exception_handler(context)

    # ---- drawing

    def _redraw(self) -> None:
        """A frame is due soon; what comes until then is in it too."""
        if self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(self._drawn_at + FRAME_S, self._frame)

    def _frame(self) -> None:
        """A frame is due, unless the terminal has not taken the last one yet."""
        self._rest()
        if self._tty is None or not self._tty.is_behind:
            self._app.invalidate()

    def _rest(self) -> None:
        """Nothing is due."""
        for timer in (self._wake, self._due):
            if timer is not None:
                timer.cancel()
        self._wake = self._due = None

    def _draw(self, columns: int, rows: int, input_rows: int) -> Sequence[Row]:
        face = self._face
        face.columns, face.rows, face.input_rows = columns, rows, input_rows
        return screen.draw(face.state, columns, rows, input_rows, face.now())

    def _drawn(self) -> None:
        """After a frame: the title, and when the next one is due although nothing happens."""
        face = self._face
        loop = asyncio.get_running_loop()
        self._screen.entitle(screen.title(face.state))
        self._rest()
        self._drawn_at = loop.time()
        due = screen.wakes(face.state, face.now())
        self._wake = loop.call_later(max(due, 1) / 1000, self._frame)

    def _style(self) -> Style:
        theme = self._face.state.settings.theme if self._face.setup.color else "mono"
        if theme not in self._styles:
            self._styles[theme] = Style.from_dict(THEMES[theme])
        return self._styles[theme]

    # ---- what happens

    def _entered(self, text: str) -> None:
        """A line was entered: before it is known which chats there are, it waits for that."""
        if self._watching.has_begun or text.strip() == "/quit":
            self._performing.line(text)
        else:
            if not self._early:
                self._face.tell("the node is starting; what is entered now waits for it")
            self._early.append(text)

    def _catch_up(self) -> None:
        """The chats are there."""
        early, self._early = self._early, []
        for text in early:
            self._performing.line(text)

    def _typed(self, text: str) -> None:
        """The line of the search or of the switcher has changed."""
        state = self._face.state
        if state.search is not None and state.search.text != text:
            self._searching.typed(text)
        elif state.switcher is not None and state.switcher.text != text:
            self._face.apply(Showing(Switcher(text), Switcher))

    def _takes_mouse(self) -> bool:
        state = self._face.state
        is_bare = state.page is not None and state.page.kind == "bare"
        return state.settings.mouse == "on" and not is_bare

    def _clicked(self, event: MouseEvent) -> "NotImplementedOrNone":
        """The wheel scrolls; a click on a chat brings it to the front."""
        face = self._face
        if not self._takes_mouse():
            return None
        if event.event_type is MouseEventType.SCROLL_UP:
            self._paging.scroll(-WHEEL_ROWS)
        elif event.event_type is MouseEventType.SCROLL_DOWN:
            self._paging.scroll(WHEEL_ROWS)
        elif event.event_type is MouseEventType.MOUSE_UP and event.button is MouseButton.LEFT:
            size = face.columns, face.rows, face.input_rows
            match screen.region(face.state, *size, event.position.x, event.position.y):
                case ("chat", int(chat_id)):
                    face.apply(Selected(chat_id))
        return None


def is_ours(error: BaseException) -> bool:
    """Whether an exception passed through the app or the toolkit under it."""
    trace = error.__traceback__
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if name.startswith(("prompt_toolkit.", "node.cli.")):
            return True
        trace = trace.tb_next
    return False
