"""Dialogues about node/core/reign.py: how a node comes to lead, learns of others, steps down."""

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.events import Leaving, Started
from node.core.reasons import Reason
from node.core.state import Role
from node.core.timing import LAN
from node.core.types import Epoch, IdBlock

from .cast import BEFORE, EPOCH, NEXT, WALL, address, identity, person, record
from .dialogue import Dialogue, follower, leading, returning

DROPPED = m.Life.DROPPED


def coordinator(
    talk: Dialogue, by: int, epoch: Epoch, *, provisional: bool = False
) -> m.Coordinator:
    view = talk.view(by, epoch=epoch, leader=by, leader_address=address(by))
    return m.Coordinator(talk.caller(by, epoch=epoch), view, provisional)


def join(talk: Dialogue, by: int = 9) -> m.Join:
    caller = m.Caller(talk.group.chat, 0, 100, Epoch(0, 0))
    return m.Join(caller, "den", identity(by), f"user{by}", address(by), process=by)


# ---- coming to lead ------------------------------------------------------------------------------


def test_a_node_leads_because_the_registry_granted_it() -> None:
    talk = leading(1, 2, 3)
    assert (talk.group.role, talk.group.epoch, talk.group.leader) == (Role.LEADER, EPOCH, 1)
    assert e.LeaderChanged(1, EPOCH, False, 0) in [s for _, s in talk.log]


def test_an_epoch_is_stored_before_anyone_is_told() -> None:
    talk = returning(1, 2, leader=1, epoch=BEFORE)
    talk.hand(Started(WALL))
    talk.answer(m.Claim, talk.granted(EPOCH))
    assert talk.one(e.StoreMeta).meta.epoch == EPOCH
    assert talk.position(e.StoreMeta) < talk.position(e.Call, m.Coordinator)


def test_coordinator_goes_to_active_suspect_and_dropped_members_and_to_nobody_gone() -> None:
    others = (2, person(3, m.Life.SUSPECT), person(4, DROPPED))
    talk = returning(
        1, *others, person(5, left=True), person(6, kicked=True), leader=1, epoch=BEFORE
    )
    talk.hold(m.Coordinator)
    talk.hand(Started(WALL))
    talk.answer(m.Claim, talk.granted(EPOCH))
    assert talk.callees(m.Coordinator) == [2, 3, 4]


def test_a_coordinator_that_nobody_answered_is_said_once_more() -> None:
    talk = returning(1, 2, 3, leader=1, epoch=BEFORE)
    talk.hold(m.Coordinator)
    talk.hand(Started(WALL))
    talk.answer(m.Claim, talk.granted(EPOCH))
    talk.fail(m.Coordinator, to=2)
    assert len(talk.sent(m.Coordinator, to=2)) == 1
    talk.fail(m.Coordinator, to=2)
    assert talk.sent(m.Coordinator) == []


def test_a_restarted_leader_claims_anew_and_never_resumes() -> None:
    talk = returning(1, 2, 3, leader=1)
    talk.hand(Started(WALL))
    assert not talk.group.leads, "the record still names it, for an earlier life"
    assert talk.call(m.Claim).request.expected == EPOCH
    assert talk.hears(join(talk)).reason == Reason.NOT_LEADER
    talk.answer(m.Claim, talk.granted(NEXT))
    assert (talk.group.leads, talk.group.epoch) == (True, NEXT)


def test_a_grant_that_was_lost_may_not_be_used_and_is_claimed_anew() -> None:
    talk = follower(2, 1, 3)
    talk.record = record(2, NEXT)  # We won, and never heard of it.
    talk.mute(1)
    talk.wait_for(m.Claim)
    assert not talk.group.leads
    assert talk.call(m.Claim).request.expected == NEXT


# ---- learning ------------------------------------------------------------------------------------


def test_a_higher_epoch_is_accepted_and_stored() -> None:
    talk = follower(3, 1, 2)
    reply = talk.hears(coordinator(talk, 2, NEXT))
    assert reply.stale is False
    assert (talk.group.epoch, talk.group.leader) == (NEXT, 2)
    assert talk.of(e.StoreMeta)[0].meta.leader == 2


def good_bye(talk: Dialogue, leaving: bool, epoch: Epoch = NEXT) -> None:
    """The old leader, 1, goes: for good, or only offline."""
    caller = talk.caller(1, epoch=epoch)
    if leaving:
        talk.hears(m.Leave(caller, person(1, left=True)))
    else:
        talk.hears(m.Update(caller, m.Roster((person(1, DROPPED),))))


def crowned(talk: Dialogue, leaving: bool) -> None:
    """The new leader, 2, says so, and who named it."""
    request = replace(coordinator(talk, 2, NEXT), handed_over_by=1, handed_over_leaving=leaving)
    talk.hears(request)


@pytest.mark.parametrize("leaving", [True, False])
@pytest.mark.parametrize("first", ["the word of the new leader", "the good-bye", "the record"])
def test_a_hand_over_is_known_as_one_whatever_is_heard_first(first: str, leaving: bool) -> None:
    talk = follower(3, 1, 2, 4)
    if first == "the word of the new leader":
        crowned(talk, leaving)
        good_bye(talk, leaving)
    else:
        talk.record = record(2, NEXT if first == "the record" else EPOCH)
        good_bye(talk, leaving)
        talk.wait(LAN.record_ms if first == "the record" else 0)
        crowned(talk, leaving)
    led = [effect for _, effect in talk.log if isinstance(effect, e.LeaderChanged)]
    assert [(one.leader, one.handed_over_by, one.handed_over_leaving) for one in led[-1:]] == [
        (2, 1, leaving)
    ]
    assert sum(one.leader == 2 for one in led) == 1


@pytest.mark.parametrize(
    ("member", "epoch", "of"),
    [(4, NEXT, NEXT), (1, EPOCH, NEXT), (1, NEXT, Epoch(NEXT.generation, NEXT.n + 1))],
    ids=["no leader", "nobody was named", "another epoch"],
)
def test_no_other_good_bye_is_a_hand_over(member: int, epoch: Epoch, of: Epoch) -> None:
    talk = follower(3, 1, 2, 4)
    talk.cut_registry()
    talk.hears(m.Leave(talk.caller(member, epoch=epoch), person(member, left=True)))
    talk.hears(coordinator(talk, 2, of))
    assert talk.one(e.LeaderChanged).handed_over_by == 0


def test_who_led_and_stays_has_handed_over_nothing() -> None:
    talk = follower(3, 1, 2, 4)
    talk.cut_registry()
    talk.hears(m.Update(talk.caller(1, epoch=NEXT), m.Roster((person(1), person(4, DROPPED)))))
    talk.hears(coordinator(talk, 2, NEXT))
    assert talk.one(e.LeaderChanged).handed_over_by == 0


def test_a_lower_epoch_is_answered_stale_and_changes_nothing() -> None:
    talk = follower(3, 1, 2)
    reply = talk.hears(coordinator(talk, 2, BEFORE))
    assert reply.stale is True
    assert (reply.view.epoch, reply.view.leader) == (EPOCH, 1), "and told what we know"
    assert (talk.group.epoch, talk.group.leader) == (EPOCH, 1)


def test_a_generation_counts_more_than_a_number() -> None:
    talk = follower(3, 1, 2)
    talk.hears(coordinator(talk, 2, Epoch(2, 1)))
    assert talk.group.epoch == Epoch(2, 1)


def test_a_leader_that_learns_of_a_higher_epoch_drops_its_block_at_once() -> None:
    talk = leading(1, 2, 3)
    talk.hears(coordinator(talk, 2, NEXT))
    assert (talk.group.role, talk.group.leader) == (Role.FOLLOWER, 2)
    assert talk.hears(join(talk)).reason == Reason.NOT_LEADER
    assert not talk.waits(m.Ping, to=0), "nobody is called back"


def test_a_leader_refused_with_a_lower_record_goes_on_leading() -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Renew)
    talk.wait_for(m.Renew)
    talk.answer(m.Renew, m.Refusal(Reason.STALE_EPOCH, record=record(2, BEFORE)))
    assert (talk.group.leads, talk.group.epoch) == (True, EPOCH)


@pytest.mark.parametrize("kind", [m.Renew, m.Lookup])
def test_unknown_network_never_ends_a_group(kind: type) -> None:
    talk = leading(1, 2, 3)
    talk.hold(kind)
    talk.wait_for(kind)
    talk.answer(kind, m.Refusal(Reason.UNKNOWN_NETWORK))
    assert talk.group.leads
    assert not talk.of(e.Stopped)
    assert not talk.of(e.Departed)


def test_a_network_that_somebody_has_deleted_is_claimed_anew_by_its_leader() -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Renew)
    talk.hold(m.Claim)
    talk.wait_for(m.Renew)
    talk.answer(m.Renew, m.Refusal(Reason.UNKNOWN_NETWORK))
    (claim,) = talk.sent(m.Claim)
    assert (claim.expected, claim.node, claim.facts.name) == (EPOCH, 1, "den")
    assert talk.group.leads, "until the answer comes it leads as before"


def test_a_leader_that_leaves_does_not_revive_its_network() -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Renew)
    talk.hold(m.Leave)
    talk.wait_for(m.Renew)
    talk.hand(Leaving())
    talk.answer(m.Renew, m.Refusal(Reason.UNKNOWN_NETWORK))
    assert not talk.sent(m.Claim)


def test_a_rumour_of_a_higher_epoch_is_checked_at_the_registry() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Lookup)
    view = talk.view(2, epoch=NEXT, leader=2)
    talk.hears(m.Ping(talk.caller(2, epoch=NEXT), view))
    assert talk.group.epoch == EPOCH, "not believed yet"
    talk.hears(m.Ping(talk.caller(2, epoch=NEXT), view))
    assert talk.callees(m.Lookup) == [-1], "one question at a time"
    talk.answer(m.Lookup, m.RecordRead(record(4, Epoch(1, 7))))
    assert (talk.group.epoch, talk.group.leader) == (Epoch(1, 7), 4)


def test_with_the_registry_away_a_rumour_is_believed() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Lookup)
    talk.hears(m.Elect(talk.caller(2, epoch=NEXT), talk.view(2, epoch=NEXT, leader=2)))
    talk.fail(m.Lookup)
    assert (talk.group.epoch, talk.group.leader) == (NEXT, 2)


@pytest.mark.parametrize("epoch", [Epoch(2**40, 1), Epoch(EPOCH.generation, 2**52)])
def test_an_epoch_that_the_registry_cannot_have_issued_is_not_believed(epoch: Epoch) -> None:
    talk = follower(3, 1, 2)
    talk.cut_registry()
    view = talk.view(2, epoch=epoch, leader=2)
    talk.hears(m.Ping(talk.caller(2, epoch=epoch), view))
    talk.hears(coordinator(talk, 2, epoch))
    talk.wait(2_000)
    assert talk.group.epoch == EPOCH
    assert talk.group.drops.total() > 0


def test_the_registry_is_believed_whatever_our_clock_says() -> None:
    talk = follower(3, 1, 2)
    talk.hold(m.Lookup)
    talk.hears(m.Ping(talk.caller(2, epoch=NEXT), talk.view(2, epoch=NEXT, leader=2)))
    talk.answer(m.Lookup, m.RecordRead(record(2, Epoch(2**33, 9))))
    assert talk.group.epoch == Epoch(2**33, 9)


def test_an_unknown_leader_of_our_epoch_is_taken_over_from_an_answer() -> None:
    talk = returning(3, 1, 2, leader=0)
    talk.hold(m.Lookup)
    talk.mute(1, 2)
    talk.hand(Started(WALL))
    talk.answer(m.Lookup, m.Refusal(Reason.UNKNOWN_NETWORK))
    talk.hears(coordinator(talk, 2, EPOCH))
    assert (talk.group.epoch, talk.group.leader) == (EPOCH, 2)


def test_a_record_that_names_an_unknown_leader_is_accepted_for_its_epoch() -> None:
    talk = follower(3, 1, 2)
    talk.record = record(8, NEXT)
    talk.mute(8)
    talk.wait(LAN.record_ms * 11 // 10)
    assert (talk.group.epoch, talk.group.leader) == (NEXT, 8)
    calls = [s for _, s in talk.log if isinstance(s, e.Call) and s.to == 8]
    assert calls[0].address == address(8), "and called where the record says"


def test_two_leaders_that_meet_are_one_split_that_heals() -> None:
    talk = leading(1, 2, 3)
    talk.hears(coordinator(talk, 2, NEXT))
    talk.wait(LAN.t2_ms)
    assert not talk.of(e.SplitHealed), "nothing was compared yet"
    talk.hears(m.Ping(talk.caller(2), talk.view(2, history_hash=7)))
    talk.wait(LAN.t2_ms)
    assert len(talk.of(e.SplitHealed)) == 1


# ---- signs of life -------------------------------------------------------------------------------


def test_the_leader_renews_every_three_seconds_with_what_it_knows() -> None:
    talk = leading(1, 2, 3, highest_n=7)
    talk.wait(LAN.renew_ms * 11 // 10)
    (renew,) = talk.sent(m.Renew)
    assert (renew.epoch, renew.node, renew.address) == (EPOCH, 1, address(1))
    assert (renew.facts.name, renew.facts.epoch, renew.facts.leader) == ("den", EPOCH, 1)
    assert renew.facts.highest_n >= 57, "ids granted count as given"
    talk.wait(10 * LAN.renew_ms)
    assert 9 <= len(talk.sent(m.Renew)) <= 11


@pytest.mark.parametrize(("count", "wants"), [(8, False), (7, True)])
def test_ids_are_asked_for_when_fewer_than_eight_are_left(count: int, wants: bool) -> None:
    talk = leading(1, 2, 3, count=count)
    talk.hold(m.Renew)
    assert talk.wait_for(m.Renew).want_ids is wants


def test_ids_of_a_renewal_are_given_out_after_those_of_the_grant() -> None:
    talk = leading(1, first=50, count=1)
    talk.hold(m.Renew)
    talk.wait_for(m.Renew)
    talk.answer(m.Renew, m.RecordRead(talk.record, IdBlock(70, 8)))
    given = []
    for newcomer in (8, 9):
        talk.hears(join(talk, newcomer))
        talk.answer(m.Ping, talk.pong(member=newcomer), to=0)
        given.append(talk.reply().member)
    assert given == [50, 70]


def test_ids_of_a_late_renewal_of_an_old_epoch_are_not_used() -> None:
    talk = leading(1, 2)
    talk.hold(m.Renew)
    talk.wait_for(m.Renew)
    talk.answer(m.Renew, m.RecordRead(record(2, NEXT), IdBlock(70, 8)))
    assert not talk.group.leads
    assert talk.hears(join(talk)).reason == Reason.NOT_LEADER


def test_everyone_reads_the_record_every_ten_seconds() -> None:
    talk = follower(3, 1, 2)
    talk.wait(30 * LAN.record_ms)
    assert 26 <= len(talk.sent(m.Lookup)) <= 34


# ---- after a freeze ------------------------------------------------------------------------------


def test_a_frozen_leader_reads_the_record_before_it_acts() -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Lookup)
    talk.freeze(10_000)
    assert talk.waits(m.Lookup)
    assert talk.hears(join(talk)).reason == Reason.NOT_LEADER
    talk.answer(m.Lookup, m.RecordRead(record(2, NEXT)))
    assert (talk.group.leads, talk.group.leader) == (False, 2)


def test_a_frozen_leader_that_the_record_still_names_goes_on() -> None:
    talk = leading(1, 2, 3)
    talk.freeze(10_000)
    assert talk.group.leads
    talk.hears(join(talk))
    assert talk.waits(m.Ping, to=0), "it calls the joiner back"


def test_with_the_registry_away_a_frozen_leader_asks_every_member() -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Lookup, m.Ping)
    talk.freeze(LAN.t2_ms * 2)
    talk.fail(m.Lookup)
    assert talk.hears(join(talk)).reason == Reason.NOT_LEADER, "in doubt until they answered"
    talk.answer(m.Ping, talk.pong(), to=2)
    talk.answer(m.Ping, talk.pong(epoch=NEXT, leader=3), to=3)
    assert (talk.group.leads, talk.group.leader) == (False, 3)


def test_a_turn_within_t2_raises_no_doubt() -> None:
    talk = leading(1, 2, 3)
    due = talk.group.deadline
    assert due is not None
    talk.hold(m.Lookup)
    talk.freeze(due + LAN.t2_ms - talk.now)
    assert not talk.waits(m.Lookup)


def test_a_leader_has_a_turn_once_per_ping_deadline_so_that_it_notices_its_stalls() -> None:
    talk = leading(1)
    for _ in range(100):
        due = talk.group.deadline
        assert due is not None
        assert due - talk.now <= LAN.ping_ms
        talk.wait(due - talk.now)


# ---- names ---------------------------------------------------------------------------------------


def test_people_learn_once_that_the_registry_lists_the_network_under_another_name() -> None:
    talk = follower(3, 1, 2)
    talk.record = replace(talk.record, name="den-c4a7")
    talk.wait(5 * LAN.record_ms)
    assert talk.of(e.ListedAs) == [e.ListedAs("den-c4a7")]
    assert talk.group.name == "den", "among ourselves it keeps its name"


def test_before_it_has_claimed_anew_a_restarted_leader_names_no_leader() -> None:
    talk = returning(1, 2, leader=1)
    talk.hand(Started(WALL))
    assert (talk.group.leader, talk.group.following) == (0, 0)
    talk.answer(m.Claim, talk.granted(NEXT))
    assert talk.group.leader == 1
