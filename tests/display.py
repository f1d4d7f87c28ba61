"""A terminal as a program meets it: what the program writes is drawn by pyte, what people press
are the bytes that xterm sends.

Rows are read as text; styles as one letter a cell, so that both can stand in a text file.
"""

from typing import Any, ClassVar

import pyte
from pyte.screens import Char
from wcwidth import wcwidth

ALTERNATE, PASTE, MOUSE, CURSOR = (number << 5 for number in (1049, 2004, 1000, 25))
COLORS = {"brown": "yellow", "bfight": "bright"}  # pyte's names, and ours


class _Stream(pyte.Stream):  # type: ignore[misc]
    """Knows xterm's window operations too."""

    csi: ClassVar[dict[str, str]] = {**pyte.Stream.csi, "t": "window"}


class Display(pyte.Screen):  # type: ignore[misc]
    """A screen of a size, with the modes of which programs leave traces when they end badly."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self.bells = 0
        self.titles: list[str] = []
        self.unknown: list[str] = []  # what no terminal should be sent
        self._main: tuple[dict[int, Any], int, int] | None = None
        self._kept_titles: list[str] = []
        self._stream = _Stream(self)

    # ---- what the program writes

    def feed(self, text: str) -> None:
        self._stream.feed(text)

    def bell(self, *_: Any) -> None:
        self.bells += 1

    def set_title(self, param: str) -> None:
        super().set_title(param)
        self.titles.append(param)

    def window(self, *operation: int) -> None:
        """Puts the title aside, or takes it back."""
        match operation:
            case (22, _):
                self._kept_titles.append(self.title)
            case (23, _) if self._kept_titles:
                super().set_title(self._kept_titles.pop())
            case _:
                self.unknown.append(f"window operation {operation}")

    def debug(self, *arguments: Any, **named: Any) -> None:
        self.unknown.append(f"{arguments}{named or ''}")

    def set_mode(self, *modes: int, **options: Any) -> None:
        if options.get("private") and 1049 in modes and self._main is None:
            self._main = {y: line.copy() for y, line in self.buffer.items()}, *self._at()
            self.erase_in_display(2)
        super().set_mode(*modes, **options)

    def reset_mode(self, *modes: int, **options: Any) -> None:
        if options.get("private") and 1049 in modes and self._main is not None:
            (kept, self.cursor.x, self.cursor.y), self._main = self._main, None
            self.erase_in_display(2)
            for y, line in kept.items():
                for x, char in line.items():
                    self.buffer[y][x] = char
        super().reset_mode(*modes, **options)

    def select_graphic_rendition(self, *codes: int, **options: Any) -> None:
        """Faint text is kept as blinking, which pyte knows and nothing of ours is."""
        if not {38, 48} & set(codes):
            if 5 in codes:
                self.unknown.append("blinking text")
            codes = tuple(5 if code == 2 else code for code in codes)
        super().select_graphic_rendition(*codes, **options)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        super().resize(lines, columns)
        self.cursor.y = min(self.cursor.y, self.lines - 1)
        self.cursor.x = min(self.cursor.x, self.columns - 1)

    def _at(self) -> tuple[int, int]:
        return self.cursor.x, self.cursor.y

    # ---- what is seen

    @property
    def rows(self) -> list[str]:
        """Every row, as wide as the screen."""
        return list(self.display)

    @property
    def text(self) -> str:
        """The rows without their trailing blanks."""
        return "\n".join(row.rstrip() for row in self.display)

    @property
    def at(self) -> tuple[int, int]:
        """Column and row of the cursor."""
        return self._at()

    @property
    def is_alternate(self) -> bool:
        return ALTERNATE in self.mode

    @property
    def takes_pastes(self) -> bool:
        return PASTE in self.mode

    @property
    def takes_mouse(self) -> bool:
        return MOUSE in self.mode

    @property
    def shows_cursor(self) -> bool:
        return CURSOR in self.mode

    def row_of(self, text: str) -> int:
        """The first row that holds `text`; -1 for none."""
        return next((y for y, row in enumerate(self.display) if text in row), -1)

    def style(self, x: int, y: int) -> str:
        """How a cell looks, in words; empty for plain."""
        return style_of(self.buffer[y][x])

    def style_at(self, text: str) -> str:
        """How the first place looks that reads `text`."""
        y = self.row_of(text)
        assert y >= 0, f"{text!r} is not there:\n{self.text}"
        before = self.display[y].partition(text)[0]
        return self.style(sum(max(0, wcwidth(char)) for char in before), y)


def style_of(char: Char) -> str:
    """The look of a character in words, as in "bold cyan on black"."""
    words = [
        word
        for word, is_on in (
            ("bold", char.bold),
            ("dim", char.blink),
            ("italic", char.italics),
            ("underline", char.underscore),
            ("strike", char.strikethrough),
            ("reverse", char.reverse),
        )
        if is_on
    ]
    if char.fg != "default":
        words.append(color(char.fg).replace("bright", "bright "))
    if char.bg != "default":
        words.append(f"on {color(char.bg).replace('bright', 'bright ')}")
    return " ".join(words)


def color(name: str) -> str:
    """A colour of pyte as others call it: "yellow", "brightred", or six hex digits."""
    for theirs, ours in COLORS.items():
        name = name.replace(theirs, ours)
    return name


# ---- keys ----------------------------------------------------------------------------------------

_NAMED = {
    "Enter": "\r",
    "Tab": "\t",
    "Shift+Tab": "\x1b[Z",
    "Esc": "\x1b",
    "Space": " ",
    "Backspace": "\x7f",
    "Delete": "\x1b[3~",
    "Insert": "\x1b[2~",
    "Up": "\x1b[A",
    "Down": "\x1b[B",
    "Right": "\x1b[C",
    "Left": "\x1b[D",
    "Home": "\x1b[H",
    "End": "\x1b[F",
    "PgUp": "\x1b[5~",
    "PgDn": "\x1b[6~",
    "F1": "\x1bOP",
    "F2": "\x1bOQ",
    "F3": "\x1bOR",
    "F4": "\x1bOS",
    "F5": "\x1b[15~",
    "F6": "\x1b[17~",
    "F7": "\x1b[18~",
    "F8": "\x1b[19~",
    "F9": "\x1b[20~",
    "F10": "\x1b[21~",
    "F11": "\x1b[23~",
    "F12": "\x1b[24~",
    "Alt+Right": "\x1b[1;3C",
    "Alt+Left": "\x1b[1;3D",
    "Alt+Up": "\x1b[1;3A",
    "Alt+Down": "\x1b[1;3B",
    "Alt+Home": "\x1b[1;3H",
    "Alt+End": "\x1b[1;3F",
    "Alt+Enter": "\x1b\r",
    "Ctrl+Right": "\x1b[1;5C",
    "Ctrl+Left": "\x1b[1;5D",
    "Ctrl+_": "\x1f",
}


def pressed(key: str) -> str:
    """What xterm sends for a key: "PgUp", "Alt+2", "Ctrl+N", or one character.

    Raises:
        KeyError: there is no such key.
    """
    if key in _NAMED:
        return _NAMED[key]
    if len(key) == 1:
        return key
    modifier, _, letter = key.partition("+")
    if modifier == "Alt" and len(letter) == 1:
        return f"\x1b{letter.lower()}"
    if modifier == "Ctrl" and len(letter) == 1 and letter.isalpha():
        return chr(ord(letter.upper()) - 64)
    raise KeyError(key)


def pasted(text: str) -> str:
    """What a terminal with bracketed paste sends for pasted text."""
    return f"\x1b[200~{text}\x1b[201~".replace("\n", "\r")


def clicked(x: int, y: int, button: int = 0) -> str:
    """A press and release of a mouse button on a cell, counted from 0; 64 and 65 are the wheel."""
    press = f"\x1b[<{button};{x + 1};{y + 1}M"
    return press if button >= 64 else f"{press}\x1b[<{button};{x + 1};{y + 1}m"
