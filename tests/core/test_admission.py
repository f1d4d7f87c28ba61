"""Dialogues about node/core/admission.py: who was let in proves it to whom nobody has told."""

from hashlib import blake2b
from typing import Any

import pytest
from msgspec.structs import replace

from node.core import messages as m
from node.core.admission import PURPOSE, affirmation, statement
from node.core.effects import Change, Joined
from node.core.events import Opened, Received
from node.core.membership import merge
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Epoch

from .cast import CHAT, EPOCH, FIRST, WALL, identity, let_in, person
from .dialogue import Dialogue, follower, leading
from .test_joining import admit

THEIRS = b"certificate of 7"


def signature(by: bytes, said: bytes) -> bytes:
    """As good as a signature, where nobody cheats."""
    return blake2b(said, key=by, digest_size=64).digest()


def verify(by: bytes, signed: bytes, said: bytes) -> bool:
    return signed == signature(by, said)


def den(*others: m.Member, **rest: Any) -> Dialogue:
    signs = {"verify": verify}
    return follower(3, *(others or (person(1), person(2))), leader=1, signs=signs, **rest)


def admitted(member: int = 7, by: int = 1, **rest: Any) -> m.Member:
    """Somebody whom that member has let in; `rest` is put into the record after it signed."""
    said = statement(CHAT, member, identity(member), FIRST)
    record = person(
        member,
        card=m.Card(THEIRS),
        admitted_by=by,
        admission=signature(identity(by), said),
    )
    return replace(record, **rest)


def brings(talk: Dialogue, record: m.Member, certificate: bytes | None = THEIRS) -> Any:
    """The answer to an unknown caller that brings its own record."""
    call = 1_000 + len(talk.log)
    update = m.Update(talk.caller(record.id), m.Roster((record,)))
    talk.hand(Received(call, update, certificate))
    return talk.reply(call)


def test_who_lets_somebody_in_signs_for_which_identity_and_id() -> None:
    signs = {"sign": lambda said: signature(identity(1), said), "verify": verify}
    talk = leading(1, 2, first=50, signs=signs)
    admit(talk, 9)
    record = talk.group.member(50)
    assert record is not None
    assert record.admitted_by == 1
    assert verify(identity(1), record.admission, statement(CHAT, 50, identity(9), EPOCH))
    assert statement(CHAT, 50, identity(9), EPOCH).startswith(PURPOSE)


def test_a_newcomer_is_taken_in_by_who_has_not_heard_of_it() -> None:
    talk = den()
    assert isinstance(brings(talk, admitted()), m.Updated)
    assert talk.changes == [(7, Change.JOINED)]


@pytest.mark.parametrize(
    "record",
    [
        admitted(admission=b""),
        admitted(admission=b"x" * 64),
        admitted(by=8),  # whom nobody knows
        admitted(by=7),  # itself
        admitted(by=0),
        admitted(admitted_by=2),  # another than signed
        admitted(id=6),
        admitted(identity=identity(6)),
        admitted(admitted=Epoch(1, 3)),
        admitted(left=True, card=m.NO_CARD),
    ],
    ids=("none", "noise", "of whom", "own", "nobody's", "another", "id", "who", "epoch", "left"),
)
def test_nobody_else_is(record: m.Member) -> None:
    talk = den()
    refusal = brings(talk, record)
    assert refusal.reason == Reason.UNKNOWN_MEMBER
    assert (talk.group.belonging, talk.changes) == ((1, 2, 3), [])


def test_a_proof_is_no_use_on_anothers_connection() -> None:
    talk = den()
    assert brings(talk, admitted(), b"another's").reason == Reason.WRONG_CERTIFICATE
    assert talk.group.member(7) is None


@pytest.mark.parametrize("gone", [{"left": True}, {"kicked": True}])
def test_who_is_no_member_any_more_lets_nobody_in(gone: dict[str, bool]) -> None:
    talk = den(person(1), person(2, **gone))
    assert brings(talk, admitted(by=2)).reason == Reason.UNKNOWN_MEMBER


def test_one_of_another_chat_is_none_in_this() -> None:
    elsewhere = statement(CHAT + 1, 7, identity(7), FIRST)
    record = admitted(admission=signature(identity(1), elsewhere))
    assert brings(den(), record).reason == Reason.UNKNOWN_MEMBER


def test_where_nothing_is_proved_nothing_is_asked_for() -> None:
    talk = den()
    assert isinstance(brings(talk, person(7), None), m.Updated)
    talk = leading(1, 2, first=50)
    talk.hand(Opened(True, WALL))
    admit(talk, 9)
    assert talk.group.member(50) == replace(talk.group.member(50), admission=b"", admitted_by=0)


def test_who_left_has_its_admission_still() -> None:
    for one, other in [(admitted(), admitted(left=True)), (admitted(left=True), admitted())]:
        record = merge(one, other)
        assert (record.admitted_by, record.admission) == (1, admitted().admission)


# ---- what a member brings of others --------------------------------------------------------------


def says(talk: Dialogue, *records: m.Member, by: int = 2) -> Any:
    return talk.hears(m.Update(talk.caller(by), m.Roster(records)))


@pytest.mark.parametrize(
    "record",
    [
        person(7),
        let_in(7, by=8),  # whom nobody knows
        let_in(7, by=7),  # itself
        replace(let_in(7), admission=b"x" * 64),
        replace(let_in(7), since=5),
        replace(let_in(7), identity=identity(6)),
        replace(let_in(7), admitted_by=2),
        person(7, left=True),
        person(7, identity=identity(1)),
        person(7, identity=identity(1), left=True, farewell=b"x" * 64),
    ],
)
def test_nobody_is_let_in_by_word_of_mouth(record: m.Member) -> None:
    """What else is brought is taken."""
    talk = den()
    says(talk, record, let_in(9))
    assert talk.group.belonging == (1, 2, 3, 9)
    assert talk.group.member(7) is None


@pytest.mark.parametrize("order", [(7, 8, 9), (9, 8, 7)])
def test_who_was_let_in_by_who_was_let_in_is_somebody(order: tuple[int, ...]) -> None:
    """Also by who has gone since then."""
    chain = {7: let_in(7, left=True), 8: let_in(8, by=7), 9: let_in(9, by=8)}
    talk = den(person(1), person(2, kicked=True), person(4))
    says(talk, *(chain[id] for id in order), let_in(5, by=2), by=4)
    assert talk.group.belonging == (1, 3, 4, 5, 8, 9)


def test_since_when_somebody_is_given_what_is_said_stays_as_it_was_signed() -> None:
    """Else anybody could have anybody read nothing."""
    talk = den(person(1), person(2), let_in(7, since=5))
    for since in (2**41, 0):
        says(talk, replace(let_in(7, since=5), since=since))
        says(talk, person(7, since=since))
        assert talk.group.member(7) == let_in(7, since=5)
    says(talk, let_in(7, by=2, since=2**41))
    assert talk.group.member(7) == let_in(7, since=5), "of two the one that keeps less from it"


def test_nobody_but_the_founder_says_how_the_group_was_founded() -> None:
    founder = let_in(1)
    talk = den(founder, person(2))
    for forged in (replace(founder, since=5), let_in(1, by=2, since=5), person(1, since=5)):
        says(talk, forged)
        assert talk.group.member(1) == founder
    assert not talk.group._s.members.hides_history
    hiding = let_in(1, since=5)
    talk = den(hiding, person(2))
    for forged in (let_in(1, by=2), person(1), replace(let_in(1), admitted_by=2)):
        says(talk, forged)
        assert talk.group.member(1) == hiding
    assert talk.group._s.members.hides_history


def test_nobody_says_of_itself_that_it_was_let_in() -> None:
    talk = den(person(1), person(2), let_in(7, by=2, since=5))
    says(talk, let_in(7, by=7))
    assert talk.group.member(7) == let_in(7, by=2, since=5)


def test_of_who_was_let_in_before_that_was_signed_whoever_leads_says_so() -> None:
    signs = {"sign": lambda said: signature(identity(2), said), "verify": verify}
    talk = leading(2, 1, 3, person(4, left=True), first=50, signs=signs)
    talk.wait(11 * LAN.renew_ms // 10)
    for member, by in ((3, 2), (2, 0), (1, 0), (4, 2)):
        record = talk.group.member(member)
        assert record is not None
        assert record.admitted_by == by
    heard = den(person(1), person(2))
    third = talk.group.member(3)
    assert third is not None
    other = den(person(1), person(2), person(3))
    says(other, third)
    assert other.group.member(3).admission == third.admission  # type: ignore[union-attr]
    assert heard.group.member(3) is not None


def test_an_id_that_somebody_has_made_up_is_given_to_nobody_else() -> None:
    """Else a member could have nobody come in any more."""
    signs = {"sign": lambda said: signature(identity(1), said), "verify": verify}
    talk = leading(1, 2, first=50, count=2, signs=signs)
    says(talk, let_in(50, by=2))
    welcome = admit(talk, 9)
    assert isinstance(welcome, m.Welcome)
    assert welcome.member == 51
    assert [one.identity for one in welcome.roster.members if one.id == 51] == [identity(9)]


# ---- one identity, one id ------------------------------------------------------------------------

SIGNS_3 = {"sign": lambda said: signature(identity(3), said), "verify": verify}


def own(member: int) -> bytes:
    return signature(identity(3), affirmation(CHAT, member))


def test_nobody_is_moved_to_an_id_that_another_made_up() -> None:
    """Who has an id says so, and everybody keeps to that."""
    talk = follower(3, 1, 2, leader=1, signs=SIGNS_3)
    says(talk, let_in(50, by=2, identity=identity(3)))
    assert talk.group.me == 3
    assert (talk.of(Joined), talk.group._s.left_ids) == ([], ())
    mine = talk.group.member(3)
    assert mine is not None
    assert mine.affirmation == own(3)
    told = [update.roster.members for update in talk.sent(m.Update)]
    assert any(mine in records for records in told)
    there = den(person(1), person(2), person(4), let_in(50, by=2, identity=identity(3)))
    assert 3 not in there.group.belonging or there.group.me == 3
    other = follower(4, 1, 2, 3, leader=1, signs={"verify": verify})
    says(other, let_in(50, by=2, identity=identity(3)))
    assert other.group.belonging == (1, 2, 4, 50)
    other.hears(m.Update(other.caller(3), m.Roster((mine,))))
    assert other.group.belonging == (1, 2, 3, 4)


@pytest.mark.parametrize("said", [b"x" * 64, own(51), b""])
def test_what_another_has_affirmed_for_it_counts_for_nothing(said: bytes) -> None:
    talk = follower(3, 1, 2, leader=1, signs=SIGNS_3)
    says(talk, replace(let_in(50, by=2, identity=identity(3)), affirmation=said))
    assert (talk.group.me, talk.group.belonging) == (3, (1, 2, 3))
    says(talk, replace(person(2), affirmation=b"x" * 64), by=1)
    assert talk.group.member(2).affirmation == b""  # type: ignore[union-attr]


def test_an_id_that_our_own_node_has_affirmed_elsewhere_is_ours() -> None:
    talk = follower(3, 1, 2, leader=1, signs=SIGNS_3)
    says(talk, replace(let_in(50, by=2, identity=identity(3)), affirmation=own(50)))
    assert talk.group.me == 50


@pytest.mark.parametrize("gone", [{"left": True}, {"kicked": True}])
def test_who_comes_back_belongs_though_it_had_affirmed_an_id_of_before(gone: Any) -> None:
    before = replace(person(5, **gone), affirmation=signature(identity(5), affirmation(CHAT, 5)))
    talk = follower(3, 1, 2, before, leader=1, signs={"verify": verify})
    says(talk, let_in(50, by=1, identity=identity(5)))
    assert talk.group.belonging == (1, 2, 3, 50)
    assert talk.changes == [(50, Change.JOINED)]
