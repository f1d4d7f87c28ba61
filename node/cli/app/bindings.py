"""What each key does.

The table of `keys` is bound over readline's keys, which are prompt_toolkit's own; where something
is asked, any key is its answer, and while readline searches, its keys are left alone.
"""

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace
from prompt_toolkit.application.current import get_app
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.key_binding import DynamicKeyBindings, KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.search import SearchDirection, start_search

from ..commands import Quit
from ..keys import Chords
from ..model import (
    Chose,
    Event,
    Page,
    Question,
    Search,
    Secret,
    Selected,
    Showing,
    State,
    Switcher,
    neighbour,
    next_active,
    numbered,
    picked,
    stepped,
)
from .asking import Asking
from .face import Face
from .input import Typing, encodable
from .keyboard import is_long, lines_of
from .pages import Pages
from .paging import Paging
from .performing import Performing
from .searching import Searching
from .setup import Extra

REFUSED = "not suspended: the others would take this node for dead (/quit ends the app)"
_NOTHING = (Keys.CPRResponse, Keys.Vt100MouseEvent, Keys.WindowsMouseEvent, Keys.Ignore)
_NO = ("n", "N", Keys.Enter, Keys.Escape, Keys.ControlC, Keys.ControlD)


class Bindings:
    """From keys to what the parts of the app do."""

    def __init__(
        self,
        face: Face,
        *,
        typing: Typing,
        performing: Performing,
        paging: Paging,
        pages: Pages,
        searching: Searching,
        asking: Asking,
    ) -> None:
        self._asking = asking
        self._face, self._typing, self._performing = face, typing, performing
        self._paging, self._pages, self._searching = paging, pages, searching
        self._bound = self._bind()
        self.keys = DynamicKeyBindings(lambda: self._bound)
        face.listen(self._happened)

    def _happened(self, before: State, event: Event) -> None:
        if isinstance(event, Chose):  # as /reload does, which may have changed the keys too
            self._bound = self._bind()

    def _chords(self, action: str) -> Chords:
        return self._face.setup.keys.get(action, ())

    def _bind(self) -> KeyBindings:
        bound = KeyBindings()
        usual = Condition(lambda: self._face.state.question is None) & ~is_searching
        prompting = usual & Condition(lambda: self._typing.is_prompting)
        asking = Condition(lambda: self._face.state.question is not None)
        works = self._works()
        works |= {one.key.action: partial(self._extra, one) for one in self._face.setup.extras}
        for action, work in works.items():
            for chord in self._chords(action):
                bound.add(*chord, filter=usual)(_calling(work))
        bound.add("up", filter=prompting)(_calling(lambda: self._pick(-1)))
        bound.add("down", filter=prompting)(_calling(lambda: self._pick(1)))
        bound.add("escape", "/", filter=usual)(_calling(self._slash))
        bound.add("c-z")(_calling(lambda: self._face.tell(REFUSED, tone="error")))
        bound.add("c-l")(_calling(self._redraw))
        bound.add(Keys.BracketedPaste, filter=usual)(self._paste)
        bound.add(Keys.Any, filter=asking, eager=True)(self._answer)
        return bound

    def _works(self) -> dict[str, Callable[[], None]]:
        """What the actions of the table do."""
        return {
            **{f"chat_{n}": partial(self._numbered, n) for n in range(1, 11)},
            "send": self._enter,
            "newline": self._newline,
            "complete": lambda: self._complete(1),
            "complete_back": lambda: self._complete(-1),
            "search_input": self._search_input,
            "clear_input": self._clear,
            "quit": self._quit,
            "next_chat": lambda: self._neighbour(1),
            "previous_chat": lambda: self._neighbour(-1),
            "next_active": lambda: self._select(next_active(self._face.state)),
            "switcher": self._switch,
            "page_up": lambda: self._page(-1),
            "page_down": lambda: self._page(1),
            "top": self._top,
            "bottom": self._bottom,
            "first_unread": self._paging.to_unread,
            "previous_mention": lambda: self._searching.mention(-1),
            "next_mention": lambda: self._searching.mention(1),
            "search_transcript": self._search,
            "help": self._help,
            "elections": lambda: self._pages.toggle("elections"),
            "trace": lambda: self._pages.toggle("trace"),
            "chats_pane": lambda: self._pane("chats"),
            "members_pane": lambda: self._pane("members"),
            "bare": lambda: self._pages.toggle("bare"),
            "notices": lambda: self._flip("notices"),
            "mouse": self._mouse,
            "close": self._close,
        }

    # ---- typing

    def _enter(self) -> None:
        state = self._face.state
        if state.secret is not None:
            self._asking.give(encodable(self._typing.line.text))
        elif state.switcher is not None:
            view = picked(state)
            self._face.apply(Showing(None, Switcher))
            if view is not None:
                self._select(view.chat.chat_id)
        elif state.search is not None:
            self._searching.older()
        elif self._typing.stranded and self._typing.input.text.strip():
            name = f"#{state.shown_name(state.front)}" if state.front is not None else "nobody"
            asked = f"The chat for which you typed this has ended. Send it to {name}?"
            self._face.apply(Showing(Question("send", asked), Question))
        elif self._typing.input.text.strip():
            self._typing.enter()
        elif state.page is not None:
            self._close()

    def _newline(self) -> None:
        if not self._typing.is_prompting:
            self._typing.input.insert_text("\n")

    def _complete(self, step: int) -> None:
        if self._typing.is_prompting:
            self._pick(step)
        else:
            self._typing.complete(step)

    def _search_input(self) -> None:
        if self._face.state.search is not None:
            self._searching.newer()
        elif not self._typing.is_prompting:
            start_search(direction=SearchDirection.BACKWARD)

    def _clear(self) -> None:
        if self._typing.is_prompting:
            self._close()
        else:
            self._typing.put("")

    def _quit(self) -> None:
        buffer = self._typing.line if self._typing.is_prompting else self._typing.input
        if buffer.text:
            buffer.delete()
        elif self._typing.is_prompting:
            self._close()
        else:
            self._leave()

    def _leave(self) -> None:
        """Quits, but asks once where somebody there still lacks something that was said here."""
        state = self._face.state
        waiting = [view for view in state.views if view.chat.outbox]
        if not waiting:
            self._performing.do(Quit())
            return
        lines = sum(view.chat.outbox for view in waiting)
        chats = ", ".join(f"#{state.shown_name(view)}" for view in waiting)
        have = "has" if lines == 1 else "have"
        text = f"{lines} of your lines in {chats} {have} not reached everyone there yet. Quit?"
        self._face.apply(Showing(Question("quit", text), Question))

    def _paste(self, event: KeyPressEvent) -> None:
        text = lines_of(event.data)
        if self._face.state.secret is not None:
            self._typing.line.insert_text(text.rstrip("\n").replace("\n", " "))
        elif self._typing.is_prompting:
            self._typing.line.insert_text(" ".join(text.split()))
        elif is_long(text):
            self._ask_paste(text)
        else:
            self._typing.input.insert_text(text)

    def _ask_paste(self, text: str) -> None:
        asked = f"Paste {text.rstrip(chr(10)).count(chr(10)) + 1} lines?"
        self._face.apply(Showing(Question("paste", asked, text), Question))

    def _answer(self, event: KeyPressEvent) -> None:
        """One key answers what was asked: y does it, and so does the key that led here.

        Whoever types on says no, and loses neither the key nor what was to be pasted.
        """
        key, question = event.key_sequence[0].key, self._face.state.question
        if key in _NOTHING or question is None:
            return
        if question.kind == "paste" and key == Keys.BracketedPaste:
            self._ask_paste(question.payload + lines_of(event.data))
            return
        self._face.apply(Showing(None, Question))
        if key in ("y", "Y") or (question.kind == "quit" and (key,) in self._chords("quit")):
            self._do_asked(question)
            return
        if question.kind == "paste":
            event.app.clipboard.set_text(question.payload)
        if key not in _NO:
            if question.kind == "paste":
                self._face.tell("not pasted; Ctrl+Y pastes it after all")
            event.key_processor.feed_multiple(event.key_sequence, first=True)

    def _do_asked(self, question: Question) -> None:
        match question.kind:
            case "quit":
                self._performing.do(Quit())
            case "send":
                self._typing.enter()
            case _:
                self._typing.input.insert_text(question.payload)

    # ---- chats

    def _select(self, chat_id: int) -> None:
        if chat_id:
            self._face.apply(Selected(chat_id))

    def _numbered(self, number: int) -> None:
        self._select(numbered(self._face.state, number))

    def _neighbour(self, step: int) -> None:
        if self._face.state.switcher is not None:
            self._pick(step)
        else:
            self._select(neighbour(self._face.state, step))

    def _switch(self) -> None:
        if self._face.state.secret is not None:
            return
        opened = self._face.state.switcher is not None
        self._face.apply(Showing(None if opened else Switcher(), Switcher))

    def _pick(self, step: int) -> None:
        """Another line of the switcher, or another match of the search."""
        state = self._face.state
        if state.switcher is not None:
            self._face.apply(Showing(stepped(state, step), Switcher))
        elif state.search is not None:
            (self._searching.older if step < 0 else self._searching.newer)()

    # ---- reading

    def _page(self, by: int) -> None:
        page = self._face.state.page
        if page is not None and page.kind != "bare":
            self._pages.scroll(by)
        else:
            self._paging.page(by)

    def _top(self) -> None:
        self._paging.to_beginning()

    def _bottom(self) -> None:
        self._paging.to_end()

    def _search(self) -> None:
        if self._face.state.secret is not None:
            return
        if self._face.state.search is not None:
            self._searching.older()
        else:
            self._searching.begin()

    # ---- views

    def _help(self) -> None:
        page = self._face.state.page
        if page is not None and page.kind == "help":
            self._pages.close()
        else:
            self._performing.line("/help")

    def _pane(self, name: str) -> None:
        """Shows a pane that is hidden, hides one that is shown, whatever the width."""
        self._choose(name, "off" if getattr(self._face.layout(), name) else "on")

    def _flip(self, name: str) -> None:
        now = getattr(self._face.state.settings, name)
        self._choose(name, "off" if now == "on" else "on")

    def _mouse(self) -> None:
        self._flip("mouse")
        if self._face.state.settings.mouse == "on":
            self._face.tell("mouse on: the wheel scrolls, a click on a chat opens it")
        else:
            self._face.tell("mouse off: the terminal selects text again")

    def _choose(self, name: str, value: str) -> None:
        self._face.apply(Chose(replace(self._face.state.settings, **{name: value})))

    def _close(self) -> None:
        """Closes what is over the transcript, one thing at a time."""
        state = self._face.state
        if self._typing.is_completing:
            self._typing.input.cancel_completion()
        elif state.secret is not None:
            self._face.apply(Showing(None, Secret))
        elif state.switcher is not None:
            self._face.apply(Showing(None, Switcher))
        elif state.search is not None:
            self._face.apply(Showing(None, Search))
        elif state.page is not None:
            self._face.apply(Showing(None, Page))

    def _slash(self) -> None:
        """Esc and a command quickly after it: no terminal user means Alt+/ by that."""
        self._close()
        if not self._typing.is_prompting:
            self._typing.input.insert_text("/")

    def _redraw(self) -> None:
        """All of the screen anew, whatever has been written across it."""
        app = get_app()
        app.renderer.reset(leave_alternate_screen=False)
        app.output.erase_screen()
        app.output.cursor_goto(0, 0)

    def _extra(self, extra: Extra) -> None:
        async def work() -> None:
            if told := await extra.work():
                self._face.tell(told)

        self._face.spawn(work(), extra.key.action)


def _calling(work: Callable[[], None]) -> Callable[[KeyPressEvent], None]:
    """A handler that needs nothing of its event."""

    def handle(event: KeyPressEvent) -> None:
        work()

    return handle
