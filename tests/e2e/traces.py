"""What processes left on disk: every file under a directory, read as bytes."""

from collections.abc import Iterable
from pathlib import Path

from node.core.types import small


def written_as(number: int) -> set[bytes]:
    """The ways in which a number may stand in a file: digits, bytes in either order, a varint."""
    rest, varint = number, bytearray()
    while rest > 0x7F:
        varint.append(rest & 0x7F | 0x80)
        rest >>= 7
    varint.append(rest)
    digits = {f"{number:016x}", f"{number:X}", str(number)}
    raw = {number.to_bytes(8, "big"), number.to_bytes(8, "little"), bytes(varint)}
    return {one.encode() for one in digits} | raw


def marks(texts: Iterable[str] = (), numbers: Iterable[int] = ()) -> dict[bytes, str]:
    """What is looked for, and what it stands for.  Small numbers say nothing and are refused."""
    found = {}
    for text in texts:
        found |= {text.encode(code): text for code in ("utf-8", "utf-16-le", "utf-16-be")}
    for number in numbers:
        assert number != small(number), f"{number} may stand anywhere"
        found |= dict.fromkeys(written_as(number), str(number))
    return found


def left_in(directory: Path, marks: dict[bytes, str], but: Iterable[Path] = ()) -> list[str]:
    """Where under `directory` one of the marks stands, in a name or in a file's bytes."""
    excepted, found = set(but), []
    for path in sorted(directory.rglob("*")):
        if path in excepted or path.is_dir() or path.is_socket():
            continue
        content = path.read_bytes()
        name = str(path.relative_to(directory)).encode()
        found += [f"{text!r} in {path}" for mark, text in marks.items() if mark in content]
        found += [f"{text!r} is in a name: {path}" for mark, text in marks.items() if mark in name]
    return found
