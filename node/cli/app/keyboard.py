"""Keys as they are read: many lines at once were pasted, whether or not the terminal says so.

A terminal without bracketed paste (the Linux console) sends what is pasted as if it were typed, and
each of its lines would be sent as a message unasked.  So a read with text behind a line's end is
held until nothing more comes for a moment.  If it has more lines than are pasted unasked it is a
paste from then on, without what no text has; else its keys are what they were, in the same order.

What was typed before we began to read has passed the terminal's own editing, which has made Enter a
newline; so in the first read that is what it means.
"""

import asyncio
import re
from collections.abc import Iterator
from itertools import groupby
from typing import TypeAlias

from prompt_toolkit.key_binding.bindings.mouse import typical_mouse_events
from prompt_toolkit.key_binding.key_processor import KeyPress, KeyProcessor
from prompt_toolkit.keys import Keys

PASTE_MAX = 5  # lines that are pasted without being asked for
QUIET_S = 0.03  # a burst of keys has ended when no more came for so long
AGAIN_S = 0.25  # what comes in one piece so soon after a paste belongs to it
READ = 1_000  # keys of a read that was not the last one
_ENDS = (Keys.ControlM, Keys.ControlJ)
_TEXT = (*_ENDS, Keys.ControlI)
_MOUSE = re.compile(r"\x1b\[(?:<?\d+;\d+;\d+[Mm]|M(.)..)", re.DOTALL)


class Keyboard(KeyProcessor):
    """What the toolkit does with keys, and pastes made of bursts of them."""

    def __init__(self, usual: KeyProcessor) -> None:
        """Nothing was read yet; `usual` is the toolkit's own, whose bindings hold here too."""
        super().__init__(usual._bindings)
        self._held: list[KeyPress] = []
        self._timer: asyncio.TimerHandle | None = None
        self._pasted_at = -AGAIN_S
        self._is_first = True

    def feed_multiple(self, key_presses: list[KeyPress], first: bool = False) -> None:
        """Takes the keys of a read, or with `first` some that were taken already."""
        key_presses = [one for one in key_presses if not _is_colour(one)]
        if self._is_first and key_presses:
            self._is_first = False
            if all(one.key != Keys.ControlM for one in key_presses):
                key_presses = list(map(_entered, key_presses))
        if first or not (self._held or self._is_burst(key_presses)):
            super().feed_multiple(key_presses, first)
            return
        self._held += key_presses
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET_S, self._release)

    def _is_burst(self, keys: list[KeyPress]) -> bool:
        plain = [is_text for is_text, _ in _marked(keys)]
        ends = [at for at, one in enumerate(keys) if one.key in _ENDS]
        if ends and (any(plain[ends[0] + 1 :]) or len(keys) >= READ):
            return True
        is_soon = asyncio.get_running_loop().time() < self._pasted_at + AGAIN_S
        return is_soon and len(keys) > 1 and all(map(_is_plain, keys))

    def _release(self) -> None:
        """The burst has ended."""
        held, self._held, self._timer = self._held, [], None
        now = asyncio.get_running_loop().time()
        is_more = now < self._pasted_at + AGAIN_S + QUIET_S
        runs = list(_runs(held))
        if is_long(lines_of("".join(_text(keys) for is_text, keys in runs if is_text))):
            runs = _as_one(runs)
        for is_text, keys in runs:
            if is_text and (is_more or is_long(lines_of(_text(keys)))):
                self._pasted_at = now
                self.feed(KeyPress(Keys.BracketedPaste, _text(keys)))
            else:
                super().feed_multiple(keys)
        self.process_keys()


def _entered(one: KeyPress) -> KeyPress:
    """What stands for Enter, as Enter."""
    return KeyPress(Keys.ControlM, "\r") if one.key == Keys.ControlJ else one


def _is_plain(one: KeyPress) -> bool:
    """Whether text has such keys."""
    return one.key in _TEXT or not isinstance(one.key, Keys)


def _is_colour(one: KeyPress) -> bool:
    """Whether the toolkit takes this for a mouse and could make nothing of it, as of `ESC[31m`."""
    if one.key != Keys.Vt100MouseEvent:
        return False
    found = _MOUSE.fullmatch(one.data)
    return found is None or bool(found[1] and ord(found[1]) not in typical_mouse_events)


_Run: TypeAlias = tuple[bool, list[KeyPress]]


def _marked(keys: list[KeyPress]) -> Iterator[tuple[bool, KeyPress]]:
    """Each key, and whether text has it; what follows Esc is pressed with Alt."""
    before = [None, *(one.key for one in keys)]
    for last, one in zip(before, keys, strict=False):
        yield last != Keys.Escape and _is_plain(one), one


def _runs(keys: list[KeyPress]) -> Iterator[_Run]:
    """The keys, those of text apart from all else."""
    for is_text, run in groupby(_marked(keys), lambda one: one[0]):
        yield is_text, [one for _, one in run]


def _as_one(runs: list[_Run]) -> list[_Run]:
    """The keys that led to where the text goes, and all of it, without what stands within."""
    before = [] if runs[0][0] else runs[:1]
    return [*before, (True, [one for is_text, keys in runs if is_text for one in keys])]


def _text(keys: list[KeyPress]) -> str:
    return "".join(one.data for one in keys)


def lines_of(pasted: str) -> str:
    """Pasted text with the line ends that we know."""
    return pasted.replace("\r\n", "\n").replace("\r", "\n")


def is_long(text: str) -> bool:
    """Whether text is asked for before it is pasted."""
    return text.rstrip("\n").count("\n") >= PASTE_MAX
