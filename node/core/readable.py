"""What faces may read of a group, between two events.  Nothing here changes anything."""

from collections import Counter
from collections.abc import Set

from msgspec import Struct

from .access import Invite
from .alarms import Alarm
from .changes import Changed
from .changing import Fault, fault
from .conversation import ChatMessage, Kind, Spot
from .deciding import Order
from .inviting import OPEN, honoured
from .messages import Fact, Life, Member, Roster
from .outbox import Entry
from .state import Role, State
from .types import Address, ChatId, Epoch, Incarnation, Key, MemberId, Millis, WallMillis, Way


class TraceRow(Struct, frozen=True):
    """One member's part in the way of an own message."""

    member: MemberId
    # acked, waiting, later (it was dropped), behind (it is back and was not seen to have it yet) or
    # gone (left or kicked)
    state: str
    took_ms: Millis
    way: Way | None
    tries: int
    status: str  # of the last failure
    next_at: Millis | None  # group's clock
    counted: bool  # not dropped when it was said


class Trace(Struct, frozen=True):
    """An own message on its way."""

    message: ChatMessage
    stored_at: Millis  # group's clock
    rows: tuple[TraceRow, ...]

    @property
    def acked(self) -> int:
        """How many of those that count have it."""
        return sum(1 for row in self.rows if row.way is not None and row.counted)

    @property
    def of(self) -> int:
        return sum(1 for row in self.rows if row.counted)


def absence(life: Life | None) -> str:
    """The state of a member that is not waited for and was not seen to have a message."""
    if life is None:
        return "gone"
    return "later" if life is Life.DROPPED else "behind"


class Readable:
    """A group's facts."""

    _s: State

    @property
    def me(self) -> MemberId:
        return self._s.me

    @property
    def refused(self) -> str:
        """The reason for which the registry takes no claim of ours, as far as we know."""
        return self._s.election.refused

    @property
    def chat(self) -> ChatId:
        return self._s.chat

    @property
    def name(self) -> str:
        return self._s.name

    @property
    def mode(self) -> int:
        return self._s.mode

    @property
    def created(self) -> int:
        return self._s.created

    @property
    def nds(self) -> Address:
        return self._s.nds

    @property
    def incarnation(self) -> Incarnation:
        return self._s.incarnation

    @property
    def epoch(self) -> Epoch:
        return self._s.epoch

    @property
    def leader(self) -> MemberId:
        """Who leads the epoch; 0 when unknown, or while it is ours from an earlier life."""
        s = self._s
        return 0 if s.leader == s.me and not s.leads else s.leader

    @property
    def provisional(self) -> MemberId:
        return self._s.provisional

    @property
    def following(self) -> MemberId:
        """Whom this node takes for the leader: the provisional one if there is one."""
        return self._s.provisional or self.leader

    @property
    def role(self) -> Role:
        return self._s.role

    @property
    def leads(self) -> bool:
        return self._s.leads

    @property
    def nds_up(self) -> bool:
        return self._s.nds_up is not False

    @property
    def roster(self) -> Roster:
        return self._s.members.roster

    @property
    def belonging(self) -> tuple[MemberId, ...]:
        """Members neither left nor kicked."""
        return self._s.members.belonging

    @property
    def active(self) -> tuple[MemberId, ...]:
        """Members alive or suspect."""
        return self._s.members.active

    @property
    def near(self) -> tuple[MemberId, ...]:
        """The active others with whom there is to do: all, or the neighbours in a large group."""
        return self._s.near

    @property
    def partial(self) -> bool:
        """True while a newcomer still lacks the oldest messages."""
        return self._s.partial

    @property
    def pending(self) -> int:
        """How many messages wait for one that has not come."""
        return len(self._s.causal.pending)

    @property
    def lost(self) -> dict[MemberId, int]:
        """How many messages of whom are missing for good, as far as the leader found."""
        return self._s.history.lost()

    @property
    def drops(self) -> Counter[str]:
        return self._s.drops

    @property
    def history_hash(self) -> int:
        return self._s.history.hash

    @property
    def fingerprint(self) -> str:
        return f"{self._s.history.hash:016x}"[:4]

    @property
    def waiting(self) -> Set[Key]:
        """Messages in the log that nobody is shown yet: they follow others that are missing."""
        return self._s.causal.pending.keys()

    @property
    def waiting_lines(self) -> int:
        """How many lines those have."""
        return sum(len(message.ids) for message in self._s.causal.pending.values())

    @property
    def outbox_size(self) -> int:
        """How many own lines somebody is still to acknowledge."""
        return self._s.outbox.lines

    def member(self, id: MemberId) -> Member | None:
        return self._s.members.get(id)

    @property
    def invites(self) -> tuple[Invite, ...]:
        """Those that were ever made, but for old ones."""
        return self._s.members.common.invites

    @property
    def has_password(self) -> bool:
        """Is who knows it let in?"""
        members = self._s.members
        return members.password.terms is not None and not members.admins_invite

    @property
    def order(self) -> Order:
        """Who is owner and admin, who was removed, what they alone may."""
        return self._s.members.decisions.order

    @property
    def is_open(self) -> bool:
        """Is whoever asks let in?"""
        return self._s.members.access.value == OPEN and not self._s.members.admins_invite

    @property
    def about(self) -> Fact:
        """The topic."""
        return self._s.members.about

    def honours(self, invite: Invite) -> bool:
        """Does its maker's word count, as far as we know?  It may be over nonetheless."""
        return honoured(self._s, invite)

    def removed_by(self, id: MemberId) -> MemberId:
        """Who removed this member, or keeps its person out; 0 for nobody."""
        return self._s.members.removed_by(id)

    def knows(self, certificate: bytes) -> bool:
        """Is this the certificate of somebody who belongs?"""
        return self._s.members.has(certificate)

    def life(self, id: MemberId) -> Life | None:
        """None for somebody who does not belong."""
        return self._s.members.life(id)

    def shown_nick(self, id: MemberId) -> str:
        return self._s.members.shown_nick(id)

    def nick(self, id: MemberId) -> str:
        """How a member is shown; empty for nobody and for one not known yet."""
        return self._s.members.nick(id)

    def heard_at(self, id: MemberId) -> Millis | None:
        return self._s.liveness.heard_at.get(id)

    @property
    def heard_leader_at(self) -> Millis | None:
        """When our ping was last answered by a leader, whichever that was; None for never."""
        return self._s.liveness.heard_leader_at

    def unheard_since(self, id: MemberId) -> Millis | None:
        """Since when a member does not answer: those that do not lead go by what they are told."""
        liveness = self._s.liveness
        return (liveness.heard_at if self._s.leads else liveness.suspected_at).get(id)

    def silent(self, id: MemberId) -> bool:
        """Whether this node itself finds another member silent, whatever is told of it.

        The leader that it follows does not answer its pings, or nobody acknowledges its lines for
        that member.
        """
        s = self._s
        leader = s.leader if self.following == s.me else self.following
        if id == s.me:
            return False
        return (id == leader and s.liveness.silent_since is not None) or s.outbox.silent(id)

    @property
    def since(self) -> WallMillis:
        """Of what was said before we are given no text; 0: we are given all."""
        return self._s.since

    def changed(self, spot: Spot) -> Changed | None:
        """What became of a line by edits and redactions; None: nothing, as far as is known."""
        return self._s.changes.of(spot)

    def change_fault(self, kind: Kind, about: Spot) -> Fault | None:
        """What is wrong with such a change by this node's user; None: nothing."""
        return fault(self._s, kind, about)

    @property
    def last_own(self) -> Key | None:
        """Our message that is the last one in display order, if it has not been trimmed."""
        return self._s.last_own

    def trace(self, key: Key) -> Trace | None:
        """Who has an own message of this life, or one that is still to be acknowledged."""
        entry = self._s.outbox.find(key)
        return self._trace(entry) if entry is not None else None

    def states(self, key: Key) -> list[tuple[MemberId, str]]:
        """How far each member that counts is with an own message, as `TraceRow.state`."""
        if (entry := self._s.outbox.find(key)) is None:
            return []
        return [(member, self._state(entry, member)) for member in entry.counted]

    def reached(self, key: Key) -> tuple[int, int]:
        """How many have an own message, of how many that count; zeros where that is not known."""
        entry = self._s.outbox.find(key)
        return (entry.acks, len(entry.counted)) if entry is not None else (0, 0)

    def took_ms(self, key: Key, by: MemberId) -> Millis:
        """How long an own message took to reach this member; 0 where that is not known."""
        entry = self._s.outbox.find(key)
        delivery = entry.to.get(by) if entry is not None else None
        return delivery.took_ms if delivery is not None else 0

    def own_ids(self, key: Key) -> tuple[str, ...]:
        """The ids of the lines of an own message that may still be acknowledged."""
        message = self._s.outbox.message(key)
        return message.ids if message is not None else ()

    def queue(self) -> list[Trace]:
        """Own messages that somebody is still to acknowledge, oldest first."""
        return [self._trace(entry) for entry in self._s.outbox.entries.values()]

    def lacking(self, member: MemberId) -> int:
        """How many own lines that were to reach this member it was not seen to have."""
        outbox = self._s.outbox
        waiting = (entry for entry in outbox.entries.values() if member in entry.lacking)
        on_the_way = sum(len(entry.message.ids) for entry in waiting)
        return on_the_way + outbox.lines_lacking(member)

    def _trace(self, entry: Entry) -> Trace:
        s = self._s
        rows = []
        for member, delivery in sorted(entry.to.items()):
            state = self._state(entry, member)
            next_at = s.alarms.at(Alarm.LANE, member) if state == "waiting" else None
            rows.append(
                TraceRow(
                    member,
                    state,
                    delivery.took_ms,
                    delivery.way,
                    delivery.tries,
                    delivery.status,
                    next_at,
                    delivery.counted,
                )
            )
        return Trace(entry.message, entry.stored_at, tuple(rows))

    def _state(self, entry: Entry, member: MemberId) -> str:
        if entry.to[member].way is not None:
            return "acked"
        return "waiting" if member in entry.waits_for else absence(self._s.members.life(member))
