"""The values that several calls carry: epochs, views, rosters, chat messages.

`put_...` turns a value of the core into its protobuf.  `get_...` does the reverse and takes down in
`check` what is missing or out of bounds; `at` is the path of the field that is read, for people.
"""
# ruff: noqa: D103  put_ and get_ of a value named in the core need no sentence of their own

import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from node.codec.check import Check
from node.core.messages import (
    NO_CARD,
    NO_GRANT,
    Caller,
    Card,
    Fact,
    Grant,
    Join,
    Life,
    Member,
    View,
)
from node.core.types import GENERATION, NO_IDS, Epoch, Hlc, IdBlock, Key, Stream
from node.limits import (
    AWAY_MAX,
    CHAT_MAX,
    COUNTER_MAX,
    DECISION_BYTES,
    ENDS_MAX,
    GRANT_MAX,
    HASH_BYTES,
    HLC_MAX,
    IDENTITY_BYTES,
    NUMBER_MAX,
    ROSTER_MAX,
    SIGNATURE_BYTES,
    line_fault,
    nick_fault,
)
from node.trust.cards import fault as card_fault
from p2pchat.v1 import common_pb2 as pb
from p2pchat.v1 import node_pb2

PROTOCOL = "1.0"  # of this program; sent with every call, another major is refused

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


# ---- epochs, clocks, keys ----------------------------------------------------------------------


def put_epoch(epoch: Epoch) -> pb.Epoch:
    return pb.Epoch(generation=epoch.generation, n=epoch.n)


def get_epoch(p: pb.Epoch, check: Check, at: str) -> Epoch:
    """An epoch; one that is not there is `NO_EPOCH`."""
    generation, n = p.generation, p.n
    if generation > NUMBER_MAX or n > NUMBER_MAX:
        check.number(generation, f"{at}.generation")
        check.number(n, f"{at}.n")
    return Epoch(generation, n)


def put_ids(ids: IdBlock) -> pb.IdBlock | None:
    """A block of ids, or None for one that was not written down."""
    if ids == NO_IDS:
        return None
    return pb.IdBlock(first=ids.first, count=ids.count, signature=ids.signature)


def get_ids(p: pb.IdBlock, check: Check, at: str) -> IdBlock:
    count = check.number(p.count, f"{at}.count", high=64)
    check.number(p.first, f"{at}.first", low=1, high=NUMBER_MAX - count)
    return IdBlock(p.first, count, _get_registry_signature(p.signature, check, at))


def get_hlc(p: pb.Hlc, check: Check, at: str) -> Hlc:
    ms, counter = p.ms, p.counter
    if ms > HLC_MAX or counter > COUNTER_MAX:
        check.number(ms, f"{at}.ms", high=HLC_MAX)
        check.number(counter, f"{at}.counter", high=COUNTER_MAX)
    return Hlc(ms, counter)


def put_stream(stream: Stream) -> pb.Stream:
    return pb.Stream(incarnation=stream.incarnation, random=stream.random)


def get_stream(p: pb.Stream, check: Check, at: str) -> Stream:
    incarnation = p.incarnation
    if not 0 < incarnation <= NUMBER_MAX:
        check.number(incarnation, f"{at}.incarnation", low=1)
    return Stream(incarnation, p.random)


def put_key(key: Key) -> pb.MessageKey:
    return pb.MessageKey(source_id=key.source, stream=put_stream(key.stream), seq=key.seq)


def get_key(p: pb.MessageKey, check: Check, at: str) -> Key:
    source, seq = p.source_id, p.seq
    if not (0 < source <= NUMBER_MAX and 0 < seq <= NUMBER_MAX):
        check.number(source, f"{at}.source_id", low=1)
        check.number(seq, f"{at}.seq", low=1)
    return Key(source, get_stream(p.stream, check, f"{at}.stream"), seq)


def get_members(
    values: Sequence[int], check: Check, at: str, most: int = ROSTER_MAX
) -> tuple[int, ...]:
    """Member ids, at most as many as a roster has."""
    if not values or not check.size(values, at, most):
        return ()
    members = tuple(values)
    if not 0 < min(members) <= max(members) <= NUMBER_MAX:
        check.each(_get_number, members, at)
    return members


def _get_number(value: int, check: Check, at: str) -> int:
    return check.number(value, at, low=1)


def check_decisions(ids: tuple[bytes, ...], check: Check, at: str) -> None:
    """Ids of decisions, each once and in order."""
    if any(len(id) != DECISION_BYTES for id in ids):
        check.fail(at, f"must each have {DECISION_BYTES} bytes")
    if list(ids) != sorted(set(ids)):
        check.fail(at, "must ascend")


def get_mode(value: int, check: Check, at: str) -> int:
    """How a group keeps what is said; not said means logged."""
    return check.number(value, at, high=2) or 1


# ---- who calls, and where it stands ------------------------------------------------------------


@cache
def program() -> str:
    """Name and version of this program, for the logs of others."""
    try:
        return f"p2pchat {version('p2pchat')}"
    except PackageNotFoundError:
        return "p2pchat"


def put_caller(caller: Caller, build: str | None = None) -> pb.Caller:
    return pb.Caller(
        chat_id=caller.chat,
        node_id=caller.node,
        incarnation=caller.incarnation,
        epoch=pb.Epoch(generation=caller.epoch.generation, n=caller.epoch.n),
        protocol=PROTOCOL,
        build=program() if build is None else build,
        callee_id=caller.callee,
    )


def get_caller(
    p: pb.Caller, check: Check, *, member: bool = True, chat: int | None = None
) -> Caller:
    """Who calls.  `member`: only members may; `chat`: what another field has named."""
    if chat is None:
        chat = check.number(p.chat_id, "caller.chat_id", low=1, high=CHAT_MAX)
    node, incarnation = p.node_id, p.incarnation
    if not (member <= node <= NUMBER_MAX and incarnation <= NUMBER_MAX):
        check.number(node, "caller.node_id", low=int(member))
        check.number(incarnation, "caller.incarnation")
    callee = check.number(p.callee_id, "caller.callee_id") if p.callee_id else 0
    return Caller(chat, node, incarnation, get_epoch(p.epoch, check, "caller.epoch"), callee)


def get_required_caller(message: Any, check: Check, *, member: bool = True) -> Caller:
    """The caller of any request."""
    check.required(message.HasField("caller"), "caller")
    return get_caller(message.caller, check, member=member)


def put_view(view: View) -> pb.View:
    return pb.View(
        epoch=put_epoch(view.epoch),
        leader_id=view.leader,
        leader_address=view.leader_address,
        provisional_id=view.provisional,
        highest_n=view.highest_n,
        roster_hash=view.roster_hash,
        history_hash=view.history_hash,
        incarnation=view.incarnation,
        process=view.process,
        grant=put_grant(view.grant),
    )


def put_grant(grant: Grant) -> pb.Grant | None:
    """A grant, or None for none."""
    if grant == NO_GRANT:
        return None
    return pb.Grant(
        certificate_hash=grant.certificate_hash,
        signature=grant.signature,
        claim_key=grant.claim_key,
    )


def get_grant(p: pb.Grant, check: Check, at: str) -> Grant:
    for name, value in (("certificate_hash", p.certificate_hash), ("claim_key", p.claim_key)):
        if len(value) not in (0, HASH_BYTES):
            check.fail(f"{at}.{name}", f"must be {HASH_BYTES} bytes or none, not {len(value)}")
    signature = _get_registry_signature(p.signature, check, at)
    return Grant(p.certificate_hash, signature, p.claim_key)


def _get_registry_signature(signature: bytes, check: Check, at: str) -> bytes:
    if len(signature) > GRANT_MAX:
        check.fail(f"{at}.signature", f"must be at most {GRANT_MAX} bytes, not {len(signature)}")
    return signature


def get_view(p: pb.View, check: Check) -> View:
    return View(
        epoch=get_epoch(p.epoch, check, "view.epoch"),
        leader=check.number(p.leader_id, "view.leader_id"),
        leader_address=check.address(p.leader_address, "view.leader_address"),
        provisional=check.number(p.provisional_id, "view.provisional_id"),
        highest_n=check.number(p.highest_n, "view.highest_n", high=GENERATION - 1),
        roster_hash=p.roster_hash,
        history_hash=p.history_hash,
        incarnation=check.number(p.incarnation, "view.incarnation"),
        process=p.process,
        grant=get_grant(p.grant, check, "view.grant"),
    )


def get_required_view(message: Any, check: Check) -> View:
    """The view of any message that must have one."""
    check.required(message.HasField("view"), "view")
    return get_view(message.view, check)


# ---- rosters -----------------------------------------------------------------------------------


def put_fact(fact: Fact) -> pb.Fact | None:
    """A fact, or None for one that nobody has written yet."""
    if fact == Fact():
        return None
    hlc = pb.Hlc(ms=fact.hlc.ms, counter=fact.hlc.counter)
    return pb.Fact(value=fact.value, hlc=hlc, source_id=fact.source)


def get_fact(p: pb.Fact, check: Check, at: str) -> Fact:
    hlc = get_hlc(p.hlc, check, f"{at}.hlc")
    return Fact(p.value, hlc, check.number(p.source_id, f"{at}.source_id"))


def put_card(card: Card) -> pb.KeyCard | None:
    """A card, or None for that of one who has not said its keys."""
    if card == NO_CARD:
        return None
    return pb.KeyCard(
        certificate=card.certificate, seal_key=card.seal_key, signature=card.signature
    )


def get_card(p: pb.MemberRecord | node_pb2.JoinNetworkRequest) -> Card:
    """The card in a record or request; `check_card` comes after all else."""
    if not p.HasField("card"):
        return NO_CARD
    return Card(p.card.certificate, p.card.seal_key, p.card.signature)


def check_card(said: Member | Join, check: Check, at: str = "") -> None:
    """Its identity must have signed it.  A signature costs as much as a call, so none is looked at
    where something is wrong.
    """
    if said.card != NO_CARD and not check.violations:
        check.note(f"{at}card", card_fault(said.identity, said.card))


def put_member(member: Member) -> pb.MemberRecord:
    return pb.MemberRecord(
        member_id=member.id,
        identity=member.identity,
        admitted=put_epoch(member.admitted),
        incarnation=member.incarnation,
        life=pb.Life.ValueType(member.life),
        address=member.address,
        address_incarnation=member.address_stamp[0],
        address_seq=member.address_stamp[1],
        left=member.left,
        kicked=member.kicked,
        ends=[pb.StreamEnd(stream=put_stream(stream), seq=seq) for stream, seq in member.ends],
        nick=put_fact(member.nick),
        away=put_fact(member.away),
        card=put_card(member.card),
        admitted_by_id=member.admitted_by,
        admission=member.admission,
        farewell=member.farewell,
        since_ms=member.since,
        affirmation=member.affirmation,
        issued=put_ids(member.issued),
    )


def get_member(p: pb.MemberRecord, check: Check, at: str) -> Member:
    if len(p.identity) != IDENTITY_BYTES:
        check.fail(f"{at}.identity", f"must be {IDENTITY_BYTES} bytes, not {len(p.identity)}")
    nick, away = Fact(), Fact()
    if p.HasField("nick"):
        nick = get_fact(p.nick, check, f"{at}.nick")
        check.note(f"{at}.nick.value", nick_fault(nick.value))
    if p.HasField("away"):
        away = get_fact(p.away, check, f"{at}.away")
        check.note(f"{at}.away.value", line_fault(away.value, AWAY_MAX))
    return Member(
        id=check.number(p.member_id, f"{at}.member_id", low=1),
        identity=p.identity,
        admitted=get_epoch(p.admitted, check, f"{at}.admitted"),
        incarnation=check.number(p.incarnation, f"{at}.incarnation"),
        life=check.option(Life, p.life, f"{at}.life"),
        address=check.address(p.address, f"{at}.address", required=True),
        address_stamp=(
            check.number(p.address_incarnation, f"{at}.address_incarnation"),
            check.number(p.address_seq, f"{at}.address_seq"),
        ),
        left=p.left,
        kicked=p.kicked,
        ends=_get_ends(p, check, f"{at}.ends"),
        nick=nick,
        away=away,
        card=get_card(p),
        admitted_by=check.number(p.admitted_by_id, f"{at}.admitted_by_id"),
        admission=get_signature(p.admission, check, f"{at}.admission"),
        farewell=get_signature(p.farewell, check, f"{at}.farewell") if p.left else b"",
        since=check.number(p.since_ms, f"{at}.since_ms"),
        affirmation=get_signature(p.affirmation, check, f"{at}.affirmation"),
        issued=get_ids(p.issued, check, f"{at}.issued") if p.HasField("issued") else NO_IDS,
    )


def get_signature(signature: bytes, check: Check, at: str) -> bytes:
    """A signature, or none."""
    if len(signature) not in (0, SIGNATURE_BYTES):
        check.fail(at, f"must be {SIGNATURE_BYTES} bytes, or none, not {len(signature)}")
    return signature


def _get_ends(p: pb.MemberRecord, check: Check, at: str) -> tuple[tuple[Stream, int], ...]:
    if not check.size(p.ends, at, ENDS_MAX):
        return ()
    return check.each(_get_end, p.ends, at)


def _get_end(p: pb.StreamEnd, check: Check, at: str) -> tuple[Stream, int]:
    return get_stream(p.stream, check, f"{at}.stream"), check.number(p.seq, f"{at}.seq", low=1)


def get_id(value: str, check: Check, at: str) -> str:
    """A UUID, in small letters whatever it came in."""
    if not _UUID.fullmatch(value):
        value = value.lower()
        if not _UUID.fullmatch(value):
            check.fail(at, f"must be a UUID of 36 characters, not {value[:40]!r}")
    return value
