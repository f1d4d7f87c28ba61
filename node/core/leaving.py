"""Going: handing leadership over, saying good-bye, or only closing down.

A leader names its successor, the lowest active other: it calls the ELECTION itself, and yields
when the registry asks.  The pause is one claim.  A leaver offers its unsent lines for a while, then
tells every member; a leave that nobody acknowledged is kept and said again at the next start.

    Leaving -> HANDING OVER -> OFFERING (the outbox) -> TELLING -> departed
    Closing -> HANDING OVER -> CLOSING (saying that we go offline) -> stopped
"""

from enum import Enum, auto

from msgspec.structs import replace

from . import rounds
from .alarms import Alarm
from .belonging import Belonging
from .calls import Outcome, Outstanding
from .effects import Departed, ElectionMoved, Phase, Stopped
from .governing import Governing
from .membership import suspected
from .messages import (
    TRANSIENT,
    Delete,
    Deleted,
    Elect,
    Leave,
    LeaveNoted,
    Life,
    Refusal,
    Roster,
    Update,
)
from .proving import Proving
from .reasons import Reason
from .state import Role, State
from .types import CallId, MemberId, Silence
from .vetting import farewell, is_signed

SUCCESSORS = 2  # that are asked, one after the other


class Step(Enum):
    STAYING = auto()
    HANDING_OVER = auto()
    CLOSING = auto()
    OFFERING = auto()
    TELLING = auto()


class Leaving:
    def __init__(self, s: State, belonging: Belonging, governing: Governing) -> None:
        self._s, self._belonging, self._governing = s, belonging, governing
        self._step = Step.STAYING
        self._for_good = False
        self._heirs: list[MemberId] = []
        self._told: set[MemberId] = set()
        self._untold: set[MemberId] = set()  # those we still wait for
        self._gone: set[MemberId] = set()  # those that nobody can tell

    def leave(self) -> None:
        """End the membership; who owns the group hands it on before."""
        if self._for_good:
            return
        self._for_good = True
        self._governing.hand_on(self._begin)

    def close(self) -> None:
        """End the process; the membership stays."""
        self._begin()

    def resume(self) -> None:
        """A leave that nobody acknowledged before the process ended."""
        self._for_good = True
        self._farewell()

    def _begin(self) -> None:
        s = self._s
        if self._step is not Step.STAYING:
            return
        s.closing = True
        if s.role is Role.OUTSIDE:
            s.emit(Departed(0, 0, deleted=False) if self._for_good else Stopped())
        elif s.role is Role.LEADER and s.active_others and not s.doubtful:
            self._step = Step.HANDING_OVER
            self._heirs = list(s.active_others[:SUCCESSORS])
            self._name_successor()
        else:
            self._handed_over()

    # ---- handing over --------------------------------------------------------------------------

    def _name_successor(self) -> None:
        s = self._s
        if not self._heirs:
            return self._handed_over()
        heir = self._heirs.pop(0)

        def ended(_: Outstanding, outcome: Outcome) -> None:
            s.emit(rounds.heard(s.me, heir, outcome))
            if isinstance(outcome, Silence) and self._step is Step.HANDING_OVER:
                self._name_successor()

        s.alarms.set(Alarm.HAND_OVER, s.now + s.timing.wait_ms)
        s.emit(ElectionMoved(s.me, Phase.ASKED, rounds.TO_TAKE_OVER, heir))
        request = Elect(s.caller(heir), s.view(), hand_over=True, leaving=self._for_good)
        s.call(heir, request, s.timing.ping_ms, ended)

    def on_hand_over(self) -> None:
        """The successor has not claimed in time."""
        if self._step is Step.HANDING_OVER:
            self._name_successor()

    def deposed(self) -> None:
        """We no longer lead: while handing over, that is what we waited for."""
        if self._step is Step.HANDING_OVER:
            self._handed_over()

    def _handed_over(self) -> None:
        s = self._s
        s.alarms.cancel(Alarm.HAND_OVER)
        if not self._for_good:
            self._go_offline()
        elif s.outbox.entries and s.active_others:
            self._step = Step.OFFERING
            s.alarms.set(Alarm.LEAVE, s.now + s.timing.leave_ms)
        else:
            self._farewell()

    # ---- closing down --------------------------------------------------------------------------

    def _go_offline(self) -> None:
        """Tell the others that we shall not answer, so that nobody has to find out."""
        s = self._s
        self._step = Step.CLOSING
        mine = s.members.get(s.me)
        told = s.active_others if s.leads else s.near
        if mine is None or not told:
            return self._stop()
        s.members.put(suspected(mine, Life.DROPPED))
        s.store_roster()
        part = s.members.part(s.me)
        s.call_each(
            told,
            lambda member: Update(s.caller(member), part),
            s.timing.ping_ms,
            lambda member, outcome: None,
            self._stop,
        )

    def _stop(self) -> None:
        s = self._s
        self._step = Step.STAYING
        s.role = Role.OUTSIDE
        s.alarms.clear()
        s.emit(Stopped())

    # ---- good-bye ------------------------------------------------------------------------------

    def outbox_emptied(self) -> None:
        if self._step is Step.OFFERING:
            self._farewell()

    def on_farewell(self, member: MemberId) -> None:
        """It did not answer: tell it once more."""
        mine = self._s.members.get(self._s.me)
        if self._step is Step.TELLING and member in self._untold and mine is not None:
            self._tell(member, Leave(self._s.caller(member), mine))

    def on_leave_alarm(self) -> None:
        if self._step is Step.OFFERING:
            self._farewell()
        elif self._step is Step.TELLING:
            self._depart()

    def _farewell(self) -> None:
        s = self._s
        self._step = Step.TELLING
        mine = s.members.get(s.me)
        assert mine is not None, f"{s.me} is not in its own roster"
        ends = ((s.stream, s.stream_seq),) if s.stream is not None else ()
        s.leaving = True
        s.store_meta()  # First: a start after a crash in between goes on leaving.
        word = farewell(s, s.me)
        s.members.put(replace(mine, left=True, farewell=word, ends=(*mine.ends, *ends)))
        s.store_roster()
        self._untold = set() if self._ends_it() else set(s.others)
        if not self._untold:
            delete = Proving(s).proved(Delete(s.chat, s.epoch))
            return s.ask(delete, s.timing.leave_ms, self._deleted)
        s.alarms.set(Alarm.LEAVE, s.now + s.timing.leave_ms)
        record = s.members.get(s.me)
        assert record is not None
        for member in sorted(self._untold):
            self._tell(member, Leave(s.caller(member), record))

    def _ends_it(self) -> bool:
        """Are those of a transient group that we do not reach gone for good?  Where they live on
        behind a split, their next claim revives the network.
        """
        s = self._s
        return s.mode == TRANSIENT and s.role is Role.LEADER and not s.active_others

    def _tell(self, member: MemberId, request: Leave) -> None:
        s = self._s

        def ended(_: Outstanding, outcome: Outcome) -> None:
            if self._step is not Step.TELLING:
                return
            knows = isinstance(outcome, Refusal) and outcome.reason == Reason.LEFT
            if isinstance(outcome, LeaveNoted) or knows:
                self._told.add(member)
                self._untold.discard(member)
            elif outcome is Silence.SILENT:
                return s.alarms.set(Alarm.FAREWELL, s.now + s.timing.ping_ms, member)
            else:
                self._untold.discard(member)  # Gone, or it does not know us: nobody to tell.
                self._gone.add(member)
            if not self._untold:
                self._depart()

        s.call(member, request, s.timing.ping_ms, ended)

    def _deleted(self, outcome: Outcome) -> None:
        over = isinstance(outcome, Deleted) or (
            isinstance(outcome, Refusal) and outcome.reason == Reason.UNKNOWN_NETWORK
        )
        self._depart(deleted=over)

    def _depart(self, *, deleted: bool = False) -> None:
        s = self._s
        self._step = Step.STAYING
        s.alarms.clear()
        if self._told or deleted:
            s.leaving = False
        if s.me:
            s.left_ids = tuple(sorted({*s.left_ids, s.me}))
        s.role = Role.OUTSIDE
        s.store_meta()
        s.emit(Departed(len(self._told), len(self._untold | self._gone), deleted))

    # ---- others' good-byes ---------------------------------------------------------------------

    def left(self, call: CallId, request: Leave) -> None:
        """A member leaves: noted, whoever leads, and passed on."""
        s, record = self._s, request.record
        known = s.members.get(record.id)
        if known is None or record.id != request.caller.node:
            return s.respond(call, Refusal(Reason.UNKNOWN_MEMBER, f"no member {record.id} here"))
        if not (known.left or is_signed(s, known.identity, record.id, record.farewell)):
            text = "a farewell must be signed by the member that leaves"
            return s.respond(call, Refusal(Reason.WRONG_SIGNATURE, text))
        news = not known.left
        self._belonging.absorb(Roster((replace(record, left=True),)), by=record.id)
        s.respond(call, LeaveNoted(s.view(request.caller.epoch)))
        if news and s.leads:
            self._belonging.tell(record.id)
