"""Passing on what authors ask us to, in a large group, and telling them who has it.

Each member has a road of its own.  Of each stream one call is under way; what comes meanwhile goes
with the next.  Nothing is tried again: an author who hears nothing tells the member itself.
"""

from collections import deque
from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct, field

from .alarms import Alarm
from .calls import Outcome, Outstanding, Then
from .conversation import ChatMessage
from .messages import Acks, Receipt, Tell, Told
from .state import State
from .types import Key, MemberId, Millis, Stored, Stream

WAITING_MAX = 2**21  # characters for one member, beside `MESSAGE` for each message
MESSAGE = 256
RUN_MAX = 1_024  # messages of a run ...
RUNS_MAX = 64  # ... and runs that are told in one call

Name: TypeAlias = tuple[MemberId, Stream]


class Road(Struct):
    """What one member is still to be passed on."""

    queues: dict[Name, deque[ChatMessage]] = field(default_factory=dict)
    flying: set[Name] = field(default_factory=set)  # of which a call is under way
    waiting: int = 0  # characters
    closed_until: Millis = 0  # it did not answer


class News(Struct):
    """What one author has not been told yet."""

    calls: int = 0  # under way, with messages of its
    stored: dict[Stream, list[Stored]] = field(default_factory=dict)


class Passing:
    def __init__(self, s: State) -> None:
        self._s = s
        self._roads: dict[MemberId, Road] = {}
        self._news: dict[MemberId, News] = {}

    def pass_on(self, messages: tuple[ChatMessage, ...], to: tuple[MemberId, ...]) -> None:
        """Tell these members, too, and their author then who has stored them."""
        s = self._s
        name = messages[0].key[:2]
        weight = sum(message.chars + MESSAGE for message in messages)
        for member in to:
            if member in (s.me, name[0]) or not s.members.is_active(member):
                continue
            road = self._roads.setdefault(member, Road())
            if road.closed_until > s.now or road.waiting + weight > WAITING_MAX:
                continue
            road.queues.setdefault(name, deque()).extend(messages)
            road.waiting += weight
            self._send(member, road)

    def erase(self, key: Key, at: int) -> None:
        """This line is erased: its text is passed on no longer."""
        for road in self._roads.values():
            queue = road.queues.get(key[:2], ())
            for n, message in enumerate(queue):
                if message.key == key and isinstance(queue, deque):
                    queue[n] = message.without((at,))
                    road.waiting += queue[n].chars - message.chars

    def forget(self, member: MemberId) -> None:
        """It is dropped or gone: nothing is passed on to it, nor told about what it said."""
        self._roads.pop(member, None)
        self._news.pop(member, None)
        self._s.alarms.cancel(Alarm.ACKS, member)

    def on_acks(self, author: MemberId) -> None:
        """Tell the author what there is to tell."""
        s, news = self._s, self._news.get(author)
        if news is None:
            return
        stored, news.stored = news.stored, {}
        if not news.calls:
            del self._news[author]
        s.alarms.cancel(Alarm.ACKS, author)
        for stream, runs in stored.items():
            for at in range(0, len(runs), RUNS_MAX):
                acks = Acks(s.caller(author), author, stream, tuple(runs[at : at + RUNS_MAX]))
                s.call(author, acks, s.timing.ack_ms, _nothing)

    # ---- sending -------------------------------------------------------------------------------

    def _send(self, member: MemberId, road: Road) -> None:
        s = self._s
        for name in [name for name in road.queues if name not in road.flying]:
            messages = tuple(self._take(road, name))
            road.flying.add(name)
            news = self._news.setdefault(name[0], News())
            news.calls += 1
            request = Tell(s.caller(member), member, messages)
            ended, late = self._ended(road, news, messages), self._late(messages)
            s.call(member, request, s.outbox.deadline_ms(member), ended, late=late)

    def _take(self, road: Road, name: Name) -> Iterator[ChatMessage]:
        """The next consecutive messages of this stream."""
        queue, timing = road.queues[name], self._s.timing
        room, lines, last = timing.flight_chars, 0, queue[0].key.seq - 1
        while queue:
            message, before = queue[0], lines
            room, lines = room - message.chars, lines + len(message.ids)
            full = room < 0 or lines > timing.batch_max
            if before and (full or message.key.seq != last + 1):
                break
            queue.popleft()
            road.waiting -= message.chars + MESSAGE
            last = message.key.seq
            yield message
        if not queue:
            del road.queues[name]

    def _ended(self, road: Road, news: News, messages: tuple[ChatMessage, ...]) -> Then:
        """What follows from the end of a call with these."""
        s = self._s
        author, stream, first = messages[0].key

        def ended(call: Outstanding, outcome: Outcome) -> None:
            count = _stored(messages, outcome)
            news.calls -= 1
            if count:
                run = Stored(call.to, first, first + count - 1)
                _note(news.stored.setdefault(stream, []), run)
            road.flying.discard((author, stream))
            if count == len(messages):
                self._send(call.to, road)
            else:
                road.queues.clear()
                road.waiting, road.closed_until = 0, s.now + s.timing.retry_max_ms
            if self._news.get(author) is not news:
                return
            if not news.calls:
                self.on_acks(author)
            elif news.stored:
                s.alarms.set_earlier(Alarm.ACKS, s.now + s.timing.acks_ms, author)

        return ended

    def _late(self, messages: tuple[ChatMessage, ...]) -> Then:
        """What follows from an answer that was given up: its news is as welcome."""
        s = self._s
        author, stream, first = messages[0].key

        def late(call: Outstanding, outcome: Outcome) -> None:
            count = _stored(messages, outcome)
            if count and s.members.is_active(author):
                news = self._news.setdefault(author, News())
                _note(news.stored.setdefault(stream, []), Stored(call.to, first, first + count - 1))
                s.alarms.set_earlier(Alarm.ACKS, s.now + s.timing.acks_ms, author)

        return late


def _stored(messages: tuple[ChatMessage, ...], outcome: Outcome) -> int:
    """How many of them, the first ones, the member has stored."""
    if not isinstance(outcome, Told) or outcome.receipt is not Receipt.STORED:
        return 0
    return next((n for n, message in enumerate(messages, 1) if message.id == outcome.id), 0)


def _note(runs: list[Stored], new: Stored) -> None:
    """Add a run, to the one before it where it goes on with that."""
    for at, (member, first, last) in enumerate(runs):
        if member == new.member and last + 1 == new.first and new.last - first < RUN_MAX:
            runs[at] = Stored(member, first, new.last)
            return
    runs.append(new)


def _nothing(_: Outstanding, __: Outcome) -> None:
    """What is not heard of is not acknowledged: the author tells that member itself."""
