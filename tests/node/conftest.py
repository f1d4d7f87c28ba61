"""What several tests of nodes need."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path

import pytest

from node.archive import Archive, MemoryArchive, SqliteArchive
from node.host import listening
from tests.logs import KEY
from tests.node.town import Town
from tests.processes import Processes


@pytest.fixture(params=["memory", "sqlite"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    """A log of every kind: the same is promised of all."""
    made: Archive = (
        MemoryArchive() if request.param == "memory" else SqliteArchive(tmp_path / "a.db", KEY)
    )
    yield made
    made.close()


TESTS_EACH = 15  # with one service, which lets an address make 50 networks at once


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Processes]]:
    with ExitStack() as stack:

        def endless() -> Iterator[Processes]:
            while True:
                processes = Processes(tmp_path_factory.mktemp("nds"))
                processes.start_nds()
                stack.callback(processes.close)
                yield from repeat(processes, TESTS_EACH)

        yield endless()


@pytest.fixture
def registry(services: Iterator[Processes]) -> Processes:
    return next(services)


@pytest.fixture
def nds(registry: Processes) -> str:
    return registry.nds


@pytest.fixture
async def town(tmp_path: Path, nds: str) -> AsyncIterator[Town]:
    found = Town(tmp_path, nds)
    yield found
    await found.close()


@pytest.fixture
def abroad(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address that is of another machine, if one asks: the way there begins at 127.0.0.2."""
    try:
        socket.create_server(("127.0.0.2", 0)).close()
    except OSError:
        pytest.skip("this machine has one loopback address only")
    monkeypatch.setattr(listening, "is_loopback", lambda address: address.startswith("127.0.0.1:"))
    monkeypatch.setattr(listening, "route_to", lambda _: "127.0.0.2")
    return "127.0.0.3:50050"
