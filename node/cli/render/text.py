"""Text that is safe to print, and the forms of numbers and instants.

What others wrote is hostile: no ESC, no C0, no C1 ever reaches a terminal; names lose bidi controls
and invisible characters too, so that nobody looks like somebody else.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ...core.types import small

_DROPPED = {code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if code not in (9, 10)}
_BREAKS = dict.fromkeys((0x2028, 0x2029), "\n")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str) -> str:
    """Message text without control characters; line breaks and tabs stay, as newline and blanks."""
    text = text.replace("\r\n", "\n").translate(_BREAKS).translate(_DROPPED).expandtabs(8)
    return text.encode("utf-8", "replace").decode("utf-8")


def clean_line(text: str) -> str:
    """The same, on one line."""
    return " ".join(clean(text).split("\n"))


def clean_name(name: str) -> str:
    """A nick or chat name without anything that cannot be seen."""
    return "".join(char for char in name if unicodedata.category(char) not in _UNSEEN)


def who(nick: str, member: int) -> str:
    """Alice (id 1)"""
    return f"{clean_name(nick) or '?'} (id {small(member)})"


def several(names: Iterable[str]) -> str:
    """a, b and c"""
    *front, last = names
    return f"{', '.join(front)} and {last}" if front else last


def clock(at_ms: int, now_ms: int = 0) -> str:
    """Local time of day; the date before it when that is not the day of `now_ms`."""
    at = datetime.fromtimestamp(at_ms / 1000)
    if now_ms and at.date() != datetime.fromtimestamp(now_ms / 1000).date():
        return f"{at:%Y-%m-%d %H:%M:%S}"
    return f"{at:%H:%M:%S}"


def iso(at_ms: int) -> str | None:
    """UTC with milliseconds and Z, for programs; None for 0, which means never."""
    if not at_ms:
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


def counted(count: int, one: str, many: str = "") -> str:
    """1 message, 2 messages"""
    return f"{count} {one if count == 1 else many or one + 's'}"


def width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


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
