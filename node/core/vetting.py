"""What a member may say of another: what only that one can know must be its own word.

That it has left, it signs.  Its lives and the instants of what it says are its own to draw, so what
others bring of them may be no further ahead than a clock can be: it can always go beyond that.  So
is what anybody may change, as topic and password.  Nothing that is brought makes a roster that
could not be told any more.
"""

from msgspec.structs import replace

from .access import Invite, Password
from .membership import RECORDS_MAX
from .messages import TRANSIENT, Fact, Member, Roster
from .state import State
from .types import NO_IDS, ChatId, Hlc, Incarnation, MemberId, Millis

PURPOSE = b"p2pchat farewell 1\0"  # no signature for anything else begins like this
ROOM_MS: Millis = 366 * 24 * 3_600_000
ENDS_MAX = 4_096  # of streams of one member
SEQ_MAX = 2**32  # addresses of one life
LIFE_MAX = 2**52  # that a member may have by itself: there is room for others above it


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
    late = {what: had for what, (said, had) in common.items() if _is_ahead(s, said, had.hlc)}
    for what in late:
        s.drop(f"{what} from a far future")
    ids = {one.id for one in records}
    invites = tuple([_used_by(s, one, ids) for one in roster.invites if one.made <= s.horizon])
    same = not late and invites == roster.invites
    if same and len(records) == len(roster.members) and all(map(_is, records, roster.members)):
        return roster
    return replace(roster, members=tuple(records), invites=invites, **late)


def _used_by(s: State, brought: Invite, ids: set[MemberId]) -> Invite:
    """Used by members alone, of which there are no more than can be told."""
    used = tuple([id for id in brought.used if id in ids or s.members.get(id) is not None])
    return brought if len(used) == len(brought.used) else replace(brought, used=used)


def _is(one: Member, other: Member) -> bool:
    return one is other


def _vetted(s: State, brought: Member, by: MemberId) -> Member | None:
    """None: nothing of it is taken."""
    known = s.members.get(brought.id)
    if brought == known:
        return brought
    if brought.left or brought.farewell or brought.ends:
        brought = _as_left(s, brought, known)
    if known is None:
        return brought if _is_believable(s, brought) else None
    life = max(brought.incarnation, brought.address_stamp[0])
    if brought.address_stamp[1] > SEQ_MAX:
        s.drop("more addresses than anybody has")
        brought = _as_there(brought, known)
    if by == brought.id and life <= LIFE_MAX:
        return brought  # It can only harm itself.
    if life > max(known.incarnation, s.horizon):
        s.drop("a life that its member cannot have drawn")
        brought = replace(_as_there(brought, known), incarnation=known.incarnation, life=known.life)
    for what in ("nick", "away"):
        fact, before = getattr(brought, what), getattr(known, what)
        if _is_ahead(s, fact, before.hlc):
            s.drop(f"a {what} from a far future")
            brought = replace(brought, **{what: before})
    return brought


def _as_left(s: State, brought: Member, known: Member | None) -> Member:
    """Whether it has left, and what comes with that, is its own to say."""
    word, ends = (known.farewell, known.ends) if known is not None else (b"", ())
    was_gone = known.left if known is not None else brought.issued == NO_IDS
    is_own = brought.left and is_signed(s, brought.identity, brought.id, brought.farewell)
    if brought.left and not is_own and not was_gone:
        s.drop("a farewell that its member has not signed")
    if not (is_own or (brought.left and was_gone)):
        return replace(brought, left=False, farewell=word, ends=ends)
    if len({stream for stream, _ in (*brought.ends, *ends)}) > ENDS_MAX:
        s.drop("more ends of streams than anybody has")
        brought = replace(brought, ends=ends)
    return brought if is_own else replace(brought, farewell=word)


def _as_there(brought: Member, known: Member) -> Member:
    """Where it is to be called as we know it."""
    there = known.address, known.address_stamp, known.card
    return replace(brought, address=there[0], address_stamp=there[1], card=there[2])


def _is_believable(s: State, unknown: Member) -> bool:
    """Can all of that be so, of somebody of whom we have not heard?"""
    life, (since, seq) = unknown.incarnation, unknown.address_stamp
    if max(life, since, unknown.nick.hlc.ms, unknown.away.hlc.ms) <= s.horizon and seq <= SEQ_MAX:
        return True
    s.drop("a record from a far future")
    return False


def is_ahead(s: State, incarnation: Incarnation) -> bool:
    """Is that a life that no clock has drawn?  So it is where a call alone tells of it, and no
    record, and leaves its member no room: whoever has stolen a certificate can make calls.
    """
    return incarnation > s.horizon - ROOM_MS


def _is_ahead(s: State, fact: Fact | Password, known: Hlc) -> bool:
    """What comes just after what is known never is: that is how it is put right."""
    return fact.hlc.ms > max(known.ms + 1, s.horizon)
