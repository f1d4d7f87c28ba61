"""Dialogues about node/core/removing.py: what who was removed is told, that nobody follows it, and
how it finds out that it is a member still.

1 has founded the den; 2 is an admin there, which has removed 4.
"""

from random import Random

from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.events import Closing, Decided, Leaving, Started
from node.core.group import Group
from node.core.membership import Membership
from node.core.messages import NO_CARD, Vote
from node.core.reasons import Reason
from node.core.removing import AGAIN_MS, ASK_AGAIN_MS, ASK_AT_START_MS, ASK_RARELY_MS, NOWHERE
from node.core.timing import LAN
from tests.sim.machine import Disk

from .cast import CHAT, LEADING, NEXT, NOT_LEADING, WALL, identity, let_in, line, person, setup
from .dialogue import Dialogue, follower, returning
from .test_ruling import DEOP, KICK, KICK4, OP, OP2, decided, den, told
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


def test_it_is_told_by_whom_the_one_that_removed_it_was_let_in() -> None:
    """Else it would believe in nobody of whom it has not heard."""
    talk = den(3)
    talk.hold(m.Update)
    op = decided(1, OP, 5)
    both = (op, decided(5, KICK, 4, op))
    talk.hears(m.Update(talk.caller(1), m.Roster((let_in(5),), decisions=both)))
    assert calls(talk) == Reason.KICKED
    (*_, roster) = said_to(talk, 4)
    (record,) = (one for one in roster.members if one.id == 5)
    assert (record.admission, record.address) == (let_in(5).admission, NOWHERE)


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


# ---- who was removed, and is a member still ------------------------------------------------------

DEOP2 = decided(1, DEOP, 2, OP2)  # by the owner, who did not know of KICK4: it does not count
HOUR_MS = 3_600_000
KICKED = m.Refusal(Reason.KICKED, "you are out")


def removed(*more: m.Member) -> Dialogue:
    """4, which was removed a moment ago."""
    talk = den(4, *more)
    talk.hold(m.Update)
    told(talk, OP2, KICK4)
    assert talk.one(e.Departed).kicked
    return talk


def again(talk: Dialogue) -> Dialogue:
    """The same member in the next life of its process, from what it has stored."""
    disk = Disk()
    disk.meta = e.Meta(
        4, 100, talk.group.epoch, 1, "den", CHAT, 1, WALL - 1, "nds:1", (), False, 0, False, ()
    )
    for _, effect in talk.log:
        if isinstance(effect, e.Store):
            disk.write(effect)
    signs = {"sign": signer(4), "verify": is_signed}
    group = Group(setup(4, chat=CHAT, **signs), LAN, Random(1), disk.read_back(Random(1)))
    later = Dialogue(group, 4, talk.now)
    later.hold(m.Update)
    later.hand(Started(WALL + talk.now))
    return later


def calls_from(talk: Dialogue, began: int) -> list[tuple[int, e.Call]]:
    return [(at, effect) for at, effect in talk.log[began:] if isinstance(effect, e.Call | e.Ask)]


def knows_better(*more: m.Member) -> m.Updated:
    """What somebody answers who knows that 2 was none of the admins any more."""
    there = den(3, *more)
    told(there, OP2, KICK4, DEOP2)
    assert there.group.belonging[:4] == (1, 2, 3, 4)
    return m.Updated(there.group.roster, there.view(3))


def test_who_was_removed_asks_one_after_another_and_ever_more_rarely_and_says_nothing_else() -> (
    None
):
    talk = den(4)
    talk.says("on its way to everybody")
    talk.hold(m.Update)
    told(talk, OP2, KICK4)
    began, since = len(talk.log), talk.now
    talk.wait(10 * HOUR_MS)
    asked = calls_from(talk, began)
    assert {type(one.request) for _, one in asked} == {m.Update}
    assert all(one.request.want_roster and one.request.caller.node == 4 for _, one in asked)
    whom = [one.to for _, one in asked]
    assert whom[:3] == whom[3:6]
    assert sorted(whom[:3]) == [1, 2, 3]
    gaps = [
        b - a
        for a, b in zip([since, *(at for at, _ in asked)], [at for at, _ in asked], strict=False)
    ]
    assert ASK_AGAIN_MS // 2 <= gaps[0] <= ASK_AGAIN_MS
    assert all(ASK_RARELY_MS // 2 <= gap <= ASK_RARELY_MS for gap in gaps[6:])
    assert len(set(gaps[6:])) > 10, "by chance, so that not all ask at once"


def test_not_everybody_asks_the_same_one_first() -> None:
    asked = set()
    for seed in range(20):
        talk = den(4, seed=seed)
        talk.hold(m.Update)
        told(talk, OP2, KICK4)
        talk.wait_for(m.Update)
        asked.update(talk.callees(m.Update))
    assert asked == {1, 2, 3}


def test_who_is_refused_asks_nobody_because_of_that() -> None:
    talk = removed()
    began = len(talk.log)
    talk.wait_for(m.Update)
    (_, asked), *_ = calls_from(talk, began)
    talk.answer(m.Update, KICKED, to=asked.to)
    talk.wait(ASK_AGAIN_MS // 2)
    assert len(calls_from(talk, began)) == 1
    assert talk.group.removed_by(4) == 2


def test_who_is_told_that_it_does_not_count_goes_on_as_itself_with_what_it_had_to_tell() -> None:
    talk = den(4)
    talk.says("who hears me?")
    talk.hold(m.Update)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(3, m.Life.DROPPED),))))
    told(talk, OP2, KICK4)
    before = talk.group.incarnation
    talk.wait_for(m.Update)
    talk.answer(m.Update, knows_better(let_in(5)))
    assert talk.one(e.Reinstated) == e.Reinstated()
    assert talk.changes == [
        (3, e.Change.RETURNED),
        (5, e.Change.JOINED),
        (2, e.Change.NO_ADMIN),
    ]
    assert talk.of(e.Call) == [], "that is for the next life"
    later = again(talk)
    assert (later.group.me, later.group.belonging) == (4, (1, 2, 3, 4, 5))
    assert later.group.incarnation > before
    assert later.of(e.Departed) == []
    said = [one.messages[0].texts[0] for one in later.sent(m.Tell)]
    assert said == ["who hears me?"] * 3
    (mine,) = [one for one in later.sent(m.Update, to=1)[0].roster.members if one.id == 4]
    assert (mine.incarnation, mine.life, mine.left) == (
        later.group.incarnation,
        m.Life.ALIVE,
        False,
    )
    (meta, *_) = [effect.meta for effect in later.of(e.StoreMeta)]
    assert (meta.member, meta.left_ids, meta.leaving) == (4, (), False)


def test_a_removal_that_counts_is_not_undone_by_any_answer() -> None:
    talk = removed()
    talk.wait_for(m.Update)
    there = den(3)
    told(there, OP2)
    talk.answer(m.Update, m.Updated(there.group.roster, there.view(3)))
    assert talk.of(e.Reinstated) == []
    assert talk.group.removed_by(4) == 2
    talk.wait_for(m.Update, ms=2 * ASK_AGAIN_MS)


def test_after_a_restart_it_knows_still_and_asks_soon() -> None:
    later = again(removed())
    assert later.one(e.Departed).kicked
    assert calls_from(later, 0) == []
    later.wait_for(m.Update, ms=ASK_AT_START_MS)
    later.answer(m.Update, knows_better())
    assert later.one(e.Reinstated) == e.Reinstated()
    assert again(later).group.belonging == (1, 2, 3, 4)


def test_what_it_is_asked_it_answers_as_a_node_that_is_not_there() -> None:
    talk = removed()
    for request in (
        m.Ping(talk.caller(1), talk.view(1)),
        m.Ping(talk.caller(0, 0), None),
        m.Update(talk.caller(3), m.Roster(decisions=(DEOP2,)), want_roster=True),
        m.Tell(talk.caller(3), 4, (line(3),)),
    ):
        assert talk.hears(request).reason == Reason.UNKNOWN_CHAT


def test_who_leaves_or_goes_asks_nothing_any_more() -> None:
    for end in (Leaving(), Closing()):
        talk = removed()
        talk.wait_for(m.Update)
        talk.hand(end)
        talk.answer(m.Update, knows_better())
        assert talk.of(e.Reinstated) == []
        began = len(talk.log)
        talk.wait(HOUR_MS)
        assert calls_from(talk, began) == []


def test_who_had_begun_to_leave_asks_nothing() -> None:
    talk = returning(person(4, left=True), 1, 2, 3, leader=1, leaving=True)
    talk.hand(Started(WALL))
    talk.hears(m.Update(talk.caller(3), m.Roster(decisions=(replace(KICK4, after=(), by=1),))))
    began = len(talk.log)
    talk.wait(HOUR_MS)
    assert [one for _, one in calls_from(talk, began) if isinstance(one.request, m.Update)] == []


def test_nobody_is_asked_of_whom_it_was_told_no_address() -> None:
    """That of an admin who came later, and removed it."""
    kick = decided(5, KICK, 4, decided(1, OP, 5))
    bare = replace(let_in(5), address=NOWHERE, address_stamp=(0, 0))
    talk = den(4)
    talk.hold(m.Update)
    talk.hears(m.Update(talk.caller(3), m.Roster((bare,), decisions=(decided(1, OP, 5), kick))))
    began = len(talk.log)
    talk.wait(HOUR_MS)
    assert {one.to for _, one in calls_from(talk, began)} == {1, 2, 3}


# ---- who is asked --------------------------------------------------------------------------------


def asks(by: Dialogue) -> m.Update:
    by.wait_for(m.Update)
    return by.call(m.Update).request  # type: ignore[no-any-return]


def test_who_counts_it_as_removed_gives_nothing_and_does_not_hear_it() -> None:
    there, before = without_4(), removed()
    request = asks(before)
    heard = there.group.heard_at(4)
    there.wait(1_000)
    assert there.hears(replace(request, caller=there.caller(4))).reason == Reason.KICKED
    (roster,) = said_to(there, 4)
    assert {one.address for one in roster.members if one.id != 3} == {NOWHERE}
    assert there.group.heard_at(4) == heard
    assert there.changes == []


def test_who_has_not_heard_of_the_removal_learns_it_from_the_question_and_gives_nothing() -> None:
    there = den(3)
    there.hold(m.Update)
    request = asks(removed())
    answer = there.hears(replace(request, caller=there.caller(4)))
    assert answer.reason == Reason.KICKED
    assert there.group.removed_by(4) == 2
    assert (4, e.Change.KICKED) in there.changes


def test_who_knows_better_answers_and_takes_the_decisions_in() -> None:
    there = den(3)
    told(there, OP2, DEOP2)
    request = asks(removed())
    answer = there.hears(replace(request, caller=there.caller(4)))
    assert isinstance(answer, m.Updated)
    assert {one.id for one in answer.roster.decisions} == {OP2.id, KICK4.id, DEOP2.id}
    assert there.group.belonging == (1, 2, 3, 4)


def test_it_shows_where_it_is_now_and_by_which_certificate() -> None:
    talk = removed()
    later = again(talk)
    later.wait_for(m.Update)
    (mine,) = [one for one in asks(later).roster.members if one.id == 4]
    assert (mine.incarnation, mine.address_stamp[0]) == (later.group.incarnation,) * 2
