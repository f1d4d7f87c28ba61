"""What stands between the transcript and the status bar: a newcomer's hint, what a search says, the
list of chats to switch to, the word that the node is silent, a question.
"""

from ..model import State, View
from ..model.hotlist import matches, picked
from .rows import Fragment, Row, cut, fitted, justified, padded
from .text import clean, clean_line, clean_name, width
from .wrap import wrapped

ROWS_MAX = 2  # of one of them, but the switcher's
MATCHES_MAX = 8  # rows of the switcher
LOST = "the node does not answer; what stands here may be old. Trying again."
NO_CHAT = "you are in no chat yet: /join HOST:PORT/name or /create name; /help lists all"
NONE_OPEN = "no chat is open: /chat name opens one, /chat lists yours"


def rows(state: State, columns: int) -> list[Row]:
    """From top to bottom; what matters more is further down, since the top goes first."""
    drawn: list[Row] = []
    if hint := _hint(state):
        drawn += _told(hint, "hint", columns)
    if state.search and state.search.text and (state.search.exhausted or state.search.hit):
        drawn.append(_found(state, columns))
    if state.switcher:
        drawn += _switcher(state, columns)
    if state.lost:
        drawn += _told(LOST, "notice.error", columns)
    if state.question:
        drawn += _told(state.question.text, "question", columns)
    return drawn


def urgent(state: State, columns: int) -> Row | None:
    """What matters more than the status bar, on a screen with room for one row only."""
    if state.question:
        return _told(state.question.text, "question", columns)[0]
    return _told(LOST, "notice.error", columns)[0] if state.lost else None


def _hint(state: State) -> str:
    if state.front is None and state.nick:
        return NONE_OPEN if state.views else NO_CHAT
    return state.hint


def _told(text: str, name: str, columns: int) -> list[Row]:
    lines = wrapped(clean(text), max(1, columns - 1))[:ROWS_MAX]
    return [fitted(((name, f" {line}"),), columns, name) for line in lines]


def _found(state: State, columns: int) -> Row:
    assert state.search is not None, "nobody searches"
    if not state.search.hit:
        said = f"nothing holds {clean_line(state.search.text)!r}"
    elif state.search.exhausted:
        said = "no older line holds it"
    else:
        said = "Enter or Up: older; Down: newer; Esc: leave the search"
    return fitted((("hint", f" {said}"),), columns)


def _switcher(state: State, columns: int) -> list[Row]:
    assert state.switcher is not None, "the switcher is not open"
    found = matches(state, state.switcher.text)
    if not found:
        return [fitted((("switcher", " no chat matches"),), columns)]
    marked = picked(state)
    at = found.index(marked) if marked is not None else 0
    first = min(max(0, at - MATCHES_MAX // 2), max(0, len(found) - MATCHES_MAX))
    shown = found[first : first + MATCHES_MAX]
    names = [clean_name(state.shown_name(view)) for view in shown]
    widest = min(columns // 2, max(map(width, names)) + 1)
    return [
        fitted(_match(state, view, view is marked, widest), columns, _look(view is marked))
        for view in shown
    ]


def _match(state: State, view: View, is_picked: bool, widest: int) -> tuple[Fragment, ...]:
    numbers = {one.chat.chat_id: n for n, one in enumerate(state.listed, 1)}
    number = str(numbers.get(view.chat.chat_id, "-"))
    name = padded(cut(f"#{clean_name(state.shown_name(view))}", widest), widest)
    mentions = f"@{view.mentions} " if view.mentions else ""
    unread = f"{view.unread} unread" if view.unread else ""
    mark = ">" if is_picked else " "
    return ((_look(is_picked), f" {mark}{justified(number, 3)} {name}  {mentions}{unread}"),)


def _look(is_picked: bool) -> str:
    return "switcher.picked" if is_picked else "switcher"
