"""Verbs that ask the running node about a chat, or say something in one."""

import asyncio
import contextlib
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import DONE, BadField, Complaint, NodeDown, TooLong, Usage
from ..limits import TEXT_MAX
from .run import Run, wait

if TYPE_CHECKING:
    from ..happenings import Happening
    from ..words import Page

TAIL = 20  # lines, where it is not said how many


def _networks(run: Run) -> int:
    """`list`: of one NDS, or of all in use."""
    wanted = run.args.nds or [""]
    return max(run.ask("networks", nds=one) for one in wanted)


def _chat(query: str) -> Callable[[Run], int]:
    """A verb that only asks `query` about a chat."""
    return lambda run: run.ask(query, chat=run.args.chat)


# ---- send --------------------------------------------------------------------------------------


def _send(run: Run) -> int:
    """Stores each line, waits for its acknowledgements; the worst exit code of all."""
    return wait(_send_all(run))


async def _send_all(run: Run) -> int:
    from ..words import Kind, Wait
    from .render.tables import progress

    how = {"none": Wait.NONE, "leader": Wait.LEADER, "all": Wait.ALL}[run.args.wait]
    kind = Kind.ACTION if run.args.me else Kind.TEXT
    limit = max(1, round(run.settings.timeout * 1000))
    worst = DONE
    many = not run.args.text or run.args.text == ["-"]
    number = stored = 0
    async with run.client() as node:
        if many:
            await node.leader(run.args.chat)  # before stdin is read, which may have nothing to say
        async for number, raw in _texts(run):
            if not raw.strip():
                raise Usage(text="There is nothing to say: the text is blank.")
            try:
                told = node.send(
                    run.args.chat, _decoded(raw), kind=kind, wait=how, wait_ms=min(limit, 3_600_000)
                )
                sent = [one async for one in told]
            except (BadField, TooLong) as complaint:
                if not many:
                    raise
                run.output.note(f"line {number} is not sent: {complaint}")
                worst = max(worst, complaint.exit)
                continue
            except NodeDown:
                if stored:
                    before = f"lines stored before line {number}: {stored}"
                    run.output.note(f"{before}; those after it are not sent")
                raise
            if not sent:
                raise NodeDown(profile=run.places.profile)
            stored += 1
            worst = max(worst, run.output.answer(progress(sent[-1])))
        if not number:
            run.output.note("nothing to send: stdin has no line")
    return worst


async def _texts(run: Run) -> AsyncIterator[tuple[int, bytes]]:
    """The line of the arguments, or what stdin holds: a message for each line that is not blank,
    with its number, or one with --whole.
    """
    text = " ".join(run.args.text)
    if run.args.text and text != "-":
        yield 1, text.encode()
        return
    if run.args.whole:
        everything = await asyncio.to_thread(sys.stdin.buffer.read, TEXT_MAX + 1)
        if len(everything) > TEXT_MAX and (rest := await asyncio.to_thread(_rest)):
            raise TooLong(size=len(everything) + rest, limit=TEXT_MAX)
        yield 1, everything.removesuffix(b"\n")
        return
    number = 0
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        number += 1
        if line.strip():
            yield number, line.rstrip(b"\r\n")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        wrong = raw[error.start : error.end].hex(" ")
        raise BadField(field="text", text=f"must be UTF-8, not the bytes {wrong}") from error


def _rest() -> int:
    """How many bytes stdin still has; they are counted, and not kept."""
    counted = 0
    while piece := sys.stdin.buffer.read(2**20):
        counted += len(piece)
    return counted


# ---- tail and watch ----------------------------------------------------------------------------


def _tail(run: Run) -> int:
    """The last lines; with -f also those to come."""
    since = max(1, _now_ms() - run.args.since) if run.args.since else 0
    if run.args.export:
        return _exported(run, since)
    count = TAIL if run.args.n is None else run.args.n
    if run.args.follow:
        return wait(_follow(run, count, since))
    if run.args.events:
        run.output.note("events are told from now on, with -f: earlier ones are not kept")
    return run.ask("history", chat=run.args.chat, count=count, since_ms=since)


async def _follow(run: Run, count: int, since_ms: int) -> int:
    from ..happenings import ChangeEvent
    from ..words import Line
    from .queries import PAGE, read

    async with run.client() as node:
        shown: set[tuple[int, str]] = set()
        if count > PAGE:  # more than a stream begins with
            page = await read(node, run.args.chat, count=count, since_ms=since_ms)
            name = (await node.leader(run.args.chat)).chat
            _print_page(run, page, name)
            shown = {(line.source_id, line.msg_id) for line in page.lines}
        kinds = () if run.args.events else ("message", "change")
        stream = node.watch(run.args.chat, min(count, PAGE), kinds=kinds)
        async for happening in _reading(run, stream):
            what = happening.what
            if isinstance(what, Line):
                old = what.backlog and what.sent_ms < since_ms
                if old or (what.source_id, what.msg_id) in shown:
                    continue
            if isinstance(what, Line | ChangeEvent) or run.args.events:
                _print(run, happening)
    return DONE


def _exported(run: Run, since_ms: int) -> int:
    """Exports; what ends the program ends it after the unfinished file is gone.

    Raises:
        BadField: the flags do not fit together, or the file cannot be made.
        Complaint: it cannot be written.
    """
    args = run.args
    for flag, is_given in (("-f", args.follow), ("-n", args.n is not None)):
        if is_given:
            raise BadField(field="--export", text=f"cannot be given together with {flag}")
    if args.export == "-":
        text = "needs the name of a file; 'p2pchat tail --json -n 1000' writes lines to stdout"
        raise BadField(field="--export", text=text)
    told: list[signal.Signals] = []

    async def work() -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"

        def end(number: signal.Signals) -> None:
            told.append(number)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end, number)
        return await _export(run, since_ms)

    try:
        return wait(work())
    except asyncio.CancelledError:
        for number in told:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        raise


async def _export(run: Run, since_ms: int) -> int:
    """Writes all lines that the log has, in the clear, into a file of its owner's alone."""
    from ..words import Mode
    from .model.places import BEGINNING
    from .queries import PAGE
    from .render.records import dumped
    from .render.tables import history

    path, count, after = run.args.export, 0, BEGINNING
    async with run.client() as node:
        seen = await node.members(run.args.chat)
        if seen.mode == Mode.TRANSIENT:
            text = f"#{seen.chat} is transient: nothing of it is written to a disk"
            raise BadField(field="--export", text=text)
        with _new_file(path) as out:
            while after:
                page = await node.history(seen.chat, count=PAGE, after=after, since_ms=since_ms)
                for row in history(page, seen.chat, _now_ms()).rows:
                    out.write(dumped(row) + "\n")
                count, after = count + len(page.lines), page.after_cursor
    lines = "1 line" if count == 1 else f"{count:,} lines"
    run.output.note(f"{lines} of #{seen.chat} in {path}, which is not encrypted")
    return DONE


@contextlib.contextmanager
def _new_file(path: str) -> Iterator[TextIO]:
    """A file that was not there; gone again where it could not be written to its end."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise BadField(field="--export", text=f"{path} is there already: name another") from error
    except OSError as error:
        raise BadField(field="--export", text=f"{path} cannot be made: {error.strerror}") from error
    try:
        with open(descriptor, "w", encoding="utf-8") as out:
            yield out
    except BaseException as error:
        os.unlink(path)
        if isinstance(error, OSError) and error.strerror:
            raise Complaint(text=f"{path} cannot be written: {error.strerror}.") from error
        raise


def _print_page(run: Run, page: "Page", name: str) -> None:
    from .render.tables import history

    run.output.answer(history(page, name, _now_ms()))


def _print(run: Run, happening: "Happening") -> None:
    from ..words import Line
    from .render import notices, records

    what = happening.what
    if run.output.as_json:
        run.output.rows([records.event(happening)])
    elif isinstance(what, Line):
        run.output.lines(notices.message_lines(what, happening.chat, now_ms=_now_ms()))
    else:
        run.output.lines(notices.line_mode(happening))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _watch(run: Run) -> int:
    """Every happening as JSON, until the reader goes away."""
    return wait(_watch_all(run))


async def _watch_all(run: Run) -> int:
    from .render import records

    async with run.client() as node:
        with contextlib.suppress(TimeoutError):  # an end that was asked for
            async with asyncio.timeout(run.settings.timeout if run.flag("timeout") else None):
                stream = node.watch(run.args.chat, run.args.history)
                async for happening in _reading(run, stream):
                    run.output.rows([records.event(happening)])
    return DONE


async def _reading(
    run: Run, stream: AsyncIterator["Happening"]
) -> AsyncGenerator["Happening", None]:
    """The node's happenings; ends when whoever reads our stdout has gone.

    Raises:
        NodeDown: the node has ended.
    """
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    out = sys.stdout.fileno()
    piped = stat.S_ISFIFO(os.fstat(out).st_mode)
    if piped:  # of a pipe that we write to, only its breaking is ever "read"
        loop.add_reader(out, gone.set)
    broken = asyncio.ensure_future(gone.wait())
    try:
        while True:
            coming: asyncio.Future[Happening | None] = asyncio.ensure_future(anext(stream, None))
            either: list[asyncio.Future[Any]] = [coming, broken]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                return
            happening = coming.result()
            if happening is None:
                raise NodeDown(profile=run.places.profile)
            yield happening
    finally:
        broken.cancel()
        if piped:
            loop.remove_reader(out)


def _invite(run: Run) -> int:
    from .flags import NEVER

    args = run.args
    if args.list:
        return run.ask("invites", chat=args.chat)
    if args.revoke:
        return run.ask("revoke", chat=args.chat, id=args.revoke)
    lasting = args.expires == NEVER
    expires_s = 0 if lasting else args.expires // 1_000
    return run.ask("invite", chat=args.chat, once=args.once, expires_s=expires_s, lasting=lasting)


def _password(run: Run) -> int:
    """Sets the password of a chat, or takes it away."""
    from ..words import PasswordKey
    from . import passwords

    chat, key = run.args.name or run.args.chat, PasswordKey()
    if not run.args.none:
        password = passwords.chosen(run, asyncio.run(_names(run, chat)))
        key = asyncio.run(passwords.key_of(password))
    return run.ask("password", chat=chat, password=key)


async def _names(run: Run, chat: str) -> list[str]:
    """Those of the chat and of oneself, which everybody would guess."""
    async with run.client() as node:
        found, nick = await node.members(chat), (await node.status()).nick
    return [found.chat, nick, *(one.nick for one in found.members if one.self)]


def _rights(run: Run) -> int:
    from ..errors import Usage

    args = run.args
    if args.right and not args.value:
        raise Usage(text=f"Who may? For example: p2pchat rights {args.right} admins, or all")
    return run.ask("rights", chat=args.chat, right=args.right or "", value=args.value or "")


def _decide(act: str) -> Callable[[Run], int]:
    return lambda run: run.ask("decide", chat=run.args.chat, act=act, member=run.args.member)


VERBS: dict[str, Callable[[Run], int]] = {
    **{act: _decide(act) for act in ("kick", "ban", "unban", "op", "deop", "owner")},
    "rights": _rights,
    "leave": lambda run: run.ask("leave", chat=run.args.name or run.args.chat),
    "list": _networks,
    "search": lambda run: run.ask("search", chat=run.args.chat, text=" ".join(run.args.text)),
    "members": lambda run: run.ask("members", chat=run.args.chat, everyone=run.args.all),
    "ping": lambda run: run.ask("ping", chat=run.args.chat, member=run.args.member),
    "edit": lambda run: run.ask(
        "edit", chat=run.args.chat, id=run.args.id, text=" ".join(run.args.text)
    ),
    "redact": lambda run: run.ask("redact", chat=run.args.chat, id=run.args.id),
    "trace": lambda run: run.ask("trace", chat=run.args.chat, id=run.args.id),
    "election": lambda run: run.ask(
        "challenge" if run.args.start else "elections", chat=run.args.chat
    ),
    "leader": _chat("leader"),
    "invite": _invite,
    "password": _password,
    "unread": _chat("unread"),
    "peers": _chat("peers"),
    "check": _chat("check"),
    "send": _send,
    "tail": _tail,
    "watch": _watch,
}
