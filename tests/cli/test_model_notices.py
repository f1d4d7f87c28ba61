"""What a transcript tells of happenings, and which of them it tells together.

Tries node/cli/model/notices.py.
"""

import pytest

from node import happenings as h
from node.cli.model import BURST_MS, Anchor, Notice, Scrolled, State
from node.cli.model.notices import TOGETHER_MAX, is_told
from node.cli.render.notices import notice
from node.happenings import Happening
from node.words import Chat
from tests.cli.chats import (
    BOB,
    CAROL,
    DAN,
    DEV,
    OPS,
    after,
    entered,
    in_chat,
    joined,
    said,
    shown,
    view_of,
)

LED = Chat(name="dev", chat_id=1, member_id=7, leader_id=BOB, alive=3, known=3)


def member(nick: str, change: str, at_ms: int, id: int = DAN) -> Happening:
    return in_chat(h.MemberEvent(id, nick, change), at_ms=at_ms)


def suspect(nick: str, id: int, at_ms: int, cleared: bool = False) -> Happening:
    return in_chat(h.SuspectEvent(id, nick, cleared), at_ms=at_ms)


def merge(count: int, nick: str, id: int, at_ms: int) -> Happening:
    return in_chat(h.MergeEvent(count, id, nick), at_ms=at_ms)


def gap(count: int, id: int, at_ms: int, *, filled: bool = False) -> Happening:
    return in_chat(h.GapEvent(count, id, "dan", filled), at_ms=at_ms)


def told(*events: Happening) -> list[str]:
    return shown(view_of(after(*events, state=entered(LED, OPS))))


# ---- what is told -------------------------------------------------------------------------------

WHATS: list[h.What] = [
    *(h.MemberEvent(DAN, "dan", change) for change in ("joined", "left", "renamed", "away", "x")),
    h.SuspectEvent(DAN, "dan"),
    *(
        h.ElectionEvent(BOB, "bob", phase)
        for phase in [
            "started",
            "asked",
            "answered",
            "silent",
            "ended",
            "claiming",
            "won",
            "refused",
            "waiting",
        ]
    ),
    h.LeaderEvent(BOB, "bob"),
    h.LeaderEvent(),
    h.NdsEvent("10.0.0.5:50050"),
    h.SplitEvent(),
    h.MergeEvent(3, BOB, "bob"),
    h.GapEvent(3, DAN, "dan"),
    h.ErrorEvent("X", "no"),
    *(h.ChatEvent(DEV, change) for change in ("opened", "changed", "closed")),
    h.QueueEvent(2),
    h.ReceiptEvent("a"),
    h.ReceiptEvent("a", acked=2, of=3, later=("dan",)),
    h.MemberEvent(DAN, "dan", "left", quiet=True),
    h.SuspectEvent(DAN, "dan", quiet=True),
    *(h.ElectionEvent(BOB, "bob", phase, quiet=True) for phase in ("started", "ended")),
]


@pytest.mark.parametrize("what", WHATS, ids=str)
def test_there_is_a_notice_for_what_there_are_words_for(what: h.What) -> None:
    happening = in_chat(what)
    assert is_told(happening) == bool(notice(happening))


def test_a_notice_remembers_who_led_then() -> None:
    state = after(suspect("bob", BOB, 10), state=entered(LED))
    assert view_of(state).items[0].entry == Notice((suspect("bob", BOB, 10),), leader=BOB)


def test_what_concerns_the_whole_node_is_told_in_the_chat_in_front() -> None:
    down = Happening(h.NdsEvent("10.0.0.5:50050"), at_ms=10)
    state = after(down, state=entered(DEV, OPS))
    assert (shown(view_of(state)), shown(view_of(state, OPS))) == (["nds"], [])
    assert shown(after(down).lobby) == ["nds"]


def test_a_chat_that_opens_says_so_itself_and_one_that_closes_elsewhere() -> None:
    opened = after(in_chat(h.ChatEvent(OPS, "opened"), OPS), state=entered(DEV))
    assert (shown(view_of(opened)), shown(view_of(opened, OPS))) == ([], ["chat"])
    closed = after(in_chat(h.ChatEvent(DEV, "closed"), DEV), state=opened)
    assert shown(view_of(closed, OPS)) == ["chat", "chat"]
    last = after(in_chat(h.ChatEvent(OPS, "closed"), OPS), state=closed)
    assert (last.views, shown(last.lobby)) == ((), ["chat"])


# ---- what is told together ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([member("a", "joined", 0), member("b", "joined", 2_000)], ["a joined & b joined"]),
        ([member("a", "joined", 0), member("b", "joined", 2_001)], ["a joined", "b joined"]),
        ([member("a", "joined", 0), member("b", "left", 1)], ["a joined", "b left"]),
        ([member("a", "left", 0), member("b", "left", 1)], ["a left & b left"]),
        ([member("a", "dropped", 0), member("b", "dropped", 1)], ["a dropped & b dropped"]),
        ([member("a", "returned", 0), member("b", "returned", 1)], ["a returned & b returned"]),
        ([member("a", "renamed", 0), member("b", "renamed", 1)], ["a renamed", "b renamed"]),
        ([suspect("a", 3, 0), suspect("b", 4, 1)], ["a silent & b silent"]),
        ([suspect("a", 3, 0), suspect("a", 3, 1, True)], ["a silent", "a answers"]),
        ([suspect("a", 3, 0), suspect("bob", BOB, 1)], ["a silent", "bob silent"]),  # bob leads
        ([suspect("bob", BOB, 0), suspect("a", 3, 1)], ["bob silent", "a silent"]),
        ([suspect("a", 3, 0, True), suspect("bob", BOB, 1, True)], ["a answers & bob answers"]),
        ([merge(3, "bob", BOB, 0), merge(4, "bob", BOB, 1)], ["7 from bob"]),
        (
            [merge(3, "bob", BOB, 0), merge(4, "carol", CAROL, 1), merge(5, "bob", BOB, 2)],
            ["8 from bob & 4 from carol"],
        ),
        ([gap(1, DAN, 0), gap(2, DAN, 1)], ["3 of dan missing"]),
        ([gap(2, DAN, 0), gap(2, DAN, 1, filled=True)], ["2 of dan missing", "2 of dan here"]),
        ([gap(1, DAN, 0), gap(1, CAROL, 1)], ["1 of dan missing"] * 2),
        ([joined("a", 0), said(1), joined("b", 2)], ["a joined", "1", "b joined"]),
        ([in_chat(h.LeaderEvent(BOB, "bob"))] * 2, ["leader", "leader"]),
        ([in_chat(h.ElectionEvent(BOB, "bob", "started"))] * 2, ["election", "election"]),
        ([in_chat(h.ErrorEvent("X", "no"))] * 2, ["error", "error"]),
        ([Happening(h.NdsEvent("a:1"))] * 2, ["nds", "nds"]),
    ],
)  # fmt: skip
def test_bursts_are_told_in_one_line(events: list[Happening], found: list[str]) -> None:
    assert told(*events) == found


def test_a_burst_goes_on_while_the_next_is_close_to_the_last() -> None:
    burst = [member(str(at), "joined", at * BURST_MS) for at in range(3)]
    assert told(*burst) == ["0 joined & 1 joined & 2 joined"]
    item = view_of(after(*burst, state=entered(LED))).items[0]
    assert isinstance(item.entry, Notice)
    assert (item.entry.at_ms, item.shown_ms) == (0, 2 * BURST_MS)


def test_a_burst_has_an_end() -> None:
    assert len(told(*[member("a", "joined", 0)] * (TOGETHER_MAX + 1))) == 2


def test_the_line_that_one_has_scrolled_to_does_not_grow() -> None:
    state = after(member("a", "joined", 0), state=entered(LED))
    scrolled = Scrolled(1, Anchor(view_of(state).items[0].serial))
    assert shown(view_of(after(scrolled, member("b", "joined", 1), state=state))) == [
        "a joined",
        "b joined",
    ]


def test_chats_are_told_apart() -> None:
    state = after(joined("a", 0), joined("b", 1, OPS), state=entered(DEV, OPS))
    assert (shown(view_of(state)), shown(view_of(state, OPS))) == (["a joined"], ["b joined"])


def test_a_grown_line_keeps_its_serial() -> None:
    state: State = after(joined("a", 0), state=entered())
    grown = after(joined("b", 1), state=state)
    assert view_of(grown).items[0].serial == view_of(state).items[0].serial
