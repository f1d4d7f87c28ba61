"""What shall go wrong and when: drawn from a seed, written and read as JSON, never changed.

Whom a fault befalls is a host's name, or `leader`: whoever leads when it begins.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from msgspec import Struct, field, to_builtins
from msgspec.structs import asdict, replace

from tests.chaos.lab import Weather

NODES = ("n1", "n2", "n3", "n4", "n5")
NDS = "nds"
LEADER = "leader"
FAIR = Weather()

# Each kind of fault and its weight; a seed leaves some of them out, so that mixes differ.
SIGNALS = {
    "kill": 4,
    "restart at once": 3,
    "restart all": 1,
    "freeze": 4,
    "freeze all": 1,
    "nds killed": 2,
    "nds frozen": 1,
    "nds wiped": 1,
    "nds rolled back": 1,
    "clock jump": 1,
    "leave": 1,
    "join": 0,  # see `Schedule.late`
}
LINKS = {
    "cut one way": 3,
    "deaf": 2,
    "mute": 2,
    "halves": 4,
    "isolated": 3,
    "alone with the nds": 2,
    "bridge": 2,
    "flapping": 2,
    "nds cut off": 2,
    "bad weather": 4,
}
DISK = {"disk full": 3}
STORM_S = (10.0, 16.0)
FAULTS = (4, 8)
HOUR_MS = 3_600_000
LATE = 0.35  # how likely somebody joins while the storm rages
KEPT = 0.65  # how likely a seed's mix has a kind


class Fault(Struct, frozen=True):
    """One thing that goes wrong, `at` seconds after the storm begins, for `lasts` seconds."""

    kind: str
    at: float
    lasts: float = 0.0
    who: tuple[str, ...] = ()
    sides: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    weather: Weather = FAIR
    skew_ms: int = 0

    def __str__(self) -> str:
        parts = [self.kind, *self.who]
        if any(self.sides):
            parts.append(" | ".join(" ".join(side) for side in self.sides))
        if self.weather != Weather():
            shown = {key: value for key, value in asdict(self.weather).items() if value}
            parts.append(" ".join(f"{key}={value:g}" for key, value in shown.items()))
        if self.skew_ms:
            parts.append(f"{self.skew_ms / HOUR_MS:+.2f} h")
        if self.lasts:
            parts.append(f"for {self.lasts:.1f} s")
        return ", ".join(parts)


class Schedule(Struct, frozen=True):
    """All that a seed decides about a cycle."""

    seed: int
    faults: tuple[Fault, ...] = ()
    storm_s: float = 12.0
    weather: Weather = FAIR  # all through the storm
    neighbours: bool = True  # see `Namespaces`
    fixed_ports: bool = True  # a node that is started again listens where it did
    skews_ms: Mapping[str, int] = field(default_factory=dict)  # of the nodes' clocks
    late: str = ""  # who is not there from the beginning, and joins in the storm or after it
    small_disks: bool = False  # each node has a disk of its own, which can be filled
    coda: bool = True  # afterwards a leader is killed, and one is frozen

    def without(self, faults: "tuple[Fault, ...] | list[Fault]") -> "Schedule":
        return replace(self, faults=tuple(one for one in self.faults if one not in faults))

    def dump(self) -> str:
        return json.dumps(to_builtins(self), indent=1)

    @classmethod
    def load(cls, text: str) -> "Schedule":
        """Raises ValueError, KeyError or TypeError for what `dump` would not have written."""
        found: dict[str, Any] = json.loads(text)
        faults = tuple(_fault(one) for one in found.pop("faults"))
        return cls(faults=faults, weather=Weather(**found.pop("weather")), **found)


def _fault(found: dict[str, Any]) -> Fault:
    one, other = found.pop("sides")
    return Fault(
        who=tuple(found.pop("who")),
        sides=(tuple(one), tuple(other)),
        weather=Weather(**found.pop("weather")),
        **found,
    )


def draw(
    seed: int, nodes: Sequence[str] = NODES, *, network: bool = True, disk: bool = False
) -> Schedule:
    """The schedule of a seed.

    Args:
        seed: any number.
        nodes: who there is, at least two.
        network: whether links can be cut and worsened.
        disk: whether disks can be filled.
    """
    rng = Random(seed)
    weights = {**SIGNALS, **(LINKS if network else {}), **(DISK if disk else {})}
    kinds = [kind for kind in weights if weights[kind] and rng.random() < KEPT] or ["kill"]
    count = rng.randint(*FAULTS)
    storm_s = rng.uniform(*STORM_S)
    faults = []
    for _ in range(count):
        kind = rng.choices(kinds, [weights[kind] for kind in kinds])[0]
        faults.append(_drawn(rng, tuple(nodes), kind, round(rng.uniform(0.0, storm_s - 2), 2)))
    late = rng.choice(tuple(nodes)[1:]) if rng.random() < LATE and len(nodes) > 2 else ""
    if late:
        faults.append(Fault("join", round(rng.uniform(0.0, storm_s - 2), 2), who=(late,)))
    calm = rng.random() < 0.5
    return Schedule(
        seed=seed,
        faults=tuple(sorted(faults, key=lambda one: one.at)),
        storm_s=round(storm_s, 2),
        weather=Weather() if calm or not network else _weather(rng, mild=True),
        neighbours=rng.random() < 0.5,
        fixed_ports=rng.random() < 0.5,
        late=late,
        small_disks=disk,
        skews_ms={node: _skew(rng) for node in nodes},
    )


def _drawn(rng: Random, nodes: tuple[str, ...], kind: str, at: float) -> Fault:
    someone = rng.choice((LEADER, LEADER, *nodes))
    others = rng.sample(nodes, len(nodes))
    half = rng.randint(1, len(nodes) - 1)
    short = round(rng.choice((0.5, 1.2, 2.0, 4.0, 8.0)) * rng.uniform(0.8, 1.2), 2)
    brief = round(rng.uniform(0.1, 2.5), 2)
    fault = Fault(kind, at, short)
    match kind:
        case "freeze":
            long = rng.random() < 0.05
            fault = replace(fault, who=(someone,), lasts=30.0 if long else short)
        case "restart at once" | "leave":
            fault = replace(fault, who=(someone,), lasts=0.0)
        case "restart all" | "freeze all":
            fault = replace(fault, who=tuple(others), lasts=brief)
        case "nds rolled back":
            fault = replace(fault, lasts=brief)
        case "clock jump":
            fault = replace(fault, who=(someone,), lasts=0.0, skew_ms=_skew(rng) or HOUR_MS)
        case "cut one way":
            a, b = rng.sample((*nodes, NDS), 2)
            fault = replace(fault, sides=((a,), (b,)))
        case "halves" | "flapping":
            where = rng.randrange(4)  # the discovery service: with one, with the other, both, none
            ones = (*others[:half], NDS) if where in {0, 3} else tuple(others[:half])
            rest = (*others[half:], NDS) if where in {1, 3} else tuple(others[half:])
            fault = replace(fault, sides=(ones, rest))
        case "bridge":
            cut = 1 + min(half, max(1, len(nodes) - 2))  # the first of them is the bridge
            fault = replace(fault, sides=(tuple(others[1:cut]), tuple(others[cut:])))
        case "nds cut off":
            fault = replace(fault, who=tuple(others[:half]))
        case "bad weather":
            fault = replace(fault, weather=_weather(rng, mild=False))
        case "nds killed" | "nds frozen" | "nds wiped":
            pass
        case _:
            fault = replace(fault, who=(someone,))
    return fault


def _weather(rng: Random, *, mild: bool) -> Weather:
    """What may befall all frames; `mild` is what a poor wireless network does all day."""
    if mild:
        return Weather(
            loss=rng.choice((0.0, 0.005, 0.02)),
            repeat=rng.choice((0.0, 0.01)),
            delay_ms=rng.choice((0.0, 2.0, 10.0)),
            jitter_ms=rng.choice((0.0, 3.0)),
        )
    return Weather(
        loss=rng.choice((0.0, 0.05, 0.1, 0.2, 0.3)),
        repeat=rng.choice((0.0, 0.1, 0.3)),
        delay_ms=rng.choice((0.0, 20.0, 100.0)),
        jitter_ms=rng.choice((0.0, 20.0, 100.0)),
    )


def _skew(rng: Random) -> int:
    """By how much a clock is wrong: half of them are right."""
    return rng.choice((0, 0, 0, 500, -500, 5_000, HOUR_MS, -HOUR_MS))
