"""One item of a transcript as rows: when, who, what, and how far an own line has come.

    12:01:07   alice | who broke the build?
    12:01:22     bob | looking
                     | second line of a pasted block
    12:02:43      -- | election started by bob (id 2): leader silent
    12:03:31     you | deploying now                            2/3

Every row of a message keeps the column of its author, so that no text can pass for another's line.
Rows are kept for as long as they look the same; the height of a whole transcript is never computed.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, TypeAlias

from ...core.types import small
from ...happenings import ElectionEvent, ErrorEvent, LeaderEvent
from ...words import Kind, Line
from ..model import Entry, Item, Notice, Reply, State, Unsent, View
from .notices import told
from .rows import Fragment, Row, cut, fitted, justified
from .text import clean, clean_name, moment, shown_nick, width
from .themes import NICKS
from .wrap import spans

NICK_MIN, NICK_MAX = 7, 12  # columns of authors
LATELY = 200  # items among which the longest nick is looked for
ROWS_MAX = 1_000  # of one item; the rest of a longer one is left out
QUIET_MS = 300  # an own line says nothing of its delivery for that long
QUEUED_MS = 2_000  # after that, one that nobody acknowledged counts as queued
AHEAD_MS = 2_000  # an own line's clock may be ahead of the screen's by this much
MARK = 6  # columns of a delivery mark
FAR_MS = 1 << 62
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Rows: TypeAlias = tuple[Row, ...]


class Options(NamedTuple):
    """All that decides, beside the item, its place and the time, what an item looks like."""

    time: int  # columns of the time: 8, 5 or 0
    nick: int  # columns of the author
    notices: bool
    ignored: tuple[str, ...]
    search: str
    hit: int  # serial of the match that is looked at
    heard_ms: int  # when another member was last heard; -1 where there is no other


class Drawn(NamedTuple):
    """The rows of an item; `before` of them (day, "new") do not belong to it."""

    rows: Rows
    before: int


NOTHING = Drawn((), 0)


def options(state: State, view: View, columns: int) -> Options:
    """What is to be known for drawing `view` in so many columns."""
    time = 8 if state.settings.seconds != "off" else 5
    nick = _nick_columns(view)
    if columns < 50:
        time, nick = 5, min(nick, 8)
    if columns < 30:
        time, nick = 0, min(nick, max(0, columns // 2 - 4))
    return Options(
        time,
        nick,
        state.settings.notices != "off",
        state.ignored,
        state.search.text if state.search else "",
        state.search.hit if state.search else 0,
        _heard_ms(view),
    )


def _nick_columns(view: View) -> int:
    """As wide as the longest nick shown lately."""
    nicks = {one.nick for one in view.members if one.state not in ("left", "kicked")}
    nicks |= {item.entry.nick for item in view.items[-LATELY:] if isinstance(item.entry, Line)}
    longest = max((width(shown_nick(nick)) for nick in nicks), default=0)
    return min(NICK_MAX, max(NICK_MIN, longest))


def _heard_ms(view: View) -> int:
    if not view.members:
        return -1 if view.chat.known <= 1 else FAR_MS if view.chat.alive > 1 else 0
    others = [one for one in view.members if not one.self and one.state not in ("left", "kicked")]
    if any(one.state == "alive" for one in others):
        return FAR_MS
    return max((one.seen_ms for one in others), default=-1)


# ---- the rows of an item, kept -----------------------------------------------------------------


class _Kept:
    """Rows by what they were drawn from; the oldest go first, whatever they are worth."""

    ROWS = 8_192

    def __init__(self) -> None:
        self._drawn: dict[tuple[object, ...], tuple[Entry, Rows]] = {}
        self._rows = 0

    def get(self, key: tuple[object, ...], entry: Entry) -> Rows | None:
        found = self._drawn.get(key)
        return found[1] if found and found[0] is entry else None

    def put(self, key: tuple[object, ...], entry: Entry, rows: Rows) -> None:
        if old := self._drawn.pop(key, None):
            self._rows -= len(old[1])
        self._drawn[key] = (entry, rows)
        self._rows += len(rows)
        while self._rows > self.ROWS and len(self._drawn) > 1:
            _, gone = self._drawn.pop(next(iter(self._drawn)))
            self._rows -= len(gone)


_KEPT = _Kept()


def rows_of(view: View, index: int, columns: int, now_ms: int, opts: Options) -> Drawn:
    """The rows of the item at `index`, with the day and "new" lines that stand before it.

    Args:
        view: the chat.
        index: of the item in `view.items`.
        columns: how wide each row is.
        now_ms: the present, for the delivery marks of own lines.
        opts: as `options` gave them for the same view and width.
    """
    item = view.items[index]
    if hidden(item, opts):
        return NOTHING
    before = _before(view, index, columns, now_ms, opts)
    mark = delivery(item.entry, now_ms, opts)
    key = (item.serial, columns, opts.time, opts.nick, opts.search, opts.hit == item.serial, mark)
    rows = _KEPT.get(key, item.entry)
    if rows is None:
        rows = _Drawing(item, columns, opts, mark).rows()
        _KEPT.put(key, item.entry, rows)
    return Drawn((*before, *rows), len(before)) if before else Drawn(rows, 0)


def hidden(item: Item, opts: Options) -> bool:
    """Whether the user does not want to see it."""
    match item.entry:
        case Line(own=False, nick=nick):
            return bool(opts.ignored) and nick.casefold() in opts.ignored
        case Notice(happenings=happenings):
            return not opts.notices and not isinstance(happenings[0].what, ErrorEvent)
        case _:
            return False


def _before(view: View, index: int, columns: int, now_ms: int, opts: Options) -> Rows:
    """The day where another begins, and the line over what is new."""
    items = view.items
    last = index - 1
    new = False
    while last >= 0:
        new = new or items[last].serial == view.marker
        if not hidden(items[last], opts):
            break
        last -= 1
    day = _day(items[index])
    today = moment(now_ms) if last < 0 else None
    before = _day(items[last]) if last >= 0 else (today.date().toordinal() if today else 0)
    rows = []
    if day and day != before:
        rows.append(_ruled(_day_name(items[index]), columns, "day"))
    if new:
        rows.append(_ruled("new", columns, "new"))
    return tuple(rows)


def _at_ms(item: Item) -> int:
    """When it stands in the transcript: the order of lines, not what their authors' clocks say."""
    if item.place:
        return item.place[0]
    return item.entry.sent_ms if isinstance(item.entry, Line) else item.entry.at_ms


def _day(item: Item) -> int:
    at_ms = _at_ms(item)
    at = moment(at_ms) if at_ms else None
    return at.date().toordinal() if at else 0


def _day_name(item: Item) -> str:
    at = moment(_at_ms(item))
    return f"{WEEKDAYS[at.weekday()]}, {at:%Y-%m-%d}" if at else ""


def _ruled(text: str, columns: int, name: str) -> Row:
    """Words within a line across."""
    text = cut(f" {text} ", max(0, columns - 2))
    left = (columns - width(text)) // 2
    return fitted(((name, "-" * left + text + "-" * columns),), columns)


# ---- delivery ----------------------------------------------------------------------------------


def delivery(entry: Entry, now_ms: int, opts: Options) -> str:
    """What an own line says of its way at that moment; never a bare tick."""
    if isinstance(entry, Unsent):
        return "failed"
    if not isinstance(entry, Line) or not entry.own:
        return ""
    age_ms = now_ms - entry.sent_ms
    if -AHEAD_MS < age_ms < QUIET_MS:
        return ""
    if not entry.of:  # nobody was there to be counted: those who were away get it later
        return "queued" if 0 <= opts.heard_ms < entry.sent_ms else ""
    if not entry.acked and not -AHEAD_MS < age_ms < QUEUED_MS:
        return "queued"
    return f"{entry.acked}/{entry.of}"


def changes_ms(entry: Entry, now_ms: int) -> int:
    """In how many ms the mark of a fresh own line is another; 0 for never."""
    if not isinstance(entry, Line) or not entry.own:
        return 0
    age_ms = now_ms - entry.sent_ms
    if not -AHEAD_MS < age_ms < QUEUED_MS:
        return 0
    return (QUIET_MS if age_ms < QUIET_MS else QUEUED_MS) - age_ms


def _mark_class(mark: str) -> str:
    if mark in ("queued", "failed"):
        return f"delivery.{mark}"
    acked, _, of = mark.partition("/")
    return "delivery.all" if acked == of else "delivery"


# ---- drawing -----------------------------------------------------------------------------------


class _Drawing:
    """One item being drawn."""

    def __init__(self, item: Item, columns: int, opts: Options, mark: str) -> None:
        self._item, self._columns, self._mark = item, columns, mark
        self._time, self._nick = opts.time, opts.nick
        self._hit = opts.hit == item.serial and bool(opts.search)
        self._search = re.compile(re.escape(opts.search), re.IGNORECASE) if opts.search else None
        self._bar = " | " if self._nick else ""
        self._room = columns - self._time - (1 if self._time else 0) - self._nick - len(self._bar)

    def rows(self) -> Rows:
        match self._item.entry:
            case Line() as line:
                return self._line(line)
            case Notice() as notice:
                name = _notice_class(notice)
                return self._block(notice.at_ms, (name, "--"), name, told(notice))
            case Reply(lines=lines, at_ms=at_ms, tone=tone):
                name = {"error": "notice.error", "hint": "hint"}.get(tone, "reply")
                return self._block(at_ms, (name, "--"), name, "\n".join(lines))
            case Unsent(text=text, why=why, at_ms=at_ms):
                said = self._block(at_ms, ("nick.own", "you"), "text", text, own=True)
                reason = self._block(0, ("notice.error", "--"), "notice.error", f"not sent: {why}")
                return said + reason

    def _line(self, line: Line) -> Rows:
        name = "mention" if line.mention and not line.own else "text"
        who = ("nick.own", "you") if line.own else (nick_class(line.source_id), line.nick)
        text = line.text
        if line.kind == Kind.ACTION:
            text, who = f"{clean_name(line.nick)} {text}", (who[0], "*")
        elif not line.own:
            who = (who[0], shown_nick(line.nick))
        return self._block(line.sent_ms, who, name, text, own=line.own)

    def _block(self, at_ms: int, who: Fragment, name: str, text: str, *, own: bool = False) -> Rows:
        """Rows of text behind the columns of time and author; own ones keep room for the mark."""
        mark = self._mark if own else ""
        edge = 2 if self._room >= 40 else 0
        beside = self._room >= 20
        taken = max(MARK, len(self._mark)) + 1 + edge if own and beside else 0
        texts = list(islice(self._texts(clean(text), name, self._room - taken), ROWS_MAX + 1))
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

    def _texts(self, text: str, name: str, last_room: int) -> Iterator[Row]:
        """The rows of a text, of which the last is no wider than `last_room`."""
        lines = text.split("\n")
        for at, line in enumerate(lines):
            found = list(self._search.finditer(line)) if self._search else []
            rows = spans(line, self._room)
            start, end = rows[-1]
            if at == len(lines) - 1 and width(line[start:end]) > last_room:
                more = spans(line[start:end], last_room)
                rows[-1:] = [(start + first, start + last) for first, last in more]
            for start, end in rows:
                row = self._lit(line, start, end, found, name) if found else None
                yield row or ((name, line[start:end]),)

    def _lit(self, line: str, start: int, end: int, found: list[re.Match[str]], name: str) -> Row:
        """A row in which what was searched for is marked, also what goes on from the row before."""
        row: list[Fragment] = []
        at = start
        lit = "match.hit" if self._hit else "match"
        for one in found:
            first, last = max(one.start(), start), min(one.end(), end)
            if first >= last:
                continue
            row += [(name, line[at:first]), (lit, line[first:last])]
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
