"""What the node tells and is asked: live, read anew after a loss, marked as read, told to programs.

Tries node/cli/app/watching.py, node/cli/app/telling.py, node/cli/app/saving.py,
node/cli/app/pages.py, node/cli/app/performing.py, node/cli/app/face.py and node/cli/app/setup.py.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from node import words
from node.cli.app import telling
from node.cli.app.face import Face
from node.cli.app.setup import Forgetful, Setup
from node.cli.app.telling import Telling
from node.cli.model import (
    Chose,
    Event,
    Ignored,
    Level,
    Leveled,
    Muted,
    Selected,
    Settings,
    State,
)
from node.errors import Complaint, NodeSilent, Unwritable
from node.happenings import ChatEvent, ElectionEvent, Happening, MergeEvent
from node.host.hub import TooSlow
from tests.cli.app_world import World
from tests.cli.fake_node import FakeNode

DEV, OPS = 1, 2


@pytest.fixture
def world() -> Iterator[World]:
    with World(110, 24) as made:
        made.node.add_chat("dev", "alice", "bob", "you", leader="alice")
        made.node.add_chat("ops", "alice", "you", leader="alice")
        made.node.past(DEV, "alice", "from yesterday", 86_400_000)
        yield made


def marked(world: World) -> list[int]:
    return [int(call["chat"], 16) for call in world.node.asked("mark_read")]


# ---- beginning


def test_the_watch_begins_before_anything_is_read(world: World) -> None:
    world.start()
    called = [name for name, _ in world.node.heard]
    assert called[:3] == ["watch", "status", "history"]


def test_nothing_is_read_before_the_watch_has_begun(world: World) -> None:
    watch = world.node.watch
    begun: list[Callable[[], None]] = []

    async def slow(*args: Any, ready: Callable[[], None], **more: Any) -> AsyncIterator[Happening]:
        begun.append(ready)
        async for one in watch(*args, **more):
            yield one

    world.node.watch = slow  # type: ignore[method-assign]
    world.start()
    assert not world.node.asked("status")
    world.misses("#dev")
    begun[0]()
    world.passes(100)
    world.sees("#dev", "from yesterday")


def test_the_greeting_stands_below_what_was_said_before(world: World) -> None:
    world.start(chat="ops", greeting=("others run:  p2pchat join 10.0.0.5:50050/ops",))
    world.sees("[#ops]", "others run:")
    world.press("Alt+1")
    world.misses("others run:")
    world.sees("from yesterday")


def test_a_chat_is_put_in_front_by_its_number_too(world: World) -> None:
    other = world.node.add_chat("dev", "alice", "you", leader="alice")
    world.start(chat=other)
    assert world.state.current == other


def test_what_takes_effect_does_so_in_the_order_in_which_it_was_entered(world: World) -> None:
    set_topic = world.node.set_topic

    async def slow(chat: str, topic: str) -> None:
        await asyncio.sleep(2)
        await set_topic(chat, topic)

    world.node.set_topic = slow  # type: ignore[method-assign]
    world.start(chat="dev")
    world._send("/topic one\rhello\r/away lunch\r/back\r/leader\r")
    assert not world.node.asked("send")
    assert world.node.asked("leader"), "what only asks does not wait"
    world.passes(3_000)
    called = [name for name, _ in world.node.heard if name in ("set_topic", "send", "set_away")]
    assert called[2:] == ["set_topic", "send"]
    assert [call["away"] for call in world.node.asked("set_away")] == ["lunch", ""]


def test_without_a_chat_there_is_a_place_for_answers_all_the_same(world: World) -> None:
    world.node.towns.clear()
    world.start(greeting=("ui.json: it is damaged",))
    world.sees("ui.json: it is damaged", "you are in no chat yet")
    world.node.answers["join"] = Complaint(text="There is no chat #typo at X.")
    world.node.join = lambda *_, **__: _raising(Complaint(text="There is no chat #typo."))  # type: ignore[method-assign]
    world.enter("/join typo")
    world.sees("There is no chat #typo.")


async def _raising(error: Exception) -> Any:
    raise error


def test_a_chat_that_one_enters_comes_to_the_front(world: World) -> None:
    world.start(chat="dev")
    world.enter("/create lab")
    world.sees("[#lab]", "#lab is there", "10.0.0.5:50050/lab")
    world.misses("you are in #lab")
    world.enter("/leave")
    world.misses("[#lab]", "you are no longer in #lab")
    world.sees("you left #lab")


def test_chats_that_another_face_opens_and_closes_are_told_once(world: World) -> None:
    world.start(chat="dev")
    chat_id = world.node.add_chat("lab", "you", leader="you")
    lab = world.node.town(chat_id).chat
    for _ in range(2):
        world.node.tell(ChatEvent(lab, "opened"), chat_id)
    world.passes(100)
    world.press("Ctrl+P")
    assert world.text.count("you are in #lab") == 1
    for _ in range(2):
        world.node.tell(ChatEvent(lab, "closed"), chat_id)
    world.passes(100)
    assert world.text.count("you are no longer in #lab") == 1


def test_a_catch_up_is_counted_as_soon_as_it_is_told(world: World) -> None:
    world.start(chat="dev")
    before = len(world.node.asked("status"))
    world.node.tell(MergeEvent(3, 1, "alice"), OPS)
    world.passes(200)
    assert len(world.node.asked("status")) == before + 1


def test_who_falls_silent_to_this_node_alone_is_marked_without_a_word(world: World) -> None:
    world.start(chat="dev")
    world.sees("3/3", "alice  id 1 *")
    asked = len(world.node.asked("members"))
    world.passes(12_000)
    assert len(world.node.asked("members")) == asked, "nothing has changed"
    world.node.set_member(DEV, "alice", state="suspect")
    world.node.set_chat(DEV, alive=2)
    world.passes(6_000)
    world.sees("2/3", "?alice")
    assert len(world.node.asked("members")) == asked + 1


def test_an_election_is_a_reason_to_look_who_answers(world: World) -> None:
    world.start(chat="dev")
    world.node.set_member(DEV, "alice", state="suspect")
    world.node.tell(ElectionEvent(3, "you", "started", "leader silent", quiet=True), DEV)
    world.passes(200)
    world.sees("2/3", "?alice")
    world.misses("election")


def test_chats_are_as_they_were_left(world: World) -> None:
    class Kept(Forgetful):
        def restored(self) -> tuple[Event, ...]:
            return (Muted(DEV, True), Selected(OPS))

    world.start(keeper=Kept())
    world.sees("[#ops]", "(muted)")


# ---- a node that goes and comes


def test_a_node_that_ends_is_waited_for(world: World) -> None:
    world.start(chat="dev")
    world.node.dies()
    world.passes(100)
    world.sees("the node does not answer")
    world.type("a draft")
    world.node.past(DEV, "bob", "said meanwhile", 0)
    world.passes(3_000)
    tries = len(world.node.asked("watch"))
    assert 4 <= tries <= 8, "twice a second"
    world.node.returns()
    world.passes(1_000)
    world.misses("the node does not answer")
    world.sees("from yesterday", "said meanwhile", "[#dev] a draft")
    world.node.says(DEV, "alice", "and live again")
    world.passes(100)
    world.sees("and live again")
    assert not world.has_ended


def test_a_watcher_that_was_too_slow_watches_again_at_once(world: World) -> None:
    world.start(chat="dev")
    for queue in world.node._watchers:
        queue.put_nowait(TooSlow(count=4_096))
    world.node.past(DEV, "bob", "lost on the way", 0)
    world.passes(60)
    world.sees("lost on the way")
    world.misses("does not answer")
    assert len(world.node.asked("watch")) == 2


@pytest.mark.parametrize("too_slow", [False, True])
def test_what_came_elsewhere_while_nobody_watched_is_in_the_hotlist(
    world: World, too_slow: bool
) -> None:
    world.start(chat="dev")
    world.node.says(OPS, "alice", "heard")
    world.passes(100)
    world.sees("[Act: 2:#ops(1)]")
    world.node.past(OPS, "alice", "lost on the way", 0)
    world.node.set_chat(OPS, unread=2)
    if too_slow:
        for queue in world.node._watchers:
            queue.put_nowait(TooSlow(count=4_096))
    else:
        world.node.dies()
        world.passes(1_000)
        world.node.returns()
    world.passes(1_000)
    world.sees("[Act: 2:#ops(2)]")
    world.press("Alt+A")
    rows = world.rows
    new = next(at for at, row in enumerate(rows) if " new -" in row)
    assert "heard" in rows[new + 1]


def test_an_own_node_takes_the_app_with_it(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.start(chat="dev", owns_node=True)
    world.node.dies()
    assert world.ended() == 5
    assert "the node has ended" in capfd.readouterr().err
    assert not world.display.is_alternate


def test_a_node_that_is_slow_to_tell_its_state_is_asked_again(world: World) -> None:
    world.node.answers["status"] = NodeSilent(profile="default", seconds="10", log="x")
    world.start()
    world.misses("#dev")
    del world.node.answers["status"]
    world.passes(1_000)
    world.sees("#dev", "from yesterday")


# ---- frames


def test_what_is_typed_is_drawn_at_once_and_what_is_told_soon(world: World) -> None:
    world.start(chat="dev")
    world.node.says(DEV, "alice", "one")
    world.loop.passes(5)
    world.sees("one")
    world.node.says(DEV, "alice", "two")
    world.loop.passes(15)
    world.misses("two")
    world._input.send_text("\x1b2")
    world.loop.passes(9)
    world.sees("[#ops]")
    world.press("Alt+1")
    world.sees("two")


def test_a_first_look_of_a_node_that_went_meanwhile_is_not_taken(world: World) -> None:
    status, gate = world.node.status, asyncio.Event()
    answers: list[int] = []

    async def slow() -> words.Status:
        found = await status()
        answers.append(1)
        if len(answers) == 1:
            await gate.wait()
        return found

    world.node.status = slow  # type: ignore[method-assign]
    world.start()
    world.node.dies()
    world.passes(100)
    world.node.add_chat("lab", "you", leader="you")
    world.node.returns()
    world.passes(1_000)
    world.sees("#lab")
    world.loop.call_soon(gate.set)
    world.loop.settle()
    world.passes(60)
    world.sees("#lab")


def test_an_answer_is_told_though_the_state_cannot_be_read(world: World) -> None:
    world.start(chat="dev")
    world.node.answers["status"] = NodeSilent(profile="default", seconds="10", log="x")
    world.enter("/create lab")
    world.sees("#lab is there")


# ---- members and status


def test_members_are_read_once_for_all_that_happens_at_once(world: World) -> None:
    world.start(chat="dev")
    before = len(world.node.asked("members"))
    for nick in ("carol", "dan", "erin"):
        world.node.changed(DEV, nick, "joined")
        world.passes(10)
    world.node.changed(OPS, "frank", "joined")
    world.passes(300)
    world.sees("MEMBERS 6/6", "dan    id 5")
    assert len(world.node.asked("members")) == before + 1
    world.press("Alt+2")
    world.passes(100)
    world.sees("MEMBERS 3/3", "frank  id 3")


def test_who_lacks_lines_is_read_again_after_receipts(world: World) -> None:
    world.start(chat="dev")
    world.node.acknowledges = False
    before = len(world.node.asked("members"))
    lines = [world.node.says(DEV, "you", f"line {number}", of=2) for number in range(3)]
    for line in lines:
        world.node.acked(DEV, line, "bob", 1, 2)
        world.passes(200)
    assert len(world.node.asked("members")) == before
    world.passes(1_000)
    assert len(world.node.asked("members")) == before + 1


# ---- read


def test_what_is_looked_at_counts_as_read(world: World) -> None:
    world.node.set_chat(DEV, unread=1)
    world.start(chat="dev")
    world.passes(1_000)
    assert marked(world) == [DEV]
    world.node.says(DEV, "alice", "one")
    world.node.says(DEV, "alice", "two")
    world.passes(1_000)
    assert marked(world) == [DEV, DEV], "once for what comes together"
    world.passes(20_000)
    assert len(marked(world)) == 2


def test_what_is_not_looked_at_does_not(world: World) -> None:
    world.start(chat="dev")
    world.node.says(OPS, "alice", "in another chat")
    world.passes(2_000)
    assert not marked(world)
    for number in range(40):
        world.node.says(DEV, "alice", f"line {number}")
    world.passes(2_000)
    world.press("PgUp")
    count = len(marked(world))
    world.node.says(DEV, "alice", "below")
    world.passes(2_000)
    assert len(marked(world)) == count, "scrolled up"
    world.press("Alt+End", "F1")
    count = len(marked(world))
    world.node.says(DEV, "alice", "behind a page")
    world.passes(2_000)
    assert len(marked(world)) == count, "behind a page"
    world.press("Esc")
    world.passes(2_000)
    assert marked(world)[count:] == [DEV]
    world.press("Alt+2")
    world.passes(2_000)
    assert marked(world)[count:] == [DEV, OPS]


def test_who_answers_or_leaves_has_read(world: World) -> None:
    world.start(chat="dev")
    world.node.says(DEV, "alice", "are you there?")
    world.passes(60)
    world.enter("yes")
    assert marked(world) == [DEV]
    world.node.says(DEV, "alice", "good")
    world.passes(60)
    world.press("Ctrl+D")
    assert world.ended() == 0
    assert marked(world) == [DEV, DEV]


# ---- bell and program


@pytest.mark.parametrize(
    ("events", "line", "rings"),
    [
        ((), {"mention": True}, True),
        ((), {}, False),
        ((), {"mention": True, "backlog": True}, False),
        ((), {"mention": True, "own": True}, False),
        ((Muted(OPS, True),), {"mention": True}, False),
        ((Leveled(OPS, Level.NONE),), {"mention": True}, False),
        ((Leveled(OPS, Level.MENTIONS),), {"mention": True}, True),
        ((Ignored("alice", True),), {"mention": True}, False),
        ((Chose(Settings(bell="off")),), {"mention": True}, False),
    ],
)
def test_only_what_is_said_to_one_now_rings(
    world: World, events: tuple[Event, ...], line: dict[str, Any], rings: bool
) -> None:
    world.start(chat="dev")
    assert world.face is not None
    for event in events:
        world.loop.call_soon(world.face.apply, event)
    world.passes(100)
    world.node.says(OPS, "alice", "hello", **line)
    world.passes(100)
    assert world.display.bells == rings


def test_a_flood_of_mentions_rings_once_a_second(world: World) -> None:
    world.start(chat="dev")
    for _ in range(20):
        world.node.says(DEV, "alice", "@you", mention=True)
        world.passes(100)
    assert world.display.bells in (2, 3)


def face_with(settings: Settings) -> tuple[Face, list[str]]:
    """An app's middle without a screen, one chat in front, and what it tells."""

    class Kept(Forgetful):
        def begin(self) -> State:
            return State(settings=settings)

    node = FakeNode(lambda: 1_000)
    node.add_chat("dev", "alice", "you", leader="alice")
    face = Face(node, Setup(log=Path("node.log"), keeper=Kept(), now=lambda: 1_000))  # type: ignore[arg-type]
    face.apply(words.Status(chats=(node.town(1).chat,), nick="you"))
    told: list[str] = []
    face.tell = lambda *lines, **_: told.extend(lines)  # type: ignore[method-assign]
    return face, told


def mention(**more: Any) -> Happening:
    line = words.Line(msg_id="a1", id="a1", source_id=1, nick="alice", text="@you", **more)
    return Happening(line, "dev", 1, at_ms=1_000)


async def finished(face: Face) -> None:
    while face._tasks:
        await asyncio.wait(tuple(face._tasks))


async def test_a_program_gets_the_line_as_json(tmp_path: Path) -> None:
    file = tmp_path / "told here"
    face, told = face_with(Settings(notify_command=f"tee '{file}'"))
    Telling(face, lambda: None)
    face.apply(mention(mention=True))
    face.apply(mention(mention=True, backlog=True))
    await finished(face)
    (line,) = file.read_text("utf-8").splitlines()
    row = json.loads(line)
    assert (row["type"], row["chat"], row["text"]) == ("message", "dev", "@you")
    assert row["from"]["nick"] == "alice"
    assert not told


async def test_a_program_of_blanks_is_none() -> None:
    face, told = face_with(Settings(notify_command="  "))
    Telling(face, lambda: None)
    face.apply(mention(mention=True))
    await finished(face)
    assert not told
    assert not face.ended.done()


@pytest.mark.parametrize("command", ["/nowhere/notify --now", "'unbalanced", "/"])
async def test_a_program_that_cannot_be_run_is_told_of(command: str) -> None:
    face, told = face_with(Settings(notify_command=command))
    Telling(face, lambda: None)
    face.apply(mention(mention=True))
    await finished(face)
    (line,) = told
    assert command in line


async def test_a_program_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pid"
    monkeypatch.setattr(telling, "PROGRAM_S", 0.3)
    face, told = face_with(Settings(notify_command=f"sh -c 'echo $$ > {file}; exec sleep 100'"))
    Telling(face, lambda: None)
    face.apply(mention(mention=True))
    await finished(face)
    assert "took too long" in told[0]
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text("utf-8")), 0)


async def test_a_program_that_fails_is_told_of_once() -> None:
    face, told = face_with(Settings(notify_command="false"))
    Telling(face, lambda: None)
    for _ in range(2):
        face.apply(mention(mention=True))
        await finished(face)
    assert told == ["notify_command 'false' failed (1)"]


async def test_no_more_than_a_few_programs_run_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    file.touch()
    face, _ = face_with(Settings(notify_command=f"sh -c 'echo $$ >> {file}; cat >/dev/null'"))
    Telling(face, lambda: None)
    for number in range(50):
        face.apply(Happening(words.Line(msg_id=f"{number}", nick="a", mention=True), "dev", 1))
    await finished(face)
    assert len(file.read_text("utf-8").split()) == 4


# ---- what is kept


class Noting(Forgetful):
    def __init__(self, fault: Complaint | None = None) -> None:
        self.saved: list[State] = []
        self._fault = fault

    def save(self, state: State) -> None:
        if self._fault:
            raise self._fault
        self.saved.append(state)


def test_choices_are_kept_soon_after_they_are_made_and_at_the_end(world: World) -> None:
    keeper = Noting()
    world.start(chat="dev", keeper=keeper)
    world.passes(5_000)
    assert not keeper.saved
    world.press("Alt+=", "F7", "Alt+2")
    assert not keeper.saved, "a key does not wait for the disk"
    world.passes(1_500)
    assert len(keeper.saved) == 1
    assert keeper.saved[0].settings.notices == "off"
    world.enter("/mute")
    world.press("Ctrl+D")
    assert world.ended() == 0
    assert keeper.saved[-1].views[1].muted


def test_each_choice_of_a_run_is_kept_soon(world: World) -> None:
    keeper = Noting()
    world.start(chat="dev", keeper=keeper)
    for count in (1, 2, 3):
        world.press("Alt+=")
        world.passes(1_500)
        assert len(keeper.saved) == count


def test_a_chat_that_is_not_well_is_told_at_the_start_and_when_it_is_again(world: World) -> None:
    world.node.problems = ("#dev is stalled here: The disk is full",)
    world.start(chat="dev")
    world.sees("#dev is stalled here: The disk is full")
    world.node.tell(ChatEvent(world.node.town(DEV).chat, "resumed"), DEV)
    world.passes(300)
    world.sees("#dev goes on here")


def test_the_last_word_is_written_last(world: World) -> None:
    written: list[str] = []
    slow = world.loop.create_future()

    def in_a_thread(executor: object, func: Callable[..., None], state: State) -> Any:
        async def work() -> None:
            if not written:
                written.append("begun")
                await slow
            func(state)
            written.append(state.settings.notices)

        return world.loop.create_task(work())

    world.loop.run_in_executor = in_a_thread  # type: ignore[method-assign,assignment]
    world.start(chat="dev", keeper=Noting())
    world.press("Alt+=")
    world.passes(1_500)
    world.press("Alt+=", "Ctrl+D")
    assert not world.has_ended
    slow.set_result(None)
    assert world.ended() == 0
    assert written == ["begun", "off", "on"]


def test_what_cannot_be_kept_is_said(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.start(chat="dev", keeper=Noting(Unwritable(file="ui.json", text="disk full")))
    world.enter("/save")
    world.sees("disk full")
    world.press("Ctrl+D")
    assert world.ended() == 0
    assert "disk full" in capfd.readouterr().err


def test_files_that_cannot_be_read_again_are_complained_of(world: World) -> None:
    class Broken(Forgetful):
        def reload(self, state: State) -> tuple[Event, ...]:
            raise Unwritable(file="config.toml", text="it is damaged")

    world.start(keeper=Broken())
    world.enter("/reload")
    world.sees("it is damaged")
    assert not world.has_ended


def test_a_reload_is_answered(world: World) -> None:
    world.start(chat="dev")
    world.enter("/reload")
    world.sees("as the files say")


# ---- pages


@pytest.mark.parametrize("key", ["F2", "F3", "Alt+L"])
def test_pages_of_a_chat_need_one(world: World, key: str) -> None:
    world.node.towns.clear()
    world.start()
    world.press(key)
    assert not world.has_ended
    if key != "Alt+L":
        world.sees("you are in no chat; /join or /create one")


def test_the_picked_chat_stays_picked_when_others_change_places(world: World) -> None:
    world.node.add_chat("lab", "alice", "you", leader="alice")
    world.start(chat="dev")
    world.press("Ctrl+G", "Down")
    assert "#lab" in next(row for row in world.rows if row.startswith(" >"))
    world.node.tell(ChatEvent(world.node.town(OPS).chat, "closed"), OPS)
    del world.node.towns[OPS]
    world.passes(100)
    assert "#lab" in next(row for row in world.rows if row.startswith(" >"))
    world.press("Enter")
    world.sees("[#lab]")


def test_the_switcher_survives_the_end_of_the_picked_chat(world: World) -> None:
    world.start(chat="dev")
    world.press("Ctrl+G", "Down")
    world.node.tell(ChatEvent(world.node.town(OPS).chat, "closed"), OPS)
    del world.node.towns[OPS]
    world.passes(100)
    world.press("Enter")
    world.sees("[#dev]")


def test_a_page_shows_its_answer_and_follows_what_happens(world: World) -> None:
    world.start(chat="dev")
    world.press("F2")
    world.sees("ELECTIONS of #dev", "no election seen yet")
    step = words.ElectionStep(1_000, "bob (id 2) claims the epoch")
    world.node.answers["elections"] = words.Elections(
        (words.Election(1_000, 0, steps=(step,), under_way=True),)
    )
    asked = len(world.node.asked("elections"))
    world.passes(5_000)
    assert len(world.node.asked("elections")) == asked, "nobody asks where nothing happens"
    world.node.tell(ElectionEvent(2, "bob", "claiming", text="bob claims"), DEV)
    world.passes(300)
    world.sees("bob (id 2) claims the epoch")
    world.press("F2")
    world.misses("ELECTIONS")
    world.node.tell(ElectionEvent(2, "bob", "claiming", text="bob claims"), DEV)
    world.passes(300)
    assert len(world.node.asked("elections")) == asked + 1


def test_links_are_asked_for_again_and_again_while_they_are_looked_at(world: World) -> None:
    world.start(chat="dev")
    world.enter("/peers")
    world.passes(3_100)
    assert len(world.node.asked("peers")) == 4
    world.press("Alt+2")
    world.misses("PEERS")
    world.passes(5_000)
    assert len(world.node.asked("peers")) == 4


def test_a_page_that_cannot_be_filled_says_why(world: World) -> None:
    world.start(chat="dev")
    world.press("F3")
    world.sees("TRACE of #dev", "There is no message")
    world.press("Enter")
    world.misses("TRACE")


def test_only_the_page_that_is_open_is_asked_for(world: World) -> None:
    world.start(chat="dev")
    for _ in range(3):
        world.enter("/peers")
    world.node.heard.clear()
    world.passes(5_000)
    assert len(world.node.asked("peers")) == 5


def test_an_answer_that_comes_too_late_is_on_no_other_page(world: World) -> None:
    gate = asyncio.Event()

    async def slow(chat: str) -> words.Elections:
        await gate.wait()
        return words.Elections()

    world.node.elections = slow  # type: ignore[method-assign]
    world.start(chat="dev")
    world.press("F2", "F3")
    world.loop.call_soon(gate.set)
    world.passes(500)
    assert world.state.page is not None
    assert not isinstance(world.state.page.content, words.Elections)


def test_pages_replace_one_another(world: World) -> None:
    world.start(chat="dev")
    world.press("F1", "PgDn", "PgDn")
    assert world.state.page is not None
    assert world.state.page.top > 0
    far = world.state.page.top
    world.press("PgDn", "PgDn", "PgDn", "PgUp")
    assert world.state.page.top <= far + 20
    world.press("F2")
    world.sees("ELECTIONS")
    world.press("F1")
    world.sees("HELP")
    world.press("Alt+L")
    world.misses("HELP", "CHATS")
    world.sees("from yesterday")
    world.press("Alt+L")
    world.sees("CHATS")


def test_a_message_is_copied_into_the_terminals_clipboard(world: World) -> None:
    world.start(chat="dev")
    world.node.says(DEV, "alice", "zoë \x1b]52;c;evil\x07")
    world.enter("/copy")
    assert "\x1b]52;c;em/Dqy" in world.sink.raw
    assert "evil\x07" not in world.sink.raw


def test_an_alias_and_a_setting_work_at_once(world: World) -> None:
    world.start(chat="dev")
    world.enter("/alias hi /me waves at")
    world.enter("/hi bob")
    assert world.node.asked("send")[-1]["text"] == "waves at bob"
    world.enter("/set seconds off")
    world.enter("hello")
    world.sees("12:01     you | hello")
