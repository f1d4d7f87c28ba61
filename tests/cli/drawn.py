"""Screens to be drawn in tests: a small world of chats, and pictures of it as text.

`python -m tests.cli.drawn` writes the pictures of `tests/cli/pictures` anew; look at each.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from node import happenings as h
from node import words as w
from node.cli.model import (
    Anchor,
    Item,
    Notice,
    Page,
    Question,
    Reply,
    Search,
    State,
    Switcher,
    Unsent,
    View,
)
from node.cli.render import screen
from node.cli.render.rows import Row, plain
from node.cli.render.text import width

G = 1_795_000_000_000_000  # generation * 1,000,000: what is added is what people see
# Local time, so that pictures are the same wherever they are drawn.
AT = int(datetime(2026, 11, 20, 12, 1, 7).timestamp() * 1000)
NOW = int(datetime(2026, 11, 20, 12, 3, 50).timestamp() * 1000)
DAY = 86_400_000
EPOCH = w.Epoch(1_795_000_000, 12)
ME = 7
PICTURES = Path(__file__).parent / "pictures"


def picture(rows: Sequence[Row]) -> str:
    """The rows as they are seen, without the blanks at their ends."""
    return "\n".join(plain(row).rstrip() for row in rows)


def columns_of(rows: Sequence[Row]) -> set[int]:
    """How wide the rows are; one number where all is well."""
    return {sum(width(text) for _, text in row) for row in rows}


def looks(row: Row, text: str) -> str:
    """The class of the fragment that is, or begins with, `text`."""
    return next(look for look, said in row if said.strip() == text or said.startswith(text))


# ---- what a transcript is made of --------------------------------------------------------------


def line(
    serial: int,
    at_s: float,
    nick: str,
    text: str,
    *,
    member: int = 0,
    place: tuple[int, ...] = (),
    **more: object,
) -> Item:
    """A message; `at_s` after AT.  "you" is the own nick."""
    own = nick == "you"
    said = w.Line(
        msg_id=f"{serial:04x}-{serial}",
        id=f"{serial:04x}",
        source_id=G + (ME if own else member or 1 + sum(map(ord, nick)) % 97),
        nick="me" if own else nick,
        text=text,
        kind=w.Kind.TEXT,
        sent_ms=AT + int(at_s * 1000),
        epoch=EPOCH,
        own=own,
    )
    return Item(serial, replace(said, **more), place)  # type: ignore[arg-type]


def notice(serial: int, at_s: float, *events: h.What, leader: int = 0) -> Item:
    """What the system tells."""
    happenings = tuple(h.Happening(what, "dev", 1, EPOCH, AT + int(at_s * 1000)) for what in events)
    return Item(serial, Notice(happenings, G + leader if leader else 0))


def reply(serial: int, at_s: float, *lines: str, tone: str = "") -> Item:
    return Item(serial, Reply(lines, AT + int(at_s * 1000), tone))


def unsent(serial: int, at_s: float, text: str, why: str) -> Item:
    return Item(serial, Unsent(text, why, AT + int(at_s * 1000)))


def talk(count: int, first: int = 1) -> tuple[Item, ...]:
    """Messages, one row each in a window that is not narrow."""
    nicks = ("alice", "bob", "carol")
    return tuple(line(n, n, nicks[n % 3], f"line {n}") for n in range(first, first + count))


def chat(number: int, name: str, unread: int = 0, mentions: int = 0, **more: object) -> View:
    about = w.Chat(name, number, G + ME, EPOCH, G + 2, "bob", alive=1, known=1)
    view = View(about, unread=unread, mentions=mentions, older="")
    return replace(view, **more)  # type: ignore[arg-type]


MEMBERS = (
    w.Member(G + 1, "alice", "dropped", "10.0.0.1:1", seen_ms=AT),
    w.Member(G + 2, "bob", "alive", "10.0.0.2:1", leader=True, seen_ms=AT),
    w.Member(G + 4, "carol", "alive", "10.0.0.4:1", seen_ms=AT),
    w.Member(G + 7, "me", "alive", "10.0.0.7:1", self=True),
    w.Member(G + 9, "dan", "suspect", "10.0.0.9:1", seen_ms=AT),
)

TALK = (
    line(1, 0, "alice", "who broke the build?"),
    line(2, 15, "bob", "looking\nsecond line of a pasted block"),
    notice(3, 93, h.SuspectEvent(G + 1, "alice"), leader=2),
    notice(4, 96, h.ElectionEvent(G + 2, "bob", "started", "leader silent")),
    notice(5, 97, h.LeaderEvent(G + 2, "bob", EPOCH, took_ms=900)),
    line(6, 123, "carol", "fixed, see 4f2a"),
    line(7, 144, "you", "deploying now", acked=2, of=3),
)

DEV = View(
    w.Chat(
        "dev", 1, G + ME, EPOCH, G + 2, "bob", False, 4, 5, 0, 0, 1, "7c3e", "10.0.0.5:50050",
        "release train, freeze on Friday", "alice",
    ),
    items=TALK,
    members=MEMBERS,
    marker=5,
    older="",
)  # fmt: skip

OTHERS = (
    chat(2, "ops", 3),
    chat(3, "lab", 5, 1),
    chat(4, "bob"),
    chat(5, "old", 9, muted=True),
)

STATE = State(
    nick="you",
    current=1,
    views=(DEV, *OTHERS),
    nds=(w.DiscoveryService("10.0.0.5:50050", "ok"),),
)


def showing(view: View, **more: object) -> State:
    """The world with that chat in front."""
    others = tuple(one for one in STATE.views if one.chat.chat_id != view.chat.chat_id)
    state = replace(STATE, views=(view, *others), current=view.chat.chat_id)
    return replace(state, **more)  # type: ignore[arg-type]


def paged(kind: str, content: object, **more: object) -> State:
    """The world with a page open."""
    page = replace(Page(kind, content, chat_id=1), **more)  # type: ignore[arg-type]
    return replace(STATE, page=page)


# ---- pictures ----------------------------------------------------------------------------------


def _long() -> View:
    """A conversation that is longer than any screen."""
    nicks = ("alice", "bob", "carol", "you")
    said = (
        "the tests are green here, shall I merge?",
        "one moment",
        "there is a second patch under way that moves the whole of the parser into a package of its"
        " own, and I would rather have that in first, since it touches every file",
        "ok",
        "done; it is 4f2a now",
    )
    items = tuple(
        line(n, (n - 200) * 7, nicks[n * 5 % 4], said[n * 3 % 5], acked=3, of=3)
        for n in range(100, 180)
    )
    return replace(DEV, items=(*items, *TALK))


ELECTION = w.Elections(
    (
        w.Election(
            AT - 3_600_000, 310, "alice", w.Epoch(EPOCH.generation, 11),
            (
                w.ElectionStep(AT - 3_600_000, "alice (id 1) claims the epoch after 10 at the NDS"),
                w.ElectionStep(AT - 3_599_690, "alice (id 1) leads, epoch 11"),
            ),
        ),
        w.Election(
            AT + 96_000, 900, "bob", EPOCH,
            (
                w.ElectionStep(AT + 96_000, "bob (id 2) started an election: leader silent"),
                w.ElectionStep(AT + 96_002, "bob (id 2) asked carol (id 4)"),
                w.ElectionStep(AT + 96_010, "carol (id 4) answered: yes, silent for me too"),
                w.ElectionStep(AT + 96_500, "alice (id 1) did not answer: nobody is there"),
                w.ElectionStep(AT + 96_501, "bob (id 2) claims the epoch after 11 at the NDS"),
                w.ElectionStep(AT + 96_890, "the NDS granted bob (id 2) epoch 12"),
                w.ElectionStep(AT + 96_900, "bob (id 2) leads, epoch 12"),
            ),
        ),
        w.Election(
            NOW - 1_200, 700, "", w.NO_EPOCH,
            (
                w.ElectionStep(NOW - 1_200, "carol (id 4) started an election: leader silent"),
                w.ElectionStep(NOW - 500, "carol (id 4) waits"),
            ),
            under_way=True,
        ),
    )
)  # fmt: skip

TRACE = w.Tracing(
    w.Line("4f2a91-7", "4f2a", G + ME, "me", "deploying now", 1, AT + 144_023, EPOCH, own=True,
           acked=2, of=4),
    "bob",
    (
        w.TraceRow(G + 2, "bob", "acked", 12, "direct"),
        w.TraceRow(G + 4, "carol", "acked", 45, "relay"),
        w.TraceRow(G + 9, "dan", "waiting", 0, "", "UNAVAILABLE: connection refused", 400, 3),
        w.TraceRow(G + 1, "alice", "later"),
    ),
    ("1b2c", "77aa"),
    AT + 144_024,
)  # fmt: skip

PEERS = w.Peers(
    (
        w.Peer("dev", G + 1, "alice", "10.0.0.1:50061", "failing", 0, 9, 4,
               "UNAVAILABLE: connection refused", "dropped", 0, "nobody watches it"),
        w.Peer("dev", G + 2, "bob", "10.0.0.2:50061", "ready", 820, 120, 0, "", "alive", 1,
               "you watch it, it watches you"),
        w.Peer("dev", G + 4, "carol", "10.0.0.4:50061", "ready", 1_340, 98, 1, "", "alive", 0,
               "bob watches it"),
    )
)  # fmt: skip

CALLS = w.Calls(
    (
        w.CallMade(AT, "p2pchat.v1.Node/Ping", "10.0.0.2:50061", '{"chat_id":"255"}', "OK", 3),
        w.CallMade(
            AT + 1_000, "p2pchat.v1.Node/Post", "10.0.0.4:50061",
            '{"chat_id":"255","messages":[{"source":"7","seq":"12","text":"it\'s a long line of'
            ' text, is it not?"}],"epoch":{"generation":"1795000000","n":"12"}}',
            "UNAVAILABLE", 12,
        ),
    )
)  # fmt: skip

QUEUE = w.Queue(
    (
        w.QueueRow("dev", w.Line("4f2a91-7", "4f2a", G + ME, "me", "deploying now", 1, AT + 144_000,
                                 EPOCH, own=True), ("dan", "alice"), 400),
    )
)  # fmt: skip

CHECK = w.Comparison(
    "dev",
    False,
    (
        w.Compared(G + 2, "bob", "7c3e", True),
        w.Compared(G + 4, "carol", "1111", False),
        w.Compared(G + 9, "dan", "", False),
    ),
)

HELP = (
    "Type to talk. A line that begins with / is a command.",
    "",
    ("Talking",),
    ("/join line", "join a chat: HOST:PORT/name, name@HOST:PORT, or a name"),
    ("/me text...", "say what you do"),
    "",
    ("Settings",),
    ("/set [key [value]]", "what can be set, one of it, or set it"),
)

QUESTION = Question("paste", "12 lines were pasted; send them as one message? y sends")

PICTURED: dict[str, tuple[State, int, int]] = {
    "chat_60x5": (STATE, 60, 5),
    "chat_60x24": (STATE, 60, 24),
    "chat_84x7": (STATE, 84, 7),
    "chat_84x8": (STATE, 84, 8),
    "chat_84x24": (showing(_long()), 84, 24),
    "chat_110x24": (STATE, 110, 24),
    "chat_110x60": (showing(_long()), 110, 60),
    "chat_200x60": (showing(_long()), 200, 60),
    "chat_200x8": (STATE, 200, 8),
    "scrolled_110x24": (showing(replace(_long(), scroll=Anchor(150))), 110, 24),
    "search_84x24": (showing(_long(), search=Search("merge", 175)), 84, 24),
    "switcher_84x24": (replace(STATE, switcher=Switcher("o")), 84, 24),
    "question_60x8": (replace(STATE, question=QUESTION), 60, 8),
    "lost_84x8": (replace(STATE, lost=True), 84, 8),
    "nowhere_84x8": (State(nick="me"), 84, 8),
    "bare_84x8": (paged("bare", None), 84, 8),
    "elections_60x24": (paged("elections", ELECTION), 60, 24),
    "elections_110x24": (paged("elections", ELECTION), 110, 24),
    "trace_60x24": (paged("trace", TRACE), 60, 24),
    "trace_110x24": (paged("trace", TRACE), 110, 24),
    "peers_60x24": (paged("peers", PEERS), 60, 24),
    "peers_110x8": (paged("peers", PEERS), 110, 8),
    "rpc_60x24": (paged("rpc", CALLS), 60, 24),
    "queue_84x8": (paged("queue", QUEUE), 84, 8),
    "check_84x8": (paged("check", CHECK), 84, 8),
    "help_60x24": (paged("help", HELP), 60, 24),
}


def drawn(name: str) -> list[Row]:
    """The rows of a picture, its input line included."""
    state, columns, rows = PICTURED[name]
    return [*screen.draw(state, columns, rows, 1, NOW), screen.prompt(state)]


def main(say: Callable[[str], None] = print) -> None:
    PICTURES.mkdir(exist_ok=True)
    for name in PICTURED:
        text = picture(drawn(name)) + "\n"
        (PICTURES / f"{name}.txt").write_text(text, "utf-8")
        say(f"{name}\n{text}")


if __name__ == "__main__":
    main()
