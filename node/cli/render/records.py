"""The JSON of verbs and happenings: one object a line, fields as documented in `--help`.

`id` of a member is the small number that people see, `member` the whole one; `epoch` is its n, with
`generation` beside it; a chat's number is 16 hex digits; instants are UTC.
"""

import json
from typing import Any, TypeAlias

from msgspec import Struct

from ... import happenings, words
from ...core.types import small
from ...happenings import KINDS, Happening
from ...words import Chat, Epoch, Kind, Leader, Line, Mode, Status
from .text import chat_number, iso

Row: TypeAlias = dict[str, Any]

VERSION = 1

# What JSON lets through and a terminal obeys: DEL, C1, line separators.
_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


def dumped(row: Row) -> str:
    """One line of JSON, safe to be printed on a terminal."""
    return json.dumps(row, ensure_ascii=False).translate(_ESCAPED)


def member(member_id: int, nick: str = "") -> Row:
    """{"id","member","nick"}, with nulls for nobody."""
    if not member_id:
        return {"id": None, "member": None, "nick": None}
    return {"id": small(member_id), "member": member_id, "nick": nick}


def epoch(value: Epoch) -> Row:
    """{"epoch","generation"}"""
    return {"epoch": value.n, "generation": value.generation}


def plain(value: Any, **more: Any) -> Row:
    """Any value of `node.words` by the names of its fields, as the rules above want them."""
    row: Row = dict(more)
    for field in value.__struct_fields__:
        held = getattr(value, field)
        match field:
            case "member_id":
                row |= {"id": small(held) if held else None, "member": held or None}
            case "epoch":
                row |= epoch(held)
            case "chat_id":
                row["chat_id"] = chat_number(held)
            case name if name.endswith("_ms") and name not in _LENGTHS:
                row[name.removesuffix("_ms")] = iso(held)
            case name:
                row[name] = _held(held)
    return row


_LENGTHS = {"took_ms", "next_try_ms", "down_ms", "held_ms"}


def _held(held: Any) -> Any:
    if isinstance(held, tuple):
        return [_held(one) for one in held]
    return plain(held) if isinstance(held, Struct) else held


# ---- happenings --------------------------------------------------------------------------------


def event(happening: Happening) -> Row:
    """{"v":1,"type":...,"chat":...,"ts":...} and what the type has."""
    what = happening.what
    kind = next(name for name, type_ in KINDS.items() if isinstance(what, type_))
    head: Row = {"v": VERSION, "type": "chat" if kind == "chat_changed" else kind}
    head |= {"chat": happening.chat or None}
    if isinstance(what, Line):
        return head | line(what)
    head |= epoch(happening.epoch) | {"ts": iso(happening.at_ms)}
    return head | _event_fields(what)


def _event_fields(what: happenings.What) -> Row:
    match what:
        case happenings.ElectionEvent():
            by = member(what.by_id, what.by_nick)
            whom = member(what.whom_id, what.whom_nick)
            row = {"by": by, "phase": what.phase, "whom": whom, "detail": what.detail}
            return row | {"text": what.text, "quiet": what.quiet}
        case happenings.ChangeEvent():
            return line(what.line) | {"by": member(what.by_id, what.by)}
        case happenings.LeaderEvent():
            return {
                **member(what.leader_id, what.nick),
                **epoch(what.epoch),
                "provisional": what.provisional,
                "self": what.self,
                "took_ms": what.took_ms,
                "handed_over_by": what.handed_over_by or None,
            }
        case happenings.SplitEvent():
            there = {"nick": what.leader_nick, **epoch(what.epoch)}
            return {"healed": what.healed, "messages": what.messages, "leader": there}
        case happenings.MergeEvent():
            return {"messages": what.messages, "from": member(what.member_id, what.nick)}
        case happenings.GapEvent():
            whose = member(what.member_id, what.nick)
            return {"messages": what.messages, "of": whose, "filled": what.filled}
        case happenings.ChatEvent():
            return {"change": what.change, "status": chat(what.chat)}
        case happenings.ReceiptEvent():
            row = plain(what)
            who = small(what.member_id) if what.member_id else None
            return row | {"id": what.msg_id, "short": what.id, "by": who}
        case _:
            return plain(what)


def line(value: Line) -> Row:
    """A chat message."""
    row: Row = {
        "id": value.msg_id,
        "short": value.id,
        **epoch(value.epoch),
        "from": member(value.source_id, value.nick),
        "ts": iso(value.sent_ms),
        "text": value.text,
        "edited": value.edited,
        "erased": value.erased,
        "redacted_by": value.redacted_by or None,
        "kind": "action" if value.kind == Kind.ACTION else "text",
        "backlog": value.backlog,
        "own": value.own,
        "mention": value.mention,
    }
    return row | {"acked": value.acked, "of": value.of} if value.own else row


# ---- answers -----------------------------------------------------------------------------------


def chat(value: Chat) -> Row:
    """A chat within `status`."""
    leader = small(value.leader_id) if value.leader_id else None
    return {
        "name": value.name,
        "chat_id": chat_number(value.chat_id),
        "id": small(value.member_id) if value.member_id else None,
        "member": value.member_id or None,
        **epoch(value.epoch),
        "leader": leader,
        "leader_nick": value.leader_nick or None,
        "provisional": value.provisional,
        "alive": value.alive,
        "known": value.known,
        "unread": value.unread,
        "mentions": value.mentions,
        "outbox": value.outbox,
        "lost": value.lost,
        "fingerprint": value.fingerprint,
        "nds": value.nds or None,
        "topic": value.topic,
        "transient": value.mode == Mode.TRANSIENT,
        **halt(value),
        "nick": value.nick or None,
    }


def halt(value: Chat | Leader | words.Comparison) -> Row:
    """{"halt","halt_reason"}, with nulls while the chat goes on here."""
    return {"halt": value.halt or None, "halt_reason": value.halt_reason or None}


def status(value: Status) -> Row:
    """The one object of `status`."""
    return {
        "pid": value.pid,
        "listen": value.listen,
        "advertise": value.advertise,
        "control": value.control,
        "nds": [
            {"address": one.address, "state": one.state, "fault": one.fault or None}
            for one in value.nds
        ],
        "chats": [chat(one) for one in value.chats],
        "nick": value.nick,
        "identity": value.identity,
        "version": value.version,
        "log": value.log,
        "started": iso(value.started_ms),
        "problems": list(value.problems),
        "durability": value.durability,
        "ended": value.ended or None,
        "certificate": value.certificate,
    }


def network(value: words.Network) -> Row:
    """A row of `list`."""
    return {
        "chat": value.name,
        "chat_id": chat_number(value.chat_id),
        "leader": small(value.leader_id) if value.leader_id else None,
        "address": value.address,
        "state": value.state,
        "nds": value.nds,
        "seen": iso(value.seen_ms),
        **epoch(value.epoch),
        "transient": value.mode == Mode.TRANSIENT,
    }


def leader(value: Leader) -> Row:
    """The one object of `leader`; `id` is null while none is known."""
    return {
        "chat": value.chat,
        **member(value.leader_id, value.nick),
        **epoch(value.epoch),
        "provisional": value.provisional,
        "address": value.address or None,
        "seen": iso(value.seen_ms),
        **halt(value),
    }


def chat_member(value: words.Member, chat_name: str) -> Row:
    """A row of `members`."""
    return {
        "chat": chat_name,
        "id": small(value.member_id),
        "member": value.member_id,
        "nick": value.nick,
        "state": value.state,
        "address": value.address,
        "leader": value.leader,
        "self": value.self,
        "acked": value.acked,
        "lacking": value.lacking,
        "seen": iso(value.seen_ms),
        "away": value.away,
        "identity": value.identity,
        "certificate": value.certificate or None,
        "role": value.role or None,
        "removed_by": value.removed_by or None,
    }


def check(value: words.Comparison) -> Row:
    """The one object of `check`."""
    return {
        "chat": value.chat,
        "same": value.same,
        "differ": value.differ,
        "unanswered": [small(row.member_id) for row in value.unanswered],
        "members": [
            {
                **member(row.member_id, row.nick),
                "fingerprint": row.fingerprint,
                "same": row.same,
                "self": row.self,
            }
            for row in value.rows
        ],
        "lost": [
            {**member(one.member_id, one.nick), "messages": one.messages} for one in value.lost
        ],
        **halt(value),
    }


def progress(value: words.Progress) -> Row:
    """The row of a line sent."""
    return {
        "id": value.msg_id,
        "short": value.id,
        "acked": value.acked,
        "of": value.of,
        "missing": list(value.missing),
        "later": list(value.later),
        "complete": value.complete,
    }
