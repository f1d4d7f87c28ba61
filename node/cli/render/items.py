"""One item of a transcript as rows: when, who, what, and how far an own line has come.

    12:01:07   alice | who broke the build?
    12:01:22     bob | looking
                     | second line of a pasted block
    12:02:43      -- | election started by bob (id 2): leader silent
    12:03:31     you | deploying now                            2/3

Every row of a message keeps the column of its author, so that no text can pass for another's line.
Rows are kept for as long as they look the same; the height of a whole transcript is never computed.
"""

from typing import NamedTuple

from ...happenings import ErrorEvent
from ...words import Line
from ..model import Entry, Item, Notice, State, Unsent, View, is_at_outset
from .drawing import Drawing, Look, Rows
from .rows import Row, cut, fitted
from .text import moment, shown_nick, width

NICK_MIN, NICK_MAX = 7, 12  # columns of authors
LATELY = 200  # items among which the longest nick is looked for
QUIET_MS = 300  # an own line says nothing of its delivery for that long
QUEUED_MS = 2_000  # after that, one that nobody acknowledged counts as queued
AHEAD_MS = 2_000  # an own line's clock may be ahead of the screen's by this much
FAR_MS = 1 << 62
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


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
    nick = nick_columns(view)
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


def nick_columns(view: View) -> int:
    """As wide as the longest nick shown lately; scrolled up, as it was, so that nothing moves."""
    if view.scroll and view.scroll.nick:
        return view.scroll.nick
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
    look = Look(columns, opts.time, opts.nick, opts.search, opts.hit == item.serial)
    key = (item.serial, look, mark)
    rows = _KEPT.get(key, item.entry)
    if rows is None:
        rows = Drawing(item, look, mark).rows()
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
    new = new or (last < 0 and is_at_outset(view))
    day = _day(items[index])
    rows = []
    if day and day != _day_until(view, last, now_ms, opts):
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


def _day_until(view: View, last: int, now_ms: int, opts: Options) -> int:
    """The day that the screen is in after that item; what has no time is in no day."""
    for at in reversed(range(last + 1)):
        if not hidden(view.items[at], opts) and (day := _day(view.items[at])):
            return day
    today = moment(now_ms)
    return today.date().toordinal() if today else 0


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
        return "failed" if entry.why else "sending"
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
