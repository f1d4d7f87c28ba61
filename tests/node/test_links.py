"""Tries the links of node/peers.py: who opens them, what goes over them, and how they end."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from node import peers
from node.codec import method_of
from node.core import messages as core
from node.core.messages import Ping, Receipt, Refusal, Reply, Request, Told
from node.core.reasons import Reason
from node.core.types import Key, Silence
from node.peers import Links
from node.rpc import CallLog, Line, Mismatched
from node.rpc.line import CLOSED
from node.rpc.options import grpc
from node.runner import Silenced
from node.service import Desk, NodeService, build_server
from node.tasks import Tasks
from tests.node.holder import Holder
from tests.node.village import REPLIES, Village
from tests.node.wire_values import CALLER, EXAMPLES, JOIN, MESSAGE, REPLY_OF, TELL
from tests.waiting import CALL_S, WAIT_S

PING = next(one for one in EXAMPLES if isinstance(one, Ping))
ID = "0f8fad5b-d9cb-469f-a165-7086772895{:02x}"


def several(count: int) -> core.Tell:
    key = MESSAGE.key
    messages = tuple(
        replace(MESSAGE, key=Key(key.source, key.stream, seq), ids=(ID.format(seq),))
        for seq in range(1, count + 1)
    )
    return core.Tell(CALLER, 1_000_001, messages)


class House(Village):
    """A node as far as others can call it, with a key of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.holder = Holder()
        self.crashes: list[BaseException] = []
        self.late: list[tuple[str, int]] = []
        self.address = ""
        self.linkable, self.mute = True, False
        self.asked_for_links = 0

    async def build(self, port: int = 0) -> None:
        self.tasks = Tasks(lambda _, error: self.crashes.append(error))
        desk = Desk(self)
        self.log = CallLog()
        transport = self.holder.transport
        self.links = Links(
            self.tasks,
            self.log,
            self.broken.append,
            desk,
            lambda: (self.address,),
            self._late,
            transport,
        )
        self.service = NodeService(desk, self, transport)
        self.server, port = await build_server(f"127.0.0.1:{port}", [self.service], transport)
        self.address = f"127.0.0.1:{port}"
        await self.server.start()

    def _late(self, address: str, ms: int) -> None:
        self.late.append((address, ms))

    async def accept(
        self,
        frames: AsyncIterator[bytes],
        write: Callable[[bytes], Awaitable[None]],
        certificate: bytes | None,
    ) -> None:
        self.asked_for_links += 1
        if not self.linkable:
            raise Mismatched("0.1")
        if self.mute:
            await asyncio.Event().wait()
        await self.links.accept(frames, write, certificate)

    @property
    def whom(self) -> tuple[str, bytes]:
        """As others call it."""
        return self.address, self.holder.certificate

    def linked(self, other: "House") -> bool:
        """Has this one opened a link to the other that was answered with a hello?"""
        peer = self.links._peers.get(other.whom)
        return peer is not None and peer.link is not None

    async def call(self, other: "House", request: Request, ms: int = 5_000) -> Any:
        return await self.links.call(*other.whom, request, ms)

    def begin(self, other: "House", request: Request, ms: int = 5_000) -> "asyncio.Future[Any]":
        """The end of a call by a link that is there; cancelled where none is."""
        end = asyncio.get_running_loop().create_future()
        if not self.links.begin(*other.whom, request, ms, end.set_result):
            end.cancel()
        return end

    async def end(self) -> None:
        await self.links.close()
        await self.server.stop(None)
        await self.tasks.close()
        assert self.crashes == []


@pytest.fixture
async def houses() -> AsyncIterator[tuple[House, House]]:
    """The first has the lower address; they are members of one group."""
    made = House(), House()
    for house, other in (made, made[::-1]):
        house.members.add(other.holder.certificate)
    for house in made:
        await house.build()
    low, high = sorted(made, key=lambda house: house.address)
    yield low, high
    for house in made:
        await house.end()


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not what():  # noqa: ASYNC110  both nodes run on this loop
            await asyncio.sleep(0.001)


@pytest.fixture
async def mallory(houses: tuple[House, House]) -> AsyncIterator[House]:
    """A third member, that says that it lives where the first one does."""
    one, two = houses
    made = House()
    await made.build()
    made.address = one.address
    two.members.add(made.holder.certificate)
    yield made
    await made.end()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of calls that were made one by one."""
    paths: list[str] = []
    call = Line.call

    async def counted(line: Line, path: str, *rest: Any) -> Any:
        paths.append(path)
        return await call(line, path, *rest)

    monkeypatch.setattr(Line, "call", counted)
    return paths


async def test_the_first_calls_open_a_link_which_carries_them_and_what_follows(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    first = [asyncio.create_task(one.call(two, request)) for request in (PING, TELL, several(3))]
    assert [await call for call in first] == [
        REPLIES[core.Pong],
        REPLIES[core.Told],
        REPLIES[core.Told],
    ]
    assert one.linked(two)
    assert await one.call(two, PING) == REPLIES[core.Pong]
    assert alone == []
    assert len(two.seen) == 4
    assert [row.path.rpartition("/")[2] for row in one.log.rows()].count("Link") == 1


async def test_a_way_that_is_prepared_is_linked_with_nothing_asked(
    houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = houses
    one.links.prepare(*two.whom)
    await until(lambda: one.linked(two) and one.whom in two.links._accepted)
    two.links.prepare(*one.whom)
    assert two.links._peers == {}, "there is a link already"
    assert two.seen == []


async def test_only_so_many_links_are_begun_at_one_time(
    houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = houses
    two.mute = True
    monkeypatch.setattr(one.links, "_opening", asyncio.Semaphore(1))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        one.links.prepare(f"127.0.0.1:{silent.getsockname()[1]}", two.holder.certificate)
        await asyncio.sleep(0)
        one.links.prepare(*two.whom)
        assert one.links._opening.locked()
        await asyncio.sleep(0.2)
        assert not two.asked_for_links
    await until(lambda: two.asked_for_links == 1)


async def test_where_no_link_comes_about_calls_are_made_alone_and_one_message_tells(
    houses: tuple[House, House], alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "OPENS_S", 0.3)
    one, two = houses
    two.mute = True
    outcome = await one.call(two, PING, 50)
    assert isinstance(outcome, Silenced)
    assert (outcome.how, alone) == (Silence.SILENT, [])
    assert await one.call(two, several(3), 5_000) == REPLIES[core.Told]
    assert alone == ["/p2pchat.v1.Node/Message"]
    assert [len(request.messages) for request in two.seen] == [1]
    assert one.links._peers[two.whom].again_at > time.monotonic() + 5
    assert await one.call(two, PING) == REPLIES[core.Pong]


async def test_the_other_side_asks_over_the_same_link(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    await one.call(two, PING)
    await until(lambda: one.whom in two.links._accepted)
    assert await two.call(one, TELL) == REPLIES[core.Told]
    assert alone == []
    assert two.links.figures(*one.whom).link == "ready"
    assert not two.linked(one)


async def test_what_links_do_not_carry_goes_alone(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    await one.call(two, PING)
    await until(lambda: one.linked(two))
    for request in EXAMPLES:
        await one.call(two, request)
    sent = {path.rpartition("/")[2] for path in alone}
    assert sent == {"JoinNetwork", "LeaveNetwork", "Sync"}


async def test_of_two_that_are_opened_at_once_the_one_from_the_lower_address_stays(
    houses: tuple[House, House],
) -> None:
    low, high = houses
    for one, other in ((low, high), (high, low)):
        one.links._open_soon(other.whom, one.links._peer(other.whom))
    opened = high.links._peers[low.whom].linking
    assert opened is not None
    await until(lambda: low.linked(high) and low.whom in high.links._accepted)
    await until(opened.done)
    assert not low.links._accepted
    assert await high.call(low, TELL) == REPLIES[core.Told]
    assert await low.call(high, TELL) == REPLIES[core.Told]
    assert not high.linked(low)
    assert (low.broken, high.broken) == ([], []), "nobody's connection broke"


@pytest.fixture
async def half_open(houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The lower opens a link, and the higher one too; what comes to the lower by its own waits."""
    low, high = houses
    let_in, frames = asyncio.Event(), peers.frames_of

    async def held(stream: Any) -> AsyncIterator[bytes]:
        await let_in.wait()
        async for frame in frames(stream):
            yield frame

    monkeypatch.setattr(peers, "frames_of", held)
    low.links._open_soon(high.whom, low.links._peer(high.whom))
    await until(lambda: low.whom in high.links._accepted)
    monkeypatch.undo()
    assert high.links._open_soon(low.whom, high.links._peer(low.whom)) is not None
    await until(lambda: high.links._peers[low.whom].linking is None)
    return let_in


async def test_the_second_link_may_end_before_the_first_is_greeted(
    houses: tuple[House, House], half_open: asyncio.Event
) -> None:
    low, high = houses
    await until(lambda: not low.links._accepted)
    assert not low.linked(high)
    half_open.set()
    await until(lambda: low.linked(high))
    assert await low.call(high, TELL) == REPLIES[core.Told]
    assert (low.broken, high.broken) == ([], []), "nobody's connection broke"


async def test_when_the_second_link_ends_and_the_first_is_never_greeted_it_is_told_as_broken(
    houses: tuple[House, House], half_open: asyncio.Event
) -> None:
    low, high = houses
    await until(lambda: not low.links._accepted)
    for serving in high.links._serving.values():
        serving.cancel()
    await until(lambda: not high.links._accepted)
    low.links._peers[high.whom].stream.cancel()  # type: ignore[union-attr]
    half_open.set()
    await until(lambda: low.broken)
    assert set(low.broken) == {high.address}


async def test_when_the_other_dies_its_calls_are_refused_at_once(
    houses: tuple[House, House],
) -> None:
    one, two = houses
    await one.call(two, PING)
    await until(lambda: one.linked(two))
    two.gate.clear()
    waiting = asyncio.create_task(one.call(two, TELL, 60_000))
    await until(lambda: TELL in two.seen)
    await two.server.stop(None)
    outcome = await waiting
    assert isinstance(outcome, Silenced)
    assert outcome.how is Silence.REFUSED
    await until(lambda: one.broken)
    assert set(one.broken) == {two.address}
    two.gate.set()


async def test_where_there_is_a_link_a_call_needs_no_task(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    assert one.begin(two, PING).cancelled(), "nobody was called there"
    await one.call(two, PING)
    assert await one.begin(two, TELL) == REPLIES[core.Told]
    assert one.begin(two, JOIN).cancelled(), "no link carries that"
    assert [row.path.rpartition("/")[2] for row in one.log.rows()].count("Message") == 1
    assert alone == []
    two.gate.clear()
    silenced = await one.begin(two, TELL, 50)
    assert isinstance(silenced, Silenced)
    assert one.begin(two, TELL).cancelled(), "it is silent"
    two.gate.set()
    assert one.links.figures(*two.whom).in_flight == 0


async def test_where_the_link_ends_meanwhile_the_call_is_made_alone(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    await one.call(two, PING)
    two.gate.clear()
    waiting = one.begin(two, TELL)
    await until(lambda: TELL in two.seen)
    link = one.links._peers[two.whom].link
    assert link is not None
    link.end()
    two.gate.set()
    assert await waiting == REPLIES[core.Told]
    assert alone == ["/p2pchat.v1.Node/Message"]
    assert one.links.figures(*two.whom).in_flight == 0


async def test_who_closes_down_gives_up_calls_that_go_on_without_their_link(
    houses: tuple[House, House],
) -> None:
    one, two = houses
    await one.call(two, PING)
    two.gate.clear()
    waiting = one.begin(two, TELL, 60_000)
    await until(lambda: TELL in two.seen)
    link = one.links._peers[two.whom].link
    assert link is not None
    link.end()
    await until(lambda: two.seen.count(TELL) == 2)
    await one.links.close()
    await asyncio.sleep(0.02)
    two.gate.set()
    assert not waiting.done(), "and no task has crashed, as the end of the house finds"


async def test_who_accepted_a_link_hears_that_the_other_is_gone(
    houses: tuple[House, House],
) -> None:
    one, two = houses
    await one.call(two, PING)
    await until(lambda: one.whom in two.links._accepted)
    await one.links.close()
    await until(lambda: two.broken)
    assert two.broken == [one.address]
    assert two.links._accepted == {}


async def test_a_node_that_comes_back_is_linked_again(
    houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "AGAIN_S", 0.0)
    one, two = houses
    await one.call(two, PING)
    await until(lambda: one.linked(two))
    await two.server.stop(None)
    await until(lambda: not one.linked(two))
    await two.links.close()
    await two.build(int(two.address.rpartition(":")[2]))
    assert await one.call(two, PING) == REPLIES[core.Pong]
    await until(lambda: one.linked(two))


async def test_where_there_is_no_link_several_messages_go_one_by_one(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    two.linkable = False

    def told(request: Request) -> Reply:
        assert isinstance(request, core.Tell)
        return Told(Receipt.STORED, request.messages[-1].id, 1_000_001)

    two.script = told
    for _ in range(2):
        assert await one.call(two, several(3)) == Told(Receipt.STORED, ID.format(3), 1_000_001)
    assert len(alone) == 6
    peer = one.links._peers[two.whom]
    await until(lambda: peer.again_at > time.monotonic() + 10)  # It is not asked all the time.


async def test_one_by_one_the_answer_names_the_last_before_the_first_that_is_not_stored(
    houses: tuple[House, House],
) -> None:
    one, two = houses
    two.linkable = False
    full = Refusal(Reason.PENDING_FULL, "too many wait")

    def told(request: Request) -> Reply | Refusal:
        assert isinstance(request, core.Tell)
        (message,) = request.messages
        if message.key.seq in stuck:
            return full
        return Told(Receipt.STORED, message.id, 1_000_001)

    two.script = told
    stuck = {2}
    assert await one.call(two, several(3)) == Told(Receipt.STORED, ID.format(1), 1_000_001)
    stuck = {1, 2}
    assert await one.call(two, several(3)) == full


async def fall_silent(one: House, two: House) -> None:
    """They are linked, and `two` answers nothing that it is told until its gate is set."""
    await one.call(two, PING)
    await until(lambda: one.linked(two))
    two.gate.clear()
    silenced = await one.call(two, TELL, 50)
    assert isinstance(silenced, Silenced)
    assert silenced.how is Silence.SILENT


async def test_a_link_that_is_silent_is_passed_by_until_it_speaks_again(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    await fall_silent(one, two)
    alone.clear()
    waiting = asyncio.create_task(one.call(two, PING, 5_000))
    await until(lambda: alone == ["/p2pchat.v1.Node/LivenessPing"])
    two.gate.set()
    assert await waiting == REPLIES[core.Pong]
    link = one.links._peers[two.whom].link
    await until(lambda: link is None or not link.doubtful)  # The late answer has come.
    assert [address for address, _ in one.late] == [two.address]
    alone.clear()
    assert await one.call(two, PING) == REPLIES[core.Pong]
    assert alone == []


async def test_of_several_messages_past_a_silent_link_the_first_is_tried(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    await fall_silent(one, two)
    told: list[int] = []

    def stored(request: Request) -> Reply:
        assert isinstance(request, core.Tell)
        told.append(len(request.messages))
        return Told(Receipt.STORED, request.messages[-1].id, 1_000_001)

    two.script = stored
    alone.clear()
    waiting = asyncio.create_task(one.call(two, several(3)))
    await until(lambda: alone == ["/p2pchat.v1.Node/Message"])
    two.gate.set()
    assert await waiting == Told(Receipt.STORED, ID.format(1), 1_000_001)
    assert sorted(told) == [1, 1], "and the one before, whose answer comes late"


async def test_a_link_is_closed_with_its_line(
    houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "UNUSED_S", 0.0)
    one, two = houses
    await one.call(two, PING)
    await until(lambda: one.whom in two.links._accepted)
    await one.links.close_unused()
    await until(lambda: not two.links._accepted)
    assert one.links._peers == {}


async def test_a_hello_from_our_own_address_leads_nowhere(houses: tuple[House, House]) -> None:
    one, two = houses
    address, one.address = one.address, two.address  # It says that it lives where the other does.
    await one.call(two, PING)
    await until(lambda: one.linked(two))
    assert two.links._accepted == {}
    one.address = address


@pytest.mark.parametrize(
    "noise", [b"\xff" * 40, b"\x0a\x0b\x0a\x039.9\x12\x00"], ids=["noise", "hello"]
)
async def test_noise_ends_a_link_with_a_definite_error(
    houses: tuple[House, House], noise: bytes
) -> None:
    one, two = houses
    async with one.holder.transport.channel(*two.whom) as channel:
        call: grpc.aio.StreamStreamCall[bytes, bytes]
        call = channel.stream_stream("/p2pchat.v1.Node/Link")(timeout=CALL_S)
        await call.write(noise)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while await call.read() is not grpc.aio.EOF:
                pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


# ---- who is who --------------------------------------------------------------------------------


async def test_a_link_is_of_the_node_whose_key_it_proved_whatever_it_says_where_it_lives(
    houses: tuple[House, House], mallory: House
) -> None:
    one, two = houses
    assert await mallory.call(two, PING) == REPLIES[core.Pong]
    claimed = (one.address, mallory.holder.certificate)
    await until(lambda: claimed in two.links._accepted)
    assert one.whom not in two.links._accepted
    assert two.begin(one, TELL).cancelled(), "there is no link to it"
    assert await two.call(one, TELL) == REPLIES[core.Told]
    assert (one.seen, mallory.seen) == ([TELL], [])
    assert two.linked(one)
    assert two.links.figures(*one.whom).calls == 1
    assert two.links.figures(*claimed).calls == 0


async def test_what_is_asked_by_a_link_is_asked_with_its_own_certificate(
    houses: tuple[House, House], mallory: House
) -> None:
    one, two = houses
    assert await mallory.call(two, TELL) == REPLIES[core.Told]
    assert await one.call(two, TELL) == REPLIES[core.Told]
    await until(lambda: one.whom in two.links._accepted)
    assert await two.call(one, TELL) == REPLIES[core.Told], "by the link that the other opened"
    assert two.callers == [mallory.holder.certificate, one.holder.certificate]
    assert one.callers == [two.holder.certificate]


async def test_whom_we_do_not_know_we_ask_to_let_us_in_or_ping_and_tell_nothing_else(
    houses: tuple[House, House], alone: list[str]
) -> None:
    one, two = houses
    stranger = (two.address, b"")
    for request in EXAMPLES:
        outcome = await one.links.call(*stranger, request, 5_000)
        if type(request) in peers.FOR_STRANGERS:
            assert outcome == REPLIES[REPLY_OF[type(request)]]
            continue
        assert outcome == Silenced(
            Silence.SILENT,
            "UNAUTHENTICATED: nobody has said which certificate that member has",
        )
    said = [request for request in EXAMPLES if isinstance(request, core.Join | Ping)]
    assert two.seen == said
    assert {path.rpartition("/")[2] for path in alone} == {"JoinNetwork", "LivenessPing"}
    assert two.asked_for_links == 0, "and no link is opened for a ping"
    figures = one.links.figures(*stranger)
    assert (figures.calls, figures.failures) == (len(EXAMPLES), len(EXAMPLES) - len(said))


async def test_no_link_is_for_whom_we_do_not_know(houses: tuple[House, House]) -> None:
    one, two = houses
    await one.call(two, PING)
    assert one.linked(two)
    stranger = (two.address, b"")
    one.links.prepare(*stranger)
    assert set(one.links._peers) == {two.whom}, "nothing is opened before it is known"
    await one.links.call(*stranger, PING, 5_000)
    assert not one.links.begin(*stranger, TELL, 5_000, lambda _: None)
    assert TELL not in two.seen


async def test_another_node_at_the_address_of_one_is_told_nothing(
    houses: tuple[House, House],
) -> None:
    one, two = houses
    meant = (two.address, Holder().certificate)
    outcome = await one.links.call(*meant, TELL, 5_000)
    assert outcome == Silenced(Silence.SILENT, "UNAVAILABLE: another certificate is shown there")
    assert two.seen == []
    assert await one.call(two, TELL) == REPLIES[core.Told], "which is another line"


async def test_whom_nobody_knows_any_more_is_cut_off_and_nobody_else(
    houses: tuple[House, House], mallory: House
) -> None:
    one, two = houses
    await mallory.call(two, PING)
    await one.call(two, PING)
    await until(lambda: len(two.links._accepted) == 2)
    two.members.discard(mallory.holder.certificate)
    two.links.cut_off(two.knows)
    await until(lambda: not mallory.linked(two))
    assert set(two.links._accepted) == {one.whom}
    assert one.linked(two)
    mallory.links._peers[two.whom].again_at = 0.0
    asked = two.asked_for_links
    await mallory.call(two, TELL)
    assert two.asked_for_links == asked, "it has no other link"


@pytest.mark.parametrize("is_ours", [True, False])
async def test_calls_to_who_is_cut_off_while_it_stands_still_come_to_an_end(
    houses: tuple[House, House], is_ours: bool
) -> None:
    """By a link that we have opened, or that the other has."""
    one, two = houses
    if not is_ours:
        await two.call(one, PING)
        await until(lambda: two.whom in one.links._accepted)
    await one.call(two, PING)
    assert one.linked(two) is is_ours
    two.gate.clear()
    begun = [one.begin(two, TELL) for _ in range(3)]
    asked = [asyncio.create_task(one.call(two, request)) for request in EXAMPLES]
    await until(lambda: len(two.seen) > len(begun) + 1)
    one.links.cut_off(lambda certificate: certificate != two.holder.certificate)
    for end in await asyncio.wait_for(asyncio.gather(*begun, *asked), WAIT_S):
        assert end == CLOSED
    two.gate.set()


async def test_what_we_opened_ourselves_ends_too(houses: tuple[House, House]) -> None:
    one, two = houses
    await one.call(two, PING)
    await until(lambda: one.whom in two.links._accepted)
    one.links.cut_off(lambda certificate: certificate != two.holder.certificate)
    await until(lambda: not two.links._accepted)
    assert one.links._peers == {}


async def test_a_member_has_only_so_many_links_and_opens_another_when_it_may(
    houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    low, high = houses
    monkeypatch.setattr(peers, "LINKS_EACH_MAX", 1)
    monkeypatch.setattr(peers, "AGAIN_S", 0.01)
    assert await low.call(high, TELL) == REPLIES[core.Told]
    assert low.linked(high)
    channel = low.holder.transport.channel(high.address, high.holder.certificate)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        second: Any = channel.stream_stream("/p2pchat.v1.Node/Link")
        async for _ in second(iter([b""])):
            pass
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "1 links of a member" in str(caught.value.details())
    await channel.close()
    monkeypatch.setattr(peers, "LINKS_EACH_MAX", 0)
    high.links._peers.pop(low.whom, None)
    await low.links._peers[high.whom].line.close()
    await until(lambda: not low.linked(high))
    whom = high.whom
    low.links._peers.pop(whom)
    assert await low.call(high, TELL) == REPLIES[core.Told], "alone"
    assert not low.linked(high)
    monkeypatch.setattr(peers, "LINKS_EACH_MAX", 1)
    await asyncio.sleep(0.02)
    await low.call(high, TELL)
    await until(lambda: low.linked(high))


async def test_a_link_that_floods_is_named_by_its_certificate(houses: tuple[House, House]) -> None:
    low, high = houses
    told: list[bytes] = []
    high.links.on_flood = told.append
    assert await low.call(high, TELL) == REPLIES[core.Told]
    assert high.links.figures(*low.whom).held_ms == 0
    (link,) = high.links._serving
    link.pace.wait_s(asyncio.get_running_loop().time(), size=2**40, lines=1)
    link.on_flood(link)
    assert told == [low.holder.certificate]
    assert high.links.flooding() == {low.holder.certificate}
    assert high.links.figures(*low.whom).held_ms == 5_000
    assert low.links.flooding() == set()


async def test_calls_alone_that_make_no_sense_are_counted(
    houses: tuple[House, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    low, high = houses
    counted: list[Any] = []
    monkeypatch.setattr(high.service._gate, "senseless", counted.append)
    channel = low.holder.transport.channel(high.address, high.holder.certificate)

    async def ends(payload: bytes) -> grpc.StatusCode:
        ping: Any = channel.unary_unary("/p2pchat.v1.Node/Message")
        try:
            await ping(payload, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    method = method_of(TELL)
    assert await ends(method.write_request(TELL)) is grpc.StatusCode.OK
    assert not counted
    elsewhere = replace(TELL, caller=replace(CALLER, chat=CALLER.chat + 1))
    assert await ends(method.write_request(elsewhere)) is grpc.StatusCode.NOT_FOUND
    assert len(counted) == 1
    assert await ends(b"\xff" * 9) is grpc.StatusCode.INVALID_ARGUMENT
    assert len(counted) == 2
    await channel.close()
