"""What covers the transcript: help, keys, elections, a trace, the queue, links, calls, a check.

The content of a page is an answer of the node, or lines: a `str` is one, `(head,)` a heading, and
`(left, right)` a row of two columns.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ... import faults, words
from ...core.types import small
from ..model import Page, State, View
from .bar import nds_down_since, nds_fault_of
from .comparing import compared, sameness
from .grid import Cells, empty, grid, paragraph
from .notices import delivery, led_by, message_lines, missing
from .rows import Row, cut, fitted, padded
from .shell import grpcurl, shell_rows
from .text import (
    clean,
    clean_line,
    clean_name,
    clock,
    counted,
    round_trip,
    seconds,
    several,
    shown_nick,
    shown_text,
    who,
    width,
)

TITLES = {
    "help": "HELP",
    "keys": "KEYS",
    "elections": "ELECTIONS",
    "trace": "TRACE",
    "queue": "QUEUE",
    "peers": "PEERS",
    "rpc": "CALLS",
    "check": "CHECK",
}
OF_A_CHAT = ("elections", "trace", "peers", "check")
TEXT_MAX = 200  # characters of a line's text that are looked at where little of it is shown
WATCHED_FROM, COUNTS_FROM = 100, 140  # columns from which these have columns of their own
ENTRIES_MAX = 500  # rows of a table; nobody reads more
HOW = "Esc closes, PgUp and PgDn scroll"


def title(page: Page) -> str:
    """What a page is, in a few words."""
    name = TITLES.get(page.kind, page.kind.upper())
    return f"{name} {clean_line(page.topic)}".rstrip()


def head(state: State, page: Page, columns: int, first: int, shown: int, count: int) -> Row:
    """The row over a page: what it is, how much of it is seen, how to leave it."""
    view = state.view(page.chat_id)
    chat = f" of #{clean_name(state.shown_name(view))}" if view and _is_of(page, view) else ""
    part = f"{first + 1}-{first + shown} of {count}  " if shown < count else ""
    left, right = f" {title(page)}{chat}", f"{part}{HOW} "
    if width(left) + 2 + width(right) > columns:
        right = f"{part}Esc " if width(left) + len(part) + 6 <= columns else ""
    left = cut(left, max(0, columns - len(right)))
    return fitted((("page.title", padded(left, columns - len(right)) + right),), columns)


def _is_of(page: Page, view: View) -> bool:
    """Whether what a page shows is of one chat alone."""
    if isinstance(page.content, words.Queue):
        return {row.chat for row in page.content.rows} == {view.name}
    return page.kind in OF_A_CHAT


def height(state: State, columns: int, now_ms: int) -> int:
    """How many rows the open page has."""
    return len(rows(state, columns, now_ms))


def furthest(state: State, columns: int, body: int, now_ms: int) -> int:
    """The last `Page.top` that leaves no room below, in a body of so many rows."""
    return max(0, height(state, columns, now_ms) - max(0, body - 1))


class _Kept:
    """The rows of the page that was drawn last, until what it shows is another."""

    def __init__(self) -> None:
        self.content: object = None
        self.key: tuple[object, ...] = ()
        self.rows: list[Row] = []


_KEPT = _Kept()


def rows(state: State, columns: int, now_ms: int) -> list[Row]:
    """All rows of the open page; not to be changed."""
    page = state.page
    if page is None:
        return []
    view = state.view(page.chat_id)
    about = (view.chat, state.nds) if view and isinstance(page.content, words.Elections) else None
    # What is under way counts tenths of a second; all else at most has a date.
    tick = now_ms // (100 if _is_moving(page.content) else 60_000)
    key = (page.kind, columns, tick, about)
    if _KEPT.content is not page.content or _KEPT.key != key or page.content is None:
        _KEPT.content, _KEPT.key = page.content, key
        _KEPT.rows = _drawn(state, page.content, columns, now_ms)
    return _KEPT.rows


def _is_moving(content: object) -> bool:
    return isinstance(content, words.Elections) and any(one.under_way for one in content.elections)


def _drawn(state: State, content: object, columns: int, now_ms: int) -> list[Row]:
    for kind, draw in _DRAWN:
        if isinstance(content, kind):
            return draw(content, state, columns, now_ms)
    return paragraph("page.dim", " asking the node...", columns)


def _rest(count: int, columns: int) -> list[Row]:
    """How many entries are left out of a table that is very long."""
    if count <= ENTRIES_MAX:
        return []
    return paragraph("page.dim", f" and {count - ENTRIES_MAX} more", columns)


# ---- lines: help and keys ----------------------------------------------------------------------


def _lines(content: Sequence[object], _: State, columns: int, __: int) -> list[Row]:
    drawn: list[Row] = []
    pairs: list[Cells] = []
    lefts = [str(one[0]) for one in content if isinstance(one, tuple) and len(one) == 2]
    least = min(max(map(width, lefts), default=0), columns // 2)
    for one in (*content, None):
        if isinstance(one, tuple) and len(one) == 2:
            pairs.append(("page", tuple(clean_line(str(cell)) for cell in one)))
            continue
        drawn += grid((), pairs, columns, indent=2, lead="page.key", least=least)
        pairs = []
        match one:
            case (str() as said,):
                drawn += paragraph("page.head", f" {clean_line(said)}", columns)
            case str() as said:
                drawn += paragraph("page", f" {clean(said)}", columns)
    return drawn


# ---- elections ---------------------------------------------------------------------------------

SCALE = 24  # columns of the picture of when a step was


def _elections(value: words.Elections, state: State, columns: int, now_ms: int) -> list[Row]:
    """The last one first, step by step; one under way counts on."""
    drawn = _leads(state, columns)
    if not value.elections:
        return drawn + paragraph("page", " no election seen yet", columns)
    for one in reversed(value.elections):
        drawn += [*empty(columns), *_election(one, columns, now_ms)]
    return drawn


def _leads(state: State, columns: int) -> list[Row]:
    view = state.view(state.page.chat_id) if state.page else None
    if view is None:
        return []
    chat = view.chat
    if view.halted:
        said = f"{view.halted}, so who leads is not known here (epoch {chat.epoch.n})"
    elif not chat.leader_id:
        said = f"no leader is known (epoch {chat.epoch.n})"
    else:
        sure = "the NDS agrees"
        if nds_down_since(state, chat):
            sure = "as the NDS said before it went silent"
        elif nds_fault_of(state, chat):
            sure = "the NDS agrees, but cannot store"
        leader = who(chat.leader_nick, chat.leader_id)
        if chat.leader_id == chat.member_id:
            leader = f"you (id {small(chat.member_id)})"
        verb = "lead" if chat.leader_id == chat.member_id else "leads"
        name = clean_name(state.shown_name(view))
        said = f"{leader} {verb} #{name}, epoch {chat.epoch.n}, {sure}"
        if chat.provisional:
            said = f"{leader} {verb} #{name} for now, after epoch {chat.epoch.n}: the NDS has not"
            said += " confirmed it"
    return paragraph("page.head", f" {said}", columns)


def _election(one: words.Election, columns: int, now_ms: int) -> list[Row]:
    long = max(one.took_ms, 1)
    if one.under_way:
        long = max(long, now_ms - one.began_ms)
        result, look = f"under way for {seconds(long)}", "page.bad"
    elif one.winner:
        how = "leads for now, after" if one.provisional else "leads,"
        epoch = f"epoch {one.epoch.n}, after {_time(one.took_ms)}"
        result = f"{shown_nick(one.winner)} {how} {epoch}"
        look = "page.good"
    else:
        result, look = f"no change, after {_time(one.took_ms)}", "page"
    drawn = paragraph(look, f" {clock(one.began_ms, now_ms)}  {result}", columns)
    cells: list[Cells] = []
    for step in one.steps:
        after = max(0, step.at_ms - one.began_ms)
        picture = _picture(after, long) if columns >= 84 else ""
        row = (f"+{after} ms", *([picture] if picture else []), clean_line(step.text))
        cells.append(("page", row))
    return drawn + grid((), cells, columns, indent=3, right=(0,))


def _time(ms: int) -> str:
    """How long an election took; an answer comes within milliseconds."""
    return f"{ms} ms" if ms < 100 else seconds(ms)


def _picture(after_ms: int, long_ms: int) -> str:
    """Where in the time of the election a step stands."""
    at = min(SCALE - 1, after_ms * SCALE // long_ms)
    return "|" + "." * at + "*" + "." * (SCALE - 1 - at) + "|"


# ---- a message ---------------------------------------------------------------------------------


def _trace(value: words.Tracing, state: State, columns: int, now_ms: int) -> list[Row]:
    line = value.line
    drawn: list[Row] = []
    for said in message_lines(line, "", now_ms=now_ms, own="you")[:5]:
        drawn += paragraph("page.head", f" {said}", columns)
    facts = [
        ("id", clean_line(line.msg_id)),
        ("sent", f"{_exact(line.sent_ms)} in epoch {line.epoch.n}, led by {led_by(value)}"),
    ]
    if value.stored_ms:
        facts.append(("stored", f"{_exact(value.stored_ms)} here"))
    if value.follows:
        facts.append(("follows", several(map(clean_line, value.follows))))
    if line.own:
        facts.append(("delivery", delivery(value)))
    drawn += grid((), [("page", fact) for fact in facts], columns, indent=1)
    if value.rows:
        drawn += empty(columns)
        cells = [_step(row) for row in value.rows]
        drawn += grid(("MEMBER", "STATE", "AFTER", "WAY", "WHY"), cells, columns, right=(2,))
    return drawn


def _exact(at_ms: int) -> str:
    return f"{clock(at_ms)}.{at_ms % 1000:03}"


def _step(row: words.TraceRow) -> Cells:
    name = who(row.nick, row.member_id)
    took = f"{row.took_ms} ms" if row.took_ms else ""
    if row.state == "acked":
        return "page.good", (name, "has it", took, clean_line(row.way), "")
    if row.state == "later":
        return "page.dim", (name, "gone", "", "", "gets it when they are back")
    if row.state == "behind":
        return "page.dim", (name, "is back", "", "", "not seen to have it yet")
    if row.state == "gone":
        return "page.dim", (name, "left", "", "", "no longer a member")
    why = [counted(row.tries, "try", "tries")] if row.tries else ["not tried yet"]
    if row.last_status:
        why.append(f"last {clean_line(row.last_status)}")
    if row.next_try_ms:
        why.append(f"next in {seconds(row.next_try_ms)}")
    return "page.bad", (name, "lacks it", "", "", "; ".join(why))


def _queue(value: words.Queue, _: State, columns: int, now_ms: int) -> list[Row]:
    if not value.rows:
        return paragraph("page", " nothing waits: every line has reached all who can be", columns)
    cells: list[Cells] = []
    for row in value.rows[:ENTRIES_MAX]:
        first = clean_line(shown_text(row.line)[:TEXT_MAX])
        when = seconds(row.next_try_ms) if row.next_try_ms else ""
        missing = several(map(shown_nick, row.missing)) if row.missing else ""
        chat = f"#{clean_name(row.chat)}"
        sent = clock(row.line.sent_ms, now_ms)
        id, text = clean_line(row.line.id), cut(first, 40)
        cells.append(("page", (sent, chat, id, text, when, missing)))
    head = ("SENT", "CHAT", "ID", "TEXT", "NEXT TRY", "WAITS FOR")
    return grid(head, cells, columns) + _rest(len(value.rows), columns)


# ---- the others --------------------------------------------------------------------------------


def _peers(value: words.Peers, _: State, columns: int, __: int) -> list[Row]:
    """Links with what is known of each: in columns of their own as far as there is room."""
    if not value.peers:
        return paragraph("page", " you are alone: there is no link to anybody", columns)
    chats = len({one.chat for one in value.peers}) > 1
    cells = [_peer(one, columns, chats) for one in value.peers[:ENTRIES_MAX]]
    head = (*(("CHAT",) if chats else ()), "MEMBER", "STATE", "LINK", "RTT")
    if columns >= COUNTS_FROM:
        head = (*head, "CALLS", "FAILED", "NOW")
    if columns >= WATCHED_FROM:
        head = (*head, "WATCHED")
    right = range(3 + chats, (7 if columns >= COUNTS_FROM else 4) + chats)
    table = grid((*head, "MORE"), cells, columns, right=right)
    return table + _rest(len(value.peers), columns)


def _peer(one: words.Peer, columns: int, chats: bool) -> Cells:
    cells = [f"#{clean_name(one.chat)}"] if chats else []
    cells += [who(one.nick, one.member_id), clean_line(one.state), clean_line(one.link)]
    cells.append(round_trip(one.rtt_us) if one.rtt_us else "-")
    more = []
    counts = f"{counted(one.calls, 'call')}, {one.failures} failed"
    watched = clean_line(one.watch)
    if columns >= COUNTS_FROM:
        cells += [str(one.calls), str(one.failures), str(one.in_flight), watched]
        more.append(clean_line(one.address))
    elif columns >= WATCHED_FROM:
        cells.append(watched)
        more.append(counts)
    else:
        more += [*([watched] if watched else []), clean_line(one.address), counts]
    if one.held_ms:
        more.append(f"throttled for {seconds(one.held_ms)}")
    if one.last_error:
        more.append(f"last {clean_line(one.last_error)}")
    bad = one.link == "failing" or one.held_ms or one.state in ("suspect", "dropped")
    return "page.bad" if bad else "page", (*cells, "; ".join(more))


def _lost(one: words.Lost) -> str:
    return missing(one.messages, who(one.nick, one.member_id))


def _check(value: words.Comparison, _: State, columns: int, __: int) -> list[Row]:
    cells: list[Cells] = []
    for row in value.rows:
        told = "same" if row.same else compared(value, row).upper()
        look = "page.good" if row.same else "page.bad"
        found = clean_line(row.fingerprint) or "no answer"
        cells.append((look, (who(row.nick, row.member_id), found, told)))
    said = sameness(value)
    if halted := faults.halted(value.halt, value.halt_reason):
        said = f"the chat is {halted}: its history here is as it was then"
    look = "page.good" if value.same else "page.bad"
    return [
        *paragraph(look, f" {said}", columns),
        *(row for one in value.lost for row in paragraph("page.bad", f" {_lost(one)}", columns)),
        *empty(columns),
        *grid(("MEMBER", "HISTORY", ""), cells, columns),
    ]


def _calls(value: words.Calls, _: State, columns: int, now_ms: int) -> list[Row]:
    """Each call as a line for the shell, the last one first."""
    if not value.calls:
        return paragraph("page", " no call was made yet", columns)
    drawn: list[Row] = []
    for one in reversed(value.calls):
        status = clean_line(one.status)
        said = f"# {clock(one.at_ms, now_ms)} {status}, {one.took_ms} ms"
        drawn += paragraph("page.dim" if status == "OK" else "page.bad", said, columns)
        asked = clean_line(one.request_json)
        line = grpcurl(
            clean_line(one.address), clean_line(one.method), asked, keys=clean_line(value.keys)
        )
        drawn += [fitted((("page", row),), columns) for row in shell_rows(line, columns)]
    return drawn


_Draw = Callable[[Any, State, int, int], list[Row]]
_DRAWN: Sequence[tuple[type, _Draw]] = (
    (tuple, _lines),
    (words.Elections, _elections),
    (words.Tracing, _trace),
    (words.Queue, _queue),
    (words.Peers, _peers),
    (words.Calls, _calls),
    (words.Comparison, _check),
)
