"""Line mode over a played node: what is printed, and what a typed line does.

Tries node/cli/burst.py too.  tests/e2e/test_line.py tries the whole with processes, pipes and
terminals; it also has the lines of node/cli/stdin.py, which need a real stdin.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from node import words as w
from node.cli import line as line_module
from node.cli.burst import Burst
from node.cli.line import LineMode
from node.cli.output import Output
from node.cli.settings import Keeper, Kept, load, save
from node.config import Config
from node.config import load as read_config
from node.errors import NodeDown, NodeLost, NoSuchMember
from node.happenings import ChatEvent, ErrorEvent, Happening, MemberEvent, ReceiptEvent
from node.host.hub import TooSlow
from node.places import Places, places
from tests.cli.fake_node import NDS, NOON_MS, FakeNode
from tests.cli.still_loop import StillLoop

# ---- bursts ------------------------------------------------------------------------------------


def joined(nick: str, id: int, chat: str = "dev", change: str = "joined") -> Happening:
    return Happening(MemberEvent(id, nick, change), chat)


def test_the_first_of_a_burst_is_told_at_once_and_the_rest_together() -> None:
    burst = Burst()
    assert burst.add(joined("a", 1))
    assert not burst.add(joined("b", 2))
    assert not burst.add(joined("c", 3))
    assert burst.end() == [("b (id 2) and c (id 3) joined", "dev")]


def test_a_burst_of_one_has_nothing_left_to_tell() -> None:
    burst = Burst()
    assert burst.add(joined("a", 1))
    assert burst.end() == []
    assert burst.add(joined("b", 2)), "after its end, the next one is a first again"


def test_another_chat_or_another_change_is_another_burst() -> None:
    burst = Burst()
    assert burst.add(joined("a", 1))
    assert burst.add(joined("b", 2, chat="ops"))
    assert burst.add(joined("a", 1, chat="ops", change="left"))


# ---- a conversation ----------------------------------------------------------------------------


class Talk:
    """A face in line mode, a node that is played, and what was printed since it was last asked."""

    def __init__(self, capsys: pytest.CaptureFixture[str], spot: Places) -> None:
        self._capsys = capsys
        self.loop = StillLoop()
        self.node = FakeNode(lambda: NOON_MS + round((self.loop.time() - 1_000) * 1000))
        self.spot = spot
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._running: asyncio.Task[int] | None = None

    async def typed(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            yield line

    def begin(self, chat: str = "", *, commands: bool = True, keeps: bool = True) -> str:
        def again() -> Config:
            return read_config(self.spot, {}, {}, {})

        keeper = Keeper(self.spot, again(), again) if keeps else None
        mode = LineMode(self.node, Output(), commands=commands, keeper=keeper)  # type: ignore[arg-type]
        self._running = self.loop.create_task(mode.run(chat))
        return self.shown()

    def shown(self) -> str:
        self.loop.settle()
        printed = self._capsys.readouterr()
        return re.sub(r"(\d+-\d\d-\d\d )?\d\d:\d\d:\d\d ", "", printed.out + printed.err)

    def type(self, line: str) -> str:
        self._lines.put_nowait(line)
        return self.shown()

    def passes(self, ms: float) -> str:
        self.loop.passes(ms)
        return self.shown()

    def end(self) -> int:
        """The exit code after the end of the input."""
        assert self._running is not None
        self._lines.put_nowait(None)
        return int(self.loop.finish(self._running))

    def close(self) -> None:
        if self._running is not None and not self._running.done():
            self._running.cancel()
            self.loop.settle()
        self.loop.settle()
        self.loop.close()
        assert not self.loop.failures, self.loop.failures


@pytest.fixture
def spot(tmp_path: Path) -> Places:
    found = places("you", str(tmp_path), {})
    found.make()
    return found


@pytest.fixture
def pipe(talk: "Talk", monkeypatch: pytest.MonkeyPatch) -> "Talk":
    """The same with an input that is no terminal."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    return talk


@pytest.fixture
def talk(
    capsys: pytest.CaptureFixture[str], spot: Places, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Talk]:
    """You in #dev and #ops with others, at a terminal."""
    made = Talk(capsys, spot)
    monkeypatch.setattr(line_module, "stdin_lines", made.typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    made.node.add_chat("dev", "alice", "bob", "you", leader="alice")
    made.node.add_chat("ops", "bob", "you", leader="bob")
    yield made
    made.close()


def test_a_face_says_where_one_is_and_prints_what_is_said(talk: Talk) -> None:
    talk.node.past("dev", "alice", "before you came", 60_000)
    assert talk.begin() == (
        "#dev <alice> before you came\n"
        "#dev: 3 of 3 members answer, alice leads  <- here\n"
        "#ops: 2 of 2 members answer, bob leads\n"
        "type to talk; /help lists commands, /chat NAME changes the chat\n"
    )
    talk.node.says("dev", "bob", "hi\n\x1b[2Jall")
    talk.node.says("ops", "bob", "elsewhere")
    assert talk.shown() == "#dev <bob> hi\n#dev <bob> [2Jall\n#ops <bob> elsewhere\n"
    assert talk.type("hello") == "", "own lines are not repeated"
    (sent,) = talk.node.asked("send")
    assert (sent["text"], sent["kind"]) == ("hello", w.Kind.TEXT)
    assert talk.passes(1_000) == ""
    assert len(talk.node.asked("mark_read")) == 2, "what a terminal has shown has been read"
    assert talk.end() == 0


def test_what_is_typed_before_the_node_is_watched_is_no_past_line(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = talk.node.watch

    async def late(**asked: Any) -> AsyncIterator[Happening]:
        await asyncio.sleep(1)
        async for one in watch(**asked):
            yield one

    monkeypatch.setattr(talk.node, "watch", late)
    talk.begin()
    assert talk.type("hello") == ""
    assert talk.passes(2_000) == "", "own lines are not repeated"
    (sent,) = talk.node.asked("send")
    assert sent["text"] == "hello"
    assert talk.end() == 0


def test_only_partial_delivery_is_worth_a_line(talk: Talk) -> None:
    talk.begin()
    talk.node.acknowledges = False
    assert talk.type("hello") == ""
    talk.node.acknowledges = True
    assert talk.type("and again") == ""
    assert talk.end() == 6, "the first has not reached everyone"


async def without_dan(*_: Any, **asked: Any) -> AsyncIterator[w.Progress]:
    """Sends a line that reaches one of two; the other was dropped meanwhile."""
    yield w.Progress("m1", "m1", 0, 2, missing=("bob", "dan"))
    yield w.Progress("m1", "m1", 1, 2, later=("dan",), done=True, complete=True)


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("acked", [1, 2], ids=["went meanwhile", "was gone before"])
def test_who_gets_a_line_later_is_told_once(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, is_terminal: bool, acked: int
) -> None:
    """Of who was gone before, its sending knows nothing: it is not waited for."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: is_terminal)
    talk.begin(commands=is_terminal)
    if acked == 1:
        monkeypatch.setattr(talk.node, "send", without_dan)
    said = talk.type("hello")
    id = "m1" if acked == 1 else talk.node.town("dev").log[-1].msg_id
    talk.node.tell(ReceiptEvent(id, id[:4], acked=acked, of=2, later=("dan",)), "dev")
    said += talk.shown()
    expected = "sent to 1 of 2" if acked == 1 else "sent to 2 of 3"
    assert said == f"#dev -- {expected}; dan gets it when they are back\n"
    assert talk.end() == 0


def test_a_leave_that_another_notice_tells_is_not_told_again(talk: Talk) -> None:
    talk.begin()
    talk.node.tell(MemberEvent(1, "alice", "left", quiet=True), "dev")
    talk.node.led("dev", "bob", 12, handed_over_by="alice", handed_over_leaving=True)
    assert talk.shown() == "#dev -- alice left and handed over to bob\n"
    talk.node.tell(MemberEvent(2, "bob", "left", quiet=True), "dev")
    talk.node.tell(MemberEvent(4, "dan", "left"), "dev")
    assert talk.shown() == "#dev -- dan left\n", "it is no burst with what was not told"


ANSWERS: list[tuple[str, str | list[str]]] = [
    ("/leader", "alice (id 1) leads #dev (epoch 11)\n"),
    ("/names ops", ["bob", "id 1", "you"]),
    ("/chat ops", "you talk in #ops now\n"),
    ("/chat 2", "you talk in #ops now\n"),
    ("/chat", ["> 1 #dev 3/3 L:alice", "  2 #ops 2/2 L:bob"]),
    ("/nick", "you are you\n"),
    ("/help whois", ["/whois member  all about one member", "for example: /whois bob"]),
    ("/help", ["Talking\n", "  /join line", "\nSettings\n"]),
    ("/keys", ["-- line mode has no keys of its own; these are the full screen's", "Ctrl+N"]),
    ("/election", "no election seen yet\n"),
    ("/queue", "nothing waits\n"),
    ("/rpc", ""),
    ("/trace", "-- There is no message of your own in #dev.\n"),
    ("/search 100%", "#dev <alice> it is 100% done\n"),
    ("/grep nothing of it", "nothing in #dev holds it\n"),
    ("/history 1", "#dev <alice> it is 100% done\n"),
    ("/copy", "-- only the full screen can copy\n"),
    ("/clear", "-- only the full screen can be cleared\n"),
    ("/mute ops", "-- #ops is muted: it raises nothing\n"),
    ("/close ops", ["-- #ops is off the list"]),
    ("/close", ["-- #dev is off the list", "you talk in #ops now"]),
    ("/notify none", ["-- #dev: none (nothing raises it"]),
    ("/ignore bob", "-- lines of bob are hidden; /unignore bob shows them again\n"),
    ("/set theme mono", "-- theme = mono (for the full screen)\n"),
    ("/theme", ["theme = default"]),
    ("/set notices off", "-- notices = off\n"),
    ("/alias w /whois", "-- /w stands for /whois now\n"),
    ("/save", "-- kept for the next time\n"),
    ("/reload", "-- settings and aliases are as the files have them\n"),
    ("/frobnicate", ["-- there is no command /frobnicate."]),
    ("/names nowhere", ["-- There is no chat #nowhere"]),
    ("/notify loudly", ["it is /notify [all|mentions|none], for example: /notify mentions"]),
]


@pytest.mark.parametrize(("line", "said"), ANSWERS, ids=[line for line, _ in ANSWERS])
def test_a_command_answers_in_lines(talk: Talk, line: str, said: str | list[str]) -> None:
    talk.begin()
    talk.node.says("dev", "alice", "it is 100% done")
    talk.shown()
    answer = talk.type(line)
    if isinstance(said, str):
        assert answer == said
    else:
        for part in said:
            assert part in answer
    assert talk.end() == 0, "at a terminal a mistake is no failure"


def test_what_was_chosen_counts_at_once_and_at_the_next_start(talk: Talk) -> None:
    talk.begin()
    talk.type("/ignore Alice")
    talk.type("/mute ops")
    talk.type("/alias cough /me coughs")
    talk.type("/chat ops")
    talk.type("/chat dev")
    talk.node.says("dev", "alice", "hidden")
    talk.node.says("ops", "bob", "quiet")
    talk.node.changed("ops", "dora", "joined")
    talk.node.says("dev", "bob", "heard")
    assert talk.shown() == "#dev <bob> heard\n"
    talk.type("/cough")
    assert talk.node.asked("send")[-1]["kind"] == w.Kind.ACTION
    kept, _ = load(talk.spot.ui)
    assert kept == Kept(
        muted=(2,), ignored=("alice",), aliases={"cough": "/me coughs"}, current=1, hinted=False
    )
    talk.type("/unmute ops")
    talk.type("/unignore alice")
    talk.node.says("dev", "alice", "back")
    talk.node.says("ops", "bob", "loud")
    assert talk.shown() == "#dev <alice> back\n#ops <bob> loud\n"


def test_a_muted_chat_in_front_is_printed(talk: Talk) -> None:
    talk.begin()
    talk.type("/mute")
    talk.node.says("dev", "alice", "you look at me")
    assert talk.shown() == "#dev <alice> you look at me\n"


def test_a_closed_chat_is_silent_until_somebody_names_you(talk: Talk) -> None:
    talk.begin()
    talk.type("/close ops")
    talk.node.says("ops", "bob", "anybody?")
    assert talk.shown() == ""
    talk.node.says("ops", "bob", "@you: look")
    assert talk.shown() == "#ops <bob> @you: look\n"


def test_without_notices_errors_are_still_told(talk: Talk) -> None:
    talk.begin()
    talk.type("/set notices off")
    talk.node.changed("dev", "dora", "joined")
    talk.node.tell(ErrorEvent("FAILED", "the disk is full"), "dev")
    assert talk.shown() == "#dev -- error: the disk is full\n"


def test_a_face_begins_where_the_last_one_was(talk: Talk) -> None:
    save(talk.spot.ui, Kept(current=2, muted=(1,)))
    assert "#ops: 2 of 2 members answer, bob leads  <- here" in talk.begin()
    assert "#dev (muted)" in talk.type("/chat")


def test_the_chat_that_was_asked_for_is_in_front_whatever_was(talk: Talk) -> None:
    save(talk.spot.ui, Kept(current=2))
    assert "alice leads  <- here" in talk.begin("dev")


def test_what_is_wrong_with_the_kept_file_is_said(talk: Talk) -> None:
    talk.spot.ui.write_text("{", "utf-8")
    assert f"{talk.spot.ui}: Expecting" in talk.begin()


def test_reload_takes_what_the_files_say_now(talk: Talk) -> None:
    talk.begin()
    talk.spot.config.write_text('notices = "off"\ntheme = "pink"\n[alias]\nyo = "hey"', "utf-8")
    said = talk.type("/reload")
    assert "key 'theme': must be one of" in said
    talk.node.changed("dev", "dora", "joined")
    assert talk.shown() == ""
    talk.type("/yo all")
    assert talk.node.asked("send")[-1]["text"] == "hey all"


@pytest.mark.parametrize("line", ["/save", "/reload"])
def test_where_nothing_is_kept_that_is_said(talk: Talk, line: str) -> None:
    talk.begin(keeps=False)
    assert talk.type(line) == "-- nothing is kept of a view without a terminal\n"
    assert talk.type("/mute ops") == "-- #ops is muted: it raises nothing\n"
    assert not talk.spot.ui.exists()


def test_who_reads_too_slowly_is_told_so_and_goes_on(talk: Talk) -> None:
    talk.begin()
    for queue in talk.node._watchers:
        queue.put_nowait(TooSlow(count=4_096))
    assert "more happened than could be told here" in talk.shown()
    talk.node.says("dev", "bob", "still here?")
    assert talk.shown() == "#dev <bob> still here?\n"
    assert [one["history"] for one in talk.node.asked("watch")] == [10, 0]


OTHERS_RUN = f"others run:  p2pchat join {NDS}/lab\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"/join {NDS}/lab", "you are in #lab as you (id 2), with 1 other\n"),
        (
            "/create lab",
            f"#lab is there; you lead it (id 1)\nothers run:  p2pchat join {NDS}/lab\n",
        ),
    ],
)
@pytest.mark.parametrize("first", ["the answer", "the news"])
def test_who_enters_a_chat_is_told_so_once(talk: Talk, line: str, said: str, first: str) -> None:
    talk.begin()
    node, tell, late = talk.node, talk.node.tell, []
    if first == "the answer":
        node.tell = lambda *what: late.append(what)  # type: ignore[method-assign]
        assert talk.type(line) == f"{said}you talk in #lab now\n"
        for what in late:
            tell(*what)
        assert (len(late), talk.shown()) == (1, "")
    else:
        verb = line.partition(" ")[0][1:]
        do = getattr(node, verb)

        async def slow(*args: str) -> object:
            done = await do(*args)
            await asyncio.sleep(0.1)
            return done

        setattr(node, verb, slow)
        assert talk.type(line) == ""
        assert talk.passes(100) == f"{said}you talk in #lab now\n"


def test_what_another_face_opens_and_closes_is_told(talk: Talk) -> None:
    talk.begin()
    talk.type("/create own")
    talk.type("/chat dev")
    talk.loop.create_task(talk.node.create("lab"))
    assert talk.shown() == "#lab -- you are in #lab (id 1)\n"
    talk.loop.create_task(talk.node.leave("dev"))
    assert talk.shown() == "#dev -- you are no longer in #dev\nyou talk in #ops now\n"


@pytest.mark.parametrize("line", ["/join 10.0.0.5:50050/lab", "/create lab"])
def test_who_enters_a_chat_talks_in_it(talk: Talk, line: str) -> None:
    talk.begin()
    assert "you talk in #lab now" in talk.type(line)
    talk.type("hello")
    assert talk.node.asked("send")[-1]["chat"] == f"{3:016x}"
    assert load(talk.spot.ui)[0].current == 3


def test_leaving_says_where_one_is_then(talk: Talk) -> None:
    talk.begin()
    assert talk.type("/leave") == "you left #dev\nyou talk in #ops now\n"


def test_read_tells_the_node(talk: Talk) -> None:
    talk.begin()
    assert talk.type("/read") == ""
    assert talk.node.asked("mark_read") == [{"chat": f"{1:016x}"}]


def test_a_reply_quotes_what_it_answers(talk: Talk) -> None:
    talk.begin()
    line = talk.node.says("dev", "bob", "who broke the build?")
    talk.shown()
    talk.type(f"/reply {line.id} I did")
    assert talk.node.asked("send")[-1]["text"] == "> bob: who broke the build?\nI did"


@pytest.mark.parametrize("shown", ["", "/history", "/search broke", "/trace {id}"])
def test_a_line_of_before_the_view_is_answered_by_its_id(talk: Talk, shown: str) -> None:
    line = talk.node.past("dev", "bob", "who broke the build?", 90_000_000)
    for number in range(30):
        talk.node.past("dev", "bob", f"later {number}", 1_000)
    talk.begin()
    if shown:
        talk.type(shown.format(id=line.id))
    assert talk.type("/copy " + line.id) == "-- only the full screen can copy\n"
    talk.type(f"/reply {line.id} I did")
    assert talk.node.asked("send")[-1]["text"] == "> bob: who broke the build?\nI did"


@pytest.mark.parametrize("line", ["/reply {id} x", "/copy {id}", "/edit {id} x", "/trace {id}"])
def test_an_id_that_no_line_has_is_told_in_the_same_words_by_every_command(
    pipe: Talk, line: str
) -> None:
    pipe.begin()
    assert pipe.type(line.format(id="ffff")) == "-- There is no message ffff in #dev.\n"
    assert pipe.end() == 3
    assert not pipe.node.asked("send")


@pytest.mark.parametrize("line", ["/reply 4f2a x", "/copy 4f2a"])
def test_an_id_that_more_than_one_line_has_is_not_guessed(pipe: Talk, line: str) -> None:
    pipe.node.past("dev", "bob", "of long ago", 90_000_000, msg_id="4f2a1", id="4f2a1")
    pipe.begin()
    pipe.node.says("dev", "bob", "of now", msg_id="4f2a2", id="4f2a2")
    pipe.shown()
    assert pipe.type(line) == "-- Several messages begin with 4f2a. Give more digits.\n"
    assert pipe.end() == 2
    assert not pipe.node.asked("send")


def test_without_commands_every_line_is_text(talk: Talk) -> None:
    assert "/help" not in talk.begin(commands=False)
    talk.type("/quit")
    talk.type("//x")
    assert [sent["text"] for sent in talk.node.asked("send")] == ["/quit", "//x"]


def test_without_commands_what_is_left_when_the_chat_is_closed_goes_nowhere(pipe: Talk) -> None:
    pipe.begin(commands=False)
    pipe.type("one")
    pipe.loop.create_task(pipe.node.leave("dev"))
    assert pipe.shown().endswith("you talk in #ops now\n")
    assert pipe.type("two") + pipe.type("") + pipe.type("three") == ""
    assert pipe.end() == 3
    assert pipe.shown() == "-- 2 lines are not sent: the chat was closed here\n"
    assert [sent["text"] for sent in pipe.node.asked("send")] == ["one"]


def test_without_commands_and_without_a_chat_nothing_is_sent(pipe: Talk) -> None:
    pipe.node.towns.clear()
    pipe.begin(commands=False)
    assert pipe.type("one") == ""
    assert pipe.end() == 3
    assert pipe.shown() == "-- 1 line is not sent: you are in no chat\n"


@pytest.mark.parametrize("line", ["/nosuch", "/join", "/reply hello"])
def test_a_pipe_in_which_a_command_was_wrong_ends_as_a_wrong_usage(pipe: Talk, line: str) -> None:
    pipe.begin()
    assert pipe.type(line).startswith("-- ")
    assert pipe.end() == 2


@pytest.mark.parametrize("line", ["/quit", "/Q", "/exit"])
def test_quit_ends_the_view(talk: Talk, line: str) -> None:
    talk.begin()
    talk.type(line)
    assert talk.end() == 0
    assert talk.node.asked("leave") == []


def test_a_node_that_ends_is_told(talk: Talk) -> None:
    talk.begin()
    talk.node.dies()
    assert talk.shown() == "the node has ended\n"
    assert talk.end() == 5


@pytest.mark.parametrize("many", [1, 2])
def test_a_node_that_ends_under_a_pipe_leaves_word_of_how_far_it_got(pipe: Talk, many: int) -> None:
    pipe.begin()
    for count in range(many):
        pipe.type(f"line {count}")
    pipe.node.dies()
    lines = "1 line is" if many == 1 else "2 lines are"
    said = f"the node has ended: {lines} stored, what comes after is not sent\n"
    assert pipe.shown().endswith(said)
    assert pipe.end() == 5


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ([w.Progress("0002", "0002-2", 0, 1)], "2 lines are stored, what"),
        ([NodeLost(text="?")], "1 line is stored, of 1 more that is not known, what"),
        ([NodeDown(profile="p")], "1 line is stored, what"),
    ],
)
def test_a_line_under_way_when_the_node_ends_is_counted_by_what_the_node_tells_of_it(
    pipe: Talk, monkeypatch: pytest.MonkeyPatch, last: list[Any], said: str
) -> None:
    pipe.begin()
    pipe.type("one")

    async def slow(*_: Any, **asked: Any) -> AsyncIterator[w.Progress]:
        await asyncio.sleep(0.2)
        for one in last:
            if isinstance(one, Exception):
                raise one
            yield one

    monkeypatch.setattr(pipe.node, "send", slow)
    pipe.type("two")
    pipe.node.dies()
    shown = pipe.passes(500)
    assert shown == f"the node has ended: {said} comes after is not sent\n"
    assert pipe.end() == 5


def test_what_the_node_refuses_is_told_and_the_view_goes_on(talk: Talk) -> None:
    talk.begin()
    talk.node.answers["ping"] = NoSuchMember(name="eve", chat="dev")
    assert talk.type("/ping eve") == "-- There is no member eve in #dev.\n"
    assert "leads #dev" in talk.type("/leader")


def test_without_a_chat_one_is_told_what_to_do(talk: Talk) -> None:
    talk.node.towns.clear()
    assert talk.begin() == "you are in no chat yet; /join LINE or /create NAME, /help lists all\n"
    assert "-- you are in no chat; /join or /create one" in talk.type("hello")
    assert f"others run:  p2pchat join {NDS}/lab" in talk.type("/create lab")


def test_a_chat_that_is_not_well_is_told_at_the_start_and_when_it_is_again(talk: Talk) -> None:
    talk.node.problems = ("#dev is stalled here: The disk is full\x1b[2J",)
    assert "-- #dev is stalled here: The disk is full" in talk.begin()
    assert "\x1b" not in talk.shown()
    dev = talk.node.town("dev").chat
    talk.node.tell(ChatEvent(dev, "resumed"), "dev")
    assert talk.shown() == "#dev -- #dev goes on here\n"


def test_a_chat_that_its_nds_lists_anew_is_called_so(talk: Talk) -> None:
    talk.begin()
    talk.shown()
    dev = replace(talk.node.town("dev").chat, name="dev-0a77")
    talk.node.tell(ChatEvent(dev, "renamed"), "dev")
    talk.node.tell(ErrorEvent("LISTED_AS", "the NDS lists #dev as dev-0a77 now"), "dev")
    assert talk.shown() == "#dev -- error: the NDS lists #dev as dev-0a77 now\n"
    assert "you talk in #dev-0a77 now" in talk.type("/chat dev-0a77")
