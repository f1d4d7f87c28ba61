"""The client of one discovery service: what a group asks of it, and what the node's user does.

Whether it answers is learnt from the calls that are made anyway: `up` changes with the first call
that comes to another end than the one before.  A refusal is an answer.  A call whose time was over
decides nothing, since the protocol's questions have little time: it is a doubt, which `check` ends.
One that answers that it can store nothing is up, with a `fault`, until a call says otherwise; to a
group that is as good as no answer.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from node.codec import (
    NDS_METHODS,
    Browse,
    Check,
    Create,
    Created,
    Malformed,
    NetworkChange,
    NetworkPage,
    get_change,
    parse,
)
from node.core.messages import Granted, Lookup, NdsReply, NdsRequest, Refusal
from node.core.types import Address, Millis, Silence, WallMillis
from node.errors import NdsCannotStore
from node.faults import OTHER_KEY, nds_fault
from node.limits import Limits
from node.rpc import CallLog, CallRow, status_of, told
from node.rpc.options import grpc
from node.runner import Silenced
from node.way import Distrusted, Way
from p2pchat.v1 import nds_pb2

Reply = TypeVar("Reply")

_log = logging.getLogger(__name__)
WATCH = "/p2pchat.v1.NodeDiscovery/WatchNetworks"


class Gone(Exception):
    """The discovery service went away while it was watched; the text is the gRPC status."""


class Discovery:
    """The discovery service at `address`.  `on_change(self)` is called when `up` has changed."""

    def __init__(
        self,
        address: Address,
        log: CallLog,
        on_change: Callable[["Discovery"], None],
        way: Way,
    ) -> None:
        self.address = address
        self.up: bool | None = None  # None before the first call has ended
        self.down_since_ms: WallMillis = 0  # 0 while it answers
        self.fault = ""  # the reason why it can store nothing, though somebody answers
        self.last_error = ""
        self.doubted = asyncio.Event()  # `check` is to find out whether it answers
        self._log = log
        self._on_change = on_change
        self._way = way
        self._warned = False  # that networks are left out

    async def ask(self, request: NdsRequest, deadline_ms: Millis) -> NdsReply | Refusal | Silenced:
        """What a group asks.  The end comes within `deadline_ms`."""
        answer: NdsReply | Refusal | Silenced = await self._call(request, deadline_ms)
        if isinstance(answer, Granted):
            return Granted(answer.record, answer.ids, getattr(request, "nonce", 0))
        return answer

    async def create(self, request: Create, deadline_ms: Millis) -> Created | Refusal | Silenced:
        """Make a network.  Repeated with one `request_id`, answered alike.

        Raises:
            NdsCannotStore: it answers that it cannot.
        """
        answer: Created | Refusal | Silenced = await self._call(request, deadline_ms)
        if isinstance(answer, Silenced) and answer.reason:
            raise NdsCannotStore(address=self.address, text=nds_fault(answer.reason))
        return answer

    async def networks(
        self,
        *,
        deadline_ms: Millis,
        page_size: int = 100,
        page_token: str = "",
        include_hidden: bool = False,
    ) -> NetworkPage | Refusal | Silenced:
        """A page of the networks there are, in order of name."""
        answer: NetworkPage | Refusal | Silenced = await self._call(
            Browse(page_size, page_token, include_hidden), deadline_ms
        )
        if isinstance(answer, NetworkPage):
            self._warn(answer.left_out)
        return answer

    async def check(self, deadline_ms: Millis) -> bool:
        """Asks it for little, with time to answer; whether it does."""
        self.doubted.clear()
        request = Browse(1, "", False)
        outcome, _ = await self._asked(request, deadline_ms)
        self._end(request, outcome)
        return self.up is True

    async def watch(self, *, include_hidden: bool = False) -> AsyncIterator[NetworkChange]:
        """Every network as it is now, one that is `caught_up`, then every change.

        Goes on until the caller ends it.  Raises `Gone`.
        """
        request = nds_pb2.WatchNetworksRequest(include_hidden=include_hidden)
        try:
            async for payload in self._way.stream(WATCH, request.SerializeToString()):
                self._heard("", self._unable)
                check = Check(Limits())
                change = get_change(_change(payload), check)
                check.done()
                self._warn(change.left_out)
                if not change.left_out:
                    yield change
        except grpc.aio.AioRpcError as error:
            self._heard(told(error))
            raise Gone(told(error)) from error
        except Distrusted as error:
            self._heard(str(error))
            raise Gone(str(error)) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # It is we who are to end, and not the stream under us.
            raise Gone("the connection was replaced") from None
        except Malformed as error:
            raise Gone(f"the answer is malformed: {error}") from error
        raise Gone("the NDS ended the stream")

    def _warn(self, left_out: str) -> None:
        """Say why a network cannot be told, once: it may be in every list."""
        if left_out and not self._warned:
            self._warned = True
            text = "NDS %s: networks that cannot be read are left out: %s"
            _log.warning(text, self.address, left_out[:300])

    async def _call(self, request: Any, deadline_ms: Millis) -> Any:
        outcome, in_time = await self._asked(request, deadline_ms)
        if in_time:
            self._end(request, outcome)
        else:
            self.last_error = outcome.status
            self.doubted.set()
        return outcome

    async def _asked(self, request: Any, deadline_ms: Millis) -> tuple[Any, bool]:
        """The end of a call, and whether it came before its time was over."""
        method = NDS_METHODS[type(request)]
        at_ms, began = time.time_ns() // 1_000_000, time.perf_counter_ns()
        outcome: Any = await self._way.call(method.path, method.write_request(request), deadline_ms)
        silence = outcome if isinstance(outcome, Silenced) else None
        in_time = silence is None or silence.how is Silence.REFUSED or bool(silence.reason)
        if isinstance(outcome, bytes):
            try:
                outcome = method.read_reply(outcome)
            except Malformed as error:
                text = f"the answer is malformed: {error}"[:300]
                outcome = Silenced(Silence.SILENT, text)
        took_us = (time.perf_counter_ns() - began) // 1_000
        self._log.add(
            CallRow(
                method.path,
                self.address,
                at_ms,
                took_us,
                status_of(outcome),
                request,
                method.put_request,
            )
        )
        return outcome, in_time

    def _end(self, request: Any, outcome: Any) -> None:
        """A call has ended, and says whether the service answers, and whether it can store."""
        silence = outcome if isinstance(outcome, Silenced) else None
        if silence is not None and silence.reason:
            self.doubted.set()  # until it can, though nobody asks for anything
            self._heard("", silence.reason)
        elif silence is not None:
            self._heard(silence.status)
        elif isinstance(outcome, NetworkPage):
            self._heard("", outcome.fault)
        else:  # What only reads, or is refused, does not say whether it can store.
            writes = not isinstance(request, Lookup) and not isinstance(outcome, Refusal)
            self._heard("", "" if writes else self._unable)

    @property
    def _unable(self) -> str:
        """The fault, where that is why one that answers can store nothing."""
        return self.fault if self.up else ""

    def _heard(self, error: str, fault: str = "") -> None:
        """A call has ended: `error` says how it came to nothing, or is empty.

        `fault` is the reason why it can store nothing.
        """
        up = not error
        if error:
            self.last_error = error
            fault = OTHER_KEY if self._way.distrust else ""
        if up is self.up and fault == self.fault:
            return
        if up is not self.up:
            self.down_since_ms = 0 if up else time.time_ns() // 1_000_000
        self.up, self.fault = up, fault
        self._on_change(self)

    @property
    def distrust(self) -> str:
        """Why whoever listens there is not spoken to; empty while it is."""
        return self._way.distrust

    async def close(self) -> None:
        await self._way.close()


def _change(payload: bytes) -> nds_pb2.WatchNetworksResponse:
    message = parse(nds_pb2.WatchNetworksResponse, payload)
    assert isinstance(message, nds_pb2.WatchNetworksResponse)
    return message
