"""The core alone: groups handed each other's messages in one loop, with nothing in between."""

from collections import deque
from random import Random

from node.core.conversation import ChatMessage
from node.core.effects import Ask, Call, Respond, Serve
from node.core.events import Answered, Event, Received, Started, Submitted
from node.core.group import Group
from node.core.messages import Caller, Claim, Granted, Lookup, Record, RecordRead, Tell
from node.core.timing import LAN
from node.core.types import Epoch, Hlc, IdBlock, Key, Stream, Way
from tests.core.cast import CHAT, EPOCH, WALL, person, record, remembered, setup

from .measure import Row, timed
from .talk import batches, conversation

TEXT = "the quick brown fox jumps over the lazy dog"
LINES = 3_000


class Circle:
    """Members 1 ... n and a registry.  Calls are answered at once; nobody is ever woken."""

    def __init__(self, members: int) -> None:
        self.record: Record = record(1, Epoch(1, 4))
        self.groups: dict[int, Group] = {}
        self.handled = 0
        self.now = 0
        self._calls = 0
        self._asked: dict[int, tuple[int, int]] = {}  # call in -> who called, call out
        self._events: deque[tuple[int, Event]] = deque()
        people = [person(member) for member in range(1, members + 1)]
        for mine in people:
            others = [other for other in people if other is not mine]
            log = remembered(mine, *others, leader=1, epoch=Epoch(1, 4))
            self.groups[mine.id] = Group(setup(mine.id, chat=CHAT), LAN, Random(mine.id), log)
        for member in self.groups:
            self.hand(member, Started(WALL))
        assert all(group.epoch == EPOCH for group in self.groups.values())

    def hand(self, member: int, event: Event) -> None:
        """Hand in an event and all that follows from it."""
        events, groups = self._events, self.groups
        events.append((member, event))
        while events:
            at, event = events.popleft()
            self.handled += 1
            for effect in groups[at].handle(self.now, event):
                match effect:
                    case Call(call, to, _, request, _):
                        self._calls += 1
                        self._asked[self._calls] = at, call
                        events.append((to, Received(self._calls, request)))
                    case Respond(call, reply) | Serve(call, reply, _):
                        caller, theirs = self._asked.pop(call)
                        events.append((caller, Answered(theirs, reply)))
                    case Ask(call, request, _):
                        events.append((at, Answered(call, self._decide(at, request))))

    def _decide(self, member: int, request: object) -> RecordRead | Granted:
        if isinstance(request, Claim):
            self.record = record(member, EPOCH)
            return Granted(self.record, IdBlock(50, 8), request.nonce)
        assert isinstance(request, Lookup), request
        return RecordRead(self.record)

    def talk(self, lines: int) -> int:
        """Each in turn writes a line, a millisecond apart.  Gives the events handed in."""
        before = self.handled
        for n in range(lines):
            self.now = n // 20  # No timer rings: only talk is measured.
            self.hand(1 + n % len(self.groups), Submitted(TEXT, f"{n:032x}", WALL + n))
        return self.handled - before


def _talking(members: int) -> tuple[int, float]:
    circle = Circle(members)
    done = timed(lambda: circle.talk(LINES))
    held = {len(group.queue()) for group in circle.groups.values()}
    assert held == {0}, "every line was acknowledged by all"
    hashes = {group.history_hash for group in circle.groups.values()}
    assert len(hashes) == 1, "and all logs are equal"
    return done


def _receiving() -> tuple[int, float]:
    """One group, and nothing but other members' lines."""
    circle = Circle(4)
    group = circle.groups[1]
    stream = Stream(WALL, 1)
    caller = Caller(CHAT, 2, WALL, EPOCH, 1)
    events = [
        Received(
            n,
            Tell(
                caller,
                1,
                (
                    ChatMessage(
                        Key(2, stream, n),
                        (f"{n:032x}",),
                        (TEXT,),
                        (),
                        Hlc(WALL + n, 0),
                        WALL + n,
                        EPOCH,
                    ),
                ),
            ),
        )
        for n in range(1, 5 * LINES)
    ]

    def receive() -> int:
        for event in events:
            group.handle(0, event)
        return len(events)

    return timed(receive)


def _taking() -> tuple[int, float]:
    """One group, and what many lines a turn cost it, with no call about any of them."""
    group = Circle(4).groups[1]
    talking, state = group._talking, group._s
    turns = list(batches(conversation(10 * LINES)))

    def take() -> int:
        for lines in turns:
            for line in lines:
                assert talking.take(line, Way.CATCH_UP) is None
            state.out = []
        return len(state.history)

    return timed(take)


ROWS = [
    Row("core: lines received by one", "events", _receiving),
    Row("core: 64 lines a turn taken", "lines", _taking),
    Row("core: 2 groups talking", "events", lambda: _talking(2)),
    Row("core: 4 groups talking", "events", lambda: _talking(4)),
]
