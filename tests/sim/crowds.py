"""Figures: what a line, a quiet minute and a new name cost in groups of up to 5,000 members.

python -m tests.sim.crowds [--sizes 16,50,200] [--write]

The real core of every member, in a world without faults in which they have been together for long:
they share one roster, so that 5,000 fit into one process.  Bytes are those of the protobufs.
`--write` puts the table into tests/sim/crowds.md.
"""

import argparse
import sys
from collections import Counter
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from node.codec import METHODS
from node.core import effects as e
from node.core import messages as m
from node.core.alarms import Alarm
from node.core.events import Answered, Changed, Event, Field, Received, Submitted, Woken
from node.core.group import Group, Role, Setup
from node.core.membership import Membership
from node.core.timing import LAN
from node.core.types import Epoch, Hlc, Key, MemberId

from .signing import is_signed, signer

HERE = Path(__file__).parent
SIZES = (4, 16, 17, 50, 200, 1_000, 5_000)
CHAT, EPOCH, WALL = 77, Epoch(1_700_000_000, 1), 1_700_000_000_000
NEAR_MS = (1, 2)
TEXT = "x" * 200
LINES = 8  # said by as many members, one after the other
LINE_MS = 400  # for all to have it and acknowledge
IDLE_MS = 10_000
NAMES_MAX = 200  # members, each with a roster of its own
CROWDS = replace(LAN, members_max=10_000)


class Traffic(Struct):
    """What was sent, requests and replies."""

    calls: int = 0
    octets: int = 0

    def add(self, payload: bytes, *, is_call: bool) -> None:
        self.calls += is_call
        self.octets += len(payload)


class Crowd:
    """Members `1 ... size`, of whom the first leads."""

    def __init__(self, size: int, seed: int = 1, *, one_roster: bool = True) -> None:
        self.now, self.rng, self.size = 0, Random(seed), size
        self._todo: list[tuple[int, int, int, Event]] = []
        self._order = count()
        self._calls: dict[tuple[int, int], tuple[int, int]] = {}  # of the callee: whose, and which
        self._inbound = count(1)
        self._woken: dict[int, int] = {}
        self.traffic: dict[str, Traffic] = {}
        self.said_by: Counter[int] = Counter()  # calls that carry lines or acknowledgements
        self.shown: dict[Key, list[int]] = {}  # when, by those who did not say it
        self.settled: dict[Key, int] = {}
        records = m.Roster(tuple(map(_record, range(1, size + 1))))
        shared = Membership(records)
        self.groups = {
            number: self._group(number, shared if one_roster else Membership(records))
            for number in range(1, size + 1)
        }

    def _group(self, number: int, roster: Membership) -> Group:
        setup = Setup(
            _identity(number),
            f"m{number}",
            _address(number),
            number,
            CHAT,
            "crowd",
            sign=signer(_identity(number)),
            verify=is_signed,
        )
        group = Group(setup, CROWDS, Random(number))
        s = group._s
        s.members, s.me, s.incarnation, s.wall_ahead = roster, number, WALL, WALL
        s.epoch, s.leader, s.ready, s.nds_up = EPOCH, 1, True, True
        s.role = Role.LEADER if number == 1 else Role.FOLLOWER
        timing = CROWDS
        s.alarms.set(Alarm.SYNC, self.rng.randrange(timing.sync_ms))
        if number > 1:
            s.alarms.set(Alarm.LEADER, self.rng.randrange(timing.t1_ms, timing.t2_ms))
        else:
            s.alarms.set(Alarm.MEMBERS, timing.t2_ms)
            s.liveness.heard_at.update(dict.fromkeys(range(2, self.size + 1), 0))
        self._wake(number, group)
        return group

    # ---- the world ----------------------------------------------------------------------------

    def hand(self, number: int, event: Event) -> None:
        group = self.groups[number]
        for effect in group.handle(self.now, event):
            self._perform(number, effect)
        self._wake(number, group)

    def run(self, until: int) -> None:
        """Let time pass."""
        while self._todo and self._todo[0][0] <= until:
            self.now, _, number, event = heappop(self._todo)
            if isinstance(event, Woken) and self._woken.get(number) != self.now:
                continue
            self.hand(number, event)
        self.now = until

    def _wake(self, number: int, group: Group) -> None:
        due = group.deadline
        if due is not None and self._woken.get(number) != due:
            self._woken[number] = due
            self._later(due, number, Woken())

    def _later(self, at: int, number: int, event: Event) -> None:
        heappush(self._todo, (max(at, self.now), next(self._order), number, event))

    def _perform(self, number: int, effect: e.Effect) -> None:
        match effect:
            case e.Call(call, to, _, request):
                self._count(request, METHODS[type(request)].write_request, is_call=True)
                self.said_by[number] += isinstance(request, m.Tell | m.Acks)
                inbound = next(self._inbound)
                self._calls[to, inbound] = number, call
                self._later(self._arrival(), to, Received(inbound, request))
            case e.Respond(call, reply):
                caller, theirs = self._calls.pop((number, call))
                assert not isinstance(reply, m.Refusal), f"{number} refuses {reply}"
                kind = METHODS[_REQUESTS[type(reply)]]
                self._count(reply, kind.write_reply, kind=_REQUESTS[type(reply)])
                self._later(self._arrival(), caller, Answered(theirs, reply))
            case e.Deliver(message):
                if message.key.source != number:
                    self.shown.setdefault(message.key, []).append(self.now)
            case e.Settled(key):
                self.settled[key] = self.now
            case e.Ask():
                raise AssertionError(f"{number} asks the registry: {effect.request}")
            case _:
                pass

    def _arrival(self) -> int:
        return self.now + self.rng.randint(*NEAR_MS)

    def _count(
        self, what: Any, write: Any, *, is_call: bool = False, kind: type | None = None
    ) -> None:
        name = (kind or type(what)).__name__
        traffic = self.traffic.setdefault(name, Traffic())
        traffic.add(write(what), is_call=is_call)

    # ---- what is measured ---------------------------------------------------------------------

    def spent(self, *names: str) -> Traffic:
        """In calls of these kinds, of all kinds where none is named."""
        chosen = [one for name, one in self.traffic.items() if not names or name in names]
        return Traffic(sum(one.calls for one in chosen), sum(one.octets for one in chosen))

    def links(self) -> list[int]:
        """With how many others each member but the leader has to do, the leader left out."""
        ways: set[tuple[int, int]] = set()
        for number, group in self.groups.items():
            ways.update((min(number, other), max(number, other)) for other in group.near)
        links = Counter(number for way in ways if way[0] != 1 for number in way)
        return sorted(links[number] for number in range(2, self.size + 1))


def _identity(number: int) -> bytes:
    return number.to_bytes(32)


def _address(number: int) -> str:
    return f"10.0.{number >> 8}.{number & 255}:5000"


def _record(number: int) -> m.Member:
    nick = m.Fact(f"m{number}", Hlc(1, 0), number)
    return m.Member(
        number, _identity(number), EPOCH, WALL, m.Life.ALIVE, _address(number), (WALL, 1), nick=nick
    )


_REPLIES: dict[type, type] = {
    m.Update: m.Updated, m.Ping: m.Pong, m.Tell: m.Told, m.Acks: m.AcksNoted, m.Sync: m.Synced,
}  # fmt: skip
_REQUESTS = {reply: request for request, reply in _REPLIES.items()}


class Row(Struct, frozen=True):
    """What one size costs."""

    size: int
    author: float  # calls that the author of a line makes
    most: int  # calls that any other makes for it
    calls: float  # to deliver a line to one member, its acknowledgement included
    octets: float
    last_ms: float  # until the last member has it
    acked_ms: float  # until its author knows of all
    links: float  # of a member, beside the leader's
    links_max: int
    idle_calls: float  # of a member in a quiet minute
    idle_octets: float
    name_calls: float  # for each member that learns a new name; 0 where that was not measured
    name_octets: float


def measured(size: int, seed: int = 1) -> Row:
    crowd = Crowd(size, seed)
    crowd.run(2 * CROWDS.t2_ms)
    crowd.traffic.clear()
    began_at: dict[Key, int] = {}
    author_calls, others_calls = [], []
    for author in crowd.rng.sample(range(1, size + 1), min(LINES, size)):
        crowd.said_by.clear()
        key = _say(crowd, author)
        began_at[key] = crowd.now
        crowd.run(crowd.now + LINE_MS)
        assert len(crowd.shown[key]) == size - 1, "not everyone has the line, or somebody twice"
        assert key in crowd.settled, "not everyone has acknowledged it"
        author_calls.append(crowd.said_by.pop(author))
        others_calls.append(max(crowd.said_by.values(), default=0))
    said = crowd.spent("Tell", "Acks")
    crowd.traffic.clear()
    crowd.run(crowd.now + IDLE_MS)
    idle, links = crowd.spent(), crowd.links()
    deliveries, minutes = len(began_at) * (size - 1), size * IDLE_MS / 60_000
    name = _renaming(size, seed) if size <= NAMES_MAX else Traffic()
    return Row(
        size=size,
        author=median(author_calls),
        most=max(others_calls),
        calls=said.calls / deliveries,
        octets=said.octets / deliveries,
        last_ms=median(max(crowd.shown[key]) - at for key, at in began_at.items()),
        acked_ms=median(crowd.settled[key] - at for key, at in began_at.items()),
        links=median(links),
        links_max=max(links),
        idle_calls=idle.calls / minutes,
        idle_octets=idle.octets / minutes,
        name_calls=name.calls / (size - 1),
        name_octets=name.octets / (size - 1),
    )


def _say(crowd: Crowd, author: MemberId) -> Key:
    id = f"00000000-0000-4000-8000-{author:012x}"
    crowd.hand(author, Submitted(TEXT, id, WALL + crowd.now))
    key = crowd.groups[author]._s.last_own
    assert key is not None
    return key


def _renaming(size: int, seed: int) -> Traffic:
    """Somebody takes another name, and all learn it."""
    crowd = Crowd(size, seed, one_roster=False)
    crowd.hand(size, Changed(Field.NICK, "zoe", WALL))
    crowd.run(crowd.now + LINE_MS)
    assert all(group.nick(size) == "zoe" for group in crowd.groups.values()), "somebody missed it"
    return crowd.spent("Update")


def table(rows: list[Row]) -> str:
    lines = [
        "| members | calls of the author | at most, of another | calls a delivery | bytes |"
        " all have it, ms | all acknowledged, ms | links: median, most | idle: calls a minute |"
        " bytes | new name: calls a member | bytes |",
        "|" + "---|" * 12,
    ]
    for one in rows:
        name = f"{one.name_calls:.2f} | {one.name_octets:.0f}" if one.name_calls else "- | -"
        lines.append(
            f"| {one.size:,} | {one.author:g} | {one.most} | {one.calls:.2f} | {one.octets:.0f}"
            f" | {one.last_ms:g} | {one.acked_ms:g} | {one.links:g}, {one.links_max}"
            f" | {one.idle_calls:.0f} | {one.idle_octets:,.0f} | {name} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="What large groups cost, in the simulator.")
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("--write", action="store_true", help="into tests/sim/crowds.md")
    asked = parser.parse_args()
    rows = []
    for size in asked.sizes or SIZES:
        rows.append(measured(size))
        print(table(rows[-1:]).splitlines()[-1], flush=True)
    if asked.write:
        head = (HERE / "crowds.head.md").read_text("utf-8")
        (HERE / "crowds.md").write_text(head.format(table=table(rows)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
