"""Errors as they go over the wire: google.rpc.Status with ErrorInfo, and more where there is more.

An ErrorInfo says: nothing has happened.  So it is only put where that is certain; but with
UNAVAILABLE, where the service answers and cannot do what it is asked, it says no more than why.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import wraps
from math import ceil
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from nds.budget import Budget, Exceeded
from nds.errors import NdsError, StoreFull
from nds.logs import say
from nds.record import Reason, Refused
from nds.service.proofs import Caller, caller_of
from nds.service.wire import BadInput, network_of
from nds.watchers import Closed, TooMany, TooSlow
from p2pchat.v1 import common_pb2

DOMAIN = "p2pchat.v1"

CODES = {
    Reason.UNKNOWN_NETWORK: code_pb2.NOT_FOUND,
    Reason.NAME_TAKEN: code_pb2.ALREADY_EXISTS,
    Reason.REQUEST_REUSED: code_pb2.ALREADY_EXISTS,
    Reason.STALE_EPOCH: code_pb2.FAILED_PRECONDITION,
    Reason.LEADER_ALIVE: code_pb2.FAILED_PRECONDITION,
    Reason.NOT_LEADER: code_pb2.FAILED_PRECONDITION,
    Reason.WRONG_CLAIM_KEY: code_pb2.PERMISSION_DENIED,
}
TEXTS = {
    Reason.UNKNOWN_NETWORK: "no such network",
    Reason.NAME_TAKEN: "a network of that name exists",
    Reason.REQUEST_REUSED: "this request_id has made another network",
    Reason.STALE_EPOCH: "the network is at another epoch",
    Reason.LEADER_ALIVE: "the leader says that it leads",
    Reason.NOT_LEADER: "another member leads this epoch",
    Reason.WRONG_CLAIM_KEY: "no proof is by the network's claim key, or by its owner",
}
STORE_TEXTS = {
    "STORE_FULL": "the service cannot store: its disk is full",
    "STORE_FAILED": "the service cannot use its store",
}


class Refusal(Exception):
    """A definite no, with the record that stands instead."""

    def __init__(
        self, refused: Refused, now_ms: int, grant: common_pb2.Grant | None = None
    ) -> None:
        super().__init__(refused.reason)
        self.refused = refused
        self.now_ms = now_ms
        self.grant = grant  # of the record


def status(code: int, text: str, reason: str, *more: Message, **metadata: str) -> status_pb2.Status:
    """A status that says that nothing has happened, and why."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)
    details = []
    for message in (info, *more):
        packed = any_pb2.Any()
        packed.Pack(message)
        details.append(packed)
    return status_pb2.Status(code=code, message=text, details=details)


def _refused(refusal: Refusal) -> status_pb2.Status:
    """A refused request; the record goes along as a NetworkInformation."""
    reason, record = refusal.refused.reason, refusal.refused.record
    if record is None:
        return status(CODES[reason], TEXTS[reason], reason)
    return status(
        CODES[reason],
        TEXTS[reason],
        reason,
        network_of(record, refusal.now_ms, refusal.grant),
        leader_id=str(record.leader),
        leader_address=record.address,
        epoch=f"{record.epoch.generation}.{record.epoch.n}",
    )


def _bad_input(bad: BadInput) -> status_pb2.Status:
    """Fields over their limits, each named with its limit."""
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field=field, description=limit)
        for field, limit in bad.violations
    ]
    field, limit = bad.violations[0]
    return status(
        code_pb2.INVALID_ARGUMENT,
        "; ".join(f"{field}: {limit}" for field, limit in bad.violations),
        "BAD_FIELD",
        error_details_pb2.BadRequest(field_violations=violations),
        field=field,
        limit=limit,
    )


def too_many(limit: str, wait_s: float) -> status_pb2.Status:
    """The status for a caller over a limit, which may come again after that time."""
    wait_ms = max(1, ceil(1000 * wait_s))
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(wait_ms)
    text = f"too many: over {limit}; come again in {wait_ms} ms"
    facts = {"limit": limit, "come_again_ms": str(wait_ms)}
    return status(code_pb2.RESOURCE_EXHAUSTED, text, "TOO_MANY_CALLS", retry, **facts)


def store_fault(error: NdsError) -> str:
    """For programs: what is wrong with the store."""
    return "STORE_FULL" if isinstance(error, StoreFull) else "STORE_FAILED"


Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class Budgeted(Protocol):
    """A service with a budget; None: everybody asks as much as it likes."""

    budget: Budget | None


Bounded = TypeVar("Bounded", bound=Budgeted)
Q = TypeVar("Q")
A = TypeVar("A")


def unary(
    method: Callable[[Bounded, Q, Caller], Awaitable[A]],
) -> Callable[[Bounded, Q, Context], Awaitable[A]]:
    """A handler whose exceptions become the status that the caller gets."""

    @wraps(method)
    async def handler(self: Bounded, request: Q, context: Context) -> A:
        try:
            return await method(self, request, caller_of(context, self.budget))
        except Exception as error:
            await _abort(context, error)

    return handler


def streaming(
    method: Callable[[Bounded, Q, Caller], AsyncGenerator[A, None]],
) -> Callable[[Bounded, Q, Context], AsyncIterator[A]]:
    """The same for a handler that answers with a stream."""

    @wraps(method)
    async def handler(self: Bounded, request: Q, context: Context) -> AsyncIterator[A]:
        try:
            caller = caller_of(context, self.budget)
            async with aclosing(method(self, request, caller)) as answers:
                async for answer in answers:
                    yield answer
        except Exception as error:
            await _abort(context, error)

    return handler


async def _abort(context: Context, error: Exception) -> NoReturn:
    """End the call.  The text of an unforeseen exception goes to the log, never to the caller."""
    match error:
        case BadInput():
            await refuse(context, _bad_input(error))
        case Refusal():
            await refuse(context, _refused(error))
        case Exceeded():
            await refuse(context, too_many(error.excess.limit, error.excess.wait_s))
        case TooSlow():
            text = "this watcher reads too slowly; start again"
            await refuse(context, status(code_pb2.RESOURCE_EXHAUSTED, text, "SLOW_WATCHER"))
        case TooMany():
            text = "there are too many watchers"
            await refuse(context, status(code_pb2.RESOURCE_EXHAUSTED, text, "TOO_MANY_WATCHERS"))
        case Closed():
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the service is stopping")
        case NdsError():
            say("store-failed", logging.ERROR, error=str(error))
            reason = store_fault(error)
            await refuse(context, status(code_pb2.UNAVAILABLE, STORE_TEXTS[reason], reason))
    say("bug", logging.ERROR, trace=True)
    await context.abort(grpc.StatusCode.INTERNAL, "the service has a bug; its log has more")


async def refuse(context: Context, error: status_pb2.Status) -> NoReturn:
    """End the call with this status."""
    await context.abort_with_status(rpc_status.to_status(error))
