"""The last calls of a node, as somebody could repeat them with grpcurl."""

from collections import deque
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from msgspec import Struct
from msgspec.structs import replace

from node.core.access import NO_PASSWORD
from node.core.messages import Refusal, Update
from node.core.types import Address, WallMillis
from node.runner import Silenced

SIZE = 200


class CallRow(Struct, frozen=True):
    """A call that has ended.  Its JSON is made when somebody asks."""

    path: str  # /p2pchat.v1.Node/Message
    address: Address
    at_ms: WallMillis  # when it began
    took_us: int
    status: str  # OK, or the status in one line
    request: Any
    put_request: Callable[[Any], Message]

    def json(self) -> str:
        """The request as grpcurl takes it."""
        return MessageToJson(self.put_request(_shown(self.request)), indent=None)


def _shown(request: Any) -> Any:
    """The request without what one gets into a chat, or claims it, with: people show others what is
    printed.
    """
    if isinstance(request, Update):
        shown = replace(request.roster, password=NO_PASSWORD, claim_keys=())
        return replace(request, roster=shown)
    return request


class CallLog:
    """A ring of the last calls, the newest last."""

    def __init__(self, size: int = SIZE) -> None:
        self._rows: deque[CallRow] = deque(maxlen=size)

    def add(self, row: CallRow) -> None:
        self._rows.append(row)

    def rows(self) -> list[CallRow]:
        return list(self._rows)


def status_of(outcome: Any) -> str:
    """The status that an outcome came with, in one line."""
    match outcome:
        case Refusal(reason, text):
            return f"{reason}: {text}" if text else reason
        case Silenced(_, status):
            return status
        case _:
            return "OK"
