"""A town for tests that hurt it on purpose: five nodes that talk and are watched all the time."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec import Struct

from tests.chaos.checker import violations
from tests.chaos.cycle import Cycle
from tests.chaos.evidence import Epoch
from tests.chaos.lab import build
from tests.chaos.reading import bugs
from tests.chaos.schedule import NDS, NODES, Fault, Schedule
from tests.chaos.site import Site
from tests.chaos.writers import quiet

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    town = getattr(item, "funcargs", {}).get("town")
    if report.failed:
        item.stash[FAILED] = True
        if isinstance(town, Town):
            report.sections.append(("time line", town.story()))
    return report


class Town(Struct):
    """A cycle without an end of its own."""

    cycle: Cycle
    told: int = 0  # lines of the time line that earlier tests have used

    @property
    def site(self) -> Site:
        return self.cycle.site

    @property
    def network(self) -> bool:
        return self.site.lab.network

    def story(self) -> str:
        """What has happened in this test, and where the files are."""
        lines = self.cycle.outcome.timeline[self.told :]
        return "\n".join([*(f"{at:8.3f}  {what}" for at, what in lines), str(self.site.directory)])

    async def standing(self) -> tuple[str, Epoch]:
        """Who leads, and the epoch, once all is quiet and the next election is one by the book."""
        self.told = len(self.cycle.outcome.timeline)
        await self.cycle.rest()
        leader = await self.site.leader()
        return leader, await self.epoch(leader)

    async def epoch(self, name: str) -> Epoch:
        chat = await self.site[name].chat()
        assert chat is not None, f"{name} is not in the chat"
        return chat.epoch.generation, chat.epoch.n

    def shown(self, node: str, name: str) -> bool:
        """Whether a line was shown at a node."""
        return any(
            one.node == node and one.text.split(" re ")[0] == name
            for one in self.cycle.evidence.shown
        )

    async def suffer(self, fault: Fault, frost: tuple[str, ...]) -> Fault:
        """Has a fault of the network begin; where there is none, a frost of these in its place."""
        suffered = fault if self.network else Fault("freeze", 0.0, 1.0, who=frost)
        await self.cycle.trouble.begin(suffered)
        return suffered

    async def judge(self) -> None:
        """The faults end, all become of one mind, and no promise was broken."""
        await self.cycle.heal()
        with quiet(self.cycle.writers):
            await self.cycle.collect()
            self.cycle.read_grants()
            self.cycle.evidence.complaints = bugs(self.site.directory)
            found = violations(self.cycle.evidence)
        assert not found, found


class Towns:
    """The town in use, and how to get rid of it."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._stack = AsyncExitStack()
        self._town: Town | None = None

    async def get(self) -> Town:
        if self._town is None:
            self._town = await self._built(self._factory.mktemp("town"))
        return self._town

    async def _built(self, directory: Path) -> Town:
        lab = build((*NODES, NDS))
        self._stack.callback(lab.close)
        site = Site(lab, directory, NODES, NDS)
        self._stack.push_async_callback(site.close)
        cycle = Cycle(Schedule(0, coda=False), site)
        await cycle.gather()
        await self._stack.enter_async_context(cycle.company())
        return Town(cycle)

    async def discard(self) -> None:
        self._town = None
        await self._stack.aclose()


@pytest.fixture(scope="module")
async def towns(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Towns]:
    """Ends with its module: its writers live on the loop that all tests share."""
    made = Towns(tmp_path_factory)
    try:
        yield made
    finally:
        await made.discard()


@pytest.fixture
async def town(towns: Towns, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    """Five nodes and a discovery service, in order; checked afterwards."""
    try:
        found = await towns.get()
    except BaseException:
        await towns.discard()
        raise
    yield found
    if request.node.stash.get(FAILED, False):
        await towns.discard()
