"""One group of processes, from their start to their end, and what was measured of it."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from time import monotonic_ns
from types import TracebackType
from typing import Any

from msgspec import Struct

from node.background import environment

from .figures import Outcome, percentile
from .servers import Server, serving

ROOT = Path(__file__).parents[3]
ANSWER_S = 120.0
MEET_EACH_S = 2.0  # a member, beside that
PAGE = 1 << 16
AHEAD_S = 0.2  # a beginning that all members hear of in time ...
AHEAD_EACH_S = 0.01  # ... and what each of them adds to it


class Failed(Exception):
    """A member ended, or did not answer in time."""


class Process:
    """Members of a contestant in one process; `index` is that of the first."""

    def __init__(self, name: str, at: range, size: int, directory: Path, server: str) -> None:
        self.name, self.index = name, at[0]
        homes = [directory / f"m{index}" for index in at]
        for home in homes:
            home.mkdir(exist_ok=True)
        self._words = homes[0] / "stderr"
        places = list(zip(at, map(str, homes), strict=True))
        seats = json.dumps({"size": size, "server": server, "seats": places})
        with self._words.open("ab") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.groups.member", name, seats],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._answers = self._process.stdin, self._process.stdout
        self._unread = b""
        self._ordered = ""

    def order(self, do: str, **arguments: Any) -> None:
        self._ordered = do
        try:
            self._orders.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._orders.flush()
        except BrokenPipeError as error:
            raise self.fault("ended") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def answer(self, wait_s: float = ANSWER_S) -> Any:
        """The next line that it says.  Raises Failed."""
        until = time.monotonic() + wait_s
        while b"\n" not in self._unread:
            left_s = max(0.0, until - time.monotonic())
            if not select.select([self._answers], [], [], left_s)[0]:
                raise self.fault(f"does not answer {self._ordered!r} in time")
            piece = os.read(self._answers.fileno(), PAGE)
            if not piece:
                raise self.fault("ended")
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)

    def fault(self, what: str) -> Failed:
        words = self._words.read_text("utf-8", "replace").strip()[-2_000:]
        return Failed(f"{self.name}, member {self.index}, {what}\n{words}".rstrip())

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """Ends it, however it is."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        self._answers.close()


class Group:
    """The members of one contestant, who hear each other; so many `each` process."""

    def __init__(self, name: str, size: int, each: int = 1) -> None:
        self.name, self.size, self._each = name, size, each
        self.members: list[Process] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Group":
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        temporary = tempfile.TemporaryDirectory(
            prefix="p2pchat-groups-", ignore_cleanup_errors=True
        )
        self.directory = Path(self._stack.enter_context(temporary))
        self.server: Server = self._stack.enter_context(serving(self.name, self.directory))
        self._stack.callback(lambda: [one.kill() for one in self.members])
        for index in range(0, self.size, self._each):
            self.members.append(self.process(index))
        self.addresses = [one["address"] for one in self.all("open")]
        self.members[0].order("found")
        self.members[0].answer()
        self.all("meet", ANSWER_S + MEET_EACH_S * self.size, addresses=self.addresses)

    def process(self, index: int) -> Process:
        """A process of that member and those beside it, also a second one on the same files."""
        at = range(index, min(index + self._each, self.size))
        return Process(self.name, at, self.size, self.directory, self.server.address)

    def all(self, do: str, wait_s: float = ANSWER_S, **arguments: Any) -> list[dict[str, Any]]:
        """Orders it of all at once; their answers in the order of the members."""
        for one in self.members:
            one.order(do, **arguments)
        until = time.monotonic() + wait_s
        try:
            answers = [one.answer(max(0.0, until - time.monotonic())) for one in self.members]
        except Failed as failed:  # Some may wait for one that is no more.
            ended = next((one for one in self.members if one.has_ended()), None)
            raise failed if ended is None else ended.fault("ended") from failed
        return [told for answer in answers for told in answer]


class Plan(Struct, frozen=True):
    """How long each part of a contest takes."""

    flood_s: float = 3.0
    talk_s: float = 4.0
    calm_s: float = 2.0  # until what the talk left is done
    idle_s: float = 6.0
    rate: int = 30  # messages a second of the whole group, in the talk
    patience_s: float = 30.0  # nothing has come for so long: what is missing is lost ...
    limit_s: float = 60.0  # ... and so is what is not there so long after the last was said


def contest(name: str, size: int, plan: Plan) -> Outcome:
    """One group, measured.  Raises Failed where a member failed."""
    with Group(name, size) as group:
        period_ns = size * 1_000_000_000 // plan.rate
        talked = phase(group, "talk", plan, plan.talk_s, period_ns=period_ns)
        time.sleep(plan.calm_s)
        worked = group.server.worked_s()
        idle = group.all("idle", seconds=plan.idle_s)
        worked = group.server.worked_s() - worked + sum(one["worked_s"] for one in idle)
        flooded = phase(group, "flood", plan, plan.flood_s)
        accounts = group.all("account", said=flooded.said)
        resident_kb = group.server.resident_kb() + sum(one["resident_kb"] for one in accounts)
    latencies = sorted(us for one in talked.told for us in one["latencies_us"])
    delivered = sum(one["delivered"] for one in flooded.told)
    took_s = (max(one["last"] for one in flooded.told) - flooded.began) / 1e9
    counts = ("lost", "doubled", "disordered", "damaged")
    return Outcome(
        contestant=name,
        size=size,
        said=sum(flooded.said),
        unsettled=sum(not one["settled"] for one in (*flooded.told, *talked.told)),
        rate=delivered / took_s if delivered else 0.0,
        work_ms=1e6 * flooded.worked_s / max(1, delivered),
        p50_ms=percentile(latencies, 50) / 1e3,
        p99_ms=percentile(latencies, 99) / 1e3,
        idle=100 * worked / plan.idle_s / size,
        resident_mb=resident_kb / 1024 / size,
        **{what: sum(one[what] for one in accounts) for what in counts},
    )


class Phase(Struct, frozen=True):
    began: int  # on the clock of all processes of this machine
    said: list[int]  # of each member since its start
    told: list[dict[str, Any]]
    worked_s: float  # of all members and the server


def phase(group: Group, do: str, plan: Plan, seconds: float, **arguments: Any) -> Phase:
    """All say something, from the same instant on, until everything has come."""
    worked = group.server.worked_s()
    began = monotonic_ns() + int(1e9 * (AHEAD_S + AHEAD_EACH_S * group.size))
    until = began + int(1e9 * seconds)
    said = [one["said"] for one in group.all(do, at=began, until=until, **arguments)]
    limits = {"patience_s": plan.patience_s, "limit_s": plan.limit_s}
    told = group.all("settle", ANSWER_S + plan.limit_s, said=said, **limits)
    worked = group.server.worked_s() - worked + sum(one["worked_s"] for one in told)
    return Phase(began, said, told, worked)
