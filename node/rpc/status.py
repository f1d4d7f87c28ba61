"""Refusals as gRPC statuses and back.

A status is definite, nothing has happened, only if it carries our `google.rpc.ErrorInfo`; every
other one, whatever its code, leaves the fate of the call unknown.  So does UNAVAILABLE with an
ErrorInfo, which says why one that answers cannot do what it is asked now.
"""

import re
from collections.abc import Iterable
from math import ceil
from typing import Any, NoReturn

from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from node.codec import PROTOCOL, Check, Malformed, get_network
from node.core.access import Terms
from node.core.messages import Record, Refusal
from node.core.reasons import Reason
from node.core.types import Epoch
from node.errors import shown
from node.limits import CHAT_MAX, Limits, address_fault
from node.rpc.options import grpc
from p2pchat.v1 import nds_pb2

from grpc_status import rpc_status  # isort: skip  after options

DOMAIN = "p2pchat.v1"
DETAILS_KEY = "grpc-status-details-bin"
TOO_MANY = "TOO_MANY_CALLS"
COME_AGAIN_MAX_S = 10.0  # for longer nobody is told to stay away
TEXT_MAX = 500  # characters; all of a status must fit into 8 KiB of headers

CODES = {
    Reason.UNKNOWN_CHAT: code_pb2.NOT_FOUND,
    Reason.UNKNOWN_MEMBER: code_pb2.NOT_FOUND,
    Reason.UNKNOWN_NETWORK: code_pb2.NOT_FOUND,
    Reason.KICKED: code_pb2.PERMISSION_DENIED,
    Reason.LEFT: code_pb2.PERMISSION_DENIED,
    Reason.WRONG_CERTIFICATE: code_pb2.PERMISSION_DENIED,
    Reason.NOT_INVITED: code_pb2.PERMISSION_DENIED,
    Reason.WRONG_SECRET: code_pb2.PERMISSION_DENIED,
    Reason.WRONG_SIGNATURE: code_pb2.PERMISSION_DENIED,
    Reason.NOT_SEALED: code_pb2.PERMISSION_DENIED,
    Reason.WRONG_CLAIM_KEY: code_pb2.PERMISSION_DENIED,
    Reason.REMOVED_AUTHOR: code_pb2.PERMISSION_DENIED,
    Reason.NEEDS_PASSWORD: code_pb2.PERMISSION_DENIED,
    Reason.TRY_LATER: code_pb2.RESOURCE_EXHAUSTED,
    Reason.GROUP_FULL: code_pb2.RESOURCE_EXHAUSTED,
    Reason.PENDING_FULL: code_pb2.RESOURCE_EXHAUSTED,
    Reason.BAD_FIELD: code_pb2.INVALID_ARGUMENT,
    Reason.TOO_LONG: code_pb2.INVALID_ARGUMENT,
}
"""The code of each reason; FAILED_PRECONDITION for those that are not named."""

DEFINITE = frozenset(
    {
        code_pb2.INVALID_ARGUMENT,
        code_pb2.NOT_FOUND,
        code_pb2.ALREADY_EXISTS,
        code_pb2.FAILED_PRECONDITION,
        code_pb2.PERMISSION_DENIED,
        code_pb2.RESOURCE_EXHAUSTED,
    }
)


def refused(refusal: Refusal) -> status_pb2.Status:
    """The status that says `refusal`."""
    facts = {}
    if refusal.leader:
        facts["leader_id"] = str(refusal.leader)
    if refusal.leader_address:
        facts["leader_address"] = refusal.leader_address
    if refusal.chat:
        facts["chat_id"] = f"{refusal.chat:016x}"
    if refusal.epoch > (0, 0):
        facts["epoch"] = f"{refusal.epoch.generation}.{refusal.epoch.n}"
    if refusal.terms is not None:
        facts |= refusal.terms.facts
    if refusal.wait:
        facts["retry_ms"] = str(refusal.wait)
    code = CODES.get(refusal.reason, code_pb2.FAILED_PRECONDITION)
    status = _status(code, refusal.reason, refusal.text or refusal.reason, facts)
    if refusal.reason == Reason.BAD_FIELD:
        field, _, fault = refusal.text.partition(" ")
        _add_violations(status, ((field, fault),))
    return status


def malformed(error: Malformed) -> status_pb2.Status:
    """The status that names each violation."""
    field, fault = error.violations[0]
    more = len(error.violations) - 1
    text = f"{field} {fault}".strip() + (f"; and {more} more" if more else "")
    status = _status(code_pb2.INVALID_ARGUMENT, Reason.BAD_FIELD, text, {"field": field})
    _add_violations(status, error.violations)
    return status


def _add_violations(status: status_pb2.Status, violations: Iterable[tuple[str, str]]) -> None:
    bad = error_details_pb2.BadRequest()
    for field, fault in violations:
        bad.field_violations.add(field=field[:100], description=fault[:200])
    status.details.add().Pack(bad)


class Mismatched(Exception):
    """The other side of a link speaks another version of the protocol, `theirs`."""

    def __init__(self, theirs: str) -> None:
        self.theirs = theirs
        super().__init__(theirs)


def mismatched(theirs: str) -> status_pb2.Status:
    """The status for a caller that speaks another version of the protocol."""
    text = f"this node speaks protocol {PROTOCOL}, the caller {theirs[:20]}"
    versions = {"ours": PROTOCOL, "theirs": shown(theirs[:20])}
    return _status(code_pb2.FAILED_PRECONDITION, Reason.VERSION_MISMATCH, text, versions)


class TooMany(Exception):
    """Somebody has more than `limit`; in `wait_s` it may be otherwise."""

    def __init__(self, limit: str, wait_s: float) -> None:
        self.limit, self.wait_s = limit, wait_s
        super().__init__(limit)


def too_many(limit: str, wait_s: float) -> status_pb2.Status:
    """The status for a caller over a limit, which may come again after that time."""
    wait_ms = max(1, ceil(1000 * wait_s))
    text = f"too many: over {limit}; come again in {wait_ms} ms"
    facts = {"limit": limit, "come_again_ms": str(wait_ms)}
    status = _status(code_pb2.RESOURCE_EXHAUSTED, TOO_MANY, text, facts)
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(wait_ms)
    status.details.add().Pack(retry)
    return status


def come_again_s(error: grpc.aio.AioRpcError) -> float | None:
    """After how many seconds a call that was one too many may be made again; None for others."""
    status = _details(error)
    info = _info(status) if status is not None else None
    if info is None or info.reason != TOO_MANY:
        return None
    return min(max(_number(info.metadata["come_again_ms"]) / 1000, 0.001), COME_AGAIN_MAX_S)


def is_spoken(protocol: str) -> bool:
    """Whether a caller of this version is understood.  None said (grpcurl) is as good as ours."""
    return not protocol or protocol.partition(".")[0] == PROTOCOL.partition(".")[0]


def _status(code: int, reason: str, text: str, facts: dict[str, str]) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=shown(text)[:TEXT_MAX])
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=facts)
    )
    return status


async def abort(context: grpc.aio.ServicerContext[Any, Any], status: status_pb2.Status) -> NoReturn:
    """End the call that `context` belongs to."""
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("an aborted call went on")


# ---- reading -----------------------------------------------------------------------------------


def refusal_in(error: grpc.aio.AioRpcError) -> Refusal | None:
    """The definite answer in `error`; None where the fate of the call is unknown."""
    status = _details(error)
    return refusal_of(status) if status is not None else None


def refusal_of(status: status_pb2.Status) -> Refusal | None:
    """The definite answer that a status is; None where it says nothing definite."""
    if status.code not in DEFINITE:
        return None
    info = _info(status)
    record: Record | None = None
    try:
        for detail in status.details:
            if detail.Is(nds_pb2.NetworkInformation.DESCRIPTOR):
                record = _record(nds_pb2.NetworkInformation.FromString(detail.value))
    except DecodeError:
        return None
    if info is None:
        return None
    facts = info.metadata
    address = facts.get("leader_address", "")
    generation, _, n = facts.get("epoch", "").partition(".")
    return Refusal(
        reason=info.reason,
        text=status.message,
        leader=_number(facts.get("leader_id", "")),
        leader_address="" if address_fault(address) else address,
        epoch=Epoch(_number(generation), _number(n)),
        chat=_chat(facts.get("chat_id", "")),
        record=record,
        terms=Terms.of(facts),
        wait=_number(facts.get("retry_ms", "")),
    )


def unable_in(error: grpc.aio.AioRpcError) -> str:
    """Why one that answers cannot do what it is asked now; empty where that is not what is said."""
    status = _details(error)
    info = _info(status) if status is not None and status.code == code_pb2.UNAVAILABLE else None
    return info.reason if info is not None else ""


def _info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo | None:
    """Our own ErrorInfo, with a reason."""
    info = error_details_pb2.ErrorInfo()
    try:
        for detail in status.details:
            if detail.Is(info.DESCRIPTOR):
                detail.Unpack(info)
    except DecodeError:
        return None
    return info if info.domain == DOMAIN and info.reason else None


def _details(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _record(information: nds_pb2.NetworkInformation) -> Record | None:
    check = Check(Limits())
    network = get_network(information, check)
    return None if check.violations else network.record


def _number(digits: str) -> int:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 16 else 0


def _chat(digits: str) -> int:
    number = int(digits, 16) if re.fullmatch("[0-9a-f]{16}", digits) else 0
    return number if number <= CHAT_MAX else 0


def told(error: grpc.aio.AioRpcError) -> str:
    """A status that says nothing definite, in one line for people."""
    text = " ".join((error.details() or "").split())
    if "CERTIFICATE_VERIFY_FAILED" in text:
        text = "another certificate is shown there"
    return f"{error.code().name}: {text[:200]}"
