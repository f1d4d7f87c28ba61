"""Chat messages of one stream in columns: what a link carries in place of one message each.

A column is read and checked as a whole, which costs a fraction of reading one message at a time;
only where something is wrong it is gone through, to name it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from node.codec import facts
from node.codec.check import Check
from node.core import messages as core
from node.core.messages import ChatMessage, Kind
from node.core.types import Epoch, Hlc, Key, MemberId
from node.limits import (
    COUNTER_MAX,
    DEPS_MAX,
    HLC_MAX,
    LINES_MAX,
    NUMBER_MAX,
    PASS_ON_MAX,
    text_fault,
)
from p2pchat.v1 import node_pb2 as pb

_IDS = re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n)+")
_BOUNDS = {
    "hlc_ms": HLC_MAX,
    "hlc_counters": COUNTER_MAX,
    "sent_ms": NUMBER_MAX,
    "epoch_generations": NUMBER_MAX,
    "epoch_ns": NUMBER_MAX,
}


def put_head(caller: core.Caller, to: MemberId, pass_on: tuple[MemberId, ...]) -> pb.Lines:
    """Who calls and for whom: what differs from member to member."""
    calls = facts.put_caller(caller, build="")
    return pb.Lines(caller=calls, destination_id=to, pass_on=pass_on)


def put_columns(messages: Sequence[ChatMessage]) -> pb.Lines:
    """The messages, which are the same for all members."""
    source, stream, seq = messages[0].key
    only_text = all(m.kind is Kind.TEXT for m in messages)
    deps = [dep for m in messages for dep in m.deps]
    return pb.Lines(
        source_id=source,
        stream=facts.put_stream(stream),
        first_seq=seq,
        msg_ids=[m.id for m in messages],
        texts=[m.text for m in messages],
        hlc_ms=[m.hlc[0] for m in messages],
        hlc_counters=[m.hlc[1] for m in messages],
        sent_ms=[m.sent for m in messages],
        epoch_generations=[m.epoch[0] for m in messages],
        epoch_ns=[m.epoch[1] for m in messages],
        kinds=() if only_text else [facts.KINDS[m.kind] for m in messages],
        dep_counts=[len(m.deps) for m in messages] if deps else (),
        deps=map(facts.put_key, deps),
    )


def get_lines(p: pb.Lines, check: Check) -> core.Tell:
    """The messages as they were told.  Takes down what is wrong, and gives none of them then."""
    caller = facts.get_required_caller(p, check)
    to = check.number(p.destination_id, "lines.destination_id", low=1)
    texts = list(p.texts)
    if check.size(texts, "lines.texts", LINES_MAX):
        check.required(bool(texts), "lines.texts")
    source = check.number(p.source_id, "lines.source_id", low=1)
    stream = facts.get_stream(p.stream, check, "lines.stream")
    first = check.number(p.first_seq, "lines.first_seq", low=1, high=NUMBER_MAX - LINES_MAX)
    columns = [_numbers(p, name, len(texts), check) for name in _BOUNDS]
    ids = _get_ids(p, len(texts), check)
    kinds = _get_kinds(p, len(texts), check)
    deps = _get_deps(p, len(texts), check)
    pass_on = facts.get_members(p.pass_on, check, "lines.pass_on", PASS_ON_MAX)
    _check_texts(texts, check)
    if check.violations:
        return core.Tell(caller, to, ())
    ms, counters, sent, generations, ns = columns
    key_of, new = Key, tuple.__new__
    messages = [
        ChatMessage(
            new(key_of, (source, stream, seq)),
            id,
            text,
            named,
            new(Hlc, (at, counter)),
            wrote,
            new(Epoch, (generation, n)),
            kind,
        )
        for seq, id, text, named, at, counter, wrote, generation, n, kind in zip(
            range(first, first + len(texts)),
            ids,
            texts,
            deps,
            ms,
            counters,
            sent,
            generations,
            ns,
            kinds,
            strict=True,
        )
    ]
    return core.Tell(caller, to, tuple(messages), pass_on)


def _numbers(p: pb.Lines, name: str, count: int, check: Check) -> list[int]:
    values, most = list(getattr(p, name)), _BOUNDS[name]
    if _is_as_long(values, name, count, check) and values and max(values) > most:
        for i, value in enumerate(values):
            check.number(value, f"lines.{name}[{i}]", high=most)
    return values


def _is_as_long(values: Sequence[object], name: str, count: int, check: Check) -> bool:
    if len(values) == count:
        return True
    check.fail(f"lines.{name}", f"must have {count} entries, as texts has, not {len(values)}")
    return False


def _get_ids(p: pb.Lines, count: int, check: Check) -> list[str]:
    ids = list(p.msg_ids)
    if not _is_as_long(ids, "msg_ids", count, check) or not ids:
        return ids
    if _IDS.fullmatch("\n".join(ids) + "\n"):
        return ids
    return [facts.get_id(id, check, f"lines.msg_ids[{i}]") for i, id in enumerate(ids)]


def _get_kinds(p: pb.Lines, count: int, check: Check) -> list[Kind]:
    if not p.kinds:
        return [Kind.TEXT] * count
    _is_as_long(p.kinds, "kinds", count, check)
    return [
        Kind.TEXT if not kind else check.option(Kind, kind, f"lines.kinds[{i}]")
        for i, kind in enumerate(p.kinds)
    ]


def _get_deps(p: pb.Lines, count: int, check: Check) -> Sequence[tuple[Key, ...]]:
    """The predecessors that each message names."""
    counts = list(p.dep_counts)
    if not counts and not p.deps:
        return [()] * count
    if not _is_as_long(counts, "dep_counts", count, check):
        return ()
    for i, some in enumerate(counts):
        check.number(some, f"lines.dep_counts[{i}]", high=DEPS_MAX)
    if sum(counts) != len(p.deps):
        check.fail("lines.deps", f"must have {sum(counts)} entries, not {len(p.deps)}")
        return ()
    rest = _keys(p, check)
    return [tuple(islice(rest, some)) if some else () for some in counts]


def _keys(p: pb.Lines, check: Check) -> Iterator[Key]:
    for i, dep in enumerate(p.deps):
        yield facts.get_key(dep, check, f"lines.deps[{i}]")


def _check_texts(texts: Sequence[str], check: Check) -> None:
    most = check.limits.text_max
    if texts and all(texts) and 4 * max(map(len, texts)) <= most:
        return
    for i, text in enumerate(texts):
        check.note(f"lines.texts[{i}]", text_fault(text, most))
