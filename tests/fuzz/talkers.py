"""The honest members' talk, run beside a campaign, and what it came to."""

import json
import subprocess
import sys
import threading
import time
from typing import Any

from tests.fuzz.town import TALKERS, Town
from tests.waiting import WAIT_S

PACE = 20  # lines a second of each member
STALL_S = 10.0  # without a single acknowledgement: they are silenced


class Talkers:
    """`start`, then `rate()` whenever, then `stop`; `texts` are the lines that were stored."""

    def __init__(self, town: Town) -> None:
        sockets = [str(town.cluster[name].socket) for name in TALKERS]
        self._command = [sys.executable, "-m", "tests.fuzz.honest", "town", str(PACE), *sockets]
        self.samples: list[tuple[float, dict[str, Any]]] = []
        self.texts: list[str] = []
        self.failed: list[str] = []
        self.quiet = 0.0  # acknowledged deliveries a second, undisturbed
        self.noisy = 0.0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "texts" in told:
                self.texts, self.failed = told["texts"], told["failed"]
            else:
                self.samples.append((time.monotonic(), told))

    def wait_for(self, count: int, wait_s: float = 60.0) -> None:
        """Until there are so many samples."""
        until = time.monotonic() + wait_s
        while len(self.samples) < count:
            assert time.monotonic() < until, f"{len(self.samples)} samples after {wait_s} s"
            time.sleep(0.05)

    def rate(self, first: int, last: int = -1) -> float:
        """Acknowledged deliveries a second between two samples."""
        (began, before), (ended, after) = self.samples[first], self.samples[last]
        return (after["acked"] - before["acked"]) / max(ended - began, 0.001)

    def stall(self) -> float:
        """The longest time without an acknowledgement, in seconds."""
        longest, since = 0.0, self.samples[0]
        for sample in self.samples:
            if sample[1]["acked"] > since[1]["acked"]:
                since = sample
            longest = max(longest, sample[0] - since[0])
        return longest

    def slowest_ms(self, first: int = 0) -> int:
        return max((told["slowest_ms"] for _, told in self.samples[first:]), default=0)

    def stop(self) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(WAIT_S)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def report(self) -> str:
        share = self.noisy / self.quiet if self.quiet else 0.0
        return (
            f"honest talk: {self.quiet:.0f} acknowledged deliveries/s undisturbed,"
            f" {self.noisy:.0f} beside the fuzz ({share:.0%}), longest pause {self.stall():.1f} s,"
            f" slowest line {self.slowest_ms()} ms, {len(self.texts):,} lines,"
            f" {len(self.failed)} failed"
        )
