"""Chats in which something happened, and chats that match what was typed."""

from ..model import Level, State, View


def hotlist(state: State) -> tuple[tuple[int, View], ...]:
    """Number and view of the chats with something new, those with mentions first."""
    found = [
        (number, view)
        for number, view in enumerate(state.listed, 1)
        if view.chat.chat_id != state.current and not view.muted and view.level is not Level.NONE
        if view.mentions or (view.unread and view.level is Level.ALL)
    ]
    return tuple(sorted(found, key=lambda one: not one[1].mentions))


def matches(state: State, text: str) -> tuple[View, ...]:
    """The listed chats whose names hold the text."""
    return tuple(view for view in state.listed if text.casefold() in view.name.casefold())
