"""Who and what dialogues are about: members, lines, records, and what a log kept of them.

Members are small numbers, which stand for their ids.
"""

from hashlib import blake2b
from typing import Any

from msgspec.structs import replace

from node.core import admission
from node.core import effects as e
from node.core import messages as m
from node.core.conversation import ChatMessage
from node.core.deciding import Act, Decision
from node.core.group import Setup
from node.core.types import Epoch, Hlc, Key, MemberId, Stream

CHAT = 0xC4A7
WALL = 1_750_000_000_000  # unix time at the instant 0
FIRST, BEFORE, EPOCH, NEXT = (Epoch(1, n) for n in (1, 4, 5, 6))
LEADING, NOT_LEADING, YIELD, PROVISIONAL = m.Standing


def address(member: MemberId) -> str:
    return f"m{member}:7000"


def identity(member: MemberId) -> bytes:
    return member.to_bytes(32)


def person(member: MemberId, life: m.Life = m.Life.ALIVE, **rest: Any) -> m.Member:
    """A member's record, as the group remembers it."""
    known = m.Member(
        id=member,
        identity=identity(member),
        admitted=FIRST,
        incarnation=100,
        life=life,
        address=address(member),
        address_stamp=(100, 0),
        nick=m.Fact(f"user{member}", Hlc(1, 0), member),
    )
    return replace(known, **rest)


def let_in(member: MemberId, by: MemberId = 1, **rest: Any) -> m.Member:
    """The record of somebody whom that member has let in, with a signature as good as one."""
    known = person(member, **rest)
    said = admission.statement(CHAT, member, known.identity, known.admitted, known.since)
    signature = blake2b(said, key=identity(by), digest_size=64).digest()
    return replace(known, admitted_by=by, admission=signature)


def wished(join: m.Join) -> m.Join:
    """The same, signed by who wants in."""
    signature = blake2b(admission.wish(join), key=join.identity, digest_size=64).digest()
    return replace(join, word=signature)


def removal(whom: MemberId, by: MemberId = 1, **rest: Any) -> Decision:
    """That one was removed by the founder; not signed."""
    return replace(Decision(by, Act.KICK, Hlc(1, 0), whom, identity(whom)), **rest)


def record(leader: MemberId, epoch: Epoch = EPOCH) -> m.Record:
    return m.Record(CHAT, "den", epoch, leader, address(leader))


def stream(k: int = 1) -> Stream:
    return Stream(100, k)


def line(
    source: MemberId,
    seq: int = 1,
    text: str = "",
    *,
    after: tuple[ChatMessage, ...] = (),
    ms: int = 0,
    k: int = 1,
    id: str = "",
    more: tuple[str, ...] = (),
) -> ChatMessage:
    """A chat message: number `seq` of a member's stream `k`, written having seen `after`, of one
    line, and those that are `more`.
    """
    first = id or f"{source:08x}-0000-4000-8000-{k:04x}{seq:08x}"
    return ChatMessage(
        key=Key(source, stream(k), seq),
        ids=(first, *(f"{first[:9]}{n:04x}{first[13:]}" for n in range(1, len(more) + 1))),
        texts=(text or f"{source}.{seq}", *more),
        deps=tuple(sorted(message.key for message in after)),
        hlc=Hlc(ms or 1_000 + seq, 0),
        sent=WALL,
        epoch=EPOCH,
    )


def setup(member: MemberId, **rest: Any) -> Setup:
    mine = Setup(identity(member), f"user{member}", address(member), process=member, nds="nds:1")
    return replace(mine, **rest)


def remembered(me: m.Member, *others: m.Member, leader: MemberId, **rest: Any) -> e.Remembered:
    """What the log of a member kept: fields of `Remembered`, or of its `Meta`."""
    messages, posts = rest.pop("messages", ()), rest.pop("posts", ())
    marks = {name: tuple(rest.pop(name, ())) for name in ("floors", "holes", "trimmed")}
    meta = e.Meta(
        member=me.id,
        incarnation=100,
        epoch=EPOCH,
        leader=leader,
        name="den",
        chat=CHAT,
        mode=1,
        created=WALL - 1,
        nds="nds:1",
        left_ids=(),
        leaving=False,
        highest_n=0,
        partial=False,
        below=(),
    )
    roster = m.Roster(tuple(sorted((me, *others), key=lambda member: member.id)))
    meta = replace(meta, **rest)
    return e.Remembered(meta, roster, tuple(messages), tuple(posts), **marks)
