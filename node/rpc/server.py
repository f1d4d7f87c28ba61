"""A gRPC server that a single request cannot end.

grpc.aio decodes the path of every call that is not registered in the very loop that takes calls: a
path that is no UTF-8, which anybody can send, ends that loop, and with it the server, while the
process lives on.  Here every method is registered, so that its loop has no path to decode; a call
of anything else is told aside that there is no such method.  And a call can be dropped before
anything of it is read, which costs half of refusing it.  (grpcio 1.85; what is used of it is
private, so `tests/node/test_server.py` sends such a path, and has calls dropped.)
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from node.rpc.options import grpc

from grpc._cython import cygrpc  # isort: skip  after options
from grpc.aio import _server  # isort: skip

Admits = Callable[[Any, bool], bool]  # given a context, and whether a message is waited for
HungUp = cygrpc.ExecuteBatchError  # what a word to a caller raises that is there no longer
_turned_away: set[asyncio.Task[None]] = set()  # the loop itself holds them weakly


class _Core(cygrpc.AioServer):  # type: ignore[misc]  # it has no types
    """The loop that takes calls, but for those of unknown methods, and those that are dropped."""

    admits: Admits = staticmethod(lambda *_: True)

    def _make_request_call_future(self, method: bytes | None) -> Any:
        coming = self._turn_away() if method is None else self._admitted(method)
        return asyncio.get_running_loop().create_task(coming)

    async def _admitted(self, method: bytes) -> Any:
        """The next call of a method that is not dropped.  To let go of one resets its stream."""
        while True:
            state = await self._request_registered_call(method)
            if self.admits(_context(state), True):
                return state
            del state

    async def _turn_away(self) -> None:
        """Answers the next call of an unknown method, and has the loop ask for another."""
        state = await self._request_call()
        if self.admits(_context(state), False):
            loop = asyncio.get_running_loop()
            answer = cygrpc._handle_rpc("", cygrpc._MethodResolver([], {}), (), state, loop, False)
            task = loop.create_task(cygrpc._schedule_rpc_coro(answer, state, loop, ""))
            _turned_away.add(task)
            task.add_done_callback(_turned_away.discard)
        del state
        raise cygrpc._RequestCallError


def _context(state: Any) -> Any:
    return cygrpc._ServicerContext(state, None, None, asyncio.get_running_loop())


class _Server(_server.Server):
    def __init__(self, *arguments: Any) -> None:
        self._loop = cygrpc.get_working_loop()
        self._server = _Core(self._loop, None, (), *arguments)

    def admit_by(self, admits: Admits) -> None:
        self._server.admits = admits


def make_server(
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    options: Sequence[tuple[str, Any]],
    rpcs_max: int | None = None,
    admits: Admits | None = None,
) -> grpc.aio.Server:
    """A server for the loop that runs; its services must register their methods.

    Generated code does.  The arguments are those of `grpc.aio.server`; at most `rpcs_max` calls at
    a time, None for any number.  A call whose context `admits` does not take is dropped, unread.
    """
    made: Any = _Server(tuple(interceptors), tuple(options), rpcs_max)
    if admits is not None:
        made.admit_by(admits)
    return made  # type: ignore[no-any-return]
