"""What a face knows: each event's effect on the state, as a table of small stories.

The parts of the model have test files of their own; this one tries node/cli/model/reduce.py and
node/cli/model/happened.py.
"""

import pytest
from msgspec.structs import replace

from node import happenings as h
from node.cli.model import (
    Aliased,
    Anchor,
    Answered,
    Chose,
    Cleared,
    Closed,
    Delayed,
    Drafted,
    Event,
    Hinted,
    Ignored,
    Level,
    Leveled,
    Linked,
    Muted,
    Page,
    Question,
    Read,
    Refused,
    Roster,
    Scrolled,
    Search,
    Selected,
    Settings,
    Showing,
    State,
    Switcher,
    Told,
    Unsent,
    View,
)
from node.happenings import Happening
from node.words import Chat, DiscoveryService, Status
from tests.cli.chats import (
    DEV,
    LAB,
    OPS,
    after,
    entered,
    in_chat,
    line,
    said,
    shown,
    view_of,
)


def test_the_first_chat_is_in_front() -> None:
    assert view_of(entered()) is entered().front or entered().current == 1
    assert State().front is None
    assert State().front_or_lobby is State().lobby


def test_a_chat_that_opens_goes_last_and_to_the_front_only_when_nothing_is() -> None:
    opened = in_chat(h.ChatEvent(OPS, "opened"), OPS)
    assert after(opened).current == 2
    state = after(opened, state=entered(DEV))
    assert (state.current, [view.name for view in state.views]) == (1, ["dev", "ops"])


def test_a_chat_that_closes_hands_the_front_on() -> None:
    closed = after(in_chat(h.ChatEvent(DEV, "closed")), state=entered())
    assert (closed.current, [view.name for view in closed.views]) == (2, ["ops"])
    assert after(in_chat(h.ChatEvent(OPS, "closed"), OPS), state=closed).current == 0


def test_a_chat_that_changes_keeps_its_lines() -> None:
    changed = in_chat(h.ChatEvent(replace(DEV, topic="release"), "changed"))
    view = view_of(after(said(10), changed, state=entered()))
    assert (view.chat.topic, shown(view)) == ("release", ["10"])


def test_lines_are_kept_once() -> None:
    state = after(said(10), said(20), said(10), state=entered())
    assert shown(view_of(state)) == ["10", "20"]


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (said(10, own=True), "000a"),
        (said(10), ""),
        (in_chat(line(10, own=True, backlog=True)), ""),
    ],
)
def test_the_last_own_line_is_the_one_to_be_traced(event: Event, found: str) -> None:
    assert after(event, state=entered()).last_own == found


def test_lines_say_when_they_came_up_unless_they_are_of_the_past() -> None:
    late = Happening(line(10, backlog=True), "dev", 1, at_ms=99)
    now = Happening(line(20), "dev", 1, at_ms=99)
    view = view_of(after(late, now, state=entered()))
    assert [item.shown_ms for item in view.items] == [0, 99]


def test_the_fingerprint_comes_with_whatever_happens() -> None:
    event = replace(said(10), fingerprint="7c3e")
    state = after(event, state=entered())
    assert view_of(state).chat.fingerprint == "7c3e"
    assert view_of(after(said(20), state=state)).chat.fingerprint == "7c3e"
    again = replace(event, fingerprint="4f2a")
    assert view_of(after(again, state=state)).chat.fingerprint == "4f2a"


def test_the_outbox_is_noted() -> None:
    assert view_of(after(in_chat(h.QueueEvent(3)), state=entered())).chat.outbox == 3


def test_what_happens_in_an_unknown_chat_changes_nothing() -> None:
    unknown = Chat(name="x", chat_id=99)
    for event in (
        in_chat(line(1), unknown),
        in_chat(h.LeaderEvent(1), unknown),
        Scrolled(99, None),
        Read(99),
        Cleared(99),
        Roster(99, ()),
    ):
        assert after(event, state=entered()) == entered()


def test_a_text_of_a_chat_that_is_gone_is_shown_to_its_author() -> None:
    refused = Refused(99, "hello", "the chat is gone", 7)
    assert view_of(after(refused, state=entered())).items[0].entry == Unsent(
        "hello", "the chat is gone", 7
    )
    assert shown(after(refused).lobby) == ["Unsent"]


def test_a_text_that_is_not_stored_yet_is_shown_until_the_node_answers() -> None:
    held = after(said(10), Delayed(1, "hello", 20), Delayed(1, "hello", 21), state=entered())
    assert shown(view_of(held)) == ["10", "Unsent", "Unsent"]
    assert view_of(held).items[1].entry == Unsent("hello", "", 20)
    once = after(Answered(1, "other"), Answered(1, "hello"), state=held)
    assert [item.entry for item in view_of(once).items[1:]] == [Unsent("hello", "", 21)]
    gone = after(Delayed(99, "hello", 7), state=entered())
    assert shown(gone.front_or_lobby) == ["Unsent"]
    assert shown(after(Answered(99, "hello"), state=gone).front_or_lobby) == []
    refused = after(Refused(1, "hello", "no", 20), state=entered())
    assert after(Answered(1, "hello"), state=refused) == refused


def test_a_text_that_goes_takes_neither_the_view_nor_the_marker_with_it() -> None:
    state = after(said(10), Delayed(1, "hello", 20), said(30), state=entered())
    line, waiting, _ = (item.serial for item in view_of(state).items)
    view = replace(view_of(state), scroll=Anchor(waiting, 3), marker=waiting)
    view = view_of(after(Answered(1, "hello"), state=state.having(view)))
    assert (view.scroll, view.marker) == (Anchor(line), line)


def test_what_stood_before_a_text_that_goes_is_told_by_its_place() -> None:
    state = after(said(10), said(30), Delayed(1, "hello", 40), state=entered())
    late = after(said(20, backlog=True), state=state)  # the newest, and not the one before
    waiting = view_of(late).items[-1].serial
    view = replace(view_of(late), scroll=Anchor(waiting))
    view = view_of(after(Answered(1, "hello"), state=late.having(view)))
    assert view.scroll == Anchor(view.items[-1].serial)
    assert shown(view)[-1] == "30"


def test_what_was_chosen_for_a_chat_that_goes_holds_when_it_comes_back() -> None:
    chosen = (Muted(2, True), Leveled(2, Level.NONE), Drafted(2, "hel"), Closed(2))
    state = after(*chosen, said(10, OPS), state=entered())
    for gone, back in (
        (Status(chats=(DEV,)), Status(chats=(DEV, OPS))),
        (in_chat(h.ChatEvent(OPS, "closed"), OPS), in_chat(h.ChatEvent(OPS, "opened"), OPS)),
    ):
        view = view_of(after(gone, Status(chats=(DEV,)), back, state=state), OPS)
        assert (view.muted, view.level, view.draft, view.closed) == (True, Level.NONE, "hel", True)
        assert view.lines == ()
        assert after(gone, back, state=state).gone == ()


def test_what_is_chosen_for_a_chat_that_is_not_there_yet_holds_when_it_comes() -> None:
    chosen = (Muted(3, True), Leveled(3, Level.MENTIONS), Closed(3), Drafted(3, "x"))
    opened = in_chat(h.ChatEvent(LAB, "opened"), LAB)
    view = view_of(after(*chosen, opened, state=entered()), LAB)
    assert (view.muted, view.level, view.closed, view.draft) == (True, Level.MENTIONS, True, "x")


def test_one_who_stood_at_a_text_that_goes_and_was_the_first_is_at_the_end() -> None:
    state = after(Delayed(1, "hello", 7), state=entered())
    state = after(Scrolled(1, Anchor(view_of(state).items[0].serial)), said(10), state=state)
    assert view_of(state).unread == 1
    view = view_of(after(Answered(1, "hello"), state=state))
    assert (view.at_end, view.unread) == (True, 0)


# ---- status -------------------------------------------------------------------------------------


def test_a_fresh_status_keeps_lines_and_choices() -> None:
    state = after(said(10), Muted(1, True), state=entered())
    state = after(Status(nick="bob", chats=(replace(DEV, alive=1),)), state=state)
    view = view_of(state)
    assert (shown(view), view.muted, view.chat.alive) == (["10"], True, 1)
    assert (state.nick, len(state.views)) == ("bob", 1)


def test_chats_stand_in_the_order_of_the_status() -> None:
    state = after(Status(chats=(LAB, OPS, DEV)), state=entered())
    assert [view.name for view in state.views] == ["lab", "ops", "dev"]


def test_discovery_services_go_and_come() -> None:
    both = (DiscoveryService("a:1", "ok"), DiscoveryService("b:2", "ok"))
    state = after(Status(nds=both))
    down = after(Happening(h.NdsEvent("a:1", False), at_ms=7), state=state)
    assert (down.nds[0].down_since_ms, down.nds_down) == (7, ("a:1",))
    assert [one.address for one in down.nds] == ["a:1", "b:2"]
    assert after(Happening(h.NdsEvent("a:1", True), at_ms=9), state=down).nds == both
    full = after(Happening(h.NdsEvent("a:1", True, fault="STORE_FULL"), at_ms=8), state=state)
    assert full.nds[0] == DiscoveryService("a:1", "cannot store, its disk is full", 0, "STORE_FULL")
    new = after(Happening(h.NdsEvent("c:3", False)), state=state)
    assert (new.nds_down, len(new.nds)) == (("c:3",), 3)


def test_chats_are_found_by_name() -> None:
    state = entered()
    for name in ("dev", "#dev", "DEV"):
        assert state.named(name) is state.views[0]
    assert state.named("nope") is None


def test_chats_of_one_name_are_told_apart_by_their_discovery_services() -> None:
    here, there = replace(DEV, nds="10.0.0.5:50050"), replace(OPS, name="dev", nds="10.0.0.9:50050")
    state = entered(here, there, LAB)
    names = [state.shown_name(view) for view in state.views]
    assert names == ["dev@10.0.0.5:50050", "dev@10.0.0.9:50050", "lab"]
    assert state.named("dev") is None
    assert state.named("#dev@10.0.0.9:50050") is state.views[1]


# ---- what people choose -------------------------------------------------------------------------


def test_a_chat_keeps_what_was_chosen_for_it() -> None:
    view = view_of(
        after(Muted(1, True), Leveled(1, Level.MENTIONS), Drafted(1, "hel"), state=entered())
    )
    assert (view.muted, view.level, view.draft) == (True, Level.MENTIONS, "hel")


def test_who_is_ignored_is_so_whatever_the_case() -> None:
    state = after(Ignored("Mallory", True), Ignored("MALLORY", True), Ignored("Eve", True))
    assert state.ignored == ("mallory", "eve")
    assert after(Ignored("mallorY", False), state=state).ignored == ("eve",)


def test_an_alias_stands_for_its_last_text_until_that_is_empty() -> None:
    state = after(Aliased("w", "/whois"), Aliased("j", "/join"), Aliased("w", "/names"))
    assert state.aliases == (("j", "/join"), ("w", "/names"))
    assert after(Aliased("w", ""), state=state).aliases == (("j", "/join"),)


def test_settings_and_hints_are_as_chosen_last() -> None:
    mono = Settings(theme="mono")
    assert after(Chose(mono)).settings == mono
    assert after(Hinted("type to talk"), Hinted("")).hint == ""
    assert after(Hinted("type to talk")).hint == "type to talk"


@pytest.mark.parametrize(
    ("what", "field"),
    [
        (Page("help"), "page"),
        (Search("x"), "search"),
        (Switcher("x"), "switcher"),
        (Question("quit", "sure?"), "question"),
    ],
)
def test_each_thing_over_the_transcript_opens_and_closes_by_itself(
    what: Page | Search | Switcher | Question, field: str
) -> None:
    others = {"page", "search", "switcher", "question"} - {field}
    opened = after(Showing(what), state=entered())
    assert getattr(opened, field) == what
    assert all(getattr(opened, other) is None for other in others)
    everything = tuple(
        Showing(one) for one in (Page("keys"), Search("y"), Switcher("y"), Question("paste", "?"))
    )
    closed = after(*everything, Showing(None, type(what)), state=entered())
    assert getattr(closed, field) is None
    assert all(getattr(closed, other) is not None for other in others)


def test_a_view_is_moved_to_what_it_holds_and_else_stays() -> None:
    state = after(said(10), said(20), state=entered())
    first = Anchor(view_of(state).items[0].serial, 1)
    up = after(Scrolled(1, first), state=state)
    assert view_of(up).scroll == first
    assert view_of(after(Scrolled(1, Anchor(999)), state=up)).scroll == first
    assert view_of(after(Scrolled(1, None), state=up)).at_end


def test_the_lobby_is_moved_and_cleared_as_a_chat_is() -> None:
    state = after(Told(("hello",), at_ms=1), Told(("again",), at_ms=2))
    anchor = Anchor(state.lobby.items[0].serial)
    assert after(Scrolled(0, anchor), state=state).lobby.scroll == anchor
    assert after(Cleared(0), state=state).lobby.items == ()


@pytest.mark.parametrize(
    ("chat_id", "where"),
    [(0, "dev"), (1, "dev"), (2, "ops"), (99, "dev")],
)
def test_an_answer_is_told_where_it_was_asked(chat_id: int, where: str) -> None:
    state = after(Told(("yes",), chat_id), state=entered())
    for view in state.views:
        assert shown(view) == (["[yes]"] if view.name == where else [])


def test_the_node_answers_or_does_not() -> None:
    assert after(Linked(False), state=entered()).lost
    assert not after(Linked(False), Linked(True), state=entered()).lost


def test_serials_grow() -> None:
    state = entered()
    for event in (said(10), Told(("yes",)), Refused(1, "x", "no"), in_chat(h.LeaderEvent(5))):
        state = after(event, state=state)
    serials = [item.serial for item in view_of(state).items]
    assert serials == sorted(set(serials))
    assert state.serial == serials[-1]
    assert after(Selected(2), said(20, OPS), state=state).serial > serials[-1]


def test_a_name_that_two_chats_have_is_shown_with_the_discovery_service() -> None:
    here = View(Chat("dev", 1, nds="a:1"))
    there = View(Chat("dev", 2, nds="b:2"))
    nowhere = View(Chat("ops", 3))
    state = State(views=(here, there, nowhere))
    assert [state.shown_name(view) for view in state.views] == ["dev@a:1", "dev@b:2", "ops"]
    assert state.named("#dev@b:2") is there
    assert state.named("dev") is None
    assert State(views=(here, nowhere)).shown_name(here) == "dev"
    assert State(views=(here, nowhere)).named("dev") is here
