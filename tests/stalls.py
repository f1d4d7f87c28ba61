"""What fails while the machine stands still is tried again, and the summary tells of it.

Tests with real processes wait for what is promised within seconds, and for that the machine has to
run.  One that is shared with others may get no processor at all for seconds on end: then a leader
is deposed that was to stay, or a call runs out of its time, and that says nothing of us.  So one
thread for each processor wakes every `BEAT_S` and notes by how much it was too late.  Work of our
own does not make it late: whoever sleeps goes first when it wakes.

A test that fails is tried again only if one of them was late by `STILL_S` or more while it ran: at
most `TRIES` times in all, all of its fixtures anew, after the machine has gone on for a while.  A
test that fails on a machine that runs has failed.
"""

import os
import threading
import time

import pytest
from _pytest.runner import runtestprotocol

BEAT_S = 0.05
STILL_S = 0.5
TRIES = 3
CALM_S, PATIENCE_S = 2.0, 30.0
KEY = "failed while the machine stood still"


class Witness:
    """Looks whether the machine runs, on every processor that we may use."""

    def __init__(self) -> None:
        self.late_s = 0.0  # at worst, since it was last set to nothing
        for processor in os.sched_getaffinity(0):
            threading.Thread(target=self._look, args=(processor,), daemon=True).start()

    def _look(self, processor: int) -> None:
        os.sched_setaffinity(threading.get_native_id(), {processor})
        before = time.monotonic()
        while True:
            time.sleep(BEAT_S)
            now = time.monotonic()
            self.late_s = max(self.late_s, now - before - BEAT_S)
            before = now

    def wait(self) -> None:
        """Until the machine has run for `CALM_S`, or patience is over."""
        end = time.monotonic() + PATIENCE_S
        self.late_s = STILL_S
        while self.late_s >= STILL_S and time.monotonic() < end:
            self.late_s = 0.0
            time.sleep(CALM_S)


class Again:
    """Tries such a test again, in the process that runs it."""

    def __init__(self) -> None:
        self._witness = Witness()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for tried in range(1, TRIES + 1):
            self._witness.late_s = 0.0
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            late_s = self._witness.late_s
            failed = [one for one in reports if one.failed]
            if not failed or late_s < STILL_S or tried == TRIES:
                break
            told = f"{late_s:.1f} s, {failed[0].when}: {reason(failed[0])}"
            item.user_properties.append((KEY, told))
            item.session._setupstate.teardown_exact(None)
            self._witness.wait()
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def reason(report: pytest.TestReport) -> str:
    """Why it failed, in a line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash is not None else report.longrepr).splitlines()
    return lines[0] if lines else ""


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
