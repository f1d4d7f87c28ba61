"""NodeDiscovery over gRPC: messages to decisions and back.  Nothing is decided here."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from msgspec.structs import replace

from nds.budget import Budget
from nds.ledger import Ledger
from nds.logs import say
from nds.record import (
    HIDDEN_MS,
    Answer,
    Ask,
    Claim,
    Granted,
    Reason,
    Record,
    Refused,
    Removal,
    Removed,
    claim_begin,
    claim_finish,
    create,
    heard,
    is_hidden,
    known_by_leader,
    remove_begin,
    remove_finish,
    renew,
)
from nds.service import wire
from nds.service.grants import Grants
from nds.service.proofs import Caller
from nds.service.questions import Questions
from nds.service.statuses import Refusal, store_fault, streaming, unary
from nds.store import Changed
from nds.watchers import Watchers
from p2pchat.v1 import nds_pb2, nds_pb2_grpc

LISTING_PAGE = 100  # networks that are in the price of a call

T = TypeVar("T")


class NodeDiscovery(nds_pb2_grpc.NodeDiscoveryServicer):
    """The service.  `now` gives unix milliseconds, `draw` a number for a new network; `budget` is
    what each address may ask, None: as much as it likes.
    """

    def __init__(
        self,
        ledger: Ledger,
        watchers: Watchers,
        questions: Questions,
        now: Callable[[], int],
        grants: Grants,
        draw: Callable[[], int] = lambda: secrets.randbelow(wire.CHAT_MAX) + 1,
        budget: Budget | None = None,
    ) -> None:
        self.budget = budget
        self._ledger = ledger
        self._watchers = watchers
        self._questions = questions
        self._now = now
        self._grants = grants
        self._draw = draw
        self._claiming: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @unary
    async def CreateNetwork(
        self, request: nds_pb2.CreateNetworkRequest, caller: Caller
    ) -> nds_pb2.CreateNetworkResponse:
        now_ms = self._now()
        wanted = wire.creation(request, now_ms, self._draw, caller)
        decide = partial(create, request=wanted, now_ms=now_ms)
        changed = await self._ledger.change(wanted.chat, decide, request=wanted.request)
        granted = self._unrefused(changed.reply)
        if changed.before is None:
            say("created", about=_about(granted.record))
        self._call_back(granted.record.chat, granted.ask)
        return nds_pb2.CreateNetworkResponse(
            network=self._told(granted.record), ids=self._grants.ids(granted.record, granted.ids)
        )

    @unary
    async def GetNetworkInformation(
        self, request: nds_pb2.GetNetworkInformationRequest, caller: Caller
    ) -> nds_pb2.GetNetworkInformationResponse:
        after, size = wire.reading(request, self._now())
        if request.chat_id or request.name:
            record = await self._read(request.chat_id, request.name)
            return nds_pb2.GetNetworkInformationResponse(networks=[self._told(record)])
        for _ in range(LISTING_PAGE, size, LISTING_PAGE):
            caller.spend()
        page = await self._ledger.page(after, size + 1, self._seen_from(request.include_hidden))
        fault = await self._ledger.fault()
        return nds_pb2.GetNetworkInformationResponse(
            networks=[self._network(record) for record in page[:size]],
            store_fault=store_fault(fault) if fault is not None else "",
            next_page_token=wire.page_token(page[size - 1]) if len(page) > size else "",
        )

    @unary
    async def UpdateLeader(
        self, request: nds_pb2.UpdateLeaderRequest, caller: Caller
    ) -> nds_pb2.UpdateLeaderResponse:
        claim = wire.claim(request, self._now(), caller)
        facts = self._grants.looked_at(claim.chat, claim.facts, request.facts.grant)
        claim = replace(claim, facts=facts)
        async with self._claiming.setdefault(claim.chat, asyncio.Lock()):
            reply = await self._claim(claim)
        granted = self._unrefused(reply)
        self._call_back(claim.chat, granted.ask)
        return nds_pb2.UpdateLeaderResponse(
            network=self._told(granted.record), ids=self._grants.ids(granted.record, granted.ids)
        )

    @unary
    async def Renew(self, request: nds_pb2.RenewRequest, caller: Caller) -> nds_pb2.RenewResponse:
        now_ms = self._now()
        renewal = wire.renewal(request, now_ms, caller)
        known = known_by_leader(renewal)
        facts = self._grants.looked_at(renewal.chat, known, request.facts.grant)
        renewal = replace(renewal, facts=facts)
        decide = partial(renew, renewal=renewal, now_ms=now_ms)
        changed = await self._ledger.change(renewal.chat, decide)
        _log_recall(changed)
        renewed = self._unrefused(changed.reply)
        self._call_back(renewal.chat, renewed.ask)
        return nds_pb2.RenewResponse(
            network=self._told(renewed.record), ids=self._grants.ids(renewed.record, renewed.ids)
        )

    @unary
    async def DeleteNetwork(
        self, request: nds_pb2.DeleteNetworkRequest, caller: Caller
    ) -> nds_pb2.DeleteNetworkResponse:
        removal = wire.removal(request, self._now(), caller)
        async with self._claiming.setdefault(removal.chat, asyncio.Lock()):
            self._unrefused(await self._remove(removal))
        return nds_pb2.DeleteNetworkResponse()

    @streaming
    async def WatchNetworks(
        self, request: nds_pb2.WatchNetworksRequest, caller: Caller
    ) -> AsyncGenerator[nds_pb2.WatchNetworksResponse, None]:
        watcher = self._watchers.add()
        try:
            async for record in self._listing(self._seen_from(request.include_hidden), caller):
                yield nds_pb2.WatchNetworksResponse(network=self._network(record))
            yield nds_pb2.WatchNetworksResponse(caught_up=True)
            # What is owed was published after the watcher was added, and is at least as new
            # as what the listing said of the same network.
            while True:
                record = await watcher.next()
                hidden = is_hidden(record, self._now()) and not record.deleted
                if request.include_hidden or not hidden:
                    yield nds_pb2.WatchNetworksResponse(
                        network=self._network(record), deleted=record.deleted
                    )
        finally:
            self._watchers.remove(watcher)

    # --- the steps -------------------------------------------------------------------------------

    async def _claim(self, claim: Claim) -> Granted | Refused:
        """Both halves of a claim, with the question to the old leader between them."""
        begin = partial(claim_begin, claim=claim, now_ms=self._now())
        begun = await self._ledger.change(claim.chat, begin)
        _log_recall(begun)
        reply = begun.reply
        if isinstance(reply, Ask):
            answer = await self._questions.put(claim.chat, reply)
            finish = partial(
                claim_finish, claim=claim, ask=reply, answer=answer, now_ms=self._now()
            )
            reply = (await self._ledger.change(claim.chat, finish)).reply
        if isinstance(reply, Granted):
            say("granted", about=_about(reply.record))
        elif reply.record is not None:
            say("refused", about=_about(reply.record), reason=reply.reason, asked_by=claim.node)
        return reply

    async def _remove(self, removal: Removal) -> Removed | Refused:
        """Both halves of a removal, likewise."""
        begin = partial(remove_begin, removal=removal)
        begun = await self._ledger.change(removal.chat, begin)
        before, reply = begun.before, begun.reply
        if isinstance(reply, Ask):
            answer = await self._questions.put(removal.chat, reply)
            finish = partial(
                remove_finish, removal=removal, ask=reply, answer=answer, now_ms=self._now()
            )
            finished = await self._ledger.change(removal.chat, finish)
            before, reply = finished.before, finished.reply
        if isinstance(reply, Refused):
            if reply.record is not None:
                say("refused", about=_about(reply.record), reason=reply.reason)
        elif before is not None and not before.deleted:
            say("deleted", about=_about(reply.record))
        return reply

    def _call_back(self, chat: int, ask: Ask | None) -> None:
        """Find out, in the background, whether the leader can be reached from here."""
        if ask is None:
            return

        async def note(answer: Answer) -> None:
            decide = partial(heard, ask=ask, answer=answer, now_ms=self._now())
            await self._ledger.change(chat, decide)

        self._questions.put_later(chat, ask, note)

    async def _read(self, chat: int, name: str) -> Record:
        record = await (self._ledger.get(chat) if chat else self._ledger.find(name))
        if record is None or record.deleted:
            raise Refusal(Refused(Reason.UNKNOWN_NETWORK), self._now())
        return record

    async def _listing(self, seen_from_ms: int, caller: Caller) -> AsyncIterator[Record]:
        after = ""
        while page := await self._ledger.page(after, LISTING_PAGE, seen_from_ms):
            for record in page:
                yield record
            after = page[-1].name
            caller.spend()

    def _seen_from(self, include_hidden: bool) -> int:
        """Since when the leaders of a listing must have been heard."""
        return 0 if include_hidden else self._now() - HIDDEN_MS + 1

    def _network(self, record: Record) -> nds_pb2.NetworkInformation:
        return wire.network_of(record, self._now())

    def _told(self, record: Record) -> nds_pb2.NetworkInformation:
        """With the grant, for who asks for this one."""
        return wire.network_of(record, self._now(), self._grants.of(record))

    def _unrefused(self, reply: T | Refused) -> T:
        if isinstance(reply, Refused):
            grant = self._grants.of(reply.record) if reply.record is not None else None
            raise Refusal(reply, self._now(), grant)
        return reply


def _about(record: Record) -> dict[str, str | int]:
    """What the log says of a record."""
    return {
        "chat": f"{record.chat:016x}",
        "name": record.name,
        "generation": record.epoch.generation,
        "epoch": record.epoch.n,
        "leader": record.leader,
        "address": record.address,
    }


def _log_recall(changed: Changed[object]) -> None:
    """Say when a caller knew of an epoch that this service had forgotten."""
    before, after, reply = changed.before, changed.after, changed.reply
    forgot = before is None or (after is not None and after.epoch > before.epoch)
    if after is not None and forgot and not isinstance(reply, Granted):
        say("recalled", about=_about(after))
