"""A node as a process: lock, identity, log, groups and control socket, until it is told to stop."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Iterator

from .. import logs, profile
from ..config import Config
from ..errors import DONE, OTHER, starting
from ..host.nodes import Node
from ..places import Places
from ..service import build_server
from ..trust import certificates, keys
from .service import ControlService

FILES_MAX = 16_384

_log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def running(
    places: Places, config: Config, kind: type[Node] = Node, *, nick_later: bool = False
) -> AsyncIterator[Node]:
    """A node that serves its control socket; stopped, leadership handed over, at the end.

    `nick_later`: the profile gets the nick with the first chat that is logged.

    Raises:
        Complaint: the profile is in use, a file is unreadable, the port is taken.
    """
    async with contextlib.AsyncExitStack() as stack:
        with starting():
            node = await _started(places, config, kind, nick_later, stack)
        yield node


async def _started(
    places: Places,
    config: Config,
    kind: type[Node],
    nick_later: bool,
    stack: contextlib.AsyncExitStack,
) -> Node:
    """The node, all of it on the stack."""
    places.make()
    lock = profile.Lock(places.data, places.profile)
    stack.callback(lock.release)
    profile.tidy(places.data)
    log = logs.open_log(places.log, config.log_level)
    stack.callback(logs.close_log, log)
    own = keys.load(places.data)
    certificates.show_authority(places.data)
    kept = profile.load(places.data)
    node = kind(places, config, kept, own, nick_later=nick_later)
    stack.push_async_callback(node.stop)
    await node.start()
    clear_socket(places)
    stack.callback(clear_socket, places)
    with _private():
        service = ControlService(node, node.ended.set)
        server, _ = await build_server(f"unix:{places.socket}", [service])
    await server.start()
    stack.push_async_callback(server.stop, 0.5)
    stack.callback(node.hub.end)
    node.tasks.spawn(_end_watches(node), "end of watches")
    return node


async def _end_watches(node: Node) -> None:
    """A node that is told to stop lets its watchers go: a face in this process ends by that."""
    await node.ended.wait()
    node.hub.end()


def clear_socket(places: Places) -> None:
    """Removes the socket, also one that a dead process left; the lock says that it is dead."""
    places.socket.unlink(missing_ok=True)


@contextlib.contextmanager
def _private() -> Iterator[None]:
    """New files are ours alone: the socket has no moment in which others could open it."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


async def run_node(
    places: Places, config: Config, kind: type[Node] = Node, *, nick_later: bool = False
) -> int:
    """Runs a node until SIGTERM, SIGINT, or a face that stops it; its exit code.

    Raises:
        Complaint: it cannot start.
    """
    allow_many_files()
    async with running(places, config, kind, nick_later=nick_later) as node:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, node.ended.set)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        loop.add_signal_handler(signal.SIGTSTP, refuse_to_sleep)
        await node.ended.wait()
        crash = node.crash
    if crash:
        _log.critical("%s", crash)
        print(f"p2pchat: {crash}", file=sys.stderr)
        return OTHER
    return DONE


def allow_many_files() -> None:
    """Takes as many open files as the system lets us have, up to `FILES_MAX`.

    Each connection costs one: with the usual 1,024, who opens a thousand locks all others out.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:  # Some systems have a limit beneath this one.
        _log.info("open files stay at %s: %s", soft, error)


def refuse_to_sleep() -> None:
    """What Ctrl+Z gets: a suspended node misses its liveness pings and would be dropped."""
    print("p2pchat: not suspended: the others would take this node for dead", file=sys.stderr)
