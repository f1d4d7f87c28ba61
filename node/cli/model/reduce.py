"""`reduce(state, event) -> state`: the only way from one state of a face to the next."""

from dataclasses import replace

from ...happenings import (
    ChatEvent,
    Happening,
    LeaderEvent,
    MemberEvent,
    NdsEvent,
    QueueEvent,
    ReceiptEvent,
)
from ...words import Chat, DiscoveryService, Line, Status
from .events import Event, Selected
from .values import LINES_MAX, Item, State, View


def reduce(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case Status():
            return _status(state, event)
        case Selected(chat_id=chat_id):
            return _select(state, chat_id)
        case Happening():
            return _happened(state, event)
        case _:
            return state


def _status(state: State, status: Status) -> State:
    views = []
    for chat in status.chats:
        known = state.view(chat.chat_id)
        views.append(replace(known, chat=chat) if known else View(chat))
    fresh = replace(state, nick=status.nick, views=tuple(views), nds=status.nds)
    if fresh.front is None:
        fresh = replace(fresh, current=views[0].chat.chat_id if views else 0)
    return fresh


def _select(state: State, chat_id: int) -> State:
    view = state.view(chat_id)
    if view is None:
        return state
    return replace(_with(state, replace(view, unread=0, mentions=0)), current=chat_id)


def _happened(state: State, event: Happening) -> State:
    match event.what:
        case NdsEvent(address=address, up=up):
            others = tuple(one for one in state.nds if one.address != address)
            one = DiscoveryService(address, "ok" if up else "down", 0 if up else event.at_ms or 1)
            return replace(state, nds=(*others, one))
        case ChatEvent(chat=chat, change=change):
            return _chat(state, chat, change)
    view = state.view(event.chat_id)
    if view is None:
        return state
    match event.what:
        case Line():
            return _line(state, view, event.what)
        case ReceiptEvent(msg_id=msg_id, acked=acked, of=of):
            items = tuple(
                replace(item, entry=replace(item.entry, acked=acked, of=of))
                if isinstance(item.entry, Line) and item.entry.own and item.entry.msg_id == msg_id
                else item
                for item in view.items
            )
            return _with(state, replace(view, items=items))
        case LeaderEvent() as led:
            chat = replace(
                view.chat,
                leader_id=led.leader_id,
                leader_nick=led.nick,
                epoch=led.epoch,
                provisional=led.provisional,
            )
            return _with(state, replace(view, chat=chat))
        case QueueEvent(outbox=outbox):
            return _with(state, replace(view, chat=replace(view.chat, outbox=outbox)))
        case MemberEvent():
            return _member(state, view, event.what)
        case _:
            return state


def _chat(state: State, chat: Chat, change: str) -> State:
    if change == "closed":
        rest = tuple(view for view in state.views if view.chat.chat_id != chat.chat_id)
        gone = state.current == chat.chat_id
        front = (rest[0].chat.chat_id if rest else 0) if gone else state.current
        return replace(state, views=rest, current=front)
    known = state.view(chat.chat_id)
    if known:
        return _with(state, replace(known, chat=chat))
    fresh = replace(state, views=(*state.views, View(chat)))
    return fresh if state.current else replace(fresh, current=chat.chat_id)


def _line(state: State, view: View, line: Line) -> State:
    if any(line.msg_id == held.msg_id and line.source_id == held.source_id for held in view.lines):
        return state
    seen = line.own or line.backlog or view.chat.chat_id == state.current
    fresh = replace(
        view,
        items=(*view.items, Item(state.serial + 1, line))[-LINES_MAX:],
        unread=view.unread + (not seen),
        mentions=view.mentions + (not seen and line.mention),
    )
    last = line.msg_id if line.own and not line.backlog else state.last_own
    return replace(_with(state, fresh), last_own=last, serial=state.serial + 1)


_COMING = {"joined": (1, 1), "returned": (1, 0), "left": (-1, -1), "kicked": (-1, -1)}


def _member(state: State, view: View, event: MemberEvent) -> State:
    alive, known = (-1, 0) if event.change == "dropped" else _COMING.get(event.change, (0, 0))
    chat = replace(
        view.chat,
        alive=max(1, view.chat.alive + alive),
        known=max(1, view.chat.known + known),
    )
    if event.change == "topic":
        chat = replace(chat, topic=event.detail, topic_by=event.nick)
    mine = event.change == "renamed" and event.member_id == chat.member_id
    fresh = _with(state, replace(view, chat=chat))
    return replace(fresh, nick=event.nick) if mine else fresh


def _with(state: State, view: View) -> State:
    views = tuple(view if one.chat.chat_id == view.chat.chat_id else one for one in state.views)
    return replace(state, views=views)
