"""What watchers hear of members: node/host/telling.py over a group that is only played."""

from types import SimpleNamespace
from typing import Any

import pytest

from node.core.effects import Change, HolesDeclared, HolesFilled, MemberChanged, Remembered
from node.core.types import Floor, Key, Post, Stream
from node.happenings import GapEvent, MemberEvent
from node.host import telling
from tests.node.test_archive import META

NOW = 100_000


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
