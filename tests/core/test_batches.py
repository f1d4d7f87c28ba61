"""Tries node/core/talking.py, composing.py and history.py: several lines at once come to the same
as one by one, others' in one call and our own in one turn.
"""

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core import composing
from node.core import effects as e
from node.core import messages as m
from node.core.events import Burst, Submitted
from node.core.types import Floor, Hlc, Key

from .cast import WALL, line, stream
from .dialogue import Dialogue, follower, leading
from .laws import fixed

Call: TypeAlias = tuple[int, int, int]  # author, first number, how many
Marks: TypeAlias = tuple[int, int]  # a floor of one author, a hole of the other; 0 for none
Heard: TypeAlias = list[object]

LINES = 12  # of each author


def conversation(answers: list[tuple[int, int]]) -> dict[Key, m.ChatMessage]:
    """What two authors said; `answers` name the other's line that each of their lines had seen."""
    said: dict[Key, m.ChatMessage] = {}
    for n, (one, other) in enumerate(answers, 1):
        for author, seen in ((2, one), (4, other)):
            after = said.get(Key(6 - author, stream(), min(seen, n - 1)))
            message = line(author, n, after=(after,) if after else (), ms=1_000 + 10 * n + author)
            said[message.key] = message
    return said


def heard(
    said: dict[Key, m.ChatMessage], calls: list[Call], marks: Marks, *, one_by_one: bool
) -> Heard:
    """All that a group stores, shows, answers and then holds."""
    talk = follower(3, 1, 2, 4)
    state = talk.group._s
    floor, hole = marks
    if floor:
        state.history.adopt(Floor(2, stream(), floor, 77))
    if hole:
        state.history.open_hole(Key(4, stream(), hole))
    if one_by_one:
        talk.group._talking._take_run = lambda *_: False  # type: ignore[method-assign]
    found: Heard = []
    for author, first, count in calls:
        keys = [Key(author, stream(), seq) for seq in range(first, first + count)]
        if messages := tuple(said[key] for key in keys if key in said):
            found.append(talk.hears(m.Tell(talk.caller(author), 3, messages)))
            found += noticed(talk)
    found += [state.history.hash, state.history.size, state.history.digests(), state.causal.heads]
    return [*found, state.history.held((2, 4)), state.latest_place, state.causal.pending]


def noticed(talk: Dialogue) -> Heard:
    """What was stored and shown, whatever the order, which is to be a causal one."""
    stored = [message for effect in talk.of(e.StoreMessages) for message in effect.messages]
    shown = [effect.message for effect in talk.of(e.Deliver)]
    for n, message in enumerate(shown):
        assert not {later.key for later in shown[n:]}.intersection(message.predecessors)
    told = [effect for effect in talk.said if isinstance(effect, e.Dropped | e.HolesFilled)]
    return [*stored, sorted(message.key for message in shown), *told]


calls = st.tuples(st.sampled_from((2, 4)), st.integers(1, LINES), st.integers(1, 6))
seen = st.integers(0, LINES)
marks = st.tuples(st.integers(0, 5), st.integers(0, 5))


@fixed
@given(
    st.lists(st.tuples(seen, seen), min_size=LINES, max_size=LINES),
    st.lists(calls, max_size=12),
    marks,
)
def test_lines_of_one_call_come_to_the_same_as_one_by_one(
    answers: list[tuple[int, int]], calls: list[Call], marks: Marks
) -> None:
    said = conversation(answers)
    order = [(author, n, 3) for n in range(1, LINES, 3) for author in (2, 4)]
    for sent in (calls, order, calls + order):
        assert heard(said, sent, marks, one_by_one=False) == heard(
            said, sent, marks, one_by_one=True
        )


@pytest.mark.parametrize("marks", [(3, 0), (0, 2), (3, 2)])
def test_lines_with_marks_among_them_come_to_the_same_as_one_by_one(marks: Marks) -> None:
    said = conversation([(0, 0)] * LINES)
    calls = [(2, 1, 6), (4, 1, 6), (2, 7, 4)]
    together = heard(said, calls, marks, one_by_one=False)
    assert together == heard(said, calls, marks, one_by_one=True)


def test_a_line_that_is_not_later_than_what_it_answers_ends_what_is_taken() -> None:
    talk = follower(3, 1, 2, 4)
    other = line(4, ms=2_000)
    talk.hears(m.Tell(talk.caller(4), 3, (other,)))
    wrong = line(2, 2, after=(other,), ms=1_500)
    reply = talk.hears(m.Tell(talk.caller(2), 3, (line(2, 1), wrong)))
    assert reply == m.Told(m.Receipt.STORED, line(2, 1).id, 3)


def test_a_line_that_names_a_later_one_of_its_own_stream_waits_however_it_comes() -> None:
    said = {line(2, n).key: line(2, n) for n in (1, 2, 3, 4)}
    odd = replace(line(2, 2), deps=(line(2, 3).key,))
    said[odd.key] = odd
    together = heard(said, [(2, 1, 4)], (0, 0), one_by_one=False)
    assert together == heard(said, [(2, 1, 4)], (0, 0), one_by_one=True)


def test_lines_that_go_on_are_stored_together() -> None:
    talk = follower(3, 1, 2, 4)
    talk.hears(m.Tell(talk.caller(2), 3, tuple(line(2, n) for n in (1, 2))))
    talk.hears(m.Tell(talk.caller(2), 3, tuple(line(2, n) for n in (3, 4, 5))))
    assert [message.key.seq for message in talk.one(e.StoreMessages).messages] == [3, 4, 5]
    assert talk.group._s.causal.heads == {line(2, 5).key}


def test_a_line_that_is_not_later_ends_what_is_taken_of_its_call() -> None:
    talk = follower(3, 1, 2, 4)
    wrong = replace(line(2, 2), hlc=Hlc(500, 0))
    reply = talk.hears(m.Tell(talk.caller(2), 3, (line(2, 1), wrong, line(2, 3))))
    assert reply == m.Told(m.Receipt.STORED, line(2, 1).id, 3)
    assert [effect.message for effect in talk.of(e.Deliver)] == [line(2, 1)]


# ---- our own -------------------------------------------------------------------------------------


def written(*ids: str, wall: int = WALL) -> tuple[Submitted, ...]:
    return tuple(Submitted(f"line {id}", id, wall + n) for n, id in enumerate(ids))


def said(talk: Dialogue, lines: tuple[Submitted, ...], *, one_by_one: bool) -> Heard:
    """All that a group stores and shows of its own lines, and what it then holds."""
    found: Heard = []
    for event in lines if one_by_one else (Burst(lines),):
        talk.hand(event)
        found.append(list(talk.said))
    effects = [effect for step in found for effect in step]  # type: ignore[attr-defined]
    stored = [m for one in effects if isinstance(one, e.StoreMessages) for m in one.messages]
    kept = (e.StorePost, e.Deliver, e.Settled, e.Dropped)
    s = talk.group._s
    held = s.history.hash, s.history.size, s.history.digests(), s.history.held((3,))
    after = s.causal.heads, s.last_own, s.latest_place, s.stream_seq, s.talked_at, s.wall_ahead
    waiting = [(row.message, row.rows) for row in talk.group.queue()]
    shown = [[one for one in effects if isinstance(one, kind)] for kind in kept]
    return [stored, *shown, *held, *after, [key for key, _ in waiting]]


ids = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=6)


@fixed
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), ids), min_size=1, max_size=4),
    st.integers(-5, 5),
)
def test_own_lines_of_one_turn_come_to_the_same_as_one_by_one(
    turns: list[tuple[int, int, list[str]]], ahead: int
) -> None:
    """Between them others' lines come, so that the first of them names those."""

    def life(*, one_by_one: bool) -> Heard:
        talk, found = follower(3, 1, 2, 4), list[object]()
        have = {2: 0, 4: 0}
        for *fresh, names in turns:
            for author, count in zip((2, 4), fresh, strict=True):
                some = range(have[author] + 1, have[author] + count + 1)
                if told := tuple(line(author, n, ms=WALL + ahead + n) for n in some):
                    talk.hears(m.Tell(talk.caller(author), 3, told))
                have[author] += count
            found += said(talk, written(*names), one_by_one=one_by_one)
        return found

    assert life(one_by_one=False) == life(one_by_one=True)


def test_own_lines_that_leave_heads_unnamed_are_said_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(composing, "DEPS_MAX", 1)

    def life(*, one_by_one: bool) -> Heard:
        talk = follower(3, 1, 2, 4)
        for author in (2, 4):
            talk.hears(m.Tell(talk.caller(author), 3, (line(author, ms=WALL + author),)))
        return said(talk, written("a", "b", "c", "d", wall=WALL + 100), one_by_one=one_by_one)

    together = life(one_by_one=False)
    assert together == life(one_by_one=True)
    stored = together[0]
    assert [len(one.deps) for one in stored] == [1, 1, 0, 0]  # type: ignore[attr-defined]


def test_own_lines_go_out_together() -> None:
    talk = follower(3, 1, 2, 4)
    talk.hand(Burst(written("a", "b", "c")))
    for member in (1, 2, 4):
        told = talk.call(m.Tell, member).request
        assert [message.id for message in told.messages] == ["a", "b", "c"]


def test_own_lines_of_one_who_is_alone_are_settled_each() -> None:
    talk = leading(1)
    talk.hand(Burst(written("a", "b")))
    shown = [one.message.key for one in talk.of(e.Deliver)]
    assert [one.key for one in talk.of(e.Settled)] == shown
    assert len(shown) == 2


def test_own_lines_of_one_who_has_left_are_dropped_each() -> None:
    talk = follower(3, 1, 2, 4)
    talk.group._s.leaving = True
    talk.hand(Burst(written("a", "b")))
    assert not talk.of(e.StoreMessages)
    assert len(talk.of(e.Dropped)) == 2
