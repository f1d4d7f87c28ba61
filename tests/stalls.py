"""What fails while the machine stands still is tried again, and the summary tells of it.

Tests with real processes wait for what is promised within seconds, and for that the machine has to
run.  One that is shared with others may get no processor at all for seconds on end: then a leader
is deposed that was to stay, or a call runs out of its time, and that says nothing of us.  So one
thread for each processor wakes every `BEAT_S` and notes by how much it was too late.  Work of our
own does not make it late: whoever sleeps goes first when it wakes.

A test that fails is tried again only if one of them was late by `STILL_S` or more while it ran, or
within `ECHO_S` before, for what that did to members whom tests share: at most `TRIES` times in all,
all of its fixtures anew, after the machine has gone on for a while.  A test that fails on a machine
that runs has failed.
"""

import os
import threading
import time

import pytest
from _pytest.runner import runtestprotocol

BEAT_S = 0.05
STILL_S, ECHO_S = 0.5, 15.0
TRIES = 3
CALM_S, PATIENCE_S = 2.0, 30.0
KEY = "failed while the machine stood still"


class Witness:
    """Looks whether the machine runs, on every processor that we may use."""

    def __init__(self) -> None:
        self._stalls: list[tuple[float, float]] = []  # when each ended, and how long it was
        for processor in os.sched_getaffinity(0):
            threading.Thread(target=self._look, args=(processor,), daemon=True).start()

    def _look(self, processor: int) -> None:
        os.sched_setaffinity(threading.get_native_id(), {processor})
        before = time.monotonic()
        while True:
            time.sleep(BEAT_S)
            now = time.monotonic()
            if now - before - BEAT_S >= STILL_S:
                self._stalls.append((now, now - before - BEAT_S))
            before = now

    def worst_s(self, since: float) -> float:
        """The longest that it stood still since then, by the monotonic clock; 0 for never."""
        return max((late_s for ended, late_s in self._stalls if ended >= since), default=0.0)

    def wait(self) -> None:
        """Until the machine has run for `CALM_S`, or patience is over."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            began = time.monotonic()
            time.sleep(CALM_S)
            if not self.worst_s(began):
                return


class Again:
    """Tries such a test again, in the process that runs it."""

    def __init__(self) -> None:
        self._witness = Witness()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        before = sum(key == KEY for key, _ in item.user_properties)
        if not before:
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        since = time.monotonic() - ECHO_S
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        failed, late_s = [one for one in reports if one.failed], self._witness.worst_s(since)
        if failed and late_s and before < TRIES - 1:
            whys = "; ".join(f"{one.when}: {reason(one)}" for one in failed)
            told = f"{late_s:.1f} s, {whys}"
            item.ihook.pytest_timeout_cancel_timer(item=item)
            try:
                item.session._setupstate.teardown_exact(None)
            except (Exception, pytest.fail.Exception) as error:
                told += f"; and its fixtures at their end: {first(str(error))}"
            item.user_properties.append((KEY, told))
            self._witness.wait()
            item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            return True
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def reason(report: pytest.TestReport) -> str:
    """Why it failed, in a line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return first(str(crash.message if crash is not None else report.longrepr))


def first(text: str) -> str:
    """Its first line."""
    return text.partition("\n")[0]


def tell(terminal: pytest.TerminalReporter) -> None:
    """Which tests were tried again, and of what they had failed."""
    ended = [
        report
        for reports in terminal.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "teardown"
    ]
    again = [(one.nodeid, why) for one in ended for key, why in one.user_properties if key == KEY]
    if again:
        terminal.section(f"{KEY}, and were tried again: {len(again)}")
        for nodeid, why in again:
            terminal.line(f"{nodeid}: {why}")
