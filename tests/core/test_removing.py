"""Dialogues about node/core/removing.py: what who was removed is told, and that nobody follows it.

1 has founded the den; 2 is an admin there, which has removed 4.
"""

from node.core import effects as e
from node.core import messages as m
from node.core.events import Decided
from node.core.membership import Membership
from node.core.messages import NO_CARD, Vote
from node.core.reasons import Reason
from node.core.removing import AGAIN_MS, NOWHERE

from .cast import LEADING, NEXT, NOT_LEADING, WALL, identity, line, person
from .dialogue import Dialogue, follower
from .test_ruling import KICK, KICK4, OP2, decided, den, told
from .test_vouching import is_signed, signer


def without_4(me: int = 3) -> Dialogue:
    talk = den(me)
    told(talk, OP2, KICK4)
    talk.hold(m.Update)
    return talk


def said_to(talk: Dialogue, member: int) -> list[m.Roster]:
    return [request.roster for request in talk.sent(m.Update, to=member)]


def calls(talk: Dialogue, by: int = 4) -> str:
    """That one calls; gives the reason of the refusal."""
    return str(talk.hears(m.Tell(talk.caller(by), talk.group.me, (line(by),))).reason)


def test_who_decides_it_tells_the_one_that_is_removed() -> None:
    talk = den(1)
    talk.hold(m.Update)
    talk.hand(Decided(KICK, WALL, 4, identity(4)))
    (to_4,), (to_2,) = said_to(talk, 4), said_to(talk, 2)
    assert [one.act for one in to_4.decisions] == [KICK]
    assert to_4.decisions == to_2.decisions


def test_who_calls_though_it_was_removed_is_refused_and_told_by_whom() -> None:
    talk = without_4()
    assert calls(talk) == Reason.KICKED
    (roster,) = said_to(talk, 4)
    assert {one.id for one in roster.decisions} == {OP2.id, KICK4.id}
    assert [one.id for one in roster.members] == [1, 2, 3]


def test_it_is_told_nothing_else() -> None:
    """Neither who came since, nor where anybody is, but for who calls it."""
    talk = without_4()
    told(talk, decided(1, KICK, 9, OP2))
    talk.hears(m.Update(talk.caller(2), m.Roster((person(7, card=m.Card(b"c")),))))
    calls(talk)
    (roster,) = said_to(talk, 4)
    assert [(one.id, one.address, one.card) for one in roster.members] == [
        (1, NOWHERE, NO_CARD),
        (2, NOWHERE, NO_CARD),
        (3, "m3:7000", NO_CARD),
    ]
    assert (roster.topic, roster.access, roster.invites) == (m.Fact(), m.Fact(), ())


def test_it_is_told_once_in_a_while_however_often_it_calls() -> None:
    talk = without_4()
    said = []
    for _ in range(20):
        assert calls(talk) == Reason.KICKED
        said += said_to(talk, 4)
        talk.wait(AGAIN_MS // 10)
    assert len(said) == 2


def test_it_is_told_at_the_address_that_it_gives() -> None:
    talk = without_4()
    mine = person(4, address="m4:7777", address_stamp=(100, 1))
    talk.hears(m.Update(talk.caller(4), m.Roster((mine,))))
    assert [s.address for s in talk.of(e.Call)] == ["m4:7777"]
    assert talk.group.member(4).address == "m4:7000"  # type: ignore[union-attr]


def test_a_refusal_alone_removes_nobody() -> None:
    talk = den(4)
    talk.says("hello")
    talk.answer(m.Tell, m.Refusal(Reason.KICKED, "you are out"), to=2)
    assert talk.of(e.Departed) == []
    assert talk.group.belonging == (1, 2, 3, 4)


def test_what_it_is_told_convinces_the_one_that_was_removed() -> None:
    there = without_4()
    calls(there)
    (roster,) = said_to(there, 4)
    talk = den(4)
    talk.hears(m.Update(talk.caller(3), roster))
    assert talk.one(e.Departed).kicked
    assert talk.group.removed_by(4) == 2


def test_nobody_who_was_removed_is_called_with_what_the_members_know() -> None:
    talk = without_4()
    talk.release(m.Update)
    began = len(talk.log)
    talk.cut_registry()
    talk.hears(m.Ping(talk.caller(2), talk.view(2, leader=4, epoch=NEXT, roster_hash=7)))
    talk.says("4 is gone")
    talk.wait(10_000)
    assert talk.group.leader in (2, 3, 4)
    assert [s.request for _, s in talk.log[began:] if isinstance(s, e.Call) and s.to == 4] == []


# ---- who leads -----------------------------------------------------------------------------------


def led_by_2() -> Dialogue:
    signs = {"sign": signer(3), "verify": is_signed}
    return follower(3, *(person(id) for id in (1, 2, 4)), leader=2, signs=signs)


GONE2 = decided(1, KICK, 2)


def test_a_leader_that_was_removed_is_not_asked_and_another_is_elected_at_once() -> None:
    talk = led_by_2()
    told(talk, GONE2, by=1)
    talk.wait_for(m.Elect, ms=50)
    assert sorted(talk.callees(m.Elect)) == [1, 4]
    assert talk.sent(m.Ping, to=2) == []
    assert [s.about for _, s in talk.log if isinstance(s, e.ElectionMoved) and s.about] == [2]


def test_who_asks_about_a_leader_that_was_removed_gets_no_vote_for_it() -> None:
    talk = led_by_2()
    talk.wait(1_500)
    assert talk.hears(m.Elect(talk.caller(4), talk.view(4))).vote is Vote.ALIVE
    told(talk, GONE2, by=1)
    assert talk.hears(m.Elect(talk.caller(4), talk.view(4))).vote is Vote.UNREACHABLE


def test_an_answer_of_one_that_was_removed_meanwhile_is_no_vote_for_it() -> None:
    talk = led_by_2()
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, 2)
    told(talk, GONE2, by=1)
    talk.answer(m.Ping, talk.pong(LEADING, 2), to=2)
    assert talk.hears(m.Elect(talk.caller(4), talk.view(4))).vote is Vote.UNREACHABLE


def test_it_is_not_waited_for_where_a_round_has_just_left_it_in_its_place() -> None:
    talk = led_by_2()
    talk.mute(2)
    talk.wait_for(m.Elect, 4)
    for member in (1, 4):
        talk.answer(m.Elect, talk.vote(Vote.ALIVE), to=member)
    talk.fail(m.Elect, to=2)
    told(talk, GONE2, by=1)
    talk.wait_for(m.Elect, 4, ms=50)


def test_who_was_removed_is_followed_by_nobody_and_stands_for_nothing() -> None:
    talk = without_4()
    for request in (
        m.Coordinator(talk.caller(4, epoch=NEXT), talk.view(4, epoch=NEXT, leader=4), False),
        m.Coordinator(talk.caller(4), talk.view(4), True),
        m.Elect(talk.caller(4), talk.view(4)),
    ):
        assert talk.hears(request).reason == Reason.KICKED
    assert (talk.group.leader, talk.group.provisional) == (1, 0)
    assert talk.group.epoch < NEXT


def test_an_epoch_that_the_registry_gave_to_one_that_was_removed_is_taken_and_left() -> None:
    """So that nobody acts on it; its leader is as good as silent."""
    talk = without_4()
    talk.release(m.Update)
    talk.record = m.Record(talk.group.chat, "den", NEXT, 4, "m4:7000")
    talk.wait_for(m.Elect, ms=20_000)
    assert (talk.group.epoch, talk.group.leader) == (NEXT, 4)
    assert talk.sent(m.Ping, to=4) == []


def test_a_log_keeps_who_was_removed() -> None:
    talk = without_4()
    again = Membership(talk.group.roster)
    assert (again.is_kicked(4), again.removed_by(4), again.belonging) == (True, 2, (1, 2, 3))


def test_a_leader_that_was_removed_is_not_given_our_roster_to_learn_who_calls() -> None:
    talk = led_by_2()
    talk.cut_registry()
    told(talk, GONE2, by=1)
    began = len(talk.log)
    refusal = talk.hears(m.Tell(talk.caller(9), 3, (line(9),)))
    assert refusal.reason == Reason.UNKNOWN_MEMBER
    assert [s.to for _, s in talk.log[began:] if isinstance(s, e.Call) and s.to == 2] == []


def test_who_waited_for_a_lower_one_does_not_ask_the_one_that_was_removed_before_it_claims() -> (
    None
):
    talk = led_by_2()
    told(talk, GONE2, by=1)
    talk.wait_for(m.Elect, 1)
    talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE, ok=True), to=1)
    talk.answer(m.Elect, talk.vote(Vote.UNREACHABLE), to=4)
    began = len(talk.log)
    talk.wait_for(m.Claim, ms=2_000)
    asked = [s.to for _, s in talk.log[began:] if isinstance(s, e.Call) and s.to == 2]
    assert asked == []


def provisional_4() -> Dialogue:
    """1, who leads, and the registry are away; 4 leads for now, and 2 was removed."""
    talk = den(3)
    told(talk, GONE2, by=1)
    talk.mute(1)
    talk.cut_registry()
    talk.wait_for(m.Elect, 4)
    talk.hears(m.Coordinator(talk.caller(4), talk.view(4, provisional=4), True))
    assert talk.group.provisional == 4
    return talk


def test_nobody_is_followed_for_now_who_was_removed_whoever_names_it() -> None:
    talk = provisional_4()
    began = len(talk.log)
    talk.hears(m.Ping(talk.caller(4), talk.view(4, provisional=2)))
    assert [s.to for _, s in talk.log[began:] if isinstance(s, e.Call) and s.to == 2] == []
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, 4)
    talk.answer(m.Ping, talk.pong(NOT_LEADING, 4, provisional=2), to=4)
    assert talk.group.provisional != 2
