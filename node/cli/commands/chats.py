"""Commands about chats as one sees them: which is in front, which are quiet, who is not heard."""

from ...errors import nearest
from ...limits import nick_fault
from ..model.events import Cleared, Closed, Event, Ignored, Leveled, Muted, Read, Selected
from ..model.values import Level, State, View
from ..render.text import clean_name
from .actions import Action, Apply, Query, Show
from .shape import TYPED_MAX, Doing, Mistyped, Values, typed

NO_CHAT = "you are in no chat; /join or /create one, for example: /join 10.0.0.5:50050/dev"

LEVELS = {
    Level.ALL: "every line raises it, a line that names you rings",
    Level.MENTIONS: "only lines that name you raise it and ring",
    Level.NONE: "nothing raises it, nothing rings",
}


# ---- which chat is meant -----------------------------------------------------------------------


def found(state: State, text: str) -> View | None:
    """The chat that somebody names: by its number, name, name@HOST:PORT or 16 hex digits."""
    if text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= len(state.listed):
        return state.listed[int(text) - 1]
    name, _, nds = text.removeprefix("#").partition("@")
    if nds:
        named = [view for view in state.views if (view.name, view.chat.nds) == (name, nds)]
        return named[0] if len(named) == 1 else None
    return state.named(name) or next((view for view in state.views if number(view) == name), None)


def number(view: View) -> str:
    """The chat as the node is told."""
    return f"{view.chat.chat_id:016x}"


def called(state: State, view: View) -> str:
    """The chat as people are told; with its discovery service where another has the same name."""
    return f"#{clean_name(state.shown_name(view))}"


def front(state: State) -> View:
    """The chat in front.

    Raises:
        Mistyped: there is none.
    """
    if state.front is None and state.views:
        name = state.shown_name(state.views[0])
        raise Mistyped(f"no chat is in front; /chat brings one back, for example: /chat {name}")
    if state.front is None:
        raise Mistyped(NO_CHAT)
    return state.front


def view(state: State, text: str = "") -> View:
    """The chat named, else the one in front.

    Raises:
        Mistyped: there is none.
    """
    if not text:
        return front(state)
    if view := found(state, text):
        return view
    name = text.removeprefix("#")
    alike = [one for one in state.views if one.name.casefold() == name.casefold()]
    if len(alike) > 1:
        names = map(state.shown_name, alike)
        raise Mistyped(f"which chat? {' or '.join(names)}")
    near = nearest(name[:TYPED_MAX], [one.name for one in state.views])
    raise Mistyped(f"you are in no chat #{typed(name)}.{near}")


def current(state: State, text: str = "") -> str:
    """How the node is to be told which chat: the one named, else the one in front.

    A name that is not known here is left to the node.

    Raises:
        Mistyped: none is named, and none is in front.
    """
    known = found(state, text) if text else front(state)
    return number(known) if known else text


# ---- the commands ------------------------------------------------------------------------------


def select(state: State, values: Values) -> Action:
    """`/chat`: puts a chat in front, or lists them."""
    if not values["chat"]:
        return Show(listed(state) or (NO_CHAT,))
    return Apply(Selected(view(state, values["chat"]).chat.chat_id))


def listed(state: State) -> tuple[str, ...]:
    """One's chats with their numbers, the one in front marked."""
    lines = []
    for place, one in enumerate(state.listed, 1):
        mark = ">" if one.chat.chat_id == state.current else " "
        leader = clean_name(one.chat.leader_nick) or "?"
        unread = f" unread:{one.unread}" if one.unread else ""
        muted = " (muted)" if one.muted else ""
        counts = one.halted or f"{one.chat.alive}/{one.chat.known} L:{leader}"
        lines.append(f"{mark} {place} {called(state, one)}{muted} {counts}{unread}")
    lines += [f"    {called(state, one)} (closed)" for one in state.views if one.closed]
    return tuple(lines)


def close(state: State, values: Values) -> Action:
    """`/close`: takes a chat off the list."""
    one = view(state, values["chat"])
    said = (
        f"{called(state, one)} is off the list, and you are still in it;"
        f" /chat {state.shown_name(one)} brings it back"
    )
    return Apply(Closed(one.chat.chat_id), said)


def clear(state: State, _: Values) -> Action:
    """`/clear`: empties the transcript in front."""
    return Apply(Cleared(front(state).chat.chat_id))


def read(state: State, _: Values) -> Action:
    """`/read`: nothing in the chat is unread any more, here and for the node."""
    one = front(state)
    return Apply(Read(one.chat.chat_id), then=Query("read", {"chat": number(one)}))


def mute(muted: bool) -> Doing:
    """`/mute` and `/unmute`."""

    def do(state: State, values: Values) -> Action:
        one = view(state, values["chat"])
        now = "is muted: it raises nothing" if muted else "is heard again"
        return Apply(Muted(one.chat.chat_id, muted), f"{called(state, one)} {now}")

    return do


def notify(state: State, values: Values) -> Action:
    """`/notify`: the level of the chat in front, or its new one."""
    one = front(state)
    if not values["level"]:
        return Show((_leveled(state, one, one.level),))
    level = Level(values["level"])
    return Apply(Leveled(one.chat.chat_id, level), _leveled(state, one, level))


def _leveled(state: State, one: View, level: Level) -> str:
    return f"{called(state, one)}: {level.value} ({LEVELS[level]})"


def ignore(state: State, values: Values) -> Action:
    """`/ignore`: hides the lines of a nick, or lists whose are hidden."""
    if not values["nick"]:
        nicks = ", ".join(map(clean_name, state.ignored))
        return Show(
            (
                f"ignored: {nicks}"
                if nicks
                else "nobody is ignored; /ignore bob hides what bob says",
            )
        )
    nick = _nick(values["nick"])
    if nick.casefold() == state.own_nick.casefold():
        raise Mistyped("you cannot ignore yourself")
    said = f"lines of {nick} are hidden; /unignore {nick} shows them again"
    return Apply(_ignored(nick, True), said)


def unignore(state: State, values: Values) -> Action:
    """`/unignore`: shows them again."""
    nick = _nick(values["nick"])
    if nick.casefold() not in state.ignored:
        ignored = ", ".join(map(clean_name, state.ignored))
        others = f"{nick} is not ignored; ignored: {ignored}"
        raise Mistyped(others if ignored else "nobody is ignored")
    return Apply(_ignored(nick, False), f"lines of {nick} are shown again")


def _ignored(nick: str, ignored: bool) -> Event:
    return Ignored(nick.casefold(), ignored)


def _nick(text: str) -> str:
    nick = text.removeprefix("@")
    if fault := nick_fault(nick):
        raise Mistyped(f"a nick {fault}")
    return nick
