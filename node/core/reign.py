"""Whose turn it is: the epoch and leader that hold, how a node comes to lead, how it steps down.

An epoch is led by whoever the registry granted it to, and by no other life of that node.  Everyone
else learns of it: from the registry's record, from COORDINATOR, from any member's view.  Higher
epochs are accepted from anyone, since only the registry makes them; lower ones never act again.
"""

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from .admission import unsigned
from .alarms import Alarm
from .calls import Outcome, Outstanding
from .effects import ElectionMoved, LeaderChanged, ListedAs, Phase
from .election import Stage
from .granting import is_granted
from .issuing import usable
from .messages import (
    NO_GRANT,
    Coordinator,
    Followed,
    Grant,
    Lookup,
    Ping,
    Pong,
    Record,
    RecordRead,
    Refusal,
    Renew,
    Roster,
    Update,
    View,
)
from .proving import SPREAD_MS, Proving, note_registered
from .reasons import Reason
from .state import Role, State
from .types import Address, Epoch, IdBlock, MemberId, Silence

AHEAD_S = 1_800  # a generation is the unix time of a start; clocks differ by less than this
EPOCHS_MAX = 1_000_000  # that may have passed unheard


class HandOver(NamedTuple):
    """Which leader named its successor; 0 for none."""

    by: MemberId
    leaving: bool


NO_HAND_OVER = HandOver(0, leaving=False)


class Resigned(NamedTuple):
    """A good-bye that came before the word of the new leader: what it says of that epoch."""

    epoch: Epoch
    handed_over: HandOver


class Reign:
    """`overhear` hands on what a view tells beside leadership; `led` says that we have just begun
    to lead, after whom; `met` that we led till now, and another leads a higher epoch; `unlisted`
    that the registry has ended the network that we lead.

    To be set before anything happens: `twin` hears that the registry has granted an epoch to us at
    another address, `share` tells the members what is the group's in common.
    """

    twin: Callable[[Address], None]
    share: Callable[[Roster], None]

    def __init__(
        self,
        s: State,
        *,
        overhear: Callable[[MemberId, View], None],
        led: Callable[[MemberId], None],
        met: Callable[[MemberId, Epoch], None],
        unlisted: Callable[[], None],
    ) -> None:
        self._s = s
        self._overhear, self._led, self._met = overhear, led, met
        self._unlisted = unlisted
        self._proving = Proving(s)
        self._reading = False
        self.handed_over: HandOver = NO_HAND_OVER  # of the epoch that we are about to accept
        self._resigned: Resigned | None = None

    # ---- leading -------------------------------------------------------------------------------

    def lead(self, epoch: Epoch, ids: IdBlock, grant: Grant = NO_GRANT) -> None:
        """The registry has granted us this epoch.  There is no other way to lead one."""
        s, e = self._s, self._s.election
        before = s.leader
        took = s.now - s.liveness.silent_since if s.liveness.silent_since is not None else 0
        self._leave_epoch()
        s.epoch, s.leader, s.role = epoch, s.me, Role.LEADER
        s.grant = grant
        s.leader_address = ""
        s.doubtful = e.claim_anew = False
        s.liveness.silent_since = None
        self._take(ids)
        s.store_meta()
        handed, self.handed_over = self.handed_over, NO_HAND_OVER
        s.emit(ElectionMoved(s.me, Phase.WON, f"epoch {epoch.n}"))
        s.emit(LeaderChanged(s.me, epoch, False, took, handed.by, handed.leaving))
        self.redraw()
        s.alarms.set(Alarm.RENEW, s.now + s.timing.renew_ms)
        self.on_pulse()
        self.coordinate(provisional=False, handed=handed)
        self._led(before)

    def _take(self, ids: IdBlock) -> None:
        """The registry has given us these, for newcomers."""
        s = self._s
        s.ids |= usable(s, ids)
        s.saw_id(max(s.ids, default=0))

    def coordinate(self, *, provisional: bool, handed: HandOver = NO_HAND_OVER) -> None:
        """COORDINATOR to everyone, dropped members too."""
        for member in self._s.others:
            self._coordinate(member, provisional, handed, 2)

    def remind(self) -> None:
        """A provisional COORDINATOR once more: to everyone, in a large group to some drawn anew."""
        s = self._s
        others, most = s.others, s.timing.poll_all_max
        for member in s.rng.sample(others, most) if len(others) > most else others:
            self._coordinate(member, True, NO_HAND_OVER, 1)

    def _coordinate(self, to: MemberId, provisional: bool, handed: HandOver, tries: int) -> None:
        s, epoch = self._s, self._s.epoch

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Followed):
                self.learn(to, outcome.view)
            elif tries <= 1 or s.epoch != epoch or not s.leads:
                return
            elif outcome is Silence.SILENT:
                self._coordinate(to, provisional, handed, tries - 1)
            elif isinstance(outcome, Refusal) and outcome.reason == Reason.UNKNOWN_MEMBER:
                self._introduce(to, lambda: self._coordinate(to, provisional, handed, tries - 1))

        view = replace(s.view(), grant=s.grant)
        request = Coordinator(s.caller(to), view, provisional, handed.by, handed.leaving)
        s.call(to, request, s.timing.ping_ms, ended)

    def _introduce(self, to: MemberId, then: Callable[[], None]) -> None:
        """Show who does not know us that we were let in."""
        s = self._s
        update = Update(s.caller(to), s.members.part(s.me))
        s.call(to, update, s.timing.ping_ms, lambda _, __: then())

    def on_pulse(self) -> None:
        """Have a turn at least once per ping deadline."""
        s = self._s
        if s.role is Role.LEADER:
            s.alarms.set(Alarm.PULSE, s.now + s.timing.ping_ms)

    def on_renew(self) -> None:
        """The sign of life at the registry, and more ids where they run low."""
        s, epoch = self._s, self._s.epoch
        if s.role is not Role.LEADER:
            return
        s.alarms.set(Alarm.RENEW, s.now + self._about(s.timing.renew_ms))
        if s.doubtful:
            return

        def renewed(outcome: Outcome) -> None:
            if s.role is not Role.LEADER or s.epoch != epoch:
                return
            if isinstance(outcome, Refusal) and outcome.reason == Reason.UNKNOWN_NETWORK:
                return self._unlisted()
            record = self.take_record(outcome)
            still = record is not None and (record.epoch, record.leader) == (s.epoch, s.me)
            s.election.refused = "" if still else s.election.refused
            if still and isinstance(outcome, RecordRead) and outcome.ids:
                self._take(outcome.ids)

        for roster in (self._proving.fresh(), unsigned(s)):
            if roster is not None:
                self.share(roster)
        want, key = len(s.ids) < s.timing.ids_low, self._proving.due()
        if self._proving.pending:
            s.alarms.set_earlier(Alarm.RENEW, s.now + SPREAD_MS)
        request = Renew(s.chat, s.me, s.epoch, s.setup.address, want, s.facts(), key)
        s.ask(self._proving.proved(request, exactly=True), s.timing.claim_ms, renewed)

    # ---- learning ------------------------------------------------------------------------------

    def learn(self, member: MemberId, view: View) -> bool:
        """A member's answer.  True: it told of a higher epoch, which we have accepted."""
        self._overhear(member, view)
        return self.adopt(view.epoch, view.leader, view.leader_address, grant=view.grant)

    def take_record(self, outcome: Outcome) -> Record | None:
        """The registry's answer: accept its epoch if that is news.  None: it named no record."""
        s, record = self._s, None
        if isinstance(outcome, RecordRead | Refusal):
            record = outcome.record
        if record is not None:
            note_registered(s, record.claim_key)
            self.adopt(record.epoch, record.leader, record.address, sure=True, grant=record.grant)
            self._note_name(record.name)
            if (record.epoch, record.leader) == (s.epoch, s.leader):
                self._note_grant(record.grant)
            if (record.epoch, record.leader) == (s.epoch, s.leader) and s.leader != s.me:
                s.leader_address = record.address  # Its own word, for this epoch.
        return record

    def _note_grant(self, grant: Grant) -> None:
        """It is another one when the claim key has changed."""
        s = self._s
        if grant.signature and (not s.grant.signature or s.grant.claim_key != grant.claim_key):
            s.grant = grant
            s.store_meta()

    def _note_name(self, name: str) -> None:
        s = self._s
        if name and name != s.listed_as:
            s.listed_as = name
            if name != s.name:
                s.emit(ListedAs(name))

    def adopt(
        self,
        epoch: Epoch,
        leader: MemberId,
        address: Address,
        *,
        sure: bool = False,
        grant: Grant = NO_GRANT,
    ) -> bool:
        """Accept a higher epoch, or the unknown leader of ours.  True: something changed.

        `sure`: the registry says so.  Anybody else's word is believed only with the registry's
        grant, and where it can have issued the epoch: one from the far future would end all
        leadership for good.
        """
        s, e = self._s, self._s.election
        is_other = epoch == s.epoch and leader not in (0, s.me, s.leader)
        if s.role is Role.OUTSIDE or (epoch <= s.epoch and not is_other):
            return False
        if not sure and not self._believable(epoch):
            s.drop("an epoch that the registry cannot have issued yet")
            return False
        if is_other and s.leader and (sure or not grant.signature):
            return False
        if not sure and not is_granted(s, epoch, leader, grant):
            s.drop("an epoch that the registry has not granted")
            return False
        if is_other:
            return self._prefer(leader, address, grant)
        took = s.now - s.liveness.silent_since if s.liveness.silent_since is not None else 0
        if s.leads and not s.closing:
            self._met(leader, epoch)
        claim = e.claim if e.claiming and leader == s.me else None
        self._leave_epoch()
        s.epoch, s.leader, s.grant = epoch, leader, grant
        s.leader_address = "" if s.members.get(leader) is not None else address
        if leader == s.me:  # Granted, but the grant was lost, or is still on its way to us.
            e.claim, e.claim_anew = claim, True
            s.store_meta()
            if address not in ("", s.setup.address):
                self.twin(address)  # Or granted to another process that is us.
            s.alarms.set(Alarm.LEADER, s.now)
        else:
            self._follow_new(took)
        return True

    def _prefer(self, leader: MemberId, address: Address, grant: Grant) -> bool:
        """Another leads our epoch, of which no leader was known; else the registry lies, and the
        lower one of the two is followed.  True: that is the other one.
        """
        s = self._s
        if s.leader:
            s.drop("two leaders of one epoch, each granted by the registry")
            if s.leader < leader:
                return False
            self._leave_epoch()
        s.leader, s.leader_address, s.grant = leader, address, grant
        self._follow_new(0)
        return True

    def say_good_bye(self, member: MemberId, epoch: Epoch, *, leaving: bool) -> None:
        """A member goes, who knows that epoch.

        A leader goes once another leads: where ours knows a later epoch than we do, it has handed
        over, whoever tells us to whom.
        """
        if member == self._s.leader:
            self._resigned = Resigned(epoch, HandOver(member, leaving))

    def _believable(self, epoch: Epoch) -> bool:
        s = self._s
        latest = max(s.wall // 1_000, s.epoch.generation) + AHEAD_S
        return epoch.generation <= latest and epoch.n <= s.epoch.n + EPOCHS_MAX

    def _follow_new(self, took: int) -> None:
        s = self._s
        s.liveness.silent(s.now)
        s.liveness.silent_since = None
        s.election.forget_back_off()
        s.store_meta()
        handed, self.handed_over = self.handed_over, NO_HAND_OVER
        if handed == NO_HAND_OVER and self._resigned and self._resigned.epoch == s.epoch:
            handed = self._resigned.handed_over
        s.emit(LeaderChanged(s.leader, s.epoch, False, took, handed.by, handed.leaving))
        self.redraw()

    def _leave_epoch(self) -> None:
        """Drop all that belonged to the epoch before: role, ids, claim, rounds."""
        s, e = self._s, self._s.election
        s.role, s.provisional, s.ids, s.doubtful = Role.FOLLOWER, 0, {}, False
        s.liveness.silent(s.now)
        s.liveness.checks.clear()
        e.claim = None
        e.stage, e.round = Stage.IDLE, None
        e.forget_back_off()
        for alarm in (
            Alarm.WAIT,
            Alarm.RENEW,
            Alarm.MEMBERS,
            Alarm.PROVISIONAL,
            Alarm.STAND_IN,
            Alarm.HINT,
        ):
            s.alarms.cancel(alarm)

    def hear_of(
        self, member: MemberId, epoch: Epoch, leader: MemberId = 0, address: Address = ""
    ) -> None:
        """A caller knows a higher epoch: read the record; failing that, believe it, or have it show
        its grant where that can be looked at.
        """
        s = self._s
        if epoch <= s.epoch or self._reading or s.role is Role.OUTSIDE:
            return
        self._reading = True

        def shown(_: Outstanding, outcome: Outcome) -> None:
            if isinstance(outcome, Pong):
                self.learn(member, outcome.view)

        def read(outcome: Outcome) -> None:
            self._reading = False
            self.take_record(outcome)
            if s.epoch >= epoch:
                return
            if s.setup.granted is None:
                self.adopt(epoch, leader, address)
            elif member != s.me and s.members.belongs(member):  # We may be that one by now.
                s.call(member, self.ping_request(member), s.timing.ping_ms, shown)

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    def on_record(self) -> None:
        s = self._s
        s.alarms.set(Alarm.RECORD, s.now + self._about(s.timing.record_ms))
        s.ask(
            Lookup(s.chat), s.timing.lookup_ms, lambda outcome: _ignore(self.take_record(outcome))
        )

    # ---- after a freeze ------------------------------------------------------------------------

    def thaw(self) -> None:
        """Our turn came late by more than t2: whatever we believe may be history."""
        s = self._s
        s.liveness.silent(s.now)
        if s.role is not Role.LEADER:
            return
        s.doubtful, epoch = True, s.epoch

        def clear() -> None:
            if s.epoch == epoch:
                s.doubtful = False

        def read(outcome: Outcome) -> None:
            if s.epoch != epoch or s.role is not Role.LEADER:
                return
            if isinstance(outcome, Silence):
                s.call_each(s.others, self.ping_request, s.timing.ping_ms, self._told_late, clear)
            else:
                self.take_record(outcome)
                clear()

        s.ask(Lookup(s.chat), s.timing.lookup_ms, read)

    def _told_late(self, member: MemberId, outcome: Outcome) -> None:
        if isinstance(outcome, Pong):
            self.learn(member, outcome.view)

    # ---- small things --------------------------------------------------------------------------

    def redraw(self) -> None:
        """The liveness timer, drawn afresh."""
        s = self._s
        s.alarms.set(Alarm.LEADER, s.now + s.rng.randint(s.timing.t1_ms, s.timing.t2_ms))

    def ping_request(self, member: MemberId) -> Ping:
        return Ping(self._s.caller(member), self._s.view())

    def _about(self, ms: int) -> int:
        return self._s.rng.randint(ms * 9 // 10, ms * 11 // 10)


def _ignore(_: object) -> None:
    """The answer matters only for what it changed."""
