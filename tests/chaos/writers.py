"""Who talks and who looks on: a writer for each node, and a watcher that notes what it shows."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import grpc

from p2pchat.v1 import control_pb2
from tests.chaos.evidence import Belongs, Evidence, Healed, Led, Said, Shown, line_of
from tests.chaos.processes import CHAT, Node

PACE_S = (0.1, 0.5)  # between two lines of one author
PAST = 1_000  # lines with which watching begins
AGAIN_S = 0.05
WAIT_MS = 120_000
ANSWER = 0.6  # how likely a line answers the last one that its author has seen


class Watcher:
    """Notes what one node shows, through all of its lives."""

    def __init__(self, node: Node, evidence: Evidence, note: Callable[[str], None]) -> None:
        self.node, self.last_seen = node, ""
        self._evidence, self._note = evidence, note
        self._watches = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            if self.node.runs and not self.node.frozen:
                try:
                    await self._watch()
                except grpc.aio.AioRpcError as error:
                    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                        self._note(f"{self.node.host}: we watched too slowly")
            await asyncio.sleep(AGAIN_S)

    async def _watch(self) -> None:
        request = control_pb2.WatchRequest(chat=CHAT, history=PAST)
        life = self.node.lives
        # First, or what it says would be newer than happenings that we read after it.
        await self._first_look(life)
        watch = self.node.control.Watch(request)
        try:
            self._watches += 1
            async for happening in watch:
                await self._noted(happening, life)
        finally:
            watch.cancel()

    async def _first_look(self, life: int) -> None:
        chat = await self.node.chat()
        if chat is not None and chat.leader_id:
            self._led(life, chat.leader_id, chat.epoch, chat.provisional)
        await self.list_members()

    async def list_members(self) -> None:
        """Notes whose ids it knows."""
        found = await self.node.ask("ListMembers", chat=CHAT, all=True)
        for one in found.members:
            member = Belongs(self.node.host, one.member_id, one.identity, one.state)
            self._evidence.members.add(member)

    def _led(self, life: int, leader: int, epoch: Any, provisional: bool) -> None:
        self._evidence.led.append(
            Led(
                time.monotonic(),
                self.node.host,
                life,
                leader,
                (epoch.generation, epoch.n),
                provisional,
            )
        )

    async def _noted(self, happening: control_pb2.WatchResponse, life: int) -> None:
        host, what = self.node.host, happening.WhichOneof("what")
        match what:
            case "message":
                text = happening.message.text
                self._evidence.shown.append(Shown(time.monotonic(), host, self._watches, text))
                self.last_seen = line_of(text)
            case "leader":
                one = happening.leader
                self._led(life, one.leader_id, one.epoch, one.provisional)
                if one.self:
                    how = "provisionally" if one.provisional else "with epoch"
                    self._note(f"{host} leads {how} {one.epoch.n}")
            case "member":
                self._note(f"{host}: {happening.member.nick} {happening.member.change}")
                await self.list_members()
            case "split" if happening.split.healed:
                messages = happening.split.messages
                self._evidence.healed.append(Healed(time.monotonic(), host, messages))
                self._note(f"{host}: split healed, {messages} messages")
            case "error":
                self._note(f"{host}: {happening.error.reason}: {happening.error.text}")
            case _:
                pass


class Writer:
    """Has one node say numbered lines, as long as it is told to."""

    def __init__(self, node: Node, evidence: Evidence, watcher: Watcher, rng: Random) -> None:
        self.node = node
        self.silent = asyncio.Event()
        self._evidence, self._watcher, self._rng = evidence, watcher, rng
        self._count = 0
        self._answered = ""
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(self._rng.uniform(*PACE_S))
                if not self.silent.is_set() and self.node.runs and not self.node.frozen:
                    task = asyncio.create_task(self._say(self._next()))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
        finally:
            for task in self._under_way:
                task.cancel()

    def _next(self) -> Said:
        self._count += 1
        host = self.node.host
        answers = self._watcher.last_seen
        is_new = answers and answers != self._answered and not answers.startswith(f"{host} ")
        if not is_new or self._rng.random() >= ANSWER:
            answers = ""
        else:
            self._answered = answers
        said = Said(f"{host} {self._count}", host, time.monotonic(), answers)
        self._evidence.said[said.name] = said
        return said

    async def _say(self, said: Said) -> None:
        request = control_pb2.SendRequest(
            chat=CHAT, text=said.text, wait=control_pb2.WAIT_ALL, wait_ms=WAIT_MS
        )
        try:
            async for told in self.node.control.Send(request):
                said.stored_at = said.stored_at or time.monotonic()
                if told.done and told.complete and not told.later:
                    said.all_at = time.monotonic()
        except grpc.aio.AioRpcError as error:
            # It may have been stored all the same, unless it was refused.
            said.refused = error.code().name

    async def drained(self) -> None:
        """Returns once nothing is under way.  The writer must be silent."""
        while self._under_way:
            await asyncio.wait(self._under_way)


@contextmanager
def quiet(writers: list[Writer]) -> Iterator[None]:
    """Nobody says anything meanwhile."""
    for one in writers:
        one.silent.set()
    try:
        yield
    finally:
        for one in writers:
            one.silent.clear()
