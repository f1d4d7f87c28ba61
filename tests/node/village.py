"""Groups that other nodes call, for tests of the ways to them."""

import asyncio
from collections.abc import Callable

from node.core.messages import Refusal, Reply, Request
from tests.node import wire_values as values
from tests.node.wire_values import CALLER, REPLY_OF

REPLIES = {type(reply): reply for reply in values.REPLIES}


class Village:
    """Groups of which each question is answered by `script`."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.broken: list[str] = []
        self.script: Callable[[Request], Reply | Refusal] = lambda request: REPLIES[
            REPLY_OF[type(request)]
        ]
        self.gate = asyncio.Event()
        self.gate.set()

    async def answer(self, request: Request) -> Reply | Refusal:
        self.seen.append(request)
        await self.gate.wait()
        return self.script(request)

    def by_chat(self, chat: int) -> "Village | None":
        return self if chat == CALLER.chat else None

    def by_name(self, name: str) -> "Village | None":
        return self if name == "tea" else None

    def joining(self) -> None:
        return None
