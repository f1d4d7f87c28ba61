"""Groups that other nodes call, for tests of the ways to them."""

import asyncio
from collections.abc import Callable

from node.core.messages import Refusal, Reply, Request
from node.runner import Unanswered
from tests.node import wire_values as values
from tests.node.wire_values import CALLER, REPLY_OF

REPLIES = {type(reply): reply for reply in values.REPLIES}


class Answerer:
    """What answers in a coroutine is asked by those who wait for no coroutine, too."""

    async def answer(self, request: Request, certificate: bytes | None) -> Reply | Refusal:
        raise NotImplementedError

    def ask(
        self,
        request: Request,
        then: Callable[[Reply | Refusal | Unanswered], None],
        certificate: bytes | None,
    ) -> Callable[[], object]:
        async def answering() -> None:
            try:
                then(await self.answer(request, certificate))
            except Unanswered as error:
                then(error)

        return asyncio.create_task(answering()).cancel


class Village(Answerer):
    """Groups of which each question is answered by `script`; `members` are certificates."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.callers: list[bytes | None] = []  # of what was seen: with which certificate
        self.members: set[bytes] = set()
        self.broken: list[str] = []
        self.script: Callable[[Request], Reply | Refusal] = lambda request: REPLIES[
            REPLY_OF[type(request)]
        ]
        self.gate = asyncio.Event()
        self.gate.set()

    async def answer(self, request: Request, certificate: bytes | None) -> Reply | Refusal:
        self.seen.append(request)
        self.callers.append(certificate)
        await self.gate.wait()
        return self.script(request)

    def by_chat(self, chat: int) -> "Village | None":
        return self if chat == CALLER.chat else None

    def by_name(self, name: str) -> "Village | None":
        return self if name == "tea" else None

    def joining(self) -> None:
        return None

    def knows(self, certificate: bytes) -> bool:
        return certificate in self.members

    def is_registry(self, certificate: bytes) -> bool:
        return False
