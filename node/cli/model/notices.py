"""Which happenings are told in a transcript, and which of them are told together."""

from collections.abc import Hashable

from msgspec.structs import replace

from ...happenings import (
    ChatEvent,
    ElectionEvent,
    ErrorEvent,
    GapEvent,
    Happening,
    LeaderEvent,
    MemberEvent,
    MergeEvent,
    NdsEvent,
    ReceiptEvent,
    SplitEvent,
    SuspectEvent,
)
from .transcript import last_item, with_entry, with_last
from .values import BURST_MS, Item, Notice, View

TOGETHER_MAX = 50  # happenings in one notice
_PHASES = frozenset({"started", "ended"})  # the steps between are for the view of elections
_CHANGES = frozenset({"joined", "left", "dropped", "returned"})  # which come in bursts


def is_told(happening: Happening) -> bool:
    """Whether a transcript has a line for it."""
    match happening.what:
        case ElectionEvent(phase=phase, quiet=quiet):
            return phase in _PHASES and not quiet
        case ChatEvent(change=change):
            return change in ("opened", "closed", "resumed")
        case MemberEvent(quiet=quiet) | SuspectEvent(quiet=quiet):
            return not quiet
        case ReceiptEvent(later=later):
            return bool(later)
        case LeaderEvent() | NdsEvent():
            return True
        case SplitEvent() | MergeEvent() | GapEvent() | ErrorEvent():
            return True
        case _:
            return False


def with_notice(view: View, happening: Happening, serial: int, room: int) -> View:
    """The view with a happening told, in a line of its own or in that of a burst.

    The item that the view is scrolled to is never made longer: what is on the screen would move.

    Args:
        view: where it is told.
        happening: what is told.
        serial: of the item, if there is to be one.
        room: how many items the window may have.
    """
    leader, now_ms = view.chat.leader_id, happening.at_ms
    last = last_item(view)
    if last and (grown := _together(last, happening, leader)) and not _at_anchor(view, last):
        return with_last(view, replace(last, entry=grown, shown_ms=now_ms))
    return with_entry(view, Item(serial, Notice((happening,), leader), shown_ms=now_ms), room)


def _at_anchor(view: View, item: Item) -> bool:
    return view.scroll is not None and view.scroll.serial == item.serial


def _together(last: Item, happening: Happening, leader: int) -> Notice | None:
    """The last notice with the happening in it, if it belongs to the same burst."""
    notice, kind = last.entry, _kind(happening, leader)
    if not isinstance(notice, Notice) or kind is None:
        return None
    if happening.at_ms - last.shown_ms > BURST_MS or len(notice.happenings) >= TOGETHER_MAX:
        return None
    first = notice.happenings[0]
    if _kind(first, notice.leader) != kind or first.chat_id != happening.chat_id:
        return None
    return replace(notice, happenings=_summed(notice.happenings, happening))


def _kind(happening: Happening, leader: int) -> Hashable:
    """What a happening has in common with those that are told in one line with it; None: none."""
    match happening.what:
        case MemberEvent(change=change) if change in _CHANGES:
            return "member", change
        case SuspectEvent(member_id=member, cleared=cleared) if cleared or member != leader:
            return "suspect", cleared
        case MergeEvent():
            return "merge"
        case GapEvent(member_id=member, filled=filled):
            return "gap", member, filled
        case _:
            return None


def _summed(told: tuple[Happening, ...], happening: Happening) -> tuple[Happening, ...]:
    """One happening more; what came by catch-up from one member, or is lost of one, is one sum."""
    if isinstance(what := happening.what, GapEvent) and isinstance(told[0].what, GapEvent):
        count = told[0].what.messages + what.messages
        return (replace(told[0], what=replace(what, messages=count)),)
    if isinstance(what := happening.what, MergeEvent):
        for index, other in enumerate(told):
            if isinstance(other.what, MergeEvent) and other.what.member_id == what.member_id:
                sum_ = replace(other.what, messages=other.what.messages + what.messages)
                return (*told[:index], replace(other, what=sum_), *told[index + 1 :])
    return (*told, happening)
