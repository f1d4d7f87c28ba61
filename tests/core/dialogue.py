"""A dialogue: one group in a scripted world, so that a rule of the protocol reads like a script.

The world agrees unless a test says otherwise: members see what we see, follow, and answer at once;
the registry's record stays as it is.  `mute`, `kill` and `cut_registry` take that away; calls in
`SCRIPTED` and those of a kind that `hold` names wait for the test to `answer` or `fail` them.
A step (`hand`, `wait`, `hears`, ...) leaves
its effects in `said`.
"""

from collections import deque
from collections.abc import Mapping
from random import Random
from typing import Any

from msgspec.structs import replace

from node.core import effects as e
from node.core import messages as m
from node.core.conversation import ChatMessage
from node.core.events import (
    Answered,
    Event,
    Failed,
    Founded,
    Joining,
    Received,
    Started,
    Submitted,
    Woken,
)
from node.core.group import Group
from node.core.membership import Membership
from node.core.timing import LAN, Timing
from node.core.types import Epoch, IdBlock, MemberId, Silence

from .cast import (
    BEFORE,
    CHAT,
    EPOCH,
    FIRST,
    LEADING,
    NEXT,
    NOT_LEADING,
    PROVISIONAL,
    WALL,
    address,
    person,
    record,
    remembered,
    setup,
)

REGISTRY, STRANGER = -1, 0  # beside members, whom calls go to
SCRIPTED = (m.Claim, m.Delete, m.Elect, m.Tell, m.Join, m.Leave)


class Dialogue:
    def __init__(self, group: Group, member: MemberId, now: int = 0) -> None:
        self.group, self.member, self.now = group, member, now
        self.record = record(group.leader or member, group.epoch)
        self.said: list[e.Effect] = []  # by the last step
        self.log: list[tuple[int, e.Effect]] = []
        self._open: dict[int, tuple[int, e.Call | e.Ask]] = {}
        self._silent: dict[MemberId, Silence] = {}
        self._held: tuple[type, ...] = SCRIPTED
        self._inbound = 0

    # ---- what happens ----------------------------------------------------------------------------

    def hand(self, event: Event) -> list[e.Effect]:
        """Hand in an event; the agreeable world answers what it can."""
        self.said = []
        self._take(event)
        return self.said

    def wait(self, ms: int) -> list[e.Effect]:
        """Let time pass; the group is woken whenever it asked to be."""
        self.said = []
        end = self.now + ms
        for _ in range(10_000):
            due = self.group.deadline
            if due is None or due > end:
                self.now = end
                return self.said
            self.now = max(self.now, due)
            self._take(Woken())
        raise AssertionError(f"the group never rests: deadline {self.group.deadline}")

    def wait_for(self, kind: type, to: MemberId | None = None, ms: int = 20_000) -> Any:
        """Let time pass until such a call waits for its answer; gives the request."""
        said: list[e.Effect] = []
        end = self.now + ms
        while not self.waits(kind, to):
            due = self.group.deadline
            late = due is None or due > end
            said_so_far = f"no {kind.__name__} in {ms} ms; {self.waiting}"
            assert due is not None, said_so_far
            assert not late, said_so_far
            said += self.wait(max(0, due - self.now))
        self.said = said
        return self.call(kind, to).request

    def freeze(self, ms: int) -> list[e.Effect]:
        """The process gets no turn for so long; then it gets one."""
        self.now += ms
        return self.hand(Woken())

    def says(self, text: str, wall: int = 0) -> ChatMessage:
        """The user writes a line; gives the message that is shown."""
        self._inbound += 1
        id = f"ffffffff-0000-4000-8000-{self._inbound:012x}"
        self.hand(Submitted(text, id, wall or WALL + self.now))
        return next(s.message for s in self.said if isinstance(s, e.Deliver) and s.message.id == id)

    def hears(self, request: m.Request) -> Any:
        """A request comes in; gives its answer, None if that is still to come."""
        self._inbound += 1
        self.hand(Received(self._inbound, request))
        return self.reply(self._inbound)

    def reply(self, call: int = 0) -> Any:
        """The answer given in the last step to that request, or to the last one."""
        call = call or self._inbound
        replies = [
            s.reply if isinstance(s, e.Respond) else s
            for s in self.said
            if isinstance(s, e.Respond | e.Serve) and s.call == call
        ]
        assert len(replies) <= 1, f"answered twice: {replies}"
        return replies[0] if replies else None

    # ---- our own calls ---------------------------------------------------------------------------

    @property
    def waiting(self) -> list[tuple[str, MemberId]]:
        """Kind and callee of the calls that are to be answered."""
        return [
            (type(c.request).__name__, _callee(c))
            for due, c in self._open.values()
            if due > self.now
        ]

    def waits(self, kind: type, to: MemberId | None = None) -> bool:
        return any(w == kind.__name__ and to in (None, at) for w, at in self.waiting)

    def callees(self, kind: type) -> list[MemberId]:
        """Whom calls of this kind wait for."""
        return [at for w, at in self.waiting if w == kind.__name__]

    def call(self, kind: type, to: MemberId | None = None) -> Any:
        """The newest call of this kind that waits."""
        assert self.waits(kind, to), f"no {kind.__name__} to {to} waits, but {self.waiting}"
        return next(
            c
            for due, c in reversed(self._open.values())
            if due > self.now and isinstance(c.request, kind) and to in (None, _callee(c))
        )

    def answer(self, kind: type, reply: Any, to: MemberId | None = None) -> list[e.Effect]:
        call = self.call(kind, to).call
        del self._open[call]
        return self.hand(Answered(call, reply))

    def fail(
        self, kind: type, to: MemberId | None = None, how: Silence = Silence.SILENT, why: str = ""
    ) -> list[e.Effect]:
        call = self.call(kind, to).call
        del self._open[call]
        return self.hand(Failed(call, how, why))

    # ---- what the world is like ------------------------------------------------------------------

    def mute(self, *members: MemberId) -> None:
        """They are frozen or cut off: no answer."""
        self._silent.update(dict.fromkeys(members, Silence.SILENT))

    def kill(self, *members: MemberId) -> None:
        """Their processes are gone: connections are refused."""
        self._silent.update(dict.fromkeys(members, Silence.REFUSED))

    def heal(self, *members: MemberId) -> None:
        for member in members:
            self._silent.pop(member, None)

    def cut_registry(self) -> None:
        self.mute(REGISTRY)

    def mend_registry(self) -> None:
        self.heal(REGISTRY)

    def hold(self, *kinds: type) -> None:
        """Calls of these kinds, too, are answered by the script alone."""
        self._held += kinds

    def release(self, *kinds: type) -> None:
        self._held = tuple(kind for kind in self._held if kind not in kinds)

    def caller(self, member: MemberId, callee: MemberId | None = None, **rest: Any) -> m.Caller:
        """That member calls us, in the life that we know of."""
        known = self.group.member(member)
        incarnation = known.incarnation if known is not None else 100
        callee = self.group.me if callee is None else callee
        caller = m.Caller(self.group.chat, member, incarnation, self.group.epoch, callee)
        return replace(caller, **rest)

    def view(self, member: MemberId = 0, **rest: Any) -> m.View:
        """That member's view: ours, unless said otherwise."""
        group = self.group
        known = group.member(member)
        leader = rest.get("leader", group.leader)
        seen = m.View(
            epoch=group.epoch,
            leader=leader,
            leader_address=address(leader) if leader else "",
            provisional=group.provisional,
            highest_n=0,
            roster_hash=Membership(group.roster).hash,
            history_hash=group.history_hash,
            incarnation=known.incarnation if known is not None else 100,
            process=member,
        )
        return replace(seen, **rest)

    def pong(self, standing: m.Standing = NOT_LEADING, member: MemberId = 0, **rest: Any) -> m.Pong:
        return m.Pong(standing, self.view(member, **rest), reached=True)

    def vote(self, vote: m.Vote, *, ok: bool = False, nds: bool = True, **view: Any) -> m.Elected:
        return m.Elected(ok, nds, vote, self.view(**view))

    def granted(self, epoch: Epoch = NEXT, first: MemberId = 50, count: int = 8) -> m.Granted:
        """The registry lets us lead; from now on that is its record."""
        self.record = record(self.group.me, epoch)
        return m.Granted(self.record, IdBlock(first, count))

    # ---- what was said ---------------------------------------------------------------------------

    def of(self, kind: type) -> list[Any]:
        """Effects of this kind of the last step."""
        return [effect for effect in self.said if isinstance(effect, kind)]

    def one(self, kind: type) -> Any:
        found = self.of(kind)
        assert len(found) == 1, f"{len(found)} {kind.__name__} in {self.said}"
        return found[0]

    def sent(self, kind: type, to: MemberId | None = None) -> list[Any]:
        """Requests of this kind of the last step, answered since or not."""
        return [
            effect.request
            for effect in self.said
            if isinstance(effect, e.Call | e.Ask)
            and isinstance(effect.request, kind)
            and to in (None, _callee(effect))
        ]

    @property
    def shown(self) -> list[str]:
        """Texts of all lines shown so far."""
        told = (s for _, s in self.log if isinstance(s, e.Deliver))
        return [line.text for notice in told for line in notice.lines]

    @property
    def changes(self) -> list[tuple[MemberId, e.Change]]:
        """What the last step told people about members."""
        return [(s.member, s.change) for s in self.of(e.MemberChanged)]

    def position(self, kind: type, request: type | None = None) -> int:
        """Where in the last step the first such effect stands."""
        return next(
            at
            for at, s in enumerate(self.said)
            if isinstance(s, kind)
            and (request is None or isinstance(getattr(s, "request", None), request))
        )

    # ---- the world at work -----------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        events = deque([event])
        for _ in range(10_000):
            if not events:
                return
            for effect in self.group.handle(self.now, events.popleft()):
                self.said.append(effect)
                self.log.append((self.now, effect))
                if isinstance(effect, e.Call | e.Ask):
                    self._open[effect.call] = self.now + effect.deadline_ms, effect
                    if (outcome := self._outcome(effect)) is not None:
                        del self._open[effect.call]
                        events.append(outcome)
        raise AssertionError(f"the group and the world talk for ever: {self.said[-3:]}")

    def _outcome(self, call: e.Call | e.Ask) -> Answered | Failed | None:
        to = _callee(call)
        if (how := self._silent.get(to)) is not None:
            refused = how is Silence.REFUSED
            return Failed(call.call, how, "UNAVAILABLE") if refused else None
        if to == STRANGER or isinstance(call.request, self._held):
            return None
        reply = self._agree(to, call.request)
        return Answered(call.call, reply) if reply is not None else None

    def _agree(self, to: MemberId, request: Any) -> Any:
        view = self.view(to)
        match request:
            case m.Lookup() | m.Renew():
                return m.RecordRead(self.record)
            case m.Ping():
                standing = LEADING if to == view.leader else NOT_LEADING
                return m.Pong(PROVISIONAL if to == view.provisional else standing, view, True)
            case m.Coordinator():
                return m.Followed(False, view)
            case m.Update():
                return m.Updated(m.NOBODY, view)
            case m.Acks():
                return m.AcksNoted()
            case m.Sync():
                return m.Synced(view)
        return None


def _callee(call: e.Call | e.Ask) -> MemberId:
    return call.to if isinstance(call, e.Call) else REGISTRY


# ---- how dialogues begin -------------------------------------------------------------------------


def returning(
    me: MemberId | m.Member,
    *others: MemberId | m.Member,
    leader: MemberId,
    timing: Timing = LAN,
    seed: int = 1,
    card: m.Card = m.NO_CARD,
    signs: Mapping[str, Any] | None = None,
    **rest: Any,
) -> Dialogue:
    """A member whose process has not started yet, with what its log kept."""
    mine = me if isinstance(me, m.Member) else person(me)
    known = [other if isinstance(other, m.Member) else person(other) for other in others]
    log = remembered(mine, *known, leader=leader, **rest)
    group = Group(setup(mine.id, chat=CHAT, card=card, **signs or {}), timing, Random(seed), log)
    return Dialogue(group, mine.id)


def follower(
    me: MemberId | m.Member, *others: MemberId | m.Member, leader: MemberId = 1, **rest: Any
) -> Dialogue:
    """A member that has just heard its leader of EPOCH."""
    talk = returning(me, *others, leader=leader, **rest)
    talk.hand(Started(WALL))
    assert talk.group.following == leader
    assert not talk.group.leads
    return talk


def leading(
    me: MemberId, *others: MemberId | m.Member, first: MemberId = 50, count: int = 8, **rest: Any
) -> Dialogue:
    """The leader of EPOCH, granted a moment ago, with ids from `first` on."""
    talk = returning(me, *others, leader=me, epoch=BEFORE, **rest)
    talk.hand(Started(WALL))
    talk.answer(m.Claim, talk.granted(EPOCH, first, count))
    assert talk.group.leads
    return talk


def founding(timing: Timing = LAN) -> Dialogue:
    """The first member of a new network, with the ids 1 to 8."""
    talk = Dialogue(Group(setup(1, name="den"), timing, Random(1)), 1)
    talk.hand(Started(WALL))
    talk.record = record(1, FIRST)
    talk.hand(Founded(talk.record, IdBlock(1, 8)))
    return talk


def outsider(member: MemberId = 9, at: str = "", timing: Timing = LAN, **rest: Any) -> Dialogue:
    """Somebody who has just asked to join: there, or by name."""
    talk = Dialogue(Group(setup(member, name="den", **rest), timing, Random(1)), member)
    talk.record = record(1)
    talk.hand(Started(WALL))
    talk.hand(Joining(at))
    return talk
