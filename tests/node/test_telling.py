"""What watchers hear of members and lines: node/host/telling.py over a group that is played."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from node.archive import MemoryArchive
from node.core.conversation import ChatMessage, Kind, Spot
from node.core.effects import (
    Acknowledged,
    Change,
    Deliver,
    HolesDeclared,
    HolesFilled,
    LineChanged,
    MemberChanged,
    Remembered,
    StoreMessages,
)
from node.core.types import Floor, Key, Post, Stream, Way
from node.happenings import ChangeEvent, GapEvent, MemberEvent, ReceiptEvent
from node.host import telling, views
from node.words import Line
from tests.node.test_archive import META
from tests.node.wire_values import MESSAGE

NOW = 100_000
LOG = logging.LoggerAdapter(logging.getLogger(__name__))


def played(since: int | None = None, lacking: int = 0) -> Any:
    """A group in which member 2 is called carol, is unheard `since`, and lacks so many lines."""
    return SimpleNamespace(
        nick=lambda id: "carol" if id == 2 else "",
        unheard_since=lambda id: since,
        lacking=lambda id: lacking,
    )


def heard(group: Any, change: Change, detail: str = "") -> MemberEvent:
    (what,) = telling.told(group, MemberChanged(2, change, detail))
    assert isinstance(what, MemberEvent)
    assert (what.member_id, what.change) == (2, change.value)
    return what


@pytest.mark.parametrize(
    ("why", "since", "lacking", "said"),
    [
        ("", NOW - 6_200, 0, "no answer for 6 s"),
        ("", NOW - 6_200, 2, "no answer for 6 s; unsent 2"),
        ("", NOW - 50, 0, ""),  # of no silence that would be worth a word
        ("", None, 0, ""),
        ("", None, 1, "; unsent 1"),
        ("nobody is there any more", NOW - 6_200, 0, "nobody is there any more"),
        ("nobody is there any more", NOW - 50, 3, "nobody is there any more; unsent 3"),
        ("went offline", None, 0, "went offline"),
    ],
)
def test_why_a_member_is_gone_is_as_it_was_found(
    monkeypatch: pytest.MonkeyPatch, why: str, since: int | None, lacking: int, said: str
) -> None:
    monkeypatch.setattr(telling, "now_ms", lambda: NOW)
    assert heard(played(since, lacking), Change.DROPPED, why).detail == said


@pytest.mark.parametrize("change", [Change.LEFT, Change.KICKED])
def test_who_leaves_has_the_name_that_people_saw(change: Change) -> None:
    event = heard(played(), change, "carol2")
    assert (event.nick, event.detail) == ("carol2", "")
    assert heard(played(), change).nick == "carol"


def test_who_is_renamed_has_both_names() -> None:
    event = heard(played(), Change.RENAMED, "carol2")
    assert (event.nick, event.detail) == ("carol", "carol2")


def test_what_is_lost_and_what_turns_up_is_told_with_its_author() -> None:
    group = played()
    assert telling.told(group, HolesDeclared(2, 3)) == [GapEvent(3, 2, "carol")]
    assert telling.told(group, HolesFilled(2, 1)) == [GapEvent(1, 2, "carol", filled=True)]


def test_a_new_membership_keeps_what_the_log_says_of_others() -> None:
    floor, hole = Floor(1, Stream(1, 1), 2, 3), Key(1, Stream(1, 1), 9)
    kept = Remembered(META, floors=(floor,), holes=(hole,), posts=(Post(hole, (), (), True),))
    anew = telling.without_membership(kept)
    assert (anew.floors, anew.holes, anew.posts) == ((floor,), (hole,), ())
    assert anew.meta is not None
    assert (anew.meta.member, anew.meta.left_ids) == (0, (*META.left_ids, META.member))


# ---- lines ---------------------------------------------------------------------------------------

SAID = replace(MESSAGE, ids=("a234567", "b234567", "c234567"), texts=("one", "for bob", "three"))
AUTHOR = SAID.key.source


def talking(me: int) -> Any:
    """A group in which this member is bob and the author carol; two of three have what was said."""
    return SimpleNamespace(
        me=me,
        nick={me: "bob", AUTHOR: "carol"}.__getitem__,
        reached=lambda key: (2, 3) if key == SAID.key else (0, 0),
        took_ms=lambda key, by: 7 if (key, by) == (SAID.key, AUTHOR) else 0,
        own_ids=lambda key: SAID.ids if key == SAID.key else (),
        trace=lambda key: SimpleNamespace(acked=2, of=3),
    )


def lines(group: Any, notice: Deliver) -> list[Line]:
    told = telling.told(group, notice)
    found = [one for one in told if isinstance(one, Line)]
    assert len(found) == len(told)
    return found


@pytest.mark.parametrize(
    ("way", "late", "backlog"),
    [(Way.DIRECT, False, False), (Way.DIRECT, True, True), (Way.CATCH_UP, False, True)],
)
def test_a_message_is_told_line_by_line(way: Way, late: bool, backlog: bool) -> None:
    told = lines(talking(5), Deliver(SAID, way, late))
    assert [(one.msg_id, one.id, one.text, one.mention) for one in told] == [
        ("a234567", "a234", "one", False),
        ("b234567", "b234", "for bob", True),
        ("c234567", "c234", "three", False),
    ]
    assert [views.place(one.place, "after") for one in told] == [(*SAID.place, n) for n in range(3)]
    assert {(one.nick, one.source_id, one.own, one.backlog) for one in told} == {
        ("carol", AUTHOR, False, backlog)
    }
    assert {(one.sent_ms, one.acked, one.of) for one in told} == {(SAID.sent, 0, 0)}


@pytest.mark.parametrize("hidden", [(0,), (1,), (0, 2), (2,)])
def test_lines_that_were_shown_under_another_key_are_not_told_again(
    hidden: tuple[int, ...],
) -> None:
    told = lines(talking(5), Deliver(SAID, Way.DIRECT, late=False, hidden=hidden))
    shown = [n for n in range(3) if n not in hidden]
    assert [one.text for one in told] == [SAID.texts[n] for n in shown]
    assert [views.place(one.place, "after")[-1] for one in told] == shown


def test_own_lines_say_how_many_have_them_and_mention_nobody() -> None:
    told = lines(talking(AUTHOR), Deliver(SAID, Way.DIRECT, late=False))
    assert {(one.own, one.acked, one.of, one.mention) for one in told} == {(True, 2, 3, False)}


def test_each_line_of_a_message_has_its_receipt() -> None:
    group = talking(5)
    told = telling.told(group, Acknowledged(SAID.key, AUTHOR, Way.RELAY, 2, 3))
    assert told == [
        ReceiptEvent(id, id[:4], AUTHOR, "carol", acked=2, of=3, way="relay", took_ms=7)
        for id in SAID.ids
    ]
    assert telling.told(group, Acknowledged(MESSAGE.key._replace(seq=9), 5, Way.RELAY, 2, 3)) == []


def test_lines_that_come_later_are_named_by_the_first() -> None:
    event = telling.later(talking(5), SAID.key, (AUTHOR,))
    assert (event.msg_id, event.id, event.acked, event.of) == ("a234567", "a234", 2, 3)
    assert event.later == ("carol",)


@pytest.mark.parametrize(
    ("now", "at", "said"),
    [
        (SAID, 2, ["three"]),
        (SAID, 3, []),
        (replace(SAID, kind=Kind.EDIT, about=Spot(SAID.key, 0)), 0, []),
        (None, 0, []),
    ],
)
def test_a_line_that_was_changed_is_told_as_it_is_if_it_is_one_still(
    now: ChatMessage | None, at: int, said: list[str]
) -> None:
    """Another content may stand under its key by now."""
    archive = MemoryArchive()
    archive.append([StoreMessages((now,) if now is not None else ())])
    notice = LineChanged(Spot(SAID.key, at), AUTHOR, Kind.TEXT)
    told = telling.changed(talking(5), archive, notice, LOG)
    assert [one.line.text for one in told if isinstance(one, ChangeEvent)] == said
