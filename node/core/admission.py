"""Admissions: who let a member in says so with its signature, and that the id was its to give.

So a newcomer can prove that it belongs to somebody who has not heard of it, when the leader that
let it in died before it told anybody; and nobody else can say of itself that it was let in, nor
anybody of others that they were, or since when they are given what is said: nobody gives more than
it is given.  The founder has signed its own admission.

Of those who were let in before ids were issued in writing the word of any member counts; their ids
are below all of which the registry has said to whom it gave them.

Only the highest id of an identity belongs; but an id that its member has affirmed comes, as long as
it is in, before all that it has not, so nobody is moved to an id that another made up.
"""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from .access import Invite
from .access import statement as invitation
from .issuing import is_issued
from .messages import Join, Member, Roster
from .state import State
from .types import NO_IDS, ChatId, Epoch, IdBlock, MemberId, WallMillis

PURPOSE = b"p2pchat admission 1\0"  # no signature for anything else begins like this
AFFIRMED = b"p2pchat member 1\0"  # likewise
WISH = b"p2pchat wish 1\0"


class Person(NamedTuple):
    """What counts of who lets somebody in."""

    identity: bytes
    since: WallMillis


NOBODY = Person(b"", 0)
Persons = dict[MemberId, Person]


def statement(
    chat: ChatId, member: MemberId, identity: bytes, admitted: Epoch, since: WallMillis = 0
) -> bytes:
    """What is signed: this identity got that id, in this chat, in that epoch, and since when it is
    given what is said; nothing of that where it is given all.
    """
    numbers = (chat, member, admitted.generation, admitted.n)
    said = PURPOSE + b"".join(number.to_bytes(8) for number in numbers) + identity
    return said + since.to_bytes(8) if since else said


def wish(join: Join) -> bytes:
    """What a joiner's identity signs: it wants in, in that life and process, and is called there.

    Else whoever has stolen its certificate would come in as its next life.
    """
    caller = join.caller
    numbers = b"".join(n.to_bytes(8) for n in (caller.chat, caller.incarnation, join.process))
    return WISH + numbers + f"{join.address}|{join.name}".encode()


def is_own_wish(s: State, join: Join) -> bool:
    """Has the identity that it names signed it?"""
    return s.setup.verify is None or s.setup.verify(join.identity, join.word, wish(join))


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
    founder, mine = s.members.decisions.founder, s.members.get(s.me)
    if s.setup.sign is None or mine is None:
        return None
    records = [one for one in s.members.records if (one.id == founder) == (one.id == s.me)]
    those = [one for one in records if not one.admission and one.since >= mine.since]
    return Roster(tuple(signed(s, one) for one in those)) if those else None


def is_proved(s: State, member: Member) -> bool:
    """Was it let in by somebody who belongs, as far as we know?"""
    return s.members.belongs(member.admitted_by) and _is_let_in(s, member, {})


def _is_let_in(s: State, member: Member, persons: Persons) -> bool:
    """Did somebody let it in who is known, or one of these persons?"""
    by, verify = _person(s, member.admitted_by, persons), s.setup.verify
    if verify is None or by is NOBODY or member.since < by.since:
        return False
    said = statement(s.chat, member.id, member.identity, member.admitted, member.since)
    if not verify(by.identity, member.admission, said):
        return False
    if member.issued == NO_IDS and member.id < s.members.issued_from:
        return True
    return is_issued(s, member.id, member.admitted, member.admitted_by, member.issued)


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
        proved = [one for one in unknown if _is_let_in(s, one, persons)]
        if not proved:
            s.drop("a record of somebody whom nobody has let in")
            break
        taken += [_as_affirmed(s, one, b"") for one in proved]
        persons.update((one.id, Person(one.identity, one.since)) for one in proved)
        unknown = [one for one in unknown if one.id not in persons]
    return taken, persons


def _person(s: State, id: MemberId, persons: Persons) -> Person:
    """That member, also one that is brought."""
    known = s.members.get(id)
    return Person(known.identity, known.since) if known is not None else persons.get(id, NOBODY)


def _as_admitted(s: State, brought: Member, known: Member) -> Member:
    if s.setup.verify is None:
        return brought
    brought = _as_affirmed(s, brought, known.affirmation)
    if _admission(brought) == _admission(known):
        return brought
    if known.issued == NO_IDS:
        founded = s.members.decisions.founder == known.id
        itself = brought.admitted_by == brought.id
        if founded == itself and _is_let_in(s, brought, {}):
            return brought
    if brought.admission:
        s.drop("an admission that is not signed")
    return replace(
        brought,
        admitted=known.admitted,
        since=known.since,
        admitted_by=known.admitted_by,
        admission=known.admission,
        issued=known.issued,
    )


def _admission(member: Member) -> tuple[Epoch, WallMillis, MemberId, bytes, IdBlock]:
    by = member.admitted_by, member.admission
    return member.admitted, member.since, *by, member.issued


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
    by, said = _person(s, brought.by, persons).identity, invitation(s.chat, brought)
    if known is not None:
        is_sound = said == invitation(s.chat, known) and brought.signature == known.signature
    else:
        is_sound = by != b"" and verify(by, brought.signature, said)
    if not is_sound:
        s.drop("an invitation that its maker has not signed")
    return is_sound
