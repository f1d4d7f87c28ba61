"""gRPC as both services and their clients use it: options, statuses, lines, the log of calls."""

from node.rpc.calllog import CallLog, CallRow, status_of
from node.rpc.gate import Gate
from node.rpc.guard import Guard
from node.rpc.line import Line, probe
from node.rpc.link import Desk, Link
from node.rpc.options import CHANNEL_OPTIONS, RPCS_MAX, SERVER_OPTIONS, target
from node.rpc.server import make_server
from node.rpc.status import (
    DOMAIN,
    Mismatched,
    TooMany,
    abort,
    come_again_s,
    is_spoken,
    malformed,
    mismatched,
    refusal_in,
    refused,
    told,
    too_many,
)

__all__ = [
    "CHANNEL_OPTIONS",
    "DOMAIN",
    "RPCS_MAX",
    "SERVER_OPTIONS",
    "CallLog",
    "CallRow",
    "Desk",
    "Gate",
    "Guard",
    "Line",
    "Link",
    "Mismatched",
    "TooMany",
    "abort",
    "come_again_s",
    "is_spoken",
    "make_server",
    "malformed",
    "mismatched",
    "probe",
    "refusal_in",
    "refused",
    "status_of",
    "target",
    "told",
    "too_many",
]
