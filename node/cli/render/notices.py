"""The lines in which happenings are told, word for word as scripts and eyes know them.

A notice is one line without its time and chat; `line_mode` puts those before it.
"""

from collections.abc import Sequence

from ... import words
from ...core.types import small
from ...faults import nds_fault
from ...happenings import (
    ChangeEvent,
    ChatEvent,
    ElectionEvent,
    ErrorEvent,
    GapEvent,
    Happening,
    LeaderEvent,
    MemberEvent,
    MergeEvent,
    NdsEvent,
    ReceiptEvent,
    SplitEvent,
    SuspectEvent,
)
from ...words import Kind, Line
from ..model import Notice
from .text import (
    clean,
    clean_line,
    clean_name,
    clock,
    counted,
    seconds,
    several,
    shown_nick,
    shown_text,
    who,
)


def notice(happening: Happening, leader: int = 0) -> str:
    """What is said of it; empty where nothing is.

    Args:
        happening: what came from the node; chat messages have no notice.
        leader: the member that leads, whose silence is told in other words.
    """
    chat = clean_name(happening.chat)
    match happening.what:
        case MemberEvent():
            return _member(happening.what)
        case SuspectEvent():
            return _suspect(happening.what, leader)
        case ElectionEvent():
            return _election(happening.what)
        case LeaderEvent():
            return _leader(happening.what, chat)
        case NdsEvent():
            return _nds(happening.what)
        case SplitEvent():
            return _split(happening.what)
        case ReceiptEvent() | MergeEvent() | GapEvent() | ChangeEvent():
            return _lines(happening.what)
        case ErrorEvent(text=text):
            return f"error: {clean_line(text)}"
        case ChatEvent():
            return _chat(happening.what)
        case _:
            return ""


def _lines(event: ReceiptEvent | MergeEvent | GapEvent | ChangeEvent) -> str:
    """What became of own lines, was read of others', is lost, or was changed."""
    if isinstance(event, ChangeEvent):
        return _change(event)
    if isinstance(event, GapEvent):
        return _gap(event)
    if isinstance(event, MergeEvent):
        return f"caught up: {counted(event.messages, 'message')} from {_nick(event.nick)}"
    all_ = max(event.of, event.acked + len(event.later))  # Who was gone before was not counted.
    return delivered(event.acked, all_, event.later, ())


def _change(event: ChangeEvent) -> str:
    """A line that was edited, redacted, or has its text back."""
    line, by = event.line, _nick(event.by)
    if line.erased:
        whose = "" if event.by_id == line.source_id else f" of {_nick(line.nick)}"
        return f"{by} redacted {line.id}{whose}"
    did = "edited" if line.edited else "said"
    return f"{by} {did} {line.id}: {clean_line(line.text)}"


def _nick(nick: str) -> str:
    return shown_nick(nick) if nick else "others"


def _chat(event: ChatEvent) -> str:
    name = clean_name(event.chat.name)
    if event.change == "opened":
        return f"you are in #{name} (id {small(event.chat.member_id)})"
    if event.change == "resumed":
        return f"#{name} goes on here"
    return f"you are no longer in #{name}" if event.change == "closed" else ""


def _member(event: MemberEvent) -> str:
    nick, name = shown_nick(event.nick), who(event.nick, event.member_id)
    detail = clean_line(event.detail)
    if event.quiet:
        return ""
    match event.change:
        case "joined":
            return f"{nick} joined (id {small(event.member_id)})"
        case "left":
            return f"{nick} left"
        case change if change in DECIDED:
            return _decided(event)
        case "dropped":
            return _gone(name, detail)
        case "refuted":
            return "the others had lost you; they are told that you are back"
        case "returned":
            return f"{name} is back"
        case "reinstated":
            return f"{name} is a member still: the removal does not count"
        case _:
            return _fact(event.change, nick, detail)


# What owner and admins decide: by whom that is known, and where it is not.
DECIDED = {
    "kicked": ("{by} removed {nick}", "{name} was removed"),
    "banned": ("{by} banned {nick}", "{name} was banned"),
    "pardoned": ("{by} lets {nick} in again", "{name} may come in again"),
    "admin": ("{by} made {nick} an admin", "{nick} is an admin now"),
    "no_admin": ("{by} made {nick} a member like others", "{nick} is no admin any more"),
    "owner": ("{by} made {nick} the owner", "{nick} is the owner now"),
}
RIGHTS = {
    "invite admins": "its owner and admins alone invite from now on",
    "invite all": "every member may invite from now on",
    "topic admins": "its owner and admins alone set the topic from now on",
    "topic all": "every member may set the topic from now on",
}


def _decided(event: MemberEvent) -> str:
    known, unknown = DECIDED[event.change]
    said = known if event.by_nick else unknown
    nick, name = shown_nick(event.nick), who(event.nick, event.member_id)
    return said.format(by=shown_nick(event.by_nick), nick=nick, name=name)


def _fact(change: str, nick: str, detail: str) -> str:
    """Something that a member says of itself or of the chat."""
    match change:
        case "renamed":
            return f"{shown_nick(detail)} is called {nick} now"
        case "away":
            return f"{nick} is away: {detail}"
        case "back":
            return f"{nick} is back"
        case "rights":
            return f"{nick} decided: {RIGHTS.get(detail, detail)}"
        case "throttled":
            return f"{nick} floods: throttled"
        case "topic":
            return f"{nick} set the topic: {detail}" if detail else f"{nick} removed the topic"
        case _:
            return f"{nick}: {clean_line(change)} {detail}".rstrip()


def _gone(name: str, detail: str) -> str:
    """`detail` is "no answer for 6 s", and "; unsent 2" where the member lacks own lines."""
    why, _, unsent = detail.partition("; unsent ")
    kept = f". Unsent to them: {unsent}, kept." if unsent else ""
    return f"{name} is gone ({why}){kept}" if why else f"{name} is gone{kept}"


def _suspect(event: SuspectEvent, leader: int) -> str:
    name = who(event.nick, event.member_id)
    if event.quiet:
        return ""
    if event.cleared:
        return f"{name} answers again"
    if leader and event.member_id == leader:
        return f"leader {name} is silent"
    return f"{name} does not answer: 1 of 2 checks missed"


def _election(event: ElectionEvent) -> str:
    by, detail = who(event.by_nick, event.by_id), clean_line(event.detail)
    if event.quiet:
        return ""
    match event.phase:
        case "started":
            return f"election started by {by}: {detail or 'leader silent'}"
        case "ended":
            return f"election of {by} ended: {detail}" if detail else f"election of {by} ended"
        case _:  # the steps between are for `election`, not for the conversation
            return ""


def _leader(event: LeaderEvent, chat: str) -> str:
    if not event.leader_id:
        return "no leader is known"
    name = who(event.nick, event.leader_id)
    took = f", {seconds(event.took_ms)}" if event.took_ms else ""
    if event.provisional:
        whom = "you lead" if event.self else f"{name} leads"
        after = f" ({seconds(event.took_ms)})" if event.took_ms else ""
        yet = "the NDS has not confirmed it"
        return f"{whom} for now, after epoch {event.epoch.n}{after}; {yet}"
    if event.handed_over_by and not event.self:
        did = "left and handed over" if event.handed_over_leaving else "handed over"
        return f"{shown_nick(event.handed_over_by)} {did} to {shown_nick(event.nick)}"
    if event.self:
        return f"you lead #{chat} now (epoch {event.epoch.n}{took})"
    return f"{name} leads now (epoch {event.epoch.n}{took})"


def _nds(event: NdsEvent) -> str:
    if event.up and event.fault:
        return (
            f"NDS {clean_line(event.address)} cannot store ({nds_fault(event.fault)}). Chat works;"
            " creating waits."
        )
    if event.fault:
        return (
            f"NDS {clean_line(event.address)} is not spoken to: {nds_fault(event.fault)}."
            " Chat works; 'p2pchat doctor' says what to do."
        )
    if event.up:
        return f"NDS is back (down {seconds(event.down_ms)})."
    return (
        f"NDS {clean_line(event.address)} does not answer. Chat works; creating waits, joining goes"
        " through any member."
    )


def _split(event: SplitEvent) -> str:
    there = f"(leader there was {shown_nick(event.leader_nick)}, epoch {event.epoch.n})"
    if event.healed:
        merged = counted(event.messages, "message")
        return f"split healed: {merged} merged from the other side {there}"
    return f"split: another side of this chat exists {there}"


def _gap(event: GapEvent) -> str:
    whose, one = _nick(event.nick), event.messages == 1
    if event.filled:
        lost = f"{event.messages} missing {'message' if one else 'messages'}"
        return f"{lost} of {whose} {'is' if one else 'are'} here now"
    return missing(event.messages, whose)


def missing(messages: int, whose: str) -> str:
    """That messages are missing here; who was away meanwhile may have them."""
    one = messages == 1
    lost = f"{counted(messages, 'message')} of {whose} {'is' if one else 'are'} missing"
    return f"{lost}: nobody who was here had {'it' if one else 'them'}"


# ---- chat messages -----------------------------------------------------------------------------


def message_lines(line: Line, chat: str, *, now_ms: int = 0, own: str = "") -> tuple[str, ...]:
    """A chat message as line mode and `tail` show it, one printed line for each line of text.

    Every line carries time, chat and author again: no text can pass for another author's line.

    Args:
        line: the message.
        chat: name of its chat, empty to leave that out.
        now_ms: the present, to show the date of older lines; 0 for times alone.
        own: how the own name is to be shown; empty for the nick.
    """
    nick = (own or clean_name(line.nick)) if line.own else shown_nick(line.nick)
    where = f"#{clean_name(chat)} " if chat else ""
    mark = f"* {nick}" if line.kind == Kind.ACTION else f"<{nick}>"
    front = f"{clock(line.sent_ms, now_ms)} {where}{mark}"
    return tuple(f"{front} {text}".rstrip() for text in clean(shown_text(line)).split("\n"))


def line_mode(happening: Happening, leader: int = 0, own: str = "you") -> tuple[str, ...]:
    """What line mode prints for a happening: no, one or several lines."""
    if isinstance(happening.what, Line):
        return message_lines(happening.what, happening.chat, own=own)
    said = notice(happening, leader)
    return (spoken(said, happening.chat, happening.at_ms),) if said else ()


def tone(happening: Happening) -> str:
    """How a happening is set off where there is colour: SGR codes of the 16-colour set, or none.

    Colour never carries meaning alone: notices have their "--", errors the word.
    """
    match happening.what:
        case Line(mention=True):
            return "1"  # bold: somebody means you
        case Line():
            return ""
        case ErrorEvent():
            return "31"
        case LeaderEvent() | ElectionEvent():
            return "36"
        case _:
            return "2"  # dim


def toned(line: str, codes: str) -> str:
    """The line in that tone; our own text and cleaned text only may come here."""
    return f"\x1b[{codes}m{line}\x1b[0m" if codes else line


def spoken(text: str, chat: str, at_ms: int) -> str:
    """A notice with its time and chat."""
    where = f"#{clean_name(chat)} " if chat else ""
    return f"{clock(at_ms)} {where}-- {text}"


def told(one: Notice) -> str:
    """A notice of a transcript: one happening, or several alike in one line."""
    first, *rest = one.happenings
    if not rest:
        return notice(first, one.leader)
    events = [happening.what for happening in one.happenings]
    match first.what:
        case MemberEvent():
            return joint([what for what in events if isinstance(what, MemberEvent)])
        case SuspectEvent(cleared=cleared):
            names = several(
                who(what.nick, what.member_id) for what in events if isinstance(what, SuspectEvent)
            )
            return f"{names} {'answer again' if cleared else 'do not answer: 1 of 2 checks missed'}"
        case MergeEvent():
            merges = [what for what in events if isinstance(what, MergeEvent)]
            count = sum(what.messages for what in merges)
            nicks = dict.fromkeys(_nick(what.nick) for what in merges)
            return f"caught up: {counted(count, 'message')} from {several(nicks)}"
        case _:
            return "; ".join(dict.fromkeys(filter(None, (notice(h) for h in one.happenings))))


def joint(events: Sequence[MemberEvent]) -> str:
    """One line for a burst of joins, leaves or the like of several members."""
    if len(events) == 1:
        return _member(events[0])
    names = several(dict.fromkeys(who(event.nick, event.member_id) for event in events))
    match events[0].change:
        case "joined":
            return f"{names} joined"
        case "dropped":
            return f"{names} are gone"
        case "returned":
            return f"{names} are back"
        case change if change in ("left", "kicked"):
            did = "left" if change == "left" else "were removed"
            return f"{several(dict.fromkeys(shown_nick(event.nick) for event in events))} {did}"
        case _:
            return "; ".join(dict.fromkeys(_member(event) for event in events))


def led_by(value: words.Tracing) -> str:
    """Who led when a traced line was stored here."""
    if not value.leader_nick:
        return "nobody that is known"
    return f"{shown_nick(value.leader_nick)}{' (for now)' if value.provisional else ''}"


def delivery(value: words.Tracing) -> str:
    """How far a traced line of one's own has come."""
    acked, of = value.line.acked, value.line.of
    if len(value.rows) == of:
        return f"{acked} of {of} have it"
    return f"{acked} of the {of} who were there have it" if of else "nobody else was there"


def delivered(acked: int, of: int, later: Sequence[str], missing: Sequence[str]) -> str:
    """The later line of an own message that did not reach everyone; empty where it did."""
    if not later and not missing:
        return ""
    said = f"sent to {acked} of {of}"
    if later:
        verb = "gets it when they are back" if len(later) == 1 else "get it when they are back"
        said += f"; {several(map(shown_nick, later))} {verb}"
    if missing:
        waits = "does not answer" if len(missing) == 1 else "do not answer"
        said += f"; {several(map(shown_nick, missing))} {waits} yet"
    return said
