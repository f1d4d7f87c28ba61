"""Verbs that ask the running node about a chat, or say something in one."""

import asyncio
import os
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from ..errors import DONE, NodeDown, TooLong, Usage
from ..limits import TEXT_CEILING
from .run import Run, wait

if TYPE_CHECKING:
    from ..happenings import Happening
    from .client import Client


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
    limit = max(1, round(run.config.timeout * 1000))
    worst = DONE
    async with run.client() as node:
        async for text in _texts(run):
            wait_ms = min(limit, 3_600_000)
            sent = [
                one
                async for one in node.send(
                    run.args.chat, text, kind=kind, wait=how, wait_ms=wait_ms
                )
            ]
            if not sent:
                raise NodeDown(profile=run.places.profile)
            worst = max(worst, run.output.answer(progress(sent[-1])))
    return worst


async def _texts(run: Run) -> AsyncIterator[str]:
    """The line of the arguments, or what stdin holds: a message a line, or one with --whole."""
    text = " ".join(run.args.text)
    if run.args.text and text != "-":
        yield text
        return
    if run.args.whole:
        everything = await asyncio.to_thread(sys.stdin.buffer.read, TEXT_CEILING + 1)
        if len(everything) > TEXT_CEILING:
            size = f"more than {TEXT_CEILING} bytes"
            raise TooLong(field="text", size=size, limit=f"{TEXT_CEILING} bytes at most")
        yield everything.decode("utf-8", "replace").removesuffix("\n")
        return
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        if text := line.decode("utf-8", "replace").rstrip("\r\n"):
            yield text


# ---- tail and watch ----------------------------------------------------------------------------


def _tail(run: Run) -> int:
    """The last lines; with -f also those to come."""
    since = time.time_ns() // 1_000_000 - run.args.since if run.args.since else 0
    if run.args.follow:
        return wait(_follow(run, since))
    if run.args.events:
        raise Usage(text="--events needs -f: what happened before is not kept")
    if run.args.n == 0:
        return run.ask("history", chat=run.args.chat, count=0)
    return run.ask("history", chat=run.args.chat, count=run.args.n, since_ms=since)


async def _follow(run: Run, since_ms: int) -> int:
    from .queries import read

    async with run.client() as node:
        name = (await node.leader(run.args.chat)).chat
        # What comes while the past is read waits in the stream; the past is told apart by its ids.
        stream = node.watch(run.args.chat)
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        page = await read(node, run.args.chat, count=run.args.n, since_ms=since_ms)
        shown = {(line.source_id, line.msg_id) for line in page.lines}
        _tell_lines(run, page, name)
        happening = await first
        while True:
            _tell(run, happening, shown)
            happening = await anext(stream)


def _tell_lines(run: Run, page: object, name: str) -> None:
    from ..words import Page
    from .render.tables import history

    if isinstance(page, Page):
        run.output.answer(history(page, name, time.time_ns() // 1_000_000))


def _tell(run: Run, happening: "Happening", shown: set[tuple[int, str]]) -> None:
    from ..words import Line
    from .render import notices, records

    what = happening.what
    if isinstance(what, Line):
        if (what.source_id, what.msg_id) in shown:
            return
    elif not run.args.events:
        return
    if run.output.as_json:
        run.output.rows([records.event(happening)])
    else:
        run.output.lines(notices.line_mode(happening, own=""))


def _watch(run: Run) -> int:
    """Every happening as JSON, until the reader goes away."""
    return wait(_watch_all(run))


async def _watch_all(run: Run) -> int:
    from .render import records

    async with run.client() as node:
        async for happening in _reading(run, node):
            run.output.rows([records.event(happening)])
    return DONE


async def _reading(run: Run, node: "Client") -> AsyncIterator["Happening"]:
    """The node's happenings; ends when whoever reads our stdout has gone."""
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    out = sys.stdout.fileno()
    piped = stat.S_ISFIFO(os.fstat(out).st_mode)
    if piped:  # of a pipe that we write to, only its breaking is ever "read"
        loop.add_reader(out, gone.set)
    broken = asyncio.ensure_future(gone.wait())
    stream = node.watch(run.args.chat, run.args.history)
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
                return
            yield happening
    finally:
        broken.cancel()
        if piped:
            loop.remove_reader(out)


VERBS: dict[str, Callable[[Run], int]] = {
    "leave": lambda run: run.ask("leave", chat=run.args.name or run.args.chat),
    "list": _networks,
    "search": lambda run: run.ask("search", chat=run.args.chat, text=" ".join(run.args.text)),
    "members": lambda run: run.ask("members", chat=run.args.chat, everyone=run.args.all),
    "ping": lambda run: run.ask("ping", chat=run.args.chat, member=run.args.member),
    "trace": lambda run: run.ask("trace", chat=run.args.chat, id=run.args.id),
    "election": lambda run: run.ask(
        "challenge" if run.args.start else "elections", chat=run.args.chat
    ),
    "leader": _chat("leader"),
    "invite": _chat("invite"),
    "unread": _chat("unread"),
    "peers": _chat("peers"),
    "check": _chat("check"),
    "send": _send,
    "tail": _tail,
    "watch": _watch,
}
