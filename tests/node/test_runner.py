"""Tries node/runner.py: what is stored before what, and what becomes of a group whose log fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from node import runner
from node.archive import MemoryArchive
from node.core.effects import (
    Ask,
    Call,
    Dropped,
    Effect,
    Respond,
    Serve,
    Store,
    StoreMessages,
    StoreMeta,
)
from node.core.events import (
    Answered,
    Burst,
    Challenged,
    Event,
    Failed,
    Leaving,
    Received,
    Started,
    Submitted,
    Woken,
)
from node.core.messages import LeaveNoted, Lookup, Ping, RecordRead, Refusal, Synced, Told
from node.core.reasons import Reason
from node.core.types import Key, Millis, Silence
from node.errors import DiskFailed, DiskFull
from node.runner import Runner, Silenced, Unanswered, now_ms
from node.tasks import Tasks
from tests.node.test_archive import META, line
from tests.node.wire_values import CALLER, ID, JOIN, NETWORK, TELL, VIEW
from tests.waiting import WAIT_S

TOLD = Told(1, ID, 1_000_001)  # type: ignore[arg-type]


class FakeGroup:
    """Answers each event with what the test's `script` says."""

    def __init__(self) -> None:
        self.seen: list[tuple[Millis, Event]] = []
        self.script: Callable[[Event], list[Effect]] = lambda event: []
        self.deadline: Millis | None = None

    def handle(self, now: Millis, event: Event) -> list[Effect]:
        self.seen.append((now, event))
        return self.script(event)

    @property
    def events(self) -> list[Event]:
        return [event for _, event in self.seen]


class LoggingArchive(MemoryArchive):
    def __init__(self, log: list[Any]) -> None:
        super().__init__()
        self.log = log
        self.fails = False

    def append(self, stores: Sequence[Store]) -> None:
        if self.fails:
            raise DiskFull(file="a.db")
        super().append(stores)
        self.log.append(("stored", list(stores)))

    def read(self, keys: Sequence[Key]) -> Any:
        if self.fails:
            raise DiskFailed(file="a.db", text="disk gone")
        return super().read(keys)


class Scene:
    """A runner with a fake group; `log` has what it did to the world, in order."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.crashes: list[BaseException] = []
        self.tasks = Tasks(lambda _, error: self.crashes.append(error))
        self.group = FakeGroup()
        self.archive = LoggingArchive(self.log)
        self.outcome: Any = TOLD
        self.holding: asyncio.Event | None = None
        self.is_linked = False
        self.runner = Runner(
            self.group,
            self.archive,
            peers=self,
            nds=self,
            notify=self.log.extend,
            tasks=self.tasks,
        )

    async def call(self, address: str, certificate: bytes, request: Any, deadline_ms: int) -> Any:
        self.log.append(("call", address, certificate, request, deadline_ms))
        if self.holding is not None:
            await self.holding.wait()
        return self.outcome

    def begin(
        self,
        address: str,
        certificate: bytes,
        request: Any,
        deadline_ms: int,
        then: Callable[[Any], None],
    ) -> bool:
        if self.is_linked:
            self.log.append(("begin", address, certificate, request, deadline_ms))
            then(self.outcome)
        return self.is_linked

    async def ask(self, request: Any, deadline_ms: int) -> Any:
        self.log.append(("ask", request, deadline_ms))
        return self.outcome

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not met():  # noqa: ASYNC110  it waits for no one event
                await asyncio.sleep(0.001)

    async def settle(self) -> None:
        """Let everything run that can run without time passing."""
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    await made.runner.stop()
    await made.tasks.close()


async def test_a_group_starts_with_started(scene: Scene) -> None:
    scene.runner.start(Leaving())
    await scene.settle()
    assert [type(event) for event in scene.group.events] == [Started, Leaving]


async def test_one_turn_takes_all_that_waits_with_one_now_and_one_commit(scene: Scene) -> None:
    scene.group.script = lambda event: [StoreMeta(META), Dropped("x")]
    for _ in range(3):
        scene.runner.post(Challenged())
    await scene.settle()
    assert len({now for now, _ in scene.group.seen}) == 1
    assert scene.log == [("stored", [StoreMeta(META)] * 3), *[Dropped("x")] * 3]


async def test_lines_that_come_one_after_the_other_are_one_event(scene: Scene) -> None:
    a, b, c = (Submitted(text, text, 1) for text in "abc")
    for event in (a, b, Challenged(), c):
        scene.runner.post(event)
    await scene.settle()
    assert scene.group.events == [Burst((a, b)), Challenged(), c]


async def test_nothing_is_done_before_it_is_stored(scene: Scene) -> None:
    message = line(1)

    def script(event: Event) -> list[Effect]:
        match event:
            case Received(call, _):
                return [
                    Call(1, 2, "h:1", TELL, 600, b"theirs"),
                    Respond(call, TOLD),
                    Dropped("late"),
                    StoreMessages((message,)),
                ]
        return []

    scene.group.script = script
    assert await scene.runner.answer(TELL) == TOLD
    await scene.settle()
    assert scene.log == [
        ("stored", [StoreMessages((message,))]),
        Dropped("late"),
        ("call", "h:1", b"theirs", TELL, 600),
    ]


async def test_answers_and_failures_come_back_under_the_name_of_their_call(scene: Scene) -> None:
    scene.group.script = lambda event: (
        [Call(7, 2, "h:1", TELL, 600, b"theirs")] if event == Challenged() else []
    )
    scene.runner.post(Challenged())
    await scene.settle()
    scene.outcome = Refusal(Reason.LEFT)
    scene.runner.post(Challenged())
    await scene.settle()
    scene.outcome = Silenced(Silence.REFUSED, "nobody")
    scene.runner.post(Challenged())
    await scene.settle()
    assert [event for event in scene.group.events if event != Challenged()] == [
        Answered(7, TOLD),
        Answered(7, Refusal(Reason.LEFT)),
        Failed(7, Silence.REFUSED, "nobody"),
    ]


async def test_the_discovery_service_is_asked(scene: Scene) -> None:
    lookup = Lookup(7)
    scene.group.script = lambda event: [Ask(9, lookup, 250)] if event == Challenged() else []
    scene.outcome = RecordRead(NETWORK)
    scene.runner.post(Challenged())
    await scene.settle()
    assert scene.log == [("ask", lookup, 250)]
    assert scene.group.events[-1] == Answered(9, RecordRead(NETWORK))


async def test_catch_up_is_served_from_the_log(scene: Scene) -> None:
    scene.archive.append([StoreMessages((line(1), line(2)))])
    keys = (line(2).key, line(9).key, line(1).key)
    scene.group.script = lambda event: (
        [Serve(event.call, Synced(VIEW, more=True), keys)] if isinstance(event, Received) else []
    )
    answer = await scene.runner.answer(TELL)
    assert answer == Synced(VIEW, messages=(line(2), line(1)), more=True)


async def test_who_came_later_is_served_the_order_of_before_and_no_text(scene: Scene) -> None:
    lines = line(1, at=7), line(2, at=8)
    scene.archive.append([StoreMessages(lines)])
    keys = tuple(one.key for one in lines)
    scene.group.script = lambda event: (
        [Serve(event.call, Synced(VIEW), keys, 8)] if isinstance(event, Received) else []
    )
    answer = await scene.runner.answer(TELL)
    assert answer == Synced(VIEW, messages=(lines[0].without((0,)), lines[1]))


async def test_a_group_is_told_with_which_certificate_it_is_asked(scene: Scene) -> None:
    scene.group.script = lambda event: (
        [Respond(event.call, TOLD)] if isinstance(event, Received) else []
    )
    await scene.runner.answer(TELL, b"theirs")
    await scene.runner.answer(TELL)
    asked = [event for event in scene.group.events if isinstance(event, Received)]
    assert [event.certificate for event in asked] == [b"theirs", None]


async def test_an_answer_may_come_later(scene: Scene) -> None:
    answer = asyncio.create_task(scene.runner.answer(TELL))
    await scene.settle()
    (received,) = scene.group.events
    assert isinstance(received, Received)
    scene.group.script = lambda event: [Respond(received.call, TOLD), Respond(received.call, TOLD)]
    scene.runner.post(Challenged())
    assert await answer == TOLD
    await scene.settle()
    assert scene.crashes == []


async def test_the_answer_to_a_caller_that_is_gone_is_dropped(scene: Scene) -> None:
    answer = asyncio.create_task(scene.runner.answer(TELL))
    await scene.settle()
    answer.cancel()
    await scene.settle()
    scene.group.script = lambda event: [Respond(1, TOLD), Dropped("went on")]
    scene.runner.post(Challenged())
    await scene.settle()
    assert scene.log == [Dropped("went on")]
    assert scene.runner._answers == {}
    assert scene.crashes == []


async def test_each_request_has_a_call_of_its_own(scene: Scene) -> None:
    scene.group.script = lambda event: (
        [Respond(event.call, LeaveNoted(VIEW))] if isinstance(event, Received) else []
    )
    await asyncio.gather(*(scene.runner.answer(TELL) for _ in range(5)))
    assert len({event.call for event in scene.group.events if isinstance(event, Received)}) == 5


async def test_too_many_waiting_requests_are_not_taken_but_pings_are(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "ANSWERS_MAX", 2)
    waiting = [asyncio.create_task(scene.runner.answer(TELL)) for _ in range(2)]
    await scene.settle()
    with pytest.raises(Unanswered, match="2 requests"):
        await scene.runner.answer(TELL)
    ping = asyncio.create_task(scene.runner.answer(Ping(CALLER, VIEW)))
    await scene.settle()
    assert len(scene.group.events) == 3
    await scene.runner.stop()
    results = await asyncio.gather(*waiting, ping, return_exceptions=True)
    assert all(isinstance(result, Unanswered) for result in results)


async def test_the_group_is_woken_at_its_deadline_and_never_early(scene: Scene) -> None:
    def script(event: Event) -> list[Effect]:
        if len(scene.group.seen) < 20:
            scene.group.deadline = now_ms() + 3
            due.append(scene.group.deadline)
        else:
            scene.group.deadline = None
        return []

    due: list[Millis] = []
    scene.group.script = script
    scene.runner.post(Challenged())
    await scene.until(lambda: len(scene.group.seen) == 20)
    woken = [(now, event) for now, event in scene.group.seen if event == Woken()]
    assert len(woken) == 19
    for (now, _), deadline in zip(woken, due, strict=True):
        assert now >= deadline


async def test_a_timer_that_rings_early_is_not_believed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = scene.group.deadline = now_ms() + 2
    early = iter([due - 2, due - 1, due - 1])
    monkeypatch.setattr(runner, "now_ms", lambda: next(early, due))

    def script(event: Event) -> list[Effect]:
        if event == Woken():
            scene.group.deadline = None
        return []

    scene.group.script = script
    scene.runner.post(Challenged())
    await scene.until(lambda: Woken() in scene.group.events)
    assert [now for now, event in scene.group.seen if event == Woken()] == [due]


@pytest.fixture
async def faults() -> AsyncIterator[list[Any]]:
    """What the loop tells of while this lives."""
    found: list[Any] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, fault: found.append(fault))
    yield found
    loop.set_exception_handler(before)


async def test_a_deadline_that_moves_away_wakes_later_and_once(
    scene: Scene, faults: list[Any]
) -> None:
    scene.group.deadline = now_ms() + 2
    scene.runner.post(Challenged())
    await scene.settle()
    later = scene.group.deadline = now_ms() + 8

    def script(event: Event) -> list[Effect]:
        if event == Woken():
            scene.group.deadline = None
        return []

    scene.group.script = script
    scene.runner.post(Challenged())
    await scene.until(lambda: Woken() in scene.group.events)
    await asyncio.sleep(0.005)
    (woken,) = [now for now, event in scene.group.seen if event == Woken()]
    assert woken >= later
    assert faults == []


async def test_a_deadline_that_moves_wakes_once(scene: Scene) -> None:
    scene.group.deadline = now_ms() + 60_000
    scene.runner.post(Challenged())
    await scene.settle()
    scene.group.deadline = now_ms() + 2

    def script(event: Event) -> list[Effect]:
        if event == Woken():
            scene.group.deadline = None
        return []

    scene.group.script = script
    scene.runner.post(Challenged())
    await scene.until(lambda: Woken() in scene.group.events)
    await scene.settle()
    assert scene.group.events.count(Woken()) == 1


# ---- when something fails ----------------------------------------------------------------------


async def test_a_log_that_fails_stops_the_group_before_anything_is_said(scene: Scene) -> None:
    def script(event: Event) -> list[Effect]:
        match event:
            case Received(call, _):
                return [
                    StoreMessages((line(1),)),
                    Respond(call, TOLD),
                    Call(1, 2, "h:1", TELL, 600, b"theirs"),
                    Dropped("shown"),
                ]
        return []

    scene.group.script = script
    scene.group.deadline = now_ms() + 1
    scene.archive.fails = True
    with pytest.raises(Unanswered):
        await scene.runner.answer(TELL)
    (halted,) = scene.log
    assert scene.runner.halted is halted
    assert (halted.reason, type(halted.complaint)) == ("DISK_FULL", DiskFull)
    assert "a.db" in halted.text
    scene.archive.fails = False
    scene.runner.post(Challenged())
    await scene.settle()
    assert len(scene.group.seen) == 1
    assert scene.crashes == []


async def test_a_group_whose_log_failed_is_as_good_as_gone_to_the_others(scene: Scene) -> None:
    scene.group.script = lambda event: [StoreMeta(META)]
    scene.archive.fails = True
    scene.runner.post(Challenged())
    await scene.settle()
    refusal = await scene.runner.answer(TELL)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == Reason.UNKNOWN_CHAT, "nobody is there: who leads is replaced at once"
    with pytest.raises(Unanswered, match="stopped"):  # but the chat is: whoever wants in asks on
        await scene.runner.answer(JOIN)


async def test_a_log_that_cannot_be_read_stops_the_group(scene: Scene) -> None:
    scene.group.script = lambda event: (
        [Serve(event.call, Synced(VIEW), (line(1).key,))] if isinstance(event, Received) else []
    )
    scene.archive.fails = True
    with pytest.raises(Unanswered):
        await scene.runner.answer(TELL)
    (halted,) = scene.log
    assert (halted.reason, type(halted.complaint)) == ("DISK_FAILED", DiskFailed)
    assert "disk gone" in halted.text


async def test_a_bug_in_the_group_is_a_crash_of_the_node(scene: Scene) -> None:
    def script(event: Event) -> list[Effect]:
        raise AssertionError("epoch went back")

    scene.group.script = script
    with pytest.raises(Unanswered):
        await scene.runner.answer(TELL)
    assert [str(error) for error in scene.crashes] == ["epoch went back"]
    scene.runner.post(Challenged())
    await scene.settle()
    assert len(scene.group.seen) == 1


async def test_a_call_that_can_go_by_a_link_costs_no_task(scene: Scene) -> None:
    scene.is_linked = True
    scene.group.script = lambda event: (
        [Call(7, 2, "h:1", TELL, 600, b"theirs")] if event == Challenged() else []
    )
    scene.runner.post(Challenged())
    await scene.settle()
    assert [entry for entry in scene.log if entry[0] in ("begin", "call")] == [
        ("begin", "h:1", b"theirs", TELL, 600)
    ]
    assert scene.group.seen[-1][1] == Answered(7, TOLD)


async def test_a_bug_in_a_port_is_a_crash_of_the_node(scene: Scene) -> None:
    async def call(*_: Any) -> Any:
        raise KeyError("lost")

    scene.call = call  # type: ignore[method-assign]
    scene.group.script = lambda event: (
        [Call(7, 2, "h:1", TELL, 600, b"theirs")] if event == Challenged() else []
    )
    scene.runner.post(Challenged())
    await scene.settle()
    assert [type(error) for error in scene.crashes] == [KeyError]


async def test_stopping_gives_calls_up_and_ends_the_timer(scene: Scene) -> None:
    scene.holding = asyncio.Event()
    scene.group.script = lambda event: [Call(7, 2, "h:1", TELL, 600, b"theirs")]
    scene.group.deadline = now_ms() + 60_000  # far enough for any machine; nobody waits for it
    scene.runner.post(Challenged())
    await scene.settle()
    timer = scene.runner._timer
    assert timer is not None
    await scene.runner.stop()
    scene.holding.set()
    await scene.settle()
    assert timer.cancelled()
    assert scene.group.events == [Challenged()]
    assert not scene.runner._calls
