"""The rows of one item of a transcript: who said what when, wrapped, with its mark at the end."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias

from ...core.types import small
from ...happenings import ElectionEvent, ErrorEvent, LeaderEvent
from ...words import Kind, Line
from ..model import Item, Notice, Reply, Unsent
from .notices import told
from .rows import Fragment, Row, cut, fitted, justified
from .text import clean, clean_name, moment, shown_nick, shown_text, width
from .themes import NICKS
from .wrap import Span, hung, spans

ROWS_MAX = 1_000  # of one item; the rest of a longer one is left out
MARK = 6  # columns of a delivery mark
HANG = 4  # blanks before the rows that a line of an answer goes on in

Rows: TypeAlias = tuple[Row, ...]


class Look(NamedTuple):
    """All that decides, beside the item and its mark, what its rows look like."""

    columns: int
    time: int  # columns of the time: 8, 5 or 0
    nick: int  # columns of the author
    search: str
    hit: bool  # whether it is the match that is looked at


class Matches:
    """What was searched for in a line, asked for row by row: each match is looked at once."""

    def __init__(self, wanted: re.Pattern[str], line: str) -> None:
        self._coming = wanted.finditer(line)
        self._next = next(self._coming, None)
        self._held: list[Span] = []

    def within(self, start: int, end: int) -> Sequence[Span]:
        """The matches that reach into that part of the line, those side by side as one."""
        while self._next and self._next.start() < end:
            first, last = self._next.span()
            if self._held and self._held[-1][1] == first:
                first, _ = self._held.pop()
            self._held.append((first, last))
            self._next = next(self._coming, None)
        self._held = [one for one in self._held if one[1] > start]
        return [one for one in self._held if one[0] < end]


class Drawing:
    """One item being drawn."""

    def __init__(self, item: Item, look: Look, mark: str) -> None:
        self._item, self._columns, self._mark = item, look.columns, mark
        self._time, self._nick = look.time, look.nick
        self._hit = look.hit and bool(look.search)
        self._search = re.compile(re.escape(look.search), re.IGNORECASE) if look.search else None
        self._bar = " | " if self._nick else ""
        time = self._time + 1 if self._time else 0
        self._room = look.columns - time - self._nick - len(self._bar)

    def rows(self) -> Rows:
        match self._item.entry:
            case Line() as line:
                return self._line(line)
            case Notice() as notice:
                name = _notice_class(notice)
                return self._block(notice.at_ms, (name, "--"), name, told(notice))
            case Reply(lines=lines, at_ms=at_ms, tone=tone):
                name = {"error": "notice.error", "hint": "hint"}.get(tone, "reply")
                answer = "\n".join(lines)
                return self._block(at_ms, (name, "--"), name, answer, hang=HANG)
            case Unsent(text=text, why=why, at_ms=at_ms):
                said = self._block(at_ms, ("nick.own", "you"), "text", text, own=True)
                if not why:  # the node has not answered yet
                    return said
                reason = self._block(
                    at_ms, ("notice.error", "--"), "notice.error", f"not sent: {why}"
                )
                return said + reason

    def _line(self, line: Line) -> Rows:
        name = "mention" if line.mention and not line.own else "text"
        who = ("nick.own", "you") if line.own else (nick_class(line.source_id), line.nick)
        text = shown_text(line)
        if line.kind == Kind.ACTION:
            actor = clean_name(line.nick) if line.own else shown_nick(line.nick)
            text, who = f"{actor} {text}", (who[0], "*")
        elif not line.own:
            who = (who[0], shown_nick(line.nick))
        return self._block(line.sent_ms, who, name, text, own=line.own)

    def _block(
        self,
        at_ms: int,
        who: Fragment,
        name: str,
        text: str,
        *,
        own: bool = False,
        hang: int = 0,
    ) -> Rows:
        """Rows of text behind the columns of time and author; own ones keep room for the mark."""
        mark = self._mark if own else ""
        edge = 2 if self._room >= 40 else 0
        beside = self._room >= 20
        taken = max(MARK, len(self._mark)) + 1 + edge if own and beside else 0
        hang = hang if beside else 0
        drawn = self._texts(clean(text), name, self._room - taken, hang)
        texts = list(islice(drawn, ROWS_MAX + 1))
        if len(texts) > ROWS_MAX:
            texts[-1] = (("hint", "(the rest is left out here; /copy has all of it)"),)
        heads = [self._head(at_ms, who), *[self._margin()] * (len(texts) - 1)]
        rows = [(*head, *row) for head, row in zip(heads, texts, strict=True)]
        if mark and beside:
            used = sum(width(one) for _, one in texts[-1])
            gap = " " * (self._room - edge - used - len(mark))
            rows[-1] = (*rows[-1], ("", gap), (_mark_class(mark), mark))
        elif mark:
            rows.append((*self._margin(), (_mark_class(mark), justified(mark, self._room))))
        return tuple(fitted(row, self._columns) for row in rows)

    def _texts(self, text: str, name: str, last_room: int, hang: int = 0) -> Iterator[Row]:
        """The rows of a text, of which the last is no wider than `last_room`."""
        lines = text.split("\n")
        for at, line in enumerate(lines):
            rows, indent = hung(line, self._room, hang) if hang else (spans(line, self._room), 0)
            start, end = rows[-1]
            if at == len(lines) - 1 and width(line[start:end]) > last_room:
                more = spans(line[start:end], last_room)
                rows[-1:] = [(start + first, start + last) for first, last in more]
            matches = Matches(self._search, line) if self._search else None
            for start, end in rows:
                found = matches.within(start, end) if matches else ()
                row = self._lit(line, start, end, found, name)
                yield ((name, " " * indent), *row) if indent and start > rows[0][0] else row

    def _lit(self, line: str, start: int, end: int, found: Sequence[Span], name: str) -> Row:
        """A row in which what was searched for is marked, also what goes on from the row before."""
        row: list[Fragment] = []
        at = start
        for first, last in found:
            first, last = max(first, start), min(last, end)
            row += [
                (name, line[at:first]),
                ("match.hit" if self._hit else "match", line[first:last]),
            ]
            at = last
        return (*row, (name, line[at:end]))

    def _head(self, at_ms: int, who: Fragment) -> Row:
        row: list[Fragment] = []
        if self._time:
            row.append(("time", f"{_clock(at_ms)[: self._time]:<{self._time}} "))
        if self._nick:
            row.append((who[0], justified(cut(who[1], self._nick), self._nick)))
            row.append(("border", " > " if self._hit else self._bar))
        return tuple(row)

    def _margin(self) -> Row:
        blank = self._time + (1 if self._time else 0) + self._nick
        return (("border", " " * blank + self._bar),)


def nick_class(member_id: int) -> str:
    """The colour of an author, the same everywhere."""
    return f"nick.{small(member_id) % NICKS}"


def _notice_class(notice: Notice) -> str:
    match notice.happenings[0].what:
        case LeaderEvent() | ElectionEvent():
            return "notice.leader"
        case ErrorEvent():
            return "notice.error"
        case _:
            return "notice"


def _clock(at_ms: int) -> str:
    at = moment(at_ms) if at_ms else None
    return f"{at.hour:02}:{at.minute:02}:{at.second:02}" if at else ""


def _mark_class(mark: str) -> str:
    if mark in ("queued", "failed"):
        return f"delivery.{mark}"
    acked, _, of = mark.partition("/")
    return "delivery.all" if acked == of else "delivery"
