"""Acknowledgements and catch-up: each request and reply, both ways."""
# ruff: noqa: D103  put_ and get_ of a value named in the core need no sentence of their own

from collections.abc import Sequence

from node.codec import conversation, facts
from node.codec.check import Check
from node.core import messages as core
from node.core.sums import SHORT_BYTES, SUM_BYTES
from node.core.types import Floor, Key, Run, Stored, Stream
from node.limits import (
    DIGESTS_MAX,
    HELD_MAX,
    MARKS_MAX,
    MESSAGES_MAX,
    NUMBER_MAX,
    STORED_MAX,
)
from p2pchat.v1 import common_pb2 as common
from p2pchat.v1 import node_pb2 as pb


def put_told(told: core.Told) -> pb.MessageResponse:
    return pb.MessageResponse(
        receipt=pb.Receipt.ValueType(told.receipt),
        msg_id=told.id,
        node_id=told.node,
        word=told.word,
    )


def get_told(p: pb.MessageResponse, check: Check) -> core.Told:
    return core.Told(
        receipt=check.option(core.Receipt, p.receipt, "receipt"),
        id=facts.get_id(p.msg_id, check, "msg_id"),
        node=check.number(p.node_id, "node_id", low=1),
        word=facts.get_signature(p.word, check, "word"),
    )


def put_acks(acks: core.Acks) -> pb.AcknowledgeRequest:
    return pb.AcknowledgeRequest(
        caller=facts.put_caller(acks.caller, build=""),
        source_id=acks.source,
        stream=facts.put_stream(acks.stream),
        stored=[pb.Stored(member_id=m, first=first, last=last) for m, first, last in acks.stored],
    )


def get_acks(p: pb.AcknowledgeRequest, check: Check) -> core.Acks:
    stored: tuple[Stored, ...] = ()
    if check.required(bool(p.stored), "stored") and check.size(p.stored, "stored", STORED_MAX):
        stored = check.each(_get_stored, p.stored, "stored")
    return core.Acks(
        caller=facts.get_required_caller(p, check),
        source=check.number(p.source_id, "source_id", low=1),
        stream=facts.get_stream(p.stream, check, "stream"),
        stored=stored,
    )


def _get_stored(p: pb.Stored, check: Check, at: str) -> Stored:
    first = check.number(p.first, f"{at}.first", low=1, high=NUMBER_MAX - MESSAGES_MAX)
    last = check.number(p.last, f"{at}.last", low=first, high=first + MESSAGES_MAX - 1)
    return Stored(check.number(p.member_id, f"{at}.member_id", low=1), first, last)


def put_acks_noted(_: core.AcksNoted) -> pb.AcknowledgeResponse:
    return pb.AcknowledgeResponse()


def get_acks_noted(_: pb.AcknowledgeResponse, __: Check) -> core.AcksNoted:
    return core.AcksNoted()


def put_sync(sync: core.Sync) -> pb.SyncRequest:
    return pb.SyncRequest(
        caller=facts.put_caller(sync.caller),
        view=facts.put_view(sync.view),
        digests=[_put_digest(source, hash) for source, hash in sync.digests],
        held=map(_put_run, sync.held),
        sources=sync.sources,
        newest_first=sync.newest_first,
        floors=map(_put_floor, sync.floors),
        holes=map(facts.put_key, sync.holes),
        wanted=map(facts.put_key, sync.wanted),
    )


def get_sync(p: pb.SyncRequest, check: Check) -> core.Sync:
    digests: tuple[tuple[int, int], ...] = ()
    if check.size(p.digests, "digests", DIGESTS_MAX):
        digests = check.each(_get_digest, p.digests, "digests")
    return core.Sync(
        caller=facts.get_required_caller(p, check),
        view=facts.get_required_view(p, check),
        digests=digests,
        held=_get_runs(p, check),
        sources=facts.get_members(p.sources, check, "sources"),
        newest_first=p.newest_first,
        floors=_get_floors(p, check),
        holes=_get_keys(p.holes, check, "holes"),
        wanted=_get_keys(p.wanted, check, "wanted"),
    )


def _put_digest(source: int, hash: int) -> pb.SourceDigest:
    return pb.SourceDigest(source_id=source, hash=_put_wide(hash, SHORT_BYTES))


def _get_digest(p: pb.SourceDigest, check: Check, at: str) -> tuple[int, int]:
    source = check.number(p.source_id, f"{at}.source_id", low=1)
    return source, _get_wide(p.hash, SHORT_BYTES, check, f"{at}.hash")


def _put_wide(value: int, size: int) -> bytes:
    """A number of so many bytes; empty for 0."""
    return value.to_bytes(size) if value else b""


def _get_wide(sent: bytes, size: int, check: Check, at: str) -> int:
    if len(sent) not in (0, size):
        check.fail(at, f"must have {size} bytes, or none, not {len(sent)}")
        return 0
    return int.from_bytes(sent)


def _put_floor(floor: Floor) -> pb.Floor:
    stream = facts.put_stream(floor.stream)
    total = _put_wide(floor.sum, SUM_BYTES)
    return pb.Floor(source_id=floor.source, stream=stream, seq=floor.seq, sum=total)


def _get_floors(p: pb.SyncRequest | pb.SyncResponse, check: Check) -> tuple[Floor, ...]:
    if not check.size(p.floors, "floors", MARKS_MAX):
        return ()
    return check.each(_get_floor, p.floors, "floors")


def _get_floor(p: pb.Floor, check: Check, at: str) -> Floor:
    source = check.number(p.source_id, f"{at}.source_id", low=1)
    stream = facts.get_stream(p.stream, check, f"{at}.stream")
    seq = check.number(p.seq, f"{at}.seq", low=1)
    return Floor(source, stream, seq, _get_wide(p.sum, SUM_BYTES, check, f"{at}.sum"))


def _get_keys(keys: Sequence[common.MessageKey], check: Check, at: str) -> tuple[Key, ...]:
    if not check.size(keys, at, MARKS_MAX):
        return ()
    return check.each(facts.get_key, keys, at)


def _put_run(run: Run) -> pb.Range:
    return pb.Range(
        source_id=run.source,
        stream=facts.put_stream(run.stream),
        first=run.first,
        last=run.last,
        hash=_put_wide(run.hash, SHORT_BYTES),
    )


def _get_runs(p: pb.SyncRequest | pb.SyncResponse, check: Check) -> tuple[Run, ...]:
    if not check.size(p.held, "held", HELD_MAX):
        return ()
    return check.each(_get_run, p.held, "held")


def _get_run(p: pb.Range, check: Check, at: str) -> Run:
    source = check.number(p.source_id, f"{at}.source_id", low=1)
    stream = facts.get_stream(p.stream, check, f"{at}.stream")
    first = check.number(p.first, f"{at}.first", low=1)
    last = check.number(p.last, f"{at}.last", low=first)
    return Run(source, stream, first, last, _get_wide(p.hash, SHORT_BYTES, check, f"{at}.hash"))


def put_synced(synced: core.Synced) -> pb.SyncResponse:
    return pb.SyncResponse(
        sources=synced.sources,
        messages=map(conversation.put_message, synced.messages),
        more=synced.more,
        view=facts.put_view(synced.view),
        behind=synced.behind,
        partial=synced.partial,
        held=map(_put_run, synced.held),
        floors=map(_put_floor, synced.floors),
        holes=map(facts.put_key, synced.holes),
        found=map(facts.put_key, synced.found),
        said_stream=facts.put_stream(synced.said[0]) if synced.said is not None else None,
        said_seq=synced.said[1] if synced.said is not None else 0,
    )


def get_synced(p: pb.SyncResponse, check: Check) -> core.Synced:
    return core.Synced(
        view=facts.get_required_view(p, check),
        sources=facts.get_members(p.sources, check, "sources"),
        messages=conversation.get_messages(p.messages, check, "messages"),
        more=p.more,
        behind=p.behind,
        partial=p.partial,
        held=_get_runs(p, check),
        floors=_get_floors(p, check),
        holes=_get_keys(p.holes, check, "holes"),
        found=_get_keys(p.found, check, "found"),
        said=_get_said(p, check) if p.HasField("said_stream") else None,
    )


def _get_said(p: pb.SyncResponse, check: Check) -> tuple[Stream, int]:
    incarnation = check.number(p.said_stream.incarnation, "said_stream.incarnation")
    return Stream(incarnation, p.said_stream.random), check.number(p.said_seq, "said_seq")
