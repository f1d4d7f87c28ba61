"""The panes beside the transcript: the chats at the left, the members at the right."""

from typing import NamedTuple

from ...core.types import small
from ...words import Member
from ..model import State, View
from .rows import Fragment, Row, cut, fitted, head, justified, padded
from .text import beginning, clean_name, shown_nick, width

NICK_MIN = 6  # columns of members' nicks
RANK = {"alive": 0, "stalled": 0, "stopped": 0, "unknown": 1, "suspect": 1, "dropped": 2}
MARKS = {
    "alive": " ",
    "stalled": " ",
    "stopped": " ",
    "unknown": "?",
    "suspect": "?",
    "dropped": "-",
}


def chats(state: State, columns: int, height: int) -> list[Row]:
    """The chats with their numbers; `>` is in front, `@` counts mentions."""
    listed = state.listed
    front = next((at for at, view in enumerate(listed) if view.chat.chat_id == state.current), 0)
    first, shown = _slice(len(listed), front, height - 1)
    digits = len(str(len(listed)))
    rows = [fitted((("pane.head", "CHATS"),), columns, "pane.head")]
    for at in range(first, first + shown):
        is_front = listed[at].chat.chat_id == state.current
        name = _called(state, listed[at])
        rows.append(_chat(listed[at], name, f"{at + 1:>{digits}}", columns, is_front))
    if shown < len(listed):
        rows.append(fitted((("pane", f"  +{len(listed) - shown} more"),), columns, "pane"))
    return _filled(rows, columns, height)


def chat_at(state: State, y: int, height: int) -> int:
    """The chat in that row of the pane; 0 for none."""
    listed = state.listed
    front = next((at for at, view in enumerate(listed) if view.chat.chat_id == state.current), 0)
    first, shown = _slice(len(listed), front, height - 1)
    return listed[first + y - 1].chat.chat_id if 1 <= y <= shown else 0


def _slice(count: int, front: int, height: int) -> tuple[int, int]:
    """First and number of the entries shown; one row tells of those that are not."""
    if count <= height:
        return 0, count
    room = max(0, height - 1) if height > 1 else max(0, height)
    return min(max(0, front - room // 2), count - room), room


class _Name(NamedTuple):
    """What a chat is called: `apart` is where its service's address differs from the others'."""

    text: str
    service: str = ""  # the end of the text, where several chats have the name
    apart: slice = slice(0, 0)

    def cut(self, columns: int) -> str:
        """In at most so many columns; chats of one name are told apart as far as these suffice."""
        if width(self.text) <= columns or not self.service:
            return cut(self.text, columns)
        name, tail = self.text[: -len(self.service) - 1], self.service[self.apart.start :]
        room = columns - width(name) - 1
        if room >= len(tail):
            return f"{name}~{self.service[-room:]}"
        middle = "~" + self.service[self.apart]
        middle += "~" * (self.apart.stop < len(self.service))
        return cut(head(name, columns - width(middle)) + middle, columns)


def _called(state: State, view: View) -> _Name:
    text = f"#{clean_name(state.shown_name(view))}"
    if state.shown_name(view) == view.name:
        return _Name(text)
    service = clean_name(view.chat.nds)
    alike = [clean_name(one.chat.nds) for one in state.views if one.name == view.name]
    same = len(beginning(alike))
    ending = len(beginning([one[same:][::-1] for one in alike]))
    return _Name(text, service, slice(same, len(service) - ending))


def _chat(view: View, name: _Name, number: str, columns: int, front: bool) -> Row:
    look = "pane"
    counts = f"{view.unread}" if view.unread else ""
    if view.mentions:
        counts, look = f"@{view.mentions} {view.unread}", "pane.mention"
    elif view.unread:
        look = "pane.active"
    if view.muted:
        counts, look = "(muted)", "pane.muted"
    if front:
        look = "pane.front"
    label = f"{'>' if front else ' '}{number} "
    edge = 1 if view.muted else 2
    room = columns - len(label) - (len(counts) + 1 + edge if counts else 0)
    if view.muted and width(name.text) > room:  # the name matters more than why it is silent
        counts, room = "", columns - len(label) - 1
    shown = padded(name.cut(max(1, room)), max(1, room))
    return fitted(((look, label + shown + (f" {counts}" if counts else "")),), columns, look)


def members(state: State, columns: int, height: int) -> list[Row]:
    """Who is there: * leads, ? does not answer, - is gone, (nick) is away, +n lacks own lines, @ is
    the owner or an admin.
    """
    view = state.front
    if view is None:
        return _filled([], columns, height)
    chat = view.chat
    title = f"MEMBERS {'?' if chat.halt else chat.alive}/{chat.known}"
    rows = [fitted((("pane.head", title),), columns, "pane.head")]
    listed = members_listed(view)
    first, shown = _slice(len(listed), 0, height - 1)
    sizes = _sizes(listed, columns)
    rows += [_member(one, sizes, columns) for one in listed[first : first + shown]]
    if shown < len(listed):
        rows.append(fitted((("member", f" +{len(listed) - shown} more"),), columns, "member"))
    return _filled(rows, columns, height)


def member_at(state: State, y: int, height: int) -> int:
    """The member in that row of the pane; 0 for none."""
    listed = members_listed(state.front) if state.front else ()
    _, shown = _slice(len(listed), 0, height - 1)
    return listed[y - 1].member_id if 1 <= y <= shown else 0


def members_listed(view: View) -> tuple[Member, ...]:
    """Those that answer first, in order of id; those that left are not there."""
    there = [one for one in view.members if one.state in RANK]
    return tuple(sorted(there, key=lambda one: (RANK[one.state], one.member_id)))


def _sizes(listed: tuple[Member, ...], columns: int) -> tuple[int, int]:
    """Columns of nicks and of ids."""
    ids = max((len(f"id {small(one.member_id)}") for one in listed), default=4)
    lacking = max((len(f"+{one.lacking}") for one in listed if one.lacking), default=0)
    nicks = max((width(_name(one)) for one in listed), default=NICK_MIN)
    return max(NICK_MIN, min(nicks, columns - 1 - 1 - ids - 2 - lacking)), ids


def _name(one: Member) -> str:
    name = "you" if one.self else shown_nick(one.nick)
    name = f"@{name}" if one.role in ("owner", "admin") else name
    return f"({name})" if one.away else name


def _member(one: Member, sizes: tuple[int, int], columns: int) -> Row:
    nicks, ids = sizes
    name = padded(cut(_name(one), nicks), nicks)
    text = f"{MARKS[one.state]}{name} {f'id {small(one.member_id)}':<{ids}}"
    text = cut(f"{text} *" if one.leader else text, columns)
    lacking = f"+{one.lacking}" if one.lacking else ""
    room = columns - width(text)
    row: list[Fragment] = [(_look(one), text)]
    if lacking and room >= len(lacking):
        row.append(("delivery", justified(lacking, room)))
    return fitted(row, columns, "member")


def _look(one: Member) -> str:
    match one.state:
        case "suspect":
            return "member.suspect"
        case "dropped":
            return "member.gone"
    if one.leader:
        return "member.leader"
    if one.self:
        return "member.own"
    return "member.away" if one.away else "member"


def _filled(rows: list[Row], columns: int, height: int) -> list[Row]:
    return (rows + [fitted((), columns)] * (height - len(rows)))[:height]
