"""The whole wire at work: real groups on real servers found, join, talk, fail and come back.

Tries node/runner.py, node/peers.py, node/service.py, node/codec and node/archive together.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from node.archive import Archive, MemoryArchive, SqliteArchive
from node.core.effects import (
    Acknowledged,
    Deliver,
    Joined,
    JoinFailed,
    LeaderChanged,
    MemberChanged,
    Settled,
)
from node.core.events import (
    AnsweredLate,
    Closing,
    Founded,
    Joining,
    LinkBroken,
    Opened,
    Submitted,
)
from node.core.group import Group, Setup
from node.core.messages import (
    Claim,
    Granted,
    NdsReply,
    NdsRequest,
    Record,
    RecordRead,
    Refusal,
    Renew,
)
from node.core.reasons import Reason
from node.core.timing import LAN
from node.core.types import Epoch, IdBlock
from node.peers import Links
from node.rpc import CallLog
from node.rpc.transport import Transport
from node.runner import Runner
from node.service import Desk, NodeService, build_server
from node.tasks import Tasks
from node.trust import keys
from node.trust.keys import Keys
from tests.logs import KEY
from tests.waiting import WAIT_S

CHAT = 0x0123456789ABCDEF
GENERATION = 1_700_000_000


class Registry:
    """A discovery service that grants every claim on the current epoch."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self.next_n = 1

    def block(self) -> IdBlock:
        first = GENERATION * 1_000_000 + self.next_n
        self.next_n += 8
        return IdBlock(first, 8)

    def found(self, address: str) -> Founded:
        ids = self.block()
        self.record = Record(CHAT, "tea", Epoch(GENERATION, 1), ids.first, address)
        return Founded(self.record, ids)

    async def ask(self, request: NdsRequest, deadline_ms: int) -> NdsReply | Refusal:
        assert self.record is not None
        match request:
            case Claim():
                if request.expected != self.record.epoch:
                    return Refusal(Reason.STALE_EPOCH, record=self.record)
                epoch = Epoch(GENERATION, self.record.epoch.n + 1)
                self.record = replace(
                    self.record, epoch=epoch, leader=request.node, address=request.address
                )
                return Granted(self.record, self.block(), request.nonce)
            case Renew(want_ids=True):
                return RecordRead(self.record, self.block())
            case _:
                return RecordRead(self.record)


class Node:
    """One node with one group; `notices` is what its user would see."""

    def __init__(self, name: str, registry: Registry, archive: Archive, own: Keys) -> None:
        self.name, self.registry, self.archive = name, registry, archive
        self.notices: list[Any] = []
        self.crashes: list[BaseException] = []
        self.tasks = Tasks(lambda _, error: self.crashes.append(error))
        self.log = CallLog()
        self.desk = Desk(self)
        self.keys = own
        self.transport = Transport(self.keys.tls)
        self.links = Links(
            self.tasks,
            self.log,
            self._broken,
            self.desk,
            lambda: (self.address,),
            self._late,
            self.transport,
        )
        self.lines = 0
        self._changed = asyncio.Event()

    async def open(self, port: int = 0) -> None:
        self.server, port = await build_server(
            f"127.0.0.1:{port}",
            [NodeService(self.desk, self.links, self.transport)],
            self.transport,
            self.desk.knows,
        )
        await self.server.start()
        self.address = f"127.0.0.1:{port}"
        seed = sum(self.name.encode())
        setup = Setup(
            identity=self.keys.identity,
            nick=self.name,
            address=self.address,
            process=seed * 1_000 + port,
            name="tea",
            card=self.keys.card,
        )
        self.group = Group(setup, LAN, Random(seed), self.archive.load())
        self.runner = Runner(
            self.group,
            self.archive,
            peers=self.links,
            nds=self.registry,
            notify=self._notify,
            tasks=self.tasks,
            name=self.name,
        )

    def _broken(self, address: str) -> None:
        if any(member.address == address for member in self.group.roster.members):
            self.runner.post(LinkBroken(address))

    def _late(self, address: str, ms: int) -> None:
        self.runner.post(AnsweredLate(address, ms))

    def by_chat(self, chat: int) -> Runner | None:
        return self.runner if chat == self.group.chat else None

    def by_name(self, name: str) -> Runner | None:
        return self.runner if name == self.group.name else None

    def joining(self) -> Runner | None:
        return None if self.group.me else self.runner

    def knows(self, certificate: bytes) -> bool:
        return self.group.knows(certificate)

    def is_registry(self, certificate: bytes) -> bool:
        return False

    def _notify(self, notices: Any) -> None:
        self.notices.extend(notices)
        self._changed.set()

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait for notices until `met`."""
        async with asyncio.timeout(WAIT_S):
            while not met():
                self._changed.clear()
                await self._changed.wait()

    async def seen(self, kind: type, **facts: Any) -> Any:
        """The first notice of `kind` with these facts, once it is there."""

        def found() -> list[Any]:
            return [
                notice
                for notice in self.notices
                if isinstance(notice, kind)
                and all(getattr(notice, name) == value for name, value in facts.items())
            ]

        await self.until(lambda: bool(found()))
        return found()[0]

    def say(self, text: str) -> None:
        self.lines += 1
        id = str(UUID(int=sum(self.name.encode()) * 1_000 + self.lines))
        self.runner.post(Submitted(text, id, 1_700_000_000_000 + self.lines))

    @property
    def shown(self) -> list[str]:
        told = (notice for notice in self.notices if isinstance(notice, Deliver))
        return [line.text for notice in told for line in notice.lines]

    async def kill(self) -> None:
        """Vanish as a process does that is killed: nothing is said to anybody."""
        await self.links.close()
        await self.server.stop(None)
        await self.runner.stop()
        await self.tasks.close()
        self.archive.close()
        assert self.crashes == []


class Scene:
    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.registry = Registry()
        self._keys: dict[str, Keys] = {}

    async def node(self, name: str, archive: Archive | None = None, port: int = 0) -> Node:
        own = self._keys.setdefault(name, keys.make())
        node = Node(name, self.registry, archive or MemoryArchive(), own)
        await node.open(port)
        self._stack.push_async_callback(node.kill)
        return node

    async def founder(self, name: str, archive: Archive | None = None) -> Node:
        node = await self.node(name, archive)
        node.runner.start(self.registry.found(node.address), Opened(True, 1))
        await node.seen(Joined)
        return node

    async def joiner(self, name: str, through: str, archive: Archive | None = None) -> Node:
        node = await self.node(name, archive)
        node.runner.start(Joining(through))
        await node.seen(Joined)
        return node


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        yield Scene(stack)


async def test_two_nodes_found_join_and_talk(scene: Scene) -> None:
    anna = await scene.founder("anna")
    bob = await scene.joiner("bob", anna.address)
    await anna.seen(MemberChanged, member=bob.group.me)
    anna.say("hello bob")
    await bob.until(lambda: "hello bob" in bob.shown)
    bob.say("hello anna")
    await anna.until(lambda: anna.shown == ["hello bob", "hello anna"])
    for node, other in ((anna, bob), (bob, anna)):
        acknowledged = await node.seen(Acknowledged)
        assert (acknowledged.by, acknowledged.acked, acknowledged.of) == (other.group.me, 1, 1)
        assert (await node.seen(Settled)).missing == ()
    assert anna.group.fingerprint == bob.group.fingerprint
    reply = bob.archive.page(count=1)[0]
    assert reply.message.deps == (anna.archive.page(count=9)[0].message.key,)
    assert bob.links.figures(anna.address, anna.keys.card.certificate).link == "ready"
    assert {row.path.rpartition("/")[2] for row in bob.log.rows()} >= {"JoinNetwork", "Message"}


async def test_a_member_that_does_not_lead_sends_the_joiner_on(scene: Scene) -> None:
    anna = await scene.founder("anna")
    bob = await scene.joiner("bob", anna.address)
    cleo = await scene.joiner("cleo", bob.address)
    assert cleo.group.leader == anna.group.me
    cleo.say("three")
    settled = await cleo.seen(Settled)
    assert settled.missing == ()
    await bob.until(lambda: "three" in bob.shown)


async def test_whom_nobody_can_reach_is_not_let_in(scene: Scene) -> None:
    anna = await scene.founder("anna")
    bob = await scene.node("bob")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
    bob.group._s.setup = replace(bob.group._s.setup, address=nowhere)
    bob.runner.start(Joining(anna.address))
    failed = await bob.seen(JoinFailed)
    assert failed.reason == Reason.CANNOT_REACH
    assert len(anna.group.roster.members) == 1


async def test_a_killed_leader_is_replaced_soon(scene: Scene) -> None:
    anna = await scene.founder("anna")
    bob = await scene.joiner("bob", anna.address)
    cleo = await scene.joiner("cleo", anna.address)
    for node in (bob, cleo):
        node.say("hi")
        await node.seen(Settled)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await anna.kill()
    changed = await cleo.seen(LeaderChanged, leader=bob.group.me)
    took = loop.time() - began
    assert not changed.provisional
    assert took < 3, "a killed leader is noticed by its broken link"
    bob.say("still here")
    await cleo.until(lambda: "still here" in cleo.shown)


async def test_a_member_that_was_killed_comes_back_with_all_it_missed(
    scene: Scene, tmp_path: Path
) -> None:
    anna = await scene.founder("anna")
    bob = await scene.joiner("bob", anna.address, SqliteArchive(tmp_path / "bob.db", KEY))
    me = bob.group.me
    bob.say("first")
    await bob.seen(Settled)
    await bob.kill()
    anna.say("missed")
    port = int(bob.address.rpartition(":")[2])
    again = await scene.node("bob", SqliteArchive(tmp_path / "bob.db", KEY), port)
    again.lines = bob.lines
    again.runner.start()
    await again.until(lambda: "missed" in again.shown)
    assert again.group.me == me
    again.say("back")
    await again.seen(Settled)
    assert [line.text for line in again.archive.page(count=9)] == ["first", "missed", "back"]
    assert anna.group.fingerprint == again.group.fingerprint


async def test_a_leader_that_stops_hands_over(scene: Scene) -> None:
    anna = await scene.founder("anna")
    bob = await scene.joiner("bob", anna.address)
    bob.say("x")
    await bob.seen(Settled)
    anna.runner.post(Closing())
    changed = await bob.seen(LeaderChanged, leader=bob.group.me)
    assert changed.epoch.n == 2
