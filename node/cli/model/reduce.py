"""`reduce(state, event) -> state`: the only way from one state of a face to the next."""

from typing import TypeAlias, assert_never

from msgspec.structs import replace

from ...happenings import Happening
from ...words import Chat, Status
from .events import (
    Aliased,
    Answered,
    Chose,
    Cleared,
    Closed,
    CountedBack,
    Delayed,
    Drafted,
    Event,
    Hinted,
    Ignored,
    Leveled,
    Linked,
    Muted,
    Paged,
    Read,
    Refused,
    Roster,
    Scrolled,
    Selected,
    Showing,
    Told,
)
from .front import begun, closed, parted, remembered, room_of, selected, settled
from .happened import happened
from .members import with_members
from .paging import paged
from .transcript import anchored, cleared, with_entry
from .unread import counted_back, recounted, seen
from .values import (
    Entry,
    Item,
    Page,
    Question,
    Reply,
    Search,
    Secret,
    State,
    Switcher,
    Unsent,
    View,
)

_OfChat: TypeAlias = (
    Roster
    | Scrolled
    | Read
    | Cleared
    | Closed
    | Muted
    | Leveled
    | Drafted
    | Told
    | Refused
    | Delayed
    | Answered
)
_OfUser: TypeAlias = Ignored | Aliased | Chose | Hinted | Showing


def reduce(state: State, event: Event) -> State:
    """The state after `event`.  Events of chats that are not there change nothing."""
    match event:
        case Happening():
            return happened(state, event)
        case Status():
            return _status(state, event)
        case Paged():
            return settled(paged(state, event))
        case CountedBack():
            view = state.view(event.chat_id)
            return state.having(counted_back(view, event)) if view else state
        case Linked(up=up):
            return _linked(state, up)
        case Selected(chat_id=chat_id):
            return selected(state, chat_id)
        case Ignored() | Aliased() | Chose() | Hinted() | Showing():
            return _chosen(state, event)
        case _:
            return _in_chat(state, event)


# ---- from the node -----------------------------------------------------------------------------


def _status(state: State, status: Status) -> State:
    before, order = state, [chat.chat_id for chat in status.chats]
    absent = {view.chat.chat_id for view in state.views}.difference(order)
    state = replace(parted(state, absent), nick=status.nick, nds=status.nds)
    for chat in status.chats:
        view = state.view(chat.chat_id)
        counted = view and recounted(before, view, chat)
        state = state.having(counted) if counted else begun(state, chat)
    views = sorted(state.views, key=lambda view: order.index(view.chat.chat_id))
    return settled(replace(state, views=tuple(views)), before=before)


def _linked(state: State, up: bool) -> State:
    """After a loss, lines may be missing: what is at its end is read again, the rest further on."""
    if not up:
        return replace(state, lost=True)
    views = tuple(map(_doubted, state.views))
    return replace(state, lost=False, views=views)


def _doubted(view: View) -> View:
    view = replace(view, newest=(), doubted=True)
    if view.older is None:
        return view
    if view.scroll is not None:
        return replace(view, cut_off=True)
    return replace(view, older=None, waiting=view.unread)


# ---- in a chat ---------------------------------------------------------------------------------


def _in_chat(state: State, event: _OfChat) -> State:
    view = state.view(event.chat_id)
    if isinstance(event, Told | Scrolled | Cleared) and not event.chat_id:
        view = state.front_or_lobby
    if isinstance(event, Told):
        return _said(
            state, view or state.front_or_lobby, Reply(event.lines, event.at_ms, event.tone)
        )
    if isinstance(event, Refused):  # where its chat is gone, the text is still its author's
        entry = Unsent(event.text, event.why, event.at_ms)
        return _said(state, view or state.front_or_lobby, entry)
    if isinstance(event, Delayed):
        entry = Unsent(event.text, "", event.at_ms)
        return _said(state, view or state.front_or_lobby, entry)
    if isinstance(event, Answered):
        return _answered(state, event.text)
    if view is None:
        return _in_absence(state, event)
    match event:
        case Closed():
            return closed(state, event.chat_id)
        case Scrolled():
            return settled(state.having(_scrolled(view, event)))
        case _:
            return settled(state.having(_set(view, event)))


def _in_absence(state: State, event: _OfChat) -> State:
    """What is chosen for a chat that is not there holds once it comes."""
    gone = (one for one in state.gone if one.chat.chat_id == event.chat_id)
    view = next(gone, View(Chat(chat_id=event.chat_id)))
    match event:
        case Closed():
            return remembered(state, replace(view, closed=True))
        case Muted() | Leveled() | Drafted():
            return remembered(state, _set(view, event))
        case _:
            return state


def _answered(state: State, text: str) -> State:
    """The state without the first such text that waited, wherever it was shown."""
    for view in (*state.views, state.lobby):
        for item in (*view.items, *view.later):
            if _waits(item.entry, text):
                return settled(state.having(_without(view, item)))
    return state


def _waits(entry: Entry, text: str) -> bool:
    return isinstance(entry, Unsent) and not entry.why and entry.text == text


def _without(view: View, gone: Item) -> View:
    """The view without an item; who was scrolled to it, or had read to it, is at the one before."""
    order = [item.serial for item in (*view.items, *view.later)]
    at = order.index(gone.serial)
    last = order[at - 1] if at else 0
    scroll = view.scroll
    if scroll is not None and scroll.serial == gone.serial:
        scroll = replace(scroll, serial=last, row=0) if last else None
    return replace(
        view,
        items=tuple(item for item in view.items if item is not gone),
        later=tuple(item for item in view.later if item is not gone),
        marker=last if view.marker == gone.serial else view.marker,
        scroll=scroll,
    )


def _said(state: State, view: View, entry: Reply | Unsent) -> State:
    """The state with something more in a transcript that is no line of the log."""
    item = Item(state.serial + 1, entry, shown_ms=entry.at_ms)
    fresh = with_entry(view, item, room_of(state, view))
    return state.having(fresh, item.serial)


def _scrolled(view: View, event: Scrolled) -> View:
    """The view moved; where its goal is gone meanwhile, it stays."""
    moved = replace(view, scroll=event.anchor)
    return view if event.anchor and anchored(moved) < 0 else moved


def _set(view: View, event: Roster | Read | Cleared | Muted | Leveled | Drafted) -> View:
    match event:
        case Roster(members=members):
            return with_members(view, members)
        case Read():
            return replace(seen(view), marker=0, waiting=0)
        case Cleared():
            return cleared(seen(view))
        case Muted(muted=muted):
            return replace(view, muted=muted)
        case Leveled(level=level):
            return replace(view, level=level)
        case Drafted(text=text):
            return replace(view, draft=text)
        case _:
            assert_never(event)


# ---- the user's choices ------------------------------------------------------------------------


def _chosen(state: State, event: _OfUser) -> State:
    match event:
        case Ignored(nick=nick, ignored=ignored):
            others = tuple(one for one in state.ignored if one != nick.casefold())
            return replace(state, ignored=(*others, nick.casefold()) if ignored else others)
        case Aliased(name=name, text=text):
            aliases = tuple(one for one in state.aliases if one[0] != name)
            return replace(state, aliases=(*aliases, (name, text)) if text else aliases)
        case Chose(settings=settings):
            return replace(state, settings=settings)
        case Hinted(text=text):
            return replace(state, hint=text)
        case Showing():
            return settled(_shown(state, event))
        case _:
            assert_never(event)


def _shown(state: State, event: Showing) -> State:
    what, kind = event.what, event.kind if event.what is None else type(event.what)
    if kind is Page:
        return replace(state, page=what if isinstance(what, Page) else None)
    if kind is Search:
        return replace(state, search=what if isinstance(what, Search) else None)
    if kind is Secret:
        return replace(state, secret=what if isinstance(what, Secret) else None)
    if kind is Switcher:
        return replace(state, switcher=what if isinstance(what, Switcher) else None)
    assert kind is Question, f"{kind} is nothing that can be shown"
    return replace(state, question=what if isinstance(what, Question) else None)
