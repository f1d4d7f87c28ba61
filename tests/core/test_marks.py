"""Tries node/core/marks.py: floors and holes, and that logs which exchange them end alike."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from node.core.conversation import ChatMessage
from node.core.history import History
from node.core.marks import Marks, outranks
from node.core.types import Floor, Key, Stream

from .cast import line, stream
from .laws import fixed

LOW, HIGH = Floor(1, stream(1), 4, 9), Floor(1, stream(2), 1, 9)


def test_the_higher_floor_stands_and_of_two_at_one_place_the_lower_sum() -> None:
    assert outranks(LOW, None)
    assert (outranks(HIGH, LOW), outranks(LOW, HIGH)) == (True, False)
    lower = LOW._replace(sum=8)
    assert (outranks(lower, LOW), outranks(LOW, lower), outranks(LOW, LOW)) == (True, False, False)


def test_a_floor_covers_earlier_streams_as_a_whole_and_its_own_up_to_its_number() -> None:
    marks = Marks()
    marks.floors[1] = Floor(1, stream(2), 3, 0)
    assert [marks.covers(Key(1, stream(k), 3)) for k in (1, 2, 3)] == [True, True, False]
    assert not marks.covers(Key(1, stream(2), 4))
    assert not marks.covers(Key(2, stream(1), 1))
    assert marks.floors_of((1, 2)) == (marks.floors[1],)


class Log:
    """A log as a node keeps it, without the node."""

    def __init__(self) -> None:
        self.history = History()
        self.messages: dict[Key, ChatMessage] = {}

    def take(self, message: ChatMessage) -> None:
        if message.key not in self.history:
            self.history.add(message)
            self.messages[message.key] = message

    def trim(self, count: int) -> None:
        before = self.history.hash
        self.history.trim(count, ())
        assert self.history.hash == before, "trimming changes no hash"
        self.messages = {k: m for k, m in self.messages.items() if self.history.has(k)}

    def exchange(self, other: "Log", *, jump: bool) -> None:
        """Take what the other has of the authors that differ; `jump`: all have been asked."""
        mine, theirs = self.history, other.history
        sources = theirs.differing(mine.digests())
        floors = mine.marks.floors_of(sources)
        for key in theirs.lacking(
            sources, mine.held(sources), newest_first=True, bytes_max=2**30, floors=floors
        )[0]:
            self.take(other.messages[key])
        for hole in theirs.marks.holes_of(sources):
            mine.open_hole(hole)
        for floor in theirs.marks.floors_of(sources) if jump else ():
            if mine.outranked(floor):
                mine.adopt(floor)

    def check(self) -> None:
        """The hashes are those of the marks and of what lies above them."""
        mine = self.history
        digests = dict[int, int]()
        for source in {*(k.source for k in self.messages), *mine.marks.floors, *mine.marks.holes}:
            again = History(mine.marks.floors_of((source,)), mine.marks.holes_of((source,)))
            for message in self.messages.values():
                if message.key.source == source:
                    again.add(message)
            digests |= again.digests()
        assert dict(mine.digests()) == digests


@st.composite
def writings(draw: st.DrawFn) -> list[ChatMessage]:
    """Lines of three authors in streams that may overlap in time, as after restored backups."""
    count: dict[tuple[int, int], int] = {}
    said = []
    for at in range(draw(st.integers(1, 30))):
        author, k = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        count[author, k] = count.get((author, k), 0) + 1
        said.append(line(author, count[author, k], ms=at + 1, k=k))
    return said


@fixed
@given(writings(), st.integers(2, 5), st.randoms(use_true_random=False))
def test_logs_that_lose_trim_and_exchange_in_any_order_end_alike(
    said: list[ChatMessage], nodes: int, rng: Random
) -> None:
    logs = [Log() for _ in range(nodes)]
    for message in said:
        for log in logs:
            if rng.random() < 0.6:
                log.take(message)
        if rng.random() < 0.3:
            rng.choice(logs).trim(rng.randint(1, 4))
        if rng.random() < 0.3:
            one, other = rng.sample(logs, 2)
            one.exchange(other, jump=rng.random() < 0.5)
        if rng.random() < 0.1:
            rng.choice(logs).history.open_hole(rng.choice(said).key)
    for _ in range(3):  # All ask all: marks settle in one round, what lies above them in the next.
        for one in rng.sample(logs, nodes):
            for other in rng.sample(logs, nodes):
                one.exchange(other, jump=True)
    for log in logs:
        log.check()
    assert len({log.history.hash for log in logs}) == 1
    assert len({log.history.digests() for log in logs}) == 1
    tops = {
        s: max(f.at for log in logs for f in log.history.marks.floors_of((s,)))
        for s in range(1, 4)
        if any(log.history.marks.floors_of((s,)) for log in logs)
    }
    above = [
        {k for k in log.messages if (k.stream, k.seq) > tops.get(k.source, (Stream(0, 0), 0))}
        for log in logs
    ]
    assert all(keys == above[0] for keys in above), "the same above the higher of their floors"
