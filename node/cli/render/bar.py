"""The status bar, and how it gives way where the screen is narrow.

[12:03] [you] 1:#dev 4/5 L:bob e12 NDS:ok out:1 7c3e [Act: 3:#lab(1,5) 2:#ops(3)] -- more --
"""

from collections.abc import Sequence

from msgspec import Struct

from ...words import Chat, DiscoveryService
from ..model import State, View
from ..model.hotlist import hotlist
from .rows import Fragment, Row, cut, fitted
from .text import clean_name, duration, moment, shown_nick, width

NAME_MAX = 24  # columns of a chat's name, here and in the prompt


class Part(Struct, frozen=True):
    """A word of the status bar."""

    text: str
    kept: int  # those with the lowest number are dropped first
    look: str = "status"


def status(state: State, columns: int, now_ms: int) -> Row:
    """One row; parts are dropped from the right, but the activity and the leader last, and that
    there is more below only when what tells of the node is gone.
    """
    active = _active(state)
    view = state.front
    parts = [
        Part(f"[{_minute(now_ms)}]", 8),
        Part(f"[{cut(clean_name(state.own_nick), NAME_MAX) or '?'}]", 7),
        *(_chat_parts(state, view, now_ms) if view else (Part("no chat", 6),)),
    ]
    more = [Part("-- more --", 5, "status.act")] if view and not view.at_end else []
    shown = len(active)
    while True:
        act = _activity(active, shown)
        every = [*parts, *([Part(act, 9, "status.act")] if act else []), *more]
        if _columns(every) <= columns or len(every) == 1:
            break
        if shown > 2:
            shown -= 1
            continue
        least = min(every, key=lambda part: part.kept)
        if least.kept >= 5 and shown > 1:
            shown -= 1
        elif least in more:
            more = []
        elif least.look == "status.act":
            active, shown = (), 0
        else:
            parts.remove(least)
    row: list[Fragment] = []
    for part in every:
        row += [("status", " "), (part.look, part.text)]
    return fitted(row, columns, "status")


def _columns(parts: Sequence[Part]) -> int:
    return sum(width(part.text) + 1 for part in parts)


def _minute(now_ms: int) -> str:
    at = moment(now_ms)
    return f"{at.hour:02}:{at.minute:02}" if at else "--:--"


def _chat_parts(state: State, view: View, now_ms: int) -> tuple[Part, ...]:
    chat = view.chat
    name = f"{number(state, view)}#{cut(clean_name(state.shown_name(view)), NAME_MAX)}"
    if not chat.member_id:
        return (Part(f"{name} joining", 6),)
    if view.halted:
        parts = [Part(f"{name} ?/{chat.known}", 6), Part(view.halted, 10, "status.warn")]
    else:
        parts = [
            Part(f"{name} {chat.alive}/{chat.known}", 6),
            Part(f"L:{_leader(chat)} e{chat.epoch.n}{'+' if chat.provisional else ''}", 10),
        ]
    since = nds_down_since(state, chat)
    if since:
        parts.append(Part(f"NDS:down {duration(now_ms - since)}", 4, "status.warn"))
    elif fault := nds_fault_of(state, chat):
        word = "full" if fault == "STORE_FULL" else "failing"
        parts.append(Part(f"NDS:{word}", 4, "status.warn"))
    elif since is not None:
        parts.append(Part("NDS:ok", 4))
    parts.append(Part(f"out:{chat.outbox}", 3))
    if fingerprint := clean_name(chat.fingerprint)[:4]:
        parts.append(Part(fingerprint, 2))
    return tuple(parts)


def number(state: State, view: View) -> str:
    """`3:` before the name of a chat that is listed."""
    wanted = view.chat.chat_id
    return next((f"{n}:" for n, v in enumerate(state.listed, 1) if v.chat.chat_id == wanted), "")


def _leader(chat: Chat) -> str:
    if not chat.leader_id:
        return "?"
    who = "you" if chat.leader_id == chat.member_id else cut(shown_nick(chat.leader_nick), 12)
    return f"{who or '?'}{'?' if chat.provisional else ''}"


def nds_down_since(state: State, chat: Chat) -> int | None:
    """Since when the chat's discovery service is silent; 0 while it answers, None for none."""
    mine = _nds_of(state, chat)
    if not mine:
        return None
    return min((one.down_since_ms for one in mine if one.down_since_ms), default=0)


def nds_fault_of(state: State, chat: Chat) -> str:
    """The reason why the chat's discovery service can store nothing, though it answers."""
    return next((one.fault for one in _nds_of(state, chat) if one.fault), "")


def _nds_of(state: State, chat: Chat) -> list[DiscoveryService]:
    return [one for one in state.nds if one.address == chat.nds] or list(state.nds)


def _active(state: State) -> tuple[str, ...]:
    found = []
    for n, view in hotlist(state):
        name = cut(clean_name(state.shown_name(view)), NAME_MAX)
        counts = f"{view.mentions},{view.unread}" if view.mentions else f"{view.unread}"
        found.append(f"{n}:#{name}({counts})")
    return tuple(found)


def _activity(active: Sequence[str], shown: int) -> str:
    if not shown:
        return ""
    rest = f" +{len(active) - shown}" if len(active) > shown else ""
    return f"[Act: {' '.join(active[:shown])}{rest}]"
