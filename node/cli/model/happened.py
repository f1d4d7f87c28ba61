"""What a happening at the node changes: lines, counts, facts about the chat, and what is told."""

from msgspec.structs import replace

from ...faults import nds_fault
from ...happenings import (
    ChangeEvent,
    ChatEvent,
    Happening,
    LeaderEvent,
    MemberEvent,
    NdsEvent,
    QueueEvent,
    ReceiptEvent,
    SuspectEvent,
)
from ...words import Chat, DiscoveryService, Line
from .front import begun, parted, room_of, settled
from .members import with_leader, with_member, with_suspect
from .notices import is_told, with_notice
from .places import place_of
from .transcript import with_change, with_line, with_receipt
from .unread import counted, counts
from .values import Item, Level, State, View


def happened(state: State, event: Happening) -> State:
    """The state after something happened in a chat, or to the whole node."""
    match event.what:
        case ChatEvent(chat=chat, change=change):
            return _chat(state, event, chat, change)
        case NdsEvent():
            state = _nds(state, event.what, event.at_ms)
    if not event.chat_id:
        return _told(state, state.front_or_lobby, event)
    view = state.view(event.chat_id)
    if view is None:
        return state
    if event.fingerprint and event.fingerprint != view.chat.fingerprint:
        view = replace(view, chat=replace(view.chat, fingerprint=event.fingerprint))
    if isinstance(event.what, Line):
        return _line(state, view, event.what, event.at_ms)
    return _told(_own_name(state, view, event), _changed(view, event), event)


def _line(state: State, view: View, line: Line, at_ms: int) -> State:
    """A chat message: at its place, and counted where nobody is looking."""
    if line.own and not line.backlog:
        state = replace(state, last_own=line.msg_id)
    shown_ms = 0 if line.backlog else at_ms
    item = Item(state.serial + 1, line, place_of(line.place), shown_ms)
    fresh = with_line(view, item, room_of(state, view))
    if fresh is view:
        return state.having(view)
    new = counts(state, view, line)
    fresh = counted(state, fresh, line, view)
    relisted = fresh.closed and new and line.mention and _raises(fresh)
    if relisted:
        fresh = replace(fresh, closed=False)
    state = state.having(fresh, item.serial)
    return settled(state) if relisted else state


def _raises(view: View) -> bool:
    return view.level is not Level.NONE and not view.muted


def _changed(view: View, event: Happening) -> View:
    """The chat with what is known of it and its members brought up to date."""
    match event.what:
        case ReceiptEvent():
            return with_receipt(view, event.what)
        case ChangeEvent(line=line):
            return with_change(view, line)
        case LeaderEvent():
            return with_leader(view, event.what)
        case MemberEvent():
            return with_member(view, event.what)
        case SuspectEvent():
            return with_suspect(view, event.what)
        case QueueEvent(outbox=outbox):
            return replace(view, chat=replace(view.chat, outbox=outbox))
        case _:
            return view


def _own_name(state: State, view: View, event: Happening) -> State:
    match event.what:
        case MemberEvent(change="renamed", member_id=member, nick=nick) if (
            member == view.chat.member_id
        ):
            return replace(state, nick=nick)
        case _:
            return state


def _told(state: State, view: View, event: Happening) -> State:
    """The state with that view, and the happening told in it if it is one to be told."""
    if not is_told(event):
        return state.having(view)
    serial = state.serial + 1
    fresh = with_notice(view, event, serial, room_of(state, view))
    return state.having(fresh, serial)


def _chat(state: State, event: Happening, chat: Chat, change: str) -> State:
    """A chat that appeared, changed or ended at this node."""
    is_known = state.view(chat.chat_id) is not None
    if change == "closed":
        if not is_known:  # a status was faster
            return state
        state = settled(parted(state, {chat.chat_id}), before=state)
        return _told(state, state.front_or_lobby, event)
    if not is_known:
        state = begun(state, chat)
    view = state.view(chat.chat_id)
    assert view is not None, f"{chat} has just begun"
    view = replace(view, chat=chat)
    told = not is_known or change == "resumed"
    return settled(_told(state, view, event) if told else state.having(view))


def _nds(state: State, event: NdsEvent, at_ms: int) -> State:
    """A discovery service went away, or came back."""
    said = f"cannot store, {nds_fault(event.fault)}" if event.fault else "ok"
    one = DiscoveryService(
        event.address,
        said if event.up else "down",
        0 if event.up else at_ms or 1,
        event.fault,
    )
    known = any(held.address == event.address for held in state.nds)
    nds = tuple(one if held.address == event.address else held for held in state.nds)
    return replace(state, nds=nds if known else (*nds, one))
