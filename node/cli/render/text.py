"""Text that is safe to print, its width, and the forms of numbers and instants.

What others wrote is hostile.  No ESC, no C0 and no C1 ever reaches a terminal, and nothing that
turns the order of characters around, hides, piles up or has another width there than here; names
lose more, so that nobody looks like somebody else.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from ...core.types import small
from ...words import Chat, Line

MARKS_MAX = 2  # combining marks that a character may carry
UNKNOWN = "\ufffd"  # stands for what has no agreed shape

# Letters and marks that are drawn as nothing: fillers, variation selectors.
_IGNORABLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0000, 0xE1000),
        ),
    )
)
# Skin tones and the letters of flags: terminals disagree on how wide they are beside another.
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)


class _Shown(dict[int, str | None]):
    """What is shown for a character of a text; of each that was met, for `str.translate`."""

    def __missing__(self, code: int) -> str | None:
        shown = self[code] = self._shown(code)
        return shown

    @staticmethod
    def _shown(code: int) -> str | None:
        char = chr(code)
        if code in _SKIN_TONES or char in _IGNORABLE:
            return None
        if code in _FLAG_LETTERS:
            return chr(ord("A") + code - _FLAG_LETTERS[0])
        match unicodedata.category(char):
            case "Cc":
                return char if char in "\n\t" else None
            case "Cf":
                return None
            case "Zl" | "Zp":
                return "\n"
            case "Zs":
                return " " * width(char)
            case "Cs" | "Co" | "Cn":
                return UNKNOWN
            case _:
                return char


class _Widths(dict[str, int]):
    """Columns of each character that was met; the tables are loaded for the first one that needs
    them, since they cost more than the whole of --help.
    """

    def __missing__(self, char: str) -> int:
        from wcwidth import wcwidth

        columns = self[char] = max(0, wcwidth(char))
        return columns


_SHOWN = _Shown()
_WIDTHS = _Widths()
widths = _WIDTHS.__getitem__  # columns of one character


def width(text: str) -> int:
    """Columns that `text` takes on a terminal: character by character, as prompt_toolkit counts."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(map(widths, text))


def cells(text: str) -> Iterator[tuple[str, int]]:
    """The cells of a clean text: each character with the marks upon it, and its columns."""
    held, columns = "", 0
    for char in text:
        wide = widths(char)
        if wide or not held:
            if held:
                yield held, columns
            held, columns = char, wide
        else:
            held += char
    if held:
        yield held, columns


def clean(text: str) -> str:
    """Message text that a terminal only shows; line breaks and tabs stay, as newline and blanks."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").translate(_SHOWN).expandtabs(8)
    return text if text.isascii() else _thinned(text)


def _thinned(text: str) -> str:
    """No more marks than MARKS_MAX upon a character, and none upon a blank or nothing."""
    if 0 not in map(widths, text):
        return text
    kept = []
    marks = MARKS_MAX
    for char in text:
        if char in " \n":
            marks = MARKS_MAX
        elif widths(char):
            marks = 0
        elif marks == MARKS_MAX:
            continue
        else:
            marks += 1
        kept.append(char)
    return "".join(kept)


def clean_line(text: str) -> str:
    """The same, on one line."""
    return clean(text).replace("\n", " ")


def clean_name(name: str) -> str:
    """A nick or chat name without anything that cannot be seen; blanks become visible."""
    shown = clean_line(name)
    if shown.isascii() and " " not in shown:
        return shown
    return shown.replace(UNKNOWN, "").replace(" ", "_")


def shown_nick(nick: str) -> str:
    """A nick where it stands alone: one that is the face's own word is set apart from that."""
    name = clean_name(nick)
    plain = any(map(str.isalnum, name)) and name.casefold() != "you"
    return name if plain else f"<{name or '?'}>"


def shown_text(line: Line) -> str:
    """What stands where a line was said."""
    if line.erased:
        return f"[redacted by {shown_nick(line.redacted_by)}]" if line.redacted_by else "[erased]"
    return f"{line.text} (edited)" if line.edited else line.text


def who(nick: str, member: int) -> str:
    """Alice (id 1)"""
    return f"{shown_nick(nick) if nick else '?'} (id {small(member)})"


def spelled(chat: Chat, every: Sequence[Chat]) -> str:
    """#name, and what tells it from another of that name: its NDS, or where that is one its number;
    so `-c` takes it.
    """
    alike = [one.nds for one in every if one.name == chat.name]
    name = f"#{clean_name(chat.name)}"
    if len(alike) == 1:
        return name
    alone = chat.nds and alike.count(chat.nds) == 1
    return f"{name}@{chat.nds}" if alone else chat_number(chat.chat_id)


def called_there(chat: Chat, nick: str) -> str:
    """What one is called in a chat, where that is not the nick that one has for chats to come."""
    return f" as {clean_name(chat.nick)}" if chat.nick not in ("", nick) else ""


def places(chats: Sequence[Chat], nick: str) -> str:
    """Chats, with what one is called where that is something else."""
    return " ".join(f"{spelled(chat, chats)}{called_there(chat, nick)}" for chat in chats)


def several(names: Iterable[str]) -> str:
    """a, b and c"""
    *front, last = names
    return f"{', '.join(front)} and {last}" if front else last


def moment(at_ms: int) -> datetime | None:
    """Local time; None for what no calendar has, since clocks of others may say anything."""
    try:
        return datetime.fromtimestamp(at_ms / 1000)
    except (OverflowError, ValueError, OSError):
        return None


def clock(at_ms: int, now_ms: int = 0) -> str:
    """Local time of day; the date before it when that is not the day of `now_ms`."""
    at = moment(at_ms)
    if at is None:
        return "--:--:--"
    now = moment(now_ms) if now_ms else None
    if now and at.date() != now.date():
        return f"{at:%Y-%m-%d %H:%M:%S}"
    return f"{at:%H:%M:%S}"


def iso(at_ms: int) -> str | None:
    """UTC with milliseconds and Z, for programs; None for 0, which means never."""
    if not at_ms or moment(at_ms) is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def seconds(ms: int) -> str:
    """0.9 s below ten seconds, whole ones above, hundredths below a tenth."""
    if ms < 100:
        return f"{ms / 1000:.2f} s"
    return f"{ms / 1000:.1f} s" if ms < 9_950 else f"{round(ms / 1000)} s"


def duration(ms: int) -> str:
    """How long ago: 40s, 5m, 3h, 2d."""
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if ms >= 2 * length:
            return f"{ms // length}{unit}"
    return f"{max(0, ms) // 1000}s"


def round_trip(us: int) -> str:
    """0.8 ms"""
    return f"{us / 1000:.1f} ms"


def chat_number(chat_id: int) -> str:
    """A chat's number for people: 16 hex digits."""
    return f"{chat_id:016x}"


def beginning(texts: Sequence[str]) -> str:
    """What all of them begin with."""
    first, last = min(texts), max(texts)
    same = next(
        (at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None
    )
    return first[:same] if same is not None else first


def counted(count: int, one: str, many: str = "") -> str:
    """1 message, 2 messages"""
    return f"{count} {one if count == 1 else many or one + 's'}"


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> tuple[str, ...]:
    """Columns of text; nothing where there are no rows."""
    if not rows:
        return ()
    every = [list(head), *map(list, rows)] if head else list(map(list, rows))
    sizes = [max(width(row[i]) for row in every) for i in range(len(every[0]))]
    return tuple(
        "  ".join(
            cell + " " * (size - width(cell)) for cell, size in zip(row, sizes, strict=True)
        ).rstrip()
        for row in every
    )
