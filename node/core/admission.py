"""Admissions: who let a member in says so with its signature.

So a newcomer can prove that it belongs to somebody who has not heard of it, when the leader that
let it in died before it told anybody; and nobody else can say of itself that it was let in, nor
anybody of others that they were, or since when they are given what is said.  The founder has signed
its own admission.

Only the highest id of an identity belongs; but an id that its member has affirmed comes before all
that it has not, so nobody is moved to an id that another made up.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from .access import Invite
from .access import statement as invitation
from .messages import Member, Roster
from .state import State
from .types import ChatId, Epoch, MemberId, WallMillis
from .vetting import is_signed as is_farewell

PURPOSE = b"p2pchat admission 1\0"  # no signature for anything else begins like this
AFFIRMED = b"p2pchat member 1\0"  # likewise

Persons = dict[MemberId, bytes]


def statement(
    chat: ChatId, member: MemberId, identity: bytes, admitted: Epoch, since: WallMillis = 0
) -> bytes:
    """What is signed: this identity got that id, in this chat, in that epoch, and since when it is
    given what is said; nothing of that where it is given all.
    """
    numbers = (chat, member, admitted.generation, admitted.n)
    said = PURPOSE + b"".join(number.to_bytes(8) for number in numbers) + identity
    return said + since.to_bytes(8) if since else said


def signed(s: State, member: Member) -> Member:
    """The record of somebody whom we let in."""
    if s.setup.sign is None:
        return member
    said = statement(s.chat, member.id, member.identity, member.admitted, member.since)
    return replace(member, admitted_by=s.me, admission=s.setup.sign(said))


def unsigned(s: State) -> Roster | None:
    """Those that were let in before anybody signed that, now that we lead, who know them.

    None: there is nobody.  The founder signs for itself, and nobody else does.
    """
    founder = s.members.decisions.founder
    ids = (id for id in s.members.belonging if (id == founder) == (id == s.me))
    records = map(s.members.get, ids)
    those = [one for one in records if one is not None and not one.admission]
    if not those or s.setup.sign is None:
        return None
    return Roster(tuple(signed(s, one) for one in those))


def is_proved(s: State, member: Member) -> bool:
    """Was it let in by somebody who belongs, as far as we know?"""
    by = s.members.get(member.admitted_by)
    if by is None or not s.members.belongs(by.id):
        return False
    return _is_signed(s, member, by.identity)


def _is_signed(s: State, member: Member, by: bytes) -> bool:
    said = statement(s.chat, member.id, member.identity, member.admitted, member.since)
    return s.setup.verify is not None and s.setup.verify(by, member.admission, said)


def affirmation(chat: ChatId, member: MemberId) -> bytes:
    """What a member signs: it is its identity that has this id, in this chat."""
    return AFFIRMED + chat.to_bytes(8) + member.to_bytes(8)


def affirmed(s: State, mine: Member) -> Member:
    """Our own record, saying so."""
    if mine.affirmation or s.setup.sign is None:
        return mine
    return replace(mine, affirmation=s.setup.sign(affirmation(s.chat, mine.id)))


# ---- what others bring ---------------------------------------------------------------------------


def _admitted(s: State, records: Iterable[Member]) -> tuple[list[Member], Persons]:
    """Of what is brought those records that are proved, and whose they are.

    Of somebody who is known already its admission stays, unless another one is proved; of somebody
    who is not, the record is taken if it was let in by somebody who is, or has itself left.
    """
    taken, unknown = list[Member](), list[Member]()
    persons: Persons = {}
    for record in records:
        known = s.members.get(record.id)
        if known is None:
            unknown.append(record)
        else:
            taken.append(_as_admitted(s, record, known))
    if s.setup.verify is None:
        return taken + unknown, persons
    while unknown:
        proved = [one for one in unknown if _is_somebody(s, one, persons)]
        if not proved:
            s.drop("a record of somebody whom nobody has let in")
            break
        taken += [_as_affirmed(s, one, b"") for one in proved]
        persons.update((one.id, one.identity) for one in proved)
        unknown = [one for one in unknown if one.id not in persons]
    return taken, persons


def _person(s: State, id: MemberId, persons: Persons) -> bytes:
    """The identity of that member, also of one that is brought; empty for nobody."""
    known = s.members.get(id)
    return known.identity if known is not None else persons.get(id, b"")


def _is_somebody(s: State, member: Member, persons: Persons) -> bool:
    by = _person(s, member.admitted_by, persons)  # Nobody for itself, who is not known yet.
    if by and _is_signed(s, member, by):
        return True
    return member.left and is_farewell(s, member.identity, member.id, member.farewell)


def _as_admitted(s: State, brought: Member, known: Member) -> Member:
    if s.setup.verify is None:
        return brought
    brought = _as_affirmed(s, brought, known.affirmation)
    if _admission(brought) == _admission(known):
        return brought
    founded = s.members.decisions.founder == known.id
    by = _person(s, brought.admitted_by, {})
    itself = brought.admitted_by == brought.id
    if by and founded == itself and _is_signed(s, brought, by):
        return brought
    if brought.admission:
        s.drop("an admission that is not signed")
    return replace(
        brought,
        admitted=known.admitted,
        since=known.since,
        admitted_by=known.admitted_by,
        admission=known.admission,
    )


def _admission(member: Member) -> tuple[Epoch, WallMillis, MemberId, bytes]:
    return member.admitted, member.since, member.admitted_by, member.admission


def _as_affirmed(s: State, brought: Member, known: bytes) -> Member:
    said, verify = brought.affirmation, s.setup.verify
    if said == known or verify is None:
        return brought
    if verify(brought.identity, said, affirmation(s.chat, brought.id)):
        return brought
    return replace(brought, affirmation=known)


def proved(s: State, roster: Roster) -> Roster:
    """What somebody brings, without what nobody has signed that it would take."""
    members, persons = _admitted(s, roster.members)
    invites = [one for one in roster.invites if _is_invitation(s, one, persons)]
    members.sort(key=lambda one: one.id)
    return replace(roster, members=tuple(members), invites=tuple(invites))


def _is_invitation(s: State, brought: Invite, persons: Persons) -> bool:
    """Has its maker signed it?  Of one that is known only its use and end are news."""
    verify, known = s.setup.verify, s.members.invites.get(brought.id)
    if verify is None:
        return True
    by, said = _person(s, brought.by, persons), invitation(s.chat, brought)
    if known is not None:
        is_sound = said == invitation(s.chat, known) and brought.signature == known.signature
    else:
        is_sound = by != b"" and verify(by, brought.signature, said)
    if not is_sound:
        s.drop("an invitation that its maker has not signed")
    return is_sound
