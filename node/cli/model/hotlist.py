"""Where something has come up, and the ways from one chat to another."""

from msgspec.structs import replace

from .values import Level, State, Switcher, View


def hotlist(state: State) -> tuple[tuple[int, View], ...]:
    """The listed chats that ask to be looked at, with their numbers; those with mentions first."""
    found = [
        (number, view)
        for number, view in enumerate(state.listed, 1)
        if view.chat.chat_id != state.current and _asks(view)
    ]
    return tuple(sorted(found, key=lambda one: (not one[1].mentions, one[0])))


def _asks(view: View) -> bool:
    if view.muted or view.level is Level.NONE or view.unread <= view.quiet:
        return False
    return view.mentions > 0 or (view.level is Level.ALL and view.unread > 0)


def next_active(state: State) -> int:
    """The chat that comes first in the hotlist; 0 for none."""
    return next((view.chat.chat_id for _, view in hotlist(state)), 0)


def neighbour(state: State, step: int) -> int:
    """The listed chat that many steps after the one in front, around the end; 0 for none."""
    order = [view.chat.chat_id for view in state.listed]
    if not order:
        return 0
    if state.current not in order:
        return order[0] if step > 0 else order[-1]
    return order[(order.index(state.current) + step) % len(order)]


def numbered(state: State, number: int) -> int:
    """The listed chat of that number, counted from 1; 0 for none."""
    listed = state.listed
    return listed[number - 1].chat.chat_id if 1 <= number <= len(listed) else 0


def matches(state: State, text: str) -> tuple[View, ...]:
    """The chats whose names have these characters in this order, the best first.

    Better are: the name itself, its beginning, a part of it, close together; then those looked at
    last.  The chat in front comes last of its like, closed ones after the listed.
    """
    wanted = text.removeprefix("#").casefold()
    ranked = [
        ((rank, view.closed, view.chat.chat_id == state.current, -view.looked_at), view)
        for view in state.views
        if (rank := _rank(view.name.casefold(), wanted)) is not None
    ]
    return tuple(view for _, view in sorted(ranked, key=lambda one: one[0]))


def picked(state: State) -> View | None:
    """The chat that the open switcher marks: the one picked, else the first that matches."""
    if state.switcher is None:
        return None
    found = matches(state, state.switcher.text)
    wanted = (view for view in found if view.chat.chat_id == state.switcher.chat_id)
    return next(wanted, found[0] if found else None)


def stepped(state: State, step: int) -> Switcher:
    """The open switcher with a chat marked that is so many further on, around the end."""
    switcher, marked = state.switcher or Switcher(), picked(state)
    if marked is None:
        return switcher
    order = [view.chat.chat_id for view in matches(state, switcher.text)]
    at = (order.index(marked.chat.chat_id) + step) % len(order)
    return replace(switcher, chat_id=order[at])


def _rank(name: str, wanted: str) -> tuple[int, int, int] | None:
    """How well a name fits, less is better; None where it does not."""
    if not wanted:
        return 0, 0, 0
    if name == wanted:
        return 0, 0, 0
    if (at := name.find(wanted)) >= 0:
        return 1 if at == 0 else 2, at, len(name)
    span = _shortest(name, wanted)
    return None if span is None else (3, span, len(name))


def _shortest(name: str, wanted: str) -> int | None:
    """The shortest part of the name that has the wanted characters in order."""
    spans = []
    for start, char in enumerate(name):
        if char != wanted[0]:
            continue
        at = start
        for one in wanted[1:]:
            at = name.find(one, at + 1)
            if at < 0:
                break
        else:
            spans.append(at - start + 1)
    return min(spans, default=None)
