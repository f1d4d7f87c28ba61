"""Chat messages: the values of the core as protobuf and back, and the calls that carry them.

The lines of a message are read and checked together, which costs a fraction of doing it one by one;
only where something is wrong they are gone through, to name it.
"""
# ruff: noqa: D103  put_ and get_ of a value named in the core need no sentence of their own

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

from node.codec import facts, sealing
from node.codec.check import Check
from node.core import messages as core
from node.core.conversation import DIGEST_BYTES, LINES_MAX, SALT_BYTES, ChatMessage, Kind, Spot
from node.core.types import Key, MemberId
from node.limits import (
    CHAT_MAX,
    DEPS_MAX,
    HEADS_MAX,
    MESSAGES_MAX,
    NUMBER_MAX,
    PASS_ON_MAX,
    SIGNATURE_BYTES,
    TEXT_CEILING,
    text_fault,
)
from p2pchat.v1 import common_pb2 as common
from p2pchat.v1 import node_pb2 as pb

_IDS = re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n)+")
_KINDS = {kind: common.Kind.ValueType(kind) for kind in Kind}
_OF_NUMBER = {int(kind): kind for kind in Kind} | {0: Kind.TEXT}

CHANGES = (common.KIND_EDIT, common.KIND_REDACT)

# ---- one message -------------------------------------------------------------------------------


def _put_header(message: ChatMessage) -> common.Header:
    _, stream, seq = message.key
    ms, counter = message.hlc
    header = common.Header(
        stream=facts.put_stream(stream),
        seq=seq,
        deps=[facts.put_key(dep) for dep in message.deps],
        hlc=common.Hlc(ms=ms, counter=counter),
        sent_ms=message.sent,
        epoch=facts.put_epoch(message.epoch),
        kind=_KINDS[message.kind],
        salts=message.salts,
        signature=message.signature,
        heads=message.heads,
    )
    if message.about is not None:
        header.about.CopyFrom(_put_spot(message.about))
    if message.erased:
        header.erased.extend(message.erased)
    return header


def _put_spot(spot: Spot) -> common.LineKey:
    return common.LineKey(message=facts.put_key(spot.key), line=spot.at)


def put_message(message: ChatMessage) -> common.ChatMessage:
    ids, texts = message.ids, message.texts
    return common.ChatMessage(
        msg_id=ids[0],
        source_id=message.key.source,
        msg=texts[0],
        header=_put_header(message),
        more_ids=ids[1:],
        more_msgs=texts[1:],
    )


def get_message(p: common.ChatMessage | pb.MessageRequest, check: Check, at: str) -> ChatMessage:
    """A chat message from the fields that carry it, whichever message they stand in."""
    paths, header, source = _paths(at), p.header, p.source_id
    if not 0 < source <= NUMBER_MAX:
        check.number(source, paths.source, low=1)
    if not header.HasField("hlc"):
        check.fail(paths.hlc, "is required")
    ids = _get_ids(p.msg_id, p.more_ids, check, paths)
    erased: Sequence[bytes] = header.erased
    if erased or header.kind in CHANGES:
        texts = _get_what_is_left(p.msg, p.more_msgs, header, check, paths)
    else:
        texts = _get_texts(p.msg, p.more_msgs, check, paths)
    salts, signature = header.salts, header.signature
    if len(ids) != len(texts):
        check.fail(paths.ids, f"must have {len(texts) - 1} entries, as more_msgs has")
    if salts and len(salts) != SALT_BYTES * len(texts):
        check.fail(paths.salts, f"must be {SALT_BYTES} bytes for each line, not {len(salts)}")
    if signature and len(signature) != SIGNATURE_BYTES:
        check.fail(paths.signature, f"must be {SIGNATURE_BYTES} bytes, not {len(signature)}")
    seq, sent, kind = header.seq, header.sent_ms, header.kind
    if not (0 < seq <= NUMBER_MAX and sent <= NUMBER_MAX):
        check.number(seq, paths.seq, low=1)
        check.number(sent, paths.sent)
    deps: tuple[Key, ...] = ()
    if header.deps and check.size(header.deps, paths.deps, DEPS_MAX):
        deps = tuple(map(facts.get_key, header.deps, repeat(check), paths.each_dep))
    key = Key(source, facts.get_stream(header.stream, check, paths.stream), seq)
    heads: tuple[bytes, ...] = ()
    if header.heads and check.size(header.heads, paths.heads, HEADS_MAX):
        heads = tuple(header.heads)
        facts.check_decisions(heads, check, paths.heads)
    about = None
    if header.kind in CHANGES or header.HasField("about"):
        about = _get_about(header, key, deps, check, paths)
    return ChatMessage(
        key,
        ids,
        texts,
        deps,
        facts.get_hlc(header.hlc, check, paths.hlc),
        sent,
        facts.get_epoch(header.epoch, check, paths.epoch),
        _OF_NUMBER.get(kind) or check.option(Kind, kind, paths.kind),
        salts,
        signature,
        heads,
        about,
        tuple(erased) if len(erased) == len(texts) else (),
    )


def _get_about(
    header: common.Header, key: Key, deps: tuple[Key, ...], check: Check, paths: "_Paths"
) -> Spot | None:
    """Which line a message changes; none by what is said."""
    has, at = header.HasField("about"), paths.about
    if header.kind not in CHANGES:
        if has:
            check.fail(at, "must not be there for lines that are said")
        return None
    if not check.required(has, at):
        return None
    line = check.number(header.about.line, f"{at}.line", high=LINES_MAX - 1)
    of = facts.get_key(header.about.message, check, f"{at}.message")
    is_before = of[:2] == key[:2] and of.seq < key.seq
    if not is_before and of not in deps:
        check.fail(f"{at}.message", "must be among deps, or earlier in the same stream")
    return Spot(of, line)


def _get_what_is_left(
    first: str, more: Sequence[str], header: common.Header, check: Check, paths: "_Paths"
) -> tuple[str, ...]:
    """The texts of a message some of which are not there."""
    if not check.size(more, paths.texts, LINES_MAX - 1):
        return (first,)
    texts, erased = (first, *more), tuple(header.erased) or (b"",) * (1 + len(more))
    if header.kind in CHANGES and more:
        check.fail(paths.texts, "must not be there for a change of a line")
    if len(erased) != len(texts):
        check.fail(paths.erased, f"must have {len(texts)} entries, as there are lines")
        return texts
    kept = [text for text, digest in zip(texts, erased, strict=True) if not digest]
    for i, (text, digest) in enumerate(zip(texts, erased, strict=True)):
        at = f"{paths.texts}[{i - 1}]" if i else paths.text
        if digest and len(digest) != DIGEST_BYTES:
            fault = f"must be empty or {DIGEST_BYTES} bytes, not {len(digest)}"
            check.fail(f"{paths.erased}[{i}]", fault)
        if digest or header.kind == common.KIND_REDACT:
            if text:
                check.fail(at, "must be empty: it is erased, or there is nothing to say")
        else:
            check.note(at, text_fault(text, check.limits.text_max))
    if (size := sum(len(text.encode()) for text in kept)) > TEXT_CEILING:
        check.fail(paths.texts, f"must be at most {TEXT_CEILING} bytes with msg, not {size}")
    return texts


def _get_ids(first: str, more: Sequence[str], check: Check, paths: "_Paths") -> tuple[str, ...]:
    if not more:
        return (facts.get_id(first, check, paths.id),)
    if not check.size(more, paths.ids, LINES_MAX - 1):
        return (first,)
    ids = (first, *more)
    if max(map(len, ids)) > 36 or not _IDS.fullmatch("\n".join(ids) + "\n"):
        each = [facts.get_id(id, check, f"{paths.ids}[{i}]") for i, id in enumerate(more)]
        ids = (facts.get_id(first, check, paths.id), *each)
    if len(set(ids)) != len(ids):
        check.fail(paths.ids, "must be different ones")
    return ids


def _get_texts(first: str, more: Sequence[str], check: Check, paths: "_Paths") -> tuple[str, ...]:
    most = check.limits.text_max
    if fault := text_fault(first, most):
        check.fail(paths.text, fault)
    if not more:
        return (first,)
    if not check.size(more, paths.texts, LINES_MAX - 1):
        return (first,)
    texts = (first, *more)
    if not all(texts) or 4 * max(map(len, texts)) > most:
        for i, text in enumerate(more):
            check.note(f"{paths.texts}[{i}]", text_fault(text, most))
    if 4 * sum(map(len, texts)) > TEXT_CEILING:
        size = sum(len(text.encode()) for text in texts)
        if size > TEXT_CEILING:
            fault = f"must be at most {TEXT_CEILING} bytes with msg, not {size}"
            check.fail(paths.texts, fault)
    return texts


class _Paths(NamedTuple):
    """What the fields of a chat message are called."""

    source: str
    text: str
    id: str
    texts: str
    ids: str
    stream: str
    seq: str
    deps: str
    each_dep: tuple[str, ...]
    hlc: str
    sent: str
    epoch: str
    kind: str
    salts: str
    signature: str
    heads: str
    about: str
    erased: str


@lru_cache(maxsize=16)
def _paths(at: str) -> _Paths:
    header = f"{at}header"
    deps = f"{header}.deps"
    return _Paths(
        source=f"{at}source_id",
        text=f"{at}msg",
        id=f"{at}msg_id",
        texts=f"{at}more_msgs",
        ids=f"{at}more_ids",
        stream=f"{header}.stream",
        seq=f"{header}.seq",
        deps=deps,
        each_dep=tuple(f"{deps}[{i}]" for i in range(DEPS_MAX)),
        hlc=f"{header}.hlc",
        sent=f"{header}.sent_ms",
        epoch=f"{header}.epoch",
        kind=f"{header}.kind",
        salts=f"{header}.salts",
        signature=f"{header}.signature",
        heads=f"{header}.heads",
        about=f"{header}.about",
        erased=f"{header}.erased",
    )


def get_messages(
    these: Sequence[common.ChatMessage], check: Check, at: str
) -> tuple[ChatMessage, ...]:
    """Several.  Only where one is wrong their numbers are needed, to name it."""
    quick, one, found = Check(check.limits), f"{at}.", list[ChatMessage]()
    for p in these:
        found.append(get_message(p, quick, one))
        if quick.violations:
            return check.each(_get_numbered, these, at)
    return tuple(found)


def _get_numbered(p: common.ChatMessage, check: Check, at: str) -> ChatMessage:
    return get_message(p, check, f"{at}.")


# ---- what carries them -------------------------------------------------------------------------


def put_tell(tell: core.Tell) -> pb.MessageRequest:
    """The call that carries one message; several go over a link, or call by call."""
    (message,) = tell.messages
    ids, texts = message.ids, message.texts
    return pb.MessageRequest(
        chat_id=tell.caller.chat,
        msg_id=ids[0],
        source_id=message.key.source,
        destination_id=tell.to,
        msg=texts[0],
        header=_put_header(message),
        caller=facts.put_caller(tell.caller, build=""),
        pass_on=tell.pass_on,
        more_ids=ids[1:],
        more_msgs=texts[1:],
    )


def get_tell(p: pb.MessageRequest, check: Check) -> core.Tell:
    chat = p.chat_id
    if not 0 < chat <= CHAT_MAX:
        check.number(chat, "chat_id", low=1, high=CHAT_MAX)
    elif p.caller.chat_id not in (0, chat):
        check.fail("caller.chat_id", f"must be chat_id or 0, not {p.caller.chat_id}")
    is_said = check.seals is None or p.HasField("header")  # Else it was not sealed for us.
    if not (p.HasField("caller") and p.HasField("header")):
        check.required(p.HasField("caller"), "caller")
        check.required(p.HasField("header") or not is_said, "header")
    to = p.destination_id
    if not 0 < to <= NUMBER_MAX:
        check.number(to, "destination_id", low=1)
    return core.Tell(
        caller=facts.get_caller(p.caller, check, chat=chat),
        to=to,
        messages=(get_message(p, check, ""),) if is_said else (),
        pass_on=facts.get_members(p.pass_on, check, "pass_on", PASS_ON_MAX),
    )


def put_head(caller: core.Caller, to: MemberId, pass_on: tuple[MemberId, ...]) -> pb.Messages:
    """Who calls and for whom: what differs from member to member."""
    calls = facts.put_caller(caller, build="")
    return pb.Messages(caller=calls, destination_id=to, pass_on=pass_on)


def put_body(messages: Sequence[ChatMessage]) -> pb.Messages:
    """The messages, which are the same for all members."""
    return pb.Messages(messages=map(put_message, messages))


def get_several(p: pb.Messages, check: Check) -> core.Tell:
    """The messages as they were told.  Takes down what is wrong, and gives none of them then."""
    caller = facts.get_required_caller(p, check)
    to = check.number(p.destination_id, "messages.destination_id", low=1)
    pass_on = facts.get_members(p.pass_on, check, "messages.pass_on", PASS_ON_MAX)
    these = p.messages
    if check.seals is not None:
        said = sealing.opened(p, check.seals, caller.chat, caller.node)
        if said is None:  # The group refuses that, unless it refuses the caller.
            return core.Tell(caller, to, (), pass_on)
        these = said.messages
    if not check.required(bool(these), "messages.messages"):
        return core.Tell(caller, to, ())
    if not check.size(these, "messages.messages", MESSAGES_MAX):
        return core.Tell(caller, to, ())
    messages = get_messages(these, check, "messages.messages")
    source, stream, seq = messages[0].key
    if len(messages) > 1 and not check.violations:
        for i, message in enumerate(messages):
            if message.key != (source, stream, seq + i):
                fault = "must be the next one of the stream"
                check.fail(f"messages.messages[{i}].header.seq", fault)
                break
    return core.Tell(caller, to, () if check.violations else messages, pass_on)
