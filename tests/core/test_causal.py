"""Tries node/core/causal.py."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.core.causal import Causal
from node.core.conversation import ChatMessage
from node.core.types import Key

from .cast import line
from .laws import conversations, fixed


class Log:
    """A log and the causal order over it."""

    def __init__(self) -> None:
        self.held: set[Key] = set()
        self.causal = Causal(self.held)

    def take(self, *messages: ChatMessage) -> list[str]:
        """Texts of what is shown, in order."""
        shown = []
        for message in messages:
            self.held.add(message.key)
            shown += self.causal.accept(message)
        return [message.texts[0] for message in shown]


A1, A2, A3 = line(1, 1), line(1, 2), line(1, 3)
B1 = line(2, 1, after=(A1,), ms=2_000)
C1 = line(3, 1, after=(B1, A2), ms=3_000)


def test_nothing_waits_for_what_waits_itself_and_is_not_earlier() -> None:
    itself = line(1, 1, after=(A1,))
    assert Log().take(itself) == ["1.1"]
    circle = line(1, 1, after=(B1,))
    assert Log().take(circle, B1) == ["1.1", "2.1"]
    assert Log().take(B1, circle) == ["1.1", "2.1"]


def test_what_waits_for_others_only_in_a_circle_waits_for_nobody_else() -> None:
    log, lost, other = Log(), line(3, 1), line(3, 2)
    answer = line(2, 1, after=(A1, other), ms=2_000)
    log.take(answer, line(1, 1, after=(answer, lost)))
    assert log.causal.waits_only_for([A1.key], lambda key: key == lost.key)
    assert not log.causal.waits_only_for([answer.key], lambda key: key == lost.key)


def test_a_run_that_is_no_run_any_more_waits_one_by_one() -> None:
    log, missing = Log(), line(3, 1)
    log.held |= {A1.key, A2.key}
    assert log.causal.accept(line(1, 1, after=(missing,)), A2) == []
    other = line(1, 1, after=(A2,), ms=2_000)
    assert [m.texts[0] for m in log.causal.replace(other)] == ["1.2", "1.1"]
    assert log.causal.pending == {}


keys = st.builds(lambda source, seq: line(source, seq).key, st.integers(1, 3), st.integers(1, 3))
lies = st.builds(
    lambda key, deps, ms: replace(line(key.source, key.seq, ms=ms), deps=tuple(sorted(deps))),
    keys,
    st.frozensets(keys, max_size=3),
    st.integers(1, 5),
)


@fixed
@given(st.lists(lies, max_size=20), st.randoms(use_true_random=False))
def test_whatever_authors_say_nothing_waits_once_all_is_there(
    said: list[ChatMessage], rng: Random
) -> None:
    whole = [line(source, seq) for source in (1, 2, 3) for seq in (1, 2, 3)]
    rng.shuffle(whole)
    log, shown = Log(), list[Key]()
    for message in (*said, *whole):
        if message.key not in log.held:
            log.held.add(message.key)
            free = log.causal.accept(message)
        elif (old := log.causal.pending.get(message.key)) and message.hlc < old.hlc:
            free = log.causal.replace(message)
        else:
            continue
        shown += [one.key for one in free]
    assert log.causal.pending == {}
    assert log.causal._waiting == {}
    assert sorted(shown) == sorted(log.held)


def test_a_message_is_shown_at_once_when_nothing_is_missing() -> None:
    assert Log().take(A1, A2, B1, C1) == ["1.1", "1.2", "2.1", "3.1"]


def test_reply_is_never_shown_before_what_it_answers() -> None:
    log = Log()
    assert log.take(B1) == []
    assert log.take(A1) == ["1.1", "2.1"]


def test_a_later_line_of_an_author_waits_for_the_earlier_one() -> None:
    log = Log()
    assert log.take(A3, A2) == []
    assert log.take(A1) == ["1.1", "1.2", "1.3"]


def test_what_waits_for_two_is_shown_after_both() -> None:
    log = Log()
    assert log.take(C1, A1, B1) == ["1.1", "2.1"]
    assert log.take(A2) == ["1.2", "3.1"]


def test_held_but_pending_predecessors_do_not_count_as_delivered() -> None:
    log = Log()
    log.take(B1)
    assert not log.causal.delivered(B1.key)
    assert log.causal.first_missing(C1) in {B1.key, A2.key}


def test_heads_are_what_nobody_delivered_has_named() -> None:
    log = Log()
    log.take(A1)
    assert log.causal.heads == {A1.key}
    log.take(A2)
    assert log.causal.heads == {A2.key}
    log.take(line(2, 1, after=(A1,)))
    assert log.causal.heads == {A2.key, B1.key}
    log.take(C1)
    assert log.causal.heads == {C1.key}


def test_the_load_of_an_author_is_what_waits() -> None:
    log = Log()
    log.take(A3, A2, line(2, 2))
    assert log.causal.load(1) == (2, 6)
    assert log.causal.load(2) == (1, 3)
    log.take(A1)
    assert log.causal.load(1) == (0, 0)


def test_what_lies_below_a_cut_counts_as_delivered() -> None:
    log = Log()
    log.take(B1, line(4, 2))
    assert [m.texts[0] for m in log.causal.assume([A1.key])] == ["2.1"]
    assert log.causal.below == {A1.key}


def test_a_message_from_below_the_cut_is_shown_when_it_comes_and_is_no_head() -> None:
    log = Log()
    log.causal.assume([A1.key])
    assert log.take(B1) == ["2.1"]
    assert log.take(A1) == ["1.1"]
    assert log.causal.below == set()
    assert log.causal.heads == {B1.key}


def test_only_what_is_not_held_can_lie_below_a_cut() -> None:
    log = Log()
    log.take(A1)
    assert log.causal.assume([A1.key]) == []
    assert log.causal.below == set()


def test_a_long_chain_is_set_free_without_recursion() -> None:
    log = Log()
    log.take(*(line(1, seq) for seq in range(5_000, 1, -1)))
    assert len(log.take(A1)) == 5_000
    assert log.causal.pending == {}


@fixed
@given(conversations(), st.randoms(use_true_random=False))
def test_whatever_order_they_come_in_all_are_shown_once_and_causally(said: list, rng) -> None:  # type: ignore[no-untyped-def,type-arg]
    arriving = list(said)
    rng.shuffle(arriving)
    log = Log()
    shown: list[Key] = []
    for message in arriving:
        log.held.add(message.key)
        for free in log.causal.accept(message):
            before = [*free.deps, *([free.key.before] if free.key.before else [])]
            assert set(before) <= set(shown), f"{free.key} was shown before a predecessor"
            shown.append(free.key)
    assert sorted(shown) == sorted(message.key for message in said)
    in_order = Log()
    in_order.take(*said)
    assert log.causal.heads == in_order.causal.heads


def test_what_is_missing_is_what_pending_lines_follow_and_nobody_brought() -> None:
    log = Log()
    log.take(C1, A3)
    assert log.causal.missing() == {B1.key, A2.key}
    log.take(B1)
    assert log.causal.missing() == {A1.key, A2.key}, "what waits itself is not missing"
    log.causal.assume([A1.key])
    assert log.causal.missing() == {A2.key}


def test_what_counts_as_held_from_now_on_frees_those_that_waited_for_it() -> None:
    log = Log()
    log.take(B1, C1)
    log.held |= {A1.key, A2.key}  # A floor has risen.
    assert [message.texts[0] for message in log.causal.release()] == ["2.1", "3.1"]
    assert log.causal.pending == {}
    assert log.causal.heads == {C1.key}


def test_what_lies_below_a_floor_is_not_still_to_come() -> None:
    log = Log()
    log.take(B1)
    log.causal.assume([A1.key, A2.key])
    log.held.add(A1.key)
    log.causal.release()
    assert log.causal.below == {A2.key}


def test_a_lost_line_that_comes_before_any_that_follows_it_is_a_head() -> None:
    log = Log()
    log.causal.assume([A1.key])
    assert log.take(A1) == ["1.1"]
    assert log.causal.heads == {A1.key}
    log.take(B1)
    assert log.causal.heads == {B1.key}
    other = Log()
    other.causal.assume([A1.key])
    other.take(B1, A1)
    assert other.causal.heads == {B1.key}


def test_what_comes_together_below_a_cut_is_no_head_and_nothing_is_kept_of_it() -> None:
    log = Log()
    log.causal.assume([A1.key, A2.key])
    log.take(line(2, 1, after=(A1,), ms=2_000), line(3, 1, after=(A2,), ms=3_000))
    heads = set(log.causal.heads)
    log.held |= {A1.key, A2.key}
    assert log.causal.accept(A1, A2) == [A1, A2]
    assert log.causal.heads == heads
    assert (log.causal.below, log.causal._named) == (set(), set())


def test_of_lines_that_come_together_those_wait_that_lack_something() -> None:
    log = Log()
    late = line(1, 2, after=(line(4),))
    log.held |= {A1.key, late.key, A3.key}
    assert log.causal.accept(A1, late, A3) == [A1]
    assert log.causal.load(1)[0] == 2
    assert log.take(line(4)) == ["4.1", "1.2", "1.3"]
    assert log.causal.pending == {}
