"""Whatever happens in whatever order, a face shows the log, and nothing moves under the eye.

A played node keeps a log for each chat and tells of it; its answers come late, happenings meanwhile
and losses between.  Tries all of node/cli/model together, with small windows.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from node import happenings as h
from node.cli.model import (
    Anchor,
    Answered,
    Cleared,
    Closed,
    CountedBack,
    Delayed,
    Drafted,
    Event,
    Ignored,
    Item,
    Level,
    Leveled,
    Linked,
    Muted,
    Page,
    Paged,
    Place,
    Read,
    Refused,
    Roster,
    Scrolled,
    Selected,
    Showing,
    State,
    Told,
    Towards,
    View,
    front,
    hotlist,
    is_sought,
    newest,
    paging,
    place_of,
    reduce,
    transcript,
)
from node.cli.model.values import BEYOND, OUTSET
from node.happenings import Happening
from node.words import Chat, Line, Status
from tests.cli.chats import ALICE, line, members

ROOM, IDLE, RECENT, LATER, ABOVE = 16, 6, 2, 5, 3
SMALL = {
    (front, "LINES_MAX"): ROOM,
    (front, "IDLE_LINES_MAX"): IDLE,
    (front, "RECENT_MAX"): RECENT,
    (transcript, "LATER_MAX"): LATER,
    (paging, "LATER_MAX"): LATER,
    (transcript, "ABOVE"): ABOVE,
}
CHATS = (1, 2, 3, 4)
NODES_OWN = (
    Happening,
    Status,
    Roster,
    Paged,
    CountedBack,
    Linked,
)  # what no person does

a_chat = st.sampled_from(CHATS)
a_change = st.sampled_from(["joined", "left", "dropped", "returned", "renamed", "away", "topic"])


@dataclass
class Log:
    """A chat as the node has it, and what a face cannot know of it yet."""

    lines: dict[Place, Line] = field(default_factory=dict)
    untold: set[Place] = field(default_factory=set)  # the happening is on its way
    missed: set[Place] = field(default_factory=set)  # it came while nobody listened
    at: int = 1_000

    def end(self, count: int) -> tuple[tuple[Line, ...], str]:
        return self.before((1 << 60,), count)

    def before(self, place: Place, count: int) -> tuple[tuple[Line, ...], str]:
        """The last lines before a place, and the cursor of those before them."""
        found = [self.lines[one] for one in sorted(self.lines) if one < place]
        shown = found[-count:]
        return tuple(shown), shown[0].place if len(found) > count else ""

    def after(self, place: Place, count: int) -> tuple[tuple[Line, ...], bool]:
        """The first lines after a place, and whether no more come."""
        found = [self.lines[one] for one in sorted(self.lines) if one > place]
        return tuple(found[:count]), len(found) <= count


class Faces(RuleBasedStateMachine):
    """One face, its node, and all that may be between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        for (module, name), value in SMALL.items():
            self.stack.enter_context(mock.patch.object(module, name, value))
        self.state, self.before = State(), State()
        self.logs = {chat: Log() for chat in CHATS}
        self.on_its_way: list[Happening] = []
        self.answers: list[Paged] = []
        self.linked = True
        self.patched: set[int] = set()  # chats whose window may lack lines that were missed
        self.overtaken: set[int] = set()  # chats of which a page under way lacks such lines
        self.now_ms = 5_000
        chats = tuple(Chat(f"c{one}", one, ALICE, alive=2, known=2) for one in CHATS[:3])
        self.apply(Status(nick="alice", chats=chats))

    def teardown(self) -> None:
        self.stack.close()

    # ---- the node

    def apply(self, event: Event) -> None:
        self.before, self.state = self.state, reduce(self.state, event)
        self.watch_the_step(event)

    def tell(self, what: h.What, chat: int) -> None:
        """The node tells of something; it arrives later."""
        self.now_ms += 700
        if self.linked:
            self.on_its_way.append(Happening(what, f"c{chat}", chat, at_ms=self.now_ms))

    @rule(
        chat=a_chat,
        late=st.integers(0, 60),
        own=st.booleans(),
        mention=st.booleans(),
        nick=st.sampled_from(["bob", "mallory"]),
    )
    def somebody_speaks(self, chat: int, late: int, own: bool, mention: bool, nick: str) -> None:
        """Mostly after all lines that there are; sometimes a line that had been on its way."""
        log = self.logs[chat]
        late = max(0, late - 30)
        at = log.at + 10 if not late else max(1, log.at - late * 3 + 1)
        while place_of(line(at).place) in log.lines:
            at += 1
        log.at = max(log.at, at)
        said = line(at, nick=nick, own=own, mention=mention and not own, backlog=bool(late))
        place = place_of(said.place)
        log.lines[place] = replace(said, backlog=True)
        (log.untold if self.linked else log.missed).add(place)
        self.tell(said, chat)

    @rule(chat=a_chat, count=st.integers(1, 25))
    def many_speak(self, chat: int, count: int) -> None:
        for _ in range(count):
            self.somebody_speaks(chat, 0, False, False, "bob")

    @rule(chat=a_chat, change=a_change, who=st.integers(1, 4))
    def a_member_changes(self, chat: int, change: str, who: int) -> None:
        self.tell(h.MemberEvent(who, f"m{who}", change, "x"), chat)

    @rule(
        chat=a_chat,
        what=st.sampled_from(
            [
                h.LeaderEvent(2, "m2"),
                h.ElectionEvent(2, "m2", "started"),
                h.ElectionEvent(2, "m2", "asked"),
                h.SuspectEvent(2, "m2"),
                h.SuspectEvent(2, "m2", cleared=True),
                h.MergeEvent(3, 2, "m2"),
                h.QueueEvent(2),
                h.ErrorEvent("X", "no"),
            ]
        ),
    )
    def something_happens(self, chat: int, what: h.What) -> None:
        self.tell(what, chat)

    @rule(up=st.booleans())
    def a_discovery_service_goes_or_comes(self, up: bool) -> None:
        self.tell(h.NdsEvent("10.0.0.5:50050", up), 0)

    @rule(chat=a_chat, acked=st.integers(0, 3))
    def somebody_acknowledges(self, chat: int, acked: int) -> None:
        own = [one for one in self.logs[chat].lines.values() if one.own]
        for said in own[-2:]:
            self.tell(h.ReceiptEvent(msg_id=said.msg_id, acked=acked, of=3), chat)

    @rule(chat=a_chat, change=st.sampled_from(["opened", "changed", "closed"]))
    def a_chat_comes_or_goes(self, chat: int, change: str) -> None:
        if change != "closed" or chat == 4:
            facts = Chat(f"c{chat}", chat, ALICE, alive=2, known=2)
            self.tell(h.ChatEvent(facts, change), chat)

    @rule(count=st.integers(1, 12))
    def happenings_arrive(self, count: int) -> None:
        arrived, self.on_its_way = self.on_its_way[:count], self.on_its_way[count:]
        for happening in arrived:
            if isinstance(happening.what, Line):
                log, place = self.logs[happening.chat_id], place_of(happening.what.place)
                log.untold.discard(place)
                if self.state.view(happening.chat_id) is None:
                    log.missed.add(place)
            if isinstance(happening.what, h.ChatEvent) and happening.what.change == "closed":
                self.answers = [one for one in self.answers if one.chat_id != happening.chat_id]
            self.apply(happening)
            self.note_overtaken(happening.chat_id)

    def note_overtaken(self, chat: int) -> None:
        """A page that is under way lacks a line that came since, and so many more came that it is
        held no more: it is there once the window is read again.
        """
        old, view = self.before.view(chat), self.state.view(chat)
        for answer in self.answers:
            if answer.chat_id == chat and answer.lines and old is not None and view is not None:
                known = {item.place for item in held(view)}
                gone = {item.place for item in old.earlier if item.place} - known
                late = {place for place in gone if place < place_of(answer.lines[-1].place)}
                self.logs[chat].missed |= late
                self.overtaken |= {chat} if late else set()

    @rule()
    def all_arrives(self) -> None:
        self.happenings_arrive(len(self.on_its_way))

    @rule(lost=st.booleans())
    def the_node_does_not_answer(self, lost: bool) -> None:
        """What was on its way may be lost; no answer from before the loss is taken."""
        if self.linked:
            self.linked = False
            self.apply(Linked(False))
            self.answers = []
            if not lost:
                self.all_arrives()
            self.on_its_way = []
            for log in self.logs.values():
                log.missed |= log.untold
                log.untold.clear()

    @precondition(lambda self: not self.linked)
    @rule()
    def the_node_answers_again(self) -> None:
        self.linked = True
        self.patched |= {one.chat.chat_id for one in self.state.views if one.scroll is not None}
        self.apply(Linked(True))

    # ---- the log is read

    def ask(self, chat: int, towards: Towards, count: int) -> None:
        """The node answers as the log is now; the answer arrives later."""
        view, log = self.state.view(chat), self.logs[chat]
        if view is None or not self.linked or any(one.chat_id == chat for one in self.answers):
            return
        match towards:
            case Towards.END:
                lines, older = log.end(count)
                self.answers.append(Paged(chat, lines, towards, older))
            case Towards.OLDER if view.older:
                lines, older = log.before(place_of(view.older), count)
                self.answers.append(Paged(chat, lines, towards, older, asked=view.older))
            case Towards.NEWER if view.cut_off and newest(view):
                asked = newest(view)
                lines, at_end = log.after(place_of(asked), count)
                self.answers.append(Paged(chat, lines, towards, at_end=at_end, asked=asked))

    @rule(chat=a_chat, towards=st.sampled_from(list(Towards)), count=st.integers(1, 9))
    def the_log_is_asked(self, chat: int, towards: Towards, count: int) -> None:
        self.ask(chat, towards, count)

    @rule(chat=a_chat, count=st.integers(1, 5))
    def the_log_is_counted_back(self, chat: int, count: int) -> None:
        view = self.state.view(chat)
        if view is not None and self.linked and is_sought(view):
            asked = view.sought[1]
            lines, older = self.logs[chat].before(place_of(asked), count)
            self.apply(CountedBack(chat, lines, older, asked))

    @rule(chat=a_chat, count=st.integers(1, 5), share=st.floats(0, 1))
    def somewhere_else_is_asked(self, chat: int, count: int, share: float) -> None:
        log, is_free = self.logs[chat], all(one.chat_id != chat for one in self.answers)
        if self.state.view(chat) and log.lines and self.linked and is_free:
            hit = sorted(log.lines)[int(share * (len(log.lines) - 1))]
            first, older = log.before(hit, count)
            rest, at_end = log.after(place_of(first[-1].place) if first else (), count)
            self.answers.append(Paged(chat, (*first, *rest), Towards.AROUND, older, at_end))

    @rule()
    def an_answer_arrives(self) -> None:
        if self.answers:
            answer = self.answers.pop(0)
            view = self.state.view(answer.chat_id)
            if view is not None and self.makes_a_window(answer, view):
                self.patched.discard(answer.chat_id)
            self.patched |= self.overtaken & {answer.chat_id}
            self.overtaken.discard(answer.chat_id)
            self.apply(answer)

    def makes_a_window(self, answer: Paged, view: View) -> bool:
        """Whether nothing that was missed before can be lacking after it."""
        if answer.towards is Towards.AROUND:
            return bool(answer.lines)
        anew = view.older is None or view.cut_off
        return answer.towards is Towards.END and anew and view.scroll is None

    # ---- people

    @rule(chat=a_chat)
    def a_chat_is_selected(self, chat: int) -> None:
        self.apply(Selected(chat))

    @rule(chat=a_chat, share=st.floats(0, 1), row=st.integers(0, 2))
    def one_scrolls_up(self, chat: int, share: float, row: int) -> None:
        view = self.state.view(chat)
        if view is not None and view.items:
            item = view.items[int(share * (len(view.items) - 1))]
            self.apply(Scrolled(chat, Anchor(item.serial, row)))

    @rule(chat=a_chat, serial=st.integers(0, 400))
    def one_scrolls_to_what_may_be_gone(self, chat: int, serial: int) -> None:
        self.apply(Scrolled(chat, Anchor(serial)))

    @rule(chat=a_chat)
    def one_scrolls_to_the_end(self, chat: int) -> None:
        self.apply(Scrolled(chat, None))

    @rule(
        event=st.one_of(
            st.builds(Closed, a_chat),
            st.builds(Read, a_chat),
            st.builds(Cleared, a_chat),
            st.builds(Muted, a_chat, st.booleans()),
            st.builds(Leveled, a_chat, st.sampled_from(list(Level))),
            st.builds(Drafted, a_chat, st.text(max_size=3)),
            st.builds(Ignored, st.just("Mallory"), st.booleans()),
            st.builds(Showing, st.sampled_from([Page("help"), None])),
            st.builds(Refused, a_chat, st.just("hello"), st.just("no")),
            st.builds(Delayed, a_chat, st.just("hello"), st.just(7_000)),
            st.builds(Answered, a_chat, st.just("hello")),
        )
    )
    def one_does_something(self, event: Event) -> None:
        self.apply(event)

    @rule(chat=st.sampled_from([0, *CHATS]), timed=st.booleans())
    def a_command_is_answered(self, chat: int, timed: bool) -> None:
        self.apply(Told(("yes",), chat, self.now_ms if timed else 0))

    @rule(chat=a_chat, states=st.lists(st.sampled_from(["alive", "suspect", "left"]), max_size=3))
    def the_members_are_read(self, chat: int, states: list[str]) -> None:
        self.apply(Roster(chat, members(*((i, f"m{i}", s) for i, s in enumerate(states, 1)))))

    @rule(share=st.integers(0, 4), unread=st.integers(0, 9), mentions=st.integers(0, 3))
    def the_status_is_read(self, share: int, unread: int, mentions: int) -> None:
        kept = [
            replace(one.chat, unread=unread, mentions=min(unread, mentions))
            for one in self.state.views
            if one.chat.chat_id != 4 or share
        ]
        self.answers = [a for a in self.answers if any(a.chat_id == c.chat_id for c in kept)]
        self.apply(Status(nick="alice", chats=tuple(kept)))

    # ---- what holds in every step

    def watch_the_step(self, event: Event) -> None:
        before, state = self.before, self.state
        assert state.serial >= before.serial
        for view in state.views:
            old = before.view(view.chat.chat_id)
            if old is None:
                continue
            self.new_serials_grow(old, view)
            if isinstance(event, NODES_OWN):
                self.the_eye_is_not_moved(old, view, event)
            self.the_marker_has_a_reason(old, view, event)

    def new_serials_grow(self, old: View, view: View) -> None:
        had = {item.serial for item in held(old)}
        fresh = [item.serial for item in held(view) if item.serial not in had]
        assert all(self.before.serial < one <= self.state.serial for one in fresh)

    def the_eye_is_not_moved(self, old: View, view: View, event: Event) -> None:
        """What the view is scrolled to is the same, and so is what stands over it."""
        if isinstance(event, Paged) and event.towards is Towards.AROUND:
            return
        assert view.scroll == old.scroll
        if old.scroll is None:
            return
        was, now = at_anchor(old), at_anchor(view)
        item, fresh = old.items[was], view.items[now]
        assert (item.serial, item.place) == (fresh.serial, fresh.place)
        assert isinstance(item.entry, Line) or item.entry is fresh.entry
        over = [one.serial for one in old.items[max(0, was - ABOVE) : was]]
        left = [one.serial for one in view.items[:now]]
        came = set(left) - {one.serial for one in old.items}
        assert came or set(over) <= set(left), "lines over the anchor went"
        assert [one for one in over if one in left] == [one for one in left if one in over]

    def the_marker_has_a_reason(self, old: View, view: View, event: Event) -> None:
        if view.marker == old.marker or slid(old, view):
            return
        chat_id = view.chat.chat_id
        went = self.before.current == chat_id != self.state.current
        match event:
            case Paged(towards=Towards.END, chat_id=there):
                assert there == chat_id
                has_place = old.lost[0] == old.marker  # its line is back, under another serial
                is_held = old.marker in {item.serial for item in view.items}
                assert old.waiting or has_place or not is_held
            case Happening(what=Line(backlog=backlog)) if not went:
                assert event.chat_id == chat_id
                assert backlog or (old.unread, view.unread) == (0, 1)
                assert not (backlog and old.marker and chat_id == self.state.current and old.at_end)
                last = (*old.items, *old.later)[-1:]
                outset = BEYOND if old.older == "" else 0
                assert view.marker == (last[0].serial if last else outset)
            case Paged(chat_id=there) if there == chat_id:
                assert old.lost[0] == old.marker or old.marker in {one.serial for one in old.items}
                places = [one.place for one in view.items if one.place and one.place <= where(old)]
                assert where(view) == max(places)
            case CountedBack(chat_id=there) if there == chat_id:
                assert old.marker == BEYOND
            case Answered():
                assert old.marker not in {item.serial for item in held(view)}
            case Read(chat_id=there) | Cleared(chat_id=there) if there == chat_id:
                assert view.marker == 0
            case _:
                assert went, f"{event} moved the marker"
                assert view.marker == 0
                assert old.at_end

    # ---- what holds at all times

    @invariant()
    def serials_are_unique(self) -> None:
        for view in (*self.state.views, self.state.lobby):
            serials = [item.serial for item in held(view)]
            assert len(serials) == len(set(serials))
            assert all(0 < one <= self.state.serial for one in serials)

    @invariant()
    def lines_are_in_order(self) -> None:
        for view in self.state.views:
            places = [item.place for item in view.items if item.place]
            assert places == sorted(set(places))
            assert all(item.entry.place for item in view.items if isinstance(item.entry, Line))

    @invariant()
    def what_is_shown_is_the_log(self) -> None:
        """Between its ends a window has every line of the log that can be known."""
        for view in self.state.views:
            log = self.logs[view.chat.chat_id]
            shown = {item.place for item in view.items if item.place}
            assert shown <= set(log.lines)
            if view.older is None or (view.cut_off and not shown):
                continue
            unknown = log.untold | (log.missed if view.chat.chat_id in self.patched else set())
            if not self.linked:
                unknown = unknown | log.missed
            first = place_of(view.older)
            last = max(shown) if view.cut_off else (1 << 60,)
            window = {place for place in log.lines if first <= place <= last}
            assert window - shown <= unknown, f"#{view.name} lacks {window - shown - unknown}"

    @invariant()
    def windows_are_bounded(self) -> None:
        recent = sorted(self.state.views, key=lambda view: -view.looked_at)
        recent = [one for one in recent if one.looked_at and one is not self.state.front]
        for view in self.state.views:
            lately = view is self.state.front or view in recent[: RECENT - 1]
            assert len(view.items) <= (ROOM if lately else IDLE)
            assert len(view.later) <= LATER
            assert len(view.earlier) <= LATER
            assert view.cut_off or not view.later

    @invariant()
    def the_view_is_somewhere(self) -> None:
        for view in self.state.views:
            assert view.scroll is None or at_anchor(view) >= 0

    @invariant()
    def a_marker_that_is_not_held_is_somewhere(self) -> None:
        for view in self.state.views:
            if view.marker == BEYOND:
                assert bool(view.sought[1]) != (view.lost[0] == BEYOND and bool(view.lost[1]))
                assert view.lost[1] in self.logs[view.chat.chat_id].lines or view.lost[1] in (
                    OUTSET,
                    (),
                )

    @invariant()
    def counts_are_right(self) -> None:
        for view in self.state.views:
            assert 0 <= view.mentions <= view.unread
            assert 0 <= view.quiet <= view.unread
            assert min(view.waiting, view.counted, view.caught, view.hidden) >= 0
        front_view = self.state.front
        if front_view and front_view.at_end and self.state.page is None:
            assert front_view.unread == 0

    @invariant()
    def a_listed_chat_is_in_front(self) -> None:
        front_view = self.state.front
        assert (front_view is None) == (self.state.current == 0)
        assert front_view is None or not front_view.closed
        assert bool(self.state.listed) == (front_view is not None)
        assert all(view.chat.chat_id != self.state.current for _, view in hotlist(self.state))

    @invariant()
    def chats_have_somebody(self) -> None:
        for view in self.state.views:
            assert 1 <= view.chat.alive <= view.chat.known

    @precondition(lambda self: self.linked)
    @rule(count=st.integers(7, 9))
    def in_the_end_the_last_lines_are_there(self, count: int) -> None:
        """One goes to the end of the chat in front, and its window is read until it is there."""
        self.all_arrives()
        while self.answers:
            self.an_answer_arrives()
        chat_id = self.state.current
        self.apply(Showing(None))
        self.apply(Scrolled(chat_id, None))
        for _ in range(3):
            view = self.state.front
            if view is not None and (view.older is None or view.cut_off):
                self.ask(chat_id, Towards.END, count)
                self.an_answer_arrives()
        if view := self.state.front:
            assert view.at_end
            log = self.logs[chat_id]
            shown = [item.place for item in view.items if item.place]
            since = [one for one in sorted(log.lines) if one >= place_of(view.older or "")]
            unknown = log.missed if chat_id in self.patched else set()
            assert [one for one in since if one not in shown] == [
                one for one in since if one in unknown and one not in shown
            ]


def slid(old: View, view: View) -> bool:
    """Whether the marker went with the head of its window, and no line before it was held."""
    serials = [item.serial for item in old.items]
    if view.marker != BEYOND or old.marker not in serials:
        return False
    assert all(item.serial != old.marker for item in view.items)
    return not any(item.place for item in old.items[: serials.index(old.marker) + 1])


def held(view: View) -> tuple[Item, ...]:
    """What came up last is last."""
    return (*view.earlier, *view.items, *view.later)


def where(view: View) -> Place:
    """The place of the marker, in the window or where it was when that left it."""
    serials = [item.serial for item in view.items]
    if view.marker not in serials:
        return view.lost[1]
    before = view.items[: serials.index(view.marker) + 1]
    return next((item.place for item in reversed(before) if item.place), ())


def at_anchor(view: View) -> int:
    """The index of the item that the view is scrolled to."""
    assert view.scroll is not None
    wanted = view.scroll.serial
    return next((at for at, item in enumerate(view.items) if item.serial == wanted), -1)


TestFaces = Faces.TestCase
TestFaces.settings = settings(
    max_examples=150,
    stateful_step_count=70,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    print_blob=True,
    report_multiple_bugs=False,
)
