"""Complaints on their way between node and face: as gRPC statuses with a google.rpc.ErrorInfo."""

from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from ..errors import BadField, Complaint, retold

DOMAIN = "p2pchat.v1"
TEXT_MAX = 600  # bytes of a text ...
FACT_MAX = 300  # ... and of a fact in it: a status goes in 8 KiB of headers, or is lost


def to_status(complaint: Complaint) -> status_pb2.Status:
    """The status that carries the complaint, its reason and facts, and the field at fault."""
    details = [any_pb2.Any()]
    facts = {name: shortened(fact, FACT_MAX) for name, fact in complaint.facts.items()}
    details[0].Pack(
        error_details_pb2.ErrorInfo(reason=complaint.reason, domain=DOMAIN, metadata=facts)
    )
    if isinstance(complaint, BadField):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=facts.get("field", ""), description=facts.get("text", "")
        )
        details.append(any_pb2.Any())
        details[1].Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    code = code_pb2.Code.Value(complaint.status)
    text = shortened(str(complaint), TEXT_MAX)
    return status_pb2.Status(code=code, message=text, details=details)


def shortened(text: str, most: int) -> str:
    """Its first bytes of UTF-8, and three dots where there were more than `most`."""
    raw = text.encode()
    return text if len(raw) <= most else raw[: most - 3].decode("utf-8", "ignore") + "..."


async def refuse(context: grpc.aio.ServicerContext[Any, Any], complaint: Complaint) -> None:
    """Ends the call with the complaint."""
    await context.abort_with_status(rpc_status.to_status(to_status(complaint)))


def from_error(error: grpc.aio.AioRpcError) -> Complaint | None:
    """The complaint that a status of ours carries; None for any other status."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == DOMAIN:
                    return retold(info.reason, status.message, dict(info.metadata))
    return None
