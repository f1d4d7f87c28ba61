"""Who is in a chat, as happenings tell it and lists put it right.

Tries node/cli/model/members.py.
"""

import pytest
from msgspec.structs import replace

from node import happenings as h
from node.cli.model import Roster, State, View
from node.happenings import Happening
from node.words import Epoch, Status
from tests.cli.chats import BOB, DAN, DEV, after, entered, in_chat, members, view_of

LIST = members((BOB, "bob", "alive"), (7, "alice", "alive"), (DAN, "dan", "suspect"))


def member(id: int, nick: str, change: str, detail: str = "") -> Happening:
    return in_chat(h.MemberEvent(id, nick, change, detail))


def listed(*events: Happening) -> View:
    """#dev once its members are known and that has happened."""
    return view_of(after(Roster(1, LIST), *events, state=entered()))


def states(view: View) -> dict[str, str]:
    return {one.nick: one.state for one in view.members}


def counts(view: View) -> tuple[int, int]:
    return view.chat.alive, view.chat.known


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (["joined"], (3, 3)),
        (["joined", "dropped"], (2, 3)),
        (["joined", "dropped", "returned"], (3, 3)),
        (["joined", "left"], (2, 2)),
        (["joined", "kicked", "reinstated"], (3, 3)),
        (["left", "left", "left"], (1, 1)),
        (["kicked"], (1, 1)),
        (["returned"], (2, 2)),  # nobody is alive who is not known
        (["renamed"], (2, 2)),
    ],
)
def test_without_a_list_members_are_counted(changes: list[str], found: tuple[int, int]) -> None:
    events = [member(DAN, "dan", change) for change in changes]
    assert counts(view_of(after(*events, state=entered()))) == found


@pytest.mark.parametrize(
    ("event", "found", "counted"),
    [
        (None, {"bob": "alive", "alice": "alive", "dan": "suspect"}, (2, 3)),
        (member(11, "eve", "joined"), {"dan": "suspect", "eve": "alive"}, (3, 4)),
        (member(11, "eve", "returned"), {"eve": "alive"}, (3, 4)),
        (member(11, "eve", "dropped"), {"dan": "suspect"}, (2, 3)),
        (member(BOB, "bob", "dropped"), {"bob": "dropped"}, (1, 3)),
        (member(DAN, "dan", "returned"), {"dan": "alive"}, (3, 3)),
        (member(DAN, "dan", "joined"), {"dan": "alive"}, (3, 3)),
        (member(DAN, "daniel", "renamed", "dan"), {"daniel": "suspect"}, (2, 3)),
        (in_chat(h.SuspectEvent(BOB, "bob")), {"bob": "suspect"}, (1, 3)),
        (in_chat(h.SuspectEvent(DAN, "dan", True)), {"dan": "alive"}, (3, 3)),
    ],
)
def test_a_list_follows_what_happens(
    event: Happening | None, found: dict[str, str], counted: tuple[int, int]
) -> None:
    view = listed(event) if event else listed()
    assert found.items() <= states(view).items()
    assert counts(view) == counted


@pytest.mark.parametrize("change", ["left", "kicked"])
def test_who_left_is_not_listed(change: str) -> None:
    view = listed(member(DAN, "dan", change))
    assert (states(view), counts(view)) == ({"bob": "alive", "alice": "alive"}, (2, 2))


def test_members_stand_in_order_of_id() -> None:
    view = listed(member(6, "carol", "joined"), member(DAN, "dan", "returned"))
    assert [one.member_id for one in view.members] == [5, 6, 7, 9]


def test_who_is_away_says_why_until_he_is_back() -> None:
    away = member(BOB, "bob", "away", "lunch")
    assert listed(away).members[0].away == "lunch"
    assert listed(away, member(BOB, "bob", "dropped")).members[0].away == "lunch"
    assert listed(away, member(BOB, "bob", "back")).members[0].away == ""


def test_a_list_takes_the_place_of_the_one_before() -> None:
    view = view_of(after(Roster(1, LIST), Roster(1, LIST[:1]), state=entered()))
    assert (view.members, counts(view)) == (LIST[:1], (1, 1))
    assert counts(view_of(after(Roster(1, ()), state=entered()))) == (2, 2)


def test_those_that_left_are_listed_where_they_were_asked_for_and_do_not_count() -> None:
    rows = members((BOB, "bob", "left"), (7, "alice", "alive"), (DAN, "dan", "kicked"))
    view = view_of(after(Roster(1, rows), state=entered()))
    assert (len(view.members), counts(view)) == (3, (1, 1))


# ---- leaders, names and topics ------------------------------------------------------------------


def leaders(view: View) -> list[str]:
    return [one.nick for one in view.members if one.leader]


def test_a_leader_is_noted_with_its_epoch() -> None:
    led = in_chat(h.LeaderEvent(BOB, "bob", Epoch(1, 12), True))
    view = listed(led)
    chat = view.chat
    assert (chat.leader_id, chat.leader_nick) == (BOB, "bob")
    assert (chat.epoch.n, chat.provisional, leaders(view)) == (12, True, ["bob"])
    assert leaders(listed(led, in_chat(h.LeaderEvent(DAN, "dan")))) == ["dan"]
    assert leaders(listed(led, in_chat(h.LeaderEvent()))) == []


def test_a_leader_that_is_renamed_leads_under_its_new_name() -> None:
    led = in_chat(h.LeaderEvent(BOB, "bob"))
    assert listed(led, member(BOB, "rob", "renamed", "bob")).chat.leader_nick == "rob"
    assert listed(led, member(DAN, "daniel", "renamed", "dan")).chat.leader_nick == "bob"


def test_only_ones_own_renaming_changes_ones_name() -> None:
    def nick(event: Happening) -> str:
        state: State = after(event, state=entered())
        return state.nick

    assert nick(member(DEV.member_id, "alicia", "renamed", "alice")) == "alicia"
    assert nick(member(DAN, "rob", "renamed", "bob")) == "alice"
    assert nick(member(DEV.member_id, "alice2", "away")) == "alice"


def test_the_topic_is_noted() -> None:
    chat = listed(member(DAN, "dan", "topic", "release")).chat
    assert (chat.topic, chat.topic_by) == ("release", "dan")


def test_what_is_decided_about_a_member_is_its_role_from_now_on() -> None:
    def role(*changes: str) -> str:
        view = listed(*(member(BOB, "bob", change) for change in changes))
        return next(one.role for one in view.members if one.nick == "bob")

    assert [role("admin"), role("admin", "no_admin"), role("owner")] == ["admin", "member", "owner"]


@pytest.mark.parametrize("change", ["banned", "pardoned", "rights"])
def test_what_is_decided_about_others_changes_no_list(change: str) -> None:
    assert listed(member(11, "eve", change)).members == listed().members
    without = view_of(after(member(11, "eve", change), state=entered()))
    assert counts(without) == (2, 2)


def test_what_one_is_called_there_is_as_the_others_see_it() -> None:
    """A name that somebody had is numbered, and may lose that when the other one goes."""
    state = after(Status(nick="bob", chats=(replace(DEV, nick="bob2"),)))
    assert state.own_nick == "bob2"
    state = after(member(DEV.member_id, "bob3", "renamed"), state=state)
    assert state.own_nick == "bob3"
    me = replace(LIST[1], member_id=DEV.member_id, nick="bob", self=True)
    assert after(Roster(1, (LIST[0], me)), state=state).own_nick == "bob"
    assert after(member(BOB, "rob", "renamed"), state=state).own_nick == "bob3"
    assert after(Status(nick="bob")).own_nick == "bob", "in no chat"
