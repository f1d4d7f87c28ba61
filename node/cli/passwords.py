"""Passwords as people give them: typed where nobody sees them, or in a file that nobody else reads.

Here what a node is told is made of them; they go no further than this process.
"""

import asyncio
import os
import select
import signal
import stat
import sys
import termios
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from ..core.access import Terms
from ..errors import BadField, NeedsPassword, OpenPassword, Usage, WeakPassword
from ..trust.passwords import drawn, fault, seed_of
from ..words import Admitted, PasswordKey

if TYPE_CHECKING:
    from .client import Client
    from .run import Run

Ask: TypeAlias = Callable[[str], Awaitable[str]]  # what is asked; empty where none was given

FILE_MAX = 4_096  # bytes
CHANGES_MAX = 3  # of the password, while one joins by it


class NoneGiven(NeedsPassword):
    """#{chat} asks for a password, and none was given, so you are not in it. /join asks again; a
    line from somebody who is in it needs none.
    """

    reason = "NO_PASSWORD_GIVEN"


# ---- what is given -------------------------------------------------------------------------------


def from_file(path: str) -> str:
    """The one line of a file, or (-) of stdin.

    Raises:
        OpenPassword: others can read it.
        BadField: there is no such line.
    """
    if path == "-":
        return _line(_first_line(sys.stdin.fileno()), "stdin")
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes to is empty
        try:
            found = os.fstat(file)
            if not (stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode)):
                text = f"{path} is neither a file nor a pipe"
                raise BadField(field="password-file", text=text)
            if found.st_mode & 0o077:
                raise OpenPassword(file=path, mode=f"{stat.S_IMODE(found.st_mode):04o}")
            return _line(_all(file), path)
        finally:
            os.close(file)
    except OSError as error:
        raise BadField(field="password-file", text=f"{path}: {error.strerror}") from error


def _all(file: int) -> bytes:
    """What a file holds, or what is written to a pipe until its end; of too much, a part."""
    held = b""
    while len(held) <= FILE_MAX:
        try:
            more = os.read(file, FILE_MAX + 1)
        except BlockingIOError:  # somebody is to write to that pipe yet
            select.select([file], [], [])
            continue
        if not more:
            break
        held += more
    return held


def _first_line(file: int) -> bytes:
    """Up to the end of a line, and nothing of the next one."""
    line = b""
    while len(line) <= FILE_MAX and (char := os.read(file, 1)) not in (b"", b"\n"):
        line += char
    return line


def _line(raw: bytes, where: str) -> str:
    lines = raw.removesuffix(b"\n").removesuffix(b"\r").split(b"\n")
    if len(lines) != 1 or not lines[0] or len(raw) > FILE_MAX:
        text = f"{where} must hold one line with the password, of at most {FILE_MAX} bytes"
        raise BadField(field="password-file", text=text)
    try:
        return lines[0].decode()
    except UnicodeDecodeError as error:
        raise BadField(field="password-file", text=f"{where} is not UTF-8") from error


@contextmanager
def unseen(terminal: int, ask: Callable[[], None]) -> Iterator[None]:
    """Asks; what is typed meanwhile is not shown.  Shells show what is typed again where the
    program was stopped (Ctrl+Z): when it goes on, that ends, and it asks anew.
    """
    before = termios.tcgetattr(terminal)

    def hide(*_: object) -> None:
        quiet = termios.tcgetattr(terminal)
        quiet[3] = quiet[3] & ~termios.ECHO | termios.ECHONL
        termios.tcsetattr(terminal, termios.TCSADRAIN, quiet)
        ask()

    usual = signal.signal(signal.SIGCONT, hide)
    try:
        hide()
        yield
    finally:
        signal.signal(signal.SIGCONT, usual or signal.SIG_DFL)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


async def typed(asked: str) -> str:
    """A line from the terminal on stdin, unseen; the loop goes on meanwhile.

    Raises:
        Usage: none was typed.
    """
    loop, terminal = asyncio.get_running_loop(), sys.stdin.fileno()
    came: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        if not came.done():
            came.set_result(os.read(terminal, FILE_MAX))

    def ask() -> None:
        print(f"{asked}: ", end="", file=sys.stderr, flush=True)

    with unseen(terminal, ask):
        loop.add_reader(terminal, read)
        try:
            line = (await came).decode("utf-8", "replace").rstrip("\r\n")
        finally:
            loop.remove_reader(terminal)
    if not line:
        raise Usage(text="no password was given")
    return line


def given(run: "Run") -> str | None:
    """The password that the flags of a verb give; None where they speak of none.

    Raises:
        Usage: it is to be typed, and there is no terminal.
        Complaint: the file has none.
    """
    if path := run.flag("password_file"):
        return from_file(path)
    if not run.flag("password"):
        return None
    need_terminal()
    return asyncio.run(typed("password"))


def need_terminal() -> None:
    """Raises Usage where nothing can be typed."""
    if not sys.stdin.isatty():
        where = "there is no terminal to ask on: name a file that has the password, or - for stdin"
        raise Usage(text=f"{where}, with --password-file")


def chosen(run: "Run", names: Iterable[str]) -> str:
    """A new password: of the file that the flags name, or typed twice.

    Raises:
        WeakPassword: it is easily guessed.
        Usage: it is to be typed, and there is no terminal, or the two are not the same.
        Complaint: the file has none.
    """
    if path := run.flag("password_file"):
        password = from_file(path)
        check(password, names)
        return password
    need_terminal()

    async def twice() -> str:
        first = await typed("new password")
        check(first, names)
        if first != await typed("the same again"):
            raise Usage(text="these were two different passwords; nothing was changed")
        return first

    return asyncio.run(twice())


def check(password: str, names: Iterable[str]) -> None:
    """Raises WeakPassword."""
    if why := fault(password, names):
        raise WeakPassword(text=why)


# ---- what a node is told -------------------------------------------------------------------------


async def key_of(password: str, terms: Terms | None = None) -> PasswordKey:
    """What stands for a password, on these terms; None: on new ones."""
    terms = terms or drawn()
    seed = await asyncio.to_thread(seed_of, password, terms)
    return PasswordKey(terms.salt, terms.log_n, terms.r, terms.p, seed)


async def join(
    node: "Client", line: str, nds: str, nick: str, password: str | None, asks: Ask | None
) -> Admitted:
    """Joins; where a password is asked for, by this one, or the one that `asks` gives.

    Raises:
        NeedsPassword: there is none.
        Complaint: the node refuses, or is not there.
    """
    key, by_password = PasswordKey(), password is not None
    for _ in range(CHANGES_MAX):
        try:
            return await node.join(line, nds, nick, by_password, key)
        except NeedsPassword as needs:
            terms = Terms.of(needs.facts)
            if password is None and asks is not None:
                password = await asks(f"password of #{needs.facts.get('chat', '')}") or None
                if password is None:
                    raise NoneGiven(chat=needs.facts.get("chat", "")) from needs
            if password is None or terms is None:
                raise
            key, by_password = await key_of(password, terms), True
    return await node.join(line, nds, nick, by_password, key)
