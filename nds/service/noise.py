"""Bytes that are no message, and calls that are too many, get a definite error.

gRPC itself answers bytes that are no message with UNKNOWN and its exception's text, and logs a
traceback for each.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2

from nds.budget import Budget, Excess
from nds.service.statuses import Context, refuse, status, too_many


class Garbled:
    """Stands where a request should."""


def _lenient(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return Garbled()

    return read


async def _legible(request: Any, context: Context) -> Any:
    if isinstance(request, Garbled):
        text = "the request is no message of this call"
        await refuse(context, status(code_pb2.INVALID_ARGUMENT, text, "GARBLED"))
    return request


async def _all_legible(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
    async for request in requests:
        yield await _legible(request, context)


async def _stream(answers: Any, context: Context) -> None:
    """Send what a handler streams; one that sends by itself is waited for."""
    if not hasattr(answers, "__aiter__"):
        await answers
        return
    async with aclosing(answers):
        async for answer in answers:
            await context.write(answer)


async def _within(context: Context, excess: Excess | None) -> None:
    if excess is not None:
        await refuse(context, too_many(excess.limit, excess.wait_s))


class Noise(grpc.aio.ServerInterceptor):
    """Stands before every handler of a server, those of health and reflection included.

    `budget` is what each address may ask; None: as much as it likes.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler, made to tell bad bytes from a request."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        codec = (_lenient(handler.request_deserializer), handler.response_serializer)
        method: Any = handler_call_details.method  # a text, whatever the types say
        budget = self._budget

        async def enter(context: Context) -> None:
            if budget is not None:
                creates = method.endswith("/CreateNetwork")
                excess = budget.call(context.peer(), time.monotonic(), creates=creates)
                await _within(context, excess)

        if handler.request_streaming:

            async def dialogue(requests: AsyncIterator[Any], context: Context) -> None:
                await enter(context)
                legible = _all_legible(requests, context)
                await _stream(handler.stream_stream(legible, context), context)

            return grpc.stream_stream_rpc_method_handler(dialogue, *codec)
        if handler.response_streaming:

            async def stream(request: Any, context: Context) -> None:
                await enter(context)
                legible = await _legible(request, context)
                watching = budget.watch(context.peer()) if budget is not None else nullcontext()
                with watching as excess:
                    await _within(context, excess)
                    await _stream(handler.unary_stream(legible, context), context)

            return grpc.unary_stream_rpc_method_handler(stream, *codec)

        async def unary(request: Any, context: Context) -> Any:
            await enter(context)
            legible = await _legible(request, context)
            try:
                return await handler.unary_unary(legible, context)
            except NotImplementedError:  # Health has a List that its library left out.
                text = "this service does not offer that call"
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

        return grpc.unary_unary_rpc_method_handler(unary, *codec)
