"""Dialogues about node/core/joining.py: getting in, and letting others in."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.deciding import statement as decided
from node.core.events import (
    Answered,
    Closing,
    Leaving,
    LinkBroken,
    Received,
    Started,
    Submitted,
)
from node.core.joining import PATIENCE_MS
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import NO_EPOCH, Epoch, Silence
from node.core.vetting import SEQ_MAX
from tests.sim.signing import is_signed, signer

from .cast import CHAT, EPOCH, FIRST, NEXT, WALL, address, identity, person, record, removal, wished
from .dialogue import REGISTRY, STRANGER, Dialogue, follower, founding, leading, outsider, returning


def join(talk: Dialogue, by: int, **rest: object) -> m.Join:
    """A request to be let in; `by` stands for the person, who has no id yet."""
    caller = m.Caller(CHAT, 0, 100, NO_EPOCH)
    asked = m.Join(caller, "den", identity(by), f"user{by}", address(by), process=by)
    return wished(replace(asked, **rest))  # type: ignore[arg-type]


def admit(talk: Dialogue, by: int, **rest: object) -> m.Welcome | m.Refusal:
    """Somebody asks, is called back, and gets an answer."""
    at_once = talk.hears(join(talk, by, **rest))
    if at_once is None:
        talk.answer(m.Ping, talk.pong(member=by), to=STRANGER)
        at_once = talk.reply()
    assert isinstance(at_once, m.Welcome | m.Refusal)
    return at_once


def member_of(answer: m.Welcome | m.Refusal) -> int:
    assert isinstance(answer, m.Welcome), answer
    return answer.member


def welcome(talk: Dialogue, member: int, *others: int) -> m.Welcome:
    """A leader's answer to our own request."""
    mine = person(member, identity=identity(talk.member), incarnation=talk.group.incarnation)
    records = sorted((mine, *map(person, others)), key=lambda record: record.id)
    view = m.View(EPOCH, 1, address(1), 0, 0, 0, 0, 100, 1)
    return m.Welcome(member, m.Roster(tuple(records)), view, CHAT, "den", 1, WALL - 1, "nds:1")


# ---- the leader ----------------------------------------------------------------------------------


def test_the_joiner_is_called_back_before_it_is_admitted() -> None:
    talk = leading(1, 2)
    assert talk.hears(join(talk, 9)) is None
    call = talk.call(m.Ping, to=STRANGER)
    assert call.address == address(9)
    assert talk.group.member(50) is None


@pytest.mark.parametrize("how", [Silence.SILENT, Silence.REFUSED, "another process"])
def test_nobody_can_reach_you_is_refused_and_no_id_is_spent(how: object) -> None:
    talk = leading(1, 2, first=50)
    talk.hears(join(talk, 9))
    if isinstance(how, Silence):
        for _ in range(3 if how is Silence.SILENT else 1):
            assert talk.reply() is None
            talk.fail(m.Ping, to=STRANGER, how=how)
    else:
        talk.answer(m.Ping, talk.pong(member=77), to=STRANGER)
    refusal = talk.reply()
    assert refusal.reason == Reason.CANNOT_REACH
    assert "--advertise" in refusal.text
    assert "--listen" in refusal.text
    assert talk.group.belonging == (1, 2)
    assert member_of(admit(talk, 8)) == 50


def test_who_is_silent_for_a_moment_when_called_back_is_called_again_and_admitted() -> None:
    talk = leading(1, 2, first=50)
    talk.hears(join(talk, 9))
    for _ in range(2):
        talk.fail(m.Ping, to=STRANGER)
        assert talk.reply() is None
    talk.answer(m.Ping, talk.pong(member=9), to=STRANGER)
    assert member_of(talk.reply()) == 50
    assert 3 * 2 * LAN.ping_ms < LAN.join_ms, "the joiner still waits for it"


@pytest.mark.parametrize("talk", [leading(1, 2), follower(2, 1)])
def test_who_would_keep_it_otherwise_is_refused_by_every_member_with_the_chats_number(
    talk: Dialogue,
) -> None:
    refusal = talk.hears(join(talk, 9, mode=m.TRANSIENT, caller=m.Caller(0, 0, 100, NO_EPOCH)))
    assert (refusal.reason, refusal.chat) == (Reason.WRONG_MODE, CHAT)
    assert "on disk" in refusal.text
    assert not talk.waits(m.Ping, to=STRANGER)


def test_in_a_transient_group_who_comes_from_an_old_address_replaces_the_one_before() -> None:
    ghost = person(3, address=address(9))
    talk = leading(1, 2, ghost, person(4), mode=m.TRANSIENT)
    assert talk.hears(join(talk, 9)).reason == Reason.WRONG_MODE
    assert member_of(admit(talk, 9, mode=m.TRANSIENT)) == 50
    assert talk.group.belonging == (1, 2, 4, 50)
    gone = talk.group.member(3)
    assert gone is not None
    assert gone.left
    logged = leading(1, 2, ghost)
    admit(logged, 9)
    assert logged.group.belonging == (1, 2, 3, 50), "elsewhere an address says nothing"


def test_the_joiner_says_how_it_keeps_what_is_said_and_learns_the_number_of_another() -> None:
    talk = outsider(at="m1:7000", mode=m.TRANSIENT, nds="")
    assert talk.call(m.Join).request.mode == m.TRANSIENT
    talk.answer(m.Join, m.Refusal(Reason.WRONG_MODE, "on disk", chat=CHAT))
    assert talk.one(e.JoinFailed).reason == Reason.WRONG_MODE
    assert talk.group.chat == CHAT


def test_admission_is_durable_then_answered_then_told_to_all() -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Update)
    admit(talk, 9)
    stored, told = talk.one(e.StoreRoster), talk.position(e.Call, m.Update)
    assert 50 in [member.id for member in stored.roster.members]
    assert talk.position(e.StoreRoster) < talk.position(e.Respond) < told
    assert talk.callees(m.Update) == [2, 3, 50]


def test_the_welcome_has_the_id_the_roster_and_where_the_leader_stands() -> None:
    talk = leading(1, 2)
    answer = admit(talk, 9)
    assert isinstance(answer, m.Welcome)
    assert (answer.member, [who.id for who in answer.roster.members]) == (50, [1, 2, 50])
    assert (answer.view.epoch, answer.view.leader) == (EPOCH, 1)
    assert (answer.chat, answer.name, answer.nds) == (CHAT, "den", "nds:1")
    assert (50, e.Change.JOINED) in talk.changes


def test_ids_grow_with_admission() -> None:
    talk = leading(1, 2)
    assert [member_of(admit(talk, by)) for by in (9, 8, 7)] == [50, 51, 52]


def test_join_reply_repeats_the_same_id() -> None:
    talk = leading(1, 2)
    first = member_of(admit(talk, 9))
    again = member_of(admit(talk, 9))
    assert first == again == 50
    assert talk.group.belonging == (1, 2, 50)


def test_an_identity_that_is_in_comes_back_in_its_new_life_and_address() -> None:
    talk = leading(1, person(2, m.Life.DROPPED))
    caller = m.Caller(CHAT, 0, 900, NO_EPOCH)
    assert member_of(admit(talk, 2, caller=caller, address="new:7000")) == 2
    known = talk.group.member(2)
    assert known is not None
    assert (known.life, known.incarnation, known.address) == (m.Life.ALIVE, 900, "new:7000")


def test_a_newcomer_is_admitted_with_its_card_and_may_come_back_with_another() -> None:
    talk = leading(1, 2)
    first, second = m.Card(b"one"), m.Card(b"another")
    for card, known in ((first, first), (second, second), (m.NO_CARD, second)):
        assert member_of(admit(talk, 9, card=card)) == 50
        record = talk.group.member(50)
        assert record is not None
        assert record.card == known


def test_one_identity_is_admitted_once_however_often_it_asks() -> None:
    talk = leading(1, 2)
    assert talk.hears(join(talk, 9)) is None
    assert talk.hears(join(talk, 9)).reason == Reason.LEAVING, "retryable"
    talk.answer(m.Ping, talk.pong(member=9), to=STRANGER)
    assert talk.group.belonging == (1, 2, 50)


def test_ids_that_the_joiner_has_left_are_merged_first() -> None:
    talk = leading(1, 2, person(5))
    answer = admit(talk, 5, left_ids=(5,))
    assert member_of(answer) == 50, "not its old id again"
    old = talk.group.member(5)
    assert old is not None
    assert old.left


def test_nobody_leaves_for_another() -> None:
    talk = leading(1, 2)
    admit(talk, 9, left_ids=(2,))
    assert 2 in talk.group.belonging


def test_only_the_certified_leader_admits_and_others_name_it() -> None:
    refusal = follower(3, 1, 2).hears(join(follower(3, 1, 2), 9))
    assert refusal.reason == Reason.NOT_LEADER
    assert (refusal.leader, refusal.leader_address, refusal.epoch) == (1, address(1), EPOCH)


def test_a_leader_deposed_while_it_called_back_does_not_admit() -> None:
    talk = leading(1, 2)
    talk.hears(join(talk, 9))
    call = talk.call(m.Ping, to=STRANGER)
    view = talk.view(2, epoch=NEXT, leader=2)
    asked = talk._inbound
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    assert call is talk.call(m.Ping, to=STRANGER)
    talk.answer(m.Ping, talk.pong(member=9), to=STRANGER)
    assert talk.reply(asked).reason == Reason.NOT_LEADER
    assert talk.group.belonging == (1, 2)


def test_an_admission_begun_in_one_epoch_is_not_ended_in_another() -> None:
    talk = leading(1, 2)
    talk.hears(join(talk, 9))
    asked = talk._inbound
    view = talk.view(2, epoch=NEXT, leader=2)
    talk.hears(m.Coordinator(talk.caller(2, epoch=NEXT), view, False))
    talk.kill(2)
    talk.hand(LinkBroken(address(2)))
    talk.wait(20)
    talk.answer(m.Claim, talk.granted(Epoch(1, 7), first=60))
    assert talk.group.leads
    talk.answer(m.Ping, talk.pong(member=9), to=STRANGER)
    assert talk.reply(asked).reason == Reason.NOT_LEADER, "retryable"


def test_a_kicked_identity_stays_out() -> None:
    talk = leading(1, 2, 3)
    talk.hears(m.Update(talk.caller(3), m.Roster(decisions=(removal(2),))))
    assert admit(talk, 2).reason == Reason.KICKED  # type: ignore[union-attr]


def test_who_left_and_joins_again_gets_a_new_id() -> None:
    talk = leading(1, person(2, left=True))
    assert member_of(admit(talk, 2)) == 50


def test_without_ids_the_joiner_waits_and_the_registry_is_asked_at_once() -> None:
    talk = leading(1, 2, count=1)
    admit(talk, 9)
    refusal = admit(talk, 8)
    assert refusal.reason == Reason.NO_IDS  # type: ignore[union-attr]
    assert [renew.want_ids for renew in talk.sent(m.Renew)] == [True]
    assert member_of(admit(talk, 9)) == 50, "who is in already needs none"


def test_a_full_group_says_so() -> None:
    talk = leading(1, 2, 3, timing=replace(LAN, members_max=4))
    assert member_of(admit(talk, 9)) == 50
    assert admit(talk, 8).reason == Reason.GROUP_FULL  # type: ignore[union-attr]
    assert member_of(admit(talk, 9)) == 50


# ---- the founder ---------------------------------------------------------------------------------


def test_the_founder_is_the_first_member_and_leads() -> None:
    talk = founding()
    assert (talk.group.me, talk.group.leads, talk.group.epoch) == (1, True, FIRST)
    assert talk.group.belonging == (1,)
    assert talk.one(e.Joined).member == 1
    assert talk.position(e.StoreRoster) < talk.position(e.Joined)
    mine = talk.group.member(1)
    assert mine is not None
    assert mine.admitted == FIRST
    assert member_of(admit(talk, 9)) == 2


# ---- the joiner ----------------------------------------------------------------------------------


def test_the_joiner_asks_where_it_was_told_to() -> None:
    talk = outsider(9, "m3:7000")
    call = talk.call(m.Join)
    assert call.address == "m3:7000"
    asked = call.request
    assert (asked.identity, asked.nick, asked.address) == (identity(9), "user9", address(9))
    assert asked.caller.node == 0
    assert asked.process == 9


def test_not_leader_is_followed_twice_at_most_then_the_registry_is_asked() -> None:
    talk = outsider(9, "m5:7000")
    talk.hold(m.Lookup)
    for at in (4, 3):
        talk.answer(m.Join, m.Refusal(Reason.NOT_LEADER, leader=at, leader_address=address(at)))
        assert talk.call(m.Join).address == address(at)
    talk.answer(m.Join, m.Refusal(Reason.NOT_LEADER, leader=2, leader_address=address(2)))
    assert not talk.waits(m.Join)
    talk.wait_for(m.Lookup)
    talk.answer(m.Lookup, m.RecordRead(record(1)))
    assert talk.call(m.Join).address == address(1)


def test_by_name_the_registry_says_where_the_leader_is() -> None:
    talk = outsider(9)
    assert talk.sent(m.Lookup)[0].name == "den"
    assert talk.call(m.Join).address == address(1)
    assert talk.call(m.Join).request.caller.chat == CHAT


def test_the_welcomed_is_a_member_once_that_is_stored() -> None:
    talk = outsider(9, "m1:7000")
    talk.answer(m.Join, welcome(talk, 50, 1, 2))
    group = talk.group
    assert (group.me, group.leader, group.epoch, group.belonging) == (50, 1, EPOCH, (1, 2, 50))
    assert talk.one(e.Joined).member == 50
    stored = [at for at, s in enumerate(talk.said) if isinstance(s, e.StoreMeta | e.StoreRoster)]
    assert stored[0] < talk.position(e.Joined)
    assert talk.of(e.StoreMeta)[0].meta.member == 50
    assert talk.sent(m.Sync, to=1), "it reads what was said"


def without_us(roster: m.Roster, **rest: object) -> m.Roster:
    """That list with our record otherwise, or with none of us."""
    ours = [replace(one, **rest) for one in roster.members if one.id == 50 and rest]
    return replace(roster, members=(*(one for one in roster.members if one.id != 50), *ours))


@pytest.mark.parametrize(
    ("lie", "text"),
    [
        (lambda said: replace(said, roster=without_us(said.roster)), "its list of members does no"),
        (lambda said: replace(said, roster=m.NOBODY), "its list of members does not"),
        (lambda said: replace(said, member=2), "its list of members does not"),
        (
            lambda said: replace(said, roster=without_us(said.roster, identity=identity(7))),
            "its list of members does not",
        ),
        (
            lambda said: replace(said, roster=without_us(said.roster, left=True)),
            "its list of members does not",
        ),
        (
            lambda said: replace(
                said,
                roster=replace(said.roster, decisions=(removal(50, person=identity(9)),)),
            ),
            "its list of members does not",
        ),
        (lambda said: replace(said, chat=CHAT + 1), "into another chat"),
    ],
    ids=("without us", "nobody", "as another", "another as us", "left", "removed", "chat"),
)
def test_who_is_let_in_by_a_lie_is_not_in(lie: Callable[[m.Welcome], m.Welcome], text: str) -> None:
    """Else it would find out when it leaves, or be another one."""
    talk = outsider(9)
    talk.answer(m.Join, lie(welcome(talk, 50, 1, 2)))
    assert text in talk.one(e.JoinFailed).text
    assert (talk.of(e.Joined), talk.of(e.StoreMeta), talk.of(e.StoreRoster)) == ([], [], [])
    assert (talk.group.me, talk.group.belonging) == (0, ())
    talk.hand(Leaving())
    assert talk.of(e.Departed)


@pytest.mark.parametrize("at", ["", "m1:7000"], ids=["by the NDS", "by a member"])
def test_who_is_let_in_as_one_that_the_founder_removed_is_not_in(at: str) -> None:
    """Also where the number of the chat is known only by the welcome."""
    talk = outsider(9, at, sign=signer(identity(9)), verify=is_signed)
    said = removal(50, person=identity(9))
    said = replace(said, signature=signer(identity(1))(decided(CHAT, said)))
    lie = welcome(talk, 50, 1, 2)
    talk.answer(m.Join, replace(lie, roster=replace(lie.roster, decisions=(said,))))
    assert "its list of members does not" in talk.one(e.JoinFailed).text
    assert (talk.group.me, talk.of(e.Joined), talk.group.belonging) == (0, [], ())


@pytest.mark.parametrize(
    "view",
    [{"leader": 50}, {"leader": 77}, {"leader": 0}, {"provisional": 50}, {"epoch": NO_EPOCH}],
)
@pytest.mark.parametrize("then", [Leaving(), Closing()])
def test_whatever_else_a_welcome_says_we_can_go(
    view: dict[str, Any], then: Closing | Leaving
) -> None:
    talk = outsider(9)
    said = welcome(talk, 50, 1, 2)
    talk.answer(m.Join, replace(said, view=replace(said.view, **view)))
    assert talk.group.me == 50
    talk.says("hello")
    talk.wait(5_000)
    talk.hand(then)
    talk.wait(10_000)
    assert any(isinstance(one, e.Departed | e.Stopped) for _, one in talk.log)


def test_a_record_newer_than_the_welcome_stands() -> None:
    talk = outsider(9, "m1:7000")
    talk.record = record(2, NEXT)
    talk.answer(m.Join, welcome(talk, 50, 1, 2))
    talk.wait(10)
    assert talk.group.leader == 2


def test_a_lost_answer_is_asked_for_again() -> None:
    talk = outsider(9, "m1:7000")
    talk.fail(m.Join)
    talk.wait_for(m.Join)
    talk.answer(m.Join, welcome(talk, 50, 1))
    assert talk.group.me == 50


@pytest.mark.parametrize(
    "reason",
    [
        Reason.CANNOT_REACH,
        Reason.KICKED,
        Reason.GROUP_FULL,
        Reason.VERSION_MISMATCH,
        Reason.WRONG_NDS,
    ],
)
def test_what_no_waiting_helps_ends_the_attempt_at_once(reason: str) -> None:
    talk = outsider(9, "m1:7000")
    talk.answer(m.Join, m.Refusal(reason, "why"))
    assert talk.one(e.JoinFailed) == e.JoinFailed(reason, "why")
    talk.wait(30_000)
    assert talk.sent(m.Join) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (m.Refusal(Reason.LEAVING, "in a moment"), Reason.LEAVING),
        (m.Refusal(Reason.NO_IDS, "none"), Reason.NO_IDS),
        (None, "NOBODY_ANSWERS"),
    ],
)
def test_otherwise_the_joiner_tries_for_eight_seconds_and_then_says_why(
    answer: m.Refusal | None, reason: str
) -> None:
    talk = outsider(9, "m1:7000")
    for _ in range(100):
        if answer is not None:
            talk.answer(m.Join, answer)
        else:
            talk.fail(m.Join, how=Silence.REFUSED)
        if talk.of(e.JoinFailed):
            break
        talk.wait_for(m.Join)
    assert talk.one(e.JoinFailed).reason == reason
    assert 8_000 <= talk.now <= 8_000 + 500


def test_with_nobody_reached_the_joiner_says_that_the_registry_is_away() -> None:
    talk = outsider(9, "m1:7000")
    talk.mute(REGISTRY)
    talk.fail(m.Join, how=Silence.REFUSED)
    talk.wait(12_000)
    assert talk.one(e.JoinFailed).reason == "NDS_UNREACHABLE"


def test_who_is_not_in_says_nothing_and_knows_nothing() -> None:
    talk = outsider(9, "m1:7000")
    talk.hand(Submitted("hello?", "id", WALL))
    assert talk.shown == []
    reply = talk.hears(m.Tell(m.Caller(CHAT, 1, 100, EPOCH), 9, (None,)))  # type: ignore[arg-type]
    assert reply.reason == Reason.UNKNOWN_CHAT
    caller = m.Caller(CHAT, 0, 0, EPOCH)
    assert talk.hears(m.Ping(caller, None)).view.process == 9, "but it answers the call back"


def test_a_member_under_a_new_id_counts_the_old_one_as_left_and_begins_a_stream() -> None:
    talk = follower(3, 1, 2)
    before = talk.says("as three")
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, to=1)
    talk.answer(m.Ping, m.Refusal(Reason.UNKNOWN_MEMBER), to=1)
    talk.answer(m.Join, welcome(talk, 50, 1, 2))
    assert talk.group.me == 50
    assert talk.of(e.StoreMeta)[0].meta.left_ids == (3,)
    after = talk.says("as fifty")
    assert after.key.source == 50
    assert after.key.stream != before.key.stream
    assert before.key in after.deps


def test_a_restarted_joiner_that_never_got_in_is_no_member() -> None:
    talk = returning(9, leader=0, member=0)
    talk.hand(Started(WALL))
    assert talk.group.me == 0
    assert talk.sent(m.Lookup) == []


@pytest.mark.parametrize("event", [Closing(), Leaving()])
def test_a_joiner_that_is_told_to_stop_joins_no_more(event: Closing | Leaving) -> None:
    talk = outsider(9, "m1:7000")
    talk.hand(event)
    talk.answer(m.Join, welcome(talk, 50, 1))
    assert talk.of(e.Joined) == []
    talk.wait(10_000)
    assert talk.sent(m.Join) == []


def test_who_comes_to_lead_while_it_asks_to_be_let_in_again_asks_no_more() -> None:
    talk = follower(2, 1)
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, to=1)
    talk.answer(m.Ping, m.Refusal(Reason.UNKNOWN_MEMBER), to=1)
    assert talk.waits(m.Join)
    talk.release(m.Ping)
    talk.kill(1)
    talk.wait_for(m.Claim)
    talk.answer(m.Claim, talk.granted())
    assert talk.group.leader == 2
    talk.answer(m.Join, welcome(talk, 2, 1))
    assert (talk.group.leader, talk.of(e.Joined)) == (2, [])
    talk.wait(2 * PATIENCE_MS)
    assert (talk.sent(m.Join), talk.of(e.JoinFailed)) == ([], [])


def test_a_newcomer_stands_at_once_when_it_is_asked_though_it_has_not_noticed_anything() -> None:
    talk = outsider(9, at=address(1))
    talk.answer(m.Join, welcome(talk, 2, 1, 3))
    talk.kill(1)
    answer = talk.hears(m.Elect(talk.caller(3), talk.view(3)))
    assert (answer.ok, answer.vote) == (True, m.Vote.UNREACHABLE)
    assert talk.wait_for(m.Elect, to=3, ms=10).caller.node == 2


def test_who_is_let_in_late_is_in() -> None:
    talk = outsider(at="m1:7000")
    call = talk.call(m.Join).call
    talk.wait(LAN.join_ms)
    assert not talk.of(e.Joined)
    talk.hand(Answered(call, welcome(talk, 9, 1, 2)))
    assert talk.one(e.Joined) == e.Joined(9)
    talk.wait(LAN.late_ms)
    assert not talk.sent(m.Join)
    assert not talk.of(e.JoinFailed)


@pytest.mark.parametrize("late", ["refused", "let in before", "given up"])
def test_what_else_comes_late_lets_nobody_in(late: str) -> None:
    talk = outsider(at="m1:7000")
    call = talk.call(m.Join).call
    talk.wait(LAN.join_ms)
    reply: m.Welcome | m.Refusal = welcome(talk, 9, 1, 2)
    if late == "refused":
        reply = m.Refusal(Reason.NOT_LEADER)
    elif late == "let in before":
        talk.wait_for(m.Join)
        talk.answer(m.Join, welcome(talk, 10, 1, 2))
    else:
        talk.hand(Leaving())
    talk.hand(Answered(call, reply))
    assert not talk.of(e.Joined)


def test_who_wants_in_signs_that_itself() -> None:
    """Else whoever has stolen the certificate of a member would come in as its next life."""
    signs = {"verify": is_signed, "sign": signer(identity(1))}
    for by, known in ((9, person(4)), (4, person(4))):
        talk = leading(1, 2, known, first=50, signs=signs)
        asked = replace(join(talk, by), caller=m.Caller(CHAT, 0, 200, NO_EPOCH))
        before = talk.group.roster
        for forged in (asked, replace(asked, word=b""), replace(wished(asked), address="m7:7000")):
            talk.hand(Received(7, forged, None))
            assert talk.reply(7).reason == Reason.WRONG_SIGNATURE
            assert talk.group.roster == before
        talk.hand(Received(8, wished(asked), None))
        talk.answer(m.Ping, talk.pong(member=by), to=STRANGER)
        assert isinstance(talk.reply(8), m.Welcome)


@pytest.mark.parametrize(
    ("stamp", "lives", "then"),
    [
        ((100, 3), 100, (100, 4)),
        ((100, 3), 200, (200, 0)),
        ((300, 3), 200, (300, 4)),
        ((100, SEQ_MAX), 100, (101, 0)),
    ],
)
def test_who_comes_back_elsewhere_has_a_later_address(
    stamp: tuple[int, int], lives: int, then: tuple[int, int]
) -> None:
    talk = leading(1, 2, person(4, address_stamp=stamp), first=50)
    caller = m.Caller(CHAT, 0, lives, NO_EPOCH)
    assert member_of(admit(talk, 4, address="m9:7000", caller=caller)) == 4
    record = talk.group.member(4)
    assert record is not None
    assert (record.address, record.address_stamp) == ("m9:7000", then)
