"""What a face knows, alone: bursts of lines and pages into a window as long as it gets."""

from node.cli.model import LINES_MAX, Anchor, Paged, Scrolled, Selected, State, Towards, reduce
from node.happenings import Happening
from node.words import Chat, Line, Status

from .measure import Row, timed

CHATS = 50
BURST, BURSTS = 200, 20
FIRST_MS = 1_700_000_000_000


def _line(at: int) -> Line:
    return Line(
        msg_id=f"{at:032x}",
        id=f"{at:04x}",
        source_id=5,
        nick="bob",
        text="the quick brown fox jumps over the lazy dog",
        sent_ms=FIRST_MS + at,
        place=f"{FIRST_MS + at}.0.5.3.987654321.{at}",
    )


def _full() -> State:
    """Fifty chats, the first one in front and full."""
    chats = tuple(Chat(name=f"chat{n}", chat_id=n) for n in range(1, CHATS + 1))
    state = reduce(State(), Status(nick="alice", chats=chats))
    page = tuple(map(_line, range(LINES_MAX)))
    return reduce(state, Paged(1, page, Towards.END, page[0].place))


def _bursts(state: State) -> tuple[int, float]:
    happenings = [
        Happening(_line(at), "chat1", 1, fingerprint=f"{at & 0xFFFF:04x}", at_ms=FIRST_MS + at)
        for at in range(LINES_MAX, LINES_MAX + BURST * BURSTS)
    ]

    def take() -> int:
        now = state
        for happening in happenings:
            now = reduce(now, happening)
        return len(happenings)

    return timed(take)


def _in_front() -> tuple[int, float]:
    return _bursts(_full())


def _in_the_back() -> tuple[int, float]:
    return _bursts(reduce(_full(), Selected(2)))


def _scrolled_up() -> tuple[int, float]:
    state = _full()
    anchor = Anchor(state.views[0].items[LINES_MAX // 2].serial)
    return _bursts(reduce(state, Scrolled(1, anchor)))


def _paged() -> tuple[int, float]:
    """The end of the log read once more, 500 lines of it, into a full window."""
    state = reduce(_full(), Selected(1))
    page = Paged(1, tuple(map(_line, range(LINES_MAX - 500, LINES_MAX))), Towards.END)

    def take() -> int:
        for _ in range(BURSTS):
            reduce(state, page)
        return BURSTS

    return timed(take)


ROWS = [
    Row("model: lines in front, 5,000 held", "lines", _in_front),
    Row("model: lines in the back, 5,000 held", "lines", _in_the_back),
    Row("model: lines while scrolled up", "lines", _scrolled_up),
    Row("model: pages of 500 lines", "pages", _paged),
]
