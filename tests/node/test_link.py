"""Tries node/rpc/link.py: two ends with a wire between them that the test holds in its hands."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from node.codec import AskWriter, Hello, Malformed
from node.codec.frames import Answer, Asked, Frame, read_frame
from node.codec.sealing import Seals
from node.core import messages as core
from node.core.messages import Ping, Refusal, Reply, Request
from node.core.reasons import Reason
from node.core.types import Key, Silence
from node.limits import Limits
from node.rpc import Link, budget, link
from node.runner import Silenced, Unanswered
from node.trust import keys
from tests.node.village import REPLIES, Answerer
from tests.node.wire_values import CALLER, EXAMPLES, MESSAGE, REPLY_OF, ROSTER, TELL, VIEW
from tests.sealing import Sealer
from tests.waiting import WAIT_S

PING = next(one for one in EXAMPLES if isinstance(one, Ping))


class Desk(Answerer):
    """Answers as `script` says, once `gate` is open."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.callers: list[bytes | None] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.script: Callable[[Request], Reply | Refusal] = lambda request: REPLIES[
            REPLY_OF[type(request)]
        ]

    async def answer(self, request: Request, certificate: bytes | None) -> Reply | Refusal:
        self.seen.append(request)
        self.callers.append(certificate)
        await self.gate.wait()
        return self.script(request)


class End:
    """One end of a link, and the frames that come to it."""

    def __init__(
        self, address: str, certificate: bytes | None = None, seals: Seals | None = None
    ) -> None:
        """`certificate`: of the other side."""
        self.desk = Desk()
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.written: list[bytes] = []
        self.hellos: list[Hello] = []
        self.late: list[int] = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.other: End | None = None
        own, limits = (address,), Limits()
        self.link = Link(
            self._write,
            self.desk,
            AskWriter(seals),
            own,
            limits,
            self._greeted,
            self._late,
            certificate,
        )
        self.run = asyncio.create_task(self.link.run(self._frames()))

    def _late(self, link: Link, ms: int) -> None:
        assert link is self.link
        self.late.append(ms)

    def _greeted(self, link: Link, hello: Hello) -> None:
        assert link is self.link
        self.hellos.append(hello)

    async def _write(self, data: bytes) -> None:
        await self.flowing.wait()
        self.written.append(data)
        assert self.other is not None
        self.other.frames.put_nowait(data)

    async def _frames(self) -> AsyncIterator[bytes]:
        while (data := await self.frames.get()) is not None:
            yield data


@pytest.fixture
async def ends() -> AsyncIterator[tuple[End, End]]:
    one, two = End("127.0.0.1:1", b"of two"), End("127.0.0.1:2")
    one.other, two.other = two, one
    yield one, two
    for end in (one, two):
        end.flowing.set()
        end.desk.gate.set()
        end.frames.put_nowait(None)
        await asyncio.wait([end.run])


async def passing(what: Callable[[], Any]) -> None:
    """Lets the loop turn until it is so."""
    async with asyncio.timeout(WAIT_S):
        while not what():  # noqa: ASYNC110  both ends run on this loop
            await asyncio.sleep(0)


def tell(seq: int, text: str = "hello") -> core.Tell:
    key = Key(MESSAGE.key.source, MESSAGE.key.stream, seq)
    return core.Tell(CALLER, 1_000_001, (replace(MESSAGE, key=key, texts=(text,)),))


async def test_both_ends_say_who_they_are_and_ask(ends: tuple[End, End]) -> None:
    one, two = ends
    for asking, asked in ((one, two), (two, one)):
        assert await asking.link.ask(PING, 5_000) == REPLIES[core.Pong]
        assert asked.desk.seen == [PING]
    assert [hello.addresses for hello in one.hellos] == [("127.0.0.1:2",)]
    assert [hello.addresses for hello in two.hellos] == [("127.0.0.1:1",)]


async def test_a_group_is_told_the_certificate_of_the_link_that_it_is_asked_over(
    ends: tuple[End, End],
) -> None:
    one, two = ends
    await one.link.ask(TELL, 5_000)
    await two.link.ask(TELL, 5_000)
    assert (one.desk.callers, two.desk.callers) == ([b"of two"], [None])


async def test_what_lets_in_is_sealed_in_what_is_asked_and_answered() -> None:
    caller = replace(CALLER, callee=1_000_009)
    own = {caller.node: keys.make(), caller.callee: keys.make()}
    one, two = (End("a:1", seals=Sealer(each, lambda m: own[m].card)) for each in own.values())
    one.other, two.other = two, one
    update = core.Update(caller, ROSTER, want_roster=True)
    updated = core.Updated(ROSTER, VIEW)
    two.desk.script = lambda _: updated
    assert await one.link.ask(update, 5_000) == updated
    assert two.desk.seen == [update]
    for end in (one, two):
        assert not any(key.secret in data for key in ROSTER.claim_keys for data in end.written)
        end.frames.put_nowait(None)
        await asyncio.wait([end.run])


async def test_a_refusal_is_an_answer(ends: tuple[End, End]) -> None:
    one, two = ends
    refusal = Refusal(Reason.OLD_INCARNATION, "there is a later life of yours")
    two.desk.script = lambda _: refusal
    assert await one.link.ask(TELL, 5_000) == refusal


async def test_no_answer_says_nothing_definite(ends: tuple[End, End]) -> None:
    one, two = ends

    def fail(_: Request) -> Reply:
        raise Unanswered("the group has stopped")

    two.desk.script = fail
    said = Silenced(Silence.SILENT, "ABORTED: the group has stopped")
    assert await one.link.ask(TELL, 5_000) == said


async def test_what_a_group_does_not_answer_is_given_up(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = ends
    monkeypatch.setattr(link, "ANSWER_S", 0.01)
    two.desk.gate.clear()
    said = Silenced(Silence.SILENT, "DEADLINE_EXCEEDED: the group gave no answer")
    assert await asyncio.gather(*(one.link.ask(tell(seq), 5_000) for seq in (1, 2))) == [said] * 2
    two.desk.gate.set()
    assert await one.link.ask(PING, 5_000) == REPLIES[core.Pong], "what comes too late is not said"


async def test_what_waits_goes_out_together_and_urgent_calls_first(ends: tuple[End, End]) -> None:
    one, _ = ends
    await one.link.ask(PING, 5_000)
    one.flowing.clear()
    first = asyncio.create_task(one.link.ask(tell(1), 5_000))
    await passing(lambda: one.link.asking == 1 and not one.link._bulk)  # It is being written.
    rest = [asyncio.create_task(one.link.ask(tell(seq), 5_000)) for seq in (2, 3)]
    urgent = asyncio.create_task(one.link.ask(PING, 5_000))
    await passing(lambda: one.link.asking == 4)
    frames = len(one.written)
    one.flowing.set()
    await asyncio.gather(first, *rest, urgent)
    alone, together = (read_frame(data, Limits()) for data in one.written[frames:])
    assert [asked.request for asked in alone.asked] == [tell(1)]
    assert [asked.request for asked in together.asked] == [PING, tell(2), tell(3)]


def lines(first: int, count: int) -> core.Tell:
    messages = (message for seq in range(first, first + count) for message in tell(seq).messages)
    return replace(tell(first), messages=tuple(messages))


async def said(end: End, request: core.Tell) -> float:
    """How long the acknowledgement of these lines took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await end.link.ask(request, 5_000) == REPLIES[core.Told]
    return loop.time() - began


async def test_lines_that_pour_in_are_acknowledged_together(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "BUSY_S", 5.0)
    one, two = ends
    await said(one, lines(1, 2))
    await passing(lambda: len(two.written) == 2)  # its hello, and this
    later = [asyncio.create_task(said(one, lines(seq, 2))) for seq in (3, 5)]
    assert min(await asyncio.gather(*later)) >= link.HELD_S
    answers = [len(read_frame(data, Limits()).answers) for data in two.written]
    assert answers == [0, 1, 2]


async def test_what_is_held_back_goes_with_what_else_goes(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "BUSY_S", 5.0)
    monkeypatch.setattr(link, "HELD_S", 5.0)
    one, two = ends
    await said(one, lines(1, 2))
    held = asyncio.create_task(said(one, lines(3, 2)))
    await passing(lambda: two.link._held)
    assert await two.link.ask(tell(9), 5_000) == REPLIES[core.Told]
    assert await held < 1
    last = read_frame(two.written[-1], Limits())
    assert [len(last.answers), len(last.asked)] == [1, 1]


async def test_lines_one_by_one_and_lines_now_and_then_are_acknowledged_at_once(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "HELD_S", 5.0)
    one, _ = ends
    took = [await said(one, tell(seq)) for seq in range(1, 9)]
    monkeypatch.setattr(link, "BUSY_S", 0.0)
    took += [await said(one, lines(seq, 2)) for seq in range(9, 15, 2)]
    assert max(took) < 1


@pytest.mark.parametrize("writes", [False, True])
async def test_what_is_held_back_is_not_lost_when_the_other_side_ends(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch, *, writes: bool
) -> None:
    monkeypatch.setattr(link, "BUSY_S", 5.0)
    monkeypatch.setattr(link, "HELD_S", 5.0)
    one, two = ends
    await said(one, lines(1, 2))
    if writes:
        two.flowing.clear()
        asking = asyncio.create_task(two.link.ask(PING, 5_000))
        await passing(lambda: two.link.asking and not two.link._urgent)
    held = asyncio.create_task(said(one, lines(3, 2)))
    await passing(lambda: two.link._held)
    two.frames.put_nowait(None)
    await passing(lambda: two.link._closing)
    two.flowing.set()
    assert await held < 1
    if writes:
        await asking


async def test_a_call_that_is_over_does_not_go_out(ends: tuple[End, End]) -> None:
    one, two = ends
    await one.link.ask(PING, 5_000)
    one.flowing.clear()
    first = asyncio.create_task(one.link.ask(tell(1), 5_000))
    await passing(lambda: one.link.asking == 1 and not one.link._bulk)
    late = await one.link.ask(tell(2), 1)
    assert late == Silenced(Silence.SILENT, "DEADLINE_EXCEEDED: no answer on the link")
    one.flowing.set()
    await first
    await one.link.ask(PING, 5_000)
    assert tell(2) not in two.desk.seen


async def test_a_link_is_doubtful_from_a_deadline_until_something_comes(
    ends: tuple[End, End],
) -> None:
    one, two = ends
    await one.link.ask(PING, 5_000)
    two.flowing.clear()
    assert isinstance(await one.link.ask(PING, 1), Silenced)
    assert one.link.doubtful
    two.flowing.set()
    await passing(lambda: not one.link.doubtful)
    assert len(one.late) == 1, "and is told how late its answer came"
    assert one.late[0] >= 0
    await one.link.ask(PING, 5_000)
    assert len(one.late) == 1


async def test_a_link_on_which_something_comes_is_slow_and_not_doubtful(
    ends: tuple[End, End],
) -> None:
    one, two = ends
    two.desk.gate.clear()
    slow = asyncio.create_task(one.link.ask(TELL, 300))
    await passing(lambda: two.desk.seen == [TELL])
    await two.link.ask(PING, 5_000)
    assert isinstance(await slow, Silenced)
    assert not one.link.doubtful
    two.desk.gate.set()


async def test_answers_may_overtake_each_other(ends: tuple[End, End]) -> None:
    one, two = ends
    two.desk.gate.clear()
    slow = asyncio.create_task(one.link.ask(TELL, 5_000))
    await passing(lambda: two.desk.seen == [TELL])
    two.desk.gate.set()
    two.desk.gate = asyncio.Event()
    two.desk.gate.set()
    assert await one.link.ask(PING, 5_000) == REPLIES[core.Pong]
    await slow


async def test_when_the_other_side_ends_calls_under_way_have_no_answer(
    ends: tuple[End, End],
) -> None:
    one, two = ends
    two.desk.gate.clear()
    waiting = asyncio.create_task(one.link.ask(TELL, 5_000))
    await passing(lambda: two.desk.seen)
    one.frames.put_nowait(None)
    assert await waiting is None
    await one.run
    assert await one.link.ask(PING, 5_000) is None, "an ended link takes no calls"


async def test_who_ends_its_side_is_answered_to_the_end(ends: tuple[End, End]) -> None:
    one, two = ends
    two.desk.gate.clear()
    waiting = asyncio.create_task(one.link.ask(TELL, 5_000))
    await passing(lambda: two.desk.seen)
    two.frames.put_nowait(None)  # as `one` would by half-closing
    await asyncio.sleep(0)
    two.desk.gate.set()
    assert await waiting == REPLIES[core.Told]
    await two.run


async def test_noise_ends_the_link(ends: tuple[End, End]) -> None:
    one, _ = ends
    one.frames.put_nowait(b"\xff\xff")
    with pytest.raises(Malformed, match=r"2 bytes are no p2pchat\.v1\.Frame"):
        await one.run


async def test_a_peer_that_reads_no_more_costs_so_much(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = ends
    monkeypatch.setattr(link, "QUEUE_BYTES_MAX", 1_000)
    await one.link.ask(PING, 5_000)
    one.flowing.clear()
    many = [asyncio.create_task(one.link.ask(tell(seq, "x" * 400), 5_000)) for seq in range(1, 5)]
    await passing(lambda: one.link._queued > 1_000)
    refused = await one.link.ask(tell(9), 5_000)
    assert isinstance(refused, Silenced)
    assert refused.status.startswith("RESOURCE_EXHAUSTED: ")
    urgent = asyncio.create_task(one.link.ask(PING, 5_000))
    one.flowing.set()
    assert await urgent == REPLIES[core.Pong], "pings are never held up"
    await asyncio.gather(*many)


async def test_who_asks_too_much_at_once_is_not_read_on(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = ends
    monkeypatch.setattr(link, "ASKED_MAX", 3)
    two.desk.gate.clear()
    asking = []
    for seq in range(1, 9):
        asking.append(asyncio.create_task(one.link.ask(tell(seq), 5_000)))
        await passing(lambda: one.link.asking == len(asking) and not one.link._bulk)
    await passing(lambda: two.frames.qsize() == 5)
    assert len(two.desk.seen) == 3
    two.desk.gate.set()
    await asyncio.gather(*asking)
    assert len(two.desk.seen) == 8


async def test_a_call_that_makes_no_sense_is_refused_and_the_link_goes_on(
    ends: tuple[End, End],
) -> None:
    one, two = ends
    wrong = core.Tell(CALLER, 0, TELL.messages)
    outcome = await one.link.ask(wrong, 5_000)
    assert isinstance(outcome, Refusal)
    assert outcome.reason == Reason.BAD_FIELD
    assert "messages.destination_id" in outcome.text
    assert await one.link.ask(TELL, 5_000) == REPLIES[core.Told]
    assert two.desk.seen == [TELL]


async def test_a_flood_is_read_slowly_and_said_once(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its other end can write no more than is read."""
    one, two = ends
    monkeypatch.setattr(budget, "FLOOD_S", 0.2)
    two.link.pace._lines = budget.Buckets(budget.Rate(1_000, 100), 1)
    floods: list[link.Link] = []
    two.link.on_flood = floods.append
    hundred = replace(tell(1), messages=tuple(tell(n).messages[0] for n in range(1, 101)))
    began = asyncio.get_running_loop().time()
    for _ in range(6):
        await one.link.ask(hundred, 10_000)
    took = asyncio.get_running_loop().time() - began
    assert took > 0.35, "the first hundred at once, the last is answered, each other waits"
    assert two.link.pace.held_s > 0.35
    assert floods == [two.link]
    assert one.link.pace.held_s == 0, "answers are nobody's flood"


async def test_a_flood_of_long_answers_is_read_slowly_too(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were asked for, as a roster is of whoever names another hash, again and again."""
    one, two = ends
    monkeypatch.setattr(budget, "FLOOD_S", 0.2)
    one.link.pace._lines = budget.Buckets(budget.Rate(1_000, 100), 1)
    floods: list[link.Link] = []
    one.link.on_flood = floods.append
    records = tuple(replace(ROSTER.members[0], id=id) for id in range(1, 101))
    two.desk.script = lambda _: core.Updated(core.Roster(records), VIEW)
    update = next(one for one in EXAMPLES if isinstance(one, core.Update))
    for _ in range(3):
        await one.link.ask(update, 10_000)
    assert one.link.pace.held_s > 0.2
    assert floods == [one.link]


async def test_answers_to_what_nobody_has_asked_are_counted(ends: tuple[End, End]) -> None:
    one, _ = ends
    answers = [Answer(id, REPLIES[core.Told]) for id in range(1_000, 1_100)]
    assert one.link._take(Frame(None, [], answers)) == 100
    ping, told = Asked(1, "ping", PING), Asked(2, "messages", tell(1), 7)
    assert one.link._take(Frame(None, [ping, told], [])) == 8


async def test_calls_that_make_no_sense_are_counted_against_who_makes_them(
    ends: tuple[End, End],
) -> None:
    one, two = ends
    seen: list[float] = []
    two.link.pace.senseless = seen.append  # type: ignore[method-assign]
    two.desk.script = lambda _: Refusal(Reason.UNKNOWN_CHAT, "this node is not in that chat")
    await one.link.ask(TELL, 5_000)
    assert len(seen) == 1
    two.desk.script = lambda _: Refusal(Reason.OLD_INCARNATION, "there is a later life of yours")
    await one.link.ask(TELL, 5_000)
    assert len(seen) == 1
    await one.link.ask(tell(1, "x" * 70_000), 5_000)
    assert len(seen) == 2, "it is malformed"
