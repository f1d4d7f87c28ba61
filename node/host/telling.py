"""What faces are told of a group: pure functions of notices and a group."""

from functools import lru_cache
from typing import TypeAlias, assert_never

from msgspec import Struct
from msgspec.structs import replace

from .. import happenings
from ..core import messages, types
from ..core.effects import (
    Acknowledged,
    Change,
    Deliver,
    ElectionMoved,
    HolesDeclared,
    HolesFilled,
    JoinFailed,
    Jumped,
    LeaderChanged,
    MemberChanged,
    Merged,
    Notice,
    Remembered,
    SplitHealed,
    Stopped,
)
from ..core.group import Group
from ..core.messages import ChatMessage
from ..core.types import Key, MemberId, Place, Way
from ..errors import Complaint
from ..happenings import (
    ElectionEvent,
    ErrorEvent,
    GapEvent,
    LeaderEvent,
    MemberEvent,
    MergeEvent,
    ReceiptEvent,
    SplitEvent,
    SuspectEvent,
)
from ..runner import Halted, now_ms
from ..words import Epoch, Kind, Line, Progress, Wait
from . import elections

What: TypeAlias = happenings.What

KINDS = {kind: Kind(kind) for kind in messages.Kind}
ID_DIGITS = 4  # of a message id, as people quote it


class Ended(Complaint):
    """#{chat} has stopped here: {text}"""

    reason = "CHAT_STOPPED"
    status = "FAILED_PRECONDITION"


def told(group: Group, notice: Notice | Halted) -> list[What]:
    """What watchers hear of a notice; of what ends something here, `trouble` says it."""
    match notice:
        case Deliver(message=message, way=way, late=late):
            return [line(group, message, backlog=late or way is Way.CATCH_UP)]
        case Acknowledged():
            return [_receipt(group, notice)]
        case MemberChanged():
            return [_member(group, notice)]
        case LeaderChanged():
            return [_leader(group, notice)]
        case ElectionMoved():
            return [_election(group, notice)]
        case Merged(count=count, source=source):
            return [MergeEvent(count, source, group.nick(source))]
        case (
            HolesDeclared(source=source, count=count)
            | HolesFilled(source=source, count=count)
            | Jumped(source=source, count=count)
        ):
            filled = isinstance(notice, HolesFilled)
            return [GapEvent(count, source, group.nick(source), filled)]
        case SplitHealed(messages=count, leader=leader, epoch=epoch):
            there = Epoch(epoch.generation, epoch.n)
            return [SplitEvent(True, count, group.nick(leader), there)]
        case _:
            return []


def trouble(name: str, notice: Halted | Stopped | JoinFailed) -> list[What]:
    """What watchers hear of a notice that ends something here; `name` is the chat's."""
    match notice:
        case JoinFailed(reason=reason, text=said):
            text = f"#{name} does not let you in again: {said}"
        case Halted():
            reason = notice.reason
            text = f"#{name} is stalled here: {notice.text}"
        case Stopped(reason=reason):
            text = f"#{name} has stopped here: {why(notice, name)}"
        case _:
            assert_never(notice)
    return [ErrorEvent(reason, text)] if reason else []  # without one, it was asked to stop


def why(notice: Stopped, name: str) -> str:
    """Why a group has stopped by itself, for people."""
    if notice.reason == "PROFILE_IN_USE":
        return (
            "another process runs with this profile's identity. End one of the two; if that is the"
            f" other, 'p2pchat join {name}' goes on here"
        )
    return notice.reason


def leader_of(group: Group) -> MemberId:
    """Who leads as far as is known; 0 for nobody.

    Oneself only while one does lead: a leader that was restarted never resumes.
    """
    following = group.following
    return 0 if following == group.me and not group.leads else following


def _member(group: Group, notice: MemberChanged) -> What:
    member, nick = notice.member, group.nick(notice.member)
    if notice.change in (Change.SUSPECT, Change.CLEARED):
        return SuspectEvent(member, nick, notice.change is Change.CLEARED)
    if notice.change in (Change.LEFT, Change.KICKED):  # it may have been numbered, as carol2
        return MemberEvent(member, notice.detail or nick, notice.change.value)
    gone = notice.change is Change.DROPPED
    detail = _absence(group, notice) if gone else notice.detail
    return MemberEvent(member, nick, notice.change.value, detail)


def _absence(group: Group, notice: MemberChanged) -> str:
    """Why a member is gone, as far as that is known, and how many own lines it lacks."""
    why, since = notice.detail, group.unheard_since(notice.member)
    if not why and since is not None:
        silent_s = round((now_ms() - since) / 1000)
        why = f"no answer for {silent_s} s" if silent_s else ""
    lacking = group.lacking(notice.member)
    return f"{why}; unsent {lacking}" if lacking else why


def _leader(group: Group, notice: LeaderChanged) -> LeaderEvent:
    return LeaderEvent(
        leader_id=notice.leader,
        nick=group.nick(notice.leader),
        epoch=Epoch(notice.epoch.generation, notice.epoch.n),
        provisional=notice.provisional,
        self=bool(notice.leader) and notice.leader == group.me,
        took_ms=notice.took_ms,
        handed_over_by=group.nick(notice.handed_over_by),
        handed_over_leaving=notice.handed_over_leaving,
    )


def _election(group: Group, notice: ElectionMoved) -> ElectionEvent:
    return ElectionEvent(
        by_id=notice.by,
        by_nick=group.nick(notice.by),
        phase=notice.phase.value,
        detail=notice.detail,
        whom_id=notice.whom,
        whom_nick=group.nick(notice.whom),
        text=elections.step(notice, group.shown_nick),
    )


def _receipt(group: Group, notice: Acknowledged) -> ReceiptEvent:
    id = group.own_id(notice.key)
    return ReceiptEvent(
        msg_id=id,
        id=id[:ID_DIGITS],
        member_id=notice.by,
        nick=group.nick(notice.by),
        acked=notice.acked,
        of=notice.of,
        way=notice.way.value,
        took_ms=group.took_ms(notice.key, notice.by),
    )


def later(group: Group, key: Key, absent: tuple[MemberId, ...]) -> ReceiptEvent:
    """An own line has reached all but these, who get it when they are back."""
    trace, id = group.trace(key), group.own_id(key)
    return ReceiptEvent(
        msg_id=id,
        id=id[:ID_DIGITS],
        acked=trace.acked if trace else 0,
        of=trace.of if trace else 0,
        later=tuple(group.nick(one) for one in absent),
    )


# ---- lines -------------------------------------------------------------------------------------


def line(group: Group, message: ChatMessage, *, backlog: bool, acked: int = 0, of: int = 0) -> Line:
    """A chat message as it is shown."""
    source, me = message.key.source, group.me
    own = source == me
    if own and not of:
        acked, of = group.reached(message.key)
    return Line(
        msg_id=message.id,
        id=message.id[:ID_DIGITS],
        source_id=source,
        nick=group.nick(source),
        text=message.text,
        kind=KINDS[message.kind],
        sent_ms=message.sent,
        epoch=_epoch(message.epoch),
        backlog=backlog,
        own=own,
        acked=acked,
        of=of,
        mention=not own and names(message.text, group.nick(me)),
        place=cursor(message.place),
    )


@lru_cache(maxsize=64)
def _epoch(epoch: types.Epoch) -> Epoch:
    """One that many lines have in common."""
    return Epoch(epoch.generation, epoch.n)


def cursor(place: Place) -> str:
    """A place in display order, as faces hand it back."""
    hlc, source, stream, seq = place
    return f"{hlc.ms}.{hlc.counter}.{source}.{stream.incarnation}.{stream.random}.{seq}"


class Naming(Struct, frozen=True):
    """Whether a text names this nick."""

    nick: str

    def __call__(self, text: str) -> bool:
        return names(text, self.nick)


def names(text: str, nick: str) -> bool:
    """Whether `text` names `nick`, as a word of its own and whatever its case."""
    if not nick:
        return False
    text, nick = text.casefold(), nick.casefold()
    at = text.find(nick)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(nick) : at + len(nick) + 1]
        if not _in_word(before) and not _in_word(after):
            return True
        at = text.find(nick, at + 1)
    return False


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def progress(group: Group, key: Key, short: str, id: str, wait: Wait) -> Progress:
    """How far an own line has come, and whether what is waited for has come."""
    rows = [(member, state) for member, state in group.states(key) if state != "gone"]
    acked = [member for member, state in rows if state == "acked"]
    waiting = [member for member, state in rows if state == "waiting"]
    later = [member for member, state in rows if state in ("later", "behind")]
    leader = leader_of(group)
    match wait:
        case Wait.NONE:
            complete = True
        case Wait.LEADER:
            complete = bool(leader) and (leader == group.me or leader in acked)
        case _:
            complete = not waiting
    return Progress(
        id=short,
        msg_id=id,
        acked=len(acked),
        of=len(rows),
        missing=tuple(group.nick(one) for one in waiting),
        later=tuple(group.nick(one) for one in later),
        done=complete,
        complete=complete,
    )


def ended(last: Progress) -> Progress:
    """The same as the last word."""
    return replace(last, done=True)


def without_membership(remembered: Remembered) -> Remembered:
    """The log of a membership that was ended, for a new one: messages and roster stay."""
    if remembered.meta is None:
        return remembered
    meta = remembered.meta
    left = tuple(sorted({*meta.left_ids, meta.member} - {0}))
    meta = replace(meta, member=0, leaving=False, leader=0, left_ids=left)
    return replace(remembered, meta=meta, posts=())
