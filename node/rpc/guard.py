"""Stands before every handler of a server: noise gets a definite error, a bug of ours a plain one.

gRPC itself answers bytes that are no message with UNKNOWN, its exception's text and a traceback in
the log, and tells a caller the text of any exception.  Handlers that parse for themselves, which
have no deserializer, are left alone.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from node.codec import Malformed
from node.rpc.gate import Gate
from node.rpc.options import grpc
from node.rpc.server import HungUp
from node.rpc.status import abort, malformed

Context = grpc.aio.ServicerContext[Any, Any]
Shows = Callable[[Context], bool]
Read = Callable[[Any, Context], Awaitable[Any]]

_log = logging.getLogger(__name__)


class _Noise:
    """Stands where a request should."""

    def __init__(self, size: int) -> None:
        self.size = size


def _lenient(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return _Noise(len(data))

    return read


async def _legible(shows: Shows, request: Any, context: Context) -> Any:
    if not shows(context):
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "this is shown to members only")
    if isinstance(request, _Noise):
        fault = f"the {request.size} bytes are no request of this call"
        await abort(context, malformed(Malformed((("", fault),))))
    return request


async def _bug(error: Exception, context: Context) -> None:
    """An exception that no handler foresaw: told in the log, not to the caller."""
    if isinstance(error, NotImplementedError):  # Health has a List that its library left out.
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this node does not offer that call")
    _log.error("a call failed by a bug: %r", error, exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, "this node has a bug; its log says more")


class Guard(grpc.aio.ServerInterceptor):
    """Goes before services, health and reflection; the last two are for whom `shows` takes.

    `gate` comes before all of them; None: nobody is held up.
    """

    def __init__(
        self, shows: Callable[[Context], bool] = lambda _: True, gate: Gate | None = None
    ) -> None:
        self._shows, self._gate = shows, gate

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler, made to tell noise from a request."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if self._gate is not None:
            method: Any = handler_call_details.method  # a text, whatever the types say
            handler = _behind(self._gate, method, handler)
        if handler.request_deserializer is None:
            return handler
        codec = _lenient(handler.request_deserializer), handler.response_serializer
        read = partial(_legible, self._shows)
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(_one(handler.unary_unary, read), *codec)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(_many(handler.unary_stream, read), *codec)
        assert handler.stream_stream is not None, "no call here streams requests alone"
        return grpc.stream_stream_rpc_method_handler(_dialogue(handler.stream_stream, read), *codec)


def _behind(gate: Gate, method: str, handler: Any) -> Any:
    """The same handler, which the gate comes before."""
    serve = handler.unary_unary or handler.unary_stream or handler.stream_stream
    codec = handler.request_deserializer, handler.response_serializer

    async def one(request: Any, context: Context) -> Any:
        await gate.enter(context, method, len(request) if isinstance(request, bytes) else 0)
        return await serve(request, context)

    async def many(request: Any, context: Context) -> None:
        await gate.enter(context, method)
        await _send(serve(request, context), context)

    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(one, *codec)
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(many, *codec)
    return grpc.stream_stream_rpc_method_handler(many, *codec)


def _one(serve: Callable[[Any, Context], Awaitable[Any]], read: Read) -> Any:
    async def unary(request: Any, context: Context) -> Any:
        try:
            return await serve(await read(request, context), context)
        except (grpc.aio.AbortError, HungUp):
            raise
        except Exception as error:
            await _bug(error, context)

    return unary


def _many(serve: Callable[[Any, Context], Any], read: Read) -> Any:
    async def stream(request: Any, context: Context) -> None:
        try:
            await _send(serve(await read(request, context), context), context)
        except (grpc.aio.AbortError, HungUp):
            raise
        except Exception as error:
            await _bug(error, context)

    return stream


def _dialogue(serve: Callable[[Any, Context], Any], read: Read) -> Any:
    async def legible(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for request in requests:
            yield await read(request, context)

    async def dialogue(requests: AsyncIterator[Any], context: Context) -> None:
        await _send(serve(legible(requests, context), context), context)

    return dialogue


async def _send(answers: Any, context: Context) -> None:
    """What a handler streams; one that sends by itself is waited for."""
    if not hasattr(answers, "__aiter__"):
        await answers
        return
    async with aclosing(answers):
        async for answer in answers:
            await context.write(answer)
