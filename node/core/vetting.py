"""What a member may say of another: what only that one can know must be its own word.

That it has left, it signs.  Its lives and the instants of what it says are its own to draw, so what
others bring of them may be no further ahead than a clock can be: it can always go beyond that.  So
is what anybody may change, as topic and password.  Nothing that is brought makes a roster that
could not be told any more.
"""

from msgspec.structs import replace

from .access import Password
from .membership import RECORDS_MAX
from .messages import TRANSIENT, Fact, Member, Roster
from .state import State
from .types import NO_IDS, ChatId, Incarnation, MemberId, Millis

PURPOSE = b"p2pchat farewell 1\0"  # no signature for anything else begins like this
ROOM_MS: Millis = 366 * 24 * 3_600_000
WRITTEN_MS: Millis = 1_767_225_600_000  # 2026: no clock is right that shows less
AHEAD_MS: Millis = 40 * ROOM_MS
ENDS_MAX = 4_096  # of streams of one member


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
    known = s.members
    room, records = RECORDS_MAX - len(known), list[Member]()
    for one in roster.members:
        if known.get(one.id) is None and (room := room - 1) < 0:
            s.drop("a record for which there is no room")
        elif (vetted := _vetted(s, one, by)) is not None:
            records.append(vetted)
    common: dict[str, tuple[Fact | Password, Fact | Password]] = {
        "topic": (roster.topic, known.topic),
        "access": (roster.access, known.access),
        "password": (roster.password, known.password),
    }
    late = {what: had for what, (said, had) in common.items() if _is_ahead(s, said, had.hlc.ms)}
    for what in late:
        s.drop(f"{what} from a far future")
    invites = tuple([one for one in roster.invites if one.made <= _most(s)])
    same = not late and len(invites) == len(roster.invites)
    if same and len(records) == len(roster.members) and all(map(_is, records, roster.members)):
        return roster
    return replace(roster, members=tuple(records), invites=invites, **late)


def _is(one: Member, other: Member) -> bool:
    return one is other


def _vetted(s: State, brought: Member, by: MemberId) -> Member | None:
    """None: nothing of it is taken."""
    known = s.members.get(brought.id)
    if brought == known:
        return brought
    was_in = not known.left if known is not None else brought.issued != NO_IDS
    if brought.left and was_in and not is_signed(s, brought.identity, brought.id, brought.farewell):
        s.drop("a farewell that its member has not signed")
        brought = replace(brought, left=False, farewell=b"")
    if known is None:
        return brought if _is_believable(s, brought) else None
    if len({stream for stream, _ in (*brought.ends, *known.ends)}) > ENDS_MAX:
        s.drop("more ends of streams than anybody has")
        brought = replace(brought, ends=known.ends)
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


def _is_believable(s: State, unknown: Member) -> bool:
    """Can all of that be so, of somebody of whom we have not heard?"""
    stamps = unknown.incarnation, unknown.address_stamp[0], unknown.nick.hlc.ms, unknown.away.hlc.ms
    if max(stamps) <= _most(s):
        return True
    s.drop("a record from a far future")
    return False


def is_ahead(s: State, incarnation: Incarnation) -> bool:
    """Is that a life that no clock has drawn?  So it is where a call alone tells of it, and no
    record, and leaves its member no room: whoever has stolen a certificate can make calls.
    """
    return incarnation > _most(s) - ROOM_MS


def _is_ahead(s: State, fact: Fact | Password, known: Millis) -> bool:
    return fact.hlc.ms > max(known, _most(s))


def _most(s: State) -> Millis:
    """No clock is that late.  It does not grow with what is brought, so that nobody gets there step
    by step; what has been said here counts, as our own clock may be behind, and so does when this
    was written.
    """
    return max(s.wall, s.latest_place[0].ms, WRITTEN_MS) + AHEAD_MS
