"""Chats, lines and happenings for tests of what a face knows, and short ways to look at it."""

from collections.abc import Iterable

from node import happenings as h
from node import words as w
from node.cli.model import Event, Notice, Reply, State, View, cursor_of, reduce
from node.happenings import Happening
from node.words import Chat, Line, Status

ALICE, BOB, CAROL, DAN = 7, 5, 6, 9  # ids in #dev; alice is oneself
DEV = Chat(name="dev", chat_id=1, member_id=ALICE, alive=2, known=2, leader_nick="bob")
OPS = Chat(name="ops", chat_id=2, member_id=8, alive=1, known=1)
LAB = Chat(name="lab", chat_id=3, member_id=4, alive=3, known=3)


def after(*events: Event, state: State | None = None) -> State:
    """The state once all of them have happened."""
    found = state or State()
    for event in events:
        found = reduce(found, event)
    return found


def entered(*chats: Chat) -> State:
    """In these chats, the first one in front."""
    return after(Status(nick="alice", chats=chats or (DEV, OPS)))


def line(
    at: int,
    text: str = "",
    *,
    nick: str = "bob",
    own: bool = False,
    backlog: bool = False,
    mention: bool = False,
    acked: int = 0,
) -> Line:
    """The line whose place in the log is `at`, and whose text is that number if nothing else."""
    source = ALICE if own else BOB
    return Line(
        msg_id=f"{at:04x}",
        id=f"{at:04x}",
        source_id=source,
        nick="alice" if own else nick,
        text=text or str(at),
        sent_ms=at,
        own=own,
        backlog=backlog,
        mention=mention,
        acked=acked,
        of=2 if own else 0,
        place=place(at),
    )


def place(at: int) -> str:
    """The cursor of that line."""
    return cursor_of((at, 0, BOB, 1, 7, at))


def lines(ats: Iterable[int]) -> tuple[Line, ...]:
    """Lines as a page of the log has them."""
    return tuple(line(at, backlog=True) for at in ats)


def in_chat(what: h.What, chat: Chat = DEV, at_ms: int = 0) -> Happening:
    return Happening(what, chat.name, chat.chat_id, at_ms=at_ms)


def said(at: int, chat: Chat = DEV, *, backlog: bool = False, own: bool = False) -> Happening:
    """A line that comes now."""
    return in_chat(line(at, backlog=backlog, own=own), chat, at)


def joined(nick: str, at_ms: int, chat: Chat = DEV) -> Happening:
    return in_chat(h.MemberEvent(DAN, nick, "joined"), chat, at_ms)


def view_of(state: State, chat: Chat = DEV) -> View:
    view = state.view(chat.chat_id)
    assert view is not None, f"#{chat.name} is gone"
    return view


def shown(view: View) -> list[str]:
    """What the transcript says: texts of lines, notices in two words, answers in brackets."""
    return [_shown(item.entry) for item in view.items]


def _shown(entry: object) -> str:
    match entry:
        case Line(text=text):
            return text
        case Notice(happenings=happenings):
            return " & ".join(_brief(one.what) for one in happenings)
        case Reply(lines=(first, *_)):
            return f"[{first}]"
        case _:
            return type(entry).__name__


def _brief(what: h.What) -> str:
    match what:
        case h.MemberEvent(nick=nick, change=change):
            return f"{nick} {change}"
        case h.SuspectEvent(nick=nick, cleared=cleared):
            return f"{nick} answers" if cleared else f"{nick} silent"
        case h.GapEvent(nick=nick, messages=messages, filled=filled):
            return f"{messages} of {nick} {'here' if filled else 'missing'}"
        case h.MergeEvent(nick=nick, messages=messages):
            return f"{messages} from {nick}"
        case _:
            return type(what).__name__.removesuffix("Event").lower()


def serial_of(view: View, text: str) -> int:
    """The serial of the item that says so."""
    return view.items[shown(view).index(text)].serial


def members(*rows: tuple[int, str, str]) -> tuple[w.Member, ...]:
    """A list of members: id, nick and state of each."""
    return tuple(w.Member(member_id=id, nick=nick, state=state) for id, nick, state in rows)
