"""Catch-up: whatever was missed comes by comparing logs.  This is the guarantee; the rest is speed.

Two nodes whose history hashes differ compare one hash per author, then the runs held of the authors
that differ; the asked one sends what the asker lacks, page by page, and asks in turn for what it
lacks itself.  A newcomer reads backwards, newest page first: what its pages depend on below them
counts as delivered until it comes.

Where the other's floor counts something that is not here, there is a gap: everyone alive is asked
for what it still has, backwards like a newcomer's pages; only then the floor is adopted (`marks`).

    IDLE -- hashes differ --> COMPARING -- authors differ --> FETCHING -- no more --> IDLE
                                                                ^  |
                                                                +--+ another page
"""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field

from .alarms import Alarm
from .calls import Outcome, Outstanding
from .effects import Jumped, Merged, Serve, SplitHealed, StoreMarks
from .floors import Floors
from .messages import Life, Ping, Pong, Sync, Synced, View
from .reasons import Reason
from .seeking import Seeking
from .sending import Sending
from .state import State
from .talking import Talking
from .types import CallId, Epoch, Floor, Key, MemberId, Millis, Run, Stream, Way

GAP_MS = 1_000  # two nodes compare at most this often
TALK_MS = 300  # a line was said so lately: what differs is on its way, as a rule
CROWD_TALK_MS = 1_200  # likewise where lines are passed on
SOON_MS = 30  # what is still under way may make the comparison needless
SOON_KNOWN = (Reason.UNKNOWN_AUTHOR, Reason.UNKNOWN_DECISION)
RUNS_MAX = 4_096  # told in one call; authors beyond it wait for the next comparison


class Session(Struct):
    """One comparison with one member."""

    peer: MemberId
    began_at: Millis
    merged: int = 0
    cut: bool = False  # too much to tell at once: some authors are left for the next time


class Doubt(Struct):
    """Messages that came erased for no reason that is known, and who was asked for them since."""

    keys: frozenset[Key] = frozenset()
    asked: set[MemberId] = field(default_factory=set)


class CatchingUp:
    def __init__(self, s: State, talking: Talking, sending: Sending) -> None:
        self._s, self._talking, self._sending = s, talking, sending
        self._session: Session | None = None
        self.seeking = Seeking(s, talking, self.fetch, self._note_sought)
        self._last: dict[MemberId, Millis] = {}  # when a comparison with each last ended
        self.floors = Floors(s)
        self._found: dict[MemberId, set[MemberId]] = {}  # who has what is missing, of whom
        self._given: Counter[MemberId] = Counter()  # how often one has given all that it had
        self._doubt = Doubt()
        self.rival: tuple[MemberId, Epoch] | None = None  # who led the other side of a split

    # ---- when ----------------------------------------------------------------------------------

    def start(self) -> None:
        self._arm()

    def want(self, member: MemberId, *, now: bool = False) -> None:
        """Compare with this member soon."""
        s = self._s
        if member == s.me or not member:
            return
        soonest = s.now if now else max(s.now + SOON_MS, self._last.get(member, -GAP_MS) + GAP_MS)
        s.alarms.set_earlier(Alarm.CATCH_UP, soonest, member)

    def fetch(self, member: MemberId, keys: Iterable[Key]) -> None:
        """Get these from this member soon, also where our logs count as equal by its floors."""
        self._found.setdefault(member, set()).update(key.source for key in keys)
        self.want(member)

    def _differs(self, member: MemberId) -> None:
        """One of us lacks something: compare; while lines are said, only as often as `sync_ms`."""
        s = self._s
        lasts = max(self._last.values(), default=None)
        if lasts is None or not self._talks:
            return self.want(member)
        s.alarms.set_earlier(Alarm.CATCH_UP, max(s.now + SOON_MS, lasts + s.timing.sync_ms), member)

    def saw(self, member: MemberId, view: View) -> None:
        """A member's history hash: where it differs from ours, one of us lacks something."""
        s = self._s
        differs = view.history_hash != s.history.hash
        if s.backwards:  # Whoever equals it may have all by now.
            self.want(member)
        elif differs:
            self._differs(member)
        elif member in self._unasked():
            self.want(member)
        if not differs:
            s.outbox.all_elsewhere()
            self._credit_all(member, s.outbox.lacking(member))

    @property
    def _talks(self) -> bool:
        """Was a line said so lately that it may be on its way?"""
        s = self._s
        least = TALK_MS if s.grid is None else CROWD_TALK_MS
        talk_ms = max(s.lateness.patient(s.now, least), 2 * s.outbox.slowest_ms)
        talk_ms = min(s.timing.late_ms, talk_ms)
        return s.talked_at is not None and s.now - s.talked_at < talk_ms

    def on_sync(self) -> None:
        """Anti-entropy: once in a while a random member, in a large group one of those with whom we
        have to do, is asked how it is.
        """
        s = self._s
        self._arm()
        alive = [m for m in s.near if s.members.life(m) is Life.ALIVE]
        if not alive:
            return
        peer = s.rng.choice(alive)

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Pong):
                s.liveness.heard(s.now, peer)
                self.saw(peer, outcome.view)

        s.call(peer, Ping(s.caller(peer), s.view()), s.timing.ping_ms, ended)

    def on_catch_up(self, member: MemberId) -> None:
        s = self._s
        if member == s.me or not s.members.belongs(member):
            return  # We may have become that member since: two sides had admitted us.
        if self._session is not None:
            busy_since = self._session.began_at
            if s.now - busy_since < 10 * s.timing.sync_call_ms:
                return s.alarms.set(Alarm.CATCH_UP, s.now + GAP_MS // 4, member)
        self._session = Session(member, s.now)
        self._compare(self._session)

    def _arm(self) -> None:
        s = self._s
        fifth = s.timing.sync_ms // 5
        s.alarms.set(Alarm.SYNC, s.now + s.timing.sync_ms + s.rng.randint(-fifth, fifth))

    # ---- asking --------------------------------------------------------------------------------

    def _compare(self, session: Session) -> None:
        s = self._s
        lacking = s.outbox.lacking(session.peer)  # as far as we know

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Synced):
                self._credit_all(session.peer, lacking, outcome.sources)
                self.floors.hear(session.peer, outcome)
            if self._session is not session:
                return
            if not isinstance(outcome, Synced):
                return self._end(session)
            self._note(outcome.floors, session.peer)
            found = self._found.pop(session.peer, set())
            if sources := sorted(found.union(self._silent_of(outcome.sources))):
                return self._fetch(session, tuple(sources))
            if session.peer in self._unasked():
                self._doubt.asked.add(session.peer)
                return self._fetch(session, tuple(sorted({key.source for key in self._doubt.keys})))
            self._end(session, complete=True, equal=not outcome.partial)

        request = Sync(s.caller(session.peer), s.view(), digests=s.history.digests())
        s.call(session.peer, request, s.timing.sync_call_ms, ended)

    def _unasked(self) -> tuple[MemberId, ...]:
        """Who may have the texts that came to us erased for no reason that is known."""
        s = self._s
        if not s.changes.doubted:
            return ()
        if self._doubt.keys != s.changes.doubted.keys():
            self._doubt = Doubt(frozenset(s.changes.doubted))
        return tuple(m for m in s.active_others if m not in self._doubt.asked)

    def _silent_of(self, sources: tuple[MemberId, ...]) -> tuple[MemberId, ...]:
        """Those of these authors whose lines have to be asked for.

        Who has just told us a line that could be shown tells us what comes after it, too, until we
        have it; and we have all that came before it, unless a part only counts as delivered.  Where
        much is on its way, that is not to be fetched as well.
        """
        s = self._s
        if s.backwards or not s.outbox.is_slow:
            return sources
        told, since = s.told_at, s.now - TALK_MS
        return tuple(source for source in sources if told.get(source, since) <= since)

    def _fetch(self, session: Session, sources: tuple[MemberId, ...]) -> None:
        s, backwards = self._s, self._s.backwards

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if self._session is not session:
                return
            if not isinstance(outcome, Synced):
                return self._end(session)
            self.floors.hear(session.peer, outcome)
            taken = self._take_page(outcome, backwards, session)
            session.merged += taken
            self.seeking.learn(outcome.holes, session.peer)
            self._note(outcome.floors, session.peer)
            if outcome.more and taken:
                return self._fetch(session, sources)
            complete = not outcome.more
            self._end(session, complete=complete, equal=complete and not outcome.partial)

        doubted = s.changes.doubted  # As if they were not here.
        held, holes = s.history.held(sources, doubted), s.history.marks.holes_of(sources)
        while max(len(held), len(holes)) > RUNS_MAX and len(sources) > 1:
            sources = sources[: len(sources) // 2]
            held, holes = s.history.held(sources, doubted), s.history.marks.holes_of(sources)
            session.cut = True
        request = Sync(
            s.caller(session.peer),
            s.view(),
            sources=sources,
            held=held,
            newest_first=backwards,
            floors=s.history.marks.floors_of(sources),
            holes=holes[:RUNS_MAX],
        )
        s.call(session.peer, request, s.timing.sync_call_ms, ended)

    def _take_page(self, synced: Synced, backwards: bool, session: Session) -> int:
        """Store and show a page; gives how many of its lines were new."""
        s = self._s
        new = 0
        if backwards and s.backwards and synced.messages:
            self._lower_cut(synced)
        for message in synced.messages:
            known = message.key in s.history
            refusal = self._talking.take(message, Way.CATCH_UP, session.peer)
            if refusal is None and not known:
                new += len(message.ids)
            elif refusal is not None and refusal.reason in SOON_KNOWN:
                session.cut = True  # It will be taken in a moment.
        self._talking.tell_filled()
        return new

    def _lower_cut(self, synced: Synced) -> None:
        """The page is closed upwards: what it depends on and does not hold lies below it.

        So does whatever the answerer has delivered, or counts as that, and sent neither now nor
        before: lines that wait here for such a predecessor need not wait for older pages.
        """
        s = self._s
        inside = {message.key for message in synced.messages}
        below = [k for m in synced.messages for k in m.predecessors if k not in inside]
        theirs: dict[tuple[MemberId, Stream], list[Run]] = {}
        for run in synced.held:
            theirs.setdefault((run.source, run.stream), []).append(run)
        floors = {floor.source: floor for floor in synced.floors}
        for message in s.causal.pending.values():
            for key in message.predecessors:
                if key in inside:
                    continue
                runs, floor = theirs.get((key.source, key.stream), ()), floors.get(key.source)
                counts = floor is not None and floor.covers(key)
                if counts or any(run.first <= key.seq <= run.last for run in runs):
                    below.append(key)
        freed = s.causal.assume(sorted(set(below)))
        s.store_meta()  # Before anything is shown that relies on it.
        self._talking.show(freed, Way.CATCH_UP)

    def _end(self, session: Session, *, complete: bool = False, equal: bool = False) -> None:
        """`complete`: the peer has sent all it has; `equal`: and it lacks nothing itself."""
        s = self._s
        self._session = None
        self._last[session.peer] = s.now
        if session.cut:
            complete = equal = False
            self.want(session.peer)
        if session.merged:
            s.emit(Merged(session.merged, session.peer))
        if s.gaps:
            equal = self._close_gaps(session.peer if complete else 0) and equal
        if complete:
            self._given[session.peer] += 1
        if unasked := self._unasked():
            self.want(unasked[0])
        if s.partial and (equal or self._has_all()):
            s.partial = False
            s.store_meta()
        if equal and self.rival is not None:
            leader, epoch = self.rival
            self.rival = None
            s.emit(SplitHealed(session.merged, leader, epoch))

    def _has_all(self) -> bool:
        """Did everyone give all it had, twice?  Where nobody's log is whole, none ever becomes so.

        Who was still reading itself the first time may have more the second time.
        """
        others = self._s.active_others
        return not self._s.gaps and bool(others) and all(self._given[m] > 1 for m in others)

    # ---- gaps ----------------------------------------------------------------------------------

    def _note(self, floors: tuple[Floor, ...], by: MemberId, *, sought: bool = False) -> None:
        """Somebody's floors: where one counts what is not here, we read backwards from now on.

        One that counts no more than we hold is taken over where it ends the wait for what nobody
        ever counted; once that was waited for long, and was `sought`, since it may be on its way.
        """
        s, risen = self._s, []
        for floor in self.floors.believed(floors, by):
            if s.history.outranked(floor):
                s.gaps.note(floor)
            elif sought and self._ends_a_wait(floor):
                if not self.floors.is_known(floor):
                    self.want(floor.source)  # It is there: let it say how much it has said.
                    continue
                s.history.adopt(floor)
                risen.append(floor)
        if risen:
            s.emit(StoreMarks(tuple(risen)))
            self._talking.show(s.causal.release(), Way.CATCH_UP)

    def _note_sought(self, floors: tuple[Floor, ...], by: MemberId) -> None:
        self._note(floors, by, sought=True)

    def _ends_a_wait(self, floor: Floor) -> bool:
        s = self._s
        if not s.causal.pending or not s.history.is_below(floor):
            return False

        def counts(key: Key) -> bool:
            return key.source == floor.source and floor.covers(key)

        counted = [key for key in s.causal.pending if counts(key)]
        if not s.causal.waits_only_for(counted, counts):
            return False  # It is not for this floor to say what waits for another author's line.
        return any(map(counts, s.causal.missing()))

    def _close_gaps(self, asked: MemberId) -> bool:
        """Adopt the floors of gaps once everyone was asked.  False: some are open still."""
        s, gaps = self._s, self._s.gaps
        gaps.asked(asked)
        for floor in list(gaps):
            if not s.history.outranked(floor) or not self.floors.is_believed(floor):
                gaps.forget(floor.source)  # Others had what we lacked, or its author never said it.
        if gaps.unasked(s.active_others):
            return self._ask_about_gaps()
        floors = tuple(gaps)
        jumped = [(floor.source, s.history.beyond_reach(floor)) for floor in floors]
        for floor in floors:
            s.history.adopt(floor)
            gaps.forget(floor.source)
        if floors:
            s.emit(StoreMarks(floors))
            if not s.partial:  # A newcomer knows that what came before it may be gone.
                for source, count in jumped:
                    if count:
                        s.emit(Jumped(source, count))
            if gone := self._gone_before():
                freed = s.causal.assume(gone)
                s.store_meta()
                self._talking.show(freed, Way.CATCH_UP)
            self._talking.show(s.causal.release(), Way.CATCH_UP)
        return not gaps or self._ask_about_gaps()

    def _gone_before(self) -> list[Key]:
        """What lines wait for that others have trimmed as delivered: nobody has it any more."""
        s = self._s
        counted = [m for m in s.causal.pending.values() if s.history.marks.covers(m.key)]
        follow = {key for message in counted for key in message.predecessors}
        return sorted(key for key in follow if not s.causal.delivered(key) and key not in s.history)

    def _ask_about_gaps(self) -> bool:
        """Whoever was asked the longest ago is the next.  True: there is nobody left to ask."""
        s, last = self._s, self._last
        unasked = s.gaps.unasked(s.active_others)
        if unasked:
            longest_ago = min(unasked, key=lambda m: last.get(m, 0))
            self.want(longest_ago, now=longest_ago not in last)
        return not unasked

    # ---- being asked ---------------------------------------------------------------------------

    def asked(self, call: CallId, request: Sync) -> None:
        s, peer = self._s, request.caller.node
        partial, marks = self._is_partial(), s.history.marks
        if request.wanted:
            found = tuple(key for key in request.wanted if s.history.has(key))
            lacking = set(request.wanted).difference(found)
            lost = self.seeking.asked(lacking, peer)
            floors = marks.floors_of(sorted({key.source for key in lacking}))
            holes = tuple(k for k in request.wanted if marks.is_hole(k) or k in lost)
            return s.respond(call, Synced(s.view(), found=found, floors=floors, holes=holes))
        if not request.sources and not request.held:
            differing = s.history.differing(request.digests)
            self._credit_all(peer, s.outbox.lacking(peer), differing)
            floors = marks.floors_of(differing)
            reply = Synced(
                s.view(), sources=differing, partial=partial, floors=floors, said=self.floors.said()
            )
            return s.respond(call, reply)
        self.seeking.learn(request.holes, peer)
        keys, more = s.history.lacking(
            request.sources,
            request.held,
            newest_first=request.newest_first,
            bytes_max=s.timing.page_bytes,
            without=s.causal.pending.keys() | s.unproved if request.newest_first else s.unproved,
            floors=request.floors,
        )
        delivered: tuple[Run, ...] = ()
        if request.newest_first:
            delivered = s.history.held(request.sources, without=s.causal.pending)
        behind = not all(s.history.covers(run) for run in request.held)
        behind = behind or any(s.history.outranked(floor) for floor in request.floors)
        self._credit(peer, request.held, request.floors)
        if behind:
            self._differs(peer)
        if keys and s.outbox.lacking(peer):  # What it is given now it will have.
            self.want(peer)
        reply = Synced(
            s.view(),
            more=more,
            behind=behind,
            partial=partial,
            held=delivered,
            floors=marks.floors_of(request.sources),
            holes=marks.holes_of(request.sources)[:RUNS_MAX],
            said=self.floors.said(),
        )
        record = s.members.get(peer)
        s.emit(Serve(call, reply, keys, record.since if record is not None else 0))

    def _is_partial(self) -> bool:
        """Is something lacking here that others may have?"""
        s = self._s
        marks = s.history.marks
        return s.backwards or any(
            not marks.is_hole(key) and not marks.covers(key) for key in s.causal.below
        )

    def _credit(self, peer: MemberId, held: tuple[Run, ...], floors: tuple[Floor, ...]) -> None:
        """What a member holds of ours it has acknowledged, however it came by it."""
        s = self._s
        keys = (*s.outbox.entries, *s.outbox.lacking(peer))
        streams = {(key.source, key.stream) for key in keys}
        runs = [run for run in held if (run.source, run.stream) in streams]
        said = self.floors.said()  # Of more nobody can have trimmed anything.
        below = {floor.source: floor for floor in floors if floor.at <= said}
        for key in keys:
            if any(run[:2] == key[:2] and run.first <= key.seq <= run.last for run in runs) or (
                key.source in below and below[key.source].covers(key)
            ):
                self._sending.acknowledged(key, peer, Way.CATCH_UP)

    def _credit_all(
        self, peer: MemberId, lacking: tuple[Key, ...], differing: tuple[MemberId, ...] = ()
    ) -> None:
        """It holds what we do of all authors but those, which we may be under an earlier id.

        Hashes do not tell whether it holds what lies below a floor.
        """
        covers = self._s.history.marks.covers
        for key in lacking:
            if key.source not in differing and not covers(key):
                self._sending.acknowledged(key, peer, Way.CATCH_UP)
