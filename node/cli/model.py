"""What a face knows, as one value: `reduce(state, event) -> state`, and nothing else changes it.

Events are the node's happenings, the answer of `status`, and what the user chose; drawn by whatever
face holds it; no terminal, clock or loop in here.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from ..happenings import (
    ChatEvent,
    Happening,
    LeaderEvent,
    MemberEvent,
    NdsEvent,
    QueueEvent,
    ReceiptEvent,
)
from ..words import Chat, Line, Status

LINES_MAX = 5_000  # of one chat; older ones are read from the log


@dataclass(frozen=True, slots=True)
class View:
    """One chat as a face has it."""

    chat: Chat
    lines: tuple[Line, ...] = ()  # in display order
    unread: int = 0  # since it was last looked at here
    mentions: int = 0

    @property
    def name(self) -> str:
        return self.chat.name


@dataclass(frozen=True, slots=True)
class State:
    """All that a face knows."""

    nick: str = ""
    current: int = 0  # chat_id of the chat in front; 0 for none
    views: tuple[View, ...] = ()  # in order of joining
    nds_down: tuple[str, ...] = ()
    last_own: str = ""  # id of the last own message

    def view(self, chat_id: int) -> View | None:
        return next((view for view in self.views if view.chat.chat_id == chat_id), None)

    @property
    def front(self) -> View | None:
        """The chat in front."""
        return self.view(self.current)

    def named(self, name: str) -> View | None:
        """The chat of that name, with or without #, whatever its case where that is unique."""
        wanted = name.removeprefix("#")
        exact = [view for view in self.views if view.name == wanted]
        alike = exact or [v for v in self.views if v.name.casefold() == wanted.casefold()]
        return alike[0] if len(alike) == 1 else None


@dataclass(frozen=True, slots=True)
class Selected:
    """The user put a chat in front."""

    chat_id: int


Event: TypeAlias = Happening | Status | Selected


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
            assert_never(event)


def _status(state: State, status: Status) -> State:
    views = []
    for chat in status.chats:
        known = state.view(chat.chat_id)
        views.append(replace(known, chat=chat) if known else View(chat))
    down = tuple(one.address for one in status.nds if one.down_since_ms)
    fresh = replace(state, nick=status.nick, views=tuple(views), nds_down=down)
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
            others = tuple(one for one in state.nds_down if one != address)
            return replace(state, nds_down=others if up else (*others, address))
        case ChatEvent(chat=chat, change=change):
            return _chat(state, chat, change)
    view = state.view(event.chat_id)
    if view is None:
        return state
    match event.what:
        case Line():
            return _line(state, view, event.what)
        case ReceiptEvent(msg_id=msg_id, acked=acked, of=of):
            lines = tuple(
                replace(line, acked=acked, of=of) if line.own and line.msg_id == msg_id else line
                for line in view.lines
            )
            return _with(state, replace(view, lines=lines))
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
        lines=(*view.lines, line)[-LINES_MAX:],
        unread=view.unread + (not seen),
        mentions=view.mentions + (not seen and line.mention),
    )
    last = line.msg_id if line.own and not line.backlog else state.last_own
    return replace(_with(state, fresh), last_own=last)


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
