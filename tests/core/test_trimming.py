"""Dialogues about node/core/trimming.py: a log is bounded, and what may go is the oldest."""

from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.conversation import ChatMessage
from node.core.events import Started
from node.core.group import Group
from node.core.messages import Life
from node.core.timing import LAN
from node.core.types import Floor, Hlc, Key, Post

from .cast import WALL, line, person, remembered, setup, stream
from .dialogue import Dialogue, follower, returning

SMALL = replace(LAN, log_max=10)


def talk_of(*messages: ChatMessage, floors: tuple[Floor, ...] = (), **timing: int) -> Dialogue:
    timing_ = replace(SMALL, **timing)
    return follower(3, 1, 2, messages=messages, floors=floors, timing=timing_)


def hear(talk: Dialogue, *messages: ChatMessage) -> None:
    """They come from their author."""
    for message in messages:
        talk.hears(m.Tell(talk.caller(message.key.source), 3, (message,)))


def chain(count: int, source: int = 1, **rest: int) -> list[ChatMessage]:
    return [line(source, seq, **rest) for seq in range(1, count + 1)]


def test_a_log_that_is_too_large_loses_its_oldest_and_raises_the_floor_with_it() -> None:
    talk = talk_of()
    lines = chain(11)
    hear(talk, *lines[:10])
    before = talk.group.history_hash
    assert talk.of(e.Trim) == []
    hear(talk, lines[10])
    trimmed = talk.one(e.Trim)
    assert trimmed.last == (lines[0].key,)
    (floor,) = talk.one(e.StoreMarks).floors
    assert floor.at == (stream(), 1)
    assert talk.position(e.StoreMarks) < talk.position(e.Trim), "the mark covers what goes"
    assert talk.group.history_hash != before
    assert len(talk.group._s.history) == 10


def test_of_many_authors_the_one_whose_first_line_is_oldest_gives_first() -> None:
    talk = talk_of(
        *(line(1, n, ms=10 * n) for n in range(1, 6)),
        *(line(2, n, ms=10 * n + 5) for n in range(1, 6)),
    )
    hear(talk, line(1, 6, ms=900), line(2, 6, ms=901, after=(line(1, 6),)))
    gone = [key for effect in talk.log for key in getattr(effect[1], "last", ())]
    assert gone == [Key(1, stream(), 1), Key(2, stream(), 1)]


def test_a_log_that_is_far_too_large_shrinks_by_chunks() -> None:
    talk = talk_of(*chain(2_500), log_max=400)
    talk.wait(1_000)
    gone = [len(s.last) for _, s in talk.log if isinstance(s, e.Trim)]
    assert len(gone) == 3, "a thousand at most in one turn"
    assert len(talk.group._s.history) == 396, "and a hundredth more than must"


def test_too_many_bytes_are_too_large_as_well() -> None:
    talk = talk_of(log_max=1_000, log_bytes_max=10_000)
    hear(talk, *(line(1, n, "x" * 1_000) for n in range(1, 13)))
    assert 6 <= len(talk.group._s.history) <= 8
    assert talk.group._s.history.size <= 10_000


def test_what_waits_stays_and_so_does_what_its_author_said_after_it() -> None:
    talk = talk_of()
    hear(talk, line(1, 1), line(1, 3), line(2, 1, ms=9_000, after=(line(1, 1),)))
    hear(talk, *(line(2, n, ms=9_000 + n) for n in range(2, 13)))
    talk.wait(5_000)
    assert talk.group._s.history.has(line(1, 3).key)
    assert not talk.group._s.history.has(line(1, 1).key)


def test_nothing_is_trimmed_past_a_line_that_is_still_to_come() -> None:
    talk = talk_of()
    reply = line(2, 1, ms=9_000, after=(line(1, 2, k=1),))
    later = [line(1, n, k=2, ms=9_000 + n) for n in range(2, 13)]
    hear(talk, line(1, 1), reply, line(1, 1, k=2, ms=9_001, after=(line(1, 1),)), *later)
    talk.wait(2_000)
    floors = [f for _, s in talk.log if isinstance(s, e.StoreMarks) for f in s.floors]
    assert {floor.at for floor in floors if floor.source == 1} == {(stream(1), 1)}
    hear(talk, line(1, 2))
    assert talk.group.pending == 0, "and it was shown, with what waited for it"


def test_an_own_line_that_somebody_lacks_stays() -> None:
    talk = talk_of()
    own = talk.says("first")
    for n, message in enumerate(chain(20)):
        later = replace(message, hlc=replace_ms(own, n + 1))
        hear(talk, later)
    assert talk.group._s.history.has(own.key)
    talk.answer(m.Tell, m.Told(m.Receipt.STORED, own.id, 1), to=1)
    talk.answer(m.Tell, m.Told(m.Receipt.STORED, own.id, 2), to=2)
    hear(talk, replace(line(1, 21, after=(own,)), hlc=replace_ms(own, 50)))
    assert not talk.group._s.history.has(own.key), "acknowledged by all, and named by a later one"


def replace_ms(after: ChatMessage, ms: int) -> Hlc:
    return after.hlc._replace(ms=after.hlc.ms + ms)


def test_a_head_stays_until_somebody_names_it() -> None:
    talk = talk_of(line(2, 1))
    hear(talk, *chain(20))
    assert talk.group._s.history.has(line(2, 1).key)
    hear(talk, line(1, 21, after=(line(2, 1),)))
    assert not talk.group._s.history.has(line(2, 1).key)


def test_a_head_that_others_count_as_trimmed_goes_and_is_not_named() -> None:
    old = line(2, 1)
    talk = talk_of(old, *chain(5), floors=(Floor(2, stream(), 7, 5),))
    assert old.key in talk.group._s.causal.heads
    hear(talk, *chain(20)[5:])
    assert not talk.group._s.history.has(old.key)
    assert old.key not in talk.says("hello").deps


def test_what_was_trimmed_counts_as_stored_and_is_not_shown_again() -> None:
    talk = talk_of()
    lines = chain(12)
    hear(talk, *lines)
    told = talk.hears(m.Tell(talk.caller(1), 3, (lines[0],)))
    assert told.receipt is m.Receipt.STORED
    assert talk.of(e.StoreMessages) == talk.of(e.Deliver) == []
    assert talk.one(e.Dropped).reason == "a message that was trimmed"


def test_a_log_that_is_read_back_with_its_floor_is_the_log_it_was() -> None:
    lines = chain(15)
    talk = talk_of()
    hear(talk, *lines)
    floor = [s for _, s in talk.log if isinstance(s, e.StoreMarks)][-1].floors[0]
    log = remembered(person(3), person(1), leader=1, messages=lines[floor.seq :])
    again = Group(setup(3), SMALL, talk.group._s.rng, replace(log, floors=(floor,)))
    assert again.history_hash == talk.group.history_hash
    assert again.pending == 0, "what lies below the floor is not waited for"


def test_rows_left_below_a_floor_by_a_crash_count_once() -> None:
    lines = chain(5)
    log = remembered(person(3), person(1), leader=1, messages=lines)
    plain = Group(setup(3), LAN, talk_of().group._s.rng, log)
    plain._s.history.trim(2, ())
    floors: tuple[Floor, ...] = plain._s.history.marks.floors_of((1,))
    again = Group(setup(3), LAN, talk_of().group._s.rng, replace(log, floors=floors))
    assert again.history_hash == plain.history_hash
    assert len(again._s.history) == 5
    assert again._s.history.trim(3, ()) == (lines[2].key,)
    assert again.history_hash == plain.history_hash


def test_what_we_alone_have_stays_until_somebody_else_has_it() -> None:
    talk = follower(3, 1, person(2, Life.DROPPED), timing=SMALL)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(1, Life.DROPPED),))))
    said = [talk.says(f"line {n}") for n in range(30)]
    talk.wait(100)
    assert all(talk.group._s.history.has(one.key) for one in said)
    talk.hold(m.Sync, m.Ping)
    talk.hears(m.Update(talk.caller(1), m.Roster((person(1, incarnation=102),))))
    talk.hears(m.Ping(talk.caller(1), talk.view(1, history_hash=talk.group.history_hash)))
    talk.wait(2_000)
    assert len(talk.group._s.history) == 10, "one of the two has them all"


def test_who_lacks_an_own_line_that_was_trimmed_never_acknowledges_it() -> None:
    own = line(3, 1, k=9, ms=1)
    post = Post(own.key, (1, 2), (1,), settled=True)
    told = [own, line(1, 1, after=(own,))]
    talk = returning(3, 1, 2, leader=1, messages=told, posts=[post], timing=SMALL)
    for request in (m.Sync, m.Ping, m.Update):
        talk.hold(request)
    talk.hand(Started(WALL))
    assert talk.group.lacking(2) == 1
    hear(talk, *(line(1, n) for n in range(2, 11)))
    assert not talk.group._s.history.has(own.key)
    assert talk.group.lacking(2) == 0
    view = talk.view(2, history_hash=talk.group.history_hash)
    talk.hears(m.Ping(talk.caller(2), view))
    assert talk.of(e.Acknowledged) == []
