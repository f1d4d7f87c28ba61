"""What several tests of nodes need."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.node.town import Town
from tests.processes import Processes


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    processes = Processes(tmp_path_factory.mktemp("nds"))
    processes.start_nds()
    yield processes
    processes.close()


@pytest.fixture
def nds(registry: Processes) -> str:
    return registry.nds


@pytest.fixture
async def town(tmp_path: Path, nds: str) -> AsyncIterator[Town]:
    found = Town(tmp_path, nds)
    yield found
    await found.close()
