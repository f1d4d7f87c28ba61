"""Tries node/core/talking.py, node/core/composing.py, node/core/conversation.py and history:
messages of others in one call come to the same as one by one, own lines of a turn are one message.
"""

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core import composing
from node.core import effects as e
from node.core import messages as m
from node.core.conversation import ChatMessage, Kind
from node.core.events import Burst, Submitted
from node.core.types import Floor, Hlc, Key, Way

from .cast import WALL, line, stream
from .dialogue import Dialogue, follower, leading
from .laws import fixed

Call: TypeAlias = tuple[int, int, int]  # author, first number, how many
Marks: TypeAlias = tuple[int, int]  # a floor of one author, a hole of the other; 0 for none
Heard: TypeAlias = list[object]

LINES = 12  # of each author


def conversation(answers: list[tuple[int, int]]) -> dict[Key, ChatMessage]:
    """What two authors said; `answers` name the other's line that each of their lines had seen."""
    said: dict[Key, ChatMessage] = {}
    for n, (one, other) in enumerate(answers, 1):
        for author, seen in ((2, one), (4, other)):
            after = said.get(Key(6 - author, stream(), min(seen, n - 1)))
            message = line(author, n, after=(after,) if after else (), ms=1_000 + 10 * n + author)
            said[message.key] = message
    return said


def heard(
    said: dict[Key, ChatMessage], calls: list[Call], marks: Marks, *, one_by_one: bool
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


LIES = {
    "naming the next line": replace(line(2, 2), deps=(line(2, 3).key,)),
    "naming itself": replace(line(2, 2), deps=(line(2, 2).key,)),
    "earlier than the line before it": replace(line(2, 2), hlc=Hlc(500, 0)),
    "earlier than what it answers": line(2, 2, after=(line(4, ms=2_000),), ms=1_500),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("calls", [[(1, 4)], [(1, 1), (2, 3)], [(3, 2), (2, 1), (1, 1)]])
def test_a_line_that_lies_is_taken_in_the_order_of_its_stream(
    lie: str, calls: list[tuple[int, int]]
) -> None:
    said = {n: line(2, n) for n in (1, 2, 3, 4)} | {2: LIES[lie]}
    talk = follower(3, 1, 2, 4)
    talk.hears(m.Tell(talk.caller(4), 3, (line(4, ms=2_000),)))
    for first, count in calls:
        messages = tuple(said[n] for n in range(first, first + count))
        reply = talk.hears(m.Tell(talk.caller(2), 3, messages))
        assert reply == m.Told(m.Receipt.STORED, messages[-1].id, 3)
    assert sorted(talk.shown) == ["2.1", "2.2", "2.3", "2.4", "4.1"]
    assert talk.group.waiting == set()


def test_lines_of_one_call_that_do_not_ascend_keep_nobody_waiting_in_a_circle() -> None:
    talk = follower(3, 1, 2, 4)
    answer = line(4, after=(line(2, 2),), ms=1_050)
    lies = line(2, 1, after=(answer,), ms=1_100), line(2, 2, ms=1_000)
    talk.hears(m.Tell(talk.caller(2), 3, lies))
    talk.hears(m.Tell(talk.caller(4), 3, (answer,)))
    assert talk.group.waiting == set()
    assert talk.shown == ["2.2", "4.1", "2.1"]


def test_lines_that_go_on_are_stored_together() -> None:
    talk = follower(3, 1, 2, 4)
    talk.hears(m.Tell(talk.caller(2), 3, tuple(line(2, n) for n in (1, 2))))
    talk.hears(m.Tell(talk.caller(2), 3, tuple(line(2, n) for n in (3, 4, 5))))
    assert [message.key.seq for message in talk.one(e.StoreMessages).messages] == [3, 4, 5]
    assert talk.group._s.causal.heads == {line(2, 5).key}


# ---- our own -------------------------------------------------------------------------------------


def written(*ids: str, wall: int = WALL) -> tuple[Submitted, ...]:
    return tuple(Submitted(f"line {id}", id, wall + n) for n, id in enumerate(ids))


def shown(talk: Dialogue) -> list[tuple[str, str]]:
    """Ids and texts of all lines shown so far."""
    told = (s for _, s in talk.log if isinstance(s, e.Deliver))
    return [(line.id, line.text) for notice in told for line in notice.lines]


ids = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=6)


@fixed
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), ids), min_size=1, max_size=4),
    st.integers(-5, 5),
)
def test_own_lines_of_one_turn_come_to_the_same_as_one_by_one(
    turns: list[tuple[int, int, list[str]]], ahead: int
) -> None:
    """To people: between them others' lines come, so that the first of them names those."""

    def life(*, one_by_one: bool) -> Heard:
        talk, named = follower(3, 1, 2, 4), list[object]()
        have = {2: 0, 4: 0}
        for *fresh, names in turns:
            for author, count in zip((2, 4), fresh, strict=True):
                some = range(have[author] + 1, have[author] + count + 1)
                if told := tuple(line(author, n, ms=WALL + ahead + n) for n in some):
                    talk.hears(m.Tell(talk.caller(author), 3, told))
                have[author] += count
            lines = written(*names)
            for event in lines if one_by_one else (Burst(lines),):
                talk.hand(event)
                named += (
                    [
                        {dep.source for dep in message.deps} - {3}
                        for message in talk.one(e.StoreMessages).messages[:1]
                    ]
                    if talk.of(e.StoreMessages)
                    else []
                )
        heads = [(key.source, key.stream) for key in sorted(talk.group._s.causal.heads)]
        return [shown(talk), heads, talk.group.outbox_size, list(filter(None, named))]

    assert life(one_by_one=False) == life(one_by_one=True)


def test_lines_of_one_turn_are_one_message() -> None:
    talk = follower(3, 1, 2, 4)
    talk.hears(m.Tell(talk.caller(2), 3, (line(2),)))
    talk.hand(Burst(written("a", "b", "c")))
    (said,) = talk.one(e.StoreMessages).messages
    assert (said.ids, said.texts) == (("a", "b", "c"), ("line a", "line b", "line c"))
    assert (said.key.seq, said.deps, said.sent) == (1, (line(2).key,), WALL)
    assert len(said.salts) == 3 * 16
    assert len({said.salts[n : n + 16] for n in (0, 16, 32)}) == 3
    assert talk.one(e.Deliver) == e.Deliver(said, Way.DIRECT, late=False)
    assert talk.group.outbox_size == 3
    for member in (1, 2, 4):
        assert talk.call(m.Tell, member).request.messages == (said,)
    assert talk.hand(Submitted("again", "b", WALL)) == [e.Dropped("a line that was said before")], (
        "each of them was"
    )


def wrote(count: int = 1, text: str = "x", kind: Kind = Kind.TEXT, ms: int = 0) -> list[Submitted]:
    return [Submitted(text, "", WALL + ms, kind)] * count


@pytest.mark.parametrize(
    ("lines", "sizes"),
    [
        (wrote(64), [64]),
        (wrote(130), [64, 64, 2]),
        ([*wrote(2), *wrote(2, kind=Kind.ACTION), *wrote()], [2, 2, 1]),
        ([*wrote(2), *wrote(2, ms=1_000), *wrote(2, ms=1_001)], [4, 2]),
        ([*wrote(ms=1_001), *wrote()], [1, 1]),  # the clock was set back
        (wrote(5, "x" * 8_192), [2, 2, 1]),
        ([*wrote(1, "x" * 65_536), *wrote(2)], [1, 2]),
        ([*wrote(), *wrote(1, "x" * 65_536), *wrote()], [1, 1, 1]),
    ],
)
def test_so_many_lines_make_one_message(lines: list[Submitted], sizes: list[int]) -> None:
    talk = follower(3, 1)
    talk.hand(Burst(tuple(replace(one, id=f"{n}") for n, one in enumerate(lines))))
    said = talk.one(e.StoreMessages).messages
    assert [len(message.ids) for message in said] == sizes
    assert [id for message in said for id in message.ids] == [f"{n}" for n in range(len(lines))]
    assert [message.key.seq for message in said] == [n for n, _ in enumerate(sizes, 1)]
    assert [message.kind for message in said] == [
        lines[sum(sizes[:n])].kind for n in range(len(sizes))
    ]
    assert [one.hlc for one in said] == sorted({one.hlc for one in said}), "each is later"


def test_own_lines_that_leave_heads_unnamed_are_said_in_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(composing, "DEPS_MAX", 1)
    talk = follower(3, 1, 2, 4)
    for author in (2, 4):
        talk.hears(m.Tell(talk.caller(author), 3, (line(author, ms=WALL + author),)))
    talk.hand(Burst(written("a", "b", "c", "d", wall=WALL + 100)))
    said = [one.message for one in talk.of(e.Deliver)]
    assert [len(one.ids) for one in said] == [1, 3]
    assert [len(one.deps) for one in said] == [1, 1]


def test_own_lines_of_one_who_is_alone_are_settled() -> None:
    talk = leading(1)
    talk.hand(Burst(written("a", "b")))
    shown = [one.message.key for one in talk.of(e.Deliver)]
    assert [one.key for one in talk.of(e.Settled)] == shown
    assert talk.group.outbox_size == 0


def test_own_lines_of_one_who_has_left_are_dropped_each() -> None:
    talk = follower(3, 1, 2, 4)
    talk.group._s.leaving = True
    talk.hand(Burst(written("a", "b")))
    assert not talk.of(e.StoreMessages)
    assert len(talk.of(e.Dropped)) == 2
