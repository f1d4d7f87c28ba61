"""Bytes that are no message get a definite error.

gRPC itself answers them with UNKNOWN and its exception's text, and logs a traceback for each.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import code_pb2

from nds.service.statuses import Context, refuse, status


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


class Noise(grpc.aio.ServerInterceptor):
    """Stands before every handler of a server, those of health and reflection included."""

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
        if handler.request_streaming:

            async def dialogue(requests: AsyncIterator[Any], context: Context) -> None:
                legible = _all_legible(requests, context)
                await _stream(handler.stream_stream(legible, context), context)

            return grpc.stream_stream_rpc_method_handler(dialogue, *codec)
        if handler.response_streaming:

            async def stream(request: Any, context: Context) -> None:
                legible = await _legible(request, context)
                await _stream(handler.unary_stream(legible, context), context)

            return grpc.unary_stream_rpc_method_handler(stream, *codec)

        async def unary(request: Any, context: Context) -> Any:
            legible = await _legible(request, context)
            try:
                return await handler.unary_unary(legible, context)
            except NotImplementedError:  # Health has a List that its library left out.
                text = "this service does not offer that call"
                await context.abort(grpc.StatusCode.UNIMPLEMENTED, text)

        return grpc.unary_unary_rpc_method_handler(unary, *codec)
