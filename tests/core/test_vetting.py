"""Dialogues about node/core/vetting.py: what a member may say of another."""

from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from node import limits
from node.core import messages as m
from node.core import vetting
from node.core.access import Invite, Password, Terms
from node.core.access import statement as invitation
from node.core.clock import AHEAD_MS, COUNTER_MAX, MS_MAX, WRITTEN_MS, tick
from node.core.effects import Change
from node.core.events import Changed, Field, Leaving, Started
from node.core.messages import TRANSIENT
from node.core.reasons import Reason
from node.core.types import NO_EPOCH, ChatId, Hlc, IdBlock, MemberId, Stream
from node.core.vetting import (
    ENDS_MAX,
    LIFE_MAX,
    PURPOSE,
    ROOM_MS,
    SEQ_MAX,
    statement,
)
from node.limits import NUMBER_MAX, ROSTER_MAX

from .cast import CHAT, WALL, identity, line, person
from .dialogue import Dialogue, follower, leading, returning
from .test_admission import admitted, signature, verify
from .test_joining import admit

SIGNS = {"verify": verify}
IDS = IdBlock(6, 4)
MOST = WRITTEN_MS + AHEAD_MS  # what is brought may be of then, and no later


def word(member: MemberId, chat: ChatId = CHAT, by: MemberId = 0) -> bytes:
    """What a member signs that leaves."""
    return signature(identity(by or member), statement(chat, member))


def den(**rest: Any) -> Dialogue:
    return follower(3, 1, 2, 4, leader=1, signs=SIGNS, **rest)


def brings(talk: Dialogue, *records: m.Member, by: MemberId = 2, **common: Any) -> Any:
    """The answer to a member that says this of others."""
    return talk.hears(m.Update(talk.caller(by), m.Roster(records, **common)))


def known(talk: Dialogue, member: MemberId) -> m.Member:
    record = talk.group.member(member)
    assert record is not None
    return record


# ---- that it has left --------------------------------------------------------------------------


def test_who_leaves_signs_that() -> None:
    signs = {"sign": lambda said: signature(identity(3), said), "verify": verify}
    talk = follower(3, 1, 2, leader=1, signs=signs)
    talk.hand(Leaving())
    (record, *_) = [one.record for one in talk.sent(m.Leave)]
    assert record.left
    assert record.farewell == word(3)
    assert statement(CHAT, 3).startswith(PURPOSE)


def test_its_word_is_taken_from_whoever_brings_it() -> None:
    talk = den()
    brings(talk, person(4, left=True, farewell=word(4)))
    assert talk.changes == [(4, Change.LEFT)]
    assert known(talk, 4).farewell == word(4)


FALSE = {
    "none": b"",
    "any": b"x" * 64,
    "the bringer's": word(4, by=2),
    "another member's": word(2),
    "of another chat": word(4, chat=CHAT + 1),
}


@pytest.mark.parametrize("farewell", FALSE.values(), ids=FALSE)
def test_nobody_says_of_another_that_it_has_left(farewell: bytes) -> None:
    talk = den()
    brings(talk, person(4, left=True, farewell=farewell))
    assert talk.changes == []
    assert known(talk, 4).belongs
    assert talk.group.drops["a farewell that its member has not signed"] == 1
    assert 4 in talk.group.belonging


@pytest.mark.parametrize("farewell", FALSE.values(), ids=FALSE)
def test_nor_does_its_own_connection(farewell: bytes) -> None:
    """Whoever has stolen that, and not the identity."""
    talk = den()
    answer = talk.hears(m.Leave(talk.caller(4), person(4, left=True, farewell=farewell)))
    assert isinstance(answer, m.Refusal)
    assert answer.reason == Reason.WRONG_SIGNATURE
    assert known(talk, 4).belongs


def test_nor_does_who_answers_with_its_roster() -> None:
    talk = den()
    talk.hold(m.Update)
    talk.hand(Changed(Field.AWAY, "lunch", WALL))
    left = m.Roster((person(4, left=True, farewell=FALSE["the bringer's"]),))
    talk.answer(m.Update, m.Updated(left, talk.view()), to=2)
    assert known(talk, 4).belongs


def test_a_farewell_is_heard_once_more() -> None:
    talk = den()
    leave = m.Leave(talk.caller(4), person(4, left=True, farewell=word(4)))
    assert isinstance(talk.hears(leave), m.LeaveNoted)
    assert talk.changes == [(4, Change.LEFT)]
    assert isinstance(talk.hears(leave), m.LeaveNoted)
    assert talk.changes == []


def test_it_is_kept_and_handed_on() -> None:
    talk = den()
    brings(talk, person(4, left=True, farewell=word(4)))
    answer = talk.hears(m.Update(talk.caller(2), m.Roster(), want_roster=True))
    (record,) = [one for one in answer.roster.members if one.id == 4]
    assert record.farewell == word(4)


def test_of_whom_nobody_has_heard_an_admission_is_asked_for_and_its_own_word() -> None:
    talk = den()
    brings(talk, person(9, left=True))
    assert talk.group.member(9) is None
    brings(talk, person(9, left=True, farewell=word(9)))
    assert talk.group.member(9) is None, "anybody could sign that it has left"
    brings(talk, admitted(7, left=True), admitted(8, left=True, issued=IDS))
    assert not known(talk, 7).belongs, "so it was before farewells were signed"
    assert known(talk, 8).belongs
    brings(talk, admitted(8, left=True, issued=IDS, farewell=word(8)))
    assert not known(talk, 8).belongs


def test_in_a_transient_group_others_say_so() -> None:
    """The keys of a member end with its process."""
    talk = den(mode=TRANSIENT)
    brings(talk, person(4, left=True))
    assert not known(talk, 4).belongs


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_joiner_proves_that_it_has_left_as_whom_it_was(is_signed: bool) -> None:
    signs = {"sign": lambda said: signature(identity(1), said), "verify": verify}
    talk = leading(1, 2, person(9, identity=identity(9)), first=50, signs=signs)
    admit(talk, 9, left_ids=(9,), farewells=(word(9),) if is_signed else ())
    assert known(talk, 9).belongs is not is_signed
    assert (talk.group.member(50) is not None) is is_signed


# ---- its lives, and what it says ---------------------------------------------------------------


FAR = WALL + 2 * AHEAD_MS


def test_nobody_draws_a_life_for_another_that_it_cannot_outlive() -> None:
    talk = den()
    for record in (
        person(4, incarnation=FAR),
        person(4, address_stamp=(FAR, 1), address="10.0.0.9:9", card=m.NO_CARD),
    ):
        before = known(talk, 4)
        brings(talk, record)
        assert known(talk, 4) == before
    assert talk.group.drops["a life that its member cannot have drawn"] == 2


def test_a_life_that_a_clock_may_draw_is_taken_from_anybody() -> None:
    """So members hear of it from each other."""
    talk = den()
    brings(talk, person(4, incarnation=WALL + 1_000))
    assert known(talk, 4).incarnation == WALL + 1_000


def test_we_outlive_what_is_said_of_us() -> None:
    """Whoever has called in our name, and made others believe it."""
    talk = den()
    brings(talk, person(3, incarnation=MOST))
    assert known(talk, 3).incarnation > MOST
    assert talk.sent(m.Update), "all are told"
    before = known(talk, 3)
    brings(talk, person(3, incarnation=NUMBER_MAX))
    assert known(talk, 3) == before, "beyond that we could not go"


@pytest.mark.parametrize("of", [3, 4])
def test_nobody_gets_there_step_by_step(of: int) -> None:
    talk = den()
    for n in range(1, 9):
        brings(talk, person(of, incarnation=MOST + (n - 1) * ROOM_MS))
    assert known(talk, of).incarnation <= MOST + 2


def test_a_member_may_have_any_clock() -> None:
    talk = den()
    brings(talk, person(4, incarnation=FAR), by=4)
    assert known(talk, 4).incarnation == FAR
    brings(talk, person(4, incarnation=FAR + 5))
    assert known(talk, 4).incarnation == FAR, "of the next one it tells us itself"
    brings(talk, person(4, incarnation=FAR + 5), by=4)
    assert known(talk, 4).incarnation == FAR + 5


@pytest.mark.parametrize("rest", [{}, {"address": "9.9.9.9:9"}])
def test_but_none_that_leaves_no_room_for_the_next_life(rest: dict[str, str]) -> None:
    """Else who lets it in once more could not say so to anybody."""
    talk = den()
    last = {"incarnation": LIFE_MAX + 1, "address_stamp": (LIFE_MAX + 1, 1), **rest}
    brings(talk, person(4, **last), by=4)
    assert known(talk, 4) == person(4)
    brings(talk, person(4, incarnation=LIFE_MAX, address_stamp=(LIFE_MAX, 1), **rest), by=4)
    assert known(talk, 4).address_stamp == (LIFE_MAX, 1)


def test_a_clock_that_is_far_behind_here_keeps_nothing_away() -> None:
    """As of a machine that learns the time only after it has started."""
    talk = returning(3, 1, 2, 4, leader=1)
    talk.hand(Started(1_000))
    talk.hears(m.Tell(talk.caller(2), 3, (line(2, 1, ms=WALL),)))
    brings(talk, person(4, nick=m.Fact("dan", Hlc(WALL + 9, 0), 4)))
    assert known(talk, 4).nick.value == "dan"


@pytest.mark.parametrize("what", ["nick", "away"])
def test_nobody_says_for_another_what_it_could_not_take_back(what: str) -> None:
    talk = den()
    fact = m.Fact("mud", Hlc(FAR, 0), 4)
    before = known(talk, 4)
    brings(talk, person(4, **{what: fact}))
    assert known(talk, 4) == before
    assert talk.group.drops[f"a {what} from a far future"] == 1


@pytest.mark.parametrize(
    "record",
    [
        admitted(incarnation=FAR),
        admitted(address_stamp=(FAR, 1)),
        admitted(nick=m.Fact("mud", Hlc(FAR, 0), 7)),
        admitted(away=m.Fact("mud", Hlc(FAR, 0), 7)),
    ],
    ids=("life", "address", "nick", "away"),
)
def test_nor_of_somebody_of_whom_nobody_has_heard(record: m.Member) -> None:
    talk = den()
    brings(talk, record)
    assert talk.group.member(7) is None
    assert talk.group.drops["a record from a far future"] == 1
    brings(talk, admitted())
    assert known(talk, 7) == admitted(), "what is true comes from others"


def test_a_clock_of_before_this_was_written_keeps_no_newcomer_away() -> None:
    talk = returning(3, 1, 2, 4, leader=1, signs=SIGNS)
    talk.hand(Started(1_000))
    brings(talk, admitted(incarnation=WRITTEN_MS))
    assert known(talk, 7).belongs


def test_a_call_alone_tells_of_no_life_that_its_member_could_not_outlive() -> None:
    """Whoever has stolen its certificate can make calls."""
    talk = den()
    for incarnation in (NUMBER_MAX, MOST, MOST - ROOM_MS + 1):
        talk.hears(m.Ping(talk.caller(4, incarnation=incarnation), talk.view()))
        assert known(talk, 4).incarnation == 100
    talk.hears(m.Ping(talk.caller(4, incarnation=MOST - ROOM_MS), talk.view()))
    assert known(talk, 4).incarnation == MOST - ROOM_MS
    brings(talk, person(4, incarnation=MOST - ROOM_MS + 1), by=2)
    assert known(talk, 4).incarnation == MOST - ROOM_MS + 1, "it has gone above it"


def test_a_joiner_with_such_a_clock_is_told_so() -> None:
    talk = leading(1, 2, first=50)
    late = admit(talk, 9, caller=m.Caller(CHAT, 0, MOST, NO_EPOCH))
    assert late.reason == Reason.CLOCK_AHEAD  # type: ignore[union-attr]
    assert talk.group.belonging == (1, 2)


def test_ends_of_streams_stay_as_many_as_can_be_told() -> None:
    talk = den()
    ends = tuple((Stream(1, n), 1) for n in range(2 * ENDS_MAX))
    brings(talk, person(4, ends=ends[:ENDS_MAX]))
    assert known(talk, 4).ends == (), "it has not left"
    gone = {"left": True, "farewell": word(4)}
    brings(talk, person(4, ends=ends[:ENDS_MAX], **gone))
    brings(talk, person(4, ends=ends[ENDS_MAX:], **gone))
    assert known(talk, 4).ends == ends[:ENDS_MAX]
    brings(talk, person(4, ends=((ends[0][0], 2),), **gone))
    assert known(talk, 4).ends[0] == (ends[0][0], 2)


def test_a_word_that_is_not_its_own_does_not_stand_in_the_place_of_a_farewell() -> None:
    talk = den()
    for gone in (False, True):
        brings(talk, person(4, left=gone, farewell=b"\xff" * 64))
        assert (known(talk, 4).left, known(talk, 4).farewell) == (False, b"")
    brings(talk, person(4, left=True, farewell=word(4)))
    brings(talk, person(4, left=True, farewell=b"\xff" * 64))
    assert (known(talk, 4).left, known(talk, 4).farewell) == (True, word(4))


def test_a_farewell_that_was_not_signed_is_followed_by_one_that_is() -> None:
    """As of a member that left before that was signed."""
    talk = follower(3, 1, 2, person(4, left=True), leader=1, signs=SIGNS)
    brings(talk, person(4, left=True, farewell=word(4)))
    assert known(talk, 4).farewell == word(4)


def test_numbers_of_addresses_leave_room_for_the_next() -> None:
    talk = den()
    for by in (2, 4):
        brings(talk, person(4, address="9.9.9.9:9", address_stamp=(100, SEQ_MAX + 1)), by=by)
        assert known(talk, 4).address == person(4).address
    brings(talk, person(4, address="9.9.9.9:9", address_stamp=(100, SEQ_MAX)), by=4)
    assert known(talk, 4).address == "9.9.9.9:9"
    brings(talk, admitted(address_stamp=(100, SEQ_MAX + 1)))
    assert talk.group.member(7) is None


def test_we_are_called_where_we_are_whatever_is_said_of_it() -> None:
    talk = den()
    there = known(talk, 3).address
    brings(talk, person(3, address="9.9.9.9:9", address_stamp=(MOST, 7)))
    assert (known(talk, 3).address, known(talk, 3).address_stamp[0] > MOST) == (there, True)
    talk = returning(person(3, address="9.9.9.9:9", address_stamp=(MOST, 7)), 1, 2, leader=1)
    talk.hand(Started(WALL))
    assert known(talk, 3).address == there
    assert talk.group.incarnation > MOST


def test_there_is_room_for_so_many_records_and_no_more() -> None:
    with patch("node.core.vetting.RECORDS_MAX", 6), patch("node.core.joining.RECORDS_MAX", 6):
        talk = leading(1, 2, 4, first=50, signs=SIGNS)
        brings(talk, *(admitted(id) for id in (6, 7, 8, 9)), person(2, left=True, farewell=word(2)))
        assert [one.id for one in talk.group.roster.members] == [1, 2, 4, 6, 7, 8]
        assert not known(talk, 2).belongs
        assert admit(talk, 30).reason == Reason.GROUP_FULL  # type: ignore[union-attr]
    assert vetting.RECORDS_MAX == ROSTER_MAX
    assert vetting.ENDS_MAX == limits.ENDS_MAX


@pytest.mark.parametrize(
    ("what", "fact"),
    [
        ("access", m.Fact("open", Hlc(FAR, 0), 2)),
        ("password", Password(Terms(b"s" * 16), b"seed", Hlc(FAR, 0), 2)),
    ],
)
def test_who_is_let_in_can_always_be_changed(what: str, fact: m.Fact | Password) -> None:
    talk = den()
    before = getattr(talk.group.roster, what)
    brings(talk, **{what: fact})
    assert getattr(talk.group.roster, what) == before
    assert talk.group.drops[f"{what} from a far future"] == 1
    sooner = replace(fact, hlc=Hlc(WALL, 0))
    brings(talk, **{what: sooner})
    assert getattr(talk.group.roster, what) == sooner


def test_an_invitation_is_of_no_later_than_a_clock_may_show() -> None:
    talk = den()
    invites = tuple(
        replace(one, signature=signature(identity(2), invitation(CHAT, one)))
        for one in (Invite(1, b"c" * 32, 2, made=FAR), Invite(2, b"c" * 32, 2, made=WALL))
    )
    brings(talk, invites=invites)
    assert [one.id for one in talk.group.invites] == [2]


def test_a_topic_can_always_be_changed() -> None:
    talk = den()
    brings(talk, topic=m.Fact("for ever", Hlc(FAR, 0), 2))
    assert talk.group.roster.topic == m.Fact()
    brings(talk, topic=m.Fact("tea", Hlc(WALL, 0), 2))
    assert talk.group.roster.topic.value == "tea"


def common(what: str, hlc: Hlc, by: MemberId = 2) -> dict[str, m.Fact | Password]:
    """One thing that is the group's, of that instant."""
    is_password = what == "password"
    fact = Password(Terms(b"s" * 16), b"seed", hlc, by) if is_password else m.Fact("x", hlc, by)
    return {what: fact}


@pytest.mark.parametrize("what", ["topic", "access", "password"])
def test_what_comes_next_is_taken_wherever_what_was_before_was(what: str) -> None:
    """Of the last instant that is taken, too."""
    talk = den()
    last, beyond = common(what, Hlc(MOST, COUNTER_MAX)), common(what, Hlc(MOST + 2, 0))
    brings(talk, **last)
    brings(talk, **beyond)
    assert getattr(talk.group.roster, what) == last[what]
    after = common(what, tick(WALL, last[what].hlc), by=4)
    brings(talk, **after, by=4)
    assert getattr(talk.group.roster, what) == after[what]


@pytest.mark.parametrize("what", ["nick", "away"])
def test_what_a_member_says_of_itself_next_is_taken_from_others(what: str) -> None:
    talk = den()
    last = m.Fact("mud", Hlc(MOST, COUNTER_MAX), 4)
    after = m.Fact("dan", tick(WALL, last.hlc), 4)
    for fact in (last, after):
        brings(talk, person(4, **{what: fact}))
        assert getattr(known(talk, 4), what) == fact


def test_a_line_of_the_far_future_takes_nothing_else_with_it() -> None:
    """Else the last instant would not pass, and who has missed what is of it took nothing more."""
    talk = follower(3, 1, 2, 4, leader=1)
    talk.hears(m.Tell(talk.caller(2), 3, (line(2, 1, ms=MS_MAX - 1),)))
    assert talk.shown == ["2.1"]
    brings(talk, **common("topic", Hlc(MS_MAX - 1 + AHEAD_MS, COUNTER_MAX)))
    brings(talk, person(4, nick=m.Fact("mud", Hlc(MS_MAX, 0), 4), incarnation=MS_MAX))
    brings(talk, admitted(incarnation=MS_MAX))
    assert talk.group.roster.topic == m.Fact()
    assert (known(talk, 4), talk.group.member(7)) == (person(4), None)


def test_what_one_takes_all_take_a_moment_later() -> None:
    """Who has not heard of what was of the last instant takes what came after it."""
    talk = returning(3, 1, 2, 4, leader=1, signs=SIGNS)
    talk.hand(Started(WRITTEN_MS + ROOM_MS))
    after = common("topic", Hlc(WRITTEN_MS + ROOM_MS + AHEAD_MS + 5, 0))
    brings(talk, **after)
    assert talk.group.roster.topic == m.Fact()
    talk.wait(5)
    brings(talk, **after)
    assert talk.group.roster.topic == after["topic"]


def test_whatever_our_clock_shows_there_is_room_above_what_is_taken() -> None:
    talk = returning(3, 1, 2, 4, leader=1, signs=SIGNS)
    talk.hand(Started(2 * limits.HLC_MAX))
    for hlc in (Hlc(limits.HLC_MAX, COUNTER_MAX), Hlc(MS_MAX + AHEAD_MS + 1, 0)):
        brings(talk, **common("topic", hlc))
        assert talk.group.roster.topic == m.Fact()
    brings(talk, **common("topic", Hlc(MS_MAX + AHEAD_MS, COUNTER_MAX)))
    talk.hand(Changed(Field.TOPIC, "tea", WALL))
    assert (told := talk.group.roster.topic).value == "tea"
    assert told.hlc.ms < limits.HLC_MAX


def test_what_else_is_in_such_a_roster_is_taken() -> None:
    talk = den()
    brings(talk, person(4, incarnation=FAR), person(2, nick=m.Fact("bo", Hlc(WALL, 0), 2)))
    assert known(talk, 2).nick.value == "bo"
    assert replace(known(talk, 4), life=m.Life.ALIVE).incarnation < FAR
