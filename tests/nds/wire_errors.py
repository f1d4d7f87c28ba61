"""What a refused call carries, taken apart."""

from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from p2pchat.v1 import nds_pb2


@dataclass(frozen=True)
class Refusal:
    code: grpc.StatusCode
    text: str
    reason: str  # empty without an ErrorInfo
    metadata: dict[str, str]
    fields: dict[str, list[str]]
    network: nds_pb2.NetworkInformation | None


def taken_apart(error: grpc.aio.AioRpcError) -> Refusal:
    raw = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    info, bad, network = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), None
    for detail in status_pb2.Status.FromString(raw).details:
        if detail.Unpack(info):
            assert info.domain == "p2pchat.v1"
        elif not detail.Unpack(bad) and not detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            network = nds_pb2.NetworkInformation()
            assert detail.Unpack(network), detail
    fields: dict[str, list[str]] = {}
    for violation in bad.field_violations:
        fields.setdefault(violation.field, []).append(violation.description)
    text = error.details()
    return Refusal(error.code(), text, info.reason, dict(info.metadata), fields, network)


async def refusal(call) -> Refusal:
    """The refusal of a call that must be refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return taken_apart(caught.value)
