"""Our own messages until everyone who counts has stored them; each member has a lane of its own.

    queued --- room in the lane ---> flying --- STORED ---> acked
      ^  ^                             |
      |  +---- no answer: back off ----+          a dropped member's lane is closed: it catches up
      |
    to be passed on by another: that one has no news of it in time, or was not to be told itself

A line that waits for nobody is settled.  Those that were dropped, before or meanwhile, lack it
until their log is seen to hold it; who was dropped before is not counted.

A slow or frozen member costs its own lane and nothing else.
"""

from collections import deque
from collections.abc import Container, Iterable, Mapping

from msgspec import Struct, field

from .conversation import ChatMessage
from .timing import Timing
from .types import Key, MemberId, Millis, Post, Way

REMEMBERED = 500  # settled messages that can still be traced
WINDOW_MIN = 32  # lines under way to one member that are never too many
WINDOW_STEP = 4  # more of them after a quick answer


class Delivery(Struct, gc=False):
    """One member's part in the way of one message."""

    way: Way | None = None  # None: not acknowledged
    took_ms: Millis = 0
    tries: int = 0
    status: str = ""  # of the last failure
    counted: bool = True  # False: it was dropped when the message was said


class Entry(Struct, gc=False):
    """An own message and who is to have it.  Its delivery to a member ends when `way` is set."""

    message: ChatMessage
    stored_at: Millis
    to: dict[MemberId, Delivery]
    counted: tuple[MemberId, ...]  # ascending
    waits_for: set[MemberId] = field(default_factory=set)
    acks: int = 0
    through: dict[MemberId, tuple[MemberId, ...]] = field(default_factory=dict)  # who tells whom
    chosen: Mapping[MemberId, tuple[MemberId, ...]] = field(default_factory=dict)  # ... at first

    @property
    def acked(self) -> tuple[MemberId, ...]:
        if len(self.waits_for) == len(self.to):  # As when it was said just now.
            return ()
        return tuple(sorted(m for m, delivery in self.to.items() if delivery.way is not None))

    @property
    def is_everywhere(self) -> bool:
        """Has everyone who is to have it acknowledged it?"""
        return self.acks == len(self.to)

    @property
    def lacking(self) -> tuple[MemberId, ...]:
        if self.is_everywhere:
            return ()
        return tuple(sorted(m for m, delivery in self.to.items() if delivery.way is None))

    @property
    def missing(self) -> tuple[MemberId, ...]:
        """Of those that count."""
        return tuple(m for m in self.lacking if self.to[m].counted)

    @property
    def post(self) -> Post:
        if self.is_everywhere:
            return Post(self.message.key, self.counted, self.counted, not self.waits_for)
        away: tuple[MemberId, ...] = ()
        if len(self.to) > len(self.counted):
            away = tuple(sorted(m for m, delivery in self.to.items() if not delivery.counted))
        return Post(self.message.key, self.counted, self.acked, not self.waits_for, away)


class Lane(Struct):
    """What one member is still to get."""

    queue: deque[Key] = field(default_factory=deque)
    flying: dict[Key, int] = field(default_factory=dict)  # with how many lines each ...
    lines: int = 0  # ... and all of them together
    flights: int = 0  # calls under way; each carries as many as had come together
    blocked: bool = False  # backing off until its alarm rings
    backoff_ms: Millis = 0  # 0: healthy
    silent: bool = False  # it backs off since nobody answered, not since it was refused
    relay_until: Millis = 0  # the direct way is broken: by relay until then
    look_from: Millis = 0  # before then nobody looks whether it is broken, or was only busy
    direct_until: Millis = 0  # nobody is asked to pass on to it until then: that came to nothing
    srtt_ms: float = 0.0
    window: int = WINDOW_MIN  # lines that may be under way

    def fly(self, message: ChatMessage) -> None:
        self.flying[message.key] = count = len(message.ids)
        self.lines += count

    def land(self, key: Key) -> bool:
        """It is under way no longer.  False: it was not."""
        count = self.flying.pop(key, 0)
        self.lines -= count
        return bool(count)

    def answered(self, took_ms: Millis, timing: Timing) -> None:
        """Let more be under way while answers are quick, less when they have to wait: additive
        increase, multiplicative decrease (Chiu and Jain 1989), by delay as nothing is lost.
        """
        self.srtt_ms = took_ms if not self.srtt_ms else 0.875 * self.srtt_ms + 0.125 * took_ms
        if took_ms <= timing.quick_ms:
            if self.queue:
                self.window = min(timing.flight_max * timing.batch_max, self.window + WINDOW_STEP)
        else:
            self.shrink()

    def is_slow(self, timing: Timing) -> bool:
        """Do answers take so long that lines come together meanwhile?"""
        return self.srtt_ms > timing.quick_ms / 4

    def shrink(self) -> None:
        self.window = max(WINDOW_MIN, self.window - self.window // 4)


class Outbox:
    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self.entries: dict[Key, Entry] = {}  # unsettled, oldest first
        self.lines = 0  # of all those
        self.settled: dict[Key, Entry] = {}  # the last ones, for tracing
        self.lanes: dict[MemberId, Lane] = {}
        self._recalled: dict[Key, Entry] = {}  # settled in an earlier life, and lacking somewhere
        self._lacking: dict[MemberId, dict[Key, int]] = {}  # of what is settled, oldest first
        self._alone: dict[Key, Entry] = {}  # of that: what nobody else was seen to have
        self._passed: deque[tuple[Millis, Key, tuple[MemberId, ...]]] = deque()  # when news is due
        self._spread_ms = 0.0  # smoothed: how long what is passed on takes to be acknowledged

    def post(
        self,
        now: Millis,
        message: ChatMessage,
        counted: Iterable[MemberId],
        away: Iterable[MemberId] = (),
        through: Mapping[MemberId, tuple[MemberId, ...]] | None = None,
    ) -> Entry:
        """Take in a message for these members.  With nobody to wait for, it is settled at once.

        `through`: who is to pass it on, and to whom; those need not be told themselves.
        """
        to = {member: Delivery() for member in counted}
        entry = Entry(message, now, to, tuple(sorted(to)), set(to))
        if through:
            entry.through.update(through)
            entry.chosen = through
        self.entries[message.key] = entry
        self.lines += len(message.ids)
        told = entry.waits_for.difference(*entry.through.values()) if through else to
        for member in told:
            self.lane(member).queue.append(message.key)
        for member in away:
            to[member] = Delivery(counted=False)
        if not entry.waits_for:
            self._settle(message.key)
        return entry

    def restore(
        self, stored_at: Millis, message: ChatMessage, post: Post, active: Iterable[MemberId]
    ) -> Entry:
        """Take in a message of an earlier life that was not settled; it may be by now."""
        to = _deliveries(post)
        waits_for = {m for m in post.counted if to[m].way is None}.intersection(active)
        entry = Entry(message, stored_at, to, post.counted, waits_for, post.reached)
        self.entries[message.key] = entry
        self.lines += len(message.ids)
        for member in sorted(waits_for):
            self.lane(member).queue.append(message.key)
        if not waits_for:
            self._settle(message.key)
        return entry

    def recall(self, message: ChatMessage, post: Post) -> None:
        """Take in a message that was settled in an earlier life, though somebody lacks it."""
        entry = Entry(message, 0, _deliveries(post), post.counted, acks=post.reached)
        self._recalled[message.key] = entry
        self._note_lacking(entry)

    def lane(self, member: MemberId) -> Lane:
        lane = self.lanes.get(member)
        if lane is None:
            lane = self.lanes[member] = Lane()
        return lane

    def take(self, member: MemberId) -> tuple[ChatMessage, ...]:
        """The next messages that may fly to this member now, together; empty for none.  The first
        one goes whatever its length where there is room for a line.

        They are consecutive ones of one stream, to be passed on to the same members.  `landed` and,
        for each, `acked` or `failed` tell how it ended.
        """
        lane = self.lanes.get(member)
        if lane is None or lane.blocked or not lane.queue:
            return ()
        timing, is_ill = self._timing, bool(lane.backoff_ms)
        # What comes meanwhile goes with the next call, where that is not soon.
        if lane.flights >= (1 if is_ill or lane.is_slow(timing) else timing.flight_max):
            return ()
        free = lane.window - lane.lines
        if free <= 0:
            return ()
        taken = self._take(lane, member, 1 if is_ill else min(free, timing.batch_max))
        lane.flights += bool(taken)
        return tuple(taken)

    def _take(self, lane: Lane, member: MemberId, lines: int) -> list[ChatMessage]:
        queue, entries = lane.queue, self.entries
        taken: list[ChatMessage] = []
        others: tuple[MemberId, ...] = ()
        room, last = self._timing.flight_chars, None
        while queue and lines > 0:
            key = queue[0]
            entry = entries.get(key)
            if entry is None or member not in entry.waits_for:
                queue.popleft()
                continue
            message, theirs = entry.message, entry.through.get(member, ())
            room, lines = room - message.chars, lines - len(message.ids)
            if last is not None:
                goes_on = key[2] == last[2] + 1 and key[1] == last[1] and key[0] == last[0]
                if min(room, lines) < 0 or not goes_on or theirs != others:
                    break
            last, others = key, theirs
            queue.popleft()
            lane.fly(message)
            entry.to[member].tries += 1
            taken.append(message)
        return taken

    @property
    def is_slow(self) -> bool:
        """Is what is said on its way for long, to somebody at least?"""
        return any(lane.is_slow(self._timing) for lane in self.lanes.values())

    @property
    def slowest_ms(self) -> Millis:
        """How long what is said is on its way, to those who have to wait for it longest."""
        direct = (lane.srtt_ms for lane in self.lanes.values())
        return round(max(self._spread_ms, *direct, 0.0))

    def landed(self, member: MemberId) -> None:
        """A call that carried messages to this member has ended, some way."""
        if (lane := self.lanes.get(member)) is not None and lane.flights:
            lane.flights -= 1

    def acked(self, now: Millis, key: Key, by: MemberId, way: Way) -> Entry | None:
        """A member that was to have our message has stored it; None: that is no news."""
        if (lane := self.lanes.get(by)) is not None:
            lane.land(key)
        entry = self.entries.get(key) or self.settled.get(key) or self._recalled.get(key)
        if way is Way.SPREAD and entry is not None and by in entry.to:  # However late: to learn it.
            took = now - entry.stored_at
            self._spread_ms += (took - self._spread_ms) / 8 if self._spread_ms else took
        if entry is None or (delivery := entry.to.get(by)) is None or delivery.way is not None:
            return None
        delivery.way, delivery.took_ms = way, now - entry.stored_at
        entry.acks += delivery.counted
        entry.waits_for.discard(by)
        if by in self._lacking:
            self._lacking[by].pop(key, None)
        if self._alone:
            self._alone.pop(key, None)
        if not entry.waits_for and key in self.entries:
            self._settle(key)
        return entry

    # ---- passing on ----------------------------------------------------------------------------

    def is_well(self, now: Millis, member: MemberId) -> bool:
        """May it be asked to pass lines on, and others be asked to pass them on to it?"""
        lane = self.lanes.get(member)
        if lane is None:
            return True
        return not lane.backoff_ms and lane.relay_until <= now and lane.direct_until <= now

    def others(self, key: Key, by: MemberId) -> tuple[MemberId, ...]:
        """To whom this member is to pass our message on."""
        entry = self.entries.get(key)
        return entry.through.get(by, ()) if entry is not None else ()

    def counts(self, key: Key, member: MemberId, by: MemberId) -> bool:
        """Does it count that `by` says `member` has our message?  Where it was chosen to pass it on
        to that one, however late that comes.
        """
        entry = self.find(key)
        return entry is not None and member in entry.chosen.get(by, ())

    def spread_ms(self, took_ms: Millis) -> Millis:
        """How long it may take until what is passed on is acknowledged, as `deadline_ms`; the first
        step took so long.
        """
        least, most = self._timing.ack_ms, self._timing.late_ms
        return min(most, max(least, round(4 * self._spread_ms), 4 * took_ms))

    def passes_on(self, due: Millis, key: Key, by: MemberId) -> Millis:
        """This member has our message and passes it on; gives when news of that is due."""
        if self._passed:  # In the order of their instants.
            due = max(due, self._passed[-1][0])
        self._passed.append((due, key, self.entries[key].through.pop(by)))
        return due

    def overdue(self, now: Millis, again_ms: Millis) -> list[MemberId]:
        """Take what should have been passed on by now for told to nobody: who lacks it is to be
        told, and for `again_ms` more nobody is asked to pass on to it.  Gives those.
        """
        late = set()
        while self._passed and self._passed[0][0] <= now:
            _, key, members = self._passed.popleft()
            for member in self._queue(key, members):
                self.lane(member).direct_until = now + again_ms
                late.add(member)
        return sorted(late)

    @property
    def next_overdue(self) -> Millis | None:
        return self._passed[0][0] if self._passed else None

    def tell_itself(self, key: Key, by: MemberId) -> list[MemberId]:
        """This member does not pass our message on: who lacks it is told.  Gives those."""
        entry = self.entries.get(key)
        if entry is None or by not in entry.through:
            return []
        return self._queue(key, entry.through.pop(by))

    def _queue(self, key: Key, members: tuple[MemberId, ...]) -> list[MemberId]:
        """Gives those of them who lack it, and are to be told now."""
        entry = self.entries.get(key)
        lacking = [member for member in members if entry and member in entry.waits_for]
        for member in lacking:
            self.lane(member).queue.append(key)
        return lacking

    def without(self, by: MemberId) -> list[MemberId]:
        """This member passes nothing on any more: who lacks that is told.  Gives those."""
        lacking = set()
        for key in [key for key, entry in self.entries.items() if by in entry.through]:
            lacking.update(self.tell_itself(key, by))
        return sorted(lacking)

    # ---- ends ----------------------------------------------------------------------------------

    def healthy(self, member: MemberId, took_ms: Millis, *, direct: bool) -> None:
        """The member's lane works again, or still."""
        lane = self.lane(member)
        lane.backoff_ms = 0
        lane.blocked = False
        if direct:
            lane.relay_until = 0
            lane.answered(took_ms, self._timing)

    def deadline_ms(self, member: MemberId) -> Millis:
        """How long an acknowledgement may take: grows with the measured round trips."""
        least = self._timing.ack_ms
        return min(4 * least, max(least, round(4 * self.lane(member).srtt_ms)))

    def failed(self, key: Key, to: MemberId, status: str, refused: bool = False) -> None:
        """No acknowledgement: the message is first in the member's queue again."""
        lane = self.lane(to)
        lane.silent = not refused
        if lane.land(key):
            lane.queue.appendleft(key)
        if (entry := self.entries.get(key)) is not None and to in entry.to:
            entry.to[to].status = status

    def back_off(self, member: MemberId) -> Millis:
        """Stop the member's lane for a while; gives how long, doubling up to the maximum."""
        lane = self.lane(member)
        least, most = self._timing.retry_min_ms, self._timing.retry_max_ms
        lane.backoff_ms = min(most, lane.backoff_ms * 2) if lane.backoff_ms else least
        lane.blocked = True
        lane.shrink()
        return lane.backoff_ms

    def begin_anew(self, member: MemberId) -> bool:
        """The member's back-off is the shortest again, and over if it lasts; False for none."""
        lane = self.lanes.get(member)
        if lane is None or not lane.backoff_ms:
            return False
        lane.backoff_ms, lane.blocked = self._timing.retry_min_ms, False
        return True

    def forget(self, member: MemberId) -> list[Entry]:
        """The member is gone or dropped: nothing waits for it.  Gives what that settles."""
        self.lanes.pop(member, None)
        settled = []
        for key, entry in list(self.entries.items()):
            if member in entry.waits_for:
                entry.waits_for.discard(member)
                if not entry.waits_for:
                    self._settle(key)
                    settled.append(entry)
        return settled

    def silent(self, member: MemberId) -> bool:
        """Whether messages wait for this member since nobody acknowledged them."""
        lane = self.lanes.get(member)
        if lane is None or not (lane.silent and lane.backoff_ms):
            return False
        waiting = (self.entries.get(key) for key in (*lane.flying, *lane.queue))
        return any(entry is not None and member in entry.waits_for for entry in waiting)

    def find(self, key: Key) -> Entry | None:
        return self.entries.get(key) or self.settled.get(key)

    def message(self, key: Key) -> ChatMessage | None:
        """An own message that may still be acknowledged."""
        entry = self.find(key) or self._recalled.get(key)
        return entry.message if entry is not None else None

    def erase(self, key: Key, at: int) -> None:
        """This line of an own message is erased: nobody is sent its text any more."""
        if (entry := self.find(key) or self._recalled.get(key)) is not None:
            entry.message = entry.message.without((at,))

    def lacking(self, member: MemberId) -> tuple[Key, ...]:
        """What is settled, though this member was to have it and was not seen to."""
        return tuple(self._lacking.get(member, ()))

    def lines_lacking(self, member: MemberId) -> int:
        """How many lines that has."""
        return sum(self._lacking.get(member, {}).values())

    def unreached(self, belonging: Container[MemberId]) -> set[Key]:
        """What is settled, and nobody but us was seen to have, though one of these is to."""
        return {
            key
            for key, entry in self._alone.items()
            if any(member in belonging for member in entry.lacking)
        }

    def all_elsewhere(self) -> None:
        """A member, counted or not, holds all that we hold."""
        self._alone.clear()

    def trimmed(self, last: Key) -> None:
        """Own messages up to this one are gone: nobody gets them any more who lacks them."""
        for keys in self._lacking.values():
            for key in [k for k in keys if k.source == last.source and k <= last]:
                del keys[key]

    def _settle(self, key: Key) -> None:
        entry = self.settled[key] = self.entries.pop(key)
        self.lines -= len(entry.message.ids)
        self._note_lacking(entry)
        if len(self.settled) > REMEMBERED:
            oldest = next(iter(self.settled))
            self._alone.pop(oldest, None)
            for member in self.settled.pop(oldest).lacking:
                self._lacking[member].pop(oldest, None)

    def _note_lacking(self, entry: Entry) -> None:
        lacking = entry.lacking
        for member in lacking:
            self._lacking.setdefault(member, {})[entry.message.key] = len(entry.message.ids)
        if lacking and not entry.acked:
            self._alone[entry.message.key] = entry


def _deliveries(post: Post) -> dict[MemberId, Delivery]:
    """As far as the log knows them."""
    has = dict.fromkeys(post.acked, Way.CATCH_UP)
    to = {member: Delivery(has.get(member)) for member in post.counted}
    return to | {member: Delivery(has.get(member), counted=False) for member in post.away}
