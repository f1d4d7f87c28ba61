"""Dialogues about node/core/changing.py: who may edit and redact, and what is then gone from where.

In the den are 1, who leads and has founded it, 2, and we, 3.
"""

from collections import deque
from random import Random
from typing import Any

import pytest
from msgspec.structs import force_setattr, replace

from node.core import effects as e
from node.core import messages as m
from node.core.admission import statement
from node.core.changing import Fault
from node.core.clock import MS_MAX, WRITTEN_MS, horizon
from node.core.conversation import ChatMessage, Erased, Kind, Spot
from node.core.deciding import Act, Decision
from node.core.events import Burst, Founded, Started, Submitted
from node.core.group import Group
from node.core.membership import merge
from node.core.passing import Passing, Road
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Hlc, IdBlock, Key

from .cast import FIRST, WALL, identity, line, person, record, setup, stream
from .dialogue import Dialogue, follower, returning
from .test_joining import admit
from .test_vouching import SIGNS, den, signed, told

SAID = replace(line(2, 1, "one", more=("two",)), salts=bytes(32))
SPOT = Spot(SAID.key, 0)


def edit(by: int, text: str, about: Spot = SPOT, seq: int = 2, **rest: Any) -> ChatMessage:
    rest.setdefault("after", (SAID,) if by != about.key.source else ())
    said = line(by, seq, text, ms=rest.pop("ms", 2_000 + seq), **rest)
    return replace(said, kind=Kind.EDIT, about=about)


def redact(by: int, about: Spot = SPOT, seq: int = 2, **rest: Any) -> ChatMessage:
    heads = rest.pop("heads", ())
    said = edit(by, "-", about, seq, **rest)
    return replace(said, kind=Kind.REDACT, texts=("",), heads=heads)


def group(**rest: Any) -> Dialogue:
    return follower(3, 1, 2, **rest)


def erased(talk: Dialogue) -> list[Erased]:
    return [one for effect in talk.of(e.Erase) for one in effect.texts]


def submitted(kind: Kind, about: Spot, text: str = "", n: int = 1) -> Submitted:
    return Submitted(text, f"eeeeeeee-0000-4000-8000-{n:012x}", WALL + 9, kind, about)


# ---- others' changes -----------------------------------------------------------------------------


def test_an_edit_by_its_author_is_stored_and_not_shown_and_the_text_before_it_is_erased() -> None:
    talk = group()
    told(talk, SAID)
    new = edit(2, "uno")
    assert told(talk, new) == m.Told(m.Receipt.STORED, new.id, 3)
    assert talk.one(e.StoreMessages).messages == (new,)
    assert erased(talk) == [Erased(SPOT, new.key)]
    assert talk.one(e.LineChanged) == e.LineChanged(SPOT, 2, Kind.EDIT)
    assert talk.one(e.Deliver).lines == []
    assert talk.shown == ["one", "two"]
    known = talk.group.changed(SPOT)
    assert known is not None
    assert known.edit == new


def test_a_redaction_by_its_author_erases_the_line() -> None:
    talk = group()
    told(talk, SAID)
    told(talk, redact(2))
    assert erased(talk) == [Erased(SPOT)]
    assert talk.one(e.LineChanged) == e.LineChanged(SPOT, 2, Kind.REDACT)
    known = talk.group.changed(SPOT)
    assert known is not None
    assert known.redacted_by == 2


def test_stored_before_erased_before_told() -> None:
    talk = group()
    told(talk, SAID)
    told(talk, redact(2))
    order = [talk.position(kind) for kind in (e.StoreMessages, e.Erase, e.LineChanged)]
    assert order == sorted(order)


def test_an_edit_by_somebody_else_does_nothing_and_loses_its_text() -> None:
    talk = group()
    told(talk, SAID)
    wrong = edit(1, "wrong", seq=1)
    assert told(talk, wrong) == m.Told(m.Receipt.STORED, wrong.id, 3)
    assert erased(talk) == [Erased(Spot(wrong.key, 0))]
    assert talk.of(e.LineChanged) == []
    assert talk.group.changed(SPOT) is None
    assert talk.group.drops["a change of a line by somebody who may not"] == 1


def test_the_owner_redacts_anybody_s_line_and_a_member_only_its_own() -> None:
    talk = group()
    told(talk, SAID)
    own = talk.says("mine")
    told(talk, redact(2, Spot(own.key, 0), after=(own,), ms=own.hlc.ms + 1))
    assert erased(talk) == []
    assert talk.group.drops["a change of a line by somebody who may not"] == 1
    told(talk, redact(1, seq=1))
    assert erased(talk) == [Erased(SPOT)]


def admin(whom: int, act: Act = Act.OP, after: tuple[bytes, ...] = (), n: int = 1) -> Decision:
    return Decision(1, act, Hlc(n, 0), whom, identity(whom), after=after)


def decided(talk: Dialogue, *decisions: Decision) -> None:
    talk.hears(m.Update(talk.caller(1), m.Roster(decisions=decisions)))


OPPED = admin(2)
LINE = line(1, 1, "said by 1")
LINE_SPOT = Spot(LINE.key, 0)


def by_admin(heads: tuple[bytes, ...], seq: int = 1) -> ChatMessage:
    return redact(2, LINE_SPOT, seq, after=(LINE,), heads=heads)


def test_an_admin_redacts_by_what_it_knew_of_decisions() -> None:
    talk = group()
    told(talk, LINE)
    decided(talk, OPPED)
    told(talk, by_admin(()))  # It did not know that it was one.
    assert erased(talk) == []
    told(talk, by_admin((OPPED.id,), seq=2))
    assert erased(talk) == [Erased(LINE_SPOT)]


def test_a_redaction_waits_for_the_decision_by_which_it_was_made() -> None:
    talk = group()
    told(talk, LINE)
    told(talk, by_admin((OPPED.id,)))
    assert erased(talk) == []
    assert talk.reply().reason == Reason.UNKNOWN_DECISION, "it is told again in a moment"
    decided(talk, OPPED)
    told(talk, by_admin((OPPED.id,)))
    assert erased(talk) == [Erased(LINE_SPOT)]
    assert talk.one(e.LineChanged) == e.LineChanged(LINE_SPOT, 2, Kind.REDACT)


def test_who_is_no_admin_any_more_has_not_lost_what_it_did_and_can_do_no_more() -> None:
    talk = group()
    told(talk, LINE)
    undone = admin(2, Act.DEOP, (OPPED.id,), n=2)
    decided(talk, OPPED, undone)
    told(talk, by_admin((undone.id,)))
    assert erased(talk) == []
    told(talk, by_admin((OPPED.id,), seq=2))
    assert erased(talk) == [Erased(LINE_SPOT)]


def test_a_person_keeps_the_right_to_its_lines_under_a_later_id() -> None:
    talk = group()
    told(talk, SAID)
    again = person(8, identity=identity(2))
    talk.hears(m.Update(talk.caller(1), m.Roster((again,))))
    told(talk, edit(8, "uno", seq=1))
    assert [one.spot for one in erased(talk)] == [SPOT]


def test_a_change_of_a_change_does_nothing() -> None:
    talk = group()
    told(talk, SAID)
    new = edit(2, "uno")
    told(talk, new)
    told(talk, redact(1, Spot(new.key, 0), seq=1, after=(new,), ms=3_000))
    assert erased(talk) == []
    assert talk.group.drops["a change of a change"] == 1
    known = talk.group.changed(SPOT)
    assert known is not None
    assert known.edit == new


def test_a_line_that_the_message_does_not_have_is_not_erased() -> None:
    talk = group()
    told(talk, SAID)
    told(talk, redact(2, Spot(SAID.key, 7)))
    assert erased(talk) == talk.of(e.LineChanged) == []


def test_nor_when_the_message_comes_after_that() -> None:
    talk = follower(3, 1, 2, partial=True, below=(SAID.key,))
    told(talk, edit(2, "x", Spot(SAID.key, 7)))
    told(talk, SAID, by=1)
    assert talk.one(e.StoreMessages).messages == (SAID,)
    assert erased(talk) == []


# ---- whatever comes, and in whatever order -------------------------------------------------------


def test_what_comes_after_its_redaction_is_stored_without_its_text() -> None:
    """A newcomer reads backwards: the redaction is there before the line."""
    talk = follower(3, 1, 2, partial=True, below=(SAID.key,))
    told(talk, redact(2))
    assert erased(talk) == []
    told(talk, SAID, by=1)
    (stored,) = talk.one(e.StoreMessages).messages
    assert stored == SAID.without((0,))
    assert erased(talk) == [Erased(SPOT)]
    assert [said.text for said in talk.one(e.Deliver).lines] == ["", "two"]


def test_of_an_edit_that_is_there_before_the_line_the_log_hears_with_the_line() -> None:
    talk = follower(3, 1, 2, partial=True, below=(SAID.key,))
    new = edit(2, "uno")
    told(talk, new)
    told(talk, SAID, by=1)
    assert talk.one(e.StoreMessages).messages == (SAID.without((0,)),)
    assert erased(talk) == [Erased(SPOT, new.key)]


def test_the_full_text_handed_on_again_is_not_taken() -> None:
    talk = den()
    said, gone = signed(SAID), signed(redact(2))
    told(talk, said, gone)
    assert told(talk, said, by=1) == m.Told(m.Receipt.STORED, said.id, 3)
    assert talk.of(e.StoreMessages) == talk.of(e.Deliver) == []


def test_digests_that_do_not_fit_the_signature_are_refused() -> None:
    talk = den()
    left = signed(SAID).without((0,))
    wrong = replace(left, erased=(b"w" * 32, b""))
    assert told(talk, wrong, by=1).reason == Reason.WRONG_SIGNATURE
    assert told(talk, left, by=1) == m.Told(m.Receipt.STORED, left.id, 3)


def test_what_somebody_erased_for_no_reason_is_taken_from_who_has_it() -> None:
    talk = den()
    said = signed(SAID)
    told(talk, said.without((0, 1)), by=1)
    assert talk.shown == ["", ""]
    assert told(talk, replace(said, texts=("1", "2")), by=1).reason == Reason.WRONG_SIGNATURE
    told(talk, said.without((1,)))
    assert talk.one(e.StoreMessages).messages == (said.without((1,)),)
    told(talk, said)
    assert talk.one(e.StoreMessages).messages == (said,)
    assert talk.of(e.LineChanged) == [e.LineChanged(Spot(said.key, 1), 2, Kind.TEXT)]
    told(talk, said.without((0,)), by=1)
    assert talk.of(e.StoreMessages) == []


def test_a_page_of_the_log_of_others_brings_nothing_back_either() -> None:
    talk = follower(3, 1, 2, partial=True, below=(SAID.key,))
    talk.hold(m.Sync)
    told(talk, redact(2))
    talk.wait_for(m.Sync)
    to = talk.call(m.Sync).to
    talk.answer(m.Sync, m.Synced(talk.view(), sources=(2,)), to)
    talk.answer(m.Sync, m.Synced(talk.view(), messages=(SAID,)), to)
    assert SAID.without((0,)) in [one for s in talk.of(e.StoreMessages) for one in s.messages]
    assert [said.text for said in talk.one(e.Deliver).lines] == ["", "two"]


def test_what_is_still_to_be_passed_on_goes_without_its_text() -> None:
    passing = Passing(group().group._s)
    other = line(2, 2)
    road = Road({SAID.key[:2]: deque([SAID, other])}, waiting=SAID.chars + other.chars)
    passing._roads[1] = road
    passing.erase(SAID.key, 0)
    assert list(road.queues[SAID.key[:2]]) == [SAID.without((0,)), other]
    assert road.waiting == SAID.chars - len("one") + other.chars


def test_a_text_in_the_place_of_one_that_is_doubted_is_looked_at_whatever_its_hash() -> None:
    talk = den()
    said = signed(SAID)
    told(talk, said.without((0,)), by=1)
    forged = replace(said, texts=("uno", "two"))
    force_setattr(forged, "digest", said.digest[:16] + bytes(16))  # As many hashes would find one.
    assert forged.hash == said.hash
    assert told(talk, forged, by=1).reason == Reason.WRONG_SIGNATURE


def test_what_waits_for_its_predecessor_is_erased_too() -> None:
    talk = group()
    told(talk, SAID)
    lost = line(1, 1)
    late = edit(2, "late", seq=3, after=(lost,), ms=2_500)
    told(talk, edit(2, "soon", seq=2))
    told(talk, late)
    assert talk.group.waiting == {late.key}
    told(talk, redact(1, seq=1, after=(SAID,), k=2))
    assert Erased(Spot(late.key, 0)) not in erased(talk)
    told(talk, lost)
    assert Erased(Spot(late.key, 0)) in erased(talk)


# ---- our own -------------------------------------------------------------------------------------


def test_an_own_edit_follows_its_line_and_goes_to_everybody() -> None:
    talk = group()
    own = talk.says("first")
    told(talk, line(2, 1, after=(own,), ms=own.hlc.ms + 1))
    talk.hand(submitted(Kind.EDIT, Spot(own.key, 0), "second"))
    (new,) = talk.one(e.StoreMessages).messages
    assert (new.texts, new.about, new.kind) == (("second",), Spot(own.key, 0), Kind.EDIT)
    assert new.key.before == own.key
    assert erased(talk) == [Erased(Spot(own.key, 0), new.key)]
    assert new.hlc > own.hlc


def test_an_own_redaction_names_its_line_and_the_decisions_that_allow_it() -> None:
    talk = follower(3, 1, 2)
    told(talk, LINE)
    told(talk, line(2, 1, after=(LINE,), ms=1_500))
    opped = admin(3)
    decided(talk, opped)
    talk.hand(submitted(Kind.REDACT, LINE_SPOT))
    (new,) = talk.one(e.StoreMessages).messages
    assert new.deps == (LINE.key, Key(2, stream(), 1))
    assert new.heads == (opped.id,)
    assert new.texts == ("",)
    assert erased(talk) == [Erased(LINE_SPOT)]


def test_changes_are_messages_of_their_own_among_lines_said_at_once() -> None:
    talk = group()
    own = talk.says("first")
    words = [Submitted(f"w{n}", f"dddddddd-0000-4000-8000-{n:012x}", WALL + 9) for n in (1, 2)]
    change = submitted(Kind.EDIT, Spot(own.key, 0), "second")
    talk.hand(Burst((words[0], change, words[1])))
    (stored,) = (effect.messages for effect in talk.of(e.StoreMessages))
    assert [message.texts for message in stored] == [("w1",), ("second",), ("w2",)]


@pytest.mark.parametrize(
    ("kind", "about", "fault"),
    [
        (Kind.EDIT, SPOT, Fault.NOT_OURS),
        (Kind.REDACT, SPOT, Fault.NO_RIGHT),
        (Kind.EDIT, Spot(SAID.key, 2), Fault.NOT_HERE),
        (Kind.REDACT, Spot(line(2, 9).key, 0), Fault.NOT_HERE),
    ],
)
def test_what_we_may_not_change_is_not_said(kind: Kind, about: Spot, fault: Fault) -> None:
    talk = group()
    told(talk, SAID)
    assert talk.group.change_fault(kind, about) is fault
    talk.hand(submitted(kind, about, "x"))
    assert talk.of(e.StoreMessages) == []
    assert talk.of(e.Dropped) == [e.Dropped(fault.value)]


def test_a_line_that_waits_for_another_is_not_changed() -> None:
    """Our change would wait for it, too, once we begin anew."""
    talk = group()
    waits = line(2, 1, after=(line(1, 1),))
    told(talk, waits)
    assert talk.group.waiting == {waits.key}
    decided(talk, admin(3))
    assert talk.group.change_fault(Kind.REDACT, Spot(waits.key, 0)) is Fault.NOT_HERE
    told(talk, line(1, 1))
    assert talk.group.change_fault(Kind.REDACT, Spot(waits.key, 0)) is None


def test_a_redacted_line_and_a_change_are_not_edited() -> None:
    talk = group()
    own = talk.says("first")
    talk.hand(submitted(Kind.REDACT, Spot(own.key, 0)))
    (gone,) = talk.one(e.StoreMessages).messages
    assert talk.group.change_fault(Kind.EDIT, Spot(own.key, 0)) is Fault.GONE
    assert talk.group.change_fault(Kind.REDACT, Spot(gone.key, 0)) is Fault.NOT_HERE


def test_what_is_still_to_be_sent_goes_without_its_text() -> None:
    talk = group()
    talk.kill(2)
    own = talk.says("secret")
    assert own.key in {row.message.key for row in talk.group.queue()}
    talk.hand(submitted(Kind.REDACT, Spot(own.key, 0)))
    assert [row.message.texts for row in talk.group.queue()][:1] == [("",)]
    talk.heal(2)
    said = [tell for n in range(40) for tell in _tells(talk, 2, 100)]
    assert said
    assert all("secret" not in message.texts for tell in said for message in tell.messages)


def _tells(talk: Dialogue, to: int, ms: int) -> list[m.Tell]:
    talk.wait(ms)
    return talk.sent(m.Tell, to)


# ---- over a restart ------------------------------------------------------------------------------


def test_what_the_log_kept_counts_as_before_and_is_told_to_nobody_again() -> None:
    new = edit(2, "uno")
    kept = (SAID.without((0,)), new)
    talk = returning(3, 1, 2, leader=1, messages=kept)
    talk.hand(Started(WALL))
    assert erased(talk) == talk.of(e.LineChanged) == []
    known = talk.group.changed(SPOT)
    assert known is not None
    assert known.edit == new
    told(talk, redact(2, seq=3))
    assert erased(talk) == [Erased(SPOT), Erased(Spot(new.key, 0))]


def test_what_a_log_of_before_had_not_erased_is_erased_at_the_start() -> None:
    talk = returning(3, 1, 2, leader=1, messages=(SAID, redact(2)))
    talk.hand(Started(WALL))
    assert erased(talk) == [Erased(SPOT)]


def test_of_a_log_with_more_erased_than_is_known_why_the_text_is_taken_again() -> None:
    said = signed(SAID)
    talk = returning(3, 1, 2, leader=1, messages=(said.without((0,)),), signs=SIGNS)
    talk.hand(Started(WALL))
    told(talk, said)
    assert talk.one(e.StoreMessages).messages == (said,)


def test_trimmed_lines_are_forgotten() -> None:
    timing = replace(LAN, log_max=3)
    talk = group(timing=timing)
    told(talk, SAID)
    told(talk, redact(2))
    for seq in range(3, 9):
        told(talk, line(2, seq, ms=4_000 + seq))
    talk.wait(2_000)
    assert talk.group.changed(SPOT) is None


# ---- served to others ----------------------------------------------------------------------------


def test_changes_are_served_like_lines() -> None:
    talk = group()
    told(talk, SAID)
    told(talk, redact(2))
    request = m.Sync(talk.caller(1), talk.view(1), sources=(2,))
    assert talk.hears(request).keys == (SAID.key, Key(2, stream(), 2))


def test_an_acknowledged_change_is_settled_like_a_line() -> None:
    talk = group()
    own = talk.says("first")
    talk.hand(submitted(Kind.EDIT, Spot(own.key, 0), "second"))
    (new,) = talk.one(e.StoreMessages).messages
    for member in (1, 2):
        while talk.waits(m.Tell, member):
            tell = talk.call(m.Tell, member).request
            talk.answer(m.Tell, m.Told(m.Receipt.STORED, tell.messages[-1].id, member), member)
    assert talk.group.reached(new.key) == (2, 2)
    assert talk.group.queue() == []


# ---- what was erased for no reason that is known -------------------------------------------------


def test_who_has_texts_erased_for_no_reason_asks_everybody_for_them_once() -> None:
    said = signed(SAID)
    talk = den()
    talk.hold(m.Sync)
    told(talk, said.without((0,)), by=1)
    asked = []
    for _ in range(6):
        compare = talk.wait_for(m.Sync)
        to = talk.call(m.Sync).to
        talk.answer(m.Sync, m.Synced(talk.view()), to)
        if not talk.waits(m.Sync, to):
            continue
        fetch = talk.call(m.Sync, to).request
        asked.append((to, fetch.sources, fetch.held))
        talk.answer(m.Sync, m.Synced(talk.view(), messages=(said.without((0,)),)), to)
        if len(asked) == 2:
            break
        assert compare.digests
    assert sorted(asked) == [(1, (2,), ()), (2, (2,), ())]
    talk.wait(20_000)
    assert not talk.waits(m.Sync)


def test_and_takes_them_from_who_has_them() -> None:
    said = signed(SAID)
    talk = den()
    talk.hold(m.Sync)
    told(talk, said.without((0,)), by=1)
    talk.wait_for(m.Sync)
    to = talk.call(m.Sync).to
    talk.answer(m.Sync, m.Synced(talk.view()), to)
    talk.answer(m.Sync, m.Synced(talk.view(), messages=(said,)), to)
    assert talk.one(e.StoreMessages).messages == (said,)
    assert talk.of(e.LineChanged) == [e.LineChanged(SPOT, 2, Kind.TEXT)]
    talk.wait(20_000)
    assert not talk.waits(m.Sync)


# ---- chats whose newcomers read nothing of what was before them ----------------------------------


def test_who_came_later_is_given_no_text_of_what_was_said_before() -> None:
    talk = follower(3, 1, person(2, since=5_000))
    told(talk, line(1, 1, "before", ms=4_999), by=1)
    asks = m.Sync(talk.caller(2), talk.view(2), sources=(1,))
    assert talk.hears(asks).since == 5_000
    assert talk.hears(replace(asks, caller=talk.caller(1))).since == 0
    before = replace(line(1, 1, "before", ms=4_999), salts=bytes(16))
    assert before.veiled(5_000) == before.without((0,))
    assert before.veiled(4_999) is before.veiled(0) is before


def test_a_newcomer_is_shown_nothing_of_it_and_does_not_wonder() -> None:
    talk = follower(person(3, since=1_500), 1, 2)
    told(talk, SAID.without((0, 1)))
    assert talk.one(e.StoreMessages).messages == (SAID.without((0, 1)),)
    assert talk.shown == []
    assert talk.group.since == 1_500
    told(talk, line(2, 2, "after", ms=1_500))
    assert talk.shown == ["after"]
    talk.hold(m.Sync)
    talk.wait(20_000)
    assert not talk.waits(m.Sync)


TODAY = WRITTEN_MS + 24 * 3_600_000


def founded(hides: bool, wall: int = WALL) -> Dialogue:
    talk = Dialogue(Group(setup(1, name="den"), LAN, Random(1)), 1)
    talk.hand(Started(wall))
    talk.record = record(1, FIRST)
    talk.hand(Founded(talk.record, IdBlock(1, 8), hides_history=hides))
    return talk


@pytest.mark.parametrize("hides", [False, True])
def test_since_when_a_newcomer_reads_is_what_its_founder_has_laid_down(hides: bool) -> None:
    talk = founded(hides)
    last = talk.says("before", wall=WALL + 99_000)
    welcome = admit(talk, 9)
    assert isinstance(welcome, m.Welcome)
    (me, new) = welcome.roster.members
    assert (me.since > 0, new.since) == (hides, last.hlc.ms + 1 if hides else 0)


HOUR_MS = 3_600_000


def test_a_newcomer_reads_what_is_said_after_it_came_though_a_clock_is_ahead() -> None:
    """Else all that is said for that hour would be of before it, by its place in time."""
    talk = founded(hides=True)
    admit(talk, 8)
    said = line(2, 1, "early", ms=WALL + HOUR_MS)
    talk.hears(m.Tell(talk.caller(2), 1, (said,)))
    welcome = admit(talk, 9)
    assert isinstance(welcome, m.Welcome)
    new = welcome.roster.members[-1]
    assert new.since == said.hlc.ms + 1
    after = talk.says("after")
    assert (said.veiled(new.since).texts, after.veiled(new.since)) == (("",), after)
    admit(talk, 10)
    assert after.veiled(talk.group.roster.members[-1].since).texts == ("",)


def test_so_it_does_by_whoever_has_heard_of_it_and_by_itself() -> None:
    founder, new = person(1, since=5), person(4, since=WALL + HOUR_MS)
    talk = follower(3, founder, 2)
    assert talk.says("before").hlc.ms < new.since
    talk.hears(m.Update(talk.caller(1), m.Roster((new,))))
    assert talk.says("after").hlc.ms == new.since
    assert follower(new, founder, 2).says("hello").hlc.ms == new.since
    open_to_all = follower(3, 1, 2, new)
    assert open_to_all.says("after").hlc.ms < new.since


def test_no_clock_goes_to_its_end_by_when_somebody_is_said_to_have_come() -> None:
    founder, new = person(1, since=5), person(5, since=WALL + HOUR_MS)
    talk = follower(3, founder, 2, person(4, since=2**53 - 1), new)
    assert talk.says("after").hlc.ms == new.since
    assert follower(3, founder, 2, person(4, since=MS_MAX)).says("after").hlc.ms < MS_MAX


@pytest.mark.parametrize("ms", [horizon(TODAY) - 1, horizon(TODAY), MS_MAX - 1, MS_MAX])
def test_a_newcomer_reads_what_others_say_whatever_instant_its_leader_alone_was_told(
    ms: int,
) -> None:
    talk = founded(hides=True, wall=TODAY)
    admit(talk, 8)
    talk.hears(m.Tell(talk.caller(2), 1, (line(2, 1, ms=ms),)))
    welcome = admit(talk, 9)
    assert isinstance(welcome, m.Welcome)
    founder, _, new = welcome.roster.members
    assert new.since in (TODAY, TODAY + 1, horizon(TODAY))
    other = follower(7, founder, 2, new)
    said = other.says("welcome", wall=TODAY + 1)
    assert said.veiled(new.since) is said


def test_whose_clock_was_behind_lets_in_after_all_that_was_shown_meanwhile() -> None:
    talk = founded(hides=True, wall=TODAY)
    admit(talk, 8)
    said = line(2, 1, ms=horizon(TODAY) + 5)
    talk.hears(m.Tell(talk.caller(2), 1, (said,)))
    talk.wait(6)
    welcome = admit(talk, 9)
    assert isinstance(welcome, m.Welcome)
    assert welcome.roster.members[-1].since == said.hlc.ms + 1


def test_since_when_is_in_the_admission_s_signature_and_of_two_the_earlier_counts() -> None:
    said = statement(7, 2, identity(2), FIRST)
    assert statement(7, 2, identity(2), FIRST, 5) == said + (5).to_bytes(8)
    early, late = person(2, since=5), person(2, since=6)
    assert merge(early, late) == merge(late, early) == early
    signed = replace(late, admitted_by=1, admission=b"s" * 64)
    assert merge(early, signed) == merge(signed, early) == signed
