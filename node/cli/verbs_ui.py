"""Verbs that may stay: host, join and create, and chatting itself.

With a terminal, host and join go on into the app; with --no-ui, and where there is no terminal,
they leave a background node and return.  Where no node runs, a face that stays runs it itself.
Line mode takes the app's place where a terminal cannot show it, or with --plain.
"""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .. import background
from ..errors import DONE, Complaint, NameTaken, NdsUnreachable, NoNds, Usage
from ..limits import split_address
from ..names import is_everywhere, is_loopback, join_address, own_hosts, route_to
from ..words import PasswordKey
from . import passwords, verbs_node
from .output import Output, wants_color
from .run import Run, wait

if TYPE_CHECKING:
    from .client import Client
    from .render.tables import Answer

ENTERING = ("host", "create", "join")  # whose --nick is that of the chat

First = Callable[["Client"], Awaitable["Answer"]]


def _stays(run: Run) -> bool:
    """Whether the verb goes on into a conversation."""
    if run.flag("no_ui") or run.output.as_json:
        return False
    return bool(run.flag("plain") or (sys.stdin.isatty() and sys.stdout.isatty()))


def _host(run: Run) -> int:
    name = run.args.name.removeprefix("#")
    password = None
    if run.flag("password") or run.flag("password_file"):
        password = passwords.chosen(run, (name, run.config.nick))

    async def first(node: "Client") -> "Answer":
        key = await passwords.key_of(password) if password is not None else PasswordKey()
        return await _make(run, node, name, key)

    return _enter(run, first, name)


async def _make(run: Run, node: "Client", name: str, key: PasswordKey) -> "Answer":
    """Makes the chat, with an NDS of our own where none answers; again is harmless."""
    nds = ",".join(run.flag("nds") or ())
    try:
        return await _made(run, node, name, key, nds)
    except (NoNds, NdsUnreachable) as silent:
        pid, own = background.own_nds(run.places)
        silent_at = silent.facts["address"]
        if isinstance(silent, NdsUnreachable) and (pid or not _is_at(silent_at, own)):
            raise
        plain = not (await node.calls(1)).keys
        return await _made(run, node, name, key, _start_nds(run, own, insecure=plain))


def _is_at(address: str, own: str) -> bool:
    """Whether who calls `address` gets to what listens on this machine at `own`; "" is nowhere."""
    if not own or address == own:
        return address == own
    (host, port), (bound, own_port) = split_address(address), split_address(own)
    return is_everywhere(bound) and port == own_port and route_to(address) == host


async def _made(run: Run, node: "Client", name: str, key: PasswordKey, nds: str) -> "Answer":
    from .queries import ask

    wanted = {
        "nick": run.flag("nick", ""),
        "transient": run.flag("transient", False),
        "is_open": run.flag("open", False),
        "hides_history": run.flag("history", "all") == "none",
    }
    try:
        made = await ask(node, "create", name=name, nds=nds, password=key, **wanted)
        run.output.note(*_passed_over(run.settings.nds, made))
        return made
    except NameTaken as taken:
        at = taken.facts.get("nds")
        for chat in (await node.status()).chats:
            if chat.name == name and chat.nds == at:
                same = "; 'p2pchat password' changes its password" if key != PasswordKey() else ""
                answer = await ask(node, "hosted", chat=f"{chat.chat_id:016x}", **wanted)
                run.output.note(f"you are in #{name} already{same}")
                return answer
        raise


def _passed_over(addresses: Sequence[str], made: "Answer") -> list[str]:
    """A line for each NDS that stands before the one at which a chat was made."""
    at = str(made.rows[0]["join"]).rpartition("/")[0]
    silent = addresses[: addresses.index(at)] if at in addresses else ()
    return [f"no NDS answers at {one}; the chat was made at {at}" for one in silent]


def _start_nds(run: Run, before: str, *, insecure: bool) -> str:
    """Starts this profile's own NDS, where it was `before`; its address as others call it.

    `insecure`: its connections are plain, as the node's are.
    """
    host, port = split_address(before or run.config.nds_listen)
    is_said = run.config.sources["listen"] not in ("default", "profile")
    said = split_address(run.config.listen)[0] if is_said else "0.0.0.0"  # noqa: S104  it is told
    if not before and run.config.sources["nds_listen"] == "default" and not insecure:
        host = said
    run.places.make()
    address = background.start_nds(run.places, join_address(host, port), insecure=insecure)
    run.output.note(
        f"no NDS answered, so one was started at {address} (log {run.places.nds_log});"
        " 'p2pchat down --all' ends it"
    )
    bound, port = split_address(address)
    if not is_everywhere(bound):
        return address
    return join_address(said if not is_everywhere(said) else _own_host(run), port)


def _own_host(run: Run) -> str:
    """The address by which others are to call this machine; says where that is not plain."""
    first, *others = own_hosts() or ("127.0.0.1",)
    if is_loopback(join_address(first, 1)):
        run.output.note(
            "no address of this machine but 127.0.0.1 was found: only this machine can join by"
            " that line; 'p2pchat down --all' and --listen HOST take another address"
        )
    elif others:
        run.output.note(
            f"others are to call {first}; this machine has {', '.join(others)}, too:"
            " 'p2pchat down --all' and --listen HOST take another address"
        )
    return first


def _create(run: Run) -> int:
    run.args.no_ui = True
    return _host(run)


def _join(run: Run) -> int:
    password = passwords.given(run)

    async def first(node: "Client") -> "Answer":
        from .queries import ask

        return await ask(
            node,
            "join",
            line=run.args.line,
            nds=",".join(run.flag("nds") or ()),
            nick=run.flag("nick", ""),
            password=password,
            asks=passwords.typed if sys.stdin.isatty() else None,
        )

    name = run.args.line.rpartition("/")[2].removeprefix("#").partition("#")[0].partition("@")[0]
    return _enter(run, first, name)


def _enter(run: Run, first: First, name: str) -> int:
    if _stays(run):
        return wait(_talk(run, first, name))

    async def work() -> int:
        async with run.client() as node:
            return run.output.answer(await first(node))

    status, already = verbs_node.ensure(run, nick_later=True)
    if not already:
        run.output.note(*verbs_node.news(status, already))
    try:
        return wait(work())
    except Complaint:
        if not already:  # the next try may want another --listen, which counts at the start
            verbs_node.stop(run)
        raise


def _chat(run: Run) -> int:
    """No verb: every chat of the profile, here."""
    if run.output.as_json:
        raise Usage(text="--json needs a verb; 'p2pchat watch' tells all that happens")
    return wait(_talk(run, None, ""))


async def _talk(run: Run, first: First | None, name: str) -> int:
    """A conversation: on the whole screen where there is one, else in line mode."""
    owns_node = not run.is_up()
    if not has_screen(run):
        async with _node(run, owns_node) as node:
            return await _talk_in_lines(run, node, first, name)
    plain, run.output = run.output, _Gathered(run.output)
    said = run.output.said
    if first is None and owns_node:  # the screen comes at once, and the node behind it
        return await _app(run, None, "", said, owns_node=True)
    try:
        async with _node(run, owns_node) as node:
            chat: int | str = name
            if first is not None:
                answer = await first(node)
                if (code := run.output.answer(answer)) != DONE:
                    plain.note(*said)
                    return code
                chat = _number(answer) or name
            return await _app(run, node, chat, said, owns_node=owns_node)
    except Complaint:
        plain.note(*said)
        raise


async def _talk_in_lines(run: Run, node: "Client", first: First | None, name: str) -> int:
    from .line import LineMode
    from .settings import Keeper

    if first is not None and (code := run.output.answer(await first(node))) != DONE:
        return code
    obeys = sys.stdin.isatty() or run.args.commands
    run.output.color = wants_color(run.config.color)
    keeper = Keeper(run.places, run.config, run.reread) if sys.stdin.isatty() else None
    return await LineMode(node, run.output, commands=obeys, keeper=keeper).run(name)


def _number(answer: "Answer") -> int:
    """The number of the chat that an answer is about; 0 where it does not say."""
    found = [row["chat_id"] for row in answer.rows if "chat_id" in row]
    return int(str(found[0]), 16) if found else 0


async def _app(
    run: Run, node: "Client | None", chat: int | str, said: Sequence[str], *, owns_node: bool
) -> int:
    """The full screen, with what was said so far as its first lines; without a node it opens one
    in this process.
    """
    from .app import Setup
    from .app import run as run_app
    from .settings import Keeper

    run.places.make()  # the log's directory
    keeper = Keeper(run.places, run.config, run.reread)
    setup = Setup(
        log=run.places.state / "app.log",
        chat=chat,
        greeting=(*keeper.complaints, *said),
        keeper=keeper,
        color=wants_color(run.config.color),
        owns_node=owns_node,
        opens=(lambda: _node(run, True)) if node is None else None,
    )
    return await run_app(node, setup)


def has_screen(run: Run) -> bool:
    """Whether the terminal can show the app, and it is wanted."""
    able = os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    return able and not run.flag("plain") and sys.stdin.isatty() and sys.stdout.isatty()


class _Gathered(Output):
    """Keeps what is said, for a screen that is still to come."""

    def __init__(self, before: Output) -> None:
        super().__init__(before.as_json, before.quiet)
        self.said: list[str] = []

    def lines(self, lines: Iterable[str]) -> None:
        self.said.extend(lines)

    def note(self, *lines: str) -> None:
        self.said.extend(lines)


@asynccontextmanager
async def _node(run: Run, own: bool) -> "AsyncIterator[Client]":
    """The running node, or one of our own in this process that ends with the face."""
    if not own:
        async with run.client() as client:
            yield client
        return
    import asyncio
    import signal

    from ..control.running import refuse_to_sleep, running

    async with running(run.places, run.config, nick_later=run.args.verb in ENTERING) as node:
        loop = asyncio.get_running_loop()

        def obey() -> None:
            loop.add_signal_handler(signal.SIGTSTP, refuse_to_sleep)
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, node.ended.set)

        if not isinstance(run.output, _Gathered):  # else the screen has handlers of its own
            obey()
        async with run.client() as client:
            try:
                yield client
            finally:
                obey()


VERBS: dict[str, Callable[[Run], int]] = {
    "host": _host,
    "create": _create,
    "join": _join,
    "chat": _chat,
}
