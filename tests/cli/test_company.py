"""The demo's company over played nodes: who answers what, and what the two keys do.

tests/e2e/test_demo.py tries the same with processes, on a terminal.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import pytest

from node.cli import demo, keys
from node.cli.company import (
    AGAIN_S,
    ANSWERS,
    BACK,
    OPENING,
    PAUSE_S,
    QUESTION,
    RETURN_S,
    Company,
    answer,
)
from node.cli.render.text import width
from node.errors import NodeDown, NotStarted
from node.words import Progress
from tests.cli.app_world import World
from tests.cli.fake_node import NOON_MS, FakeNode
from tests.cli.still_loop import StillLoop

PEERS = ("alice", "bob", "carol")


def test_what_to_try_fits_into_a_screen_of_80_columns() -> None:
    lines = demo._keys_to_try(keys.bindings({}, keys.DEMO)[0])
    assert lines[3] == "2. F9 kills the leader; F2: the election"
    assert [line for line in lines if width(line) > 44] == []
    with World(80, 24) as world:
        world.node.add_chat("demo", *PEERS, "you", leader="alice")
        world.start(greeting=lines)
        world.sees(*(f"-- | {lines[0]}\n", *lines[1:]))


class Peer:
    """The node of a peer, as far as it talks."""

    def __init__(self, scene: "Scene", name: str) -> None:
        self._scene, self._name = scene, name

    async def send(self, chat: str, text: str, **_: Any) -> AsyncIterator[Progress]:
        if not self._scene.is_running(self._name):
            raise NodeDown(profile=self._name)
        self._scene.said.append((self._name, text))
        yield Progress(done=True)


class Scene:
    """You in #demo with three peers; processes that are only names."""

    def __init__(self) -> None:
        self.loop = StillLoop()
        self.you = FakeNode(lambda: NOON_MS + round((self.loop.time() - 1_000) * 1000))
        self.you.acknowledges = False
        self.chat = self.you.add_chat("demo", *PEERS, "you", leader="alice")
        self.dead: set[str] = set()
        self.killed: list[str] = []
        self.started: list[str] = []
        self.start_takes_s = 1.0
        self.cannot_start = False
        self.said: list[tuple[str, str]] = []
        self.company = Company(self, PEERS, self.you, "demo", "you", 4)  # type: ignore[arg-type]

    # ---- what of a lab is needed

    def pid(self, name: str) -> int:
        return 100 + PEERS.index(name)

    def is_running(self, name: str) -> bool:
        return name not in self.dead

    def kill(self, name: str) -> None:
        self.dead.add(name)
        self.killed.append(name)

    def client(self, name: str) -> Any:
        return Peer(self, name)

    async def start_node(self, name: str, *flags: str) -> Any:
        self.dead.discard(name)
        self.started.append(name)
        await asyncio.sleep(self.start_takes_s)
        if self.cannot_start:
            self.dead.add(name)
            raise NotStarted(text="no", log="x")
        return self.client(name)

    # ---- what the test does

    def begin(self, *, revive: bool = False) -> None:
        async def begin() -> None:
            self.company.begin(revive=revive)

        self.do(begin())
        self.passes(4 * PAUSE_S)
        assert self.said == list(OPENING)
        self.said.clear()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.finish(self.loop.create_task(work))

    def passes(self, seconds: float) -> None:
        self.loop.passes(seconds * 1000)

    def say(self, text: str, *acked_by: str) -> None:
        line = self.you.says("demo", "you", text)
        for count, nick in enumerate(acked_by, 1):
            self.you.acked("demo", line, nick, count, 3)
        self.loop.settle()

    def heard(self) -> list[tuple[str, str]]:
        """What peers say next."""
        self.passes(2 * PAUSE_S)
        said, self.said = self.said, []
        return said


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.do(made.company.end())
    made.loop.run_until_complete(made.loop.shutdown_asyncgens())
    made.loop.close()
    assert not made.loop.failures, made.loop.failures


# ---- talk --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello!", "hi you"),
        ("who leads here?", "/election shows who asked whom, and why"),
        ("Thanks", "you are welcome, you"),
        ("bye all", "bye you; /quit ends the demo and all of us"),
        ("are you there? ", QUESTION.format(you="you")),
        ("shine", ANSWERS[1].format(you="you")),
        ("", ANSWERS[1].format(you="you")),
    ],
)
def test_an_answer_fits_what_was_said(text: str, said: str) -> None:
    assert answer(text, "you", 1) == said


def test_answers_vary() -> None:
    assert len({answer("x", "you", turn) for turn in range(len(ANSWERS))}) == len(ANSWERS)
    assert answer("x", "you", len(ANSWERS)) == answer("x", "you", 0)


def test_the_first_peer_that_has_a_line_answers_it(scene: Scene) -> None:
    scene.begin()
    scene.say("hello")
    assert scene.heard() == [], "nobody has it"
    scene.say("hello", "bob", "alice", "carol")
    assert scene.heard() == [("bob", "hi you")]


def test_who_is_spoken_to_answers_if_it_lives(scene: Scene) -> None:
    scene.begin()
    scene.say("Carol: hello", "alice", "bob", "carol")
    assert scene.heard() == [("carol", "hi you")]
    scene.say("bob and carol: hello", "alice", "bob", "carol")
    assert scene.heard() == [("bob", "hi you")], "one of them"
    scene.kill("carol")
    scene.say("carol, hello", "alice", "bob")
    assert scene.heard() == [("alice", "hi you")]


def test_a_guest_is_no_peer(scene: Scene) -> None:
    scene.begin()
    scene.you.changed("demo", "guest", "joined")
    scene.say("hello", "guest")
    scene.you.says("demo", "guest", "hello")
    assert scene.heard() == []


def test_a_paste_gets_one_answer(scene: Scene) -> None:
    scene.begin()
    for number in range(40):
        scene.say(f"line {number}", "alice")
    assert len(scene.heard()) == 1
    scene.say("hello", "alice")
    assert scene.heard() == [("alice", "hi you")], "and then they answer again"


def test_lines_that_nobody_acknowledges_are_forgotten(scene: Scene) -> None:
    scene.begin()
    first = scene.you.says("demo", "you", "first")
    for number in range(40):
        scene.say(f"line {number}")
    scene.you.acked("demo", first, "bob", 1, 3)
    assert scene.heard() == []


def test_lines_of_an_earlier_life_are_not_answered(scene: Scene) -> None:
    scene.begin()
    line = scene.you.says("demo", "you", "hello", backlog=True)
    scene.you.acked("demo", line, "bob", 1, 3)
    assert scene.heard() == []


def test_a_new_leader_says_why_it_leads(scene: Scene) -> None:
    scene.begin()
    scene.kill("alice")
    scene.you.led("demo", "bob", 2, took_ms=30)
    assert scene.heard() == [
        ("bob", "alice is gone; I have the lowest id of those left, so I lead (epoch 2)")
    ]
    scene.kill("bob")
    scene.kill("carol")
    scene.you.led("demo", "you", 3, took_ms=30)
    assert scene.heard() == [], "nobody is left"


def test_of_you_a_peer_says_that_you_lead(scene: Scene) -> None:
    scene.begin()
    scene.kill("alice")
    scene.you.led("demo", "you", 2, took_ms=30)
    assert scene.heard() == [("bob", "alice is gone; you leads now")]


@pytest.mark.parametrize(
    "more", [{}, {"took_ms": 5, "provisional": True}, {"took_ms": 5, "handed_over_by": "alice"}]
)
def test_of_a_leader_that_nobody_had_to_elect_nothing_is_said(
    scene: Scene, more: dict[str, Any]
) -> None:
    scene.begin()
    scene.you.led("demo", "bob", 2, **more)
    assert scene.heard() == []


def test_a_node_that_does_not_answer_for_a_while_is_watched_again(scene: Scene) -> None:
    scene.begin()
    scene.you.dies()
    scene.passes(AGAIN_S)
    scene.you.returns()
    scene.passes(AGAIN_S)
    scene.say("hello", "alice")
    assert scene.heard() == [("alice", "hi you")]


# ---- death and return --------------------------------------------------------------------------


def test_whoever_leads_is_killed_once(scene: Scene) -> None:
    scene.begin()
    told = scene.do(scene.company.kill_leader())
    assert told == "kill -9 100: alice, who leads, is dead, without a good-bye"
    assert scene.killed == ["alice"]
    told = scene.do(scene.company.kill_leader())
    assert told == "alice is dead already; the others find that out in a moment"
    scene.you.led("demo", "bob", 2)
    assert "bob, who leads" in scene.do(scene.company.kill_leader())
    assert scene.killed == ["alice", "bob"]


def test_who_is_no_peer_is_not_killed(scene: Scene) -> None:
    scene.begin()
    scene.you.led("demo", "you", 2)
    told = scene.do(scene.company.kill_leader())
    assert told == "you lead now; only the peers can be killed here"
    scene.you.changed("demo", "guest", "joined")
    scene.you.led("demo", "guest", 3)
    told = scene.do(scene.company.kill_leader())
    assert told == "guest leads, who is no process of this demo"
    scene.you.set_chat("demo", leader_id=0, leader_nick="")
    told = scene.do(scene.company.kill_leader())
    assert told == "nobody is known to lead just now; try again in a moment"
    assert scene.killed == []


def test_the_dead_are_started_again_and_say_so(scene: Scene) -> None:
    scene.begin()
    scene.kill("alice")
    scene.kill("carol")
    told = scene.do(scene.company.bring_back())
    assert told == "started again: alice and carol; what was missed comes by itself"
    assert scene.heard() == [("alice", BACK), ("carol", BACK)]
    assert scene.do(scene.company.bring_back()) == "alice, bob and carol are all there"


def test_a_peer_on_its_way_is_not_started_twice(scene: Scene) -> None:
    scene.begin()
    scene.kill("alice")
    first = scene.loop.create_task(scene.company.bring_back())
    scene.loop.settle()
    scene.kill("alice")  # once more, before it was there
    assert scene.do(scene.company.bring_back()) == "on the way already: alice"
    scene.loop.finish(first)
    assert scene.started == ["alice"]


def test_a_peer_that_does_not_start_can_be_tried_again(scene: Scene) -> None:
    scene.begin()
    scene.kill("alice")
    scene.cannot_start = True
    with pytest.raises(NotStarted):
        scene.do(scene.company.bring_back())
    scene.cannot_start = False
    assert "started again: alice" in scene.do(scene.company.bring_back())


def test_without_keys_the_dead_return_by_themselves(scene: Scene) -> None:
    scene.begin(revive=True)
    scene.kill("bob")
    scene.cannot_start = True
    scene.passes(AGAIN_S + RETURN_S + scene.start_takes_s)
    assert scene.dead == {"bob"}
    scene.cannot_start = False
    scene.passes(AGAIN_S + RETURN_S + scene.start_takes_s)
    assert scene.dead == set()


def test_with_keys_they_stay_dead(scene: Scene) -> None:
    scene.begin()
    scene.kill("bob")
    scene.passes(10 * RETURN_S)
    assert scene.started == []
