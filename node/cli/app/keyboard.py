"""Keys as they are read: many lines at once were pasted, whether or not the terminal says so.

A terminal without bracketed paste (the Linux console) sends what is pasted as if it were typed, and
each of its lines would be sent as a message unasked.  So a read with text behind a line's end is
held until nothing more comes for a moment.  If it has more lines than are pasted unasked it is a
paste from then on; else its keys are what they were, in the same order.
"""

import asyncio
from collections.abc import Iterator
from itertools import groupby

from prompt_toolkit.key_binding.key_processor import KeyPress, KeyProcessor
from prompt_toolkit.keys import Keys

PASTE_MAX = 5  # lines that are pasted without being asked for
QUIET_S = 0.03  # a burst of keys has ended when no more came for so long
AGAIN_S = 0.25  # what comes in one piece so soon after a paste belongs to it
READ = 1_000  # keys of a read that was not the last one
_ENDS = (Keys.ControlM, Keys.ControlJ)
_TEXT = (*_ENDS, Keys.ControlI)


class Keyboard(KeyProcessor):
    """What the toolkit does with keys, and pastes made of bursts of them."""

    def __init__(self, usual: KeyProcessor) -> None:
        """Nothing was read yet; `usual` is the toolkit's own, whose bindings hold here too."""
        super().__init__(usual._bindings)
        self._held: list[KeyPress] = []
        self._timer: asyncio.TimerHandle | None = None
        self._pasted_at = -AGAIN_S

    def feed_multiple(self, key_presses: list[KeyPress], first: bool = False) -> None:
        """Takes the keys of a read, or with `first` some that were taken already."""
        if first or not (self._held or self._is_burst(key_presses)):
            super().feed_multiple(key_presses, first)
            return
        self._held += key_presses
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET_S, self._release)

    def _is_burst(self, keys: list[KeyPress]) -> bool:
        ends = [one.key in _ENDS for one in keys]
        if any(end and _is_plain(one) for end, one in zip(ends, keys[1:], strict=False)):
            return True
        if len(keys) >= READ and any(ends):
            return True
        is_soon = asyncio.get_running_loop().time() < self._pasted_at + AGAIN_S
        return is_soon and len(keys) > 1 and all(map(_is_plain, keys))

    def _release(self) -> None:
        """The burst has ended."""
        held, self._held, self._timer = self._held, [], None
        now = asyncio.get_running_loop().time()
        is_more = now < self._pasted_at + AGAIN_S + QUIET_S
        for is_text, keys in _runs(held):
            text = "".join(one.data for one in keys)
            if is_text and (is_more or is_long(lines_of(text))):
                self._pasted_at = now
                self.feed(KeyPress(Keys.BracketedPaste, text))
            else:
                super().feed_multiple(keys)
        self.process_keys()


def _is_plain(one: KeyPress) -> bool:
    """Whether text has such keys."""
    return one.key in _TEXT or not isinstance(one.key, Keys)


def _runs(keys: list[KeyPress]) -> Iterator[tuple[bool, list[KeyPress]]]:
    """The keys, those of text apart from all else; what follows Esc is pressed with Alt."""
    before = [None, *(one.key for one in keys)]
    marked = [
        (last != Keys.Escape and _is_plain(one), one)
        for last, one in zip(before, keys, strict=False)
    ]
    for is_text, run in groupby(marked, lambda one: one[0]):
        yield is_text, [one for _, one in run]


def lines_of(pasted: str) -> str:
    """Pasted text with the line ends that we know."""
    return pasted.replace("\r\n", "\n").replace("\r", "\n")


def is_long(text: str) -> bool:
    """Whether text is asked for before it is pasted."""
    return text.rstrip("\n").count("\n") >= PASTE_MAX
