"""What a member may say of another: what only that one can know must be its own word.

That it has left, it signs.  Its lives and the instants of what it says are its own to draw, so what
others bring of them may be no further ahead than a clock can be: it can always go beyond that.  Of
somebody of whom nobody here has heard, what is brought is believed.
"""

from msgspec.structs import replace

from .messages import TRANSIENT, Fact, Member, Roster
from .state import State
from .types import ChatId, MemberId, Millis

PURPOSE = b"p2pchat farewell 1\0"  # no signature for anything else begins like this
AHEAD_MS: Millis = 40 * 366 * 24 * 3_600_000


def statement(chat: ChatId, member: MemberId) -> bytes:
    """What is signed: this member has left this chat."""
    return PURPOSE + chat.to_bytes(8) + member.to_bytes(8)


def farewell(s: State, member: MemberId) -> bytes:
    """Our word that we have left as that member; empty where nothing is signed."""
    return s.setup.sign(statement(s.chat, member)) if s.setup.sign is not None else b""


def is_signed(s: State, identity: bytes, member: MemberId, signature: bytes) -> bool:
    """Has that identity said that it left as this member?

    In a transient group others say so, since a member's keys end with its process.
    """
    verify = s.setup.verify
    if verify is None or s.mode == TRANSIENT:
        return True
    return len(signature) > 0 and verify(identity, signature, statement(s.chat, member))


def vetted(s: State, roster: Roster, by: MemberId) -> Roster:
    """What that member brings, without what it cannot know."""
    records = tuple([_vetted(s, one, by) for one in roster.members])
    topic = roster.topic
    if _is_ahead(s, topic, s.members.topic.hlc.ms):
        s.drop("a topic from a far future")
        topic = Fact()
    same = topic is roster.topic and all(map(_is, records, roster.members))
    return roster if same else replace(roster, members=records, topic=topic)


def _is(one: Member, other: Member) -> bool:
    return one is other


def _vetted(s: State, brought: Member, by: MemberId) -> Member:
    known = s.members.get(brought.id)
    if known is None or brought == known:
        return brought
    is_news = brought.left and not known.left
    if is_news and not is_signed(s, known.identity, brought.id, brought.farewell):
        s.drop("a farewell that its member has not signed")
        brought = replace(brought, left=False, farewell=b"")
    if by == brought.id:
        return brought  # It can only harm itself.
    if max(brought.incarnation, brought.address_stamp[0]) > max(known.incarnation, _most(s)):
        s.drop("a life that its member cannot have drawn")
        brought = replace(
            brought,
            incarnation=known.incarnation,
            life=known.life,
            address=known.address,
            address_stamp=known.address_stamp,
            card=known.card,
        )
    for what in ("nick", "away"):
        fact, before = getattr(brought, what), getattr(known, what)
        if _is_ahead(s, fact, before.hlc.ms):
            s.drop(f"a {what} from a far future")
            brought = replace(brought, **{what: before})
    return brought


def _is_ahead(s: State, fact: Fact, known: Millis) -> bool:
    return fact.hlc.ms > max(known, _most(s))


def _most(s: State) -> Millis:
    """No clock is that late.  It does not grow with what is brought, so that nobody gets there step
    by step; what has been said here counts, as our own clock may be behind.
    """
    return max(s.wall, s.latest_place[0].ms) + AHEAD_MS
