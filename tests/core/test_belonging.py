"""Dialogues about node/core/belonging.py: exchanging the roster, suspecting, dropping, refuting;
and about node/core/twins.py.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.belonging import WHOLE_MAX
from node.core.effects import Change
from node.core.events import LinkBroken, Started
from node.core.membership import Membership
from node.core.messages import Life
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Epoch, Hlc, Silence

from .cast import NEXT, WALL, address, identity, line, person, record, removal
from .dialogue import Dialogue, follower, leading, returning

ALIVE, SUSPECT, DROPPED = Life


def roster(*records: m.Member) -> m.Roster:
    return m.Roster(records)


def tell(talk: Dialogue, by: int, *records: m.Member, want: bool = False) -> object:
    """A member brings what it knows."""
    return talk.hears(m.Update(talk.caller(by), roster(*records), want))


def mine(talk: Dialogue, **rest: object) -> m.Member:
    """Our own record, as somebody else has it."""
    record = talk.group.member(talk.group.me)
    assert record is not None
    return replace(record, **rest)  # type: ignore[arg-type]


def life(talk: Dialogue, member: int) -> Life | None:
    record = talk.group.member(member)
    return record.life if record is not None else None


def keep_talking(talk: Dialogue, ms: int, *members: int) -> list[e.Effect]:
    """Time passes, and these members are heard all along."""
    said = []
    for _ in range(ms // 500):
        for member in members:
            talk.hears(m.Ping(talk.caller(member), talk.view(member)))
        said += talk.wait(500)
    talk.said = said
    return said


# ---- the roster among members --------------------------------------------------------------------


def test_a_roster_hash_that_differs_fetches_the_roster() -> None:
    talk = follower(3, 1, 2)
    talk.wait(LAN.t1_ms)
    talk.hears(m.Ping(talk.caller(2), talk.view(2)))
    assert talk.sent(m.Update) == []
    talk.hears(m.Ping(talk.caller(2), talk.view(2, roster_hash=7)))
    (update,) = talk.sent(m.Update, to=2)
    assert update.want_roster
    assert update.roster == talk.group.roster, "ours for theirs"


def crowded(*others: int | m.Member) -> Dialogue:
    """A group that is large: of more than two."""
    return follower(3, 1, 2, *others, timing=replace(LAN, spread_above=2))


def test_in_a_large_group_hashes_go_first() -> None:
    talk = crowded(4)
    talk.hears(m.Ping(talk.caller(2), talk.view(2, roster_hash=7)))
    (update,) = talk.sent(m.Update, to=2)
    assert update.want_roster
    assert update.roster == roster(mine(talk)), "which 2 may not have"
    assert update.known == Membership(talk.group.roster).known


def test_so_they_do_where_many_have_left() -> None:
    """All of them would be more than one call brings."""
    gone = [person(id, left=True) for id in range(10, 10 + WHOLE_MAX)]
    talk = follower(3, 1, 2, *gone)
    talk.hold(m.Update)
    talk.hears(m.Ping(talk.caller(2), talk.view(2, roster_hash=7)))
    (update,) = talk.sent(m.Update, to=2)
    assert update.roster == roster(mine(talk))
    assert update.known == Membership(talk.group.roster).known
    every = tuple(one.id for one in talk.group.roster.members)
    talk.answer(m.Update, m.Updated(roster(), talk.view(2), every), to=2)
    (update,) = talk.sent(m.Update, to=2)
    assert len(update.roster.members) == WHOLE_MAX < len(every), "of the others the next time"


def test_what_the_other_wants_of_ours_follows_and_what_it_has_beyond_is_taken() -> None:
    talk = crowded(4)
    talk.hears(m.Update(talk.caller(2), m.Roster(topic=m.Fact("tea", Hlc(1, 0), 2))))
    talk.hold(m.Update)
    talk.hears(m.Ping(talk.caller(2), talk.view(2, roster_hash=7)))
    theirs = roster(person(5))
    talk.answer(m.Update, m.Updated(theirs, talk.view(2), (4, 99), wants_common=True), to=2)
    assert talk.changes == [(5, Change.JOINED)]
    (update,) = talk.sent(m.Update, to=2)
    assert update.roster == replace(Membership(talk.group.roster).common, members=(person(4),))
    assert update.roster.topic.value == "tea"
    assert (update.want_roster, update.known) == (False, None)
    talk.answer(m.Update, m.Updated(m.Roster(), talk.view(2), (4,), wants_common=True), to=2)
    assert talk.sent(m.Update, to=2) == [], "and that is all, whatever it wants"


def test_nobody_wants_what_it_has_just_been_given() -> None:
    """Else whoever says so would have us say it without end."""
    talk = follower(3, 1, 2)
    talk.hold(m.Update)
    talk.hears(m.Ping(talk.caller(2), talk.view(2, roster_hash=7)))
    talk.answer(m.Update, m.Updated(roster(), talk.view(2), (1, 3), wants_common=True), to=2)
    assert talk.sent(m.Update) == []


def test_who_brings_hashes_gets_what_differs_and_is_asked_for_the_rest() -> None:
    talk = crowded(4)
    theirs = Membership(roster(person(1), person(2), person(3, incarnation=7), person(6)))
    theirs.absorb(m.Roster(topic=m.Fact("tea", Hlc(1, 0), 1)))
    update = m.Update(talk.caller(2), roster(person(2)), True, theirs.known)
    answer = talk.hears(update)
    assert answer.roster.members == (mine(talk), person(4))
    assert (answer.wanted, answer.wants_common) == ((3, 6), True)
    alike = m.Update(talk.caller(2), roster(), True, Membership(talk.group.roster).known)
    answer = talk.hears(alike)
    assert answer == m.Updated(m.Roster(), answer.view)


def test_rosters_are_exchanged_with_one_member_at_most_a_few_times_a_second() -> None:
    talk = follower(3, 1, 2)
    sent = 0
    for _ in range(100):
        talk.hears(m.Ping(talk.caller(2), talk.view(2, roster_hash=7)))
        sent += len(talk.sent(m.Update, to=2))
        talk.wait(10)
    assert 3 <= sent <= 5


def test_what_is_learnt_is_stored_before_people_are_told() -> None:
    talk = follower(3, 1, 2)
    tell(talk, 2, person(4))
    assert talk.changes == [(4, Change.JOINED)]
    assert talk.position(e.StoreRoster) < talk.position(e.MemberChanged)


def test_what_is_known_already_changes_nothing_and_stores_nothing() -> None:
    talk = follower(3, 1, 2)
    tell(talk, 2, person(2), person(1))
    assert talk.of(e.StoreRoster) == []
    assert talk.changes == []


def test_who_brings_news_may_ask_for_ours() -> None:
    talk = follower(3, 1, 2)
    assert tell(talk, 2).roster == m.NOBODY  # type: ignore[attr-defined]
    assert tell(talk, 2, want=True).roster == talk.group.roster  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ({}, {"left": True}, Change.LEFT),
        ({}, {"life": SUSPECT}, Change.SUSPECT),
        ({}, {"life": DROPPED}, Change.DROPPED),
        ({"life": SUSPECT}, {"incarnation": 101}, Change.CLEARED),
        ({"life": DROPPED}, {"incarnation": 101}, Change.RETURNED),
        ({}, {"nick": m.Fact("new", Hlc(2, 0), 2)}, Change.RENAMED),
        ({}, {"away": m.Fact("lunch", Hlc(2, 0), 2)}, Change.AWAY),
        ({"away": m.Fact("lunch", Hlc(2, 0), 2)}, {"away": m.Fact("", Hlc(3, 0), 2)}, Change.BACK),
    ],
)
def test_people_are_told_what_became_of_a_member(
    before: dict[str, Any], after: dict[str, Any], change: Change
) -> None:
    talk = follower(3, 1, person(2, **before), 4)
    tell(talk, 4, person(2, **after))
    assert talk.changes == [(2, change)]


def named(nick: str, at: int, by: int) -> m.Fact:
    return m.Fact(nick, Hlc(at, 0), by)


def test_who_is_renamed_was_called_as_people_saw_it() -> None:
    talk = follower(3, 1, person(2, nick=named("bob", 2, 2)), person(4, nick=named("carol", 1, 4)))
    for at, nick, was, shown in (
        (5, "carol", "bob", "carol2"),  # the name is taken
        (6, "bob", "carol2", "bob"),
    ):
        tell(talk, 4, person(2, nick=named(nick, at, 2)))
        assert talk.one(e.MemberChanged) == e.MemberChanged(2, Change.RENAMED, was)
        assert talk.group.shown_nick(2) == shown


def test_a_new_name_that_looks_like_the_old_one_is_no_news() -> None:
    talk = follower(
        3, 1, person(2, nick=named("carol", 2, 2)), person(4, nick=named("carol", 1, 4))
    )
    tell(talk, 4, person(2, nick=named("carol2", 5, 2)))
    assert talk.changes == []


@pytest.mark.parametrize("end", ["left", "kicked"])
def test_who_leaves_is_told_by_the_name_that_people_saw(end: str) -> None:
    carol = person(2, nick=named("carol", 2, 2))
    talk = follower(3, 1, carol, person(4, nick=named("carol", 1, 4)))
    if end == "left":
        tell(talk, 4, replace(carol, left=True))
    else:
        talk.hears(m.Update(talk.caller(4), m.Roster(decisions=(removal(2),))))
    by = 1 if end == "kicked" else 0
    assert talk.one(e.MemberChanged) == e.MemberChanged(2, Change(end), "carol2", by)


def test_since_when_a_member_does_not_answer() -> None:
    talk = leading(1, 2, 3, 4, 5)
    heard = talk.group.heard_at(5)
    looked_into(talk, 5)
    assert talk.group.unheard_since(5) == heard, "a leader knows when it heard it"

    talk = follower(3, 1, 2, 4)
    talk.wait(60_000)
    assert talk.group.unheard_since(2) is None, "nobody asked it"
    tell(talk, 4, person(2, SUSPECT))
    suspected = talk.now
    talk.wait(5_000)
    assert talk.group.unheard_since(2) == suspected
    tell(talk, 4, person(2, incarnation=101))
    assert talk.group.unheard_since(2) is None


def test_who_returns_is_caught_up_with_at_once() -> None:
    talk = follower(3, 1, person(2, DROPPED), 4)
    tell(talk, 4, person(2, incarnation=101))
    assert len(talk.sent(m.Sync, to=2)) == 1


# ---- ourselves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [SUSPECT, DROPPED])
def test_dropped_member_refutes_with_a_higher_incarnation(found: Life) -> None:
    talk = follower(3, 1, 2, 4)
    before = talk.group.incarnation
    tell(talk, 2, mine(talk, life=found))
    now = talk.group.incarnation
    assert now > before
    assert talk.of(e.StoreMeta)[0].meta.incarnation == now
    assert talk.position(e.StoreMeta) < talk.position(e.Call, m.Update), "stored before its use"
    for member in (1, 2, 4):
        (told,) = talk.sent(m.Update, to=member)[:1]
        assert (told.roster.members[0].incarnation, told.roster.members[0].life) == (now, ALIVE)
    assert talk.group.me == 3, "dropped is not expelled: it keeps its id"


def test_only_left_and_kicked_end_a_membership() -> None:
    talk = follower(3, 1, 2)
    tell(talk, 2, mine(talk, kicked=True))
    assert talk.of(e.Departed) == [], "that is for the owner and admins to decide"
    talk.hears(m.Update(talk.caller(2), m.Roster(decisions=(removal(3),))))
    assert talk.one(e.Departed).kicked
    assert talk.said[-1] == talk.one(e.Departed), "last words"
    assert talk.hears(m.Tell(talk.caller(2), 3, (line(2),))).reason == Reason.UNKNOWN_CHAT


def test_each_start_draws_a_higher_incarnation_and_stores_it_before_its_first_use() -> None:
    for wall, expected in ((WALL, WALL), (50, 101)):  # A clock that went back does no harm.
        talk = returning(3, 1, leader=1)
        talk.hand(Started(wall))
        assert talk.group.incarnation == expected
        first = talk.said[0]
        assert isinstance(first, e.StoreMeta)
        assert first.meta.incarnation == expected


def test_a_start_draws_a_higher_one_than_that_of_a_twin_that_stopped_us() -> None:
    """Their clocks are behind, and both count on from the life that was copied."""
    twin = person(3, incarnation=101, address_stamp=(101, 1), address="twin:7000")
    talk = returning(twin, 1, leader=1)
    talk.hand(Started(50))
    mine = talk.group.member(3)
    assert mine is not None
    assert (mine.incarnation, mine.address) == (102, address(3))


@pytest.mark.parametrize(
    ("answer", "stops"),
    [("another process", True), ("ourselves", False), ("an older life", False), (None, False)],
)
def test_a_higher_incarnation_of_ourselves_is_looked_for_before_it_is_outdone(
    answer: str | None, stops: bool
) -> None:
    talk = follower(3, 1, 2)
    higher = WALL + 1_000_000
    elsewhere = mine(
        talk, incarnation=higher, address="twin:7000", address_stamp=(higher, 0), life=ALIVE
    )
    tell(talk, 2, elsewhere)
    assert talk.group.incarnation == WALL
    ping = talk.call(m.Ping)
    assert ping.address == "twin:7000"
    asked = ping.request.caller
    assert (asked.node, asked.callee) == (0, 3), "in our own name we would be refused as the older"
    process = 3 if answer == "ourselves" else 77
    incarnation = 5 if answer == "an older life" else higher
    if answer is None:
        talk.fail(m.Ping, to=0)
    else:
        talk.answer(m.Ping, talk.pong(process=process, incarnation=incarnation), to=0)
    if stops:
        assert talk.one(e.Stopped).reason == "PROFILE_IN_USE"
    else:
        assert talk.group.incarnation > higher, "its store is old: it draws above"
        assert not talk.of(e.Stopped)


def test_a_link_that_breaks_to_where_we_are_now_is_no_link_to_ourselves() -> None:
    """Somebody else had that address before us."""
    talk = leading(1, 2)
    talk.hand(LinkBroken(address(1)))
    assert talk.callees(m.Ping) == []


def epoch_elsewhere(talk: Dialogue) -> None:
    """The registry has granted the next epoch to us, at an address that is not ours."""
    talk.hold(m.Ping)
    talk.record = replace(record(1, NEXT), address="twin:7000")
    talk.wait_for(m.Ping, to=0, ms=2 * LAN.record_ms)
    assert talk.call(m.Ping, to=0).address == "twin:7000"


@pytest.mark.parametrize("theirs", [WALL + 1_000_000, 5])
def test_a_leader_that_reads_of_a_grant_elsewhere_looks_who_is_there(theirs: int) -> None:
    talk = leading(1)
    epoch_elsewhere(talk)
    talk.answer(m.Ping, talk.pong(process=77, incarnation=theirs), to=0)
    if theirs > talk.group.incarnation:
        assert talk.one(e.Stopped).reason == "PROFILE_IN_USE"
    else:
        assert not talk.of(e.Stopped), "the earlier life is shown where we are: it stops"
        told = talk.call(m.Update, to=0)
        assert told.address == "twin:7000"
        assert told.request.roster.members[0].incarnation == talk.group.incarnation


def test_who_is_still_refused_as_the_older_life_looks_again() -> None:
    """It heard of the other life while it looked for it for another reason, and got no answer."""
    talk = leading(1, 2)
    epoch_elsewhere(talk)
    higher = WALL + 1_000_000
    tell(talk, 2, mine(talk, incarnation=higher, address="twin:7000"))
    talk.fail(m.Ping, to=0)
    talk.hold(m.Sync)
    assert not talk.waits(m.Ping, to=0)
    talk.hears(m.Ping(talk.caller(2), talk.view(2, history_hash=77)))
    talk.wait_for(m.Sync, to=2)
    talk.answer(m.Sync, m.Refusal(Reason.OLD_INCARNATION, "lives on"), to=2)
    assert talk.call(m.Ping, to=0).address == "twin:7000"
    talk.answer(m.Ping, talk.pong(process=77, incarnation=higher), to=0)
    assert talk.one(e.Stopped).reason == "PROFILE_IN_USE"


def test_a_grant_elsewhere_where_nobody_answers_is_claimed_anew() -> None:
    talk = leading(1)
    epoch_elsewhere(talk)
    talk.fail(m.Ping, to=0, how=Silence.REFUSED)
    assert not talk.of(e.Stopped)
    talk.answer(m.Claim, talk.granted(Epoch(1, 9)))
    assert talk.group.leads


def test_a_later_life_of_ourselves_that_calls_is_looked_for() -> None:
    talk = leading(1)
    higher = WALL + 1_000_000
    known = mine(talk, incarnation=higher, address="twin:7000", address_stamp=(higher, 1))
    talk.hears(m.Update(talk.caller(1, incarnation=higher), roster(known)))
    assert talk.group.incarnation < higher, "not outdone before it was asked"
    talk.answer(m.Ping, talk.pong(process=77, incarnation=higher), to=0)
    assert talk.one(e.Stopped).reason == "PROFILE_IN_USE"


def test_who_has_said_no_card_yet_or_another_says_its_own_at_its_start() -> None:
    """As a profile does that was made before there were cards, or that has lost a key."""
    for known in (m.NO_CARD, m.Card(b"zz, and lost")):
        talk = follower(person(3, card=known), 1, 2, card=m.Card(b"mine"))
        (update,) = {one.request.roster for one in talk.of(e.Call) if type(one.request) is m.Update}
        (record,) = update.members
        assert (record.id, record.card) == (3, m.Card(b"mine"))


def test_who_is_told_another_card_of_itself_says_its_own() -> None:
    talk = follower(3, 1, 2, card=m.Card(b"mine"))
    known = talk.group.member(3)
    assert known is not None
    tell(talk, 2, replace(known, card=m.Card(b"zz"), address_stamp=(WALL, 9)))
    record = talk.group.member(3)
    assert record is not None
    assert record.card == m.Card(b"mine")


def test_who_has_left_has_no_card() -> None:
    talk = follower(3, 1, person(2, card=m.Card(b"c")))
    tell(talk, 1, person(2, card=m.Card(b"c"), left=True))
    assert [one.card for one in talk.group.roster.members if one.id == 2] == [m.NO_CARD]


def test_an_incarnation_that_another_process_has_drawn_too_is_outdone_at_once() -> None:
    talk = follower(3, 1, 2)
    same = mine(talk, address="twin:7000", address_stamp=(WALL, 9))
    assert same.incarnation == WALL == talk.group.incarnation
    tell(talk, 2, same)
    assert talk.group.incarnation > WALL
    announced = talk.of(e.StoreRoster)[-1].roster
    (record,) = (one for one in announced.members if one.id == 3)
    assert (record.address, record.incarnation) == ("m3:7000", talk.group.incarnation)


def test_who_outdoes_another_life_of_its_own_says_no_more_in_an_older_stream() -> None:
    """Others may have trimmed what that other life said, and with it all that is older."""
    talk = follower(3, 1, 2)
    before = talk.says("one")
    higher = WALL + 1_000_000
    tell(talk, 2, mine(talk, incarnation=higher, address="twin:7000", address_stamp=(higher, 0)))
    talk.fail(m.Ping, to=0)
    after = talk.says("two")
    assert after.key.stream > before.key.stream
    assert after.key.stream.incarnation > higher


def test_one_identity_moves_to_the_highest_id_that_it_was_given() -> None:
    talk = follower(3, 1, 2)
    before = talk.says("as three")
    tell(talk, 2, person(50, identity=identity(3)))
    assert talk.group.me == 50
    assert talk.of(e.StoreMeta)[0].meta.left_ids == (3,)
    after = talk.says("as fifty")
    assert after.key.source == 50
    assert after.key.stream != before.key.stream


# ---- looking after members -----------------------------------------------------------------------


def test_a_member_not_heard_for_two_rounds_is_pinged_twice_then_by_three_others() -> None:
    talk = leading(1, 2, 3, 4, 5, 6)
    talk.mute(6)
    log = []
    for _ in range(8):
        log += keep_talking(talk, 500, 2, 3, 4, 5)
    own = [s for s in log if isinstance(s, e.Call) and s.to == 6 and isinstance(s.request, m.Ping)]
    probes = [
        s.to for s in log if isinstance(s, e.Call) and getattr(s.request, "on_behalf", 0) == 6
    ]
    assert len(own) == LAN.ping_tries
    assert len(probes) == LAN.probe_members
    assert set(probes) <= {2, 3, 4, 5}


def test_members_that_are_heard_are_not_pinged() -> None:
    talk = leading(1, 2, 3)
    keep_talking(talk, LAN.sync_ms * 7 // 10, 2, 3)
    assert talk.sent(m.Ping) == []


def test_one_that_somebody_reached_is_not_suspected() -> None:
    talk = leading(1, 2, 3, 5)
    talk.mute(5)
    talk.hold(m.Ping)
    talk.hand(LinkBroken(address(5)))
    talk.wait(2 * (LAN.ping_ms + 20))
    talk.answer(m.Ping, talk.pong(), to=2)
    talk.answer(m.Ping, replace(talk.pong(), reached=False), to=3)
    assert life(talk, 5) is ALIVE


def looked_into(talk: Dialogue, member: int, *, refused: bool = False) -> None:
    """The leader looks into that member, and those it asks do not reach it either."""
    talk.hold(m.Ping)
    talk.hand(LinkBroken(address(member)))
    for _ in range(LAN.ping_tries):
        if talk.waits(m.Ping, to=member):
            talk.fail(m.Ping, to=member, how=Silence.REFUSED if refused else Silence.SILENT)
    for other in talk.callees(m.Ping):
        pong = replace(talk.pong(member=other), reached=False, refused=refused)
        talk.answer(m.Ping, pong, to=other)


def test_nobody_reaches_it_it_is_suspected_at_once_and_dropped_after_five_seconds() -> None:
    talk = leading(1, 2, 3, 4, 5)
    talk.mute(5)
    looked_into(talk, 5)
    assert talk.changes == [(5, Change.SUSPECT)]
    began = talk.now
    talk.release(m.Ping)
    while life(talk, 5) is SUSPECT:
        keep_talking(talk, 500, 2, 3, 4)
        assert talk.now - began < 10_000
    assert life(talk, 5) is DROPPED
    assert LAN.suspect_ms <= talk.now - began <= LAN.suspect_ms + 500


def test_suspicion_is_told_to_all_the_suspect_too() -> None:
    talk = leading(1, 2, 3, 4, 5)
    talk.hold(m.Update)
    looked_into(talk, 5)
    assert talk.callees(m.Update) == [2, 3, 4, 5]


def test_where_half_are_suspect_the_next_suspicion_is_told_to_nobody() -> None:
    talk = leading(1, 2, 3, 4)
    looked_into(talk, 3)
    assert talk.sent(m.Update)
    looked_into(talk, 4)
    assert life(talk, 4) is SUSPECT
    assert not talk.sent(m.Update), "perhaps it is we who are cut off"


def test_connection_refused_at_the_leader_and_one_other_drops_at_once() -> None:
    talk = leading(1, 2, 3, 4, 5)
    looked_into(talk, 5, refused=True)
    assert talk.changes == [(5, Change.DROPPED)], "nothing is left to suspect"
    assert talk.one(e.MemberChanged).detail == "nobody is there any more"


def test_refused_to_the_leader_alone_is_only_a_suspicion() -> None:
    talk = leading(1, 2, 3, 4, 5)
    talk.hold(m.Ping)
    talk.hand(LinkBroken(address(5)))
    talk.fail(m.Ping, to=5, how=Silence.REFUSED)
    for other in talk.callees(m.Ping):
        talk.answer(m.Ping, replace(talk.pong(), reached=False), to=other)
    assert life(talk, 5) is SUSPECT


def test_a_word_from_a_suspect_ends_the_looking_into_and_tells_it() -> None:
    talk = leading(1, 2, 3, 4, 5)
    looked_into(talk, 5)
    talk.hears(m.Ping(talk.caller(5), talk.view(5)))
    (update,) = talk.sent(m.Update, to=5)
    assert [r.life for r in update.roster.members if r.id == 5] == [SUSPECT], "so it can refute"
    known = talk.group.member(5)
    assert known is not None
    tell(talk, 5, replace(known, incarnation=101, life=ALIVE))
    assert talk.changes == [(5, Change.CLEARED)]
    talk.release(m.Ping)
    keep_talking(talk, 2 * LAN.suspect_ms, 2, 3, 4, 5)
    assert life(talk, 5) is ALIVE


def test_a_suspect_whom_others_dropped_is_looked_into_again_in_its_later_life() -> None:
    talk = leading(1, 2, 3, 4, 5)
    talk.mute(5)
    looked_into(talk, 5)
    known = talk.group.member(5)
    assert known is not None
    tell(talk, 2, replace(known, life=DROPPED))
    tell(talk, 3, replace(known, incarnation=101, life=SUSPECT))
    assert life(talk, 5) is SUSPECT, "it was there for a moment"
    talk.wait_for(m.Ping, to=5)


def test_who_lived_where_we_live_now_is_dropped_though_nobody_else_is_left() -> None:
    talk = leading(1, person(2, Life.SUSPECT, address=address(1)))
    talk.wait(3 * LAN.t2_ms)
    assert talk.group.roster.members[1].life is Life.DROPPED


def test_with_half_of_the_roster_suspect_nobody_is_dropped() -> None:
    talk = leading(1, 2, 3, 4)
    talk.mute(3, 4)
    looked_into(talk, 3)
    looked_into(talk, 4)
    assert [life(talk, member) for member in (3, 4)] == [SUSPECT, SUSPECT]
    talk.release(m.Ping)
    keep_talking(talk, 6 * LAN.suspect_ms, 2)
    assert [life(talk, member) for member in (3, 4)] == [SUSPECT, SUSPECT], "I may be cut off"


def test_refused_members_do_not_count_towards_the_half() -> None:
    talk = leading(1, 2, 3, 4)
    looked_into(talk, 2, refused=True)
    looked_into(talk, 3, refused=True)
    assert [life(talk, member) for member in (2, 3)] == [DROPPED, DROPPED]


def test_dropped_members_are_pinged_in_case_they_are_back() -> None:
    talk = leading(1, 2, person(3, DROPPED))
    talk.mute(3)
    keep_talking(talk, 10_000, 2)
    assert 8 <= len(talk.sent(m.Ping, to=3)) <= 12


def test_the_first_contact_with_a_dropped_member_exchanges_rosters() -> None:
    talk = leading(1, 2, person(3, DROPPED))
    talk.wait(LAN.t2_ms)
    (update, *_) = talk.sent(m.Update, to=3)
    assert update.want_roster


@pytest.mark.parametrize("life", [ALIVE, DROPPED])
@pytest.mark.parametrize(("reason", "told"), [("UNKNOWN_MEMBER", 1), ("UNKNOWN_CHAT", 0)])
def test_a_member_that_does_not_know_us_is_brought_our_record(
    reason: str, told: int, life: m.Life
) -> None:
    """We came while it was away, or its disk was put back to a time before that."""
    talk = leading(1, 2, person(3, life))
    asked = m.Ping if life is DROPPED else m.Tell
    talk.hold(asked)
    talk.says("hello")
    talk.wait(LAN.t2_ms if life is DROPPED else 10)
    talk.answer(asked, m.Refusal(reason, "no such member here"), to=3)
    updates = talk.sent(m.Update, to=3)
    assert len(updates) == told
    assert all(talk.group.me in {one.id for one in each.roster.members} for each in updates)


def test_nobody_looks_after_members_but_whoever_leads() -> None:
    talk = follower(3, 1, 2, 4)
    talk.mute(4)
    talk.hand(LinkBroken(address(4)))
    assert talk.sent(m.Ping, to=4) == []
    talk.wait(LAN.sync_ms * 7 // 10)
    assert talk.sent(m.Ping, to=4) == []
    assert life(talk, 4) is ALIVE


# ---- callers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "caller", "reason"),
    [
        ({}, {"incarnation": 99}, Reason.OLD_INCARNATION),
        ({"left": True}, {}, Reason.LEFT),
        ({"kicked": True}, {}, Reason.KICKED),
        ({"identity": identity(4)}, {}, Reason.LEFT),  # outgrown by member 4
        ({}, {"node": 77}, Reason.UNKNOWN_MEMBER),
        ({}, {"callee": 4}, Reason.WRONG_MEMBER),
    ],
)
def test_a_caller_that_may_not_be_heard_is_told_why(
    known: dict[str, Any], caller: dict[str, Any], reason: str
) -> None:
    talk = follower(3, 1, person(2, **known), 4)
    refusal = talk.hears(m.Tell(replace(talk.caller(2), **caller), 3, (line(2),)))
    assert refusal.reason == reason
    assert talk.shown == []


def test_who_is_not_known_yet_may_introduce_itself_and_nobody_else() -> None:
    talk = follower(2, 1, 5)
    stranger = talk.caller(3)
    update = m.Update(stranger, m.Roster((person(4),)))
    assert talk.hears(update).reason == Reason.UNKNOWN_MEMBER
    assert talk.group.member(4) is None
    assert isinstance(talk.hears(m.Update(stranger, m.Roster((person(3),)))), m.Updated)
    assert talk.changes == [(3, Change.JOINED)]
    assert talk.hears(m.Elect(stranger, talk.view(3))).ok, "and is heard from then on"


def test_people_learn_that_the_others_had_dropped_them() -> None:
    talk = follower(3, 1, 2)
    tell(talk, 2, mine(talk, life=DROPPED))
    assert talk.changes == [(3, Change.REFUTED)]


def test_who_moves_to_another_id_leads_no_longer() -> None:
    talk = leading(1, 2)
    tell(talk, 2, person(50, identity=identity(1)))
    assert talk.group.me == 50
    assert not talk.group.leads, "the epoch was granted to the other id"


@pytest.mark.parametrize(
    ("news", "followed_by"),
    [
        ({"epoch": NEXT, "leader": 3}, None),
        ({"roster_hash": 7}, m.Update),
        ({"history_hash": 7}, m.Sync),
    ],
)
def test_the_leader_learns_from_the_answers_of_members_that_it_pings(
    news: dict[str, Any], followed_by: type | None
) -> None:
    talk = leading(1, 2, 3)
    talk.hold(m.Ping)
    talk.wait_for(m.Ping, to=3)
    talk.answer(m.Ping, talk.pong(member=3, **news), to=3)
    assert talk.group.leads is (followed_by is not None)
    if followed_by is not None:
        talk.hold(followed_by)
        assert talk.sent(followed_by, to=3) or talk.wait_for(followed_by, to=3, ms=100)
