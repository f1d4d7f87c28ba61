"""node/host/listing.py: what discovery services list, also those that lie; and how that is told."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, cast

import pytest

from node import errors
from node.cli.render import tables
from node.codec import NetworkPage
from node.codec.nds import Network
from node.core.messages import Record
from node.core.types import Epoch, Silence
from node.host import listing
from node.host.nodes import Node
from node.runner import Silenced

HONEST, LIAR = "127.0.0.1:1", "127.0.0.1:2"


def row(n: int) -> Network:
    record = Record(n, f"n{n:05}", Epoch(1, 1), 1_000_001, "127.0.0.1:5001")
    return Network(record, seen=5, idle=False, created=4)


def endless(size: int) -> Iterator[NetworkPage]:
    """Each with that many networks, and a token for the next."""
    for n in count(1):
        yield NetworkPage(tuple(row(size * n + k) for k in range(size)), f"x{n}")


class Service:
    """Answers with one page after the other, and after the last with silence."""

    distrust = ""

    def __init__(self, pages: Iterator[NetworkPage]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    async def networks(self, *, page_size: int, page_token: str, deadline_ms: int) -> Any:
        assert 0 < deadline_ms <= listing.ASK_MS
        self.asked.append(page_token)
        assert len(self.asked) < 1_000, "it goes on for ever"
        return next(self.pages, Silenced(Silence.SILENT, ""))


class Asking:
    """As much of a node as asks for lists."""

    chats = ()

    def __init__(self, **services: Iterator[NetworkPage]) -> None:
        at = {"honest": HONEST, "liar": LIAR}
        self.services = {at[name]: Service(pages) for name, pages in services.items()}
        self.forgotten: list[str] = []
        self.discovery: Callable[[str], Service] = self.services.__getitem__
        self.forget_discovery: Callable[[str], None] = self.forgotten.append

    def nds_candidates(self) -> tuple[str, ...]:
        return tuple(self.services)

    @property
    def node(self) -> Node:
        return cast("Node", self)


def honest() -> Iterator[NetworkPage]:
    """A list of three pages, the second of which cannot be read."""
    unreadable = NetworkPage((), "y", left_out="name: not a name")
    return iter([NetworkPage((row(1),), "x"), unreadable, NetworkPage((row(2),), "")])


LIES = {
    "an empty page with a token": (lambda: endless(0), 1),
    "the same token again": (lambda: (NetworkPage((row(n),), "x") for n in count()), 2),
    "the first page again": (
        lambda: iter([NetworkPage((row(n),), "yx"[n % 2]) for n in range(9)]),
        3,
    ),
    "short pages without end": (lambda: endless(1), listing.PAGES_MAX),
}


@pytest.mark.parametrize("how", LIES)
async def test_a_list_that_does_not_end_is_told_and_hides_no_other(how: str) -> None:
    lie, pages = LIES[how]
    asking = Asking(honest=honest(), liar=lie())
    found = await listing.networks(asking.node, "")
    assert [one.name for one in found.networks] == ["n00001", "n00002"]
    assert (found.unreachable, asking.forgotten) == ((), [LIAR])
    assert found.distrusted == (f"the list of the NDS at {LIAR} does not end",)
    assert len(asking.services[LIAR].asked) == pages
    assert await listing.networks_of(asking.node, LIAR) is None


async def test_alone_it_ends_the_command_as_one_that_does_not_answer() -> None:
    found = await listing.networks(Asking(liar=endless(0)).node, "")
    answer = tables.networks(found, 0)
    assert answer.lines == ()
    assert answer.notes == (f"not trusted: the list of the NDS at {LIAR} does not end",)
    assert answer.exit == errors.NO_NDS


async def test_a_list_that_comes_too_slowly_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each page takes two seconds."""
    loop, asking = asyncio.get_running_loop(), Asking(liar=endless(1))
    true, asked = loop.time, asking.services[LIAR].asked
    monkeypatch.setattr(loop, "time", lambda: true() + 2 * len(asked))
    assert await listing.networks_of(asking.node, LIAR) is None
    assert len(asked) == 3


async def test_a_long_list_is_read_as_far_as_its_limit() -> None:
    asking = Asking(honest=endless(1_000))
    rows = await listing.networks_of(asking.node, HONEST)
    assert rows is not None
    assert len(rows) == listing.LISTED_MAX


async def test_a_service_that_falls_silent_in_between_is_unreachable() -> None:
    found = await listing.networks(Asking(honest=iter([NetworkPage((row(1),), "x")])).node, "")
    assert found == type(found)(unreachable=(HONEST,))
