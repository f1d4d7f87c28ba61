"""All that one group knows, and the pen with which it writes its effects.

The flows share this state; each changes its own facts and reads the others'.  Nothing here decides
anything.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum, auto
from heapq import heappop, heappush, nsmallest
from random import Random

from msgspec import Struct

from .access import Met
from .alarms import Alarms
from .calls import Calls, Outcome, Outstanding, Then
from .causal import Causal
from .changes import Changes
from .clock import horizon, is_made_up
from .effects import (
    Ask,
    Call,
    Dropped,
    Effect,
    Meta,
    NdsChanged,
    Remembered,
    Respond,
    StoreMeta,
    StoreRoster,
)
from .election import Election
from .gaps import Gaps
from .history import History
from .lateness import Lateness
from .liveness import Liveness
from .membership import Membership
from .messages import (
    NO_CARD,
    NO_GRANT,
    Caller,
    Card,
    Facts,
    Grant,
    NdsRequest,
    Refusal,
    Reply,
    Request,
    View,
)
from .outbox import Outbox
from .spreading import Grid, grid
from .timing import Timing
from .types import (
    NO_EPOCH,
    NO_HLC,
    Address,
    CallId,
    ChatId,
    Epoch,
    IdBlock,
    Incarnation,
    Key,
    MemberId,
    Millis,
    Place,
    Silence,
    Stream,
    WallMillis,
    small,
)

BEYOND_MAX = 16_384  # places beyond the horizon that are noted: the nearest ones


class Role(Enum):
    OUTSIDE = auto()  # not admitted yet, or no longer a member
    FOLLOWER = auto()
    PROVISIONAL = auto()  # leads while the registry is away
    LEADER = auto()  # certified by the registry


class Pairs(Struct, frozen=True):
    """Key pairs, each made of a secret."""

    draw: Callable[[], bytes]  # a secret
    public: Callable[[bytes], bytes]  # the public half of its pair
    sign: Callable[[bytes, bytes], bytes]  # by a secret, what was said


class Setup(Struct, frozen=True):
    """What does not change while the process lives."""

    identity: bytes  # Ed25519 public key, 32 bytes
    nick: str
    address: Address  # where others call us
    process: int  # random per process, 64 bits
    chat: ChatId = 0  # 0 when joining by name
    name: str = ""
    mode: int = 1
    created: WallMillis = 0
    nds: Address = ""
    card: Card = NO_CARD
    sign: Callable[[bytes], bytes] | None = None  # by the identity; None: nothing is proved
    verify: Callable[[bytes, bytes, bytes], bool] | None = (
        None  # identity, signature, what was said
    )
    draw: Callable[[int], bytes] | None = None  # so many bytes that nobody can guess
    meet: Callable[[bytes, bytes, bytes], Met] | None = (
        None  # the leader's side of SPAKE2: seed, context, the joiner's element
    )
    shows: bytes = b""  # the certificate that our connections prove; empty: they prove nothing
    granted: Callable[[Address, bytes, bytes], bool | None] | None = (
        None  # has that registry signed, by this signature, that this was said?  None: who knows
    )
    pinned: Callable[[Address], bytes] = (
        lambda _: b""  # the certificate by which that registry is known; empty: by none
    )
    claims: Pairs | None = None  # how claim keys are made and used; None: there are none


def _unsigned(log: Remembered) -> set[Key]:
    """Messages of before they were signed: nobody can be given those."""
    return {message.key for message in log.messages if not message.signature}


class State:
    def __init__(self, setup: Setup, timing: Timing, rng: Random, log: Remembered) -> None:
        self.setup, self.timing, self.rng = setup, timing, rng
        meta = log.meta
        self.now: Millis = 0
        self.wall_ahead: Millis = 0  # wall clock minus `now`, as of the last word about it
        self.role = Role.OUTSIDE
        self.me: MemberId = meta.member if meta else 0
        self.chat = meta.chat if meta else setup.chat
        self.name = meta.name if meta else setup.name
        self.mode = meta.mode if meta else setup.mode
        self.created = meta.created if meta else setup.created
        self.nds = setup.nds or (meta.nds if meta else "")
        self.incarnation: Incarnation = meta.incarnation if meta else 0
        self.address_seq = 0
        self.epoch: Epoch = meta.epoch if meta else NO_EPOCH
        self.leader: MemberId = meta.leader if meta else 0
        self.leader_address: Address = ""  # as the leader itself gave it, for this epoch
        self.provisional: MemberId = 0
        self.grant: Grant = meta.grant if meta else NO_GRANT  # of the epoch
        self.ids: dict[MemberId, IdBlock] = {}  # to give to newcomers; burnt with the epoch
        self.highest_n = meta.highest_n if meta else 0
        self.left_ids: tuple[MemberId, ...] = meta.left_ids if meta else ()
        self.leaving = bool(meta and meta.leaving)
        self.closing = self.ready = False  # on the way out; has read the record, or asked everyone
        self.doubtful = False  # was frozen: acts as leader only after reading the record
        self.stalled_until: Millis = 0
        self.listed_as = self.name  # by the registry
        self.nds_up: bool | None = None  # None: not asked yet
        self.parted = False  # has somebody gone since the newest claim key came?
        self.registered: bytes | None = None  # the claim key there; None: not asked yet
        self.in_use: tuple[bytes, bytes] = b"", b""  # both halves of it, the public one first
        self.partial = bool(meta and meta.partial)
        self.stream: Stream | None = None  # ours, once we have said something
        self.stream_seq = 0
        self.last_own: Key | None = None
        self.talked_at: Millis | None = None  # when a line was said, or came from its author
        self.told_at: dict[MemberId, Millis] = {}  # when one of theirs was shown that they told us
        self.latest_place: Place = (NO_HLC, 0, Stream(0, 0), 0)  # of what has been shown ...
        self._beyond: list[Place] = []  # ... but for this: a heap
        self.members = Membership(log.roster)
        self.history = History(log.floors, log.holes, log.trimmed)
        self.causal = Causal(self.history)
        self.unproved = _unsigned(log) if setup.verify is not None else set[Key]()
        self.gaps, self.changes = Gaps(), Changes()
        self.liveness, self.lateness = Liveness(timing), Lateness()
        self.election = Election(timing, rng)
        self.calls, self.alarms, self.outbox = Calls(), Alarms(), Outbox(timing)
        self.drops: Counter[str] = Counter()
        self.out: list[Effect] = []
        self._grid: tuple[tuple[MemberId, ...], Grid] | None = None  # of whom; as last drawn

    # ---- writing -------------------------------------------------------------------------------

    def emit(self, effect: Effect) -> None:
        self.out.append(effect)

    def call(
        self,
        to: MemberId,
        request: Request,
        ms: Millis,
        then: Then,
        address: Address = "",
        certificate: bytes = b"",
        late: Then | None = None,
    ) -> None:
        """Call a member, or the stranger at `address`, who is to have this certificate if one is
        given; `then` is called exactly once.

        `late`: called after that with an answer that comes when its time is over.
        """
        assert to != self.me or not to, f"member {to} calls itself: {request}"
        ms = self.lateness.patient(self.now, ms)
        address = address or self.address_of(to)
        record = self.members.get(to) if to else None
        # Who has left has no card, by which it would be known; who was removed has.
        is_known = record is not None and (self.members.belongs(to) or record.kicked)
        if to and self.setup.shows and not is_known:
            address = ""  # Nobody that belongs has vouched for it, whoever names it.
        silence = Silence.SILENT
        if address == self.setup.address:
            address, silence = "", Silence.REFUSED  # It lived here before us: nobody is there.
        most = ms if late is None else max(ms, self.timing.late_ms)
        due = ms if address else 0
        call = self.calls.open(self.now, to, request, due, then, silence, late, most)
        if address:
            certificate = record.card.certificate if record is not None else certificate
            self.emit(Call(call, to, address, request, most, certificate))

    def ended_late(self, call: CallId, outcome: Outcome) -> None:
        """The end of a call whose time was over before."""
        open = self.calls.close_late(self.now, call)
        if open is not None and open.late is not None and not isinstance(outcome, Silence):
            if open.to:
                address, late = self.address_of(open.to), self.now - open.due_at
                self.lateness.answered_late(self.now, address, late)
                self.liveness.heard(self.now, open.to)
            open.late(open, outcome)

    def call_each(
        self,
        members: Iterable[MemberId],
        request: Callable[[MemberId], Request],
        ms: Millis,
        each: Callable[[MemberId, Outcome], None],
        done: Callable[[], None],
    ) -> None:
        """Call several members side by side; `done` once all have ended, at once for nobody."""
        waiting = set(members)

        def ended(call: Outstanding, outcome: Outcome) -> None:
            each(call.to, outcome)
            waiting.discard(call.to)
            if not waiting:
                done()

        if not waiting:
            done()
        for member in sorted(waiting):
            self.call(member, request(member), ms, ended)

    def ask(self, request: NdsRequest, ms: Millis, then: Callable[[Outcome], None]) -> None:
        """Call the registry.  Notes whether it answers, before `then`."""

        def ended(_: Outstanding, outcome: Outcome) -> None:
            self.nds_answered(not isinstance(outcome, Silence))
            then(outcome)

        ms = self.lateness.patient(self.now, ms)
        call = self.calls.open(self.now, 0, request, ms, ended)
        self.emit(Ask(call, request, ms))

    def respond(self, call: CallId, reply: Reply | Refusal) -> None:
        self.emit(Respond(call, reply))

    def nds_answered(self, up: bool) -> None:
        if up is not self.nds_up:
            first = self.nds_up is None
            self.nds_up = up
            if not (first and up):
                self.emit(NdsChanged(up))

    def drop(self, reason: str) -> None:
        """Throw a peer's nonsense away, and count it."""
        self.drops[reason] += 1
        self.emit(Dropped(reason))

    def shown_at(self, place: Place) -> None:
        """A message is displayed there: what we say comes after it, and what is before it is late;
        of an instant beyond the horizon only once that has passed it.
        """
        if place <= self.latest_place:
            return
        if not is_made_up(place[0], self.wall):
            self.latest_place = place
            return
        heappush(self._beyond, place)
        if len(self._beyond) > BEYOND_MAX:
            self._beyond = nsmallest(BEYOND_MAX // 2, self._beyond)

    def look_beyond(self) -> None:
        """Time has passed: is what was shown of a later instant no longer beyond the horizon?"""
        while self._beyond and not is_made_up(self._beyond[0][0], self.wall):
            self.shown_at(heappop(self._beyond))

    def store_meta(self) -> None:
        self.emit(
            StoreMeta(
                Meta(
                    member=self.me,
                    incarnation=self.incarnation,
                    epoch=self.epoch,
                    leader=self.leader,
                    name=self.name,
                    chat=self.chat,
                    mode=self.mode,
                    created=self.created,
                    nds=self.nds,
                    left_ids=self.left_ids,
                    leaving=self.leaving,
                    highest_n=self.highest_n,
                    partial=self.partial,
                    below=tuple(sorted(self.causal.below)),
                    grant=self.grant,
                )
            )
        )

    def store_roster(self) -> None:
        self.emit(StoreRoster(self.members.roster))

    # ---- reading -------------------------------------------------------------------------------

    @property
    def wall(self) -> WallMillis:
        """Unix time, as far as it is known."""
        return self.now + self.wall_ahead

    @wall.setter
    def wall(self, wall: WallMillis) -> None:
        self.wall_ahead = wall - self.now
        self.look_beyond()

    @property
    def horizon(self) -> WallMillis:
        """No clock is later than that."""
        return horizon(self.wall)

    @property
    def leads(self) -> bool:
        return self.role is Role.LEADER or self.role is Role.PROVISIONAL

    @property
    def backwards(self) -> bool:
        """Reading newest first: a newcomer, or somebody whose log has a gap that others jumped."""
        return self.partial or bool(self.gaps)

    @property
    def following(self) -> MemberId:
        """Who leads, as far as we know: the provisional leader if there is one."""
        return self.provisional or self.leader

    @property
    def others(self) -> tuple[MemberId, ...]:
        """Those that belong, without ourselves."""
        return tuple(m for m in self.members.belonging if m != self.me)

    @property
    def active_others(self) -> tuple[MemberId, ...]:
        return tuple(m for m in self.members.active if m != self.me)

    @property
    def grid(self) -> Grid | None:
        """Who passes lines on to whom; None in a group that is small, or is not ours."""
        active = self.members.active
        if len(active) <= self.timing.spread_above or not self.members.is_active(self.me):
            return None
        if self._grid is None or self._grid[0] is not active:
            self._grid = active, grid(active, self.me)
        return self._grid[1]

    @property
    def near(self) -> tuple[MemberId, ...]:
        """The active others with whom we have to do: in a large group the leader and neighbours."""
        if (grid := self.grid) is None:
            return self.active_others
        leader = self.following
        others = {*grid.neighbours, leader} if self.members.is_active(leader) else grid.neighbours
        return tuple(sorted(m for m in others if m != self.me))

    @property
    def away(self) -> tuple[MemberId, ...]:
        """Those that belong and were dropped."""
        active, belonging = self.members.active, self.members.belonging
        if len(active) == len(belonging):
            return ()
        return tuple(m for m in belonging if m != self.me and not self.members.is_active(m))

    @property
    def since(self) -> WallMillis:
        """Of what was said before we are given no text; 0: we are given all."""
        mine = self.members.get(self.me)
        return mine.since if mine is not None else 0

    def address_of(self, member: MemberId) -> Address:
        if member == self.leader and self.leader_address:
            return self.leader_address
        record = self.members.get(member)
        return record.address if record is not None else ""

    def caller(self, callee: MemberId = 0) -> Caller:
        """Ourselves, calling this member; 0 for whoever listens there."""
        return Caller(self.chat, self.me, self.incarnation, self.epoch, callee)

    def view(self, told: Epoch = NO_EPOCH) -> View:
        """Ours; with the grant for who `told` us of a lower epoch than we know."""
        return View(
            epoch=self.epoch,
            leader=self.leader,
            leader_address=self.address_of(self.leader) if self.leader else "",
            provisional=self.provisional,
            highest_n=max(self.highest_n, self.members.highest_n),
            roster_hash=self.members.hash,
            history_hash=self.history.hash,
            incarnation=self.incarnation,
            process=self.setup.process,
            grant=self.grant if NO_EPOCH < told < self.epoch else NO_GRANT,
        )

    def facts(self) -> Facts:
        return Facts(
            name=self.name,
            mode=self.mode,
            created=self.created,
            epoch=self.epoch,
            leader=self.leader,
            leader_address=self.address_of(self.leader) if self.leader else "",
            highest_n=max(self.highest_n, self.members.highest_n),
            grant=self.grant,
        )

    def saw_n(self, n: int) -> None:
        self.highest_n = max(self.highest_n, n)

    def saw_id(self, id: MemberId) -> None:
        self.saw_n(small(id))
