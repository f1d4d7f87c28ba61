"""Which chat is in front, which are listed, and how much of the others is held."""

from collections.abc import Collection

from msgspec.structs import replace

from ...words import Chat
from .transcript import anchored, fitted
from .unread import left, looking, seen
from .values import IDLE_LINES_MAX, LINES_MAX, RECENT_MAX, State, View

GONE_MAX = 200  # chats that are not there, of which is kept what was chosen


def selected(state: State, chat_id: int) -> State:
    """The state with a chat in front, listed again if it was closed; no page stays open."""
    view = state.view(chat_id)
    if view is None:
        return state
    if view.closed:
        state = state.having(replace(view, closed=False))
    return put_front(replace(state, page=None, search=None, switcher=None), chat_id)


def closed(state: State, chat_id: int) -> State:
    """The state with a chat off the list; if it was in front, the next one is."""
    view = state.view(chat_id)
    if view is None:
        return state
    return settled(state.having(replace(view, closed=True)), before=state)


def settled(state: State, before: State | None = None) -> State:
    """The state with a listed chat in front, if there is one, and its lines seen if they are shown.

    Args:
        state: whose chat in front may be gone, closed or new to the eye.
        before: the state whose order says what comes after a chat that is gone.
    """
    front = state.front
    if front is None or front.closed:
        return put_front(state, _successor(before or state, state))
    if looking(state, front) and (fresh := seen(front)) is not front:
        return state.having(fresh)
    return state


def put_front(state: State, chat_id: int) -> State:
    """The state with that chat in front; 0 for none."""
    if chat_id != state.current:
        if front := state.front:
            serial = state.serial + 1
            state = state.having(replace(left(front), looked_at=serial), serial)
        state = _trimmed(replace(state, current=chat_id, search=None))
    view = state.view(chat_id)
    return state.having(seen(view)) if view and looking(state, view) else state


def _successor(before: State, state: State) -> int:
    """The chat after the one that was in front, else the one before it; 0 for none."""
    order = [view.chat.chat_id for view in before.views if not view.closed]
    at = order.index(before.current) if before.current in order else 0
    listed = [view.chat.chat_id for view in state.listed]
    wanted = (*order[at:], *reversed(order[:at]), *listed)
    return next((chat_id for chat_id in wanted if chat_id in listed), 0)


def begun(state: State, chat: Chat) -> State:
    """The state with a chat that is new to it, as it was left if it had been there before.

    What was unread before counts, and is marked once its log is read.
    """
    left_as = next((one for one in state.gone if one.chat.chat_id == chat.chat_id), View(chat))
    view = replace(
        left_as, chat=chat, unread=chat.unread, mentions=chat.mentions, waiting=chat.unread
    )
    gone = tuple(one for one in state.gone if one is not left_as)
    return replace(state, views=(*state.views, view), gone=gone)


def parted(state: State, chat_ids: Collection[int]) -> State:
    """The state without these chats; what was chosen and typed for them is kept."""
    for view in state.views:
        if view.chat.chat_id in chat_ids:
            state = remembered(state, view)
    views = tuple(view for view in state.views if view.chat.chat_id not in chat_ids)
    return replace(state, views=views)


def remembered(state: State, view: View) -> State:
    """The state with what was chosen and typed for a chat that is not there."""
    kept = View(view.chat, draft=view.draft, muted=view.muted, level=view.level, closed=view.closed)
    others = (one for one in state.gone if one.chat.chat_id != view.chat.chat_id)
    return replace(state, gone=(*others, kept)[-GONE_MAX:])


def room_of(state: State, view: View) -> int:
    """How many items a chat may hold: few, unless it was looked at lately."""
    is_near = view.chat.chat_id in (0, state.current) or _is_recent(state, view)
    return LINES_MAX if is_near else IDLE_LINES_MAX


def _is_recent(state: State, view: View) -> bool:
    """Whether a chat is among those looked at last, beside the one in front."""
    if not view.looked_at:
        return False
    later = sum(
        one.looked_at > view.looked_at for one in state.views if one.chat.chat_id != state.current
    )
    return later < RECENT_MAX - 1


def _trimmed(state: State) -> State:
    """The state with short windows of the chats that were not looked at lately."""
    for view in state.views:
        if len(view.items) > room_of(state, view):
            state = state.having(_cut(view))
    return state


def _cut(view: View) -> View:
    """A short window: the newest items, or those at which one had scrolled up."""
    return fitted(view, IDLE_LINES_MAX, newer=anchored(view) >= 0)
