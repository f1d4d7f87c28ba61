"""What people are told of a chat: node/host/account.py over a group that is only played."""

from types import SimpleNamespace
from typing import Any

import pytest

from node.cli.render import notices
from node.core.effects import (
    Change,
    Deliver,
    ElectionMoved,
    LeaderChanged,
    MemberChanged,
    Notice,
    Phase,
    Settled,
)
from node.core.timing import LAN
from node.core.types import Epoch, Key, Stream
from node.happenings import ElectionEvent, Happening
from node.host import account as module
from node.host import telling
from node.host.account import Account

ALICE, BOB, CAROL, DAN = 1, 2, 3, 4
NICKS = {1: "alice", 2: "bob", 3: "carol", 4: "dan"}
OURS = Key(CAROL, Stream(1, 1), 1)


class Chat:
    """carol's group, played: alice leads bob, her and dan."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.heard_at, self.rows = 1_000, 500, [DAN, BOB]
        self.group: Any = SimpleNamespace(
            me=CAROL,
            leader=ALICE,
            active=(1, 2, 3, 4),
            belonging=(1, 2, 3, 4),
            heard_leader_at=500,
            shown_nick=NICKS.__getitem__,
            nick=lambda id: NICKS.get(id, ""),
            unheard_since=lambda id: None,
            lacking=lambda id: 0,
            trace=lambda key: SimpleNamespace(acked=1, of=len(self.rows)),
            own_ids=lambda key: ("abcdef", "123456"),
        )
        self.account = Account(LAN)
        monkeypatch.setattr(module, "now_ms", lambda: self.now)

    def hears(self, *events: Notice) -> list[str]:
        """The sentences that follow, as faces have them."""
        said = []
        for event in events:
            self.now += 1
            for what in self.account.told(self.group, event):
                leader = self.account_leader
                said.append(notices.notice(Happening(what, "dev"), leader))
            if isinstance(event, LeaderChanged):
                self.account_leader = event.leader
        return [one for one in said if one]

    account_leader = ALICE

    def quiet(self, *events: Notice) -> list[telling.What]:
        """All happenings, also those that nobody is told in words."""
        return [what for event in events for what in self.account.told(self.group, event)]


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Chat:
    return Chat(monkeypatch)


def started(by: int, about: int = ALICE) -> ElectionMoved:
    return ElectionMoved(by, Phase.STARTED, "leader silent", about=about)


def ended(by: int) -> ElectionMoved:
    return ElectionMoved(by, Phase.ENDED, "the leader answers the NDS")


def led(by: int, n: int = 12, took_ms: int = 0, **more: Any) -> LeaderChanged:
    return LeaderChanged(by, Epoch(1, n), False, took_ms, **more)


def handed(leaving: bool = True, to: int = BOB) -> LeaderChanged:
    return led(to, handed_over_by=ALICE, handed_over_leaving=leaving)


def member(id: int, change: Change, detail: str = "") -> MemberChanged:
    return MemberChanged(id, change, detail)


SILENT = "leader alice (id 1) is silent"
BEGUN = "election started by bob (id 2): leader silent"
STAYED = "election of bob (id 2) ended: the leader answers the NDS"


# ---- a leader is silent --------------------------------------------------------------------------


def test_a_leaders_silence_is_told_before_the_election_about_it(chat: Chat) -> None:
    assert chat.hears(started(BOB), led(BOB, took_ms=900)) == [
        SILENT,
        BEGUN,
        "bob (id 2) leads now (epoch 12, 0.9 s)",
    ]


def test_one_silence_is_told_once_however_many_elections_it_takes(chat: Chat) -> None:
    own = "election started by carol (id 3): leader silent"
    assert chat.hears(started(BOB), started(CAROL)) == [SILENT, BEGUN, own]


def test_of_elections_about_one_silence_that_change_nothing_one_is_told(chat: Chat) -> None:
    assert chat.hears(started(BOB), ended(BOB)) == [SILENT, BEGUN, STAYED]
    assert chat.hears(started(CAROL), ended(CAROL), started(BOB), ended(BOB)) == []
    again = chat.quiet(started(BOB), ElectionMoved(BOB, Phase.ASKED, whom=DAN), ended(BOB))
    steps = [(what.phase, what.quiet) for what in again if isinstance(what, ElectionEvent)]
    assert steps == [("started", True), ("asked", False), ("ended", True)]
    assert chat.hears(led(DAN)) == ["dan (id 4) leads now (epoch 12)"]


def test_two_that_hold_elections_at_once_have_one_end(chat: Chat) -> None:
    own = "election started by carol (id 3): leader silent"
    told = chat.hears(started(BOB), started(CAROL), ended(BOB), ended(CAROL))
    assert told == [SILENT, BEGUN, own, STAYED]


def test_the_elections_about_the_next_silence_are_told_again(chat: Chat) -> None:
    chat.hears(started(BOB), ended(BOB), started(BOB), ended(BOB))
    chat.group.heard_leader_at = chat.now + 5
    chat.now += 10
    assert chat.hears(started(BOB), ended(BOB)) == [SILENT, BEGUN, STAYED]


def test_so_are_those_about_another_leader_s_or_the_same_after_another_led(chat: Chat) -> None:
    chat.hears(started(BOB), ended(BOB))
    assert chat.hears(started(BOB, about=DAN), ended(BOB))[-2:] == [BEGUN, STAYED]
    chat.hears(led(CAROL), led(ALICE, 13))
    assert chat.hears(started(BOB), ended(BOB)) == [SILENT, BEGUN, STAYED]


def test_the_silence_of_a_leader_that_was_heard_again_is_another_one(chat: Chat) -> None:
    assert chat.hears(started(BOB)) == [SILENT, BEGUN]
    chat.group.heard_leader_at = chat.now + 5
    chat.now += 10
    assert chat.hears(started(BOB)) == [SILENT, BEGUN]


def test_so_is_that_of_one_that_led_again(chat: Chat) -> None:
    chat.hears(started(BOB), led(BOB), led(ALICE, 13))
    assert chat.hears(started(BOB))[0] == SILENT


def test_the_next_leaders_silence_is_its_own(chat: Chat) -> None:
    chat.hears(started(BOB), led(BOB))
    assert chat.hears(started(CAROL, about=BOB))[0] == "leader bob (id 2) is silent"


@pytest.mark.parametrize("phase", [one for one in Phase if one is not Phase.STARTED])
def test_no_other_step_tells_of_silence(chat: Chat, phase: Phase) -> None:
    assert SILENT not in chat.hears(ElectionMoved(BOB, phase, "x", about=ALICE))


def test_nobody_is_silent_who_said_good_bye_or_was_never_there(chat: Chat) -> None:
    assert chat.hears(started(BOB, about=0)) == [BEGUN]
    chat.group.active = (2, 3, 4)
    assert chat.hears(started(BOB)) == [BEGUN]


def test_nobody_is_told_of_the_own_silence(chat: Chat) -> None:
    assert chat.hears(started(BOB, about=CAROL)) == [BEGUN]


def test_that_a_silent_leader_is_suspected_then_is_shown_and_not_said(chat: Chat) -> None:
    chat.hears(started(BOB), led(BOB))
    (what,) = chat.quiet(member(ALICE, Change.SUSPECT))
    assert (what.member_id, what.cleared, what.quiet) == (ALICE, False, True)  # type: ignore[union-attr]
    assert chat.hears(member(ALICE, Change.CLEARED)) == ["alice (id 1) answers again"]


@pytest.mark.parametrize("why", ["another one", "cleared since", "later"])
def test_any_other_suspicion_is_said(chat: Chat, why: str) -> None:
    chat.hears(started(BOB), led(BOB))
    if why == "cleared since":
        chat.hears(member(ALICE, Change.CLEARED))
    if why == "later":
        chat.now += 10 * LAN.t2_ms
    who = DAN if why == "another one" else ALICE
    name = f"{NICKS[who]} (id {who})"
    assert chat.hears(member(who, Change.SUSPECT)) == [
        f"{name} does not answer: 1 of 2 checks missed"
    ]


# ---- hand-overs ----------------------------------------------------------------------------------

LEFT = MemberChanged(ALICE, Change.LEFT, "alice")
GONE = MemberChanged(ALICE, Change.DROPPED, "went offline")


@pytest.mark.parametrize("events", [(handed(), LEFT), (LEFT, handed())], ids=["late", "early"])
def test_who_leaves_and_hands_over_is_told_of_in_one_sentence(
    chat: Chat, events: tuple[Notice, ...]
) -> None:
    assert chat.hears(*events) == ["alice left and handed over to bob"]


@pytest.mark.parametrize("events", [(handed(), LEFT), (LEFT, handed())], ids=["late", "early"])
def test_faces_hear_of_the_leave_all_the_same(chat: Chat, events: tuple[Notice, ...]) -> None:
    left = [one for one in chat.quiet(*events) if getattr(one, "change", "") == "left"]
    assert [(one.member_id, one.quiet) for one in left] == [(ALICE, True)]  # type: ignore[union-attr]


@pytest.mark.parametrize("events", [(handed(), LEFT), (LEFT, handed())], ids=["late", "early"])
def test_a_second_leave_is_no_part_of_it(chat: Chat, events: tuple[Notice, ...]) -> None:
    chat.hears(*events)
    assert chat.hears(MemberChanged(DAN, Change.LEFT, "dan")) == ["dan left"]
    assert chat.hears(MemberChanged(BOB, Change.LEFT, "bob"), led(DAN, 13)) == [
        "bob left",
        "dan (id 4) leads now (epoch 13)",
    ]


@pytest.mark.parametrize("first", [True, False])
def test_who_hands_over_and_closes_is_gone_besides(chat: Chat, first: bool) -> None:
    events = (GONE, handed(leaving=False)) if first else (handed(leaving=False), GONE)
    assert sorted(chat.hears(*events)) == [
        "alice (id 1) is gone (went offline)",
        "alice handed over to bob",
    ]


def test_the_heir_hears_that_it_leads_and_who_left(chat: Chat) -> None:
    assert chat.hears(handed(to=CAROL), LEFT) == ["you lead #dev now (epoch 12)", "alice left"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (started(BOB), [BEGUN]),
        (led(BOB), ["bob (id 2) leads now (epoch 12)"]),
        (handed(to=CAROL), ["you lead #dev now (epoch 12)"]),
    ],
)
def test_a_leader_that_left_and_named_nobody_left_before_all_else(
    chat: Chat, event: Notice, said: list[str]
) -> None:
    chat.group.active = (2, 3, 4)
    if isinstance(event, LeaderChanged) and event.leader == CAROL:
        chat.group.me = CAROL
    assert chat.hears(LEFT) == []
    found = chat.hears(event)
    assert found[0] == "alice left"
    assert len(found) == 1 + len(said)
    assert "alice left" not in chat.hears(started(DAN, about=BOB))


def test_anybody_elses_leave_is_told_at_once(chat: Chat) -> None:
    assert chat.hears(MemberChanged(DAN, Change.LEFT, "dan")) == ["dan left"]


# ---- own lines that reach somebody later ---------------------------------------------------------

BACK = "; dan gets it when they are back"


def test_who_goes_while_a_line_is_on_its_way_gets_it_later(chat: Chat) -> None:
    assert chat.hears(Settled(OURS, (DAN,))) == [f"sent to 1 of 2{BACK}"]


def test_a_line_that_all_have_needs_no_word(chat: Chat) -> None:
    assert chat.hears(Settled(OURS, ())) == []


def test_all_lines_of_one_absence_are_told_of_at_once(chat: Chat) -> None:
    assert len(chat.hears(*[Settled(OURS, (DAN,))] * 3)) == 1
    chat.group.active = (1, 2, 3)
    assert chat.hears(Settled(OURS, ())) == []


def test_the_first_line_said_in_an_absence_tells_who_gets_it_later(chat: Chat) -> None:
    chat.rows, chat.group.active = [ALICE], (1, 2, 3)
    assert chat.hears(Settled(OURS, ()), Settled(OURS, ())) == [f"sent to 1 of 2{BACK}"]


def test_another_absence_is_told_again(chat: Chat) -> None:
    chat.hears(Settled(OURS, (DAN,)), member(DAN, Change.RETURNED))
    assert chat.hears(Settled(OURS, (DAN,))) == [f"sent to 1 of 2{BACK}"]


def test_one_more_who_is_gone_is_told_with_all_that_are(chat: Chat) -> None:
    chat.hears(Settled(OURS, (DAN,)))
    chat.group.active = (1, 3)
    assert chat.hears(Settled(OURS, (BOB,))) == [
        "sent to 1 of 3; bob and dan get it when they are back"
    ]


def test_who_left_gets_nothing_and_oneself_lacks_nothing(chat: Chat) -> None:
    chat.group.belonging = (1, 2, 3)
    chat.group.active = (1, 2)
    assert chat.hears(Settled(OURS, (DAN,))) == []


def test_all_else_is_told_as_it_is(chat: Chat) -> None:
    assert Deliver not in {type(one) for one in chat.quiet(led(BOB))}
    assert chat.hears(MemberChanged(DAN, Change.KICKED, "dan")) == ["dan (id 4) was removed"]
