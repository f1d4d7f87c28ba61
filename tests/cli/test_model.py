"""What a face knows: each event's effect on the state, as a table of small stories."""

from dataclasses import replace

from node import happenings as h
from node import words as w
from node.cli.model import LINES_MAX, Event, Item, Selected, State, reduce
from node.happenings import Happening

DEV = w.Chat(name="dev", chat_id=1, member_id=7, alive=2, known=2, leader_nick="bob")
OPS = w.Chat(name="ops", chat_id=2, member_id=8, alive=1, known=1)


def after(*events: Event, state: State | None = None) -> State:
    found = state or State()
    for event in events:
        found = reduce(found, event)
    return found


def line(id: str, *, own: bool = False, backlog: bool = False, mention: bool = False) -> w.Line:
    return w.Line(msg_id=id, source_id=5, own=own, backlog=backlog, mention=mention)


def in_chat(what: h.What, chat: w.Chat = DEV) -> Happening:
    return Happening(what, chat.name, chat.chat_id)


def two() -> State:
    return after(w.Status(nick="alice", chats=(DEV, OPS)))


def test_the_first_chat_is_in_front() -> None:
    assert two().front is not None
    assert two().front.name == "dev"  # type: ignore[union-attr]
    assert State().front is None


def test_a_chat_that_opens_goes_last_and_to_the_front_only_when_nothing_is() -> None:
    opened = in_chat(h.ChatEvent(OPS, "opened"), OPS)
    assert after(opened).current == 2
    assert after(w.Status(chats=(DEV,)), opened).current == 1


def test_a_chat_that_closes_hands_the_front_on() -> None:
    closed = after(in_chat(h.ChatEvent(DEV, "closed")), state=two())
    assert (closed.current, [view.name for view in closed.views]) == (2, ["ops"])
    assert after(in_chat(h.ChatEvent(OPS, "closed"), OPS), state=closed).current == 0


def test_lines_are_kept_once() -> None:
    state = after(in_chat(line("a")), in_chat(line("b")), in_chat(line("a")), state=two())
    assert [one.msg_id for one in state.view(1).lines] == ["a", "b"]  # type: ignore[union-attr]


def test_only_so_many_lines_are_kept() -> None:
    view = two().views[0]
    full = tuple(Item(i, line(str(i))) for i in range(LINES_MAX))
    state = replace(two(), views=(replace(view, items=full),))
    lines = after(in_chat(line("last")), state=state).views[0].lines
    assert LINES_MAX * 0.9 < len(lines) <= LINES_MAX
    assert (lines[-2].msg_id, lines[-1].msg_id) == (str(LINES_MAX - 1), "last")


def test_unread_counts_in_the_back_only_and_never_for_own_lines_or_backlog() -> None:
    state = after(
        in_chat(line("a")),
        in_chat(line("b"), OPS),
        in_chat(line("c", mention=True), OPS),
        in_chat(line("d", own=True), OPS),
        in_chat(line("e", backlog=True, mention=True), OPS),
        state=two(),
    )
    dev, ops = state.views
    assert (dev.unread, ops.unread, ops.mentions) == (0, 2, 1)
    looked = after(Selected(2), state=state)
    assert (looked.current, looked.views[1].unread, looked.views[1].mentions) == (2, 0, 0)


def test_a_chat_that_is_not_there_cannot_be_selected() -> None:
    assert after(Selected(99), state=two()) == two()


def test_a_receipt_reaches_its_line() -> None:
    receipt = h.ReceiptEvent(msg_id="a", acked=2, of=3)
    state = after(in_chat(line("a", own=True)), in_chat(receipt), state=two())
    assert (state.views[0].lines[0].acked, state.views[0].lines[0].of) == (2, 3)
    assert state.last_own == "a"


def test_a_leader_is_noted_with_its_epoch() -> None:
    event = h.LeaderEvent(9, "carol", w.Epoch(1, 12), True)
    chat = after(in_chat(event), state=two()).views[0].chat
    assert (chat.leader_id, chat.leader_nick, chat.epoch.n, chat.provisional) == (
        9,
        "carol",
        12,
        True,
    )


def test_members_come_and_go() -> None:
    def counts(*changes: str) -> tuple[int, int]:
        events = [in_chat(h.MemberEvent(9, "dan", change)) for change in changes]
        chat = after(*events, state=two()).views[0].chat
        return chat.alive, chat.known

    assert counts("joined") == (3, 3)
    assert counts("joined", "dropped") == (2, 3)
    assert counts("joined", "dropped", "returned") == (3, 3)
    assert counts("joined", "left") == (2, 2)
    assert counts("left", "left", "left") == (1, 1)


def test_only_ones_own_renaming_changes_ones_name() -> None:
    mine = in_chat(h.MemberEvent(7, "alicia", "renamed", "alice"))
    other = in_chat(h.MemberEvent(9, "rob", "renamed", "bob"))
    assert after(mine, state=two()).nick == "alicia"
    assert after(other, state=two()).nick == "alice"


def test_the_topic_is_noted() -> None:
    event = in_chat(h.MemberEvent(9, "bob", "topic", "release"))
    chat = after(event, state=two()).views[0].chat
    assert (chat.topic, chat.topic_by) == ("release", "bob")


def test_discovery_services_go_and_come() -> None:
    down, up = Happening(h.NdsEvent("a:1", False)), Happening(h.NdsEvent("a:1", True))
    assert after(down, down).nds_down == ("a:1",)
    assert after(down, up).nds_down == ()


def test_the_outbox_is_noted() -> None:
    assert after(in_chat(h.QueueEvent(3)), state=two()).views[0].chat.outbox == 3


def test_what_happens_in_an_unknown_chat_changes_nothing() -> None:
    assert after(in_chat(line("a"), w.Chat(name="x", chat_id=99)), state=two()) == two()


def test_a_fresh_status_keeps_the_lines() -> None:
    state = after(in_chat(line("a")), w.Status(nick="bob", chats=(DEV,)), state=two())
    assert ([one.msg_id for one in state.views[0].lines], len(state.views)) == (["a"], 1)


def test_chats_are_found_by_name() -> None:
    state = two()
    for name in ("dev", "#dev", "DEV"):
        assert state.named(name) is state.views[0]
    assert state.named("nope") is None
