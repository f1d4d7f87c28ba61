"""An author that says two things under one key: whichever comes first, the same stands everywhere.

What is tried is node/core/talking.py, node/core/changing.py and node/core/changes.py with a log of
node/archive/memory.py: what people see, what counts, and both once more after a restart.
"""

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from node.archive.memory import MemoryArchive
from node.core import effects as e
from node.core import messages as m
from node.core.clock import COUNTER_MAX, MS_MAX, WRITTEN_MS, horizon
from node.core.conversation import ChatMessage, Kind, Spot
from node.core.events import Started
from node.core.types import Hlc, Key

from .cast import WALL, line, person
from .dialogue import Dialogue, follower, returning
from .test_vouching import told

SAID = replace(line(2, 1, "one", more=("two",)), salts=bytes(32))
OTHER = replace(line(2, 2, "other"), salts=bytes(16))
NOT_OURS = replace(line(1, 1, "not ours"), salts=bytes(16))
FIRST, SECOND = Spot(SAID.key, 0), Spot(SAID.key, 1)
OTHERS = Spot(OTHER.key, 0)


def change(seq: int, kind: Kind, about: Spot, text: str = "", ms: int = 0) -> ChatMessage:
    said = replace(line(2, seq, text, ms=ms or 2_000 + seq), salts=bytes(16))
    return replace(said, kind=kind, about=about, texts=(text,))


BEFORE = change(3, Kind.EDIT, FIRST, "uno")  # It was edited once.
TWICE = 4  # the number under which two things are said
SPOT = Spot(BEFORE.key._replace(seq=TWICE), 0)
PLAIN = replace(line(2, TWICE, "plain", ms=3_000), salts=bytes(16))
CONTENTS = {
    "text": PLAIN,
    "another text": replace(PLAIN, texts=("another",)),
    "two lines": replace(line(2, TWICE, "a", more=("b",), ms=3_000), salts=bytes(32)),
    "action": replace(PLAIN, kind=Kind.ACTION),
    "edit": change(TWICE, Kind.EDIT, FIRST, "dos", ms=3_000),
    "early edit": change(TWICE, Kind.EDIT, FIRST, "early", ms=2_003 + 1),
    "edit of a second line": change(TWICE, Kind.EDIT, SECOND, "dos", ms=3_000),
    "edit of another": change(TWICE, Kind.EDIT, OTHERS, "dos", ms=3_000),
    "edit of an edit": change(TWICE, Kind.EDIT, Spot(BEFORE.key, 0), "dos", ms=3_000),
    "edit of itself": change(TWICE, Kind.EDIT, SPOT, "dos", ms=3_000),
    "edit without the right": change(TWICE, Kind.EDIT, Spot(NOT_OURS.key, 0), "x", ms=3_000),
    "redaction": change(TWICE, Kind.REDACT, FIRST, ms=3_000),
    "redaction of another": change(TWICE, Kind.REDACT, OTHERS, ms=3_000),
    "redaction of an edit": change(TWICE, Kind.REDACT, Spot(BEFORE.key, 0), ms=3_000),
}
LATE = (
    change(5, Kind.EDIT, SPOT, "edited", ms=4_000),  # Of that, if it is a line.
    change(6, Kind.EDIT, SECOND, "zwei", ms=4_001),
)


def salted(one: ChatMessage) -> Iterator[ChatMessage]:
    return (replace(one, salts=n.to_bytes(16) + one.salts[16:]) for n in range(1, 1_000))


def lower(one: ChatMessage, other: ChatMessage) -> ChatMessage:
    """The first one, no later and so salted that it is the one that stands."""
    one = replace(one, hlc=min(one.hlc, other.hlc))
    return next(found for found in salted(one) if found.hash < other.hash)


def earlier(one: ChatMessage, other: ChatMessage) -> ChatMessage:
    """The first one, so that it stands by its instant alone."""
    one = replace(one, hlc=Hlc(other.hlc.ms - 1, 9))
    return next(found for found in salted(one) if found.hash > other.hash)


def logged(talk: Dialogue) -> MemoryArchive:
    archive = MemoryArchive()
    archive.append([effect for _, effect in talk.log if isinstance(effect, get_args(e.Store))])
    return archive


def heard(*messages: ChatMessage) -> Dialogue:
    talk = follower(3, 1, 2)
    for message in messages:
        told(talk, message)
    return talk


def give(talk: Dialogue, *others: Dialogue) -> None:
    """The texts that it asks for, as far as somebody has them."""
    for other in others:
        for message in logged(other).read(sorted(talk.group._s.changes.doubted)):
            told(talk, message)


def screen(archive: MemoryArchive) -> list[tuple[Spot, str, Kind]]:
    return [(one.spot, one.text, one.message.kind) for one in archive.page(count=99)]


def state(talk: Dialogue) -> dict[str, Any]:
    s = talk.group._s
    archive = logged(talk)
    spots = [Spot(key, at) for key in archive._messages for at in range(2)]
    known = {spot: one for spot in spots if (one := s.changes.of(spot)) is not None}
    return {
        "hash": s.history.hash,
        "lines": {
            spot: (one.edit and (one.edit.key, one.edit.texts), one.redacted)
            for spot, one in known.items()
        },
        "gone": {key: sorted(gone) for key in archive._messages if (gone := s.changes.gone(key))},
        "doubted": dict(s.changes.doubted),
        "changes": {key for key in archive._messages if s.changes.is_change(key)},
        "log": dict(archive._messages),
    }


def again(talk: Dialogue) -> Dialogue:
    """The same member after a restart."""
    archive = logged(talk)
    new = returning(3, 1, 2, leader=1, messages=archive.load().messages)
    new.log = [*talk.log]
    new.hand(Started(WALL))
    return new


@pytest.mark.parametrize("by", [lower, earlier])
@pytest.mark.parametrize(("stands", "falls"), list(permutations(CONTENTS, 2)))
def test_of_two_contents_the_same_one_counts_whichever_came_first(
    stands: str, falls: str, by: Callable[[ChatMessage, ChatMessage], ChatMessage]
) -> None:
    other = CONTENTS[falls]
    one = by(CONTENTS[stands], other)
    before = (NOT_OURS, SAID, OTHER, BEFORE)
    alone = heard(*before, one, *LATE)
    talks = {
        "first": heard(*before, one, other, *LATE),
        "last": heard(*before, other, one, *LATE),
        "first of all": heard(*before, one, *LATE, other),
        "last of all": heard(*before, other, *LATE, one),
        "after a restart": again(heard(*before, other, *LATE)),
    }
    told(talks["after a restart"], one)
    for talk in talks.values():
        give(talk, alone)
    wanted, seen = state(alone), screen(logged(alone))
    for name, talk in talks.items():
        assert state(talk) == wanted, name
        assert screen(logged(talk)) == seen, name
        new = again(talk)
        assert state(new) == wanted, name
        assert screen(logged(new)) == seen, name


def test_a_line_that_turns_out_to_stand_is_told_and_so_is_what_never_was_changed() -> None:
    edit = CONTENTS["edit of another"]
    text = lower(PLAIN, edit)
    talk = heard(SAID, OTHER, BEFORE, edit)
    told(talk, text)
    assert [line.text for line in talk.one(e.Deliver).lines] == ["plain"]
    assert talk.one(e.LineChanged) == e.LineChanged(OTHERS, 2, Kind.TEXT)
    assert talk.group._s.changes.doubted == {OTHER.key: {0}}
    assert [text for spot, text, _ in screen(logged(talk)) if spot in (OTHERS, SPOT)] == [
        "",
        "plain",
    ]
    told(talk, OTHER, by=1)
    assert talk.one(e.StoreMessages).messages == (OTHER,)
    assert talk.one(e.LineChanged) == e.LineChanged(OTHERS, 2, Kind.TEXT)


def test_the_text_of_a_change_that_does_nothing_is_not_that_of_the_line_in_its_place() -> None:
    edit = CONTENTS["edit without the right"]
    text = lower(PLAIN, edit)
    talk = heard(NOT_OURS, SAID, OTHER, BEFORE, edit)
    told(talk, text)
    assert talk.one(e.StoreMessages).messages == (text,)


def test_what_was_edited_meanwhile_is_never_seen_as_it_was() -> None:
    edit = CONTENTS["edit"]
    text = lower(PLAIN, edit)
    talk = heard(SAID, OTHER, BEFORE, edit, *LATE)
    told(talk, text)
    assert talk.one(e.StoreMessages).messages == (text.without((0,)),)
    assert [line.text for line in talk.one(e.Deliver).lines] == [""]


def test_an_edit_whose_text_is_back_is_told_of_the_line_in_whose_place_it_stands() -> None:
    edit = CONTENTS["edit"]
    talk = heard(SAID, OTHER, BEFORE, edit, lower(PLAIN, edit))
    assert talk.group._s.changes.doubted == {BEFORE.key: {0}}
    told(talk, BEFORE, by=1)
    assert talk.one(e.LineChanged) == e.LineChanged(FIRST, 2, Kind.EDIT)
    known = talk.group.changed(FIRST)
    assert known is not None
    assert known.edit == BEFORE


def test_texts_that_were_erased_for_nothing_are_asked_for_in_time() -> None:
    edit = CONTENTS["edit of another"]
    talk = heard(SAID, OTHER, BEFORE, edit)
    talk.wait(20_000)
    told(talk, lower(PLAIN, edit))
    talk.hold(m.Sync)
    talk.wait_for(m.Sync, ms=60_000)
    to = talk.call(m.Sync).to
    talk.answer(m.Sync, m.Synced(talk.view()), to)
    assert talk.call(m.Sync, to).request.sources == (2,)
    talk.answer(m.Sync, m.Synced(talk.view(), messages=(OTHER,)), to)
    assert talk.one(e.StoreMessages).messages == (OTHER,)


def test_what_was_said_before_we_came_is_not_asked_for() -> None:
    edit = CONTENTS["edit of another"]
    talk = follower(person(3, since=2_500), 1, 2)
    for message in (SAID, OTHER.without((0,)), BEFORE, edit, lower(PLAIN, edit)):
        told(talk, message)
    assert talk.group._s.changes.doubted == {}


@pytest.mark.parametrize("first", [0, 1])
def test_the_one_that_stands_waits_for_what_it_follows_itself(first: int) -> None:
    lost, found = line(1, 1), line(1, 2)
    other = replace(PLAIN, deps=(Key(1, lost.key.stream, 9),))
    one = lower(replace(CONTENTS["edit"], deps=(found.key,)), other)
    talk = heard(SAID, OTHER, BEFORE, *((other, one), (one, other))[first], *LATE)
    assert talk.group.waiting >= {one.key}
    told(talk, lost, found)
    assert talk.group.waiting == set()
    known = talk.group.changed(FIRST)
    assert known is not None
    assert known.edit == one


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_earlier_than_the_line_before_it_stands_too(first: int) -> None:
    other = CONTENTS["edit"]
    early = replace(PLAIN, hlc=BEFORE.hlc)
    talk = heard(SAID, OTHER, BEFORE, *((other, early), (early, other))[first])
    assert logged(talk).read([SPOT.key]) == [early]
    assert talk.group.waiting == set()


def test_an_id_of_what_does_not_stand_is_nobody_s() -> None:
    other = replace(PLAIN, ids=("another",))
    again = replace(line(2, 5, "again", ms=4_000), ids=("another",))
    talk = heard(SAID, OTHER, BEFORE, other, lower(PLAIN, other), again)
    assert [line.text for line in talk.one(e.Deliver).lines] == ["again"]


def test_a_line_that_is_not_there_is_not_asked_for() -> None:
    edit = change(TWICE, Kind.EDIT, Spot(OTHER.key, 7), "dos", ms=3_000)
    talk = heard(SAID, OTHER, BEFORE, edit, lower(PLAIN, edit))
    assert talk.group._s.changes.doubted == {}


def test_what_comes_before_the_one_that_stands_is_late() -> None:
    hidden = replace(PLAIN, ids=SAID.ids[:1], hlc=Hlc(6_000, 0))
    talk = heard(SAID, OTHER, BEFORE, hidden, earlier(PLAIN, hidden))
    told(talk, line(1, 1, ms=5_000))
    assert talk.one(e.Deliver).late


# ---- what honest members answer ------------------------------------------------------------------

HOUR_MS = 3_600_000
NOW = replace(line(2, 1, "now", ms=WALL - 1_000), salts=bytes(16))
AHEAD = replace(NOW, texts=("ahead",), hlc=Hlc(WALL + HOUR_MS, 0))
OTHERS_OF_ALL = {3: (1, 2, 4), 4: (1, 2, 3), 5: (1, 2, 3, 4)}


def member(me: int, *messages: ChatMessage) -> Dialogue:
    """3 is alice, 4 is carol; 5 says nothing."""
    talk = follower(me, *OTHERS_OF_ALL[me])
    for message in messages:
        takes(talk, message)
    return talk


def takes(talk: Dialogue, message: ChatMessage) -> None:
    reply = talk.hears(m.Tell(talk.caller(message.key.source), talk.group.me, (message,)))
    assert isinstance(reply, m.Told), (reply, message)


def agree(*talks: Dialogue) -> None:
    """All hold the same and show it at the same places; nobody's line waits."""
    assert len({talk.group.history_hash for talk in talks}) == 1
    assert len({tuple(screen(logged(talk))) for talk in talks}) == 1
    assert all(talk.group.waiting == set() for talk in talks)


def all_take(early: ChatMessage, late: ChatMessage) -> tuple[Dialogue, ...]:
    """Alice hears one content and answers, carol the other; then all hear all, in any order."""
    alice, carol = member(3, early), member(4, late)
    answers = alice.says("to the early one"), carol.says("to the late one")
    said = [early, late, *answers, alice.says("more")]
    for message in (late, answers[1]):
        takes(alice, message)
    for message in (*said[2:3], early, said[4]):
        takes(carol, message)
    talks = alice, carol, *(member(5, *order) for order in permutations(said))
    agree(*talks)
    return talks


def test_what_honest_members_answer_to_either_content_is_taken_by_all() -> None:
    """The one of an hour ahead does not stand, though its hash is the lower one."""
    late = next(b for b in salted(AHEAD) if b.hash < NOW.hash)
    for talk in all_take(NOW, late):
        seen = [text for _, text, _ in screen(logged(talk))]
        assert seen == ["now", "to the early one", "more", "to the late one"]


def test_a_content_that_names_the_answer_to_another_makes_nobody_wait() -> None:
    answer = member(3, NOW).says("to the early one")
    for ms in (-2_000, 0, HOUR_MS):
        circle = replace(NOW, texts=("circle",), hlc=Hlc(WALL + ms, 0), deps=(answer.key,))
        all_take(NOW, circle)


def test_so_it_is_with_instants_that_no_honest_clock_shows() -> None:
    all_take(NOW, replace(NOW, texts=("end",), hlc=Hlc(MS_MAX - 1, COUNTER_MAX)))
    all_take(NOW, replace(NOW, texts=("end",), hlc=Hlc(2 * MS_MAX - 1, COUNTER_MAX)))


TODAY = WRITTEN_MS + 24 * HOUR_MS


def today(me: int, *messages: ChatMessage, behind_ms: int = 0, now: int = 0) -> Dialogue:
    """The same after 2026 has begun, with a wall clock that is so much behind."""
    talk = returning(me, *OTHERS_OF_ALL[me], leader=1, messages=messages)
    talk.now = now
    talk.hand(Started(TODAY + now - behind_ms))
    return talk


def says(talk: Dialogue, text: str, behind_ms: int = 0) -> ChatMessage:
    return talk.says(text, wall=TODAY + talk.now - behind_ms)


EDGE = replace(NOW, texts=("edge",), hlc=Hlc(horizon(TODAY) - 1, COUNTER_MAX))  # followed by all


def test_an_answer_is_placed_after_what_it_answers_whatever_instant_one_alone_was_told() -> None:
    """Alice is told the last instant that her clock follows, so what she says lies beyond it."""
    alice, carol, dan = (today(me) for me in (3, 4, 5))
    takes(alice, EDGE)
    question = says(alice, "question")
    assert question.hlc == (horizon(TODAY), 0)
    for talk in (carol, dan):
        takes(talk, NOW)
        talk.wait(1)
        takes(talk, question)
    answer = says(carol, "answer")
    takes(dan, answer)
    again = says(alice, "again")
    assert question.place < answer.place
    for talk in (alice, carol, dan):
        for message in (NOW, answer, again):
            takes(talk, message)
    agree(alice, carol, dan)
    assert [text for _, text, _ in screen(logged(dan))][1:] == ["question", "again", "answer"]


def test_an_answer_waits_for_what_it_answers_whatever_instant_one_alone_was_told() -> None:
    alice, carol, dan = (today(me) for me in (3, 4, 5))
    takes(alice, EDGE)
    before, question = says(alice, "before"), says(alice, "question")
    for message in (NOW, before, question):
        carol.wait(1)
        takes(carol, message)
    answer = says(carol, "answer")
    for message in (NOW, question, answer):
        takes(dan, message)
    assert dan.group.waiting == {question.key, answer.key}
    takes(dan, before)
    assert dan.shown == ["now", "before", "question", "answer"]


def test_whose_clock_is_behind_follows_once_it_has_got_there() -> None:
    """Also where it has answered meanwhile, so that it names that answer alone."""
    alice, carol = today(3, EDGE), today(4, NOW, behind_ms=5_000)
    question = says(alice, "question")
    takes(carol, question)
    early = says(carol, "early", 5_000)
    assert early.place < question.place
    carol.wait(5_001)
    answer = says(carol, "answer", 5_000)
    assert answer.deps == ()
    assert early.place < question.place < answer.place


def test_what_one_says_after_a_restart_comes_after_what_it_has_said() -> None:
    alice = today(3, EDGE)
    said = [says(alice, "one"), says(alice, "two")]
    late = line(2, 2, "from the end", ms=MS_MAX - 1)
    for shown in ((NOW, *said), (NOW, *said, late)):
        again = today(3, *shown, now=9)
        again._inbound = alice._inbound
        assert again.group._s.latest_place == said[-1].place
        more = says(again, "three")
        assert said[-1].place < more.place
        assert more.hlc.ms < MS_MAX - 1


def test_lines_whose_instants_do_not_ascend_are_taken_in_whatever_order_they_come() -> None:
    first, second = line(2, 1, ms=WALL + 9), line(2, 2, ms=WALL + 5)
    alice = member(3, second, first)
    said = first, second, alice.says("answer")
    agree(alice, *(member(5, *order) for order in permutations(said)))


def test_of_two_contents_of_two_lines_the_answers_to_all_are_taken() -> None:
    """Of the four pairs that there are one alone does not ascend."""
    first = line(2, 1, "one", ms=WALL - 100), line(2, 1, "eins", ms=WALL - 50)
    second = line(2, 2, "two", ms=WALL - 70), line(2, 2, "zwei", ms=WALL + HOUR_MS)
    alice, carol = member(3, first[0], second[1]), member(4, first[1], second[0])
    said = *first, *second, alice.says("to zwei"), carol.says("to two")
    for talk in (alice, carol):
        for message in said:
            takes(talk, message)
    for talk in (talks := [member(5, *order) for order in permutations(said)]):
        assert [text for _, text, _ in screen(logged(talk))][:2] == ["one", "two"]
    agree(alice, carol, *talks)
