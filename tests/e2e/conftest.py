"""Clusters for the tests: one that most share, and empty ones.  Who fails shows the logs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster

SQUARE = ("alice", "bob", "carol", "dan")
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Cluster):
                report.sections.append(("logs of the processes", value.tails()))
    return report


class Town:
    """The square: four nodes in #dev and #ops, used again as long as tests leave it in order."""

    def __init__(self, factory: pytest.TempPathFactory, *, insecure: bool = False) -> None:
        self._factory, self._insecure = factory, insecure
        self._cluster: Cluster | None = None

    def square(self) -> Cluster:
        """With everyone up and agreed."""
        if self._cluster is None:
            self._cluster = self._built()
        for name in SQUARE:
            if not self._cluster[name].is_up():
                self._cluster[name].up()
        return self._cluster

    def _built(self) -> Cluster:
        cluster = Cluster(self._factory.mktemp("square"), insecure=self._insecure)
        try:
            cluster.nds.start()
            cluster.raise_nodes(*SQUARE)
            cluster.gather("dev", *SQUARE)
            cluster.gather("ops", *reversed(SQUARE))
        except BaseException:
            print(cluster.tails())
            cluster.close()
            raise
        return cluster

    def discard(self) -> None:
        """The next test gets a new one."""
        if self._cluster is not None:
            self._cluster.close()
        self._cluster = None


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory)
    yield made
    made.discard()


@pytest.fixture(scope="session")
def plain_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory, insecure=True)
    yield made
    made.discard()


@pytest.fixture
def square(town: Town, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Four nodes and a discovery service, all of them in #dev and #ops."""
    yield from _used(town, request)


@pytest.fixture
def plain(plain_town: Town, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The same with plain connections, for those who say what no member would."""
    yield from _used(plain_town, request)


def _used(town: Town, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    cluster = town.square()
    yield cluster
    if request.node.stash.get(FAILED, False):
        town.discard()
        return
    try:
        cluster.check_logs()
    except BaseException:
        town.discard()
        raise


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Cluster]:
    """Nobody yet, and no discovery service."""
    made = Cluster(tmp_path)
    try:
        yield made
        made.check_logs()
    finally:
        made.close()


@pytest.fixture
def cluster(empty: Cluster) -> Cluster:
    """A discovery service, and no member yet."""
    empty.nds.start()
    return empty
