"""The bottom of the screen: what is being typed, and where.

There are three lines to type on, of which one has the cursor: the input itself, the line of a
search or of the switcher, and that of readline's search through what was typed before.
"""

import unicodedata
from collections.abc import Callable, Sequence

from prompt_toolkit.buffer import Buffer, CompletionState
from prompt_toolkit.completion import Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.layout import BufferControl, Layout, SearchBufferControl, Window
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput
from prompt_toolkit.search import stop_search

from ..commands import Candidate, complete
from ..model import Drafted, Event, Search, State, Switcher
from ..render import screen
from ..render.text import beginning, clean_line
from .entry import Entry
from .face import Face


class Typing:
    """The buffers and their windows."""

    def __init__(
        self, face: Face, typed: Callable[[str], None], entered: Callable[[str], None]
    ) -> None:
        """Nothing is typed yet.

        Args:
            face: whose drafts these are.
            typed: told of each change of the line of a search or of the switcher.
            entered: gets what was typed as the input.
        """
        self._face, self._entered = face, entered
        self.input = Buffer(
            multiline=True, history=InMemoryHistory(), accept_handler=self._accepted
        )
        self.line = Buffer(
            multiline=False, on_text_changed=lambda _: typed(encodable(self.line.text))
        )
        found = Buffer(multiline=False)
        self._searching = SearchBufferControl(found, input_processors=[Printable()])
        self.input_window = Entry(
            BufferControl(
                self.input,
                search_buffer_control=self._searching,
                preview_search=True,
                input_processors=[Printable()],
            ),
            lambda: screen.prompt(face.state),
        )
        self.line_window = Entry(
            BufferControl(self.line, input_processors=[Masked(face), Printable()]),
            lambda: screen.prompt(face.state),
        )
        self.found_window = Entry(self._searching, lambda: (("prompt", "[history] "),))
        self.windows = (self.input_window, self.line_window, self.found_window)
        self.layout: Layout | None = None
        self.stranded = 0  # the chat for which the input was typed, where that has ended
        face.listen(self._happened)

    # ---- which line

    @property
    def is_prompting(self) -> bool:
        """Whether something else than a message is being typed."""
        state = self._face.state
        return any(one is not None for one in (state.secret, state.search, state.switcher))

    @property
    def is_completing(self) -> bool:
        return self.input.complete_state is not None

    def shown(self) -> Sequence[Window]:
        """The windows at the bottom of the screen, from above."""
        if self.layout is not None and self.layout.is_searching:
            return [self.input_window, self.found_window]
        return [self.line_window if self.is_prompting else self.input_window]

    def _happened(self, before: State, event: Event) -> None:
        state = self._face.state
        if state.current != before.current:
            self._change(before)
        was = before.secret or before.search or before.switcher
        now = state.secret or state.search or state.switcher
        if type(was) is not type(now):
            self._turn(now.text if isinstance(now, Search | Switcher) else "")

    def _change(self, before: State) -> None:
        """Another chat is in front: what was typed for the one before waits there."""
        state, text = self._face.state, self._draft()
        if state.view(before.current) is None and text.strip():
            # It has ended under the fingers; or there was none, and what is typed waits for one.
            self.stranded = self.stranded or before.current
            return
        if self.stranded:  # never this chat's: Up brings it back
            self.input.history.append_string(text)
        elif before.current:
            self._face.apply(Drafted(before.current, text))
        self.stranded = 0
        self.put(state.front.draft if state.front is not None else "")

    def _draft(self) -> str:
        """What was being typed, also while a line from before is looked at."""
        lines = self.input._working_lines
        recalled = self.input.working_index < len(lines) - 1
        unchanged = self.input.text in self.input.history.get_strings()
        return lines[-1] if recalled and unchanged and lines[-1] else self.input.text

    def _turn(self, text: str) -> None:
        """Another line is typed on."""
        assert self.layout is not None, "the layout is made before anything happens"
        if self.layout.is_searching:
            stop_search()
        if self.is_prompting:
            if encodable(self.line.text) != text:
                self.line.set_document(Document(text), bypass_readonly=True)
            self.layout.focus(self.line_window)
        else:
            self.layout.focus(self.input_window)
            self.line.reset()

    # ---- the input

    def put(self, text: str) -> None:
        """Makes `text` the input."""
        self.stranded = 0
        self.input.reset(Document(text))

    def enter(self) -> None:
        """What was typed is entered, and is the input no longer."""
        if self.input.text.strip():
            self.input.validate_and_handle()

    def _accepted(self, buffer: Buffer) -> bool:
        self.stranded = 0
        self._entered(encodable(buffer.text).strip("\n"))
        return False

    def complete(self, step: int = 1) -> None:
        """Completes what stands before the cursor, or goes through the choices there are."""
        buffer = self.input
        if buffer.complete_state is not None:
            (buffer.complete_next if step > 0 else buffer.complete_previous)()
            return
        before = buffer.document.text_before_cursor
        choices = complete(self._face.state, before)
        if not choices:
            return
        start = choices[0].start
        common = beginning([one.text for one in choices])
        if len(choices) == 1 or len(common) > len(before) - start:
            buffer.delete_before_cursor(len(before) - start)
            buffer.insert_text(common)
        if len(choices) > 1:
            at = buffer.cursor_position - start
            buffer.complete_state = CompletionState(
                buffer.document, [_completion(one, at) for one in choices]
            )
            self._face.redraw()


def encodable(text: str) -> str:
    """Typed text as others can be told it: bytes that were no UTF-8 are shown as such."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _completion(choice: Candidate, typed: int) -> Completion:
    """A choice of the menu, in place of the last `typed` characters."""
    return Completion(
        choice.text,
        start_position=-typed,
        display=clean_line(choice.text).strip(),
        display_meta=clean_line(choice.meta),
    )


class Masked(Processor):
    """Shows a star for each character of what nobody is to see."""

    def __init__(self, face: Face) -> None:
        self._face = face

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        fragments = transformation_input.fragments
        if self._face.state.secret is None:
            return Transformation(fragments)
        return Transformation([(one[0], "*" * len(one[1])) for one in fragments])


class Printable(Processor):
    """Shows what a terminal must not be sent as replacement characters; the text keeps it."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        fragments = transformation_input.fragments
        if all(fragment[1].isprintable() for fragment in fragments):
            return Transformation(fragments)
        return Transformation(
            [(fragment[0], "".join(map(_printable, fragment[1]))) for fragment in fragments]
        )


def _printable(char: str) -> str:
    if char == "\t":
        return " "
    return char if char.isprintable() or unicodedata.category(char) == "Zs" else "\ufffd"
