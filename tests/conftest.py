"""What all tests have in common: in which order the workers get them, and a machine that runs."""

import gc

import pytest
from hypothesis import HealthCheck, settings

from tests import stalls

# Laws are tried without a deadline: a machine that is busy fails no test.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(stalls.Again())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    stalls.tell(terminalreporter)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups, each of which goes to one worker as a whole and waits much, begin first.

    Beside them and after them the other workers have the rest.  With a long group among the last
    that are handed out, all others wait for it at the end.
    """
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


def pytest_collection_finish() -> None:
    """Thousands of tests stand in memory to the end: the collector need not look at them again."""
    gc.collect()
    gc.freeze()
