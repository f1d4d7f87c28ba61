"""What faces are told of a group: pure functions of notices and a group."""

from collections.abc import Iterable
from functools import lru_cache
from logging import LoggerAdapter
from typing import Any, TypeAlias, assert_never

from msgspec import Struct
from msgspec.structs import replace

from .. import happenings
from ..archive import Archive
from ..core import conversation, types
from ..core.conversation import ChatMessage, Spot
from ..core.effects import (
    Acknowledged,
    Change,
    Deliver,
    ElectionMoved,
    Forged,
    HolesDeclared,
    HolesFilled,
    JoinFailed,
    Jumped,
    LeaderChanged,
    LineChanged,
    MemberChanged,
    Merged,
    Notice,
    Remembered,
    SplitHealed,
    Stopped,
)
from ..core.group import Group
from ..core.reasons import Reason
from ..core.types import Key, MemberId, Place, Way
from ..errors import Complaint, DiskFailed
from ..happenings import (
    ChangeEvent,
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
_Log: TypeAlias = LoggerAdapter[Any]

GONE = (Change.LEFT, Change.KICKED, Change.BANNED)
KINDS = {conversation.Kind(kind): kind for kind in Kind}
ID_DIGITS = 4  # of a message id, as people quote it


class Ended(Complaint):
    """#{chat} has stopped here: {text}"""

    reason = "CHAT_STOPPED"
    status = "FAILED_PRECONDITION"


def told(group: Group, notice: Notice | Halted) -> list[What]:
    """What watchers hear of a notice; of what ends something here, `trouble` says it."""
    match notice:
        case Deliver(message=message, way=way, late=late):
            return [*_lines(group, message, notice.shown, late or way is Way.CATCH_UP)]
        case Acknowledged():
            return _receipts(group, notice)
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
        case Forged(by=by, source=source):
            said = f"{group.nick(by)} handed on a line that {group.nick(source)} has not signed"
            return [ErrorEvent(Reason.WRONG_SIGNATURE, f"{said}: it was refused")]
        case SplitHealed(messages=count, leader=leader, epoch=epoch):
            there = Epoch(epoch.generation, epoch.n)
            return [SplitEvent(True, count, group.nick(leader), there)]
        case _:
            return []


def expelled(group: Group, name: str) -> str:
    """Why one is no member any more, for people."""
    by = group.removed_by(group.me)
    return (
        f"you were removed by {group.nick(by) or 'somebody'}" if by else f"you are out of #{name}"
    )


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
    by, by_nick = notice.by, group.nick(notice.by)
    if notice.change in (Change.SUSPECT, Change.CLEARED):
        return SuspectEvent(member, nick, notice.change is Change.CLEARED)
    if notice.change in GONE:  # it may have been numbered, as carol2
        shown = notice.detail or nick
        return MemberEvent(member, shown, notice.change.value, by_id=by, by_nick=by_nick)
    gone = notice.change is Change.DROPPED
    detail = _absence(group, notice) if gone else notice.detail
    change = notice.change.value
    return MemberEvent(member, nick, change, detail, by_id=by, by_nick=by_nick)


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


def _receipts(group: Group, notice: Acknowledged) -> list[What]:
    """One for each line."""
    nick, took_ms = group.nick(notice.by), group.took_ms(notice.key, notice.by)
    return [
        ReceiptEvent(
            msg_id=id,
            id=id[:ID_DIGITS],
            member_id=notice.by,
            nick=nick,
            acked=notice.acked,
            of=notice.of,
            way=notice.way.value,
            took_ms=took_ms,
        )
        for id in group.own_ids(notice.key)
    ]


def later(group: Group, key: Key, absent: tuple[MemberId, ...]) -> ReceiptEvent:
    """Own lines have reached all but these, who get them when they are back; named by the first."""
    trace, id = group.trace(key), next(iter(group.own_ids(key)), "")
    return ReceiptEvent(
        msg_id=id,
        id=id[:ID_DIGITS],
        acked=trace.acked if trace else 0,
        of=trace.of if trace else 0,
        later=tuple(group.nick(one) for one in absent),
    )


# ---- lines -------------------------------------------------------------------------------------


def line(
    group: Group, said: conversation.Line, *, backlog: bool, acked: int = 0, of: int = 0
) -> Line:
    """A line as it is shown."""
    return _lines(group, said.message, (said.at,), backlog, acked, of)[0]


def changed(group: Group, archive: Archive, notice: LineChanged, log: _Log) -> list[What]:
    """What watchers hear of a line that has another text now, or none."""
    key, at = notice.spot
    try:
        found = archive.read([key])
    except DiskFailed as error:  # Whoever reads the history later sees what it is.
        log.warning("a line that was changed cannot be read: %s", error)
        return []
    these = [message for message in found if at < len(message.ids)]  # It may be another by now.
    lines = [said for message in these for said in _lines(group, message, (at,), backlog=True)]
    return [ChangeEvent(said, notice.by, group.nick(notice.by)) for said in lines]


def _lines(
    group: Group,
    message: ChatMessage,
    these: Iterable[int],
    backlog: bool,
    acked: int = 0,
    of: int = 0,
) -> list[Line]:
    """Those lines of a message; what they have in common is found out once."""
    if not message.is_said:
        return []  # What it changes is told.
    source, me = message.key.source, group.me
    own, nick, mine = source == me, group.nick(source), group.nick(me)
    if own and not of:
        acked, of = group.reached(message.key)
    kind, sent, epoch = KINDS[message.kind], message.sent, _epoch(message.epoch)
    ids, texts, where = message.ids, message.texts, cursor(message.place)
    if message.erased:
        texts = tuple(_text(group, message, at) for at in range(len(texts)))
    lines = [
        Line(
            ids[at],
            ids[at][:ID_DIGITS],
            source,
            nick,
            texts[at],
            kind,
            sent,
            epoch,
            backlog,
            own,
            acked,
            of,
            not own and names(texts[at], mine),
            f"{where}.{at}",
        )
        for at in these
    ]
    return [_as_it_is(group, message, one) for one in lines] if message.erased else lines


def _text(group: Group, message: ChatMessage, at: int) -> str:
    """What stands there now."""
    what = group.changed(Spot(message.key, at))
    return what.edit.texts[0] if what is not None and what.edit is not None else message.texts[at]


def _as_it_is(group: Group, message: ChatMessage, line: Line) -> Line:
    """A line of a message of which something is erased."""
    at = message.ids.index(line.msg_id)
    what = group.changed(Spot(message.key, at))
    edited = what is not None and what.edit is not None
    by = group.nick(what.redacted_by) if what is not None else ""
    return replace(line, edited=edited, erased=not line.text, redacted_by=by)


@lru_cache(maxsize=64)
def _epoch(epoch: types.Epoch) -> Epoch:
    """One that many lines have in common."""
    return Epoch(epoch.generation, epoch.n)


def cursor(place: Place) -> str:
    """The place of a message as faces hand it back; the number of a line follows."""
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
