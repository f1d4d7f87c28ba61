"""Requests of other nodes: bytes to values, to the group that they concern, and its answer back.

Requests are parsed here and not by gRPC, so that noise gets a definite answer like every other bad
input.  Nothing is decided here but which group is meant.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from node.codec import METHODS, Malformed, Method, Seals, parse
from node.core.messages import Join, Ping, Refusal, Reply, Request
from node.core.reasons import Reason
from node.core.types import Address, ChatId
from node.errors import PortInUse
from node.limits import Limits, split_address
from node.rpc import (
    Gate,
    Guard,
    Mismatched,
    TooMany,
    abort,
    is_spoken,
    make_server,
    malformed,
    mismatched,
    refused,
    too_many,
)
from node.rpc.options import BOUNDED_OPTIONS, RPCS_MAX, SERVER_OPTIONS, grpc
from node.rpc.server import HungUp
from node.rpc.transport import PLAIN, Transport
from node.runner import Unanswered

_log = logging.getLogger(__name__)

ANSWER_S = 10.0  # a request without a nearer deadline is given up after this


Write: TypeAlias = Callable[[bytes], Awaitable[None]]


class Answerer(Protocol):
    """A group, as far as the service knows it."""

    def ask(
        self,
        request: Request,
        then: Callable[[Reply | Refusal | Unanswered], None],
        certificate: bytes | None,
    ) -> Callable[[], object]:
        """Hand it in; `then` is called with the answer, unless what this gives is called before."""
        ...

    async def answer(self, request: Request, certificate: bytes | None) -> Reply | Refusal:
        """The group's answer.  Raises `Unanswered`."""
        ...


class Groups(Protocol):
    """The groups of this node."""

    def by_chat(self, chat: ChatId) -> Answerer | None: ...

    def by_name(self, name: str) -> Answerer | None: ...

    def joining(self) -> Answerer | None:
        """Any group that is not a member yet: it answers a leader that calls it back."""
        ...

    def knows(self, certificate: bytes) -> bool:
        """Is this the certificate of a member of any of them?"""
        ...

    def is_registry(self, certificate: bytes) -> bool:
        """Is this the certificate of a discovery service that this node knows?"""
        ...


class Service(Protocol):
    """What a server can serve."""

    @property
    def name(self) -> str:
        """The service's full name in the protos."""
        ...

    def add_to(self, server: grpc.aio.Server) -> None: ...


class Desk:
    """Hands each request to the group that it concerns, with the certificate of who asks.

    It is None where connections prove nothing.
    """

    def __init__(self, groups: Groups) -> None:
        self._groups = groups

    async def answer(
        self, request: Request, certificate: bytes | None, left_s: float | None = None
    ) -> Reply | Refusal:
        """The group's answer, within `left_s` and ten seconds.

        Raises `Unanswered`, and TimeoutError.
        """
        group = self._group(request, certificate)
        if isinstance(group, Refusal):
            return group
        async with asyncio.timeout(min(left_s or ANSWER_S, ANSWER_S)):
            return await group.answer(request, certificate)

    def ask(
        self,
        request: Request,
        then: Callable[[Reply | Refusal | Unanswered], None],
        certificate: bytes | None,
    ) -> Callable[[], object]:
        """Hand it to the group; `then` is called with the answer, unless what this gives is called
        before.
        """
        group = self._group(request, certificate)
        if not isinstance(group, Refusal):
            return group.ask(request, then, certificate)
        then(group)
        return _nothing

    def knows(self, certificate: bytes | None) -> bool:
        """Is this the certificate of a member of any group, or do connections prove nothing?"""
        return certificate is None or self._groups.knows(certificate)

    def _group(self, request: Request, certificate: bytes | None) -> Answerer | Refusal:
        caller, groups = request.caller, self._groups
        group = groups.by_chat(caller.chat)
        if isinstance(request, Join) and not caller.chat:
            group = groups.by_name(request.name)
        elif isinstance(request, Ping) and request.asks_leading is not None:
            is_known = certificate is None or groups.is_registry(certificate)
            if not caller.node and not is_known:
                text = "the certificate of this connection is not of an NDS that is known here"
                return Refusal(Reason.WRONG_CERTIFICATE, text)
        elif group is None and isinstance(request, Ping) and not caller.callee:
            # A leader calls back whoever wants in.
            group = groups.joining()
        return group or Refusal(Reason.UNKNOWN_CHAT, "this node is not in that chat")


def _nothing() -> None:
    """What has been answered need not be forgotten."""


class Links(Protocol):
    """Whoever keeps the links of this node."""

    async def accept(
        self, frames: AsyncIterator[bytes], write: Write, certificate: bytes | None
    ) -> None:
        """Serve a link that the node with this certificate has opened, until it ends.

        Raises `Malformed`, `Mismatched` and `TooMany`.
        """
        ...


class NodeService:
    """The Node service: calls one by one, and links."""

    name = "p2pchat.v1.Node"

    def __init__(
        self,
        desk: Desk,
        links: Links,
        transport: Transport,
        gate: Gate | None = None,
        limits: Limits = Limits(),  # noqa: B008  frozen
        seals: Seals | None = None,
    ) -> None:
        self._desk, self._links, self._limits = desk, links, limits
        self._transport, self._seals = transport, seals
        self._gate = gate or Gate(transport, desk.knows)

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            method.name: grpc.unary_unary_rpc_method_handler(partial(self._serve, method))
            for method in METHODS.values()
        }
        handlers["Link"] = grpc.stream_stream_rpc_method_handler(self._link)
        server.add_registered_method_handlers(self.name, handlers)

    async def _serve(
        self, method: Method, payload: bytes, context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> bytes:
        try:
            message = parse(method.request, payload)
            theirs = message.caller.protocol  # type: ignore[attr-defined]
            if not is_spoken(theirs):
                await abort(context, mismatched(theirs))
            request = method.decode_request(message, self._limits, self._seals)
        except Malformed as error:
            self._gate.senseless(context)
            await abort(context, malformed(error))
        answer = await self._answer(request, context)
        if isinstance(answer, Refusal):
            if answer.reason == Reason.UNKNOWN_CHAT:
                self._gate.senseless(context)
            await abort(context, refused(answer))
        return method.write_reply(answer, request.caller, self._seals)

    async def _answer(
        self, request: Request, context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> Reply | Refusal:
        try:
            caller = self._transport.caller(context)
            return await self._desk.answer(request, caller, context.time_remaining())
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the group gave no answer")
        except Unanswered as error:
            # Not UNAVAILABLE, by which the caller would mistrust its connection to all our groups.
            await context.abort(grpc.StatusCode.ABORTED, str(error))
        raise AssertionError("an aborted call went on")

    async def _link(
        self, frames: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> None:
        caller = self._transport.caller(context)
        if not self._desk.knows(caller):  # It may be known in a moment, and need not wait for that.
            text = "links are for members: the certificate of this connection is nobody's"
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, text)
        try:
            await self._links.accept(frames, context.write, caller)
        except Malformed as error:
            await abort(context, malformed(error))
        except Mismatched as error:
            await abort(context, mismatched(error.theirs))
        except TooMany as error:
            await abort(context, too_many(error.limit, error.wait_s))
        except HungUp:
            _log.debug("a link has ended while something was written")


async def build_server(
    listen: Address,
    services: Sequence[Service],
    transport: Transport = PLAIN,
    shows: Callable[[bytes | None], bool] = lambda _: True,
    gate: Gate | None = None,
) -> tuple[grpc.aio.Server, int]:
    """A server that listens, and its port; it serves once it is started.

    `listen` is HOST:PORT, port 0 for any free one, or unix:PATH.  Health and reflection come with
    it, for callers whose certificate `shows` takes; `gate` comes before all.  Raises `PortInUse`.
    """
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection

    guard = Guard(lambda context: shows(transport.caller(context)), gate)
    admits = gate.admits if gate is not None else None
    options = SERVER_OPTIONS if listen.startswith("unix:") else BOUNDED_OPTIONS
    server = make_server([guard], options, RPCS_MAX, admits)
    names = [service.name for service in services]
    for service in services:
        service.add_to(server)
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in names:
        await healthy.set(name, serving)
    reflection.enable_server_reflection(
        [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    try:
        port = transport.add_port(server, listen)
    except RuntimeError as error:
        raise PortInUse(address=listen, text=_why(listen)) from error
    return server, port


def _why(listen: Address) -> str:
    """What the system says to somebody who wants to listen there; gRPC keeps it to itself."""
    if listen.startswith("unix:"):
        return "the socket cannot be made"
    host, port = split_address(listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return error.strerror or str(error)
    return "it was taken a moment ago"
