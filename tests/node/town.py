"""A town: nodes in one loop, real groups on real servers, against a real discovery service."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

from node import profile as profiles
from node import words as w
from node.config import load
from node.control.running import running
from node.core.conversation import Kind
from node.host import entering, views
from node.host.nodes import Node
from node.places import places
from node.words import Mode, Wait
from tests.waiting import WAIT_S


class Town:
    """Nodes in this loop, by the name of their profile."""

    def __init__(self, directory: Path, nds: str) -> None:
        self.directory, self.nds = directory, nds
        self._stacks: dict[str, AsyncExitStack] = {}
        self.chat = f"c{uuid4().hex[:10]}"

    async def start(self, name: str, **flags: object) -> Node:
        spot = places(name, str(self.directory), {})
        kept = profiles.load(spot.data).settings()
        config = load(spot, {"nick": name, "nds": [self.nds], **flags}, kept, {})
        stack = AsyncExitStack()
        node = await stack.enter_async_context(running(spot, config))
        self._stacks[name] = stack
        return node

    async def stop(self, name: str) -> None:
        await self._stacks.pop(name).aclose()

    async def close(self) -> None:
        await asyncio.gather(*(stack.aclose() for stack in self._stacks.values()))

    async def pair(self) -> tuple[Node, Node]:
        """alice, who made the chat, and bob, who joined it."""
        alice, bob = await self.start("alice"), await self.start("bob")
        await entering.create(alice, self.chat, "", "", Mode.LOGGED, is_open=True)
        await entering.join(bob, f"{self.nds}/{self.chat}", "", "")
        return alice, bob


async def eventually(true: Callable[[], bool], wait_s: float = WAIT_S) -> None:
    """Waits for what others bring about; fails when it has not come in time."""
    until = asyncio.get_running_loop().time() + wait_s
    for _ in iter(true, True):
        assert asyncio.get_running_loop().time() < until, f"still not so after {wait_s} s"
        await asyncio.sleep(0.01)


async def say(node: Node, text: str, wait: Wait = Wait.ALL) -> w.Progress:
    steps = [one async for one in node.chat("").send(text, Kind.TEXT, wait, 5_000)]
    return steps[-1]


def lines(node: Node) -> list[str]:
    page = views.page(node.chat(""), count=100, since_ms=0, before="", contains="")
    return [line.text for line in page.lines]
